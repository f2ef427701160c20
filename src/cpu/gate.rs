//! Work shared between the calling thread and helpers that may come late.
//!
//! The caller begins at once and ends without helpers that have not begun: waking a thread takes some tens of microseconds,
//! and longer where the system puts it behind another one. So a helper that comes late must find out that the work is over
//! without looking at it, for the work is borrowed from the caller's stack. Between them stands a [`Gate`] that both own:
//! helpers enter while it is open; the caller shuts it when nothing is left to take and waits for those inside.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Thread;

use rayon::ThreadPool;

use super::place;

/// The gate is shut. The other bits count the helpers inside.
const SHUT: usize = 1 << (usize::BITS - 1);

/// How often the caller looks for the last helpers before it sleeps: about as long as it takes to wake a thread.
const LOOKS: usize = 1000;

/// Runs `part` on this thread, and meanwhile on `helpers` threads of the pool as far as they come in time. Returns when all
/// that have begun are done. `part` must not panic, and do nothing if there is nothing left to do.
pub(super) fn share(pool: &ThreadPool, helpers: usize, part: &(dyn Fn() + Sync)) {
    // SAFETY: only the lifetime changes. Helpers call `part` inside the gate, and `Shut` ends this borrow only when it is shut
    // and nobody is inside, on unwinding too.
    let part = unsafe { std::mem::transmute::<&(dyn Fn() + Sync), &'static (dyn Fn() + Sync)>(part) };
    let gate = Arc::new(Gate { state: AtomicUsize::new(0), part, caller: std::thread::current(), processor: place::processor() });
    let shut = Shut(&gate);
    for _ in 0..helpers {
        let gate = gate.clone();
        pool.spawn(move || gate.help());
    }
    part();
    drop(shut);
}

struct Gate {
    state: AtomicUsize,
    /// Points to what may be gone once the gate is shut.
    part: *const (dyn Fn() + Sync),
    caller: Thread,
    /// Where the caller runs.
    processor: Option<usize>,
}

// SAFETY: `part` may be called from any thread, and is called only inside the gate.
unsafe impl Send for Gate {}
// SAFETY: as above.
unsafe impl Sync for Gate {}

impl Gate {
    /// Takes part if the gate is still open.
    fn help(&self) {
        if self.state.load(Ordering::Relaxed) & SHUT == 0 {
            place::keep_off(self.processor);
        }
        let enter = |state: usize| (state & SHUT == 0).then_some(state + 1);
        if self.state.fetch_update(Ordering::Acquire, Ordering::Relaxed, enter).is_err() {
            return;
        }
        let _leave = Leave(self);
        // SAFETY: this thread is inside, so the caller waits and what it lent is alive.
        unsafe { (*self.part)() };
    }
}

/// Leaves the gate when dropped.
struct Leave<'a>(&'a Gate);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        // From here on what the caller lent may be gone; the gate is this helper's own as well.
        if self.0.state.fetch_sub(1, Ordering::Release) == SHUT | 1 {
            self.0.caller.unpark();
        }
    }
}

/// Shuts the gate when dropped, and waits for those inside.
struct Shut<'a>(&'a Gate);

impl Drop for Shut<'_> {
    fn drop(&mut self) {
        let gate = self.0;
        let mut inside = gate.state.fetch_or(SHUT, Ordering::Acquire) & !SHUT;
        let mut looks = 0;
        while inside != 0 {
            if looks < LOOKS {
                looks += 1;
                std::hint::spin_loop();
            } else {
                std::thread::park();
            }
            inside = gate.state.load(Ordering::Acquire) & !SHUT;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::AtomicBool;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    fn pool(threads: usize) -> ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
    }

    #[test]
    fn the_caller_does_not_wait_for_helpers_that_have_not_begun_and_they_find_the_gate_shut() {
        let pool = pool(1);
        let (go_on, wait) = channel::<()>();
        pool.spawn(move || wait.recv().unwrap());
        let parts = AtomicUsize::new(0);
        // The only helper is busy until after the work.
        share(&pool, 3, &|| {
            parts.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(parts.load(Ordering::Relaxed), 1);
        go_on.send(()).unwrap();
        pool.install(|| ());
        assert_eq!(parts.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn the_caller_waits_for_helpers_that_have_begun() {
        let (pool, ended) = (pool(1), AtomicBool::new(false));
        let (begin, begun) = channel();
        let (begin, begun) = (Mutex::new(begin), Mutex::new(begun));
        let caller = std::thread::current().id();
        share(&pool, 1, &|| {
            if std::thread::current().id() == caller {
                begun.lock().unwrap().recv().unwrap();
            } else {
                begin.lock().unwrap().send(()).unwrap();
                // Longer than the caller looks about before it sleeps.
                std::thread::sleep(Duration::from_millis(20));
                ended.store(true, Ordering::Relaxed);
            }
        });
        assert!(ended.load(Ordering::Relaxed));
    }

    #[test]
    fn what_was_lent_is_never_touched_afterwards() {
        let pool = pool(3);
        std::thread::scope(|scope| {
            for seed in 0..4usize {
                let pool = &pool;
                scope.spawn(move || {
                    for round in 0..500 {
                        let lent = vec![seed * 1000 + round; 64];
                        let sum = AtomicUsize::new(0);
                        let left = AtomicUsize::new(8);
                        share(pool, 3, &|| {
                            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok() {
                                sum.fetch_add(lent.iter().sum::<usize>(), Ordering::Relaxed);
                            }
                        });
                        assert_eq!(sum.into_inner(), 8 * 64 * (seed * 1000 + round));
                    }
                });
            }
        });
    }
}
