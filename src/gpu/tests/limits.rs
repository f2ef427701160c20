//! Little memory: every operation gives what it gives with much, within the limit.

use std::fmt::Debug;

use super::engines;
use crate::cpu::CpuEngine;
use crate::dtype::with_dtype;
use crate::engine::{Engine, Input, Target};
use crate::plan::{
    Beside, GroupOp, GroupPlan, Groups, Integrate, IntegratePlan, LogSumExp, LogSumExpPlan, Map, MapPlan, MonteCarlo,
    MonteCarloPlan, Operation, Quantile, QuantileMethod, QuantilePlan, Random, RandomPlan, Reduce, ReduceOp, ReducePlan, Scan,
    ScanPlan, TopK, TopKPlan,
};
use crate::{Control, Dtype, Error, HostVec, Result, Storage};

const LIMIT: u64 = 256 << 10;
const SHAPE: [usize; 2] = [310, 257];
const LEN: usize = SHAPE[0] * SHAPE[1];

fn drawn(dtype: Dtype, most: u64) -> HostVec {
    let mut state = 77u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % most
    };
    let mut vec = HostVec::zeros(dtype, LEN).unwrap();
    match &mut vec {
        HostVec::F64(vec) => vec.iter_mut().for_each(|x| *x = next() as f64 * 0.37 - 100.0),
        HostVec::F32(vec) => vec.iter_mut().for_each(|x| *x = next() as f32 * 0.25),
        HostVec::I32(vec) => vec.iter_mut().for_each(|x| *x = next() as i32),
        HostVec::Bool(vec) => vec.iter_mut().for_each(|x| *x = next() > 0),
        other => panic!("{}", other.dtype()),
    }
    vec
}

/// Runs work with and without a limit, and on the CPU; the most bytes that the limited run held must not exceed the limit.
fn check<T: PartialEq + Debug>(name: &str, work: &dyn Fn(&dyn Engine, &Control) -> Result<T>) {
    let wanted = work(&CpuEngine::new(Some(1)), &Control::new()).unwrap();
    for engine in engines() {
        let context = engine.context().unwrap();
        assert!(work(&engine, &Control::new()).unwrap() == wanted, "{engine:?} {name}");
        context.trim();
        context.tally.forget_peak();
        let before = context.tally.held();
        // What the test itself reads has small staging buffers too.
        let _ceiling = context.limited(LIMIT);
        let found = work(&engine, &Control::new().limited(LIMIT)).unwrap_or_else(|error| panic!("{engine:?} {name}: {error}"));
        assert!(found == wanted, "{engine:?} {name}");
        let peak = engine.counters().peak - before;
        assert!(peak <= LIMIT, "{engine:?} {name}: {peak} bytes of {LIMIT}");
    }
}

fn host(dtype: Dtype, storage: Option<Storage>, len: usize) -> Vec<u8> {
    let mut vec = HostVec::zeros(dtype, len).unwrap();
    match storage.unwrap() {
        Storage::Host(host) => vec.view_mut(&[len]).copy_from_bytes(host.view(&[len]).as_bytes().unwrap()),
        Storage::Gpu(buffer) => buffer.download(vec.view_mut(&[len])).unwrap(),
    }
    vec.view(&[len]).as_bytes().unwrap().to_vec()
}

#[test]
fn reductions_keep_to_the_limit() {
    let (values, mask, row) = (drawn(Dtype::F64, 100_000), drawn(Dtype::Bool, 3), drawn(Dtype::F64, 100_000));
    for op in [ReduceOp::Sum, ReduceOp::Var, ReduceOp::ArgMax, ReduceOp::Dot] {
        for axes in [&[0isize][..], &[1], &[0, 1]] {
            for second in [None, Some((mask.view(&SHAPE), true)), Some((row.view(&[LEN]).narrow(0, 0..257), false))] {
                let masks = second.as_ref().is_some_and(|second| second.1);
                if (op == ReduceOp::Dot) == (second.is_none() || masks) || (masks && op == ReduceOp::ArgMax) {
                    continue;
                }
                let plan = ReducePlan::new(&Reduce::of(op).axes(axes), Dtype::F64, &SHAPE).unwrap();
                let plan = match &second {
                    Some((mask, true)) => plan.masked(Dtype::Bool, mask.shape()).unwrap(),
                    Some((row, false)) => plan.with_second(Dtype::F64, row.shape()).unwrap(),
                    None => plan,
                };
                let mut inputs = vec![Input::Host(values.view(&SHAPE))];
                inputs.extend(second.map(|second| Input::Host(second.0)));
                check(&format!("{op} {axes:?} {masks}"), &|engine, control| {
                    let found = engine.reduce(&plan, &inputs, Target::Device(None), control)?;
                    Ok(host(plan.out_dtype, found, plan.out_len()))
                });
            }
        }
    }
}

#[test]
fn scans_and_order_statistics_keep_to_the_limit() {
    let [values, small] = [drawn(Dtype::F64, 100_000), drawn(Dtype::F32, 1000)];
    let [mask, weights] = [drawn(Dtype::Bool, 3), drawn(Dtype::F32, 50)];
    let run = |operation: Operation, inputs: &[&HostVec]| {
        let views: Vec<_> = inputs.iter().map(|vec| Input::Host(vec.view(&SHAPE))).collect();
        check(&format!("{operation:?}"), &|engine, control| {
            let results = operation.results();
            let targets = results.iter().map(|_| Target::Device(None)).collect();
            let found = engine.operate(&operation, &views, targets, control)?;
            let bytes =
                |((dtype, shape), found): (&(Dtype, &[usize]), Option<Storage>)| host(*dtype, found, shape.iter().product());
            Ok(results.iter().zip(found).map(bytes).collect::<Vec<_>>())
        });
    };
    for axis in [0isize, 1] {
        let scan = Scan::sum().axis(axis);
        run(Operation::Scan(ScanPlan::new(&scan, Dtype::F64, &SHAPE).unwrap()), &[&values]);
        run(Operation::Scan(ScanPlan::new(&scan.out_dtype(Dtype::F64), Dtype::F32, &SHAPE).unwrap()), &[&small]);
        let median = Quantile::median().axes(&[axis]);
        run(Operation::Quantile(QuantilePlan::new(&median, Dtype::F64, &SHAPE).unwrap()), &[&values]);
        let masked = QuantilePlan::beside(&median, Dtype::F64, &SHAPE, Beside::Mask, &SHAPE).unwrap();
        run(Operation::Quantile(masked), &[&values, &mask]);
        run(Operation::TopK(TopKPlan::new(&TopK::largest(5).axis(axis), Dtype::F64, &SHAPE).unwrap()), &[&values]);
        let log = LogSumExpPlan::new(&LogSumExp::new().axes(&[axis]), Dtype::F32, &SHAPE, None).unwrap();
        run(Operation::LogSumExp(log), &[&small]);
    }
    let quarters = Quantile::of(&[0.25, 0.5]).axes(&[0]).method(QuantileMethod::InvertedCdf);
    let weighted = QuantilePlan::beside(&quarters, Dtype::F32, &SHAPE, Beside::Weights(Dtype::F32), &SHAPE).unwrap();
    run(Operation::Quantile(weighted), &[&small, &weights]);
    let all = Quantile::of(&[0.1, 0.9]);
    run(Operation::Quantile(QuantilePlan::new(&all, Dtype::F32, &SHAPE).unwrap()), &[&small]);
    run(Operation::Scan(ScanPlan::new(&Scan::max(), Dtype::F32, &SHAPE).unwrap()), &[&small]);
}

#[test]
fn groups_and_samples_keep_to_the_limit_or_say_what_they_need() {
    let [values, labels] = [drawn(Dtype::F64, 100_000), drawn(Dtype::I32, 50)];
    let plan_of = |op, count| {
        let groups = Groups::of_labels(&(0..count).collect::<Vec<_>>(), Dtype::I32).unwrap().0;
        GroupPlan::new(op, groups, (Dtype::I32, &SHAPE), Some((Dtype::F64, &SHAPE))).unwrap()
    };
    let (keys, given) = (Input::Host(labels.view(&SHAPE)), Input::Host(values.view(&SHAPE)));
    for op in [GroupOp::Sum, GroupOp::Var { ddof: 0 }, GroupOp::ArgMin, GroupOp::Median] {
        let plan = plan_of(op, 40);
        check(&format!("{op:?}"), &|engine, control| {
            let found = engine.group(&plan, &keys, Some(&given), control)?;
            let vec = plan.finish(&found)?;
            let bytes = with_dtype!(vec.dtype(), T => vec.view(&[vec.len()]).as_slice::<T>().map(|slice| format!("{slice:?}")));
            Ok((found.counts, bytes))
        });
    }
    let plan = MonteCarloPlan { how: MonteCarlo::pi().seed(3), samples: 5..400_000 };
    check("pi", &|engine, control| engine.count_hits(&plan, control));
    for engine in engines() {
        let control = Control::new().limited(LIMIT);
        let error = engine.group(&plan_of(GroupOp::Var { ddof: 0 }, 5000), &keys, Some(&given), &control).unwrap_err();
        let Error::Invalid { what, expected, .. } = &error else { panic!("{error}") };
        assert!(what == "memory limit" && expected.contains("5000 groups"), "{error}");
        let error = engine.group(&plan_of(GroupOp::Sum, 3), &keys, Some(&given), &Control::new().limited(1000)).unwrap_err();
        assert!(error.to_string().contains("at least 65536 bytes"), "{error}");
    }
}

#[test]
fn maps_random_numbers_and_integrals_keep_to_the_limit() {
    let [values, small] = [drawn(Dtype::F32, 1000), drawn(Dtype::I32, 50)];
    let row = [SHAPE[1]];
    let how = Map::new("where(a > 40, exp(-0.01*a) * b, a*a - b)").unwrap().dtype(Dtype::F32);
    for whole in [true, false] {
        // Of the second array all rows, or one for all of them.
        let second = if whole { small.view(&SHAPE) } else { small.view(&[LEN]).narrow(0, 0..row[0]) };
        let plan = MapPlan::new(&how, &[("a", Dtype::F32, &SHAPE), ("b", Dtype::I32, second.shape())]).unwrap();
        let inputs = [Input::Host(values.view(&SHAPE)), Input::Host(second)];
        check(&format!("map {whole}"), &|engine, control| {
            let found = engine.map(&plan, &inputs, Target::Device(None), control)?;
            Ok(host(plan.dtype, found, LEN))
        });
        for op in [ReduceOp::Sum, ReduceOp::ArgMax, ReduceOp::CountNonzero] {
            check(&format!("map to {op} {whole}"), &|engine, control| engine.map_partials(&plan, op, &inputs, control));
        }
    }
    for (how, dtype) in [(Random::uniform(-1.0, 3.0), Dtype::F32), (Random::exponential(2.0), Dtype::F64)] {
        let plan = RandomPlan::new(&how, dtype, &SHAPE).unwrap();
        check(&format!("{how:?}"), &|engine, control| Ok(host(dtype, engine.random(&plan, Target::Device(None), control)?, LEN)));
    }
    let how = Integrate::new("exp(x*y) * s", &[("x", 0.0, 1.0), ("y", -1.0, 1.0)]).unwrap().param("s", 0.5);
    let plan = IntegratePlan::new(&how, 5..100_000).unwrap();
    check("an integral", &|engine, control| engine.integrate(&plan, control));
}
