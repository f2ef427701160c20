//! `unisono integrate`.

use std::time::Instant;

use serde::Serialize;
use unisono::{Control, Integrate};

use crate::args::IntegrateArgs;
use crate::failure::{Outcome, Result};
use crate::output::{duration, grouped, metric, print, print_json};
use crate::{interrupt, progress};

#[derive(Serialize)]
struct Report<'a> {
    device: String,
    expression: &'a str,
    seed: u64,
    samples: u64,
    estimate: f64,
    standard_error: f64,
    interval95: [f64; 2],
    converged: bool,
    seconds: f64,
    samples_per_second: f64,
}

pub fn run(args: &IntegrateArgs) -> Result<Outcome> {
    let bounds: Vec<_> = args.bounds.iter().map(|(name, from, to)| (name.as_str(), *from, *to)).collect();
    let mut how = Integrate::new(&args.expression, &bounds)?
        .samples(args.samples)
        .seed(args.seed)
        .dtype(args.dtype)
        .absolute_error(args.error)
        .relative_error(args.relative_error);
    for (name, value) in &args.param {
        how = how.param(name, *value);
    }
    let control = Control::new();
    let backend = crate::open(&args.common.device)?.with_control(&control);
    interrupt::cancels(&control)?;
    let bar = progress::bar(args.samples, "samples", args.common.json);
    let start = Instant::now();
    let integral = progress::follow(&bar, &control, || backend.integrate(&how));
    bar.finish_and_clear();
    let (integral, seconds) = (integral?, start.elapsed());
    let interval = integral.interval(0.95)?;
    let rate = integral.samples as f64 / seconds.as_secs_f64();
    let device = backend.info().id;
    if args.common.json {
        print_json(&Report {
            device,
            expression: &args.expression,
            seed: args.seed,
            samples: integral.samples,
            estimate: integral.estimate,
            standard_error: integral.standard_error,
            interval95: [interval.start, interval.end],
            converged: integral.converged,
            seconds: seconds.as_secs_f64(),
            samples_per_second: rate,
        })?;
    } else {
        let reached = if integral.converged { "" } else { " (the target error was not reached)" };
        print(&format!(
            "∫ ≈ {}\n  standard error  {:.2e}{reached}\n  95 % interval   {} … {}\n  samples         {}\n  seed            {}\n  device          {device}\n  time            {}, {}samples/s\n",
            integral.estimate,
            integral.standard_error,
            interval.start,
            interval.end,
            grouped(integral.samples),
            args.seed,
            duration(seconds),
            metric(rate),
        ))?;
    }
    Ok(if integral.converged { Outcome::Done } else { Outcome::Incomplete })
}
