//! Quantiles: which order statistics, and what lies between two of them.

use std::ops::Range;

use super::Lanes;
use crate::{Dtype, Error, Result};

/// How a quantile between two elements is found: NumPy's methods, the first nine those of Hyndman and Fan, "Sample
/// quantiles in statistical packages", 1996.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum QuantileMethod {
    /// The smallest element that at least the share `q` of elements does not exceed (1).
    InvertedCdf,
    /// As that, the mean of two where the share is exact (2).
    AveragedInvertedCdf,
    /// The element of the nearest rank, the even one of two (3).
    ClosestObservation,
    /// Linear between elements at `k / n` (4).
    InterpolatedInvertedCdf,
    /// Linear between elements at `(k − 1/2) / n` (5).
    Hazen,
    /// Linear between elements at `k / (n + 1)` (6).
    Weibull,
    /// Linear between elements at `(k − 1) / (n − 1)` (7).
    #[default]
    Linear,
    /// Linear between elements at `(k − 1/3) / (n + 1/3)` (8).
    MedianUnbiased,
    /// Linear between elements at `(k − 3/8) / (n + 1/4)` (9).
    NormalUnbiased,
    /// The lower of the two elements of `Linear`.
    Lower,
    /// The higher of the two.
    Higher,
    /// Their midpoint.
    Midpoint,
    /// The nearer of the two.
    Nearest,
}

impl QuantileMethod {
    /// Every method.
    pub const ALL: [Self; 13] = [
        Self::InvertedCdf,
        Self::AveragedInvertedCdf,
        Self::ClosestObservation,
        Self::InterpolatedInvertedCdf,
        Self::Hazen,
        Self::Weibull,
        Self::Linear,
        Self::MedianUnbiased,
        Self::NormalUnbiased,
        Self::Lower,
        Self::Higher,
        Self::Midpoint,
        Self::Nearest,
    ];

    /// NumPy's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvertedCdf => "inverted_cdf",
            Self::AveragedInvertedCdf => "averaged_inverted_cdf",
            Self::ClosestObservation => "closest_observation",
            Self::InterpolatedInvertedCdf => "interpolated_inverted_cdf",
            Self::Hazen => "hazen",
            Self::Weibull => "weibull",
            Self::Linear => "linear",
            Self::MedianUnbiased => "median_unbiased",
            Self::NormalUnbiased => "normal_unbiased",
            Self::Lower => "lower",
            Self::Higher => "higher",
            Self::Midpoint => "midpoint",
            Self::Nearest => "nearest",
        }
    }

    /// Whether every quantile is an element, and so of the array's dtype.
    pub const fn is_discrete(self) -> bool {
        matches!(self, Self::InvertedCdf | Self::ClosestObservation | Self::Lower | Self::Higher | Self::Nearest)
    }

    /// The ranks (from 0) of the two elements that quantile `q` of `n > 0` lies between, and the weight of the second:
    /// NumPy's arithmetic in binary64, step by step.
    pub(crate) fn place(self, n: usize, q: f64) -> Place {
        let count = n as f64;
        let linear = (count - 1.0) * q;
        let between = |alpha: f64, beta: f64| count * q + (alpha + q * (1.0 - alpha - beta)) - 1.0;
        let element = |rank: f64| Place::new(n, rank, 0.0);
        let boundary = |index: f64, keep: fn(f64, f64) -> bool| {
            let previous = index.floor();
            element(if keep(index - previous, previous) { previous } else { previous + 1.0 })
        };
        let interpolated = |index: f64, weight: fn(f64) -> f64| Place::new(n, index, weight(index - index.floor()));
        match self {
            Self::InvertedCdf => boundary(count * q - 1.0, |rest, _| rest == 0.0),
            Self::AveragedInvertedCdf => interpolated(count * q - 1.0, |rest| if rest == 0.0 { 0.5 } else { 1.0 }),
            Self::ClosestObservation => {
                boundary(count * q - 1.0 - 0.5, |rest, previous| rest == 0.0 && previous.rem_euclid(2.0) == 1.0)
            }
            Self::InterpolatedInvertedCdf => interpolated(between(0.0, 1.0), |rest| rest),
            Self::Hazen => interpolated(between(0.5, 0.5), |rest| rest),
            Self::Weibull => interpolated(between(0.0, 0.0), |rest| rest),
            Self::Linear => interpolated(linear, |rest| rest),
            Self::MedianUnbiased => interpolated(between(1.0 / 3.0, 1.0 / 3.0), |rest| rest),
            Self::NormalUnbiased => interpolated(between(0.375, 0.375), |rest| rest),
            Self::Lower => element(linear.floor()),
            Self::Higher => element(linear.ceil()),
            Self::Midpoint => interpolated(0.5 * (linear.floor() + linear.ceil()), |rest| if rest == 0.0 { 0.0 } else { 0.5 }),
            Self::Nearest => element(linear.round_ties_even()),
        }
    }
}

impl std::fmt::Display for QuantileMethod {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for QuantileMethod {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|method| method.name() == text);
        found.ok_or_else(|| Error::invalid("quantile method", format!("{text:?}"), Self::ALL.map(Self::name).join(", ")))
    }
}

/// Two ranks and what lies between them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Place {
    /// The rank of the lower element.
    pub(crate) lower: usize,
    /// The rank of the upper one, the next or the same.
    pub(crate) upper: usize,
    /// The weight of the upper one.
    pub(crate) weight: f64,
}

impl Place {
    /// The place at a rank that may have a fraction and lie outside.
    fn new(n: usize, rank: f64, weight: f64) -> Self {
        // A cast of a float saturates, and gives 0 for what is negative.
        let lower = (rank.floor() as usize).min(n - 1);
        if rank < 0.0 || rank >= n as f64 - 1.0 || weight == 0.0 {
            return Self { lower, upper: lower, weight: 0.0 };
        }
        Self { lower, upper: lower + 1, weight }
    }

    /// The middle of `n > 0` elements.
    pub(crate) fn middle(n: usize) -> Self {
        Self { lower: (n - 1) / 2, upper: n / 2, weight: 0.5 }
    }
}

/// Which quantiles, over which axes. Plain data, built by chaining.
///
/// ```
/// use unisono::{Quantile, QuantileMethod};
/// let quartiles = Quantile::of(&[0.25, 0.5, 0.75]).axes(&[0]).method(QuantileMethod::Hazen);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Quantile {
    pub(crate) points: Vec<f64>,
    pub(crate) scalar: bool,
    pub(crate) method: Option<QuantileMethod>,
    pub(crate) axes: Option<Vec<isize>>,
    pub(crate) keepdims: bool,
    pub(crate) ignore_nan: bool,
}

impl Quantile {
    /// These quantiles, each in `0..=1`, over all axes: a first axis of the result.
    pub fn of(points: &[f64]) -> Self {
        let method = Some(QuantileMethod::default());
        Self { points: points.to_vec(), scalar: false, method, axes: None, keepdims: false, ignore_nan: false }
    }

    /// One quantile, without an axis for it.
    pub fn one(point: f64) -> Self {
        Self { scalar: true, ..Self::of(&[point]) }
    }

    /// The median: the middle element, or the mean of the middle two, rounded once.
    pub fn median() -> Self {
        Self { method: None, ..Self::one(0.5) }
    }

    /// Another method than `Linear`.
    pub fn method(self, method: QuantileMethod) -> Self {
        Self { method: Some(method), ..self }
    }

    /// Over these axes only; a negative axis counts from the last.
    pub fn axes(self, axes: &[isize]) -> Self {
        Self { axes: Some(axes.to_vec()), ..self }
    }

    /// Leaves the axes in the result with length 1.
    pub fn keepdims(self) -> Self {
        Self { keepdims: true, ..self }
    }

    /// Passes over NaN, instead of returning NaN where there is one.
    pub fn ignore_nan(self) -> Self {
        Self { ignore_nan: true, ..self }
    }
}

/// What a second array says of each element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Beside {
    /// Whether it counts: of bool.
    Mask,
    /// How much it counts: finite numbers that are not negative, of this dtype.
    Weights(Dtype),
}

impl Beside {
    /// The dtype of the array.
    pub const fn dtype(self) -> Dtype {
        match self {
            Self::Mask => Dtype::Bool,
            Self::Weights(dtype) => dtype,
        }
    }
}

/// Quantiles, ready for an engine.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantilePlan {
    /// The input.
    pub lanes: Lanes,
    /// The quantiles, in `0..=1`.
    pub points: Vec<f64>,
    /// The method; `None` for the median.
    pub method: Option<QuantileMethod>,
    /// Whether NaN is passed over.
    pub ignore_nan: bool,
    /// What a second array, broadcast to the first, tells, if there is one.
    pub beside: Option<Beside>,
    /// Dtype of the result.
    pub out_dtype: Dtype,
    /// Shape of the result: an axis for the quantiles unless there is one only, the kept axes.
    pub shape: Vec<usize>,
    scalar: bool,
    keepdims: bool,
}

impl QuantilePlan {
    /// Checks `how` against an array of this dtype and shape.
    ///
    /// # Errors
    /// [`Error::Invalid`] for axes out of range, quantiles outside `0..=1` and quantiles of nothing; [`Error::Dtype`] for
    /// complex dtypes.
    pub fn new(how: &Quantile, dtype: Dtype, input: &[usize]) -> Result<Self> {
        let lanes = Lanes::new("quantile", dtype, input, how.axes.as_deref())?;
        lanes.expect_elements(if how.method.is_none() { "median" } else { "quantile" })?;
        if let Some(point) = how.points.iter().find(|point| !(0.0..=1.0).contains(*point)) {
            return Err(Error::invalid("quantile", point, "a number from 0 to 1"));
        }
        let out_dtype = match how.method {
            Some(method) if method.is_discrete() => dtype,
            _ if dtype == Dtype::F32 => dtype,
            _ => Dtype::F64,
        };
        let mut shape = lanes.shape(how.keepdims);
        if !how.scalar {
            shape.insert(0, how.points.len());
        }
        let Quantile { method, ignore_nan, scalar, keepdims, .. } = *how;
        let beside = None;
        Ok(Self { lanes, points: how.points.clone(), method, ignore_nan, beside, out_dtype, shape, scalar, keepdims })
    }

    /// [`new`](Self::new) with a second array, of this shape: it is broadcast to that of the first.
    ///
    /// # Errors
    /// As [`new`](Self::new), and [`Error::Invalid`] for a shape that does not broadcast, and for weights with another method than
    /// [`InvertedCdf`](QuantileMethod::InvertedCdf); [`Error::Dtype`] for complex weights.
    pub fn beside(how: &Quantile, dtype: Dtype, input: &[usize], beside: Beside, shape: &[usize]) -> Result<Self> {
        let plan = Self::new(how, dtype, input)?;
        let what = if beside == Beside::Mask { "where" } else { "weights" };
        if !super::broadcasts(shape, input) {
            let expected = format!("one that broadcasts to {input:?}");
            return Err(Error::invalid(format!("shape of the {what}"), format!("{shape:?}"), expected));
        }
        if beside.dtype().is_complex() {
            return Err(Error::Dtype { what: what.into(), got: beside.dtype(), expected: "a real dtype".into() });
        }
        if beside != Beside::Mask && plan.method != Some(QuantileMethod::InvertedCdf) {
            let got = plan.method.map_or("median", QuantileMethod::name);
            return Err(Error::invalid("method with weights", got, "inverted_cdf"));
        }
        Ok(Self { beside: Some(beside), ..plan })
    }

    /// The elements that quantile `i` of `n` lies between.
    pub(crate) fn place(&self, n: usize, i: usize) -> Place {
        self.method.map_or_else(|| Place::middle(n), |method| method.place(n, self.points[i]))
    }

    /// The part of the plan in `range` along a kept axis, and that axis in the result.
    pub(super) fn narrow(&self, axis: usize, range: &Range<usize>) -> (Self, usize) {
        let at = self.lanes.place(axis, self.keepdims) + usize::from(!self.scalar);
        let mut part = Self { lanes: self.lanes.narrow(axis, range), ..self.clone() };
        part.shape[at] = range.len();
        (part, at)
    }
}
