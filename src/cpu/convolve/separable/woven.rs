//! Both passes at once, for few mirrored weights over rows of the type computed in, with AVX2 and AVX-512.
//!
//! The sums of the pass down stay in registers: of a few rows of results, those of three vectors next to each other, from which the
//! weights along take theirs by shifts. So nothing lies between the passes: reading and storing go on all the time side by side, each row from its beginning to its end, and memory is what takes the time. Order and bits are those of the two
//! passes. With more weights the registers do not hold what is needed, and arithmetic takes as long as memory.

#[cfg(target_arch = "x86_64")]
use super::super::lanes::*;
use super::super::number::Number;
use super::super::store::Leave;
use super::few::{Shift, shifted};
use super::lanes::Float;
use super::sweep::Weights;
use crate::cpu::simd::{Simd, prefetch};

/// The most rows of results that are made together, where they lie alike in their cache lines.
const TOGETHER: usize = 4;
/// The most weights down and along.
const MOST_TAPS: usize = 9;

/// Both passes over whole vectors of columns.
pub(super) struct Woven<'a, S, C> {
    /// Row by row, the element below the centre of the weights along for result 0: `height + weights - 1` rows, and [`BEHIND`] of those
    /// that will be read next.
    pub rows: &'a [*const S],
    /// As many weights down as along.
    pub down: &'a Weights<C>,
    pub along: &'a Weights<C>,
    /// The first result, and elements from one row of results to the next.
    pub out: *mut C,
    pub out_row: usize,
    /// Rows of results: a multiple of eight.
    pub height: usize,
    /// Results per row, whole vectors of them. Past the caches, each row's begin at the first edge of a cache line from `out` on.
    pub n: usize,
}

/// Pointers to rows behind those that are read.
pub(super) const BEHIND: usize = TOGETHER;
/// Elements ahead of those at work whose lines are asked for, where results go through the caches.
const AHEAD: usize = 256;

/// Elements at most from `out` to the edge of a cache line in any row, where that of the first is one. Through the caches, edges do
/// not matter.
pub(super) fn beside<C>(out_row: usize, leave: Leave) -> usize {
    let alike = leave != Leave::Past || (out_row * size_of::<C>()).is_multiple_of(64);
    if alike { 0 } else { 64 / size_of::<C>() - 1 }
}

/// Makes the rows of results.
///
/// # Safety
/// The instruction set must be present, and rows be readable from a cache line and [`beside`] before the first element to as many
/// behind the last of `n`. There must be room for `n` results from the edge of a cache line on in each row, that overlap nothing read.
pub(super) type WovenFn<S, C> = unsafe fn(&Woven<'_, S, C>);

/// The weights along over the vector in the middle.
#[inline(always)]
unsafe fn across<V: Shift, const TAPS: usize>([left, here, right]: [V; 3], weights: &[V; MOST_TAPS / 2 + 1]) -> V {
    // SAFETY: the caller's promise: the instruction set is present.
    unsafe {
        let mut acc = V::splat(<V::Elem as Number>::ZERO);
        macro_rules! pairs {
            ($($t:literal)*) => {
                $(if $t < TAPS / 2 {
                    // Constants, whatever is inlined.
                    let (before, behind) = const { ((V::LANES + $t).saturating_sub(TAPS / 2), (TAPS / 2).saturating_sub($t)) };
                    let both = shifted(left, here, before).plus(shifted(here, right, behind));
                    acc = both.mul_add(weights[$t], acc);
                })*
            };
        }
        pairs!(0 1 2 3);
        here.mul_add(weights[TAPS / 2], acc)
    }
}

/// `R` rows of results from row `first` on, all of which have `before` elements up to the edge of a cache line.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn rows<V: Shift, const TAPS: usize, const R: usize, const PAST: bool>(
    a: &Woven<'_, V::Elem, V::Elem>,
    first: usize,
    before: usize,
) where
    V::Elem: Float,
{
    const { assert!(R <= TOGETHER && TAPS % 2 == 1 && TAPS <= MOST_TAPS && TAPS / 2 < V::LANES) };
    // SAFETY: rows first.. of height + TAPS - 1 + BEHIND are there; a vector before and behind the n elements is readable, and results
    // start at the edge of a line.
    unsafe {
        let zero = V::splat(<V::Elem as Number>::ZERO);
        let (mut down, mut along) = ([zero; MOST_TAPS / 2 + 1], [zero; MOST_TAPS / 2 + 1]);
        for t in 0..=TAPS / 2 {
            (down[t], along[t]) = (V::splat(a.down.values[t]), V::splat(a.along.values[t]));
        }
        // A copy: pointers behind another one would be read again after each store.
        let mut source = [std::ptr::null(); 2 * TOGETHER + MOST_TAPS - 1];
        source[..2 * R + TAPS - 1].copy_from_slice(&a.rows[first..first + 2 * R + TAPS - 1]);
        // Macros and not closures: a closure might stay a call, without the instruction set.
        macro_rules! pixels {
            ($row:expr, $i:expr) => {
                V::load(source[$row].wrapping_add(before).wrapping_offset($i))
            };
        }
        macro_rules! pairs {
            ($both:ident; $($t:literal)*) => {
                $(if $t < TAPS / 2 {
                    $both!($t);
                })*
            };
        }
        macro_rules! sums {
            ($i:expr) => {{
                let mut acc = [zero; R];
                macro_rules! both {
                    ($t:expr) => {
                        for r in 0..R {
                            let both = pixels!(r + $t, $i).plus(pixels!(r + TAPS - 1 - $t, $i));
                            acc[r] = both.mul_add(down[$t], acc[r]);
                        }
                    };
                }
                pairs!(both; 0 1 2 3);
                for r in 0..R {
                    acc[r] = pixels!(r + TAPS / 2, $i).mul_add(down[TAPS / 2], acc[r]);
                }
                acc
            }};
        }
        let out = a.out.add(first * a.out_row + before);
        let lanes = V::LANES as isize;
        let (mut left, mut here) = (sums!(-lanes), sums!(0));
        let mut i = 0;
        while i < a.n {
            // Once per line.
            let begins = i * size_of::<V::Elem>() % 64 < size_of::<V>();
            for r in 0..if begins { R } else { 0 } {
                prefetch(source[R + TAPS - 1 + r].wrapping_add(i));
            }
            let right = sums!(i as isize + lanes);
            // One by one: in a loop, all vectors would lie in memory.
            macro_rules! each {
                ($($r:literal)*) => {
                    $(if $r < R {
                        let (results, place) = (across::<V, TAPS>([left[$r], here[$r], right[$r]], &along), out.add($r * a.out_row + i));
                        if PAST {
                            results.stream(place);
                        } else {
                            if begins {
                                prefetch(place.wrapping_add(AHEAD));
                            }
                            results.store(place);
                        }
                    })*
                };
            }
            each!(0 1 2 3);
            (left, here) = (here, right);
            i += V::LANES;
        }
    }
}

/// All rows, `R` together where they may.
#[inline(always)]
unsafe fn woven<V: Shift, const TAPS: usize, const R: usize, const PAST: bool>(a: &Woven<'_, V::Elem, V::Elem>)
where
    V::Elem: Float,
{
    // SAFETY: the caller's promise.
    unsafe {
        let before = |row: usize| if PAST { a.out.add(row * a.out_row).align_offset(64) } else { 0 };
        if beside::<V::Elem>(a.out_row, if PAST { Leave::Past } else { Leave::Through }) == 0 {
            for first in (0..a.height).step_by(R) {
                rows::<V, TAPS, R, PAST>(a, first, before(first));
            }
        } else {
            for first in 0..a.height {
                rows::<V, TAPS, 1, PAST>(a, first, before(first));
            }
        }
    }
}

/// A type that is read and one that is computed in, with both passes at once where that pays.
pub(super) trait Weave<C>: Sized {
    /// The kernel for these weights and this way of large results, if there is one; of the instruction set, which must be present when it is used.
    fn woven(_: Simd, _down: &Weights<C>, _along: &Weights<C>, _: Leave) -> Option<WovenFn<Self, C>> {
        None
    }
}
impl Weave<f32> for u8 {}
impl Weave<f32> for u16 {}

#[cfg(not(target_arch = "x86_64"))]
impl Weave<f32> for f32 {}
#[cfg(not(target_arch = "x86_64"))]
impl Weave<f64> for f64 {}

/// Weights that [`woven`] takes: as many down as along, the same from both ends.
#[cfg(target_arch = "x86_64")]
fn taps<C>(down: &Weights<C>, along: &Weights<C>) -> Option<usize> {
    use super::sweep::Symmetry;
    let even = down.symmetry == Symmetry::Even && along.symmetry == Symmetry::Even;
    (even && down.values.len() == along.values.len()).then_some(along.values.len())
}

/// The kernel of one vector type, compiled for `$features`, `$rows` rows together.
#[cfg(target_arch = "x86_64")]
macro_rules! kernel {
    ($elem:ty, $vector:ty, $rows:literal, $features:literal, $taps:expr, $leave:expr; $($count:literal)*) => {{
        #[target_feature(enable = $features)]
        unsafe fn compiled<const TAPS: usize, const PAST: bool>(a: &Woven<'_, $elem, $elem>) {
            // SAFETY: the caller's promise.
            unsafe { woven::<$vector, TAPS, $rows, PAST>(a) }
        }
        match ($taps, $leave) {
            $(
                ($count, Leave::Past) => Some(compiled::<$count, true>),
                ($count, Leave::Through) => Some(compiled::<$count, false>),
            )*
            _ => None,
        }
    }};
}

#[cfg(target_arch = "x86_64")]
macro_rules! weave {
    ($($elem:ty: $avx512:ty, $avx2:ty; $($count:literal)*;)*) => {$(
        impl Weave<$elem> for $elem {
            fn woven(simd: Simd, down: &Weights<$elem>, along: &Weights<$elem>, leave: Leave) -> Option<WovenFn<$elem, $elem>> {
                let taps = taps(down, along)?;
                match simd {
                    Simd::Avx512 => {
                        kernel!($elem, $avx512, 4, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma", taps, leave; 3 5 7 9)
                    }
                    // Half the registers.
                    Simd::Avx2 => kernel!($elem, $avx2, 2, "avx2,fma", taps, leave; $($count)*),
                    _ => None,
                }
            }
        }
    )*};
}
#[cfg(target_arch = "x86_64")]
weave! {
    f32: F32x16, F32x8; 3 5 7 9;
    // A vector has as many elements as 9 weights have on either side.
    f64: F64x8, F64x4; 3 5 7;
}
