//! Long Monte Carlo runs: in slices whose results are kept, and saved so that a kill loses the last seconds at most.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::plan::MonteCarloState;
use crate::{Backend, Error, Result};

/// How long a slice should take: what a cancellation can lose.
const SLICE: f64 = 0.3;

impl Backend {
    /// Draws the samples of `range` that the state has not yet, in slices of about 0.3 s. When cancelled, or if the device
    /// fails, the state keeps the slices that were finished.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the range ends before it starts, [`Error::Cancelled`], and the failures of the device.
    pub fn extend(&self, state: &mut MonteCarloState, range: Range<u64>) -> Result<()> {
        self.extend_with(state, range, &mut |_| Ok(()))
    }

    /// [`extend`](Self::extend), saving the state to `file` every `interval` and at the end, however it ends. A file that is
    /// there is read first: its samples are not drawn again.
    ///
    /// The file is replaced in one step, so that a kill at any moment leaves a whole state.
    ///
    /// # Errors
    /// As [`extend`](Self::extend); [`Error::Invalid`] if the file is of another problem or has samples in common with the
    /// state; [`Error::Corrupt`] if it is damaged; [`Error::File`] if it cannot be read or written.
    pub fn extend_saved(&self, state: &mut MonteCarloState, range: Range<u64>, file: &Path, interval: Duration) -> Result<()> {
        if let Some(saved) = MonteCarloState::load_if_there(file)? {
            state.merge(&saved).map_err(|error| match error {
                Error::Invalid { what, got, expected } => {
                    Error::Invalid { what: format!("{}: {what}", file.display()), got, expected }
                }
                other => other,
            })?;
        }
        // Says now, not after hours, that the file cannot be written.
        state.save(file)?;
        let mut last = Instant::now();
        let done = self.extend_with(state, range, &mut |state| {
            if last.elapsed() < interval {
                return Ok(());
            }
            let saved = state.save(file);
            last = Instant::now();
            saved
        });
        let saved = state.save(file);
        done.and(saved)
    }

    fn extend_with(
        &self,
        state: &mut MonteCarloState,
        range: Range<u64>,
        after: &mut dyn FnMut(&MonteCarloState) -> Result<()>,
    ) -> Result<()> {
        if range.end < range.start {
            return Err(Error::invalid("sample range", format!("{range:?}"), "an end not before the start"));
        }
        let missing = state.missing(range);
        let control = self.control();
        control.expect(missing.iter().map(|range| range.end - range.start).sum());
        // The parts are announced once, together.
        let backend = self.with_control(&control.announced());
        let mut slice: u64 = 1 << 22;
        for Range { mut start, end } in missing {
            while start < end {
                let (began, next) = (Instant::now(), end.min(start.saturating_add(slice)));
                let part = backend.pi_range(start..next, state.seed())?;
                state.add(start..next, part.hits)?;
                after(state)?;
                start = next;
                // Towards slices of the wanted length, at most eight times the last: the first calls are not typical.
                let growth = SLICE / began.elapsed().as_secs_f64().max(1e-6);
                slice = ((slice as f64 * growth.clamp(0.125, 8.0)) as u64).clamp(1 << 16, 1 << 40) & !0xffff;
            }
        }
        Ok(())
    }
}

impl MonteCarloState {
    /// Writes the [byte form](Self::to_bytes) to a file, in one step: whoever reads it, and a kill or a loss of power at any
    /// moment, finds the old state or the new one.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn save(&self, file: &Path) -> Result<()> {
        let failed = |error: std::io::Error| file_error(file, &error);
        let (Some(name), folder) = (file.file_name(), folder_of(file)) else {
            return Err(Error::File { path: file.display().to_string(), reason: "it names no file".into() });
        };
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}.tmp", std::process::id()));
        let temporary = folder.join(hidden);
        let write = || {
            let mut out = File::create(&temporary)?;
            out.write_all(&self.to_bytes())?;
            out.sync_all()?;
            std::fs::rename(&temporary, file)
        };
        write().map_err(|error| {
            let _ = std::fs::remove_file(&temporary);
            failed(error)
        })?;
        // The new name lasts once its folder is on the disk; where a folder cannot be opened, the system takes care of it.
        if let Ok(folder) = File::open(&folder) {
            let _ = folder.sync_all();
        }
        Ok(())
    }

    /// Reads a file that [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be read, [`Error::Corrupt`] if it holds no state.
    pub fn load(file: &Path) -> Result<Self> {
        let bytes = std::fs::read(file).map_err(|error| file_error(file, &error))?;
        Self::from_bytes(&bytes).map_err(|error| match error {
            Error::Corrupt { what, reason } => Error::Corrupt { what: format!("{}: {what}", file.display()), reason },
            other => other,
        })
    }

    /// [`load`](Self::load), or `None` if there is no such file.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_if_there(file: &Path) -> Result<Option<Self>> {
        match file.symlink_metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            _ => Self::load(file).map(Some),
        }
    }
}

fn folder_of(file: &Path) -> PathBuf {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

fn file_error(file: &Path, error: &std::io::Error) -> Error {
    Error::File { path: file.display().to_string(), reason: error.to_string() }
}
