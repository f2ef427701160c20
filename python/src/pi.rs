//! π by Monte Carlo.

use pyo3::prelude::*;

use crate::error::{invalid, raise};
use crate::{device, run};

/// Hits, samples, estimate and standard error of the samples `start..start + samples` of `seed`.
#[pyfunction]
pub(crate) fn pi(
    py: Python<'_>,
    samples: u64,
    seed: u64,
    start: u64,
    device: &Bound<'_, PyAny>,
) -> PyResult<(u64, u64, f64, f64)> {
    let end = start.checked_add(samples).filter(|_| samples > 0);
    let end = end.ok_or_else(|| invalid("samples", samples, "at least 1, ending at most at sample 2^64 - 1"))?;
    let backend = device::backend(device)?;
    // A sample costs about a sixteenth of a multiply-add's time in memory-bound work.
    let pi = run::run(py, &backend, samples / 16, |on| on.pi_range(start..end, seed))?;
    Ok((pi.hits, pi.samples, pi.estimate, pi.standard_error))
}

/// The confidence interval of an estimate.
#[pyfunction]
pub(crate) fn pi_interval(hits: u64, samples: u64, level: f64) -> PyResult<[f64; 2]> {
    unisono::Pi::from_counts(hits, samples).confidence_interval(level).map_err(raise)
}

/// The estimate from so many hits among so many samples.
#[pyfunction]
pub(crate) fn pi_from_counts(hits: u64, samples: u64) -> (u64, u64, f64, f64) {
    let pi = unisono::Pi::from_counts(hits, samples);
    (pi.hits, pi.samples, pi.estimate, pi.standard_error)
}
