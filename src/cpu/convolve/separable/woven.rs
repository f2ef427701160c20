//! Both passes at once, for few mirrored weights; results of the type that is read. With AVX-512, and with AVX2 for floats whose
//! neighbours are next to each other; else with AVX2 [`buffered`](super::buffered) takes less.
//!
//! The sums of the pass down stay in registers: of a few rows of results, those of three to five vectors next to each other, from which the
//! weights along take theirs by shifts. So nothing lies between the passes: reading and storing go on all the time side by side,
//! each row from its beginning to its end, and memory is what takes the time. Order and bits are those of the two passes. With
//! more weights the registers do not hold what is needed, and arithmetic takes as long as memory.

#[cfg(target_arch = "x86_64")]
use super::super::lanes::*;
use super::super::number::Number;
use super::super::store::Leave;
#[cfg(target_arch = "x86_64")]
use super::buffered::Buffered;
use super::few::{Shift, shifted};
use super::lanes::{Float, Narrow, Widen};
use super::sweep::Weights;
use crate::Dtype;
use crate::cpu::simd::{Simd, prefetch};
#[cfg(target_arch = "x86_64")]
use crate::dtype::Element;

/// The most rows of results that are made together, where they lie alike in their cache lines.
const TOGETHER: usize = 4;
/// The most weights down and along, and vectors that they reach.
const MOST_TAPS: usize = 9;
const MOST_WINDOW: usize = 5;

/// Both passes over whole vectors of elements.
pub(super) struct Woven<'a, S, C> {
    /// Row by row, the element below the centre of the weights along for result 0: `height + weights - 1` rows, and [`BEHIND`] of
    /// those that will be read next.
    pub rows: &'a [*const S],
    /// As many weights down as along.
    pub down: &'a Weights<C>,
    pub along: &'a Weights<C>,
    /// The first result, and elements from one row of results to the next.
    pub out: *mut u8,
    pub out_row: usize,
    /// Elements from one weight along to the next.
    pub step: usize,
    /// Rows of results: a multiple of eight.
    pub height: usize,
    /// Results per row, whole vectors of them. Past the caches, each row's begin at the first edge of a cache line from `out` on.
    pub n: usize,
}

/// Pointers to rows behind those that are read.
pub(super) const BEHIND: usize = TOGETHER;
/// Bytes ahead of the results at work whose lines are asked for, where they go through the caches.
const AHEAD: usize = 256;

/// Elements that hold the way from `out` to the edge of a cache line in any row, where that of the first is one. Through the caches,
/// edges do not matter.
pub(super) fn beside<C>(out_row: usize, leave: Leave) -> usize {
    let alike = leave != Leave::Past || (out_row * size_of::<C>()).is_multiple_of(64);
    if alike { 0 } else { 64 / size_of::<C>() }
}

/// Elements before and behind a row's `n` that are read for so many weights along: whole cache lines of the type computed in.
pub(super) const fn reach<C>(taps: usize, step: usize) -> usize {
    (taps / 2 * step).next_multiple_of(64 / size_of::<C>())
}

/// Makes the rows of results.
///
/// # Safety
/// The instruction set must be present, and rows be readable from [`reach`] and [`beside`] before the first element to as many
/// behind the last of `n`. There must be room for `n` results (past the caches: from the edge of a cache line on) in each row,
/// that overlap nothing read.
pub(super) type WovenFn<S, C> = unsafe fn(&Woven<'_, S, C>);

/// Vectors beside each other that weights over the one in the middle reach.
const fn window(lanes: usize, taps: usize, step: usize) -> usize {
    2 * (taps / 2 * step).div_ceil(lanes) + 1
}

/// The weights along, `STEP` elements apart, over the vector in the middle of a [`window`].
#[inline(always)]
unsafe fn across<V: Shift, const TAPS: usize, const STEP: usize>(
    window: &[V; MOST_WINDOW],
    weights: &[V; MOST_TAPS / 2 + 1],
) -> V {
    // SAFETY: the caller's promise: the instruction set is present.
    unsafe {
        let mut acc = V::splat(<V::Elem as Number>::ZERO);
        // Constants, whatever is inlined.
        macro_rules! pixels {
            ($place:expr) => {{
                let (first, by) = const { ($place / V::LANES, $place % V::LANES) };
                if by == 0 { window[first] } else { shifted(window[first], window[first + 1], by) }
            }};
        }
        macro_rules! place {
            () => {
                self::window(V::LANES, TAPS, STEP) / 2 * V::LANES
            };
        }
        macro_rules! pairs {
            ($($t:literal)*) => {
                $(if $t < TAPS / 2 {
                    let before = pixels!(place!() - (TAPS / 2).saturating_sub($t) * STEP);
                    let behind = pixels!(place!() + (TAPS / 2).saturating_sub($t) * STEP);
                    acc = before.plus(behind).mul_add(weights[$t], acc);
                })*
            };
        }
        pairs!(0 1 2 3);
        pixels!(place!()).mul_add(weights[TAPS / 2], acc)
    }
}

/// A vector that reads `S`, computes, and is stored as `O`.
trait Between<S, O>: Shift + Widen<S> + Narrow<O> {}
impl<V: Shift + Widen<S> + Narrow<O>, S, O> Between<S, O> for V {}

/// `R` rows of results from row `first` on, all of which have `before` elements up to the edge of a cache line.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn rows<S, O, V: Between<S, O>, const TAPS: usize, const STEP: usize, const R: usize, const PAST: bool>(
    a: &Woven<'_, S, V::Elem>,
    first: usize,
    before: usize,
) where
    V::Elem: Float,
{
    const { assert!(R <= TOGETHER && TAPS % 2 == 1 && TAPS <= MOST_TAPS && window(V::LANES, TAPS, STEP) <= MOST_WINDOW) };
    const { assert!(window(V::LANES, TAPS, STEP) / 2 * V::LANES <= reach::<V::Elem>(TAPS, STEP)) };
    const { assert!(!PAST || size_of::<O>() == size_of::<V::Elem>()) };
    // SAFETY: rows first.. of height + TAPS - 1 + BEHIND are there; what the window reaches before and behind the n elements is readable, and there
    // is room for the results, which past the caches start at the edge of a line.
    unsafe {
        let zero = V::splat(<V::Elem as Number>::ZERO);
        let narrow = const { size_of::<S>() < size_of::<V::Elem>() };
        let (mut down, mut along) = ([zero; MOST_TAPS / 2 + 1], [zero; MOST_TAPS / 2 + 1]);
        for t in 0..=TAPS / 2 {
            (down[t], along[t]) = (V::splat(a.down.values[t]), V::splat(a.along.values[t]));
        }
        // A copy: pointers behind another one would be read again after each store.
        let mut source = [std::ptr::null(); 2 * TOGETHER + MOST_TAPS - 1];
        source[..2 * R + TAPS - 1].copy_from_slice(&a.rows[first..first + 2 * R + TAPS - 1]);
        // Macros and not closures: a closure might stay a call, without the instruction set.
        macro_rules! pairs {
            ($both:ident; $($t:literal)*) => {
                $(if $t < TAPS / 2 {
                    $both!($t);
                })*
            };
        }
        macro_rules! sums {
            ($i:expr) => {{
                let mut held = [zero; TOGETHER + MOST_TAPS - 1];
                for j in 0..if narrow { R + TAPS - 1 } else { 0 } {
                    held[j] = V::widen(source[j].wrapping_add(before).wrapping_offset($i));
                }
                // What need not be converted is read where it is added: there are not registers for all of it.
                macro_rules! pixels {
                    ($row:expr) => {
                        if narrow { held[$row] } else { V::widen(source[$row].wrapping_add(before).wrapping_offset($i)) }
                    };
                }
                let mut acc = [zero; R];
                macro_rules! both {
                    ($t:expr) => {
                        for r in 0..R {
                            acc[r] = pixels!(r + $t).plus(pixels!(r + TAPS - 1 - $t)).mul_add(down[$t], acc[r]);
                        }
                    };
                }
                pairs!(both; 0 1 2 3);
                for r in 0..R {
                    acc[r] = pixels!(r + TAPS / 2).mul_add(down[TAPS / 2], acc[r]);
                }
                acc
            }};
        }
        let out = a.out.cast::<O>().add(first * a.out_row + before);
        let lanes = V::LANES as isize;
        let held = const { window(V::LANES, TAPS, STEP) };
        let reach = (held / 2) as isize * lanes;
        // Of each row the sums beside each other.
        let mut sums = [[zero; MOST_WINDOW]; R];
        macro_rules! take {
            ($k:expr, $i:expr) => {
                for (row, new) in sums.iter_mut().zip(sums!($i)) {
                    row[$k] = new;
                }
            };
        }
        // One by one, here and below: in a loop, all vectors would lie in memory.
        macro_rules! first {
            ($($k:literal)*) => {
                $(if $k + 1 < held {
                    take!($k, $k * lanes - reach);
                })*
            };
        }
        first!(0 1 2 3);
        let mut i = 0;
        while i < a.n {
            // Once per line.
            if i * size_of::<S>() % 64 < V::LANES * size_of::<S>() {
                for r in 0..R {
                    prefetch(source[R + TAPS - 1 + r].wrapping_add(i));
                }
            }
            if !PAST && i * size_of::<O>() % 64 < V::LANES * size_of::<O>() {
                for r in 0..R {
                    prefetch(out.wrapping_add(r * a.out_row + i + AHEAD / size_of::<O>()));
                }
            }
            take!(held - 1, i as isize + reach);
            macro_rules! each {
                ($($r:literal)*) => {
                    $(if $r < R {
                        let results = across::<V, TAPS, STEP>(&sums[$r], &along);
                        let place = out.add($r * a.out_row + i);
                        if PAST {
                            results.stream(place.cast());
                        } else {
                            results.narrow(place);
                        }
                    })*
                };
            }
            each!(0 1 2 3);
            macro_rules! next {
                ($($k:literal)*) => {
                    $(if $k + 1 < held {
                        for row in &mut sums {
                            row[$k] = row[$k + 1];
                        }
                    })*
                };
            }
            next!(0 1 2 3);
            i += V::LANES;
        }
    }
}

/// All rows, `R` together where they may.
#[inline(always)]
unsafe fn woven<S, O, V: Between<S, O>, const TAPS: usize, const STEP: usize, const R: usize, const PAST: bool>(
    a: &Woven<'_, S, V::Elem>,
) where
    V::Elem: Float,
{
    // SAFETY: the caller's promise.
    unsafe {
        let before = |row: usize| if PAST { a.out.cast::<O>().add(row * a.out_row).align_offset(64) } else { 0 };
        if beside::<V::Elem>(a.out_row, if PAST { Leave::Past } else { Leave::Through }) == 0 {
            for first in (0..a.height).step_by(R) {
                rows::<S, O, V, TAPS, STEP, R, PAST>(a, first, before(first));
            }
        } else {
            for first in 0..a.height {
                rows::<S, O, V, TAPS, STEP, 1, PAST>(a, first, before(first));
            }
        }
    }
}

/// What both passes at once are wanted for.
pub(super) struct Wanted<'a, C> {
    pub down: &'a Weights<C>,
    pub along: &'a Weights<C>,
    /// Elements from one weight along to the next.
    pub step: usize,
    /// What results are stored as, and their way.
    pub out: Dtype,
    pub leave: Leave,
}

impl<C> Wanted<'_, C> {
    /// Weights, if as many down as along, the same from both ends.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn taps(&self) -> Option<usize> {
        use super::sweep::Symmetry;
        let even = self.down.symmetry == Symmetry::Even && self.along.symmetry == Symmetry::Even;
        (even && self.down.values.len() == self.along.values.len()).then_some(self.along.values.len())
    }
}

/// A type that is read and one that is computed in, with both passes at once where that pays.
pub(super) trait Weave<C>: Sized {
    /// The kernel, if there is one; of the instruction set, which must be present when it is used.
    fn woven(simd: Simd, wanted: &Wanted<'_, C>) -> Option<WovenFn<Self, C>>;
}

#[cfg(not(target_arch = "x86_64"))]
macro_rules! none {
    ($($source:ty, $elem:ty;)*) => {$(
        impl Weave<$elem> for $source {
            fn woven(_: Simd, _: &Wanted<'_, $elem>) -> Option<WovenFn<Self, $elem>> {
                None
            }
        }
    )*};
}
#[cfg(not(target_arch = "x86_64"))]
none! { u8, f32; u16, f32; f32, f32; f64, f64; }

/// The kernel of one vector type, compiled for `$features`, `$rows` rows together; for numbers of weights and their steps.
#[cfg(target_arch = "x86_64")]
macro_rules! kernel {
    (
        $source:ty, $elem:ty, $vector:ty, $past:literal, $rows:literal, $features:literal, $wanted:expr;
        $($count:literal by $step:literal)*
    ) => {{
        #[target_feature(enable = $features)]
        unsafe fn compiled<const TAPS: usize, const STEP: usize, const PAST: bool>(a: &Woven<'_, $source, $elem>) {
            // SAFETY: the caller's promise.
            unsafe { woven::<$source, $source, $vector, TAPS, STEP, $rows, PAST>(a) }
        }
        match ($wanted.taps()?, $wanted.step, $wanted.leave) {
            $(
                ($count, $step, Leave::Through) => Some(compiled::<$count, $step, false>),
                ($count, $step, Leave::Past) if $past => Some(compiled::<$count, $step, $past>),
            )*
            _ => None,
        }
    }};
}

/// Sources whose results are of the same type; with AVX2, weights that are better [woven](self), before those that are
/// [buffered](super::buffered).
#[cfg(target_arch = "x86_64")]
macro_rules! weave {
    ($(
        $source:ty, $elem:ty, $past:literal:
        $avx512:ty; $($count:literal by $step:literal)*
        $(, $avx2:ty; $($count2:literal by $step2:literal)*)?;
    )*) => {$(
        impl Weave<$elem> for $source {
            fn woven(simd: Simd, wanted: &Wanted<'_, $elem>) -> Option<WovenFn<Self, $elem>> {
                if wanted.out != <$source as Element>::DTYPE {
                    return None;
                }
                match simd {
                    Simd::Avx512 => {
                        kernel!(
                            $source, $elem, $avx512, $past, 4, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma", wanted;
                            $($count by $step)*
                        )
                    }
                    Simd::Avx2 => {
                        // Half the registers.
                        $(
                            let few = || -> Option<WovenFn<Self, $elem>> { kernel!($source, $elem, $avx2, $past, 2, "avx2,fma", wanted; $($count2 by $step2)*) };
                            if let Some(woven) = few() {
                                return Some(woven);
                            }
                        )?
                        Self::buffered(wanted)
                    }
                    _ => None,
                }
            }
        }
    )*};
}
#[cfg(target_arch = "x86_64")]
weave! {
    u8, f32, false: F32x16; 3 by 1 5 by 1 7 by 1 9 by 1 3 by 3 5 by 3 7 by 3 9 by 3 3 by 4 5 by 4 7 by 4 9 by 4;
    u16, f32, false: F32x16; 3 by 1 5 by 1 7 by 1 9 by 1;
    f32, f32, true: F32x16; 3 by 1 5 by 1 7 by 1 9 by 1, F32x8; 3 by 1 5 by 1 7 by 1 9 by 1;
    f64, f64, true: F64x8; 3 by 1 5 by 1 7 by 1 9 by 1, F64x4; 3 by 1 5 by 1 7 by 1 9 by 1;
}
