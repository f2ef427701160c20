//! The boundaries are SciPy's: one line of four elements, read far outside on both sides.

use unisono::{Boundary, Convolve};

use crate::devices;

#[test]
fn a_line_is_continued_as_scipy_does() {
    let line = [1i32, 2, 3, 4];
    // Correlating with a unit impulse at the end of a long kernel reads the extended line itself.
    let mut pick = vec![0i32; 13];
    pick[6] = 1;
    for (boundary, expected) in [
        (Boundary::Reflect, [3, 4, 4, 3, 2, 1, 1, 2, 3, 4, 4, 3, 2, 1, 1, 2]),
        (Boundary::Nearest, [1, 1, 1, 1, 1, 1, 1, 2, 3, 4, 4, 4, 4, 4, 4, 4]),
        (Boundary::Mirror, [1, 2, 3, 4, 3, 2, 1, 2, 3, 4, 3, 2, 1, 2, 3, 4]),
        (Boundary::Wrap, [3, 4, 1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4, 1, 2]),
        (Boundary::ZERO, [0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0]),
        (Boundary::Constant(-7.0), [-7, -7, -7, -7, -7, -7, 1, 2, 3, 4, -7, -7, -7, -7, -7, -7]),
    ] {
        for backend in devices::all() {
            let full = backend.convolve(&line, &pick, &Convolve::d1().boundary(boundary)).unwrap();
            assert_eq!(full.into_vec().unwrap(), expected, "{backend:?} {boundary}");
        }
    }
}

#[test]
fn the_boundaries_of_the_axes_are_independent() {
    let image = ndarray::array![[1i64, 2], [3, 4]];
    let mut pick = ndarray::Array2::<i64>::zeros((3, 3));
    pick[[1, 1]] = 1;
    let how = Convolve::d2().boundaries(&[Boundary::Wrap, Boundary::Constant(9.0)]);
    for backend in devices::all() {
        let full = backend.convolve(&image, &pick, &how).unwrap().into_ndarray::<ndarray::Ix2>().unwrap();
        assert_eq!(full, ndarray::array![[9, 3, 4, 9], [9, 1, 2, 9], [9, 3, 4, 9], [9, 1, 2, 9]], "{backend:?}");
    }
}
