//! Several devices on one piece of work: the bits of one device, and every member at work.

use std::sync::{Mutex, MutexGuard, PoisonError};

use ndarray::{Array, ArrayD, IxDyn};
use unisono::{AsOperand, Backend, Boundary, Control, Convolve, Counters, Error, Reduce, ReduceOp, devices};

/// Members may be shared with other tests of this process: who counts their work runs alone.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Joins of the CPU with itself, of the CPU with a GPU, of one adapter with itself, and of two adapters.
fn joins() -> Vec<Backend> {
    let gpus: Vec<String> = devices().into_iter().map(|device| device.info.id).filter(|id| id.starts_with("gpu")).collect();
    if gpus.is_empty() {
        let text = "NO GPU ADAPTER FOUND: only CPU engines are joined, the GPU part of this test is SKIPPED";
        assert!(std::env::var_os("UNISONO_REQUIRE_GPU").is_none(), "{text}, but UNISONO_REQUIRE_GPU is set");
        eprintln!("\n*** {text} ***\n");
    }
    let mut names = vec!["cpu:1+cpu:1".to_string(), "cpu:1+cpu:1+cpu:2+cpu:1+cpu:1".into()];
    if let Some(gpu) = gpus.first() {
        names.extend([format!("cpu+{gpu}"), format!("{gpu}+{gpu}")]);
    }
    if gpus.len() > 1 {
        names.push(format!("{}+{}", gpus[0], gpus[1]));
    }
    names.iter().map(|name| name.parse().unwrap_or_else(|error| panic!("{name}: {error}"))).collect()
}

fn noise(seed: usize) -> impl FnMut() -> u64 {
    let mut state = seed as u64;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    }
}

fn floats(shape: &[usize], seed: usize) -> ArrayD<f64> {
    let mut next = noise(seed);
    Array::from_shape_simple_fn(IxDyn(shape), || (next() as f64 - 1e9) * 10f64.powi((next() % 60) as i32 - 30))
}

fn integers(shape: &[usize], seed: usize) -> ArrayD<i32> {
    let mut next = noise(seed);
    Array::from_shape_simple_fn(IxDyn(shape), || (next() % 199) as i32 - 99)
}

fn work(backend: &Backend) -> Vec<u64> {
    backend.members().iter().map(|member| member.counters().work).collect()
}

#[test]
fn reductions_have_the_bits_of_one_device() {
    let _alone = alone();
    let cpu = Backend::cpu();
    for backend in joins() {
        for shape in [&[1][..], &[3], &[40_009], &[2, 3], &[513, 65], &[3, 1, 999]] {
            let (f, i) = (floats(shape, 1), integers(shape, 2));
            for op in [ReduceOp::Sum, ReduceOp::Mean, ReduceOp::Min, ReduceOp::ArgMax, ReduceOp::All, ReduceOp::CountNonzero] {
                for axes in [None, Some(0), Some(-1)] {
                    let how = axes.map_or(Reduce::of(op), |axis| Reduce::of(op).axes(&[axis]).keepdims());
                    for operand in [f.as_operand(), i.as_operand()] {
                        let expected = cpu.reduce_dyn(&operand, &how).unwrap();
                        let found = backend.reduce_dyn(&operand, &how).unwrap();
                        assert_eq!(found.shape(), expected.shape());
                        let (found, expected) = (found.into_host().unwrap(), expected.into_host().unwrap());
                        assert_eq!(found, expected, "{backend:?} {op} {shape:?} {axes:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_large_sum_is_done_by_all_members() {
    let _alone = alone();
    let x = floats(&[3_000_017], 3);
    let expected = Backend::cpu().sum(&x).unwrap().item().unwrap();
    for backend in joins() {
        backend.sum(&x).unwrap();
        let before = work(&backend);
        let found = backend.sum(&x).unwrap().item().unwrap();
        assert_eq!(found.to_bits(), expected.to_bits(), "{backend:?}");
        let shares: Vec<u64> = work(&backend).iter().zip(before).map(|(after, before)| after - before).collect();
        assert_eq!(shares.iter().sum::<u64>(), x.len() as u64, "{backend:?}");
        assert!(shares.iter().all(|&share| share > 0), "{backend:?}: {shares:?}");
    }
}

#[test]
fn convolutions_have_the_bits_of_one_device() {
    let _alone = alone();
    let cpu = Backend::cpu();
    for backend in joins() {
        for (image, kernel) in [
            (&[1, 1][..], &[1, 1][..]),
            (&[57, 43], &[3, 5]),
            (&[6, 20, 21], &[3, 3]),
            (&[30, 31], &[7, 4, 4]),
            (&[2, 9, 8], &[3, 2, 2]),
        ] {
            let (image, kernel) = (integers(image, 4), integers(kernel, 5));
            for how in [Convolve::d2(), Convolve::d2().same().boundary(Boundary::Mirror)] {
                let expected = cpu.convolve(&image, &kernel, &how).unwrap().into_ndarray::<IxDyn>().unwrap();
                let found = backend.convolve(&image, &kernel, &how).unwrap().into_ndarray::<IxDyn>().unwrap();
                assert_eq!(found, expected, "{backend:?}");
                let mut out = ArrayD::<i32>::zeros(expected.shape());
                backend.convolve_into(&image, &kernel, &how, &mut out).unwrap();
                assert_eq!(out, expected, "{backend:?} into");
            }
        }
    }
}

#[test]
fn a_bank_is_filtered_by_all_members() {
    let _alone = alone();
    let (image, bank) = (integers(&[200, 200], 6), integers(&[24, 7, 7], 7));
    let expected = Backend::cpu().convolve(&image, &bank, &Convolve::d2()).unwrap().into_vec().unwrap();
    for backend in joins() {
        let found = backend.convolve(&image, &bank, &Convolve::d2()).unwrap().into_vec().unwrap();
        assert!(found == expected, "{backend:?}");
        assert!(work(&backend).iter().all(|&work| work > 0), "{backend:?}: {:?}", work(&backend));
    }
}

#[test]
fn hits_are_counted_by_all_members() {
    let _alone = alone();
    let range = 12_345..20_000_001;
    let expected = Backend::cpu().pi_range(range.clone(), 9).unwrap();
    for backend in joins() {
        backend.pi_range(range.clone(), 9).unwrap();
        let before = work(&backend);
        assert_eq!(backend.pi_range(range.clone(), 9).unwrap(), expected, "{backend:?}");
        let shares: Vec<u64> = work(&backend).iter().zip(before).map(|(after, before)| after - before).collect();
        assert_eq!(shares.iter().sum::<u64>(), expected.samples, "{backend:?}");
        assert!(shares.iter().all(|&share| share > 0), "{backend:?}: {shares:?}");
        let said = backend.explain_pi(20_000_000);
        assert!(said.contains("split by measured speed") && said.matches('%').count() == shares.len(), "{said}");
        // Shares are those that the explanation names.
        for (percent, share) in said.split(" %").zip(&shares) {
            let percent: f64 = percent.rsplit(' ').next().unwrap().parse().unwrap();
            let real = 100.0 * *share as f64 / expected.samples as f64;
            assert!((percent - real).abs() < 0.2, "{said}: {shares:?}");
        }
    }
}

#[test]
fn work_forced_on_a_gpu_is_done_there() {
    let _alone = alone();
    let Some(gpu) = devices().into_iter().map(|device| device.info.id).find(|id| id.starts_with("gpu")) else {
        assert!(std::env::var_os("UNISONO_REQUIRE_GPU").is_none(), "no GPU, but UNISONO_REQUIRE_GPU is set");
        eprintln!("\n*** NO GPU ADAPTER FOUND: this test is SKIPPED ***\n");
        return;
    };
    // A device of its own, so that no other test works on it.
    let device = format!("{gpu}+{gpu}").parse::<Backend>().unwrap().members().remove(1);
    let since = |before: Counters| {
        let now = device.counters();
        (now.work - before.work, now.dispatches - before.dispatches, now.downloaded - before.downloaded)
    };
    let before = device.counters();
    device.pi(5_000_000, 1).unwrap();
    let (work, dispatches, downloaded) = since(before);
    assert_eq!(work, 5_000_000);
    assert!(dispatches > 0 && downloaded <= 1 << 16, "only counts come back: {downloaded} bytes");

    let x = floats(&[300_000], 8);
    let before = device.counters();
    let sum = device.sum(&x).unwrap();
    let (work, dispatches, downloaded) = since(before);
    assert_eq!(work, 300_000);
    assert!(dispatches > 0 && downloaded <= 1 << 17, "only partials come back: {downloaded} bytes");
    assert_eq!(device.counters().uploaded - before.uploaded, 2_400_000);
    assert_eq!(sum.item().unwrap().to_bits(), Backend::cpu().sum(&x).unwrap().item().unwrap().to_bits());

    let (image, kernel) = (integers(&[100, 100], 9), integers(&[3, 3], 10));
    let before = device.counters();
    let filtered = device.convolve(&image, &kernel, &Convolve::d2()).unwrap();
    let (work, dispatches, downloaded) = since(before);
    assert_eq!(work, 102 * 102 * 9);
    assert!(dispatches > 0 && downloaded <= 1 << 12, "the result stays there: {downloaded} bytes");
    assert!(filtered.is_on_device());
    filtered.into_vec().unwrap();
    assert!(since(before).2 >= 102 * 102 * 4);
}

#[test]
fn cancelling_reaches_every_member() {
    let _alone = alone();
    for backend in joins() {
        let control = Control::new();
        let remote = control.clone();
        let worker = backend.with_control(&control);
        let thread = std::thread::spawn(move || worker.pi(1 << 50, 1));
        while control.progress().done == 0 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        remote.cancel();
        let error = thread.join().unwrap().unwrap_err();
        assert!(matches!(error, Error::Cancelled { total, .. } if total == 1 << 50), "{backend:?}: {error}");
    }
}

#[test]
fn arrays_of_one_device_are_taken_by_a_join() {
    let _alone = alone();
    let x = floats(&[50, 1001], 11);
    let expected = Backend::cpu().reduce(&x, &Reduce::sum().axes(&[1])).unwrap().into_vec().unwrap();
    for backend in joins() {
        for member in backend.members() {
            let there = member.upload(&x).unwrap();
            let found = backend.reduce(&there, &Reduce::sum().axes(&[1])).unwrap().into_vec().unwrap();
            assert_eq!(found, expected, "{backend:?} from {member:?}");
        }
        let there = backend.upload(&x).unwrap();
        assert_eq!(backend.sum(&there).unwrap().item(), Backend::cpu().sum(&x).unwrap().item(), "{backend:?}");
    }
}
