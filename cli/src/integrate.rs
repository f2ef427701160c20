//! `unisono integrate`.

use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;
use unisono::{Control, Error, IntegralMethod, IntegralState, Integrate};

use crate::args::{IntegrateArgs, once};
use crate::failure::{Failure, Outcome, Result};
use crate::output::{duration, grouped, metric, print, print_json};
use crate::{interrupt, progress};

#[derive(Serialize)]
struct Report<'a> {
    device: String,
    expression: &'a str,
    method: &'static str,
    seed: u64,
    samples: u64,
    resumed: u64,
    estimate: f64,
    standard_error: f64,
    interval95: [f64; 2],
    chi2_per_dof: Option<f64>,
    converged: bool,
    interrupted: bool,
    seconds: f64,
    samples_per_second: f64,
}

/// The text of a file.
fn read(file: &str) -> Result<String> {
    std::fs::read_to_string(file).map_err(|error| Failure::file(Path::new(file), error))
}

pub fn run(args: &IntegrateArgs) -> Result<Outcome> {
    once(&args.param)?;
    let bounds: Vec<_> = args.bounds.iter().map(|(name, from, to)| (name.as_str(), *from, *to)).collect();
    let how = match args.wgsl {
        true => Integrate::wgsl(&read(&args.expression)?, &bounds),
        false => Integrate::new(&args.expression, &bounds)?,
    };
    let mut how = how
        .samples(args.samples.unwrap_or(if args.method == IntegralMethod::Sobol { 1 << 23 } else { 10_000_000 }))
        .seed(args.seed)
        .method(args.method)
        .dtype(args.dtype)
        .absolute_error(args.absolute_error)
        .relative_error(args.relative_error);
    for (name, value) in &args.param {
        how = how.param(name, *value);
    }
    if let Some(round) = args.round {
        how = how.round(round);
    }
    let control = Control::new();
    let backend = crate::backend(&args.common)?.with_control(&control);
    let mut state = IntegralState::new(&how)?;
    let saved = args.checkpoint.as_deref().map(IntegralState::load_if_there).transpose()?.flatten();
    let resumed = saved.as_ref().map_or(0, IntegralState::samples);
    interrupt::cancels(&control)?;
    // How many there will be is known once the work is planned.
    let bar = progress::bar(0, "samples", args.common.json);
    let start = Instant::now();
    let done = progress::follow(&bar, &control, || match &args.checkpoint {
        None => backend.integrate_into(&how, &mut state),
        Some(file) => backend.integrate_saved(&how, &mut state, file, Duration::from_secs(args.checkpoint_every)),
    });
    bar.finish_and_clear();
    let interrupted = matches!(done, Err(Error::Cancelled { .. }));
    let integral = if interrupted { state.integral() } else { done? };
    let seconds = start.elapsed();
    let interval = integral.interval(0.95)?;
    let rate = (state.samples() - resumed.min(state.samples())) as f64 / seconds.as_secs_f64();
    let device = backend.info().id;
    if args.common.json {
        print_json(&Report {
            device,
            expression: &args.expression,
            method: args.method.name(),
            seed: args.seed,
            samples: integral.samples,
            resumed,
            estimate: integral.estimate,
            standard_error: integral.standard_error,
            interval95: [interval.start, interval.end],
            chi2_per_dof: integral.chi2_per_dof,
            converged: integral.converged && !interrupted,
            interrupted,
            seconds: seconds.as_secs_f64(),
            samples_per_second: rate,
        })?;
    } else {
        let mut text = String::new();
        if interrupted {
            text += &format!("interrupted after {} samples\n", grouped(state.samples()));
        }
        if resumed > 0 {
            text += &format!("resumed after {} samples\n", grouped(resumed));
        }
        if integral.samples == 0 {
            return print(&text).map(|()| if interrupted { Outcome::Interrupted } else { Outcome::Done });
        }
        let reached = if integral.converged { "" } else { " (the target error was not reached)" };
        let chi2 = integral.chi2_per_dof.map_or_else(String::new, |chi2| format!("  χ² per dof      {chi2:.2}\n"));
        text += &format!(
            "∫ ≈ {}\n  standard error  {:.2e}{reached}\n  95 % interval   {} … {}\n{chi2}  samples         {}\n  seed            {}\n  device          {device}\n  time            {}, {}samples/s\n",
            integral.estimate,
            integral.standard_error,
            interval.start,
            interval.end,
            grouped(integral.samples),
            args.seed,
            duration(seconds),
            metric(rate),
        );
        print(&text)?;
    }
    Ok(match (interrupted, integral.converged) {
        (true, _) => Outcome::Interrupted,
        (false, true) => Outcome::Done,
        (false, false) => Outcome::Incomplete,
    })
}
