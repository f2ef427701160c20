//! Float64: every operation, reduction and integral has the bits of the CPU.

use super::super::*;
use crate::expr::tests::{MADE_OF_OTHERS, OPERATIONS};
use crate::gpu::tests::engines;
use crate::plan::{IntegralMethod, IntegralState, Integrate, IntegratePlan, Map as How};
use crate::{AsOperand, Backend, Engine, Philox4x32, ReduceOp};

/// Numbers of every kind: all exponents, subnormals, specials, integers, halves, and neighbours of what matters.
fn numbers(len: usize, seed: u64) -> Vec<f64> {
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
        5e-324,
        -5e-324,
        f64::MIN_POSITIVE,
        2.2e-308,
        f64::MAX,
        f64::MIN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        4503599627370495.5,
        4503599627370496.0,
        9007199254740993.0,
        709.79,
        -745.13,
        0.9999999999999999,
        1.0000000000000002,
        std::f64::consts::PI,
        1e10,
        1e22,
        1e300,
        0.7071067811865475,
        27.0,
        -0.3,
        6.0,
        28.0,
        2147483649.0,
        1e-310,
    ];
    let philox = Philox4x32::new(seed);
    let number = |i: usize| {
        let [a, b, c, _] = philox.block(i as u64);
        let bits = u64::from(a) << 32 | u64::from(c);
        match b % 8 {
            0 => special[a as usize % special.len()],
            1 => f64::from_bits(bits),
            2 => f64::from(a as i32 >> 20) * 0.25,
            3 => 1.0 + (bits as f64 / 2f64.powi(64) - 0.5) * 2f64.powi(-((b >> 8) as i32 % 54)),
            4 => bits as f64 / 2f64.powi(64) * 750.0 - 375.0,
            5 => f64::from(a % 4096) * std::f64::consts::FRAC_PI_2 * (1.0 + f64::from(c % 64) * 2f64.powi(-52)),
            _ => f64::from_bits(bits & 0x80ff_ffff_ffff_ffff | 0x3f80_0000_0000_0000),
        }
    };
    (0..len).map(number).collect()
}

fn on_device(engine: &dyn Engine, plan: &MapPlan, arrays: &[&[f64]]) -> Vec<u64> {
    let inputs: Vec<_> = arrays.iter().map(|array| Input::Host(View::from_slice(array))).collect();
    let storage = engine.map(plan, &inputs, Target::Device(None), &Control::new()).unwrap();
    let array = crate::DynArray { dtype: plan.dtype, shape: plan.shape.clone(), storage: storage.unwrap() };
    let HostVec::F64(vec) = array.into_host().unwrap() else { panic!("float64 was asked for") };
    vec.into_iter().map(f64::to_bits).collect()
}

#[test]
fn every_operation_has_the_bits_of_the_cpu() {
    let len = 2003;
    let (x, y) = (numbers(len, 1), numbers(len, 2));
    let cpu = crate::select::cpu();
    for engine in engines() {
        for text in OPERATIONS.iter().chain(MADE_OF_OTHERS) {
            let how = How::new(&format!("where(y == y, {text}, {text})")).unwrap();
            let plan = MapPlan::new(&how, &[("x", Dtype::F64, &[len]), ("y", Dtype::F64, &[len])]).unwrap();
            let (got, expected) = (on_device(&engine, &plan, &[&x, &y]), on_device(&*cpu, &plan, &[&x, &y]));
            if let Some(i) = (0..len).find(|&i| got[i] != expected[i]) {
                let [got, expected] = [got[i], expected[i]].map(f64::from_bits);
                panic!("{engine:?} {text}: x = {:e}, y = {:e}: {got:e}, not {expected:e}", x[i], y[i]);
            }
        }
    }
}

/// Arrays of other dtypes, broadcast, on the device and on the host.
#[test]
fn arrays_are_found_where_they_lie() {
    let how = How::new("a*b + c").unwrap().dtype(Dtype::F64);
    let a: Vec<f64> = numbers(12 * 35, 3).into_iter().map(|x| if x.is_finite() { x } else { 1.25 }).collect();
    let (b, c): (Vec<i16>, Vec<f64>) = ((0..35).map(|i| i * 321 - 5000).collect(), numbers(12, 4));
    let a = ndarray::Array2::from_shape_vec((12, 35), a).unwrap();
    let b = ndarray::Array1::from(b);
    let c = ndarray::Array2::from_shape_vec((12, 1), c).unwrap();
    let values = |backend: &Backend| {
        let (on_a, on_c) = (backend.upload(&a).unwrap(), backend.upload(&c).unwrap());
        [[a.as_operand(), c.as_operand()], [on_a.as_operand(), on_c.as_operand()]].map(|[a, c]| {
            let array = backend.map_dyn(&how, &[("a", a), ("b", b.as_operand()), ("c", c)]).unwrap();
            let HostVec::F64(vec) = array.into_host().unwrap() else { panic!("float64 was asked for") };
            vec.into_iter().map(f64::to_bits).collect::<Vec<_>>()
        })
    };
    let expected = values(&Backend::cpu());
    assert_eq!(expected[0], expected[1]);
    for index in 0..engines().len() {
        assert_eq!(values(&Backend::gpu(index).unwrap()), expected);
    }
}

#[test]
fn reductions_have_the_bits_of_the_cpu() {
    let (cpu, control) = (crate::select::cpu(), Control::new());
    let ordinary: Vec<f64> = numbers(2503, 8).into_iter().filter(|x| x.abs() < 1e150 && x.abs() > 1e-140).collect();
    let all = numbers(1501, 9);
    for engine in engines() {
        for x in [&[2.5][..], &[-0.0, 0.0, -0.0], &[-0.0; 70], &ordinary, &all] {
            let plan = MapPlan::new(&How::new("x*0.5").unwrap(), &[("x", Dtype::F64, &[x.len()])]).unwrap();
            for op in ReduceOp::ALL.into_iter().filter(|op| *op != ReduceOp::Product) {
                let of =
                    |engine: &dyn Engine| engine.map_partials(&plan, op, &[Input::Host(View::from_slice(x))], &control).unwrap();
                assert_eq!(of(&engine), of(&*cpu), "{engine:?} {op:?} of {} numbers", x.len());
            }
        }
    }
}

#[test]
fn integrals_have_the_sums_of_the_cpu() {
    let (cpu, control) = (crate::select::cpu(), Control::new());
    for engine in engines() {
        for dimensions in [1, 2, 6] {
            let names: Vec<String> = (0..dimensions).map(|d| format!("x{d}")).collect();
            let text = format!("exp(-({})) * s", names.join(" + "));
            let bounds: Vec<_> = names.iter().map(|name| (name.as_str(), -0.5, 1.25)).collect();
            let how = Integrate::new(&text, &bounds).unwrap().seed(5).param("s", 3.0).dtype(Dtype::F64);
            let mut state = IntegralState::new(&how.clone().method(IntegralMethod::Vegas).round(3000)).unwrap();
            Backend::cpu().extend_integral(&mut state, 0..3100).unwrap();
            let refined = state.next(&(3100..6000), u64::MAX).unwrap();
            let points = IntegratePlan::new(&how.clone().method(IntegralMethod::Sobol), 0..0).unwrap();
            for samples in [0..0, 0..1, 3..1007, (1 << 33) + 1..(1 << 33) + 302] {
                for plan in [IntegratePlan::new(&how, 0..0).unwrap(), refined.clone(), points.clone()] {
                    let plan = IntegratePlan { samples: samples.clone(), ..plan };
                    let (got, expected) = (engine.integrate(&plan, &control).unwrap(), cpu.integrate(&plan, &control).unwrap());
                    assert_eq!(got, expected, "{engine:?} {dimensions} {:?} {:?}", plan.sampling, plan.samples);
                }
            }
        }
    }
}

/// Squares out of binary64's reach, nothing but zeros, infinities and NaN.
#[test]
fn integrals_of_extremes_have_the_sums_of_the_cpu() {
    let (cpu, control) = (crate::select::cpu(), Control::new());
    for engine in engines() {
        for text in
            ["1e-160*x", "1e-320*x + 1e-200", "1e200*x", "-0*x", "0*x", "1/(x > 0.5)", "where(x > 0.3, x, nan)", "sqrt(x - 0.01)"]
        {
            for method in [IntegralMethod::Plain, IntegralMethod::Vegas] {
                let how = Integrate::new(text, &[("x", 0.0, 1.0)]).unwrap().dtype(Dtype::F64).method(method);
                let plan = IntegratePlan::new(&how, 0..700).unwrap();
                let (got, expected) = (engine.integrate(&plan, &control).unwrap(), cpu.integrate(&plan, &control).unwrap());
                assert_eq!(got, expected, "{engine:?} {text} {method}");
            }
        }
    }
}

/// More values at a time than a tape keeps: an error that says so, not a wrong result.
#[test]
fn what_has_no_room_is_refused() {
    let names: Vec<String> = (0..60).map(|d| format!("x{d}")).collect();
    let sines: Vec<String> = names.iter().map(|name| format!("({name} - 1)")).collect();
    // Every term is needed twice, the second time in the other order.
    let back: Vec<String> = sines.iter().rev().cloned().collect();
    let text = format!("({}) * ({})", sines.join(" + "), back.join(" - "));
    let bounds: Vec<_> = names.iter().map(|name| (name.as_str(), 0.0, 1.0)).collect();
    let plan = IntegratePlan::new(&Integrate::new(&text, &bounds).unwrap().dtype(Dtype::F64), 0..10).unwrap();
    for engine in engines() {
        let error = engine.integrate(&plan, &Control::new()).unwrap_err();
        assert!(error.to_string().contains("48 values at a time"), "{error}");
    }
}
