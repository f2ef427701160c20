//! Reductions and their partial results.

use super::{Backend, Float, deliver, wrap};
use crate::array::{Array, AsOperand, AsOutput, DynArray, Operand, Output};
use crate::engine::{Input, Target, Work};
use crate::plan::{Partials, Reduce, ReduceOp, ReducePlan, Reduction, op};
use crate::{Element, Error, Real, Result};

impl Backend {
    /// Reduces over all axes or some: `backend.reduce(&x, &Reduce::sum().axes(&[0]).keepdims())`.
    ///
    /// **Numerics.** Sums, means, variances, standard deviations and the norms of order 1 and 2 of floats are the exact value
    /// rounded once; sums and products of integers are exact; the powers of general norms are within about `2^-53`; the bits are
    /// the same on every device for everything but products of floats (within `n · 2^-53` relative). Linear time, one read of
    /// the input.
    ///
    /// # Errors
    /// [`Error::Invalid`] for axes that do not fit, an extreme of nothing, or an option that the operation does not take,
    /// [`Error::Overflow`] if an integer result does not fit, and the failures of the device.
    ///
    /// ```
    /// # fn main() -> unisono::Result<()> {
    /// use unisono::{Backend, NormOrder, Reduce};
    /// let (cpu, x) = (Backend::cpu(), [1e9, 1e9 + 1.0, 1e9 + 2.0, f64::NAN]);
    /// assert_eq!(cpu.reduce(&x, &Reduce::var().ddof(1).skip_nan())?.item()?, 1.0);
    /// assert_eq!(cpu.reduce(&[3e300f64, 1e-300], &Reduce::norm(NormOrder::Two))?.item()?, 3e300);
    /// # Ok(())
    /// # }
    /// ```
    pub fn reduce<A, R>(&self, array: &A, how: &Reduce<R>) -> Result<Array<R::Output>>
    where
        A: AsOperand + ?Sized,
        A::Elem: Real,
        R: Reduction<A::Elem>,
    {
        self.reduce_dyn(&array.as_operand(), how)?.typed()
    }

    /// [`reduce`](Self::reduce) into `out`.
    ///
    /// # Errors
    /// As [`reduce`](Self::reduce), and if `out` has another shape or dtype than the result.
    pub fn reduce_into<A, R, O>(&self, array: &A, how: &Reduce<R>, out: &mut O) -> Result<()>
    where
        A: AsOperand + ?Sized,
        A::Elem: Real,
        R: Reduction<A::Elem>,
        O: AsOutput + ?Sized,
    {
        self.reduce_dyn_into(&array.as_operand(), how, out.as_output())
    }

    /// [`reduce`](Self::reduce) with dtypes erased.
    ///
    /// # Errors
    /// As [`reduce`](Self::reduce).
    pub fn reduce_dyn<R: Copy + Into<ReduceOp>>(&self, array: &Operand<'_>, how: &Reduce<R>) -> Result<DynArray> {
        self.run_reduce(plan_reduce(how, array, None)?, array, None)
    }

    /// [`reduce_into`](Self::reduce_into) with dtypes erased.
    ///
    /// # Errors
    /// As [`reduce_into`](Self::reduce_into).
    pub fn reduce_dyn_into<R: Copy + Into<ReduceOp>>(&self, array: &Operand<'_>, how: &Reduce<R>, out: Output<'_>) -> Result<()> {
        self.run_reduce_into(plan_reduce(how, array, None)?, array, None, out)
    }

    /// [`reduce`](Self::reduce) of the elements for which `mask`, an array of bools broadcast to the shape of `array`, is
    /// true (NumPy's `where`). `min` and `max` need an [initial value](Reduce::initial) beside it.
    ///
    /// # Errors
    /// As [`reduce`](Self::reduce), and [`Error::Invalid`] or [`Error::Dtype`] for a mask that does not fit.
    ///
    /// ```
    /// # fn main() -> unisono::Result<()> {
    /// use unisono::{Backend, Reduce};
    /// let mean = Backend::cpu().reduce_where(&[1.0f64, 2.0, 9.0], &[true, true, false], &Reduce::mean())?;
    /// assert_eq!(mean.item()?, 1.5);
    /// # Ok(())
    /// # }
    /// ```
    pub fn reduce_where<A, M, R>(&self, array: &A, mask: &M, how: &Reduce<R>) -> Result<Array<R::Output>>
    where
        A: AsOperand + ?Sized,
        A::Elem: Real,
        M: AsOperand<Elem = bool> + ?Sized,
        R: Reduction<A::Elem>,
    {
        self.reduce_where_dyn(&array.as_operand(), &mask.as_operand(), how)?.typed()
    }

    /// [`reduce_where`](Self::reduce_where) with dtypes erased.
    ///
    /// # Errors
    /// As [`reduce_where`](Self::reduce_where).
    pub fn reduce_where_dyn<R: Copy + Into<ReduceOp>>(
        &self,
        array: &Operand<'_>,
        mask: &Operand<'_>,
        how: &Reduce<R>,
    ) -> Result<DynArray> {
        self.run_reduce(plan_reduce(how, array, Some(mask))?, array, Some(mask))
    }

    /// [`reduce_where`](Self::reduce_where) into `out`, with dtypes erased.
    ///
    /// # Errors
    /// As [`reduce_where`](Self::reduce_where), and if `out` has another shape or dtype than the result.
    pub fn reduce_where_dyn_into<R: Copy + Into<ReduceOp>>(
        &self,
        array: &Operand<'_>,
        mask: &Operand<'_>,
        how: &Reduce<R>,
        out: Output<'_>,
    ) -> Result<()> {
        self.run_reduce_into(plan_reduce(how, array, Some(mask))?, array, Some(mask), out)
    }

    /// The dot product of two arrays of one shape, as vectors: of floats the exact sum of the products, rounded once, of
    /// integers exact. [`vecdot`](Self::vecdot) takes axes.
    ///
    /// # Errors
    /// As [`vecdot`](Self::vecdot).
    ///
    /// ```
    /// # fn main() -> unisono::Result<()> {
    /// let x = [1e200f64, 1.0, 1e200];
    /// assert_eq!(unisono::Backend::cpu().dot(&x, &[1e200, 3.0, -1e200])?.item()?, 3.0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn dot<A, B>(&self, x: &A, y: &B) -> Result<Array<<A::Elem as Real>::Sum>>
    where
        A: AsOperand + ?Sized,
        A::Elem: Real,
        B: AsOperand<Elem = A::Elem> + ?Sized,
    {
        self.vecdot(x, y, &Reduce::dot())
    }

    /// The dot products of two arrays of one dtype along the axes that `how` names: `Σ x·y`, NumPy's `vecdot` for one axis.
    /// The second array is broadcast to the shape of the first.
    ///
    /// **Numerics.** Of floats the exact sum of the exact products, rounded once; it overflows only if that does. An exact
    /// zero is +0; infinities and NaN are as IEEE arithmetic gives them. Of integers exact. The same bits on every device.
    ///
    /// # Errors
    /// [`Error::Invalid`] for shapes and axes that do not fit, [`Error::Overflow`] if an integer result does not fit, and the
    /// failures of the device.
    pub fn vecdot<A, B>(&self, x: &A, y: &B, how: &Reduce<op::Dot>) -> Result<Array<<A::Elem as Real>::Sum>>
    where
        A: AsOperand + ?Sized,
        A::Elem: Real,
        B: AsOperand<Elem = A::Elem> + ?Sized,
    {
        self.vecdot_dyn(&x.as_operand(), &y.as_operand(), how)?.typed()
    }

    /// [`vecdot`](Self::vecdot) with dtypes erased.
    ///
    /// # Errors
    /// As [`vecdot`](Self::vecdot), and [`Error::Dtype`] for two dtypes.
    pub fn vecdot_dyn(&self, x: &Operand<'_>, y: &Operand<'_>, how: &Reduce<op::Dot>) -> Result<DynArray> {
        self.run_reduce(plan_reduce(how, x, Some(y))?, x, Some(y))
    }

    /// [`vecdot`](Self::vecdot) into `out`, with dtypes erased.
    ///
    /// # Errors
    /// As [`vecdot_dyn`](Self::vecdot_dyn), and if `out` has another shape or dtype than the result.
    pub fn vecdot_dyn_into(&self, x: &Operand<'_>, y: &Operand<'_>, how: &Reduce<op::Dot>, out: Output<'_>) -> Result<()> {
        self.run_reduce_into(plan_reduce(how, x, Some(y))?, x, Some(y), out)
    }

    fn run_reduce(&self, plan: ReducePlan, array: &Operand<'_>, second: Option<&Operand<'_>>) -> Result<DynArray> {
        self.control.expect(plan.work());
        let storage =
            with_inputs(array, second, |inputs| self.engine.reduce(&plan, inputs, Target::Device(None), &self.control))?;
        wrap(plan.out_dtype, plan.shape, storage)
    }

    fn run_reduce_into(
        &self,
        plan: ReducePlan,
        array: &Operand<'_>,
        second: Option<&Operand<'_>>,
        out: Output<'_>,
    ) -> Result<()> {
        self.control.expect(plan.work());
        deliver(plan.out_dtype, &plan.shape, out, |target| {
            with_inputs(array, second, |inputs| self.engine.reduce(&plan, inputs, target, &self.control))
        })
    }

    /// The mergeable partials of a reduction, with the plan that merges and finishes them: for data that comes in pieces.
    ///
    /// # Errors
    /// As [`reduce`](Self::reduce).
    pub fn reduce_partials<R: Copy + Into<ReduceOp>>(
        &self,
        array: &Operand<'_>,
        how: &Reduce<R>,
    ) -> Result<(ReducePlan, Partials)> {
        self.partials(array, None, how)
    }

    /// [`reduce_partials`](Self::reduce_partials) of the elements that a mask tells, if there is one.
    pub(crate) fn partials<R: Copy + Into<ReduceOp>>(
        &self,
        array: &Operand<'_>,
        mask: Option<&Operand<'_>>,
        how: &Reduce<R>,
    ) -> Result<(ReducePlan, Partials)> {
        let plan = plan_reduce(how, array, mask)?;
        self.control.expect(plan.work());
        let partials = with_inputs(array, mask, |inputs| self.engine.reduce_partials(&plan, inputs, &self.control))?;
        Ok((plan, partials))
    }

    /// The exact sum of all elements as a mergeable value: sums of chunks merge to the bits of one sum.
    ///
    /// # Errors
    /// The failures of the device.
    ///
    /// ```
    /// # fn main() -> unisono::Result<()> {
    /// let backend = unisono::Backend::cpu();
    /// let mut sum = backend.exact_sum(&[1e100, 1.0])?;
    /// sum.merge(&backend.exact_sum(&[-1e100])?);
    /// assert_eq!(sum.to_f64(), 1.0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn exact_sum<A: AsOperand + ?Sized>(&self, array: &A) -> Result<crate::ExactSum>
    where
        A::Elem: Float,
    {
        match self.reduce_partials(&array.as_operand(), &Reduce::sum())?.1 {
            Partials::Float(sums) => Ok(sums.into_iter().next().unwrap_or_default()),
            _ => Err(Error::Dtype { what: "exact_sum".into(), got: A::Elem::DTYPE, expected: "float32 or float64".into() }),
        }
    }

    /// Count, exact sum and exact sum of squares of all elements, as a mergeable value: those of chunks merge to the bits of
    /// one pass.
    ///
    /// # Errors
    /// The failures of the device.
    pub fn moments<A: AsOperand + ?Sized>(&self, array: &A) -> Result<crate::Moments>
    where
        A::Elem: Real,
    {
        self.moments_dyn(&array.as_operand())
    }

    /// [`moments`](Self::moments) with the dtype erased.
    ///
    /// # Errors
    /// As [`moments`](Self::moments).
    pub fn moments_dyn(&self, array: &Operand<'_>) -> Result<crate::Moments> {
        match self.reduce_partials(array, &Reduce::var())?.1 {
            Partials::Moments(moments) => Ok(moments.into_iter().next().unwrap_or_default()),
            _ => Err(Error::Dtype { what: "moments".into(), got: array.dtype(), expected: "a real dtype".into() }),
        }
    }

    /// The exact sum of the products of two arrays of one shape and dtype, as a mergeable value.
    ///
    /// # Errors
    /// [`Error::Invalid`] for two shapes, and the failures of the device.
    pub fn exact_dot<A, B>(&self, x: &A, y: &B) -> Result<crate::ExactDot>
    where
        A: AsOperand + ?Sized,
        A::Elem: Real,
        B: AsOperand<Elem = A::Elem> + ?Sized,
    {
        self.exact_dot_dyn(&x.as_operand(), &y.as_operand())
    }

    /// [`exact_dot`](Self::exact_dot) with dtypes erased.
    ///
    /// # Errors
    /// As [`exact_dot`](Self::exact_dot), and [`Error::Dtype`] for two dtypes.
    pub fn exact_dot_dyn(&self, x: &Operand<'_>, y: &Operand<'_>) -> Result<crate::ExactDot> {
        let plan = plan_reduce(&Reduce::dot(), x, Some(y))?;
        self.control.expect(plan.work());
        let partials = with_inputs(x, Some(y), |inputs| self.engine.reduce_partials(&plan, inputs, &self.control))?;
        match partials {
            Partials::Dot(dots) => Ok(dots.into_iter().next().unwrap_or_default()),
            _ => Err(Error::Dtype { what: "exact_dot".into(), got: x.dtype(), expected: "a real dtype".into() }),
        }
    }

    /// The smallest and the largest element, each with the index (in C order) of the first, as a mergeable value.
    ///
    /// # Errors
    /// The failures of the device.
    pub fn min_max<A: AsOperand + ?Sized>(&self, array: &A) -> Result<crate::MinMax>
    where
        A::Elem: Real,
    {
        self.min_max_dyn(&array.as_operand())
    }

    /// [`min_max`](Self::min_max) with the dtype erased.
    ///
    /// # Errors
    /// As [`min_max`](Self::min_max).
    pub fn min_max_dyn(&self, array: &Operand<'_>) -> Result<crate::MinMax> {
        let count = array.shape().iter().map(|&n| n as u64).product();
        if count == 0 {
            return Ok(crate::MinMax::new(array.dtype()));
        }
        // The keys that tell −0 from +0, and the indices for which they are one.
        let key = |op| match self.reduce_partials(array, &Reduce::of(op))?.1 {
            Partials::Extreme(keys) => Ok(keys.first().copied().flatten().unwrap_or(0)),
            Partials::Arg(found) => Ok(found.first().copied().flatten().map_or(0, |(_, index)| index)),
            _ => Err(Error::Dtype { what: "min_max".into(), got: array.dtype(), expected: "a real dtype".into() }),
        };
        let least = (key(ReduceOp::Min)?, key(ReduceOp::ArgMin)?);
        let most = (key(ReduceOp::Max)?, key(ReduceOp::ArgMax)?);
        Ok(crate::MinMax::from_parts(array.dtype(), count, least, most))
    }

    /// Where a reduction of this array would run, and why.
    ///
    /// # Errors
    /// [`Error::Invalid`] for axes that do not fit.
    pub fn explain_reduce<R: Copy + Into<ReduceOp>>(&self, array: &Operand<'_>, how: &Reduce<R>) -> Result<String> {
        let plan = plan_reduce(how, array, None)?;
        Ok(self.engine.explain(Work::Reduce(&plan, array.host_bytes())))
    }
}

/// The shorthands over all axes.
macro_rules! shorthands {
    ($($name:ident $op:ident $text:literal;)*) => {
        impl Backend {$(
            #[doc = concat!($text, " See [`reduce`](Self::reduce) for axes, numerics and errors.")]
            ///
            /// # Errors
            /// As [`reduce`](Self::reduce).
            pub fn $name<A: AsOperand<Elem: Real> + ?Sized>(
                &self,
                array: &A,
            ) -> Result<Array<<op::$op as Reduction<A::Elem>>::Output>> {
                self.reduce(array, &Reduce::<op::$op>::$name())
            }
        )*}
    };
}
shorthands! {
    sum Sum "The sum of all elements; of floats exact, rounded once.";
    product Product "The product of all elements.";
    min Min "The smallest element; NaN if there is one.";
    max Max "The largest element; NaN if there is one.";
    mean Mean "The mean of all elements, rounded once.";
    argmin ArgMin "The index, in C order, of the first smallest element.";
    argmax ArgMax "The index, in C order, of the first largest element.";
    any Any "Whether any element is nonzero.";
    all All "Whether all elements are nonzero.";
    count_nonzero CountNonzero "The number of nonzero elements.";
    var Var "The variance of all elements: the exact value, rounded once.";
    std Std "The standard deviation of all elements: the root of the exact variance, rounded once.";
    ptp Ptp "The largest element less the smallest, rounded once.";
}

fn plan_reduce<R: Copy + Into<ReduceOp>>(
    how: &Reduce<R>,
    array: &Operand<'_>,
    second: Option<&Operand<'_>>,
) -> Result<ReducePlan> {
    let plan = ReducePlan::new(how, array.dtype(), array.shape())?;
    match (plan.op, second) {
        (ReduceOp::Dot, Some(second)) => plan.with_second(second.dtype(), second.shape()),
        (ReduceOp::Dot, None) => Err(Error::invalid("operands of a dot product", 1, "2: see Backend::dot and vecdot")),
        (_, Some(mask)) => plan.masked(mask.dtype(), mask.shape()),
        (_, None) => Ok(plan),
    }
}

/// Runs with the inputs of a reduction.
fn with_inputs<T>(array: &Operand<'_>, second: Option<&Operand<'_>>, run: impl FnOnce(&[Input<'_>]) -> Result<T>) -> Result<T> {
    match second {
        None => run(&[array.input()]),
        Some(second) => run(&[array.input(), second.input()]),
    }
}
