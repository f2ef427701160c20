//! The text of the reduction shaders: constants, parts and a main file, joined.

use super::params::Params;
use crate::gpu::shaders;
use crate::{Dtype, ReduceOp};

/// The three passes over elements, and the two over states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    /// Contiguous runs, a workgroup or more per result.
    Flat,
    /// Any axes, a workgroup or more per result.
    Together,
    /// Any axes, an invocation or more per result.
    Alone,
    /// Slots of the state into one.
    Fold,
    /// States into results.
    Finish,
}

impl Stage {
    pub(super) const ALL: [Self; 5] = [Self::Flat, Self::Together, Self::Alone, Self::Fold, Self::Finish];

    /// The shader's name.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Flat => "reduce_flat",
            Self::Together => "reduce_together",
            Self::Alone => "reduce_alone",
            Self::Fold => "reduce_fold",
            Self::Finish => "reduce_finish",
        }
    }
}

/// What a family of reduction shaders is specialised for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Variant {
    pub(super) op: ReduceOp,
    pub(super) dtype: Dtype,
    /// Invocations per workgroup, a power of two.
    pub(super) workgroup: u32,
    /// Whether an invocation keeps several loads in flight. Four times the code: a waste on a CPU.
    pub(super) batched: bool,
    /// Whether the device has 64-bit integers.
    pub(super) int64: bool,
}

/// Bits of a digit of an exact float sum.
pub(super) const DIGIT_BITS: u32 = 23;

/// Additions that a digit takes before its carry must move on (256 would still fit).
const RUN: u32 = 240;

macro_rules! part {
    ($name:literal) => {
        include_str!(concat!("../../../shaders/parts/reduce_", $name, ".wgsl"))
    };
}

impl Variant {
    /// Whether the state is a fixed-point number in workgroup memory.
    pub(super) fn is_float_sum(&self) -> bool {
        self.dtype.is_float() && matches!(self.op, ReduceOp::Sum | ReduceOp::Mean)
    }

    /// Digits of an exact float sum: the type's range and 64 bits for the number of terms.
    pub(super) fn digits(&self) -> u32 {
        match (self.is_float_sum(), self.dtype) {
            (true, Dtype::F32) => 15,
            (true, _) => 94,
            _ => 6,
        }
    }

    /// Words of one state.
    pub(super) fn words(&self) -> u32 {
        match self.op {
            ReduceOp::Sum | ReduceOp::Mean if self.is_float_sum() => self.digits() + 1,
            ReduceOp::Sum | ReduceOp::Mean | ReduceOp::ArgMin | ReduceOp::ArgMax => 4,
            ReduceOp::Product => 5,
            _ => 2,
        }
    }

    /// Bytes of workgroup memory of a stage.
    pub(super) fn workgroup_bytes(&self, stage: Stage) -> u32 {
        match stage {
            Stage::Finish => 0,
            _ if self.is_float_sum() => self.workgroup * self.digits() * 4 + 16,
            // A state of five words is padded to eight.
            _ => self.workgroup * self.words().next_power_of_two() * 4,
        }
    }

    /// A name for caches: everything the text depends on.
    pub(super) fn key(&self) -> String {
        format!("{} {} {} {} {}", self.op, self.dtype, self.workgroup, self.batched, self.int64)
    }

    fn constants(&self, stage: Stage) -> String {
        let Self { op, dtype, workgroup, .. } = *self;
        let signed = dtype.is_signed_integer();
        let count = match op {
            ReduceOp::Any => 0,
            ReduceOp::All => 1,
            _ => 2,
        };
        format!(
            "const WG: u32 = {workgroup}u;\nconst RUN: u32 = {RUN}u;\nconst DIGITS: u32 = {digits}u;\nconst SIGNED: bool = {signed};\n\
             const FLOAT: bool = {float};\nconst WIDE: bool = {wide};\nconst SMALLER: bool = {smaller};\nconst ARG: bool = {arg};\n\
             const MEAN: bool = {mean};\nconst COUNT: u32 = {count}u;\nconst OUT_SIZE: u32 = {out}u;\nconst TOGETHER: bool = {together};\n",
            digits = self.digits(),
            float = dtype.is_float(),
            wide = dtype.size() == 8,
            smaller = matches!(op, ReduceOp::Min | ReduceOp::ArgMin),
            arg = matches!(op, ReduceOp::ArgMin | ReduceOp::ArgMax),
            mean = op == ReduceOp::Mean,
            out = op.out_dtype(dtype).size(),
            together = stage == Stage::Together,
        )
    }

    fn load(&self) -> &'static str {
        match self.dtype.size() {
            1 => part!("load8"),
            2 => part!("load16"),
            4 => part!("load32"),
            _ => part!("load64"),
        }
    }

    /// The accumulator: what all stages but the last need.
    fn accumulator(&self) -> Vec<&'static str> {
        let (state, push): (&[&str], &str) = match self.op {
            ReduceOp::Sum | ReduceOp::Mean if self.is_float_sum() => {
                let push = if self.dtype == Dtype::F32 { part!("push_f32") } else { part!("push_f64") };
                return vec![part!("digits"), push];
            }
            ReduceOp::Sum | ReduceOp::Mean => (&[part!("sum_int")], part!("sum_int_push")),
            ReduceOp::Product if self.dtype.is_float() => {
                (&[shaders::mul_wide(self.int64), part!("product_float")], part!("product_float_push"))
            }
            ReduceOp::Product => (&[shaders::mul_wide(self.int64), part!("product_int")], part!("product_int_push")),
            ReduceOp::Min | ReduceOp::Max => (&[part!("key"), part!("extreme")], part!("extreme_push")),
            ReduceOp::ArgMin | ReduceOp::ArgMax => (&[part!("key"), part!("arg")], part!("arg_push")),
            ReduceOp::Any | ReduceOp::All | ReduceOp::CountNonzero => (&[part!("count")], part!("count_push")),
        };
        [state, &[push, part!("registers")]].concat()
    }

    fn finish(&self) -> Vec<&'static str> {
        match self.op {
            ReduceOp::Sum | ReduceOp::Mean if self.is_float_sum() => vec![part!("finish_float"), part!("finish_ratio")],
            ReduceOp::Mean => vec![part!("finish_mean_int"), part!("finish_ratio")],
            ReduceOp::Sum => vec![part!("finish_sum_int")],
            ReduceOp::Product if self.dtype.is_float() => vec![part!("finish_product_float")],
            ReduceOp::Product => vec![part!("finish_product_int")],
            ReduceOp::Min | ReduceOp::Max => vec![part!("finish_extreme")],
            ReduceOp::ArgMin | ReduceOp::ArgMax => vec![part!("finish_arg")],
            ReduceOp::Any | ReduceOp::All | ReduceOp::CountNonzero => vec![part!("finish_count")],
        }
    }

    /// The whole shader.
    pub(super) fn source(&self, stage: Stage) -> String {
        let mut parts = vec![part!("params")];
        match stage {
            Stage::Finish => parts.extend(self.finish()),
            _ => parts.extend(self.accumulator()),
        }
        match stage {
            Stage::Flat => {
                let run = if self.batched { part!("run4") } else { part!("run1") };
                parts.extend([self.load(), run, include_str!("../../../shaders/reduce_flat.wgsl")]);
            }
            Stage::Together | Stage::Alone => {
                parts.extend([self.load(), include_str!("../../../shaders/reduce_strided.wgsl")]);
            }
            Stage::Fold => parts.push(include_str!("../../../shaders/reduce_fold.wgsl")),
            Stage::Finish => parts.push(include_str!("../../../shaders/reduce_finish.wgsl")),
        }
        self.constants(stage) + &parts.join("\n")
    }
}

/// Every variant, with the workgroup sizes of a portable device.
pub(super) fn all() -> Vec<shaders::Variant> {
    let mut list = Vec::new();
    for op in ReduceOp::ALL {
        for dtype in Dtype::ALL {
            let workgroup = if dtype == Dtype::F64 { 32 } else { 256 };
            for variant in [false, true].map(|rich| Variant { op, dtype, workgroup, batched: rich, int64: rich }) {
                list.extend(Stage::ALL.map(|stage| shaders::Variant {
                    label: stage.label(),
                    source: variant.source(stage),
                    layouts: vec![Params::layout()],
                }));
            }
        }
    }
    list
}
