//! Sums of binary32 numbers and of their squares, of all exponents, with AVX-512 or AVX2: two integers for every exponent field.
//!
//! A significand has 24 bits and its square 48, so that 64 bits have room for some ten thousand of them as they are. A number costs
//! one addition of a vector of both.

// Plain index loops, as in the file on IFMA.
#![allow(clippy::needless_range_loop)]

use std::arch::x86_64::*;
use std::cell::Cell;
use std::mem::MaybeUninit;

use crate::cpu::simd::{Simd, prefetch_ahead};
use crate::exact::{ExactDot, ExactSum};

/// Exponent fields of finite numbers.
const COUNT: usize = 255;
/// Numbers that a pair of integers has room for.
const ROOM: usize = 1 << 14;
/// So many exponents together still fit 128 bits: 63, moved by 31, of squares by 62, at most.
const TOGETHER: usize = 32;
/// Numbers of a vector.
const WIDE: usize = 16;
/// Numbers that are taken apart before they are added.
const BATCH: usize = 256;
/// In which order vectors of parts lie, with AVX-512, and with AVX2.
const ORDER: [usize; WIDE] = [0, 4, 8, 12, 2, 6, 10, 14, 1, 5, 9, 13, 3, 7, 11, 15];
const ORDER_OF_EIGHT: [usize; WIDE] = [0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15];

/// Significands with their squares, and exponent fields, of some numbers.
#[repr(align(64))]
struct Parts {
    parts: [[MaybeUninit<[i64; 2]>; WIDE]; BATCH / WIDE],
    fields: [MaybeUninit<[u32; WIDE]>; BATCH / WIDE],
}

impl Parts {
    fn new() -> Self {
        Self { parts: [[MaybeUninit::uninit(); WIDE]; BATCH / WIDE], fields: [MaybeUninit::uninit(); BATCH / WIDE] }
    }

    /// Adds the first `count` vectors of 16 numbers.
    ///
    /// # Safety
    /// They must have been written, with fields of finite numbers.
    #[inline(always)]
    unsafe fn add(&self, count: usize, order: [usize; WIDE], sums: &mut [[[i64; 2]; 2]; COUNT + 1]) {
        let sums = sums.as_mut_ptr().cast::<__m128i>();
        for i in 0..count {
            for nth in 0..WIDE {
                // SAFETY: the caller's promise, and there are two pairs of sums for each field.
                unsafe {
                    let field = self.fields[i].assume_init_ref()[order[nth]] as usize;
                    let place = sums.add(2 * field + nth % 2);
                    let part = self.parts[i][nth].as_ptr().cast::<__m128i>().read_unaligned();
                    place.write_unaligned(_mm_add_epi64(place.read_unaligned(), part));
                }
            }
        }
    }
}

/// Whether there are vectors for it.
pub(crate) fn has_fields(simd: Simd) -> bool {
    matches!(simd, Simd::Avx512 | Simd::Avx2)
}

/// Sums of significands with their signs, and of their squares; neighbours apart, so that an addition need not wait for the one
/// before.
#[derive(Debug, Clone)]
#[repr(align(64))]
pub(crate) struct Fields {
    sums: [[[i64; 2]; 2]; COUNT + 1],
    /// Numbers since they were emptied.
    added: usize,
}

thread_local! {
    /// Empty ones for the next who needs some.
    static SPARE: Cell<Option<Box<Fields>>> = const { Cell::new(None) };
}

impl Fields {
    /// Those that this thread kept, or new ones.
    pub(crate) fn spare() -> Box<Self> {
        SPARE.take().unwrap_or_else(|| Box::new(Self { sums: [[[0; 2]; 2]; COUNT + 1], added: 0 }))
    }

    /// Keeps empty ones for the next one on this thread.
    pub(crate) fn keep(self: Box<Self>) {
        SPARE.set(Some(self));
    }

    /// For how many of so many numbers there is room.
    pub(crate) fn room(&self, wanted: usize) -> usize {
        wanted.min(ROOM - self.added)
    }

    /// Adds numbers that there is [`room`](Self::room) for, some hundred at a time, until some are not finite. The answer is how
    /// many were added.
    ///
    /// # Safety
    /// The level must be there and have [`has_fields`].
    pub(crate) unsafe fn extend(&mut self, values: &[f32], simd: Simd) -> usize {
        let mut done = 0;
        for values in values[..self.room(values.len())].chunks(BATCH) {
            // SAFETY: the caller's promise.
            let finite =
                unsafe { if simd == Simd::Avx512 { add(values, &mut self.sums) } else { add_with_avx2(values, &mut self.sums) } };
            if !finite {
                break;
            }
            done += values.len();
        }
        self.added += done;
        done
    }

    /// Moves everything into a sum of numbers, and one of squares if they are wanted.
    pub(crate) fn empty(&mut self, sum: &mut ExactSum, mut squares: Option<&mut ExactDot>) {
        for (i, some) in self.sums.chunks_mut(TOGETHER).enumerate() {
            let [mut total, mut total_of_squares] = [0i128; 2];
            for (up, sums) in some.iter_mut().enumerate() {
                let [one, other] = std::mem::take(sums);
                total += i128::from(one[0] + other[0]) << up;
                total_of_squares += i128::from(one[1] + other[1]) << (2 * up);
            }
            let first = (i * TOGETHER) as i32;
            // Field 0 stands for significands that count twice.
            if total != 0 {
                sum.add_scaled(total, first - 150);
            }
            if let Some(squares) = &mut squares {
                squares.add_scaled(total_of_squares, 2 * (first - 150));
            }
        }
        self.added = 0;
    }
}

/// Adds at most [`BATCH`] numbers and their squares, if they are finite. The answer is whether they are.
#[target_feature(enable = "avx512f,avx512dq,avx512vl")]
unsafe fn add(values: &[f32], sums: &mut [[[i64; 2]; 2]; COUNT + 1]) -> bool {
    let mut parts = Parts::new();
    let (zero, fraction) = (_mm512_setzero_si512(), _mm512_set1_epi32((1 << 23) - 1));
    let mut zeros = _mm512_setzero_ps();
    let count = values.len().div_ceil(WIDE).min(BATCH / WIDE);
    for i in 0..count {
        let (first, left) = (values.as_ptr().wrapping_add(i * WIDE), values.len() - i * WIDE);
        prefetch_ahead(first);
        let some = if left < WIDE { (1 << left) - 1 } else { u16::MAX };
        // SAFETY: as many numbers are there.
        let x = unsafe { _mm512_maskz_loadu_ps(some, first) };
        zeros = _mm512_fmadd_ps(x, _mm512_setzero_ps(), zeros);
        let x = _mm512_castps_si512(x);
        // A leading one, or, of subnormals, twice the fraction.
        let normal = _mm512_test_epi32_mask(x, _mm512_set1_epi32(0xff << 23));
        let bits = _mm512_and_si512(x, fraction);
        let magnitude = _mm512_mask_or_epi32(_mm512_add_epi32(bits, bits), normal, bits, _mm512_set1_epi32(1 << 23));
        let significand = _mm512_mask_sub_epi32(magnitude, _mm512_movepi32_mask(x), zero, magnitude);
        let odd = _mm512_srai_epi64::<32>(significand);
        let even = _mm512_srai_epi64::<32>(_mm512_slli_epi64::<32>(significand));
        let (even_squares, odd_squares) = (_mm512_mul_epi32(even, even), _mm512_mul_epi32(odd, odd));
        let to = parts.parts[i].as_mut_ptr().cast::<__m512i>();
        let field = _mm512_and_si512(_mm512_srli_epi32::<23>(x), _mm512_set1_epi32(255));
        // SAFETY: sixteen times two integers have the size of four vectors, sixteen fields that of one.
        unsafe {
            to.write_unaligned(_mm512_unpacklo_epi64(even, even_squares));
            to.add(1).write_unaligned(_mm512_unpackhi_epi64(even, even_squares));
            to.add(2).write_unaligned(_mm512_unpacklo_epi64(odd, odd_squares));
            to.add(3).write_unaligned(_mm512_unpackhi_epi64(odd, odd_squares));
            parts.fields[i].as_mut_ptr().cast::<__m512i>().write_unaligned(field);
        }
    }
    if _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(zeros, zeros) != 0 {
        return false;
    }
    // SAFETY: so many were written, all finite.
    unsafe { parts.add(count, ORDER, sums) };
    true
}

/// Significands with their signs, of subnormals twice as large, and exponent fields.
#[target_feature(enable = "avx2")]
#[inline]
fn eight(x: __m256) -> (__m256i, __m256i) {
    let x = _mm256_castps_si256(x);
    let field = _mm256_and_si256(_mm256_srli_epi32::<23>(x), _mm256_set1_epi32(255));
    let subnormal = _mm256_cmpeq_epi32(field, _mm256_setzero_si256());
    let bits = _mm256_and_si256(x, _mm256_set1_epi32((1 << 23) - 1));
    let normal = _mm256_or_si256(bits, _mm256_set1_epi32(1 << 23));
    let magnitude = _mm256_blendv_epi8(normal, _mm256_add_epi32(bits, bits), subnormal);
    let sign = _mm256_srai_epi32::<31>(x);
    (_mm256_sub_epi32(_mm256_xor_si256(magnitude, sign), sign), field)
}

/// As [`add`].
#[target_feature(enable = "avx2,fma")]
unsafe fn add_with_avx2(values: &[f32], sums: &mut [[[i64; 2]; 2]; COUNT + 1]) -> bool {
    let mut parts = Parts::new();
    let mut zeros = _mm256_setzero_ps();
    let (whole, rest) = values.as_chunks::<WIDE>();
    let mut last = [0f32; WIDE];
    last[..rest.len()].copy_from_slice(rest);
    let count = (whole.len() + usize::from(!rest.is_empty())).min(BATCH / WIDE);
    for i in 0..count {
        let from = whole.get(i).unwrap_or(&last).as_ptr();
        prefetch_ahead(from);
        for half in 0..2 {
            // SAFETY: sixteen numbers are there.
            let x = unsafe { _mm256_loadu_ps(from.add(8 * half)) };
            zeros = _mm256_fmadd_ps(x, _mm256_setzero_ps(), zeros);
            let (significand, field) = eight(x);
            let lower = _mm256_cvtepi32_epi64(_mm256_castsi256_si128(significand));
            let upper = _mm256_cvtepi32_epi64(_mm256_extracti128_si256::<1>(significand));
            let (lower_squares, upper_squares) = (_mm256_mul_epi32(lower, lower), _mm256_mul_epi32(upper, upper));
            // SAFETY: eight times two integers have the size of four vectors, eight fields that of one.
            unsafe {
                let to = parts.parts[i].as_mut_ptr().cast::<__m256i>().add(4 * half);
                to.write_unaligned(_mm256_unpacklo_epi64(lower, lower_squares));
                to.add(1).write_unaligned(_mm256_unpackhi_epi64(lower, lower_squares));
                to.add(2).write_unaligned(_mm256_unpacklo_epi64(upper, upper_squares));
                to.add(3).write_unaligned(_mm256_unpackhi_epi64(upper, upper_squares));
                parts.fields[i].as_mut_ptr().cast::<__m256i>().add(half).write_unaligned(field);
            }
        }
    }
    if _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_UNORD_Q>(zeros, zeros)) != 0 {
        return false;
    }
    // SAFETY: so many were written, all finite.
    unsafe { parts.add(count, ORDER_OF_EIGHT, sums) };
    true
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::bits;
    use super::*;

    #[test]
    fn fields_hold_what_sums_hold() {
        let levels = Simd::available().into_iter().filter(|&simd| has_fields(simd));
        for (simd, round) in levels.flat_map(|simd| (0..12).map(move |round| (simd, round))) {
            let mut state = 3 + round as u64;
            let number = |_| match round % 4 {
                0 => f32::from_bits(bits(&mut state) as u32 & !(1 << 23)),
                1 => f32::from_bits(bits(&mut state) as u32 & 0x807f_ffff),
                2 => f32::MAX * if bits(&mut state).is_multiple_of(3) { -1.0 } else { 1.0 },
                _ => [f32::MIN_POSITIVE, 1e-45, -0.0, 1.0, f32::MIN][bits(&mut state) as usize % 5],
            };
            let values: Vec<f32> = (0..[1, 15, 17, 255, 300, 40_000][round % 6]).map(number).collect();
            let (mut fields, mut sum, mut squares) = (Fields::spare(), ExactSum::new(), ExactDot::new());
            let mut rest = &values[..];
            while !rest.is_empty() {
                if fields.room(1) == 0 {
                    fields.empty(&mut sum, Some(&mut squares));
                }
                // SAFETY: the level was found.
                rest = &rest[unsafe { fields.extend(rest, simd) }..];
            }
            fields.empty(&mut sum, Some(&mut squares));
            let (mut expected, mut dot) = (ExactSum::new(), ExactDot::new());
            for &x in &values {
                expected.push_f32(x);
                dot.push(x.into(), x.into());
            }
            sum.add_zero(false);
            expected.add_zero(false);
            assert_eq!((sum, squares), (expected, dot), "{simd:?} {round}");
        }
    }

    #[test]
    fn what_is_not_finite_is_left() {
        let mut values = [1f32; 700];
        values[300] = f32::NAN;
        for simd in Simd::available().into_iter().filter(|&simd| has_fields(simd)) {
            let mut fields = Fields::spare();
            // SAFETY: the level was found.
            assert_eq!(unsafe { fields.extend(&values, simd) }, BATCH);
        }
    }
}
