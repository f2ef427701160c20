//! Sums of what floats become: magnitudes, powers, squares, products; and moments.

use super::columns::{FloatColumns, PATIENCE, prefetch_rows};
use super::drive::Fold;
use super::pair::FoldPairs;
use super::selected::Neutral;
use super::sum::FloatSum;
use crate::cpu::simd::{Kernel, Simd};
use crate::exact::Moments;
use crate::exact::accumulator::Accumulator;
use crate::exact::fast::Float;
use crate::exact::products::{BLOCK, Products, Wide};
use crate::exact::windows::{ROWS, STRIP, SquareTable, add_square_columns};
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

/// Columns of sums of products: upper and lower parts, and squares of any exponents.
pub(super) struct ProductColumns {
    upper: FloatColumns,
    lower: FloatColumns,
    tables: Vec<SquareTable>,
    /// The infinities seen.
    special: Vec<u8>,
    width: usize,
    /// Tiles until products in two parts are tried again.
    pause: u32,
}

impl ProductColumns {
    /// Adds the squares of rows of any exponents, some columns at a time.
    fn scatter<T: Float>(&mut self, rows: &[&[T]], simd: Simd) {
        self.tables.resize(self.width, SquareTable::new());
        self.special.resize(self.width, 0);
        for (tables, at) in self.tables.chunks_mut(STRIP).zip((0..self.width).step_by(STRIP)) {
            for (i, some) in rows.chunks(ROWS).enumerate() {
                prefetch_rows(rows, (i + 1) * ROWS, at);
                let strip = <&mut [SquareTable; STRIP]>::try_from(&mut *tables);
                if strip.is_ok_and(|tables| add_square_columns(some, at, tables, simd)) {
                    continue;
                }
                tables.iter_mut().for_each(|table| table.room(some.len()));
                for row in some {
                    let special = self.special[at..].iter_mut();
                    for ((table, special), x) in tables.iter_mut().zip(special).zip(&row[at..]) {
                        *special |= table.push_square(x.widen());
                    }
                }
            }
        }
    }
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
        ProductColumns { upper: sum(), lower: sum(), tables: vec![], special: vec![], width, pause: 0 }
    }

    fn rows(&self, columns: &mut ProductColumns, rows: &[&[T]], index: u64) {
        let sum = FloatSum(self.0);
        if T::NARROW {
            return map_rows(&Square, self.0, rows, |rows| sum.rows(&mut columns.upper, rows, index));
        }
        let width = columns.width;
        if columns.pause > 0 {
            columns.pause -= 1;
            return columns.scatter(rows, self.0);
        }
        let (mut upper, mut lower) = (vec![0.0; rows.len() * width], vec![0.0; rows.len() * width]);
        let parts = upper.chunks_exact_mut(width).zip(lower.chunks_exact_mut(width));
        let exact = rows.iter().zip(parts).all(|(row, (upper, lower))| self.0.run(Wide { a: row, b: row, upper, lower }));
        if exact {
            sum.rows(&mut columns.upper, &upper.chunks_exact(width).collect::<Vec<&[f64]>>(), index);
            sum.rows(&mut columns.lower, &lower.chunks_exact(width).collect::<Vec<&[f64]>>(), index);
        } else {
            columns.pause = PATIENCE;
            columns.scatter(rows, self.0);
        }
    }

    fn end_columns(&self, mut columns: ProductColumns) -> Vec<Products> {
        let mut sums = vec![Products::new(); columns.width];
        let upper = Fold::<f64>::end_columns(&FloatSum(self.0), columns.upper);
        let lower = Fold::<f64>::end_columns(&FloatSum(self.0), columns.lower);
        for ((sum, upper), lower) in sums.iter_mut().zip(&upper).zip(&lower) {
            sum.merge_parts(upper, lower);
        }
        for ((sum, table), special) in sums.iter_mut().zip(&mut columns.tables).zip(columns.special) {
            sum.take(table, special);
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
        squares.extend_moments(sum, values, self.0);
        squares.close_moments(sum);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exact::ExactDot;

    /// Columns hold their sums of squares, whatever the exponents, the width and the rows at a time.
    #[test]
    fn squares_of_columns_are_exact() {
        fn check<T: Float>(values: &[T], width: usize, height: usize, simd: Simd) {
            let fold = SquareSum(simd);
            let mut columns = Fold::<T>::start_columns(&fold, width);
            let rows: Vec<&[T]> = values.chunks_exact(width).collect();
            rows.chunks(height).for_each(|rows| fold.rows(&mut columns, rows, 0));
            for (column, sum) in Fold::<T>::end_columns(&fold, columns).into_iter().enumerate() {
                let mut expected = ExactDot::new();
                rows.iter().map(|row| row[column].widen()).for_each(|x| expected.push(x, x));
                assert_eq!(sum.to_dot(), expected, "{simd:?} column {column} of {width}, {height} rows");
            }
        }
        let mut state = 3u64;
        let mut bits = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            state ^ (state >> 29)
        };
        for simd in Simd::available() {
            for (width, height) in [(1, 40), (7, 1), (8, 256), (19, 33), (40, 256)] {
                let wild: Vec<f64> = (0..width * 700).map(|_| f64::from_bits(bits() & !(1 << 52))).collect();
                let mut some = wild.clone();
                some[width * 300] = f64::NAN;
                some[width * 650 + width / 2] = f64::NEG_INFINITY;
                let mixed: Vec<f64> = (0..width * 700).map(|i| if i < width * 300 { i as f64 } else { wild[i] }).collect();
                for values in [wild, some, mixed] {
                    check(&values, width, height, simd);
                    check(&values.iter().map(|&x| x as f32).collect::<Vec<_>>(), width, height, simd);
                }
            }
        }
    }
}
