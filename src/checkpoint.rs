//! Long Monte Carlo runs: in slices whose results are kept, and saved so that a kill loses the last seconds at most.

use std::fs::{File, Metadata};
use std::io::{ErrorKind, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::plan::{MonteCarloPlan, MonteCarloState};
use crate::{Backend, Error, Result};

/// How long a slice should take: what a cancellation can lose.
const SLICE: f64 = 0.3;
/// Samples of the first slice.
const FIRST: u64 = 1 << 22;

/// What a run works towards.
#[derive(Debug, Clone, PartialEq)]
pub enum Goal {
    /// Having drawn these samples.
    Samples(Range<u64>),
    /// A standard error of at most this. The run draws samples `0 ..` and stops at the first multiple of
    /// [`MonteCarlo::round_for`](crate::MonteCarlo::round_for), of Sobol's method the first power of two from it on, at which it
    /// got there: a place that depends on the problem and the error only, not on devices, on interruptions or on time.
    StandardError(f64),
}

impl From<Range<u64>> for Goal {
    fn from(samples: Range<u64>) -> Self {
        Self::Samples(samples)
    }
}

impl Backend {
    /// Draws the samples that the state needs to reach its goal and has not yet, in slices of about 0.3 s. When cancelled, or
    /// if the device fails, the state keeps the slices that were finished.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a range ends before it starts or starts inside a pass, or a standard error is below the bias,
    /// [`Error::Cancelled`], and the failures of the device.
    ///
    /// ```
    /// use unisono::{Backend, Goal, MonteCarloState};
    /// # fn main() -> unisono::Result<()> {
    /// let mut state = MonteCarloState::pi(42);
    /// Backend::cpu().extend(&mut state, Goal::StandardError(1e-3))?;
    /// assert!(state.estimate().standard_error <= 1e-3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn extend(&self, state: &mut MonteCarloState, goal: impl Into<Goal>) -> Result<()> {
        self.reach(state, &goal.into(), &mut |_| Ok(()))
    }

    /// [`extend`](Self::extend), saving the state to `file` every `interval` and at the end, however it ends. A file that is
    /// there is read first: its samples are not drawn again.
    ///
    /// The file is replaced in one step, so that a kill at any moment leaves a whole state.
    ///
    /// # Errors
    /// As [`extend`](Self::extend); [`Error::Invalid`] if the file is of another problem, or if neither it nor the state has all
    /// samples that they have in common and others besides; [`Error::Corrupt`] if it is damaged; [`Error::File`] if it cannot be read or written.
    pub fn extend_saved(
        &self,
        state: &mut MonteCarloState,
        goal: impl Into<Goal>,
        file: &Path,
        interval: Duration,
    ) -> Result<()> {
        if let Some(saved) = MonteCarloState::load_if_there(file)? {
            state.join(&saved).map_err(|error| in_file(file, error))?;
        }
        // Says now, not after hours, that the file cannot be written.
        state.save(file)?;
        let mut last = Instant::now();
        let done = self.reach(state, &goal.into(), &mut |state| {
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

    fn reach(&self, state: &mut MonteCarloState, goal: &Goal, after: &mut After<'_>) -> Result<()> {
        let error = match goal {
            Goal::Samples(range) => {
                let range = MonteCarloPlan::new(state.problem(), range.clone())?.samples;
                self.announce(state, range.clone());
                return self.draw(state, range, &mut { FIRST }, after);
            }
            Goal::StandardError(error) => *error,
        };
        let how = *state.problem();
        let round = how.round_for(error)?;
        let beyond = || Error::invalid("standard error", error, "one that 2^64 samples reach");
        // A state may end inside a round; it is looked at where a run without interruption would.
        let first = state.prefix();
        let mut end = how.next_look(round, first).ok_or_else(beyond)?;
        // Most of what it will probably take; the rest is announced as it comes.
        let mut announced = end;
        if !state.estimate().is_within(error) {
            announced = announced.max(how.next_look(round, how.samples_for(error)).unwrap_or(end));
        }
        self.announce(state, 0..announced);
        let mut slice = FIRST;
        loop {
            if end > announced {
                self.announce(state, announced..end);
                announced = end;
            }
            self.draw(state, 0..end, &mut slice, after)?;
            if state.estimate().is_within(error) {
                return Ok(());
            }
            end = how.next_look(round, end.saturating_add(1)).ok_or_else(beyond)?;
        }
    }

    /// Announces the samples of a range that are missing.
    fn announce(&self, state: &MonteCarloState, range: Range<u64>) {
        self.control().expect(state.missing(range).iter().map(|range| range.end - range.start).sum());
    }

    /// Draws what is missing of a range that was announced.
    fn draw(&self, state: &mut MonteCarloState, range: Range<u64>, slice: &mut u64, after: &mut After<'_>) -> Result<()> {
        let backend = self.with_control(&self.control().announced());
        for Range { mut start, end } in state.missing(range) {
            while start < end {
                let (began, next) = (Instant::now(), end.min(start.saturating_add(*slice)));
                let part = backend.monte_carlo(state.problem(), start..next)?;
                state.add(start..next, part.tally())?;
                after(state)?;
                start = next;
                // Towards slices of the wanted length, at most eight times the last: the first calls are not typical.
                let growth = SLICE / began.elapsed().as_secs_f64().max(1e-6);
                *slice = ((*slice as f64 * growth.clamp(0.125, 8.0)) as u64).clamp(1 << 16, 1 << 40) & !0xffff;
            }
        }
        Ok(())
    }
}

/// What is done after every slice.
type After<'a> = dyn FnMut(&MonteCarloState) -> Result<()> + 'a;

impl MonteCarloState {
    /// Writes the [byte form](Self::to_bytes) to a file, in one step: whoever reads it, and a kill or a loss of power at any
    /// moment, finds the old state or the new one.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn save(&self, file: &Path) -> Result<()> {
        write_in_one_step(file, &self.to_bytes())
    }

    /// Reads a file that [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be read, [`Error::Corrupt`] if it holds no state.
    pub fn load(file: &Path) -> Result<Self> {
        read(file, Self::from_bytes)
    }

    /// [`load`](Self::load), or `None` if there is no such file.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_if_there(file: &Path) -> Result<Option<Self>> {
        read_if_there(file, Self::from_bytes)
    }
}

/// Writes bytes to a file in one step: whoever reads it, and a kill or a loss of power at any moment, finds the old content or
/// the new one. Links are followed; what is no file, as a pipe, is not replaced.
pub(crate) fn write_in_one_step(file: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |error: std::io::Error| file_error(file, &error);
    let target = resolved(file);
    let (Some(name), folder) = (target.file_name(), folder_of(&target)) else {
        return Err(Error::File { path: format!("{file:?}"), reason: "it names no file".into(), code: None });
    };
    if let Ok(found) = target.metadata() {
        expect_file(file, &found)?;
    }
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.tmp", std::process::id()));
    let temporary = folder.join(hidden);
    let write = || {
        let mut out = File::create(&temporary)?;
        out.write_all(bytes)?;
        out.sync_all()?;
        std::fs::rename(&temporary, &target)
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

/// What a file's bytes say.
pub(crate) fn read<T>(file: &Path, from_bytes: impl Fn(&[u8]) -> Result<T>) -> Result<T> {
    let failed = |error: std::io::Error| file_error(file, &error);
    expect_file(file, &file.metadata().map_err(failed)?)?;
    let bytes = std::fs::read(file).map_err(failed)?;
    from_bytes(&bytes).map_err(|error| in_file(file, error))
}

/// [`read`], or `None` if there is no such file.
pub(crate) fn read_if_there<T>(file: &Path, from_bytes: impl Fn(&[u8]) -> Result<T>) -> Result<Option<T>> {
    match file.metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        _ => read(file, from_bytes).map(Some),
    }
}

/// The error with the name of the file that it is about.
pub(crate) fn in_file(file: &Path, error: Error) -> Error {
    let named = |what: String| format!("{}: {what}", file.display());
    match error {
        Error::Invalid { what, got, expected } => Error::Invalid { what: named(what), got, expected },
        Error::Corrupt { what, reason } => Error::Corrupt { what: named(what), reason },
        other => other,
    }
}

/// The file that a name stands for: links followed, to one that is not there yet too.
fn resolved(file: &Path) -> PathBuf {
    let mut path = file.to_path_buf();
    // As many as Linux follows.
    for _ in 0..40 {
        let Ok(next) = std::fs::read_link(&path) else { break };
        path = folder_of(&path).join(next);
    }
    path
}

/// Fails for pipes and devices, which may have no end, and for folders.
fn expect_file(file: &Path, found: &Metadata) -> Result<()> {
    let reason = match found.is_dir() {
        _ if found.is_file() => return Ok(()),
        true => "it is a folder",
        false => "it is a pipe or a device",
    };
    Err(Error::File { path: file.display().to_string(), reason: reason.into(), code: None })
}

fn folder_of(file: &Path) -> PathBuf {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

fn file_error(file: &Path, error: &std::io::Error) -> Error {
    Error::File { path: file.display().to_string(), reason: error.to_string(), code: error.raw_os_error() }
}
