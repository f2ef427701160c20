//! Host to device and back, on every GPU, beside what `memcpy` does with the same bytes.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use unisono::{Backend, DeviceClass, ViewMut, devices};

const SIZES: [usize; 4] = [4 << 10, 1 << 20, 16 << 20, 128 << 20];

fn transfer(criterion: &mut Criterion) {
    let gpus: Vec<_> = devices().into_iter().map(|device| device.info).filter(|info| info.class != DeviceClass::Cpu).collect();
    for bytes in SIZES {
        let data: Vec<u32> = (0..bytes as u32 / 4).map(|i| i.wrapping_mul(0x9E37_79B9)).collect();
        let mut out = vec![0u32; data.len()];
        let mut group = criterion.benchmark_group(format!("transfer/{} KiB", bytes >> 10));
        group.throughput(Throughput::Bytes(bytes as u64)).sample_size(10);
        group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
        group.bench_function("memcpy", |bencher| bencher.iter(|| black_box(&mut out[..]).copy_from_slice(black_box(&data[..]))));
        for info in &gpus {
            let name = format!("{} {}", info.id, info.name);
            let backend = match info.id.trim_start_matches("gpu:").parse().map(Backend::gpu) {
                Ok(Ok(backend)) => backend,
                other => {
                    eprintln!("{name} is left out: {other:?}");
                    continue;
                }
            };
            let array = backend.upload(&data).expect("an upload").into_dyn();
            array.read_into(ViewMut::from_slice(&mut out)).expect("a download");
            assert!(out == data, "{name}");
            group.bench_function(BenchmarkId::new("upload", &name), |bencher| {
                bencher.iter(|| backend.upload(black_box(&data)).expect("an upload"));
            });
            group.bench_function(BenchmarkId::new("download", &name), |bencher| {
                bencher.iter(|| array.read_into(ViewMut::from_slice(black_box(&mut out))).expect("a download"));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, transfer);
criterion_main!(benches);
