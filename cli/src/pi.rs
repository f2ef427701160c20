//! `unisono pi`.

use std::time::Instant;

use serde::Serialize;
use unisono::{Control, Error, Pi};

use crate::args::PiArgs;
use crate::failure::{Outcome, Result};
use crate::output::{duration, grouped, metric, print, print_json};
use crate::{interrupt, progress};

#[derive(Serialize)]
struct Report {
    device: String,
    seed: u64,
    samples: u64,
    hits: u64,
    estimate: f64,
    standard_error: f64,
    interval95: [f64; 2],
    error: f64,
    seconds: f64,
    samples_per_second: f64,
    interrupted: bool,
}

/// How long one range of samples should take: what Ctrl-C can lose.
const SLICE_SECONDS: f64 = 0.3;

pub fn run(args: &PiArgs) -> Result<Outcome> {
    let control = Control::new();
    let backend = crate::open(&args.common.device)?.with_control(&control);
    interrupt::cancels(&control)?;
    let bar = progress::bar(args.samples, "samples", args.common.json);
    let start = Instant::now();
    let mut pi = Pi::from_counts(0, 0);
    progress::follow(&bar, &control, || -> Result<()> {
        let mut slice: u64 = 1 << 22;
        while pi.samples < args.samples && !control.is_cancelled() {
            let (began, end) = (Instant::now(), args.samples.min(pi.samples.saturating_add(slice)));
            match backend.pi_range(pi.samples..end, args.seed) {
                Ok(part) => pi = pi.merge(part),
                Err(Error::Cancelled { .. }) => break,
                Err(error) => return Err(error.into()),
            }
            // Towards slices of the wanted length, at most eight times the last: the first calls are not typical.
            let growth = SLICE_SECONDS / began.elapsed().as_secs_f64().max(1e-6);
            slice = ((slice as f64 * growth.clamp(0.125, 8.0)) as u64).clamp(1 << 16, 1 << 40) & !0xffff;
        }
        Ok(())
    })?;
    bar.finish_and_clear();
    let seconds = start.elapsed();
    let interrupted = pi.samples < args.samples;
    let rate = pi.samples as f64 / seconds.as_secs_f64();
    let half = 1.96 * pi.standard_error;
    let interval95 = [pi.estimate - half, pi.estimate + half];
    let device = backend.info().id;
    if args.common.json {
        print_json(&Report {
            device,
            seed: args.seed,
            samples: pi.samples,
            hits: pi.hits,
            estimate: pi.estimate,
            standard_error: pi.standard_error,
            interval95,
            error: pi.estimate - std::f64::consts::PI,
            seconds: seconds.as_secs_f64(),
            samples_per_second: rate,
            interrupted,
        })?;
        return Ok(Outcome::Done);
    }
    let mut text = String::new();
    if interrupted {
        text += &format!("interrupted after {} of {} samples\n", grouped(pi.samples), grouped(args.samples));
    }
    if pi.samples == 0 {
        return print(&text).map(|()| Outcome::Done);
    }
    text += &format!(
        "π ≈ {}\n  standard error  {:.2e}\n  95 % interval   {:.8} … {:.8}\n  hits            {} of {}\n  seed            {}\n  device          {device}\n  time            {}, {}samples/s\n",
        pi.estimate,
        pi.standard_error,
        interval95[0],
        interval95[1],
        grouped(pi.hits),
        grouped(pi.samples),
        args.seed,
        duration(seconds),
        metric(rate),
    );
    print(&text).map(|()| Outcome::Done)
}
