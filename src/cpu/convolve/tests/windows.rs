//! Single small kernels whose results are large: other ways than those of small results, with the same bits.

use super::*;

fn agree<T: Number + Element + num_traits::FromPrimitive>(bits: fn(T) -> u64) {
    let mut random = Random(77);
    let same = Convolve::d2().same();
    for (k, how, shape) in [
        (3, same.clone().boundary(Boundary::Reflect), &[1500, 1501][..]),
        (3, same.clone().boundary(Boundary::Constant(1.5)), &[1400, 1600]),
        (3, Convolve::d2().valid(), &[2, 601, 2003]),
        (5, Convolve::d2().full(), &[1021, 2100]),
        (5, same.clone().boundary(Boundary::Wrap), &[260, 9001]),
        (5, same.boundary(Boundary::Mirror).origin(&[2, -1]), &[1301, 1664]),
    ] {
        let number = |x: f64| T::from_f64(x).unwrap();
        let image: Vec<T> = (0..shape.iter().product()).map(|_| number(float(&mut random))).collect();
        let kernel: Vec<T> = (0..k * k).map(|_| number(float(&mut random))).collect();
        let how = how.algorithm(crate::Algorithm::Direct);
        let plan = ConvolvePlan::new(&how, Direction::Convolve, (T::DTYPE, shape), (T::DTYPE, &[k, k])).unwrap();
        assert!(plan.outputs() * size_of::<T>() > super::super::STREAM_BYTES);
        let fill = plan.boundary.map(|boundary| number(boundary.fill()));
        let wanted = oracle(&plan, &image, &kernel, &fill, number(0.0), |acc, x, w| x.mul_add(*w, acc));
        let image = ArrayD::from_shape_vec(IxDyn(shape), image).unwrap();
        let kernel = ArrayD::from_shape_vec(IxDyn(&[k, k]), kernel).unwrap();
        let (image, kernel) = (View::from_ndarray(image.view()), View::from_ndarray(kernel.view()));
        for (simd, leave) in
            Simd::available().into_iter().rev().take(2).flat_map(|simd| LEAVES[1..].iter().map(move |leave| (simd, *leave)))
        {
            let agrees = |got: &[T], what: &str| {
                let first = got.iter().zip(&wanted).position(|(&a, &b)| bits(a) != bits(b));
                assert_eq!(first, None, "{what}: {simd:?} {leave:?} {plan:?}");
            };
            for threads in [1, 3] {
                let whole = store::asked(leave, || packed(&plan, &image, &kernel, simd, threads).unwrap());
                agrees(&vec_of::<T>(whole), "whole");
            }
            // Into memory that begins elsewhere in a cache line, in parts, one of which is large.
            for (skipped, cut) in [(3, 40), (16, plan.rows.end - 30)] {
                let mut memory = vec![number(7.0); plan.outputs() + 40];
                for rows in [0..cut, cut..plan.rows.end] {
                    let target = &mut memory[skipped..skipped + plan.outputs()];
                    let out = ndarray::ArrayViewMutD::from_shape(IxDyn(&plan.shape), target).unwrap();
                    let part = plan.part(plan.images.clone(), plan.kernels.clone(), rows);
                    let target = Target::Host(ViewMut::from_ndarray(out));
                    let work = || run(&part, image.clone(), kernel.clone(), target, simd, &Control::new());
                    crew(2).install(|| store::asked(leave, work)).unwrap();
                }
                let mut beside = memory[..skipped].iter().chain(&memory[skipped + plan.outputs()..]);
                assert!(beside.all(|&x| x == number(7.0)), "written beside the result: {plan:?}");
                agrees(&memory[skipped..skipped + plan.outputs()], "parts");
            }
        }
    }
}

#[test]
fn small_kernels_of_large_images_agree_with_the_order_of_operations() {
    agree::<f32>(|x| x.to_bits().into());
    agree::<f64>(f64::to_bits);
}
