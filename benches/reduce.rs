//! Reductions over sizes, dtypes and axes on each device of `UNISONO_BENCH_DEVICES` (comma-separated, `cpu` if unset),
//! beside what the host's memory and a plain sum in cache allow in the same run. Answers are checked before they are timed.
//!
//! Each line has the best time of several runs, the bytes per second, and their ratio to the limit. `-- "axis 0"` chooses lines
//! by a text in their names.

use std::hint::black_box;

use ndarray::ArrayView2;
use rayon::prelude::*;
use unisono::{Backend, ExactSum, HostVec, Reduce, ReduceOp, View};

#[path = "limits/mod.rs"]
mod limits;

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

/// Elements of the large f64 array: 128 Mi (1 GiB), or what fits a quarter of the available memory; few if only tried.
fn large() -> usize {
    if limits::tried() {
        return 1 << 20;
    }
    let available = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("MemAvailable"))?;
        line.split_whitespace().nth(1)?.parse::<usize>().ok()
    });
    let fits = available.unwrap_or(4 << 20) * 1024 / 4 / 8;
    1 << fits.clamp(1 << 20, 1 << 27).ilog2()
}

/// Times a reduction beside reading.
fn measure(name: &str, backend: &Backend, (op, axis): (&str, Option<isize>), view: &View<'_>, words: &[u64]) -> Option<f64> {
    let axes = axis.map_or(String::new(), |axis| format!(" axis {axis}"));
    let label = format!("{op} of {} MiB {}{axes} on {name}", size_of_val(words) >> 20, view.dtype());
    if !limits::wanted(&label) {
        return None;
    }
    let how = Reduce::of(op.parse::<ReduceOp>().expect("an operation"));
    let how = axis.map_or(how.clone(), |axis| how.axes(&[axis]));
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get());
    let work = || {
        let out = backend.reduce_dyn(&view.clone().into(), &how).and_then(|out| out.into_host());
        black_box(out.expect("the result"));
    };
    Some(limits::beside_reading(&label, size_of_val(words), words, threads, work).as_secs_f64())
}

fn against_the_memory(devices: &[(String, Backend)]) {
    let n = large();
    let ramp: Vec<f64> = (0..n).into_par_iter().map(|i| i as f64).collect();
    let words: Vec<u64> = bytemuck::cast_vec(ramp);
    let ramp: &[f64] = bytemuck::cast_slice(&words);
    for (name, backend) in devices {
        let sum = backend.sum(ramp).and_then(|sum| sum.item()).expect("the sum");
        assert_eq!(sum, (n as u128 * (n as u128 - 1) / 2) as f64);
        for op in ["sum", "mean", "min", "max", "argmin", "argmax", "var", "std", "norm", "count_nonzero"] {
            measure(name, backend, (op, None), &View::from_slice(ramp), &words);
        }
    }
    drop(words);
    let singles: Vec<f32> = (0..2 * n).into_par_iter().map(|i| (i % 16_777_213) as f32 - 8e6).collect();
    let matrix = ArrayView2::from_shape((2 * n / 8192, 8192), &singles).expect("8192 divides the length");
    let matrix = View::from_ndarray(matrix);
    let words: &[u64] = bytemuck::cast_slice(&singles);
    for (name, backend) in devices {
        for op in ["sum", "mean", "min", "max", "argmin", "argmax", "var", "std", "norm", "count_nonzero"] {
            measure(name, backend, (op, None), &View::from_slice(&singles), words);
        }
        for op in ["sum", "max", "argmax", "var"] {
            for axis in [0, 1] {
                measure(name, backend, (op, Some(axis)), &matrix, words);
            }
        }
    }
}

/// Elements of every exponent beside those of a ramp.
fn over_all_exponents(devices: &[(String, Backend)]) {
    let n = large() / 4;
    let noise = |i: usize| {
        let x = (i as u64 ^ (i as u64) << 29).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (x ^ x >> 32).wrapping_mul(0x94D0_49BB_1331_11EB)
    };
    // All but infinities and NaN.
    let wild = |i: usize| f64::from_bits((noise(i) ^ noise(i) >> 29) & !(1 << 52));
    let wild32 = |i: usize| f32::from_bits((noise(i) >> 17) as u32 & !(1 << 23));
    let [benign, wild]: [Vec<f64>; 2] =
        [(0..n).into_par_iter().map(|i| i as f64).collect(), (0..n).into_par_iter().map(wild).collect()];
    let [benign32, wild32]: [Vec<f32>; 2] = [
        (0..2 * n).into_par_iter().map(|i| (i % 16_777_213) as f32 - 8e6).collect(),
        (0..2 * n).into_par_iter().map(wild32).collect(),
    ];
    let words: &[u64] = bytemuck::cast_slice(&benign);
    for (name, backend) in devices {
        let mut exact = ExactSum::new();
        exact.extend_f64(&wild);
        assert_eq!(backend.sum(&wild).and_then(|sum| sum.item()).expect("the sum"), exact.to_f64());
        let columns = ArrayView2::from_shape((n / 4096, 4096), &wild).expect("4096 divides the length");
        let how = Reduce::of(ReduceOp::Sum).axes(&[0]);
        let sums = backend.reduce_dyn(&View::from_ndarray(columns).into(), &how).and_then(|sums| sums.into_host());
        let HostVec::F64(sums) = sums.expect("the sums") else { unreachable!("sums of binary64 numbers are such") };
        for column in [0, 1, 2047, 4095] {
            assert_eq!(sums[column], columns.column(column).iter().copied().collect::<ExactSum>().to_f64());
        }
        for (op, axis) in [("sum", None), ("sum", Some(0)), ("sum", Some(1)), ("var", None), ("var", Some(0)), ("var", Some(1))] {
            fn view<T: unisono::Real>(values: &[T]) -> View<'_> {
                View::from_ndarray(ArrayView2::from_shape((values.len() / 4096, 4096), values).expect("4096 divides the length"))
            }
            for [benign, wild] in [[view(&benign), view(&wild)], [view(&benign32), view(&wild32)]] {
                let [benign, wild] = [&benign, &wild].map(|view| measure(name, backend, (op, axis), view, words));
                if let (Some(benign), Some(wild)) = (benign, wild) {
                    println!("ratio:     all exponents / a ramp: {:.2} times as long", wild / benign);
                }
            }
        }
    }
}

/// What is timed.
type Case<'a> = Box<dyn FnMut() + 'a>;

fn in_cache(devices: &[(String, Backend)]) {
    for kib in [4, 128, 1024] {
        let values: Vec<f64> = (0..kib << 7).map(|i| i as f64 * 0.25 - 77.0).collect();
        let singles: Vec<f32> = (0..kib << 8).map(|i| (i % 1013) as f32 * 0.25 - 77.0).collect();
        let exact = || {
            let mut sum = ExactSum::new();
            sum.extend_f64(black_box(&values));
            sum.to_f64()
        };
        let exact32 = || {
            let mut sum = ExactSum::new();
            sum.extend_f32(black_box(&singles));
            sum.to_f32()
        };
        assert_eq!(exact(), limits::plain_f64(&values));
        let mut lines: Vec<(String, f64, Case<'_>)> = vec![];
        let runs = limits::runs(((4 << 20) / kib / 8).min(20_000));
        let plain = limits::shortest(runs, || {
            black_box(limits::plain_f64(black_box(&values)));
        });
        let plain32 = limits::shortest(runs, || {
            black_box(limits::plain_f32(black_box(&singles)));
        });
        let (plain, plain32) = (plain.as_secs_f64(), plain32.as_secs_f64());
        lines.push((
            format!("exact sum of {kib} KiB float64 on one thread"),
            plain,
            Box::new(|| {
                black_box(exact());
            }),
        ));
        lines.push((
            format!("exact sum of {kib} KiB float32 on one thread"),
            plain32,
            Box::new(|| {
                black_box(exact32());
            }),
        ));
        for (name, backend) in devices {
            let sum = || {
                black_box(backend.sum(black_box(&values)).and_then(|sum| sum.item()).expect("the sum"));
            };
            lines.push((format!("sum of {kib} KiB float64 on {name}"), plain, Box::new(sum)));
            let sum = || {
                black_box(backend.sum(black_box(&singles)).and_then(|sum| sum.item()).expect("the sum"));
            };
            lines.push((format!("sum of {kib} KiB float32 on {name}"), plain32, Box::new(sum)));
        }
        for (name, plain, mut work) in lines {
            if limits::wanted(&name) {
                let time = limits::shortest(runs, &mut work).as_secs_f64();
                let rate = (kib << 10) as f64 / 1e9;
                println!(
                    "ratio: {name}: {:.2} µs, {:.1} GB/s, {:.2} of a plain sum at {:.1} GB/s",
                    time * 1e6,
                    rate / time,
                    plain / time,
                    rate / plain
                );
            }
        }
    }
}

fn main() {
    let devices = devices();
    in_cache(&devices);
    against_the_memory(&devices);
    over_all_exponents(&devices);
}
