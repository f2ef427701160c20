//! A block of rows of a tile, chunk by chunk along the rows.
//!
//! The pass down reads the source where it lies (its rows are chosen by the boundary) and leaves its sums in a buffer in
//! cache; the buffer's ends are completed by the boundary of the other axis, the pass along makes the results, and they are
//! rounded and stored once. Nothing else is written.

use std::ops::Range;

use super::super::store::{self, Finishable};
use super::along::{Along, AlongFn, Lined};
use super::down::{Down, DownFn, Filtered};
use super::lanes::Float;
use super::stage::{Scratch, Square, Stage, Term};
use crate::plan::Combine;

impl<S: Filtered<C> + Copy + Sync, C: Float + Finishable + Lined> Stage<'_, S, C> {
    /// Makes rows of results.
    ///
    /// # Safety
    /// The kernels must be for as many rows, and their instruction set present.
    pub(super) unsafe fn block(
        &self,
        kernels: (DownFn<S, C>, AlongFn<C>),
        item: usize,
        results: Range<usize>,
        columns: &Range<usize>,
        chunk: usize,
        scratch: &mut Scratch<'_, S, C>,
    ) {
        let mut from = columns.start;
        while from < columns.end {
            let to = columns.end.min(from + chunk);
            // SAFETY: the caller's promise.
            unsafe { self.chunk_of(kernels, item, &results, columns, from..to, scratch) };
            from = to;
        }
        if self.is_staged() {
            let n = columns.len() * self.inner * self.size;
            for (r, y) in results.enumerate() {
                // SAFETY: the staged rows are filled, and the elements are this tile's own.
                unsafe {
                    let target = self.target.wrapping_offset(self.place(item, y, columns.start) * self.size as isize);
                    store::stream(self.simd, scratch.staged.add(r * scratch.staged_row), target, n);
                }
            }
        }
    }

    /// The offset of a result.
    fn place(&self, item: usize, y: usize, column: usize) -> isize {
        self.target_items[item] + y as isize * self.target_row + (column * self.inner) as isize * self.stride
    }

    /// Makes a chunk of the columns. The one before it in the same rows, if there is one, must have been made just before.
    ///
    /// # Safety
    /// As [`block`](Self::block).
    unsafe fn chunk_of(
        &self,
        (down, along): (DownFn<S, C>, AlongFn<C>),
        item: usize,
        results: &Range<usize>,
        all: &Range<usize>,
        columns: Range<usize>,
        scratch: &mut Scratch<'_, S, C>,
    ) {
        let count = results.len();
        // What several terms leave behind is of the last one.
        let follows = columns.start > all.start && self.terms.len() == 1;
        let n = columns.len() * self.inner;
        let (out, out_row) = (scratch.results, scratch.results_row);
        for (index, term) in self.terms.iter().enumerate() {
            let first = results.start as isize + term.start_down;
            let last = first + (term.down.values.len() + count - 1) as isize;
            if !follows {
                scratch.rows.clear();
                scratch.rows.extend((first..last).map(|i| {
                    let row = term.boundary_down.source(i, self.down.input)?;
                    Some(self.source.wrapping_offset(self.source_items[item] + row as isize * self.source_row))
                }));
            }
            if index == 0 {
                self.fetch(item, last..last + count as isize, &columns);
            }
            let squares = self.combine == Combine::Magnitude;
            // SAFETY: the buffers hold `count` rows of the columns, those of the sums with what the weights along reach.
            unsafe {
                match &term.along {
                    None => self.down(down, term, columns.start * self.inner, count, n, scratch, out, out_row),
                    Some(weights) => {
                        self.sums(down, term, weights.values.len(), count, &columns, follows, scratch);
                        term.few.unwrap_or(along)(&Along {
                            source: scratch.sums,
                            source_row: scratch.sums_row,
                            step: self.inner,
                            weights,
                            out: if squares { scratch.squared } else { out },
                            out_row,
                            height: count,
                            n,
                            add: index > 0 && !squares,
                            room: scratch.room,
                        });
                    }
                }
            }
            if squares {
                for r in 0..count {
                    // SAFETY: rows of two parts of the scratch.
                    let (target, source) = unsafe {
                        let target = std::slice::from_raw_parts_mut(out.add(r * out_row), n);
                        (target, std::slice::from_raw_parts(scratch.squared.add(r * out_row), n))
                    };
                    self.simd.run(Square { target, source, first: index == 0, root: index + 1 == self.terms.len() });
                }
            }
        }
        let staged = scratch.staged.wrapping_add((columns.start - all.start) * self.inner * self.size);
        for (r, y) in results.clone().enumerate() {
            // SAFETY: the row of results is filled, and the elements are this tile's own.
            unsafe {
                let source = out.add(r * out_row);
                if self.is_staged() {
                    self.finish.convert(source, n, staged.add(r * scratch.staged_row));
                } else {
                    let target = self.target.wrapping_offset(self.place(item, y, columns.start) * self.size as isize);
                    self.finish.row(source, n, target, self.stride);
                }
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
        height: usize,
        n: usize,
        scratch: &mut Scratch<'_, S, C>,
        out: *mut C,
        out_row: usize,
    ) {
        let Scratch { rows, pointers, outside, .. } = scratch;
        pointers.clear();
        pointers.extend(rows.iter().map(|row| row.map_or(*outside, |row| row.wrapping_add(from))));
        // SAFETY: the rows hold n elements from there on, so does what lies outside; the caller's promise for the rest.
        unsafe { down(&Down { rows: pointers, weights: &term.down, out, out_row, height, n }) };
    }

    /// The sums of the pass down for all columns that `taps` weights along read, the boundary resolved. Where the columns follow
    /// those made before, their first sums are the last of those.
    ///
    /// # Safety
    /// As [`block`](Self::block).
    #[expect(clippy::too_many_arguments)]
    unsafe fn sums(
        &self,
        down: DownFn<S, C>,
        term: &Term<C>,
        taps: usize,
        count: usize,
        columns: &Range<usize>,
        follows: bool,
        scratch: &mut Scratch<'_, S, C>,
    ) {
        let (inner, width) = (self.inner, self.along.input as isize);
        let from = columns.start as isize + term.start_along;
        let to = columns.end as isize + term.start_along + taps as isize - 1;
        let new = if follows { from + taps as isize - 1 } else { from };
        let (held, inside) = (from.clamp(0, width)..to.clamp(0, width), new.clamp(0, width)..to.clamp(0, width));
        let outside = C::nearest(term.boundary_along.fill());
        let (sums, row) = (scratch.sums, scratch.sums_row);
        // SAFETY: column i of from..to is at (i - from) * inner of the sums' rows.
        unsafe {
            let at = |i: isize| sums.add((i - from) as usize * inner);
            if follows {
                for r in 0..count {
                    let row = sums.add(r * row);
                    let last = row.add(scratch.made * inner).cast_const();
                    std::ptr::copy(last, row, (taps - 1) * inner);
                }
            }
            scratch.made = columns.len();
            if !inside.is_empty() {
                let n = inside.len() * inner;
                self.down(down, term, inside.start as usize * inner, count, n, scratch, at(inside.start), row);
            }
            for edge in [new..to.min(inside.start.max(new)), inside.end.max(inside.start.max(new)).min(to)..to] {
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
                        Some(j) if held.contains(&j) => {
                            for r in 0..count {
                                std::ptr::copy_nonoverlapping(at(j).add(r * row).cast_const(), at(i).add(r * row), inner);
                            }
                            i += 1;
                        }
                        Some(j) => {
                            // A run of columns that lie elsewhere (the other end, for a wrapped line).
                            let next = |k: isize| term.boundary_along.source(i + k, self.along.input) == Some((j + k) as usize);
                            let mut run = 1;
                            while i + run < edge.end && !held.contains(&(j + run)) && next(run) {
                                run += 1;
                            }
                            self.down(down, term, j as usize * inner, count, run as usize * inner, scratch, at(i), row);
                            i += run;
                        }
                    }
                }
            }
        }
    }
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
