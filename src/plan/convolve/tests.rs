use super::*;

fn plan(how: Convolve, image: &[usize], kernel: &[usize]) -> Result<ConvolvePlan> {
    ConvolvePlan::new(&how, Direction::Convolve, (Dtype::F32, image), (Dtype::F32, kernel))
}

#[test]
fn boundaries_repeat_for_ever() {
    let line = |b: Boundary, n| (-9..12).map(|i| b.source(i, n).map_or(-1, |s| s as i32)).collect::<Vec<_>>();
    assert_eq!(line(Boundary::Reflect, 3), [2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1, 2, 2, 1, 0]);
    assert_eq!(line(Boundary::Mirror, 3), [1, 0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2, 1]);
    assert_eq!(line(Boundary::Wrap, 3), [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]);
    assert_eq!(line(Boundary::Nearest, 2)[..12], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
    assert_eq!(line(Boundary::Mirror, 1), [0; 21]);
}

#[test]
fn shapes_follow_scipy() {
    let p = plan(Convolve::d2(), &[5, 7, 9], &[4, 3, 2]).unwrap();
    assert_eq!((p.shape, p.start), (vec![5, 4, 9, 10], [0, -2, -1]));
    let p = plan(Convolve::d2().same(), &[7, 9], &[4, 3]).unwrap();
    assert_eq!((p.shape, p.start), (vec![7, 9], [0, -2, -1]));
    let p = plan(Convolve::d1().valid(), &[9], &[4]).unwrap();
    assert_eq!((p.shape, p.start), (vec![6], [0, 0, 0]));
    let p = plan(Convolve::d1().valid(), &[4], &[9]).unwrap();
    assert_eq!((p.shape, p.start), (vec![6], [0, 0, -5]));
}

#[test]
fn what_cannot_be_said_is_refused() {
    let text = |r: Result<ConvolvePlan>| r.unwrap_err().to_string();
    assert_eq!(text(plan(Convolve::rank(4), &[1; 4], &[1; 4])), "convolution rank: got 4, expected 1, 2 or 3");
    assert!(text(plan(Convolve::d2(), &[5], &[3, 3])).starts_with("image shape: got [5], expected at least 2 axes"));
    assert!(text(plan(Convolve::d2(), &[5, 0], &[3, 3])).contains("longer than 0"));
    assert!(text(plan(Convolve::d2().valid(), &[5, 2], &[3, 3])).contains("at least as large"));
    assert!(text(plan(Convolve::d2().boundaries(&[Boundary::Wrap; 3]), &[5, 5], &[3, 3])).contains("boundaries"));
    let how = Convolve::d1().boundary(Boundary::Constant(256.0));
    let plan = ConvolvePlan::new(&how, Direction::Convolve, (Dtype::U8, &[5]), (Dtype::U8, &[3]));
    assert_eq!(text(plan), "boundary value: got 256, expected a value of uint8, the image's dtype");
}

#[test]
fn names_are_read_with_their_aliases() {
    assert_eq!("BORDER_REFLECT_101".parse::<Boundary>().unwrap(), Boundary::Mirror);
    assert_eq!("symm".parse::<Boundary>().unwrap(), Boundary::Reflect);
    assert_eq!("constant:2.5".parse::<Boundary>().unwrap(), Boundary::Constant(2.5));
    let complex = Boundary::ConstantComplex(1.5, -2.0);
    assert_eq!("constant:1.5-2j".parse::<Boundary>().unwrap(), complex);
    assert_eq!(complex.to_string(), "constant:1.5-2j");
    assert!("constant:z".parse::<Boundary>().unwrap_err().to_string().contains("\"z\""));
    let text = plan(Convolve::d1().boundary(complex), &[3], &[2]).unwrap_err().to_string();
    assert!(text.starts_with("boundary value: got constant:1.5-2j, expected a real number: the images are"), "{text}");
    for algorithm in [Algorithm::Auto, Algorithm::Direct, Algorithm::Separable, Algorithm::FastFir, Algorithm::Fft] {
        assert_eq!(algorithm.to_string().parse::<Algorithm>().unwrap(), algorithm);
    }
    assert_eq!("Fast_FIR".parse::<Algorithm>().unwrap(), Algorithm::FastFir);
    assert!("winograd".parse::<Algorithm>().unwrap_err().to_string().contains("fast-fir or fft"));
    assert!("round".parse::<Boundary>().unwrap_err().to_string().contains("\"round\""));
}

#[test]
fn a_split_covers_every_output_once() {
    for (image, kernel) in [(&[40, 3, 5][..], &[2, 3, 3][..]), (&[9, 9], &[7, 3, 3]), (&[33, 5], &[3, 3]), (&[33], &[3])] {
        let how = Convolve::rank(if image.len() == 1 { 1 } else { 2 });
        let whole = plan(how, image, kernel).unwrap();
        for weights in [&[1.0][..], &[1.0, 3.0], &[0.0, 1.0, 1e-9], &[2.0, 1.0, 1.0, 5.0]] {
            let parts = whole.split(weights);
            assert_eq!(parts.len(), weights.len());
            assert_eq!(parts.iter().map(ConvolvePlan::outputs).sum::<usize>(), whole.outputs());
        }
    }
}

#[test]
fn accuracy_admits_only_algorithms_that_have_it() {
    for accuracy in [Accuracy::Elementwise, Accuracy::Exact] {
        let how = Convolve::d2().accuracy(accuracy);
        for algorithm in [Algorithm::Separable, Algorithm::FastFir, Algorithm::Fft] {
            let text = plan(how.clone().algorithm(algorithm), &[9, 9], &[3, 3]).unwrap_err().to_string();
            assert_eq!(text, format!("algorithm: got {algorithm}, expected direct or auto for {accuracy} accuracy"));
        }
        assert_eq!(plan(how.algorithm(Algorithm::Direct), &[9, 9], &[3, 3]).unwrap().accuracy, accuracy);
        assert_eq!(accuracy.to_string().parse(), Ok(accuracy));
    }
}

#[test]
fn the_centre_is_scipys() {
    let start = |centre, direction, k: usize, origin| {
        let how = Convolve::d1().same().centre(centre).origin(&[origin]);
        ConvolvePlan::new(&how, direction, (Dtype::F32, &[9]), (Dtype::F32, &[k])).unwrap().start[2]
    };
    use Direction::{Convolve as Conv, Correlate as Corr};
    for (centre, direction, starts) in [
        (Centre::Signal, Conv, [-2, -2]),
        (Centre::Signal, Corr, [-2, -2]),
        (Centre::Signal2d, Conv, [-2, -2]),
        (Centre::Signal2d, Corr, [-1, -2]),
        (Centre::Ndimage, Conv, [-1, -2]),
        (Centre::Ndimage, Corr, [-2, -2]),
    ] {
        assert_eq!([4, 5].map(|k| start(centre, direction, k, 0)), starts, "{centre} {direction:?}");
        let shift = if direction == Conv { 1 } else { -1 };
        assert_eq!([4, 5].map(|k| start(centre, direction, k, 1)), starts.map(|s| s + shift), "{centre} {direction:?}");
    }
}

#[test]
fn strides_dilations_and_channels_have_the_shapes_of_pytorch() {
    // torch.nn.functional.conv2d(x, w, stride=(2, 3), dilation=(1, 2), groups=2)
    let how = Convolve::d2().valid().stride(&[2, 3]).dilation(&[1, 2]).groups(2);
    let p = plan(how, &[5, 6, 20, 31], &[8, 3, 4, 5]).unwrap();
    assert_eq!((p.shape.clone(), p.channels, p.groups, p.start), (vec![5, 8, 9, 8], 3, 2, [0; 3]));
    assert_eq!((p.image_shape(), p.kernel_shape()), (vec![5, 6, 20, 31], vec![8, 3, 4, 5]));
    assert_eq!(p.work(), (5 * 8 * 9 * 8 * 3 * 20) as u64);
    let p = plan(Convolve::d1().stride(&[4]).dilation(&[3]), &[10], &[3]).unwrap();
    assert_eq!((p.shape.clone(), p.start), (vec![4], [0, 0, -6]));
    assert!(!p.is_plain());
    let p = plan(Convolve::d1().same().stride(&[99]).dilation(&[9]), &[10], &[1]).unwrap();
    assert_eq!((p.shape.clone(), p.stride, p.dilation), (vec![1], [1, 1, 10], [1; 3]));
    let p = plan(Convolve::d1().groups(1), &[3, 10], &[3, 4]).unwrap();
    assert_eq!(p.shape, [13], "a kernel without leading axes is one kernel");
}

#[test]
fn what_does_not_match_is_refused() {
    let text = |how, image: &[usize], kernel: &[usize]| plan(how, image, kernel).unwrap_err().to_string();
    let d1 = Convolve::d1;
    assert_eq!(text(d1().same().origin(&[2]), &[9], &[4]), "origin: got 2, expected -2..=1 for a kernel of length 4");
    assert_eq!(text(d1().same().origin(&[-3]), &[9], &[5]), "origin: got -3, expected -2..=2 for a kernel of length 5");
    assert_eq!(
        text(d1().origin(&[1]), &[9], &[4]),
        "origin: got [1] in full mode, expected 0: an origin shifts the centre of same mode"
    );
    assert_eq!(text(d1().origin(&[0, 0]), &[9], &[4]), "origins: got 2 of them, expected 1");
    assert_eq!(text(Convolve::d2().stride(&[1; 3]), &[9, 9], &[4, 4]), "strides: got 3 of them, expected 1 or 2");
    assert_eq!(text(d1().stride(&[0]), &[9], &[4]), "stride: got 0, expected at least 1");
    assert!(text(d1().dilation(&[0]), &[9], &[1]).starts_with("dilation: got 0 for 1 taps, expected at least 1"));
    assert!(text(d1().dilation(&[usize::MAX]), &[9], &[3]).contains("span less than"));
    assert_eq!(
        text(Convolve::d2().valid().dilation(&[1, 4]), &[9, 8], &[3, 3]),
        "shapes in valid mode: got image [9, 8] and kernel [3, 3], expected one of them, dilation included, at least as large as the other along every axis"
    );
    assert!(text(d1().groups(1), &[9], &[1, 4]).starts_with("image shape: got [9], expected at least 2 axes"));
    assert!(text(d1().groups(1), &[0, 9], &[1, 4]).contains("channels and spatial axes longer than 0"));
    assert_eq!(text(d1().groups(0), &[6, 9], &[4, 3, 4]), "groups: got 0, expected a divisor of the 6 channels of images [6, 9]");
    assert_eq!(text(d1().groups(4), &[6, 9], &[4, 3, 4]), "groups: got 4, expected a divisor of the 6 channels of images [6, 9]");
    assert_eq!(
        text(d1().groups(3), &[6, 9], &[4, 3, 4]),
        "kernel shape: got [4, 3, 4], expected 2 channels: images [6, 9] have 6, in groups: 3"
    );
    assert_eq!(
        text(d1().groups(2), &[6, 9], &[5, 3, 4]),
        "kernel shape: got [5, 3, 4], expected kernels in a multiple of the groups, 2"
    );
    let wraps = d1().overflow(Overflow::Wrap).out_dtype(Dtype::U8);
    assert_eq!(
        text(wraps, &[9], &[4]),
        "overflow: got wrap for float32 and float32, expected error or saturate: floats are rounded and saturated"
    );
}

#[test]
fn what_wraps_needs_no_wide_sums() {
    let how = |out| Convolve::d1().overflow(Overflow::Wrap).out_dtype(out);
    let of = |out| ConvolvePlan::new(&how(out), Direction::Convolve, (Dtype::I64, &[5]), (Dtype::I64, &[3])).unwrap();
    assert_eq!(of(Dtype::U8).accumulator(u128::MAX), Accumulator::I32);
    assert_eq!(of(Dtype::I64).accumulator(u128::MAX), Accumulator::I64);
    assert_eq!(of(Dtype::F64).accumulator(u128::MAX), Accumulator::Wide);
    assert_eq!(of(Dtype::Bool).accumulator(u128::MAX), Accumulator::Wide);
    assert!(of(Dtype::I8).always_fits(u128::MAX));
}
