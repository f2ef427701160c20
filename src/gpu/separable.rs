//! Separable filters on the GPU: a dispatch of `separable.wgsl` per pass, through pooled blocks of sums.
//!
//! The first pass reads the elements as they are, later ones sums in binary32 or binary64, and `convolve_finish.wgsl` rounds
//! the last ones to the dtype of the result if that is another. Several terms are put together by `separable_combine.wgsl`.
//! What does not fit the device's buffers is cut and comes back to the host part by part.
//!
//! **Numerics.** Sums are made weight by weight with `fma`, which a driver may or may not fuse: the bound of
//! [`SeparablePlan::roundings`], doubled where it does not.

mod parts;
mod passes;
#[cfg(test)]
mod tests;
mod tile;

use std::sync::Arc;

use super::context::Context;
use super::memory::{Block, Gathered, GpuBuffer};
use super::stream::in_memory;
use crate::array::Storage;
use crate::engine::{Input, Target};
use crate::plan::SeparablePlan;
use crate::{Control, Dtype, Error, Result};
use parts::{Room, in_parts};
use passes::Work;
pub(super) use passes::variants;

/// Multiply-adds of a plan up to which it takes the shader that serves every dtype and direction.
const SMALL: u64 = 4 << 20;

/// Runs a plan.
pub(super) fn run(
    context: &Arc<Context>,
    plan: &SeparablePlan,
    input: &Input<'_>,
    target: Target<'_>,
    control: &Control,
) -> Result<Option<Storage>> {
    in_memory(context, control.memory_limit(), control, target, |target, memory| {
        let bounds = Bounds { block: u64::MAX, small: plan.work() <= SMALL, memory };
        run_limited(context, plan, input, target, control, bounds)
    })
}

/// Where a plan is cut, and whether the whole is small.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// Bytes of a block at most.
    block: u64,
    small: bool,
    /// Bytes on the device at most.
    memory: Option<u64>,
}

/// Runs a plan within bounds.
fn run_limited(
    context: &Arc<Context>,
    plan: &SeparablePlan,
    input: &Input<'_>,
    target: Target<'_>,
    control: &Control,
    bounds: Bounds,
) -> Result<Option<Storage>> {
    control.check()?;
    if plan.outputs() == 0 {
        return Ok(match target {
            Target::Host(_) => None,
            Target::Device(_) => Some(Storage::Gpu(GpuBuffer::new(context.clone(), vec![]))),
        });
    }
    let double = plan.is_double();
    if double && !context.caps.f64 {
        return Err(Error::Unsupported {
            device: context.id.clone(),
            operation: "a separable filter in float64".into(),
            feature: "64-bit floats".into(),
        });
    }
    let _ceiling = bounds.memory.map(|bytes| context.limited(bytes));
    let resident = matches!(input, Input::Gpu { buffer, .. } if buffer.belongs_to(context));
    let room = Room::new(context, double, matches!(target, Target::Host(_)) && !resident, bounds);
    if !room.holds(plan, 1) {
        return in_parts(context, plan, &room, input, target, control, bounds);
    }
    let elements = (plan.input.iter().product::<usize>() * plan.in_dtype.size()) as u64;
    let source = match input {
        Input::Gpu { buffer, .. } if buffer.belongs_to(context) => buffer.gather(0..elements)?,
        other => {
            let mut scratch = None;
            context.upload_view(&other.host(&mut scratch)?, control)?.gather(0..elements)?
        }
    };
    let work = Work { context, plan, control, double, small: bounds.small };
    let bytes = (plan.outputs() * plan.out_dtype.size()) as u64;
    match target {
        Target::Host(mut out) => {
            let result = context.block(bytes.next_multiple_of(4))?;
            work.compute(source, &result)?;
            GpuBuffer::new(context.clone(), vec![(result, bytes)]).download(out.reborrow())?;
            Ok(None)
        }
        Target::Device(old) => {
            let fits = |block: &Block| block.size() >= bytes && block.size() <= 2 * bytes + 4096;
            let result = match GpuBuffer::reuse(old, context).into_iter().find(fits) {
                Some(block) => block,
                None => context.block(bytes.next_multiple_of(4))?,
            };
            work.compute(source, &result)?;
            Ok(Some(Storage::Gpu(GpuBuffer::new(context.clone(), vec![(result, bytes)]))))
        }
    }
}

/// Makes the result of a plan whose dtype is that it is computed in, from an array in device memory.
pub(super) fn sums(
    context: &Arc<Context>,
    plan: &SeparablePlan,
    source: Gathered,
    result: &Block,
    control: &Control,
) -> Result<()> {
    Work { context, plan, control, double: plan.out_dtype == Dtype::F64, small: plan.work() <= SMALL }.compute(source, result)
}
