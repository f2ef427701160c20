//! Scans, order statistics and sums of exponentials.

use numpy::PyArrayDescr;
use pyo3::IntoPyObjectExt;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use unisono::{DynArray, LogSumExp, Quantile, Result, Scan, TopK};

use crate::arguments::k;
use crate::array::{Sink, Source, Takes, dtype_of};
use crate::device_array::Placed;
use crate::error::{invalid, raise};
use crate::{device, run};

/// A result as a NumPy scalar if it has no axes, else as an array.
fn unwrap(py: Python<'_>, placed: Placed) -> PyResult<Bound<'_, PyAny>> {
    match &placed {
        Placed::Host(shape, _) if shape.is_empty() => placed.into_python(py)?.get_item(PyTuple::empty(py)),
        _ => placed.into_python(py),
    }
}

fn place(array: DynArray, stay: bool) -> Result<Placed> {
    if stay { Ok(Placed::Stays(array)) } else { Placed::host(array) }
}

/// Running sums, products or extremes.
#[pyfunction]
#[expect(clippy::too_many_arguments)]
pub(crate) fn scan<'py>(
    py: Python<'py>,
    op: &str,
    array: &Bound<'py, PyAny>,
    axis: Option<isize>,
    first: &str,
    reverse: bool,
    wrapping: bool,
    dtype: Option<&Bound<'py, PyAny>>,
    skip_nan: bool,
    device: &Bound<'py, PyAny>,
    out: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let mut how = Scan::of(op.parse().map_err(raise)?);
    how = match first {
        "inclusive" => how,
        "exclusive" => how.exclusive(),
        "initial" => how.include_initial(),
        other => return Err(invalid("first", other, "inclusive, exclusive or initial")),
    };
    if let Some(axis) = axis {
        how = how.axis(axis);
    }
    how = if reverse { how.reverse() } else { how };
    how = if wrapping { how.wrapping() } else { how };
    how = if skip_nan { how.skip_nan() } else { how };
    if let Some(dtype) = dtype {
        how = how.out_dtype(dtype_of("dtype", &PyArrayDescr::new(py, dtype)?)?);
    }
    let source = Source::new("array", array, Takes::Real)?;
    let backend = device::backend(device)?;
    let operand = source.operand();
    if let Some(out) = out {
        let mut out = Sink::new(out, &[&source])?;
        let target = out.output();
        let done = run::run(py, &backend, source.len(), |on| on.scan_dyn_into(&operand, &how, target));
        return out.finish(done);
    }
    let stay = source.is_array();
    run::run(py, &backend, source.len(), |on| place(on.scan_dyn(&operand, &how)?, stay))?.into_python(py)
}

/// Quantiles, or the median if there are none given.
#[pyfunction]
#[expect(clippy::too_many_arguments)]
pub(crate) fn quantile<'py>(
    py: Python<'py>,
    array: &Bound<'py, PyAny>,
    points: Option<Vec<f64>>,
    scalar: bool,
    method: &str,
    axes: Option<Vec<isize>>,
    keepdims: bool,
    ignore_nan: bool,
    weights: Option<&Bound<'py, PyAny>>,
    mask: Option<&Bound<'py, PyAny>>,
    device: &Bound<'py, PyAny>,
    out: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let mut how = match points {
        None => Quantile::median(),
        Some(points) => {
            let how = if scalar { Quantile::one(points.first().copied().unwrap_or(f64::NAN)) } else { Quantile::of(&points) };
            how.method(method.parse().map_err(raise)?)
        }
    };
    if let Some(axes) = axes {
        how = how.axes(&axes);
    }
    how = if keepdims { how.keepdims() } else { how };
    how = if ignore_nan { how.ignore_nan() } else { how };
    let source = Source::new("array", array, Takes::Real)?;
    let backend = device::backend(device)?;
    let operand = source.operand();
    if let Some((second, weighted)) = weights.map(|one| (one, true)).or(mask.map(|one| (one, false))) {
        if weights.is_some() && mask.is_some() {
            return Err(invalid("weights and where", "both", "one at most"));
        }
        let second = Source::new(if weighted { "weights" } else { "where" }, second, Takes::Real)?;
        let beside = second.operand();
        if let Some(out) = out {
            let mut out = Sink::new(out, &[&source, &second])?;
            let target = out.output();
            let done = run::run(py, &backend, source.len(), |on| match weighted {
                true => on.quantile_weighted_into(&operand, &beside, &how, target),
                false => on.quantile_where_into(&operand, &beside, &how, target),
            });
            return out.finish(done);
        }
        let stay = source.is_array();
        let found = run::run(py, &backend, source.len(), |on| {
            let found =
                if weighted { on.quantile_weighted(&operand, &beside, &how) } else { on.quantile_where(&operand, &beside, &how) };
            place(found?, stay)
        })?;
        return unwrap(py, found);
    }
    if let Some(out) = out {
        let mut out = Sink::new(out, &[&source])?;
        let target = out.output();
        let done = run::run(py, &backend, source.len(), |on| on.quantile_dyn_into(&operand, &how, target));
        return out.finish(done);
    }
    let stay = source.is_array();
    unwrap(py, run::run(py, &backend, source.len(), |on| place(on.quantile_dyn(&operand, &how)?, stay))?)
}

/// The largest or smallest elements, and their indices.
#[pyfunction]
pub(crate) fn topk<'py>(
    py: Python<'py>,
    array: &Bound<'py, PyAny>,
    #[pyo3(from_py_with = k)] k: usize,
    axis: isize,
    largest: bool,
    device: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let how = if largest { TopK::largest(k) } else { TopK::smallest(k) }.axis(axis);
    let source = Source::new("array", array, Takes::Real)?;
    let backend = device::backend(device)?;
    let operand = source.operand();
    let stay = source.is_array();
    let (values, indices) = run::run(py, &backend, source.len(), |on| {
        let (values, indices) = on.topk_dyn(&operand, &how)?;
        Ok((place(values, stay)?, place(indices, stay)?))
    })?;
    let indices = indices.into_python(py)?;
    let indices = if stay { indices } else { indices.call_method1(intern!(py, "view"), ("int64",))? };
    (values.into_python(py)?, indices).into_bound_py_any(py)
}

/// The logarithm of the sum of exponentials, and the sign if it is asked for.
#[pyfunction]
pub(crate) fn logsumexp<'py>(
    py: Python<'py>,
    array: &Bound<'py, PyAny>,
    factors: Option<&Bound<'py, PyAny>>,
    axes: Option<Vec<isize>>,
    keepdims: bool,
    signed: bool,
    device: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let mut how = LogSumExp::new();
    if let Some(axes) = axes {
        how = how.axes(&axes);
    }
    how = if keepdims { how.keepdims() } else { how };
    how = if signed { how.signed() } else { how };
    let source = Source::new("array", array, Takes::Real)?;
    let factors = factors.map(|factors| Source::new("b", factors, Takes::Real)).transpose()?;
    let backend = device::backend(device)?;
    let (operand, second) = (source.operand(), factors.as_ref().map(Source::operand));
    let stay = source.is_array();
    let (logarithm, sign) = run::run(py, &backend, source.len(), |on| {
        let (logarithm, sign) = on.logsumexp_dyn(&operand, second.as_ref(), &how)?;
        Ok((place(logarithm, stay)?, sign.map(|sign| place(sign, stay)).transpose()?))
    })?;
    let logarithm = unwrap(py, logarithm)?;
    match sign {
        Some(sign) => (logarithm, unwrap(py, sign)?).into_bound_py_any(py),
        None => Ok(logarithm),
    }
}
