//! What `Accuracy::Exact` costs against the default, on each device: the bank of 100 kernels 10 × 10 over 1000 × 1000 and a
//! single 5 × 5 over 2048 × 2048, outputs reused, for data of several kinds.
//!
//! `UNISONO_BENCH_DEVICES=cpu,gpu:0 cargo bench --bench exact` chooses the devices (default: `cpu`). The lines that start
//! with `ratio:` give the best exact time over the best default time, measured in turns.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use ndarray::{ArrayD, IxDyn};
use unisono::{Accuracy, Backend, Convolve, Element, Promote};

mod limits;

trait Number: Element + Promote<Self, Output = Self> {
    fn of(value: f64) -> Self;
    fn float(self) -> f64;
}

macro_rules! numbers {
    ($($t:ty)*) => {$(
        impl Number for $t {
            fn of(value: f64) -> Self {
                value as $t
            }
            fn float(self) -> f64 {
                self as f64
            }
        }
    )*};
}
numbers!(f32 f64);

fn main() {
    let mut criterion = Criterion::default().configure_from_args().sample_size(10).warm_up_time(Duration::from_millis(300));
    let names = std::env::var("UNISONO_BENCH_DEVICES").unwrap_or_else(|_| "cpu".into());
    for name in names.split(',') {
        let backend: Backend = name.parse().unwrap_or_else(|error| panic!("{error}"));
        for kind in ["bytes", "unit", "flat", "sparse"] {
            bench::<f32>(&mut criterion, &backend, kind, "f32");
            bench::<f64>(&mut criterion, &backend, kind, "f64");
        }
    }
}

/// Element `i` of an image, and of kernels, of a kind.
fn value(kind: &str, i: usize, kernel: bool) -> f64 {
    let noise = |i: usize| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 11) as f64 * 0.5f64.powi(53);
    match kind {
        // What a photograph read as floats and an integer filter are.
        "bytes" if kernel => (noise(i) * 9.0).floor() - 4.0,
        "bytes" => (noise(i) * 256.0).floor(),
        // Large areas of one value.
        "flat" if !kernel => [0.1, 0.7, 0.25][(i / 4096) % 3],
        "sparse" if !kernel && !(i / 64).is_multiple_of(16) => 0.0,
        _ => noise(i) - 0.5,
    }
}

fn bench<T: Number>(criterion: &mut Criterion, backend: &Backend, kind: &str, dtype: &str) {
    let [side, count, single] = [1000, 100, 2048].map(limits::length);
    for (name, image, kernel) in [("bank 100 x 10x10", [side; 2], vec![count, 10, 10]), ("single 5x5", [single; 2], vec![5, 5])] {
        let values = |shape: &[usize], of_kernel| {
            let len = shape.iter().product::<usize>();
            let mut values: Vec<T> = (0..len).map(|i| T::of(value(kind, i + 7 * usize::from(of_kernel), of_kernel))).collect();
            let taps = kernel[kernel.len() - 2..].iter().product::<usize>();
            if of_kernel && kind == "flat" {
                // Antisymmetric kernels: on flat ground everything cancels.
                for kernel in values.chunks_mut(taps) {
                    kernel[taps / 2] = T::of(0.0);
                    (0..taps / 2).for_each(|i| kernel[taps - 1 - i] = T::of(-kernel[i].float()));
                }
            }
            ArrayD::from_shape_vec(IxDyn(shape), values).expect("a shape")
        };
        let (image, kernel) = (values(&image, false), values(&kernel, true));
        let id = backend.info().id;
        let name = format!("{name} {dtype} {kind}");
        let resident = match backend.upload(&image) {
            Ok(resident) => resident,
            Err(error) => return eprintln!("{name} on {id} is left out: {error}"),
        };
        let (plain, exactly) = (Convolve::d2(), Convolve::d2().accuracy(Accuracy::Exact));
        let mut exact = match backend.convolve(&resident, &kernel, &exactly) {
            Ok(out) => out,
            Err(error) => return eprintln!("{name} on {id} is left out: {error}"),
        };
        let mut run = |how: &Convolve| backend.convolve_into(black_box(&resident), &kernel, how, &mut exact);
        let mut group = criterion.benchmark_group("exact");
        group.measurement_time(Duration::from_secs(2)).throughput(Throughput::Elements(1));
        group.bench_function(BenchmarkId::new(&name, &id), |bencher| bencher.iter(|| run(&exactly).expect("a result")));
        group.finish();
        let mut best = [f64::MAX; 2];
        for _ in 0..limits::runs(5) {
            for (best, how) in best.iter_mut().zip([&plain, &exactly]) {
                let start = Instant::now();
                if run(how).is_ok() {
                    *best = best.min(start.elapsed().as_secs_f64());
                }
            }
        }
        let [plain, exact] = best;
        println!("ratio: {name} on {id}: {:.2} ({:.2} ms, default {:.2} ms)", exact / plain, exact * 1e3, plain * 1e3);
    }
}
