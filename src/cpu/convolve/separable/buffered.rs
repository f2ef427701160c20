//! Both passes over a piece of a few rows at a time, with AVX2; the sums of the pass down lie in a buffer that the first-level
//! cache holds.
//!
//! Of few mirrored weights down, registers hold all rows that a few rows of results take, so that each element is converted once
//! for all of them. In the pass along every weight loads its vector, which crosses a cache line every other time; the shifts
//! of [`woven`](super::woven) take two and more instructions for vectors of eight, and what they are made of has to be waited for. Results
//! are rounded and stored once, and nothing else is written. Order and bits are those of the two passes.

use std::mem::MaybeUninit;

use super::super::lanes::*;
use super::super::number::Number;
use super::super::store::Leave;
use super::few::Shift;
use super::lanes::{Float, Narrow, Widen};
use super::sweep::{Listed, Symmetry, Weights, sweep};
use super::woven::{self, Wanted, Woven, WovenFn};
use crate::cpu::simd::prefetch;
use crate::dtype::Element;

/// Rows of results that are made together.
const ROWS: usize = 4;
/// Vectors of results that are made together along a row.
const TOGETHER: usize = 4;
/// Bytes of sums of a row from one pass to the next, of what lies beside them, and from one row to the next: not a power of two, at
/// which all rows would take the same places of the cache.
const PIECE: usize = 4096;
const BESIDE: usize = 2 * MOST_REACH + 64;
const PITCH: usize = PIECE + BESIDE + 64;
/// Bytes that the weights along reach to either side at most.
const MOST_REACH: usize = 320;
/// The most weights down of which all rows are held.
const FEW_TAPS: usize = 9;
/// Bytes ahead of the results at work whose lines are asked for, where they go through the caches.
const AHEAD: usize = 256;

#[repr(align(64))]
struct Buffer([MaybeUninit<u8>; ROWS * PITCH]);

/// A vector that reads `S`, computes, and is stored as `O`.
trait Between<S, O>: Shift + Widen<S> + Narrow<O> {}
impl<V: Shift + Widen<S> + Narrow<O>, S, O> Between<S, O> for V {}

/// Sums down: of [`ROWS`] rows, `vectors` vectors from element `from` of the source's rows on. `TAPS` mirrored weights, or any if
/// that is 0.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn down<S, V: Widen<S>, const TAPS: usize>(
    rows: &[*const S],
    ahead: &[*const S],
    weights: &Weights<V::Elem>,
    from: isize,
    vectors: usize,
    out: *mut V::Elem,
) where
    V::Elem: Float,
{
    const { assert!(TAPS <= FEW_TAPS) };
    let pitch = PITCH / size_of::<V::Elem>();
    // SAFETY: the caller promises the elements, the room and the instruction set.
    unsafe {
        let zero = V::splat(<V::Elem as Number>::ZERO);
        let mut splat = [zero; FEW_TAPS / 2 + 1];
        let mut few = [std::ptr::null(); ROWS + FEW_TAPS - 1];
        if TAPS > 0 {
            for t in 0..=TAPS / 2 {
                splat[t] = V::splat(weights.values[t]);
            }
            // A copy: pointers behind another one would be read again after each store.
            few[..ROWS + TAPS - 1].copy_from_slice(&rows[..ROWS + TAPS - 1]);
        }
        for k in 0..vectors {
            let (i, out) = (from + (k * V::LANES) as isize, out.add(k * V::LANES));
            // Once per line.
            if k * V::LANES * size_of::<S>() % 64 < V::LANES * size_of::<S>() {
                for row in ahead {
                    prefetch(row.wrapping_offset(i));
                }
            }
            if TAPS == 0 {
                let rows = Listed { rows: rows.as_ptr(), from: i };
                let acc = sweep::<S, V, ROWS, 1>(rows, weights, [[zero]; ROWS]);
                for r in 0..ROWS {
                    acc[r][0].store(out.add(r * pitch));
                }
                continue;
            }
            let mut held = [zero; ROWS + FEW_TAPS - 1];
            for j in 0..ROWS + TAPS - 1 {
                held[j] = V::widen(few[j].wrapping_offset(i));
            }
            for r in 0..ROWS {
                let mut acc = zero;
                for t in 0..TAPS / 2 {
                    acc = held[r + t].plus(held[r + TAPS.saturating_sub(1 + t)]).mul_add(splat[t], acc);
                }
                acc = held[r + TAPS / 2].mul_add(splat[TAPS / 2], acc);
                acc.store(out.add(r * pitch));
            }
        }
    }
}

/// `X` vectors of results of the weights along, the first of which takes `sums`.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn along<O, V: Shift + Narrow<O>, const X: usize, const PAST: bool>(
    sums: *const V::Elem,
    weights: &[V::Elem],
    symmetry: Symmetry,
    step: usize,
    out: *mut O,
) where
    V::Elem: Float,
{
    // SAFETY: the caller promises the elements, the room, aligned where they go past the caches, and the instruction set.
    unsafe {
        let taps = weights.len();
        let weights = weights.as_ptr();
        let mut acc = [V::splat(<V::Elem as Number>::ZERO); X];
        let (mut before, mut behind) = (sums, sums.add((taps - 1) * step));
        // Macros and not closures: a closure might stay a call, without the instruction set.
        macro_rules! pairs {
            ($both:ident) => {
                for t in 0..taps / 2 {
                    let w = V::splat(*weights.add(t));
                    for x in 0..X {
                        let both = V::load(before.add(x * V::LANES)).$both(V::load(behind.add(x * V::LANES)));
                        acc[x] = both.mul_add(w, acc[x]);
                    }
                    (before, behind) = (before.add(step), behind.wrapping_sub(step));
                }
            };
        }
        let single = match symmetry {
            Symmetry::None => 0..taps,
            Symmetry::Even => {
                pairs!(plus);
                taps / 2..taps.div_ceil(2)
            }
            Symmetry::Odd => {
                pairs!(minus);
                taps / 2..taps.div_ceil(2)
            }
        };
        for t in single {
            let w = V::splat(*weights.add(t));
            for x in 0..X {
                acc[x] = V::load(before.add(x * V::LANES)).mul_add(w, acc[x]);
            }
            before = before.add(step);
        }
        if PAST {
            for x in 0..X {
                acc[x].stream(out.cast::<V::Elem>().add(x * V::LANES));
            }
        } else {
            V::narrow_all(acc, out);
        }
    }
}

/// All rows; `TAPS` mirrored weights down and along, or any if that is 0.
#[inline(always)]
unsafe fn buffered<S, O, V: Between<S, O>, const TAPS: usize, const PAST: bool>(a: &Woven<'_, S, V::Elem>)
where
    V::Elem: Float,
{
    const { assert!(!PAST || size_of::<O>() == size_of::<V::Elem>()) };
    let size = size_of::<V::Elem>();
    let (pitch, most) = (PITCH / size, PIECE / size);
    // Constants, where they are known.
    let (taps_down, taps) = if TAPS > 0 { (TAPS, TAPS) } else { (a.down.values.len(), a.along.values.len()) };
    let (along_values, symmetry) = (&a.along.values[..taps], if TAPS > 0 { Symmetry::Even } else { a.along.symmetry });
    // Sums beside the results, in whole vectors; behind those also what results take that begin at the edge of a line. All of it is
    // readable.
    let reach = (taps / 2 * a.step).next_multiple_of(V::LANES);
    let beside = 2 * reach + if PAST { woven::beside::<V::Elem>(a.out_row, Leave::Past) } else { 0 };
    assert!(beside * size <= BESIDE, "weights that reach too far for the buffer");
    let mut buffer = Buffer([MaybeUninit::uninit(); ROWS * PITCH]);
    let sums = buffer.0.as_mut_ptr().cast::<V::Elem>();
    // SAFETY: rows first.. of height + weights - 1 + BEHIND are there; what the weights reach before and behind the n elements is readable,
    // and there is room for the results. A row of the buffer holds the sums of a piece and those beside it.
    unsafe {
        for first in (0..a.height).step_by(ROWS) {
            let (rows, ahead) = a.rows[first..first + 2 * ROWS + taps_down - 1].split_at(ROWS + taps_down - 1);
            let mut done = 0;
            while done < a.n {
                let count = most.min(a.n - done);
                // The last sums of the piece before are the first of this one.
                let have = if done > 0 { beside } else { 0 };
                for r in 0..if done > 0 { ROWS } else { 0 } {
                    std::ptr::copy(sums.add(r * pitch + most).cast_const(), sums.add(r * pitch), have);
                }
                let from = (done + have) as isize - reach as isize;
                down::<S, V, TAPS>(rows, ahead, a.down, from, (count + beside - have) / V::LANES, sums.add(have));
                for r in 0..ROWS {
                    let out = a.out.cast::<O>().add((first + r) * a.out_row);
                    let start = if PAST { out.align_offset(64) } else { 0 };
                    let out = out.add(start + done);
                    let sums = sums.add(r * pitch + reach - taps / 2 * a.step + start).cast_const();
                    let mut i = 0;
                    while i + TOGETHER * V::LANES <= count {
                        if !PAST {
                            prefetch(out.wrapping_add(i + AHEAD / size_of::<O>()));
                        }
                        along::<O, V, TOGETHER, PAST>(sums.add(i), along_values, symmetry, a.step, out.add(i));
                        i += TOGETHER * V::LANES;
                    }
                    while i < count {
                        along::<O, V, 1, PAST>(sums.add(i), along_values, symmetry, a.step, out.add(i));
                        i += V::LANES;
                    }
                }
                done += count;
            }
        }
    }
}

/// Whether the weights are few enough: of more, the other way of the pass along ([`along`](super::along)) is the faster one.
fn fits<C>(wanted: &Wanted<'_, C>) -> bool {
    let (down, along) = (wanted.down.values.len(), wanted.along.values.len());
    let most = if size_of::<C>() == 4 { 41 } else { 25 };
    down <= most && along <= most && woven::reach::<C>(along, wanted.step) * size_of::<C>() <= MOST_REACH
}

/// Types that are read and computed in, with both passes in this way where that pays.
pub(super) trait Buffered<C>: Sized {
    /// The kernel, if there is one; with AVX2, which must be present when it is used.
    fn buffered(wanted: &Wanted<'_, C>) -> Option<WovenFn<Self, C>>;
}

macro_rules! kernels {
    ($($source:ty, $elem:ty, $vector:ty, $past:literal;)*) => {$(
        impl Buffered<$elem> for $source {
            fn buffered(wanted: &Wanted<'_, $elem>) -> Option<WovenFn<Self, $elem>> {
                #[target_feature(enable = "avx2,fma")]
                unsafe fn compiled<const TAPS: usize, const PAST: bool>(a: &Woven<'_, $source, $elem>) {
                    // SAFETY: the caller's promise.
                    unsafe { buffered::<$source, $source, $vector, TAPS, PAST>(a) }
                }
                if wanted.out != <$source as Element>::DTYPE || !fits(wanted) {
                    return None;
                }
                match (wanted.taps(), wanted.leave) {
                    (_, Leave::Past) => (const { $past }).then_some(compiled::<0, $past>),
                    (Some(3), _) => Some(compiled::<3, false>),
                    (Some(5), _) => Some(compiled::<5, false>),
                    (Some(7), _) => Some(compiled::<7, false>),
                    (Some(9), _) => Some(compiled::<9, false>),
                    _ => Some(compiled::<0, false>),
                }
            }
        }
    )*};
}
kernels! {
    u8, f32, F32x8, false;
    u16, f32, F32x8, false;
    f32, f32, F32x8, true;
    f64, f64, F64x4, true;
}
