//! The `unisono` command: convolution, exact reductions and Monte Carlo on every device.

mod args;
mod beside;
mod compare;
mod convolve;
mod devices;
mod erased;
mod failure;
mod histogram;
mod image_io;
mod integrate;
mod interrupt;
mod kernels;
mod labels;
mod map;
mod npy;
mod order;
mod output;
mod pi;
mod pipeline;
mod progress;
mod reduce;
mod sink;
mod size;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use failure::Outcome;

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Devices(args) => devices::run(&args),
        Command::Convolve(args) => convolve::run(&args),
        Command::Reduce(args) => reduce::run(&args),
        Command::Histogram(args) => histogram::run(&args),
        Command::Map(args) => map::run(&args),
        Command::Integrate(args) => integrate::run(&args),
        Command::Pi(args) => pi::run(&args),
        Command::Compare(args) => compare::run(&args),
    };
    match done {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Incomplete) => ExitCode::from(1),
        Ok(Outcome::Interrupted) => ExitCode::from(130),
        Err(failure) => failure.report(),
    }
}

/// The backend of a command: its device, with no more memory than `--memory` says.
fn backend(common: &args::Common) -> unisono::Result<unisono::Backend> {
    let backend = open(&common.device)?;
    Ok(common.memory.map_or_else(|| backend.clone(), |bytes| backend.with_memory_limit(bytes)))
}

/// The device of `--device`: `auto` listens to UNISONO_DEVICE, strictly.
fn open(device: &str) -> unisono::Result<unisono::Backend> {
    if device == "auto" { unisono::Backend::from_env() } else { device.parse() }
}
