//! What separable filters ask of a vector beyond convolution: reading elements of a narrower type, and turning rows.

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

/// A vector whose rows can become columns.
///
/// # Safety
/// As [`Vector`].
pub(super) trait Transpose: Vector {
    /// Transposes the first [`LANES`](Vector::LANES) vectors.
    unsafe fn transpose(square: &mut [Self; 16]);
}

/// A vector that is stored as elements of type `O`: integers rounded to nearest, ties to even, and saturated, NaN as 0.
///
/// # Safety
/// As [`Vector`].
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "only vectors with shifts are stored so"))]
pub(super) trait Narrow<O>: Vector {
    /// Stores the next [`LANES`](Vector::LANES) elements.
    unsafe fn narrow(self, p: *mut O);

    /// Stores those of several vectors, one after the other.
    // An index loop: iterators need not be inlined.
    #[allow(clippy::needless_range_loop)]
    #[inline(always)]
    unsafe fn narrow_all<const X: usize>(vectors: [Self; X], p: *mut O) {
        for x in 0..X {
            // SAFETY: the caller's promise.
            unsafe { vectors[x].narrow(p.add(x * Self::LANES)) }
        }
    }
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

impl<C: Number, const N: usize> Transpose for Lanes<C, N> {
    #[inline(always)]
    unsafe fn transpose(square: &mut [Self; 16]) {
        for i in 0..N {
            for j in 0..i {
                (square[i].0[j], square[j].0[i]) = (square[j].0[i], square[i].0[j]);
            }
        }
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

    macro_rules! narrows {
        ($($vector:ident, $target:ty, |$v:ident, $p:ident| $store:expr;)*) => {$(
            impl Narrow<$target> for $vector {
                #[inline(always)]
                unsafe fn narrow(self, $p: *mut $target) {
                    let $v = self.0;
                    // SAFETY: the caller's promise: the instruction set and room for the elements are there; any alignment will do.
                    unsafe { $store }
                }
            }
        )*};
    }
    narrows! {
        F32x16, f32, |v, p| _mm512_storeu_ps(p, v);
        F32x16, u8, |v, p| _mm_storeu_si128(p.cast(), _mm512_cvtepi32_epi8(within_16(v, 255.0)));
        F32x16, u16, |v, p| _mm256_storeu_si256(p.cast(), _mm512_cvtepi32_epi16(within_16(v, 65_535.0)));
        F64x8, f64, |v, p| _mm512_storeu_pd(p, v);
        F32x8, f32, |v, p| _mm256_storeu_ps(p, v);
        F64x4, f64, |v, p| _mm256_storeu_pd(p, v);
    }

    impl Narrow<u8> for F32x8 {
        #[inline(always)]
        unsafe fn narrow(self, p: *mut u8) {
            // SAFETY: as above.
            unsafe {
                let near = near_8(self.0, 255.0);
                let half = _mm_packus_epi32(_mm256_castsi256_si128(near), _mm256_extracti128_si256::<1>(near));
                _mm_storel_epi64(p.cast(), _mm_packus_epi16(half, half));
            }
        }

        /// Four at a time: half the shuffles.
        #[allow(clippy::needless_range_loop)]
        #[inline(always)]
        unsafe fn narrow_all<const X: usize>(vectors: [Self; X], p: *mut u8) {
            // SAFETY: as above.
            unsafe {
                for k in 0..X / 4 {
                    let ab = _mm256_packus_epi32(near_8(vectors[4 * k].0, 255.0), near_8(vectors[4 * k + 1].0, 255.0));
                    let cd = _mm256_packus_epi32(near_8(vectors[4 * k + 2].0, 255.0), near_8(vectors[4 * k + 3].0, 255.0));
                    // The packed halves of the four, then those behind them.
                    let order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
                    let all = _mm256_permutevar8x32_epi32(_mm256_packus_epi16(ab, cd), order);
                    _mm256_storeu_si256(p.add(32 * k).cast(), all);
                }
                for x in X / 4 * 4..X {
                    vectors[x].narrow(p.add(8 * x));
                }
            }
        }
    }

    impl Narrow<u16> for F32x8 {
        #[inline(always)]
        unsafe fn narrow(self, p: *mut u16) {
            // SAFETY: as above.
            unsafe {
                let near = near_8(self.0, 65_535.0);
                let all = _mm_packus_epi32(_mm256_castsi256_si128(near), _mm256_extracti128_si256::<1>(near));
                _mm_storeu_si128(p.cast(), all);
            }
        }

        /// Two at a time.
        #[allow(clippy::needless_range_loop)]
        #[inline(always)]
        unsafe fn narrow_all<const X: usize>(vectors: [Self; X], p: *mut u16) {
            // SAFETY: as above.
            unsafe {
                for k in 0..X / 2 {
                    let both = _mm256_packus_epi32(near_8(vectors[2 * k].0, 65_535.0), near_8(vectors[2 * k + 1].0, 65_535.0));
                    _mm256_storeu_si256(p.add(16 * k).cast(), _mm256_permute4x64_epi64::<0b11_01_10_00>(both));
                }
                for x in X / 2 * 2..X {
                    vectors[x].narrow(p.add(8 * x));
                }
            }
        }
    }

    /// The nearest integers from 0 to `most`. Of NaN and a number, the second is the greater one for the instruction.
    #[inline(always)]
    unsafe fn within_16(v: __m512, most: f32) -> __m512i {
        // SAFETY: the caller's promise: the instruction set is present.
        unsafe { _mm512_cvtps_epi32(_mm512_min_ps(_mm512_max_ps(v, _mm512_setzero_ps()), _mm512_set1_ps(most))) }
    }

    /// The nearest integers up to `most`, negative ones as they are, which packing makes 0. NaN becomes the least integer: of it and
    /// a number, the instruction takes the second.
    #[inline(always)]
    unsafe fn near_8(v: __m256, most: f32) -> __m256i {
        // SAFETY: as above.
        unsafe { _mm256_cvtps_epi32(_mm256_min_ps(_mm256_set1_ps(most), v)) }
    }

    // Pairs of rows are interleaved, then pairs of pairs; what is left are blocks of 128 bits at the places of others.
    impl Transpose for F32x16 {
        #[inline(always)]
        unsafe fn transpose(square: &mut [Self; 16]) {
            // SAFETY: the caller's promise: the instruction set is present.
            unsafe {
                let mut pairs = [_mm512_setzero_pd(); 16];
                for i in 0..8 {
                    let (a, b) = (square[2 * i].0, square[2 * i + 1].0);
                    pairs[2 * i] = _mm512_castps_pd(_mm512_unpacklo_ps(a, b));
                    pairs[2 * i + 1] = _mm512_castps_pd(_mm512_unpackhi_ps(a, b));
                }
                // Block k of quads[4 i + c]: column 4 k + c of rows 4 i to 4 i + 3.
                let mut quads = [_mm512_setzero_ps(); 16];
                for i in 0..4 {
                    for half in 0..2 {
                        let (a, b) = (pairs[4 * i + half], pairs[4 * i + half + 2]);
                        quads[4 * i + 2 * half] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
                        quads[4 * i + 2 * half + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
                    }
                }
                for c in 0..4 {
                    // The blocks of even and of odd index, of the upper and of the lower rows.
                    let even = _mm512_shuffle_f32x4::<0x88>(quads[c], quads[4 + c]);
                    let odd = _mm512_shuffle_f32x4::<0xdd>(quads[c], quads[4 + c]);
                    let even_below = _mm512_shuffle_f32x4::<0x88>(quads[8 + c], quads[12 + c]);
                    let odd_below = _mm512_shuffle_f32x4::<0xdd>(quads[8 + c], quads[12 + c]);
                    square[c].0 = _mm512_shuffle_f32x4::<0x88>(even, even_below);
                    square[4 + c].0 = _mm512_shuffle_f32x4::<0x88>(odd, odd_below);
                    square[8 + c].0 = _mm512_shuffle_f32x4::<0xdd>(even, even_below);
                    square[12 + c].0 = _mm512_shuffle_f32x4::<0xdd>(odd, odd_below);
                }
            }
        }
    }

    impl Transpose for F64x8 {
        #[inline(always)]
        unsafe fn transpose(square: &mut [Self; 16]) {
            // SAFETY: as above.
            unsafe {
                // Block k of pairs[2 i + c]: column 2 k + c of rows 2 i and 2 i + 1.
                let mut pairs = [_mm512_setzero_pd(); 8];
                for i in 0..4 {
                    pairs[2 * i] = _mm512_unpacklo_pd(square[2 * i].0, square[2 * i + 1].0);
                    pairs[2 * i + 1] = _mm512_unpackhi_pd(square[2 * i].0, square[2 * i + 1].0);
                }
                for c in 0..2 {
                    let even = _mm512_shuffle_f64x2::<0x88>(pairs[c], pairs[2 + c]);
                    let odd = _mm512_shuffle_f64x2::<0xdd>(pairs[c], pairs[2 + c]);
                    let even_below = _mm512_shuffle_f64x2::<0x88>(pairs[4 + c], pairs[6 + c]);
                    let odd_below = _mm512_shuffle_f64x2::<0xdd>(pairs[4 + c], pairs[6 + c]);
                    square[c].0 = _mm512_shuffle_f64x2::<0x88>(even, even_below);
                    square[2 + c].0 = _mm512_shuffle_f64x2::<0x88>(odd, odd_below);
                    square[4 + c].0 = _mm512_shuffle_f64x2::<0xdd>(even, even_below);
                    square[6 + c].0 = _mm512_shuffle_f64x2::<0xdd>(odd, odd_below);
                }
            }
        }
    }

    impl Transpose for F32x8 {
        #[inline(always)]
        unsafe fn transpose(square: &mut [Self; 16]) {
            // SAFETY: as above.
            unsafe {
                let mut pairs = [_mm256_setzero_pd(); 8];
                for i in 0..4 {
                    let (a, b) = (square[2 * i].0, square[2 * i + 1].0);
                    pairs[2 * i] = _mm256_castps_pd(_mm256_unpacklo_ps(a, b));
                    pairs[2 * i + 1] = _mm256_castps_pd(_mm256_unpackhi_ps(a, b));
                }
                for half in 0..2 {
                    // Columns 2 half, 2 half + 1 and those four further on, of the upper and of the lower rows.
                    let (a, b) = (pairs[half], pairs[half + 2]);
                    let (c, d) = (pairs[half + 4], pairs[half + 6]);
                    let above = [_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b)];
                    let below = [_mm256_unpacklo_pd(c, d), _mm256_unpackhi_pd(c, d)];
                    for c in 0..2 {
                        let (a, b) = (_mm256_castpd_ps(above[c]), _mm256_castpd_ps(below[c]));
                        square[2 * half + c].0 = _mm256_permute2f128_ps::<0x20>(a, b);
                        square[2 * half + c + 4].0 = _mm256_permute2f128_ps::<0x31>(a, b);
                    }
                }
            }
        }
    }

    impl Transpose for F64x4 {
        #[inline(always)]
        unsafe fn transpose(square: &mut [Self; 16]) {
            // SAFETY: as above.
            unsafe {
                let [a, b, c, d] = [square[0].0, square[1].0, square[2].0, square[3].0];
                let above = [_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b)];
                let below = [_mm256_unpacklo_pd(c, d), _mm256_unpackhi_pd(c, d)];
                for c in 0..2 {
                    let (a, b) = (above[c], below[c]);
                    square[c].0 = _mm256_permute2f128_pd::<0x20>(a, b);
                    square[c + 2].0 = _mm256_permute2f128_pd::<0x31>(a, b);
                }
            }
        }
    }
}
