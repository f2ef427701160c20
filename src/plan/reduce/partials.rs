//! Partial results that merge exactly.

use super::{FloatProduct, IntegerProduct, NormOrder, ReduceOp, ReducePlan, first_extreme};
use crate::exact::{ExactDot, Moments};
use crate::{Error, ExactSum, Result};

/// Mergeable partial results of a reduction, one per result: exactly associative and commutative, but for
/// [`FloatProduct`] and [`Fast`](Self::Fast), which round.
#[derive(Debug, Clone, PartialEq)]
pub enum Partials {
    /// Sums, means and sums of magnitudes of floats.
    Float(Vec<ExactSum>),
    /// Sums, means and sums of magnitudes of integers.
    Integer(Vec<i128>),
    /// Products of integers.
    IntegerProduct(Vec<IntegerProduct>),
    /// Products of floats.
    FloatProduct(Vec<FloatProduct>),
    /// The order key (an unsigned integer that grows with the value) of the smallest or largest element; `None` before the first.
    Extreme(Vec<Option<u64>>),
    /// The order key, −0 counted as 0, and the index of the first smallest or largest element.
    Arg(Vec<Option<(u64, u64)>>),
    /// The order keys of the smallest and the largest element.
    Range(Vec<Option<(u64, u64)>>),
    /// The number of nonzero elements.
    Count(Vec<u64>),
    /// Counts, sums and sums of squares.
    Moments(Vec<Moments>),
    /// Sums of products and of squares.
    Dot(Vec<ExactDot>),
    /// Plain sums.
    Fast(Vec<f64>),
    /// Any of the above of the elements that a mask or NaN left, and how many they were.
    Counted(Box<Partials>, Vec<u64>),
}

impl ReducePlan {
    /// The partials of nothing, one per result.
    pub fn empty_partials(&self) -> Partials {
        let (n, float) = (self.out_len(), self.dtype.is_float());
        let partials = match self.op {
            _ if self.is_fast() => Partials::Fast(vec![0.0; n]),
            ReduceOp::Sum | ReduceOp::Mean | ReduceOp::Norm(NormOrder::One) if float => Partials::Float(vec![ExactSum::new(); n]),
            ReduceOp::Norm(NormOrder::Power(_)) => Partials::Float(vec![ExactSum::new(); n]),
            ReduceOp::Sum | ReduceOp::Mean | ReduceOp::Norm(NormOrder::One) => Partials::Integer(vec![0; n]),
            ReduceOp::Product if float => Partials::FloatProduct(vec![FloatProduct::ONE; n]),
            ReduceOp::Product => Partials::IntegerProduct(vec![IntegerProduct::ONE; n]),
            ReduceOp::Min | ReduceOp::Max | ReduceOp::Norm(NormOrder::Max | NormOrder::Min) => Partials::Extreme(vec![None; n]),
            ReduceOp::ArgMin | ReduceOp::ArgMax => Partials::Arg(vec![None; n]),
            ReduceOp::Ptp => Partials::Range(vec![None; n]),
            ReduceOp::Any | ReduceOp::All | ReduceOp::CountNonzero | ReduceOp::Norm(NormOrder::Zero) => {
                Partials::Count(vec![0; n])
            }
            ReduceOp::Var | ReduceOp::Std => Partials::Moments(vec![Moments::new(); n]),
            ReduceOp::Dot | ReduceOp::Norm(NormOrder::Two) => Partials::Dot(vec![ExactDot::new(); n]),
        };
        if self.is_counted() { Partials::Counted(Box::new(partials), vec![0; n]) } else { partials }
    }
}

impl Partials {
    /// Adds the partials of another part of the same input; `index_offset` is added to the indices of `other`
    /// ([`ReducePlan::index_offset`]).
    ///
    /// # Errors
    /// [`Error::Invalid`] if the two are not partials of the same reduction.
    pub fn merge(&mut self, other: &Self, op: ReduceOp, index_offset: u64) -> Result<()> {
        fn each<T, U>(a: &mut [T], b: &[U], f: impl Fn(&mut T, &U)) -> bool {
            a.len() == b.len() && a.iter_mut().zip(b).map(|(a, b)| f(a, b)).count() == b.len()
        }
        let smaller = op.is_smaller();
        let same = match (&mut *self, other) {
            (Self::Float(a), Self::Float(b)) => each(a, b, |a, b| a.merge(b)),
            (Self::Integer(a), Self::Integer(b)) => each(a, b, |a, b| *a += b),
            (Self::IntegerProduct(a), Self::IntegerProduct(b)) => each(a, b, |a, b| a.merge(*b)),
            (Self::FloatProduct(a), Self::FloatProduct(b)) => each(a, b, |a, b| a.merge(*b)),
            (Self::Extreme(a), Self::Extreme(b)) => each(a, b, |a, b| {
                *a = match (*a, *b) {
                    (Some(x), Some(y)) => Some(if smaller { x.min(y) } else { x.max(y) }),
                    (x, y) => x.or(y),
                }
            }),
            (Self::Arg(a), Self::Arg(b)) => each(a, b, |a, b| {
                let b = b.map(|(key, index)| (key, index + index_offset));
                *a = match (*a, b) {
                    (Some(x), Some(y)) => Some(first_extreme(x, y, smaller)),
                    (x, y) => x.or(y),
                }
            }),
            (Self::Range(a), Self::Range(b)) => each(a, b, |a, b| *a = range(*a, *b)),
            (Self::Count(a), Self::Count(b)) => each(a, b, |a, b| *a += b),
            (Self::Moments(a), Self::Moments(b)) => each(a, b, |a, b| a.merge(b)),
            (Self::Dot(a), Self::Dot(b)) => each(a, b, |a, b| a.merge(b)),
            (Self::Fast(a), Self::Fast(b)) => each(a, b, |a, b| *a += b),
            (Self::Counted(a, counts), Self::Counted(b, more)) => {
                a.merge(b, op, index_offset)?;
                each(counts, more, |a, b| *a += b)
            }
            _ => false,
        };
        if same {
            Ok(())
        } else {
            Err(Error::invalid("partials", "two of different kind or length", "partials of one reduction"))
        }
    }
}

/// The smallest and the largest of both.
pub(crate) fn range(x: Option<(u64, u64)>, y: Option<(u64, u64)>) -> Option<(u64, u64)> {
    match (x, y) {
        (Some(x), Some(y)) => Some((x.0.min(y.0), x.1.max(y.1))),
        (x, y) => x.or(y),
    }
}
