//! Sums of binary64 numbers of all exponents: a window for every 32 exponents, of integers in lanes of 64 bits.
//!
//! The upper six bits of a number's exponent field choose the window, the lower five say how far its significand is moved up in
//! there. What that gives is cut in lanes of 52 bits, each with its sign: so a number costs one addition of a vector, whatever
//! its exponent, without a carry. A lane has room for some thousand of them; then what is above its 52 bits moves on.
//!
//! Neighbours go to tables of their own: an addition need not wait for the one before. With AVX-512 and AVX2 eight numbers are cut at a
//! time (see [`vectors`] and [`quads`]).
//!
//! Source: Neal, "Fast exact summation using small and large superaccumulators", 2015 (small accumulators of 32 bits, of which a
//! number touches three).

#[cfg(target_arch = "x86_64")]
mod cut;
mod exponents;
#[cfg(target_arch = "x86_64")]
mod fields;
mod products;
#[cfg(target_arch = "x86_64")]
mod quads;
#[cfg(target_arch = "x86_64")]
mod vectors;

use std::cell::Cell;

pub(crate) use exponents::{Exponents, LEAST_ROW};
#[cfg(target_arch = "x86_64")]
pub(crate) use fields::{Fields, has_fields};
pub(crate) use products::{PairWindows, SquareTable, SquareWindows, add_square_columns};

use super::fast::{Float, number};
use super::{ExactSum, LIMBS};
use crate::cpu::simd::{Kernel, Simd};

/// Bits of a lane.
const BITS: u32 = 52;
/// The bits of a lane.
const MASK: i64 = (1 << BITS) - 1;
/// Windows of numbers.
const COUNT: usize = 64;
/// Numbers that a lane has room for, beside what stays in it.
const ROOM: u32 = (1 << 11) - 1;
/// Tables that share a row of numbers.
const TABLES: usize = 4;

/// The exponent field of a finite number, and its magnitude over 2^-1075 and over two to the power of that.
#[inline(always)]
fn significand(bits: u64) -> (u64, u64) {
    let (field, fraction) = ((bits >> 52) & 0x7ff, bits & MASK as u64);
    // Subnormals count twice on this grid.
    (field, fraction + if field == 0 { fraction } else { 1 << 52 })
}

/// The window of a finite number, and its magnitude times a power of two that depends on the window alone: the lower 52 bits, and
/// the upper ones, at most 33.
#[inline(always)]
fn cut(bits: u64) -> (usize, u64, u64) {
    let (field, significand) = significand(bits);
    let up = field & 31;
    ((field >> 5) as usize, (significand << up) & MASK as u64, significand >> (BITS as u64 - up))
}

/// Whether the bits are those of an infinity or a NaN.
#[inline(always)]
fn is_special(bits: u64) -> bool {
    bits << 1 >= 0x7ff << 53
}

/// Sums by exponent, in units of 2^-1075 times 2^32 to the number of the window.
#[derive(Debug, Clone)]
#[repr(align(64))]
pub(crate) struct Table {
    /// With what moved on from the last window.
    lanes: [[i64; 2]; COUNT + 2],
    /// Numbers since the last move.
    added: u32,
}

impl Table {
    pub(crate) const fn new() -> Self {
        Self { lanes: [[0; 2]; COUNT + 2], added: 0 }
    }

    /// The windows' lanes.
    #[cfg(target_arch = "x86_64")]
    fn windows(&mut self) -> &mut [[i64; 2]] {
        &mut self.lanes
    }

    /// Makes room for so many numbers, some hundred at most.
    #[inline(always)]
    pub(crate) fn room(&mut self, count: usize) {
        debug_assert!(count <= ROOM as usize);
        if self.added + count as u32 > ROOM {
            self.carry();
        }
        self.added += count as u32;
    }

    /// Adds a number that [`room`](Self::room) was made for; the answer is whether it is not finite, and was left out.
    #[inline(always)]
    pub(crate) fn push(&mut self, value: f64) -> bool {
        let bits = value.to_bits();
        if is_special(bits) {
            return not_finite();
        }
        let (window, low, high) = cut(bits);
        let sign = bits as i64 >> 63;
        let lanes = &mut self.lanes[window];
        lanes[0] += (low as i64 ^ sign) - sign;
        lanes[1] += (high as i64 ^ sign) - sign;
        false
    }

    /// Moves what is above each lane's bits to the next one. Two windows on it is 64 bits: of the upper lane 12 stay.
    fn carry(&mut self) {
        for window in 0..COUNT + 2 {
            let [low, high] = self.lanes[window];
            let high = high + (low >> BITS);
            self.lanes[window] = [low & MASK, high];
            if window < COUNT {
                self.lanes[window][1] = high & 0xfff;
                self.lanes[window + 2][0] += high >> 12;
            }
        }
        self.added = 0;
    }

    /// Moves everything into a sum.
    pub(crate) fn empty(&mut self, sum: &mut ExactSum) {
        empty(std::slice::from_mut(self), sum);
    }
}

/// Moves everything that tables hold into a sum.
fn empty(tables: &mut [Table], sum: &mut ExactSum) {
    // Each lane in parts for digits of 32 bits, one of each window and those after it.
    let mut parts = [0i64; 2 * LIMBS];
    for table in tables {
        for (i, lanes) in table.lanes.iter_mut().enumerate() {
            let [low, high] = std::mem::take(lanes);
            parts[i] += low & 0xffff_ffff;
            parts[i + 1] += (low >> 32) + ((high & 0xfff) << (BITS - 32));
            parts[i + 2] += high >> (64 - BITS);
        }
        table.added = 0;
    }
    let mut over = 0;
    let digits = parts.map(|part| {
        over += part;
        let digit = over as u32;
        over >>= 32;
        digit
    });
    sum.add_digits(&digits);
}

/// Where the windows of tables lie.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn pointers<T, L, const N: usize>(tables: &mut [T; N], windows: impl Fn(&mut T) -> &mut [L]) -> [*mut L; N] {
    let mut places = [std::ptr::null_mut(); N];
    for (place, table) in places.iter_mut().zip(tables) {
        *place = windows(table).as_mut_ptr();
    }
    places
}

/// Whether there are vectors for sums of numbers.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn has_vectors(simd: Simd) -> bool {
    vectors::are_present(simd) || quads::are_present(simd)
}

/// Columns whose elements are added at once.
pub(crate) const STRIP: usize = 8;

/// Rows whose elements are added at once.
pub(crate) const ROWS: usize = 32;

/// Adds eight columns of at most [`ROWS`] rows, from one on, if there are vectors for that and all elements are finite. The answer
/// is whether they were added.
pub(crate) fn add_columns<T: Float>(rows: &[&[T]], at: usize, tables: &mut [Table; STRIP], simd: Simd) -> bool {
    #[cfg(target_arch = "x86_64")]
    if has_vectors(simd) && rows.len() <= ROWS && rows.iter().all(|row| row.len() >= at + STRIP) {
        tables.iter_mut().for_each(|table| table.room(rows.len()));
        let tables = pointers(tables, Table::windows);
        // SAFETY: the vectors are there, the rows long enough, and tables have a place for each window.
        return unsafe {
            if quads::are_present(simd) {
                quads::columns(rows, at, tables)
            } else {
                vectors::run(vectors::Columns { rows, at, tables })
            }
        };
    }
    let _ = (rows, at, tables, simd);
    false
}

/// The sum of one row of numbers.
#[derive(Debug, Clone)]
pub(crate) struct Windows {
    tables: [Table; TABLES],
}

thread_local! {
    /// Empty windows for the next one who needs some.
    static SPARE: Cell<Option<Box<Windows>>> = const { Cell::new(None) };
}

impl Windows {
    const fn new() -> Self {
        Self { tables: [const { Table::new() }; TABLES] }
    }

    /// Those that this thread kept, or new ones.
    pub(crate) fn spare() -> Box<Self> {
        SPARE.take().unwrap_or_else(|| Box::new(Self::new()))
    }

    /// Keeps empty windows for the next one on this thread.
    pub(crate) fn keep(self: Box<Self>) {
        SPARE.set(Some(self));
    }

    /// Adds numbers, or their squares if `SQUARE`; the answer is whether some are not finite, and were left out.
    pub(crate) fn extend<T: Float, const SQUARE: bool>(&mut self, values: &[T], simd: Simd) -> bool {
        let mut special = false;
        for values in values.chunks(256) {
            self.tables.iter_mut().for_each(|table| table.room(values.len().div_ceil(TABLES)));
            #[cfg(target_arch = "x86_64")]
            if has_vectors(simd) {
                let tables = pointers(&mut self.tables, Table::windows);
                // SAFETY: the vectors are there, and tables have a place for each window.
                let added = unsafe {
                    if quads::are_present(simd) {
                        quads::row::<T, SQUARE>(values, tables)
                    } else {
                        vectors::run(vectors::Row::<T, SQUARE> { values, tables })
                    }
                };
                if added {
                    continue;
                }
            }
            special |= simd.run(Pushes::<T, SQUARE> { windows: self, values });
        }
        special
    }

    /// Moves everything into a sum.
    pub(crate) fn empty(&mut self, sum: &mut ExactSum) {
        empty(&mut self.tables, sum);
    }
}

/// Whether numbers and products take as long as a few additions each: there is no faster way for those of any exponents.
pub(crate) fn is_fast(simd: Simd) -> bool {
    #[cfg(target_arch = "x86_64")]
    return vectors::are_present(simd);
    #[cfg(not(target_arch = "x86_64"))]
    return matches!(simd, _ if false);
}

/// True, and rare.
#[cold]
fn not_finite() -> bool {
    true
}

/// Numbers that there is room for.
struct Pushes<'a, T, const SQUARE: bool> {
    windows: &'a mut Windows,
    values: &'a [T],
}

impl<T: Float, const SQUARE: bool> Kernel for Pushes<'_, T, SQUARE> {
    type Output = bool;

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> bool {
        let mut special = false;
        for values in self.values.chunks(TABLES) {
            for (table, &value) in self.windows.tables.iter_mut().zip(values) {
                if table.push(number::<T, SQUARE>(value)) {
                    special = true;
                }
            }
        }
        special
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::bits;
    use super::*;

    /// Numbers of a kind, some of which may not be finite.
    pub(super) fn numbers(round: usize, state: &mut u64, n: usize) -> Vec<f64> {
        let mut number = |_| match round % 5 {
            0 => f64::from_bits(bits(state)),
            1 => f64::from_bits(bits(state) & 0x800f_ffff_ffff_ffff),
            2 => f64::MAX * if bits(state).is_multiple_of(3) { -1.0 } else { 1.0 },
            3 => [f64::MAX, -f64::MIN_POSITIVE, 5e-324, -0.0, f64::NAN, 1.0][bits(state) as usize % 6],
            _ => f64::from_bits(bits(state) & !(1 << 52)),
        };
        (0..n).map(&mut number).collect()
    }

    #[test]
    fn windows_hold_what_a_sum_holds() {
        let mut state = 5;
        for simd in Simd::available() {
            let mut windows = Windows::new();
            for round in 0..20 {
                let values = numbers(round, &mut state, [1, 4095, 4096, 30_000][round % 4]);
                let expected: ExactSum = values.iter().copied().filter(|x| x.is_finite()).collect();
                let (mut sum, half) = (ExactSum::new(), values.len() / 2);
                let special = [&values[..half], &values[half..]].map(|part| windows.extend::<f64, false>(part, simd));
                assert_eq!(special.contains(&true), values.iter().any(|x| !x.is_finite()));
                windows.empty(&mut sum);
                sum.add_zero(false);
                assert_eq!(sum.to_f64(), expected.to_f64());
                assert_eq!(sum.to_bytes()[8..], expected.to_bytes()[8..], "{simd:?} {round}");
                let values: Vec<f32> = values.iter().map(|&x| x as f32).collect();
                let squares = values.iter().map(|&x| f64::from(x) * f64::from(x)).filter(|x| x.is_finite());
                let (expected, mut sum): (ExactSum, _) = (squares.collect(), ExactSum::new());
                windows.extend::<f32, true>(&values, simd);
                windows.empty(&mut sum);
                sum.add_zero(false);
                assert_eq!(sum.to_bytes()[8..], expected.to_bytes()[8..], "{simd:?} {round} squares");
            }
        }
    }

    #[test]
    fn columns_hold_their_sums() {
        let mut state = 7;
        for n in [0, 1, 7, 31, 32] {
            let mut tables = [const { Table::new() }; STRIP];
            let mut expected = [const { ExactSum::new() }; STRIP];
            let mut added = true;
            for round in 0..100 {
                let values = numbers(round % 2 * 3 + 1, &mut state, n * 11);
                let values: Vec<f64> = values.iter().map(|&x| if x.is_nan() { 0.0 } else { x }).collect();
                let rows: Vec<&[f64]> = values.chunks_exact(11).collect();
                added &= add_columns(&rows, 2, &mut tables, Simd::current());
                for row in rows {
                    expected.iter_mut().zip(&row[2..]).for_each(|(sum, &x)| sum.push(x));
                }
            }
            for (table, expected) in tables.iter_mut().zip(&mut expected).filter(|_| added) {
                let mut sum = ExactSum::new();
                table.empty(&mut sum);
                sum.add_zero(false);
                expected.add_zero(false);
                assert_eq!(sum, *expected);
            }
        }
    }

    #[test]
    fn columns_with_infinities_are_left_alone() {
        let (mut tables, mut values) = ([const { Table::new() }; STRIP], [1.0; 8 * STRIP]);
        values[20] = f64::INFINITY;
        let rows: Vec<&[f64]> = values.chunks_exact(STRIP).collect();
        assert!(!add_columns(&rows, 0, &mut tables, Simd::current()));
        assert!(tables.iter().all(|table| table.lanes == [[0; 2]; COUNT + 2]));
    }
}
