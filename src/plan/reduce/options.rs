//! How to reduce, as the caller says it.

use std::fmt;
use std::str::FromStr;

use crate::plan::Overflow;
use crate::{Dtype, Error, Result};

use super::ReduceOp;

/// How sums and means of floats are formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SumMode {
    /// The exact sum, rounded once: the same bits everywhere.
    #[default]
    Exact,
    /// Plain binary64 additions in the order that suits the device. **Not reproducible**: the bits depend on the device and
    /// its vector instructions, and large terms that cancel take the small ones with them. The error is at most
    /// `n · 2^-53 · Σ|x|` and the rounding of the result. Worth it only for data that lies in a cache; a device that gains
    /// nothing sums exactly, and so does every operation but `sum` and `mean`.
    Fast,
}

impl FromStr for SumMode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "exact" => Ok(Self::Exact),
            "fast" => Ok(Self::Fast),
            _ => Err(Error::invalid("mode", format!("{text:?}"), "exact or fast")),
        }
    }
}

impl fmt::Display for SumMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Exact { "exact" } else { "fast" })
    }
}

/// A number that a reduction starts from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scalar {
    /// An integer, exactly.
    Integer(i128),
    /// A float.
    Float(f64),
}

macro_rules! scalars {
    ($variant:ident: $($T:ty)*) => {$(impl From<$T> for Scalar {
        fn from(value: $T) -> Self { Self::$variant(value.into()) }
    })*};
}
scalars!(Integer: bool u8 i8 u16 i16 u32 i32 u64 i64 i128);
scalars!(Float: f32 f64);

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => value.fmt(f),
            Self::Float(value) => write!(f, "{value:?}"),
        }
    }
}

/// How to reduce: the operation, the axes, `keepdims` and the rest of what NumPy's reductions take. Plain data, built by
/// chaining.
///
/// ```
/// use unisono::Reduce;
/// let row_sums = Reduce::sum().axes(&[-1]).keepdims();
/// let spread = Reduce::std().ddof(1).skip_nan();
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Reduce<R = ReduceOp> {
    pub(crate) op: R,
    pub(crate) axes: Option<Vec<isize>>,
    pub(crate) keepdims: bool,
    pub(crate) ddof: u64,
    pub(crate) out_dtype: Option<Dtype>,
    pub(crate) initial: Option<Scalar>,
    pub(crate) overflow: Overflow,
    pub(crate) mode: SumMode,
    pub(crate) skip_nan: bool,
}

impl<R> Reduce<R> {
    /// `op` over all axes.
    pub fn of(op: R) -> Self {
        Self {
            op,
            axes: None,
            keepdims: false,
            ddof: 0,
            out_dtype: None,
            initial: None,
            overflow: Overflow::Error,
            mode: SumMode::Exact,
            skip_nan: false,
        }
    }

    /// The same options for another operation.
    pub fn retyped<S>(&self, op: S) -> Reduce<S> {
        Reduce {
            op,
            axes: self.axes.clone(),
            keepdims: self.keepdims,
            ddof: self.ddof,
            out_dtype: self.out_dtype,
            initial: self.initial,
            overflow: self.overflow,
            mode: self.mode,
            skip_nan: self.skip_nan,
        }
    }

    /// Over these axes only; a negative axis counts from the last.
    pub fn axes(self, axes: &[isize]) -> Self {
        Self { axes: Some(axes.to_vec()), ..self }
    }

    /// Leaves the reduced axes in the result with length 1.
    pub fn keepdims(self) -> Self {
        Self { keepdims: true, ..self }
    }

    /// What `var` and `std` take off the count: 1 for the unbiased estimate from a sample. Where nothing is left of it, the
    /// result is the exact numerator over 0: infinite, or NaN.
    pub fn ddof(self, ddof: u64) -> Self {
        Self { ddof, ..self }
    }

    /// The dtype of the result: the exact value is rounded or narrowed to it, once. Sums, products and dot products take
    /// any number (of floats: any float), means, variances, deviations and norms any float. With it, a typed result
    /// must be of that dtype: use [`reduce_into`](crate::Backend::reduce_into) or
    /// [`reduce_dyn`](crate::Backend::reduce_dyn).
    pub fn out_dtype(self, dtype: Dtype) -> Self {
        Self { out_dtype: Some(dtype), ..self }
    }

    /// One more element in front of each reduction: for sums, products, `min` and `max`.
    pub fn initial(self, value: impl Into<Scalar>) -> Self {
        Self { initial: Some(value.into()), ..self }
    }

    /// What becomes of an integer result that its dtype does not hold.
    pub fn overflow(self, overflow: Overflow) -> Self {
        Self { overflow, ..self }
    }

    /// How sums and means of floats are formed.
    pub fn mode(self, mode: SumMode) -> Self {
        Self { mode, ..self }
    }

    /// Passes over NaN, as NumPy's `nansum`, `nanmean`, `nanmin` … do. Of NaN alone: the result of nothing for sums and
    /// counts, NaN for means, variances and extremes, an error for `argmin` and `argmax`.
    pub fn skip_nan(self) -> Self {
        Self { skip_nan: true, ..self }
    }
}
