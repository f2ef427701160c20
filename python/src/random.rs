//! Arrays of random numbers.

use numpy::PyArrayDescr;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use unisono::HostVec;
use unisono::random::{Distribution, Random, RandomPlan, Stream};

use crate::arguments::held;
use crate::array::{Sink, dtype_of};
use crate::device_array::Placed;
use crate::error::{invalid, raise};
use crate::{device, run};

/// The integers of a dtype from the first parameter to below the second.
fn integers(parameters: &Bound<'_, PyTuple>, dtype: &Bound<'_, PyArrayDescr>) -> PyResult<Distribution> {
    let dtype = dtype_of("dtype", dtype)?;
    let (least, most) = dtype.integer_range().unwrap_or_default();
    let given = format!("{} to below {}", parameters.get_item(0)?, parameters.get_item(1)?);
    let (low, high) = held("random integers", parameters, given, &format!("integers of {dtype}, {least} to {most}"))?;
    Ok(Distribution::Integers { low, high })
}

/// Draws an array (a scalar without a shape) and says at which block of the stream the next one begins. A distribution has its
/// name and two parameters.
#[pyfunction]
#[expect(clippy::too_many_arguments)]
pub(crate) fn random<'py>(
    py: Python<'py>,
    distribution: &str,
    parameters: &Bound<'py, PyTuple>,
    size: Option<Vec<usize>>,
    dtype: &Bound<'py, PyArrayDescr>,
    stream: (&str, u64, u64, u64),
    device: &Bound<'py, PyAny>,
    out: Option<&Bound<'py, PyAny>>,
    resident: bool,
) -> PyResult<(Bound<'py, PyAny>, u64)> {
    let floats = || parameters.extract::<(f64, f64)>();
    let distribution = match distribution {
        "integers" => integers(parameters, dtype)?,
        "uniform" => floats().map(|(low, high)| Distribution::Uniform { low, high })?,
        "normal" => floats().map(|(mean, deviation)| Distribution::Normal { mean, deviation })?,
        "exponential" => floats().map(|(scale, _)| Distribution::Exponential { scale })?,
        _ => return Err(invalid("distribution", distribution, "uniform, normal, exponential or integers")),
    };
    let (generator, seed, number, start) = stream;
    let stream = Stream::new(seed).generator(generator.parse().map_err(raise)?).with_stream(number);
    let how = Random::new(distribution).stream(stream).start(start);
    let backend = device::backend(device)?;
    if let Some(out) = out {
        let mut out = Sink::new(out, &[])?;
        let (shape, dtype) = (out.output().shape().to_vec(), out.dtype());
        let planned = RandomPlan::new(&how, dtype, &shape).map_err(raise);
        let next = planned.as_ref().map_or(start, |plan| start + plan.blocks());
        let len = shape.iter().product::<usize>() as u64;
        let target = out.output();
        let done = planned.and_then(|_| run::run(py, &backend, len, |on| on.random_dyn_into(&how, target)));
        return out.finish(done).map(|out| (out, next));
    }
    let (dtype, shape) = (dtype_of("dtype", dtype)?, size.clone().unwrap_or_default());
    let plan = RandomPlan::new(&how, dtype, &shape).map_err(raise)?;
    let next = start + plan.blocks();
    let result = run::run(py, &backend, plan.len(), |on| {
        let result = on.random_dyn(&how, dtype, &shape)?;
        if resident { Ok(Placed::Stays(result)) } else { Placed::host(result) }
    })?;
    let scalar = size.is_none() && matches!(&result, Placed::Host(_, vec) if HostVec::len(vec) == 1);
    let array = result.into_python(py)?;
    Ok((if scalar { array.get_item(PyTuple::empty(py))? } else { array }, next))
}
