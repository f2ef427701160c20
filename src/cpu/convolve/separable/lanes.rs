//! What separable filters ask of a vector beyond convolution: reading elements of a narrower type.

use super::super::lanes::*;
use super::super::number::{Number, Operand};

/// A vector that reads elements of type `S`.
///
/// # Safety
/// As [`Vector`].
pub(super) trait Widen<S>: Vector {
    /// The next [`LANES`](Vector::LANES) elements, converted exactly.
    unsafe fn widen(p: *const S) -> Self;
}

/// Floats that arrays of lanes add.
pub(super) trait Float: Number + std::ops::Add<Output = Self> + std::ops::Sub<Output = Self> {
    /// The nearest float.
    fn nearest(x: f64) -> Self;
    /// The square root.
    fn root(self) -> Self;
}
impl Float for f32 {
    fn nearest(x: f64) -> Self {
        x as f32
    }

    #[inline(always)]
    fn root(self) -> Self {
        self.sqrt()
    }
}
impl Float for f64 {
    fn nearest(x: f64) -> Self {
        x
    }

    #[inline(always)]
    fn root(self) -> Self {
        self.sqrt()
    }
}

impl<S: Operand<C>, C: Float, const N: usize> Widen<S> for Lanes<C, N> {
    #[inline(always)]
    unsafe fn widen(p: *const S) -> Self {
        let mut lanes = [C::ZERO; N];
        for (i, lane) in lanes.iter_mut().enumerate() {
            // SAFETY: the caller's promise.
            *lane = unsafe { p.add(i).read_unaligned() }.operand();
        }
        Self(lanes)
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::*;
    use std::arch::x86_64::*;

    macro_rules! widens {
        ($($vector:ident, $source:ty, |$p:ident| $load:expr;)*) => {$(
            impl Widen<$source> for $vector {
                #[inline(always)]
                unsafe fn widen($p: *const $source) -> Self {
                    // SAFETY: the caller's promise: the instruction set and the elements are there; any alignment will do.
                    Self(unsafe { $load })
                }
            }
        )*};
    }
    widens! {
        F32x16, f32, |p| _mm512_loadu_ps(p);
        F32x16, u8, |p| _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(p.cast())));
        F32x16, u16, |p| _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(_mm256_loadu_si256(p.cast())));
        F64x8, f64, |p| _mm512_loadu_pd(p);
        F32x8, f32, |p| _mm256_loadu_ps(p);
        F32x8, u8, |p| _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(p.cast())));
        F32x8, u16, |p| _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(_mm_loadu_si128(p.cast())));
        F64x4, f64, |p| _mm256_loadu_pd(p);
    }
}
