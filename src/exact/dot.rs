//! Exact sums of products: a fixed-point number wide enough for every product of two binary64 numbers or 64-bit integers.

use super::bytes::Reader;
use super::fast::Float;
use super::products::Products;
use super::round::{BINARY32, BINARY64, Format};
use super::{ExactSum, MINUS_INFINITY, NAN, PLUS_INFINITY, big};
use crate::cpu::simd::Simd;
use crate::plan::Overflow;
use crate::{Error, Result};

/// 64-bit limbs: bits of weight `2^-2148 ..= 2^2331`, the top one the sign.
pub(super) const LIMBS: usize = 70;
/// The exponent of bit 0: that of the product of the two smallest subnormals.
pub(super) const LEAST: i32 = -2148;
/// The version of the byte form.
const VERSION: u8 = 1;

/// A factor: a finite number `±magnitude · 2^exponent`, or one that is not finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Factor {
    /// `(negative, magnitude, exponent)`, the exponent at least −1074.
    Finite(bool, u64, i32),
    /// An infinity or a NaN.
    Special(f64),
}

impl From<f64> for Factor {
    #[inline]
    fn from(value: f64) -> Self {
        let bits = value.to_bits();
        let (field, fraction) = ((bits >> 52) as i32 & 0x7ff, bits & ((1 << 52) - 1));
        match field {
            0x7ff => Self::Special(value),
            0 => Self::Finite(value < 0.0, fraction, -1074),
            _ => Self::Finite(value < 0.0, fraction | 1 << 52, field - 1075),
        }
    }
}

impl From<i128> for Factor {
    /// An integer of at most 64 bits.
    fn from(value: i128) -> Self {
        Self::Finite(value < 0, value.unsigned_abs() as u64, 0)
    }
}

impl std::ops::Neg for Factor {
    type Output = Self;

    fn neg(self) -> Self {
        match self {
            Self::Finite(negative, magnitude, exponent) => Self::Finite(!negative && magnitude > 0, magnitude, exponent),
            Self::Special(value) => Self::Special(-value),
        }
    }
}

impl Factor {
    /// The nearest binary64 number.
    #[cfg(feature = "gpu")]
    pub(crate) fn to_f64(self) -> f64 {
        let mut sum = ExactDot::new();
        sum.add(self, 1.0.into());
        sum.to_f64()
    }

    /// The sign and whether it is zero, as a float.
    fn sign(self) -> f64 {
        match self {
            Self::Finite(_, 0, _) => 0.0,
            Self::Finite(negative, ..) => {
                if negative {
                    -1.0
                } else {
                    1.0
                }
            }
            Self::Special(value) => value,
        }
    }
}

/// An exact sum of up to 2^64 products of binary64 (or binary32) numbers or of integers: mergeable in any order and
/// grouping with the same bits as result.
///
/// Rounded only when read, once, to nearest, ties to even; infinite only if the exact sum rounds to that. An infinity or
/// NaN among the factors decides the result as IEEE 754 arithmetic does (∞ · 0 and ∞ − ∞ are NaN, the canonical one). An
/// exact zero is +0.
///
/// ```
/// use unisono::ExactDot;
/// let mut left = ExactDot::new();
/// left.push(1e200, 1e200);
/// left.push(1.5, 2.0);
/// let mut right = ExactDot::new();
/// right.push(-1e200, 1e200);
/// left.merge(&right);
/// assert_eq!(left.to_f64(), 3.0);
/// assert_eq!(ExactDot::from_bytes(&left.to_bytes())?, left);
/// # Ok::<(), unisono::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExactDot {
    /// Two's complement, least significant first; all zero once an infinity or NaN was seen.
    pub(super) limbs: [u64; LIMBS],
    /// Which infinities the products that are not finite are.
    pub(super) special: u8,
}

impl Default for ExactDot {
    fn default() -> Self {
        Self::new()
    }
}

impl ExactDot {
    /// The sum of nothing.
    pub const fn new() -> Self {
        Self { limbs: [0; LIMBS], special: 0 }
    }

    /// Adds the product of two numbers.
    pub fn push(&mut self, a: f64, b: f64) {
        self.add(a.into(), b.into());
    }

    /// Adds the products of the numbers of two slices, pair by pair.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) if they are not of one length.
    pub fn extend_f64(&mut self, a: &[f64], b: &[f64]) -> Result<()> {
        self.extend_pairs(a, b)
    }

    /// Adds the products of the numbers of two slices, pair by pair.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) if they are not of one length.
    pub fn extend_f32(&mut self, a: &[f32], b: &[f32]) -> Result<()> {
        self.extend_pairs(a, b)
    }

    fn extend_pairs<T: Float>(&mut self, a: &[T], b: &[T]) -> Result<()> {
        if a.len() != b.len() {
            return Err(Error::invalid("second slice", format!("{} elements", b.len()), format!("{}", a.len())));
        }
        let mut products = Products::new();
        products.extend(a, b, Simd::current());
        products.add_to(self);
        Ok(())
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Self) {
        if (self.special | other.special) != 0 {
            return self.add_special(other.special);
        }
        self.add_words(&other.limbs, 0, false);
    }

    /// Adds the integer in `words`, whose further words are all ones if it is `negative`, from limb `first` on.
    fn add_words(&mut self, words: &[u64], first: usize, negative: bool) {
        let sign = if negative { u64::MAX } else { 0 };
        let mut carry = false;
        for (i, limb) in self.limbs.iter_mut().skip(first).enumerate() {
            let word = words.get(i).copied().unwrap_or(sign);
            // Past the words, what is added is 0 or -1: a carry that makes it 0 leaves the rest as it is.
            if i >= words.len() && carry == negative {
                break;
            }
            let (sum, over) = limb.overflowing_add(word);
            let (sum, over_again) = sum.overflowing_add(u64::from(carry));
            (*limb, carry) = (sum, over | over_again);
        }
    }

    /// Adds `value · 2^exponent`; the bits below 2^-2148 must be zero.
    pub(crate) fn add_scaled(&mut self, value: i128, exponent: i32) {
        if value == 0 || self.special != 0 {
            return;
        }
        let (mut value, mut position) = (value, exponent - LEAST);
        if position < 0 {
            debug_assert!(value.trailing_zeros() as i32 >= -position);
            value >>= (-position).min(127);
            position = 0;
        }
        let (first, shift) = (position as usize / 64, position as u32 % 64);
        let words = [(value << shift) as u64, ((value << shift) >> 64) as u64, (value >> (127 - shift) >> 1) as u64];
        self.add_words(&words, first, value < 0);
    }

    /// Adds an exact sum times `2^shift`.
    pub(crate) fn add_sum(&mut self, sum: &ExactSum, shift: i32) {
        if sum.special != 0 {
            return self.add_special(sum.special);
        }
        self.add_number(&sum.limbs, super::LEAST + shift);
    }

    /// Adds a number of up to 66 words (two's complement, least significant first) times `2^exponent`; bits that fall below bit 0 of
    /// this must be zero.
    pub(super) fn add_number(&mut self, number: &[u64], exponent: i32) {
        if self.special != 0 {
            return;
        }
        let negative = number.last().is_some_and(|last| last >> 63 == 1);
        let sign = if negative { u64::MAX } else { 0 };
        let position = exponent - LEAST;
        let first = position.max(0) as usize / 64;
        let limb = |i: i32| match usize::try_from(i) {
            Ok(i) => number.get(i).copied().unwrap_or(sign),
            Err(_) => 0,
        };
        let words: [u64; 68] = std::array::from_fn(|i| {
            let from = 64 * (first + i) as i32 - position;
            let (from, within) = (from.div_euclid(64), from.rem_euclid(64));
            if within == 0 { limb(from) } else { limb(from) >> within | limb(from + 1) << (64 - within) }
        });
        self.add_words(&words[..number.len() + 2], first, negative);
    }

    /// As a sum of numbers, if that can hold it: no bits below 2^-1074, nothing infinite.
    #[cfg(feature = "gpu")]
    pub(crate) fn to_sum(&self) -> Option<ExactSum> {
        const SKIPPED: usize = (super::LEAST - LEAST) as usize;
        let (first, shift) = (SKIPPED / 64, SKIPPED % 64);
        let sign = if self.limbs[LIMBS - 1] >> 63 == 1 { u64::MAX } else { 0 };
        let limb = |i: usize| self.limbs.get(i).copied().unwrap_or(sign);
        let below = self.limbs[..first].iter().any(|&limb| limb != 0) || self.limbs[first] << (64 - shift) != 0;
        let limbs: [u64; super::LIMBS] = std::array::from_fn(|i| limb(first + i) >> shift | limb(first + i + 1) << (64 - shift));
        let fits = (first + super::LIMBS + 1..LIMBS).all(|i| self.limbs[i] == sign) && limbs[super::LIMBS - 1] >> 63 == sign & 1;
        (!below && fits && self.special == 0).then_some(ExactSum::of_limbs(limbs))
    }

    /// Notes an infinity or a NaN.
    pub(crate) fn add_special(&mut self, special: u8) {
        *self = Self { limbs: [0; LIMBS], special: self.special | special };
    }

    /// Adds a product.
    pub(crate) fn add(&mut self, a: Factor, b: Factor) {
        let (Factor::Finite(a_negative, a_magnitude, a_exponent), Factor::Finite(b_negative, b_magnitude, b_exponent)) = (a, b)
        else {
            return self.add_special(super::special(a.sign() * b.sign()));
        };
        if self.special != 0 {
            return;
        }
        let product = u128::from(a_magnitude) * u128::from(b_magnitude);
        if product == 0 {
            return;
        }
        let position = (a_exponent + b_exponent - LEAST) as usize;
        let (first, shift) = (position / 64, position as u32 % 64);
        let words = [(product << shift) as u64, ((product << shift) >> 64) as u64, (product >> (127 - shift) >> 1) as u64];
        let mut carry = false;
        let limbs = self.limbs.iter_mut().skip(first).enumerate();
        if a_negative == b_negative {
            for (i, limb) in limbs {
                let word = words.get(i).copied().unwrap_or(0);
                if i >= words.len() && !carry {
                    break;
                }
                let (sum, over) = limb.overflowing_add(word);
                let (sum, over_again) = sum.overflowing_add(u64::from(carry));
                (*limb, carry) = (sum, over | over_again);
            }
        } else {
            for (i, limb) in limbs {
                let word = words.get(i).copied().unwrap_or(0);
                if i >= words.len() && !carry {
                    break;
                }
                let (difference, under) = limb.overflowing_sub(word);
                let (difference, under_again) = difference.overflowing_sub(u64::from(carry));
                (*limb, carry) = (difference, under | under_again);
            }
        }
    }

    /// The sign, the top 128 bits or more, whether bits below them are set, and the exponent of the lowest kept bit;
    /// `None` for zero.
    fn top(&self) -> Option<(bool, u128, bool, i32)> {
        let negative = self.limbs[LIMBS - 1] >> 63 == 1;
        let mut limbs = self.limbs;
        if negative {
            let mut carry = true;
            for limb in &mut limbs {
                (*limb, carry) = (!*limb).overflowing_add(u64::from(carry));
            }
        }
        let top = limbs.iter().rposition(|&limb| limb != 0)?;
        let limb = |below: usize| top.checked_sub(below).map_or(0, |i| limbs[i]);
        let lost = limbs[..top.saturating_sub(2)].iter().any(|&limb| limb != 0);
        // Of three limbs, so many bits that the top one is kept in full.
        let shift = limb(0).leading_zeros();
        let high = u128::from(limb(0)) << 64 | u128::from(limb(1));
        let (magnitude, rest) =
            if shift == 0 { (high, limb(2)) } else { (high << shift | u128::from(limb(2) >> (64 - shift)), limb(2) << shift) };
        Some((negative, magnitude, lost || rest != 0, LEAST + 64 * (top as i32 - 1) - shift as i32))
    }

    /// The number that the infinities seen make.
    fn not_finite(&self) -> f64 {
        match self.special {
            PLUS_INFINITY => f64::INFINITY,
            MINUS_INFINITY => f64::NEG_INFINITY,
            _ => f64::NAN,
        }
    }

    /// The sum, rounded to `format`.
    pub(crate) fn read(&self, format: Format) -> f64 {
        if self.special != 0 {
            return self.not_finite();
        }
        self.top().map_or(0.0, |(negative, magnitude, more, exponent)| format.round(negative, magnitude, more, exponent))
    }

    /// The square root of a sum of squares, rounded to `format`.
    pub(crate) fn root(&self, format: Format) -> f64 {
        if self.special != 0 {
            return self.not_finite();
        }
        big::root(format, &self.limbs, LEAST, 1)
    }

    /// The sum of integers, or, where 128 bits do not hold it, a number of its sign (and, for `wrap`, of its low 64 bits) out
    /// of every dtype's range.
    pub(crate) fn integer_or_beyond(&self, overflow: Overflow) -> i128 {
        const ONE: usize = -LEAST as usize;
        let bits = |at: usize| {
            let (limb, shift) = (at / 64, at as u32 % 64);
            let next = self.limbs.get(limb + 1).copied().unwrap_or(0);
            (u128::from(next) << 64 | u128::from(self.limbs[limb])) >> shift
        };
        let low = bits(ONE) as u64;
        let value = (bits(ONE + 64) as u64 as i64 as i128) << 64 | i128::from(low);
        let sign = self.limbs[LIMBS - 1] as i64 >> 63;
        let top = (ONE + 127) / 64;
        let fits = self.limbs[top + 1..].iter().all(|&limb| limb == sign as u64)
            && (self.limbs[top] as i64 >> ((ONE + 127) % 64)) == sign;
        match (fits, overflow) {
            (true, _) => value,
            (_, Overflow::Wrap) => i128::from(low),
            _ if sign < 0 => i128::MIN,
            _ => i128::MAX,
        }
    }

    /// The byte form: a version byte, a flag byte, six zeros, and the limbs, least significant byte first.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION, self.special, 0, 0, 0, 0, 0, 0];
        self.limbs.iter().for_each(|limb| bytes.extend(limb.to_le_bytes()));
        bytes
    }

    /// Reads [`to_bytes`](Self::to_bytes)'s form.
    ///
    /// # Errors
    /// [`Error::Corrupt`](crate::Error::Corrupt) for another version or length, or bytes that no sum has.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let read = Reader::new("exact dot product", bytes, VERSION, 8 + 8 * LIMBS)?;
        let mut dot = Self { special: bytes[1], ..Self::new() };
        read.words(8, &mut dot.limbs);
        if dot.special > NAN || bytes[2..8] != [0; 6] {
            return Err(read.corrupt(format!("unknown flags {:?}", &bytes[1..8])));
        }
        if dot.special != 0 && dot.limbs != [0; LIMBS] {
            return Err(read.corrupt("flags that contradict the value"));
        }
        Ok(dot)
    }

    /// The sum, rounded to binary64.
    pub fn to_f64(&self) -> f64 {
        self.read(BINARY64)
    }

    /// The sum, rounded to binary32 (once: not through binary64).
    pub fn to_f32(&self) -> f32 {
        self.read(BINARY32) as f32
    }

    /// The sum, rounded to an integer (ties to even), ±2^64 if it is beyond that; NaN gives 0.
    pub(crate) fn to_integer(&self) -> i128 {
        const MOST: i128 = 1 << 64;
        if self.special != 0 {
            return match self.special {
                PLUS_INFINITY => MOST,
                MINUS_INFINITY => -MOST,
                _ => 0,
            };
        }
        let Some((negative, magnitude, more, exponent)) = self.top() else { return 0 };
        // The top bit of the magnitude is bit 127.
        let rounded = match -exponent {
            ..64 => MOST,
            shift @ 64..=128 => {
                let (half, mask) = (1 << (shift - 1), u128::MAX >> (128 - shift));
                let (quotient, rest) = (magnitude.checked_shr(shift as u32).unwrap_or(0), magnitude & mask);
                let up = rest > half || (rest == half && (more || quotient & 1 == 1));
                quotient as i128 + i128::from(up)
            }
            _ => 0,
        };
        if negative { -rounded } else { rounded }
    }

    /// Whether the sum is not zero.
    pub(crate) fn is_nonzero(&self) -> bool {
        self.special != 0 || self.limbs.iter().any(|&limb| limb != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_bigint::BigInt;

    /// `value` over 2^-1074.
    fn units(value: f64) -> BigInt {
        match Factor::from(value) {
            Factor::Finite(negative, magnitude, exponent) => {
                let value = BigInt::from(magnitude) << (exponent + 1074);
                if negative { -value } else { value }
            }
            Factor::Special(_) => panic!("{value}"),
        }
    }

    #[test]
    fn sums_of_products_are_exact() {
        let mut state = 7u64;
        let mut random = move || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 11) ^ state.rotate_left(23)
        };
        for round in 0..300 {
            let (mut dot, mut exact) = (ExactDot::new(), BigInt::ZERO);
            for _ in 0..1 + round % 7 {
                let mut number = || loop {
                    let value = f64::from_bits(random());
                    if value.is_finite() {
                        return value;
                    }
                };
                let (a, b) = (number(), number());
                dot.add(a.into(), b.into());
                exact += units(a) * units(b);
                if round % 3 == 0 {
                    // Cancelled but for its last bits.
                    let c = f64::from_bits(a.to_bits() ^ 1 << 63 ^ 1);
                    dot.add(b.into(), c.into());
                    exact += units(b) * units(c);
                }
            }
            let bytes = exact.to_signed_bytes_le();
            let mut limbs = [if exact < BigInt::ZERO { 0xff } else { 0 }; 8 * LIMBS];
            limbs[..bytes.len()].copy_from_slice(&bytes);
            let got: Vec<u8> = dot.limbs.iter().flat_map(|limb| limb.to_le_bytes()).collect();
            assert_eq!(got, limbs);
        }
    }

    #[test]
    fn the_one_rounding() {
        let dot = |terms: &[(f64, f64)]| {
            let mut dot = ExactDot::new();
            terms.iter().for_each(|&(a, b)| dot.add(a.into(), b.into()));
            dot
        };
        let tiny = f64::from_bits(1);
        assert_eq!(dot(&[(1.0, 1.0), (tiny, tiny)]).to_f64(), 1.0);
        let half = f64::EPSILON / 2.0;
        assert_eq!(dot(&[(1.0, 1.0), (half, 1.0)]).to_f64(), 1.0);
        assert_eq!(dot(&[(1.0, 1.0), (half, 1.0), (tiny, tiny)]).to_f64(), 1.0 + f64::EPSILON);
        // Through binary64 this would be rounded twice.
        let half = f64::from(f32::EPSILON / 2.0);
        assert_eq!(dot(&[(1.0, 1.0), (half, 1.0), (tiny, 1.0)]).to_f32(), 1.0 + f32::EPSILON);
        assert_eq!(dot(&[(f64::MAX, 1.0), (f64::MAX, 1.0), (-f64::MAX, 1.0)]).to_f64(), f64::MAX);
        assert_eq!(dot(&[(f64::MAX, 2.0)]).to_f64(), f64::INFINITY);
        assert_eq!(dot(&[(tiny, 0.5)]).to_f64().to_bits(), 0);
        assert_eq!(dot(&[(-tiny, 0.25)]).to_f64().to_bits(), 1 << 63);
        assert_eq!(dot(&[(-0.0, 1.0)]).to_f64().to_bits(), 0);
        assert_eq!(dot(&[(f64::INFINITY, -2.0), (f64::MAX, f64::MAX)]).to_f64(), f64::NEG_INFINITY);
        for terms in [&[(f64::INFINITY, 0.0)][..], &[(f64::INFINITY, 1.0), (1.0, f64::NEG_INFINITY)], &[(-f64::NAN, 1.0)]] {
            assert_eq!(dot(terms).to_f64().to_bits(), f64::NAN.to_bits());
            assert_eq!(dot(terms).to_f32().to_bits(), f32::NAN.to_bits());
            assert_eq!(dot(terms).to_integer(), 0);
        }
        for (value, integer) in [(0.5, 0), (1.5, 2), (2.5, 2), (-2.5, -2), (-0.75, -1), (1e-300, 0), (1e30, 1 << 64)] {
            assert_eq!(dot(&[(value, 1.0)]).to_integer(), integer, "{value}");
        }
        assert_eq!(dot(&[(2.5, 1.0), (tiny, tiny)]).to_integer(), 3);
        let big = 1i128 << 63;
        let mut sum = dot(&[(0.5, 1.0)]);
        sum.add((big - 1).into(), 1.0.into());
        assert_eq!(sum.to_integer(), big);
        sum.add((2 * big - 1).into(), Factor::from(-1.0));
        assert_eq!(sum.to_integer(), -big);
    }
}
