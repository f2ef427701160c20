//! Quantiles with a second array: a mask that says which elements count, or weights that say how much.
//!
//! A weighted quantile is the first element, in order, up to which the weights make up the share `q` of all of them: NumPy's
//! arithmetic, a quotient of sums in binary64, but with exact sums, each rounded once, so that no order of the weights counts.

use super::{CHUNK, Run, select};
use crate::cpu::lanes::Lanes;
use crate::cpu::tasks::for_each;
use crate::exact::accumulator::Accumulator;
use crate::plan::{self, Beside, Between, Found, compact_key};
use crate::view::View;
use crate::{Error, Result};

impl<T: Between> Run<'_, T> {
    pub(super) fn beside(&self, second: Beside, view: &View<'_>) -> Result<()> {
        let lanes = plan::Lanes { dtype: second.dtype(), ..self.plan.lanes.clone() };
        match second {
            Beside::Mask => {
                let mask = Lanes::<bool>::new(&lanes, view)?;
                for_each(self.count, 1, &|lane| self.masked(lane, &mask))
            }
            Beside::Weights(dtype) => crate::dtype::with_dtype!(dtype, W => {
                let weights = Lanes::<W>::new(&lanes, view)?;
                for_each(self.count, 1, &|lane| self.weighted(lane, &weights))
            }),
        }
    }

    /// Calls `each` with pieces of a lane and of the second array.
    fn pieces<S: crate::Real>(
        &self,
        lane: usize,
        second: &Lanes<'_, S>,
        mut each: impl FnMut(&[T], &[S]) -> Result<()>,
    ) -> Result<()> {
        let (mut buffer, mut others) = (Vec::new(), Vec::new());
        for start in (0..self.len).step_by(CHUNK) {
            self.control.check()?;
            let range = start..self.len.min(start + CHUNK);
            each(self.lanes.chunk(lane, range.clone(), &mut buffer), second.chunk(lane, range.clone(), &mut others))?;
            self.control.advance(range.len() as u64);
        }
        Ok(())
    }

    fn masked(&self, lane: usize, mask: &Lanes<'_, bool>) -> Result<()> {
        let (mut keys, mut nan) = (Vec::new(), false);
        self.pieces(lane, mask, |values, mask| {
            for &value in values.iter().zip(mask).filter(|(_, taken)| **taken).map(|(value, _)| value) {
                if value.is_nan() {
                    nan = true;
                } else {
                    keys.push(compact_key(value));
                }
            }
            Ok(())
        })?;
        let (n, nan) = (keys.len(), nan && !self.plan.ignore_nan);
        self.plan.expect_some::<T>(n)?;
        let wanted = self.plan.wanted(n);
        let mut found = vec![0; wanted.len()];
        if !nan {
            select(&mut keys, 0, &wanted, &mut found);
        }
        self.finish(lane, n, nan, &wanted, &found);
        Ok(())
    }

    fn weighted<W: Between>(&self, lane: usize, weights: &Lanes<'_, W>) -> Result<()> {
        let (mut pairs, mut nan, mut numbers) = (Vec::new(), false, 0usize);
        self.pieces(lane, weights, |values, weights| {
            for (&value, &weight) in values.iter().zip(weights) {
                let weight = weight.number();
                if !(0.0..f64::INFINITY).contains(&weight) {
                    return Err(Error::invalid("weight", weight, "a finite number that is not negative"));
                }
                if value.is_nan() {
                    nan = true;
                } else {
                    numbers += 1;
                    if weight > 0.0 {
                        pairs.push((value.key(), weight));
                    }
                }
            }
            Ok(())
        })?;
        if (nan && !self.plan.ignore_nan) || numbers == 0 {
            (0..self.plan.points.len()).for_each(|i| self.write(lane, i, Found::Element(T::from_key(u64::MAX))));
            return Ok(());
        }
        if pairs.is_empty() {
            return Err(Error::invalid("weights", "0 alone in a lane", "at least one above 0"));
        }
        pairs.sort_unstable_by_key(|pair| pair.0);
        let mut running = Accumulator::new().prefix();
        let sums: Vec<f64> = pairs
            .iter()
            .map(|pair| {
                running.push(pair.1);
                running.to_f64()
            })
            .collect();
        let all = running.to_f64();
        if all.is_infinite() {
            return Err(Error::invalid("sum of the weights", all, "a finite one"));
        }
        for (i, &point) in self.plan.points.iter().enumerate() {
            let rank = sums.partition_point(|&sum| sum / all < point).min(sums.len() - 1);
            self.write(lane, i, Found::Element(T::from_key(pairs[rank].0)));
        }
        Ok(())
    }
}
