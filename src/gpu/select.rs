//! Order statistics on the GPU, by selection on order keys.
//!
//! Keys of long lanes are found digit by digit: a pass over the elements counts how many have each next digit, among those
//! that begin as the wanted key does, and the digit that holds the rank is chosen. An invocation finds a key of a short
//! lane by itself, bit by bit. Only the keys that were wanted come to the host.

use std::sync::Arc;

use super::context::Context;
use super::dispatch::{Bind, Dispatch, fold};
use super::lanes::{Grid, Piece, Placed, Source};
use super::memory::Block;
use super::pipeline::{Pipeline, Shader};
use crate::{Control, Error, Result};

mod stages;
#[cfg(test)]
mod tests;

#[allow(unused_imports, reason = "variants are read by tests")]
pub(super) use stages::variants;
pub(super) use stages::{Order, Params, Stage, WEIGHED};

/// Elements of a lane up to which one invocation reads it for every bit.
pub(super) const SHORT: usize = 256;
/// Jobs of long lanes whose counts, a kilobyte each, are kept at once.
const JOBS: usize = 1 << 15;
/// Elements that an invocation takes at least, where another could take some of them, and at most.
const ITEMS: std::ops::Range<usize> = 16..8192;
/// Bits of a digit.
const DIGIT: u32 = 8;

/// A selection at work.
pub(super) struct Selection<'a> {
    pub(super) context: &'a Arc<Context>,
    pub(super) source: &'a Source<'a>,
    /// What a second array tells of the elements.
    beside: Option<&'a Source<'a>>,
    pub(super) order: Order,
    pub(super) control: &'a Control,
    workgroup: u32,
}

/// A piece on the device.
pub(super) struct Here {
    pub(super) values: Placed,
    pub(super) beside: Option<Placed>,
}

impl Here {
    /// What is bound as a mask: anything if there is none.
    fn mask(&self) -> &Block {
        self.beside.as_ref().map_or(&self.values.block, |mask| &mask.block)
    }
}

/// Jobs whose keys, and of tops indices, are known: the state of each in four words.
pub(super) struct Found {
    pub(super) states: Block,
    /// Their numbers in the piece.
    pub(super) jobs: std::ops::Range<usize>,
}

impl<'a> Selection<'a> {
    pub(super) fn new(
        context: &'a Arc<Context>,
        source: &'a Source<'a>,
        beside: Option<&'a Source<'a>>,
        order: Order,
        control: &'a Control,
    ) -> Result<Self> {
        if source.grid().len as u64 > u64::from(u32::MAX) {
            let (device, operation) = (context.id.clone(), "a selection".to_string());
            return Err(Error::Unsupported { device, operation, feature: "lanes of 2^32 elements and more".into() });
        }
        let workgroup = context.limits.invocations.min(if context.caps.software { 64 } else { 256 });
        Ok(Self { context, source, beside, order, control, workgroup })
    }

    fn sources(&self) -> impl Iterator<Item = &Source<'a>> {
        std::iter::once(self.source).chain(self.beside)
    }

    /// Elements of a piece at most.
    fn most(&self) -> usize {
        if self.sources().all(Source::is_resident) {
            return usize::MAX;
        }
        // Two arrays, keys and counts.
        let wanted: usize = if self.context.caps.software { 1 << 22 } else { 1 << 26 };
        let size = self.order.dtype.size().max(self.order.beside.map_or(1, |beside| beside.dtype().size()));
        wanted.min(self.context.share(6) as usize / size)
    }

    /// The parts to work on: pieces that together are whole lanes, one after the other.
    pub(super) fn parts(&self) -> Vec<Vec<Piece>> {
        let mut parts: Vec<Vec<Piece>> = vec![];
        let broad = self.sources().find(|source| source.is_in_segments()).unwrap_or(self.source);
        for piece in broad.pieces(self.source.grid(), self.most()) {
            match parts.last_mut() {
                Some(part) if piece.at.start > 0 => part.push(piece),
                _ => parts.push(vec![piece]),
            }
        }
        parts
    }

    /// Brings a piece to the device.
    pub(super) fn place(&self, piece: &Piece) -> Result<Here> {
        let beside = self.beside.map(|beside| beside.place(piece, self.control)).transpose()?;
        Ok(Here { values: self.source.place(piece, self.control)?, beside })
    }

    fn pipeline(&self, stage: Stage) -> Result<Arc<Pipeline>> {
        self.context.pipeline(&Shader {
            label: stage.label(),
            source: &|| self.order.source(stage, self.workgroup),
            variant: &format!("{:?} {stage:?} {}", self.order, self.workgroup),
            constants: &[],
            workgroup: [self.workgroup, 1, 1],
            workgroup_bytes: match stage {
                Stage::Count => 1024,
                Stage::WeighAll | Stage::Weigh => 4 * (stage.sums() * self.order.limbs()) as u32,
                _ => 0,
            },
            slots: stage.slots(),
        })
    }

    pub(super) fn params(&self, piece: &Piece, here: &Here, ranks: usize) -> Params {
        let mut params = <Params as bytemuck::Zeroable>::zeroed();
        let placed = &here.values;
        (params.width, params.len, params.ranks) = (piece.columns.len() as u32, piece.at.len() as u32, ranks as u32);
        (params.start, params.outer, params.step) = (placed.start, placed.outer, placed.step);
        (params.base, params.splits) = (piece.at.start as u32, 1);
        if let Some(Placed { start, outer, step, .. }) = here.beside {
            (params.beside_start, params.beside_outer, params.beside_step) = (start, outer, step);
        }
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
        self.splits_of(len, jobs, ITEMS.end)
    }

    /// [`splits`](Self::splits) where an invocation takes at most so many elements.
    pub(super) fn splits_of(&self, len: usize, jobs: usize, items: usize) -> usize {
        let workgroup = self.workgroup as usize;
        let busy: usize = if self.context.caps.software { 16 } else { 2048 };
        let most = len.div_ceil(workgroup * ITEMS.start).max(1);
        busy.div_ceil(jobs.max(1)).clamp(1, most).max(len.div_ceil(workgroup * items))
    }

    /// The keys of `ranks` ranks of each lane of a part, in the order of its lanes.
    pub(super) fn keys(&self, part: &[Piece], ranks: usize, wanted: &dyn Fn(usize, usize) -> usize) -> Result<Vec<u64>> {
        let Some(first) = part.first() else { return Ok(vec![]) };
        let lanes = first.lanes();
        let mut keys = Vec::with_capacity(lanes * ranks);
        // Under a limit of memory short lanes may be cut as well.
        if self.source.grid().len <= SHORT && part.len() == 1 {
            let here = self.place(first)?;
            // Ranks and keys of so many at a time.
            let (total, together) = (lanes * ranks, (self.context.share(6) / 8) as usize);
            for start in (0..total).step_by(together) {
                let jobs = start..total.min(start + together);
                let ranked: Vec<u32> = jobs.clone().map(|job| wanted(job / ranks, job % ranks) as u32).collect();
                let given = self.upload(bytemuck::cast_slice(&ranked))?;
                let found = self.context.block(8 * jobs.len() as u64)?;
                let params = Params { job: start as u32, ..self.params(first, &here, ranks) };
                let binds = [&here.values.block, &given, here.mask(), &found].map(Bind::Block);
                self.dispatch(Stage::Short, params, jobs.len() as u64, false, &binds)?;
                let bytes = self.context.read_small(&found, 8 * jobs.len() as u64)?;
                keys.extend(bytes.as_chunks::<8>().0.iter().map(|&bytes| u64::from_le_bytes(bytes)));
            }
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
        let mut walk = self.walk(part)?;
        let index_bits = if self.order.top { 32 - (self.source.grid().len as u32 - 1).leading_zeros() } else { 0 };
        let digits = (0..self.order.bits()).step_by(DIGIT as usize).rev().map(|shift| (shift, 0));
        let digits: Vec<(u32, u32)> =
            digits.chain((0..index_bits).step_by(DIGIT as usize).rev().map(|shift| (shift, 1))).collect();
        let together = JOBS.min(self.context.share(6) as usize / 1040);
        for start in (0..total).step_by(together) {
            let jobs = start..total.min(start + together);
            let n = jobs.len();
            let states: Vec<[u32; 4]> = jobs.clone().map(|job| [0, 0, 0, wanted(job / ranks, job % ranks) as u32]).collect();
            let states = self.upload(bytemuck::cast_slice(&states))?;
            let counts = self.context.block(1024 * n as u64)?;
            self.context.clear(&counts, 1024 * n as u64)?;
            for &(shift, by_index) in &digits {
                walk(&mut |piece, here| {
                    let mut params = self.params(piece, here, ranks);
                    let splits = self.splits(piece.at.len(), n);
                    (params.shift, params.by_index, params.job) = (shift, by_index, start as u32);
                    params.splits = splits as u32;
                    let binds = [&here.values.block, &states, here.mask(), &counts].map(Bind::Block);
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

    /// What runs over all pieces of a part, which is brought to the device once if it is one piece.
    pub(super) fn walk<'w>(&'w self, part: &'w [Piece]) -> Result<impl FnMut(&mut PerPiece<'_>) -> Result<()> + 'w> {
        let kept = match part {
            [piece] => Some(self.place(piece)?),
            _ => None,
        };
        Ok(move |run: &mut PerPiece<'_>| {
            for piece in part {
                self.control.check()?;
                match &kept {
                    Some(here) => run(piece, here)?,
                    None => run(piece, &self.place(piece)?)?,
                }
            }
            Ok(())
        })
    }

    pub(super) fn upload(&self, bytes: &[u8]) -> Result<Block> {
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
pub(super) type PerPiece<'p> = dyn FnMut(&Piece, &Here) -> Result<()> + 'p;
