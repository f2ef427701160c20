//! What the values of an integrand say: exact sums, the estimate, and its error.

use std::ops::Range;

use crate::plan::students;
use crate::{Error, ExactSum, Result};

/// The exact sums of an integrand and of its square over some samples: mergeable in any order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IntegralSums {
    /// Samples.
    pub count: u64,
    /// The sum.
    pub sum: ExactSum,
    /// The sum of squares.
    pub squares: ExactSum,
    /// Importance sampling: the squares that fell into each cell of each axis, in units of the grid's scale.
    pub(crate) counts: Vec<u64>,
}

impl IntegralSums {
    /// Adds the sums over other samples.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum.merge(&other.sum);
        self.squares.merge(&other.squares);
        if self.counts.is_empty() {
            self.counts.clone_from(&other.counts);
        } else {
            self.counts.iter_mut().zip(&other.counts).for_each(|(all, more)| *all += more);
        }
    }

    /// The mean; NaN of nothing.
    pub fn mean(&self) -> f64 {
        self.sum.mean_f64(self.count)
    }

    /// `Σ (f − mean)²` without cancellation, even where all values are nearly the same: about the rounded mean `m` the products
    /// are added exactly, and what its rounding adds, `(Σf − n m)² / n`, is taken off. NaN where squares overflow, and where they
    /// underflow so far that they say nothing: of values below about `1e-157`.
    pub fn centred_squares(&self) -> f64 {
        let mean = self.mean();
        if !mean.is_finite() || self.squares.to_f64().is_infinite() {
            return f64::NAN;
        }
        // Σf² − 2 m Σf + n m², with Σf in pieces of 53 bits.
        let mut total = self.squares.clone();
        let mut rest = self.sum.clone();
        for _ in 0..3 {
            let piece = rest.to_f64();
            rest.push(-piece);
            push_product(&mut total, -2.0 * mean, piece);
        }
        let mut rest_of_mean = self.sum.clone();
        let (square, error) = two_product(mean, mean);
        for part in [(self.count >> 32) as f64 * 4_294_967_296.0, (self.count & 0xffff_ffff) as f64] {
            push_product(&mut rest_of_mean, -part, mean);
            push_product(&mut total, part, square);
            push_product(&mut total, part, error);
        }
        let off = rest_of_mean.to_f64();
        total.push(-off * (off / self.count as f64));
        let total = total.to_f64().max(0.0);
        let lost = self.count as f64 * LOST;
        if mean != 0.0 && mean.abs() < TINY && total < lost { f64::NAN } else { total }
    }

    /// The standard error of the mean; NaN of fewer than two samples, and where their [squares](Self::centred_squares) are not known.
    pub fn standard_error(&self) -> f64 {
        if self.count < 2 {
            return f64::NAN;
        }
        let n = self.count as f64;
        (self.centred_squares() / n / (n - 1.0)).sqrt()
    }
}

/// Means below which the square of a mean may underflow, and what underflow may take from a square, `2^30` times: what is larger is
/// known to nine digits.
const TINY: f64 = f64::from_bits((1023 - 480) << 52);
const LOST: f64 = f64::from_bits(1 << (1074 - 1043));

/// Rounds of importance sampling that make the grid, at most.
const WARM_UP: usize = 10;

/// A power of two that brings numbers to where their squares neither overflow nor underflow.
pub(super) fn scale_for_squares(values: impl Iterator<Item = f64>) -> f64 {
    let most = values.map(f64::abs).fold(0.0, f64::max);
    if most == 0.0 || most.is_infinite() {
        return 1.0;
    }
    f64::from_bits(((1023 - libm::ilogb(most).clamp(-1000, 1000)) as u64) << 52)
}

/// A product as the sum of two numbers: exact unless it underflows.
fn two_product(a: f64, b: f64) -> (f64, f64) {
    let product = a * b;
    (product, f64::mul_add(a, b, -product))
}

fn push_product(sum: &mut ExactSum, a: f64, b: f64) {
    let (product, error) = two_product(a, b);
    sum.push(product);
    if product.is_finite() {
        sum.push(error);
    }
}

/// An estimate of an integral.
#[derive(Debug, Clone, PartialEq)]
pub struct Integral {
    /// The volume times the mean of the integrand.
    pub estimate: f64,
    /// The estimate's standard error; NaN of fewer than two samples.
    pub standard_error: f64,
    /// Samples drawn.
    pub samples: u64,
    /// Whether the target error was reached; true where none was set.
    pub converged: bool,
    /// The sums behind the estimate: of importance sampling, those of weighted values.
    pub sums: IntegralSums,
    /// The volume of the box.
    pub volume: f64,
    /// Importance sampling: χ² per degree of freedom of the rounds' estimates about their mean. About 1 if they agree; much
    /// more says that some missed a part of the integrand, and that neither estimate nor error can be trusted.
    pub chi2_per_dof: Option<f64>,
    /// Sobol's points: the independent estimates whose spread is the error. Empty for other methods.
    pub replicates: Vec<f64>,
}

impl Integral {
    /// The estimate from its sums.
    pub fn new(sums: IntegralSums, volume: f64) -> Self {
        Self {
            estimate: volume * sums.mean(),
            standard_error: volume.abs() * sums.standard_error(),
            samples: sums.count,
            converged: true,
            sums,
            volume,
            chi2_per_dof: None,
            replicates: vec![],
        }
    }

    /// The same, with a target error reached or not.
    pub(crate) fn converging(self, converged: bool) -> Self {
        Self { converged, ..self }
    }

    /// The interval that holds the integral with this probability, by the central limit theorem; of Sobol's points Student's,
    /// with 31 degrees of freedom.
    ///
    /// # Errors
    /// [`Error::Invalid`] unless `0 < confidence < 1`.
    pub fn interval(&self, confidence: f64) -> Result<Range<f64>> {
        if !(confidence > 0.0 && confidence < 1.0) {
            return Err(Error::invalid("confidence", confidence, "a number between 0 and 1, such as 0.95"));
        }
        let z = normal_quantile(confidence);
        let z = if self.replicates.is_empty() { z } else { students(z, (self.replicates.len() - 1) as f64) };
        let reach = z * self.standard_error;
        Ok(self.estimate - reach..self.estimate + reach)
    }
}

/// Rounds of importance sampling that are over, as a run to a target looks at them, again and again.
#[derive(Debug, Clone, Default)]
pub(super) struct Rounds {
    all: IntegralSums,
    /// Mean and error of each that has one.
    known: Vec<(f64, f64)>,
}

impl Rounds {
    pub(super) fn of(rounds: &[IntegralSums]) -> Self {
        let mut all = Self::default();
        rounds.iter().for_each(|sums| all.push(sums));
        all
    }

    /// Rounds without any variance have seen nothing of the integrand beside one value: they count only where there are no others.
    pub(super) fn push(&mut self, sums: &IntegralSums) {
        self.all.merge(sums);
        let error = sums.standard_error();
        if error != 0.0 {
            self.known.push((sums.mean(), error));
        }
    }

    /// The mean of those after the first half, of which the grid was still in the making, at most ten. They weigh alike: weights
    /// from their own variances would favour the rounds that saw little of what varies most, and put estimates off by several of
    /// the errors that they report.
    pub(super) fn integral(&self, volume: f64) -> Integral {
        let (all, known) = (Integral::new(self.all.clone(), volume), &self.known);
        if known.is_empty() {
            return all;
        }
        let late = &known[(known.len() / 2).min(WARM_UP)..];
        let n = late.len() as f64;
        let mean = late.iter().map(|(mean, _)| mean).sum::<f64>() / n;
        let scale = scale_for_squares(late.iter().map(|(_, error)| *error));
        let variance = late.iter().map(|(_, error)| (error * scale) * (error * scale)).sum::<f64>() / (n * n);
        let chi2: f64 = late.iter().map(|(value, error)| ((value - mean) / error) * ((value - mean) / error)).sum();
        Integral {
            estimate: volume * mean,
            standard_error: volume.abs() * (variance.sqrt() / scale),
            chi2_per_dof: (late.len() > 1).then(|| chi2 / (n - 1.0)),
            ..all
        }
    }
}

/// The z with `P(|Z| < z) = confidence`, by bisection of the error function.
fn normal_quantile(confidence: f64) -> f64 {
    let outside = 1.0 - confidence;
    bisect(40.0, |z| libm::erfc(z / std::f64::consts::SQRT_2) > outside)
}

/// Where a condition that holds from 0 on ends.
fn bisect(high: f64, holds: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0f64, high);
    while high - low > 1e-12 * high {
        let middle = 0.5 * (low + high);
        if holds(middle) { low = middle } else { high = middle }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_the_tables() {
        for (confidence, z) in [(0.5, 0.6744897501960817), (0.95, 1.959963984540054), (0.999, 3.290526731491926)] {
            assert!((normal_quantile(confidence) - z).abs() < 1e-10, "{confidence}");
        }
    }

    #[test]
    fn late_rounds_weigh_alike() {
        let of = |values: &[f64]| {
            let mut sums = IntegralSums { count: values.len() as u64, ..IntegralSums::default() };
            values.iter().for_each(|&value| {
                sums.sum.push(value);
                sums.squares.push(value * value);
            });
            sums
        };
        // Means 2 and 3, variances 1 and 4 of the means, after one that made the grid and one that saw nothing.
        let rounds = [of(&[7.0, 9.0]), of(&[0.0, 0.0]), of(&[1.0, 3.0]), of(&[1.0, 5.0])];
        let integral = Rounds::of(&rounds).integral(10.0);
        assert!((integral.estimate - 25.0).abs() < 1e-12 && (integral.standard_error - 10.0 * 1.25f64.sqrt()).abs() < 1e-12);
        assert!((integral.chi2_per_dof.unwrap() - (0.25 + 0.25 / 4.0)).abs() < 1e-12 && integral.samples == 8);
        let nothing = Rounds::of(&rounds[1..2]).integral(10.0);
        assert_eq!((nothing.estimate, nothing.standard_error, nothing.chi2_per_dof), (0.0, 0.0, None));
    }

    #[test]
    fn squares_that_underflow_are_no_variance() {
        let of = |values: &[f64]| {
            let mut sums = IntegralSums { count: values.len() as u64, ..IntegralSums::default() };
            for &value in values {
                sums.sum.push(value);
                push_product(&mut sums.squares, value, value);
            }
            sums
        };
        for (scale, known) in [(1e-150, true), (1e-156, true), (1e-158, false), (1e-200, false), (5e-324, false), (1e160, false)]
        {
            let error = of(&[scale, 3.0 * scale]).standard_error();
            assert!(if known { (error / scale - 1.0).abs() < 1e-8 } else { error.is_nan() }, "{scale:e}: {error:e}");
            let rounds = [of(&[scale, 3.0 * scale]), of(&[2.0 * scale, 4.0 * scale])];
            assert_eq!(Rounds::of(&rounds).integral(1.0).standard_error.is_nan(), !known, "{scale:e}");
        }
        assert_eq!((of(&[0.0; 3]).standard_error(), of(&[1.0; 3]).standard_error()), (0.0, 0.0));
    }

    #[test]
    fn the_error_survives_cancellation() {
        // Values 2^20 + {0, 2^-32}: the variance is far below the rounding of the squares.
        let mut sums = IntegralSums::default();
        for i in 0..1000 {
            let value = 1048576.0 + if i % 2 == 0 { 0.0 } else { 2f64.powi(-32) };
            sums.count += 1;
            sums.sum.push(value);
            push_product(&mut sums.squares, value, value);
        }
        let expected = 1000.0 * 2f64.powi(-33).powi(2);
        let got = sums.centred_squares();
        assert!((got / expected - 1.0).abs() < 1e-9, "{got:e} {expected:e}");
    }
}
