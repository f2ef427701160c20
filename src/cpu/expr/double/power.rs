//! Powers of binary64 on blocks, as [`super`] says.

use super::{Block, EXP, TO_INT, exponent, high, is_positive_normal, pairs, upper};
use crate::cpu::simd::{Kernel, Simd};

/// Powers of all elements of two blocks. The answer is whether this level has vectors for them.
pub(in crate::cpu::expr) fn power(a: &Block, b: &Block, out: &mut Block, simd: Simd) -> bool {
    simd.run(Pow(a, b, out))
}

struct Pow<'a>(&'a Block, &'a Block, &'a mut Block);

impl Kernel for Pow<'_> {
    type Output = bool;

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> bool {
        pairs::<BYTES>(self.0, self.1, self.2, |x, y| power_of(x, log2_in_parts(x.to_bits()), y), libm::pow)
    }
}

/// The logarithm to base 2 of a positive normal number, in two parts, the first with its lower half empty.
#[inline(always)]
fn log2_in_parts(bits: u64) -> [f64; 2] {
    const L: [f64; 6] = [
        f64::from_bits(0x3fe3_3333_3333_3303),
        f64::from_bits(0x3fdb_6db6_db6f_abff),
        f64::from_bits(0x3fd5_5555_518f_264d),
        f64::from_bits(0x3fd1_7460_a91d_4101),
        f64::from_bits(0x3fcd_864a_93c9_db65),
        f64::from_bits(0x3fca_7e28_4a45_4eef),
    ];
    /// 2 / (3 ln 2), its upper part, and the rest.
    const CP: [f64; 3] =
        [f64::from_bits(0x3fee_c709_dc3a_03fd), f64::from_bits(0x3fee_c709_e000_0000), f64::from_bits(0xbe3e_2fe0_145b_01f5)];
    /// The logarithm of 1.5.
    const DP: [f64; 2] = [f64::from_bits(0x3fe2_b803_4000_0000), f64::from_bits(0x3e4c_fdeb_43cf_d006)];
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
    let r = s2 * s2 * (L[0] + s2 * (L[1] + s2 * (L[2] + s2 * (L[3] + s2 * (L[4] + s2 * L[5])))));
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

/// A power of `x` with this logarithm, and whether it is known: of positive normal numbers to powers of no special kind, where the
/// result is normal too.
#[inline(always)]
fn power_of(x: f64, [t1, t2]: [f64; 2], y: f64) -> (f64, bool) {
    const LN2: [f64; 3] =
        [f64::from_bits(0x3fe6_2e42_fefa_39ef), f64::from_bits(0x3fe6_2e43_0000_0000), f64::from_bits(0xbe20_5c61_0ca8_6c39)];
    let y1 = upper(y);
    let p_l = (y - y1) * t1 + y * t2;
    let p_h = y1 * t1;
    let z = p_l + p_h;
    // The nearest integer by the upper half, up to a half 0.
    let near = (upper(z).abs() + 0.5).trunc().copysign(z);
    let n = if high(z) > 0x3fe0_0000 { near } else { 0.0 };
    let p_h = p_h - n;
    let t = upper(p_l + p_h);
    let u = t * LN2[1];
    let v = (p_l - (t - p_h)) * LN2[0] + t * LN2[2];
    let w = u + v;
    let less = v - (w - u);
    let t = w * w;
    let t1 = w - t * (EXP[0] + t * (EXP[1] + t * (EXP[2] + t * (EXP[3] + t * EXP[4]))));
    let r = (w * t1) / (t1 - 2.0) - (less + w * less);
    let power = (1.0 - (r - w)).to_bits().wrapping_add((n + TO_INT).to_bits() << 52);
    let result = if y == 0.5 { x.sqrt() } else { f64::from_bits(power) };
    // Up to 2^31; 1 and 2 are products.
    let ordinary = (high(y) <= 0x41e0_0000) & (y != 0.0) & (y.abs() != 1.0) & (y != 2.0);
    (result, is_positive_normal(x.to_bits()) & (x != 1.0) & ordinary & ((z.abs() < 1020.0) | (y == 0.5)))
}

#[cfg(test)]
mod tests {
    use super::super::LANES;
    use super::*;
    use crate::Philox4x32;

    /// Compares powers with the crate, at every level.
    fn check_powers(a: &Block, b: &Block) {
        for simd in Simd::available() {
            let mut out = [0.0; LANES];
            if !power(a, b, &mut out, simd) {
                assert!(cfg!(target_arch = "x86_64") && simd == Simd::Portable);
                continue;
            }
            for ((&x, &y), z) in a.iter().zip(b).zip(out) {
                let expected = libm::pow(x, y);
                let same = z.to_bits() == expected.to_bits() || z.is_nan() && expected.is_nan();
                assert!(same, "{simd:?} {x:e} ** {y:e}: {z:e}, not {expected:e}");
            }
        }
    }

    #[test]
    fn powers_have_the_bits_of_the_crate() {
        let philox = Philox4x32::new(6);
        let special =
            [0.0, 1.0, 0.5, 2.0, -2.0, 3.0, 5e-324, f64::MAX, f64::INFINITY, f64::NAN, 1.5, 0.25, 1e10, 1.7320508075688772];
        for round in 0..96u64 {
            let pick = |i: usize, kind: u64| {
                let [a, b, c, d] = philox.block((round * LANES as u64 + i as u64) * 2 + kind % 2);
                let bits = u64::from(a) << 32 | u64::from(b);
                let unit = bits as f64 / 2f64.powi(64);
                match kind / 2 % 7 {
                    0 => f64::from_bits(bits),
                    1 => special[c as usize % special.len()] * if d % 2 == 0 { 1.0 } else { -1.0 },
                    2 => 10.0 * unit,
                    3 => 1.0 + (unit - 0.5) * 2f64.powi(-((c % 50) as i32)),
                    4 => f64::from(c % 64) * 0.5 - 16.0,
                    5 => 300.0 * unit - 150.0,
                    // Significands about √½, √1.5 and √3, where what they are divided by changes.
                    _ => {
                        f64::from_bits([0x3ff3_988e_u64, 0x3ffb_b67a, 0x3fe6_a09e][c as usize % 3] << 32 | bits >> 32)
                            * 2f64.powi((d % 40) as i32 - 20)
                    }
                }
            };
            let kinds = [(0, 1), (2, 3), (4, 11), (6, 5), (4, 9), (12, 5), (12, 11), (4, 3), (2, 9), (6, 1), (12, 13), (8, 9)];
            let (x, y) = kinds[round as usize % kinds.len()];
            check_powers(&std::array::from_fn(|i| pick(i, x)), &std::array::from_fn(|i| pick(i, y)));
            check_powers(&std::array::from_fn(|i| pick(i, x).abs()), &std::array::from_fn(|i| pick(i, y)));
            check_powers(&std::array::from_fn(|i| pick(i, 4)), &[0.5 + 0.25 * (round % 9) as f64; LANES]);
        }
    }
}
