//! Exact sums: what breaks naive and pairwise addition, compared with rational arithmetic, on every device.

use ndarray::{Array2, Axis, s};
use unisono::{ExactSum, Reduce};

use crate::devices::{self, Random};
use crate::oracle;

fn check64(name: &str, values: &[f64]) {
    let expected = oracle::to_f64(&oracle::sum(values.iter().copied()));
    let mean = oracle::to_f64(&(oracle::sum(values.iter().copied()) / oracle::whole(values.len().max(1))));
    for backend in devices::all() {
        assert_eq!(backend.sum(values).unwrap().item().unwrap(), expected, "{backend:?}: sum of {name}");
        if !values.is_empty() {
            assert_eq!(backend.mean(values).unwrap().item().unwrap(), mean, "{backend:?}: mean of {name}");
        }
    }
    assert_eq!(values.iter().copied().collect::<ExactSum>().to_f64(), expected, "ExactSum of {name}");
}

fn check32(name: &str, values: &[f32]) {
    let exact = || oracle::sum(values.iter().map(|&x| f64::from(x)));
    let mean = oracle::to_f32(&(exact() / oracle::whole(values.len())));
    for backend in devices::all() {
        assert_eq!(backend.sum(values).unwrap().item().unwrap(), oracle::to_f32(&exact()), "{backend:?}: sum of {name}");
        assert_eq!(backend.mean(values).unwrap().item().unwrap(), mean, "{backend:?}: mean of {name}");
    }
}

#[test]
fn sums_that_break_naive_and_pairwise_addition() {
    let mut random = Random(5);
    check64("one large, many small", &[&[1e16][..], &[1.0; 4096], &[-1e16]].concat());
    check64("a tie that a later bit decides", &[9007199254740992.0, 1.0, 5e-324]);
    check64("a tie that stays", &[9007199254740992.0, 1.0]);
    check64("overflow on the way only", &[f64::MAX, f64::MAX, -f64::MAX, -f64::MAX, 1.0]);
    check64("overflow", &[f64::MAX, f64::MAX]);
    check64("overflow by rounding", &[f64::MAX, 2f64.powi(970)]);
    check64("no overflow by rounding", &[f64::MAX, 2f64.powi(969)]);
    check64("subnormals", &vec![5e-324; 1000]);
    check64("subnormals to normal", &vec![2.2250738585072014e-308 - 5e-324; 1001]);
    let uniform: Vec<f64> = (0..5000).map(|_| random.unit()).collect();
    check64("uniform", &uniform);
    let mut cancel: Vec<f64> = uniform.iter().flat_map(|&x| [x * 1e200, -x * 1e200, x * 1e-200]).collect();
    random.shuffle(&mut cancel);
    check64("cancellation over 400 decades", &cancel);
    let wild: Vec<f64> = (0..3000).map(|_| f64::from_bits(random.bits())).filter(|x| x.is_finite()).collect();
    check64("random bit patterns", &wild);
    check64(
        "powers of two",
        &(-1074..1024).map(|e| 2f64.powi(e.max(-1022)) * 2f64.powi(e.min(-1022) + 1022)).collect::<Vec<_>>(),
    );

    let wild: Vec<f32> = (0..3000).map(|_| f32::from_bits(random.bits() as u32)).filter(|x| x.is_finite()).collect();
    check32("random bit patterns", &wild);
    check32("a double rounding trap", &[1.0, 2f32.powi(-24), 2f32.powi(-80)]);
    check32("largest", &vec![f32::MAX; 700]);
    check32("subnormals", &vec![1e-45; 1000]);
    check32("largest and smallest", &[f32::MAX, 1e-45, -f32::MAX, 1e-45]);
}

#[test]
fn more_ones_than_a_float_can_count() {
    let ones = vec![1f32; (1 << 24) + 3];
    for backend in devices::all() {
        // 2^24 + 3 lies midway between two floats; the even one is 2^24 + 4.
        assert_eq!(backend.sum(&ones).unwrap().item().unwrap(), 16_777_220.0, "{backend:?}");
    }
}

#[test]
fn signs_of_zero_infinities_and_nan() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    for (values, expected) in [
        (&[][..], 0.0f64),
        (&[-0.0][..], -0.0),
        (&[-0.0, -0.0, -0.0], -0.0),
        (&[-0.0, 0.0], 0.0),
        (&[1.0, -1.0], 0.0),
        (&[-5e-324, 5e-324], 0.0),
        (&[inf, 1e308, 1e308], inf),
        (&[-inf, f64::MAX], -inf),
    ] {
        for backend in devices::all() {
            let sum = backend.sum(values).unwrap().item().unwrap();
            assert_eq!(sum.to_bits(), expected.to_bits(), "{backend:?}: {values:?}");
            let narrow: Vec<f32> = values.iter().map(|&x| if x == 1e308 || x == f64::MAX { 1.0 } else { x as f32 }).collect();
            let sum = backend.sum(&narrow).unwrap().item().unwrap();
            assert_eq!(sum.to_bits(), (expected as f32).to_bits(), "{backend:?}: {narrow:?}");
        }
    }
    for values in [&[nan][..], &[inf, -inf], &[1.0, -nan, 2.0], &[inf, nan]] {
        for backend in devices::all() {
            let sum = backend.sum(values).unwrap().item().unwrap();
            assert_eq!(sum.to_bits(), f64::NAN.to_bits(), "{backend:?}: {values:?}: NaN is canonical");
            let narrow: Vec<f32> = values.iter().map(|&x| x as f32).collect();
            assert_eq!(backend.sum(&narrow).unwrap().item().unwrap().to_bits(), f32::NAN.to_bits(), "{backend:?}");
        }
    }
    for backend in devices::all() {
        assert!(backend.mean(&[0f64; 0]).unwrap().item().unwrap().is_nan(), "{backend:?}");
    }
}

#[test]
fn sums_along_axes_are_exact_too() {
    let mut random = Random(6);
    for (rows, columns) in [(1, 1), (3, 1000), (1000, 3), (257, 129), (70, 5000)] {
        let values = Array2::from_shape_fn((rows, columns), |_| f64::from_bits(random.bits() & !(1 << 62) | (1 << 61)));
        let spread = values.map(|x| *x as f32);
        for axis in 0..2 {
            let exact: Vec<_> = values.axis_iter(Axis(1 - axis)).map(|lane| oracle::sum(lane.iter().copied())).collect();
            let exact32: Vec<_> =
                spread.axis_iter(Axis(1 - axis)).map(|lane| oracle::sum(lane.iter().map(|&x| f64::from(x)))).collect();
            for backend in devices::all() {
                let how = Reduce::sum().axes(&[axis as isize]);
                let sums = backend.reduce(&values, &how).unwrap().into_vec().unwrap();
                assert!(
                    sums.iter().zip(&exact).all(|(s, e)| *s == oracle::to_f64(e)),
                    "{backend:?} {rows}x{columns} axis {axis}"
                );
                let sums = backend.reduce(&spread.slice(s![..;-1, ..]), &how).unwrap().into_vec().unwrap();
                let mut expected: Vec<f32> = exact32.iter().map(oracle::to_f32).collect();
                if axis == 1 {
                    expected.reverse();
                }
                assert_eq!(sums, expected, "{backend:?} {rows}x{columns} axis {axis}");
            }
        }
    }
}

#[test]
fn a_sum_survives_its_bytes() {
    let sum: ExactSum = [1e300, -1e-300, 0.1].into_iter().collect();
    assert_eq!(ExactSum::from_bytes(&sum.to_bytes()).unwrap(), sum);
    let error = ExactSum::from_bytes(&[1, 2, 3]).unwrap_err().to_string();
    assert_eq!(error, "exact sum: 3 bytes, expected 280");
}

#[test]
fn more_than_one_binding_of_data() {
    // 160 MiB: beyond the 128 MiB binding of lavapipe.
    let n = 20 << 20;
    let values: Vec<f64> = (0..n).map(|i| i as f64).collect();
    let expected = (n as f64) * (n as f64 - 1.0) / 2.0;
    for backend in devices::all() {
        assert_eq!(backend.sum(&values).unwrap().item().unwrap(), expected, "{backend:?}");
        assert_eq!(backend.argmax(&values).unwrap().item().unwrap(), n as u64 - 1, "{backend:?}");
    }
}
