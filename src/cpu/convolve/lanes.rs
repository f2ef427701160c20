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
    /// `acc + self · weight`, fused for floats, wrapping for integers.
    unsafe fn mul_add(self, weight: Self, acc: Self) -> Self;
}

/// Portable vectors: arrays, which the compiler turns into what the target has.
#[derive(Clone, Copy)]
pub(super) struct Lanes<C, const N: usize>([C; N]);

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
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86::*;

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Vector;
    use std::arch::x86_64::*;

    macro_rules! vectors {
        ($($name:ident($reg:ty): $elem:ty, $lanes:literal, $splat:ident, $load:ident, $store:ident,
            |$x:ident, $w:ident, $acc:ident| $fma:expr;)*) => {$(
            #[derive(Clone, Copy)]
            pub(in super::super) struct $name($reg);

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
            }
        )*};
    }
    vectors! {
        F32x16(__m512): f32, 16, _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, |x, w, acc| _mm512_fmadd_ps(x, w, acc);
        F64x8(__m512d): f64, 8, _mm512_set1_pd, _mm512_loadu_pd, _mm512_storeu_pd, |x, w, acc| _mm512_fmadd_pd(x, w, acc);
        I32x16(__m512i): i32, 16, _mm512_set1_epi32, _mm512_loadu_epi32, _mm512_storeu_epi32,
            |x, w, acc| _mm512_add_epi32(acc, _mm512_mullo_epi32(x, w));
        I64x8(__m512i): i64, 8, _mm512_set1_epi64, _mm512_loadu_epi64, _mm512_storeu_epi64,
            |x, w, acc| _mm512_add_epi64(acc, _mm512_mullo_epi64(x, w));
        F32x8(__m256): f32, 8, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, |x, w, acc| _mm256_fmadd_ps(x, w, acc);
        F64x4(__m256d): f64, 4, _mm256_set1_pd, _mm256_loadu_pd, _mm256_storeu_pd, |x, w, acc| _mm256_fmadd_pd(x, w, acc);
        I32x8(__m256i): i32, 8, _mm256_set1_epi32, _mm256_loadu_si256, _mm256_storeu_si256,
            |x, w, acc| _mm256_add_epi32(acc, _mm256_mullo_epi32(x, w));
    }
}
