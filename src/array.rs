//! Results and uploads: arrays that live on a device or in host memory.

use std::marker::PhantomData;
use std::sync::Arc;

use ndarray::{Array as NdArray, ArrayD, Dimension, IxDyn};
use num_complex::Complex;

use crate::dtype::{private::Host, with_element};
use crate::engine::Input;
use crate::view::{View, ViewMut, contiguous_strides};
use crate::{Dtype, Element, Error, Result};

/// Host memory of one dtype.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum HostVec {
    Bool(Vec<bool>),
    U8(Vec<u8>),
    I8(Vec<i8>),
    U16(Vec<u16>),
    I16(Vec<i16>),
    U32(Vec<u32>),
    I32(Vec<i32>),
    U64(Vec<u64>),
    I64(Vec<i64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    C64(Vec<Complex<f32>>),
    C128(Vec<Complex<f64>>),
}

/// Runs `$body` with `$vec` bound to the vector inside.
macro_rules! with_vec {
    ($self:expr, $vec:ident => $body:expr) => {
        match $self {
            HostVec::Bool($vec) => $body,
            HostVec::U8($vec) => $body,
            HostVec::I8($vec) => $body,
            HostVec::U16($vec) => $body,
            HostVec::I16($vec) => $body,
            HostVec::U32($vec) => $body,
            HostVec::I32($vec) => $body,
            HostVec::U64($vec) => $body,
            HostVec::I64($vec) => $body,
            HostVec::F32($vec) => $body,
            HostVec::F64($vec) => $body,
            HostVec::C64($vec) => $body,
            HostVec::C128($vec) => $body,
        }
    };
}

fn out_of_memory<T>(len: usize) -> Error {
    Error::OutOfMemory { device: "the host".into(), bytes: (len as u64).saturating_mul(size_of::<T>() as u64) }
}

/// An empty vector with room for `len` elements, or [`Error::OutOfMemory`].
pub(crate) fn room<T>(len: usize) -> Result<Vec<T>> {
    let mut vec = Vec::new();
    vec.try_reserve_exact(len).map_err(|_| out_of_memory::<T>(len))?;
    Ok(vec)
}

/// The elements in a vector, or [`Error::OutOfMemory`].
pub(crate) fn collect<T>(elements: impl ExactSizeIterator<Item = T>) -> Result<Vec<T>> {
    let mut vec = room(elements.len())?;
    vec.extend(elements);
    Ok(vec)
}

/// `len` elements that are the same, or [`Error::OutOfMemory`].
pub(crate) fn filled<T: Clone>(element: T, len: usize) -> Result<Vec<T>> {
    let mut vec = room(len)?;
    vec.resize(len, element);
    Ok(vec)
}

/// `len` zeros, or [`Error::OutOfMemory`]; large ones cost nothing until they are touched.
pub(crate) fn zeros<T: Host>(len: usize) -> Result<Vec<T>> {
    let layout = std::alloc::Layout::array::<T>(len).map_err(|_| out_of_memory::<T>(len))?;
    if layout.size() == 0 {
        return Ok(Vec::new());
    }
    // SAFETY: the layout is not empty; all-zero bytes are a valid T for every element type; a vector may own memory of the
    // global allocator with the layout of `[T; len]`.
    unsafe {
        let ptr = std::alloc::alloc_zeroed(layout).cast::<T>();
        if ptr.is_null() { Err(out_of_memory::<T>(len)) } else { Ok(Vec::from_raw_parts(ptr, len, len)) }
    }
}

impl HostVec {
    /// `len` zeros; large ones cost nothing until they are touched.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] if there is no such memory.
    pub fn zeros(dtype: Dtype, len: usize) -> Result<Self> {
        with_element!(dtype, T => Ok(T::into_host(zeros(len)?)))
    }

    /// The element type.
    pub fn dtype(&self) -> Dtype {
        fn of<T: Element>(_: &[T]) -> Dtype {
            T::DTYPE
        }
        with_vec!(self, vec => of(vec))
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        with_vec!(self, vec => vec.len())
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A window on the elements with this shape, C-contiguous.
    pub(crate) fn view(&self, shape: &[usize]) -> View<'_> {
        assert_eq!(shape.iter().product::<usize>(), self.len());
        // SAFETY: a vector's elements, borrowed; the shape covers exactly them.
        with_vec!(self, vec => unsafe { View::from_raw_parts(self.dtype(), vec.as_ptr().cast(), shape, &contiguous_strides(shape)) })
    }

    /// A writable window on the elements with this shape, C-contiguous.
    pub(crate) fn view_mut(&mut self, shape: &[usize]) -> ViewMut<'_> {
        let dtype = self.dtype();
        assert_eq!(shape.iter().product::<usize>(), self.len());
        // SAFETY: a vector's elements, uniquely borrowed; the shape covers exactly them.
        with_vec!(self, vec => unsafe { ViewMut::from_raw_parts(dtype, vec.as_mut_ptr().cast(), shape, &contiguous_strides(shape)) })
    }
}

/// Where an array's elements are. A closed list: one variant per kind of memory.
#[derive(Debug, Clone)]
pub enum Storage {
    /// Host memory, shared.
    Host(Arc<HostVec>),
    /// Memory of a GPU, shared.
    #[cfg(feature = "gpu")]
    Gpu(crate::gpu::GpuBuffer),
}

/// An array of any dtype that lives where it was computed. C-contiguous, of any rank, immutable, cheap to clone.
#[derive(Debug, Clone)]
pub struct DynArray {
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    pub(crate) storage: Storage,
}

impl DynArray {
    /// The element type.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The length of every axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the elements lie on a device, so that reading them costs a transfer.
    pub fn is_on_device(&self) -> bool {
        !matches!(self.storage, Storage::Host(_))
    }

    /// The array with its element type known.
    ///
    /// # Errors
    /// [`Error::Dtype`] if `T` is not its dtype.
    pub fn typed<T: Element>(self) -> Result<Array<T>> {
        if self.dtype != T::DTYPE {
            return Err(Error::Dtype { what: "array".into(), got: self.dtype, expected: T::DTYPE.to_string() });
        }
        Ok(Array { inner: self, element: PhantomData })
    }

    /// The elements in host memory, in C order: moved out if this is their only owner, copied otherwise, transferred if
    /// they lie on a device.
    ///
    /// # Errors
    /// Those of the transfer.
    pub fn into_host(self) -> Result<HostVec> {
        let Self { dtype, shape, storage } = self;
        let _ = (dtype, &shape);
        match storage {
            Storage::Host(vec) => Ok(Arc::try_unwrap(vec).unwrap_or_else(|shared| (*shared).clone())),
            #[cfg(feature = "gpu")]
            Storage::Gpu(buffer) => {
                let mut vec = HostVec::zeros(dtype, shape.iter().product())?;
                buffer.download(vec.view_mut(&shape))?;
                Ok(vec)
            }
        }
    }

    /// Copies the elements into `out`.
    ///
    /// # Errors
    /// [`Error::Invalid`] or [`Error::Dtype`] if `out` has another shape or dtype; those of the transfer.
    pub fn read_into(&self, mut out: ViewMut<'_>) -> Result<()> {
        out.expect(self.dtype, &self.shape)?;
        match &self.storage {
            Storage::Host(vec) => {
                out.copy_from_bytes(vec.view(&self.shape).as_bytes().unwrap_or(&[]));
                Ok(())
            }
            #[cfg(feature = "gpu")]
            Storage::Gpu(buffer) => buffer.download(out),
        }
    }

    /// The array as an operand.
    pub(crate) fn operand(&self) -> Operand<'_> {
        Operand(Source::Array(self))
    }
}

/// An array of `T` that lives where it was computed: the result of an operation, or an upload. C-contiguous, of any rank,
/// immutable, cheap to clone. Read it with [`into_ndarray`](Self::into_ndarray) or [`item`](Self::item).
#[derive(Debug, Clone)]
pub struct Array<T> {
    pub(crate) inner: DynArray,
    element: PhantomData<T>,
}

impl<T: Element> Array<T> {
    /// The length of every axis.
    pub fn shape(&self) -> &[usize] {
        self.inner.shape()
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    /// Whether the elements lie on a device, so that reading them costs a transfer.
    pub fn is_on_device(&self) -> bool {
        self.inner.is_on_device()
    }

    /// The array with its element type erased.
    pub fn into_dyn(self) -> DynArray {
        self.inner
    }

    /// The elements in C order.
    ///
    /// # Errors
    /// Those of the transfer from the device.
    pub fn into_vec(self) -> Result<Vec<T>> {
        let vec = self.inner.into_host()?;
        T::from_host(vec).map_err(|other| Error::Dtype {
            what: "array".into(),
            got: other.dtype(),
            expected: T::DTYPE.to_string(),
        })
    }

    /// The elements as an ndarray of rank `D`: without a copy if this is the only owner of host memory.
    ///
    /// # Errors
    /// [`Error::Invalid`] if `D` is not the rank; those of the transfer from the device.
    pub fn into_ndarray<D: Dimension>(self) -> Result<NdArray<T, D>> {
        let shape = self.inner.shape.clone();
        let wrong =
            |_| Error::invalid("rank of the ndarray", D::NDIM.unwrap_or(0), format!("{}, that of shape {shape:?}", shape.len()));
        let array = ArrayD::from_shape_vec(IxDyn(&shape), self.into_vec()?).map_err(wrong)?;
        array.into_dimensionality().map_err(wrong)
    }

    /// The only element.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is not exactly one; those of the transfer from the device.
    pub fn item(&self) -> Result<T> {
        match self.clone().into_vec()?[..] {
            [one] => Ok(one),
            _ => Err(Error::invalid("array for item()", format!("shape {:?}", self.shape()), "exactly one element")),
        }
    }
}

/// What an operation reads: a borrowed array of host memory (any rank and stride) or one on a device.
#[derive(Debug, Clone)]
pub struct Operand<'a>(pub(crate) Source<'a>);

#[derive(Debug, Clone)]
pub(crate) enum Source<'a> {
    View(View<'a>),
    Array(&'a DynArray),
}

impl<'a> Operand<'a> {
    /// The element type.
    pub fn dtype(&self) -> Dtype {
        match &self.0 {
            Source::View(view) => view.dtype(),
            Source::Array(array) => array.dtype,
        }
    }

    /// The length of every axis.
    pub fn shape(&self) -> &[usize] {
        match &self.0 {
            Source::View(view) => view.shape(),
            Source::Array(array) => &array.shape,
        }
    }

    /// A copy of the elements in host memory.
    pub(crate) fn to_host(&self) -> Result<HostVec> {
        let mut vec = HostVec::zeros(self.dtype(), self.shape().iter().product())?;
        let mut out = vec.view_mut(self.shape());
        match &self.0 {
            Source::Array(array) => array.read_into(out)?,
            Source::View(view) => {
                if let Some(bytes) = out.as_bytes() {
                    view.copy_to_bytes(bytes);
                }
            }
        }
        Ok(vec)
    }

    /// Bytes that would have to be moved to another device.
    pub(crate) fn host_bytes(&self) -> u64 {
        match &self.0 {
            Source::Array(array) if array.is_on_device() => 0,
            _ => (self.shape().iter().product::<usize>() * self.dtype().size()) as u64,
        }
    }

    /// The operand in the form that engines take.
    pub(crate) fn input(&self) -> Input<'_> {
        match &self.0 {
            Source::View(view) => Input::Host(view.clone()),
            Source::Array(array) => match &array.storage {
                Storage::Host(vec) => Input::Host(vec.view(&array.shape)),
                #[cfg(feature = "gpu")]
                Storage::Gpu(buffer) => Input::Gpu { buffer, dtype: array.dtype, shape: &array.shape },
            },
        }
    }
}

impl<'a> From<&'a DynArray> for Operand<'a> {
    fn from(array: &'a DynArray) -> Self {
        array.operand()
    }
}

impl<'a> From<View<'a>> for Operand<'a> {
    fn from(view: View<'a>) -> Self {
        Self(Source::View(view))
    }
}

/// Anything that views as an array of `Elem`: ndarray arrays and views, slices, vectors, [`Array`].
pub trait AsOperand {
    /// The element type.
    type Elem: Element;

    /// The operand, borrowed.
    fn as_operand(&self) -> Operand<'_>;
}

impl<T: Element, S: ndarray::Data<Elem = T>, D: Dimension> AsOperand for ndarray::ArrayBase<S, D> {
    type Elem = T;

    fn as_operand(&self) -> Operand<'_> {
        View::from_ndarray(self.view()).into()
    }
}

impl<T: Element> AsOperand for [T] {
    type Elem = T;

    fn as_operand(&self) -> Operand<'_> {
        View::from_slice(self).into()
    }
}

impl<T: Element> AsOperand for Vec<T> {
    type Elem = T;

    fn as_operand(&self) -> Operand<'_> {
        View::from_slice(self).into()
    }
}

impl<T: Element, const N: usize> AsOperand for [T; N] {
    type Elem = T;

    fn as_operand(&self) -> Operand<'_> {
        View::from_slice(self).into()
    }
}

impl<T: Element> AsOperand for Array<T> {
    type Elem = T;

    fn as_operand(&self) -> Operand<'_> {
        self.inner.operand()
    }
}

impl<A: AsOperand + ?Sized> AsOperand for &A {
    type Elem = A::Elem;

    fn as_operand(&self) -> Operand<'_> {
        (**self).as_operand()
    }
}

/// Anything that a result can be written into: mutable ndarray arrays and views, slices, and [`Array`] (which keeps its
/// memory, on the device too).
pub trait AsOutput {
    /// The element type.
    type Elem: Element;

    /// The output, borrowed.
    fn as_output(&mut self) -> Output<'_>;
}

/// Where a result is written.
#[derive(Debug)]
pub enum Output<'a> {
    /// Host memory, any stride.
    View(ViewMut<'a>),
    /// An array of the result's shape, replaced by the result; its memory is reused if nobody else holds it. If the work fails, what
    /// it holds is not specified.
    Array(&'a mut DynArray),
}

impl<T: Element, S: ndarray::DataMut<Elem = T>, D: Dimension> AsOutput for ndarray::ArrayBase<S, D> {
    type Elem = T;

    fn as_output(&mut self) -> Output<'_> {
        Output::View(ViewMut::from_ndarray(self.view_mut()))
    }
}

impl<T: Element> AsOutput for [T] {
    type Elem = T;

    fn as_output(&mut self) -> Output<'_> {
        Output::View(ViewMut::from_slice(self))
    }
}

impl<T: Element> AsOutput for Array<T> {
    type Elem = T;

    fn as_output(&mut self) -> Output<'_> {
        Output::Array(&mut self.inner)
    }
}

impl Output<'_> {
    /// The length of every axis.
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::View(view) => view.shape(),
            Self::Array(array) => &array.shape,
        }
    }

    /// The element type.
    pub fn dtype(&self) -> Dtype {
        match self {
            Self::View(view) => view.dtype(),
            Self::Array(array) => array.dtype,
        }
    }
}
