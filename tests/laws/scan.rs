//! Scans are the reductions of every beginning of a lane.

use ndarray::{Array1, ArrayD, ArrayViewD, Axis, IxDyn, Slice};
use num_rational::BigRational;
use unisono::{AsOperand, Backend, Dtype, Element, Error, HostVec, Scan, ScanOp};

use crate::devices::{self, Random, done};
use crate::oracle;

/// The results for one lane, by the definition.
type Lane<T, O> = fn(&[T]) -> Vec<O>;

/// The results along an axis, lane by lane.
fn along<T: Element, O: Copy + Default>(array: &ArrayViewD<'_, T>, axis: usize, lane: Lane<T, O>) -> ArrayD<O> {
    let first: Vec<T> = array.lanes(Axis(axis)).into_iter().next().map_or(vec![], |lane| lane.to_vec());
    let mut shape = array.shape().to_vec();
    shape[axis] = lane(&first).len();
    let mut out = ArrayD::from_elem(IxDyn(&shape), O::default());
    for (from, mut to) in array.lanes(Axis(axis)).into_iter().zip(out.lanes_mut(Axis(axis))) {
        to.assign(&Array1::from_vec(lane(&from.to_vec())));
    }
    out
}

fn hows(op: ScanOp) -> [Scan; 4] {
    let scan = Scan::of(op);
    [scan.clone(), scan.clone().exclusive(), scan.clone().include_initial(), scan.reverse()]
}

fn texts(vec: HostVec) -> Vec<String> {
    macro_rules! each {
        ($($variant:ident)*) => { match vec { $(HostVec::$variant(v) => v.iter().map(|x| format!("{x:?}")).collect(),)* } };
    }
    each!(Bool U8 I8 U16 I16 U32 I32 U64 I64 F32 F64 C64 C128)
}

/// Text of a running exact sum, as the reduction would give it.
fn sums(lane: &[f64], narrow: bool) -> Vec<String> {
    let (mut total, mut negative) = (oracle::whole(0), true);
    let each = lane.iter().map(|&x| {
        total += oracle::exact(x);
        negative &= x == 0.0 && x.is_sign_negative();
        match (negative, narrow) {
            (true, _) => "-0.0".into(),
            (_, true) => format!("{:?}", oracle::to_f32(&total)),
            _ => format!("{:?}", oracle::to_f64(&total)),
        }
    });
    each.collect()
}

fn check(backend: &Backend, array: &unisono::Operand<'_>, how: &Scan, shape: &[usize], expected: &[String]) {
    let result = done(backend, backend.scan_dyn(array, how));
    let name = || format!("{backend:?} {how:?} of {} {:?}", array.dtype(), array.shape());
    assert_eq!(result.shape(), shape, "{}", name());
    assert_eq!(texts(result.into_host().unwrap()), expected, "{}", name());
}

#[test]
fn running_sums_of_floats_are_exact_along_any_axis() {
    let mut random = Random(5);
    for shape in [vec![7], vec![3, 5], vec![4, 1, 37], vec![9, 40], vec![2, 3, 20], vec![0, 3], vec![3, 0]] {
        let draw = |random: &mut Random| match random.below(8) {
            0 => -0.0,
            1 => 1e20,
            2 => -1e20,
            3 => 1e-30,
            _ => random.unit(),
        };
        let wide = ArrayD::from_shape_fn(IxDyn(&shape), |_| draw(&mut random));
        for axis in 0..shape.len() {
            let (mut back, mut turned) = (wide.view(), wide.view());
            back.slice_axis_inplace(Axis(axis), Slice::new(0, None, -1));
            turned.swap_axes(0, shape.len() - 1);
            for view in [wide.view(), back, turned] {
                for (i, how) in hows(ScanOp::Sum).into_iter().enumerate() {
                    let length = match i {
                        2 => view.len_of(Axis(axis)) + 1,
                        _ => view.len_of(Axis(axis)),
                    };
                    let mut expected_shape = view.shape().to_vec();
                    expected_shape[axis] = length;
                    let expected = |narrow: bool| {
                        let mut out = ArrayD::from_elem(IxDyn(&expected_shape), String::new());
                        for (lane, mut to) in view.lanes(Axis(axis)).into_iter().zip(out.lanes_mut(Axis(axis))) {
                            let lane: Vec<f64> = lane.iter().map(|&x| if narrow { f64::from(x as f32) } else { x }).collect();
                            let initial: Vec<String> = std::iter::once("0.0".into()).chain(sums(&lane, narrow)).collect();
                            let turned: Vec<f64> = lane.iter().rev().copied().collect();
                            let values = match i {
                                0 => initial[1..].to_vec(),
                                1 => initial[..lane.len()].to_vec(),
                                2 => initial,
                                _ => sums(&turned, narrow).into_iter().rev().collect(),
                            };
                            to.iter_mut().zip(values).for_each(|(to, value)| *to = value);
                        }
                        out.into_iter().collect::<Vec<String>>()
                    };
                    let how = how.axis(axis as isize);
                    let singles = view.mapv(|x| x as f32);
                    for backend in devices::all() {
                        check(backend, &view.as_operand(), &how, &expected_shape, &expected(false));
                        check(backend, &singles.as_operand(), &how, &expected_shape, &expected(true));
                    }
                }
            }
        }
        let flat: Vec<f64> = wide.iter().copied().collect();
        for backend in devices::all() {
            check(backend, &wide.as_operand(), &Scan::sum(), &[flat.len()], &sums(&flat, false));
        }
    }
}

#[test]
fn integers_and_extremes_follow_their_definition() {
    fn sum(lane: &[i16]) -> Vec<i64> {
        lane.iter()
            .scan(0, |sum, &x| {
                *sum += i64::from(x);
                Some(*sum)
            })
            .collect()
    }
    fn product(lane: &[i16]) -> Vec<i64> {
        lane.iter()
            .scan(1, |product, &x| {
                *product *= i64::from(x);
                Some(*product)
            })
            .collect()
    }
    fn min(lane: &[i16]) -> Vec<i16> {
        (0..lane.len()).map(|i| *lane[..=i].iter().min().unwrap()).collect()
    }
    fn max(lane: &[i16]) -> Vec<i16> {
        (0..lane.len()).map(|i| *lane[..=i].iter().max().unwrap()).collect()
    }
    let mut random = Random(6);
    for shape in [vec![1], vec![63], vec![5, 7], vec![3, 33, 2], vec![12, 130], vec![40, 3, 17]] {
        let array = ArrayD::from_shape_fn(IxDyn(&shape), |_| random.below(7) as i16 - 3);
        for axis in 0..shape.len() {
            let small = array.mapv(|x| if x % 2 == 0 { 1 } else { x.signum() });
            for backend in devices::all() {
                let on = |array: &ArrayD<i16>, scan: Scan| {
                    done(backend, backend.scan_dyn(&array.as_operand(), &scan.axis(axis as isize)))
                };
                let sums = on(&array, Scan::sum());
                assert_eq!(
                    sums.typed::<i64>().unwrap().into_ndarray::<IxDyn>().unwrap(),
                    along(&array.view(), axis, sum),
                    "{backend:?}"
                );
                let products = on(&small, Scan::product()).typed::<i64>().unwrap();
                assert_eq!(products.into_ndarray::<IxDyn>().unwrap(), along(&small.view(), axis, product), "{backend:?}");
                let minima = on(&array, Scan::min()).typed::<i16>().unwrap();
                assert_eq!(minima.into_ndarray::<IxDyn>().unwrap(), along(&array.view(), axis, min), "{backend:?}");
                let maxima = on(&array, Scan::max().reverse()).typed::<i16>().unwrap();
                let mut turned = array.view();
                turned.invert_axis(Axis(axis));
                let mut expected = along(&turned, axis, max);
                expected.invert_axis(Axis(axis));
                assert_eq!(maxima.into_ndarray::<IxDyn>().unwrap(), expected, "{backend:?}");
            }
        }
    }
}

#[test]
fn long_lanes_go_on_from_block_to_block() {
    let mut random = Random(7);
    for n in [32_767usize, 32_768, 32_769, 200_003] {
        let integers: Vec<i64> = (0..n).map(|_| random.bits() as i64 >> 20).collect();
        let floats: Vec<f64> = integers.iter().map(|&x| x as f64 * 0.125).collect();
        let bytes: Vec<u8> = integers.iter().map(|&x| x as u8).collect();
        let keys: Vec<f32> = floats.iter().map(|&x| x as f32).collect();
        for backend in devices::all() {
            let sums = done(backend, backend.cumsum(&integers, None));
            let expected: Vec<i64> = integers
                .iter()
                .scan(0i64, |sum, &x| {
                    *sum += x;
                    Some(*sum)
                })
                .collect();
            assert_eq!(sums.into_vec().unwrap(), expected, "{backend:?} {n}");
            let maxima: Vec<f32> = keys
                .iter()
                .scan(f32::MIN, |best, &x| {
                    *best = best.max(x);
                    Some(*best)
                })
                .collect();
            assert_eq!(backend.cummax(&keys, None).unwrap().into_vec().unwrap(), maxima, "{backend:?} {n}");
            let sums: Vec<u64> = bytes
                .iter()
                .scan(0, |sum, &x| {
                    *sum += u64::from(x);
                    Some(*sum)
                })
                .collect();
            assert_eq!(backend.cumsum(&bytes, Some(0)).unwrap().into_vec().unwrap(), sums, "{backend:?} {n}");
        }
        for backend in devices::all() {
            let sums = done(backend, backend.cumsum(&floats, None));
            let exact: Vec<f64> = integers
                .iter()
                .scan(0i128, |sum, &x| {
                    *sum += i128::from(x);
                    Some(*sum as f64 * 0.125)
                })
                .collect();
            assert_eq!(sums.into_vec().unwrap(), exact, "{backend:?} {n}");
        }
    }
}

#[test]
fn what_does_not_fit_is_an_error_unless_it_wraps() {
    for backend in devices::all() {
        let values = [i64::MAX, 1, -5];
        let wrapped = done(backend, backend.scan_dyn(&values.as_operand(), &Scan::sum().wrapping()));
        assert_eq!(wrapped.typed::<i64>().unwrap().into_vec().unwrap(), [i64::MAX, i64::MIN, i64::MAX - 4], "{backend:?}");
        let error = Error::Overflow { op: "cumsum", out_dtype: Dtype::I64 };
        assert_eq!(backend.cumsum(&values, None).unwrap_err(), error, "{backend:?}");
        let error = Error::Overflow { op: "cumprod", out_dtype: Dtype::U64 };
        assert_eq!(backend.cumprod(&[1u64 << 40, 1 << 30, 0], None).unwrap_err(), error, "{backend:?}");
        assert_eq!(backend.cumprod(&[0, i64::MAX, i64::MAX], None).unwrap().into_vec().unwrap(), [0, 0, 0], "{backend:?}");
        assert!(matches!(backend.scan_dyn(&values.as_operand(), &Scan::max().exclusive()), Err(Error::Invalid { .. })));
        assert!(matches!(backend.cumsum(&values, Some(1)), Err(Error::Invalid { .. })));
    }
}

#[test]
fn products_of_floats_are_within_their_bound_and_nan_stays() {
    let mut random = Random(8);
    let values: Vec<f64> = (0..40_000).map(|_| (random.unit() * 600.0).exp2()).collect();
    let mut bits: Option<Vec<u64>> = None;
    for backend in devices::all() {
        let products = done(backend, backend.cumprod(&values, None));
        let products = products.into_vec().unwrap();
        let mut exact = oracle::whole(1);
        for (i, (&x, &product)) in values.iter().zip(&products).enumerate().take(300) {
            exact *= oracle::exact(x);
            let expected = oracle::to_f64(&exact);
            if product.is_normal() && expected.is_normal() {
                let error: BigRational = oracle::exact(product) / &exact - oracle::whole(1);
                assert!(oracle::to_f64(&error).abs() <= (i + 2) as f64 * 2f64.powi(-53), "{backend:?} {i}");
            }
        }
        if !backend.info().id.contains("gpu") {
            let these: Vec<u64> = products.iter().map(|x| x.to_bits()).collect();
            assert_eq!(bits.get_or_insert_with(|| these.clone()), &these, "{backend:?}: not the same on every CPU");
        }
        let maxima = backend.cummax(&[1.0, f64::NAN, 5.0], None).unwrap().into_vec().unwrap();
        assert!(maxima[0] == 1.0 && maxima[1].is_nan() && maxima[2].is_nan(), "{backend:?}");
        let minima = backend.cummin(&[0.0f32, -0.0, 0.0], None).unwrap().into_vec().unwrap();
        assert_eq!(minima.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), [0, 1 << 31, 1 << 31], "{backend:?}");
    }
}

/// Each exact running value, rounded or narrowed once to the dtype asked for.
#[test]
fn results_have_the_dtype_asked_for() {
    let mut random = Random(8);
    for n in [1usize, 500, 33_000] {
        // Running sums as fractions take their time; blocks begin anew at 32,768 whatever they hold.
        let wide: Vec<f64> = (0..n.min(500)).map(|_| random.unit() * 10f64.powi(random.below(30) as i32 - 15)).collect();
        let narrow: Vec<f32> = wide.iter().map(|&x| x as f32).collect();
        let widened: Vec<f64> = narrow.iter().map(|&x| x.into()).collect();
        let large: Vec<i64> = (0..n).map(|_| random.bits() as i64).collect();
        let small: Vec<i8> = (0..n).map(|_| random.below(3) as i8 - 1).collect();
        let totals = |values: &[i128]| {
            values
                .iter()
                .scan(0i128, |sum, x| {
                    Some({
                        *sum += x;
                        *sum
                    })
                })
                .collect::<Vec<_>>()
        };
        let (large_sums, small_sums): (Vec<i128>, Vec<i128>) = (
            totals(&large.iter().map(|&x| x.into()).collect::<Vec<_>>()),
            totals(&small.iter().map(|&x| x.into()).collect::<Vec<_>>()),
        );
        for backend in devices::all() {
            let how = |dtype| Scan::sum().out_dtype(dtype);
            check(backend, &wide.as_operand(), &how(Dtype::F32), &[wide.len()], &sums(&wide, true));
            check(backend, &narrow.as_operand(), &how(Dtype::F64), &[wide.len()], &sums(&widened, false));
            let texts = |values: &[i128], text: fn(i128) -> String| values.iter().map(|&x| text(x)).collect::<Vec<_>>();
            let f64s = texts(&large_sums, |x| format!("{:?}", x as f64));
            let f32s = texts(&large_sums, |x| format!("{:?}", x as f32));
            check(backend, &large.as_operand(), &how(Dtype::F64), &[n], &f64s);
            check(backend, &large.as_operand(), &how(Dtype::F32), &[n], &f32s);
            let wrapped = texts(&large_sums, |x| format!("{:?}", x as u16));
            check(backend, &large.as_operand(), &how(Dtype::U16).wrapping(), &[n], &wrapped);
            check(backend, &small.as_operand(), &how(Dtype::I32), &[n], &texts(&small_sums, |x| x.to_string()));
            if let Some(least) = small_sums.iter().find(|&&x| x < 0) {
                let error = backend.scan_dyn(&small.as_operand(), &how(Dtype::U32));
                assert!(matches!(error, Err(Error::Overflow { .. })), "{backend:?} {least}");
            }
        }
    }
    for backend in devices::all() {
        let product = |values: &[i16], how: Scan| {
            backend.scan_dyn(&values.as_operand(), &how).map(|found| texts(found.into_host().unwrap()))
        };
        let how = || Scan::product().out_dtype(Dtype::I16);
        assert_eq!(product(&[100, 300, -2], how().exclusive()).unwrap(), ["1", "100", "30000"], "{backend:?}");
        assert!(matches!(product(&[100, 300, -2], how()), Err(Error::Overflow { out_dtype: Dtype::I16, .. })), "{backend:?}");
        assert_eq!(product(&[100, 300, -2], how().wrapping()).unwrap(), ["100", "30000", "5536"], "{backend:?}");
        assert_eq!(product(&[], how().include_initial()).unwrap(), ["1"], "{backend:?}");
        assert!(backend.scan_dyn(&[1.0].as_operand(), &Scan::sum().out_dtype(Dtype::I32)).is_err());
        assert!(backend.scan_dyn(&[1.0].as_operand(), &Scan::min().out_dtype(Dtype::F32)).is_err());
        assert!(backend.scan_dyn(&[1.0].as_operand(), &Scan::max().skip_nan()).is_err());
    }
}

#[test]
fn nan_is_passed_over_as_nothing() {
    let mut random = Random(9);
    for n in [3usize, 70_000] {
        let values: Vec<f64> = (0..n).map(|i| if i == 0 || random.below(4) == 0 { f64::NAN } else { random.unit() }).collect();
        let zeros: Vec<f64> = values.iter().map(|x| if x.is_nan() { 0.0 } else { *x }).collect();
        let ones: Vec<f64> = values.iter().map(|x| if x.is_nan() { 1.0 } else { *x }).collect();
        for backend in devices::all() {
            for (how, filled) in [(Scan::sum(), &zeros), (Scan::product(), &ones), (Scan::sum().reverse(), &zeros)] {
                let found = backend.scan_dyn(&values.as_operand(), &how.clone().skip_nan()).unwrap();
                let wanted = backend.scan_dyn(&filled.as_operand(), &how).unwrap();
                assert_eq!(texts(found.into_host().unwrap()), texts(wanted.into_host().unwrap()), "{backend:?} {how:?}");
            }
        }
    }
}

/// NaN passed over is +0, which takes the sign of a zero.
#[test]
fn zeros_keep_the_sign_of_their_sum() {
    let nan = f64::NAN;
    for backend in devices::all() {
        for (values, sums) in [([-0.0, nan, -0.0], [-0.0, 0.0, 0.0]), ([nan, -0.0, nan], [0.0; 3]), ([-0.0; 3], [-0.0; 3])] {
            let HostVec::F64(got) = backend.scan_dyn(&values.as_operand(), &Scan::sum().skip_nan()).unwrap().into_host().unwrap()
            else {
                panic!("sums of float64")
            };
            assert_eq!(got.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), sums.map(f64::to_bits), "{backend:?} {values:?}");
        }
    }
}
