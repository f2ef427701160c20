//! Exact sums of numbers and of their squares, side by side.
//!
//! With AVX-512 IFMA, binary32 numbers are taken as integers on a grid: `n = x · 2^g`, below 2^51. Where all of them are such
//! integers, which the processor's flags tell once per slice, `Σn` is a sum of 64 bits and `Σn²` the lower and upper 52 bits of
//! the products, summed apart: together a third of the instructions that two extractions take. Numbers may be 2^27 times
//! smaller than the largest one.

use super::ExactSum;
use super::accumulator::Accumulator;
use super::fast::Float;
use crate::cpu::simd::Simd;

/// Numbers of one call of the kernel at most: so many products fit the lanes, and the first-level cache.
pub(crate) const MOST: usize = 4096;

/// The exact sums of some numbers and of their squares, in the making.
pub(crate) struct WithSquares {
    sum: Accumulator,
    squares: Accumulator,
    /// The exponent of the largest number expected.
    #[cfg(target_arch = "x86_64")]
    top: i32,
    /// Slices until integers are tried again.
    #[cfg(target_arch = "x86_64")]
    pause: u32,
}

impl WithSquares {
    pub(crate) fn new() -> Self {
        Self {
            sum: Accumulator::new(),
            squares: Accumulator::new(),
            #[cfg(target_arch = "x86_64")]
            top: i32::MIN,
            #[cfg(target_arch = "x86_64")]
            pause: 0,
        }
    }

    /// Adds some numbers and their squares: of binary32 exact, of binary64 exact but for what falls below 2^-1074.
    pub(crate) fn extend<T: Float>(&mut self, values: &[T], simd: Simd) {
        #[cfg(target_arch = "x86_64")]
        if let Some(values) = T::narrow(values).filter(|_| integers::can(simd)) {
            return values.chunks(MOST).for_each(|values| {
                if !self.extend_integers(values, simd) {
                    self.sum.extend(values, simd);
                    self.squares.extend_squares(values, simd);
                }
            });
        }
        self.sum.extend(values, simd);
        match T::narrow(values) {
            // 24 bits times 24 bits: binary64 holds them.
            Some(values) => self.squares.extend_squares(values, simd),
            None => values.chunks(MOST).for_each(|values| self.extend_double(values, simd)),
        }
    }

    fn extend_double<T: Float>(&mut self, values: &[T], simd: Simd) {
        #[cfg(target_arch = "x86_64")]
        if self.squares.add_products(values, values, simd) {
            return;
        }
        let mut parts = Vec::with_capacity(2 * values.len());
        for value in values.iter().map(|value| value.widen()) {
            let square = value * value;
            parts.push(square);
            // Nothing is left of an infinite square; of a finite one, what was rounded away.
            if square.is_finite() {
                parts.push(value.mul_add(value, -square));
            }
        }
        self.squares.extend(&parts, simd);
    }

    /// Adds at most [`MOST`] numbers as integers, if they are such.
    #[cfg(target_arch = "x86_64")]
    fn extend_integers(&mut self, values: &[f32], simd: Simd) -> bool {
        use super::fast::{Largest, exponent};
        if self.pause > 0 {
            self.pause -= 1;
            return false;
        }
        for _ in 0..2 {
            if self.top > i32::MIN {
                let grid = integers::grid(self.top);
                // SAFETY: `can` found the instructions.
                if let Some(found) = unsafe { integers::sums(values, grid) } {
                    self.sum.note(!found.any && values.iter().all(|x| x.to_bits() == 1 << 31));
                    self.squares.note(false);
                    self.sum.add(found.sum, -grid);
                    self.squares.add(found.squares, -2 * grid);
                    return true;
                }
            }
            let top = exponent(simd.run(Largest(values)));
            if top == self.top || top > 127 {
                break;
            }
            self.top = top;
        }
        self.pause = integers::PATIENCE;
        false
    }

    /// The sum, and the sum of the squares.
    pub(crate) fn to_sums(&self) -> [ExactSum; 2] {
        [self.sum.to_sum(), self.squares.to_sum()]
    }
}

#[cfg(target_arch = "x86_64")]
mod integers {
    use std::arch::asm;

    use super::MOST;
    use crate::cpu::simd::Simd;

    /// Slices without integers after slices that were none.
    pub(super) const PATIENCE: u32 = 16;
    /// Numbers that a step takes.
    const STEP: usize = 32;
    /// MXCSR with all exceptions masked, rounding to nearest, subnormals kept, and no flag set.
    const CLEAN: u32 = 0x1f80;
    /// The flags of an invalid operation, overflow, underflow and an inexact result.
    const FLAGS: u32 = 1 | 1 << 3 | 1 << 4 | 1 << 5;

    pub(super) struct Sums {
        pub(super) sum: i128,
        pub(super) squares: i128,
        /// Whether any number is not 0.
        pub(super) any: bool,
    }

    /// Whether the CPU has the instructions, and may use them.
    pub(super) fn can(simd: Simd) -> bool {
        simd == Simd::Avx512 && is_x86_feature_detected!("avx512ifma")
    }

    /// `g`, for numbers below `2^(top + 1)`: `2^g` is a normal number of binary32.
    pub(super) fn grid(top: i32) -> i32 {
        (50 - top).clamp(-126, 127)
    }

    /// The sums of the numbers times `2^grid` and of their squares, if all are integers below 2^52.
    ///
    /// # Safety
    /// The CPU must have AVX-512 F, DQ, VL and IFMA.
    pub(super) unsafe fn sums(values: &[f32], grid: i32) -> Option<Sums> {
        debug_assert!(values.len() <= MOST);
        let scale = f32::from_bits(((grid + 127) as u32) << 23);
        let (whole, rest) = values.as_chunks::<STEP>();
        let mut last = [0.0; STEP];
        last[..rest.len()].copy_from_slice(rest);
        let mut lanes = [[0; 8]; 4];
        // SAFETY: the caller's promise; as many numbers as there are.
        unsafe {
            let exact = whole.is_empty() || add(whole.as_ptr().cast(), whole.len(), scale, &mut lanes);
            if !(exact && (rest.is_empty() || add(last.as_ptr(), 1, scale, &mut lanes))) {
                return None;
            }
        }
        let [sum, low, high, seen] = &lanes;
        let seen = seen.iter().fold(0, |all, &lane| all | lane);
        let total = |lanes: &[u64; 8]| lanes.iter().map(|&lane| i128::from(lane)).sum::<i128>();
        let sum = sum.iter().map(|&lane| i128::from(lane as i64)).sum();
        (seen >> 52 == 0).then(|| Sums { sum, squares: total(low) + (total(high) << 52), any: seen != 0 })
    }

    /// Adds `steps` times 32 numbers: their sum to the first lanes, the lower and the upper 52 bits of their squares to the next two,
    /// and all bits of their magnitudes to the last. The answer is whether all were integers.
    ///
    /// # Safety
    /// As [`sums`]; `values` must be good for as many numbers, and `steps` not be 0.
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    unsafe fn add(values: *const f32, steps: usize, scale: f32, lanes: &mut [[u64; 8]; 4]) -> bool {
        let mut csr = [0, CLEAN, CLEAN];
        // SAFETY: the caller's promise. Flags are left alone only within one piece of assembly.
        unsafe {
            asm!(
                "stmxcsr [{csr}]",
                "ldmxcsr [{csr} + 4]",
                "vbroadcastss ymm31, {scale}",
                "vmovdqu64 zmm0, [{lanes}]",
                "vmovdqu64 zmm1, [{lanes} + 64]",
                "vmovdqu64 zmm2, [{lanes} + 128]",
                "vmovdqu64 zmm3, [{lanes} + 192]",
                "vpxorq zmm4, zmm4, zmm4",
                "vpxorq zmm5, zmm5, zmm5",
                "vpxorq zmm6, zmm6, zmm6",
                "2:",
                "vmulps ymm16, ymm31, [{values}]",
                "vmulps ymm17, ymm31, [{values} + 32]",
                "vmulps ymm18, ymm31, [{values} + 64]",
                "vmulps ymm19, ymm31, [{values} + 96]",
                "vcvtps2qq zmm16, ymm16",
                "vcvtps2qq zmm17, ymm17",
                "vcvtps2qq zmm18, ymm18",
                "vcvtps2qq zmm19, ymm19",
                "vpaddq zmm0, zmm0, zmm16",
                "vpaddq zmm4, zmm4, zmm17",
                "vpaddq zmm0, zmm0, zmm18",
                "vpaddq zmm4, zmm4, zmm19",
                "vpabsq zmm16, zmm16",
                "vpabsq zmm17, zmm17",
                "vpabsq zmm18, zmm18",
                "vpabsq zmm19, zmm19",
                "vpternlogq zmm3, zmm16, zmm17, 0xfe",
                "vpternlogq zmm3, zmm18, zmm19, 0xfe",
                "vpmadd52luq zmm1, zmm16, zmm16",
                "vpmadd52huq zmm2, zmm16, zmm16",
                "vpmadd52luq zmm5, zmm17, zmm17",
                "vpmadd52huq zmm6, zmm17, zmm17",
                "vpmadd52luq zmm1, zmm18, zmm18",
                "vpmadd52huq zmm2, zmm18, zmm18",
                "vpmadd52luq zmm5, zmm19, zmm19",
                "vpmadd52huq zmm6, zmm19, zmm19",
                "add {values}, 128",
                "dec {steps}",
                "jnz 2b",
                "vpaddq zmm0, zmm0, zmm4",
                "vpaddq zmm1, zmm1, zmm5",
                "vpaddq zmm2, zmm2, zmm6",
                "vmovdqu64 [{lanes}], zmm0",
                "vmovdqu64 [{lanes} + 64], zmm1",
                "vmovdqu64 [{lanes} + 128], zmm2",
                "vmovdqu64 [{lanes} + 192], zmm3",
                "stmxcsr [{csr} + 8]",
                "ldmxcsr [{csr}]",
                values = inout(reg) values => _, steps = inout(reg) steps => _, scale = in(xmm_reg) scale,
                lanes = in(reg) lanes.as_mut_ptr(), csr = in(reg) csr.as_mut_ptr(),
                out("zmm0") _, out("zmm1") _, out("zmm2") _, out("zmm3") _, out("zmm4") _, out("zmm5") _, out("zmm6") _,
                out("zmm16") _, out("zmm17") _, out("zmm18") _, out("zmm19") _, out("zmm31") _,
                options(nostack)
            );
        }
        csr[2] & FLAGS == 0
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::bits;
    use super::*;

    /// By the definition, one number at a time.
    fn slowly(values: &[f64]) -> [ExactSum; 2] {
        let (mut sum, mut squares) = (ExactSum::new(), ExactSum::new());
        for &x in values {
            sum.push(x);
            squares.push(x * x);
            squares.push(x.mul_add(x, -(x * x)));
        }
        [sum, squares]
    }

    #[test]
    fn sums_are_exact_at_every_level() {
        let mut state = 5;
        let mut random = |range: i32| {
            let word = bits(&mut state);
            let significand = ((word >> 40) as i64 - (1 << 23)) as f64;
            significand * 2f64.powi(-23 - (word % (range as u64 + 1)) as i32)
        };
        for n in [0, 1, 15, 31, 32, 33, 100, MOST, MOST + 1, 3 * MOST + 7] {
            // Of one exponent, near each other, too far apart for integers, and with sizes at both ends of binary32.
            for (range, scale) in
                [(0, 1.0), (24, 1.0), (60, 1.0), (20, 2f64.powi(127)), (20, 2f64.powi(-120)), (5, 2f64.powi(-60))]
            {
                let values: Vec<f32> = (0..n).map(|_| (random(range) * scale) as f32).collect();
                let expected = slowly(&values.iter().map(|&x| f64::from(x)).collect::<Vec<_>>());
                let wide: Vec<f64> = values.iter().map(|&x| f64::from(x) * (1.0 + 2f64.powi(-40))).collect();
                let expected_wide = slowly(&wide);
                for simd in Simd::available() {
                    let mut both = WithSquares::new();
                    both.extend(&values, simd);
                    assert_eq!(both.to_sums(), expected, "{simd:?} {n} {range} {scale:e}");
                    let mut both = WithSquares::new();
                    both.extend(&wide, simd);
                    assert_eq!(both.to_sums(), expected_wide, "{simd:?} {n} {range} {scale:e}");
                }
            }
        }
    }

    /// What was learnt from some numbers is wrong for the next.
    #[test]
    fn exponents_may_change() {
        let parts: [Vec<f32>; 7] = [
            vec![1.0; 100],
            vec![1e-30; 50],
            vec![-3e38; 200],
            vec![f32::from_bits(1); 40],
            (0..99).map(|i| 2f32.powi(i - 40)).collect(),
            vec![-0.0; 64],
            vec![0.375; 5000],
        ];
        let expected = slowly(&parts.concat().iter().map(|&x| f64::from(x)).collect::<Vec<_>>());
        for simd in Simd::available() {
            let mut both = WithSquares::new();
            parts.iter().for_each(|part| both.extend(part, simd));
            assert_eq!(both.to_sums(), expected, "{simd:?}");
        }
    }

    #[test]
    fn zeros_and_what_is_not_finite() {
        for simd in Simd::available() {
            let of = |special: &[f32], n: usize| {
                let mut values = vec![if special == [-0.0] { -0.0 } else { 0.5f32 }; n];
                values[n - special.len()..].copy_from_slice(special);
                let mut both = WithSquares::new();
                both.extend(&values, simd);
                both.to_sums().map(|sum| sum.to_f64())
            };
            for n in [3, 64, 5000] {
                let [sum, squares] = of(&[-0.0], n);
                assert!(sum == 0.0 && sum.is_sign_negative() && squares == 0.0 && squares.is_sign_positive(), "{simd:?} {n}");
                assert_eq!(of(&[f32::INFINITY], n), [f64::INFINITY; 2]);
                assert_eq!(of(&[f32::NEG_INFINITY], n), [f64::NEG_INFINITY, f64::INFINITY]);
                assert!(of(&[f32::NAN], n).iter().all(|sum| sum.is_nan()));
                let [sum, squares] = of(&[f32::INFINITY, f32::NEG_INFINITY], n);
                assert!(sum.is_nan() && squares == f64::INFINITY);
            }
        }
    }
}
