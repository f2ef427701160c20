//! Exact sums of columns: the extraction of `exact::fast` with one column in each lane.
//!
//! With AVX-512 the processor's flag tells what was exact (see `exact::sticky`), and sums of numbers and of squares are made
//! together. What fits no levels goes to windows, a table for each column: some columns of many rows are copied together, so that
//! their tables stay in the caches, and rows far from each other do not share the caches' sets.

#[cfg(target_arch = "x86_64")]
mod moments;
mod strips;

use std::ops::Range;

use super::drive::HEIGHT;
use crate::cpu::simd::{Kernel, Simd, prefetch};
use crate::exact::accumulator::Accumulator;
use crate::exact::fast::{Float, Largest, MAX_TOP, WHOLE, WHOLE_SQUARES, constant, exponent, exponents};
#[cfg(target_arch = "x86_64")]
use crate::exact::sticky;
use crate::exact::windows::{ROWS, STRIP, Table, add_columns};
use strips::Strips;

/// Columns of exact sums that share the constants of the extraction.
pub(super) struct FloatColumns {
    sums: Vec<Accumulator>,
    /// Room for lanes.
    lanes: Vec<f64>,
    #[cfg(target_arch = "x86_64")]
    lines: Vec<sticky::Line>,
    /// What the lanes of earlier tiles had moved, per level and column, on the grids of `top`: not in `sums` yet.
    moved: Vec<i64>,
    /// How many tiles that were.
    tiles: u32,
    top: i32,
    /// Whether every column has elements other than −0.
    others: bool,
    /// What did not fit levels, per column.
    windows: Vec<Table>,
    /// The levels tried first, as in [`Accumulator`].
    levels: u8,
    /// Tiles until fewer levels are tried.
    patience: u32,
    /// Whether levels held the last rows.
    fits: bool,
}

/// Tiles between two attempts to get by with fewer levels.
pub(super) const PATIENCE: u32 = 16;

/// Tiles whose moves, below 2^51 each, may add up in 64 bits.
const TILES: u32 = 1 << 11;

/// Bytes of some rows of some columns that are copied together.
const COPIED: usize = 1 << 17;
/// Bytes of a row of theirs, where a column has windows of numbers alone; with those of squares half as many.
pub(super) const STRIP_BYTES: usize = 1024;
/// How many rows ahead of a copy memory is asked for: more may share too few of the caches' sets.
const AHEAD: usize = 4;

/// Rows that are best given at a time: where exponents spread, the windows of a column come into the cache once for so many.
pub(super) const TALL: usize = 4 * HEIGHT;

impl FloatColumns {
    /// Sums of nothing.
    pub(super) fn new(width: usize) -> Self {
        Self {
            sums: vec![Accumulator::new(); width],
            lanes: Vec::new(),
            #[cfg(target_arch = "x86_64")]
            lines: Vec::new(),
            moved: Vec::new(),
            tiles: 0,
            top: i32::MIN,
            others: false,
            windows: Vec::new(),
            levels: 1,
            patience: 0,
            fits: false,
        }
    }

    /// The sums of all elements.
    pub(super) fn into_sums(mut self) -> Vec<Accumulator> {
        self.settle();
        for (sum, windows) in self.sums.iter_mut().zip(&mut self.windows) {
            windows.empty(sum.spill());
        }
        self.sums
    }

    /// The sum of a column so far, less what is not settled yet.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn sum(&mut self, column: usize) -> &mut Accumulator {
        &mut self.sums[column]
    }

    /// Adds rows.
    pub(super) fn add<T: Float>(&mut self, mut rows: &[&[T]], simd: Simd) {
        while !rows.is_empty() {
            if self.patience == 0 {
                self.levels = if T::NARROW { 1 } else { 2 };
            }
            // Windows take all rows until fewer levels are tried again, with a few.
            let height = match self.patience {
                0 if !self.fits => ROWS,
                patience if self.levels > 3 => patience as usize * HEIGHT,
                _ => HEIGHT,
            };
            let (some, rest) = rows.split_at(rows.len().min(height));
            rows = rest;
            self.patience = self.patience.saturating_sub(some.len().div_ceil(HEIGHT) as u32);
            self.fits = self.extract_some(some, simd);
            if !self.fits {
                self.scatter(some, simd);
            }
        }
    }

    /// Adds rows of any exponents, some columns at a time.
    fn scatter<T: Float>(&mut self, rows: &[&[T]], simd: Simd) {
        in_strips(rows, STRIP_BYTES, &mut |columns, rows| {
            let (tables, sums) = self.windows(columns);
            for ((tables, sums), at) in tables.chunks_mut(STRIP).zip(sums.chunks_mut(STRIP)).zip((0..).step_by(STRIP)) {
                for some in rows.chunks(ROWS) {
                    let added =
                        <&mut [Table; STRIP]>::try_from(&mut *tables).is_ok_and(|tables| add_columns(some, at, tables, simd));
                    if !added {
                        simd.run(PushRows { rows: some, at, tables, sums });
                    }
                }
            }
        });
        self.note(rows);
    }

    /// The windows of some columns, and the sums for what is not finite.
    pub(super) fn windows(&mut self, columns: Range<usize>) -> (&mut [Table], &mut [Accumulator]) {
        self.windows.resize(self.sums.len(), Table::new());
        (&mut self.windows[columns.clone()], &mut self.sums[columns])
    }

    /// Adds rows, unless their exponents spread too far.
    fn extract_some<T: Float>(&mut self, rows: &[&[T]], simd: Simd) -> bool {
        if self.top == i32::MIN {
            self.top = exponent(largest(&rows[..1], simd)).min(MAX_TOP);
        }
        let mut attempt = |levels: u8| {
            if self.levels > levels {
                return false;
            }
            let done = match levels {
                1 => self.extract::<T, 1>(rows, simd),
                2 => self.extract::<T, 2>(rows, simd),
                _ if T::NARROW => self.extract::<T, WHOLE>(rows, simd),
                _ => self.extract::<T, 3>(rows, simd),
            };
            if !done {
                (self.levels, self.patience) = (levels + 1, PATIENCE);
            }
            done
        };
        (T::NARROW && attempt(1)) || attempt(2) || attempt(3)
    }

    /// Adds rows with `L` levels, if they suffice for all columns.
    fn extract<T: Float, const L: usize>(&mut self, rows: &[&[T]], simd: Simd) -> bool {
        self.reserve(L);
        for _ in 0..2 {
            let Err(top) = self.move_lanes::<T, L>(rows, simd) else {
                self.account();
                self.note(rows);
                return true;
            };
            if top > MAX_TOP || top == self.top {
                return false;
            }
            self.settle();
            self.top = top;
        }
        false
    }

    /// Makes room for the moves of so many levels.
    fn reserve(&mut self, levels: usize) {
        let len = self.moved.len().max(levels * self.sums.len());
        self.moved.resize(len, 0);
    }

    /// Moves the lanes of `L` levels by rows, or says the exponent of the largest magnitude if that is not exact.
    fn move_lanes<T: Float, const L: usize>(&mut self, rows: &[&[T]], simd: Simd) -> Result<(), i32> {
        let width = self.sums.len();
        #[cfg(target_arch = "x86_64")]
        if simd == Simd::Avx512 && width >= sticky::LEAST_COLUMNS {
            // SAFETY: the level says that the instructions are there.
            let exact = unsafe { sticky::sum_columns::<T, L>(rows, exponents(self.top), &mut self.lines, &mut self.moved) };
            return if exact { Ok(()) } else { Err(exponent(largest(rows, simd))) };
        }
        let constants = exponents::<L>(self.top).map(constant);
        self.lanes.resize(L * width, 0.0);
        for (lanes, constant) in self.lanes.chunks_exact_mut(width).zip(constants) {
            lanes.fill(constant);
        }
        let found = simd.run(Strips::<T, L> { rows, lanes: &mut self.lanes, start: constants[0] });
        let top = exponent(found.largest);
        if !found.complete || top > self.top {
            return Err(top);
        }
        let lanes = self.lanes.chunks_exact(width).zip(constants);
        for ((lanes, constant), moved) in lanes.zip(self.moved.chunks_exact_mut(width)) {
            for (lane, moved) in lanes.iter().zip(moved) {
                *moved = moved.wrapping_add(lane.to_bits().wrapping_sub(constant.to_bits()) as i64);
            }
        }
        Ok(())
    }

    /// Accounts for a tile by which the lanes moved.
    fn account(&mut self) {
        self.tiles += 1;
        if self.tiles == TILES {
            self.settle();
        }
    }

    /// Moves what tiles have added up to into the sums.
    fn settle(&mut self) {
        if std::mem::take(&mut self.tiles) == 0 {
            return;
        }
        let width = self.sums.len();
        for (moved, k) in self.moved.chunks_exact_mut(width).zip(exponents::<WHOLE_SQUARES>(self.top)) {
            for (sum, moved) in self.sums.iter_mut().zip(moved) {
                sum.add(i128::from(std::mem::take(moved)), k - 52);
            }
        }
    }

    /// Tells −0 from other elements.
    pub(super) fn note<T: Float>(&mut self, rows: &[&[T]]) {
        if self.others {
            return;
        }
        self.others = true;
        for (column, sum) in self.sums.iter_mut().enumerate() {
            sum.note(rows.iter().all(|row| is_negative_zero(row[column])));
            self.others &= sum.has_others();
        }
    }
}

/// The largest magnitude, NaN aside.
pub(super) fn largest<T: Float>(rows: &[&[T]], simd: Simd) -> f64 {
    rows.iter().map(|row| simd.run(Largest(row))).fold(0.0, f64::max)
}

/// What is called with some columns, and rows of these.
type Each<'e, T> = dyn FnMut(Range<usize>, &[&[T]]) + 'e;

/// Calls `each` with some columns, `bytes` of a row, of some rows at a time, copied together: all rows of the first ones first.
pub(super) fn in_strips<T: Float>(rows: &[&[T]], bytes: usize, each: &mut Each<'_, T>) {
    let (width, strip, height) = (rows[0].len(), bytes / size_of::<T>(), COPIED / bytes);
    let mut memory = vec![T::ZERO; strip * rows.len().min(height)];
    for at in (0..width).step_by(strip) {
        let columns = at..width.min(at + strip);
        for (i, some) in rows.chunks(height).enumerate() {
            for (k, (row, copy)) in some.iter().zip(memory.chunks_exact_mut(columns.len())).enumerate() {
                if let Some(next) = rows.get(i * height + k + AHEAD) {
                    for line in (0..bytes).step_by(64) {
                        prefetch(next.as_ptr().wrapping_add(at).wrapping_byte_add(line));
                    }
                }
                copy.copy_from_slice(&row[columns.clone()]);
            }
            let copies: Vec<&[T]> = memory.chunks_exact(columns.len()).take(some.len()).collect();
            each(columns.clone(), &copies);
        }
    }
}

/// Some columns of a few rows, from one on, that are added number by number.
pub(super) struct PushRows<'a, T> {
    pub(super) rows: &'a [&'a [T]],
    pub(super) at: usize,
    pub(super) tables: &'a mut [Table],
    pub(super) sums: &'a mut [Accumulator],
}

impl<T: Float> Kernel for PushRows<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        self.tables.iter_mut().for_each(|table| table.room(self.rows.len()));
        for row in self.rows {
            for ((table, sum), &x) in self.tables.iter_mut().zip(self.sums.iter_mut()).zip(&row[self.at..]) {
                if table.push(x.widen()) {
                    sum.push(x.widen());
                }
            }
        }
    }
}

/// Whether a number is −0.
fn is_negative_zero<T: Float>(x: T) -> bool {
    x.widen().to_bits() == 1 << 63
}
