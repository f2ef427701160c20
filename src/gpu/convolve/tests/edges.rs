//! Lengths, kernels and results at the edges of what a device does at once; roundings; what is not finite; the result's way.

use super::*;

/// Integers small enough for any arithmetic, all results compared.
fn small_integers(context: &Arc<Context>, plan: &ConvolvePlan, most: i128, seed: u64) {
    let mut random = Random(seed);
    let lens = shapes(plan).map(|shape| shape.iter().product::<usize>());
    let mut values = |dtype, n| (0..n).map(|_| random.integer(dtype, most)).collect::<Vec<i128>>();
    let (image, kernel) = (values(plan.image_dtype, lens[0]), values(plan.kernel_dtype, lens[1]));
    let narrow = |values: &[i128]| values.iter().map(|&v| v as i64).collect::<Vec<i64>>();
    let fold = |acc: i64, x: i64, w: i64| acc + x * w;
    let wanted = oracle(plan, &narrow(&image), &narrow(&kernel), |fill| fill as i64, 0, fold);
    let wanted: Vec<i128> = wanted.into_iter().map(i128::from).collect();
    let found =
        run_part(context, plan, &integers(plan.image_dtype, &image), &integers(plan.kernel_dtype, &kernel), Manner::PLAIN);
    assert!(found == Ok(integers(plan.out_dtype, &wanted)), "{} {plan:?}", context.id);
}

fn integer_plan(how: Convolve, dtypes: [Dtype; 3], image: &[usize], kernel: &[usize]) -> ConvolvePlan {
    let how = how.out_dtype(dtypes[2]);
    ConvolvePlan::new(&how, Direction::Convolve, (dtypes[0], image), (dtypes[1], kernel)).unwrap()
}

#[test]
fn lengths_around_a_tile_are_covered() {
    for engine in engines() {
        let context = engine.context().unwrap();
        for width in [31, 32, 33, 63, 64, 65, 127, 129] {
            for height in [1, 7, 8, 9, 31, 33] {
                for kernel in [&[3, 5][..], &[4, 2, 3]] {
                    let plan = integer_plan(Convolve::d2().same(), [Dtype::I16, Dtype::I8, Dtype::I32], &[height, width], kernel);
                    small_integers(&context, &plan, 20, (width * height) as u64);
                }
            }
        }
        // A photograph: prime lengths, three channels, mirrored.
        let how = Convolve::d2().same().boundary(Boundary::Reflect);
        let plan = integer_plan(how, [Dtype::U8, Dtype::U8, Dtype::U16], &[3, 211, 317], &[5, 5]);
        small_integers(&context, &plan, 255 / 25, 1);
    }
}

/// Kernels far larger than a tile, with more taps than one dispatch takes.
#[test]
fn huge_kernels_are_sliced() {
    for engine in engines() {
        let context = engine.context().unwrap();
        let cases: [(Convolve, &[usize], &[usize]); 4] = [
            (Convolve::d1().valid(), &[100_100], &[100_003]),
            (Convolve::d1().valid(), &[100_050], &[4, 100_003]),
            (Convolve::d2().valid(), &[205, 230], &[200, 200]),
            (Convolve::d3().valid(), &[22, 45, 50], &[20, 41, 43]),
        ];
        for (how, image, kernel) in cases {
            let plan = integer_plan(how, [Dtype::I8, Dtype::I8, Dtype::I32], image, kernel);
            small_integers(&context, &plan, 1, 5);
            assert!(plan.kernel.iter().product::<usize>() > 32_768);
        }
        // 64-bit sums: without 64-bit integers, one loop iteration per tap.
        let plan = integer_plan(Convolve::d1().valid(), [Dtype::I32, Dtype::I32, Dtype::I64], &[41_050], &[41_003]);
        small_integers(&context, &plan, 1 << 20, 6);
    }
}

/// A result larger than a binding of lavapipe, left on the device: several segments.
#[test]
fn a_result_larger_than_a_binding_is_cut_into_segments() {
    for engine in engines() {
        let context = engine.context().unwrap();
        let (height, width, kernels) = (1200, 1901, 16);
        let image: Vec<u8> = (0..height * width).map(|i| (i * 7 + i / width) as u8).collect();
        let kernel: Vec<i16> = (0..kernels as i16).map(|k| 3 * k - 20).collect();
        let plan = integer_plan(Convolve::d2(), [Dtype::U8, Dtype::I16, Dtype::I32], &[height, width], &[kernels, 1, 1]);
        let (image, kernel) = (HostVec::U8(image), HostVec::I16(kernel));
        let before = engine.counters();
        let target = Target::Device(None);
        let inputs = [Input::Host(image.view(&[height, width])), Input::Host(kernel.view(&[kernels, 1, 1]))];
        let storage = run(&context, &plan, &inputs[0], &inputs[1], target, &Control::new()).unwrap().unwrap();
        assert_eq!(engine.counters().downloaded, before.downloaded, "a result that stays was moved");
        let Storage::Gpu(buffer) = &storage else { panic!("not on the device") };
        let together = (context.max_block() / 4) as usize / (height * width);
        assert_eq!(buffer.segments().len(), kernels.div_ceil(together));
        let mut found = vec![0i32; plan.outputs()];
        buffer.download(crate::ViewMut::from_slice(&mut found)).unwrap();
        let (HostVec::U8(image), HostVec::I16(kernel)) = (&image, &kernel) else { unreachable!() };
        for (found, &w) in found.chunks(height * width).zip(kernel) {
            assert!(found.iter().zip(image).all(|(&y, &x)| y == i32::from(x) * i32::from(w)), "{} {w}", context.id);
        }
    }
}

/// The memory of a result that nobody else holds serves the next; one that is still read is left alone.
#[test]
fn results_reuse_the_memory_of_earlier_ones() {
    for engine in engines() {
        let context = engine.context().unwrap();
        let plan = integer_plan(Convolve::d1(), [Dtype::I8, Dtype::I8, Dtype::I32], &[5000], &[3]);
        let kernel = HostVec::I8(vec![1, 2, 3]);
        let go = |value: i8, old: Option<Storage>| {
            let image = HostVec::I8(vec![value; 5000]);
            let inputs = [Input::Host(image.view(&[5000])), Input::Host(kernel.view(&[3]))];
            run(&context, &plan, &inputs[0], &inputs[1], Target::Device(old), &Control::new()).unwrap().unwrap()
        };
        let middle = |storage: &Storage| {
            let Storage::Gpu(buffer) = storage else { panic!("not on the device") };
            let mut found = vec![0i32; plan.outputs()];
            buffer.download(crate::ViewMut::from_slice(&mut found)).unwrap();
            found[2500]
        };
        let first = go(1, None);
        let second = go(5, Some(first.clone()));
        assert_eq!((middle(&first), middle(&second)), (6, 30), "{}", context.id);
        let third = go(-7, Some(second));
        assert_eq!((middle(&first), middle(&third)), (6, -42), "{}", context.id);
    }
}

/// Results of a 1-tap kernel of weight 1: the way from float sums to every dtype.
#[test]
fn floats_are_rounded_half_to_even_and_saturated() {
    let mut values: Vec<f64> =
        [0.0, 0.4, 0.5, 0.6, 1.5, 2.5, 3.5, 126.5, 127.5, 254.5, 255.5, 65534.5, 2147483520.0, 4294967040.0]
            .into_iter()
            .flat_map(|v: f64| [v, -v])
            .collect();
    values.extend([
        2f64.powi(31),
        2f64.powi(32),
        2f64.powi(63),
        -2f64.powi(63),
        2f64.powi(64),
        1e30,
        -1e30,
        8388609.0,
        -8388607.5,
    ]);
    values.extend([f64::INFINITY, f64::NEG_INFINITY, f64::NAN]);
    for engine in engines() {
        let context = engine.context().unwrap();
        for dtype in [Dtype::F32, Dtype::F64] {
            if dtype == Dtype::F64 {
                if !context.caps.f64 {
                    continue;
                }
                // Beyond binary32: its halfway cases, its subnormals, its overflow.
                let half = 2f64.powi(-24);
                values.extend([1.0 + half, 1.0 + 3.0 * half, 1.0 + half + 1e-15, 1e-40, -1.1e-42, 2f64.powi(-150), 1e-50]);
                values.extend([f64::from(f32::MAX) * (1.0 + half / 2.0), f64::from(f32::MAX) * (1.0 + half), 1e300]);
                values.extend([9007199254740993.0, 4503599627370497.5, -4503599627370496.5, 1e19]);
            }
            let image = with_dtype!(dtype, T => vec_of(values.iter().map(|&v| <T as Cast>::of_float(v))));
            let kernel = with_dtype!(dtype, T => vec_of(std::iter::once(<T as Cast>::of(1))));
            for out in Dtype::ALL {
                if dtype == Dtype::F32 && out == Dtype::F64 {
                    continue;
                }
                let how = Convolve::d1().out_dtype(out);
                let plan = ConvolvePlan::new(&how, Direction::Convolve, (dtype, &[values.len()]), (dtype, &[1])).unwrap();
                let found = run_part(&context, &plan, &image, &kernel, Manner::PLAIN).unwrap();
                let wanted = floats(&image).into_iter().map(|v| if out.is_float() { v } else { v.round_ties_even() });
                let wanted = match out {
                    Dtype::Bool => HostVec::Bool(floats(&image).into_iter().map(|v| v != 0.0).collect()),
                    _ => with_dtype!(out, T => vec_of(wanted.map(<T as Cast>::of_float))),
                };
                for (i, (found, wanted)) in floats(&found).into_iter().zip(floats(&wanted)).enumerate() {
                    let same = found == wanted || (found.is_nan() && wanted.is_nan());
                    assert!(same, "{} {dtype} {out}: {} gave {found}, not {wanted}", context.id, values[i]);
                }
            }
        }
    }
}

/// What is not finite reaches the results whose taps read it, and no others: lengths that are no multiple of a vector, and
/// kernels that are no multiple of a bank, multiply nothing that is not there.
#[test]
fn infinities_and_nan_stay_where_they_belong() {
    for engine in engines() {
        let context = engine.context().unwrap();
        for (kernels, taps) in [(1, 5), (1, 6), (1, 7), (3, 5), (4, 6), (4, 7), (7, 3)] {
            for bad in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
                let mut image = vec![1f32; 200];
                image[93] = bad;
                let shapes: [&[usize]; 2] = [&[2, 100], &[kernels, 1, taps]];
                let plan = ConvolvePlan::new(
                    &Convolve::d2().valid(),
                    Direction::Correlate,
                    (Dtype::F32, shapes[0]),
                    (Dtype::F32, shapes[1]),
                )
                .unwrap();
                let kernel = HostVec::F32(vec![2.0; kernels * taps]);
                let found = run_part(&context, &plan, &HostVec::F32(image), &kernel, Manner::PLAIN).unwrap();
                let width = 101 - taps;
                for (i, v) in floats(&found).into_iter().enumerate() {
                    let (row, x) = (i / width % 2, i % width);
                    let reads = row == 0 && (x..x + taps).contains(&93);
                    let wanted = if reads { f64::from(bad) } else { 2.0 * taps as f64 };
                    assert!(v == wanted || (v.is_nan() && wanted.is_nan()), "{} {kernels}x{taps} {i}: {v}", context.id);
                }
            }
        }
    }
}

#[test]
fn cancelled_work_ends_with_its_error() {
    for engine in engines() {
        let context = engine.context().unwrap();
        let plan = integer_plan(Convolve::d1(), [Dtype::I8, Dtype::I8, Dtype::I32], &[100], &[3]);
        let control = Control::new();
        control.cancel();
        let (image, kernel) = (HostVec::I8(vec![1; 100]), HostVec::I8(vec![1; 3]));
        let inputs = [Input::Host(image.view(&[100])), Input::Host(kernel.view(&[3]))];
        let result = run(&context, &plan, &inputs[0], &inputs[1], Target::Device(None), &control);
        assert!(matches!(result, Err(Error::Cancelled { .. })), "{result:?}");
    }
}
