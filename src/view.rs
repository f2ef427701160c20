//! Strided windows on host memory, with the dtype erased: how host data reaches an engine without a copy.

use std::marker::PhantomData;
use std::ops::Range;

use ndarray::{ArrayView, ArrayViewD, ArrayViewMutD, IxDyn, ShapeBuilder};

use crate::{Dtype, Element, Error, Result};

/// A read-only window on host memory: dtype, shape, strides. Any rank, any stride (zero and negative included).
#[derive(Clone, Debug)]
pub struct View<'a> {
    raw: Raw,
    life: PhantomData<&'a [u8]>,
}

/// A writable window on host memory. No two of its elements share memory.
#[derive(Debug)]
pub struct ViewMut<'a> {
    raw: Raw,
    life: PhantomData<&'a mut [u8]>,
}

/// What both windows are made of; strides are in elements.
#[derive(Clone, Debug)]
struct Raw {
    dtype: Dtype,
    ptr: *mut u8,
    shape: Vec<usize>,
    strides: Vec<isize>,
}

// SAFETY: a `View` is a shared borrow of plain numbers.
unsafe impl Send for View<'_> {}
// SAFETY: as above.
unsafe impl Sync for View<'_> {}
// SAFETY: a `ViewMut` is a unique borrow of plain numbers.
unsafe impl Send for ViewMut<'_> {}
// SAFETY: a shared `ViewMut` hands out no access except through the `unsafe` method `share`.
unsafe impl Sync for ViewMut<'_> {}

/// The strides, in elements, of a C-contiguous array of this shape.
pub(crate) fn contiguous_strides(shape: &[usize]) -> Vec<isize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis].max(1) as isize;
    }
    strides
}

impl Raw {
    fn len(&self) -> usize {
        self.shape.iter().product()
    }

    fn is_contiguous(&self) -> bool {
        self.len() == 0
            || (self.shape.iter().zip(&self.strides).zip(contiguous_strides(&self.shape))).all(|((&n, &s), c)| n == 1 || s == c)
    }

    fn offset(&mut self, elements: isize) {
        self.ptr = self.ptr.wrapping_offset(elements * self.dtype.size() as isize);
    }

    fn narrow(&mut self, axis: usize, range: Range<usize>) {
        assert!(range.start <= range.end && range.end <= self.shape[axis]);
        if !range.is_empty() {
            self.offset(range.start as isize * self.strides[axis]);
        }
        self.shape[axis] = range.len();
    }

    fn item(&mut self, lead: usize, mut index: usize) {
        for axis in (0..lead).rev() {
            let n = self.shape[axis];
            self.offset((index % n) as isize * self.strides[axis]);
            index /= n;
        }
        self.shape.drain(..lead);
        self.strides.drain(..lead);
    }

    fn pad_rank(&mut self, rank: usize) {
        while self.shape.len() < rank {
            self.shape.insert(0, 1);
            self.strides.insert(0, 0);
        }
    }

    /// The pointer to the lowest address and the strides' magnitudes: what ndarray accepts.
    fn lowest<T>(&self) -> (*mut T, Vec<usize>) {
        let (mut ptr, mut magnitudes) = (self.ptr.cast::<T>(), vec![]);
        for (&n, &stride) in self.shape.iter().zip(&self.strides) {
            if stride < 0 && n > 0 {
                ptr = ptr.wrapping_offset(stride * (n as isize - 1));
            }
            magnitudes.push(stride.unsigned_abs());
        }
        (ptr, magnitudes)
    }
}

/// What [`View`] and [`ViewMut`] share: questions, and narrower windows.
macro_rules! window {
    ($name:ident) => {
        impl<'a> $name<'a> {
            /// The element type.
            pub fn dtype(&self) -> Dtype {
                self.raw.dtype
            }

            /// The length of every axis.
            pub fn shape(&self) -> &[usize] {
                &self.raw.shape
            }

            /// The stride of every axis, in elements.
            pub fn strides(&self) -> &[isize] {
                &self.raw.strides
            }

            /// The number of axes.
            pub fn rank(&self) -> usize {
                self.raw.shape.len()
            }

            /// The number of elements.
            pub fn len(&self) -> usize {
                self.raw.len()
            }

            /// Whether there is no element.
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// Whether the elements lie one after the other in C order.
            pub fn is_contiguous(&self) -> bool {
                self.raw.is_contiguous()
            }

            /// The address of the first element.
            pub fn as_ptr(&self) -> *const u8 {
                self.raw.ptr
            }

            /// The part of `axis` in `range`.
            pub(crate) fn narrow(mut self, axis: usize, range: Range<usize>) -> Self {
                self.raw.narrow(axis, range);
                self
            }

            /// Item `index` (in C order) of the first `lead` axes: a window of rank `rank() - lead`.
            pub(crate) fn item(mut self, lead: usize, index: usize) -> Self {
                self.raw.item(lead, index);
                self
            }
        }
    };
}
window!(View);
window!(ViewMut);

impl<'a> View<'a> {
    /// A window from its parts; strides in elements.
    ///
    /// # Safety
    /// Every element that shape and strides address from `ptr` must be readable, initialised, of type `dtype`,
    /// aligned for it, and unchanged for `'a`.
    pub unsafe fn from_raw_parts(dtype: Dtype, ptr: *const u8, shape: &[usize], strides: &[isize]) -> Self {
        assert_eq!(shape.len(), strides.len());
        Self { raw: Raw { dtype, ptr: ptr.cast_mut(), shape: shape.into(), strides: strides.into() }, life: PhantomData }
    }

    /// A one-dimensional window on a slice.
    pub fn from_slice<T: Element>(slice: &'a [T]) -> Self {
        // SAFETY: a slice's elements are readable, aligned and borrowed for 'a.
        unsafe { Self::from_raw_parts(T::DTYPE, slice.as_ptr().cast(), &[slice.len()], &[1]) }
    }

    /// A window on an ndarray view.
    pub fn from_ndarray<T: Element, D: ndarray::Dimension>(view: ArrayView<'a, T, D>) -> Self {
        // SAFETY: an ndarray view's elements are readable, aligned and borrowed for 'a.
        unsafe { Self::from_raw_parts(T::DTYPE, view.as_ptr().cast(), view.shape(), view.strides()) }
    }

    /// The window as an ndarray view, if `T` is its dtype.
    pub fn typed<T: Element>(&self) -> Option<ArrayViewD<'a, T>> {
        if T::DTYPE != self.dtype() {
            return None;
        }
        if self.is_empty() {
            return ArrayViewD::from_shape(IxDyn(self.shape()), &[]).ok();
        }
        let (ptr, strides) = self.raw.lowest::<T>();
        // SAFETY: `ptr` is the lowest address, so the magnitudes of the strides address the same elements.
        let mut view = unsafe { ArrayViewD::from_shape_ptr(IxDyn(self.shape()).strides(IxDyn(&strides)), ptr) };
        for (axis, &stride) in self.strides().iter().enumerate() {
            if stride < 0 {
                view.invert_axis(ndarray::Axis(axis));
            }
        }
        Some(view)
    }

    /// The elements as one slice, if they are contiguous and of type `T`.
    pub fn as_slice<T: Element>(&self) -> Option<&'a [T]> {
        if T::DTYPE != self.dtype() || !self.is_contiguous() {
            return None;
        }
        if self.is_empty() {
            return Some(&[]);
        }
        // SAFETY: contiguous, of this dtype, and borrowed for 'a.
        Some(unsafe { std::slice::from_raw_parts(self.raw.ptr.cast(), self.len()) })
    }

    /// The elements as bytes, if they are contiguous.
    pub fn as_bytes(&self) -> Option<&'a [u8]> {
        if !self.is_contiguous() {
            return None;
        }
        if self.is_empty() {
            return Some(&[]);
        }
        // SAFETY: contiguous plain numbers without padding, borrowed for 'a.
        Some(unsafe { std::slice::from_raw_parts(self.raw.ptr, self.len() * self.dtype().size()) })
    }

    /// The same window with axes of length 1 put in front until it has `rank` axes.
    pub(crate) fn pad_rank(mut self, rank: usize) -> Self {
        self.raw.pad_rank(rank);
        self
    }

    /// The same window with its axes in this order.
    pub(crate) fn permuted(mut self, order: &[usize]) -> Self {
        let (shape, strides) = (&self.raw.shape, &self.raw.strides);
        let turned = (order.iter().map(|&axis| shape[axis]).collect(), order.iter().map(|&axis| strides[axis]).collect());
        (self.raw.shape, self.raw.strides) = turned;
        self
    }

    /// The window broadcast to `shape`: axes put in front and axes of length 1 repeat their elements. `None` if it does not
    /// fit.
    pub(crate) fn broadcast(&self, shape: &[usize]) -> Option<Self> {
        let mut view = self.clone();
        let front = shape.len().checked_sub(self.rank())?;
        view.raw.strides = vec![0; shape.len()];
        for (axis, (&n, &stride)) in self.shape().iter().zip(self.strides()).enumerate() {
            match shape[front + axis] {
                wanted if wanted == n => view.raw.strides[front + axis] = stride,
                _ if n == 1 => {}
                _ => return None,
            }
        }
        view.raw.shape = shape.to_vec();
        Some(view)
    }

    /// A complex window as a real one with a last axis of two parts; a real one as it is.
    #[cfg(feature = "gpu")]
    pub(crate) fn parts(mut self) -> Self {
        if self.dtype().is_complex() {
            self.raw.dtype = self.dtype().real();
            self.raw.strides.iter_mut().for_each(|stride| *stride *= 2);
            self.raw.shape.push(2);
            self.raw.strides.push(1);
        }
        self
    }

    /// The same window with `axis` read backwards.
    pub(crate) fn flipped(mut self, axis: usize) -> Self {
        let n = self.shape()[axis];
        if n > 0 {
            self.raw.offset((n as isize - 1) * self.raw.strides[axis]);
        }
        self.raw.strides[axis] = -self.raw.strides[axis];
        self
    }

    /// The same elements in the same order with as few axes as the strides allow (axes of length 1 dropped).
    pub(crate) fn collapsed(&self) -> Self {
        let mut view = self.clone();
        let (mut shape, mut strides): (Vec<usize>, Vec<isize>) = (vec![], vec![]);
        for (&n, &s) in self.shape().iter().zip(self.strides()) {
            match (shape.last_mut(), strides.last_mut()) {
                _ if n == 1 => {}
                (Some(last_n), Some(last_s)) if *last_s == s * n as isize => (*last_n, *last_s) = (*last_n * n, s),
                _ => {
                    shape.push(n);
                    strides.push(s);
                }
            }
        }
        (view.raw.shape, view.raw.strides) = (shape, strides);
        view
    }

    /// Copies the elements, in C order, into `out`, which must hold exactly `len() * dtype().size()` bytes.
    pub(crate) fn copy_to_bytes(&self, out: &mut [u8]) {
        let size = self.dtype().size();
        assert_eq!(out.len(), self.len() * size);
        if let Some(bytes) = self.as_bytes() {
            return out.copy_from_slice(bytes);
        }
        let view = self.collapsed();
        let (n, stride) = (*view.shape().last().unwrap_or(&1), *view.strides().last().unwrap_or(&0));
        let lead = view.rank().saturating_sub(1);
        for (index, row) in out.chunks_exact_mut(n * size).enumerate() {
            let source = view.clone().item(lead, index).raw.ptr;
            for (i, element) in row.chunks_exact_mut(size).enumerate() {
                // SAFETY: element `i` of this row lies inside the window, which is readable for 'a.
                let bytes =
                    unsafe { std::slice::from_raw_parts(source.wrapping_offset(i as isize * stride * size as isize), size) };
                element.copy_from_slice(bytes);
            }
        }
    }
}

impl<'a> ViewMut<'a> {
    /// A window from its parts; strides in elements.
    ///
    /// # Safety
    /// Every element that shape and strides address from `ptr` must be writable, of type `dtype`, aligned for it, not
    /// reachable by anyone else for `'a`, and addressed once only.
    pub unsafe fn from_raw_parts(dtype: Dtype, ptr: *mut u8, shape: &[usize], strides: &[isize]) -> Self {
        assert_eq!(shape.len(), strides.len());
        Self { raw: Raw { dtype, ptr, shape: shape.into(), strides: strides.into() }, life: PhantomData }
    }

    /// A one-dimensional window on a slice.
    pub fn from_slice<T: Element>(slice: &'a mut [T]) -> Self {
        // SAFETY: a mutable slice is a unique borrow of its elements.
        unsafe { Self::from_raw_parts(T::DTYPE, slice.as_mut_ptr().cast(), &[slice.len()], &[1]) }
    }

    /// A window on an ndarray view.
    pub fn from_ndarray<T: Element, D: ndarray::Dimension>(mut view: ndarray::ArrayViewMut<'a, T, D>) -> Self {
        // SAFETY: a mutable ndarray view is a unique borrow of distinct elements.
        unsafe { Self::from_raw_parts(T::DTYPE, view.as_mut_ptr().cast(), view.shape(), view.strides()) }
    }

    /// A second window on the same elements, for a division of the work among threads or devices.
    ///
    /// # Safety
    /// No element may be written through one of the two while it is accessed through the other.
    pub(crate) unsafe fn share(&self) -> ViewMut<'a> {
        ViewMut { raw: self.raw.clone(), life: PhantomData }
    }

    /// A window on the same elements for as long as this one is borrowed.
    pub(crate) fn reborrow(&mut self) -> ViewMut<'_> {
        ViewMut { raw: self.raw.clone(), life: PhantomData }
    }

    /// The window as an ndarray view, if `T` is its dtype.
    pub fn typed<T: Element>(&mut self) -> Option<ArrayViewMutD<'_, T>> {
        if T::DTYPE != self.dtype() {
            return None;
        }
        if self.is_empty() {
            return ArrayViewMutD::from_shape(IxDyn(self.shape()), &mut []).ok();
        }
        let (ptr, strides) = self.raw.lowest::<T>();
        // SAFETY: `ptr` is the lowest address, so the magnitudes of the strides address the same, distinct elements.
        let mut view = unsafe { ArrayViewMutD::from_shape_ptr(IxDyn(self.shape()).strides(IxDyn(&strides)), ptr) };
        for (axis, &stride) in self.raw.strides.iter().enumerate() {
            if stride < 0 {
                view.invert_axis(ndarray::Axis(axis));
            }
        }
        Some(view)
    }

    /// The elements as one slice, if they are contiguous and of type `T`.
    pub fn as_slice<T: Element>(&mut self) -> Option<&mut [T]> {
        if T::DTYPE != self.dtype() || !self.is_contiguous() {
            return None;
        }
        if self.is_empty() {
            return Some(&mut []);
        }
        // SAFETY: contiguous, of this dtype, uniquely borrowed.
        Some(unsafe { std::slice::from_raw_parts_mut(self.raw.ptr.cast(), self.len()) })
    }

    /// The elements as bytes, if they are contiguous. Bytes written for `bool` must be 0 or 1.
    pub(crate) fn as_bytes(&mut self) -> Option<&mut [u8]> {
        if !self.is_contiguous() {
            return None;
        }
        if self.is_empty() {
            return Some(&mut []);
        }
        // SAFETY: contiguous plain numbers, uniquely borrowed.
        Some(unsafe { std::slice::from_raw_parts_mut(self.raw.ptr, self.len() * self.dtype().size()) })
    }

    /// The address of the first element, for writing.
    pub(crate) fn as_mut_ptr(&mut self) -> *mut u8 {
        self.raw.ptr
    }

    /// Copies `bytes` (C order, of this window's dtype, exactly its length) into the elements.
    pub(crate) fn copy_from_bytes(&mut self, bytes: &[u8]) {
        let size = self.dtype().size();
        assert_eq!(bytes.len(), self.len() * size);
        if let Some(out) = self.as_bytes() {
            return out.copy_from_slice(bytes);
        }
        let lead = self.rank().saturating_sub(1);
        let (n, stride) = (*self.shape().last().unwrap_or(&1), *self.strides().last().unwrap_or(&0));
        for (index, row) in bytes.chunks_exact(n * size).enumerate() {
            let target = self.reborrow().item(lead, index).raw.ptr;
            for (i, element) in row.chunks_exact(size).enumerate() {
                let to = target.wrapping_offset(i as isize * stride * size as isize);
                // SAFETY: element `i` of this row lies inside the window, which is uniquely borrowed.
                unsafe { std::ptr::copy_nonoverlapping(element.as_ptr(), to, size) };
            }
        }
    }

    /// Fails unless dtype and shape are these.
    pub(crate) fn expect(&self, dtype: Dtype, shape: &[usize]) -> Result<()> {
        expect_output((self.dtype(), self.shape()), (dtype, shape))
    }
}

/// Fails unless an output has the dtype and the shape of the result.
pub(crate) fn expect_output(got: (Dtype, &[usize]), expected: (Dtype, &[usize])) -> Result<()> {
    if got.0 != expected.0 {
        return Err(Error::Dtype { what: "output".into(), got: got.0, expected: expected.0.to_string() });
    }
    if got.1 != expected.1 {
        return Err(Error::invalid("output shape", format!("{:?}", got.1), format!("{:?}", expected.1)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array, s};

    #[test]
    fn strides_of_every_kind_copy_in_c_order() {
        let a = Array::from_shape_fn((4, 5, 6), |(i, j, k)| (100 * i + 10 * j + k) as i32);
        for view in [a.view(), a.slice(s![..;-1, 1..4;2, ..;-2]), a.view().permuted_axes([2, 0, 1]), a.slice(s![2..2, .., ..])] {
            let expected: Vec<i32> = view.iter().copied().collect();
            let window = View::from_ndarray(view.view());
            assert_eq!(window.typed::<i32>().unwrap(), view.into_dyn());
            let mut bytes = vec![0; expected.len() * 4];
            window.copy_to_bytes(&mut bytes);
            assert_eq!(bytemuck::pod_collect_to_vec::<u8, i32>(&bytes), expected);
            let mut back = Array::zeros(window.shape()).into_dyn();
            let mut reversed = back.view_mut();
            for axis in 0..window.rank() {
                reversed.invert_axis(ndarray::Axis(axis));
            }
            ViewMut::from_ndarray(reversed.view_mut()).copy_from_bytes(&bytes);
            assert_eq!(reversed.iter().copied().collect::<Vec<i32>>(), expected);
        }
    }

    #[test]
    fn collapsing_keeps_the_elements() {
        let a = Array::from_shape_fn((3, 1, 4, 5), |(i, _, j, k)| (100 * i + 10 * j + k) as u16);
        assert_eq!(View::from_ndarray(a.view()).collapsed().shape(), [60]);
        assert_eq!(View::from_ndarray(a.slice(s![.., .., ..2, ..])).collapsed().shape(), [3, 10]);
        assert_eq!(View::from_ndarray(a.slice(s![..1, .., ..1, 2..3])).collapsed().rank(), 0);
    }
}
