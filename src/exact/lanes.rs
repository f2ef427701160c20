//! Vectors of binary64 numbers for the extraction: what it takes to move numbers to a level and to check the move.

/// A register full of binary64 numbers.
///
/// # Safety
/// All methods require the instruction set of the implementing type to be present, and are always inlined, so that they
/// become single instructions in a caller compiled for it. Pointers must be good for [`LANES`](Self::LANES) elements,
/// with the alignment of one.
pub(crate) trait Doubles: Copy {
    /// Numbers per vector.
    const LANES: usize;

    unsafe fn splat(x: f64) -> Self;
    unsafe fn load(p: *const f64) -> Self;
    /// Binary32 numbers, widened.
    unsafe fn widen(p: *const f32) -> Self;
    unsafe fn store(self, p: *mut f64);
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    /// The larger of the magnitude of `self` and `largest`; the latter if `self` is NaN.
    unsafe fn magnitude_or(self, largest: Self) -> Self;
    /// The union of the bits.
    unsafe fn or(self, other: Self) -> Self;
    /// `self · one − other`, rounded once, where there are units that multiply and add: those that only add have much to do.
    unsafe fn fused_sub(self, one: Self, other: Self) -> Self;
    /// Its bits, and those in which `a` and `b` differ.
    unsafe fn or_difference(self, a: Self, b: Self) -> Self;
}

/// Portable vectors: arrays, which the compiler turns into what the target has.
#[derive(Clone, Copy)]
pub(crate) struct Portable<const N: usize>([f64; N]);

impl<const N: usize> Portable<N> {
    #[inline(always)]
    fn zip(mut self, other: Self, f: impl Fn(f64, f64) -> f64) -> Self {
        for (a, b) in self.0.iter_mut().zip(other.0) {
            *a = f(*a, b);
        }
        self
    }
}

impl<const N: usize> Doubles for Portable<N> {
    const LANES: usize = N;

    #[inline(always)]
    unsafe fn splat(x: f64) -> Self {
        Self([x; N])
    }

    #[inline(always)]
    unsafe fn load(p: *const f64) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { p.cast::<[f64; N]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn widen(p: *const f32) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { p.cast::<[f32; N]>().read_unaligned() }.map(f64::from))
    }

    #[inline(always)]
    unsafe fn store(self, p: *mut f64) {
        // SAFETY: the caller's promise.
        unsafe { p.cast::<[f64; N]>().write_unaligned(self.0) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }

    #[inline(always)]
    unsafe fn magnitude_or(self, largest: Self) -> Self {
        self.zip(largest, |x, largest| if x.abs() > largest { x.abs() } else { largest })
    }

    #[inline(always)]
    unsafe fn or(self, other: Self) -> Self {
        self.zip(other, |a, b| f64::from_bits(a.to_bits() | b.to_bits()))
    }

    #[inline(always)]
    unsafe fn fused_sub(self, _: Self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }

    #[inline(always)]
    unsafe fn or_difference(self, a: Self, b: Self) -> Self {
        let difference = a.zip(b, |a, b| f64::from_bits(a.to_bits() ^ b.to_bits()));
        self.zip(difference, |a, b| f64::from_bits(a.to_bits() | b.to_bits()))
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Doubles4, Doubles8};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Doubles;
    use std::arch::x86_64::*;

    macro_rules! vectors {
        ($($name:ident($reg:ty): $lanes:literal, $splat:ident, $load:ident, |$p:ident| $widen:expr, $store:ident, $add:ident,
            $sub:ident, $mul:ident, $fused_sub:ident, |$x:ident, $largest:ident| $max:expr, |$a:ident, $b:ident| $or:expr,
            |$left:ident, $c:ident, $d:ident| $difference:expr;)*) => {$(
            #[derive(Clone, Copy)]
            pub(crate) struct $name($reg);

            // SAFETY, for every method: the caller's promise, that the instruction set is present and pointers are good;
            // loads and stores take any alignment.
            #[allow(clippy::undocumented_unsafe_blocks)]
            impl Doubles for $name {
                const LANES: usize = $lanes;

                #[inline(always)]
                unsafe fn splat(x: f64) -> Self {
                    Self(unsafe { $splat(x) })
                }

                #[inline(always)]
                unsafe fn load(p: *const f64) -> Self {
                    Self(unsafe { $load(p) })
                }

                #[inline(always)]
                unsafe fn widen($p: *const f32) -> Self {
                    Self(unsafe { $widen })
                }

                #[inline(always)]
                unsafe fn store(self, p: *mut f64) {
                    unsafe { $store(p, self.0) }
                }

                #[inline(always)]
                unsafe fn add(self, other: Self) -> Self {
                    Self(unsafe { $add(self.0, other.0) })
                }

                #[inline(always)]
                unsafe fn sub(self, other: Self) -> Self {
                    Self(unsafe { $sub(self.0, other.0) })
                }

                #[inline(always)]
                unsafe fn mul(self, other: Self) -> Self {
                    Self(unsafe { $mul(self.0, other.0) })
                }

                #[inline(always)]
                unsafe fn magnitude_or(self, largest: Self) -> Self {
                    let ($x, $largest) = (self.0, largest.0);
                    Self(unsafe { $max })
                }

                #[inline(always)]
                unsafe fn or(self, other: Self) -> Self {
                    let ($a, $b) = (self.0, other.0);
                    Self(unsafe { $or })
                }

                #[inline(always)]
                unsafe fn fused_sub(self, one: Self, other: Self) -> Self {
                    Self(unsafe { $fused_sub(self.0, one.0, other.0) })
                }

                #[inline(always)]
                unsafe fn or_difference(self, a: Self, b: Self) -> Self {
                    let ($left, $c, $d) = (self.0, a.0, b.0);
                    Self(unsafe { $difference })
                }
            }
        )*};
    }
    // Of two numbers the larger magnitude, and the other if one is a quiet NaN.
    const LARGER_MAGNITUDE: i32 = 0b1011;
    // `a | (b ^ c)`.
    const OR_DIFFERENCE: i32 = 0b1111_0110;

    // `max` answers with its second operand if one is NaN.
    vectors! {
        Doubles8(__m512d): 8, _mm512_set1_pd, _mm512_loadu_pd, |p| _mm512_cvtps_pd(_mm256_loadu_ps(p)), _mm512_storeu_pd,
            _mm512_add_pd, _mm512_sub_pd, _mm512_mul_pd, _mm512_fmsub_pd, |x, largest| _mm512_range_pd::<LARGER_MAGNITUDE>(x, largest),
            |a, b| _mm512_or_pd(a, b), |left, c, d| _mm512_castsi512_pd(_mm512_ternarylogic_epi64::<OR_DIFFERENCE>(
                _mm512_castpd_si512(left), _mm512_castpd_si512(c), _mm512_castpd_si512(d)));
        Doubles4(__m256d): 4, _mm256_set1_pd, _mm256_loadu_pd, |p| _mm256_cvtps_pd(_mm_loadu_ps(p)), _mm256_storeu_pd,
            _mm256_add_pd, _mm256_sub_pd, _mm256_mul_pd, _mm256_fmsub_pd,
            |x, largest| _mm256_max_pd(_mm256_andnot_pd(_mm256_set1_pd(-0.0), x), largest),
            |a, b| _mm256_or_pd(a, b), |left, c, d| _mm256_or_pd(left, _mm256_xor_pd(c, d));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every vector type computes as one lane of the portable one does.
    fn check<V: Doubles>() {
        let (xs, ys) =
            ([1.5f64, -2.0, f64::NAN, -0.0, f64::INFINITY, 3.0, -7.5, 1e-310], [2f64, 1.0, 4.0, 0.0, 1.0, 2.0, 8.0, 0.0]);
        let narrow = xs.map(|x| x as f32);
        for at in (0..xs.len()).step_by(V::LANES) {
            let ops: [fn(f64, f64) -> f64; 7] = [
                |x, y| x + y,
                |x, y| x - y,
                |x, y| x * y,
                |x, y| if x.abs() > y { x.abs() } else { y },
                |x, y| f64::from_bits(x.to_bits() | y.to_bits()),
                |x, y| x - y,
                |x, y| f64::from_bits(1f64.to_bits() | (x.to_bits() ^ y.to_bits())),
            ];
            for (which, op) in ops.into_iter().enumerate() {
                let mut out = [0.0; 8];
                // SAFETY: the test calls this for vectors that are present; V::LANES divides the length.
                unsafe {
                    let (x, y) = (V::load(xs.as_ptr().add(at)), V::load(ys.as_ptr().add(at)));
                    let one = V::splat(1.0);
                    let z =
                        [x.add(y), x.sub(y), x.mul(y), x.magnitude_or(y), x.or(y), x.fused_sub(one, y), one.or_difference(x, y)]
                            [which];
                    z.store(out.as_mut_ptr());
                }
                for lane in 0..V::LANES {
                    let expected = op(xs[at + lane], ys[at + lane]);
                    assert!(out[lane].to_bits() == expected.to_bits() || out[lane].is_nan() && expected.is_nan());
                }
            }
            let mut out = [0.0; 8];
            // SAFETY: as above.
            unsafe { V::widen(narrow.as_ptr().add(at)).store(out.as_mut_ptr()) };
            for lane in 0..V::LANES {
                let expected = f64::from(narrow[at + lane]);
                assert!(out[lane] == expected || out[lane].is_nan() && expected.is_nan());
            }
        }
    }

    #[test]
    fn vectors_compute_as_their_lanes_would() {
        check::<Portable<1>>();
        check::<Portable<2>>();
        #[cfg(target_arch = "x86_64")]
        {
            use crate::cpu::simd::Simd;
            for level in Simd::available() {
                match level {
                    Simd::Avx512 => check::<Doubles8>(),
                    Simd::Avx2 => check::<Doubles4>(),
                    Simd::Portable => {}
                }
            }
        }
    }
}
