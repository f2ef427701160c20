//! The GPU against the CPU on every adapter, cut into parts as well.

use super::*;
use crate::plan::{Factor, Separable};
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
        for (dtype, out) in [(Dtype::U8, Dtype::U8), (Dtype::F32, Dtype::F32), (Dtype::I16, Dtype::F32), (Dtype::U16, Dtype::I32)]
        {
            for (index, shape) in [&[37, 29, 3][..], &[5, 41, 67], &[1000], &[64, 70]].into_iter().enumerate() {
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
                    let bounds = Bounds { block, small };
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
                        (HostVec::I32(a), HostVec::I32(b)) => a.iter().zip(b).all(|(a, b)| a.abs_diff(*b) <= 1),
                        _ => panic!(),
                    };
                    assert!(close, "{}: {plan:?} {bounds:?}\n{found:?}\n{expected:?}", context.id);
                }
            }
        }
    }
}
