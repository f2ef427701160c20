//! Sums of an integrand over samples: values by the interpreter, sums exact.

use std::ops::Range;
use std::sync::Mutex;

use super::grid::Cells;
use super::machine::{Aligned, Machine};
use super::samples::{Sample, Samples};
use crate::cpu::simd::Simd;
use crate::cpu::tasks;
use crate::exact::squares::{self, WithSquares};
use crate::plan::{IntegralSums, IntegratePlan};
use crate::{Control, Dtype, Result};

/// Values that are summed in one go, from the first-level cache, and the most that a task computes.
const BATCH: usize = squares::MOST;
const TASK: u64 = 128 * BATCH as u64;

/// The sums over the plan's samples.
pub(in crate::cpu) fn sums(plan: &IntegratePlan, simd: Simd, control: &Control) -> Result<IntegralSums> {
    match plan.dtype {
        Dtype::F32 => run::<f32>(plan, simd, control),
        _ => run::<f64>(plan, simd, control),
    }
}

fn run<T: Sample>(plan: &IntegratePlan, simd: Simd, control: &Control) -> Result<IntegralSums> {
    let uniforms = plan.program.uniforms::<T>(&plan.expression, &plan.bindings);
    let function = plan.native.as_ref().map(|native| native.function("cpu")).transpose()?;
    let Range { start, end } = plan.samples;
    let per_task = plan.len().div_ceil(8 * tasks::threads() as u64).next_multiple_of(BATCH as u64).clamp(BATCH as u64, TASK);
    let all = Mutex::new(IntegralSums { count: plan.len(), ..plan.no_sums() });
    tasks::for_each(usize::try_from(plan.len().div_ceil(per_task)).unwrap_or(usize::MAX), 1, &|task| {
        control.check()?;
        let from = start + task as u64 * per_task;
        let range = from..end.min(from.saturating_add(per_task));
        let (mut machine, mut samples) = (Machine::<T>::new(&plan.program, &uniforms, simd), Samples::new(plan, simd));
        machine.function = function.clone();
        let mut cells = Cells::<T>::new(plan, simd);
        let mut sums = WithSquares::new();
        let mut values = Aligned::<[T; BATCH]>::new(T::ZERO);
        let mut at = range.start;
        while at < range.end {
            let batch = at..range.end.min(at.saturating_add(BATCH as u64));
            let values = &mut values[..(batch.end - at) as usize];
            samples.evaluate(&mut machine, batch.clone(), values, cells.as_mut());
            sums.extend(values, simd);
            at = batch.end;
        }
        control.advance(range.end - range.start);
        let mut all = all.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let [sum, squares] = sums.to_sums();
        all.sum.merge(&sum);
        all.squares.merge(&squares);
        let counts = cells.iter().flat_map(Cells::counts);
        all.counts.iter_mut().zip(counts).for_each(|(all, more)| *all += more);
        Ok(())
    })?;
    Ok(all.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}
