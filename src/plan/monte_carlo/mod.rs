//! π by Monte Carlo: which samples, and what their hits say.

mod report;
mod state;

use std::ops::Range;

pub use state::MonteCarloState;

use crate::{Error, Result};

/// A range of the samples of one seed. Sample `s` is addressed by its index, so any cut gives the same hits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonteCarloPlan {
    /// The seed: Philox's key, low word first.
    pub seed: u64,
    /// The indices of the samples.
    pub samples: Range<u64>,
}

impl MonteCarloPlan {
    /// The samples of `range` under `seed`.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the range ends before it starts.
    pub fn new(seed: u64, samples: Range<u64>) -> Result<Self> {
        if samples.end < samples.start {
            return Err(Error::invalid("sample range", format!("{samples:?}"), "an end not before the start"));
        }
        Ok(Self { seed, samples })
    }

    /// The number of samples.
    pub fn len(&self) -> u64 {
        self.samples.end - self.samples.start
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Cuts the range into one part per weight, in proportion to the weights, at multiples of `grain` samples.
    pub fn split(&self, weights: &[f64], grain: u64) -> Vec<Self> {
        let grains = self.len().div_ceil(grain.max(1));
        let cuts = super::cut(&(0..grains as usize), weights);
        let at = |g: usize| self.samples.start.saturating_add((g as u64).saturating_mul(grain)).min(self.samples.end);
        cuts.into_iter().map(|cut| Self { seed: self.seed, samples: at(cut.start)..at(cut.end) }).collect()
    }
}

/// An estimate of π: four times the share of the samples that fell into the circle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pi {
    /// Samples inside the circle.
    pub hits: u64,
    /// Samples drawn.
    pub samples: u64,
    /// `4 · hits / samples`; NaN without samples.
    pub estimate: f64,
    /// The estimate's standard error, `4 · √(p (1 - p) / samples)` with `p = hits / samples`; NaN without samples.
    /// The grid of 16-bit coordinates adds a bias ([`BIAS`](Self::BIAS)), far below it up to 10^13 samples.
    pub standard_error: f64,
}

impl Pi {
    /// The estimate from its counts.
    pub fn from_counts(hits: u64, samples: u64) -> Self {
        let p = hits as f64 / samples as f64;
        Self { hits, samples, estimate: 4.0 * p, standard_error: 4.0 * (p * (1.0 - p) / samples as f64).sqrt() }
    }

    /// The estimate of two disjoint ranges of samples together: exactly that of one run over both.
    pub fn merge(self, other: Self) -> Self {
        Self::from_counts(self.hits + other.hits, self.samples + other.samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_covers_the_range_even_at_its_far_end() {
        for samples in [0..0, 0..1, 5..1_000_003, u64::MAX - 10_001..u64::MAX] {
            let plan = MonteCarloPlan::new(1, samples.clone()).unwrap();
            let parts = plan.split(&[1.0, 2.5, 0.0, 1.0], 4096);
            assert_eq!(parts.iter().map(MonteCarloPlan::len).sum::<u64>(), plan.len());
            assert!(parts.windows(2).all(|w| w[0].samples.end == w[1].samples.start));
            assert_eq!((parts[0].samples.start, parts[3].samples.end), (samples.start, samples.end));
        }
    }
}
