//! What functions of float64 do to the bits of a number.

use crate::expr::binary64::significand;

/// An operation on the bits of binary64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Bits {
    /// The number without the lower word.
    Upper,
    /// The exponent of 2, as a number.
    Exponent,
    /// The magnitude over that power of 2; 0 of 0.
    Significand,
    /// 2 to the power of the number without its fraction, brought to −1022..=1023.
    PowerOfTwo,
    /// Of a large magnitude, how many quarters of a turn it is nearest to, modulo 4 …
    Quarters,
    /// … the angle from there …
    Angle,
    /// … and what rounding took from that.
    AngleRest,
}

const MAGNITUDE: u64 = !(1 << 63);

impl Bits {
    pub(crate) fn of(self, x: f64) -> f64 {
        let (m, s) = significand(x.to_bits() & MAGNITUDE);
        match self {
            Self::Upper => f64::from_bits(x.to_bits() >> 32 << 32),
            Self::Exponent => f64::from(s + 52),
            Self::Significand => m as f64 * 2f64.powi(-52),
            Self::PowerOfTwo => f64::from_bits((((x as i64).clamp(-1022, 1023) + 1023) as u64) << 52),
            Self::Quarters => turns(x).0,
            Self::Angle => turns(x).1,
            Self::AngleRest => turns(x).2,
        }
    }
}

/// `2 / π` in words of 32 bits, after two of 0.
#[rustfmt::skip]
const TWO_PER_PI: [u32; 39] = [
    0x0, 0x0, 0xa2f9_836e, 0x4e44_1529, 0xfc27_57d1, 0xf534_ddc0, 0xdb62_9599, 0x3c43_9041,
    0xfe51_63ab, 0xdebb_c561, 0xb724_6e3a, 0x424d_d2e0, 0x0649_2eea, 0x09d1_921c, 0xfe1d_eb1c, 0xb129_a73e,
    0xe882_35f5, 0x2ebb_4484, 0xe99c_7026, 0xb45f_7e41, 0x3991_d639, 0x8353_39f4, 0x9c84_5f8b, 0xbdf9_283b,
    0x1ff8_97ff, 0xde05_980f, 0xef2f_118b, 0x5a0a_6d1f, 0x6d36_7ecf, 0x27cb_09b7, 0x4f46_3f66, 0x9e5f_ea2d,
    0x7527_bac7, 0xebe5_f17b, 0x3d07_39f7, 0x8a52_92ea, 0x6bfb_5fb1, 0x1f8d_5d08, 0x5603_3046,
];
/// π / 2, Q.63.
const HALF_PI: u64 = 0xc90f_daa2_2168_c234;
/// Below it angles are reduced in floating point: `2^20 · π / 2`.
pub(super) const LARGE: f64 = super::high(0x4139_21fb);

/// A magnitude of at least [`LARGE`] in quarters of a turn: the nearest, modulo 4, and the angle from there as a sum of two numbers, within
/// 2^-62 of it relatively. 0 of other numbers. After Payne and Hanek, "Radian reduction for trigonometric functions", 1983.
pub(super) fn turns(x: f64) -> (f64, f64, f64) {
    let magnitude = x.to_bits() & MAGNITUDE;
    if !(LARGE.to_bits()..0x7ff << 52).contains(&magnitude) {
        return (0.0, 0.0, 0.0);
    }
    let (m, s) = significand(magnitude);
    // 192 bits of 2/π from the first on whose multiples are not all multiples of 4 quarters.
    let start = (62 + s) as usize;
    let word = |i: usize| {
        let bits = u64::from(TWO_PER_PI[start / 32 + i]) << 32 | u64::from(TWO_PER_PI[start / 32 + i + 1]);
        (bits << (start % 32)) >> 32
    };
    let [w0, w1, w2] = [0, 2, 4].map(|i| word(i) << 32 | word(i + 1));
    let low = u128::from(m) * u128::from(w2);
    let middle = u128::from(m) * u128::from(w1) + (low >> 64);
    let top = m.wrapping_mul(w0).wrapping_add((middle >> 64) as u64);
    // The top two bits are quarters: the nearest, and the fraction from there.
    let quarters = top.wrapping_add(1 << 61) >> 62;
    let (top, rest) = (top.wrapping_sub(quarters << 62), middle << 64 | u128::from(low as u64));
    let below = (top as i64) < 0;
    let (top, rest) = if below { (!top + u64::from(rest == 0), rest.wrapping_neg()) } else { (top, rest) };
    let (whole, more, moved) = if top == 0 { ((rest >> 64) as u64, rest as u64, 64) } else { (top, (rest >> 64) as u64, 0) };
    let zeros = (whole | 1).leading_zeros();
    let lead = ((u128::from(whole) << 64 | u128::from(more)) << zeros >> 64) as u64;
    let product = u128::from(lead) * u128::from(HALF_PI);
    let shift = (product | 1).leading_zeros();
    let product = product << shift;
    let exponent = -50 - (moved + zeros + shift) as i32;
    let sign = if below { -1.0 } else { 1.0 };
    let angle = (product >> 75) as f64 * 2f64.powi(exponent) * sign;
    let rest = ((product & ((1 << 75) - 1)) >> 11) as f64 * 2f64.powi(exponent - 64) * sign;
    (quarters as f64, angle, rest)
}
