//! The axes of a reduction in the order in which memory is best read, and checked access to the elements.

use std::marker::PhantomData;
use std::ops::Range;

use crate::plan::ReducePlan;
use crate::view::View;
use crate::{Error, Real, Result};

/// An axis: its length, its stride in the input and, for a kept axis, in the C-contiguous result; in elements.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Axis {
    pub(super) len: usize,
    pub(super) stride: isize,
    out: usize,
}

/// The input, and its axes: widest stride first, joined where they can be.
pub(super) struct Layout<'a, T> {
    source: Source<'a, T>,
    pub(super) kept: Vec<Axis>,
    pub(super) reduced: Vec<Axis>,
}

/// What is called with rows of a tile and the first reduced position among them.
pub(super) type Each<'e, T> = dyn FnMut(&[&[T]], u64) -> Result<()> + 'e;

/// Elements by their distance from the first.
#[derive(Clone, Copy)]
struct Source<'a, T> {
    first: *const T,
    lowest: isize,
    highest: isize,
    life: PhantomData<&'a [T]>,
}

// SAFETY: a shared borrow of plain numbers.
unsafe impl<T: Sync> Sync for Source<'_, T> {}

impl<'a, T: Real> Source<'a, T> {
    #[inline(always)]
    fn check(&self, from: isize, to: isize) {
        assert!(self.lowest <= from.min(to) && from.max(to) <= self.highest);
    }

    /// `len > 0` elements along an axis of stride 1.
    fn slice(&self, at: isize, len: usize) -> &'a [T] {
        self.check(at, at + len as isize - 1);
        // SAFETY: the axis has these elements (both ends were checked against the view), and the view is borrowed for 'a.
        unsafe { std::slice::from_raw_parts(self.first.wrapping_offset(at), len) }
    }

    /// Copies the elements along an axis.
    fn gather(&self, at: isize, stride: isize, out: &mut [T]) {
        self.check(at, at + (out.len().max(1) as isize - 1) * stride);
        for (i, out) in out.iter_mut().enumerate() {
            // SAFETY: an element of the view: between two that were checked, on the same axis.
            *out = unsafe { *self.first.wrapping_offset(at + i as isize * stride) };
        }
    }
}

impl<'a, T: Real> Layout<'a, T> {
    /// The layout of `input` for `plan`. Where the order of the elements does not matter (`free`), the reduced axes are
    /// sorted and turned around, too.
    pub(super) fn new(plan: &ReducePlan, input: &View<'a>, free: bool) -> Result<Self> {
        if input.dtype() != T::DTYPE || input.shape() != plan.input {
            let got = format!("{} {:?}", input.dtype(), input.shape());
            return Err(Error::invalid("reduction input", got, format!("{} {:?}", plan.dtype, plan.input)));
        }
        let (shape, strides) = (input.shape(), input.strides());
        let (mut lowest, mut highest) = (0, 0);
        for (&n, &stride) in shape.iter().zip(strides) {
            let reach = (n.max(1) as isize - 1) * stride;
            (lowest, highest) = (lowest + reach.min(0), highest + reach.max(0));
        }
        let mut source = Source { first: input.as_ptr().cast::<T>(), lowest, highest, life: PhantomData };
        let mut out = 1;
        let mut kept = Vec::new();
        for &axis in plan.kept.iter().rev() {
            kept.insert(0, Axis { len: shape[axis], stride: strides[axis], out });
            out *= shape[axis].max(1);
        }
        let mut reduced: Vec<Axis> =
            plan.reduced.iter().map(|&axis| Axis { len: shape[axis], stride: strides[axis], out: 0 }).collect();
        if free {
            for axis in reduced.iter_mut().filter(|axis| axis.stride < 0 && axis.len > 0) {
                let reach = (axis.len as isize - 1) * axis.stride;
                source.first = source.first.wrapping_offset(reach);
                (source.lowest, source.highest) = (source.lowest - reach, source.highest - reach);
                axis.stride = -axis.stride;
            }
        }
        let sort = |axes: &mut Vec<Axis>| {
            axes.retain(|axis| axis.len != 1);
            axes.sort_by_key(|axis| std::cmp::Reverse(axis.stride.unsigned_abs()));
        };
        sort(&mut kept);
        if free {
            sort(&mut reduced);
        } else {
            reduced.retain(|axis| axis.len != 1);
        }
        Ok(Self { source, kept: join(&kept), reduced: join(&reduced) })
    }

    /// The layout of a second input, of the same shape, with the axes in the plan's order: position `i` among the kept is
    /// result `i`, and reduced positions are in C order.
    pub(super) fn ordered(plan: &ReducePlan, input: &View<'a>) -> Result<Self> {
        let plan = ReducePlan { dtype: T::DTYPE, ..plan.clone() };
        let mut layout = Self::new(&plan, input, false)?;
        let axes = |which: &[usize]| -> Vec<Axis> {
            let axes = which.iter().map(|&axis| Axis { len: input.shape()[axis], stride: input.strides()[axis], out: 0 });
            axes.filter(|axis| axis.len != 1).collect()
        };
        (layout.kept, layout.reduced) = (join(&axes(&plan.kept)), join(&axes(&plan.reduced)));
        Ok(layout)
    }

    /// Copies the elements of one kept position and a range of the reduced ones, in order, or finds them where they lie.
    pub(super) fn fetch<'b>(&self, kept: usize, range: Range<usize>, buffer: &'b mut Vec<T>) -> &'b [T]
    where
        'a: 'b,
    {
        along(&self.source, place(&self.kept, kept).0, &self.reduced, range, buffer)
    }

    /// Copies the elements of one reduced position and a range of the kept ones, in order, or finds them where they lie.
    pub(super) fn fetch_across<'b>(&self, reduced: usize, range: Range<usize>, buffer: &'b mut Vec<T>) -> &'b [T]
    where
        'a: 'b,
    {
        along(&self.source, place(&self.reduced, reduced).0, &self.kept, range, buffer)
    }

    /// Where the result of a kept position goes.
    pub(super) fn output(&self, kept: usize) -> usize {
        place(&self.kept, kept).1
    }

    /// Whether the reduced elements lie in runs of at least `len`.
    pub(super) fn has_rows(&self, len: usize) -> bool {
        self.reduced.last().is_some_and(|axis| axis.stride == 1 && axis.len >= len)
    }

    /// Whether the kept elements lie in runs of at least `len`.
    pub(super) fn has_columns(&self, len: usize) -> bool {
        self.kept.last().is_some_and(|axis| axis.stride == 1 && axis.len >= len)
    }

    /// Calls `each` with all elements of one kept position and a range of the reduced ones, in order, in slices, each with
    /// the index of its first element.
    pub(super) fn rows(&self, kept: usize, range: Range<usize>, buffer: &mut Vec<T>, each: &mut dyn FnMut(&[T], u64)) {
        let start = place(&self.kept, kept).0;
        if self.has_rows(48) {
            return runs(&self.reduced, range, &mut |at, offset, len| each(self.source.slice(start + offset, len), at as u64));
        }
        let stride = self.reduced.last().map_or(0, |axis| axis.stride);
        buffer.resize(1024, T::ZERO);
        let (mut filled, mut first) = (0, range.start as u64);
        runs(&self.reduced, range, &mut |_, offset, len| {
            let mut done = 0;
            while done < len {
                let more = (len - done).min(buffer.len() - filled);
                self.source.gather(start + offset + done as isize * stride, stride, &mut buffer[filled..filled + more]);
                (filled, done) = (filled + more, done + more);
                if filled == buffer.len() {
                    each(buffer, first);
                    (filled, first) = (0, first + filled as u64);
                }
            }
        });
        if filled > 0 {
            each(&buffer[..filled], first);
        }
    }

    /// Calls `each` with the elements of the kept positions `columns` as rows, `height` reduced positions of `range` at a
    /// time, each time with the first of these. If the kept elements lie in runs, `columns` must be within one.
    pub(super) fn tiles(
        &self,
        columns: Range<usize>,
        range: Range<usize>,
        height: usize,
        direct: bool,
        each: &mut Each<'_, T>,
    ) -> Result<()> {
        let width = columns.len();
        let mut memory = Vec::new();
        let mut at = range.start;
        while at < range.end {
            let tile = at..range.end.min(at + height);
            let mut rows: Vec<&[T]> = Vec::with_capacity(tile.len());
            if direct {
                let start = place(&self.kept, columns.start).0;
                runs(&self.reduced, tile.clone(), &mut |_, offset, len| {
                    let stride = self.reduced.last().map_or(0, |axis| axis.stride);
                    rows.extend((0..len).map(|i| self.source.slice(start + offset + i as isize * stride, width)));
                });
            } else {
                memory.resize(width * tile.len(), T::ZERO);
                let stride = self.kept.last().map_or(0, |axis| axis.stride);
                let row_stride = self.reduced.last().map_or(0, |axis| axis.stride);
                runs(&self.reduced, tile.clone(), &mut |first, offset, len| {
                    for i in 0..len {
                        let row = &mut memory[(first.max(at) - at + i) * width..][..width];
                        let offset = offset + i as isize * row_stride;
                        runs(&self.kept, columns.clone(), &mut |column, start, len| {
                            let column = if self.kept.is_empty() { 0 } else { column - columns.start };
                            self.source.gather(start + offset, stride, &mut row[column..column + len]);
                        });
                    }
                });
                rows.extend(memory.chunks_exact(width));
            }
            each(&rows, tile.start as u64)?;
            at = tile.end;
        }
        Ok(())
    }
}

/// The elements in `range` along `axes`, copied unless they are one run.
fn along<'a: 'b, 'b, T: Real>(
    source: &Source<'a, T>,
    start: isize,
    axes: &[Axis],
    range: Range<usize>,
    buffer: &'b mut Vec<T>,
) -> &'b [T] {
    let stride = axes.last().map_or(0, |axis| axis.stride);
    let n = range.len();
    let single = axes.last().is_none_or(|axis| range.start % axis.len + n <= axis.len);
    let mut place = None;
    if stride == 1 && single {
        runs(axes, range, &mut |_, offset, _| place = Some(start + offset));
        return place.map_or(&[], |at| source.slice(at, n));
    }
    if buffer.len() < n {
        buffer.resize(n, T::ZERO);
    }
    let mut filled = 0;
    runs(axes, range, &mut |_, offset, len| {
        source.gather(start + offset, stride, &mut buffer[filled..filled + len]);
        filled += len;
    });
    &buffer[..n]
}

/// Joins neighbouring axes that one stride can walk.
fn join(axes: &[Axis]) -> Vec<Axis> {
    let mut joined: Vec<Axis> = Vec::with_capacity(axes.len());
    for &axis in axes {
        let n = axis.len;
        match joined.last_mut() {
            Some(last) if last.stride == axis.stride * n as isize && last.out == axis.out * n => {
                *last = Axis { len: last.len * n, ..axis };
            }
            _ => joined.push(axis),
        }
    }
    joined
}

/// The place of position `index` (C order) of `axes` in the input and in the result.
fn place(axes: &[Axis], mut index: usize) -> (isize, usize) {
    let (mut at, mut out) = (0, 0);
    for axis in axes.iter().rev() {
        let i = index % axis.len;
        (at, out) = (at + i as isize * axis.stride, out + i * axis.out);
        index /= axis.len;
    }
    (at, out)
}

/// Calls `each` with every run along the innermost of `axes` (position in the run's order, place, length) in `range`.
fn runs(axes: &[Axis], range: Range<usize>, each: &mut dyn FnMut(usize, isize, usize)) {
    let Some((inner, outer)) = axes.split_last() else {
        if !range.is_empty() {
            each(0, 0, 1);
        }
        return;
    };
    let mut at = range.start;
    while at < range.end {
        let within = at % inner.len;
        let len = (inner.len - within).min(range.end - at);
        each(at, place(outer, at / inner.len).0 + within as isize * inner.stride, len);
        at += len;
    }
}
