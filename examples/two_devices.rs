//! One batch over two devices, and the same bits as on one.
//!
//! Devices joined by `+` share every piece of work in proportion to their measured speed. Without a GPU, two halves of
//! the CPU stand in for them; `cpu:1+gpu:0`, `gpu:0+gpu:1`, `gpu:0+gpu:0` work the same way.
//!
//! `cargo run --release --example two_devices -- --device cpu+gpu:0`

use std::time::Instant;

use clap::Parser;
use ndarray::{Array3, ArrayD, IxDyn, array};
use unisono::{Backend, Boundary, Convolve, DeviceClass, Result};

#[derive(Parser)]
struct Args {
    /// Devices joined by `+`, or `all`; by default all of them if there is a GPU, else two CPU threads as two devices
    #[arg(long)]
    device: Option<String>,
    /// Frames of the batch
    #[arg(long, default_value_t = 64)]
    frames: usize,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let has_gpu = unisono::devices().iter().any(|device| device.info.class.is_hardware_gpu());
    let device = args.device.as_deref().unwrap_or(if has_gpu { "all" } else { "cpu:1+cpu:1" });
    let together: Backend = device.parse()?;

    let frames = Array3::from_shape_fn((args.frames, 480, 640), |(t, y, x)| ((x * x + 3 * y * t) % 251) as i16);
    let laplace = array![[0i16, 1, 0], [1, -4, 1], [0, 1, 0]];
    let how = Convolve::d2().same().boundary(Boundary::Reflect);
    let run = |backend: &Backend| -> Result<(f64, ArrayD<i16>)> {
        let mut out = ArrayD::zeros(IxDyn(frames.shape()));
        backend.convolve_into(&frames, &laplace, &how, &mut out)?; // measures the members' speed
        let start = Instant::now();
        backend.convolve_into(&frames, &laplace, &how, &mut out)?;
        Ok((1e3 * start.elapsed().as_secs_f64(), out))
    };

    let (time, result) = run(&together)?;
    println!("{:12} {time:>8.2} ms", together.info().id);
    if together.info().class == DeviceClass::Several {
        for member in together.members() {
            let (counters, info) = (member.counters(), member.info());
            println!("  {:10} {:>14} multiply-adds in {} parts ({})", info.id, counters.work, counters.operations, info.name);
        }
    }
    for member in together.members() {
        let (time, alone) = run(&member)?;
        assert_eq!(alone, result, "{} differs", member.info().id);
        println!("{:12} {time:>8.2} ms alone, same bits", member.info().id);
    }
    Ok(())
}
