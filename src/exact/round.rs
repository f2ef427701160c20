//! The one rounding: from an integer times a power of two to binary64 or binary32, to nearest, ties to even.

/// A binary floating-point format.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Format {
    /// Bits of the significand.
    precision: i32,
    /// The exponent of the smallest subnormal.
    least: i32,
}

/// IEEE 754 binary64.
pub(crate) const BINARY64: Format = Format { precision: 53, least: -1074 };
/// IEEE 754 binary32.
pub(crate) const BINARY32: Format = Format { precision: 24, least: -149 };

impl Format {
    /// `(magnitude + rest) · 2^exponent` rounded, as an f64 (exact for both formats; past binary32's range the cast to f32
    /// gives the infinity). `more` says that the rest, in `(0, 1)`, is not zero; then `magnitude` has at least 56 bits or
    /// `exponent` is below `least - 1`.
    pub(crate) fn round(self, negative: bool, mut magnitude: u128, mut more: bool, mut exponent: i32) -> f64 {
        let bits = 128 - magnitude.leading_zeros() as i32;
        let least = (exponent + bits - self.precision).max(self.least);
        while least - exponent > 127 {
            more |= magnitude as u64 != 0;
            magnitude >>= 64;
            exponent += 64;
        }
        let shift = least - exponent;
        let value = if shift > 0 {
            let (quotient, rest, half) = (magnitude >> shift, magnitude & ((1 << shift) - 1), 1u128 << (shift - 1));
            let up = rest > half || (rest == half && (more || quotient & 1 == 1));
            scale((quotient + u128::from(up)) as u64, least)
        } else {
            scale(magnitude as u64, exponent)
        };
        if negative { -value } else { value }
    }
}

/// `integer · 2^exponent`, which must be a binary64 number or too large for one.
fn scale(integer: u64, exponent: i32) -> f64 {
    let power = |e: i32| f64::from_bits(((e + 1023) as u64) << 52);
    let value = integer as f64;
    match exponent {
        1024.. => value * f64::INFINITY,
        -1022..=1023 => value * power(exponent),
        _ => value * power(-1022) * power((exponent + 1022).max(-1022)),
    }
}

/// `value · 2^exponent` rounded.
pub(crate) fn fixed(format: Format, value: i128, exponent: i32) -> f64 {
    if value == 0 { 0.0 } else { format.round(value < 0, value.unsigned_abs(), false, exponent) }
}

/// `value · 2^exponent / count` rounded; NaN for a count of 0.
pub(crate) fn quotient(format: Format, value: i128, exponent: i32, count: u64) -> f64 {
    if count == 0 {
        return f64::NAN;
    }
    if value == 0 {
        return 0.0;
    }
    let magnitude = value.unsigned_abs();
    let shift = magnitude.leading_zeros();
    let (dividend, divisor) = (magnitude << shift, u128::from(count));
    let result = dividend / divisor;
    format.round(value < 0, result, dividend != result * divisor, exponent - shift as i32)
}
