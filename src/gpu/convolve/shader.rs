//! The shaders of a convolution: which arithmetic, which text, and the uniforms that go with it.

use bytemuck::{Pod, Zeroable};

use crate::gpu::context::Caps;
use crate::gpu::shaders::{Layout, Variant, join, layout};
use crate::plan::{Accumulator, ConvolvePlan, Overflow, Parts};
use crate::{Dtype, Error, Result};

const TILED: &str = include_str!("../../../shaders/convolve.wgsl");
pub(super) const BLOCK: &str = concat!(
    include_str!("../../../shaders/parts/convolve_block.wgsl"),
    "\n",
    include_str!("../../../shaders/parts/convolve_sums.wgsl")
);
const LIMBS: &str = include_str!("../../../shaders/convolve_wide.wgsl");
const EXACT_FINISH: &str = include_str!("../../../shaders/convolve_exact_finish.wgsl");
const FINISH: &str = include_str!("../../../shaders/convolve_finish.wgsl");
pub(super) const PARAMS: &str = concat!(
    include_str!("../../../shaders/parts/convolve_params.wgsl"),
    "\n",
    include_str!("../../../shaders/parts/boundary.wgsl")
);
const GENERAL: &str = include_str!("../../../shaders/convolve_general.wgsl");
const SIMPLE: &str = include_str!("../../../shaders/convolve_simple.wgsl");
const ANY: &str = include_str!("../../../shaders/parts/convolve_any.wgsl");
const ONE: &str = include_str!("../../../shaders/parts/convolve_one.wgsl");
const ONE_WIDE: &str = include_str!("../../../shaders/parts/convolve_one_wide.wgsl");
const FINISH_WORDS: &str = include_str!("../../../shaders/parts/convolve_finish_words.wgsl");
const FINISH_ANY: &str = include_str!("../../../shaders/parts/convolve_finish_any.wgsl");
const FINISH_KNOWN: &str = include_str!("../../../shaders/parts/convolve_finish_known.wgsl");
const MULTIPLY: &str = include_str!("../../../shaders/parts/convolve_multiply.wgsl");
const WORDS: &str = include_str!("../../../shaders/parts/convolve_words.wgsl");

/// What the sums are kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gpu) enum Sums {
    /// Binary32 of float operands.
    F32,
    /// Binary32 of integers below 2^24.
    F32Integer,
    I32,
    /// 64-bit integers of the shading language.
    I64,
    /// 64-bit integers in two words.
    Limbs2,
    /// 160-bit integers in five words.
    Limbs5,
    F64,
    /// Fixed-point numbers that hold every product of floats.
    Exact(Fixed),
}

/// The layout of exact sums of products of floats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gpu) struct Fixed {
    /// Words of a sum, of [`Fixed::WORDS`].
    pub(super) words: u8,
    /// Whether significands have more than 32 bits.
    pub(super) double: bool,
    /// Weights that are integers of 64 bits as they are: of this dtype.
    pub(super) long: Option<Dtype>,
}

impl Fixed {
    /// How many words there may be: few, for each makes a shader to compile.
    pub(super) const WORDS: [u8; 8] = [3, 4, 5, 6, 8, 10, 14, 20];
    /// Those of small problems.
    pub(super) const FEW_WORDS: [u8; 2] = [6, 20];
    /// Sums that hold all products of binary64 numbers.
    pub(super) const FULL: Self = Self { words: 134, double: true, long: None };
    const NAMES: [[&str; 2]; 8] = [
        ["exact 3", "exact 3 double"],
        ["exact 4", "exact 4 double"],
        ["exact 5", "exact 5 double"],
        ["exact 6", "exact 6 double"],
        ["exact 8", "exact 8 double"],
        ["exact 10", "exact 10 double"],
        ["exact 14", "exact 14 double"],
        ["exact 20", "exact 20 double"],
    ];

    fn is_full(self) -> bool {
        self.words == Self::FULL.words
    }

    fn name(self) -> &'static str {
        if self.is_full() {
            return "exact full";
        }
        let at = Self::WORDS.into_iter().position(|words| words == self.words).unwrap_or(Self::WORDS.len() - 1);
        Self::NAMES[at][usize::from(self.double)]
    }
}

impl Sums {
    /// The cheapest sums that are right for a plan of this reach on this device.
    pub(super) fn choose(plan: &ConvolvePlan, reach: u128, caps: &Caps, device: &str) -> Result<Self> {
        let unsupported = || Error::Unsupported {
            device: device.into(),
            operation: format!("{} in float64", plan.name()),
            feature: "64-bit floats".into(),
        };
        match plan.accumulator(reach) {
            Accumulator::F32 if plan.is_integer() => Ok(Self::F32Integer),
            Accumulator::F32 => Ok(Self::F32),
            Accumulator::I32 => Ok(Self::I32),
            Accumulator::F64 if !plan.is_integer() => caps.f64.then_some(Self::F64).ok_or_else(unsupported),
            Accumulator::F64 | Accumulator::I64 if caps.int64 => Ok(Self::I64),
            Accumulator::F64 | Accumulator::I64 => Ok(Self::Limbs2),
            Accumulator::Wide => Ok(Self::Limbs5),
        }
    }

    /// Whether the sums are made by `convolve.wgsl`, from vectors; else by `convolve_wide.wgsl`.
    pub(super) fn is_tiled(self) -> bool {
        !matches!(self, Self::Limbs2 | Self::Limbs5 | Self::Exact(_))
    }

    /// Loop iterations of a multiply-add, its own among them.
    pub(super) fn iterations(self) -> u64 {
        if let Self::Exact(fixed) = self { u64::from(fixed.words) + 1 } else { 1 }
    }

    /// Bytes of a weight and of an element of the tile.
    pub(super) fn weight_bytes(self) -> usize {
        match self {
            Self::F32 | Self::F32Integer | Self::I32 => 4,
            Self::I64 | Self::F64 | Self::Limbs2 | Self::Limbs5 | Self::Exact(_) => 8,
        }
    }

    /// Words of a sum in memory.
    pub(super) fn words(self) -> u64 {
        match self {
            Self::F32 | Self::F32Integer | Self::I32 => 1,
            Self::I64 | Self::Limbs2 | Self::F64 => 2,
            Self::Limbs5 => 5,
            Self::Exact(fixed) => u64::from(fixed.words) + 1,
        }
    }

    /// Whether the sums, as they are, are the result.
    pub(super) fn is_result(self, out: Dtype, always_fits: bool) -> bool {
        match self {
            Self::F32 => out == Dtype::F32,
            Self::F64 => out == Dtype::F64,
            Self::F32Integer | Self::I32 => always_fits && matches!(out, Dtype::I32 | Dtype::U32),
            Self::I64 | Self::Limbs2 => always_fits && matches!(out, Dtype::I64 | Dtype::U64),
            Self::Limbs5 | Self::Exact(_) => false,
        }
    }

    pub(in crate::gpu) fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F32Integer => "f32 integer",
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::Limbs2 => "64-bit limbs",
            Self::Limbs5 => "160-bit limbs",
            Self::F64 => "f64",
            Self::Exact(fixed) => fixed.name(),
        }
    }

    /// What the sums are, by its number in `convolve_finish.wgsl`.
    pub(in crate::gpu) fn raw(self) -> u32 {
        match self {
            Self::F32Integer | Self::I32 => 0,
            Self::I64 | Self::Limbs2 => 1,
            Self::Limbs5 => 2,
            Self::F32 => 3,
            Self::F64 | Self::Exact(_) => 4,
        }
    }

    /// The dtype of weights that exact sums take as they are.
    fn long(self) -> Option<Dtype> {
        if let Self::Exact(fixed) = self { fixed.long } else { None }
    }

    /// These sums, or others whose shader serves them as well: for [`Program::any`].
    fn common(self) -> Self {
        if self == Self::F32Integer { Self::F32 } else { self }
    }
}

/// How a shader goes about the sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Tiles of the image in workgroup memory; outputs and taps side by side.
    Tiled,
    /// The same with any stride and dilation.
    General,
    /// One sum per invocation, with anything.
    Simple,
}

/// What the shader that makes the sums depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) sums: Sums,
    /// The images' dtype, of complex ones that of their parts.
    pub(super) image: Dtype,
    pub(super) kernel_signed: bool,
    /// Groups of four kernels.
    pub(super) bank: bool,
    pub(super) form: Form,
    pub(super) parts: Parts,
    /// One text for all of `image`, `kernel_signed` and `parts`, which it reads from the uniform.
    pub(super) any: bool,
}

impl Program {
    /// The stem of the shader's file.
    pub(super) fn label(&self) -> &'static str {
        match (self.form, self.sums.is_tiled()) {
            (Form::Tiled, true) => "convolve",
            (Form::Tiled, false) => "convolve_wide",
            (Form::General, _) => "convolve_general",
            (Form::Simple, _) => "convolve_simple",
        }
    }

    /// Tells apart the texts of one label.
    pub(super) fn variant(&self) -> String {
        let Self { sums, image, kernel_signed, bank, parts, any, .. } = *self;
        if any {
            return format!("{} any {}", sums.common().name(), sums == Sums::F64 && image == Dtype::F64);
        }
        let kernel_signed = kernel_signed && sums == Sums::Limbs5;
        let weights = long(sums.long());
        format!("{} {image} {kernel_signed} {weights} {bank} {}", sums.name(), parts as u8)
    }

    /// What [`Program::any`] leaves to the uniform: [`Params::kind`].
    pub(super) fn kind(&self) -> u32 {
        let flags = [self.sums == Sums::F32Integer, self.image.is_signed_integer(), self.kernel_signed];
        let (x, w) = (long(Some(self.image)), long(self.sums.long()));
        self.parts as u32
            | x << 5
            | w << 7
            | flags.into_iter().zip([4, 8, 16]).map(|(flag, bit)| u32::from(flag) * bit).sum::<u32>()
    }
}

/// How an exact shader takes integers of 64 bits apart, by its number for that.
fn long(dtype: Option<Dtype>) -> u32 {
    match dtype {
        Some(Dtype::U64) => 1,
        Some(Dtype::I64) => 2,
        _ => 0,
    }
}

/// The text of the shader that makes the sums.
pub(super) fn source(program: Program) -> String {
    let Program { sums, image, kernel_signed, bank, form, parts, any } = program;
    let mut header = String::new();
    if !any {
        header += &format!("const IMAGE: u32 = {}u;\nconst PARTS: u32 = {}u;\n", image as u8, parts as u8);
        header += &format!("const INTEGER: bool = {};\n", sums == Sums::F32Integer);
        header += &format!("const IMAGE_SIGNED: bool = {};\n", image.is_signed_integer());
        header += &format!("const KERNEL_SIGNED: bool = {kernel_signed};\n");
        header += &format!("const X_LONG: u32 = {}u;\nconst W_LONG: u32 = {}u;\n", long(Some(image)), long(sums.long()));
    }
    if let Sums::Exact(fixed) = sums {
        header += &format!("const WORDS: u32 = {}u;\nconst DOUBLE: bool = {};\n", fixed.words, fixed.double);
        header += &format!("const FULL: bool = {};\n", fixed.is_full());
    }
    let mut text = vec![&header[..], PARAMS];
    text.extend(numbers(sums, image));
    match (form, sums.is_tiled()) {
        (Form::Tiled, false) => text.push(LIMBS),
        (Form::Simple, wide) => {
            text.push(if any { ANY } else { "fn begin() {}" });
            text.extend([if wide { ONE } else { ONE_WIDE }, SIMPLE]);
        }
        (form, _) => {
            header_of_tiles(&mut text, bank);
            text.extend(if form == Form::Tiled { &[BLOCK, TILED][..] } else { &[GENERAL] });
        }
    }
    join(&text)
}

/// The parts that read images of a dtype and make sums.
pub(super) fn numbers(sums: Sums, image: Dtype) -> &'static [&'static str] {
    match sums {
        Sums::F32 | Sums::F32Integer => &[WORDS, include_str!("../../../shaders/parts/convolve_f32.wgsl")],
        Sums::I32 => &[WORDS, include_str!("../../../shaders/parts/convolve_i32.wgsl")],
        Sums::I64 => &[WORDS, include_str!("../../../shaders/parts/convolve_i64.wgsl")],
        Sums::F64 if image == Dtype::F64 => &[
            include_str!("../../../shaders/parts/convolve_f64.wgsl"),
            include_str!("../../../shaders/parts/convolve_f64_doubles.wgsl"),
        ],
        Sums::F64 => &[
            WORDS,
            include_str!("../../../shaders/parts/convolve_f64.wgsl"),
            include_str!("../../../shaders/parts/convolve_f64_words.wgsl"),
        ],
        Sums::Limbs2 => &[WORDS, MULTIPLY, include_str!("../../../shaders/parts/convolve_limbs2.wgsl")],
        Sums::Limbs5 => &[WORDS, MULTIPLY, include_str!("../../../shaders/parts/convolve_limbs5.wgsl")],
        Sums::Exact(fixed) if fixed.is_full() => &[
            include_str!("../../../shaders/parts/convolve_exact_words.wgsl"),
            MULTIPLY,
            include_str!("../../../shaders/parts/convolve_exact_full.wgsl"),
        ],
        Sums::Exact(_) => &[
            include_str!("../../../shaders/parts/convolve_exact_words.wgsl"),
            MULTIPLY,
            include_str!("../../../shaders/parts/convolve_exact.wgsl"),
        ],
    }
}

fn header_of_tiles(text: &mut Vec<&str>, bank: bool) {
    text.push(if bank { "const BANK: bool = true;" } else { "const BANK: bool = false;" });
}

/// The text of the shader that turns sums into results of a dtype, or of any.
pub(in crate::gpu) fn finish_source(sums: Sums, out: Option<(Dtype, Overflow)>) -> String {
    match (sums, out) {
        (Sums::Exact(fixed), out) => {
            let words = format!("const WORDS: u32 = {}u;", fixed.words);
            let out = match out {
                Some((out, _)) => format!("const OUT: u32 = {}u;\nfn begin() {{}}", out as u8),
                None => "var<private> OUT: u32;\nfn begin() { OUT = p.out; }".into(),
            };
            join(&[&words, &out, FINISH_WORDS, EXACT_FINISH])
        }
        (_, None) => join(&[FINISH_ANY, FINISH_WORDS, FINISH]),
        (_, Some((out, overflow))) => {
            let header = format!("const RAW: u32 = {}u;\nconst OUT: u32 = {}u;\n", sums.raw(), out as u8);
            let header = header + &format!("const POLICY: u32 = {}u;", overflow as u8);
            join(&[&header, FINISH_KNOWN, FINISH_WORDS, FINISH])
        }
    }
}

/// Tells apart the texts of [`finish_source`].
pub(in crate::gpu) fn finish_variant(sums: Sums, out: Option<(Dtype, Overflow)>) -> String {
    match (sums, out) {
        (Sums::Exact(fixed), None) => format!("any exact {}", fixed.words),
        (_, None) => "any".into(),
        (_, Some((out, overflow))) => format!("{} {out} {overflow}", sums.name()),
    }
}

/// The uniforms of the shaders that make sums; documented in `parts/convolve_params.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, Pod, Zeroable)]
#[allow(missing_docs)]
pub(super) struct Params {
    pub out_x: u32,
    pub out_y: u32,
    pub out_z: u32,
    pub kernels: u32,
    pub kernel_groups: u32,
    pub tiles_x: u32,
    pub tiles_y: u32,
    pub group_first: u32,
    pub group_end: u32,
    pub block_first: u32,
    pub block_end: u32,
    pub fresh: u32,
    pub image_x: u32,
    pub image_y: u32,
    pub image_z: u32,
    pub image_first: u32,
    pub start_x: i32,
    pub start_y: i32,
    pub start_z: i32,
    pub fill_at: u32,
    pub boundary_x: u32,
    pub boundary_y: u32,
    pub boundary_z: u32,
    pub row_weights: u32,
    pub taps_x: u32,
    pub taps_y: u32,
    pub taps_z: u32,
    pub pitch: u32,
    pub block_x: u32,
    pub block_y: u32,
    pub blocks_x: u32,
    pub blocks_y: u32,
    pub stride_x: u32,
    pub stride_y: u32,
    pub stride_z: u32,
    pub dilation_x: u32,
    pub dilation_y: u32,
    pub dilation_z: u32,
    pub unit_x: u32,
    pub unit_y: u32,
    pub slabs: u32,
    pub channels: u32,
    pub planes: u32,
    pub image_parts: u32,
    pub channel_parts: u32,
    pub kernel_first: u32,
    pub group_kernels: u32,
    pub kernel_parts: u32,
    pub dtype: u32,
    pub kind: u32,
    pub unused_a: u32,
    pub unused_b: u32,
}

/// The uniforms of `convolve_finish.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, Pod, Zeroable)]
pub(in crate::gpu) struct FinishParams {
    pub first: u32,
    pub end: u32,
    pub count: u32,
    /// Of bit 0 of exact float sums.
    pub exponent: i32,
    pub raw: u32,
    pub out: u32,
    pub policy: u32,
    pub unused: u32,
}

impl FinishParams {
    /// Those of sums and results of these kinds.
    pub(in crate::gpu) fn new(sums: Sums, out: Dtype, overflow: Overflow) -> Self {
        Self { raw: sums.raw(), out: out as u32, policy: overflow as u32, ..Self::default() }
    }
}

/// How the host lays out the uniforms of the shaders that make sums.
pub(super) fn params_layout() -> Layout {
    layout!(Params {
        out_x,
        out_y,
        out_z,
        kernels,
        kernel_groups,
        tiles_x,
        tiles_y,
        group_first,
        group_end,
        block_first,
        block_end,
        fresh,
        image_x,
        image_y,
        image_z,
        image_first,
        start_x,
        start_y,
        start_z,
        fill_at,
        boundary_x,
        boundary_y,
        boundary_z,
        row_weights,
        taps_x,
        taps_y,
        taps_z,
        pitch,
        block_x,
        block_y,
        blocks_x,
        blocks_y,
        stride_x,
        stride_y,
        stride_z,
        dilation_x,
        dilation_y,
        dilation_z,
        unit_x,
        unit_y,
        slabs,
        channels,
        planes,
        image_parts,
        channel_parts,
        kernel_first,
        group_kernels,
        kernel_parts,
        dtype,
        kind,
        unused_a,
        unused_b
    })
}

/// Every shader of a convolution.
pub(super) fn variants() -> Vec<Variant> {
    let layout = params_layout;
    let finish_layout = || layout!(FinishParams { first, end, count, exponent, raw, out, policy, unused });
    let exact = Fixed::WORDS.into_iter().flat_map(|words| {
        let with = |(double, long)| Sums::Exact(Fixed { words, double, long });
        [(false, None), (true, None), (true, Some(Dtype::U64)), (true, Some(Dtype::I64))].map(with)
    });
    let full = [None, Some(Dtype::U64), Some(Dtype::I64)].map(|long| Sums::Exact(Fixed { long, ..Fixed::FULL }));
    let all = [Sums::F32, Sums::F32Integer, Sums::I32, Sums::I64, Sums::Limbs2, Sums::Limbs5, Sums::F64];
    let mut variants = vec![];
    let mut push = |program: Program| {
        variants.push(Variant { label: program.label(), source: source(program), layouts: vec![layout()] });
    };
    let plain = Program {
        sums: Sums::F32,
        image: Dtype::F32,
        kernel_signed: false,
        bank: false,
        form: Form::Simple,
        parts: Parts::One,
        any: true,
    };
    let sums: Vec<Sums> = all.into_iter().chain(exact).chain(full).collect();
    for &sums in &sums {
        push(Program { sums, ..plain });
        push(Program { sums, image: Dtype::F64, ..plain });
        for image in Dtype::ALL {
            let possible = match sums {
                Sums::F64 => true,
                Sums::F32 => image != Dtype::F64,
                // One operand is a float.
                Sums::Exact(Fixed { long: Some(_), .. }) => image.is_float(),
                Sums::Exact(fixed) => fixed.double || image.size() < 8,
                _ => !image.is_float(),
            };
            if !possible {
                continue;
            }
            for (flag, general, parts) in [
                (false, false, Parts::One),
                (true, false, Parts::One),
                (false, true, Parts::One),
                (true, true, Parts::One),
                (false, false, Parts::Images),
                (true, true, Parts::Kernels),
                (false, true, Parts::Images),
            ] {
                // Complex sums are made in floats, and exact ones of them one by one.
                let complex = matches!((sums, general), (Sums::F32 | Sums::F64, _) | (Sums::Exact(_), true));
                if parts != Parts::One && !complex {
                    continue;
                }
                let form = match (general, sums.is_tiled()) {
                    (false, _) => Form::Tiled,
                    (true, true) => Form::General,
                    (true, false) => Form::Simple,
                };
                push(Program { sums, image, kernel_signed: flag, bank: flag, form, parts, any: false });
            }
        }
    }
    for sums in sums {
        let outs =
            Dtype::ALL.map(|out| [Overflow::Error, Overflow::Wrap, Overflow::Saturate].map(|overflow| Some((out, overflow))));
        for out in outs.into_iter().flatten().chain([None]) {
            let layouts = vec![finish_layout()];
            variants.push(Variant { label: "convolve_finish", source: finish_source(sums, out), layouts });
        }
    }
    variants
}
