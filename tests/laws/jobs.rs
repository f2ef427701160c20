//! Work in the background: results, order, progress, cancellation, failure, futures.

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use unisono::{Backend, Control, Convolve, Error, Job};

use crate::devices;

#[test]
fn results_are_those_of_the_plain_call() {
    for backend in devices::all() {
        let values: Vec<f64> = (0..10_000).map(|i| f64::from(i) * 0.1).collect();
        let expected = (backend.sum(&values).unwrap().item(), backend.pi(50_000, 9).unwrap());
        let job = backend.submit(move |b| Ok((b.sum(&values)?.item(), b.pi(50_000, 9)?)));
        assert_eq!(job.wait().unwrap(), expected, "{backend:?}");
    }
}

#[test]
fn many_jobs_at_once_all_end() {
    let expected: Vec<u64> = (0..24).map(|seed| Backend::cpu().pi(200_000, seed).unwrap().hits).collect();
    for backend in devices::all() {
        let jobs: Vec<Job<u64>> = (0..24).map(|seed| backend.submit(move |b| Ok(b.pi(200_000, seed)?.hits))).collect();
        let hits: Vec<u64> = jobs.into_iter().map(|job| job.wait().unwrap()).collect();
        assert_eq!(hits, expected, "{backend:?}");
    }
}

#[test]
fn a_job_is_waited_for_as_long_as_there_is_time() {
    let job = Backend::cpu().submit(|_| {
        std::thread::sleep(Duration::from_millis(5));
        Ok(7)
    });
    assert_eq!(job.wait_timeout(Duration::MAX), Ok(Some(7)));
}

#[test]
fn a_cancelled_job_stops_soon_and_says_how_far_it_came() {
    for backend in devices::all() {
        let job = backend.submit(|b| b.pi(1 << 50, 1));
        let start = Instant::now();
        while job.progress().done == 0 && start.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(2));
        }
        let progress = job.progress();
        assert_eq!(progress.total, 1 << 50, "{backend:?}");
        assert!(progress.done > 0 && progress.fraction() < 1.0, "{backend:?}");
        assert_eq!(job.wait_timeout(Duration::from_millis(1)), Ok(None), "{backend:?}");
        assert!(!job.is_done());
        job.cancel();
        let result = job.wait_timeout(Duration::from_secs(30));
        assert!(matches!(result, Err(Error::Cancelled { done, .. }) if done > 0), "{backend:?}: {result:?}");
    }
}

#[test]
fn a_control_can_be_shared_by_hand() {
    let control = Control::new();
    control.cancel();
    for backend in devices::all() {
        let image = ndarray::Array2::<f32>::zeros((600, 600));
        let kernel = ndarray::Array2::<f32>::zeros((9, 9));
        let result = backend.with_control(&control).convolve(&image, &kernel, &Convolve::d2());
        assert!(matches!(result, Err(Error::Cancelled { .. })), "{backend:?}");
    }
    let control = Control::new();
    Backend::cpu().with_control(&control).pi(1_000_000, 1).unwrap();
    assert_eq!(control.progress().fraction(), 1.0);
}

#[test]
fn a_panic_in_the_closure_is_an_error() {
    let job: Job<()> = Backend::cpu().submit(|_| panic!("on purpose {}", 7));
    assert_eq!(job.wait(), Err(Error::Panicked("on purpose 7".into())));
    let job = Backend::cpu().submit(|b| b.convolve(&[1f32], &[1f32], &Convolve::d2()).map(drop));
    assert!(matches!(job.wait(), Err(Error::Invalid { .. })));
}

#[test]
fn a_job_is_a_future() {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut job = std::pin::pin!(Backend::cpu().submit(|b| b.pi(3_000_000, 5)));
    let result = loop {
        match job.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(result) => break result,
            Poll::Pending => std::thread::park_timeout(Duration::from_secs(20)),
        }
    };
    assert_eq!(result, Backend::cpu().pi(3_000_000, 5));
}
