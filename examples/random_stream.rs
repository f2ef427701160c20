//! The words of a generator as raw bytes, for statistical test batteries, in the order in which π and random arrays consume them.
//!
//! `cargo run --release --example random_stream -- --generator philox4x32-10 | dieharder -g 200 -a`
//!
//! What the battery said is in `docs/results/2026-11-27-random-quality.md`.

use std::io::{ErrorKind, Write};

use clap::Parser;
use unisono::random::{BitGenerator, Stream};

#[derive(Parser)]
struct Args {
    /// philox4x32-10, philox4x32-7 or threefry4x32-20
    #[arg(long, default_value = "philox4x32-10")]
    generator: BitGenerator,
    #[arg(long, default_value_t = 42)]
    seed: u64,
    #[arg(long, default_value_t = 0)]
    stream: u64,
    /// The bytes to write; without end if not given
    #[arg(long, default_value_t = u64::MAX)]
    bytes: u64,
    /// One of every so many blocks: what a part of a parallel run consumes
    #[arg(long, default_value_t = 1)]
    stride: u64,
}

fn main() -> std::io::Result<()> {
    let args = Args::parse();
    let stream = Stream::new(args.seed).generator(args.generator).with_stream(args.stream);
    let mut out = std::io::stdout().lock();
    let mut buffer = Vec::with_capacity(1 << 16);
    let (mut block, mut left) = (0u64, args.bytes);
    while left > 0 {
        buffer.clear();
        while buffer.len() < buffer.capacity() {
            buffer.extend(stream.block(block).iter().flat_map(|word| word.to_le_bytes()));
            block = block.wrapping_add(args.stride);
        }
        let len = left.min(buffer.len() as u64) as usize;
        match out.write_all(&buffer[..len]) {
            // Whoever tests has seen enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            done => done?,
        }
        left -= len as u64;
    }
    out.flush()
}
