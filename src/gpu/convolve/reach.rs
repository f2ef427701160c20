//! Range analysis: the largest magnitude that an exact integer result can have.

use std::ops::Range;
use std::sync::Arc;

use bytemuck::{Pod, Zeroable};

use super::Images;
use super::pack::{self, Weights};
use crate::gpu::context::Context;
use crate::gpu::dispatch::{Bind, Dispatch, fold};
use crate::gpu::memory::GpuBuffer;
use crate::gpu::pipeline::{Shader, Slot};
use crate::gpu::shaders::{Variant, join, layout};
use crate::plan::ConvolvePlan;
use crate::{Control, Dtype, Result};

const REACH: &str = include_str!("../../../shaders/convolve_reach.wgsl");
const SPAN: &str = include_str!("../../../shaders/convolve_span.wgsl");
/// Elements that a workgroup of `convolve_reach.wgsl` reads: 128 invocations, 32 each.
const GROUP: u64 = 128 * 32;

/// The uniforms of `convolve_reach.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, Pod, Zeroable)]
struct ReachParams {
    first: u32,
    count: u32,
    unused_a: u32,
    unused_b: u32,
}

/// `max|x| · max_k Σ|w_k|`, the values outside the image included; 0 for floats.
pub(super) fn reach(context: &Arc<Context>, plan: &ConvolvePlan, images: &Images<'_>, weights: &Weights) -> Result<u128> {
    if !plan.is_integer() {
        return Ok(0);
    }
    let sum = weights.largest_sum(plan.channels * plan.kernel.iter().product::<usize>());
    let fill = plan.boundary.iter().map(|b| (b.fill() as i128).unsigned_abs()).max().unwrap_or(0);
    let image = match images {
        Images::Host(view) => pack::largest_magnitude(plan, view),
        Images::Device(buffer) if plan.image_dtype.size() >= 4 => on_device(context, plan.image_dtype, buffer)?,
        Images::Device(_) => pack::bound(plan.image_dtype),
    };
    Ok(sum.saturating_mul(image.max(fill)))
}

fn source(dtype: Dtype) -> String {
    let header = format!("const WIDE: bool = {};\nconst SIGNED: bool = {};\n", dtype.size() == 8, dtype.is_signed_integer());
    join(&[&header, REACH])
}

fn span_source(dtype: Dtype) -> String {
    join(&[&format!("const WIDE: bool = {};\n", dtype == Dtype::F64), SPAN])
}

/// The largest magnitude of 32- or 64-bit integers on the device; of the latter, its upper half rounded up if it has one.
fn on_device(context: &Arc<Context>, dtype: Dtype, buffer: &GpuBuffer) -> Result<u128> {
    let [low, high] = largest(context, "convolve_reach", dtype, buffer)?.map(u128::from);
    Ok(if high == 0 { low } else { (high + 1) << 32 })
}

/// What `convolve_span.wgsl` finds in floats on the device.
pub(super) fn span_on_device(context: &Arc<Context>, dtype: Dtype, buffer: &GpuBuffer) -> Result<[u32; 2]> {
    largest(context, "convolve_span", dtype, buffer)
}

/// The two words that a shader finds in an array on the device.
fn largest(context: &Arc<Context>, label: &'static str, dtype: Dtype, buffer: &GpuBuffer) -> Result<[u32; 2]> {
    let pipeline = context.pipeline(&Shader {
        label,
        source: &|| if dtype.is_float() { span_source(dtype) } else { source(dtype) },
        variant: dtype.name(),
        constants: &[],
        workgroup: [128, 1, 1],
        workgroup_bytes: 8,
        slots: &[Slot::Read, Slot::ReadWrite, Slot::Uniform],
    })?;
    let largest = context.block(8)?;
    context.clear(&largest, 8)?;
    for segment in buffer.segments() {
        let count = segment.bytes / dtype.size() as u64;
        let mut run = |groups: Range<u64>| {
            let params = ReachParams { first: (groups.start * GROUP) as u32, count: count as u32, ..ReachParams::default() };
            let binds = [Bind::Block(&segment.block), Bind::Block(&largest), Bind::Uniform(bytemuck::bytes_of(&params))];
            let grid = fold(groups.end - groups.start, &context.limits);
            context.submit(&[Dispatch { pipeline: &pipeline, binds: &binds, groups: grid }])
        };
        context.sliced(label, count.div_ceil(GROUP), 1, 0, &Control::new(), &mut run)?;
    }
    let words: Vec<u32> = bytemuck::pod_collect_to_vec(&context.read_small(&largest, 8)?);
    Ok([words[0], words[1]])
}

/// The shader, for its tests.
pub(super) fn variants() -> Vec<Variant> {
    let layouts = || vec![layout!(ReachParams { first, count, unused_a, unused_b })];
    let dtypes = [Dtype::U32, Dtype::I32, Dtype::U64, Dtype::I64];
    let reach = dtypes.map(|dtype| Variant { label: "convolve_reach", source: source(dtype), layouts: layouts() });
    let span = |dtype| Variant { label: "convolve_span", source: span_source(dtype), layouts: layouts() };
    reach.into_iter().chain([Dtype::F32, Dtype::F64].map(span)).collect()
}
