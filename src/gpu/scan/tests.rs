//! Scans on every adapter present, against plain loops over exact values.

use ndarray::{ArrayD, Axis, IxDyn};

use crate::cpu::CpuEngine;
use crate::dtype::with_dtype;
use crate::engine::{Engine, Input, Target};
use crate::gpu::tests::engines;
use crate::plan::{FloatProduct, Operation, Scan, ScanOp, ScanPlan};
use crate::view::View;
use crate::{Control, Dtype, Element, Error, ExactSum, HostVec, Storage};

struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

fn scan<T: Element>(engine: &dyn Engine, how: &Scan, array: &ArrayD<T>) -> Result<(HostVec, Vec<usize>), Error> {
    let plan = ScanPlan::new(how, T::DTYPE, array.shape())?;
    let shape = plan.shape.clone();
    let dtype = plan.out_dtype;
    let resident = engine.upload(&View::from_ndarray(array.view()))?;
    let Storage::Gpu(buffer) = &resident else { panic!("not on the device") };
    let inputs = [Input::Host(View::from_ndarray(array.view())), Input::Gpu { buffer, dtype: T::DTYPE, shape: array.shape() }];
    let mut all = vec![];
    for input in inputs {
        let operation = Operation::Scan(plan.clone());
        // Once to the host, once to the device.
        let mut vec = HostVec::zeros(dtype, shape.iter().product())?;
        let target = Target::Host(vec.view_mut(&shape));
        engine.operate(&operation, std::slice::from_ref(&input), vec![target], &Control::new())?;
        all.push(vec);
        let found = engine.operate(&operation, &[input], vec![Target::Device(None)], &Control::new())?;
        let Some(Some(Storage::Gpu(buffer))) = found.into_iter().next() else { panic!("no result on the device") };
        let mut vec = HostVec::zeros(dtype, shape.iter().product())?;
        buffer.download(vec.view_mut(&shape))?;
        all.push(vec);
    }
    let bytes = |vec: &HostVec| vec.view(&[vec.len()]).as_bytes().unwrap().to_vec();
    assert!(all.iter().all(|vec| bytes(vec) == bytes(&all[0])), "{how:?}: host and device differ");
    Ok((all.swap_remove(0), shape))
}

/// The running values along an axis, with `step` from the elements so far.
fn expected<T: Element, S: Clone, R: Element>(
    array: &ArrayD<T>,
    axis: usize,
    start: S,
    mut step: impl FnMut(&mut S, T) -> R,
) -> Vec<u8> {
    let mut out = ArrayD::<R>::from_elem(array.raw_dim(), R::ZERO);
    for (lane, mut results) in array.lanes(Axis(axis)).into_iter().zip(out.lanes_mut(Axis(axis))) {
        let mut state = start.clone();
        for (&x, result) in lane.iter().zip(&mut results) {
            *result = step(&mut state, x);
        }
    }
    View::from_ndarray(out.view()).as_bytes().unwrap().to_vec()
}

fn bytes(vec: &HostVec) -> Vec<u8> {
    vec.view(&[vec.len()]).as_bytes().unwrap().to_vec()
}

/// Floats of every kind of exponent: alike, all, subnormal, with cancellation, with specials.
fn floats(noise: &mut Noise, kind: usize, n: usize) -> Vec<f64> {
    let mut values: Vec<f64> = (0..n)
        .map(|_| {
            let bits = noise.next();
            match kind {
                0 => f64::from_bits(bits & !(0x7ff << 52) | ((1000 + (bits >> 52 & 31)) << 52)),
                1 => f64::from_bits(if bits >> 52 & 0x7ff == 0x7ff { bits & !(1 << 62) } else { bits }),
                2 => f64::from_bits(bits & !(0x7fe << 52)),
                3 => [1e300, -1e300, 1e-300, 1.0, -1.0, -0.0, 5e-324, f64::MAX, -f64::MAX][(bits % 9) as usize],
                _ => [-0.0, 1.0, 3.0][(bits % 3) as usize],
            }
        })
        .collect();
    if kind == 4 && n > 2 {
        values[n / 2] = f64::INFINITY;
        values[2 * n / 3] = f64::NEG_INFINITY;
    }
    values
}

#[test]
fn running_sums_of_floats_are_exact_and_rounded_once() {
    let mut noise = Noise(1);
    for engine in engines() {
        for (kind, shape) in [
            (0, vec![1]),
            (1, vec![127]),
            (1, vec![129]),
            (0, vec![16_513]),
            (1, vec![17_001]),
            (2, vec![300, 3]),
            (3, vec![3, 1031]),
            (4, vec![2, 257, 2]),
            (3, vec![5, 1, 1]),
        ] {
            let n = shape.iter().product();
            let wide = ArrayD::from_shape_vec(IxDyn(&shape), floats(&mut noise, kind, n)).unwrap();
            // The same kinds over the range of binary32.
            let narrow = wide.mapv(|x| {
                let bits = x.to_bits();
                match kind {
                    1 | 2 if x.is_finite() => {
                        let y = f32::from_bits((bits >> 20) as u32);
                        if y.is_finite() && kind == 1 { y } else { f32::from_bits(y.to_bits() & 0x80ff_ffff) }
                    }
                    _ => x as f32,
                }
            });
            for axis in 0..shape.len() {
                let how = Scan::sum().axis(axis as isize);
                let exact = expected(&wide, axis, ExactSum::new(), |sum, x| {
                    sum.push(x);
                    sum.to_f64()
                });
                assert_eq!(bytes(&scan(&engine, &how, &wide).unwrap().0), exact, "{engine:?} f64 {kind} {shape:?} {axis}");
                let exact = expected(&narrow, axis, ExactSum::new(), |sum, x| {
                    sum.push(f64::from(x));
                    sum.to_f32()
                });
                assert_eq!(bytes(&scan(&engine, &how, &narrow).unwrap().0), exact, "{engine:?} f32 {kind} {shape:?} {axis}");
            }
        }
    }
}

#[test]
fn extremes_and_integers_are_those_of_a_loop() {
    let mut noise = Noise(2);
    for engine in engines() {
        for dtype in Dtype::ALL.into_iter().filter(|dtype| !dtype.is_complex()) {
            for shape in [vec![7usize], vec![66_049], vec![5, 259], vec![259, 5], vec![2, 3, 2]] {
                with_dtype!(dtype, T => {
                    let from = |bits: u64| -> T {
                        let raw = bits.to_le_bytes();
                        let vec: Vec<u8> = if dtype == Dtype::Bool { vec![raw[0] & 1] } else { raw[..dtype.size()].to_vec() };
                        let mut host = HostVec::zeros(dtype, 1).unwrap();
                        host.view_mut(&[1]).copy_from_bytes(&vec);
                        host.view(&[1]).as_slice::<T>().unwrap()[0]
                    };
                    let array = ArrayD::from_shape_simple_fn(IxDyn(&shape), || from(noise.next()));
                    for axis in 0..shape.len() {
                        use crate::plan::Ordered;
                        for smaller in [true, false] {
                            let how = if smaller { Scan::min() } else { Scan::max() }.axis(axis as isize);
                            let wanted = expected(&array, axis, None::<u64>, |best, x: T| {
                                let key = x.extreme_key(smaller);
                                let now = best.map_or(key, |best| if smaller { best.min(key) } else { best.max(key) });
                                *best = Some(now);
                                T::from_key(now)
                            });
                            let found = scan(&engine, &how, &array).unwrap().0;
                            assert_eq!(bytes(&found), wanted, "{engine:?} {dtype} {shape:?} {axis} {how:?}");
                        }
                    }
                });
            }
        }
        let values: Vec<i64> = (0..70_000).map(|_| noise.next() as i64).collect();
        let array = ArrayD::from_shape_vec(IxDyn(&[70_000]), values).unwrap();
        let sums = expected(&array, 0, 0i64, |sum, x| {
            *sum = sum.wrapping_add(x);
            *sum
        });
        assert_eq!(bytes(&scan(&engine, &Scan::sum().axis(0).wrapping(), &array).unwrap().0), sums);
        let odd = array.mapv(|x| x as u64 | 1);
        let products = expected(&odd, 0, 1u64, |product, x| {
            *product = product.wrapping_mul(x);
            *product
        });
        assert_eq!(bytes(&scan(&engine, &Scan::product().axis(0).wrapping(), &odd).unwrap().0), products);
        let small = array.mapv(|x| (x >> 56) as i8);
        let sums = expected(&small, 0, 0i64, |sum, x| {
            *sum += i64::from(x);
            *sum
        });
        assert_eq!(bytes(&scan(&engine, &Scan::sum().axis(0), &small).unwrap().0), sums);
    }
}

#[test]
fn overflow_is_found_wherever_it_happens() {
    for engine in engines() {
        let mut values = vec![0i64; 3000];
        (values[1500], values[1501], values[1502]) = (i64::MAX, 1, -1);
        let array = ArrayD::from_shape_vec(IxDyn(&[3000]), values.clone()).unwrap();
        let error = Error::Overflow { op: "cumsum", out_dtype: Dtype::I64 };
        assert_eq!(scan(&engine, &Scan::sum(), &array).unwrap_err(), error);
        (values[1501], values[1502]) = (-1, 1);
        let array = ArrayD::from_shape_vec(IxDyn(&[3000]), values).unwrap();
        assert!(scan(&engine, &Scan::sum(), &array).is_ok());
        let cases: [(&[i64], bool); 7] = [
            (&[i64::MIN, 1], true),
            (&[1 << 62, -2], true),
            (&[1 << 62, 2], false),
            (&[i64::MIN, -1], false),
            (&[0, i64::MAX, i64::MAX], true),
            (&[3_037_000_500, 3_037_000_500], false),
            (&[3_037_000_499, -3_037_000_499], true),
        ];
        for (factors, fits) in cases {
            let array = ArrayD::from_shape_vec(IxDyn(&[factors.len()]), factors.to_vec()).unwrap();
            assert_eq!(scan(&engine, &Scan::product(), &array).is_ok(), fits, "{engine:?} {factors:?}");
        }
        for (factors, fits) in [([1u64 << 32, 1 << 31], true), ([1 << 32, 1 << 32], false), ([u64::MAX, 1], true)] {
            let array = ArrayD::from_shape_vec(IxDyn(&[2]), factors.to_vec()).unwrap();
            assert_eq!(scan(&engine, &Scan::product(), &array).is_ok(), fits, "{engine:?} {factors:?}");
        }
    }
}

#[test]
fn products_of_floats_are_within_their_bound() {
    let mut noise = Noise(3);
    for engine in engines() {
        for n in [1usize, 256, 257, 3000] {
            let array =
                ArrayD::from_shape_simple_fn(IxDyn(&[n]), || (((noise.next() >> 20) as f64) * 2f64.powi(-43)).exp2() - 1.4);
            let (found, _) = scan(&engine, &Scan::product(), &array).unwrap();
            let HostVec::F64(found) = found else { panic!("no floats") };
            let mut product = FloatProduct::ONE;
            for (i, (&x, y)) in array.iter().zip(found).enumerate() {
                product.push(x);
                let expected = product.to_f64();
                // Both are within the bound of the exact product.
                let bound = 2.0 * (i + 2) as f64 * f64::EPSILON / 2.0 * expected.abs() + f64::MIN_POSITIVE;
                assert!((y - expected).abs() <= bound || y == expected, "{engine:?} {n} {i}: {y} {expected}");
            }
        }
    }
}

#[test]
fn lanes_that_go_on_in_the_next_piece_and_all_ways_to_begin() {
    let mut noise = Noise(4);
    for engine in engines() {
        // More than one piece on a software adapter, more than one level of states.
        for shape in [vec![1 << 21 | 3], vec![70_000, 33], vec![3, 800_001]] {
            let array = ArrayD::from_shape_simple_fn(IxDyn(&shape), || noise.next() as u32 >> 3);
            for axis in 0..shape.len() {
                let wanted = expected(&array, axis, 0u64, |sum, x| {
                    *sum += u64::from(x);
                    *sum
                });
                let found = scan(&engine, &Scan::sum().axis(axis as isize), &array).unwrap().0;
                assert!(bytes(&found) == wanted, "{engine:?} {shape:?} {axis}");
            }
        }
        for n in [0usize, 1, 2, 300, (1 << 20) + 300] {
            let values: Vec<f32> = (0..n).map(|_| f32::from_bits(noise.next() as u32 & 0xbfff_ffff)).collect();
            let array = ArrayD::from_shape_vec(IxDyn(&[n]), values.clone()).unwrap();
            let running = |values: &mut dyn Iterator<Item = f32>| {
                let mut sum = ExactSum::new();
                let next = |x: f32| {
                    sum.push(f64::from(x));
                    sum.to_f32()
                };
                std::iter::once(0.0).chain(values.map(next)).collect::<Vec<f32>>()
            };
            for reverse in [false, true] {
                let mut given = values.clone();
                if reverse {
                    given.reverse();
                }
                let all = running(&mut given.into_iter());
                for (how, range) in
                    [(Scan::sum(), 1..n + 1), (Scan::sum().exclusive(), 0..n), (Scan::sum().include_initial(), 0..n + 1)]
                {
                    let how = if reverse { how.reverse() } else { how };
                    let mut wanted = all[range].to_vec();
                    if reverse {
                        wanted.reverse();
                    }
                    let found = scan(&engine, &how, &array).unwrap().0;
                    assert!(bytes(&found) == bytes(&HostVec::F32(wanted)), "{engine:?} {n} {how:?}");
                }
            }
        }
    }
}

/// Random bit patterns, or small numbers.
fn random(noise: &mut Noise, dtype: Dtype, n: usize, small: bool) -> HostVec {
    let mut vec = HostVec::zeros(dtype, n).unwrap();
    let bytes: Vec<u8> = (0..n)
        .flat_map(|_| {
            let bits = noise.next();
            let bits = match dtype {
                Dtype::Bool => bits & 1,
                _ if small && dtype.is_signed_integer() => (bits % 7).wrapping_sub(3),
                _ if small && !dtype.is_float() => bits % 3,
                // Every exponent; now and then infinite or NaN.
                Dtype::F32 | Dtype::F64 if !noise.next().is_multiple_of(150) => bits & !(1 << (8 * dtype.size() - 2)),
                _ => bits,
            };
            bits.to_le_bytes()[..dtype.size()].to_vec()
        })
        .collect();
    vec.view_mut(&[n]).copy_from_bytes(&bytes);
    vec
}

#[test]
fn other_dtypes_of_the_result_and_nan_passed_over_are_as_on_the_cpu() {
    let (mut noise, cpu) = (Noise(7), CpuEngine::new(Some(1)));
    for engine in engines() {
        for op in [ScanOp::Sum, ScanOp::Product] {
            for dtype in Dtype::ALL.into_iter().filter(|dtype| !dtype.is_complex()) {
                for out in Dtype::ALL.into_iter().filter(|out| op == ScanOp::Sum || !out.is_float()) {
                    for (i, how) in
                        [Scan::of(op), Scan::of(op).wrapping(), Scan::of(op).skip_nan().reverse()].into_iter().enumerate()
                    {
                        let (shape, how) = ([3, 259], how.axis(1).out_dtype(out));
                        let Ok(plan) = ScanPlan::new(&how, dtype, &shape) else { continue };
                        let given = random(&mut noise, dtype, 777, i == 0 || (op == ScanOp::Product && i == 2));
                        let inputs = [Input::Host(given.view(&shape))];
                        let run = |engine: &dyn Engine| {
                            let mut vec = HostVec::zeros(out, 777)?;
                            let target = Target::Host(vec.view_mut(&shape));
                            engine.operate(&Operation::Scan(plan.clone()), &inputs, vec![target], &Control::new())?;
                            Ok::<_, Error>(bytes(&vec))
                        };
                        assert_eq!(run(&engine), run(&cpu), "{engine:?} {how:?} of {dtype}");
                    }
                }
            }
        }
        // Rounding to a subnormal, half way, to infinity, and from numbers that no binary32 holds.
        let ends = [-149, -150, -151, -126, -127, 127].map(|e| 2f64.powi(e));
        let near = |x: f64| [x, x.next_up(), x.next_down(), -x, 3.0 * x, 1.5 * x, x * (2.0 - 2f64.powi(-24))];
        let values: Vec<f64> = ends.into_iter().flat_map(near).chain([0.0, -0.0, f64::MAX, 1e300]).collect();
        let array = ArrayD::from_shape_vec(IxDyn(&[values.len(), 1]), values.clone()).unwrap();
        let rounded: Vec<f32> = values.iter().map(|&x| x as f32).collect();
        let found = scan(&engine, &Scan::sum().axis(1).out_dtype(Dtype::F32), &array).unwrap().0;
        assert_eq!(bytes(&found), bytes(&HostVec::F32(rounded)), "{engine:?}");
    }
}
