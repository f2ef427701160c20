//! Many jobs at once, collected as they finish; one is watched and cancelled.
//!
//! `Backend::submit` runs any work in the background and gives a handle: wait, poll, cancel, or `.await` it.
//!
//! `cargo run --release --example async_jobs -- --jobs 12 --device cpu`

use std::time::{Duration, Instant};

use clap::Parser;
use unisono::{Backend, Error, Job, Pi, Result};

#[derive(Parser)]
struct Args {
    #[arg(long, default_value_t = 8)]
    jobs: u64,
    #[arg(long, default_value_t = 20_000_000)]
    samples: u64,
    #[arg(long, default_value = "auto")]
    device: String,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let backend: Backend = args.device.parse()?;
    let (start, samples) = (Instant::now(), args.samples);

    // Job i draws the i-th stretch of the same samples, each longer than the one before.
    let stretch = move |i: u64| samples * (i * (i + 1) / 2)..samples * ((i + 1) * (i + 2) / 2);
    let mut jobs: Vec<(u64, Job<Pi>)> =
        (0..args.jobs).map(|i| (i, backend.submit(move |b| b.pi_range(stretch(i), 42)))).collect();

    let mut total = Pi::from_counts(0, 0);
    while !jobs.is_empty() {
        let Some(ready) = jobs.iter().position(|(_, job)| job.is_done()) else {
            std::thread::sleep(Duration::from_millis(1));
            continue;
        };
        let (i, job) = jobs.swap_remove(ready);
        let pi = job.wait()?;
        total = total.merge(pi)?;
        println!("{:>6.1} ms  job {i}: {:.6} from {} samples", 1e3 * start.elapsed().as_secs_f64(), pi.estimate, pi.samples);
    }
    println!("together: {:.7} ± {:.7}", total.estimate, total.standard_error);

    // A job that would run for hours tells how far it is, and stops when asked.
    let long = backend.submit(|b| b.pi(1_000_000_000_000_000, 42));
    if long.wait_timeout(Duration::from_millis(200))?.is_none() {
        println!("the long job is at {:.6} %; cancelled", 100.0 * long.progress().fraction());
        long.cancel();
    }
    match long.wait() {
        Err(Error::Cancelled { done, total }) => println!("it ended after {done} of {total} samples"),
        other => println!("it ended with {other:?}"),
    }
    Ok(())
}
