//! Monte Carlo π on the GPU: whole blocks of four samples on the device, the ends of the range on the host.

use std::sync::Arc;

use super::context::Context;
use super::dispatch::{Bind, Dispatch, fold};
use super::pipeline::{Shader, Slot};
use super::shaders::{self, Variant};
use crate::plan::MonteCarloPlan;
use crate::{Control, Philox4x32, Result};

/// Blocks that one dispatch counts at most: the shader's indices stay below 2^32.
const MOST_BLOCKS: u64 = 1 << 31;
/// Blocks per invocation at least, where there are so many: they pay for starting it.
const FEW_STEPS: u64 = 32;
/// Blocks per invocation at most, unless the device's limit on workgroups asks for more.
const MANY_STEPS: u64 = 1024;
/// Invocations that keep any device busy.
const BUSY: u64 = 1 << 20;
/// Slices are multiples of so many blocks.
const GRAIN: u64 = 1 << 14;

#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct Params {
    keys: [[u32; 4]; 5],
    start: [u32; 2],
    blocks: u32,
    steps: u32,
}

fn source(int64: bool) -> String {
    shaders::join(&[shaders::mul_wide(int64), shaders::PHILOX, include_str!("../../shaders/monte_carlo.wgsl")])
}

/// The variants of this shader.
pub(super) fn variants() -> Vec<Variant> {
    let variant = |int64| Variant {
        label: "monte_carlo",
        source: source(int64),
        layouts: vec![shaders::layout!(Params { keys, start, blocks, steps })],
    };
    vec![variant(false), variant(true)]
}

/// Counts the hits of the plan's samples.
pub(super) fn count_hits(context: &Arc<Context>, plan: &MonteCarloPlan, control: &Control) -> Result<u64> {
    control.check()?;
    let philox = Philox4x32::new(plan.seed);
    let samples = &plan.samples;
    let on_host = |range: std::ops::Range<u64>| range.filter(|&sample| philox.sample_is_hit(sample)).count() as u64;
    let (first, last) = (samples.start.div_ceil(4), samples.end / 4);
    if first >= last {
        let hits = on_host(samples.clone());
        control.advance(plan.len());
        return Ok(hits);
    }
    let head = samples.start..first * 4;
    let tail = last * 4..samples.end;
    let ends = (head.end - head.start) + (tail.end - tail.start);
    let on_device = count_blocks(context, &philox, first, last - first, control)?;
    let hits = on_host(head) + on_device + on_host(tail);
    control.advance(ends);
    Ok(hits)
}

fn count_blocks(context: &Arc<Context>, philox: &Philox4x32, first: u64, blocks: u64, control: &Control) -> Result<u64> {
    let (int64, size) = (context.caps.int64, context.limits.invocations.min(256));
    let pipeline = context.pipeline(&Shader {
        label: "monte_carlo",
        source: &|| source(int64),
        variant: if int64 { "u64" } else { "u32" },
        constants: &[("SIZE", f64::from(size))],
        workgroup: [size, 1, 1],
        workgroup_bytes: 4,
        slots: &[Slot::ReadWrite, Slot::Uniform],
    })?;
    let keys = philox.round_keys();
    let keys = std::array::from_fn(|i| [keys[2 * i][0], keys[2 * i][1], keys[2 * i + 1][0], keys[2 * i + 1][1]]);
    let hits = context.block(8)?;
    context.clear(&hits, 8)?;
    context.sliced("monte_carlo", blocks, GRAIN, 4, control, &mut |range| {
        let mut plans = vec![];
        let mut at = range.start;
        while at < range.end {
            let blocks = (range.end - at).min(MOST_BLOCKS);
            let steps = blocks.div_ceil(BUSY).clamp(FEW_STEPS, MANY_STEPS);
            let groups = fold(blocks.div_ceil(steps * u64::from(size)), &context.limits);
            // Folding may add workgroups, never take any away.
            let start = first + at;
            let params = Params { keys, start: [start as u32, (start >> 32) as u32], blocks: blocks as u32, steps: steps as u32 };
            plans.push((params, groups));
            at += blocks;
        }
        let binds: Vec<_> =
            plans.iter().map(|(params, _)| [Bind::Block(&hits), Bind::Uniform(bytemuck::bytes_of(params))]).collect();
        let dispatches: Vec<_> =
            std::iter::zip(&plans, &binds).map(|(&(_, groups), binds)| Dispatch { pipeline: &pipeline, binds, groups }).collect();
        context.submit(&dispatches)
    })?;
    let words: Vec<u32> = bytemuck::pod_collect_to_vec(&context.read_small(&hits, 8)?);
    Ok(u64::from(words[0]) | u64::from(words[1]) << 32)
}
