//! Separable filters on the GPU: a dispatch of `separable.wgsl` per pass, through pooled blocks of sums.
//!
//! The first pass reads the elements as they are, later ones sums in binary32 or binary64, and `convolve_finish.wgsl` rounds
//! the last ones to the dtype of the result if that is another. Several terms are put together by `separable_combine.wgsl`.
//! What does not fit the device's buffers is cut and comes back to the host part by part.
//!
//! **Numerics.** Sums are made weight by weight with `fma`, which a driver may or may not fuse: the bound of
//! [`SeparablePlan::roundings`], doubled where it does not.

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::convolve::finish_pipeline;
use super::convolve::shader::{FinishParams, Sums};
use super::dispatch::{Bind, Dispatch, fold};
use super::memory::{Block, Gathered, GpuBuffer};
use super::pipeline::{Pipeline, Shader, Slot};
use super::shaders::{Variant, join, layout};
use crate::array::{HostVec, Storage};
use crate::engine::{Input, Target};
use crate::plan::{Boundary, Combine, Overflow, Pass, SeparablePart, SeparablePlan};
use crate::view::ViewMut;
use crate::{Control, Dtype, Error, Result};

const PASS: &str = include_str!("../../shaders/separable.wgsl");
const COMBINE: &str = include_str!("../../shaders/separable_combine.wgsl");
const BOUNDARY: &str = include_str!("../../shaders/parts/boundary.wgsl");
const WORDS: &str = include_str!("../../shaders/parts/convolve_words.wgsl");
const ANY: &str = include_str!("../../shaders/parts/separable_any.wgsl");

/// Multiply-adds of a plan up to which it takes the shader that serves every dtype and direction.
const SMALL: u64 = 4 << 20;

/// Elements behind an axis from which on an invocation makes outputs one behind the other.
const DOWN_FROM: usize = 32;
/// Outputs of an invocation then, and of a workgroup otherwise.
const BEHIND: usize = 8;
const BESIDE: usize = 256;
/// Invocations of a workgroup: of passes, and of what goes element by element.
const GROUP: u64 = 64;
const FLAT_GROUP: u64 = 128;
/// Weights of one dispatch: some drivers stop silently after 65,535 rounds of a loop.
const WEIGHTS: usize = 16 << 10;
/// Elements of a block: the shader counts in 32 bits, and doubles lengths.
const MOST_ELEMENTS: u64 = (1 << 29) - 1;

/// The uniforms of `separable.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, Pod, Zeroable)]
struct Params {
    length: u32,
    outputs: u32,
    inner: u32,
    outer: u32,
    first: u32,
    start: i32,
    boundary: u32,
    fill_at: u32,
    tap_first: u32,
    tap_end: u32,
    fresh: u32,
    blocks: u32,
    group_first: u32,
    group_end: u32,
    dtype: u32,
    down: u32,
}

/// The uniforms of `separable_combine.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, Pod, Zeroable)]
struct CombineParams {
    first: u32,
    end: u32,
    square: u32,
    root: u32,
    fresh: u32,
    unused_a: u32,
    unused_b: u32,
    unused_c: u32,
}

/// Runs a plan.
pub(super) fn run(
    context: &Arc<Context>,
    plan: &SeparablePlan,
    input: &Input<'_>,
    target: Target<'_>,
    control: &Control,
) -> Result<Option<Storage>> {
    run_limited(context, plan, input, target, control, Bounds { block: u64::MAX, small: plan.work() <= SMALL })
}

/// Where a plan is cut, and whether the whole is small.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// Bytes of a block at most.
    block: u64,
    small: bool,
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
    let most = bounds.block.min(context.max_block());
    if largest(plan, double) > most.min(MOST_ELEMENTS * if double { 8 } else { 4 })
        && let Some(parts) = plan.split(&[1.0, 1.0])
    {
        return in_parts(context, plan, parts, input, target, control, bounds);
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

/// Bytes of the largest block that a plan needs.
fn largest(plan: &SeparablePlan, double: bool) -> u64 {
    let mut largest = plan.input.iter().product::<usize>() as u64 * plan.in_dtype.size() as u64;
    let mut shape = plan.input.clone();
    for pass in &plan.terms[0] {
        shape[pass.axis] = pass.output;
        largest = largest.max(shape.iter().product::<usize>() as u64 * if double { 8 } else { 4 });
    }
    largest.max(plan.outputs() as u64 * plan.out_dtype.size() as u64)
}

/// Runs the parts of a plan one after the other, through the host.
fn in_parts(
    context: &Arc<Context>,
    plan: &SeparablePlan,
    parts: Vec<Option<SeparablePart>>,
    input: &Input<'_>,
    target: Target<'_>,
    control: &Control,
    bounds: Bounds,
) -> Result<Option<Storage>> {
    let mut scratch = None;
    let view = input.host(&mut scratch)?;
    let run = |mut out: ViewMut<'_>| -> Result<()> {
        for SeparablePart { plan, axis, input, output } in parts.into_iter().flatten() {
            let view = Input::Host(view.clone().narrow(axis, input));
            run_limited(context, &plan, &view, Target::Host(out.reborrow().narrow(axis, output)), control, bounds)?;
        }
        Ok(())
    };
    match target {
        Target::Host(out) => run(out).map(|()| None),
        Target::Device(_) => {
            let mut vec = HostVec::zeros(plan.out_dtype, plan.outputs())?;
            run(vec.view_mut(&plan.shape))?;
            Ok(Some(Storage::Gpu(context.upload_view(&vec.view(&plan.shape), control)?)))
        }
    }
}

/// The text of the shader of a pass over elements of this dtype; `down`: in that direction, or in any over any dtype (then
/// `image` says only whether it is float64).
fn source(double: bool, image: Dtype, down: Option<bool>) -> String {
    let header = match down {
        Some(down) => {
            let known = format!("const IMAGE: u32 = {}u;\nconst DOWN: bool = {down};\n", image as u8);
            known + "const INTEGER: bool = false;\nfn begin() {}\n"
        }
        None => join(&["const INTEGER: bool = false;", ANY]),
    };
    let doubles = include_str!("../../shaders/parts/convolve_f64.wgsl");
    match (double, image) {
        (false, _) => join(&[&header, BOUNDARY, WORDS, include_str!("../../shaders/parts/convolve_f32.wgsl"), PASS]),
        (true, Dtype::F64) => {
            join(&[&header, BOUNDARY, doubles, include_str!("../../shaders/parts/convolve_f64_doubles.wgsl"), PASS])
        }
        (true, _) => {
            join(&[&header, BOUNDARY, WORDS, doubles, include_str!("../../shaders/parts/convolve_f64_words.wgsl"), PASS])
        }
    }
}

fn combine_source(double: bool) -> String {
    join(&[if double { "alias T = f64;" } else { "alias T = f32;" }, COMBINE])
}

/// A plan on its way through the device.
struct Work<'a> {
    context: &'a Arc<Context>,
    plan: &'a SeparablePlan,
    control: &'a Control,
    double: bool,
    /// Whether the shaders serve every dtype.
    small: bool,
}

impl Work<'_> {
    fn size(&self) -> u64 {
        if self.double { 8 } else { 4 }
    }

    fn sums(&self, elements: usize) -> Result<Block> {
        self.context.block(elements as u64 * self.size())
    }

    /// Makes the result.
    fn compute(&self, source: Gathered, result: &Block) -> Result<()> {
        let plan = self.plan;
        let outputs = plan.outputs();
        let direct = plan.out_dtype == if self.double { Dtype::F64 } else { Dtype::F32 };
        let sums = if direct { result.clone() } else { self.sums(outputs)? };
        if plan.terms.len() == 1 && plan.combine == Combine::Sum {
            self.term(&plan.terms[0], source, &sums)?;
        } else {
            let term = self.sums(outputs)?;
            for (index, passes) in plan.terms.iter().enumerate() {
                self.term(passes, source.clone(), &term)?;
                self.combine(&term, &sums, index)?;
            }
        }
        if direct { Ok(()) } else { self.finish(&sums, result) }
    }

    /// The passes of a term, the last one into `result`.
    fn term(&self, passes: &[Pass], source: Gathered, result: &Block) -> Result<()> {
        let mut shape = self.plan.input.clone();
        let sums_dtype = if self.double { Dtype::F64 } else { Dtype::F32 };
        let (mut from, mut dtype) = (source, self.plan.in_dtype);
        let needed: Vec<&Pass> = passes.iter().filter(|pass| !pass.is_identity(self.plan.input[pass.axis])).collect();
        let passes = if needed.is_empty() { vec![&passes[0]] } else { needed };
        for (index, pass) in passes.iter().enumerate() {
            let mut after = shape.clone();
            after[pass.axis] = pass.output;
            let to = if index + 1 == passes.len() { result.clone() } else { self.sums(after.iter().product())? };
            self.pass(pass, &shape, &from, dtype, &to)?;
            (from, dtype, shape) = (Gathered { block: to, offset: 0 }, sums_dtype, after);
        }
        Ok(())
    }

    fn pipeline(&self, image: Dtype, down: bool) -> Result<Arc<Pipeline>> {
        let variant = match self.small {
            true => format!("{} any {}", self.double, image == Dtype::F64),
            false => format!("{} {image} {down}", self.double),
        };
        self.context.pipeline(&Shader {
            label: "separable",
            source: &|| source(self.double, image, Some(down).filter(|_| !self.small)),
            variant: &variant,
            constants: &[],
            workgroup: [GROUP as u32, 1, 1],
            workgroup_bytes: 0,
            slots: &[Slot::Read, Slot::Read, Slot::ReadWrite, Slot::Uniform],
        })
    }

    /// The weights in whole vectors, and a vector of the value outside.
    fn weights(&self, pass: &Pass) -> Result<Block> {
        let mut values = pass.weights.clone();
        values.resize(values.len().next_multiple_of(4), 0.0);
        values.extend([pass.boundary.fill(), 0.0, 0.0, 0.0]);
        let bytes: Vec<u8> = match self.double {
            true => bytemuck::cast_slice(&values).to_vec(),
            false => bytemuck::cast_slice(&values.iter().map(|&w| w as f32).collect::<Vec<_>>()).to_vec(),
        };
        let block = self.context.block(bytes.len() as u64)?;
        self.context.upload(&block, bytes.len() as u64, self.control, &mut |range, out| {
            out.copy_from_slice(&bytes[range.start as usize..range.end as usize]);
        })?;
        Ok(block)
    }

    fn pass(&self, pass: &Pass, shape: &[usize], from: &Gathered, dtype: Dtype, to: &Block) -> Result<()> {
        let context = self.context;
        let inner: usize = shape[pass.axis + 1..].iter().product();
        let outer: usize = shape[..pass.axis].iter().product();
        let down = inner >= DOWN_FROM;
        let pipeline = self.pipeline(dtype, down)?;
        let weights = self.weights(pass)?;
        let align = u64::from(context.limits.offset_alignment);
        let offset = from.offset - from.offset % align;
        let blocks = if down { pass.output.div_ceil(BEHIND) } else { (pass.output * inner).div_ceil(BESIDE) };
        let units = outer as u64 * blocks as u64;
        let total = if down { (units * inner as u64).div_ceil(GROUP) } else { units };
        let taps = pass.weights.len();
        let start = i32::try_from(pass.start).ok().filter(|start| start.unsigned_abs() < 1 << 30);
        let (Some(start), true) = (start, taps < 1 << 30) else {
            return Err(Error::invalid("weights", taps, "fewer than 2^30, around the outputs"));
        };
        let base = Params {
            length: shape[pass.axis] as u32,
            outputs: pass.output as u32,
            inner: inner as u32,
            outer: outer as u32,
            first: ((from.offset - offset) / dtype.size() as u64) as u32,
            start,
            boundary: match pass.boundary {
                Boundary::Constant(_) | Boundary::ConstantComplex(..) => 0,
                Boundary::Reflect => 1,
                Boundary::Nearest => 2,
                Boundary::Mirror => 3,
                Boundary::Wrap => 4,
            },
            fill_at: taps.div_ceil(4) as u32,
            blocks: blocks as u32,
            dtype: dtype as u32,
            down: down.into(),
            ..Params::default()
        };
        let work = (outer * pass.output * inner) as u64 * taps as u64;
        let key = format!("separable {} {down} {}", self.double, taps.ilog2());
        context.sliced(&key, total, 1, work / total, self.control, &mut |groups| {
            let slices: Vec<Params> = (0..taps)
                .step_by(WEIGHTS)
                .map(|first| Params {
                    tap_first: first as u32,
                    tap_end: taps.min(first + WEIGHTS) as u32,
                    fresh: u32::from(first == 0),
                    group_first: groups.start as u32,
                    group_end: groups.end as u32,
                    ..base
                })
                .collect();
            let bind = |params| {
                let image = Bind::Part(&from.block, offset..from.block.size());
                [image, Bind::Block(&weights), Bind::Block(to), Bind::Uniform(bytemuck::bytes_of(params))]
            };
            let binds: Vec<[Bind<'_>; 4]> = slices.iter().map(bind).collect();
            let grid = fold(groups.end - groups.start, &context.limits);
            let dispatch = |binds| Dispatch { pipeline: &pipeline, binds, groups: grid };
            context.submit(&binds.iter().map(|binds| dispatch(&binds[..])).collect::<Vec<_>>())
        })?;
        self.control.advance(work % total);
        Ok(())
    }

    /// Runs what goes element by element, or word by word.
    fn flat(
        &self,
        key: &str,
        count: u64,
        run: &dyn Fn(Range<u64>, [u32; 3]) -> Result<super::dispatch::Submission>,
    ) -> Result<()> {
        self.context.sliced(key, count.div_ceil(FLAT_GROUP), 1, 0, self.control, &mut |groups| {
            let range = groups.start * FLAT_GROUP..count.min(groups.end * FLAT_GROUP);
            run(range, fold(groups.end - groups.start, &self.context.limits))
        })
    }

    /// Takes term `index` into the total.
    fn combine(&self, term: &Block, total: &Block, index: usize) -> Result<()> {
        let pipeline = self.context.pipeline(&Shader {
            label: "separable_combine",
            source: &|| combine_source(self.double),
            variant: if self.double { "f64" } else { "f32" },
            constants: &[],
            workgroup: [FLAT_GROUP as u32, 1, 1],
            workgroup_bytes: 0,
            slots: &[Slot::Read, Slot::ReadWrite, Slot::Uniform],
        })?;
        let magnitude = self.plan.combine == Combine::Magnitude;
        self.flat("separable_combine", self.plan.outputs() as u64, &|range, groups| {
            let params = CombineParams {
                first: range.start as u32,
                end: range.end as u32,
                square: u32::from(magnitude),
                root: u32::from(magnitude && index + 1 == self.plan.terms.len()),
                fresh: u32::from(index == 0),
                ..CombineParams::default()
            };
            let binds = [Bind::Block(term), Bind::Block(total), Bind::Uniform(bytemuck::bytes_of(&params))];
            self.context.submit(&[Dispatch { pipeline: &pipeline, binds: &binds, groups }])
        })
    }

    /// Rounds the sums to the result's dtype.
    fn finish(&self, sums: &Block, result: &Block) -> Result<()> {
        let kind = if self.double { Sums::F64 } else { Sums::F32 };
        let out = self.plan.out_dtype;
        let pipeline = finish_pipeline(self.context, kind, Some((out, Overflow::Saturate)).filter(|_| !self.small))?;
        let flag = self.context.block(4)?;
        let count = self.plan.outputs() as u64;
        let words = count.div_ceil((4 / out.size() as u64).max(1));
        self.flat(&format!("convolve_finish {} {out}", kind.name()), words, &|range, groups| {
            let known = FinishParams::new(kind, out, Overflow::Saturate);
            let params = FinishParams { first: range.start as u32, end: range.end as u32, count: count as u32, ..known };
            let uniform = Bind::Uniform(bytemuck::bytes_of(&params));
            let binds = [Bind::Block(sums), Bind::Block(result), Bind::Block(&flag), uniform];
            self.context.submit(&[Dispatch { pipeline: &pipeline, binds: &binds, groups }])
        })
    }
}

/// Every shader of separable filters.
pub(super) fn variants() -> Vec<Variant> {
    let mut variants = vec![];
    for double in [false, true] {
        for image in Dtype::ALL {
            let possible = double || !matches!(image, Dtype::F64 | Dtype::U32 | Dtype::I32 | Dtype::U64 | Dtype::I64);
            for down in [Some(false), Some(true), None].into_iter().filter(|_| possible) {
                let layouts = vec![layout!(Params {
                    length,
                    outputs,
                    inner,
                    outer,
                    first,
                    start,
                    boundary,
                    fill_at,
                    tap_first,
                    tap_end,
                    fresh,
                    blocks,
                    group_first,
                    group_end,
                    dtype,
                    down
                })];
                variants.push(Variant { label: "separable", source: source(double, image, down), layouts });
            }
        }
        let layouts = vec![layout!(CombineParams { first, end, square, root, fresh, unused_a, unused_b, unused_c })];
        variants.push(Variant { label: "separable_combine", source: combine_source(double), layouts });
    }
    variants
}
