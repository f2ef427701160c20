//! Sums, means, variances and extremes by group on the GPU: see `shaders/group_values.wgsl`.

use super::{Finder, Params, Pass, Search};
use crate::array::collect;
use crate::engine::Input;
use crate::exact::{ExactDot, Moments};
use crate::gpu::dispatch::Bind;
use crate::gpu::memory::Block;
use crate::gpu::pipeline::{Shader, Slot};
use crate::gpu::reduce::order_key;
use crate::gpu::{lanes, shaders};
use crate::plan::{GroupOp, GroupPlan, Grouped, Partials};
use crate::{Dtype, Error, ExactSum, Result};

/// Words of workgroup memory that hold the states of all groups, where those fit.
const LOCAL: u32 = 4096;
/// Elements added before the states are read: their counts have 32 bits.
const MOST: u64 = 1 << 31;

/// What the text depends on.
#[derive(Debug, Clone, Copy)]
struct Variant {
    finder: Finder,
    op: GroupOp,
    dtype: Dtype,
    private: bool,
    /// Of extremes: the key or its high word, its low word, the index.
    pass: u32,
}

impl Variant {
    /// 0: sums of integers, 1: of floats, 2: extremes.
    fn kind(self) -> u32 {
        match self.op {
            GroupOp::Min | GroupOp::Max | GroupOp::ArgMin | GroupOp::ArgMax => 2,
            _ => u32::from(self.dtype.is_float()),
        }
    }

    /// Words of a sum of magnitudes of floats: the range of the type, and 64 bits for the number of terms.
    fn limbs(self) -> usize {
        if self.dtype == Dtype::F64 { 68 } else { 12 }
    }

    /// Words of a sum of squares: twice the range, and 64 bits for the number of terms. None where there is no such sum.
    fn squares(self) -> usize {
        match (self.op, self.dtype) {
            (GroupOp::Var { .. } | GroupOp::Std { .. }, Dtype::F64) => 134,
            (GroupOp::Var { .. } | GroupOp::Std { .. }, Dtype::F32) => 20,
            (GroupOp::Var { .. } | GroupOp::Std { .. }, _) => 5,
            _ => 0,
        }
    }

    /// Words of a group's state, the count included.
    fn words(self) -> usize {
        match self.kind() {
            0 => 5 + self.squares(),
            1 => 2 * self.limbs() + 2 + self.squares(),
            _ => 4,
        }
    }

    fn is_arg(self) -> bool {
        matches!(self.op, GroupOp::ArgMin | GroupOp::ArgMax)
    }

    fn is_smaller(self) -> bool {
        matches!(self.op, GroupOp::Min | GroupOp::ArgMin)
    }

    fn source(self) -> String {
        let constants = lanes::constants(self.dtype)
            + &format!(
                "const KIND: u32 = {}u;\nconst WORDS: u32 = {}u;\nconst LIMBS: u32 = {}u;\nconst SQUARES: u32 = {}u;\nconst PASS: u32 = {}u;\n\
                 const PRIVATE: bool = {};\nconst LOCAL: u32 = {}u;\nconst SMALLER: bool = {};\nconst ARG: bool = {};\n\
                 const SKIP: bool = false;\nconst ABS: bool = false;\n",
                self.kind(),
                self.words(),
                self.limbs(),
                self.squares(),
                self.pass,
                self.private,
                if self.private { LOCAL } else { 1 },
                self.is_smaller(),
                self.is_arg(),
            );
        let parts = [
            include_str!("../../../shaders/parts/reduce_key.wgsl"),
            lanes::ELEMENT,
            shaders::mul_wide(false),
            include_str!("../../../shaders/group_values.wgsl"),
        ];
        self.finder.source(&constants, &parts)
    }
}

/// Bytes that the states of all groups take.
pub(super) fn bytes(plan: &GroupPlan) -> u64 {
    let words = match (plan.values, plan.op) {
        (Some(dtype), op) if plan.cells.is_none() && op != GroupOp::Median => {
            let finder = Finder { dtype: plan.keys, mode: 0, workgroup: 1 };
            Variant { finder, op, dtype, private: false, pass: 0 }.words()
        }
        _ => 1,
    };
    (4 * words * plan.results()) as u64
}

/// Every shader variant of values.
pub(super) fn variants() -> Vec<shaders::Variant> {
    let mut list = vec![];
    for dtype in Dtype::ALL.into_iter().filter(|dtype| !dtype.is_complex()) {
        for (op, passes) in
            [(GroupOp::Sum, 0..1), (GroupOp::Var { ddof: 0 }, 0..1), (GroupOp::Min, 0..2), (GroupOp::ArgMax, 0..3)]
        {
            for pass in passes {
                let finder = Finder { dtype: Dtype::I16, mode: pass, workgroup: 64 };
                let source = Variant { finder, op, dtype, private: pass != 1, pass }.source();
                list.push(shaders::Variant { label: "group_values", source, layouts: vec![Params::layout()] });
            }
        }
    }
    list
}

/// Reduces values.
pub(super) fn run(search: &Search<'_>, keys: &Input<'_>, values: &Input<'_>, mut grouped: Grouped) -> Result<Grouped> {
    let (context, plan, control) = (search.context, search.plan, search.control);
    let (op, dtype, groups) = (plan.op.ddof(0), values.dtype(), plan.groups.len());
    let mut variant = Variant { finder: search.finder, op, dtype, private: false, pass: 0 };
    variant.private = groups * variant.words() <= LOCAL as usize && 4 * LOCAL <= context.limits.workgroup_memory;
    let bytes = 4 * (groups * variant.words()) as u64;
    let states = context.block(bytes)?;
    context.clear(&states, bytes)?;
    let passes = match (variant.kind(), variant.is_arg(), dtype.size() == 8) {
        (2, false, true) => vec![0, 1],
        (2, true, true) => vec![0, 1, 2],
        (2, true, false) => vec![0, 2],
        _ => vec![0],
    };
    let pipelines = passes
        .iter()
        .map(|&pass| {
            let variant = Variant { pass, ..variant };
            context.pipeline(&Shader {
                label: "group_values",
                source: &|| variant.source(),
                variant: &format!("{variant:?}"),
                constants: &[],
                workgroup: [search.finder.workgroup, 1, 1],
                workgroup_bytes: if variant.private { 4 * LOCAL } else { 4 },
                slots: &[Slot::Read, Slot::Read, Slot::Read, Slot::ReadWrite, Slot::Uniform],
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let (mut held, mut first) = (0, 0);
    search.chunks(&[keys, values], &mut |range, parts| {
        // Extremes are those of one chunk: their low words and indices follow from what was best there.
        if held + range.len() as u64 > MOST || (variant.kind() == 2 && held > 0) {
            merge(&mut grouped, &read(search, variant, &states)?, op, first)?;
            context.clear(&states, bytes)?;
            held = 0;
        }
        if held == 0 {
            first = range.start as u64;
        }
        held += range.len() as u64;
        for pipeline in &pipelines {
            let binds = [Bind::Block(&parts[0].0), Bind::Block(&search.table), Bind::Block(&parts[1].0), Bind::Block(&states)];
            let key = &format!("group_values {op:?} {dtype}");
            let pass = Pass { pipeline, key, params: search.params, binds: &binds };
            search.dispatch(&pass, range.len(), parts)?;
        }
        control.advance(range.len() as u64);
        Ok(())
    })?;
    merge(&mut grouped, &read(search, variant, &states)?, op, first)?;
    Ok(grouped)
}

fn merge(grouped: &mut Grouped, more: &Grouped, op: GroupOp, first: u64) -> Result<()> {
    grouped.merge(more, op, first)
}

/// The states as the partials of the plan.
fn read(search: &Search<'_>, variant: Variant, states: &Block) -> Result<Grouped> {
    let mut grouped = search.plan.empty()?;
    let (words, limbs) = (variant.words(), variant.limbs());
    let bytes = search.context.read_small(states, 4 * (grouped.counts.len() * words) as u64)?;
    let all: Vec<u32> = collect(bytes.as_chunks::<4>().0.iter().map(|&word| u32::from_le_bytes(word)))?;
    let states = || all.chunks_exact(words).enumerate();
    for (group, state) in states() {
        grouped.counts[group] = u64::from(state[words - 1]);
    }
    let key = |state: &[u32]| match variant.dtype.size() {
        8 => order_key(variant.dtype, variant.is_smaller(), u64::from(state[1]) | u64::from(state[0]) << 32),
        _ => order_key(variant.dtype, variant.is_smaller(), u64::from(state[0])),
    };
    let least = if variant.dtype == Dtype::F32 { -149 } else { -1074 };
    let float = variant.dtype.is_float();
    match &mut grouped.partials {
        Some(Partials::Integer(sums)) => states().for_each(|(group, state)| sums[group] = integer(state)),
        Some(Partials::Moments(moments)) => {
            for (group, state) in states() {
                let (mut sum, mut squares) = (ExactSum::new(), ExactDot::new());
                let (first, least) = if float { (2 * limbs + 1, 2 * least) } else { (4, 0) };
                if float {
                    sum = exact_sum(state, limbs, least / 2);
                    let flags = state[2 * limbs];
                    [f64::INFINITY, f64::INFINITY, f64::NAN].into_iter().enumerate().for_each(|(bit, x)| {
                        if flags >> bit & 1 == 1 {
                            squares.push(x, x);
                        }
                    });
                } else {
                    sum.add_scaled(integer(state), 0);
                }
                for (i, &limb) in state[first..words - 1].iter().enumerate() {
                    squares.add_scaled(i128::from(limb), least + 32 * i as i32);
                }
                moments[group] = Moments::from_parts(grouped.counts[group], sum, squares);
            }
        }
        Some(Partials::Float(sums)) => {
            for (group, state) in states() {
                sums[group] = exact_sum(state, limbs, least);
            }
        }
        Some(Partials::Extreme(keys)) => {
            states().for_each(|(group, state)| keys[group] = (state[words - 1] > 0).then(|| key(state)));
        }
        Some(Partials::Arg(found)) => states().for_each(|(group, state)| {
            found[group] = (state[words - 1] > 0).then(|| (key(state), u64::from(!state[2])));
        }),
        _ => return Err(Error::invalid("partials", "those of another operation", "sums or extremes")),
    }
    Ok(grouped)
}

fn integer(state: &[u32]) -> i128 {
    let low = i128::from(state[0]) | i128::from(state[1]) << 32 | i128::from(state[2]) << 64;
    low - (i128::from(state[3]) << 64)
}

fn exact_sum(state: &[u32], limbs: usize, least: i32) -> ExactSum {
    let (mut sum, flags) = (ExactSum::new(), state[2 * limbs]);
    if state.last() == Some(&0) {
        return sum;
    }
    if flags & 8 == 0 {
        sum.push(-0.0);
        return sum;
    }
    sum.push(0.0);
    for (flag, value) in [(1, f64::INFINITY), (2, f64::NEG_INFINITY), (4, f64::NAN)] {
        if flags & flag != 0 {
            sum.push(value);
        }
    }
    if flags & 7 == 0 {
        for (i, &limb) in state[..2 * limbs].iter().enumerate().filter(|(_, limb)| **limb != 0) {
            let value = if i < limbs { i128::from(limb) } else { -i128::from(limb) };
            sum.add_scaled(value, least + 32 * (i % limbs) as i32);
        }
    }
    sum
}
