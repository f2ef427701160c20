//! What an estimate of π says about itself: its error, intervals, bias, and the samples that an error needs.

use super::{MonteCarlo, PiMethod, REPLICATES, Tally};
use crate::random::{POINT, Quantile};
use crate::{Error, Result};

/// The share of the square's points in the circle, π/4 but for the grid.
const SHARE: f64 = 3_373_259_248.0 / 4_294_967_296.0;
/// The variance of `4 · hit`.
const VARIANCE: f64 = 16.0 * SHARE * (1.0 - SHARE);
/// The samples after which Sobol runs are first looked at: 1024 points of every replicate.
const FIRST_LOOK: u64 = 1024 * REPLICATES;

/// An estimate of π: four times the share of the points that fell into the circle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pi {
    /// Points inside the circle.
    pub hits: u64,
    /// Samples drawn, of [`PiMethod::points`] points each.
    pub samples: u64,
    /// `4 · hits / points`; NaN without samples.
    pub estimate: f64,
    /// The estimate's standard error, from the samples themselves; NaN without samples. Of plain samples
    /// `4 · √(p (1 - p) / samples)` with `p = hits / samples`. The grid adds a [`bias`](Self::bias).
    pub standard_error: f64,
    how: MonteCarlo,
    tally: Tally,
}

impl Pi {
    /// The estimate from the counts of plain samples with 16-bit coordinates.
    pub fn from_counts(hits: u64, samples: u64) -> Self {
        Self::from_tally(&MonteCarlo::pi(), &Tally::of_misses(samples, [samples - hits, 0]))
    }

    /// The estimate from the tally of samples of a problem.
    pub fn from_tally(how: &MonteCarlo, tally: &Tally) -> Self {
        // Estimates are compared and merged across seeds.
        let how = MonteCarlo::pi().method(how.method).bits(how.coordinate_bits());
        let (hits, samples) = (tally.hits(how.method), tally.samples);
        let share = hits as f64 / (how.method.points() as f64 * samples as f64);
        let standard_error = standard_error(how.method, tally, share);
        Self { hits, samples, estimate: 4.0 * share, standard_error, how, tally: *tally }
    }

    /// The method.
    pub const fn method(&self) -> PiMethod {
        self.how.method
    }

    /// The bits of a coordinate.
    pub const fn bits(&self) -> u32 {
        self.how.coordinate_bits()
    }

    /// The counts that it is an estimate from.
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Those of the [tally](Self::tally)'s counts that the method has: 3, of Sobol's 32.
    pub fn counts(&self) -> &[u64] {
        &self.tally.counts[..Tally::used(self.how.method)]
    }

    /// The estimate from the samples of both together: of disjoint ranges under one seed exactly that of one run over both.
    /// An estimate does not know its samples, so the caller answers for that none is counted twice;
    /// [`MonteCarloState`](crate::MonteCarloState) does know, and refuses.
    ///
    /// # Errors
    /// [`Error::Invalid`] if they are of different methods or bits.
    pub fn merge(mut self, other: Self) -> Result<Self> {
        if self.how != other.how {
            let said = |pi: &Self| format!("{} samples of {} bits", pi.method(), pi.bits());
            return Err(Error::invalid("estimate to merge", said(&other), said(&self)));
        }
        self.tally.merge(&other.tally);
        Ok(Self::from_tally(&self.how, &self.tally))
    }

    /// What the grid of coordinates adds to the estimate in the mean ([`MonteCarlo::bias`]).
    pub fn bias(&self) -> f64 {
        self.how.bias()
    }

    /// The plain samples that would have this standard error.
    pub fn equivalent_samples(&self) -> f64 {
        match self.method() {
            PiMethod::Plain => self.samples as f64,
            _ => VARIANCE / (self.standard_error * self.standard_error),
        }
    }

    /// An interval that covers the mean of the estimate with probability `level`. It covers π if it is widened by
    /// [`bias`](Self::bias).
    ///
    /// Of plain and antithetic samples it is Wilson's, which also holds for few samples and for no or only hits; of reflected and
    /// stratified ones the normal one, from counts each raised by one; of Sobol's Student's with 31 degrees of freedom.
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
        let half = match self.method() {
            // A sample has a miss or none: `4 − 4 m` or `4 − 2 m` with `m` the share of samples with one.
            PiMethod::Plain => return Ok(wilson(self.hits, self.samples, z).map(|p| 4.0 * p)),
            PiMethod::Antithetic => {
                let [low, high] = wilson(self.tally.counts[1], self.samples, z);
                return Ok([4.0 - 2.0 * high, 4.0 - 2.0 * low]);
            }
            PiMethod::Reflected | PiMethod::Stratified => {
                let mut more = self.tally;
                more.samples += 3;
                more.counts[..3].iter_mut().for_each(|count| *count += 1);
                z * Self::from_tally(&self.how, &more).standard_error
            }
            PiMethod::Sobol => students(z, (REPLICATES - 1) as f64) * self.standard_error,
        };
        Ok([self.estimate - half, self.estimate + half])
    }

    /// Whether the standard error is known and at most this.
    pub(crate) fn is_within(&self, standard_error: f64) -> bool {
        // Without a miss or without a hit the standard error of these samples says nothing.
        self.hits > 0 && self.standard_error > 0.0 && self.standard_error <= standard_error
    }
}

impl MonteCarlo {
    /// The samples after which a run to this standard error looks whether it got there, again and again: a power of two, about
    /// a sixty-fourth of what it needs and at least 2^20. [`PiMethod::Sobol`] is looked at after this and every later power of two.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an error below the magnitude of [`bias`](Self::bias), which no number of samples brings nearer to π.
    pub fn round_for(&self, standard_error: f64) -> Result<u64> {
        let bias = self.bias().abs();
        if standard_error.is_nan() || standard_error <= 0.0 || standard_error < bias {
            let bits = self.coordinate_bits();
            let expected = format!("at least {bias:.2e}, the bias of {bits}-bit coordinates");
            return Err(Error::invalid("standard error", standard_error, expected));
        }
        match self.method {
            PiMethod::Sobol => Ok(FIRST_LOOK),
            _ => Ok((self.samples_for(standard_error) / 64).max(1 << 20).next_power_of_two()),
        }
    }

    /// The first number of samples, from `done` on, after which a run to this standard error looks.
    pub(crate) fn next_look(&self, round: u64, done: u64) -> Option<u64> {
        match self.method {
            PiMethod::Sobol => done.max(round).checked_next_power_of_two(),
            _ => done.max(1).checked_next_multiple_of(round),
        }
    }

    /// The samples that this standard error takes, about.
    pub(crate) fn samples_for(&self, standard_error: f64) -> u64 {
        let variance = match self.method {
            // Of one replicate about 1.5 n^-3/4 of its n points; of the mean of 32 over √32 of that.
            PiMethod::Sobol => return (3.6 / standard_error).powf(4.0 / 3.0) as u64,
            PiMethod::Plain => VARIANCE,
            PiMethod::Antithetic => VARIANCE / 2.75,
            PiMethod::Reflected => VARIANCE / 5.75,
            PiMethod::Stratified => VARIANCE / 338.0,
        };
        (variance / (standard_error * standard_error)) as u64
    }
}

/// The standard error of `4 · share`.
fn standard_error(method: PiMethod, tally: &Tally, share: f64) -> f64 {
    let n = tally.samples as f64;
    let count = |misses: usize| tally.counts[misses] as f64;
    match method {
        PiMethod::Plain => 4.0 * (share * (1.0 - share) / n).sqrt(),
        PiMethod::Antithetic | PiMethod::Reflected => {
            let mean = (count(1) + 2.0 * count(2)) / n;
            let variance = (count(1) + 4.0 * count(2)) / n - mean * mean;
            4.0 / method.points() as f64 * (variance / n).sqrt()
        }
        // In a cell of which the share p is inside, the two points differ with probability 2p(1 − p): the variance of their sum.
        PiMethod::Stratified if tally.samples > 0 => 2.0 * count(1).sqrt() / n,
        PiMethod::Stratified => f64::NAN,
        PiMethod::Sobol => {
            let replicates = REPLICATES as f64;
            let deviation = |&hits: &u64| hits as f64 * replicates / n - share;
            let squares: f64 = tally.counts.iter().map(deviation).map(|d| d * d).sum();
            4.0 * (squares / (replicates - 1.0) / replicates).sqrt()
        }
    }
}

/// Wilson's interval of a probability.
fn wilson(hits: u64, samples: u64, z: f64) -> [f64; 2] {
    let (n, p) = (samples as f64, hits as f64 / samples as f64);
    let square = z * z / n;
    let (centre, shrink) = (p + square / 2.0, 1.0 + square);
    let half = z * (p * (1.0 - p) / n + square / (4.0 * n)).sqrt();
    [(centre - half) / shrink, (centre + half) / shrink]
}

/// How many standard deviations on both sides of the mean hold this share of a normal distribution.
fn deviations(level: f64) -> Result<f64> {
    if !(level > 0.0 && level < 1.0) {
        return Err(Error::invalid("confidence level", level, "a number between 0 and 1"));
    }
    let outside = ((1.0 - level) * 2f64.powi(64)) as u64 | 1;
    Ok(Quantile::Normal.table().of_u64(outside) as f64 / (1u64 << POINT) as f64)
}

/// The same of Student's distribution, from the normal deviation: Abramowitz and Stegun 26.7.5, within 10^-4 for 31 degrees
/// of freedom; from 4 standard deviations on mended by Newton's method on the logarithm of the [tail](students_tail).
pub(crate) fn students(z: f64, degrees: f64) -> f64 {
    let s = z * z;
    let terms = [
        (s + 1.0) / 4.0,
        ((5.0 * s + 16.0) * s + 3.0) / 96.0,
        (((3.0 * s + 19.0) * s + 17.0) * s - 15.0) / 384.0,
        ((((79.0 * s + 776.0) * s + 1482.0) * s - 1920.0) * s - 945.0) / 92_160.0,
    ];
    let near = z * (1.0 + terms.iter().rev().fold(0.0, |sum, term| (sum + term) / degrees));
    if z < 4.0 {
        return near;
    }
    let outside = libm::erfc(z / std::f64::consts::SQRT_2);
    (0..3).fold(near, |t, _| {
        let [tail, density] = students_tail(t, degrees);
        t + libm::log(tail / outside) * tail / density
    })
}

/// The share of Student's distribution beyond `t` on both sides, and how fast it falls there: the incomplete beta function's series
/// in `x = n / (n + t²)`, `x^(n/2) / B(n/2, 1/2) · Σ (1/2)ₖ / k! · x^k / (n/2 + k)`.
fn students_tail(t: f64, degrees: f64) -> [f64; 2] {
    let (half, x) = (degrees / 2.0, degrees / (degrees + t * t));
    let beta = libm::lgamma(half) + libm::lgamma(0.5) - libm::lgamma(half + 0.5);
    let (mut sum, mut term) = (0.0, 1.0);
    for k in 0..200 {
        let k = f64::from(k);
        sum += term / (half + k);
        term *= x * (k + 0.5) / (k + 1.0);
    }
    let first = libm::exp(half * libm::log(x) - beta);
    [first * sum, 2.0 * first * (x / degrees).sqrt()]
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
    fn students_quantiles_are_the_tabulated_ones() {
        // t of 30 degrees of freedom, two-sided.
        for (level, t) in [(0.5, 0.682_756), (0.95, 2.042_272), (0.99, 2.749_996), (0.999, 3.645_959)] {
            let found = students(deviations(level).unwrap(), 30.0);
            assert!((found / t - 1.0).abs() < 1e-4, "{level}: {found}");
        }
        // SciPy's, of 31 degrees, far out.
        for (z, t) in [(5.0, 6.268_236_231_340_322), (6.5, 9.619_254_207_649_046), (9.0, 20.153_964_887_555_49)] {
            let found = students(z, 31.0);
            assert!((found / t - 1.0).abs() < 1e-12, "{z}: {found}");
        }
    }

    fn estimate(method: PiMethod, samples: u64, counts: &[u64]) -> Pi {
        let mut tally = Tally { samples, ..Tally::default() };
        tally.counts[..counts.len()].copy_from_slice(counts);
        assert!(tally.is_possible(method));
        Pi::from_tally(&MonteCarlo::pi().method(method), &tally)
    }

    #[test]
    fn errors_are_those_of_the_samples() {
        // Ten pairs, four with a miss: m = 0.4, so 4 − 2 m, and the variance of a binomial share.
        let pi = estimate(PiMethod::Antithetic, 10, &[6, 4]);
        assert_eq!((pi.hits, pi.estimate), (16, 3.2));
        assert!((pi.standard_error - 2.0 * (0.4f64 * 0.6 / 10.0).sqrt()).abs() < 1e-15);
        // Misses 0, 0, 1, 2: mean 3/4, variance 5/4 − 9/16.
        let pi = estimate(PiMethod::Reflected, 4, &[2, 1, 1]);
        assert_eq!((pi.hits, pi.estimate), (13, 3.25));
        assert!((pi.standard_error - (11.0f64 / 16.0 / 4.0).sqrt()).abs() < 1e-15);
        // 100 pairs of which 9 differ: the sum of hits has the variance 9.
        let pi = estimate(PiMethod::Stratified, 65_536, &[50_000, 9, 15_527]);
        assert!((pi.standard_error - 4.0 * 3.0 / (2.0 * 65_536.0)).abs() < 1e-18);
        let hits: Vec<u64> = (0..32).map(|r| 70 + r % 2).collect();
        let pi = estimate(PiMethod::Sobol, 3200, &hits);
        let deviation = 4.0 * 0.005 * (32.0f64 / 31.0).sqrt();
        assert!((pi.standard_error - deviation / 32f64.sqrt()).abs() < 1e-15, "{}", pi.standard_error);
        assert!((pi.estimate - 2.82).abs() < 1e-15);
        let [low, high] = pi.confidence_interval(0.95).unwrap();
        assert!(((high - low) / 2.0 / pi.standard_error - 2.039_5).abs() < 1e-3);
        assert_eq!(Pi::from_counts(3, 4).equivalent_samples(), 4.0);
        assert!(estimate(PiMethod::Antithetic, 1, &[1]).confidence_interval(0.9).unwrap()[0] < 3.0);
        assert!(estimate(PiMethod::Reflected, 1, &[1]).confidence_interval(0.9).unwrap()[0] < 3.5);
        for method in PiMethod::ALL {
            let none = estimate(method, 0, &[]);
            assert!(none.estimate.is_nan() && none.standard_error.is_nan() && !none.is_within(1.0), "{method}");
        }
        assert!(Pi::from_counts(1, 2).merge(estimate(PiMethod::Antithetic, 10, &[6, 4])).is_err());
    }

    #[test]
    fn the_bias_is_known_and_rounds_follow_from_the_error() {
        let plain = MonteCarlo::pi();
        assert!((plain.bias() + 1.66e-7).abs() < 1e-9, "{}", plain.bias());
        assert!((plain.method(PiMethod::Reflected).bias() - 4.7e-8).abs() < 1e-9);
        assert!((plain.bits(32).bias() - 9.2e-15).abs() < 1e-15);
        assert_eq!(plain.round_for(1e-3), Ok(1 << 20));
        assert_eq!(plain.round_for(f64::INFINITY), Ok(1 << 20));
        // 2.697 / 64 · 10^10 = 4.2 · 10^8 < 2^29.
        assert_eq!(plain.round_for(1e-5), Ok(1 << 29));
        for wrong in [1e-7, f64::NAN, -1.0] {
            assert!(plain.round_for(wrong).is_err());
        }
        assert!(plain.bits(32).round_for(0.0).is_err() && plain.bits(32).round_for(1e-9).is_ok());
        let sobol = plain.method(PiMethod::Sobol);
        assert_eq!([0, 32_768, 32_769].map(|done| sobol.next_look(32_768, done)), [Some(32_768), Some(32_768), Some(65_536)]);
        assert_eq!([0, 10, 11].map(|done| plain.next_look(10, done)), [Some(10), Some(10), Some(20)]);
        assert!(!Pi::from_counts(0, 10).is_within(1.0) && !Pi::from_counts(10, 10).is_within(1.0));
        assert!(Pi::from_counts(5, 10).is_within(1.0));
    }
}
