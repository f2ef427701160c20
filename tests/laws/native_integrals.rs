//! Integrands that are code, a function of Rust or WGSL: the points, states and targets of any integral; errors where they cannot run.

use unisono::{Backend, DeviceClass, Dtype, Error, IntegralMethod, IntegralState, Integrate};

use crate::devices;

const BOX: [(&str, f64, f64); 2] = [("x", 0.0, 1.0), ("y", -1.0, 2.0)];

fn cubic(point: &[f64]) -> f64 {
    point[0] * point[0] * point[1] + 0.5
}

fn is_gpu(backend: &Backend) -> bool {
    backend.members().is_empty() && backend.info().class != DeviceClass::Cpu
}

/// The same rounded operations as in the language: the same integrals, by every method, in parts, from bytes.
#[test]
fn a_function_of_rust_has_the_integrals_of_its_expression() {
    for method in IntegralMethod::ALL {
        let of = |how: Integrate| how.method(method).round(2000).samples(10_000).seed(3);
        let how = of(Integrate::function("cubic", &BOX, cubic));
        let expected = Backend::cpu().integrate(&of(Integrate::new("x*x*y + 0.5", &BOX).unwrap().dtype(Dtype::F64))).unwrap();
        for backend in devices::all() {
            if backend.info().class != DeviceClass::Cpu && !backend.members().iter().any(|m| m.info().class == DeviceClass::Cpu) {
                let error = backend.integrate(&how).unwrap_err();
                assert!(error.to_string().contains("`cubic`, a function of Rust"), "{backend:?}: {error}");
                continue;
            }
            assert_eq!(backend.integrate(&how).unwrap(), expected, "{backend:?} {method}");
        }
        let mut state = IntegralState::new(&how).unwrap();
        Backend::cpu().extend_integral(&mut state, 0..1234).unwrap();
        let mut resumed = IntegralState::from_bytes(&state.to_bytes()).unwrap();
        assert_eq!(resumed, state);
        let error = Backend::cpu().extend_integral(&mut resumed, 0..2000).unwrap_err().to_string();
        assert!(error.contains("the name `cubic`, read from bytes"), "{error}");
        assert_eq!(Backend::cpu().integrate_into(&how, &mut resumed).unwrap(), expected);
        let other = of(Integrate::function("other", &BOX, |_| 1.0));
        assert!(state.merge(&IntegralState::new(&other).unwrap()).unwrap_err().to_string().contains("fn other"));
    }
    let target = Integrate::function("cubic", &BOX, cubic).relative_error(1e-2);
    let met = Backend::cpu().integrate(&target).unwrap();
    assert!(met.converged && (met.estimate - 2.0).abs() < 5.0 * met.standard_error, "{met:?}");
    assert!(target.is_reproducible());
    let error = Backend::cpu().integrate(&target.dtype(Dtype::F32)).unwrap_err();
    assert!(matches!(error, Error::Dtype { got: Dtype::F32, .. }), "{error}");
}

#[test]
fn wgsl_is_integrated_on_gpus() {
    let text = "const HALF = 0.5;
        fn squared(x: f32) -> f32 { return x * x; }
        fn integrand(x: f32, y: f32) -> f32 { return squared(x) * y + HALF; }";
    let how = Integrate::wgsl(text, &BOX).samples(20_000).seed(3);
    assert!(!how.is_reproducible());
    for backend in devices::all() {
        if !is_gpu(backend) {
            continue;
        }
        for method in IntegralMethod::ALL {
            let how = how.clone().method(method).round(4000);
            let integral = backend.integrate(&how).unwrap();
            // The points are those of the expression; what floats do to the values is far below the error.
            let same = Integrate::new("x*x*y + 0.5", &BOX).unwrap().samples(20_000).seed(3).method(method).round(4000);
            let expected = Backend::cpu().integrate(&same).unwrap();
            assert!((integral.estimate - expected.estimate).abs() < 1e-5, "{backend:?} {integral:?} {expected:?}");
            let mut state = IntegralState::new(&how).unwrap();
            backend.extend_integral(&mut state, 0..3000).unwrap();
            let mut state = IntegralState::from_bytes(&state.to_bytes()).unwrap();
            assert_eq!(backend.integrate_into(&how, &mut state).unwrap(), integral, "{backend:?}");
        }
        for (wrong, said) in [
            ("fn integrand(x: f32, y: f32) -> f32 { return z; }", "z"),
            ("fn integrand(x: f32) -> f32 { return x; }", "integrand"),
            ("fn f(x: f32, y: f32) -> f32 { return x; }", "integrand"),
            ("this is no WGSL", "expected"),
            ("fn words(x: f32) -> f32 { return x; } fn integrand(x: f32, y: f32) -> f32 { return x; }", "the name `words`"),
        ] {
            let error = backend.integrate(&Integrate::wgsl(wrong, &BOX)).unwrap_err().to_string();
            assert!(error.starts_with("integrand in WGSL: got ") && error.contains(said), "{backend:?}: {error}");
        }
        // A parameter is a variable of its name.
        let text = "fn half(x: f32) -> f32 { return s * x; } fn integrand(x: f32, y: f32) -> f32 { return half(x) + shift; }";
        for (s, shift) in [(0.5, 1.0), (-2.0, 0.25)] {
            let how = Integrate::wgsl(text, &BOX).param("shift", shift).param("s", s).samples(5000);
            let same = Integrate::new("s*x + shift", &BOX).unwrap().param("s", s).param("shift", shift).samples(5000);
            let (integral, expected) = (backend.integrate(&how).unwrap(), Backend::cpu().integrate(&same).unwrap());
            assert!((integral.estimate - expected.estimate).abs() < 1e-5, "{backend:?} {integral:?} {expected:?}");
            for (name, value, said) in
                [("s p", 1.0, "`s p`"), ("s", f64::NAN, "NaN"), ("digits", 1.0, "`digits`"), ("half", 1.0, "`half`")]
            {
                let error = backend.integrate(&how.clone().param(name, value)).unwrap_err().to_string();
                assert!(error.contains("in WGSL: got") && error.contains(said), "{backend:?}: {error}");
            }
        }
        // The device is none the worse for it.
        assert!(backend.integrate(&how).is_ok());
    }
    let error = Backend::cpu().integrate(&how).unwrap_err().to_string();
    assert!(error.contains("device for an integrand in WGSL: got cpu"), "{error}");
    assert!(Backend::cpu().integrate(&how.dtype(Dtype::F64)).is_err());
}
