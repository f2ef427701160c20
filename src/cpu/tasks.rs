//! Tasks on the engine's threads, or on the calling thread where handing the work over would cost more than doing it.
//!
//! Nothing here is generic, so that rayon is compiled once for all operations; and nothing asks for rayon's global pool,
//! whose threads a forked child has not got.

use std::cell::Cell;

use rayon::prelude::*;

use crate::Result;

thread_local! {
    static HERE: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` on this thread alone.
pub(crate) fn here<T>(work: impl FnOnce() -> T) -> T {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            HERE.set(self.0);
        }
    }
    let _restore = Restore(HERE.replace(true));
    work()
}

/// How many threads share the current work.
pub(crate) fn threads() -> usize {
    if HERE.get() { 1 } else { rayon::current_num_threads() }
}

/// Runs tasks `0..count` on the current threads, `together` of them one after the other on the same. The first error ends
/// it.
pub(crate) fn for_each(count: usize, together: usize, task: &(dyn Fn(usize) -> Result<()> + Sync)) -> Result<()> {
    if count <= together.max(1) || threads() == 1 {
        return (0..count).try_for_each(task);
    }
    (0..count).into_par_iter().with_min_len(together).with_max_len(together.max(1)).try_for_each(task)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::Error;

    #[test]
    fn every_task_runs_once_and_an_error_ends_them() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        for together in [0, 1, 7, 200] {
            let done: Vec<AtomicUsize> = (0..100).map(|_| AtomicUsize::new(0)).collect();
            let task = |i: usize| {
                done[i].fetch_add(1, Ordering::Relaxed);
                Ok(())
            };
            pool.install(|| for_each(100, together, &task)).unwrap();
            here(|| for_each(100, together, &task)).unwrap();
            assert!(done.iter().all(|count| count.load(Ordering::Relaxed) == 2));
        }
        let failing = |i: usize| if i == 50 { Err(Error::invalid("task", i, "another")) } else { Ok(()) };
        assert!(matches!(pool.install(|| for_each(100, 1, &failing)), Err(Error::Invalid { .. })));
    }

    #[test]
    fn work_done_here_has_one_thread() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        assert_eq!(pool.install(|| (threads(), here(threads), threads())), (3, 1, 3));
    }
}
