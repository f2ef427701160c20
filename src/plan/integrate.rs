//! Integrals by Monte Carlo: which samples, and what the sums of the integrand say.

use std::ops::Range;
use std::sync::Arc;

use super::map::{bind, check_dtype};
use crate::expr::lower::{Binding, Program};
use crate::{Dtype, Error, ExactSum, Expression, Result};

/// An integral over a box, and how well it is to be known.
///
/// ```
/// use unisono::{Backend, Integrate};
/// # fn main() -> unisono::Result<()> {
/// let how = Integrate::new("exp(-(x*x + y*y))", &[("x", 0.0, 1.0), ("y", 0.0, 1.0)])?.samples(100_000).seed(42);
/// let integral = Backend::cpu().integrate(&how)?;
/// assert!((integral.estimate - 0.557746).abs() < 4.0 * integral.standard_error);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Integrate {
    expression: Arc<Expression>,
    bounds: Vec<(String, f64, f64)>,
    params: Vec<(String, f64)>,
    dtype: Dtype,
    seed: u64,
    pub(crate) samples: u64,
    pub(crate) absolute: f64,
    pub(crate) relative: f64,
    pub(crate) round: u64,
}

impl Integrate {
    /// The integral of a text over `(name, from, to)` of every coordinate.
    ///
    /// # Errors
    /// As [`Expression::new`].
    pub fn new(text: &str, bounds: &[(&str, f64, f64)]) -> Result<Self> {
        Ok(Self {
            expression: Arc::new(Expression::new(text)?),
            bounds: bounds.iter().map(|&(name, from, to)| (name.into(), from, to)).collect(),
            params: vec![],
            dtype: Dtype::F32,
            seed: 0,
            samples: 1 << 20,
            absolute: 0.0,
            relative: 0.0,
            round: 1 << 18,
        })
    }

    /// The value of a parameter.
    pub fn param(mut self, name: &str, value: f64) -> Self {
        self.params.retain(|(known, _)| known != name);
        self.params.push((name.into(), value));
        self
    }

    /// Samples to draw; with a target error, at most. 2^20 by default.
    pub fn samples(mut self, samples: u64) -> Self {
        self.samples = samples;
        self
    }

    /// The seed, 0 by default.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The dtype that coordinates and integrand are computed in: float32 (the default) or float64. It is part of the
    /// problem: another dtype has other samples.
    pub fn dtype(mut self, dtype: Dtype) -> Self {
        self.dtype = dtype;
        self
    }

    /// Stops after the first round with a standard error of at most this.
    pub fn absolute_error(mut self, error: f64) -> Self {
        self.absolute = error;
        self
    }

    /// Stops after the first round with a standard error of at most this share of the estimate.
    pub fn relative_error(mut self, error: f64) -> Self {
        self.relative = error;
        self
    }

    /// Samples of a round, 2^18 by default: the error is looked at after each, so that where it stops does not depend on
    /// the device.
    pub fn round(mut self, samples: u64) -> Self {
        self.round = samples;
        self
    }

    /// Whether a target error is set.
    pub(crate) fn has_target(&self) -> bool {
        self.absolute > 0.0 || self.relative > 0.0
    }

    /// Whether the integral is known as well as asked for.
    pub(crate) fn is_met(&self, integral: &Integral) -> bool {
        let error = integral.standard_error;
        self.has_target() && (error <= self.absolute || error <= self.relative * integral.estimate.abs())
    }
}

/// Samples of an [`Integrate`], addressed by their index: any cut gives the same sums.
#[derive(Debug, Clone, PartialEq)]
pub struct IntegratePlan {
    pub(crate) expression: Arc<Expression>,
    pub(crate) bindings: Vec<Binding>,
    pub(crate) program: Arc<Program>,
    /// Where every coordinate starts and ends.
    pub bounds: Vec<[f64; 2]>,
    /// The dtype computed in.
    pub dtype: Dtype,
    /// The seed: Philox's key, low word first.
    pub seed: u64,
    /// The indices of the samples.
    pub samples: Range<u64>,
}

impl IntegratePlan {
    /// Plans the samples of a range.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a range that ends before it starts, no coordinate, bounds that are not finite, errors below 0,
    /// names without a value, with two, or unknown; [`Error::Dtype`] for other dtypes than float32 and float64.
    pub fn new(how: &Integrate, samples: Range<u64>) -> Result<Self> {
        check_dtype(how.dtype)?;
        if samples.end < samples.start {
            return Err(Error::invalid("sample range", format!("{samples:?}"), "an end not before the start"));
        }
        if how.bounds.is_empty() || how.bounds.len() > 1 << 16 {
            return Err(Error::invalid("bounds", format!("{} of them", how.bounds.len()), "1 to 65,536, one per coordinate"));
        }
        for &(ref name, from, to) in &how.bounds {
            let width = to - from;
            let fits = |x: f64| if how.dtype == Dtype::F32 { (x as f32).is_finite() } else { x.is_finite() };
            if !(fits(from) && fits(to) && fits(width)) {
                let expected = format!("finite bounds, and a finite distance between them, in {}", how.dtype);
                return Err(Error::invalid(format!("bounds of `{name}`"), format!("{from} to {to}"), expected));
            }
        }
        for (what, error) in [("absolute error", how.absolute), ("relative error", how.relative)] {
            if error.is_nan() || error < 0.0 {
                return Err(Error::invalid(what, error, "a number of at least 0"));
            }
        }
        if how.round == 0 {
            return Err(Error::invalid("samples of a round", 0, "at least 1"));
        }
        let names: Vec<&str> = how.bounds.iter().map(|(name, ..)| name.as_str()).collect();
        let bindings = bind(&how.expression, &names, "coordinate", &how.params)?;
        let program = Arc::new(Program::new(&how.expression, &bindings, names.len()));
        let bounds = how.bounds.iter().map(|&(_, from, to)| [from, to]).collect();
        Ok(Self { expression: how.expression.clone(), bindings, program, bounds, dtype: how.dtype, seed: how.seed, samples })
    }

    /// The number of samples.
    pub fn len(&self) -> u64 {
        self.samples.end - self.samples.start
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The samples in `range`, which counts from the first of this plan.
    pub fn part(&self, range: Range<u64>) -> Self {
        let start = self.samples.start;
        Self { samples: start + range.start..start + range.end, ..self.clone() }
    }

    /// Operations on elements, those that make the coordinates included: the unit of cost.
    pub(crate) fn work(&self) -> u64 {
        self.len().saturating_mul(self.program.cost() + 8 * self.bounds.len() as u64)
    }

    /// The volume of the box.
    pub fn volume(&self) -> f64 {
        self.bounds.iter().map(|[from, to]| to - from).product()
    }
}

/// Words of Philox that a sample takes: a block holds four samples of one coordinate, two of two, one of three or four;
/// beyond, a sample takes whole blocks.
///
/// Frozen: word `w` of sample `s` is word `(s mod k) · n + w` of the block with counter `(s div k, 0, 1)` where `n ≤ 4` words
/// make a sample and `k = 4 / n`, and word `w mod 4` of the block with counter `(s, w div 4, 1)` otherwise.
pub(crate) fn words_per_sample(dimensions: usize) -> usize {
    if dimensions <= 4 { dimensions.next_power_of_two() } else { dimensions.next_multiple_of(4) }
}

/// The exact sums of an integrand and of its square over some samples: mergeable in any order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IntegralSums {
    /// Samples.
    pub count: u64,
    /// The sum.
    pub sum: ExactSum,
    /// The sum of squares.
    pub squares: ExactSum,
}

impl IntegralSums {
    /// Adds the sums over other samples.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum.merge(&other.sum);
        self.squares.merge(&other.squares);
    }

    /// The mean; NaN of nothing.
    pub fn mean(&self) -> f64 {
        self.sum.mean_f64(self.count)
    }

    /// `Σ (f − mean)²` without cancellation, even where all values are nearly the same: about the rounded mean `m` the products
    /// are added exactly, and what its rounding adds, `(Σf − n m)² / n`, is taken off.
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
        total.to_f64().max(0.0)
    }

    /// The standard error of the mean; NaN of fewer than two samples.
    pub fn standard_error(&self) -> f64 {
        if self.count < 2 {
            return f64::NAN;
        }
        let n = self.count as f64;
        (self.centred_squares() / n / (n - 1.0)).sqrt()
    }
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
    /// The sums behind the estimate.
    pub sums: IntegralSums,
    /// The volume of the box.
    pub volume: f64,
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
        }
    }

    /// The interval that holds the integral with this probability, by the central limit theorem.
    ///
    /// # Errors
    /// [`Error::Invalid`] unless `0 < confidence < 1`.
    pub fn interval(&self, confidence: f64) -> Result<Range<f64>> {
        if !(confidence > 0.0 && confidence < 1.0) {
            return Err(Error::invalid("confidence", confidence, "a number between 0 and 1, such as 0.95"));
        }
        let reach = normal_quantile(confidence) * self.standard_error;
        Ok(self.estimate - reach..self.estimate + reach)
    }
}

/// The z with `P(|Z| < z) = confidence`, by bisection of the error function.
fn normal_quantile(confidence: f64) -> f64 {
    let (mut low, mut high) = (0.0f64, 40.0f64);
    let outside = 1.0 - confidence;
    while high - low > 1e-12 * high {
        let middle = 0.5 * (low + high);
        if libm::erfc(middle / std::f64::consts::SQRT_2) > outside { low = middle } else { high = middle }
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
