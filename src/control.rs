//! Progress and cancellation of running work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::{Error, Result};

/// How far a piece of work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Units done: multiply-adds, elements, samples.
    pub done: u64,
    /// Units in all, 0 if not known yet.
    pub total: u64,
}

impl Progress {
    /// The share done, in `0..=1`; 0 while the total is not known.
    pub fn fraction(&self) -> f64 {
        if self.total == 0 { 0.0 } else { (self.done as f64 / self.total as f64).min(1.0) }
    }
}

/// The line to work in progress: engines report to it and stop when told. Clones share one state.
#[derive(Debug, Clone, Default)]
pub struct Control(Arc<State>);

#[derive(Debug, Default)]
struct State {
    cancelled: AtomicBool,
    done: AtomicU64,
    total: AtomicU64,
}

impl Control {
    /// A line on which nothing was said yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the work to stop: it ends with [`Error::Cancelled`] within about a tenth of a second.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether the work was asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::Relaxed)
    }

    /// How far the work is.
    pub fn progress(&self) -> Progress {
        Progress { done: self.0.done.load(Ordering::Relaxed), total: self.0.total.load(Ordering::Relaxed) }
    }

    /// Fails if the work was asked to stop. Engines call it between slices.
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_cancelled() {
            let Progress { done, total } = self.progress();
            return Err(Error::Cancelled { done, total });
        }
        Ok(())
    }

    /// Announces work to come.
    pub(crate) fn expect(&self, units: u64) {
        self.0.total.fetch_add(units, Ordering::Relaxed);
    }

    /// Reports work done.
    pub(crate) fn advance(&self, units: u64) {
        self.0.done.fetch_add(units, Ordering::Relaxed);
    }
}
