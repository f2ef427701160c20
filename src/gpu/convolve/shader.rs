//! The shaders of a convolution: which arithmetic, which text, and the uniforms that go with it.

use bytemuck::{Pod, Zeroable};

use crate::gpu::context::Caps;
use crate::gpu::shaders::{Layout, Variant, join, layout};
use crate::plan::{Accumulator, ConvolvePlan};
use crate::{Dtype, Error, Result};

const TILED: &str = include_str!("../../../shaders/convolve.wgsl");
const LIMBS: &str = include_str!("../../../shaders/convolve_wide.wgsl");
const FINISH: &str = include_str!("../../../shaders/convolve_finish.wgsl");
const PARAMS: &str = include_str!("../../../shaders/parts/convolve_params.wgsl");
const WORDS: &str = include_str!("../../../shaders/parts/convolve_words.wgsl");

/// What the sums are kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sums {
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
        !matches!(self, Self::Limbs2 | Self::Limbs5)
    }

    /// Bytes of a weight and of an element of the tile.
    pub(super) fn weight_bytes(self) -> usize {
        match self {
            Self::F32 | Self::F32Integer | Self::I32 => 4,
            Self::I64 | Self::F64 | Self::Limbs2 | Self::Limbs5 => 8,
        }
    }

    /// Words of a sum in memory.
    pub(super) fn words(self) -> u64 {
        match self {
            Self::F32 | Self::F32Integer | Self::I32 => 1,
            Self::I64 | Self::Limbs2 | Self::F64 => 2,
            Self::Limbs5 => 5,
        }
    }

    /// Whether the sums, as they are, are the result.
    pub(super) fn is_result(self, out: Dtype, always_fits: bool) -> bool {
        match self {
            Self::F32 => out == Dtype::F32,
            Self::F64 => out == Dtype::F64,
            Self::F32Integer | Self::I32 => always_fits && matches!(out, Dtype::I32 | Dtype::U32),
            Self::I64 | Self::Limbs2 => always_fits && matches!(out, Dtype::I64 | Dtype::U64),
            Self::Limbs5 => false,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F32Integer => "f32 integer",
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::Limbs2 => "64-bit limbs",
            Self::Limbs5 => "160-bit limbs",
            Self::F64 => "f64",
        }
    }

    fn raw(self) -> &'static str {
        match self {
            Self::F32Integer | Self::I32 => "RAW_I32",
            Self::I64 | Self::Limbs2 => "RAW_I64",
            Self::Limbs5 => "RAW_WIDE",
            Self::F32 => "RAW_F32",
            Self::F64 => "RAW_F64",
        }
    }
}

/// The text of the shader that makes the sums.
pub(super) fn source(sums: Sums, image: Dtype, kernel_signed: bool, bank: bool) -> String {
    let mut header = format!("const IMAGE: u32 = {}u;\n", image as u8);
    let f64_load = include_str!("../../../shaders/parts/convolve_f64_words.wgsl");
    let type_part = match sums {
        Sums::F32 | Sums::F32Integer => include_str!("../../../shaders/parts/convolve_f32.wgsl"),
        Sums::I32 => include_str!("../../../shaders/parts/convolve_i32.wgsl"),
        Sums::I64 => include_str!("../../../shaders/parts/convolve_i64.wgsl"),
        Sums::F64 => include_str!("../../../shaders/parts/convolve_f64.wgsl"),
        Sums::Limbs2 => include_str!("../../../shaders/parts/convolve_limbs2.wgsl"),
        Sums::Limbs5 => include_str!("../../../shaders/parts/convolve_limbs5.wgsl"),
    };
    if !sums.is_tiled() {
        header += &format!("const IMAGE_SIGNED: bool = {};\n", image.is_signed_integer());
        header += &format!("const KERNEL_SIGNED: bool = {kernel_signed};\n");
        return join(&[&header, PARAMS, WORDS, type_part, LIMBS]);
    }
    header += &format!("const INTEGER: bool = {};\nconst BANK: bool = {bank};\n", sums == Sums::F32Integer);
    match (sums, image) {
        (Sums::F64, Dtype::F64) => {
            let doubles = include_str!("../../../shaders/parts/convolve_f64_doubles.wgsl");
            join(&[&header, PARAMS, type_part, doubles, TILED])
        }
        (Sums::F64, _) => join(&[&header, PARAMS, WORDS, type_part, f64_load, TILED]),
        _ => join(&[&header, PARAMS, WORDS, type_part, TILED]),
    }
}

/// The text of the shader that turns sums into results.
pub(super) fn finish_source(sums: Sums, out: Dtype) -> String {
    let header = format!("const RAW: u32 = {};\nconst OUT: u32 = {}u;\n", sums.raw(), out as u8);
    join(&[&header, FINISH])
}

/// The uniforms of `convolve.wgsl` and `convolve_wide.wgsl`; documented in `parts/convolve_params.wgsl`.
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
}

/// The uniforms of `convolve_finish.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, Pod, Zeroable)]
pub(super) struct FinishParams {
    pub first: u32,
    pub end: u32,
    pub count: u32,
    pub unused: u32,
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
            blocks_y
        })
    };
    let all = [Sums::F32, Sums::F32Integer, Sums::I32, Sums::I64, Sums::Limbs2, Sums::Limbs5, Sums::F64];
    let mut variants = vec![];
    for sums in all {
        for image in Dtype::ALL {
            let possible = match sums {
                Sums::F64 => true,
                Sums::F32 => image != Dtype::F64,
                _ => !image.is_float(),
            };
            if !possible {
                continue;
            }
            for flag in [false, true] {
                let label = if sums.is_tiled() { "convolve" } else { "convolve_wide" };
                variants.push(Variant { label, source: source(sums, image, flag, flag), layouts: vec![layout()] });
            }
        }
        for out in Dtype::ALL {
            let layouts = vec![layout!(FinishParams { first, end, count, unused })];
            variants.push(Variant { label: "convolve_finish", source: finish_source(sums, out), layouts });
        }
    }
    variants
}
