//! An integral with an error bar: the error falls as 1/√n, and every device computes the same sums.
//!
//! `cargo run --release --example integrate -- "exp(-(x*x + y*y))" x=0:1 y=0:1 --device auto`

use std::time::Instant;

use clap::Parser;
use unisono::{Backend, Integral, IntegralSums, Integrate, Result};

#[derive(Parser)]
struct Args {
    /// The integrand
    #[arg(default_value = "exp(-(x*x + y*y + z*z + w*w))")]
    expression: String,
    /// The box: NAME=FROM:TO for every coordinate
    #[arg(default_values = ["x=0:1", "y=0:1", "z=0:1", "w=0:1"])]
    bounds: Vec<String>,
    #[arg(long, default_value_t = 1 << 24)]
    samples: u64,
    #[arg(long, default_value_t = 42)]
    seed: u64,
    #[arg(long, default_value = "auto")]
    device: String,
}

fn bound(text: &str) -> Option<(&str, f64, f64)> {
    let (name, range) = text.split_once('=')?;
    let (from, to) = range.split_once(':')?;
    Some((name, from.parse().ok()?, to.parse().ok()?))
}

fn main() -> Result<()> {
    let args = Args::parse();
    let Some(bounds) = args.bounds.iter().map(|text| bound(text)).collect::<Option<Vec<_>>>() else {
        eprintln!("bounds are NAME=FROM:TO, as in x=0:1");
        std::process::exit(2);
    };
    let backend: Backend = args.device.parse()?;
    let how = Integrate::new(&args.expression, &bounds)?.seed(args.seed).samples(args.samples);
    println!("{}", backend.explain_integrate(&how)?);
    let volume = bounds.iter().map(|(_, from, to)| to - from).product();
    let (mut sums, start) = (IntegralSums::default(), Instant::now());
    println!("{:>14} {:>18} {:>12}  95 % interval", "samples", "estimate", "error");
    while sums.count < args.samples {
        // Ranges of doubling length merge to the sums of one run.
        let end = args.samples.min((2 * sums.count).max(1 << 14));
        sums.merge(&backend.integrate_range(&how, sums.count..end)?);
        let integral = Integral::new(sums, volume);
        let interval = integral.interval(0.95)?;
        println!(
            "{end:>14} {:>18.10} {:>12.1e}  {:.8} … {:.8}",
            integral.estimate, integral.standard_error, interval.start, interval.end
        );
        sums = integral.sums;
    }
    println!("{:.3e} samples/s on {}", args.samples as f64 / start.elapsed().as_secs_f64(), backend.info().id);
    Ok(())
}
