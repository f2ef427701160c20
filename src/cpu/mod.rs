//! The CPU engine: the calling thread and rayon's for the cores, SIMD within each.

mod convolve;
mod expr;
mod gate;
mod group;
#[cfg(target_arch = "x86_64")]
mod inversion;
mod lanes;
mod log_sum_exp;
mod monte_carlo;
mod operate;
mod place;
mod quantile;
mod random;
mod reduce;
mod scan;
pub(crate) mod simd;
pub(crate) mod tasks;
mod topk;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::array::{HostVec, Storage};
use crate::engine::{Counters, DeviceClass, DeviceInfo, Engine, Input, Target, sealed};
use crate::fork::PerProcess;
use crate::plan::{
    ConvolvePlan, GroupPlan, Grouped, IntegralSums, IntegratePlan, MapPlan, MonteCarloPlan, Operation, Partials, RandomPlan,
    ReduceOp, ReducePlan, SeparablePlan, Tally,
};
use crate::view::{View, ViewMut};
use crate::{Control, Error, Result};
use simd::Simd;
use tasks::Crew;

/// Multiply-adds, elements, samples that are done before a sleeping thread would have woken (some tens of microseconds).
const LITTLE_CONVOLUTION: u64 = 1 << 16;
const LITTLE_REDUCTION: u64 = 1 << 14;
const LITTLE_MONTE_CARLO: u64 = 1 << 15;
const LITTLE_RANDOM: u64 = 1 << 13;

/// The CPU. Its threads are whoever calls and helpers of its own, started at first use and anew in a forked child.
#[derive(Debug)]
pub(crate) struct CpuEngine {
    threads: Option<usize>,
    crew: PerProcess<Result<Arc<Crew>, String>>,
    operations: AtomicU64,
    work: AtomicU64,
    copied: AtomicU64,
}

impl CpuEngine {
    /// An engine of so many threads; `None` for one per core that this process may use.
    pub(crate) fn new(threads: Option<usize>) -> Self {
        let zero = || AtomicU64::new(0);
        Self { threads, crew: PerProcess::new(), operations: zero(), work: zero(), copied: zero() }
    }

    fn threads(&self) -> usize {
        self.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
    }

    fn id(&self) -> String {
        self.threads.map_or_else(|| "cpu".into(), |n| format!("cpu:{n}"))
    }

    /// Runs `operation` with the help of the crew, or on this thread alone if its `work` is at most `little`; and counts it.
    fn install<T>(&self, work: u64, little: u64, operation: impl FnOnce() -> Result<T>) -> Result<T> {
        let result = if work <= little { tasks::here(operation) } else { self.crew()?.install(operation) }?;
        self.operations.fetch_add(1, Ordering::Relaxed);
        self.work.fetch_add(work, Ordering::Relaxed);
        Ok(result)
    }

    fn crew(&self) -> Result<&Arc<Crew>> {
        let crew = self.crew.get(|| Crew::new(self.threads()).map_err(|error| error.to_string()));
        crew.as_ref().map_err(|message| Error::Device {
            device: self.id(),
            stage: format!("starting {} threads", self.threads()),
            message: message.clone(),
        })
    }
}

impl sealed::Sealed for CpuEngine {}

impl Engine for CpuEngine {
    fn info(&self) -> DeviceInfo {
        DeviceInfo {
            id: self.id(),
            name: model_name(),
            class: DeviceClass::Cpu,
            backend: "rayon".into(),
            driver: Simd::current().name().into(),
            pci: None,
            threads: self.threads(),
            max_buffer: 0,
            max_binding: 0,
            workgroup_memory: 0,
            workgroup_invocations: 0,
            f64: true,
            int64: true,
            warnings: Vec::new(),
        }
    }

    fn counters(&self) -> Counters {
        Counters {
            operations: self.operations.load(Ordering::Relaxed),
            work: self.work.load(Ordering::Relaxed),
            dispatches: 0,
            uploaded: self.copied.load(Ordering::Relaxed),
            downloaded: 0,
            peak: 0,
        }
    }

    fn convolve(
        &self,
        plan: &ConvolvePlan,
        image: &Input<'_>,
        kernel: &Input<'_>,
        target: Target<'_>,
        control: &Control,
    ) -> Result<Option<Storage>> {
        let (mut image_memory, mut kernel_memory) = (None, None);
        let (image, kernel) = (image.host(&mut image_memory)?, kernel.host(&mut kernel_memory)?);
        self.install(plan.work(), LITTLE_CONVOLUTION, || convolve::run(plan, image, kernel, target, Simd::current(), control))
    }

    fn separable(
        &self,
        plan: &SeparablePlan,
        input: &Input<'_>,
        target: Target<'_>,
        control: &Control,
    ) -> Result<Option<Storage>> {
        let mut memory = None;
        let input = input.host(&mut memory)?;
        self.install(plan.work(), LITTLE_CONVOLUTION, || convolve::separable::run(plan, input, target, Simd::current(), control))
    }

    fn reduce(&self, plan: &ReducePlan, inputs: &[Input<'_>], target: Target<'_>, control: &Control) -> Result<Option<Storage>> {
        let mut memory = [None, None];
        let inputs = Input::all_spread(inputs, &mut memory, &plan.input)?;
        self.install(plan.work(), LITTLE_REDUCTION, || reduce::run(plan, &inputs, target, Simd::current(), control))
    }

    fn reduce_partials(&self, plan: &ReducePlan, inputs: &[Input<'_>], control: &Control) -> Result<Partials> {
        let mut memory = [None, None];
        let inputs = Input::all_spread(inputs, &mut memory, &plan.input)?;
        self.install(plan.work(), LITTLE_REDUCTION, || reduce::partials(plan, &inputs, Simd::current(), control))
    }

    fn operate(
        &self,
        operation: &Operation,
        inputs: &[Input<'_>],
        targets: Vec<Target<'_>>,
        control: &Control,
    ) -> Result<Vec<Option<Storage>>> {
        let mut memory = vec![None; inputs.len()];
        let inputs = Input::all_spread(inputs, &mut memory, &operation.lanes().input)?;
        self.install(operation.work(), LITTLE_REDUCTION, || operate::run(operation, inputs, targets, Simd::current(), control))
    }

    fn group(&self, plan: &GroupPlan, keys: &Input<'_>, values: Option<&Input<'_>>, control: &Control) -> Result<Grouped> {
        let (mut keys_memory, mut values_memory) = (None, None);
        let keys = keys.host(&mut keys_memory)?;
        let values = values.map(|values| values.host(&mut values_memory)).transpose()?;
        let run = || group::run(plan, &keys, values.as_ref(), Simd::current(), control);
        self.install(plan.work(), LITTLE_REDUCTION, run)
    }

    fn count_hits(&self, plan: &MonteCarloPlan, control: &Control) -> Result<Tally> {
        self.install(plan.len(), LITTLE_MONTE_CARLO, || monte_carlo::count_hits(plan, Simd::current(), control))
    }

    fn random(&self, plan: &RandomPlan, target: Target<'_>, control: &Control) -> Result<Option<Storage>> {
        self.install(plan.len(), LITTLE_RANDOM, || random::run(plan, target, Simd::current(), control))
    }

    fn map(&self, plan: &MapPlan, inputs: &[Input<'_>], target: Target<'_>, control: &Control) -> Result<Option<Storage>> {
        let mut memory = vec![None; inputs.len()];
        let inputs = hosts(inputs, &mut memory)?;
        self.install(plan.work(), LITTLE_REDUCTION, || expr::run(plan, inputs, target, Simd::current(), control))
    }

    fn map_partials(&self, plan: &MapPlan, op: ReduceOp, inputs: &[Input<'_>], control: &Control) -> Result<Partials> {
        let mut memory = vec![None; inputs.len()];
        let inputs = hosts(inputs, &mut memory)?;
        self.install(plan.work(), LITTLE_REDUCTION, || expr::partials(plan, op, inputs, Simd::current(), control))
    }

    fn integrate(&self, plan: &IntegratePlan, control: &Control) -> Result<IntegralSums> {
        self.install(plan.work(), LITTLE_REDUCTION, || expr::sums(plan, Simd::current(), control))
    }

    fn algorithm(&self, plan: &ConvolvePlan) -> Option<String> {
        Some(convolve::explain(plan, Simd::current(), self.threads()))
    }

    fn upload(&self, view: &View<'_>) -> Result<Storage> {
        let mut vec = HostVec::zeros(view.dtype(), view.len())?;
        if let Some(bytes) = vec.view_mut(&[view.len()]).as_bytes() {
            view.copy_to_bytes(bytes);
        }
        self.copied.fetch_add((view.len() * view.dtype().size()) as u64, Ordering::Relaxed);
        Ok(Storage::Host(Arc::new(vec)))
    }
}

/// All inputs in host memory.
fn hosts<'s>(inputs: &'s [Input<'_>], memory: &'s mut [Option<HostVec>]) -> Result<Vec<View<'s>>> {
    inputs.iter().zip(memory).map(|(input, memory)| input.host(memory)).collect()
}

/// The processor's name as the system tells it, or the architecture.
fn model_name() -> String {
    let told = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_string())
    });
    told.filter(|name| !name.is_empty()).unwrap_or_else(|| std::env::consts::ARCH.into())
}

/// Host memory for a result of `plan`'s dtype and length: that of `reuse` if it fits and nobody else holds it.
fn host_memory(dtype: crate::Dtype, len: usize, reuse: Option<Storage>) -> Result<HostVec> {
    if let Some(Storage::Host(shared)) = reuse
        && let Ok(vec) = Arc::try_unwrap(shared)
        && vec.dtype() == dtype
        && vec.len() == len
    {
        return Ok(vec);
    }
    HostVec::zeros(dtype, len)
}

/// Lets `fill` write a result of this dtype and shape to where `target` wants it.
fn deliver(
    dtype: crate::Dtype,
    shape: &[usize],
    target: Target<'_>,
    fill: impl FnOnce(ViewMut<'_>) -> Result<()>,
) -> Result<Option<Storage>> {
    match target {
        Target::Host(out) => fill(out).map(|()| None),
        Target::Device(reuse) => {
            let mut vec = host_memory(dtype, shape.iter().product(), reuse)?;
            fill(vec.view_mut(shape))?;
            Ok(Some(Storage::Host(Arc::new(vec))))
        }
    }
}

/// Hands a result in host memory to where it was wanted.
fn hand_over(result: HostVec, shape: &[usize], target: Target<'_>) -> Result<Option<Storage>> {
    match target {
        Target::Device(_) => Ok(Some(Storage::Host(Arc::new(result)))),
        Target::Host(mut out) => {
            out.expect(result.dtype(), shape)?;
            out.copy_from_bytes(result.view(shape).as_bytes().unwrap_or(&[]));
            Ok(None)
        }
    }
}
