//! Monte Carlo and random numbers.

use std::ops::Range;

use super::{Backend, deliver, wrap};
use crate::array::{Array, AsOutput, DynArray, Output};
use crate::engine::{Target, Work};
use crate::plan::{MonteCarlo, MonteCarloPlan, Pi};
use crate::random::{Random, RandomPlan};
use crate::{Dtype, Element, Error, Result};

impl Backend {
    /// An estimate of π from `samples` plain samples of `seed`, with coordinates of 16 bits. The hits are the same on every
    /// device. [`monte_carlo`](Self::monte_carlo) has other methods.
    ///
    /// # Errors
    /// [`Error::Invalid`] for 0 samples, and the failures of the device.
    pub fn pi(&self, samples: u64, seed: u64) -> Result<Pi> {
        if samples == 0 {
            return Err(Error::invalid("samples", samples, "at least 1"));
        }
        self.pi_range(0..samples, seed)
    }

    /// The estimate from a range of the samples of `seed`; ranges of one seed [merge](Pi::merge) exactly.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the range ends before it starts, and the failures of the device.
    pub fn pi_range(&self, samples: Range<u64>, seed: u64) -> Result<Pi> {
        self.monte_carlo(&MonteCarlo::pi().seed(seed), samples)
    }

    /// The estimate of π from a range of the samples of a problem: by another method, from coordinates of more bits.
    ///
    /// **Numerics.** Counts are integers addressed by the index of the sample, the same on every device and in every cut; ranges
    /// of one problem [merge](Pi::merge) exactly. The end of the range is rounded up to a whole [pass](crate::PiMethod::pass).
    /// The estimate has a known [bias](Pi::bias) and a [standard error](Pi::standard_error) from the samples. Linear time.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the range ends before it starts or starts inside a pass, for other bits than 16 and 32, and the
    /// failures of the device.
    ///
    /// ```
    /// # fn main() -> unisono::Result<()> {
    /// use unisono::{Backend, MonteCarlo, PiMethod};
    /// let backend = Backend::cpu();
    /// let plain = backend.monte_carlo(&MonteCarlo::pi(), 0..1 << 16)?;
    /// for method in PiMethod::ALL {
    ///     let pi = backend.monte_carlo(&MonteCarlo::pi().method(method), 0..1 << 16)?;
    ///     assert!(pi.standard_error <= plain.standard_error && pi.equivalent_samples() >= 65_536.0);
    ///     assert!((pi.estimate - std::f64::consts::PI).abs() < 5.0 * pi.standard_error + pi.bias().abs());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn monte_carlo(&self, how: &MonteCarlo, samples: Range<u64>) -> Result<Pi> {
        let plan = MonteCarloPlan::new(how, samples)?;
        self.control.expect(plan.len());
        Ok(Pi::from_tally(&plan.how, &self.engine.count_hits(&plan, &self.control)?))
    }

    /// An array of random numbers: uniform, normal, exponential, integers, from any place of a
    /// [`Stream`](crate::random::Stream).
    ///
    /// **Numerics.** Every element is a function of its place in the stream, computed in integers: the same bits on every
    /// device and in any cut. Uniform numbers are exact and rounded down; quantiles of normal and exponential numbers are within
    /// 2^-31 (`f32`, of 32 random bits) or 2^-56 (`f64`, of 64) of the exact ones before the one rounding. Linear time.
    ///
    /// # Errors
    /// [`Error::Invalid`] and [`Error::Dtype`] as [`RandomPlan::new`], and the failures of the device.
    ///
    /// ```
    /// # fn main() -> unisono::Result<()> {
    /// use unisono::{Backend, random::Random};
    /// let x = Backend::cpu().random::<f64>(&Random::exponential(2.0), &[10, 10])?;
    /// assert!((Backend::cpu().mean(&x)?.item()? - 2.0).abs() < 1.0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn random<T: Element>(&self, how: &Random, shape: &[usize]) -> Result<Array<T>> {
        self.random_dyn(how, T::DTYPE, shape)?.typed()
    }

    /// [`random`](Self::random) into `out`, whose shape and dtype it has.
    ///
    /// # Errors
    /// As [`random`](Self::random).
    pub fn random_into<O: AsOutput + ?Sized>(&self, how: &Random, out: &mut O) -> Result<()> {
        self.random_dyn_into(how, out.as_output())
    }

    /// [`random`](Self::random) with the dtype erased.
    ///
    /// # Errors
    /// As [`random`](Self::random).
    pub fn random_dyn(&self, how: &Random, dtype: Dtype, shape: &[usize]) -> Result<DynArray> {
        let plan = RandomPlan::new(how, dtype, shape)?;
        self.control.expect(plan.len());
        let storage = self.engine.random(&plan, Target::Device(None), &self.control)?;
        wrap(dtype, plan.shape, storage)
    }

    /// [`random_into`](Self::random_into) with the dtype erased.
    ///
    /// # Errors
    /// As [`random`](Self::random).
    pub fn random_dyn_into(&self, how: &Random, out: Output<'_>) -> Result<()> {
        let plan = RandomPlan::new(how, out.dtype(), out.shape())?;
        self.control.expect(plan.len());
        deliver(plan.dtype, &plan.shape, out, |target| self.engine.random(&plan, target, &self.control))
    }

    /// Where so many samples would be drawn, and why.
    pub fn explain_pi(&self, samples: u64) -> String {
        self.engine.explain(Work::CountHits(&MonteCarloPlan { how: MonteCarlo::pi(), samples: 0..samples }))
    }

    /// Where so many samples of a problem would be drawn, and why.
    ///
    /// # Errors
    /// As [`monte_carlo`](Self::monte_carlo).
    pub fn explain_monte_carlo(&self, how: &MonteCarlo, samples: Range<u64>) -> Result<String> {
        Ok(self.engine.explain(Work::CountHits(&MonteCarloPlan::new(how, samples)?)))
    }
}
