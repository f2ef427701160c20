//! Expressions over arrays, reduced, and sampled, on each device, beside what the machine can do at most.
//!
//! `UNISONO_BENCH_DEVICES=cpu,gpu:0 cargo bench --bench expressions` chooses the devices (default: `cpu`). The lines that
//! start with `ratio:` compare the best of several runs with copying or reading as many bytes, and with π's generator, which
//! makes a quarter of the words that a sample of four coordinates takes. `first:` is what a call with an expression that the process has
//! not seen takes longer than the next one.

use std::hint::black_box;
use std::time::Instant;

use criterion::{BenchmarkId, Criterion, Throughput};
use unisono::{AsOperand, Backend, Dtype, HostVec, IntegralMethod, Integrate, Map, ReduceOp};

#[path = "limits/mod.rs"]
mod limits;

const ELEMENTS: usize = 1 << 22;
const SAMPLES: u64 = 1 << 22;
const MAPS: [&str; 8] = [
    "(a - b)*(a - b)",
    "a/(1 + b*b) - sqrt(a*a)",
    "exp(-a*a)",
    "sin(a)*log(b + 4)",
    "where(a > b, a**1.5, cos(b))",
    // Made of other functions.
    "tanh(a)",
    "erf(a)",
    "atan2(a, b)",
];
/// In float64.
const WIDE: [&str; 7] = ["exp(-a*a)", "log(a + 4)", "sin(a)", "log2(a + 4)", "log10(a + 4)", "(a + 4)**b", "tanh(a)"];
const INTEGRAND: &str = "exp(-(x*x + y*y + z*z + w*w))";

fn main() {
    let names = std::env::var("UNISONO_BENCH_DEVICES").unwrap_or_else(|_| "cpu".into());
    let a: Vec<f32> = (0..ELEMENTS).map(|i| (i % 1009) as f32 * 0.003 - 1.5).collect();
    let b: Vec<f32> = (0..ELEMENTS).map(|i| (i % 997) as f32 * 0.003 - 1.5).collect();
    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    for name in names.split(',') {
        let backend: Backend = name.parse().unwrap_or_else(|error| panic!("{error}"));
        let threads = backend.info().threads.max(1);
        let mut group = criterion.benchmark_group(format!("expressions on {name}"));
        let (mut ratios, mut firsts) = (vec![], vec![]);
        for text in MAPS {
            let how = Map::new(text).unwrap_or_else(|error| panic!("{error}"));
            let names: Vec<_> = how.names().to_vec();
            let arrays: Vec<_> =
                names.iter().map(|name| (name.as_str(), if name == "a" { a.as_operand() } else { b.as_operand() })).collect();
            let mut out = vec![0f32; ELEMENTS];
            let mut map = || {
                let output = unisono::AsOutput::as_output(&mut out[..]);
                backend.map_dyn_into(black_box(&how), &arrays, output).unwrap_or_else(|error| panic!("{error}"));
            };
            group.throughput(Throughput::Elements(ELEMENTS as u64));
            group.bench_function(BenchmarkId::new("map", text), |bencher| bencher.iter(&mut map));
            let time = best(&mut map);
            let copying = (4 * ELEMENTS * (names.len() + 1)) as f64 / limits::copied(threads);
            ratios.push(format!(
                "map {text}: {:.2} G elements/s, {:.2} of the time of copying its bytes",
                ELEMENTS as f64 / time / 1e9,
                time / copying
            ));
            let reduce =
                || backend.map_reduce_dyn(black_box(&how), ReduceOp::Sum, &arrays).unwrap_or_else(|error| panic!("{error}"));
            assert!(matches!(reduce().into_host(), Ok(HostVec::F32(_))));
            group.bench_function(BenchmarkId::new("map_reduce", text), |bencher| bencher.iter(reduce));
            let time = best(&mut || drop(black_box(reduce())));
            let reading = (4 * ELEMENTS * names.len()) as f64 / limits::copied(threads);
            ratios.push(format!(
                "map_reduce {text}: {:.2} G elements/s, {:.2} of the time of moving its bytes",
                ELEMENTS as f64 / time / 1e9,
                time / reading
            ));
            let call = |constant: usize| {
                let how = Map::new(&format!("{text} + {constant}*a")).unwrap_or_else(|error| panic!("{error}"));
                let few: Vec<_> = arrays.iter().map(|(name, _)| (*name, a[..1000].as_operand())).collect();
                let start = Instant::now();
                black_box(backend.map_dyn(&how, &few)).unwrap_or_else(|error| panic!("{error}"));
                start.elapsed().as_secs_f64()
            };
            let (first, next) = (call(7), call(7));
            firsts.push(format!("map {text}: {:.3} ms", (first - next) * 1e3));
        }
        let how = Integrate::new(INTEGRAND, &["x", "y", "z", "w"].map(|name| (name, 0.0, 1.0))).map(|how| how.samples(SAMPLES));
        let how = how.unwrap_or_else(|error| panic!("{error}"));
        let run = || backend.integrate(black_box(&how)).unwrap_or_else(|error| panic!("{error}"));
        assert!((run().estimate - 0.746_824_132_8f64.powi(4)).abs() < 5.0 * run().standard_error);
        group.throughput(Throughput::Elements(SAMPLES));
        group.bench_function("integrate", |bencher| bencher.iter(run));
        let timed = best(&mut || {
            black_box(run());
        });
        let rate = SAMPLES as f64 / timed;
        let timed = best(&mut || {
            black_box(backend.pi(16 * SAMPLES, 1)).unwrap_or_else(|error| panic!("{error}"));
        });
        let words = 16.0 * SAMPLES as f64 / timed;
        let multiply_adds = limits::multiply_adds(threads, false);
        ratios.push(format!(
            "integrate {INTEGRAND}: {:.3} G samples/s, {:.2} of π's generator, one for {:.0} multiply-adds",
            rate / 1e9,
            4.0 * rate / words,
            multiply_adds / rate
        ));
        for method in [IntegralMethod::Vegas, IntegralMethod::Sobol] {
            let how = how.clone().method(method);
            let timed = best(&mut || {
                black_box(backend.integrate(black_box(&how))).unwrap_or_else(|error| panic!("{error}"));
            });
            ratios.push(format!("integrate {INTEGRAND} by {method}: {:.3} G samples/s", SAMPLES as f64 / timed / 1e9));
        }
        if name.starts_with("cpu") {
            ratios.extend(in_float64(&backend, &how));
        }
        group.finish();
        ratios.iter().for_each(|text| println!("ratio: {name}: {text}"));
        firsts.iter().for_each(|text| println!("first: {name}: {text}"));
    }
}

/// Maps and the integral in float64.
fn in_float64(backend: &Backend, how: &Integrate) -> Vec<String> {
    let array = |step: usize| -> Vec<f64> { (0..ELEMENTS).map(|i| (i * step % 1009) as f64 * 0.003 - 1.5).collect() };
    let (a, b, mut out) = (array(1), array(7), vec![0f64; ELEMENTS]);
    let mut lines = vec![];
    for text in WIDE {
        let map = Map::new(text).unwrap_or_else(|error| panic!("{error}"));
        let arrays: Vec<_> =
            (map.names().iter()).map(|name| (name.as_str(), if name == "a" { a.as_operand() } else { b.as_operand() })).collect();
        let time = best(&mut || {
            let output = unisono::AsOutput::as_output(&mut out[..]);
            backend.map_dyn_into(&map, &arrays, output).unwrap_or_else(|error| panic!("{error}"));
        });
        lines.push(format!("map {text} in float64: {:.2} G elements/s", ELEMENTS as f64 / time / 1e9));
    }
    let how = how.clone().dtype(Dtype::F64);
    let time = best(&mut || {
        black_box(backend.integrate(black_box(&how))).unwrap_or_else(|error| panic!("{error}"));
    });
    lines.push(format!("integrate {INTEGRAND} in float64: {:.3} G samples/s", SAMPLES as f64 / time / 1e9));
    lines
}

/// Seconds of the best of some runs.
fn best(run: &mut dyn FnMut()) -> f64 {
    let once = |_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    };
    (0..limits::runs(7)).map(once).fold(f64::INFINITY, f64::min)
}
