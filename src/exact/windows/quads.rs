//! Windows with AVX2: as [`vectors`](super::vectors), of two vectors of four numbers at a time, and for sums of numbers alone.

// Plain index loops, as there.
#![allow(clippy::needless_range_loop)]

use std::arch::x86_64::*;
use std::mem::MaybeUninit;

use super::{ROWS, STRIP, TABLES};
use crate::cpu::simd::{Simd, prefetch_ahead};
use crate::exact::fast::Float;

/// Numbers that are cut at once.
const WIDE: usize = STRIP;
/// So many of them before their parts are added.
const BATCH: usize = ROWS;
/// In which order parts lie: of each vector even elements come first.
const ORDER: [usize; WIDE] = [0, 2, 1, 3, 4, 6, 5, 7];

/// Whether this is for that CPU.
#[inline(always)]
pub(super) fn are_present(simd: Simd) -> bool {
    simd == Simd::Avx2
}

/// The lower and the upper lane of numbers, as [`lanes`](super::cut::lanes).
#[target_feature(enable = "avx2")]
#[inline]
fn lanes(x: __m256d) -> (__m256i, __m256i) {
    let window = _mm256_and_si256(_mm256_castpd_si256(x), _mm256_set1_epi64x(0x7e0 << 52));
    let scale = _mm256_sub_epi64(_mm256_set1_epi64x(2046 << 52), window);
    let x = _mm256_mul_pd(x, _mm256_castsi256_pd(scale));
    let (integers, fractions) = (_mm256_set1_pd(1.5 * (1u64 << 52) as f64), _mm256_set1_pd(1.5));
    let high = _mm256_add_pd(x, integers);
    let low = _mm256_add_pd(_mm256_sub_pd(x, _mm256_sub_pd(high, integers)), fractions);
    let units = |x: __m256d, from: __m256d| _mm256_sub_epi64(_mm256_castpd_si256(x), _mm256_castpd_si256(from));
    (units(low, fractions), units(high, integers))
}

/// Adds `count` times eight numbers, each to its table, if they are finite. The answer is whether they are.
///
/// # Safety
/// AVX2 and FMA must be present, `load` give good addresses, `count` be at most [`BATCH`], and the tables have a place for each
/// window.
#[target_feature(enable = "avx2,fma")]
#[inline]
unsafe fn add(count: usize, load: impl Fn(usize) -> [__m256d; 2], tables: [*mut [i64; 2]; WIDE]) -> bool {
    #[repr(align(64))]
    struct Batch {
        parts: [[MaybeUninit<[i64; 2]>; WIDE]; BATCH],
        places: [MaybeUninit<[u64; WIDE]>; BATCH],
    }
    let mut batch = Batch { parts: [[MaybeUninit::uninit(); WIDE]; BATCH], places: [MaybeUninit::uninit(); BATCH] };
    let mut zeros = _mm256_setzero_pd();
    for i in 0..count {
        for (half, x) in load(i).into_iter().enumerate() {
            zeros = _mm256_fmadd_pd(x, _mm256_setzero_pd(), zeros);
            let (low, high) = lanes(x);
            let place = _mm256_and_si256(_mm256_srli_epi64::<53>(_mm256_castpd_si256(x)), _mm256_set1_epi64x(63 << 4));
            // SAFETY: eight times two lanes have the size of four vectors, eight places that of two.
            unsafe {
                let to = batch.parts[i].as_mut_ptr().cast::<__m256i>().add(2 * half);
                to.write_unaligned(_mm256_unpacklo_epi64(low, high));
                to.add(1).write_unaligned(_mm256_unpackhi_epi64(low, high));
                batch.places[i].as_mut_ptr().cast::<__m256i>().add(half).write_unaligned(place);
            }
        }
    }
    if _mm256_movemask_pd(_mm256_cmp_pd::<_CMP_UNORD_Q>(zeros, zeros)) != 0 {
        return false;
    }
    for i in 0..count {
        for nth in 0..WIDE {
            // SAFETY: so many were written; all places are those of windows.
            unsafe {
                let place = batch.places[i].assume_init_ref()[ORDER[nth]] as usize;
                let lanes = tables[ORDER[nth]].byte_add(place).cast::<__m128i>();
                let part = batch.parts[i][nth].as_ptr().cast::<__m128i>().read_unaligned();
                lanes.write_unaligned(_mm_add_epi64(lanes.read_unaligned(), part));
            }
        }
    }
    true
}

/// Eight numbers from a place on.
///
/// # Safety
/// As many must be there.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn eight<T: Float>(first: *const T) -> [__m256d; 2] {
    // SAFETY: the caller's promise.
    unsafe {
        if T::NARROW {
            let first = first.cast::<f32>();
            [_mm256_cvtps_pd(_mm_loadu_ps(first)), _mm256_cvtps_pd(_mm_loadu_ps(first.add(4)))]
        } else {
            [_mm256_loadu_pd(first.cast()), _mm256_loadu_pd(first.cast::<f64>().add(4))]
        }
    }
}

/// Adds at most 256 numbers, or their squares, if they are finite. The answer is whether they are.
///
/// # Safety
/// The instructions of AVX2 and FMA must be present, and the tables have a place for each window.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn row<T: Float, const SQUARE: bool>(values: &[T], [a, b, c, d]: [*mut [i64; 2]; TABLES]) -> bool {
    let (whole, rest) = values.as_chunks::<WIDE>();
    let mut last = [T::ZERO; WIDE];
    last[..rest.len()].copy_from_slice(rest);
    let load = |i: usize| {
        let first = whole.get(i).unwrap_or(&last).as_ptr();
        prefetch_ahead(first);
        // SAFETY: eight are there.
        let x = unsafe { eight(first) };
        if SQUARE { x.map(|x| _mm256_mul_pd(x, x)) } else { x }
    };
    // SAFETY: the caller's promise.
    unsafe { add(values.len().div_ceil(WIDE).min(BATCH), load, [a, a, b, b, c, c, d, d]) }
}

/// Adds eight columns of at most [`BATCH`] rows, from one on that the rows have, if they are finite. The answer is whether they are.
///
/// # Safety
/// As for [`row`].
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn columns<T: Float>(rows: &[&[T]], at: usize, tables: [*mut [i64; 2]; WIDE]) -> bool {
    // SAFETY: the caller's promise.
    unsafe { add(rows.len().min(BATCH), |i| eight(rows[i].as_ptr().add(at)), tables) }
}
