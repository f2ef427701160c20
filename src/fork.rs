//! State that a forked child must not inherit: thread pools and devices, whose threads do not exist in the child.

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

// SAFETY: access to the value goes through `OnceLock`, shared by reference only.
unsafe impl<T: Send + Sync> Sync for PerProcess<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for PerProcess<T> {}
