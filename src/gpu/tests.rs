//! The engine's ground floor, on every adapter present.

use std::sync::Arc;

use ndarray::{Array, s};

use super::context::Context;
use super::dispatch::fold;
use super::memory::GpuBuffer;
use super::pipeline::{Shader, Slot};
use super::{GpuEngine, adapters};
use crate::engine::Engine;
use crate::plan::{MonteCarlo, MonteCarloPlan};
use crate::view::View;
use crate::{Control, Element, Error, HostVec, Philox4x32, Storage};

mod limits;
pub(super) mod segments;

/// One engine per adapter. Without an adapter a test is skipped, loudly; with `UNISONO_REQUIRE_GPU=1` it fails.
pub(super) fn engines() -> Vec<GpuEngine> {
    let engines: Vec<_> = (0..adapters::all().len()).map(|index| GpuEngine::open(index).unwrap()).collect();
    if engines.is_empty() {
        assert!(std::env::var("UNISONO_REQUIRE_GPU").as_deref() != Ok("1"), "no GPU adapter, and UNISONO_REQUIRE_GPU=1");
        eprintln!("SKIPPED: no GPU adapter was found");
    }
    engines
}

fn gpu_buffer(storage: &Storage) -> &GpuBuffer {
    let Storage::Gpu(buffer) = storage else { panic!("not on the device") };
    buffer
}

fn back<T: Element>(storage: &Storage, len: usize) -> HostVec {
    let mut vec = HostVec::zeros(T::DTYPE, len).unwrap();
    gpu_buffer(storage).download(vec.view_mut(&[len])).unwrap();
    vec
}

fn noise(len: usize) -> Vec<u8> {
    (0..len as u32).map(|i| (i.wrapping_mul(0x9E37_79B9) >> 13) as u8).collect()
}

#[test]
fn what_is_uploaded_comes_back() {
    for engine in engines() {
        let context = engine.context().unwrap();
        let staging = context.tuning.staging as usize;
        let small = context.tuning.small as usize;
        let sizes =
            [0, 1, 2, 3, 4, 5, 255, 256, 257, small - 1, small, small + 1, staging - 1, staging, staging + 1, 3 * staging + 5];
        for len in sizes {
            let bytes = noise(len);
            let before = engine.counters();
            let storage = engine.upload(&View::from_slice(&bytes)).unwrap();
            assert_eq!(back::<u8>(&storage, len), HostVec::U8(bytes), "{} {len}", context.id);
            let after = engine.counters();
            assert_eq!(after.uploaded - before.uploaded, len as u64);
            assert_eq!(after.downloaded - before.downloaded, len as u64);
            assert_eq!(after.operations - before.operations, 1);
        }
    }
}

#[test]
fn an_array_beyond_a_binding_is_cut_into_segments() {
    for engine in engines() {
        let context = engine.context().unwrap();
        // Only where a binding is small is the test affordable.
        let most = context.max_block();
        if most > 256 << 20 {
            continue;
        }
        let len = (most + 1001) as usize / 2;
        let values: Vec<u16> = (0..len as u32).map(|i| (i.wrapping_mul(0x9E37_79B9) >> 13) as u16).collect();
        let storage = engine.upload(&View::from_slice(&values)).unwrap();
        let buffer = gpu_buffer(&storage);
        assert_eq!(buffer.segments().len(), 2);
        // Across the border, inside a word, and inside one segment.
        for range in [most - 8..most + 12, most - 6..most + 10, 1024..2048, 1026..1032, most + 2..most + 6, 5..5] {
            let gathered = buffer.gather(range.clone()).unwrap();
            let bytes = range.end - range.start;
            let mut got = vec![0; bytes as usize];
            context.read_bytes(&gathered.block, gathered.offset, &mut got).unwrap();
            let expected: &[u8] = bytemuck::cast_slice(&values[range.start as usize / 2..range.end as usize / 2]);
            assert_eq!(got, expected, "{range:?}");
        }
        assert!(buffer.gather(0..buffer.bytes() + 1).is_err());
        assert_eq!(back::<u16>(&storage, len), HostVec::U16(values));
    }
}

#[test]
fn several_threads_move_one_large_array() {
    for engine in engines() {
        let adapter = &adapters::all()[engine.index];
        let mut context = Context::open(adapter, engine.context().unwrap().caps, Arc::default()).unwrap();
        Arc::get_mut(&mut context).unwrap().tuning.threads = 3;
        let len = 25 * (1 << 20) + 3;
        let values: Vec<u32> = (0..len as u32).map(|i| i.wrapping_mul(0x9E37_79B9)).collect();
        let buffer = context.upload_view(&View::from_slice(&values), &Control::new()).unwrap();
        assert!(back::<u32>(&Storage::Gpu(buffer), len) == HostVec::U32(values));
        assert_eq!(context.tally.read().uploaded, 4 * len as u64);
        let control = Control::new();
        control.cancel();
        let view = HostVec::zeros(crate::Dtype::U32, len).unwrap();
        assert!(matches!(context.upload_view(&view.view(&[len]), &control), Err(Error::Cancelled { .. })));
    }
}

#[test]
fn buffers_are_pooled_and_the_pool_is_bounded() {
    for engine in engines() {
        let adapter = &adapters::all()[engine.index];
        let mut context = Context::open(adapter, engine.context().unwrap().caps, Arc::default()).unwrap();
        Arc::get_mut(&mut context).unwrap().tuning.pool = 3 << 20;
        let first = context.block(1_000_000).unwrap();
        let (buffer, size) = (first.buffer().clone(), first.size());
        assert!((1_000_000..1_130_000).contains(&size));
        drop(first);
        let again = context.block(size).unwrap();
        assert!(again.buffer() == &buffer);
        let others: Vec<_> = (0..6).map(|_| context.block(1 << 20).unwrap()).collect();
        drop(others);
        assert_eq!(context.pooled(), 3);
        drop(again);
        assert_eq!(context.pooled(), 3);
        let storage = Storage::Gpu(context.upload_view(&View::from_slice(&noise(1 << 20)), &Control::new()).unwrap());
        assert_eq!(GpuBuffer::reuse(Some(storage.clone()), &context).len(), 0);
        assert_eq!(GpuBuffer::reuse(Some(storage), &context).len(), 1);
    }
}

#[test]
fn strided_views_arrive_in_c_order() {
    let a = Array::from_shape_fn((70, 50, 60), |(i, j, k)| (10_000 * i + 100 * j + k) as i64);
    for engine in engines() {
        for view in [a.view(), a.slice(s![..;-1, 1..40;2, ..;-2]), a.view().permuted_axes([2, 0, 1]), a.slice(s![2..2, .., ..])] {
            let storage = engine.upload(&View::from_ndarray(view.view())).unwrap();
            let expected: Vec<i64> = view.iter().copied().collect();
            assert_eq!(back::<i64>(&storage, expected.len()), HostVec::I64(expected));
        }
        let mut target = Array::<i64, _>::zeros((50, 70)).reversed_axes();
        let plane = a.slice(s![.., .., 3]);
        let storage = engine.upload(&View::from_ndarray(plane.view())).unwrap();
        gpu_buffer(&storage).download(crate::view::ViewMut::from_ndarray(target.view_mut())).unwrap();
        assert_eq!(target, plane);
    }
}

#[test]
fn hits_are_those_of_the_scalar_reference() {
    let ranges = [0..0, 0..1, 0..4, 3..4, 1..3, 3..5, 1..20_003, (1 << 32) - 5..(1 << 32) + 70_001];
    let far = [
        1_000_000_000_003..1_000_000_100_000,
        (1 << 34) - 9..(1 << 34) + 40_000,
        1 << 62..(1 << 62) + 9_999,
        u64::MAX - 10_001..u64::MAX,
    ];
    for engine in engines() {
        for range in ranges.iter().chain(&far) {
            for seed in [0, 42, u64::MAX] {
                let plan = MonteCarloPlan::new(&MonteCarlo::pi().seed(seed), range.clone()).unwrap();
                let philox = Philox4x32::new(seed);
                let expected = range.clone().filter(|&sample| philox.sample_is_hit(sample)).count() as u64;
                let control = Control::new();
                assert_eq!(engine.count_hits(&plan, &control).unwrap().counts[0], expected, "{} {range:?}", engine.info().id);
                assert_eq!(control.progress().done, plan.len());
            }
        }
        let control = Control::new();
        control.cancel();
        let endless = MonteCarloPlan::new(&MonteCarlo::pi().seed(1), 0..u64::MAX).unwrap();
        assert!(matches!(engine.count_hits(&endless, &control), Err(Error::Cancelled { .. })));
    }
}

#[test]
fn long_runs_are_sliced_and_stop_when_cancelled() {
    for engine in engines() {
        let control = Control::new();
        let before = engine.counters().dispatches;
        let far = control.clone();
        let plan = MonteCarloPlan::new(&MonteCarlo::pi().seed(7), 0..u64::MAX).unwrap();
        let error = std::thread::scope(|scope| {
            let run = scope.spawn(|| engine.count_hits(&plan, &control));
            while far.progress().done < 100_000_000 {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            far.cancel();
            run.join().unwrap().unwrap_err()
        });
        assert!(matches!(error, Error::Cancelled { done, .. } if done >= 100_000_000), "{error}");
        assert!(engine.counters().dispatches - before >= 3);
        // The device is as good as before.
        let plan = MonteCarloPlan::new(&MonteCarlo::pi().seed(7), 0..1000).unwrap();
        assert!(engine.count_hits(&plan, &Control::new()).unwrap().counts[0] > 700);
    }
}

#[test]
fn a_shader_that_does_not_compile_is_an_error() {
    let compile = |context: &Arc<Context>, text: &'static str, workgroup: u32, bytes: u32| {
        let shader = Shader {
            label: "broken",
            source: &|| text.into(),
            variant: text,
            constants: &[],
            workgroup: [workgroup, 1, 1],
            workgroup_bytes: bytes,
            slots: &[Slot::ReadWrite],
        };
        context.pipeline(&shader).map(|_| ()).unwrap_err()
    };
    const GOOD: &str =
        "@group(0) @binding(0) var<storage, read_write> o: array<u32>; @compute @workgroup_size(1) fn main() { o[0] = 1u; }";
    for engine in engines() {
        let context = engine.context().unwrap();
        let told = |error: Error, words: &str| {
            assert!(matches!(&error, Error::Device { stage, .. } if stage == "compiling shader broken"), "{error:?}");
            assert!(error.to_string().contains(words), "{error}");
        };
        told(compile(&context, "fn f( { }", 1, 0), "expected");
        told(compile(&context, "@compute @workgroup_size(1) fn other() {}", 1, 0), "main");
        // A pointer to an element as an argument makes naga 30 panic.
        const PANIC: &str =
            "@group(0) @binding(0) var<storage, read_write> o: array<u32>; fn f(p: ptr<function, u32>) -> u32 { return *p; }
            @compute @workgroup_size(1) fn main() { var a = array<u32, 4>(1u, 2u, 3u, 4u); o[0] = f(&a[1]); }";
        told(compile(&context, PANIC, 1, 0), "");
        told(compile(&context, GOOD, 4096, 0), "workgroup");
        told(compile(&context, GOOD, 1, 1 << 20), "workgroup memory");
        assert!(engine.count_hits(&MonteCarloPlan::new(&MonteCarlo::pi().seed(1), 0..100).unwrap(), &Control::new()).is_ok());
    }
}

#[test]
fn a_lost_device_is_an_error_and_then_replaced() {
    for engine in engines() {
        let context = engine.context().unwrap();
        let storage = engine.upload(&View::from_slice(&noise(1 << 20))).unwrap();
        context.destroy();
        let plan = MonteCarloPlan::new(&MonteCarlo::pi().seed(1), 0..100_000).unwrap();
        let error = engine.count_hits(&plan, &Control::new()).unwrap_err();
        assert!(matches!(error, Error::DeviceLost { .. }), "{error:?}");
        let mut out = vec![0u8; 1 << 20];
        let error = gpu_buffer(&storage).download(crate::view::ViewMut::from_slice(&mut out)).unwrap_err();
        assert!(matches!(error, Error::DeviceLost { .. }), "{error:?}");
        assert!(engine.count_hits(&plan, &Control::new()).is_ok());
        assert!(!Arc::ptr_eq(&context, &engine.context().unwrap()));
        assert!(!gpu_buffer(&storage).belongs_to(&engine.context().unwrap()));
    }
}

#[test]
fn a_device_lost_under_several_threads_stops_them_all() {
    for engine in engines() {
        let context = engine.context().unwrap();
        let errors: Vec<Error> = std::thread::scope(|scope| {
            let endless = |seed| MonteCarloPlan::new(&MonteCarlo::pi().seed(seed), 0..u64::MAX).unwrap();
            let control = Control::new();
            let runs: Vec<_> = (0..4)
                .map(|seed| {
                    let (engine, control) = (&engine, control.clone());
                    // An engine that is asked again opens a new device, so the context is what runs.
                    let context = engine.context().unwrap();
                    scope.spawn(move || super::monte_carlo::count_hits(&context, &endless(seed), &control).unwrap_err())
                })
                .collect();
            while control.progress().done < 1_000_000 {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            context.destroy();
            runs.into_iter().map(|run| run.join().unwrap()).collect()
        });
        assert!(errors.iter().all(|error| matches!(error, Error::DeviceLost { .. })), "{errors:?}");
        assert!(engine.count_hits(&MonteCarloPlan::new(&MonteCarlo::pi().seed(1), 0..100).unwrap(), &Control::new()).is_ok());
    }
}

#[test]
fn a_device_lost_in_the_middle_of_a_transfer_is_an_error() {
    for engine in engines() {
        let context = engine.context().unwrap();
        let bytes = 2 * context.tuning.staging + 12;
        let block = context.block(bytes).unwrap();
        let mut pieces = 0;
        let error = context.upload(&block, bytes, &Control::new(), &mut |_, out| {
            out.fill(7);
            pieces += 1;
            if pieces == 2 {
                context.destroy();
            }
        });
        assert!(matches!(error, Err(Error::DeviceLost { .. })), "{error:?}");
        assert!(matches!(context.read_small(&block, 4), Err(Error::DeviceLost { .. })));
        assert!(engine.upload(&View::from_slice(&noise(9))).is_ok());
    }
}

#[test]
fn lack_of_memory_is_an_error_and_the_device_goes_on() {
    for engine in engines() {
        let context = engine.context().unwrap();
        if !context.caps.software {
            // A GPU's memory may be in use by others; to fill it is not this test's to do.
            continue;
        }
        let mut held = vec![];
        let error = loop {
            match context.block(context.max_block()) {
                Ok(block) => held.push(block),
                Err(error) => break error,
            }
            assert!(held.len() < 10_000);
        };
        assert!(matches!(error, Error::OutOfMemory { bytes, .. } if bytes == context.max_block()), "{error:?}");
        held.clear();
        assert!(matches!(context.block(context.max_block() + 1), Err(Error::Device { .. })));
        assert_eq!(back::<u8>(&engine.upload(&View::from_slice(&noise(100))).unwrap(), 100), HostVec::U8(noise(100)));
    }
}

#[test]
fn several_threads_share_a_device() {
    for engine in engines() {
        std::thread::scope(|scope| {
            for thread in 0..4u64 {
                let engine = &engine;
                scope.spawn(move || {
                    for round in 0..4u64 {
                        let len = 5_000_001 + (thread * 1000 + round) as usize;
                        let values: Vec<u8> = noise(len).into_iter().map(|byte| byte ^ thread as u8).collect();
                        let storage = engine.upload(&View::from_slice(&values)).unwrap();
                        let start = thread * 1_000_003 + round;
                        let plan = MonteCarloPlan::new(&MonteCarlo::pi().seed(thread), start..start + 30_000).unwrap();
                        let philox = Philox4x32::new(thread);
                        let expected = plan.samples.clone().filter(|&sample| philox.sample_is_hit(sample)).count() as u64;
                        assert_eq!(engine.count_hits(&plan, &Control::new()).unwrap().counts[0], expected);
                        assert!(back::<u8>(&storage, len) == HostVec::U8(values));
                    }
                });
            }
        });
    }
}

#[test]
fn adapters_are_listed_once_hardware_first_and_described() {
    let list = super::list();
    assert!(list.windows(2).all(|pair| pair[0].class <= pair[1].class));
    for (index, info) in list.iter().enumerate() {
        assert_eq!(info.id, format!("gpu:{index}"));
        assert!(["Vulkan", "Metal", "DX12"].contains(&&*info.backend), "{}", info.backend);
        assert!(!info.name.is_empty() && info.max_binding > 0 && info.max_binding <= info.max_buffer);
        assert!(info.pci.is_none() || list.iter().filter(|other| other.pci == info.pci).count() == 1);
    }
    for engine in engines() {
        let info = engine.info();
        // What the two software adapters are known for.
        if info.driver.contains("Mesa 22") {
            assert!(info.warnings.iter().any(|text| text.contains("stops after 655")), "{:?}", info.warnings);
        }
        if info.name.contains("SwiftShader") {
            assert!(info.warnings.iter().any(|text| text.contains("denormals")), "{:?}", info.warnings);
            assert!(!info.f64 && !info.int64);
        }
        let caps = engine.context().unwrap().caps;
        if caps.software {
            // Neither of the known ones fuses, asked or not.
            assert!(!caps.contracts && !caps.fma, "{caps:?}");
            assert_eq!(caps.denormals, !info.warnings.iter().any(|text| text.contains("denormals")));
        }
    }
    let error = GpuEngine::open(list.len()).unwrap_err();
    assert!(matches!(&error, Error::NoDevice { device, .. } if *device == format!("gpu:{}", list.len())), "{error:?}");
    let words = if list.is_empty() { "libvulkan1" } else { "gpu:0" };
    assert!(error.to_string().contains(words), "{error}");
}

#[test]
fn two_logical_devices_on_one_adapter_do_not_share_memory() {
    for engine in engines() {
        let twin = GpuEngine::open(engine.index).unwrap();
        let storage = engine.upload(&View::from_slice(&[1u8, 2, 3])).unwrap();
        assert!(gpu_buffer(&storage).belongs_to(&engine.context().unwrap()));
        assert!(!gpu_buffer(&storage).belongs_to(&twin.context().unwrap()));
        let plan = MonteCarloPlan::new(&MonteCarlo::pi().seed(3), 0..200_000).unwrap();
        let (a, b) = std::thread::scope(|scope| {
            let a = scope.spawn(|| engine.count_hits(&plan, &Control::new()).unwrap());
            (a.join().unwrap(), twin.count_hits(&plan, &Control::new()).unwrap())
        });
        assert_eq!(a, b);
        assert!(twin.counters().dispatches >= 1 && twin.counters().work == 200_000);
    }
}

#[test]
fn folded_groups_cover_the_count_and_fit_the_device() {
    let Some(engine) = engines().pop() else { return };
    let limits = engine.context().unwrap().limits;
    for groups in [0, 1, 65_535, 65_536, 131_071, 65_535 * 65_535, 65_535 * 65_535 + 1, 1 << 40] {
        let [x, y, z] = fold(groups, &limits).map(u64::from);
        assert!(x * y * z >= groups && x.max(y).max(z) <= u64::from(limits.groups_per_dim), "{groups}");
        assert!(x * y * z <= groups + groups / 1000 + 1 || groups < 200_000 && x * y * z <= groups + 3, "{groups}: {x} {y} {z}");
    }
}
