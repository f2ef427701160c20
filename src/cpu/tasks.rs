//! Tasks on the calling thread and an engine's helpers, or on the calling thread alone where handing the work over would
//! cost more than doing it.
//!
//! The caller begins with the first task at once; each helper takes, as soon as it comes (see [`gate`](super::gate)) and
//! whenever it has nothing left, half of what another one has not begun. So each goes through tasks next to each other, whose memory
//! is next to each other as a rule. Nothing here is generic, so that it is compiled once for all operations; and nothing asks for rayon's global pool,
//! whose threads a forked child has not got.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

use super::gate;
use crate::{Error, Result};

thread_local! {
    /// The crew that shares the work of this thread; none where it works alone.
    static CREW: RefCell<Option<Arc<Crew>>> = const { RefCell::new(None) };
}

/// The threads that share work: whoever calls, and helpers.
#[derive(Debug)]
pub(crate) struct Crew {
    threads: usize,
    helpers: Option<ThreadPool>,
}

impl Crew {
    /// A crew of so many threads, the calling one included.
    pub(crate) fn new(threads: usize) -> Result<Arc<Self>, ThreadPoolBuildError> {
        let builder = || ThreadPoolBuilder::new().num_threads(threads - 1).thread_name(|i| format!("unisono-cpu-{i}"));
        let helpers = if threads > 1 { Some(builder().build()?) } else { None };
        Ok(Arc::new(Self { threads: threads.max(1), helpers }))
    }

    /// Runs `work` on this thread; the crew helps with its tasks.
    pub(crate) fn install<T>(self: &Arc<Self>, work: impl FnOnce() -> T) -> T {
        with(Some(self.clone()), work)
    }
}

/// Runs `work` on this thread alone.
pub(crate) fn here<T>(work: impl FnOnce() -> T) -> T {
    with(None, work)
}

fn with<T>(crew: Option<Arc<Crew>>, work: impl FnOnce() -> T) -> T {
    struct Restore(Option<Arc<Crew>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CREW.set(self.0.take());
        }
    }
    let _restore = Restore(CREW.replace(crew));
    work()
}

/// How many threads share the current work.
pub(crate) fn threads() -> usize {
    CREW.with_borrow(|crew| crew.as_ref().map_or(1, |crew| crew.threads))
}

/// Runs tasks `0..count` on the current threads, `together` of them one after the other on the same. Of errors and panics that
/// of the first task is passed on, whatever the threads; tasks after it are left out as far as they have not begun.
pub(crate) fn for_each(count: usize, together: usize, task: &(dyn Fn(usize) -> Result<()> + Sync)) -> Result<()> {
    // Chunks are counted in 32 bits.
    let together = together.max(1).max(count.div_ceil(u32::MAX as usize));
    let chunks = count.div_ceil(together);
    let crew = if chunks > 1 { CREW.with_borrow(Clone::clone) } else { None };
    let Some((crew, pool)) = crew.as_ref().and_then(|crew| Some((crew, crew.helpers.as_ref()?))) else {
        return (0..count).try_for_each(task);
    };
    let helpers = (crew.threads - 1).min(chunks - 1);
    let share = |seat: usize| Share(AtomicU64::new(if seat == 0 { chunks as u64 } else { 0 }));
    let shares = (0..helpers + 1).map(share).collect();
    let (seat, failed) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
    let work = Work { count, together, task, shares, seat, failed, failure: Mutex::new(None) };
    gate::share(pool, helpers, &|| with(Some(crew.clone()), || work.take_part()));
    match work.failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        None => Ok(()),
        Some((_, Failure::Error(error))) => Err(error),
        Some((_, Failure::Panic(panic))) => resume_unwind(panic),
    }
}

/// Tasks, and how far they are.
struct Work<'a> {
    count: usize,
    together: usize,
    task: &'a (dyn Fn(usize) -> Result<()> + Sync),
    /// One for each that may take part; the first has all chunks of tasks at first.
    shares: Vec<Share>,
    /// The next share without an owner.
    seat: AtomicUsize,
    /// The first task known to have failed.
    failed: AtomicUsize,
    failure: Mutex<Option<(usize, Failure)>>,
}

/// Chunks that have not begun: the first in the upper half, the end in the lower one. Only its owner gives it new ones. On a
/// cache line of its own.
#[repr(align(64))]
struct Share(AtomicU64);

fn first(chunks: u64) -> u64 {
    chunks >> 32
}

fn end(chunks: u64) -> u64 {
    chunks & u64::from(u32::MAX)
}

fn left(chunks: u64) -> u64 {
    end(chunks).saturating_sub(first(chunks))
}

enum Failure {
    Error(Error),
    Panic(Box<dyn Any + Send>),
}

impl Work<'_> {
    /// Does tasks until none is left.
    fn take_part(&self) {
        let Some(own) = self.shares.get(self.seat.fetch_add(1, Ordering::Relaxed)) else { return };
        while let Some(chunk) = self.next(&own.0) {
            let begin = chunk as usize * self.together;
            for index in begin..self.count.min(begin.saturating_add(self.together)) {
                // Tasks before the failed one go on: one of them may fail too, and is then the first.
                if index > self.failed.load(Ordering::Relaxed) {
                    own.0.store(0, Ordering::Relaxed);
                    break;
                }
                match catch_unwind(AssertUnwindSafe(|| (self.task)(index))) {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => self.fail(index, Failure::Error(error)),
                    Err(panic) => self.fail(index, Failure::Panic(panic)),
                }
            }
        }
    }

    /// Takes the next chunk of one's own, or half of another's and its first; the other goes on in front.
    fn next(&self, own: &AtomicU64) -> Option<u64> {
        let one_less = |chunks: u64| (left(chunks) > 0).then_some(chunks + (1 << 32));
        if let Ok(chunks) = own.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less) {
            return Some(first(chunks));
        }
        loop {
            let all = self.shares.iter().map(|share| (&share.0, share.0.load(Ordering::Relaxed)));
            let (other, chunks) = all.max_by_key(|&(_, chunks)| left(chunks)).filter(|&(_, chunks)| left(chunks) > 0)?;
            let taken = first(chunks) + left(chunks) / 2;
            let kept = (first(chunks) << 32) | taken;
            if other.compare_exchange(chunks, kept, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                own.store(((taken + 1) << 32) | end(chunks), Ordering::Relaxed);
                return Some(taken);
            }
        }
    }

    fn fail(&self, index: usize, failure: Failure) {
        let mut first = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        if first.as_ref().is_none_or(|(known, _)| index < *known) {
            self.failed.store(index, Ordering::Relaxed);
            *first = Some((index, failure));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_runs_once() {
        for threads in [1, 2, 3, 8] {
            let crew = Crew::new(threads).unwrap();
            for (count, together) in [(0, 1), (1, 1), (2, 1), (100, 0), (100, 1), (100, 7), (100, 99), (100, 200)] {
                let done: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
                let task = |i: usize| {
                    done[i].fetch_add(1, Ordering::Relaxed);
                    Ok(())
                };
                crew.install(|| for_each(count, together, &task)).unwrap();
                here(|| for_each(count, together, &task)).unwrap();
                assert!(done.iter().all(|times| times.load(Ordering::Relaxed) == 2), "{threads} {count} {together}");
            }
        }
    }

    #[test]
    fn the_first_failure_is_passed_on_whatever_the_threads() {
        let crew = Crew::new(3).unwrap();
        for together in [1, 7, 200] {
            for _ in 0..50 {
                // Later failures come sooner.
                let failing = |i: usize| {
                    if i == 20 {
                        std::thread::sleep(std::time::Duration::from_micros(50));
                    }
                    if i >= 20 { Err(Error::invalid("task", i, "another")) } else { Ok(()) }
                };
                let got = crew.install(|| for_each(100, together, &failing)).unwrap_err();
                assert_eq!(got, Error::invalid("task", 20, "another"));
            }
        }
    }

    #[test]
    fn panics_reach_the_caller_and_the_crew_goes_on() {
        let crew = Crew::new(2).unwrap();
        for at in [0, 1, 50, 99] {
            let panicking = |i: usize| if i == at { panic!("task {i}") } else { Ok(()) };
            let panic = catch_unwind(AssertUnwindSafe(|| crew.install(|| for_each(100, 1, &panicking)))).unwrap_err();
            assert_eq!(panic.downcast_ref::<String>(), Some(&format!("task {at}")));
            assert_eq!(threads(), 1, "the crew is put down again");
        }
        crew.install(|| for_each(100, 1, &|_| Ok(()))).unwrap();
    }

    #[test]
    fn more_tasks_than_can_be_counted_end_with_the_first_error() {
        let crew = Crew::new(3).unwrap();
        let failing = |i: usize| if i < 1000 { Ok(()) } else { Err(Error::invalid("task", i, "another")) };
        for together in [1, usize::MAX / 2] {
            let got = crew.install(|| for_each(usize::MAX, together, &failing)).unwrap_err();
            assert_eq!(got, Error::invalid("task", 1000, "another"));
        }
    }

    #[test]
    fn tasks_of_tasks_and_several_callers_share_a_crew() {
        let crew = Crew::new(3).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let done = AtomicUsize::new(0);
                    let inner = |_: usize| {
                        done.fetch_add(1, Ordering::Relaxed);
                        Ok(())
                    };
                    let outer = |_: usize| {
                        assert_eq!(threads(), 3);
                        for_each(10, 1, &inner)
                    };
                    crew.install(|| for_each(20, 1, &outer)).unwrap();
                    assert_eq!(done.into_inner(), 200);
                });
            }
        });
    }

    #[test]
    fn work_done_here_has_one_thread() {
        let crew = Crew::new(3).unwrap();
        assert_eq!(crew.install(|| (threads(), here(threads), threads())), (3, 1, 3));
        assert_eq!(threads(), 1);
    }
}
