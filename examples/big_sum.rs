//! The sum of 128 Mi numbers that never lie in memory together: chunks are summed one by one and their partials merged.
//!
//! The partial of a float sum is exact, so the bits do not depend on the chunks, their order or the device.
//!
//! `cargo run --release --example big_sum -- --elements 1000000000 --device cpu`

use std::time::Instant;

use clap::Parser;
use unisono::{Backend, ExactSum, Result};

#[derive(Parser)]
struct Args {
    #[arg(long, default_value_t = 128 << 20)]
    elements: u64,
    /// Elements per chunk
    #[arg(long, default_value_t = 8 << 20)]
    chunk: u64,
    #[arg(long, default_value = "auto")]
    device: String,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let backend: Backend = args.device.parse()?;
    let (start, mut total, mut naive) = (Instant::now(), ExactSum::new(), 0.0);
    let mut chunk: Vec<f64> = Vec::new();
    let mut at = 0;
    while at < args.elements {
        let end = (at + args.chunk.max(1)).min(args.elements);
        chunk.clear();
        chunk.extend((at..end).map(value));
        total.merge(&backend.exact_sum(&chunk)?);
        naive += chunk.iter().sum::<f64>();
        at = end;
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("{} elements in {:.2} s on {}", args.elements, seconds, backend.info().id);
    println!("exact: {:?}, one addition after the other: {naive:?}", total.to_f64());
    println!("mean:  {:?}", total.mean_f64(args.elements));

    // Any other cut gives the same bits.
    if args.elements <= 1 << 24 {
        let whole: Vec<f64> = (0..args.elements).map(value).collect();
        assert_eq!(backend.sum(&whole)?.item()?.to_bits(), total.to_f64().to_bits());
        println!("in one piece: the same bits");
    }
    Ok(())
}

/// Tenths, of which most are not what they seem in binary, with alternating signs of very different size.
fn value(i: u64) -> f64 {
    let tenth = i as f64 / 10.0;
    if i.is_multiple_of(3) { -1e9 * tenth } else { tenth }
}
