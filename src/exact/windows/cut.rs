//! Eight numbers at a time, cut into lanes of 52 bits, and their products, with AVX-512.
//!
//! Each number is an integer of at most 84 bits, its significand moved up by the lower five bits of its exponent field; `up` is by
//! how much.

use std::arch::x86_64::*;

/// How numbers are cut and multiplied.
///
/// # Safety
/// All methods require the instructions of the implementing type, and are always inlined.
pub(super) trait Cut {
    /// Of the magnitudes of numbers what products are made of.
    type Factor: Copy;

    unsafe fn factor(x: __m512i) -> Self::Factor;
    /// The lower and the upper lane of magnitudes.
    unsafe fn magnitudes(x: Self::Factor) -> (__m512i, __m512i);
    /// The four lanes of squares, each below three times 2^52.
    unsafe fn square(x: Self::Factor) -> [__m512i; 4];
    /// The four lanes of products.
    unsafe fn product(a: Self::Factor, b: Self::Factor) -> [__m512i; 4];
}

/// Which elements of binary64 numbers' bits are those of normal numbers (or not finite).
#[inline(always)]
unsafe fn normal(x: __m512i) -> __mmask8 {
    // SAFETY: the caller's promise.
    unsafe { _mm512_test_epi64_mask(x, _mm512_set1_epi64(0x7ff << 52)) }
}

/// The lower and the upper lane of numbers, of any sign each.
///
/// A number over the power of two of its window is below 2^32: as floats, it is rounded to an integer, and what that lacks to a
/// multiple of 2^-52, exactly. Numbers in units of the last place are the differences of bits from a constant's.
///
/// # Safety
/// The instructions of AVX-512 must be present.
#[inline(always)]
pub(super) unsafe fn lanes(x: __m512d) -> (__m512i, __m512i) {
    // SAFETY: the caller's promise.
    unsafe {
        let window = _mm512_and_si512(_mm512_castpd_si512(x), _mm512_set1_epi64(0x7e0 << 52));
        let scale = _mm512_sub_epi64(_mm512_set1_epi64(2046 << 52), window);
        let x = _mm512_mul_pd(x, _mm512_castsi512_pd(scale));
        let (integers, fractions) = (_mm512_set1_pd(1.5 * (1u64 << 52) as f64), _mm512_set1_pd(1.5));
        let high = _mm512_add_pd(x, integers);
        let low = _mm512_add_pd(_mm512_sub_pd(x, _mm512_sub_pd(high, integers)), fractions);
        let units = |x: __m512d, from: __m512d| _mm512_sub_epi64(_mm512_castpd_si512(x), _mm512_castpd_si512(from));
        (units(low, fractions), units(high, integers))
    }
}

/// With multiply-adds of 52 bits (AVX-512 IFMA): they take the fraction straight from a number's bits. Times `2^up`, its lower and
/// upper half are the lanes but for the leading one, which is another `2^up` in the upper lane. Two numbers cut that way have
/// four such products.
pub(super) struct MultiplyAdds;

// SAFETY, for every method: the caller's promise, that the instructions are present.
#[allow(clippy::undocumented_unsafe_blocks)]
impl Cut for MultiplyAdds {
    type Factor = (__m512i, __m512i);

    #[inline(always)]
    unsafe fn factor(x: __m512i) -> Self::Factor {
        unsafe {
            let normal = normal(x);
            let up = _mm512_and_si512(_mm512_srli_epi64::<52>(x), _mm512_set1_epi64(31));
            // Subnormals count twice, and have no leading one.
            let power = _mm512_mask_sllv_epi64(_mm512_set1_epi64(2), normal, _mm512_set1_epi64(1), up);
            let low = _mm512_madd52lo_epu64(_mm512_setzero_si512(), x, power);
            (low, _mm512_madd52hi_epu64(_mm512_maskz_mov_epi64(normal, power), x, power))
        }
    }

    #[inline(always)]
    unsafe fn magnitudes(x: Self::Factor) -> (__m512i, __m512i) {
        x
    }

    #[inline(always)]
    unsafe fn square((low, high): Self::Factor) -> [__m512i; 4] {
        unsafe {
            let (zero, twice) = (_mm512_setzero_si512(), _mm512_add_epi64(high, high));
            [
                _mm512_madd52lo_epu64(zero, low, low),
                _mm512_madd52hi_epu64(_mm512_madd52lo_epu64(zero, twice, low), low, low),
                _mm512_madd52hi_epu64(_mm512_madd52lo_epu64(zero, high, high), twice, low),
                _mm512_madd52hi_epu64(zero, high, high),
            ]
        }
    }

    #[inline(always)]
    unsafe fn product((a_low, a_high): Self::Factor, (b_low, b_high): Self::Factor) -> [__m512i; 4] {
        unsafe {
            let zero = _mm512_setzero_si512();
            let second = _mm512_madd52lo_epu64(_mm512_madd52lo_epu64(zero, a_low, b_high), a_high, b_low);
            let third = _mm512_madd52hi_epu64(_mm512_madd52hi_epu64(zero, a_low, b_high), a_high, b_low);
            [
                _mm512_madd52lo_epu64(zero, a_low, b_low),
                _mm512_madd52hi_epu64(second, a_low, b_low),
                _mm512_madd52lo_epu64(third, a_high, b_high),
                _mm512_madd52hi_epu64(zero, a_high, b_high),
            ]
        }
    }
}

/// With shifts and products of 32 bits. A factor is moved up by what is above 26 at once, which makes at most 58 bits: halves of 29
/// bits have four products, whose sum of at most 116 bits is moved up by the rest, 52 at most.
pub(super) struct Shifts;

/// A significand that was moved up already, and by how much it still has to be.
#[derive(Clone, Copy)]
pub(super) struct Shifted {
    significand: __m512i,
    up: __m512i,
}

/// Bits of the lower half of a factor.
const HALF: u32 = 29;

// SAFETY, for every method: the caller's promise, that the instructions are present.
#[allow(clippy::undocumented_unsafe_blocks)]
impl Shifts {
    /// Significands, and by how much they are moved up.
    #[inline(always)]
    unsafe fn parts(x: __m512i) -> (__m512i, __m512i) {
        unsafe {
            let normal = normal(x);
            let fraction = _mm512_and_si512(x, _mm512_set1_epi64((1 << 52) - 1));
            let significand = _mm512_mask_or_epi64(fraction, normal, fraction, _mm512_set1_epi64(1 << 52));
            // Subnormals count twice.
            let one = _mm512_set1_epi64(1);
            let up = _mm512_mask_and_epi64(one, normal, _mm512_srli_epi64::<52>(x), _mm512_set1_epi64(31));
            (significand, up)
        }
    }

    /// The lower 52 bits, and the rest, of integers of at most 64 bits times `2^up`, which is at most 2^52.
    #[inline(always)]
    unsafe fn split(x: __m512i, up: __m512i) -> (__m512i, __m512i) {
        unsafe {
            let low = _mm512_and_si512(_mm512_sllv_epi64(x, up), _mm512_set1_epi64((1 << 52) - 1));
            (low, _mm512_srlv_epi64(x, _mm512_sub_epi64(_mm512_set1_epi64(52), up)))
        }
    }

    /// The lanes of `low + middle · 2^HALF + high · 2^(2 HALF)`, moved up.
    #[inline(always)]
    unsafe fn laid(low: __m512i, middle: __m512i, high: __m512i, up: __m512i) -> [__m512i; 4] {
        const BELOW: u32 = 52 - HALF;
        unsafe {
            let mask = _mm512_set1_epi64((1 << 52) - 1);
            let below = _mm512_slli_epi64::<HALF>(_mm512_and_si512(middle, _mm512_set1_epi64((1 << BELOW) - 1)));
            let low = _mm512_add_epi64(low, below);
            let high = _mm512_add_epi64(_mm512_slli_epi64::<{ 2 * HALF - 52 }>(high), _mm512_srli_epi64::<BELOW>(middle));
            let high = _mm512_add_epi64(high, _mm512_srli_epi64::<52>(low));
            let (first, over) = Self::split(_mm512_and_si512(low, mask), up);
            let (second, third) = Self::split(high, up);
            // As one movement: the compiler would make a checked one of two.
            let last = _mm512_srlv_epi64(high, _mm512_sub_epi64(_mm512_set1_epi64(104), up));
            [first, _mm512_or_si512(second, over), _mm512_and_si512(third, mask), last]
        }
    }
}

// SAFETY, for every method: as above.
#[allow(clippy::undocumented_unsafe_blocks)]
impl Cut for Shifts {
    type Factor = Shifted;

    #[inline(always)]
    unsafe fn factor(x: __m512i) -> Shifted {
        unsafe {
            let (significand, up) = Self::parts(x);
            let most = _mm512_set1_epi64(26);
            let significand = _mm512_sllv_epi64(significand, _mm512_subs_epu16(up, most));
            Shifted { significand, up: _mm512_min_epu16(up, most) }
        }
    }

    #[inline(always)]
    unsafe fn magnitudes(x: Shifted) -> (__m512i, __m512i) {
        unsafe { Self::split(x.significand, x.up) }
    }

    #[inline(always)]
    unsafe fn square(x: Shifted) -> [__m512i; 4] {
        unsafe {
            let low = _mm512_and_si512(x.significand, _mm512_set1_epi64((1 << HALF) - 1));
            let high = _mm512_srli_epi64::<HALF>(x.significand);
            let middle = _mm512_mul_epu32(low, _mm512_add_epi64(high, high));
            let (low, high) = (_mm512_mul_epu32(low, low), _mm512_mul_epu32(high, high));
            Self::laid(low, middle, high, _mm512_add_epi64(x.up, x.up))
        }
    }

    #[inline(always)]
    unsafe fn product(a: Shifted, b: Shifted) -> [__m512i; 4] {
        unsafe {
            let mask = _mm512_set1_epi64((1 << HALF) - 1);
            let (a_low, b_low) = (_mm512_and_si512(a.significand, mask), _mm512_and_si512(b.significand, mask));
            let (a_high, b_high) = (_mm512_srli_epi64::<HALF>(a.significand), _mm512_srli_epi64::<HALF>(b.significand));
            let middle = _mm512_add_epi64(_mm512_mul_epu32(a_low, b_high), _mm512_mul_epu32(a_high, b_low));
            let (low, high) = (_mm512_mul_epu32(a_low, b_low), _mm512_mul_epu32(a_high, b_high));
            Self::laid(low, middle, high, _mm512_add_epi64(a.up, b.up))
        }
    }
}
