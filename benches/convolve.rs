//! Convolution on each device: the classic bank of 100 kernels 10 × 10 over 1000 × 1000, and single kernels over
//! 2048 × 2048, outputs reused, with the algorithms that come into question.
//!
//! `UNISONO_BENCH_DEVICES=cpu,gpu:0 cargo bench --bench convolve` chooses the devices (default: `cpu`), a text behind `--` the
//! lines with it in their names (`-- "31x31 f32 fft"`). Every answer is
//! checked at some places before it is timed. For CPU devices the lines that start with `ratio:` compare the best of
//! several runs with limits measured between them on as many threads: the rate of fused multiply-adds on registers, and
//! the rate at which an image is copied.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use ndarray::{ArrayD, IxDyn};
use unisono::{Algorithm, Backend, Convolve, DeviceClass, DeviceInfo, Element, Promote};

mod limits;

/// What the bench needs of an element.
trait Number: Element + Promote<Self, Output = Self> + std::ops::Mul<Output = Self> {
    /// Half a unit in the last place of 1; 0 for integers.
    const UNIT: f64;

    /// Spread over 0..100 for integers, 0..1 for floats.
    fn value(i: usize) -> Self;

    /// As a float, exactly for the integers here.
    fn float(self) -> f64;
}

macro_rules! numbers {
    ($($t:ty, $divisor:literal, $unit:expr;)*) => {$(
        impl Number for $t {
            const UNIT: f64 = $unit;

            fn value(i: usize) -> Self {
                ((i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) % 100) as $t / $divisor
            }

            fn float(self) -> f64 {
                self as f64
            }
        }
    )*};
}
numbers! {
    f32, 100.0, f32::EPSILON as f64 / 2.0;
    f64, 100.0, f64::EPSILON / 2.0;
    i64, 1, 0.0;
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args().sample_size(10).warm_up_time(Duration::from_millis(300));
    let names = std::env::var("UNISONO_BENCH_DEVICES").unwrap_or_else(|_| "cpu".into());
    let [side, count] = [1000, 100].map(limits::length);
    let single = [limits::length(2048); 2];
    for name in names.split(',') {
        let backend: Backend = name.parse().unwrap_or_else(|error| panic!("{error}"));
        let on = |algorithm: Algorithm| (backend.clone(), algorithm);
        for algorithm in [Algorithm::Auto, Algorithm::Direct, Algorithm::FastFir] {
            let on = on(algorithm);
            bench::<f32>(&mut criterion, &on, "bank 100 x 10x10 f32", &[side, side], &[count, 10, 10]);
            bench::<i64>(&mut criterion, &on, "bank 100 x 10x10 i64", &[side, side], &[count, 10, 10]);
            bench::<f64>(&mut criterion, &on, "bank 100 x 10x10 f64", &[side, side], &[count, 10, 10]);
        }
        bench_bytes(&mut criterion, &backend, side, [count, 10, 10]);
        let all = &[Algorithm::Auto, Algorithm::Direct, Algorithm::FastFir, Algorithm::Fft][..];
        bench::<f32>(&mut criterion, &on(Algorithm::Separable), "single 31x31 f32", &single, &[31, 31]);
        for k in [3, 5] {
            bench::<f64>(&mut criterion, &on(Algorithm::Auto), &format!("single {k}x{k} f64"), &single, &[k, k]);
        }
        for (k, algorithms) in [(3, &all[..1]), (5, &all[..1]), (15, all), (31, all), (101, &[Algorithm::Auto, Algorithm::Fft])] {
            for algorithm in algorithms {
                bench::<f32>(&mut criterion, &on(*algorithm), &format!("single {k}x{k} f32"), &single, &[k, k]);
            }
        }
    }
}

/// Bytes by a bank of small signed integers, exactly, into 32 bits: four taps per multiply-add where the CPU has such
/// dot products, so the ratio to multiply-adds of binary32 may reach four.
fn bench_bytes(criterion: &mut Criterion, backend: &Backend, side: usize, shape: [usize; 3]) {
    let [count, kh, kw] = shape;
    let (h, w) = (side, side);
    let name = &format!("bank 100 x {kh}x{kw} u8 by i8 to i32");
    if !limits::wanted(name) {
        return;
    }
    let image = ArrayD::from_shape_fn(IxDyn(&[h, w]), |at| <i64 as Number>::value(at[0] * w + at[1]) as u8);
    let kernels =
        ArrayD::from_shape_fn(IxDyn(&shape), |at| <i64 as Number>::value(at[0] * kh * kw + at[1] * kw + at[2]) as i8 - 50);
    let info = backend.info();
    let mut out = ArrayD::<i32>::zeros(IxDyn(&[count, h + kh - 1, w + kw - 1]));
    let how = Convolve::d2().full();
    if let Err(error) = backend.convolve_into(&image, &kernels, &how, &mut out) {
        return eprintln!("{name} on {} is left out: {error}", info.id);
    }
    for (place, got) in out.iter().enumerate().step_by(9973) {
        let [_, oh, ow] = [0, 1, 2].map(|axis| kernels.shape()[axis] + [0, h - 1, w - 1][axis]);
        let (k, y, x) = (place / (oh * ow), place / ow % oh, place % ow);
        let term = |(i, j): (usize, usize)| {
            let inside = (i..h + i).contains(&y) && (j..w + j).contains(&x);
            if inside { i32::from(image[[y - i, x - j]]) * i32::from(kernels[[k, i, j]]) } else { 0 }
        };
        assert_eq!(*got, (0..kh * kw).map(|t| term((t / kw, t % kw))).sum::<i32>(), "{name} at {place}");
    }
    let work = (out.len() * kh * kw) as f64;
    let bytes = (image.len() + 4 * out.len()) as f64;
    let mut run = || backend.convolve_into(black_box(&image), &kernels, &how, &mut out).expect("a result");
    let mut group = criterion.benchmark_group("convolve");
    group.measurement_time(Duration::from_secs(2)).throughput(Throughput::Elements(work as u64));
    group.bench_function(BenchmarkId::new(name, &info.id), |bencher| bencher.iter(&mut run));
    group.finish();
    report(name, &info, (work, bytes), false, &mut run);
}

/// One convolution on one device with one algorithm.
fn bench<T: Number>(criterion: &mut Criterion, on: &(Backend, Algorithm), name: &str, image: &[usize], kernel: &[usize]) {
    let (backend, algorithm) = on;
    let name = &format!("{name} {algorithm}");
    if !limits::wanted(name) {
        return;
    }
    let values = |shape: &[usize], seed: usize| {
        let len = shape.iter().product::<usize>();
        ArrayD::from_shape_vec(IxDyn(shape), (0..len).map(|i| T::value(i + seed)).collect()).expect("a shape")
    };
    let image = values(image, 1);
    let mut kernel = values(kernel, 77);
    if *algorithm == Algorithm::Separable {
        let [h, w] = [2, 1].map(|back| kernel.shape()[kernel.ndim() - back]);
        let side = kernel.as_slice_mut().expect("values");
        (0..side.len()).for_each(|i| side[i] = T::value(i / w % h + 77) * T::value(i % w + 7));
    }
    let info = backend.info();
    let resident = match backend.upload(&image) {
        Ok(resident) => resident,
        Err(error) => return eprintln!("{name} on {} is left out: {error}", info.id),
    };
    let how = Convolve::d2().full().algorithm(*algorithm);
    let mut out = match backend.convolve(&resident, &kernel, &how) {
        Ok(out) => out,
        Err(error) => return eprintln!("{name} on {} is left out: {error}", info.id),
    };
    check(&image, &kernel, &out.clone().into_ndarray::<ndarray::IxDyn>().expect("a result"), (name, *algorithm));
    let mut run = || backend.convolve_into(black_box(&resident), &kernel, &how, &mut out).expect("a result");
    let taps = kernel.shape().iter().rev().take(2).product::<usize>();
    let outputs = {
        let [h, w] = [0, 1].map(|axis| image.shape()[axis] + kernel.shape()[kernel.ndim() - 2 + axis] - 1);
        h * w * kernel.len() / taps
    };
    let work = (outputs * taps) as f64;

    let mut group = criterion.benchmark_group("convolve");
    group.measurement_time(Duration::from_secs(2)).throughput(Throughput::Elements(work as u64));
    group.bench_function(BenchmarkId::new(name, &info.id), |bencher| bencher.iter(&mut run));
    group.finish();

    let bytes = ((image.len() + outputs) * size_of::<T>()) as f64;
    report(name, &info, (work, bytes), T::DTYPE == unisono::Dtype::F64, &mut run);
}

/// Prints the best of several runs of so many multiply-adds and bytes, and its ratios to the limits.
fn report(name: &str, info: &DeviceInfo, (work, bytes): (f64, f64), double: bool, mut run: impl FnMut()) {
    let (mut best, mut peak, mut copy) = (f64::MAX, 0.0f64, 0.0f64);
    for _ in 0..limits::runs(9) {
        best = best.min(seconds(&mut run));
        if info.class == DeviceClass::Cpu {
            peak = peak.max(limits::multiply_adds(info.threads, double));
            copy = copy.max(limits::copied(info.threads));
        }
    }
    let (rate, bytes) = (work / best, bytes / best);
    println!("rate: {name} on {}: {:.2} ms, {:.1} G multiply-adds/s, {:.1} GB/s", info.id, best * 1e3, rate / 1e9, bytes / 1e9);
    if info.class == DeviceClass::Cpu {
        let (of_peak, of_copy) = (rate / peak, bytes / copy);
        println!("ratio: {name} on {}: {of_peak:.3} of {:.1} G multiply-adds/s on registers", info.id, peak / 1e9);
        println!("ratio: {name} on {}: {of_copy:.3} of {:.1} GB/s of copying", info.id, copy / 1e9);
    }
}

fn seconds(run: impl FnOnce()) -> f64 {
    let start = Instant::now();
    run();
    start.elapsed().as_secs_f64()
}

/// Compares some outputs with the definition: exactly for integers, within `taps · u · Σ |w x|` for floats; of algorithms with
/// differences or transforms, within what they may lose of inputs and weights up to 1.
fn check<T: Number>(image: &ArrayD<T>, kernel: &ArrayD<T>, out: &ArrayD<T>, (name, algorithm): (&str, Algorithm)) {
    let (h, w) = (image.shape()[0], image.shape()[1]);
    let [kh, kw] = [2, 1].map(|back| kernel.shape()[kernel.ndim() - back]);
    let (images, kernels) = (image.as_slice().expect("values"), kernel.as_slice().expect("values"));
    let (oh, ow) = (h + kh - 1, w + kw - 1);
    for (place, got) in out.iter().enumerate().step_by(9973) {
        let (k, y, x) = (place / (oh * ow), place / ow % oh, place % ow);
        let (mut sum, mut size) = (0.0, 0.0);
        for i in 0..kh {
            for j in 0..kw {
                if (i..h + i).contains(&y) && (j..w + j).contains(&x) {
                    let term = images[(y - i) * w + x - j].float() * kernels[(k * kh + i) * kw + j].float();
                    (sum, size) = (sum + term, size + term.abs());
                }
            }
        }
        // The sum here is rounded as well, in binary64.
        let taps = (kh * kw) as f64;
        let spread = if algorithm == Algorithm::Direct { 0.0 } else { 16.0 * (taps / 4.0 + 8.0) * T::UNIT * taps };
        let bound = 2.0 * taps * T::UNIT * size + spread;
        assert!((got.float() - sum).abs() <= bound, "{name}: {got:?} at {place} instead of {sum}");
    }
}
