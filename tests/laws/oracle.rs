//! The oracle: short loops in exact arithmetic that share nothing with the library, tested on closed forms below.

use ndarray::{ArrayD, Dimension, IxDyn};
use num_bigint::{BigInt, BigUint};
use num_rational::BigRational;
use num_traits::{Signed, ToPrimitive};

/// A finite float as a fraction.
pub fn exact(x: f64) -> BigRational {
    BigRational::from_float(x).expect("finite")
}

/// The float nearest to `r`, ties to even, with `digits` bits of mantissa and the least exponent `min`.
fn round(r: &BigRational, digits: u64, min: i64) -> (bool, BigUint, i64) {
    let (n, d) = (r.numer().magnitude().clone(), r.denom().magnitude().clone());
    let mut exponent = (n.bits() as i64 - d.bits() as i64 - digits as i64).max(min);
    loop {
        let (num, den) = if exponent >= 0 { (n.clone(), &d << exponent as u64) } else { (&n << (-exponent) as u64, d.clone()) };
        let (mut q, rest) = (&num / &den, &num % &den);
        let twice = rest * 2u32;
        if twice > den || (twice == den && q.bit(0)) {
            q += 1u32;
        }
        if q.bits() <= digits {
            return (r.is_negative(), q, exponent);
        }
        exponent += 1;
    }
}

/// The binary64 nearest to `r`.
pub fn to_f64(r: &BigRational) -> f64 {
    let (negative, q, exponent) = round(r, 53, -1074);
    let magnitude = if q.bits() as i64 + exponent > 1024 {
        f64::INFINITY
    } else {
        let q = q.to_u64().expect("53 bits");
        // Both factors and the product are exact: q has 53 bits and the result is on the grid.
        let (a, b) = (exponent.max(-1022), (exponent + 1022).min(0));
        q as f64 * 2f64.powi(a as i32) * 2f64.powi(b as i32)
    };
    if negative { -magnitude } else { magnitude }
}

/// The binary32 nearest to `r`.
pub fn to_f32(r: &BigRational) -> f32 {
    let (negative, q, exponent) = round(r, 24, -149);
    let magnitude = if q.bits() as i64 + exponent > 128 {
        f32::INFINITY
    } else {
        (q.to_u64().expect("24 bits") as f64 * 2f64.powi(exponent as i32)) as f32
    };
    if negative { -magnitude } else { magnitude }
}

/// The exact sum. It is made of integers on the grid of 2^-1074: fractions would be reduced at every step.
pub fn sum(values: impl IntoIterator<Item = f64>) -> BigRational {
    let mut sum = BigInt::ZERO;
    for x in values {
        assert!(x.is_finite());
        let (field, fraction) = ((x.to_bits() >> 52) & 0x7ff, x.to_bits() & ((1 << 52) - 1));
        let number = BigInt::from(if field == 0 { fraction } else { fraction | 1 << 52 }) << (field.max(1) - 1);
        if x < 0.0 {
            sum -= number;
        } else {
            sum += number;
        }
    }
    BigRational::new(sum, BigInt::from(1) << 1074)
}

/// What lies at `i` of a line of `n` elements continued by `rule` (SciPy ndimage's names): walks step by step.
pub fn outside(rule: &str, mut i: isize, n: isize) -> Option<usize> {
    while !(0..n).contains(&i) {
        i = match rule {
            "constant" => return None,
            "nearest" => i.clamp(0, n - 1),
            "wrap" if i < 0 => i + n,
            "wrap" => i - n,
            "reflect" if i < 0 => -1 - i,
            "reflect" => 2 * n - 1 - i,
            "mirror" if n == 1 => 0,
            "mirror" if i < 0 => -i,
            "mirror" => 2 * n - 2 - i,
            other => panic!("no rule {other}"),
        };
    }
    Some(i as usize)
}

/// The full convolution (`reverse`) or correlation of one image with one kernel over all axes, each with its boundary
/// rule, by the definition: the sum over the taps `t` of `k[t] · x[o ∓ t]`.
pub fn full<T: Clone, A: Clone + std::ops::AddAssign>(
    image: &ArrayD<T>,
    kernel: &ArrayD<T>,
    rules: &[&str],
    fill: &T,
    reverse: bool,
    zero: A,
    product: impl Fn(&T, &T) -> A,
) -> ArrayD<A> {
    let shape: Vec<usize> = image.shape().iter().zip(kernel.shape()).map(|(n, k)| n + k - 1).collect();
    ArrayD::from_shape_fn(IxDyn(&shape), |o| {
        let mut total = zero.clone();
        for (t, weight) in kernel.indexed_iter() {
            let mut source = Some(Vec::new());
            for axis in 0..shape.len() {
                let tap = t.slice()[axis] as isize;
                let back = if reverse { tap } else { kernel.shape()[axis] as isize - 1 - tap };
                let at = outside(rules[axis], o[axis] as isize - back, image.shape()[axis] as isize);
                source = source.zip(at).map(|(mut s, at)| {
                    s.push(at);
                    s
                });
            }
            total += product(source.map_or(fill, |s| &image[IxDyn(&s)]), weight);
        }
        total
    })
}

/// The part of a full result that `mode` keeps: where it starts and how long it is, along one axis.
pub fn kept(mode: &str, n: usize, k: usize) -> (usize, usize) {
    match mode {
        "full" => (0, n + k - 1),
        "same" => ((k - 1) / 2, n),
        "valid" => (n.min(k) - 1, n.abs_diff(k) + 1),
        other => panic!("no mode {other}"),
    }
}

/// The slice of a full result that `mode` keeps.
pub fn crop<A: Clone>(full: &ArrayD<A>, mode: &str, image: &[usize], kernel: &[usize]) -> ArrayD<A> {
    let kept: Vec<(usize, usize)> = image.iter().zip(kernel).map(|(&n, &k)| kept(mode, n, k)).collect();
    let shape: Vec<usize> = kept.iter().map(|kept| kept.1).collect();
    ArrayD::from_shape_fn(IxDyn(&shape), |o| {
        let at: Vec<usize> = kept.iter().enumerate().map(|(axis, kept)| o[axis] + kept.0).collect();
        full[IxDyn(&at)].clone()
    })
}

/// A big integer as a fraction.
pub fn whole(n: impl Into<BigInt>) -> BigRational {
    BigRational::from_integer(n.into())
}

#[test]
fn rounding_is_right_on_closed_forms() {
    let half = BigRational::new(1.into(), 2.into());
    for x in [0.0, 1.0, -1.5, 5e-324, -2.2250738585072014e-308, f64::MAX, 0.1, 1e300] {
        assert_eq!(to_f64(&exact(x)), x);
    }
    assert_eq!(to_f64(&(whole((1u64 << 53) + 1))), 9007199254740992.0, "ties go to even");
    assert_eq!(to_f64(&(whole((1u64 << 53) + 3))), 9007199254740996.0);
    assert_eq!(to_f64(&(exact(5e-324) * &half)), 0.0);
    assert_eq!(to_f64(&(exact(5e-324) * &half * whole(3))), 1e-323);
    let ulp = exact(f64::MAX) - exact(f64::from_bits(f64::MAX.to_bits() - 1));
    assert_eq!(to_f64(&(exact(f64::MAX) + &ulp * &half)), f64::INFINITY);
    assert_eq!(to_f64(&(exact(f64::MAX) + &ulp * &half * &half)), f64::MAX);
    assert_eq!(to_f64(&BigRational::new((-1).into(), 3.into())), -1.0 / 3.0);
    assert_eq!(to_f32(&exact(0.1)), 0.1);
    assert_eq!(to_f32(&exact(1.0 + 2f64.powi(-24))), 1.0);
    assert_eq!(to_f32(&(exact(1.0 + 2f64.powi(-24)) + exact(2f64.powi(-80)))), 1.0 + 2f32.powi(-23), "no double rounding");
    assert_eq!(to_f32(&exact(1e300)), f32::INFINITY);
}

#[test]
fn sums_have_closed_forms() {
    assert_eq!(sum((0..1000).map(f64::from)), whole(499_500));
    assert_eq!(sum([1e100, 1.0, -1e100]), whole(1));
}

#[test]
fn the_full_convolution_of_polynomials_is_their_product() {
    let a = ArrayD::from_shape_vec(vec![3], vec![1, 2, 3]).unwrap();
    let b = ArrayD::from_shape_vec(vec![2], vec![10, 1]).unwrap();
    let times = |x: &i32, y: &i32| x * y;
    assert_eq!(full(&a, &b, &["constant"], &0, true, 0, times).into_raw_vec_and_offset().0, [10, 21, 32, 3]);
    assert_eq!(full(&a, &b, &["constant"], &0, false, 0, times).into_raw_vec_and_offset().0, [1, 12, 23, 30]);
}
