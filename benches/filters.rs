//! Separable filters on each device: Gaussian blurs of a photograph of 4000 × 3000 interleaved `u8` RGB pixels, and Gaussians
//! of several lengths over 2000 × 2000 `f32`, `f64` and `u16`, outputs reused.
//!
//! `UNISONO_BENCH_DEVICES=cpu,gpu:0 cargo bench --bench filters` chooses the devices (default: `cpu`), a text behind `--` the
//! lines with it in their names (`-- "17 taps"`). Every answer is checked at some places before it is timed. For CPU devices the
//! lines that start with `ratio:` compare the best of several runs with limits measured between them on as many threads: the rate
//! of fused multiply-adds on registers, and the rate at which an image is copied. A symmetric pass needs about half the multiply-adds that are counted here, so its ratio may
//! exceed 1.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use ndarray::{ArrayD, IxDyn};
use unisono::filters::{Axes, Gaussian};
use unisono::{Backend, DeviceClass, Element};

mod limits;

/// What the bench needs of an element.
trait Number: Element {
    /// What a result may be off by.
    const OFF: f64;

    fn value(i: usize) -> Self;
    fn float(self) -> f64;
}

macro_rules! numbers {
    ($($t:ty, $off:literal, $factor:literal;)*) => {$(
        impl Number for $t {
            const OFF: f64 = $off;

            fn value(i: usize) -> Self {
                ((i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as u8 as f64 * $factor) as $t
            }

            fn float(self) -> f64 {
                self.into()
            }
        }
    )*};
}
numbers! {
    u8, 0.501, 1.0;
    u16, 0.6, 256.0;
    f32, 1e-6, 0.00390625;
    f64, 1e-14, 0.00390625;
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args().sample_size(10).warm_up_time(Duration::from_millis(300));
    let names = std::env::var("UNISONO_BENCH_DEVICES").unwrap_or_else(|_| "cpu".into());
    let length = limits::length;
    for name in names.split(',') {
        let backend: Backend = name.parse().unwrap_or_else(|error| panic!("{error}"));
        for sigma in [1, 3, 10] {
            bench::<u8>(
                &mut criterion,
                &backend,
                &format!("gaussian sigma {sigma} of u8 RGB"),
                &[length(3000), length(4000), 3],
                4 * sigma,
            );
        }
        for taps in [3, 5, 9, 17, 33, 81] {
            bench::<f32>(&mut criterion, &backend, &format!("gaussian of {taps} taps, f32"), &[length(2000); 2], taps / 2);
        }
        for taps in [3, 9] {
            bench::<f64>(&mut criterion, &backend, &format!("gaussian of {taps} taps, f64"), &[length(2000); 2], taps / 2);
        }
        bench::<u16>(&mut criterion, &backend, "gaussian of 17 taps, u16", &[length(2000); 2], 8);
    }
}

fn bench<T: Number>(criterion: &mut Criterion, backend: &Backend, name: &str, shape: &[usize], radius: usize) {
    if !limits::wanted(name) {
        return;
    }
    let len = shape.iter().product::<usize>();
    let image = ArrayD::from_shape_vec(IxDyn(shape), (0..len).map(T::value).collect()).expect("a shape");
    let sigma = radius as f64 / 4.0;
    let how = Gaussian::new(sigma).radius(radius).filter(&Axes::of(&[0, 1])).expect("a filter");
    let info = backend.info();
    let (resident, mut out) = match backend.upload(&image).and_then(|x| backend.separable(&x, &how).map(|y| (x, y))) {
        Ok(pair) => pair,
        Err(error) => return eprintln!("{name} on {} is left out: {error}", info.id),
    };
    check(&image, sigma, radius, &out.clone().into_ndarray::<IxDyn>().expect("a result"), name);
    let mut run = || backend.separable_into(black_box(&resident), &how, &mut out).expect("a result");

    let mut group = criterion.benchmark_group("filters");
    group.measurement_time(Duration::from_secs(2)).throughput(Throughput::Elements(len as u64));
    group.bench_function(BenchmarkId::new(name, &info.id), |bencher| bencher.iter(&mut run));
    group.finish();

    let (mut best, mut peak, mut copy) = (f64::MAX, 0.0f64, 0.0f64);
    for _ in 0..limits::runs(9) {
        let start = Instant::now();
        run();
        best = best.min(start.elapsed().as_secs_f64());
        if info.class == DeviceClass::Cpu {
            peak = peak.max(limits::multiply_adds(info.threads, false));
            copy = copy.max(limits::copied(info.threads));
        }
    }
    let (rate, bytes) = ((len * 2 * (2 * radius + 1)) as f64 / best, (2 * len * size_of::<T>()) as f64 / best);
    println!("rate: {name} on {}: {:.3} ms, {:.1} G multiply-adds/s, {:.1} GB/s", info.id, best * 1e3, rate / 1e9, bytes / 1e9);
    if info.class == DeviceClass::Cpu {
        let (of_peak, of_copy) = (rate / peak, bytes / copy);
        println!("ratio: {name} on {}: {of_peak:.3} of {:.1} G multiply-adds/s on registers", info.id, peak / 1e9);
        println!("ratio: {name} on {}: {of_copy:.3} of {:.1} GB/s of copying", info.id, copy / 1e9);
    }
}

/// Compares some outputs with the definition.
fn check<T: Number>(image: &ArrayD<T>, sigma: f64, radius: usize, out: &ArrayD<T>, name: &str) {
    let (h, w) = (image.shape()[0], image.shape()[1]);
    let inner = image.len() / (h * w);
    let values = image.as_slice().expect("values");
    let weight = |t: usize| (-0.5 / (sigma * sigma) * (t as f64 - radius as f64).powi(2)).exp();
    let total: f64 = (0..=2 * radius).map(weight).sum();
    let fold = |i: usize, n: usize| {
        let i = i as isize - radius as isize;
        let j = i.rem_euclid(2 * n as isize) as usize;
        j.min(2 * n - 1 - j)
    };
    for (place, got) in out.iter().enumerate().step_by(199_999) {
        let (y, x, c) = (place / inner / w, place / inner % w, place % inner);
        let mut sum = 0.0;
        for i in 0..=2 * radius {
            for j in 0..=2 * radius {
                let at = (fold(y + i, h) * w + fold(x + j, w)) * inner + c;
                sum += weight(i) * weight(j) / (total * total) * values[at].float();
            }
        }
        assert!((got.float() - sum).abs() <= T::OFF, "{name}: {got:?} at {place} instead of {sum}");
    }
}
