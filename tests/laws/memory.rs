//! A limit of memory changes no exact result on any device, and is handed on: to members, to jobs, with a control.

use ndarray::{Array2, Array3};
use unisono::{Algorithm, Boundary, Control, Convolve, Separable};

use crate::devices;

#[test]
fn little_memory_gives_the_same_integers() {
    let image = Array3::from_shape_fn((2, 120, 131), |(n, i, j)| ((n * 7 + i * 31 + j * j) % 199) as i32 - 99);
    let kernels = Array3::from_shape_fn((5, 4, 7), |(k, i, j)| ((k * 5 + i * 3 + j) % 11) as i32 - 5);
    for algorithm in [Algorithm::Auto, Algorithm::Direct] {
        let how = Convolve::d2().same().boundary(Boundary::Reflect).algorithm(algorithm);
        let expected = unisono::Backend::cpu().convolve(&image, &kernels, &how).unwrap().into_vec().unwrap();
        for backend in devices::all() {
            let limited = backend.with_memory_limit(150_000);
            let found = limited.convolve(&image, &kernels, &how).unwrap().into_vec().unwrap();
            assert_eq!(found, expected, "{backend:?} {algorithm}");
        }
    }
}

#[test]
fn little_memory_gives_the_same_floats_of_transforms_and_filters() {
    let image = Array2::from_shape_fn((150, 170), |(i, j)| ((i * 31 + j * j) % 256) as f32);
    let kernels = Array3::from_shape_fn((3, 13, 13), |(k, i, j)| ((k + i * 3 + j) % 11) as f32 / 64.0);
    let weights: &[f64] = &[0.25, 0.5, 0.25, 0.125];
    let filter = Separable::convolve(&[weights, weights], Boundary::Mirror);
    for backend in devices::all() {
        // The CPU's transforms of kernels are cut, the GPU's images are.
        let limited = backend.with_memory_limit(1 << 20);
        let how = Convolve::d2().algorithm(Algorithm::Fft);
        let run = |backend: &unisono::Backend| backend.convolve(&image, &kernels, &how).map(|array| array.into_vec().unwrap());
        if let Ok(expected) = run(backend) {
            let found = run(&limited).unwrap();
            let close = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-3;
            assert!(found.iter().zip(&expected).all(close), "{backend:?}");
        }
        let [expected, found] = [backend, &limited].map(|b| b.separable(&image, &filter).unwrap().into_vec().unwrap());
        assert_eq!(found, expected, "{backend:?}");
    }
}

#[test]
fn the_limit_is_handed_on() {
    let backend = unisono::Backend::cpu().with_memory_limit(1000);
    assert_eq!(unisono::Backend::cpu().memory_limit(), None);
    assert_eq!(backend.with_memory_limit(10).memory_limit(), Some(10));
    assert_eq!(backend.with_memory_limit(10_000).memory_limit(), Some(1000));
    let control = Control::new();
    let other = backend.with_control(&control);
    assert_eq!(other.memory_limit(), Some(1000));
    other.sum(&[1.0, 2.0]).unwrap();
    assert_eq!(control.progress().done, 2);
    assert_eq!(backend.submit(|backend| Ok(backend.memory_limit())).wait().unwrap(), Some(1000));
}
