//! `unisono compare`: every device, the same work, head to head.

mod chart;
mod measure;
mod table;
mod workloads;

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use unisono::{Backend, DeviceClass, DeviceInfo, Error};

use crate::args::CompareArgs;
use crate::failure::{Failure, Outcome, Result};
use crate::output::{json, print, print_json};
use measure::{Budget, Timing, time};
use workloads::{Pi, Promise, Sizes, Workload};

/// The device that the others are compared with.
const BASELINE: &str = "cpu:1";

/// The whole comparison.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    version: &'static str,
    quick: bool,
    devices: Vec<DeviceRow>,
    workloads: Vec<WorkloadRow>,
    /// Whether every promise was kept and no device failed.
    ok: bool,
}

#[derive(Debug, Clone, Serialize)]
struct DeviceRow {
    id: String,
    name: String,
    class: String,
    backend: String,
    driver: String,
}

#[derive(Debug, Clone, Serialize)]
struct WorkloadRow {
    key: &'static str,
    title: String,
    unit: &'static str,
    units: f64,
    /// Whether the same bits are promised, or a bound.
    promised_identical: bool,
    rows: Vec<Row>,
}

#[derive(Debug, Clone, Default, Serialize)]
struct Row {
    device: String,
    /// Why there is no answer.
    failure: Option<String>,
    first_seconds: f64,
    seconds: f64,
    runs: usize,
    throughput: f64,
    speedup: f64,
    /// On data that already lies on the device.
    resident_seconds: Option<f64>,
    checksum: String,
    answer: Option<String>,
    /// Whether the bits are those of one CPU thread.
    identical: bool,
    /// The largest error over its bound (integers: 0 or infinite).
    error_over_bound: f64,
    /// Whether what was promised is so.
    ok: bool,
}

/// A device to compare, or why it cannot be.
struct Contender {
    id: String,
    backend: unisono::Result<Backend>,
}

pub fn run(args: &CompareArgs) -> Result<Outcome> {
    if let Some(folder) = &args.report {
        std::fs::create_dir_all(folder).map_err(|error| Failure::file(folder, crate::npy::reason(&error)))?;
    }
    let status = if args.json { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
    status.set_style(ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()));
    status.enable_steady_tick(Duration::from_millis(100));
    status.set_message("looking for devices");
    let contenders = contenders(args)?;
    let mut comparison = Comparison {
        version: env!("CARGO_PKG_VERSION"),
        quick: args.quick,
        devices: contenders.iter().filter_map(|c| c.backend.as_ref().ok()).map(|b| device_row(b.info())).collect(),
        workloads: Vec::new(),
        ok: true,
    };
    let show = |text: String| if args.json { Ok(()) } else { status.suspend(|| print(&text)) };
    show(table::head(&comparison))?;
    let sizes = if args.quick { Sizes::QUICK } else { Sizes::FULL };
    for index in 0..workloads::COUNT {
        let mut workload = workloads::build(index, sizes)?;
        let rows = compare(&mut *workload, &contenders, args.quick, &status);
        show(table::workload(&rows))?;
        let fast: Vec<&Row> = rows.rows.iter().filter(|row| row.failure.is_none() && row.seconds < 1.0).collect();
        let longer = (index + 1 == workloads::COUNT && !args.quick).then(|| longer_pi(&contenders, &fast, &status)).flatten();
        comparison.workloads.push(rows);
        if let Some(rows) = longer {
            show(table::workload(&rows))?;
            comparison.workloads.push(rows);
        }
    }
    status.finish_and_clear();
    comparison.ok = comparison.workloads.iter().all(|workload| workload.rows.iter().all(|row| row.ok));
    if args.json {
        print_json(&comparison)?;
    } else {
        print(table::verdict(&comparison))?;
    }
    if let Some(folder) = &args.report {
        let path = folder.join("report.json");
        std::fs::write(&path, json(&comparison)? + "\n").map_err(|error| Failure::file(&path, crate::npy::reason(&error)))?;
        chart::draw(&comparison, folder)?;
        if !args.json {
            print(format_args!("Written: {0}/report.json, {0}/chart.svg, {0}/chart.png\n", folder.display()))?;
        }
    }
    Ok(if comparison.ok { Outcome::Done } else { Outcome::Incomplete })
}

/// One CPU thread, the CPU, the GPUs, and all together; or those that were asked for, after one CPU thread.
fn contenders(args: &CompareArgs) -> Result<Vec<Contender>> {
    let mut ids = vec![BASELINE.to_string()];
    if args.device.is_empty() {
        let devices: Vec<DeviceInfo> = unisono::devices().into_iter().map(|device| device.info).collect();
        let hardware = devices.iter().any(|info| info.class.is_hardware_gpu());
        let shown = |info: &&DeviceInfo| info.class != DeviceClass::SoftwareGpu || args.software || !hardware;
        let threads = devices.iter().find(|info| info.class == DeviceClass::Cpu).map_or(1, |info| info.threads);
        let mut singles: Vec<String> = devices.iter().filter(shown).map(|info| info.id.clone()).collect();
        let together = singles.join("+");
        let several = singles.len() > 1;
        if threads == 1 {
            singles.retain(|id| id != "cpu");
        }
        ids.extend(singles);
        if several {
            ids.push(together);
        }
    } else {
        ids.extend(args.device.iter().filter(|id| *id != BASELINE).cloned());
    }
    let opened = ids.into_iter().map(|id| match crate::open(&id) {
        // No device is called so; one that is not there is a row that says it.
        Err(error @ Error::Invalid { .. }) => Err(error.into()),
        backend => Ok(Contender { id, backend }),
    });
    opened.collect()
}

fn device_row(info: DeviceInfo) -> DeviceRow {
    let DeviceInfo { id, name, class, backend, driver, .. } = info;
    DeviceRow { id, name, class: class.to_string(), backend, driver }
}

fn compare(workload: &mut dyn Workload, contenders: &[Contender], quick: bool, status: &ProgressBar) -> WorkloadRow {
    let mut rows: Vec<Row> = Vec::with_capacity(contenders.len());
    for contender in contenders {
        status.set_message(format!("{} on {}", workload.title(), contender.id));
        let row = contender.backend.clone().and_then(|backend| measure(workload, &backend, quick));
        let mut row = row.unwrap_or_else(|error| Row { failure: Some(error.to_string()), ..Row::default() });
        row.device = contender.id.clone();
        if row.failure.is_none() {
            // Without an answer of the CPU there is nothing to be identical with, and that is reported there.
            let base = rows.first().filter(|base| base.failure.is_none());
            row.identical = base.is_none_or(|base| row.checksum == base.checksum);
            row.speedup = base.map_or(row.seconds, |base| base.seconds) / row.seconds;
            row.ok = row.error_over_bound <= 1.0 && (row.identical || workload.promise() == Promise::Bounded);
        }
        rows.push(row);
    }
    WorkloadRow {
        key: workload.key(),
        title: workload.title(),
        unit: workload.unit(),
        units: workload.units(),
        promised_identical: workload.promise() == Promise::Identical,
        rows,
    }
}

fn measure(workload: &mut dyn Workload, backend: &Backend, quick: bool) -> unisono::Result<Row> {
    let budget = if quick {
        Budget { runs: 3, time: Duration::from_millis(250) }
    } else {
        Budget { runs: 7, time: Duration::from_secs(5) }
    };
    let Timing { first, median, runs } = time(budget, || workload.run(backend))?;
    let answer = workload.answer();
    let class = backend.info().class;
    let mut resident = None;
    // Software GPUs compute in host memory anyway.
    let on_device = class.is_hardware_gpu() || (class == DeviceClass::SoftwareGpu && !quick);
    if on_device && let Some(work) = workload.resident(backend)? {
        resident = Some(time(budget, work)?.median.as_secs_f64());
    }
    let seconds = median.as_secs_f64().max(1e-9);
    Ok(Row {
        first_seconds: first.as_secs_f64(),
        seconds,
        runs,
        throughput: workload.units() / seconds,
        resident_seconds: resident,
        checksum: format!("{:016x}", answer.checksum),
        answer: answer.text,
        error_over_bound: answer.error,
        ..Row::default()
    })
}

/// π with so many samples that the fastest devices take about a second: their throughput without the cost of starting.
fn longer_pi(contenders: &[Contender], fast: &[&Row], status: &ProgressBar) -> Option<WorkloadRow> {
    let fastest = fast.iter().map(|row| row.throughput).fold(0.0, f64::max);
    if fastest == 0.0 {
        return None;
    }
    let samples = ((1.5 * fastest) as u64).next_multiple_of(1_000_000_000);
    let mut workload = Pi::new(samples);
    let mut rows = Vec::new();
    for row in fast {
        let contender = contenders.iter().find(|contender| contender.id == row.device)?;
        // Those that would take long have shown what they can.
        if samples as f64 / row.throughput > 10.0 {
            continue;
        }
        status.set_message(format!("{} on {}", workload.title(), contender.id));
        let once = contender.backend.clone().and_then(|backend| measure(&mut workload, &backend, true));
        let mut longer = once.unwrap_or_else(|error| Row { failure: Some(error.to_string()), ..Row::default() });
        longer.device = row.device.clone();
        longer.speedup = longer.throughput * row.speedup / row.throughput;
        let base = rows.first().map_or_else(|| longer.checksum.clone(), |base: &Row| base.checksum.clone());
        longer.identical = longer.failure.is_none() && longer.checksum == base;
        longer.ok = longer.identical && longer.error_over_bound <= 1.0;
        rows.push(longer);
    }
    Some(WorkloadRow {
        key: "pi-long",
        title: format!("{} (throughput)", workload.title()),
        unit: workload.unit(),
        units: workload.units(),
        promised_identical: true,
        rows,
    })
}
