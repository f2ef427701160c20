use ndarray::{ArrayD, ArrayViewD, Axis, IxDyn, Slice};
use num_bigint::BigInt;

use super::*;
use crate::exact::tests::bits;
use crate::plan::{NormOrder, Ordered, Reduce};
use crate::{ExactSum, Storage};

/// What the oracle needs of an element.
trait Sample: Real + Ordered {
    fn sample(state: &mut u64, kind: usize) -> Self;
    fn integer(self) -> i128;
    fn float(self) -> f64;
}

macro_rules! samples {
    ($($T:ty, $make:expr;)*) => {$(impl Sample for $T {
        fn sample(state: &mut u64, kind: usize) -> Self { $make(bits(state), kind) }
        fn integer(self) -> i128 { self as i128 }
        fn float(self) -> f64 { self as f64 }
    })*};
}
// Kind 0: anything; kind 1: few values, many ties; kind 2: small, so that sums and products fit.
samples! {
    u8, |b, kind| if kind == 0 { b as u8 } else { (b % 3) as u8 };
    i8, |b, kind| if kind == 0 { b as i8 } else { (b % 3) as i8 - 1 };
    u16, |b, kind| if kind == 0 { b as u16 } else { (b % 3) as u16 };
    i16, |b, kind| if kind == 0 { b as i16 } else { (b % 3) as i16 - 1 };
    u32, |b, kind| if kind == 0 { b as u32 } else { (b % 3) as u32 };
    i32, |b, kind| if kind == 0 { b as i32 } else { (b % 3) as i32 - 1 };
    u64, |b, kind| if kind == 0 { b } else { b % 3 };
    i64, |b, kind| if kind == 0 { b as i64 } else { (b % 3) as i64 - 1 };
    f32, |b: u64, kind| match (kind, b % 41) {
        (0, _) => f32::from_bits((b >> 8) as u32 & !(1 << 30)),
        (1, 0) => -0.0,
        (1, 1) => 0.0,
        (1, 2) if b >> 60 == 0 => f32::NAN,
        (1, 3) if b >> 60 == 0 => -f32::NAN,
        (1, 4) => f32::INFINITY,
        _ => ((b >> 40) as f32 - 8e6) / 1024.0,
    };
    f64, |b: u64, kind| match (kind, b % 41) {
        (0, _) => f64::from_bits(b.rotate_left(9) & !(1 << 62)),
        (1, 0) => -0.0,
        (1, 1) => 0.0,
        (1, 2) if b >> 60 == 0 => f64::NAN,
        (1, 3) if b >> 60 == 0 => -f64::NAN,
        (1, 4) => f64::NEG_INFINITY,
        _ => (b >> 30) as f64 - 8e9,
    };
}
impl Sample for bool {
    fn sample(state: &mut u64, kind: usize) -> Self {
        bits(state) % 7 < [3, 1, 6][kind]
    }
    fn integer(self) -> i128 {
        i128::from(self)
    }
    fn float(self) -> f64 {
        f64::from(u8::from(self))
    }
}

/// One result, from the elements in order; floats as their bits, `None` for an overflow.
fn oracle<T: Sample>(op: ReduceOp, values: &[T], sums: Option<&ExactSums>) -> Option<u64> {
    let (float, n) = (T::DTYPE.is_float(), values.len() as u64);
    let fit = |value: i128| {
        let (low, high) = op.out_dtype(T::DTYPE).integer_range().unwrap();
        (low <= value && value <= high).then_some(value as u64)
    };
    // The total order of min and max, with NaN first.
    let before = |x: T, y: T, smaller: bool| {
        let signed_zero = |v: T| (v.float(), v.float().is_sign_negative());
        match (Ordered::is_nan(x), Ordered::is_nan(y)) {
            (true, nan) => !nan,
            (_, true) => false,
            _ if x == y && float => (signed_zero(x).1 && !signed_zero(y).1) == smaller && signed_zero(x).1 != signed_zero(y).1,
            _ => {
                if smaller {
                    x < y
                } else {
                    x > y
                }
            }
        }
    };
    let encode = |x: T| match T::DTYPE {
        Dtype::F32 => u64::from((x.float() as f32).to_bits()),
        Dtype::F64 => x.float().to_bits(),
        _ => x.integer() as u64,
    };
    let canonical = |x: T| {
        if Ordered::is_nan(x) {
            if T::DTYPE == Dtype::F32 { u64::from(f32::NAN.to_bits()) } else { f64::NAN.to_bits() }
        } else {
            encode(x)
        }
    };
    match op {
        ReduceOp::Sum | ReduceOp::Mean if float => {
            let sum: ExactSum = values.iter().map(|x| x.float()).collect();
            Some(match (op, T::DTYPE) {
                (ReduceOp::Sum, Dtype::F32) => u64::from(sum.to_f32().to_bits()),
                (ReduceOp::Sum, _) => sum.to_f64().to_bits(),
                (_, Dtype::F32) => u64::from(sum.mean_f32(n).to_bits()),
                _ => sum.mean_f64(n).to_bits(),
            })
        }
        ReduceOp::Sum => fit(values.iter().map(|x| x.integer()).sum()),
        ReduceOp::Mean => {
            let sum: i128 = values.iter().map(|x| x.integer()).sum();
            Some(crate::exact::ratio_f64(sum, n).to_bits())
        }
        ReduceOp::Product => {
            if values.iter().any(|x| x.integer() == 0) {
                return Some(0);
            }
            let product = values.iter().try_fold(1i128, |p, x| p.checked_mul(x.integer()))?;
            fit(product)
        }
        ReduceOp::Min | ReduceOp::Max => {
            let smaller = op == ReduceOp::Min;
            let mut best = values[0];
            values.iter().for_each(|&x| {
                if before(x, best, smaller) {
                    best = x
                }
            });
            Some(canonical(best))
        }
        ReduceOp::ArgMin | ReduceOp::ArgMax => {
            let mut best = 0;
            for (i, &x) in values.iter().enumerate() {
                let old = values[best];
                let better = match (Ordered::is_nan(x), Ordered::is_nan(old)) {
                    (nan, true) => {
                        let _ = nan;
                        false
                    }
                    (true, false) => true,
                    _ => {
                        if op == ReduceOp::ArgMin {
                            x < old
                        } else {
                            x > old
                        }
                    }
                };
                if better {
                    best = i;
                }
            }
            Some(best as u64)
        }
        ReduceOp::Var | ReduceOp::Std | ReduceOp::Norm(NormOrder::Two | NormOrder::One) => {
            sums.map(|sums| exact_oracle(op, values, sums))
        }
        ReduceOp::Norm(NormOrder::Zero) => {
            let count = values.iter().filter(|&&x| x != T::ZERO).count();
            Some(if T::DTYPE == Dtype::F32 { u64::from((count as f32).to_bits()) } else { (count as f64).to_bits() })
        }
        ReduceOp::Norm(order) => {
            let magnitudes = values.iter().map(|x| if float { x.float().abs() } else { x.integer().unsigned_abs() as f64 });
            let nan = values.iter().any(|x| Ordered::is_nan(*x));
            let best =
                if order == NormOrder::Max { magnitudes.fold(0.0, f64::max) } else { magnitudes.fold(f64::INFINITY, f64::min) };
            let best = if nan { f64::NAN } else { best };
            Some(if T::DTYPE == Dtype::F32 { u64::from((best as f32).to_bits()) } else { best.to_bits() })
        }
        ReduceOp::Dot => None,
        ReduceOp::Ptp if float => {
            let nan = values.iter().any(|x| Ordered::is_nan(*x));
            let most = values.iter().map(|x| x.float()).fold(f64::NEG_INFINITY, f64::max);
            let least = values.iter().map(|x| x.float()).fold(f64::INFINITY, f64::min);
            let nan = nan || (most - least).is_nan();
            Some(match (T::DTYPE, nan) {
                (Dtype::F32, true) => u64::from(f32::NAN.to_bits()),
                (Dtype::F32, _) => u64::from((most as f32 - least as f32).to_bits()),
                (_, true) => f64::NAN.to_bits(),
                _ => (most - least).to_bits(),
            })
        }
        ReduceOp::Ptp => {
            let numbers = || values.iter().map(|x| x.integer());
            fit(numbers().max().unwrap() - numbers().min().unwrap())
        }
        ReduceOp::CountNonzero => Some(values.iter().filter(|&&x| x != T::ZERO).count() as u64),
        ReduceOp::Any => Some(u64::from(values.iter().any(|&x| x != T::ZERO))),
        ReduceOp::All => Some(u64::from(values.iter().all(|&x| x != T::ZERO))),
    }
}

/// The exact sums of some elements, of their squares and of their magnitudes, in units of 2^-1074 (of integers: 1) and of its
/// square; `None` where some are not finite.
struct ExactSums(Option<[BigInt; 3]>);

impl ExactSums {
    fn of<T: Sample>(values: &[T]) -> Self {
        let float = T::DTYPE.is_float();
        if values.iter().any(|x| float && !x.float().is_finite()) {
            return Self(None);
        }
        let mut sums = [BigInt::ZERO, BigInt::ZERO, BigInt::ZERO];
        for x in values {
            // A number is ±magnitude · 2^up; short numbers are multiplied, and moved then.
            let (negative, magnitude, up) = if float {
                let bits = x.float().to_bits();
                let (field, fraction) = ((bits >> 52) & 0x7ff, bits & ((1 << 52) - 1));
                (x.float() < 0.0, if field == 0 { fraction } else { fraction | 1 << 52 }, field.max(1) - 1)
            } else {
                (x.integer() < 0, x.integer().unsigned_abs() as u64, 0)
            };
            let number = BigInt::from(magnitude) << up;
            sums[1] += BigInt::from(u128::from(magnitude) * u128::from(magnitude)) << (2 * up);
            sums[2] += &number;
            if negative {
                sums[0] -= number;
            } else {
                sums[0] += number;
            }
        }
        Self(Some(sums))
    }
}

/// Variances, deviations and norms in rational arithmetic; roots by their definition.
fn exact_oracle<T: Sample>(op: ReduceOp, values: &[T], sums: &ExactSums) -> u64 {
    let encode = |x: f64| if T::DTYPE == Dtype::F32 { u64::from((x as f32).to_bits()) } else { x.to_bits() };
    let norm = matches!(op, ReduceOp::Norm(_));
    let Some([sum, squares, magnitudes]) = &sums.0 else {
        let nan = !norm || values.iter().any(|x| Ordered::is_nan(*x));
        return encode(if nan { f64::NAN } else { f64::INFINITY });
    };
    let scale = if T::DTYPE.is_float() { 1074u32 } else { 0 };
    let unit = |power: u32| BigInt::from(1) << (power * scale);
    let count = BigInt::from(values.len());
    let (n, d) = match op {
        ReduceOp::Norm(NormOrder::One) => (magnitudes.clone(), unit(1)),
        ReduceOp::Norm(_) => (squares.clone(), unit(2)),
        _ if values.is_empty() => return encode(f64::NAN),
        _ => (&count * squares - sum * sum, &count * &count * unit(2)),
    };
    let nearest = |n: &BigInt, d: &BigInt| match T::DTYPE {
        Dtype::F32 => f64::from(crate::exact::tests::nearest32_of(n, d)),
        _ => crate::exact::tests::nearest64_of(n, d),
    };
    if n == BigInt::ZERO || !matches!(op, ReduceOp::Std | ReduceOp::Norm(NormOrder::Two)) {
        return encode(nearest(&n, &d));
    }
    // 200 bits of the root of n/d · 4^up, and one more that says whether there is a rest.
    let up = 200 - (n.bits() as i64 - d.bits() as i64) / 2;
    let power = |exponent: i64| BigInt::from(1) << exponent.max(0);
    let (n, d) = (n * power(2 * up), d * power(-2 * up));
    let root = (&n / &d).sqrt();
    let rest = &root * &root * &d != n;
    encode(nearest(&((root * 2 + i32::from(rest)) * power(-up - 1)), &power(up + 1)))
}

/// Results as the oracle encodes them.
fn encode(vec: &HostVec) -> Vec<u64> {
    match vec {
        HostVec::Bool(v) => v.iter().map(|&x| u64::from(x)).collect(),
        HostVec::U8(v) => v.iter().map(|&x| u64::from(x)).collect(),
        HostVec::I8(v) => v.iter().map(|&x| x as u64).collect(),
        HostVec::U16(v) => v.iter().map(|&x| u64::from(x)).collect(),
        HostVec::I16(v) => v.iter().map(|&x| x as u64).collect(),
        HostVec::U32(v) => v.iter().map(|&x| u64::from(x)).collect(),
        HostVec::I32(v) => v.iter().map(|&x| x as u64).collect(),
        HostVec::U64(v) => v.clone(),
        HostVec::I64(v) => v.iter().map(|&x| x as u64).collect(),
        HostVec::F32(v) => v.iter().map(|&x| u64::from(x.to_bits())).collect(),
        HostVec::F64(v) => v.iter().map(|&x| x.to_bits()).collect(),
        HostVec::C64(_) | HostVec::C128(_) => panic!("reductions are real"),
    }
}

fn values(plan: &ReducePlan, input: &View<'_>, simd: Simd) -> Result<HostVec> {
    match run(plan, std::slice::from_ref(input), Target::Device(None), simd, &Control::new())? {
        Some(Storage::Host(vec)) => Ok((*vec).clone()),
        other => panic!("{other:?}"),
    }
}

/// All reductions of a view over `axes` agree with the oracle, at every SIMD level, directly and by partials.
fn check<T: Sample>(view: &ArrayViewD<'_, T>, axes: &[isize]) {
    let rank = view.ndim();
    let reduced: Vec<usize> = (0..rank).filter(|&a| axes.contains(&(a as isize))).collect();
    let kept: Vec<usize> = (0..rank).filter(|a| !reduced.contains(a)).collect();
    let order: Vec<usize> = kept.iter().chain(&reduced).copied().collect();
    let all: Vec<T> = view.clone().permuted_axes(IxDyn(&order)).iter().copied().collect();
    let n: usize = reduced.iter().map(|&a| view.len_of(Axis(a))).product();
    let count: usize = kept.iter().map(|&a| view.len_of(Axis(a))).product();
    let input = View::from_ndarray(view.view());
    // Rational arithmetic takes its time: for the larger arrays, some of the views and axes must do.
    let exact = all.len() < 3000 || (view.strides().last() != Some(&1) && axes.len() != 1);
    let slow = |op| matches!(op, ReduceOp::Var | ReduceOp::Std | ReduceOp::Norm(NormOrder::One | NormOrder::Two));
    let lanes = |o: usize| &all[o * n..][..n];
    let sums: Vec<Option<ExactSums>> = (0..count).map(|o| exact.then(|| ExactSums::of(lanes(o)))).collect();
    for op in ReduceOp::ALL.into_iter().filter(|&op| exact || !slow(op)) {
        if (n == 0 && !op.has_identity()) || (op == ReduceOp::Ptp && T::DTYPE == Dtype::Bool) {
            continue;
        }
        let plan = ReducePlan::new(&Reduce::of(op).axes(axes), T::DTYPE, view.shape()).unwrap();
        let product = op == ReduceOp::Product && T::DTYPE.is_float();
        let expected: Option<Vec<u64>> =
            if product { None } else { (0..count).map(|o| oracle(op, lanes(o), sums[o].as_ref())).collect() };
        for simd in Simd::available() {
            let label = format!("{op} {} {:?} {:?} over {axes:?} {simd:?}", T::DTYPE, view.shape(), view.strides());
            let got = values(&plan, &input, simd);
            let partials = partials(&plan, std::slice::from_ref(&input), simd, &Control::new()).unwrap();
            let by_partials = plan.finish(&partials);
            if product {
                let (got, by_partials) = (got.unwrap(), by_partials.unwrap());
                assert_eq!(encode(&got), encode(&by_partials), "{label}");
                for (o, &got) in encode(&got).iter().enumerate() {
                    check_product(lanes(o), got, &label);
                }
                continue;
            }
            match &expected {
                Some(expected) => {
                    assert_eq!(&encode(&got.unwrap()), expected, "{label}");
                    assert_eq!(&encode(&by_partials.unwrap()), expected, "{label}");
                }
                None => {
                    let overflow = Error::Overflow { op: op.name(), out_dtype: plan.out_dtype };
                    assert_eq!((got.unwrap_err(), by_partials.unwrap_err()), (overflow.clone(), overflow), "{label}");
                }
            }
        }
    }
}

/// A float product against exact integers: significands and exponents apart.
fn check_product<T: Sample>(values: &[T], got: u64, label: &str) {
    let got = if T::DTYPE == Dtype::F32 { f64::from(f32::from_bits(got as u32)) } else { f64::from_bits(got) };
    let naive: f64 = values.iter().map(|x| x.float()).map(|x| if x.is_finite() && x != 0.0 { x.signum() } else { x }).product();
    if naive.is_nan() || naive == 0.0 || naive.is_infinite() {
        return assert_eq!(got.is_nan(), naive.is_nan(), "{label} {got} {naive}");
    }
    let log: f64 = values.iter().map(|x| x.float().abs().log2()).sum();
    let (least, most) = if T::DTYPE == Dtype::F32 { (-149.0, 128.0) } else { (-1074.0, 1024.0) };
    let slack = 1e-9 + log.abs().max(1.0) * values.len() as f64 * f64::EPSILON * 4.0;
    assert_eq!(got.is_sign_negative(), naive < 0.0, "{label}");
    if log > most + slack {
        assert!(got.is_infinite(), "{label} {got} 2^{log}");
    } else if log < least - 1.0 - slack {
        assert_eq!(got, 0.0, "{label} 2^{log}");
    } else if log > least + 60.0 && log < most - slack {
        let error = if T::DTYPE == Dtype::F32 { 2e-7 } else { 0.0 };
        assert!((got.abs().log2() - log).abs() <= slack + error, "{label} {got} 2^{log}");
    }
}

fn array<T: Sample>(shape: &[usize], kind: usize, seed: u64) -> ArrayD<T> {
    let mut state = seed;
    ArrayD::from_shape_simple_fn(IxDyn(shape), || T::sample(&mut state, kind))
}

fn on_threads<R>(threads: usize, f: impl FnOnce() -> R) -> R {
    crate::cpu::tasks::Crew::new(threads).unwrap().install(f)
}

macro_rules! for_all_dtypes {
    ($f:ident($($arg:expr),*)) => {{
        $f::<bool>($($arg),*); $f::<u8>($($arg),*); $f::<i8>($($arg),*); $f::<u16>($($arg),*); $f::<i16>($($arg),*);
        $f::<u32>($($arg),*); $f::<i32>($($arg),*); $f::<u64>($($arg),*); $f::<i64>($($arg),*);
        $f::<f32>($($arg),*); $f::<f64>($($arg),*);
    }};
}

/// With samples of each kind; of integers, the last two are the same.
macro_rules! for_all_kinds {
    ($f:ident) => {{
        for kind in 0..2 {
            for_all_dtypes!($f(kind));
        }
        $f::<bool>(2);
        $f::<f32>(2);
        $f::<f64>(2);
    }};
}

#[test]
fn all_axis_sets_of_all_views_agree_with_the_oracle() {
    fn views<T: Sample>(kind: usize) {
        let a = array::<T>(&[3, 35, 49], kind, 7);
        let steps = |steps: [isize; 3]| a.slice_each_axis(|ax| Slice::new(0, None, steps[ax.axis.index()]));
        let row = array::<T>(&[1, 37, 1], kind, 8);
        let views = [
            a.view(),
            a.view().permuted_axes(IxDyn(&[2, 0, 1])),
            a.view().permuted_axes(IxDyn(&[1, 2, 0])),
            steps([-1, 2, 3]),
            steps([1, -3, -1]),
            row.broadcast(IxDyn(&[3, 37, 40])).unwrap(),
        ];
        for view in &views {
            for axes in [&[0][..], &[1], &[2], &[0, 1], &[0, 2], &[1, 2], &[0, 1, 2], &[]] {
                check(view, axes);
            }
        }
    }
    on_threads(2, || for_all_kinds!(views));
}

#[test]
fn awkward_lengths_agree_with_the_oracle() {
    fn lengths<T: Sample>(kind: usize) {
        for n in [0, 1, 2, 15, 16, 17, 31, 47, 48, 257, 1023, 1024, 1025, 4095, 4096, 4097, 8191, 8193, 20_011] {
            let a = array::<T>(&[n], kind, n as u64);
            check(&a.view(), &[0]);
            check(&a.slice_each_axis(|_| Slice::new(0, None, -1)), &[0]);
        }
        for shape in [[0, 3], [3, 0], [1, 1], [300, 2], [2, 300], [31, 600], [700, 33], [1100, 7]] {
            let a = array::<T>(&shape, kind, 3);
            check(&a.view(), &[0]);
            check(&a.view(), &[1]);
        }
    }
    on_threads(2, || for_all_kinds!(lengths));
}

#[test]
fn bits_do_not_depend_on_threads_levels_or_layout() {
    fn one<T: Sample>() {
        let a = array::<T>(&[300_007], 2, 11);
        let b = array::<T>(&[3, 140_000], 0, 12);
        let columns = b.view().permuted_axes(IxDyn(&[1, 0])).as_standard_layout().into_owned();
        for op in ReduceOp::ALL {
            let Ok(plan) = ReducePlan::new(&Reduce::of(op), T::DTYPE, a.shape()) else { continue };
            let rows = ReducePlan::new(&Reduce::of(op).axes(&[1]), T::DTYPE, b.shape()).unwrap();
            let down = ReducePlan::new(&Reduce::of(op).axes(&[0]), T::DTYPE, columns.shape()).unwrap();
            let (mut first, mut first_rows) = (None, None);
            for threads in [1, 2, 5] {
                for simd in Simd::available() {
                    on_threads(threads, || {
                        let show = |r: Result<HostVec>| r.map(|v| encode(&v));
                        let got = show(values(&plan, &View::from_ndarray(a.view()), simd));
                        assert_eq!(got, *first.get_or_insert(got.clone()), "{op} {} {threads} {simd:?}", T::DTYPE);
                        let got = show(values(&rows, &View::from_ndarray(b.view()), simd));
                        assert_eq!(got, *first_rows.get_or_insert(got.clone()), "{op} {} {threads} {simd:?}", T::DTYPE);
                        let got = show(values(&down, &View::from_ndarray(columns.view()), simd));
                        assert_eq!(got, *first_rows.get_or_insert(got.clone()), "{op} {} {threads} {simd:?}", T::DTYPE);
                    });
                }
            }
        }
    }
    for_all_dtypes!(one());
}

#[test]
fn parts_merge_to_the_whole() {
    fn one<T: Sample>() {
        let a = array::<T>(&[40, 50, 3], 1, 5);
        let view = View::from_ndarray(a.view());
        for op in ReduceOp::ALL {
            let Ok(plan) = ReducePlan::new(&Reduce::of(op).axes(&[1, 2]), T::DTYPE, a.shape()) else { continue };
            let simd = Simd::current();
            let whole = partials(&plan, std::slice::from_ref(&view), simd, &Control::new()).unwrap();
            let mut merged = plan.empty_partials();
            for range in [0..17, 17..17, 17..50] {
                let part = plan.narrow(1, range.clone());
                let piece = partials(&part, &[view.clone().narrow(1, range.clone())], simd, &Control::new()).unwrap();
                merged.merge(&piece, op, plan.index_offset(range.start)).unwrap();
            }
            if !(op == ReduceOp::Product && T::DTYPE.is_float()) {
                assert_eq!(merged, whole, "{op} {}", T::DTYPE);
            }
        }
    }
    for_all_dtypes!(one());
}

#[test]
fn results_go_where_they_are_wanted() {
    let a = array::<i32>(&[4, 6], 2, 1);
    let plan = ReducePlan::new(&Reduce::sum().axes(&[1]), Dtype::I32, a.shape()).unwrap();
    let view = View::from_ndarray(a.view());
    let expected: Vec<i64> = a.outer_iter().map(|row| row.iter().map(|&x| i64::from(x)).sum()).collect();
    let mut out = ndarray::Array1::<i64>::zeros(8);
    let window = out.slice_mut(ndarray::s![..;-2]);
    let target = Target::Host(ViewMut::from_ndarray(window));
    assert!(run(&plan, std::slice::from_ref(&view), target, Simd::current(), &Control::new()).unwrap().is_none());
    assert_eq!(out.slice(ndarray::s![..;-2]).to_vec(), expected);

    let reuse = std::sync::Arc::new(HostVec::I64(vec![7; 4]));
    let HostVec::I64(vec) = &*reuse else { unreachable!() };
    let address = vec.as_ptr();
    let target = Target::Device(Some(Storage::Host(reuse)));
    let Some(Storage::Host(vec)) = run(&plan, std::slice::from_ref(&view), target, Simd::current(), &Control::new()).unwrap()
    else {
        panic!()
    };
    let HostVec::I64(vec) = &*vec else { panic!() };
    assert_eq!((vec, vec.as_ptr()), (&expected, address));

    let mut wrong = [0i64; 3];
    let target = Target::Host(ViewMut::from_slice(&mut wrong));
    let error = run(&plan, std::slice::from_ref(&view), target, Simd::current(), &Control::new()).unwrap_err();
    assert_eq!(error.to_string(), "output shape: got [3], expected [4]");
    let control = Control::new();
    control.cancel();
    let error = run(&plan, &[view], Target::Device(None), Simd::current(), &control).unwrap_err();
    assert!(matches!(error, Error::Cancelled { .. }));
}
