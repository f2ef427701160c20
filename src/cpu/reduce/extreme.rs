//! Smallest and largest elements, and where the first of them is.

use super::drive::{Fold, rows_by_row};
use crate::Real;
use crate::cpu::simd::{Kernel, Simd, blocks_ahead, prefetch, prefetch_ahead};
use crate::plan::{first_extreme, range};

/// Elements as integers of their own size that compare as the elements do, so that SIMD lanes compare as many as they can
/// hold.
pub(super) trait Scan: Real {
    /// The integer.
    type Key: Copy + Ord + Send + Default;
    /// The keys of numbers; those of NaN lie outside.
    const NUMBERS: (Self::Key, Self::Key);
    /// The smallest and the largest key there is.
    const BOUNDS: (Self::Key, Self::Key);
    /// What is added to keys (and wraps) so that every NaN comes below all numbers, and so that it comes above them.
    const SHIFTS: (Self::Key, Self::Key);

    /// The key; −0 before +0.
    fn scan(self) -> Self::Key;
    /// The key, that of +0 for −0.
    fn scan_arg(self) -> Self::Key;
    /// `key + by`, wrapping.
    fn shift(key: Self::Key, by: Self::Key) -> Self::Key;
    /// `key − by`, wrapping.
    fn shift_back(key: Self::Key, by: Self::Key) -> Self::Key;
    /// The key of [`Ordered`](crate::plan::Ordered) from that of a number.
    fn order(key: Self::Key) -> u64;
    /// The key of the magnitude, among which NaN wins.
    fn magnitude(self, smaller: bool) -> u64;
}

macro_rules! scan {
    (integer $($T:ty, $order:expr;)*) => {$(impl Scan for $T {
        type Key = $T;
        const NUMBERS: (Self, Self) = (<$T>::MIN, <$T>::MAX);
        const BOUNDS: (Self, Self) = (<$T>::MIN, <$T>::MAX);
        const SHIFTS: (Self, Self) = (0, 0);
        #[inline(always)]
        fn shift(key: Self, _: Self) -> Self { key }
        #[inline(always)]
        fn shift_back(key: Self, _: Self) -> Self { key }
        #[inline(always)]
        fn scan(self) -> Self { self }
        #[inline(always)]
        fn scan_arg(self) -> Self { self }
        fn order(key: Self) -> u64 { $order(key) }
        fn magnitude(self, _: bool) -> u64 { i128::from(self).unsigned_abs() as u64 }
    })*};
    (float $($T:ty, $Key:ty, $Unsigned:ty;)*) => {$(impl Scan for $T {
        type Key = $Key;
        const NUMBERS: ($Key, $Key) =
            (<$T>::NEG_INFINITY.to_bits() as $Key ^ <$Key>::MAX, <$T>::INFINITY.to_bits() as $Key);
        const BOUNDS: ($Key, $Key) = (<$Key>::MIN, <$Key>::MAX);
        const SHIFTS: ($Key, $Key) = (<$Key>::MAX - Self::NUMBERS.1, <$Key>::MIN - Self::NUMBERS.0);
        #[inline(always)]
        fn shift(key: $Key, by: $Key) -> $Key { key.wrapping_add(by) }
        #[inline(always)]
        fn shift_back(key: $Key, by: $Key) -> $Key { key.wrapping_sub(by) }
        #[inline(always)]
        fn scan(self) -> $Key {
            let bits = self.to_bits() as $Key;
            bits ^ ((bits >> (<$Key>::BITS - 1)) & <$Key>::MAX)
        }
        #[inline(always)]
        fn scan_arg(self) -> $Key { (self + 0.0).scan() }
        fn order(key: $Key) -> u64 { u64::from(key as $Unsigned ^ (1 << (<$Key>::BITS - 1))) }
        fn magnitude(self, smaller: bool) -> u64 { crate::plan::Ordered::extreme_key(self.abs(), smaller) }
    })*};
}
scan! { integer
    u8, u64::from; u16, u64::from; u32, u64::from; u64, |key| key;
    i8, |key| key as i64 as u64 ^ (1 << 63); i16, |key| key as i64 as u64 ^ (1 << 63);
    i32, |key| key as i64 as u64 ^ (1 << 63); i64, |key| key as u64 ^ (1 << 63);
}
scan! { float f32, i32, u32; f64, i64, u64; }

impl Scan for bool {
    type Key = u8;
    const NUMBERS: (u8, u8) = (0, 1);
    const BOUNDS: (u8, u8) = (0, 1);
    const SHIFTS: (u8, u8) = (0, 0);
    #[inline(always)]
    fn shift(key: u8, _: u8) -> u8 {
        key
    }
    #[inline(always)]
    fn shift_back(key: u8, _: u8) -> u8 {
        key
    }
    #[inline(always)]
    fn scan(self) -> u8 {
        u8::from(self)
    }
    #[inline(always)]
    fn scan_arg(self) -> u8 {
        u8::from(self)
    }
    fn order(key: u8) -> u64 {
        u64::from(key)
    }
    fn magnitude(self, _: bool) -> u64 {
        u64::from(self)
    }
}

/// The key that the plan's partials hold, of the smallest and largest native key of some elements. Where NaN was passed over
/// and nothing else found, the bounds are past each other, and the key is worse than any number's.
fn key<T: Scan>((least, most): (T::Key, T::Key), smaller: bool) -> u64 {
    match (least < T::NUMBERS.0 || most > T::NUMBERS.1, smaller) {
        (true, true) => 0,
        (true, false) => u64::MAX,
        (false, true) if least > T::NUMBERS.1 => u64::MAX,
        (false, false) if most < T::NUMBERS.0 => 0,
        (false, true) => T::order(least),
        (false, false) => T::order(most),
    }
}

/// The smallest and the largest with one more key; `SKIP` passes over NaN.
#[inline(always)]
fn widen<T: Scan, const SKIP: bool>(least: T::Key, most: T::Key, key: T::Key) -> (T::Key, T::Key) {
    if SKIP {
        let nan = (key < T::NUMBERS.0) | (key > T::NUMBERS.1);
        (least.min(if nan { T::BOUNDS.1 } else { key }), most.max(if nan { T::BOUNDS.0 } else { key }))
    } else {
        (least.min(key), most.max(key))
    }
}

/// The smallest and the largest key of a block.
struct Bounds<'a, T, const SKIP: bool>(&'a [T]);

impl<T: Scan, const SKIP: bool> Kernel for Bounds<'_, T, SKIP> {
    type Output = (T::Key, T::Key);

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> (T::Key, T::Key) {
        let (mut least, mut most) = (T::BOUNDS.1, T::BOUNDS.0);
        for block in blocks_ahead(self.0) {
            let (mut low, mut high) = (T::BOUNDS.1, T::BOUNDS.0);
            for &value in block {
                (low, high) = widen::<T, SKIP>(low, high, value.scan());
            }
            (least, most) = (least.min(low), most.max(high));
        }
        (least, most)
    }
}

/// The smallest and largest key of a block, NaN passed over if `skip`.
fn bounds<T: Scan>(values: &[T], simd: Simd, skip: bool) -> (T::Key, T::Key) {
    if skip && T::DTYPE.is_float() { simd.run(Bounds::<T, true>(values)) } else { simd.run(Bounds::<T, false>(values)) }
}

/// The smallest or the largest key, shifted so that NaN wins, or, passed over, loses.
#[inline(always)]
fn best<T: Scan, const SMALLER: bool>(x: T::Key, y: T::Key) -> T::Key {
    if SMALLER { x.min(y) } else { x.max(y) }
}

/// The shift that makes NaN win, or lose if `skip`.
fn shift<T: Scan>(smaller: bool, skip: bool) -> T::Key {
    if smaller != skip { T::SHIFTS.0 } else { T::SHIFTS.1 }
}

/// The plan's key of the best shifted one.
fn shifted_key<T: Scan>(best: T::Key, smaller: bool, skip: bool) -> u64 {
    let native = T::shift_back(best, shift::<T>(smaller, skip));
    match (native < T::NUMBERS.0 || native > T::NUMBERS.1, smaller != skip) {
        (true, true) => 0,
        (true, false) => u64::MAX,
        (false, _) => T::order(native),
    }
}

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

/// The smallest and largest keys of columns.
struct BoundsOfColumns<'a, T: Scan, const SKIP: bool> {
    rows: &'a [&'a [T]],
    least: &'a mut [T::Key],
    most: &'a mut [T::Key],
}

impl<T: Scan, const SKIP: bool> Kernel for BoundsOfColumns<'_, T, SKIP> {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        let width = self.least.len();
        let (least, most) = (&mut self.least[..width], &mut self.most[..width]);
        for row in self.rows {
            let row = &row[..width];
            for i in 0..width {
                (least[i], most[i]) = widen::<T, SKIP>(least[i], most[i], row[i].scan());
            }
        }
    }
}

/// `min` and `max` at once.
pub(super) struct Range {
    pub(super) simd: Simd,
    /// Whether NaN is passed over.
    pub(super) skip: bool,
}

/// The order keys of the bounds.
fn keys<T: Scan>(bounds: (T::Key, T::Key)) -> (u64, u64) {
    (key::<T>(bounds, true), key::<T>(bounds, false))
}

impl<T: Scan> Fold<T> for Range {
    type Partial = Option<(u64, u64)>;
    type Columns = (Vec<T::Key>, Vec<T::Key>);

    fn start(&self, _: Option<&Self::Partial>) -> Self::Partial {
        None
    }

    fn row(&self, found: &mut Self::Partial, values: &[T], _: u64) {
        if !values.is_empty() {
            *found = range(*found, Some(keys::<T>(bounds(values, self.simd, self.skip))));
        }
    }

    fn merge(&self, found: &mut Self::Partial, later: Self::Partial) {
        *found = range(*found, later);
    }

    fn start_columns(&self, width: usize) -> Self::Columns {
        (vec![T::BOUNDS.1; width], vec![T::BOUNDS.0; width])
    }

    fn rows(&self, (least, most): &mut Self::Columns, rows: &[&[T]], _: u64) {
        if self.skip && T::DTYPE.is_float() {
            self.simd.run(BoundsOfColumns::<T, true> { rows, least, most });
        } else {
            self.simd.run(BoundsOfColumns::<T, false> { rows, least, most });
        }
    }

    fn end_columns(&self, (least, most): Self::Columns) -> Vec<Self::Partial> {
        least.into_iter().zip(most).map(|bounds| Some(keys::<T>(bounds))).collect()
    }
}

/// The key of the largest magnitude between two bounds; that of NaN passed over is worse than any.
pub(super) fn largest_magnitude<T: Scan>((least, most): (u64, u64), skip: bool) -> u64 {
    let (least, most) = (T::from_key(least), T::from_key(most));
    if skip && least.is_nan() { 0 } else { least.magnitude(false).max(most.magnitude(false)) }
}

/// The smallest magnitude.
pub(super) struct SmallestMagnitude {
    /// Whether NaN is passed over.
    pub(super) skip: bool,
}

impl<T: Scan> Fold<T> for SmallestMagnitude {
    type Partial = Option<u64>;
    type Columns = Vec<Option<u64>>;

    fn start(&self, _: Option<&Option<u64>>) -> Option<u64> {
        None
    }

    fn row(&self, best: &mut Option<u64>, values: &[T], _: u64) {
        for value in values {
            let key = if self.skip && value.is_nan() { u64::MAX } else { value.magnitude(true) };
            *best = Some(best.map_or(key, |best| best.min(key)));
        }
    }

    fn merge(&self, best: &mut Option<u64>, later: Option<u64>) {
        *best = match (*best, later) {
            (Some(x), Some(y)) => Some(x.min(y)),
            (x, y) => x.or(y),
        };
    }

    fn start_columns(&self, width: usize) -> Vec<Option<u64>> {
        vec![None; width]
    }

    fn rows(&self, columns: &mut Vec<Option<u64>>, rows: &[&[T]], index: u64) {
        rows_by_row(self, columns, rows, index);
    }

    fn end_columns(&self, columns: Vec<Option<u64>>) -> Vec<Option<u64>> {
        columns
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
pub(super) struct Arg {
    pub(super) smaller: bool,
    pub(super) simd: Simd,
    /// Whether NaN is passed over.
    pub(super) skip: bool,
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
pub(super) struct ArgColumns<K> {
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
            let new = (key::<T>((native, native), self.smaller), index + u64::from(row.wrapping_add(1)));
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
