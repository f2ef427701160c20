//! Decode, filter and encode many files at once, with bounded queues between the stages.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};

/// Runs every item through three stages: `read` and `write` on several threads, `work` (which has the device, and all
/// its threads) on one. At most a few items are between two stages. `ended` is told the end of every item, in any order.
pub fn run<J, A, B, E>(
    jobs: Vec<J>,
    threads: usize,
    read: impl Fn(&J) -> Result<A, E> + Sync,
    work: impl Fn(&J, A) -> Result<B, E> + Sync,
    write: impl Fn(&J, B) -> Result<(), E> + Sync,
    ended: impl Fn(J, Result<(), E>) + Sync,
) where
    J: Send,
    A: Send,
    B: Send,
    E: Send,
{
    let threads = threads.clamp(1, jobs.len().max(1));
    let todo = Mutex::new(jobs.into_iter());
    let (to_work, from_read) = sync_channel::<(J, A)>(threads);
    let (to_write, from_work) = sync_channel::<(J, B)>(threads);
    let from_work = Mutex::new(from_work);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let to_work = to_work.clone();
            scope.spawn(|| stage(|| next(&todo), &read, to_work, &ended));
            scope.spawn(|| {
                while let Some((job, item)) = receive(&from_work) {
                    let result = write(&job, item);
                    ended(job, result);
                }
            });
        }
        drop(to_work);
        for (job, item) in from_read {
            match work(&job, item) {
                Ok(item) => {
                    if to_write.send((job, item)).is_err() {
                        break;
                    }
                }
                Err(error) => ended(job, Err(error)),
            }
        }
        drop(to_write);
    });
}

fn stage<J, A, E>(
    mut next: impl FnMut() -> Option<J>,
    read: &impl Fn(&J) -> Result<A, E>,
    out: SyncSender<(J, A)>,
    ended: &impl Fn(J, Result<(), E>),
) {
    while let Some(job) = next() {
        match read(&job) {
            Ok(item) => {
                if out.send((job, item)).is_err() {
                    return;
                }
            }
            Err(error) => ended(job, Err(error)),
        }
    }
}

fn next<J>(todo: &Mutex<impl Iterator<Item = J>>) -> Option<J> {
    todo.lock().unwrap_or_else(PoisonError::into_inner).next()
}

fn receive<T>(queue: &Mutex<Receiver<T>>) -> Option<T> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn every_item_ends_once_and_few_are_on_their_way() {
        let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let ends = Mutex::new(Vec::new());
        run(
            (0..200).collect(),
            2,
            |&i: &i32| {
                most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                if i % 7 == 0 { Err(format!("read {i}")) } else { Ok(i) }
            },
            |_, i| if i % 11 == 0 { Err(format!("work {i}")) } else { Ok(10 * i) },
            |&i, tenfold| if tenfold == 10 * i { Ok(()) } else { Err(format!("write {i}")) },
            |i, result| {
                inside.fetch_sub(1, Ordering::SeqCst);
                ends.lock().unwrap().push((i, result));
            },
        );
        let mut ends = ends.into_inner().unwrap();
        ends.sort();
        assert_eq!(ends.len(), 200);
        for (i, result) in &ends {
            let expected = if i % 7 == 0 {
                Err(format!("read {i}"))
            } else if i % 11 == 0 {
                Err(format!("work {i}"))
            } else {
                Ok(())
            };
            assert_eq!(*result, expected);
        }
        assert!(most.into_inner() <= 10);
    }
}
