//! Sums of what integers become: magnitudes, powers, squares, products; and moments.

use super::drive::{Fold, HEIGHT, rows_by_row};
use super::pair::FoldPairs;
use super::sum::{Integer, IntegerSum};
use crate::cpu::simd::{Kernel, Simd};
use crate::exact::accumulator::Accumulator;
use crate::exact::{ExactDot, ExactSum, Moments};
use crate::expr::binary64;

/// A sum of products of integers: `high · 2^64 + low`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Integers {
    low: i128,
    high: i128,
}

impl Integers {
    fn add(&mut self, other: Self) {
        self.low += other.low;
        self.high += other.high;
    }

    /// The sum as a mergeable value.
    pub(super) fn to_dot(self) -> ExactDot {
        let mut dot = ExactDot::new();
        dot.add_scaled(self.low, 0);
        dot.add_scaled(self.high, 64);
        dot
    }
}

/// The products of up to 2^30 pairs.
struct Pairs<'a, T>(&'a [T], &'a [T]);

impl<T: Integer> Kernel for Pairs<'_, T> {
    type Output = Integers;

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> Integers {
        let n = self.0.len().min(self.1.len());
        let (a, b) = (&self.0[..n], &self.1[..n]);
        let signed = T::DTYPE.is_signed_integer();
        if T::DTYPE.size() == 8 {
            let mut sum = Integers::default();
            for (a, b) in a.iter().zip(b) {
                let (a, b) = (a.value(), b.value());
                // Of unsigned factors the product is one of u128.
                let product = a.wrapping_mul(b);
                sum.low += i128::from(product as u64);
                sum.high += if signed { product >> 64 } else { (product as u128 >> 64) as i128 };
            }
            return sum;
        }
        let (mut low, mut high) = (0i64, 0i64);
        for i in 0..n {
            let product = a[i].low().wrapping_mul(b[i].low());
            low = low.wrapping_add(product & 0xffff_ffff);
            high = high.wrapping_add(if signed { product >> 32 } else { (product as u64 >> 32) as i64 });
        }
        Integers { low: (i128::from(high) << 32) + i128::from(low), high: 0 }
    }
}

/// Sums of products of integers.
pub(super) struct IntegerDot(pub(super) Simd);

impl<T: Integer> FoldPairs<T, T> for IntegerDot {
    type Partial = Integers;

    fn start(&self, _: Option<&Integers>) -> Integers {
        Integers::default()
    }

    fn row(&self, sum: &mut Integers, values: &[T], others: &[T], _: u64) {
        for (a, b) in values.chunks(1 << 30).zip(others.chunks(1 << 30)) {
            sum.add(self.0.run(Pairs(a, b)));
        }
    }

    fn merge(&self, sum: &mut Integers, later: Integers) {
        sum.add(later);
    }
}

/// Sums and sums of squares of integers.
pub(super) struct IntegerMoments(pub(super) Simd);

impl<T: Integer> Fold<T> for IntegerMoments {
    type Partial = (i128, Integers);
    type Columns = Vec<(i128, Integers)>;

    fn start(&self, _: Option<&Self::Partial>) -> Self::Partial {
        (0, Integers::default())
    }

    fn row(&self, (sum, squares): &mut Self::Partial, values: &[T], index: u64) {
        for block in values.chunks(8 * HEIGHT) {
            IntegerSum(self.0).row(sum, block, index);
            squares.add(self.0.run(Pairs(block, block)));
        }
    }

    fn merge(&self, (sum, squares): &mut Self::Partial, later: Self::Partial) {
        *sum += later.0;
        squares.add(later.1);
    }

    fn start_columns(&self, width: usize) -> Self::Columns {
        vec![Default::default(); width]
    }

    fn rows(&self, columns: &mut Self::Columns, rows: &[&[T]], index: u64) {
        rows_by_row(self, columns, rows, index);
    }

    fn end_columns(&self, columns: Self::Columns) -> Vec<Self::Partial> {
        columns
    }
}

/// The moments of `count` integers.
pub(super) fn integer_moments((sum, squares): &(i128, Integers), count: u64) -> Moments {
    let mut exact = ExactSum::new();
    exact.add_scaled(*sum, 0);
    Moments::from_parts(count, exact, squares.to_dot())
}

/// Sums of squares of integers.
pub(super) struct IntegerSquares(pub(super) Simd);

impl<T: Integer> Fold<T> for IntegerSquares {
    type Partial = Integers;
    type Columns = Vec<Integers>;

    fn start(&self, _: Option<&Integers>) -> Integers {
        Integers::default()
    }

    fn row(&self, sum: &mut Integers, values: &[T], _: u64) {
        for block in values.chunks(1 << 30) {
            sum.add(self.0.run(Pairs(block, block)));
        }
    }

    fn merge(&self, sum: &mut Integers, later: Integers) {
        sum.add(later);
    }

    fn start_columns(&self, width: usize) -> Vec<Integers> {
        vec![Integers::default(); width]
    }

    fn rows(&self, columns: &mut Vec<Integers>, rows: &[&[T]], index: u64) {
        rows_by_row(self, columns, rows, index);
    }

    fn end_columns(&self, columns: Vec<Integers>) -> Vec<Integers> {
        columns
    }
}

/// Sums of magnitudes of integers.
pub(super) struct IntegerMagnitudes;

impl<T: Integer> Fold<T> for IntegerMagnitudes {
    type Partial = i128;
    type Columns = Vec<i128>;

    fn start(&self, _: Option<&i128>) -> i128 {
        0
    }

    fn row(&self, sum: &mut i128, values: &[T], _: u64) {
        for block in values.chunks(1 << 30) {
            if T::DTYPE.size() == 8 {
                *sum += block.iter().map(|x| x.value().abs()).sum::<i128>();
            } else {
                *sum += i128::from(block.iter().map(|x| x.low().abs()).sum::<i64>());
            }
        }
    }

    fn merge(&self, sum: &mut i128, later: i128) {
        *sum += later;
    }

    fn start_columns(&self, width: usize) -> Vec<i128> {
        vec![0; width]
    }

    fn rows(&self, columns: &mut Vec<i128>, rows: &[&[T]], index: u64) {
        rows_by_row(self, columns, rows, index);
    }

    fn end_columns(&self, columns: Vec<i128>) -> Vec<i128> {
        columns
    }
}

/// Sums of powers of the magnitudes of integers.
pub(super) struct IntegerPowers(pub(super) f64);

impl<T: Integer> Fold<T> for IntegerPowers {
    type Partial = Accumulator;
    type Columns = Vec<Accumulator>;

    fn start(&self, _: Option<&Accumulator>) -> Accumulator {
        Accumulator::new()
    }

    fn row(&self, sum: &mut Accumulator, values: &[T], _: u64) {
        values.iter().for_each(|x| sum.push(binary64::norm_term(x.value().abs() as f64, self.0)));
    }

    fn merge(&self, sum: &mut Accumulator, later: Accumulator) {
        sum.merge(&later);
    }

    fn start_columns(&self, width: usize) -> Vec<Accumulator> {
        vec![Accumulator::new(); width]
    }

    fn rows(&self, columns: &mut Vec<Accumulator>, rows: &[&[T]], index: u64) {
        rows_by_row(self, columns, rows, index);
    }

    fn end_columns(&self, columns: Vec<Accumulator>) -> Vec<Accumulator> {
        columns
    }
}
