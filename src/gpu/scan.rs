//! Scans on the GPU, all in integers.
//!
//! A lane is cut into blocks. One pass makes the total of every block, a scan of the totals tells each block what comes
//! before it, and another pass makes the results. Where a lane is too long for one dispatch, the last state of a stretch
//! begins the next one. Running sums of floats are exact values, rounded once: the bits of the CPU.

use std::sync::Arc;

use super::context::Context;
use super::dispatch::{Bind, Dispatch, fold};
use super::lanes::{self, Grid, Params, Piece, Placed, Source};
use super::memory::{Block, GpuBuffer};
use super::pipeline::{Pipeline, Shader};
use crate::array::{HostVec, Storage};
use crate::engine::{Input, Target};
use crate::plan::{First, ScanOp, ScanPlan};
use crate::view::ViewMut;
use crate::{Control, Error, Result};

mod shader;
#[cfg(test)]
mod tests;

pub(super) use shader::variants;
use shader::{Stage, Variant};

/// Runs a plan.
pub(super) fn run(
    context: &Arc<Context>,
    plan: &ScanPlan,
    input: &Input<'_>,
    target: Target<'_>,
    control: &Control,
) -> Result<Option<Storage>> {
    control.check()?;
    if let Target::Host(out) = &target {
        out.expect(plan.out_dtype, &plan.shape)?;
    }
    let len = plan.lanes.len();
    let lead = usize::from(plan.first != First::Inclusive);
    let take = len - usize::from(plan.first == First::Exclusive && len > 0);
    let count: usize = plan.shape.iter().product();
    if plan.lanes.work() == 0 || take == 0 || count == 0 {
        control.advance(plan.lanes.work());
        return lanes::hand_over(context, nothing(plan, count)?, &plan.shape, target, control);
    }
    let mut scratch = None;
    let source = Source::new(context, &plan.lanes, input, &mut scratch)?;
    let (dtype, out, int64) = (plan.lanes.dtype, plan.out_dtype, context.caps.int64);
    let variant = Variant { op: plan.op, dtype, out, skip_nan: plan.skip_nan, int64 };
    let flag = context.block(4)?;
    context.clear(&flag, 4)?;
    let scan = Run { context, plan, control, variant, source, lead, take, results: take + lead, flag };
    let bytes = (count * plan.out_dtype.size()) as u64;
    // Narrow results are put into words that must be 0 before; so is what is beyond the last one.
    let fits = bytes <= context.max_block() && count < 1 << 31;
    let result = match target {
        Target::Device(old) if fits => {
            let block = lanes::result_block(context, old, bytes)?;
            if plan.out_dtype.size() < 4 {
                context.clear(&block, bytes)?;
            }
            scan.all(&mut Sink::Device(&block))?;
            Some(Storage::Gpu(GpuBuffer::new(context.clone(), vec![(block, bytes)])))
        }
        Target::Device(_) if scan.is_in_words() => {
            let most = context.max_block();
            let sizes = (0..bytes.div_ceil(most)).map(|i| most.min(bytes - i * most));
            let segments = sizes.map(|size| Ok((context.block(size)?, size))).collect::<Result<_>>()?;
            let buffer = GpuBuffer::new(context.clone(), segments);
            scan.all(&mut Sink::Segments(&buffer))?;
            Some(Storage::Gpu(buffer))
        }
        Target::Device(_) => {
            let mut vec = HostVec::zeros(plan.out_dtype, count)?;
            scan.all(&mut Sink::Host(vec.view_mut(&[count])))?;
            Some(Storage::Gpu(context.upload_view(&vec.view(&plan.shape), control)?))
        }
        Target::Host(out) if out.is_contiguous() => scan.all(&mut Sink::Host(out)).map(|()| None)?,
        Target::Host(mut out) => {
            let mut vec = HostVec::zeros(plan.out_dtype, count)?;
            scan.all(&mut Sink::Host(vec.view_mut(&[count])))?;
            out.copy_from_bytes(vec.view(&plan.shape).as_bytes().unwrap_or(&[]));
            None
        }
    };
    if variant.dtype.integer_range().is_some()
        && !variant.is_extreme()
        && !plan.wrapping
        && context.read_small(&scan.flag, 4)?.iter().any(|&byte| byte != 0)
    {
        return Err(Error::Overflow { op: plan.op.name(), out_dtype: plan.out_dtype });
    }
    Ok(result)
}

/// Results of nothing.
fn nothing(plan: &ScanPlan, count: usize) -> Result<HostVec> {
    let mut vec = HostVec::zeros(plan.out_dtype, count)?;
    if plan.op == ScanOp::Product {
        macro_rules! ones {
            ($($variant:ident)*) => { match &mut vec { $(HostVec::$variant(vec) => vec.fill(1u8.into()),)* _ => {} } };
        }
        ones!(U8 U16 I16 U32 I32 U64 I64 F32 F64);
        if let HostVec::I8(vec) = &mut vec {
            vec.fill(1);
        }
    }
    Ok(vec)
}

/// Where results go.
enum Sink<'a> {
    /// All of them in a block.
    Device(&'a Block),
    /// Segments of device memory, which results reach in whole words.
    Segments(&'a GpuBuffer),
    /// Contiguous host memory.
    Host(ViewMut<'a>),
}

/// A scan at work.
struct Run<'a> {
    context: &'a Arc<Context>,
    plan: &'a ScanPlan,
    control: &'a Control,
    variant: Variant,
    source: Source<'a>,
    /// Results in front, elements read, and results of each lane.
    lead: usize,
    take: usize,
    results: usize,
    flag: Block,
}

impl Run<'_> {
    fn pipeline(&self, stage: Stage) -> Result<Arc<Pipeline>> {
        let variant = self.variant;
        let bytes = if variant.is_exact_sum() { 4 * variant.limbs() * variant.workgroup() } else { 0 };
        self.context.pipeline(&Shader {
            label: stage.label(),
            source: &|| variant.source(stage),
            variant: &format!("{variant:?} {stage:?}"),
            constants: &[],
            workgroup: [variant.workgroup(), 1, 1],
            workgroup_bytes: bytes,
            slots: stage.slots(),
        })
    }

    /// Elements of a piece at most.
    fn most(&self) -> usize {
        let size = self.plan.lanes.dtype.size().max(self.plan.out_dtype.size()) as u64;
        // Elements, results, the states of two pieces.
        let block = self.context.share(6);
        // States take words per block of elements, and one more per lane.
        let states = block / (8 * self.variant.words()) * self.variant.block() / 2;
        let wanted = if self.context.caps.software { 1 << 20 } else { 1 << 25 };
        (block / size).min(states).min(wanted).max(1 << 10) as usize
    }

    /// Whether the results of every piece begin and end at words.
    fn is_in_words(&self) -> bool {
        let size = self.plan.out_dtype.size();
        // Pieces are cut at multiples of four, but for their ends.
        size >= 4 || (self.source.grid().inner * size).is_multiple_of(4)
    }

    /// Scans everything.
    fn all(&self, sink: &mut Sink<'_>) -> Result<()> {
        let grid = Grid { len: self.take, ..self.source.grid() };
        let mut before: Option<(Block, u64)> = None;
        for piece in self.source.pieces(grid, self.most()) {
            self.control.check()?;
            let goes_on = piece.at.start > 0;
            before = self.piece(&piece, before.filter(|_| goes_on), sink)?;
        }
        let unread = self.source.grid().len - self.take;
        self.control.advance((unread * grid.lanes()) as u64);
        Ok(())
    }

    /// The rows of memory of positions in scan order.
    fn turned(&self, range: std::ops::Range<usize>, len: usize) -> std::ops::Range<usize> {
        if self.plan.reverse { len - range.end..len - range.start } else { range }
    }

    /// Scans a piece, whose positions are in scan order, from the states before it. Returns those after it, if it does not end
    /// its lanes, and how many states lie there.
    fn piece(&self, piece: &Piece, before: Option<(Block, u64)>, sink: &mut Sink<'_>) -> Result<Option<(Block, u64)>> {
        let (context, control) = (self.context, self.control);
        let (grid, n) = (self.source.grid(), piece.at.len());
        let read = Piece { at: self.turned(piece.at.clone(), grid.len), ..piece.clone() };
        let lead = if piece.at.start == 0 { self.lead } else { 0 };
        let first = piece.at.start + self.lead - lead;
        let written = Piece { at: self.turned(first..first + n + lead, self.results), ..piece.clone() };
        let placed = self.source.place(&read, control)?;
        let (packed, out) = match sink {
            Sink::Device(block) => {
                let start = (written.outer.start * self.results + written.at.start) * grid.inner + written.columns.start;
                let (outer, step) = ((self.results * grid.inner) as u32, grid.inner as u32);
                (false, Placed { block: (*block).clone(), start: start as u32, outer, step })
            }
            Sink::Segments(_) | Sink::Host(_) => {
                let bytes = (written.len() * self.plan.out_dtype.size()) as u64;
                let block = context.block(bytes)?;
                if self.plan.out_dtype.size() < 4 {
                    context.clear(&block, bytes)?;
                }
                let width = written.columns.len();
                (true, Placed { block, start: 0, outer: (written.at.len() * width) as u32, step: width as u32 })
            }
        };
        let mut params = <Params as bytemuck::Zeroable>::zeroed();
        (params.lanes, params.width, params.len) = (piece.lanes() as u32, piece.columns.len() as u32, n as u32);
        params.blocks = (n as u64).div_ceil(self.variant.block()) as u32;
        (params.start, params.outer, params.step) = (placed.start, placed.outer, placed.step);
        (params.out_start, params.out_outer, params.out_step) = (out.start, out.outer, out.step);
        params.lead = lead as u32;
        if self.plan.reverse {
            params.start = placed.start.wrapping_add((n as u32 - 1).wrapping_mul(placed.step));
            params.step = placed.step.wrapping_neg();
            params.out_start = out.start.wrapping_add((written.at.len() as u32 - 1).wrapping_mul(out.step));
            params.out_step = out.step.wrapping_neg();
        }
        let ends = piece.at.end == self.take;
        let states = match params.blocks {
            1 if ends && before.is_none() => None,
            _ => Some(self.states(&mut params, &placed.block, before, !ends)?),
        };
        let jobs = u64::from(params.lanes) * u64::from(params.blocks);
        let none;
        let state = match &states {
            Some(block) => block,
            None => {
                none = context.block(4)?;
                &none
            }
        };
        self.dispatch(
            Stage::Results,
            params,
            jobs,
            &[Bind::Block(&placed.block), Bind::Block(state), Bind::Block(&out.block), Bind::Block(&self.flag)],
        )?;
        match sink {
            Sink::Host(target) if packed => self.read(&out.block, &written, target)?,
            Sink::Segments(target) => {
                let (inner, size) = (grid.inner, self.plan.out_dtype.size());
                let rows = written.rows(self.results, inner).map(|row| (row.start * size) as u64..(row.end * size) as u64);
                target.copy_rows(rows, &out.block, true)?;
            }
            _ => {}
        }
        control.advance(piece.len() as u64);
        Ok(states.filter(|_| !ends).map(|block| (block, u64::from(params.states))))
    }

    /// The state before each block of a piece: of lane `l` and block `b` at `b · lanes + l`; `after` asks for one more.
    fn states(&self, params: &mut Params, elements: &Block, before: Option<(Block, u64)>, after: bool) -> Result<Block> {
        let (context, words) = (self.context, self.variant.words());
        let (lanes, group) = (u64::from(params.lanes), self.variant.block());
        // The level of the blocks, then levels of their groups, until one group is all.
        let mut entries = vec![u64::from(params.blocks) + u64::from(after)];
        while let Some(&last) = entries.last()
            && last > group
        {
            entries.push(last.div_ceil(group));
        }
        let mut starts = vec![0];
        for n in &entries {
            starts.push(starts[starts.len() - 1] + n * lanes * words);
        }
        let total = starts[entries.len()];
        let block = context.block(4 * total)?;
        context.clear(&block, 4 * entries[0] * lanes * words)?;
        params.states = (entries[0] * lanes) as u32;
        if let Some((from, states)) = before {
            // The last states of the stretch before are the first ones now.
            for word in 0..words {
                let at = 4 * ((word + 1) * states - lanes);
                context.copy(&from, at..at + 4 * lanes, &block, 4 * word * entries[0] * lanes)?;
            }
        }
        let totals = entries[0] - 1;
        self.dispatch(Stage::Totals, *params, totals * lanes, &[Bind::Block(elements), Bind::Block(&block)])?;
        let level = |depth: usize| {
            let mut level = *params;
            (level.len, level.level, level.states) =
                (entries[depth] as u32, starts[depth] as u32, (entries[depth] * lanes) as u32);
            if let Some(&upper) = entries.get(depth + 1) {
                (level.upper, level.upper_states) = (starts[depth + 1] as u32, (upper * lanes) as u32);
            }
            (level, entries[depth].div_ceil(group) * lanes)
        };
        for depth in 0..entries.len() - 1 {
            let (level, jobs) = level(depth);
            self.dispatch(Stage::Up, level, jobs, &[Bind::Block(&block)])?;
        }
        for depth in (0..entries.len()).rev() {
            let (level, jobs) = level(depth);
            self.dispatch(Stage::Down, level, jobs, &[Bind::Block(&block)])?;
        }
        Ok(block)
    }

    /// Runs a pass in slices.
    fn dispatch(&self, stage: Stage, params: Params, jobs: u64, binds: &[Bind<'_>]) -> Result<()> {
        if jobs == 0 {
            return Ok(());
        }
        let (pipeline, workgroup) = (self.pipeline(stage)?, u64::from(self.variant.workgroup()));
        let key = format!("{} {:?} {} {}", stage.label(), self.variant.op, self.variant.dtype, self.variant.out);
        self.context.sliced(&key, jobs, workgroup, 0, self.control, &mut |range| {
            let params = Params { first: range.start as u32, end: range.end as u32, ..params };
            let binds: Vec<Bind<'_>> = binds.iter().cloned().chain([Bind::Uniform(bytemuck::bytes_of(&params))]).collect();
            let groups = fold((range.end - range.start).div_ceil(workgroup), &self.context.limits);
            self.context.submit(&[Dispatch { pipeline: &pipeline, binds: &binds, groups }])
        })
    }

    /// Reads the results of a piece to their places.
    fn read(&self, block: &Block, written: &Piece, target: &mut ViewMut<'_>) -> Result<()> {
        let size = self.plan.out_dtype.size();
        let Some(bytes) = target.as_bytes() else { return Ok(()) };
        let mut rows = written.rows(self.results, self.source.grid().inner);
        let mut row = rows.next().unwrap_or(0..0);
        if row.len() == written.len() {
            return self.context.read_large(block, &mut bytes[row.start * size..row.end * size]);
        }
        let mut part = row.start * size..row.end * size;
        self.context.read(block, 0..(written.len() * size) as u64, self.control, &mut |_, mut piece| {
            while !piece.is_empty() {
                if part.is_empty() {
                    row = rows.next().unwrap_or(0..0);
                    part = row.start * size..row.end * size;
                    if part.is_empty() {
                        return;
                    }
                }
                let count = part.len().min(piece.len());
                let (now, later) = piece.split_at(count);
                bytes[part.start..part.start + count].copy_from_slice(now);
                part.start += count;
                piece = later;
            }
        })
    }
}
