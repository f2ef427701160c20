//! Arrays that stay where they were computed.

use numpy::PyArrayDescr;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use unisono::{DynArray, HostVec, Result};

use crate::array::{Source, into_numpy};
use crate::error::{invalid, raise};
use crate::{device, run};

/// An array that lives where it was computed or uploaded.
///
/// What :func:`unisono.upload` returns, and every operation that was given one: on a GPU nothing is moved until
/// :meth:`numpy` is called. Immutable, except as ``out``, which reuses its memory: a call that is refused leaves it as it was;
/// work that fails (a device, an integer that does not fit) leaves zeros, or its old elements if it was an operand too.
///
/// Examples
/// --------
/// >>> image = unisono.upload(np.ones((3, 3)))
/// >>> blurred = unisono.convolve(image, np.full((2, 2), 0.25), "valid")
/// >>> unisono.sum(blurred).item()
/// np.float64(4.0)
/// >>> blurred
/// <unisono.Array shape=(2, 2) dtype=float64>
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

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        Ok(format!("<unisono.Array shape={} dtype={}>", slf.getattr("shape")?, slf.borrow().get()?.dtype()))
    }
}

/// Copies an array to a device, so that several operations on it share one transfer.
#[pyfunction]
pub(crate) fn upload(a: &Bound<'_, PyAny>, device: &Bound<'_, PyAny>) -> PyResult<Array> {
    let source = Source::new("array", a, false)?;
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
