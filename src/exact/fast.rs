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

use super::lanes::*;
use super::prefix::Prefix;
use super::round::{BINARY32, BINARY64, fixed, quotient};
#[cfg(target_arch = "x86_64")]
use super::sticky;
use super::windows::Windows;
use super::{ExactSum, LEAST, NEGATIVE_ZEROS, NOTHING, OTHERS};
use crate::cpu::simd::{AHEAD, Kernel, Simd, prefetch};

/// Additions per lane and block, as a power of two.
const STEPS: u32 = 8;
/// Bits between the constants of two levels.
const LEVEL: i32 = 53 - 2 - STEPS as i32;
/// The largest exponent of an element that extraction can take.
pub(crate) const MAX_TOP: i32 = 1023 - 3 - STEPS as i32;
/// Levels that hold all of binary32.
pub(crate) const WHOLE: usize = 7;
/// Blocks between two attempts to get by with fewer levels.
const PATIENCE: u32 = 16;

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

/// One step of some lanes: `x` loses to each level what the level's grid can hold. Bits are set in `left` if that is not all
/// (or only the sign bit, of a zero).
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
            let moved = level[at].add(x);
            if last == 0 {
                *left = left.or_difference(x, moved.sub(level[at]));
            } else {
                x = x.fused_sub(one, moved.fused_sub(one, level[at]));
            }
            level[at] = moved;
        }
    }
}

/// What is added for an element: itself, or its square, which is exact if it is binary32.
#[inline(always)]
fn number<T: Float, const SQUARE: bool>(value: T) -> f64 {
    let x = value.widen();
    if SQUARE { x * x } else { x }
}

/// The extraction of one block, of squares if `SQUARE`.
struct Extract<'a, T, const L: usize, const SQUARE: bool> {
    values: &'a [T],
    exponents: [i32; L],
}

struct Extracted<const L: usize> {
    /// The sum on each level's grid.
    sums: [i64; L],
    /// The largest magnitude (NaN aside).
    largest: f64,
    /// Whether nothing was left, and no NaN or infinity there.
    complete: bool,
}

/// The largest magnitude (NaN aside).
struct Largest<'a, T>(&'a [T]);

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
struct LargestProduct<'a, T>(&'a [T], &'a [T]);

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
                    prefetch(from.wrapping_byte_add(AHEAD + line));
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
                64 if T::NARROW && !SQUARE => return self.vectors::<Doubles8, 4>(),
                64 => return self.vectors::<Doubles8, 2>(),
                32 if T::NARROW && !SQUARE => return self.vectors::<Doubles4, 4>(),
                32 => return self.vectors::<Doubles4, 2>(),
                _ => {}
            }
            if T::NARROW && !SQUARE { self.vectors::<Portable<2>, 4>() } else { self.vectors::<Portable<2>, 2>() }
        }
    }
}

/// Elements per block: `2^STEPS` per lane.
fn block<T: Float, const SQUARE: bool>(simd: Simd) -> usize {
    let lanes = match simd {
        #[cfg(target_arch = "x86_64")]
        Simd::Avx512 => 16,
        #[cfg(target_arch = "x86_64")]
        Simd::Avx2 => 8,
        _ => 4,
    };
    (if T::NARROW && !SQUARE { 2 * lanes } else { lanes }) << STEPS
}

/// An exact sum in the making: what fits a 128-bit window costs nothing more; the rest spills.
#[derive(Debug, Clone)]
pub(crate) struct Accumulator {
    value: i128,
    exponent: i32,
    kind: u8,
    /// The levels tried first: 1 to 3 (which may stand for more), or more than that for the windows.
    levels: u8,
    /// Blocks until fewer levels are tried.
    patience: u32,
    /// The exponent of the largest element expected.
    top: i32,
    /// Blocks of products until they are tried at once again.
    pause: u32,
    /// The exponent of the largest product expected.
    reach: i32,
    spill: Option<Box<ExactSum>>,
    windows: Option<Box<Windows>>,
}

impl Accumulator {
    pub(crate) fn new() -> Self {
        let (levels, patience) = (1, 0);
        let (top, pause, reach) = (i32::MIN, 0, i32::MIN);
        Self { value: 0, exponent: 0, kind: NOTHING, levels, patience, top, pause, reach, spill: None, windows: None }
    }

    /// The sum of nothing, with what was learnt about the elements so far.
    pub(crate) fn next(&self) -> Self {
        let &Self { levels, patience, top, pause, reach, .. } = self;
        Self { levels, patience, top, pause, reach, ..Self::new() }
    }

    /// Adds the numbers of a slice.
    pub(crate) fn extend<T: Float>(&mut self, values: &[T], simd: Simd) {
        self.extend_open(values, simd);
        self.close();
    }

    /// Adds the numbers of a slice, one of many that together are [`close`](Self::close)d: at most 2^31 elements.
    pub(crate) fn extend_open<T: Float>(&mut self, values: &[T], simd: Simd) {
        self.add_all::<T, false>(values, simd);
    }

    /// Adds the squares of the numbers of a slice, which are exact as binary64.
    pub(crate) fn extend_squares(&mut self, values: &[f32], simd: Simd) {
        self.add_all::<f32, true>(values, simd);
        self.close();
    }

    fn add_all<T: Float, const SQUARE: bool>(&mut self, values: &[T], simd: Simd) {
        if values.len() < 16 {
            values.iter().for_each(|&value| self.push(number::<T, SQUARE>(value)));
            return;
        }
        for block in values.chunks(block::<T, SQUARE>(simd)) {
            if self.spill.as_ref().is_some_and(|sum| sum.is_nan()) {
                return;
            }
            if self.patience == 0 {
                self.levels = if T::NARROW && !SQUARE { 1 } else { 2 };
            }
            self.patience = self.patience.saturating_sub(1);
            if self.top == i32::MIN {
                self.top = exponent(number::<T, SQUARE>(block[0])).min(MAX_TOP);
            }
            let more = |sum: &mut Self| {
                if T::NARROW && !SQUARE {
                    // So many hold all of binary32.
                    sum.extract::<T, WHOLE, SQUARE>(block, simd)
                } else {
                    sum.extract::<T, 3, SQUARE>(block, simd)
                }
            };
            let done = (self.levels <= 1 && self.extract::<T, 1, SQUARE>(block, simd))
                || (self.levels <= 2 && self.extract::<T, 2, SQUARE>(block, simd))
                || (self.levels <= 3 && more(self));
            if !done {
                self.scatter::<T, SQUARE>(block, simd);
            }
        }
    }

    /// Adds the sum times `2^shift` to a sum of products.
    pub(crate) fn add_to(&self, dot: &mut super::ExactDot, shift: i32) {
        if let Some(spill) = &self.spill {
            dot.add_sum(spill, shift);
        }
        dot.add_scaled(self.value, self.exponent + shift);
    }

    /// Adds a block with `L` levels, if they suffice.
    fn extract<T: Float, const L: usize, const SQUARE: bool>(&mut self, block: &[T], simd: Simd) -> bool {
        for _ in 0..2 {
            let exponents = exponents::<L>(self.top);
            #[cfg(target_arch = "x86_64")]
            if simd == Simd::Avx512 && !SQUARE && sticky::has::<T>(L) {
                // SAFETY: the level says that the instructions are there.
                if let Some(sums) = unsafe { sticky::sum(block, exponents) } {
                    self.settle::<T, SQUARE>(block, sums.iter().any(|&sum| sum != 0), sums, exponents);
                    return true;
                }
                let top = exponent(simd.run(Largest(block)));
                if self.retry(top, L) {
                    continue;
                }
                return false;
            }
            let found = simd.run(Extract::<T, L, SQUARE> { values: block, exponents });
            let top = exponent(found.largest);
            if found.complete && top <= self.top {
                self.settle::<T, SQUARE>(block, found.largest > 0.0, found.sums, exponents);
                return true;
            }
            if !self.retry(top, L) {
                return false;
            }
        }
        // More levels from here on, for a while.
        (self.levels, self.patience) = (L as u8 + 1, PATIENCE);
        false
    }

    /// Adds the products of pairs, at most some thousands, if that can be done at once.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn add_products<T: Float>(&mut self, a: &[T], b: &[T], simd: Simd) -> bool {
        if self.pause > 0 {
            self.pause -= 1;
            return false;
        }
        if simd != Simd::Avx512 || a.len() < 16 || a.len() != b.len() {
            return false;
        }
        if self.reach == i32::MIN {
            self.reach = exponent(a[0].widen() * b[0].widen()).min(MAX_TOP);
        }
        for _ in 0..2 {
            let exponents = exponents::<{ sticky::PRODUCT_LEVELS }>(self.reach);
            // SAFETY: the level says that the instructions are there, and the lengths are equal.
            if let Some(sums) = unsafe { sticky::products(a, b, exponents) } {
                if self.kind != OTHERS {
                    let negative = |(x, y): (&T, &T)| {
                        let x = x.widen() * y.widen();
                        x == 0.0 && x.is_sign_negative()
                    };
                    self.note(sums == [0; _] && a.iter().zip(b).all(negative));
                }
                for (sum, k) in sums.into_iter().zip(exponents) {
                    self.add(i128::from(sum), k - 52);
                }
                return true;
            }
            let top = exponent(simd.run(LargestProduct(a, b)));
            if top > MAX_TOP || top == self.reach {
                break;
            }
            self.reach = top;
        }
        self.pause = PATIENCE;
        false
    }

    /// Whether a block whose largest element has this exponent, and that failed on so many levels, is worth another attempt.
    fn retry(&mut self, top: i32, levels: usize) -> bool {
        let again = top <= MAX_TOP && top != self.top;
        if again {
            self.top = top;
        } else {
            // More levels from here on, for a while.
            let patience = if levels == 1 { PATIENCE / 4 } else { PATIENCE };
            (self.levels, self.patience) = (if top > MAX_TOP { 4 } else { levels as u8 + 1 }, patience);
        }
        again
    }

    /// Adds the sums of a block, some element of which may be known not to be zero.
    fn settle<T: Float, const SQUARE: bool>(
        &mut self,
        block: &[T],
        nonzero: bool,
        sums: impl IntoIterator<Item = i64>,
        exponents: impl IntoIterator<Item = i32>,
    ) {
        if nonzero {
            self.kind = OTHERS;
        } else if self.kind != OTHERS {
            let negative = block.iter().all(|&x| {
                let x = number::<T, SQUARE>(x);
                x == 0.0 && x.is_sign_negative()
            });
            self.kind = self.kind.max(if negative { NEGATIVE_ZEROS } else { OTHERS });
        }
        for (sum, k) in sums.into_iter().zip(exponents) {
            self.add(i128::from(sum), k - 52);
        }
    }

    /// Adds a block element by element; one of them is not −0.
    fn scatter<T: Float, const SQUARE: bool>(&mut self, block: &[T], simd: Simd) {
        self.kind = OTHERS;
        if block.len() < 128 && self.windows.is_none() {
            return block.iter().for_each(|&value| self.push(number::<T, SQUARE>(value)));
        }
        let windows = self.windows.get_or_insert_with(Windows::spare);
        let special = windows.extend(block, simd, number::<T, SQUARE>);
        if special {
            let spill = self.spill.get_or_insert_default();
            block
                .iter()
                .map(|&value| number::<T, SQUARE>(value))
                .filter(|value| !value.is_finite())
                .for_each(|value| spill.push(value));
        }
    }

    /// Ends a row of slices: moves the windows' contents into the sum.
    pub(crate) fn close(&mut self) {
        if let Some(mut windows) = self.windows.take() {
            windows.empty(self.spill.get_or_insert_default());
            windows.keep();
        }
    }

    /// Adds what windows hold, whose elements were [`note`](Self::note)d.
    pub(crate) fn take(&mut self, windows: &mut Windows) {
        windows.empty(self.spill.get_or_insert_default());
    }

    /// Adds one number.
    pub(crate) fn push(&mut self, value: f64) {
        let bits = value.to_bits();
        let (field, fraction) = ((bits >> 52) as i32 & 0x7ff, bits & ((1 << 52) - 1));
        if field == 0x7ff {
            self.kind = OTHERS;
            return self.spill.get_or_insert_default().push(value);
        }
        self.kind = if bits == 1 << 63 { self.kind.max(NEGATIVE_ZEROS) } else { OTHERS };
        let significand = (fraction | u64::from(field != 0) << 52) as i64;
        self.add(i128::from(if value < 0.0 { -significand } else { significand }), LEAST + field.max(1) - 1);
    }

    /// Adds `value · 2^exponent`, whose elements were accounted for in `kind`.
    pub(crate) fn add(&mut self, value: i128, exponent: i32) {
        if value == 0 {
            return;
        }
        if self.value == 0 {
            (self.value, self.exponent) = (value, exponent);
            return;
        }
        let fits = |value: i128, shift: i32| shift < 126 && value.unsigned_abs().leading_zeros() as i32 > shift + 2;
        let shift = exponent - self.exponent;
        if shift >= 0 && fits(value, shift) && fits(self.value, 0) {
            self.value += value << shift;
        } else if shift < 0 && fits(self.value, -shift) && fits(value, 0) {
            self.value = (self.value << -shift) + value;
            self.exponent = exponent;
        } else {
            let spill = self.spill.get_or_insert_default();
            spill.add_scaled(self.value, self.exponent);
            (self.value, self.exponent) = (value, exponent);
        }
    }

    /// Notes what elements were added by [`add`](Self::add): some, and whether all of them were −0.
    pub(crate) fn note(&mut self, negative_zeros: bool) {
        self.kind = self.kind.max(if negative_zeros { NEGATIVE_ZEROS } else { OTHERS });
    }

    /// Whether the elements so far are known not to be −0 alone.
    pub(crate) fn has_others(&self) -> bool {
        self.kind == OTHERS
    }

    /// Adds another sum.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.kind = self.kind.max(other.kind);
        self.add(other.value, other.exponent);
        if let Some(theirs) = &other.spill {
            self.spill.get_or_insert_default().merge(theirs);
        }
    }

    /// The sum as `value · 2^exponent`, if it is that simple (and no zero, which may be signed).
    fn window(&self) -> Option<(i128, i32)> {
        (self.spill.is_none() && self.value != 0).then_some((self.value, self.exponent))
    }

    /// A running sum that goes on from here.
    pub(crate) fn prefix(&self) -> Prefix {
        match self.spill {
            None => Prefix::new(self.value, self.exponent, self.kind, None),
            Some(_) => Prefix::new(0, 0, OTHERS, Some(Box::new(self.to_sum()))),
        }
    }

    /// The sum as a mergeable value.
    pub(crate) fn to_sum(&self) -> ExactSum {
        let mut sum = self.spill.as_deref().cloned().unwrap_or_default();
        if self.kind != NOTHING {
            sum.add_zero(self.kind == NEGATIVE_ZEROS);
        }
        if self.value != 0 {
            sum.add_scaled(self.value, self.exponent);
        }
        sum
    }
}
