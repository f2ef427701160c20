//! Sums of squares and products of binary64 numbers of all exponents, without vectors: an integer of 128 bits for every exponent.
//!
//! A significand has 53 bits and a product of two 106, so that 128 bits have room for some million of them as they are: a number
//! costs a multiplication and one addition to memory, and nothing is moved up or cut.

use std::cell::Cell;
use std::ops::Range;

use super::{LIMBS, is_special, significand};
use crate::cpu::simd::{Kernel, Simd};
use crate::exact::{ExactDot, ExactSum};

/// Sums of products, by the sum of two exponent fields; or of numbers and of their squares in turns, by their field.
const COUNT: usize = 4096;
/// What the sums have room for: each number adds 106 bits at most.
const ROOM: usize = 1 << 20;
/// Numbers of which it is asked at once whether they are finite.
const BLOCK: usize = 256;
/// Elements from which on a row is worth it: all sums are looked through behind it.
pub(crate) const LEAST_ROW: usize = 1024;
/// Words of a sum of products.
const WORDS: usize = 66;
/// The exponent of numbers whose field is 0.
const UNIT: i32 = -1075;

/// Sums by exponent.
#[derive(Debug, Clone)]
#[repr(align(64))]
pub(crate) struct Exponents {
    sums: [i128; COUNT],
    /// Numbers that are in these.
    added: usize,
    /// Whether they are products of pairs.
    pairs: bool,
    simd: Simd,
    /// What was moved on when there was no room.
    numbers: ExactSum,
    products: ExactDot,
}

thread_local! {
    /// Empty ones for the next who needs some.
    static SPARE: Cell<Option<Box<Exponents>>> = const { Cell::new(None) };
}

impl Exponents {
    /// Those that this thread kept, or new ones: for products of pairs, or for squares and numbers.
    pub(crate) fn spare(pairs: bool, simd: Simd) -> Box<Self> {
        let (numbers, products) = (ExactSum::new(), ExactDot::new());
        let new = || Box::new(Self { sums: [0; COUNT], added: 0, pairs, simd, numbers, products });
        let mut exponents = SPARE.take().unwrap_or_else(new);
        (exponents.pairs, exponents.simd) = (pairs, simd);
        exponents
    }

    /// Adds squares, and the numbers too if `NUMBERS`, some hundred at a time, until some are not finite. The answer is how many
    /// were added.
    pub(crate) fn extend_squares<const NUMBERS: bool>(&mut self, values: &[f64]) -> usize {
        debug_assert!(!self.pairs);
        self.extend(values.len(), |sums, some, simd| simd.run(Squares::<NUMBERS> { values: &values[some], sums }))
    }

    /// Adds the products of pairs, as [`extend_squares`](Self::extend_squares) does; the slices must be of one length.
    pub(crate) fn extend_pairs(&mut self, a: &[f64], b: &[f64]) -> usize {
        debug_assert!(self.pairs);
        self.extend(a.len(), |sums, some, simd| simd.run(Pairs { a: &a[some.clone()], b: &b[some], sums }))
    }

    /// Adds as many of some numbers as `add` does, which is called with ranges of them that there is room for.
    fn extend(&mut self, count: usize, mut add: impl FnMut(&mut [i128; COUNT], Range<usize>, Simd) -> usize) -> usize {
        let mut done = 0;
        while done < count {
            if self.added == ROOM {
                self.move_on();
            }
            let some = (count - done).min(ROOM - self.added);
            let more = add(&mut self.sums, done..done + some, self.simd);
            self.added += more;
            done += more;
            if more < some {
                break;
            }
        }
        done
    }

    /// Moves all sums on.
    fn move_on(&mut self) {
        let (sums, simd) = (&mut self.sums, self.simd);
        if self.pairs {
            let products = simd.run(Take::<1, 1, { 2 * WORDS }> { sums, first: 0 });
            self.products.add_number(&words::<WORDS>(&products), 2 * UNIT);
        } else {
            self.numbers.add_digits(&simd.run(Take::<2, 1, { 2 * LIMBS }> { sums, first: 0 }));
            let squares = simd.run(Take::<2, 2, { 2 * WORDS }> { sums, first: 1 });
            self.products.add_number(&words::<WORDS>(&squares), 2 * UNIT);
        }
        self.added = 0;
    }

    /// Moves everything into a sum of products, and one of numbers if they are wanted, and keeps the empty ones for the next one on
    /// this thread.
    pub(crate) fn empty(mut self: Box<Self>, numbers: Option<&mut ExactSum>, products: &mut ExactDot) {
        self.move_on();
        products.merge(&std::mem::take(&mut self.products));
        let sum = std::mem::take(&mut self.numbers);
        if let Some(numbers) = numbers {
            numbers.merge(&sum);
        }
        SPARE.set(Some(self));
    }
}

/// Takes sums away, every `STRIDE`th from `first` on, and puts them together, the exponents of neighbours `STEP` apart: digits of
/// 32 bits, the least significant one first, in two's complement.
struct Take<'a, const STRIDE: usize, const STEP: usize, const DIGITS: usize> {
    sums: &'a mut [i128; COUNT],
    first: usize,
}

impl<const STRIDE: usize, const STEP: usize, const DIGITS: usize> Kernel for Take<'_, STRIDE, STEP, DIGITS> {
    type Output = [u32; DIGITS];

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> [u32; DIGITS] {
        // So many make a digit, and what lies above, in integers of 64 bits for each of the sums' own four digits: below 2^63.
        let together = 32 / STEP;
        const SIGN: i128 = i128::MIN;
        let signs = (0..together).fold(0, |signs, i| signs + (1 << (31 + STEP * i)));
        let (mut second, mut third, mut last) = ([0; 2], [0; 3], [0; 4]);
        let mut over = 0i128;
        let mut digits = [0; DIGITS];
        let mut groups = self.sums.chunks_exact_mut(STRIDE * together);
        for digit in &mut digits {
            let mut parts = [0u64; 4];
            if let Some(group) = groups.next().filter(|group| group.iter().any(|&sum| sum != 0)) {
                for i in (0..together).rev() {
                    // Moved up by half the range, a sum has no sign.
                    let sum: [u32; 4] = bytemuck::cast(std::mem::take(&mut group[STRIDE * i + self.first]) ^ SIGN);
                    parts = std::array::from_fn(|k| (parts[k] << STEP) + u64::from(sum[k]));
                }
                parts[3] = parts[3].wrapping_sub(signs);
            }
            (second, third, last) =
                ([parts[1], second[0]], [parts[2], third[0], third[1]], [parts[3], last[0], last[1], last[2]]);
            over += i128::from(parts[0]) + i128::from(second[1]) + i128::from(third[2]) + i128::from(last[3] as i64);
            *digit = over as u32;
            over >>= 32;
        }
        digits
    }
}

/// Pairs of digits as words.
fn words<const WORDS: usize>(digits: &[u32]) -> [u64; WORDS] {
    std::array::from_fn(|i| u64::from(digits[2 * i]) | u64::from(digits[2 * i + 1]) << 32)
}

/// Adds squares to sums, and numbers if `NUMBERS`; the answer is how many, all before the block with the first one that is not
/// finite.
struct Squares<'a, const NUMBERS: bool> {
    values: &'a [f64],
    sums: &'a mut [i128; COUNT],
}

impl<const NUMBERS: bool> Kernel for Squares<'_, NUMBERS> {
    type Output = usize;

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> usize {
        let (sums, _) = self.sums.as_chunks_mut::<2>();
        let mut done = 0;
        for values in self.values.chunks(BLOCK) {
            if any_special(values) {
                break;
            }
            for &x in values {
                let (field, part) = significand(x.to_bits());
                let [sum, squares] = &mut sums[field as usize];
                if NUMBERS {
                    let sign = x.to_bits() as i64 >> 63;
                    *sum = sum.wrapping_add(i128::from((part as i64 ^ sign) - sign));
                }
                *squares = squares.wrapping_add((u128::from(part) * u128::from(part)) as i128);
            }
            done += values.len();
        }
        done
    }
}

/// Adds the products of pairs, as [`Squares`].
struct Pairs<'a> {
    a: &'a [f64],
    b: &'a [f64],
    sums: &'a mut [i128; COUNT],
}

impl Kernel for Pairs<'_> {
    type Output = usize;

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> usize {
        let mut done = 0;
        for (a, b) in self.a.chunks(BLOCK).zip(self.b.chunks(BLOCK)) {
            if any_special(a) || any_special(b) {
                break;
            }
            for (x, y) in a.iter().zip(b) {
                let ((a_field, a_part), (b_field, b_part)) = (significand(x.to_bits()), significand(y.to_bits()));
                let sign = (x.to_bits() ^ y.to_bits()) as i64 >> 63;
                let product = i128::from((a_part as i64 ^ sign) - sign) * i128::from(b_part as i64);
                let sum = &mut self.sums[(a_field + b_field) as usize % COUNT];
                *sum = sum.wrapping_add(product);
            }
            done += a.len();
        }
        done
    }
}

/// Whether some numbers are not finite.
#[inline(always)]
fn any_special(values: &[f64]) -> bool {
    values.iter().fold(false, |any, x| any | is_special(x.to_bits()))
}

#[cfg(test)]
mod tests {
    use super::super::tests::numbers;
    use super::*;

    #[test]
    fn exponents_hold_what_sums_of_squares_and_products_hold() {
        let mut state = 5;
        for (simd, round) in Simd::available().into_iter().flat_map(|simd| (0..20).map(move |round| (simd, round))) {
            let n = [1, 255, 257, 20_000][round % 4];
            let finite = |values: Vec<f64>| values.into_iter().map(|x| if x.is_finite() { x } else { f64::MIN }).collect();
            let (a, b): (Vec<f64>, Vec<f64>) = (finite(numbers(round, &mut state, n)), finite(numbers(round / 4, &mut state, n)));
            let mut expected = (ExactSum::new(), ExactDot::new(), ExactDot::new());
            for (&a, &b) in a.iter().zip(&b) {
                expected.0.push(a);
                expected.1.push(a, a);
                expected.2.push(a, b);
            }
            let (mut moments, mut pairs) = (Exponents::spare(false, simd), Exponents::spare(true, simd));
            for (a, b) in [(&a[..n / 2], &b[..n / 2]), (&a[n / 2..], &b[n / 2..])] {
                assert_eq!(moments.extend_squares::<true>(a), a.len());
                assert_eq!(pairs.extend_pairs(a, b), a.len());
                if round % 2 == 0 {
                    moments.move_on();
                    pairs.move_on();
                }
            }
            let (mut sum, mut squares, mut products) = (ExactSum::new(), ExactDot::new(), ExactDot::new());
            moments.empty(Some(&mut sum), &mut squares);
            pairs.empty(None, &mut products);
            sum.add_zero(false);
            expected.0.add_zero(false);
            assert_eq!((sum, squares, products), expected, "{simd:?} {round}");
            let kept = SPARE.take().expect("the last one");
            assert!(kept.sums == [0; COUNT] && kept.numbers == ExactSum::new() && kept.products == ExactDot::new());
        }
    }

    /// More of the largest number than there is room for.
    #[test]
    fn full_sums_move_on() {
        let simd = Simd::current();
        for value in [f64::MAX, f64::MIN] {
            let values = vec![value; 2 * ROOM];
            let (mut moments, mut pairs) = (Exponents::spare(false, simd), Exponents::spare(true, simd));
            assert_eq!(moments.extend_squares::<true>(&values), 2 * ROOM);
            assert_eq!(pairs.extend_pairs(&values, &vec![f64::MAX; 2 * ROOM]), 2 * ROOM);
            let (mut sum, mut squares, mut products) = (ExactSum::new(), ExactDot::new(), ExactDot::new());
            moments.empty(Some(&mut sum), &mut squares);
            pairs.empty(None, &mut products);
            let mut expected = (ExactSum::new(), ExactDot::new(), ExactDot::new());
            expected.0.push(value);
            expected.1.push(value, value);
            expected.2.push(value, f64::MAX);
            for _ in 0..(2 * ROOM).ilog2() {
                expected.0.merge(&expected.0.clone());
                expected.1.merge(&expected.1.clone());
                expected.2.merge(&expected.2.clone());
            }
            assert_eq!((sum, squares, products), expected);
        }
    }

    #[test]
    fn what_is_not_finite_is_left() {
        let mut values = [1.0; 700];
        values[300] = f64::NEG_INFINITY;
        let simd = Simd::current();
        assert_eq!(Exponents::spare(false, simd).extend_squares::<false>(&values), BLOCK);
        assert_eq!(Exponents::spare(true, simd).extend_pairs(&[1.0; 700], &values), BLOCK);
    }
}
