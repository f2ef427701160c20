//! Vectors of 64-bit lanes for the functions of binary32 and for Philox: products of 32 by 32 bits, shifts, tables.

use std::arch::x86_64::*;

/// A vector of 64-bit integers. The methods compile to the instructions they name only inside a function that enables the
/// features of the type; calling them elsewhere is sound on a CPU that has the features.
pub(super) trait Words: Copy {
    /// Lanes.
    const LANES: usize;
    /// Which lanes.
    type Mask: Copy;

    /// The same value in all lanes.
    fn splat(value: u64) -> Self;
    /// `0`, `1`, …
    fn ascending() -> Self;
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn and(self, other: Self) -> Self;
    fn or(self, other: Self) -> Self;
    fn xor(self, other: Self) -> Self;
    /// Exclusive or of three.
    #[inline(always)]
    fn xor3(self, b: Self, c: Self) -> Self {
        self.xor(b).xor(c)
    }
    /// The product of the low halves.
    fn mul(self, other: Self) -> Self;
    /// The product of the low halves as signed integers.
    fn mul_signed(self, other: Self) -> Self;
    fn shl<const N: u32>(self) -> Self;
    fn shr<const N: u32>(self) -> Self;
    /// Shifted right, the sign kept.
    fn sra<const N: u32>(self) -> Self;
    /// Shifted by as many bits as each lane says; 0 if that is none of 0..64.
    fn shl_by(self, bits: Self) -> Self;
    /// As [`shl_by`](Self::shl_by).
    fn shr_by(self, bits: Self) -> Self;
    /// The magnitude of a signed integer.
    fn abs(self) -> Self;
    /// Zeros above the highest one; at most 63.
    fn leading_zeros(self) -> Self;
    /// Compares signed integers.
    fn less(self, other: Self) -> Self::Mask;
    fn equal(self, other: Self) -> Self::Mask;
    /// Whether the top bit is set.
    fn is_negative(self) -> Self::Mask;
    /// Whether these are the bits of a NaN.
    fn is_nan(self) -> Self::Mask;
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;
    fn both(a: Self::Mask, b: Self::Mask) -> Self::Mask;
    fn either(a: Self::Mask, b: Self::Mask) -> Self::Mask;
    fn not(a: Self::Mask) -> Self::Mask;
    fn any(a: Self::Mask) -> bool;
    /// The entry that the lowest three bits name.
    fn of_eight(table: &[u64; 8], index: Self) -> Self;
    /// The entry that an index below 32 names.
    fn of_many(table: &[u64; 32], index: Self) -> Self;
    /// The same in the low halves; what is above is of no matter.
    fn of_many_narrow(table: &[u32; 32], index: Self) -> Self;
    /// What [`horner`](Self::horner) takes as the low halves.
    #[inline(always)]
    fn factor(self) -> Self {
        self
    }
    /// `c` plus the high half of the product of the low halves. `self` is below 2^32.
    #[inline(always)]
    fn horner(self, factor: Self, c: Self) -> Self {
        self.mul(factor).shr::<32>().add(c)
    }
    /// `c` minus the same.
    #[inline(always)]
    fn horner_less(self, factor: Self, c: Self) -> Self {
        c.sub(self.mul(factor).shr::<32>())
    }
    /// Binary32 numbers, as the bits of binary64.
    ///
    /// # Safety
    /// `p` must be good for `LANES` elements.
    unsafe fn widen(p: *const f32) -> Self;
    /// The bits of binary64 as binary32, rounded to nearest.
    ///
    /// # Safety
    /// `p` must be good for `LANES` elements.
    unsafe fn narrow(self, p: *mut f32);
    /// The low halves of two vectors, one after the other.
    ///
    /// # Safety
    /// `p` must be good for twice `LANES` elements.
    unsafe fn store_low(self, next: Self, p: *mut u32);
}

/// Four lanes.
#[derive(Clone, Copy)]
pub(super) struct Avx2(__m256i);
/// Eight lanes, with AVX-512 F, DQ and CD; `IFMA` multiplies and adds 52 bits in one instruction.
#[derive(Clone, Copy)]
pub(super) struct Avx512<const IFMA: bool>(__m512i);

// SAFETY of all blocks below: the types are made only inside functions whose callers have found the features on the CPU;
// pointers are as the trait's methods ask for, and tables are as long as indices reach.
macro_rules! plain {
    ($($name:ident: $instruction:ident;)*) => {$(
        #[inline(always)]
        fn $name(self, other: Self) -> Self {
            // SAFETY: see above.
            Self(unsafe { $instruction(self.0, other.0) })
        }
    )*};
}

impl Words for Avx2 {
    const LANES: usize = 4;
    type Mask = __m256i;

    plain! {
        add: _mm256_add_epi64; sub: _mm256_sub_epi64; and: _mm256_and_si256; or: _mm256_or_si256; xor: _mm256_xor_si256;
        mul: _mm256_mul_epu32; mul_signed: _mm256_mul_epi32; shl_by: _mm256_sllv_epi64; shr_by: _mm256_srlv_epi64;
    }

    #[inline(always)]
    fn splat(value: u64) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_set1_epi64x(value as i64) })
    }
    #[inline(always)]
    fn ascending() -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_set_epi64x(3, 2, 1, 0) })
    }
    #[inline(always)]
    fn shl<const N: u32>(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_sll_epi64(self.0, _mm_cvtsi32_si128(N as i32)) })
    }
    #[inline(always)]
    fn shr<const N: u32>(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_srl_epi64(self.0, _mm_cvtsi32_si128(N as i32)) })
    }
    #[inline(always)]
    fn sra<const N: u32>(self) -> Self {
        let bias = Self::splat(1 << 63);
        self.xor(bias).shr::<N>().sub(bias.shr::<N>())
    }
    #[inline(always)]
    fn abs(self) -> Self {
        // SAFETY: see above.
        let sign = Self(unsafe { _mm256_cmpgt_epi64(_mm256_setzero_si256(), self.0) });
        self.xor(sign).sub(sign)
    }
    #[inline(always)]
    fn leading_zeros(self) -> Self {
        // As binary64, in halves; without the second of two ones no rounding reaches the next power of two.
        let x = self.or(Self::splat(1));
        // SAFETY: see above.
        let x = Self(unsafe { _mm256_andnot_si256(x.shr::<1>().0, x.0) });
        // SAFETY: see above.
        let number = unsafe {
            let high = x.shr::<32>().or(Self::splat(0x4530_0000_0000_0000));
            let low = Self(_mm256_blend_epi32::<0b10101010>(x.0, Self::splat(0x4330_0000_0000_0000).0));
            let both = _mm256_castsi256_pd(Self::splat(0x4530_0000_0010_0000).0);
            Self(_mm256_castpd_si256(_mm256_add_pd(_mm256_sub_pd(_mm256_castsi256_pd(high.0), both), _mm256_castsi256_pd(low.0))))
        };
        Self::splat(1023 + 63).sub(number.shr::<52>())
    }
    #[inline(always)]
    fn less(self, other: Self) -> __m256i {
        // SAFETY: see above.
        unsafe { _mm256_cmpgt_epi64(other.0, self.0) }
    }
    #[inline(always)]
    fn equal(self, other: Self) -> __m256i {
        // SAFETY: see above.
        unsafe { _mm256_cmpeq_epi64(self.0, other.0) }
    }
    #[inline(always)]
    fn is_negative(self) -> __m256i {
        self.less(Self::splat(0))
    }
    #[inline(always)]
    fn is_nan(self) -> __m256i {
        // SAFETY: see above.
        unsafe {
            let x = _mm256_castsi256_pd(self.0);
            _mm256_castpd_si256(_mm256_cmp_pd::<_CMP_UNORD_Q>(x, x))
        }
    }
    #[inline(always)]
    fn select(mask: __m256i, yes: Self, no: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_blendv_epi8(no.0, yes.0, mask) })
    }
    #[inline(always)]
    fn both(a: __m256i, b: __m256i) -> __m256i {
        Self(a).and(Self(b)).0
    }
    #[inline(always)]
    fn either(a: __m256i, b: __m256i) -> __m256i {
        Self(a).or(Self(b)).0
    }
    #[inline(always)]
    fn not(a: __m256i) -> __m256i {
        Self(a).xor(Self::splat(u64::MAX)).0
    }
    #[inline(always)]
    fn any(a: __m256i) -> bool {
        // SAFETY: see above.
        unsafe { _mm256_testz_si256(a, a) == 0 }
    }
    #[inline(always)]
    fn of_eight(table: &[u64; 8], index: Self) -> Self {
        let index = index.and(Self::splat(7));
        // SAFETY: see above.
        Self(unsafe { _mm256_i64gather_epi64::<8>(table.as_ptr().cast(), index.0) })
    }
    #[inline(always)]
    fn of_many(table: &[u64; 32], index: Self) -> Self {
        let index = index.and(Self::splat(31));
        // SAFETY: see above.
        Self(unsafe { _mm256_i64gather_epi64::<8>(table.as_ptr().cast(), index.0) })
    }
    #[inline(always)]
    fn of_many_narrow(table: &[u32; 32], index: Self) -> Self {
        let index = index.and(Self::splat(31));
        // SAFETY: see above.
        Self(unsafe { _mm256_cvtepu32_epi64(_mm256_i64gather_epi32::<4>(table.as_ptr().cast(), index.0)) })
    }
    #[inline(always)]
    unsafe fn widen(p: *const f32) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_castpd_si256(_mm256_cvtps_pd(_mm_loadu_ps(p))) })
    }
    #[inline(always)]
    unsafe fn narrow(self, p: *mut f32) {
        // SAFETY: see above.
        unsafe { _mm_storeu_ps(p, _mm256_cvtpd_ps(_mm256_castsi256_pd(self.0))) }
    }
    #[inline(always)]
    unsafe fn store_low(self, next: Self, p: *mut u32) {
        // SAFETY: see above.
        unsafe {
            let even = _mm256_shuffle_ps::<0b10001000>(_mm256_castsi256_ps(self.0), _mm256_castsi256_ps(next.0));
            _mm256_storeu_si256(p.cast(), _mm256_permute4x64_epi64::<0b11011000>(_mm256_castps_si256(even)));
        }
    }
}

impl<const IFMA: bool> Words for Avx512<IFMA> {
    const LANES: usize = 8;
    type Mask = __mmask8;

    plain! {
        add: _mm512_add_epi64; sub: _mm512_sub_epi64; and: _mm512_and_si512; or: _mm512_or_si512; xor: _mm512_xor_si512;
        mul: _mm512_mul_epu32; mul_signed: _mm512_mul_epi32; shl_by: _mm512_sllv_epi64; shr_by: _mm512_srlv_epi64;
    }

    #[inline(always)]
    fn splat(value: u64) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_set1_epi64(value as i64) })
    }
    #[inline(always)]
    fn ascending() -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0) })
    }
    #[inline(always)]
    fn xor3(self, b: Self, c: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_ternarylogic_epi64::<0x96>(self.0, b.0, c.0) })
    }
    #[inline(always)]
    fn shl<const N: u32>(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_slli_epi64::<N>(self.0) })
    }
    #[inline(always)]
    fn shr<const N: u32>(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_srli_epi64::<N>(self.0) })
    }
    #[inline(always)]
    fn sra<const N: u32>(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_srai_epi64::<N>(self.0) })
    }
    #[inline(always)]
    fn abs(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_abs_epi64(self.0) })
    }
    #[inline(always)]
    fn leading_zeros(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_lzcnt_epi64(self.or(Self::splat(1)).0) })
    }
    #[inline(always)]
    fn less(self, other: Self) -> __mmask8 {
        // SAFETY: see above.
        unsafe { _mm512_cmplt_epi64_mask(self.0, other.0) }
    }
    #[inline(always)]
    fn equal(self, other: Self) -> __mmask8 {
        // SAFETY: see above.
        unsafe { _mm512_cmpeq_epi64_mask(self.0, other.0) }
    }
    #[inline(always)]
    fn is_negative(self) -> __mmask8 {
        // SAFETY: see above.
        unsafe { _mm512_movepi64_mask(self.0) }
    }
    #[inline(always)]
    fn is_nan(self) -> __mmask8 {
        // SAFETY: see above.
        unsafe {
            let x = _mm512_castsi512_pd(self.0);
            _mm512_cmp_pd_mask::<_CMP_UNORD_Q>(x, x)
        }
    }
    #[inline(always)]
    fn select(mask: __mmask8, yes: Self, no: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_mask_blend_epi64(mask, no.0, yes.0) })
    }
    #[inline(always)]
    fn both(a: __mmask8, b: __mmask8) -> __mmask8 {
        a & b
    }
    #[inline(always)]
    fn either(a: __mmask8, b: __mmask8) -> __mmask8 {
        a | b
    }
    #[inline(always)]
    fn not(a: __mmask8) -> __mmask8 {
        !a
    }
    #[inline(always)]
    fn any(a: __mmask8) -> bool {
        a != 0
    }
    #[inline(always)]
    fn of_eight(table: &[u64; 8], index: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_permutexvar_epi64(index.0, _mm512_loadu_si512(table.as_ptr().cast())) })
    }
    #[inline(always)]
    fn of_many(table: &[u64; 32], index: Self) -> Self {
        // SAFETY: see above.
        unsafe {
            let part = |at: usize| _mm512_loadu_si512(table.as_ptr().add(at).cast());
            let low = _mm512_permutex2var_epi64(part(0), index.0, part(8));
            let high = _mm512_permutex2var_epi64(part(16), index.0, part(24));
            Self(_mm512_mask_blend_epi64(_mm512_test_epi64_mask(index.0, Self::splat(16).0), low, high))
        }
    }
    #[inline(always)]
    fn of_many_narrow(table: &[u32; 32], index: Self) -> Self {
        // SAFETY: see above.
        unsafe {
            let part = |at: usize| _mm512_loadu_si512(table.as_ptr().add(at).cast());
            Self(_mm512_permutex2var_epi32(part(0), index.0, part(16)))
        }
    }
    #[inline(always)]
    fn factor(self) -> Self {
        if IFMA { self.shl::<20>() } else { self }
    }
    #[inline(always)]
    fn horner(self, factor: Self, c: Self) -> Self {
        if IFMA {
            // SAFETY: see above. Bits above the 52nd are of no matter.
            Self(unsafe { _mm512_madd52hi_epu64(c.0, self.0, factor.0) })
        } else {
            self.mul(factor).shr::<32>().add(c)
        }
    }
    #[inline(always)]
    fn horner_less(self, factor: Self, c: Self) -> Self {
        c.sub(self.horner(factor, Self::splat(0)))
    }
    #[inline(always)]
    unsafe fn widen(p: *const f32) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_castpd_si512(_mm512_cvtps_pd(_mm256_loadu_ps(p))) })
    }
    #[inline(always)]
    unsafe fn narrow(self, p: *mut f32) {
        // SAFETY: see above.
        unsafe { _mm256_storeu_ps(p, _mm512_cvtpd_ps(_mm512_castsi512_pd(self.0))) }
    }
    #[inline(always)]
    unsafe fn store_low(self, next: Self, p: *mut u32) {
        // SAFETY: see above.
        unsafe {
            let even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
            _mm512_storeu_si512(p.cast(), _mm512_permutex2var_epi32(self.0, even, next.0));
        }
    }
}
