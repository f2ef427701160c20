//! The vectors of x86-64, and the counting loop compiled for each level.

use std::arch::x86_64::*;

use super::count::{Lanes, OFFSET, by_method, plain};
use crate::Philox4x32;
use crate::fork::Raced;
use crate::plan::MonteCarlo;

/// Four lanes.
#[derive(Clone, Copy)]
struct Avx2(__m256i);
/// Eight lanes; `VNNI` adds the dot product to a sum in one instruction.
#[derive(Clone, Copy)]
struct Avx512<const VNNI: bool>(__m512i);

// SAFETY of all blocks below: the types are private to this module and made only inside the `count_*` functions,
// whose callers have found the features on the CPU.
impl Lanes for Avx2 {
    const BLOCKS: u64 = 4;

    #[inline(always)]
    fn splat(value: u64) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_set1_epi64x(value as i64) })
    }
    #[inline(always)]
    fn ascending(start: u64) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_add_epi64(_mm256_set1_epi64x(start as i64), _mm256_set_epi64x(3, 2, 1, 0)) })
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_add_epi64(self.0, other.0) })
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_mul_epu32(self.0, other.0) })
    }
    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_xor_si256(self.0, other.0) })
    }
    #[inline(always)]
    fn high(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_srli_epi64::<32>(self.0) })
    }
    #[inline(always)]
    fn shift_up(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_slli_epi64::<32>(self.0) })
    }
    #[inline(always)]
    fn add_misses(self, misses: Self) -> Self {
        // SAFETY: see above.
        unsafe {
            let complement = _mm256_xor_si256(self.0, _mm256_set1_epi32(-1));
            let room = _mm256_add_epi32(_mm256_set1_epi32(OFFSET), _mm256_madd_epi16(self.0, complement));
            Self(_mm256_add_epi32(misses.0, _mm256_srli_epi32::<31>(room)))
        }
    }
    #[inline(always)]
    fn sum_halves(self) -> u64 {
        let mut halves = [0u32; 8];
        // SAFETY: see above; the store is unaligned and as large as the array.
        unsafe { _mm256_storeu_si256(halves.as_mut_ptr().cast(), self.0) };
        halves.iter().map(|&half| half as u64).sum()
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_sub_epi64(self.0, other.0) })
    }
    #[inline(always)]
    fn and(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_and_si256(self.0, other.0) })
    }
    #[inline(always)]
    fn add_halves(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_add_epi32(self.0, other.0) })
    }
    #[inline(always)]
    fn sub_halves(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_sub_epi32(self.0, other.0) })
    }
    #[inline(always)]
    fn mul_halves(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_mullo_epi32(self.0, other.0) })
    }
    #[inline(always)]
    fn shl_halves<const BITS: i32>(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_slli_epi32::<BITS>(self.0) })
    }
    #[inline(always)]
    fn shr_halves<const BITS: i32>(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_srli_epi32::<BITS>(self.0) })
    }
    #[inline(always)]
    fn fit_halves(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe {
            let room = _mm256_xor_si256(self.0, _mm256_set1_epi32(-1));
            Self(_mm256_cmpeq_epi32(_mm256_min_epu32(room, other.0), other.0))
        }
    }
    #[inline(always)]
    fn fit(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe {
            // Compared as signed numbers: both less 2^63.
            let room = _mm256_xor_si256(self.0, _mm256_set1_epi64x(i64::MAX));
            let other = _mm256_xor_si256(other.0, _mm256_set1_epi64x(i64::MIN));
            let carries = _mm256_cmpgt_epi64(other, room);
            Self(_mm256_xor_si256(carries, _mm256_set1_epi64x(-1)))
        }
    }
    #[inline(always)]
    fn sum(self) -> u64 {
        let mut lanes = [0u64; 4];
        // SAFETY: see above; the store is unaligned and as large as the array.
        unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), self.0) };
        lanes.iter().sum()
    }
}

impl<const VNNI: bool> Lanes for Avx512<VNNI> {
    const BLOCKS: u64 = 8;

    #[inline(always)]
    fn splat(value: u64) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_set1_epi64(value as i64) })
    }
    #[inline(always)]
    fn ascending(start: u64) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_add_epi64(_mm512_set1_epi64(start as i64), _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0)) })
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_add_epi64(self.0, other.0) })
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_mul_epu32(self.0, other.0) })
    }
    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_xor_si512(self.0, other.0) })
    }
    #[inline(always)]
    fn xor3(self, b: Self, c: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_ternarylogic_epi64::<0x96>(self.0, b.0, c.0) })
    }
    #[inline(always)]
    fn high(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_srli_epi64::<32>(self.0) })
    }
    #[inline(always)]
    fn fence(a: Self, b: Self) -> (Self, Self) {
        // SAFETY: see above.
        let (a, b) = unsafe { fence(a.0, b.0) };
        (Self(a), Self(b))
    }
    #[inline(always)]
    fn shift_up(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_slli_epi64::<32>(self.0) })
    }
    #[inline(always)]
    fn add_misses(self, misses: Self) -> Self {
        // SAFETY: see above; `VNNI` is true only in `count_avx512_vnni`.
        unsafe {
            let complement = _mm512_xor_si512(self.0, _mm512_set1_epi32(-1));
            let offset = _mm512_set1_epi32(OFFSET);
            let room = if VNNI {
                _mm512_dpwssd_epi32(offset, self.0, complement)
            } else {
                _mm512_add_epi32(offset, _mm512_madd_epi16(self.0, complement))
            };
            Self(_mm512_add_epi32(misses.0, _mm512_srli_epi32::<31>(room)))
        }
    }
    #[inline(always)]
    fn sum_halves(self) -> u64 {
        let mut halves = [0u32; 16];
        // SAFETY: see above; the store is unaligned and as large as the array.
        unsafe { _mm512_storeu_si512(halves.as_mut_ptr().cast(), self.0) };
        halves.iter().map(|&half| half as u64).sum()
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_sub_epi64(self.0, other.0) })
    }
    #[inline(always)]
    fn and(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_and_si512(self.0, other.0) })
    }
    #[inline(always)]
    fn add_halves(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_add_epi32(self.0, other.0) })
    }
    #[inline(always)]
    fn sub_halves(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_sub_epi32(self.0, other.0) })
    }
    #[inline(always)]
    fn mul_halves(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_mullo_epi32(self.0, other.0) })
    }
    #[inline(always)]
    fn shl_halves<const BITS: i32>(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_sllv_epi32(self.0, _mm512_set1_epi32(BITS)) })
    }
    #[inline(always)]
    fn shr_halves<const BITS: i32>(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_srlv_epi32(self.0, _mm512_set1_epi32(BITS)) })
    }
    #[inline(always)]
    fn fit_halves(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe {
            let room = _mm512_xor_si512(self.0, _mm512_set1_epi32(-1));
            Self(_mm512_movm_epi32(_mm512_cmple_epu32_mask(other.0, room)))
        }
    }
    #[inline(always)]
    fn fit(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe {
            let room = _mm512_xor_si512(self.0, _mm512_set1_epi64(-1));
            Self(_mm512_movm_epi64(_mm512_cmple_epu64_mask(other.0, room)))
        }
    }
    #[inline(always)]
    fn sum(self) -> u64 {
        let mut lanes = [0u64; 8];
        // SAFETY: see above; the store is unaligned and as large as the array.
        unsafe { _mm512_storeu_si512(lanes.as_mut_ptr().cast(), self.0) };
        lanes.iter().sum()
    }
}

/// No instruction, but the compiler does not know. Without it, it finishes one vector after the other, and the processor cannot look
/// far enough ahead to overlap them.
#[inline]
#[target_feature(enable = "avx512f")]
fn fence(mut a: __m512i, mut b: __m512i) -> (__m512i, __m512i) {
    // SAFETY: a comment of the assembler.
    unsafe {
        std::arch::asm!("/* {0} {1} */", inlateout(zmm_reg) a, inlateout(zmm_reg) b, options(nomem, nostack, preserves_flags));
    }
    (a, b)
}

/// [`by_method`] with AVX2.
#[target_feature(enable = "avx2")]
pub(super) fn count_avx2(how: &MonteCarlo, philox: &Philox4x32, first: u64, groups: u64) -> [u64; 2] {
    by_method::<Avx2, 2, 2>(how, philox, first, groups)
}

/// [`by_method`] with AVX-512.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn count_avx512(how: &MonteCarlo, philox: &Philox4x32, first: u64, groups: u64) -> [u64; 2] {
    by_method::<Avx512<false>, 4, 8>(how, philox, first, groups)
}

/// [`by_method`] with AVX-512 and its dot products; plain samples of 16 bits four vectors at a time if `few`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn count_avx512_vnni(how: &MonteCarlo, philox: &Philox4x32, first: u64, groups: u64, few: bool) -> [u64; 2] {
    if few && how.is_square() {
        return plain::<Avx512<true>, 4>(philox, first, groups);
    }
    by_method::<Avx512<true>, 4, 8>(how, philox, first, groups)
}

/// Whether four vectors in flight are better than eight, which do not fit the registers. What is stored and loaded again costs
/// little beside the two vector units of Intel's processors (Emerald Rapids: 2.26 G samples/s a core, four at a time 2.04), and
/// much beside the four of AMD's (Zen 5: 4.5, four at a time 6.5).
pub(super) fn few() -> bool {
    static FEW: Raced<bool> = Raced::new();
    *FEW.get(crate::cpu::simd::is_amd)
}
