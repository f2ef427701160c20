//! Blocks of products at once on AVX-512, and of numbers and their squares there and on AVX2.

use super::sticky::{self, halves};
use super::{Accumulator, OTHERS, PATIENCE};
use crate::cpu::simd::Simd;
use crate::exact::fast::{Float, Largest, LargestProduct, MAX_TOP, exponent, exponents};
use crate::exact::{moment_integers, moment_levels};

impl Accumulator {
    /// Adds a block with AVX2, binary32 numbers whole and binary64 ones in halves, if their exponents are near enough.
    pub(super) fn at_once<T: Float>(&mut self, block: &[T], simd: Simd) -> bool {
        let [pause, misses] = self.halves;
        if pause > 0 {
            self.halves = [pause - 1, 0];
            return false;
        }
        for _ in 0..2 {
            let first = exponents::<1>(self.top);
            let found = if let Some(block) = T::narrow(block) {
                // SAFETY: the level says that the instructions are there.
                unsafe { halves::sum_whole(block, first) }.map(|[sum]| ([sum, 0], [first[0]; 2]))
            } else {
                let levels = halves::levels(first[0]);
                // SAFETY: as above.
                unsafe { halves::sum_halves(block, levels) }.map(|sums| (sums, levels))
            };
            if let Some((sums, levels)) = found {
                self.settle::<T, false>(block, sums.iter().any(|&sum| sum != 0), sums, levels);
                self.halves = [0; 2];
                return true;
            }
            let top = exponent(simd.run(Largest(block)));
            if top > MAX_TOP || top == self.top {
                break;
            }
            self.top = top;
        }
        // One may be an exception.
        self.halves = if misses > 0 { [PATIENCE, 0] } else { [0, 1] };
        false
    }

    /// Adds the products of pairs, at most some thousands, if that can be done at once.
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

    /// Adds numbers, at most some thousands, to one sum and their squares to another, if that can be done at once.
    pub(crate) fn add_moments<T: Float>(sum: &mut Self, squares: &mut Self, values: &[T], simd: Simd) -> bool {
        if !(simd == Simd::Avx512 || moment_levels::can(simd)) || values.len() < 16 {
            return false;
        }
        if let (Some(values), true) = (T::narrow(values), moment_levels::can(simd)) {
            return Self::add_integers(sum, squares, values, simd);
        }
        let square = |x: f64| exponent(x * x).min(MAX_TOP);
        if sum.top == i32::MIN {
            sum.top = exponent(values[0].widen()).min(MAX_TOP);
        }
        if squares.reach == i32::MIN {
            squares.reach = square(values[0].widen());
        }
        for _ in 0..2 {
            let grids = (exponents(sum.top), exponents(squares.reach));
            let found = if simd == Simd::Avx512 {
                // SAFETY: the level says that the instructions are there.
                unsafe { sticky::moments(values, grids.0, grids.1) }
            } else {
                moment_levels::sums(values, sum.top, squares.reach, simd)
            };
            if let Some((sums, parts)) = found {
                sum.settle::<T, false>(values, sums.iter().any(|&sum| sum != 0), sums, grids.0);
                // Squares are no −0, and zeros among them have no sign in a sum of products.
                squares.kind = OTHERS;
                for (part, k) in parts.into_iter().zip(grids.1) {
                    squares.add(i128::from(part), k - 52);
                }
                return true;
            }
            let largest = simd.run(Largest(values));
            let (top, reach) = (exponent(largest), exponent(largest * largest));
            if top > MAX_TOP || reach > MAX_TOP || (top, reach) == (sum.top, squares.reach) {
                break;
            }
            (sum.top, squares.reach) = (top, reach);
        }
        false
    }

    /// [`add_moments`](Self::add_moments) of binary32 numbers with AVX2.
    fn add_integers(sum: &mut Self, squares: &mut Self, values: &[f32], simd: Simd) -> bool {
        if sum.top == i32::MIN {
            sum.top = exponent(f64::from(values[0])).min(moment_integers::MOST_TOP);
        }
        for _ in 0..2 {
            // SAFETY: the level says that the instructions are there.
            if let Some(found) = unsafe { moment_integers::sums(values, sum.top) } {
                let grid = moment_integers::grid(sum.top);
                sum.settle::<f32, false>(values, found.sum != 0, [found.sum], [52 - grid]);
                squares.kind = OTHERS;
                squares.add(found.squares, -2 * grid);
                return true;
            }
            let top = exponent(simd.run(Largest(values)));
            if top > moment_integers::MOST_TOP || top == sum.top {
                break;
            }
            sum.top = top;
        }
        false
    }
}
