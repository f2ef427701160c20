//! Random numbers addressed by counters: any number of any stream is a pure function of its place.
//!
//! A [`Stream`] is a generator, a 64-bit seed and a 64-bit stream number; it holds 2^64 blocks of four 32-bit words, each
//! computed from its index alone, so that jumping costs nothing and any device may compute any part.
//! [`Backend::random`](crate::Backend::random) fills arrays from one with the same bits on every device; [`Rng`] hands its
//! words to Rust's ecosystem through `rand_core`. What each number is to the bit: `docs/numerics.md`.
//!
//! ```
//! use unisono::{Backend, random::{Random, Stream}};
//!
//! # fn main() -> unisono::Result<()> {
//! let noise = Random::normal(0.0, 1.0).stream(Stream::new(42));
//! let x = Backend::auto().random::<f32>(&noise, &[3, 1000])?;
//! assert_eq!(x.into_vec()?, Backend::cpu().random::<f32>(&noise, &[3, 1000])?.into_vec()?);
//! # Ok(())
//! # }
//! ```

mod fixed;
mod generator;
mod quantile;
mod rng;
mod sobol;

pub use crate::plan::{Distribution, Draw, Random, RandomPlan};
pub use generator::{BitGenerator, Stream};
pub use rng::Rng;
pub use sobol::Sobol;

pub(crate) use fixed::Scaled;
pub(crate) use generator::{PARITY, ROTATIONS};
pub(crate) use quantile::{POINT, Quantile, mul_high};
