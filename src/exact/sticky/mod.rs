//! Exact sums with AVX-512, and some with AVX2, checked by the processor's sticky flag.
//!
//! The extraction of [`fast`](super::fast) without its checks: where all additions and subtractions that have to be exact were
//! exact, which the inexact flag of MXCSR tells once per block, the lanes hold the exact sum. Roundings that are meant (of an
//! element to a level's grid, of a product) are done by instructions that suppress the flag (`{rn-sae}`). Infinities and NaN raise
//! no such flag, but take a lane out of its binade for good. Rust leaves the flags alone only within one piece of assembly, so
//! each kernel is one.
//!
//! Per 64 bytes that is four additions or conversions for binary32 on one level, and four additions for binary64 on two.

use super::fast::{Float, constant};

/// Lanes of a vector.
const LANES: usize = 8;
/// The most elements that a kernel takes at a time.
const MOST: usize = 64;
/// MXCSR with all exceptions masked, rounding to nearest, subnormals kept, and no flag set.
const CLEAN: u32 = 0x1f80;
/// The inexact flag.
const INEXACT: u32 = 1 << 5;

/// Lanes in memory, as vectors.
type Vector = [f64; LANES];

/// Elements from two places (the second matters to products only), how many times as many as a kernel takes, lanes, and MXCSR
/// before, at the start, and of the kernel.
type Run<T> = unsafe fn(*const T, *const T, usize, *mut Vector, &mut [u32; 3]);

/// Moves the lanes between memory and registers.
macro_rules! lanes {
    (load $($register:literal $at:literal)*) => {
        concat!("stmxcsr [{csr}]\nldmxcsr [{csr} + 4]\n", $("vmovupd ", $register, ", [{lanes} + ", $at, "]\n",)*)
    };
    (store $($register:literal $at:literal)*) => {
        concat!($("vmovupd [{lanes} + ", $at, "], ", $register, "\n",)* "stmxcsr [{csr} + 8]\nldmxcsr [{csr}]\n")
    };
}

/// `x` loses to a level what its grid can hold. The level goes on in `next`, and `level` holds what was lost; `zmm31` holds
/// ones: fused subtractions have units of their own.
macro_rules! take {
    ($x:literal, $level:literal, $next:literal) => {
        concat!(
            "vaddpd ",
            $next,
            ", ",
            $level,
            ", ",
            $x,
            ", {{rn-sae}}\n",
            "vsubpd ",
            $level,
            ", ",
            $next,
            ", ",
            $level,
            "\n",
            "vfnmadd231pd ",
            $x,
            ", ",
            $level,
            ", zmm31\n",
        )
    };
    // The level stays where it is.
    ($x:literal, $level:literal) => {
        concat!(take!($x, $level, "zmm30"), "vmovapd ", $level, ", zmm30\n")
    };
}

/// The last level holds all of `x`, or raises the flag.
macro_rules! rest {
    ($x:literal, $level:literal) => {
        concat!("vaddpd ", $level, ", ", $level, ", ", $x, "\n")
    };
}

/// One step of a two-level sum of four vectors, from the first levels in one set of registers to another.
macro_rules! two_levels {
    ($load:literal $([$at:literal $x:literal $level:literal $next:literal $last:literal])*) => {
        concat!($(
            $load, " ", $x, ", [{a} + ", $at, "]\n",
            take!($x, $level, $next), rest!($x, $last),
        )*)
    };
}

/// The body of a kernel: `$text` is done `n` times, and moves on by `$bytes`.
macro_rules! kernel {
    ($a:ident, $b:ident, $n:ident, $lanes:ident, $csr:ident, $load:expr, $text:expr, $bytes:literal, $store:expr) => {
        asm!(
            $load,
            "vpbroadcastq zmm31, {one}",
            "2:",
            $text,
            concat!("add {a}, ", $bytes),
            concat!("add {b}, ", $bytes),
            "dec {n}",
            "jnz 2b",
            $store,
            a = inout(reg) $a => _, b = inout(reg) $b => _, n = inout(reg) $n => _,
            lanes = in(reg) $lanes, csr = in(reg) $csr.as_mut_ptr(), one = in(reg) 1f64.to_bits(),
            out("zmm0") _, out("zmm1") _, out("zmm2") _, out("zmm3") _, out("zmm4") _, out("zmm5") _, out("zmm6") _,
            out("zmm7") _, out("zmm8") _, out("zmm9") _, out("zmm10") _, out("zmm11") _, out("zmm12") _, out("zmm13") _,
            out("zmm14") _, out("zmm15") _, out("zmm16") _, out("zmm17") _, out("zmm18") _, out("zmm19") _,
            out("zmm30") _, out("zmm31") _,
            options(nostack)
        )
    };
}

/// Asks for lines of memory, as far ahead as [`AHEAD`](crate::cpu::simd::AHEAD).
macro_rules! ahead {
    ($($place:literal $at:literal)*) => { concat!($("prefetcht1 [", $place, " + 8192 + ", $at, "]\n",)*) };
}

#[macro_use]
mod products;
mod columns;
pub(super) mod halves;
mod sums;

pub(crate) use columns::{LEAST_COLUMNS, Line, moment_columns, sum_columns, whole_moment_columns};

use products::{moments_f32, moments_f64, products_f32, products_f64};
use sums::{one_level, seven_levels, two_levels_f32, two_levels_f64};

/// Runs a kernel that takes `step` elements at a time and has `M` vectors for each of `L` levels. The answer is the sum on each
/// level's grid, if it is exact.
///
/// # Safety
/// The CPU must have what the kernel needs, the kernel take no more, and both slices be of one length.
unsafe fn run<T: Float, const L: usize, const M: usize>(
    kernel: Run<T>,
    step: usize,
    (a, b): (&[T], &[T]),
    exponents: [i32; L],
) -> Option<[i64; L]> {
    let mut lanes = exponents.map(|k| [[constant(k); LANES]; M]);
    let to = lanes.as_mut_ptr().cast::<Vector>();
    let mut csr = [0, CLEAN, CLEAN];
    let mut seen = 0;
    let whole = a.len() / step;
    if whole > 0 {
        // SAFETY: the caller's promise; so many elements are there.
        unsafe { kernel(a.as_ptr(), b.as_ptr(), whole, to, &mut csr) };
        seen |= csr[2];
    }
    if whole * step < a.len() {
        let mut last = [[T::ZERO; MOST]; 2];
        for (last, rest) in last.iter_mut().zip([&a[whole * step..], &b[whole * step..]]) {
            last[..rest.len()].copy_from_slice(rest);
        }
        // SAFETY: the caller's promise; no kernel takes more than `MOST`.
        unsafe { kernel(last[0].as_ptr(), last[1].as_ptr(), 1, to, &mut csr) };
        seen |= csr[2];
    }
    let (mut sums, mut strayed) = ([0i64; L], 0);
    for ((sum, lanes), k) in sums.iter_mut().zip(&lanes).zip(exponents) {
        let start = constant(k).to_bits();
        for lane in lanes.as_flattened() {
            *sum = sum.wrapping_add(lane.to_bits().wrapping_sub(start) as i64);
            strayed |= lane.to_bits() ^ start;
        }
    }
    (seen & INEXACT == 0 && strayed >> 52 == 0).then_some(sums)
}

/// Whether there is a sum of this type on so many levels.
pub(super) const fn has<T: Float>(levels: usize) -> bool {
    matches!((T::NARROW, levels), (true, 1 | 2 | 7) | (false, 2))
}

/// The sum of some elements on each level's grid, if it is exact and there is a kernel for it.
///
/// # Safety
/// The CPU must have AVX-512 F.
pub(super) unsafe fn sum<T: Float, const L: usize>(values: &[T], exponents: [i32; L]) -> Option<[i64; L]> {
    // SAFETY: the caller's promise.
    unsafe {
        if let Some(values) = T::narrow(values) {
            match L {
                1 => run::<f32, L, 4>(one_level, 32, (values, values), exponents),
                2 => run::<f32, L, 4>(two_levels_f32, 64, (values, values), exponents),
                7 => run::<f32, L, 2>(seven_levels, 16, (values, values), exponents),
                _ => None,
            }
        } else {
            let values = T::wide(values)?;
            if L == 2 { run::<f64, L, 4>(two_levels_f64, 64, (values, values), exponents) } else { None }
        }
    }
}

/// Levels of the sums of products.
pub(crate) const PRODUCT_LEVELS: usize = 4;

/// The sum of the products of pairs on each level's grid (of binary32 numbers on the first three), if it is exact.
///
/// # Safety
/// The CPU must have AVX-512 F, and both slices be of one length.
pub(super) unsafe fn products<T: Float>(a: &[T], b: &[T], exponents: [i32; PRODUCT_LEVELS]) -> Option<[i64; PRODUCT_LEVELS]> {
    // SAFETY: the caller's promise.
    unsafe {
        if let (Some(a), Some(b)) = (T::narrow(a), T::narrow(b)) {
            let [first, second, third, _] = exponents;
            let [first, second, third] = run::<f32, 3, 2>(products_f32, 16, (a, b), [first, second, third])?;
            Some([first, second, third, 0])
        } else {
            run::<f64, PRODUCT_LEVELS, 2>(products_f64, 16, (T::wide(a)?, T::wide(b)?), exponents)
        }
    }
}

/// Levels of the sums of moments.
pub(crate) const SUM_LEVELS: usize = 2;

/// The sums of numbers and of their squares on each level's grid, if both are exact.
///
/// # Safety
/// The CPU must have AVX-512 F.
pub(super) unsafe fn moments<T: Float>(
    values: &[T],
    [first, second]: [i32; SUM_LEVELS],
    squares: [i32; PRODUCT_LEVELS],
) -> Option<([i64; SUM_LEVELS], [i64; PRODUCT_LEVELS])> {
    let [a, b, c, d] = squares;
    // SAFETY: the caller's promise.
    unsafe {
        if let Some(values) = T::narrow(values) {
            let [first, second, a, b, c] = run::<f32, 5, 2>(moments_f32, 16, (values, values), [first, second, a, b, c])?;
            return Some(([first, second], [a, b, c, 0]));
        }
        let values = T::wide(values)?;
        let [first, second, a, b, c, d] = run::<f64, 6, 2>(moments_f64, 16, (values, values), [first, second, a, b, c, d])?;
        Some(([first, second], [a, b, c, d]))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::bits;
    use super::super::{ExactDot, ExactSum};
    use super::*;
    use crate::cpu::simd::Simd;
    use crate::exact::fast::exponents;

    pub(super) fn total<const L: usize>(sums: [i64; L], exponents: [i32; L]) -> ExactSum {
        let mut total = ExactSum::new();
        sums.into_iter().zip(exponents).for_each(|(sum, k)| total.add_scaled(i128::from(sum), k - 52));
        total
    }

    #[test]
    fn an_answer_is_exact_and_none_is_given_otherwise() {
        if !Simd::available().contains(&Simd::Avx512) {
            return;
        }
        let mut state = 11;
        for n in [1, 15, 16, 31, 64, 65, 1000] {
            // Of magnitudes from 2^-8 to 1, and with bits down to 2^-32 or 2^-60.
            let wide: Vec<f64> = (0..n).map(|_| (bits(&mut state) as i64 >> 3 | 1 << 52) as f64 * 2f64.powi(-60)).collect();
            let narrow: Vec<f32> = (0..n).map(|_| ((bits(&mut state) as i64 >> 40) | 1 << 16) as f32 * 2f32.powi(-24)).collect();
            let exact = |values: &[f32]| values.iter().copied().map(f64::from).collect::<ExactSum>();
            // SAFETY: AVX-512 is there.
            unsafe {
                let found = sum::<f32, 1>(&narrow, exponents(0)).unwrap();
                assert_eq!(total(found, exponents(0)).to_f64(), exact(&narrow).to_f64());
                let found = sum::<f32, 2>(&narrow, exponents(0)).unwrap();
                assert_eq!(total(found, exponents(0)).to_f64(), exact(&narrow).to_f64());
                let found = sum::<f64, 2>(&wide, exponents(1)).unwrap();
                assert_eq!(total(found, exponents(1)), wide.iter().copied().collect());
                for any in [&narrow[..], &[f32::MAX, f32::MIN_POSITIVE, 1e-45, -1.0, f32::MIN]] {
                    let found = sum::<f32, 7>(any, exponents(127)).unwrap();
                    assert_eq!(total(found, exponents(127)).to_f64(), exact(any).to_f64());
                }
                let (found, mut dot) = (products(&wide, &wide, exponents(2)).unwrap(), ExactDot::new());
                wide.iter().for_each(|&x| dot.push(x, x));
                let mut other = ExactDot::new();
                found.into_iter().zip(exponents::<4>(2)).for_each(|(sum, k)| other.add_scaled(i128::from(sum), k - 52));
                assert_eq!(other, dot);
                let (sums, squares) = moments(&wide, exponents(1), exponents(2)).unwrap();
                assert_eq!((total(sums, exponents(1)), squares), (wide.iter().copied().collect(), found));
                let (sums, squares) = moments(&narrow, exponents(0), exponents(1)).unwrap();
                assert_eq!(total(sums, exponents(0)).to_f64(), exact(&narrow).to_f64());
                assert_eq!(Some(squares), products(&narrow, &narrow, exponents(1)));
                // Too fine for the levels, too large for the first one, out of range, or not finite.
                for wrong in [2f64.powi(-100), f64::MAX, f64::INFINITY, f64::NAN] {
                    let mut values = wide.clone();
                    values[n / 2] = wrong;
                    assert_eq!(sum::<f64, 2>(&values, exponents(1)), None, "{wrong}");
                    assert_eq!(products(&values, &values, exponents(2)), None, "{wrong}");
                    assert_eq!(moments(&values, exponents(1), exponents(2)), None, "{wrong}");
                }
                let mut values = narrow.clone();
                values[n / 2] = f32::NEG_INFINITY;
                assert_eq!(sum::<f32, 1>(&values, exponents(0)), None);
                assert_eq!(sum::<f32, 7>(&values, exponents(127)), None);
            }
        }
    }
}
