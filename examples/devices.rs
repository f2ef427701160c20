//! Every device, and what `auto` makes of it.
//!
//! `cargo run --release --example devices -- --device gpu:0` opens one and shows what it can do.

use clap::Parser;
use unisono::{Backend, Result};

#[derive(Parser)]
struct Args {
    /// auto, cpu, cpu:4, gpu:0, gpu:NVIDIA, cpu+gpu:0, all …
    #[arg(long, default_value = "auto")]
    device: String,
}

fn main() -> Result<()> {
    let args = Args::parse();
    for device in unisono::devices() {
        let mark = if device.auto { "✓" } else { " " };
        println!("{mark} {:8} {:13} {}: {}", device.info.id, device.info.class.to_string(), device.info.name, device.reason);
    }

    let backend: Backend = args.device.parse()?;
    let info = backend.info();
    println!("\n{:?} opened {}: {} ({}, {})", args.device, info.id, info.name, info.backend, info.driver);
    println!("  default f64 convolution: {}; 64-bit integers in shaders: {}", info.f64, info.int64);
    for warning in &info.warnings {
        println!("  warning: {warning}");
    }
    for member in backend.members() {
        println!("  member {}: {}", member.info().id, member.info().name);
    }
    println!("  for 10^4 samples: {}", backend.explain_pi(10_000));
    println!("  for 10^12 samples: {}", backend.explain_pi(1_000_000_000_000));
    Ok(())
}
