//! Reductions with a mask and products of two arrays: on the host, on the device, in one segment or several.

use super::*;
use crate::cpu::CpuEngine;
use crate::gpu::tests::segments::in_segments;
use crate::plan::NormOrder;

/// The results of a plan for two operands wherever they lie: those of the CPU.
fn check_pair(plan: &ReducePlan, x: &View<'_>, y: &View<'_>) {
    let run = |engine: &dyn Engine, inputs: &[Input<'_>]| {
        let partials = engine.reduce_partials(plan, inputs, &Control::new())?;
        plan.finish(&partials).map(|vec| bits(&vec))
    };
    let host = || [Input::Host(x.clone()), Input::Host(y.clone())];
    let wanted = run(&CpuEngine::new(Some(1)), &host());
    for engine in engines() {
        let what = |place: &str| format!("{} {} {:?} of {:?}, {place}", plan.op, plan.dtype, plan.reduced, plan.input);
        assert_eq!(run(&engine, &host()), wanted, "{}", what("host"));
        for most in [usize::MAX, 60] {
            let [a, b] = [x, y].map(|view| in_segments(&engine, view, most));
            let [a, b] = [(&a, x), (&b, y)].map(|(buffer, view)| Input::Gpu { buffer, dtype: view.dtype(), shape: view.shape() });
            let before = engine.counters();
            assert_eq!(run(&engine, &[a, b]), wanted, "{}", what("device"));
            let after = engine.counters();
            assert_eq!(after.uploaded, before.uploaded, "{}", what("device"));
        }
        // One of each.
        let buffer = in_segments(&engine, x, 100);
        let a = Input::Gpu { buffer: &buffer, dtype: x.dtype(), shape: x.shape() };
        assert_eq!(run(&engine, &[a, Input::Host(y.clone())]), wanted, "{}", what("mixed"));
    }
}

fn masked<T: Sample>(op: ReduceOp, axes: &[isize], skip: bool, shape: &[usize]) {
    let mut x = random::<T>(shape, 31);
    if T::DTYPE.is_float() {
        // NaN here and there.
        x.iter_mut().step_by(7).for_each(|x| *x = T::from_key(u64::MAX));
    }
    let mut mask = random::<bool>(shape, 77);
    mask.index_axis_mut(Axis(1), 0).fill(false);
    let how = Reduce { skip_nan: skip, initial: None, ..Reduce::of(op).axes(axes) };
    let how = if op.has_identity() { how } else { how.initial(3) };
    let plan = ReducePlan::new(&how, T::DTYPE, shape).unwrap().masked(Dtype::Bool, shape).unwrap();
    check_pair(&plan, &View::from_ndarray(x.view()), &View::from_ndarray(mask.view()));
}

#[test]
fn masks_lie_where_the_elements_do() {
    let norm = |p| ReduceOp::Norm(NormOrder::new(p).unwrap());
    for skip in [false, true] {
        masked::<f32>(ReduceOp::Mean, &[2], skip, &[5, 3, 24]);
        masked::<f32>(ReduceOp::Min, &[0, 2], skip, &[5, 3, 24]);
        masked::<f64>(norm(1.0), &[0], skip, &[5, 3, 24]);
    }
    masked::<f64>(ReduceOp::Var, &[0, 1, 2], true, &[40, 8, 60]);
    masked::<i16>(norm(-0.5), &[0, 2], false, &[6, 3, 20]);
    masked::<u8>(ReduceOp::Sum, &[1], false, &[60, 3, 20]);
    masked::<i64>(ReduceOp::Max, &[1], false, &[6, 3, 20]);
    masked::<i32>(ReduceOp::All, &[2], false, &[6, 3, 20]);
    masked::<i8>(ReduceOp::Product, &[2], false, &[6, 3, 8]);
}

#[test]
fn products_of_two_arrays_are_exact_wherever_they_lie() {
    fn dot<T: Sample>(shape: &[usize], axes: &[isize]) {
        let (x, y) = (random::<T>(shape, 3), random::<T>(shape, 4));
        let plan = ReducePlan::new(&Reduce::dot().axes(axes), T::DTYPE, shape).unwrap().with_second(T::DTYPE, shape).unwrap();
        check_pair(&plan, &View::from_ndarray(x.view()), &View::from_ndarray(y.view()));
        // Strides of both.
        let turned = ReducePlan::new(&Reduce::dot().axes(axes), T::DTYPE, &[shape[2], shape[1], shape[0]]).unwrap();
        check_pair(&turned, &View::from_ndarray(x.view().reversed_axes()), &View::from_ndarray(y.view().reversed_axes()));
    }
    dot::<f32>(&[4, 9, 52], &[2]);
    dot::<f64>(&[4, 9, 12], &[0, 2]);
    dot::<f32>(&[3, 5, 2_000], &[0, 1, 2]);
    dot::<i16>(&[4, 9, 12], &[1]);
    dot::<u64>(&[4, 9, 12], &[2]);
}
