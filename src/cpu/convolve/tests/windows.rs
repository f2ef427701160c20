//! Single small kernels whose results go past the caches: other ways than those of small results, with the same bits.

use super::*;

#[test]
fn small_kernels_of_large_images_agree_with_the_order_of_operations() {
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
        let image: Vec<f32> = (0..shape.iter().product()).map(|_| float(&mut random) as f32).collect();
        let kernel: Vec<f32> = (0..k * k).map(|_| float(&mut random) as f32).collect();
        let how = how.algorithm(crate::Algorithm::Direct);
        let plan = ConvolvePlan::new(&how, Direction::Convolve, (Dtype::F32, shape), (Dtype::F32, &[k, k])).unwrap();
        assert!(plan.outputs() * 4 > super::super::STREAM_BYTES);
        let fill = plan.boundary.map(|boundary| boundary.fill() as f32);
        let wanted = oracle(&plan, &image, &kernel, &fill, 0f32, |acc, x, w| x.mul_add(*w, acc));
        let image = ArrayD::from_shape_vec(IxDyn(shape), image).unwrap();
        let kernel = ArrayD::from_shape_vec(IxDyn(&[k, k]), kernel).unwrap();
        let (image, kernel) = (View::from_ndarray(image.view()), View::from_ndarray(kernel.view()));
        let simd = *Simd::available().last().unwrap();
        let agrees = |got: &[f32], what: &str| {
            let first = got.iter().zip(&wanted).position(|(a, b)| a.to_bits() != b.to_bits());
            assert_eq!(first, None, "{what}: {plan:?}");
        };
        for threads in [1, 3] {
            agrees(&vec_of::<f32>(packed(&plan, &image, &kernel, simd, threads).unwrap()), "whole");
        }
        // Into memory that begins elsewhere in a cache line, in parts, one of which is large.
        for (skipped, cut) in [(3, 40), (16, plan.rows.end - 30)] {
            let mut memory = vec![7f32; plan.outputs() + 40];
            for rows in [0..cut, cut..plan.rows.end] {
                let target = &mut memory[skipped..skipped + plan.outputs()];
                let out = ndarray::ArrayViewMutD::from_shape(IxDyn(&plan.shape), target).unwrap();
                let part = plan.part(plan.images.clone(), plan.kernels.clone(), rows);
                let target = Target::Host(ViewMut::from_ndarray(out));
                crew(2).install(|| run(&part, image.clone(), kernel.clone(), target, simd, &Control::new())).unwrap();
            }
            let mut beside = memory[..skipped].iter().chain(&memory[skipped + plan.outputs()..]);
            assert!(beside.all(|&x| x == 7.0), "written beside the result: {plan:?}");
            agrees(&memory[skipped..skipped + plan.outputs()], "parts");
        }
    }
}
