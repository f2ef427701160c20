//! Fast FIR filters: three filters of half the length for two outputs along each of the last two axes, 0.56 of the
//! multiplications of the direct convolution.
//!
//! `convolve_planes.wgsl` splits the image, boundary and dtype resolved, into planes of differences that serve all kernels;
//! `convolve_fast_fir.wgsl` filters every plane as the direct convolution filters channels, and keeps the sums of the two
//! or four phases of outputs in registers.
//!
//! **Numerics.** As on the CPU: within `c·ε·Σ|k|·max|x|` over the window of a block of 2 × 2 outputs, integers exact in
//! binary32 if every intermediate stays an exactly held integer, else modulo 2^32 or 2^64. The kernels of the planes are
//! summed in binary64 or integers and rounded once.

use std::ops::Range;
use std::sync::Arc;

use bytemuck::{Pod, Zeroable};

use super::Work;
use super::chunk::{Axis, Chunk};
use super::pack::Weights;
use super::shader::{self, Form, Params, Sums};
use super::tuning::Tuning;
use crate::gpu::dispatch::{Bind, Dispatch, fold};
use crate::gpu::memory::{Block, Gathered};
use crate::gpu::pipeline::{Pipeline, Shader, Slot};
use crate::gpu::shaders::{Layout, Variant, join, layout};
use crate::plan::ConvolvePlan;
use crate::{Dtype, Result};

const BOUNDARY: &str = include_str!("../../../shaders/parts/boundary.wgsl");
/// Taps along an axis from which on the identity can pay.
const LEAST: usize = 4;
/// Invocations of a workgroup of `convolve_planes.wgsl`.
const PLANE_GROUP: u64 = 128;
/// The part of what a plane costs beside its taps that its sums are; the rest is making it, once for all kernels.
const SUMS: f64 = 1.0 / 3.0;

/// Along which of the last two axes the identity is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fir {
    pub(super) axes: [bool; 2],
}

impl Fir {
    /// For a plan; `None` if its kernels are too small.
    pub(super) fn choose(plan: &ConvolvePlan) -> Option<Self> {
        let axes = [plan.kernel[1] >= LEAST, plan.kernel[2] >= LEAST];
        (axes != [false; 2]).then_some(Self { axes })
    }

    /// Outputs that combine along `y` and `x`.
    fn phases(self) -> [usize; 2] {
        self.axes.map(|fir| if fir { 2 } else { 1 })
    }

    /// Planes of the image.
    fn planes(self) -> usize {
        self.axes.map(|fir| if fir { 3 } else { 1 }).iter().product()
    }

    /// Taps of a plane's kernel.
    fn sub_kernel(self, [kd, kh, kw]: [usize; 3]) -> [usize; 3] {
        let [fy, fx] = self.phases();
        [kd, kh.div_ceil(fy), kw.div_ceil(fx)]
    }

    /// Taps that a block of outputs reads at most, beside its last output's own element.
    pub(super) fn reach(self, kernel: [usize; 3]) -> [usize; 3] {
        let ([kd, kh, kw], [fy, fx]) = (self.sub_kernel(kernel), self.phases());
        [kd, kh * fy, kw * fx]
    }

    /// How many times larger than those of the direct convolution intermediate values can be.
    pub(super) fn growth(self) -> u128 {
        self.axes.map(|fir| if fir { 4 } else { 1 }).iter().product()
    }

    /// Multiply-adds per output, or work worth as much; `beside` of them are what a plane of one kernel costs beside its taps.
    pub(super) fn cost(self, plan: &ConvolvePlan, beside: f64) -> f64 {
        let [fy, fx] = self.phases();
        let planes = self.planes() as f64 / (fy * fx) as f64;
        let made = (1.0 - SUMS) * plan.kernel[0] as f64 / plan.kernel_count().max(1) as f64;
        planes * (self.sub_kernel(plan.kernel).iter().product::<usize>() as f64 + beside * (SUMS + made))
    }

    /// The kernels of the planes: taps of even index, sums of neighbours, taps of odd index, along `y` and then along `x`.
    fn split<T: Copy + Default + std::ops::Add<Output = T>>(self, kernels: &[T], [kd, kh, kw]: [usize; 3]) -> Vec<T> {
        let ([fy, fx], [_, height, width]) = (self.phases(), self.sub_kernel([kd, kh, kw]));
        let taps = kd * kh * kw;
        let mut all = Vec::with_capacity(kernels.len() / taps.max(1) * self.planes() * kd * height * width);
        for kernel in kernels.chunks_exact(taps) {
            let tap = |z: usize, y: usize, x: usize| if y < kh && x < kw { kernel[(z * kh + y) * kw + x] } else { T::default() };
            let of = |fir: bool, plane: usize, i: usize, at: &dyn Fn(usize) -> T| match (fir, plane) {
                (false, _) => at(i),
                (true, 0) => at(2 * i),
                (true, 1) => at(2 * i) + at(2 * i + 1),
                (true, _) => at(2 * i + 1),
            };
            let (py, px) = (if fy == 2 { 3 } else { 1 }, if fx == 2 { 3 } else { 1 });
            for plane in 0..py * px {
                for t in 0..kd * height * width {
                    let (z, y, x) = (t / (height * width), t / width % height, t % width);
                    let row = |i: usize| of(self.axes[1], plane % px, x, &|j| tap(z, i, j));
                    all.push(of(self.axes[0], plane / px, y, &row));
                }
            }
        }
        all
    }
}

/// The uniforms of `convolve_planes.wgsl`.
mod planes {
    use super::*;

    /// As documented there.
    #[repr(C)]
    #[derive(Debug, Clone, Copy, Default, Pod, Zeroable)]
    #[allow(missing_docs)]
    pub(super) struct Params {
        pub height: u32,
        pub width: u32,
        pub depth: u32,
        pub first: u32,
        pub end: u32,
        pub end_y: u32,
        pub end_x: u32,
        pub image_x: u32,
        pub image_y: u32,
        pub image_z: u32,
        pub image_first: u32,
        pub start_x: i32,
        pub start_y: i32,
        pub start_z: i32,
        pub boundary_x: u32,
        pub boundary_y: u32,
        pub boundary_z: u32,
        pub fill_at: u32,
        pub unused_a: u32,
        pub unused_b: u32,
    }

    pub(super) fn layout() -> Layout {
        layout!(Params {
            height,
            width,
            depth,
            first,
            end,
            end_y,
            end_x,
            image_x,
            image_y,
            image_z,
            image_first,
            start_x,
            start_y,
            start_z,
            boundary_x,
            boundary_y,
            boundary_z,
            fill_at,
            unused_a,
            unused_b
        })
    }
}

/// The dtype that planes are kept in.
fn number(sums: Sums) -> Dtype {
    match sums {
        Sums::F64 => Dtype::F64,
        Sums::I32 => Dtype::I32,
        Sums::I64 => Dtype::I64,
        _ => Dtype::F32,
    }
}

impl Work<'_> {
    /// Makes the sums of a chunk by fast FIR filters.
    pub(super) fn fast_fir(&self, chunk: &Chunk, axes: &[Axis; 3], images: &Gathered, fir: Fir, raw: &Block) -> Result<()> {
        let (context, plan) = (self.context, self.plan);
        let count = chunk.images.len();
        let sub = fir.sub_kernel(plan.kernel);
        let ([fy, fx], planes) = (fir.phases(), fir.planes());
        let [out_z, out_y, out_x] = chunk.region.each_ref().map(Range::len);
        let sub_out = [out_x.div_ceil(fx), out_y.div_ceil(fy)];

        // The kernels of all planes, as those of so many channels.
        let taps: usize = plan.kernel.iter().product();
        let of = (chunk.kernels.start - plan.kernels.start) * taps..(chunk.kernels.end - plan.kernels.start) * taps;
        let weights = match &self.weights {
            Weights::Integer(weights) => Weights::Integer(fir.split(&weights[of], plan.kernel)),
            other => Weights::Float(fir.split(&other.values()[of], plan.kernel)),
        };
        let stacked = ConvolvePlan { kernel: [planes * sub[0], sub[1], sub[2]], ..plan.clone() };
        let (bytes, fill_at) = weights.pack(&stacked, 0..chunk.kernels.len(), self.sums, self.bank);
        let kernels = context.block(bytes.len() as u64)?;
        context.upload(&kernels, bytes.len() as u64, self.control, &mut |range, out| {
            out.copy_from_slice(&bytes[range.start as usize..range.end as usize]);
        })?;

        let shape = [out_z + sub[0] - 1, sub_out[1] + sub[1] - 1, sub_out[0] + sub[2] - 1];
        let each = shape.iter().product::<usize>();
        let size = number(self.sums).size();
        // As many images at a time as a block has room for.
        let together = ((self.scratch.min(context.max_block()) as usize / size) / (planes * each)).clamp(1, count);
        let split = context.block((together * planes * each * size) as u64)?;
        let from = images.offset - images.offset % u64::from(context.limits.offset_alignment);
        let plane = each * together;
        let plane_pipeline = self.planes_pipeline(fir)?;
        let no_room = || context.failure("planning a convolution", "too little workgroup memory");
        let tuning = Tuning::new(&context.limits, self.sums, self.bank, sub, sub_out).ok_or_else(no_room)?;
        let pipeline = self.fir_pipeline(fir, &tuning)?;
        let image_len: usize = axes.iter().map(|axis| axis.length).product();
        for first in (0..count).step_by(together) {
            let now = together.min(count - first);
            let base = planes::Params {
                height: shape[1] as u32,
                width: shape[2] as u32,
                depth: shape[0] as u32,
                end_y: (out_y + plan.kernel[1] - 1) as u32,
                end_x: (out_x + plan.kernel[2] - 1) as u32,
                image_x: axes[2].length as u32,
                image_y: axes[1].length as u32,
                image_z: axes[0].length as u32,
                image_first: ((images.offset - from) / plan.image_dtype.size() as u64) as u32 + (first * image_len) as u32,
                start_x: axes[2].start,
                start_y: axes[1].start,
                start_z: axes[0].start,
                boundary_x: axes[2].boundary,
                boundary_y: axes[1].boundary,
                boundary_z: axes[0].boundary,
                fill_at,
                ..planes::Params::default()
            };
            let total = (plane / together * now) as u64;
            let key = format!("convolve_planes {}", self.sums.name());
            context.sliced(&key, total.div_ceil(PLANE_GROUP), 1, 0, self.control, &mut |groups| {
                let end = total.min(groups.end * PLANE_GROUP) as u32;
                let params = planes::Params { first: (groups.start * PLANE_GROUP) as u32, end, ..base };
                let image = Bind::Part(&images.block, from..images.block.size());
                let binds = [image, Bind::Block(&kernels), Bind::Block(&split), Bind::Uniform(bytemuck::bytes_of(&params))];
                let groups = fold(groups.end - groups.start, &context.limits);
                context.submit(&[Dispatch { pipeline: &plane_pipeline, binds: &binds, groups }])
            })?;
            self.filter(chunk, (first, now), (fir, &tuning, &pipeline), shape, [&kernels, &split, raw])?;
        }
        Ok(())
    }

    /// Filters the planes of images `first..first + now` of a chunk.
    fn filter(
        &self,
        chunk: &Chunk,
        (first, now): (usize, usize),
        (fir, tuning, pipeline): (Fir, &Tuning, &Pipeline),
        shape: [usize; 3],
        [kernels, split, raw]: [&Block; 3],
    ) -> Result<()> {
        let (context, plan) = (self.context, self.plan);
        let (sub, planes) = (fir.sub_kernel(plan.kernel), fir.planes());
        let [fy, fx] = fir.phases();
        let [out_z, out_y, out_x] = chunk.region.each_ref().map(Range::len);
        let count = chunk.kernels.len();
        let kernel_groups = if self.bank { count.div_ceil(4) } else { count };
        let along = |n: usize, f: usize, axis: usize| n.div_ceil(f).div_ceil(tuning.outputs[axis] as usize);
        let tiles = [along(out_x, fx, 0), along(out_y, fy, 1)];
        let base = Params {
            out_x: out_x as u32,
            out_y: out_y as u32,
            out_z: out_z as u32,
            kernels: count as u32,
            kernel_groups: kernel_groups as u32,
            tiles_x: tiles[0] as u32,
            tiles_y: tiles[1] as u32,
            image_x: shape[2] as u32,
            image_y: shape[1] as u32,
            image_z: shape[0] as u32,
            // Workgroups count images from the chunk's first, planes are there from `first` on.
            image_first: 0u32.wrapping_sub((first * planes * shape.iter().product::<usize>()) as u32),
            row_weights: if self.bank { sub[2] } else { sub[2].div_ceil(4) } as u32,
            taps_x: sub[2] as u32,
            taps_y: sub[1] as u32,
            taps_z: sub[0] as u32,
            pitch: tuning.pitch,
            block_x: tuning.block[0],
            block_y: tuning.block[1],
            blocks_x: tuning.blocks[0],
            blocks_y: tuning.blocks[1],
            stride_z: 1,
            dilation_z: 1,
            slabs: (planes * sub[0]) as u32,
            channels: planes as u32,
            planes: planes as u32,
            image_parts: 1,
            channel_parts: 1,
            group_kernels: count as u32,
            kernel_parts: 1,
            ..Params::default()
        };
        let blocks = tuning.all_blocks(planes * sub[0]);
        let per_dispatch = u64::from(tuning.blocks_per_dispatch);
        let plane_groups = (tiles[0] * tiles[1] * out_z * kernel_groups) as u64;
        let total = plane_groups * now as u64;
        let ahead = first as u64 * plane_groups;
        let key = format!("convolve_fast_fir {} {} {}", self.sums.name(), self.bank, sub.iter().product::<usize>().ilog2());
        context.sliced(&key, total, 1, 0, self.control, &mut |groups| {
            let slices: Vec<Params> = (0..blocks)
                .step_by(per_dispatch as usize)
                .map(|block| Params {
                    group_first: (ahead + groups.start) as u32,
                    group_end: (ahead + groups.end) as u32,
                    block_first: block as u32,
                    block_end: blocks.min(block + per_dispatch) as u32,
                    fresh: u32::from(block == 0),
                    ..base
                })
                .collect();
            let bind =
                |params| [Bind::Block(split), Bind::Block(kernels), Bind::Block(raw), Bind::Uniform(bytemuck::bytes_of(params))];
            let binds: Vec<[Bind<'_>; 4]> = slices.iter().map(bind).collect();
            let grid = fold(groups.end - groups.start, &context.limits);
            context.submit(&binds.iter().map(|binds| Dispatch { pipeline, binds, groups: grid }).collect::<Vec<_>>())
        })
    }
}

impl Work<'_> {
    fn planes_pipeline(&self, fir: Fir) -> Result<Arc<Pipeline>> {
        let (sums, image) = (self.sums, self.plan.image_dtype);
        self.context.pipeline(&Shader {
            label: "convolve_planes",
            source: &|| planes_source(sums, image, fir),
            variant: &format!("{} {image} {:?}", sums.name(), fir.axes),
            constants: &[],
            workgroup: [PLANE_GROUP as u32, 1, 1],
            workgroup_bytes: 0,
            slots: &[Slot::Read, Slot::Read, Slot::ReadWrite, Slot::Uniform],
        })
    }

    fn fir_pipeline(&self, fir: Fir, tuning: &Tuning) -> Result<Arc<Pipeline>> {
        let (sums, bank) = (self.sums, self.bank);
        self.context.pipeline(&Shader {
            label: "convolve_fast_fir",
            source: &|| source(sums, bank, fir),
            variant: &format!("{} {bank} {:?}", sums.name(), fir.axes),
            constants: &tuning.constants(Form::Tiled, true),
            workgroup: [tuning.workgroup[0], tuning.workgroup[1], 1],
            workgroup_bytes: tuning.bytes,
            slots: &[Slot::Read, Slot::Read, Slot::ReadWrite, Slot::Uniform],
        })
    }
}

fn header(image: Dtype, integer: bool, fir: Fir) -> String {
    let [y, x] = fir.axes;
    let image = image as u8;
    format!(
        "const IMAGE: u32 = {image}u;\nconst INTEGER: bool = {integer};\nconst FIR_Y: bool = {y};\nconst FIR_X: bool = {x};\n"
    )
}

fn planes_source(sums: Sums, image: Dtype, fir: Fir) -> String {
    let header = header(image, false, fir);
    let mut text = vec![&header[..], BOUNDARY];
    text.extend(shader::numbers(sums, image));
    text.push(include_str!("../../../shaders/convolve_planes.wgsl"));
    join(&text)
}

fn source(sums: Sums, bank: bool, fir: Fir) -> String {
    let header = header(number(sums), sums == Sums::F32Integer, fir);
    let mut text = vec![&header[..], "const PARTS: u32 = 0u;", shader::PARAMS];
    text.extend(shader::numbers(sums, number(sums)));
    text.push(if bank { "const BANK: bool = true;" } else { "const BANK: bool = false;" });
    text.extend([shader::BLOCK, include_str!("../../../shaders/convolve_fast_fir.wgsl")]);
    join(&text)
}

/// Every shader of fast FIR filters.
pub(super) fn variants() -> Vec<Variant> {
    let mut variants = vec![];
    for sums in [Sums::F32, Sums::F32Integer, Sums::I32, Sums::I64, Sums::F64] {
        for fir in [[true, true], [false, true], [true, false]].map(|axes| Fir { axes }) {
            for image in Dtype::ALL {
                let possible = match sums {
                    Sums::F64 => true,
                    Sums::F32 => image != Dtype::F64,
                    _ => !image.is_float(),
                };
                if possible {
                    let source = planes_source(sums, image, fir);
                    variants.push(Variant { label: "convolve_planes", source, layouts: vec![planes::layout()] });
                }
            }
            for bank in [false, true] {
                let source = source(sums, bank, fir);
                variants.push(Variant { label: "convolve_fast_fir", source, layouts: vec![shader::params_layout()] });
            }
        }
    }
    variants
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The identity, with the kernels as they are split: exact in integers.
    #[test]
    fn split_kernels_give_the_outputs_of_the_whole() {
        let image: Vec<i64> = (0..40).map(|i| (i * i * 7 + 3) % 101 - 50).collect();
        for taps in 4..9usize {
            let kernel: Vec<i64> = (0..taps as i64).map(|i| (i * 37 + 11) % 19 - 9).collect();
            let fir = Fir { axes: [false, true] };
            let half = taps.div_ceil(2);
            let planes = fir.split(&kernel, [1, 1, taps]);
            for i in 0..10 {
                let sum = |p: usize, at: &dyn Fn(usize) -> i64| (0..half).map(|t| planes[p * half + t] * at(t)).sum::<i64>();
                let even = |t: usize| image[2 * (i + t)];
                let odd = |t: usize| image[2 * (i + t) + 1];
                let m = [sum(0, &|t| even(t) - odd(t)), sum(1, &odd), sum(2, &|t| odd(t) - even(t + 1))];
                let wanted = |o: usize| (0..taps).map(|t| kernel[t] * image[o + t]).sum::<i64>();
                assert_eq!([m[0] + m[1], m[1] - m[2]], [wanted(2 * i), wanted(2 * i + 1)], "{taps} {i}");
            }
        }
    }
}
