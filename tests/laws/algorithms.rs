//! Every algorithm is the definition of convolution on every device: integers exactly or not at all, floats within its
//! documented bound.

use ndarray::{Array, ArrayD, IxDyn};
use unisono::{Accuracy, Algorithm, AsOperand, Backend, Boundary, Convolve, Error};

use crate::devices::{self, Random};
use crate::oracle;

const ALGORITHMS: [Algorithm; 5] = [Algorithm::Auto, Algorithm::Direct, Algorithm::Separable, Algorithm::FastFir, Algorithm::Fft];

/// Kernels and images with odd and even lengths, and images smaller than the kernel.
const SHAPES: [([usize; 2], [usize; 2]); 6] =
    [([31, 45], [10, 10]), ([53, 30], [13, 8]), ([7, 9], [12, 17]), ([64, 64], [4, 5]), ([1, 77], [1, 23]), ([50, 3], [21, 5])];

fn how(algorithm: Algorithm) -> Convolve {
    Convolve::d2().same().boundary(Boundary::Reflect).algorithm(algorithm)
}

/// Whether an algorithm may be refused, in words that say so: kernels that are no sums of products, integers that a transform
/// is not proved exact for, or that a device has no such arithmetic for.
fn lacks(backend: &Backend, algorithm: Algorithm, integers: bool, error: &Error) -> bool {
    let may = match algorithm {
        Algorithm::Auto | Algorithm::Direct => false,
        Algorithm::Separable => true,
        Algorithm::FastFir => integers && backend.info().class != unisono::DeviceClass::Cpu,
        _ => integers,
    };
    may && error.to_string().contains("algorithm")
}

/// The exact result of `same` with the reflecting boundary.
fn exact<T: Clone, A: Clone + std::ops::AddAssign>(
    image: &ArrayD<T>,
    kernel: &ArrayD<T>,
    fill: &T,
    zero: A,
    product: impl Fn(&T, &T) -> A + Copy,
) -> Vec<A> {
    let full = oracle::full(image, kernel, &["reflect"; 2], fill, true, zero, product);
    oracle::crop(&full, "same", image.shape(), kernel.shape()).into_iter().collect()
}

#[test]
fn integers_are_exact_with_every_algorithm() {
    let mut random = Random(31);
    for (round, (image, kernel)) in SHAPES.into_iter().enumerate() {
        for (size, small) in [1i64 << 4, 1 << 10, 1 << 20].into_iter().enumerate() {
            let mut draw = |shape: &[usize]| Array::from_shape_fn(IxDyn(shape), |_| random.bits() as i64 % small);
            let (image, kernel) = (draw(&image), draw(&kernel));
            let wanted = exact(&image, &kernel, &0, 0i64, |x, y| x * y);
            for backend in devices::all() {
                // GPUs take one size for each shape: software ones are slow.
                if backend.info().class != unisono::DeviceClass::Cpu && round % 3 != size {
                    continue;
                }
                for algorithm in ALGORITHMS {
                    match backend.convolve(&image, &kernel, &how(algorithm)).and_then(|result| result.into_vec()) {
                        Ok(got) => assert_eq!(got, wanted, "{backend:?} {algorithm} {:?}", kernel.shape()),
                        Err(error) => assert!(lacks(backend, algorithm, true, &error), "{backend:?} {algorithm}: {error}"),
                    }
                }
            }
        }
    }
}

#[test]
fn floats_stay_within_the_bound_of_their_algorithm() {
    let mut random = Random(32);
    let u = f64::from(f32::EPSILON) / 2.0;
    for (image, kernel) in SHAPES {
        for low in [false, true] {
            let mut line = |n: usize| (0..n).map(|_| random.unit() as f32).collect::<Vec<f32>>();
            let image = Array::from_shape_vec(IxDyn(&image), line(image[0] * image[1])).unwrap();
            let (column, row, all) = (line(kernel[0]), line(kernel[1]), line(kernel[0] * kernel[1]));
            let value = |i: usize| if low { column[i / kernel[1]] * row[i % kernel[1]] } else { all[i] };
            let kernel = Array::from_shape_vec(IxDyn(&kernel), (0..kernel[0] * kernel[1]).map(value).collect()).unwrap();
            let wanted = exact(&image, &kernel, &0.0, 0.0, |x, y| f64::from(*x) * f64::from(*y));
            let size = exact(&image, &kernel, &0.0, 0.0, |x, y| (f64::from(*x) * f64::from(*y)).abs());
            let [height, width] = *kernel.shape() else { panic!("two axes") };
            let taps = (height * width) as f64;
            let weight: f64 = kernel.iter().map(|w| f64::from(w.abs())).sum();
            let norm: f64 = kernel.iter().map(|w| f64::from(*w).powi(2)).sum::<f64>().sqrt();
            let largest = image.iter().fold(0.0, |m: f64, x| m.max(f64::from(x.abs())));
            // Tiles are at most twice as large as image and kernel together along each axis, and two of them are one.
            let n = 4.0 * ((image.shape()[0] + height) * (image.shape()[1] + width)) as f64;
            for backend in devices::all() {
                for algorithm in ALGORITHMS {
                    let got = match backend.convolve(&image, &kernel, &how(algorithm)).and_then(|result| result.into_vec()) {
                        Ok(got) => got,
                        Err(error) => {
                            assert!(lacks(backend, algorithm, false, &error), "{backend:?} {algorithm}: {error}");
                            continue;
                        }
                    };
                    for (i, got) in got.iter().enumerate() {
                        let bound = match algorithm {
                            // All of these are too small for anything else.
                            Algorithm::Auto | Algorithm::Direct => 2.0 * taps * u * size[i],
                            Algorithm::Separable => (8.0 + 8.0 * (height + width) as f64) * u * weight * largest,
                            Algorithm::FastFir => 16.0 * (taps / 4.0 + 8.0) * u * weight * largest,
                            _ => 8.0 * u * n.log2() * norm * (2.0 * n).sqrt() * largest,
                        };
                        let error = (f64::from(*got) - wanted[i]).abs();
                        assert!(error <= bound + 1e-37, "{backend:?} {algorithm} {:?}: {error:e} > {bound:e}", kernel.shape());
                    }
                }
            }
        }
    }
}

#[test]
fn a_choice_is_explained_and_kept() {
    let (image, kernel) = (ndarray::Array2::<f32>::ones((620, 600)), ndarray::Array2::<f32>::ones((25, 25)));
    for backend in devices::all().iter().filter(|backend| backend.members().is_empty()) {
        let said = |how: &Convolve| backend.explain_convolve(&image.as_operand(), &kernel.as_operand(), how).unwrap();
        let text = said(&Convolve::d2());
        for part in ["algorithm", "direct", "separable", "fast-fir", "fft", "predicted"] {
            assert!(text.contains(part), "{backend:?}: {text}");
        }
        assert!(said(&Convolve::d2().algorithm(Algorithm::Fft)).contains("algorithm fft, as asked for"));
        assert!(said(&Convolve::d2().accuracy(Accuracy::Elementwise)).contains("algorithm direct"));
        // Within the widest bound of all, in sums of ones.
        let found = backend.convolve(&image, &kernel, &Convolve::d2().valid()).unwrap().into_vec().unwrap();
        assert_eq!(found.len(), 596 * 576);
        assert!(found.iter().all(|y| (y - 625.0).abs() < 625.0 * 1e-3), "{backend:?}");
    }
}

/// Large kernels over images with holes: no rounding error of an algorithm takes the place of weights that are 0 or small.
#[test]
fn what_surrounds_a_hole_is_an_average_and_its_middle_nothing() {
    let image = ndarray::Array2::from_shape_fn((160, 160), |(y, x)| match (40..120).contains(&y) && (40..120).contains(&x) {
        true => f32::NAN,
        false => 100.0 + ((y * 31 + x * 17) % 100) as f32,
    });
    let kernel = ndarray::Array2::from_shape_fn((41, 41), |(y, x)| {
        let [y, x] = [y, x].map(|i| i as f32 - 20.0);
        (-(y * y + x * x) / 18.0).exp()
    });
    for backend in devices::all().iter().filter(|backend| backend.members().is_empty()) {
        let found = backend.convolve_without_nan(&image, &kernel, &Convolve::d2().same().boundary(Boundary::Reflect)).unwrap();
        let found = found.into_ndarray::<ndarray::Ix2>().unwrap();
        for ((y, x), &value) in found.indexed_iter() {
            let hole = (60..100).contains(&y) && (60..100).contains(&x);
            assert!(if hole { value.is_nan() } else { (99.9..200.1).contains(&value) }, "{backend:?} {y}, {x}: {value}");
        }
    }
}

/// Results that wrap do so with every algorithm that takes them.
#[test]
fn integers_wrap_with_every_algorithm() {
    use unisono::{AsOperand, Dtype, HostVec, Overflow};
    let (image, kernel) = (ndarray::Array2::from_elem((140, 140), 200u8), ndarray::Array2::<u8>::ones((45, 45)));
    for backend in devices::all() {
        for algorithm in [Algorithm::Auto, Algorithm::Direct, Algorithm::Separable, Algorithm::FastFir, Algorithm::Fft] {
            let how = Convolve::d2().valid().algorithm(algorithm).overflow(Overflow::Wrap).out_dtype(Dtype::U8);
            match backend.convolve_dyn(&image.as_operand(), &kernel.as_operand(), &how) {
                Ok(found) => {
                    let HostVec::U8(found) = found.into_host().unwrap() else { panic!("uint8 was asked for") };
                    assert!(found.iter().all(|&y| y == (200 * 45 * 45 % 256) as u8), "{backend:?} {algorithm}: {}", found[0]);
                }
                Err(error) => assert!(lacks(backend, algorithm, true, &error), "{backend:?} {algorithm}: {error}"),
            }
        }
    }
}

#[test]
fn what_an_algorithm_cannot_do_is_explained() {
    let (image, kernel) = (ndarray::Array2::<f32>::ones((3, 4)), ndarray::Array2::<f32>::ones((2, 2)));
    let how = Convolve::d2().algorithm(Algorithm::FastFir);
    for backend in devices::all().iter().filter(|backend| backend.members().is_empty()) {
        let error = backend.convolve(&image, &kernel, &how).unwrap_err().to_string();
        let text = backend.explain_convolve(&image.as_operand(), &kernel.as_operand(), &how).unwrap();
        assert!(error.contains("at least 4 taps") && text.contains(&format!("no algorithm: {error}")), "{backend:?}: {text}");
    }
}

/// The sum of integers is +0 where it is 0, whatever a transform leaves.
#[test]
fn zeros_of_integers_have_no_sign() {
    let mut image = vec![0i16; 3000];
    image[40..90].fill(-3);
    image[100..200].iter_mut().enumerate().for_each(|(i, x)| *x = (i * i % 17) as i16 - 8);
    let kernel: Vec<i16> = (0..150).map(|i| (i * 7 % 5) as i16 - 2).collect();
    for backend in devices::all() {
        for algorithm in ALGORITHMS {
            let how = Convolve::d1().algorithm(algorithm).out_dtype(unisono::Dtype::F32);
            let Ok(found) = backend.convolve_dyn(&image.as_operand(), &kernel.as_operand(), &how) else { continue };
            let found = found.typed::<f32>().unwrap().into_vec().unwrap();
            assert!(found.contains(&0.0) && found.iter().all(|x| x.to_bits() != 1 << 31), "{backend:?} {algorithm}");
        }
    }
}
