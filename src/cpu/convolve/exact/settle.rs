//! From sums with a bound of their error to results, where the bound leaves no choice.

use crate::Dtype;
use crate::cpu::simd::{Kernel, Simd};
use crate::exact::dot::ExactDot;
use crate::exact::fast::two_sum;

/// The dtypes that results are rounded to. Settled results are binary64 numbers that convert to theirs without rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rounding {
    Binary32,
    Binary64,
    /// An integer of up to 32 bits.
    Integer,
    Bool,
}

impl Rounding {
    pub(super) fn new(out: Dtype) -> Self {
        match out {
            Dtype::F32 => Self::Binary32,
            Dtype::F64 => Self::Binary64,
            Dtype::Bool => Self::Bool,
            _ => Self::Integer,
        }
    }

    /// The rounded value of an exact sum.
    pub(super) fn read(self, sum: &ExactDot) -> f64 {
        match self {
            Self::Binary32 => f64::from(sum.to_f32()),
            Self::Binary64 => sum.to_f64(),
            Self::Integer => sum.to_integer() as f64,
            Self::Bool => f64::from(u8::from(sum.is_nonzero())),
        }
    }
}

/// Settles sums that lie within `bound` of the exact values, for binary32 (any dtype if `bound` is 0), and notes which could
/// not be.
pub(super) fn settle_sum(simd: Simd, row: &mut [f64], bound: f64, ambiguous: &mut Vec<usize>) {
    if bound == 0.0 {
        for value in row {
            *value = canonical(*value);
        }
        return;
    }
    gather(row, ambiguous, |row, open| simd.run(Sums { row, bound, open }));
}

/// Settles pairs that lie within `bound` of the exact values, and notes which could not be.
pub(super) fn settle_pair(simd: Simd, rounding: Rounding, high: &mut [f64], low: &[f64], bound: f64, ambiguous: &mut Vec<usize>) {
    let mut at = 0;
    gather(high, ambiguous, |high, open| {
        let low = &low[at..at + high.len()];
        at += high.len();
        match rounding {
            Rounding::Binary32 => simd.run(Pairs::<2> { high, low, bound, open }),
            Rounding::Binary64 => simd.run(Pairs::<1> { high, low, bound, open }),
            // Not rounded: the odd number says on which side of every tie the value is.
            Rounding::Integer | Rounding::Bool => simd.run(Pairs::<0> { high, low, bound, open }),
        }
    });
}

/// Takes a row in pieces; `settle` marks the open ones of each.
fn gather(row: &mut [f64], ambiguous: &mut Vec<usize>, mut settle: impl FnMut(&mut [f64], &mut [u64]) -> bool) {
    const PIECE: usize = 64;
    let mut open = [0u64; PIECE];
    for (i, piece) in row.chunks_mut(PIECE).enumerate() {
        if settle(piece, &mut open) {
            ambiguous.extend((0..piece.len()).filter(|&x| open[x] != 0).map(|x| i * PIECE + x));
        }
    }
}

/// The one NaN.
#[inline(always)]
fn canonical(value: f64) -> f64 {
    if value.is_nan() { f64::NAN } else { value }
}

struct Sums<'a> {
    row: &'a mut [f64],
    bound: f64,
    open: &'a mut [u64],
}

impl Kernel for Sums<'_> {
    type Output = bool;

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> bool {
        let mut any = 0;
        for (value, open) in self.row.iter_mut().zip(self.open) {
            let (least, most) = ((*value - self.bound) as f32, (*value + self.bound) as f32);
            *open = u64::from(least.to_bits() != most.to_bits());
            any |= *open;
            *value = canonical(f64::from(least));
        }
        any != 0
    }
}

/// `a + b` with `|b|` at most about an ulp of `a`: rounded towards zero or away from it, whichever gives an odd number, if it
/// is not a number itself.
#[inline(always)]
fn odd(a: f64, b: f64) -> f64 {
    let (sum, rest) = two_sum(a, b);
    let bits = sum.to_bits();
    // The exact value lies between the even number and its neighbour on this side.
    let outwards = (rest > 0.0) == (sum > 0.0);
    let neighbour = if outwards { bits.wrapping_add(1) } else { bits.wrapping_sub(1) };
    f64::from_bits(if rest != 0.0 && bits & 1 == 0 { neighbour } else { bits })
}

/// Turns triples `high + middle + low` into pairs `high + middle` that round as they do.
pub(super) fn join(simd: Simd, high: &mut [f64], middle: &mut [f64], low: &[f64]) {
    simd.run(Join { high, middle, low });
}

struct Join<'a> {
    high: &'a mut [f64],
    middle: &'a mut [f64],
    low: &'a [f64],
}

impl Kernel for Join<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        for ((high, middle), &low) in self.high.iter_mut().zip(self.middle).zip(self.low) {
            let (sum, rest) = two_sum(*high, *middle);
            let (rest, last) = two_sum(rest, low);
            let (sum, rest) = two_sum(sum, rest);
            let (rest, last) = two_sum(rest, last);
            let (sum, rest) = two_sum(sum, rest);
            // An odd last bit stands for all that lies below it.
            (*high, *middle) = (sum, odd(rest, last));
        }
    }
}

/// `FORMAT` 2: binary32, 1: binary64, 0: no rounding.
struct Pairs<'a, const FORMAT: u8> {
    high: &'a mut [f64],
    low: &'a [f64],
    bound: f64,
    open: &'a mut [u64],
}

impl<const FORMAT: u8> Kernel for Pairs<'_, FORMAT> {
    type Output = bool;

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> bool {
        let mut any = 0;
        // Of the rounding of the interval's ends, and of an odd last bit.
        let slack = if self.bound > 0.0 { 4.0 * f64::EPSILON } else { 0.0 };
        for ((high, &low), open) in self.high.iter_mut().zip(self.low).zip(self.open) {
            let (sum, rest) = two_sum(*high, low);
            let bound = rest.abs() * slack + self.bound;
            let (less, more) = (rest - bound, rest + bound);
            let (least, most) = match FORMAT {
                1 => (sum + less, sum + more),
                2 => (f64::from(odd(sum, less) as f32), f64::from(odd(sum, more) as f32)),
                _ => (odd(sum, less), odd(sum, more)),
            };
            // An infinity or a NaN here may be the anchor's fault.
            *open = u64::from((least.to_bits() != most.to_bits()) | !sum.is_finite());
            any |= *open;
            *high = least;
        }
        any != 0
    }
}
