//! The reductions by name, and as types.

use super::Reduce;
use crate::{Dtype, Error, Real, Result};

/// The reductions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReduceOp {
    /// The sum; of floats exact, rounded once.
    Sum,
    /// The product; of integers exact, of floats within `n · 2^-53` relative.
    Product,
    /// The smallest element; −0 before +0, NaN if there is one.
    Min,
    /// The largest element; +0 after −0, NaN if there is one.
    Max,
    /// The sum over the count, rounded once.
    Mean,
    /// The index of the first smallest element; ±0 are equal, the first NaN wins.
    ArgMin,
    /// The index of the first largest element; ±0 are equal, the first NaN wins.
    ArgMax,
    /// Whether any element is nonzero (NaN is).
    Any,
    /// Whether all elements are nonzero (NaN is).
    All,
    /// How many elements are nonzero (NaN is).
    CountNonzero,
    /// The variance `Σ(x − mean)² / (n − ddof)`: the exact value, rounded once.
    Var,
    /// The standard deviation: the square root of the exact variance, rounded once.
    Std,
    /// The largest element less the smallest, rounded once.
    Ptp,
    /// A norm of all elements as one vector.
    Norm(NormOrder),
    /// The sum of the products with the elements of a second array: exact, rounded once.
    Dot,
}

/// Which norm: `ord` of `numpy.linalg.norm` for vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NormOrder {
    /// The number of nonzero elements (`ord=0`).
    Zero,
    /// `Σ|x|`, exact, rounded once.
    One,
    /// `√Σx²`, the root of the exact sum, rounded once.
    Two,
    /// The largest magnitude (`ord=inf`), exact.
    Max,
    /// The smallest magnitude (`ord=-inf`), exact.
    Min,
    /// `(Σ|x|^p)^(1/p)` in binary64, the powers summed exactly.
    Power(Exponent),
}

/// The finite exponent of a general norm.
#[derive(Debug, Clone, Copy)]
pub struct Exponent(f64);

impl Exponent {
    /// 3.
    #[cfg(feature = "gpu")]
    pub(crate) const THREE: Self = Self(3.0);

    /// The value.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl PartialEq for Exponent {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for Exponent {}

impl std::hash::Hash for Exponent {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

impl NormOrder {
    /// The norm of order `p`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for NaN.
    pub fn new(p: f64) -> Result<Self> {
        match p {
            _ if p.is_nan() => Err(Error::invalid("order of a norm", p, "a number, inf or -inf")),
            0.0 => Ok(Self::Zero),
            1.0 => Ok(Self::One),
            2.0 => Ok(Self::Two),
            f64::INFINITY => Ok(Self::Max),
            f64::NEG_INFINITY => Ok(Self::Min),
            _ => Ok(Self::Power(Exponent(p))),
        }
    }
}

impl std::str::FromStr for NormOrder {
    type Err = Error;

    /// Reads `1`, `2`, `inf`, `-inf`, `0`, `3.5`.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::invalid("order of a norm", format!("{text:?}"), "a number, inf or -inf");
        Self::new(text.parse().map_err(|_| wrong())?)
    }
}

impl std::fmt::Display for NormOrder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Zero => f.write_str("0"),
            Self::One => f.write_str("1"),
            Self::Two => f.write_str("2"),
            Self::Max => f.write_str("inf"),
            Self::Min => f.write_str("-inf"),
            Self::Power(p) => write!(f, "{}", p.0),
        }
    }
}

impl ReduceOp {
    /// Every reduction of one array (but for general norms).
    pub const ALL: [Self; 18] = [
        Self::Sum,
        Self::Product,
        Self::Min,
        Self::Max,
        Self::Mean,
        Self::ArgMin,
        Self::ArgMax,
        Self::Any,
        Self::All,
        Self::CountNonzero,
        Self::Var,
        Self::Std,
        Self::Ptp,
        Self::Norm(NormOrder::Two),
        Self::Norm(NormOrder::One),
        Self::Norm(NormOrder::Max),
        Self::Norm(NormOrder::Min),
        Self::Norm(NormOrder::Zero),
    ];

    /// NumPy's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Product => "prod",
            Self::Min => "min",
            Self::Max => "max",
            Self::Mean => "mean",
            Self::ArgMin => "argmin",
            Self::ArgMax => "argmax",
            Self::Any => "any",
            Self::All => "all",
            Self::CountNonzero => "count_nonzero",
            Self::Var => "var",
            Self::Std => "std",
            Self::Ptp => "ptp",
            Self::Norm(_) => "norm",
            Self::Dot => "dot",
        }
    }

    /// The dtype of the result for elements of `dtype`, if none is asked for.
    pub const fn out_dtype(self, dtype: Dtype) -> Dtype {
        match self {
            Self::Sum | Self::Product | Self::Dot => match dtype {
                Dtype::F32 | Dtype::F64 => dtype,
                Dtype::Bool | Dtype::U8 | Dtype::U16 | Dtype::U32 | Dtype::U64 => Dtype::U64,
                _ => Dtype::I64,
            },
            Self::Min | Self::Max | Self::Ptp => dtype,
            Self::Mean | Self::Var | Self::Std | Self::Norm(_) => match dtype {
                Dtype::F32 => Dtype::F32,
                _ => Dtype::F64,
            },
            Self::ArgMin | Self::ArgMax | Self::CountNonzero => Dtype::U64,
            Self::Any | Self::All => Dtype::Bool,
        }
    }

    /// Whether the reduction of nothing has a value (0, 1, true, false; NaN for the mean, the variance and its root).
    pub const fn has_identity(self) -> bool {
        !matches!(
            self,
            Self::Min
                | Self::Max
                | Self::ArgMin
                | Self::ArgMax
                | Self::Ptp
                | Self::Norm(NormOrder::Max)
                | Self::Norm(NormOrder::Min)
        )
    }

    /// Whether the result is the index of an element.
    pub const fn is_arg(self) -> bool {
        matches!(self, Self::ArgMin | Self::ArgMax)
    }

    /// Whether the smaller of two candidates wins.
    pub(crate) const fn is_smaller(self) -> bool {
        matches!(self, Self::Min | Self::ArgMin | Self::Norm(NormOrder::Min))
    }
}

impl std::str::FromStr for ReduceOp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let text = if text == "product" { "prod" } else { text };
        let names = || {
            let mut names: Vec<_> = Self::ALL.map(Self::name).to_vec();
            names.dedup();
            names.join(", ")
        };
        Self::ALL
            .into_iter()
            .find(|op| op.name() == text)
            .ok_or_else(|| Error::invalid("reduction", format!("{text:?}"), names()))
    }
}

impl std::fmt::Display for ReduceOp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Norm(order) => write!(f, "norm of order {order}"),
            _ => f.write_str(self.name()),
        }
    }
}

/// A unit type that names a reduction and its result's type for elements of type `T`, as [`ReduceOp::out_dtype`] does.
pub trait Reduction<T: Real>: Copy + Into<ReduceOp> {
    /// The type of the result.
    type Output: Real;
}

macro_rules! reductions {
    ($($op:ident $make:ident: $T:ident => $out:ty;)*) => {
        /// The reductions as types.
        pub mod op {
            $(
                #[doc = concat!("[`ReduceOp::", stringify!($op), "`](super::ReduceOp::", stringify!($op), ").")]
                #[derive(Debug, Clone, Copy)]
                pub struct $op;
            )*

            /// [`ReduceOp::Norm`](super::ReduceOp::Norm).
            #[derive(Debug, Clone, Copy)]
            pub struct Norm(pub super::NormOrder);
        }
        $(
            impl From<op::$op> for ReduceOp {
                fn from(_: op::$op) -> Self {
                    Self::$op
                }
            }
            impl<$T: Real> Reduction<$T> for op::$op {
                type Output = $out;
            }
            impl Reduce<op::$op> {
                #[doc = concat!("[`ReduceOp::", stringify!($op), "`] over all axes.")]
                pub fn $make() -> Self {
                    Self::of(op::$op)
                }
            }
        )*
    };
}
reductions! {
    Sum sum: T => T::Sum;
    Product product: T => T::Sum;
    Min min: T => T;
    Max max: T => T;
    Mean mean: T => T::Mean;
    ArgMin argmin: T => u64;
    ArgMax argmax: T => u64;
    Any any: T => bool;
    All all: T => bool;
    CountNonzero count_nonzero: T => u64;
    Var var: T => T::Mean;
    Std std: T => T::Mean;
    Ptp ptp: T => T;
    Dot dot: T => T::Sum;
}

impl From<op::Norm> for ReduceOp {
    fn from(norm: op::Norm) -> Self {
        Self::Norm(norm.0)
    }
}

impl<T: Real> Reduction<T> for op::Norm {
    type Output = T::Mean;
}

impl Reduce<op::Norm> {
    /// [`ReduceOp::Norm`] over all axes.
    pub fn norm(order: NormOrder) -> Self {
        Self::of(op::Norm(order))
    }
}
