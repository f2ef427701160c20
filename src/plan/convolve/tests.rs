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
