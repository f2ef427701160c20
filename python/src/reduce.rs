//! The reductions.

use pyo3::IntoPyObjectExt;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use unisono::{HostVec, Reduce, ReduceOp};

use crate::array::{Sink, Source};
use crate::device_array::Placed;
use crate::error::raise;
use crate::{device, run};

/// Reduces over all axes or some. A result without axes is a scalar: `int` for indices and counts, `bool` for `any` and
/// `all`, a NumPy scalar otherwise. Arrays of indices and counts are `int64`, as NumPy's.
#[pyfunction]
pub(crate) fn reduce<'py>(
    py: Python<'py>,
    op: &str,
    array: &Bound<'py, PyAny>,
    axes: Option<Vec<isize>>,
    keepdims: bool,
    device: &Bound<'py, PyAny>,
    out: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let op: ReduceOp = op.parse().map_err(raise)?;
    let mut how = Reduce::of(op);
    if let Some(axes) = axes {
        how = how.axes(&axes);
    }
    if keepdims {
        how = how.keepdims();
    }
    let counts = matches!(op, ReduceOp::ArgMin | ReduceOp::ArgMax | ReduceOp::CountNonzero);
    let truth = matches!(op, ReduceOp::Any | ReduceOp::All | ReduceOp::CountNonzero);
    let source = Source::new("array", array, truth)?;
    let backend = device::backend(device)?;
    let out = out.map(|out| Sink::new(out, &[&source])).transpose()?;
    let operand = source.operand();
    if let Some(out) = out {
        let mut out = if counts { out.of_indices() } else { out };
        let target = out.output();
        let done = run::run(py, &backend, source.len(), |on| on.reduce_dyn_into(&operand, &how, target));
        let out = out.finish();
        return done.map(|()| out);
    }
    let stay = source.is_array();
    let result = run::run(py, &backend, source.len(), |on| {
        let result = on.reduce_dyn(&operand, &how)?;
        if stay { Ok(Placed::Stays(result)) } else { Placed::host(result) }
    })?;
    match &result {
        Placed::Host(shape, HostVec::U64(one)) if counts && shape.is_empty() => one.first().into_bound_py_any(py),
        Placed::Host(shape, HostVec::Bool(one)) if truth && shape.is_empty() => one.first().into_bound_py_any(py),
        Placed::Host(shape, _) if shape.is_empty() => result.into_python(py)?.get_item(PyTuple::empty(py)),
        Placed::Host(..) if counts => result.into_python(py)?.call_method1(intern!(py, "view"), ("int64",)),
        _ => result.into_python(py),
    }
}
