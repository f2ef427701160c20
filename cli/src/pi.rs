//! `unisono pi`.

use std::time::{Duration, Instant};

use serde::Serialize;
use unisono::{Control, Error, Goal, MonteCarlo, MonteCarloState, PiMethod};

use crate::args::PiArgs;
use crate::failure::{Outcome, Result};
use crate::output::{duration, grouped, metric, print, print_json};
use crate::{interrupt, progress};

#[derive(Serialize)]
struct Report {
    device: String,
    method: &'static str,
    bits: u32,
    seed: u64,
    samples: u64,
    resumed: u64,
    hits: u64,
    estimate: f64,
    standard_error: f64,
    interval95: [f64; 2],
    bias: f64,
    equivalent_samples: f64,
    error: f64,
    seconds: f64,
    samples_per_second: f64,
    interrupted: bool,
}

pub fn run(args: &PiArgs) -> Result<Outcome> {
    let control = Control::new();
    let backend = crate::backend(&args.common)?.with_control(&control);
    let how = MonteCarlo::pi().method(args.method).seed(args.seed);
    let mut state = MonteCarloState::new(&args.bits.map_or(how, |bits| how.bits(bits)))?;
    let saved = args.checkpoint.as_deref().map(MonteCarloState::load_if_there).transpose()?.flatten();
    let resumed = saved.as_ref().map_or(0, MonteCarloState::samples);
    interrupt::cancels(&control)?;
    let samples = args.samples.unwrap_or(if args.method == PiMethod::Sobol { 1 << 30 } else { 1_000_000_000 });
    let goal = args.standard_error.map_or(Goal::Samples(0..samples), Goal::StandardError);
    // How many there will be is known once the work is planned.
    let bar = progress::bar(0, "samples", args.common.json);
    let start = Instant::now();
    let done = progress::follow(&bar, &control, || match &args.checkpoint {
        None => backend.extend(&mut state, goal.clone()),
        Some(file) => backend.extend_saved(&mut state, goal.clone(), file, Duration::from_secs(args.checkpoint_every)),
    });
    let interrupted = matches!(done, Err(Error::Cancelled { .. }));
    if !interrupted {
        done?;
    }
    let pi = state.estimate();
    bar.finish_and_clear();
    let seconds = start.elapsed();
    let rate = (pi.samples - resumed) as f64 / seconds.as_secs_f64();
    let interval95 = pi.confidence_interval(0.95)?;
    let device = backend.info().id;
    let outcome = if interrupted { Outcome::Interrupted } else { Outcome::Done };
    if args.common.json {
        print_json(&Report {
            device,
            method: pi.method().name(),
            bits: pi.bits(),
            seed: args.seed,
            samples: pi.samples,
            resumed,
            hits: pi.hits,
            estimate: pi.estimate,
            standard_error: pi.standard_error,
            interval95,
            bias: pi.bias(),
            equivalent_samples: pi.equivalent_samples(),
            error: pi.estimate - std::f64::consts::PI,
            seconds: seconds.as_secs_f64(),
            samples_per_second: rate,
            interrupted,
        })?;
        return Ok(outcome);
    }
    let mut text = String::new();
    if interrupted {
        let of = args.standard_error.map_or_else(|| format!("of {} samples", grouped(samples)), |_| "samples".into());
        text += &format!("interrupted after {} {of}\n", grouped(pi.samples));
    }
    if resumed > 0 {
        text += &format!("resumed after {} samples\n", grouped(resumed));
    }
    if pi.samples == 0 {
        return print(&text).map(|()| outcome);
    }
    let digits = if pi.standard_error < 1e-7 { 11 } else { 8 };
    let equivalent = match args.method {
        PiMethod::Plain => String::new(),
        _ => format!("  as good as      {:.2e} plain samples\n", pi.equivalent_samples()),
    };
    text += &format!(
        "π ≈ {}\n  standard error  {:.2e}\n  95 % interval   {:.digits$} … {:.digits$}\n  bias            {:.2e}\n{equivalent}  hits            {} of {} points\n  samples         {}, {}, {} bits\n  seed            {}\n  device          {device}\n  time            {}, {}samples/s\n",
        pi.estimate,
        pi.standard_error,
        interval95[0],
        interval95[1],
        pi.bias(),
        grouped(pi.hits),
        grouped(pi.samples.saturating_mul(pi.method().points())),
        grouped(pi.samples),
        pi.method(),
        pi.bits(),
        args.seed,
        duration(seconds),
        metric(rate),
    );
    print(&text).map(|()| outcome)
}
