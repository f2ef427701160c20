//! Convolution, correlation and separable filters.

use super::{Backend, deliver, wrap};
use crate::array::{Array, AsOperand, AsOutput, DynArray, Operand, Output};
use crate::complex::{by_parts, plan_parts};
use crate::engine::{Target, Work};
use crate::plan::{Convolve, ConvolvePlan, Direction, Separable, SeparablePlan};
use crate::{Promote, Result};

impl Backend {
    /// Convolves images with kernels: `[N.., H, W]` with `[K.., h, w]` gives `[N.., K.., H', W']` (rank 2; ranks 1 and 3
    /// likewise). The dtype of the result is NumPy's promotion of the two.
    ///
    /// **Numerics.** Integers are exact. Floats are computed in their own precision `ε`, within the bound of the
    /// [`Algorithm`](crate::Algorithm) taken: `taps · ε · Σ|k||x|` of the exact value for direct, which
    /// [`Accuracy::Elementwise`](crate::Accuracy::Elementwise) keeps to. Work: outputs × taps multiply-adds, or less.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) for shapes that do not fit ([`ConvolvePlan::new`]), [`Error::Overflow`](crate::Error::Overflow) if an exact integer does
    /// not fit the result's dtype, and the failures of the device.
    ///
    /// ```
    /// # fn main() -> unisono::Result<()> {
    /// use unisono::{Backend, Convolve};
    /// let y = Backend::cpu().convolve(&[1, 2, 3], &[0, 1, 10], &Convolve::d1())?;
    /// assert_eq!(y.into_vec()?, [0, 1, 12, 23, 30]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn convolve<A, K>(&self, images: &A, kernels: &K, how: &Convolve) -> Result<Array<<A::Elem as Promote<K::Elem>>::Output>>
    where
        A: AsOperand + ?Sized,
        K: AsOperand + ?Sized,
        A::Elem: Promote<K::Elem>,
    {
        self.convolve_dyn(&images.as_operand(), &kernels.as_operand(), how)?.typed()
    }

    /// [`convolve`](Self::convolve) without reversing the kernel.
    ///
    /// # Errors
    /// As [`convolve`](Self::convolve).
    pub fn correlate<A, K>(&self, images: &A, kernels: &K, how: &Convolve) -> Result<Array<<A::Elem as Promote<K::Elem>>::Output>>
    where
        A: AsOperand + ?Sized,
        K: AsOperand + ?Sized,
        A::Elem: Promote<K::Elem>,
    {
        self.correlate_dyn(&images.as_operand(), &kernels.as_operand(), how)?.typed()
    }

    /// [`convolve`](Self::convolve) into `out`, whose dtype is the dtype of the result.
    ///
    /// # Errors
    /// As [`convolve`](Self::convolve), and [`Error::Invalid`](crate::Error::Invalid) if `out` has another shape.
    pub fn convolve_into<A, K, O>(&self, images: &A, kernels: &K, how: &Convolve, out: &mut O) -> Result<()>
    where
        A: AsOperand + ?Sized,
        K: AsOperand + ?Sized,
        O: AsOutput + ?Sized,
    {
        self.convolve_dyn_into(Direction::Convolve, &images.as_operand(), &kernels.as_operand(), how, out.as_output())
    }

    /// [`correlate`](Self::correlate) into `out`, whose dtype is the dtype of the result.
    ///
    /// # Errors
    /// As [`convolve_into`](Self::convolve_into).
    pub fn correlate_into<A, K, O>(&self, images: &A, kernels: &K, how: &Convolve, out: &mut O) -> Result<()>
    where
        A: AsOperand + ?Sized,
        K: AsOperand + ?Sized,
        O: AsOutput + ?Sized,
    {
        self.convolve_dyn_into(Direction::Correlate, &images.as_operand(), &kernels.as_operand(), how, out.as_output())
    }

    /// [`convolve`](Self::convolve) with dtypes erased.
    ///
    /// # Errors
    /// As [`convolve`](Self::convolve).
    pub fn convolve_dyn(&self, images: &Operand<'_>, kernels: &Operand<'_>, how: &Convolve) -> Result<DynArray> {
        self.run_convolve(Direction::Convolve, images, kernels, how)
    }

    /// [`correlate`](Self::correlate) with dtypes erased.
    ///
    /// # Errors
    /// As [`convolve`](Self::convolve).
    pub fn correlate_dyn(&self, images: &Operand<'_>, kernels: &Operand<'_>, how: &Convolve) -> Result<DynArray> {
        self.run_convolve(Direction::Correlate, images, kernels, how)
    }

    /// Convolution or correlation.
    pub(crate) fn run_convolve(
        &self,
        direction: Direction,
        images: &Operand<'_>,
        kernels: &Operand<'_>,
        how: &Convolve,
    ) -> Result<DynArray> {
        let plan = plan_convolve(direction, images, kernels, how)?;
        if let Some(how) = by_parts(&plan, how, images, kernels) {
            return self.convolve_parts(&plan, direction, [images, kernels], &how);
        }
        self.control.expect(plan.work());
        let storage = self.engine.convolve(&plan, &images.input(), &kernels.input(), Target::Device(None), &self.control)?;
        wrap(plan.out_dtype, plan.shape, storage)
    }

    /// Convolution or correlation into `out`, with dtypes erased.
    ///
    /// # Errors
    /// As [`convolve_into`](Self::convolve_into).
    pub fn convolve_dyn_into(
        &self,
        direction: Direction,
        images: &Operand<'_>,
        kernels: &Operand<'_>,
        how: &Convolve,
        out: Output<'_>,
    ) -> Result<()> {
        let how = how.clone().out_dtype(out.dtype());
        let plan = plan_convolve(direction, images, kernels, &how)?;
        if let Some(how) = by_parts(&plan, &how, images, kernels) {
            return deliver(plan.out_dtype, &plan.shape, out, |target| {
                let found = self.convolve_parts(&plan, direction, [images, kernels], &how)?;
                match target {
                    Target::Host(view) => found.read_into(view).map(|()| None),
                    Target::Device(_) => Ok(Some(found.storage)),
                }
            });
        }
        self.control.expect(plan.work());
        deliver(plan.out_dtype, &plan.shape, out, |target| {
            self.engine.convolve(&plan, &images.input(), &kernels.input(), target, &self.control)
        })
    }

    /// Filters an array along some of its axes, one pass after the other: any rank, all other axes are batch, so that
    /// interleaved images (`[H, W, 3]`) are filtered along axes 0 and 1 as they are.
    ///
    /// **Numerics.** Computed in binary64 for float64, integers of 32 bits and more and wherever integers with integer
    /// weights would not be exact in binary32; in binary32 otherwise. Nothing is rounded to the result's dtype between
    /// passes. Floats are within `c · ε · Σ|k||x|` of the exact value, `k` the product of the factors and `c` the weights of
    /// all passes plus one each; integer results are rounded to nearest, ties to even, and saturated. Work: outputs × weights
    /// of all passes.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) for axes, weights and origins that do not fit ([`SeparablePlan::new`]), and the failures of the
    /// device.
    pub fn separable<A: AsOperand + ?Sized>(&self, array: &A, how: &Separable) -> Result<Array<A::Elem>> {
        self.separable_dyn(&array.as_operand(), how)?.typed()
    }

    /// [`separable`](Self::separable) into `out`, whose dtype is the dtype of the result.
    ///
    /// # Errors
    /// As [`separable`](Self::separable), and if `out` has another shape than the result.
    pub fn separable_into<A, O>(&self, array: &A, how: &Separable, out: &mut O) -> Result<()>
    where
        A: AsOperand + ?Sized,
        O: AsOutput + ?Sized,
    {
        self.separable_dyn_into(&array.as_operand(), how, out.as_output())
    }

    /// [`separable`](Self::separable) with the dtype erased.
    ///
    /// # Errors
    /// As [`separable`](Self::separable).
    pub fn separable_dyn(&self, array: &Operand<'_>, how: &Separable) -> Result<DynArray> {
        let plan = SeparablePlan::new(how, array.dtype(), array.shape())?;
        self.control.expect(plan.work());
        let storage = self.engine.separable(&plan, &array.input(), Target::Device(None), &self.control)?;
        wrap(plan.out_dtype, plan.shape, storage)
    }

    /// [`separable_into`](Self::separable_into) with dtypes erased.
    ///
    /// # Errors
    /// As [`separable_into`](Self::separable_into).
    pub fn separable_dyn_into(&self, array: &Operand<'_>, how: &Separable, out: Output<'_>) -> Result<()> {
        let plan = SeparablePlan::new(&how.clone().out_dtype(out.dtype()), array.dtype(), array.shape())?;
        self.control.expect(plan.work());
        deliver(plan.out_dtype, &plan.shape, out, |target| self.engine.separable(&plan, &array.input(), target, &self.control))
    }

    /// Where a convolution of these operands would run, and why.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) for shapes that do not fit.
    pub fn explain_convolve(&self, images: &Operand<'_>, kernels: &Operand<'_>, how: &Convolve) -> Result<String> {
        let plan = plan_convolve(Direction::Convolve, images, kernels, how)?;
        let bytes = images.host_bytes() + kernels.host_bytes();
        if let Some(how) = by_parts(&plan, how, images, kernels) {
            let parts = plan_parts(Direction::Convolve, [images, kernels], &how)?;
            return Ok(format!("{}; of the parts of complex numbers", self.engine.explain(Work::Convolve(&parts, bytes))));
        }
        Ok(self.engine.explain(Work::Convolve(&plan, bytes)))
    }

    /// Where a separable filter of this array would run, and why.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) for axes, weights and origins that do not fit.
    pub fn explain_separable(&self, array: &Operand<'_>, how: &Separable) -> Result<String> {
        let plan = SeparablePlan::new(how, array.dtype(), array.shape())?;
        Ok(self.engine.explain(Work::Separable(&plan, array.host_bytes())))
    }
}

fn plan_convolve(direction: Direction, images: &Operand<'_>, kernels: &Operand<'_>, how: &Convolve) -> Result<ConvolvePlan> {
    ConvolvePlan::new(how, direction, (images.dtype(), images.shape()), (kernels.dtype(), kernels.shape()))
}
