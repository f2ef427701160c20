//! The walk over two inputs at once: operands of a dot product, or elements and their mask. Folds are objects, as in `drive`.

use std::ops::Range;

use super::drive::{Emit, HEIGHT, Parts, SEGMENT};
use super::layout::Layout;
use crate::cpu::tasks::{for_each, threads};
use crate::plan::ReducePlan;
use crate::view::View;
use crate::{Control, Real, Result};

/// Elements that are fetched at a time.
const PIECE: usize = 1 << 13;
/// Columns of a block whose elements are turned into rows.
const COLUMNS: usize = 64;

/// A reduction of pairs of elements.
pub(super) trait FoldPairs<T: Real, U: Real>: Sync {
    /// A partial result.
    type Partial: Send;

    /// The result of nothing; `last` is the previous result of this task, if there is one.
    fn start(&self, last: Option<&Self::Partial>) -> Self::Partial;
    /// Adds pairs, the first of which has this index.
    fn row(&self, partial: &mut Self::Partial, values: &[T], others: &[U], index: u64);
    /// Adds the partial of later elements.
    fn merge(&self, partial: &mut Self::Partial, later: Self::Partial);
}

/// The axes in an order in which the first input is read in long runs, if the order of the results does not forbid that.
fn sorted<'a>(plan: &ReducePlan, first: &View<'a>, second: &View<'a>) -> (ReducePlan, View<'a>, View<'a>) {
    let mut order: Vec<usize> = (0..first.rank()).collect();
    if plan.kept.is_empty() {
        order.sort_by_key(|&axis| std::cmp::Reverse(first.strides()[axis].unsigned_abs()));
    }
    let input = order.iter().map(|&axis| plan.input[axis]).collect();
    (ReducePlan { input, ..plan.clone() }, first.clone().permuted(&order), second.clone().permuted(&order))
}

/// A fold of pairs, as the walk sees it.
trait Folding<T: Real, U: Real>: Sync {
    /// One who folds for a task.
    fn worker(&self) -> Box<dyn Worker<T, U> + '_>;
    /// Makes room for so many parts.
    fn prepare(&mut self, parts: usize);
    /// Joins parts that follow each other, and gives the result to its place.
    fn join(&self, parts: Range<usize>, place: usize) -> Result<()>;
}

/// What a task does with pairs.
trait Worker<T: Real, U: Real> {
    /// Begins so many results.
    fn begin(&mut self, count: usize);
    /// Adds pairs to one of them, the first of which has this index.
    fn row(&mut self, result: usize, values: &[T], others: &[U], index: u64);
    /// Gives the results to places from this one on.
    fn emit(&mut self, first: usize) -> Result<()>;
    /// Keeps the results as a part.
    fn keep(&mut self, part: usize);
}

/// A fold whose results go to `emit`.
struct Into<'a, T: Real, U: Real, F: FoldPairs<T, U>> {
    fold: &'a F,
    emit: &'a Emit<'a, F::Partial>,
    parts: Parts<F::Partial>,
}

/// A worker of [`Into`].
struct Task<'a, T: Real, U: Real, F: FoldPairs<T, U>> {
    into: &'a Into<'a, T, U, F>,
    partials: Vec<F::Partial>,
    /// What the last result taught.
    last: Option<F::Partial>,
}

impl<T: Real, U: Real, F: FoldPairs<T, U>> Folding<T, U> for Into<'_, T, U, F> {
    fn worker(&self) -> Box<dyn Worker<T, U> + '_> {
        Box::new(Task { into: self, partials: Vec::new(), last: None })
    }

    fn prepare(&mut self, parts: usize) {
        self.parts.prepare(parts);
    }

    fn join(&self, parts: Range<usize>, place: usize) -> Result<()> {
        let partials = self.parts.join(parts, |partial, later| self.fold.merge(partial, later));
        partials.into_iter().try_for_each(|partial| (self.emit)(place, partial))
    }
}

impl<T: Real, U: Real, F: FoldPairs<T, U>> Worker<T, U> for Task<'_, T, U, F> {
    fn begin(&mut self, count: usize) {
        self.partials.extend((0..count).map(|_| self.into.fold.start(self.last.as_ref())));
    }

    fn row(&mut self, result: usize, values: &[T], others: &[U], index: u64) {
        self.into.fold.row(&mut self.partials[result], values, others, index);
    }

    fn emit(&mut self, first: usize) -> Result<()> {
        self.last = self.partials.last().map(|last| self.into.fold.start(Some(last)));
        (first..).zip(self.partials.drain(..)).try_for_each(|(place, partial)| (self.into.emit)(place, partial))
    }

    fn keep(&mut self, part: usize) {
        self.into.parts.set(part, std::mem::take(&mut self.partials));
    }
}

/// Folds the pairs into one partial per kept position, and gives each to `emit` once, with its place in the result.
pub(super) fn drive_pairs<T: Real, U: Real, F: FoldPairs<T, U>>(
    fold: &F,
    plan: &ReducePlan,
    inputs: (&View<'_>, &View<'_>),
    control: &Control,
    emit: &Emit<'_, F::Partial>,
) -> Result<()> {
    walk(&mut Into { fold, emit, parts: Parts::new() }, plan, inputs, control)
}

fn walk<T: Real, U: Real>(
    fold: &mut dyn Folding<T, U>,
    plan: &ReducePlan,
    inputs: (&View<'_>, &View<'_>),
    control: &Control,
) -> Result<()> {
    let (count, len) = (plan.out_len(), plan.reduce_len());
    if count == 0 || len == 0 {
        let mut worker = fold.worker();
        worker.begin(count);
        return worker.emit(0);
    }
    let (plan, first, second) = sorted(plan, inputs.0, inputs.1);
    let (first, second) = (Layout::<T>::ordered(&plan, &first)?, Layout::<U>::ordered(&plan, &second)?);
    if count >= 8 && first.has_columns(8) && !first.has_rows(2) {
        return columns(fold, (count, len), (&first, &second), control);
    }
    let piece = |worker: &mut dyn Worker<T, U>, position: usize, from: usize, to: usize, memory: &mut (Vec<T>, Vec<U>)| {
        for start in (from..to).step_by(PIECE) {
            let range = start..to.min(start + PIECE);
            let values = first.fetch(position, range.clone(), &mut memory.0);
            let others = second.fetch(position, range, &mut memory.1);
            worker.row(0, values, others, start as u64);
        }
    };
    let segments = len.div_ceil(SEGMENT);
    if segments == 1 {
        let fold = &*fold;
        let share = (SEGMENT / len).min(count.div_ceil(4 * threads())).max(1);
        return for_each(count.div_ceil(share), 1, &|task| {
            control.check()?;
            let (mut memory, mut worker) = ((Vec::new(), Vec::new()), fold.worker());
            let positions = task * share..count.min((task + 1) * share);
            for position in positions.clone() {
                worker.begin(1);
                piece(&mut *worker, position, 0, len, &mut memory);
                worker.emit(position)?;
            }
            control.advance((positions.len() * len) as u64);
            Ok(())
        });
    }
    fold.prepare(count * segments);
    let fold = &*fold;
    for_each(count * segments, 1, &|task| {
        control.check()?;
        let (position, segment) = (task / segments, task % segments);
        let (from, to) = (segment * SEGMENT, len.min((segment + 1) * SEGMENT));
        let mut worker = fold.worker();
        worker.begin(1);
        piece(&mut *worker, position, from, to, &mut (Vec::new(), Vec::new()));
        control.advance((to - from) as u64);
        worker.keep(task);
        Ok(())
    })?;
    (0..count).try_for_each(|position| fold.join(position * segments..(position + 1) * segments, position))
}

/// Results that lie next to each other: blocks are turned, so that each result's pairs become a row.
fn columns<T: Real, U: Real>(
    fold: &dyn Folding<T, U>,
    (count, len): (usize, usize),
    (first, second): (&Layout<'_, T>, &Layout<'_, U>),
    control: &Control,
) -> Result<()> {
    for_each(count.div_ceil(COLUMNS), 1, &|task| {
        let block = task * COLUMNS..count.min((task + 1) * COLUMNS);
        let (mut values, mut others) = (vec![T::ZERO; COLUMNS * HEIGHT], vec![U::ZERO; COLUMNS * HEIGHT]);
        let mut memory = (Vec::new(), Vec::new());
        let mut worker = fold.worker();
        worker.begin(block.len());
        for start in (0..len).step_by(HEIGHT) {
            control.check()?;
            let rows = start..len.min(start + HEIGHT);
            for (r, row) in rows.clone().enumerate() {
                let from = first.fetch_across(row, block.clone(), &mut memory.0);
                from.iter().enumerate().for_each(|(c, &x)| values[c * HEIGHT + r] = x);
                let from = second.fetch_across(row, block.clone(), &mut memory.1);
                from.iter().enumerate().for_each(|(c, &x)| others[c * HEIGHT + r] = x);
            }
            for c in 0..block.len() {
                let part = c * HEIGHT..c * HEIGHT + rows.len();
                worker.row(c, &values[part.clone()], &others[part], start as u64);
            }
            control.advance((rows.len() * block.len()) as u64);
        }
        worker.emit(block.start)
    })
}
