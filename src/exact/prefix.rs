//! An exact sum that is read after every element: running sums, each rounded once.
//!
//! While the exponents allow it, the sum is an integer of 126 bits times a power of two: an element costs a shift and an
//! addition, a reading one conversion. What does not fit goes on in an [`ExactSum`]. Of blocks of elements all running sums are
//! made side by side, where two levels suffice.

mod levels;
#[cfg(target_arch = "x86_64")]
mod vectors;

pub(crate) use levels::Rounded;

use super::round::{BINARY32, BINARY64, fixed};
use super::{ExactSum, LEAST, NEGATIVE_ZEROS, OTHERS};

/// Bits that the integer may have before an element is added.
const ROOM: i32 = 126;
/// An element's lowest bit lies so far above the integer's at most, so that its 53 bits fit.
const SHIFT: u32 = ROOM as u32 - 53;

/// A running exact sum.
#[derive(Debug, Clone)]
pub(crate) struct Prefix {
    value: i128,
    exponent: i32,
    /// `2^exponent`; NaN where a product with it could be subnormal in binary64 or binary32.
    scale: (f64, f32),
    kind: u8,
    wide: Option<Box<ExactSum>>,
}

impl Prefix {
    /// Goes on from `value · 2^exponent`, or from a wide sum.
    pub(super) fn new(value: i128, exponent: i32, kind: u8, wide: Option<Box<ExactSum>>) -> Self {
        let mut prefix = Self { value, exponent: 0, scale: (1.0, 1.0), kind, wide };
        prefix.rescale(exponent);
        prefix
    }

    fn rescale(&mut self, exponent: i32) {
        self.exponent = exponent;
        let wide = if exponent >= -1022 { f64::from_bits(((exponent + 1023) as u64) << 52) } else { f64::NAN };
        self.scale = (wide, if exponent >= -126 { wide as f32 } else { f32::NAN });
    }

    /// Adds one number.
    #[inline(always)]
    pub(crate) fn push(&mut self, x: f64) {
        let bits = x.to_bits();
        let field = (bits >> 52) as i32 & 0x7ff;
        let magnitude = bits << 1;
        // Of 0 the kind alone counts; 0x7ff is no number.
        let shift = (LEAST + field.max(1) - 1).wrapping_sub(self.exponent) as u32;
        let fits = shift <= SHIFT && field != 0x7ff && (self.value >> ROOM == self.value >> 127) && self.wide.is_none();
        if fits && magnitude != 0 {
            let significand = (bits & ((1 << 52) - 1) | u64::from(field != 0) << 52) as i64;
            let sign = bits as i64 >> 63;
            self.value += i128::from((significand ^ sign) - sign) << shift;
            self.kind = OTHERS;
        } else {
            self.push_else(x);
        }
    }

    /// Adds what [`push`](Self::push) cannot.
    #[cold]
    #[inline(never)]
    fn push_else(&mut self, x: f64) {
        if let Some(wide) = &mut self.wide {
            return wide.push(x);
        }
        if x == 0.0 {
            self.kind = self.kind.max(if x.is_sign_negative() { NEGATIVE_ZEROS } else { OTHERS });
            return;
        }
        if x.is_finite() {
            let least = LEAST + ((x.to_bits() >> 52) as i32 & 0x7ff).max(1) - 1;
            let (low, high) = match self.value {
                0 => (least, least + 53),
                value => {
                    let bits = 128 - value.unsigned_abs().leading_zeros() as i32;
                    let low = self.exponent + value.trailing_zeros() as i32;
                    (low.min(least), (self.exponent + bits).max(least + 53))
                }
            };
            // Half of the room that is left lies below, for smaller elements to come; an element must stay within reach.
            let room = ROOM - 1 - (high - low);
            let exponent = (low - room / 2).max(LEAST).max(least - SHIFT as i32);
            if room >= 0 && exponent <= low {
                let by = self.exponent - exponent;
                self.value = if by >= 0 { self.value << by.min(127) } else { self.value >> (-by).min(127) };
                self.rescale(exponent);
                return self.push(x);
            }
        }
        let mut wide = self.to_sum();
        wide.push(x);
        self.wide = Some(Box::new(wide));
    }

    /// The sum as `value · 2^exponent`, what elements there were, and what went on in a wide sum.
    pub(super) fn parts(&self) -> (i128, i32, u8, Option<&ExactSum>) {
        match &self.wide {
            None => (self.value, self.exponent, self.kind, None),
            Some(wide) => (0, 0, self.kind, Some(wide)),
        }
    }

    fn to_sum(&self) -> ExactSum {
        let mut sum = ExactSum::new();
        if self.kind != super::NOTHING {
            sum.add_zero(self.kind == NEGATIVE_ZEROS);
        }
        if self.value != 0 {
            sum.add_scaled(self.value, self.exponent);
        }
        sum
    }

    /// The sum, rounded to binary64.
    #[inline(always)]
    pub(crate) fn to_f64(&self) -> f64 {
        // One rounding to 53 bits; the product is exact, because the integer is at least 1.
        let value = self.value as f64 * self.scale.0;
        if self.wide.is_some() || value == 0.0 || value.is_nan() { self.read(false) } else { value }
    }

    /// The sum, rounded to binary32.
    #[inline(always)]
    pub(crate) fn to_f32(&self) -> f32 {
        let value = self.value as f32 * self.scale.1;
        if self.wide.is_some() || value == 0.0 || value.is_nan() { self.read(true) as f32 } else { value }
    }

    #[cold]
    #[inline(never)]
    fn read(&self, narrow: bool) -> f64 {
        match &self.wide {
            Some(wide) if narrow => f64::from(wide.to_f32()),
            Some(wide) => wide.to_f64(),
            None if self.value != 0 => fixed(if narrow { BINARY32 } else { BINARY64 }, self.value, self.exponent),
            None if self.kind == NEGATIVE_ZEROS => -0.0,
            None => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exact::accumulator::Accumulator;

    /// Every running sum has the bits of the exact sum of so many elements, from wherever it goes on.
    #[test]
    fn running_sums_are_rounded_once() {
        let mut state = 1u64;
        let mut bits = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            state ^ (state >> 29)
        };
        let mut data: Vec<Vec<f64>> = vec![
            vec![-0.0, -0.0, 0.0, -0.0],
            vec![-0.0, 5e-324, -5e-324, -0.0],
            vec![1e100, 1.0, -1e100, 1e-300, -1.0, 2.0],
            vec![f64::MAX, f64::MAX, -f64::MAX, -f64::MAX, 3.0],
            vec![1.0, f64::INFINITY, 2.0, f64::NEG_INFINITY, 1.0],
            vec![1.0, f64::NAN, 2.0],
        ];
        data.push((0..500).map(|_| f64::from_bits(bits() & !(0x7f0 << 52) | (0x3e0 << 52))).collect());
        data.push((0..500).map(|_| f64::from_bits(bits() & !(0x7f0 << 52))).collect());
        data.push((0..500).map(|_| (bits() as i64 >> 40) as f64).collect());
        data.push((0..200).map(|_| f64::from_bits(bits())).map(|x| if x.is_finite() { x } else { 1.0 }).collect());
        data.push((0..300).map(|_| f64::from(f32::from_bits(bits() as u32 & 0x81ff_ffff))).collect());
        for values in data {
            for start in [0, 1, 3, values.len() / 2] {
                let mut sum = ExactSum::new();
                let mut before = Accumulator::new();
                for &x in &values[..start.min(values.len())] {
                    before.push(x);
                    sum.push(x);
                }
                let mut prefix = before.prefix();
                for &x in &values[start.min(values.len())..] {
                    prefix.push(x);
                    sum.push(x);
                    assert_eq!(prefix.to_f64().to_bits(), sum.to_f64().to_bits(), "{x:e} {values:?}");
                    assert_eq!(prefix.to_f32().to_bits(), sum.to_f32().to_bits(), "{x:e} {values:?}");
                }
                let mut twice = Accumulator::new();
                twice.merge_prefix(&prefix);
                twice.merge_prefix(&prefix);
                sum.merge(&sum.clone());
                assert_eq!(twice.to_sum(), sum, "{values:?}");
            }
        }
    }
}
