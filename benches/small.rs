//! Work that is over soon: what it costs to hand it to several threads.
//!
//! Each line is timed on one thread and on all, called again and again ("at once") and after a pause of a millisecond, in
//! which threads go to sleep ("rested"). `-- "500x500"` chooses lines by a text in their names.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion};
use ndarray::{Array1, Array2};
use unisono::{Backend, Convolve};

fn main() {
    let mut criterion = Criterion::default().configure_from_args().sample_size(20).warm_up_time(Duration::from_millis(200));
    for name in ["cpu:1", "cpu"] {
        let backend: Backend = name.parse().expect("a device");
        let image = |side: usize| Array2::from_shape_fn((side, side), |(y, x)| ((y * 7 + x * 13) % 101) as f32);
        let kernel = |side: usize| Array2::from_shape_fn((side, side), |(y, x)| (y + 2 * x + 1) as f32);
        let how = Convolve::d2().same();
        for (side, taps) in [(2048, 3), (500, 9), (256, 3)] {
            let (image, kernel) = (image(side), kernel(taps));
            let mut out = Array2::<f32>::zeros((side, side));
            line(&mut criterion, &format!("{taps}x{taps} over {side}x{side} f32"), name, || {
                backend.convolve_into(black_box(&image), &kernel, &how, &mut out).expect("a result");
            });
        }
        for kib in [256, 1024] {
            let values = Array1::from_shape_fn(kib << 8, |i| (i % 1013) as f32);
            line(&mut criterion, &format!("sum of {kib} KiB f32"), name, || {
                black_box(backend.sum(black_box(&values)).expect("a result"));
            });
        }
        for samples in [100_000, 10_000_000] {
            line(&mut criterion, &format!("pi of {samples} samples"), name, || {
                black_box(backend.pi(black_box(samples), 42).expect("a count"));
            });
        }
    }
}

fn line(criterion: &mut Criterion, name: &str, device: &str, mut run: impl FnMut()) {
    let mut group = criterion.benchmark_group("small");
    group.measurement_time(Duration::from_millis(500));
    for (manner, pause) in [("at once", None), ("rested", Some(Duration::from_millis(1)))] {
        group.bench_function(BenchmarkId::new(format!("{name}, {manner}"), device), |bencher| {
            bencher.iter_custom(|times| {
                let mut spent = Duration::ZERO;
                for _ in 0..times {
                    if let Some(pause) = pause {
                        std::thread::sleep(pause);
                    }
                    let start = Instant::now();
                    run();
                    spent += start.elapsed();
                }
                spent
            });
        });
    }
    group.finish();
}
