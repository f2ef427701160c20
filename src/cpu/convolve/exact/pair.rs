//! The direct kernel with sums of two binary64 numbers.
//!
//! The upper half starts at an anchor `M = 1.5 · 2^E` so large that it never leaves `M`'s binade: it is a fixed-point number
//! with steps of `G = 2^(E - 52)`. A fused multiply-add rounds it to that step; what was rounded off, `x·w + (h - h')`, is at
//! most `G / 2`, is found by a second one (`h - h'` is exact), and goes to the lower half. Four operations per tap.

use super::super::lanes::*;
use super::super::spread::Spread;
use crate::cpu::simd::Simd;

/// The most kernels that a block takes.
pub(super) const KERNELS: usize = 3;

/// What a block reads and writes.
pub(super) struct PairTaps<'a> {
    /// As for the direct kernel; `out` takes the upper halves, less the anchor.
    pub spread: Spread<'a, f64>,
    /// Weights from one tap to the next.
    pub stride: usize,
    /// Where the lower halves go.
    pub low: *mut f64,
    /// `M`.
    pub anchor: f64,
}

/// Computes one block of one row.
///
/// # Safety
/// As for the direct kernel's blocks, with `low` as good as `out`.
pub(super) type PairBlock = unsafe fn(&PairTaps<'_>);

/// The blocks of one instruction set.
pub(super) struct PairBlocks {
    /// Outputs of a narrow and of a wide block along x.
    pub narrow: usize,
    pub wide: usize,
    /// For 1 to [`KERNELS`] kernels: wide, narrow.
    pub shapes: [[PairBlock; 2]; KERNELS],
}

// Plain index loops of constant length are what the compiler unrolls into registers.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn block<V: Vector<Elem = f64>, const K: usize, const X: usize>(t: &PairTaps<'_>) {
    // SAFETY: every access stays within the bounds that the caller promises.
    unsafe {
        let (one, minus_one) = (V::splat(1.0), V::splat(-1.0));
        let mut high = [[V::splat(t.anchor); X]; K];
        let mut low = [[V::splat(0.0); X]; K];
        let mut weights = t.spread.weights;
        for &place in t.spread.places {
            let image = t.spread.image.add(place);
            let pixels: [V; X] = std::array::from_fn(|x| V::load(image.add(x * V::LANES)));
            for k in 0..K {
                let w = V::splat(*weights.add(k));
                for x in 0..X {
                    let before = high[k][x];
                    high[k][x] = pixels[x].mul_add(w, before);
                    let less = high[k][x].mul_add(minus_one, before);
                    let rest = pixels[x].mul_add(w, less);
                    low[k][x] = rest.mul_add(one, low[k][x]);
                }
            }
            weights = weights.add(t.stride);
        }
        let anchor = V::splat(t.anchor);
        for k in 0..K {
            for x in 0..X {
                let at = k * t.spread.out_kernel + x * V::LANES;
                anchor.mul_add(minus_one, high[k][x]).store(t.spread.out.add(at));
                low[k][x].store(t.low.add(at));
            }
        }
    }
}

/// The table of one vector type, its blocks compiled for `$features`.
macro_rules! blocks {
    ($vector:ty, $wide:literal $(, $features:literal)?) => {{
        $(#[target_feature(enable = $features)])?
        unsafe fn compiled<const K: usize, const X: usize>(t: &PairTaps<'_>) {
            // SAFETY: the caller's promise.
            unsafe { block::<$vector, K, X>(t) }
        }
        const LANES: usize = <$vector as Vector>::LANES;
        const TABLE: PairBlocks = PairBlocks {
            narrow: LANES,
            wide: LANES * $wide,
            shapes: [
                [compiled::<1, $wide>, compiled::<1, 1>],
                [compiled::<2, $wide>, compiled::<2, 1>],
                [compiled::<3, $wide>, compiled::<3, 1>],
            ],
        };
        &TABLE
    }};
}

/// The blocks of one instruction set, which must be present when they are used.
pub(super) fn pair_blocks(simd: Simd) -> &'static PairBlocks {
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
