//! Work in the background: the asynchronous form of every operation.

use std::any::Any;
use std::collections::VecDeque;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::fork::PerProcess;
use crate::{Control, Error, Progress, Result};

/// A handle on work that runs in the background: wait for it, watch it, cancel it, or await it.
///
/// Dropping the handle lets the work go on. The result is handed out once.
#[derive(Debug)]
pub struct Job<T> {
    shared: Arc<Shared<T>>,
    control: Control,
}

#[derive(Debug)]
struct Shared<T> {
    slot: Mutex<Slot<T>>,
    done: Condvar,
}

#[derive(Debug)]
struct Slot<T> {
    result: Option<Result<T>>,
    finished: bool,
    waker: Option<Waker>,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, Slot<T>> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Send + 'static> Job<T> {
    /// Starts `work` on a background thread.
    pub(crate) fn start(control: Control, work: impl FnOnce() -> Result<T> + Send + 'static) -> Self {
        let slot = Slot { result: None, finished: false, waker: None };
        let shared = Arc::new(Shared { slot: Mutex::new(slot), done: Condvar::new() });
        let theirs = shared.clone();
        run(Box::new(move || {
            let result = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(Error::Panicked(message(&*panic))));
            let mut slot = theirs.lock();
            slot.result = Some(result);
            slot.finished = true;
            let waker = slot.waker.take();
            drop(slot);
            theirs.done.notify_all();
            if let Some(waker) = waker {
                waker.wake();
            }
        }));
        Self { shared, control }
    }

    /// Waits for the result.
    ///
    /// # Errors
    /// Those of the work; [`Error::Cancelled`] after [`cancel`](Self::cancel); [`Error::Panicked`] if the work panicked;
    /// [`Error::Invalid`] if the result was taken before.
    pub fn wait(self) -> Result<T> {
        let mut slot = self.shared.lock();
        while !slot.finished {
            slot = self.shared.done.wait(slot).unwrap_or_else(PoisonError::into_inner);
        }
        take(&mut slot)
    }

    /// Waits for the result for at most `timeout`: `Ok(None)` if it is not there by then (the work goes on).
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_timeout(&self, timeout: Duration) -> Result<Option<T>> {
        // None: later than any time there is.
        let deadline = Instant::now().checked_add(timeout);
        let mut slot = self.shared.lock();
        while !slot.finished {
            let left = deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Ok(None);
            }
            slot = self.shared.done.wait_timeout(slot, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        take(&mut slot).map(Some)
    }

    /// Whether the work has ended.
    pub fn is_done(&self) -> bool {
        self.shared.lock().finished
    }

    /// How far the work is, in its own units.
    pub fn progress(&self) -> Progress {
        self.control.progress()
    }

    /// Asks the work to stop; [`wait`](Self::wait) then gives [`Error::Cancelled`] unless the work had just ended.
    pub fn cancel(&self) {
        self.control.cancel();
    }
}

fn take<T>(slot: &mut Slot<T>) -> Result<T> {
    slot.result
        .take()
        .unwrap_or_else(|| Err(Error::invalid("job", "a job whose result was taken", "a job that still has its result")))
}

impl<T: Send + 'static> Future for Job<T> {
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut slot = self.shared.lock();
        if slot.finished {
            return Poll::Ready(take(&mut slot));
        }
        slot.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

/// The text of a panic.
pub(crate) fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}

type Task = Box<dyn FnOnce() + Send>;

/// Threads that are kept for the next task. A task never waits for another: a thread is added when none is idle.
#[derive(Default)]
struct Threads {
    queue: Mutex<Queue>,
    ready: Condvar,
}

#[derive(Default)]
struct Queue {
    tasks: VecDeque<Task>,
    idle: usize,
}

static THREADS: PerProcess<Arc<Threads>> = PerProcess::new();

fn run(task: Task) {
    let threads = THREADS.get(Default::default);
    let mut queue = threads.queue.lock().unwrap_or_else(PoisonError::into_inner);
    queue.tasks.push_back(task);
    if queue.idle >= queue.tasks.len() {
        threads.ready.notify_one();
        return;
    }
    drop(queue);
    let theirs = threads.clone();
    let spawned = std::thread::Builder::new().name("unisono-job".into()).spawn(move || serve(&theirs));
    if spawned.is_err() {
        // No thread to be had: the caller does the work itself.
        let task = threads.queue.lock().unwrap_or_else(PoisonError::into_inner).tasks.pop_back();
        if let Some(task) = task {
            task();
        }
    }
}

fn serve(threads: &Threads) {
    let mut queue = threads.queue.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if let Some(task) = queue.tasks.pop_front() {
            drop(queue);
            task();
            queue = threads.queue.lock().unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        queue.idle += 1;
        let (next, timed_out) =
            threads.ready.wait_timeout(queue, Duration::from_secs(10)).unwrap_or_else(PoisonError::into_inner);
        queue = next;
        queue.idle -= 1;
        if timed_out.timed_out() && queue.tasks.is_empty() {
            return;
        }
    }
}
