//! Numbers of binary32 and their squares as integers on a grid, with AVX2: `n = x · 2^g`, below 2^51, is the lower part of the bits of
//! `x · 2^g + 1.5 · 2^52`, exact where the processor's inexact flag stays clear. Its halves of 26 bits are multiplied as integers, so
//! that sums of 64 bits hold `Σn`, and `Σn²` in three parts. Numbers may be 2^27 times smaller than the largest one.

mod columns;

use std::arch::asm;

pub(crate) use columns::{Columns, GROUP, HEIGHT, sums_of_columns};

use super::fast::exponent;

/// Numbers of one call at most: so many products fit the lanes.
pub(super) const BLOCK: usize = 4096;

/// The exponent of the largest binary32 number.
pub(crate) const MOST_TOP: i32 = 127;

/// Numbers of a step.
const STEP: usize = 8;
/// Bits of the lower half of an integer.
const HALF: u32 = 26;
/// MXCSR with all exceptions masked, rounding to nearest, subnormals kept, and no flag set.
const CLEAN: u32 = 0x1f80;
/// The inexact flag.
const INEXACT: u32 = 1 << 5;

/// Sums in units of `2^-grid` and of its square.
#[derive(Debug, PartialEq)]
pub(super) struct Sums {
    pub(super) sum: i64,
    pub(super) squares: i128,
}

/// `g`, for numbers below `2^(top + 1)`.
pub(crate) fn grid(top: i32) -> i32 {
    50 - top
}

/// What a call of [`add`] takes and gives, lane by lane.
#[derive(Debug, Default)]
#[repr(C, align(32))]
struct Lanes {
    sum: [i64; 4],
    upper: [i64; 4],
    mixed: [i64; 4],
    lower: [i64; 4],
    /// The bits of the largest magnitudes.
    largest: [u32; 8],
}

/// The sums of at most [`BLOCK`] numbers below `2^(top + 1)` and of their squares, if all are multiples of `2^-grid(top)`.
///
/// # Safety
/// The CPU must have AVX2 and FMA.
pub(super) unsafe fn sums(values: &[f32], top: i32) -> Option<Sums> {
    debug_assert!(values.len() <= BLOCK);
    let scale = f64::from_bits(((grid(top) + 1023) as u64) << 52);
    let (whole, rest) = values.as_chunks::<STEP>();
    let mut last = [0.0; STEP];
    last[..rest.len()].copy_from_slice(rest);
    let mut lanes = Lanes::default();
    // SAFETY: the caller's promise; as many numbers as there are.
    unsafe {
        let exact = whole.is_empty() || add(whole.as_ptr().cast(), whole.len(), scale, &mut lanes);
        if !(exact && (rest.is_empty() || add(last.as_ptr(), 1, scale, &mut lanes))) {
            return None;
        }
    }
    let largest = lanes.largest.into_iter().max().unwrap_or(0);
    if exponent(f64::from(f32::from_bits(largest))) > top.min(MOST_TOP) {
        return None;
    }
    let total = |lanes: &[i64; 4]| lanes.iter().map(|&lane| i128::from(lane)).sum::<i128>();
    let squares = (total(&lanes.upper) << (2 * HALF)) + (total(&lanes.mixed) << (HALF + 1)) + total(&lanes.lower);
    Some(Sums { sum: lanes.sum.iter().sum(), squares })
}

/// Adds `steps` times 8 numbers. The answer is whether all were integers.
///
/// # Safety
/// As [`sums`]; `values` must be good for as many numbers, and `steps` not be 0.
#[target_feature(enable = "avx2,fma")]
unsafe fn add(values: *const f32, steps: usize, scale: f64, lanes: &mut Lanes) -> bool {
    let mut csr = [0, CLEAN, CLEAN];
    let constants = [scale.to_bits(), 0x433 << 52 | 1 << 51, (1 << HALF) - 1, 0x7fff_ffff_7fff_ffff];
    // SAFETY: the caller's promise. Flags are left alone only within one piece of assembly.
    unsafe {
        asm!(
            "stmxcsr [{csr}]",
            "ldmxcsr [{csr} + 4]",
            "vbroadcastsd ymm12, [{constants}]",
            "vbroadcastsd ymm13, [{constants} + 8]",
            "vbroadcastsd ymm14, [{constants} + 16]",
            "vbroadcastsd ymm15, [{constants} + 24]",
            "vmovdqa ymm0, [{lanes}]",
            "vmovdqa ymm1, [{lanes} + 32]",
            "vmovdqa ymm2, [{lanes} + 64]",
            "vmovdqa ymm3, [{lanes} + 96]",
            "vmovdqa ymm4, [{lanes} + 128]",
            "2:",
            "prefetcht1 [{values} + 8192]",
            "vcvtps2pd ymm5, [{values}]",
            "vcvtps2pd ymm6, [{values} + 16]",
            "vpand ymm7, ymm15, [{values}]",
            "vfmadd213pd ymm5, ymm12, ymm13",
            "vfmadd213pd ymm6, ymm12, ymm13",
            "vpmaxud ymm4, ymm4, ymm7",
            "vpsubq ymm5, ymm5, ymm13",
            "vpsubq ymm6, ymm6, ymm13",
            "vpsrlq ymm7, ymm5, 26",
            "vpsrlq ymm8, ymm6, 26",
            "vpaddq ymm0, ymm0, ymm5",
            "vpand ymm5, ymm5, ymm14",
            "vpaddq ymm0, ymm0, ymm6",
            "vpand ymm6, ymm6, ymm14",
            "vpmuldq ymm9, ymm7, ymm7",
            "vpmuldq ymm7, ymm7, ymm5",
            "vpmuldq ymm5, ymm5, ymm5",
            "vpmuldq ymm10, ymm8, ymm8",
            "vpmuldq ymm8, ymm8, ymm6",
            "vpmuldq ymm6, ymm6, ymm6",
            "vpaddq ymm1, ymm1, ymm9",
            "vpaddq ymm2, ymm2, ymm7",
            "vpaddq ymm3, ymm3, ymm5",
            "vpaddq ymm1, ymm1, ymm10",
            "vpaddq ymm2, ymm2, ymm8",
            "vpaddq ymm3, ymm3, ymm6",
            "add {values}, 32",
            "dec {steps}",
            "jnz 2b",
            "vmovdqa [{lanes}], ymm0",
            "vmovdqa [{lanes} + 32], ymm1",
            "vmovdqa [{lanes} + 64], ymm2",
            "vmovdqa [{lanes} + 96], ymm3",
            "vmovdqa [{lanes} + 128], ymm4",
            "stmxcsr [{csr} + 8]",
            "ldmxcsr [{csr}]",
            "vzeroupper",
            values = inout(reg) values => _, steps = inout(reg) steps => _, constants = in(reg) constants.as_ptr(),
            lanes = in(reg) lanes as *mut Lanes, csr = in(reg) csr.as_mut_ptr(),
            out("ymm0") _, out("ymm1") _, out("ymm2") _, out("ymm3") _, out("ymm4") _, out("ymm5") _, out("ymm6") _, out("ymm7") _,
            out("ymm8") _, out("ymm9") _, out("ymm10") _, out("ymm11") _, out("ymm12") _, out("ymm13") _, out("ymm14") _,
            out("ymm15") _,
            options(nostack)
        );
    }
    csr[2] & INEXACT == 0
}

#[cfg(test)]
mod tests {
    use super::super::tests::bits;
    use super::*;

    /// A number on the grid, of one of `range` exponents from the largest on down; 0 for what is none.
    pub(super) fn number(word: u64, top: i32, range: u64) -> f32 {
        let significand = ((word as i64 >> 40) | 1 << 23) as f64;
        let x = (significand * 2f64.powi(50 - 23 - (word % range) as i32 - grid(top))) as f32;
        if x.is_finite() && exponent(f64::from(x)) <= top { x } else { 0.0 }
    }

    #[test]
    fn an_answer_is_exact_and_none_is_given_otherwise() {
        if !(is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")) {
            return;
        }
        let mut state = 31;
        for n in [0, 1, 7, 8, 9, 100, BLOCK - 1, BLOCK] {
            for top in [0, 127, -100, -149] {
                // Integers on the grid: of all sizes, or as large as can be.
                for range in [27, 1] {
                    let unit = 2f64.powi(-grid(top));
                    let mut values: Vec<f32> = (0..n).map(|_| number(bits(&mut state), top, range)).collect();
                    if range == 1 && n > 0 {
                        let most = if top == 127 { f32::MAX } else { values[0] };
                        values.fill(-most);
                    }
                    let expected = |x: f32| (f64::from(x) / unit) as i64;
                    let sum = values.iter().map(|&x| expected(x)).sum();
                    let squares = values.iter().map(|&x| i128::from(expected(x)).pow(2)).sum();
                    // SAFETY: the instructions are there.
                    let found = unsafe { sums(&values, top) };
                    assert_eq!(found, Some(Sums { sum, squares }), "{n} {top} {range}");
                }
            }
            for wrong in
                [2f32.powi(-51), 1.1 * 2f32.powi(-30), 2.0, -f32::MAX, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, -f32::NAN]
            {
                let mut values = vec![1f32; n];
                if n > 0 {
                    values[n / 2] = wrong;
                    // SAFETY: as above.
                    assert_eq!(unsafe { sums(&values, 0) }, None, "{n} {wrong:e}");
                }
            }
        }
    }
}
