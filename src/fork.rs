//! State that outlives a fork. Threads do not exist in the child: neither those of a pool, nor one that was about to make a value that
//! others wait for.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};

/// A value made at first use in each process. After a fork the child makes its own; the parent's is left alone, not
/// dropped, because its locks and threads are in an unknown state there.
#[derive(Debug)]
pub(crate) struct PerProcess<T>(AtomicPtr<Cell<T>>);

#[derive(Debug)]
struct Cell<T> {
    process: u32,
    value: OnceLock<T>,
}

impl<T> PerProcess<T> {
    /// Nothing yet.
    pub(crate) const fn new() -> Self {
        Self(AtomicPtr::new(std::ptr::null_mut()))
    }

    /// This process's value, made by `make` if there is none.
    pub(crate) fn get(&self, make: impl FnOnce() -> T) -> &T {
        self.cell().value.get_or_init(make)
    }

    fn cell(&self) -> &Cell<T> {
        let process = std::process::id();
        loop {
            let current = self.0.load(Ordering::Acquire);
            // SAFETY: the pointer is null or comes from `Box::into_raw` below; cells are freed only in `drop`.
            if let Some(cell) = unsafe { current.as_ref() }
                && cell.process == process
            {
                return cell;
            }
            let fresh = Box::into_raw(Box::new(Cell { process, value: OnceLock::new() }));
            if self.0.compare_exchange(current, fresh, Ordering::AcqRel, Ordering::Acquire).is_err() {
                // SAFETY: `fresh` was not published.
                drop(unsafe { Box::from_raw(fresh) });
            }
        }
    }
}

impl<T> Drop for PerProcess<T> {
    fn drop(&mut self) {
        let current = *self.0.get_mut();
        // SAFETY: `&mut self` proves that nobody else reads the cell; it came from `Box::into_raw`.
        unsafe {
            if current.as_ref().is_some_and(|cell| cell.process == std::process::id()) {
                drop(Box::from_raw(current));
            }
        }
    }
}

/// A constant made at first use, for which nobody waits: of two threads that make it at once, one keeps the other's. So a child that
/// is forked meanwhile makes its own, and otherwise has its parent's.
#[derive(Debug)]
pub(crate) struct Raced<T: 'static>(AtomicPtr<T>);

impl<T: Send + Sync> Raced<T> {
    /// Nothing yet.
    pub(crate) const fn new() -> Self {
        Self(AtomicPtr::new(std::ptr::null_mut()))
    }

    /// The value, made by `make` if there is none.
    pub(crate) fn get(&'static self, make: impl FnOnce() -> T) -> &'static T {
        let current = self.0.load(Ordering::Acquire);
        // SAFETY: the pointer is null or comes from `Box::into_raw` below, and what was published is never freed.
        if let Some(value) = unsafe { current.as_ref() } {
            return value;
        }
        let fresh = Box::into_raw(Box::new(make()));
        match self.0.compare_exchange(std::ptr::null_mut(), fresh, Ordering::AcqRel, Ordering::Acquire) {
            // SAFETY: published just now, for ever.
            Ok(_) => unsafe { &*fresh },
            // SAFETY: `fresh` was not published; `other` was, for ever.
            Err(other) => unsafe {
                drop(Box::from_raw(fresh));
                &*other
            },
        }
    }
}

// SAFETY: access to the value goes through `OnceLock`, shared by reference only.
unsafe impl<T: Send + Sync> Sync for PerProcess<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for PerProcess<T> {}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn all_threads_keep_the_same_of_what_they_made_at_once() {
        static RACED: Raced<u64> = Raced::new();
        let barrier = Barrier::new(4);
        let found: Vec<usize> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4u64)
                .map(|i| {
                    let barrier = &barrier;
                    scope.spawn(move || {
                        let made = || {
                            // Nobody waits for the others' values; here, all are made.
                            barrier.wait();
                            i
                        };
                        std::ptr::from_ref(RACED.get(made)).addr()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(found.iter().all(|&at| at == found[0]), "{found:?}");
    }
}
