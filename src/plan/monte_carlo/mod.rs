//! π by Monte Carlo: which samples, and what their hits say.

mod method;
mod report;
mod state;
mod tally;

use std::ops::Range;

pub use method::{MonteCarlo, PiMethod};
pub(crate) use method::{REPLICATES, is_inside};
pub use report::Pi;
pub(crate) use report::students;
pub use state::MonteCarloState;
pub use tally::Tally;

use crate::{Error, Result};

/// A range of the samples of one problem. Sample `s` is addressed by its index, so any cut gives the same hits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonteCarloPlan {
    /// The problem, with nothing left to default.
    pub how: MonteCarlo,
    /// The indices of the samples.
    pub samples: Range<u64>,
}

impl MonteCarloPlan {
    /// The samples of `range` of a problem; the end is rounded up to a whole [pass](PiMethod::pass).
    ///
    /// # Errors
    /// [`Error::Invalid`] if the range ends before it starts or starts inside a pass, or for other bits than 16 and 32.
    pub fn new(how: &MonteCarlo, samples: Range<u64>) -> Result<Self> {
        let how = how.resolved()?;
        if samples.end < samples.start {
            return Err(Error::invalid("sample range", format!("{samples:?}"), "an end not before the start"));
        }
        let (method, pass) = (how.method, how.method.pass());
        let end = samples.end.checked_next_multiple_of(pass).filter(|_| samples.start.is_multiple_of(pass));
        let Some(end) = end else {
            let expected = format!("a start at a multiple of {pass} and an end below 2^64, as {method} samples come in passes");
            return Err(Error::invalid("sample range", format!("{samples:?}"), expected));
        };
        let end = if samples.is_empty() { samples.start } else { end };
        Ok(Self { how, samples: samples.start..end })
    }

    /// The number of samples.
    pub fn len(&self) -> u64 {
        self.samples.end - self.samples.start
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Cuts the range into one part per weight, in proportion to the weights, at multiples of `grain` samples. Parts may start
    /// and end inside a pass: only the whole is read.
    pub fn split(&self, weights: &[f64], grain: u64) -> Vec<Self> {
        let grains = self.len().div_ceil(grain.max(1));
        let cuts = super::cut(&(0..grains as usize), weights);
        let at = |g: usize| self.samples.start.saturating_add((g as u64).saturating_mul(grain)).min(self.samples.end);
        cuts.into_iter().map(|cut| Self { how: self.how, samples: at(cut.start)..at(cut.end) }).collect()
    }

    /// The tally of some of the plan's samples, one at a time, as [`MonteCarlo::misses`] defines them.
    pub(crate) fn by_definition(&self, samples: Range<u64>) -> Tally {
        let mut tally = Tally { samples: samples.end - samples.start, ..Tally::default() };
        for sample in samples {
            let misses = self.how.misses(sample);
            match self.how.method {
                PiMethod::Sobol => tally.counts[(sample % REPLICATES) as usize] += u64::from(misses == 0),
                _ => tally.counts[misses as usize] += 1,
            }
        }
        tally
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_covers_the_range_even_at_its_far_end() {
        for samples in [0..0, 0..1, 5..1_000_003, u64::MAX - 10_001..u64::MAX] {
            let plan = MonteCarloPlan::new(&MonteCarlo::pi().seed(1), samples.clone()).unwrap();
            let parts = plan.split(&[1.0, 2.5, 0.0, 1.0], 4096);
            assert_eq!(parts.iter().map(MonteCarloPlan::len).sum::<u64>(), plan.len());
            assert!(parts.windows(2).all(|w| w[0].samples.end == w[1].samples.start));
            assert_eq!((parts[0].samples.start, parts[3].samples.end), (samples.start, samples.end));
        }
    }

    #[test]
    fn samples_come_in_whole_passes() {
        let plan = |method, samples| MonteCarloPlan::new(&MonteCarlo::pi().method(method), samples);
        assert_eq!(plan(PiMethod::Stratified, 65_536..65_537).unwrap().samples, 65_536..131_072);
        assert_eq!(plan(PiMethod::Sobol, 0..100).unwrap().samples, 0..128);
        assert_eq!(plan(PiMethod::Sobol, 64..64).unwrap().samples, 64..64);
        assert_eq!(plan(PiMethod::Reflected, 3..8).unwrap().samples, 3..8);
        for (samples, word) in [(5..64, "multiple of 32"), (0..u64::MAX, "below 2^64")] {
            let error = plan(PiMethod::Sobol, samples).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
        let error = MonteCarloPlan::new(&MonteCarlo::pi().bits(24), 0..1).unwrap_err().to_string();
        assert_eq!(error, "bits of a coordinate: got 24, expected 16 or 32");
    }
}
