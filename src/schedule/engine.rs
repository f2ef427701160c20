//! The engine made of engines: one piece of work, cut in proportion to what each member does per second.

use std::ops::Range;
use std::sync::Arc;

use super::calibrate::Member;
use super::cost::{Kind, Load};
use super::parts::{Memory, Part, run_all};
use crate::array::{HostVec, Storage};
use crate::engine::{Counters, DeviceClass, DeviceInfo, Engine, Input, Target, Work, sealed};
use crate::plan::{
    ConvolvePlan, GroupPlan, Grouped, IntegralSums, IntegratePlan, MapPlan, MonteCarloPlan, Native, Operation, Partials,
    RandomPlan, Reduce, ReduceOp, ReducePlan, SeparablePart, SeparablePlan, Tally, cut,
};
use crate::view::View;
use crate::{Control, Dtype, Error, Result};

/// Several devices that share each piece of work.
#[derive(Debug)]
pub(crate) struct SplitEngine {
    members: Vec<Member>,
    engines: Vec<Arc<dyn Engine>>,
}

/// Samples are cut at multiples of this, so that no member gets a ragged edge.
const GRAIN: u64 = 1 << 12;
/// An axis is long enough to be cut in proportion if it has so many elements per member.
const LONG: usize = 8;

impl SplitEngine {
    /// The engine made of `members`, at least one.
    pub(crate) fn new(members: Vec<Member>) -> Self {
        let engines = members.iter().map(|member| member.engine.clone()).collect();
        Self { members, engines }
    }

    /// Each member's share of work of this kind, in proportion to its speed; 0 for one that cannot do it. Work too small
    /// to be worth measuring is cut evenly.
    fn weights(&self, kind: Kind, work: u64) -> Result<Vec<f64>> {
        let double = matches!(kind, Kind::Convolve(Dtype::F64, _) | Kind::Separable(Dtype::F64, _));
        let lacks = |member: &Member| double && !member.engine.info().f64;
        let mut weights = Vec::with_capacity(self.members.len());
        let known: Option<Vec<_>> = self.members.iter().map(|member| member.known(kind)).collect();
        if known.is_none() && !kind.matters(work) {
            weights.extend(self.members.iter().map(|member| if lacks(member) { 0.0 } else { 1.0 }));
        } else {
            for member in &self.members {
                weights.push(match member.rates(kind) {
                    _ if lacks(member) => 0.0,
                    Ok(rates) => rates.work,
                    Err(Error::Unsupported { .. }) => 0.0,
                    Err(error) => return Err(error),
                });
            }
        }
        if weights.iter().all(|&weight| weight <= 0.0) {
            // Nobody can: the first says why.
            weights[0] = 1.0;
        }
        Ok(weights)
    }

    /// The member with the largest share.
    fn fastest(&self, weights: &[f64]) -> &dyn Engine {
        let index = (0..weights.len()).max_by(|&a, &b| weights[a].total_cmp(&weights[b])).unwrap_or(0);
        &*self.engines[index]
    }

    /// The integral's samples in proportion to weights.
    fn integrate_by(&self, weights: &[f64], plan: &IntegratePlan, control: &Control) -> Result<IntegralSums> {
        let grains = usize::try_from(plan.len().div_ceil(GRAIN)).unwrap_or(usize::MAX);
        let at = |grain: usize| (grain as u64).saturating_mul(GRAIN).min(plan.len());
        let run = self.busy(cut(&(0..grains), weights)).map(|(engine, range)| -> Part<'_, IntegralSums> {
            let part = plan.part(at(range.start)..at(range.end));
            Box::new(move |control| engine.integrate(&part, control))
        });
        let mut all = IntegralSums::default();
        run_all(run.collect(), control)?.iter().for_each(|part| all.merge(part));
        Ok(all)
    }

    /// Cuts the reduction along an axis, or says that there is none to cut along.
    fn cut(&self, plan: &ReducePlan) -> Option<Cut> {
        let longest = |axes: &mut dyn Iterator<Item = usize>| {
            axes.map(|axis| (plan.input[axis], axis)).max_by_key(|&(len, axis)| (len, std::cmp::Reverse(axis)))
        };
        let enough = LONG * self.members.len();
        let kept = (plan.kept.iter().find(|&&axis| plan.input[axis] >= enough).map(|&axis| (plan.input[axis], axis)))
            .or_else(|| longest(&mut plan.kept.iter().copied()));
        // The index of an element grows by a constant along the first reduced axis only.
        let reduced = match plan.op {
            ReduceOp::ArgMin | ReduceOp::ArgMax => {
                plan.reduced.iter().find(|&&axis| plan.input[axis] > 1).map(|&axis| (plan.input[axis], axis))
            }
            _ => longest(&mut plan.reduced.iter().copied()),
        };
        match (kept, reduced) {
            (Some((len, axis)), _) if len >= enough => Some(Cut::Kept(axis)),
            (Some((k, axis)), Some((r, _))) if k >= r && k > 1 => Some(Cut::Kept(axis)),
            (_, Some((r, axis))) if r > 1 => Some(Cut::Reduced(axis)),
            (Some((k, axis)), _) if k > 1 => Some(Cut::Kept(axis)),
            _ => None,
        }
    }

    /// The partials of the parts of `view` along the reduced axis `axis`, merged.
    fn merged(&self, plan: &ReducePlan, views: &[View<'_>], axis: usize, weights: &[f64], control: &Control) -> Result<Partials> {
        let ranges = cut(&(0..plan.input[axis]), weights);
        let after = plan.reduced.iter().filter(|&&other| other > axis).map(|&other| plan.input[other] as u64).product::<u64>();
        let mut offsets = vec![];
        let mut parts: Vec<Part<'_, Partials>> = vec![];
        for (engine, range) in self.busy(ranges) {
            offsets.push(range.start as u64 * after);
            let (plan, inputs) = (plan.narrow(axis, range.clone()), narrowed(views, axis, &range));
            parts.push(Box::new(move |control| engine.reduce_partials(&plan, &inputs, control)));
        }
        let mut all = plan.empty_partials();
        for (partials, offset) in run_all(parts, control)?.iter().zip(offsets) {
            all.merge(partials, plan.op, offset)?;
        }
        Ok(all)
    }

    /// The members whose range is not empty.
    fn busy(&self, ranges: Vec<Range<usize>>) -> impl Iterator<Item = (&dyn Engine, Range<usize>)> {
        self.engines.iter().map(|engine| &**engine).zip(ranges).filter(|(_, range)| !range.is_empty())
    }
}

/// The axis along which a reduction is cut.
enum Cut {
    /// An axis of the result: every part has results of its own.
    Kept(usize),
    /// A reduced axis: every part has partials of all results.
    Reduced(usize),
}

/// The parts of views in `range` along `axis`, as inputs.
fn narrowed<'a>(views: &[View<'a>], axis: usize, range: &Range<usize>) -> Vec<Input<'a>> {
    views.iter().map(|view| Input::Host(view.clone().narrow(axis, range.clone()))).collect()
}

fn inputs<'a>(views: &[View<'a>]) -> Vec<Input<'a>> {
    views.iter().cloned().map(Input::Host).collect()
}

/// A reduction of everything, over as few axes as the input's strides allow; any other reduction, and one of two inputs, as
/// it is.
fn flattened<'a>(plan: &ReducePlan, mut views: Vec<View<'a>>) -> (ReducePlan, Vec<View<'a>>) {
    if views.len() != 1 || !plan.kept.is_empty() {
        return (plan.clone(), views);
    }
    views[0] = views[0].collapsed().pad_rank(1);
    let (input, reduced) = (views[0].shape().to_vec(), (0..views[0].rank()).collect());
    (ReducePlan { input, reduced, ..plan.clone() }, views)
}

impl sealed::Sealed for SplitEngine {}

impl Engine for SplitEngine {
    fn info(&self) -> DeviceInfo {
        super::info(None, &self.engines)
    }

    fn counters(&self) -> Counters {
        super::counters(&self.engines)
    }

    fn convolve(
        &self,
        plan: &ConvolvePlan,
        image: &Input<'_>,
        kernel: &Input<'_>,
        target: Target<'_>,
        control: &Control,
    ) -> Result<Option<Storage>> {
        let weights = self.weights(Load::convolve(plan, 0, true).kind, plan.work())?;
        let whole: usize = plan.shape.iter().product();
        if plan.outputs() == 0 || (plan.outputs() != whole && matches!(target, Target::Device(_))) {
            return self.fastest(&weights).convolve(plan, image, kernel, target, control);
        }
        // What lies on a device is brought to the host once, for all who do not hold it.
        let (mut image_memory, mut kernel_memory) = (None, None);
        let host_image = Input::Host(image.host(&mut image_memory)?);
        let host_kernel = Input::Host(kernel.host(&mut kernel_memory)?);
        let mut memory = Memory::of(target, plan.out_dtype, whole)?;
        {
            let out = memory.view(&plan.shape);
            let mut parts: Vec<Part<'_, ()>> = vec![];
            for (engine, part) in self.engines.iter().zip(plan.split(&weights)) {
                if part.outputs() == 0 {
                    continue;
                }
                // SAFETY: the parts of a plan have no output in common, and an engine writes its part only; `out` itself
                // is not used until all parts have ended.
                let out = unsafe { out.share() };
                let image = if engine.holds(image) { image.clone() } else { host_image.clone() };
                let kernel = if engine.holds(kernel) { kernel.clone() } else { host_kernel.clone() };
                parts
                    .push(Box::new(move |control| engine.convolve(&part, &image, &kernel, Target::Host(out), control).map(drop)));
            }
            run_all(parts, control)?;
        }
        Ok(memory.done())
    }

    fn separable(
        &self,
        plan: &SeparablePlan,
        input: &Input<'_>,
        target: Target<'_>,
        control: &Control,
    ) -> Result<Option<Storage>> {
        let weights = self.weights(Load::separable(plan, 0, true).kind, plan.work())?;
        let Some(parts) = plan.split(&weights).filter(|_| plan.outputs() > 0) else {
            return self.fastest(&weights).separable(plan, input, target, control);
        };
        let mut scratch = None;
        let view = input.host(&mut scratch)?;
        let mut memory = Memory::of(target, plan.out_dtype, plan.outputs())?;
        {
            let out = memory.view(&plan.shape);
            let mut runs: Vec<Part<'_, ()>> = vec![];
            for (engine, part) in self.engines.iter().zip(parts) {
                let Some(SeparablePart { plan, axis, input, output }) = part else { continue };
                let view = view.clone().narrow(axis, input);
                // SAFETY: the parts have no output in common; `out` itself is not used until all of them have ended.
                let out = unsafe { out.share() }.narrow(axis, output);
                runs.push(Box::new(move |control| {
                    engine.separable(&plan, &Input::Host(view), Target::Host(out), control).map(drop)
                }));
            }
            run_all(runs, control)?;
        }
        Ok(memory.done())
    }

    fn reduce(&self, plan: &ReducePlan, all: &[Input<'_>], target: Target<'_>, control: &Control) -> Result<Option<Storage>> {
        let weights = self.weights(Kind::Reduce(plan.op, plan.dtype), plan.work())?;
        if plan.work() == 0 {
            return self.fastest(&weights).reduce(plan, all, target, control);
        }
        let mut scratch = [None, None];
        let (flat, views) = flattened(plan, Input::all_spread(all, &mut scratch, &plan.input)?);
        let (plan, shape) = (&flat, &plan.shape);
        match self.cut(plan) {
            None => self.fastest(&weights).reduce(plan, &inputs(&views), target, control),
            Some(Cut::Reduced(axis)) => {
                let result = plan.finish(&self.merged(plan, &views, axis, &weights, control)?)?;
                deliver(result, shape, target)
            }
            Some(Cut::Kept(axis)) => {
                let keepdims = plan.shape.len() == plan.input.len();
                let at = if keepdims { axis } else { plan.kept.iter().filter(|&&kept| kept < axis).count() };
                let mut memory = Memory::of(target, plan.out_dtype, plan.out_len())?;
                {
                    let out = memory.view(shape);
                    let mut parts: Vec<Part<'_, ()>> = vec![];
                    for (engine, range) in self.busy(cut(&(0..plan.input[axis]), &weights)) {
                        let part = plan.narrow(axis, range.clone());
                        let inputs = narrowed(&views, axis, &range);
                        // SAFETY: the ranges have no element in common; `out` itself is not used until all parts have ended.
                        let out = unsafe { out.share() }.narrow(at, range);
                        parts.push(Box::new(move |control| engine.reduce(&part, &inputs, Target::Host(out), control).map(drop)));
                    }
                    run_all(parts, control)?;
                }
                Ok(memory.done())
            }
        }
    }

    fn reduce_partials(&self, plan: &ReducePlan, all: &[Input<'_>], control: &Control) -> Result<Partials> {
        let weights = self.weights(Kind::Reduce(plan.op, plan.dtype), plan.work())?;
        let mut scratch = [None, None];
        let (flat, views) = flattened(plan, Input::all_spread(all, &mut scratch, &plan.input)?);
        // Only partials of all results merge.
        let reduced = ReducePlan { kept: vec![], ..flat.clone() };
        match self.cut(&reduced) {
            Some(Cut::Reduced(axis)) if plan.work() > 0 => self.merged(&flat, &views, axis, &weights, control),
            _ => self.fastest(&weights).reduce_partials(&flat, &inputs(&views), control),
        }
    }

    fn operate(
        &self,
        operation: &Operation,
        inputs: &[Input<'_>],
        targets: Vec<Target<'_>>,
        control: &Control,
    ) -> Result<Vec<Option<Storage>>> {
        let weights = self.weights(Load::operate(operation, 0, true).kind, operation.work())?;
        let lanes = operation.lanes();
        // The first axis that is long enough: its parts are the most contiguous.
        let enough = LONG * self.members.len();
        let Some(&axis) = lanes.kept.iter().find(|&&axis| lanes.input[axis] >= enough).filter(|_| operation.work() > 0) else {
            return self.fastest(&weights).operate(operation, inputs, targets, control);
        };
        let mut scratch = vec![None; inputs.len()];
        let views = Input::all_spread(inputs, &mut scratch, &lanes.input)?;
        let results = operation.results();
        let memories =
            targets.into_iter().zip(&results).map(|(target, (dtype, shape))| Memory::of(target, *dtype, shape.iter().product()));
        let mut memories = memories.collect::<Result<Vec<_>>>()?;
        {
            let outs: Vec<_> = memories.iter_mut().zip(&results).map(|(memory, (_, shape))| memory.view(shape)).collect();
            let mut parts: Vec<Part<'_, ()>> = vec![];
            for (engine, range) in self.busy(cut(&(0..lanes.input[axis]), &weights)) {
                let (part, place) = operation.narrow(axis, &range);
                let views: Vec<_> = views.iter().map(|view| view.clone().narrow(axis, range.clone())).collect();
                // SAFETY: the ranges have no result in common; `outs` are not used until all parts have ended.
                let outs = outs.iter().map(|out| unsafe { out.share() }.narrow(place, range.clone()));
                let targets: Vec<_> = outs.map(Target::Host).collect();
                parts.push(Box::new(move |control| {
                    let inputs: Vec<_> = views.into_iter().map(Input::Host).collect();
                    engine.operate(&part, &inputs, targets, control).map(drop)
                }));
            }
            run_all(parts, control)?;
        }
        Ok(memories.into_iter().map(Memory::done).collect())
    }

    fn group(&self, plan: &GroupPlan, keys: &Input<'_>, values: Option<&Input<'_>>, control: &Control) -> Result<Grouped> {
        let weights = self.weights(Load::group(plan, 0).kind, plan.work())?;
        let long = plan.shape.first().is_some_and(|&n| n >= LONG * self.members.len());
        if !long || plan.work() == 0 || !plan.op.is_mergeable() {
            return self.fastest(&weights).group(plan, keys, values, control);
        }
        let (mut keys_memory, mut values_memory) = (None, None);
        let keys = keys.host(&mut keys_memory)?;
        let values = values.map(|values| values.host(&mut values_memory)).transpose()?;
        let row: u64 = plan.shape[1..].iter().map(|&n| n as u64).product();
        let (mut offsets, mut parts): (Vec<u64>, Vec<Part<'_, Grouped>>) = (vec![], vec![]);
        for (engine, range) in self.busy(cut(&(0..plan.shape[0]), &weights)) {
            offsets.push(range.start as u64 * row);
            let part = plan.narrow(&range);
            let keys = keys.clone().narrow(0, range.clone());
            let values = values.clone().map(|values| Input::Host(values.narrow(0, range)));
            parts.push(Box::new(move |control| engine.group(&part, &Input::Host(keys), values.as_ref(), control)));
        }
        let mut all = plan.empty()?;
        for (part, offset) in run_all(parts, control)?.iter().zip(offsets) {
            all.merge(part, plan.op, offset)?;
        }
        Ok(all)
    }

    fn map(&self, plan: &MapPlan, inputs: &[Input<'_>], target: Target<'_>, control: &Control) -> Result<Option<Storage>> {
        let weights = self.weights(Kind::Map(plan.dtype), plan.work())?;
        if plan.outputs() == 0 || !plan.is_whole() {
            return self.fastest(&weights).map(plan, inputs, target, control);
        }
        let mut memory = vec![None; inputs.len()];
        let hosts = host_inputs(inputs, &mut memory)?;
        // Parts lie end to end: memory with gaps is filled at the end.
        let (target, mut gaps) = match target {
            Target::Host(out) if !out.is_contiguous() => (Target::Device(None), Some(out)),
            target => (target, None),
        };
        let mut memory = Memory::of(target, plan.dtype, plan.outputs())?;
        {
            let out = memory.view(&plan.shape);
            let mut parts: Vec<Part<'_, ()>> = vec![];
            for (engine, range) in self.busy(cut(&plan.range, &weights)) {
                let part = plan.part(range);
                // SAFETY: the parts of a plan have no output in common, and an engine writes its part only; `out` itself
                // is not used until all parts have ended.
                let out = unsafe { out.share() };
                let inputs: Vec<Input<'_>> =
                    inputs.iter().zip(&hosts).map(|(input, host)| at_hand(engine, input, host)).collect();
                parts.push(Box::new(move |control| engine.map(&part, &inputs, Target::Host(out), control).map(drop)));
            }
            run_all(parts, control)?;
        }
        let done = memory.done();
        if let (Some(out), Some(Storage::Host(vec))) = (&mut gaps, &done) {
            out.copy_from_bytes(vec.view(&plan.shape).as_bytes().unwrap_or(&[]));
            return Ok(None);
        }
        Ok(done)
    }

    fn map_partials(&self, plan: &MapPlan, op: ReduceOp, inputs: &[Input<'_>], control: &Control) -> Result<Partials> {
        let weights = self.weights(Kind::Map(plan.dtype), plan.work())?;
        let mut memory = vec![None; inputs.len()];
        let hosts = host_inputs(inputs, &mut memory)?;
        let (mut offsets, mut parts): (Vec<u64>, Vec<Part<'_, Partials>>) = (vec![], vec![]);
        for (engine, range) in self.busy(cut(&(0..plan.outputs()), &weights)) {
            offsets.push(range.start as u64);
            let part = plan.part(range);
            let inputs: Vec<Input<'_>> = inputs.iter().zip(&hosts).map(|(input, host)| at_hand(engine, input, host)).collect();
            parts.push(Box::new(move |control| engine.map_partials(&part, op, &inputs, control)));
        }
        let mut all = ReducePlan::new(&Reduce::of(op), plan.dtype, &[plan.outputs()])?.empty_partials();
        for (partials, offset) in run_all(parts, control)?.iter().zip(offsets) {
            all.merge(partials, op, offset)?;
        }
        Ok(all)
    }

    fn integrate(&self, plan: &IntegratePlan, control: &Control) -> Result<IntegralSums> {
        let Some(native) = &plan.native else {
            let weights = self.weights(Kind::Integrate(plan.dtype), plan.work())?;
            return self.integrate_by(&weights, plan, control);
        };
        // Code of Rust runs on CPUs alone, WGSL on GPUs alone.
        let on_cpu = matches!(native, Native::Rust { .. });
        let able = |member: &Member| (member.engine.info().class == DeviceClass::Cpu) == on_cpu;
        let able: Vec<f64> = self.members.iter().map(|member| f64::from(u8::from(able(member)))).collect();
        match able.iter().filter(|&&able| able > 0.0).count() {
            // If nobody can, one of them says why.
            0 | 1 => self.fastest(&able).integrate(plan, control),
            _ => {
                let weights = self.weights(Kind::Integrate(plan.dtype), plan.work())?;
                let weights: Vec<f64> = weights.iter().zip(&able).map(|(weight, able)| weight * able).collect();
                self.integrate_by(&weights, plan, control)
            }
        }
    }

    fn count_hits(&self, plan: &MonteCarloPlan, control: &Control) -> Result<Tally> {
        let weights = self.weights(Load::samples(plan).kind, plan.len())?;
        let parts = plan.split(&weights, GRAIN);
        let busy = self.engines.iter().zip(parts).filter(|(_, part)| !part.is_empty());
        let run = busy.map(|(engine, part)| -> Part<'_, Tally> { Box::new(move |control| engine.count_hits(&part, control)) });
        let mut all = Tally::default();
        run_all(run.collect(), control)?.iter().for_each(|part| all.merge(part));
        Ok(all)
    }

    fn random(&self, plan: &RandomPlan, target: Target<'_>, control: &Control) -> Result<Option<Storage>> {
        let weights = self.weights(Kind::Random(plan.dtype), plan.len())?;
        let whole = plan.shape.iter().product::<usize>();
        let strided = matches!(&target, Target::Host(out) if !out.is_contiguous());
        if plan.is_empty() || strided || plan.len() != whole as u64 {
            return self.fastest(&weights).random(plan, target, control);
        }
        let mut memory = Memory::of(target, plan.dtype, whole)?;
        {
            let out = memory.view(&plan.shape);
            let mut parts: Vec<Part<'_, ()>> = vec![];
            for (engine, part) in self.engines.iter().zip(plan.split(&weights, GRAIN)) {
                if part.is_empty() {
                    continue;
                }
                // SAFETY: the parts have no element in common, and an engine writes its part only; `out` itself is not
                // used until all parts have ended.
                let out = unsafe { out.share() };
                parts.push(Box::new(move |control| engine.random(&part, Target::Host(out), control).map(drop)));
            }
            run_all(parts, control)?;
        }
        Ok(memory.done())
    }

    fn upload(&self, view: &View<'_>) -> Result<Storage> {
        // Every member needs a part of it, which comes from the host.
        let mut vec = HostVec::zeros(view.dtype(), view.len())?;
        if let Some(bytes) = vec.view_mut(&[view.len()]).as_bytes() {
            view.copy_to_bytes(bytes);
        }
        Ok(Storage::Host(Arc::new(vec)))
    }

    fn members(&self) -> &[Arc<dyn Engine>] {
        &self.engines
    }

    fn explain(&self, work: Work<'_>) -> String {
        let load = Load::of(work);
        let id = self.info().id;
        match self.weights(load.kind, load.work) {
            Err(error) => format!("{id}: a member fails: {error}"),
            Ok(weights) => {
                let total: f64 = weights.iter().sum();
                let share = |(engine, weight): (&Arc<dyn Engine>, f64)| {
                    format!("{} {:.1} % ({weight:.2e} {}/s)", engine.info().id, 100.0 * weight / total, load.kind.unit())
                };
                let measured = self.members.iter().all(|member| member.known(load.kind).is_some());
                if measured {
                    let shares: Vec<String> = self.engines.iter().zip(weights).map(share).collect();
                    format!("{id}: split by measured speed: {}", shares.join(", "))
                } else {
                    format!("{id}: split evenly: {} {} are too little work to measure", load.work, load.kind.unit())
                }
            }
        }
    }
}

/// All inputs in host memory.
fn host_inputs<'s>(inputs: &'s [Input<'_>], memory: &'s mut [Option<HostVec>]) -> Result<Vec<Input<'s>>> {
    inputs.iter().zip(memory).map(|(input, memory)| input.host(memory).map(Input::Host)).collect()
}

/// The input where the engine holds it, or in host memory.
fn at_hand<'a>(engine: &dyn Engine, input: &Input<'a>, host: &Input<'a>) -> Input<'a> {
    if engine.holds(input) { input.clone() } else { host.clone() }
}

/// Hands a result in host memory to where it was wanted.
fn deliver(result: HostVec, shape: &[usize], target: Target<'_>) -> Result<Option<Storage>> {
    match target {
        Target::Device(_) => Ok(Some(Storage::Host(Arc::new(result)))),
        Target::Host(mut out) => {
            out.copy_from_bytes(result.view(shape).as_bytes().unwrap_or(&[]));
            Ok(None)
        }
    }
}
