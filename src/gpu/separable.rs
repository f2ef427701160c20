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
mod tile;

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
use super::stream::{Stream, in_memory};
use crate::array::{HostVec, Storage};
use crate::engine::{Input, Target};
use crate::plan::{Boundary, Combine, Half, Overflow, Pass, SeparablePlan};
use crate::view::View;
use crate::{Control, Dtype, Error, Result};
use tile::Tiled;

const PASS: &str = include_str!("../../shaders/separable.wgsl");
const COMBINE: &str = include_str!("../../shaders/separable_combine.wgsl");
const BOUNDARY: &str = include_str!("../../shaders/parts/boundary.wgsl");
const WORDS: &str = include_str!("../../shaders/parts/convolve_words.wgsl");
const ANY: &str = include_str!("../../shaders/parts/separable_any.wgsl");

/// Bytes of a block of a part that comes back to the host.
const PIECE: u64 = 64 << 20;
/// Bytes of flags and the like, and what small buffers are rounded up by.
const SUNDRIES: u64 = 8 << 10;
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

/// What fits the device at a time.
#[derive(Debug, Clone, Copy)]
struct Room {
    double: bool,
    /// Bytes of a block, and of everything.
    block: u64,
    all: u64,
    limit: Option<u64>,
}

impl Room {
    fn new(context: &Context, double: bool, through: bool, bounds: Bounds) -> Self {
        let most = bounds.block.min(context.max_block()).min(MOST_ELEMENTS * if double { 8 } else { 4 });
        // Buffers are rounded up by an eighth at most; weights and the like are small.
        let left = |limit: u64| limit.saturating_sub(context.staging_bytes(limit) + SUNDRIES) / 9 * 8;
        // What comes from the host and goes back to it may as well do so piece by piece, all at work at a time.
        let block = if through { most.min(PIECE) } else { most };
        Self { double, block, all: bounds.memory.map_or(u64::MAX, left), limit: bounds.memory }
    }

    /// Whether a plan fits, with inputs and results of so many parts.
    fn holds(&self, plan: &SeparablePlan, places: u64) -> bool {
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
        let all = places * (input + output) + 2 * between + sums + weights;
        largest <= self.block && all <= self.all
    }

    /// A plan in parts that fit, in order.
    fn cut(&self, context: &Context, plan: &SeparablePlan, places: u64, at: Leaf, leaves: &mut Vec<Leaf>) -> Result<()> {
        if self.holds(&at.plan, places) {
            leaves.push(at);
            return Ok(());
        }
        let Some(halves) = at.plan.halves() else {
            let limit = self.limit.unwrap_or(self.block);
            let what = if self.limit.is_some() { "memory limit" } else { "size of a filter" };
            let mut enough = limit.max(SUNDRIES);
            let fits = |limit: u64| {
                let left = limit.saturating_sub(context.staging_bytes(limit) + SUNDRIES) / 9 * 8;
                Self { all: left, block: u64::MAX, ..*self }.holds(&at.plan, 1)
            };
            while !fits(enough) && enough < u64::MAX / 2 {
                enough += enough / 16;
            }
            let expected =
                format!("at least {enough} bytes for the least piece of a filter of {:?} on {}", plan.shape, context.id);
            return Err(Error::invalid(what, format!("{limit} bytes"), expected));
        };
        for Half { plan: part, axis, input, output } in halves {
            let mut leaf = Leaf { plan: part, ..at.clone() };
            leaf.input[axis] = input.into_iter().map(|i| at.input[axis][i]).collect();
            let start = leaf.output[axis].start;
            leaf.output[axis] = start + output.start..start + output.end;
            self.cut(context, plan, places, leaf, leaves)?;
        }
        Ok(())
    }
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
fn in_parts(
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
    if room.cut(context, plan, places, root.clone(), &mut leaves).is_err() {
        (leaves, places) = (vec![], 1);
        room.cut(context, plan, places, root, &mut leaves)?;
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

/// One dispatch or more of a term: from an array of a shape to so many sums.
struct Step<'p> {
    kind: Kind<'p>,
    before: Vec<usize>,
    outputs: usize,
}

enum Kind<'p> {
    /// A pass without tiles.
    Plain(&'p Pass),
    Tiles(Tiled),
}

/// The boundary's number in the shaders.
fn number(boundary: Boundary) -> u32 {
    match boundary {
        Boundary::Constant(_) | Boundary::ConstantComplex(..) => 0,
        Boundary::Reflect => 1,
        Boundary::Nearest => 2,
        Boundary::Mirror => 3,
        Boundary::Wrap => 4,
    }
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
        let alone = plan.terms.len() == 1 && plan.combine == Combine::Sum;
        if alone && !direct && !self.double {
            let steps = self.steps(&plan.terms[0]);
            if let Some(Step { kind: Kind::Tiles(last), .. }) = steps.last()
                && last.packs(plan.out_dtype)
            {
                return self.term(&steps, source, result, Some(plan.out_dtype));
            }
        }
        let sums = if direct { result.clone() } else { self.sums(outputs)? };
        if alone {
            self.term(&self.steps(&plan.terms[0]), source, &sums, None)?;
        } else {
            let term = self.sums(outputs)?;
            for (index, passes) in plan.terms.iter().enumerate() {
                self.term(&self.steps(passes), source.clone(), &term, None)?;
                self.combine(&term, &sums, index)?;
            }
        }
        if direct { Ok(()) } else { self.finish(&sums, result) }
    }

    /// How the passes of a term are made.
    fn steps<'p>(&self, passes: &'p [Pass]) -> Vec<Step<'p>> {
        let mut shape = self.plan.input.clone();
        let needed: Vec<&Pass> = passes.iter().filter(|pass| !pass.is_identity(self.plan.input[pass.axis])).collect();
        let mut rest = if needed.is_empty() { vec![&passes[0]] } else { needed };
        let mut steps = vec![];
        while let Some(&pass) = rest.first() {
            let tiled = match self.small {
                true => None,
                false => Tiled::new(self.context, &shape, &rest, self.double, self.plan.commutes()),
            };
            let (kind, count) = tiled.map_or((Kind::Plain(pass), 1), |(tiled, count)| (Kind::Tiles(tiled), count));
            let before = shape.clone();
            for pass in rest.drain(..count) {
                shape[pass.axis] = pass.output;
            }
            steps.push(Step { kind, before, outputs: shape.iter().product() });
        }
        steps
    }

    /// The steps of a term, the last one into `result`, rounded to a dtype if there is one.
    fn term(&self, steps: &[Step<'_>], source: Gathered, result: &Block, packed: Option<Dtype>) -> Result<()> {
        let sums_dtype = if self.double { Dtype::F64 } else { Dtype::F32 };
        let (mut from, mut dtype) = (source, self.plan.in_dtype);
        for (index, step) in steps.iter().enumerate() {
            let last = index + 1 == steps.len();
            let to = if last { result.clone() } else { self.sums(step.outputs)? };
            match &step.kind {
                Kind::Plain(pass) => self.pass(pass, &step.before, &from, dtype, &to)?,
                Kind::Tiles(tiled) => self.tiles(tiled, &from, dtype, &to, packed.filter(|_| last))?,
            }
            (from, dtype) = (Gathered { block: to, offset: 0 }, sums_dtype);
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
        self.upload_weights(&values)
    }

    /// Numbers in the type of the sums, on the device.
    fn upload_weights(&self, values: &[f64]) -> Result<Block> {
        let bytes: Vec<u8> = match self.double {
            true => bytemuck::cast_slice(values).to_vec(),
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
            boundary: number(pass.boundary),
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
    let mut variants = tile::variants();
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
