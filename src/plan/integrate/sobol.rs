//! Sobol's points: which of them a sample is, and how they are randomised.
//!
//! Frozen: sample `s` is point `s div 32 mod 2^32` of replicate `s mod 32`. Coordinate `d` of it, scrambled with the key
//! `Sobol::key(seed xor DOMAIN, replicate + 32 · (s div 2^37), d)`, takes the place of a word of Philox.
//!
//! Source: Owen, "Scrambled net variance for integrals of smooth functions", Ann. Statist. 25, 1997; independent replicates for
//! the error: Owen, "Monte Carlo theory, methods and examples", chapter 17, 2013.

use std::ops::Range;
use std::sync::Arc;

use super::sums::scale_for_squares;
use super::{DOMAIN, Integral, IntegralSums, IntegratePlan, Sampling};
use crate::Result;
use crate::plan::REPLICATES;
use crate::random::Sobol;

/// The points of a sequence; then it begins anew, with other keys.
const TURN: u64 = 1 << 32;

/// One randomisation of the sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Replicate {
    /// The key of each coordinate.
    pub(crate) keys: Arc<[u32]>,
}

impl Replicate {
    /// The first one.
    ///
    /// # Errors
    /// As [`Sobol::new`].
    pub(super) fn first(seed: u64, dimensions: usize) -> Result<Self> {
        Sobol::new(dimensions)?;
        Ok(Self::new(seed, 0, dimensions))
    }

    fn new(seed: u64, at: u64, dimensions: usize) -> Self {
        Self { keys: (0..dimensions as u32).map(|dimension| Sobol::key(seed ^ DOMAIN, at, dimension)).collect() }
    }
}

/// Where the samples of one turn end that starts at or before `sample`.
pub(super) fn turn_end(sample: u64) -> u64 {
    (sample / (TURN * REPLICATES) + 1).saturating_mul(TURN * REPLICATES)
}

impl IntegratePlan {
    /// What devices run: a plan for each replicate of Sobol's points, over samples of one turn; of other methods the plan itself.
    pub(crate) fn replicates(&self) -> Vec<Self> {
        let Sampling::Sobol(_) = self.sampling else { return vec![self.clone()] };
        let Range { start, end } = self.samples;
        let turn = start / REPLICATES / TURN;
        let one = |replicate: u64| {
            // How many samples before `sample` are of this replicate.
            let before = |sample: u64| sample / REPLICATES + u64::from(sample % REPLICATES > replicate);
            let keys = Replicate::new(self.seed, replicate + REPLICATES * turn, self.bounds.len());
            Self { sampling: Sampling::Sobol(keys), samples: before(start)..before(end), ..self.clone() }
        };
        (0..REPLICATES).map(one).collect()
    }
}

impl Integral {
    /// The estimate from independent replicates, and its error from their spread.
    pub(super) fn of_replicates(replicates: &[IntegralSums], volume: f64) -> Self {
        let mut all = IntegralSums::default();
        replicates.iter().for_each(|sums| all.merge(sums));
        let n = replicates.len() as f64;
        let estimates: Vec<f64> = replicates.iter().map(IntegralSums::mean).collect();
        let mean = estimates.iter().sum::<f64>() / n;
        let scale = scale_for_squares(estimates.iter().map(|estimate| estimate - mean));
        let squares: f64 = estimates.iter().map(|estimate| ((estimate - mean) * scale) * ((estimate - mean) * scale)).sum();
        Self {
            standard_error: volume.abs() * ((squares / (n - 1.0) / n).sqrt() / scale),
            replicates: estimates.iter().map(|estimate| volume * estimate).collect(),
            ..Self::new(all, volume)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{IntegralMethod, Integrate};

    #[test]
    fn replicates_take_turns() {
        let how = Integrate::new("x", &[("x", 0.0, 1.0), ("y", 0.0, 1.0)]).unwrap().method(IntegralMethod::Sobol).seed(3);
        let samples = 5..100;
        let plan = IntegratePlan::new(&how, samples.clone()).unwrap();
        let plans = plan.replicates();
        assert_eq!(plans.len(), 32);
        for (replicate, plan) in plans.iter().enumerate() {
            let own: Vec<u64> = samples.clone().filter(|s| s % 32 == replicate as u64).map(|s| s / 32).collect();
            assert_eq!(plan.samples.clone().collect::<Vec<_>>(), own);
            let Sampling::Sobol(Replicate { keys }) = &plan.sampling else { panic!("{plan:?}") };
            assert_eq!(keys[..], [0, 1].map(|d| Sobol::key(3 ^ DOMAIN, replicate as u64, d)));
        }
        // The next turn has other keys.
        let next = turn_end(7);
        assert_eq!((next, turn_end(next - 1), turn_end(next), turn_end(u64::MAX)), (1 << 37, 1 << 37, 1 << 38, u64::MAX));
        let later = IntegratePlan { samples: next..next + 32, ..plan }.replicates();
        let Sampling::Sobol(Replicate { keys }) = &later[31].sampling else { panic!() };
        assert_eq!((keys[1], later[31].samples.clone()), (Sobol::key(3 ^ DOMAIN, 63, 1), 1 << 32..(1 << 32) + 1));
    }

    /// With a target at the last look; without one where it was asked to.
    #[test]
    fn a_limit_is_a_power_of_two_of_rounds() {
        let how = Integrate::new("x", &[("x", 0.0, 1.0)]).unwrap().method(IntegralMethod::Sobol);
        let target = how.clone().absolute_error(1e-9);
        for (samples, round, last) in
            [(10_000_000, 1 << 15, 1 << 23), (1 << 23, 1 << 15, 1 << 23), (700, 300, 600), (299, 300, 299)]
        {
            let target = target.clone().samples(samples).round(round);
            assert_eq!((target.indices(), how.clone().samples(samples).indices()), (last, samples));
            assert!(last < round || target.look_from(last) == last);
        }
        assert_eq!((target.clone().samples(0).indices(), target.clone().samples(u64::MAX).indices()), (0, 1 << 63));
        assert!(crate::Backend::cpu().explain_integrate(&target.samples(0).round(0)).is_err());
    }

    #[test]
    fn the_error_is_that_of_the_replicates() {
        let of = |value: f64| {
            let mut sums = IntegralSums { count: 2, ..IntegralSums::default() };
            sums.sum.push(2.0 * value);
            sums
        };
        let integral = Integral::of_replicates(&[of(1.0), of(2.0), of(6.0)], -2.0);
        assert_eq!((integral.estimate, integral.samples, &integral.replicates[..]), (-6.0, 6, &[-2.0, -4.0, -12.0][..]));
        // Variance 7 of three.
        assert!((integral.standard_error - 2.0 * (7.0f64 / 3.0).sqrt()).abs() < 1e-15);
        for scale in [1e-200, 1e200] {
            let error = Integral::of_replicates(&[of(scale), of(2.0 * scale), of(6.0 * scale)], -2.0).standard_error;
            assert!((error / (scale * integral.standard_error) - 1.0).abs() < 1e-14, "{scale:e}: {error:e}");
        }
        assert!(Integral::of_replicates(&[of(1.0), IntegralSums::default()], 1.0).standard_error.is_nan());
    }
}
