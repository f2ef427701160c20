//! Smallest and largest elements, and where the first of them is.

mod arg;
mod keys;
mod range;

pub(super) use arg::Arg;
pub(super) use keys::Scan;
pub(super) use range::{Range, SmallestMagnitude, largest_magnitude};

use super::drive::Fold;
use crate::cpu::simd::{Kernel, Simd, prefetch, prefetch_ahead};
use keys::{best, shift, shifted_key};

/// Elements that are looked at side by side: some vectors of them, whose chains do not wait for each other.
const LANES: usize = 64;

/// Lanes that the compiler may keep in memory: none lies across two lines of the cache.
#[repr(align(64))]
struct Aligned<K>([K; LANES]);

/// The best key of a block.
struct Best<'a, T: Scan, const ARG: bool, const SMALLER: bool> {
    values: &'a [T],
    shift: T::Key,
}

impl<T: Scan, const ARG: bool, const SMALLER: bool> Kernel for Best<'_, T, ARG, SMALLER> {
    type Output = T::Key;

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> T::Key {
        let worst = if SMALLER { T::BOUNDS.1 } else { T::BOUNDS.0 };
        let key = |value: T| T::shift(if ARG { value.scan_arg() } else { value.scan() }, self.shift);
        let mut aligned = Aligned([worst; LANES]);
        let lanes = &mut aligned.0;
        let (blocks, rest) = self.values.as_chunks::<LANES>();
        for block in blocks {
            for line in (0..size_of_val(block)).step_by(64) {
                prefetch_ahead(block.as_ptr().wrapping_byte_add(line));
            }
            for i in 0..LANES {
                lanes[i] = best::<T, SMALLER>(lanes[i], key(block[i]));
            }
        }
        let rest = rest.iter().map(|&value| key(value));
        lanes.iter().copied().chain(rest).fold(worst, best::<T, SMALLER>)
    }
}

/// The plan's key of the smallest or largest element of a block.
fn best_of<T: Scan, const ARG: bool>(values: &[T], simd: Simd, smaller: bool, skip: bool) -> u64 {
    let shift = shift::<T>(smaller, skip);
    let found = if smaller {
        simd.run(Best::<T, ARG, true> { values, shift })
    } else {
        simd.run(Best::<T, ARG, false> { values, shift })
    };
    shifted_key::<T>(found, smaller, skip)
}

/// Rows of columns that are compared at a time: what is known of a column is loaded and stored once for all of them.
const TOGETHER: usize = 8;

/// Columns of a piece.
const STRIP: usize = 32;

/// [`STRIP`] columns of some rows at a time, which rows and which columns, after memory ahead was asked for.
#[inline(always)]
fn pieces<'r, T>(rows: &'r [&'r [T]], width: usize) -> impl Iterator<Item = ([&'r [T; STRIP]; TOGETHER], usize, usize)> {
    let (blocks, _) = rows.as_chunks::<TOGETHER>();
    blocks.iter().enumerate().flat_map(move |(block, rows)| {
        (0..width / STRIP).filter_map(move |piece| {
            let mut columns = [None; TOGETHER];
            for (columns, row) in columns.iter_mut().zip(rows) {
                *columns = row[piece * STRIP..].first_chunk::<STRIP>();
            }
            for row in rows {
                for line in (0..size_of::<[T; STRIP]>()).step_by(64) {
                    prefetch(row.as_ptr().wrapping_add(piece * STRIP).wrapping_byte_add(2048 + line));
                }
            }
            let [Some(a), Some(b), Some(c), Some(d), Some(e), Some(f), Some(g), Some(h)] = columns else { return None };
            Some(([a, b, c, d, e, f, g, h], block * TOGETHER, piece * STRIP))
        })
    })
}

/// The columns and rows that [`pieces`] leave, with the rows' numbers: the last columns of all rows, and the last rows.
#[inline(always)]
fn rest<'r, T>(rows: &'r [&'r [T]], width: usize) -> impl Iterator<Item = (&'r [T], usize, usize)> {
    let (whole, columns) = (rows.len() / TOGETHER * TOGETHER, width / STRIP * STRIP);
    rows.iter().enumerate().map(move |(i, row)| {
        let from = if i < whole { columns } else { 0 };
        (&row[from..width], i, from)
    })
}

/// The best shifted keys of columns.
struct BestOfColumns<'a, T: Scan, const SMALLER: bool> {
    rows: &'a [&'a [T]],
    best: &'a mut [T::Key],
    shift: T::Key,
}

impl<T: Scan, const SMALLER: bool> Kernel for BestOfColumns<'_, T, SMALLER> {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        let width = self.best.len();
        for (rows, _, at) in pieces(self.rows, width) {
            // A copy, which no row can overlap.
            let mut keys = [T::Key::default(); STRIP];
            keys.copy_from_slice(&self.best[at..at + STRIP]);
            for i in 0..STRIP {
                for row in rows {
                    keys[i] = best::<T, SMALLER>(keys[i], T::shift(row[i].scan(), self.shift));
                }
            }
            self.best[at..at + STRIP].copy_from_slice(&keys);
        }
        for (row, _, at) in rest(self.rows, width) {
            for (key, x) in self.best[at..].iter_mut().zip(row) {
                *key = best::<T, SMALLER>(*key, T::shift(x.scan(), self.shift));
            }
        }
    }
}

/// `min` or `max`.
pub(super) struct Extreme {
    pub(super) smaller: bool,
    pub(super) simd: Simd,
    /// Whether NaN is passed over.
    pub(super) skip: bool,
}

impl<T: Scan> Fold<T> for Extreme {
    type Partial = Option<u64>;
    type Columns = Vec<T::Key>;
    const WIDTH: usize = 8192;

    fn start(&self, _: Option<&Option<u64>>) -> Option<u64> {
        None
    }

    fn row(&self, best: &mut Option<u64>, values: &[T], _: u64) {
        if !values.is_empty() {
            let new = best_of::<T, false>(values, self.simd, self.smaller, self.skip);
            Fold::<T>::merge(self, best, Some(new));
        }
    }

    fn merge(&self, best: &mut Option<u64>, later: Option<u64>) {
        *best = match (*best, later) {
            (Some(x), Some(y)) => Some(if self.smaller { x.min(y) } else { x.max(y) }),
            (x, y) => x.or(y),
        };
    }

    fn start_columns(&self, width: usize) -> Vec<T::Key> {
        vec![if self.smaller { T::BOUNDS.1 } else { T::BOUNDS.0 }; width]
    }

    fn rows(&self, best: &mut Vec<T::Key>, rows: &[&[T]], _: u64) {
        let shift = shift::<T>(self.smaller, self.skip);
        if self.smaller {
            self.simd.run(BestOfColumns::<T, true> { rows, best, shift });
        } else {
            self.simd.run(BestOfColumns::<T, false> { rows, best, shift });
        }
    }

    fn end_columns(&self, best: Vec<T::Key>) -> Vec<Option<u64>> {
        best.into_iter().map(|best| Some(shifted_key::<T>(best, self.smaller, self.skip))).collect()
    }
}
