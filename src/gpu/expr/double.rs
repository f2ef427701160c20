//! Maps and integrals in float64: tapes and what they run in.

use std::sync::Arc;

use bytemuck::Zeroable;

use super::integrate::{GridMemory, directions};
use super::source::{BLOCK, PARAMS, SOBOL};
use super::tape::{Finished, Op, Operand, Tape, constants};
use super::{CHUNK, GROUP, Params, reduce, unsupported, uploaded};
use crate::cpu::simd::Simd;
use crate::exact::squares::WithSquares;
use crate::expr::lower::Program;
use crate::gpu::context::Context;
use crate::gpu::dispatch::{Bind, Dispatch, fold};
use crate::gpu::memory::Block;
use crate::gpu::pipeline::{Shader, Slot};
use crate::gpu::shaders;
use crate::plan::{BIN_BITS, BINS, IntegralSums, IntegratePlan, MapPlan, Partials, ReduceOp, Sampling, words_per_sample};
use crate::{Control, Dtype, ExactSum, Expression, Result};

const ORDER: &str = include_str!("../../../shaders/parts/double_order.wgsl");
const DIVIDE: &str = include_str!("../../../shaders/parts/double_divide.wgsl");
const BITS: &str = include_str!("../../../shaders/parts/double_bits.wgsl");
const SAMPLES: &str = include_str!("../../../shaders/parts/expr_tape_samples.wgsl");
const WORDS: &str = include_str!("../../../shaders/parts/expr_tape_words.wgsl");
const POINTS: &str = include_str!("../../../shaders/parts/expr_tape_points.wgsl");
const TAPE: &str = include_str!("../../../shaders/expr_tape.wgsl");

/// What a step costs, in operations of the device, about.
pub(super) const STEP_COST: u64 = 64;

/// Numbers whose squares binary64 holds exactly, with what rounding takes from them: magnitudes from 2^-485 to 2^511.
const EXACT_SQUARES: [u32; 2] = [(1023 - 485) << 20, (1023 + 511) << 20];

/// Examples of every shader.
pub(super) fn variants(int64: bool) -> impl Iterator<Item = (&'static str, String)> {
    [map_source(2, int64), integral_source(false, int64), integral_source(true, int64)]
        .into_iter()
        .map(|source| ("expr_tape", source))
}

/// A text with the bindings and `of_place`, among all it needs.
fn joined(place: &[&str], int64: bool) -> String {
    let constants = format!("override SIZE: u32 = {GROUP}u;\n{}", constants());
    let mut all = vec![shaders::mul_wide(int64), shaders::WORDS64, shaders::DOUBLE_ARITHMETIC, ORDER, DIVIDE, BITS];
    all.extend([PARAMS, constants.as_str()]);
    all.extend(place);
    all.push(TAPE);
    shaders::join(&all)
}

/// The shader of maps of so many arrays.
pub(super) fn map_source(arrays: usize, int64: bool) -> String {
    let mut text = String::new();
    for i in 0..arrays {
        text += &format!("@group(0) @binding({i}) var<storage, read> x{i}: array<vec2<u32>>;\n");
    }
    text += &format!(
        "@group(0) @binding({arrays}) var<storage, read> tape: array<vec4<u32>>;
@group(0) @binding({}) var<storage, read_write> results: array<u32>;
@group(0) @binding({}) var<uniform> params: Params;

fn of_place(op: u32, number: u32, a: vec2<u32>, b: vec2<u32>, at: u32) -> vec2<u32> {{
    var y = vec2<u32>(0u, 0u);
    var place = params.offsets[number / 4u][number % 4u];
    if (((params.tape.y >> number) & 1u) == 1u) {{
        place += at;
    }} else {{
        var rest = params.first.x + at;
        let d = rest % params.shape.w;
        rest /= params.shape.w;
        let c = rest % params.shape.z;
        rest /= params.shape.z;
        let strides = params.strides[number];
        place += (rest / params.shape.y) * strides.x + (rest % params.shape.y) * strides.y + c * strides.z + d * strides.w;
    }}
    switch (number) {{
",
        arrays + 1,
        arrays + 2
    );
    for i in 0..arrays {
        text += &format!("        case {i}u: {{\n            y = x{i}[place];\n        }}\n");
    }
    text += "        default: {}\n    }\n    return y;\n}\n";
    joined(&[&text], int64)
}

/// The shader of integrals.
fn integral_source(sobol: bool, int64: bool) -> String {
    let first = u32::from(sobol);
    let mut text = String::new();
    if sobol {
        text += "@group(0) @binding(0) var<storage, read> directions: array<vec4<u32>>;\n";
    }
    text += &format!(
        "@group(0) @binding({first}) var<storage, read> tape: array<vec4<u32>>;
@group(0) @binding({}) var<storage, read> cells: array<vec4<u32>>;
@group(0) @binding({}) var<storage, read_write> results: array<u32>;
@group(0) @binding({}) var<storage, read_write> counts: array<atomic<u32>>;
@group(0) @binding({}) var<uniform> params: Params;
const BINS = {BINS}u;
const BIN_BITS = {BIN_BITS}u;
const LEAST_EXACT = {}u;
const MOST_EXACT = {}u;
",
        first + 1,
        first + 2,
        first + 3,
        first + 4,
        EXACT_SQUARES[0],
        EXACT_SQUARES[1],
    );
    let word: &[&str] = if sobol { &[SOBOL, POINTS] } else { &[shaders::PHILOX_ROUNDS, BLOCK, WORDS] };
    joined(&[&[text.as_str()], word, &[SAMPLES]].concat(), int64)
}

/// A tape on the device.
pub(super) struct Uploaded {
    pub(super) steps: u32,
    pub(super) tape: Block,
    /// Constants of its shader.
    pub(super) constants: Vec<(&'static str, f64)>,
}

fn finished(context: &Arc<Context>, expression: &Expression, mut tape: Tape, result: Operand) -> Result<Uploaded> {
    tape.step(Op::Result, &[result]);
    let Some(Finished { steps, words, long }) = tape.finish() else {
        let feature = format!("room for more than {} values at a time", super::tape::REGISTERS);
        return Err(unsupported(context, &format!("the expression `{expression}` in float64"), feature));
    };
    let constants = std::iter::once(("SIZE", GROUP as f64)).chain(long).collect();
    Ok(Uploaded { steps, tape: uploaded(context, &words)?, constants })
}

/// The program with its operations spelled out, and its numbers.
fn program(expression: &Expression, bindings: &[crate::expr::lower::Binding], inputs: usize) -> (Program, Vec<f64>) {
    let spelled = expression.spelled_out();
    let program = Program::new(&spelled, bindings, inputs);
    let uniforms = program.uniforms(&spelled, bindings);
    (program, uniforms)
}

/// The steps of a map.
pub(super) fn map(context: &Arc<Context>, plan: &MapPlan) -> Result<Uploaded> {
    let (program, uniforms) = program(&plan.expression, &plan.bindings, plan.inputs.len());
    let mut tape = Tape::default();
    let result = tape.program(&program, &uniforms, |tape, input| tape.step(Op::Element, &[Operand::Raw(input as u32)]));
    finished(context, &plan.expression, tape, result)
}

/// The steps of an integral's samples.
fn integral(context: &Arc<Context>, plan: &IntegratePlan) -> Result<Uploaded> {
    let dimensions = plan.bounds.len();
    let (program, uniforms) = program(&plan.expression, &plan.bindings, dimensions);
    let axis = |axis: usize| Operand::Raw(axis as u32);
    let mut tape = Tape::default();
    let grid = if let Sampling::Grid(grid) = &plan.sampling { Some(grid) } else { None };
    let mut value = tape.program(&program, &uniforms, |tape, d| {
        let (fraction, start, width) = match grid {
            Some(_) => {
                let cell = tape.step(Op::Cell, &[axis(d)]);
                (Op::FractionInCell, tape.step(Op::CellStart, &[cell]), tape.step(Op::CellWidth, &[cell]))
            }
            None => {
                let [from, to] = plan.bounds[d];
                (Op::Fraction, Operand::Number(from), Operand::Number(to - from))
            }
        };
        let fraction = tape.step(fraction, &[axis(d)]);
        let product = tape.step(Op::Mul, &[width, fraction]);
        tape.step(Op::Add, &[start, product])
    });
    if let Some(grid) = grid {
        let mut weight = None;
        for d in 0..dimensions {
            let cell = tape.step(Op::Cell, &[axis(d)]);
            let next = tape.step(Op::CellWeight, &[cell]);
            weight = Some(weight.map_or(next, |weight| tape.step(Op::Mul, &[weight, next])));
        }
        if let Some(weight) = weight {
            value = tape.step(Op::Mul, &[value, weight]);
        }
        let [a, b] = grid.per_unit().map(|per| tape.step(Op::Mul, &[value, Operand::Number(per)]));
        let units = tape.step(Op::Mul, &[a, b]);
        for d in 0..dimensions {
            let cell = tape.step(Op::Cell, &[axis(d)]);
            tape.step(Op::Count, &[cell, units]);
        }
    }
    tape.step(Op::Flag, &[value]);
    finished(context, &plan.expression, tape, value)
}

/// The sums of an integrand in float64: values of chunks of samples, reduced where they lie.
pub(super) fn sums(context: &Arc<Context>, plan: &IntegratePlan, control: &Control) -> Result<IntegralSums> {
    let dimensions = plan.bounds.len();
    let Uploaded { steps, tape, constants } = integral(context, plan)?;
    let sobol = match &plan.sampling {
        Sampling::Sobol(replicate) => Some(directions(context, replicate)?),
        Sampling::Uniform | Sampling::Grid(_) => None,
    };
    // Cells as (start, width), (weight, nothing); the counts, and the flag behind them.
    let (cells, counted) = match &plan.sampling {
        Sampling::Grid(grid) => {
            let cells = grid.cells::<f64>(&plan.bounds);
            let words = cells.iter().flatten().flat_map(|cell| [cell.start, cell.width, cell.weight, 0.0]);
            let words = words.flat_map(|number| [number.to_bits() as u32, (number.to_bits() >> 32) as u32]);
            (words.collect::<Vec<u32>>(), 2 * BINS * dimensions)
        }
        _ => (vec![0; 4], 0),
    };
    let memory = GridMemory::with_cells(context, uploaded(context, &cells)?, counted + 1)?;
    let words = words_per_sample(dimensions) as u32;
    let keys = plan.philox().round_keys();
    let base = Params {
        keys: std::array::from_fn(|i| [keys[2 * i][0], keys[2 * i][1], keys[2 * i + 1][0], keys[2 * i + 1][1]]),
        tape: match sobol {
            Some(_) => [steps, counted as u32, 0, dimensions as u32],
            None => [steps, counted as u32, (4 / words.min(4)).ilog2(), words],
        },
        ..Params::zeroed()
    };
    let mut slots = vec![Slot::Read, Slot::Read, Slot::ReadWrite, Slot::ReadWrite, Slot::Uniform];
    if sobol.is_some() {
        slots.insert(0, Slot::Read);
    }
    let int64 = context.caps.int64;
    let pipeline = context.pipeline(&Shader {
        label: "expr_tape",
        source: &|| integral_source(sobol.is_some(), int64),
        variant: if sobol.is_some() { "points" } else { "samples" },
        constants: &constants,
        workgroup: [GROUP as u32, 1, 1],
        workgroup_bytes: 0,
        slots: &slots,
    })?;
    let most = (CHUNK as u64 / 4).min(context.share(4) / 8).min(plan.len().max(1));
    let results = context.block(8 * most)?;
    let mut all = IntegralSums { count: plan.len(), ..plan.no_sums() };
    let cost = u64::from(steps) * STEP_COST;
    let mut at = plan.samples.start;
    while at < plan.samples.end {
        let len = most.min(plan.samples.end - at);
        context.sliced(&format!("expr_tape {}", cost.ilog2()), len, GROUP, cost, control, &mut |slice| {
            let first = at + slice.start;
            let count = slice.end - slice.start;
            let params =
                Params { first: [first as u32, (first >> 32) as u32], count: count as u32, place: slice.start as u32, ..base };
            let mut binds =
                vec![Bind::Block(&tape), Bind::Block(&memory.cells), Bind::Block(&results), Bind::Block(&memory.counts)];
            binds.push(Bind::Uniform(bytemuck::bytes_of(&params)));
            if let Some(directions) = &sobol {
                binds.insert(0, Bind::Block(directions));
            }
            context.submit(&[Dispatch {
                pipeline: &pipeline,
                binds: &binds,
                groups: fold(count.div_ceil(GROUP), &context.limits),
            }])
        })?;
        let [sum, squares] = chunk_sums(context, &results, len, &memory, counted, control)?;
        all.sum.merge(&sum);
        all.squares.merge(&squares);
        at += len;
    }
    if counted > 0 {
        all.counts = memory.read(context)?;
    }
    Ok(all)
}

/// The sum of a chunk's values, and that of their squares as [`WithSquares`] has it.
fn chunk_sums(
    context: &Arc<Context>,
    results: &Block,
    len: u64,
    memory: &GridMemory,
    flag: usize,
    control: &Control,
) -> Result<[ExactSum; 2]> {
    let mut flagged = [0; 4];
    context.read_bytes(&memory.counts, 4 * flag as u64, &mut flagged)?;
    if flagged == [0; 4] {
        let partials = reduce::reduced(context, ReduceOp::Var, Dtype::F64, len as usize, results, control)?;
        if let Partials::Moments(moments) = &partials
            && let [moments] = &moments[..]
            && let Some(mut squares) = moments.squares().to_sum()
            && moments.sum().to_f64() != 0.0
        {
            squares.add_zero(false);
            return Ok([moments.sum().clone(), squares]);
        }
    }
    // Squares that have digits out of binary64's reach, and sums of zeros, whose signs matter.
    let mut bytes = vec![0; 8 * len as usize];
    context.read_bytes(results, 0, &mut bytes)?;
    let values: Vec<f64> = bytes.as_chunks::<8>().0.iter().map(|&bytes| f64::from_ne_bytes(bytes)).collect();
    let mut sums = WithSquares::new();
    sums.extend(&values, Simd::current());
    Ok(sums.to_sums())
}
