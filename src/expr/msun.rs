//! What the functions of float64 are made of, after FreeBSD's msun: for the CPU's blocks, one by one, and written out.
//!
//! Coefficients and steps are msun's, whose notice is: Copyright (C) 1993, 2004 by Sun Microsystems, Inc. All rights reserved.
//! Developed at SunPro, a Sun Microsystems, Inc. business. Permission to use, copy, modify, and distribute this software is
//! freely granted, provided that this notice is preserved.

use std::f64::consts::LN_2;

/// ln 2: 33 bits, whose multiples are exact, and the rest.
pub(crate) const LN2_HI: f64 = f64::from_bits(0x3fe6_2e42_fee0_0000);
pub(crate) const LN2_LO: f64 = f64::from_bits(0x3dea_39ef_3579_3c76);
/// ln 2: 21 bits, and the rest.
pub(crate) const LN2_PARTS: [f64; 2] = [f64::from_bits(0x3fe6_2e43_0000_0000), f64::from_bits(0xbe20_5c61_0ca8_6c39)];
pub(crate) const PER_LN2: f64 = f64::from_bits(0x3ff7_1547_652b_82fe);
/// `1.5 · 2^52`: a number of up to 51 bits added to it is rounded to an integer, which is in the lowest bits.
pub(crate) const TO_INT: f64 = 6_755_399_441_055_744.0;

/// The polynomial of the exponential function and of powers.
pub(crate) const EXP: [f64; 5] = [
    f64::from_bits(0x3fc5_5555_5555_553e),
    f64::from_bits(0xbf66_c16c_16be_bd93),
    f64::from_bits(0x3f11_566a_af25_de2c),
    f64::from_bits(0xbebb_bd41_c5d2_6bf1),
    f64::from_bits(0x3e66_3769_72be_a4d0),
];

/// (log((1 + s) / (1 − s)) / s − 2) / s² as a polynomial of s².
pub(crate) const LOG: [f64; 7] = [
    f64::from_bits(0x3fe5_5555_5555_5593),
    f64::from_bits(0x3fd9_9999_9997_fa04),
    f64::from_bits(0x3fd2_4924_9422_9359),
    f64::from_bits(0x3fcc_71c5_1d8e_78af),
    f64::from_bits(0x3fc7_4664_96cb_03de),
    f64::from_bits(0x3fc3_9a09_d078_c69f),
    f64::from_bits(0x3fc2_f112_df3e_5244),
];
/// One over the logarithms of 2 and of 10, each in two parts.
pub(crate) const LOG2_E: [f64; 2] = [f64::from_bits(0x3ff7_1547_6520_0000), f64::from_bits(0x3de7_05fc_2eef_a200)];
pub(crate) const LOG10_E: [f64; 2] = [f64::from_bits(0x3fdb_cb7b_1520_0000), f64::from_bits(0x3dbb_9438_ca9a_add5)];
/// The logarithm to base 10 of 2, in two parts.
pub(crate) const LOG10_2: [f64; 2] = [f64::from_bits(0x3fd3_4413_509f_6000), f64::from_bits(0x3d59_fef3_11f1_2b36)];

/// The polynomial of the logarithm to base 2 of powers.
pub(crate) const POWER: [f64; 6] = [
    f64::from_bits(0x3fe3_3333_3333_3303),
    f64::from_bits(0x3fdb_6db6_db6f_abff),
    f64::from_bits(0x3fd5_5555_518f_264d),
    f64::from_bits(0x3fd1_7460_a91d_4101),
    f64::from_bits(0x3fcd_864a_93c9_db65),
    f64::from_bits(0x3fca_7e28_4a45_4eef),
];
/// 2 / (3 ln 2), its upper part, and the rest.
pub(crate) const CP: [f64; 3] =
    [f64::from_bits(0x3fee_c709_dc3a_03fd), f64::from_bits(0x3fee_c709_e000_0000), f64::from_bits(0xbe3e_2fe0_145b_01f5)];
/// The logarithm to base 2 of 1.5, in two parts.
pub(crate) const DP: [f64; 2] = [f64::from_bits(0x3fe2_b803_4000_0000), f64::from_bits(0x3e4c_fdeb_43cf_d006)];

pub(crate) const TWO_PER_PI: f64 = f64::from_bits(0x3fe4_5f30_6dc9_c883);
/// π/2 in parts of 33 bits, each with the rest behind it.
pub(crate) const HALF_PI: [[f64; 2]; 3] = [
    [f64::from_bits(0x3ff9_21fb_5440_0000), f64::from_bits(0x3dd0_b461_1a62_6331)],
    [f64::from_bits(0x3dd0_b461_1a60_0000), f64::from_bits(0x3ba3_198a_2e03_7073)],
    [f64::from_bits(0x3ba3_198a_2e00_0000), f64::from_bits(0x397b_839a_2520_49c1)],
];
/// The polynomials of the sine and the cosine.
pub(crate) const SINE: [f64; 6] = [
    f64::from_bits(0xbfc5_5555_5555_5549),
    f64::from_bits(0x3f81_1111_1110_f8a6),
    f64::from_bits(0xbf2a_01a0_19c1_61d5),
    f64::from_bits(0x3ec7_1de3_57b1_fe7d),
    f64::from_bits(0xbe5a_e5e6_8a2b_9ceb),
    f64::from_bits(0x3de5_d93a_5acf_d57c),
];
pub(crate) const COSINE: [f64; 6] = [
    f64::from_bits(0x3fa5_5555_5555_554c),
    f64::from_bits(0xbf56_c16c_16c1_5177),
    f64::from_bits(0x3efa_01a0_19cb_1590),
    f64::from_bits(0xbe92_7e4f_809c_52ad),
    f64::from_bits(0x3e21_ee9e_bdb4_b1c4),
    f64::from_bits(0xbda8_fae9_be88_38d4),
];

/// The upper half, of a sum or product that is to be exact.
#[inline(always)]
pub(crate) fn upper(x: f64) -> f64 {
    f64::from_bits(x.to_bits() & (u64::MAX << 32))
}

/// An exponent's field as a number.
#[inline(always)]
pub(crate) fn exponent(field: u64) -> f64 {
    // 2^52 + the field, less as much.
    f64::from_bits(0x4330_0000_0000_0000 | field) - (4_503_599_627_370_496.0 + 1023.0)
}

/// The logarithm to base 2 of a positive normal number, in two parts, the first with its lower half empty.
#[inline(always)]
pub(crate) fn log2_in_parts(bits: u64) -> [f64; 2] {
    let fraction = bits >> 32 & 0xf_ffff;
    // Divided by 1, 1.5 or 2: from √½ and so on.
    let (middle, twice) = ((fraction > 0x3988e) & (fraction < 0xbb67a), fraction >= 0xbb67a);
    let bp = if middle { 1.5 } else { 1.0 };
    let dp = [if middle { DP[0] } else { 0.0 }, if middle { DP[1] } else { 0.0 }];
    let ax = f64::from_bits((bits & ((1 << 52) - 1) | 0x3ff << 52) - (u64::from(twice) << 52));
    let n = exponent((bits >> 52) + u64::from(twice));
    let u = ax - bp;
    let v = 1.0 / (ax + bp);
    let ss = u * v;
    let s_h = upper(ss);
    let t_h = f64::from_bits((((ax.to_bits() >> 33) | 0x2000_0000) + 0x0008_0000 + (u64::from(middle) << 18)) << 32);
    let t_l = ax - (t_h - bp);
    let s_l = v * ((u - s_h * t_h) - s_h * t_l);
    let s2 = ss * ss;
    let r = s2 * s2 * (POWER[0] + s2 * (POWER[1] + s2 * (POWER[2] + s2 * (POWER[3] + s2 * (POWER[4] + s2 * POWER[5])))));
    let r = r + s_l * (s_h + ss);
    let s2 = s_h * s_h;
    let t_h = upper(3.0 + s2 + r);
    let t_l = r - ((t_h - 3.0) - s2);
    let u = s_h * t_h;
    let v = s_l * t_h + t_l * ss;
    let p_h = upper(u + v);
    let p_l = v - (p_h - u);
    let z_h = CP[1] * p_h;
    let z_l = CP[2] * p_h + p_l * CP[0] + dp[1];
    let t1 = upper(((z_h + z_l) + dp[0]) + n);
    [t1, z_l - (((t1 - n) - dp[0]) - z_h)]
}

/// What a power is made of.
pub(crate) struct Power {
    /// Its logarithm to base 2.
    pub(crate) parts: [f64; 2],
    /// The integer next to that, and the power over 2 to it.
    pub(crate) n: f64,
    pub(crate) fraction: f64,
}

/// A number with this logarithm to the power of `y`.
#[inline(always)]
pub(crate) fn power_in_parts([t1, t2]: [f64; 2], y: f64) -> Power {
    let y1 = upper(y);
    let p_l = (y - y1) * t1 + y * t2;
    let p_h = y1 * t1;
    let z = p_l + p_h;
    // The nearest integer by the upper half, up to a half 0.
    let near = (upper(z).abs() + 0.5).trunc().copysign(z);
    let n = if z.to_bits() << 1 >> 33 > 0x3fe0_0000 { near } else { 0.0 };
    let rest = p_h - n;
    let t = upper(p_l + rest);
    let u = t * LN2_PARTS[0];
    let v = (p_l - (t - rest)) * LN_2 + t * LN2_PARTS[1];
    let w = u + v;
    let less = v - (w - u);
    let t = w * w;
    let t1 = w - t * (EXP[0] + t * (EXP[1] + t * (EXP[2] + t * (EXP[3] + t * EXP[4]))));
    let r = (w * t1) / (t1 - 2.0) - (less + w * less);
    Power { parts: [p_h, p_l], n, fraction: 1.0 - (r - w) }
}
