//! Scans, order statistics and groups on each device of `UNISONO_BENCH_DEVICES` (comma-separated, `cpu` if unset), beside what
//! reading the same memory costs in the same run. Every answer is checked before it is timed.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rayon::prelude::*;
use unisono::{AsOperand, Backend, Bins, GroupOp, LogSumExp, Quantile, Scan, TopK};

/// Elements: 128 MiB of f64.
const N: usize = 1 << 24;

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

/// The wrapping sum of all words, on all threads: nothing reads memory faster.
fn read(values: &[f64]) -> u64 {
    let part = |part: &[f64]| part.iter().fold(0u64, |a, b| a.wrapping_add(b.to_bits()));
    values.par_chunks(1 << 17).map(part).reduce(|| 0, u64::wrapping_add)
}

fn shortest(runs: usize, work: &mut dyn FnMut()) -> Duration {
    let time = |_| {
        let start = Instant::now();
        work();
        start.elapsed()
    };
    (0..runs).map(time).min().unwrap_or_default()
}

/// What is timed.
type Case<'a> = Box<dyn FnMut() + 'a>;

fn order(c: &mut Criterion) {
    // The sum of twelve words of noise: nearly normal.
    let noise = |i: usize| (0..4).map(|k| ((i * 4 + k) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 11).sum::<u64>() as f64;
    let values: Vec<f64> = (0..N).into_par_iter().map(|i| (noise(i) - 2f64.powi(54)) * 2f64.powi(-52)).collect();
    let labels: Vec<u16> = (0..N).into_par_iter().map(|i| (i % 1000) as u16).collect();
    let matrix = ndarray::ArrayView2::from_shape((4096, N / 4096), &values).expect("4096 divides the length");
    let mut group = c.benchmark_group("order");
    group.sample_size(10).throughput(Throughput::Bytes(8 * N as u64));
    for (name, backend) in devices() {
        let (x, keys) = (values.as_operand(), labels.as_operand());
        let sums = backend.cumsum(&values, None).and_then(|sums| sums.into_vec()).expect("running sums");
        assert_eq!(sums.last().copied(), Some(backend.sum(&values).and_then(|sum| sum.item()).expect("the sum")));
        let middle = backend.median(&values).and_then(|median| median.item()).expect("the median");
        assert_eq!(values.iter().filter(|&&x| x <= middle).count(), N / 2);
        let mut cases: Vec<(&str, Case<'_>)> = vec![
            ("cumsum", Box::new(|| drop(black_box(backend.scan_dyn(&x, &Scan::sum()).expect("sums"))))),
            ("cummax", Box::new(|| drop(black_box(backend.scan_dyn(&x, &Scan::max()).expect("maxima"))))),
            ("cumsum axis 0", Box::new(|| drop(black_box(backend.cumsum(&matrix, Some(0)).expect("sums"))))),
            ("median", Box::new(|| drop(black_box(backend.quantile_dyn(&x, &Quantile::median()).expect("the median"))))),
            (
                "median axis 0",
                Box::new(|| {
                    let how = Quantile::median().axes(&[0]);
                    drop(black_box(backend.quantile_dyn(&matrix.as_operand(), &how).expect("medians")));
                }),
            ),
            ("topk 100", Box::new(|| drop(black_box(backend.topk_dyn(&x, &TopK::largest(100)).expect("the largest"))))),
            (
                "histogram 100",
                Box::new(|| {
                    drop(black_box(backend.histogram(&values, &Bins::uniform(100).range(-4.0, 4.0)).expect("counts")));
                }),
            ),
            ("bincount", Box::new(|| drop(black_box(backend.bincount(&keys, None, 0).expect("counts"))))),
            (
                "sum by label",
                Box::new(|| {
                    let index: Vec<i64> = (0..1000).collect();
                    drop(black_box(backend.reduce_by_label(&x, &keys, GroupOp::Sum, Some(&index)).expect("sums")));
                }),
            ),
            (
                "logsumexp",
                Box::new(|| drop(black_box(backend.logsumexp_dyn(&x, None, &LogSumExp::new()).expect("the logarithm")))),
            ),
        ];
        for (case, work) in &mut cases {
            let mut limit = || {
                black_box(read(black_box(&values)));
            };
            work();
            let limit = shortest(5, &mut limit).min(shortest(5, &mut limit));
            let time = shortest(3, work);
            println!(
                "ratio: {case} f64 on {name}: {time:.1?}, read limit / time = {:.2}",
                limit.as_secs_f64() / time.as_secs_f64()
            );
            if std::env::var_os("UNISONO_BENCH_RATIOS").is_none() {
                group.bench_function(BenchmarkId::new(&name, *case), |b| b.iter(&mut *work));
            }
        }
    }
    group.finish();
}

criterion_group!(benches, order);
criterion_main!(benches);
