//! Reductions on every adapter present, against element-by-element loops and exact rational arithmetic.

use ndarray::{Array, ArrayD, ArrayViewD, Axis, IxDyn, ShapeBuilder, Slice};
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{Signed, ToPrimitive, Zero};

use crate::dtype::with_dtype;
use crate::engine::{Engine, Input, Target};
use crate::gpu::tests::engines;
use crate::gpu::{GpuBuffer, GpuEngine};
use crate::plan::{FloatProduct, IntegerProduct, Ordered, Partials, Reduce, ReducePlan, first_extreme};
use crate::view::View;
use crate::{Control, Dtype, Error, ExactSum, HostVec, Real, ReduceOp, Storage};

mod pairs;

/// A small generator of test data.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// What the loops below need of an element.
trait Sample: Real + Ordered {
    fn sample(noise: &mut Noise) -> Self;
    fn float(self) -> f64;
    fn integer(self) -> i128;
    fn nonzero(self) -> bool;
}

macro_rules! samples {
    ($($T:ty: $noise:ident => $sample:expr, $x:ident => $integer:expr, $nonzero:expr;)*) => {$(impl Sample for $T {
        fn sample($noise: &mut Noise) -> Self { $sample }
        fn float(self) -> f64 { let $x = self; $integer as f64 }
        fn integer(self) -> i128 { let $x = self; $integer as i128 }
        fn nonzero(self) -> bool { let $x = self; $nonzero }
    })*};
}
samples! {
    bool: n => n.next() & 3 != 0, x => x as u8, x;
    u8: n => n.next() as u8, x => x, x != 0;
    i8: n => n.next() as i8, x => x, x != 0;
    u16: n => n.next() as u16, x => x, x != 0;
    i16: n => n.next() as i16, x => x, x != 0;
    u32: n => n.next() as u32, x => x, x != 0;
    i32: n => n.next() as i32, x => x, x != 0;
    u64: n => n.next() >> (n.next() & 63), x => x, x != 0;
    i64: n => n.next() as i64 >> (n.next() & 63), x => x, x != 0;
    f32: n => finite32(n.next() as u32), x => x, x != 0.0;
    f64: n => finite64(n.next()), x => x, x != 0.0;
}

fn finite32(bits: u32) -> f32 {
    let x = f32::from_bits(bits);
    if x.is_finite() { x } else { f32::from_bits(bits & 0x80ff_ffff) }
}

fn finite64(bits: u64) -> f64 {
    let x = f64::from_bits(bits);
    if x.is_finite() { x } else { f64::from_bits(bits & 0x800f_ffff_ffff_ffff) }
}

/// Real by element, in the words of the documentation.
fn naive<T: Sample>(plan: &ReducePlan, view: ArrayViewD<'_, T>) -> Partials {
    let mut partials = plan.empty_partials();
    let mut seen = vec![0u64; plan.out_len()];
    let smaller = matches!(plan.op, ReduceOp::Min | ReduceOp::ArgMin);
    for (at, &x) in view.indexed_iter() {
        let i = plan.kept.iter().fold(0, |i, &axis| i * plan.input[axis] + at[axis]);
        match &mut partials {
            Partials::Float(out) => out[i].push(x.float()),
            Partials::Integer(out) => out[i] += x.integer(),
            Partials::IntegerProduct(out) => out[i].push(x.integer()),
            Partials::FloatProduct(out) => out[i].push(x.float()),
            Partials::Extreme(out) => {
                let key = x.extreme_key(smaller);
                out[i] = Some(out[i].map_or(key, |old| if smaller { old.min(key) } else { old.max(key) }));
            }
            Partials::Arg(out) => {
                let new = (x.arg_key(smaller), seen[i]);
                out[i] = Some(out[i].map_or(new, |old| first_extreme(old, new, smaller)));
            }
            Partials::Count(out) => out[i] += u64::from(x.nonzero()),
            _ => unreachable!(),
        }
        seen[i] += 1;
    }
    partials
}

/// Equal bits; products of floats within their bound for `n` factors.
fn same(a: &Partials, b: &Partials, n: usize) -> bool {
    match (a, b) {
        (Partials::FloatProduct(a), Partials::FloatProduct(b)) => a.iter().zip(b).all(|(a, b)| near(a, b, n)),
        (Partials::IntegerProduct(a), Partials::IntegerProduct(b)) => {
            a.iter().zip(b).all(|(a, b)| IntegerProduct::value(a) == IntegerProduct::value(b))
        }
        _ => a == b,
    }
}

fn near(a: &FloatProduct, b: &FloatProduct, n: usize) -> bool {
    if a.mantissa.is_nan() || b.mantissa.is_nan() {
        return a.mantissa.is_nan() && b.mantissa.is_nan();
    }
    if a.mantissa == 0.0 || b.mantissa == 0.0 || a.mantissa.is_infinite() || b.mantissa.is_infinite() {
        return a.mantissa.to_bits() == b.mantissa.to_bits();
    }
    let shift = (a.exponent - b.exponent).clamp(-4, 4) as i32;
    (a.mantissa * 2f64.powi(shift) / b.mantissa - 1.0).abs() <= 2.0 * (n as f64 + 1.0) * f64::EPSILON
}

fn bits(vec: &HostVec) -> Vec<u8> {
    vec.view(&[vec.len()]).as_bytes().unwrap().to_vec()
}

fn upload(engine: &GpuEngine, view: &View<'_>) -> GpuBuffer {
    match engine.upload(view).unwrap() {
        Storage::Gpu(buffer) => buffer,
        _ => panic!("not on the device"),
    }
}

fn download(storage: Option<Storage>, plan: &ReducePlan) -> HostVec {
    let Some(Storage::Gpu(buffer)) = storage else { panic!("not on the device") };
    let mut vec = HostVec::zeros(plan.out_dtype, plan.out_len()).unwrap();
    buffer.download(vec.view_mut(&plan.shape)).unwrap();
    vec
}

/// Partials and final values, of host and resident input, against the loops.
fn check<T: Sample>(engine: &GpuEngine, op: ReduceOp, axes: Option<&[isize]>, array: &ArrayViewD<'_, T>, resident: bool) {
    let how = Reduce { axes: axes.map(<[isize]>::to_vec), ..Reduce::of(op) };
    let Ok(plan) = ReducePlan::new(&how, T::DTYPE, array.shape()) else {
        assert!(!op.has_identity() && array.is_empty());
        return;
    };
    let expected = naive(&plan, array.view());
    let what = || format!("{} {op} {} {:?} over {axes:?}, resident {resident}", engine.info().id, T::DTYPE, array.shape());
    let view = View::from_ndarray(array.view());
    let buffer = resident.then(|| upload(engine, &view));
    let input = [match &buffer {
        Some(buffer) => Input::Gpu { buffer, dtype: T::DTYPE, shape: array.shape() },
        None => Input::Host(view),
    }];
    let control = Control::new();
    let got = engine.reduce_partials(&plan, &input, &control).unwrap();
    assert!(same(&got, &expected, plan.reduce_len()), "{}: got {got:?}, expected {expected:?}", what());
    assert_eq!(control.progress().done, plan.work(), "{}", what());
    let got = engine.reduce(&plan, &input, Target::Device(None), &Control::new());
    match (got, plan.finish(&expected)) {
        (Ok(got), Ok(wanted)) => {
            let got = download(got, &plan);
            if T::DTYPE.is_float() && op == ReduceOp::Product {
                let product = |vec: &HostVec| -> Vec<f64> {
                    match vec {
                        HostVec::F32(vec) => vec.iter().map(|&x| f64::from(x)).collect(),
                        HostVec::F64(vec) => vec.clone(),
                        _ => panic!("not floats"),
                    }
                };
                let unit = if T::DTYPE == Dtype::F32 { f64::from(f32::EPSILON) } else { 0.0 };
                let least = if T::DTYPE == Dtype::F32 { f64::from(f32::from_bits(1)) } else { f64::from_bits(1) };
                let bound = 2.0 * (plan.reduce_len() as f64 + 1.0) * f64::EPSILON + unit;
                for (got, wanted) in product(&got).into_iter().zip(product(&wanted)) {
                    let close = (got - wanted).abs() <= wanted.abs() * bound + least;
                    assert!(close || got.to_bits() == wanted.to_bits(), "{}: {got:e}, expected {wanted:e}", what());
                }
            } else {
                assert_eq!(bits(&got), bits(&wanted), "{}: {got:?}, expected {wanted:?}", what());
            }
        }
        (Err(got), Err(wanted)) => assert_eq!(got, wanted, "{}", what()),
        (got, wanted) => panic!("{}: got {got:?}, expected {wanted:?}", what()),
    }
}

fn random<T: Sample>(shape: &[usize], seed: u64) -> ArrayD<T> {
    let mut noise = Noise(seed);
    Array::from_shape_simple_fn(IxDyn(shape), || T::sample(&mut noise))
}

const AXES: [&[isize]; 8] = [&[], &[0], &[1], &[2], &[0, 1], &[0, 2], &[1, 2], &[0, 1, 2]];

#[test]
fn every_reduction_of_every_dtype_over_every_axis_set() {
    let shapes: [&[usize]; 3] = [&[3, 7, 5], &[2, 1, 16_411], &[257, 3, 2]];
    for engine in engines() {
        for op in super::source::OPS.into_iter().take(10) {
            for dtype in Dtype::ALL {
                with_dtype!(dtype, T => for (i, shape) in shapes.iter().enumerate() {
                    let array = random::<T>(shape, 7 * i as u64);
                    // All axis sets of the first shape, the typical ones of the others.
                    for axes in AXES.into_iter().filter(|axes| i == 0 || (axes.len() == 1 && axes[0] != 1)) {
                        check(&engine, op, Some(axes), &array.view(), i == 1);
                    }
                });
            }
        }
    }
}

#[test]
fn awkward_lengths() {
    let lengths = [1, 2, 3, 17, 255, 256, 257, 1023, 1024, 1025, 4099, 16_389, 70_001];
    for engine in engines() {
        for op in [ReduceOp::Sum, ReduceOp::ArgMax, ReduceOp::CountNonzero] {
            for dtype in [Dtype::U8, Dtype::I16, Dtype::F32, Dtype::F64] {
                with_dtype!(dtype, T => for length in lengths {
                    let array = random::<T>(&[length], length as u64);
                    check(&engine, op, None, &array.view(), true);
                    check(&engine, op, Some(&[1]), &random::<T>(&[3, length], 1).view(), true);
                    check(&engine, op, Some(&[0]), &random::<T>(&[length, 3], 2).view(), false);
                });
            }
        }
    }
}

#[test]
fn empty_arrays() {
    for engine in engines() {
        for op in super::source::OPS.into_iter().take(10) {
            for shape in [[0, 3], [3, 0]] {
                for axes in [&[0isize][..], &[1], &[0, 1], &[]] {
                    check(&engine, op, Some(axes), &ArrayD::<f32>::zeros(IxDyn(&shape)).view(), true);
                    check(&engine, op, Some(axes), &ArrayD::<i16>::zeros(IxDyn(&shape)).view(), false);
                }
            }
        }
        check(&engine, ReduceOp::Mean, None, &ArrayD::from_elem(IxDyn(&[]), 2.5f64).view(), false);
    }
}

#[test]
fn views_of_any_stride() {
    let array = random::<f64>(&[20, 30, 40], 3);
    let mut view = array.view().permuted_axes(vec![2, 0, 1]);
    view.slice_axis_inplace(Axis(0), Slice::new(3, None, -2));
    view.slice_axis_inplace(Axis(1), Slice::new(1, Some(17), 3));
    let fortran = Array::from_shape_fn((31, 33).f(), |(i, j)| (i * 100 + j) as u32).into_dyn();
    for engine in engines() {
        for axes in AXES {
            check(&engine, ReduceOp::Sum, Some(axes), &view, false);
            check(&engine, ReduceOp::ArgMin, Some(axes), &view, false);
        }
        check(&engine, ReduceOp::ArgMax, None, &fortran.view(), false);
        check(&engine, ReduceOp::Mean, Some(&[0]), &fortran.view(), false);
    }
}

/// More merged axes than a shader takes.
#[test]
fn many_alternating_axes() {
    let array = random::<i32>(&[2, 3, 2, 2, 3, 2, 2, 2, 3, 2, 2], 5);
    for engine in engines() {
        for resident in [false, true] {
            check(&engine, ReduceOp::Sum, Some(&[0, 2, 4, 6, 8, 10]), &array.view(), resident);
            check(&engine, ReduceOp::ArgMax, Some(&[1, 3, 5, 7, 9]), &array.view(), resident);
        }
    }
}

fn float_cases() -> Vec<Vec<f64>> {
    let (inf, nan, tiny) = (f64::INFINITY, f64::NAN, f64::from_bits(1));
    let mut noise = Noise(9);
    let mut cases = vec![
        vec![-0.0],
        vec![-0.0; 300],
        vec![-0.0, 0.0],
        vec![0.0, -0.0, 0.0],
        vec![1.0, -1.0],
        vec![tiny; 5],
        vec![tiny, -tiny],
        vec![-tiny, -tiny, -tiny],
        vec![f64::MIN_POSITIVE, -tiny],
        vec![f64::MAX, f64::MAX],
        vec![f64::MAX, f64::MAX, -f64::MAX],
        vec![-f64::MAX; 7],
        vec![f64::MAX, 2f64.powi(969)],
        vec![f64::MAX, 2f64.powi(970)],
        vec![1e100, 1.0, -1e100],
        vec![1.0, 2f64.powi(-53)],
        vec![1.0, 2f64.powi(-53), tiny],
        vec![1.0 + f64::EPSILON, 2f64.powi(-53)],
        vec![-1.0, 2f64.powi(-54), -tiny],
        vec![f64::from(f32::MAX), 2f64.powi(103)],
        vec![2f64.powi(-149), 2f64.powi(-149), -2f64.powi(-126)],
        vec![inf, 1.0],
        vec![-inf, f64::MAX],
        vec![inf, -inf],
        vec![nan, 1.0],
        vec![inf, nan],
        vec![0.0, inf],
        vec![1.0, nan, -2.0, nan],
        vec![f64::from_bits(0xfff8_0000_0000_1234), 3.0],
        vec![f64::from_bits(0x7ff0_0000_0000_0001)],
        vec![0.0, -0.0],
        vec![1.5, -0.0],
    ];
    cases.push((0..600).map(|_| finite64(noise.next())).collect());
    // A sum and its negative, interleaved at random, and what is left.
    let mut pairs: Vec<f64> = (0..400).map(|_| finite64(noise.next())).flat_map(|x| [x, -x]).collect();
    pairs.push(3.0e-320);
    pairs.sort_by_key(|x| x.to_bits().wrapping_mul(0x9E37_79B9_7F4A_7C15));
    cases.push(pairs);
    // Carries across all digits.
    cases.push((0..2046).map(|e| f64::from_bits((e << 52) | 0xf_ffff_ffff_ffff)).collect());
    cases.push((0..2046).map(|e| -f64::from_bits((e << 52) | 0xf_ffff_ffff_ffff)).collect());
    cases
}

#[test]
fn floats_of_every_kind() {
    for engine in engines() {
        for case in float_cases() {
            let wide = ArrayD::from_shape_vec(IxDyn(&[case.len()]), case.clone()).unwrap();
            let narrow = wide.map(|&x| x as f32);
            let ops: &[ReduceOp] =
                if case.len() < 10 { &super::source::OPS[..10] } else { &[ReduceOp::Sum, ReduceOp::Mean, ReduceOp::Product] };
            for &op in ops {
                check(&engine, op, None, &wide.view(), false);
                check(&engine, op, None, &narrow.view(), false);
            }
        }
    }
}

/// The nearest f64 to a rational, ties to even, by bisection on the ordered bits.
fn nearest(x: &BigRational) -> f64 {
    if x.is_zero() {
        return 0.0;
    }
    let exact = |bits: u64| BigRational::from_float(f64::from_bits(bits)).unwrap();
    let magnitude = x.abs();
    let (mut low, mut high) = (0u64, f64::MAX.to_bits());
    assert!(magnitude <= exact(high));
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if exact(middle) <= magnitude { low = middle } else { high = middle }
    }
    let (below, above) = (&magnitude - exact(low), exact(high) - &magnitude);
    let bits = if below < above || (below == above && low % 2 == 0) { low } else { high };
    f64::from_bits(bits) * x.signum().to_f64().unwrap()
}

#[test]
fn sums_and_means_are_the_nearest_to_the_exact_ones() {
    let mut noise = Noise(77);
    for engine in engines() {
        for (len, spread) in [(3, 4), (1000, 60), (5001, 1000), (777, 2000)] {
            let values: Vec<f64> = (0..len)
                .map(|_| {
                    let bits = noise.next();
                    let exponent = (1023 - spread / 2 + (bits >> 52) % spread).clamp(0, 2040);
                    f64::from_bits(bits & 0x800f_ffff_ffff_ffff | exponent << 52)
                })
                .collect();
            let sum: BigRational = values.iter().map(|&x| BigRational::from_float(x).unwrap()).sum();
            let mean = &sum / BigRational::from_integer(BigInt::from(len));
            for (op, wanted) in [(ReduceOp::Sum, &sum), (ReduceOp::Mean, &mean)] {
                let plan = ReducePlan::new(&Reduce::of(op), Dtype::F64, &[len]).unwrap();
                let input = [Input::Host(View::from_slice(&values))];
                let got = download(engine.reduce(&plan, &input, Target::Device(None), &Control::new()).unwrap(), &plan);
                assert_eq!(got, HostVec::F64(vec![nearest(wanted)]), "{op} of {len}");
            }
        }
        let values: Vec<i64> = (0..3001).map(|_| noise.next() as i64).collect();
        let plan = ReducePlan::new(&Reduce::of(ReduceOp::Mean), Dtype::I64, &[values.len()]).unwrap();
        let sum: BigInt = values.iter().copied().map(BigInt::from).sum();
        let wanted = nearest(&BigRational::new(sum, BigInt::from(values.len())));
        let input = [Input::Host(View::from_slice(&values))];
        let got = download(engine.reduce(&plan, &input, Target::Device(None), &Control::new()).unwrap(), &plan);
        assert_eq!(got, HostVec::F64(vec![wanted]));
    }
}

#[test]
fn integers_that_do_not_fit_are_errors() {
    let array = |values: &[i64]| ArrayD::from_shape_vec(IxDyn(&[values.len()]), values.to_vec()).unwrap();
    for engine in engines() {
        for values in [
            vec![i64::MAX, 1],
            vec![i64::MIN, -1],
            vec![i64::MAX, 1, -1],
            vec![i64::MIN, i64::MIN, i64::MAX, i64::MAX, 2],
            vec![1 << 32, 1 << 31],
            vec![1 << 32, -(1 << 31)],
            vec![1 << 32, 1 << 31, -1],
            vec![i64::MIN, i64::MIN, i64::MIN],
            vec![i64::MAX, i64::MAX, i64::MAX, 0],
            vec![3; 39],
            vec![3; 40],
            vec![-1; 1001],
            vec![i64::MIN],
            vec![1, 1, 1],
        ] {
            check(&engine, ReduceOp::Sum, None, &array(&values).view(), false);
            check(&engine, ReduceOp::Product, None, &array(&values).view(), false);
            check(&engine, ReduceOp::Product, None, &array(&values).map(|&x| x as u64).view(), false);
            check(&engine, ReduceOp::Sum, None, &array(&values).map(|&x| x as u64).view(), false);
        }
        let plan = ReducePlan::new(&Reduce::of(ReduceOp::Sum), Dtype::I64, &[2]).unwrap();
        let values = [i64::MAX, 1];
        let error = engine.reduce(&plan, &[Input::Host(View::from_slice(&values))], Target::Device(None), &Control::new());
        assert_eq!(error.unwrap_err(), Error::Overflow { op: "sum", out_dtype: Dtype::I64 });
    }
}

/// Millions of elements: several uploads, several workgroups per result; only the result comes back.
#[test]
fn large_inputs_move_once_and_only_results_return() {
    let len = 5_000_011;
    let mut noise = Noise(11);
    let values: Vec<f32> = (0..len).map(|_| (noise.next() as i32 as f32) * 2f32.powi((noise.next() % 60) as i32 - 30)).collect();
    let mut sum = ExactSum::new();
    sum.extend_f32(&values);
    for engine in engines() {
        let plan = ReducePlan::new(&Reduce::of(ReduceOp::Sum), Dtype::F32, &[len]).unwrap();
        let before = engine.counters();
        let mut out = [0f32];
        let target = Target::Host(crate::view::ViewMut::from_slice(&mut out));
        let plan0 = ReducePlan { shape: vec![1], ..plan.clone() };
        assert!(engine.reduce(&plan0, &[Input::Host(View::from_slice(&values))], target, &Control::new()).unwrap().is_none());
        let after = engine.counters();
        assert_eq!(out[0].to_bits(), sum.to_f32().to_bits());
        assert_eq!(after.uploaded - before.uploaded, 4 * len as u64);
        assert_eq!(after.downloaded - before.downloaded, 4);
        assert!(after.dispatches > before.dispatches);
        let buffer = upload(&engine, &View::from_slice(&values));
        let input = [Input::Gpu { buffer: &buffer, dtype: Dtype::F32, shape: &[len] }];
        let before = engine.counters();
        let got = engine.reduce_partials(&plan, &input, &Control::new()).unwrap();
        assert_eq!(got, Partials::Float(vec![sum.clone()]));
        let after = engine.counters();
        assert_eq!(after.uploaded, before.uploaded);
        assert!(after.downloaded - before.downloaded < 1000);
    }
}

/// A resident array of several segments, cut at no border of the axes, and a 64-bit extreme in the last one.
#[test]
fn arrays_beyond_a_binding() {
    for engine in engines() {
        let context = engine.context().unwrap();
        let most = context.max_block() as usize;
        if most > 256 << 20 {
            continue;
        }
        let rows = most / 1001 + 3;
        let mut values = vec![1u8; rows * 1001];
        let last = values.len() - 5;
        values[last] = 200;
        values[most - 1] = 7;
        let buffer = upload(&engine, &View::from_slice(&values));
        assert!(buffer.segments().len() > 1);
        let run = |op, axes: Option<&[isize]>, resident: bool| {
            let how = Reduce { axes: axes.map(<[isize]>::to_vec), ..Reduce::of(op) };
            let plan = ReducePlan::new(&how, Dtype::U8, &[rows, 1001]).unwrap();
            let shaped = ArrayViewD::from_shape(IxDyn(&[rows, 1001]), &values).unwrap();
            let input = match resident {
                true => Input::Gpu { buffer: &buffer, dtype: Dtype::U8, shape: &[rows, 1001] },
                false => Input::Host(View::from_ndarray(shaped)),
            };
            download(engine.reduce(&plan, &[input], Target::Device(None), &Control::new()).unwrap(), &plan)
        };
        let total = (values.len() + 199 + 6) as u64;
        assert_eq!(run(ReduceOp::Sum, None, true), HostVec::U64(vec![total]));
        assert_eq!(run(ReduceOp::Sum, None, false), HostVec::U64(vec![total]));
        assert_eq!(run(ReduceOp::ArgMax, None, true), HostVec::U64(vec![last as u64]));
        let mut rows_wanted = vec![1001u64; rows];
        rows_wanted[(most - 1) / 1001] += 6;
        rows_wanted[last / 1001] += 199;
        assert_eq!(run(ReduceOp::Sum, Some(&[1]), true), HostVec::U64(rows_wanted));
        let mut wanted = vec![1u8; 1001];
        wanted[last % 1001] = 200;
        wanted[(most - 1) % 1001] = 7;
        assert_eq!(run(ReduceOp::Max, Some(&[0]), true), HostVec::U8(wanted));
    }
}

#[test]
fn cancelled_work_stops() {
    for engine in engines() {
        let control = Control::new();
        control.cancel();
        let plan = ReducePlan::new(&Reduce::of(ReduceOp::Sum), Dtype::U8, &[10]).unwrap();
        let values = [1u8; 10];
        let got = engine.reduce(&plan, &[Input::Host(View::from_slice(&values))], Target::Device(None), &control);
        assert!(matches!(got, Err(Error::Cancelled { .. })), "{got:?}");
    }
}

/// Several reduced axes, the innermost among them: workgroups share results that lie in pieces.
#[test]
fn long_reductions_over_split_axes() {
    for engine in engines() {
        for op in [ReduceOp::Sum, ReduceOp::ArgMin, ReduceOp::Product, ReduceOp::Max] {
            check(&engine, op, Some(&[0, 2]), &random::<f64>(&[130, 2, 257], 1).view(), true);
            check(&engine, op, Some(&[0, 2]), &random::<i16>(&[130, 3, 259], 2).view(), true);
            check(&engine, op, Some(&[0, 2]), &random::<f32>(&[9, 2, 4099], 3).view(), false);
        }
    }
}

/// Elements far into a reduction: their indices need 64 bits.
#[test]
fn indices_beyond_32_bits() {
    use super::decode::States;
    use super::launch::Runner;
    use super::pieces::Source;
    let values = [3i32, 9, -4, 9];
    for engine in engines() {
        let context = engine.context().unwrap();
        // The last elements of a reduction of 2^33 + 1 elements, in segments of which the last one is real.
        let plan = ReducePlan::new(&Reduce::of(ReduceOp::ArgMax), Dtype::I32, &[4]).unwrap();
        let buffer = upload(&engine, &View::from_slice(&values));
        let control = Control::new();
        for base in [0, (1 << 32) - 1, (1 << 32) - 2, (1 << 33) - 3] {
            let mut runner = Runner::new(&context, &plan, &control).unwrap();
            let sources = [Source::Resident(&buffer)];
            let state = runner.reduce_from(&sources, 0..1, base).unwrap();
            let bytes = context.read_small(&state, runner.slot_bytes()).unwrap();
            let words: Vec<u32> = bytes.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect();
            let mut partials = plan.empty_partials();
            States { variant: runner.variant(), words: &words, n: 1 }.decode(&mut partials, 0);
            assert_eq!(partials, Partials::Arg(vec![Some((9i32.arg_key(false), base + 1))]));
        }
    }
}
