//! Expressions over arrays.

use numpy::PyArrayDescr;
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use unisono::{HostVec, Map, Operand, ReduceOp};

use crate::array::{Sink, Source, Takes, dtype_of};
use crate::device_array::Placed;
use crate::error::raise;
use crate::{device, run};

/// The arrays, their names and the parameters of a call.
struct Call<'py> {
    names: Vec<String>,
    sources: Vec<Source<'py>>,
    how: Map,
}

impl<'py> Call<'py> {
    fn new(
        expr: &str,
        arrays: Vec<(String, Bound<'py, PyAny>)>,
        params: Vec<(String, f64)>,
        dtype: Option<&Bound<'py, PyArrayDescr>>,
    ) -> PyResult<Self> {
        let mut how = Map::new(expr).map_err(raise)?;
        for (name, value) in params {
            how = how.param(&name, value);
        }
        if let Some(dtype) = dtype {
            how = how.dtype(dtype_of("dtype", dtype)?);
        }
        let (mut names, mut sources) = (vec![], vec![]);
        for (name, array) in arrays {
            sources.push(Source::new(&name, &array, Takes::Real)?);
            names.push(name);
        }
        Ok(Self { names, sources, how })
    }

    fn operands(&self) -> Vec<(&str, Operand<'_>)> {
        self.names.iter().map(String::as_str).zip(self.sources.iter().map(Source::operand)).collect()
    }

    /// Elements of the largest array, which is about the work.
    fn units(&self) -> u64 {
        self.sources.iter().map(Source::len).max().unwrap_or(0)
    }
}

/// Evaluates an expression at every element. Without axes, a NumPy scalar.
#[pyfunction]
pub(crate) fn map<'py>(
    py: Python<'py>,
    expr: &str,
    arrays: Vec<(String, Bound<'py, PyAny>)>,
    params: Vec<(String, f64)>,
    dtype: Option<&Bound<'py, PyArrayDescr>>,
    device: &Bound<'py, PyAny>,
    out: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let call = Call::new(expr, arrays, params, dtype)?;
    let backend = device::backend(device)?;
    let all: Vec<_> = call.sources.iter().collect();
    let out = out.map(|out| Sink::new(out, &all)).transpose()?;
    let operands = call.operands();
    if let Some(mut out) = out {
        let target = out.output();
        let done = run::run(py, &backend, call.units(), |on| on.map_dyn_into(&call.how, &operands, target));
        return out.finish(done);
    }
    let stay = call.sources.iter().any(Source::is_array);
    let result = run::run(py, &backend, call.units(), |on| {
        let result = on.map_dyn(&call.how, &operands)?;
        if stay { Ok(Placed::Stays(result)) } else { Placed::host(result) }
    })?;
    match &result {
        Placed::Host(shape, _) if shape.is_empty() => result.into_python(py)?.get_item(PyTuple::empty(py)),
        _ => result.into_python(py),
    }
}

/// Evaluates an expression at every element and reduces the results to one number.
#[pyfunction]
pub(crate) fn map_reduce<'py>(
    py: Python<'py>,
    expr: &str,
    op: &str,
    arrays: Vec<(String, Bound<'py, PyAny>)>,
    params: Vec<(String, f64)>,
    dtype: Option<&Bound<'py, PyArrayDescr>>,
    device: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let op: ReduceOp = op.parse().map_err(raise)?;
    let call = Call::new(expr, arrays, params, dtype)?;
    let backend = device::backend(device)?;
    let operands = call.operands();
    let result = run::run(py, &backend, call.units(), |on| Placed::host(on.map_reduce_dyn(&call.how, op, &operands)?))?;
    match &result {
        Placed::Host(_, HostVec::U64(one)) => one.first().into_bound_py_any(py),
        Placed::Host(_, HostVec::Bool(one)) => one.first().into_bound_py_any(py),
        _ => result.into_python(py)?.get_item(PyTuple::empty(py)),
    }
}
