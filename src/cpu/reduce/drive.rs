//! The walk over the input: which elements each task reads, and how its partial results come together.

use super::layout::Layout;
use crate::cpu::tasks::{for_each, threads};
use crate::plan::ReducePlan;
use crate::view::View;
use crate::{Control, Real, Result};

/// Elements of one result that a task reads at most.
pub(super) const SEGMENT: usize = 1 << 17;
/// Columns of a task: long runs of memory, and state that stays in the first-level cache.
const WIDTH: usize = 1024;
/// Rows of a tile: as many as a lane of an exact sum takes.
pub(super) const HEIGHT: usize = 1 << 8;
/// Rows of a band at least: what is merged in the end is little beside them.
const BAND: usize = 4 * HEIGHT;
/// Rows and columns of a tile that is copied together from other strides.
const COPIED: (usize, usize) = (32, 256);

/// A reduction, as the walk sees it: what becomes of rows of elements that go to one result, and of columns.
pub(super) trait Fold<T: Real>: Sync {
    /// A partial result.
    type Partial: Send;
    /// The partial results of neighbouring columns.
    type Columns: Send;
    /// Whether partials may be formed in any grouping; otherwise in segments of fixed length only.
    const EXACT: bool = true;
    /// Whether the elements may come in any order.
    const FREE: bool = true;
    /// Columns of a task at most.
    const WIDTH: usize = WIDTH;

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

/// Values written by several tasks.
pub(super) struct Sink<O> {
    first: *mut O,
    len: usize,
}

// SAFETY: tasks write distinct values (see `write`), and values may move between threads.
unsafe impl<O: Send> Sync for Sink<O> {}

impl<O> Sink<O> {
    pub(super) fn new(values: &mut [O]) -> Self {
        Self { first: values.as_mut_ptr(), len: values.len() }
    }

    /// # Safety
    /// The slice is still borrowed, and no other thread accesses value `index`.
    pub(super) unsafe fn write(&self, index: usize, value: O) {
        assert!(index < self.len);
        // SAFETY: in bounds of a slice that the caller vouches for.
        unsafe { *self.first.add(index) = value }
    }
}

/// Folds `input` into one partial per kept position, and gives each to `emit` once, with its place in the result (C order).
pub(super) fn drive<T: Real, F: Fold<T>>(
    fold: &F,
    plan: &ReducePlan,
    input: &View<'_>,
    control: &Control,
    emit: &(dyn Fn(usize, F::Partial) -> Result<()> + Sync),
) -> Result<()> {
    let (count, len) = (plan.out_len(), plan.reduce_len());
    if count == 0 || len == 0 {
        return (0..count).try_for_each(|place| emit(place, fold.start(None)));
    }
    let layout = Layout::<T>::new(plan, input, F::FREE)?;
    let threads = threads();
    if layout.has_rows(48) || (!layout.has_columns(32) && count < 32) {
        let segments = len.div_ceil(SEGMENT);
        if segments == 1 {
            let share = (SEGMENT / len).min(count.div_ceil(4 * threads)).max(1);
            return for_each(count.div_ceil(share), 1, &|task| {
                control.check()?;
                let kept = task * share..count.min((task + 1) * share);
                let (mut buffer, mut last) = (Vec::new(), None);
                for position in kept.clone() {
                    let mut partial = fold.start(last.as_ref());
                    layout.rows(position, 0..len, &mut buffer, &mut |values, index| fold.row(&mut partial, values, index));
                    last = Some(fold.start(Some(&partial)));
                    emit(layout.output(position), partial)?;
                }
                control.advance((kept.len() * len) as u64);
                Ok(())
            });
        }
        let mut partials: Vec<Option<F::Partial>> = (0..count * segments).map(|_| None).collect();
        let sink = Sink::new(&mut partials);
        for_each(count * segments, 1, &|task| {
            control.check()?;
            let (position, segment) = (task / segments, task % segments);
            let range = segment * SEGMENT..len.min((segment + 1) * SEGMENT);
            let mut partial = fold.start(None);
            layout.rows(position, range.clone(), &mut Vec::new(), &mut |values, index| fold.row(&mut partial, values, index));
            control.advance(range.len() as u64);
            // SAFETY: `partials` outlives the tasks, and each task has its own.
            unsafe { sink.write(task, Some(partial)) };
            Ok(())
        })?;
        let mut partials = partials.into_iter().flatten();
        for position in 0..count {
            let Some(mut partial) = partials.next() else { break };
            partials.by_ref().take(segments - 1).for_each(|later| fold.merge(&mut partial, later));
            emit(layout.output(position), partial)?;
        }
        return Ok(());
    }
    // Columns: blocks of kept positions, cut so that none leaves a run that is read where it lies.
    let direct = layout.has_columns(32);
    let (height, widest) = if direct { (HEIGHT, F::WIDTH) } else { COPIED };
    let run = if direct { layout.kept.last().map_or(1, |axis| axis.len) } else { count };
    let tasks = if threads == 1 { 1 } else { 4 * threads };
    // Bands of rows first, where partials may be grouped as one likes: so memory is read in order. Then narrower blocks.
    let bands = (len / BAND).min(tasks.div_ceil(run.div_ceil(widest) * (count / run)));
    let bands = if F::EXACT { bands.max(1) } else { 1 };
    let width = widest.min(run.div_ceil(tasks.div_ceil(bands * (count / run))).max(64));
    let per_run = run.div_ceil(width);
    let blocks = per_run * (count / run);
    let segment = if F::EXACT { len.div_ceil(tasks.div_ceil(blocks)).max(height) } else { SEGMENT };
    let segments = len.div_ceil(segment);
    let columns = |block: usize| {
        let start = block / per_run * run;
        let within = block % per_run * width;
        start + within..start + run.min(within + width)
    };
    let emit_all = |block: usize, partials: Vec<F::Partial>| {
        columns(block).zip(partials).try_for_each(|(position, partial)| emit(layout.output(position), partial))
    };
    let mut parts: Vec<Vec<F::Partial>> = Vec::new();
    parts.resize_with(if segments == 1 { 0 } else { blocks * segments }, Vec::new);
    let sink = Sink::new(&mut parts);
    for_each(blocks * segments, 1, &|task| {
        let (block, segment_index) = (task / segments, task % segments);
        let columns = columns(block);
        let mut state = fold.start_columns(columns.len());
        let range = segment_index * segment..len.min((segment_index + 1) * segment);
        layout.tiles(columns.clone(), range, height, direct, &mut |rows, index| {
            control.check()?;
            fold.rows(&mut state, rows, index);
            control.advance((rows.len() * columns.len()) as u64);
            Ok(())
        })?;
        let partials = fold.end_columns(state);
        if segments == 1 {
            return emit_all(block, partials);
        }
        // SAFETY: `parts` outlives the tasks, and each task has its own.
        unsafe { sink.write(task, partials) };
        Ok(())
    })?;
    let mut parts = parts.into_iter();
    for block in 0..blocks {
        let Some(mut first) = parts.next() else { break };
        for part in parts.by_ref().take(segments - 1) {
            first.iter_mut().zip(part).for_each(|(partial, later)| fold.merge(partial, later));
        }
        emit_all(block, first)?;
    }
    Ok(())
}

/// The columns of a fold that knows rows only: each column is copied together.
pub(super) fn rows_by_row<T: Real, F: Fold<T>>(fold: &F, columns: &mut [F::Partial], rows: &[&[T]], index: u64) {
    let mut column = [T::ZERO; HEIGHT];
    for (j, partial) in columns.iter_mut().enumerate() {
        let column = &mut column[..rows.len()];
        column.iter_mut().zip(rows).for_each(|(element, row)| *element = row[j]);
        fold.row(partial, column, index);
    }
}
