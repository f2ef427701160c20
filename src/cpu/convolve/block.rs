//! The micro-kernel: a block of outputs, some rows × some kernels × some vectors along x, held in registers while all taps
//! pass by.
//!
//! Every output has one accumulator, and takes its taps in row-major order whatever the block's shape: the bits of a
//! float result do not depend on blocking, threads or vector width.
//!
//! Blocks keep up to 24 accumulators. A bank takes six kernels at a time, so that a loaded piece of the image serves six
//! of them; few kernels take several output rows, so that a loaded piece of row `j` serves the rows `r` with
//! `0 <= j - r < height`. Both need about as many loads as half the multiply-adds, which leaves the multipliers the
//! bottleneck.

use super::lanes::*;
use super::number::{Number, Wide};
use super::window::Windowed;
use crate::cpu::simd::Simd;

/// The most kernels that a block takes.
pub(super) const KERNELS: usize = 6;

/// What a block reads and writes.
pub(super) struct Taps<C> {
    /// The first element that the first tap of the first output reads.
    pub image: *const C,
    /// Elements from one image row to the next.
    pub row: usize,
    /// Elements from one depth of the image to the next.
    pub slab: usize,
    /// The weights, tap by tap in row-major order, those of the block's kernels next to each other.
    pub weights: *const C,
    /// Taps along each axis; along x, in steps.
    pub kernel: [usize; 3],
    /// Elements of the image from one step to the next.
    pub step: usize,
    /// The first output, kernel by kernel, row by row.
    pub out: *mut C,
    /// Elements from one row of outputs to the next, and from one kernel's to the next's.
    pub out_row: usize,
    pub out_kernel: usize,
}

/// Computes one block.
///
/// # Safety
/// The instruction set must be present; for `R` rows, `K` kernels and `n` outputs along x, `image` must be good for
/// `n + width - 1` elements in each of the `R + height - 1` rows of `depth` slabs, `weights` for `K` per tap, and `out`
/// for writing `n` elements in each of `K · R` rows.
pub(super) type Block<C> = unsafe fn(&Taps<C>);

/// The blocks of one instruction set.
pub(super) struct Blocks<C: 'static> {
    /// Outputs of a narrow block along x: one vector.
    pub narrow: usize,
    /// Outputs of a wide block along x.
    pub wide: usize,
    /// For 1 to [`KERNELS`] kernels.
    shapes: [Shape<C>; KERNELS],
}

/// The blocks for one number of kernels.
pub(super) struct Shape<C> {
    /// Rows of the tall blocks.
    pub rows: usize,
    /// Tall blocks: wide, narrow.
    pub tall: [Block<C>; 2],
    /// Blocks of one row: wide, narrow.
    pub flat: [Block<C>; 2],
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
unsafe fn block<V: Vector, const R: usize, const K: usize, const X: usize>(t: &Taps<V::Elem>) {
    let [depth, height, width] = t.kernel;
    // SAFETY: every access stays within the bounds that the caller promises: image rows below R + height - 1, columns
    // below X vectors + width - 1; weights below K times the taps; X vectors in each of K · R rows of outputs.
    unsafe {
        let mut acc = [[[V::splat(V::Elem::ZERO); X]; K]; R];
        for dz in 0..depth {
            let weights = t.weights.add(dz * height * width * K);
            for j in 0..R + height - 1 {
                let image = t.image.add(dz * t.slab + j * t.row);
                // Output row r takes image row j with kernel row j - r, if there is one.
                let (first, last) = ((j + 1).saturating_sub(height), j.min(R - 1));
                if R == 1 || (first == 0 && last == R - 1) {
                    for dx in 0..width {
                        let mut pixels = [V::splat(V::Elem::ZERO); X];
                        for x in 0..X {
                            pixels[x] = V::load(image.add(dx * t.step + x * V::LANES));
                        }
                        for r in 0..R {
                            let w = weights.add(((j - r) * width + dx) * K);
                            for k in 0..K {
                                let w = V::splat(*w.add(k));
                                for x in 0..X {
                                    acc[r][k][x] = pixels[x].mul_add(w, acc[r][k][x]);
                                }
                            }
                        }
                    }
                } else {
                    for dx in 0..width {
                        let mut pixels = [V::splat(V::Elem::ZERO); X];
                        for x in 0..X {
                            pixels[x] = V::load(image.add(dx * t.step + x * V::LANES));
                        }
                        for r in 0..R {
                            if first <= r && r <= last {
                                let w = weights.add(((j - r) * width + dx) * K);
                                for k in 0..K {
                                    let w = V::splat(*w.add(k));
                                    for x in 0..X {
                                        acc[r][k][x] = pixels[x].mul_add(w, acc[r][k][x]);
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        for r in 0..R {
            for k in 0..K {
                for x in 0..X {
                    acc[r][k][x].store(t.out.add(k * t.out_kernel + r * t.out_row + x * V::LANES));
                }
            }
        }
    }
}

/// The table of one vector type, its blocks compiled for `$features`.
macro_rules! blocks {
    ($vector:ty, $wide:literal, $elem:ty $(, $features:literal)?) => {{
        $(#[target_feature(enable = $features)])?
        unsafe fn compiled<const R: usize, const K: usize, const X: usize>(t: &Taps<$elem>) {
            // SAFETY: the caller's promise.
            unsafe { block::<$vector, R, K, X>(t) }
        }
        macro_rules! shape {
            ($rows:literal, $kernels:literal) => {
                Shape {
                    rows: $rows,
                    tall: [compiled::<$rows, $kernels, $wide>, compiled::<$rows, $kernels, 1>],
                    flat: [compiled::<1, $kernels, $wide>, compiled::<1, $kernels, 1>],
                }
            };
        }
        const LANES: usize = <$vector as Vector>::LANES;
        const TABLE: Blocks<$elem> = Blocks {
            narrow: LANES,
            wide: LANES * $wide,
            shapes: [shape!(6, 1), shape!(3, 2), shape!(2, 3), shape!(1, 4), shape!(1, 5), shape!(1, 6)],
        };
        &TABLE
    }};
}

/// Blocks that take several taps at a time, for AVX-512 with VNNI.
#[cfg(target_arch = "x86_64")]
pub(super) mod dots {
    use super::*;

    macro_rules! dots {
        ($($(#[$doc:meta])* $name:ident: $vector:ty;)*) => {$(
            $(#[$doc])*
            pub(in super::super) fn $name() -> &'static Blocks<i32> {
                blocks!($vector, 4, i32, "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")
            }
        )*};
    }
    dots! {
        /// Two 16-bit taps.
        pairs: Pairs16;
        /// Four 8-bit taps of an image without signs.
        bytes: Quads16;
        /// Four 8-bit taps of kernels without signs.
        signed_bytes: SignedQuads16;
    }
}

/// A type with blocks for every instruction set.
pub(super) trait Blocked: Number + Windowed {
    /// The blocks of one instruction set, which must be present when they are used.
    fn blocks(simd: Simd) -> &'static Blocks<Self>;
}

macro_rules! blocked {
    ($($elem:ty: $avx512:ty, $avx2:ty, $portable:ty;)*) => {$(
        impl Blocked for $elem {
            fn blocks(simd: Simd) -> &'static Blocks<Self> {
                match simd {
                    #[cfg(target_arch = "x86_64")]
                    Simd::Avx512 => blocks!($avx512, 4, $elem, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"),
                    #[cfg(target_arch = "x86_64")]
                    Simd::Avx2 => blocks!($avx2, 2, $elem, "avx2,fma"),
                    #[cfg(target_arch = "aarch64")]
                    Simd::Neon => blocks!($portable, 4, $elem),
                    Simd::Portable => blocks!($portable, 2, $elem),
                }
            }
        }
    )*};
}
blocked! {
    f32: F32x16, F32x8, Lanes<f32, 4>;
    f64: F64x8, F64x4, Lanes<f64, 2>;
    i32: I32x16, I32x8, Lanes<i32, 4>;
    i64: I64x8, Lanes<i64, 4>, Lanes<i64, 2>;
}

/// Types without vectors: blocks of one output per kernel.
macro_rules! scalar {
    ($($elem:ty)*) => {$(
        impl Blocked for $elem {
            fn blocks(_: Simd) -> &'static Blocks<Self> {
                macro_rules! shape {
                    ($kernels:literal) => {
                        Shape { rows: 1, tall: [block::<Lanes<$elem, 1>, 1, $kernels, 1>; 2], flat: [block::<Lanes<$elem, 1>, 1, $kernels, 1>; 2] }
                    };
                }
                const TABLE: Blocks<$elem> =
                    Blocks { narrow: 1, wide: 1, shapes: [shape!(1), shape!(2), shape!(3), shape!(4), shape!(5), shape!(6)] };
                &TABLE
            }
        }
    )*};
}
scalar!(i128 Wide);
