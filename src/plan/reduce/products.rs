//! Products that survive what their factors do on the way.

use crate::plan::Overflow;

/// A product of integers: exact until it leaves 128 bits; a zero makes it zero whatever came before. What it is modulo
/// 2^64, and its sign, are known beyond that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntegerProduct {
    /// The product of the nonzero factors; `None` once it does not fit.
    pub nonzero: Option<i128>,
    /// The product of the nonzero factors modulo 2^64.
    pub low: u64,
    /// Whether it is negative.
    pub negative: bool,
    /// Whether a factor was zero.
    pub zero: bool,
}

impl IntegerProduct {
    /// The product of nothing.
    pub const ONE: Self = Self { nonzero: Some(1), low: 1, negative: false, zero: false };

    /// Multiplies by one factor.
    pub fn push(&mut self, factor: i128) {
        if factor == 0 {
            self.zero = true;
        } else {
            self.nonzero = self.nonzero.and_then(|p| p.checked_mul(factor));
            self.low = self.low.wrapping_mul(factor as u64);
            self.negative ^= factor < 0;
        }
    }

    /// Multiplies by another product.
    pub fn merge(&mut self, other: Self) {
        self.zero |= other.zero;
        self.nonzero = self.nonzero.zip(other.nonzero).and_then(|(a, b)| a.checked_mul(b));
        self.low = self.low.wrapping_mul(other.low);
        self.negative ^= other.negative;
    }

    /// The product, if it fits.
    pub fn value(&self) -> Option<i128> {
        if self.zero { Some(0) } else { self.nonzero }
    }

    /// The product, or a number of its sign and its low 64 bits that is out of every dtype's range as it is.
    pub(crate) fn or_beyond(&self, overflow: Overflow) -> i128 {
        self.value().unwrap_or(match overflow {
            Overflow::Wrap => i128::from(self.low),
            _ if self.negative => i128::MIN,
            _ => i128::MAX,
        })
    }
}

/// A product of floats as `mantissa · 2^exponent`, so that nothing overflows or underflows before the end. Each step
/// rounds the mantissa to binary64: `n` factors are within `n · 2^-53` relative of the exact product.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FloatProduct {
    /// Zero, infinite, NaN, or of magnitude in `[1, 2)`.
    pub mantissa: f64,
    /// The power of two.
    pub exponent: i64,
}

impl FloatProduct {
    /// The product of nothing.
    pub const ONE: Self = Self { mantissa: 1.0, exponent: 0 };

    /// `value · 2^exponent`.
    pub fn new(value: f64, exponent: i64) -> Self {
        let bits = value.to_bits();
        let field = (bits >> 52) & 0x7ff;
        if value == 0.0 || field == 0x7ff {
            return Self { mantissa: value, exponent: 0 };
        }
        if field == 0 {
            return Self::new(value * f64::from_bits((1023 + 60) << 52), exponent - 60);
        }
        Self { mantissa: f64::from_bits(bits & !(0x7ff << 52) | (1023 << 52)), exponent: exponent + field as i64 - 1023 }
    }

    /// Multiplies by one factor.
    pub fn push(&mut self, factor: f64) {
        self.merge(Self::new(factor, 0));
    }

    /// Multiplies by another product.
    pub fn merge(&mut self, other: Self) {
        *self = Self::new(self.mantissa * other.mantissa, self.exponent + other.exponent);
    }

    /// Rounds to binary64 (once more if the result is subnormal).
    pub fn to_f64(&self) -> f64 {
        let Self { mantissa, exponent } = *self;
        if mantissa.is_nan() {
            return f64::NAN;
        }
        if mantissa == 0.0 || mantissa.is_infinite() {
            return mantissa;
        }
        match exponent {
            1024.. => mantissa * f64::MAX * 2.0,
            -1022..=1023 => mantissa * f64::from_bits(((exponent + 1023) as u64) << 52),
            -1080..=-1023 => mantissa * f64::from_bits(1 << 52) * f64::from_bits(((exponent + 1022 + 1023) as u64) << 52),
            _ => 0.0f64.copysign(mantissa),
        }
    }

    /// Rounds to binary32 (through binary64).
    pub fn to_f32(&self) -> f32 {
        self.to_f64() as f32
    }
}
