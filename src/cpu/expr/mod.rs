//! Expressions on the CPU: an interpreter whose instructions work on blocks of elements.
//!
//! A block of [`LANES`] elements of every register fits the first-level cache, so that an instruction costs its arithmetic
//! and one dispatch per block; its loop is compiled once per SIMD level.

mod integrate;
mod machine;
mod map;

pub(super) use integrate::sums;
pub(super) use map::{partials, run};

/// Elements of a block.
const LANES: usize = 512;
