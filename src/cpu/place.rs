//! Keeps a helper off the processor of whoever it helps.
//!
//! Linux wakes a thread on the processor of the thread that wakes it where it knows of no cache that others share with it, as
//! on small virtual machines: the helper then takes the place of the caller instead of working beside it, until the next
//! balancing of loads some milliseconds later. A helper that finds itself there moves away, and stays off that processor.

/// The processor that this thread runs on, if the system tells.
pub(super) fn processor() -> Option<usize> {
    system::processor()
}

/// Moves this thread off processor `taken` for good if it runs there and may run elsewhere. Of the processors that it was kept
/// off in this way only the last one counts.
pub(super) fn keep_off(taken: Option<usize>) {
    if let Some(taken) = taken
        && processor() == Some(taken)
    {
        system::leave(taken);
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::cell::Cell;
    use std::mem::size_of;

    use libc::cpu_set_t;

    /// Processors that a thread may run on.
    #[derive(Clone, Copy)]
    struct Allowed(cpu_set_t);

    thread_local! {
        /// The processor that this thread was moved off, and where it has been allowed to run since.
        static LEFT: Cell<Option<(usize, Allowed)>> = const { Cell::new(None) };
    }

    impl Allowed {
        /// Those of this thread.
        fn now() -> Option<Self> {
            // SAFETY: a set is plain bits, of which none set is one.
            let mut set: cpu_set_t = unsafe { std::mem::zeroed() };
            // SAFETY: 0 is this thread, and the set has the size that is told.
            let told = unsafe { libc::sched_getaffinity(0, size_of::<cpu_set_t>(), &mut set) };
            (told == 0).then_some(Self(set))
        }

        fn apply(&self) -> bool {
            // SAFETY: as above.
            unsafe { libc::sched_setaffinity(0, size_of::<cpu_set_t>(), &self.0) == 0 }
        }
    }

    impl PartialEq for Allowed {
        fn eq(&self, other: &Self) -> bool {
            // SAFETY: both are whole sets.
            unsafe { libc::CPU_EQUAL(&self.0, &other.0) }
        }
    }

    pub(super) fn processor() -> Option<usize> {
        // SAFETY: it has no conditions.
        usize::try_from(unsafe { libc::sched_getcpu() }).ok()
    }

    pub(super) fn leave(taken: usize) {
        let Some(mut allowed) = Allowed::now() else { return };
        if taken >= 8 * size_of::<cpu_set_t>() {
            return;
        }
        // If somebody else has said since where this thread may run, that counts.
        if let Some((left, since)) = LEFT.get()
            && since == allowed
        {
            // SAFETY: `left` was found to be within a set.
            unsafe { libc::CPU_SET(left, &mut allowed.0) };
        }
        // SAFETY: `taken` is within a set.
        unsafe { libc::CPU_CLR(taken, &mut allowed.0) };
        // SAFETY: a whole set.
        if unsafe { libc::CPU_COUNT(&allowed.0) } > 0 && allowed.apply() {
            LEFT.set(Allowed::now().map(|since| (taken, since)));
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn count(allowed: &Allowed) -> i32 {
            // SAFETY: a whole set.
            unsafe { libc::CPU_COUNT(&allowed.0) }
        }

        #[test]
        fn a_thread_leaves_a_processor_if_there_is_another_and_comes_back_for_the_next() {
            std::thread::spawn(|| {
                let before = Allowed::now().unwrap();
                for _ in 0..5 {
                    let here = processor().unwrap();
                    super::super::keep_off(Some(here));
                    let now = Allowed::now().unwrap();
                    if count(&before) == 1 {
                        assert!(now == before);
                    } else {
                        assert_ne!(processor(), Some(here));
                        assert_eq!(count(&now), count(&before) - 1, "one processor only is kept off");
                    }
                    super::super::keep_off(Some(usize::MAX));
                    super::super::keep_off(None);
                    assert!(Allowed::now().unwrap() == now);
                }
                // Told otherwise from outside, to stay where somebody is, it stays.
                let taken = processor().unwrap();
                super::super::keep_off(Some(taken));
                let mut only = before;
                (0..1024).filter(|&cpu| cpu != taken).for_each(|cpu| {
                    // SAFETY: within a set.
                    unsafe { libc::CPU_CLR(cpu, &mut only.0) }
                });
                assert!(only.apply());
                super::super::keep_off(Some(taken));
                assert!(Allowed::now().unwrap() == only);
                assert_eq!(processor(), Some(taken));
            })
            .join()
            .unwrap();
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    pub(super) fn processor() -> Option<usize> {
        None
    }

    pub(super) fn leave(_: usize) {}
}
