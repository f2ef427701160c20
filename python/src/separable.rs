//! Separable filters: passes of weights along axes.

use num_complex::Complex64;
use numpy::PyArrayDescr;
use pyo3::prelude::*;
use unisono::{Boundary, Direction, Factor, Separable};

use crate::array::{Sink, Source, Takes, dtype_of};
use crate::convolve::{Options, describe};
use crate::device_array::Placed;
use crate::error::{invalid, raise};
use crate::{device, run};

/// A pass: axis, weights, origin, boundary, value outside.
type Pass = (isize, Vec<f64>, isize, String, f64);

/// Correlates `array` with the passes of every term, and adds the terms or, with `magnitude`, takes the root of the sum of
/// their squares. With `ignore_nan`, the mean of what is no NaN by the weights.
#[pyfunction]
#[expect(clippy::too_many_arguments)]
pub(crate) fn separable<'py>(
    py: Python<'py>,
    array: &Bound<'py, PyAny>,
    terms: Vec<Vec<Pass>>,
    magnitude: bool,
    ignore_nan: bool,
    device: &Bound<'py, PyAny>,
    out: Option<&Bound<'py, PyAny>>,
    out_dtype: Option<&Bound<'py, PyArrayDescr>>,
) -> PyResult<Bound<'py, PyAny>> {
    let array = Source::new("input", array, Takes::Real)?;
    let weights: usize = terms.iter().flatten().map(|pass| pass.1.len()).sum();
    let units = array.len().saturating_mul(weights as u64);
    let mut how: Option<Separable> = None;
    for passes in terms {
        let mut term = Separable::new();
        for (axis, weights, origin, boundary, value) in passes {
            let boundary = match boundary.parse().map_err(raise)? {
                Boundary::Constant(_) | Boundary::ConstantComplex(..) if boundary.contains(':') => {
                    return Err(invalid("mode", format!("{boundary:?}"), "\"constant\", with the value as cval"));
                }
                Boundary::Constant(_) => Boundary::Constant(value),
                other => other,
            };
            term = term.pass(Factor::correlate(axis, weights).origin(origin).boundary(boundary));
        }
        how = Some(match how {
            Some(how) => how.plus(term),
            None => term,
        });
    }
    let mut how = how.unwrap_or_default();
    if magnitude {
        how = how.magnitude();
    }
    if let Some(descr) = out_dtype {
        how = how.out_dtype(dtype_of("output", descr)?);
    }
    let backend = device::backend(device)?;
    let operand = array.operand();
    if let Some(out) = out {
        if ignore_nan {
            return Err(invalid("output", "an array", "a dtype or nothing, where NaN is ignored"));
        }
        let mut out = Sink::new(out, &[&array])?;
        let target = out.output();
        let done = run::run(py, &backend, units, |on| on.separable_dyn_into(&operand, &how, target));
        return out.finish(done);
    }
    let stay = array.is_array();
    let result = run::run(py, &backend, units, |on| {
        let result = if ignore_nan { on.separable_without_nan(&operand, &how)? } else { on.separable_dyn(&operand, &how)? };
        if stay { Ok(Placed::Stays(result)) } else { Placed::host(result) }
    })?;
    result.into_python(py)
}

/// Convolves, or with `correlate` correlates, passing over NaN in `images`.
#[pyfunction]
#[expect(clippy::too_many_arguments)]
pub(crate) fn convolve_without_nan<'py>(
    py: Python<'py>,
    correlate: bool,
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
) -> PyResult<Bound<'py, PyAny>> {
    let direction = if correlate { Direction::Correlate } else { Direction::Convolve };
    let how = describe(mode, &boundary, fill_value, ndim, (algorithm, accuracy), options)?;
    let (images, kernels) = (Source::new("images", images, Takes::Complex)?, Source::new("kernels", kernels, Takes::Complex)?);
    let units = images.len().saturating_mul(2 * kernels.len());
    let backend = device::backend(device)?;
    let (a, b) = (images.operand(), kernels.operand());
    let stay = images.is_array() || kernels.is_array();
    let result = run::run(py, &backend, units, |on| {
        let result = on.convolve_dyn_without_nan(direction, &a, &b, &how)?;
        if stay { Ok(Placed::Stays(result)) } else { Placed::host(result) }
    })?;
    result.into_python(py)
}
