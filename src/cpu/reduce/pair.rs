//! The walk over two inputs at once: operands of a dot product, or elements and their mask.

use super::drive::{HEIGHT, SEGMENT, Sink};
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

/// Folds the pairs into one partial per kept position, and gives each to `emit` once, with its place in the result.
pub(super) fn drive_pairs<T: Real, U: Real, F: FoldPairs<T, U>>(
    fold: &F,
    plan: &ReducePlan,
    inputs: (&View<'_>, &View<'_>),
    control: &Control,
    emit: &(dyn Fn(usize, F::Partial) -> Result<()> + Sync),
) -> Result<()> {
    let (count, len) = (plan.out_len(), plan.reduce_len());
    if count == 0 || len == 0 {
        return (0..count).try_for_each(|place| emit(place, fold.start(None)));
    }
    let (plan, first, second) = sorted(plan, inputs.0, inputs.1);
    let (first, second) = (Layout::<T>::ordered(&plan, &first)?, Layout::<U>::ordered(&plan, &second)?);
    if count >= 8 && first.has_columns(8) && !first.has_rows(2) {
        return columns(fold, (count, len), (&first, &second), control, emit);
    }
    let piece = |partial: &mut F::Partial, position: usize, from: usize, to: usize, memory: &mut (Vec<T>, Vec<U>)| {
        for start in (from..to).step_by(PIECE) {
            let range = start..to.min(start + PIECE);
            let values = first.fetch(position, range.clone(), &mut memory.0);
            let others = second.fetch(position, range, &mut memory.1);
            fold.row(partial, values, others, start as u64);
        }
    };
    let segments = len.div_ceil(SEGMENT);
    if segments == 1 {
        let share = (SEGMENT / len).min(count.div_ceil(4 * threads())).max(1);
        return for_each(count.div_ceil(share), 1, &|task| {
            control.check()?;
            let (mut memory, mut last) = ((Vec::new(), Vec::new()), None);
            let positions = task * share..count.min((task + 1) * share);
            for position in positions.clone() {
                let mut partial = fold.start(last.as_ref());
                piece(&mut partial, position, 0, len, &mut memory);
                last = Some(fold.start(Some(&partial)));
                emit(position, partial)?;
            }
            control.advance((positions.len() * len) as u64);
            Ok(())
        });
    }
    let mut partials: Vec<Option<F::Partial>> = (0..count * segments).map(|_| None).collect();
    let sink = Sink::new(&mut partials);
    for_each(count * segments, 1, &|task| {
        control.check()?;
        let (position, segment) = (task / segments, task % segments);
        let (from, to) = (segment * SEGMENT, len.min((segment + 1) * SEGMENT));
        let mut partial = fold.start(None);
        piece(&mut partial, position, from, to, &mut (Vec::new(), Vec::new()));
        control.advance((to - from) as u64);
        // SAFETY: `partials` outlives the tasks, and each task has its own.
        unsafe { sink.write(task, Some(partial)) };
        Ok(())
    })?;
    let mut partials = partials.into_iter().flatten();
    for position in 0..count {
        let Some(mut partial) = partials.next() else { break };
        partials.by_ref().take(segments - 1).for_each(|later| fold.merge(&mut partial, later));
        emit(position, partial)?;
    }
    Ok(())
}

/// Results that lie next to each other: blocks are turned, so that each result's pairs become a row.
fn columns<T: Real, U: Real, F: FoldPairs<T, U>>(
    fold: &F,
    (count, len): (usize, usize),
    (first, second): (&Layout<'_, T>, &Layout<'_, U>),
    control: &Control,
    emit: &(dyn Fn(usize, F::Partial) -> Result<()> + Sync),
) -> Result<()> {
    for_each(count.div_ceil(COLUMNS), 1, &|task| {
        let block = task * COLUMNS..count.min((task + 1) * COLUMNS);
        let (mut values, mut others) = (vec![T::ZERO; COLUMNS * HEIGHT], vec![U::ZERO; COLUMNS * HEIGHT]);
        let mut memory = (Vec::new(), Vec::new());
        let mut partials: Vec<F::Partial> = block.clone().map(|_| fold.start(None)).collect();
        for start in (0..len).step_by(HEIGHT) {
            control.check()?;
            let rows = start..len.min(start + HEIGHT);
            for (r, row) in rows.clone().enumerate() {
                let from = first.fetch_across(row, block.clone(), &mut memory.0);
                from.iter().enumerate().for_each(|(c, &x)| values[c * HEIGHT + r] = x);
                let from = second.fetch_across(row, block.clone(), &mut memory.1);
                from.iter().enumerate().for_each(|(c, &x)| others[c * HEIGHT + r] = x);
            }
            for (c, partial) in partials.iter_mut().enumerate() {
                let part = c * HEIGHT..c * HEIGHT + rows.len();
                fold.row(partial, &values[part.clone()], &others[part], start as u64);
            }
            control.advance((rows.len() * block.len()) as u64);
        }
        block.zip(partials).try_for_each(|(place, partial)| emit(place, partial))
    })
}
