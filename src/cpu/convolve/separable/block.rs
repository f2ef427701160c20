//! A block of rows of a tile, chunk by chunk along the rows.
//!
//! The pass down reads the source where it lies (its rows are chosen by the boundary) and leaves its sums in a buffer in
//! cache; the buffer's ends are completed by the boundary of the other axis, the pass along makes the results, and they are
//! rounded and stored once. Nothing else is written.

use std::ops::Range;

use super::super::store::{self, Finishable, Leave};
use super::along::{Along, AlongFn, Lined};
use super::down::{Down, DownFn, Filtered, ROWS};
use super::lanes::Float;
use super::stage::{Scratch, Square, Stage, Term};
use super::woven::{self, Woven, WovenFn};
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
        let mut parts = [columns.clone(), columns.end..columns.end];
        if let Some(woven) = self.woven
            && let Some(inside) = self.inside(item, &results, columns)
        {
            // Where rows begin lines elsewhere, neighbours are made twice.
            parts = [columns.start..inside.start + self.beside().div_ceil(self.inner), inside.end..columns.end];
            // SAFETY: the caller's promise.
            unsafe { self.weave(woven, item, &results, &inside, scratch) };
        }
        for part in parts {
            let mut from = part.start;
            while from < part.end {
                let to = self.cut(part.end, from + chunk, self.place(item, results.start, 0));
                // SAFETY: the caller's promise.
                unsafe { self.chunk_of(kernels, item, &results, &part, from..to, scratch) };
                from = to;
            }
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

    /// The columns that both passes can be made of at once, up to one's place in a cache line: of whole lines, and all weights' elements
    /// inside.
    fn inside(&self, item: usize, results: &Range<usize>, columns: &Range<usize>) -> Option<Range<usize>> {
        let [Term { down, start_down, boundary_down, along: Some(along), start_along, .. }] = &self.terms[..] else {
            return None;
        };
        let first = results.start as isize + start_down;
        let mut rows = first..first + (down.values.len() + results.len() - 1) as isize;
        if results.len() < ROWS || rows.any(|i| boundary_down.source(i, self.down.input).is_none()) {
            return None;
        }
        let line = 64 / size_of::<C>();
        let centre = start_along + along.values.len() as isize / 2;
        let beside = self.beside();
        let reach = (woven::reach::<C>(along.values.len(), self.inner) + beside).div_ceil(self.inner) as isize;
        let start = columns.start.max((reach - centre).max(0) as usize);
        let end = (self.along.input as isize - reach - centre)
            .min((columns.end - beside.div_ceil(self.inner).min(columns.len())) as isize);
        // Where the first row begins a line, if it can; or at any place if others begin theirs elsewhere.
        let place = (self.target as usize / self.size).wrapping_add(self.place(item, results.start, start) as usize);
        let begins = |column: &usize| (place + column * self.inner).is_multiple_of(line);
        let start = match (beside, (0..line).find(begins)) {
            (0, Some(first)) => start + first,
            (0, None) if self.finish.streams() => return None,
            _ => start,
        };
        let n = (end - start as isize).max(0) as usize / line * line;
        (n >= 4 * line).then_some(start..start + n)
    }

    /// Makes both passes at once of columns that are [`inside`](Self::inside).
    ///
    /// # Safety
    /// As [`block`](Self::block).
    unsafe fn weave(
        &self,
        woven: WovenFn<S, C>,
        item: usize,
        results: &Range<usize>,
        columns: &Range<usize>,
        scratch: &mut Scratch<'_, S, C>,
    ) {
        let [Term { down, start_down, boundary_down, along: Some(along), start_along, .. }] = &self.terms[..] else { return };
        let first = results.start as isize + start_down;
        let count = down.values.len() + results.len() - 1 + woven::BEHIND;
        let column = (columns.start as isize + start_along + along.values.len() as isize / 2) * self.inner as isize;
        scratch.pointers.clear();
        scratch.pointers.extend((first..first + count as isize).map(|i| {
            let last = self.down.input as isize - 1;
            let row = boundary_down.source(i, self.down.input).map_or(last, |row| row as isize);
            self.source.wrapping_offset(self.source_items[item] + row * self.source_row + column)
        }));
        let place = self.place(item, results.start, columns.start) * self.size as isize;
        // SAFETY: `inside` has seen to it that all that is read lies in the rows, and what is written in the columns of this tile; rows that
        // are not there are only asked for.
        unsafe {
            woven(&Woven {
                rows: scratch.pointers,
                down,
                along,
                step: self.inner,
                out: self.target.wrapping_offset(place),
                out_row: self.target_row as usize,
                height: results.len(),
                n: columns.len() * self.inner,
            });
        }
    }

    /// The end of a chunk of columns, where `first` is the place of column 0: not in the midst of a cache line that is streamed, if there
    /// is such a place near.
    fn cut(&self, all: usize, to: usize, first: isize) -> usize {
        if !self.direct || to >= all {
            return all.min(to);
        }
        let start = self.target as isize + first * self.size as isize;
        let apart = |to: &usize| (start + (to * self.inner * self.size) as isize) % 64 == 0;
        (to - 15..=to).rev().find(apart).unwrap_or(to)
    }

    /// See [`woven::beside`].
    fn beside(&self) -> usize {
        woven::beside::<C>(self.target_row as usize, self.finish.leave())
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
            scratch.ahead.clear();
            scratch.wanted.clear();
            let targets =
                results.clone().map(|y| self.target.wrapping_offset(self.place(item, y, columns.start) * self.size as isize));
            if index == 0 {
                scratch.ahead.extend((last..last + count as isize).map(|i| {
                    let row = i.clamp(0, self.down.input as isize - 1);
                    self.source.wrapping_offset(self.source_items[item] + row * self.source_row)
                }));
                match self.finish.leave() {
                    Leave::Through if self.direct => scratch.wanted.extend(targets.map(|target| target.cast::<C>().cast_const())),
                    _ => targets.for_each(|target| self.finish.fetch(target, n)),
                }
            }
            let squares = self.combine == Combine::Magnitude;
            // SAFETY: the buffers hold `count` rows of the columns, those of the sums with what the weights along reach.
            unsafe {
                match &term.along {
                    None => self.down(down, term, columns.start * self.inner, count, n, scratch, out, out_row),
                    Some(weights) => {
                        self.sums(down, term, weights.values.len(), count, &columns, follows, scratch);
                        let (out, out_row) = match () {
                            () if squares => (scratch.squared, out_row),
                            () if self.direct => {
                                let place = self.place(item, results.start, columns.start) * self.size as isize;
                                (self.target.wrapping_offset(place).cast(), self.target_row as usize)
                            }
                            () => (out, out_row),
                        };
                        term.few.unwrap_or(along)(&Along {
                            source: scratch.sums,
                            source_row: scratch.sums_row,
                            step: self.inner,
                            weights,
                            out,
                            out_row,
                            stream: self.direct && self.finish.streams(),
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
        if self.direct {
            return;
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
        let Scratch { rows, pointers, outside, ahead, ahead_from, wanted, .. } = scratch;
        pointers.clear();
        pointers.extend(rows.iter().map(|row| row.map_or(*outside, |row| row.wrapping_add(from))));
        ahead_from.clear();
        ahead_from.extend(ahead.iter().map(|row| row.wrapping_add(from)));
        // SAFETY: the rows hold n elements from there on, so does what lies outside; the caller's promise for the rest.
        unsafe { down(&Down { rows: pointers, weights: &term.down, out, out_row, height, n, ahead: ahead_from, wanted }) };
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
