//! The pass along the rows for few mirrored weights, with AVX-512.
//!
//! A row is read once, in aligned vectors, and what a weight takes is shifted out of two neighbours in registers. A shift takes a
//! place beside the arithmetic, a load across two cache lines two places beside the loads: half of the weights go either way,
//! so that neither waits for the other. Order and bits are those of [`along`](super::along).

use super::super::lanes::*;
use super::super::number::Number;
use super::along::{Along, AlongFn};
use super::lanes::Float;
use super::sweep::Weights;
use crate::cpu::simd::Simd;

/// A vector whose neighbours can be shifted into each other.
///
/// # Safety
/// As [`Vector`].
pub(in super::super) trait Shift: Vector {
    /// The elements from `BY` on of this vector and the next, one after the other.
    unsafe fn shift<const BY: usize>(self, next: Self) -> Self;

    /// What [`pick`](Self::pick) takes to shift by `by` elements, at most [`LANES`](Vector::LANES).
    unsafe fn order(by: usize) -> Self;

    /// The elements of this vector and the next, one after the other, from the one on that `order` says.
    unsafe fn pick(self, next: Self, order: Self) -> Self;

    /// Stores a whole vector, which the pointer must be aligned to, past the caches.
    unsafe fn stream(self, p: *mut Self::Elem);

    /// Stores the first `count` elements, at most [`LANES`](Vector::LANES).
    unsafe fn store_first(self, p: *mut Self::Elem, count: usize);
}

/// Whether weight `t` is given its vectors by a load.
const fn is_loaded(t: usize) -> bool {
    matches!(t % 8, 1 | 3 | 4 | 6)
}

/// Vectors of a row that are held at a time.
const fn held(lanes: usize, taps: usize, step: usize) -> usize {
    (taps - 1) * step / lanes + 2
}

/// All rows, for `TAPS` weights that are the same from both ends, `STEP` elements apart.
// Plain index loops of constant length are what the compiler unrolls into registers.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn few<V: Shift, const TAPS: usize, const STEP: usize>(a: &Along<'_, V::Elem>)
where
    V::Elem: Float,
{
    const { assert!(TAPS % 2 == 1 && TAPS <= MOST_TAPS && held(V::LANES, TAPS, STEP) <= MOST_HELD) };
    // SAFETY: rows hold n + (TAPS - 1) · STEP elements; less than two vectors behind them are read, which are there by the promise of
    // `AlongFn`, and no more results are written than the n.
    unsafe {
        let mut weights = [V::splat(<V::Elem as Number>::ZERO); MOST_TAPS / 2 + 1];
        for t in 0..=TAPS / 2 {
            weights[t] = V::splat(a.weights.values[t]);
        }
        let (n, add) = (a.n, a.add);
        for r in 0..a.height {
            let (source, out) = (a.source.add(r * a.source_row), a.out.add(r * a.out_row));
            let mut row = [V::splat(<V::Elem as Number>::ZERO); MOST_HELD];
            let held = const { held(V::LANES, TAPS, STEP) };
            for k in 0..held - 1 {
                row[k] = V::load(source.add(k * V::LANES));
            }
            // Lines of the target that are streamed lie across two vectors of results.
            let before = if a.stream { out.align_offset(64).min(n) } else { 0 };
            let (order, mut last) = (V::order(before), V::splat(<V::Elem as Number>::ZERO));
            let mut i = 0;
            while i < n {
                row[held - 1] = V::load(source.add(i + (held - 1) * V::LANES));
                let start = V::splat(<V::Elem as Number>::ZERO);
                let mut acc = if add { V::load(out.add(i).cast_const()) } else { start };
                macro_rules! pixels {
                    ($t:expr) => {{
                        // Constants, whatever is inlined: a call would put all vectors into memory.
                        let (first, by) = const { ($t * STEP / V::LANES, $t * STEP % V::LANES) };
                        if by == 0 {
                            row[first]
                        } else if const { is_loaded($t) } {
                            V::load(source.add(i + $t * STEP))
                        } else {
                            shifted(row[first], row[first + 1], by)
                        }
                    }};
                }
                macro_rules! pairs {
                    ($($t:literal)*) => {$(
                        if $t < TAPS / 2 {
                            let both = pixels!($t).plus(pixels!((TAPS - 1).saturating_sub($t)));
                            acc = both.mul_add(weights[$t], acc);
                        }
                    )*};
                }
                pairs!(0 1 2 3 4 5 6 7);
                acc = pixels!(TAPS / 2).mul_add(weights[TAPS / 2], acc);
                if !a.stream && i + V::LANES <= n {
                    acc.store(out.add(i));
                } else if !a.stream {
                    acc.store_first(out.add(i), n - i);
                } else if i == 0 {
                    acc.store_first(out, before);
                } else {
                    let (line, start) = (last.pick(acc, order), i + before - V::LANES);
                    if start + V::LANES <= n {
                        line.stream(out.add(start));
                    } else {
                        line.store_first(out.add(start), n - start);
                    }
                }
                last = acc;
                // One by one: a loop would be made a copy in memory.
                macro_rules! next {
                    ($($k:literal)*) => {
                        $(if $k + 1 < held {
                            row[$k] = row[$k + 1];
                        })*
                    };
                }
                next!(0 1 2 3 4 5 6 7 8);
                i += V::LANES;
            }
            let streamed = i - V::LANES + before;
            if a.stream && streamed < n {
                last.pick(last, order).store_first(out.add(streamed), n - streamed);
            }
        }
    }
}

/// The most weights, and vectors that are held for them.
const MOST_TAPS: usize = 17;
const MOST_HELD: usize = 10;

/// [`Shift::shift`] by a number that the compiler knows.
#[inline(always)]
pub(in super::super) unsafe fn shifted<V: Shift>(a: V, b: V, by: usize) -> V {
    // SAFETY: the caller's promise: the instruction set is present.
    unsafe {
        macro_rules! arms {
            ($($by:literal)*) => {
                match by {
                    $($by => a.shift::<$by>(b),)*
                    _ => a,
                }
            };
        }
        arms!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
    }
}

/// A type computed in, with the pass for few weights where it pays.
pub(super) trait Few: Sized {
    /// The pass for these weights, if there is one; of the instruction set, which must be present when it is used.
    fn few(simd: Simd, weights: &Weights<Self>, step: usize) -> Option<AlongFn<Self>>;
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::super::sweep::Symmetry;
    use super::*;
    use std::arch::x86_64::*;

    impl Shift for F32x16 {
        #[inline(always)]
        unsafe fn shift<const BY: usize>(self, next: Self) -> Self {
            // SAFETY: the caller's promise: the instruction set is present.
            unsafe {
                let (low, high) = (_mm512_castps_si512(self.0), _mm512_castps_si512(next.0));
                macro_rules! arms {
                    ($($by:literal)*) => {
                        match BY {
                            $($by => _mm512_alignr_epi32::<$by>(high, low),)*
                            _ => low,
                        }
                    };
                }
                Self(_mm512_castsi512_ps(arms!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)))
            }
        }

        #[inline(always)]
        unsafe fn order(by: usize) -> Self {
            // SAFETY: as above.
            unsafe {
                let first = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
                Self(_mm512_castsi512_ps(_mm512_add_epi32(first, _mm512_set1_epi32(by as i32))))
            }
        }

        #[inline(always)]
        unsafe fn pick(self, next: Self, order: Self) -> Self {
            // SAFETY: as above.
            Self(unsafe { _mm512_permutex2var_ps(self.0, _mm512_castps_si512(order.0), next.0) })
        }

        #[inline(always)]
        unsafe fn stream(self, p: *mut f32) {
            // SAFETY: the caller's promise, here and below: the instruction set, and room for the elements, aligned.
            unsafe { _mm512_stream_ps(p, self.0) }
        }

        #[inline(always)]
        unsafe fn store_first(self, p: *mut f32, count: usize) {
            // SAFETY: as above; others than the first elements are not touched.
            unsafe { _mm512_mask_storeu_ps(p, ((1u32 << count) - 1) as __mmask16, self.0) }
        }
    }

    impl Shift for F64x8 {
        #[inline(always)]
        unsafe fn shift<const BY: usize>(self, next: Self) -> Self {
            // SAFETY: as above.
            unsafe {
                let (low, high) = (_mm512_castpd_si512(self.0), _mm512_castpd_si512(next.0));
                macro_rules! arms {
                    ($($by:literal)*) => {
                        match BY {
                            $($by => _mm512_alignr_epi64::<$by>(high, low),)*
                            _ => low,
                        }
                    };
                }
                Self(_mm512_castsi512_pd(arms!(1 2 3 4 5 6 7)))
            }
        }

        #[inline(always)]
        unsafe fn order(by: usize) -> Self {
            // SAFETY: as above.
            unsafe {
                let first = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
                Self(_mm512_castsi512_pd(_mm512_add_epi64(first, _mm512_set1_epi64(by as i64))))
            }
        }

        #[inline(always)]
        unsafe fn pick(self, next: Self, order: Self) -> Self {
            // SAFETY: as above.
            Self(unsafe { _mm512_permutex2var_pd(self.0, _mm512_castpd_si512(order.0), next.0) })
        }

        #[inline(always)]
        unsafe fn stream(self, p: *mut f64) {
            // SAFETY: the caller's promise, here and below: the instruction set, and room for the elements, aligned.
            unsafe { _mm512_stream_pd(p, self.0) }
        }

        #[inline(always)]
        unsafe fn store_first(self, p: *mut f64, count: usize) {
            // SAFETY: as above; others than the first elements are not touched.
            unsafe { _mm512_mask_storeu_pd(p, ((1u32 << count) - 1) as __mmask8, self.0) }
        }
    }

    impl Shift for F32x8 {
        #[inline(always)]
        unsafe fn shift<const BY: usize>(self, next: Self) -> Self {
            // SAFETY: as above.
            unsafe {
                let (low, high) = (_mm256_castps_si256(self.0), _mm256_castps_si256(next.0));
                // The upper half of one and the lower half of the other: what lies behind either half.
                let between = _mm256_permute2x128_si256::<0x21>(low, high);
                let elements = match BY {
                    0 => low,
                    1 => _mm256_alignr_epi8::<4>(between, low),
                    2 => _mm256_alignr_epi8::<8>(between, low),
                    3 => _mm256_alignr_epi8::<12>(between, low),
                    4 => between,
                    5 => _mm256_alignr_epi8::<4>(high, between),
                    6 => _mm256_alignr_epi8::<8>(high, between),
                    _ => _mm256_alignr_epi8::<12>(high, between),
                };
                Self(_mm256_castsi256_ps(elements))
            }
        }

        #[inline(always)]
        unsafe fn order(by: usize) -> Self {
            // SAFETY: as above.
            unsafe {
                let first = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
                Self(_mm256_castsi256_ps(_mm256_add_epi32(first, _mm256_set1_epi32(by as i32))))
            }
        }

        #[inline(always)]
        unsafe fn pick(self, next: Self, order: Self) -> Self {
            // SAFETY: as above.
            unsafe {
                let order = _mm256_castps_si256(order.0);
                let (low, high) = (_mm256_permutevar8x32_ps(self.0, order), _mm256_permutevar8x32_ps(next.0, order));
                let later = _mm256_cmpgt_epi32(order, _mm256_set1_epi32(7));
                Self(_mm256_blendv_ps(low, high, _mm256_castsi256_ps(later)))
            }
        }

        #[inline(always)]
        unsafe fn stream(self, p: *mut f32) {
            // SAFETY: the caller's promise.
            unsafe { _mm256_stream_ps(p, self.0) }
        }

        #[inline(always)]
        unsafe fn store_first(self, p: *mut f32, count: usize) {
            // SAFETY: as above; others than the first elements are not touched.
            unsafe {
                let place = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
                _mm256_maskstore_ps(p, _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), place), self.0);
            }
        }
    }

    impl Shift for F64x4 {
        #[inline(always)]
        unsafe fn shift<const BY: usize>(self, next: Self) -> Self {
            // SAFETY: as above.
            unsafe {
                let between = _mm256_permute2f128_pd::<0x21>(self.0, next.0);
                Self(match BY {
                    0 => self.0,
                    1 => _mm256_shuffle_pd::<0b0101>(self.0, between),
                    2 => between,
                    _ => _mm256_shuffle_pd::<0b0101>(between, next.0),
                })
            }
        }

        #[inline(always)]
        unsafe fn order(by: usize) -> Self {
            // SAFETY: as above.
            unsafe {
                let first = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
                Self(_mm256_castsi256_pd(_mm256_add_epi32(first, _mm256_set1_epi32(2 * by as i32))))
            }
        }

        #[inline(always)]
        unsafe fn pick(self, next: Self, order: Self) -> Self {
            // SAFETY: as above.
            unsafe {
                let halves = |v: __m256d| F32x8(_mm256_castpd_ps(v));
                Self(_mm256_castps_pd(halves(self.0).pick(halves(next.0), halves(order.0)).0))
            }
        }

        #[inline(always)]
        unsafe fn stream(self, p: *mut f64) {
            // SAFETY: the caller's promise.
            unsafe { _mm256_stream_pd(p, self.0) }
        }

        #[inline(always)]
        unsafe fn store_first(self, p: *mut f64, count: usize) {
            // SAFETY: as above.
            unsafe {
                let place = _mm256_setr_epi64x(0, 1, 2, 3);
                _mm256_maskstore_pd(p, _mm256_cmpgt_epi64(_mm256_set1_epi64x(count as i64), place), self.0);
            }
        }
    }

    macro_rules! few {
        ($elem:ty: $vector:ty; $($taps:literal)*) => {
            impl Few for $elem {
                fn few(simd: Simd, weights: &Weights<Self>, step: usize) -> Option<AlongFn<Self>> {
                    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
                    unsafe fn compiled<const TAPS: usize, const STEP: usize>(a: &Along<'_, $elem>) {
                        // SAFETY: the caller's promise.
                        unsafe { few::<$vector, TAPS, STEP>(a) }
                    }
                    if simd != Simd::Avx512 || weights.symmetry != Symmetry::Even {
                        return None;
                    }
                    Some(match (weights.values.len(), step) {
                        $(
                            ($taps, 1) => compiled::<$taps, 1>,
                            ($taps, 3) => compiled::<$taps, 3>,
                            ($taps, 4) => compiled::<$taps, 4>,
                        )*
                        _ => return None,
                    })
                }
            }
        };
    }
    few!(f32: F32x16; 3 5 7 9 11 13 15 17);
    few!(f64: F64x8; 3 5 7 9 11 13 15 17);
}

#[cfg(not(target_arch = "x86_64"))]
macro_rules! none {
    ($($elem:ty)*) => {$(
        impl Few for $elem {
            fn few(_: Simd, _: &Weights<Self>, _: usize) -> Option<AlongFn<Self>> {
                None
            }
        }
    )*};
}
#[cfg(not(target_arch = "x86_64"))]
none!(f32 f64);
