//! Running work with the GIL released, so that Python's other threads go on and Ctrl-C stops it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pyo3::prelude::*;
use unisono::{Backend, Control, DeviceClass, Error, Progress, Result};

use crate::device::{Opened, Report};
use crate::error::raise;

/// Work of fewer units (multiply-adds, elements) ends before a signal could matter.
const SHORT: u64 = 1 << 20;

/// How often signals are looked at, and progress is told.
const TICK: Duration = Duration::from_millis(50);

/// Runs `work` without the GIL. A signal whose handler raises (Ctrl-C), or a progress callable that does, cancels long work, and the
/// exception is raised once the work has ended.
pub(crate) fn run<T: Send>(
    py: Python<'_>,
    device: &Opened,
    units: u64,
    work: impl FnOnce(&Backend) -> Result<T> + Send,
) -> PyResult<T> {
    // On the CPU this thread takes part in the work: starting one more for it would cost some 50 µs.
    let on = match units < SHORT {
        true => blindly,
        false if device.info().class == DeviceClass::Cpu => beside,
        false => watching,
    };
    let (result, reached) = on(py, device, work)?;
    if let Some(report) = &device.report {
        let all = if reached == Progress::default() { units } else { reached.total.max(reached.done) };
        report.tell(py, Progress { done: all, total: all })?;
    }
    Ok(result)
}

/// Runs `work` on this thread, which looks for nothing.
fn blindly<T: Send, F: FnOnce(&Backend) -> Result<T> + Send>(
    py: Python<'_>,
    device: &Opened,
    work: F,
) -> PyResult<(T, Progress)> {
    let control = Control::new();
    let backend = device.with_control(&control);
    let result = py.detach(|| caught(work, &backend)).map_err(raise)?;
    Ok((result, control.progress()))
}

/// What a signal or the progress callable raises.
fn look(report: Option<&Report>, at: Progress) -> Option<PyErr> {
    Python::attach(|py| {
        py.check_signals()?;
        report.map_or(Ok(()), |report| report.tell(py, at))
    })
    .err()
}

/// Runs `work` on this thread, which looks for signals between its slices.
fn beside<T: Send, F: FnOnce(&Backend) -> Result<T> + Send>(py: Python<'_>, device: &Opened, work: F) -> PyResult<(T, Progress)> {
    let raised = Arc::new(Mutex::new(None));
    let control = Control::watched(TICK, {
        let (raised, report) = (raised.clone(), device.report.clone());
        move |at| {
            let found = look(report.as_ref(), at);
            let stop = found.is_some();
            if let (true, Ok(mut raised)) = (stop, raised.lock()) {
                *raised = found;
            }
            stop
        }
    });
    let backend = device.with_control(&control);
    let result = py.detach(|| caught(work, &backend));
    let raised = raised.lock().ok().and_then(|mut raised| raised.take());
    raised.map_or_else(|| result.map_err(raise), Err).map(|done| (done, control.progress()))
}

/// Runs `work` on a thread of its own while this one looks for signals.
fn watching<T: Send, F: FnOnce(&Backend) -> Result<T> + Send>(
    py: Python<'_>,
    device: &Opened,
    work: F,
) -> PyResult<(T, Progress)> {
    let control = Control::new();
    let (backend, report) = (device.with_control(&control), device.report.as_ref());
    let done = py.detach(|| {
        std::thread::scope(|scope| {
            let (send, receive) = channel();
            let spawned = std::thread::Builder::new().name("unisono-python".into()).spawn_scoped(scope, move || {
                // The receiver waits for this message, so sending cannot fail.
                let _ = send.send(caught(work, &backend));
            });
            if let Err(error) = spawned {
                return Err(raise(Error::Panicked(format!("no thread could be started: {error}"))));
            }
            let mut interrupted = None;
            loop {
                match receive.recv_timeout(TICK) {
                    Ok(result) => return interrupted.map_or_else(|| result.map_err(raise), Err),
                    Err(RecvTimeoutError::Disconnected) => return Err(raise(Error::Panicked("no result".into()))),
                    Err(RecvTimeoutError::Timeout) if interrupted.is_none() => {
                        interrupted = look(report, control.progress());
                        if interrupted.is_some() {
                            control.cancel();
                        }
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                }
            }
        })
    })?;
    Ok((done, control.progress()))
}

/// The result of `work`; a panic is an error.
fn caught<T>(work: impl FnOnce(&Backend) -> Result<T>, backend: &Backend) -> Result<T> {
    catch_unwind(AssertUnwindSafe(|| work(backend))).unwrap_or_else(|panic| Err(Error::Panicked(message(&*panic))))
}

/// The text of a panic.
fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}
