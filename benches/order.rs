//! Scans, order statistics and groups on each device of `UNISONO_BENCH_DEVICES` (comma-separated, `cpu` if unset), beside what
//! reading the same memory costs in the same run. Answers are checked before they are timed. `-- median` chooses lines by a text
//! in their names.

use std::hint::black_box;

use rayon::prelude::*;
use unisono::{AsOperand, Backend, Bins, GroupOp, LogSumExp, Quantile, Scan, TopK};

#[path = "limits/mod.rs"]
mod limits;

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

/// What is timed.
type Case<'a> = Box<dyn FnMut() + 'a>;

fn main() {
    // 128 MiB of f64.
    let n = limits::length(1 << 24);
    // The sum of twelve words of noise: nearly normal.
    let noise = |i: usize| (0..4).map(|k| ((i * 4 + k) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 11).sum::<u64>() as f64;
    let values: Vec<f64> = (0..n).into_par_iter().map(|i| (noise(i) - 2f64.powi(54)) * 2f64.powi(-52)).collect();
    let labels: Vec<u16> = (0..n).into_par_iter().map(|i| (i % 1000) as u16).collect();
    let matrix = ndarray::ArrayView2::from_shape((4096, n / 4096), &values).expect("4096 divides the length");
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get());
    for (name, backend) in devices() {
        let (x, keys) = (values.as_operand(), labels.as_operand());
        let sums = backend.cumsum(&values, None).and_then(|sums| sums.into_vec()).expect("running sums");
        assert_eq!(sums.last().copied(), Some(backend.sum(&values).and_then(|sum| sum.item()).expect("the sum")));
        let middle = backend.median(&values).and_then(|median| median.item()).expect("the median");
        assert_eq!(values.iter().filter(|&&x| x <= middle).count(), n / 2);
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
            let label = format!("{case} of 128 MiB float64 on {name}");
            if limits::wanted(&label) {
                limits::beside_reading(&label, 8 * n, bytemuck::cast_slice(&values), threads, work);
            }
        }
    }
}
