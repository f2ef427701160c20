//! Exact summation: a fixed-point number wide enough for every sum of binary64 numbers.
//!
//! Source: Kulisch's long accumulator; Neal, "Fast exact summation using small and large superaccumulators", 2015.

pub(crate) mod accumulator;
mod big;
mod bytes;
pub(crate) mod dot;
pub(crate) mod fast;
pub(crate) mod lanes;
mod min_max;
#[cfg(target_arch = "x86_64")]
pub(crate) mod moment_integers;
#[cfg(target_arch = "x86_64")]
pub(crate) mod moment_levels;
mod moments;
pub(crate) mod prefix;
pub(crate) mod products;
pub(crate) mod round;
#[cfg(feature = "serde")]
mod serde;
pub(crate) mod squares;
#[cfg(target_arch = "x86_64")]
pub(crate) mod sticky;
pub(crate) mod windows;

pub use dot::ExactDot;
pub use min_max::MinMax;
pub use moments::Moments;

use bytes::Reader;
use round::{BINARY32, BINARY64, Format};

use crate::Result;
use crate::cpu::simd::Simd;

/// 64-bit limbs: bits of weight `2^-1074 ..= 2^1101`, the top one the sign.
const LIMBS: usize = 34;
/// The exponent of bit 0.
const LEAST: i32 = -1074;
/// The version of the byte form.
const VERSION: u8 = 1;
/// Bytes of the byte form: version, kind, infinities, five zeros, limbs.
pub(crate) const BYTES: usize = 8 + 8 * LIMBS;

/// The elements seen so far, as far as the sign of a zero sum depends on them.
const NOTHING: u8 = 0;
const NEGATIVE_ZEROS: u8 = 1;
const OTHERS: u8 = 2;

/// Infinities seen; both of them, or a NaN, make NaN.
const PLUS_INFINITY: u8 = 1;
const MINUS_INFINITY: u8 = 2;
const NAN: u8 = 3;

/// The flags of a number that is not finite.
fn special(value: f64) -> u8 {
    match value {
        f64::INFINITY => PLUS_INFINITY,
        f64::NEG_INFINITY => MINUS_INFINITY,
        _ => NAN,
    }
}

/// An exact sum of binary64 (or binary32) numbers: mergeable in any order and grouping with the same bits as result.
///
/// Holds the exact value of up to 2^64 additions of any finite numbers. It is rounded only when read, once, to nearest,
/// ties to even; overflow gives an infinity only if the exact sum rounds to one. The sum of nothing is +0; of −0 only, −0;
/// otherwise an exact zero is +0. Infinities and NaN behave as in IEEE 754 addition, and NaN is the canonical one.
///
/// ```
/// use unisono::ExactSum;
/// let mut left: ExactSum = [1e100, 1.0, 1e-300].into_iter().collect();
/// let right: ExactSum = [-1e100, -1e-300].into_iter().collect();
/// left.merge(&right);
/// assert_eq!(left.to_f64(), 1.0);
/// assert_eq!(ExactSum::from_bytes(&left.to_bytes())?, left);
/// # Ok::<(), unisono::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExactSum {
    /// Two's complement, least significant first; all zero once an infinity or NaN was seen.
    limbs: [u64; LIMBS],
    /// What was seen, if the sum is zero.
    kind: u8,
    /// Which infinities were seen.
    special: u8,
}

impl Default for ExactSum {
    fn default() -> Self {
        Self::new()
    }
}

impl ExactSum {
    /// The sum of nothing: +0.
    pub const fn new() -> Self {
        Self { limbs: [0; LIMBS], kind: NOTHING, special: 0 }
    }

    /// Adds one number.
    pub fn push(&mut self, value: f64) {
        let bits = value.to_bits();
        let (field, fraction) = ((bits >> 52) & 0x7ff, bits & ((1 << 52) - 1));
        if field == 0x7ff {
            return self.add_special(special(value));
        }
        if bits << 1 == 0 {
            return self.add_zero(bits != 0);
        }
        let magnitude = i128::from(fraction | u64::from(field != 0) << 52);
        let exponent = LEAST + (field.max(1) as i32 - 1);
        self.add_scaled(if value < 0.0 { -magnitude } else { magnitude }, exponent);
    }

    /// Adds one number.
    pub fn push_f32(&mut self, value: f32) {
        self.push(f64::from(value));
    }

    /// Adds all numbers of a slice.
    pub fn extend_f64(&mut self, values: &[f64]) {
        self.extend_slice(values);
    }

    /// Adds all numbers of a slice.
    pub fn extend_f32(&mut self, values: &[f32]) {
        self.extend_slice(values);
    }

    fn extend_slice<T: fast::Float>(&mut self, values: &[T]) {
        let mut sum = accumulator::Accumulator::new();
        sum.extend(values, Simd::current());
        self.merge(&sum.to_sum());
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Self) {
        self.kind = self.kind.max(other.kind);
        if (self.special | other.special) != 0 {
            return self.add_special(other.special);
        }
        let mut carry = false;
        for (limb, &more) in self.limbs.iter_mut().zip(&other.limbs) {
            let (sum, over) = limb.overflowing_add(more);
            let (sum, over_again) = sum.overflowing_add(u64::from(carry));
            (*limb, carry) = (sum, over | over_again);
        }
    }

    /// Adds `value · 2^exponent`, which stands for elements other than −0 (even if it is zero, by cancellation). The
    /// bits below 2^-1074 must be zero.
    pub(crate) fn add_scaled(&mut self, mut value: i128, exponent: i32) {
        self.kind = OTHERS;
        if value == 0 || self.special != 0 {
            return;
        }
        let mut position = exponent - LEAST;
        if position < 0 {
            debug_assert!(value.trailing_zeros() as i32 >= -position);
            value >>= (-position).min(127);
            position = 0;
        }
        let (first, shift) = (position as usize / 64, position as u32 % 64);
        let sign = (value >> 127) as u64;
        let words = [(value << shift) as u64, ((value << shift) >> 64) as u64, (value >> (127 - shift) >> 1) as u64];
        let mut carry = false;
        for (i, limb) in self.limbs.iter_mut().enumerate().skip(first) {
            let word = words.get(i - first).copied().unwrap_or(sign);
            // Past the words, what is added is 0 or -1: a carry that makes it 0 leaves the rest as it is.
            if i >= first + words.len() && carry == (sign != 0) {
                break;
            }
            let (sum, over) = limb.overflowing_add(word);
            let (sum, over_again) = sum.overflowing_add(u64::from(carry));
            (*limb, carry) = (sum, over | over_again);
        }
    }

    /// Adds an integer of so many digits of 32 bits (two's complement, least significant first) times 2^-1075, bit 0 of which must
    /// be zero; as [`add_scaled`](Self::add_scaled) does, but that a zero stands for nothing.
    pub(crate) fn add_digits(&mut self, digits: &[u32; 2 * LIMBS]) {
        let digit = |i: usize| u64::from(digits[i]);
        let limbs = std::array::from_fn(|i| {
            let above = if i + 1 < LIMBS { digit(2 * i + 2) } else { digit(2 * i + 1) >> 31 };
            digit(2 * i) >> 1 | digit(2 * i + 1) << 31 | above << 63
        });
        if limbs != [0; LIMBS] {
            self.merge(&Self { limbs, kind: OTHERS, special: 0 });
        }
    }

    /// Adds the integer in `limbs` (two's complement, least significant first) times `2^exponent`; stands for elements
    /// other than −0, as in [`add_scaled`](Self::add_scaled).
    #[allow(dead_code)]
    pub(crate) fn add_limbs(&mut self, limbs: &[u32], exponent: i32) {
        for (i, &limb) in limbs.iter().enumerate() {
            let value = if i + 1 == limbs.len() { i128::from(limb as i32) } else { i128::from(limb) };
            self.add_scaled(value, exponent + 32 * i as i32);
        }
    }

    /// The sum in `limbs`, of elements other than −0.
    #[cfg(feature = "gpu")]
    fn of_limbs(limbs: [u64; LIMBS]) -> Self {
        Self { limbs, kind: OTHERS, special: 0 }
    }

    /// Notes zeros, all of them −0 or not.
    pub(crate) fn add_zero(&mut self, negative: bool) {
        self.kind = self.kind.max(if negative { NEGATIVE_ZEROS } else { OTHERS });
    }

    fn add_special(&mut self, special: u8) {
        *self = Self { limbs: [0; LIMBS], kind: OTHERS, special: self.special | special };
    }

    /// Whether the sum is NaN, whatever comes.
    pub(crate) fn is_nan(&self) -> bool {
        self.special == NAN
    }

    /// The sum, rounded to binary64.
    pub fn to_f64(&self) -> f64 {
        self.read(BINARY64, None)
    }

    /// The sum, rounded to binary32 (once: not through binary64).
    pub fn to_f32(&self) -> f32 {
        self.read(BINARY32, None) as f32
    }

    /// The sum over `count`, rounded to binary64; NaN for a count of 0.
    pub fn mean_f64(&self, count: u64) -> f64 {
        self.read(BINARY64, Some(count))
    }

    /// The sum over `count`, rounded to binary32; NaN for a count of 0.
    pub fn mean_f32(&self, count: u64) -> f32 {
        self.read(BINARY32, Some(count)) as f32
    }

    /// The sum, over `count` if there is one, rounded to `format`.
    pub(crate) fn read(&self, format: Format, count: Option<u64>) -> f64 {
        match self.special {
            _ if count == Some(0) => return f64::NAN,
            0 => {}
            PLUS_INFINITY => return f64::INFINITY,
            MINUS_INFINITY => return f64::NEG_INFINITY,
            _ => return f64::NAN,
        }
        let negative = self.limbs[LIMBS - 1] >> 63 == 1;
        let mut limbs = self.limbs;
        if negative {
            let mut carry = true;
            for limb in &mut limbs {
                (*limb, carry) = (!*limb).overflowing_add(u64::from(carry));
            }
        }
        let Some(top) = limbs.iter().rposition(|&limb| limb != 0) else {
            return if self.kind == NEGATIVE_ZEROS { -0.0 } else { 0.0 };
        };
        // The top three limbs (of them the second and third may lie below bit 0) hold at least 129 bits.
        let limb = |below: usize| top.checked_sub(below).map_or(0, |i| limbs[i]);
        let mut more = limbs[..top.saturating_sub(2)].iter().any(|&limb| limb != 0);
        let mut words = [limb(0), limb(1), limb(2)];
        if let Some(count) = count {
            let mut rest = 0;
            for word in &mut words {
                let dividend = u128::from(rest) << 64 | u128::from(*word);
                *word = (dividend / u128::from(count)) as u64;
                rest = (dividend % u128::from(count)) as u64;
            }
            more |= rest != 0;
        }
        let exponent = LEAST + 64 * (top as i32 - 2);
        let join = |high: u64, low: u64| u128::from(high) << 64 | u128::from(low);
        if words[0] != 0 {
            format.round(negative, join(words[0], words[1]), more || words[2] != 0, exponent + 64)
        } else {
            format.round(negative, join(words[1], words[2]), more, exponent)
        }
    }

    /// The byte form: a version byte, two flag bytes, five zeros, and the limbs, least significant byte first.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION, self.kind, self.special, 0, 0, 0, 0, 0];
        self.limbs.iter().for_each(|limb| bytes.extend(limb.to_le_bytes()));
        bytes
    }

    /// Reads [`to_bytes`](Self::to_bytes)'s form.
    ///
    /// # Errors
    /// [`Error::Corrupt`](crate::Error::Corrupt) for another version or length, or bytes that no sum has.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let read = Reader::new("exact sum", bytes, VERSION, BYTES)?;
        let mut sum = Self { kind: bytes[1], special: bytes[2], ..Self::new() };
        read.words(8, &mut sum.limbs);
        let zero = sum.limbs == [0; LIMBS];
        if sum.kind > OTHERS || sum.special > NAN || bytes[3..8] != [0; 5] {
            return Err(read.corrupt(format!("unknown flags {:?}", &bytes[1..8])));
        }
        if (sum.kind != OTHERS && (!zero || sum.special != 0)) || (sum.special != 0 && !zero) {
            return Err(read.corrupt("flags that contradict the value"));
        }
        Ok(sum)
    }
}

impl Extend<f64> for ExactSum {
    fn extend<I: IntoIterator<Item = f64>>(&mut self, values: I) {
        values.into_iter().for_each(|value| self.push(value));
    }
}

impl FromIterator<f64> for ExactSum {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut sum = Self::new();
        sum.extend(values);
        sum
    }
}

/// `numerator / denominator` rounded once; NaN for a denominator of 0.
pub(crate) fn ratio_f64(numerator: i128, denominator: u64) -> f64 {
    round::quotient(BINARY64, numerator, 0, denominator)
}

#[cfg(test)]
pub(crate) mod tests;
