//! Running the parts of one piece of work on several devices at once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::array::{HostVec, Storage};
use crate::engine::Target;
use crate::view::ViewMut;
use crate::{Control, Dtype, Error, Result, job};

/// One device's part of the work. It gets a line of its own, cancelled when another part has failed.
pub(super) type Part<'a, T> = Box<dyn FnOnce(&Control) -> Result<T> + Send + 'a>;

/// Runs every part on a thread of its own and returns their results in order. If one fails the others are stopped.
///
/// # Errors
/// [`Error::Cancelled`] if `control` was; else the first error, in the order of the parts, that is not a consequence of
/// another.
pub(super) fn run_all<'a, T: Send>(mut parts: Vec<Part<'a, T>>, control: &Control) -> Result<Vec<T>> {
    let shared = control.child();
    let run = |part: Part<'a, T>| {
        let result =
            catch_unwind(AssertUnwindSafe(|| part(&shared))).unwrap_or_else(|panic| Err(Error::Panicked(job::message(&*panic))));
        if result.is_err() {
            shared.cancel();
        }
        result
    };
    let last = parts.pop();
    let results: Vec<Result<T>> = std::thread::scope(|scope| {
        let spawn = |(index, part): (usize, Part<'a, T>)| {
            // The part is handed over through a slot, so that it is still there if no thread can be had.
            let slot = Arc::new(std::sync::Mutex::new(Some(part)));
            let theirs = slot.clone();
            let take = |slot: &std::sync::Mutex<Option<_>>| slot.lock().ok().and_then(|mut part| part.take());
            let run = &run;
            let builder = std::thread::Builder::new().name(format!("unisono-member-{index}"));
            let missing = || Err(Error::Panicked("a part of the work was lost".into()));
            match builder.spawn_scoped(scope, move || take(&theirs).map_or_else(missing, run)) {
                Ok(handle) => Ok(handle),
                Err(_) => Err(take(&slot).map_or_else(missing, run)),
            }
        };
        let running: Vec<_> = parts.into_iter().enumerate().map(spawn).collect();
        let last = last.map(run);
        let join = |handle: std::thread::ScopedJoinHandle<'_, Result<T>>| {
            handle.join().unwrap_or_else(|panic| Err(Error::Panicked(job::message(&*panic))))
        };
        running.into_iter().map(|part| part.map_or_else(|done| done, join)).chain(last).collect()
    });
    let mut consequence = None;
    let mut values = Vec::with_capacity(results.len());
    for result in results {
        match result {
            Ok(value) => values.push(value),
            Err(Error::Cancelled { .. }) if !control.is_cancelled() => consequence = Some(()),
            Err(Error::Cancelled { .. }) => return Err(cancelled(control)),
            Err(error) => return Err(error),
        }
    }
    if consequence.is_some() { Err(cancelled(control)) } else { Ok(values) }
}

fn cancelled(control: &Control) -> Error {
    let progress = control.progress();
    Error::Cancelled { done: progress.done, total: progress.total }
}

/// Host memory that the parts write into: the caller's, or memory for a result.
pub(super) enum Memory<'a> {
    View(ViewMut<'a>),
    Own(HostVec),
}

impl<'a> Memory<'a> {
    /// The memory of `target`, or memory for `len` elements, that of the storage it brings if that fits and nobody else
    /// holds it.
    pub(super) fn of(target: Target<'a>, dtype: Dtype, len: usize) -> Result<Self> {
        Ok(match target {
            Target::Host(view) => Self::View(view),
            Target::Device(Some(Storage::Host(shared))) => match Arc::try_unwrap(shared) {
                Ok(vec) if vec.dtype() == dtype && vec.len() == len => Self::Own(vec),
                _ => Self::Own(HostVec::zeros(dtype, len)?),
            },
            Target::Device(_) => Self::Own(HostVec::zeros(dtype, len)?),
        })
    }

    /// A window on all of it.
    pub(super) fn view(&mut self, shape: &[usize]) -> ViewMut<'_> {
        match self {
            Self::View(view) => view.reborrow(),
            Self::Own(vec) => vec.view_mut(shape),
        }
    }

    /// What the engine returns.
    pub(super) fn done(self) -> Option<Storage> {
        match self {
            Self::View(_) => None,
            Self::Own(vec) => Some(Storage::Host(Arc::new(vec))),
        }
    }
}
