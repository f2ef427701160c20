//! What an estimate of π says about itself: intervals, bias, and the samples that an error needs.

use super::Pi;
use crate::random::{POINT, Quantile};
use crate::{Error, Result};

/// The hits among all 2^32 words: 4 times this over 2^32, less π, is the bias of the grid of 16-bit coordinates.
const LATTICE: f64 = 3_373_259_248.0;
/// The variance of `4 · hit`: `16 p (1 − p)`, `p` the share of hits among all words.
const VARIANCE: f64 = 16.0 * LATTICE / 4_294_967_296.0 * (1.0 - LATTICE / 4_294_967_296.0);

impl Pi {
    /// What the grid of 16-bit coordinates adds to the estimate in the mean: `4 · 3,373,259,248 / 2^32 − π`, −1.66·10^-7,
    /// however many samples there are.
    pub const BIAS: f64 = 4.0 * LATTICE / 4_294_967_296.0 - std::f64::consts::PI;

    /// An interval that covers the mean of the estimate with probability `level`: Wilson's, which also holds for few samples
    /// and for no or only hits. It covers π if it is widened by [`BIAS`](Self::BIAS).
    ///
    /// # Errors
    /// [`Error::Invalid`] for a level that is not between 0 and 1.
    ///
    /// ```
    /// let pi = unisono::Backend::cpu().pi(1_000_000, 42)?;
    /// let [low, high] = pi.confidence_interval(0.999)?;
    /// assert!(low < std::f64::consts::PI && std::f64::consts::PI < high);
    /// # Ok::<(), unisono::Error>(())
    /// ```
    pub fn confidence_interval(&self, level: f64) -> Result<[f64; 2]> {
        let z = deviations(level)?;
        let (n, p) = (self.samples as f64, self.hits as f64 / self.samples as f64);
        let square = z * z / n;
        let (centre, shrink) = (p + square / 2.0, 1.0 + square);
        let half = z * (p * (1.0 - p) / n + square / (4.0 * n)).sqrt();
        Ok([4.0 * (centre - half) / shrink, 4.0 * (centre + half) / shrink])
    }

    /// The samples after which a run to this standard error looks whether it got there, again and again: a power of two, about
    /// a sixty-fourth of what it needs and at least 2^20.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an error below the magnitude of [`BIAS`](Self::BIAS), which no number of samples brings nearer to π.
    pub fn round_for(standard_error: f64) -> Result<u64> {
        if standard_error.is_nan() || standard_error < -Self::BIAS {
            let expected = "at least 1.66e-7, the bias of 16-bit coordinates";
            return Err(Error::invalid("standard error", standard_error, expected));
        }
        Ok((Self::samples_for(standard_error) / 64).max(1 << 20).next_power_of_two())
    }

    /// The samples that this standard error takes in the mean.
    pub(crate) fn samples_for(standard_error: f64) -> u64 {
        (VARIANCE / (standard_error * standard_error)) as u64
    }

    /// Whether the standard error is known and at most this.
    pub(crate) fn is_within(&self, standard_error: f64) -> bool {
        // Without a miss or without a hit the standard error of these samples says nothing.
        self.hits > 0 && self.hits < self.samples && self.standard_error <= standard_error
    }
}

/// How many standard deviations on both sides of the mean hold this share of a normal distribution.
fn deviations(level: f64) -> Result<f64> {
    if !(level > 0.0 && level < 1.0) {
        return Err(Error::invalid("confidence level", level, "a number between 0 and 1"));
    }
    let outside = ((1.0 - level) * 2f64.powi(64)) as u64 | 1;
    Ok(Quantile::Normal.table().of_u64(outside) as f64 / (1u64 << POINT) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_wilsons() {
        assert!((deviations(0.95).unwrap() - 1.959_963_984_540_054).abs() < 1e-14);
        assert!((deviations(0.5).unwrap() - 0.674_489_750_196_081_7).abs() < 1e-14);
        // Newcombe, "Two-sided confidence intervals for the single proportion", 1998: 81 of 263, and 0 of 20.
        for (hits, samples, low, high) in [(81, 263, 0.2553, 0.3662), (0, 20, 0.0, 0.1611), (29, 29, 0.8830, 1.0)] {
            let [l, h] = Pi::from_counts(hits, samples).confidence_interval(0.95).unwrap();
            assert!((l / 4.0 - low).abs() < 5e-5 && (h / 4.0 - high).abs() < 5e-5, "{l} {h}");
        }
        for level in [0.0, 1.0, -0.5, f64::NAN] {
            assert!(Pi::from_counts(1, 2).confidence_interval(level).is_err());
        }
    }

    #[test]
    fn the_bias_is_known_and_rounds_follow_from_the_error() {
        assert!((Pi::BIAS + 1.66e-7).abs() < 1e-9, "{}", Pi::BIAS);
        assert_eq!(Pi::round_for(1e-3), Ok(1 << 20));
        assert_eq!(Pi::round_for(f64::INFINITY), Ok(1 << 20));
        // 2.697 / 64 · 10^10 = 4.2 · 10^8 < 2^29.
        assert_eq!(Pi::round_for(1e-5), Ok(1 << 29));
        assert!(Pi::round_for(1e-7).is_err() && Pi::round_for(f64::NAN).is_err() && Pi::round_for(-1.0).is_err());
        assert!(!Pi::from_counts(0, 10).is_within(1.0) && !Pi::from_counts(10, 10).is_within(1.0));
        assert!(Pi::from_counts(5, 10).is_within(1.0));
    }
}
