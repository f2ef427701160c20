//! The GPU against the CPU on every adapter, cut into parts as well.

use super::*;
use crate::array::HostVec;
use crate::plan::{Boundary, Factor, Separable};
use crate::select;

/// Every adapter, opened.
fn contexts() -> Vec<Arc<Context>> {
    (0..crate::gpu::list().len()).map(|index| crate::gpu::GpuEngine::open(index).unwrap().context().unwrap()).collect()
}

#[test]
fn parts_and_the_whole_agree_with_the_cpu() {
    let cpu = select::cpu();
    let control = Control::new();
    let boundaries = [Boundary::Constant(0.75), Boundary::Reflect, Boundary::Nearest, Boundary::Mirror, Boundary::Wrap];
    for context in contexts() {
        for (dtype, out) in [
            (Dtype::U8, Dtype::U8),
            (Dtype::F32, Dtype::F32),
            (Dtype::I16, Dtype::I16),
            (Dtype::U16, Dtype::U16),
            (Dtype::U16, Dtype::I32),
        ] {
            for (index, shape) in [&[23, 29, 3][..], &[3, 21, 67], &[1000], &[64, 70]].into_iter().enumerate() {
                let mut how = Separable::new().out_dtype(out);
                for (axis, taps) in (0..shape.len()).zip([5, 8, 3]) {
                    let weights: Vec<f64> = (0..taps).map(|t| 0.3 - 0.07 * t as f64).collect();
                    how = how.pass(Factor::convolve(axis as isize, weights).boundary(boundaries[(index + axis) % 5]));
                }
                let how = if index == 3 { how.clone().plus(how.scaled(0.5)).magnitude() } else { how };
                let plan = SeparablePlan::new(&how, dtype, shape).unwrap();
                let n: usize = shape.iter().product();
                let bytes: Vec<u8> = (0..n * dtype.size()).map(|i| (i * 37 % 61) as u8).collect();
                let mut data = HostVec::zeros(dtype, n).unwrap();
                match &mut data {
                    HostVec::F32(v) => v.iter_mut().enumerate().for_each(|(i, x)| *x = (i * 37 % 61) as f32 * 0.1 - 3.0),
                    _ => data.view_mut(&[n]).copy_from_bytes(&bytes),
                }
                let input = Input::Host(data.view(shape));
                let mut expected = HostVec::zeros(out, plan.outputs()).unwrap();
                cpu.separable(&plan, &input, Target::Host(expected.view_mut(&plan.shape)), &control).unwrap();
                for (block, small) in [(u64::MAX, true), (u64::MAX, false), (4096, true), (1500, false)] {
                    let bounds = Bounds { block, small, memory: None };
                    let mut found = HostVec::zeros(out, plan.outputs()).unwrap();
                    let target = Target::Host(found.view_mut(&plan.shape));
                    run_limited(&context, &plan, &input, target, &control, bounds).unwrap();
                    let kept = run_limited(&context, &plan, &input, Target::Device(None), &control, bounds).unwrap();
                    let Some(Storage::Gpu(kept)) = kept else { panic!() };
                    let mut again = HostVec::zeros(out, plan.outputs()).unwrap();
                    kept.download(again.view_mut(&plan.shape)).unwrap();
                    assert_eq!(again, found);
                    let close = match (&found, &expected) {
                        (HostVec::F32(a), HostVec::F32(b)) => {
                            a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-5 * (1.0 + b.abs()))
                        }
                        (HostVec::U8(a), HostVec::U8(b)) => a.iter().zip(b).all(|(a, b)| a.abs_diff(*b) <= 1),
                        (HostVec::I16(a), HostVec::I16(b)) => a.iter().zip(b).all(|(a, b)| a.abs_diff(*b) <= 1),
                        (HostVec::U16(a), HostVec::U16(b)) => a.iter().zip(b).all(|(a, b)| a.abs_diff(*b) <= 1),
                        (HostVec::I32(a), HostVec::I32(b)) => a.iter().zip(b).all(|(a, b)| a.abs_diff(*b) <= 1),
                        _ => panic!(),
                    };
                    assert!(close, "{}: {plan:?} {bounds:?}\n{found:?}\n{expected:?}", context.id);
                }
            }
        }
    }
}

#[test]
fn little_memory_gives_what_much_does() {
    let control = Control::new();
    let boundaries = [Boundary::Constant(0.75), Boundary::Reflect, Boundary::Nearest, Boundary::Mirror, Boundary::Wrap];
    for context in contexts() {
        for (index, boundary) in boundaries.into_iter().enumerate() {
            for (shape, small) in [(&[90, 70, 3][..], true), (&[3, 9000], true), (&[151, 157], false), (&[20, 21], true)] {
                let weights: Vec<f64> = (0..9 + index).map(|t| 0.2 - 0.03 * t as f64).collect();
                let axes = if shape[0] > 3 { [0, 1] } else { [1, 1] };
                let mut how = Separable::new();
                for axis in axes {
                    how = how.pass(Factor::convolve(axis, weights.clone()).boundary(boundary));
                }
                let plan = SeparablePlan::new(&how, Dtype::F32, shape).unwrap();
                let data = HostVec::F32((0..plan.outputs()).map(|i| (i * 37 % 61) as f32 * 0.1 - 3.0).collect());
                let go = |memory: Option<u64>, to_host: bool| {
                    context.trim();
                    context.tally.forget_peak();
                    let bounds = Bounds { block: u64::MAX, small, memory };
                    // The test's own reading has small staging buffers too.
                    let _ceiling = memory.map(|bytes| context.limited(bytes));
                    let mut found = HostVec::zeros(Dtype::F32, plan.outputs()).unwrap();
                    let input = Input::Host(data.view(shape));
                    let done = control.progress().done;
                    if to_host {
                        let target = Target::Host(found.view_mut(&plan.shape));
                        run_limited(&context, &plan, &input, target, &control, bounds)?;
                    } else {
                        match run_limited(&context, &plan, &input, Target::Device(None), &control, bounds)? {
                            Some(Storage::Gpu(kept)) => kept.download(found.view_mut(&plan.shape))?,
                            Some(Storage::Host(kept)) => found = (*kept).clone(),
                            None => panic!(),
                        }
                    }
                    assert_eq!(control.progress().done - done, plan.work());
                    Ok::<_, Error>((found, context.tally.read().peak))
                };
                let (whole, unlimited) = go(None, true).unwrap();
                // Two passes over the same axis cannot be cut along it.
                let limit = if axes == [1, 1] { 400_000 } else { 60_000 };
                for to_host in [true, false] {
                    let (found, peak) = go(Some(limit), to_host).unwrap();
                    assert!(found == whole, "{} {boundary:?} {shape:?}", context.id);
                    assert!(peak <= limit && peak <= unlimited, "{} {shape:?}: {peak} {unlimited}", context.id);
                }
                if plan.outputs() > 500 {
                    continue;
                }
                let error = go(Some(9_000), true).unwrap_err();
                let Error::Invalid { what, expected, .. } = &error else { panic!("{error}") };
                assert_eq!(what, "memory limit");
                let enough: u64 = expected.split(' ').find_map(|word| word.parse().ok()).unwrap();
                assert!(go(Some(enough), true).unwrap().0 == whole);
            }
        }
    }
}
