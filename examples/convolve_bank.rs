//! The classic exercise: 100 random 10×10 kernels over a 1000×1000 image, all of the full result.
//!
//! Where a course would write `Pool(4).starmap(convolve2d, …)`, this is one call. The integers are convolved exactly, so
//! one thread, all threads and every GPU give the same bits.
//!
//! `cargo run --release --example convolve_bank -- --device cpu`

use std::time::Instant;

use clap::Parser;
use ndarray::{Array2, Array3, Ix3, s};
use unisono::{Backend, Convolve, Result};

#[derive(Parser)]
struct Args {
    #[arg(long, default_value = "auto")]
    device: String,
    #[arg(long, default_value_t = 100)]
    kernels: usize,
    #[arg(long, default_value_t = 1000)]
    size: usize,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let backend: Backend = args.device.parse()?;
    let mut random = random();
    let image = Array2::from_shape_simple_fn((args.size, args.size), || random(100));
    let kernels = Array3::from_shape_simple_fn((args.kernels, 10, 10), || random(100));
    let how = Convolve::d2().full();

    // The first call opens the pools and compiles the shaders; `_into` then reuses the result's memory.
    let mut result = backend.convolve(&image, &kernels, &how)?;
    let start = Instant::now();
    backend.convolve_into(&image, &kernels, &how, &mut result)?;
    let seconds = start.elapsed().as_secs_f64();
    let work = result.len() as f64 * 100.0;
    println!("{}: {:?} in {:.1} ms, {:.1} GMAC/s", backend.info().id, result.shape(), 1e3 * seconds, work / seconds / 1e9);

    // Exact: one thread gives the same integers.
    let few = kernels.slice(s![..args.kernels.min(3), .., ..]);
    let expected = Backend::cpu_threads(1)?.convolve(&image, &few, &how)?.into_ndarray::<Ix3>()?;
    let result = result.into_ndarray::<Ix3>()?;
    assert_eq!(result.slice(s![..expected.dim().0, .., ..]), expected);
    println!("identical to one CPU thread; the largest value is {}", backend.max(&result)?.item()?);
    Ok(())
}

/// Whole numbers below the argument, by Knuth's linear congruential generator.
fn random() -> impl FnMut(i64) -> i32 {
    let mut state = 42u64;
    move |below| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (((state >> 33) as i64) % below) as i32
    }
}
