//! Integrals: the frozen samples, one sum for every device and cut, and intervals that hold the true value as often as they say.

use std::f64::consts::PI;

use unisono::{Backend, Dtype, Error, ExactSum, Integral, IntegralSums, Integrate, Philox4x32};

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

#[test]
fn float64_is_the_cpus() {
    let how = Integrate::new("exp(x) * s", &[("x", 0.0, 1.0)]).unwrap().dtype(Dtype::F64).param("s", 2.0).samples(1 << 18);
    let integral = Backend::cpu().integrate(&how).unwrap();
    let exact = 2.0 * (1f64.exp() - 1.0);
    assert!((integral.estimate - exact).abs() < 5.0 * integral.standard_error);
    // Var(2 e^x) = 2 (e² − 1) − exact².
    let sigma = ((2.0 * (2f64.exp() - 1.0) - exact * exact) / 262_144.0).sqrt();
    assert!((integral.standard_error / sigma - 1.0).abs() < 0.02);
    for backend in devices::all() {
        match backend.integrate(&how) {
            Ok(same) => assert_eq!(same, integral, "{backend:?}"),
            Err(error) => assert!(matches!(error, Error::Unsupported { .. }), "{error}"),
        }
    }
}

/// A name, the integrand of `x0 …` with parameters `a` and `u`, and its integral over the unit cube of so many dimensions.
type Family = (&'static str, fn(usize) -> String, fn(i32, f64, f64) -> f64);

fn sum(dimensions: usize, term: impl Fn(usize) -> String) -> String {
    (0..dimensions).map(term).collect::<Vec<_>>().join(" + ")
}

/// Genz's families (A. Genz, "Testing multidimensional integration routines", 1984), with one `a` and one `u` for all axes.
const GENZ: [Family; 6] = [
    (
        "oscillatory",
        |d| format!("cos(2*pi*u + a*({}))", sum(d, |i| format!("x{i}"))),
        |d, a, u| (2.0 * PI * u + f64::from(d) * a / 2.0).cos() * (2.0 * (a / 2.0).sin() / a).powi(d),
    ),
    (
        "product peak",
        |d| (0..d).map(|i| format!("1/(a**-2 + (x{i} - u)**2)")).collect::<Vec<_>>().join(" * "),
        |d, a, u| (a * ((a * (1.0 - u)).atan() + (a * u).atan())).powi(d),
    ),
    (
        "corner peak",
        |d| format!("(1 + a*({}))**-{}", sum(d, |i| format!("x{i}")), d + 1),
        |d, a, _| {
            let (mut total, mut choose, mut factorial) = (0.0, 1.0, 1.0);
            for k in 0..=d {
                total += choose / (1.0 + f64::from(k) * a);
                choose *= -f64::from(d - k) / f64::from(k + 1);
                factorial *= f64::from(k.max(1));
            }
            total / (factorial * a.powi(d))
        },
    ),
    (
        "gaussian",
        |d| format!("exp(-a*a*({}))", sum(d, |i| format!("(x{i} - u)**2"))),
        |d, a, u| (PI.sqrt() / (2.0 * a) * (libm::erf(a * (1.0 - u)) + libm::erf(a * u))).powi(d),
    ),
    (
        "continuous",
        |d| format!("exp(-a*({}))", sum(d, |i| format!("abs(x{i} - u)"))),
        |d, a, u| ((2.0 - (-a * u).exp() - (-a * (1.0 - u)).exp()) / a).powi(d),
    ),
    (
        "discontinuous",
        |d| {
            format!(
                "where({}, exp(a*({})), 0)",
                (0..d).map(|i| format!("x{i} < u")).collect::<Vec<_>>().join(" and "),
                sum(d, |i| format!("x{i}"))
            )
        },
        |d, a, u| (((a * u).exp() - 1.0) / a).powi(d),
    ),
];

#[test]
fn intervals_hold_the_integral_as_often_as_they_say() {
    const SEEDS: u64 = 200;
    let backend = Backend::cpu();
    for (name, text, exact) in GENZ {
        for dimensions in [1usize, 2, 5, 8] {
            // Mild in many dimensions, where few samples would find a sharp peak.
            let (a, u) = (3.0 / dimensions as f64, 0.7);
            let names: Vec<String> = (0..dimensions).map(|i| format!("x{i}")).collect();
            let bounds: Vec<_> = names.iter().map(|name| (name.as_str(), 0.0, 1.0)).collect();
            let text = text(dimensions);
            let mut how = Integrate::new(&text, &bounds).unwrap().samples(4096);
            for (name, value) in [("a", a), ("u", u)] {
                if unisono::Expression::new(&text).unwrap().names().iter().any(|known| known == name) {
                    how = how.param(name, value);
                }
            }
            let exact = exact(dimensions as i32, a, u);
            let misses = (0..SEEDS).filter(|&seed| {
                let integral = backend.integrate(&how.clone().seed(seed)).unwrap();
                !integral.interval(0.95).unwrap().contains(&exact)
            });
            // Binomial with p = 0.05: 10 of 200, five standard deviations of room for it and the skew of small samples.
            let misses = misses.count();
            assert!((1..=26).contains(&misses), "{name} in {dimensions} dimensions: {misses} of {SEEDS} miss {exact}");
        }
    }
}

#[test]
fn what_cannot_be_integrated_is_named() {
    let backend = Backend::cpu();
    let of = |text: &str, bounds: &[(&str, f64, f64)]| Integrate::new(text, bounds).unwrap();
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
    ] {
        let error = backend.integrate(&how).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    // A function that is infinite somewhere says so; coordinates need not be used.
    let integral = backend.integrate(&of("1/(x - x)", &[("x", 0.0, 1.0), ("unused", 0.0, 2.0)])).unwrap();
    assert!(integral.estimate == f64::INFINITY && integral.standard_error.is_nan());
}
