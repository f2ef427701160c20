//! `Accuracy::Exact`: every float result is the exact sum of products, rounded once, bit for bit, on every device, for ranks,
//! modes, boundaries, strides and dtypes, and for data made to be hard: cancellation, ties, subnormals, wide ranges,
//! overflow, infinities and NaN.

use std::ops::AddAssign;

use ndarray::{Array, ArrayD, Axis, IxDyn, Slice};
use num_bigint::BigInt;
use num_complex::{Complex32, Complex64};
use num_rational::BigRational;
use unisono::{Accuracy, AsOperand, Backend, Boundary, Convolve, Direction, Dtype, Element, Operand};

use crate::devices::{self, Random};
use crate::oracle;

/// A sum of products: an integer over 2^2148, and the sum of the terms that are not finite.
#[derive(Clone)]
struct Exact {
    units: BigInt,
    special: Option<f64>,
}

impl Exact {
    fn zero() -> Self {
        Self { units: BigInt::ZERO, special: None }
    }

    fn product(a: f64, b: f64) -> Self {
        if !a.is_finite() || !b.is_finite() {
            // Only the sign of the finite factor matters, and whether it is zero.
            let sign = |x: f64| if x == 0.0 || x.is_infinite() || x.is_nan() { x } else { x.signum() };
            return Self { units: BigInt::ZERO, special: Some(sign(a) * sign(b)) };
        }
        let whole = |x: f64| {
            let (bits, sign) = (x.abs().to_bits(), if x < 0.0 { -1 } else { 1 });
            let (field, fraction) = (bits >> 52, bits & ((1 << 52) - 1));
            let magnitude = if field == 0 { BigInt::from(fraction) } else { BigInt::from(fraction + (1 << 52)) << (field - 1) };
            magnitude * sign
        };
        Self { units: whole(a) * whole(b), special: None }
    }

    fn rational(&self) -> BigRational {
        BigRational::new_raw(self.units.clone(), BigInt::from(1) << 2148)
    }

    fn f64(&self) -> f64 {
        match self.special {
            Some(special) if special.is_nan() => f64::NAN,
            Some(special) => special,
            None if self.units == BigInt::ZERO => 0.0,
            None => oracle::to_f64(&self.rational()),
        }
    }

    fn f32(&self) -> f32 {
        match self.special {
            Some(special) if special.is_nan() => f32::NAN,
            Some(special) => special as f32,
            None if self.units == BigInt::ZERO => 0.0,
            None => oracle::to_f32(&self.rational()),
        }
    }
}

impl AddAssign for Exact {
    fn add_assign(&mut self, other: Self) {
        self.units += other.units;
        self.special = match (self.special, other.special) {
            (Some(a), Some(b)) => Some(a + b),
            (a, b) => a.or(b),
        };
    }
}

/// A float type of the operands or the result.
trait Real: Element + Default {
    fn wide(self) -> f64;
    fn rounded(exact: &Exact) -> Self;
    fn of(bits: u64) -> Self;
    fn near(value: f64) -> Self;
    fn pattern(self) -> u64;
}

impl Real for f32 {
    fn wide(self) -> f64 {
        self.into()
    }
    fn rounded(exact: &Exact) -> Self {
        exact.f32()
    }
    fn of(bits: u64) -> Self {
        f32::from_bits(bits as u32)
    }
    fn near(value: f64) -> Self {
        value as f32
    }
    fn pattern(self) -> u64 {
        self.to_bits().into()
    }
}

impl Real for f64 {
    fn wide(self) -> f64 {
        self
    }
    fn rounded(exact: &Exact) -> Self {
        exact.f64()
    }
    fn of(bits: u64) -> Self {
        f64::from_bits(bits)
    }
    fn near(value: f64) -> Self {
        value
    }
    fn pattern(self) -> u64 {
        self.to_bits()
    }
}

/// Kinds of data.
const KINDS: [&str; 12] = [
    "integers",
    "unit",
    "bytes over 255",
    "sparse",
    "decades",
    "wide",
    "any bits",
    "subnormal",
    "large",
    "ties",
    "infinities",
    "everything",
];

fn draw<T: Real>(kind: &str, random: &mut Random) -> T {
    let spread = |random: &mut Random, binades: usize| {
        let exponent = random.below(2 * binades + 1) as i32 - binades as i32;
        T::near(random.unit() * 2f64.powi(exponent))
    };
    let single = size_of::<T>() == 4;
    match kind {
        "integers" => T::near(random.below(1001) as f64 - 500.0),
        "unit" => T::near(random.unit()),
        "bytes over 255" => T::near(T::near(random.below(256) as f64).wide() / 255.0),
        "sparse" if random.below(5) > 0 => T::near(0.0),
        "sparse" => T::near(random.unit()),
        "decades" => spread(random, 30),
        "wide" => spread(random, if single { 70 } else { 500 }),
        "subnormal" => T::of(random.bits() >> if single { 41 } else { 12 + random.below(40) }),
        "large" => T::near(random.unit() * if single { 2f64.powi(127) } else { 2f64.powi(1023) }),
        // Few bits far apart: sums that lie half way between two floats, or just beside.
        "ties" => {
            let digits = if single { 24 } else { 53 };
            let exponent = [0, 0, -digits, -digits - 1, -2 * digits][random.below(5)];
            T::near((1.0 + random.below(4) as f64) * if random.below(2) == 0 { 1.0 } else { -1.0 } * 2f64.powi(exponent))
        }
        "infinities" if random.below(40) == 0 => T::near([f64::INFINITY, f64::NEG_INFINITY, f64::NAN][random.below(3)]),
        "infinities" => T::near(random.unit()),
        "everything" => draw(KINDS[random.below(11)], random),
        _ => loop {
            let value = T::of(random.bits());
            if value.wide().is_finite() {
                return value;
            }
        },
    }
}

const MODES: [&str; 3] = ["full", "same", "valid"];
const RULES: [&str; 5] = ["constant", "reflect", "nearest", "mirror", "wrap"];

struct Case<A, K> {
    name: String,
    how: Convolve,
    direction: Direction,
    rules: Vec<&'static str>,
    mode: &'static str,
    fill: f64,
    image: ArrayD<A>,
    kernel: ArrayD<K>,
    rank: usize,
}

fn case<A: Real, K: Real>(random: &mut Random, round: usize) -> Case<A, K> {
    let rank = 1 + random.below(3);
    let (longest, widest) = ([90, 23, 7][rank - 1], [30, 6, 3][rank - 1]);
    let mode = MODES[random.below(3)];
    let mut image: Vec<usize> = (0..rank).map(|_| 1 + random.below(longest)).collect();
    let kernel: Vec<usize> = (0..rank).map(|_| 1 + random.below(widest)).collect();
    if mode == "valid" {
        image.iter_mut().zip(&kernel).for_each(|(n, k)| *n = (*n).max(*k));
    }
    let kinds = (KINDS[round % KINDS.len()], KINDS[(round / 3 + random.below(4)) % KINDS.len()]);
    let lead = [random.below(3), random.below(9)];
    let with = |shape: &[usize], n: usize| if n == 0 { shape.to_vec() } else { [&[n], shape].concat() };
    let (image, kernel) = (with(&image, lead[0]), with(&kernel, lead[1]));
    let image = Array::from_shape_fn(IxDyn(&image), |_| draw::<A>(kinds.0, random));
    let mut kernel = Array::from_shape_fn(IxDyn(&kernel), |_| draw::<K>(kinds.1, random));
    if random.below(3) == 0 {
        // Antisymmetric: on flat ground everything cancels.
        let n = kernel.len();
        let values: Vec<K> = kernel.iter().copied().collect();
        kernel.iter_mut().zip(values.iter().rev()).take(n / 2).for_each(|(k, v)| *k = K::near(-v.wide()));
    }
    let rules: Vec<_> = (0..rank).map(|_| RULES[random.below(5)]).collect();
    let fill = if mode == "valid" { 0.0 } else { draw::<A>(kinds.0, random).wide() };
    let rule = |&rule: &&str| if rule == "constant" { Boundary::Constant(fill) } else { rule.parse().unwrap() };
    let boundaries: Vec<Boundary> = rules.iter().map(rule).collect();
    let how = Convolve::rank(rank).mode(mode.parse().unwrap()).boundaries(&boundaries).accuracy(Accuracy::Exact);
    let direction = if random.below(2) == 0 { Direction::Convolve } else { Direction::Correlate };
    let rules = if mode == "valid" { vec!["constant"; rank] } else { rules };
    let name = format!("{direction:?} {:?} * {:?} {mode} {rules:?} {kinds:?}", image.shape(), kernel.shape());
    Case { name, how, direction, rules, mode, fill, image, kernel, rank }
}

/// The items of the leading axes.
fn items<T: Clone>(array: &ArrayD<T>, lead: usize) -> Vec<ArrayD<T>> {
    let shape = array.shape()[lead..].to_vec();
    let flat: Vec<T> = array.iter().cloned().collect();
    let item = |chunk: &[T]| ArrayD::from_shape_vec(IxDyn(&shape), chunk.to_vec()).unwrap();
    flat.chunks(shape.iter().product()).map(item).collect()
}

/// The same values in memory of another stride: every axis reversed and spread out by two.
fn scattered<T: Clone + Default>(array: &ArrayD<T>) -> ArrayD<T> {
    let shape: Vec<usize> = array.shape().iter().map(|n| 2 * n).collect();
    let mut spread = ArrayD::from_elem(IxDyn(&shape), T::default());
    let mut window = spread.view_mut();
    for axis in 0..array.ndim() {
        window.slice_axis_inplace(Axis(axis), Slice::new(0, None, -2));
    }
    window.assign(array);
    for axis in 0..array.ndim() {
        spread.slice_axis_inplace(Axis(axis), Slice::new(0, None, -2));
    }
    spread
}

impl<A: Real, K: Real> Case<A, K> {
    fn expected(&self) -> Vec<Exact> {
        let wide = |a: &ArrayD<f64>| items(a, a.ndim() - self.rank);
        let (images, kernels) = (wide(&self.image.mapv(A::wide)), wide(&self.kernel.mapv(K::wide)));
        let mut values = vec![];
        for image in &images {
            for kernel in &kernels {
                let convolve = self.direction == Direction::Convolve;
                let product = |x: &f64, w: &f64| Exact::product(*x, *w);
                let full = oracle::full(image, kernel, &self.rules, &self.fill, convolve, Exact::zero(), product);
                values.extend(oracle::crop(&full, self.mode, image.shape(), kernel.shape()));
            }
        }
        values
    }

    fn run<O: Element>(&self, backend: &Backend) -> unisono::Result<Vec<O>> {
        let how = self.how.clone().out_dtype(O::DTYPE);
        let (image, kernel) = (scattered(&self.image), scattered(&self.kernel));
        let result = match self.direction {
            Direction::Convolve => backend.convolve_dyn(&image.as_operand(), &kernel.as_operand(), &how)?,
            Direction::Correlate => backend.correlate_dyn(&image.as_operand(), &kernel.as_operand(), &how)?,
        };
        result.typed::<O>()?.into_vec()
    }

    fn check<O: Real>(&self, expected: &[Exact]) {
        let expected: Vec<O> = expected.iter().map(O::rounded).collect();
        for backend in devices::all() {
            let name = format!("{backend:?}: {} -> {}", self.name, O::DTYPE);
            let result = self.run::<O>(backend).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(result.len(), expected.len(), "{name}");
            for (i, (got, expected)) in result.iter().zip(&expected).enumerate() {
                let bits = (got.pattern(), expected.pattern());
                assert!(bits.0 == bits.1, "{name}: output {i} is {got:?} ({:x}), not {expected:?} ({:x})", bits.0, bits.1);
            }
        }
    }
}

fn every_output_is_rounded_once<A: Real, K: Real>(seed: u64, rounds: usize) {
    let mut random = Random(seed);
    for round in 0..rounds {
        let case = case::<A, K>(&mut random, round);
        let expected = case.expected();
        case.check::<f32>(&expected);
        case.check::<f64>(&expected);
    }
}

#[test]
fn binary32_is_rounded_once() {
    every_output_is_rounded_once::<f32, f32>(11, 48);
}

#[test]
fn binary64_is_rounded_once() {
    every_output_is_rounded_once::<f64, f64>(12, 48);
}

#[test]
fn mixed_floats_are_rounded_once() {
    every_output_is_rounded_once::<f32, f64>(13, 24);
    every_output_is_rounded_once::<f64, f32>(14, 24);
}

/// An operand of one dtype and a float, results of every dtype: integers are taken exactly, results rounded to nearest even
/// and saturated.
#[test]
fn integers_beside_floats_are_taken_exactly() {
    let mut random = Random(15);
    for kind in &KINDS[..6] {
        let (n, k) = (40 + random.below(9), 1 + random.below(7));
        let floats = Array::from_shape_fn(k, |_| draw::<f32>(kind, &mut random));
        let bytes = Array::from_shape_fn(n, |_| random.bits() as u8);
        let words = Array::from_shape_fn(n, |_| random.bits() as i32);
        let large = Array::from_shape_fn(n, |_| random.bits() as i64);
        let how = Convolve::d1().accuracy(Accuracy::Exact);
        let sums = |value: &dyn Fn(usize) -> BigInt| -> Vec<BigInt> {
            let terms = |i: usize| (0..k).filter(move |&t| i >= t && i - t < n).map(move |t| (i - t, t));
            let term = |(x, t)| value(x) * Exact::product(f64::from(floats[t]), 1.0).units;
            (0..n + k - 1).map(|i| terms(i).map(term).sum()).collect()
        };
        let expected = |units: &BigInt| Exact { units: units.clone(), special: None };
        for backend in devices::all() {
            let name = format!("{backend:?}: {n} * {k}");
            let exact = sums(&|x| bytes[x].into());
            let single = backend.convolve(&bytes, &floats, &how).unwrap().into_vec().unwrap();
            let rounded: Vec<f32> = exact.iter().map(|units| expected(units).f32()).collect();
            assert_eq!(single, rounded, "{name} uint8");
            for dtype in [Dtype::U8, Dtype::I16, Dtype::I32] {
                let how = how.clone().out_dtype(dtype);
                let out = backend.convolve_dyn(&bytes.as_operand(), &floats.as_operand(), &how).unwrap();
                let out: Vec<i64> = match dtype {
                    Dtype::U8 => out.typed::<u8>().unwrap().into_vec().unwrap().into_iter().map(i64::from).collect(),
                    Dtype::I16 => out.typed::<i16>().unwrap().into_vec().unwrap().into_iter().map(i64::from).collect(),
                    _ => out.typed::<i32>().unwrap().into_vec().unwrap().into_iter().map(i64::from).collect(),
                };
                let (lo, hi) = dtype.integer_range().unwrap();
                let nearest = |units: &BigInt| {
                    // Floor of the value and a half; at a tie, the even one of the two.
                    let (one, half) = (BigInt::from(1) << 2148, BigInt::from(1) << 2147);
                    let raised: BigInt = units + &half;
                    let floor: BigInt = &raised >> 2148;
                    let tie = &floor * &one == raised;
                    let even = if tie && floor.bit(0) { floor - 1 } else { floor };
                    even.clamp(lo.into(), hi.into()).try_into().unwrap()
                };
                assert_eq!(out, exact.iter().map(nearest).collect::<Vec<i64>>(), "{name} uint8 -> {dtype}");
            }
            let exact = sums(&|x| words[x].into());
            let double = backend.convolve(&words, &floats, &how).unwrap().into_vec().unwrap();
            assert_eq!(double, exact.iter().map(|units| expected(units).f64()).collect::<Vec<_>>(), "{name} int32");
            let exact = sums(&|x| large[x].into());
            let rounded: Vec<f64> = exact.iter().map(|units| expected(units).f64()).collect();
            let double = backend.convolve(&large, &floats, &how).unwrap().into_vec().unwrap();
            assert_eq!(double, rounded, "{name} int64");
            let double = backend.convolve(&floats, &large, &how).unwrap().into_vec().unwrap();
            assert_eq!(double, rounded, "int64 weights, {name}");
            let unsigned = large.mapv(|x| x as u64);
            let exact = sums(&|x| unsigned[x].into());
            let rounded: Vec<f64> = exact.iter().map(|units| expected(units).f64()).collect();
            let double = backend.convolve(&unsigned, &floats, &how).unwrap().into_vec().unwrap();
            assert_eq!(double, rounded, "{name} uint64");
        }
    }
}

/// An image that lies on the device, of more outputs than a tile.
#[test]
fn residents_give_the_bits_of_the_host() {
    let mut random = Random(16);
    let reference: Backend = "cpu:1".parse().unwrap();
    for kind in ["integers", "unit", "sparse", "wide", "everything"] {
        let image = Array::from_shape_fn(IxDyn(&[150, 333]), |_| draw::<f64>(kind, &mut random));
        let kernel = Array::from_shape_fn(IxDyn(&[3, 5, 4]), |_| draw::<f64>(kind, &mut random));
        let how = Convolve::d2().same().boundary(Boundary::Mirror).accuracy(Accuracy::Exact);
        let expected = reference.convolve(&image, &kernel, &how).unwrap().into_vec().unwrap();
        for backend in devices::all() {
            let resident = backend.upload(&image).unwrap();
            let result = backend.convolve(&resident, &kernel, &how).unwrap().into_vec().unwrap();
            let differs = result.iter().zip(&expected).position(|(a, b)| a.to_bits() != b.to_bits());
            assert_eq!(differs, None, "{backend:?}: {kind}");
        }
    }
}

/// Complex numbers beside 64-bit integers: each part is exact.
#[test]
fn complex_numbers_beside_long_integers_are_exact_by_their_parts() {
    let mut random = Random(17);
    for (dims, kernel) in [(&[2, 23][..], &[2, 3, 4][..]), (&[9, 8], &[3, 2, 2]), (&[2, 4, 9, 8], &[4, 2, 2, 3])] {
        let layer = dims.len() == 4;
        let mut how = if dims.len() == 2 && dims[0] == 2 { Convolve::d1() } else { Convolve::d2() };
        how = how.boundary(Boundary::Constant(0.375)).accuracy(Accuracy::Exact).same();
        how = if layer { how.groups(2).valid().stride(&[2]) } else { how };
        let kernel = if layer { vec![4, 2, 2, 3] } else { kernel.to_vec() };
        let mut complex = |shape: &[usize]| {
            let mut draw = || ArrayD::from_shape_fn(IxDyn(shape), |_| draw::<f32>("wide", &mut random));
            [draw(), draw()]
        };
        let ([re, im], [kre, kim]) = (complex(dims), complex(&kernel));
        let [image, weights] = [dims, &kernel[..]].map(|shape| ArrayD::from_shape_fn(IxDyn(shape), |_| random.bits() as i64));
        let joined = |re: &ArrayD<f32>, im: &ArrayD<f32>| {
            let parts = re.iter().zip(im).map(|(&re, &im)| Complex32::new(re, im)).collect();
            ArrayD::from_shape_vec(re.raw_dim(), parts).unwrap()
        };
        for backend in devices::all() {
            for direction in [Direction::Convolve, Direction::Correlate] {
                let run = |x: &Operand<'_>, k: &Operand<'_>, how: &Convolve| {
                    let done = match direction {
                        Direction::Convolve => backend.convolve_dyn(x, k, how),
                        Direction::Correlate => backend.correlate_dyn(x, k, how),
                    };
                    done.unwrap()
                };
                let part =
                    |x: &Operand<'_>, k: &Operand<'_>, how: &Convolve| run(x, k, how).typed::<f64>().unwrap().into_vec().unwrap();
                // The imaginary part of what lies outside is 0.
                let inside = how.clone().boundary(Boundary::ZERO);
                let both = |re: Vec<f64>, im: Vec<f64>, sign: f64| {
                    re.into_iter().zip(im).map(|(re, im)| Complex64::new(re, sign * im)).collect::<Vec<_>>()
                };
                let found = run(&joined(&re, &im).as_operand(), &weights.as_operand(), &how);
                let expected = both(
                    part(&re.as_operand(), &weights.as_operand(), &how),
                    part(&im.as_operand(), &weights.as_operand(), &inside),
                    1.0,
                );
                assert_eq!(
                    found.typed::<Complex64>().unwrap().into_vec().unwrap(),
                    expected,
                    "{backend:?} {direction:?} {dims:?}"
                );
                let found = run(&image.as_operand(), &joined(&kre, &kim).as_operand(), &inside);
                let expected = both(
                    part(&image.as_operand(), &kre.as_operand(), &inside),
                    part(&image.as_operand(), &kim.as_operand(), &inside),
                    if direction == Direction::Correlate { -1.0 } else { 1.0 },
                );
                assert_eq!(
                    found.typed::<Complex64>().unwrap().into_vec().unwrap(),
                    expected,
                    "{backend:?} {direction:?} {dims:?}"
                );
            }
        }
    }
}
