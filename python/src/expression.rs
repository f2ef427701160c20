//! Expressions over arrays and integrals.

use numpy::PyArrayDescr;
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use unisono::{HostVec, Integrate, Map, Operand, ReduceOp};

use crate::array::{Sink, Source, dtype_of};
use crate::device_array::Placed;
use crate::error::{invalid, raise};
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
            sources.push(Source::new(&name, &array, false)?);
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
        let out = out.finish();
        return done.map(|()| out);
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

/// An estimate of an integral: the volume of the box times the mean of the integrand over random points.
///
/// Estimates from disjoint ranges of the samples of one problem merge exactly.
#[pyclass(module = "unisono", frozen, eq)]
#[derive(PartialEq)]
pub(crate) struct Integral(unisono::Integral);

#[pymethods]
impl Integral {
    /// The estimate.
    #[getter]
    fn estimate(&self) -> f64 {
        self.0.estimate
    }

    /// The estimate's standard error.
    #[getter]
    fn standard_error(&self) -> f64 {
        self.0.standard_error
    }

    /// Samples drawn.
    #[getter]
    fn samples(&self) -> u64 {
        self.0.samples
    }

    /// Whether the target error was reached; true where none was set.
    #[getter]
    fn converged(&self) -> bool {
        self.0.converged
    }

    /// The volume of the box.
    #[getter]
    fn volume(&self) -> f64 {
        self.0.volume
    }

    /// The interval that holds the integral with this probability, by the central limit theorem.
    #[pyo3(signature = (confidence=0.95))]
    fn interval(&self, confidence: f64) -> PyResult<(f64, f64)> {
        let interval = self.0.interval(confidence).map_err(raise)?;
        Ok((interval.start, interval.end))
    }

    /// The estimate from the samples of both, which must be of one problem and must not overlap.
    fn merge(&self, other: &Self) -> PyResult<Self> {
        if self.0.volume != other.0.volume {
            return Err(invalid("merge", format!("volumes {} and {}", self.0.volume, other.0.volume), "one problem"));
        }
        let mut sums = self.0.sums.clone();
        sums.merge(&other.0.sums);
        let converged = self.0.converged && other.0.converged;
        Ok(Self(unisono::Integral { converged, ..unisono::Integral::new(sums, self.0.volume) }))
    }

    fn __float__(&self) -> f64 {
        self.0.estimate
    }

    fn __repr__(&self) -> String {
        let unisono::Integral { estimate, standard_error, samples, .. } = &self.0;
        format!("Integral(estimate={estimate:?}, standard_error={standard_error:.2e}, samples={samples})")
    }
}

/// Integrates over a box: samples from `start` on, or to a target error if one is not 0.
#[pyfunction]
#[expect(clippy::too_many_arguments)]
pub(crate) fn integrate(
    py: Python<'_>,
    expr: &str,
    bounds: Vec<(String, f64, f64)>,
    params: Vec<(String, f64)>,
    samples: u64,
    start: u64,
    seed: u64,
    errors: (f64, f64),
    round: u64,
    dtype: &Bound<'_, PyArrayDescr>,
    device: &Bound<'_, PyAny>,
) -> PyResult<Integral> {
    let box_: Vec<_> = bounds.iter().map(|(name, from, to)| (name.as_str(), *from, *to)).collect();
    let (absolute, relative) = errors;
    let mut how = Integrate::new(expr, &box_).map_err(raise)?;
    how = how.samples(samples).seed(seed).round(round).absolute_error(absolute).relative_error(relative);
    how = how.dtype(dtype_of("dtype", dtype)?);
    for (name, value) in &params {
        how = how.param(name, *value);
    }
    let backend = device::backend(device)?;
    if start > 0 {
        if absolute != 0.0 || relative != 0.0 {
            return Err(invalid("start", start, "0 where a target error is set"));
        }
        let end = start.checked_add(samples).filter(|_| samples > 0);
        let end = end.ok_or_else(|| invalid("samples", samples, "at least 1, ending at most at sample 2^64 - 1"))?;
        let volume = bounds.iter().map(|(_, from, to)| to - from).product();
        let sums = run::run(py, &backend, samples, |on| on.integrate_range(&how, start..end))?;
        return Ok(Integral(unisono::Integral::new(sums, volume)));
    }
    run::run(py, &backend, samples, |on| on.integrate(&how)).map(Integral)
}
