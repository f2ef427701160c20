//! The shaders of scans: which there are, and what they are joined from.

use crate::Dtype;
use crate::gpu::lanes::{self, Params};
use crate::gpu::pipeline::Slot;
use crate::gpu::shaders;
use crate::plan::ScanOp;

/// The passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Totals,
    Up,
    Down,
    Results,
}

impl Stage {
    const ALL: [Self; 4] = [Self::Totals, Self::Up, Self::Down, Self::Results];

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Totals => "scan_totals",
            Self::Up | Self::Down => "scan_carry",
            Self::Results => "scan",
        }
    }

    pub(super) fn slots(self) -> &'static [Slot] {
        match self {
            Self::Totals => &[Slot::Read, Slot::ReadWrite, Slot::Uniform],
            Self::Up | Self::Down => &[Slot::ReadWrite, Slot::Uniform],
            Self::Results => &[Slot::Read, Slot::ReadWrite, Slot::ReadWrite, Slot::ReadWrite, Slot::Uniform],
        }
    }
}

/// What the shaders of a scan depend on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Variant {
    pub(super) op: ScanOp,
    pub(super) dtype: Dtype,
    /// Of the results.
    pub(super) out: Dtype,
    pub(super) skip_nan: bool,
    pub(super) int64: bool,
}

macro_rules! part {
    ($name:literal) => {
        include_str!(concat!("../../../shaders/parts/", $name, ".wgsl"))
    };
}

impl Variant {
    pub(super) fn is_exact_sum(self) -> bool {
        self.op == ScanOp::Sum && self.dtype.is_float()
    }

    pub(super) fn is_extreme(self) -> bool {
        matches!(self.op, ScanOp::Min | ScanOp::Max)
    }

    /// Words of an exact sum: the range of the type, and room for 2^64 elements.
    pub(super) fn limbs(self) -> u32 {
        if self.dtype == Dtype::F64 { 68 } else { 12 }
    }

    /// Words of a state.
    pub(super) fn words(self) -> u64 {
        match self.op {
            ScanOp::Sum if self.dtype.is_float() => u64::from(self.limbs()) + 1,
            ScanOp::Product if self.dtype.is_float() => 5,
            ScanOp::Sum if self.out.is_float() => 3,
            _ => 2,
        }
    }

    /// Elements, or states, of a block. With the loops over the words of an exact sum, fewer than 32,768 rounds.
    pub(super) fn block(self) -> u64 {
        if self.is_exact_sum() && self.dtype == Dtype::F64 { 128 } else { 256 }
    }

    pub(super) fn workgroup(self) -> u32 {
        if self.is_exact_sum() && self.dtype == Dtype::F64 { 32 } else { 64 }
    }

    pub(super) fn source(self, stage: Stage) -> String {
        let Self { op, dtype, out, skip_nan, int64 } = self;
        let one = match out {
            _ if op != ScanOp::Product => 0,
            Dtype::F32 => u64::from(1f32.to_bits()),
            Dtype::F64 => 1f64.to_bits(),
            _ => 1,
        };
        let header = lanes::constants(dtype)
            + &format!(
                "const WG: u32 = {}u;\nconst BLOCK: u32 = {}u;\nconst LIMBS: u32 = {}u;\nconst PRODUCT: bool = {};\nconst UP: bool = {};\n\
                 const SMALLER: bool = {};\nconst OUT_SIZE: u32 = {}u;\nconst OUT_SIGNED: bool = {};\n\
                 const LEAST: u32 = {}u;\nconst ARG: bool = false;\nconst SKIP: bool = {skip_nan};\nconst ABS: bool = false;\n\
                 const IDENTITY_LOW: u32 = {}u;\nconst IDENTITY_HIGH: u32 = {}u;\n",
                self.workgroup(),
                self.block(),
                self.limbs(),
                op == ScanOp::Product,
                stage == Stage::Up,
                op == ScanOp::Min,
                out.size(),
                out.is_signed_integer(),
                if dtype == Dtype::F64 { 1074 } else { 149 },
                one as u32,
                one >> 32,
            );
        let mut parts = vec![header.as_str(), lanes::PARAMS];
        match op {
            ScanOp::Sum if dtype.is_float() => parts.push(part!("scan_limbs")),
            ScanOp::Product if dtype.is_float() => parts.extend([
                shaders::mul_wide(int64),
                part!("reduce_product_float"),
                part!("reduce_product_float_push"),
                part!("reduce_product_float_round"),
                part!("scan_product_float"),
            ]),
            ScanOp::Sum if out.is_float() => parts.push(part!("scan_integers_float")),
            ScanOp::Sum | ScanOp::Product => parts.extend([shaders::mul_wide(int64), part!("scan_integers")]),
            _ => parts.extend([part!("reduce_key"), part!("reduce_unkey"), part!("scan_extreme")]),
        }
        match stage {
            Stage::Totals => parts.extend([lanes::ELEMENT, include_str!("../../../shaders/scan_totals.wgsl")]),
            Stage::Up | Stage::Down => parts.push(include_str!("../../../shaders/scan_carry.wgsl")),
            Stage::Results => parts.extend([
                lanes::ELEMENT,
                if out.size() < 4 { part!("put_narrow") } else { part!("put_words") },
                include_str!("../../../shaders/scan.wgsl"),
            ]),
        }
        shaders::join(&parts)
    }
}

/// Every shader variant: of its own dtype, and of another where there is one.
#[allow(dead_code, reason = "read by tests")]
pub(in crate::gpu) fn variants() -> Vec<shaders::Variant> {
    let mut list = vec![];
    for op in ScanOp::ALL {
        for dtype in Dtype::ALL.into_iter().filter(|dtype| !dtype.is_complex()) {
            let other = match op {
                ScanOp::Sum if dtype == Dtype::F32 => Dtype::F64,
                ScanOp::Sum => Dtype::F32,
                ScanOp::Product if dtype.is_float() => Dtype::F32,
                ScanOp::Product => Dtype::I16,
                _ => dtype,
            };
            for out in [op.out_dtype(dtype), other] {
                for stage in Stage::ALL {
                    let source = Variant { op, dtype, out, skip_nan: out == other, int64: dtype.size() == 4 }.source(stage);
                    list.push(shaders::Variant { label: stage.label(), source, layouts: vec![Params::layout()] });
                }
            }
        }
    }
    list
}
