//! Exact sums of columns: the extraction of `exact::fast` with one column in each lane.

use crate::cpu::simd::{Kernel, Simd, prefetch};
use crate::exact::accumulator::Accumulator;
use crate::exact::fast::{Float, MAX_TOP, WHOLE, constant, exponent, exponents, one, step};
use crate::exact::lanes::*;
use crate::exact::windows::{ROWS, STRIP, Table, add_columns};

/// Columns of exact sums that share the constants of the extraction.
pub(super) struct FloatColumns {
    sums: Vec<Accumulator>,
    /// Per level and column.
    lanes: Vec<f64>,
    /// What the lanes of earlier tiles had moved, on the grids of `top`: not in `sums` yet.
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
}

/// Tiles between two attempts to get by with fewer levels.
pub(super) const PATIENCE: u32 = 16;

/// Tiles whose moves, below 2^51 each, may add up in 64 bits.
const TILES: u32 = 1 << 11;

impl FloatColumns {
    /// Sums of nothing.
    pub(super) fn new(width: usize) -> Self {
        let (sums, tiles, top) = (vec![Accumulator::new(); width], 0, i32::MIN);
        let (lanes, moved, windows) = (Vec::new(), Vec::new(), Vec::new());
        Self { sums, lanes, moved, tiles, top, others: false, windows, levels: 1, patience: 0 }
    }

    /// The sums of all elements.
    pub(super) fn into_sums(mut self) -> Vec<Accumulator> {
        self.settle();
        for (sum, windows) in self.sums.iter_mut().zip(&mut self.windows) {
            sum.take(windows);
        }
        self.sums
    }

    /// Adds rows.
    pub(super) fn add<T: Float>(&mut self, rows: &[&[T]], simd: Simd) {
        if self.patience == 0 {
            self.levels = if T::NARROW { 1 } else { 2 };
        }
        self.patience = self.patience.saturating_sub(1);
        if !self.extract_some(rows, simd) {
            self.scatter(rows, simd);
        }
    }

    /// Adds rows of any exponents, some columns at a time.
    fn scatter<T: Float>(&mut self, rows: &[&[T]], simd: Simd) {
        let width = self.sums.len();
        self.windows.resize(width, Table::new());
        let columns = self.windows.chunks_mut(STRIP).zip(self.sums.chunks_mut(STRIP));
        for ((tables, sums), at) in columns.zip((0..width).step_by(STRIP)) {
            for (i, some) in rows.chunks(ROWS).enumerate() {
                prefetch_rows(rows, (i + 1) * ROWS, at);
                let added = <&mut [Table; STRIP]>::try_from(&mut *tables).is_ok_and(|tables| add_columns(some, at, tables, simd));
                if !added {
                    push_rows(some, at, tables, sums);
                }
            }
            for (i, sum) in sums.iter_mut().enumerate().filter(|(_, sum)| !sum.has_others()) {
                sum.note(rows.iter().all(|row| is_negative_zero(row[at + i])));
            }
        }
    }

    /// Adds rows, unless their exponents spread too far.
    fn extract_some<T: Float>(&mut self, rows: &[&[T]], simd: Simd) -> bool {
        if self.top == i32::MIN {
            let largest = rows[0].iter().map(|x| x.widen().abs()).filter(|x| x.is_finite()).fold(0.0, f64::max);
            self.top = exponent(largest).min(MAX_TOP);
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
        let width = self.sums.len();
        if self.lanes.len() < L * width {
            self.lanes.resize(L * width, 0.0);
            self.moved.resize(L * width, 0);
        }
        for _ in 0..2 {
            let constants = exponents::<L>(self.top).map(constant);
            for (lanes, constant) in self.lanes.chunks_exact_mut(width).zip(constants) {
                lanes.fill(constant);
            }
            let found = simd.run(Strips::<T, L> { rows, lanes: &mut self.lanes[..L * width], start: constants[0] });
            let top = exponent(found.largest);
            if found.complete && top <= self.top {
                let lanes = self.lanes.chunks_exact(width).zip(constants);
                for ((lanes, constant), moved) in lanes.zip(self.moved.chunks_exact_mut(width)) {
                    for (lane, moved) in lanes.iter().zip(moved) {
                        *moved = moved.wrapping_add(lane.to_bits().wrapping_sub(constant.to_bits()) as i64);
                    }
                }
                self.tiles += 1;
                if !self.others {
                    self.note(rows, &constants);
                }
                if self.tiles == TILES {
                    self.settle();
                }
                return true;
            }
            if top > MAX_TOP || top == self.top {
                return false;
            }
            self.settle();
            self.top = top;
        }
        false
    }

    /// Moves what tiles have added up to into the sums.
    fn settle(&mut self) {
        if std::mem::take(&mut self.tiles) == 0 {
            return;
        }
        let width = self.sums.len();
        for (moved, k) in self.moved.chunks_exact_mut(width).zip(exponents::<WHOLE>(self.top)) {
            for (sum, moved) in self.sums.iter_mut().zip(moved) {
                sum.add(i128::from(std::mem::take(moved)), k - 52);
            }
        }
    }

    /// Tells −0 from other elements: columns whose lanes did not move are looked at.
    fn note<T: Float>(&mut self, rows: &[&[T]], constants: &[f64]) {
        let width = self.sums.len();
        self.others = true;
        for (column, sum) in self.sums.iter_mut().enumerate() {
            let still = constants.iter().zip(self.lanes[column..].iter().step_by(width)).all(|(constant, lane)| constant == lane);
            sum.note(still && rows.iter().all(|row| is_negative_zero(row[column])));
            self.others &= sum.has_others();
        }
    }
}

/// Asks for a strip of rows to come, from a column on.
#[inline(always)]
pub(super) fn prefetch_rows<T>(rows: &[&[T]], from: usize, at: usize) {
    let mut i = from;
    while i < rows.len().min(from + ROWS) {
        prefetch(rows[i].as_ptr().wrapping_add(at));
        i += 1;
    }
}

/// Adds some columns of a few rows, from one on, number by number.
fn push_rows<T: Float>(rows: &[&[T]], at: usize, tables: &mut [Table], sums: &mut [Accumulator]) {
    tables.iter_mut().for_each(|table| table.room(rows.len()));
    for row in rows {
        for ((table, sum), &x) in tables.iter_mut().zip(sums.iter_mut()).zip(&row[at..]) {
            if table.push(x.widen()) {
                sum.push(x.widen());
            }
        }
    }
}

/// Whether a number is −0.
fn is_negative_zero<T: Float>(x: T) -> bool {
    x.widen().to_bits() == 1 << 63
}

/// Rows that go through the columns at a time: each level is loaded and stored once for all of them, and memory is read in
/// few long runs.
const TOGETHER: usize = 4;
/// How far ahead of the columns at work a long row is asked for, in bytes.
const AHEAD: usize = 2048;

/// The extraction of columns, side by side in the lanes.
struct Strips<'a, T, const L: usize> {
    rows: &'a [&'a [T]],
    lanes: &'a mut [f64],
    /// Where the lanes of the first level start.
    start: f64,
}

/// What is known of the elements of all columns.
struct Found {
    /// The largest magnitude (NaN aside).
    largest: f64,
    /// Whether nothing was left, and no NaN or infinity there.
    complete: bool,
}

/// The largest magnitudes and what was left, in the lanes of some vectors, and the number 1.
struct Seen<V, const M: usize> {
    largest: [V; M],
    left: [V; M],
    one: V,
}

impl<T: Float, const L: usize> Strips<'_, T, L> {
    /// Vectors of the widest type, and columns that are left one by one.
    ///
    /// # Safety
    /// The instruction set of `V` must be present.
    #[inline(always)]
    unsafe fn strips<V: Doubles, const M: usize>(mut self) -> Found {
        let width = self.lanes.len() / L;
        let whole = width / (M * V::LANES) * (M * V::LANES);
        // SAFETY: the caller's promise.
        let (mut wide, mut single) = unsafe { (Seen::<V, M>::new(), Seen::<Portable<1>, 1>::new()) };
        let long = width * size_of::<T>() >= 4 * AHEAD;
        let rows = self.rows;
        for (i, some) in rows.chunks(TOGETHER).enumerate() {
            // Ahead in the same row, or the place in the rows to come.
            let ahead = |k: usize, row: &[T]| {
                let next = rows.get(i * TOGETHER + k + TOGETHER).map_or(row.as_ptr(), |row| row.as_ptr());
                if long { row.as_ptr().wrapping_byte_add(AHEAD) } else { next }
            };
            // SAFETY: the caller's promise; the columns lie below the width, and all rows are as wide.
            unsafe {
                if let Ok(some) = <[&[T]; TOGETHER]>::try_from(some) {
                    let places = std::array::from_fn::<_, TOGETHER, _>(|k| (some[k].as_ptr(), ahead(k, some[k])));
                    for at in (0..whole).step_by(M * V::LANES) {
                        self.columns::<V, M, TOGETHER>(places, at, &mut wide);
                    }
                    for at in whole..width {
                        self.columns::<Portable<1>, 1, TOGETHER>(places, at, &mut single);
                    }
                } else {
                    for row in some {
                        let places = [(row.as_ptr(), row.as_ptr())];
                        for at in (0..whole).step_by(M * V::LANES) {
                            self.columns::<V, M, 1>(places, at, &mut wide);
                        }
                        for at in whole..width {
                            self.columns::<Portable<1>, 1, 1>(places, at, &mut single);
                        }
                    }
                }
            }
        }
        // SAFETY: the caller's promise.
        let ((largest, left), (single, rest)) = unsafe { (wide.read(), single.read()) };
        // A NaN or an infinity takes the lane out of its binade for good.
        let strayed = self.lanes[..width].iter().fold(0, |strayed, lane| strayed | (lane.to_bits() ^ self.start.to_bits()));
        Found {
            largest: if single > largest { single } else { largest },
            complete: (left | rest) << 1 == 0 && strayed >> 52 == 0,
        }
    }

    /// Adds `R` rows of `M` vectors of columns, from column `at` on, and asks for memory ahead.
    ///
    /// # Safety
    /// The instruction set of `V` must be present, the columns lie below the width, and rows start at the places.
    // Plain index loops of constant length over vectors stay in registers.
    #[allow(clippy::needless_range_loop)]
    #[inline(always)]
    unsafe fn columns<V: Doubles, const M: usize, const R: usize>(
        &mut self,
        places: [(*const T, *const T); R],
        at: usize,
        seen: &mut Seen<V, M>,
    ) {
        let width = self.lanes.len() / L;
        debug_assert!(at + M * V::LANES <= width);
        // SAFETY: the caller's promise; there are L times the width of levels.
        unsafe {
            let lanes = self.lanes.as_mut_ptr().add(at);
            let mut levels = [[seen.one; M]; L];
            for level in 0..L {
                for i in 0..M {
                    levels[level][i] = V::load(lanes.add(level * width + i * V::LANES));
                }
            }
            for (row, ahead) in places {
                for line in (0..M * V::LANES * size_of::<T>()).step_by(64) {
                    prefetch(ahead.wrapping_add(at).wrapping_byte_add(line));
                }
                for i in 0..M {
                    let x: V = T::load(row.add(at + i * V::LANES));
                    seen.largest[i] = x.magnitude_or(seen.largest[i]);
                    step(&mut levels, i, x, &mut seen.left[i], seen.one);
                }
            }
            for level in 0..L {
                for i in 0..M {
                    levels[level][i].store(lanes.add(level * width + i * V::LANES));
                }
            }
        }
    }
}

impl<V: Doubles, const M: usize> Seen<V, M> {
    /// # Safety
    /// The instruction set of `V` must be present.
    #[inline(always)]
    unsafe fn new() -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self { largest: [V::splat(0.0); M], left: [V::splat(0.0); M], one: one() } }
    }

    /// The largest magnitude and the bits that were left.
    ///
    /// # Safety
    /// The instruction set of `V` must be present.
    #[inline(always)]
    unsafe fn read(&self) -> (f64, u64) {
        let (mut largest, mut left, mut lanes) = (0.0, 0, [0.0; 8]);
        for i in 0..M {
            // SAFETY: the caller's promise; no vector has more than 8 lanes.
            unsafe { self.largest[i].store(lanes.as_mut_ptr()) };
            largest = lanes[..V::LANES].iter().fold(largest, |most, &lane| if lane > most { lane } else { most });
            // SAFETY: as above.
            unsafe { self.left[i].store(lanes.as_mut_ptr()) };
            left |= lanes[..V::LANES].iter().fold(0, |left, lane| left | lane.to_bits());
        }
        (largest, left)
    }
}

impl<T: Float, const L: usize> Kernel for Strips<'_, T, L> {
    type Output = Found;

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> Found {
        // SAFETY: vectors of `BYTES` bytes are present.
        unsafe {
            match BYTES {
                #[cfg(target_arch = "x86_64")]
                64 => self.strips::<Doubles8, 4>(),
                #[cfg(target_arch = "x86_64")]
                32 => self.strips::<Doubles4, 2>(),
                _ => self.strips::<Portable<2>, 2>(),
            }
        }
    }
}
