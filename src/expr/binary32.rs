//! Functions of binary32 in integer arithmetic: the same bits on every device, because integers leave no device a choice.
//!
//! Each function reduces its argument exactly, evaluates a polynomial in fixed-point numbers of 32 bits (`Q.n` has `n` bits
//! behind the point) and rounds once, subnormal results included. What precedes the rounding is within 2^-6 ulp, so that
//! results are within 0.52 ulp; `tests.rs` measures them. `shaders/parts/expr_functions.wgsl` does the same, step by step.
//! The polynomials interpolate at Chebyshev nodes.

const INFINITY: u32 = 0x7f80_0000;
const NAN: f32 = f32::from_bits(0x7fc0_0000);

/// (2^f − 1) / f on [0, 1), Q.31. The first is raised by what the
/// truncations take on average; at 1 they take more than it adds, so that no power of a fraction reaches 2.
pub(crate) const EXP2: [u32; 7] = [0x58b9_0c00, 0x1ebf_bdd3, 0x071a_c4fc, 0x013b_1a32, 0x002b_df8d, 0x0004_c98b, 0x0000_ade9];
/// log2(e), Q.63.
pub(crate) const LOG2_E: u64 = 0xb8aa_3b29_5c17_f0bc;
/// 1 / ln(2), Q.62.
pub(crate) const PER_LN2: i64 = 0x5c55_1d94_ae0b_f85e;
/// ln(2), Q.32, and log10(2), Q.33.
pub(crate) const LN_2: u32 = 0xb172_17f8;
pub(crate) const LOG10_2: u32 = 0x9a20_9a85;
/// (log2(1 + r) / r − 1 / ln(2)) / r on [−1/50, 1/32]: coefficient k times 2^(31 − 4k).
pub(crate) const LOG2: [i32; 7] = [-1_549_082_005, 64_545_084, -3_025_551, 151_278, -7_879, 422, -22];
/// Reciprocals of the middles of the intervals [1 + i/32, 1 + (i + 1)/32), Q.8; exact at both ends.
pub(crate) const RECIPROCAL: [u32; 32] = [
    256, 245, 237, 231, 224, 218, 213, 207, 202, 197, 193, 188, 184, 180, 176, 172, 169, 165, 162, 159, 156, 153, 150, 148, 145,
    142, 140, 138, 135, 133, 131, 128,
];
/// −log2 of them, less 1 from the interval `HALVED` on, Q.62.
pub(crate) const LOG2_TABLE: [u64; 32] = [
    0x0,
    0x040e_1fbe_f2a1_a768,
    0x071e_d4a2_dc3c_713f,
    0x097c_f196_adfe_e84d,
    0x0c54_4c05_5fde_9933,
    0x0ed6_1169_f220_e97f,
    0x10fa_8480_44b3_5108,
    0x139d_e8e1_559f_6f7f,
    0x15df_dcf1_eeae_0e44,
    0x1830_4d90_c11f_d32a,
    0x1a15_2f14_2981_b3d8,
    0x1c81_9dc2_d45f_e439,
    0x1e7d_f5fe_538a_b34f,
    0xe085_7a97_34f9_3132,
    0xe298_ac1f_cd15_f102,
    0xe4b8_1408_c77d_5f5c,
    0xe657_fdc6_e1dc_d0cb,
    0xe88e_2d45_8104_c41c,
    0xea3f_e5c6_0429_7860,
    0xebf9_b9c4_e4fb_b68a,
    0xedbb_f854_f1f8_c67e,
    0xef86_f524_4fcf_f691,
    0xf15b_08d9_e6d3_481c,
    0xf298_50e9_2589_b608,
    0xf47c_5e95_887e_c06b,
    0xf66a_8b0e_c3a8_f2f0,
    0xf7b9_d3b9_92c3_0e35,
    0xf90d_ef6f_d495_1167,
    0xfb15_7408_b603_8f4a,
    0xfc76_40a8_deaa_9421,
    0xfddc_65c5_5d99_7da2,
    0x0,
];
/// The first interval whose numbers are taken as halves, so that logarithms near 1 keep their digits on both sides.
pub(crate) const HALVED: u32 = 13;
/// sin(π/2 · √z) / √z, Q.31, and (1 − cos(π/2 · √z)) / z, Q.31, on [0, 1/4]: magnitudes, the signs alternate.
pub(crate) const SIN: [u32; 6] = [0xc90f_daa2, 0x52ae_f399, 0x0a33_5e34, 0x0099_6963, 0x0005_41c7, 0x0000_1dd5];
pub(crate) const COS: [u32; 6] = [0x9de9_e64e, 0x2078_3e10, 0x02ab_a790, 0x001e_1f50, 0x0000_d366, 0x0000_03e9];
/// 2/π behind 64 zero bits.
pub(crate) const TWO_PER_PI: [u32; 11] =
    [0, 0, 0xa2f9_836e, 0x4e44_1529, 0xfc27_57d1, 0xf534_ddc0, 0xdb62_9599, 0x3c43_9041, 0xfe51_63ab, 0xdebb_c561, 0xb724_6e3a];

#[inline(always)]
fn mul_high(a: u32, b: u32) -> u32 {
    ((u64::from(a) * u64::from(b)) >> 32) as u32
}

/// `m · 2^(exponent − 31)`, rounded to nearest even, where the top bit of `m` is set; `sign` is 0 or 2^31.
#[inline(always)]
fn pack(sign: u32, exponent: i32, m: u32) -> f32 {
    let biased = exponent + 127;
    let shift = 8 + (1 - biased).clamp(0, 25) as u32;
    let m = u64::from(m);
    let rounded = ((m + (1 << (shift - 1)) - 1 + ((m >> shift) & 1)) >> shift) as u32;
    // The leading bit of a normal number carries into the exponent.
    let bits = ((biased.clamp(1, 255) as u32 - 1) << 23) + rounded;
    f32::from_bits(sign | if biased >= 255 { INFINITY } else { bits })
}

/// The magnitude's significand as an integer below 2^24 and its exponent: `m · 2^s`. The significand of a subnormal is
/// brought to 24 bits.
#[inline(always)]
fn significand(magnitude: u32) -> (u32, i32) {
    let field = (magnitude >> 23) as i32;
    let fraction = magnitude & 0x7f_ffff;
    let zeros = (fraction | 1).leading_zeros() as i32 - 8;
    if field == 0 { (fraction << zeros, -149 - zeros) } else { (fraction | 0x80_0000, field - 150) }
}

/// 2 to the power of `p · 2^−(32 + shift)`, negated if `negative`. `p` has up to 56 bits.
#[inline(always)]
fn exp2_scaled(p: u64, shift: i32, negative: bool) -> f32 {
    // Q.32; beyond 2^9 every power overflows or underflows.
    let t = if shift < 14 && p != 0 { 1 << 41 } else { p >> shift.clamp(0, 63) } as i64;
    let t = if negative { -t } else { t };
    let f = t as u32;
    let mut y = EXP2[6];
    for k in (0..6).rev() {
        y = EXP2[k] + mul_high(y, f);
    }
    pack(0, ((t >> 32) as i32).clamp(-200, 200), (1 << 31) + mul_high(y, f))
}

/// The exponential function.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    let (m, s) = significand(x.to_bits() & 0x7fff_ffff);
    let p = u64::from(m) * (LOG2_E >> 32) + ((u64::from(m) * (LOG2_E & 0xffff_ffff)) >> 32);
    let y = exp2_scaled(p, -1 - s, x < 0.0);
    if x.is_nan() { NAN } else { y }
}

/// 2 to the power of x.
#[inline(always)]
pub(crate) fn exp2(x: f32) -> f32 {
    let (m, s) = significand(x.to_bits() & 0x7fff_ffff);
    let y = exp2_scaled(u64::from(m) << 31, -1 - s, x < 0.0);
    if x.is_nan() { NAN } else { y }
}

/// log2 of a positive finite number: an integer and the rest, Q.62, in about ±0.53, with 36 good bits at least.
#[inline(always)]
fn log2_parts(bits: u32) -> (i32, i64) {
    let (m, s) = significand(bits);
    let i = (m >> 18) & 31;
    // Exact: m has 24 bits, the reciprocal 8. r is Q.31, below 2^-5.
    let r = m.wrapping_mul(RECIPROCAL[i as usize]).wrapping_sub(1 << 31) as i32;
    let scaled = i64::from(r << 5);
    let mut y = LOG2[6];
    for k in (0..6).rev() {
        y = LOG2[k].wrapping_add(((i64::from(y) * scaled) >> 32) as i32);
    }
    let r = i64::from(r);
    let slope = PER_LN2.wrapping_add(r * i64::from(y));
    let rest = ((r * (slope >> 32)) << 1).wrapping_add((r * (slope & 0xffff_ffff)) >> 31);
    (s + 23 + i32::from(i >= HALVED), rest.wrapping_add(LOG2_TABLE[i as usize] as i64))
}

/// The parts as sign, 64-bit significand with its top bit set (0 for 0) and exponent: `m · 2^(exponent − 63)`.
#[inline(always)]
fn log2_whole((whole, rest): (i32, i64)) -> (bool, u64, i32) {
    let (value, point) = if whole == 0 { (rest, 1) } else { ((i64::from(whole) << 53) + (rest >> 9), 10) };
    let magnitude = value.unsigned_abs();
    let zeros = (magnitude | 1).leading_zeros();
    (value < 0, magnitude << zeros, point - zeros as i32)
}

/// log2 of x times a factor in 1/2..1, Q.32, times 2^`more`.
#[inline(always)]
fn log_times(x: f32, factor: Option<u32>, more: i32) -> f32 {
    let (negative, m, exponent) = log2_whole(log2_parts(x.to_bits() & 0x7fff_ffff));
    let m = match factor {
        Some(factor) => (m >> 32) * u64::from(factor),
        None => m,
    };
    let zeros = (m | 1).leading_zeros();
    let y = pack(if negative { 1 << 31 } else { 0 }, exponent + more - zeros as i32, ((m << zeros) >> 32) as u32);
    let y = if m == 0 { 0.0 } else { y };
    match x {
        _ if x.is_nan() || x < 0.0 => NAN,
        _ if x == 0.0 => f32::NEG_INFINITY,
        _ if x == f32::INFINITY => x,
        _ => y,
    }
}

/// The natural logarithm.
#[inline(always)]
pub(crate) fn log(x: f32) -> f32 {
    log_times(x, Some(LN_2), 0)
}

/// The binary logarithm.
#[inline(always)]
pub(crate) fn log2(x: f32) -> f32 {
    log_times(x, None, 0)
}

/// The decimal logarithm.
#[inline(always)]
pub(crate) fn log10(x: f32) -> f32 {
    log_times(x, Some(LOG10_2), -1)
}

/// x to the power of y, with the special cases of IEEE 754.
#[inline(always)]
pub(crate) fn pow(x: f32, y: f32) -> f32 {
    let (xm, ym) = (x.to_bits() & 0x7fff_ffff, y.to_bits() & 0x7fff_ffff);
    let (m, s) = significand(ym);
    let (below_one, u, exponent) = log2_whole(log2_parts(xm));
    let p = u64::from(m) * (u >> 32) + ((u64::from(m) * (u & 0xffff_ffff)) >> 32);
    let magnitude = exp2_scaled(p, -(s + exponent + 1), below_one != (y < 0.0));
    // A whole y, and whether it is odd: bits at and behind the point.
    let places = -s;
    let whole = ym == 0 || places <= 0 || (places < 24 && m & ((1 << (places & 31)) - 1) == 0);
    let odd = whole && (0..24).contains(&places) && (m >> (places & 31)) & 1 == 1;
    let sign = if odd { x.to_bits() & 0x8000_0000 } else { 0 };
    let grows = (xm > 0x3f80_0000) == (y > 0.0);
    let unbounded = if grows { INFINITY } else { 0 };
    let bits = match () {
        _ if ym == 0 || x.to_bits() == 0x3f80_0000 => 0x3f80_0000,
        _ if xm > INFINITY || ym > INFINITY => NAN.to_bits(),
        _ if xm == 0x3f80_0000 && ym == INFINITY => 0x3f80_0000,
        _ if xm == 0 || xm == INFINITY || ym == INFINITY => sign | unbounded,
        _ if x < 0.0 && !whole => NAN.to_bits(),
        _ => sign | magnitude.to_bits(),
    };
    f32::from_bits(bits)
}

/// The sine, or the cosine if `cosine` is 1.
#[inline(always)]
fn circular(x: f32, cosine: u32) -> f32 {
    let magnitude = x.to_bits() & 0x7fff_ffff;
    let (m, s) = significand(magnitude);
    // The bits of 2/π that matter for the quadrant and 62 bits of the way through it (Payne and Hanek).
    let from = (62 + s).clamp(0, 191) as u32;
    let word = |k: usize| {
        let at = (from / 32) as usize + k;
        let pair = u64::from(TWO_PER_PI[at]) << 32 | u64::from(TWO_PER_PI[at + 1]);
        (pair >> (32 - from % 32)) as u32
    };
    let m = u64::from(m);
    let turns =
        ((m * u64::from(word(2))) >> 32).wrapping_add(m * u64::from(word(1))).wrapping_add((m * u64::from(word(0))) << 32);
    let quadrant = (turns.wrapping_add(1 << 61) >> 62) as u32;
    let r = turns.wrapping_sub(u64::from(quadrant) << 62) as i64;
    let a = r.unsigned_abs();
    let z = (a >> 30) as u32;
    let z = mul_high(z, z);
    let quadrant = quadrant + cosine;
    let horner = |table: &[u32; 6]| {
        let mut y = table[5];
        for k in (0..5).rev() {
            y = table[k] - mul_high(y, z);
        }
        y
    };
    let zeros = (a | 1).leading_zeros();
    let product = u64::from(((a << zeros) >> 32) as u32) * u64::from(horner(&SIN));
    let sine_zeros = (product | 1).leading_zeros();
    let sine = (((product << sine_zeros) >> 32) as u32, 2 - zeros as i32 - sine_zeros as i32);
    let rest = (1 << 31) - mul_high(horner(&COS), z);
    let cosine_zeros = rest.leading_zeros();
    let (m, exponent) = if quadrant & 1 == 1 { (rest << cosine_zeros, -(cosine_zeros as i32)) } else { sine };
    let flip = (quadrant >> 1) ^ if quadrant & 1 == 1 { 0 } else { u32::from(r < 0) };
    let sign = (flip << 31) ^ if cosine == 1 { 0 } else { x.to_bits() & 0x8000_0000 };
    let y = pack(sign, exponent, m);
    match () {
        _ if magnitude >= INFINITY => NAN,
        // Below 2^-13 the next term of the series is far below half an ulp.
        _ if magnitude < 0x3900_0000 => {
            if cosine == 1 {
                1.0
            } else {
                x
            }
        }
        _ => y,
    }
}

/// The sine.
#[inline(always)]
pub(crate) fn sin(x: f32) -> f32 {
    circular(x, 0)
}

/// The cosine.
#[inline(always)]
pub(crate) fn cos(x: f32) -> f32 {
    circular(x, 1)
}
