use super::*;
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{FromPrimitive, Signed, Zero};

/// The nearest number to `n / d` of a format with `p` bits, smallest subnormal `2^least` and largest exponent `top`, ties to even.
fn nearest(n: &BigInt, d: &BigInt, p: i64, least: i64, top: i64) -> f64 {
    if n.is_zero() {
        return 0.0;
    }
    let (n, d, negative) = (n.magnitude(), d.magnitude(), n.is_negative() != d.is_negative());
    // The quotient has the exponent e or e + 1.
    let e = n.bits() as i64 - d.bits() as i64 - 1;
    let divided = |lsb: i64| {
        let (n, d) = (n << (-lsb).max(0) as u64, d << lsb.max(0) as u64);
        (&n / &d, (&n % &d) * 2u32, d)
    };
    let mut lsb = (e - p + 1).max(least);
    let mut parts = divided(lsb);
    if parts.0.bits() as i64 > p {
        lsb += 1;
        parts = divided(lsb);
    }
    let (floor, twice, d) = parts;
    let up = twice > d || (twice == d && floor.bit(0));
    let q = floor + u32::from(up);
    let value = if q.bits() as i64 + lsb > top + 1 {
        f64::INFINITY
    } else {
        // Below 2^54 and exact; two steps reach the subnormals without a second rounding.
        let (q, half): (u64, _) = (q.try_into().unwrap(), lsb as i32 / 2);
        q as f64 * 2f64.powi(half) * 2f64.powi(lsb as i32 - half)
    };
    if negative { -value } else { value }
}

/// The nearest binary64 number to `n / d`.
pub(crate) fn nearest64_of(n: &BigInt, d: &BigInt) -> f64 {
    nearest(n, d, 53, -1074, 1023)
}

/// The nearest binary32 number to `n / d`.
pub(crate) fn nearest32_of(n: &BigInt, d: &BigInt) -> f32 {
    nearest(n, d, 24, -149, 127) as f32
}

pub(crate) fn nearest64(x: &BigRational) -> f64 {
    nearest64_of(x.numer(), x.denom())
}

pub(crate) fn nearest32(x: &BigRational) -> f32 {
    nearest32_of(x.numer(), x.denom())
}

fn rational(values: &[f64]) -> BigRational {
    values.iter().map(|&v| BigRational::from_float(v).unwrap()).fold(BigRational::zero(), |a, b| a + b)
}

/// A small generator of bits (SplitMix64).
pub(crate) fn bits(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn check(values: &[f64]) {
    let exact = rational(values);
    let sum: ExactSum = values.iter().copied().collect();
    assert_eq!(sum.to_f64(), nearest64(&exact), "{values:?}");
    assert_eq!(sum.to_f32(), nearest32(&exact), "{values:?}");
    for count in [1, 3, values.len() as u64 + 1, u64::MAX] {
        let mean = &exact / BigRational::from_u64(count).unwrap();
        assert_eq!(sum.mean_f64(count), nearest64(&mean), "{count} {values:?}");
        assert_eq!(sum.mean_f32(count), nearest32(&mean), "{count} {values:?}");
    }
    assert_eq!(ExactSum::from_bytes(&sum.to_bytes()).unwrap(), sum);
    let mut fast = ExactSum::new();
    fast.extend_f64(values);
    assert_eq!(fast, sum);
    let (a, b) = values.split_at(values.len() / 3);
    let mut merged: ExactSum = b.iter().copied().collect();
    merged.merge(&a.iter().rev().copied().collect());
    assert_eq!(merged, sum);
}

#[test]
fn sums_are_the_nearest_to_the_exact_ones() {
    let mut state = 1;
    for n in [0, 1, 2, 3, 7, 40, 301] {
        for _ in 0..6 {
            let any = |state: &mut u64| loop {
                let x = f64::from_bits(bits(state));
                if x.is_finite() {
                    return x;
                }
            };
            let mut values: Vec<f64> = (0..n).map(|_| any(&mut state)).collect();
            check(&values);
            // Cancels to the last three.
            let negated: Vec<f64> = values.iter().skip(3).map(|x| -x).collect();
            values.extend(negated);
            check(&values);
            check(&(0..n).map(|_| f64::from_bits(bits(&mut state) & !(0x7ff << 52))).collect::<Vec<_>>());
            check(&(0..n).map(|_| (bits(&mut state) >> 11) as f64 * 2f64.powi(-53)).collect::<Vec<_>>());
            check(
                &(0..n)
                    .map(|_| f64::from(f32::from_bits(bits(&mut state) as u32 & 0x7f00_0000 | 0x0012_3456)))
                    .collect::<Vec<_>>(),
            );
        }
    }
}

#[test]
fn the_edges_of_the_range_round_as_they_must() {
    let max = f64::MAX;
    check(&[max; 1000]);
    check(&[max, max, -max]);
    check(&[-max; 7]);
    check(&[max, 2f64.powi(970)]); // a tie that rounds to infinity
    check(&[max, 2f64.powi(970), -5e-324]); // just below the tie
    check(&[max, 2f64.powi(969)]);
    check(&[5e-324; 5]);
    check(&[1.0, 2f64.powi(-53)]);
    check(&[1.0, 2f64.powi(-53), 5e-324]);
    check(&[-1.0, -(2f64.powi(-53)), -5e-324]);
    check(&[1.0, -1.0]);
    let sum: ExactSum = [max, 2f64.powi(970)].into_iter().collect();
    assert_eq!(sum.to_f64(), f64::INFINITY);
    let sum: ExactSum = [max, 2f64.powi(970), -5e-324].into_iter().collect();
    assert_eq!(sum.to_f64(), max);
    // Rounding to binary64 first would end on a binary32 tie.
    let sum: ExactSum = [1.0, 2f64.powi(-24), 2f64.powi(-80)].into_iter().collect();
    assert_eq!(sum.to_f32(), 1.0 + 2f32.powi(-23));
    assert_eq!(sum.to_f64() as f32, 1.0);
    let sum: ExactSum = [f64::from(f32::MAX), 2f64.powi(103)].into_iter().collect();
    assert_eq!(sum.to_f32(), f32::INFINITY);
}

#[test]
fn zeros_infinities_and_nan_follow_ieee_addition() {
    let sum = |values: &[f64]| values.iter().copied().collect::<ExactSum>();
    let to = |values: &[f64]| {
        let (mut fast, slow) = (ExactSum::new(), sum(values));
        fast.extend_f64(values);
        assert_eq!(fast, slow);
        slow.to_f64().to_bits()
    };
    let inf = f64::INFINITY;
    assert_eq!(to(&[]), 0.0f64.to_bits());
    assert_eq!(to(&[-0.0]), (-0.0f64).to_bits());
    assert_eq!(to(&[-0.0; 1000]), (-0.0f64).to_bits());
    assert_eq!(to(&[-0.0, 0.0]), 0.0f64.to_bits());
    assert_eq!(to(&[-0.0, 1.0, -1.0]), 0.0f64.to_bits());
    assert_eq!(to(&[-0.0, 5e-324]), 5e-324f64.to_bits());
    assert_eq!(to(&[1.0, inf, 1e308, 1e308]), inf.to_bits());
    assert_eq!(to(&[-inf, f64::MAX]), (-inf).to_bits());
    assert_eq!(to(&[inf, -inf]), f64::NAN.to_bits());
    assert_eq!(to(&[1.0, f64::from_bits(0xfff8_1234_0000_0000), inf]), f64::NAN.to_bits());
    assert_eq!(sum(&[-0.0, -0.0]).mean_f64(2).to_bits(), (-0.0f64).to_bits());
    assert!(sum(&[]).mean_f64(0).is_nan() && sum(&[1.0]).mean_f32(0).is_nan());
    assert_eq!(sum(&[inf]).mean_f32(7), f32::INFINITY);
    let mut merged = sum(&[inf, 1.0]);
    merged.merge(&sum(&[-inf]));
    assert_eq!(merged, sum(&[f64::NAN]));
    let mut merged = sum(&[-0.0]);
    merged.merge(&ExactSum::new());
    assert_eq!(merged.to_f64().to_bits(), (-0.0f64).to_bits());
}

#[test]
fn limbs_and_scaled_integers_add_up() {
    let mut sum = ExactSum::new();
    sum.add_limbs(&[0xffff_fffe, 0xffff_ffff, 0xffff_ffff], -10); // -2 · 2^-10
    sum.add_limbs(&[1, 2, 3], 0);
    sum.add_scaled(-(1 << 70), -3);
    let expected = -(2f64.powi(-9)) + 1.0 + 2.0 * 2f64.powi(32) + 3.0 * 2f64.powi(64) - 2f64.powi(67);
    let mut exact: ExactSum = [-(2f64.powi(-9)), 1.0, 2f64.powi(33), 3.0 * 2f64.powi(64), -(2f64.powi(67))].into_iter().collect();
    assert_eq!(sum, exact);
    assert_eq!(sum.to_f64(), expected);
    sum.add_scaled(i128::MIN, 800);
    exact.push(-(2f64.powi(927)));
    assert_eq!(sum, exact);
    assert_eq!(ratio_f64(i128::MIN, 3), -(2f64.powi(127)) / 3.0);
    assert_eq!(ratio_f64(7, u64::MAX), 7.0 / 18_446_744_073_709_551_615.0);
    assert_eq!((ratio_f64(0, 5).to_bits(), ratio_f64(1, 0).is_nan()), (0, true));
}

#[test]
fn broken_bytes_are_refused_in_words() {
    let good: ExactSum = [1.5, -2.25e-300].into_iter().collect();
    let bytes = good.to_bytes();
    let broken = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        ExactSum::from_bytes(&bytes).unwrap_err().to_string()
    };
    assert_eq!(broken(&|b| b.clear()), "exact sum: no bytes");
    assert_eq!(broken(&|b| b[0] = 9), "exact sum: version 9, expected 1");
    assert_eq!(broken(&|b| b.truncate(279)), "exact sum: 279 bytes, expected 280");
    assert!(broken(&|b| b[1] = 3).contains("unknown flags"));
    assert!(broken(&|b| b[5] = 1).contains("unknown flags"));
    assert!(broken(&|b| b[1] = 0).contains("contradict"));
    assert!(broken(&|b| b[2] = 1).contains("contradict"));
}

#[test]
fn every_level_takes_every_kind_of_data() {
    let mut state = 5;
    for n in [15, 16, 17, 31, 255, 2047, 2048, 2049, 8191, 8192, 8193, 30_011] {
        let mut sets: Vec<Vec<f64>> = vec![
            (0..n).map(|i| i as f64).collect(),
            (0..n).map(|_| f64::from_bits(bits(&mut state) & !(1 << 62))).collect(),
            (0..n).map(|_| (bits(&mut state) >> 11) as f64 * 2f64.powi((bits(&mut state) % 60) as i32 - 90)).collect(),
            (0..n).map(|_| f64::from_bits(bits(&mut state) & !(0x7fe << 52))).collect(),
            (0..n).map(|i| if i % 2 == 0 { f64::MAX } else { -f64::MAX * 0.75 }).collect(),
            (0..n).map(|i| if i == n - 1 { 1e-300 } else { (bits(&mut state) as i64) as f64 }).collect(),
            (0..n).map(|i| if i % 1000 == 999 { 2f64.powi(i / 20) } else { f64::from(i) * 0.125 }).collect(),
            (0..n).map(|i| if i == n / 2 { 0.0 } else { -0.0 }).collect(),
            vec![-0.0; n as usize],
            (0..n).map(|i| if i == n - 2 { f64::NAN } else { 1e300 }).collect(),
            (0..n)
                .map(|i| if i % 5000 == 3 { f64::NEG_INFINITY } else { f64::from_bits(bits(&mut state) & !(1 << 62)) })
                .collect(),
        ];
        sets.push(sets[1].iter().chain(&sets[0]).chain(&sets[3]).copied().collect());
        for (set, values) in sets.iter().enumerate() {
            let narrow: Vec<f32> = values.iter().map(|&x| x as f32).collect();
            let slow: ExactSum = values.iter().copied().collect();
            let slow32: ExactSum = narrow.iter().map(|&x| f64::from(x)).collect();
            for simd in Simd::available() {
                let (mut fast, mut fast32) = (accumulator::Accumulator::new(), accumulator::Accumulator::new());
                fast.extend(values, simd);
                fast32.extend(&narrow, simd);
                assert_eq!(fast.to_sum(), slow, "{n} {set} {simd:?}");
                assert_eq!(fast32.to_sum(), slow32, "{n} {set} {simd:?}");
                use fast::Float;
                assert_eq!(f64::read(&fast, None).to_bits(), slow.to_f64().to_bits());
                assert_eq!(f64::read(&fast, Some(n as u64)).to_bits(), slow.mean_f64(n as u64).to_bits());
                assert_eq!(f32::read(&fast32, None).to_bits(), slow32.to_f32().to_bits());
                assert_eq!(f32::read(&fast32, Some(n as u64)).to_bits(), slow32.mean_f32(n as u64).to_bits());
            }
        }
    }
}
