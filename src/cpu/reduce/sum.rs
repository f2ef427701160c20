//! Exact sums of floats and of integers.

use super::columns::{FloatColumns, TALL};
use super::drive::Fold;
use super::selected::Neutral;
use crate::Real;
use crate::cpu::simd::{Kernel, Simd, blocks_ahead, prefetch_ahead};
use crate::exact::accumulator::Accumulator;
use crate::exact::fast::Float;

/// Sums of floats.
pub(super) struct FloatSum(pub(super) Simd);

impl<T: Float> Fold<T> for FloatSum {
    type Partial = Accumulator;
    type Columns = FloatColumns;
    const WIDTH: usize = 8192;
    const HEIGHT: usize = TALL;

    fn start(&self, last: Option<&Accumulator>) -> Accumulator {
        last.map_or_else(Accumulator::new, Accumulator::next)
    }

    fn row(&self, sum: &mut Accumulator, values: &[T], _: u64) {
        sum.extend(values, self.0);
    }

    fn merge(&self, sum: &mut Accumulator, later: Accumulator) {
        sum.merge(&later);
    }

    fn start_columns(&self, width: usize) -> FloatColumns {
        FloatColumns::new(width)
    }

    fn rows(&self, columns: &mut FloatColumns, rows: &[&[T]], _: u64) {
        columns.add(rows, self.0);
    }

    fn end_columns(&self, columns: FloatColumns) -> Vec<Accumulator> {
        columns.into_sums()
    }
}

/// An integer as `high · 2^32 + low`.
pub(super) trait Integer: Real {
    /// The lower half: all of an element of up to 32 bits.
    fn low(self) -> i64;
    /// The upper half.
    fn high(self) -> i64;
    /// Both.
    fn value(self) -> i128;
}

macro_rules! integers {
    ($($T:ty),*) => {$(impl Integer for $T {
        #[inline(always)]
        fn low(self) -> i64 { i64::from(self) }
        #[inline(always)]
        fn high(self) -> i64 { 0 }
        #[inline(always)]
        fn value(self) -> i128 { i128::from(self) }
    })*};
}
integers!(bool, u8, i8, u16, i16, u32, i32);
macro_rules! wide_integers {
    ($($T:ty),*) => {$(impl Integer for $T {
        #[inline(always)]
        fn low(self) -> i64 { (self & 0xffff_ffff) as i64 }
        #[inline(always)]
        fn high(self) -> i64 { (self >> 32) as i64 }
        #[inline(always)]
        fn value(self) -> i128 { i128::from(self) }
    })*};
}
wide_integers!(u64, i64);

/// Sums of integers: exact in 128 bits.
pub(super) struct IntegerSum(pub(super) Simd);

/// The sum of a block; each half has room for 2^31 elements.
struct Halves<'a, T>(&'a [T]);

impl<T: Integer> Kernel for Halves<'_, T> {
    type Output = i128;

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> i128 {
        let (mut low, mut high) = (0i64, 0i64);
        if T::DTYPE.size() <= 2 {
            // Lanes of 32 bits hold a block.
            for block in blocks_ahead(self.0) {
                let mut sum = 0i32;
                for value in block {
                    sum = sum.wrapping_add(value.low() as i32);
                }
                low += i64::from(sum);
            }
        } else {
            for block in blocks_ahead(self.0) {
                for value in block {
                    low = low.wrapping_add(value.low());
                    high = high.wrapping_add(value.high());
                }
            }
        }
        (i128::from(high) << 32) + i128::from(low)
    }
}

/// Adds rows to columns of halves.
struct HalvesOfColumns<'a, T> {
    rows: &'a [&'a [T]],
    low: &'a mut [i64],
    high: &'a mut [i64],
}

impl<T: Integer> Kernel for HalvesOfColumns<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        let width = self.low.len();
        let (low, high) = (&mut self.low[..width], &mut self.high[..width]);
        for row in self.rows {
            let row = &row[..width];
            for i in 0..width {
                low[i] = low[i].wrapping_add(row[i].low());
            }
            if T::DTYPE.size() == 8 {
                for i in 0..width {
                    high[i] = high[i].wrapping_add(row[i].high());
                }
            }
        }
    }
}

pub(super) struct IntegerColumns {
    sums: Vec<i128>,
    low: Vec<i64>,
    high: Vec<i64>,
}

impl<T: Integer> Fold<T> for IntegerSum {
    type Partial = i128;
    type Columns = IntegerColumns;

    fn start(&self, _: Option<&i128>) -> i128 {
        0
    }

    fn row(&self, sum: &mut i128, values: &[T], _: u64) {
        for block in values.chunks(1 << 30) {
            *sum += self.0.run(Halves(block));
        }
    }

    fn merge(&self, sum: &mut i128, later: i128) {
        *sum += later;
    }

    fn start_columns(&self, width: usize) -> IntegerColumns {
        IntegerColumns { sums: vec![0; width], low: vec![0; width], high: vec![0; width] }
    }

    fn rows(&self, columns: &mut IntegerColumns, rows: &[&[T]], _: u64) {
        columns.low.fill(0);
        columns.high.fill(0);
        self.0.run(HalvesOfColumns { rows, low: &mut columns.low, high: &mut columns.high });
        for ((sum, low), high) in columns.sums.iter_mut().zip(&columns.low).zip(&columns.high) {
            *sum += (i128::from(*high) << 32) + i128::from(*low);
        }
    }

    fn end_columns(&self, columns: IntegerColumns) -> Vec<i128> {
        columns.sums
    }
}

/// Counts of nonzero elements.
pub(super) struct Count(pub(super) Simd);

struct Nonzero<'a, T>(&'a [T]);

impl<T: Real> Kernel for Nonzero<'_, T> {
    type Output = u64;

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> u64 {
        let mut count = 0;
        for block in blocks_ahead(self.0) {
            let mut some = 0u32;
            for value in block {
                some = some.wrapping_add(u32::from(*value != T::ZERO));
            }
            count += u64::from(some);
        }
        count
    }
}

struct NonzeroOfColumns<'a, T> {
    rows: &'a [&'a [T]],
    counts: &'a mut [u64],
}

impl<T: Real> Kernel for NonzeroOfColumns<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        let width = self.counts.len();
        let counts = &mut self.counts[..width];
        for row in self.rows {
            let row = &row[..width];
            for i in 0..width {
                counts[i] = counts[i].wrapping_add(u64::from(row[i] != T::ZERO));
            }
        }
    }
}

impl<T: Real> Fold<T> for Count {
    type Partial = u64;
    type Columns = Vec<u64>;

    fn start(&self, _: Option<&u64>) -> u64 {
        0
    }

    fn row(&self, count: &mut u64, values: &[T], _: u64) {
        *count += self.0.run(Nonzero(values));
    }

    fn merge(&self, count: &mut u64, later: u64) {
        *count += later;
    }

    fn start_columns(&self, width: usize) -> Vec<u64> {
        vec![0; width]
    }

    fn rows(&self, counts: &mut Vec<u64>, rows: &[&[T]], _: u64) {
        self.0.run(NonzeroOfColumns { rows, counts });
    }

    fn end_columns(&self, counts: Vec<u64>) -> Vec<u64> {
        counts
    }
}

/// Plain sums in binary64: one lane of a vector after the other, then the segments.
pub(super) struct FastSum(pub(super) Simd);

struct Plain<'a, T>(&'a [T]);

impl<T: Float> Kernel for Plain<'_, T> {
    type Output = f64;

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> f64 {
        let mut lanes = [-0.0; 64];
        let (blocks, rest) = self.0.as_chunks::<64>();
        for block in blocks {
            for line in (0..size_of_val(block)).step_by(64) {
                prefetch_ahead(block.as_ptr().wrapping_byte_add(line));
            }
            for i in 0..64 {
                lanes[i] += block[i].widen();
            }
        }
        rest.iter().zip(&mut lanes).for_each(|(x, lane)| *lane += x.widen());
        let mut width = 32;
        while width > 0 {
            for i in 0..width {
                lanes[i] += lanes[i + width];
            }
            width /= 2;
        }
        lanes[0]
    }
}

impl<T: Float> Fold<T> for FastSum {
    type Partial = f64;
    type Columns = Vec<f64>;
    const EXACT: bool = false;

    fn start(&self, _: Option<&f64>) -> f64 {
        -0.0
    }

    fn row(&self, sum: &mut f64, values: &[T], _: u64) {
        *sum += self.0.run(Plain(values));
    }

    fn merge(&self, sum: &mut f64, later: f64) {
        *sum += later;
    }

    fn start_columns(&self, width: usize) -> Vec<f64> {
        vec![-0.0; width]
    }

    fn rows(&self, columns: &mut Vec<f64>, rows: &[&[T]], _: u64) {
        for row in rows {
            columns.iter_mut().zip(*row).for_each(|(sum, x)| *sum += x.widen());
        }
    }

    fn end_columns(&self, columns: Vec<f64>) -> Vec<f64> {
        columns
    }
}

impl<T: Float> Neutral<T> for FastSum {
    fn neutral(&self) -> T {
        T::of(-0.0)
    }
}

impl<T: Float> Neutral<T> for FloatSum {
    fn neutral(&self) -> T {
        T::of(-0.0)
    }
}

impl<T: Float> Neutral<T> for Count {
    fn neutral(&self) -> T {
        T::ZERO
    }
}
