//! The handle: constructors and operations. Every operation is: validate, plan, run on the engine, wrap.

mod convolve;
mod integrate;
mod map;
mod monte_carlo;
mod operations;
mod reduce;

pub use map::Float;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::array::{Array, AsOperand, DynArray, HostVec, Operand, Output, Storage};
use crate::engine::{Counters, DeviceInfo, Engine, Target};
use crate::view::expect_output;
use crate::{Control, Dtype, Error, Job, Result, select};

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
    /// [`Error::Invalid`] for 0 threads or more than 1,024.
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

    /// The same device, of whose memory each operation takes at most so many bytes.
    ///
    /// A GPU computes what does not fit piece by piece and streams it: while one piece is computed the next is brought over and
    /// the one before taken back. Operands, scratch, staging and the result count, arrays that lie on the device already do
    /// not; some hundred kilobytes for parameters come on top. A result that would take more than half of the limit (of a convolution
    /// or filter; a quarter of it, of anything else) lies in host memory. Results do not depend on the limit, floats of algorithms other than direct only within their bound. On the
    /// CPU it limits what the fast algorithms keep beside operands and results. Several devices have the limit each. With
    /// several limits the least one counts.
    ///
    /// An operation fails with [`Error::Invalid`], which names a limit that would do, if the limit is too little for a single
    /// output of a convolution, for the states of all groups of a reduction by group, or below 64 KiB.
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
            expect_output((array.dtype, &array.shape), (dtype, shape))?;
            // The old memory goes to the engine for reuse; if the work fails the array holds zeros.
            let zeros = Storage::Host(Arc::new(HostVec::zeros(dtype, shape.iter().product())?));
            let old = std::mem::replace(&mut array.storage, zeros);
            *array = wrap(dtype, shape.to_vec(), run(Target::Device(Some(old)))?)?;
            Ok(())
        }
    }
}
