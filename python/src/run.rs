//! Running work with the GIL released, so that Python's other threads go on and Ctrl-C stops it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pyo3::prelude::*;
use unisono::{Backend, Control, DeviceClass, Error, Result};

use crate::error::raise;

/// Work of fewer units (multiply-adds, elements) ends before a signal could matter.
const SHORT: u64 = 1 << 20;

/// How often signals are looked at.
const TICK: Duration = Duration::from_millis(50);

/// Runs `work` without the GIL. A signal whose handler raises (Ctrl-C) cancels long work, and the handler's exception is raised
/// once the work has ended.
pub(crate) fn run<T: Send>(
    py: Python<'_>,
    backend: &Backend,
    units: u64,
    work: impl FnOnce(&Backend) -> Result<T> + Send,
) -> PyResult<T> {
    if units < SHORT {
        let backend = backend.with_control(&Control::new());
        return py.detach(|| caught(work, &backend)).map_err(raise);
    }
    // On the CPU this thread takes part in the work: starting one more for it would cost some 50 µs.
    if backend.info().class == DeviceClass::Cpu { beside(py, backend, work) } else { watching(py, backend, work) }
}

/// Runs `work` on this thread, which looks for signals between its slices.
fn beside<T: Send>(py: Python<'_>, backend: &Backend, work: impl FnOnce(&Backend) -> Result<T> + Send) -> PyResult<T> {
    let raised = Arc::new(Mutex::new(None));
    let control = Control::watched(TICK, {
        let raised = raised.clone();
        move || {
            let found = Python::attach(|py| py.check_signals()).err();
            let stop = found.is_some();
            if let (true, Ok(mut raised)) = (stop, raised.lock()) {
                *raised = found;
            }
            stop
        }
    });
    let backend = backend.with_control(&control);
    let result = py.detach(|| caught(work, &backend));
    let raised = raised.lock().ok().and_then(|mut raised| raised.take());
    raised.map_or_else(|| result.map_err(raise), Err)
}

/// Runs `work` on a thread of its own while this one looks for signals.
fn watching<T: Send>(py: Python<'_>, backend: &Backend, work: impl FnOnce(&Backend) -> Result<T> + Send) -> PyResult<T> {
    let control = Control::new();
    let backend = backend.with_control(&control);
    py.detach(|| {
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
                        interrupted = Python::attach(|py| py.check_signals()).err();
                        if interrupted.is_some() {
                            control.cancel();
                        }
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                }
            }
        })
    })
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
