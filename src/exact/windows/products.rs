//! Sums of products of binary64 numbers of all exponents: four lanes of 52 bits for every 32 exponents, of squares for every 64.

use std::cell::Cell;

use super::{BITS, MASK, TABLES, Table, Windows, is_special, significand};
#[cfg(target_arch = "x86_64")]
use super::{ROWS, STRIP, pointers, vectors};
use crate::cpu::simd::{Kernel, Simd};
use crate::exact::fast::Float;
use crate::exact::{ExactDot, special};

/// Products that a lane has room for, beside what stays in it (52 bits and what was moved there): each adds up to three parts of 52
/// bits.
const ROOM: u32 = 680;
/// The exponent of the product of two numbers whose field is 0, as they are cut.
const LEAST: i32 = -2150;

/// Sums of products by exponent.
#[derive(Debug, Clone)]
#[repr(align(64))]
pub(crate) struct ProductTable<const COUNT: usize> {
    lanes: [[i64; 4]; COUNT],
    /// Products since the last move.
    added: u32,
}

impl<const COUNT: usize> ProductTable<COUNT> {
    /// Bits from one window to the next.
    const STRIDE: usize = 4096 / COUNT;

    pub(crate) const fn new() -> Self {
        Self { lanes: [[0; 4]; COUNT], added: 0 }
    }

    /// The windows' lanes.
    #[cfg(target_arch = "x86_64")]
    fn windows(&mut self) -> &mut [[i64; 4]] {
        &mut self.lanes
    }

    /// Makes room for so many products, some hundred at most.
    #[inline(always)]
    pub(crate) fn room(&mut self, count: usize) {
        debug_assert!(count <= ROOM as usize);
        if self.added + count as u32 > ROOM {
            self.carry();
        }
        self.added += count as u32;
    }

    /// Adds a product of finite numbers that [`room`](Self::room) was made for.
    #[inline(always)]
    fn push(&mut self, a: f64, b: f64) {
        let (a, b) = (a.to_bits(), b.to_bits());
        let ((a_field, a_part), (b_field, b_part)) = (significand(a), significand(b));
        let place = (a_field + b_field) as usize;
        let (window, up) = (place / Self::STRIDE, (place % Self::STRIDE) as u32);
        let product = u128::from(a_part) * u128::from(b_part);
        let (low, high) = (product << up, (product >> 64) as u64 >> 1 >> (63 - up));
        let parts = [low as u64, (low >> BITS) as u64, (low >> (2 * BITS)) as u64 | high << 24, high >> 28];
        let sign = (a ^ b) as i64 >> 63;
        let mask = [MASK, MASK, MASK, i64::MAX];
        for ((lane, part), mask) in self.lanes[window].iter_mut().zip(parts).zip(mask) {
            *lane += ((part as i64 & mask) ^ sign) - sign;
        }
    }

    /// Moves what is above each lane's bits to the next one. The last lane has room for 2^50 products.
    fn carry(&mut self) {
        self.added = 0;
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the instructions are there.
            return unsafe { vectors::carry(&mut self.lanes) };
        }
        for [first, second, third, last] in &mut self.lanes {
            *last += *third >> BITS;
            *third = (*third & MASK) + (*second >> BITS);
            *second = (*second & MASK) + (*first >> BITS);
            *first &= MASK;
        }
    }

    /// Moves everything into a sum.
    pub(crate) fn empty(&mut self, sum: &mut ExactDot) {
        empty(std::slice::from_mut(self), sum);
    }
}

/// Moves everything that tables hold into a sum.
fn empty<const COUNT: usize>(tables: &mut [ProductTable<COUNT>], sum: &mut ExactDot) {
    // Lanes of all tables together, in two halves that have room for them.
    let mut halves = [[[0i64; 4]; 2]; COUNT];
    for table in tables {
        for ([lows, highs], lanes) in halves.iter_mut().zip(&mut table.lanes) {
            for ((low, high), lane) in lows.iter_mut().zip(highs).zip(lanes) {
                *low += *lane & 0xffff_ffff;
                *high += *lane >> 32;
                *lane = 0;
            }
        }
        table.added = 0;
    }
    for lane in 0..4 {
        // Words of 64 bits, one of each window or of two, and what is above goes on.
        let (mut words, mut over) = ([0u64; 66], 0i128);
        for (i, [lows, highs]) in halves.iter().enumerate() {
            over += i128::from(lows[lane]) + (i128::from(highs[lane]) << 32);
            let place = i * ProductTable::<COUNT>::STRIDE;
            let digit = if COUNT == 64 { over as u64 } else { u64::from(over as u32) };
            words[place / 64] |= digit << (place % 64);
            over >>= ProductTable::<COUNT>::STRIDE;
        }
        (words[64], words[65]) = (over as u64, (over >> 64) as u64);
        sum.add_number(&words, LEAST + lane as i32 * BITS as i32);
    }
}

/// The sum of the products of one row of pairs.
#[derive(Debug, Clone)]
pub(crate) struct ProductWindows<const COUNT: usize> {
    tables: [ProductTable<COUNT>; TABLES],
    /// The infinities seen.
    special: u8,
}

/// Of squares: their exponents are even.
pub(crate) type SquareWindows = ProductWindows<64>;
/// Of any pairs.
pub(crate) type PairWindows = ProductWindows<128>;

/// Where a thread keeps empty windows for the next one who needs some.
type Place<T> = std::thread::LocalKey<Cell<Option<Box<T>>>>;

/// Windows of which threads keep some.
pub(crate) trait Spare: Sized + 'static {
    fn place() -> &'static Place<Self>;
}

macro_rules! spare {
    ($($T:ty)*) => {$(impl Spare for $T {
        fn place() -> &'static Place<Self> {
            thread_local! {
                static SPARE: Cell<Option<Box<$T>>> = const { Cell::new(None) };
            }
            &SPARE
        }
    })*};
}
spare!(SquareWindows PairWindows);

impl<const COUNT: usize> ProductWindows<COUNT>
where
    Self: Spare,
{
    /// Those that this thread kept, or new ones.
    pub(crate) fn spare() -> Box<Self> {
        let new = || Box::new(Self { tables: [const { ProductTable::new() }; TABLES], special: 0 });
        Self::place().take().unwrap_or_else(new)
    }

    /// Adds the products of pairs; the slices must be of one length, and one where there are windows of squares alone.
    pub(crate) fn extend<T: Float>(&mut self, a: &[T], b: &[T], simd: Simd) {
        for (a, b) in a.chunks(256).zip(b.chunks(256)) {
            self.tables.iter_mut().for_each(|table| table.room(a.len().div_ceil(TABLES)));
            #[cfg(target_arch = "x86_64")]
            if vectors::are_present(simd) {
                let tables = pointers(&mut self.tables, ProductTable::windows);
                // SAFETY: the vectors are there, and tables have a place for each window.
                if unsafe { vectors::run(vectors::Products::<T, COUNT> { pair: (a, b), tables }) } {
                    continue;
                }
            }
            simd.run(Pushes { windows: self, a, b });
        }
    }

    /// Moves everything into a sum, and keeps the windows for the next one on this thread.
    pub(crate) fn empty(mut self: Box<Self>, sum: &mut ExactDot) {
        empty(&mut self.tables, sum);
        let special = std::mem::take(&mut self.special);
        if special != 0 {
            sum.add_special(special);
        }
        Self::place().set(Some(self));
    }
}

impl SquareWindows {
    /// Adds numbers to one sum and their squares to this, if all are finite and there are vectors for that; at most 256. The answer
    /// is whether they were added.
    pub(crate) fn extend_moments<T: Float>(&mut self, numbers: &mut Windows, values: &[T], simd: Simd) -> bool {
        #[cfg(target_arch = "x86_64")]
        if vectors::are_present(simd) {
            let count = values.len().div_ceil(TABLES);
            self.tables.iter_mut().for_each(|table| table.room(count));
            numbers.tables.iter_mut().for_each(|table| table.room(count));
            let tables = pointers(&mut self.tables, ProductTable::windows);
            let numbers = pointers(&mut numbers.tables, Table::windows);
            // SAFETY: the vectors are there, and tables have a place for each window.
            return unsafe { vectors::run(vectors::Moments { values, numbers, tables }) };
        }
        let _ = (numbers, values, simd);
        false
    }
}

/// A column's sum of squares.
pub(crate) type SquareTable = ProductTable<64>;

impl SquareTable {
    /// Adds the square of a number that [`room`](Self::room) was made for; the answer is which infinity it was, if it was not finite
    /// and left out.
    #[inline(always)]
    pub(crate) fn push_square(&mut self, x: f64) -> u8 {
        if is_special(x.to_bits()) {
            return special(x * x);
        }
        self.push(x, x);
        0
    }
}

/// Adds the squares of eight columns of at most `ROWS` rows, from one on, and the numbers to tables of theirs if there are some,
/// if there are vectors for that and all elements are finite. The answer is whether they were added.
pub(crate) fn add_square_columns<T: Float>(
    rows: &[&[T]],
    at: usize,
    tables: &mut [SquareTable],
    numbers: Option<&mut [Table]>,
    simd: Simd,
) -> bool {
    #[cfg(target_arch = "x86_64")]
    if vectors::are_present(simd) && rows.len() <= ROWS && rows.iter().all(|row| row.len() >= at + STRIP) {
        let Ok(tables) = <&mut [SquareTable; STRIP]>::try_from(tables) else { return false };
        tables.iter_mut().for_each(|table| table.room(rows.len()));
        let tables = pointers(tables, ProductTable::windows);
        let numbers = match numbers.map(<&mut [Table; STRIP]>::try_from) {
            None => None,
            Some(Err(_)) => return false,
            Some(Ok(numbers)) => {
                numbers.iter_mut().for_each(|table| table.room(rows.len()));
                Some(pointers(numbers, Table::windows))
            }
        };
        // SAFETY: the vectors are there, the rows long enough, and tables have a place for each window.
        return unsafe { vectors::run(vectors::SquareColumns { rows, at, tables, numbers }) };
    }
    let _ = (rows, at, tables, numbers, simd);
    false
}

/// Pairs that there is room for.
struct Pushes<'a, T, const COUNT: usize> {
    windows: &'a mut ProductWindows<COUNT>,
    a: &'a [T],
    b: &'a [T],
}

impl<T: Float, const COUNT: usize> Kernel for Pushes<'_, T, COUNT> {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        for (a, b) in self.a.chunks(TABLES).zip(self.b.chunks(TABLES)) {
            for ((table, &a), &b) in self.windows.tables.iter_mut().zip(a).zip(b) {
                let (a, b) = (a.widen(), b.widen());
                if is_special(a.to_bits()) || is_special(b.to_bits()) {
                    self.windows.special |= special(a * b);
                } else {
                    table.push(a, b);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::numbers;
    use super::*;

    #[test]
    fn windows_hold_what_a_sum_of_products_holds() {
        let mut state = 5;
        for simd in Simd::available() {
            for round in 0..20 {
                let n = [1, 2047, 2048, 9_000][round % 4];
                let (a, b) = (numbers(round, &mut state, n), numbers(round / 4, &mut state, n));
                let (mut pairs, mut squares) = (PairWindows::spare(), SquareWindows::spare());
                let mut expected = [ExactDot::new(), ExactDot::new()];
                for (a, b) in a.iter().zip(&b) {
                    expected[0].push(*a, *b);
                    expected[1].push(*a, *a);
                }
                pairs.extend(&a[..n / 2], &b[..n / 2], simd);
                pairs.extend(&a[n / 2..], &b[n / 2..], simd);
                squares.extend(&a[..n / 2], &a[..n / 2], simd);
                squares.extend(&a[n / 2..], &a[n / 2..], simd);
                let mut got = [ExactDot::new(), ExactDot::new()];
                pairs.empty(&mut got[0]);
                squares.empty(&mut got[1]);
                assert_eq!(got, expected, "{simd:?} {round}");
            }
        }
    }
}
