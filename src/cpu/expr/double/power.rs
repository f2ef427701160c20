//! Powers of binary64 on blocks, as [`super`] says.

use super::{Block, TO_INT, high, is_positive_normal, pairs};
use crate::cpu::simd::{Kernel, Simd};
use crate::expr::msun::{Power, log2_in_parts, power_in_parts};
use crate::expr::pow;

/// Powers of all elements of two blocks. The answer is whether this level has vectors for them.
pub(in crate::cpu::expr) fn power(a: &Block, b: &Block, out: &mut Block, simd: Simd) -> bool {
    simd.run(Pow(a, b, out))
}

struct Pow<'a>(&'a Block, &'a Block, &'a mut Block);

impl Kernel for Pow<'_> {
    type Output = bool;

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> bool {
        pairs::<BYTES>(self.0, self.1, self.2, power_of, pow)
    }
}

/// A power of `x`, and whether it is known: of positive normal numbers to powers of no special kind, where the
/// result is normal too.
#[inline(always)]
fn power_of(x: f64, y: f64) -> (f64, bool) {
    let Power { parts: [p_h, p_l], n, fraction } = power_in_parts(log2_in_parts(x.to_bits()), y);
    let power = fraction.to_bits().wrapping_add((n + TO_INT).to_bits() << 52);
    let result = if y == 0.5 { x.sqrt() } else { f64::from_bits(power) };
    // Up to 2^64; 1 and 2 are products.
    let ordinary = (high(y) <= 0x43f0_0000) & (y != 0.0) & (y.abs() != 1.0) & (y != 2.0);
    (result, is_positive_normal(x.to_bits()) & (x != 1.0) & ordinary & (((p_l + p_h).abs() < 1020.0) | (y == 0.5)))
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
                let expected = pow(x, y);
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
