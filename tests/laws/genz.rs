//! Genz's families: intervals hold the true value as often as they say, by every method.

use std::f64::consts::PI;

use unisono::{Backend, IntegralMethod, Integrate};

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

/// How many of the seeds' 95 % intervals miss the integral of a family.
fn misses((_, text, exact): Family, dimensions: usize, method: IntegralMethod, samples: u64, seeds: u64) -> usize {
    let backend = Backend::cpu();
    // Mild in many dimensions, where few samples would find a sharp peak.
    let (a, u) = (3.0 / dimensions as f64, 0.7);
    let names: Vec<String> = (0..dimensions).map(|i| format!("x{i}")).collect();
    let bounds: Vec<_> = names.iter().map(|name| (name.as_str(), 0.0, 1.0)).collect();
    let text = text(dimensions);
    let mut how = Integrate::new(&text, &bounds).unwrap().samples(samples).method(method).round(samples / 8);
    for (name, value) in [("a", a), ("u", u)] {
        if how.expression().names().iter().any(|known| known == name) {
            how = how.param(name, value);
        }
    }
    let exact = exact(dimensions as i32, a, u);
    let missed = |&seed: &u64| {
        let integral = backend.integrate(&how.clone().seed(seed)).unwrap();
        !integral.interval(0.95).unwrap().contains(&exact)
    };
    (0..seeds).filter(missed).count()
}

/// The misses of families in so many dimensions are binomial, 50 of 1000 in the mean: 84 are five standard deviations more.
/// Samples must be so many that the estimates are about normal: a corner peak in 8 dimensions is skewed.
fn check(method: IntegralMethod, samples: u64, families: &[Family], dimensions: &[usize]) {
    const SEEDS: u64 = 1000;
    let mut all = 0;
    for &family in families {
        for &dimensions in dimensions {
            let misses = misses(family, dimensions, method, samples, SEEDS);
            let what = format!("{method}, {} in {dimensions} dimensions: {misses} of {SEEDS} miss", family.0);
            assert!((16..=84).contains(&misses), "{what}");
            all += misses;
        }
    }
    let share = all as f64 / (SEEDS as usize * families.len() * dimensions.len()) as f64;
    assert!((0.045..0.06).contains(&share), "{method}: {share} of all intervals miss");
}

#[test]
fn plain_intervals_hold_the_integral_as_often_as_they_say() {
    check(IntegralMethod::Plain, 2048, &GENZ, &[1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn sobols_intervals_hold_the_integral_as_often_as_they_say() {
    check(IntegralMethod::Sobol, 1 << 14, &GENZ, &[1, 2, 3, 4, 5, 6, 7, 8]);
}

/// Not the discontinuous family: see `docs/numerics.md`.
#[test]
fn importance_samplings_intervals_hold_the_integral_as_often_as_they_say() {
    check(IntegralMethod::Vegas, 8192, &GENZ[..5], &[2, 3, 4, 5, 6, 7, 8]);
}
