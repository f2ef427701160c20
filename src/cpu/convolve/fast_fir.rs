//! Nested fast FIR filters: fewer multiplications than taps, with the direct convolution's blocks.
//!
//! The identity of [`super::nest`] is applied once or twice along each of the last two axes. The image splits into planes
//! of differences, once per tile and for all kernels; each plane is filtered with a kernel of its own, a quarter (or a
//! sixteenth) as large, into scratch in the first-level cache, and the sums combine to outputs.
//!
//! **Numerics.** Sums and differences are formed along `y`, then along `x`, each rounded once; a sum within a plane is one
//! chain of fused multiply-adds. What an output is depends on its index modulo 2 or 4 only, not on tiles or threads. The
//! error is at most `c·ε·Σ|k|·max|x|`, the maximum over the inputs of the block of 2 or 4 outputs along each axis that the
//! output lies in. Integers are exact: in floats if every intermediate stays an exactly held integer, else modulo 2^32
//! or 2^64. Cells of a fixed grid over the whole output with an infinity or a NaN among their inputs, or with values so
//! large that a difference could overflow, are computed directly.

use std::ops::Range;

use super::block::{Blocked, Blocks, KERNELS, Taps};
use super::nest::{Nested, Passes};
use super::nesting::{CELL_ROWS, Nest, transform};
use super::pack::Castable;
use super::store::{self, Finishable, Leave};
use super::tile::{self, Group, Job, Tile};
use crate::cpu::tasks;
use crate::{Error, Result};

/// Columns of a cell: up to this many bytes of outputs, at least [`LEAST_COLUMNS`].
const CELL_BYTES: usize = 4096;
const LEAST_COLUMNS: usize = 128;
/// Bytes of planes that a cell aims at: they share the second-level cache with rows of results.
const PLANE_BYTES: usize = 448 << 10;
/// Tasks per thread to aim at.
const TASKS: usize = 8;
/// A fast FIR convolution with everything decided.
pub(super) struct FastFir<'a, C: 'static> {
    direct: Job<'a, C>,
    nest: Nest,
    /// The kernels of the planes: group by group, plane by plane, tap by tap, kernel by kernel.
    weights: Vec<C>,
    /// The kernels as sums of products, instead of planes.
    terms: Option<Terms<C>>,
    /// The largest magnitude, as [`Nested::order`] has it, that no difference and no sum can overflow with; `None` if
    /// there is none.
    limit: Option<u64>,
    /// Columns of a cell.
    columns: usize,
}

// SAFETY: as for `Job`: the image is only read, and every task writes outputs of its own.
unsafe impl<C: Sync> Sync for FastFir<'_, C> {}

/// Kernels that are sums of `count` products of a column and a row each, kernel by kernel.
pub(super) struct Terms<C> {
    pub count: usize,
    /// Weights down: tap by tap, term by term.
    pub columns: Vec<C>,
    /// Weights along: term by term, tap by tap.
    pub rows: Vec<C>,
}

/// Where a cell lies and what it reads: the same for every part, instruction set and number of threads.
struct Cell {
    image: usize,
    /// The output's depth, counted from the whole plan's first.
    depth: usize,
    /// The first output.
    start: [usize; 2],
    /// Outputs along each axis, whole blocks of phases.
    outputs: [usize; 2],
}

/// Scratch of a task, in elements.
struct Room {
    /// From a row of a plane to the next, from a slab to the next, from a plane to the next.
    row: usize,
    slab: usize,
    plane: usize,
    /// A row of the image, the rows that a row of planes is made of, and that row before it is split along `x`.
    raw: usize,
    /// One row of results.
    results: usize,
    /// Sums of one block: a row of a kernel's.
    wide: usize,
}

/// The scratch itself.
struct Scratch<C> {
    results: *mut C,
    sums: *mut C,
    woven: *mut C,
    raw: *mut C,
    planes: *mut C,
}

/// Rows of the image that the planes of one row are made of, at most: four and three more, twelve differences of them.
const RAW_ROWS: usize = 7 + 9 + 9;

impl<'a, C: Blocked + Castable + Finishable + Nested> FastFir<'a, C> {
    /// The convolution of `direct`. `weight` is the largest sum of a kernel's magnitudes over the whole bank.
    pub(super) fn new(direct: Job<'a, C>, nest: Nest, weight: f64) -> Result<Self> {
        let weights = transform(&direct.groups, &direct.weights, direct.plan.kernel, nest)?;
        Self::with(direct, nest, weights, None, weight)
    }

    /// The same cells, but sums of passes down and along instead of planes.
    pub(super) fn separable(direct: Job<'a, C>, terms: Terms<C>, weight: f64) -> Result<Self> {
        Self::with(direct, Nest::FLAT, vec![], Some(terms), weight)
    }

    fn with(direct: Job<'a, C>, nest: Nest, weights: Vec<C>, terms: Option<Terms<C>>, weight: f64) -> Result<Self> {
        let kernel = direct.plan.kernel;
        let limit = if C::FLOAT {
            let limit = C::largest() / (8.0 * nest.growth() as f64 * weight.max(1.0));
            // Sums of weights could overflow, or are no numbers.
            (weight <= C::largest() / 8.0).then(|| C::from_fill(limit).order())
        } else {
            Some(0)
        };
        let mut columns = CELL_BYTES / size_of::<C>();
        let bytes = |columns: usize| {
            let ([fy, fx], [kd, kh, kw]) = (nest.phases(), nest.sub_kernel(kernel));
            let planes = nest.planes().iter().product::<usize>();
            planes * kd * (CELL_ROWS / fy + kh - 1) * (columns / fx + kw - 1) * size_of::<C>()
        };
        while columns > LEAST_COLUMNS && bytes(columns) > PLANE_BYTES {
            columns /= 2;
        }
        Ok(Self { direct, nest, weights, terms, limit, columns })
    }

    /// The part's outputs along each axis.
    fn ranges(&self) -> [Range<usize>; 3] {
        let plan = self.direct.plan;
        let mut ranges = plan.output.map(|n| 0..n);
        ranges[plan.row_axis()] = plan.rows.clone();
        ranges
    }

    /// Runs all tasks on the current threads.
    pub(super) fn run(&self) -> Result<()> {
        let plan = self.direct.plan;
        if self.limit.is_none() {
            return self.direct.run();
        }
        let ranges = self.ranges();
        let cells = |axis: usize, size: usize| ranges[axis].start / size..ranges[axis].end.div_ceil(size);
        let (ys, xs) = (cells(1, CELL_ROWS), cells(2, self.columns));
        let counts = [plan.images.len(), ranges[0].len(), ys.len(), xs.len()];
        let items = counts.iter().product::<usize>();
        let threads = tasks::threads();
        let shares = (threads * TASKS).div_ceil(items.max(1)).min(self.direct.groups.len());
        let shares = if threads == 1 { 1 } else { shares };
        let task = |task: usize| {
            let (item, share) = (task / shares, task % shares);
            let (rest, x) = (item / counts[3], xs.start + item % counts[3]);
            let (rest, y) = (rest / counts[2], ys.start + rest % counts[2]);
            let start = [y * CELL_ROWS, x * self.columns];
            let phases = self.nest.phases();
            let outputs =
                |axis: usize, most: usize| (plan.output[axis + 1] - start[axis]).min(most).next_multiple_of(phases[axis]);
            let cell = Cell {
                image: rest / counts[1],
                depth: ranges[0].start + rest % counts[1],
                start,
                outputs: [outputs(0, CELL_ROWS), outputs(1, self.columns)],
            };
            let groups = self.direct.groups.len();
            self.task(&cell, &ranges, share * groups / shares..(share + 1) * groups / shares)
        };
        tasks::for_each(items * shares, 1, &task)
    }

    fn room(&self, cell: &Cell, blocks: &Blocks<C>) -> Room {
        let ([fy, fx], [kd, kh, kw]) = (self.nest.phases(), self.nest.sub_kernel(self.direct.plan.kernel));
        let [rows, columns] = [cell.outputs[0] / fy, cell.outputs[1] / fx];
        let columns = columns.next_multiple_of(blocks.wide);
        // Whole vectors are written: up to one more than the blocks read.
        let row = (columns + kw - 1).next_multiple_of(if self.terms.is_some() { blocks.wide } else { 1 });
        let row = tile::pitch::<C>(row + blocks.narrow);
        let slab = row * (rows + kh - 1);
        let raw = tile::pitch::<C>(fx * (row + 2 * blocks.narrow) + 4);
        Room { row, slab, plane: kd * slab, raw, results: tile::pitch::<C>(columns * fx), wide: blocks.wide }
    }

    fn task(&self, cell: &Cell, ranges: &[Range<usize>; 3], groups: Range<usize>) -> Result<()> {
        let direct = &self.direct;
        direct.control.check()?;
        let (blocks, passes) = (C::blocks(direct.simd), C::passes(direct.simd));
        let room = self.room(cell, blocks);
        let ([fy, fx], [py, px]) = (self.nest.phases(), self.nest.planes());
        let sums = px.max(if self.nest.levels == [1, 1] { 9 } else { 0 }) * KERNELS * room.wide;
        let woven = (py + 3) * KERNELS * fx * room.wide;
        let woven = if self.terms.is_some() { KERNELS * room.row } else { woven };
        let lengths = [KERNELS * fy * room.results, sums, woven, RAW_ROWS * room.raw, py * px * room.plane];
        let bytes = lengths.iter().try_fold(0usize, |sum, n| sum.checked_add(n.checked_mul(size_of::<C>())?));
        tile::with_scratch(bytes.unwrap_or(usize::MAX), |scratch| {
            let results = scratch.cast::<C>();
            let mut at = 0;
            let [_, sums, woven, raw, planes] = lengths.map(|n| {
                at += n;
                results.wrapping_add(at - n)
            });
            let scratch = Scratch { results, sums, woven, raw, planes };
            // SAFETY: scratch has the lengths computed above, all of them multiples of a cache line, and is this thread's own.
            let done = unsafe {
                let largest = self.pack(cell, &room, &scratch, passes);
                if let (true, Some(terms)) = (self.limit.is_some_and(|limit| largest <= limit), &self.terms) {
                    self.pass(cell, &room, &scratch, blocks, terms, ranges, groups)
                } else if self.limit.is_some_and(|limit| largest <= limit) {
                    self.convolve(cell, &room, &scratch, (blocks, passes), ranges, groups)
                } else {
                    self.direct_cell(cell, blocks, ranges, groups)
                }
            };
            if direct.finish.streams() {
                store::fence();
            }
            done
        })
    }

    /// The outputs of a cell that belong to the part, by the direct convolution.
    fn direct_cell(&self, cell: &Cell, blocks: &Blocks<C>, ranges: &[Range<usize>; 3], groups: Range<usize>) -> Result<()> {
        let along = |axis: usize| {
            let (start, range) = (cell.start[axis - 1], &ranges[axis]);
            let end = (start + cell.outputs[axis - 1]).min(range.end);
            start.max(range.start) - range.start..end - range.start
        };
        let (rows, columns, depth) = (along(1), along(2), cell.depth - ranges[0].start);
        self.direct.run_tile(blocks, &Tile { image: cell.image, depth, rows, columns, groups })
    }

    /// Makes the planes of a cell; the largest magnitude among what they are made of.
    ///
    /// # Safety
    /// The scratch must have room for it, and the instruction set of the passes be present.
    unsafe fn pack(&self, cell: &Cell, room: &Room, scratch: &Scratch<C>, passes: &Passes<C>) -> u64 {
        let plan = self.direct.plan;
        let ([fy, fx], [kd, kh, kw]) = (self.nest.phases(), self.nest.sub_kernel(plan.kernel));
        let [py, px] = self.nest.planes();
        let rows = cell.outputs[0] / fy + kh - 1;
        let columns = cell.outputs[1] / fx + kw - 1;
        let raw_columns = fx * columns + fx - 1;
        let from =
            [cell.depth as isize + plan.start[0], cell.start[0] as isize + plan.start[1], cell.start[1] as isize + plan.start[2]];
        let mut largest = 0;
        // SAFETY: `raw` holds the rows of the image, their differences, and a row that is split; planes have `rows` rows
        // with room for whole vectors.
        unsafe {
            let raw = |i: usize| scratch.raw.add(i * room.raw);
            let length = raw_columns.next_multiple_of(passes.lanes);
            for dz in 0..kd {
                for i in 0..rows {
                    let count = 2 * fy - 1;
                    for j in 0..count {
                        // Rows that the previous row of planes has read as well are moved, not read again.
                        if i > 0 && j + fy < count {
                            std::ptr::copy_nonoverlapping(raw(j + fy).cast_const(), raw(j), raw_columns);
                            continue;
                        }
                        let place = [from[0] + dz as isize, from[1] + (i * fy + j) as isize, from[2]];
                        self.direct.row(cell.image, place, raw(j), raw_columns);
                        largest = largest.max((passes.largest)(raw(j), raw_columns));
                    }
                    let mut made = [std::ptr::null::<C>(); 9];
                    self.rows_of_planes(raw(0), room.raw, &mut made, length, passes);
                    for (y, &row) in made[..py].iter().enumerate() {
                        let target = |x: usize| scratch.planes.add((y * px + x) * room.plane + dz * room.slab + i * room.row);
                        let n = columns.next_multiple_of(passes.lanes);
                        match self.nest.levels[1] {
                            0 => std::ptr::copy_nonoverlapping(row, target(0), columns),
                            1 => (passes.split)(row, [target(0), target(1), target(2)], n),
                            _ => {
                                // Room for three rows of half the length, behind the rows in use.
                                let half = [raw(16), raw(17), raw(18)];
                                (passes.split)(row, half, (2 * n + 2).next_multiple_of(passes.lanes));
                                for (x, half) in half.into_iter().enumerate() {
                                    let x = 3 * x;
                                    (passes.split)(half, [target(x), target(x + 1), target(x + 2)], n);
                                }
                            }
                        }
                    }
                }
            }
        }
        largest
    }

    /// The rows, one per plane along `y`, of `2 · phases − 1` rows of the image.
    ///
    /// # Safety
    /// As [`pack`](Self::pack); `raw` is the first row, followed by room for differences.
    unsafe fn rows_of_planes(&self, raw: *mut C, stride: usize, made: &mut [*const C; 9], n: usize, passes: &Passes<C>) {
        // SAFETY: the rows 0..7 are the image's, 7..16 differences; whole vectors fit a row.
        unsafe {
            let at = |i: usize| raw.add(i * stride);
            let difference = |a: *const C, b: *const C, target: usize| {
                (passes.difference)(a, b, at(target), n);
                at(target).cast_const()
            };
            match self.nest.levels[0] {
                0 => made[0] = at(0),
                1 => {
                    made[0] = difference(at(0), at(1), 7);
                    made[1] = at(1);
                    made[2] = difference(at(1), at(2), 8);
                }
                _ => {
                    // Planes of the outer level: rows 0, 1 and 2 of each.
                    for p in 0..3 {
                        let row = |i: usize, target: usize| match p {
                            0 => difference(at(2 * i), at(2 * i + 1), target),
                            1 => at(2 * i + 1).cast_const(),
                            _ => difference(at(2 * i + 1), at(2 * i + 2), target),
                        };
                        // The middle row of each is kept for a plane of its own; the outer two are not.
                        let (first, middle, last) = (row(0, 7), row(1, 8 + p), row(2, 11));
                        made[3 * p] = difference(first, middle, 12 + p);
                        made[3 * p + 1] = middle;
                        made[3 * p + 2] = difference(middle, last, [15, 19, 20][p]);
                    }
                }
            }
        }
    }

    /// Computes and stores a packed cell.
    ///
    /// # Safety
    /// The scratch must be packed, and the instruction set of the blocks and passes be present.
    unsafe fn convolve(
        &self,
        cell: &Cell,
        room: &Room,
        scratch: &Scratch<C>,
        (blocks, passes): (&Blocks<C>, &Passes<C>),
        ranges: &[Range<usize>; 3],
        groups: Range<usize>,
    ) -> Result<()> {
        let direct = &self.direct;
        let plan = direct.plan;
        let ([fy, fx], kernel) = (self.nest.phases(), self.nest.sub_kernel(plan.kernel));
        let taps: usize = kernel.iter().product();
        let [py, px] = self.nest.planes();
        let (rows, columns) = (self.clip(cell, ranges, 1), self.clip(cell, ranges, 2));
        let sub_rows = rows.start / fy..rows.end.div_ceil(fy);
        let sub_columns = cell.outputs[1] / fx;
        for group in &direct.groups[groups] {
            let shape = blocks.shape(group.count);
            let weights = self.weights.as_ptr().wrapping_add(py * px * taps * group.first);
            let mut y = 0;
            while y < sub_rows.len() {
                direct.control.check()?;
                let (at, height) = tile::step(shape, y, sub_rows.len());
                let pair = if height > 1 { &shape.tall } else { &shape.flat };
                let mut x = 0;
                while x < sub_columns {
                    let wide = sub_columns - x > blocks.wide / 2;
                    let n = if wide { blocks.wide } else { blocks.narrow };
                    let block = pair[!wide as usize];
                    let lines = height * group.count;
                    // SAFETY: the planes hold the rows at..at + height + taps - 1, whole blocks of columns wide; the sums of
                    // all planes along x, the woven rows of all planes along y and the results have room for whole blocks.
                    unsafe {
                        for p in 0..py {
                            // Some of the kernels' lines with each plane, so that memory is busy all the time.
                            for k in (p..group.count).step_by(py) {
                                let kernel = group.first + k;
                                self.fetch(cell, kernel, fy * (sub_rows.start + at), height * fy, fx * x..fx * (x + n), ranges);
                            }
                            let fused = self.nest.levels == [1, 1];
                            let sums = scratch.sums.add(if fused { p * px * lines * room.wide } else { 0 });
                            for q in 0..px {
                                let plane = p * px + q;
                                block(&Taps {
                                    image: scratch.planes.add(plane * room.plane + (sub_rows.start + at) * room.row + x),
                                    row: room.row,
                                    slab: room.slab,
                                    weights: weights.add(plane * taps * group.count),
                                    kernel,
                                    step: 1,
                                    out: sums.add(q * lines * room.wide),
                                    out_row: room.wide,
                                    out_kernel: height * room.wide,
                                });
                            }
                            if !fused {
                                self.weave(scratch, room, passes, (p, lines, n));
                            }
                        }
                        self.combine(scratch, room, passes, (lines, n, fx * x));
                    }
                    x += n;
                }
                let from = fy * (sub_rows.start + at);
                // SAFETY: the results of height · phases rows are there for each kernel of the group.
                unsafe { self.store(cell, room, scratch, group, (from, height), (&rows, &columns), ranges)? };
                y = at + height;
            }
            let work = rows.len() * columns.len() * plan.kernel.iter().product::<usize>() * group.count;
            direct.control.advance(work as u64);
        }
        Ok(())
    }

    /// Computes and stores a packed cell by passes: the columns of all terms down the image, then their rows along the sums,
    /// term after term in one chain.
    ///
    /// # Safety
    /// As [`convolve`](Self::convolve).
    #[allow(clippy::too_many_arguments)]
    unsafe fn pass(
        &self,
        cell: &Cell,
        room: &Room,
        scratch: &Scratch<C>,
        blocks: &Blocks<C>,
        terms: &Terms<C>,
        ranges: &[Range<usize>; 3],
        groups: Range<usize>,
    ) -> Result<()> {
        let direct = &self.direct;
        let [_, kh, kw] = direct.plan.kernel;
        let (rows, columns) = (self.clip(cell, ranges, 1), self.clip(cell, ranges, 2));
        let width = cell.outputs[1];
        let (shape, along) = (blocks.shape(terms.count), &blocks.shape(1).flat);
        let pieces = |n: usize| {
            let mut x = 0;
            std::iter::from_fn(move || {
                (x < n).then(|| {
                    let wide = n - x > blocks.wide / 2;
                    let at = x;
                    x += if wide { blocks.wide } else { blocks.narrow };
                    (at, !wide as usize)
                })
            })
        };
        for k in direct.groups[groups].iter().flat_map(|group| group.first..group.first + group.count) {
            let mut y = 0;
            while y < rows.len() {
                direct.control.check()?;
                let (at, height) = tile::step(shape, y, rows.len());
                let down = if height > 1 { &shape.tall } else { &shape.flat };
                // SAFETY: the plane holds the rows at..at + height + kh - 1, whole blocks of the sums wide; the woven rows
                // have room for those of all terms, the results for whole blocks.
                unsafe {
                    for (x, narrow) in pieces(width + kw - 1) {
                        down[narrow](&Taps {
                            image: scratch.planes.add((rows.start + at) * room.row + x),
                            row: room.row,
                            slab: 0,
                            weights: terms.columns.as_ptr().add(k * kh * terms.count),
                            kernel: [1, kh, 1],
                            step: 1,
                            out: scratch.woven.add(x),
                            out_row: room.row,
                            out_kernel: height * room.row,
                        });
                    }
                    for row in 0..height {
                        for (x, narrow) in pieces(width) {
                            along[narrow](&Taps {
                                image: scratch.woven.add(row * room.row + x),
                                row: 0,
                                slab: height * room.row,
                                weights: terms.rows.as_ptr().add(k * kw * terms.count),
                                kernel: [terms.count, 1, kw],
                                step: 1,
                                out: scratch.results.add(row * room.results + x),
                                out_row: 0,
                                out_kernel: 0,
                            });
                        }
                    }
                    let kernel = Group { first: k, count: 1, weights: 0 };
                    self.store(cell, room, scratch, &kernel, (rows.start + at, height), (&rows, &columns), ranges)?;
                }
                y = at + height;
            }
            direct.control.advance((rows.len() * columns.len() * kh * kw) as u64);
        }
        Ok(())
    }

    /// The outputs of a cell along an axis that belong to the part, counted from the cell's first.
    fn clip(&self, cell: &Cell, ranges: &[Range<usize>; 3], axis: usize) -> Range<usize> {
        let start = cell.start[axis - 1];
        let end = (start + cell.outputs[axis - 1]).min(ranges[axis].end);
        start.max(ranges[axis].start) - start..end - start
    }

    /// Weaves the sums of the planes along `x`, for one plane along `y`.
    ///
    /// # Safety
    /// As [`convolve`](Self::convolve).
    unsafe fn weave(&self, scratch: &Scratch<C>, room: &Room, passes: &Passes<C>, (p, lines, n): (usize, usize, usize)) {
        let [_, fx] = self.nest.phases();
        let length = fx * room.wide;
        // SAFETY: the caller's promise; three rows behind the woven ones are free.
        unsafe {
            let sums = |q: usize, line: usize| scratch.sums.add((q * lines + line) * room.wide).cast_const();
            for line in 0..lines {
                let target = scratch.woven.add((p * KERNELS + line) * length);
                match self.nest.levels[1] {
                    0 => std::ptr::copy_nonoverlapping(sums(0, line), target, n),
                    1 => (passes.weave)([sums(0, line), sums(1, line), sums(2, line)], target, n),
                    _ => {
                        let [py, _] = self.nest.planes();
                        let free = scratch.woven.add(py * KERNELS * length);
                        let half = [0, 1, 2].map(|q| free.add(q * 2 * room.wide));
                        for (q, half) in half.into_iter().enumerate() {
                            (passes.weave)([sums(3 * q, line), sums(3 * q + 1, line), sums(3 * q + 2, line)], half, n);
                        }
                        (passes.weave)(half.map(<*mut C>::cast_const), target, 2 * n);
                    }
                }
            }
        }
    }

    /// Combines the planes along `y` to results, from column `x` on.
    ///
    /// # Safety
    /// As [`convolve`](Self::convolve).
    unsafe fn combine(&self, scratch: &Scratch<C>, room: &Room, passes: &Passes<C>, (lines, n, x): (usize, usize, usize)) {
        let ([fy, fx], [py, _]) = (self.nest.phases(), self.nest.planes());
        let length = fx * room.wide;
        // SAFETY: the caller's promise; three times the lines behind the woven ones are free.
        unsafe {
            let result = |line: usize, b: usize| scratch.results.add((line * fy + b) * room.results + x);
            let woven = |p: usize, line: usize| scratch.woven.add((p * KERNELS + line) * length).cast_const();
            for line in 0..lines {
                match self.nest.levels {
                    [1, 1] => {
                        let sums = scratch.sums.add(line * room.wide).cast_const();
                        (passes.quad)(sums, lines * room.wide, [result(line, 0), result(line, 1)], n);
                    }
                    [0, _] => std::ptr::copy_nonoverlapping(woven(0, line), result(line, 0), fx * n),
                    [1, _] => {
                        let rows = [woven(0, line), woven(1, line), woven(2, line)];
                        (passes.pair)(rows, [result(line, 0), result(line, 1)], fx * n);
                    }
                    _ => {
                        let half = |p: usize, b: usize| scratch.woven.add((py * KERNELS + 2 * p + b) * length);
                        for p in 0..3 {
                            let rows = [woven(3 * p, line), woven(3 * p + 1, line), woven(3 * p + 2, line)];
                            (passes.pair)(rows, [half(p, 0), half(p, 1)], fx * n);
                        }
                        for b in 0..2 {
                            let rows = [0, 1, 2].map(|p| half(p, b).cast_const());
                            (passes.pair)(rows, [result(line, 2 * b), result(line, 2 * b + 1)], fx * n);
                        }
                    }
                }
            }
        }
    }

    /// Stores the rows of results of `height` rows of sums, the first of them row `at` of the cell.
    ///
    /// # Safety
    /// The results must be there.
    #[allow(clippy::too_many_arguments)]
    unsafe fn store(
        &self,
        cell: &Cell,
        room: &Room,
        scratch: &Scratch<C>,
        group: &Group,
        (at, height): (usize, usize),
        (rows, columns): (&Range<usize>, &Range<usize>),
        ranges: &[Range<usize>; 3],
    ) -> Result<()> {
        let direct = &self.direct;
        let [fy, _] = self.nest.phases();
        for k in 0..group.count {
            for r in 0..height * fy {
                if !rows.contains(&(at + r)) {
                    continue;
                }
                let target = self.target(cell, group.first + k, [at + r, columns.start], ranges);
                // SAFETY: the row of results is filled, and the outputs are this task's own.
                let fits = unsafe {
                    let source = scratch.results.add((k * height * fy + r) * room.results + columns.start);
                    direct.finish.row(source, columns.len(), target, direct.output.strides[2])
                };
                if !fits {
                    return Err(Error::Overflow { op: direct.plan.name(), out_dtype: direct.plan.out_dtype });
                }
            }
        }
        Ok(())
    }

    /// Where the output of a kernel at a row and a column of a cell belongs.
    fn target(&self, cell: &Cell, kernel: usize, [row, column]: [usize; 2], ranges: &[Range<usize>; 3]) -> *mut u8 {
        let output = &self.direct.output;
        let place = [cell.depth, cell.start[0] + row, cell.start[1] + column];
        let along = |axis: usize| (place[axis] as isize - ranges[axis].start as isize) * output.strides[axis];
        output.at(output.images[cell.image] + output.kernels[kernel] + along(0) + along(1) + along(2))
    }

    /// Asks for the lines of some rows and columns of a cell, if results go through the caches.
    fn fetch(&self, cell: &Cell, kernel: usize, row: usize, rows: usize, columns: Range<usize>, ranges: &[Range<usize>; 3]) {
        if self.direct.finish.leave() == Leave::Through {
            for row in row..row + rows {
                self.direct.finish.fetch(self.target(cell, kernel, [row, columns.start], ranges), columns.len());
            }
        }
    }
}
