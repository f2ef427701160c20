//! Reductions are their definition: every operation, dtype and set of axes, on strided views of awkward lengths.

use ndarray::{ArrayD, ArrayViewD, Axis, IxDyn, Slice};
use num_bigint::BigInt;
use num_rational::BigRational;
use unisono::{AsOperand, Backend, Dtype, Element, Error, HostVec, Reduce, ReduceOp};

use crate::devices::{self, Random};
use crate::oracle;

/// A value for the oracle: the exact number, or what is not a number.
trait Value: Element {
    fn draw(random: &mut Random) -> Self;
    fn number(self) -> f64;
    /// The exact integer, for the integer dtypes.
    fn integer(self) -> Option<i128>;
}

macro_rules! integers {
    ($($T:ty)*) => {$(impl Value for $T {
        fn draw(random: &mut Random) -> Self {
            // Few distinct values, zeros and ties among them; products of three stay in 64 bits.
            ((random.below(7) as i32 - if <$T>::MIN == 0 { 0 } else { 3 }) * if random.below(9) == 0 { 15 } else { 1 }) as $T
        }
        fn number(self) -> f64 { self as f64 }
        fn integer(self) -> Option<i128> { Some(self as i128) }
    })*};
}
integers!(u8 i8 u16 i16 u32 i32 u64 i64);

impl Value for bool {
    fn draw(random: &mut Random) -> Self {
        random.below(3) > 0
    }
    fn number(self) -> f64 {
        f64::from(u8::from(self))
    }
    fn integer(self) -> Option<i128> {
        Some(i128::from(self))
    }
}

macro_rules! floats {
    ($($T:ident $bits:ty;)*) => {$(impl Value for $T {
        fn draw(random: &mut Random) -> Self {
            match random.below(12) {
                0 => 0.0,
                1 => -0.0,
                2 => $T::from_bits(random.bits() as $bits & 0xffff),
                3 => -1e-30,
                4 => 1e20,
                _ => random.unit() as $T,
            }
        }
        fn number(self) -> f64 { f64::from(self) }
        fn integer(self) -> Option<i128> { None }
    })*};
}
floats!(f32 u32; f64 u64;);

/// One result of the oracle, as text that tells −0 from 0 and floats by their shortest form.
fn reduce_one<T: Value>(op: ReduceOp, values: &[T]) -> String {
    let numbers = || values.iter().map(|v| v.number());
    let negative_zero = !values.is_empty() && numbers().all(|v| v == 0.0 && v.is_sign_negative());
    let narrow = |exact: &BigRational| match T::DTYPE {
        Dtype::F32 => format!("{:?}", oracle::to_f32(exact)),
        _ => format!("{:?}", oracle::to_f64(exact)),
    };
    let extreme = |keep: fn(&f64, &f64) -> bool| {
        values.iter().copied().reduce(|best, v| {
            let (a, b) = (best.number(), v.number());
            let better = match (best.integer(), v.integer()) {
                (Some(a), Some(b)) => keep(&((b - a) as f64), &0.0),
                _ => {
                    keep(&b, &a)
                        || (a == b
                            && keep(&f64::from(u8::from(!b.is_sign_negative())), &f64::from(u8::from(!a.is_sign_negative()))))
                }
            };
            if better { v } else { best }
        })
    };
    let first = |keep: fn(&f64, &f64) -> bool| {
        let mut best = 0;
        for i in 1..values.len() {
            if keep(&values[i].number(), &values[best].number()) {
                best = i;
            }
        }
        best.to_string()
    };
    let integers: Option<Vec<i128>> = values.iter().map(|v| v.integer()).collect::<Option<_>>().filter(|_| !T::DTYPE.is_float());
    match op {
        ReduceOp::Sum | ReduceOp::Mean if negative_zero => "-0.0".into(),
        ReduceOp::Sum if integers.is_some() => integers.unwrap().iter().sum::<i128>().to_string(),
        ReduceOp::Sum => narrow(&oracle::sum(numbers())),
        ReduceOp::Mean if values.is_empty() => "NaN".into(),
        ReduceOp::Mean => match &integers {
            Some(integers) => format!(
                "{:?}",
                oracle::to_f64(
                    &(oracle::whole(integers.iter().map(|&v| BigInt::from(v)).sum::<BigInt>()) / oracle::whole(values.len()))
                )
            ),
            None => narrow(&(oracle::sum(numbers()) / oracle::whole(values.len()))),
        },
        ReduceOp::Product => integers.unwrap().iter().product::<i128>().to_string(),
        ReduceOp::Min => format!("{:?}", extreme(|a, b| a < b).unwrap()),
        ReduceOp::Max => format!("{:?}", extreme(|a, b| a > b).unwrap()),
        ReduceOp::ArgMin => first(|a, b| a < b),
        ReduceOp::ArgMax => first(|a, b| a > b),
        ReduceOp::Any => numbers().any(|v| v != 0.0).to_string(),
        ReduceOp::All => numbers().all(|v| v != 0.0).to_string(),
        // Each of these has a law of its own: see moments.rs.
        ReduceOp::Var | ReduceOp::Std | ReduceOp::Ptp | ReduceOp::Norm(_) | ReduceOp::Dot => unreachable!(),
        ReduceOp::CountNonzero => numbers().filter(|v| *v != 0.0).count().to_string(),
    }
}

fn texts(vec: HostVec) -> Vec<String> {
    macro_rules! each {
        ($($variant:ident)*) => { match vec { $(HostVec::$variant(v) => v.iter().map(|x| format!("{x:?}")).collect(),)* } };
    }
    each!(Bool U8 I8 U16 I16 U32 I32 U64 I64 F32 F64 C64 C128)
}

/// All results of the oracle: the kept axes in C order, and behind each its elements in C order.
fn reduce_all<T: Value>(op: ReduceOp, array: &ArrayViewD<'_, T>, axes: &[usize]) -> Vec<String> {
    let kept: Vec<usize> = (0..array.ndim()).filter(|axis| !axes.contains(axis)).collect();
    let order: Vec<usize> = kept.iter().chain(axes).copied().collect();
    let rows: usize = kept.iter().map(|&axis| array.len_of(Axis(axis))).product();
    let flat: Vec<T> = array.view().permuted_axes(IxDyn(&order)).iter().copied().collect();
    let length = flat.len().checked_div(rows).unwrap_or(0);
    (0..rows).map(|row| reduce_one(op, &flat[row * length..(row + 1) * length])).collect()
}

fn check<T: Value>(backend: &Backend, array: &ArrayViewD<'_, T>, axes: &[usize], op: ReduceOp) {
    let how = Reduce::of(op).axes(&axes.iter().map(|&axis| axis as isize).collect::<Vec<_>>());
    let name = || format!("{backend:?} {op} of {} {:?} over {axes:?}", T::DTYPE, array.shape());
    let result = backend.reduce_dyn(&array.as_operand(), &how).unwrap_or_else(|e| panic!("{}: {e}", name()));
    assert_eq!(result.dtype(), op.out_dtype(T::DTYPE));
    let shape: Vec<usize> = (0..array.ndim()).filter(|axis| !axes.contains(axis)).map(|axis| array.len_of(Axis(axis))).collect();
    assert_eq!(result.shape(), shape, "{}", name());
    assert_eq!(texts(result.into_host().unwrap()), reduce_all(op, array, axes), "{}", name());
}

fn dtype<T: Value>() {
    let mut random = Random(T::DTYPE as u64);
    let sets: [&[usize]; 7] = [&[0, 1, 2], &[0], &[1], &[2], &[0, 1], &[0, 2], &[1, 2]];
    for shape in [[2, 3, 5], [7, 1, 13], [3, 67, 2], [1, 5, 130]] {
        let mut array = ArrayD::from_shape_fn(IxDyn(&shape.map(|n| n + 1)), |_| T::draw(&mut random));
        for axis in 0..3 {
            array.slice_axis_inplace(Axis(axis), Slice::new(1, None, if axis == 1 { -1 } else { 1 }));
        }
        let plain = array.view();
        let turned = array.view().permuted_axes(IxDyn(&[2, 0, 1]));
        for backend in devices::all() {
            for (i, axes) in sets.iter().enumerate() {
                for op in &ReduceOp::ALL[..10] {
                    if *op != ReduceOp::Product {
                        check(backend, if i % 2 == 0 { &plain } else { &turned }, axes, *op);
                    }
                }
            }
        }
    }
}

macro_rules! dtypes {
    ($($T:ident)*) => {$( #[test] fn $T() { dtype::<$T>(); } )*};
}
dtypes!(bool u8 i8 u16 i16 u32 i32 u64 i64 f32 f64);

#[test]
fn lengths_around_every_block_size() {
    let mut random = Random(77);
    for n in [0usize, 1, 2, 63, 64, 65, 255, 256, 257, 1023, 1024, 1025, 4095, 4097, 16_385, 65_537, 100_003] {
        let (ints, floats): (Vec<i32>, Vec<f32>) = (0..n).map(|_| (i32::draw(&mut random), f32::draw(&mut random))).unzip();
        let (ints, floats) =
            (ArrayD::from_shape_vec(IxDyn(&[n]), ints).unwrap(), ArrayD::from_shape_vec(IxDyn(&[n]), floats).unwrap());
        for backend in devices::all() {
            for op in ReduceOp::ALL.into_iter().take(10) {
                if op != ReduceOp::Product && (n > 0 || op.has_identity()) {
                    check(backend, &ints.view(), &[0], op);
                    check(backend, &floats.view(), &[0], op);
                }
            }
        }
    }
}

#[test]
fn products_are_exact_or_refused() {
    for backend in devices::all() {
        let product = |values: &[i64]| backend.product(values).and_then(|p| p.item());
        assert_eq!(product(&[]), Ok(1));
        assert_eq!(product(&[3, -5, 7]), Ok(-105));
        assert_eq!(product(&[i64::MIN, 1]), Ok(i64::MIN));
        assert_eq!(product(&[i64::MAX, i64::MAX, i64::MAX, 0]), Ok(0), "{backend:?}");
        assert_eq!(product(&[1 << 32, 1 << 31]), Err(Error::Overflow { op: "prod", out_dtype: Dtype::I64 }), "{backend:?}");
        assert_eq!(backend.product(&[255u8; 8]).unwrap().item(), Ok(255u64.pow(8)));
        let floats: Vec<f64> = (1..=200).map(|i| if i % 2 == 0 { f64::from(i) } else { 1.0 / f64::from(i) }).collect();
        let exact = floats.iter().fold(oracle::whole(1), |p, &x| p * oracle::exact(x));
        let error = oracle::exact(backend.product(&floats).unwrap().item().unwrap()) / &exact - oracle::whole(1);
        let error = oracle::to_f64(&error).abs();
        assert!(error <= 201.0 * 2f64.powi(-53), "{backend:?} {error}");
        assert_eq!(
            backend.product(&[2f64.powi(1000), 2f64.powi(900), 2f64.powi(-1000), 2f64.powi(-900)]).unwrap().item().unwrap(),
            1.0,
            "{backend:?}"
        );
    }
}

#[test]
fn what_is_not_a_number_wins_and_zeros_have_their_order() {
    let nan = f32::NAN;
    for backend in devices::all() {
        assert!(backend.min(&[1.0, nan, -5.0]).unwrap().item().unwrap().is_nan(), "{backend:?}");
        assert!(backend.max(&[1.0, nan, f32::INFINITY]).unwrap().item().unwrap().is_nan(), "{backend:?}");
        assert_eq!(backend.argmin(&[1.0, nan, -5.0, nan]).unwrap().item(), Ok(1), "{backend:?}");
        assert_eq!(backend.argmax(&[1.0, -nan, nan]).unwrap().item(), Ok(1), "{backend:?}");
        assert!(backend.min(&[0.0f64, -0.0]).unwrap().item().unwrap().is_sign_negative(), "{backend:?}");
        assert!(backend.max(&[-0.0f64, 0.0]).unwrap().item().unwrap().is_sign_positive(), "{backend:?}");
        assert_eq!(backend.argmin(&[0.0f64, -0.0]).unwrap().item(), Ok(0), "{backend:?}: ±0 are equal, the first wins");
        assert_eq!(backend.argmax(&[-0.0f32, 0.0]).unwrap().item(), Ok(0), "{backend:?}");
        assert_eq!(backend.count_nonzero(&[nan, -0.0, 0.0, 1e-45]).unwrap().item(), Ok(2), "{backend:?}");
        assert_eq!(backend.any(&[nan]).unwrap().item(), Ok(true));
        assert_eq!(backend.all(&[nan, -0.0]).unwrap().item(), Ok(false), "{backend:?}");
    }
}

/// Columns whose first rows, or any whole stretch of rows, are nothing but NaN.
#[test]
fn nan_that_is_passed_over_is_never_chosen() {
    for backend in devices::all() {
        for (rows, columns) in [(2, 3), (257, 31), (257, 32), (600, 64), (1500, 31)] {
            for at in [0, 1, rows / 2, rows - 1] {
                let mut x = ndarray::Array2::from_elem((rows, columns), f32::NAN);
                x.row_mut(at).fill(1.0);
                for op in [ReduceOp::ArgMin, ReduceOp::ArgMax] {
                    let how = Reduce::of(op).skip_nan();
                    let label = format!("{backend:?} {op:?} of {rows} rows of {columns}, a number in row {at}");
                    let got = backend.reduce_dyn(&x.as_operand(), &how.clone().axes(&[0])).unwrap().into_host().unwrap();
                    assert_eq!(got, HostVec::U64(vec![at as u64; columns]), "{label}");
                    let turned = x.t();
                    let got = backend.reduce_dyn(&turned.as_operand(), &how.clone().axes(&[1])).unwrap().into_host().unwrap();
                    assert_eq!(got, HostVec::U64(vec![at as u64; columns]), "{label}, turned");
                    assert!(backend.reduce_dyn(&x.as_operand(), &how.clone().axes(&[1])).is_err(), "{label}: rows of NaN alone");
                }
            }
        }
    }
}
