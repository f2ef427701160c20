//! Exact sums of products: a fixed-point number wide enough for every product of two binary64 numbers or 64-bit integers.

use super::round::{BINARY32, BINARY64, Format};

/// 64-bit limbs: bits of weight `2^-2148 ..= 2^2331`, the top one the sign.
const LIMBS: usize = 70;
/// The exponent of bit 0: that of the product of the two smallest subnormals.
const LEAST: i32 = -2148;

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

/// An exact sum of up to 2^64 products.
///
/// An infinity or NaN among the factors decides the result as IEEE 754 arithmetic does (∞ · 0 and ∞ − ∞ are NaN). An exact
/// zero is +0.
#[derive(Debug, Clone)]
pub(crate) struct ExactDot {
    /// Two's complement, least significant first.
    limbs: [u64; LIMBS],
    /// The sum of the products that are not finite; 0 if there is none.
    special: f64,
}

impl ExactDot {
    /// The sum of nothing.
    pub(crate) fn new() -> Self {
        Self { limbs: [0; LIMBS], special: 0.0 }
    }

    /// Adds a product.
    pub(crate) fn add(&mut self, a: Factor, b: Factor) {
        let (Factor::Finite(a_negative, a_magnitude, a_exponent), Factor::Finite(b_negative, b_magnitude, b_exponent)) = (a, b)
        else {
            self.special += a.sign() * b.sign();
            return;
        };
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

    fn read(&self, format: Format) -> f64 {
        if self.special != 0.0 {
            return if self.special.is_nan() { f64::NAN } else { self.special };
        }
        self.top().map_or(0.0, |(negative, magnitude, more, exponent)| format.round(negative, magnitude, more, exponent))
    }

    /// The sum, rounded to binary64.
    pub(crate) fn to_f64(&self) -> f64 {
        self.read(BINARY64)
    }

    /// The sum, rounded to binary32 (once: not through binary64).
    pub(crate) fn to_f32(&self) -> f32 {
        self.read(BINARY32) as f32
    }

    /// The sum, rounded to an integer (ties to even), ±2^64 if it is beyond that; NaN gives 0.
    pub(crate) fn to_integer(&self) -> i128 {
        const MOST: i128 = 1 << 64;
        if self.special != 0.0 {
            return if self.special.is_nan() { 0 } else { MOST * self.special.signum() as i128 };
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
        self.special != 0.0 || self.limbs.iter().any(|&limb| limb != 0)
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
