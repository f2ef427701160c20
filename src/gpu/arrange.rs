//! Arrays in another order, on the device: transposed, cut out, repeated along axes. See `shaders/arrange.wgsl`.

use std::sync::Arc;

use super::context::Context;
use super::dispatch::{Bind, Dispatch, fold};
use super::memory::{Block, GpuBuffer};
use super::pipeline::{Shader, Slot};
use super::shaders;
use crate::{Control, Result};

/// Axes of a walk at most, those of length 1 left out.
const AXES: usize = 16;

#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    axes: [[u32; 4]; AXES],
    rank: u32,
    count: u32,
    base_low: u32,
    base_high: u32,
    len: u32,
    first: u32,
    end: u32,
    pad0: u32,
}

/// Which elements of a C-contiguous array, in which order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Walk {
    /// Lengths and steps in elements, the outermost axis first.
    axes: Vec<(u64, u64)>,
    /// The first element of all.
    first: u64,
    /// Elements of the walk before the first that is wanted.
    skipped: u64,
}

impl Walk {
    /// A walk over axes of these lengths and steps; `None` if the shader cannot count so many of them.
    pub(super) fn new(axes: impl IntoIterator<Item = (u64, u64)>, first: u64) -> Option<Self> {
        let mut merged: Vec<(u64, u64)> = vec![];
        for (len, step) in axes.into_iter().filter(|axis| axis.0 != 1) {
            match merged.last_mut() {
                // What follows the last axis without a gap goes on from it.
                Some(last) if last.1 == len * step && last.0 * len < 1 << 31 => *last = (last.0 * len, step),
                _ => merged.push((len, step)),
            }
        }
        let fits = merged.len() <= AXES && merged.iter().all(|&(len, _)| len < 1 << 31);
        fits.then_some(Self { axes: merged, first, skipped: 0 })
    }

    /// A walk over an array of this shape with its axes in another order.
    pub(super) fn permuted(shape: &[usize], order: &[usize]) -> Option<Self> {
        let step = |axis: usize| shape[axis + 1..].iter().map(|&n| n as u64).product();
        Self::new(order.iter().map(|&axis| (shape[axis] as u64, step(axis))), 0)
    }

    /// The same walk from an element on.
    pub(super) fn from(&self, skipped: u64) -> Self {
        Self { skipped: self.skipped + skipped, ..self.clone() }
    }

    /// Lengths, beginnings and steps as the shader takes them.
    fn axes(&self) -> [[u32; 4]; AXES] {
        let (mut axes, mut rest) = ([[1, 0, 0, 0]; AXES], self.skipped);
        for (to, &(len, step)) in axes.iter_mut().zip(self.axes.iter().rev()) {
            *to = [len as u32, (rest % len.max(1)) as u32, step as u32, (step >> 32) as u32];
            rest /= len.max(1);
        }
        axes
    }
}

fn source(size: usize, workgroup: u32, int64: bool) -> String {
    let mask = u32::MAX >> (32 - 8 * size.min(4));
    let header = format!(
        "const SIZE: u32 = {size}u;\nconst MASK: u32 = {mask}u;\nconst WG: u32 = {workgroup}u;\nconst AXES: u32 = {AXES}u;\n"
    );
    shaders::join(&[&header, shaders::mul_wide(int64), include_str!("../../shaders/arrange.wgsl")])
}

/// Every shader variant.
#[allow(dead_code, reason = "read by tests")]
pub(super) fn variants() -> Vec<shaders::Variant> {
    let layout = || shaders::layout!(Params { axes, rank, count, base_low, base_high, len, first, end, pad0 });
    let variant = |(size, int64)| shaders::Variant { label: "arrange", source: source(size, 64, int64), layouts: vec![layout()] };
    [1, 2, 4, 8].into_iter().flat_map(|size| [(size, false), (size, true)]).map(variant).collect()
}

/// `count` elements, below 2^31, of `size` bytes of a walk over `buffer`, end to end.
pub(super) fn run(
    context: &Arc<Context>,
    buffer: &GpuBuffer,
    size: usize,
    walk: &Walk,
    count: usize,
    control: &Control,
) -> Result<Block> {
    let bytes = (count * size) as u64;
    let block = context.block(bytes.next_multiple_of(4))?;
    if size < 4 {
        context.clear(&block, bytes)?;
    }
    let workgroup = context.limits.invocations.min(if context.caps.software { 64 } else { 256 });
    let pipeline = context.pipeline(&Shader {
        label: "arrange",
        source: &|| source(size, workgroup, context.caps.int64),
        variant: &format!("{size} {}", context.caps.int64),
        constants: &[],
        workgroup: [workgroup, 1, 1],
        workgroup_bytes: 0,
        slots: &[Slot::Read, Slot::ReadWrite, Slot::Uniform],
    })?;
    let (jobs, mut start) = (count.div_ceil((4 / size).max(1)) as u64, 0);
    for segment in buffer.segments() {
        let len = segment.bytes / size as u64;
        let base = walk.first.wrapping_sub(start);
        let params = Params {
            axes: walk.axes(),
            rank: walk.axes.len() as u32,
            count: count as u32,
            base_low: base as u32,
            base_high: (base >> 32) as u32,
            len: len as u32,
            ..bytemuck::Zeroable::zeroed()
        };
        context.sliced(&format!("arrange {size}"), jobs, u64::from(workgroup), 0, control, &mut |range| {
            let mut params = params;
            (params.first, params.end) = (range.start as u32, range.end as u32);
            let uniform = Bind::Uniform(bytemuck::bytes_of(&params));
            let binds = [Bind::Block(&segment.block), Bind::Block(&block), uniform];
            let groups = fold((range.end - range.start).div_ceil(u64::from(workgroup)), &context.limits);
            context.submit(&[Dispatch { pipeline: &pipeline, binds: &binds, groups }])
        })?;
        start += len;
    }
    Ok(block)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Engine;
    use crate::gpu::tests::engines;
    use crate::view::View;
    use crate::{Dtype, HostVec, Storage};

    #[test]
    fn every_order_of_axes_and_every_part_of_it() {
        for engine in engines() {
            let context = engine.context().unwrap();
            for dtype in [Dtype::U8, Dtype::U16, Dtype::U32, Dtype::U64] {
                let (shape, size) = ([3usize, 5, 2, 7], dtype.size());
                let mut array = HostVec::zeros(dtype, 210).unwrap();
                let all: Vec<u8> = (0..210 * size).map(|i| (i * 37 % 251) as u8).collect();
                array.view_mut(&[210]).copy_from_bytes(&all);
                let view: View<'_> = array.view(&shape);
                // In one segment, and in some that end inside words of the result.
                let Storage::Gpu(whole) = engine.upload(&view).unwrap() else { panic!("not on the device") };
                let cuts = [0, 12, 100, 210].map(|at| at as u64 * size as u64);
                let pieces = cuts.windows(2).map(|pair| {
                    let block = context.block(pair[1] - pair[0]).unwrap();
                    let bytes = &all[pair[0] as usize..pair[1] as usize];
                    let fill = &mut |range: std::ops::Range<u64>, out: &mut [u8]| {
                        out.copy_from_slice(&bytes[range.start as usize..range.end as usize]);
                    };
                    context.upload(&block, pair[1] - pair[0], &Control::new(), fill).unwrap();
                    (block, pair[1] - pair[0])
                });
                let pieces = GpuBuffer::new(context.clone(), pieces.collect());
                for order in [[0, 1, 2, 3], [3, 1, 0, 2], [1, 0, 3, 2], [2, 3, 1, 0]] {
                    let mut turned = vec![0; all.len()];
                    view.clone().permuted(&order).copy_to_bytes(&mut turned);
                    for buffer in [&whole, &pieces] {
                        for (from, to) in [(0, 210), (1, 2), (17, 208), (209, 210)] {
                            let walk = Walk::permuted(&shape, &order).unwrap().from(from as u64);
                            let block = run(&context, buffer, size, &walk, to - from, &Control::new()).unwrap();
                            let mut found = vec![0; (to - from) * size];
                            context.read_bytes(&block, 0, &mut found).unwrap();
                            assert_eq!(found, turned[from * size..to * size], "{engine:?} {dtype} {order:?} {from}..{to}");
                        }
                    }
                }
                // A row and a column, repeated.
                for (axes, at) in [([(4, 0), (7, 1)], 14u64), ([(5, 14), (4, 0)], 3)] {
                    let walk = Walk::new(axes, at).unwrap();
                    let count = (axes[0].0 * axes[1].0) as usize;
                    let block = run(&context, &pieces, size, &walk, count, &Control::new()).unwrap();
                    let mut found = vec![0; count * size];
                    context.read_bytes(&block, 0, &mut found).unwrap();
                    for (i, element) in found.chunks(size).enumerate() {
                        let (row, column) = (i as u64 / axes[1].0, i as u64 % axes[1].0);
                        let from = (at + row * axes[0].1 + column * axes[1].1) as usize;
                        assert_eq!(element, &all[from * size..(from + 1) * size], "{engine:?} {dtype} {axes:?} {i}");
                    }
                }
            }
        }
    }

    #[test]
    fn axes_without_a_gap_are_one() {
        assert_eq!(Walk::permuted(&[2, 3, 4], &[0, 1, 2]).unwrap().axes, [(24, 1)]);
        assert_eq!(Walk::permuted(&[2, 3, 4], &[2, 0, 1]).unwrap().axes, [(4, 1), (6, 4)]);
        assert_eq!(Walk::permuted(&[2, 1, 4], &[2, 1, 0]).unwrap().axes, [(4, 1), (2, 4)]);
        assert_eq!(Walk::new([(3, 0), (4, 0), (5, 1)], 0).unwrap().axes, [(12, 0), (5, 1)]);
        assert_eq!(Walk::new((0..40).map(|i| (2, 3 << i)), 0), None);
    }
}
