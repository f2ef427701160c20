//! The lanes of a host array: checked access to their elements, whatever the strides.

use std::marker::PhantomData;
use std::ops::Range;

use crate::plan;
use crate::view::View;
use crate::{Error, Real, Result};

/// An axis: its length and stride, in elements.
type Axis = (usize, isize);

/// An array's lanes, in C order.
pub(super) struct Lanes<'a, T> {
    first: *const T,
    lowest: isize,
    highest: isize,
    kept: Vec<Axis>,
    walked: Vec<Axis>,
    life: PhantomData<&'a [T]>,
}

// SAFETY: a shared borrow of plain numbers.
unsafe impl<T: Sync> Sync for Lanes<'_, T> {}

impl<'a, T: Real> Lanes<'a, T> {
    pub(super) fn new(lanes: &plan::Lanes, view: &View<'a>) -> Result<Self> {
        if view.dtype() != T::DTYPE || view.shape() != lanes.input {
            let got = format!("{} {:?}", view.dtype(), view.shape());
            return Err(Error::invalid("operand", got, format!("{} {:?}", lanes.dtype, lanes.input)));
        }
        let (mut lowest, mut highest) = (0, 0);
        for (&n, &stride) in view.shape().iter().zip(view.strides()) {
            let reach = (n.max(1) as isize - 1) * stride;
            (lowest, highest) = (lowest + reach.min(0), highest + reach.max(0));
        }
        let axes = |axes: &[usize]| join(axes.iter().map(|&axis| (view.shape()[axis], view.strides()[axis])));
        let (kept, walked) = (axes(&lanes.kept), axes(&lanes.walked));
        Ok(Self { first: view.as_ptr().cast(), lowest, highest, kept, walked, life: PhantomData })
    }

    /// Elements from `at` on, `stride` apart: where they lie, or copied.
    fn run<'b>(&self, at: isize, stride: isize, len: usize, buffer: &'b mut Vec<T>) -> &'b [T]
    where
        'a: 'b,
    {
        if stride != 1 && len > 1 {
            buffer.resize(len, T::ZERO);
            self.gather(at, stride, &mut buffer[..len]);
            return &buffer[..len];
        }
        self.check(at, at + len.max(1) as isize - 1);
        // SAFETY: both ends were checked against the view, which is borrowed for 'a.
        unsafe { std::slice::from_raw_parts(self.first.wrapping_offset(at), len) }
    }

    fn check(&self, from: isize, to: isize) {
        assert!(self.lowest <= from.min(to) && from.max(to) <= self.highest);
    }

    fn gather(&self, at: isize, stride: isize, out: &mut [T]) {
        self.check(at, at + (out.len().max(1) as isize - 1) * stride);
        for (i, out) in out.iter_mut().enumerate() {
            // SAFETY: between two elements of the view that were checked, on the same axis.
            *out = unsafe { *self.first.wrapping_offset(at + i as isize * stride) };
        }
    }

    /// The elements `range` of a lane: where they lie, or copied to `buffer`.
    pub(super) fn chunk<'b>(&self, lane: usize, range: Range<usize>, buffer: &'b mut Vec<T>) -> &'b [T]
    where
        'a: 'b,
    {
        if range.is_empty() {
            return &[];
        }
        let start = place(&self.kept, lane);
        let Some((&(n, stride), outer)) = self.walked.split_last() else { return self.run(start, 1, 1, buffer) };
        let (row, within) = (range.start / n, range.start % n);
        if within + range.len() <= n {
            return self.run(start + place(outer, row) + within as isize * stride, stride, range.len(), buffer);
        }
        buffer.resize(range.len(), T::ZERO);
        let mut at = range.start;
        while at < range.end {
            let (row, within) = (at / n, at % n);
            let len = (n - within).min(range.end - at);
            let to = &mut buffer[at - range.start..][..len];
            self.gather(start + place(outer, row) + within as isize * stride, stride, to);
            at += len;
        }
        buffer
    }

    /// The elements at one position of neighbouring lanes, which must lie along one axis (see [`beside`](Self::beside)):
    /// where they lie, or copied to `buffer`.
    pub(super) fn row<'b>(&self, lanes: Range<usize>, position: usize, buffer: &'b mut Vec<T>) -> &'b [T]
    where
        'a: 'b,
    {
        let stride = self.kept.last().map_or(1, |axis| axis.1);
        self.run(place(&self.kept, lanes.start) + place(&self.walked, position), stride, lanes.len(), buffer)
    }

    /// How many lanes lie along the innermost kept axis.
    pub(super) fn beside(&self) -> usize {
        self.kept.last().map_or(1, |axis| axis.0)
    }

    /// Whether neighbouring lanes are nearer to each other than the elements of a lane.
    pub(super) fn are_columns(&self) -> bool {
        match (self.kept.last(), self.walked.last()) {
            (Some((_, kept)), Some((_, walked))) => kept.unsigned_abs() < walked.unsigned_abs(),
            _ => false,
        }
    }

    /// Copies neighbouring lanes of `len` elements to `out`, one after the other.
    pub(super) fn block(&self, lanes: Range<usize>, len: usize, out: &mut [T]) {
        let mut buffer = Vec::new();
        if !self.are_columns() {
            for (lane, out) in lanes.zip(out.chunks_exact_mut(len.max(1))) {
                out.copy_from_slice(self.chunk(lane, 0..len, &mut buffer));
            }
            return;
        }
        let mut lane = lanes.start;
        while lane < lanes.end {
            let part = lane..lanes.end.min((lane / self.beside() + 1) * self.beside());
            for position in 0..len {
                let row = self.row(part.clone(), position, &mut buffer);
                for (i, &value) in row.iter().enumerate() {
                    out[(part.start - lanes.start + i) * len + position] = value;
                }
            }
            lane = part.end;
        }
    }
}

/// The axes without those of length 1, neighbours joined where one stride can walk both.
fn join(axes: impl Iterator<Item = Axis>) -> Vec<Axis> {
    let mut joined: Vec<Axis> = Vec::new();
    for (n, stride) in axes.filter(|axis| axis.0 != 1) {
        match joined.last_mut() {
            Some(last) if last.1 == stride * n as isize => *last = (last.0 * n, stride),
            _ => joined.push((n, stride)),
        }
    }
    joined
}

/// The distance of position `index` (C order) from the first.
fn place(axes: &[Axis], mut index: usize) -> isize {
    let mut at = 0;
    for &(n, stride) in axes.iter().rev() {
        at += (index % n) as isize * stride;
        index /= n;
    }
    at
}

/// A result that tasks write to, each its own elements.
pub(super) struct Shared<'a, O> {
    first: *mut O,
    len: usize,
    life: PhantomData<&'a mut [O]>,
}

// SAFETY: tasks write distinct values (see `slice`), and values may move between threads.
unsafe impl<O: Send> Sync for Shared<'_, O> {}

impl<'a, O> Shared<'a, O> {
    pub(super) fn new(values: &'a mut [O]) -> Self {
        Self { first: values.as_mut_ptr(), len: values.len(), life: PhantomData }
    }

    /// Some of the elements.
    ///
    /// # Safety
    /// No other slice of them may be in use.
    #[allow(clippy::mut_from_ref)]
    pub(super) unsafe fn slice(&self, range: Range<usize>) -> &mut [O] {
        assert!(range.start <= range.end && range.end <= self.len);
        // SAFETY: in bounds of a slice that is borrowed for 'a; that it is used once is the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.first.add(range.start), range.len()) }
    }

    /// Writes one element.
    ///
    /// # Safety
    /// No slice of it may be in use, and no other task write it.
    pub(super) unsafe fn write(&self, index: usize, value: O) {
        assert!(index < self.len);
        // SAFETY: in bounds, see above.
        unsafe { *self.first.add(index) = value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dtype;
    use ndarray::{Array, Axis, s};

    #[test]
    fn lanes_have_their_elements_whatever_the_strides() {
        let a = Array::from_shape_fn((4, 5, 6), |(i, j, k)| (100 * i + 10 * j + k) as i32);
        for view in [a.view(), a.slice(s![..;-1, 1..4;2, ..;-2]), a.view().permuted_axes([2, 0, 1]), a.slice(s![..1, .., 2..3])] {
            for axes in [&[0isize][..], &[1], &[2], &[0, 1], &[0, 2], &[1, 2], &[0, 1, 2]] {
                let plan = plan::Lanes::new("test", Dtype::I32, view.shape(), Some(axes)).unwrap();
                let lanes = Lanes::<i32>::new(&plan, &View::from_ndarray(view.view())).unwrap();
                let order: Vec<usize> = plan.kept.iter().chain(&plan.walked).copied().collect();
                let flat: Vec<i32> = view.view().into_dyn().permuted_axes(order).iter().copied().collect();
                let (n, mut buffer) = (plan.len(), Vec::new());
                let mut block = vec![0; flat.len()];
                lanes.block(0..plan.count(), n, &mut block);
                assert_eq!(block, flat, "{axes:?}");
                for lane in 0..plan.count() {
                    for (start, end) in [(0, n), (n / 3, n), (0, n / 2), (n / 2, n / 2 + 1)] {
                        assert_eq!(lanes.chunk(lane, start..end, &mut buffer), &flat[lane * n + start..lane * n + end]);
                    }
                    let last = lanes.row(lane..lane + 1, n - 1, &mut buffer);
                    assert_eq!(last, [flat[lane * n + n - 1]]);
                }
                assert_eq!(plan.count() % lanes.beside(), 0);
            }
        }
        assert_eq!(a.len_of(Axis(0)), 4);
    }
}
