//! What lies between two order statistics: the arithmetic of quantiles, the same wherever the elements were selected.

use super::QuantilePlan;
use crate::{Error, Real, Result};

/// The key of an element: its order among all of its dtype, in the low bits.
#[inline(always)]
pub(crate) fn compact_key<T: Real>(value: T) -> u64 {
    value.key().wrapping_sub(offset::<T>())
}

/// The element of a key.
pub(crate) fn element_of_key<T: Real>(key: u64) -> T {
    T::from_key(key.wrapping_add(offset::<T>()))
}

/// Keys of narrow signed integers begin far above 0.
fn offset<T: Real>() -> u64 {
    if T::DTYPE.is_signed_integer() { (1 << 63) - (1 << (8 * T::DTYPE.size() - 1)) } else { 0 }
}

/// What lies between two elements.
pub(crate) trait Between: Real {
    /// The number, to binary64.
    fn number(self) -> f64;
    /// The mean of two numbers, rounded once to binary64.
    fn mean(self, other: Self) -> f64;
}

macro_rules! integers {
    ($($T:ty)*) => {$(impl Between for $T {
        fn number(self) -> f64 { u8_or(self) }
        fn mean(self, other: Self) -> f64 { crate::exact::ratio_f64(i128::from(self) + i128::from(other), 2) }
    })*};
}

/// The number of an integer, rounded.
fn u8_or(value: impl Into<i128>) -> f64 {
    value.into() as f64
}

integers!(bool u8 i8 u16 i16 u32 i32 u64 i64);

impl Between for f32 {
    fn number(self) -> f64 {
        f64::from(self)
    }
    fn mean(self, other: Self) -> f64 {
        let (a, b) = (f64::from(self), f64::from(other));
        // The sum of two binary32 numbers may need more than 53 bits: one rounding, in binary32, where that is safe.
        let narrow = self + other;
        if narrow.is_finite() && narrow.abs() >= 2.0 * f32::MIN_POSITIVE { f64::from(narrow * 0.5) } else { (a + b) * 0.5 }
    }
}

impl Between for f64 {
    fn number(self) -> f64 {
        self
    }
    fn mean(self, other: Self) -> f64 {
        let sum = self + other;
        // Halving is exact but for subnormal numbers, whose sum is.
        if sum.is_infinite() && self.is_finite() && other.is_finite() { self * 0.5 + other * 0.5 } else { sum * 0.5 }
    }
}

/// NumPy's linear interpolation.
fn interpolate(a: f64, b: f64, weight: f64) -> f64 {
    let difference = b - a;
    match weight {
        0.0 => a,
        _ if a == b => a,
        _ if weight < 0.5 => a + difference * weight,
        _ => b - difference * (1.0 - weight),
    }
}

/// A quantile.
pub(crate) enum Found<T> {
    /// An element.
    Element(T),
    /// What lies between two.
    Number(f64),
}

impl<T: Between> Found<T> {
    /// The number, to binary64.
    pub(crate) fn number(self) -> f64 {
        match self {
            Self::Element(x) => x.number(),
            Self::Number(x) => x,
        }
    }
}

impl QuantilePlan {
    /// Whether every quantile is an element.
    pub(crate) fn is_discrete(&self) -> bool {
        self.method.is_some_and(|method| method.is_discrete())
    }

    /// Fails where there is nothing and the elements have no NaN to say so.
    pub(crate) fn expect_some<T: Real>(&self, n: usize) -> Result<()> {
        if n == 0 && self.is_discrete() && !T::DTYPE.is_float() {
            return Err(Error::invalid("quantile", "nothing in a lane", "a mask that leaves elements"));
        }
        Ok(())
    }

    /// The ranks that results of `n` elements need, ascending.
    pub(crate) fn wanted(&self, n: usize) -> Vec<usize> {
        if n == 0 {
            return vec![];
        }
        let places = (0..self.points.len()).map(|i| self.place(n, i));
        let mut wanted: Vec<usize> = places.flat_map(|place| [place.lower, place.upper]).collect();
        wanted.sort_unstable();
        wanted.dedup();
        wanted
    }

    /// Quantile `i` of `n` numbers, from the compact keys `found` of their ranks `wanted`; NaN if there is none, or with `nan`.
    pub(crate) fn between<T: Between>(&self, i: usize, n: usize, nan: bool, wanted: &[usize], found: &[u64]) -> Found<T> {
        let discrete = self.is_discrete();
        if nan || n == 0 {
            return if discrete { Found::Element(T::from_key(u64::MAX)) } else { Found::Number(f64::NAN) };
        }
        let place = self.place(n, i);
        let element = |rank: usize| element_of_key::<T>(wanted.binary_search(&rank).map_or(0, |at| found[at]));
        let (lower, upper) = (element(place.lower), element(place.upper));
        match self.method {
            None => Found::Number(lower.mean(upper)),
            Some(_) if discrete => Found::Element(lower),
            Some(_) => Found::Number(interpolate(lower.number(), upper.number(), place.weight)),
        }
    }
}
