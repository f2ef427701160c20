//! The comparison as text.

use super::{Comparison, Row, WorkloadRow};
use crate::output::{metric, times};

/// The title and the devices.
pub fn head(comparison: &Comparison) -> String {
    let mut text = format!("unisono {}: the same work on every device\n", comparison.version);
    if comparison.quick {
        text += "Quick: small sizes, on which starting a device weighs more than its speed; run without --quick for real ones.\n";
    }
    text.push('\n');
    let width = comparison.devices.iter().map(|device| device.id.chars().count()).max().unwrap_or(0);
    for device in &comparison.devices {
        let through =
            if device.driver.is_empty() { device.backend.clone() } else { format!("{}, {}", device.backend, device.driver) };
        text += &format!("  {:width$}  {} ({}; {through})\n", device.id, device.name, device.class);
    }
    text
}

/// The rows of one workload.
pub fn workload(workload: &WorkloadRow) -> String {
    let last = if workload.promised_identical { "identical" } else { "error / bound" };
    let mut lines =
        vec![["device", "time", "first call", "on device", "throughput", "speed-up", "checksum", last].map(String::from)];
    let mut notes = Vec::new();
    for row in &workload.rows {
        match &row.failure {
            Some(failure) => notes.push(format!("  {}: ✗ {failure}\n", row.device)),
            None => lines.push(cells(row, workload)),
        }
    }
    let mut text = format!("\n{}\n", workload.title);
    let widths: Vec<usize> = (0..8).map(|i| lines.iter().map(|line| line[i].chars().count()).max().unwrap_or(0)).collect();
    for line in &lines {
        let mut row = String::new();
        for (i, (cell, &width)) in line.iter().zip(&widths).enumerate() {
            // Names and marks to the left, numbers to the right.
            row += &if matches!(i, 0 | 6 | 7) { format!("  {cell:width$}") } else { format!("  {cell:>width$}") };
        }
        text += row.trim_end();
        text.push('\n');
    }
    text + &notes.concat()
}

fn cells(row: &Row, workload: &WorkloadRow) -> [String; 8] {
    let seconds = |s: f64| metric(s) + "s";
    let mark = if row.ok { "✓" } else { "✗" };
    let last = if !workload.promised_identical {
        format!("{mark} {:.1e}{}", row.error_over_bound, if row.identical { ", same bits" } else { "" })
    } else if row.ok || !row.identical {
        format!("{mark} {}", row.answer.as_deref().unwrap_or("")).trim_end().to_string()
    } else {
        format!("{mark} identical but wrong {}", row.answer.as_deref().unwrap_or(""))
    };
    [
        row.device.clone(),
        seconds(row.seconds),
        seconds(row.first_seconds),
        row.resident_seconds.map_or("–".into(), seconds),
        metric(row.throughput) + workload.unit,
        times(row.speedup),
        row.checksum.clone(),
        last,
    ]
}

/// What came out.
pub fn verdict(comparison: &Comparison) -> String {
    let rows = || comparison.workloads.iter().flat_map(|workload| workload.rows.iter().map(move |row| (workload, row)));
    let mut text = String::from("\n");
    let failed = rows().filter(|(_, row)| row.failure.is_some()).count();
    let broken: Vec<String> = rows()
        .filter(|(_, row)| row.failure.is_none() && !row.ok)
        .map(|(workload, row)| format!("  {} on {}\n", workload.title, row.device))
        .collect();
    if broken.is_empty() {
        text += "✓ Every answer that is promised to be identical is, and every error is within its bound.\n";
    } else {
        text += &format!("✗ A promise is broken:\n{}", broken.concat());
    }
    if failed > 0 {
        let s = if failed == 1 { "" } else { "s" };
        text += &format!("✗ {failed} run{s} failed, see above.\n");
    }
    text + "Times: median, from data in host memory to the answer in host memory; speed-up: over one CPU thread.\n"
}
