//! Reductions over sizes, dtypes and axes on each device of `UNISONO_BENCH_DEVICES` (comma-separated, `cpu` if unset),
//! beside what the host's memory and a plain sum in cache allow in the same run. Every answer is checked before it is timed.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ndarray::ArrayView2;
use rayon::prelude::*;
use unisono::{Backend, ExactSum, Reduce, ReduceOp, View};

/// The devices to measure.
fn devices() -> Vec<(String, Backend)> {
    let names = std::env::var("UNISONO_BENCH_DEVICES").unwrap_or_else(|_| "cpu".into());
    let open = |name: &str| match name.parse() {
        Ok(backend) => Some((name.to_string(), backend)),
        Err(error) => {
            eprintln!("left out: {error}");
            None
        }
    };
    names.split(',').filter_map(|name| open(name.trim())).collect()
}

/// Elements of the large f64 array: 128 Mi (1 GiB), or what fits a quarter of the available memory.
fn large() -> usize {
    let available = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("MemAvailable"))?;
        line.split_whitespace().nth(1)?.parse::<usize>().ok()
    });
    let fits = available.unwrap_or(4 << 20) * 1024 / 4 / 8;
    1 << fits.clamp(1 << 20, 1 << 27).ilog2()
}

/// The wrapping sum of all words, on all threads: nothing reads memory faster.
fn read(words: &[u64]) -> u64 {
    let part = |part: &[u64]| part.iter().fold(0u64, |a, &b| a.wrapping_add(b));
    words.par_chunks(1 << 17).map(part).reduce(|| 0, u64::wrapping_add)
}

/// The plain sum, in 32 lanes.
fn plain(values: &[f64]) -> f64 {
    let mut lanes = [0.0; 32];
    for chunk in values.as_chunks::<32>().0 {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane += x;
        }
    }
    lanes.iter().sum()
}

/// The shortest of several runs.
fn shortest(runs: usize, mut work: impl FnMut()) -> Duration {
    let time = |_| {
        let start = Instant::now();
        work();
        start.elapsed()
    };
    (0..runs).map(time).min().unwrap_or_default()
}

fn against_the_memory(c: &mut Criterion) {
    let n = large();
    let ramp: Vec<f64> = (0..n).into_par_iter().map(|i| i as f64).collect();
    let words: Vec<u64> = bytemuck::cast_vec(ramp);
    let ramp: &[f64] = bytemuck::cast_slice(&words);
    let singles: Vec<f32> = (0..2 * n).into_par_iter().map(|i| (i % 16_777_213) as f32 - 8e6).collect();
    let matrix = ArrayView2::from_shape((2 * n / 8192, 8192), &singles).expect("8192 divides the length");
    let bytes = 8 * n as u64;
    let mut group = c.benchmark_group("memory");
    group.sample_size(10).throughput(Throughput::Bytes(bytes));
    group.bench_function("read limit", |b| b.iter(|| read(black_box(&words))));
    let cases =
        [("sum", None), ("mean", None), ("min", None), ("argmax", None), ("sum", Some(0)), ("sum", Some(1)), ("max", Some(0))];
    for (name, backend) in devices() {
        let sum = backend.sum(ramp).and_then(|sum| sum.item()).expect("the sum");
        assert_eq!(sum, (n as u128 * (n as u128 - 1) / 2) as f64);
        for (op, axis) in cases {
            let how = Reduce::of(op.parse::<ReduceOp>().expect("an operation"));
            let how = axis.map_or(how.clone(), |axis| how.axes(&[axis]));
            let mut measure = |dtype: &str, view: &View<'_>| {
                let work = || {
                    black_box(
                        backend.reduce_dyn(&view.clone().into(), &how).and_then(|out| out.into_host()).expect("the result"),
                    );
                };
                work();
                let label = format!("{op} {dtype}{}", axis.map_or(String::new(), |axis| format!(" axis {axis}")));
                // Interleaved with the limit, so that both see the same neighbours.
                let limit = shortest(5, || {
                    black_box(read(black_box(&words)));
                });
                let (mut time, mut limit) = (shortest(5, work), limit);
                time = time.min(shortest(5, work));
                limit = limit.min(shortest(5, || {
                    black_box(read(black_box(&words)));
                }));
                println!(
                    "ratio: {label} {} MiB on {name} / read limit = {:.2}",
                    bytes >> 20,
                    limit.as_secs_f64() / time.as_secs_f64()
                );
                group.bench_function(BenchmarkId::new(&name, label), |b| b.iter(work));
            };
            match axis {
                None => {
                    measure("f64", &View::from_slice(ramp));
                    measure("f32", &View::from_slice(&singles));
                }
                Some(_) => measure("f32", &View::from_ndarray(matrix.view())),
            }
        }
    }
    group.finish();
}

fn in_cache(c: &mut Criterion) {
    let mut group = c.benchmark_group("cache");
    for n in [1 << 10, 1 << 14, 1 << 17] {
        let values: Vec<f64> = (0..n).map(|i| i as f64 * 0.25 - 77.0).collect();
        let exact = || {
            let mut sum = ExactSum::new();
            sum.extend_f64(black_box(&values));
            sum.to_f64()
        };
        assert_eq!(exact(), plain(&values));
        let (time, limit) = (
            shortest(200, || {
                black_box(exact());
            }),
            shortest(200, || {
                black_box(plain(black_box(&values)));
            }),
        );
        println!("ratio: exact sum of {n} f64 on one thread / plain sum = {:.2}", limit.as_secs_f64() / time.as_secs_f64());
        group.throughput(Throughput::Bytes(8 * n as u64));
        group.bench_function(BenchmarkId::new("plain", n), |b| b.iter(|| plain(black_box(&values))));
        group.bench_function(BenchmarkId::new("exact", n), |b| b.iter(exact));
        for (name, backend) in devices() {
            let sum = || backend.sum(black_box(&values)).and_then(|sum| sum.item()).expect("the sum");
            assert_eq!(sum(), exact());
            group.bench_function(BenchmarkId::new(name, n), |b| b.iter(sum));
        }
    }
    group.finish();
}

criterion_group!(benches, in_cache, against_the_memory);
criterion_main!(benches);
