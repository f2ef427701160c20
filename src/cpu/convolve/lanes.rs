//! Vectors of the types that convolution computes in, one implementation per instruction set.

use super::number::Number;

/// A register full of numbers.
///
/// # Safety
/// All methods require the instruction set of the implementing type to be present, and are always inlined, so that they
/// become single instructions in a caller compiled for it. Pointers must be good for [`LANES`](Self::LANES) elements,
/// with the alignment of one.
pub(super) trait Vector: Copy {
    /// The element.
    type Elem: Number;
    /// Elements per vector.
    const LANES: usize;

    unsafe fn splat(x: Self::Elem) -> Self;
    unsafe fn load(p: *const Self::Elem) -> Self;
    unsafe fn store(self, p: *mut Self::Elem);
    /// `acc + self · weight`, fused for floats, wrapping for integers (the dot product for several taps in a lane).
    unsafe fn mul_add(self, weight: Self, acc: Self) -> Self;
    /// The sum; of integers wrapping.
    unsafe fn plus(self, other: Self) -> Self;
    /// The difference; of integers wrapping.
    unsafe fn minus(self, other: Self) -> Self;
    /// `a0 b0 a1 b1 …`: the first half, the second half.
    unsafe fn interleave(self, other: Self) -> (Self, Self);
    /// Of both, one after the other, the elements of even index and those of odd index.
    unsafe fn deinterleave(self, other: Self) -> (Self, Self);
}

/// Portable vectors: arrays, which the compiler turns into what the target has.
#[derive(Clone, Copy)]
pub(super) struct Lanes<C, const N: usize>(pub(super) [C; N]);

impl<C: Number, const N: usize> Vector for Lanes<C, N> {
    type Elem = C;
    const LANES: usize = N;

    #[inline(always)]
    unsafe fn splat(x: C) -> Self {
        Self([x; N])
    }

    #[inline(always)]
    unsafe fn load(p: *const C) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { p.cast::<[C; N]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn store(self, p: *mut C) {
        // SAFETY: the caller's promise.
        unsafe { p.cast::<[C; N]>().write_unaligned(self.0) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, weight: Self, acc: Self) -> Self {
        let mut sum = acc.0;
        for (sum, (x, w)) in sum.iter_mut().zip(self.0.into_iter().zip(weight.0)) {
            *sum = x.mul_add(w, *sum);
        }
        Self(sum)
    }

    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        let mut sum = self.0;
        for (sum, x) in sum.iter_mut().zip(other.0) {
            *sum = sum.plus(x);
        }
        Self(sum)
    }

    #[inline(always)]
    unsafe fn minus(self, other: Self) -> Self {
        let mut difference = self.0;
        for (difference, x) in difference.iter_mut().zip(other.0) {
            *difference = difference.minus(x);
        }
        Self(difference)
    }

    #[inline(always)]
    unsafe fn interleave(self, other: Self) -> (Self, Self) {
        let at = |i: usize| if i.is_multiple_of(2) { self.0[i / 2] } else { other.0[i / 2] };
        (Self(std::array::from_fn(at)), Self(std::array::from_fn(|i| at(N + i))))
    }

    #[inline(always)]
    unsafe fn deinterleave(self, other: Self) -> (Self, Self) {
        let at = |i: usize| if i < N { self.0[i] } else { other.0[i - N] };
        (Self(std::array::from_fn(|i| at(2 * i))), Self(std::array::from_fn(|i| at(2 * i + 1))))
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86::*;

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Vector;
    use std::arch::x86_64::*;

    macro_rules! vectors {
        ($($name:ident($reg:ty): $elem:ty, $lanes:literal, $splat:ident, $load:ident, $store:ident,
            |$x:ident, $w:ident, $acc:ident| $fma:expr, $plus:ident, $minus:ident, $interleave:ident, $deinterleave:ident;)*) => {$(
            #[derive(Clone, Copy)]
            pub(in super::super) struct $name(pub(in super::super) $reg);

            impl Vector for $name {
                type Elem = $elem;
                const LANES: usize = $lanes;

                #[inline(always)]
                unsafe fn splat(x: $elem) -> Self {
                    // SAFETY: the caller's promise: the instruction set is present.
                    Self(unsafe { $splat(x) })
                }

                #[inline(always)]
                unsafe fn load(p: *const $elem) -> Self {
                    // SAFETY: the caller's promise; the load takes any alignment.
                    Self(unsafe { $load(p.cast()) })
                }

                #[inline(always)]
                unsafe fn store(self, p: *mut $elem) {
                    // SAFETY: the caller's promise; the store takes any alignment.
                    unsafe { $store(p.cast(), self.0) }
                }

                #[inline(always)]
                unsafe fn mul_add(self, weight: Self, acc: Self) -> Self {
                    let ($x, $w, $acc) = (self.0, weight.0, acc.0);
                    // SAFETY: the caller's promise: the instruction set is present.
                    Self(unsafe { $fma })
                }

                #[inline(always)]
                unsafe fn plus(self, other: Self) -> Self {
                    // SAFETY: as above.
                    Self(unsafe { $plus(self.0, other.0) })
                }

                #[inline(always)]
                unsafe fn minus(self, other: Self) -> Self {
                    // SAFETY: as above.
                    Self(unsafe { $minus(self.0, other.0) })
                }

                #[inline(always)]
                unsafe fn interleave(self, other: Self) -> (Self, Self) {
                    // SAFETY: as above.
                    let (first, second) = unsafe { $interleave(self.0, other.0) };
                    (Self(first), Self(second))
                }

                #[inline(always)]
                unsafe fn deinterleave(self, other: Self) -> (Self, Self) {
                    // SAFETY: as above.
                    let (even, odd) = unsafe { $deinterleave(self.0, other.0) };
                    (Self(even), Self(odd))
                }
            }
        )*};
    }

    /// The orders that [`Vector::interleave`] and [`Vector::deinterleave`] take of two vectors of 16 (of 8) elements.
    static ORDERS_16: [[i32; 16]; 4] = {
        let mut orders = [[0; 16]; 4];
        let mut i = 0;
        while i < 16 {
            orders[0][i] = (i / 2 + i % 2 * 16) as i32;
            orders[1][i] = (i / 2 + i % 2 * 16 + 8) as i32;
            orders[2][i] = 2 * i as i32;
            orders[3][i] = 2 * i as i32 + 1;
            i += 1;
        }
        orders
    };
    static ORDERS_8: [[i64; 8]; 4] = {
        let mut orders = [[0; 8]; 4];
        let mut i = 0;
        while i < 8 {
            orders[0][i] = (i / 2 + i % 2 * 8) as i64;
            orders[1][i] = (i / 2 + i % 2 * 8 + 4) as i64;
            orders[2][i] = 2 * i as i64;
            orders[3][i] = 2 * i as i64 + 1;
            i += 1;
        }
        orders
    };

    macro_rules! permuted {
        ($($interleave:ident $deinterleave:ident($reg:ty): $orders:ident, $permute:ident;)*) => {$(
            #[inline(always)]
            unsafe fn $interleave(a: $reg, b: $reg) -> ($reg, $reg) {
                // SAFETY: the caller's promise; an order is a whole vector.
                unsafe {
                    let order = |i: usize| _mm512_loadu_si512($orders[i].as_ptr().cast());
                    ($permute(a, order(0), b), $permute(a, order(1), b))
                }
            }

            #[inline(always)]
            unsafe fn $deinterleave(a: $reg, b: $reg) -> ($reg, $reg) {
                // SAFETY: as above.
                unsafe {
                    let order = |i: usize| _mm512_loadu_si512($orders[i].as_ptr().cast());
                    ($permute(a, order(2), b), $permute(a, order(3), b))
                }
            }
        )*};
    }
    permuted! {
        interleave_ps deinterleave_ps(__m512): ORDERS_16, _mm512_permutex2var_ps;
        interleave_epi32 deinterleave_epi32(__m512i): ORDERS_16, _mm512_permutex2var_epi32;
        interleave_pd deinterleave_pd(__m512d): ORDERS_8, _mm512_permutex2var_pd;
        interleave_epi64 deinterleave_epi64(__m512i): ORDERS_8, _mm512_permutex2var_epi64;
    }

    #[inline(always)]
    unsafe fn interleave_ps_256(a: __m256, b: __m256) -> (__m256, __m256) {
        // SAFETY: the caller's promise: AVX2 is present.
        unsafe {
            let (low, high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
            (_mm256_permute2f128_ps::<0x20>(low, high), _mm256_permute2f128_ps::<0x31>(low, high))
        }
    }

    #[inline(always)]
    unsafe fn deinterleave_ps_256(a: __m256, b: __m256) -> (__m256, __m256) {
        // SAFETY: the caller's promise: AVX2 is present.
        unsafe {
            let even = _mm256_castps_pd(_mm256_shuffle_ps::<0x88>(a, b));
            let odd = _mm256_castps_pd(_mm256_shuffle_ps::<0xdd>(a, b));
            let ordered = |v| _mm256_castpd_ps(_mm256_permute4x64_pd::<0xd8>(v));
            (ordered(even), ordered(odd))
        }
    }

    #[inline(always)]
    unsafe fn interleave_epi32_256(a: __m256i, b: __m256i) -> (__m256i, __m256i) {
        // SAFETY: the caller's promise: AVX2 is present.
        unsafe {
            let (first, second) = interleave_ps_256(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b));
            (_mm256_castps_si256(first), _mm256_castps_si256(second))
        }
    }

    #[inline(always)]
    unsafe fn deinterleave_epi32_256(a: __m256i, b: __m256i) -> (__m256i, __m256i) {
        // SAFETY: the caller's promise: AVX2 is present.
        unsafe {
            let (even, odd) = deinterleave_ps_256(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b));
            (_mm256_castps_si256(even), _mm256_castps_si256(odd))
        }
    }

    #[inline(always)]
    unsafe fn interleave_pd_256(a: __m256d, b: __m256d) -> (__m256d, __m256d) {
        // SAFETY: the caller's promise: AVX2 is present.
        unsafe {
            let (low, high) = (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
            (_mm256_permute2f128_pd::<0x20>(low, high), _mm256_permute2f128_pd::<0x31>(low, high))
        }
    }

    #[inline(always)]
    unsafe fn deinterleave_pd_256(a: __m256d, b: __m256d) -> (__m256d, __m256d) {
        // SAFETY: the caller's promise: AVX2 is present.
        unsafe {
            let (even, odd) = (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
            (_mm256_permute4x64_pd::<0xd8>(even), _mm256_permute4x64_pd::<0xd8>(odd))
        }
    }

    vectors! {
        F32x16(__m512): f32, 16, _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, |x, w, acc| _mm512_fmadd_ps(x, w, acc), _mm512_add_ps, _mm512_sub_ps, interleave_ps, deinterleave_ps;
        F64x8(__m512d): f64, 8, _mm512_set1_pd, _mm512_loadu_pd, _mm512_storeu_pd, |x, w, acc| _mm512_fmadd_pd(x, w, acc), _mm512_add_pd, _mm512_sub_pd, interleave_pd, deinterleave_pd;
        I32x16(__m512i): i32, 16, _mm512_set1_epi32, _mm512_loadu_epi32, _mm512_storeu_epi32,
            |x, w, acc| _mm512_add_epi32(acc, _mm512_mullo_epi32(x, w)), _mm512_add_epi32, _mm512_sub_epi32, interleave_epi32, deinterleave_epi32;
        Pairs16(__m512i): i32, 16, _mm512_set1_epi32, _mm512_loadu_epi32, _mm512_storeu_epi32,
            |x, w, acc| _mm512_dpwssd_epi32(acc, x, w), _mm512_add_epi32, _mm512_sub_epi32, interleave_epi32, deinterleave_epi32;
        Quads16(__m512i): i32, 16, _mm512_set1_epi32, _mm512_loadu_epi32, _mm512_storeu_epi32,
            |x, w, acc| _mm512_dpbusd_epi32(acc, x, w), _mm512_add_epi32, _mm512_sub_epi32, interleave_epi32, deinterleave_epi32;
        SignedQuads16(__m512i): i32, 16, _mm512_set1_epi32, _mm512_loadu_epi32, _mm512_storeu_epi32,
            |x, w, acc| _mm512_dpbusd_epi32(acc, w, x), _mm512_add_epi32, _mm512_sub_epi32, interleave_epi32, deinterleave_epi32;
        I64x8(__m512i): i64, 8, _mm512_set1_epi64, _mm512_loadu_epi64, _mm512_storeu_epi64,
            |x, w, acc| _mm512_add_epi64(acc, _mm512_mullo_epi64(x, w)), _mm512_add_epi64, _mm512_sub_epi64, interleave_epi64, deinterleave_epi64;
        F32x8(__m256): f32, 8, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, |x, w, acc| _mm256_fmadd_ps(x, w, acc), _mm256_add_ps, _mm256_sub_ps, interleave_ps_256, deinterleave_ps_256;
        F64x4(__m256d): f64, 4, _mm256_set1_pd, _mm256_loadu_pd, _mm256_storeu_pd, |x, w, acc| _mm256_fmadd_pd(x, w, acc), _mm256_add_pd, _mm256_sub_pd, interleave_pd_256, deinterleave_pd_256;
        I32x8(__m256i): i32, 8, _mm256_set1_epi32, _mm256_loadu_si256, _mm256_storeu_si256,
            |x, w, acc| _mm256_add_epi32(acc, _mm256_mullo_epi32(x, w)), _mm256_add_epi32, _mm256_sub_epi32, interleave_epi32_256, deinterleave_epi32_256;
    }
}
