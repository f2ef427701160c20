//! Sums of an integrand over samples: coordinates from Philox blocks, values by the interpreter, sums exact.

use std::ops::Range;
use std::sync::Mutex;

use super::LANES;
use super::machine::Machine;
use crate::cpu::simd::{Kernel, Simd};
use crate::cpu::tasks;
use crate::exact::fast::Accumulator;
use crate::expr::scalar::Lane;
use crate::philox::{MULTIPLIERS, ROUNDS};
use crate::plan::{IntegralSums, IntegratePlan, words_per_sample};
use crate::{Control, Dtype, Philox4x32, Result};

/// Values that are summed in one go, and the most that a task computes.
const BATCH: u64 = 32 * LANES as u64;
const TASK: u64 = 32 * BATCH;

/// The sums over the plan's samples.
pub(in crate::cpu) fn sums(plan: &IntegratePlan, simd: Simd, control: &Control) -> Result<IntegralSums> {
    match plan.dtype {
        Dtype::F32 => run::<f32>(plan, simd, control),
        _ => run::<f64>(plan, simd, control),
    }
}

fn run<T: Sample>(plan: &IntegratePlan, simd: Simd, control: &Control) -> Result<IntegralSums> {
    let uniforms = plan.program.uniforms::<T>(&plan.expression, &plan.bindings);
    let Range { start, end } = plan.samples;
    let per_task = plan.len().div_ceil(8 * tasks::threads() as u64).next_multiple_of(BATCH).clamp(BATCH, TASK);
    let all = Mutex::new(IntegralSums { count: plan.len(), ..IntegralSums::default() });
    tasks::for_each(usize::try_from(plan.len().div_ceil(per_task)).unwrap_or(usize::MAX), 1, &|task| {
        control.check()?;
        let from = start + task as u64 * per_task;
        let samples = from..end.min(from.saturating_add(per_task));
        let mut machine = Machine::<T>::new(&plan.program, &uniforms, simd);
        let (mut sum, mut squares) = (Accumulator::new(), Accumulator::new());
        let (mut values, mut products) = (vec![], vec![]);
        let mut at = samples.start;
        while at < samples.end {
            let batch = at..samples.end.min(at.saturating_add(BATCH));
            values.clear();
            evaluate(plan, &mut machine, simd, batch.clone(), &mut values);
            sum.extend(&values, simd);
            products.clear();
            T::squares(&values, &mut products);
            squares.extend(&products, simd);
            at = batch.end;
        }
        control.advance(samples.end - samples.start);
        let mut all = all.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        all.sum.merge(&sum.to_sum());
        all.squares.merge(&squares.to_sum());
        Ok(())
    })?;
    Ok(all.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// The integrand's values at some samples, in order.
pub(super) fn evaluate<T: Sample>(
    plan: &IntegratePlan,
    machine: &mut Machine<T>,
    simd: Simd,
    samples: Range<u64>,
    values: &mut Vec<T>,
) {
    let philox = Philox4x32::new(plan.seed);
    let keys = philox.round_keys();
    let dimensions = plan.bounds.len();
    let words = words_per_sample(dimensions);
    // Samples in a Philox block, or else blocks to a sample.
    let together = (4 / words.min(4)) as u64;
    let scales: Vec<[T; 2]> = plan.bounds.iter().map(|&[from, to]| [T::nearest(from), T::nearest(to - from)]).collect();
    let mut blocks = [[0u32; LANES]; 4];
    let mut at = samples.start;
    while at < samples.end {
        let first = at / together;
        let skip = (at - first * together) as usize;
        for group in 0..dimensions.div_ceil(4) {
            let counters = Counters { keys: &keys, first, group: group as u32, out: &mut blocks };
            simd.run(counters);
            for dimension in 4 * group..dimensions.min(4 * group + 4) {
                let register = &mut machine.registers[dimension];
                for sample in 0..together as usize {
                    let words = &blocks[sample * words.min(4) + dimension % 4];
                    let scale = scales[dimension];
                    simd.run(Coordinates { words, scale, out: &mut register[..], first: sample, step: together as usize });
                }
            }
        }
        let count = (LANES - skip).min(usize::try_from(samples.end - at).unwrap_or(LANES));
        values.extend_from_slice(&machine.run()[skip..skip + count]);
        at += count as u64;
    }
}

/// Philox blocks `first ..` with `group` in the third word of the counter and 1 in the fourth.
struct Counters<'a> {
    keys: &'a [[u32; 2]; ROUNDS],
    first: u64,
    group: u32,
    out: &'a mut [[u32; LANES]; 4],
}

impl Kernel for Counters<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        const STEP: usize = 64;
        let [m0, m1] = MULTIPLIERS.map(u64::from);
        let low = |x: u64| x & 0xffff_ffff;
        for start in (0..LANES).step_by(STEP) {
            // One word per 64-bit lane, because the products have 64 bits.
            let mut words = [[0u64; STEP]; 4];
            let [a, b, c, d] = &mut words;
            for i in 0..STEP {
                let counter = self.first.wrapping_add((start + i) as u64);
                (a[i], b[i], c[i], d[i]) = (low(counter), counter >> 32, u64::from(self.group), 1);
            }
            for [k0, k1] in self.keys {
                let (k0, k1) = (u64::from(*k0), u64::from(*k1));
                for i in 0..STEP {
                    let (p0, p1) = (a[i] * m0, c[i] * m1);
                    (a[i], b[i], c[i], d[i]) = ((p1 >> 32) ^ b[i] ^ k0, low(p1), (p0 >> 32) ^ d[i] ^ k1, low(p0));
                }
            }
            for (out, words) in self.out.iter_mut().zip(&words) {
                for (out, &word) in out[start..start + STEP].iter_mut().zip(words) {
                    *out = word as u32;
                }
            }
        }
    }
}

/// Coordinates from words, into every `step`-th place from `first` on.
struct Coordinates<'a, T> {
    words: &'a [u32; LANES],
    scale: [T; 2],
    out: &'a mut [T],
    first: usize,
    step: usize,
}

impl<T: Sample> Kernel for Coordinates<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        let [from, width] = self.scale;
        if self.step == 1 {
            for (out, &word) in self.out.iter_mut().zip(self.words) {
                *out = from.add(width.mul(T::fraction(word)));
            }
        } else {
            for (out, &word) in self.out.iter_mut().skip(self.first).step_by(self.step).zip(self.words) {
                *out = from.add(width.mul(T::fraction(word)));
            }
        }
    }
}

/// A dtype that samples are drawn in.
pub(super) trait Sample: Lane + crate::exact::fast::Float {
    /// The middle of the cell of (0, 1) that a word names: 2^23 cells in binary32, 2^32 in binary64.
    fn fraction(word: u32) -> Self;
    /// Numbers whose exact sum is that of the squares.
    fn squares(values: &[Self], out: &mut Vec<f64>);
}

impl Sample for f32 {
    #[inline(always)]
    fn fraction(word: u32) -> Self {
        (2 * (word >> 9) + 1) as i32 as f32 * (1.0 / 16_777_216.0)
    }

    fn squares(values: &[f32], out: &mut Vec<f64>) {
        // 24 bits times 24 bits: exact.
        out.extend(values.iter().map(|&value| f64::from(value) * f64::from(value)));
    }
}

impl Sample for f64 {
    #[inline(always)]
    fn fraction(word: u32) -> Self {
        (f64::from(word) + 0.5) * (1.0 / 4_294_967_296.0)
    }

    fn squares(values: &[f64], out: &mut Vec<f64>) {
        for &value in values {
            let square = value * value;
            out.push(square);
            // Nothing is left of an infinite square; of a finite one, what was rounded away.
            if square.is_finite() {
                out.push(value.mul_add(value, -square));
            }
        }
    }
}
