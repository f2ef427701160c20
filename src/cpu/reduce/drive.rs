//! The walk over the input: which elements each task reads, and how its partial results come together.
//!
//! There are some hundred folds: the walk knows them as objects, a [`Folding`] and a [`Worker`] per task, so that it is compiled
//! once per dtype. What becomes of a row of elements is compiled for each fold.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::layout::Layout;
use crate::cpu::tasks::{for_each, threads};
use crate::plan::ReducePlan;
use crate::view::View;
use crate::{Control, Real, Result};

/// Elements of one result that a task reads at most.
pub(super) const SEGMENT: usize = 1 << 17;
/// Parts of one result at most, where partials may be formed in any grouping.
const PARTS: usize = 1 << 12;
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
    /// Rows that columns are given at a time, at most.
    const HEIGHT: usize = HEIGHT;

    /// The result of nothing; `last` is the previous result of this task, if there is one.
    fn start(&self, last: Option<&Self::Partial>) -> Self::Partial;
    /// Adds elements, the first of which has this index.
    fn row(&self, partial: &mut Self::Partial, values: &[T], index: u64);
    /// Adds the partial of later elements.
    fn merge(&self, partial: &mut Self::Partial, later: Self::Partial);
    /// The results of nothing.
    fn start_columns(&self, width: usize) -> Self::Columns;
    /// Adds rows (at most [`HEIGHT`](Self::HEIGHT)) of `width` elements, the first of which has this index.
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

/// What becomes of a partial result, given with its place.
pub(super) type Emit<'e, P> = dyn Fn(usize, P) -> Result<()> + Sync + 'e;

/// Partial results by number, several of them (of neighbouring columns) or one: each is written by one task, and read when all
/// are there.
pub(super) struct Parts<P>(Vec<Mutex<Vec<P>>>);

impl<P> Parts<P> {
    /// Room for none.
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    /// Makes room for so many.
    pub(super) fn prepare(&mut self, count: usize) {
        self.0.resize_with(count, Mutex::default);
    }

    pub(super) fn set(&self, number: usize, part: Vec<P>) {
        *self.0[number].lock().unwrap_or_else(PoisonError::into_inner) = part;
    }

    /// Takes some, which follow each other, and joins them.
    pub(super) fn join(&self, numbers: Range<usize>, merge: impl Fn(&mut P, P)) -> Vec<P> {
        let take = |part: &Mutex<Vec<P>>| std::mem::take(&mut *part.lock().unwrap_or_else(PoisonError::into_inner));
        let mut parts = self.0[numbers].iter().map(take);
        let mut first = parts.next().unwrap_or_default();
        for part in parts {
            first.iter_mut().zip(part).for_each(|(partial, later)| merge(partial, later));
        }
        first
    }
}

/// A fold, as the walk sees it.
trait Folding<T: Real>: Sync {
    /// [`Fold::EXACT`], [`Fold::FREE`], and [`Fold::HEIGHT`] and [`Fold::WIDTH`].
    fn properties(&self) -> (bool, bool, (usize, usize));
    /// One who folds for a task.
    fn worker(&self) -> Box<dyn Worker<T> + '_>;
    /// Makes room for so many parts.
    fn prepare(&mut self, parts: usize);
    /// Joins parts that follow each other, and gives the results to their places.
    fn join(&self, parts: Range<usize>, places: &mut dyn Iterator<Item = usize>) -> Result<()>;
}

/// What a task does with elements: rows of one result after the other, or rows of columns.
trait Worker<T: Real> {
    /// Begins a result.
    fn begin(&mut self);
    /// Adds elements to it, the first of which has this index.
    fn row(&mut self, values: &[T], index: u64);
    /// Begins the results of so many columns.
    fn begin_columns(&mut self, width: usize);
    /// Adds rows to them, the first of which has this index.
    fn rows(&mut self, rows: &[&[T]], index: u64);
    /// Ends what has begun: gives the results to their places.
    fn emit(&mut self, places: &mut dyn Iterator<Item = usize>) -> Result<()>;
    /// Ends what has begun: keeps it as a part.
    fn keep(&mut self, part: usize);
}

/// A fold whose results go to `emit`.
struct Into<'a, T: Real, F: Fold<T>> {
    fold: &'a F,
    emit: &'a Emit<'a, F::Partial>,
    parts: Parts<F::Partial>,
}

/// A worker of [`Into`].
struct Task<'a, T: Real, F: Fold<T>> {
    into: &'a Into<'a, T, F>,
    partial: Option<F::Partial>,
    columns: Option<F::Columns>,
    /// What the last result taught.
    last: Option<F::Partial>,
}

impl<T: Real, F: Fold<T>> Task<'_, T, F> {
    fn end(&mut self) -> Vec<F::Partial> {
        match self.columns.take() {
            Some(columns) => self.into.fold.end_columns(columns),
            None => self.partial.take().into_iter().collect(),
        }
    }
}

impl<T: Real, F: Fold<T>> Folding<T> for Into<'_, T, F> {
    fn properties(&self) -> (bool, bool, (usize, usize)) {
        (F::EXACT, F::FREE, (F::HEIGHT, F::WIDTH))
    }

    fn worker(&self) -> Box<dyn Worker<T> + '_> {
        Box::new(Task { into: self, partial: None, columns: None, last: None })
    }

    fn prepare(&mut self, parts: usize) {
        self.parts.prepare(parts);
    }

    fn join(&self, parts: Range<usize>, places: &mut dyn Iterator<Item = usize>) -> Result<()> {
        let partials = self.parts.join(parts, |partial, later| self.fold.merge(partial, later));
        places.zip(partials).try_for_each(|(place, partial)| (self.emit)(place, partial))
    }
}

impl<T: Real, F: Fold<T>> Worker<T> for Task<'_, T, F> {
    fn begin(&mut self) {
        self.partial = Some(self.into.fold.start(self.last.as_ref()));
    }

    fn row(&mut self, values: &[T], index: u64) {
        if let Some(partial) = &mut self.partial {
            self.into.fold.row(partial, values, index);
        }
    }

    fn begin_columns(&mut self, width: usize) {
        self.columns = Some(self.into.fold.start_columns(width));
    }

    fn rows(&mut self, rows: &[&[T]], index: u64) {
        if let Some(columns) = &mut self.columns {
            self.into.fold.rows(columns, rows, index);
        }
    }

    fn emit(&mut self, places: &mut dyn Iterator<Item = usize>) -> Result<()> {
        if let Some(partial) = self.partial.take() {
            self.last = Some(self.into.fold.start(Some(&partial)));
            return places.next().map_or(Ok(()), |place| (self.into.emit)(place, partial));
        }
        let partials = self.end();
        places.zip(partials).try_for_each(|(place, partial)| (self.into.emit)(place, partial))
    }

    fn keep(&mut self, part: usize) {
        let partials = self.end();
        self.into.parts.set(part, partials);
    }
}

/// Folds `input` into one partial per kept position, and gives each to `emit` once, with its place in the result (C order).
pub(super) fn drive<T: Real, F: Fold<T>>(
    fold: &F,
    plan: &ReducePlan,
    input: &View<'_>,
    control: &Control,
    emit: &Emit<'_, F::Partial>,
) -> Result<()> {
    walk(&mut Into { fold, emit, parts: Parts::new() }, plan, input, control)
}

fn walk<T: Real>(fold: &mut dyn Folding<T>, plan: &ReducePlan, input: &View<'_>, control: &Control) -> Result<()> {
    let (count, len) = (plan.out_len(), plan.reduce_len());
    if count == 0 || len == 0 {
        let mut worker = fold.worker();
        return (0..count).try_for_each(|place| {
            worker.begin();
            worker.emit(&mut std::iter::once(place))
        });
    }
    let (exact, free, largest) = fold.properties();
    let layout = Layout::<T>::new(plan, input, free)?;
    let threads = threads();
    if layout.has_rows(48) || (!layout.has_columns(32) && count < 32) {
        let segment = if exact { len.div_ceil(PARTS).next_multiple_of(SEGMENT) } else { SEGMENT };
        let segments = len.div_ceil(segment);
        if segments == 1 {
            let fold = &*fold;
            let share = (segment / len).min(count.div_ceil(4 * threads)).max(1);
            return for_each(count.div_ceil(share), 1, &|task| {
                control.check()?;
                let kept = task * share..count.min((task + 1) * share);
                let (mut buffer, mut worker) = (Vec::new(), fold.worker());
                for position in kept.clone() {
                    worker.begin();
                    layout.rows(position, 0..len, &mut buffer, &mut |values, index| worker.row(values, index));
                    worker.emit(&mut std::iter::once(layout.output(position)))?;
                }
                control.advance((kept.len() * len) as u64);
                Ok(())
            });
        }
        fold.prepare(count * segments);
        let fold = &*fold;
        for_each(count * segments, 1, &|task| {
            let (position, first) = (task / segments, task % segments * segment);
            let (mut buffer, mut worker) = (Vec::new(), fold.worker());
            worker.begin();
            for start in (first..len.min(first + segment)).step_by(SEGMENT) {
                control.check()?;
                let range = start..len.min(start + SEGMENT).min(first + segment);
                layout.rows(position, range.clone(), &mut buffer, &mut |values, index| worker.row(values, index));
                control.advance(range.len() as u64);
            }
            worker.keep(task);
            Ok(())
        })?;
        return (0..count).try_for_each(|position| {
            let parts = position * segments..(position + 1) * segments;
            fold.join(parts, &mut std::iter::once(layout.output(position)))
        });
    }
    // Columns: blocks of kept positions, cut so that none leaves a run that is read where it lies.
    let direct = layout.has_columns(32);
    let (height, widest) = if direct { largest } else { COPIED };
    let run = if direct { layout.kept.last().map_or(1, |axis| axis.len) } else { count };
    let tasks = if threads == 1 { 1 } else { 4 * threads };
    // Bands of rows first, where partials may be grouped as one likes: so memory is read in order. Then narrower blocks.
    let bands = (len / BAND).min(tasks.div_ceil(run.div_ceil(widest) * (count / run)));
    let bands = if exact { bands.max(1) } else { 1 };
    let width = widest.min(run.div_ceil(tasks.div_ceil(bands * (count / run))).max(64));
    let per_run = run.div_ceil(width);
    let blocks = per_run * (count / run);
    let segment = if exact { len.div_ceil(tasks.div_ceil(blocks)).max(height) } else { SEGMENT };
    let segments = len.div_ceil(segment);
    let columns = |block: usize| {
        let start = block / per_run * run;
        let within = block % per_run * width;
        start + within..start + run.min(within + width)
    };
    let places = |block: usize| columns(block).map(|position| layout.output(position));
    fold.prepare(if segments == 1 { 0 } else { blocks * segments });
    let fold = &*fold;
    for_each(blocks * segments, 1, &|task| {
        let (block, segment_index) = (task / segments, task % segments);
        let columns = columns(block);
        let mut worker = fold.worker();
        worker.begin_columns(columns.len());
        let range = segment_index * segment..len.min((segment_index + 1) * segment);
        layout.tiles(columns.clone(), range, height, direct, &mut |rows, index| {
            control.check()?;
            worker.rows(rows, index);
            control.advance((rows.len() * columns.len()) as u64);
            Ok(())
        })?;
        if segments == 1 {
            return worker.emit(&mut places(block));
        }
        worker.keep(task);
        Ok(())
    })?;
    if segments > 1 {
        for block in 0..blocks {
            fold.join(block * segments..(block + 1) * segments, &mut places(block))?;
        }
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
