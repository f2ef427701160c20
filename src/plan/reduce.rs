//! Reductions: axes, dtypes, and partial results that merge exactly.

mod bytes;
mod finish;
mod operation;
mod options;
mod order;
mod partials;
mod products;
#[cfg(test)]
mod tests;

pub use operation::{Exponent, NormOrder, ReduceOp, Reduction, op};
pub use options::{Reduce, Scalar, SumMode};
pub use order::Ordered;
pub(crate) use order::first_extreme;
pub use partials::Partials;
pub(crate) use partials::range;
pub use products::{FloatProduct, IntegerProduct};

use std::ops::Range;

use super::Overflow;
use crate::{Dtype, Error, Result};

/// One reduction, ready for an engine.
#[derive(Debug, Clone, PartialEq)]
pub struct ReducePlan {
    /// The operation.
    pub op: ReduceOp,
    /// Dtype of the input.
    pub dtype: Dtype,
    /// Dtype of the result.
    pub out_dtype: Dtype,
    /// Shape of the input.
    pub input: Vec<usize>,
    /// The axes that stay, ascending.
    pub kept: Vec<usize>,
    /// The axes reduced over, ascending.
    pub reduced: Vec<usize>,
    /// Shape of the result, `keepdims` considered.
    pub shape: Vec<usize>,
    /// What is taken off the count under a variance.
    pub ddof: u64,
    /// One more element in front of each reduction.
    pub initial: Option<Scalar>,
    /// What becomes of an integer result that does not fit.
    pub overflow: Overflow,
    /// How sums of floats are formed.
    pub mode: SumMode,
    /// Whether NaN is passed over.
    pub skip_nan: bool,
    /// Whether a second input, of dtype bool and the first one's shape, says which elements count.
    pub masked: bool,
}

impl ReducePlan {
    /// Checks the axes against the input's shape, and the options against the operation.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an axis out of range or named twice, for `min`, `max`, `argmin`, `argmax` and `ptp` of
    /// nothing, and for an option that the operation does not take; [`Error::Dtype`] for a dtype that it does not take.
    pub fn new<R: Copy + Into<ReduceOp>>(how: &Reduce<R>, dtype: Dtype, input: &[usize]) -> Result<Self> {
        let (op, rank) = (how.op.into(), input.len());
        if dtype.is_complex() || (op == ReduceOp::Ptp && dtype == Dtype::Bool) {
            let expected = if op == ReduceOp::Ptp { "a real number's" } else { "a real dtype" };
            return Err(Error::Dtype { what: op.name().into(), got: dtype, expected: expected.into() });
        }
        let mut reduced = Vec::new();
        match &how.axes {
            None => reduced.extend(0..rank),
            Some(axes) => {
                for &axis in axes {
                    let index = if axis < 0 { axis.saturating_add(rank as isize) } else { axis };
                    if !(0..rank as isize).contains(&index) {
                        return Err(Error::invalid("axis", axis, format!("an axis of an array of rank {rank}")));
                    }
                    if reduced.contains(&(index as usize)) {
                        return Err(Error::invalid("axes", format!("{axes:?}"), "every axis once"));
                    }
                    reduced.push(index as usize);
                }
                reduced.sort_unstable();
            }
        }
        let kept: Vec<usize> = (0..rank).filter(|axis| !reduced.contains(axis)).collect();
        let shape = if how.keepdims {
            (0..rank).map(|axis| if reduced.contains(&axis) { 1 } else { input[axis] }).collect()
        } else {
            kept.iter().map(|&axis| input[axis]).collect()
        };
        let plan = Self {
            op,
            dtype,
            out_dtype: out_dtype(op, dtype, how.out_dtype)?,
            input: input.to_vec(),
            kept,
            reduced,
            shape,
            ddof: how.ddof,
            initial: how.initial,
            overflow: how.overflow,
            mode: how.mode,
            skip_nan: how.skip_nan && dtype.is_float(),
            masked: false,
        };
        plan.check_options()?;
        plan.check_initial()?;
        if !op.has_identity() && plan.initial.is_none() && plan.reduce_len() == 0 && plan.out_len() > 0 {
            let name = op.name();
            return Err(Error::invalid(format!("{name} of shape"), format!("{input:?}"), "at least one element to reduce"));
        }
        Ok(plan)
    }

    /// The same reduction of the elements that a mask of this dtype and shape (broadcast to the input's) selects.
    ///
    /// # Errors
    /// [`Error::Dtype`] for a mask that is not of bools, [`Error::Invalid`] for a shape that does not broadcast, for
    /// operations without a value for nothing (`min` and `max` take a mask together with an initial value), and for two
    /// inputs already.
    pub fn masked(mut self, dtype: Dtype, shape: &[usize]) -> Result<Self> {
        if dtype != Dtype::Bool {
            return Err(Error::Dtype { what: "where".into(), got: dtype, expected: "bool".into() });
        }
        self.expect_second("where", shape)?;
        let refused = self.op == ReduceOp::Dot || (!self.op.has_identity() && self.initial.is_none());
        if refused {
            let expected = match self.op {
                ReduceOp::Min | ReduceOp::Max => "an initial value too, for where nothing is selected",
                _ => "no mask: there may be nothing to choose from",
            };
            return Err(Error::invalid(format!("where for {}", self.op.name()), "a mask", expected));
        }
        self.masked = true;
        Ok(self)
    }

    /// Checks the second operand of a dot product: the same dtype, and a shape that broadcasts to the first one's.
    ///
    /// # Errors
    /// [`Error::Dtype`] and [`Error::Invalid`] accordingly.
    pub fn with_second(self, dtype: Dtype, shape: &[usize]) -> Result<Self> {
        if dtype != self.dtype {
            let expected = format!("{}, that of the first operand", self.dtype);
            return Err(Error::Dtype { what: "second operand".into(), got: dtype, expected });
        }
        self.expect_second("shape of the second operand", shape)?;
        Ok(self)
    }

    fn expect_second(&self, what: &str, shape: &[usize]) -> Result<()> {
        if super::broadcasts(shape, &self.input) {
            return Ok(());
        }
        Err(Error::invalid(what, format!("{shape:?}"), format!("one that broadcasts to {:?}", self.input)))
    }

    /// Refuses options that the operation does not look at, whatever the dtype.
    fn check_options(&self) -> Result<()> {
        let of = |option: &str| format!("{option} of {}", self.op.name());
        match self.op {
            ReduceOp::Var | ReduceOp::Std => {}
            _ if self.ddof == 0 => {}
            _ => return Err(Error::invalid(of("ddof"), self.ddof, "0: only var and std take one")),
        }
        match self.op {
            ReduceOp::Sum | ReduceOp::Product | ReduceOp::Ptp | ReduceOp::Dot => {}
            _ if self.overflow == Overflow::Error => {}
            _ => {
                return Err(Error::invalid(
                    of("overflow"),
                    self.overflow,
                    "error: only sum, prod, ptp and dot may wrap or saturate",
                ));
            }
        }
        match self.op {
            ReduceOp::Sum | ReduceOp::Mean => Ok(()),
            _ if self.mode == SumMode::Exact => Ok(()),
            _ => Err(Error::invalid(of("mode"), self.mode, "exact: only sum and mean may be fast")),
        }
    }

    fn check_initial(&self) -> Result<()> {
        let Some(initial) = self.initial else { return Ok(()) };
        let name = format!("initial value of {}", self.op.name());
        match (self.op, initial, self.dtype.integer_range()) {
            (ReduceOp::Sum | ReduceOp::Product, Scalar::Integer(_), _) => Ok(()),
            (ReduceOp::Sum | ReduceOp::Product, Scalar::Float(_), None) => Ok(()),
            (ReduceOp::Min | ReduceOp::Max, Scalar::Integer(value), Some((least, most))) if (least..=most).contains(&value) => {
                Ok(())
            }
            (ReduceOp::Min | ReduceOp::Max, _, None) => Ok(()),
            (ReduceOp::Sum | ReduceOp::Product | ReduceOp::Min | ReduceOp::Max, ..) => {
                Err(Error::invalid(name, initial, format!("a value of dtype {}", self.dtype)))
            }
            _ => Err(Error::invalid(name, initial, "none: only sum, prod, min and max take one")),
        }
    }

    /// The number of results.
    pub fn out_len(&self) -> usize {
        self.kept.iter().map(|&axis| self.input[axis]).product()
    }

    /// The number of elements behind each result.
    pub fn reduce_len(&self) -> usize {
        self.reduced.iter().map(|&axis| self.input[axis]).product()
    }

    /// Elements read: the unit of progress and of cost.
    pub fn work(&self) -> u64 {
        self.input.iter().map(|&n| n as u64).product()
    }

    /// How many inputs an engine gets: two for dot products and masked reductions.
    pub fn inputs(&self) -> usize {
        1 + usize::from(self.masked || self.op == ReduceOp::Dot)
    }

    /// Whether the partials say how many elements counted: a mask or NaN may have left out some.
    pub(crate) fn is_counted(&self) -> bool {
        self.masked || (self.skip_nan && !self.is_selection())
    }

    /// Whether the result is one of the elements, or where it is.
    pub(crate) fn is_selection(&self) -> bool {
        matches!(
            self.op,
            ReduceOp::Min
                | ReduceOp::Max
                | ReduceOp::ArgMin
                | ReduceOp::ArgMax
                | ReduceOp::Ptp
                | ReduceOp::Norm(NormOrder::Max | NormOrder::Min)
        )
    }

    /// Whether the result follows from the elements alone, in the dtype that the operation gives: no options to heed.
    pub(crate) fn is_plain(&self) -> bool {
        self.out_dtype == self.op.out_dtype(self.dtype)
            && self.initial.is_none()
            && self.overflow == Overflow::Error
            && !self.is_counted()
            && !self.skip_nan
            && !(self.mode == SumMode::Fast && self.is_fast())
    }

    /// Whether plain additions are asked for and make a difference.
    pub(crate) fn is_fast(&self) -> bool {
        self.mode == SumMode::Fast && self.dtype.is_float() && matches!(self.op, ReduceOp::Sum | ReduceOp::Mean)
    }

    /// The same reduction of the part of the input in `range` along `axis`. Along a kept axis its results are a part of
    /// the results; along the first reduced axis, partials of all of them.
    pub fn narrow(&self, axis: usize, range: Range<usize>) -> Self {
        let mut part = self.clone();
        part.input[axis] = range.len();
        let at = if self.shape.len() == self.input.len() { Some(axis) } else { self.kept.iter().position(|&k| k == axis) };
        if let (Some(at), true) = (at, self.kept.contains(&axis)) {
            part.shape[at] = range.len();
        }
        part
    }

    /// What to add to the arg-reduction indices of the part that starts at `start` along the first reduced axis.
    pub fn index_offset(&self, start: usize) -> u64 {
        start as u64 * self.reduced.iter().skip(1).map(|&axis| self.input[axis] as u64).product::<u64>()
    }
}

/// The dtype of the result: `wanted`, if the operation has such results.
pub(super) fn out_dtype(op: ReduceOp, dtype: Dtype, wanted: Option<Dtype>) -> Result<Dtype> {
    let natural = op.out_dtype(dtype);
    let Some(wanted) = wanted.filter(|&wanted| wanted != natural) else { return Ok(natural) };
    let float = matches!(wanted, Dtype::F32 | Dtype::F64);
    let integer = wanted.integer_range().is_some() && wanted != Dtype::Bool;
    let expected = match op {
        ReduceOp::Sum | ReduceOp::Dot if float || (integer && !dtype.is_float()) => return Ok(wanted),
        ReduceOp::Product if float == dtype.is_float() && (float || integer) => return Ok(wanted),
        ReduceOp::Mean | ReduceOp::Var | ReduceOp::Std | ReduceOp::Norm(_) if float => return Ok(wanted),
        ReduceOp::Sum | ReduceOp::Dot if dtype.is_float() => "float32 or float64: convert the elements for another".into(),
        ReduceOp::Sum | ReduceOp::Dot => "an integer or float dtype".into(),
        ReduceOp::Product if dtype.is_float() => "float32 or float64: convert the elements for another".into(),
        ReduceOp::Product => "an integer dtype: convert the elements to floats for another".into(),
        ReduceOp::Mean | ReduceOp::Var | ReduceOp::Std | ReduceOp::Norm(_) => "float32 or float64".into(),
        _ => natural.to_string(),
    };
    Err(Error::Dtype { what: format!("dtype of {}", op.name()), got: wanted, expected })
}
