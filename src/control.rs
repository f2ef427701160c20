//! Progress and cancellation of running work.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

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
    watch: Option<Watch>,
}

/// A question asked now and then by the thread that made the line.
struct Watch {
    stop: Box<dyn Fn(Progress) -> bool + Send + Sync>,
    thread: ThreadId,
    every: Duration,
    begun: Instant,
    /// Nanoseconds after `begun` at which to ask again.
    next: AtomicU64,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("thread", &self.thread).field("every", &self.every).finish_non_exhaustive()
    }
}

impl Watch {
    /// Whether this is the thread and the time to ask.
    fn is_due(&self) -> bool {
        if std::thread::current().id() != self.thread {
            return false;
        }
        let now = self.begun.elapsed();
        let due = nanos(now) >= self.next.load(Ordering::Relaxed);
        if due {
            self.next.store(nanos(now.saturating_add(self.every)), Ordering::Relaxed);
        }
        due
    }
}

/// Nanoseconds, as many as there are numbers for: six centuries.
fn nanos(duration: Duration) -> u64 {
    duration.as_nanos().try_into().unwrap_or(u64::MAX)
}

impl Control {
    /// A line on which nothing was said yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A line on which the work itself says how far it is and asks whether to stop: at most once per `every`, and only on the
    /// thread that makes the line now, between slices of the work. Once `stop` returns true, the work is
    /// [cancelled](Self::cancel).
    ///
    /// For callers that may look for signals on one thread only, as in an interpreter: that thread need not stand beside the work
    /// to watch it. On the CPU the thread that calls takes part in the work and asks all along; other devices may not ask.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use unisono::{Backend, Control, Error};
    ///
    /// let begun = Instant::now();
    /// let control = Control::watched(Duration::from_millis(10), move |_| begun.elapsed() > Duration::from_millis(30));
    /// let result = Backend::cpu().with_control(&control).pi(1 << 50, 42);
    /// assert!(matches!(result, Err(Error::Cancelled { .. })));
    /// ```
    pub fn watched(every: Duration, stop: impl Fn(Progress) -> bool + Send + Sync + 'static) -> Self {
        let thread = std::thread::current().id();
        let next = AtomicU64::new(nanos(every));
        let watch = Watch { stop: Box::new(stop), thread, every, begun: Instant::now(), next };
        Self(Arc::new(State { watch: Some(watch), ..State::default() }))
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
        self.look();
        if self.is_cancelled() {
            let Progress { done, total } = self.progress();
            return Err(Error::Cancelled { done, total });
        }
        Ok(())
    }

    /// Asks along the line whether to stop.
    fn look(&self) {
        if let Some(parent) = &self.0.parent {
            parent.look();
        }
        if let Some(watch) = &self.0.watch
            && watch.is_due()
            && !self.0.cancelled.load(Ordering::Relaxed)
            && (watch.stop)(self.progress())
        {
            self.cancel();
        }
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

    #[test]
    fn a_line_that_asks_hardly_ever_does_not_ask_soon() {
        // 2^64 nanoseconds and a little: not 0 modulo 2^64.
        for every in [Duration::MAX, Duration::from_nanos(u64::MAX) + Duration::from_nanos(2)] {
            let control = Control::watched(every, |_| true);
            std::thread::sleep(Duration::from_millis(1));
            assert!(control.check().is_ok(), "{every:?}");
        }
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

    #[test]
    fn a_watched_line_asks_its_own_thread_no_more_often_than_it_should() {
        let asked = Arc::new(AtomicU64::new(0));
        let count = asked.clone();
        let control = Control::watched(Duration::from_millis(20), move |progress| {
            assert_eq!(progress, Progress { done: 3, total: 7 });
            count.fetch_add(1, Ordering::Relaxed) == 1
        });
        let child = control.limited(5).child();
        child.expect(7);
        child.advance(3);
        assert!(child.check().is_ok());
        std::thread::sleep(Duration::from_millis(25));
        std::thread::scope(|scope| scope.spawn(|| child.check()).join()).unwrap().unwrap();
        assert_eq!(asked.load(Ordering::Relaxed), 0, "neither too soon nor on another thread");
        assert!(child.check().is_ok());
        std::thread::sleep(Duration::from_millis(25));
        assert!(child.check().is_err() && control.is_cancelled());
        std::thread::sleep(Duration::from_millis(25));
        assert!(child.check().is_err());
        assert_eq!(asked.load(Ordering::Relaxed), 2, "what is cancelled asks no more");
    }
}
