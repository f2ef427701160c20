//! `ExactSum`: an exact sum that is filled in pieces and carried between processes.

use numpy::PyArrayDescr;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use unisono::{Dtype, Error, HostVec, Partials, Reduce};

use crate::arguments::count;
use crate::array::{Source, Takes, dtype_of, into_numpy};
use crate::carried::carried;
use crate::error::raise;
use crate::{device, run};

/// The exact sum of floats that come in pieces.
///
/// However the numbers are cut, ordered, merged or carried between processes, the value has the bits of one
/// :func:`unisono.sum`. Picklable, and serialisable with a documented byte form.
///
/// Examples
/// --------
/// >>> total = unisono.ExactSum()
/// >>> for chunk in ([1e100, 1.0], [-1e100]):
/// ...     total.add(chunk)
/// >>> total.value()
/// np.float64(1.0)
#[pyclass(module = "unisono", eq)]
#[derive(Clone, PartialEq)]
pub(crate) struct ExactSum(unisono::ExactSum);

#[pymethods]
impl ExactSum {
    /// The sum of nothing: +0.
    #[new]
    fn new() -> Self {
        Self(unisono::ExactSum::new())
    }

    /// Adds all elements of a float32 or float64 array, on ``device``.
    #[pyo3(signature = (a, device = None))]
    fn add(slf: &Bound<'_, Self>, a: &Bound<'_, PyAny>, device: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let py = slf.py();
        let source = Source::new("array", a, Takes::Real)?;
        let auto = intern!(py, "auto").as_any();
        let backend = device::backend(device.unwrap_or(auto))?;
        let operand = source.operand();
        let (_, partials) = run::run(py, &backend, source.len(), |on| on.reduce_partials(&operand, &Reduce::sum()))?;
        let Partials::Float(sums) = partials else {
            let expected = "float32 or float64".into();
            return Err(raise(Error::Dtype { what: "ExactSum.add".into(), got: operand.dtype(), expected }));
        };
        let mut total = slf.borrow_mut();
        sums.iter().for_each(|sum| total.0.merge(sum));
        Ok(())
    }

    /// Adds another sum.
    fn merge(slf: &Bound<'_, Self>, other: &Bound<'_, Self>) {
        let other = other.borrow().0.clone();
        slf.borrow_mut().0.merge(&other);
    }

    /// The sum, rounded once to float64 or to the float dtype given.
    #[pyo3(signature = (dtype = None))]
    fn value<'py>(&self, py: Python<'py>, dtype: Option<&Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyAny>> {
        scalar(py, if single(py, dtype)? { HostVec::F32(vec![self.0.to_f32()]) } else { HostVec::F64(vec![self.0.to_f64()]) })
    }

    /// The sum over ``count``, rounded once to float64 or to the float dtype given; NaN for a count of 0.
    #[pyo3(signature = (count, dtype = None))]
    fn mean<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = count)] count: u64,
        dtype: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let single = single(py, dtype)?;
        scalar(py, if single { HostVec::F32(vec![self.0.mean_f32(count)]) } else { HostVec::F64(vec![self.0.mean_f64(count)]) })
    }

    fn __float__(&self) -> f64 {
        self.0.to_f64()
    }

    fn __repr__(&self) -> String {
        format!("<unisono.ExactSum {:?}>", self.0.to_f64())
    }
}

carried!(ExactSum);

/// Whether the dtype asked for is float32; an error if it is no float dtype.
pub(crate) fn single(py: Python<'_>, dtype: Option<&Bound<'_, PyAny>>) -> PyResult<bool> {
    let Some(dtype) = dtype else { return Ok(false) };
    match dtype_of("dtype", &PyArrayDescr::new(py, dtype)?)? {
        Dtype::F32 => Ok(true),
        Dtype::F64 => Ok(false),
        got => Err(raise(Error::Dtype { what: "dtype".into(), got, expected: "float32 or float64".into() })),
    }
}

/// The only element as a NumPy scalar.
pub(crate) fn scalar(py: Python<'_>, one: HostVec) -> PyResult<Bound<'_, PyAny>> {
    into_numpy(py, &[], one)?.get_item(PyTuple::empty(py))
}
