//! The types that convolution computes in, and the conversions into and out of them.

use std::ops::{Add, Neg, Sub};

use crate::Dtype;

/// A type to compute in: one of [`Accumulator`](crate::Accumulator)'s kinds.
pub(super) trait Number: Copy + Send + Sync + PartialEq + std::fmt::Debug + 'static {
    /// Zero.
    const ZERO: Self;
    /// Whether values are rounded.
    const FLOAT: bool;

    /// `acc + self · weight`, fused for floats.
    fn mul_add(self, weight: Self, acc: Self) -> Self;

    /// The sum; of integers wrapping.
    fn plus(self, other: Self) -> Self;

    /// The difference; of integers wrapping.
    fn minus(self, other: Self) -> Self;

    /// The value with the other sign; of integers wrapping.
    fn negated(self) -> Self;

    /// The nearest value; the boundary's constant comes through here.
    fn from_fill(fill: f64) -> Self;
}

macro_rules! numbers {
    ($($type:ty, $float:literal, |$x:ident, $w:ident, $acc:ident| $fma:expr, $plus:expr, $minus:expr, $negated:expr;)*) => {$(
        impl Number for $type {
            const ZERO: Self = 0 as $type;
            const FLOAT: bool = $float;

            #[inline(always)]
            fn mul_add(self, $w: Self, $acc: Self) -> Self {
                let $x = self;
                $fma
            }

            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                $plus(self, other)
            }

            #[inline(always)]
            fn minus(self, other: Self) -> Self {
                $minus(self, other)
            }

            #[inline(always)]
            fn negated(self) -> Self {
                $negated(self)
            }

            fn from_fill(fill: f64) -> Self {
                fill as $type
            }
        }
    )*};
}
numbers! {
    f32, true, |x, w, acc| x.mul_add(w, acc), Add::add, Sub::sub, Neg::neg;
    f64, true, |x, w, acc| x.mul_add(w, acc), Add::add, Sub::sub, Neg::neg;
    i32, false, |x, w, acc| acc.wrapping_add(x.wrapping_mul(w)), i32::wrapping_add, i32::wrapping_sub, i32::wrapping_neg;
    i64, false, |x, w, acc| acc.wrapping_add(x.wrapping_mul(w)), i64::wrapping_add, i64::wrapping_sub, i64::wrapping_neg;
    i128, false, |x, w, acc| acc.wrapping_add(x.wrapping_mul(w)), i128::wrapping_add, i128::wrapping_sub, i128::wrapping_neg;
}

/// A 256-bit integer in two's complement: room for 2^127 products of any two 64-bit integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Wide {
    low: u128,
    high: i128,
}

impl Wide {
    pub(super) fn new(value: i128) -> Self {
        Self { low: value as u128, high: value >> 127 }
    }

    fn negative(self) -> Self {
        let (low, carry) = (!self.low).overflowing_add(1);
        Self { low, high: (!self.high).wrapping_add(carry as i128) }
    }

    fn sum(self, other: Self) -> Self {
        let (low, carry) = self.low.overflowing_add(other.low);
        Self { low, high: self.high.wrapping_add(other.high).wrapping_add(carry as i128) }
    }

    /// The value, if it fits.
    fn narrow(self) -> Option<i128> {
        (self.high == (self.low as i128) >> 127).then_some(self.low as i128)
    }

    /// `(mantissa, shift)` with the value equal to `mantissa · 2^shift` but for a sticky last bit: rounding it to a
    /// float rounds the value.
    fn scaled(self) -> (i128, i32) {
        if let Some(value) = self.narrow() {
            return (value, 0);
        }
        let magnitude = if self.high < 0 { self.negative() } else { self };
        // The magnitude is at least 2^127 here: bits 126 and up of it, moved down to 126 bits.
        let shift = 256
            - (magnitude.high as u128).leading_zeros().min(128) as i32
            - if magnitude.high == 0 { magnitude.low.leading_zeros() as i32 } else { 0 }
            - 126;
        let (kept, lost) = if shift < 128 {
            let high = if shift == 0 { 0 } else { (magnitude.high as u128) << (128 - shift) };
            ((magnitude.low >> shift) | high, magnitude.low & ((1 << shift) - 1) != 0)
        } else {
            let high = magnitude.high as u128;
            (high >> (shift - 128), magnitude.low != 0 || high & ((1 << (shift - 128)) - 1) != 0)
        };
        let mantissa = (kept | lost as u128) as i128;
        (if self.high < 0 { -mantissa } else { mantissa }, shift)
    }
}

impl Number for Wide {
    const ZERO: Self = Self { low: 0, high: 0 };
    const FLOAT: bool = false;

    /// Both factors are 64-bit integers (signed or not).
    #[inline]
    fn mul_add(self, weight: Self, acc: Self) -> Self {
        let (x, w) = (self.low as i128, weight.low as i128);
        let product = Self { low: x.unsigned_abs().wrapping_mul(w.unsigned_abs()), high: 0 };
        acc.sum(if (x < 0) != (w < 0) { product.negative() } else { product })
    }

    fn plus(self, other: Self) -> Self {
        self.sum(other)
    }

    fn minus(self, other: Self) -> Self {
        self.sum(other.negative())
    }

    fn negated(self) -> Self {
        self.negative()
    }

    fn from_fill(fill: f64) -> Self {
        Self::new(fill as i128)
    }
}

/// Conversion of an operand's element to the type computed in.
pub(super) trait Operand<C>: Copy {
    /// The value: the nearest one for floats, exact wherever range analysis has chosen `C`.
    fn operand(self) -> C;
}

/// Conversion of a result to an output's element.
pub(super) trait Outcome<O>: Copy {
    /// A float's value rounded half to even and saturated (integers), or rounded (floats); an integer's low bits.
    fn round(self) -> O;

    /// The value, known to be an integer; where it does not [fit](Self::fits), anything.
    fn exact(self) -> O;

    /// Whether an integer value fits `O`.
    fn fits(self) -> bool;

    /// The value of `O` nearest to an integer value; of `Self`'s own range, if that is narrower.
    fn saturated(self) -> O;
}

macro_rules! operands {
    ($($i:ty),*) => {$(
        operands!(@ $i: f32 f64 i32 i64 i128);
        impl Operand<Wide> for $i {
            #[inline(always)]
            fn operand(self) -> Wide {
                Wide::new(self as i128)
            }
        }
    )*};
    (@ $i:ty: $($c:ty)*) => {$(
        impl Operand<$c> for $i {
            #[inline(always)]
            fn operand(self) -> $c {
                self as $c
            }
        }
    )*};
}
operands!(u8, i8, u16, i16, u32, i32, u64, i64, f32, f64);

macro_rules! bool_operands {
    ($($c:ty)*) => {$(
        impl Operand<$c> for bool {
            #[inline(always)]
            fn operand(self) -> $c {
                (self as u8).operand()
            }
        }
    )*};
}
bool_operands!(f32 f64 i32 i64 i128 Wide);

/// A bound of `O` clamped to `C`'s, so that it can be compared in `C`.
macro_rules! bound {
    ($c:ty, $o:ty, $end:ident) => {{
        let bound = <$o>::$end as i128;
        let inside = <$c>::FLOAT || (bound > <$c>::MIN as i128 && bound < <$c>::MAX as i128);
        if inside { bound as $c } else { <$c>::$end }
    }};
}

macro_rules! within {
    ($v:expr, $c:ty, $o:ty) => {
        bound!($c, $o, MIN) <= $v && $v <= bound!($c, $o, MAX)
    };
}

macro_rules! outcomes {
    ($($c:ty, $through:ty;)*) => {$(
        outcomes!(@float $c, $through: u8 i8 u16 i16 u32 i32 u64 i64);
        outcomes!(@same $c: f32 f64);
    )*};
    (@float $c:ty, $through:ty: $($o:ty)*) => {$(
        impl Outcome<$o> for $c {
            #[inline(always)]
            fn round(self) -> $o {
                if size_of::<$o>() > size_of::<$c>() / 2 {
                    return self.round_ties_even() as $o;
                }
                // Saturating conversions are made one by one; what follows, in vectors. Added to a number whose last bit is
                // worth 1, the value is rounded to an integer that the low bits show.
                let value = if self.is_nan() { 0.0 } else { self };
                let value = value.max(<$o>::MIN as $c).min(<$o>::MAX as $c);
                (value + 1.5 / <$c>::EPSILON).to_bits() as $o
            }

            #[inline(always)]
            fn exact(self) -> $o {
                // SAFETY: integers are computed in this type only below 2^24 (f32) or 2^53 (f64) in magnitude.
                (unsafe { self.to_int_unchecked::<$through>() }) as $o
            }

            #[inline(always)]
            fn fits(self) -> bool {
                within!(self, $c, $o)
            }

            #[inline(always)]
            fn saturated(self) -> $o {
                self as $o
            }
        }
    )*};
    (@int $c:ty: $($o:ty)*) => {$(
        impl Outcome<$o> for $c {
            #[inline(always)]
            fn round(self) -> $o {
                self as $o
            }

            #[inline(always)]
            fn exact(self) -> $o {
                self as $o
            }

            #[inline(always)]
            fn fits(self) -> bool {
                within!(self, $c, $o)
            }

            #[inline(always)]
            fn saturated(self) -> $o {
                self.clamp(bound!($c, $o, MIN), bound!($c, $o, MAX)) as $o
            }
        }
    )*};
    (@same $c:ty: $($o:ty)*) => {$(
        impl Outcome<$o> for $c {
            #[inline(always)]
            fn round(self) -> $o {
                self as $o
            }

            #[inline(always)]
            fn exact(self) -> $o {
                self as $o
            }

            #[inline(always)]
            fn fits(self) -> bool {
                true
            }

            #[inline(always)]
            fn saturated(self) -> $o {
                self.exact()
            }
        }
    )*};
    (@wide $($o:ty)*) => {$(
        impl Outcome<$o> for Wide {
            #[inline]
            fn round(self) -> $o {
                self.low as $o
            }

            #[inline]
            fn exact(self) -> $o {
                self.low as $o
            }

            #[inline]
            fn fits(self) -> bool {
                self.narrow().is_some_and(|v| within!(v, i128, $o))
            }

            #[inline]
            fn saturated(self) -> $o {
                let fits = Outcome::<$o>::fits(self);
                if fits { self.exact() } else if self.high < 0 { <$o>::MIN } else { <$o>::MAX }
            }
        }
    )*};
    (@wide_float $($o:ty)*) => {$(
        impl Outcome<$o> for Wide {
            #[inline]
            fn round(self) -> $o {
                let (mantissa, shift) = self.scaled();
                // Times a power of two: exact, or beyond the largest float.
                mantissa as $o * (2.0 as $o).powi(shift)
            }

            #[inline]
            fn exact(self) -> $o {
                self.round()
            }

            #[inline]
            fn fits(self) -> bool {
                true
            }

            #[inline]
            fn saturated(self) -> $o {
                self.exact()
            }
        }
    )*};
    (@bool $($c:ty)*) => {$(
        impl Outcome<bool> for $c {
            #[inline(always)]
            fn round(self) -> bool {
                self != <$c>::ZERO
            }

            #[inline(always)]
            fn exact(self) -> bool {
                self != <$c>::ZERO
            }

            #[inline(always)]
            fn fits(self) -> bool {
                true
            }

            #[inline(always)]
            fn saturated(self) -> bool {
                self.exact()
            }
        }
    )*};
}
outcomes! {
    f32, i32;
    f64, i64;
}
outcomes!(@int i32: u8 i8 u16 i16 u32 i32 u64 i64);
outcomes!(@int i64: u8 i8 u16 i16 u32 i32 u64 i64);
outcomes!(@int i128: u8 i8 u16 i16 u32 i32 u64 i64);
outcomes!(@same i32: f32 f64);
outcomes!(@same i64: f32 f64);
outcomes!(@same i128: f32 f64);
outcomes!(@wide u8 i8 u16 i16 u32 i32 u64 i64);
outcomes!(@wide_float f32 f64);
outcomes!(@bool f32 f64 i32 i64 i128 Wide);

/// An element as an integer of any size, for range analysis.
pub(super) trait Magnitude: Copy + PartialOrd {
    /// The value; meaningless for floats.
    fn integer(self) -> i128;
}

macro_rules! magnitudes {
    ($($i:ty)*) => {$(
        impl Magnitude for $i {
            #[inline(always)]
            fn integer(self) -> i128 {
                self as i128
            }
        }
    )*};
}
magnitudes!(bool u8 i8 u16 i16 u32 i32 u64 i64 f32 f64);

/// The largest magnitude that a dtype holds; `None` for floats.
pub(super) fn bound(dtype: Dtype) -> Option<u128> {
    dtype.integer_range().map(|(lo, hi)| lo.unsigned_abs().max(hi.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_bigint::BigInt;
    use num_rational::BigRational;
    use num_traits::ToPrimitive;

    fn big(w: Wide) -> BigInt {
        (BigInt::from(w.high) << 128) + BigInt::from(w.low)
    }

    #[test]
    fn wide_products_and_sums_are_exact() {
        let samples = [0i128, 1, -1, 3, u64::MAX as i128, i64::MIN as i128, i64::MAX as i128, -12345678901234567];
        let (mut acc, mut expected) = (Wide::ZERO, BigInt::ZERO);
        for _ in 0..5 {
            for a in samples {
                for b in samples {
                    acc = Wide::new(a).mul_add(Wide::new(b), acc);
                    expected += BigInt::from(a) * BigInt::from(b);
                    assert_eq!(big(acc), expected);
                }
            }
        }
    }

    #[test]
    fn wide_rounds_once() {
        for shift in [0u32, 1, 60, 100, 126, 127, 128, 129, 150, 190] {
            for odd in
                [1u64 << 53, (1 << 53) + 1, (1 << 54) + 2, (1 << 54) + 6, (1 << 25) + 1, (1 << 24) + 1, u64::MAX, 0x0100_0003]
            {
                for tail in [-1i128, 0, 1] {
                    let value = (BigInt::from(odd) << shift) + BigInt::from(tail);
                    for value in [value.clone(), -value] {
                        let bytes = value.to_signed_bytes_le();
                        let mut all = [if value < BigInt::ZERO { 0xff } else { 0 }; 32];
                        all[..bytes.len()].copy_from_slice(&bytes);
                        let low = u128::from_le_bytes(all[..16].try_into().unwrap());
                        let wide = Wide { low, high: i128::from_le_bytes(all[16..].try_into().unwrap()) };
                        assert_eq!(big(wide), value);
                        let got: f64 = wide.round();
                        assert_eq!(got, nearest(&value, 53), "{value}");
                        let got: f32 = wide.round();
                        let expected = nearest(&value, 24);
                        assert_eq!(
                            got,
                            if expected.abs() > f32::MAX as f64 {
                                expected.signum() as f32 * f32::INFINITY
                            } else {
                                expected as f32
                            }
                        );
                    }
                }
            }
        }
    }

    /// `value` rounded half to even to so many bits.
    fn nearest(value: &BigInt, bits: u64) -> f64 {
        let magnitude = value.magnitude();
        let drop = magnitude.bits().saturating_sub(bits);
        let kept = magnitude >> drop;
        let rest = magnitude - (&kept << drop);
        let half = num_bigint::BigUint::from(1u8) << drop.saturating_sub(1);
        let up = drop > 0 && (rest > half || (rest == half && kept.bit(0)));
        let rounded = (kept + up as u8) << drop;
        let sign = if *value < BigInt::ZERO { -1.0 } else { 1.0 };
        sign * BigRational::from_integer(rounded.into()).to_f64().unwrap()
    }

    #[test]
    fn results_that_do_not_fit_are_noticed() {
        assert!(Outcome::<u8>::fits(255.0f32) && !Outcome::<u8>::fits(256.0f32) && !Outcome::<u8>::fits(-1.0f32));
        assert!(Outcome::<u64>::fits(i32::MAX) && !Outcome::<u64>::fits(-1i32) && Outcome::<i64>::fits(i32::MIN));
        assert!(Outcome::<u64>::fits(u64::MAX as i128) && !Outcome::<u64>::fits(u64::MAX as i128 + 1));
        assert!(!Outcome::<i64>::fits(Wide { low: 0, high: 1 }) && Outcome::<i64>::fits(Wide::new(i64::MIN as i128)));
        assert!(!Outcome::<i64>::fits(Wide::new(i64::MIN as i128 - 1)));
        assert_eq!(Outcome::<i8>::round(2.5f32), 2);
        for x in
            [-40000.0f32, -128.5, -127.5, -1.5, -0.5, -0.0, 0.5, 0.50001, 1.5, 126.5, 127.5, 254.5, 255.5, 65534.5, 65535.5, 1e9]
        {
            let even = x.round_ties_even();
            assert_eq!(Outcome::<u8>::round(x), even as u8, "{x}");
            assert_eq!(Outcome::<i8>::round(x), even as i8, "{x}");
            assert_eq!(Outcome::<u16>::round(x), even as u16, "{x}");
            assert_eq!(Outcome::<i16>::round(f64::from(x)), even as i16, "{x}");
            assert_eq!(Outcome::<u32>::round(f64::from(x) * 70000.5), (f64::from(x) * 70000.5).round_ties_even() as u32, "{x}");
        }
        assert_eq!(Outcome::<u8>::round(f32::INFINITY), 255);
        assert_eq!((Outcome::<i8>::round(1e9f64), Outcome::<u8>::round(-3.0f32), Outcome::<i16>::round(f64::NAN)), (127, 0, 0));
        assert!(Outcome::<bool>::round(f32::NAN) && !Outcome::<bool>::round(-0.0f32));
    }
}
