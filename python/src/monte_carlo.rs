//! `MonteCarloState`: what a Monte Carlo run has done so far.

use std::path::PathBuf;

use pyo3::intern;
use pyo3::prelude::*;
use unisono::Goal;

use crate::arguments::{bits, end, end_if_any, seconds, seed, start};
use crate::carried::carried;
use crate::error::{invalid, raise};
use crate::exclusive::Exclusive;
use crate::{device, pi, run};

/// The samples that an estimate of pi has drawn, and their hits: extended, merged, saved and resumed.
///
/// Samples are addressed by index and hits are integers, so that a run may be stopped and go on, on another device or machine,
/// and several may share the work: the merged state is that of one run over the same samples. Picklable.
///
/// Examples
/// --------
/// >>> here, there = unisono.MonteCarloState(seed=42), unisono.MonteCarloState(seed=42)
/// >>> here.extend(600_000)
/// >>> there.extend(1_000_000, start=600_000)
/// >>> here.merge(there)
/// >>> here.ranges, here.estimate() == unisono.pi(1_000_000, seed=42)
/// ([(0, 1000000)], True)
/// >>> here.merge(there)
/// Traceback (most recent call last):
/// ...
/// ValueError: Monte Carlo state to merge: got samples 600000 to below 1000000, which this state has already, expected samples that this state has not
#[pyclass(module = "unisono", eq)]
#[derive(Clone, PartialEq)]
pub(crate) struct MonteCarloState(unisono::MonteCarloState);

#[pymethods]
impl MonteCarloState {
    /// No sample yet under ``seed``, by a method and with coordinates of so many bits (:func:`unisono.pi`).
    #[new]
    #[pyo3(signature = (seed = 0, method = "plain", bits = None))]
    fn new(
        #[pyo3(from_py_with = seed)] seed: u64,
        method: &str,
        #[pyo3(from_py_with = bits)] bits: Option<u32>,
    ) -> PyResult<Self> {
        unisono::MonteCarloState::new(&pi::problem(seed, method, bits)?).map(Self).map_err(raise)
    }

    /// The method.
    #[getter]
    fn method(&self) -> &'static str {
        self.0.problem().method.name()
    }

    /// The bits of a coordinate.
    #[getter]
    fn bits(&self) -> u32 {
        self.0.problem().coordinate_bits()
    }

    /// The seed.
    #[getter]
    fn seed(&self) -> u64 {
        self.0.seed()
    }

    /// How many samples were drawn.
    #[getter]
    fn samples(&self) -> u64 {
        self.0.samples()
    }

    /// The samples drawn, as a list of ``(start, end)``.
    #[getter]
    fn ranges(&self) -> Vec<(u64, u64)> {
        self.0.ranges().iter().map(|range| (range.start, range.end)).collect()
    }

    /// The samples of ``range(start, end)`` that were not drawn yet, as a list of ``(start, end)``.
    #[pyo3(signature = (end, start = 0))]
    fn missing(&self, #[pyo3(from_py_with = end)] end: u64, #[pyo3(from_py_with = start)] start: u64) -> Vec<(u64, u64)> {
        self.0.missing(start..end).iter().map(|range| (range.start, range.end)).collect()
    }

    /// The estimate so far, a :class:`unisono.Pi`.
    fn estimate<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let kind = slf.py().import(intern!(slf.py(), "unisono"))?.getattr(intern!(slf.py(), "Pi"))?;
        let fields = pi::fields(&slf.borrow().0.estimate());
        kind.getattr(intern!(slf.py(), "_of"))?.call1((fields,))
    }

    /// Draws the samples of ``range(start, end)`` that were not drawn yet, on ``device``; or, with ``standard_error`` instead of
    /// ``end``, samples from 0 on until the standard error is at most that. Where it stops depends on the seed and the error
    /// only: at a multiple of a round number of samples.
    ///
    /// With ``checkpoint``, the name of a file, what that file holds is merged first, and the state is written to it every
    /// ``interval`` seconds and at the end (``math.inf``: only at the end). Ctrl-C keeps what was done, here and in the file.
    #[pyo3(signature = (end = None, start = 0, device = None, checkpoint = None, interval = 10.0, standard_error = None))]
    fn extend(
        slf: &Bound<'_, Self>,
        #[pyo3(from_py_with = end_if_any)] end: Option<u64>,
        #[pyo3(from_py_with = start)] start: u64,
        device: Option<&Bound<'_, PyAny>>,
        checkpoint: Option<PathBuf>,
        interval: f64,
        standard_error: Option<f64>,
    ) -> PyResult<()> {
        let py = slf.py();
        let interval = seconds("interval", interval)?;
        let backend = device::backend(device.unwrap_or(intern!(py, "auto").as_any()))?;
        let _alone = Exclusive::new(slf)?;
        let mut state = slf.borrow().0.clone();
        let (goal, units) = match (end, standard_error) {
            (Some(end), None) => (Goal::Samples(start..end), end.saturating_sub(start) / 16),
            (None, Some(_)) if start != 0 => return Err(invalid("start", start, "0 where a standard_error is given")),
            (None, Some(error)) => (Goal::StandardError(error), u64::MAX),
            _ => return Err(invalid("end and standard_error", "both or none", "one of them")),
        };
        let done = run::run(py, &backend, units, |on| match &checkpoint {
            None => on.extend(&mut state, goal.clone()),
            Some(file) => on.extend_saved(&mut state, goal.clone(), file, interval),
        });
        slf.borrow_mut().0 = state;
        done
    }

    /// Adds the samples of another state of the same seed, method and bits, which must have none in common.
    fn merge(slf: &Bound<'_, Self>, other: &Bound<'_, Self>) -> PyResult<()> {
        let _alone = Exclusive::new(slf)?;
        let other = other.borrow().0.clone();
        slf.borrow_mut().0.merge(&other).map_err(raise)
    }

    fn __repr__(&self) -> String {
        let (how, samples) = (self.0.problem(), self.0.samples());
        let settings = match how.method {
            unisono::PiMethod::Plain if how.coordinate_bits() == 16 => String::new(),
            method => format!(" method={method} bits={}", how.coordinate_bits()),
        };
        format!("<unisono.MonteCarloState seed={}{settings} samples={samples}>", how.seed)
    }
}

carried!(MonteCarloState, files);
