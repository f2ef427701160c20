//! Arrays that stay where they were computed.

use numpy::PyArrayDescr;
use pyo3::basic::CompareOp;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use unisono::{DynArray, HostVec, Result};

use crate::array::{Source, Takes, into_numpy};
use crate::error::{invalid, raise};
use crate::{device, run};

/// An array that lives where it was computed or uploaded.
///
/// What :func:`unisono.upload` returns, and every operation that was given one: on a GPU nothing is moved until
/// :meth:`numpy` is called. Immutable, except as ``out``, which reuses its memory: a call that is refused leaves it as it was;
/// work that fails (a device, an integer that does not fit) leaves zeros, or its old elements if it was an operand too.
///
/// Comparisons are NumPy's, of the elements brought to the host, and so are the truth value, ``float()`` and the other
/// conversions of the only element. A copy shares the elements until either is an ``out``; a pickle takes them along, and lies
/// on the host when it is read.
///
/// Examples
/// --------
/// >>> image = unisono.upload(np.ones((3, 3)))
/// >>> blurred = unisono.convolve(image, np.full((2, 2), 0.25), "valid")
/// >>> unisono.sum(blurred).item()
/// np.float64(4.0)
/// >>> blurred
/// <unisono.Array shape=(2, 2) dtype=float64>
/// >>> blurred == 1
/// array([[ True,  True],
///        [ True,  True]])
/// >>> f"{unisono.mean(blurred):.2f}"
/// '1.00'
#[pyclass(module = "unisono")]
pub(crate) struct Array(Option<DynArray>);

impl Array {
    pub(crate) fn get(&self) -> PyResult<&DynArray> {
        self.0.as_ref().ok_or_else(in_use)
    }

    /// Takes the memory away for the time that a call writes to it.
    pub(crate) fn take(&mut self) -> PyResult<DynArray> {
        self.0.take().ok_or_else(in_use)
    }

    pub(crate) fn put(&mut self, array: DynArray) {
        self.0 = Some(array);
    }

    /// The only element, to be converted; some of NumPy's conversions take no axes.
    fn only<'py>(slf: &Bound<'py, Self>, conversion: &str, axes: bool) -> PyResult<Bound<'py, PyAny>> {
        let (rank, size) = (slf.borrow().ndim()?, slf.borrow().size()?);
        if size == 1 && (axes || rank == 0) {
            return Self::item(slf);
        }
        let expected = if axes { "exactly one element" } else { "no axes" };
        let text = format!("array for {conversion}: got shape {}, expected {expected}", slf.getattr("shape")?);
        Err(PyTypeError::new_err(text))
    }
}

fn in_use() -> PyErr {
    invalid("array", "the out of a call that is still running", "an array that is not being written to")
}

#[pymethods]
impl Array {
    /// The length of every axis.
    #[getter]
    fn shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.get()?.shape())
    }

    /// The element type, as NumPy's.
    #[getter]
    fn dtype<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArrayDescr>> {
        PyArrayDescr::new(py, self.get()?.dtype().name())
    }

    /// The number of axes.
    #[getter]
    fn ndim(&self) -> PyResult<usize> {
        Ok(self.get()?.shape().len())
    }

    /// The number of elements.
    #[getter]
    fn size(&self) -> PyResult<usize> {
        Ok(self.get()?.len())
    }

    /// Whether the elements lie on a device, so that reading them costs a transfer.
    #[getter]
    fn on_device(&self) -> PyResult<bool> {
        Ok(self.get()?.is_on_device())
    }

    /// The elements as a NumPy array of its own.
    fn numpy<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let array = slf.borrow().get()?.clone();
        slf.py().detach(|| Placed::host(array)).map_err(raise)?.into_python(slf.py())
    }

    /// The only element as a NumPy scalar.
    fn item<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let (shape, size) = (slf.getattr("shape")?, slf.borrow().size()?);
        if size != 1 {
            return Err(invalid("array for item()", format!("shape {shape}"), "exactly one element"));
        }
        Self::numpy(slf)?.call_method1("reshape", (PyTuple::empty(slf.py()),))?.get_item(PyTuple::empty(slf.py()))
    }

    /// The elements for :func:`numpy.asarray`.
    #[pyo3(signature = (dtype = None, copy = None))]
    fn __array__<'py>(
        slf: &Bound<'py, Self>,
        dtype: Option<Bound<'py, PyAny>>,
        copy: Option<bool>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if copy == Some(false) {
            return Err(invalid("copy", "False", "True or None: the elements are copied to a new array"));
        }
        let array = Self::numpy(slf)?;
        match dtype {
            None => Ok(array),
            Some(dtype) => {
                let options = PyDict::new(slf.py());
                options.set_item("copy", false)?;
                array.call_method("astype", (dtype,), Some(&options))
            }
        }
    }

    fn __richcmp__<'py>(slf: &Bound<'py, Self>, other: &Bound<'py, PyAny>, op: CompareOp) -> PyResult<Bound<'py, PyAny>> {
        Self::numpy(slf)?.rich_compare(other, op)
    }

    fn __bool__(slf: &Bound<'_, Self>) -> PyResult<bool> {
        if slf.borrow().size()? != 1 {
            let got = format!("shape {}, which is ambiguous", slf.getattr("shape")?);
            return Err(invalid("array for bool()", got, "exactly one element, as any() and all() give"));
        }
        Self::item(slf)?.is_truthy()
    }

    fn __float__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        builtin(&Self::only(slf, "float()", true)?, "float")
    }

    fn __int__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        builtin(&Self::only(slf, "int()", true)?, "int")
    }

    fn __complex__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        builtin(&Self::only(slf, "complex()", true)?, "complex")
    }

    fn __index__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("operator")?.call_method1("index", (Self::only(slf, "an index", false)?,))
    }

    fn __format__<'py>(slf: &Bound<'py, Self>, spec: &str) -> PyResult<Bound<'py, PyAny>> {
        if spec.is_empty() && slf.borrow().ndim()? > 0 {
            return Ok(slf.str()?.into_any());
        }
        slf.py().import("builtins")?.call_method1("format", (Self::only(slf, "a format", false)?, spec))
    }

    fn __copy__(&self) -> PyResult<Self> {
        self.get().cloned().map(|array| Self(Some(array)))
    }

    fn __deepcopy__(&self, _memo: &Bound<'_, PyAny>) -> PyResult<Self> {
        self.__copy__()
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Uploaded<'py>> {
        Ok((slf.py().import("unisono")?.getattr("upload")?, (Self::numpy(slf)?, "cpu")))
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        Ok(format!("<unisono.Array shape={} dtype={}>", slf.getattr("shape")?, slf.borrow().get()?.dtype()))
    }
}

/// What makes an array again: the function, its elements and the device.
type Uploaded<'py> = (Bound<'py, PyAny>, (Bound<'py, PyAny>, &'static str));

/// The value as a type of Python's.
fn builtin<'py>(value: &Bound<'py, PyAny>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    value.py().import("builtins")?.call_method1(name, (value,))
}

/// Copies an array to a device, so that several operations on it share one transfer.
#[pyfunction]
pub(crate) fn upload(a: &Bound<'_, PyAny>, device: &Bound<'_, PyAny>) -> PyResult<Array> {
    let source = Source::new("array", a, Takes::Complex)?;
    let backend = device::backend(device)?;
    let operand = source.operand();
    run::run(a.py(), &backend, source.len(), |on| on.upload_dyn(&operand)).map(|array| Array(Some(array)))
}

/// A result, brought to the host or left where it is.
pub(crate) enum Placed {
    Host(Vec<usize>, HostVec),
    Stays(DynArray),
}

impl Placed {
    pub(crate) fn host(array: DynArray) -> Result<Self> {
        Ok(Self::Host(array.shape().to_vec(), array.into_host()?))
    }

    pub(crate) fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        match self {
            Self::Host(shape, vec) => into_numpy(py, &shape, vec),
            Self::Stays(array) => Ok(Bound::new(py, Array(Some(array)))?.into_any()),
        }
    }
}
