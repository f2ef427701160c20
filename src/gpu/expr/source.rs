//! WGSL from programs. What is generated is a line per operation; the operations themselves are parts.

use super::{GROUP, sums};
use crate::expr::lower::{Program, Slot, Step};
use crate::expr::{Binary, Unary};
use crate::gpu::shaders;
use crate::plan::words_per_sample;

pub(super) const PARAMS: &str = include_str!("../../../shaders/parts/expr_params.wgsl");
const ARITHMETIC: &str = include_str!("../../../shaders/parts/expr_arithmetic.wgsl");
const DIVIDE: &str = include_str!("../../../shaders/parts/expr_divide.wgsl");
const FUNCTIONS: &str = include_str!("../../../shaders/parts/expr_functions.wgsl");
const MAP: &str = include_str!("../../../shaders/expr_map.wgsl");
pub(super) const BLOCK: &str = include_str!("../../../shaders/parts/expr_block.wgsl");
const WORDS: &str = include_str!("../../../shaders/parts/expr_words.wgsl");
const GRID: &str = include_str!("../../../shaders/parts/expr_grid.wgsl");
pub(super) const SOBOL: &str = include_str!("../../../shaders/parts/sobol.wgsl");
const SUMS: &str = include_str!("../../../shaders/parts/expr_sums.wgsl");
const SUM: &str = include_str!("../../../shaders/expr_sum.wgsl");
const EXTREMES: &str = include_str!("../../../shaders/expr_extremes.wgsl");

/// What becomes of a map's results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// They are written to memory.
    Written,
    /// They are summed, or their magnitudes; with their squares, if so.
    Summed { squares: bool, magnitudes: bool },
    /// The smallest and the largest of them, or of their magnitudes, are found, and those that are not 0 counted. For indices −0 is 0.
    Compared { magnitudes: bool, arg: bool },
}

impl Fate {
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Written => "expr_map",
            Self::Summed { .. } => "expr_map_sum",
            Self::Compared { .. } => "expr_map_extremes",
        }
    }
}

fn unary(op: Unary) -> &'static str {
    match op {
        Unary::Neg => "neg",
        Unary::Abs => "abs",
        Unary::Not => "not",
        Unary::Floor => "floor",
        Unary::Ceil => "ceil",
        Unary::Trunc => "trunc",
        Unary::Round => "round",
        Unary::Sqrt => "sqrt",
        Unary::Exp => "exp",
        Unary::Exp2 => "exp2",
        Unary::Log => "log",
        Unary::Log2 => "log2",
        Unary::Log10 => "log10",
        Unary::Sin => "sin",
        Unary::Cos => "cos",
        // Not in float32.
        Unary::Composed(_) | Unary::Bits(_) => "written_out",
    }
}

fn binary(op: Binary) -> &'static str {
    match op {
        Binary::Add => "add",
        Binary::Sub => "sub",
        Binary::Mul => "mul",
        Binary::Div => "div",
        Binary::Mod => "mod",
        Binary::Pow => "pow",
        Binary::Min => "min",
        Binary::Max => "max",
        Binary::Less => "less",
        Binary::LessEqual => "less_equal",
        Binary::Equal => "equal",
        Binary::NotEqual => "not_equal",
        Binary::And => "and",
        Binary::Or => "or",
        Binary::Composed(_) | Binary::CopySign | Binary::Rem => "written_out",
    }
}

/// `evaluate(x0, x1 …)`, on the bits of binary32.
fn evaluate(program: &Program) -> String {
    let slot = |slot: Slot| match slot {
        Slot::Input(input) => format!("x{input}"),
        Slot::Uniform(uniform) => format!("value({uniform}u)"),
        Slot::Step(step) => format!("t{step}"),
    };
    let arguments: Vec<String> = (0..program.inputs).map(|input| format!("x{input}: u32")).collect();
    let mut text = format!("fn evaluate({}) -> u32 {{\n", arguments.join(", "));
    for (at, step) in program.steps.iter().enumerate() {
        let (name, operands) = match step {
            Step::Unary(op, _) => (unary(*op), step.operands()),
            Step::Binary(op, ..) => (binary(*op), step.operands()),
            Step::Where(..) => ("where", step.operands()),
        };
        let operands: Vec<String> = operands.map(slot).collect();
        text += &format!("    let t{at} = e_{name}({});\n", operands.join(", "));
    }
    text + &format!("    return {};\n}}\n", slot(program.result))
}

/// The parts that the program's operations need.
fn parts(program: &Program, int64: bool) -> Vec<&'static str> {
    let divides = |step: &Step| matches!(step, Step::Unary(Unary::Sqrt, _) | Step::Binary(Binary::Div | Binary::Mod, ..));
    let functions = |step: &Step| {
        use Unary::{Cos, Exp, Exp2, Log, Log2, Log10, Sin};
        matches!(step, Step::Unary(Exp | Exp2 | Log | Log2 | Log10 | Sin | Cos, _) | Step::Binary(Binary::Pow, ..))
    };
    let mut parts = vec![shaders::mul_wide(int64), PARAMS, ARITHMETIC];
    parts.extend(program.steps.iter().any(divides).then_some(DIVIDE));
    parts.extend(program.steps.iter().any(functions).then_some(FUNCTIONS));
    parts
}

/// How an array's elements are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// One after the other.
    Flat,
    /// Through strides.
    Strided,
}

/// The constants of shaders that sum, of so many digits.
fn digits(digits: u32) -> String {
    format!("const SIZE = {GROUP}u;\nconst DIGITS = {digits}u;\n")
}

/// The shader of a map, or of what its results are reduced to.
pub(super) fn map(program: &Program, access: &[Access], fate: Fate, int64: bool) -> String {
    let mut text = String::new();
    for index in 0..access.len() {
        text += &format!("@group(0) @binding({index}) var<storage, read> array{index}: array<u32>;\n");
    }
    let next = access.len();
    text += &format!("@group(0) @binding({next}) var<storage, read_write> results: array<u32>;\n");
    text += &format!("@group(0) @binding({}) var<uniform> params: Params;\n", next + 1);
    let loads: Vec<String> = (access.iter().enumerate())
        .map(|(index, access)| {
            let offset = format!("params.offsets[{}][{}]", index / 4, index % 4);
            match access {
                Access::Flat => format!("array{index}[{offset} + at]"),
                Access::Strided => format!("array{index}[{offset} + place_of({index}u, at)]"),
            }
        })
        .collect();
    if access.contains(&Access::Strided) {
        text += "fn place_of(index: u32, at: u32) -> u32 {
    var rest = params.first.x + at;
    let d = rest % params.shape.w;
    rest /= params.shape.w;
    let c = rest % params.shape.z;
    rest /= params.shape.z;
    let b = rest % params.shape.y;
    let a = rest / params.shape.y;
    let strides = params.strides[index];
    return a * strides.x + b * strides.y + c * strides.z + d * strides.w;
}
";
    }
    text += &evaluate(program);
    let of_magnitudes = |magnitudes| if magnitudes { " & MAGNITUDE" } else { "" };
    let (part, constants, shader) = match fate {
        Fate::Written => ("", String::new(), &[MAP][..]),
        Fate::Summed { squares, magnitudes } => {
            (of_magnitudes(magnitudes), digits(if squares { sums::SUM_AND_SQUARES } else { sums::SUM }), &[SUMS, SUM][..])
        }
        Fate::Compared { magnitudes, arg } => {
            (of_magnitudes(magnitudes), format!("const SIZE = {GROUP}u;\nconst ARG = {arg};\n"), &[EXTREMES][..])
        }
    };
    text += &format!("fn evaluate_at(at: u32) -> u32 {{\n    return evaluate({}){part};\n}}\n", loads.join(", "));
    let mut all = parts(program, int64);
    all.extend([text.as_str(), constants.as_str()]);
    all.extend(shader);
    shaders::join(&all)
}

/// Where the coordinates of an integral lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Places {
    /// Start and width of each axis are numbers of the uniform.
    Uniform,
    /// Cells of each axis, whose weights the values are multiplied by; squares are counted in them.
    Grid,
    /// As [`Uniform`](Self::Uniform), of Sobol's points: direction numbers, then a key for each axis.
    Sobol,
}

/// The integrand of a shader: a program, or in its place a text with `evaluate`.
pub(super) type Integrand<'a> = (&'a Program, Option<&'a str>);

/// The shader of an integral over so many coordinates; what depends on its bounds lies behind `uniforms` numbers.
pub(super) fn integrate(
    (program, text_of_user): Integrand<'_>,
    places: Places,
    dimensions: usize,
    uniforms: usize,
    int64: bool,
) -> String {
    let (grid, sobol) = (places == Places::Grid, places == Places::Sobol);
    let first = u32::from(places != Places::Uniform);
    let mut text = String::new();
    if grid {
        text += "@group(0) @binding(0) var<storage, read> cells: array<vec4<u32>>;\n";
    }
    if sobol {
        text += "@group(0) @binding(0) var<storage, read> directions: array<vec4<u32>>;\n";
    }
    text += &format!("@group(0) @binding({first}) var<storage, read_write> results: array<u32>;\n");
    if grid {
        text += "@group(0) @binding(2) var<storage, read_write> counts: array<atomic<u32>>;\n";
    }
    text += &format!("@group(0) @binding({}) var<uniform> params: Params;\n", first + 1 + u32::from(grid));
    text += &text_of_user.map_or_else(|| evaluate(program), String::from);
    let mut body = String::new();
    let words = words_per_sample(dimensions);
    // Samples of few coordinates share a block.
    let shared = (4 / words.min(4)).ilog2();
    body += &match shared {
        _ if sobol => String::new(),
        0 => "    let block = sample;\n".to_string(),
        shift => format!(
            "    let block = wide_shr(sample, {shift}u);\n    let lead = (sample.x & {}u) * {words}u;\n",
            (1 << shift) - 1
        ),
    };
    for group in (0..dimensions.div_ceil(4)).filter(|_| !sobol) {
        body += &format!("    let w{group} = words(block, {group}u);\n");
    }
    let word = |d: usize| {
        let lane = if shared == 0 { format!("{}", d % 4) } else { format!("lead + {d}u") };
        match sobol {
            true => format!("sobol_scramble(sobol_point(sample.x, {d}u), directions[{}u][{}])", 8 * dimensions + d / 4, d % 4),
            false => format!("w{}[{lane}]", d / 4),
        }
    };
    match places {
        Places::Uniform | Places::Sobol => {
            let coordinates = (0..dimensions).map(|d| format!("coordinate({}, {}u)", word(d), uniforms + 2 * d));
            body += &format!("    return evaluate({});\n", coordinates.collect::<Vec<_>>().join(", "));
        }
        Places::Grid => {
            for d in 0..dimensions {
                body += &format!("    let p{d} = place_in_cell({}, {d}u);\n", word(d));
            }
            // A line for each: parsers bound how deep calls nest.
            body += "    let weight0 = p0.weight;\n";
            for d in 1..dimensions {
                body += &format!("    let weight{d} = e_mul(weight{}, p{d}.weight);\n", d - 1);
            }
            let join = |field: &str| (0..dimensions).map(|d| format!("p{d}.{field}")).collect::<Vec<_>>();
            let (coordinates, last) = (join("x").join(", "), dimensions - 1);
            body += &format!("    let y = canonical(e_mul(evaluate({coordinates}), weight{last}));\n");
            body += &format!("    let more = units(y, bitcast<i32>(value({uniforms}u)));\n");
            join("cell").iter().for_each(|cell| body += &format!("    count({cell}, more);\n"));
            body += "    return y;\n";
        }
    }
    let sample =
        format!("fn evaluate_at(at: u32) -> u32 {{\n    let sample = wide_add(params.first, vec2<u32>(at, 0u));\n{body}}}\n");
    let mut all = parts(program, int64);
    all.extend([shaders::PHILOX_ROUNDS, text.as_str(), BLOCK, WORDS]);
    all.extend(grid.then_some(GRID));
    all.extend(sobol.then_some(SOBOL));
    let constants = digits(sums::SUM_AND_SQUARES);
    all.extend([sample.as_str(), constants.as_str(), SUMS, SUM]);
    shaders::join(&all)
}
