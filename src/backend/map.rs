//! Expressions over arrays.

use std::sync::Arc;

use super::{Backend, deliver, wrap};
use crate::array::{Array, AsOperand, DynArray, Operand, Output, Storage};
use crate::engine::{Target, Work};
use crate::plan::{Map, MapPlan, Reduce, ReduceOp, ReducePlan, Reduction};
use crate::{Element, Error, Real, Result};

impl Backend {
    /// Evaluates an expression at every element of some arrays, which are broadcast as in NumPy, in one pass: `scale*(a - b)**2`
    /// over `[("a", &a), ("b", &b)]`.
    ///
    /// **Numerics.** As [`Expression`](crate::Expression): the same bits on every device. Work:
    /// elements × operations.
    ///
    /// # Errors
    /// [`Error::Invalid`] for names and shapes that do not fit ([`MapPlan::new`]), and the failures of the device.
    pub fn map<T: Float>(&self, how: &Map, arrays: &[(&str, &dyn AsOperand<Elem = T>)]) -> Result<Array<T>> {
        self.map_dyn(&how.clone().dtype(T::DTYPE), &operands(arrays))?.typed()
    }

    /// [`map`](Self::map) with dtypes erased: arrays of any real dtypes, computed in [`Map::dtype`].
    ///
    /// # Errors
    /// As [`map`](Self::map).
    pub fn map_dyn(&self, how: &Map, arrays: &[(&str, Operand<'_>)]) -> Result<DynArray> {
        let plan = plan_map(how, arrays)?;
        self.control.expect(plan.work());
        let storage = self.engine.map(&plan, &inputs(arrays), Target::Device(None), &self.control)?;
        wrap(plan.dtype, plan.shape, storage)
    }

    /// [`map_dyn`](Self::map_dyn) into `out`.
    ///
    /// # Errors
    /// As [`map`](Self::map), and if `out` has another shape than the result, or another dtype than the one computed in.
    pub fn map_dyn_into(&self, how: &Map, arrays: &[(&str, Operand<'_>)], out: Output<'_>) -> Result<()> {
        let plan = plan_map(how, arrays)?;
        self.control.expect(plan.work());
        deliver(plan.dtype, &plan.shape, out, |target| self.engine.map(&plan, &inputs(arrays), target, &self.control))
    }

    /// Evaluates an expression at every element and reduces the results to one, in the same pass: `(a - b)**2` to a sum.
    ///
    /// **Numerics.** The results as in [`map`](Self::map), their reduction as in [`reduce`](Self::reduce): sums and means are
    /// exact sums of the results, rounded once. Nothing of the size of the arrays is written to memory.
    ///
    /// # Errors
    /// As [`map`](Self::map) and [`reduce`](Self::reduce).
    ///
    /// ```
    /// # fn main() -> unisono::Result<()> {
    /// use unisono::{Backend, Map, op};
    /// let distance = Map::new("(a - b)**2")?;
    /// let sum = Backend::cpu().map_reduce::<f64, op::Sum>(&distance, op::Sum, &[("a", &[1.0, 2.0]), ("b", &[3.0, 5.0])])?;
    /// assert_eq!(sum, 13.0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn map_reduce<T: Float, R: Reduction<T>>(
        &self,
        how: &Map,
        op: R,
        arrays: &[(&str, &dyn AsOperand<Elem = T>)],
    ) -> Result<R::Output> {
        self.map_reduce_dyn(&how.clone().dtype(T::DTYPE), op.into(), &operands(arrays))?.typed::<R::Output>()?.item()
    }

    /// [`map_reduce`](Self::map_reduce) with dtypes erased; the result is an array without axes.
    ///
    /// # Errors
    /// As [`map_reduce`](Self::map_reduce).
    pub fn map_reduce_dyn(&self, how: &Map, op: ReduceOp, arrays: &[(&str, Operand<'_>)]) -> Result<DynArray> {
        let plan = plan_map(how, arrays)?;
        let reduction = ReducePlan::new(&Reduce::of(op), plan.dtype, &[plan.outputs()])?;
        if reduction.inputs() != 1 {
            return Err(Error::invalid("reduction of a map", op, "one of a single array"));
        }
        self.control.expect(plan.work());
        let partials = self.engine.map_partials(&plan, op, &inputs(arrays), &self.control)?;
        wrap(reduction.out_dtype, vec![], Some(Storage::Host(Arc::new(reduction.finish(&partials)?))))
    }

    /// Where a map of these arrays would run, and why.
    ///
    /// # Errors
    /// [`Error::Invalid`] for names and shapes that do not fit.
    pub fn explain_map(&self, how: &Map, arrays: &[(&str, Operand<'_>)]) -> Result<String> {
        let plan = plan_map(how, arrays)?;
        Ok(self.engine.explain(Work::Map(&plan, arrays.iter().map(|(_, operand)| operand.host_bytes()).sum())))
    }
}

/// The floats: `f32` and `f64`.
pub trait Float: Real {}
impl Float for f32 {}
impl Float for f64 {}

fn operands<'a, T: Element>(arrays: &'a [(&'a str, &'a dyn AsOperand<Elem = T>)]) -> Vec<(&'a str, Operand<'a>)> {
    arrays.iter().map(|&(name, array)| (name, array.as_operand())).collect()
}

fn inputs<'a>(arrays: &'a [(&str, Operand<'_>)]) -> Vec<crate::Input<'a>> {
    arrays.iter().map(|(_, operand)| operand.input()).collect()
}

fn plan_map(how: &Map, arrays: &[(&str, Operand<'_>)]) -> Result<MapPlan> {
    let arrays: Vec<_> = arrays.iter().map(|(name, operand)| (*name, operand.dtype(), operand.shape())).collect();
    MapPlan::new(how, &arrays)
}
