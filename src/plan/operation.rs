//! Every operation that goes from arrays to arrays and is neither a convolution nor a reduction, as one value.

use std::ops::Range;

use super::{Lanes, LogSumExp, LogSumExpPlan, Quantile, QuantilePlan, Scan, ScanOp, ScanPlan, TopK, TopKPlan};
use crate::{Dtype, Result};

/// A scan, an order statistic …: a plan that an engine runs by [`Engine::operate`](crate::Engine::operate).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Operation {
    /// Running sums, products, extremes. One result.
    Scan(ScanPlan),
    /// Medians and other quantiles. One result.
    Quantile(QuantilePlan),
    /// The largest or smallest elements. Two results, elements and indices.
    TopK(TopKPlan),
    /// Logarithms of sums of exponentials; the factors, if any, are a second operand, the sign, if asked for, a second result.
    LogSumExp(LogSumExpPlan),
}

/// What operations of one rate have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OperationKind {
    /// Scans.
    Scan(ScanOp),
    /// Quantiles.
    Quantile,
    /// The largest or smallest elements.
    TopK,
    /// Logarithms of sums of exponentials.
    LogSumExp,
}

impl OperationKind {
    /// An operation of this kind on so many elements, to measure a device with.
    pub(crate) fn sample(self, dtype: Dtype, elements: usize) -> Result<Operation> {
        let shape = [elements];
        match self {
            Self::Scan(op) => ScanPlan::new(&Scan::of(op), dtype, &shape).map(Operation::Scan),
            Self::Quantile => QuantilePlan::new(&Quantile::median(), dtype, &shape).map(Operation::Quantile),
            Self::TopK => TopKPlan::new(&TopK::largest(elements.min(16)), dtype, &shape).map(Operation::TopK),
            Self::LogSumExp => LogSumExpPlan::new(&LogSumExp::new(), dtype, &shape, None).map(Operation::LogSumExp),
        }
    }
}

/// An operand or a result: its dtype and shape.
pub type Shape<'a> = (Dtype, &'a [usize]);

impl Operation {
    /// The usual name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Scan(plan) => plan.op.name(),
            Self::Quantile(plan) if plan.method.is_none() => "median",
            Self::Quantile(_) => "quantile",
            Self::TopK(_) => "topk",
            Self::LogSumExp(_) => "logsumexp",
        }
    }

    /// What its rate depends on, beside the dtype.
    pub fn kind(&self) -> OperationKind {
        match self {
            Self::Scan(plan) => OperationKind::Scan(plan.op),
            Self::Quantile(_) => OperationKind::Quantile,
            Self::TopK(_) => OperationKind::TopK,
            Self::LogSumExp(_) => OperationKind::LogSumExp,
        }
    }

    /// The first operand as lanes.
    pub fn lanes(&self) -> &Lanes {
        match self {
            Self::Scan(plan) => &plan.lanes,
            Self::Quantile(plan) => &plan.lanes,
            Self::TopK(plan) => &plan.lanes,
            Self::LogSumExp(plan) => &plan.lanes,
        }
    }

    /// Elements of the first operand: the unit of progress and of cost.
    pub fn work(&self) -> u64 {
        self.lanes().work()
    }

    /// The operands.
    pub fn operands(&self) -> Vec<Shape<'_>> {
        let lanes = self.lanes();
        let second = match self {
            Self::LogSumExp(plan) => plan.factors,
            Self::Quantile(plan) => plan.beside.map(super::Beside::dtype),
            _ => None,
        };
        [Some(lanes.dtype), second].into_iter().flatten().map(|dtype| (dtype, &lanes.input[..])).collect()
    }

    /// The results.
    pub fn results(&self) -> Vec<Shape<'_>> {
        match self {
            Self::Scan(plan) => vec![(plan.out_dtype, &plan.shape)],
            Self::Quantile(plan) => vec![(plan.out_dtype, &plan.shape)],
            Self::TopK(plan) => vec![(plan.lanes.dtype, &plan.shape), (Dtype::U64, &plan.shape)],
            Self::LogSumExp(plan) => vec![(plan.out_dtype, &plan.shape[..]); if plan.signed { 2 } else { 1 }],
        }
    }

    /// The part of the operation in `range` along a kept axis, and that axis in the results.
    pub(crate) fn narrow(&self, axis: usize, range: &Range<usize>) -> (Self, usize) {
        fn of<P>((plan, at): (P, usize), make: fn(P) -> Operation) -> (Operation, usize) {
            (make(plan), at)
        }
        match self {
            Self::Scan(plan) => of(plan.narrow(axis, range), Self::Scan),
            Self::Quantile(plan) => of(plan.narrow(axis, range), Self::Quantile),
            Self::TopK(plan) => of(plan.narrow(axis, range), Self::TopK),
            Self::LogSumExp(plan) => of(plan.narrow(axis, range), Self::LogSumExp),
        }
    }
}
