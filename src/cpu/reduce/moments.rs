//! Sums of what elements become: magnitudes, powers, squares, products; and moments.

use super::columns::FloatColumns;
use super::drive::{Fold, HEIGHT, rows_by_row};
use super::pair::FoldPairs;
use super::selected::Neutral;
use super::sum::{FloatSum, Integer, IntegerSum};
use crate::cpu::simd::{Kernel, Simd};
use crate::exact::accumulator::Accumulator;
use crate::exact::fast::Float;
use crate::exact::products::{BLOCK, Products, Wide};
use crate::exact::{ExactDot, ExactSum, Moments};
use crate::expr::binary64;

/// What becomes of an element before it is summed, exactly, as binary64.
pub(super) trait Map: Sync {
    /// The number.
    fn map(&self, x: f64) -> f64;

    /// A number that becomes 0.
    fn nothing(&self) -> f64 {
        0.0
    }
}

/// `|x|`.
pub(super) struct Magnitude;

impl Map for Magnitude {
    #[inline(always)]
    fn map(&self, x: f64) -> f64 {
        x.abs()
    }
}

/// `x²` of what was binary32.
pub(super) struct Square;

impl Map for Square {
    #[inline(always)]
    fn map(&self, x: f64) -> f64 {
        x * x
    }
}

/// `|x|^p`.
pub(super) struct Power(pub(super) f64);

impl Map for Power {
    #[inline(always)]
    fn map(&self, x: f64) -> f64 {
        binary64::norm_term(x, self.0)
    }

    fn nothing(&self) -> f64 {
        if self.0 < 0.0 { f64::INFINITY } else { 0.0 }
    }
}

struct Mapping<'a, T, M> {
    map: &'a M,
    values: &'a [T],
    out: &'a mut [f64],
}

impl<T: Float, M: Map> Kernel for Mapping<'_, T, M> {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        for (out, value) in self.out.iter_mut().zip(self.values) {
            *out = self.map.map(value.widen());
        }
    }
}

/// Sums of mapped elements.
pub(super) struct MappedSum<M>(pub(super) M, pub(super) Simd);

/// Runs `rows` with mapped copies of rows.
fn map_rows<T: Float, M: Map>(map: &M, simd: Simd, rows: &[&[T]], each: impl FnOnce(&[&[f64]])) {
    let width = rows.first().map_or(0, |row| row.len());
    let mut copy = vec![0.0; rows.len() * width];
    for (values, out) in rows.iter().zip(copy.chunks_exact_mut(width.max(1))) {
        simd.run(Mapping { map, values, out });
    }
    each(&copy.chunks_exact(width.max(1)).collect::<Vec<_>>());
}

impl<T: Float, M: Map> Fold<T> for MappedSum<M> {
    type Partial = Accumulator;
    type Columns = FloatColumns;
    const WIDTH: usize = 256;

    fn start(&self, last: Option<&Accumulator>) -> Accumulator {
        last.map_or_else(Accumulator::new, Accumulator::next)
    }

    fn row(&self, sum: &mut Accumulator, values: &[T], _: u64) {
        let mut out = [0.0; BLOCK];
        for values in values.chunks(BLOCK) {
            let out = &mut out[..values.len()];
            self.1.run(Mapping { map: &self.0, values, out });
            sum.extend_open(out, self.1);
        }
        sum.close();
    }

    fn merge(&self, sum: &mut Accumulator, later: Accumulator) {
        sum.merge(&later);
    }

    fn start_columns(&self, width: usize) -> FloatColumns {
        Fold::<f64>::start_columns(&FloatSum(self.1), width)
    }

    fn rows(&self, columns: &mut FloatColumns, rows: &[&[T]], index: u64) {
        map_rows(&self.0, self.1, rows, |rows| FloatSum(self.1).rows(columns, rows, index));
    }

    fn end_columns(&self, columns: FloatColumns) -> Vec<Accumulator> {
        Fold::<f64>::end_columns(&FloatSum(self.1), columns)
    }
}

impl<T: Float, M: Map> Neutral<T> for MappedSum<M> {
    fn neutral(&self) -> T {
        T::of(self.0.nothing())
    }
}

/// Sums of squares.
pub(super) struct SquareSum(pub(super) Simd);

/// Columns of sums of products: upper and lower parts, and what went another way.
pub(super) struct ProductColumns {
    upper: FloatColumns,
    lower: FloatColumns,
    rest: Option<Vec<Products>>,
    width: usize,
}

impl<T: Float> Fold<T> for SquareSum {
    type Partial = Products;
    type Columns = ProductColumns;
    const WIDTH: usize = if T::NARROW { 256 } else { 128 };

    fn start(&self, last: Option<&Products>) -> Products {
        last.map_or_else(Products::new, Products::next)
    }

    fn row(&self, sum: &mut Products, values: &[T], _: u64) {
        sum.extend(values, values, self.0);
    }

    fn merge(&self, sum: &mut Products, later: Products) {
        sum.merge(&later);
    }

    fn start_columns(&self, width: usize) -> ProductColumns {
        let sum = || Fold::<f64>::start_columns(&FloatSum(self.0), width);
        ProductColumns { upper: sum(), lower: sum(), rest: None, width }
    }

    fn rows(&self, columns: &mut ProductColumns, rows: &[&[T]], index: u64) {
        let sum = FloatSum(self.0);
        if T::NARROW {
            return map_rows(&Square, self.0, rows, |rows| sum.rows(&mut columns.upper, rows, index));
        }
        let width = columns.width;
        let (mut upper, mut lower) = (vec![0.0; rows.len() * width], vec![0.0; rows.len() * width]);
        let parts = upper.chunks_exact_mut(width).zip(lower.chunks_exact_mut(width));
        let exact = rows.iter().zip(parts).all(|(row, (upper, lower))| self.0.run(Wide { a: row, b: row, upper, lower }));
        if exact {
            sum.rows(&mut columns.upper, &upper.chunks_exact(width).collect::<Vec<&[f64]>>(), index);
            sum.rows(&mut columns.lower, &lower.chunks_exact(width).collect::<Vec<&[f64]>>(), index);
        } else {
            let rest = columns.rest.get_or_insert_with(|| vec![Products::new(); width]);
            rows_by_row(self, rest, rows, index);
        }
    }

    fn end_columns(&self, columns: ProductColumns) -> Vec<Products> {
        let mut sums = columns.rest.unwrap_or_else(|| vec![Products::new(); columns.width]);
        let upper = Fold::<f64>::end_columns(&FloatSum(self.0), columns.upper);
        let lower = Fold::<f64>::end_columns(&FloatSum(self.0), columns.lower);
        for ((sum, upper), lower) in sums.iter_mut().zip(&upper).zip(&lower) {
            sum.merge_parts(upper, lower);
        }
        sums
    }
}

impl<T: Float> Neutral<T> for SquareSum {
    fn neutral(&self) -> T {
        T::ZERO
    }
}

/// Sums and sums of squares of floats.
pub(super) struct FloatMoments(pub(super) Simd);

impl<T: Float> Fold<T> for FloatMoments {
    type Partial = (Accumulator, Products);
    type Columns = (FloatColumns, ProductColumns);
    const WIDTH: usize = <SquareSum as Fold<T>>::WIDTH;

    fn start(&self, last: Option<&Self::Partial>) -> Self::Partial {
        last.map_or_else(|| (Accumulator::new(), Products::new()), |(sum, squares)| (sum.next(), squares.next()))
    }

    fn row(&self, (sum, squares): &mut Self::Partial, values: &[T], _: u64) {
        for values in values.chunks(2 * BLOCK) {
            sum.extend_open(values, self.0);
            squares.extend(values, values, self.0);
        }
        sum.close();
    }

    fn merge(&self, (sum, squares): &mut Self::Partial, later: Self::Partial) {
        sum.merge(&later.0);
        squares.merge(&later.1);
    }

    fn start_columns(&self, width: usize) -> Self::Columns {
        (Fold::<T>::start_columns(&FloatSum(self.0), width), Fold::<T>::start_columns(&SquareSum(self.0), width))
    }

    fn rows(&self, (sums, squares): &mut Self::Columns, rows: &[&[T]], index: u64) {
        FloatSum(self.0).rows(sums, rows, index);
        SquareSum(self.0).rows(squares, rows, index);
    }

    fn end_columns(&self, (sums, squares): Self::Columns) -> Vec<Self::Partial> {
        let sums = Fold::<T>::end_columns(&FloatSum(self.0), sums);
        sums.into_iter().zip(Fold::<T>::end_columns(&SquareSum(self.0), squares)).collect()
    }
}

impl<T: Float> Neutral<T> for FloatMoments {
    fn neutral(&self) -> T {
        T::ZERO
    }
}

/// The moments of `count` floats.
pub(super) fn float_moments((sum, squares): &(Accumulator, Products), count: u64) -> Moments {
    Moments::from_parts(count, sum.to_sum(), squares.to_dot())
}

/// Sums of products of pairs of floats.
pub(super) struct FloatDot(pub(super) Simd);

impl<T: Float> FoldPairs<T, T> for FloatDot {
    type Partial = Products;

    fn start(&self, last: Option<&Products>) -> Products {
        last.map_or_else(Products::new, Products::next)
    }

    fn row(&self, sum: &mut Products, values: &[T], others: &[T], _: u64) {
        sum.extend(values, others, self.0);
    }

    fn merge(&self, sum: &mut Products, later: Products) {
        sum.merge(&later);
    }
}

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
