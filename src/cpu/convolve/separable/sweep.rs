//! Weighted sums over rows of vectors: what both passes come down to.
//!
//! `R` results that lie one row apart are held in registers together, so that a row that is read serves all of them. Where the
//! weights are symmetric (or antisymmetric), rows at the same distance from the centre are added (subtracted) first and
//! multiplied once, from the outermost to the centre: half the multiplications, and additions that run beside them. The order
//! depends on the weights alone, so the bits do not depend on tiles, threads or the width of the vectors.

use super::super::number::Number;
use super::lanes::{Float, Widen};

/// Weights in the type computed in, and their symmetry.
#[derive(Debug, Clone)]
pub(super) struct Weights<C> {
    pub values: Vec<C>,
    pub symmetry: Symmetry,
}

/// How the second half of the weights mirrors the first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Symmetry {
    None,
    Even,
    Odd,
}

impl<C: Float + std::ops::Neg<Output = C>> Weights<C> {
    pub(super) fn new(weights: &[f64]) -> Self {
        let values: Vec<C> = weights.iter().map(|&w| C::nearest(w)).collect();
        let mirrored = |same: fn(C) -> C| values.iter().zip(values.iter().rev()).all(|(&a, &b)| a == same(b));
        let symmetry = match values.len() {
            0..=2 => Symmetry::None,
            _ if mirrored(|b| b) => Symmetry::Even,
            _ if mirrored(|b| -b) => Symmetry::Odd,
            _ => Symmetry::None,
        };
        Self { values, symmetry }
    }
}

/// Where the rows begin that a sweep reads.
pub(super) trait Rows<S>: Copy {
    /// The first element of a row.
    ///
    /// # Safety
    /// There must be such a row.
    unsafe fn row(self, index: usize) -> *const S;
}

/// Rows at any addresses, from one of their elements on.
pub(super) struct Listed<S> {
    pub rows: *const *const S,
    pub from: isize,
}

/// Rows that lie equally far apart.
pub(super) struct Spaced<S> {
    pub first: *const S,
    pub apart: usize,
}

impl<S> Clone for Listed<S> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<S> Copy for Listed<S> {}
impl<S> Clone for Spaced<S> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<S> Copy for Spaced<S> {}

impl<S> Rows<S> for Listed<S> {
    #[inline(always)]
    unsafe fn row(self, index: usize) -> *const S {
        // SAFETY: the caller's promise.
        unsafe { (*self.rows.add(index)).wrapping_offset(self.from) }
    }
}

impl<S> Rows<S> for Spaced<S> {
    #[inline(always)]
    unsafe fn row(self, index: usize) -> *const S {
        // SAFETY: the caller's promise.
        unsafe { self.first.add(index * self.apart) }
    }
}

/// `R` rows of `X` vectors.
type Block<V, const R: usize, const X: usize> = [[V; X]; R];

/// `X` vectors of a row, converted.
#[inline(always)]
unsafe fn load<S, V: Widen<S>, const X: usize>(rows: impl Rows<S>, index: usize) -> [V; X]
where
    V::Elem: Float,
{
    // SAFETY: the caller of the sweep promises the rows, X vectors wide, and the instruction set.
    unsafe {
        let row = rows.row(index);
        let mut pixels = [V::splat(<V::Elem as Number>::ZERO); X];
        for (x, pixels) in pixels.iter_mut().enumerate() {
            *pixels = V::widen(row.add(x * V::LANES));
        }
        pixels
    }
}

/// `acc[r] + Σ_t weights[t] · rows[r + t]`, `X` vectors of it.
///
/// # Safety
/// There must be `R + taps - 1` rows of `X` vectors, and the instruction set.
#[inline(always)]
pub(super) unsafe fn sweep<S, V: Widen<S>, const R: usize, const X: usize>(
    rows: impl Rows<S>,
    weights: &Weights<V::Elem>,
    acc: Block<V, R, X>,
) -> Block<V, R, X>
where
    V::Elem: Float,
{
    let values = &weights.values[..];
    // SAFETY: the caller's promise.
    unsafe {
        match weights.symmetry {
            Symmetry::None => plain(rows, values, acc),
            Symmetry::Even => folded::<S, V, R, X, true>(rows, values, acc),
            Symmetry::Odd => folded::<S, V, R, X, false>(rows, values, acc),
        }
    }
}

/// The sweep row by row: every row is read once.
// Plain index loops of constant length are what the compiler unrolls into registers.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn plain<S, V: Widen<S>, const R: usize, const X: usize>(
    rows: impl Rows<S>,
    weights: &[V::Elem],
    mut acc: Block<V, R, X>,
) -> Block<V, R, X>
where
    V::Elem: Float,
{
    let taps = weights.len();
    let weights = weights.as_ptr();
    // A macro and not a closure: a closure might stay a call, without the instruction set.
    macro_rules! step {
        ($j:expr, $r:ident, $takes:expr) => {{
            let pixels: [V; X] = load(rows, $j);
            for $r in 0..R {
                if $takes {
                    let w = V::splat(*weights.add($j - $r));
                    for x in 0..X {
                        acc[$r][x] = pixels[x].mul_add(w, acc[$r][x]);
                    }
                }
            }
        }};
    }
    // SAFETY: rows below R + taps - 1 exist by the caller's promise; weights are taken below taps.
    unsafe {
        for j in 0..R - 1 {
            step!(j, r, j >= r && j - r < taps);
        }
        for j in R - 1..taps {
            step!(j, r, true);
        }
        for j in taps.max(R - 1)..taps + R - 1 {
            step!(j, r, j >= r && j - r < taps);
        }
    }
    acc
}

/// `acc + (a ± b) · w`.
#[inline(always)]
unsafe fn pair<V: Widen<S>, S, const X: usize, const EVEN: bool>(a: [V; X], b: [V; X], w: V, mut acc: [V; X]) -> [V; X] {
    // SAFETY: the caller of the sweep promises the instruction set.
    unsafe {
        for x in 0..X {
            let both = if EVEN { a[x].plus(b[x]) } else { a[x].minus(b[x]) };
            acc[x] = both.mul_add(w, acc[x]);
        }
    }
    acc
}

/// The sweep of mirrored weights.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn folded<S, V: Widen<S>, const R: usize, const X: usize, const EVEN: bool>(
    rows: impl Rows<S>,
    weights: &[V::Elem],
    mut acc: Block<V, R, X>,
) -> Block<V, R, X>
where
    V::Elem: Float,
{
    let taps = weights.len();
    let half = taps / 2;
    // SAFETY: rows below R + taps - 1 exist by the caller's promise, and so does the instruction set.
    unsafe {
        // Few rows fit the registers all at once: 32 for 8 results, 16 for 4. Those of derivatives go the longer way, for less
        // code.
        if X == 1 && R >= 4 && EVEN {
            match taps {
                3 => return few::<S, V, R, X, 3>(rows, weights, acc),
                5 => return few::<S, V, R, X, 5>(rows, weights, acc),
                7 => return few::<S, V, R, X, 7>(rows, weights, acc),
                9 if R >= 8 => return few::<S, V, R, X, 9>(rows, weights, acc),
                _ => {}
            }
        }
        let weights = weights.as_ptr();
        let mut above = acc;
        if R == 1 {
            for j in 0..half {
                let w = V::splat(*weights.add(j));
                acc[0] = pair::<V, S, X, EVEN>(load(rows, j), load(rows, taps - 1 - j), w, acc[0]);
            }
            above[0] = load(rows, half);
        } else {
            // Result r takes rows r + j and r + taps - 1 - j together: two windows of R rows that move towards each other.
            // A row that is left makes room for the next, so that after R steps each is back in its place.
            let mut below = acc;
            for r in 0..R {
                above[r] = load(rows, r);
                below[r] = load(rows, taps - 1 + r);
            }
            let mut j = 0;
            macro_rules! steps {
                ($count:expr; $($k:literal)*) => {
                    $(if $k < $count {
                        let w = V::splat(*weights.add(j + $k));
                        for r in 0..R {
                            acc[r] = pair::<V, S, X, EVEN>(above[(r + $k) % R], below[(r + 8 * R - $k) % R], w, acc[r]);
                        }
                        above[$k % R] = load(rows, j + $k + R);
                        below[(9 * R - 1 - $k) % R] = load(rows, taps - 2 - j - $k);
                    })*
                    j += $count;
                };
            }
            // What is left over of whole rounds comes first, and the windows are turned.
            macro_rules! part {
                ($count:literal) => {
                    if R > $count && (half % R) & $count != 0 {
                        steps!($count; 0 1 2 3);
                        let turned = (above, below);
                        for r in 0..R {
                            above[r] = turned.0[(r + $count) % R];
                            below[r] = turned.1[(r + R - $count % R) % R];
                        }
                    }
                };
            }
            part!(4);
            part!(2);
            part!(1);
            while j < half {
                steps!(R; 0 1 2 3 4 5 6 7);
            }
        }
        if taps % 2 == 1 {
            // `above` has arrived at the centre.
            let w = V::splat(*weights.add(half));
            for r in 0..R {
                for x in 0..X {
                    acc[r][x] = above[r][x].mul_add(w, acc[r][x]);
                }
            }
        }
    }
    acc
}

/// [`folded`] of so few weights, the same from both ends, that all rows stay in registers: each is read once.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn few<S, V: Widen<S>, const R: usize, const X: usize, const TAPS: usize>(
    rows: impl Rows<S>,
    weights: &[V::Elem],
    mut acc: Block<V, R, X>,
) -> Block<V, R, X>
where
    V::Elem: Float,
{
    // SAFETY: rows below R + TAPS - 1 exist by the caller's promise, and so does the instruction set.
    unsafe {
        let mut held = [acc[0]; 16];
        for j in 0..R + TAPS - 1 {
            held[j] = load(rows, j);
        }
        for j in 0..TAPS / 2 {
            let w = V::splat(weights[j]);
            for r in 0..R {
                acc[r] = pair::<V, S, X, true>(held[r + j], held[r + TAPS - 1 - j], w, acc[r]);
            }
        }
        let w = V::splat(weights[TAPS / 2]);
        for r in 0..R {
            for x in 0..X {
                acc[r][x] = held[r + TAPS / 2][x].mul_add(w, acc[r][x]);
            }
        }
    }
    acc
}
