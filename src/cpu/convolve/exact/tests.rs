//! Every way to an exact result, on every SIMD level, against the fixed-point sums.

use super::super::compute;
use super::super::layout::packed;
use super::*;
use crate::{Accuracy, Boundary, Convolve, Direction, HostVec};
use ndarray::ArrayViewD;

fn bits(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
    let x = *state ^ (*state >> 29);
    x.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (x >> 32)
}

fn unit(state: &mut u64) -> f64 {
    (bits(state) as i64 >> 11) as f64 * 0.5f64.powi(52)
}

/// Data for each way, and some for several at once.
fn draw(kind: usize, state: &mut u64) -> f64 {
    match kind {
        // Nothing rounds.
        0 => (bits(state) % 256) as f64,
        1 => f64::from(unit(state) as f32),
        2 => unit(state),
        // Flat ground with an edge here and there.
        3 if !bits(state).is_multiple_of(16) => 0.1,
        3 => 0.7,
        // Beyond a pair.
        4 => unit(state) * 2f64.powi((bits(state) % 200) as i32 - 100),
        5 => unit(state) * 2f64.powi((bits(state) % 2000) as i32 - 1000),
        6 if bits(state).is_multiple_of(300) => [f64::INFINITY, f64::NEG_INFINITY, f64::NAN][bits(state) as usize % 3],
        6 => unit(state),
        7 if bits(state).is_multiple_of(4) => unit(state),
        7 => 0.0,
        // Beside the ends of binary32 and binary64.
        8 => unit(state) * 2f64.powi(-140),
        9 => unit(state) * 2f64.powi(127),
        _ => unit(state) * 2f64.powi(if bits(state).is_multiple_of(2) { -1070 } else { 1022 }),
    }
}

fn both(what: &str, plan: &ConvolvePlan, image: &View<'_>, kernel: &View<'_>) {
    let control = Control::new();
    let result = |run: &dyn Fn(Layout) -> Result<()>| {
        let mut vec = HostVec::zeros(plan.out_dtype, plan.outputs()).unwrap();
        run(packed(plan, &mut vec)).unwrap();
        let view = vec.view(&[plan.outputs()]);
        let mut bytes = vec![0; plan.outputs() * plan.out_dtype.size()];
        view.copy_to_bytes(&mut bytes);
        bytes
    };
    let expected = result(&|out| slow::run(plan, image, kernel, &out, &control));
    for simd in Simd::available() {
        let got = result(&|out| compute(plan, image, kernel, out, simd, &control));
        let size = plan.out_dtype.size();
        let first = got.chunks(size).zip(expected.chunks(size)).position(|(a, b)| a != b);
        let show = |bytes: &[u8]| first.map(|i| bytes[i * size..][..size].to_vec());
        assert!(first.is_none(), "{what} {simd:?}: output {first:?} is {:?}, not {:?}", show(&got), show(&expected));
    }
}

#[test]
fn every_way_gives_the_exact_result_rounded_once() {
    let mut state = 3;
    for image_kind in 0..11 {
        for kernel_kind in 0..11 {
            let rank = 1 + (image_kind + kernel_kind) % 3;
            let image_shape = [vec![2, 301], vec![23, 71], vec![3, 9, 21]][rank - 1].clone();
            let kernel_shape = [vec![7, 13], vec![7, 5, 3], vec![2, 2, 3, 4]][rank - 1].clone();
            let boundary = [Boundary::Constant(0.1), Boundary::Reflect, Boundary::Wrap][image_kind % 3];
            let how = Convolve::rank(rank).accuracy(Accuracy::Exact).boundary(boundary);
            let mut values = |shape: &[usize], kind| (0..shape.iter().product()).map(|_| draw(kind, &mut state)).collect();
            let image: Vec<f64> = values(&image_shape, image_kind);
            let mut kernel: Vec<f64> = values(&kernel_shape, kernel_kind);
            if kernel_kind % 2 == 1 {
                let one: usize = kernel_shape[1..].iter().product();
                for kernel in kernel.chunks_mut(one) {
                    (0..one / 2).for_each(|i| kernel[one - 1 - i] = -kernel[i]);
                }
            }
            let [single, single_kernel] = [&image, &kernel].map(|v| v.iter().map(|&x| x as f32).collect::<Vec<_>>());
            for out in [Dtype::F32, Dtype::F64, Dtype::I16, Dtype::Bool] {
                let plan = |dtype| {
                    let how = how.clone().out_dtype(out);
                    ConvolvePlan::new(&how, Direction::Convolve, (dtype, &image_shape), (dtype, &kernel_shape)).unwrap()
                };
                let what = format!("kinds {image_kind} and {kernel_kind} to {out}");
                let double = |x, shape| View::from_ndarray(ArrayViewD::<f64>::from_shape(shape, x).unwrap());
                let float = |x, shape| View::from_ndarray(ArrayViewD::<f32>::from_shape(shape, x).unwrap());
                both(&what, &plan(Dtype::F64), &double(&image, &image_shape[..]), &double(&kernel, &kernel_shape[..]));
                both(&what, &plan(Dtype::F32), &float(&single, &image_shape[..]), &float(&single_kernel, &kernel_shape[..]));
            }
        }
    }
}

#[test]
fn channels_strides_and_dilations_are_summed_exactly() {
    let mut state = 5;
    for kind in 0..8 {
        let (image_shape, kernel_shape) = ([2, 6, 19, 37], [4, 3, 3, 2]);
        let mut values = |shape: &[usize], kind| (0..shape.iter().product()).map(|_| draw(kind, &mut state)).collect();
        let image: Vec<f64> = values(&image_shape, kind);
        let kernel: Vec<f64> = values(&kernel_shape, if kind == 3 { 2 } else { kind });
        let single: Vec<f32> = image.iter().map(|&x| x as f32).collect();
        let single_kernel: Vec<f32> = kernel.iter().map(|&x| x as f32).collect();
        for (stride, dilation) in [(1, 1), (2, 1), (1, 3), (3, 2)] {
            let how = Convolve::d2().same().groups(2).stride(&[stride]).dilation(&[dilation]).boundary(Boundary::Reflect);
            let how = how.accuracy(Accuracy::Exact);
            let plan =
                |dtype| ConvolvePlan::new(&how, Direction::Correlate, (dtype, &image_shape), (dtype, &kernel_shape)).unwrap();
            let what = format!("kind {kind}, stride {stride}, dilation {dilation}");
            let double = |x, shape| View::from_ndarray(ArrayViewD::<f64>::from_shape(shape, x).unwrap());
            let float = |x, shape| View::from_ndarray(ArrayViewD::<f32>::from_shape(shape, x).unwrap());
            both(&what, &plan(Dtype::F64), &double(&image, &image_shape[..]), &double(&kernel, &kernel_shape[..]));
            both(&what, &plan(Dtype::F32), &float(&single, &image_shape[..]), &float(&single_kernel, &kernel_shape[..]));
        }
    }
}
