//! Convolution on every adapter present, against loops in exact arithmetic.

mod algorithms;
mod edges;
mod exact;
mod general;
mod memory;

use std::sync::Arc;

use ndarray::{ArrayD, IxDyn, Slice};
use num_bigint::BigInt;

use super::*;
use crate::array::HostVec;
use crate::dtype::{private::Host, with_dtype};
use crate::engine::Engine;
use crate::gpu::tests::engines;
use crate::plan::{Boundary, Convolve, Direction, Mode};
use crate::{Dtype, Element};

/// Numbers that look random and are the same every time.
pub(super) struct Random(pub(super) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 ^ (self.0 >> 29)).wrapping_mul(0x9e3779b97f4a7c15) >> 8
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// An integer of the dtype and of at most so much magnitude.
    fn integer(&mut self, dtype: Dtype, most: i128) -> i128 {
        let (lo, hi) = dtype.integer_range().unwrap();
        let (lo, hi) = (lo.max(-most), hi.min(most));
        match self.below(8) {
            0 => lo,
            1 => hi,
            _ => lo + ((u128::from(self.next()) << 56 | u128::from(self.next())) % (hi - lo + 1) as u128) as i128,
        }
    }
}

trait Cast: Element {
    fn of(integer: i128) -> Self;
    fn of_float(float: f64) -> Self;
    fn float(self) -> f64;
}

macro_rules! casts {
    ($($type:ty)*) => {$(
        impl Cast for $type {
            fn of(integer: i128) -> Self {
                integer as $type
            }
            fn of_float(float: f64) -> Self {
                float as $type
            }
            fn float(self) -> f64 {
                self as f64
            }
        }
    )*};
}
casts!(u8 i8 u16 i16 u32 i32 u64 i64 f32 f64);

impl Cast for bool {
    fn of(integer: i128) -> Self {
        integer != 0
    }
    fn of_float(float: f64) -> Self {
        float != 0.0
    }
    fn float(self) -> f64 {
        u8::from(self).into()
    }
}

fn vec_of<T: Host>(values: impl Iterator<Item = T>) -> HostVec {
    T::into_host(values.collect())
}

fn integers(dtype: Dtype, values: &[i128]) -> HostVec {
    with_dtype!(dtype, T => vec_of(values.iter().map(|&v| <T as Cast>::of(v))))
}

fn floats(vec: &HostVec) -> Vec<f64> {
    let dtype = vec.dtype();
    with_dtype!(dtype, T => T::from_host(vec.clone()).unwrap().into_iter().map(Cast::float).collect())
}

/// Index `i` of the extended line, one fold at a time.
fn extend(boundary: Boundary, mut i: isize, n: usize) -> Option<usize> {
    let n = n as isize;
    while !(0..n).contains(&i) {
        i = match boundary {
            Boundary::Constant(_) | Boundary::ConstantComplex(..) => return None,
            Boundary::Nearest => i.clamp(0, n - 1),
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

/// All results of the whole plan in C order: `fold(acc, x, w)` over the taps in row-major order.
pub(super) fn oracle<T: Copy, A: Clone>(
    plan: &ConvolvePlan,
    image: &[T],
    kernel: &[T],
    fill: impl Fn(f64) -> T,
    zero: A,
    fold: impl Fn(A, T, T) -> A,
) -> Vec<A> {
    let ([d, h, w], [kd, kh, kw], out) = (plan.image, plan.kernel, plan.output);
    let fill = plan.boundary.map(|b| fill(b.fill()));
    let sources: Vec<Vec<Option<usize>>> = (0..3)
        .map(|a| {
            let reach = (plan.output[a] + plan.kernel[a]) as isize;
            (0..reach).map(|i| extend(plan.boundary[a], i + plan.start[a], plan.image[a])).collect()
        })
        .collect();
    let mut results = vec![];
    for image in image.chunks(d * h * w) {
        for kernel in kernel.chunks(kd * kh * kw) {
            for o in 0..out.iter().product() {
                let o = [o / (out[1] * out[2]), o / out[2] % out[1], o % out[2]];
                let mut acc = zero.clone();
                for t in 0..kd * kh * kw {
                    let t = [t / (kh * kw), t / kw % kh, t % kw];
                    let k = if plan.reversed { [kd - 1 - t[0], kh - 1 - t[1], kw - 1 - t[2]] } else { t };
                    let x = match [0, 1, 2].map(|a| sources[a][o[a] + t[a]]) {
                        [Some(z), Some(y), Some(x)] => image[(z * h + y) * w + x],
                        [None, _, _] => fill[0],
                        [_, None, _] => fill[1],
                        _ => fill[2],
                    };
                    acc = fold(acc, x, kernel[(k[0] * kh + k[1]) * kw + k[2]]);
                }
                results.push(acc);
            }
        }
    }
    results
}

/// Exact integers in another dtype: `None` if one does not fit. Decimal text is parsed to the nearest float.
fn narrowed(values: &[BigInt], dtype: Dtype) -> Option<HostVec> {
    if dtype == Dtype::F32 {
        return Some(HostVec::F32(values.iter().map(|v| v.to_string().parse().unwrap()).collect()));
    }
    if dtype == Dtype::F64 {
        return Some(HostVec::F64(values.iter().map(|v| v.to_string().parse().unwrap()).collect()));
    }
    if dtype == Dtype::Bool {
        return Some(HostVec::Bool(values.iter().map(|v| *v != BigInt::ZERO).collect()));
    }
    let (lo, hi) = dtype.integer_range().unwrap();
    let values: Option<Vec<i128>> = values.iter().map(|v| i128::try_from(v).ok().filter(|v| (lo..=hi).contains(v))).collect();
    values.map(|values| integers(dtype, &values))
}

/// A random plan: rank, leads, lengths (kernels larger than the image too), mode, boundaries, direction.
fn random_plan(random: &mut Random, dtypes: [Dtype; 2], out: Option<Dtype>) -> ConvolvePlan {
    loop {
        let rank = 1 + random.below(3);
        let mut lead = |limit: usize| (0..random.below(3)).map(|_| 1 + random.below(limit)).collect::<Vec<_>>();
        let (mut image, mut kernel) = (lead(2), lead(5));
        image.extend((0..rank).map(|_| 1 + random.below([150, 24, 7][rank - 1])));
        kernel.extend((0..rank).map(|_| 1 + random.below([40, 9, 4][rank - 1])));
        let fill = random.pick(&[0.0, 1.0]);
        let mut boundary =
            || random.pick(&[Boundary::Constant(fill), Boundary::Reflect, Boundary::Nearest, Boundary::Mirror, Boundary::Wrap]);
        let boundaries: Vec<Boundary> = (0..rank).map(|_| boundary()).collect();
        let how = Convolve::rank(rank).boundaries(&boundaries).mode(random.pick(&[Mode::Full, Mode::Same, Mode::Valid]));
        let how = Convolve { out_dtype: out, ..how };
        let direction = random.pick(&[Direction::Convolve, Direction::Correlate]);
        if let Ok(plan) = ConvolvePlan::new(&how, direction, (dtypes[0], &image), (dtypes[1], &kernel)) {
            return plan;
        }
    }
}

fn shapes(plan: &ConvolvePlan) -> [Vec<usize>; 2] {
    [plan.image_shape(), plan.kernel_shape()]
}

fn random_part(random: &mut Random, plan: &ConvolvePlan) -> ConvolvePlan {
    let mut piece = |n: usize| {
        let start = random.below(n);
        start..start + 1 + random.below(n - start)
    };
    plan.part(piece(plan.image_count()), piece(plan.kernel_count()), piece(plan.output[plan.row_axis()]))
}

/// The part's elements of a whole result.
fn part_of(plan: &ConvolvePlan, index: usize) -> bool {
    let [d, h, w] = plan.output;
    let place = [index / (h * w) % d, index / w % h, index % w];
    let bank = index / (d * h * w);
    let (n, k) = (bank / plan.kernel_count(), bank % plan.kernel_count());
    plan.images.contains(&n) && plan.kernels.contains(&k) && plan.rows.contains(&place[plan.row_axis()])
}

fn take(vec: &HostVec, keep: impl Fn(usize) -> bool) -> HostVec {
    let dtype = vec.dtype();
    with_dtype!(dtype, T => {
        let all = T::from_host(vec.clone()).unwrap();
        vec_of(all.into_iter().enumerate().filter(|(i, _)| keep(*i)).map(|(_, v)| v))
    })
}

/// How a case is run.
#[derive(Debug, Clone, Copy)]
struct Manner {
    resident: bool,
    to_device: bool,
    strided: bool,
    bounds: Bounds,
}

impl Manner {
    const PLAIN: Self =
        Self { resident: false, to_device: false, strided: false, bounds: Bounds { block: u64::MAX, small: 0, memory: None } };

    fn random(random: &mut Random) -> Self {
        let small = random.below(2000) as u64 + 600;
        Self {
            resident: random.below(2) == 0,
            to_device: random.below(2) == 0,
            strided: random.below(3) == 0,
            bounds: Bounds {
                block: random.pick(&[u64::MAX, u64::MAX, small * 4]),
                small: random.pick(&[0, u64::MAX]),
                memory: None,
            },
        }
    }
}

/// An array with the values in every second element of the last axis, backwards.
fn strided<T: Element>(vec: &HostVec, shape: &[usize]) -> ArrayD<T> {
    let mut wide = shape.to_vec();
    *wide.last_mut().unwrap() *= 2;
    let mut array = ArrayD::from_elem(IxDyn(&wide), T::ZERO);
    let values = T::from_host(vec.clone()).unwrap();
    let mut view = array.slice_axis_mut(ndarray::Axis(shape.len() - 1), Slice::new(0, None, -2));
    view.iter_mut().zip(values).for_each(|(place, value)| *place = value);
    array
}

/// Runs the part and gives its results in C order.
fn run_part(context: &Arc<Context>, plan: &ConvolvePlan, image: &HostVec, kernel: &HostVec, manner: Manner) -> Result<HostVec> {
    let [image_shape, kernel_shape] = shapes(plan);
    let control = Control::new();
    let image_dtype = image.dtype();
    with_dtype!(image_dtype, T => {
        let array: ArrayD<T>;
        let uploaded;
        let image_view = if manner.strided {
            array = strided::<T>(image, &image_shape);
            View::from_ndarray(array.slice_axis(ndarray::Axis(image_shape.len() - 1), Slice::new(0, None, -2)))
        } else {
            image.view(&image_shape)
        };
        let image = if manner.resident {
            uploaded = context.upload_view(&image_view, &control)?;
            Input::Gpu { buffer: &uploaded, dtype: image_dtype, shape: &image_shape }
        } else {
            Input::Host(image_view)
        };
        let kernel = Input::Host(kernel.view(&kernel_shape));
        let result = if manner.to_device {
            let storage = run_limited(context, plan, &image, &kernel, Target::Device(None), &control, manner.bounds)?.unwrap();
            match storage {
                Storage::Gpu(buffer) => {
                    let mut vec = HostVec::zeros(plan.out_dtype, plan.outputs())?;
                    buffer.download(vec.view_mut(&[plan.outputs()]))?;
                    vec
                }
                Storage::Host(vec) if manner.bounds.memory.is_some() => (*vec).clone(),
                Storage::Host(_) => panic!("not on the device"),
            }
        } else {
            let mut whole = with_dtype!(plan.out_dtype, O => vec_of((0..plan.shape.iter().product()).map(|_| <O as Cast>::of(1))));
            let target = Target::Host(whole.view_mut(&plan.shape));
            assert!(run_limited(context, plan, &image, &kernel, target, &control, manner.bounds)?.is_none());
            let rest = take(&whole, |i| !part_of(plan, i));
            assert!(floats(&rest).iter().all(|&v| v == 1.0), "elements outside the part were written");
            take(&whole, |i| part_of(plan, i))
        };
        assert_eq!(control.progress().done, plan.work());
        Ok(result)
    })
}

/// One random case of integers, whose results must be exact.
fn integer_case(context: &Arc<Context>, seed: u64, dtypes: [Dtype; 2], out: Option<Dtype>) {
    let mut random = Random(seed);
    let whole = random_plan(&mut random, dtypes, out);
    let plan = if random.below(2) == 0 { whole.clone() } else { random_part(&mut random, &whole) };
    let most = random.pick(&[3, 3, 100, 3000, 1 << 20, 1 << 40, i128::MAX]);
    let [image_len, kernel_len] = shapes(&whole).map(|shape| shape.iter().product::<usize>());
    let image: Vec<i128> = (0..image_len).map(|_| random.integer(dtypes[0], most)).collect();
    let kernel: Vec<i128> = (0..kernel_len).map(|_| random.integer(dtypes[1], most)).collect();
    let manner = Manner::random(&mut random);
    let what = format!("{} seed {seed} {dtypes:?} {manner:?} {plan:?}", context.id);

    let exact = |v: i128| BigInt::from(v);
    let fold = |acc: BigInt, x: i128, w: i128| acc + exact(x) * exact(w);
    let all = oracle(&whole, &image, &kernel, |fill| fill as i128, BigInt::ZERO, fold);
    let wanted: Vec<BigInt> = all.into_iter().enumerate().filter(|(i, _)| part_of(&plan, *i)).map(|(_, v)| v).collect();
    let found = run_part(context, &plan, &integers(dtypes[0], &image), &integers(dtypes[1], &kernel), manner);
    match narrowed(&wanted, plan.out_dtype) {
        Some(wanted) => assert_eq!(found.as_ref(), Ok(&wanted), "{what}"),
        None => assert_eq!(found, Err(Error::Overflow { op: plan.name(), out_dtype: plan.out_dtype }), "{what}"),
    }
}

const INTEGERS: [Dtype; 9] =
    [Dtype::Bool, Dtype::U8, Dtype::I8, Dtype::U16, Dtype::I16, Dtype::U32, Dtype::I32, Dtype::U64, Dtype::I64];

#[test]
fn integers_are_exact_for_every_pair_and_out_dtype() {
    for engine in engines() {
        let context = engine.context().unwrap();
        let mut random = Random(7);
        for image in INTEGERS {
            for kernel in INTEGERS {
                let out = random.pick(&Dtype::ALL);
                let out = random.pick(&[None, Some(out)]);
                integer_case(&context, random.next(), [image, kernel], out);
            }
        }
    }
}

/// Every arithmetic that the device has, with results up to its limit and just beyond what the next narrower one could do.
#[test]
fn every_arithmetic_is_exact_at_its_limit() {
    for engine in engines() {
        let context = engine.context().unwrap();
        // Largest magnitudes of image and kernel; with 15 taps at most, all of one sign.
        let limits: [(Dtype, i128, Dtype, i128); 8] = [
            (Dtype::I8, -128, Dtype::I16, 8738),
            (Dtype::U16, 65535, Dtype::I8, -17),
            (Dtype::I16, -32768, Dtype::I16, 4369),
            (Dtype::U16, 65535, Dtype::U16, 65535),
            (Dtype::I32, i32::MIN.into(), Dtype::U32, 286_331_153),
            (Dtype::I64, i64::MIN.into(), Dtype::I64, i64::MIN.into()),
            (Dtype::U64, u64::MAX.into(), Dtype::I64, i64::MIN.into()),
            (Dtype::U64, u64::MAX.into(), Dtype::U64, u64::MAX.into()),
        ];
        for (a, x, b, w) in limits {
            for out in [Dtype::F64, Dtype::F32, Dtype::I64] {
                let how = Convolve::d2().out_dtype(out);
                let plan = ConvolvePlan::new(&how, Direction::Convolve, (a, &[7, 9]), (b, &[3, 5])).unwrap();
                let (image, kernel) = (vec![x; 63], vec![w; 15]);
                let fold = |acc: BigInt, x: i128, w: i128| acc + BigInt::from(x) * BigInt::from(w);
                let wanted = narrowed(&oracle(&plan, &image, &kernel, |_| 0, BigInt::ZERO, fold), out);
                let found = run_part(&context, &plan, &integers(a, &image), &integers(b, &kernel), Manner::PLAIN);
                let what = format!("{} {a} {x} {b} {w} {out}", context.id);
                match wanted {
                    Some(wanted) => assert_eq!(found.as_ref(), Ok(&wanted), "{what}"),
                    None => assert_eq!(found, Err(Error::Overflow { op: "convolve", out_dtype: out }), "{what}"),
                }
            }
        }
    }
}

/// One case of floats: every result within `taps * epsilon * sum |w x|` of the sum in binary64 (or, for binary64, of the
/// same sum with another rounding).
fn float_case(context: &Arc<Context>, plan: &ConvolvePlan, seed: u64, manner: Manner) {
    let mut random = Random(seed);
    let lens = shapes(plan).map(|shape| shape.iter().product::<usize>());
    let mut values = |dtype: Dtype, n: usize| match dtype.is_float() {
        true => {
            let value = |random: &mut Random| (random.below(2_000_001) as f64 - 1e6) / 1e6 * 2f64.powi(random.below(8) as i32);
            with_dtype!(dtype, T => vec_of((0..n).map(|_| <T as Cast>::of_float(value(&mut random)))))
        }
        false => integers(dtype, &(0..n).map(|_| random.integer(dtype, 1 << 60)).collect::<Vec<_>>()),
    };
    let (image, kernel) = (values(plan.image_dtype, lens[0]), values(plan.kernel_dtype, lens[1]));
    let what = format!("{} seed {seed} {manner:?} {plan:?}", context.id);
    let found = match run_part(context, plan, &image, &kernel, manner) {
        Err(Error::Unsupported { feature, .. }) if !context.caps.f64 => {
            assert!(plan.accumulator(0) == crate::plan::Accumulator::F64 && feature == "64-bit floats", "{what}");
            return;
        }
        found => floats(&found.expect(&what)),
    };
    let fold = |(sum, size): (f64, f64), x: f64, w: f64| (sum + x * w, size + (x * w).abs());
    let all = oracle(plan, &floats(&image), &floats(&kernel), |fill| fill, (0.0, 0.0), fold);
    let wanted = all.into_iter().enumerate().filter(|(i, _)| part_of(plan, *i)).map(|(_, v)| v);
    let wide = plan.accumulator(0) == crate::plan::Accumulator::F64;
    let epsilon = if wide { f64::EPSILON } else { f64::from(f32::EPSILON) / 2.0 };
    let taps = plan.kernel.iter().product::<usize>() as f64;
    for (i, ((sum, size), found)) in wanted.zip(&found).enumerate() {
        // A multiplication and an addition per tap, where they are not fused, and the rounding to the result's dtype.
        let rounded = if plan.out_dtype == Dtype::F32 { f64::from(f32::EPSILON) * sum.abs() } else { 0.0 };
        let bound = 1.01 * (taps + 1.0) * epsilon * size + rounded;
        assert!((sum - found).abs() <= bound, "{what}: element {i}: {found} is not {sum} within {bound}");
    }
}

#[test]
fn floats_are_within_the_bound_for_every_pair() {
    for engine in engines() {
        let context = engine.context().unwrap();
        let mut random = Random(11);
        for a in Dtype::ALL {
            for b in Dtype::ALL {
                if !a.is_float() && !b.is_float() {
                    continue;
                }
                let out = random.pick(&[None, Some(Dtype::F32), Some(Dtype::F64)]);
                let whole = random_plan(&mut random, [a, b], out);
                let part = random_part(&mut random, &whole);
                let plan = random.pick(&[&whole, &part]).clone();
                let manner = Manner::random(&mut random);
                float_case(&context, &plan, random.next(), manner);
            }
        }
    }
}
