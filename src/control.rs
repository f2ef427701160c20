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
    parent: Option<Control>,
    /// Whether progress stays here.
    quiet: bool,
    /// Whether announcements are passed over: somebody else made them.
    announced: bool,
    /// Bytes that the work may hold on each device, if it is told so here.
    memory: Option<u64>,
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
        self.0.cancelled.load(Ordering::Relaxed) || self.0.parent.as_ref().is_some_and(Self::is_cancelled)
    }

    /// How far the work is.
    pub fn progress(&self) -> Progress {
        let root = self.root();
        Progress { done: root.done.load(Ordering::Relaxed), total: root.total.load(Ordering::Relaxed) }
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
        if self.0.announced {
            return;
        }
        self.root().total.fetch_add(units, Ordering::Relaxed);
    }

    /// Reports work done.
    pub(crate) fn advance(&self, units: u64) {
        self.root().done.fetch_add(units, Ordering::Relaxed);
    }

    /// A line for a part of the work: it reports to this one and stops with it, and can be cancelled by itself.
    pub(crate) fn child(&self) -> Self {
        Self(Arc::new(State { parent: Some(self.clone()), ..State::default() }))
    }

    /// A line for work that may hold at most so many bytes on each device; otherwise as [`child`](Self::child).
    pub(crate) fn limited(&self, bytes: u64) -> Self {
        Self(Arc::new(State { parent: Some(self.clone()), memory: Some(bytes), ..State::default() }))
    }

    /// Bytes that the work may hold on each device: the least that is said along the line.
    pub(crate) fn memory_limit(&self) -> Option<u64> {
        let above = self.0.parent.as_ref().and_then(Self::memory_limit);
        [self.0.memory, above].into_iter().flatten().min()
    }

    /// A line for work that is reported otherwise: it stops with this one, and keeps its progress to itself.
    #[cfg(feature = "gpu")]
    pub(crate) fn quiet(&self) -> Self {
        Self(Arc::new(State { parent: Some(self.clone()), quiet: true, ..State::default() }))
    }

    /// A [`child`](Self::child) for work that was announced already.
    pub(crate) fn announced(&self) -> Self {
        Self(Arc::new(State { parent: Some(self.clone()), announced: true, ..State::default() }))
    }

    /// Where progress is kept.
    fn root(&self) -> &State {
        match &self.0.parent {
            Some(parent) if !self.0.quiet => parent.root(),
            _ => &self.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_reports_to_its_parent_and_stops_with_it_but_not_the_other_way() {
        let parent = Control::new();
        parent.expect(10);
        let (first, second) = (parent.child(), parent.child().child());
        first.advance(3);
        second.advance(4);
        assert_eq!(parent.progress(), Progress { done: 7, total: 10 });
        first.cancel();
        assert!(first.is_cancelled() && !parent.is_cancelled() && !second.is_cancelled());
        assert_eq!(first.check().unwrap_err(), Error::Cancelled { done: 7, total: 10 });
        parent.cancel();
        assert!(second.is_cancelled());
        let limited = parent.limited(100).child();
        assert_eq!(
            [&parent, &limited, &limited.limited(300), &limited.limited(30)].map(Control::memory_limit),
            [None, Some(100), Some(100), Some(30)]
        );
    }
    #[cfg(feature = "gpu")]
    #[test]
    fn a_quiet_child_keeps_its_progress_to_itself() {
        let parent = Control::new();
        let quiet = parent.quiet();
        quiet.child().advance(5);
        assert_eq!((parent.progress().done, quiet.progress().done), (0, 5));
        parent.cancel();
        assert!(quiet.is_cancelled());
    }
}
