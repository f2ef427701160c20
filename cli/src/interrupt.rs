//! Ctrl-C: the first asks the work to stop, a later one stops the process.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use unisono::Control;

use crate::failure::{Failure, Result};

static INTERRUPTED: OnceLock<Instant> = OnceLock::new();

/// `timeout -s INT`, and wrappers like it, send one interrupt twice: to the process, then to its group.
const SAME: Duration = Duration::from_millis(300);

/// From now on Ctrl-C cancels `control`.
pub fn cancels(control: &Control) -> Result<()> {
    let control = control.clone();
    ctrlc::set_handler(move || {
        control.cancel();
        if INTERRUPTED.get_or_init(Instant::now).elapsed() > SAME {
            std::process::exit(130);
        }
    })
    .map_err(|error| Failure::work(format!("Ctrl-C cannot be watched: {error}")))
}

/// Whether Ctrl-C was pressed.
pub fn happened() -> bool {
    INTERRUPTED.get().is_some()
}
