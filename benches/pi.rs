//! Samples per second of Monte Carlo π on each device, for one thread up to all on the CPU, beside a measured limit.
//!
//! `UNISONO_BENCH_DEVICES=cpu,gpu:0 cargo bench --bench pi` chooses the devices (default: `cpu`). The answer of each is
//! checked against the definition before it is timed. The lines that start with `ratio:` compare the best of several runs
//! with the rate at which one core multiplies: a sample needs 17/32 of a vector product with AVX-512, 17/16 with AVX2. The other
//! methods follow: samples per second, and how many plain samples per second a run of as many samples is worth.

use std::hint::black_box;
use std::time::Instant;

use criterion::{BenchmarkId, Criterion, Throughput};
use unisono::{Backend, MonteCarlo, Philox4x32, PiMethod};

mod limits;

fn main() {
    let names = std::env::var("UNISONO_BENCH_DEVICES").unwrap_or_else(|_| "cpu".into());
    let mut backends: Vec<Backend> = vec![];
    for name in names.split(',') {
        let backend: Backend = name.parse().unwrap_or_else(|error| panic!("{error}"));
        if name == "cpu" {
            let threads = backend.info().threads;
            let counts = (0..).map(|power| 1 << power).take_while(|&count| count < threads);
            backends.extend(counts.map(|count| Backend::cpu_threads(count).unwrap_or_else(|error| panic!("{error}"))));
        }
        backends.push(backend);
    }
    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    let mut group = criterion.benchmark_group("pi");
    let mut best = vec![];
    for backend in &backends {
        check(backend);
        let samples = enough(backend);
        group.throughput(Throughput::Elements(samples));
        let id = BenchmarkId::from_parameter(backend.info().id);
        group.bench_function(id, |bencher| bencher.iter(|| backend.pi(black_box(samples), 42)));
        best.push(
            samples as f64
                / (0..limits::runs(9)).map(|_| seconds(|| drop(backend.pi(black_box(samples), 42)))).fold(f64::MAX, f64::min),
        );
    }
    group.finish();
    let limit = limit();
    for (backend, rate) in backends.iter().zip(best) {
        let info = backend.info();
        print!("ratio: pi on {} ({}): {:.2} G samples/s", info.id, info.name, rate / 1e9);
        match limit {
            Some((name, limit)) if info.threads > 0 && backend.members().is_empty() => {
                let limit = limit * info.threads as f64;
                println!(
                    ", {:.0} % of {:.2}, the limit of {name} on {} threads",
                    100.0 * rate / limit,
                    limit / 1e9,
                    info.threads
                );
            }
            _ => println!(),
        }
    }
    for backend in &backends {
        methods(&mut criterion, backend);
    }
}

/// Every method with both widths of coordinates.
fn methods(criterion: &mut Criterion, backend: &Backend) {
    let samples = enough(backend).next_multiple_of(1 << 16);
    let id = backend.info().id;
    let mut group = criterion.benchmark_group(format!("pi methods on {id}"));
    group.throughput(Throughput::Elements(samples));
    let mut lines = vec![];
    for method in PiMethod::ALL {
        for bits in [16, 32] {
            let how = MonteCarlo::pi().method(method).bits(bits).seed(42);
            let run = || backend.monte_carlo(black_box(&how), 0..samples).unwrap_or_else(|error| panic!("{error}"));
            // Checked against the definition before it is timed.
            let few: u64 = (0..1 << 16).map(|sample| method.points() - u64::from(how.misses(sample))).sum();
            let found = backend.monte_carlo(&how, 0..1 << 16).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(found.hits, few, "{backend:?} {how}");
            group.bench_function(BenchmarkId::new(method.name(), bits), |bencher| bencher.iter(run));
            let time = (0..limits::runs(9)).map(|_| seconds(|| _ = black_box(run()))).fold(f64::MAX, f64::min);
            let (rate, worth) = (samples as f64 / time, run().equivalent_samples() / time);
            lines.push(format!("ratio: {method}, {bits} bits on {id}: {:.2} G samples/s, worth {worth:.2e} plain", rate / 1e9));
        }
    }
    group.finish();
    lines.iter().for_each(|line| println!("{line}"));
}

/// Compares hits with the definition of a sample.
fn check(backend: &Backend) {
    let (range, seed) = (5..1_000_003, 42);
    let philox = Philox4x32::new(seed);
    let is_hit = |sample: &u64| {
        let word = philox.block(sample / 4)[(sample % 4) as usize];
        let (x, y) = (word as u16 as i16 as i64, (word >> 16) as i16 as i64);
        x * (x + 1) + y * (y + 1) < 1 << 30
    };
    let expected = range.clone().filter(is_hit).count() as u64;
    let found = backend.pi_range(range, seed).unwrap_or_else(|error| panic!("{backend:?}: {error}"));
    assert_eq!(found.hits, expected, "{backend:?}");
}

/// So many samples that the device needs some tens of milliseconds.
fn enough(backend: &Backend) -> u64 {
    let mut samples = 1 << 22;
    while !limits::tried() && samples < 1 << 40 && seconds(|| drop(backend.pi(samples, 1))) < 0.03 {
        samples *= 2;
    }
    samples
}

fn seconds(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

/// What multiplies the words, and the samples per second of one core that did nothing else.
#[cfg(target_arch = "x86_64")]
fn limit() -> Option<(&'static str, f64)> {
    use std::arch::x86_64::*;

    const LOOPS: u64 = 1_000_000;
    /// Products in flight: enough to hide their latency.
    const CHAINS: usize = 12;

    #[target_feature(enable = "avx512f")]
    fn wide(loops: u64) -> u64 {
        let factor = _mm512_set1_epi64(0xD251_1F53);
        let mut chains = black_box([_mm512_set1_epi64(3); CHAINS]);
        for _ in 0..loops {
            for x in &mut chains {
                *x = _mm512_mul_epu32(*x, factor);
            }
        }
        chains.into_iter().map(|x| _mm512_reduce_add_epi64(x) as u64).fold(0, u64::wrapping_add)
    }

    #[target_feature(enable = "avx2")]
    fn narrow(loops: u64) -> u64 {
        let factor = _mm256_set1_epi64x(0xD251_1F53);
        let mut chains = black_box([_mm256_set1_epi64x(3); CHAINS]);
        for _ in 0..loops {
            for x in &mut chains {
                *x = _mm256_mul_epu32(*x, factor);
            }
        }
        chains.into_iter().map(|x| _mm256_extract_epi64::<0>(x) as u64).fold(0, u64::wrapping_add)
    }

    let level = std::env::var("UNISONO_SIMD").unwrap_or_default();
    let best = |run: &dyn Fn() -> u64, samples_per_product: f64| {
        let time = (0..limits::runs(9)).map(|_| seconds(|| _ = black_box(run()))).fold(f64::MAX, f64::min);
        LOOPS as f64 * CHAINS as f64 / time * samples_per_product
    };
    if level.is_empty() && is_x86_feature_detected!("avx512f") {
        // SAFETY: the feature was just found.
        Some(("vpmuludq in 512 bits", best(&|| unsafe { wide(black_box(LOOPS)) }, 32.0 / 17.0)))
    } else if level != "portable" && is_x86_feature_detected!("avx2") {
        // SAFETY: the feature was just found.
        Some(("vpmuludq in 256 bits", best(&|| unsafe { narrow(black_box(LOOPS)) }, 16.0 / 17.0)))
    } else {
        None
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn limit() -> Option<(&'static str, f64)> {
    None
}
