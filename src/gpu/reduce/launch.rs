//! Which shader reduces a piece, with how many workgroups; uploads, dispatches, folds.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::geometry::Layout;
use super::params::Params;
use super::pieces::{Piece, Source, walk, window};
use super::source::{Stage, Variant};
use crate::gpu::arrange;
use crate::gpu::context::Context;
use crate::gpu::dispatch::{Bind, Dispatch, Submission, fold};
use crate::gpu::memory::{Block, Gathered};
use crate::gpu::pipeline::{Pipeline, Shader, Slot};
use crate::plan::{NormOrder, ReducePlan};
use crate::view::View;
use crate::{Control, Dtype, Error, ReduceOp, Result};

/// Sizes chosen for a device.
#[derive(Debug, Clone)]
struct Tuning {
    /// Workgroups that keep the device busy.
    groups: u64,
    /// Elements that an invocation takes at least, if another could take some of them, and at most.
    lane: Range<u64>,
    /// Elements of a contiguous run from which on a workgroup shares it.
    shared: u64,
    /// Bytes of the states of a tile.
    state: u64,
    /// Bytes of an upload.
    upload: u64,
    /// Elements of a slice, where slices are needed.
    slice: u64,
}

impl Tuning {
    fn of(context: &Context, variant: Variant) -> Self {
        // Every invocation stays far below 32,768 rounds of all its loops, the carries of float sums included.
        let lane = 16..8192;
        // States, two uploads of each of two operands, one that is spread, results.
        let (most, workgroup) = (context.share(8), u64::from(variant.workgroup));
        let state = most.min(32 << 20);
        match context.caps.software {
            // A workgroup's barriers cost much there, and neighbouring lanes gain nothing from neighbouring memory.
            true => Self { groups: 16, lane, shared: 1 << 14, state, upload: most.min(16 << 20), slice: 1 << 16 },
            false => Self { groups: 1024, lane, shared: 4 * workgroup, state, upload: most.min(32 << 20), slice: 1 << 26 },
        }
    }
}

/// Elements of one piece at most: the shaders count in 32 bits.
const MOST: u64 = 1 << 30;

/// The pipelines and the memory of one reduction.
pub(super) struct Runner<'a> {
    context: &'a Arc<Context>,
    plan: &'a ReducePlan,
    control: &'a Control,
    variant: Variant,
    tuning: Tuning,
    /// Blocks for uploads, used in turn.
    uploads: VecDeque<Block>,
    /// What was submitted and not waited for.
    flight: VecDeque<Submission>,
}

impl<'a> Runner<'a> {
    /// A reduction to the plan's own results or partials.
    pub(super) fn new(context: &'a Arc<Context>, plan: &'a ReducePlan, control: &'a Control) -> Result<Self> {
        Self::of(context, plan, false, control)
    }

    /// A reduction to the plan's partials, or to the count of the elements that are no NaN.
    pub(super) fn of(context: &'a Arc<Context>, plan: &'a ReducePlan, valid: bool, control: &'a Control) -> Result<Self> {
        let (batched, int64) = (!context.caps.software, context.caps.int64);
        let ReducePlan { op, dtype, skip_nan: skip, masked, .. } = *plan;
        let mut variant = Variant { op, dtype, workgroup: 1, batched, int64, skip, valid, masked };
        let most = match (context.caps.software, variant.is_wide_sum()) {
            (true, _) | (_, true) => 64,
            (false, false) => 256,
        };
        let fits = |variant: Variant| {
            variant.workgroup <= context.limits.invocations.min(context.limits.workgroup[0])
                && variant.workgroup_bytes(Stage::Fold) <= context.limits.workgroup_memory
        };
        while variant.workgroup < most && fits(Variant { workgroup: 2 * variant.workgroup, ..variant }) {
            variant.workgroup *= 2;
        }
        let tuning = Tuning::of(context, variant);
        Ok(Self { context, plan, control, variant, tuning, uploads: VecDeque::new(), flight: VecDeque::new() })
    }

    pub(super) fn variant(&self) -> Variant {
        self.variant
    }

    /// Bytes of the state of one result in one slot.
    pub(super) fn slot_bytes(&self) -> u64 {
        u64::from(self.variant.words()) * 4
    }

    /// Results of a tile at most: a multiple of 4.
    pub(super) fn tile(&self) -> u64 {
        (self.tuning.state / self.slot_bytes() / 4 * 4).max(4)
    }

    /// Whether some result may not fit its dtype.
    pub(super) fn may_fail(&self) -> bool {
        let Some((least, most)) = self.plan.dtype.integer_range() else { return false };
        let (n, largest) = (self.plan.reduce_len() as u64, most.max(-least) as u128);
        let most = if self.plan.dtype.is_signed_integer() { i64::MAX as u128 } else { u128::from(u64::MAX) };
        match self.plan.op {
            ReduceOp::Sum => largest.saturating_mul(u128::from(n)) > most,
            ReduceOp::Product => largest > 1 && (u64::from(largest.ilog2()) + 1).saturating_mul(n) > 62,
            _ => false,
        }
    }

    fn pipeline(&self, stage: Stage) -> Result<Arc<Pipeline>> {
        let slots: &[Slot] = match stage {
            Stage::Fold => &[Slot::ReadWrite, Slot::Uniform],
            Stage::Finish => &[Slot::Read, Slot::ReadWrite, Slot::ReadWrite, Slot::Uniform],
            _ if self.variant.is_paired() => &[Slot::Read, Slot::Read, Slot::ReadWrite, Slot::Uniform],
            _ => &[Slot::Read, Slot::ReadWrite, Slot::Uniform],
        };
        self.context.pipeline(&Shader {
            label: stage.label(),
            source: &|| self.variant.source(stage),
            variant: &self.variant.key(),
            constants: &[],
            workgroup: [self.variant.workgroup, 1, 1],
            workgroup_bytes: self.variant.workgroup_bytes(stage),
            slots,
        })
    }

    fn stage(&self, layout: &Layout) -> Stage {
        match &layout.reduced[..] {
            _ if !layout.inner_reduced || layout.len() < self.tuning.shared => Stage::Alone,
            // A power takes longer than its element: the shader with one place to compute it. Two operands are read there too.
            [_] if !self.variant.is_power() && !self.variant.is_paired() => Stage::Flat,
            _ => Stage::Together,
        }
    }

    /// Invocations that share a result within one slot.
    fn lanes(&self, layout: &Layout) -> u64 {
        if self.stage(layout) == Stage::Alone { 1 } else { u64::from(self.variant.workgroup) }
    }

    /// Slots for `results` results of a piece.
    fn splits(&self, layout: &Layout, results: u64, slots: u64) -> u64 {
        let (lanes, workgroup) = (self.lanes(layout), u64::from(self.variant.workgroup));
        let busy = (self.tuning.groups * workgroup).div_ceil(results * lanes);
        let most = layout.len().div_ceil(lanes * self.tuning.lane.start).max(1);
        let least = layout.len().div_ceil(lanes * self.tuning.lane.end);
        busy.clamp(1, most).max(least).min(slots)
    }

    /// Reduces the results in `tile`: the state, with everything in slot 0.
    pub(super) fn reduce(&mut self, sources: &[Source<'_>], tile: Range<u64>) -> Result<Block> {
        self.reduce_from(sources, tile, 0)
    }

    /// [`reduce`](Self::reduce) of a part of a larger reduction, whose first element has index `base` there.
    pub(super) fn reduce_from(&mut self, sources: &[Source<'_>], tile: Range<u64>, base: u64) -> Result<Block> {
        let [source, second @ ..] = sources else {
            return Err(Error::invalid("inputs of a reduction", 0, self.plan.inputs().to_string()));
        };
        let n = tile.end - tile.start;
        let slots = (self.tuning.state / (self.slot_bytes() * n)).max(1);
        let most = match sources {
            _ if sources.iter().any(Source::is_host) => self.tuning.upload / self.plan.dtype.size() as u64,
            // Of an operand that is spread, so many elements lie on the device at a time.
            _ if sources.iter().any(|source| matches!(source, Source::Spread(..))) => {
                self.tuning.slice.min(self.context.share(8) / 8)
            }
            _ => MOST,
        };
        let longest = slots.saturating_mul(self.tuning.lane.end);
        let fits = |layout: &Layout| layout.len() <= longest.saturating_mul(self.lanes(layout));
        let mut pieces = source.pieces(self.plan, tile, most, &fits);
        pieces.iter_mut().for_each(|piece| piece.base += base);
        let splits = |piece: &Piece| self.splits(&piece.layout, piece.results.end - piece.results.start, slots);
        let used = pieces.iter().map(splits).max().unwrap_or(1);
        let state = self.context.block(used * n * self.slot_bytes())?;
        self.context.clear(&state, used * n * self.slot_bytes())?;
        for piece in &pieces {
            self.control.check()?;
            let splits = self.splits(&piece.layout, piece.results.end - piece.results.start, slots);
            let mut operands = vec![match &piece.place {
                Some((block, start)) => (block.clone(), *start),
                None => self.bring(source, self.plan.dtype, piece)?,
            }];
            for second in second {
                let dtype = if self.plan.masked { Dtype::Bool } else { self.plan.dtype };
                operands.push(self.bring(second, dtype, piece)?);
            }
            self.launch(piece, &operands, splits, &state, n)?;
            // Of what was uploaded, the blocks that come next.
            let uploaded = operands.into_iter().zip(sources).filter(|(_, source)| source.is_host());
            self.uploads.extend(uploaded.map(|((block, _), _)| block));
        }
        if used > 1 {
            let pipeline = self.pipeline(Stage::Fold)?;
            let mut params = self.params(n);
            (params.splits, params.group_end) = (used as u32, n as u32);
            self.submit(&pipeline, &[Bind::Block(&state), Bind::Uniform(bytemuck::bytes_of(&params))], n)?;
        }
        Ok(state)
    }

    /// Rounds the states of `n` results to values `first..` of `out`.
    pub(super) fn finish(&mut self, state: &Block, n: u64, out: &Block, first: u64, flag: &Block) -> Result<()> {
        let pipeline = self.pipeline(Stage::Finish)?;
        let mut params = self.params(n);
        params.out_first = first as u32;
        let each = (4 / self.plan.out_dtype.size() as u64).max(1);
        let groups = n.div_ceil(each * u64::from(self.variant.workgroup));
        let binds = [Bind::Block(state), Bind::Block(out), Bind::Block(flag), Bind::Uniform(bytemuck::bytes_of(&params))];
        self.submit(&pipeline, &binds, groups)
    }

    /// Waits for everything submitted.
    pub(super) fn drain(&mut self) -> Result<()> {
        while let Some(submission) = self.flight.pop_front() {
            self.context.wait(submission, self.control)?;
        }
        Ok(())
    }

    fn params(&self, n: u64) -> Params {
        Params::new(n, self.plan.reduce_len() as u64)
    }

    /// Submits one dispatch; two may be in flight.
    fn submit(&mut self, pipeline: &Pipeline, binds: &[Bind<'_>], groups: u64) -> Result<()> {
        if self.flight.len() >= 2
            && let Some(oldest) = self.flight.pop_front()
        {
            self.context.wait(oldest, self.control)?;
        }
        let groups = fold(groups, &self.context.limits);
        self.flight.push_back(self.context.submit(&[Dispatch { pipeline, binds, groups }])?);
        Ok(())
    }

    /// The elements of `view`, C-contiguous in a block.
    fn upload(&mut self, view: &View<'_>) -> Result<Block> {
        let bytes = (view.len() * view.dtype().size()) as u64;
        // Of two blocks, one is filled while the other is read.
        let reused = match self.uploads.len() {
            0 | 1 => None,
            _ => self.uploads.pop_front().filter(|block| block.size() >= bytes),
        };
        let block = match reused {
            Some(block) => block,
            None => self.context.block(bytes)?,
        };
        let packed;
        let from = match view.as_bytes() {
            Some(bytes) => bytes,
            None => {
                let mut copy = vec![0; bytes as usize];
                view.copy_to_bytes(&mut copy);
                packed = copy;
                &packed
            }
        };
        self.context.upload(&block, bytes, self.control, &mut |range, out| {
            out.copy_from_slice(&from[range.start as usize..range.end as usize]);
        })?;
        Ok(block)
    }

    /// A piece's elements of an operand: in which block, and where the first one lies.
    fn bring(&mut self, source: &Source<'_>, dtype: Dtype, piece: &Piece) -> Result<(Block, u64)> {
        match source {
            Source::Host(view) => Ok((self.upload(&window(view, &piece.region))?, 0)),
            Source::Resident(buffer) => {
                let size = dtype.size() as u64;
                let start = piece.region.start(&self.plan.input, |_| true) * size;
                let range = start..start + piece.region.len() * size;
                let Gathered { block, offset } = buffer.locate(&range).map_or_else(|| buffer.gather(range), Ok)?;
                Ok((block, offset / size))
            }
            Source::Spread(buffer, steps) => {
                let Some(walk) = walk(steps, &piece.region) else {
                    let feature = "operands with so many axes of different steps".into();
                    let (device, operation) = (self.context.id.clone(), self.plan.op.name().to_string());
                    return Err(Error::Unsupported { device, operation, feature });
                };
                let (count, control) = (piece.region.len() as usize, self.control.quiet());
                Ok((arrange::run(self.context, buffer, dtype.size(), &walk, count, &control)?, 0))
            }
        }
    }

    /// Merges a piece, of whose operands these blocks hold the elements from some on, into `splits` slots of `state`.
    fn launch(&mut self, piece: &Piece, operands: &[(Block, u64)], splits: u64, state: &Block, n: u64) -> Result<()> {
        let stage = self.stage(&piece.layout);
        let pipeline = self.pipeline(stage)?;
        let results = piece.results.end - piece.results.start;
        let mut params = self.params(n);
        params.axes(&piece.layout);
        if let ReduceOp::Norm(NormOrder::Power(p)) = self.plan.op {
            let bits = p.get().to_bits();
            (params.power_low, params.power_high) = (bits as u32, (bits >> 32) as u32);
        }
        let start = operands.first().map_or(0, |operand| operand.1);
        params.second = operands.get(1).map_or(0, |second| (second.1 as u32).wrapping_sub(start as u32));
        (params.start, params.first, params.results) = (start as u32, piece.results.start as u32, results as u32);
        (params.at, params.splits) = (piece.at as u32, splits as u32);
        (params.base_lo, params.base_hi) = (piece.base as u32, (piece.base >> 32) as u32);
        let jobs = results * splits;
        let groups = if stage == Stage::Alone { jobs.div_ceil(u64::from(self.variant.workgroup)) } else { jobs };
        params.group_end = groups as u32;
        let (len, each) = (piece.len(), piece.len().div_ceil(groups));
        if !self.context.caps.software && len <= self.tuning.slice {
            self.submit(&pipeline, &binds(operands, state, &params), groups)?;
            self.control.advance(len);
            return Ok(());
        }
        self.drain()?;
        // Slices are whole workgroups.
        let grain = self.tuning.slice.div_ceil(each).max(1) * each;
        let (context, control) = (self.context, self.control);
        let (mut done, total) = (0, groups);
        let key = format!("{} {}", stage.label(), self.variant.key());
        context.sliced(&key, groups * each, grain, 0, control, &mut |range| {
            let (first, end) = (range.start / each, range.end.div_ceil(each));
            let mut params = params;
            (params.group_first, params.group_end) = (first as u32, end as u32);
            let binds = binds(operands, state, &params);
            let groups = fold(end - first, &context.limits);
            let submission = context.submit(&[Dispatch { pipeline: &pipeline, binds: &binds, groups }])?;
            // Progress in elements: the share of the workgroups submitted.
            let share = (u128::from(len) * u128::from(end) / u128::from(total)) as u64;
            control.advance(share - done);
            done = share;
            Ok(submission)
        })
    }
}

/// The bindings of the passes over elements.
fn binds<'b>(operands: &'b [(Block, u64)], state: &'b Block, params: &'b Params) -> Vec<Bind<'b>> {
    let blocks = operands.iter().map(|(block, _)| Bind::Block(block));
    blocks.chain([Bind::Block(state), Bind::Uniform(bytemuck::bytes_of(params))]).collect()
}
