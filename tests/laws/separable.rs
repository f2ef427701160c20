//! Separable filters are their definition, pass by pass, on every device: integers with integer weights exactly, floats
//! within the derived bound, 8- and 16-bit integers rounded to nearest.

use ndarray::{Array, ArrayD, ArrayView, Axis, IxDyn, Slice};
use num_rational::BigRational;
use num_traits::{Signed, Zero};
use unisono::filters::{self, Axes};
use unisono::{Boundary, Dtype, Factor, Operand, Separable, View};

use crate::devices::{self, Random};
use crate::oracle;

const RULES: [&str; 5] = ["constant", "reflect", "nearest", "mirror", "wrap"];

/// One pass, in the words of the oracle.
#[derive(Debug, Clone)]
struct Pass {
    axis: usize,
    weights: Vec<f64>,
    origin: isize,
    rule: &'static str,
    fill: f64,
}

impl Pass {
    fn factor(&self) -> Factor {
        let boundary = if self.rule == "constant" { Boundary::Constant(self.fill) } else { self.rule.parse().unwrap() };
        Factor::correlate(self.axis as isize, self.weights.clone()).origin(self.origin).boundary(boundary)
    }

    /// `y[i] = Σ_t w[t] · x[i + t − n div 2 − origin]`; with `magnitude` the sum of the magnitudes.
    fn apply(&self, x: &ArrayD<BigRational>, magnitude: bool) -> ArrayD<BigRational> {
        let n = x.shape()[self.axis] as isize;
        ArrayD::from_shape_fn(x.raw_dim(), |o| {
            let mut total = BigRational::zero();
            for (t, &w) in self.weights.iter().enumerate() {
                let i = o[self.axis] as isize + t as isize - (self.weights.len() / 2) as isize - self.origin;
                let value = match oracle::outside(self.rule, i, n) {
                    Some(i) => {
                        let mut at = o.clone();
                        at[self.axis] = i;
                        x[&at].clone()
                    }
                    None => oracle::exact(self.fill),
                };
                let product = value * oracle::exact(w);
                total += if magnitude { product.abs() } else { product };
            }
            total
        })
    }
}

fn passes(random: &mut Random, rank: usize, integer: bool) -> Vec<Pass> {
    (0..random.below(4))
        .map(|_| {
            let most = [3, 7, 30][random.below(3)];
            let n = 1 + random.below(most);
            let mut weights: Vec<f64> =
                (0..n).map(|_| if integer { (random.unit() * 3.0).round() } else { random.unit() }).collect();
            if random.below(2) == 0 {
                (0..n / 2).for_each(|i| weights[n - 1 - i] = weights[i]);
            }
            Pass {
                axis: random.below(rank),
                weights,
                origin: random.below(n) as isize - (n / 2) as isize,
                rule: RULES[random.below(5)],
                fill: if integer { 2.0 } else { 0.5 },
            }
        })
        .collect()
}

fn shape(random: &mut Random) -> Vec<usize> {
    let rank = 1 + random.below(4);
    (0..rank).map(|_| 1 + random.below([90, 14, 7, 4][rank - 1])).collect()
}

/// The same values in memory of another stride: every axis backwards, spread out by two.
fn scattered<T: Clone + Default>(array: &ArrayD<T>) -> ArrayD<T> {
    let shape: Vec<usize> = array.shape().iter().map(|n| 2 * n).collect();
    let mut spread = ArrayD::from_elem(IxDyn(&shape), T::default());
    for axis in 0..array.ndim() {
        spread.slice_axis_inplace(Axis(axis), Slice::new(0, None, -2));
    }
    spread.assign(array);
    spread
}

fn how(passes: &[Pass]) -> Separable {
    passes.iter().fold(Separable::new(), |how, pass| how.pass(pass.factor()))
}

/// The exact result, and the sum of the magnitudes of all products.
fn exact(x: &ArrayD<f64>, passes: &[Pass]) -> (Vec<BigRational>, Vec<f64>) {
    let (mut y, mut scale) = (x.mapv(oracle::exact), x.mapv(|x| oracle::exact(x.abs())));
    for pass in passes {
        (y, scale) = (pass.apply(&y, false), pass.apply(&scale, true));
    }
    (y.into_iter().collect(), scale.iter().map(oracle::to_f64).collect())
}

/// The roundings of one element: one per weight and one for the weight's own, and as many again on a device that rounds
/// products.
fn roundings(passes: &[Pass]) -> f64 {
    2.0 * passes.iter().map(|pass| pass.weights.len() as f64 + 1.0).sum::<f64>() + 2.0
}

#[test]
fn floats_stay_within_the_derived_bound() {
    let mut random = Random(21);
    for _ in 0..40 {
        let shape = shape(&mut random);
        let passes = passes(&mut random, shape.len(), false);
        let x = Array::from_shape_fn(IxDyn(&shape), |_| random.unit() as f32);
        let (y, scale) = exact(&x.mapv(f64::from), &passes);
        for backend in devices::all() {
            let found = backend.separable(&scattered(&x), &how(&passes)).unwrap().into_vec().unwrap();
            for (i, &found) in found.iter().enumerate() {
                let error = oracle::to_f64(&(oracle::exact(found.into()) - &y[i])).abs();
                let bound = roundings(&passes) * 2f64.powi(-24) * scale[i] * 1.001 + 1e-37;
                assert!(error <= bound, "{backend:?}: {shape:?} {passes:?} at {i}: {found}, {error:e} beyond {bound:e}");
            }
        }
    }
}

#[test]
fn doubles_stay_within_the_derived_bound() {
    let mut random = Random(22);
    for _ in 0..20 {
        let shape = shape(&mut random);
        let passes = passes(&mut random, shape.len(), false);
        let x = Array::from_shape_fn(IxDyn(&shape), |_| random.unit());
        let (y, scale) = exact(&x, &passes);
        for backend in devices::all() {
            let result = backend.separable(&x, &how(&passes));
            if !devices::has_f64(backend) && backend.info().class != unisono::DeviceClass::Several {
                assert!(result.unwrap_err().to_string().contains("64-bit float"));
                continue;
            }
            for (i, found) in result.unwrap().into_vec().unwrap().into_iter().enumerate() {
                let error = oracle::to_f64(&(oracle::exact(found) - &y[i])).abs();
                let bound = roundings(&passes) * 2f64.powi(-53) * scale[i] * 1.001 + 1e-300;
                assert!(error <= bound, "{backend:?}: {shape:?} {passes:?} at {i}");
            }
        }
    }
}

#[test]
fn integers_with_integer_weights_are_exact() {
    let mut random = Random(23);
    for _ in 0..30 {
        let shape = shape(&mut random);
        let mut passes = passes(&mut random, shape.len(), true);
        passes.truncate(2);
        let x = Array::from_shape_fn(IxDyn(&shape), |_| random.bits() as u8);
        let (y, scale) = exact(&x.mapv(f64::from), &passes);
        if scale.iter().any(|&s| s > 2e9) {
            continue;
        }
        let sums: f64 = passes.iter().map(|pass| pass.weights.iter().map(|w| w.abs()).sum::<f64>().max(1.0)).product();
        for backend in devices::all() {
            if !devices::has_f64(backend) && sums * 255.0 >= 2f64.powi(24) {
                continue;
            }
            let mut out = ArrayD::<i32>::zeros(IxDyn(&shape));
            backend.separable_into(&scattered(&x), &how(&passes), &mut out).unwrap();
            let expected: Vec<i32> = y.iter().map(|y| oracle::to_f64(y) as i32).collect();
            assert_eq!(out.into_iter().collect::<Vec<_>>(), expected, "{backend:?}: {shape:?} {passes:?}");
        }
    }
}

#[test]
fn narrow_integers_are_rounded_to_nearest_and_saturated() {
    let mut random = Random(24);
    for round in 0..20 {
        let shape = shape(&mut random);
        let passes = passes(&mut random, shape.len(), false);
        let x = Array::from_shape_fn(IxDyn(&shape), |_| random.bits() as u8);
        let (y, scale) = exact(&x.mapv(f64::from), &passes);
        for backend in devices::all() {
            let mut out = ArrayD::<u8>::zeros(IxDyn(&shape));
            match round % 2 {
                0 => out = backend.separable(&x, &how(&passes)).unwrap().into_ndarray().unwrap(),
                _ => backend.separable_into(&x, &how(&passes), &mut out).unwrap(),
            }
            for (i, found) in out.into_iter().enumerate() {
                let error = (f64::from(found) - oracle::to_f64(&y[i]).clamp(0.0, 255.0)).abs();
                assert!(
                    error <= 0.5 + roundings(&passes) * 2f64.powi(-24) * scale[i],
                    "{backend:?}: {shape:?} {passes:?} at {i}"
                );
            }
        }
    }
}

#[test]
fn interleaved_channels_are_filtered_like_planes() {
    let image = Array::from_shape_fn((31, 43, 3), |(y, x, c)| (y * 7 + x * 13 + c * 91) as u8);
    let blur = filters::Gaussian::new(1.7).filter(&Axes::of(&[0, 1])).unwrap();
    for backend in devices::all().iter().filter(|backend| backend.members().is_empty()) {
        let whole = backend.separable(&image, &blur).unwrap().into_ndarray::<ndarray::Ix3>().unwrap();
        for c in 0..3 {
            let plane = image.index_axis(Axis(2), c);
            let one = backend.separable(&plane, &blur).unwrap().into_ndarray::<ndarray::Ix2>().unwrap();
            assert_eq!(whole.index_axis(Axis(2), c), one, "{backend:?}");
        }
    }
}

#[test]
fn results_stay_on_the_device_and_memory_is_reused() {
    let image = Array::from_shape_fn((40, 50), |(y, x)| (y * x) as f32);
    let blur = filters::box_blur(5, &Axes::last2()).unwrap();
    for backend in devices::all() {
        let uploaded = backend.upload(&image).unwrap();
        let once = backend.separable(&uploaded, &blur).unwrap();
        let mut twice = backend.separable(&once, &blur).unwrap();
        let expected = twice.clone().into_vec().unwrap();
        backend.separable_into(&uploaded, &blur, &mut twice).unwrap();
        backend.separable_into(&once, &blur, &mut twice).unwrap();
        assert_eq!(twice.into_vec().unwrap(), expected, "{backend:?}");
    }
}

#[test]
fn odd_requests_are_refused_and_empty_arrays_are_fine() {
    for backend in devices::all() {
        let empty = ArrayD::<f32>::zeros(IxDyn(&[3, 0, 2]));
        let blur = filters::Gaussian::new(1.0).filter(&Axes::all(3)).unwrap();
        assert_eq!(backend.separable(&empty, &blur).unwrap().shape(), [3, 0, 2]);
        let text = backend.separable(&[1.0f32], &Separable::new().pass(Factor::correlate(1, [1.0]))).unwrap_err().to_string();
        assert_eq!(text, "axis: got 1, expected -1 to 0 for 1 axes");
        let point = ArrayView::from_shape((), &[1.0f32]).unwrap();
        assert!(backend.separable(&point, &Separable::new()).unwrap_err().to_string().contains("at least one"));
        let mut out = [0.0f32; 3];
        assert!(
            backend.separable_into(&[1.0f32, 2.0], &Separable::new(), &mut out[..]).unwrap_err().to_string().contains("shape")
        );
        // No pass: the values in another dtype.
        let operand: Operand<'_> = View::from_slice(&[1u8, 255]).into();
        let same = backend.separable_dyn(&operand, &Separable::new().out_dtype(Dtype::F32)).unwrap();
        assert_eq!(same.typed::<f32>().unwrap().into_vec().unwrap(), [1.0, 255.0]);
    }
}
