//! Numbers and their squares at once.

use super::{BLOCK, Products};
use crate::cpu::simd::Simd;
use crate::exact::accumulator::Accumulator;
#[cfg(target_arch = "x86_64")]
use crate::exact::accumulator::PATIENCE;
use crate::exact::fast::Float;
#[cfg(target_arch = "x86_64")]
use crate::exact::moment_levels;
use crate::exact::windows::{self, SquareWindows};
#[cfg(target_arch = "x86_64")]
use crate::exact::windows::{Fields, has_fields};

impl Products {
    /// Adds the squares of numbers, and the numbers to `sum`, of some of many slices that together are closed by
    /// [`close_moments`](Self::close_moments).
    pub(crate) fn extend_moments<T: Float>(&mut self, sum: &mut Accumulator, values: &[T], simd: Simd) {
        #[cfg(target_arch = "x86_64")]
        if moment_levels::can(simd) {
            for values in values.chunks(moment_levels::block::<T>()) {
                if !self.add_moments(sum, values, simd) {
                    self.moments_apart(sum, values, simd);
                }
            }
            return;
        }
        for values in values.chunks(2 * BLOCK) {
            #[cfg(target_arch = "x86_64")]
            if simd == Simd::Avx512 {
                if self.pause == 0 && Accumulator::add_moments(sum, &mut self.upper, values, simd) {
                    continue;
                }
                self.pause = self.pause.checked_sub(1).unwrap_or(PATIENCE);
            }
            #[cfg(target_arch = "x86_64")]
            if simd == Simd::Avx512 && self.upper.add_products(values, values, simd) {
                sum.extend_open(values, simd);
                continue;
            }
            self.moments_apart(sum, values, simd);
        }
    }

    /// Adds squares and numbers at once, if that can be done and was not in vain lately.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn add_moments<T: Float>(&mut self, sum: &mut Accumulator, values: &[T], simd: Simd) -> bool {
        if self.pause > 0 {
            self.pause -= 1;
            return false;
        }
        let added = Accumulator::add_moments(sum, &mut self.upper, values, simd);
        if !added {
            self.pause = PATIENCE;
        }
        added
    }

    /// Adds squares and numbers that could not be added at once on levels.
    fn moments_apart<T: Float>(&mut self, sum: &mut Accumulator, values: &[T], simd: Simd) {
        if !self.moments_in_windows(sum, values, simd) {
            let rest = &values[self.moments_in_exponents(sum, values, simd)..];
            if !rest.is_empty() {
                sum.extend_open(rest, simd);
                self.extend_parts(rest, rest, simd);
            }
        }
    }

    /// Adds squares and numbers of binary64 by exponent, if there are no vectors for windows, and levels failed, until some are not
    /// finite. The answer is how many were added.
    fn moments_in_exponents<T: Float>(&mut self, sum: &mut Accumulator, values: &[T], simd: Simd) -> usize {
        #[cfg(target_arch = "x86_64")]
        let failed = moment_levels::can(simd) || self.wild > 0;
        #[cfg(not(target_arch = "x86_64"))]
        let failed = self.wild > 0;
        let (Some(wide), true) = (T::wide(values), failed) else { return 0 };
        let Some(exponents) = self.exponents(false, wide.len(), simd) else { return 0 };
        let done = exponents.extend_squares::<true>(wide);
        self.wild = self.wild.saturating_sub(1);
        sum.spill_of(&values[..done]);
        done
    }

    /// Adds squares and numbers of any exponents, if there are vectors for that. The answer is whether there are.
    fn moments_in_windows<T: Float>(&mut self, sum: &mut Accumulator, values: &[T], simd: Simd) -> bool {
        #[cfg(target_arch = "x86_64")]
        if let (Some(values), true) = (T::narrow(values), has_fields(simd)) {
            self.moments_in_fields(sum, values, simd);
            return true;
        }
        if values.len() < 128 || !windows::is_fast(simd) {
            return false;
        }
        for values in values.chunks(256) {
            let squares = self.squares.get_or_insert_with(SquareWindows::spare);
            if !squares.extend_moments(sum.windows(values), values, simd) {
                sum.extend_open(values, simd);
                squares.extend(values, values, simd);
            }
        }
        true
    }

    /// Adds squares and numbers of binary32, of any exponents.
    #[cfg(target_arch = "x86_64")]
    fn moments_in_fields(&mut self, sum: &mut Accumulator, mut values: &[f32], simd: Simd) {
        let fields = self.fields.get_or_insert_with(Fields::spare);
        while !values.is_empty() {
            if fields.room(1) == 0 {
                fields.empty(sum.spill_of(values), Some(self.spill.get_or_insert_default()));
            }
            // SAFETY: the level says that the instructions are there.
            let (done, rest) = values.split_at(unsafe { fields.extend(values, simd) });
            sum.spill_of(done);
            values = rest;
            if done.is_empty() && fields.room(1) > 0 {
                let (some, rest) = values.split_at(values.len().min(256));
                sum.extend_open(some, simd);
                self.squares.get_or_insert_with(SquareWindows::spare).extend(some, some, simd);
                values = rest;
            }
        }
    }

    /// Ends a row of slices that went to [`extend_moments`](Self::extend_moments).
    pub(crate) fn close_moments(&mut self, sum: &mut Accumulator) {
        #[cfg(target_arch = "x86_64")]
        if let Some(mut fields) = self.fields.take() {
            fields.empty(sum.spill(), Some(self.spill.get_or_insert_default()));
            fields.keep();
        }
        if let Some(exponents) = self.square_exponents.take() {
            exponents.empty(Some(sum.spill()), self.spill.get_or_insert_default());
        }
        sum.close();
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exact::tests::bits;
    use crate::exact::{ExactDot, ExactSum};

    /// Numbers and squares together hold what they hold apart; the next sum of −0 is −0, whatever came before.
    #[test]
    fn moments_hold_sums_and_squares() {
        fn check<T: Float>(values: &[T], simd: Simd) {
            let (mut sum, mut squares) = (Accumulator::new(), Products::new());
            for values in [values, &[T::of(-0.0); 300], values] {
                (sum, squares) = (sum.next(), squares.next());
                squares.extend_moments(&mut sum, &values[..values.len() / 3], simd);
                squares.extend_moments(&mut sum, &values[values.len() / 3..], simd);
                squares.close_moments(&mut sum);
                let (mut dot, mut expected) = (ExactDot::new(), ExactSum::new());
                values.iter().for_each(|x| dot.push(x.widen(), x.widen()));
                values.iter().for_each(|x| expected.push(x.widen()));
                assert_eq!((squares.to_dot(), sum.to_sum()), (dot, expected), "{simd:?} {}", values.len());
            }
        }
        let mut state = 9;
        for simd in Simd::available() {
            for round in 0..24 {
                let number = |_| match round % 4 {
                    0 => f64::from_bits(bits(&mut state) & !(1 << 62)),
                    1 => f64::from_bits(bits(&mut state) & !(1 << 52)),
                    2 => (bits(&mut state) as i64 >> 20) as f64,
                    _ => [1.0, f64::NAN, f64::INFINITY, 1e-200, -0.0, 0.0, 3.5][(bits(&mut state) % 600).min(6) as usize],
                };
                let values: Vec<f64> = (0..[0, 5, 100, 300, 5000, 30_000][round / 4]).map(number).collect();
                check(&values, simd);
                check(&values.iter().map(|&x| x as f32).collect::<Vec<_>>(), simd);
                let wild: Vec<f32> = values.iter().map(|x| f32::from_bits(x.to_bits() as u32 & !(1 << 23))).collect();
                check(&wild, simd);
            }
        }
    }
}
