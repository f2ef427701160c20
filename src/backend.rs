//! The handle: constructors and operations. Every operation is: validate, plan, run on the engine, wrap.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use crate::array::{Array, AsOperand, AsOutput, DynArray, HostVec, Operand, Output, Storage};
use crate::engine::{Counters, DeviceInfo, Engine, Input, Target, Work};
use crate::plan::{
    Convolve, ConvolvePlan, Direction, Integral, IntegralSums, Integrate, IntegratePlan, Map, MapPlan, MonteCarloPlan, Partials,
    Pi, Reduce, ReduceOp, ReducePlan, Reduction, Separable, SeparablePlan, op,
};
use crate::random::{Random, RandomPlan};
use crate::{Control, Dtype, Element, Error, Job, Promote, Real, Result, select};

/// The handle on one device or several: cheap to clone, `Send + Sync`.
///
/// Operations take anything that views as an array (ndarray arrays and views of any rank and stride, slices, vectors,
/// [`Array`]) and return an [`Array`] that lives on the device until it is read. Their `_into` forms write into memory of
/// the caller instead, which saves the page faults of fresh memory: for large results those cost more than the work.
#[derive(Clone)]
pub struct Backend {
    engine: Arc<dyn Engine>,
    control: Control,
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Backend({})", self.info().id)
    }
}

impl FromStr for Backend {
    type Err = Error;

    /// Opens the device that the text names: `auto`, `cpu`, `cpu:4` (threads), `gpu` (= `gpu:0`), `gpu:1`,
    /// `gpu:NVIDIA` (part of the name), `all` (the CPU and every hardware GPU), or several joined by `+`.
    fn from_str(text: &str) -> Result<Self> {
        select::open(text).map(Self::from_engine)
    }
}

impl Backend {
    pub(crate) fn engine(&self) -> &dyn Engine {
        &*self.engine
    }

    pub(crate) fn from_engine(engine: Arc<dyn Engine>) -> Self {
        Self { engine, control: Control::new() }
    }

    /// The best device for each piece of work, by measurement; with several GPUs, all of them. Never fails: without a
    /// usable GPU it is the CPU. The environment variable `UNISONO_DEVICE` overrides the choice; if it names something
    /// unusable, a warning is printed and the CPU taken ([`from_env`](Self::from_env) fails instead).
    pub fn auto() -> Self {
        Self::from_engine(select::auto())
    }

    /// As [`auto`](Self::auto), but strict about `UNISONO_DEVICE`.
    ///
    /// # Errors
    /// [`Error::NoDevice`] or [`Error::Invalid`] if the variable names a device that does not exist or cannot be opened.
    pub fn from_env() -> Result<Self> {
        select::from_env().map(Self::from_engine)
    }

    /// The CPU, with all its threads.
    pub fn cpu() -> Self {
        Self::from_engine(select::cpu())
    }

    /// The CPU with `threads` threads.
    ///
    /// # Errors
    /// [`Error::Invalid`] for 0 threads or more than 65,536.
    pub fn cpu_threads(threads: usize) -> Result<Self> {
        select::cpu_threads(threads).map(Self::from_engine)
    }

    /// GPU `index` in the order of [`devices`](crate::devices): hardware first, software last.
    ///
    /// # Errors
    /// [`Error::NoDevice`] if there is none, saying what was found and how a missing driver is installed.
    pub fn gpu(index: usize) -> Result<Self> {
        select::gpu(index).map(Self::from_engine)
    }

    /// What is known about the device.
    pub fn info(&self) -> DeviceInfo {
        self.engine.info()
    }

    /// What the device has done since it was opened.
    pub fn counters(&self) -> Counters {
        self.engine.counters()
    }

    /// The members of a backend of several devices, each as a backend of its own; empty for a single device.
    pub fn members(&self) -> Vec<Self> {
        self.engine.members().iter().map(|engine| Self { engine: engine.clone(), control: self.control.clone() }).collect()
    }

    /// The same device with `control` for progress and cancellation.
    pub fn with_control(&self, control: &Control) -> Self {
        let control = self.memory_limit().map_or_else(|| control.clone(), |bytes| control.limited(bytes));
        Self { engine: self.engine.clone(), control }
    }

    /// The same device, of whose memory each convolution and filter takes at most so many bytes.
    ///
    /// A GPU computes what does not fit piece by piece and streams it: while one piece is computed the next is brought over and
    /// the one before taken back. Operands, scratch, staging and the result count, arrays that lie on the device already do
    /// not; some hundred kilobytes for parameters come on top. A result that would take more than half of the limit stays in
    /// host memory. Results do not depend on the limit, floats of algorithms other than direct only within their bound. On the
    /// CPU it limits what the fast algorithms keep beside operands and results. Several devices have the limit each. With
    /// several limits the least one counts. Reductions and Monte Carlo need little memory and take no notice.
    ///
    /// An operation fails with [`Error::Invalid`] if the limit is too little for a single output.
    ///
    /// ```
    /// # fn main() -> unisono::Result<()> {
    /// use unisono::{Backend, Convolve};
    /// let backend = Backend::auto().with_memory_limit(256 << 20);
    /// assert_eq!(backend.convolve(&[1, 2, 3], &[1, 1], &Convolve::d1())?.into_vec()?, [1, 3, 5, 3]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_memory_limit(&self, bytes: u64) -> Self {
        Self { engine: self.engine.clone(), control: self.control.limited(bytes) }
    }

    /// The limit of [`with_memory_limit`](Self::with_memory_limit), if there is one.
    pub fn memory_limit(&self) -> Option<u64> {
        self.control.memory_limit()
    }

    /// The line for progress and cancellation.
    pub(crate) fn control(&self) -> &Control {
        &self.control
    }

    /// Runs `work` in the background with a backend that carries the job's progress and cancellation.
    ///
    /// ```
    /// # fn main() -> unisono::Result<()> {
    /// let job = unisono::Backend::cpu().submit(|b| b.pi(1_000_000, 42));
    /// assert_eq!(job.wait()?.samples, 1_000_000);
    /// # Ok(())
    /// # }
    /// ```
    pub fn submit<T: Send + 'static>(&self, work: impl FnOnce(Self) -> Result<T> + Send + 'static) -> Job<T> {
        let control = Control::new();
        let backend = self.with_control(&control);
        Job::start(control, move || work(backend))
    }

    /// Copies an array to the device, so that several operations on it share one transfer.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] and the other failures of the device.
    pub fn upload<A: AsOperand + ?Sized>(&self, array: &A) -> Result<Array<A::Elem>> {
        self.upload_dyn(&array.as_operand())?.typed()
    }

    /// [`upload`](Self::upload) with the dtype erased.
    ///
    /// # Errors
    /// As [`upload`](Self::upload).
    pub fn upload_dyn(&self, operand: &Operand<'_>) -> Result<DynArray> {
        let mut scratch = None;
        let input = operand.input();
        let storage = self.engine.upload(&input.host(&mut scratch)?)?;
        Ok(DynArray { dtype: operand.dtype(), shape: operand.shape().to_vec(), storage })
    }

    /// Convolves images with kernels: `[N.., H, W]` with `[K.., h, w]` gives `[N.., K.., H', W']` (rank 2; ranks 1 and 3
    /// likewise). The dtype of the result is NumPy's promotion of the two.
    ///
    /// **Numerics.** Integers are exact. Floats are computed in their own precision `ε`, within the bound of the
    /// [`Algorithm`](crate::Algorithm) taken: `taps · ε · Σ|k||x|` of the exact value for direct, which
    /// [`Accuracy::Elementwise`](crate::Accuracy::Elementwise) keeps to. Work: outputs × taps multiply-adds, or less.
    ///
    /// # Errors
    /// [`Error::Invalid`] for shapes that do not fit ([`ConvolvePlan::new`]), [`Error::Overflow`] if an exact integer does
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
    /// As [`convolve`](Self::convolve), and [`Error::Invalid`] if `out` has another shape.
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

    fn run_convolve(
        &self,
        direction: Direction,
        images: &Operand<'_>,
        kernels: &Operand<'_>,
        how: &Convolve,
    ) -> Result<DynArray> {
        let plan = plan_convolve(direction, images, kernels, how)?;
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
    /// [`Error::Invalid`] for axes, weights and origins that do not fit ([`SeparablePlan::new`]), and the failures of the
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

    /// Reduces over all axes or some: `backend.reduce(&x, &Reduce::sum().axes(&[0]).keepdims())`.
    ///
    /// **Numerics.** Sums, means, variances, standard deviations and the norms of order 1 and 2 of floats are the exact value
    /// rounded once; sums and products of integers are exact; the bits are the same on every device for everything but
    /// products of floats (within `n · 2^-53` relative) and general norms (CPU only). Linear time, one read of the input.
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
            with_inputs(&plan, array, second, |inputs| self.engine.reduce(&plan, inputs, Target::Device(None), &self.control))?;
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
            with_inputs(&plan, array, second, |inputs| self.engine.reduce(&plan, inputs, target, &self.control))
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
        let plan = plan_reduce(how, array, None)?;
        self.control.expect(plan.work());
        let partials = with_inputs(&plan, array, None, |inputs| self.engine.reduce_partials(&plan, inputs, &self.control))?;
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
        let partials = with_inputs(&plan, x, Some(y), |inputs| self.engine.reduce_partials(&plan, inputs, &self.control))?;
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

    /// Evaluates an expression at every element of some arrays, which are broadcast as in NumPy, in one pass: `scale*(a - b)**2`
    /// over `[("a", &a), ("b", &b)]`.
    ///
    /// **Numerics.** As [`Expression`](crate::Expression): of float32 the same bits on every device; float64 on CPUs. Work:
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

    /// [`map_dyn`](Self::map_dyn) into `out`, whose dtype is the dtype computed in.
    ///
    /// # Errors
    /// As [`map`](Self::map), and if `out` has another shape than the result.
    pub fn map_dyn_into(&self, how: &Map, arrays: &[(&str, Operand<'_>)], out: Output<'_>) -> Result<()> {
        let plan = plan_map(&how.clone().dtype(out.dtype()), arrays)?;
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

    /// The integral of an expression over a box by Monte Carlo, from a number of samples or to a target error.
    ///
    /// **Numerics.** Samples are addressed by their index and their values summed exactly, so that neither threads nor a split
    /// changes a bit; with float32 (the default) no device does. With a target error the samples come in rounds of
    /// [`Integrate::round`], so that where it stops is as reproducible.
    ///
    /// # Errors
    /// [`Error::Invalid`] for names, bounds and errors that do not fit ([`IntegratePlan::new`]) and for 0 samples, and the
    /// failures of the device.
    pub fn integrate(&self, how: &Integrate) -> Result<Integral> {
        let plan = IntegratePlan::new(how, 0..how.samples)?;
        if plan.is_empty() {
            return Err(Error::invalid("samples", 0, "at least 1"));
        }
        self.control.expect(plan.len());
        let mut sums = IntegralSums::default();
        let round = if how.has_target() { how.round } else { how.samples };
        loop {
            let at = sums.count;
            let part = plan.part(at..how.samples.min(at.saturating_add(round)));
            sums.merge(&self.engine.integrate(&part, &self.control)?);
            let ended = sums.count == how.samples;
            let integral = Integral::new(sums, plan.volume());
            let met = how.is_met(&integral);
            if met || ended {
                return Ok(Integral { converged: met || !how.has_target(), ..integral });
            }
            sums = integral.sums;
        }
    }

    /// The sums over a range of the samples of [`integrate`](Self::integrate), all of them: sums of disjoint ranges
    /// [merge](IntegralSums::merge) exactly, and [`Integral::new`] reads them.
    ///
    /// # Errors
    /// As [`integrate`](Self::integrate).
    pub fn integrate_range(&self, how: &Integrate, samples: Range<u64>) -> Result<IntegralSums> {
        let plan = IntegratePlan::new(how, samples)?;
        self.control.expect(plan.len());
        self.engine.integrate(&plan, &self.control)
    }

    /// An estimate of π from `samples` samples of `seed`. The hits are the same on every device.
    ///
    /// # Errors
    /// [`Error::Invalid`] for 0 samples, and the failures of the device.
    pub fn pi(&self, samples: u64, seed: u64) -> Result<Pi> {
        if samples == 0 {
            return Err(Error::invalid("samples", samples, "at least 1"));
        }
        self.pi_range(0..samples, seed)
    }

    /// The estimate from a range of the samples of `seed`; ranges of one seed [merge](Pi::merge) exactly.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the range ends before it starts, and the failures of the device.
    pub fn pi_range(&self, samples: Range<u64>, seed: u64) -> Result<Pi> {
        let plan = MonteCarloPlan::new(seed, samples)?;
        self.control.expect(plan.len());
        Ok(Pi::from_counts(self.engine.count_hits(&plan, &self.control)?, plan.len()))
    }

    /// An array of random numbers: uniform, normal, exponential, integers, from any place of a
    /// [`Stream`](crate::random::Stream).
    ///
    /// **Numerics.** Every element is a function of its place in the stream, computed in integers: the same bits on every
    /// device and in any cut. Uniform numbers are exact and rounded down; quantiles of normal and exponential numbers are within
    /// 2^-31 (`f32`, of 32 random bits) or 2^-56 (`f64`, of 64) of the exact ones before the one rounding. Linear time.
    ///
    /// # Errors
    /// [`Error::Invalid`] and [`Error::Dtype`] as [`RandomPlan::new`], and the failures of the device.
    ///
    /// ```
    /// # fn main() -> unisono::Result<()> {
    /// use unisono::{Backend, random::Random};
    /// let x = Backend::cpu().random::<f64>(&Random::exponential(2.0), &[10, 10])?;
    /// assert!((Backend::cpu().mean(&x)?.item()? - 2.0).abs() < 1.0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn random<T: Element>(&self, how: &Random, shape: &[usize]) -> Result<Array<T>> {
        self.random_dyn(how, T::DTYPE, shape)?.typed()
    }

    /// [`random`](Self::random) into `out`, whose shape and dtype it has.
    ///
    /// # Errors
    /// As [`random`](Self::random).
    pub fn random_into<O: AsOutput + ?Sized>(&self, how: &Random, out: &mut O) -> Result<()> {
        self.random_dyn_into(how, out.as_output())
    }

    /// [`random`](Self::random) with the dtype erased.
    ///
    /// # Errors
    /// As [`random`](Self::random).
    pub fn random_dyn(&self, how: &Random, dtype: Dtype, shape: &[usize]) -> Result<DynArray> {
        let plan = RandomPlan::new(how, dtype, shape)?;
        self.control.expect(plan.len());
        let storage = self.engine.random(&plan, Target::Device(None), &self.control)?;
        wrap(dtype, plan.shape, storage)
    }

    /// [`random_into`](Self::random_into) with the dtype erased.
    ///
    /// # Errors
    /// As [`random`](Self::random).
    pub fn random_dyn_into(&self, how: &Random, out: Output<'_>) -> Result<()> {
        let plan = RandomPlan::new(how, out.dtype(), out.shape())?;
        self.control.expect(plan.len());
        deliver(plan.dtype, &plan.shape, out, |target| self.engine.random(&plan, target, &self.control))
    }

    /// Where a convolution of these operands would run, and why.
    ///
    /// # Errors
    /// [`Error::Invalid`] for shapes that do not fit.
    pub fn explain_convolve(&self, images: &Operand<'_>, kernels: &Operand<'_>, how: &Convolve) -> Result<String> {
        let plan = plan_convolve(Direction::Convolve, images, kernels, how)?;
        Ok(self.engine.explain(Work::Convolve(&plan, images.host_bytes() + kernels.host_bytes())))
    }

    /// Where a separable filter of this array would run, and why.
    ///
    /// # Errors
    /// [`Error::Invalid`] for axes, weights and origins that do not fit.
    pub fn explain_separable(&self, array: &Operand<'_>, how: &Separable) -> Result<String> {
        let plan = SeparablePlan::new(how, array.dtype(), array.shape())?;
        Ok(self.engine.explain(Work::Separable(&plan, array.host_bytes())))
    }

    /// Where a reduction of this array would run, and why.
    ///
    /// # Errors
    /// [`Error::Invalid`] for axes that do not fit.
    pub fn explain_reduce<R: Copy + Into<ReduceOp>>(&self, array: &Operand<'_>, how: &Reduce<R>) -> Result<String> {
        let plan = plan_reduce(how, array, None)?;
        Ok(self.engine.explain(Work::Reduce(&plan, array.host_bytes())))
    }

    /// Where a map of these arrays would run, and why.
    ///
    /// # Errors
    /// [`Error::Invalid`] for names and shapes that do not fit.
    pub fn explain_map(&self, how: &Map, arrays: &[(&str, Operand<'_>)]) -> Result<String> {
        let plan = plan_map(how, arrays)?;
        Ok(self.engine.explain(Work::Map(&plan, arrays.iter().map(|(_, operand)| operand.host_bytes()).sum())))
    }

    /// Where an integrand would be sampled, and why.
    ///
    /// # Errors
    /// [`Error::Invalid`] for names and bounds that do not fit.
    pub fn explain_integrate(&self, how: &Integrate) -> Result<String> {
        Ok(self.engine.explain(Work::Integrate(&IntegratePlan::new(how, 0..how.samples)?)))
    }

    /// Where so many samples would be drawn, and why.
    pub fn explain_pi(&self, samples: u64) -> String {
        self.engine.explain(Work::CountHits(&MonteCarloPlan { seed: 0, samples: 0..samples }))
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

fn plan_convolve(direction: Direction, images: &Operand<'_>, kernels: &Operand<'_>, how: &Convolve) -> Result<ConvolvePlan> {
    ConvolvePlan::new(how, direction, (images.dtype(), images.shape()), (kernels.dtype(), kernels.shape()))
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

/// Runs with the inputs of a reduction, the second one broadcast to the shape of the first.
fn with_inputs<T>(
    plan: &ReducePlan,
    array: &Operand<'_>,
    second: Option<&Operand<'_>>,
    run: impl FnOnce(&[Input<'_>]) -> Result<T>,
) -> Result<T> {
    let Some(second) = second else { return run(&[array.input()]) };
    if second.shape() == plan.input {
        return run(&[array.input(), second.input()]);
    }
    let mut scratch = None;
    let input = second.input();
    let view = input.host(&mut scratch)?;
    let view = view.broadcast(&plan.input).ok_or_else(|| {
        Error::invalid("shape of the second operand", format!("{:?}", second.shape()), format!("{:?}", plan.input))
    })?;
    run(&[array.input(), Input::Host(view)])
}

/// An engine's result as an array.
pub(crate) fn wrap(dtype: Dtype, shape: Vec<usize>, storage: Option<Storage>) -> Result<DynArray> {
    let storage = match storage {
        Some(storage) => storage,
        None => Storage::Host(Arc::new(HostVec::zeros(dtype, shape.iter().product())?)),
    };
    Ok(DynArray { dtype, shape, storage })
}

/// Runs into `out`: the caller's memory, or an array whose memory is handed to the engine for reuse.
pub(crate) fn deliver(
    dtype: Dtype,
    shape: &[usize],
    out: Output<'_>,
    run: impl FnOnce(Target<'_>) -> Result<Option<Storage>>,
) -> Result<()> {
    match out {
        Output::View(view) => {
            view.expect(dtype, shape)?;
            run(Target::Host(view)).map(drop)
        }
        Output::Array(array) => {
            if array.dtype != dtype {
                return Err(Error::Dtype { what: "output".into(), got: array.dtype, expected: dtype.to_string() });
            }
            // The old memory goes to the engine for reuse; if the work fails the array is left empty.
            let empty = Storage::Host(Arc::new(HostVec::zeros(dtype, 0)?));
            let old = (std::mem::replace(&mut array.storage, empty), std::mem::replace(&mut array.shape, vec![0]));
            let done = wrap(dtype, shape.to_vec(), run(Target::Device(Some(old.0)))?)?;
            *array = done;
            Ok(())
        }
    }
}
