//! Where the first of the smallest or largest elements is.

use super::keys::{Scan, key};
use super::{LANES, STRIP, TOGETHER, best_of, pieces, rest};
use crate::cpu::reduce::drive::Fold;
use crate::cpu::simd::{Kernel, Simd};
use crate::plan::first_extreme;

/// Elements of a block that is searched again if it holds a new extreme.
const BLOCK: usize = 4096;

/// The first element with a key.
struct Find<'a, T: Scan> {
    values: &'a [T],
    key: T::Key,
}

impl<T: Scan> Kernel for Find<'_, T> {
    type Output = Option<usize>;

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> Option<usize> {
        let here = |values: &[T]| values.iter().position(|value| value.scan_arg() == self.key);
        let (blocks, rest) = self.values.as_chunks::<LANES>();
        for (i, block) in blocks.iter().enumerate() {
            let mut any = false;
            for value in block {
                any |= value.scan_arg() == self.key;
            }
            if any {
                return here(block).map(|at| i * LANES + at);
            }
        }
        here(rest).map(|at| blocks.len() * LANES + at)
    }
}

/// `argmin` or `argmax`.
pub(in crate::cpu::reduce) struct Arg {
    pub(in crate::cpu::reduce) smaller: bool,
    pub(in crate::cpu::reduce) simd: Simd,
    /// Whether NaN is passed over.
    pub(in crate::cpu::reduce) skip: bool,
}

impl Arg {
    /// The key of the elements that outrank numbers.
    fn nan(&self) -> u64 {
        if self.smaller { 0 } else { u64::MAX }
    }

    fn better(&self, new: u64, old: u64) -> bool {
        if self.smaller { new < old } else { new > old }
    }
}

/// The first extreme of every column: keys as `smaller` wants them, and rows.
struct ArgOfColumns<'a, T: Scan, const SMALLER: bool> {
    rows: &'a [&'a [T]],
    keys: &'a mut [T::Key],
    found: &'a mut [u32],
    /// What NaN counts as.
    nan: T::Key,
}

impl<T: Scan, const SMALLER: bool> Kernel for ArgOfColumns<'_, T, SMALLER> {
    type Output = ();

    // Plain index loops of constant length become vectors.
    #[allow(clippy::needless_range_loop)]
    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        let (width, as_nan) = (self.keys.len(), self.nan);
        let better = |best: &mut T::Key, found: &mut u32, x: T, row: usize| {
            let key = x.scan_arg();
            let nan = key < T::NUMBERS.0 || key > T::NUMBERS.1;
            let key = if nan { as_nan } else { key };
            let better = if SMALLER { key < *best } else { key > *best };
            *best = if better { key } else { *best };
            *found = if better { row as u32 } else { *found };
        };
        for (rows, first, at) in pieces(self.rows, width) {
            // Copies, which no row can overlap.
            let (mut keys, mut found) = ([T::Key::default(); STRIP], [0; STRIP]);
            keys.copy_from_slice(&self.keys[at..at + STRIP]);
            found.copy_from_slice(&self.found[at..at + STRIP]);
            for i in 0..STRIP {
                for k in 0..TOGETHER {
                    better(&mut keys[i], &mut found[i], rows[k][i], first + k);
                }
            }
            self.keys[at..at + STRIP].copy_from_slice(&keys);
            self.found[at..at + STRIP].copy_from_slice(&found);
        }
        for (row, number, at) in rest(self.rows, width) {
            for ((key, found), &x) in self.keys[at..].iter_mut().zip(&mut self.found[at..]).zip(row) {
                better(key, found, x, number);
            }
        }
    }
}

/// The best of each column so far, and room for a tile's.
pub(in crate::cpu::reduce) struct ArgColumns<K> {
    best: Vec<Option<(u64, u64)>>,
    keys: Vec<K>,
    found: Vec<u32>,
}

impl<T: Scan> Fold<T> for Arg {
    type Partial = Option<(u64, u64)>;
    type Columns = ArgColumns<T::Key>;
    const FREE: bool = false;
    const WIDTH: usize = 8192;

    fn start(&self, _: Option<&Self::Partial>) -> Self::Partial {
        None
    }

    fn row(&self, best: &mut Self::Partial, values: &[T], index: u64) {
        // The block that holds the best so far is searched once, at the end: on a ramp every block is better than the last.
        let mut improved: Option<(&[T], u64)> = None;
        for (block, at) in values.chunks(BLOCK).zip((index..).step_by(BLOCK)) {
            if !self.skip && best.is_some_and(|(key, _)| key == self.nan() && is_nan_mark::<T>()) {
                break;
            }
            let new = best_of::<T, true>(block, self.simd, self.smaller, self.skip);
            if best.is_none_or(|(old, _)| self.better(new, old)) {
                *best = Some((new, at));
                improved = Some((block, at));
            }
        }
        if let (Some((block, at)), Some((key, place))) = (improved, best) {
            let number = T::from_key(*key);
            let found = if number.is_nan() {
                block.iter().position(|x| x.arg_key(self.smaller) == *key)
            } else {
                self.simd.run(Find { values: block, key: number.scan_arg() })
            };
            *place = at + found.unwrap_or(0) as u64;
        }
    }

    fn merge(&self, best: &mut Self::Partial, later: Self::Partial) {
        *best = match (*best, later) {
            (Some(x), Some(y)) => Some(first_extreme(x, y, self.smaller)),
            (x, y) => x.or(y),
        };
    }

    fn start_columns(&self, width: usize) -> ArgColumns<T::Key> {
        ArgColumns { best: vec![None; width], keys: vec![T::Key::default(); width], found: vec![0; width] }
    }

    fn rows(&self, columns: &mut ArgColumns<T::Key>, rows: &[&[T]], index: u64) {
        // The first row is beaten only by better ones.
        let Some((first, rest)) = rows.split_first() else { return };
        let nan = if self.smaller != self.skip { T::BOUNDS.0 } else { T::BOUNDS.1 };
        for (key, x) in columns.keys.iter_mut().zip(*first) {
            *key = if x.is_nan() { nan } else { x.scan_arg() };
        }
        columns.found.fill(u32::MAX);
        let (keys, found) = (&mut columns.keys[..], &mut columns.found[..]);
        if self.smaller {
            self.simd.run(ArgOfColumns::<T, true> { rows: rest, keys, found, nan });
        } else {
            self.simd.run(ArgOfColumns::<T, false> { rows: rest, keys, found, nan });
        }
        for ((best, &native), &row) in columns.best.iter_mut().zip(&columns.keys).zip(&columns.found) {
            // Nothing but NaN that is passed over: bounds past each other.
            let both = if self.skip && native == nan { (T::BOUNDS.1, T::BOUNDS.0) } else { (native, native) };
            let new = (key::<T>(both, self.smaller), index + u64::from(row.wrapping_add(1)));
            *best = Some(best.map_or(new, |old| first_extreme(old, new, self.smaller)));
        }
    }

    fn end_columns(&self, columns: ArgColumns<T::Key>) -> Vec<Self::Partial> {
        columns.best
    }
}

/// Whether the marks of NaN cannot be keys of numbers.
fn is_nan_mark<T: Scan>() -> bool {
    T::DTYPE.is_float()
}
