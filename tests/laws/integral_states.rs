//! An integral that is stopped, saved, resumed and shared is one run, by every method, on every device.

use std::time::Duration;

use unisono::{Backend, Control, Dtype, Error, IntegralMethod, IntegralState, Integrate};

use crate::devices;

/// A peak away from the middle: 0.31420… over the square.
fn example() -> Integrate {
    let bounds = [("x", 0.0, 1.0), ("y", -1.0, 2.0)];
    Integrate::new("100*exp(-s*((x - 0.3)**2 + (y - 0.6)**2))", &bounds).unwrap().param("s", 1000.0).seed(7)
}

const EXACT: f64 = 100.0 * std::f64::consts::PI / 1000.0;

#[test]
fn parts_on_any_devices_are_the_whole() {
    let how = example().samples(90_007);
    let expected = Backend::cpu().integrate(&how).unwrap();
    let all = devices::all();
    let mut parts: Vec<IntegralState> = vec![];
    for (i, backend) in all.iter().enumerate() {
        let (start, end) = (90_007 * i as u64 / all.len() as u64, 90_007 * (i as u64 + 1) / all.len() as u64);
        let mut state = IntegralState::new(&how).unwrap();
        backend.extend_integral(&mut state, start..end).unwrap();
        // What is there already is not drawn again.
        backend.extend_integral(&mut state, start..end).unwrap();
        parts.push(IntegralState::from_bytes(&state.to_bytes()).unwrap());
    }
    let mut whole = IntegralState::new(&how).unwrap();
    parts.iter().rev().for_each(|part| whole.merge(part).unwrap());
    assert_eq!((whole.integral(), whole.ranges().len(), whole.missing(0..90_007).len()), (expected, 1, 0));
}

#[test]
fn importance_sampling_is_the_same_run_everywhere_however_it_is_shared() {
    let how = example().method(IntegralMethod::Vegas).round(4000).samples(33_000);
    let expected = Backend::cpu().integrate(&how).unwrap();
    assert_eq!(expected.samples, 32_000);
    assert!((expected.estimate - EXACT).abs() < 5.0 * expected.standard_error, "{expected:?}");
    assert!(expected.chi2_per_dof.is_some_and(|chi2| chi2 < 5.0), "{expected:?}");
    let mut shared = IntegralState::new(&how).unwrap();
    let all = devices::all();
    for round in 0..8u64 {
        // Each round by two devices, in parts.
        let mut other = IntegralState::from_bytes(&shared.to_bytes()).unwrap();
        all[round as usize % all.len()].extend_integral(&mut shared, 4000 * round..4000 * round + 1501).unwrap();
        all[(round as usize + 1) % all.len()].extend_integral(&mut other, 4000 * round + 1501..4000 * (round + 1)).unwrap();
        shared.merge(&other).unwrap();
        assert!(shared.merge(&other).is_err());
    }
    assert_eq!(shared.integral(), expected);
    for backend in all {
        assert_eq!(backend.integrate(&how).unwrap(), expected, "{backend:?}");
    }
    // The next round's grid comes of this one's samples.
    let mut early = IntegralState::new(&how).unwrap();
    let error = all[0].extend_integral(&mut early, 4000..4001).unwrap_err().to_string();
    assert!(error.contains("samples below 4000"), "{error}");
    assert!(shared.merge(&early).unwrap_err().to_string().contains("round 1"));
}

#[test]
fn importance_sampling_finds_what_plain_sampling_hardly_sees() {
    let bounds = ["x", "y", "z", "w"].map(|name| (name, 0.0, 1.0));
    let text = "exp(-2000*((x - 0.3)**2 + (y - 0.7)**2 + (z - 0.5)**2 + (w - 0.2)**2))";
    let how = Integrate::new(text, &bounds).unwrap().samples(10 << 16).seed(1);
    let exact = (std::f64::consts::PI / 2000.0).powi(2);
    let plain = Backend::cpu().integrate(&how).unwrap();
    let vegas = Backend::cpu().integrate(&how.clone().method(IntegralMethod::Vegas)).unwrap();
    assert!((vegas.estimate - exact).abs() < 4.0 * vegas.standard_error, "{vegas:?}");
    assert!(vegas.standard_error < plain.standard_error / 30.0, "{} {}", vegas.standard_error, plain.standard_error);
    // A target is looked at from the fifth round on, and a round with nothing in it takes nothing away.
    let target = how.clone().method(IntegralMethod::Vegas).relative_error(0.5);
    assert_eq!(Backend::cpu().integrate(&target).unwrap().samples, 5 << 16);
    let none = Integrate::new("where(x < 0, 1, 0)", &[("x", 0.0, 1.0)]).unwrap().method(IntegralMethod::Vegas).round(100);
    let none = Backend::cpu().integrate(&none.samples(500)).unwrap();
    assert_eq!((none.estimate, none.standard_error, none.chi2_per_dof), (0.0, 0.0, None));
    let infinite = Integrate::new("1/(x - x)", &[("x", 0.0, 1.0)]).unwrap().method(IntegralMethod::Vegas).round(100);
    assert!(Backend::cpu().integrate(&infinite.samples(500)).unwrap().standard_error.is_nan());
}

/// Squares of what is near 1e-155 are no normal numbers; the grid is that of the same integrand times 2^507.
#[test]
fn importance_sampling_adapts_to_tiny_values() {
    let text = "s*exp(-500*((x - 0.3)**2 + (y - 0.6)**2))";
    let how = Integrate::new(text, &["x", "y"].map(|name| (name, 0.0, 1.0))).unwrap().dtype(Dtype::F64).seed(3);
    let how = how.method(IntegralMethod::Vegas).round(2000).samples(12_000);
    let one = Backend::cpu().integrate(&how.clone().param("s", 1.0)).unwrap();
    let scale = 2f64.powi(-507);
    for backend in devices::all() {
        let tiny = backend.integrate(&how.clone().param("s", scale)).unwrap();
        assert_eq!(tiny.estimate, one.estimate * scale, "{backend:?}");
        assert!((tiny.standard_error / (one.standard_error * scale) - 1.0).abs() < 1e-6, "{backend:?} {tiny:?} {one:?}");
    }
}

/// A look at the error takes no longer the more rounds there were.
#[test]
fn rounds_are_read_once() {
    let how = example().method(IntegralMethod::Vegas).round(16).samples(4000 * 16);
    let timed = |how: &Integrate| {
        let began = std::time::Instant::now();
        (Backend::cpu().integrate(how).unwrap(), began.elapsed())
    };
    let (all, without) = timed(&how);
    let (looked, with) = timed(&how.clone().absolute_error(1e-300));
    assert_eq!((looked.estimate, looked.chi2_per_dof, looked.converged), (all.estimate, all.chi2_per_dof, false));
    assert!(with < 20 * without + Duration::from_secs(2), "{with:?}, not {without:?}");
}

#[test]
fn a_cancelled_run_keeps_its_slices_and_goes_on_from_the_file() {
    let folder = std::env::temp_dir().join(format!("unisono-integrals-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("integral.state");
    for method in IntegralMethod::ALL {
        let how = example().method(method).samples(1 << 50);
        let control = Control::new();
        let backend = Backend::cpu().with_control(&control);
        let mut state = IntegralState::new(&how).unwrap();
        let stopped = std::thread::scope(|scope| {
            let run = scope.spawn(|| backend.integrate_saved(&how, &mut state, &file, Duration::ZERO));
            while IntegralState::load(&file).map_or(0, |state| state.samples()) < 1 << 17 {
                std::thread::sleep(Duration::from_millis(5));
            }
            control.cancel();
            run.join().unwrap()
        });
        assert!(matches!(stopped, Err(Error::Cancelled { total, .. }) if total >= 1 << 49), "{stopped:?}");
        assert_eq!(IntegralState::load(&file).unwrap(), state);
        let end = (state.samples() + 1).next_multiple_of(1 << 16) + (1 << 16);
        let how = how.samples(end);
        let (backend, mut resumed) = (Backend::cpu(), IntegralState::new(&how).unwrap());
        let integral = backend.integrate_saved(&how, &mut resumed, &file, Duration::from_secs(60)).unwrap();
        assert_eq!((resumed.samples(), &integral), (end, &backend.integrate(&how).unwrap()), "{method}");
        assert_eq!(IntegralState::load(&file).unwrap(), resumed);
        // Nothing is left beside it, and what does not fit is refused without touching it.
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        let other = how.clone().seed(4);
        let refused = backend.integrate_saved(&other, &mut IntegralState::new(&other).unwrap(), &file, Duration::ZERO);
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("integral.state") && refused.contains("seed 7"), "{refused}");
        assert_eq!(IntegralState::load(&file).unwrap(), resumed);
        std::fs::remove_file(&file).unwrap();
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_run_to_an_error_stops_at_the_same_sample_interrupted_or_not() {
    for method in IntegralMethod::ALL {
        let how = example().method(method).round(5000).relative_error(0.02).samples(1 << 24);
        let whole = Backend::cpu().integrate(&how).unwrap();
        assert!(whole.converged && whole.samples.is_multiple_of(5000) && whole.samples < 1 << 22, "{whole:?}");
        for backend in devices::all() {
            let mut state = IntegralState::new(&how).unwrap();
            backend.extend_integral(&mut state, 0..whole.samples - 1234).unwrap();
            assert_eq!(backend.integrate_into(&how, &mut state).unwrap(), whole, "{backend:?} {method}");
            // What is there is enough.
            assert_eq!(backend.integrate_into(&how, &mut state).unwrap(), whole, "{backend:?} {method}");
        }
    }
}

#[test]
fn problems_never_mix_and_damage_is_seen() {
    let how = example();
    let mut state = IntegralState::new(&how).unwrap();
    Backend::cpu().extend_integral(&mut state, 100..200).unwrap();
    let before = state.clone();
    let expression = Integrate::new("x + y", &[("x", 0.0, 1.0), ("y", -1.0, 2.0)]).unwrap().seed(7);
    let bounds = Integrate::new("100*exp(-s*((x - 0.3)**2 + (y - 0.6)**2))", &[("x", 0.0, 1.0), ("y", -1.0, 3.0)]).unwrap();
    for (other, said) in [
        (how.clone().seed(8), "seed 8"),
        (how.clone().param("s", 2.0), "parameters"),
        (how.clone().dtype(Dtype::F64), "dtype float64"),
        (how.clone().method(IntegralMethod::Vegas), "method vegas"),
        (expression, "expression `x + y`"),
        (bounds.param("s", 1000.0).seed(7), "bounds"),
    ] {
        let other = IntegralState::new(&other).unwrap();
        let error = state.merge(&other).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
        let error = Backend::cpu().integrate_into(other.problem(), &mut state).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    assert!(state.merge(&before).unwrap_err().to_string().contains("samples 100 to below 200"));
    assert_eq!(state, before);
    for method in IntegralMethod::ALL {
        let mut state = IntegralState::new(&how.clone().method(method).round(60)).unwrap();
        Backend::cpu().extend_integral(&mut state, 0..100).unwrap();
        let bytes = state.to_bytes();
        assert_eq!(IntegralState::from_bytes(&bytes), Ok(state));
        for len in 0..bytes.len() {
            assert!(matches!(IntegralState::from_bytes(&bytes[..len]), Err(Error::Corrupt { .. })));
        }
        for byte in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[byte] ^= 1 << (byte % 8);
            assert!(matches!(IntegralState::from_bytes(&bytes), Err(Error::Corrupt { .. })), "byte {byte}");
        }
    }
}
