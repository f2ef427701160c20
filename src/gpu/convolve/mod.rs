//! Convolution on the GPU.
//!
//! A plan is cut into [chunks](chunk) that fit the device's buffers. For each, the images' boxes lie in one block (gathered
//! on the device or packed from the host), the kernels are packed into vectors of weights, `convolve.wgsl` or
//! `convolve_wide.wgsl` makes the sums in slices of bounded time, and `convolve_finish.wgsl` rounds, checks and narrows them
//! to the dtype of the result where the sums are not the result already.
//!
//! **Numerics.** Range analysis picks the cheapest sums that are exact for integers ([`Sums`]). Floats are added tap by tap
//! in row-major order with `fma`, which a driver may or may not fuse: results lie within `taps · ε · Σ|k||x|` of the exact
//! value, and may differ between devices within that. Drivers may also flush subnormal floats to zero and may assume that no
//! NaN or infinity occurs; sums with such operands come out as IEEE arithmetic gives them on common hardware.

mod choice;
mod chunk;
mod cost;
mod deliver;
mod exact;
mod fast_fir;
mod fft;
mod general;
mod mend;
mod pack;
mod passes;
mod reach;
mod room;
mod scan;
pub(super) mod shader;
#[cfg(test)]
mod tests;
mod tiles;
mod tuning;

use std::ops::Range;
use std::sync::Arc;

use super::context::Context;
use super::dispatch::{Bind, Dispatch, fold};
use super::memory::{Block, Gathered, GpuBuffer};
use super::pipeline::{Pipeline, Shader, Slot};
use super::stream::in_memory;
use crate::array::{HostVec, Storage};
use crate::engine::{Input, Target};
use crate::plan::{Algorithm, ConvolvePlan, Overflow};
use crate::view::View;
use crate::{Control, Dtype, Error, Result};
use choice::Choice;
use chunk::{Axis, Caps, Chunk, chunks, contiguous};
use pack::{Boxes, Weights};
use room::Demand;
use shader::{FinishParams, Form, Params, Program, Sums};

/// Every shader of a convolution.
pub(super) fn variants() -> Vec<super::shaders::Variant> {
    [shader::variants(), reach::variants(), scan::variants(), mend::variants(), fft::variants(), fast_fir::variants()]
        .into_iter()
        .flatten()
        .collect()
}

use tuning::Tuning;

/// Bytes of the sums of one chunk that is read back at once.
const PIECE: u64 = 64 << 20;
/// Elements of a block of images: positions of twice as many are 32-bit integers.
const MOST_ELEMENTS: u64 = (1 << 29) - 1;
/// Invocations of a workgroup of `convolve_finish.wgsl`.
const FINISH_GROUP: u64 = 128;
/// Results that are finished together with the last slice of sums.
const FINISH_AT_ONCE: u64 = 4 << 20;

/// Multiply-adds of a whole plan up to which it takes the shaders that serve every dtype and shape: a shader of its own would
/// take longer to compile than it could save in thousands of such calls.
const SMALL: u64 = 4 << 20;

/// Which algorithm a plan would be done with, and the predicted times of all.
pub(super) fn explain(context: &Arc<Context>, plan: &ConvolvePlan) -> Result<String> {
    choice::explain(context, plan)
}

/// Runs a plan.
pub(super) fn run(
    context: &Arc<Context>,
    plan: &ConvolvePlan,
    image: &Input<'_>,
    kernel: &Input<'_>,
    target: Target<'_>,
    control: &Control,
) -> Result<Option<Storage>> {
    let bounds = Bounds { block: u64::MAX, small: SMALL, memory: control.memory_limit() };
    in_memory(context, bounds.memory, control, target, |target, memory| {
        run_limited(context, plan, image, kernel, target, control, Bounds { memory, ..bounds })
    })
}

/// Where a plan is cut, and what counts as small.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// Bytes of a block at most.
    block: u64,
    /// Multiply-adds of a small plan at most.
    small: u64,
    /// Bytes on the device at most.
    memory: Option<u64>,
}

/// Runs a plan within bounds.
fn run_limited(
    context: &Arc<Context>,
    plan: &ConvolvePlan,
    image: &Input<'_>,
    kernel: &Input<'_>,
    target: Target<'_>,
    control: &Control,
    bounds: Bounds,
) -> Result<Option<Storage>> {
    control.check()?;
    let _ceiling = bounds.memory.map(|bytes| context.limited(bytes));
    let to_host = matches!(target, Target::Host(_));
    if plan.outputs() == 0 {
        let nothing = || Storage::Gpu(GpuBuffer::new(context.clone(), vec![]));
        return Ok((!to_host).then(nothing));
    }
    let mut scratch = None;
    let kernel = kernel.host(&mut scratch)?;
    let weights = Weights::read(plan, &kernel);
    let mut scratch = None;
    let mut moved = None;
    let source = match image {
        Input::Gpu { buffer, .. } if buffer.belongs_to(context) => Images::Device(buffer),
        other => Images::Host(other.host(&mut scratch)?),
    };
    // Parts of a plan are as small as the whole: they must give the same bits.
    let small = plan.whole_work() <= bounds.small;
    let (weights, sums, exponent, always_fits, reach) = if plan.is_exact_float() {
        let exact = exact::prepare(context, plan, &source, &weights, small)?;
        (exact.weights, exact.sums, exact.exponent, true, 0)
    } else {
        let reach = reach::reach(context, plan, &source, &weights)?;
        let sums = Sums::choose(plan, reach, &context.caps, &context.id)?;
        (weights, sums, 0, plan.always_fits(reach), reach)
    };

    let (mut choice, mut chosen) = choice::choose(context, plan, sums, &kernel, &weights, (reach, plan.fits(reach)))?;
    let demand = |choice: &Choice, sums: Sums| Demand {
        context,
        plan,
        sums,
        direct: sums.is_result(plan.out_dtype.real(), always_fits),
        bank: !small && sums.is_tiled() && use_bank(plan.kernels.len() * plan.kernel_parts()),
        to_host,
        indirect: !matches!(choice, Choice::Direct),
        least_scratch: choice.least_scratch(sums),
        most: bounds.block.min(context.max_block()),
    };
    let room = match bounds.memory {
        None => demand(&choice, chosen).unlimited(),
        Some(limit) => {
            let mut room = demand(&choice, chosen).within(limit);
            if room.is_err() && plan.algorithm == Algorithm::Auto && !matches!(choice, Choice::Direct) {
                (choice, chosen) = (Choice::Direct, sums);
                room = demand(&choice, chosen).within(limit);
            }
            // A result that leaves too little for the work comes to the host as it is made.
            let too_large = room.is_err() || demand(&choice, chosen).is_too_large_to_keep(limit);
            if !to_host && too_large && plan.outputs() == plan.shape.iter().product::<usize>() {
                let mut vec = HostVec::zeros(plan.out_dtype, plan.outputs())?;
                let target = Target::Host(vec.view_mut(&plan.shape));
                run_limited(context, plan, image, &Input::Host(kernel), target, control, bounds)?;
                return Ok(Some(Storage::Host(Arc::new(vec))));
            }
            room?
        }
    };
    let (sums, bank) = (chosen, demand(&choice, chosen).bank);
    let caps = Caps { region: choice.region(room.scratch, sums), ..room.caps };
    let (source, whole, list) = match source {
        Images::Host(view) => (Images::Host(view), false, chunks(plan, caps, false, !to_host)),
        Images::Device(buffer) => {
            // Whole images if they fit a block or lie in one; else boxes of them, if they lie in one piece; else they come to
            // the host.
            let there = buffer.segments().len() == 1;
            let around = Caps { image: if there { MOST_ELEMENTS / plan.image_dtype.parts() as u64 } else { caps.image }, ..caps };
            let (wholes, parts) = (chunks(plan, around, true, !to_host), chunks(plan, caps, false, !to_host));
            let image_len = (plan.groups * plan.channels * plan.image.iter().product::<usize>()) as u64;
            if wholes.iter().all(|chunk| chunk.images.len() as u64 * image_len <= around.image) {
                (Images::Device(buffer), true, wholes)
            } else if parts.iter().all(|chunk| contiguous(plan, &chunk.images, &axes(plan, chunk, false)).is_some()) {
                (Images::Device(buffer), false, parts)
            } else {
                (Images::Host(image.host(&mut moved)?), false, parts)
            }
        }
    };

    let flag = context.block(4)?;
    context.clear(&flag, 4)?;
    let mut work = Work {
        context,
        plan,
        control,
        source,
        whole,
        weights,
        sums,
        exponent,
        choice: Arc::new(choice),
        bank: bank && fours(plan, &list),
        places: room.places,
        scratch: room.scratch,
        small,
        // Tiles have outputs and taps side by side, words one channel.
        form: match sums.is_tiled() {
            _ if small => Form::Simple,
            true if plan.stride[1..] != [1; 2] || plan.dilation[1..] != [1; 2] => Form::General,
            false if !plan.is_plain() => Form::Simple,
            _ => Form::Tiled,
        },
        direct: sums.is_result(plan.out_dtype.real(), always_fits),
        flag,
        images: None,
        kernels: None,
    };
    let result = work.deliver(&list, target)?;
    if plan.is_integer()
        && !always_fits
        && plan.overflow == Overflow::Error
        && context.read_small(&work.flag, 4)?.iter().any(|&byte| byte != 0)
    {
        return Err(Error::Overflow { op: plan.name(), out_dtype: plan.out_dtype });
    }
    Ok(result)
}

/// Where the images are.
enum Images<'a> {
    Host(View<'a>),
    Device(&'a GpuBuffer),
}

/// Whether groups of four kernels waste less than they save.
fn use_bank(kernels: usize) -> bool {
    3 * kernels.next_multiple_of(4) <= 4 * kernels
}

/// Whether every four kernels from a chunk's first on read the same channels.
fn fours(plan: &ConvolvePlan, chunks: &[Chunk]) -> bool {
    let four = |kernels: usize| kernels.is_multiple_of(4);
    plan.groups == 1 || (four(plan.group_kernels()) && chunks.iter().all(|chunk| four(chunk.kernels.start * plan.kernel_parts())))
}

/// What a chunk reads along each axis; axes as a whole if wanted.
fn axes(plan: &ConvolvePlan, chunk: &Chunk, whole: bool) -> [Axis; 3] {
    [0, 1, 2].map(|axis| Axis::new(plan, axis, &chunk.region[axis], whole))
}

/// Bytes of the images of a chunk.
fn image_bytes(plan: &ConvolvePlan, chunk: &Chunk, axes: &[Axis; 3]) -> u64 {
    let planes = plan.groups * plan.channels;
    (chunk.images.len() * planes * axes.iter().map(|axis| axis.length).product::<usize>() * plan.image_dtype.size()) as u64
}

/// Brings the images of a chunk to a block.
fn upload(
    context: &Context,
    plan: &ConvolvePlan,
    image: &View<'_>,
    (chunk, axes): (&Chunk, &[Axis; 3]),
    block: &Block,
    control: &Control,
) -> Result<()> {
    let planes = plan.groups * plan.channels;
    let lead = plan.image_lead.len() + usize::from(plan.has_channels);
    let (images, size) = (chunk.images.start * planes..chunk.images.end * planes, plan.image_dtype.size());
    let boxes = Boxes { image, lead, images, axes, size };
    context.upload(block, image_bytes(plan, chunk, axes), control, &mut |range, out| boxes.fill(range, out))
}

/// A plan on its way through the device.
struct Work<'a> {
    context: &'a Arc<Context>,
    plan: &'a ConvolvePlan,
    control: &'a Control,
    source: Images<'a>,
    /// Whether the images' block holds whole images.
    whole: bool,
    weights: Weights,
    sums: Sums,
    /// The exponent of bit 0 of exact float sums.
    exponent: i32,
    choice: Arc<Choice>,
    bank: bool,
    /// Chunks on their way at a time.
    places: usize,
    /// Bytes of each block of an algorithm's own.
    scratch: u64,
    form: Form,
    /// Whether the shaders serve every dtype.
    small: bool,
    /// Whether the sums are the result as they are.
    direct: bool,
    /// Set by the device where a result does not fit its dtype.
    flag: Block,
    /// The images in the device's memory now: which, and what of them.
    images: Option<(Range<usize>, [Axis; 3], Gathered)>,
    /// The kernels in the device's memory now, and where their fill values are.
    kernels: Option<(Range<usize>, Block, u32)>,
}

impl Work<'_> {
    /// The images of a chunk on the device.
    fn images(&mut self, chunk: &Chunk, axes: &[Axis; 3]) -> Result<Gathered> {
        if let Some((images, at, gathered)) = &self.images
            && *images == chunk.images
            && at == axes
        {
            return Ok(gathered.clone());
        }
        // The block before it goes back to the pool first.
        self.images = None;
        let size = self.plan.image_dtype.size();
        let gathered = match &self.source {
            Images::Device(buffer) => {
                let elements = contiguous(self.plan, &chunk.images, axes).unwrap_or(0..0);
                let bytes = (elements.start * size) as u64..(elements.end * size) as u64;
                match buffer.locate(&bytes) {
                    Some(there) => there,
                    None => buffer.gather(bytes)?,
                }
            }
            Images::Host(image) => {
                let block = self.context.block(image_bytes(self.plan, chunk, axes))?;
                upload(self.context, self.plan, image, (chunk, axes), &block, self.control)?;
                Gathered { block, offset: 0 }
            }
        };
        self.images = Some((chunk.images.clone(), axes.clone(), gathered.clone()));
        Ok(gathered)
    }

    /// The kernels of a chunk on the device.
    fn kernels(&mut self, chunk: &Chunk) -> Result<(Block, u32)> {
        if let Some((kernels, block, fill_at)) = &self.kernels
            && *kernels == chunk.kernels
        {
            return Ok((block.clone(), *fill_at));
        }
        self.kernels = None;
        let first = self.plan.kernels.start;
        let parts = self.plan.kernel_parts();
        let range = (chunk.kernels.start - first) * parts..(chunk.kernels.end - first) * parts;
        let (bytes, fill_at) = self.weights.pack(self.plan, range, self.sums, self.bank);
        let block = self.context.block(bytes.len() as u64)?;
        self.context.upload(&block, bytes.len() as u64, self.control, &mut |range, out| {
            out.copy_from_slice(&bytes[range.start as usize..range.end as usize]);
        })?;
        self.kernels = Some((chunk.kernels.clone(), block.clone(), fill_at));
        Ok((block, fill_at))
    }

    fn program(&self) -> Program {
        let Self { plan, sums, bank, form, small, .. } = *self;
        let (image, kernel_signed) = (plan.image_dtype.real(), plan.kernel_dtype.is_signed_integer());
        Program { sums, image, kernel_signed, bank, form, parts: plan.parts(), any: small }
    }

    fn pipeline(&self, tuning: &Tuning) -> Result<Arc<Pipeline>> {
        let program = self.program();
        self.context.pipeline(&Shader {
            label: program.label(),
            source: &|| shader::source(program),
            variant: &program.variant(),
            constants: &tuning.constants(self.form, self.sums.is_tiled()),
            workgroup: [tuning.workgroup[0], tuning.workgroup[1], 1],
            workgroup_bytes: tuning.bytes,
            slots: &[Slot::Read, Slot::Read, Slot::ReadWrite, Slot::Uniform],
        })
    }

    fn finish_pipeline(&self) -> Result<Arc<Pipeline>> {
        let out = Some((self.plan.out_dtype.real(), self.plan.overflow)).filter(|_| !self.small);
        finish_pipeline(self.context, self.sums, out)
    }

    /// Makes the sums of a chunk in `raw`, and from them the results in `result` (unless they are the results already).
    fn compute(&mut self, chunk: &Chunk, raw: &Block, result: &Block) -> Result<()> {
        if self.indirect(chunk, raw)? {
            return self.finish(chunk, raw, result);
        }
        let (context, plan, control) = (self.context, self.plan, self.control);
        let axes = axes(plan, chunk, self.whole);
        let images = self.images(chunk, &axes)?;
        let (kernels, fill_at) = self.kernels(chunk)?;
        let [out_z, out_y, out_x] = chunk.region.each_ref().map(Range::len);
        let kernels_of = chunk.kernels.len() * plan.kernel_parts();
        let real = (chunk.kernels.start * plan.kernel_parts(), kernels_of);
        let tuning = Tuning::of_form(&context.limits, (plan, self.form, self.sums), self.bank, real, [out_x, out_y]);
        let tuning = tuning.ok_or_else(|| {
            let message = format!("{} bytes of workgroup memory are too few", context.limits.workgroup_memory);
            context.failure("planning a convolution", message)
        })?;
        let pipeline = self.pipeline(&tuning)?;
        let finish_pipeline = if self.direct { None } else { Some(self.finish_pipeline()?) };

        let align = u64::from(context.limits.offset_alignment);
        let from = images.offset - images.offset % align;
        let kernel_groups = if self.bank { kernels_of.div_ceil(4 * tuning.sets as usize) } else { kernels_of };
        let slabs = plan.sum_channels() * plan.kernel[0];
        let [stride_z, stride_y, stride_x] = plan.stride.map(|n| n as u32);
        let [dilation_z, dilation_y, dilation_x] = plan.dilation.map(|n| n as u32);
        let [tiles_x, tiles_y] = [out_x.div_ceil(tuning.outputs[0] as usize), out_y.div_ceil(tuning.outputs[1] as usize)];
        let [taps_z, taps_y, taps_x] = plan.kernel.map(|k| k as u32);
        let base = Params {
            out_x: out_x as u32,
            out_y: out_y as u32,
            out_z: out_z as u32,
            kernels: kernels_of as u32,
            kernel_groups: kernel_groups as u32,
            tiles_x: tiles_x as u32,
            tiles_y: tiles_y as u32,
            image_x: axes[2].length as u32,
            image_y: axes[1].length as u32,
            image_z: axes[0].length as u32,
            image_first: ((images.offset - from) / plan.image_dtype.real().size() as u64) as u32,
            start_x: axes[2].start,
            start_y: axes[1].start,
            start_z: axes[0].start,
            fill_at,
            boundary_x: axes[2].boundary,
            boundary_y: axes[1].boundary,
            boundary_z: axes[0].boundary,
            row_weights: if self.sums.is_tiled() && !self.bank { taps_x.div_ceil(4) } else { taps_x },
            taps_x,
            taps_y,
            taps_z,
            pitch: tuning.pitch,
            block_x: tuning.block[0],
            block_y: tuning.block[1],
            blocks_x: tuning.blocks[0],
            blocks_y: tuning.blocks[1],
            stride_x,
            stride_y,
            stride_z,
            dilation_x,
            dilation_y,
            dilation_z,
            unit_x: tuning.unit[0],
            unit_y: tuning.unit[1],
            slabs: slabs as u32,
            channels: plan.channels as u32,
            planes: (plan.groups * plan.channels) as u32,
            image_parts: plan.image_dtype.parts() as u32,
            channel_parts: plan.channel_parts() as u32,
            kernel_first: chunk.kernels.start as u32,
            group_kernels: (plan.kernel_count() / plan.groups) as u32,
            kernel_parts: plan.kernel_parts() as u32,
            dtype: plan.image_dtype.real() as u32,
            kind: self.program().kind(),
            ..Params::default()
        };
        let blocks = tuning.all_blocks(slabs);
        let per_dispatch = u64::from(tuning.blocks_per_dispatch);
        let total = (tiles_x * tiles_y * out_z * kernel_groups * chunk.images.len() * plan.image_parts()) as u64;
        let taps = slabs * plan.kernel[1] * plan.kernel[2];
        let multiply_adds = self.numbers(chunk).saturating_mul(taps as u64);
        let finish_now = self.numbers(chunk) <= FINISH_AT_ONCE;

        let key = format!("convolve {} {} {:?} {}", self.sums.name(), self.bank, self.form, taps.ilog2());
        context.sliced(&key, total, 1, multiply_adds / total, control, &mut |groups| {
            let slices = (0..blocks).step_by(per_dispatch as usize).map(|first| Params {
                group_first: groups.start as u32,
                group_end: groups.end as u32,
                block_first: first as u32,
                block_end: blocks.min(first + per_dispatch) as u32,
                fresh: u32::from(first == 0),
                ..base
            });
            let slices: Vec<Params> = slices.collect();
            let binds: Vec<[Bind<'_>; 4]> = (slices.iter())
                .map(|params| {
                    let image = Bind::Part(&images.block, from..images.block.size());
                    [image, Bind::Block(&kernels), Bind::Block(raw), Bind::Uniform(bytemuck::bytes_of(params))]
                })
                .collect();
            let grid = fold(groups.end - groups.start, &context.limits);
            let dispatch = |binds| Dispatch { pipeline: &pipeline, binds, groups: grid };
            let mut dispatches: Vec<Dispatch<'_>> = binds.iter().map(|binds| dispatch(&binds[..])).collect();
            let (params, finish_grid) = self.finish_params(chunk, 0..u64::MAX);
            let finish_binds = self.finish_binds(raw, result, &params);
            if let (Some(pipeline), true, true) = (&finish_pipeline, finish_now, groups.end == total) {
                dispatches.push(Dispatch { pipeline, binds: &finish_binds, groups: finish_grid });
            }
            context.submit(&dispatches)
        })?;
        control.advance(multiply_adds % total);
        if finish_now { Ok(()) } else { self.finish(chunk, raw, result) }
    }

    /// Makes the results of a chunk from its sums, unless they are the results already.
    fn finish(&self, chunk: &Chunk, raw: &Block, result: &Block) -> Result<()> {
        if self.direct {
            return Ok(());
        }
        let (context, plan) = (self.context, self.plan);
        let pipeline = &*self.finish_pipeline()?;
        let words = self.finish_words(chunk);
        let key = format!("convolve_finish {} {}", self.sums.name(), plan.out_dtype);
        context.sliced(&key, words.div_ceil(FINISH_GROUP), 1, 0, self.control, &mut |groups| {
            let (params, grid) = self.finish_params(chunk, groups);
            context.submit(&[Dispatch { pipeline, binds: &self.finish_binds(raw, result, &params), groups: grid }])
        })
    }

    /// Real numbers of a chunk's result.
    fn numbers(&self, chunk: &Chunk) -> u64 {
        chunk.outputs() * self.plan.out_dtype.parts() as u64
    }

    /// Invocations of `convolve_finish.wgsl` for a chunk.
    fn finish_words(&self, chunk: &Chunk) -> u64 {
        self.numbers(chunk).div_ceil((4 / self.plan.out_dtype.real().size() as u64).max(1))
    }

    fn finish_params(&self, chunk: &Chunk, groups: Range<u64>) -> (FinishParams, [u32; 3]) {
        let words = self.finish_words(chunk);
        let (first, end) = (groups.start * FINISH_GROUP, words.min(groups.end.saturating_mul(FINISH_GROUP)));
        let (count, exponent) = (self.numbers(chunk) as u32, self.exponent);
        let kind = FinishParams::new(self.sums, self.plan.out_dtype.real(), self.plan.overflow);
        let params = FinishParams { first: first as u32, end: end as u32, count, exponent, ..kind };
        (params, fold((end - first).div_ceil(FINISH_GROUP), &self.context.limits))
    }

    fn finish_binds<'b>(&'b self, raw: &'b Block, result: &'b Block, params: &'b FinishParams) -> [Bind<'b>; 4] {
        [Bind::Block(raw), Bind::Block(result), Bind::Block(&self.flag), Bind::Uniform(bytemuck::bytes_of(params))]
    }
}

/// The shader that turns sums into results of a dtype, or of any.
pub(super) fn finish_pipeline(context: &Context, sums: Sums, out: Option<(Dtype, Overflow)>) -> Result<Arc<Pipeline>> {
    context.pipeline(&Shader {
        label: "convolve_finish",
        source: &|| shader::finish_source(sums, out),
        variant: &shader::finish_variant(sums, out),
        constants: &[],
        workgroup: [FINISH_GROUP as u32, 1, 1],
        workgroup_bytes: 0,
        slots: &[Slot::Read, Slot::ReadWrite, Slot::ReadWrite, Slot::Uniform],
    })
}
