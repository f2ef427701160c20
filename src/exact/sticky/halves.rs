//! Sums on AVX2, see the folder's head: instructions there cannot suppress the flag, so nothing may be rounded on purpose.
//!
//! A binary32 number goes to one level as it is. A binary64 number is cut in two after 27 bits, by a mask, wherever its exponent is:
//! both halves are exact, and each has a level. Numbers may be 2^15 times smaller than the largest one, or more if their last
//! bits are 0. That is four operations, three of them additions, where an extraction that is checked takes nine.

use std::arch::asm;

use super::{Float, Vector, run};

/// Levels of halves.
pub(crate) const HALVES: usize = 2;
/// Bits of the upper half.
const UPPER: i32 = 27;
/// Clears the lower half.
const MASK: u64 = u64::MAX << (53 - UPPER);

/// The exponents of the constants of levels for the halves of numbers whose first level has `first`.
pub(crate) fn levels(first: i32) -> [i32; HALVES] {
    [first, (first - UPPER).max(-1022)]
}

/// The sum of some binary32 numbers on a level's grid, if it is exact.
///
/// # Safety
/// The CPU must have AVX2.
pub(crate) unsafe fn sum_whole(values: &[f32], exponents: [i32; 1]) -> Option<[i64; 1]> {
    // SAFETY: the caller's promise.
    unsafe { run::<f32, 1, 4>(whole, 32, (values, values), exponents) }
}

/// The sums of the halves of some binary64 numbers on each level's grid, if they are exact.
///
/// # Safety
/// The CPU must have AVX2 and FMA.
pub(crate) unsafe fn sum_halves<T: Float>(values: &[T], exponents: [i32; HALVES]) -> Option<[i64; HALVES]> {
    let values = T::wide(values)?;
    // SAFETY: the caller's promise.
    unsafe { run::<f64, HALVES, 2>(halves, 16, (values, values), exponents) }
}

/// The body of a kernel: `$text` is done `n` times, on eight registers of lanes, and moves on by 128 bytes; `ymm14` and `ymm15` hold
/// [`MASK`] and ones at first.
macro_rules! kernel {
    ($a:ident, $n:ident, $lanes:ident, $csr:ident, $($text:literal)*) => {{
        let constants = [MASK, 1f64.to_bits()];
        asm!(
            lanes!(load "ymm0" "0" "ymm1" "32" "ymm2" "64" "ymm3" "96" "ymm4" "128" "ymm5" "160" "ymm6" "192" "ymm7" "224"),
            "vbroadcastsd ymm14, [{constants}]",
            "vbroadcastsd ymm15, [{constants} + 8]",
            "2:",
            ahead!("{a}" "0" "{a}" "64"),
            $($text,)*
            "add {a}, 128",
            "dec {n}",
            "jnz 2b",
            lanes!(store "ymm0" "0" "ymm1" "32" "ymm2" "64" "ymm3" "96" "ymm4" "128" "ymm5" "160" "ymm6" "192" "ymm7" "224"),
            "vzeroupper",
            a = inout(reg) $a => _, n = inout(reg) $n => _, lanes = in(reg) $lanes, csr = in(reg) $csr.as_mut_ptr(),
            constants = in(reg) constants.as_ptr(),
            out("ymm0") _, out("ymm1") _, out("ymm2") _, out("ymm3") _, out("ymm4") _, out("ymm5") _, out("ymm6") _,
            out("ymm7") _, out("ymm8") _, out("ymm9") _, out("ymm10") _, out("ymm11") _, out("ymm12") _, out("ymm13") _,
            out("ymm14") _, out("ymm15") _,
            options(nostack)
        );
    }};
}

/// 32 numbers at a time.
#[target_feature(enable = "avx2")]
unsafe fn whole(a: *const f32, _: *const f32, n: usize, lanes: *mut Vector, csr: &mut [u32; 3]) {
    // SAFETY: the caller's promise: the elements and lanes that are read and written.
    unsafe {
        kernel!(
            a, n, lanes, csr,
            "vcvtps2pd ymm8, [{a}]"
            "vcvtps2pd ymm9, [{a} + 16]"
            "vcvtps2pd ymm10, [{a} + 32]"
            "vcvtps2pd ymm11, [{a} + 48]"
            "vcvtps2pd ymm12, [{a} + 64]"
            "vcvtps2pd ymm13, [{a} + 80]"
            "vcvtps2pd ymm14, [{a} + 96]"
            "vcvtps2pd ymm15, [{a} + 112]"
            "vaddpd ymm0, ymm0, ymm8"
            "vaddpd ymm1, ymm1, ymm9"
            "vaddpd ymm2, ymm2, ymm10"
            "vaddpd ymm3, ymm3, ymm11"
            "vaddpd ymm4, ymm4, ymm12"
            "vaddpd ymm5, ymm5, ymm13"
            "vaddpd ymm6, ymm6, ymm14"
            "vaddpd ymm7, ymm7, ymm15"
        );
    }
}

/// 16 numbers at a time. Fused subtractions have units of their own.
#[target_feature(enable = "avx2,fma")]
unsafe fn halves(a: *const f64, _: *const f64, n: usize, lanes: *mut Vector, csr: &mut [u32; 3]) {
    // SAFETY: the caller's promise: the elements and lanes that are read and written.
    unsafe {
        kernel!(
            a, n, lanes, csr,
            "vmovupd ymm8, [{a}]"
            "vmovupd ymm9, [{a} + 32]"
            "vmovupd ymm10, [{a} + 64]"
            "vandpd ymm11, ymm14, ymm8"
            "vandpd ymm12, ymm14, ymm9"
            "vandpd ymm13, ymm14, ymm10"
            "vfnmadd231pd ymm8, ymm11, ymm15"
            "vfnmadd231pd ymm9, ymm12, ymm15"
            "vfnmadd231pd ymm10, ymm13, ymm15"
            "vaddpd ymm0, ymm0, ymm11"
            "vaddpd ymm1, ymm1, ymm12"
            "vaddpd ymm2, ymm2, ymm13"
            "vmovupd ymm11, [{a} + 96]"
            "vaddpd ymm4, ymm4, ymm8"
            "vandpd ymm12, ymm14, ymm11"
            "vaddpd ymm5, ymm5, ymm9"
            "vfnmadd231pd ymm11, ymm12, ymm15"
            "vaddpd ymm6, ymm6, ymm10"
            "vaddpd ymm3, ymm3, ymm12"
            "vaddpd ymm7, ymm7, ymm11"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::ExactSum;
    use super::super::super::fast::exponents;
    use super::super::super::tests::bits;
    use super::super::tests::total;
    use super::*;
    use crate::cpu::simd::Simd;

    #[test]
    fn an_answer_is_exact_and_none_is_given_otherwise() {
        if !Simd::available().contains(&Simd::Avx2) {
            return;
        }
        let mut state = 12;
        for n in [1, 15, 16, 17, 31, 32, 33, 1000, 4096] {
            // Of magnitudes from 2^-14 to 1 with all their bits, and from 2^-30 with fewer.
            let wide: Vec<f64> = (0..n)
                .map(|_| {
                    let word = bits(&mut state);
                    (1.0 + (word >> 12) as f64 * 2f64.powi(-52)) * 2f64.powi(-1 - (word % 14) as i32) * [1.0, -1.0][n % 2]
                })
                .collect();
            let narrow: Vec<f32> = (0..n).map(|_| ((bits(&mut state) as i64 >> 40) | 1 << 16) as f32 * 2f32.powi(-24)).collect();
            let [first] = exponents::<1>(-1);
            // SAFETY: AVX2 is there, and with it FMA.
            unsafe {
                let found = sum_halves(&wide, levels(first)).unwrap();
                assert_eq!(total(found, levels(first)), wide.iter().copied().collect(), "{n}");
                let found = sum_whole(&narrow, [first]).unwrap();
                let exact = narrow.iter().copied().map(f64::from).collect::<ExactSum>();
                assert_eq!(total(found, [first]), exact, "{n}");
                assert_eq!(sum_halves(&narrow, levels(first)), None);
                // Too fine for the levels, too large for the first one, or not finite.
                for wrong in [2f64.powi(-100), 1.1 * 2f64.powi(-30), f64::MAX, f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
                    let mut values = wide.clone();
                    values[n / 2] = wrong;
                    assert_eq!(sum_halves(&values, levels(first)), None, "{n} {wrong}");
                }
                for wrong in [2f32.powi(-100), f32::MAX, f32::INFINITY, f32::NAN] {
                    let mut values = narrow.clone();
                    values[n / 2] = wrong;
                    assert_eq!(sum_whole(&values, [first]), None, "{n} {wrong}");
                }
            }
        }
    }
}
