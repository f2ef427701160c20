//! Logarithms of sums of exponentials.

use std::ops::Range;

use super::Lanes;
use crate::array::HostVec;
use crate::expr::binary64;
use crate::{Dtype, Error, Result};

/// `log Σ b · exp(x)` over which axes. Plain data, built by chaining.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogSumExp {
    pub(crate) axes: Option<Vec<isize>>,
    pub(crate) keepdims: bool,
    pub(crate) signed: bool,
}

impl LogSumExp {
    /// Over all axes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Over these axes only; a negative axis counts from the last.
    pub fn axes(self, axes: &[isize]) -> Self {
        Self { axes: Some(axes.to_vec()), ..self }
    }

    /// Leaves the axes in the result with length 1.
    pub fn keepdims(self) -> Self {
        Self { keepdims: true, ..self }
    }

    /// Two results: the logarithm of the magnitude, and the sign (−1, 0, 1). Without it the logarithm of a negative sum
    /// is NaN.
    pub fn signed(self) -> Self {
        Self { signed: true, ..self }
    }
}

/// A logarithm of sums, ready for an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSumExpPlan {
    /// The exponents, with the factors' shape.
    pub lanes: Lanes,
    /// Dtype of the factors, if there are any; exponents and factors are broadcast to each other.
    pub factors: Option<Dtype>,
    /// Whether the sign is a second result.
    pub signed: bool,
    /// Dtype of the result: float32 of float32, else float64.
    pub out_dtype: Dtype,
    /// Shape of the result.
    pub shape: Vec<usize>,
    keepdims: bool,
}

impl LogSumExpPlan {
    /// Checks `how` against exponents of this dtype and shape, and factors if there are any.
    ///
    /// # Errors
    /// [`Error::Invalid`] for axes out of range and factors that do not broadcast, [`Error::Dtype`] for complex dtypes.
    pub fn new(how: &LogSumExp, dtype: Dtype, input: &[usize], factors: Option<(Dtype, &[usize])>) -> Result<Self> {
        let mut whole = input.to_vec();
        if let Some((dtype, shape)) = factors {
            if dtype.is_complex() {
                return Err(Error::Dtype { what: "factors".into(), got: dtype, expected: "a real dtype".into() });
            }
            whole = super::broadcast(input, shape).ok_or_else(|| {
                let expected = format!("one that broadcasts with {input:?}");
                Error::invalid("shape of the factors", format!("{shape:?}"), expected)
            })?;
        }
        let lanes = Lanes::new("logsumexp", dtype, &whole, how.axes.as_deref())?;
        let factors = factors.map(|(dtype, _)| dtype);
        let narrow = [Some(dtype), factors].into_iter().flatten().all(|dtype| dtype == Dtype::F32);
        let out_dtype = if narrow { Dtype::F32 } else { Dtype::F64 };
        let shape = lanes.shape(how.keepdims);
        Ok(Self { lanes, factors, signed: how.signed, out_dtype, shape, keepdims: how.keepdims })
    }

    /// What is subtracted from the exponents of a lane: the largest, if it is a number.
    pub(crate) fn anchor(largest: f64) -> f64 {
        if largest.is_finite() { largest } else { 0.0 }
    }

    /// The logarithm and the sign of a sum, rounded to binary64, whose terms were divided by `exp(anchor(largest))`.
    pub(crate) fn finish(&self, largest: f64, sum: f64) -> (f64, f64) {
        let sign = if sum.is_nan() || sum == 0.0 { sum } else { sum.signum() };
        let negative = sign < 0.0 && !self.signed;
        (if negative { f64::NAN } else { Self::anchor(largest) + binary64::log(sum.abs()) }, sign)
    }

    /// The results of all lanes: logarithms, then signs.
    pub(crate) fn results(&self, lanes: &[(f64, f64)]) -> [HostVec; 2] {
        let pick = |which: &dyn Fn(&(f64, f64)) -> f64| match self.out_dtype {
            Dtype::F32 => HostVec::F32(lanes.iter().map(|lane| which(lane) as f32).collect()),
            _ => HostVec::F64(lanes.iter().map(which).collect()),
        };
        [pick(&|lane| lane.0), pick(&|lane| lane.1)]
    }

    /// The part of the plan in `range` along a kept axis, and that axis in the results.
    pub(super) fn narrow(&self, axis: usize, range: &Range<usize>) -> (Self, usize) {
        let at = self.lanes.place(axis, self.keepdims);
        let mut part = Self { lanes: self.lanes.narrow(axis, range), ..self.clone() };
        part.shape[at] = range.len();
        (part, at)
    }
}
