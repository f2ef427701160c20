//! The dispatches of a filter: passes, what puts terms together, and what rounds the sums.

use std::ops::Range;
use std::sync::Arc;

use bytemuck::{Pod, Zeroable};

use super::tile::{self, Tiled};
use crate::gpu::context::Context;
use crate::gpu::convolve::finish_pipeline;
use crate::gpu::convolve::shader::{FinishParams, Sums};
use crate::gpu::dispatch::{Bind, Dispatch, fold};
use crate::gpu::memory::{Block, Gathered};
use crate::gpu::pipeline::{Pipeline, Shader, Slot};
use crate::gpu::shaders::{Variant, join, layout};
use crate::plan::{Boundary, Combine, Overflow, Pass, SeparablePlan};
use crate::{Control, Dtype, Error, Result};

const PASS: &str = include_str!("../../../shaders/separable.wgsl");
const COMBINE: &str = include_str!("../../../shaders/separable_combine.wgsl");
const BOUNDARY: &str = include_str!("../../../shaders/parts/boundary.wgsl");
pub(super) const WORDS: &str = include_str!("../../../shaders/parts/convolve_words.wgsl");
const ANY: &str = include_str!("../../../shaders/parts/separable_any.wgsl");

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
pub(super) fn number(boundary: Boundary) -> u32 {
    match boundary {
        Boundary::Constant(_) | Boundary::ConstantComplex(..) => 0,
        Boundary::Reflect => 1,
        Boundary::Nearest => 2,
        Boundary::Mirror => 3,
        Boundary::Wrap => 4,
    }
}

/// A plan on its way through the device.
pub(super) struct Work<'a> {
    pub(super) context: &'a Arc<Context>,
    pub(super) plan: &'a SeparablePlan,
    pub(super) control: &'a Control,
    pub(super) double: bool,
    /// Whether the shaders serve every dtype.
    pub(super) small: bool,
}

impl Work<'_> {
    pub(super) fn size(&self) -> u64 {
        if self.double { 8 } else { 4 }
    }

    pub(super) fn sums(&self, elements: usize) -> Result<Block> {
        self.context.block(elements as u64 * self.size())
    }

    /// Makes the result.
    pub(super) fn compute(&self, source: Gathered, result: &Block) -> Result<()> {
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
    pub(super) fn upload_weights(&self, values: &[f64]) -> Result<Block> {
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
    pub(super) fn flat(
        &self,
        key: &str,
        count: u64,
        run: &dyn Fn(Range<u64>, [u32; 3]) -> Result<crate::gpu::dispatch::Submission>,
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
    let doubles = include_str!("../../../shaders/parts/convolve_f64.wgsl");
    match (double, image) {
        (false, _) => join(&[&header, BOUNDARY, WORDS, include_str!("../../../shaders/parts/convolve_f32.wgsl"), PASS]),
        (true, Dtype::F64) => {
            join(&[&header, BOUNDARY, doubles, include_str!("../../../shaders/parts/convolve_f64_doubles.wgsl"), PASS])
        }
        (true, _) => {
            join(&[&header, BOUNDARY, WORDS, doubles, include_str!("../../../shaders/parts/convolve_f64_words.wgsl"), PASS])
        }
    }
}

fn combine_source(double: bool) -> String {
    join(&[if double { "alias T = f64;" } else { "alias T = f32;" }, COMBINE])
}

/// Every shader of separable filters.
pub(in crate::gpu) fn variants() -> Vec<Variant> {
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
