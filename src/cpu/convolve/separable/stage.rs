//! One stage: a pass down an axis and a pass along a later one (or one of the two), fused.
//!
//! A tile is a segment of columns of a band of rows, made a block of rows at a time ([`block`](super::block)).

use super::super::store::{self, FinishRow, Finishable};
use super::super::tile::{pitch, with_scratch};
use super::along::{self, AlongFn, Lined};
use super::down::{self, Filtered, ROWS};
use super::lanes::Float;
use super::sweep::Weights;
use super::woven::WovenFn;
use crate::cpu::simd::{Kernel, Simd};
use crate::cpu::tasks;
use crate::plan::{Boundary, Combine};
use crate::{Control, Result};

/// Bytes of source rows that a tile works on: they stay in the second-level cache.
const SOURCE_BYTES: usize = 384 << 10;
/// Elements of a segment, if its source allows. Shorter ones were slower: they read rows of the source in pieces.
const SEGMENT: usize = 2048;
/// The same where both passes are made at once, in which each row is read and written from end to end.
const SEGMENT_WOVEN: usize = 8192;
/// Elements between the passes, of all rows of a block, if the weights allow: 12 KiB of binary32.
const BETWEEN: usize = 3072;
/// Elements of a row of them where results go straight where they belong, beyond the caches: the longer their rows, the better, and
/// the second-level cache holds the sums well enough.
const CHUNK_DIRECT: usize = 1024;
/// Rows of results that a tile makes at a time at most.
const TALL: usize = 2 * ROWS;
/// Nanoseconds below which work is not shared among threads, and those that a task should take.
const SERIAL_NANOS: f64 = 50e3;
const TASK_NANOS: f64 = 200e3;

/// One axis of a stage.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    /// Elements and results along the axis.
    pub input: usize,
    pub output: usize,
}

/// The weights of one separable term down and along, where the first one of result 0 reads, and what lies outside.
pub(super) struct Term<C> {
    pub down: Weights<C>,
    pub start_down: isize,
    pub boundary_down: Boundary,
    pub along: Option<Weights<C>>,
    /// The pass along, where the weights are few.
    pub few: Option<AlongFn<C>>,
    pub start_along: isize,
    pub boundary_along: Boundary,
}

/// A stage with everything decided. Several terms all have weights along.
pub(super) struct Stage<'a, S: 'static, C: 'static> {
    pub terms: Vec<Term<C>>,
    pub combine: Combine,
    /// The axis that the pass down runs over.
    pub down: Line,
    /// The axis that the pass along runs over, in columns.
    pub along: Line,
    /// Elements of a column: the axes behind the one along.
    pub inner: usize,
    /// The value outside along the axis down.
    pub fill: S,
    /// The first element, the offsets of the items, and elements from one row to the next. Rows are contiguous.
    pub source: *const S,
    pub source_items: Vec<isize>,
    pub source_row: isize,
    /// The same of the result, with elements of `size` bytes, `stride` elements apart.
    pub target: *mut u8,
    pub target_items: Vec<isize>,
    pub target_row: isize,
    pub size: usize,
    pub stride: isize,
    /// Whether the pass along writes its results where they belong.
    pub direct: bool,
    /// Both passes at once, for the columns whose weights are all inside.
    pub woven: Option<WovenFn<S, C>>,
    pub finish: FinishRow<C>,
    pub simd: Simd,
    pub control: &'a Control,
}

// SAFETY: the source is only read, and every task writes results of its own.
unsafe impl<S: Sync, C: Sync> Sync for Stage<'_, S, C> {}

/// How a stage is cut.
struct Tiling {
    band: usize,
    bands: usize,
    /// Columns.
    segment: usize,
    segments: usize,
    parallel: bool,
    together: usize,
}

/// What a tile works with: rows in scratch memory.
pub(super) struct Scratch<'a, S, C> {
    /// Sums of the pass down, results, and those of a term whose squares are wanted: of a chunk of columns.
    pub sums: *mut C,
    pub results: *mut C,
    pub squared: *mut C,
    /// Elements from one row to the next.
    pub sums_row: usize,
    pub results_row: usize,
    /// What the pass along works with.
    pub room: *mut C,
    /// Rows of elements of the output on their way past the caches, and bytes from one to the next.
    pub staged: *mut u8,
    pub staged_row: usize,
    /// Columns of the chunk whose sums are there.
    pub made: usize,
    /// A row of what lies outside.
    pub outside: *const S,
    /// The source rows of a block, `None` outside; and where the pass down reads them.
    pub rows: &'a mut Vec<Option<*const S>>,
    pub pointers: &'a mut Vec<*const S>,
    /// The rows that the next block reads first; and where they are asked for.
    pub ahead: &'a mut Vec<*const S>,
    pub ahead_from: &'a mut Vec<*const S>,
    /// Where the rows of results of the chunk begin, if their lines are asked for.
    pub wanted: &'a mut Vec<*const C>,
}

impl<S: Filtered<C> + Copy + Sync, C: Float + Finishable + Lined> Stage<'_, S, C> {
    /// The most weights down, and along.
    fn taps(&self) -> (usize, usize) {
        let down = self.terms.iter().map(|term| term.down.values.len()).max();
        let along = self.terms.iter().map(|term| term.along.as_ref().map_or(1, |weights| weights.values.len())).max();
        (down.unwrap_or(1), along.unwrap_or(1))
    }

    fn tiling(&self, threads: usize) -> Tiling {
        let (down, along) = self.taps();
        let (items, height, width) = (self.target_items.len(), self.down.output, self.along.output);
        let results = items as f64 * height as f64 * (width * self.inner) as f64;
        // A coarse model of one thread: multiply-adds of a vector unit, bytes of memory.
        let rate = if size_of::<C>() == 4 { 48.0 } else { 24.0 };
        let nanos = results * self.terms.len() as f64 * ((down + along) as f64 / rate)
            + results * (size_of::<S>() + self.size) as f64 / 8.0;
        let parallel = threads > 1 && nanos > SERIAL_NANOS;
        let wanted = if parallel { ((nanos / TASK_NANOS) as usize).clamp(threads, 16 * threads) } else { 1 };

        let halo = (along - 1) * self.inner;
        let (tall, longest) = if self.woven.is_some() { (ROWS, SEGMENT_WOVEN) } else { (self.tall(), SEGMENT) };
        let elements = (SOURCE_BYTES / ((down + tall) * size_of::<S>())).clamp(256, longest).max(6 * halo);
        let segment = (elements / self.inner).clamp(1, width);
        let segments = width.div_ceil(segment);
        let segment = width.div_ceil(segments);
        let segments = width.div_ceil(segment);
        let bands = wanted.div_ceil(items * segments).min(height.div_ceil(TALL)).max(1);
        let band = height.div_ceil(bands).next_multiple_of(TALL);
        let bands = height.div_ceil(band);
        Tiling { band, bands, segment, segments, parallel, together: (items * bands * segments).div_ceil(wanted) }
    }

    /// Rows of results that a tile makes at a time, where there are so many: twice what the pass down holds in registers, so that its
    /// second rows find in the first-level cache what its first have read.
    fn tall(&self) -> usize {
        match self.woven {
            Some(_) => TALL,
            None if self.direct => ROWS,
            None => 2 * down::rows(self.simd),
        }
    }

    /// Columns that are made together: what lies between the passes stays in the first-level cache. Whole cache lines, whatever
    /// the elements.
    fn chunk(&self, along: usize) -> usize {
        let elements = if self.direct { CHUNK_DIRECT } else { BETWEEN / self.tall() }.max((along - 1) * self.inner);
        elements.div_ceil(self.inner).next_multiple_of(64)
    }

    /// Whether results are converted in scratch memory first, so that only whole cache lines of them go past the caches.
    pub(super) fn is_staged(&self) -> bool {
        self.finish.streams() && self.size < size_of::<C>()
    }

    /// Runs all tiles on the current thread pool.
    pub(super) fn run(&self) -> Result<()> {
        let tiling = self.tiling(tasks::threads());
        let count = self.target_items.len() * tiling.bands * tiling.segments;
        let together = if tiling.parallel { tiling.together } else { count };
        tasks::for_each(count, together, &|task| self.task(&tiling, task))
    }

    fn task(&self, tiling: &Tiling, task: usize) -> Result<()> {
        let (task, band) = (task / tiling.bands, task % tiling.bands);
        let (item, segment) = (task / tiling.segments, task % tiling.segments);
        let rows = band * tiling.band..self.down.output.min((band + 1) * tiling.band);
        let columns = segment * tiling.segment..self.along.output.min((segment + 1) * tiling.segment);
        let (down, along) = self.taps();
        let inner = self.inner;
        let tall = self.tall();
        let most = rows.len().min(tall);
        let chunk = self.chunk(along).min(columns.len());
        let sums_row = pitch::<C>((chunk + along - 1) * inner);
        let results_row = pitch::<C>(chunk * inner);
        let squared = if self.combine == Combine::Magnitude { most * results_row } else { 0 };
        let staged_row = if self.is_staged() { pitch::<u8>(columns.len() * inner * self.size) } else { 0 };
        let size = size_of::<C>();
        let sizes = [most * sums_row + along::BEHIND, most * results_row, squared, along::room(inner, along)].map(|n| n * size);
        let bytes = |parts: usize| sizes[..parts].iter().map(|bytes| bytes.next_multiple_of(64)).sum::<usize>();
        let (mut rows_of_block, mut pointers) = (Vec::with_capacity(down + TALL), Vec::with_capacity(down + TALL));
        let (mut ahead, mut ahead_from) = (Vec::with_capacity(TALL), Vec::with_capacity(TALL));
        let mut wanted = Vec::with_capacity(TALL);
        let outside = vec![self.fill; sums_row];
        let kernels = (S::down(self.simd), C::along(self.simd));
        with_scratch(bytes(4) + most * staged_row, |memory| {
            let part = |index: usize| memory.wrapping_add(bytes(index)).cast::<C>();
            let mut scratch = Scratch {
                sums: part(0),
                results: part(1),
                squared: part(2),
                sums_row,
                results_row,
                room: part(3),
                staged: memory.wrapping_add(bytes(4)),
                staged_row,
                made: 0,
                outside: outside.as_ptr(),
                rows: &mut rows_of_block,
                pointers: &mut pointers,
                ahead: &mut ahead,
                ahead_from: &mut ahead_from,
                wanted: &mut wanted,
            };
            let mut y = rows.start;
            while y < rows.end {
                self.control.check()?;
                // Rows that are done are done again if that saves single ones.
                let (at, count) = match rows.end - y {
                    left if left >= tall => (y, tall),
                    left if left > ROWS && rows.len() >= tall => (rows.end - tall, tall),
                    ROWS.. => (y, ROWS),
                    _ if rows.len() >= ROWS => (rows.end - ROWS, ROWS),
                    _ => (y, 1),
                };
                let several = usize::from(count > 1);
                // SAFETY: the block lies in the result, the scratch has room for it, and the instruction set is the one that the
                // kernels were chosen for.
                unsafe {
                    self.block((kernels.0[several], kernels.1[several]), item, at..at + count, &columns, chunk, &mut scratch)
                };
                y = at + count;
            }
            Ok(())
        })?;
        if self.finish.streams() {
            store::fence();
        }
        let per_result = self.terms.len() * (down + along) - if down == 1 || along == 1 { self.terms.len() } else { 0 };
        self.control.advance((rows.len() * columns.len() * self.inner * per_result) as u64);
        Ok(())
    }
}

/// Adds squares, or starts with them; takes roots at the end.
pub(super) struct Square<'a, C> {
    pub target: &'a mut [C],
    pub source: &'a [C],
    pub first: bool,
    pub root: bool,
}

impl<C: Float> Kernel for Square<'_, C> {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        for (target, &x) in self.target.iter_mut().zip(self.source) {
            *target = x.mul_add(x, if self.first { C::ZERO } else { *target });
        }
        if self.root {
            self.target.iter_mut().for_each(|x| *x = x.root());
        }
    }
}

/// Adds a term, or its square, to the total; at the end the roots of the squares are wanted.
pub(super) fn accumulate<C: Float>(combine: Combine, total: &mut [C], term: &[C], last: bool) -> Result<()> {
    const PIECE: usize = 1 << 14;
    let (start, n) = (total.as_mut_ptr() as usize, total.len());
    tasks::for_each(n.div_ceil(PIECE), 1, &|piece| {
        let range = piece * PIECE..n.min((piece + 1) * PIECE);
        // SAFETY: every piece of the total is touched by one task only.
        let total = unsafe { std::slice::from_raw_parts_mut((start as *mut C).add(range.start), range.len()) };
        for (total, &x) in total.iter_mut().zip(&term[range]) {
            *total = if combine == Combine::Sum { *total + x } else { x.mul_add(x, *total) };
            if last && combine == Combine::Magnitude {
                *total = total.root();
            }
        }
        Ok(())
    })
}
