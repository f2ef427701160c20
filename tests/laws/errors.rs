//! Every error that a request can provoke: its kind, and a text that names what was given and what was expected.

use ndarray::Array2;
use unisono::{AsOperand, Backend, Boundary, Convolve, Dtype, Error, Mode, Reduce, ReduceOp};

use crate::devices;

fn text<T: std::fmt::Debug>(result: unisono::Result<T>) -> String {
    result.expect_err("must be refused").to_string()
}

#[test]
fn shapes_and_axes() {
    let image = Array2::<f32>::zeros((4, 5));
    for backend in devices::all() {
        let convolve = |image: &Array2<f32>, kernel: &Array2<f32>, how: &Convolve| text(backend.convolve(image, kernel, how));
        let none = Array2::<f32>::zeros((0, 3));
        assert_eq!(
            convolve(&image, &image, &Convolve::d3()),
            "image shape: got [4, 5], expected at least 3 axes for a 3-d convolution"
        );
        assert_eq!(convolve(&image, &none, &Convolve::d2()), "kernel shape: got [0, 3], expected spatial axes longer than 0");
        assert_eq!(convolve(&none, &image, &Convolve::d2()), "image shape: got [0, 3], expected spatial axes longer than 0");
        assert_eq!(convolve(&image, &image, &Convolve::rank(0)), "convolution rank: got 0, expected 1, 2 or 3");
        let tall = Array2::<f32>::zeros((9, 2));
        assert_eq!(
            convolve(&image, &tall, &Convolve::d2().valid()),
            "shapes in valid mode: got image [4, 5] and kernel [9, 2], expected one of them at least as large as the other along every axis"
        );
        assert_eq!(
            convolve(&image, &image, &Convolve::d2().boundaries(&[Boundary::Wrap; 3])),
            "boundaries: got 3 of them, expected 1 or 2"
        );
        let half = Convolve::d1().boundary(Boundary::Constant(0.5));
        assert_eq!(
            text(backend.convolve(&[1i16, 2], &[1i16], &half)),
            "boundary value: got 0.5, expected a value of int16, the image's dtype"
        );
        let reduce = |axes: &[isize]| text(backend.reduce(&image, &Reduce::min().axes(axes)));
        assert_eq!(reduce(&[2]), "axis: got 2, expected an axis of an array of rank 2");
        assert_eq!(reduce(&[-3]), "axis: got -3, expected an axis of an array of rank 2");
        assert_eq!(reduce(&[0, -2]), "axes: got [0, -2], expected every axis once");
        assert_eq!(text(backend.argmax(&none)), "argmax of shape: got [0, 3], expected at least one element to reduce");
    }
}

#[test]
fn names() {
    assert_eq!(text("diagonal".parse::<Mode>()), "mode: got \"diagonal\", expected full, same or valid");
    assert!(text("bounce".parse::<Boundary>()).starts_with("boundary: got \"bounce\", expected constant"));
    assert!(text("constant:x".parse::<Boundary>()).contains("\"x\""));
    assert!(text("float16".parse::<Dtype>()).starts_with("dtype: got \"float16\", expected one of bool"));
    assert!(text("median".parse::<ReduceOp>()).starts_with("reduction: got \"median\", expected sum, prod"));
}

#[test]
fn devices_that_do_not_exist() {
    for (name, part) in [
        ("tpu", "\"tpu\""),
        ("cpu:0", "0"),
        ("cpu:many", "many"),
        ("gpu:99", "99"),
        ("gpu:no such maker", "no such maker"),
        ("", "\"\""),
        ("cpu+", "cpu+"),
    ] {
        let text = text(name.parse::<Backend>());
        assert!(text.contains(part) && text.len() > name.len() + 20, "{name:?}: {text}");
    }
    assert!(matches!(Backend::gpu(1_000), Err(Error::NoDevice { .. })));
    assert!(matches!(Backend::cpu_threads(0), Err(Error::Invalid { .. })));
}

#[test]
fn integer_sums_that_do_not_fit() {
    for backend in devices::all() {
        assert_eq!(
            text(backend.sum(&[i64::MAX, 1])),
            "sum: the exact result does not fit int64; choose a wider dtype, or wrap or saturate, where sum can"
        );
        assert!(matches!(backend.sum(&[u64::MAX, 1]), Err(Error::Overflow { out_dtype: Dtype::U64, .. })), "{backend:?}");
        assert_eq!(
            backend.sum(&[i64::MAX, i64::MAX, i64::MIN, i64::MIN]).unwrap().item(),
            Ok(-2),
            "{backend:?}: exact on the way"
        );
        assert_eq!(backend.mean(&[u64::MAX, u64::MAX]).unwrap().item(), Ok(u64::MAX as f64), "{backend:?}");
        assert_eq!(backend.mean(&[i64::MIN, i64::MIN, i64::MIN]).unwrap().item(), Ok(i64::MIN as f64), "{backend:?}");
    }
}

#[test]
fn a_device_failure_is_told_from_a_wrong_request() {
    let request = Backend::cpu().convolve_dyn(&[1u8].as_operand(), &[1u8].as_operand(), &Convolve::rank(9)).unwrap_err();
    assert!(!request.is_device_failure());
    assert!(Error::DeviceLost { device: "gpu:0".into(), reason: "reset".into() }.is_device_failure());
}
