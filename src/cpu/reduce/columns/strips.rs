//! The extraction of columns with checks of its own.

use crate::cpu::simd::{Kernel, prefetch};
use crate::exact::fast::{Float, one, step};
use crate::exact::lanes::*;

/// Rows that go through the columns at a time: each level is loaded and stored once for all of them, and memory is read in
/// few long runs.
const TOGETHER: usize = 4;
/// How far ahead of the columns at work a long row is asked for, in bytes.
const AHEAD: usize = 2048;

/// The extraction of columns, side by side in the lanes.
pub(super) struct Strips<'a, T, const L: usize> {
    pub(super) rows: &'a [&'a [T]],
    pub(super) lanes: &'a mut [f64],
    /// Where the lanes of the first level start.
    pub(super) start: f64,
}

/// Levels of which the registers hold two vectors each.
const FEW: usize = 3;

/// What is known of the elements of all columns.
pub(super) struct Found {
    /// The largest magnitude (NaN aside).
    pub(super) largest: f64,
    /// Whether nothing was left, and no NaN or infinity there.
    pub(super) complete: bool,
}

/// The largest magnitudes and what was left, in the lanes of some vectors, and the number 1.
struct Seen<V, const M: usize> {
    largest: [V; M],
    left: [V; M],
    one: V,
}

impl<T: Float, const L: usize> Strips<'_, T, L> {
    /// Vectors of the widest type, and columns that are left one by one.
    ///
    /// # Safety
    /// The instruction set of `V` must be present.
    #[inline(always)]
    unsafe fn strips<V: Doubles, const M: usize>(mut self) -> Found {
        let width = self.lanes.len() / L;
        let whole = width / (M * V::LANES) * (M * V::LANES);
        // SAFETY: the caller's promise.
        let (mut wide, mut single) = unsafe { (Seen::<V, M>::new(), Seen::<Portable<1>, 1>::new()) };
        let long = width * size_of::<T>() >= 4 * AHEAD;
        let rows = self.rows;
        for (i, some) in rows.chunks(TOGETHER).enumerate() {
            // Ahead in the same row, or the place in the rows to come.
            let ahead = |k: usize, row: &[T]| {
                let next = rows.get(i * TOGETHER + k + TOGETHER).map_or(row.as_ptr(), |row| row.as_ptr());
                if long { row.as_ptr().wrapping_byte_add(AHEAD) } else { next }
            };
            // SAFETY: the caller's promise; the columns lie below the width, and all rows are as wide.
            unsafe {
                if let Ok(some) = <[&[T]; TOGETHER]>::try_from(some) {
                    let places = std::array::from_fn::<_, TOGETHER, _>(|k| (some[k].as_ptr(), ahead(k, some[k])));
                    for at in (0..whole).step_by(M * V::LANES) {
                        self.columns::<V, M, TOGETHER>(places, at, &mut wide);
                    }
                    for at in whole..width {
                        self.columns::<Portable<1>, 1, TOGETHER>(places, at, &mut single);
                    }
                } else {
                    for row in some {
                        let places = [(row.as_ptr(), row.as_ptr())];
                        for at in (0..whole).step_by(M * V::LANES) {
                            self.columns::<V, M, 1>(places, at, &mut wide);
                        }
                        for at in whole..width {
                            self.columns::<Portable<1>, 1, 1>(places, at, &mut single);
                        }
                    }
                }
            }
        }
        // SAFETY: the caller's promise.
        let ((largest, left), (single, rest)) = unsafe { (wide.read(), single.read()) };
        // A NaN or an infinity takes the lane out of its binade for good.
        let strayed = self.lanes[..width].iter().fold(0, |strayed, lane| strayed | (lane.to_bits() ^ self.start.to_bits()));
        Found {
            largest: if single > largest { single } else { largest },
            complete: (left | rest) << 1 == 0 && strayed >> 52 == 0,
        }
    }

    /// Adds `R` rows of `M` vectors of columns, from column `at` on, and asks for memory ahead.
    ///
    /// # Safety
    /// The instruction set of `V` must be present, the columns lie below the width, and rows start at the places.
    // Plain index loops of constant length over vectors stay in registers.
    #[allow(clippy::needless_range_loop)]
    #[inline(always)]
    unsafe fn columns<V: Doubles, const M: usize, const R: usize>(
        &mut self,
        places: [(*const T, *const T); R],
        at: usize,
        seen: &mut Seen<V, M>,
    ) {
        let width = self.lanes.len() / L;
        debug_assert!(at + M * V::LANES <= width);
        // SAFETY: the caller's promise; there are L times the width of levels.
        unsafe {
            let lanes = self.lanes.as_mut_ptr().add(at);
            let mut levels = [[seen.one; M]; L];
            for level in 0..L {
                for i in 0..M {
                    levels[level][i] = V::load(lanes.add(level * width + i * V::LANES));
                }
            }
            for (row, ahead) in places {
                // Once per line, where there is a branch's time to spare.
                if L <= FEW || at * size_of::<T>() % 64 < M * V::LANES * size_of::<T>() {
                    for line in (0..M * V::LANES * size_of::<T>()).step_by(64) {
                        prefetch(ahead.wrapping_add(at).wrapping_byte_add(line));
                    }
                }
                for i in 0..M {
                    let x: V = T::load(row.add(at + i * V::LANES));
                    seen.largest[i] = x.magnitude_or(seen.largest[i]);
                    step(&mut levels, i, x, &mut seen.left[i], seen.one);
                }
            }
            for level in 0..L {
                for i in 0..M {
                    levels[level][i].store(lanes.add(level * width + i * V::LANES));
                }
            }
        }
    }
}

impl<V: Doubles, const M: usize> Seen<V, M> {
    /// # Safety
    /// The instruction set of `V` must be present.
    #[inline(always)]
    unsafe fn new() -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self { largest: [V::splat(0.0); M], left: [V::splat(0.0); M], one: one() } }
    }

    /// The largest magnitude and the bits that were left.
    ///
    /// # Safety
    /// The instruction set of `V` must be present.
    #[inline(always)]
    unsafe fn read(&self) -> (f64, u64) {
        let (mut largest, mut left, mut lanes) = (0.0, 0, [0.0; 8]);
        for i in 0..M {
            // SAFETY: the caller's promise; no vector has more than 8 lanes.
            unsafe { self.largest[i].store(lanes.as_mut_ptr()) };
            largest = lanes[..V::LANES].iter().fold(largest, |most, &lane| if lane > most { lane } else { most });
            // SAFETY: as above.
            unsafe { self.left[i].store(lanes.as_mut_ptr()) };
            left |= lanes[..V::LANES].iter().fold(0, |left, lane| left | lane.to_bits());
        }
        (largest, left)
    }
}

impl<T: Float, const L: usize> Kernel for Strips<'_, T, L> {
    type Output = Found;

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> Found {
        // SAFETY: vectors of `BYTES` bytes are present.
        unsafe {
            match BYTES {
                // The levels of two vectors leave no registers.
                #[cfg(target_arch = "x86_64")]
                32 | 64 if L > FEW => self.strips::<Doubles4, 1>(),
                // With AVX-512 as well: there only few columns come here.
                #[cfg(target_arch = "x86_64")]
                32 | 64 => self.strips::<Doubles4, 2>(),
                _ => self.strips::<Portable<2>, 2>(),
            }
        }
    }
}
