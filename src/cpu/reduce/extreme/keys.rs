//! Keys: elements as integers that compare as the elements do.

use crate::Real;

/// Elements as integers of their own size that compare as the elements do, so that SIMD lanes compare as many as they can
/// hold.
pub(in crate::cpu::reduce) trait Scan: Real {
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
pub(super) fn key<T: Scan>((least, most): (T::Key, T::Key), smaller: bool) -> u64 {
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
pub(super) fn widen<T: Scan, const SKIP: bool>(least: T::Key, most: T::Key, key: T::Key) -> (T::Key, T::Key) {
    if SKIP {
        let nan = (key < T::NUMBERS.0) | (key > T::NUMBERS.1);
        (least.min(if nan { T::BOUNDS.1 } else { key }), most.max(if nan { T::BOUNDS.0 } else { key }))
    } else {
        (least.min(key), most.max(key))
    }
}

/// The smallest or the largest key, shifted so that NaN wins, or, passed over, loses.
#[inline(always)]
pub(super) fn best<T: Scan, const SMALLER: bool>(x: T::Key, y: T::Key) -> T::Key {
    if SMALLER { x.min(y) } else { x.max(y) }
}

/// The shift that makes NaN win, or lose if `skip`.
pub(super) fn shift<T: Scan>(smaller: bool, skip: bool) -> T::Key {
    if smaller != skip { T::SHIFTS.0 } else { T::SHIFTS.1 }
}

/// The plan's key of the best shifted one.
pub(super) fn shifted_key<T: Scan>(best: T::Key, smaller: bool, skip: bool) -> u64 {
    let native = T::shift_back(best, shift::<T>(smaller, skip));
    match (native < T::NUMBERS.0 || native > T::NUMBERS.1, smaller != skip) {
        (true, true) => 0,
        (true, false) => u64::MAX,
        (false, _) => T::order(native),
    }
}
