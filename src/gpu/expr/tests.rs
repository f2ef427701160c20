mod double;

use super::*;
use crate::Engine;
use crate::expr::lower::{Binding, Program};
use crate::expr::scalar;
use crate::expr::tests::{OPERATIONS, evaluate};
use crate::gpu::tests::engines;
use crate::plan::{IntegralMethod, IntegralState, Integrate, IntegratePlan, Map as How};
use crate::{Expression, Philox4x32, ReduceOp};

/// Numbers of every kind: all exponents, subnormals, specials, integers, halves, and neighbours of what matters.
fn numbers(len: usize, seed: u64) -> Vec<f32> {
    let special = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        -0.5,
        1.5,
        2.5,
        -2.5,
        2.0,
        3.0,
        1e-45,
        -1e-45,
        1.1754942e-38,
        1.1754944e-38,
        f32::MAX,
        f32::MIN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        8388607.5,
        8388608.0,
        16777216.0,
        88.72284,
        -103.97208,
        0.99999994,
        1.0000001,
        std::f32::consts::PI,
        1e10,
        1e22,
        128.0,
        -149.0,
    ];
    let philox = Philox4x32::new(seed);
    (0..len)
        .map(|i| {
            let [a, b, ..] = philox.block(i as u64);
            match b % 6 {
                0 => special[a as usize % special.len()],
                1 => f32::from_bits(a),
                2 => (a as i32 >> 20) as f32 * 0.25,
                3 => f32::from_bits(0x3f80_0000 + (a >> 14) - (1 << 17)),
                _ => f32::from_bits((a & 0x87ff_ffff) + 0x3c00_0000),
            }
        })
        .collect()
}

fn bits(vec: HostVec) -> Vec<u32> {
    let HostVec::F32(vec) = vec else { panic!("float32 was asked for") };
    vec.into_iter().map(f32::to_bits).collect()
}

fn on_device(engine: &dyn Engine, plan: &MapPlan, arrays: &[&[f32]]) -> Vec<u32> {
    let inputs: Vec<_> = arrays.iter().map(|array| Input::Host(View::from_slice(array))).collect();
    let storage = engine.map(plan, &inputs, Target::Device(None), &Control::new()).unwrap();
    let array = crate::DynArray { dtype: plan.dtype, shape: plan.shape.clone(), storage: storage.unwrap() };
    bits(array.into_host().unwrap())
}

/// Every operation, on pairs of numbers of every kind, is that of the CPU.
#[test]
fn every_operation_has_the_bits_of_the_cpu() {
    let len = 100_003;
    let (x, y) = (numbers(len, 1), numbers(len, 2));
    for engine in engines() {
        for text in OPERATIONS {
            let text = &format!("where(y == y, {text}, {text})");
            let plan = MapPlan::new(&How::new(text).unwrap(), &[("x", Dtype::F32, &[len]), ("y", Dtype::F32, &[len])]).unwrap();
            let got = on_device(&engine, &plan, &[&x, &y]);
            let expression = Expression::new(text).unwrap().written_out();
            let names = expression.names().to_vec();
            let bindings: Vec<_> = names.iter().map(|name| Binding::Input(usize::from(name == "y"))).collect();
            let program = Program::new(&expression, &bindings, 2);
            let uniforms: Vec<f32> = program.uniforms(&expression, &bindings);
            for i in 0..len {
                let expected = scalar::Lane::canonical(evaluate(&program, &uniforms, &[x[i], y[i]]));
                let of = f32::from_bits(got[i]);
                assert_eq!(
                    got[i],
                    expected.to_bits(),
                    "{engine:?} {text}: x = {:e}, y = {:e}: {of:e}, not {expected:e}",
                    x[i],
                    y[i]
                );
            }
        }
    }
}

/// Functions that are made of others, written out on every device.
#[test]
fn composed_functions_have_the_bits_of_the_cpu() {
    let len = 4099;
    let (x, y) = (numbers(len, 3), numbers(len, 4));
    let texts = [["atan2(x, y)", "log1p(x)"], ["erfc(x)", "mod(x, 0.75)"]];
    let cpu = crate::select::cpu();
    for engine in engines() {
        for texts in texts {
            // One shader: which of them an element shows is what `k` says.
            let [a, b] = texts;
            let text = format!("where(k == 0, {a}, {b})");
            for (k, shown) in texts.iter().enumerate() {
                let how = How::new(&text).unwrap().param("k", k as f64);
                let plan = MapPlan::new(&how, &[("x", Dtype::F32, &[len]), ("y", Dtype::F32, &[len])]);
                // Not all of them have a `y`.
                let plan = plan.or_else(|_| MapPlan::new(&how, &[("x", Dtype::F32, &[len])])).unwrap();
                let arrays = [&x[..], &y[..]];
                let arrays = &arrays[..plan.inputs.len()];
                let (got, expected) = (on_device(&engine, &plan, arrays), on_device(&*cpu, &plan, arrays));
                if let Some(i) = (0..len).find(|&i| got[i] != expected[i]) {
                    let [got, expected] = [got[i], expected[i]].map(f32::from_bits);
                    panic!("{engine:?} {}: x = {:e}, y = {:e}: {got:e}, not {expected:e}", shown, x[i], y[i]);
                }
            }
        }
    }
}

/// Sums do not depend on where the samples were drawn, in any number of coordinates, far along the stream, in any cut.
#[test]
fn integrals_have_the_sums_of_the_cpu() {
    let cpu = crate::select::cpu();
    let control = Control::new();
    for engine in engines() {
        for dimensions in [1, 2, 3, 5] {
            let names: Vec<String> = (0..dimensions).map(|d| format!("x{d}")).collect();
            let text = format!("exp(-({})) * s", names.join(" + "));
            let bounds: Vec<_> = names.iter().map(|name| (name.as_str(), -0.5, 1.25)).collect();
            let how = Integrate::new(&text, &bounds).unwrap().seed(5).param("s", 3.0);
            // A grid that was made once, and its counts.
            let mut state = IntegralState::new(&how.clone().method(IntegralMethod::Vegas).round(3000)).unwrap();
            crate::Backend::cpu().extend_integral(&mut state, 0..3100).unwrap();
            let refined = state.next(&(3100..6000), u64::MAX).unwrap();
            for samples in [0..0, 0..1, 3..10_007, (1 << 33) + 1..(1 << 33) + 5002] {
                for plan in [IntegratePlan::new(&how, 0..0).unwrap(), refined.clone()] {
                    let plan = IntegratePlan { samples: samples.clone(), ..plan };
                    let (got, expected) = (engine.integrate(&plan, &control).unwrap(), cpu.integrate(&plan, &control).unwrap());
                    assert_eq!(got, expected, "{engine:?} {dimensions} {:?}", plan.samples);
                }
            }
        }
    }
}

/// As many coordinates as functions of WGSL have parameters, and one more.
#[test]
fn integrals_have_as_many_coordinates_as_there_is_room_for() {
    let names: Vec<String> = (0..256).map(|d| format!("x{d}")).collect();
    let bounds: Vec<_> = names.iter().map(|name| (name.as_str(), 0.0, 1.0)).collect();
    let plan = |dimensions: usize| {
        let how = Integrate::new("x0 + 1", &bounds[..dimensions]).unwrap().method(IntegralMethod::Vegas);
        IntegratePlan::new(&how, 0..100).unwrap()
    };
    let program = plan(255).program;
    naga::front::wgsl::parse_str(&source::integrate((&program, None), Places::Grid, 255, 1, false)).unwrap();
    for engine in engines() {
        let error = engine.integrate(&plan(256), &Control::new()).unwrap_err();
        assert!(error.to_string().contains("room for more than 255 coordinates"), "{engine:?}: {error}");
    }
}

/// Numbers of every kind, with and without what makes a sum infinite or NaN, zeros of one sign, and more than an invocation adds
/// before it carries.
#[test]
fn sums_of_a_map_are_those_of_the_cpu() {
    let (cpu, control) = (crate::select::cpu(), Control::new());
    let finite: Vec<f32> = numbers(40_009, 7).into_iter().filter(|x| x.is_finite()).collect();
    let with = |more: &[f32]| [&finite[..3001], more].concat();
    let cases = [
        vec![],
        vec![-0.0; 100],
        vec![-0.0, 0.0],
        vec![f32::MAX; 70_001],
        with(&[f32::INFINITY]),
        with(&[f32::INFINITY, f32::NEG_INFINITY]),
        with(&[f32::NAN]),
        finite.clone(),
    ];
    for engine in engines() {
        for x in &cases {
            let plan = MapPlan::new(&How::new("min(x, x)").unwrap(), &[("x", Dtype::F32, &[x.len()])]).unwrap();
            let of = |engine: &dyn Engine| {
                let input = Input::Host(View::from_slice(x));
                engine.map_partials(&plan, ReduceOp::from(crate::plan::op::Sum), &[input], &control).unwrap()
            };
            assert_eq!(of(&engine), of(&*cpu), "{engine:?} {} numbers", x.len());
        }
    }
}

/// Every other reduction: extremes at both ends, in the middle, of NaN, of zeros of both signs, of equals in several workgroups.
#[test]
fn reductions_of_a_map_are_those_of_the_cpu() {
    let (cpu, control) = (crate::select::cpu(), Control::new());
    let ordinary: Vec<f32> = numbers(30_011, 8).into_iter().filter(|x| x.is_finite()).collect();
    let with = |at: usize, x: f32| {
        let mut all = ordinary.clone();
        all[at] = x;
        all
    };
    let cases = [
        vec![2.5],
        vec![-0.0, 0.0, -0.0],
        vec![0.0; 5000],
        vec![-3.0; 9001],
        vec![f32::NEG_INFINITY, f32::INFINITY, f32::INFINITY],
        with(0, f32::INFINITY),
        with(20_000, f32::NEG_INFINITY),
        with(17, f32::NAN),
        ordinary.clone(),
    ];
    for engine in engines() {
        for x in &cases {
            let plan = MapPlan::new(&How::new("-x").unwrap(), &[("x", Dtype::F32, &[x.len()])]).unwrap();
            for op in ReduceOp::ALL.into_iter().filter(|op| *op != ReduceOp::Product) {
                let of =
                    |engine: &dyn Engine| engine.map_partials(&plan, op, &[Input::Host(View::from_slice(x))], &control).unwrap();
                assert_eq!(of(&engine), of(&*cpu), "{engine:?} {op} of {} numbers", x.len());
            }
        }
    }
}
