//! Smallest and largest elements, and where the first of them is.

use super::drive::Fold;
use crate::Real;
use crate::cpu::simd::{Kernel, Simd};
use crate::plan::first_extreme;

/// Elements as integers of their own size that compare as the elements do, so that SIMD lanes compare as many as they can
/// hold.
pub(super) trait Scan: Real {
    /// The integer.
    type Key: Copy + Ord + Send + Default;
    /// The keys of numbers; those of NaN lie outside.
    const NUMBERS: (Self::Key, Self::Key);
    /// The smallest and the largest key there is.
    const BOUNDS: (Self::Key, Self::Key);

    /// The key; −0 before +0.
    fn scan(self) -> Self::Key;
    /// The key, that of +0 for −0.
    fn scan_arg(self) -> Self::Key;
    /// The key of [`Ordered`](crate::plan::Ordered) from that of a number.
    fn order(key: Self::Key) -> u64;
}

macro_rules! scan {
    (integer $($T:ty, $order:expr;)*) => {$(impl Scan for $T {
        type Key = $T;
        const NUMBERS: (Self, Self) = (<$T>::MIN, <$T>::MAX);
        const BOUNDS: (Self, Self) = (<$T>::MIN, <$T>::MAX);
        #[inline(always)]
        fn scan(self) -> Self { self }
        #[inline(always)]
        fn scan_arg(self) -> Self { self }
        fn order(key: Self) -> u64 { $order(key) }
    })*};
    (float $($T:ty, $Key:ty, $Unsigned:ty;)*) => {$(impl Scan for $T {
        type Key = $Key;
        const NUMBERS: ($Key, $Key) =
            (<$T>::NEG_INFINITY.to_bits() as $Key ^ <$Key>::MAX, <$T>::INFINITY.to_bits() as $Key);
        const BOUNDS: ($Key, $Key) = (<$Key>::MIN, <$Key>::MAX);
        #[inline(always)]
        fn scan(self) -> $Key {
            let bits = self.to_bits() as $Key;
            bits ^ ((bits >> (<$Key>::BITS - 1)) & <$Key>::MAX)
        }
        #[inline(always)]
        fn scan_arg(self) -> $Key { (self + 0.0).scan() }
        fn order(key: $Key) -> u64 { u64::from(key as $Unsigned ^ (1 << (<$Key>::BITS - 1))) }
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
}

/// The key that the plan's partials hold, of the smallest and largest native key of some elements.
fn key<T: Scan>((least, most): (T::Key, T::Key), smaller: bool) -> u64 {
    match (least < T::NUMBERS.0 || most > T::NUMBERS.1, smaller) {
        (true, true) => 0,
        (true, false) => u64::MAX,
        (false, true) => T::order(least),
        (false, false) => T::order(most),
    }
}

/// The smallest and the largest key of a block.
struct Bounds<'a, T, const ARG: bool>(&'a [T]);

impl<T: Scan, const ARG: bool> Kernel for Bounds<'_, T, ARG> {
    type Output = (T::Key, T::Key);

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> (T::Key, T::Key) {
        let (mut least, mut most) = (T::BOUNDS.1, T::BOUNDS.0);
        for &value in self.0 {
            let key = if ARG { value.scan_arg() } else { value.scan() };
            least = least.min(key);
            most = most.max(key);
        }
        (least, most)
    }
}

/// The smallest and largest keys of columns.
struct BoundsOfColumns<'a, T: Scan> {
    rows: &'a [&'a [T]],
    least: &'a mut [T::Key],
    most: &'a mut [T::Key],
}

impl<T: Scan> Kernel for BoundsOfColumns<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        let width = self.least.len();
        let (least, most) = (&mut self.least[..width], &mut self.most[..width]);
        for row in self.rows {
            let row = &row[..width];
            for i in 0..width {
                let key = row[i].scan();
                least[i] = least[i].min(key);
                most[i] = most[i].max(key);
            }
        }
    }
}

/// `min` or `max`.
pub(super) struct Extreme {
    pub(super) smaller: bool,
    pub(super) simd: Simd,
}

impl<T: Scan> Fold<T> for Extreme {
    type Partial = Option<u64>;
    type Columns = (Vec<T::Key>, Vec<T::Key>);

    fn start(&self, _: Option<&Option<u64>>) -> Option<u64> {
        None
    }

    fn row(&self, best: &mut Option<u64>, values: &[T], _: u64) {
        if !values.is_empty() {
            let new = key::<T>(self.simd.run(Bounds::<T, false>(values)), self.smaller);
            Fold::<T>::merge(self, best, Some(new));
        }
    }

    fn merge(&self, best: &mut Option<u64>, later: Option<u64>) {
        *best = match (*best, later) {
            (Some(x), Some(y)) => Some(if self.smaller { x.min(y) } else { x.max(y) }),
            (x, y) => x.or(y),
        };
    }

    fn start_columns(&self, width: usize) -> Self::Columns {
        (vec![T::BOUNDS.1; width], vec![T::BOUNDS.0; width])
    }

    fn rows(&self, (least, most): &mut Self::Columns, rows: &[&[T]], _: u64) {
        self.simd.run(BoundsOfColumns { rows, least, most });
    }

    fn end_columns(&self, (least, most): Self::Columns) -> Vec<Option<u64>> {
        least.into_iter().zip(most).map(|bounds| Some(key::<T>(bounds, self.smaller))).collect()
    }
}

/// Elements of a block that is searched again if it holds a new extreme.
const BLOCK: usize = 4096;

/// `argmin` or `argmax`.
pub(super) struct Arg {
    pub(super) smaller: bool,
    pub(super) simd: Simd,
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
}

impl<T: Scan, const SMALLER: bool> Kernel for ArgOfColumns<'_, T, SMALLER> {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        let width = self.keys.len();
        let (keys, found) = (&mut self.keys[..width], &mut self.found[..width]);
        for (r, row) in self.rows.iter().enumerate() {
            let row = &row[..width];
            for i in 0..width {
                let key = row[i].scan_arg();
                let nan = key < T::NUMBERS.0 || key > T::NUMBERS.1;
                let key = if nan { if SMALLER { T::BOUNDS.0 } else { T::BOUNDS.1 } } else { key };
                let better = if SMALLER { key < keys[i] } else { key > keys[i] };
                keys[i] = if better { key } else { keys[i] };
                found[i] = if better { r as u32 } else { found[i] };
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

    fn start(&self, _: Option<&Self::Partial>) -> Self::Partial {
        None
    }

    fn row(&self, best: &mut Self::Partial, values: &[T], index: u64) {
        // The block that holds the best so far is searched once, at the end: on a ramp every block is better than the last.
        let mut improved: Option<(&[T], u64)> = None;
        for (block, at) in values.chunks(BLOCK).zip((index..).step_by(BLOCK)) {
            if best.is_some_and(|(key, _)| key == self.nan() && is_nan_mark::<T>()) {
                break;
            }
            let new = key::<T>(self.simd.run(Bounds::<T, true>(block)), self.smaller);
            if best.is_none_or(|(old, _)| self.better(new, old)) {
                *best = Some((new, at));
                improved = Some((block, at));
            }
        }
        if let (Some((block, at)), Some((key, place))) = (improved, best) {
            *place = at + block.iter().position(|x| x.arg_key(self.smaller) == *key).unwrap_or(0) as u64;
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
        let nan = if self.smaller { T::BOUNDS.0 } else { T::BOUNDS.1 };
        for (key, x) in columns.keys.iter_mut().zip(*first) {
            *key = if x.is_nan() { nan } else { x.scan_arg() };
        }
        columns.found.fill(u32::MAX);
        let (keys, found) = (&mut columns.keys[..], &mut columns.found[..]);
        if self.smaller {
            self.simd.run(ArgOfColumns::<T, true> { rows: rest, keys, found });
        } else {
            self.simd.run(ArgOfColumns::<T, false> { rows: rest, keys, found });
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
