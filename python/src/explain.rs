//! Where and how a convolution would run.

use num_complex::Complex64;
use numpy::PyArrayDescr;
use pyo3::prelude::*;

use crate::array::{Source, Takes};
use crate::convolve::{Options, describe};
use crate::device;
use crate::error::raise;

/// The device and the algorithm that a convolution would get, with the predicted times, in words.
#[pyfunction]
#[expect(clippy::too_many_arguments)]
pub(crate) fn explain_convolve<'py>(
    py: Python<'py>,
    images: &Bound<'py, PyAny>,
    kernels: &Bound<'py, PyAny>,
    mode: &str,
    boundary: Vec<String>,
    fill_value: Complex64,
    ndim: usize,
    algorithm: &str,
    accuracy: &str,
    options: Options,
    device: &Bound<'py, PyAny>,
    out_dtype: Option<&Bound<'py, PyArrayDescr>>,
) -> PyResult<String> {
    let mut how = describe(mode, &boundary, fill_value, ndim, (algorithm, accuracy), options)?;
    if let Some(descr) = out_dtype {
        how = how.out_dtype(Takes::Complex.dtype("out_dtype", descr)?);
    }
    let (images, kernels) = (Source::new("images", images, Takes::Complex)?, Source::new("kernels", kernels, Takes::Complex)?);
    let backend = device::backend(device)?;
    let (a, b) = (images.operand(), kernels.operand());
    py.detach(|| backend.explain_convolve(&a, &b, &how)).map_err(raise)
}
