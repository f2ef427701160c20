//! Results written into the caller's memory: any stride, no other byte touched, the same bits.

use ndarray::{Array1, Array2, Array3, s};
use unisono::{AsOperand, Boundary, Convolve, Direction, Error, Reduce};

use crate::devices;

fn image() -> Array2<f32> {
    Array2::from_shape_fn((31, 45), |(i, j)| ((i * 37 + j * 11) % 101) as f32 * 0.25 - 7.0)
}

#[test]
fn a_strided_window_is_filled_and_nothing_else() {
    let (image, how) = (image(), Convolve::d2().same().boundary(Boundary::Mirror));
    let bank = Array3::from_shape_fn((3, 3, 5), |(k, i, j)| (k * 15 + i * 5 + j) as f32);
    for backend in devices::all() {
        let expected = backend.convolve(&image, &bank, &how).unwrap().into_ndarray::<ndarray::Ix3>().unwrap();
        let mut room = Array3::from_elem((5, 64, 91), -1e30f32);
        backend.convolve_into(&image, &bank, &how, &mut room.slice_mut(s![1..4, 1..63;2, ..90;-2])).unwrap();
        assert_eq!(room.slice(s![1..4, 1..63;2, ..90;-2]), expected, "{backend:?}");
        let untouched = room.iter().filter(|x| **x == -1e30).count();
        assert_eq!(untouched, room.len() - expected.len(), "{backend:?}");
    }
}

#[test]
fn an_array_gives_its_memory_again() {
    let image = image();
    let kernel = Array2::from_elem((3, 3), 1.0f32 / 8.0);
    for backend in devices::all() {
        let mut out = backend.convolve(&image, &kernel, &Convolve::d2().same()).unwrap();
        let first = out.clone().into_vec().unwrap();
        for _ in 0..3 {
            backend.convolve_into(&image, &kernel, &Convolve::d2().same(), &mut out).unwrap();
        }
        assert_eq!(out.clone().into_vec().unwrap(), first, "{backend:?}");
        // A clone that somebody still reads must not change under them.
        let held = out.clone();
        backend.convolve_into(&(&image * 2.0), &kernel, &Convolve::d2().same(), &mut out).unwrap();
        assert_eq!(held.into_vec().unwrap(), first, "{backend:?}");
        assert_ne!(out.into_vec().unwrap(), first, "{backend:?}");
    }
}

#[test]
fn the_output_decides_the_dtype() {
    for backend in devices::all() {
        let mut bytes = Array1::<u8>::zeros(4);
        backend.convolve_into(&[10u8, 100, 200, 7], &[1.5f32], &Convolve::d1().same(), &mut bytes).unwrap();
        assert_eq!(bytes.to_vec(), [15, 150, 255, 10], "{backend:?}: rounded half to even and saturated");
        let mut wide = Array1::<i64>::zeros(4);
        backend.convolve_into(&[10u8, 100, 200, 7], &[200u8], &Convolve::d1().same(), &mut wide).unwrap();
        assert_eq!(wide.to_vec(), [2000, 20_000, 40_000, 1400], "{backend:?}");
    }
}

#[test]
fn reductions_go_into_windows_too() {
    let image = image();
    for backend in devices::all() {
        let mut sums = [0f32; 90];
        let how = Reduce::sum().axes(&[0]);
        let mut window = ndarray::ArrayViewMut1::from(&mut sums[..]);
        backend.reduce_into(&image, &how, &mut window.slice_mut(s![..;2])).unwrap();
        let expected = backend.reduce(&image, &how).unwrap().into_vec().unwrap();
        assert!((0..90).all(|i| sums[i] == if i % 2 == 0 { expected[i / 2] } else { 0.0 }), "{backend:?}");
        let wrong = backend.reduce_into(&image, &how, &mut Array1::<f32>::zeros(44)).unwrap_err();
        assert_eq!(wrong, Error::Invalid { what: "output shape".into(), got: "[44]".into(), expected: "[45]".into() });
        let mut wrong = Array1::<f64>::zeros(45);
        let wrong = backend.reduce_dyn_into(&image.as_operand(), &how, unisono::AsOutput::as_output(&mut wrong)).unwrap_err();
        assert_eq!(wrong.to_string(), "output: got dtype float64, expected float32");
        let mut flat = [0f32; 3];
        let wrong = backend
            .convolve_dyn_into(
                Direction::Convolve,
                &image.as_operand(),
                &image.as_operand(),
                &Convolve::d2(),
                unisono::AsOutput::as_output(&mut flat[..]),
            )
            .unwrap_err();
        assert!(wrong.to_string().starts_with("output shape: got [3], expected [61, 89]"), "{wrong}");
    }
}
