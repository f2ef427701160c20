//! One stage: a pass down an axis and a pass along a later one (or one of the two), fused.
//!
//! A tile is a segment of columns of a band of rows. [`ROWS`] rows of results at a time, the pass down reads the source
//! where it lies (its rows are chosen by the boundary) and leaves its sums in a buffer in cache; the
//! buffer's ends are completed by the boundary of the other axis, the pass along makes the results, and they are rounded and
//! stored once. Nothing else is written.

use std::ops::Range;

use super::super::store::{self, FinishRow, Finishable};
use super::kernels::{Along, AlongFn, Down, DownFn, Filtered, ROWS, Weights};
use super::lanes::Float;
use crate::cpu::simd::{Kernel, Simd};
use crate::cpu::tasks;
use crate::plan::{Boundary, Combine};
use crate::{Control, Result};

/// Bytes of source rows that a tile works on: they stay in the second-level cache.
const SOURCE_BYTES: usize = 384 << 10;
/// Elements of a segment, if its source allows: the buffers stay in the second-level cache too. Shorter ones would fit the
/// first, and were slower: they read rows of the source in pieces.
const SEGMENT: usize = 2048;
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

/// What a tile works with.
struct Scratch<S, C> {
    /// Sums of the pass down, results, and those of a term whose squares are wanted: [`ROWS`] rows each.
    sums: Vec<C>,
    results: Vec<C>,
    squared: Vec<C>,
    sums_row: usize,
    results_row: usize,
    /// A row of what lies outside.
    outside: Vec<S>,
    /// The source rows of a block, `None` outside; and where the pass down reads them.
    rows: Vec<Option<*const S>>,
    pointers: Vec<*const S>,
}

impl<S: Filtered<C> + Copy + Sync, C: Float + Finishable> Stage<'_, S, C> {
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
        let elements = (SOURCE_BYTES / ((down + ROWS) * size_of::<S>())).clamp(256, SEGMENT).max(6 * halo);
        let segment = (elements / self.inner).clamp(1, width);
        let segments = width.div_ceil(segment);
        let segment = width.div_ceil(segments);
        let segments = width.div_ceil(segment);
        let bands = wanted.div_ceil(items * segments).min(height.div_ceil(ROWS)).max(1);
        let band = height.div_ceil(bands).next_multiple_of(ROWS);
        let bands = height.div_ceil(band);
        Tiling { band, bands, segment, segments, parallel, together: (items * bands * segments).div_ceil(wanted) }
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
        let sums_row = padded::<C>((columns.len() + along - 1) * self.inner);
        let results_row = padded::<C>(columns.len() * self.inner);
        let mut scratch = Scratch {
            sums: vec![C::ZERO; ROWS * sums_row],
            results: vec![C::ZERO; ROWS * results_row],
            squared: vec![C::ZERO; if self.combine == Combine::Magnitude { ROWS * results_row } else { 0 }],
            sums_row,
            results_row,
            outside: vec![self.fill; sums_row],
            rows: Vec::with_capacity(down + ROWS),
            pointers: Vec::with_capacity(down + ROWS),
        };
        let kernels = S::kernels(self.simd);
        let mut y = rows.start;
        while y < rows.end {
            self.control.check()?;
            // Rows that are done are done again if that saves single ones.
            let (at, count) = match rows.end - y {
                ROWS.. => (y, ROWS),
                _ if rows.len() >= ROWS => (rows.end - ROWS, ROWS),
                _ => (y, 1),
            };
            let tall = usize::from(count == ROWS);
            // SAFETY: the block lies in the result and the instruction set is the one that the kernels were chosen for.
            unsafe { self.block(kernels.down[tall], kernels.along[tall], item, at, count, &columns, &mut scratch) };
            y = at + count;
        }
        if self.finish.streams() {
            store::fence();
        }
        let per_result = self.terms.len() * (down + along) - if down == 1 || along == 1 { self.terms.len() } else { 0 };
        self.control.advance((rows.len() * columns.len() * self.inner * per_result) as u64);
        Ok(())
    }

    /// Makes `count` rows of results from row `y` on.
    ///
    /// # Safety
    /// The kernels must be for `count` rows, and their instruction set present.
    #[expect(clippy::too_many_arguments)]
    unsafe fn block(
        &self,
        down: DownFn<S, C>,
        along: AlongFn<C>,
        item: usize,
        y: usize,
        count: usize,
        columns: &Range<usize>,
        scratch: &mut Scratch<S, C>,
    ) {
        let n = columns.len() * self.inner;
        let (out, out_row) = (scratch.results.as_mut_ptr(), scratch.results_row);
        for (index, term) in self.terms.iter().enumerate() {
            let first = y as isize + term.start_down;
            let last = first + (term.down.values.len() + count - 1) as isize;
            scratch.rows.clear();
            scratch.rows.extend((first..last).map(|i| {
                let row = term.boundary_down.source(i, self.down.input)?;
                Some(self.source.wrapping_offset(self.source_items[item] + row as isize * self.source_row))
            }));
            if index == 0 {
                self.fetch(item, last..last + count as isize, columns);
            }
            let squares = self.combine == Combine::Magnitude;
            // SAFETY: the buffers hold `count` rows of the columns, those of the sums with what the weights along reach.
            unsafe {
                match &term.along {
                    None => self.down(down, term, columns.start * self.inner, n, scratch, out, out_row),
                    Some(weights) => {
                        self.sums(down, term, weights.values.len(), count, columns, scratch);
                        along(&Along {
                            source: scratch.sums.as_ptr(),
                            source_row: scratch.sums_row,
                            step: self.inner,
                            weights,
                            out: if squares { scratch.squared.as_mut_ptr() } else { out },
                            out_row,
                            n,
                            add: index > 0 && !squares,
                        });
                    }
                }
            }
            if squares {
                for r in 0..count {
                    let row = r * out_row..r * out_row + n;
                    let (target, source) = (&mut scratch.results[row.clone()], &scratch.squared[row]);
                    self.simd.run(Square { target, source, first: index == 0, root: index + 1 == self.terms.len() });
                }
            }
        }
        for r in 0..count {
            let offset = self.target_items[item]
                + (y + r) as isize * self.target_row
                + (columns.start * self.inner) as isize * self.stride;
            // SAFETY: the row of results is filled, and the elements are this tile's own.
            unsafe {
                let target = self.target.wrapping_offset(offset * self.size as isize);
                self.finish.row(out.add(r * out_row), n, target, self.stride);
            }
        }
    }

    /// Asks for the rows that the next block reads first: a segment of a row is too short for the hardware to see that
    /// another follows.
    fn fetch(&self, item: usize, rows: Range<isize>, columns: &Range<usize>) {
        let size = size_of::<S>();
        let (from, bytes) = (columns.start * self.inner, columns.len() * self.inner * size);
        for row in rows.start.max(0)..rows.end.min(self.down.input as isize) {
            let start = self.source.wrapping_offset(self.source_items[item] + row * self.source_row + from as isize).cast::<u8>();
            for offset in (0..bytes).step_by(64) {
                fetch(start.wrapping_add(offset));
            }
        }
    }

    /// The pass down over `n` elements from element `from` of the rows on, into `out`.
    ///
    /// # Safety
    /// As [`block`](Self::block); `out` must have room for the rows.
    #[expect(clippy::too_many_arguments)]
    unsafe fn down(
        &self,
        down: DownFn<S, C>,
        term: &Term<C>,
        from: usize,
        n: usize,
        scratch: &mut Scratch<S, C>,
        out: *mut C,
        out_row: usize,
    ) {
        let Scratch { rows, pointers, outside, .. } = scratch;
        pointers.clear();
        pointers.extend(rows.iter().map(|row| row.map_or(outside.as_ptr(), |row| row.wrapping_add(from))));
        // SAFETY: the rows hold n elements from there on, so does what lies outside; the caller's promise for the rest.
        unsafe { down(&Down { rows: pointers, weights: &term.down, out, out_row, n }) };
    }

    /// The sums of the pass down for all columns that `taps` weights along read, the boundary resolved.
    ///
    /// # Safety
    /// As [`block`](Self::block).
    unsafe fn sums(
        &self,
        down: DownFn<S, C>,
        term: &Term<C>,
        taps: usize,
        count: usize,
        columns: &Range<usize>,
        scratch: &mut Scratch<S, C>,
    ) {
        let (inner, width) = (self.inner, self.along.input as isize);
        let from = columns.start as isize + term.start_along;
        let to = columns.end as isize + term.start_along + taps as isize - 1;
        let inside = from.clamp(0, width)..to.clamp(0, width);
        let outside = C::nearest(term.boundary_along.fill());
        let (sums, row) = (scratch.sums.as_mut_ptr(), scratch.sums_row);
        // SAFETY: column i of from..to is at (i - from) * inner of the sums' rows.
        unsafe {
            let at = |i: isize| sums.add((i - from) as usize * inner);
            if !inside.is_empty() {
                let n = inside.len() * inner;
                self.down(down, term, inside.start as usize * inner, n, scratch, at(inside.start), row);
            }
            for edge in [from..to.min(inside.start.max(from)), inside.end.max(inside.start.max(from)).min(to)..to] {
                let mut i = edge.start;
                while i < edge.end {
                    let source = term.boundary_along.source(i, self.along.input).map(|j| j as isize);
                    match source {
                        None => {
                            for r in 0..count {
                                std::slice::from_raw_parts_mut(at(i).add(r * row), inner).fill(outside);
                            }
                            i += 1;
                        }
                        Some(j) if inside.contains(&j) => {
                            for r in 0..count {
                                std::ptr::copy_nonoverlapping(at(j).add(r * row).cast_const(), at(i).add(r * row), inner);
                            }
                            i += 1;
                        }
                        Some(j) => {
                            // A run of columns that lie elsewhere (the other end, for a wrapped line).
                            let next = |k: isize| term.boundary_along.source(i + k, self.along.input) == Some((j + k) as usize);
                            let mut run = 1;
                            while i + run < edge.end && !inside.contains(&(j + run)) && next(run) {
                                run += 1;
                            }
                            self.down(down, term, j as usize * inner, run as usize * inner, scratch, at(i), row);
                            i += run;
                        }
                    }
                }
            }
        }
    }
}

/// Adds squares, or starts with them; takes roots at the end.
struct Square<'a, C> {
    target: &'a mut [C],
    source: &'a [C],
    first: bool,
    root: bool,
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

/// Asks for a cache line that will be read soon, at any address.
#[inline(always)]
fn fetch(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, which reads nothing; SSE is part of the target.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T1>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// The elements of a row in scratch: whole cache lines, and not a page apart from the next, for rows a page apart would
/// compete for the same few places of the first-level cache.
fn padded<C>(n: usize) -> usize {
    let line = 64 / size_of::<C>();
    let row = n.next_multiple_of(line);
    if (row * size_of::<C>()).is_multiple_of(4096) { row + line } else { row }
}
