//! The fast FIR identity, along one axis, and its passes over rows of numbers.
//!
//! With even and odd elements `E[i] = x[2i]`, `O[i] = x[2i + 1]` and even and odd taps `h₀`, `h₁`, three filters of half the
//! length give both outputs:
//!
//! `m₀ = h₀ * (E − O)`, `m₁ = (h₀ + h₁) * O`, `m₂ = h₁ * (O − E₊)`, `y[2i] = m₀ + m₁`, `y[2i + 1] = m₁ − m₂`,
//!
//! where `E₊[i] = x[2i + 2]`. Applied along two axes it takes 9 filters of a quarter of the taps for 4 outputs; applied to
//! the half-length filters again, 81 of a sixteenth for 16. (Mou and Duhamel, *Fast FIR filtering*, 1987; Parhi, *VLSI
//! Digital Signal Processing Systems*, 1999, ch. 9.)

use super::lanes::*;
use super::number::Number;
use crate::cpu::simd::Simd;

/// The passes of one instruction set, which must be present when they are used. Lengths are multiples of `lanes` (but for
/// `largest`), pointers good for them; no target overlaps anything.
pub(super) struct Passes<C: 'static> {
    /// Elements per vector.
    pub lanes: usize,
    /// `target = a − b`.
    pub difference: unsafe fn(a: *const C, b: *const C, target: *mut C, n: usize),
    /// `E − O`, `O` and `O − E₊`, `n` elements each, of `2n + 2`.
    pub split: unsafe fn(source: *const C, targets: [*mut C; 3], n: usize),
    /// `y`, `2n` elements, of three rows of `n`.
    pub weave: unsafe fn(m: [*const C; 3], target: *mut C, n: usize),
    /// The even and the odd row of `y`, of three rows.
    pub pair: unsafe fn(m: [*const C; 3], targets: [*mut C; 2], n: usize),
    /// [`weave`](Self::weave) of three rows each for three rows, `stride` elements apart, then [`pair`](Self::pair).
    pub quad: unsafe fn(m: *const C, stride: usize, targets: [*mut C; 2], n: usize),
    /// The largest magnitude as an integer that orders like it, NaN last; 0 for integers.
    pub largest: unsafe fn(source: *const C, n: usize) -> u64,
}

/// A type with passes for every instruction set.
pub(super) trait Nested: Number {
    /// The passes of one instruction set.
    fn passes(simd: Simd) -> &'static Passes<Self>;

    /// The magnitude as an integer that orders like it, NaN last; 0 for integers.
    fn order(self) -> u64;

    /// The largest finite value.
    fn largest() -> f64;
}

#[inline(always)]
unsafe fn difference<V: Vector>(a: *const V::Elem, b: *const V::Elem, target: *mut V::Elem, n: usize) {
    let mut i = 0;
    while i < n {
        // SAFETY: the caller promises n elements.
        unsafe { V::load(a.add(i)).minus(V::load(b.add(i))).store(target.add(i)) };
        i += V::LANES;
    }
}

#[inline(always)]
unsafe fn split<V: Vector>(source: *const V::Elem, targets: [*mut V::Elem; 3], n: usize) {
    let mut i = 0;
    while i < n {
        // SAFETY: the caller promises 2n + 2 elements of the source, n of each target.
        unsafe {
            let from = source.add(2 * i);
            let (even, odd) = V::load(from).deinterleave(V::load(from.add(V::LANES)));
            let (next, _) = V::load(from.add(2)).deinterleave(V::load(from.add(2 + V::LANES)));
            even.minus(odd).store(targets[0].add(i));
            odd.store(targets[1].add(i));
            odd.minus(next).store(targets[2].add(i));
        }
        i += V::LANES;
    }
}

#[inline(always)]
unsafe fn weave<V: Vector>(m: [*const V::Elem; 3], target: *mut V::Elem, n: usize) {
    let mut i = 0;
    while i < n {
        // SAFETY: the caller promises n elements of each row, 2n of the target.
        unsafe {
            let middle = V::load(m[1].add(i));
            let (even, odd) = (V::load(m[0].add(i)).plus(middle), middle.minus(V::load(m[2].add(i))));
            let (first, second) = even.interleave(odd);
            first.store(target.add(2 * i));
            second.store(target.add(2 * i + V::LANES));
        }
        i += V::LANES;
    }
}

#[inline(always)]
unsafe fn pair<V: Vector>(m: [*const V::Elem; 3], targets: [*mut V::Elem; 2], n: usize) {
    let mut i = 0;
    while i < n {
        // SAFETY: the caller promises n elements of each row and target.
        unsafe {
            let middle = V::load(m[1].add(i));
            V::load(m[0].add(i)).plus(middle).store(targets[0].add(i));
            middle.minus(V::load(m[2].add(i))).store(targets[1].add(i));
        }
        i += V::LANES;
    }
}

#[inline(always)]
unsafe fn quad<V: Vector>(m: *const V::Elem, stride: usize, targets: [*mut V::Elem; 2], n: usize) {
    let mut i = 0;
    while i < n {
        // SAFETY: the caller promises n elements of each of nine rows, 2n of the targets.
        unsafe {
            let at = |p: usize| V::load(m.add(p * stride + i));
            let woven = |p: usize| {
                let middle = at(3 * p + 1);
                (at(3 * p).plus(middle), middle.minus(at(3 * p + 2)))
            };
            let (a, b, c) = (woven(0), woven(1), woven(2));
            let rows = [(a.0.plus(b.0), a.1.plus(b.1)), (b.0.minus(c.0), b.1.minus(c.1))];
            let (first, second) = rows[0].0.interleave(rows[0].1);
            first.store(targets[0].add(2 * i));
            second.store(targets[0].add(2 * i + V::LANES));
            let (first, second) = rows[1].0.interleave(rows[1].1);
            first.store(targets[1].add(2 * i));
            second.store(targets[1].add(2 * i + V::LANES));
        }
        i += V::LANES;
    }
}

#[inline(always)]
unsafe fn largest<C: Nested>(source: *const C, n: usize) -> u64 {
    let mut largest = 0;
    let mut i = 0;
    while i < n {
        // SAFETY: the caller promises n elements.
        largest = largest.max(unsafe { *source.add(i) }.order());
        i += 1;
    }
    largest
}

macro_rules! passes {
    ($vector:ty, $elem:ty $(, $features:literal)?) => {{
        $(#[target_feature(enable = $features)])?
        unsafe fn compiled_difference(a: *const $elem, b: *const $elem, target: *mut $elem, n: usize) {
            // SAFETY: the caller's promise.
            unsafe { difference::<$vector>(a, b, target, n) }
        }
        $(#[target_feature(enable = $features)])?
        unsafe fn compiled_split(source: *const $elem, targets: [*mut $elem; 3], n: usize) {
            // SAFETY: the caller's promise.
            unsafe { split::<$vector>(source, targets, n) }
        }
        $(#[target_feature(enable = $features)])?
        unsafe fn compiled_weave(m: [*const $elem; 3], target: *mut $elem, n: usize) {
            // SAFETY: the caller's promise.
            unsafe { weave::<$vector>(m, target, n) }
        }
        $(#[target_feature(enable = $features)])?
        unsafe fn compiled_pair(m: [*const $elem; 3], targets: [*mut $elem; 2], n: usize) {
            // SAFETY: the caller's promise.
            unsafe { pair::<$vector>(m, targets, n) }
        }
        $(#[target_feature(enable = $features)])?
        unsafe fn compiled_quad(m: *const $elem, stride: usize, targets: [*mut $elem; 2], n: usize) {
            // SAFETY: the caller's promise.
            unsafe { quad::<$vector>(m, stride, targets, n) }
        }
        $(#[target_feature(enable = $features)])?
        unsafe fn compiled_largest(source: *const $elem, n: usize) -> u64 {
            // SAFETY: the caller's promise.
            unsafe { largest::<$elem>(source, n) }
        }
        &Passes {
            lanes: <$vector as Vector>::LANES,
            difference: compiled_difference,
            split: compiled_split,
            weave: compiled_weave,
            pair: compiled_pair,
            quad: compiled_quad,
            largest: compiled_largest,
        }
    }};
}

macro_rules! nested {
    ($($elem:ty: $avx512:ty, $avx2:ty, $portable:ty, |$x:ident| $order:expr, $largest:expr;)*) => {$(
        impl Nested for $elem {
            fn passes(simd: Simd) -> &'static Passes<Self> {
                match simd {
                    #[cfg(target_arch = "x86_64")]
                    Simd::Avx512 => passes!($avx512, $elem, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"),
                    #[cfg(target_arch = "x86_64")]
                    Simd::Avx2 => passes!($avx2, $elem, "avx2,fma"),
                    #[cfg(target_arch = "aarch64")]
                    Simd::Neon => passes!($portable, $elem),
                    Simd::Portable => passes!($portable, $elem),
                }
            }

            #[inline(always)]
            fn order(self) -> u64 {
                let $x = self;
                $order
            }

            fn largest() -> f64 {
                $largest
            }
        }
    )*};
}
nested! {
    f32: F32x16, F32x8, Lanes<f32, 4>, |x| (x.to_bits() & 0x7fff_ffff) as u64, f64::from(f32::MAX);
    f64: F64x8, F64x4, Lanes<f64, 2>, |x| x.to_bits() & 0x7fff_ffff_ffff_ffff, f64::MAX;
    i32: I32x16, I32x8, Lanes<i32, 4>, |_x| 0, f64::INFINITY;
    i64: I64x8, Lanes<i64, 4>, Lanes<i64, 2>, |_x| 0, f64::INFINITY;
}
