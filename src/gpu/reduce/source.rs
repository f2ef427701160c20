//! The text of the reduction shaders: constants, parts and a main file, joined.

use super::params::Params;
use crate::gpu::shaders;
use crate::plan::{Exponent, NormOrder};
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
    /// Whether NaN is passed over.
    pub(super) skip: bool,
    /// Whether what is no NaN is counted, instead of what is not zero.
    pub(super) valid: bool,
    /// Whether a mask says which elements count.
    pub(super) masked: bool,
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
        self.is_power() || (self.dtype.is_float() && (self.is_sum() || self.is_product_sum()))
    }

    fn is_sum(&self) -> bool {
        matches!(self.op, ReduceOp::Sum | ReduceOp::Mean | ReduceOp::Norm(NormOrder::One))
    }

    /// Whether powers are summed: numbers of binary64, whatever the elements are.
    pub(super) fn is_power(&self) -> bool {
        matches!(self.op, ReduceOp::Norm(NormOrder::Power(_)))
    }

    /// Whether numbers of binary64 are summed.
    pub(super) fn is_wide_sum(&self) -> bool {
        self.is_float_sum() && (self.is_power() || self.dtype == Dtype::F64)
    }

    /// Whether products or squares are summed.
    pub(super) fn is_product_sum(&self) -> bool {
        matches!(self.op, ReduceOp::Dot | ReduceOp::Norm(NormOrder::Two))
    }

    /// Whether magnitudes are reduced.
    pub(super) fn is_magnitude(&self) -> bool {
        matches!(self.op, ReduceOp::Norm(NormOrder::One | NormOrder::Max | NormOrder::Min))
    }

    /// Digits of an exact float sum: the range of the type or of its products, and 64 bits for the number of terms.
    pub(super) fn digits(&self) -> u32 {
        match (self.is_float_sum(), self.is_product_sum(), self.is_wide_sum()) {
            (true, false, false) => 15,
            (true, false, true) => 94,
            (true, true, false) => 28,
            (true, true, true) => 187,
            _ => 6,
        }
    }

    /// The exponent of the lowest bit of an exact float sum.
    pub(super) fn least(&self) -> i32 {
        let least = if self.is_wide_sum() { -1074 } else { -149 };
        if self.is_product_sum() { 2 * least } else { least }
    }

    /// Words of one state.
    pub(super) fn words(&self) -> u32 {
        match self.op {
            _ if self.is_float_sum() => self.digits() + 1,
            _ if self.is_product_sum() => 6,
            ReduceOp::Sum | ReduceOp::Mean | ReduceOp::Norm(NormOrder::One) | ReduceOp::ArgMin | ReduceOp::ArgMax => 4,
            ReduceOp::Product => 5,
            _ => 2,
        }
    }

    /// Bytes of workgroup memory of a stage.
    pub(super) fn workgroup_bytes(&self, stage: Stage) -> u32 {
        match stage {
            Stage::Finish => 0,
            _ if self.is_float_sum() => self.workgroup * self.digits() * 4 + 16,
            // A state of five or six words is padded to eight.
            _ => self.workgroup * self.words().next_power_of_two() * 4,
        }
    }

    /// A name for caches: everything the text depends on.
    pub(super) fn key(&self) -> String {
        let Self { dtype, workgroup, batched, int64, skip, valid, masked, .. } = self;
        // The order of a norm is no part of the text.
        let op = if self.is_power() { "powers".into() } else { self.op.to_string() };
        format!("{op} {dtype} {workgroup} {batched} {int64} {skip} {valid} {masked}")
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
             const MEAN: bool = {mean};\nconst COUNT: u32 = {count}u;\nconst OUT_SIZE: u32 = {out}u;\nconst TOGETHER: bool = {together};\n\
             const SKIP: bool = {skip};\nconst ABS: bool = {abs};\nconst VALID: bool = {valid};\n",
            skip = self.skip,
            abs = self.is_magnitude(),
            valid = self.valid,
            digits = self.digits(),
            float = dtype.is_float(),
            wide = dtype.size() == 8,
            smaller = op.is_smaller(),
            arg = op.is_arg(),
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

    /// Whether two operands are read.
    pub(super) fn is_paired(&self) -> bool {
        self.masked || self.op == ReduceOp::Dot
    }

    /// The operands of the shaders that read one element at a time.
    fn operands(&self) -> &'static str {
        match self.op {
            ReduceOp::Dot => part!("both"),
            _ if self.masked => part!("masked"),
            _ => part!("one"),
        }
    }

    /// The accumulator: what all stages but the last need.
    fn accumulator(&self) -> Vec<&'static str> {
        let wide = self.dtype.size() == 8;
        let square = part!("square");
        if self.is_power() {
            let functions = [shaders::DOUBLE_ARITHMETIC, shaders::DOUBLE_OF, shaders::DOUBLE_FUNCTIONS, shaders::DOUBLE_POWER];
            let sums = [part!("digits"), part!("push_f64"), part!("power")];
            return [&[shaders::mul_wide(self.int64), shaders::WORDS64], &functions[..], &sums].concat();
        }
        if self.is_float_sum() {
            return match (self.is_product_sum(), wide) {
                (false, false) => vec![part!("digits"), part!("push_f32")],
                (false, true) => vec![part!("digits"), part!("push_f64"), part!("double")],
                (true, false) => vec![shaders::mul_wide(self.int64), part!("digits"), part!("product_f32"), square],
                (true, true) => vec![shaders::mul_wide(self.int64), part!("digits"), part!("product_f64"), square],
            };
        }
        if self.is_product_sum() {
            return vec![shaders::mul_wide(self.int64), part!("dot_int"), square, part!("registers_shared")];
        }
        let (state, push): (&[&str], &str) = match self.op {
            ReduceOp::Sum | ReduceOp::Mean | ReduceOp::Norm(NormOrder::One) => (&[part!("sum_int")], part!("sum_int_push")),
            ReduceOp::Product if self.dtype.is_float() => {
                let parts = &[shaders::mul_wide(self.int64), part!("product_float"), part!("product_float_state")];
                return [&parts[..], &[part!("product_float_push"), part!("registers"), part!("registers_shared")]].concat();
            }
            ReduceOp::Product => (&[shaders::mul_wide(self.int64), part!("product_int")], part!("product_int_push")),
            ReduceOp::Min | ReduceOp::Max | ReduceOp::Norm(_) => (&[part!("key"), part!("extreme")], part!("extreme_push")),
            ReduceOp::ArgMin | ReduceOp::ArgMax => (&[part!("key"), part!("arg")], part!("arg_push")),
            _ => (&[part!("count")], part!("count_push")),
        };
        [state, &[push, part!("registers"), part!("registers_shared")]].concat()
    }

    fn finish(&self) -> Vec<&'static str> {
        match self.op {
            ReduceOp::Sum | ReduceOp::Mean if self.is_float_sum() => vec![part!("finish_float"), part!("finish_ratio")],
            ReduceOp::Mean => vec![part!("finish_mean_int"), part!("finish_ratio")],
            ReduceOp::Sum => vec![part!("finish_sum_int")],
            ReduceOp::Product if self.dtype.is_float() => vec![part!("product_float_round"), part!("finish_product_float")],
            ReduceOp::Product => vec![part!("finish_product_int")],
            ReduceOp::Min | ReduceOp::Max => vec![part!("unkey"), part!("finish_extreme")],
            ReduceOp::ArgMin | ReduceOp::ArgMax => vec![part!("finish_arg")],
            _ => vec![part!("finish_count")],
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
                parts.extend([self.load(), self.operands(), include_str!("../../../shaders/reduce_strided.wgsl")]);
            }
            Stage::Fold => parts.push(include_str!("../../../shaders/reduce_fold.wgsl")),
            Stage::Finish => parts.push(include_str!("../../../shaders/reduce_finish.wgsl")),
        }
        self.constants(stage) + &parts.join("\n")
    }
}

/// The operations with shaders; others are made from theirs. The first ten have results on the device.
pub(super) const OPS: [ReduceOp; 16] = [
    ReduceOp::Sum,
    ReduceOp::Product,
    ReduceOp::Min,
    ReduceOp::Max,
    ReduceOp::Mean,
    ReduceOp::ArgMin,
    ReduceOp::ArgMax,
    ReduceOp::Any,
    ReduceOp::All,
    ReduceOp::CountNonzero,
    ReduceOp::Norm(NormOrder::One),
    ReduceOp::Norm(NormOrder::Two),
    ReduceOp::Norm(NormOrder::Max),
    ReduceOp::Norm(NormOrder::Min),
    ReduceOp::Dot,
    ReduceOp::Norm(NormOrder::Power(Exponent::THREE)),
];

/// Every variant, with the workgroup sizes of a portable device.
pub(super) fn all() -> Vec<shaders::Variant> {
    let mut list = Vec::new();
    for (i, op) in OPS.into_iter().enumerate() {
        for dtype in Dtype::ALL {
            let power = matches!(op, ReduceOp::Norm(NormOrder::Power(_)));
            let workgroup = if dtype == Dtype::F64 || power { 16 } else { 256 };
            for rich in [false, true] {
                let (skip, valid) = (rich && dtype.is_float(), rich && op == ReduceOp::CountNonzero);
                let masked = rich && op != ReduceOp::Dot;
                let variant = Variant { op, dtype, workgroup, batched: rich, int64: rich, skip, valid, masked };
                let flat = |stage| stage == Stage::Flat && op == ReduceOp::Dot;
                let stages = Stage::ALL.into_iter().filter(|&stage| !flat(stage) && (i < 10 || stage != Stage::Finish));
                list.extend(stages.map(|stage| shaders::Variant {
                    label: stage.label(),
                    source: variant.source(stage),
                    layouts: vec![Params::layout()],
                }));
            }
        }
    }
    list
}
