//! The shaders of a convolution: which arithmetic, which text, and the uniforms that go with it.

use bytemuck::{Pod, Zeroable};

use crate::gpu::context::Caps;
use crate::gpu::shaders::{Layout, Variant, join, layout};
use crate::plan::{Accumulator, ConvolvePlan, Overflow, Parts};
use crate::{Dtype, Error, Result};

const TILED: &str = include_str!("../../../shaders/convolve.wgsl");
const LIMBS: &str = include_str!("../../../shaders/convolve_wide.wgsl");
const EXACT_FINISH: &str = include_str!("../../../shaders/convolve_exact_finish.wgsl");
const FINISH: &str = include_str!("../../../shaders/convolve_finish.wgsl");
const PARAMS: &str = concat!(
    include_str!("../../../shaders/parts/convolve_params.wgsl"),
    "\n",
    include_str!("../../../shaders/parts/boundary.wgsl")
);
const GENERAL: &str = include_str!("../../../shaders/convolve_general.wgsl");
const GENERAL_LIMBS: &str = include_str!("../../../shaders/convolve_general_wide.wgsl");
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
    /// Whether significands have up to 53 bits, not 32.
    pub(super) double: bool,
}

impl Fixed {
    /// How many words there may be: few, for each makes a shader to compile.
    pub(super) const WORDS: [u8; 8] = [3, 4, 5, 6, 8, 10, 14, 20];
    /// Sums that hold all products of binary64 numbers.
    pub(super) const FULL: Self = Self { words: 134, double: true };
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

    fn name(self) -> &'static str {
        if self == Self::FULL {
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

    fn raw(self) -> &'static str {
        match self {
            Self::F32Integer | Self::I32 => "RAW_I32",
            Self::I64 | Self::Limbs2 => "RAW_I64",
            Self::Limbs5 => "RAW_WIDE",
            Self::F32 => "RAW_F32",
            Self::F64 | Self::Exact(_) => "RAW_F64",
        }
    }
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
    /// Any stride and dilation; for limbs, channels as well.
    pub(super) general: bool,
    pub(super) parts: Parts,
}

impl Program {
    /// The stem of the shader's file.
    pub(super) fn label(&self) -> &'static str {
        match (self.sums.is_tiled(), self.general) {
            (true, false) => "convolve",
            (false, false) => "convolve_wide",
            (true, true) => "convolve_general",
            (false, true) => "convolve_general_wide",
        }
    }
}

/// The text of the shader that makes the sums.
pub(super) fn source(program: Program) -> String {
    let Program { sums, image, kernel_signed, bank, general, parts } = program;
    let mut header = format!("const IMAGE: u32 = {}u;\nconst PARTS: u32 = {}u;\n", image as u8, parts as u8);
    let (tiled, limbs) = if general { (GENERAL, GENERAL_LIMBS) } else { (TILED, LIMBS) };
    let f64_load = include_str!("../../../shaders/parts/convolve_f64_words.wgsl");
    if let Sums::Exact(fixed) = sums {
        let full = fixed == Fixed::FULL;
        header += &format!("const WORDS: u32 = {}u;\nconst DOUBLE: bool = {};\n", fixed.words, fixed.double);
        header += &format!("const FULL: bool = {full};\n");
        let words = include_str!("../../../shaders/parts/convolve_exact_words.wgsl");
        let window = include_str!("../../../shaders/parts/convolve_exact.wgsl");
        let all = include_str!("../../../shaders/parts/convolve_exact_full.wgsl");
        return join(&[&header, PARAMS, words, if full { all } else { window }, MULTIPLY, limbs]);
    }
    let type_part = match sums {
        Sums::F32 | Sums::F32Integer => include_str!("../../../shaders/parts/convolve_f32.wgsl"),
        Sums::I32 => include_str!("../../../shaders/parts/convolve_i32.wgsl"),
        Sums::I64 => include_str!("../../../shaders/parts/convolve_i64.wgsl"),
        Sums::F64 => include_str!("../../../shaders/parts/convolve_f64.wgsl"),
        Sums::Limbs2 => include_str!("../../../shaders/parts/convolve_limbs2.wgsl"),
        Sums::Limbs5 | Sums::Exact(_) => include_str!("../../../shaders/parts/convolve_limbs5.wgsl"),
    };
    if !sums.is_tiled() {
        header += &format!("const IMAGE_SIGNED: bool = {};\n", image.is_signed_integer());
        header += &format!("const KERNEL_SIGNED: bool = {kernel_signed};\n");
        return join(&[&header, PARAMS, WORDS, type_part, MULTIPLY, limbs]);
    }
    header += &format!("const INTEGER: bool = {};\nconst BANK: bool = {bank};\n", sums == Sums::F32Integer);
    match (sums, image) {
        (Sums::F64, Dtype::F64) => {
            let doubles = include_str!("../../../shaders/parts/convolve_f64_doubles.wgsl");
            join(&[&header, PARAMS, type_part, doubles, tiled])
        }
        (Sums::F64, _) => join(&[&header, PARAMS, WORDS, type_part, f64_load, tiled]),
        _ => join(&[&header, PARAMS, WORDS, type_part, tiled]),
    }
}

/// The text of the shader that turns sums into results.
pub(in crate::gpu) fn finish_source(sums: Sums, out: Dtype, overflow: Overflow) -> String {
    if let Sums::Exact(fixed) = sums {
        return join(&[&format!("const WORDS: u32 = {}u;\nconst OUT: u32 = {}u;\n", fixed.words, out as u8), EXACT_FINISH]);
    }
    let header = format!("const RAW: u32 = {};\nconst OUT: u32 = {}u;\n", sums.raw(), out as u8);
    join(&[&header, &format!("const POLICY: u32 = {}u;\n", overflow as u8), FINISH])
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
    pub slabs: u32,
    pub channels: u32,
    pub planes: u32,
    pub image_parts: u32,
    pub channel_parts: u32,
    pub kernel_first: u32,
    pub group_kernels: u32,
    pub kernel_parts: u32,
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
    /// Of bit 0 of exact float sums, as an `i32`.
    pub exponent: u32,
}

/// Every shader of a convolution.
pub(super) fn variants() -> Vec<Variant> {
    let layout = || -> Layout {
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
            slabs,
            channels,
            planes,
            image_parts,
            channel_parts,
            kernel_first,
            group_kernels,
            kernel_parts,
            unused_a,
            unused_b
        })
    };
    let exact = Fixed::WORDS.into_iter().flat_map(|words| [false, true].map(|double| Sums::Exact(Fixed { words, double })));
    let all = [Sums::F32, Sums::F32Integer, Sums::I32, Sums::I64, Sums::Limbs2, Sums::Limbs5, Sums::F64];
    let mut variants = vec![];
    for sums in all.into_iter().chain(exact).chain([Sums::Exact(Fixed::FULL)]) {
        for image in Dtype::ALL {
            let possible = match sums {
                Sums::F64 => true,
                Sums::F32 => image != Dtype::F64,
                Sums::Exact(fixed) => !matches!(image, Dtype::U64 | Dtype::I64) && (fixed.double || image != Dtype::F64),
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
                // Complex sums are made in floats, and exact ones of them are general.
                let complex = matches!((sums, general), (Sums::F32 | Sums::F64, _) | (Sums::Exact(_), true));
                if parts != Parts::One && !complex {
                    continue;
                }
                let program = Program { sums, image, kernel_signed: flag, bank: flag, general, parts };
                variants.push(Variant { label: program.label(), source: source(program), layouts: vec![layout()] });
            }
        }
        for out in Dtype::ALL {
            for overflow in [Overflow::Error, Overflow::Wrap, Overflow::Saturate] {
                let layouts = vec![layout!(FinishParams { first, end, count, exponent })];
                variants.push(Variant { label: "convolve_finish", source: finish_source(sums, out, overflow), layouts });
            }
        }
    }
    variants
}
