//! The reductions.

use numpy::PyArrayDescr;
use pyo3::IntoPyObjectExt;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use unisono::{HostVec, NormOrder, Reduce, ReduceOp, Scalar, op};

use crate::arguments::{ddof, held};
use crate::array::{Sink, Source, Takes, dtype_of};
use crate::device_array::Placed;
use crate::error::raise;
use crate::{device, run};

/// What a reduction takes beside its operands.
#[derive(FromPyObject)]
pub(crate) struct Options<'py>(
    /// Order of a norm.
    f64,
    /// ddof.
    Bound<'py, PyAny>,
    /// Dtype of the result.
    Option<Bound<'py, PyAny>>,
    /// Initial value.
    Option<Bound<'py, PyAny>>,
    /// Overflow policy.
    String,
    /// Sum mode.
    String,
    /// Whether NaN is passed over.
    bool,
);

/// An integer exactly, anything else as a float.
fn scalar(value: &Bound<'_, PyAny>) -> PyResult<Scalar> {
    // NumPy's bool has no __index__.
    if let Ok(truth) = value.extract::<bool>() {
        return Ok(Scalar::from(i128::from(truth)));
    }
    match value.call_method0(intern!(value.py(), "__index__")) {
        Ok(index) => held::<i128>("initial", &index, &index, "an integer of at most 128 bits, or a float").map(Scalar::from),
        Err(_) => value.extract::<f64>().map(Scalar::from),
    }
}

/// How to reduce, from the arguments of the call.
pub(crate) fn how(
    py: Python<'_>,
    op: &str,
    axes: Option<Vec<isize>>,
    keepdims: bool,
    options: &Options<'_>,
) -> PyResult<Reduce<ReduceOp>> {
    let Options(order, freedom, dtype, initial, overflow, mode, skip_nan) = options;
    let op = match op {
        "norm" => ReduceOp::Norm(NormOrder::new(*order).map_err(raise)?),
        "dot" => ReduceOp::Dot,
        other => other.parse().map_err(raise)?,
    };
    let mut how = Reduce::of(op).ddof(ddof(freedom)?);
    how = how.overflow(overflow.parse().map_err(raise)?).mode(mode.parse().map_err(raise)?);
    if let Some(axes) = axes {
        how = how.axes(&axes);
    }
    if keepdims {
        how = how.keepdims();
    }
    if let Some(dtype) = dtype {
        how = how.out_dtype(dtype_of("dtype", &PyArrayDescr::new(py, dtype)?)?);
    }
    if let Some(initial) = initial {
        how = how.initial(scalar(initial)?);
    }
    Ok(if *skip_nan { how.skip_nan() } else { how })
}

/// Reduces over all axes or some; `second` is the mask, or the other operand of a dot product.
#[pyfunction]
#[allow(clippy::too_many_arguments)]
pub(crate) fn reduce<'py>(
    py: Python<'py>,
    op: &str,
    array: &Bound<'py, PyAny>,
    second: Option<&Bound<'py, PyAny>>,
    axes: Option<Vec<isize>>,
    keepdims: bool,
    options: Options<'py>,
    device: &Bound<'py, PyAny>,
    out: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let how = how(py, op, axes, keepdims, &options)?;
    let takes = if matches!(op, "any" | "all" | "count_nonzero") { Takes::Truth } else { Takes::Real };
    let source = Source::new("array", array, takes)?;
    let dot = op == "dot";
    let what = if dot { "second operand" } else { "where" };
    let second = second.map(|second| Source::new(what, second, Takes::Real)).transpose()?;
    let backend = device::backend(device)?;
    let sources: Vec<&Source<'py>> = std::iter::once(&source).chain(&second).collect();
    let out = out.map(|out| Sink::new(out, &sources)).transpose()?;
    let operand = source.operand();
    let second = second.as_ref().map(Source::operand);
    let (units, stay) = (source.len(), source.is_array() || (dot && sources.iter().any(|one| one.is_array())));
    if let Some(out) = out {
        let mut out = if counts(op) { out.of_indices() } else { out };
        let target = out.output();
        let done = run::run(py, &backend, units, |on| match &second {
            Some(second) if dot => on.vecdot_dyn_into(&operand, second, &how.retyped(op::Dot), target),
            Some(mask) => on.reduce_where_dyn_into(&operand, mask, &how, target),
            None => on.reduce_dyn_into(&operand, &how, target),
        });
        return out.finish(done);
    }
    let result = run::run(py, &backend, units, |on| {
        let result = match &second {
            Some(second) if dot => on.vecdot_dyn(&operand, second, &how.retyped(op::Dot))?,
            Some(mask) => on.reduce_where_dyn(&operand, mask, &how)?,
            None => on.reduce_dyn(&operand, &how)?,
        };
        if stay { Ok(Placed::Stays(result)) } else { Placed::host(result) }
    })?;
    into_python(py, op, result)
}

/// Whether the results of a reduction of this name are indices or counts.
fn counts(op: &str) -> bool {
    matches!(op, "argmin" | "argmax" | "count_nonzero")
}

/// A result; one without axes as a scalar: `int` for indices and counts, `bool` for `any` and `all`, a NumPy scalar otherwise.
/// Arrays of indices and counts are `int64`, as NumPy's.
pub(crate) fn into_python<'py>(py: Python<'py>, op: &str, result: Placed) -> PyResult<Bound<'py, PyAny>> {
    match &result {
        Placed::Host(shape, HostVec::U64(one)) if counts(op) && shape.is_empty() => one.first().into_bound_py_any(py),
        Placed::Host(shape, HostVec::Bool(one)) if matches!(op, "any" | "all") && shape.is_empty() => {
            one.first().into_bound_py_any(py)
        }
        Placed::Host(shape, _) if shape.is_empty() => result.into_python(py)?.get_item(PyTuple::empty(py)),
        Placed::Host(..) if counts(op) => result.into_python(py)?.call_method1(intern!(py, "view"), ("int64",)),
        _ => result.into_python(py),
    }
}
