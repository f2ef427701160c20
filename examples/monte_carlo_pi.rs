//! π by Monte Carlo on 1, 2, … n threads and on every device: time falls, the estimate stays.
//!
//! Samples are addressed by their index, so the hits are the same wherever they are counted. Then every method with the same number
//! of samples: what its error is worth in plain samples.
//!
//! `cargo run --release --example monte_carlo_pi -- --samples 1000000000`

use std::time::Instant;

use clap::Parser;
use unisono::{Backend, MonteCarlo, PiMethod, Result};

#[derive(Parser)]
struct Args {
    #[arg(long, default_value_t = 200_000_000)]
    samples: u64,
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// One device instead of all
    #[arg(long)]
    device: Option<String>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let devices = match &args.device {
        Some(device) => vec![device.clone()],
        None => {
            let threads = Backend::cpu().info().threads;
            let gpus = unisono::devices().into_iter().map(|device| device.info.id).filter(|id| id != "cpu");
            (1..=threads).map(|n| format!("cpu:{n}")).chain(gpus).collect()
        }
    };
    println!("{:10} {:>10} {:>14} {:>9}  {:12} {:>14}", "device", "time", "samples/s", "speed-up", "π", "hits");
    let mut first: Option<(f64, u64)> = None;
    for device in &devices {
        let backend: Backend = device.parse()?;
        backend.pi(1 << 20, args.seed)?; // threads and shaders are made ready
        let start = Instant::now();
        let pi = backend.pi(args.samples, args.seed)?;
        let seconds = start.elapsed().as_secs_f64();
        let (base, hits) = *first.get_or_insert((seconds, pi.hits));
        assert_eq!(pi.hits, hits, "{device} counts other hits");
        let (rate, speedup) = (args.samples as f64 / seconds, base / seconds);
        println!("{device:10} {:>7.1} ms {rate:>14.3e} {speedup:>8.2}×  {:<12.9} {hits:>14}", 1e3 * seconds, pi.estimate);
        if device == &devices[0] {
            println!("{:10} standard error {:.1e}, off by {:.1e}", "", pi.standard_error, pi.estimate - std::f64::consts::PI);
        }
    }
    let backend: Backend = devices[devices.len() - 1].parse()?;
    println!(
        "\n{:10} {:>10} {:>14} {:>15} {:>16} {:>10}",
        "method", "time", "π", "standard error", "plain samples", "per second"
    );
    for method in PiMethod::ALL {
        let how = MonteCarlo::pi().method(method).bits(32).seed(args.seed);
        let start = Instant::now();
        let pi = backend.monte_carlo(&how, 0..args.samples)?;
        let (seconds, worth) = (start.elapsed().as_secs_f64(), pi.equivalent_samples());
        println!(
            "{:10} {:>7.1} ms {:>14.10} {:>15.1e} {worth:>16.3e} {:>10.1e}",
            method.name(),
            1e3 * seconds,
            pi.estimate,
            pi.standard_error,
            worth / seconds
        );
    }
    Ok(())
}
