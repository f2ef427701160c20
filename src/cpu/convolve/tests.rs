//! The CPU's convolution against ten-line loops in exact arithmetic.

mod algorithms;
mod general;
mod windows;

use ndarray::{ArrayD, IxDyn};
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{Signed, ToPrimitive, Zero};

use super::number::Number;
use super::run;
use super::store::{self, Leave};
use crate::cpu::simd::Simd;
use crate::cpu::tasks;
use crate::engine::Target;
use crate::{
    Boundary, Control, Convolve, ConvolvePlan, Direction, Dtype, Element, Error, HostVec, Result, Storage, View, ViewMut,
};

/// A small generator of test values.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let x = self.0 ^ (self.0 >> 29);
        x.wrapping_mul(0x9e3779b97f4a7c15) >> 16
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn between(&mut self, low: i64, high: i64) -> i64 {
        (low as i128 + (self.next() as u128 * (1 << 64) / 3 % (high as i128 - low as i128 + 1) as u128) as i128) as i64
    }
}

/// Index `i` of the extended line, one fold at a time.
fn extend(boundary: Boundary, mut i: isize, n: usize) -> Option<usize> {
    let n = n as isize;
    while !(0..n).contains(&i) {
        i = match boundary {
            Boundary::Constant(_) | Boundary::ConstantComplex(..) => return None,
            Boundary::Nearest => i.signum().max(0) * (n - 1),
            Boundary::Wrap => i - n * i.signum(),
            Boundary::Reflect if i < 0 => -1 - i,
            Boundary::Reflect => 2 * n - 1 - i,
            Boundary::Mirror if n == 1 => 0,
            Boundary::Mirror if i < 0 => -i,
            Boundary::Mirror => 2 * n - 2 - i,
        };
    }
    Some(i as usize)
}

/// All results of the plan, in C order: `fold(acc, x, w)` over the taps in row-major order.
fn oracle<T: Clone, A: Clone>(
    plan: &ConvolvePlan,
    image: &[T],
    kernel: &[T],
    fill: &[T; 3],
    zero: A,
    fold: impl Fn(A, &T, &T) -> A,
) -> Vec<A> {
    let ([d, h, w], [kd, kh, kw], out) = (plan.image, plan.kernel, plan.output);
    let mut results = vec![];
    for image in image.chunks(d * h * w) {
        for kernel in kernel.chunks(kd * kh * kw) {
            for o in 0..out.iter().product() {
                let o = [o / (out[1] * out[2]), o / out[2] % out[1], o % out[2]];
                let mut acc = zero.clone();
                for t in 0..kd * kh * kw {
                    let t = [t / (kh * kw), t / kw % kh, t % kw];
                    let k = if plan.reversed { [kd - 1 - t[0], kh - 1 - t[1], kw - 1 - t[2]] } else { t };
                    let at = |a: usize| extend(plan.boundary[a], (o[a] + t[a]) as isize + plan.start[a], plan.image[a]);
                    let x = match [at(0), at(1), at(2)] {
                        [Some(z), Some(y), Some(x)] => &image[(z * h + y) * w + x],
                        [None, _, _] => &fill[0],
                        [_, None, _] => &fill[1],
                        _ => &fill[2],
                    };
                    acc = fold(acc, x, &kernel[(k[0] * kh + k[1]) * kw + k[2]]);
                }
                results.push(acc);
            }
        }
    }
    results
}

fn crew(threads: usize) -> std::sync::Arc<tasks::Crew> {
    tasks::Crew::new(threads).unwrap()
}

/// The ways of results to memory.
const LEAVES: [Leave; 3] = [Leave::Stored, Leave::Past, Leave::Through];
/// Results of at most so many elements go every way.
const FEW: usize = 200_000;

/// Runs on so many threads and gives the packed result, which must be the same whatever its way to memory.
fn packed(plan: &ConvolvePlan, image: &View<'_>, kernel: &View<'_>, simd: Simd, threads: usize) -> Result<HostVec> {
    let crew = crew(threads);
    let once = || {
        let control = Control::new();
        let storage = run(plan, image.clone(), kernel.clone(), Target::Device(None), simd, &control)?;
        assert_eq!(control.progress().done, plan.work());
        match storage {
            Some(Storage::Host(vec)) => Ok((*vec).clone()),
            _ => panic!("no host storage"),
        }
    };
    let done = crew.install(once)?;
    if plan.outputs() <= FEW {
        for leave in LEAVES {
            let other = crew.install(|| store::asked(leave, once))?;
            let n = [done.len()];
            assert!(other.view(&n).as_bytes() == done.view(&n).as_bytes(), "{leave:?} {simd:?} {plan:?}");
        }
    }
    Ok(done)
}

fn vec_of<T: Element>(vec: HostVec) -> Vec<T> {
    T::from_host(vec).unwrap()
}

/// An array in larger memory: random gaps, some axes backwards.
struct Strided {
    memory: HostVec,
    shape: Vec<usize>,
    strides: Vec<isize>,
    start: usize,
}

impl Strided {
    fn new(random: &mut Random, shape: &[usize], values: &HostVec) -> Self {
        let (mut strides, mut start, mut len) = (vec![0; shape.len()], 0, 1);
        for axis in (0..shape.len()).rev() {
            let (backwards, step) = (random.below(3) == 0, random.pick(&[1, 1, 2, 3]));
            strides[axis] = (len * step) as isize * if backwards { -1 } else { 1 };
            start += if backwards { len * step * (shape[axis] - 1) } else { 0 };
            len *= step * shape[axis];
        }
        let memory = HostVec::zeros(values.dtype(), len).unwrap();
        let mut strided = Self { memory, shape: shape.to_vec(), strides, start };
        let bytes = values.view(shape).as_bytes().unwrap().to_vec();
        strided.view_mut().copy_from_bytes(&bytes);
        strided
    }

    fn view(&self) -> View<'_> {
        let whole = self.memory.view(&[self.memory.len()]);
        let first = whole.as_ptr().wrapping_add(self.start * whole.dtype().size());
        // SAFETY: shape and strides stay inside the memory, by construction.
        unsafe { View::from_raw_parts(whole.dtype(), first, &self.shape, &self.strides) }
    }

    fn view_mut(&mut self) -> ViewMut<'_> {
        let (dtype, len) = (self.memory.dtype(), self.memory.len());
        let first = self.memory.view_mut(&[len]).as_mut_ptr().wrapping_add(self.start * dtype.size());
        // SAFETY: shape and strides stay inside the memory, by construction, and address every element once.
        unsafe { ViewMut::from_raw_parts(dtype, first, &self.shape, &self.strides) }
    }

    fn bytes(&self) -> Vec<u8> {
        let view = self.view();
        let mut bytes = vec![0; view.len() * view.dtype().size()];
        view.copy_to_bytes(&mut bytes);
        bytes
    }
}

fn bytes_of(vec: &HostVec) -> Vec<u8> {
    vec.view(&[vec.len()]).as_bytes().unwrap().to_vec()
}

fn random_boundary(random: &mut Random, fill: f64) -> Boundary {
    random.pick(&[Boundary::Constant(fill), Boundary::Reflect, Boundary::Nearest, Boundary::Mirror, Boundary::Wrap])
}

/// A random plan: rank, leads, sizes (kernels larger than the image too), mode, boundaries.
fn random_plan(random: &mut Random, image_dtype: Dtype, kernel_dtype: Dtype, out: Option<Dtype>, fill: f64) -> ConvolvePlan {
    loop {
        let rank = 1 + random.below(3);
        let longest = [70, 15, 6][rank - 1];
        let mut lead = |limit: usize| (0..random.below(3)).map(|_| 1 + random.below(limit)).collect::<Vec<_>>();
        let (mut image, mut kernel) = (lead(2), lead(4));
        image.extend((0..rank).map(|_| 1 + random.below(longest)));
        kernel.extend((0..rank).map(|_| 1 + random.below([9, 6, 4][rank - 1])));
        let mut how = Convolve::rank(rank).mode(random.pick(&[crate::Mode::Full, crate::Mode::Same, crate::Mode::Valid]));
        if rank > 1 {
            how = how.boundaries(&(0..rank).map(|_| random_boundary(random, fill)).collect::<Vec<_>>());
        } else {
            how = how.boundary(random_boundary(random, fill));
        }
        if let Some(out) = out {
            how = how.out_dtype(out);
        }
        let direction = random.pick(&[Direction::Convolve, Direction::Correlate]);
        if let Ok(plan) = ConvolvePlan::new(&how, direction, (image_dtype, &image), (kernel_dtype, &kernel)) {
            return plan;
        }
    }
}

fn shapes(plan: &ConvolvePlan) -> (Vec<usize>, Vec<usize>) {
    (plan.image_shape(), plan.kernel_shape())
}

/// Runs the plan on every level, several thread counts, packed and strided, whole and in parts: all the same bits.
fn everywhere(random: &mut Random, plan: &ConvolvePlan, image: &HostVec, kernel: &HostVec) -> Result<HostVec> {
    let (image_shape, kernel_shape) = shapes(plan);
    let (image, kernel) = (Strided::new(random, &image_shape, image), Strided::new(random, &kernel_shape, kernel));
    let best = *Simd::available().last().unwrap();
    let first = packed(plan, &image.view(), &kernel.view(), best, 1)?;
    for simd in Simd::available() {
        for threads in [1, 2, 3] {
            let got = packed(plan, &image.view(), &kernel.view(), simd, threads)?;
            assert_eq!(bytes_of(&got), bytes_of(&first), "{simd:?}, {threads} threads, {plan:?}");
        }
    }
    // The same in parts, each written into its place of a strided output.
    let mut out = Strided::new(random, &plan.shape, &HostVec::zeros(plan.out_dtype, first.len()).unwrap());
    let cut = |random: &mut Random, n: usize| {
        let at = random.below(n + 1);
        [0..at, at..n]
    };
    for images in cut(random, plan.image_count()) {
        for kernels in cut(random, plan.kernel_count()) {
            for rows in cut(random, plan.rows.end) {
                let part = plan.part(images.clone(), kernels.clone(), rows.clone());
                let target = Target::Host(out.view_mut());
                crew(2).install(|| run(&part, image.view(), kernel.view(), target, best, &Control::new()))?;
            }
        }
    }
    assert_eq!(out.bytes(), bytes_of(&first), "in parts: {plan:?}");
    Ok(first)
}

/// Integers of a dtype, and every vector's elements as text.
macro_rules! integers {
    ($($variant:ident $t:ty),*) => {
        fn integers(dtype: Dtype, values: &[i128]) -> HostVec {
            match dtype {
                Dtype::Bool => HostVec::Bool(values.iter().map(|&v| v != 0).collect()),
                $(Dtype::$variant => HostVec::$variant(values.iter().map(|&v| v as $t).collect()),)*
                Dtype::C64 | Dtype::C128 => panic!("real values"),
            }
        }

        fn texts(vec: &HostVec) -> Vec<String> {
            match vec {
                HostVec::Bool(vec) => vec.iter().map(|v| format!("{v:?}")).collect(),
                $(HostVec::$variant(vec) => vec.iter().map(|v| format!("{v:?}")).collect(),)*
                HostVec::C64(vec) => vec.iter().map(|v| format!("{v:?}")).collect(),
                HostVec::C128(vec) => vec.iter().map(|v| format!("{v:?}")).collect(),
            }
        }
    };
}
integers!(U8 u8, I8 i8, U16 u16, I16 i16, U32 u32, I32 i32, U64 u64, I64 i64, F32 f32, F64 f64);

/// Random values of an integer dtype, up to a magnitude.
fn sample(random: &mut Random, dtype: Dtype, magnitude: i64, len: usize) -> Vec<i128> {
    let (low, high) = dtype.integer_range().unwrap();
    let (low, high) = (low.max(-magnitude as i128) as i64, high.min(magnitude as i128) as i64);
    (0..len).map(|_| random.between(low, high) as i128).collect()
}

/// The exact result as `dtype` would hold it, in text; `None` if it does not fit.
fn expected(exact: &BigInt, dtype: Dtype) -> Option<String> {
    let nearest = || BigRational::from_integer(exact.clone());
    match dtype {
        Dtype::Bool => Some((!exact.is_zero()).to_string()),
        Dtype::F32 => Some(format!("{:?}", exact.to_i128().map_or_else(|| nearest().to_f32().unwrap(), |v| v as f32))),
        Dtype::F64 => Some(format!("{:?}", exact.to_i128().map_or_else(|| nearest().to_f64().unwrap(), |v| v as f64))),
        _ => {
            let (low, high) = dtype.integer_range().unwrap();
            (BigInt::from(low) <= *exact && *exact <= BigInt::from(high)).then(|| exact.to_string())
        }
    }
}

/// One random integer convolution of these dtypes and magnitudes, checked everywhere.
fn check_integers(random: &mut Random, a: Dtype, b: Dtype, out: Option<Dtype>, magnitudes: (i64, i64)) -> bool {
    let fill = random.below(2) as f64;
    let plan = random_plan(random, a, b, out, fill);
    let image = sample(random, a, magnitudes.0, plan.image_count() * plan.image.iter().product::<usize>());
    let kernel = sample(random, b, magnitudes.1, plan.kernel_count() * plan.kernel.iter().product::<usize>());
    let big = |v: &[i128]| v.iter().map(|&x| BigInt::from(x)).collect::<Vec<_>>();
    let fills = plan.boundary.map(|b| BigInt::from(b.fill() as i128));
    let wanted = oracle(&plan, &big(&image), &big(&kernel), &fills, BigInt::ZERO, |acc, x, w| acc + x * w);
    let wanted: Option<Vec<String>> = wanted.iter().map(|v| expected(v, plan.out_dtype)).collect();
    match (everywhere(random, &plan, &integers(a, &image), &integers(b, &kernel)), wanted) {
        (Ok(got), Some(wanted)) => {
            assert_eq!(texts(&got), wanted, "{plan:?}");
            true
        }
        (Err(Error::Overflow { op, out_dtype }), None) => {
            assert_eq!((op, out_dtype), (plan.name(), plan.out_dtype));
            false
        }
        (got, wanted) => panic!("{got:?} instead of {wanted:?} for {plan:?}"),
    }
}

const INTEGERS: [Dtype; 9] =
    [Dtype::Bool, Dtype::U8, Dtype::I8, Dtype::U16, Dtype::I16, Dtype::U32, Dtype::I32, Dtype::U64, Dtype::I64];

#[test]
fn integers_of_all_dtypes_are_exact() {
    let mut random = Random(1);
    let (mut fit, mut overflow) = (0, 0);
    for a in INTEGERS {
        for b in INTEGERS {
            for magnitudes in [(3, 2), (i64::MAX, i64::MAX)] {
                if check_integers(&mut random, a, b, None, magnitudes) { fit += 1 } else { overflow += 1 }
            }
        }
    }
    assert!(fit > 60 && overflow > 20, "{fit} fit, {overflow} do not");
}

#[test]
fn integers_go_to_every_output_dtype() {
    let mut random = Random(2);
    for a in INTEGERS {
        for out in Dtype::ALL {
            let b = random.pick(&INTEGERS);
            check_integers(&mut random, a, b, Some(out), (7, 5));
            check_integers(&mut random, a, b, Some(out), (i64::MAX, 1 << 20));
        }
    }
}

#[test]
fn every_accumulator_is_exact_at_its_edge() {
    let mut random = Random(3);
    for bits in [10, 11, 12, 14, 15, 24, 25, 26, 29, 30, 31, 55, 60, 62] {
        for out in [Dtype::I64, Dtype::F32, Dtype::F64] {
            check_integers(&mut random, Dtype::I64, Dtype::I64, Some(out), (1 << bits, 1 << bits));
            check_integers(&mut random, Dtype::U64, Dtype::I64, Some(out), (1 << bits, 1 << (bits / 2)));
        }
    }
}

#[test]
fn dot_products_are_exact_at_the_edges_of_their_operands() {
    let mut random = Random(4);
    for (image, kernel) in
        [(255, 127), (255, 128), (256, 127), (127, 255), (128, 128), (32767, 32767), (32768, 3), (20000, 25000)]
    {
        for (a, b) in [(Dtype::I64, Dtype::I64), (Dtype::U64, Dtype::I32), (Dtype::I32, Dtype::U16), (Dtype::U8, Dtype::I8)] {
            for _ in 0..3 {
                check_integers(&mut random, a, b, Some(Dtype::I64), (image, kernel));
            }
        }
    }
}

#[test]
fn sums_beyond_128_bits_are_exact() {
    let image = vec![u64::MAX; 40];
    let kernel = vec![u64::MAX; 9];
    let how = Convolve::d1().out_dtype(Dtype::F64);
    let plan = ConvolvePlan::new(&how, Direction::Convolve, (Dtype::U64, &[40]), (Dtype::U64, &[9])).unwrap();
    let got: Vec<f64> = typed(&mut Random(4), &plan, &image, &kernel);
    let square = BigInt::from(u64::MAX) * BigInt::from(u64::MAX);
    assert_eq!(got[20], BigRational::from_integer(square.clone() * 9).to_f64().unwrap());
    assert_eq!(got[0], BigRational::from_integer(square).to_f64().unwrap());
    // Terms beyond 128 bits that cancel leave a result that fits: 2^63 · (3·(2^63 - 1) - 3·2^63 + 4) = 2^63.
    let kernel = vec![i64::MIN, i64::MIN, i64::MIN, i64::MAX, i64::MAX, i64::MAX, 1, 1, 2];
    let how = Convolve::d1().valid().out_dtype(Dtype::U64);
    let plan = ConvolvePlan::new(&how, Direction::Correlate, (Dtype::U64, &[40]), (Dtype::I64, &[9])).unwrap();
    let got: Vec<u64> = typed(&mut Random(5), &plan, &[1u64 << 63; 40], &kernel);
    assert_eq!(got, [1 << 63; 32]);
}

/// [`everywhere`] with types.
fn typed<A: Element, B: Element, O: Element>(random: &mut Random, plan: &ConvolvePlan, image: &[A], kernel: &[B]) -> Vec<O> {
    let (image, kernel) = (A::into_host(image.to_vec()), B::into_host(kernel.to_vec()));
    vec_of(everywhere(random, plan, &image, &kernel).unwrap())
}

/// Random floats of very different magnitudes.
fn float(random: &mut Random) -> f64 {
    let mantissa = random.between(-(1 << 23), 1 << 23) as f64;
    mantissa * 2f64.powi(random.between(-30, -16) as i32)
}

/// One random float convolution, checked against exact rationals and, bit for bit, against the documented order of
/// operations.
fn check_floats(random: &mut Random, single: bool) {
    let dtype = if single { Dtype::F32 } else { Dtype::F64 };
    let plan = random_plan(random, dtype, dtype, None, 0.25);
    let image_len = plan.image_count() * plan.image.iter().product::<usize>();
    let kernel_len = plan.kernel_count() * plan.kernel.iter().product::<usize>();
    let image: Vec<f64> = (0..image_len).map(|_| float(random)).collect();
    let kernel: Vec<f64> = (0..kernel_len).map(|_| float(random)).collect();
    let single_of = |v: &[f64]| v.iter().map(|&x| x as f32).collect::<Vec<_>>();
    let fills = plan.boundary.map(Boundary::fill);
    let (got, chain): (Vec<f64>, Vec<f64>) = if single {
        let (image, kernel) = (single_of(&image), single_of(&kernel));
        let got: Vec<f32> = typed(random, &plan, &image, &kernel);
        let chain = oracle(&plan, &image, &kernel, &fills.map(|f| f as f32), 0f32, |acc, x, w| x.mul_add(*w, acc));
        (got.iter().map(|&x| x as f64).collect(), chain.iter().map(|&x| x as f64).collect())
    } else {
        let got = typed(random, &plan, &image, &kernel);
        (got, oracle(&plan, &image, &kernel, &fills, 0.0, |acc, x: &f64, w| x.mul_add(*w, acc)))
    };
    assert_eq!(
        got.iter().map(|x| x.to_bits()).collect::<Vec<_>>(),
        chain.iter().map(|x| x.to_bits()).collect::<Vec<_>>(),
        "{plan:?}"
    );
    // The exact sums and the bound of a chain of fused multiply-adds: taps · u / (1 - taps · u) · Σ |w x|.
    let rational = |v: &[f64]| v.iter().map(|&x| BigRational::from_float(x).unwrap()).collect::<Vec<_>>();
    let fills = fills.map(|x| BigRational::from_float(x).unwrap());
    let (image, kernel) = (rational(&image), rational(&kernel));
    let zero = (BigRational::zero(), BigRational::zero());
    let exact = oracle(&plan, &image, &kernel, &fills, zero, |(sum, size), x, w| (sum + x * w, size + (x * w).abs()));
    let unit = if single { 2f64.powi(-24) } else { 2f64.powi(-53) };
    let taps = plan.kernel.iter().product::<usize>() as f64;
    let bound = BigRational::from_float(taps * unit / (1.0 - taps * unit)).unwrap();
    for (got, (sum, size)) in got.iter().zip(exact) {
        assert!((BigRational::from_float(*got).unwrap() - sum).abs() <= &bound * size, "{plan:?}");
    }
}

#[test]
fn floats_keep_their_order_and_their_bound() {
    let mut random = Random(6);
    for i in 0..60 {
        check_floats(&mut random, i % 2 == 0);
    }
}

#[test]
fn widths_around_every_block_agree_with_the_order_of_operations() {
    let mut random = Random(7);
    for kernels in [1, 2, 3, 4, 5, 6, 7, 13] {
        for width in [1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 129] {
            let height = 1 + random.below(20);
            let image: Vec<f32> = (0..height * width).map(|_| float(&mut random) as f32).collect();
            let kernel: Vec<f32> = (0..kernels * 15).map(|_| float(&mut random) as f32).collect();
            let how = Convolve::d2().same().boundary(random_boundary(&mut random, 1.5));
            let shapes = ((Dtype::F32, &[height, width][..]), (Dtype::F32, &[kernels, 5, 3][..]));
            let plan = ConvolvePlan::new(&how, Direction::Correlate, shapes.0, shapes.1).unwrap();
            let got: Vec<f32> = typed(&mut random, &plan, &image, &kernel);
            let fills = plan.boundary.map(|b| b.fill() as f32);
            assert_eq!(got, oracle(&plan, &image, &kernel, &fills, 0f32, |acc, x, w| x.mul_add(*w, acc)), "{plan:?}");
        }
    }
}

#[test]
fn mixed_operands_compute_in_the_promoted_dtype() {
    let mut random = Random(8);
    let image: Vec<i32> = (0..200).map(|_| random.between(i32::MIN as i64, i32::MAX as i64) as i32).collect();
    let kernel: Vec<f32> = (0..12).map(|_| float(&mut random) as f32).collect();
    let how = Convolve::d2().same().boundary(Boundary::Mirror);
    let plan = ConvolvePlan::new(&how, Direction::Convolve, (Dtype::I32, &[10, 20]), (Dtype::F32, &[4, 3])).unwrap();
    assert_eq!(plan.out_dtype, Dtype::F64);
    let got: Vec<f64> = typed(&mut random, &plan, &image, &kernel);
    let wide = |v: &[f32]| v.iter().map(|&w| w as f64).collect::<Vec<_>>();
    let exact: Vec<f64> = image.iter().map(|&x| x as f64).collect();
    let wanted = oracle(&plan, &exact, &wide(&kernel), &[0.0; 3], 0.0, |acc, x: &f64, w| x.mul_add(*w, acc));
    assert_eq!(got, wanted);
    // Floats to integers: half to even, saturated, NaN to 0; to bool: not zero.
    let image = [0.5f64, 1.5, 2.5, -0.5, -1.5, 300.0, -300.0, f64::NAN, f64::INFINITY, -0.0];
    let to = |out| {
        let how = Convolve::d1().out_dtype(out);
        ConvolvePlan::new(&how, Direction::Convolve, (Dtype::F64, &[10]), (Dtype::F64, &[1])).unwrap()
    };
    let got: Vec<i8> = typed(&mut random, &to(Dtype::I8), &image, &[1.0f64]);
    assert_eq!(got, [0, 2, 2, 0, -2, 127, -128, 0, 127, 0]);
    let got: Vec<bool> = typed(&mut random, &to(Dtype::Bool), &image, &[1.0f64]);
    assert_eq!(got, [true, true, true, true, true, true, true, true, true, false]);
}

#[test]
fn infinities_and_nans_reach_their_outputs_and_no_other() {
    let mut image = vec![1f32; 30 * 30];
    image[15 * 30 + 15] = f32::INFINITY;
    image[3 * 30 + 4] = f32::NAN;
    let how = Convolve::d2().same();
    for kernels in [1, 6] {
        let shapes = ((Dtype::F32, &[30, 30][..]), (Dtype::F32, &[kernels, 3, 3][..]));
        let plan = ConvolvePlan::new(&how, Direction::Correlate, shapes.0, shapes.1).unwrap();
        // A zero tap on infinity gives NaN.
        let kernel = [1.0f32, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, -1.0].repeat(kernels);
        let got: Vec<f32> = typed(&mut Random(9), &plan, &image, &kernel);
        let wanted = oracle(&plan, &image, &kernel, &[0.0; 3], 0f32, |acc, x, w| x.mul_add(*w, acc));
        assert!(got.iter().zip(&wanted).all(|(g, w)| g == w || (g.is_nan() && w.is_nan())));
        assert_eq!(got.iter().filter(|x| !x.is_finite()).count(), 18 * kernels);
    }
}

#[test]
fn storage_is_reused_if_it_fits_and_is_not_shared() {
    let plan = ConvolvePlan::new(&Convolve::d1(), Direction::Convolve, (Dtype::F32, &[50]), (Dtype::F32, &[3])).unwrap();
    let (image, kernel) = (vec![1f32; 50], vec![1f32; 3]);
    let go = |storage| {
        let (image, kernel) = (View::from_slice(&image), View::from_slice(&kernel));
        let storage = run(&plan, image, kernel, Target::Device(storage), Simd::Portable, &Control::new()).unwrap();
        match storage {
            Some(Storage::Host(vec)) => vec,
            _ => panic!("no host storage"),
        }
    };
    let place = |vec: &HostVec| vec.view(&[52]).as_ptr();
    let first = go(None);
    let at = place(&first);
    let second = go(Some(Storage::Host(first)));
    assert_eq!(place(&second), at);
    let third = go(Some(Storage::Host(second.clone())));
    assert_ne!(place(&third), at);
    assert_eq!(third, second);
}

#[test]
fn a_cancelled_convolution_stops() {
    let plan = ConvolvePlan::new(&Convolve::d2(), Direction::Convolve, (Dtype::F32, &[500, 500]), (Dtype::F32, &[9, 9])).unwrap();
    let (image, kernel) = (ArrayD::from_elem(IxDyn(&[500, 500]), 1f32), ArrayD::from_elem(IxDyn(&[9, 9]), 1f32));
    let control = Control::new();
    control.cancel();
    for threads in [1, 2] {
        let (image, kernel) = (View::from_ndarray(image.view()), View::from_ndarray(kernel.view()));
        let got = crew(threads).install(|| run(&plan, image, kernel, Target::Device(None), Simd::Portable, &control));
        assert!(matches!(got, Err(Error::Cancelled { .. })));
    }
}

#[test]
fn operands_that_are_not_the_plans_are_refused() {
    let plan = ConvolvePlan::new(&Convolve::d1(), Direction::Convolve, (Dtype::F32, &[50]), (Dtype::F32, &[3])).unwrap();
    let go = |image: View<'_>| {
        run(&plan, image, View::from_slice(&[1f32; 3]), Target::Device(None), Simd::Portable, &Control::new()).unwrap_err()
    };
    assert_eq!(go(View::from_slice(&[1f32; 49])).to_string(), "image shape: got [49], expected [50]");
    assert_eq!(go(View::from_slice(&[1f64; 50])).to_string(), "image: got dtype float64, expected float32");
}

#[test]
fn large_problems_on_several_threads_agree_with_the_order_of_operations() {
    let mut random = Random(10);
    for (image_shape, kernel_shape) in [
        (&[70_001][..], &[333][..]),
        (&[257, 1031], &[7, 5]),
        (&[300, 300], &[14, 4, 4]),
        (&[40, 50, 60], &[3, 3, 3]),
        (&[900, 12, 12], &[3, 3]),
        (&[64, 5000], &[2, 3, 3]),
    ] {
        let rank = if image_shape.len() == 3 && image_shape[0] < 100 { 3 } else { image_shape.len().min(2) };
        let (image_len, kernel_len) = (image_shape.iter().product(), kernel_shape.iter().product());
        let image: Vec<f32> = std::iter::repeat_with(|| float(&mut random) as f32).take(image_len).collect();
        let kernel: Vec<f32> = std::iter::repeat_with(|| float(&mut random) as f32).take(kernel_len).collect();
        let how = Convolve::rank(rank).full().algorithm(crate::Algorithm::Direct);
        let plan = ConvolvePlan::new(&how, Direction::Convolve, (Dtype::F32, image_shape), (Dtype::F32, kernel_shape)).unwrap();
        let wanted = oracle(&plan, &image, &kernel, &[0.0; 3], 0f32, |acc, x, w| x.mul_add(*w, acc));
        let image = ArrayD::from_shape_vec(IxDyn(image_shape), image).unwrap();
        let kernel = ArrayD::from_shape_vec(IxDyn(kernel_shape), kernel).unwrap();
        for threads in [1, 3] {
            let simd = *Simd::available().last().unwrap();
            let (image, kernel) = (View::from_ndarray(image.view()), View::from_ndarray(kernel.view()));
            let got: Vec<f32> = vec_of(packed(&plan, &image, &kernel, simd, threads).unwrap());
            assert!(got.iter().zip(&wanted).all(|(a, b)| a.to_bits() == b.to_bits()), "{plan:?}");
        }
    }
}

#[test]
fn streamed_rows_are_whole() {
    // 100 kernels of 4 × 5 over 221 × 230, full: more than enough bytes to be stored past the caches.
    let image: Vec<i64> = (0..221 * 230).map(|i| i * 7919 % 100).collect();
    let kernel: Vec<i64> = (0..100 * 20).map(|i| i * 104_729 % 100).collect();
    let shapes = ((Dtype::I64, &[221, 230][..]), (Dtype::I64, &[100, 4, 5][..]));
    let plan = ConvolvePlan::new(&Convolve::d2(), Direction::Convolve, shapes.0, shapes.1).unwrap();
    assert!(plan.outputs() * 8 > super::STREAM_BYTES);
    let wanted = oracle(&plan, &image, &kernel, &[0; 3], 0i64, |acc, x, w| acc + x * w);
    let image = ArrayD::from_shape_vec(IxDyn(&[221, 230]), image).unwrap();
    let kernel = ArrayD::from_shape_vec(IxDyn(&[100, 4, 5]), kernel).unwrap();
    let (image, kernel) = (View::from_ndarray(image.view()), View::from_ndarray(kernel.view()));
    for simd in Simd::available() {
        for leave in LEAVES {
            let work = || store::asked(leave, || packed(&plan, &image, &kernel, simd, 2).unwrap());
            assert!(vec_of::<i64>(work()) == wanted, "{leave:?} {simd:?}");
        }
    }
}
