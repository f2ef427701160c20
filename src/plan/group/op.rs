//! What is computed of each group.

use crate::plan::ReduceOp;
use crate::{Dtype, Error, Result};

/// What is computed of each group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GroupOp {
    /// The number of elements.
    Count,
    /// The sum; of floats exact, rounded once to float64.
    Sum,
    /// The mean, rounded once to float64; NaN for nothing.
    Mean,
    /// The variance `Σ(x − mean)² / (count − ddof)`, rounded once to float64; NaN for nothing.
    Var {
        /// What is taken off the count.
        ddof: u64,
    },
    /// The square root of the exact variance, rounded once to float64; NaN for nothing.
    Std {
        /// What is taken off the count.
        ddof: u64,
    },
    /// The median: the middle element or the mean of the middle two, rounded once to float64; NaN if there is one, and for
    /// nothing.
    Median,
    /// The smallest element; NaN if there is one, 0 for nothing.
    Min,
    /// The largest element; NaN if there is one, 0 for nothing.
    Max,
    /// The index of the first smallest element, in C order; 0 for nothing.
    ArgMin,
    /// The index of the first largest element, in C order; 0 for nothing.
    ArgMax,
}

impl GroupOp {
    /// Every operation, without degrees of freedom taken off.
    pub const ALL: [Self; 10] = [
        Self::Count,
        Self::Sum,
        Self::Mean,
        Self::Var { ddof: 0 },
        Self::Std { ddof: 0 },
        Self::Median,
        Self::Min,
        Self::Max,
        Self::ArgMin,
        Self::ArgMax,
    ];

    /// The usual name: `count`, `sum` …
    pub const fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Mean => "mean",
            Self::Var { .. } => "var",
            Self::Std { .. } => "std",
            Self::Median => "median",
            Self::Min => "min",
            Self::Max => "max",
            Self::ArgMin => "argmin",
            Self::ArgMax => "argmax",
        }
    }

    /// With this taken off the count, of variances and deviations; others stay as they are.
    pub const fn ddof(self, ddof: u64) -> Self {
        match self {
            Self::Var { .. } => Self::Var { ddof },
            Self::Std { .. } => Self::Std { ddof },
            other => other,
        }
    }

    /// The dtype of the result for values of `dtype`: float64 for sums and means of floats, as SciPy's.
    pub const fn out_dtype(self, dtype: Dtype) -> Dtype {
        match self {
            Self::Count | Self::ArgMin | Self::ArgMax => Dtype::U64,
            Self::Sum if dtype.is_float() => Dtype::F64,
            Self::Sum => ReduceOp::Sum.out_dtype(dtype),
            Self::Mean | Self::Var { .. } | Self::Std { .. } | Self::Median => Dtype::F64,
            Self::Min | Self::Max => dtype,
        }
    }

    /// Whether the results of parts of the data give those of all: so of everything but medians.
    pub const fn is_mergeable(self) -> bool {
        !matches!(self, Self::Median)
    }

    /// Whether there is nothing to say of a group without elements: NaN.
    pub(crate) const fn is_nan_of_nothing(self) -> bool {
        matches!(self, Self::Mean | Self::Var { .. } | Self::Std { .. } | Self::Median)
    }

    /// The reduction that merges its partials.
    pub(crate) const fn reduction(self) -> ReduceOp {
        match self {
            Self::Count => ReduceOp::CountNonzero,
            Self::Sum => ReduceOp::Sum,
            Self::Mean => ReduceOp::Mean,
            Self::Var { .. } => ReduceOp::Var,
            Self::Std { .. } => ReduceOp::Std,
            Self::Median => ReduceOp::Ptp,
            Self::Min => ReduceOp::Min,
            Self::Max => ReduceOp::Max,
            Self::ArgMin => ReduceOp::ArgMin,
            Self::ArgMax => ReduceOp::ArgMax,
        }
    }
}

impl std::str::FromStr for GroupOp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|op| op.name() == text);
        found.ok_or_else(|| Error::invalid("operation by group", format!("{text:?}"), Self::ALL.map(Self::name).join(", ")))
    }
}
