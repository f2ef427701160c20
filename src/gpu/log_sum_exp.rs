//! Logarithms of sums of exponentials on the GPU.
//!
//! A piece's exponents become numbers of binary64, in integers; their largest is found, each becomes its term by the functions
//! of `expr/binary64.rs`, and the terms are summed exactly. Each step is that of the CPU, and so are the bits. One number
//! per lane comes to the host at a time.

use std::ops::Range;
use std::sync::Arc;

use super::context::Context;
use super::dispatch::{Bind, Dispatch, fold};
use super::lanes::{self, Grid, Params, Piece, Source};
use super::memory::{Block, GpuBuffer};
use super::pipeline::{Shader, Slot};
use super::{reduce, shaders};
use crate::array::{HostVec, Storage};
use crate::engine::{Input, Target};
use crate::plan::{Lanes, LogSumExpPlan, Ordered, Partials, Reduce, ReduceOp, ReducePlan};
use crate::{Control, Dtype, Error, ExactSum, Result};

#[cfg(test)]
mod tests;

/// Invocations of a workgroup.
const GROUP: u32 = 64;

/// The passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Elements into numbers.
    Read(Dtype),
    /// Exponents without a factor out of sight.
    Hide,
    /// Exponents into terms.
    Terms { factors: bool },
}

impl Stage {
    fn source(self, int64: bool) -> String {
        let (stage, dtype, factors) = match self {
            Self::Read(dtype) => (0, dtype, false),
            Self::Hide => (1, Dtype::F64, true),
            Self::Terms { factors } => (2, Dtype::F64, factors),
        };
        let header = lanes::constants(dtype)
            + &format!("const WG: u32 = {GROUP}u;\nconst STAGE: u32 = {stage}u;\nconst FACTORS: bool = {factors};\n");
        shaders::join(&[
            &header,
            lanes::PARAMS,
            lanes::ELEMENT,
            shaders::mul_wide(int64),
            shaders::WORDS64,
            shaders::DOUBLE_ARITHMETIC,
            shaders::DOUBLE_OF,
            shaders::DOUBLE_FUNCTIONS,
            include_str!("../../shaders/log_sum_exp.wgsl"),
        ])
    }
}

/// Every shader variant.
#[allow(dead_code, reason = "read by tests")]
pub(super) fn variants() -> Vec<shaders::Variant> {
    let dtypes = Dtype::ALL.into_iter().filter(|dtype| !dtype.is_complex()).map(Stage::Read);
    let stages = dtypes.chain([Stage::Hide, Stage::Terms { factors: false }, Stage::Terms { factors: true }]);
    let variant = |stage: Stage, int64| shaders::Variant {
        label: "log_sum_exp",
        source: stage.source(int64),
        layouts: vec![Params::layout()],
    };
    stages.flat_map(|stage| [variant(stage, false), variant(stage, true)]).collect()
}

/// Runs `plan`: logarithms, then signs.
pub(super) fn run(
    context: &Arc<Context>,
    plan: &LogSumExpPlan,
    inputs: &[Input<'_>],
    targets: Vec<Target<'_>>,
    control: &Control,
) -> Result<Vec<Option<Storage>>> {
    let mut results = vec![plan.finish(f64::NEG_INFINITY, 0.0); plan.lanes.count()];
    if plan.lanes.work() > 0 {
        let (mut first, mut second) = (None, None);
        let exponents = Source::new(context, &plan.lanes, &inputs[0], &mut first)?;
        let of_factors = plan.factors.map(|dtype| Lanes { dtype, ..plan.lanes.clone() });
        let factors = match (&of_factors, inputs.get(1)) {
            (Some(lanes), Some(input)) => Some((Source::new(context, lanes, input, &mut second)?, lanes.dtype)),
            _ => None,
        };
        let work = Work { context, plan, control, exponents, factors };
        let pieces = work.pieces();
        // Stretches of the same lanes follow each other.
        for part in pieces.chunk_by(|a, b| (&a.outer, &a.columns) == (&b.outer, &b.columns)) {
            work.part(part, &mut results)?;
        }
    }
    control.advance(plan.lanes.work());
    let put = |(result, target)| lanes::hand_over(context, result, &plan.shape, target, control);
    plan.results(&results).into_iter().zip(targets).map(put).collect()
}

/// A logarithm of sums at work.
struct Work<'a> {
    context: &'a Arc<Context>,
    plan: &'a LogSumExpPlan,
    control: &'a Control,
    exponents: Source<'a>,
    factors: Option<(Source<'a>, Dtype)>,
}

/// The numbers of a piece: exponents, and factors if there are any.
struct Numbers {
    exponents: GpuBuffer,
    factors: Option<Block>,
    shape: [usize; 3],
}

impl Work<'_> {
    /// Elements of a piece at most.
    fn most(&self) -> usize {
        let wanted = if self.context.caps.software { 1 << 18 } else { 1 << 24 };
        // Elements and numbers of two arrays, numbers of the piece before, what reduces them.
        wanted.min((self.context.share(12) / 8) as usize)
    }

    fn grid(&self) -> Grid {
        self.exponents.grid()
    }

    /// Factors are cut as exponents are, wherever they lie.
    fn pieces(&self) -> Vec<Piece> {
        self.exponents.pieces(self.grid(), self.most())
    }

    /// All stretches of some lanes.
    fn part(&self, part: &[Piece], results: &mut [(f64, f64)]) -> Result<()> {
        let Some(first) = part.first() else { return Ok(()) };
        let mut largest = vec![f64::NEG_INFINITY; first.lanes()];
        let mut numbers = None;
        for piece in part {
            self.control.check()?;
            let found = self.numbers(piece)?;
            for (largest, x) in largest.iter_mut().zip(self.largest(&found)?) {
                *largest = if x.is_nan() || x > *largest { x } else { *largest };
            }
            numbers = Some(found);
        }
        // Subtracted: added with the other sign.
        let anchors: Vec<u64> = largest.iter().map(|&x| (-LogSumExpPlan::anchor(x)).to_bits()).collect();
        let sums = match (part, numbers) {
            ([piece], Some(numbers)) => {
                self.terms(piece, &numbers, &anchors)?;
                self.sums(&numbers)?
            }
            _ => {
                let mut sums = vec![ExactSum::new(); first.lanes()];
                for piece in part {
                    self.control.check()?;
                    let numbers = self.numbers(piece)?;
                    self.terms(piece, &numbers, &anchors)?;
                    let Partials::Float(found) = self.partials(ReduceOp::Sum, &numbers)? else { return Err(mixed()) };
                    sums.iter_mut().zip(&found).for_each(|(sum, more)| sum.merge(more));
                }
                sums.iter().map(ExactSum::to_f64).collect()
            }
        };
        for (lane, (&largest, &sum)) in largest.iter().zip(&sums).enumerate() {
            results[first.lane(self.grid(), lane)] = self.plan.finish(largest, sum);
        }
        Ok(())
    }

    /// Brings a piece to the device, as numbers; exponents whose factor is 0 are −∞.
    fn numbers(&self, piece: &Piece) -> Result<Numbers> {
        let len = piece.len() as u64;
        let read = |source: &Source<'_>, dtype: Dtype| -> Result<Block> {
            let placed = source.place(piece, self.control)?;
            let block = self.context.block(8 * len)?;
            let params = Params { start: placed.start, outer: placed.outer, step: placed.step, ..self.params(piece) };
            self.dispatch(Stage::Read(dtype), params, len, [&placed.block, &placed.block, &block])?;
            Ok(block)
        };
        let exponents = read(&self.exponents, self.plan.lanes.dtype)?;
        let factors = match &self.factors {
            Some((source, dtype)) => Some(read(source, *dtype)?),
            None => None,
        };
        if let Some(factors) = &factors {
            self.dispatch(Stage::Hide, self.params(piece), len, [factors, factors, &exponents])?;
        }
        let exponents = GpuBuffer::new(self.context.clone(), vec![(exponents, 8 * len)]);
        Ok(Numbers { exponents, factors, shape: [piece.outer.len(), piece.at.len(), piece.columns.len()] })
    }

    fn params(&self, piece: &Piece) -> Params {
        let (lanes, width, len) = (piece.lanes() as u32, piece.columns.len() as u32, piece.at.len() as u32);
        Params { lanes, width, len, ..bytemuck::Zeroable::zeroed() }
    }

    /// Turns a piece's exponents into terms.
    fn terms(&self, piece: &Piece, numbers: &Numbers, anchors: &[u64]) -> Result<()> {
        let bytes: &[u8] = bytemuck::cast_slice(anchors);
        let block = self.context.block(bytes.len() as u64)?;
        self.context.upload(&block, bytes.len() as u64, self.control, &mut |range, out| {
            out.copy_from_slice(&bytes[range.start as usize..range.end as usize]);
        })?;
        let [segment] = numbers.exponents.segments() else { return Err(mixed()) };
        let stage = Stage::Terms { factors: numbers.factors.is_some() };
        let factors = numbers.factors.as_ref().unwrap_or(&block);
        self.dispatch(stage, self.params(piece), piece.len() as u64, [factors, &block, &segment.block])
    }

    fn dispatch(&self, stage: Stage, params: Params, jobs: u64, [source, anchors, numbers]: [&Block; 3]) -> Result<()> {
        let context = self.context;
        let pipeline = context.pipeline(&Shader {
            label: "log_sum_exp",
            source: &|| stage.source(context.caps.int64),
            variant: &format!("{stage:?}"),
            constants: &[],
            workgroup: [GROUP, 1, 1],
            workgroup_bytes: 0,
            slots: &[Slot::Read, Slot::Read, Slot::ReadWrite, Slot::Uniform],
        })?;
        let group = u64::from(GROUP);
        context.sliced(&format!("log_sum_exp {stage:?}"), jobs, group, 0, self.control, &mut |range: Range<u64>| {
            let params = Params { first: range.start as u32, end: range.end as u32, ..params };
            let uniform = Bind::Uniform(bytemuck::bytes_of(&params));
            let binds = [Bind::Block(source), Bind::Block(anchors), Bind::Block(numbers), uniform];
            let groups = fold((range.end - range.start).div_ceil(group), &context.limits);
            context.submit(&[Dispatch { pipeline: &pipeline, binds: &binds, groups }])
        })
    }

    /// The reduction of a piece's numbers along its lanes.
    fn reduction(op: ReduceOp, shape: &[usize; 3]) -> Result<ReducePlan> {
        ReducePlan::new(&Reduce::of(op).axes(&[1]), Dtype::F64, shape)
    }

    fn partials(&self, op: ReduceOp, numbers: &Numbers) -> Result<Partials> {
        let input = Input::Gpu { buffer: &numbers.exponents, dtype: Dtype::F64, shape: &numbers.shape };
        reduce::partials(self.context, &Self::reduction(op, &numbers.shape)?, &[input], &self.control.quiet())
    }

    /// The largest number of each lane; NaN if there is one.
    fn largest(&self, numbers: &Numbers) -> Result<Vec<f64>> {
        match self.partials(ReduceOp::Max, numbers)? {
            Partials::Extreme(keys) => Ok(keys.into_iter().map(|key| key.map_or(f64::NEG_INFINITY, f64::from_key)).collect()),
            _ => Err(mixed()),
        }
    }

    /// The sum of each lane, rounded.
    fn sums(&self, numbers: &Numbers) -> Result<Vec<f64>> {
        let plan = Self::reduction(ReduceOp::Sum, &numbers.shape)?;
        let input = Input::Gpu { buffer: &numbers.exponents, dtype: Dtype::F64, shape: &numbers.shape };
        let mut sums = HostVec::F64(vec![0.0; plan.out_len()]);
        let target = Target::Host(sums.view_mut(&plan.shape));
        reduce::run(self.context, &plan, &[input], target, &self.control.quiet())?;
        match sums {
            HostVec::F64(sums) => Ok(sums),
            _ => Err(mixed()),
        }
    }
}

fn mixed() -> Error {
    Error::invalid("numbers of a piece", "those of another pass", "numbers of binary64 in one block")
}
