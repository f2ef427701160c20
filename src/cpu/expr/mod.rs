//! Expressions on the CPU: an interpreter whose instructions work on blocks of elements.
//!
//! A block of [`LANES`] elements of every register fits the first-level cache, so that an instruction costs its arithmetic
//! and one dispatch per block; its loop is compiled once per SIMD level.

mod double;
#[cfg(target_arch = "x86_64")]
mod exp;
#[cfg(target_arch = "x86_64")]
mod functions;
mod fuse;
mod grid;
mod integrate;
mod machine;
mod map;
#[cfg(target_arch = "x86_64")]
mod philox;
mod samples;
mod sobol;
#[cfg(target_arch = "x86_64")]
mod twice;
#[cfg(target_arch = "x86_64")]
mod words;

pub(super) use integrate::sums;
pub(super) use map::{partials, run};
pub(super) use samples::{Words, words};

/// Elements of a block.
pub(super) const LANES: usize = 512;
