//! Channels, strides, dilations and the policies on overflow on the GPU, in chunks and parts of any size: what the CPU gives,
//! which has tests against the definition.

use super::*;
use crate::plan::{Centre, Mode, Overflow};
use crate::select;

/// A random plan with all that is not plain.
fn plan(random: &mut Random, dtypes: [Dtype; 2], how: impl Fn(Convolve) -> Convolve) -> ConvolvePlan {
    loop {
        let rank = random.pick(&[1, 2, 2, 3]);
        let (longest, widest) = ([90, 24, 7][rank - 1], [20, 6, 3][rank - 1]);
        let mut draw = |most: usize| (0..rank).map(|_| 1 + random.below(most)).collect::<Vec<_>>();
        let (mut x, mut k, stride, dilation) = (draw(longest), draw(widest), draw(4), draw(4));
        let boundary =
            random.pick(&[Boundary::Constant(2.0), Boundary::Reflect, Boundary::Nearest, Boundary::Mirror, Boundary::Wrap]);
        let mut options = Convolve::rank(rank).mode(random.pick(&[Mode::Full, Mode::Same, Mode::Valid])).boundary(boundary);
        if random.below(2) == 0 {
            options = options.stride(&stride);
        }
        if random.below(2) == 0 {
            options = options.dilation(&dilation);
        }
        options = options.centre(random.pick(&[Centre::Signal, Centre::Signal2d, Centre::Ndimage]));
        if random.below(3) > 0 {
            let (groups, channels) = (1 + random.below(3), 1 + random.below(3));
            options = options.groups(groups);
            x.insert(0, groups * channels);
            k.insert(0, channels);
            k.insert(0, groups * (1 + random.below(9)));
        }
        if random.below(2) == 0 {
            x.insert(0, 1 + random.below(3));
        }
        let direction = random.pick(&[Direction::Convolve, Direction::Correlate]);
        if let Ok(plan) = ConvolvePlan::new(&how(options), direction, (dtypes[0], &x), (dtypes[1], &k)) {
            return plan;
        }
    }
}

/// The whole result on the CPU.
pub(super) fn on_cpu(plan: &ConvolvePlan, image: &HostVec, kernel: &HostVec) -> Result<HostVec> {
    let [x, k] = shapes(plan);
    let (image, kernel) = (Input::Host(image.view(&x)), Input::Host(kernel.view(&k)));
    match select::cpu().convolve(plan, &image, &kernel, Target::Device(None), &Control::new())? {
        Some(Storage::Host(vec)) => Ok((*vec).clone()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn integers_are_exact() {
    for engine in engines() {
        let context = engine.context().unwrap();
        let mut random = Random(171);
        for round in 0..70 {
            let dtypes = [random.pick(&INTEGERS[1..]), random.pick(&INTEGERS[1..])];
            let out = random.pick(&INTEGERS);
            let overflow = random.pick(&[Overflow::Error, Overflow::Wrap, Overflow::Saturate]);
            let whole = plan(&mut random, dtypes, |how| how.out_dtype(out).overflow(overflow));
            let most = random.pick(&[3, 100, 3000, 1 << 20, 1 << 40, i128::MAX]);
            let [n, k] = shapes(&whole).map(|shape| shape.iter().product::<usize>());
            let image: Vec<i128> = (0..n).map(|_| random.integer(dtypes[0], most)).collect();
            let kernel: Vec<i128> = (0..k).map(|_| random.integer(dtypes[1], most)).collect();
            let (image, kernel) = (integers(dtypes[0], &image), integers(dtypes[1], &kernel));
            let manner = Manner::random(&mut random);
            let part = if random.below(2) == 0 { whole.clone() } else { random_part(&mut random, &whole) };
            let what = format!("{} round {round} {manner:?} {part:?}", context.id);
            match on_cpu(&whole, &image, &kernel) {
                Ok(all) => {
                    let found = run_part(&context, &part, &image, &kernel, manner);
                    assert_eq!(found.as_ref(), Ok(&take(&all, |i| part_of(&part, i))), "{what}");
                }
                Err(error) => {
                    let found = run_part(&context, &whole, &image, &kernel, manner);
                    assert_eq!(found, Err(error), "{what}");
                }
            }
        }
    }
}

#[test]
fn floats_are_within_the_bound() {
    for engine in engines() {
        let context = engine.context().unwrap();
        let mut random = Random(172);
        for round in 0..40 {
            let whole = plan(&mut random, [Dtype::F32, Dtype::F32], |how| how);
            let [n, k] = shapes(&whole).map(|shape| shape.iter().product::<usize>());
            let mut draw = |n: usize| (0..n).map(|_| (random.below(2001) as f32 - 1000.0) / 1024.0).collect::<Vec<_>>();
            let (image, kernel) = (HostVec::F32(draw(n)), HostVec::F32(draw(k)));
            let manner = Manner::random(&mut random);
            let part = if random.below(2) == 0 { whole.clone() } else { random_part(&mut random, &whole) };
            let all = on_cpu(&whole, &image, &kernel).unwrap();
            let wanted = floats(&take(&all, |i| part_of(&part, i)));
            let found = floats(&run_part(&context, &part, &image, &kernel, manner).unwrap());
            // Operands of 11 bits below 1, the constant outside 2: products are exact, so every tap rounds once at most on
            // either device, by half a unit of the largest sum.
            let taps = (whole.channels * whole.kernel.iter().product::<usize>()) as f64;
            let bound = 2.0 * taps * 2.0 * taps * 2f64.powi(-24);
            assert_eq!(found.len(), wanted.len());
            for (i, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
                assert!(
                    (found - wanted).abs() <= bound,
                    "{} round {round} {manner:?} {part:?}: {found} {wanted} at {i}",
                    context.id
                );
            }
        }
    }
}

/// Layers of networks and lines that a tile does not hold: eight kernels at a time, four, one, and blocks of some taps and one.
#[test]
fn layers_and_long_reaches_are_exact() {
    let with = |how: Convolve, x: &[usize], k: &[usize]| {
        ConvolvePlan::new(&how.out_dtype(Dtype::I32), Direction::Correlate, (Dtype::I8, x), (Dtype::I8, k)).unwrap()
    };
    let layer = || Convolve::d2().same();
    let plans = [
        with(layer().groups(1).stride(&[2, 2]), &[2, 5, 21, 70], &[18, 5, 3, 3]),
        with(layer().groups(2).stride(&[1, 2]).dilation(&[3, 1]), &[8, 19, 66], &[16, 4, 5, 4]),
        with(layer().groups(2).dilation(&[2, 3]).boundary(Boundary::Reflect), &[4, 18, 67], &[8, 2, 3, 3]),
        with(layer().groups(3).stride(&[2, 3]), &[3, 70, 65], &[3, 1, 5, 7]),
        with(Convolve::d2().valid().stride(&[16, 16]), &[2, 100, 90], &[16, 16, 16]),
        with(Convolve::d2().dilation(&[40, 100]).boundary(Boundary::Wrap), &[30, 90], &[3, 2]),
        with(Convolve::d1().stride(&[3]), &[5000], &[8, 1801]),
        with(Convolve::d1().stride(&[700]).dilation(&[7]), &[9000], &[501]),
    ];
    for engine in engines() {
        let context = engine.context().unwrap();
        let mut random = Random(173);
        for plan in &plans {
            let [image, kernel] = shapes(plan).map(|shape| {
                let n = shape.iter().product::<usize>();
                integers(Dtype::I8, &(0..n).map(|_| random.integer(Dtype::I8, 40)).collect::<Vec<_>>())
            });
            let found = run_part(&context, plan, &image, &kernel, Manner::PLAIN);
            assert_eq!(found, on_cpu(plan, &image, &kernel), "{} {plan:?}", context.id);
        }
    }
}
