//! Weighted quantiles on the GPU.
//!
//! A quantile is the first element up to which the weights make up its share of all of them. Weights are fixed-point numbers of
//! the whole range of their dtype, so that sums of them are exact in any order. The share is told to the device as the least
//! such sum that, rounded and divided as on the CPU, reaches the quantile; then the key is found digit by digit, by the
//! weights of the elements that have each next one.

use super::{Out, Table};
use crate::dtype::with_dtype;
use crate::gpu::dispatch::Bind;
use crate::gpu::lanes::Piece;
use crate::gpu::select::{Selection, Stage, WEIGHED};
use crate::plan::{Beside, Between, Found, QuantilePlan, element_of_key};
use crate::{Dtype, Error, ExactSum, Result};

/// Bytes of sums that are kept at once.
const ROOM: usize = 64 << 20;
/// Elements that an invocation takes at most: each is carried through up to three times 68 words, below 32,768 rounds together.
const ITEMS: usize = 128;

/// Finds the quantiles of all lanes.
pub(super) fn run<T: Between>(
    selection: &Selection<'_>,
    plan: &QuantilePlan,
    weights: Dtype,
    out: &mut Out<'_, T>,
) -> Result<()> {
    let (grid, points) = (selection.grid(), plan.points.len());
    if grid.len == 0 || points == 0 {
        return Ok(());
    }
    let work = Weighed { selection, limbs: selection.order.limbs(), weights };
    let table = Table { lanes: plan.lanes.count() };
    for part in selection.parts() {
        let Some(first) = part.first() else { continue };
        let together = (work.room() / (4 * Stage::WeighAll.sums() * work.limbs)).max(1);
        for start in (0..first.lanes()).step_by(together) {
            let lanes = start..first.lanes().min(start + together);
            let mut wanted = Vec::with_capacity(lanes.len() * points * (work.limbs + 2));
            let mut numbers = Vec::with_capacity(lanes.len());
            for (lane, total) in lanes.clone().zip(work.totals(&part, lanes.clone())?) {
                let all = work.checked(plan, &part, lane, &total)?;
                numbers.push(all.is_some());
                for &point in &plan.points {
                    wanted.extend([0, 0]);
                    wanted.extend(share(least(all.unwrap_or(1.0), point), work.unit(), work.limbs));
                }
            }
            let keys = work.keys(&part, lanes.start * points, &wanted, points)?;
            for ((lane, &numbers), keys) in lanes.zip(&numbers).zip(keys.chunks_exact(points)) {
                for (i, &key) in keys.iter().enumerate() {
                    let element = if numbers { element_of_key::<T>(key) } else { T::from_key(u64::MAX) };
                    out.write(table.at(i, first.lane(grid, lane)), Found::Element(element));
                }
            }
        }
    }
    Ok(())
}

struct Weighed<'a> {
    selection: &'a Selection<'a>,
    limbs: usize,
    weights: Dtype,
}

impl Weighed<'_> {
    /// Bytes of sums that are kept at once.
    fn room(&self) -> usize {
        ROOM.min(self.selection.context.share(6) as usize)
    }

    /// The power of two of the lowest bit of a weight.
    fn unit(&self) -> i32 {
        match self.weights {
            Dtype::F64 => -1074,
            Dtype::F32 => -149,
            _ => 0,
        }
    }

    /// Workgroups that share each of so many jobs.
    fn splits(&self, len: usize, jobs: usize) -> usize {
        self.selection.splits_of(len, jobs, ITEMS)
    }

    /// What all elements of each lane make together: words, see the shader.
    fn totals(&self, part: &[Piece], lanes: std::ops::Range<usize>) -> Result<Vec<Vec<u32>>> {
        let (selection, words) = (self.selection, Stage::WeighAll.sums() * self.limbs);
        let bytes = (4 * words * lanes.len()) as u64;
        let sums = selection.context.block(bytes)?;
        selection.context.clear(&sums, bytes)?;
        selection.walk(part)?(&mut |piece, here| {
            let mut params = selection.params(piece, here, 1);
            let splits = self.splits(piece.at.len(), lanes.len());
            (params.job, params.splits) = (lanes.start as u32, splits as u32);
            let Some(weights) = &here.beside else { return Ok(()) };
            let (values, weights) = (Bind::Block(&here.values.block), Bind::Block(&weights.block));
            // There are no states yet.
            let binds = [values.clone(), weights, values, Bind::Block(&sums)];
            selection.dispatch(Stage::WeighAll, params, (lanes.len() * splits) as u64, true, &binds)
        })?;
        let all = selection.context.read_small(&sums, bytes)?;
        let all: Vec<u32> = all.as_chunks::<4>().0.iter().map(|&word| u32::from_le_bytes(word)).collect();
        Ok(all.chunks_exact(words).map(<[u32]>::to_vec).collect())
    }

    /// The weight of all numbers of a lane, rounded; `None` where the quantiles are NaN.
    fn checked(&self, plan: &QuantilePlan, part: &[Piece], lane: usize, total: &[u32]) -> Result<Option<f64>> {
        let sum = |i: usize| &total[i * self.limbs..(i + 1) * self.limbs];
        if let Some(index) = sum(3).first().filter(|&&word| word != 0).map(|&word| !word as usize) {
            return Err(Error::invalid("weight", self.weight(part, lane, index)?, "a finite number that is not negative"));
        }
        let any = |i: usize| sum(i).iter().any(|&word| word != 0);
        if (any(2) && !plan.ignore_nan) || !any(1) {
            return Ok(None);
        }
        if !any(0) {
            return Err(Error::invalid("weights", "0 alone in a lane", "at least one above 0"));
        }
        let mut exact = ExactSum::new();
        for (i, &limb) in sum(0).iter().enumerate().filter(|(_, limb)| **limb != 0) {
            exact.add_scaled(i128::from(limb), self.unit() + 32 * i as i32);
        }
        let all = exact.to_f64();
        if all.is_infinite() {
            return Err(Error::invalid("sum of the weights", all, "a finite one"));
        }
        Ok(Some(all))
    }

    /// The weight of an element.
    fn weight(&self, part: &[Piece], lane: usize, index: usize) -> Result<f64> {
        let Some(piece) = part.iter().find(|piece| piece.at.contains(&index)) else { return Ok(f64::NAN) };
        let (width, mut one) = (piece.columns.len(), piece.clone());
        let (outer, column) = (piece.outer.start + lane / width, piece.columns.start + lane % width);
        (one.outer, one.at, one.columns) = (outer..outer + 1, index..index + 1, column..column + 1);
        let here = self.selection.place(&one)?;
        let Some(placed) = &here.beside else { return Ok(f64::NAN) };
        let mut bytes = [0u8; 8];
        let size = self.weights.size();
        self.selection.context.read_bytes(&placed.block, u64::from(placed.start) * size as u64, &mut bytes[..size])?;
        let mut one = crate::HostVec::zeros(self.weights, 1)?;
        one.view_mut(&[1]).copy_from_bytes(&bytes[..size]);
        Ok(with_dtype!(self.weights, W => one.view(&[1]).as_slice::<W>().map_or(f64::NAN, |slice| slice[0].number())))
    }

    /// The keys of jobs from `first` on, of their states.
    fn keys(&self, part: &[Piece], first: usize, states: &[u32], ranks: usize) -> Result<Vec<u64>> {
        let (words, mut keys) = (self.limbs + 2, vec![]);
        let together = (self.room() / (4 * (1 << WEIGHED) * self.limbs)).max(1);
        for (i, states) in states.chunks(together * words).enumerate() {
            keys.extend(self.some_keys(part, first + i * together, states, ranks)?);
        }
        Ok(keys)
    }

    fn some_keys(&self, part: &[Piece], first: usize, states: &[u32], ranks: usize) -> Result<Vec<u64>> {
        let (selection, words) = (self.selection, self.limbs + 2);
        let (n, digits) = (states.len() / words, 1 << WEIGHED);
        let bytes = (4 * digits * self.limbs * n) as u64;
        let (jobs, sums) = (selection.upload(bytemuck::cast_slice(states))?, selection.context.block(bytes)?);
        selection.context.clear(&sums, bytes)?;
        let mut walk = selection.walk(part)?;
        for shift in (0..selection.order.bits()).step_by(WEIGHED as usize).rev() {
            walk(&mut |piece, here| {
                let mut params = selection.params(piece, here, ranks);
                let splits = self.splits(piece.at.len(), n);
                (params.shift, params.job, params.splits) = (shift, first as u32, splits as u32);
                let Some(weights) = &here.beside else { return Ok(()) };
                let (values, weights) = (Bind::Block(&here.values.block), Bind::Block(&weights.block));
                let binds = [values, weights, Bind::Block(&jobs), Bind::Block(&sums)];
                selection.dispatch(Stage::Weigh, params, (n * splits) as u64, true, &binds)
            })?;
            let mut params = <crate::gpu::select::Params as bytemuck::Zeroable>::zeroed();
            params.shift = shift;
            selection.dispatch(Stage::ChooseWeighed, params, n as u64, false, &[Bind::Block(&jobs), Bind::Block(&sums)])?;
        }
        let found = selection.context.read_small(&jobs, 4 * states.len() as u64)?;
        let key = |state: &[u8]| state.first_chunk::<8>().map_or(0, |&key| u64::from_le_bytes(key));
        Ok(found.chunks_exact(4 * words).map(key).collect())
    }
}

/// Which dtype the second array has, if it weighs.
pub(super) fn dtype(beside: Option<Beside>) -> Option<Dtype> {
    match beside {
        Some(Beside::Weights(dtype)) => Some(dtype),
        _ => None,
    }
}

/// The least binary64 number that, divided by `all`, reaches `point`.
fn least(all: f64, point: f64) -> f64 {
    // Numbers that are not negative have the order of their bits, and quotients that of their numerators.
    let (mut low, mut high) = (0u64, all.to_bits());
    while low < high {
        let middle = low + (high - low) / 2;
        if f64::from_bits(middle) / all >= point {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    f64::from_bits(low)
}

/// The least multiple of `2^unit`, above 0, that is rounded to `least` or more: words, the lowest first.
fn share(least: f64, unit: i32, limbs: usize) -> Vec<u32> {
    // In units of 2^-1075: half way to the number below; from there on, or from the next on if a tie goes down.
    let mut words = vec![0u32; 70];
    if least > 0.0 {
        add(&mut words, least);
        add(&mut words, least.next_down());
        if least.to_bits() & 1 == 1 {
            carry(&mut words, 0, 1);
        }
    }
    let shift = (unit + 1075) as usize;
    let (whole, part) = (shift / 32, shift % 32);
    let rest = words[..whole].iter().any(|&word| word != 0) || words[whole] & ((1 << part) - 1) != 0;
    let word = |i: usize| u64::from(words.get(i).copied().unwrap_or(0));
    let mut shifted: Vec<u32> = (whole..whole + limbs).map(|i| ((word(i) | word(i + 1) << 32) >> part) as u32).collect();
    if rest || shifted.iter().all(|&word| word == 0) {
        carry(&mut shifted, 0, 1);
    }
    shifted
}

/// Adds a number that is not negative, in units of 2^-1074.
fn add(words: &mut [u32], number: f64) {
    let bits = number.to_bits();
    let field = bits >> 52;
    let mantissa = bits & ((1 << 52) - 1) | u64::from(field > 0) << 52;
    let position = field.max(1) as usize - 1;
    let placed = u128::from(mantissa) << (position % 32);
    (0..3).for_each(|i| carry(words, position / 32 + i, (placed >> (32 * i)) as u32));
}

/// Adds to a word, with what is carried.
fn carry(words: &mut [u32], at: usize, value: u32) {
    let mut more = value;
    for word in &mut words[at..] {
        let (sum, over) = word.overflowing_add(more);
        (*word, more) = (sum, u32::from(over));
        if !over {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number of so many units, rounded once.
    fn rounded(words: &[u32], unit: i32) -> f64 {
        let mut sum = ExactSum::new();
        words.iter().enumerate().for_each(|(i, &word)| sum.add_scaled(i128::from(word), unit + 32 * i as i32));
        sum.to_f64()
    }

    #[test]
    fn shares_are_the_least_that_reach_the_quantile() {
        let alls = [1.0, 3.0, 10.0, 1e300, 1e-300, 5e-324, 1e-323, 0.1, f64::MAX, 2f64.powi(53) - 1.0];
        let points = [0.0, 5e-324, 1e-310, 1e-20, 0.1, 1.0 / 3.0, 0.5, 0.9, 1.0 - f64::EPSILON / 2.0, 1.0];
        for (unit, limbs) in [(-1074, 68), (-149, 12), (0, 4)] {
            for all in alls.into_iter().filter(|&all| unit < -149 || (1.0..1e19).contains(&all)) {
                for point in points {
                    let least = least(all, point);
                    assert!(least / all >= point && (least == 0.0 || least.next_down() / all < point), "{all} {point}");
                    let share = share(least, unit, limbs);
                    assert!(rounded(&share, unit) >= least, "{all} {point} {unit}");
                    let mut less = share.clone();
                    for word in &mut less {
                        *word = word.wrapping_sub(1);
                        if *word != u32::MAX {
                            break;
                        }
                    }
                    let none = less.iter().all(|&word| word == 0);
                    assert!(none || rounded(&less, unit) < least, "{all} {point} {unit}");
                }
            }
        }
    }
}
