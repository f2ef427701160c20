//! The states of the shaders as the partials of the plan.

use super::source::{DIGIT_BITS, Variant};
use crate::plan::{FloatProduct, IntegerProduct, Partials};
use crate::{Dtype, ExactSum, ReduceOp};

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
        }
    }

    fn wide(&self, i: usize) -> u128 {
        u128::from(self.pair(i, 0)) | u128::from(self.pair(i, 2)) << 64
    }

    /// The order key of the plan from that of the shader, in which the larger wins and narrow types have 32 bits.
    fn key(&self, i: usize) -> u64 {
        let smaller = matches!(self.variant.op, ReduceOp::Min | ReduceOp::ArgMin);
        let stored = self.pair(i, 0);
        if self.variant.dtype.size() == 8 {
            return if smaller { !stored } else { stored };
        }
        let stored = stored as u32;
        let key = if smaller { !stored } else { stored };
        match self.variant.dtype {
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

    fn integer_product(&self, i: usize) -> IntegerProduct {
        let flags = self.word(i, 4);
        let magnitude = self.wide(i).checked_add(1).filter(|_| flags & 2 == 0);
        let nonzero = magnitude.and_then(|magnitude| match flags & 1 {
            0 => i128::try_from(magnitude).ok(),
            _ => 0i128.checked_sub_unsigned(magnitude),
        });
        IntegerProduct { nonzero, zero: flags & 4 != 0 }
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
            // Digits of 23 bits, all but the last in 0..2^23, become words.
            let (mut limbs, mut carry, mut bits) = (Vec::with_capacity(70), 0i128, 0);
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
            let exponent = if self.variant.dtype == Dtype::F32 { -149 } else { -1074 };
            sum.add_limbs(&limbs, exponent);
        }
        sum
    }
}
