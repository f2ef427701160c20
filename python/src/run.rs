//! Running work with the GIL released, so that Python's other threads go on and Ctrl-C stops it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use pyo3::prelude::*;
use unisono::{Backend, Control, Error, Result};

use crate::error::raise;

/// Work of fewer units (multiply-adds, elements) runs on the calling thread: it ends before a signal could matter.
const SHORT: u64 = 1 << 20;

/// How often signals are looked at.
const TICK: Duration = Duration::from_millis(50);

/// Runs `work` without the GIL. Long work runs on a thread of its own while this one watches for signals; a signal whose
/// handler raises (Ctrl-C) cancels the work, and the handler's exception is raised once the work has ended.
pub(crate) fn run<T: Send>(
    py: Python<'_>,
    backend: &Backend,
    units: u64,
    work: impl FnOnce(&Backend) -> Result<T> + Send,
) -> PyResult<T> {
    let control = Control::new();
    let backend = backend.with_control(&control);
    let guarded =
        move || catch_unwind(AssertUnwindSafe(|| work(&backend))).unwrap_or_else(|panic| Err(Error::Panicked(message(&*panic))));
    if units < SHORT {
        return py.detach(guarded).map_err(raise);
    }
    py.detach(|| {
        std::thread::scope(|scope| {
            let (send, receive) = channel();
            let spawned = std::thread::Builder::new().name("unisono-python".into()).spawn_scoped(scope, move || {
                // The receiver waits for this message, so sending cannot fail.
                let _ = send.send(guarded());
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

/// The text of a panic.
fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}
