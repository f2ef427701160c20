//! The fast way into an exact sum: error-free extraction on SIMD lanes, verified; what fails goes through windows.
//!
//! A lane starts at `C = 1.5 · 2^k`. Adding `x` rounds it to the grid `2^(k - 52)`; subtracting again gives exactly the part
//! that was added, and `x` minus that exactly the part that was not, which goes to the next, finer level. As long as a lane
//! stays within its binade, its distance from `C` in bits is the exact sum of the parts as an integer on the grid. Both
//! conditions are checked per block: the largest magnitude bounds the lane's walk, and the last level must take all of what
//! reaches it. A block that fails is summed again, with more levels or in [`windows`](super::windows).
//!
//! With AVX-512 the processor itself tells whether all was exact, see [`sticky`](super::sticky).
//!
//! Sources: Rump, Ogita, Oishi, "Accurate floating-point summation", 2008 (extraction); Demmel, Nguyen, "Parallel
//! reproducible summation", 2015 (running levels).

use super::accumulator::Accumulator;
use super::lanes::*;
use super::round::{BINARY32, BINARY64, fixed, quotient};
use crate::cpu::simd::{Kernel, Simd, prefetch_ahead};

/// Additions per lane and block, as a power of two.
const STEPS: u32 = 8;
/// Bits between the constants of two levels.
const LEVEL: i32 = 53 - 2 - STEPS as i32;
/// The largest exponent of an element that extraction can take.
pub(crate) const MAX_TOP: i32 = 1023 - 3 - STEPS as i32;
/// Levels that hold all of binary32.
pub(crate) const WHOLE: usize = 7;
/// Levels that hold all squares of binary32 numbers.
pub(crate) const WHOLE_SQUARES: usize = 13;

/// `a + b` rounded, and what was rounded off (Knuth's TwoSum).
#[inline(always)]
pub(crate) fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let part = sum - a;
    (sum, (a - (sum - part)) + (b - part))
}

/// binary32 or binary64.
pub(crate) trait Float: crate::Real {
    /// Whether this is binary32.
    const NARROW: bool = Self::DTYPE.size() == 4;
    /// The same number as f64.
    fn widen(self) -> f64;
    /// The nearest number of this format.
    fn of(value: f64) -> Self;
    /// Numbers that lie next to each other, as f64.
    ///
    /// # Safety
    /// `p` must be good for `V::LANES` elements, and the instruction set of `V` be present.
    unsafe fn load<V: Doubles>(p: *const Self) -> V;
    /// The nearest number of this format to the sum, over `count` if given.
    fn read(sum: &Accumulator, count: Option<u64>) -> Self;
    /// The numbers, if they are of binary32.
    fn narrow(values: &[Self]) -> Option<&[f32]> {
        Self::NARROW.then(|| bytemuck::cast_slice(values))
    }
    /// The numbers, if they are of binary64.
    fn wide(values: &[Self]) -> Option<&[f64]> {
        (!Self::NARROW).then(|| bytemuck::cast_slice(values))
    }
}

impl Float for f32 {
    #[inline(always)]
    fn widen(self) -> f64 {
        f64::from(self)
    }
    #[inline(always)]
    fn of(value: f64) -> Self {
        value as f32
    }
    #[inline(always)]
    unsafe fn load<V: Doubles>(p: *const f32) -> V {
        // SAFETY: the caller's promise.
        unsafe { V::widen(p) }
    }
    fn read(sum: &Accumulator, count: Option<u64>) -> Self {
        match (sum.window(), count) {
            (Some((value, exponent)), None) => fixed(BINARY32, value, exponent) as f32,
            (Some((value, exponent)), Some(count)) => quotient(BINARY32, value, exponent, count) as f32,
            (None, _) => {
                let sum = sum.to_sum();
                count.map_or_else(|| sum.to_f32(), |count| sum.mean_f32(count))
            }
        }
    }
}

impl Float for f64 {
    #[inline(always)]
    fn widen(self) -> f64 {
        self
    }
    #[inline(always)]
    fn of(value: f64) -> Self {
        value
    }
    #[inline(always)]
    unsafe fn load<V: Doubles>(p: *const f64) -> V {
        // SAFETY: the caller's promise.
        unsafe { V::load(p) }
    }
    fn read(sum: &Accumulator, count: Option<u64>) -> Self {
        match (sum.window(), count) {
            (Some((value, exponent)), None) => fixed(BINARY64, value, exponent),
            (Some((value, exponent)), Some(count)) => quotient(BINARY64, value, exponent, count),
            (None, _) => {
                let sum = sum.to_sum();
                count.map_or_else(|| sum.to_f64(), |count| sum.mean_f64(count))
            }
        }
    }
}

/// The exponent of a finite number (that of the subnormals for zero and below; 1024 for infinity).
pub(crate) fn exponent(magnitude: f64) -> i32 {
    ((magnitude.to_bits() >> 52) as i32 & 0x7ff).max(1) - 1023
}

/// The exponents of the constants of `L` levels for elements below `2^(top + 1)`.
pub(crate) fn exponents<const L: usize>(top: i32) -> [i32; L] {
    std::array::from_fn(|level| (top + 3 + STEPS as i32 - LEVEL * level as i32).max(-1022))
}

/// `1.5 · 2^k`.
#[inline(always)]
pub(crate) fn constant(k: i32) -> f64 {
    f64::from_bits((((k + 1023) as u64) << 52) | (1 << 51))
}

/// The number 1 in every lane, and the compiler must not know it: it would turn the fused subtractions into plain ones, and
/// these have units enough to themselves to halve the time in cache.
///
/// # Safety
/// The instruction set of `V` must be present.
#[inline(always)]
pub(crate) unsafe fn one<V: Doubles>() -> V {
    // SAFETY: the caller's promise.
    unsafe { V::splat(std::hint::black_box(1.0)) }
}

/// `x` loses to a level what the level's grid can hold; the answer is what is left.
///
/// # Safety
/// The instruction set of `V` must be present.
#[inline(always)]
pub(crate) unsafe fn take<V: Doubles>(level: &mut V, x: V, one: V) -> V {
    // SAFETY: the caller's promise.
    unsafe {
        let moved = level.add(x);
        let rest = x.fused_sub(one, moved.fused_sub(one, *level));
        *level = moved;
        rest
    }
}

/// The last level holds all of `x`, or bits are set in `left` (or only the sign bit, of a zero).
///
/// # Safety
/// The instruction set of `V` must be present.
#[inline(always)]
pub(crate) unsafe fn rest_of<V: Doubles>(level: &mut V, x: V, left: &mut V) {
    // SAFETY: the caller's promise.
    unsafe {
        let moved = level.add(x);
        *left = left.or_difference(x, moved.sub(*level));
        *level = moved;
    }
}

/// One step of some lanes: each level takes what it can hold, the last one all that is left.
///
/// # Safety
/// The instruction set of `V` must be present.
#[inline(always)]
pub(crate) unsafe fn step<V: Doubles, const L: usize, const M: usize>(
    levels: &mut [[V; M]; L],
    at: usize,
    mut x: V,
    left: &mut V,
    one: V,
) {
    let mut last = L;
    for level in levels {
        last -= 1;
        // SAFETY: the caller's promise.
        unsafe {
            if last == 0 {
                rest_of(&mut level[at], x, left);
            } else {
                x = take(&mut level[at], x, one);
            }
        }
    }
}

/// What is added for an element: itself, or its square, which is exact if it is binary32.
#[inline(always)]
pub(super) fn number<T: Float, const SQUARE: bool>(value: T) -> f64 {
    let x = value.widen();
    if SQUARE { x * x } else { x }
}

/// The extraction of one block, of squares if `SQUARE`.
pub(super) struct Extract<'a, T, const L: usize, const SQUARE: bool> {
    pub values: &'a [T],
    pub exponents: [i32; L],
}

pub(super) struct Extracted<const L: usize> {
    /// The sum on each level's grid.
    pub sums: [i64; L],
    /// The largest magnitude (NaN aside).
    pub largest: f64,
    /// Whether nothing was left, and no NaN or infinity there.
    pub complete: bool,
}

/// The largest magnitude (NaN aside).
pub(crate) struct Largest<'a, T>(pub &'a [T]);

impl<T: Float> Kernel for Largest<'_, T> {
    type Output = f64;

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> f64 {
        let mut lanes = [0f64; 32];
        let (blocks, rest) = self.0.as_chunks::<32>();
        for block in blocks {
            for i in 0..32 {
                let x = block[i].widen().abs();
                lanes[i] = if x > lanes[i] { x } else { lanes[i] };
            }
        }
        let rest = rest.iter().map(|x| x.widen().abs());
        lanes.into_iter().chain(rest).fold(0.0, |most, x| if x > most { x } else { most })
    }
}

/// The largest magnitude of products (NaN aside).
#[cfg(target_arch = "x86_64")]
pub(super) struct LargestProduct<'a, T>(pub &'a [T], pub &'a [T]);

#[cfg(target_arch = "x86_64")]
impl<T: Float> Kernel for LargestProduct<'_, T> {
    type Output = f64;

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> f64 {
        let mut lanes = [0f64; 16];
        for (a, b) in self.0.chunks(16).zip(self.1.chunks(16)) {
            for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
                let x = (a.widen() * b.widen()).abs();
                *lane = if x > *lane { x } else { *lane };
            }
        }
        lanes.into_iter().fold(0.0, |most, x| if x > most { x } else { most })
    }
}

/// The most lanes of one block.
const MOST: usize = 32;

impl<T: Float, const L: usize, const SQUARE: bool> Extract<'_, T, L, SQUARE> {
    /// Runs in `M` vectors.
    ///
    /// # Safety
    /// The instruction set of `V` must be present.
    // Plain index loops of constant length over vectors: they stay in registers whatever the compiler inlines elsewhere.
    #[allow(clippy::needless_range_loop)]
    #[inline(always)]
    unsafe fn vectors<V: Doubles, const M: usize>(self) -> Extracted<L> {
        let n = M * V::LANES;
        let whole = self.values.len() / n;
        let rest = &self.values[whole * n..];
        let mut last = [T::ZERO; MOST];
        last[..rest.len()].copy_from_slice(rest);
        // SAFETY: the caller's promise; n elements lie at each of the whole places, and MOST, which is no less, in `last`
        // and in the buffers.
        unsafe {
            let mut levels = [[V::splat(0.0); M]; L];
            for level in 0..L {
                levels[level] = [V::splat(constant(self.exponents[level])); M];
            }
            let (mut largest, mut left, one) = ([V::splat(0.0); M], [V::splat(0.0); M], one::<V>());
            let values = self.values.as_ptr();
            for i in 0..whole + usize::from(!rest.is_empty()) {
                let from = if i < whole { values.add(i * n) } else { last.as_ptr() };
                for line in (0..n * size_of::<T>()).step_by(64) {
                    prefetch_ahead(from.wrapping_byte_add(line));
                }
                for at in 0..M {
                    let x: V = T::load(from.add(at * V::LANES));
                    let x = if SQUARE { x.mul(x) } else { x };
                    largest[at] = x.magnitude_or(largest[at]);
                    step(&mut levels, at, x, &mut left[at], one);
                }
            }
            let mut lanes = [0.0; MOST];
            let (mut sums, mut strayed) = ([0i64; L], 0);
            for level in 0..L {
                for at in 0..M {
                    levels[level][at].store(lanes.as_mut_ptr().add(at * V::LANES));
                }
                let start = constant(self.exponents[level]).to_bits();
                for lane in 0..n {
                    // Of no meaning, and possibly large, if the block fails.
                    sums[level] = sums[level].wrapping_add(lanes[lane].to_bits().wrapping_sub(start) as i64);
                    strayed |= lanes[lane].to_bits() ^ start;
                }
            }
            for at in 1..M {
                largest[0] = largest[at].magnitude_or(largest[0]);
                left[0] = left[0].or(left[at]);
            }
            largest[0].store(lanes.as_mut_ptr());
            let mut top = 0.0;
            for lane in 0..V::LANES {
                top = if lanes[lane] > top { lanes[lane] } else { top };
            }
            left[0].store(lanes.as_mut_ptr());
            let mut any = 0;
            for lane in 0..V::LANES {
                any |= lanes[lane].to_bits();
            }
            // Of −0 the sign is left; a NaN takes the lane out of its binade for good.
            Extracted { sums, largest: top, complete: any << 1 == 0 && strayed >> 52 == 0 }
        }
    }
}

impl<T: Float, const L: usize, const SQUARE: bool> Kernel for Extract<'_, T, L, SQUARE> {
    type Output = Extracted<L>;

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> Extracted<L> {
        // Few enough vectors that all levels of a binary64 block stay in registers.
        // SAFETY: vectors of `BYTES` bytes are present.
        unsafe {
            #[cfg(target_arch = "x86_64")]
            match BYTES {
                64 => return self.vectors::<Doubles8, 4>(),
                32 if T::NARROW && !SQUARE => return self.vectors::<Doubles4, 4>(),
                32 => return self.vectors::<Doubles4, 2>(),
                _ => {}
            }
            if T::NARROW && !SQUARE { self.vectors::<Portable<2>, 4>() } else { self.vectors::<Portable<2>, 2>() }
        }
    }
}

/// Elements per block: `2^STEPS` per lane.
pub(super) fn block<T: Float, const SQUARE: bool>(simd: Simd) -> usize {
    let lanes = match simd {
        #[cfg(target_arch = "x86_64")]
        Simd::Avx512 => return 32 << STEPS,
        #[cfg(target_arch = "x86_64")]
        Simd::Avx2 => 8,
        _ => 4,
    };
    (if T::NARROW && !SQUARE { 2 * lanes } else { lanes }) << STEPS
}
