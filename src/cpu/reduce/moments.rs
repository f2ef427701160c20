//! Sums of what floats become: magnitudes, powers, squares, products; and moments.

#[cfg(target_arch = "x86_64")]
use super::columns::largest;
use super::columns::{FloatColumns, PATIENCE, PushRows, STRIP_BYTES, TALL, in_strips};
use super::drive::{Fold, HEIGHT};
use super::pair::FoldPairs;
use super::selected::Neutral;
use crate::cpu::simd::{Kernel, Simd};
use crate::exact::Moments;
use crate::exact::accumulator::Accumulator;
use crate::exact::fast::Float;
#[cfg(target_arch = "x86_64")]
use crate::exact::fast::exponent;
#[cfg(target_arch = "x86_64")]
use crate::exact::moment_integers;
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
        FloatColumns::new(width)
    }

    fn rows(&self, columns: &mut FloatColumns, rows: &[&[T]], _: u64) {
        map_rows(&self.0, self.1, rows, |rows| columns.add(rows, self.1));
    }

    fn end_columns(&self, columns: FloatColumns) -> Vec<Accumulator> {
        columns.into_sums()
    }
}

impl<T: Float, M: Map> Neutral<T> for MappedSum<M> {
    fn neutral(&self) -> T {
        T::of(self.0.nothing())
    }
}

/// Sums of squares.
pub(super) struct SquareSum(pub(super) Simd);

/// Columns of sums of squares: upper and lower parts, and squares of any exponents.
pub(super) struct ProductColumns {
    upper: FloatColumns,
    /// What the upper parts lack, or, where numbers and squares are summed at once, numbers that nobody asked for.
    lower: FloatColumns,
    tables: Vec<SquareTable>,
    /// The infinities seen.
    special: Vec<u8>,
    width: usize,
    /// Tiles until few levels are tried again.
    pause: u32,
    #[cfg(target_arch = "x86_64")]
    integers: Integers,
}

/// What sums of columns as integers need: their lanes, and the exponent of the largest magnitude so far.
#[cfg(target_arch = "x86_64")]
#[derive(Default)]
struct Integers {
    lanes: Vec<moment_integers::Columns>,
    top: Option<i32>,
}

impl ProductColumns {
    fn new(width: usize) -> Self {
        let sums = || FloatColumns::new(width);
        Self {
            upper: sums(),
            lower: sums(),
            tables: vec![],
            special: vec![],
            width,
            pause: 0,
            #[cfg(target_arch = "x86_64")]
            integers: Integers::default(),
        }
    }

    /// Adds the squares of rows, and the rows to `sums` if there are some.
    fn add<T: Float>(&mut self, mut sums: Option<&mut FloatColumns>, mut rows: &[&[T]], simd: Simd) {
        // Where products are laid down they have to stay in the cache.
        #[cfg(target_arch = "x86_64")]
        let height = match simd {
            Simd::Avx2 if T::NARROW => moment_integers::HEIGHT,
            _ if self.upper.has_moments(T::NARROW, simd) => HEIGHT,
            _ => HEIGHT / 4,
        };
        #[cfg(not(target_arch = "x86_64"))]
        let height = HEIGHT / 4;
        while !rows.is_empty() {
            // Windows take all rows until levels are tried again.
            let tiles = self.pause.max(1) as usize;
            let (some, rest) = rows.split_at(rows.len().min(tiles * height));
            rows = rest;
            if self.pause == 0 {
                if self.add_in_levels(sums.as_deref_mut(), some, simd) {
                    continue;
                }
                self.pause = PATIENCE;
            }
            self.pause = self.pause.saturating_sub(some.len().div_ceil(height) as u32);
            if T::NARROW {
                some.chunks(height.min(HEIGHT)).for_each(|rows| self.add_narrow(sums.as_deref_mut(), rows, simd));
            } else {
                self.scatter(sums.as_deref_mut(), some, simd);
            }
        }
    }

    /// Adds a tile of rows with few levels, if they suffice.
    fn add_in_levels<T: Float>(&mut self, sums: Option<&mut FloatColumns>, rows: &[&[T]], simd: Simd) -> bool {
        #[cfg(target_arch = "x86_64")]
        if self.upper.has_moments(T::NARROW, simd) {
            return sums.unwrap_or(&mut self.lower).add_moments(&mut self.upper, rows, simd);
        }
        #[cfg(target_arch = "x86_64")]
        if simd == Simd::Avx2 && T::NARROW {
            let narrow: Vec<&[f32]> = rows.iter().filter_map(|row| T::narrow(row)).collect();
            return self.add_integers(sums, &narrow, simd);
        }
        if T::NARROW {
            return false;
        }
        let (mut upper, mut lower) = (vec![0.0; rows.len() * self.width], vec![0.0; rows.len() * self.width]);
        let parts = upper.chunks_exact_mut(self.width).zip(lower.chunks_exact_mut(self.width));
        let exact = rows.iter().zip(parts).all(|(row, (upper, lower))| simd.run(Wide { a: row, b: row, upper, lower }));
        if exact {
            self.upper.add(&upper.chunks_exact(self.width).collect::<Vec<&[f64]>>(), simd);
            self.lower.add(&lower.chunks_exact(self.width).collect::<Vec<&[f64]>>(), simd);
            if let Some(sums) = sums {
                sums.add(rows, simd);
            }
        }
        exact
    }

    /// Adds a tile of rows as integers, with AVX2, unless their exponents spread too far.
    #[cfg(target_arch = "x86_64")]
    fn add_integers(&mut self, mut sums: Option<&mut FloatColumns>, rows: &[&[f32]], simd: Simd) -> bool {
        let whole = self.width / moment_integers::GROUP * moment_integers::GROUP;
        let mut top = match self.integers.top {
            Some(top) => top,
            None => exponent(largest(&rows[..1], simd)),
        };
        for _ in 0..2 {
            if top > moment_integers::MOST_TOP {
                return false;
            }
            let unit = moment_integers::grid(top);
            let mut each = |column: usize, sum: i64, squares: i128| {
                if let Some(sums) = &mut sums {
                    sums.sum(column).add(sum.into(), -unit);
                }
                self.upper.sum(column).add(squares, -2 * unit);
                self.upper.sum(column).note(false);
            };
            // SAFETY: the level says that the instructions are there.
            match unsafe { moment_integers::sums_of_columns(rows, top, &mut self.integers.lanes, &mut each) } {
                Ok(()) => {
                    self.integers.top = Some(top);
                    for (column, &x) in rows.iter().flat_map(|row| row.iter().enumerate().skip(whole)) {
                        let x = f64::from(x);
                        if let Some(sums) = &mut sums {
                            sums.sum(column).push(x);
                        }
                        self.upper.sum(column).push(x * x);
                    }
                    if let Some(sums) = sums {
                        sums.note(rows);
                    }
                    return true;
                }
                Err(largest) if largest == top => return false,
                Err(largest) => top = largest,
            }
        }
        false
    }

    /// Adds a tile of rows of binary32 numbers, whose squares binary64 holds.
    #[cfg_attr(not(target_arch = "x86_64"), allow(unused_mut, reason = "lent only where there are such vectors"))]
    fn add_narrow<T: Float>(&mut self, mut sums: Option<&mut FloatColumns>, rows: &[&[T]], simd: Simd) {
        #[cfg(target_arch = "x86_64")]
        if self.upper.has_moments(true, simd) {
            let narrow: Vec<&[f32]> = rows.iter().filter_map(|row| T::narrow(row)).collect();
            let sums = sums.as_deref_mut().unwrap_or(&mut self.lower);
            if sums.add_whole_moments(&mut self.upper, &narrow) {
                return;
            }
        }
        map_rows(&Square, simd, rows, |rows| self.upper.add(rows, simd));
        if let Some(sums) = sums {
            sums.add(rows, simd);
        }
    }

    /// Adds rows of any exponents, some columns at a time.
    fn scatter<T: Float>(&mut self, mut sums: Option<&mut FloatColumns>, rows: &[&[T]], simd: Simd) {
        self.tables.resize(self.width, SquareTable::new());
        self.special.resize(self.width, 0);
        in_strips(rows, STRIP_BYTES / 2, &mut |columns, rows| {
            let numbers = sums.as_deref_mut().map(|sums| sums.windows(columns.clone()));
            let mut numbers = numbers.map(|(tables, sums)| tables.chunks_mut(STRIP).zip(sums.chunks_mut(STRIP)));
            let tables = self.tables[columns.clone()].chunks_mut(STRIP).zip(self.special[columns].chunks_mut(STRIP));
            for ((tables, special), at) in tables.zip((0..).step_by(STRIP)) {
                let mut numbers = numbers.as_mut().and_then(|numbers| numbers.next());
                for some in rows.chunks(ROWS) {
                    let strip = numbers.as_mut().map(|(numbers, _)| &mut **numbers);
                    if add_square_columns(some, at, tables, strip, simd) {
                        continue;
                    }
                    tables.iter_mut().for_each(|table| table.room(some.len()));
                    for row in some {
                        for ((table, special), x) in tables.iter_mut().zip(&mut *special).zip(&row[at..]) {
                            *special |= table.push_square(x.widen());
                        }
                    }
                    if let Some((tables, sums)) = &mut numbers {
                        simd.run(PushRows { rows: some, at, tables, sums });
                    }
                }
            }
        });
        if let Some(sums) = sums {
            sums.note(rows);
        }
    }

    fn into_sums(mut self, simd: Simd) -> Vec<Products> {
        let mut sums = vec![Products::new(); self.width];
        #[cfg(target_arch = "x86_64")]
        // Numbers that nobody asked for.
        if self.upper.has_moments(false, simd) {
            self.lower = FloatColumns::new(self.width);
        }
        let _ = simd;
        for ((sum, upper), lower) in sums.iter_mut().zip(&self.upper.into_sums()).zip(&self.lower.into_sums()) {
            sum.merge_parts(upper, lower);
        }
        for ((sum, table), special) in sums.iter_mut().zip(&mut self.tables).zip(self.special) {
            sum.take(table, special);
        }
        sums
    }
}

impl<T: Float> Fold<T> for SquareSum {
    type Partial = Products;
    type Columns = ProductColumns;
    const WIDTH: usize = 512;
    const HEIGHT: usize = TALL;

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
        ProductColumns::new(width)
    }

    fn rows(&self, columns: &mut ProductColumns, rows: &[&[T]], _: u64) {
        columns.add(None, rows, self.0);
    }

    fn end_columns(&self, columns: ProductColumns) -> Vec<Products> {
        columns.into_sums(self.0)
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
    const HEIGHT: usize = TALL;

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
        (FloatColumns::new(width), ProductColumns::new(width))
    }

    fn rows(&self, (sums, squares): &mut Self::Columns, rows: &[&[T]], _: u64) {
        squares.add(Some(sums), rows, self.0);
    }

    fn end_columns(&self, (sums, squares): Self::Columns) -> Vec<Self::Partial> {
        sums.into_sums().into_iter().zip(squares.into_sums(self.0)).collect()
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
    use super::super::sum::FloatSum;
    use super::*;
    use crate::exact::{ExactDot, ExactSum};

    /// Columns hold their sums and their sums of squares, whatever the exponents, the width and the rows at a time.
    #[test]
    fn squares_of_columns_are_exact() {
        fn columns<T: Float, F: Fold<T>>(fold: &F, rows: &[&[T]], height: usize) -> Vec<F::Partial> {
            let mut columns = fold.start_columns(rows[0].len());
            rows.chunks(height).for_each(|rows| fold.rows(&mut columns, rows, 0));
            fold.end_columns(columns)
        }
        fn check<T: Float>(values: &[T], width: usize, height: usize, simd: Simd) {
            let rows: Vec<&[T]> = values.chunks_exact(width).collect();
            let squares = columns(&SquareSum(simd), &rows, height);
            let moments = columns(&FloatMoments(simd), &rows, height);
            let sums = columns(&FloatSum(simd), &rows, height);
            for column in 0..width {
                let (mut expected, mut sum) = (ExactDot::new(), ExactSum::new());
                for x in rows.iter().map(|row| row[column].widen()) {
                    expected.push(x, x);
                    sum.push(x);
                }
                let label = format!("{simd:?} column {column} of {width}, {height} rows");
                assert_eq!(squares[column].to_dot(), expected, "{label}");
                assert_eq!(moments[column].1.to_dot(), expected, "{label}");
                assert_eq!(moments[column].0.to_sum(), sum, "{label}");
                assert_eq!(sums[column].to_sum(), sum, "{label}");
            }
        }
        let mut state = 3u64;
        let mut bits = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            state ^ (state >> 29)
        };
        for simd in Simd::available() {
            for (width, height) in [(1, 40), (7, 1), (8, 256), (19, 33), (40, 1024), (130, 600)] {
                let wild: Vec<f64> = (0..width * 700).map(|_| f64::from_bits(bits() & !(1 << 52))).collect();
                let mut some = wild.clone();
                some[width * 300] = f64::NAN;
                some[width * 650 + width / 2] = f64::NEG_INFINITY;
                let mixed: Vec<f64> = (0..width * 700).map(|i| if i < width * 300 { i as f64 } else { wild[i] }).collect();
                let near: Vec<f64> =
                    (0..width * 700).map(|i| if i % width == 2 { -0.0 } else { i as f64 * 1e-3 - 1.0 }).collect();
                for values in [wild, some, mixed, near] {
                    check(&values, width, height, simd);
                    check(&values.iter().map(|&x| x as f32).collect::<Vec<_>>(), width, height, simd);
                    let any = values.iter().map(|x| f32::from_bits((x.to_bits() >> 16) as u32 & !(1 << 23)));
                    check(&any.collect::<Vec<_>>(), width, height, simd);
                }
            }
        }
    }
}
