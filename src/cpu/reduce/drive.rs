//! The walk over the input: which elements each task reads, and how its partial results come together.

use rayon::prelude::*;

use super::layout::Layout;
use crate::plan::ReducePlan;
use crate::view::View;
use crate::{Control, Element, Result};

/// Elements of one result that a task reads at most.
const SEGMENT: usize = 1 << 17;
/// Columns of a task.
const WIDTH: usize = 1024;
/// Rows of a tile: as many as a lane of an exact sum takes.
const HEIGHT: usize = 1 << 8;
/// Rows and columns of a tile that is copied together from other strides.
const COPIED: (usize, usize) = (32, 256);

/// A reduction, as the walk sees it: what becomes of rows of elements that go to one result, and of columns.
pub(super) trait Fold<T: Element>: Sync {
    /// A partial result.
    type Partial: Send;
    /// The partial results of neighbouring columns.
    type Columns: Send;
    /// Whether partials may be formed in any grouping; otherwise in segments of fixed length only.
    const EXACT: bool = true;
    /// Whether the elements may come in any order.
    const FREE: bool = true;

    /// The result of nothing; `last` is the previous result of this task, if there is one.
    fn start(&self, last: Option<&Self::Partial>) -> Self::Partial;
    /// Adds elements, the first of which has this index.
    fn row(&self, partial: &mut Self::Partial, values: &[T], index: u64);
    /// Adds the partial of later elements.
    fn merge(&self, partial: &mut Self::Partial, later: Self::Partial);
    /// The results of nothing.
    fn start_columns(&self, width: usize) -> Self::Columns;
    /// Adds rows (at most [`HEIGHT`]) of `width` elements, the first of which has this index.
    fn rows(&self, columns: &mut Self::Columns, rows: &[&[T]], index: u64);
    /// The results.
    fn end_columns(&self, columns: Self::Columns) -> Vec<Self::Partial>;
}

/// The results, written by several tasks.
struct Sink<O> {
    first: *mut O,
    len: usize,
}

// SAFETY: tasks write distinct results (see `write`), and results may move between threads.
unsafe impl<O: Send> Sync for Sink<O> {}

impl<O> Sink<O> {
    /// # Safety
    /// No other thread may access result `index`.
    unsafe fn write(&self, index: usize, value: O) {
        assert!(index < self.len);
        // SAFETY: in bounds of a slice that is borrowed uniquely by `drive`; the caller vouches for this result.
        unsafe { *self.first.add(index) = value }
    }
}

/// Folds `input` into one result per kept position: `out`, in C order.
pub(super) fn drive<T: Element, F: Fold<T>, O: Send>(
    fold: &F,
    plan: &ReducePlan,
    input: &View<'_>,
    control: &Control,
    finish: impl Fn(F::Partial) -> Result<O> + Sync,
    out: &mut [O],
) -> Result<()> {
    let (count, len) = (plan.out_len(), plan.reduce_len());
    assert_eq!(out.len(), count);
    if count == 0 || len == 0 {
        return out.iter_mut().try_for_each(|out| finish(fold.start(None)).map(|value| *out = value));
    }
    let layout = Layout::<T>::new(plan, input, F::FREE)?;
    let sink = Sink { first: out.as_mut_ptr(), len: count };
    let threads = rayon::current_num_threads();
    if layout.has_rows(48) || (!layout.has_columns(32) && count < 32) {
        let segments = len.div_ceil(SEGMENT);
        if segments == 1 {
            let share = (SEGMENT / len).min(count.div_ceil(4 * threads)).max(1);
            return (0..count.div_ceil(share)).into_par_iter().try_for_each(|task| {
                control.check()?;
                let kept = task * share..count.min((task + 1) * share);
                let (mut buffer, mut last) = (Vec::new(), None);
                for (position, place) in kept.clone().zip(layout.outputs(kept.clone())) {
                    let mut partial = fold.start(last.as_ref());
                    layout.rows(position, 0..len, &mut buffer, |values, index| fold.row(&mut partial, values, index));
                    let next = fold.start(Some(&partial));
                    // SAFETY: every kept position has its own result, and belongs to one task.
                    unsafe { sink.write(place, finish(partial)?) };
                    last = Some(next);
                }
                control.advance((kept.len() * len) as u64);
                Ok(())
            });
        }
        let partials: Vec<F::Partial> = (0..count * segments)
            .into_par_iter()
            .map(|task| {
                control.check()?;
                let (position, segment) = (task / segments, task % segments);
                let range = segment * SEGMENT..len.min((segment + 1) * SEGMENT);
                let mut partial = fold.start(None);
                layout.rows(position, range.clone(), &mut Vec::new(), |values, index| fold.row(&mut partial, values, index));
                control.advance(range.len() as u64);
                Ok(partial)
            })
            .collect::<Result<_>>()?;
        let mut partials = partials.into_iter();
        for place in layout.outputs(0..count) {
            let Some(mut partial) = partials.next() else { break };
            partials.by_ref().take(segments - 1).for_each(|later| fold.merge(&mut partial, later));
            // SAFETY: this is the only thread by now.
            unsafe { sink.write(place, finish(partial)?) };
        }
        return Ok(());
    }
    // Columns: blocks of kept positions, cut so that none leaves a run that is read where it lies.
    let direct = layout.has_columns(32);
    let (height, width) = if direct { (HEIGHT, WIDTH) } else { COPIED };
    let run = if direct { layout.kept.last().map_or(1, |axis| axis.len) } else { count };
    let width = width.min(run.div_ceil((4 * threads).div_ceil(count / run)).max(64));
    let per_run = run.div_ceil(width);
    let blocks = per_run * (count / run);
    let segment = if F::EXACT { len.div_ceil((8 * threads).div_ceil(blocks)).max(height) } else { SEGMENT };
    let segments = len.div_ceil(segment);
    let columns = |block: usize| {
        let start = block / per_run * run;
        let within = block % per_run * width;
        start + within..start + run.min(within + width)
    };
    let task = |block: usize, part: usize| {
        let columns = columns(block);
        let mut state = fold.start_columns(columns.len());
        let range = part * segment..len.min((part + 1) * segment);
        layout.tiles(columns.clone(), range, height, direct, |rows, index| {
            control.check()?;
            fold.rows(&mut state, rows, index);
            control.advance((rows.len() * columns.len()) as u64);
            Ok(())
        })?;
        Ok(fold.end_columns(state))
    };
    let write = |block: usize, partials: Vec<F::Partial>| {
        for (place, partial) in layout.outputs(columns(block)).zip(partials) {
            // SAFETY: every kept position has its own result, and belongs to one block.
            unsafe { sink.write(place, finish(partial)?) };
        }
        Ok(())
    };
    if segments == 1 {
        return (0..blocks).into_par_iter().try_for_each(|block| write(block, task(block, 0)?));
    }
    let parts: Vec<Vec<F::Partial>> =
        (0..blocks * segments).into_par_iter().map(|i| task(i / segments, i % segments)).collect::<Result<_>>()?;
    let mut parts = parts.into_iter();
    for block in 0..blocks {
        let Some(mut first) = parts.next() else { break };
        for part in parts.by_ref().take(segments - 1) {
            first.iter_mut().zip(part).for_each(|(partial, later)| fold.merge(partial, later));
        }
        write(block, first)?;
    }
    Ok(())
}

/// The columns of a fold that knows rows only: each column is copied together.
pub(super) fn rows_by_row<T: Element, F: Fold<T>>(fold: &F, columns: &mut [F::Partial], rows: &[&[T]], index: u64) {
    let mut column = [T::ZERO; HEIGHT];
    for (j, partial) in columns.iter_mut().enumerate() {
        let column = &mut column[..rows.len()];
        column.iter_mut().zip(rows).for_each(|(element, row)| *element = row[j]);
        fold.row(partial, column, index);
    }
}
