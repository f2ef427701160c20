//! Single small kernels over rows read where they lie, with AVX2 and AVX-512.
//!
//! There is so little arithmetic that memory takes the time, if nothing else comes between: no rows are packed, none of the results
//! are kept, and rows are read and written from end to end, a few at a time. Order and bits are those of [`block`](super::block).

#[cfg(target_arch = "x86_64")]
use super::lanes::*;
use super::number::{Number, Wide};
use super::separable::few::{Shift, shifted};
use super::store::Leave;
use crate::cpu::simd::{Simd, prefetch};

/// Rows of results that are made together.
pub(super) const ROWS: usize = 4;
/// What the results of a row are a multiple of.
pub(super) const UNIT: usize = 64;
/// Elements that must be readable behind those that the results lie above.
pub(super) const BEHIND: usize = 16;
/// Bytes ahead of the results at work whose lines are asked for, where they go through the caches.
const AHEAD: usize = 256;
/// The most vectors of a row that are held at a time, rows, and weights.
const MOST_HELD: usize = 5;
const MOST_ROWS: usize = 2 * ROWS + 4;
const MOST_WEIGHTS: usize = 25;

/// Work with one kernel: `out[r][i] = Σ weights[y][x] · rows[r + y][i + x]`.
pub(super) struct Window<'a, C> {
    /// Row by row, the first element that is read: [`ROWS`] and the kernel's height less one, and [`ROWS`] that will be read next.
    pub rows: &'a [*const C],
    /// The weights, row by row.
    pub weights: *const C,
    /// The first result, and elements from one of [`ROWS`] rows of results to the next.
    pub out: *mut C,
    pub out_row: usize,
    /// Results per row: a multiple of [`UNIT`].
    pub n: usize,
}

/// Makes the results and stores them past the caches, or through them.
///
/// # Safety
/// The instruction set must be present, the rows that are read be good for `n` elements and [`BEHIND`], and there must be room for the results, that overlap nothing read.
pub(super) type WindowFn<C> = unsafe fn(&Window<'_, C>);

/// A kernel of `K` by `K`, `X` vectors at a time.
// Plain index loops of constant length are what the compiler unrolls into registers.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn window<V: Shift, const K: usize, const X: usize, const PAST: bool>(a: &Window<'_, V::Elem>) {
    const { assert!(UNIT.is_multiple_of(X * V::LANES) && X < MOST_HELD && V::LANES <= BEHIND && K <= BEHIND) };
    // Past the caches, a vector is a line, and results are made in whole ones.
    const { assert!((X * size_of::<V>()).is_multiple_of(64) && (!PAST || size_of::<V>() == 64)) };
    let zero = <V::Elem as Number>::ZERO;
    // SAFETY: rows below ROWS + K - 1 hold n + BEHIND elements by the caller's promise, rows behind them are only asked for, and results
    // are written up to n.
    unsafe {
        // Lines of the target lie across two vectors of results.
        let mut before = [0; ROWS];
        let (mut order, mut last) = ([V::splat(zero); ROWS], [V::splat(zero); ROWS]);
        for r in 0..ROWS {
            before[r] = a.out.add(r * a.out_row).align_offset(64);
            order[r] = V::order(before[r]);
        }
        // Copies: what lies behind pointers would be read again after each store.
        let (mut rows, mut weights) = ([std::ptr::null(); MOST_ROWS], [zero; MOST_WEIGHTS]);
        rows[..2 * ROWS + K - 1].copy_from_slice(&a.rows[..2 * ROWS + K - 1]);
        for t in 0..K * K {
            weights[t] = *a.weights.add(t);
        }
        let mut i = 0;
        while i < a.n {
            // Once per line: results are made in whole ones.
            for r in 0..ROWS {
                for ahead in (0..X * V::LANES).step_by(64 / size_of::<V::Elem>()) {
                    prefetch(rows[ROWS + K - 1 + r].wrapping_add(i + ahead));
                    if !PAST {
                        prefetch(a.out.wrapping_add(r * a.out_row + i + ahead + AHEAD / size_of::<V::Elem>()));
                    }
                }
            }
            let mut acc = [[V::splat(zero); X]; ROWS];
            for j in 0..ROWS + K - 1 {
                let row = rows[j].add(i);
                // A load across two cache lines takes two places beside the loads, a shift one beside the arithmetic: there is room for so many.
                let mut held = [V::splat(zero); MOST_HELD];
                for x in 0..X + 1 {
                    held[x] = V::load(row.add(x * V::LANES));
                }
                for dx in 0..K {
                    let mut pixels = [V::splat(zero); X];
                    for x in 0..X {
                        pixels[x] = match dx {
                            0 => held[x],
                            // Short vectors lie across lines less often, and take longer to shift.
                            _ if size_of::<V>() == 64 && (K == 3 || dx % 2 == 1) => shifted(held[x], held[x + 1], dx),
                            _ => V::load(row.add(dx + x * V::LANES)),
                        };
                    }
                    for r in 0..ROWS {
                        if r <= j && j - r < K {
                            let w = V::splat(weights[(j - r) * K + dx]);
                            for x in 0..X {
                                acc[r][x] = pixels[x].mul_add(w, acc[r][x]);
                            }
                        }
                    }
                }
            }
            for r in 0..ROWS {
                let out = a.out.add(r * a.out_row);
                for x in 0..X {
                    if !PAST {
                        acc[r][x].store(out.add(i + x * V::LANES));
                    } else if i == 0 && x == 0 {
                        acc[r][0].store_first(out, before[r]);
                    } else {
                        last[r].pick(acc[r][x], order[r]).stream(out.add(i + before[r] + x * V::LANES - V::LANES));
                    }
                    last[r] = acc[r][x];
                }
            }
            i += X * V::LANES;
        }
        for r in 0..if PAST { ROWS } else { 0 } {
            let rest = V::LANES - before[r];
            last[r].pick(last[r], order[r]).store_first(a.out.add(r * a.out_row + a.n - rest), rest);
        }
    }
}

/// A type computed in, with kernels for small windows.
pub(super) trait Windowed: Sized {
    /// The one for kernels of these lengths and this way of large results, if there is one; of the instruction set, which must be present when it is used.
    fn window(_: Simd, _kernel: [usize; 3], _: Leave) -> Option<WindowFn<Self>> {
        None
    }
}

#[cfg(target_arch = "x86_64")]
macro_rules! windowed {
    ($($elem:ty: $avx512:ty, $avx2:ty;)*) => {$(
        impl Windowed for $elem {
            fn window(simd: Simd, kernel: [usize; 3], leave: Leave) -> Option<WindowFn<Self>> {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
                unsafe fn avx512<const K: usize, const X: usize, const PAST: bool>(a: &Window<'_, $elem>) {
                    // SAFETY: the caller's promise.
                    unsafe { window::<$avx512, K, X, PAST>(a) }
                }
                #[target_feature(enable = "avx2,fma")]
                unsafe fn avx2<const K: usize>(a: &Window<'_, $elem>) {
                    // SAFETY: the caller's promise.
                    unsafe { window::<$avx2, K, 2, false>(a) }
                }
                match (simd, kernel, leave) {
                    (Simd::Avx512, [1, 3, 3], Leave::Past) => Some(avx512::<3, 2, true>),
                    (Simd::Avx512, [1, 5, 5], Leave::Past) => Some(avx512::<5, 4, true>),
                    (Simd::Avx512, [1, 3, 3], Leave::Through) => Some(avx512::<3, 2, false>),
                    (Simd::Avx512, [1, 5, 5], Leave::Through) => Some(avx512::<5, 4, false>),
                    (Simd::Avx2, [1, 3, 3], Leave::Through | Leave::Past) => Some(avx2::<3>),
                    (Simd::Avx2, [1, 5, 5], Leave::Through | Leave::Past) => Some(avx2::<5>),
                    _ => None,
                }
            }
        }
    )*};
}
#[cfg(target_arch = "x86_64")]
windowed! {
    f32: F32x16, F32x8;
    f64: F64x8, F64x4;
}

#[cfg(not(target_arch = "x86_64"))]
impl Windowed for f32 {}
#[cfg(not(target_arch = "x86_64"))]
impl Windowed for f64 {}
impl Windowed for i32 {}
impl Windowed for i64 {}
impl Windowed for i128 {}
impl Windowed for Wide {}
