//! Selections on every adapter present, against a full sort.

use ndarray::{ArrayD, Axis, IxDyn};

use crate::cpu::CpuEngine;
use crate::dtype::with_dtype;
use crate::engine::{Engine, Input, Target};
use crate::gpu::tests::engines;
use crate::plan::{Beside, Operation, Ordered, Quantile, QuantileMethod, QuantilePlan, TopK, TopKPlan};
use crate::view::View;
use crate::{Control, Dtype, Element, Error, HostVec, Storage};

struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// Bit patterns of every kind, NaN included, with ties.
fn random<T: Element>(noise: &mut Noise, shape: &[usize]) -> ArrayD<T> {
    let mut one = || {
        let bits = match noise.next() % 4 {
            0 => noise.next(),
            1 => noise.next() % 3,
            2 => (noise.next() % 3) << (8 * T::DTYPE.size() - 2),
            _ => (noise.next() % 5).wrapping_neg(),
        };
        let raw = if T::DTYPE == Dtype::Bool { (bits & 1).to_le_bytes() } else { bits.to_le_bytes() };
        let mut host = HostVec::zeros(T::DTYPE, 1).unwrap();
        host.view_mut(&[1]).copy_from_bytes(&raw[..T::DTYPE.size()]);
        host.view(&[1]).as_slice::<T>().unwrap()[0]
    };
    ArrayD::from_shape_simple_fn(IxDyn(shape), &mut one)
}

fn run(engine: &dyn Engine, operation: &Operation, input: &Input<'_>) -> Vec<Vec<u8>> {
    try_run(engine, operation, std::slice::from_ref(input)).unwrap()
}

fn try_run(engine: &dyn Engine, operation: &Operation, inputs: &[Input<'_>]) -> Result<Vec<Vec<u8>>, Error> {
    let results = operation.results();
    let targets = results.iter().map(|_| Target::Device(None)).collect();
    let found = engine.operate(operation, inputs, targets, &Control::new())?;
    Ok(results
        .iter()
        .zip(found)
        .map(|(&(dtype, shape), storage)| {
            let mut vec = HostVec::zeros(dtype, shape.iter().product()).unwrap();
            match storage.unwrap() {
                Storage::Host(host) => vec.view_mut(shape).copy_from_bytes(host.view(shape).as_bytes().unwrap()),
                Storage::Gpu(buffer) => buffer.download(vec.view_mut(shape)).unwrap(),
            }
            vec.view(&[vec.len()]).as_bytes().unwrap().to_vec()
        })
        .collect())
}

#[test]
fn quantiles_have_the_bits_of_the_cpu_and_tops_those_of_a_sort() {
    let (mut noise, cpu) = (Noise(5), CpuEngine::new(Some(1)));
    for engine in engines() {
        for dtype in Dtype::ALL.into_iter().filter(|dtype| !dtype.is_complex()) {
            for (shape, axis) in [(vec![1usize], 0), (vec![257], 0), (vec![5, 67], 1), (vec![300, 3], 0), (vec![20_011], 0)] {
                with_dtype!(dtype, T => {
                    let array = random::<T>(&mut noise, &shape);
                    let resident = engine.upload(&View::from_ndarray(array.view())).unwrap();
                    let Storage::Gpu(buffer) = &resident else { panic!("not on the device") };
                    let host = Input::Host(View::from_ndarray(array.view()));
                    let here = Input::Gpu { buffer, dtype, shape: &shape };
                    let points = Quantile::of(&[0.0, 0.37, 1.0]).axes(&[axis as isize]);
                    for how in [
                        Quantile::median().axes(&[axis as isize]),
                        points.clone().method(QuantileMethod::Hazen).ignore_nan(),
                        points.method(QuantileMethod::Nearest).ignore_nan(),
                    ] {
                        let operation = Operation::Quantile(QuantilePlan::new(&how, dtype, &shape).unwrap());
                        let wanted = run(&cpu, &operation, &host);
                        for input in [&host, &here] {
                            assert_eq!(run(&engine, &operation, input), wanted, "{engine:?} {dtype} {shape:?} {how:?}");
                        }
                    }
                    let n = shape[axis];
                    for k in [1, n.div_ceil(3), n] {
                        for smallest in [false, true] {
                            let how = if smallest { TopK::smallest(k) } else { TopK::largest(k) }.axis(axis as isize);
                            let operation = Operation::TopK(TopKPlan::new(&how, dtype, &shape).unwrap());
                            let mut indices = vec![0u64; operation.results()[0].1.iter().product()];
                            let mut at = ndarray::ArrayViewMutD::from_shape(IxDyn(operation.results()[0].1), &mut indices).unwrap();
                            for (lane, mut best) in array.lanes(Axis(axis)).into_iter().zip(at.lanes_mut(Axis(axis))) {
                                let mut order: Vec<usize> = (0..n).collect();
                                order.sort_by_key(|&i| {
                                    let key = lane[i].arg_key(false);
                                    (if smallest { key } else { !key }, i)
                                });
                                best.iter_mut().zip(order).for_each(|(to, i)| *to = i as u64);
                            }
                            let wanted = run(&cpu, &operation, &host);
                            assert!(wanted[1] == bytemuck::cast_slice::<u64, u8>(&indices));
                            for input in [&host, &here] {
                                assert!(run(&engine, &operation, input) == wanted, "{engine:?} {dtype} {shape:?} {how:?}");
                            }
                        }
                    }
                });
            }
        }
    }
}

/// Compares an operation of two operands, wherever they lie, with the CPU, errors included.
fn compare<T: Element, S: Element>(engine: &dyn Engine, operation: &Operation, array: &ArrayD<T>, second: &ArrayD<S>) {
    let cpu = CpuEngine::new(Some(1));
    let (a, b) = (View::from_ndarray(array.view()), View::from_ndarray(second.view()));
    let resident = [engine.upload(&a).unwrap(), engine.upload(&b).unwrap()];
    let [Storage::Gpu(here), Storage::Gpu(there)] = &resident else { panic!("not on the device") };
    let (here, there) = (
        Input::Gpu { buffer: here, dtype: T::DTYPE, shape: array.shape() },
        Input::Gpu { buffer: there, dtype: S::DTYPE, shape: second.shape() },
    );
    let wanted = try_run(&cpu, operation, &[Input::Host(a.clone()), Input::Host(b.clone())]);
    for inputs in [[Input::Host(a.clone()), Input::Host(b.clone())], [here.clone(), there.clone()], [here, Input::Host(b)]] {
        let found = try_run(engine, operation, &inputs);
        assert!(found == wanted, "{engine:?} {operation:?} by {}: {found:?}, not {wanted:?}", S::DTYPE);
    }
}

#[test]
fn masked_quantiles_have_the_bits_of_the_cpu() {
    let mut noise = Noise(6);
    for engine in engines() {
        for dtype in [Dtype::Bool, Dtype::I8, Dtype::U16, Dtype::F32, Dtype::I64, Dtype::F64] {
            for (shape, axis) in [(vec![1usize], 0), (vec![5, 67], 1), (vec![300, 3], 0), (vec![20_011], 0)] {
                with_dtype!(dtype, T => {
                    let array = random::<T>(&mut noise, &shape);
                    for rare in [1, 2, 900] {
                        let mask = ArrayD::from_shape_simple_fn(IxDyn(&shape), || noise.next().is_multiple_of(rare));
                        let points = Quantile::of(&[0.0, 0.37, 1.0]).axes(&[axis as isize]);
                        for how in [
                            Quantile::median().axes(&[axis as isize]),
                            points.clone().ignore_nan(),
                            points.method(QuantileMethod::Nearest).ignore_nan(),
                        ] {
                            let plan = QuantilePlan::beside(&how, dtype, &shape, Beside::Mask, &shape).unwrap();
                            compare(&engine, &Operation::Quantile(plan), &array, &mask);
                        }
                    }
                });
            }
        }
    }
}

#[test]
fn weighted_quantiles_have_the_bits_of_the_cpu() {
    let mut noise = Noise(7);
    for engine in engines() {
        for dtype in [Dtype::I8, Dtype::U16, Dtype::F32, Dtype::I64, Dtype::F64] {
            for (shape, axis) in [(vec![1usize], 0), (vec![4, 33], 1), (vec![260, 2], 0), (vec![2003], 0)] {
                with_dtype!(dtype, T => {
                    let array = random::<T>(&mut noise, &shape);
                    let how = Quantile::of(&[0.0, 0.3, 0.5, 1.0]).axes(&[axis as isize]).method(QuantileMethod::InvertedCdf);
                    let mut with = |how: &Quantile, bits: &mut dyn FnMut(u64) -> u64, weights: Dtype| {
                        with_dtype!(weights, W => {
                            let from = |bits: u64| {
                                let mut host = HostVec::zeros(weights, 1).unwrap();
                                host.view_mut(&[1]).copy_from_bytes(&bits.to_le_bytes()[..weights.size()]);
                                host.view(&[1]).as_slice::<W>().unwrap()[0]
                            };
                            let second = ArrayD::from_shape_simple_fn(IxDyn(&shape), || from(bits(noise.next())));
                            let plan = QuantilePlan::beside(how, dtype, &shape, Beside::Weights(weights), &shape).unwrap();
                            compare(&engine, &Operation::Quantile(plan), &array, &second);
                        });
                    };
                    let without_nan = how.clone().ignore_nan();
                    for how in [Some(&how), Some(&without_nan).filter(|_| dtype.is_float())].into_iter().flatten() {
                        // Numbers of two digits, of every exponent, and of few.
                        with(how, &mut |bits| bits % 100, Dtype::U8);
                        with(how, &mut |bits| bits & 1, Dtype::Bool);
                        with(how, &mut |bits| bits >> 1, Dtype::I64);
                        with(how, &mut |bits| bits, Dtype::U64);
                        with(how, &mut |bits| (bits >> 2) & !(3 << 60), Dtype::F64);
                        with(how, &mut |bits| ((bits % 1000) as f64).to_bits(), Dtype::F64);
                        with(how, &mut |bits| (bits & 0x3fff_ffff).min(bits % 3 * 0x3f00_0000), Dtype::F32);
                    }
                    // What is refused.
                    with(&how, &mut |_| 0, Dtype::F32);
                    with(&how, &mut |bits| bits % 5 % 2 * f64::MAX.to_bits(), Dtype::F64);
                    with(&how, &mut |_| 200, Dtype::I8);
                    with(&how, &mut |_| (-0.0f64).to_bits(), Dtype::F64);
                    with(&how, &mut |_| f64::INFINITY.to_bits(), Dtype::F64);
                });
            }
        }
    }
}
