//! Expressions over arrays: blocks of elements read through any strides, converted, computed, and written or reduced.

use std::ops::Range;
use std::sync::Mutex;

use super::LANES;
use super::machine::{Aligned, Element, Machine, canonical};
use crate::array::{HostVec, Storage};
use crate::cpu::simd::{AHEAD, Simd, prefetch};
use crate::cpu::{deliver, reduce, tasks};
use crate::dtype::with_dtype;
use crate::engine::Target;
use crate::exact::accumulator::Accumulator;
use crate::expr::scalar::{Lane, Number};
use crate::plan::{MapPlan, Partials, Reduce, ReduceOp, ReducePlan, Walk};
use crate::view::{View, ViewMut};
use crate::{Control, Dtype, Error, ExactSum, Result};

/// Results that are reduced in one go, from the second-level cache, and that are summed, from the first.
const TASK: usize = 32 * LANES;
const SUMMED: usize = 8 * LANES;

/// Runs the plan.
pub(in crate::cpu) fn run(
    plan: &MapPlan,
    inputs: Vec<View<'_>>,
    target: Target<'_>,
    simd: Simd,
    control: &Control,
) -> Result<Option<Storage>> {
    match plan.dtype {
        Dtype::F32 => Run::<f32>::new(plan, inputs, simd, control).deliver(target),
        _ => Run::<f64>::new(plan, inputs, simd, control).deliver(target),
    }
}

/// Reduces all results of the plan, none of which is written to memory beyond the cache.
pub(in crate::cpu) fn partials(
    plan: &MapPlan,
    op: ReduceOp,
    inputs: Vec<View<'_>>,
    simd: Simd,
    control: &Control,
) -> Result<Partials> {
    match plan.dtype {
        Dtype::F32 => Run::<f32>::new(plan, inputs, simd, control).reduce(op),
        _ => Run::<f64>::new(plan, inputs, simd, control).reduce(op),
    }
}

/// A map at work.
struct Run<'a, T> {
    plan: &'a MapPlan,
    inputs: Vec<View<'a>>,
    walk: Walk,
    uniforms: Vec<T>,
    simd: Simd,
    control: &'a Control,
}

impl<'a, T: Element> Run<'a, T> {
    fn new(plan: &'a MapPlan, inputs: Vec<View<'a>>, simd: Simd, control: &'a Control) -> Self {
        let inputs: Vec<_> = inputs.into_iter().map(|view| view.pad_rank(plan.shape.len())).collect();
        let arrays: Vec<_> = inputs.iter().map(|view| (view.shape(), view.strides())).collect();
        let walk = Walk::new(&plan.shape, &arrays);
        let uniforms = plan.program.uniforms(&plan.expression, &plan.bindings);
        Self { plan, inputs, walk, uniforms, simd, control }
    }

    fn machine(&self) -> Machine<T> {
        Machine::new(&self.plan.program, &self.uniforms, self.simd)
    }

    /// Computes a range of the whole result's elements into `out`; NaN is any of them.
    fn fill(&self, machine: &mut Machine<T>, range: Range<usize>, out: &mut [T]) {
        let mut at = range.start;
        let mut direct = vec![None; self.inputs.len()];
        for out in out.chunks_mut(LANES) {
            for (index, (view, direct)) in self.inputs.iter().zip(&mut direct).enumerate() {
                *direct = self.whole(index, at..at + out.len());
                if let Some(block) = direct {
                    // The hardware stops looking ahead at each page, and most blocks are two to a page.
                    for line in (0..size_of_val(*block)).step_by(64) {
                        prefetch(block.as_ptr().wrapping_byte_add(AHEAD + line));
                    }
                } else {
                    let register = &mut machine.registers[index][..];
                    with_dtype!(view.dtype(), S => load::<S, T>(view, &self.walk, index, at..at + out.len(), register));
                }
            }
            machine.run(&direct, 0, out);
            at += out.len();
        }
    }

    /// What a whole block of results reads of an array, if that is a block that needs no conversion.
    fn whole(&self, index: usize, range: Range<usize>) -> Option<&[T; LANES]> {
        let view = &self.inputs[index];
        if view.dtype() != T::DTYPE || range.len() != LANES {
            return None;
        }
        let mut found = None;
        self.walk.runs(index, range, |offset, stride, count| {
            // SAFETY: the walk stays within the view's shape, whose every element is readable and aligned, and these follow
            // each other.
            let block = || unsafe { &*view.as_ptr().cast::<T>().wrapping_offset(offset).cast::<[T; LANES]>() };
            found = (stride == 1 && count == LANES).then(block);
        });
        found
    }

    fn deliver(self, target: Target<'_>) -> Result<Option<Storage>> {
        let plan = self.plan;
        let part = [plan.outputs()];
        match target {
            // The caller's memory is that of the whole result.
            Target::Host(mut out) if out.is_contiguous() => {
                let len = out.len();
                // SAFETY: the same elements in the same order, borrowed for as long.
                let flat = unsafe { ViewMut::from_raw_parts(plan.dtype, out.as_mut_ptr(), &[len], &[1]) };
                self.write(flat.narrow(0, plan.range.clone())).map(|()| None)
            }
            // Copying all of it would overwrite what others compute.
            Target::Host(_) if !plan.is_whole() => {
                Err(Error::invalid("memory for a part of a map", "strides", "contiguous memory"))
            }
            Target::Host(mut out) => {
                let mut whole = HostVec::zeros(plan.dtype, out.len())?;
                self.write(whole.view_mut(&[out.len()]).narrow(0, plan.range.clone()))?;
                out.copy_from_bytes(whole.view(&plan.shape).as_bytes().unwrap_or(&[]));
                Ok(None)
            }
            target => deliver(plan.dtype, &part, target, |out| self.write(out)),
        }
    }

    /// Computes the plan's results into a contiguous window of as many elements.
    fn write(&self, out: ViewMut<'_>) -> Result<()> {
        let (first, len) = (self.plan.range.start, out.len());
        let per_task = task_len(len);
        tasks::for_each(len.div_ceil(per_task), 1, &|task| {
            self.control.check()?;
            let range = task * per_task..len.min((task + 1) * per_task);
            // SAFETY: the tasks' ranges have no element in common; `out` itself is not used until all of them have ended.
            let mut part = unsafe { out.share() }.narrow(0, range.clone());
            if let Some(part) = part.as_slice::<T>() {
                // Some at a time, while they are in the cache.
                let mut machine = self.machine();
                for (at, part) in (first + range.start..).step_by(TASK).zip(part.chunks_mut(TASK)) {
                    self.fill(&mut machine, at..at + part.len(), part);
                    canonical(part, self.simd);
                }
            }
            self.control.advance((range.len() as u64).saturating_mul(self.plan.program.cost()));
            Ok(())
        })
    }

    fn reduce(&self, op: ReduceOp) -> Result<Partials> {
        if matches!(op, ReduceOp::Sum | ReduceOp::Mean) {
            return self.sum();
        }
        let (first, len) = (self.plan.range.start, self.plan.outputs());
        let whole = ReducePlan::new(&Reduce::of(op), self.plan.dtype, &[len])?;
        let all = Mutex::new(whole.empty_partials());
        let per_task = task_len(len);
        tasks::for_each(len.div_ceil(per_task), 1, &|task| {
            self.control.check()?;
            let (mut machine, mut block) = (self.machine(), Aligned::<[T; TASK]>::new(T::default()));
            let mut own = whole.empty_partials();
            let end = len.min((task + 1) * per_task);
            for start in (task * per_task..end).step_by(TASK) {
                let block = &mut block[..TASK.min(end - start)];
                self.fill(&mut machine, first + start..first + start + block.len(), block);
                canonical(block, self.simd);
                let plan = ReducePlan::new(&Reduce::of(op), self.plan.dtype, &[block.len()])?;
                let quiet = Control::new();
                let partials = tasks::here(|| reduce::partials(&plan, &[View::from_slice(block)], self.simd, &quiet))?;
                own.merge(&partials, op, start as u64)?;
            }
            self.control.advance(((end - task * per_task) as u64).saturating_mul(self.plan.program.cost()));
            let mut all = all.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            all.merge(&own, op, 0)
        })?;
        Ok(all.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    fn sum(&self) -> Result<Partials> {
        let (first, len) = (self.plan.range.start, self.plan.outputs());
        let all = Mutex::new(ExactSum::new());
        let per_task = task_len(len);
        tasks::for_each(len.div_ceil(per_task), 1, &|task| {
            self.control.check()?;
            let (mut machine, mut block) = (self.machine(), Aligned::<[T; SUMMED]>::new(T::default()));
            let mut sum = Accumulator::new();
            let range = task * per_task..len.min((task + 1) * per_task);
            for start in range.clone().step_by(SUMMED) {
                let block = &mut block[..SUMMED.min(range.end - start)];
                self.fill(&mut machine, first + start..first + start + block.len(), block);
                sum.extend(block, self.simd);
            }
            self.control.advance((range.len() as u64).saturating_mul(self.plan.program.cost()));
            all.lock().unwrap_or_else(std::sync::PoisonError::into_inner).merge(&sum.to_sum());
            Ok(())
        })?;
        Ok(Partials::Float(vec![all.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)]))
    }
}

/// Results per task: whole blocks, some tasks per thread.
fn task_len(len: usize) -> usize {
    len.div_ceil(8 * tasks::threads()).next_multiple_of(TASK).clamp(TASK, 64 * TASK)
}

/// Reads what results `range` need of one array.
fn load<S: Number, T: Lane>(view: &View<'_>, walk: &Walk, array: usize, range: Range<usize>, out: &mut [T]) {
    let first = view.as_ptr().cast::<S>();
    let mut rest = out;
    walk.runs(array, range, |offset, stride, count| {
        let (part, after) = std::mem::take(&mut rest).split_at_mut(count);
        rest = after;
        for (i, out) in part.iter_mut().enumerate() {
            // SAFETY: the walk stays within the view's shape, whose every element is readable and aligned.
            *out = <T as Lane>::of(unsafe { *first.wrapping_offset(offset + i as isize * stride) });
        }
    });
}
