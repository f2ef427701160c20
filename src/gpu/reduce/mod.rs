//! Reductions on the GPU, all in integers: the same bits as on the CPU, but for products of floats.
//!
//! Results are computed in tiles. A tile has a state in device memory: for each result one or more slots of a few words
//! whose zero is the sum, product or extreme of nothing. Every piece of the input, uploaded or resident, merges its
//! elements into the slots; a fold merges the slots; then the state is read back as partials, or rounded on the device.

mod decode;
mod geometry;
mod launch;
mod params;
mod passes;
mod pieces;
mod source;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use super::context::Context;
use super::memory::{Block, GpuBuffer};
use super::shaders;
use crate::array::Storage;
use crate::engine::{Input, Target};
use crate::plan::{Partials, ReducePlan};
use crate::{Control, Error, Result};
use decode::States;
pub(super) use decode::order_key;
use launch::Runner;
pub(super) use passes::{count_numbers, count_taken};
use pieces::Source;

/// Every shader variant.
#[allow(dead_code, reason = "read by tests")]
pub(super) fn variants() -> Vec<shaders::Variant> {
    source::all()
}

/// Runs a plan to its final values.
pub(super) fn run(
    context: &Arc<Context>,
    plan: &ReducePlan,
    inputs: &[Input<'_>],
    target: Target<'_>,
    control: &Control,
) -> Result<Option<Storage>> {
    control.check()?;
    let (old, host) = match target {
        Target::Host(out) => (None, Some(out)),
        Target::Device(old) => (old, None),
    };
    let buffer = match inputs {
        _ if plan.work() == 0 || !is_direct(plan) || context.is_too_large((plan.out_len() * plan.out_dtype.size()) as u64) => {
            let vec = plan.finish(&passes::partials(context, plan, inputs, control)?)?;
            if let Some(mut out) = host {
                out.expect(plan.out_dtype, &plan.shape)?;
                out.copy_from_bytes(vec.view(&plan.shape).as_bytes().unwrap_or(&[]));
                return Ok(None);
            }
            context.upload_view(&vec.view(&plan.shape), control)?
        }
        [] => return passes::partials(context, plan, inputs, control).map(|_| None),
        [input, ..] => finished(context, plan, input, GpuBuffer::reuse(old, context), control)?,
    };
    match host {
        Some(out) => buffer.download(out).map(|()| None),
        None => Ok(Some(Storage::Gpu(buffer))),
    }
}

/// Runs a plan to partials.
pub(super) fn partials(context: &Arc<Context>, plan: &ReducePlan, inputs: &[Input<'_>], control: &Control) -> Result<Partials> {
    control.check()?;
    passes::partials(context, plan, inputs, control)
}

/// Whether there are shaders for all of it, the results included.
fn is_direct(plan: &ReducePlan) -> bool {
    plan.is_plain() && source::OPS[..10].contains(&plan.op)
}

/// The results in device memory.
fn finished(
    context: &Arc<Context>,
    plan: &ReducePlan,
    input: &Input<'_>,
    mut old: Vec<Block>,
    control: &Control,
) -> Result<GpuBuffer> {
    let mut scratch = None;
    let sources = [Source::of(input, context, plan, &mut scratch)?];
    let mut runner = Runner::new(context, plan, control)?;
    let (out_len, size) = (plan.out_len() as u64, plan.out_dtype.size() as u64);
    let flag = context.block(4)?;
    context.clear(&flag, 4)?;
    let mut segments = vec![];
    for part in tiles(0..out_len, context.max_block() / size) {
        let bytes = (part.end - part.start) * size;
        let reused = old.iter().position(|block| block.size() >= bytes).map(|at| old.swap_remove(at));
        let out = match reused {
            Some(block) => block,
            None => context.block(bytes)?,
        };
        for tile in tiles(part.clone(), runner.tile()) {
            let state = runner.reduce(&sources, tile.clone())?;
            runner.finish(&state, tile.end - tile.start, &out, tile.start - part.start, &flag)?;
        }
        segments.push((out, bytes));
    }
    if runner.may_fail() && context.read_small(&flag, 4)?.iter().any(|&byte| byte != 0) {
        return Err(Error::Overflow { op: plan.op.name(), out_dtype: plan.out_dtype });
    }
    runner.drain()?;
    Ok(GpuBuffer::new(context.clone(), segments))
}

/// Pieces of at most `most` (a multiple of 4), end to end.
fn tiles(range: Range<u64>, most: u64) -> impl Iterator<Item = Range<u64>> {
    let most = most.max(4);
    let count = (range.end - range.start).div_ceil(most);
    (0..count).map(move |i| range.start + i * most..range.end.min(range.start + (i + 1) * most))
}
