//! Exponentials, logarithms and powers of binary64 in integer arithmetic: the same bits on every device.
//!
//! The functions of `binary32` with twice the words. An argument is taken apart exactly; what lies between two powers of
//! `2^(1/32)`, or near one of 32 reciprocals, goes into the Taylor polynomial, in fixed-point numbers of 64 bits (`Q.n` has
//! `n` bits behind the point); the result is rounded once, subnormal numbers included. What precedes the rounding is within
//! 2^-6 ulp for exponentials and logarithms. `shaders/parts/double_functions.wgsl` does the same, step by step.

use super::binary32::{HALVED, RECIPROCAL};
use crate::cpu::simd::Simd;

#[cfg(test)]
mod tests;

const INFINITY: u64 = 0x7ff << 52;

/// `(ln(2) / 32)^k / k!` for k from 1 on, Q.64, rounded down, as all here is: so that no power of a fraction reaches 2.
const EXP2: [u64; 8] = [
    0x058b_90bf_be8e_7bcd,
    0x000f_5fde_ffc1_62c7,
    0x0000_1c6b_08d7_04a0,
    0x0000_0027_6556_df74,
    0x2bb0_ffcf,
    0x0028_6122,
    0x1ffc,
    0x16,
];
/// `2^(i / 32)`, Q.63.
const EXP2_TABLE: [u64; 32] = [
    0x8000_0000_0000_0000,
    0x82cd_8698_ac2b_a1d7,
    0x85aa_c367_cc48_7b14,
    0x8898_0e80_92da_8527,
    0x8b95_c1e3_ea8b_d6e6,
    0x8ea4_398b_45cd_53c0,
    0x91c3_d373_ab11_c336,
    0x94f4_efa8_fef7_0961,
    0x9837_f051_8db8_a96f,
    0x9b8d_39b9_d54e_5538,
    0x9ef5_3260_91a1_11ad,
    0xa270_4303_0c49_6818,
    0xa5fe_d6a9_b151_38ea,
    0xa9a1_5ab4_ea7c_0ef8,
    0xad58_3eea_42a1_4ac6,
    0xb123_f581_d2ac_258f,
    0xb504_f333_f9de_6484,
    0xb8fb_af47_62fb_9ee9,
    0xbd08_a39f_580c_36be,
    0xc12c_4cca_6670_9456,
    0xc567_2a11_5506_dadd,
    0xc9b9_bd86_6e2f_27a2,
    0xce24_8c15_1f84_80e3,
    0xd2a8_1d91_f12a_e45a,
    0xd744_fcca_d69d_6af4,
    0xdbfb_b797_daf2_3755,
    0xe0cc_deec_2a94_e111,
    0xe5b9_06e7_7c83_48a8,
    0xeac0_c6e7_dd24_392e,
    0xefe4_b99b_dcda_f5cb,
    0xf525_7d15_2486_cc2c,
    0xfa83_b2db_722a_033a,
];
/// log2(e): Q.63, and 32 bits more.
const LOG2_E: (u64, u32) = (0xb8aa_3b29_5c17_f0bb, 0xbe87_fed0);
/// `1 / ln(2) / (k + 1) / 32^k`, Q.63.
const LOG2: [u64; 13] = [
    0xb8aa_3b29_5c17_f0bc,
    0x02e2_a8ec_a570_5fc3,
    0x000f_6384_ee1d_01ff,
    0x0000_5c55_1d94_ae0c,
    0x0000_024e_ed8a_1df3,
    0x0000_000f_6384_ee1d,
    0x6985_d8aa,
    0x02e2_a8ed,
    0x0014_84b1,
    0x93bb,
    0x0432,
    0x1f,
    0x1,
];
/// −log2 of the reciprocals, less 1 from the interval `HALVED` on, Q.96: the words above 2^-64 and the one below.
const LOG2_TABLE: [(i64, u32); 32] = [
    (0x0000_0000_0000_0000, 0x0000_0000),
    (0x1038_7efb_ca86_9da0, 0x85be_1cbb),
    (0x1c7b_528b_70f1_c4fa, 0x1b27_3b9e),
    (0x25f3_c65a_b7fb_a134, 0x3a33_8411),
    (0x3151_3015_7f7a_64cc, 0xd536_fc5c),
    (0x3b58_45a7_c883_a5fc, 0x8ae9_c137),
    (0x43ea_1201_12cd_4421, 0xbc0f_6d0b),
    (0x4e77_a385_567d_bdfc, 0xad2f_4711),
    (0x577f_73c7_bab8_3910, 0xb5b6_43a7),
    (0x60c1_3643_047f_4ca8, 0xeac2_92d5),
    (0x6854_bc50_a606_cf5e, 0xc399_74b3),
    (0x7206_770b_517f_90e2, 0x5762_b11a),
    (0x79f7_d7f9_4e2a_cd3b, 0xed45_6b25),
    (-0x7dea_15a3_2c1b_3b39, 0x9b39_ffef),
    (-0x759d_4f80_cba8_3bf9, 0x0507_99bf),
    (-0x6d1f_afdc_e20a_8291, 0xae44_1c0a),
    (-0x66a0_08e4_788c_bcd3, 0x124b_c6f2),
    (-0x5dc7_4ae9_fbec_ef92, 0x404c_abb7),
    (-0x5700_68e7_ef5a_1e7f, 0x7fd3_b7d8),
    (-0x5019_18ec_6c11_25d7, 0x3432_ef6b),
    (-0x4910_1eac_381c_e60a, 0xe91a_d16f),
    (-0x41e4_2b6e_c0c0_25bd, 0xf396_598b),
    (-0x3a93_dc98_64b2_df92, 0x1695_35fc),
    (-0x359e_bc5b_69d9_27e0, 0x3dc2_6880),
    (-0x2e0e_85a9_de04_fe54, 0x7fc6_0a51),
    (-0x2655_d3c4_f15c_343f, 0x5c1a_7f15),
    (-0x2118_b119_b4f3_c72d, 0xb087_205f),
    (-0x1bc8_4240_adab_ba64, 0x4d3a_591b),
    (-0x13aa_2fdd_27f1_c2d9, 0xfb2e_ede5),
    (-0x0e26_fd5c_8555_af7b, 0x8383_cb0d),
    (-0x088e_68ea_899a_0977, 0x3f5d_7d83),
    (0x0000_0000_0000_0000, 0x0000_0000),
];
/// ln(2), Q.64.
const LN_2: u64 = 0xb172_17f7_d1cf_79ab;

#[inline(always)]
fn mul_high(a: u64, b: u64) -> u64 {
    ((u128::from(a) * u128::from(b)) >> 64) as u64
}

/// [`mul_high`] of a number of 32 bits and the upper half of another.
#[inline(always)]
fn mul_short(a: u64, b: u64) -> u64 {
    (a * (b >> 32)) >> 32
}

/// `m · 2^(exponent − 63)`, rounded to nearest even, where the top bit of `m` is set; `sign` is 0 or 2^63.
#[inline(always)]
fn pack(sign: u64, exponent: i32, m: u64) -> f64 {
    let biased = exponent + 1023;
    if biased >= 2047 {
        return f64::from_bits(sign | INFINITY);
    }
    if biased >= 1 {
        let up = (m >> 10) & u64::from(m & 0xbff != 0) & 1;
        // The leading bit, and a carry, run into the exponent.
        return f64::from_bits(sign | (((biased as u64 - 1) << 52) + (m >> 11) + up));
    }
    let (shift, m) = (11 + (1 - biased).min(54) as u32, u128::from(m));
    f64::from_bits(sign | ((m + (1 << (shift - 1)) - 1 + ((m >> shift) & 1)) >> shift) as u64)
}

/// The magnitude's significand as an integer below 2^53 and its exponent: `m · 2^s`. The significand of a subnormal is
/// brought to 53 bits.
#[inline(always)]
pub(super) fn significand(magnitude: u64) -> (u64, i32) {
    let field = (magnitude >> 52) as i32;
    let fraction = magnitude & ((1 << 52) - 1);
    if field == 0 {
        let zeros = (fraction | 1).leading_zeros() as i32 - 11;
        (fraction << zeros, -1074 - zeros)
    } else {
        (fraction | 1 << 52, field - 1075)
    }
}

/// 2 to the power of `p · 2^−(64 + shift)`, negated if `negative`. `p` is 0 or has 115 to 117 bits.
#[inline(always)]
fn exp2_scaled(p: u128, shift: i32, negative: bool) -> f64 {
    // Q.64; beyond 2^13 every power overflows or underflows.
    let t = if shift < 40 && p != 0 { 1 << 77 } else { p >> shift.clamp(0, 127) } as i128;
    let t = if negative { -t } else { t };
    let f = t as u64;
    let (i, g) = ((f >> 59) as usize, f << 5);
    let mut y = EXP2[7];
    for k in (3..7).rev() {
        y = EXP2[k] + mul_short(y, g);
    }
    for k in (0..3).rev() {
        y = EXP2[k] + mul_high(y, g);
    }
    let more = mul_high(y, g);
    pack(0, ((t >> 64) as i32).clamp(-1200, 1200), EXP2_TABLE[i] + mul_high(EXP2_TABLE[i], more))
}

/// The exponential function.
#[cfg(test)]
pub(crate) fn exp(x: f64) -> f64 {
    super::quick::exp(x).unwrap_or_else(|| exp_exactly(x))
}

/// The exponentials of numbers less another, in place: as [`exp`] has them.
pub(crate) fn exponentials(values: &mut [f64], less: f64, simd: Simd) {
    simd.run(super::quick::Exponentials { values, less, exactly: exp_exactly });
}

/// [`exp`] as it is defined. In vector code the compiler would make slow vectors of its products.
#[inline(never)]
pub(super) fn exp_exactly(x: f64) -> f64 {
    if x.is_nan() {
        return f64::NAN;
    }
    let (m, s) = significand(x.to_bits() & !(1 << 63));
    let m = u128::from(m);
    let p = m * u128::from(LOG2_E.0) + ((m * u128::from(LOG2_E.1)) >> 32);
    exp2_scaled(p, -1 - s, x < 0.0)
}

/// log2 of a positive finite number as sign, 64-bit significand with its top bit set (0 for 0) and exponent:
/// `m · 2^(exponent − 63)`.
#[inline(always)]
fn log2_whole(bits: u64) -> (bool, u64, i32) {
    let (m, s) = significand(bits);
    let i = (m >> 47) as usize & 31;
    // Exact: m has 53 bits, the reciprocal 8. r is Q.60, below 2^-5.
    let r = (m * u64::from(RECIPROCAL[i])).wrapping_sub(1 << 60) as i64;
    let (a, below) = (r.unsigned_abs(), r < 0);
    let z = a << 9;
    let mut y = LOG2[12];
    for k in (0..12).rev() {
        let step = if k < 5 { mul_high(y, z) } else { mul_short(y, z) };
        y = if below { LOG2[k] + step } else { LOG2[k] - step };
    }
    let product = u128::from(a) * u128::from(y);
    let whole = s + 52 + i32::from(i >= HALVED as usize);
    if whole == 0 && (i == 0 || i == 31) {
        // Near 1: Q.123, nothing is added.
        let zeros = (product | 1).leading_zeros();
        return (below, ((product << zeros) >> 64) as u64, 4 - zeros as i32);
    }
    let rest = (product >> 27) as i128;
    let table = i128::from(LOG2_TABLE[i].0) << 32 | i128::from(LOG2_TABLE[i].1);
    let rest = if below { table - rest } else { table + rest };
    let (value, point) = if whole == 0 { (rest, -1) } else { ((i128::from(whole) << 84) + (rest >> 12), 11) };
    let magnitude = value.unsigned_abs() << 32;
    let zeros = magnitude.leading_zeros();
    (value < 0, ((magnitude << zeros) >> 64) as u64, point - zeros as i32)
}

/// The natural logarithm.
pub(crate) fn log(x: f64) -> f64 {
    match x {
        _ if x.is_nan() || x < 0.0 => return f64::NAN,
        _ if x == 0.0 => return f64::NEG_INFINITY,
        _ if x == f64::INFINITY => return x,
        _ => {}
    }
    let (negative, m, exponent) = log2_whole(x.to_bits());
    let product = u128::from(m) * u128::from(LN_2);
    let zeros = (product | 1).leading_zeros();
    if m == 0 {
        return 0.0;
    }
    pack(if negative { 1 << 63 } else { 0 }, exponent - zeros as i32, ((product << zeros) >> 64) as u64)
}

/// The magnitude of x to the power of y, with the special cases of IEEE 754. Within `2^-53 + |e| · 2^-61` relative for a result
/// near `2^e`.
#[inline(never)]
pub(crate) fn pow(x: f64, y: f64) -> f64 {
    let (xm, ym) = (x.to_bits() & !(1 << 63), y.to_bits() & !(1 << 63));
    let one = 1.0f64.to_bits();
    if ym == 0 || xm == one {
        return 1.0;
    }
    if xm > INFINITY || ym > INFINITY {
        return f64::NAN;
    }
    if xm == 0 || xm == INFINITY || ym == INFINITY {
        return if (xm > one) == (y > 0.0) { f64::INFINITY } else { 0.0 };
    }
    let (m, s) = significand(ym);
    let (below_one, u, exponent) = log2_whole(xm);
    exp2_scaled(u128::from(m) * u128::from(u), -(s + exponent + 1), below_one != (y < 0.0))
}

/// The term of a norm of order `p`: `|x|^p`; of orders 3 and 4 by products, each rounded.
#[inline(always)]
pub(crate) fn norm_term(x: f64, p: f64) -> f64 {
    let square = x * x;
    match p {
        3.0 => square * x.abs(),
        4.0 => square * square,
        _ => pow(x, p),
    }
}
