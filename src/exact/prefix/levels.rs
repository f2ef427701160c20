//! Running sums on two levels: blocks of elements whose sums two binary64 numbers hold.
//!
//! As in [`fast`](crate::exact::fast), an element is cut on two grids: a multiple of `2^(k - 52)`, and what that lacks, a multiple of
//! `2^(k - 96)`. On each grid all running sums of a block are exact, as long as `k` is large enough for the largest; so the sum of the
//! two, rounded once, is the running sum. Elements that need a finer grid go the slow way.

#[cfg(target_arch = "x86_64")]
use super::vectors;
use super::{OTHERS, Prefix};
use crate::cpu::simd::{Kernel, Simd};
use crate::exact::fast::{Float, constant, exponent};

/// Elements of a block, and parts of it whose sums do not wait for each other.
pub(super) const BLOCK: usize = 256;
const PARTS: usize = 4;
const PART: usize = BLOCK / PARTS;
/// Bits between the two grids: 53 less the 9 by which the sum of a block's lower parts, and of those before, may grow.
const APART: i32 = 44;
/// Blocks that go the slow way after one that has to.
const PATIENCE: u32 = 8;
/// `k` at least and at most: below, the finer grid is that of all binary64 numbers; above, `1.5 · 2^k` is no number.
const RANGE: (i32, i32) = (-1074 + 52 + APART, 1022);

/// A binary floating-point format that running sums are rounded to.
pub(crate) trait Rounded: Float {
    fn of_prefix(prefix: &Prefix) -> Self;
    fn of_f64(value: f64) -> Self;
    /// The sum of two numbers, rounded once; the first one must be a multiple of the last place of the second.
    fn of_parts(high: f64, low: f64) -> Self;
}

impl Rounded for f32 {
    #[inline(always)]
    fn of_prefix(prefix: &Prefix) -> Self {
        prefix.to_f32()
    }
    #[inline(always)]
    fn of_f64(value: f64) -> Self {
        value as Self
    }
    #[inline(always)]
    fn of_parts(high: f64, low: f64) -> Self {
        let sum = high + low;
        let left = low - (sum - high);
        // Rounded to odd: what was lost counts in the rounding to come.
        let bits = sum.to_bits();
        let towards_zero = bits.wrapping_sub(u64::from((left < 0.0) != (sum < 0.0)));
        f64::from_bits(if left == 0.0 { bits } else { towards_zero | 1 }) as Self
    }
}

impl Rounded for f64 {
    #[inline(always)]
    fn of_prefix(prefix: &Prefix) -> Self {
        prefix.to_f64()
    }
    #[inline(always)]
    fn of_f64(value: f64) -> Self {
        value
    }
    #[inline(always)]
    fn of_parts(high: f64, low: f64) -> Self {
        high + low
    }
}

/// What became of a block.
pub(super) struct Done {
    /// The sums on the two grids.
    pub(super) sums: (f64, f64),
    /// The largest magnitude, NaN aside.
    pub(super) largest: f64,
    /// Whether the grids hold all.
    pub(super) exact: bool,
}

/// The parts of a block's elements.
#[repr(align(64))]
struct Parts {
    high: [f64; BLOCK],
    low: [f64; BLOCK],
}

impl Parts {
    const fn new() -> Self {
        Self { high: [0.0; BLOCK], low: [0.0; BLOCK] }
    }
}

/// Cuts a block; the answer is the largest magnitude, and whether the grids hold all.
struct Cut<'a, T> {
    values: &'a [T; BLOCK],
    /// The constants of the two grids.
    grids: (f64, f64),
    parts: &'a mut Parts,
}

impl<T: Float> Kernel for Cut<'_, T> {
    type Output = (f64, bool);

    #[allow(clippy::needless_range_loop)]
    #[inline(always)]
    fn run<const BYTES: usize>(self) -> (f64, bool) {
        let (first, second) = self.grids;
        let (mut largest, mut left) = ([0f64; 32], [0u64; 32]);
        for at in (0..BLOCK).step_by(32) {
            for i in 0..32 {
                let x = self.values[at + i].widen();
                let high = (first + x) - first;
                let rest = x - high;
                let low = (second + rest) - second;
                largest[i] = if x.abs() > largest[i] { x.abs() } else { largest[i] };
                // Of −0 less +0 the sign is left, of what is not finite a NaN.
                left[i] |= (rest - low).to_bits();
                (self.parts.high[at + i], self.parts.low[at + i]) = (high, low);
            }
        }
        let largest = largest.into_iter().fold(0.0, |most, x| if x > most { x } else { most });
        (largest, left.into_iter().fold(0, |all, bits| all | bits) << 1 == 0)
    }
}

/// Running sums of a block from two sums on, which become those of all.
struct Run<'a, O> {
    parts: &'a mut Parts,
    sums: (f64, f64),
    out: &'a mut [O; BLOCK],
}

impl<O: Rounded> Kernel for Run<'_, O> {
    type Output = (f64, f64);

    #[allow(clippy::needless_range_loop)]
    #[inline(always)]
    fn run<const BYTES: usize>(self) -> (f64, f64) {
        let Parts { high, low } = self.parts;
        let mut sums = [(0.0, 0.0); PARTS];
        for i in 0..PART {
            for (part, sums) in sums.iter_mut().enumerate() {
                let at = part * PART + i;
                *sums = (sums.0 + high[at], sums.1 + low[at]);
                (high[at], low[at]) = *sums;
            }
        }
        let (mut above, mut below) = self.sums;
        for (part, sums) in sums.iter().enumerate() {
            for i in part * PART..(part + 1) * PART {
                self.out[i] = O::of_parts(above + high[i], below + low[i]);
            }
            (above, below) = (above + sums.0, below + sums.1);
        }
        (above, below)
    }
}

/// `2^exponent`, which must be a normal number.
fn power(exponent: i32) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

/// `value · 2^exponent`, which binary64 must hold.
fn scaled(value: i128, exponent: i32) -> f64 {
    if exponent < -1000 { value as f64 * power(exponent + 200) * power(-200) } else { value as f64 * power(exponent) }
}

/// How many times `2^exponent` a number is, which must be an integer below 2^53.
fn units(x: f64, exponent: i32) -> i64 {
    (if exponent < -900 { x * power(300) * power(-exponent - 300) } else { x * power(-exponent) }) as i64
}

impl Prefix {
    /// Adds numbers, and gives the running sum after each.
    pub(crate) fn extend<T: Float, O: Rounded>(&mut self, values: &[T], out: &mut [O], simd: Simd) {
        // A sum of −0 alone is one, which levels do not tell from others.
        let mut first = 0;
        while self.kind != OTHERS && first < values.len() {
            self.extend_slowly(&values[first..=first], &mut out[first..=first]);
            first += 1;
        }
        let (mut parts, mut pause, mut top) = (Parts::new(), 0u32, None);
        let (blocks, rest) = values[first..].as_chunks::<BLOCK>();
        let (results, rest_of_results) = out[first..].as_chunks_mut::<BLOCK>();
        for (values, out) in blocks.iter().zip(results) {
            if pause > 0 || !self.extend_block(values, out, &mut parts, &mut top, simd) {
                pause = pause.checked_sub(1).unwrap_or(PATIENCE);
                self.extend_slowly(values, out);
            }
        }
        self.extend_slowly(rest, rest_of_results);
    }

    fn extend_slowly<T: Float, O: Rounded>(&mut self, values: &[T], out: &mut [O]) {
        for (out, value) in out.iter_mut().zip(values) {
            self.push(value.widen());
            *out = O::of_prefix(self);
        }
    }

    /// Adds a block on two levels, if that is exact. The answer is whether it is. `top` is the exponent of the largest element of the
    /// block before.
    fn extend_block<T: Float, O: Rounded>(
        &mut self,
        values: &[T; BLOCK],
        out: &mut [O; BLOCK],
        parts: &mut Parts,
        top: &mut Option<i32>,
        simd: Simd,
    ) -> bool {
        if self.wide.is_some() {
            return false;
        }
        // The sum lies below 2^reach.
        let bits = 128 - self.value.unsigned_abs().leading_zeros() as i32;
        let reach = if bits > 0 { bits + self.exponent } else { RANGE.0 };
        let mut most = top.unwrap_or_else(|| exponent(values[0].widen()));
        for _ in 0..2 {
            // All running sums lie below 2^k, so that those on the first grid have 53 bits at most.
            let k = (reach + 1).max(most + 11).max(RANGE.0);
            if k > RANGE.1 {
                return false;
            }
            let Some(sums) = self.on_grids(k) else { return false };
            let grids = (constant(k), constant(k - APART));
            let mut portable = |out: &mut [O; BLOCK]| {
                let (largest, exact) = simd.run(Cut { values, grids, parts });
                let sums = if exact { simd.run(Run { parts, sums, out }) } else { sums };
                Done { sums, largest, exact }
            };
            #[cfg(target_arch = "x86_64")]
            let done = match simd {
                // SAFETY: the level says that the instructions are there.
                Simd::Avx512 => unsafe { vectors::run(values, grids, sums, out) },
                _ => portable(out),
            };
            #[cfg(not(target_arch = "x86_64"))]
            let done = portable(out);
            let found = exponent(done.largest);
            *top = Some(found);
            if done.exact && found <= most {
                self.take_grids(k, done.sums);
                return true;
            }
            if found == most {
                return false;
            }
            most = found;
        }
        false
    }

    /// The sum as multiples of `2^(k - 52)` and `2^(k - 52 - APART)`, the second at most half of the first's unit.
    fn on_grids(&self, k: i32) -> Option<(f64, f64)> {
        let up = k - 52 - self.exponent;
        if self.value == 0 {
            return Some((0.0, 0.0));
        }
        if up <= 0 {
            return Some((scaled(self.value, self.exponent), 0.0));
        }
        if up > 126 {
            return None;
        }
        let high = (self.value + (1 << (up - 1))) >> up;
        let low = self.value - (high << up);
        // What is finer than the second grid is none of it.
        if up > APART && low & ((1 << (up - APART)) - 1) != 0 {
            return None;
        }
        Some((scaled(high, k - 52), scaled(low, self.exponent)))
    }

    /// Goes on from two such sums.
    fn take_grids(&mut self, k: i32, (high, low): (f64, f64)) {
        let (high, low) = (units(high, k - 52), units(low, k - 52 - APART));
        self.value = (i128::from(high) << APART) + i128::from(low);
        self.rescale(k - 52 - APART);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::ExactSum;
    use super::super::super::tests::bits;
    use super::*;
    use crate::exact::accumulator::Accumulator;

    /// Every running sum is the exact one, rounded once, whatever the blocks.
    #[test]
    fn running_sums_of_blocks_are_rounded_once() {
        fn check<T: Float, O: Rounded>(values: &[T], before: &[f64], exact: impl Fn(&ExactSum) -> O) {
            for simd in Simd::available() {
                let (mut sum, mut expected) = (Accumulator::new(), ExactSum::new());
                before.iter().for_each(|&x| sum.push(x));
                before.iter().for_each(|&x| expected.push(x));
                let (mut prefix, mut found) = (sum.prefix(), vec![O::ZERO; values.len()]);
                // A second call goes on where the first one ends.
                let (first, second) = values.split_at(values.len() / 3);
                let (to, rest) = found.split_at_mut(first.len());
                prefix.extend(first, to, simd);
                prefix.extend(second, rest, simd);
                for (i, (x, found)) in values.iter().zip(&found).enumerate() {
                    expected.push(x.widen());
                    let (found, wanted) = (found.widen().to_bits(), exact(&expected).widen().to_bits());
                    assert_eq!(found, wanted, "{simd:?} {i}: {:e} {:e}", f64::from_bits(found), f64::from_bits(wanted));
                }
                let mut after = Accumulator::new();
                after.merge_prefix(&prefix);
                assert_eq!(after.to_sum().to_f64().to_bits(), expected.to_f64().to_bits(), "{simd:?}");
            }
        }
        let mut state = 7;
        for round in 0..22 {
            let scale = [1.0, 2f64.powi(-1050), 2f64.powi(1000), 2f64.powi(-149)][round / 11 % 4 + (round % 11) / 8];
            let mut number = |i: usize| match round % 11 {
                0 => (bits(&mut state) >> 11) as f64 * 2f64.powi(-53),
                1 => (bits(&mut state) as i64 >> 11) as f64 * 2f64.powi(-60 - (bits(&mut state) % 20) as i32),
                2 => i as f64 - 1000.0,
                3 => f64::from_bits(bits(&mut state) & !(1 << 52)),
                4 => [1e300, -1e300, 1.0, -1.0, 5e-324][i % 5],
                5 => [-0.0, 0.0][usize::from(i > 300)],
                6 => {
                    if i % 700 == 650 {
                        f64::from_bits(bits(&mut state))
                    } else {
                        (bits(&mut state) % 1000) as f64
                    }
                }
                7 => [0.5, -0.5, 1.0 + 2f64.powi(-30), -1.0 - 2f64.powi(-30)][i % 4],
                8 => f64::from_bits(bits(&mut state) & 0x800f_ffff_ffff_ffff),
                9 => (bits(&mut state) as i64 >> 40) as f64,
                // Halfway between binary32 numbers, and a little off.
                _ => [1.0, 2f64.powi(-24), 2f64.powi(-60), -(2f64.powi(-60)), -(2f64.powi(-24)), -1.0][i % 6],
            };
            let scale = if round % 11 == 3 || round % 11 == 6 || round % 11 == 4 { 1.0 } else { scale };
            let values: Vec<f64> = (0..3000).map(|i| number(i) * scale).collect();
            for before in [&[][..], &[1.0], &[-3e10 * scale, scale * 2f64.powi(-70)], &[1e200, 1e-200]] {
                check::<f64, f64>(&values, before, ExactSum::to_f64);
                check::<f64, f32>(&values, before, ExactSum::to_f32);
            }
            let narrow: Vec<f32> = values.iter().map(|&x| x as f32).collect();
            check::<f32, f32>(&narrow, &[0.25], ExactSum::to_f32);
            check::<f32, f64>(&narrow, &[], ExactSum::to_f64);
        }
    }
}
