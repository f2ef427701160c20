//! Reductions of a map's results: in slots where they are computed, or else of chunks in the device's memory.

use std::sync::Arc;

use super::source::Fate;
use super::sums::Slots;
use super::{GROUP, Map};
use crate::exact::{ExactDot, Moments};
use crate::gpu::context::Context;
use crate::gpu::memory::{Block, GpuBuffer};
use crate::gpu::reduce;
use crate::plan::{MapPlan, NormOrder, Partials, Reduce, ReduceOp, ReducePlan, first_extreme};
use crate::{Control, Dtype, Input, Result};

/// Reduces the results of a map.
pub(in crate::gpu) fn partials(
    context: &Arc<Context>,
    plan: &MapPlan,
    op: ReduceOp,
    inputs: &[Input<'_>],
    control: &Control,
) -> Result<Partials> {
    let mut memory = vec![None; inputs.len()];
    let fate = if plan.dtype == Dtype::F32 { fate(op) } else { Fate::Written };
    let slots = Slots::new(context, fate, GROUP)?;
    let map = Map::new(context, plan, inputs, &mut memory, fate, slots.as_ref(), control)?;
    let count = plan.outputs() as u64;
    let mut all = ReducePlan::new(&Reduce::of(op), plan.dtype, &[plan.outputs()])?.empty_partials();
    match (fate, &slots) {
        (Fate::Summed { .. }, Some(slots)) => {
            map.chunks().into_iter().try_for_each(|range| map.dispatch(range, &slots.block))?;
            let [sum, squares] = slots.read(context, count)?;
            let mut dot = ExactDot::new();
            dot.add_sum(&squares, 0);
            all = match all {
                Partials::Moments(_) => Partials::Moments(vec![Moments::from_parts(count, sum, dot)]),
                Partials::Dot(_) => Partials::Dot(vec![dot]),
                _ => Partials::Float(vec![sum]),
            };
        }
        (Fate::Compared { .. }, Some(slots)) => {
            for range in map.chunks() {
                // Indices count from a chunk's start.
                slots.clear(context)?;
                map.dispatch(range.clone(), &slots.block)?;
                all.merge(&compared(slots.words(context)?, op, &all), op, range.start as u64)?;
            }
        }
        _ => {
            for range in map.chunks() {
                let results = context.block((plan.dtype.size() * range.len()) as u64)?;
                map.dispatch(range.clone(), &results)?;
                let partials = reduced(context, op, plan.dtype, range.len(), &results, control)?;
                all.merge(&partials, op, range.start as u64)?;
            }
        }
    }
    Ok(all)
}

/// What becomes of the results that are reduced so.
fn fate(op: ReduceOp) -> Fate {
    let summed = |squares, magnitudes| Fate::Summed { squares, magnitudes };
    let compared = |magnitudes| Fate::Compared { magnitudes, arg: op.is_arg() };
    match op {
        ReduceOp::Sum | ReduceOp::Mean => summed(false, false),
        ReduceOp::Norm(NormOrder::One) => summed(false, true),
        ReduceOp::Var | ReduceOp::Std | ReduceOp::Norm(NormOrder::Two) => summed(true, false),
        ReduceOp::Min | ReduceOp::Max | ReduceOp::ArgMin | ReduceOp::ArgMax | ReduceOp::Ptp => compared(false),
        ReduceOp::Any | ReduceOp::All | ReduceOp::CountNonzero | ReduceOp::Norm(NormOrder::Zero) => compared(false),
        ReduceOp::Norm(NormOrder::Max | NormOrder::Min) => compared(true),
        ReduceOp::Product | ReduceOp::Norm(NormOrder::Power(_)) | ReduceOp::Dot => Fate::Written,
    }
}

/// The partials of a chunk from the slots of `shaders/expr_extremes.wgsl`, of the kind that `like` is.
fn compared(slots: Vec<[u32; 5]>, op: ReduceOp, like: &Partials) -> Partials {
    let key = |smaller, stored: u32| reduce::order_key(Dtype::F32, smaller, stored.into());
    let found = slots.iter().filter(|slot| slot[0] != 0 || slot[2] != 0);
    let (mut least, mut most) = (None, None);
    let first = |known: &mut Option<(u64, u64)>, new, smaller| {
        *known = Some(known.map_or(new, |known| first_extreme(known, new, smaller)));
    };
    for &[low, low_at, high, high_at, _] in found {
        first(&mut least, (key(true, low), low_at.into()), true);
        first(&mut most, (key(false, high), high_at.into()), false);
    }
    let best = if op.is_smaller() { least } else { most };
    match like {
        Partials::Extreme(_) => Partials::Extreme(vec![best.map(|(key, _)| key)]),
        Partials::Arg(_) => Partials::Arg(vec![best]),
        Partials::Range(_) => Partials::Range(vec![least.zip(most).map(|(low, high)| (low.0, high.0))]),
        _ => Partials::Count(vec![slots.iter().map(|slot| u64::from(slot[4])).sum()]),
    }
}

/// The partials of the first elements of a block.
pub(super) fn reduced(
    context: &Arc<Context>,
    op: ReduceOp,
    dtype: Dtype,
    len: usize,
    block: &Block,
    control: &Control,
) -> Result<Partials> {
    let plan = ReducePlan::new(&Reduce::of(op), dtype, &[len])?;
    let buffer = GpuBuffer::new(context.clone(), vec![(block.clone(), (len * dtype.size()) as u64)]);
    let input = Input::Gpu { buffer: &buffer, dtype, shape: &[len] };
    reduce::partials(context, &plan, &[input], &control.quiet())
}
