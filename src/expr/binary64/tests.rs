use num_bigint::BigInt;
use num_traits::{Signed, ToPrimitive, Zero};

use super::*;
use crate::Philox4x32;

/// Bits behind the point of the oracle's numbers.
const POINT: u32 = 320;

/// A finite number, Q.320; what lies below is cut off.
fn fixed(x: f64) -> BigInt {
    let (m, s) = significand(x.to_bits() & !(1 << 63));
    let shift = s + POINT as i32;
    let m = BigInt::from(m);
    let magnitude = if shift >= 0 { m << shift as u32 } else { m >> (-shift) as u32 };
    if x < 0.0 { -magnitude } else { magnitude }
}

fn mul(a: &BigInt, b: &BigInt) -> BigInt {
    (a * b) >> POINT
}

/// ln(2) as 2 atanh(1/3).
fn ln_2() -> BigInt {
    let (mut term, mut sum) = ((BigInt::from(2) << POINT) / 3, BigInt::zero());
    for k in (1..).step_by(2).take(110) {
        sum += &term / k;
        term /= 9;
    }
    sum
}

/// e^x as a number in about 1/2..2 and an exponent of 2.
fn exact_exp(x: &BigInt) -> (BigInt, i32) {
    let ln_2 = ln_2();
    let whole = x / &ln_2;
    let rest = x - &whole * ln_2;
    let (mut term, mut sum) = (BigInt::from(1) << POINT, BigInt::zero());
    for k in 1..90 {
        sum += &term;
        term = mul(&term, &rest) / k;
    }
    (sum, whole.to_i32().unwrap())
}

/// ln(x): an estimate and the logarithm of what it leaves.
fn exact_log(x: f64) -> BigInt {
    let (m, s) = significand(x.to_bits());
    let guess = fixed(libm::log(x));
    let (power, whole) = exact_exp(&-&guess);
    // x e^-guess − 1.
    let shift = s + whole;
    let product = BigInt::from(m) * power;
    let near = if shift >= 0 { product << shift as u32 } else { product >> (-shift) as u32 };
    let d: BigInt = near - (BigInt::from(1) << POINT);
    let (mut power, mut sum) = (d.clone(), guess);
    for k in 1..8 {
        let term = &power / k;
        sum = if k % 2 == 1 { sum + term } else { sum - term };
        power = mul(&power, &d);
    }
    sum
}

/// How far `got` is from `exact · 2^exponent`, in units of its last place.
fn ulps(got: f64, exact: &BigInt, exponent: i32) -> f64 {
    let bits = exact.bits() as i32 - POINT as i32 + exponent;
    if got.is_infinite() {
        // The largest number and half a unit.
        return if bits > 1024 { 0.0 } else { f64::INFINITY };
    }
    let place = (bits - 53).max(-1074);
    let (m, s) = significand(got.to_bits() & !(1 << 63));
    let m = BigInt::from(m) * if got < 0.0 { -1 } else { 1 };
    // Both in units of 2^-64 of a place.
    let at = |value: BigInt, shift: i32| if shift >= 0 { value << shift as u32 } else { value >> (-shift) as u32 };
    let difference = at(m, s - place + 64) - at(exact.clone(), exponent - POINT as i32 - place + 64);
    difference.abs().to_f64().unwrap() / 2f64.powi(64)
}

fn random(count: u64, mut each: impl FnMut(u64, f64)) {
    let philox = Philox4x32::new(11);
    for i in 0..count {
        let [a, b, c, d] = philox.block(i);
        each(u64::from(a) << 32 | u64::from(b), f64::from(c) / 2f64.powi(32) + f64::from(d) / 2f64.powi(64));
    }
}

#[test]
fn exponentials_and_logarithms_are_within_their_bound() {
    let mut worst = [0f64; 2];
    let mut check = |x: f64| {
        let (exact, exponent) = exact_exp(&fixed(x));
        worst[0] = worst[0].max(ulps(exp(x), &exact, exponent));
    };
    random(300, |bits, fraction| {
        check(fraction);
        check((fraction - 0.5) * 1400.0);
        check(-fraction * 745.0);
        check(f64::from_bits(bits >> 12 | (bits % 64 + 970) << 52));
    });
    [-745.13, -744.4, -708.4, 709.78, 709.79, 1e-300, 5e-324, -2f64.powi(-54), 2f64.powi(-53)].into_iter().for_each(&mut check);
    (-32..=32).for_each(|i| check(f64::from(i) * std::f64::consts::LN_2 / 32.0));
    let mut check = |x: f64| worst[1] = worst[1].max(ulps(log(x), &exact_log(x), 0));
    random(300, |bits, fraction| {
        check(f64::from_bits(bits % INFINITY));
        check(0.5 + fraction);
        check(1.0 + (fraction - 0.5) * 2f64.powi(-((bits % 50) as i32)));
    });
    (1..200).for_each(|i| check(f64::from(i)));
    [1.0 + f64::EPSILON, 1.0 - f64::EPSILON / 2.0, f64::MAX, f64::MIN_POSITIVE, 5e-324].into_iter().for_each(&mut check);
    assert!(worst.iter().all(|&ulps| (0.4..0.52).contains(&ulps)), "{worst:?}");
}

#[test]
fn powers_are_within_their_bound() {
    let check = |x: f64, y: f64| {
        let (exact, exponent) = exact_exp(&mul(&exact_log(x), &fixed(y)));
        let bound = 0.52 + f64::from(exponent.abs()) * 2f64.powi(-8);
        let error = ulps(pow(x, y), &exact, exponent);
        assert!(error < bound, "{x:e} ** {y}: {:e}, {error} ulp", pow(x, y));
    };
    random(300, |bits, fraction| {
        for y in [3.0, 0.5, 1.5, -2.5, 1.0 / 3.0, 7.25] {
            check(f64::from_bits(bits % (1 << 54) + (1020 << 52)), y);
            check(f64::from_bits(bits % (1 << 60) + (900 << 52)), y);
        }
        check(1.0 + fraction * 1e-9, 1e9 * fraction);
        check(fraction, 70.0);
        check(1.0 - fraction * 0.1, 5000.0);
    });
    for x in [5e-324, 1e-310, f64::MAX, 1.0 + f64::EPSILON, 1.0 - f64::EPSILON / 2.0, 2.0, 0.125] {
        [0.25, -0.25, 0.9, -0.9, 1e-5, 1.0].into_iter().for_each(|y| check(x, y));
    }
}

#[test]
fn special_values() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let bits = |x: f64| x.to_bits();
    for (x, wanted) in [(0.0, 1.0), (-0.0, 1.0), (inf, inf), (-inf, 0.0), (1e300, inf), (-1e300, 0.0), (-800.0, 0.0), (nan, nan)]
    {
        assert_eq!(bits(exp(x)), bits(wanted), "exp({x})");
    }
    for (x, wanted) in [(1.0, 0.0), (0.0, -inf), (-0.0, -inf), (inf, inf), (-1.0, nan), (-inf, nan), (nan, nan)] {
        assert_eq!(bits(log(x)), bits(wanted), "log({x})");
    }
    let numbers = [0.0, 5e-324, 0.5, 1.0, 2.0, f64::MAX, inf, nan];
    for x in numbers {
        for y in [3.0, -3.0, 0.0, -0.0, 0.5, -0.5, inf, -inf, 1e-320, 1e308, -1e308, 1e300, -1e300, nan] {
            let wanted = libm::pow(x, y);
            let same = bits(pow(x, y)) == bits(wanted) || (wanted.is_nan() && pow(x, y).is_nan());
            // Beside them only what an error of a unit changes.
            assert!(same || (pow(x, y) - wanted).abs() <= wanted * f64::EPSILON, "{x:e} ** {y:e}: {:e}", pow(x, y));
            assert_eq!(bits(pow(-x, y)), bits(pow(x, y)));
        }
    }
}
