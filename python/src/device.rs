//! Devices by their text: opened once per process, listed, described.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use unisono::{Backend, DeviceInfo, Progress};

use crate::error::raise;

/// The backends opened so far, by process and text. A forked child opens its own; its parent's stay here untouched,
/// because their threads do not exist in the child. Locked only while the GIL is held, so never across a fork.
static OPENED: Mutex<BTreeMap<(u32, String), Backend>> = Mutex::new(BTreeMap::new());

/// A device, opened.
#[derive(Clone)]
pub(crate) struct Opened {
    backend: Backend,
    /// Whom calls tell how far they are.
    pub(crate) report: Option<Report>,
}

impl Deref for Opened {
    type Target = Backend;

    fn deref(&self) -> &Backend {
        &self.backend
    }
}

impl Opened {
    /// The same for one call of several, in which so many units were done before and nobody knows how many there are.
    pub(crate) fn continued(&self, before: u64) -> Self {
        let report = self.report.as_ref().map(|report| Report { callable: report.callable.clone(), before: Some(before) });
        Self { backend: self.backend.clone(), report }
    }
}

/// A Python callable that is told how far a call is.
#[derive(Clone)]
pub(crate) struct Report {
    callable: Arc<Py<PyAny>>,
    before: Option<u64>,
}

impl Report {
    /// Calls it with the units done and those in all, 0 while that is not known.
    pub(crate) fn tell(&self, py: Python<'_>, Progress { done, total }: Progress) -> PyResult<()> {
        let (done, total) = self.before.map_or((done, total), |before| (before.saturating_add(done), 0));
        self.callable.call1(py, (done, total)).map(drop)
    }
}

/// The text of a device, or of the Python class `Backend`.
fn text(device: &Bound<'_, PyAny>) -> PyResult<String> {
    if let Ok(text) = device.extract() {
        return Ok(text);
    }
    let text = device.getattr_opt(intern!(device.py(), "device"))?.and_then(|text| text.extract().ok());
    text.map_or_else(
        || {
            let kind = device.get_type().name()?;
            Err(PyTypeError::new_err(format!("device: got {kind}, expected a device's text or a Backend")))
        },
        Ok,
    )
}

/// The backend that `device` names, with the memory limit and the progress that it has.
pub(crate) fn backend(device: &Bound<'_, PyAny>) -> PyResult<Opened> {
    let backend = opened(device)?;
    let report = match device.getattr_opt(intern!(device.py(), "progress"))? {
        Some(callable) if !callable.is_none() => Some(Report { callable: Arc::new(callable.unbind()), before: None }),
        _ => None,
    };
    let limit = match device.getattr_opt(intern!(device.py(), "memory_limit"))? {
        Some(limit) if !limit.is_none() => limit.extract::<u64>().ok(),
        _ => None,
    };
    let backend = limit.map_or_else(|| backend.clone(), |bytes| backend.with_memory_limit(bytes));
    Ok(Opened { backend, report })
}

/// The backend that `device` names, opened at its first use in this process.
fn opened(device: &Bound<'_, PyAny>) -> PyResult<Backend> {
    let (py, text) = (device.py(), text(device)?);
    let auto = text.trim().eq_ignore_ascii_case("auto");
    let name = match std::env::var("UNISONO_DEVICE") {
        Ok(variable) if auto => format!("auto, UNISONO_DEVICE={variable}"),
        _ => text.clone(),
    };
    let key = (std::process::id(), name);
    if let Some(backend) = OPENED.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
        return Ok(backend.clone());
    }
    let opened = py.detach(|| if auto { Backend::from_env() } else { text.parse() }).map_err(raise)?;
    Ok(OPENED.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_insert(opened).clone())
}

/// Opens a device, or raises why it cannot be opened. Returns its text.
#[pyfunction]
pub(crate) fn open(device: &Bound<'_, PyAny>) -> PyResult<String> {
    backend(device)?;
    text(device)
}

/// What is known about a device.
#[pyfunction]
pub(crate) fn info<'py>(py: Python<'py>, device: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    let backend = backend(device)?;
    describe(py, &py.detach(|| backend.info()))
}

/// What a device has done since this process opened it.
#[pyfunction]
pub(crate) fn counters<'py>(py: Python<'py>, device: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    let counters = backend(device)?.counters();
    let dict = PyDict::new(py);
    dict.set_item("operations", counters.operations)?;
    dict.set_item("work", counters.work)?;
    dict.set_item("dispatches", counters.dispatches)?;
    dict.set_item("uploaded", counters.uploaded)?;
    dict.set_item("downloaded", counters.downloaded)?;
    dict.set_item("peak", counters.peak)?;
    Ok(dict)
}

/// Every device of the machine, and whether `auto` would take it.
#[pyfunction]
pub(crate) fn devices(py: Python<'_>) -> PyResult<Vec<Bound<'_, PyDict>>> {
    let found = py.detach(unisono::devices);
    found
        .iter()
        .map(|device| {
            let dict = describe(py, &device.info)?;
            dict.set_item("auto", device.auto)?;
            dict.set_item("reason", &device.reason)?;
            Ok(dict)
        })
        .collect()
}

fn describe<'py>(py: Python<'py>, info: &DeviceInfo) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("id", &info.id)?;
    dict.set_item("name", &info.name)?;
    dict.set_item("kind", info.class.to_string())?;
    dict.set_item("backend", &info.backend)?;
    dict.set_item("driver", &info.driver)?;
    dict.set_item("pci", &info.pci)?;
    dict.set_item("threads", info.threads)?;
    dict.set_item("max_buffer", info.max_buffer)?;
    dict.set_item("max_binding", info.max_binding)?;
    dict.set_item("workgroup_memory", info.workgroup_memory)?;
    dict.set_item("workgroup_invocations", info.workgroup_invocations)?;
    dict.set_item("f64", info.f64)?;
    dict.set_item("int64", info.int64)?;
    dict.set_item("warnings", &info.warnings)?;
    Ok(dict)
}
