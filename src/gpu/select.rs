//! Order statistics on the GPU, by selection on order keys.
//!
//! Keys of long lanes are found digit by digit: a pass over the elements counts how many have each next digit, among those
//! that begin as the wanted key does, and the digit that holds the rank is chosen. An invocation finds a key of a short
//! lane by itself, bit by bit. Only the keys that were wanted come to the host.

use std::sync::Arc;

use super::context::Context;
use super::dispatch::{Bind, Dispatch, fold};
use super::lanes::{self, Grid, Piece, Placed, Source};
use super::memory::Block;
use super::pipeline::{Pipeline, Shader, Slot};
use super::shaders;
use crate::{Control, Dtype, Error, Result};

#[cfg(test)]
mod tests;

/// Elements of a lane up to which one invocation reads it for every bit.
pub(super) const SHORT: usize = 256;
/// Jobs of long lanes whose counts, a kilobyte each, are kept at once.
const JOBS: usize = 1 << 15;
/// Elements that an invocation takes at least, where another could take some of them, and at most.
const ITEMS: std::ops::Range<usize> = 16..8192;
/// Bits of a digit.
const DIGIT: u32 = 8;

#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct Params {
    pub(super) width: u32,
    pub(super) len: u32,
    pub(super) start: u32,
    pub(super) outer: u32,
    pub(super) step: u32,
    pub(super) ranks: u32,
    pub(super) base: u32,
    pub(super) splits: u32,
    pub(super) shift: u32,
    pub(super) by_index: u32,
    pub(super) job: u32,
    pub(super) k: u32,
    pub(super) first: u32,
    pub(super) end: u32,
    pub(super) pad0: u32,
    pub(super) pad1: u32,
}

/// The shaders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Short,
    Count,
    Choose,
    Gather,
    Best,
}

impl Stage {
    const ALL: [Self; 5] = [Self::Short, Self::Count, Self::Choose, Self::Gather, Self::Best];

    fn label(self) -> &'static str {
        match self {
            Self::Short => "select_short",
            Self::Count => "select_count",
            Self::Choose => "select_choose",
            Self::Gather => "topk_gather",
            Self::Best => "topk_short",
        }
    }

    fn slots(self) -> &'static [Slot] {
        match self {
            Self::Short | Self::Count => &[Slot::Read, Slot::Read, Slot::ReadWrite, Slot::Uniform],
            Self::Choose => &[Slot::ReadWrite, Slot::ReadWrite, Slot::Uniform],
            Self::Gather => &[Slot::Read, Slot::Read, Slot::ReadWrite, Slot::ReadWrite, Slot::Uniform],
            Self::Best => &[Slot::Read, Slot::ReadWrite, Slot::Uniform],
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Short => include_str!("../../shaders/select_short.wgsl"),
            Self::Count => include_str!("../../shaders/select_count.wgsl"),
            Self::Choose => include_str!("../../shaders/select_choose.wgsl"),
            Self::Gather => include_str!("../../shaders/topk_gather.wgsl"),
            Self::Best => include_str!("../../shaders/topk_short.wgsl"),
        }
    }
}

/// Which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) dtype: Dtype,
    /// Whether ties go by the index, with −0 equal to +0.
    pub(super) top: bool,
    /// From the largest to the smallest.
    pub(super) down: bool,
}

impl Order {
    fn bits(self) -> u32 {
        8 * self.dtype.size() as u32
    }

    fn source(self, stage: Stage, workgroup: u32) -> String {
        let Self { dtype, top, down } = self;
        let header = lanes::constants(dtype)
            + &format!(
                "const WG: u32 = {workgroup}u;\nconst BITS: u32 = {}u;\nconst TOP: bool = {top};\nconst DOWN: bool = {down};\n\
                 const KEY_MASK: u32 = {}u;\nconst SIGN_BIT: u32 = {}u;\n",
                self.bits(),
                u32::MAX >> (32 - self.bits().min(32)),
                1u32 << (self.bits().min(32) - 1),
            );
        let params = include_str!("../../shaders/parts/select_params.wgsl");
        let key = include_str!("../../shaders/parts/select_key.wgsl");
        match stage {
            Stage::Choose => shaders::join(&[&header, params, stage.text()]),
            _ => shaders::join(&[&header, params, key, lanes::ELEMENT, stage.text()]),
        }
    }
}

/// Every shader variant.
#[allow(dead_code, reason = "read by tests")]
pub(super) fn variants() -> Vec<shaders::Variant> {
    let layout = || {
        shaders::layout!(Params {
            width,
            len,
            start,
            outer,
            step,
            ranks,
            base,
            splits,
            shift,
            by_index,
            job,
            k,
            first,
            end,
            pad0,
            pad1,
        })
    };
    let mut list = vec![];
    for dtype in Dtype::ALL.into_iter().filter(|dtype| !dtype.is_complex()) {
        for stage in Stage::ALL {
            for (top, down) in [(false, false), (true, true)] {
                let source = Order { dtype, top, down }.source(stage, 64);
                list.push(shaders::Variant { label: stage.label(), source, layouts: vec![layout()] });
            }
        }
    }
    list
}

/// A selection at work.
pub(super) struct Selection<'a> {
    pub(super) context: &'a Arc<Context>,
    pub(super) source: &'a Source<'a>,
    pub(super) order: Order,
    pub(super) control: &'a Control,
    workgroup: u32,
}

/// Jobs whose keys, and of tops indices, are known: the state of each in four words.
pub(super) struct Found {
    pub(super) states: Block,
    /// Their numbers in the piece.
    pub(super) jobs: std::ops::Range<usize>,
}

impl<'a> Selection<'a> {
    pub(super) fn new(context: &'a Arc<Context>, source: &'a Source<'a>, order: Order, control: &'a Control) -> Result<Self> {
        if source.grid().len as u64 > u64::from(u32::MAX) {
            let (device, operation) = (context.id.clone(), "a selection".to_string());
            return Err(Error::Unsupported { device, operation, feature: "lanes of 2^32 elements and more".into() });
        }
        let workgroup = context.limits.invocations.min(if context.caps.software { 64 } else { 256 });
        Ok(Self { context, source, order, control, workgroup })
    }

    /// Elements of a piece at most.
    fn most(&self) -> usize {
        if self.source.is_resident() {
            return usize::MAX;
        }
        let wanted: usize = if self.context.caps.software { 1 << 22 } else { 1 << 26 };
        wanted.min(self.context.max_block() as usize / self.order.dtype.size())
    }

    /// The parts to work on: pieces that together are whole lanes, one after the other.
    pub(super) fn parts(&self) -> Vec<Vec<Piece>> {
        let mut parts: Vec<Vec<Piece>> = vec![];
        for piece in self.source.pieces(self.source.grid(), self.most()) {
            match parts.last_mut() {
                Some(part) if piece.at.start > 0 => part.push(piece),
                _ => parts.push(vec![piece]),
            }
        }
        parts
    }

    fn pipeline(&self, stage: Stage) -> Result<Arc<Pipeline>> {
        self.context.pipeline(&Shader {
            label: stage.label(),
            source: &|| self.order.source(stage, self.workgroup),
            variant: &format!("{:?} {}", self.order, self.workgroup),
            constants: &[],
            workgroup: [self.workgroup, 1, 1],
            workgroup_bytes: if stage == Stage::Count { 1024 } else { 0 },
            slots: stage.slots(),
        })
    }

    pub(super) fn params(&self, piece: &Piece, placed: &Placed, ranks: usize) -> Params {
        let mut params = <Params as bytemuck::Zeroable>::zeroed();
        (params.width, params.len, params.ranks) = (piece.columns.len() as u32, piece.at.len() as u32, ranks as u32);
        (params.start, params.outer, params.step) = (placed.start, placed.outer, placed.step);
        (params.base, params.splits) = (piece.at.start as u32, 1);
        params
    }

    /// Runs a stage in slices: of so many workgroups, or of invocations.
    pub(super) fn dispatch(&self, stage: Stage, params: Params, jobs: u64, by_group: bool, binds: &[Bind<'_>]) -> Result<()> {
        let pipeline = self.pipeline(stage)?;
        let each = if by_group { 1 } else { u64::from(self.workgroup) };
        let key = format!("{} {} {}", stage.label(), self.order.dtype, params.len.max(1).ilog2());
        self.context.sliced(&key, jobs, each, 0, self.control, &mut |range| {
            let params = Params { first: range.start as u32, end: range.end as u32, ..params };
            let binds: Vec<Bind<'_>> = binds.iter().cloned().chain([Bind::Uniform(bytemuck::bytes_of(&params))]).collect();
            let groups = fold((range.end - range.start).div_ceil(each), &self.context.limits);
            self.context.submit(&[Dispatch { pipeline: &pipeline, binds: &binds, groups }])
        })
    }

    /// Workgroups that share each of so many jobs.
    pub(super) fn splits(&self, len: usize, jobs: usize) -> usize {
        let workgroup = self.workgroup as usize;
        let busy: usize = if self.context.caps.software { 16 } else { 2048 };
        let most = len.div_ceil(workgroup * ITEMS.start).max(1);
        busy.div_ceil(jobs.max(1)).clamp(1, most).max(len.div_ceil(workgroup * ITEMS.end))
    }

    /// The keys of `ranks` ranks of each lane of a part, in the order of its lanes.
    pub(super) fn keys(&self, part: &[Piece], ranks: usize, wanted: &dyn Fn(usize, usize) -> usize) -> Result<Vec<u64>> {
        let Some(first) = part.first() else { return Ok(vec![]) };
        let lanes = first.lanes();
        let mut keys = Vec::with_capacity(lanes * ranks);
        if self.source.grid().len <= SHORT {
            let placed = self.source.place(first, self.control)?;
            let ranked: Vec<u32> = (0..lanes * ranks).map(|job| wanted(job / ranks, job % ranks) as u32).collect();
            let given = self.upload(bytemuck::cast_slice(&ranked))?;
            let found = self.context.block(8 * (lanes * ranks) as u64)?;
            let params = self.params(first, &placed, ranks);
            let binds = [Bind::Block(&placed.block), Bind::Block(&given), Bind::Block(&found)];
            self.dispatch(Stage::Short, params, (lanes * ranks) as u64, false, &binds)?;
            let bytes = self.context.read_small(&found, 8 * (lanes * ranks) as u64)?;
            keys.extend(bytes.as_chunks::<8>().0.iter().map(|&bytes| u64::from_le_bytes(bytes)));
            return Ok(keys);
        }
        self.long(part, ranks, wanted, &mut |found, _| {
            let bytes = self.context.read_small(&found.states, 16 * found.jobs.len() as u64)?;
            keys.extend(bytes.as_chunks::<16>().0.iter().map(|&state| u128::from_le_bytes(state) as u64));
            Ok(())
        })?;
        Ok(keys)
    }

    /// Finds the jobs of a part, some at a time, and calls `each` with them and where the elements are, if they are still
    /// on the device.
    pub(super) fn long(
        &self,
        part: &[Piece],
        ranks: usize,
        wanted: &dyn Fn(usize, usize) -> usize,
        each: &mut dyn FnMut(Found, &mut Walk<'_>) -> Result<()>,
    ) -> Result<()> {
        let Some(first) = part.first() else { return Ok(()) };
        let total = first.lanes() * ranks;
        // A part of one piece is brought to the device once.
        let here = if part.len() == 1 { Some(self.source.place(first, self.control)?) } else { None };
        let mut walk = |run: &mut PerPiece<'_>| -> Result<()> {
            for piece in part {
                self.control.check()?;
                match &here {
                    Some(placed) => run(piece, placed)?,
                    None => run(piece, &self.source.place(piece, self.control)?)?,
                }
            }
            Ok(())
        };
        let index_bits = if self.order.top { 32 - (self.source.grid().len as u32 - 1).leading_zeros() } else { 0 };
        let digits = (0..self.order.bits()).step_by(DIGIT as usize).rev().map(|shift| (shift, 0));
        let digits: Vec<(u32, u32)> =
            digits.chain((0..index_bits).step_by(DIGIT as usize).rev().map(|shift| (shift, 1))).collect();
        for start in (0..total).step_by(JOBS) {
            let jobs = start..total.min(start + JOBS);
            let n = jobs.len();
            let states: Vec<[u32; 4]> = jobs.clone().map(|job| [0, 0, 0, wanted(job / ranks, job % ranks) as u32]).collect();
            let states = self.upload(bytemuck::cast_slice(&states))?;
            let counts = self.context.block(1024 * n as u64)?;
            self.context.clear(&counts, 1024 * n as u64)?;
            for &(shift, by_index) in &digits {
                walk(&mut |piece, placed| {
                    let mut params = self.params(piece, placed, ranks);
                    let splits = self.splits(piece.at.len(), n);
                    (params.shift, params.by_index, params.job) = (shift, by_index, start as u32);
                    params.splits = splits as u32;
                    let binds = [Bind::Block(&placed.block), Bind::Block(&states), Bind::Block(&counts)];
                    self.dispatch(Stage::Count, params, (n * splits) as u64, true, &binds)
                })?;
                let mut params = <Params as bytemuck::Zeroable>::zeroed();
                (params.shift, params.by_index) = (shift, by_index);
                self.dispatch(Stage::Choose, params, n as u64, false, &[Bind::Block(&states), Bind::Block(&counts)])?;
            }
            each(Found { states, jobs }, &mut walk)?;
        }
        Ok(())
    }

    fn upload(&self, bytes: &[u8]) -> Result<Block> {
        let block = self.context.block(bytes.len() as u64)?;
        self.context.upload(&block, bytes.len() as u64, self.control, &mut |range, out| {
            out.copy_from_slice(&bytes[range.start as usize..range.end as usize]);
        })?;
        Ok(block)
    }

    pub(super) fn grid(&self) -> Grid {
        self.source.grid()
    }
}

/// Runs something over all pieces of a part.
pub(super) type Walk<'w> = dyn FnMut(&mut PerPiece<'_>) -> Result<()> + 'w;

/// What runs over a piece that is on the device.
pub(super) type PerPiece<'p> = dyn FnMut(&Piece, &Placed) -> Result<()> + 'p;
