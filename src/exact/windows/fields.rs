//! Sums of binary32 numbers and of their squares, of all exponents, with AVX-512: two integers for every exponent field.
//!
//! A significand has 24 bits and its square 48, so that 64 bits have room for some ten thousand of them as they are. A number costs
//! one addition of a vector of both.

// Plain index loops, as in the file on IFMA.
#![allow(clippy::needless_range_loop)]

use std::arch::x86_64::*;
use std::cell::Cell;
use std::mem::MaybeUninit;

use crate::cpu::simd::prefetch_ahead;
use crate::exact::{ExactDot, ExactSum};

/// Exponent fields of finite numbers.
const COUNT: usize = 255;
/// Numbers that a pair of integers has room for.
const ROOM: usize = 1 << 14;
/// Numbers of a vector.
const WIDE: usize = 16;
/// Numbers that are taken apart before they are added.
const BATCH: usize = 256;
/// In which order vectors of parts lie.
const ORDER: [usize; WIDE] = [0, 4, 8, 12, 2, 6, 10, 14, 1, 5, 9, 13, 3, 7, 11, 15];

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
    /// The CPU must have AVX-512 F, DQ and VL.
    pub(crate) unsafe fn extend(&mut self, values: &[f32]) -> usize {
        let mut done = 0;
        for values in values[..self.room(values.len())].chunks(BATCH) {
            // SAFETY: the caller's promise.
            if !unsafe { add(values, &mut self.sums) } {
                break;
            }
            done += values.len();
        }
        self.added += done;
        done
    }

    /// Moves everything into a sum of numbers and one of squares.
    pub(crate) fn empty(&mut self, sum: &mut ExactSum, squares: &mut ExactDot) {
        // So many exponents together still fit: 63 bits, moved by 31 and 62 at most.
        const TOGETHER: usize = 32;
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
            squares.add_scaled(total_of_squares, 2 * (first - 150));
        }
        self.added = 0;
    }
}

/// Adds at most [`BATCH`] numbers and their squares, if they are finite. The answer is whether they are.
#[target_feature(enable = "avx512f,avx512dq,avx512vl")]
unsafe fn add(values: &[f32], sums: &mut [[[i64; 2]; 2]; COUNT + 1]) -> bool {
    #[repr(align(64))]
    struct Aligned<T>(T);
    let mut parts = Aligned([[MaybeUninit::<[i64; 2]>::uninit(); WIDE]; BATCH / WIDE]);
    let mut fields = Aligned([MaybeUninit::<[u32; WIDE]>::uninit(); BATCH / WIDE]);
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
        let to = parts.0[i].as_mut_ptr().cast::<__m512i>();
        let field = _mm512_and_si512(_mm512_srli_epi32::<23>(x), _mm512_set1_epi32(255));
        // SAFETY: sixteen times two integers have the size of four vectors, sixteen fields that of one.
        unsafe {
            to.write_unaligned(_mm512_unpacklo_epi64(even, even_squares));
            to.add(1).write_unaligned(_mm512_unpackhi_epi64(even, even_squares));
            to.add(2).write_unaligned(_mm512_unpacklo_epi64(odd, odd_squares));
            to.add(3).write_unaligned(_mm512_unpackhi_epi64(odd, odd_squares));
            fields.0[i].as_mut_ptr().cast::<__m512i>().write_unaligned(field);
        }
    }
    if _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(zeros, zeros) != 0 {
        return false;
    }
    let sums = sums.as_mut_ptr().cast::<__m128i>();
    for i in 0..count {
        for nth in 0..WIDE {
            // SAFETY: all were written above, and there are two pairs of sums for each field.
            unsafe {
                let field = fields.0[i].assume_init_ref()[ORDER[nth]] as usize;
                let place = sums.add(2 * field + nth % 2);
                let part = parts.0[i][nth].as_ptr().cast::<__m128i>().read_unaligned();
                place.write_unaligned(_mm_add_epi64(place.read_unaligned(), part));
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::bits;
    use super::*;
    use crate::cpu::simd::Simd;

    #[test]
    fn fields_hold_what_sums_hold() {
        if !Simd::available().contains(&Simd::Avx512) {
            return;
        }
        let mut state = 3;
        for round in 0..12 {
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
                    fields.empty(&mut sum, &mut squares);
                }
                // SAFETY: the level was found.
                rest = &rest[unsafe { fields.extend(rest) }..];
            }
            fields.empty(&mut sum, &mut squares);
            let (mut expected, mut dot) = (ExactSum::new(), ExactDot::new());
            for &x in &values {
                expected.push_f32(x);
                dot.push(x.into(), x.into());
            }
            sum.add_zero(false);
            expected.add_zero(false);
            assert_eq!((sum, squares), (expected, dot), "{round}");
        }
    }

    #[test]
    fn what_is_not_finite_is_left() {
        if !Simd::available().contains(&Simd::Avx512) {
            return;
        }
        let mut values = [1f32; 700];
        values[300] = f32::NAN;
        let mut fields = Fields::spare();
        // SAFETY: the level was found.
        assert_eq!(unsafe { fields.extend(&values) }, BATCH);
    }
}
