//! The order of elements as unsigned integers.

use std::cmp::Ordering;

/// The better of two candidates of an arg-reduction: the more extreme key, then the smaller index.
pub(crate) fn first_extreme(x: (u64, u64), y: (u64, u64), smaller: bool) -> (u64, u64) {
    let order = if smaller { y.0.cmp(&x.0) } else { x.0.cmp(&y.0) };
    match order {
        Ordering::Greater => x,
        Ordering::Less => y,
        Ordering::Equal => (x.0, x.1.min(y.1)),
    }
}

/// The order of elements as unsigned integers, the same on every device.
pub trait Ordered: Copy {
    /// Grows with the value; for `min`, NaN is below everything, for `max` above: see `extreme_key`.
    fn key(self) -> u64;
    /// The value of a key.
    fn from_key(key: u64) -> Self;
    /// Whether this is NaN.
    #[inline(always)]
    fn is_nan(self) -> bool {
        false
    }

    /// The key for `min` (`smaller`) or `max`: NaN wins.
    #[inline(always)]
    fn extreme_key(self, smaller: bool) -> u64 {
        match (self.is_nan(), smaller) {
            (false, _) => self.key(),
            (true, true) => 0,
            (true, false) => u64::MAX,
        }
    }

    /// The key for `argmin` (`smaller`) or `argmax`: NaN wins, and −0 equals +0.
    fn arg_key(self, smaller: bool) -> u64 {
        self.extreme_key(smaller)
    }
}

macro_rules! ordered {
    (unsigned $($T:ty)*) => {$(impl Ordered for $T {
        #[inline(always)]
        fn key(self) -> u64 { self as u64 }
        fn from_key(key: u64) -> Self { key as $T }
    })*};
    (signed $($T:ty)*) => {$(impl Ordered for $T {
        #[inline(always)]
        fn key(self) -> u64 { (self as i64 as u64) ^ (1 << 63) }
        fn from_key(key: u64) -> Self { (key ^ (1 << 63)) as $T }
    })*};
    (float $($T:ident $bits:ty, $signed:ty, $shift:literal;)*) => {$(impl Ordered for $T {
        // Sign and magnitude to offset: -NaN never occurs here, NaN is taken out by `extreme_key`.
        #[inline(always)]
        fn key(self) -> u64 {
            let bits = self.to_bits();
            (if bits >> $shift == 1 { !bits } else { bits | (1 << $shift) }) as u64
        }
        // Keys of no number (0 and all ones, the marks of NaN) give the canonical NaN.
        fn from_key(key: u64) -> Self {
            let key = key as $bits;
            let value = $T::from_bits(if key >> $shift == 1 { key & !(1 << $shift) } else { !key });
            if value.is_nan() { $T::NAN } else { value }
        }
        fn arg_key(self, smaller: bool) -> u64 {
            // −0 + 0 is +0.
            (self + 0.0).extreme_key(smaller)
        }
        #[inline(always)]
        fn is_nan(self) -> bool { self.is_nan() }
    })*};
}
ordered!(unsigned u8 u16 u32 u64);
ordered!(signed i8 i16 i32 i64);
ordered!(float f32 u32, i32, 31; f64 u64, i64, 63;);

impl Ordered for bool {
    #[inline(always)]
    fn key(self) -> u64 {
        self as u64
    }
    fn from_key(key: u64) -> Self {
        key != 0
    }
}
