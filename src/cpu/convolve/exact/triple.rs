//! The direct kernel with sums of three binary64 numbers: [`pair`](super::pair) with another anchored number between.
//!
//! The product and what it was rounded off are both taken in full; the upper number takes the product's upper part, the
//! middle one the rest of that and the product's lower part, the lower one what is left. Thirteen operations per tap.

use super::super::lanes::*;
use super::super::spread::Spread;
use crate::cpu::simd::Simd;

/// The most kernels that a block takes.
pub(super) const KERNELS: usize = 2;

/// What a block reads and writes.
pub(super) struct TripleTaps<'a> {
    /// As for the direct kernel; `out` takes the upper numbers, less their anchor.
    pub spread: Spread<'a, f64>,
    /// Weights from one tap to the next.
    pub stride: usize,
    /// Where the middle numbers, less their anchor, and the lower ones go.
    pub rest: [*mut f64; 2],
    /// The anchors of the upper and the middle numbers.
    pub anchors: [f64; 2],
}

/// Computes one block of one row.
///
/// # Safety
/// As for the direct kernel's blocks, with `rest` as good as `out`.
pub(super) type TripleBlock = unsafe fn(&TripleTaps<'_>);

/// The blocks of one instruction set.
pub(super) struct TripleBlocks {
    /// Outputs of a narrow and of a wide block along x.
    pub narrow: usize,
    pub wide: usize,
    /// For 1 to [`KERNELS`] kernels: wide, narrow.
    pub shapes: [[TripleBlock; 2]; KERNELS],
}

/// Adds `x` to an anchored number: the new number, and exactly what was rounded off.
///
/// # Safety
/// The vector's instruction set must be present.
#[inline(always)]
unsafe fn anchored<V: Vector<Elem = f64>>(sum: V, x: V, [one, minus_one]: [V; 2]) -> (V, V) {
    // SAFETY: the caller's promise.
    unsafe {
        let after = x.mul_add(one, sum);
        let less = after.mul_add(minus_one, sum);
        (after, x.mul_add(one, less))
    }
}

// Plain index loops of constant length are what the compiler unrolls into registers.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn block<V: Vector<Elem = f64>, const K: usize, const X: usize>(t: &TripleTaps<'_>) {
    // SAFETY: every access stays within the bounds that the caller promises.
    unsafe {
        let (zero, ones) = (V::splat(0.0), [V::splat(1.0), V::splat(-1.0)]);
        let mut high = [[V::splat(t.anchors[0]); X]; K];
        let mut middle = [[V::splat(t.anchors[1]); X]; K];
        let mut low = [[zero; X]; K];
        let mut weights = t.spread.weights;
        for &place in t.spread.places {
            let image = t.spread.image.add(place);
            let pixels: [V; X] = std::array::from_fn(|x| V::load(image.add(x * V::LANES)));
            for k in 0..K {
                let w = V::splat(*weights.add(k));
                for x in 0..X {
                    let product = pixels[x].mul_add(w, zero);
                    let less = product.mul_add(ones[1], zero);
                    let off = pixels[x].mul_add(w, less);
                    let rest;
                    (high[k][x], rest) = anchored(high[k][x], product, ones);
                    let (after, rest) = anchored(middle[k][x], rest, ones);
                    let (after, more) = anchored(after, off, ones);
                    middle[k][x] = after;
                    low[k][x] = more.mul_add(ones[0], rest.mul_add(ones[0], low[k][x]));
                }
            }
            weights = weights.add(t.stride);
        }
        let anchors = t.anchors.map(|anchor| V::splat(anchor));
        for k in 0..K {
            for x in 0..X {
                let at = k * t.spread.out_kernel + x * V::LANES;
                anchors[0].mul_add(ones[1], high[k][x]).store(t.spread.out.add(at));
                anchors[1].mul_add(ones[1], middle[k][x]).store(t.rest[0].add(at));
                low[k][x].store(t.rest[1].add(at));
            }
        }
    }
}

/// The table of one vector type, its blocks compiled for `$features`.
macro_rules! blocks {
    ($vector:ty, $wide:literal $(, $features:literal)?) => {{
        $(#[target_feature(enable = $features)])?
        unsafe fn compiled<const K: usize, const X: usize>(t: &TripleTaps<'_>) {
            // SAFETY: the caller's promise.
            unsafe { block::<$vector, K, X>(t) }
        }
        const LANES: usize = <$vector as Vector>::LANES;
        const TABLE: TripleBlocks = TripleBlocks {
            narrow: LANES,
            wide: LANES * $wide,
            shapes: [[compiled::<1, $wide>, compiled::<1, 1>], [compiled::<2, $wide>, compiled::<2, 1>]],
        };
        &TABLE
    }};
}

/// The blocks of one instruction set, which must be present when they are used.
pub(super) fn triple_blocks(simd: Simd) -> &'static TripleBlocks {
    match simd {
        #[cfg(target_arch = "x86_64")]
        Simd::Avx512 => blocks!(F64x8, 4, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"),
        #[cfg(target_arch = "x86_64")]
        Simd::Avx2 => blocks!(F64x4, 2, "avx2,fma"),
        #[cfg(target_arch = "aarch64")]
        Simd::Neon => blocks!(Lanes<f64, 2>, 4),
        Simd::Portable => blocks!(Lanes<f64, 2>, 2),
    }
}
