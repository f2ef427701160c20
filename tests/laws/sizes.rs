//! Reductions of more elements than 32 bits count, in chunks that are used again: nothing but the counts is large.

use std::time::Instant;

use unisono::{AsOperand, Backend, HostVec, ReduceOp};

use crate::devices;

/// Elements of a chunk.
const CHUNK: usize = 1 << 25;

/// Reduces chunks of ones, and between them and behind them some other elements, to more than `least` elements.
fn check(backend: &Backend, op: ReduceOp, least: u64) {
    let started = Instant::now();
    let ones = backend.upload(&vec![1u8; CHUNK]).unwrap();
    let odd: [u8; 5] = [1, 0, 1, 200, 200];
    let mut all = backend.chunked(&unisono::Reduce::of(op));
    let chunks = least / CHUNK as u64 + 1;
    for _ in 0..chunks {
        all.push(&ones.as_operand()).unwrap();
    }
    // Twice: the first of equal extremes counts.
    all.push(&odd.as_operand()).unwrap();
    all.push(&odd.as_operand()).unwrap();
    let before = chunks * CHUNK as u64;
    assert!(before > least);
    let wanted = match op {
        ReduceOp::Sum => before + 2 * 402,
        ReduceOp::CountNonzero => before + 2 * 4,
        ReduceOp::ArgMin => before + 1,
        _ => before + 3,
    };
    assert_eq!(all.finish().unwrap().into_host().unwrap(), HostVec::U64(vec![wanted]), "{op} on {backend:?}");
    println!("{op} of {before} elements on {backend:?}: {:.1} s", started.elapsed().as_secs_f64());
}

fn gpus() -> impl Iterator<Item = &'static Backend> {
    devices::all().iter().filter(|backend| backend.info().id.starts_with("gpu") && backend.members().is_empty())
}

const OPS: [ReduceOp; 4] = [ReduceOp::Sum, ReduceOp::CountNonzero, ReduceOp::ArgMin, ReduceOp::ArgMax];

#[test]
fn indices_and_counts_beyond_32_bits_on_the_cpu() {
    OPS.into_iter().for_each(|op| check(&Backend::cpu(), op, 1 << 32));
}

/// Indices that no i32 holds.
#[test]
fn indices_beyond_31_bits_on_a_gpu() {
    if let Some(backend) = gpus().next() {
        check(backend, ReduceOp::ArgMax, 1 << 31);
    }
}

/// A minute or two on software GPUs: `cargo test --test laws -- --ignored sizes`.
#[test]
#[ignore = "four times 2^32 elements on every GPU"]
fn indices_and_counts_beyond_32_bits_on_gpus() {
    for backend in gpus() {
        OPS.into_iter().for_each(|op| check(backend, op, 1 << 32));
    }
}
