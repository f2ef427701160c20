//! The micro-kernel for taps that do not lie side by side: a block of outputs held in registers while all taps pass by,
//! each read at a place of its own.
//!
//! As in `block.rs`, every output has one accumulator and takes its taps in the order of the table, so that the bits of a
//! float result do not depend on the block. A block is one row of some vectors, or some rows of one vector (narrow
//! outputs): up to 24 accumulators either way.

use super::lanes::*;
use super::number::{Number, Wide};
use crate::cpu::simd::Simd;

/// The most kernels that a block takes.
pub(super) const KERNELS: usize = 6;

/// What a block reads and writes.
pub(super) struct Spread<'a, C> {
    /// What the first output reads is `places` elements behind this.
    pub image: *const C,
    /// Elements from what one row of outputs reads to what the next does.
    pub row: usize,
    /// Where each tap reads.
    pub places: &'a [usize],
    /// The weights, tap by tap, those of the block's kernels next to each other.
    pub weights: *const C,
    /// The first output, kernel by kernel, row by row.
    pub out: *mut C,
    /// Elements from one row of outputs to the next, and from one kernel's to the next.
    pub out_row: usize,
    pub out_kernel: usize,
}

/// Computes one block.
///
/// # Safety
/// The instruction set must be present; for `R` rows, `K` kernels and `n` outputs along x, `image` must be good for `n`
/// elements behind every place in each of `R` rows, `weights` for `K` per tap, and `out` for writing `n` elements in each of
/// `K · R` rows.
pub(super) type Block<C> = unsafe fn(&Spread<'_, C>);

/// The blocks for one number of kernels.
pub(super) struct Shape<C> {
    /// Outputs of a wide block along x.
    pub wide: usize,
    /// Rows of a tall block, which is one vector wide.
    pub rows: usize,
    /// One row of `wide` outputs; `rows` rows of one vector; one row of one vector.
    pub blocks: [Block<C>; 3],
}

/// The blocks of one instruction set.
pub(super) struct Blocks<C: 'static> {
    /// Outputs of one vector.
    pub lanes: usize,
    /// For 1 to [`KERNELS`] kernels.
    shapes: [Shape<C>; KERNELS],
}

impl<C> Blocks<C> {
    /// The blocks for `1..=KERNELS` kernels.
    pub(super) fn shape(&self, kernels: usize) -> &Shape<C> {
        &self.shapes[kernels.clamp(1, KERNELS) - 1]
    }
}

/// See [`Block`]. `X` is the number of vectors.
// Plain index loops of constant length are what the compiler unrolls into registers.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn block<V: Vector, const R: usize, const K: usize, const X: usize>(s: &Spread<'_, V::Elem>) {
    // SAFETY: every access stays within the bounds that the caller promises.
    unsafe {
        let mut acc = [[[V::splat(V::Elem::ZERO); X]; K]; R];
        let mut weights = s.weights;
        for &place in s.places {
            let image = s.image.add(place);
            let mut pixels = [[V::splat(V::Elem::ZERO); X]; R];
            for r in 0..R {
                for x in 0..X {
                    pixels[r][x] = V::load(image.add(r * s.row + x * V::LANES));
                }
            }
            for k in 0..K {
                let w = V::splat(*weights.add(k));
                for r in 0..R {
                    for x in 0..X {
                        acc[r][k][x] = pixels[r][x].mul_add(w, acc[r][k][x]);
                    }
                }
            }
            weights = weights.add(K);
        }
        for r in 0..R {
            for k in 0..K {
                for x in 0..X {
                    acc[r][k][x].store(s.out.add(k * s.out_kernel + r * s.out_row + x * V::LANES));
                }
            }
        }
    }
}

/// The table of one vector type, its blocks compiled for `$features`: vectors (or rows) of a block of 1 to 6 kernels.
macro_rules! blocks {
    ($vector:ty, [$($wide:literal)*], $elem:ty $(, $features:literal)?) => {{
        $(#[target_feature(enable = $features)])?
        unsafe fn compiled<const R: usize, const K: usize, const X: usize>(s: &Spread<'_, $elem>) {
            // SAFETY: the caller's promise.
            unsafe { block::<$vector, R, K, X>(s) }
        }
        const LANES: usize = <$vector as Vector>::LANES;
        blocks!(@ LANES, $elem, [$($wide)*], [1 2 3 4 5 6])
    }};
    (@ $lanes:expr, $elem:ty, [$($wide:literal)*], [$($kernels:literal)*]) => {{
        const TABLE: Blocks<$elem> = Blocks {
            lanes: $lanes,
            shapes: [$(Shape {
                wide: $lanes * $wide,
                rows: $wide,
                blocks: [compiled::<1, $kernels, $wide>, compiled::<$wide, $kernels, 1>, compiled::<1, $kernels, 1>],
            }),*],
        };
        &TABLE
    }};
}

/// A type with blocks for every instruction set.
pub(super) trait Spreadable: Number {
    /// The blocks of one instruction set, which must be present when they are used.
    fn spread(simd: Simd) -> &'static Blocks<Self>;
}

macro_rules! spreadable {
    ($($elem:ty: $avx512:ty, $avx2:ty, $portable:ty;)*) => {$(
        impl Spreadable for $elem {
            fn spread(simd: Simd) -> &'static Blocks<Self> {
                match simd {
                    #[cfg(target_arch = "x86_64")]
                    Simd::Avx512 => blocks!($avx512, [8 8 6 4 4 4], $elem, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"),
                    #[cfg(target_arch = "x86_64")]
                    Simd::Avx2 => blocks!($avx2, [6 4 3 2 2 2], $elem, "avx2,fma"),
                    #[cfg(target_arch = "aarch64")]
                    Simd::Neon => blocks!($portable, [8 8 6 4 4 4], $elem),
                    Simd::Portable => blocks!($portable, [6 4 3 2 2 2], $elem),
                }
            }
        }
    )*};
}
spreadable! {
    f32: F32x16, F32x8, Lanes<f32, 4>;
    f64: F64x8, F64x4, Lanes<f64, 2>;
    i32: I32x16, I32x8, Lanes<i32, 4>;
    i64: I64x8, Lanes<i64, 4>, Lanes<i64, 2>;
}

/// Types without vectors.
macro_rules! scalar {
    ($($elem:ty)*) => {$(
        impl Spreadable for $elem {
            fn spread(_: Simd) -> &'static Blocks<Self> {
                blocks!(Lanes<$elem, 1>, [1 1 1 1 1 1], $elem)
            }
        }
    )*};
}
scalar!(i128 Wide);
