//! The seam: what a device must be able to do. Implemented by the CPU, the GPU and the engines made of engines.

use std::fmt;
use std::sync::Arc;

use crate::array::{HostVec, Storage};
use crate::plan::{
    ConvolvePlan, GroupPlan, Grouped, IntegralSums, IntegratePlan, MapPlan, MonteCarloPlan, Operation, Partials, RandomPlan,
    ReduceOp, ReducePlan, SeparablePlan, Tally,
};
use crate::view::{View, ViewMut};
use crate::{Control, Dtype, Result};

/// What kind of device an engine computes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DeviceClass {
    /// A GPU with memory of its own.
    DiscreteGpu,
    /// A GPU that shares the host's memory.
    IntegratedGpu,
    /// A GPU lent to a virtual machine.
    VirtualGpu,
    /// A GPU adapter of unknown kind.
    OtherGpu,
    /// A program that plays GPU on the CPU (llvmpipe, lavapipe, SwiftShader, WARP). Never chosen by `auto`.
    SoftwareGpu,
    /// The processor's cores.
    Cpu,
    /// Several devices that share one piece of work.
    Several,
}

impl DeviceClass {
    /// Whether this is a GPU in hardware.
    pub fn is_hardware_gpu(self) -> bool {
        self < Self::SoftwareGpu
    }
}

impl fmt::Display for DeviceClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DiscreteGpu => "discrete GPU",
            Self::IntegratedGpu => "integrated GPU",
            Self::VirtualGpu => "virtual GPU",
            Self::OtherGpu => "GPU",
            Self::SoftwareGpu => "software GPU",
            Self::Cpu => "CPU",
            Self::Several => "several devices",
        })
    }
}

/// What is known about a device.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceInfo {
    /// The text that opens it: `cpu`, `cpu:4`, `gpu:0`, `cpu+gpu:0`.
    pub id: String,
    /// The maker's name for it.
    pub name: String,
    /// Its kind.
    pub class: DeviceClass,
    /// The interface it is reached through: `rayon`, `Vulkan`, `Metal`, `DX12`.
    pub backend: String,
    /// Driver name and version; for the CPU, the SIMD level in use.
    pub driver: String,
    /// PCI address, if known.
    pub pci: Option<String>,
    /// Threads of a CPU device, 0 otherwise.
    pub threads: usize,
    /// Bytes of the largest buffer (0: no limit but memory).
    pub max_buffer: u64,
    /// Bytes of the largest binding (0: no limit but memory).
    pub max_binding: u64,
    /// Bytes of workgroup memory (0 on a CPU).
    pub workgroup_memory: u32,
    /// Invocations per workgroup (0 on a CPU).
    pub workgroup_invocations: u32,
    /// Whether default f64 convolution runs there.
    pub f64: bool,
    /// Whether shaders have 64-bit integers.
    pub int64: bool,
    /// What the self-test found wrong, if anything, in words.
    pub warnings: Vec<String>,
}

/// What an engine has done so far, counted since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Operations, or parts of operations, run.
    pub operations: u64,
    /// Units of work done: multiply-adds, elements read, samples.
    pub work: u64,
    /// Dispatches submitted (GPU).
    pub dispatches: u64,
    /// Bytes moved to the device.
    pub uploaded: u64,
    /// Bytes moved from the device.
    pub downloaded: u64,
    /// Most bytes of buffers that were held at once: arrays, scratch, staging, and what is kept for reuse (GPU).
    pub peak: u64,
}

/// An operand as an engine gets it.
#[derive(Debug, Clone)]
pub enum Input<'a> {
    /// Host memory, any stride.
    Host(View<'a>),
    /// Memory of a GPU, C-contiguous; not necessarily of the engine that gets it (which then brings it over through the host).
    #[cfg(feature = "gpu")]
    Gpu {
        /// The buffer.
        buffer: &'a crate::gpu::GpuBuffer,
        /// Its element type.
        dtype: Dtype,
        /// Its shape.
        shape: &'a [usize],
    },
}

impl Input<'_> {
    /// The input in host memory: as it is, or downloaded into `scratch`.
    pub(crate) fn host<'s>(&'s self, scratch: &'s mut Option<HostVec>) -> Result<View<'s>> {
        match self {
            Self::Host(view) => {
                let _ = scratch;
                Ok(view.clone())
            }
            #[cfg(feature = "gpu")]
            Self::Gpu { buffer, dtype, shape } => {
                let mut vec = HostVec::zeros(*dtype, shape.iter().product())?;
                buffer.download(vec.view_mut(shape))?;
                Ok(scratch.insert(vec).view(shape))
            }
        }
    }

    /// Inputs in host memory, as [`host`](Self::host) gives them, each broadcast to `shape`.
    pub(crate) fn all_spread<'s>(
        inputs: &'s [Self],
        scratch: &'s mut [Option<HostVec>],
        shape: &[usize],
    ) -> Result<Vec<View<'s>>> {
        let spread = |view: View<'s>| {
            let got = || format!("{:?}", view.shape());
            let expected = || format!("one that broadcasts to {shape:?}");
            view.broadcast(shape).ok_or_else(|| crate::Error::invalid("shape of an operand", got(), expected()))
        };
        inputs.iter().zip(scratch).map(|(input, scratch)| input.host(scratch).and_then(spread)).collect()
    }

    /// The shape.
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::Host(view) => view.shape(),
            #[cfg(feature = "gpu")]
            Self::Gpu { shape, .. } => shape,
        }
    }

    /// The element type.
    pub fn dtype(&self) -> Dtype {
        match self {
            Self::Host(view) => view.dtype(),
            #[cfg(feature = "gpu")]
            Self::Gpu { dtype, .. } => *dtype,
        }
    }

    /// Whether the data lies on the device already.
    pub fn is_resident(&self) -> bool {
        !matches!(self, Self::Host(_))
    }
}

/// Where a result goes.
#[derive(Debug)]
pub enum Target<'a> {
    /// Into the caller's memory, which has the shape of the plan's *whole* result; an engine that runs a part of a plan
    /// writes that part only.
    Host(ViewMut<'a>),
    /// Where the engine likes it best: a GPU leaves it on the device. The storage given is reused if it fits. Holds the
    /// plan's part only, C-contiguous.
    Device(Option<Storage>),
}

pub(crate) mod sealed {
    /// Keeps [`super::Engine`] to the engines of this crate.
    pub trait Sealed {}
}

/// A device that runs plans: the backend trait. Sealed, object-safe, dtype-erased.
///
/// All methods block until the work is done or `control` is cancelled, may be called from several threads at once, and
/// report progress in the plan's own units of work (`plan.work()`, samples) to `control`.
pub trait Engine: sealed::Sealed + Send + Sync + fmt::Debug {
    /// What is known about the device.
    fn info(&self) -> DeviceInfo;

    /// What it has done so far.
    fn counters(&self) -> Counters;

    /// Runs `plan` (a part of a plan: just that part). Returns the result for [`Target::Device`], `None` for
    /// [`Target::Host`].
    fn convolve(
        &self,
        plan: &ConvolvePlan,
        image: &Input<'_>,
        kernel: &Input<'_>,
        target: Target<'_>,
        control: &Control,
    ) -> Result<Option<Storage>>;

    /// Runs a separable filter. Returns as [`convolve`](Self::convolve) does.
    fn separable(
        &self,
        plan: &SeparablePlan,
        input: &Input<'_>,
        target: Target<'_>,
        control: &Control,
    ) -> Result<Option<Storage>>;

    /// Runs `plan` to its final values: of one input, or two ([`ReducePlan::inputs`]), the second one broadcast to the shape of
    /// the first. Returns as
    /// [`convolve`](Self::convolve) does.
    fn reduce(&self, plan: &ReducePlan, inputs: &[Input<'_>], target: Target<'_>, control: &Control) -> Result<Option<Storage>>;

    /// Runs `plan` to mergeable partials, one per result.
    fn reduce_partials(&self, plan: &ReducePlan, inputs: &[Input<'_>], control: &Control) -> Result<Partials>;

    /// Runs an operation on its operands. One target per result, in the order of [`Operation::results`]; returns as
    /// [`convolve`](Self::convolve) does, for each.
    fn operate(
        &self,
        operation: &Operation,
        inputs: &[Input<'_>],
        targets: Vec<Target<'_>>,
        control: &Control,
    ) -> Result<Vec<Option<Storage>>>;

    /// Reduces values group by group, as their keys tell, to mergeable results. No values where keys are counted only.
    fn group(&self, plan: &GroupPlan, keys: &Input<'_>, values: Option<&Input<'_>>, control: &Control) -> Result<Grouped>;
    /// Evaluates an expression at every element of the plan's range. Returns as [`convolve`](Self::convolve) does; host memory
    /// for a part of a plan must be contiguous.
    fn map(&self, plan: &MapPlan, inputs: &[Input<'_>], target: Target<'_>, control: &Control) -> Result<Option<Storage>>;

    /// Reduces the results of the plan's range to one mergeable partial, without keeping them; indices count from the
    /// first.
    fn map_partials(&self, plan: &MapPlan, op: ReduceOp, inputs: &[Input<'_>], control: &Control) -> Result<Partials>;

    /// The exact sums of an integrand over the plan's samples.
    fn integrate(&self, plan: &IntegratePlan, control: &Control) -> Result<IntegralSums>;

    /// Counts the hits among the plan's samples. On cancellation the count so far is lost: run ranges to keep it.
    fn count_hits(&self, plan: &MonteCarloPlan, control: &Control) -> Result<Tally>;

    /// Draws random numbers. Returns as [`convolve`](Self::convolve) does; a part of a plan is written to contiguous memory only.
    fn random(&self, plan: &RandomPlan, target: Target<'_>, control: &Control) -> Result<Option<Storage>>;

    /// Copies host data to where this engine computes fastest (a no-op worth of bytes on the CPU: one copy).
    fn upload(&self, view: &View<'_>) -> Result<Storage>;

    /// Whether `input` lies in this engine's own device memory, so that using it here moves nothing.
    fn holds(&self, input: &Input<'_>) -> bool {
        let _ = input;
        false
    }

    /// The members of an engine made of engines.
    fn members(&self) -> &[Arc<dyn Engine>] {
        &[]
    }

    /// How the sums of a convolution would be formed here, with the predicted times of the algorithms, in words; `None` if
    /// there is no choice.
    fn algorithm(&self, plan: &ConvolvePlan) -> Option<String> {
        let _ = plan;
        None
    }

    /// Which engine, this one or a member, `auto` would run a piece of work on, and why, in words.
    fn explain(&self, work: Work<'_>) -> String {
        let algorithm = match work {
            Work::Convolve(plan, _) => self.algorithm(plan).map_or_else(String::new, |text| format!("; {text}")),
            _ => String::new(),
        };
        format!("{}: the only device{algorithm}", self.info().id)
    }
}

/// A piece of work, for [`Engine::explain`] and the choice behind it.
#[derive(Debug, Clone, Copy)]
pub enum Work<'a> {
    /// A convolution of operands of so many bytes that lie on the host (0: already on the device).
    Convolve(&'a ConvolvePlan, u64),
    /// A separable filter of an array of so many bytes on the host.
    Separable(&'a SeparablePlan, u64),
    /// A reduction of an operand of so many bytes on the host.
    Reduce(&'a ReducePlan, u64),
    /// An operation on operands of so many bytes on the host.
    Operate(&'a Operation, u64),
    /// A reduction by groups of keys and values of so many bytes on the host.
    Group(&'a GroupPlan, u64),
    /// An expression over operands of so many bytes on the host.
    Map(&'a MapPlan, u64),
    /// An integrand to sample.
    Integrate(&'a IntegratePlan),
    /// Hits to count.
    CountHits(&'a MonteCarloPlan),
    /// Random numbers to draw.
    Random(&'a RandomPlan),
}
