//! The exponential function with AVX-512 IFMA, where all arguments are common ones: sixteen lanes of 32 bits wherever that is
//! enough, and the even and the odd ones as eight lanes of 64 bits for the products.
//!
//! The integers are those of `src/expr/binary32.rs`. What is rounded at the end has its leading bit in place, so that the
//! conversion of integers rounds it, and the exponent is added to its bits.

use std::arch::x86_64::*;

use super::LANES;
use crate::expr::binary32::{EXP2, LOG2_E};

/// Vectors at a time: the chains of one fill the waits of the others.
const VECTORS: usize = 4;
/// The largest magnitude taken: its exponentials are normal numbers.
const MOST: f32 = 87.0;

/// The exponentials of a block. The answer is whether all its elements are within ±87; if not, `out` is of no meaning.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512ifma")]
pub(super) fn common(a: &[f32; LANES], out: &mut [f32; LANES]) -> bool {
    let splat = |value: u32| _mm512_set1_epi32(value as i32);
    let wide = |value: u64| _mm512_set1_epi64(value as i64);
    let mut outside = 0;
    let parts = a.as_chunks::<{ 16 * VECTORS }>().0.iter().zip(out.as_chunks_mut::<{ 16 * VECTORS }>().0);
    for (a, out) in parts {
        let [mut t, mut f] = [[[wide(0); 2]; VECTORS]; 2];
        for (v, a) in a.as_chunks::<16>().0.iter().enumerate() {
            // SAFETY: 16 elements.
            let x = unsafe { _mm512_loadu_si512(a.as_ptr().cast()) };
            let magnitude = _mm512_and_si512(x, splat(0x7fff_ffff));
            // A NaN's bits are beyond, too.
            outside |= _mm512_cmpgt_epi32_mask(magnitude, splat(MOST.to_bits()));
            // `x & 0x7f_ffff | 0x80_0000`, wrong for subnormal numbers, of which nothing is left by the shift.
            let m = _mm512_ternarylogic_epi32::<0xf8>(splat(0x80_0000), x, splat(0x7f_ffff));
            // Below 2^7 it is 16 at least; of 64 and more nothing is left.
            let shift = _mm512_sub_epi32(splat(149), _mm512_srli_epi32::<23>(magnitude));
            let negative = [_mm512_test_epi64_mask(x, wide(1 << 31)), _mm512_test_epi64_mask(x, wide(1 << 63))];
            let m = [_mm512_and_si512(m, wide(0xffff_ffff)), _mm512_srli_epi64::<32>(m)];
            let shift = [_mm512_and_si512(shift, wide(0xffff_ffff)), _mm512_srli_epi64::<32>(shift)];
            for half in 0..2 {
                let high = _mm512_mul_epu32(m[half], wide(LOG2_E >> 32));
                let p = _mm512_madd52hi_epu64(high, m[half], wide((LOG2_E & 0xffff_ffff) << 20));
                let p = _mm512_srlv_epi64(p, shift[half]);
                t[v][half] = _mm512_mask_sub_epi64(p, negative[half], wide(0), p);
                // The upper 52 bits of a product of 52 bits each: bits above are of no matter.
                f[v][half] = _mm512_slli_epi64::<20>(t[v][half]);
            }
        }
        let mut y = [[wide(EXP2[6].into()); 2]; VECTORS];
        for c in [EXP2[5], EXP2[4], EXP2[3], EXP2[2], EXP2[1], EXP2[0], 1 << 31] {
            for v in 0..VECTORS {
                for half in 0..2 {
                    y[v][half] = _mm512_madd52hi_epu64(wide(c.into()), y[v][half], f[v][half]);
                }
            }
        }
        for (v, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
            // The lower halves of the significands, the upper ones of what the integers are in.
            let m = _mm512_mask_shuffle_epi32::<0x80>(y[v][0], 0xaaaa, y[v][1]);
            let exponent = _mm512_mask_shuffle_epi32::<0x31>(t[v][1], 0x5555, t[v][0]);
            let y = _mm512_castps_si512(_mm512_cvtepu32_ps(m));
            let y = _mm512_add_epi32(_mm512_add_epi32(y, splat((-31i32 << 23) as u32)), _mm512_slli_epi32::<23>(exponent));
            // SAFETY: 16 elements.
            unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), y) };
        }
    }
    outside == 0
}
