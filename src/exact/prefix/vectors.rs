//! Blocks of running sums on two levels with AVX-512: eight elements at a time are cut, summed by shifting lanes, and rounded.

use std::arch::x86_64::*;

use super::levels::{BLOCK, Done, Rounded};
use crate::exact::fast::Float;

/// Of each lane the sum of it and of those before.
///
/// # Safety
/// AVX-512 F must be present, as for all functions here.
#[inline(always)]
unsafe fn running(x: __m512d) -> __m512d {
    // SAFETY: the caller's promise.
    unsafe {
        let zero = _mm512_setzero_si512();
        let add = |x: __m512d, earlier: __m512i| _mm512_add_pd(x, _mm512_castsi512_pd(earlier));
        let x = add(x, _mm512_alignr_epi64::<7>(_mm512_castpd_si512(x), zero));
        let x = add(x, _mm512_alignr_epi64::<6>(_mm512_castpd_si512(x), zero));
        add(x, _mm512_alignr_epi64::<4>(_mm512_castpd_si512(x), zero))
    }
}

/// The last lane in all lanes.
#[inline(always)]
unsafe fn last(x: __m512d) -> __m512d {
    // SAFETY: the caller's promise.
    unsafe { _mm512_permutexvar_pd(_mm512_set1_epi64(7), x) }
}

/// Stores eight results: [`Rounded::of_parts`] of each lane.
#[inline(always)]
unsafe fn store<O: Rounded>(out: *mut O, high: __m512d, low: __m512d) {
    // SAFETY: the caller's promise; eight results are there.
    unsafe {
        let sum = _mm512_add_pd(high, low);
        if !O::NARROW {
            return _mm512_storeu_pd(out.cast(), sum);
        }
        let left = _mm512_sub_pd(low, _mm512_sub_pd(sum, high));
        let (bits, one) = (_mm512_castpd_si512(sum), _mm512_set1_epi64(1));
        let odd = _mm512_cmp_pd_mask::<_CMP_NEQ_UQ>(left, _mm512_setzero_pd());
        // Of other signs: the rounding went away from 0.
        let away = _mm512_movepi64_mask(_mm512_xor_si512(_mm512_castpd_si512(left), bits));
        let rounded = _mm512_mask_sub_epi64(bits, odd & away, bits, one);
        let rounded = _mm512_mask_or_epi64(rounded, odd, rounded, one);
        _mm256_storeu_ps(out.cast(), _mm512_cvtpd_ps(_mm512_castsi512_pd(rounded)));
    }
}

/// The running sums of a block from two sums on; results are of no meaning where the grids do not hold all.
///
/// # Safety
/// The CPU must have AVX-512 F and DQ.
#[target_feature(enable = "avx512f,avx512dq")]
pub(super) unsafe fn run<T: Float, O: Rounded>(
    values: &[T; BLOCK],
    (first, second): (f64, f64),
    (high, low): (f64, f64),
    out: &mut [O; BLOCK],
) -> Done {
    // Of two numbers the larger magnitude, and the other if one is a quiet NaN.
    const LARGER_MAGNITUDE: i32 = 0b1011;
    // SAFETY: the caller's promise; the block's length is a multiple of eight.
    unsafe {
        let (first, second) = (_mm512_set1_pd(first), _mm512_set1_pd(second));
        let (mut above, mut below) = (_mm512_set1_pd(high), _mm512_set1_pd(low));
        let (mut largest, mut left) = (_mm512_setzero_pd(), _mm512_setzero_si512());
        for at in (0..BLOCK).step_by(8) {
            let from = values.as_ptr().add(at);
            let x = if T::NARROW { _mm512_cvtps_pd(_mm256_loadu_ps(from.cast())) } else { _mm512_loadu_pd(from.cast()) };
            largest = _mm512_range_pd::<LARGER_MAGNITUDE>(x, largest);
            let high = _mm512_sub_pd(_mm512_add_pd(first, x), first);
            let rest = _mm512_sub_pd(x, high);
            let low = _mm512_sub_pd(_mm512_add_pd(second, rest), second);
            left = _mm512_or_si512(left, _mm512_castpd_si512(_mm512_sub_pd(rest, low)));
            let (high, low) = (running(high), running(low));
            store(out.as_mut_ptr().add(at), _mm512_add_pd(high, above), _mm512_add_pd(low, below));
            (above, below) = (_mm512_add_pd(above, last(high)), _mm512_add_pd(below, last(low)));
        }
        // Of −0 less +0 the sign is left, of what is not finite a NaN.
        let exact = _mm512_test_epi64_mask(left, _mm512_set1_epi64(i64::MAX)) == 0;
        let sums = (_mm512_cvtsd_f64(above), _mm512_cvtsd_f64(below));
        Done { sums, largest: _mm512_reduce_max_pd(largest), exact }
    }
}
