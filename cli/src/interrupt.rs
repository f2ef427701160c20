//! Ctrl-C: the first asks the work to stop, the second stops the process.

use std::sync::atomic::{AtomicBool, Ordering};

use unisono::Control;

use crate::failure::{Failure, Result};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on Ctrl-C cancels `control`.
pub fn cancels(control: &Control) -> Result<()> {
    let control = control.clone();
    ctrlc::set_handler(move || {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
        control.cancel();
    })
    .map_err(|error| Failure::work(format!("Ctrl-C cannot be watched: {error}")))
}

/// Whether Ctrl-C was pressed.
pub fn happened() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}
