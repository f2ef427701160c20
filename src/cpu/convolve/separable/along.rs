//! The pass along the rows, in two ways with the same bits.
//!
//! Directly, a weight takes a vector that begins `step` elements after the one before: nearly every one of them lies across two
//! cache lines, and none is shared. So from a few weights on rows are turned: as many of them as a vector has elements become
//! columns of vectors, whose neighbours are what the weights take. That is the pass down again, aligned and shared, for a
//! transposition there and one back. Where there are fewer rows than that, pieces of them stand in for rows.
//!
//! With AVX-512 few mirrored weights are taken in a third way ([`few`](super::few)).

use super::super::lanes::*;
use super::super::number::Number;
use super::lanes::{Float, Transpose, Widen};
use super::sweep::{Spaced, Symmetry, Weights, sweep};
use crate::cpu::simd::Simd;

/// Columns that are turned at a time, if `step` allows: they stay in the first-level cache.
const CHUNK: usize = 128;
/// The most elements of a vector.
const LANES: usize = 16;

/// Work along the rows: `out[r][i] = Σ_t weights[t] · source[r][i + t · step]`.
pub(super) struct Along<'a, C> {
    pub source: *const C,
    pub source_row: usize,
    pub step: usize,
    pub weights: &'a Weights<C>,
    pub out: *mut C,
    pub out_row: usize,
    /// Rows: one, or a multiple of eight.
    pub height: usize,
    /// Results per row.
    pub n: usize,
    /// Adds to what is there.
    pub add: bool,
    /// Writes the results past the caches: for [`few`](super::few) only.
    pub stream: bool,
    /// Memory for [`room`] elements, aligned to 64 bytes.
    pub room: *mut C,
}

/// Elements that may be read behind the last row, and written behind each row that is not a whole number of cache lines.
pub(super) const BEHIND: usize = 64;

/// Makes the rows of results.
///
/// # Safety
/// The instruction set must be present. The source rows hold `n + (weights - 1) · step` elements, with [`BEHIND`] readable ones
/// behind the last; there must be room for `height` rows of whole cache lines of results, aligned, that overlap nothing read;
/// for [`few`](super::few) room for the results alone is enough, at any address of elements.
pub(super) type AlongFn<C> = unsafe fn(&Along<'_, C>);

/// The columns that are turned at a time, and the elements that they take.
fn chunk(step: usize) -> usize {
    let unit = LANES * step;
    unit * (CHUNK / unit).max(1)
}

/// The elements of scratch that the pass needs.
pub(super) fn room(step: usize, taps: usize) -> usize {
    (2 * chunk(step) + (taps - 1) * step + LANES) * LANES
}

/// One block of the direct way: `R` rows from row `first` on, `X` vectors from element `i` on.
// Plain index loops of constant length are what the compiler unrolls into registers.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn direct_block<V: Vector, const R: usize, const X: usize>(a: &Along<'_, V::Elem>, first: usize, i: usize)
where
    V::Elem: Float,
{
    let taps = a.weights.values.len();
    // SAFETY: elements i..i + X vectors + (taps - 1) · step of R rows exist by the caller's promise.
    unsafe {
        let weights = a.weights.values.as_ptr();
        let (source, out) = (a.source.add(first * a.source_row + i), a.out.add(first * a.out_row + i));
        let mut acc = [[V::splat(<V::Elem as Number>::ZERO); X]; R];
        if a.add {
            for r in 0..R {
                for x in 0..X {
                    acc[r][x] = V::load(out.add(r * a.out_row + x * V::LANES).cast_const());
                }
            }
        }
        // A macro and not a closure: a closure might stay a call, without the instruction set.
        macro_rules! pixels {
            ($t:expr, $r:ident, $x:ident) => {
                V::load(source.add($r * a.source_row + $x * V::LANES + $t * a.step))
            };
        }
        macro_rules! folded {
            ($both:ident) => {
                for t in 0..taps / 2 {
                    let w = V::splat(*weights.add(t));
                    for r in 0..R {
                        for x in 0..X {
                            let both = pixels!(t, r, x).$both(pixels!(taps - 1 - t, r, x));
                            acc[r][x] = both.mul_add(w, acc[r][x]);
                        }
                    }
                }
            };
        }
        let single = match a.weights.symmetry {
            Symmetry::None => 0..taps,
            Symmetry::Even => {
                folded!(plus);
                taps / 2..taps.div_ceil(2)
            }
            Symmetry::Odd => {
                folded!(minus);
                taps / 2..taps.div_ceil(2)
            }
        };
        for t in single {
            let w = V::splat(*weights.add(t));
            for r in 0..R {
                for x in 0..X {
                    acc[r][x] = pixels!(t, r, x).mul_add(w, acc[r][x]);
                }
            }
        }
        for r in 0..R {
            for x in 0..X {
                acc[r][x].store(out.add(r * a.out_row + x * V::LANES));
            }
        }
    }
}

/// `R` rows the direct way.
#[inline(always)]
unsafe fn direct<V: Vector, const R: usize, const X: usize>(a: &Along<'_, V::Elem>, first: usize)
where
    V::Elem: Float,
{
    let mut i = 0;
    // SAFETY: the blocks lie in 0..n.
    unsafe {
        while a.n - i >= X * V::LANES {
            direct_block::<V, R, X>(a, first, i);
            i += X * V::LANES;
        }
        while a.n - i >= V::LANES {
            direct_block::<V, R, 1>(a, first, i);
            i += V::LANES;
        }
        if i < a.n && a.n >= V::LANES && !a.add {
            // Shifted back: what is done is done again, which must not add twice.
            return direct_block::<V, R, 1>(a, first, a.n - V::LANES);
        }
        for row in first..first + R {
            for i in i..a.n {
                direct_block::<Lanes<V::Elem, 1>, 1, 1>(a, row, i);
            }
        }
    }
}

/// The results of each piece if `pieces` of a row stand in for rows, where that is worth it.
fn piece<C>(a: &Along<'_, C>, lanes: usize, pieces: usize) -> Option<usize> {
    let length = a.n.div_ceil(pieces).next_multiple_of(lanes);
    let beside = (a.weights.values.len() - 1) * a.step;
    // The last piece is shifted back, so that results of the one before are made again, which must not add twice.
    let fits = pieces == 1 || length <= a.n && !(a.add && length * pieces != a.n);
    (fits && beside <= 4 * length).then_some(length)
}

/// The other way, for `rows` rows from row `first` on: `R` results of each at a time. Results take the places of columns that
/// none of the later ones reads.
#[inline(always)]
unsafe fn turned<C: Float, V: Widen<C, Elem = C> + Transpose, const R: usize>(
    a: &Along<'_, C>,
    first: usize,
    rows: usize,
    length: usize,
) {
    let beside = (a.weights.values.len() - 1) * a.step;
    let (chunk, apart) = (chunk(a.step), a.step * V::LANES);
    // SAFETY: pieces lie in their rows; what is read and written behind them is there by the caller's promise. The room is for a
    // chunk, what lies beside it and a vector's elements more, and a chunk of earlier results.
    unsafe {
        let columns = a.room;
        let before = columns.add((chunk + beside + LANES) * V::LANES);
        let (mut from, mut to) = ([a.source; LANES], [a.out; LANES]);
        for lane in 0..V::LANES {
            let (row, start) = (first + lane % rows, (lane / rows * length).min(a.n.max(length) - length));
            from[lane] = a.source.add(row * a.source_row + start);
            to[lane] = a.out.add(row * a.out_row + start);
        }
        let mut done = 0;
        while done < length {
            let count = chunk.min(length - done);
            let mut have = 0;
            if done > 0 {
                std::ptr::copy(columns.add(chunk * V::LANES).cast_const(), columns, beside * V::LANES);
                have = beside;
            }
            while have < count + beside {
                turn_in::<V>(&from, done + have, columns.add(have * V::LANES));
                have += V::LANES;
            }
            if a.add {
                let results = to.map(|row| row.cast_const());
                for i in (0..count).step_by(V::LANES) {
                    turn_in::<V>(&results, done + i, before.add(i * V::LANES));
                }
            }
            for block in (0..count).step_by(R * a.step) {
                for phase in block..block + a.step {
                    let place = columns.add(phase * V::LANES);
                    let mut acc = [[V::splat(C::ZERO)]; R];
                    if a.add {
                        for (r, acc) in acc.iter_mut().enumerate() {
                            acc[0] = V::load(before.add(phase * V::LANES + r * apart).cast_const());
                        }
                    }
                    let source = Spaced { first: place.cast_const(), apart };
                    let acc = sweep::<C, V, R, 1>(source, a.weights, acc);
                    for (r, acc) in acc.iter().enumerate() {
                        acc[0].store(place.add(r * apart));
                    }
                }
            }
            for i in (0..count).step_by(V::LANES) {
                turn_out::<V>(columns.add(i * V::LANES).cast_const(), &to, done + i);
            }
            done += count;
        }
    }
}

/// Turns a vector's elements of as many rows, from element `at` on.
///
/// # Safety
/// They must be there, and room for them.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn turn_in<V: Transpose>(rows: &[*const V::Elem; LANES], at: usize, columns: *mut V::Elem) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut square = [V::splat(<V::Elem as Number>::ZERO); LANES];
        for i in 0..V::LANES {
            square[i] = V::load(rows[i].add(at));
        }
        V::transpose(&mut square);
        for i in 0..V::LANES {
            square[i].store(columns.add(i * V::LANES));
        }
    }
}

/// Turns as many columns back.
///
/// # Safety
/// As [`turn_in`].
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn turn_out<V: Transpose>(columns: *const V::Elem, rows: &[*mut V::Elem; LANES], at: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut square = [V::splat(<V::Elem as Number>::ZERO); LANES];
        for i in 0..V::LANES {
            square[i] = V::load(columns.add(i * V::LANES));
        }
        V::transpose(&mut square);
        for i in 0..V::LANES {
            square[i].store(rows[i].add(at));
        }
    }
}

/// All rows: turned from `FROM` weights on, `R` results at a time, or directly, `H` rows and `X` vectors at a time.
#[inline(always)]
unsafe fn along<C, V, const R: usize, const FROM: usize, const H: usize, const X: usize>(a: &Along<'_, C>)
where
    C: Float,
    V: Widen<C, Elem = C> + Transpose,
{
    const { assert!(R <= LANES && V::LANES <= LANES) };
    let mut first = 0;
    // SAFETY: the caller's promise.
    unsafe {
        while first < a.height {
            // As many rows as a vector has elements, or half as many, or one.
            let count = (a.height - first).min(V::LANES.max(8));
            let rows = count.min(V::LANES);
            match piece(a, V::LANES, V::LANES / rows) {
                Some(length) if a.weights.values.len() >= FROM => {
                    for first in (first..first + count).step_by(rows) {
                        turned::<C, V, R>(a, first, rows, length);
                    }
                }
                _ => {
                    for first in (first..first + count).step_by(H) {
                        direct::<V, H, X>(a, first);
                    }
                }
            }
            first += count;
        }
    }
}

/// A type computed in, with the pass along for every instruction set.
pub(super) trait Lined: Sized {
    /// The pass over one row and over multiples of eight, of one instruction set, which must be present when they are used.
    fn along(simd: Simd) -> [AlongFn<Self>; 2];
}

macro_rules! along {
    ($vector:ty, $results:literal, $from:literal, $wide:literal, $elem:ty $(, $features:literal)?) => {{
        $(#[target_feature(enable = $features)])?
        unsafe fn one(a: &Along<'_, $elem>) {
            // SAFETY: the caller's promise.
            unsafe { along::<$elem, $vector, $results, $from, 1, { 4 * $wide }>(a) }
        }
        $(#[target_feature(enable = $features)])?
        unsafe fn tall(a: &Along<'_, $elem>) {
            // SAFETY: the caller's promise.
            unsafe { along::<$elem, $vector, $results, $from, 4, $wide>(a) }
        }
        [one, tall]
    }};
}

macro_rules! lined {
    ($($elem:ty: $avx512:ty, $avx2:ty, $portable:ty;)*) => {$(
        impl Lined for $elem {
            fn along(simd: Simd) -> [AlongFn<Self>; 2] {
                match simd {
                    #[cfg(target_arch = "x86_64")]
                    Simd::Avx512 => along!($avx512, 8, 7, 2, $elem, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"),
                    #[cfg(target_arch = "x86_64")]
                    Simd::Avx2 => along!($avx2, 4, 18, 2, $elem, "avx2,fma"),
                    #[cfg(target_arch = "aarch64")]
                    Simd::Neon => along!($portable, 8, 9, 2, $elem),
                    Simd::Portable => along!($portable, 4, 9, 1, $elem),
                }
            }
        }
    )*};
}
lined! {
    f32: F32x16, F32x8, Lanes<f32, 4>;
    f64: F64x8, F64x4, Lanes<f64, 2>;
}
