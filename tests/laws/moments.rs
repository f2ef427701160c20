//! Variances, deviations, norms, dot products, masks and NaN passed over: the exact value, rounded once, on every device.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{Signed, Zero};
use unisono::{
    AsOperand, Backend, Dtype, Error, ExactDot, HostVec, MinMax, Moments, NormOrder, Overflow, Reduce, ReduceOp, SumMode, op,
};

use crate::devices::{self, Random};
use crate::oracle;

/// The square root to 250 bits and one that says whether there is a rest: rounds as the root itself does.
pub fn root(x: &BigRational) -> BigRational {
    let shift = 2 * (1100 + 250u32);
    let scaled = (x * oracle::whole(BigInt::from(1) << shift)).floor().to_integer();
    let root = scaled.sqrt();
    let rest = &root * &root != scaled || !(x * oracle::whole(BigInt::from(1) << shift)).is_integer();
    BigRational::new(root * 2 + i32::from(rest), BigInt::from(1) << (shift / 2 + 1))
}

/// The exact variance.
pub fn variance(values: &[f64], ddof: usize) -> BigRational {
    let n = oracle::whole(values.len());
    let sum = oracle::sum(values.iter().copied());
    let squares = values.iter().fold(BigRational::zero(), |a, &x| a + oracle::exact(x) * oracle::exact(x));
    (&n * squares - &sum * &sum) / (n * oracle::whole(values.len() - ddof))
}

fn value<R: Copy + Into<ReduceOp>>(backend: &Backend, x: &[f64], how: &Reduce<R>) -> f64 {
    match backend.reduce_dyn(&x.as_operand(), how).unwrap().into_host().unwrap() {
        HostVec::F64(one) => one[0],
        HostVec::F32(one) => f64::from(one[0]),
        other => panic!("{other:?}"),
    }
}

/// Awkward data: random bits, near overflow, subnormal, cancelling, and of wide range.
pub fn samples(random: &mut Random) -> Vec<Vec<f64>> {
    let mut with = |n: usize, make: &dyn Fn(u64) -> f64| (0..n).map(|_| make(random.bits())).collect::<Vec<_>>();
    vec![
        with(37, &|b| f64::from_bits(b & !(1 << 62))),
        with(2500, &|b| f64::from_bits(b & 0x800f_ffff_ffff_ffff | ((b >> 53) % 24 + 1010) << 52)),
        with(19, &|b| f64::from_bits(b & 0x800f_ffff_ffff_ffff)),
        with(23, &|b| f64::from_bits((b & 0x800f_ffff_ffff_ffff) | 2046 << 52)),
        with(400, &|b| 1e15 + (b % 7) as f64 * 0.125),
        vec![1.0, -1.0, 5e-324, f64::MAX, -f64::MAX, 2.5e-200],
        vec![3.0; 70],
        vec![-0.0, 0.0, -0.0],
    ]
}

#[test]
fn variances_deviations_and_norms_are_rounded_once() {
    let mut random = Random(41);
    for x in samples(&mut random) {
        let exact = variance(&x, 1);
        let squares = x.iter().fold(BigRational::zero(), |a, &x| a + oracle::exact(x) * oracle::exact(x));
        let sum = x.iter().fold(BigRational::zero(), |a, &x| a + oracle::exact(x).abs());
        let narrow: Vec<f32> = x.iter().map(|&x| x as f32).filter(|x| x.is_finite()).collect();
        let narrow_exact = match narrow.len() {
            0 => BigRational::zero(),
            _ => variance(&narrow.iter().map(|&x| f64::from(x)).collect::<Vec<_>>(), 0),
        };
        for backend in devices::all() {
            let name = format!("{backend:?} of {:?}", &x[..x.len().min(4)]);
            assert_eq!(value(backend, &x, &Reduce::var().ddof(1)), oracle::to_f64(&exact), "variance on {name}");
            assert_eq!(value(backend, &x, &Reduce::std().ddof(1)), oracle::to_f64(&root(&exact)), "deviation on {name}");
            assert_eq!(value(backend, &x, &Reduce::norm(NormOrder::Two)), oracle::to_f64(&root(&squares)), "norm on {name}");
            assert_eq!(value(backend, &x, &Reduce::norm(NormOrder::One)), oracle::to_f64(&sum), "norm 1 on {name}");
            let single = value(backend, &x, &Reduce::var().ddof(1).out_dtype(Dtype::F32));
            assert_eq!(single as f32, oracle::to_f32(&exact), "binary32 variance on {name}");
            if narrow.len() > 1 {
                let found = [backend.var(&narrow), backend.std(&narrow)].map(|found| found.unwrap().item().unwrap());
                assert_eq!(found, [oracle::to_f32(&narrow_exact), oracle::to_f32(&root(&narrow_exact))], "narrow on {name}");
            }
            let magnitudes = || x.iter().map(|x| x.abs());
            assert_eq!(value(backend, &x, &Reduce::norm(NormOrder::Max)), magnitudes().fold(0.0, f64::max), "{name}");
            assert_eq!(value(backend, &x, &Reduce::norm(NormOrder::Min)), magnitudes().fold(f64::MAX, f64::min), "{name}");
            assert_eq!(value(backend, &x, &Reduce::norm(NormOrder::Zero)), x.iter().filter(|&&x| x != 0.0).count() as f64);
            let spread = x.iter().copied().fold(f64::MIN, f64::max) - x.iter().copied().fold(f64::MAX, f64::min);
            assert_eq!(backend.ptp(&x).unwrap().item().unwrap(), spread, "{name}");
        }
    }
}

#[test]
fn dot_products_are_rounded_once_along_axes_too() {
    let mut random = Random(43);
    for x in samples(&mut random) {
        let y: Vec<f64> = x.iter().rev().map(|y| y * 0.75).collect();
        let exact = |x: &[f64], y: &[f64]| {
            let terms = x.iter().zip(y).map(|(&a, &b)| oracle::exact(a) * oracle::exact(b));
            oracle::to_f64(&terms.fold(BigRational::zero(), |a, b| a + b))
        };
        for backend in devices::all() {
            assert_eq!(backend.dot(&x, &y).unwrap().item().unwrap(), exact(&x, &y), "{backend:?} {:?}", &x[..3]);
        }
    }
    let (rows, columns) = (21, 37);
    let mut draw = || ndarray::Array2::from_shape_fn((rows, columns), |_| random.unit() as f32);
    let (a, b) = (draw(), draw());
    for backend in devices::all() {
        for axis in [0, 1] {
            let found = backend.vecdot(&a, &b.view(), &Reduce::dot().axes(&[axis])).unwrap().into_vec().unwrap();
            let lanes = a.lanes(ndarray::Axis(axis as usize)).into_iter().zip(b.lanes(ndarray::Axis(axis as usize)));
            let expected: Vec<f32> = lanes
                .map(|(a, b)| {
                    let terms = a.iter().zip(b).map(|(&a, &b)| oracle::exact(a.into()) * oracle::exact(b.into()));
                    oracle::to_f32(&terms.fold(BigRational::zero(), |a, b| a + b))
                })
                .collect();
            assert_eq!(found, expected, "{backend:?} axis {axis}");
        }
        let one = backend.vecdot(&a, &b.row(3), &Reduce::dot().axes(&[1])).unwrap();
        assert_eq!(one.shape(), [rows], "the second operand is broadcast");
        let error = backend.dot(&[i64::MIN, 3], &[i64::MIN, -5]).unwrap_err();
        assert_eq!(error, Error::Overflow { op: "dot", out_dtype: Dtype::I64 }, "{backend:?}");
        assert_eq!(backend.dot(&[-7i8, 100], &[-128i8, 127]).unwrap().item(), Ok(896 + 12_700), "{backend:?}");
        let wide = Reduce::dot().out_dtype(Dtype::F64);
        let found = backend.vecdot_dyn(&[u64::MAX, 1].as_operand(), &[u64::MAX, 7].as_operand(), &wide).unwrap();
        assert_eq!(found.into_host().unwrap(), HostVec::F64(vec![2f64.powi(128)]), "{backend:?}");
    }
}

#[test]
fn what_is_not_finite_decides() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    for backend in devices::all() {
        for x in [[1.0, inf, 2.0], [1.0, nan, 2.0], [-inf, inf, 0.0]] {
            assert!(value(backend, &x, &Reduce::var()).is_nan() && value(backend, &x, &Reduce::std()).is_nan(), "{backend:?}");
        }
        assert_eq!(value(backend, &[1.0, -inf], &Reduce::norm(NormOrder::Two)), inf, "{backend:?}");
        assert!(value(backend, &[1.0, nan], &Reduce::norm(NormOrder::Max)).is_nan(), "{backend:?}");
        assert!(backend.dot(&[inf, 1.0], &[0.0, 1.0]).unwrap().item().unwrap().is_nan(), "{backend:?}");
        assert_eq!(backend.dot(&[inf, 1.0], &[-2.0, 1.0]).unwrap().item(), Ok(-inf), "{backend:?}");
        assert!(value(backend, &[], &Reduce::var()).is_nan() && value(backend, &[4.0], &Reduce::var().ddof(1)).is_nan());
        assert_eq!(value(backend, &[4.0, 5.0], &Reduce::var().ddof(2)), inf, "{backend:?}");
    }
}

#[test]
fn nan_is_passed_over_where_asked() {
    let nan = f64::NAN;
    let x = [nan, 4.0, nan, 1.0, -2.0, 4.0, nan];
    let there = [4.0, 1.0, -2.0, 4.0];
    let all: [fn() -> Reduce<ReduceOp>; 9] = [
        || Reduce::of(ReduceOp::Sum),
        || Reduce::of(ReduceOp::Mean),
        || Reduce::of(ReduceOp::Product),
        || Reduce::of(ReduceOp::Min),
        || Reduce::of(ReduceOp::Max),
        || Reduce::of(ReduceOp::Var).ddof(1),
        || Reduce::of(ReduceOp::Std),
        || Reduce::of(ReduceOp::Norm(NormOrder::Two)),
        || Reduce::of(ReduceOp::Norm(NormOrder::Max)),
    ];
    for backend in devices::all() {
        for how in all {
            assert_eq!(value(backend, &x, &how().skip_nan()), value(backend, &there, &how()), "{backend:?} {:?}", how());
        }
        let arg = |x: &[f64], op| backend.reduce_dyn(&x.as_operand(), &Reduce::of(op).skip_nan()).and_then(|x| x.into_host());
        assert_eq!(arg(&x, ReduceOp::ArgMax), Ok(HostVec::U64(vec![1])), "{backend:?}");
        assert_eq!(arg(&x, ReduceOp::ArgMin), Ok(HostVec::U64(vec![4])), "{backend:?}");
        assert_eq!(arg(&[nan, f64::INFINITY], ReduceOp::ArgMin), Ok(HostVec::U64(vec![1])), "{backend:?}");
        let error = arg(&[nan, nan], ReduceOp::ArgMin).unwrap_err().to_string();
        assert_eq!(error, "argmin: got NaN alone, expected another element to choose", "{backend:?}");
        assert_eq!(value(backend, &[nan, nan], &Reduce::sum().skip_nan()).to_bits(), 0, "{backend:?}");
        assert!(
            value(backend, &[nan], &Reduce::mean().skip_nan()).is_nan()
                && value(backend, &[nan], &Reduce::min().skip_nan()).is_nan()
        );
    }
}

#[test]
fn masks_initial_values_and_dtypes() {
    let mut random = Random(47);
    let x = ndarray::Array2::from_shape_fn((13, 29), |_| random.below(200) as i16 - 100);
    let mask = ndarray::Array2::from_shape_fn((13, 29), |_| random.below(3) > 0);
    for backend in devices::all() {
        for axis in [0usize, 1] {
            let axes = [axis as isize];
            let chosen: Vec<Vec<i16>> = (x.lanes(ndarray::Axis(axis)).into_iter())
                .zip(mask.lanes(ndarray::Axis(axis)))
                .map(|(x, mask)| x.iter().zip(mask).filter(|(_, keep)| **keep).map(|(x, _)| *x).collect())
                .collect();
            let run = |how: Reduce<ReduceOp>| {
                let (x, mask) = (x.as_operand(), mask.as_operand());
                backend.reduce_where_dyn(&x, &mask, &how.axes(&axes)).unwrap().into_host().unwrap()
            };
            let sums = chosen.iter().map(|x| 5 + x.iter().map(|&x| i32::from(x)).sum::<i32>()).collect();
            assert_eq!(run(Reduce::of(ReduceOp::Sum).initial(5).out_dtype(Dtype::I32)), HostVec::I32(sums), "{backend:?}");
            let least = chosen.iter().map(|x| x.iter().copied().min().unwrap_or(3).min(3)).collect();
            assert_eq!(run(Reduce::of(ReduceOp::Min).initial(3)), HostVec::I16(least), "{backend:?}");
            let floats = |x: &Vec<i16>| x.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
            let variances = chosen.iter().map(|x| oracle::to_f64(&variance(&floats(x), 0))).collect();
            assert_eq!(run(Reduce::of(ReduceOp::Var)), HostVec::F64(variances), "{backend:?}");
            let all = chosen.iter().map(|x| x.iter().all(|&x| x != 0)).collect();
            assert_eq!(run(Reduce::of(ReduceOp::All)), HostVec::Bool(all), "{backend:?}");
        }
        let column = mask.column(0).to_owned().insert_axis(ndarray::Axis(1));
        let found = backend.reduce_where(&x, &column, &Reduce::count_nonzero()).unwrap().item().unwrap();
        let expected =
            x.outer_iter().zip(&column).filter(|(_, keep)| **keep).map(|(row, _)| row.iter().filter(|&&x| x != 0).count());
        assert_eq!(found, expected.sum::<usize>() as u64, "{backend:?}");
        let none = backend.reduce_where(&[f32::NAN], &[false], &Reduce::mean()).unwrap().item().unwrap();
        assert!(none.is_nan(), "{backend:?}");

        let big = [i64::MAX, i64::MAX, 4];
        let sum = |policy| backend.reduce(&big, &Reduce::sum().overflow(policy)).and_then(|x| x.item());
        assert_eq!(sum(Overflow::Wrap), Ok(2), "{backend:?}");
        assert_eq!(sum(Overflow::Saturate), Ok(i64::MAX), "{backend:?}");
        assert_eq!(sum(Overflow::Error), Err(Error::Overflow { op: "sum", out_dtype: Dtype::I64 }), "{backend:?}");
        let product = backend.reduce(&[i64::MAX, -3, i64::MAX, i64::MIN + 1, 5], &Reduce::product().overflow(Overflow::Wrap));
        let wrapped = i64::MAX.wrapping_mul(-3).wrapping_mul(i64::MAX).wrapping_mul(i64::MIN + 1).wrapping_mul(5);
        assert_eq!(product.unwrap().item(), Ok(wrapped), "{backend:?}");
        let fast = backend.reduce(&[1.0, 2.0, 4.5], &Reduce::sum().mode(SumMode::Fast)).unwrap().item();
        assert_eq!(fast, Ok(7.5), "{backend:?}");
        assert_eq!(value(backend, &[1e100, 1.0], &Reduce::sum().initial(-1e100)), 1.0, "{backend:?}");
        assert_eq!(value(backend, &[], &Reduce::max().initial(2.5)), 2.5, "{backend:?}");
    }
}

#[test]
fn general_norms_are_near_and_have_the_same_bits_everywhere() {
    let x: Vec<f64> = (1..500).map(|i| f64::from(i) * if i % 3 == 0 { -0.01 } else { 0.07 }).collect();
    for p in [3.0, 0.75, -2.5] {
        let how = || Reduce::norm(NormOrder::new(p).unwrap());
        let wanted = x.iter().map(|x| x.abs().powf(p)).sum::<f64>().powf(1.0 / p);
        let first = value(&Backend::cpu(), &x, &how());
        assert!((first - wanted).abs() < 1e-13 * wanted, "{first} {wanted}");
        for backend in devices::all() {
            assert_eq!(value(backend, &x, &how()).to_bits(), first.to_bits(), "{p} on {backend:?}");
        }
    }
    // NaN passed over is no zero.
    let cpu = Backend::cpu().reduce(&[2.0, f64::NAN], &Reduce::norm(NormOrder::new(-1.0).unwrap()).skip_nan());
    assert_eq!(cpu.unwrap().item(), Ok(2.0));
}

#[test]
fn arguments_are_checked() {
    let cpu = Backend::cpu();
    let text = |result: Result<unisono::DynArray, Error>| result.unwrap_err().to_string();
    let x = [1.0, 2.0];
    let where_dyn = |how: Reduce<ReduceOp>, mask: &[bool]| cpu.reduce_where_dyn(&x.as_operand(), &mask.as_operand(), &how);
    assert_eq!(
        text(where_dyn(Reduce::of(ReduceOp::Min), &[true, false])),
        "where for min: got a mask, expected an initial value too, for where nothing is selected"
    );
    assert_eq!(text(where_dyn(Reduce::of(ReduceOp::Sum), &[true; 3])), "where: got [3], expected one that broadcasts to [2]");
    let reduce = |how: Reduce<ReduceOp>| cpu.reduce_dyn(&x.as_operand(), &how);
    assert!(text(reduce(Reduce::of(ReduceOp::Sum).out_dtype(Dtype::I32))).contains("expected float32 or float64"));
    assert!(text(reduce(Reduce::of(ReduceOp::Mean).initial(1.0))).contains("only sum, prod, min and max take one"));
    assert!(text(reduce(Reduce::of(ReduceOp::Dot))).contains("operands of a dot product: got 1"));
    let mixed = cpu.vecdot_dyn(&x.as_operand(), &[1f32].as_operand(), &Reduce::<op::Dot>::dot());
    assert_eq!(text(mixed), "second operand: got dtype float32, expected float64, that of the first operand");
    assert!(cpu.ptp(&[true]).is_err() && NormOrder::new(f64::NAN).is_err());
}

#[test]
fn public_partials_merge_to_the_whole_and_survive_their_bytes() {
    let mut random = Random(53);
    for x in samples(&mut random) {
        let at = x.len() / 3;
        let (mut left, mut right, mut whole) = (Moments::new(), Moments::new(), Moments::new());
        left.extend_f64(&x[..at]);
        right.extend_f64(&x[at..]);
        x.iter().for_each(|&x| whole.push(x));
        right.merge(&Moments::from_bytes(&left.to_bytes()).unwrap());
        assert_eq!(right, whole);
        assert_eq!(whole.variance(1), oracle::to_f64(&variance(&x, 1)));
        for backend in devices::all() {
            assert_eq!(backend.moments(&x).unwrap(), whole, "{backend:?}");
            let (mut front, back) = (backend.min_max(&x[..at]).unwrap(), backend.min_max(&x[at..]).unwrap());
            front.merge(&MinMax::from_bytes(&back.to_bytes()).unwrap()).unwrap();
            assert_eq!(front, MinMax::of(&x), "{backend:?}");
            let mut dot = backend.exact_dot(&x[..at], &x[..at]).unwrap();
            dot.merge(&backend.exact_dot(&x[at..], &x[at..]).unwrap());
            assert_eq!(&dot, whole.squares(), "{backend:?}");
        }
    }
    let text = |error: Error| error.to_string();
    let mut bytes = Moments::new().to_bytes();
    assert_eq!(text(ExactDot::from_bytes(&[]).unwrap_err()), "exact dot product: no bytes");
    assert_eq!(text(ExactDot::from_bytes(&[9; 568]).unwrap_err()), "exact dot product: version 9, expected 1");
    bytes[20] = 9;
    assert_eq!(text(Moments::from_bytes(&bytes).unwrap_err()), "moments: exact sum: unknown flags [0, 0, 0, 9, 0, 0, 0]");
    let mut bytes = MinMax::of(&[1u8, 2]).to_bytes();
    bytes[16] = 200;
    assert_eq!(text(MinMax::from_bytes(&bytes).unwrap_err()), "extremes: extremes that no elements have");
}

/// Blocks of numbers are taken at once from their exponents, of which what is not finite has none.
#[test]
fn a_block_may_begin_with_what_is_not_finite() {
    fn check<T: unisono::Real<Sum = T> + Into<f64>>(of: fn(f64) -> T) {
        let (inf, nan) = (f64::INFINITY, f64::NAN);
        for backend in devices::all() {
            for n in [16, 100, 4096, 5000] {
                for (first, rest, square) in
                    [(nan, 0.0, nan), (nan, nan, nan), (inf, 0.0, inf), (inf, inf, inf), (-inf, inf, inf), (nan, inf, nan)]
                {
                    let x: Vec<T> = (0..n).map(|i| of(if i == 0 { first } else { rest })).collect();
                    let label = format!("{backend:?} {n} numbers {first}, {rest}");
                    let value = |op| match backend.reduce_dyn(&x.as_operand(), &Reduce::of(op)).unwrap().into_host().unwrap() {
                        HostVec::F32(vec) => f64::from(vec[0]),
                        HostVec::F64(vec) => vec[0],
                        other => panic!("{other:?}"),
                    };
                    assert!(value(ReduceOp::Var).is_nan() && value(ReduceOp::Std).is_nan(), "{label}");
                    let dot: f64 = backend.dot(&x, &x).unwrap().item().unwrap().into();
                    let moments = backend.moments(&x).unwrap();
                    assert!(moments.variance(0).is_nan(), "{label}");
                    assert!(moments.mean().is_nan() || (first + rest).is_infinite() && moments.mean() == first, "{label}");
                    for got in [value(ReduceOp::Norm(NormOrder::Two)), dot] {
                        assert!(got == square || got.is_nan() && square.is_nan(), "{label}: {got}, not {square}");
                    }
                }
            }
        }
    }
    check::<f32>(|x| x as f32);
    check::<f64>(|x| x);
}
