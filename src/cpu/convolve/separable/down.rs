//! The pass down the columns: a few rows of results at once, held in vector registers while the weights pass by.

use super::super::lanes::*;
use super::super::number::Number;
use super::lanes::{Float, Widen};
use super::sweep::{Listed, Weights, sweep};
use crate::cpu::simd::{Simd, prefetch};

/// The kernels make rows of results in multiples of this.
pub(super) const ROWS: usize = 8;

/// Rows of results in registers: the more, the fewer rows are read per row of results. Half of [`ROWS`] or all.
pub(super) const fn rows(simd: Simd) -> usize {
    match simd {
        #[cfg(target_arch = "x86_64")]
        Simd::Avx512 => 8,
        #[cfg(target_arch = "aarch64")]
        Simd::Neon => 8,
        _ => 4,
    }
}

/// Vectors of a row that are taken before the next rows of results.
const STRIP: usize = 4;

/// Work down the columns: `out[r][i] = Σ_t weights[t] · rows[r + t][i]`.
pub(super) struct Down<'a, S, C> {
    /// Row by row, the first element to read.
    pub rows: &'a [*const S],
    pub weights: &'a Weights<C>,
    /// The first result, and elements from one row of results to the next.
    pub out: *mut C,
    pub out_row: usize,
    /// Rows of results: one, or a multiple of [`ROWS`].
    pub height: usize,
    /// Results per row.
    pub n: usize,
    /// For each row of results, where a row begins that will be read soon; none, or `height`.
    pub ahead: &'a [*const S],
    /// For each row of results, where the row begins that will be stored soon; none, or `height`.
    pub wanted: &'a [*const C],
}

/// Makes the rows of results.
///
/// # Safety
/// The instruction set must be present. There must be `height + weights - 1` rows of `n` readable elements, and room for `n`
/// results in each row that overlap nothing read.
pub(super) type DownFn<S, C> = unsafe fn(&Down<'_, S, C>);

/// Vectors of a row from which on it is worth another one to store whole lines.
const LONG: usize = 32;

/// One block: `R` rows of results from row `first` on, `X` vectors from element `i` on.
#[inline(always)]
unsafe fn block<S, V: Widen<S>, const R: usize, const X: usize>(d: &Down<'_, S, V::Elem>, first: usize, i: usize)
where
    V::Elem: Float,
{
    // SAFETY: rows below height + taps - 1 and elements i..i + X vectors exist by the caller's promise.
    unsafe {
        let rows = Listed { rows: d.rows.as_ptr().add(first), from: i as isize };
        let acc = sweep::<S, V, R, X>(rows, d.weights, [[V::splat(<V::Elem as Number>::ZERO); X]; R]);
        for (r, acc) in acc.iter().enumerate() {
            for (x, acc) in acc.iter().enumerate() {
                acc.store(d.out.add((first + r) * d.out_row + i + x * V::LANES));
            }
        }
    }
}

/// Asks for what will be read soon, a cache line for each row of results: a segment of a row is too short for the hardware to see that
/// another follows. Little by little, so that memory is busy while the block is made; asked for all at once, it would have all to
/// do, and then nothing.
#[inline(always)]
unsafe fn fetch<S, V: Vector, const R: usize>(d: &Down<'_, S, V::Elem>, first: usize, i: usize) {
    // Once per line.
    if R > 1 && i * size_of::<S>() % 64 < const { V::LANES * size_of::<S>() } {
        for r in 0..if d.ahead.is_empty() { 0 } else { R } {
            // SAFETY: there is one for each of `height` rows.
            let row = unsafe { *d.ahead.get_unchecked(first + r) };
            prefetch(row.wrapping_add(i));
        }
        for r in 0..if d.wanted.is_empty() { 0 } else { R } {
            // SAFETY: as above.
            let row = unsafe { *d.wanted.get_unchecked(first + r) };
            prefetch(row.wrapping_add(i));
        }
    }
}

/// All rows, `R` at a time, in strips of [`STRIP`] vectors: rows that the next rows of results share with these are still in the
/// first-level cache.
#[inline(always)]
unsafe fn down<S, V: Widen<S>, const R: usize, const X: usize>(d: &Down<'_, S, V::Elem>)
where
    V::Elem: Float,
    Lanes<V::Elem, 1>: Widen<S, Elem = V::Elem>,
{
    // A vector that is stored across two cache lines costs as much as two: in long rows, stores begin at a line after the first
    // vector. The last vector is shifted back; what is done is done again.
    let misplaced = d.out as usize / size_of::<V::Elem>() % V::LANES;
    let head = if R > 1 && misplaced > 0 && d.n >= LONG * V::LANES { V::LANES - misplaced } else { 0 };
    let vectors = if d.n < V::LANES { 0 } else { (d.n - head).div_ceil(V::LANES) };
    let strip = if R == 1 { vectors } else { STRIP };
    let mut from = 0;
    // SAFETY: the blocks lie in 0..n.
    unsafe {
        if head > 0 && vectors > 0 {
            for first in (0..d.height).step_by(R) {
                block::<S, V, R, 1>(d, first, 0);
            }
        }
        while from < vectors {
            let to = vectors.min(from + strip);
            for first in (0..d.height).step_by(R) {
                let mut i = from;
                while i + X <= to && head + (i + X) * V::LANES <= d.n {
                    fetch::<S, V, R>(d, first, head + i * V::LANES);
                    block::<S, V, R, X>(d, first, head + i * V::LANES);
                    i += X;
                }
                for i in i..to {
                    block::<S, V, R, 1>(d, first, (head + i * V::LANES).min(d.n - V::LANES));
                }
            }
            from = to;
        }
        if vectors == 0 {
            for first in 0..d.height {
                for i in 0..d.n {
                    block::<S, Lanes<V::Elem, 1>, 1, 1>(d, first, i);
                }
            }
        }
    }
}

/// A type that is read and a type that is computed in, with the pass down for every instruction set.
pub(super) trait Filtered<C>: Sized {
    /// The pass over one row and over multiples of [`ROWS`], of one instruction set, which must be present when they are used.
    fn down(simd: Simd) -> [DownFn<Self, C>; 2];
}

/// The kernels of one vector type, compiled for `$features`: the [`rows`] of `$simd`, or `$wide` vectors of one.
macro_rules! kernels {
    ($source:ty, $vector:ty, $simd:expr, $wide:literal, $elem:ty $(, $features:literal)?) => {{
        $(#[target_feature(enable = $features)])?
        unsafe fn one(d: &Down<'_, $source, $elem>) {
            // SAFETY: the caller's promise.
            unsafe { down::<$source, $vector, 1, $wide>(d) }
        }
        $(#[target_feature(enable = $features)])?
        unsafe fn tall(d: &Down<'_, $source, $elem>) {
            // SAFETY: the caller's promise.
            unsafe { down::<$source, $vector, { rows($simd) }, 1>(d) }
        }
        [one, tall]
    }};
}

macro_rules! filtered {
    ($($source:ty, $elem:ty: $avx512:ty, $avx2:ty, $portable:ty;)*) => {$(
        impl Filtered<$elem> for $source {
            fn down(simd: Simd) -> [DownFn<Self, $elem>; 2] {
                match simd {
                    #[cfg(target_arch = "x86_64")]
                    Simd::Avx512 => kernels!($source, $avx512, Simd::Avx512, 4, $elem, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"),
                    #[cfg(target_arch = "x86_64")]
                    Simd::Avx2 => kernels!($source, $avx2, Simd::Avx2, 2, $elem, "avx2,fma"),
                    #[cfg(target_arch = "aarch64")]
                    Simd::Neon => kernels!($source, $portable, Simd::Neon, 4, $elem),
                    Simd::Portable => kernels!($source, $portable, Simd::Portable, 2, $elem),
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
