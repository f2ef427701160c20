//! Sums of binary64 numbers of all exponents: one integer of 128 bits for every 64 exponents and sign.
//!
//! The upper six bits of a number choose the window, the next six say how far its significand is moved up there, by 63 places at
//! most. So a number costs one addition of 128 bits, whatever its exponent, and a window has room for 2^12 of them; then what is
//! above its 64 bits moves on to the next.
//!
//! Source: Neal, "Fast exact summation using small and large superaccumulators", 2015 (small accumulators of 32 bits, of which a
//! number touches three).

use std::cell::Cell;

use super::{ExactSum, LEAST};
use crate::cpu::simd::{Kernel, Simd};

/// Windows of one sign.
const COUNT: usize = 32;
/// Numbers that a window has room for, beside what stays in it.
const ROOM: u32 = (1 << 12) - 1;

/// Sums by sign and the upper five bits of the exponent field, on grids from 2^-1075 on.
#[derive(Debug, Clone)]
pub(crate) struct Windows {
    sums: [u128; 2 * COUNT],
    /// What moved on from the last window of each sign.
    above: [u128; 2],
    /// Numbers since the last move.
    added: u32,
}

thread_local! {
    /// Empty windows for the next one who needs some.
    static SPARE: Cell<Option<Box<Windows>>> = const { Cell::new(None) };
}

impl Windows {
    pub(crate) const fn new() -> Self {
        Self { sums: [0; 2 * COUNT], above: [0; 2], added: 0 }
    }

    /// Those that this thread kept, or new ones.
    pub(crate) fn spare() -> Box<Self> {
        SPARE.take().unwrap_or_else(|| Box::new(Self::new()))
    }

    /// Keeps empty windows for the next one on this thread.
    pub(crate) fn keep(self: Box<Self>) {
        SPARE.set(Some(self));
    }

    /// Adds what elements become; the answer is whether some are not finite, and were left out.
    pub(crate) fn extend<T: Copy>(&mut self, mut values: &[T], simd: Simd, number: impl Fn(T) -> f64) -> bool {
        let mut special = false;
        while !values.is_empty() {
            let (some, rest) = values.split_at(self.room(values.len()));
            special |= simd.run(Pushes { windows: self, values: some, number: &number });
            values = rest;
        }
        special
    }

    /// For how many of so many numbers there is room now: at least one.
    #[inline(always)]
    pub(crate) fn room(&mut self, wanted: usize) -> usize {
        if self.added == ROOM {
            self.carry();
        }
        let room = wanted.min((ROOM - self.added) as usize);
        self.added += room as u32;
        room
    }

    /// Adds a number that [`room`](Self::room) was made for; the answer is whether it is not finite, and was left out.
    #[inline(always)]
    pub(crate) fn push(&mut self, value: f64) -> bool {
        let bits = value.to_bits();
        let (field, fraction) = ((bits >> 52) & 0x7ff, bits & ((1 << 52) - 1));
        if field == 0x7ff {
            return not_finite();
        }
        // Subnormals count twice on the grid of 2^-1075.
        let significand = fraction + if field == 0 { fraction } else { 1 << 52 };
        // Two shifts of 64 bits: one of 128 is slow on some processors.
        let (low, high) = (significand << (field & 63), significand >> 1 >> (!field & 63));
        let window = &mut self.sums[(bits >> 58) as usize];
        *window = window.wrapping_add(u128::from(high) << 64 | u128::from(low));
        false
    }

    /// Moves what is above each window's 64 bits to the next one.
    fn carry(&mut self) {
        for (sums, above) in self.sums.chunks_exact_mut(COUNT).zip(&mut self.above) {
            let mut over = 0;
            for sum in sums {
                *sum += over;
                over = *sum >> 64;
                *sum &= u128::from(u64::MAX);
            }
            *above += over;
        }
        self.added = 0;
    }

    /// Moves everything into a sum.
    pub(crate) fn empty(&mut self, sum: &mut ExactSum) {
        self.carry();
        let (plus, minus) = self.sums.split_at_mut(COUNT);
        let [above, below] = &mut self.above;
        let pairs = plus.iter_mut().chain([above]).zip(minus.iter_mut().chain([below]));
        for ((plus, minus), exponent) in pairs.zip((LEAST - 1..).step_by(64)) {
            let value = std::mem::take(plus) as i128 - std::mem::take(minus) as i128;
            if value != 0 {
                sum.add_scaled(value, exponent);
            }
        }
    }
}

/// True, and rare.
#[cold]
fn not_finite() -> bool {
    true
}

/// Numbers that there is room for.
struct Pushes<'a, T, F> {
    windows: &'a mut Windows,
    values: &'a [T],
    number: &'a F,
}

impl<T: Copy, F: Fn(T) -> f64> Kernel for Pushes<'_, T, F> {
    type Output = bool;

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> bool {
        let mut special = false;
        for &value in self.values {
            if self.windows.push((self.number)(value)) {
                special = true;
            }
        }
        special
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::bits;
    use super::*;

    #[test]
    fn windows_hold_what_a_sum_holds() {
        let (mut state, mut windows) = (5, Windows::new());
        for round in 0..8 {
            let number = |_| match round % 4 {
                0 => f64::from_bits(bits(&mut state)),
                1 => f64::from_bits(bits(&mut state) & 0x800f_ffff_ffff_ffff),
                2 => f64::MAX * if bits(&mut state).is_multiple_of(3) { -1.0 } else { 1.0 },
                _ => [f64::MAX, -f64::MIN_POSITIVE, 5e-324, -0.0, f64::NAN, 1.0][bits(&mut state) as usize % 6],
            };
            let values: Vec<f64> = (0..[1, 4095, 4096, 30_000][round % 4]).map(number).collect();
            let expected: ExactSum = values.iter().copied().filter(|x| x.is_finite()).collect();
            let (mut sum, half) = (ExactSum::new(), values.len() / 2);
            let special = [&values[..half], &values[half..]].map(|part| windows.extend(part, Simd::current(), |x| x));
            assert_eq!(special.contains(&true), values.iter().any(|x| !x.is_finite()));
            windows.empty(&mut sum);
            sum.add_zero(false);
            assert_eq!(sum.to_f64(), expected.to_f64());
            assert_eq!(sum.to_bytes()[8..], expected.to_bytes()[8..]);
        }
    }
}
