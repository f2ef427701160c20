//! Properties: linearity, impulse, commutation, slices of full, splits, permutations. Integers, so that equality is exact.

use ndarray::{Array1, Array2, ArrayD, Axis, IxDyn, s};
use proptest::prelude::*;
use unisono::{Backend, Boundary, Convolve};

use crate::devices;

fn conv(backend: &Backend, image: &ArrayD<i32>, kernel: &ArrayD<i32>, how: Convolve) -> ArrayD<i32> {
    backend.convolve(image, kernel, &how).and_then(|r| r.into_ndarray()).unwrap()
}

fn plane(h: usize, w: usize, values: &[i32]) -> ArrayD<i32> {
    ArrayD::from_shape_fn(IxDyn(&[h, w]), |i| values[(i[0] * 31 + i[1] * 7) % values.len()])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn convolution_is_linear_and_commutes(
        (h, w, kh, kw) in (1usize..20, 1usize..40, 1usize..9, 1usize..9),
        values in prop::collection::vec(-999i32..999, 1..50),
        (a, b) in (-9i32..9, -9i32..9),
    ) {
        let (x, y, k) = (plane(h, w, &values), plane(h, w, &values[values.len() / 2..]), plane(kh, kw, &values));
        for backend in devices::all() {
            let both = conv(backend, &(&x * a + &y * b), &k, Convolve::d2());
            let apart = conv(backend, &x, &k, Convolve::d2()) * a + conv(backend, &y, &k, Convolve::d2()) * b;
            prop_assert_eq!(&both, &apart, "{:?}", backend);
            prop_assert_eq!(conv(backend, &x, &k, Convolve::d2()), conv(backend, &k, &x, Convolve::d2()), "{:?}", backend);
        }
    }

    #[test]
    fn same_and_valid_are_slices_of_full(
        (h, w, kh, kw) in (1usize..20, 1usize..40, 1usize..9, 1usize..9),
        values in prop::collection::vec(-999i32..999, 1..50),
    ) {
        let (x, k) = (plane(h + kh, w + kw, &values), plane(kh, kw, &values));
        let (h, w) = (h + kh, w + kw);
        for backend in devices::all() {
            let full = conv(backend, &x, &k, Convolve::d2());
            let (y0, x0) = ((kh - 1) / 2, (kw - 1) / 2);
            prop_assert_eq!(conv(backend, &x, &k, Convolve::d2().same()), full.slice(s![y0..y0 + h, x0..x0 + w]).into_dyn());
            prop_assert_eq!(conv(backend, &x, &k, Convolve::d2().valid()), full.slice(s![kh - 1..h, kw - 1..w]).into_dyn());
        }
    }

    #[test]
    fn a_sum_does_not_change_under_permutation_and_merging(
        bits in prop::collection::vec(any::<u64>(), 0..400),
        at in 0usize..400,
        seed in any::<u64>(),
    ) {
        let mut values: Vec<f64> = bits.into_iter().map(f64::from_bits).filter(|x| x.is_finite()).collect();
        let at = at.min(values.len());
        for backend in devices::all() {
            let whole = backend.sum(&values).unwrap().item().unwrap();
            let mut parts = backend.exact_sum(&values[at..]).unwrap();
            parts.merge(&Backend::cpu().exact_sum(&values[..at]).unwrap());
            prop_assert_eq!(whole.to_bits(), parts.to_f64().to_bits(), "{:?}", backend);
            devices::Random(seed).shuffle(&mut values);
            prop_assert_eq!(whole.to_bits(), backend.sum(&values).unwrap().item().unwrap().to_bits(), "{:?}", backend);
        }
    }
}

#[test]
fn an_impulse_gives_the_kernel_back() {
    let kernel = Array2::from_shape_fn((5, 4), |(i, j)| (10 * i + j) as f32 * 0.37);
    let mut impulse = Array2::<f32>::zeros((9, 11));
    impulse[[3, 6]] = 1.0;
    for backend in devices::all() {
        let full = backend.convolve(&impulse, &kernel, &Convolve::d2()).unwrap().into_ndarray::<ndarray::Ix2>().unwrap();
        assert_eq!(full.slice(s![3..8, 6..10]), kernel, "{backend:?}");
        assert_eq!(full.iter().filter(|x| **x != 0.0).count(), kernel.iter().filter(|x| **x != 0.0).count());
    }
}

#[test]
fn a_bank_is_its_kernels_one_by_one() {
    let images = ArrayD::from_shape_fn(IxDyn(&[2, 23, 37]), |i| ((i[0] * 77 + i[1] * 13 + i[2] * 5) % 201) as f32 - 100.0);
    let bank =
        ArrayD::from_shape_fn(IxDyn(&[3, 2, 4, 5]), |i| ((i[0] * 7 + i[1] * 3 + i[2] * 11 + i[3]) % 17) as f32 * 0.1 - 0.8);
    let how = Convolve::d2().same().boundary(Boundary::Reflect);
    for backend in devices::all() {
        let all = backend.convolve(&images, &bank, &how).unwrap().into_ndarray::<IxDyn>().unwrap();
        assert_eq!(all.shape(), [2, 3, 2, 23, 37]);
        for n in 0..2 {
            for (i, j) in (0..3).flat_map(|i| (0..2).map(move |j| (i, j))) {
                let (image, kernel) = (images.slice(s![n, .., ..]), bank.slice(s![i, j, .., ..]));
                let one = backend.convolve(&image, &kernel, &how).unwrap().into_ndarray::<ndarray::Ix2>().unwrap();
                let of_all = all.index_axis(Axis(0), n);
                // The bits agree wherever one device does both; joined devices may cut the two differently.
                if backend.members().is_empty() {
                    assert_eq!(of_all.slice(s![i, j, .., ..]), one, "{backend:?}");
                }
            }
        }
    }
}

#[test]
fn thread_counts_do_not_change_the_bits_of_floats() {
    let image = Array2::from_shape_fn((301, 257), |(i, j)| ((i * 31 + j * 17) % 1009) as f32 * 1.1e-3);
    let kernel = Array2::from_shape_fn((7, 9), |(i, j)| (i as f32 - 2.7) * (j as f32 + 0.3) * 0.01);
    let run = |name: &str| {
        let backend: Backend = name.parse().unwrap();
        backend.convolve(&image, &kernel, &Convolve::d2()).unwrap().into_vec().unwrap()
    };
    let one = run("cpu:1");
    for name in ["cpu:2", "cpu:3", "cpu", "cpu:1+cpu:2"] {
        assert_eq!(run(name), one, "{name}");
    }
    let noise = Array1::from_shape_fn(100_003, |i| ((i * 7919) % 65_537) as f64 * 1e-9);
    let sum = |name: &str| name.parse::<Backend>().unwrap().sum(&noise).unwrap().item().unwrap();
    assert!(["cpu:2", "cpu:3", "cpu", "cpu:1+cpu:2"].iter().all(|name| sum(name) == sum("cpu:1")));
}
