//! The reductions.

use pyo3::IntoPyObjectExt;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use unisono::{HostVec, Output, Reduce, ReduceOp};

use crate::array::{Sink, Source, into_numpy};
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
    let out = out.map(|out| Sink::new(out, &[&source])).transpose()?;
    let backend = device::backend(device)?;
    let operand = source.view().into();
    if let Some(out) = out {
        let out = if counts { out.of_indices() } else { out };
        let target = out.view();
        run::run(py, &backend, source.len(), |on| on.reduce_dyn_into(&operand, &how, Output::View(target)))?;
        return Ok(out.into_any());
    }
    let (shape, vec) = run::run(py, &backend, source.len(), |on| {
        let result = on.reduce_dyn(&operand, &how)?;
        Ok((result.shape().to_vec(), result.into_host()?))
    })?;
    match (shape.is_empty(), &vec) {
        (true, HostVec::U64(one)) if counts => one.first().into_bound_py_any(py),
        (true, HostVec::Bool(one)) if truth => one.first().into_bound_py_any(py),
        (true, _) => into_numpy(py, &shape, vec)?.get_item(PyTuple::empty(py)),
        (false, _) if counts => into_numpy(py, &shape, vec)?.call_method1(intern!(py, "view"), ("int64",)),
        (false, _) => into_numpy(py, &shape, vec),
    }
}
