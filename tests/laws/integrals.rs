//! Integrals: the frozen samples, one sum for every device and cut.

use unisono::random::Sobol;
use unisono::{Backend, Dtype, ExactSum, Integral, IntegralMethod, IntegralSums, Integrate, Philox4x32};

use crate::devices;

/// The sums of `x·y + z` over [0, 1] × [-1, 3] × [2, 2.5], by the definition, in float32.
fn by_definition(samples: std::ops::Range<u64>, seed: u64) -> IntegralSums {
    let mut sums = IntegralSums::default();
    for sample in samples {
        // Three coordinates take one block.
        let counter = [sample as u32, (sample >> 32) as u32, 0, 1];
        let key = seed ^ u64::from_be_bytes(*b"integral");
        let words = Philox4x32::philox4x32_10(counter, [key as u32, (key >> 32) as u32]);
        let fraction = |word: u32| (2 * (word >> 9) + 1) as f32 * 2f32.powi(-24);
        let [x, y, z] =
            [(0.0f32, 1.0f32, 0), (-1.0, 4.0, 1), (2.0, 0.5, 2)].map(|(from, width, i)| from + width * fraction(words[i]));
        let value = x * y + z;
        sums.count += 1;
        sums.sum.push_f32(value);
        sums.squares.push(f64::from(value) * f64::from(value));
    }
    sums
}

fn example() -> Integrate {
    Integrate::new("x*y + z", &[("x", 0.0, 1.0), ("y", -1.0, 3.0), ("z", 2.0, 2.5)]).unwrap()
}

#[test]
fn samples_are_those_of_the_definition_on_every_device() {
    for (range, seed) in [(0..0, 1), (0..1, 1), (5..20_011, 42), ((1 << 40) - 7..(1 << 40) + 5000, u64::MAX)] {
        let expected = by_definition(range.clone(), seed);
        for backend in devices::all() {
            let got = backend.integrate_range(&example().seed(seed), range.clone()).unwrap();
            assert_eq!(got, expected, "{backend:?} {range:?}");
        }
    }
}

#[test]
fn words_are_shared_among_samples_of_few_coordinates() {
    // The sum of the coordinate itself, by the definition: word s mod 4 of block s div 4; two words of block s div 2.
    let fraction = |word: u32| (2 * (word >> 9) + 1) as f32 * 2f32.powi(-24);
    let key = 9 ^ u64::from_be_bytes(*b"integral");
    let key = [key as u32, (key >> 32) as u32];
    let block = |b: u64| Philox4x32::philox4x32_10([b as u32, (b >> 32) as u32, 0, 1], key);
    let one: ExactSum = (3..5001u64).map(|s| f64::from(fraction(block(s / 4)[(s % 4) as usize]))).collect();
    let two: ExactSum = (3..5001u64).map(|s| f64::from(fraction(block(s / 2)[(2 * (s % 2) + 1) as usize]))).collect();
    for backend in devices::all() {
        let how = Integrate::new("x", &[("x", 0.0, 1.0)]).unwrap().seed(9);
        assert_eq!(backend.integrate_range(&how, 3..5001).unwrap().sum, one, "{backend:?}");
        let how = Integrate::new("y", &[("x", 0.0, 1.0), ("y", 0.0, 1.0)]).unwrap().seed(9);
        assert_eq!(backend.integrate_range(&how, 3..5001).unwrap().sum, two, "{backend:?}");
    }
}

/// The estimates of 32 replicates of `x·y + z` from samples `0..end`, by the definition, in float32.
fn sobol_by_definition(end: u64, seed: u64) -> Vec<f64> {
    let (sobol, seed) = (Sobol::new(3).unwrap(), seed ^ u64::from_be_bytes(*b"integral"));
    let one = |replicate: u64| {
        let mut sum = ExactSum::new();
        let samples: Vec<u64> = (0..end).filter(|sample| sample % 32 == replicate).collect();
        for sample in &samples {
            let [x, y, z] = [(0.0f32, 1.0f32, 0), (-1.0, 4.0, 1), (2.0, 0.5, 2)].map(|(from, width, axis)| {
                let key = Sobol::key(seed, replicate, axis);
                let word = Sobol::scramble(sobol.point((sample / 32) as u32, axis as usize), key);
                from + width * ((2 * (word >> 9) + 1) as f32 * 2f32.powi(-24))
            });
            sum.push_f32(x * y + z);
        }
        2.0 * sum.to_f64() / samples.len() as f64
    };
    (0..32).map(one).collect()
}

#[test]
fn sobols_points_are_those_of_the_definition_on_every_device() {
    let expected = sobol_by_definition(40_007, 11);
    let how = example().seed(11).samples(40_007).method(IntegralMethod::Sobol);
    let integral = Backend::cpu().integrate(&how).unwrap();
    // One rounding of a mean is not that of a quotient.
    let near = |(a, b): (&f64, &f64)| (a / b - 1.0).abs() < 1e-15;
    assert!(integral.replicates.len() == 32 && integral.replicates.iter().zip(&expected).all(near), "{integral:?}");
    for backend in devices::all() {
        assert_eq!(backend.integrate(&how).unwrap(), integral, "{backend:?}");
    }
    assert!(Backend::cpu().integrate_range(&how, 0..32).unwrap_err().to_string().contains("sobol"));
    // Beyond the sequence's 2^32 points it begins anew, with other keys.
    let mut late = unisono::IntegralState::new(&how).unwrap();
    Backend::cpu().extend_integral(&mut late, (1 << 37) - 3200..(1 << 37) + 3200).unwrap();
    let late = late.integral();
    assert!(late.samples == 6400 && (late.estimate - 5.5).abs() < 6.0 * late.standard_error, "{late:?}");
    let gpu = devices::all().last().unwrap();
    let mut state = unisono::IntegralState::new(&how).unwrap();
    gpu.extend_integral(&mut state, (1 << 37) - 3200..(1 << 37) + 3200).unwrap();
    assert_eq!(state.integral(), late);
}

#[test]
fn sobols_error_falls_faster_than_the_root() {
    let how = Integrate::new("exp(x + y*z)", &["x", "y", "z"].map(|name| (name, 0.0, 1.0))).unwrap().dtype(Dtype::F64);
    // (e - 1) ∫ (e^z − 1) / z = (e - 1) Σ 1 / (k k!).
    let series = |k: u32| 1.0 / (f64::from(k) * (1..=k).map(f64::from).product::<f64>());
    let exact = (1f64.exp() - 1.0) * (1..20).map(series).sum::<f64>();
    let mut errors = vec![];
    for bits in [10, 14, 18] {
        let how = how.clone().samples(1 << bits).method(IntegralMethod::Sobol).seed(bits);
        let integral = Backend::cpu().integrate(&how).unwrap();
        assert!((integral.estimate - exact).abs() < 4.0 * integral.standard_error, "{integral:?} {exact}");
        errors.push(integral.standard_error);
    }
    // As n^-3/2 it would be 64 at every step, as n^-1/2 4.
    assert!(errors.windows(2).all(|pair| pair[0] > 20.0 * pair[1]), "{errors:?}");
    // A target is looked at after powers of two.
    let target = how.method(IntegralMethod::Sobol).absolute_error(1e-5).samples(1 << 30);
    let met = Backend::cpu().integrate(&target).unwrap();
    assert!(met.converged && met.samples.is_power_of_two() && met.standard_error <= 1e-5, "{met:?}");
}

#[test]
fn ranges_merge_to_one_run_and_a_target_stops_where_it_is_met() {
    let how = example().seed(3).samples(100_000);
    let whole = Backend::cpu().integrate(&how).unwrap();
    for backend in devices::all() {
        let mut parts = IntegralSums::default();
        for range in [60_001..100_000, 0..1, 1..60_001] {
            parts.merge(&backend.integrate_range(&how, range).unwrap());
        }
        assert_eq!(Integral::new(parts, whole.volume), whole, "{backend:?}");
        // The error falls as 1/√n: this one is met after some rounds of 1,000.
        let target = how.clone().round(1000).relative_error(2e-3);
        let met = backend.integrate(&target).unwrap();
        assert!(met.converged && met.samples.is_multiple_of(1000) && (10_000..60_000).contains(&met.samples), "{met:?}");
        assert_eq!(met, Backend::cpu().integrate(&target).unwrap(), "{backend:?}");
        let unmet = backend.integrate(&how.clone().absolute_error(1e-9)).unwrap();
        assert!(!unmet.converged && unmet.samples == 100_000);
    }
}

/// What the samples did not see is no error of 0.
#[test]
fn samples_of_one_value_meet_few_targets() {
    let rare = Integrate::new("abs(x - 0.3) < 1e-4", &[("x", 0.0, 1.0)]).unwrap().round(100).samples(10_000_000).seed(2);
    let most = Integrate::new("abs(x - 0.3) > 1e-2", &[("x", 0.0, 1.0)]).unwrap().round(10).samples(1 << 20).seed(2);
    for method in IntegralMethod::ALL {
        let integral = Backend::cpu().integrate(&rare.clone().method(method).relative_error(0.3)).unwrap();
        assert!(integral.converged && integral.estimate > 0.0 && integral.samples > 100, "{method} {integral:?}");
        // Nothing is no share of nothing, but less than something.
        let of = |text: &str| Integrate::new(text, &[("x", 0.0, 1.0)]).unwrap().method(method).round(1 << 10).samples(1 << 13);
        let nothing = Backend::cpu().integrate(&of("x < 0").relative_error(0.5)).unwrap();
        assert!(!nothing.converged && (nothing.estimate, nothing.samples) == (0.0, 1 << 13), "{method} {nothing:?}");
        assert!(Backend::cpu().integrate(&of("x < 0").absolute_error(1e-9)).unwrap().converged);
        if method != IntegralMethod::Vegas {
            let integral = Backend::cpu().integrate(&most.clone().method(method).absolute_error(1e-3)).unwrap();
            assert!(integral.converged && integral.samples >= 1000, "{method} {integral:?}");
            // A constant has no other values.
            assert!(Backend::cpu().integrate(&of("2*s").param("s", 1.0).relative_error(1e-12)).unwrap().converged, "{method}");
        }
    }
}

/// Of bounds that float32 rounds, or has hardly a number between.
#[test]
fn rounded_bounds_leave_the_volume_alone() {
    for (from, to) in [(2020.3, 2021.7), (1e6, 1e6 + 0.1), (1e8, 1e8 + 1.0), (0.3, 0.1)] {
        for method in IntegralMethod::ALL {
            for (text, mean) in [("1", 1.0), ("x", 0.5 * (from + to))] {
                let how = Integrate::new(text, &[("x", from, to)]).unwrap().method(method).round(2000).samples(1 << 16);
                let integral = Backend::cpu().integrate(&how).unwrap();
                let off = integral.estimate / (mean * (to - from)) - 1.0;
                let error = (integral.standard_error / integral.estimate).abs();
                assert!(off.abs() < 5.0 * error + 1e-6 && error < 2e-3, "{method} {text} {integral:?}");
                for backend in devices::all() {
                    assert_eq!(backend.integrate(&how).unwrap(), integral, "{backend:?} {method} {text} {from}");
                }
            }
        }
    }
}

#[test]
fn float64_is_the_same_on_every_device() {
    let how = Integrate::new("exp(x) * s", &[("x", 0.0, 1.0)]).unwrap().dtype(Dtype::F64).param("s", 2.0).samples(1 << 16);
    let integral = Backend::cpu().integrate(&how).unwrap();
    let exact = 2.0 * (1f64.exp() - 1.0);
    assert!((integral.estimate - exact).abs() < 5.0 * integral.standard_error);
    // Var(2 e^x) = 2 (e² − 1) − exact².
    let sigma = ((2.0 * (2f64.exp() - 1.0) - exact * exact) / 65_536.0).sqrt();
    assert!((integral.standard_error / sigma - 1.0).abs() < 0.02);
    for backend in devices::all() {
        assert_eq!(backend.integrate(&how).unwrap(), integral, "{backend:?}");
    }
}

#[test]
fn what_cannot_be_integrated_is_named() {
    let backend = Backend::cpu();
    let of = |text: &str, bounds: &[(&str, f64, f64)]| Integrate::new(text, bounds).unwrap();
    let names: Vec<String> = (0..1025).map(|i| format!("x{i}")).collect();
    let many: Vec<_> = names.iter().map(|name| (name.as_str(), 0.0, 1.0)).collect();
    for (how, said) in [
        (of("x", &[]), "bounds"),
        (of("x + y", &[("x", 0.0, 1.0)]), "`y`, which has no value"),
        (of("x", &[("x", 0.0, f64::INFINITY)]), "bounds of `x`"),
        (of("x", &[("x", -3e38, 3e38)]), "bounds of `x`"),
        (of("x", &[("x", 0.0, 1.0), ("x", 0.0, 1.0)]), "the name twice"),
        (of("x", &[("x", 0.0, 1.0)]).param("z", 1.0), "parameter: got `z`"),
        (of("x", &[("x", 0.0, 1.0)]).samples(0), "samples: got 0"),
        (of("x", &[("x", 0.0, 1.0)]).relative_error(-1.0), "relative error"),
        (of("x", &[("x", 0.0, 1.0)]).relative_error(0.1).round(0), "samples of a round"),
        (of("x0", &many).method(IntegralMethod::Sobol), "got 1025, expected 1 to 1024"),
    ] {
        let error = backend.integrate(&how).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    let names: Vec<String> = (0..40).map(|i| format!("x{i}")).collect();
    for (width, volume) in [(1e10, "inf"), (1e-10, "0")] {
        let many: Vec<_> = names.iter().map(|name| (name.as_str(), 0.0, width)).collect();
        let error = backend.integrate(&of("x0", &many).dtype(Dtype::F64)).unwrap_err().to_string();
        assert!(error.contains(&format!("bounds: got a volume of {volume}, ")), "{error}");
    }
    // A function that is infinite somewhere says so; coordinates need not be used.
    let integral = backend.integrate(&of("1/(x - x)", &[("x", 0.0, 1.0), ("unused", 0.0, 2.0)])).unwrap();
    assert!(integral.estimate == f64::INFINITY && integral.standard_error.is_nan());
}
