//! What the smallest piece of work costs on each device: one dispatch, its wait and its read-back on a GPU.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use unisono::{Backend, devices};

fn launch(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("launch");
    group.sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    let cpu = Backend::cpu();
    for device in devices() {
        let name = format!("{} {}", device.info.id, device.info.name);
        let backend: Backend = match device.info.id.parse() {
            Ok(backend) => backend,
            Err(error) => {
                eprintln!("{name} is left out: {error}");
                continue;
            }
        };
        // Whole blocks of four samples: nothing of it is done on the host.
        for samples in [4u64, 4096] {
            let expected = cpu.pi_range(0..samples, 42).expect("a count").hits;
            assert_eq!(backend.pi_range(0..samples, 42).expect("a count").hits, expected, "{name}");
            group.bench_function(BenchmarkId::new(format!("pi of {samples} samples"), &name), |bencher| {
                bencher.iter(|| backend.pi_range(0..samples, 42).expect("a count"));
            });
        }
        group.bench_function(BenchmarkId::new("upload of 4 bytes", &name), |bencher| {
            bencher.iter(|| backend.upload(&[1u32]).expect("an upload"));
        });
    }
    group.finish();
}

criterion_group!(benches, launch);
criterion_main!(benches);
