//! Numbers and their squares at once, by error-free extraction on levels as in [`fast`](super::fast), for processors that have fused
//! multiply-adds but cannot keep a rounding from raising a flag (with AVX-512 [`sticky`](super::sticky) does the same without checks).
//!
//! Numbers go to two levels, their squares to four: the rounded square to the first three, what it lacks to the last three. All
//! have to be taken whole, which comparisons tell once per block. A number that is no multiple of the numbers' last grid,
//! 2^-84 of the largest one, fails the block, so that no square falls out of binary64's range unseen.

mod columns;

pub(crate) use columns::add_columns;

use super::fast::{Float, constant, exponents, one, rest_of, step, take};
use super::lanes::*;
use super::moment_integers;
use crate::cpu::simd::{Kernel, Simd, prefetch_ahead};

/// Levels of numbers.
pub(super) const SUM_LEVELS: usize = 2;
/// Levels of squares.
pub(super) const SQUARE_LEVELS: usize = 4;
/// Numbers below 2^(this + 1) might have squares with digits below 2^-1074.
const LEAST_TOP: i32 = -400;
/// Lanes.
const LANES: usize = 4;

/// Numbers per block: 2^8 a lane.
const BLOCK: usize = LANES << 8;

/// Sums on each level's grid, of numbers and of squares.
type Sums = ([i64; SUM_LEVELS], [i64; SQUARE_LEVELS]);

/// Whether there are vectors for it.
pub(super) fn can(simd: Simd) -> bool {
    simd == Simd::Avx2
}

/// Numbers of this type that are taken at a time.
pub(super) const fn block<T: Float>() -> usize {
    if T::NARROW { moment_integers::BLOCK } else { BLOCK }
}

/// The sums of at most [`BLOCK`] numbers of binary64 below `2^(top + 1)` and of their squares, below `2^(reach + 1)`, if they are
/// exact.
pub(super) fn sums<T: Float>(values: &[T], top: i32, reach: i32, simd: Simd) -> Option<Sums> {
    debug_assert!(values.len() <= BLOCK && can(simd));
    let values = T::wide(values).filter(|_| top >= LEAST_TOP)?;
    simd.run(Levels { values, top, reach })
}

struct Levels<'a> {
    values: &'a [f64],
    top: i32,
    reach: i32,
}

impl Kernel for Levels<'_> {
    type Output = Option<Sums>;

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> Option<Sums> {
        // SAFETY: vectors of `BYTES` bytes are present.
        if BYTES == 32 { unsafe { self.vectors::<Doubles4>() } } else { None }
    }
}

impl Levels<'_> {
    /// # Safety
    /// The instruction set of `V`, of four lanes, must be present.
    #[inline(always)]
    unsafe fn vectors<V: Doubles>(self) -> Option<Sums> {
        let (numbers, squares) = (exponents::<SUM_LEVELS>(self.top), exponents::<SQUARE_LEVELS>(self.reach));
        let (whole, rest) = self.values.as_chunks::<LANES>();
        let mut last = [0.0; LANES];
        last[..rest.len()].copy_from_slice(rest);
        // SAFETY: the caller's promise; each chunk has as many elements as a vector.
        unsafe {
            let mut sums = numbers.map(|k| [V::splat(constant(k))]);
            let [mut first, mut second, mut third, mut fourth] = squares.map(|k| V::splat(constant(k)));
            let (mut largest, mut left, one) = (V::splat(0.0), V::splat(0.0), one::<V>());
            for i in 0..=whole.len() {
                let from = if i < whole.len() { whole.as_ptr().add(i).cast() } else { last.as_ptr() };
                prefetch_ahead(from);
                let x = V::load(from);
                largest = x.magnitude_or(largest);
                let square = x.mul(x);
                let lack = x.fused_sub(x, square);
                step(&mut sums, 0, x, &mut left, one);
                // In turns, so that neither waits for the other.
                let square = take(&mut first, square, one);
                let lack = take(&mut second, lack, one);
                let square = take(&mut second, square, one);
                let lack = take(&mut third, lack, one);
                rest_of(&mut third, square, &mut left);
                rest_of(&mut fourth, lack, &mut left);
            }
            let mut lanes = [0.0; LANES];
            largest.store(lanes.as_mut_ptr());
            let top = lanes.into_iter().fold(0.0, |most, x| if x > most { x } else { most });
            left.store(lanes.as_mut_ptr());
            let mut strayed = lanes.iter().fold(0, |all, lane| all | lane.to_bits() << 1);
            let mut read = |vector: V, k: i32| {
                let start = constant(k).to_bits();
                vector.store(lanes.as_mut_ptr());
                strayed |= lanes.iter().fold(0, |all, lane| all | (lane.to_bits() ^ start) >> 52);
                lanes.iter().fold(0i64, |sum, lane| sum.wrapping_add(lane.to_bits().wrapping_sub(start) as i64))
            };
            let sums = [read(sums[0][0], numbers[0]), read(sums[1][0], numbers[1])];
            let parts = [read(first, squares[0]), read(second, squares[1]), read(third, squares[2]), read(fourth, squares[3])];
            let bounded = top < bound(self.top) && top * top < bound(self.reach);
            (strayed == 0 && bounded).then_some((sums, parts))
        }
    }
}

/// `2^(top + 1)`.
fn bound(top: i32) -> f64 {
    f64::from_bits(((top + 1 + 1023) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::super::fast::exponent;
    use super::super::tests::bits;
    use super::super::{ExactDot, ExactSum};
    use super::*;

    /// The numbers' sum and that of their squares, if it was made at once.
    fn at_once(values: &[f64], simd: Simd) -> Option<(ExactSum, ExactDot)> {
        let largest = values.iter().fold(0f64, |most, x| most.max(x.abs()));
        let (top, reach) = (exponent(largest), exponent(largest * largest));
        let (numbers, squares) = sums(values, top, reach, simd)?;
        let (mut sum, mut dot) = (ExactSum::new(), ExactDot::new());
        numbers.into_iter().zip(exponents::<SUM_LEVELS>(top)).for_each(|(part, k)| sum.add_scaled(part.into(), k - 52));
        squares.into_iter().zip(exponents::<SQUARE_LEVELS>(reach)).for_each(|(part, k)| dot.add_scaled(part.into(), k - 52));
        Some((sum, dot))
    }

    fn slowly(values: &[f64]) -> (ExactSum, ExactDot) {
        let (mut sum, mut dot) = (ExactSum::new(), ExactDot::new());
        for &x in values {
            sum.push(x);
            dot.push(x, x);
        }
        (sum, dot)
    }

    #[test]
    fn an_answer_is_exact_and_none_is_given_otherwise() {
        let Some(simd) = Simd::available().into_iter().find(|&simd| can(simd)) else { return };
        let mut state = 21;
        for n in [1, 3, 4, 5, 100, 1000, BLOCK] {
            let number = |range: u64, state: &mut u64| {
                let word = bits(state);
                (word as i64 >> 11) as f64 * 2f64.powi(-53 - (word % (range + 1)) as i32)
            };
            for range in [0, 8, 25] {
                let values: Vec<f64> = (0..n).map(|_| number(range, &mut state)).collect();
                assert_eq!(at_once(&values, simd), Some(slowly(&values)), "{n} {range}");
                // As large as they may be, with carries at every step, and at the edge of what squares can hold.
                for same in [f64::from_bits(bound(range as i32).to_bits() - 1), -1.0, 2f64.powi(500), 1.1 * 2f64.powi(LEAST_TOP)]
                {
                    let values = vec![same; n];
                    assert_eq!(at_once(&values, simd), Some(slowly(&values)), "{n} {same:e}");
                }
                // Too fine, too large, or not finite.
                for wrong in [2f64.powi(-140), 5e-324, 2f64.powi(511), f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
                    let mut values: Vec<f64> = values.iter().map(|x| 1.0 + x).collect();
                    values[n / 2] = wrong;
                    if n > 1 || !wrong.is_finite() {
                        assert_eq!(at_once(&values, simd), None, "{n} {wrong:e}");
                    }
                }
            }
        }
        // A square with digits below 2^-1074.
        assert_eq!(at_once(&[1.1 * 2f64.powi(-500); 9], simd), None);
        // More than was expected of the largest one: of the number, and of the square alone.
        assert_eq!(sums(&[1.0, 2.0], 0, 0, simd), None);
        assert_eq!(sums(&[1.0, 1.5], 0, 0, simd), None);
        assert!(sums(&[1.0, 1.5], 0, 1, simd).is_some());
    }
}
