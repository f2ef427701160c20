//! Arrays of random numbers.

use numpy::PyArrayDescr;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use unisono::HostVec;
use unisono::random::{Distribution, Random, RandomPlan, Stream};

use crate::array::{Sink, dtype_of};
use crate::device_array::Placed;
use crate::error::{invalid, raise};
use crate::{device, run};

/// A distribution: its name and its parameters, floats or integers.
#[derive(FromPyObject)]
pub(crate) enum Parameters {
    #[pyo3(transparent)]
    Integers((i128, i128)),
    #[pyo3(transparent)]
    Floats((f64, f64)),
}

/// Draws an array (a scalar without a shape) and says at which block of the stream the next one begins.
#[pyfunction]
#[expect(clippy::too_many_arguments)]
pub(crate) fn random<'py>(
    py: Python<'py>,
    distribution: &str,
    parameters: Parameters,
    size: Option<Vec<usize>>,
    dtype: &Bound<'py, PyArrayDescr>,
    stream: (&str, u64, u64, u64),
    device: &Bound<'py, PyAny>,
    out: Option<&Bound<'py, PyAny>>,
    resident: bool,
) -> PyResult<(Bound<'py, PyAny>, u64)> {
    let distribution = match (distribution, parameters) {
        ("integers", Parameters::Integers((low, high))) => Distribution::Integers { low, high },
        ("uniform", Parameters::Floats((low, high))) => Distribution::Uniform { low, high },
        ("normal", Parameters::Floats((mean, deviation))) => Distribution::Normal { mean, deviation },
        ("exponential", Parameters::Floats((scale, _))) => Distribution::Exponential { scale },
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
        let out = out.finish();
        return done.map(|()| (out, next));
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
