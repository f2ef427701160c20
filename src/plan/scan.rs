//! Scans: running sums, products and extremes.

use std::ops::Range;

use super::Lanes;
use crate::{Dtype, Error, ReduceOp, Result};

/// The scans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScanOp {
    /// Running sums: of floats each exact, rounded once.
    Sum,
    /// Running products: of integers exact, of floats within `n · 2^-53` relative.
    Product,
    /// Running minima; NaN from the first NaN on.
    Min,
    /// Running maxima; NaN from the first NaN on.
    Max,
}

impl ScanOp {
    /// Every scan.
    pub const ALL: [Self; 4] = [Self::Sum, Self::Product, Self::Min, Self::Max];

    /// The usual name: `cumsum`, `cumprod`, `cummin`, `cummax`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sum => "cumsum",
            Self::Product => "cumprod",
            Self::Min => "cummin",
            Self::Max => "cummax",
        }
    }

    /// The dtype of the result for elements of `dtype`: that of the reduction.
    pub const fn out_dtype(self, dtype: Dtype) -> Dtype {
        match self {
            Self::Sum => ReduceOp::Sum.out_dtype(dtype),
            Self::Product => ReduceOp::Product.out_dtype(dtype),
            Self::Min | Self::Max => dtype,
        }
    }

    /// Whether there is a value for nothing (0 or 1).
    pub const fn has_identity(self) -> bool {
        matches!(self, Self::Sum | Self::Product)
    }
}

impl std::fmt::Display for ScanOp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for ScanOp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|op| op.name() == text);
        found.ok_or_else(|| Error::invalid("scan", format!("{text:?}"), Self::ALL.map(Self::name).join(", ")))
    }
}

/// How to scan: the operation, the axis, and what the first result is. Plain data, built by chaining.
///
/// ```
/// use unisono::Scan;
/// let down = Scan::sum().axis(0);
/// let offsets = Scan::sum().exclusive();
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    pub(crate) op: ScanOp,
    pub(crate) axis: Option<isize>,
    pub(crate) first: First,
    pub(crate) reverse: bool,
    pub(crate) wrapping: bool,
    pub(crate) out_dtype: Option<Dtype>,
    pub(crate) skip_nan: bool,
}

/// What the results of a scan begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum First {
    /// The first element: result `i` is of elements `0..=i`.
    Inclusive,
    /// The value of nothing: result `i` is of elements `0..i`.
    Exclusive,
    /// The value of nothing, and one result more than there are elements.
    Initial,
}

impl Scan {
    /// `op` over all elements in C order, to a result of one axis.
    pub fn of(op: ScanOp) -> Self {
        Self { op, axis: None, first: First::Inclusive, reverse: false, wrapping: false, out_dtype: None, skip_nan: false }
    }

    /// Running sums.
    pub fn sum() -> Self {
        Self::of(ScanOp::Sum)
    }

    /// Running products.
    pub fn product() -> Self {
        Self::of(ScanOp::Product)
    }

    /// Running minima.
    pub fn min() -> Self {
        Self::of(ScanOp::Min)
    }

    /// Running maxima.
    pub fn max() -> Self {
        Self::of(ScanOp::Max)
    }

    /// Along this axis; a negative one counts from the last.
    pub fn axis(self, axis: isize) -> Self {
        Self { axis: Some(axis), ..self }
    }

    /// Each result without its own element: the first is the value of nothing. Sums and products only.
    pub fn exclusive(self) -> Self {
        Self { first: First::Exclusive, ..self }
    }

    /// The value of nothing in front of all results (the array API's `include_initial`). Sums and products only.
    pub fn include_initial(self) -> Self {
        Self { first: First::Initial, ..self }
    }

    /// From the last element to the first.
    pub fn reverse(self) -> Self {
        Self { reverse: true, ..self }
    }

    /// Integers wrap around (two's complement) where they do not fit; without it that is an error.
    pub fn wrapping(self) -> Self {
        Self { wrapping: true, ..self }
    }

    /// The dtype of the results, to which each exact value is rounded or narrowed once: of sums a float dtype, or an integer one
    /// for integers; of products one of the elements' kind.
    pub fn out_dtype(self, dtype: Dtype) -> Self {
        Self { out_dtype: Some(dtype), ..self }
    }

    /// Passes over NaN, as if it were 0 in sums and 1 in products. Sums and products only.
    pub fn skip_nan(self) -> Self {
        Self { skip_nan: true, ..self }
    }
}

/// One scan, ready for an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanPlan {
    /// The operation.
    pub op: ScanOp,
    /// The input: lanes along the axis, or one of everything.
    pub lanes: Lanes,
    /// Dtype of the result.
    pub out_dtype: Dtype,
    /// Shape of the result.
    pub shape: Vec<usize>,
    /// What the results begin with.
    pub first: First,
    /// Whether it goes from the last element to the first.
    pub reverse: bool,
    /// Whether integers wrap around.
    pub wrapping: bool,
    /// Whether NaN is passed over.
    pub skip_nan: bool,
}

impl ScanPlan {
    /// Checks `how` against an array of this dtype and shape.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an axis out of range and for a running extreme of nothing or without NaN, [`Error::Dtype`] for
    /// complex dtypes and for results that the operation has not.
    pub fn new(how: &Scan, dtype: Dtype, input: &[usize]) -> Result<Self> {
        let Scan { op, axis, first, reverse, wrapping, out_dtype, skip_nan } = *how;
        let lanes = Lanes::new(op.name(), dtype, input, axis.as_ref().map(std::slice::from_ref))?;
        let got = match first {
            First::Exclusive => Some("exclusive"),
            First::Initial => Some("include_initial"),
            First::Inclusive => skip_nan.then_some("skip_nan"),
        };
        if let Some(got) = got.filter(|_| !op.has_identity()) {
            return Err(Error::invalid(op.name(), got, "cumsum or cumprod: an extreme needs at least one element"));
        }
        let out_dtype = match op {
            ScanOp::Sum => super::reduce::out_dtype(ReduceOp::Sum, dtype, out_dtype)?,
            ScanOp::Product => super::reduce::out_dtype(ReduceOp::Product, dtype, out_dtype)?,
            ScanOp::Min => super::reduce::out_dtype(ReduceOp::Min, dtype, out_dtype)?,
            ScanOp::Max => super::reduce::out_dtype(ReduceOp::Max, dtype, out_dtype)?,
        };
        // Integers are no NaN.
        let skip_nan = skip_nan && dtype.is_float();
        let mut shape = if axis.is_some() { input.to_vec() } else { vec![lanes.len()] };
        if first == First::Initial {
            let at = if axis.is_some() { lanes.walked[0] } else { 0 };
            shape[at] += 1;
        }
        Ok(Self { op, out_dtype, lanes, shape, first, reverse, wrapping, skip_nan })
    }

    /// Whether the results are of the operation's own dtype, and NaN is not passed over.
    pub(crate) fn is_plain(&self) -> bool {
        self.out_dtype == self.op.out_dtype(self.lanes.dtype) && !self.skip_nan
    }

    /// The part of the plan in `range` along a kept axis, and that axis in the result.
    pub(super) fn narrow(&self, axis: usize, range: &Range<usize>) -> (Self, usize) {
        let mut part = Self { lanes: self.lanes.narrow(axis, range), ..self.clone() };
        part.shape[axis] = range.len();
        (part, axis)
    }
}
