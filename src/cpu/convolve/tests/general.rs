//! Channels, strides, dilations, complex numbers and the policies on overflow, against the definition.

use num_complex::Complex;

use super::*;
use crate::plan::{Centre, Mode, Overflow};

/// All results of the plan as real numbers, in C order, by the definition, `fma(x, w, acc)` in the order of the sums:
/// channel, (both complex: real part, imaginary part,) depth, row, column.
fn definition<A: Copy>(
    plan: &ConvolvePlan,
    image: &[A],
    kernel: &[A],
    (zero, fill): (A, A),
    fma: impl Fn(A, A, A) -> A,
    minus: impl Fn(A) -> A,
) -> Vec<A> {
    let ([d, h, w], [kd, kh, kw], out) = (plan.image, plan.kernel, plan.output);
    let (xp, kp) = (plan.image_dtype.parts(), plan.kernel_dtype.parts());
    let both = xp == 2 && kp == 2;
    let (all, channels) = (plan.groups * plan.channels, plan.channels);
    let conjugate = plan.direction == Direction::Correlate;
    let mut results = vec![];
    for n in 0..plan.image_count() {
        for k in 0..plan.kernel_count() {
            let first = k / (plan.kernel_count() / plan.groups) * channels;
            for o in 0..out.iter().product() {
                let o = [o / (out[1] * out[2]), o / out[2] % out[1], o % out[2]];
                for p in 0..plan.out_dtype.parts() {
                    let mut acc = zero;
                    for c in 0..channels {
                        for q in 0..if both { 2 } else { 1 } {
                            for t in 0..kd * kh * kw {
                                let t = [t / (kh * kw), t / kw % kh, t % kw];
                                let at = |a: usize| {
                                    let i = (o[a] * plan.stride[a] + t[a] * plan.dilation[a]) as isize + plan.start[a];
                                    extend(plan.boundary[a], i, plan.image[a])
                                };
                                let part = if both {
                                    q
                                } else if xp == 2 {
                                    p
                                } else {
                                    0
                                };
                                let x = match [at(0), at(1), at(2)] {
                                    [Some(z), Some(y), Some(x)] => {
                                        image[((((n * all + first + c) * d + z) * h + y) * w + x) * xp + part]
                                    }
                                    _ if part == 1 => zero,
                                    _ => fill,
                                };
                                let s = if plan.reversed { [kd - 1 - t[0], kh - 1 - t[1], kw - 1 - t[2]] } else { t };
                                let at = ((((k * channels + c) * kd + s[0]) * kh + s[1]) * kw + s[2]) * kp;
                                let mut weight = kernel[at];
                                if kp == 2 && p != q {
                                    weight = kernel[at + 1];
                                    // The imaginary part of the (conjugate) kernel, negative where i times i is.
                                    if conjugate != (q == 1) {
                                        weight = minus(weight);
                                    }
                                }
                                acc = fma(x, weight, acc);
                            }
                        }
                    }
                    results.push(acc);
                }
            }
        }
    }
    results
}

/// A random plan with all that the general path has.
fn random_general(random: &mut Random, image: Dtype, kernel: Dtype, how: impl Fn(Convolve) -> Convolve) -> ConvolvePlan {
    loop {
        let rank = random.pick(&[1, 1, 2, 2, 2, 3]);
        let (longest, widest) = ([150, 24, 7][rank - 1], [30, 6, 3][rank - 1]);
        let mut draw = |most: usize| (0..rank).map(|_| 1 + random.below(most)).collect::<Vec<_>>();
        let (mut x, mut k) = (draw(longest), draw(widest));
        let (stride, dilation) = (draw(4), draw(4));
        let mode = random.pick(&[Mode::Full, Mode::Same, Mode::Valid]);
        let mut options = Convolve::rank(rank).mode(mode).boundary(random_boundary(random, 3.0));
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
            k.insert(0, groups * (1 + random.below(8)));
        } else if random.below(2) == 0 {
            k.insert(0, 1 + random.below(8));
        }
        if random.below(2) == 0 {
            x.insert(0, 1 + random.below(3));
        }
        let direction = random.pick(&[Direction::Convolve, Direction::Correlate]);
        if let Ok(plan) = ConvolvePlan::new(&how(options), direction, (image, &x), (kernel, &k)) {
            return plan;
        }
    }
}

fn lengths(plan: &ConvolvePlan) -> (usize, usize) {
    (plan.image_shape().iter().product(), plan.kernel_shape().iter().product())
}

#[test]
fn integers_are_exact_whatever_the_channels_strides_and_dilations() {
    let mut random = Random(71);
    for round in 0..120 {
        let plan = random_general(&mut random, Dtype::I32, Dtype::I16, |how| how.out_dtype(Dtype::I64));
        let (n, k) = lengths(&plan);
        let magnitude = [9, 3000, 1 << 24, 1 << 30][round % 4];
        let image: Vec<i32> = (0..n).map(|_| random.between(-magnitude, magnitude) as i32).collect();
        let kernel: Vec<i16> = (0..k).map(|_| random.between(-300, 300) as i16).collect();
        let wide = |v: &[i32]| v.iter().map(|&v| i64::from(v)).collect::<Vec<_>>();
        let weights: Vec<i64> = kernel.iter().map(|&w| i64::from(w)).collect();
        let fill = plan.boundary[2].fill() as i64;
        let wanted = definition(&plan, &wide(&image), &weights, (0, fill), |x, w, acc| acc + x * w, |w: i64| -w);
        let got = everywhere(&mut random, &plan, &HostVec::I32(image), &HostVec::I16(kernel)).unwrap();
        assert_eq!(vec_of::<i64>(got), wanted, "{plan:?}");
    }
}

#[test]
fn floats_keep_the_order_of_operations() {
    let mut random = Random(72);
    for _ in 0..80 {
        let plan = random_general(&mut random, Dtype::F32, Dtype::F32, |how| how);
        let (n, k) = lengths(&plan);
        let mut draw = |n: usize| (0..n).map(|_| float(&mut random) as f32).collect::<Vec<_>>();
        let (image, kernel) = (draw(n), draw(k));
        let fill = plan.boundary[2].fill() as f32;
        let wanted = definition(&plan, &image, &kernel, (0.0, fill), f32::mul_add, |w: f32| -w);
        let got = vec_of::<f32>(everywhere(&mut random, &plan, &HostVec::F32(image), &HostVec::F32(kernel)).unwrap());
        let bits = |v: &[f32]| v.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&got), bits(&wanted), "{plan:?}");
    }
}

#[test]
fn complex_operands_are_pairs_of_real_ones() {
    let mut random = Random(73);
    let complex = |v: &[f64]| HostVec::C128(v.chunks(2).map(|v| Complex::new(v[0], v[1])).collect());
    for round in 0..90 {
        let (a, b) = [(Dtype::C128, Dtype::C128), (Dtype::F64, Dtype::C128), (Dtype::C128, Dtype::F64)][round % 3];
        let plan = random_general(&mut random, a, b, |how| how);
        let (n, k) = lengths(&plan);
        let mut draw = |n: usize| (0..n).map(|_| float(&mut random)).collect::<Vec<_>>();
        let (image, kernel) = (draw(n * a.parts()), draw(k * b.parts()));
        let fill = plan.boundary[2].fill();
        let wanted = definition(&plan, &image, &kernel, (0.0, fill), f64::mul_add, |w: f64| -w);
        let image = if a == Dtype::C128 { complex(&image) } else { HostVec::F64(image) };
        let kernel = if b == Dtype::C128 { complex(&kernel) } else { HostVec::F64(kernel) };
        let got = vec_of::<Complex<f64>>(everywhere(&mut random, &plan, &image, &kernel).unwrap());
        let bits = |v: f64| v.to_bits();
        let got: Vec<u64> = got.iter().flat_map(|v| [bits(v.re), bits(v.im)]).collect();
        assert_eq!(got, wanted.into_iter().map(bits).collect::<Vec<_>>(), "{plan:?}");
    }
}

#[test]
fn what_does_not_fit_wraps_or_saturates_when_asked() {
    let mut random = Random(74);
    let outs = [Dtype::U8, Dtype::I8, Dtype::U16, Dtype::I16, Dtype::U32, Dtype::I32, Dtype::U64, Dtype::I64, Dtype::Bool];
    for round in 0..90 {
        let out = outs[round % outs.len()];
        let overflow = random.pick(&[Overflow::Wrap, Overflow::Saturate]);
        let plan = random_general(&mut random, Dtype::I64, Dtype::I64, |how| how.out_dtype(out).overflow(overflow));
        let (n, k) = lengths(&plan);
        let magnitude = [1 << 5, 1 << 12, 1 << 30, i64::MAX][random.below(4)];
        let mut draw = |n: usize, most: i64| (0..n).map(|_| random.between(-most, most)).collect::<Vec<_>>();
        let (image, kernel) = (draw(n, magnitude), draw(k, magnitude));
        let big = |v: &[i64]| v.iter().map(|&v| i128::from(v)).collect::<Vec<_>>();
        let fill = plan.boundary[2].fill() as i128;
        // Sums of the largest values stay below 2^127 only for few taps.
        let sum = |x: i128, w: i128, acc: i128| acc.saturating_add(x * w);
        let sums = definition(&plan, &big(&image), &big(&kernel), (0, fill), sum, |w: i128| -w);
        if sums.iter().any(|v| v.unsigned_abs() > i128::MAX as u128 / 2) {
            continue;
        }
        let (lo, hi) = out.integer_range().unwrap();
        let fate = |v: i128| match (out, overflow) {
            (Dtype::Bool, _) => i128::from(v != 0),
            (_, Overflow::Saturate) => v.clamp(lo, hi),
            _ => (v - lo).rem_euclid(hi - lo + 1) + lo,
        };
        let wanted = texts(&integers(out, &sums.into_iter().map(fate).collect::<Vec<_>>()));
        let got = everywhere(&mut random, &plan, &HostVec::I64(image), &HostVec::I64(kernel)).unwrap();
        assert_eq!(texts(&got), wanted, "{plan:?}");
    }
}

#[test]
fn wide_channels_on_several_threads_agree_with_the_order_of_operations() {
    let mut random = Random(75);
    for (image, kernel, stride, dilation, groups) in [
        (&[2, 64, 30, 33][..], &[13, 64, 3, 3][..], 1, 1, 1),
        (&[32, 65, 70], &[64, 1, 5, 5], 2, 1, 32),
        (&[3, 130, 133], &[7, 3, 7, 7], 2, 1, 1),
        (&[8, 40, 300], &[1, 8, 3, 3], 1, 4, 1),
    ] {
        let how = Convolve::d2().valid().stride(&[stride]).dilation(&[dilation]).groups(groups);
        let plan = ConvolvePlan::new(&how, Direction::Correlate, (Dtype::F32, image), (Dtype::F32, kernel)).unwrap();
        let (n, k) = lengths(&plan);
        let mut draw = |n: usize| (0..n).map(|_| float(&mut random) as f32).collect::<Vec<_>>();
        let (image, kernel) = (draw(n), draw(k));
        let wanted = definition(&plan, &image, &kernel, (0.0, 0.0), f32::mul_add, |w: f32| -w);
        let got = vec_of::<f32>(everywhere(&mut random, &plan, &HostVec::F32(image), &HostVec::F32(kernel)).unwrap());
        assert!(got.iter().zip(&wanted).all(|(a, b)| a.to_bits() == b.to_bits()), "{plan:?}");
    }
}
