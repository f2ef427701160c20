//! Blocks of products, and of numbers and their squares, at once on AVX-512.

use super::{Accumulator, OTHERS, PATIENCE, sticky};
use crate::cpu::simd::Simd;
use crate::exact::fast::{Float, Largest, LargestProduct, MAX_TOP, exponent, exponents};

impl Accumulator {
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
        if simd != Simd::Avx512 || values.len() < 16 {
            return false;
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
            // SAFETY: the level says that the instructions are there.
            if let Some((sums, parts)) = unsafe { sticky::moments(values, grids.0, grids.1) } {
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
}
