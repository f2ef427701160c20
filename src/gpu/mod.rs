//! The GPU engine: wgpu underneath, WGSL from `shaders/`. No wgpu type leaves this folder.

mod adapters;
mod arrange;
mod context;
mod convolve;
mod dispatch;
mod expr;
mod group;
mod lanes;
mod log_sum_exp;
mod memory;
mod monte_carlo;
mod operate;
mod pipeline;
mod quantile;
mod random;
mod reduce;
mod room;
mod scan;
mod select;
mod selftest;
mod separable;
mod shaders;
mod stream;
#[cfg(test)]
mod tests;
mod topk;
mod transfer;

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use crate::array::Storage;
use crate::engine::{Counters, DeviceInfo, Engine, Input, Target, sealed};
use crate::fork::PerProcess;
use crate::plan::{
    ConvolvePlan, GroupPlan, Grouped, IntegralSums, IntegratePlan, MapPlan, MonteCarloPlan, Operation, Partials, RandomPlan,
    ReduceOp, ReducePlan, SeparablePlan,
};
use crate::view::View;
use crate::{Control, Error, Result};
use context::{Context, Tally, lock};
pub use memory::GpuBuffer;

/// Devices lost one after the other, without a finished operation in between, after which an engine opens no new one.
const PATIENCE: u32 = 4;

/// Every adapter once, hardware first, software last. Warnings of the self-test appear once an adapter was opened.
pub(crate) fn list() -> Vec<DeviceInfo> {
    adapters::all().iter().map(adapters::Adapter::describe).collect()
}

/// Why [`list`] is empty, and what to do about it.
pub(crate) fn none_found() -> String {
    adapters::none_found()
}

/// Opens adapter `index` of [`list`]; a new logical device each time.
pub(crate) fn open(index: usize) -> Result<Arc<dyn Engine>> {
    Ok(Arc::new(GpuEngine::open(index)?))
}

/// A logical device on an adapter, opened anew when it was lost and in a forked child.
pub(crate) struct GpuEngine {
    index: usize,
    context: PerProcess<Mutex<Option<Arc<Context>>>>,
    tally: Arc<Tally>,
    losses: AtomicU32,
}

impl GpuEngine {
    pub(crate) fn open(index: usize) -> Result<Self> {
        let engine = Self { index, context: PerProcess::new(), tally: Arc::default(), losses: AtomicU32::new(0) };
        engine.context()?;
        Ok(engine)
    }

    /// The device, opened if there is none in this process or if it was lost.
    pub(crate) fn context(&self) -> Result<Arc<Context>> {
        let mut slot = lock(self.context.get(|| Mutex::new(None)));
        if let Some(context) = slot.as_ref() {
            if !context.is_lost() {
                return Ok(context.clone());
            }
            if self.losses.fetch_add(1, Ordering::Relaxed) >= PATIENCE {
                self.losses.fetch_sub(1, Ordering::Relaxed);
                context.check_alive()?;
            }
        }
        adapters::check_orphaned(self.index)?;
        let adapter = adapters::get(self.index)?;
        let test = adapter.selftest.get_or_init(|| selftest::run(adapter)).as_ref().map_err(Error::clone)?;
        let context = Context::open(adapter, test.caps, self.tally.clone())?;
        Ok(slot.insert(context).clone())
    }

    /// Runs an operation of so much work.
    fn run<T>(&self, work: u64, operation: impl FnOnce(&Arc<Context>) -> Result<T>) -> Result<T> {
        let result = operation(&self.context()?)?;
        self.losses.store(0, Ordering::Relaxed);
        self.tally.operations.fetch_add(1, Ordering::Relaxed);
        self.tally.work.fetch_add(work, Ordering::Relaxed);
        Ok(result)
    }
}

impl GpuEngine {
    /// [`run`](Self::run) within the memory that `control` allows.
    fn run_within<T>(&self, work: u64, control: &Control, operation: impl FnOnce(&Arc<Context>) -> Result<T>) -> Result<T> {
        self.run(work, |context| room::within(context, control, || operation(context)))
    }
}

impl fmt::Debug for GpuEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GpuEngine(gpu:{})", self.index)
    }
}

impl sealed::Sealed for GpuEngine {}

impl Engine for GpuEngine {
    fn info(&self) -> DeviceInfo {
        adapters::get(self.index).map(adapters::Adapter::describe).unwrap_or_else(|error| DeviceInfo {
            id: format!("gpu:{}", self.index),
            name: String::new(),
            class: crate::DeviceClass::OtherGpu,
            backend: String::new(),
            driver: String::new(),
            pci: None,
            threads: 0,
            max_buffer: 0,
            max_binding: 0,
            workgroup_memory: 0,
            workgroup_invocations: 0,
            f64: false,
            int64: false,
            warnings: vec![error.to_string()],
        })
    }

    fn counters(&self) -> Counters {
        self.tally.read()
    }

    fn convolve(
        &self,
        plan: &ConvolvePlan,
        image: &Input<'_>,
        kernel: &Input<'_>,
        target: Target<'_>,
        control: &Control,
    ) -> Result<Option<Storage>> {
        self.run(plan.work(), |context| convolve::run(context, plan, image, kernel, target, control))
    }

    fn separable(
        &self,
        plan: &SeparablePlan,
        input: &Input<'_>,
        target: Target<'_>,
        control: &Control,
    ) -> Result<Option<Storage>> {
        self.run(plan.work(), |context| separable::run(context, plan, input, target, control))
    }

    fn reduce(&self, plan: &ReducePlan, inputs: &[Input<'_>], target: Target<'_>, control: &Control) -> Result<Option<Storage>> {
        self.run_within(plan.work(), control, |context| {
            room::deliver_one(control, (plan.out_dtype, &plan.shape), target, |target| {
                reduce::run(context, plan, inputs, target, control)
            })
        })
    }

    fn reduce_partials(&self, plan: &ReducePlan, inputs: &[Input<'_>], control: &Control) -> Result<Partials> {
        self.run_within(plan.work(), control, |context| reduce::partials(context, plan, inputs, control))
    }

    fn operate(
        &self,
        operation: &Operation,
        inputs: &[Input<'_>],
        targets: Vec<Target<'_>>,
        control: &Control,
    ) -> Result<Vec<Option<Storage>>> {
        self.run_within(operation.work(), control, |context| {
            room::deliver(control, &operation.results(), targets, |targets| {
                operate::run(context, operation, inputs, targets, control)
            })
        })
    }

    fn group(&self, plan: &GroupPlan, keys: &Input<'_>, values: Option<&Input<'_>>, control: &Control) -> Result<Grouped> {
        self.run_within(plan.work(), control, |context| group::run(context, plan, keys, values, control))
    }

    fn count_hits(&self, plan: &MonteCarloPlan, control: &Control) -> Result<crate::plan::Tally> {
        self.run_within(plan.len(), control, |context| monte_carlo::count_hits(context, plan, control))
    }

    fn algorithm(&self, plan: &ConvolvePlan) -> Option<String> {
        let said = self.context().and_then(|context| convolve::explain(&context, plan));
        Some(said.unwrap_or_else(|error| format!("no algorithm: {error}")))
    }

    fn random(&self, plan: &RandomPlan, target: Target<'_>, control: &Control) -> Result<Option<Storage>> {
        let (len, whole) = ([plan.len() as usize], plan.elements.start == 0);
        self.run_within(plan.len(), control, |context| match target {
            Target::Device(_) if whole => {
                room::deliver_one(control, (plan.dtype, &len), target, |target| random::run(context, plan, target, control))
            }
            target => random::run(context, plan, target, control),
        })
    }

    fn map(&self, plan: &MapPlan, inputs: &[Input<'_>], target: Target<'_>, control: &Control) -> Result<Option<Storage>> {
        let len = [plan.outputs()];
        self.run_within(plan.work(), control, |context| match target {
            Target::Device(_) if plan.is_whole() => {
                room::deliver_one(control, (plan.dtype, &len), target, |target| expr::run(context, plan, inputs, target, control))
            }
            target => expr::run(context, plan, inputs, target, control),
        })
    }

    fn map_partials(&self, plan: &MapPlan, op: ReduceOp, inputs: &[Input<'_>], control: &Control) -> Result<Partials> {
        self.run_within(plan.work(), control, |context| expr::partials(context, plan, op, inputs, control))
    }

    fn integrate(&self, plan: &IntegratePlan, control: &Control) -> Result<IntegralSums> {
        self.run_within(plan.work(), control, |context| expr::sums(context, plan, control))
    }

    fn upload(&self, view: &View<'_>) -> Result<Storage> {
        self.run(0, |context| Ok(Storage::Gpu(context.upload_view(view, &Control::new())?)))
    }

    fn holds(&self, input: &Input<'_>) -> bool {
        matches!(input, Input::Gpu { buffer, .. } if self.context().is_ok_and(|context| buffer.belongs_to(&context)))
    }
}
