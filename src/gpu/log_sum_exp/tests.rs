//! Logarithms of sums of exponentials, and norms of any order, on every adapter present: the bits of the CPU.

use ndarray::{ArrayD, IxDyn};

use crate::cpu::CpuEngine;
use crate::engine::{Engine, Input, Target};
use crate::gpu::tests::engines;
use crate::plan::{LogSumExp, LogSumExpPlan, NormOrder, Operation, Reduce, ReducePlan};
use crate::view::View;
use crate::{Control, Dtype, HostVec, Philox4x32, Real, Storage};

/// Elements from random bits: of floats many exponents, subnormal and special numbers.
fn random<T: Real>(shape: &[usize], seed: u64) -> ArrayD<T> {
    let (philox, mut at) = (Philox4x32::new(seed), 0);
    ArrayD::from_shape_simple_fn(IxDyn(shape), || {
        let [a, b, kind, _] = philox.block(at);
        at += 1;
        let bits = u64::from(a) << 32 | u64::from(b);
        let float = match kind % 16 {
            0 => f64::from_bits(bits),
            1 => 0.0,
            2 => f64::from_bits(bits & 0x800f_ffff_ffff_ffff),
            3 => f64::from_bits(bits & 0x8000_0000_007f_ffff) + f64::from(f32::from_bits(a & 0x807f_ffff)),
            4..8 => (f64::from(a) - f64::from(b)) / 2f64.powi(22),
            _ => (f64::from(a) - f64::from(b)) / 2f64.powi(29),
        };
        let key = |key: u64| T::from_key(key);
        match T::DTYPE {
            Dtype::F32 => key(crate::plan::Ordered::extreme_key(float as f32, false)),
            Dtype::F64 => key(crate::plan::Ordered::extreme_key(float, false)),
            Dtype::Bool => key(bits & 1),
            dtype if dtype.is_signed_integer() => {
                let shift = 64 - 8 * dtype.size() as u32;
                key((((bits as i64) >> shift >> (kind % (8 * dtype.size() as u32 - 1))) as u64) ^ (1 << 63))
            }
            dtype => key(bits >> (64 - 8 * dtype.size() as u32) >> (kind % (8 * dtype.size() as u32))),
        }
    })
}

fn bytes(vec: &HostVec) -> Vec<u8> {
    vec.view(&[vec.len()]).as_bytes().unwrap().to_vec()
}

/// Every result of an operation, to the host and to the device.
fn run(engine: &dyn Engine, plan: &LogSumExpPlan, inputs: &[Input<'_>]) -> Vec<Vec<u8>> {
    let operation = Operation::LogSumExp(plan.clone());
    let mut vecs: Vec<HostVec> =
        operation.results().iter().map(|(dtype, shape)| HostVec::zeros(*dtype, shape.iter().product()).unwrap()).collect();
    let targets = vecs.iter_mut().map(|vec| Target::Host(vec.view_mut(&plan.shape))).collect();
    engine.operate(&operation, inputs, targets, &Control::new()).unwrap();
    vecs.iter().map(bytes).collect()
}

fn check<T: Real, F: Real>(shape: &[usize], axes: Option<&[isize]>, factors: bool, seed: u64) {
    let (x, b) = (random::<T>(shape, seed), random::<F>(shape, seed + 1));
    let how = LogSumExp { axes: axes.map(<[isize]>::to_vec), ..LogSumExp::new().signed() };
    let plan = LogSumExpPlan::new(&how, T::DTYPE, shape, factors.then_some((F::DTYPE, shape))).unwrap();
    let count = 1 + usize::from(factors);
    let host = [View::from_ndarray(x.view()), View::from_ndarray(b.view())];
    let inputs: Vec<_> = host.iter().take(count).cloned().map(Input::Host).collect();
    let wanted = run(&CpuEngine::new(Some(1)), &plan, &inputs);
    for engine in engines() {
        assert_eq!(run(&engine, &plan, &inputs), wanted, "{} {} {shape:?} {axes:?} {factors}", T::DTYPE, F::DTYPE);
        let stored = host.each_ref().map(|view| engine.upload(view).unwrap());
        let resident: Vec<_> = stored
            .iter()
            .zip(&host)
            .take(count)
            .filter_map(|(storage, view)| match storage {
                Storage::Gpu(buffer) => Some(Input::Gpu { buffer, dtype: view.dtype(), shape }),
                _ => None,
            })
            .collect();
        assert_eq!(run(&engine, &plan, &resident), wanted, "resident {} {} {shape:?} {axes:?}", T::DTYPE, F::DTYPE);
    }
}

#[test]
fn logarithms_of_sums_have_the_bits_of_the_cpu() {
    check::<f32, f64>(&[7, 33], Some(&[1]), true, 1);
    check::<i8, u64>(&[33, 5], Some(&[0]), true, 2);
    check::<i64, bool>(&[1], None, true, 3);
    for axes in [None, Some(&[0isize][..]), Some(&[1]), Some(&[0, 2])] {
        check::<f64, f64>(&[5, 6, 41], axes, true, 7);
        check::<f32, f32>(&[3, 50, 2], axes, false, 9);
    }
    check::<f64, f64>(&[0, 3], Some(&[0]), true, 1);
    check::<f64, f64>(&[2, 0], None, false, 1);
    // A lane of several pieces.
    check::<f32, f64>(&[2, (1 << 18) + 77], Some(&[1]), true, 5);
}

/// Exponents and factors of other shapes are those that were spread out before.
#[test]
fn exponents_and_factors_broadcast_to_each_other() {
    let how = LogSumExp { axes: Some(vec![0, -1]), ..LogSumExp::new().signed() };
    for (few, many) in [(&[1usize, 41][..], &[5usize, 6, 1][..]), (&[6, 1], &[5, 1, 41]), (&[], &[5, 6, 41])] {
        let (x, b) = (random::<f64>(few, 3), random::<f32>(many, 4));
        let whole = crate::plan::broadcast(few, many).unwrap();
        let spread = [x.broadcast(&whole[..]).unwrap().to_owned(), b.mapv(f64::from).broadcast(&whole[..]).unwrap().to_owned()];
        let plan = LogSumExpPlan::new(&how, Dtype::F64, &whole, Some((Dtype::F64, &whole))).unwrap();
        let inputs = spread.each_ref().map(|array| Input::Host(View::from_ndarray(array.view())));
        let wanted = run(&CpuEngine::new(Some(1)), &plan, &inputs);
        let plan = LogSumExpPlan::new(&how, Dtype::F64, few, Some((Dtype::F32, many))).unwrap();
        assert_eq!(plan.lanes.input, whole);
        let host = [View::from_ndarray(x.view()), View::from_ndarray(b.view())];
        let inputs = host.clone().map(Input::Host);
        assert_eq!(run(&CpuEngine::new(Some(2)), &plan, &inputs), wanted, "{few:?} {many:?}");
        for engine in engines() {
            assert_eq!(run(&engine, &plan, &inputs), wanted, "{few:?} {many:?}");
            let stored = host.each_ref().map(|view| engine.upload(view).unwrap());
            let resident = stored.iter().zip(&host).filter_map(|(storage, view)| match storage {
                Storage::Gpu(buffer) => Some(Input::Gpu { buffer, dtype: view.dtype(), shape: view.shape() }),
                _ => None,
            });
            assert_eq!(run(&engine, &plan, &resident.collect::<Vec<_>>()), wanted, "resident {few:?} {many:?}");
        }
    }
    assert!(LogSumExpPlan::new(&how, Dtype::F64, &[3, 4], Some((Dtype::F64, &[5, 4]))).is_err());
}

#[test]
fn norms_of_any_order_have_the_bits_of_the_cpu() {
    fn check<T: Real>(shape: &[usize], axes: &[isize], skip: bool, masked: bool, orders: &[f64]) {
        let (x, mask) = (random::<T>(shape, 3), random::<bool>(shape, 50));
        let cpu = CpuEngine::new(Some(1));
        for engine in engines() {
            for &p in orders {
                let how = Reduce { skip_nan: skip, ..Reduce::norm(NormOrder::new(p).unwrap()).axes(axes) };
                let plan = ReducePlan::new(&how, T::DTYPE, shape).unwrap();
                let plan = if masked { plan.masked(Dtype::Bool, shape).unwrap() } else { plan };
                let inputs = [Input::Host(View::from_ndarray(x.view())), Input::Host(View::from_ndarray(mask.view()))];
                let inputs = &inputs[..plan.inputs()];
                let finish = |engine: &dyn Engine| {
                    let partials = engine.reduce_partials(&plan, inputs, &Control::new()).unwrap();
                    (bytes(&plan.finish(&partials).unwrap()), partials)
                };
                assert!(finish(&engine) == finish(&cpu), "{} {p} {axes:?} {skip} {masked}", T::DTYPE);
            }
        }
    }
    check::<f32>(&[3, 70, 9], &[1], true, true, &[3.0, 4.0, -1.0, 1e-3]);
    check::<f32>(&[3, 70, 9], &[0, 2], true, false, &[-3.0, 2.5]);
    check::<f64>(&[20_000], &[0], false, false, &[0.5, -7.25, 700.5]);
    check::<i16>(&[40, 70], &[0], false, true, &[0.5]);
    check::<u64>(&[40, 20], &[], false, false, &[3.0, 1.5]);
}
