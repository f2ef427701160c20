//! Every algorithm within its bound, over ranks, modes, boundaries, dtypes, parts and ways in and out; and what is not
//! finite where it belongs.

use super::*;
use crate::plan::{Accumulator, Algorithm};

/// Values of a dtype: a few powers of two of spread for floats.
fn values(random: &mut Random, dtype: Dtype, n: usize) -> HostVec {
    if !dtype.is_float() {
        return integers(dtype, &(0..n).map(|_| random.integer(dtype, 1 << 60)).collect::<Vec<_>>());
    }
    let value = |random: &mut Random| (random.below(2_000_001) as f64 - 1e6) / 1e6 * 2f64.powi(random.below(4) as i32);
    with_dtype!(dtype, T => vec_of((0..n).map(|_| <T as Cast>::of_float(value(random)))))
}

/// A bank of kernels, each the sum of `rank` products.
fn low(random: &mut Random, plan: &ConvolvePlan, rank: usize) -> HostVec {
    let [_, height, width] = plan.kernel;
    let mut all = vec![];
    for _ in 0..plan.kernel_count() {
        let mut kernel = vec![0.0; height * width];
        for _ in 0..rank {
            let mut line = |n: usize| (0..n).map(|_| random.below(2001) as f64 / 1000.0 - 1.0).collect::<Vec<f64>>();
            let (column, row) = (line(height), line(width));
            for (i, w) in kernel.iter_mut().enumerate() {
                *w += column[i / width] * row[i % width];
            }
        }
        all.extend(kernel);
    }
    let dtype = plan.kernel_dtype;
    with_dtype!(dtype, T => vec_of(all.into_iter().map(<T as Cast>::of_float)))
}

/// What a result may miss, by the table of `docs/numerics.md`; `n` elements of a tile at most.
fn bound(plan: &ConvolvePlan, algorithm: Algorithm, kernel: &[f64], largest: f64, n: f64) -> f64 {
    let wide = plan.accumulator(0) == Accumulator::F64;
    let unit = if wide { f64::EPSILON / 2.0 } else { f64::from(f32::EPSILON) / 2.0 };
    let [_, height, width] = plan.kernel.map(|n| n as f64);
    let taps = kernel.len() as f64;
    let weight: f64 = kernel.iter().map(|w| w.abs()).sum();
    let norm = kernel.iter().map(|w| w * w).sum::<f64>().sqrt();
    match algorithm {
        Algorithm::Separable => (4.0 + 4.0 * (height + 6.0 * width + 2.0)) * unit * weight * largest,
        Algorithm::FastFir => 16.0 * (taps / 4.0 + 8.0) * unit * weight * largest,
        Algorithm::Fft => 8.0 * unit * n.log2() * norm * (2.0 * n).sqrt() * largest,
        _ => 2.0 * taps * unit * weight * largest,
    }
}

/// One case: every result within the bound of its algorithm, computed in binary64 here.
fn case(context: &Arc<Context>, plan: &ConvolvePlan, (image, kernel): (&HostVec, &HostVec), manner: Manner) {
    let what = format!("{} {manner:?} {plan:?}", context.id);
    let found = match run_part(context, plan, image, kernel, manner) {
        Err(Error::Unsupported { feature, .. }) if !context.caps.f64 => return assert_eq!(feature, "64-bit floats", "{what}"),
        found => floats(&found.expect(&what)),
    };
    let (image, kernel) = (floats(image), floats(kernel));
    let all = oracle(plan, &image, &kernel, |fill| fill, 0.0, |sum, x, w| sum + x * w);
    let taps: usize = plan.kernel.iter().product();
    let each: usize = plan.output.iter().product();
    let fills = plan.boundary.map(|b| b.fill().abs());
    let largest = image.iter().map(|x| x.abs()).chain(fills).fold(0.0, f64::max);
    let n = 4.0 * (0..3).map(|axis| (plan.output[axis] + plan.kernel[axis]) as f64).product::<f64>();
    let wanted = all.into_iter().enumerate().filter(|(i, _)| part_of(plan, *i));
    for ((i, wanted), found) in wanted.zip(&found) {
        let k = i / each % plan.kernel_count();
        let rounded = if plan.out_dtype == Dtype::F32 { f64::from(f32::EPSILON) * wanted.abs() } else { 0.0 };
        let bound = bound(plan, plan.algorithm, &kernel[k * taps..(k + 1) * taps], largest, n) + rounded;
        assert!((wanted - found).abs() <= bound, "{what}: element {i}: {found} is not {wanted} within {bound}");
    }
}

#[test]
fn low_rank_kernels_run_as_passes() {
    for engine in engines() {
        let context = engine.context().unwrap();
        let mut random = Random(41);
        for dtype in [Dtype::F32, Dtype::U8, Dtype::F64] {
            for _ in 0..4 {
                let number = if dtype == Dtype::F64 { Dtype::F64 } else { Dtype::F32 };
                let mut whole = random_plan(&mut random, [dtype, number], Some(number));
                while whole.kernel[0] != 1 || whole.kernel[1] < 3 || whole.kernel[2] < 4 {
                    whole = random_plan(&mut random, [dtype, number], Some(number));
                }
                whole.algorithm = Algorithm::Separable;
                let plan = if random.below(2) == 0 { whole.clone() } else { random_part(&mut random, &whole) };
                let image = values(&mut random, dtype, shapes(&whole)[0].iter().product());
                let kernel = low(&mut random, &whole, 1);
                case(&context, &plan, (&image, &kernel), Manner::random(&mut random));
            }
        }
        // Two terms, one of them absent from a kernel of the bank.
        let how = Convolve::d2().same().boundary(Boundary::Constant(2.0)).algorithm(Algorithm::Separable);
        let sizes = ((Dtype::F32, &[2, 70, 90][..]), (Dtype::F32, &[3, 9, 11][..]));
        let plan = ConvolvePlan::new(&how, Direction::Convolve, sizes.0, sizes.1).unwrap();
        let image = values(&mut random, Dtype::F32, 2 * 70 * 90);
        let (HostVec::F32(mut kernel), HostVec::F32(one)) = (low(&mut random, &plan, 2), low(&mut random, &plan, 1)) else {
            panic!()
        };
        kernel[99..198].copy_from_slice(&one[..99]);
        case(&context, &plan, (&image, &HostVec::F32(kernel)), Manner::PLAIN);
        // One that is no sum of few products.
        let kernel = values(&mut random, Dtype::F32, 3 * 99);
        let error = run_part(&context, &plan, &image, &kernel, Manner::PLAIN).unwrap_err();
        assert!(matches!(error, Error::Invalid { .. }) && error.to_string().contains("low rank"), "{error}");
    }
}

/// Products of integers in passes of floats, which hold every intermediate value: at the limit, and refused beyond.
#[test]
fn integer_kernels_run_as_passes_exactly() {
    for engine in engines() {
        let context = engine.context().unwrap();
        let mut random = Random(61);
        let how = Convolve::d2().same().boundary(Boundary::Constant(3.0)).algorithm(Algorithm::Separable);
        for (dtype, out, most) in [(Dtype::U8, Dtype::I32, 255), (Dtype::I16, Dtype::F32, 8191), (Dtype::I16, Dtype::F32, 8192)] {
            let shapes = ((dtype, &[2, 40, 77][..]), (Dtype::I8, &[2, 8, 16][..]));
            let plan = ConvolvePlan::new(&how.clone().out_dtype(out), Direction::Convolve, shapes.0, shapes.1).unwrap();
            // Sixteens of both signs, 128 of them.
            let sign = |i: i128| if i % 3 == 0 { -1 } else { 1 };
            let kernel = integers(Dtype::I8, &(0..256).map(|i| 16 * sign(i / 16) * sign(i % 16)).collect::<Vec<_>>());
            let image: Vec<i128> = (0..2 * 40 * 77).map(|_| random.integer(dtype, most)).collect();
            let image = integers(dtype, &[&[most][..], &image[1..]].concat());
            // What lies on the device has the range of its dtype.
            let manner = Manner { resident: false, ..Manner::random(&mut random) };
            let found = run_part(&context, &plan, &image, &kernel, manner);
            let direct = ConvolvePlan { algorithm: Algorithm::Direct, ..plan };
            match most * 16 * 128 < 1 << 24 {
                true => assert_eq!(found, super::general::on_cpu(&direct, &image, &kernel), "{} {dtype}", context.id),
                false => assert!(found.unwrap_err().to_string().contains("products of integers")),
            }
        }
    }
}

/// A plan with one algorithm, of any dtype.
fn forced(algorithm: Algorithm, how: Convolve, dtype: Dtype, image: &[usize], kernel: &[usize]) -> ConvolvePlan {
    let number = if dtype == Dtype::F64 { Dtype::F64 } else { Dtype::F32 };
    let how = how.algorithm(algorithm).out_dtype(number);
    ConvolvePlan::new(&how, Direction::Convolve, (dtype, image), (number, kernel)).unwrap()
}

/// Random plans of all ranks, modes, boundaries and parts, and some that one workgroup or one line does not hold.
#[test]
fn transforms_stay_within_their_bound() {
    for engine in engines() {
        let context = engine.context().unwrap();
        let mut random = Random(47);
        for dtype in [Dtype::F32, Dtype::I16, Dtype::F64] {
            let number = if dtype == Dtype::F64 { Dtype::F64 } else { Dtype::F32 };
            for _ in 0..6 {
                let mut whole = random_plan(&mut random, [dtype, number], Some(number));
                whole.algorithm = Algorithm::Fft;
                let plan = if random.below(2) == 0 { whole.clone() } else { random_part(&mut random, &whole) };
                let [image, kernel] = shapes(&whole).map(|shape| shape.iter().product());
                let (image, kernel) = (values(&mut random, dtype, image), values(&mut random, number, kernel));
                case(&context, &plan, (&image, &kernel), Manner::random(&mut random));
            }
        }
        let reflect = || Convolve::d2().same().boundary(Boundary::Reflect);
        for plan in [
            forced(Algorithm::Fft, reflect(), Dtype::F32, &[3, 120, 131], &[2, 17, 13]),
            // Longer than a line: slabs along x, along y, and in depth.
            forced(Algorithm::Fft, Convolve::d1(), Dtype::F32, &[5000], &[2, 2300]),
            forced(Algorithm::Fft, Convolve::d2(), Dtype::F32, &[2900, 3], &[2200, 1]),
            forced(Algorithm::Fft, Convolve::d3().same(), Dtype::F32, &[6, 20, 19], &[4, 5, 6]),
        ] {
            let [image, kernel] = shapes(&plan).map(|shape| shape.iter().product());
            let (image, kernel) = (values(&mut random, Dtype::F32, image), values(&mut random, Dtype::F32, kernel));
            case(&context, &plan, (&image, &kernel), Manner::PLAIN);
        }
    }
}

/// Along one axis and two, single kernels and banks, floats and integers.
#[test]
fn fast_fir_filters_stay_within_their_bound() {
    for engine in engines() {
        let context = engine.context().unwrap();
        let mut random = Random(53);
        for dtype in [Dtype::F32, Dtype::U8, Dtype::F64] {
            let number = if dtype == Dtype::F64 { Dtype::F64 } else { Dtype::F32 };
            for _ in 0..5 {
                let mut whole = random_plan(&mut random, [dtype, number], Some(number));
                while whole.kernel[1].max(whole.kernel[2]) < 4 {
                    whole = random_plan(&mut random, [dtype, number], Some(number));
                }
                whole.algorithm = Algorithm::FastFir;
                let plan = if random.below(2) == 0 { whole.clone() } else { random_part(&mut random, &whole) };
                let [image, kernel] = shapes(&whole).map(|shape| shape.iter().product());
                let (image, kernel) = (values(&mut random, dtype, image), values(&mut random, number, kernel));
                case(&context, &plan, (&image, &kernel), Manner::random(&mut random));
            }
        }
        let reflect = || Convolve::d2().same().boundary(Boundary::Reflect);
        for plan in [
            forced(Algorithm::FastFir, reflect(), Dtype::F32, &[2, 90, 131], &[4, 10, 10]),
            forced(Algorithm::FastFir, Convolve::d2().valid(), Dtype::F32, &[150, 161], &[121, 90]),
            forced(Algorithm::FastFir, Convolve::d3().same(), Dtype::F32, &[6, 20, 19], &[4, 5, 6]),
        ] {
            let [image, kernel] = shapes(&plan).map(|shape| shape.iter().product());
            let (image, kernel) = (values(&mut random, Dtype::F32, image), values(&mut random, Dtype::F32, kernel));
            case(&context, &plan, (&image, &kernel), Manner::PLAIN);
        }
    }
}

/// Infinities, NaN and values near the largest float reach the results whose taps read them, and no others.
#[test]
fn what_is_not_finite_spreads_no_further_than_by_definition() {
    for engine in engines() {
        let context = engine.context().unwrap();
        for algorithm in [Algorithm::Separable, Algorithm::FastFir, Algorithm::Fft] {
            let how = Convolve::d2().same().boundary(Boundary::Reflect).algorithm(algorithm);
            let (shape, taps) = ([2, 150, 170], [2, 8, 9]);
            let plan = ConvolvePlan::new(&how, Direction::Correlate, (Dtype::F32, &shape), (Dtype::F32, &taps)).unwrap();
            let mut random = Random(43);
            let HostVec::F32(mut image) = values(&mut random, Dtype::F32, shape.iter().product()) else { panic!() };
            for (place, bad) in [(5 * 170 + 3, f32::NAN), (97 * 170 + 160, f32::INFINITY), (130 * 170 + 20, f32::MAX)] {
                image[place] = bad;
            }
            let HostVec::F32(kernel) = low(&mut random, &plan, 1) else { panic!() };
            let found = run_part(&context, &plan, &HostVec::F32(image.clone()), &HostVec::F32(kernel.clone()), Manner::PLAIN);
            let found = floats(&found.unwrap());
            let wanted = oracle(&plan, &image, &kernel, |fill| fill as f32, 0.0f32, |sum, x, w| x.mul_add(w, sum));
            let bound = bound(&plan, algorithm, &floats(&HostVec::F32(kernel))[..72], 8.0, 4.0 * 158.0 * 179.0);
            for (i, (wanted, found)) in wanted.into_iter().zip(found).enumerate() {
                let what = format!("{} {algorithm} {i}: {found} is not {wanted}", context.id);
                let wanted = f64::from(wanted);
                match wanted.abs() < 1e30 {
                    true => assert!((wanted - found).abs() <= 2.0 * bound, "{what}"),
                    false => assert!(
                        wanted.is_nan() == found.is_nan() && !(wanted - found).abs().is_normal() || (wanted - found).abs() < 1e32,
                        "{what}"
                    ),
                }
            }
        }
    }
}
