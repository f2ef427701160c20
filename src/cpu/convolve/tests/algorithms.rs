//! Every algorithm is its definition: integers exactly, floats within the algorithm's bound, the same bits everywhere.

use super::*;
use crate::Algorithm;

/// A random plan with kernels large enough for every algorithm and images across the edges of its tiles.
fn large_plan(random: &mut Random, dtypes: (Dtype, Dtype, Option<Dtype>), algorithm: Algorithm) -> ConvolvePlan {
    loop {
        let rank = 1 + random.below(3);
        let (longest, widest) = ([3000, 130, 12][rank - 1], [40, 18, 7][rank - 1]);
        let mut lead = |limit: usize| (0..random.below(2)).map(|_| 1 + random.below(limit)).collect::<Vec<_>>();
        let (mut image, mut kernel) = (lead(2), lead(8));
        image.extend((0..rank).map(|_| 1 + random.below(longest)));
        kernel.extend((0..rank).map(|_| 1 + random.below(widest)));
        let n = kernel.len();
        kernel[n - 1] = kernel[n - 1].max(4);
        let mode = random.pick(&[crate::Mode::Full, crate::Mode::Same, crate::Mode::Valid]);
        let mut how = Convolve::rank(rank).mode(mode).boundary(random_boundary(random, 3.0)).algorithm(algorithm);
        if let Some(out) = dtypes.2 {
            how = how.out_dtype(out);
        }
        let direction = random.pick(&[Direction::Convolve, Direction::Correlate]);
        if let Ok(plan) = ConvolvePlan::new(&how, direction, (dtypes.0, &image), (dtypes.1, &kernel)) {
            return plan;
        }
    }
}

fn operand(dtype: Dtype, plan_len: usize, random: &mut Random, magnitude: i64) -> HostVec {
    match dtype {
        Dtype::F32 => HostVec::F32((0..plan_len).map(|_| random.between(-1 << 24, 1 << 24) as f32 / (1 << 24) as f32).collect()),
        Dtype::F64 => {
            HostVec::F64((0..plan_len).map(|_| random.between(-1 << 53, 1 << 53) as f64 / (1i64 << 53) as f64).collect())
        }
        _ => integers(dtype, &sample(random, dtype, magnitude, plan_len)),
    }
}

fn operands(plan: &ConvolvePlan, random: &mut Random, magnitudes: (i64, i64)) -> (HostVec, HostVec) {
    let image = operand(plan.image_dtype, plan.image_count() * plan.image.iter().product::<usize>(), random, magnitudes.0);
    let kernel = operand(plan.kernel_dtype, plan.kernel_count() * plan.kernel.iter().product::<usize>(), random, magnitudes.1);
    (image, kernel)
}

/// The direct convolution's answer.
fn directly(plan: &ConvolvePlan, image: &HostVec, kernel: &HostVec) -> Result<HostVec> {
    let plan = ConvolvePlan { algorithm: Algorithm::Direct, ..plan.clone() };
    let (image_shape, kernel_shape) = shapes(&plan);
    packed(&plan, &image.view(&image_shape), &kernel.view(&kernel_shape), *Simd::available().last().unwrap(), 2)
}

#[test]
fn fast_fir_is_exact_for_integers() {
    let mut random = Random(11);
    for round in 0..40 {
        let dtype = random.pick(&[Dtype::U8, Dtype::I16, Dtype::I32, Dtype::I64, Dtype::U64]);
        let magnitudes = random.pick(&[(50, 9), (3000, 300), (1 << 30, 1 << 8), (1 << 40, 1 << 8), (1 << 50, 1 << 3)]);
        let out = random.pick(&[Dtype::I64, Dtype::I64, Dtype::F32, Dtype::F64]);
        let plan = large_plan(&mut random, (dtype, Dtype::I64, Some(out)), Algorithm::FastFir);
        let (image, kernel) = operands(&plan, &mut random, magnitudes);
        match (everywhere(&mut random, &plan, &image, &kernel), directly(&plan, &image, &kernel)) {
            (Ok(got), Ok(wanted)) => assert_eq!(texts(&got), texts(&wanted), "{round}: {plan:?}"),
            (Err(Error::Overflow { .. }), Err(Error::Overflow { .. })) => {}
            (got, wanted) => panic!("{got:?} instead of {wanted:?} for {plan:?}"),
        }
    }
}

/// Checks a result of f32 or f64 against `bound · Σ|k| · max|x|`, with sums in binary64 (or twice that, roughly).
fn close(plan: &ConvolvePlan, got: &HostVec, image: &HostVec, kernel: &HostVec, units: f64) {
    let wide = |vec: &HostVec| match vec {
        HostVec::F32(vec) => vec.iter().map(|&x| f64::from(x)).collect(),
        HostVec::F64(vec) => vec.clone(),
        _ => panic!("no floats"),
    };
    let (got, image, kernel) = (wide(got), wide(image), wide(kernel));
    let single = plan.out_dtype == Dtype::F32;
    let u = if single { f64::from(f32::EPSILON) / 2.0 } else { f64::EPSILON / 2.0 };
    let largest = image.iter().fold(plan.boundary.iter().map(|b| b.fill()).fold(0.0, f64::max), |m: f64, x| m.max(x.abs()));
    let weight = kernel.chunks(plan.kernel.iter().product()).map(|k| k.iter().map(|w| w.abs()).sum::<f64>()).fold(0.0, f64::max);
    // The oracle's own error: a product and a sum per tap in binary64.
    let taps: usize = plan.kernel.iter().product();
    let own = taps as f64 * f64::EPSILON * weight * largest;
    let fills = plan.boundary.map(|b| b.fill());
    let wanted = oracle(plan, &image, &kernel, &fills, 0.0, |acc, x, w| x.mul_add(*w, acc));
    let bound = units * u * weight * largest + own;
    let worst = got.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(worst <= bound, "{worst:e} is beyond {bound:e} for {plan:?}");
}

/// What [`Algorithm::FastFir`] may lose, in units of `u · Σ|k| · max|x|`: values are up to 16 times as large as the direct
/// convolution's within two levels along both axes, and each sum has at most the taps' roundings and a few more.
fn units(plan: &ConvolvePlan) -> f64 {
    let taps: usize = plan.kernel.iter().product();
    16.0 * (taps as f64 / 4.0 + 8.0)
}

#[test]
fn fast_fir_keeps_its_bound_and_its_bits() {
    let mut random = Random(12);
    for round in 0..30 {
        let dtype = if round % 3 == 0 { Dtype::F64 } else { Dtype::F32 };
        let plan = large_plan(&mut random, (dtype, dtype, None), Algorithm::FastFir);
        let (image, kernel) = operands(&plan, &mut random, (0, 0));
        let got = everywhere(&mut random, &plan, &image, &kernel).unwrap();
        close(&plan, &got, &image, &kernel, units(&plan));
    }
}

/// Two levels along both axes, a cell's edges, and rows and columns that end within a block of phases.
#[test]
fn fast_fir_at_the_edges_of_its_cells() {
    let mut random = Random(13);
    for (kernel, image) in
        [([12, 12], [97, 1025]), ([16, 17], [49, 257]), ([10, 10], [48, 1024]), ([4, 30], [95, 514]), ([33, 5], [101, 70])]
    {
        for count in [1, 2, 7] {
            let how = Convolve::d2().same().boundary(Boundary::Reflect).algorithm(Algorithm::FastFir);
            let shapes = ([Dtype::F32; 2], [count, kernel[0], kernel[1]]);
            let plan = ConvolvePlan::new(&how, Direction::Convolve, (shapes.0[0], &image), (shapes.0[1], &shapes.1)).unwrap();
            let (image, kernel) = operands(&plan, &mut random, (0, 0));
            let got = everywhere(&mut random, &plan, &image, &kernel).unwrap();
            close(&plan, &got, &image, &kernel, units(&plan));
        }
    }
}

#[test]
fn non_finite_and_huge_values_spread_no_further() {
    let mut random = Random(14);
    for algorithm in [Algorithm::FastFir, Algorithm::Fft, Algorithm::Separable] {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, 1e38] {
            let how = Convolve::d2().same().boundary(Boundary::Nearest).algorithm(algorithm);
            let shapes = ([150, 1100], [3, 9, 12]);
            let plan = ConvolvePlan::new(&how, Direction::Correlate, (Dtype::F32, &shapes.0), (Dtype::F32, &shapes.1)).unwrap();
            let (mut image, mut kernel) = operands(&plan, &mut random, (0, 0));
            if algorithm == Algorithm::Separable {
                kernel = low_rank(&plan, &mut random, 2);
            }
            let clean = everywhere(&mut random, &plan, &image, &kernel).unwrap();
            if let HostVec::F32(image) = &mut image {
                for _ in 0..3 {
                    image[random.below(150 * 1100)] = value;
                }
            }
            let got = everywhere(&mut random, &plan, &image, &kernel).unwrap();
            let wanted = directly(&plan, &image, &kernel).unwrap();
            let (HostVec::F32(got), HostVec::F32(wanted), HostVec::F32(clean)) = (got, wanted, clean) else { panic!() };
            let mut same = 0;
            for ((got, wanted), clean) in got.iter().zip(&wanted).zip(&clean) {
                if !wanted.is_finite() || wanted.abs() > 1e30 {
                    assert!(
                        got.to_bits() == wanted.to_bits() || got.is_nan() && wanted.is_nan(),
                        "{algorithm} {value}: {got} for {wanted}"
                    );
                } else {
                    assert!((got - wanted).abs() < 1e-3, "{value}: {got} for {wanted}");
                }
                same += usize::from(got.to_bits() == clean.to_bits());
            }
            assert!(same > 40_000, "tiles without such a value are as before: {same}");
        }
    }
}

/// Kernels of so low a rank, in f32 or f64.
fn low_rank(plan: &ConvolvePlan, random: &mut Random, rank: usize) -> HostVec {
    let [_, height, width] = plan.kernel;
    let mut values = vec![];
    for _ in 0..plan.kernel_count() {
        let mut line = |n: usize| (0..n).map(|_| random.between(-2048, 2048) as f64 / 2048.0).collect::<Vec<_>>();
        let terms: Vec<_> = (0..rank).map(|_| (line(height), line(width))).collect();
        for y in 0..height {
            // Sums of products of 12-bit factors: exact in f32.
            values.extend((0..width).map(|x| terms.iter().map(|(column, row)| column[y] * row[x]).sum::<f64>()));
        }
    }
    if plan.kernel_dtype == Dtype::F32 {
        HostVec::F32(values.into_iter().map(|w| w as f32).collect())
    } else {
        HostVec::F64(values)
    }
}

#[test]
fn separable_keeps_its_bound_and_its_bits() {
    let mut random = Random(18);
    for (kernel, image) in [([9, 9], [97, 1025]), ([17, 30], [49, 257]), ([31, 13], [150, 70]), ([12, 12], [5, 7])] {
        for (count, rank, dtype) in [(1, 1, Dtype::F32), (1, 2, Dtype::F64), (5, 1, Dtype::F64), (7, 2, Dtype::F32)] {
            let direction = random.pick(&[Direction::Convolve, Direction::Correlate]);
            let how = Convolve::d2().boundary(random_boundary(&mut random, 1.0)).algorithm(Algorithm::Separable);
            let kernels = [count, kernel[0], kernel[1]];
            let plan = ConvolvePlan::new(&how, direction, (dtype, &image), (dtype, &kernels)).unwrap();
            let (image, _) = operands(&plan, &mut random, (0, 0));
            let kernel = low_rank(&plan, &mut random, rank);
            let got = everywhere(&mut random, &plan, &image, &kernel).unwrap();
            // The factors miss the kernel by 4 units, their products are up to 4 times as large, each pass rounds per tap.
            let units = 4.0 + 4.0 * (plan.kernel[1] + rank * plan.kernel[2] + 2) as f64;
            close(&plan, &got, &image, &kernel, units);
        }
    }
}

/// Many tiles, an odd number of them, and two images.
#[test]
fn fft_over_many_tiles() {
    let mut random = Random(19);
    for (rank, image, kernel) in
        [(2, vec![2, 700, 433], vec![9, 31]), (1, vec![20_011], vec![3, 57]), (3, vec![19, 80, 33], vec![5, 9, 6])]
    {
        let how = Convolve::rank(rank).same().boundary(Boundary::Mirror).algorithm(Algorithm::Fft);
        let plan = ConvolvePlan::new(&how, Direction::Convolve, (Dtype::F32, &image), (Dtype::F32, &kernel)).unwrap();
        let (image, kernel) = operands(&plan, &mut random, (0, 0));
        let got = everywhere(&mut random, &plan, &image, &kernel).unwrap();
        within_tile_norm(&plan, &got, &image, &kernel);
    }
}

/// Large kernels over small integers: whatever is taken is exact.
#[test]
fn the_choice_for_integers_is_exact() {
    let mut random = Random(21);
    for kernel in [[12, 12], [61, 61], [101, 99]] {
        let how = Convolve::d2().same().boundary(Boundary::Reflect).out_dtype(Dtype::I64);
        let plan = ConvolvePlan::new(&how, Direction::Convolve, (Dtype::U8, &[300, 257]), (Dtype::I8, &kernel)).unwrap();
        let (image, kernel) = operands(&plan, &mut random, (255, 127));
        let got = everywhere(&mut random, &plan, &image, &kernel).unwrap();
        assert_eq!(texts(&got), texts(&directly(&plan, &image, &kernel).unwrap()), "{plan:?}");
    }
}

/// What is chosen for a plan is chosen for its parts.
#[test]
fn a_choice_holds_for_all_parts() {
    let mut random = Random(20);
    for (image, kernel) in [([700, 600], [1, 25, 25]), ([300, 301], [20, 10, 10]), ([500, 499], [1, 64, 65])] {
        let how = Convolve::d2().same();
        let plan = ConvolvePlan::new(&how, Direction::Convolve, (Dtype::F32, &image), (Dtype::F32, &kernel)).unwrap();
        for low in [false, true] {
            let (image, mut kernel) = operands(&plan, &mut random, (0, 0));
            if low {
                kernel = low_rank(&plan, &mut random, 1);
            }
            let simd = *Simd::available().last().unwrap();
            let (image_shape, kernel_shape) = shapes(&plan);
            let (image_view, kernel_view) = (image.view(&image_shape), kernel.view(&kernel_shape));
            let whole = bytes_of(&packed(&plan, &image_view, &kernel_view, simd, 2).unwrap());
            let mut out = HostVec::zeros(Dtype::F32, plan.outputs()).unwrap();
            for rows in [0..1, 1..60, 60..plan.rows.end] {
                let part = plan.part(0..1, 0..plan.kernel_count(), rows);
                let target = Target::Host(out.view_mut(&plan.shape));
                crew(1).install(|| run(&part, image_view.clone(), kernel_view.clone(), target, simd, &Control::new())).unwrap();
            }
            assert_eq!(bytes_of(&out), whole, "{plan:?}");
        }
    }
}

#[test]
fn what_an_algorithm_cannot_do_is_an_error() {
    let mut random = Random(15);
    // Only the kernels themselves tell that theirs is no low rank.
    for (algorithm, dtype, foreseen, expected) in [
        (Algorithm::FastFir, Dtype::F32, true, "kernels of at least 4 taps along one of the last two axes for fast-fir"),
        (Algorithm::Separable, Dtype::F32, false, "float operands and 2-D kernels of low rank for separable"),
        (Algorithm::Separable, Dtype::I32, true, "float operands and 2-D kernels of low rank for separable"),
    ] {
        let how = Convolve::d2().algorithm(algorithm);
        let plan = ConvolvePlan::new(&how, Direction::Convolve, (dtype, &[9, 9]), (dtype, &[3, 3])).unwrap();
        let (image, kernel) = operands(&plan, &mut random, (5, 5));
        let error = packed(&plan, &image.view(&[9, 9]), &kernel.view(&[3, 3]), Simd::Portable, 1).unwrap_err();
        assert_eq!(error.to_string(), format!("algorithm: got {algorithm}, expected {expected}"));
        let said = super::super::explain(&plan, Simd::Portable, 1);
        assert!(said.contains(if foreseen { expected } else { "else refused" }), "{said}");
    }
}

/// `everywhere`, but the levels of SIMD apart: the transforms of lines are the processor's, whatever the level.
#[test]
fn fft_keeps_its_bound_and_its_bits() {
    let mut random = Random(16);
    for round in 0..30 {
        let dtype = if round % 3 == 0 { Dtype::F64 } else { Dtype::F32 };
        let plan = large_plan(&mut random, (dtype, dtype, None), Algorithm::Fft);
        let (image, kernel) = operands(&plan, &mut random, (0, 0));
        let got = everywhere(&mut random, &plan, &image, &kernel).unwrap();
        within_tile_norm(&plan, &got, &image, &kernel);
    }
}

/// Checks a result against `c·u·log₂N·‖k‖₂‖x‖₂` with the norm of the largest tiles there are.
fn within_tile_norm(plan: &ConvolvePlan, got: &HostVec, image: &HostVec, kernel: &HostVec) {
    let wide = |vec: &HostVec| match vec {
        HostVec::F32(vec) => vec.iter().map(|&x| f64::from(x)).collect(),
        HostVec::F64(vec) => vec.clone(),
        _ => panic!("no floats"),
    };
    let (got, image, kernel) = (wide(got), wide(image), wide(kernel));
    let (u, bytes) = if plan.out_dtype == Dtype::F32 { (f64::from(f32::EPSILON) / 2.0, 4) } else { (f64::EPSILON / 2.0, 8) };
    let n = super::super::fft::Tiles::choose(plan, bytes).len() as f64;
    let largest = image.iter().fold(plan.boundary.iter().map(|b| b.fill()).fold(0.0, f64::max), |m: f64, x| m.max(x.abs()));
    let taps: usize = plan.kernel.iter().product();
    let norm = kernel.chunks(taps).map(|k| k.iter().map(|w| w * w).sum::<f64>().sqrt()).fold(0.0, f64::max);
    // Two tiles of N elements, and as many sums along the depth as the kernel has slabs, whose norms add up in square.
    let bound = 3.0 * u * n.log2().max(1.0) * norm * (2.0 * n * plan.kernel[0] as f64).sqrt() * largest;
    let fills = plan.boundary.map(|b| b.fill());
    let wanted = oracle(plan, &image, &kernel, &fills, 0.0, |acc, x, w| x.mul_add(*w, acc));
    let worst = got.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(worst <= bound, "{worst:e} is beyond {bound:e} for {plan:?}");
}

#[test]
fn fft_is_exact_for_integers_or_says_no() {
    let mut random = Random(17);
    let (mut exact, mut refused) = (0, 0);
    for round in 0..30 {
        let dtype = random.pick(&[Dtype::U8, Dtype::I16, Dtype::I32]);
        let magnitudes = random.pick(&[(255, 9), (3000, 300), (1 << 30, 1 << 20)]);
        let plan = large_plan(&mut random, (dtype, Dtype::I32, Some(Dtype::I64)), Algorithm::Fft);
        let (image, kernel) = operands(&plan, &mut random, magnitudes);
        match (everywhere(&mut random, &plan, &image, &kernel), directly(&plan, &image, &kernel)) {
            (Ok(got), Ok(wanted)) => {
                assert_eq!(texts(&got), texts(&wanted), "{round}: {plan:?}");
                exact += 1;
            }
            (Err(error @ Error::Invalid { .. }), Ok(_)) => {
                assert!(error.to_string().contains("exact for integers of up to"), "{error}");
                refused += 1;
            }
            (got, wanted) => panic!("{got:?} instead of {wanted:?} for {plan:?}"),
        }
    }
    assert!(exact > 8 && refused > 3, "{exact} exact, {refused} refused");
}
