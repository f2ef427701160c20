//! An integral with an error bar, by every method: how the error falls with the samples, the same on every device.
//!
//! `cargo run --release --example integrate -- "exp(-(x*x + y*y))" x=0:1 y=0:1 --method sobol --device auto`

use std::time::Instant;

use clap::Parser;
use unisono::{Backend, IntegralMethod, IntegralState, Integrate, Result};

#[derive(Parser)]
struct Args {
    /// The integrand
    #[arg(default_value = "exp(-(x*x + y*y + z*z + w*w))")]
    expression: String,
    /// The box: NAME=FROM:TO for every coordinate
    #[arg(default_values = ["x=0:1", "y=0:1", "z=0:1", "w=0:1"])]
    bounds: Vec<String>,
    /// plain, vegas or sobol; all of them by default
    #[arg(long)]
    method: Option<IntegralMethod>,
    #[arg(long, default_value_t = 1 << 22)]
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
    for method in IntegralMethod::ALL.into_iter().filter(|&method| args.method.is_none_or(|only| only == method)) {
        println!("\n{method}\n{:>14} {:>18} {:>12}  95 % interval", "samples", "estimate", "error");
        // The first round of importance sampling has 2^16 samples.
        let (how, mut end, start) = (how.clone().method(method), 1 << 16, Instant::now());
        let mut state = IntegralState::new(&how)?;
        loop {
            // What is there already is not drawn again.
            let integral = backend.integrate_into(&how.clone().samples(end.min(args.samples).max(1 << 16)), &mut state)?;
            let interval = integral.interval(0.95)?;
            println!(
                "{:>14} {:>18.10} {:>12.1e}  {:.8} … {:.8}",
                integral.samples, integral.estimate, integral.standard_error, interval.start, interval.end
            );
            if end >= args.samples {
                break;
            }
            end *= 4;
        }
        println!("{:.3e} samples/s on {}", state.samples() as f64 / start.elapsed().as_secs_f64(), backend.info().id);
    }
    Ok(())
}
