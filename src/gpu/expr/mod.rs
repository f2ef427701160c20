//! Expressions on the GPU, computed on the bits of their numbers, in integers, so that the results are those of the CPU.
//!
//! Arrays of the dtype computed in that lie in the device's memory are read where they are; others are converted on the host on their
//! way. Programs of float32 are compiled, once for every pattern of arrays, and their parameters lie in the uniform; those of float64 are
//! tapes that one shader interprets (`tape.rs`). Integrals and nearly all reductions of float32 take what is computed in where it is
//! computed (`sums.rs`, `reduce.rs`); all others reduce chunks of results in the device's memory at once.

mod double;
mod integrate;
mod reduce;
mod source;
mod sums;
mod tape;
#[cfg(test)]
mod tests;
mod user;

use std::ops::Range;
use std::sync::Arc;

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::dispatch::{Bind, Dispatch, fold};
use super::memory::{Block, Gathered, GpuBuffer};
use super::pipeline::{Pipeline, Shader, Slot};
use super::shaders;
use crate::array::{HostVec, Storage};
use crate::engine::{Input, Target};
use crate::expr::scalar::Number;
use crate::plan::{MapPlan, Walk};
use crate::view::{View, ViewMut, contiguous_strides};
use crate::{Control, Dtype, Error, Result};
pub(super) use integrate::sums;
pub(super) use reduce::partials;
use source::{Access, Fate, Places};
use sums::Slots;

/// Invocations of a workgroup.
const GROUP: u64 = 64;
/// Results of a chunk at most.
const CHUNK: usize = 1 << 24;
/// Arrays, axes of broadcast arrays, and numbers in the uniform.
const ARRAYS: usize = 8;
const AXES: usize = 4;
const VALUES: usize = 256;

/// The uniform of all shaders here.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
struct Params {
    keys: [[u32; 4]; 5],
    shape: [u32; 4],
    strides: [[u32; 4]; 8],
    first: [u32; 2],
    count: u32,
    place: u32,
    offsets: [[u32; 4]; 2],
    tape: [u32; 4],
    values: [[u32; 4]; 64],
}

/// Examples of every kind of shader, with every operation.
pub(super) fn variants() -> Vec<shaders::Variant> {
    let text = "where(not a < b and a <= b or a == b, min(a, b) / sqrt(abs(-a)), max(floor(a) + ceil(b), round(a) - trunc(b)))
        * exp(a) + exp2(b) - log(a) * log2(b) + log10(a) / sin(a) ** cos(b) + (a != 1) + a % b";
    let Ok(expression) = crate::Expression::new(text) else { return vec![] };
    let bindings = [crate::expr::lower::Binding::Input(0), crate::expr::lower::Binding::Input(1)];
    let program = crate::expr::lower::Program::new(&expression, &bindings, 2);
    let layouts = || vec![shaders::layout!(Params { keys, shape, strides, first, count, place, offsets, tape, values })];
    let variant = |label, source| shaders::Variant { label, source, layouts: layouts() };
    let mut all = vec![];
    for int64 in [false, true] {
        all.extend(double::variants(int64).map(|(label, source)| variant(label, source)));
        for (label, fate) in [
            ("expr_map", Fate::Written),
            ("expr_map_sum", Fate::Summed { squares: false, magnitudes: true }),
            ("expr_map_sum", Fate::Summed { squares: true, magnitudes: false }),
            ("expr_map_extremes", Fate::Compared { magnitudes: true, arg: true }),
        ] {
            all.push(variant(label, source::map(&program, &[Access::Flat, Access::Strided], fate, int64)));
        }
        for places in [Places::Uniform, Places::Grid, Places::Sobol] {
            all.push(variant("expr_integrate", source::integrate((&program, None), places, 2, 1, int64)));
        }
    }
    all
}

/// The bits of numbers as the uniform holds them.
fn values(context: &Context, numbers: impl Iterator<Item = f32>) -> Result<[[u32; 4]; 64]> {
    let mut values = [[0; 4]; VALUES / 4];
    for (i, number) in numbers.enumerate() {
        let Some(place) = values.get_mut(i / 4) else {
            return Err(unsupported(
                context,
                "an expression",
                format!("room for more than {VALUES} constants, parameters and bounds"),
            ));
        };
        place[i % 4] = number.to_bits();
    }
    Ok(values)
}

fn unsupported(context: &Context, operation: &str, feature: impl Into<String>) -> Error {
    Error::Unsupported { device: context.id.clone(), operation: operation.into(), feature: feature.into() }
}

/// Runs a map.
pub(super) fn run(
    context: &Arc<Context>,
    plan: &MapPlan,
    inputs: &[Input<'_>],
    target: Target<'_>,
    control: &Control,
) -> Result<Option<Storage>> {
    let mut memory = vec![None; inputs.len()];
    let map = Map::new(context, plan, inputs, &mut memory, Fate::Written, None, control)?;
    let chunks = map.chunks();
    match target {
        Target::Host(mut out) if out.is_contiguous() => {
            let (len, first) = (out.len(), plan.range.start);
            // SAFETY: the same elements in the same order, borrowed for as long.
            let flat = unsafe { ViewMut::from_raw_parts(plan.dtype, out.as_mut_ptr(), &[len], &[1]) };
            for range in chunks {
                let bytes = map.size * range.len() as u64;
                let results = context.block(bytes)?;
                map.dispatch(range.clone(), &results)?;
                let buffer = GpuBuffer::new(context.clone(), vec![(results, bytes)]);
                // SAFETY: one window at a time, on memory that is borrowed uniquely.
                let part = unsafe { flat.share() }.narrow(0, first + range.start..first + range.end);
                buffer.download(part)?;
            }
            Ok(None)
        }
        Target::Host(_) if !plan.is_whole() => Err(Error::invalid("memory for a part of a map", "strides", "contiguous memory")),
        target => {
            let (old, host) = match target {
                Target::Host(out) => (None, Some(out)),
                Target::Device(old) => (old, None),
            };
            let mut old = GpuBuffer::reuse(old, context);
            let mut segments = vec![];
            for range in chunks {
                let bytes = map.size * range.len() as u64;
                let reused = old.iter().position(|block| block.size() >= bytes).map(|at| old.swap_remove(at));
                let results = match reused {
                    Some(block) => block,
                    None => context.block(bytes)?,
                };
                map.dispatch(range, &results)?;
                segments.push((results, bytes));
            }
            let buffer = GpuBuffer::new(context.clone(), segments);
            match host {
                Some(out) => buffer.download(out).map(|()| None),
                None => Ok(Some(Storage::Gpu(buffer))),
            }
        }
    }
}

/// An array on its way into the shader.
enum Source<'a> {
    /// On the device: elements follow each other as results do.
    Resident(&'a GpuBuffer),
    /// On the device, all of it, read through strides.
    Whole(Gathered),
    /// On the host: what a chunk reads is converted and uploaded.
    Host(View<'a>),
}

/// A map at work.
struct Map<'a> {
    context: &'a Arc<Context>,
    plan: &'a MapPlan,
    control: &'a Control,
    sources: Vec<Source<'a>>,
    walk: Walk,
    base: Params,
    fate: Fate,
    /// Where results are summed or compared, if they are.
    slots: Option<&'a Slots>,
    /// Bytes of an element computed with.
    size: u64,
    /// The steps of float64.
    tape: Option<Block>,
    pipeline: Arc<Pipeline>,
}

impl<'a> Map<'a> {
    fn new(
        context: &'a Arc<Context>,
        plan: &'a MapPlan,
        inputs: &'a [Input<'_>],
        memory: &'a mut [Option<HostVec>],
        fate: Fate,
        reduced: Option<&'a Slots>,
        control: &'a Control,
    ) -> Result<Self> {
        control.check()?;
        let double = plan.dtype == Dtype::F64;
        let size = plan.dtype.size() as u64;
        let most = ARRAYS.min(context.limits.storage_buffers as usize - if double { 2 } else { 1 });
        if inputs.len() > most {
            return Err(unsupported(context, "an expression", format!("room for more than {most} arrays")));
        }
        let rank = plan.shape.len();
        let whole: usize = plan.shape.iter().product();
        let strides: Vec<Vec<isize>> = inputs
            .iter()
            .zip(&plan.inputs)
            .map(|(input, shape)| match input {
                Input::Host(view) => view.clone().pad_rank(rank).strides().to_vec(),
                Input::Gpu { .. } => contiguous_strides(shape),
            })
            .collect();
        let arrays: Vec<_> = plan.inputs.iter().zip(&strides).map(|(shape, strides)| (&shape[..], &strides[..])).collect();
        let walk = Walk::new(&plan.shape, &arrays);
        let addressable = walk.shape.len() <= AXES && whole < 1 << 31;
        let mut sources = vec![];
        for ((input, shape), memory) in inputs.iter().zip(&plan.inputs).zip(memory) {
            let bytes = size * shape.iter().product::<usize>() as u64;
            sources.push(match input {
                Input::Gpu { buffer, dtype, .. }
                    if *dtype == plan.dtype && buffer.belongs_to(context) && *shape == plan.shape =>
                {
                    Source::Resident(buffer)
                }
                Input::Gpu { buffer, dtype, .. }
                    if *dtype == plan.dtype && buffer.belongs_to(context) && addressable && bytes <= context.max_block() =>
                {
                    Source::Whole(buffer.gather(0..bytes)?)
                }
                // Of another dtype or device: by way of the host.
                input => Source::Host(input.host(memory)?.pad_rank(rank)),
            });
        }
        let access: Vec<Access> = sources
            .iter()
            .map(|source| if matches!(source, Source::Whole(_)) { Access::Strided } else { Access::Flat })
            .collect();
        let mut base = Params::zeroed();
        if addressable {
            let pad = AXES - walk.shape.len();
            base.shape = std::array::from_fn(|axis| axis.checked_sub(pad).map_or(1, |axis| walk.shape[axis] as u32));
            for (to, from) in base.strides.iter_mut().zip(&walk.strides) {
                *to = std::array::from_fn(|axis| axis.checked_sub(pad).map_or(0, |axis| from[axis] as u32));
            }
        }
        let int64 = context.caps.int64;
        let mut slots = vec![Slot::Read; inputs.len() + usize::from(double)];
        slots.extend([Slot::ReadWrite, Slot::Uniform]);
        let (pipeline, tape) = if double {
            let double::Uploaded { steps, tape, constants } = double::map(context, plan)?;
            let flat = access.iter().enumerate().map(|(i, access)| u32::from(*access == Access::Flat) << i).sum();
            base.tape = [steps, flat, 0, 0];
            let shader = Shader {
                label: "expr_tape",
                source: &|| double::map_source(inputs.len(), int64),
                variant: &format!("{} arrays", inputs.len()),
                constants: &constants,
                workgroup: [GROUP as u32, 1, 1],
                workgroup_bytes: 0,
                slots: &slots,
            };
            (context.pipeline(&shader)?, Some(tape))
        } else {
            let uniforms: Vec<f32> = plan.program.uniforms(&plan.expression, &plan.bindings);
            base.values = values(context, uniforms.into_iter())?;
            let shader = Shader {
                label: fate.label(),
                source: &|| source::map(&plan.program, &access, fate, int64),
                variant: &format!("{fate:?} {:?} {access:?}", plan.program.shape()),
                constants: if fate == Fate::Written { &[("SIZE", GROUP as f64)] } else { &[] },
                workgroup: [GROUP as u32, 1, 1],
                workgroup_bytes: reduced.map_or(0, Slots::workgroup_bytes),
                slots: &slots,
            };
            (context.pipeline(&shader)?, None)
        };
        Ok(Self { context, plan, control, sources, walk, base, fate, slots: reduced, size, tape, pipeline })
    }

    /// Ranges of the plan's results that fit a block, or the slots.
    fn chunks(&self) -> Vec<Range<usize>> {
        // Every array, some of them copied, the results, and what reduces them.
        let block = self.context.share(2 * self.sources.len() as u64 + 4) / self.size;
        let most = CHUNK.min(self.slots.map_or(block, |slots| slots.most().min(block)) as usize);
        let len = self.plan.outputs();
        (0..len).step_by(most).map(|start| start..len.min(start + most)).collect()
    }

    /// Computes results `range` of the plan into `results`, or sums them there.
    fn dispatch(&self, range: Range<usize>, results: &Block) -> Result<()> {
        let (context, first) = (self.context, self.plan.range.start);
        let wanted = first + range.start..first + range.end;
        let align = u64::from(context.limits.offset_alignment);
        let mut params = Params { first: [wanted.start as u32, 0], ..self.base };
        let mut parts = vec![];
        for (index, source) in self.sources.iter().enumerate() {
            let gathered = match source {
                Source::Resident(buffer) => buffer.gather(self.size * wanted.start as u64..self.size * wanted.end as u64)?,
                Source::Whole(gathered) => gathered.clone(),
                Source::Host(view) => Gathered { block: self.upload(view, index, wanted.clone())?, offset: 0 },
            };
            let start = gathered.offset - gathered.offset % align;
            params.offsets[index / 4][index % 4] = ((gathered.offset - start) / self.size) as u32;
            parts.push((gathered.block, start));
        }
        let cost = match self.tape {
            Some(_) => u64::from(self.base.tape[0]) * double::STEP_COST,
            None => self.plan.program.cost(),
        };
        let key = format!("{} {} {}", self.fate.label(), self.size, cost.ilog2());
        context.sliced(&key, range.len() as u64, GROUP, cost, self.control, &mut |slice| {
            let mut params = Params { count: (slice.end - slice.start) as u32, place: slice.start as u32, ..params };
            params.first[0] += slice.start as u32;
            for (index, source) in self.sources.iter().enumerate() {
                if !matches!(source, Source::Whole(_)) {
                    params.offsets[index / 4][index % 4] += slice.start as u32;
                }
            }
            let mut binds: Vec<Bind<'_>> = parts.iter().map(|(block, start)| Bind::Part(block, *start..block.size())).collect();
            binds.extend(self.tape.iter().map(Bind::Block));
            binds.extend([Bind::Block(results), Bind::Uniform(bytemuck::bytes_of(&params))]);
            let len = slice.end - slice.start;
            let groups = self.slots.map_or_else(|| fold(len.div_ceil(GROUP), &context.limits), |slots| slots.groups(len));
            context.submit(&[Dispatch { pipeline: &self.pipeline, binds: &binds, groups }])
        })
    }

    /// What results `range` read of an array, one after the other, in the dtype computed in.
    fn upload(&self, view: &View<'_>, index: usize, range: Range<usize>) -> Result<Block> {
        let bytes = self.size * range.len() as u64;
        let block = self.context.block(bytes)?;
        let mut at = range.start;
        self.context.upload(&block, bytes, self.control, &mut |piece, out| {
            let wanted = at..at + ((piece.end - piece.start) / self.size) as usize;
            let (view, walk, wanted_here) = (view, &self.walk, wanted.clone());
            match self.size {
                4 => crate::dtype::with_dtype!(view.dtype(), S => convert::<S, 4>(view, walk, index, wanted_here, out, |x| x.single().to_ne_bytes())),
                _ => crate::dtype::with_dtype!(view.dtype(), S => convert::<S, 8>(view, walk, index, wanted_here, out, |x| x.double().to_ne_bytes())),
            }
            at = wanted.end;
        })?;
        Ok(block)
    }
}

/// Elements as the bytes of another dtype.
fn convert<S: Number, const SIZE: usize>(
    view: &View<'_>,
    walk: &Walk,
    index: usize,
    range: Range<usize>,
    out: &mut [u8],
    bytes: impl Fn(S) -> [u8; SIZE],
) {
    let first = view.as_ptr().cast::<S>();
    let mut rest = out;
    walk.runs(index, range, |offset, stride, count| {
        let (part, after) = std::mem::take(&mut rest).split_at_mut(SIZE * count);
        rest = after;
        let (words, _) = part.as_chunks_mut::<SIZE>();
        for (i, word) in words.iter_mut().enumerate() {
            // SAFETY: the walk stays within the view's shape, whose every element is readable and aligned.
            *word = bytes(unsafe { *first.wrapping_offset(offset + i as isize * stride) });
        }
    });
}

/// Words in the device's memory.
fn uploaded(context: &Arc<Context>, words: &[u32]) -> Result<Block> {
    let bytes: &[u8] = bytemuck::cast_slice(words);
    context.check_fixed(bytes.len() as u64, "the tables of this integral")?;
    let block = context.block(bytes.len() as u64)?;
    context.upload(&block, bytes.len() as u64, &Control::new(), &mut |range, out| {
        out.copy_from_slice(&bytes[range.start as usize..range.end as usize]);
    })?;
    Ok(block)
}
