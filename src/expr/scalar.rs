//! The operations of expressions on one element: binary32 with functions of our own, binary64 with those of the crate
//! `libm`, which are the same code on every CPU.

use super::{Binary, Unary, binary32};
use crate::exact::fast::Float;

/// A dtype that expressions compute in.
pub(crate) trait Lane: crate::backend::Float + Float + Copy + Default + PartialOrd + 'static {
    /// Both numbers a literal was read as.
    fn literal(single: f32, double: f64) -> Self;
    /// The nearest number.
    fn nearest(value: f64) -> Self;
    /// Any number, rounded to nearest.
    fn of<S: Number>(value: S) -> Self;
    /// 1 or 0.
    fn truth(value: bool) -> Self;
    /// Whether it is not 0 (NaN is not).
    fn is_true(self) -> bool;
    /// Itself, or the canonical NaN: devices differ in the bits of NaN.
    fn canonical(self) -> Self;
    fn neg(self) -> Self;
    fn abs(self) -> Self;
    fn floor(self) -> Self;
    fn ceil(self) -> Self;
    fn trunc(self) -> Self;
    fn round(self) -> Self;
    fn sqrt(self) -> Self;
    fn exp(self) -> Self;
    fn exp2(self) -> Self;
    fn log(self) -> Self;
    fn log2(self) -> Self;
    fn log10(self) -> Self;
    fn sin(self) -> Self;
    fn cos(self) -> Self;
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
    /// The exact remainder, with the sign of the dividend.
    fn rem(self, other: Self) -> Self;
    fn pow(self, other: Self) -> Self;
    /// −0 before +0, NaN if there is one.
    fn min(self, other: Self) -> Self;
    /// As [`min`](Self::min).
    fn max(self, other: Self) -> Self;
}

/// An element of an array.
pub(crate) trait Number: crate::Real + Copy {
    fn single(self) -> f32;
    fn double(self) -> f64;
}

macro_rules! numbers {
    ($($type:ty)*) => {$(
        impl Number for $type {
            #[inline(always)]
            fn single(self) -> f32 {
                self as f32
            }
            #[inline(always)]
            fn double(self) -> f64 {
                self as f64
            }
        }
    )*};
}
numbers! { u8 i8 u16 i16 u32 i32 u64 i64 f32 f64 }

impl Number for bool {
    #[inline(always)]
    fn single(self) -> f32 {
        f32::from(u8::from(self))
    }
    #[inline(always)]
    fn double(self) -> f64 {
        f64::from(u8::from(self))
    }
}

macro_rules! lane {
    ($type:ident, $nan:expr, $literal:expr, $convert:ident, $functions:ident: $($name:ident)*; $power:path) => {
        impl Lane for $type {
            #[inline(always)]
            fn literal(single: f32, double: f64) -> Self {
                ($literal)(single, double)
            }
            #[inline(always)]
            fn nearest(value: f64) -> Self {
                value as $type
            }
            #[inline(always)]
            fn of<S: Number>(value: S) -> Self {
                value.$convert()
            }
            #[inline(always)]
            fn truth(value: bool) -> Self {
                if value { 1.0 } else { 0.0 }
            }
            #[inline(always)]
            fn is_true(self) -> bool {
                self != 0.0
            }
            #[inline(always)]
            fn canonical(self) -> Self {
                if self.is_nan() { $type::from_bits($nan) } else { self }
            }
            #[inline(always)]
            fn neg(self) -> Self {
                -self
            }
            #[inline(always)]
            fn abs(self) -> Self {
                $type::abs(self)
            }
            #[inline(always)]
            fn floor(self) -> Self {
                $type::floor(self)
            }
            #[inline(always)]
            fn ceil(self) -> Self {
                $type::ceil(self)
            }
            #[inline(always)]
            fn trunc(self) -> Self {
                $type::trunc(self)
            }
            #[inline(always)]
            fn round(self) -> Self {
                $type::round_ties_even(self)
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                $type::sqrt(self)
            }
            $(#[inline(always)]
            fn $name(self) -> Self {
                $functions::$name(self)
            })*
            #[inline(always)]
            fn add(self, other: Self) -> Self {
                self + other
            }
            #[inline(always)]
            fn sub(self, other: Self) -> Self {
                self - other
            }
            #[inline(always)]
            fn mul(self, other: Self) -> Self {
                self * other
            }
            #[inline(always)]
            fn div(self, other: Self) -> Self {
                self / other
            }
            #[inline(always)]
            fn rem(self, other: Self) -> Self {
                self % other
            }
            #[inline(always)]
            fn pow(self, other: Self) -> Self {
                $power(self, other)
            }
            #[inline(always)]
            fn min(self, other: Self) -> Self {
                // Equal numbers have the same bits, but for the zeros, whose signs are put together.
                let equal = $type::from_bits(self.to_bits() | other.to_bits());
                let ordered = if self < other { self } else if other < self { other } else { equal };
                if self.is_nan() || other.is_nan() { $type::NAN } else { ordered }
            }
            #[inline(always)]
            fn max(self, other: Self) -> Self {
                let equal = $type::from_bits(self.to_bits() & other.to_bits());
                let ordered = if self > other { self } else if other > self { other } else { equal };
                if self.is_nan() || other.is_nan() { $type::NAN } else { ordered }
            }
        }
    };
}
lane!(f32, 0x7fc0_0000, |single: f32, _: f64| single, single, binary32: exp exp2 log log2 log10 sin cos; binary32::pow);
lane!(f64, 0x7ff8_0000_0000_0000, |_: f32, double: f64| double, double, functions: exp exp2 log log2 log10 sin cos; functions::pow);

/// The functions of binary64.
mod functions {
    pub(super) use crate::expr::spelled::{cos, pow, sin};
    pub(super) use libm::{exp, exp2, log, log2, log10};
}

/// One function of one element.
pub(crate) fn unary<T: Lane>(op: Unary, a: T) -> T {
    match op {
        Unary::Neg => a.neg(),
        Unary::Abs => a.abs(),
        Unary::Not => T::truth(!a.is_true()),
        Unary::Floor => a.floor(),
        Unary::Ceil => a.ceil(),
        Unary::Trunc => a.trunc(),
        Unary::Round => a.round(),
        Unary::Sqrt => a.sqrt(),
        Unary::Exp => a.exp(),
        Unary::Exp2 => a.exp2(),
        Unary::Log => a.log(),
        Unary::Log2 => a.log2(),
        Unary::Log10 => a.log10(),
        Unary::Sin => a.sin(),
        Unary::Cos => a.cos(),
        // Of float64: those of float32 are written out.
        Unary::Composed(function) => T::nearest(function.double(a.widen(), 0.0)),
        Unary::Bits(bits) => T::nearest(bits.of(a.widen())),
    }
}

/// One function of two elements.
pub(crate) fn binary<T: Lane>(op: Binary, a: T, b: T) -> T {
    match op {
        Binary::Add => a.add(b),
        Binary::Sub => a.sub(b),
        Binary::Mul => a.mul(b),
        Binary::Div => a.div(b),
        Binary::Mod => modulo(a, b),
        Binary::Pow => a.pow(b),
        Binary::Min => a.min(b),
        Binary::Max => a.max(b),
        Binary::Less => T::truth(a < b),
        Binary::LessEqual => T::truth(a <= b),
        Binary::Equal => T::truth(a == b),
        Binary::NotEqual => T::truth(a != b),
        Binary::And => T::truth(a.is_true() && b.is_true()),
        Binary::Or => T::truth(a.is_true() || b.is_true()),
        Binary::Rem => a.rem(b),
        Binary::CopySign => T::nearest(a.widen().copysign(b.widen())),
        Binary::Composed(function) => T::nearest(function.double(a.widen(), b.widen())),
    }
}

/// Python's `a % b`: the exact remainder, which has the divisor's sign.
fn modulo<T: Lane>(a: T, b: T) -> T {
    let rest = a.rem(b);
    let zero = T::default();
    if rest == zero {
        // The divisor's sign.
        return if b < zero { zero.neg() } else { zero };
    }
    if (rest < zero) != (b < zero) { rest.add(b) } else { rest }
}
