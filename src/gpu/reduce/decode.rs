//! The states of the shaders as the partials of the plan.

use super::source::{DIGIT_BITS, Variant};
use crate::exact::ExactDot;
use crate::plan::{FloatProduct, IntegerProduct, Partials};
use crate::{Dtype, ExactSum};

/// The order key of the plan from that of a shader (`reduce_key.wgsl`), in which the larger wins and narrow types have 32 bits.
pub(in crate::gpu) fn order_key(dtype: Dtype, smaller: bool, stored: u64) -> u64 {
    if dtype.size() == 8 {
        return if smaller { !stored } else { stored };
    }
    let stored = stored as u32;
    let key = if smaller { !stored } else { stored };
    match dtype {
        Dtype::F32 if stored == u32::MAX => {
            if smaller {
                0
            } else {
                u64::MAX
            }
        }
        dtype if dtype.is_signed_integer() => (i64::from((key ^ (1 << 31)) as i32) as u64) ^ (1 << 63),
        _ => u64::from(key),
    }
}

/// The states of `n` results in one slot: word `w` of result `i` is `words[w * n + i]`.
pub(super) struct States<'a> {
    pub(super) variant: Variant,
    pub(super) words: &'a [u32],
    pub(super) n: usize,
}

impl States<'_> {
    fn word(&self, result: usize, word: usize) -> u32 {
        self.words[word * self.n + result]
    }

    fn pair(&self, result: usize, word: usize) -> u64 {
        u64::from(self.word(result, word)) | u64::from(self.word(result, word + 1)) << 32
    }

    /// Writes the partials of the results into those of the plan, from `first` on.
    pub(super) fn decode(&self, into: &mut Partials, first: usize) {
        let results = 0..self.n;
        match into {
            Partials::Float(out) => results.for_each(|i| out[first + i] = self.exact_sum(i)),
            Partials::Integer(out) => results.for_each(|i| out[first + i] = self.wide(i) as i128),
            Partials::IntegerProduct(out) => results.for_each(|i| out[first + i] = self.integer_product(i)),
            Partials::FloatProduct(out) => results.for_each(|i| out[first + i] = self.float_product(i)),
            Partials::Extreme(out) => results.for_each(|i| out[first + i] = Some(self.key(i))),
            Partials::Arg(out) => results.for_each(|i| out[first + i] = Some((self.key(i), !self.pair(i, 2)))),
            Partials::Count(out) => results.for_each(|i| out[first + i] = self.pair(i, 0)),
            Partials::Dot(out) => results.for_each(|i| out[first + i] = self.dot(i)),
            Partials::Range(_) | Partials::Moments(_) | Partials::Fast(_) | Partials::Counted(..) => {
                debug_assert!(false, "made from the partials of other operations");
            }
        }
    }

    fn wide(&self, i: usize) -> u128 {
        u128::from(self.pair(i, 0)) | u128::from(self.pair(i, 2)) << 64
    }

    fn key(&self, i: usize) -> u64 {
        let (variant, stored) = (self.variant, self.pair(i, 0));
        let smaller = variant.op.is_smaller();
        if variant.skip && stored == 0 && variant.dtype.size() < 8 {
            return if smaller { u64::MAX } else { 0 };
        }
        if variant.is_magnitude() && variant.dtype.is_signed_integer() && variant.dtype.size() < 8 {
            return u64::from(if smaller { !(stored as u32) } else { stored as u32 });
        }
        order_key(variant.dtype, smaller, stored)
    }

    fn integer_product(&self, i: usize) -> IntegerProduct {
        let flags = self.word(i, 4);
        let magnitude = self.wide(i).checked_add(1).filter(|_| flags & 2 == 0);
        let nonzero = magnitude.and_then(|magnitude| match flags & 1 {
            0 => i128::try_from(magnitude).ok(),
            _ => 0i128.checked_sub_unsigned(magnitude),
        });
        let low = (self.wide(i) as u64).wrapping_add(1);
        let negative = flags & 1 != 0;
        IntegerProduct { nonzero, low: if negative { low.wrapping_neg() } else { low }, negative, zero: flags & 4 != 0 }
    }

    fn float_product(&self, i: usize) -> FloatProduct {
        let flags = self.word(i, 4);
        let sign = u64::from(flags & 1) << 63;
        let special = |bits: u64| FloatProduct { mantissa: f64::from_bits(bits), exponent: 0 };
        match flags & 14 {
            0 => {
                let mantissa = f64::from_bits(sign | 1023 << 52 | self.pair(i, 0));
                FloatProduct { mantissa, exponent: self.pair(i, 2) as i64 }
            }
            2 => special(sign),
            4 => special(sign | f64::INFINITY.to_bits()),
            _ => FloatProduct { mantissa: f64::NAN, exponent: 0 },
        }
    }

    fn exact_sum(&self, i: usize) -> ExactSum {
        let digits = self.variant.digits() as usize;
        let flags = self.word(i, digits);
        let mut sum = ExactSum::new();
        if flags & 8 == 0 {
            sum.push(-0.0);
            return sum;
        }
        for (flag, value) in [(1, f64::INFINITY), (2, f64::NEG_INFINITY), (4, f64::NAN)] {
            if flags & flag != 0 {
                sum.push(value);
            }
        }
        if flags & 7 == 0 {
            sum.add_limbs(&self.limbs(i), self.variant.least());
        }
        sum
    }

    /// Digits of 23 bits, all but the last in 0..2^23, as words.
    fn limbs(&self, i: usize) -> Vec<u32> {
        let digits = self.variant.digits() as usize;
        let (mut limbs, mut carry, mut bits) = (Vec::with_capacity(digits), 0i128, 0);
        for d in 0..digits {
            let digit = self.word(i, d) as i32;
            carry += i128::from(digit) << bits;
            bits += DIGIT_BITS;
            if bits >= 32 && d + 1 < digits {
                limbs.push(carry as u32);
                carry >>= 32;
                bits -= 32;
            }
        }
        for _ in 0..3 {
            limbs.push(carry as u32);
            carry >>= 32;
        }
        limbs
    }

    fn dot(&self, i: usize) -> ExactDot {
        let mut dot = ExactDot::new();
        if !self.variant.is_float_sum() {
            // 192 bits: the low 128 without a sign.
            dot.add_scaled(i128::from(self.pair(i, 0)), 0);
            dot.add_scaled(i128::from(self.pair(i, 2)), 64);
            dot.add_scaled(i128::from(self.pair(i, 4) as i64), 128);
            return dot;
        }
        let flags = self.word(i, self.variant.digits() as usize);
        if flags & 7 != 0 {
            let infinities = (flags & 3) as u8 | if flags & 4 != 0 { 3 } else { 0 };
            dot.add_special(infinities);
            return dot;
        }
        let limbs = self.limbs(i);
        for (place, &limb) in limbs.iter().enumerate() {
            let value = if place + 1 == limbs.len() { i128::from(limb as i32) } else { i128::from(limb) };
            dot.add_scaled(value, self.variant.least() + 32 * place as i32);
        }
        dot
    }
}
