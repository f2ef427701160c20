//! π by Monte Carlo.

use pyo3::prelude::*;
use unisono::{MonteCarlo, Tally};

use crate::arguments::{bits, samples, seed, start};
use crate::error::{invalid, raise};
use crate::{device, run};

/// What `unisono.Pi` is made from: hits, samples, estimate, standard error, method, bits, counts, bias, equivalent samples.
pub(crate) type Fields = (u64, u64, f64, f64, &'static str, u32, Vec<u64>, f64, f64);
/// What an estimate is known by: samples, counts, method, bits.
type Known = (u64, Vec<u64>, String, u32);

pub(crate) fn fields(pi: &unisono::Pi) -> Fields {
    let (method, counts) = (pi.method().name(), pi.counts().to_vec());
    (pi.hits, pi.samples, pi.estimate, pi.standard_error, method, pi.bits(), counts, pi.bias(), pi.equivalent_samples())
}

/// The problem of these settings.
pub(crate) fn problem(seed: u64, method: &str, bits: Option<u32>) -> PyResult<MonteCarlo> {
    let how = MonteCarlo::pi().method(method.parse().map_err(raise)?).seed(seed);
    Ok(bits.map_or(how, |bits| how.bits(bits)))
}

fn estimate((samples, counts, method, bits): &Known) -> PyResult<unisono::Pi> {
    let mut tally = Tally { samples: *samples, ..Tally::default() };
    if counts.len() > tally.counts.len() {
        return Err(invalid("counts", counts.len(), "those of an estimate"));
    }
    tally.counts[..counts.len()].copy_from_slice(counts);
    Ok(unisono::Pi::from_tally(&problem(0, method, Some(*bits))?, &tally))
}

/// The estimate from the samples `start..start + samples` of `seed`.
#[pyfunction]
pub(crate) fn pi(
    py: Python<'_>,
    #[pyo3(from_py_with = samples)] samples: u64,
    #[pyo3(from_py_with = seed)] seed: u64,
    #[pyo3(from_py_with = start)] start: u64,
    method: &str,
    #[pyo3(from_py_with = bits)] bits: Option<u32>,
    device: &Bound<'_, PyAny>,
) -> PyResult<Fields> {
    let end = start.checked_add(samples).filter(|_| samples > 0);
    let end = end.ok_or_else(|| invalid("samples", samples, "at least 1, ending at most at sample 2^64 - 1"))?;
    let how = problem(seed, method, bits)?;
    let backend = device::backend(device)?;
    // A sample costs about a sixteenth of a multiply-add's time in memory-bound work.
    Ok(fields(&run::run(py, &backend, samples / 16, |on| on.monte_carlo(&how, start..end))?))
}

/// The confidence interval of an estimate.
#[pyfunction]
pub(crate) fn pi_interval(known: Known, level: f64) -> PyResult<[f64; 2]> {
    estimate(&known)?.confidence_interval(level).map_err(raise)
}

/// The estimate from the samples of two.
#[pyfunction]
pub(crate) fn pi_merge(first: Known, second: Known) -> PyResult<Fields> {
    Ok(fields(&estimate(&first)?.merge(estimate(&second)?).map_err(raise)?))
}
