//! Exact sums of products on SIMD lanes: each product as one or two binary64 numbers, which go the way of all sums.
//!
//! The product of two binary32 numbers is a binary64 number. That of two binary64 numbers is `p + e` with `p` the rounded
//! product and `e` the rest, which a fused multiply-add gives exactly (Dekker's splitting where there is none), unless it
//! would fall below 2^-1074 or `p` overflow. Such products go through windows.

mod moments;

use super::ExactDot;
use super::accumulator::{Accumulator, PATIENCE};
use super::fast::Float;
#[cfg(target_arch = "x86_64")]
use super::moment_levels;
#[cfg(target_arch = "x86_64")]
use super::windows::Fields;
use super::windows::{self, Exponents, LEAST_ROW, PairWindows, SquareTable, SquareWindows};
use crate::cpu::simd::{Kernel, Simd};

/// Elements whose products are formed at a time: they stay in the first-level cache.
pub(crate) const BLOCK: usize = 2048;

/// Products from this magnitude on have their last bit at 2^-1074 or above.
const LEAST: f64 = f64::from_bits((1023 - 968) << 52);
/// Numbers and products up to this magnitude can be split.
const MOST: f64 = f64::MAX / 4.0;

/// An exact sum of products in the making.
#[derive(Debug, Clone)]
pub(crate) struct Products {
    /// The rounded products.
    upper: Accumulator,
    /// What they lack.
    lower: Accumulator,
    /// Blocks until numbers and squares are tried at once again.
    pause: u32,
    /// Blocks that go by exponent until their parts are tried again.
    wild: u32,
    /// What went through windows, now in them or moved on.
    squares: Option<Box<SquareWindows>>,
    #[cfg(target_arch = "x86_64")]
    fields: Option<Box<Fields>>,
    pairs: Option<Box<PairWindows>>,
    /// The same without vectors, of numbers and their squares, and of pairs.
    square_exponents: Option<Box<Exponents>>,
    pair_exponents: Option<Box<Exponents>>,
    spill: Option<Box<ExactDot>>,
}

impl Products {
    pub(crate) fn new() -> Self {
        let (upper, lower) = (Accumulator::new(), Accumulator::new());
        Self {
            upper,
            lower,
            pause: 0,
            wild: 0,
            squares: None,
            #[cfg(target_arch = "x86_64")]
            fields: None,
            pairs: None,
            square_exponents: None,
            pair_exponents: None,
            spill: None,
        }
    }

    /// The sum of nothing, with what was learnt about the factors so far.
    pub(crate) fn next(&self) -> Self {
        Self { upper: self.upper.next(), lower: self.lower.next(), pause: self.pause, wild: self.wild, ..Self::new() }
    }

    /// Adds the products of pairs; the slices must be of one length.
    pub(crate) fn extend<T: Float>(&mut self, a: &[T], b: &[T], simd: Simd) {
        self.extend_open(a, b, simd);
        self.close();
    }

    /// Adds the products of pairs, of some of many slices that together are [`close`](Self::close)d.
    pub(crate) fn extend_open<T: Float>(&mut self, a: &[T], b: &[T], simd: Simd) {
        #[cfg(target_arch = "x86_64")]
        if simd == Simd::Avx512 {
            for (a, b) in a.chunks(2 * BLOCK).zip(b.chunks(2 * BLOCK)) {
                if self.upper.add_products(a, b, simd) {
                    continue;
                }
                if !T::NARROW && a.len() >= 128 && windows::is_fast(simd) {
                    self.extend_windows(a, b, simd);
                } else {
                    self.extend_parts(a, b, simd);
                }
            }
            return;
        }
        #[cfg(target_arch = "x86_64")]
        if moment_levels::can(simd) && a.as_ptr() == b.as_ptr() && a.len() >= 16 {
            // The sum of the numbers is a byproduct.
            let mut sum = Accumulator::new();
            for values in a.chunks(moment_levels::block::<T>()) {
                if self.add_moments(&mut sum, values, simd) {
                    continue;
                }
                if T::NARROW {
                    self.extend_parts(values, values, simd);
                } else {
                    self.extend_windows(values, values, simd);
                }
            }
            return;
        }
        self.extend_parts(a, b, simd);
    }

    /// Ends a row of slices: moves the windows' contents into the sum.
    pub(crate) fn close(&mut self) {
        self.upper.close();
        self.lower.close();
        if let Some(windows) = self.squares.take() {
            windows.empty(self.spill.get_or_insert_default());
        }
        if let Some(windows) = self.pairs.take() {
            windows.empty(self.spill.get_or_insert_default());
        }
        for exponents in [self.square_exponents.take(), self.pair_exponents.take()].into_iter().flatten() {
            exponents.empty(None, self.spill.get_or_insert_default());
        }
    }

    /// Adds products as numbers of their own.
    fn extend_parts<T: Float>(&mut self, a: &[T], b: &[T], simd: Simd) {
        let (mut upper, mut lower) = ([0.0; BLOCK], [0.0; BLOCK]);
        for (a, b) in a.chunks(BLOCK).zip(b.chunks(BLOCK)) {
            let n = a.len().min(b.len());
            let (upper, lower) = (&mut upper[..n], &mut lower[..n]);
            if T::NARROW {
                simd.run(Narrow { a, b, upper });
                self.upper.extend_open(upper, simd);
            } else if self.wild > 0 {
                self.wild -= 1;
                self.extend_windows(a, b, simd);
            } else if simd.run(Wide { a, b, upper, lower }) {
                self.upper.extend_open(upper, simd);
                self.lower.extend_open(lower, simd);
                if self.upper.is_spread() || self.lower.is_spread() {
                    self.wild = PATIENCE;
                }
            } else {
                self.extend_windows(a, b, simd);
                self.wild = PATIENCE / 4;
            }
        }
    }

    /// Adds products of any exponents, or not finite.
    fn extend_windows<T: Float>(&mut self, a: &[T], b: &[T], simd: Simd) {
        let (a, b) = if let (Some(wide), Some(other)) = (T::wide(a), T::wide(b)) {
            let done = self.extend_exponents(wide, other, simd);
            (&a[done..], &b[done..])
        } else {
            (a, b)
        };
        if a.is_empty() {
            return;
        }
        if a.as_ptr() == b.as_ptr() {
            self.squares.get_or_insert_with(SquareWindows::spare).extend(a, b, simd);
        } else {
            self.pairs.get_or_insert_with(PairWindows::spare).extend(a, b, simd);
        }
    }

    /// Adds products, of numbers with themselves or of pairs, by exponent where that is worth it, until some are not finite. The
    /// answer is how many were added.
    fn extend_exponents(&mut self, a: &[f64], b: &[f64], simd: Simd) -> usize {
        let square = a.as_ptr() == b.as_ptr();
        let Some(exponents) = self.exponents(!square, a.len(), simd) else { return 0 };
        if square { exponents.extend_squares::<false>(a) } else { exponents.extend_pairs(a, b) }
    }

    /// What takes products of pairs, or squares, by exponent, if there are no vectors for windows and so many more are worth it.
    fn exponents(&mut self, pairs: bool, count: usize, simd: Simd) -> Option<&mut Exponents> {
        let place = if pairs { &mut self.pair_exponents } else { &mut self.square_exponents };
        let worth = !windows::is_fast(simd) && (place.is_some() || count >= LEAST_ROW);
        worth.then(|| &mut **place.get_or_insert_with(|| Exponents::spare(pairs, simd)))
    }

    /// Adds another sum.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.upper.merge(&other.upper);
        self.lower.merge(&other.lower);
        if let Some(theirs) = &other.spill {
            match &mut self.spill {
                None => self.spill = Some(theirs.clone()),
                Some(ours) => ours.merge(theirs),
            }
        }
    }

    /// Adds sums of upper and lower parts.
    pub(crate) fn merge_parts(&mut self, upper: &Accumulator, lower: &Accumulator) {
        self.upper.merge(upper);
        self.lower.merge(lower);
    }

    /// Adds the squares that a table holds, and those of infinities and NaN.
    pub(crate) fn take(&mut self, table: &mut SquareTable, special: u8) {
        let spill = self.spill.get_or_insert_default();
        table.empty(spill);
        if special != 0 {
            spill.add_special(special);
        }
    }

    /// Adds the sum to a mergeable value.
    pub(crate) fn add_to(&self, dot: &mut ExactDot) {
        self.upper.add_to(dot, 0);
        self.lower.add_to(dot, 0);
        if let Some(spill) = &self.spill {
            dot.merge(spill);
        }
    }

    /// The sum as a mergeable value.
    pub(crate) fn to_dot(&self) -> ExactDot {
        let mut dot = ExactDot::new();
        self.add_to(&mut dot);
        dot
    }
}

/// Products of binary32 numbers.
struct Narrow<'a, T> {
    a: &'a [T],
    b: &'a [T],
    upper: &'a mut [f64],
}

impl<T: Float> Kernel for Narrow<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        let n = self.upper.len();
        let (a, b) = (&self.a[..n], &self.b[..n]);
        for i in 0..n {
            self.upper[i] = a[i].widen() * b[i].widen();
        }
    }
}

/// Products of binary64 numbers in two parts. The answer is whether all of them are exact.
pub(crate) struct Wide<'a, T> {
    pub(crate) a: &'a [T],
    pub(crate) b: &'a [T],
    pub(crate) upper: &'a mut [f64],
    pub(crate) lower: &'a mut [f64],
}

impl<T: Float> Kernel for Wide<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> bool {
        let n = self.upper.len();
        let (a, b, lower) = (&self.a[..n], &self.b[..n], &mut self.lower[..n]);
        let mut wrong = 0u64;
        for i in 0..n {
            let (a, b) = (a[i].widen(), b[i].widen());
            let p = a * b;
            self.upper[i] = p;
            lower[i] = rest::<BYTES>(a, b, p);
            let magnitude = p.abs();
            let plain = (LEAST..=MOST).contains(&magnitude) | (p == 0.0 && ((a == 0.0) | (b == 0.0)));
            let plain = plain & ((a.abs() <= MOST) & (b.abs() <= MOST));
            wrong |= u64::from(!plain);
        }
        wrong == 0
    }
}

/// `a · b − p`, exactly, if `p` is the rounded product and neither is out of range.
#[inline(always)]
fn rest<const BYTES: usize>(a: f64, b: f64, p: f64) -> f64 {
    // Without vectors of AVX2 there is no fused multiply-add on x86-64, and the function that stands in for it is slow.
    if BYTES > 16 || !cfg!(target_arch = "x86_64") {
        return a.mul_add(b, -p);
    }
    // Upper parts of 26 bits, rounded to nearest so that the lower ones have no more.
    let upper = |x: f64| f64::from_bits((x.to_bits() + (1 << 26)) & !((1 << 27) - 1));
    let (ah, bh) = (upper(a), upper(b));
    let (al, bl) = (a - ah, b - bh);
    ((ah * bh - p) + ah * bl + al * bh) + al * bl
}

#[cfg(test)]
mod tests {
    use super::super::tests::bits;
    use super::*;

    /// Against one product at a time.
    fn check(a: &[f64], b: &[f64]) {
        let mut expected = ExactDot::new();
        a.iter().zip(b).for_each(|(&a, &b)| expected.push(a, b));
        for simd in Simd::available() {
            let mut products = Products::new();
            products.extend(a, b, simd);
            assert_eq!(products.to_dot(), expected, "{simd:?} {a:?} {b:?}");
            let half = a.len() / 2;
            let (mut left, mut right) = (Products::new(), Products::new());
            left.extend(&a[half..], &b[half..], simd);
            right.extend(&a[..half], &b[..half], simd);
            left.merge(&right);
            assert_eq!(left.to_dot(), expected, "{simd:?} merged");
            let (a, b): (Vec<f32>, Vec<f32>) = a.iter().zip(b).map(|(&a, &b)| (a as f32, b as f32)).unzip();
            let mut expected = ExactDot::new();
            a.iter().zip(&b).for_each(|(&a, &b)| expected.push(a.into(), b.into()));
            let mut products = Products::new();
            products.extend(&a, &b, simd);
            assert_eq!(products.to_dot(), expected, "{simd:?} binary32");
        }
    }

    #[test]
    fn products_are_exact_over_the_whole_range() {
        let mut state = 3;
        for round in 0..60 {
            let mut number = || {
                let b = bits(&mut state);
                match round % 6 {
                    0 => f64::from_bits(b & !(1 << 62)),
                    1 => f64::from_bits(b & 0x800f_ffff_ffff_ffff | ((b >> 53) % 40 + 1003) << 52),
                    2 => f64::from_bits(b & 0x800f_ffff_ffff_ffff),
                    3 => f64::from_bits((b & 0x800f_ffff_ffff_ffff) | ((b >> 53) % 30 + 2017) << 52),
                    4 => f64::from_bits((b & 0x800f_ffff_ffff_ffff) | ((b >> 53) % 2047) << 52),
                    _ => [0.0, -0.0, 1.0, f64::MAX, f64::MIN, 5e-324, -2.2250738585072014e-308, 1.5][b as usize % 8],
                }
            };
            let n = [0, 1, 7, 16, 100, 2047, 2048, 2049, 6000][round % 9];
            let a: Vec<f64> = (0..n).map(|_| number()).collect();
            let b: Vec<f64> = (0..n).map(|_| number()).collect();
            check(&a, &b);
            check(&a, &a);
        }
    }

    #[test]
    fn what_is_not_finite_decides() {
        let (inf, nan) = (f64::INFINITY, f64::NAN);
        let fill = vec![1e200; 40];
        for (a, b) in [(inf, 2.0), (inf, -2.0), (inf, 0.0), (nan, 1.0), (inf, inf), (-inf, inf)] {
            let put = |x| [&fill[..], &[x], &fill[..]].concat();
            check(&put(a), &put(b));
        }
        check(&[inf, 1.0, inf], &[1.0, 1.0, -1.0]);
    }
}
