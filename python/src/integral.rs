//! Integrals: the call, its result, and `IntegralState`, what a run has done so far.

use std::path::PathBuf;

use numpy::PyArrayDescr;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use unisono::Integrate;

use crate::arguments::{end, round, samples, seconds, seed, start};
use crate::array::dtype_of;
use crate::carried::carried;
use crate::error::{invalid, raise};
use crate::exclusive::Exclusive;
use crate::{device, run};

/// An estimate of an integral: the volume of the box times the mean of the integrand over random points.
///
/// It knows its samples: estimates from others of the same problem merge exactly. Picklable.
///
/// Examples
/// --------
/// >>> first, second = [unisono.integrate("exp(-x*x)", {"x": (0, 1)}, 1000, start=n) for n in (0, 1000)]
/// >>> first.merge(second) == unisono.integrate("exp(-x*x)", {"x": (0, 1)}, 2000)
/// True
/// >>> first.merge(first)
/// Traceback (most recent call last):
/// ...
/// ValueError: state of an integral to merge: got samples 0 to below 1000, which this state has already, expected samples that this state has not
#[pyclass(module = "unisono", frozen, eq)]
pub(crate) struct Integral {
    read: unisono::Integral,
    state: unisono::IntegralState,
}

impl PartialEq for Integral {
    fn eq(&self, other: &Self) -> bool {
        self.read == other.read
    }
}

impl Integral {
    /// What a state says.
    fn of(state: unisono::IntegralState, converged: bool) -> Self {
        let read = unisono::Integral { converged, ..state.integral() };
        Self { read, state }
    }
}

#[pymethods]
impl Integral {
    /// The estimate.
    #[getter]
    fn estimate(&self) -> f64 {
        self.read.estimate
    }

    /// The estimate's standard error.
    #[getter]
    fn standard_error(&self) -> f64 {
        self.read.standard_error
    }

    /// Samples drawn.
    #[getter]
    fn samples(&self) -> u64 {
        self.read.samples
    }

    /// Whether the target error was reached (:func:`integrate`); true where none was set.
    #[getter]
    fn converged(&self) -> bool {
        self.read.converged
    }

    /// Of importance sampling, how far the rounds' estimates lie apart: χ² per degree of freedom, about 1 if they agree. None
    /// otherwise.
    #[getter]
    fn chi2_per_dof(&self) -> Option<f64> {
        self.read.chi2_per_dof
    }

    /// With ``method="sobol"``, the independent estimates whose spread is the error. Empty otherwise.
    #[getter]
    fn replicates(&self) -> Vec<f64> {
        self.read.replicates.clone()
    }

    /// The volume of the box.
    #[getter]
    fn volume(&self) -> f64 {
        self.read.volume
    }

    /// The interval that holds the integral with this probability, by the central limit theorem; with ``method="sobol"``
    /// Student's, with 31 degrees of freedom.
    #[pyo3(signature = (confidence=0.95))]
    fn interval(&self, confidence: f64) -> PyResult<(f64, f64)> {
        let interval = self.read.interval(confidence).map_err(raise)?;
        Ok((interval.start, interval.end))
    }

    /// The estimate from the samples of both, which must be of one problem and have none in common. An :class:`IntegralState`
    /// can be extended, too.
    fn merge(&self, other: &Self) -> PyResult<Self> {
        let mut state = self.state.clone();
        state.merge(&other.state).map_err(raise)?;
        Ok(Self::of(state, self.read.converged && other.read.converged))
    }

    #[staticmethod]
    fn _of(state: PyRef<'_, IntegralState>, converged: bool) -> Self {
        Self::of(state.0.clone(), converged)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (IntegralState, bool))> {
        let Self { read, state } = slf.get();
        Ok((slf.get_type().getattr(intern!(slf.py(), "_of"))?, (IntegralState(state.clone()), read.converged)))
    }

    fn __float__(&self) -> f64 {
        self.read.estimate
    }

    fn __repr__(&self) -> String {
        let unisono::Integral { estimate, standard_error, samples, converged, .. } = &self.read;
        let missed = if *converged { "" } else { ", converged=False" };
        format!("Integral(estimate={estimate:?}, standard_error={standard_error:.2e}, samples={samples}{missed})")
    }
}

/// An integrand in WGSL, the language of shaders, for :func:`integrate` and :class:`IntegralState` on GPUs, in float32.
///
/// The text has a function ``integrand`` of as many ``f32`` as there are coordinates, in the order of ``bounds``, which gives one,
/// and whatever else that needs. Parameters are variables of their names in it. Values are the device's own floats, whose bits and
/// errors differ from device to device; points and sums are those of any integral.
///
/// Examples
/// --------
/// >>> text = "fn integrand(x: f32, y: f32) -> f32 { return exp(-s*(x*x + y*y)); }"
/// >>> unisono.Wgsl(text).text == text
/// True
/// >>> # unisono.integrate(unisono.Wgsl(text), {"x": (0, 1), "y": (0, 1)}, params={"s": 2}, device="gpu")
#[pyclass(module = "unisono", frozen, eq, hash)]
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Wgsl(String);

#[pymethods]
impl Wgsl {
    #[new]
    fn new(text: String) -> Self {
        Self(text)
    }

    /// The text.
    #[getter]
    fn text(&self) -> &str {
        &self.0
    }

    fn __repr__(&self) -> String {
        format!("Wgsl({:?})", self.0)
    }

    fn __getnewargs__(&self) -> (&str,) {
        (&self.0,)
    }
}

/// What is integrated.
#[derive(FromPyObject)]
pub(crate) enum Integrand {
    #[pyo3(transparent)]
    Expression(String),
    #[pyo3(transparent)]
    Wgsl(Py<Wgsl>),
}

/// Integrates over a box: samples from `start` on, or to a target error if one is not 0.
#[pyfunction]
#[expect(clippy::too_many_arguments)]
pub(crate) fn integrate(
    py: Python<'_>,
    expr: Integrand,
    bounds: Vec<(String, f64, f64)>,
    params: Vec<(String, f64)>,
    #[pyo3(from_py_with = samples)] samples: u64,
    #[pyo3(from_py_with = start)] start: u64,
    #[pyo3(from_py_with = seed)] seed: u64,
    errors: (f64, f64),
    #[pyo3(from_py_with = round)] round: Option<u64>,
    dtype: &Bound<'_, PyArrayDescr>,
    method: &str,
    device: &Bound<'_, PyAny>,
) -> PyResult<Integral> {
    let (absolute, relative) = errors;
    let how = problem(&expr, &bounds, &params, seed, dtype, method, round)?;
    let how = how.samples(samples).absolute_error(absolute).relative_error(relative);
    let backend = device::backend(device)?;
    if start > 0 && (absolute != 0.0 || relative != 0.0) {
        return Err(invalid("start", start, "0 where a target error is set"));
    }
    if start > 0 && method == "vegas" {
        return Err(invalid("start", start, "0 with vegas, whose rounds go by those before: an IntegralState shares them"));
    }
    let mut state = unisono::IntegralState::new(&how).map_err(raise)?;
    let converged = match start {
        0 => run::run(py, &backend, samples, |on| on.integrate_into(&how, &mut state))?.converged,
        _ => {
            let end = start.checked_add(samples).filter(|_| samples > 0);
            let end = end.ok_or_else(|| invalid("samples", samples, "at least 1, ending at most at sample 2^64 - 1"))?;
            run::run(py, &backend, samples, |on| on.extend_integral(&mut state, start..end))?;
            true
        }
    };
    Ok(Integral::of(state, converged))
}

/// An integral without a number of samples.
fn problem(
    expr: &Integrand,
    bounds: &[(String, f64, f64)],
    params: &[(String, f64)],
    seed: u64,
    dtype: &Bound<'_, PyArrayDescr>,
    method: &str,
    round: Option<u64>,
) -> PyResult<Integrate> {
    let bounds: Vec<_> = bounds.iter().map(|(name, from, to)| (name.as_str(), *from, *to)).collect();
    let how = match expr {
        Integrand::Expression(text) => Integrate::new(text, &bounds).map_err(raise)?,
        Integrand::Wgsl(integrand) => Integrate::wgsl(&integrand.get().0, &bounds),
    };
    let how = how.seed(seed).dtype(dtype_of("dtype", dtype)?);
    let how = how.method(method.parse().map_err(raise)?);
    let how = params.iter().fold(how, |how, (name, value)| how.param(name, *value));
    Ok(match round {
        Some(round) => how.round(round),
        None => how,
    })
}

/// The samples that an integral has drawn, and their exact sums: extended, merged, saved and resumed. Picklable.
///
/// A new one has no sample yet of the problem that :func:`integrate` describes with the same arguments.
///
/// Samples are addressed by index and sums are exact, so that a run may be stopped and go on, on another device or machine, and
/// several may share the work: the merged state is that of one run over the same samples. With ``method="vegas"`` they may share
/// each round.
///
/// Examples
/// --------
/// >>> here, there = [unisono.IntegralState("exp(-x*x)", {"x": (0, 1)}, seed=42) for _ in range(2)]
/// >>> here.extend(60_000)
/// >>> there.extend(100_000, start=60_000)
/// >>> here.merge(there)
/// >>> here.ranges, here.integral() == unisono.integrate("exp(-x*x)", {"x": (0, 1)}, 100_000, seed=42)
/// ([(0, 100000)], True)
/// >>> here.merge(there)
/// Traceback (most recent call last):
/// ...
/// ValueError: state of an integral to merge: got samples 60000 to below 100000, which this state has already, expected samples that this state has not
#[pyclass(module = "unisono", eq)]
#[derive(Clone, PartialEq)]
pub(crate) struct IntegralState(unisono::IntegralState);

#[pymethods]
impl IntegralState {
    /// No sample yet.
    #[new]
    #[pyo3(signature = (expr, bounds, *, seed = 0, params = None, dtype = None, method = "plain", round = None))]
    #[expect(clippy::too_many_arguments)]
    fn new(
        py: Python<'_>,
        expr: Integrand,
        bounds: &Bound<'_, PyDict>,
        #[pyo3(from_py_with = seed)] seed: u64,
        params: Option<&Bound<'_, PyDict>>,
        dtype: Option<&Bound<'_, PyAny>>,
        method: &str,
        #[pyo3(from_py_with = round)] round: Option<u64>,
    ) -> PyResult<Self> {
        let bounds = bounds.iter().map(|(name, ends)| {
            let (from, to): (f64, f64) = ends.extract()?;
            Ok((name.extract()?, from, to))
        });
        let params = params.into_iter().flatten().map(|(name, value)| Ok((name.extract()?, value.extract()?)));
        let (bounds, params): (Vec<_>, Vec<_>) = (bounds.collect::<PyResult<_>>()?, params.collect::<PyResult<_>>()?);
        let dtype = match dtype {
            Some(dtype) => PyArrayDescr::new(py, dtype)?,
            None => PyArrayDescr::new(py, "float32")?,
        };
        let how = problem(&expr, &bounds, &params, seed, &dtype, method, round)?;
        unisono::IntegralState::new(&how).map(Self).map_err(raise)
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

    /// What the samples say, an :class:`Integral`; with ``method="vegas"``, those of whole rounds.
    fn integral(&self) -> Integral {
        Integral::of(self.0.clone(), true)
    }

    /// Draws the samples of ``range(start, end)`` that were not drawn yet, on ``device``. Ctrl-C keeps what was done.
    #[pyo3(signature = (end, start = 0, device = None))]
    fn extend(
        slf: &Bound<'_, Self>,
        #[pyo3(from_py_with = end)] end: u64,
        #[pyo3(from_py_with = start)] start: u64,
        device: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let py = slf.py();
        let backend = device::backend(device.unwrap_or(intern!(py, "auto").as_any()))?;
        let _alone = Exclusive::new(slf)?;
        let mut state = slf.borrow().0.clone();
        let done = run::run(py, &backend, end.saturating_sub(start), |on| on.extend_integral(&mut state, start..end));
        slf.borrow_mut().0 = state;
        done
    }

    /// Draws what :func:`integrate` with these arguments asks for and is not there yet, and returns the :class:`Integral`.
    ///
    /// With ``checkpoint``, the name of a file, what that file holds is taken first, and the state is written to it every
    /// ``interval`` seconds and at the end (``math.inf``: only at the end). Ctrl-C keeps what was done, here and in the file.
    #[pyo3(signature = (samples, *, absolute_error = 0.0, relative_error = 0.0, device = None, checkpoint = None, interval = 10.0))]
    fn integrate(
        slf: &Bound<'_, Self>,
        #[pyo3(from_py_with = samples)] samples: u64,
        absolute_error: f64,
        relative_error: f64,
        device: Option<&Bound<'_, PyAny>>,
        checkpoint: Option<PathBuf>,
        interval: f64,
    ) -> PyResult<Integral> {
        let py = slf.py();
        let interval = seconds("interval", interval)?;
        let backend = device::backend(device.unwrap_or(intern!(py, "auto").as_any()))?;
        let _alone = Exclusive::new(slf)?;
        let mut state = slf.borrow().0.clone();
        let how = state.problem().clone().samples(samples).absolute_error(absolute_error).relative_error(relative_error);
        let done = run::run(py, &backend, samples, |on| match &checkpoint {
            None => on.integrate_into(&how, &mut state),
            Some(file) => on.integrate_saved(&how, &mut state, file, interval),
        });
        slf.borrow_mut().0 = state.clone();
        Ok(Integral::of(state, done?.converged))
    }

    /// Adds the samples of another state of the same problem, which must have none in common.
    fn merge(slf: &Bound<'_, Self>, other: &Bound<'_, Self>) -> PyResult<()> {
        let _alone = Exclusive::new(slf)?;
        let other = other.borrow().0.clone();
        slf.borrow_mut().0.merge(&other).map_err(raise)
    }

    fn __repr__(&self) -> String {
        format!("<unisono.IntegralState of {:?} samples={}>", self.0.problem().expression().text(), self.0.samples())
    }
}

carried!(IntegralState, files);
