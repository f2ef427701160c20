//! Where and how a convolution would run.

use pyo3::prelude::*;
use unisono::{Convolve, Mode};

use crate::array::Source;
use crate::device;
use crate::error::raise;

/// The device and the algorithm that a convolution would get, with the predicted times, in words.
#[pyfunction]
pub(crate) fn explain_convolve(
    py: Python<'_>,
    images: &Bound<'_, PyAny>,
    kernels: &Bound<'_, PyAny>,
    mode: &str,
    ndim: usize,
    algorithm: &str,
    device: &Bound<'_, PyAny>,
) -> PyResult<String> {
    let how = Convolve::rank(ndim).mode(mode.parse::<Mode>().map_err(raise)?).algorithm(algorithm.parse().map_err(raise)?);
    let (images, kernels) = (Source::new("images", images, false)?, Source::new("kernels", kernels, false)?);
    let backend = device::backend(device)?;
    let (a, b) = (images.operand(), kernels.operand());
    py.detach(|| backend.explain_convolve(&a, &b, &how)).map_err(raise)
}
