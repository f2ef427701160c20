//! The micro-kernels: a few rows of results at once, down the columns or along the rows, held in vector registers while the
//! weights pass by.
//!
//! Down the columns, `ROWS` rows of results share every row that is read. Where the weights are symmetric (or
//! antisymmetric), rows at the same distance from the centre are added (subtracted) first and multiplied once: half the
//! multiplications, and additions that run beside them. The order depends on the weights alone, so the bits do not depend on
//! tiles, threads or the width of the vectors.

use super::super::lanes::*;
use super::super::number::Number;
use super::lanes::{Float, Widen};
use crate::cpu::simd::Simd;

/// Rows of results that a kernel makes together: the more, the fewer rows are read per row of results.
pub(super) const ROWS: usize = 8;

/// Weights in the type computed in, and their symmetry.
#[derive(Debug, Clone)]
pub(super) struct Weights<C> {
    pub values: Vec<C>,
    pub symmetry: Symmetry,
}

/// How the second half of the weights mirrors the first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Symmetry {
    None,
    Even,
    Odd,
}

impl<C: Float + std::ops::Neg<Output = C>> Weights<C> {
    pub(super) fn new(weights: &[f64]) -> Self {
        let values: Vec<C> = weights.iter().map(|&w| C::nearest(w)).collect();
        let mirrored = |same: fn(C) -> C| values.iter().zip(values.iter().rev()).all(|(&a, &b)| a == same(b));
        let symmetry = match values.len() {
            0..=2 => Symmetry::None,
            _ if mirrored(|b| b) => Symmetry::Even,
            _ if mirrored(|b| -b) => Symmetry::Odd,
            _ => Symmetry::None,
        };
        Self { values, symmetry }
    }
}

/// Work down the columns: `out[r][i] = Σ_t weights[t] · rows[r + t][i]`.
pub(super) struct Down<'a, S, C> {
    /// Row by row, the first element to read.
    pub rows: &'a [*const S],
    pub weights: &'a Weights<C>,
    /// The first result, and elements from one row of results to the next.
    pub out: *mut C,
    pub out_row: usize,
    /// Results per row.
    pub n: usize,
}

/// Work along the rows: `out[r][i] = Σ_t weights[t] · source[r][i + t · step]`.
pub(super) struct Along<'a, C> {
    pub source: *const C,
    pub source_row: usize,
    pub step: usize,
    pub weights: &'a Weights<C>,
    pub out: *mut C,
    pub out_row: usize,
    pub n: usize,
    /// Adds to what is there.
    pub add: bool,
}

/// Makes `rows` (1 or [`ROWS`]) rows of results.
///
/// # Safety
/// The instruction set must be present. There must be `rows + weights - 1` rows of `n` readable elements, and room for `n`
/// results in each of `rows` rows that overlap nothing read.
pub(super) type DownFn<S, C> = unsafe fn(&Down<'_, S, C>);
/// As [`DownFn`]; the source rows hold `n + (weights - 1) · step` elements.
pub(super) type AlongFn<C> = unsafe fn(&Along<'_, C>);

/// The kernels of one instruction set: for one row of results, and for [`ROWS`].
pub(super) struct Kernels<S: 'static, C: 'static> {
    pub down: [DownFn<S, C>; 2],
    pub along: [AlongFn<C>; 2],
}

/// One block of [`Down`]: `R` rows of results, `X` vectors from element `i` on.
// Plain index loops of constant length are what the compiler unrolls into registers.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn down_block<S, V: Widen<S>, const R: usize, const X: usize>(d: &Down<'_, S, V::Elem>, i: usize)
where
    V::Elem: Float,
{
    let taps = d.weights.values.len();
    // SAFETY: rows below R + taps - 1 and elements i..i + X vectors exist by the caller's promise.
    unsafe {
        let rows = d.rows.as_ptr();
        let weights = d.weights.values.as_ptr();
        // A macro and not a closure: a closure might stay a call, without the instruction set.
        macro_rules! load {
            ($row:expr) => {{
                let row = *rows.add($row);
                let mut pixels = [V::splat(<V::Elem as Number>::ZERO); X];
                for x in 0..X {
                    pixels[x] = V::widen(row.add(i + x * V::LANES));
                }
                pixels
            }};
        }
        let mut acc = [[V::splat(<V::Elem as Number>::ZERO); X]; R];
        if d.weights.symmetry == Symmetry::None {
            for j in 0..taps + R - 1 {
                let pixels = load!(j);
                for r in 0..R {
                    if j >= r && j - r < taps {
                        let w = V::splat(*weights.add(j - r));
                        for x in 0..X {
                            acc[r][x] = pixels[x].mul_add(w, acc[r][x]);
                        }
                    }
                }
            }
        } else {
            let even = d.weights.symmetry == Symmetry::Even;
            let half = taps / 2;
            // Row r takes rows r + j and r + taps - 1 - j together: two windows of R rows that move towards each other.
            let (mut above, mut below) = (acc, acc);
            for r in 0..R {
                above[r] = load!(r);
                below[r] = load!(taps - 1 + r);
            }
            for j in 0..half {
                let w = V::splat(*weights.add(j));
                if even {
                    for r in 0..R {
                        for x in 0..X {
                            acc[r][x] = above[r][x].plus(below[r][x]).mul_add(w, acc[r][x]);
                        }
                    }
                } else {
                    for r in 0..R {
                        for x in 0..X {
                            acc[r][x] = above[r][x].minus(below[r][x]).mul_add(w, acc[r][x]);
                        }
                    }
                }
                for r in 0..R - 1 {
                    above[r] = above[r + 1];
                    below[R - 1 - r] = below[R - 2 - r];
                }
                above[R - 1] = load!(j + R);
                below[0] = load!(taps - 2 - j);
            }
            if taps % 2 == 1 {
                // `above` has arrived at the centre.
                let w = V::splat(*weights.add(half));
                for r in 0..R {
                    for x in 0..X {
                        acc[r][x] = above[r][x].mul_add(w, acc[r][x]);
                    }
                }
            }
        }
        for r in 0..R {
            for x in 0..X {
                acc[r][x].store(d.out.add(r * d.out_row + i + x * V::LANES));
            }
        }
    }
}

#[inline(always)]
unsafe fn down<S, V: Widen<S>, const R: usize, const X: usize>(d: &Down<'_, S, V::Elem>)
where
    V::Elem: Float,
    Lanes<V::Elem, 1>: Widen<S, Elem = V::Elem>,
{
    let mut i = 0;
    // SAFETY: the blocks lie in 0..n.
    unsafe {
        while d.n - i >= X * V::LANES {
            down_block::<S, V, R, X>(d, i);
            i += X * V::LANES;
        }
        while d.n - i >= V::LANES {
            down_block::<S, V, R, 1>(d, i);
            i += V::LANES;
        }
        if i < d.n && d.n >= V::LANES {
            // Shifted back: what is done is done again.
            return down_block::<S, V, R, 1>(d, d.n - V::LANES);
        }
        for i in i..d.n {
            down_block::<S, Lanes<V::Elem, 1>, R, 1>(d, i);
        }
    }
}

/// One block of [`Along`].
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn along_block<V: Vector, const R: usize, const X: usize>(a: &Along<'_, V::Elem>, i: usize) {
    let taps = a.weights.values.len();
    // SAFETY: elements i..i + X vectors + (taps - 1) · step of R rows exist by the caller's promise.
    unsafe {
        let weights = a.weights.values.as_ptr();
        let mut acc = [[V::splat(<V::Elem as Number>::ZERO); X]; R];
        if a.add {
            for r in 0..R {
                for x in 0..X {
                    acc[r][x] = V::load(a.out.add(r * a.out_row + i + x * V::LANES).cast_const());
                }
            }
        }
        for t in 0..taps {
            let w = V::splat(*weights.add(t));
            for r in 0..R {
                for x in 0..X {
                    let pixels = V::load(a.source.add(r * a.source_row + i + x * V::LANES + t * a.step));
                    acc[r][x] = pixels.mul_add(w, acc[r][x]);
                }
            }
        }
        for r in 0..R {
            for x in 0..X {
                acc[r][x].store(a.out.add(r * a.out_row + i + x * V::LANES));
            }
        }
    }
}

/// The same results for many weights: `L` vectors that lie as many columns apart as a vector has elements, so that what one
/// reads for a weight another reads for a later one, and a loaded vector serves all of them.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn along_long<V: Vector, const R: usize, const L: usize>(a: &Along<'_, V::Elem>, i: usize) {
    let taps = a.weights.values.len();
    let apart = V::LANES * a.step;
    // SAFETY: the last vector's last element and weight are those of result i + (L - 1) · apart + LANES - 1, below n.
    unsafe {
        let weights = a.weights.values.as_ptr();
        let mut acc = [[V::splat(<V::Elem as Number>::ZERO); L]; R];
        if a.add {
            for r in 0..R {
                for x in 0..L {
                    acc[r][x] = V::load(a.out.add(r * a.out_row + i + x * apart).cast_const());
                }
            }
        }
        macro_rules! step {
            ($t:expr, $x:ident, $takes:expr) => {{
                let mut pixels = [V::splat(<V::Elem as Number>::ZERO); R];
                for r in 0..R {
                    pixels[r] = V::load(a.source.add(r * a.source_row + i + $t * a.step));
                }
                for $x in 0..L {
                    if $takes {
                        let w = V::splat(*weights.add($t - $x * V::LANES));
                        for r in 0..R {
                            acc[r][$x] = pixels[r].mul_add(w, acc[r][$x]);
                        }
                    }
                }
            }};
        }
        // Vector x takes what lies x · LANES to x · LANES + taps places on: few at first, all of them, few at last.
        let last = (L - 1) * V::LANES;
        for t in 0..last.min(taps) {
            step!(t, x, x * V::LANES <= t);
        }
        for t in taps..last {
            step!(t, x, x * V::LANES <= t && t - x * V::LANES < taps);
        }
        for t in last..taps {
            step!(t, x, true);
        }
        for t in taps.max(last)..taps + last {
            step!(t, x, t - x * V::LANES < taps);
        }
        for r in 0..R {
            for x in 0..L {
                acc[r][x].store(a.out.add(r * a.out_row + i + x * apart));
            }
        }
    }
}

#[inline(always)]
unsafe fn along<V: Vector, const R: usize, const X: usize, const L: usize>(a: &Along<'_, V::Elem>) {
    let taps = a.weights.values.len();
    let mut i = 0;
    // SAFETY: the blocks lie in 0..n.
    unsafe {
        // Fewer weights share too little to make up for the ends.
        if 2 * taps >= 3 * V::LANES {
            let chunk = L * V::LANES * a.step;
            while a.n - i >= chunk {
                for phase in 0..a.step {
                    along_long::<V, R, L>(a, i + phase * V::LANES);
                }
                i += chunk;
            }
        }
        while a.n - i >= X * V::LANES {
            along_block::<V, R, X>(a, i);
            i += X * V::LANES;
        }
        while a.n - i >= V::LANES {
            along_block::<V, R, 1>(a, i);
            i += V::LANES;
        }
        if i < a.n && a.n >= V::LANES && !a.add {
            // Shifted back: what is done is done again, which must not add twice.
            return along_block::<V, R, 1>(a, a.n - V::LANES);
        }
        for i in i..a.n {
            along_block::<Lanes<V::Elem, 1>, R, 1>(a, i);
        }
    }
}

/// A type that is read and a type that is computed in, with kernels for every instruction set.
pub(super) trait Filtered<C>: Sized {
    /// The kernels of one instruction set, which must be present when they are used.
    fn kernels(simd: Simd) -> &'static Kernels<Self, C>;
}

/// The kernels of one vector type, compiled for `$features`: `$rows` rows down in registers, `$wide` vectors of four rows
/// along.
macro_rules! kernels {
    ($source:ty, $vector:ty, $rows:literal, $wide:literal, $long:literal, $elem:ty $(, $features:literal)?) => {{
        $(#[target_feature(enable = $features)])?
        unsafe fn compiled_down_one(d: &Down<'_, $source, $elem>) {
            // SAFETY: the caller's promise.
            unsafe { down::<$source, $vector, 1, { 2 * $wide }>(d) }
        }
        $(#[target_feature(enable = $features)])?
        unsafe fn compiled_down(d: &Down<'_, $source, $elem>) {
            for first in (0..ROWS).step_by($rows) {
                // SAFETY: the caller's promise, for some of the rows.
                unsafe {
                    let out = d.out.add(first * d.out_row);
                    down::<$source, $vector, $rows, 1>(&Down { rows: &d.rows[first..], weights: d.weights, out, ..*d });
                }
            }
        }
        $(#[target_feature(enable = $features)])?
        unsafe fn compiled_along_one(a: &Along<'_, $elem>) {
            // SAFETY: the caller's promise.
            unsafe { along::<$vector, 1, { 4 * $wide }, { 2 * $long }>(a) }
        }
        $(#[target_feature(enable = $features)])?
        unsafe fn compiled_along(a: &Along<'_, $elem>) {
            // SAFETY: the caller's promise.
            unsafe {
                for first in (0..ROWS).step_by(4) {
                    let (source, out) = (a.source.add(first * a.source_row), a.out.add(first * a.out_row));
                    along::<$vector, 4, $wide, $long>(&Along { source, out, ..*a });
                }
            }
        }
        const TABLE: Kernels<$source, $elem> = Kernels {
            down: [compiled_down_one, compiled_down],
            along: [compiled_along_one, compiled_along],
        };
        &TABLE
    }};
}

macro_rules! filtered {
    ($($source:ty, $elem:ty: $avx512:ty, $avx2:ty, $portable:ty;)*) => {$(
        impl Filtered<$elem> for $source {
            fn kernels(simd: Simd) -> &'static Kernels<Self, $elem> {
                match simd {
                    #[cfg(target_arch = "x86_64")]
                    Simd::Avx512 => kernels!($source, $avx512, 8, 2, 4, $elem, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"),
                    #[cfg(target_arch = "x86_64")]
                    Simd::Avx2 => kernels!($source, $avx2, 4, 1, 2, $elem, "avx2,fma"),
                    #[cfg(target_arch = "aarch64")]
                    Simd::Neon => kernels!($source, $portable, 8, 2, 4, $elem),
                    Simd::Portable => kernels!($source, $portable, 4, 1, 2, $elem),
                }
            }
        }
    )*};
}
filtered! {
    u8, f32: F32x16, F32x8, Lanes<f32, 4>;
    u16, f32: F32x16, F32x8, Lanes<f32, 4>;
    f32, f32: F32x16, F32x8, Lanes<f32, 4>;
    f64, f64: F64x8, F64x4, Lanes<f64, 2>;
}
