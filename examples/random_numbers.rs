//! The same random numbers on every device, from any place of a stream, and what becomes of them without leaving the device.
//!
//! `cargo run --release --example random_numbers -- --numbers 50000000`

use std::time::Instant;

use clap::Parser;
use unisono::random::{BitGenerator, Random, Stream};
use unisono::{Backend, Result};

#[derive(Parser)]
struct Args {
    #[arg(long, default_value_t = 20_000_000)]
    numbers: usize,
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// philox4x32-10, philox4x32-7 or threefry4x32-20
    #[arg(long, default_value = "philox4x32-10")]
    generator: BitGenerator,
    /// One device instead of all
    #[arg(long)]
    device: Option<String>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let devices = match args.device {
        Some(device) => vec![device],
        None => unisono::devices().into_iter().map(|device| device.info.id).collect(),
    };
    let stream = Stream::new(args.seed).generator(args.generator);
    let noise = Random::normal(0.0, 1.0).stream(stream);
    // The last sixteen, without the ones before: element i of a float32 array is made of word i, and a block has four words.
    let tail = args.numbers.saturating_sub(16) / 4 * 4;
    let expected = Backend::cpu().random::<f32>(&noise.start(tail as u64 / 4), &[args.numbers - tail])?.into_vec()?;
    println!("{:10} {:>10} {:>12}  {:>14} {:>14}", "device", "time", "numbers/s", "mean", "largest");
    for device in devices {
        let backend: Backend = device.parse()?;
        let mut numbers = backend.random::<f32>(&noise, &[args.numbers])?; // threads, shaders and memory are made ready
        let start = Instant::now();
        backend.random_into(&noise, &mut numbers)?;
        let (mean, largest) = (backend.mean(&numbers)?.item()?, backend.max(&numbers)?.item()?);
        let seconds = start.elapsed().as_secs_f64();
        assert_eq!(numbers.into_vec()?[tail..], expected, "{device} draws other numbers");
        let rate = args.numbers as f64 / seconds;
        println!("{device:10} {:>7.1} ms {rate:>12.3e}  {mean:>14.7e} {largest:>14.7}", 1e3 * seconds);
    }
    println!("the same bits on every device, drawn from the start or from the middle");
    Ok(())
}
