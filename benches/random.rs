//! Random numbers per second of each distribution on each device, into memory that is there already.
//!
//! `UNISONO_BENCH_DEVICES=cpu,gpu:0 cargo bench --bench random` chooses the devices (default: `cpu`). Each answer is checked
//! against one thread of the CPU before it is timed. The lines that start with `ratio:` compare the best of several runs with
//! the bytes per second that copying writes.

mod limits;

use std::time::Instant;

use criterion::{BenchmarkId, Criterion, Throughput};
use unisono::random::{BitGenerator, Random, Stream};
use unisono::{Backend, Dtype, DynArray, HostVec, Output};

/// Elements: more than the second-level caches hold.
const LEN: usize = 1 << 22;

fn main() {
    let names = std::env::var("UNISONO_BENCH_DEVICES").unwrap_or_else(|_| "cpu".into());
    let open = |name: &str| name.parse().unwrap_or_else(|error| panic!("{error}"));
    let backends: Vec<Backend> = names.split(',').map(open).collect();
    let threefry = Stream::new(42).generator(BitGenerator::Threefry4x32_20);
    let cases = [
        ("uniform f32", Random::uniform(0.0, 1.0), Dtype::F32),
        ("uniform f32 threefry", Random::uniform(0.0, 1.0).stream(threefry), Dtype::F32),
        ("uniform f64", Random::uniform(0.0, 1.0), Dtype::F64),
        ("normal f32", Random::normal(0.0, 1.0), Dtype::F32),
        ("normal f64", Random::normal(0.0, 1.0), Dtype::F64),
        ("exponential f32", Random::exponential(1.0), Dtype::F32),
        ("integers u8", Random::integers(0, 6), Dtype::U8),
    ];
    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    let mut best = vec![];
    for (name, how, dtype) in &cases {
        let mut group = criterion.benchmark_group(*name);
        group.throughput(Throughput::Elements(LEN as u64));
        for backend in &backends {
            check(backend, how, *dtype);
            let mut out = draw(backend, how, *dtype, LEN);
            let mut run = || backend.random_dyn_into(how, Output::Array(&mut out)).unwrap_or_else(|error| panic!("{error}"));
            group.bench_function(BenchmarkId::from_parameter(backend.info().id), |bencher| bencher.iter(&mut run));
            let time = (0..limits::runs(9)).map(|_| seconds(&mut run)).fold(f64::MAX, f64::min);
            best.push((*name, backend.info(), LEN as f64 / time, dtype.size()));
        }
        group.finish();
    }
    for (name, info, rate, size) in best {
        print!("ratio: {name} on {}: {:.0} M numbers/s", info.id, rate / 1e6);
        if info.threads > 0 {
            let written = limits::copied(info.threads) / 2.0;
            print!(", {:.0} % of the {:.1} GB/s that copying writes", 100.0 * rate * size as f64 / written, written / 1e9);
        }
        println!();
    }
}

fn draw(backend: &Backend, how: &Random, dtype: Dtype, len: usize) -> DynArray {
    backend.random_dyn(how, dtype, &[len]).unwrap_or_else(|error| panic!("{error}"))
}

fn check(backend: &Backend, how: &Random, dtype: Dtype) {
    let one = Backend::cpu_threads(1).unwrap_or_else(|error| panic!("{error}"));
    let host = |backend: &Backend| -> HostVec {
        draw(backend, how, dtype, 100_003).into_host().unwrap_or_else(|error| panic!("{error}"))
    };
    assert!(host(backend) == host(&one), "{backend:?} draws other numbers");
}

fn seconds(run: impl FnOnce()) -> f64 {
    let start = Instant::now();
    run();
    start.elapsed().as_secs_f64()
}
