//! What does not fit the device at once: the plan in halves of halves, streamed from the host and back to it.

use std::ops::Range;
use std::sync::Arc;

use super::Bounds;
use super::passes::Work;
use crate::array::{HostVec, Storage};
use crate::engine::{Input, Target};
use crate::gpu::context::Context;
use crate::gpu::memory::{Block, Gathered, GpuBuffer};
use crate::gpu::stream::Stream;
use crate::plan::{Combine, Half, SeparablePlan};
use crate::view::View;
use crate::{Control, Dtype, Error, Result};

/// Bytes of a block of a part that comes back to the host.
const PIECE: u64 = 64 << 20;
/// Bytes of flags and the like, and what small buffers are rounded up by.
const SUNDRIES: u64 = 8 << 10;
/// Elements of a block: the shader counts in 32 bits, and doubles lengths.
const MOST_ELEMENTS: u64 = (1 << 29) - 1;

/// What fits the device at a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    double: bool,
    /// Bytes of a block, and of everything.
    block: u64,
    all: u64,
    limit: Option<u64>,
}

impl Room {
    pub(super) fn new(context: &Context, double: bool, through: bool, bounds: Bounds) -> Self {
        let most = bounds.block.min(context.max_block()).min(MOST_ELEMENTS * if double { 8 } else { 4 });
        // What comes from the host and goes back to it may as well do so piece by piece, all at work at a time.
        let block = if through { most.min(PIECE) } else { most };
        Self { double, block, all: bounds.memory.map_or(u64::MAX, |limit| left(context, limit)), limit: bounds.memory }
    }

    /// Whether a plan fits, with inputs and results of so many parts.
    pub(super) fn holds(&self, plan: &SeparablePlan, places: u64) -> bool {
        let (largest, all) = self.needs(plan, places);
        largest <= self.block && all <= self.all
    }

    /// Bytes of the largest block and of all of a plan.
    fn needs(&self, plan: &SeparablePlan, places: u64) -> (u64, u64) {
        let size = if self.double { 8 } else { 4 };
        let input = plan.input.iter().product::<usize>() as u64 * plan.in_dtype.size() as u64;
        let output = plan.outputs() as u64 * plan.out_dtype.size() as u64;
        let mut sums = plan.outputs() as u64 * size;
        let mut largest = input.max(output).max(sums);
        let mut between = 0;
        for term in &plan.terms {
            let mut shape = plan.input.clone();
            for pass in term {
                shape[pass.axis] = pass.output;
                between = between.max(shape.iter().product::<usize>() as u64 * size);
            }
        }
        largest = largest.max(between);
        // A pass reads one block of sums and writes another; a term and the total have theirs.
        sums *= if plan.terms.len() > 1 || plan.combine != Combine::Sum { 2 } else { 1 };
        let weights = plan.terms.iter().flatten().map(|pass| pass.weights.len() as u64 * size + 512).max().unwrap_or(0);
        (largest, places * (input + output) + 2 * between + sums + weights)
    }

    /// A plan in parts that fit, in order, or the first one that neither fits nor can be cut.
    fn cut(&self, places: u64, at: Leaf, leaves: &mut Vec<Leaf>) -> Result<(), SeparablePlan> {
        if self.holds(&at.plan, places) {
            leaves.push(at);
            return Ok(());
        }
        let Some(halves) = at.plan.halves() else { return Err(at.plan) };
        for Half { plan: part, axis, input, output } in halves {
            let mut leaf = Leaf { plan: part, ..at.clone() };
            leaf.input[axis] = input.into_iter().map(|i| at.input[axis][i]).collect();
            let start = leaf.output[axis].start;
            leaf.output[axis] = start + output.start..start + output.end;
            self.cut(places, leaf, leaves)?;
        }
        Ok(())
    }

    /// The first part, one at a time, that neither fits nor can be cut.
    fn obstacle(&self, plan: &SeparablePlan) -> Option<SeparablePlan> {
        if self.holds(plan, 1) {
            return None;
        }
        match plan.halves() {
            Some(halves) => halves.into_iter().find_map(|half| self.obstacle(&half.plan)),
            None => Some(plan.clone()),
        }
    }

    /// Why a plan cannot be done, where `part` of it neither fits nor can be cut: what would do for every such part.
    fn refusal(&self, context: &Context, plan: &SeparablePlan, part: SeparablePlan) -> Error {
        let (mut room, mut enough, mut obstacle) = (*self, self.limit.unwrap_or(0), Some(part));
        while let Some(part) = obstacle {
            let (largest, all) = self.needs(&part, 1);
            let named = context.least_limit(enough, |limit| all <= left(context, limit)).filter(|_| largest <= self.block);
            let Some(least) = named else {
                let expected = format!("blocks of at most {} bytes on {}", self.block, context.id);
                return Error::invalid("size of a filter", format!("{largest} bytes in a block of its least piece"), expected);
            };
            enough = least;
            // As every limit beyond leaves at least.
            room.all = left(context, enough).min(left(context, enough.next_power_of_two()));
            obstacle = room.obstacle(plan);
        }
        context.needs(self.limit.unwrap_or(0), enough, &format!("the least piece of a filter of {:?}", plan.shape))
    }
}

/// Bytes of a limit that are left for blocks: these are rounded up by an eighth at most; weights and the like are small.
fn left(context: &Context, limit: u64) -> u64 {
    limit.saturating_sub(context.staging_bytes(limit) + SUNDRIES) / 9 * 8
}

/// A part of a plan, and along each axis what it reads of the whole and what it makes.
#[derive(Debug, Clone)]
struct Leaf {
    plan: SeparablePlan,
    input: Vec<Vec<usize>>,
    output: Vec<Range<usize>>,
}

impl Leaf {
    /// Brings what it reads of the whole to a block.
    fn upload(&self, context: &Context, view: &View<'_>, block: &Block, control: &Control) -> Result<()> {
        let runs: Vec<Vec<(usize, Range<usize>)>> = self.input.iter().map(|list| runs(list)).collect();
        if runs.iter().all(|runs| runs.len() == 1) {
            let part = (0..runs.len()).fold(view.clone(), |view, axis| view.narrow(axis, runs[axis][0].1.clone()));
            return context.upload_array(&part, block, control);
        }
        let shape = &self.plan.input;
        let mut packed = HostVec::zeros(self.plan.in_dtype, shape.iter().product())?;
        for index in 0..runs.iter().map(Vec::len).product() {
            let (mut rest, mut from, mut to) = (index, view.clone(), packed.view_mut(shape));
            for (axis, runs) in runs.iter().enumerate() {
                let (at, run) = &runs[rest % runs.len()];
                rest /= runs.len();
                from = from.narrow(axis, run.clone());
                to = to.narrow(axis, *at..at + run.len());
            }
            let mut bytes = vec![0; from.len() * from.dtype().size()];
            from.copy_to_bytes(&mut bytes);
            to.copy_from_bytes(&bytes);
        }
        context.upload_array(&packed.view(shape), block, control)
    }
}

/// A list of indices as runs of ascending ones, each with its place in the list.
fn runs(list: &[usize]) -> Vec<(usize, Range<usize>)> {
    let mut runs: Vec<(usize, Range<usize>)> = vec![];
    for (at, &index) in list.iter().enumerate() {
        match runs.last_mut() {
            Some((_, run)) if run.end == index => run.end += 1,
            _ => runs.push((at, index..index + 1)),
        }
    }
    runs
}

/// Runs the parts of a plan one after the other, from the host and back to it: while one is computed, the next is brought
/// over and the one before goes back.
pub(super) fn in_parts(
    context: &Arc<Context>,
    plan: &SeparablePlan,
    room: &Room,
    input: &Input<'_>,
    target: Target<'_>,
    control: &Control,
    bounds: Bounds,
) -> Result<Option<Storage>> {
    let output = plan.shape.iter().map(|&n| 0..n).collect();
    let root = Leaf { plan: plan.clone(), input: plan.input.iter().map(|&n| (0..n).collect()).collect(), output };
    let (mut leaves, mut places) = (vec![], 2);
    if room.cut(places, root.clone(), &mut leaves).is_err() {
        (leaves, places) = (vec![], 1);
        room.cut(places, root, &mut leaves).map_err(|part| room.refusal(context, plan, part))?;
    }
    let mut scratch = None;
    let view = input.host(&mut scratch)?;
    let mut kept = None;
    let mut out = match target {
        Target::Host(out) => out,
        Target::Device(_) => kept.insert(HostVec::zeros(plan.out_dtype, plan.outputs())?).view_mut(&plan.shape),
    };
    let bytes = |shape: &[usize], dtype: Dtype| (shape.iter().product::<usize>() * dtype.size()) as u64;
    let most = |of: &dyn Fn(&SeparablePlan) -> u64| leaves.iter().map(|leaf| of(&leaf.plan)).max().unwrap_or(0);
    let blocks = |bytes: u64| (0..places).map(|_| context.block(bytes.next_multiple_of(4))).collect::<Result<Vec<Block>>>();
    let stream = Stream {
        context,
        chunks: leaves.len(),
        input_of: &|index| index,
        inputs: blocks(most(&|plan| bytes(&plan.input, plan.in_dtype)))?,
        outputs: blocks(most(&|plan| bytes(&plan.shape, plan.out_dtype)))?,
    };
    // The parts repeat work at their seams: progress is that of the whole.
    let quiet = control.quiet();
    let (mut made, mut reported) = (0, 0);
    stream.run(
        &mut |index, block| leaves[index].upload(context, &view, block, control),
        &mut |index, block, result| {
            let part = &leaves[index].plan;
            let work = Work { context, plan: part, control: &quiet, double: room.double, small: bounds.small };
            work.compute(Gathered { block: block.clone(), offset: 0 }, result)?;
            made += part.outputs() as u128;
            let done = (u128::from(plan.work()) * made / plan.outputs() as u128) as u64;
            control.advance(done - reported);
            reported = done;
            Ok(())
        },
        &mut |index, result| {
            let Leaf { plan: part, output, .. } = &leaves[index];
            let place = (0..output.len()).fold(out.reborrow(), |out, axis| out.narrow(axis, output[axis].clone()));
            let bytes = bytes(&part.shape, part.out_dtype);
            GpuBuffer::new(context.clone(), vec![(result.clone(), bytes)]).download(place)
        },
    )?;
    let Some(vec) = kept else { return Ok(None) };
    if room.limit.is_some_and(|limit| bytes(&plan.shape, plan.out_dtype) > limit / 2) {
        return Ok(Some(Storage::Host(Arc::new(vec))));
    }
    Ok(Some(Storage::Gpu(context.upload_view(&vec.view(&plan.shape), control)?)))
}
