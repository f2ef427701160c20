//! NumPy arrays and arrays on devices as operands and outputs, and results as NumPy arrays; nothing is copied.

use ndarray::{ArrayD, IxDyn};
use num_complex::Complex64;
use numpy::{PyArrayDescr, PyArrayDescrMethods, PyArrayDyn, PyArrayMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use unisono::{Dtype, DynArray, HostVec, Operand, Output, View, ViewMut};

use crate::device_array::Array;
use crate::error::{invalid, raise};

/// The most axes that the bindings of NumPy take.
const RANK: usize = 32;

/// The elements that an array may have.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Takes {
    Real,
    /// Real ones, of which only matters whether they are nonzero.
    Truth,
    Integers,
    Complex,
    /// Those of the result that is written to it.
    Results,
}

impl Takes {
    /// The dtype in the library's terms. Only what the library does not know is refused here, in terms of what would do.
    pub(crate) fn dtype(self, what: &str, descr: &Bound<'_, PyArrayDescr>) -> PyResult<Dtype> {
        let dtype = match (descr.kind(), descr.itemsize()) {
            (b'b', 1) => Dtype::Bool,
            (b'u', 1) => Dtype::U8,
            (b'u', 2) => Dtype::U16,
            (b'u', 4) => Dtype::U32,
            (b'u', 8) => Dtype::U64,
            (b'i', 1) => Dtype::I8,
            (b'i', 2) => Dtype::I16,
            (b'i', 4) => Dtype::I32,
            (b'i', 8) => Dtype::I64,
            (b'f', 4) => Dtype::F32,
            (b'f', 8) => Dtype::F64,
            (b'c', 8) => Dtype::C64,
            (b'c', 16) => Dtype::C128,
            _ => {
                let integers = "bool, uint8, int8, uint16, int16, uint32, int32, uint64";
                let expected = match self {
                    Self::Integers => format!("{integers} or int64"),
                    Self::Real | Self::Truth => format!("{integers}, int64, float32 or float64"),
                    Self::Complex => format!("{integers}, int64, float32, float64, complex64 or complex128"),
                    Self::Results => "that of the result".into(),
                };
                return Err(PyTypeError::new_err(format!("{what}: got dtype {descr}, expected {expected}")));
            }
        };
        Ok(dtype)
    }
}

/// The dtype of real elements in the library's terms.
pub(crate) fn dtype_of(what: &str, descr: &Bound<'_, PyArrayDescr>) -> PyResult<Dtype> {
    Takes::Real.dtype(what, descr)
}

/// An operand, kept alive and unchanged in shape while it is in use.
pub(crate) enum Source<'py> {
    Numpy { array: Bound<'py, PyUntypedArray>, dtype: Dtype, strides: Vec<isize> },
    Array { object: Bound<'py, Array>, array: DynArray },
}

impl<'py> Source<'py> {
    /// The array, or an array made from `object` by `numpy.asarray`. Copied only if its elements are byte-swapped or not
    /// aligned. A mask would be lost, and is refused.
    pub(crate) fn new(what: &str, object: &Bound<'py, PyAny>, takes: Takes) -> PyResult<Self> {
        let py = object.py();
        if let Ok(object) = object.cast::<Array>() {
            let array = object.borrow().get()?.clone();
            return Ok(Self::Array { object: object.clone(), array });
        }
        let mut array = match object.cast::<PyUntypedArray>() {
            Ok(array) => array.clone(),
            Err(_) => py.import(intern!(py, "numpy"))?.call_method1(intern!(py, "asarray"), (object,))?.cast_into()?,
        };
        refuse_mask(what, &array)?;
        expect_rank(what, array.ndim())?;
        let mut dtype = takes.dtype(what, &array.dtype())?;
        if array.dtype().is_native_byteorder() == Some(false) || strides(&array, dtype).is_none() {
            let native = array.dtype().call_method1(intern!(py, "newbyteorder"), ("=",))?;
            array = array.call_method1(intern!(py, "astype"), (native, "C"))?.cast_into()?;
        }
        if dtype == Dtype::Bool {
            if takes == Takes::Truth {
                dtype = Dtype::U8;
            } else {
                array = canonical_bool(array)?;
            }
        }
        let strides = strides(&array, dtype).ok_or_else(|| invalid(what, "an unaligned array", "an aligned one"))?;
        Ok(Self::Numpy { array, dtype, strides })
    }

    /// The elements.
    pub(crate) fn operand(&self) -> Operand<'_> {
        match self {
            Self::Array { array, .. } => array.into(),
            Self::Numpy { array, dtype, strides } => {
                // SAFETY: NumPy vouches for shape and strides; the alignment and the bytes of bools were checked; `self`
                // keeps the memory alive. That no thread writes to an argument during the call is documented as the
                // caller's part.
                unsafe { View::from_raw_parts(*dtype, data(array), array.shape(), strides) }.into()
            }
        }
    }

    /// Whether results should stay where they are computed.
    pub(crate) fn is_array(&self) -> bool {
        matches!(self, Self::Array { .. })
    }

    /// The number of elements.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Array { array, .. } => array.len() as u64,
            Self::Numpy { array, .. } => array.len() as u64,
        }
    }
}

/// The array itself if its bytes are all 0 or 1, a copy with such bytes if not (`uint8` memory viewed as `bool`).
fn canonical_bool(array: Bound<'_, PyUntypedArray>) -> PyResult<Bound<'_, PyUntypedArray>> {
    let py = array.py();
    let bytes = array.call_method1(intern!(py, "view"), ("uint8",))?;
    let canonical = {
        let bytes = bytes.cast::<PyArrayDyn<u8>>()?;
        // SAFETY: no thread writes to an argument during the call, which is documented as the caller's part.
        let bytes = unsafe { bytes.as_array() };
        let all = |bytes: &[u8]| bytes.iter().fold(0, |all, byte| all | byte) <= 1;
        bytes.as_slice_memory_order().map_or_else(|| bytes.iter().all(|&byte| byte <= 1), |bytes| bytes.chunks(1 << 12).all(all))
    };
    if canonical {
        return Ok(array);
    }
    Ok(bytes.call_method1(intern!(py, "astype"), ("bool",))?.cast_into()?)
}

/// An array to write to.
pub(crate) enum Sink<'py> {
    Numpy { array: Bound<'py, PyUntypedArray>, dtype: Dtype, strides: Vec<isize> },
    Array(Taken<'py>),
}

/// The memory of an array on a device, for the time that a call writes to it; put back however the call ends.
pub(crate) struct Taken<'py> {
    object: Bound<'py, Array>,
    array: DynArray,
    /// The elements before, where an operand shares them, so that they are kept anyway.
    before: Option<DynArray>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if let Ok(mut object) = self.object.try_borrow_mut() {
            object.put(self.array.clone());
        }
    }
}

impl<'py> Sink<'py> {
    /// The array, checked: writable, aligned, of native byte order, no element twice, none shared with `sources`. An array on
    /// a device may be an operand, too: it is replaced as a whole.
    pub(crate) fn new(object: &Bound<'py, PyAny>, sources: &[&Source<'py>]) -> PyResult<Self> {
        let py = object.py();
        if let Ok(object) = object.cast::<Array>() {
            let array = object.borrow_mut().take()?;
            let shared = sources.iter().any(|one| matches!(one, Source::Array { object: other, .. } if other.is(object)));
            let before = shared.then(|| array.clone());
            return Ok(Self::Array(Taken { object: object.clone(), array, before }));
        }
        let Ok(array) = object.cast::<PyUntypedArray>() else {
            let kind = object.get_type().name()?;
            return Err(PyTypeError::new_err(format!("out: got {kind}, expected a NumPy array or a unisono.Array")));
        };
        refuse_mask("out", array)?;
        expect_rank("out", array.ndim())?;
        let dtype = Takes::Results.dtype("out", &array.dtype())?;
        if array.dtype().is_native_byteorder() == Some(false) {
            let text: String = array.dtype().getattr("str")?.extract()?;
            return Err(PyTypeError::new_err(format!("out: got dtype {text:?}, expected native byte order")));
        }
        if !array.getattr(intern!(py, "flags"))?.getattr(intern!(py, "writeable"))?.extract::<bool>()? {
            return Err(invalid("out", "a read-only array", "a writable one"));
        }
        let strides = strides(array, dtype).ok_or_else(|| invalid("out", "an unaligned array", "an aligned one"))?;
        if !addresses_once(array.shape(), &strides) {
            return Err(invalid("out", "an array whose elements share memory", "distinct elements"));
        }
        for source in sources {
            if let Source::Numpy { array: other, .. } = source
                && share(array, other)?
            {
                return Err(invalid("out", "an array that shares memory with an operand", "memory of its own"));
            }
        }
        Ok(Self::Numpy { array: array.clone(), dtype, strides })
    }

    /// The element type.
    pub(crate) fn dtype(&self) -> Dtype {
        match self {
            Self::Numpy { dtype, .. } => *dtype,
            Self::Array(taken) => taken.array.dtype(),
        }
    }

    /// The same array for indices: `int64` is taken as `uint64`, which it equals for every index.
    pub(crate) fn of_indices(mut self) -> Self {
        if let Self::Numpy { dtype: dtype @ Dtype::I64, .. } = &mut self {
            *dtype = Dtype::U64;
        }
        self
    }

    /// Where the result goes.
    pub(crate) fn output(&mut self) -> Output<'_> {
        match self {
            Self::Array(taken) => Output::Array(&mut taken.array),
            Self::Numpy { array, dtype, strides } => {
                // SAFETY: NumPy vouches for shape and strides; alignment, writability and that every element is addressed
                // once and by this argument only were checked; `self` keeps the memory alive. That no other thread uses
                // `out` during the call is documented as the caller's part.
                Output::View(unsafe { ViewMut::from_raw_parts(*dtype, data(array), array.shape(), strides) })
            }
        }
    }

    /// Hands the array back, with what was written to it. Work that failed has lost the elements of an array on a device, which
    /// has its old ones if an operand kept them, and zeros if none did.
    pub(crate) fn finish(self, done: PyResult<()>) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Self::Numpy { array, .. } => done.map(|()| array.into_any()),
            Self::Array(mut taken) => {
                if let (Err(_), Some(before)) = (&done, taken.before.take()) {
                    taken.array = before;
                }
                done.map(|()| taken.object.clone().into_any())
            }
        }
    }
}

/// Fails for arrays with a mask, which nothing here looks at.
fn refuse_mask(what: &str, array: &Bound<'_, PyUntypedArray>) -> PyResult<()> {
    let py = array.py();
    if array.is_exact_instance_of::<PyUntypedArray>()
        || !array.is_instance(&py.import(intern!(py, "numpy.ma"))?.getattr(intern!(py, "MaskedArray"))?)?
    {
        return Ok(());
    }
    let expected = "a plain one: its filled(), or its data with where=~mask";
    Err(PyTypeError::new_err(format!("{what}: got a masked array, expected {expected}")))
}

/// Makes now what the bindings of Python and NumPy make at first use: a child that is forked while another thread makes it would wait for
/// that thread for ever.
pub(crate) fn prepare(py: Python<'_>) -> PyResult<()> {
    for dtype in Dtype::ALL.into_iter().chain([Dtype::C64, Dtype::C128]) {
        let array = into_numpy(py, &[1], HostVec::zeros(dtype, 1).map_err(raise)?)?;
        let source = Source::new("array", &array, Takes::Complex)?;
        Sink::new(&into_numpy(py, &[1], HostVec::zeros(dtype, 1).map_err(raise)?)?, &[&source])?.output();
        source.operand();
        array.get_item(0)?.extract::<Complex64>()?;
    }
    dtype_of("dtype", &PyArrayDescr::new(py, "float64")?).map(drop)
}

fn expect_rank(what: &str, rank: usize) -> PyResult<()> {
    if rank <= RANK { Ok(()) } else { Err(invalid(what, format!("{rank} dimensions"), "at most 32 dimensions")) }
}

/// The address of the first element.
fn data(array: &Bound<'_, PyUntypedArray>) -> *mut u8 {
    // SAFETY: any array's address may be read as that of bytes; it is not dereferenced here.
    unsafe { array.cast_unchecked::<PyArrayDyn<u8>>() }.data()
}

/// The strides in elements, if the elements are aligned and whole elements apart.
fn strides(array: &Bound<'_, PyUntypedArray>, dtype: Dtype) -> Option<Vec<isize>> {
    let size = dtype.size() as isize;
    if array.is_empty() || array.ndim() == 0 {
        return (array.is_empty() || data(array).addr().is_multiple_of(dtype.size())).then(|| vec![0; array.ndim()]);
    }
    let axes = array.shape().iter().zip(array.strides());
    // NumPy leaves the stride of an axis of length 1 undefined.
    let strides: Option<Vec<isize>> =
        axes.map(|(&n, &bytes)| if n == 1 { Some(0) } else { (bytes % size == 0).then_some(bytes / size) }).collect();
    strides.filter(|_| data(array).addr().is_multiple_of(dtype.size()))
}

/// Whether no two elements share an address, by the sufficient condition that every axis steps over all smaller ones.
fn addresses_once(shape: &[usize], strides: &[isize]) -> bool {
    let mut axes: Vec<(usize, usize)> =
        shape.iter().zip(strides).filter(|&(&n, _)| n > 1).map(|(&n, &s)| (s.unsigned_abs(), n)).collect();
    axes.sort_unstable();
    let mut reach = 0;
    shape.contains(&0)
        || axes.iter().all(|&(stride, n)| {
            let apart = stride > reach;
            reach += stride * (n - 1);
            apart
        })
}

/// Whether two arrays have memory in common; also true where that is too hard to tell.
fn share(a: &Bound<'_, PyUntypedArray>, b: &Bound<'_, PyUntypedArray>) -> PyResult<bool> {
    let py = a.py();
    let numpy = py.import(intern!(py, "numpy"))?;
    if !numpy.call_method1(intern!(py, "may_share_memory"), (a, b))?.extract::<bool>()? {
        return Ok(false);
    }
    let exact = numpy.call_method1(intern!(py, "shares_memory"), (a, b, 1_000_000));
    Ok(exact.and_then(|answer| answer.extract::<bool>()).unwrap_or(true))
}

/// A result as a NumPy array that owns the vector.
pub(crate) fn into_numpy<'py>(py: Python<'py>, shape: &[usize], vec: HostVec) -> PyResult<Bound<'py, PyAny>> {
    expect_rank("result", shape.len())?;
    let bytes = shape.iter().filter(|&&n| n > 0).try_fold(vec.dtype().size(), |bytes, &n| bytes.checked_mul(n));
    if bytes.is_none_or(|bytes| isize::try_from(bytes).is_err()) {
        let expected = "an array that NumPy can have: lengths but 0 of fewer than 2^63 bytes in all";
        return Err(invalid("result", format!("shape {shape:?} of {}", vec.dtype()), expected));
    }
    fn owned<'py, T: numpy::Element>(py: Python<'py>, shape: &[usize], vec: Vec<T>) -> PyResult<Bound<'py, PyAny>> {
        let array = ArrayD::from_shape_vec(IxDyn(shape), vec).map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(PyArrayDyn::from_owned_array(py, array).into_any())
    }
    match vec {
        HostVec::Bool(vec) => owned(py, shape, vec),
        HostVec::U8(vec) => owned(py, shape, vec),
        HostVec::I8(vec) => owned(py, shape, vec),
        HostVec::U16(vec) => owned(py, shape, vec),
        HostVec::I16(vec) => owned(py, shape, vec),
        HostVec::U32(vec) => owned(py, shape, vec),
        HostVec::I32(vec) => owned(py, shape, vec),
        HostVec::U64(vec) => owned(py, shape, vec),
        HostVec::I64(vec) => owned(py, shape, vec),
        HostVec::F32(vec) => owned(py, shape, vec),
        HostVec::F64(vec) => owned(py, shape, vec),
        HostVec::C64(vec) => owned(py, shape, vec),
        HostVec::C128(vec) => owned(py, shape, vec),
    }
}
