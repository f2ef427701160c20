//! Against the definition, pass by pass in binary64, at every SIMD level.

use super::super::store::asked;
use super::*;
use crate::plan::{Factor, Separable};
use crate::view::contiguous_strides;

const BOUNDARIES: [Boundary; 6] =
    [Boundary::ZERO, Boundary::Constant(1.5), Boundary::Reflect, Boundary::Nearest, Boundary::Mirror, Boundary::Wrap];

/// A small deterministic generator.
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, n: usize) -> usize {
        self.bits() as usize % n
    }

    fn unit(&mut self) -> f64 {
        self.bits() as f64 / (1u64 << 30) as f64 - 1.0
    }
}

/// The result by the definition, and the sum of the magnitudes of all products.
fn expected(plan: &SeparablePlan, values: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let terms: Vec<_> = plan.terms.iter().map(|term| expected_term(plan, term, values)).collect();
    let sum = |i: usize| match plan.combine {
        Combine::Sum => terms.iter().map(|term| term.0[i]).sum(),
        Combine::Magnitude => terms.iter().map(|term| term.0[i] * term.0[i]).sum::<f64>().sqrt(),
    };
    let n = plan.outputs();
    ((0..n).map(sum).collect(), (0..n).map(|i| terms.iter().map(|term| term.1[i]).sum()).collect())
}

fn expected_term(plan: &SeparablePlan, passes: &[Pass], values: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let (mut shape, mut sums) = (plan.input.clone(), (values.to_vec(), values.iter().map(|x| x.abs()).collect::<Vec<_>>()));
    for pass in passes {
        let n = shape[pass.axis];
        let behind: usize = shape[pass.axis + 1..].iter().product();
        let front: usize = shape[..pass.axis].iter().product();
        let filter = |values: &[f64], magnitude: bool| -> Vec<f64> {
            let mut out = vec![];
            for f in 0..front {
                for o in 0..pass.output {
                    for b in 0..behind {
                        let term = |(t, &w): (usize, &f64)| {
                            let x = match pass.boundary.source((o + t) as isize + pass.start, n) {
                                Some(i) => values[(f * n + i) * behind + b],
                                None => pass.boundary.fill(),
                            };
                            if magnitude { (w * x).abs() } else { w * x }
                        };
                        out.push(pass.weights.iter().enumerate().map(term).sum());
                    }
                }
            }
            out
        };
        sums = (filter(&sums.0, false), filter(&sums.1, true));
        shape[pass.axis] = pass.output;
    }
    sums
}

/// Random weights: symmetric, antisymmetric or neither.
fn weights(random: &mut Random, most: usize) -> Vec<f64> {
    let n = 1 + random.below(most);
    let mut weights: Vec<f64> = (0..n).map(|_| random.unit()).collect();
    let sign = [0.0, 1.0, -1.0][random.below(3)];
    if sign != 0.0 {
        for i in 0..n / 2 {
            weights[n - 1 - i] = sign * weights[i];
        }
        if sign < 0.0 && n % 2 == 1 {
            weights[n / 2] = 0.0;
        }
    }
    weights
}

fn random_plan(random: &mut Random, dtype: Dtype, out: Dtype) -> SeparablePlan {
    let rank = 1 + random.below(4);
    let longest = [300, 60, 20, 9][rank - 1];
    let mut shape: Vec<usize> = (0..rank).map(|_| 1 + random.below(longest)).collect();
    if random.below(4) == 0 {
        shape[rank - 1] = 150 + random.below(100);
    }
    let mut how = Separable::new().out_dtype(out);
    for _ in 0..random.below(4) {
        let most = [3, 9, 40][random.below(3)];
        let weights = weights(random, most);
        let n = weights.len() as isize;
        let origin = random.below(n as usize) as isize - n / 2;
        let axis = random.below(rank) as isize;
        how = how.pass(Factor::correlate(axis, weights).origin(origin).boundary(BOUNDARIES[random.below(6)]));
    }
    let mut plan = SeparablePlan::new(&how, dtype, &shape).unwrap();
    if random.below(4) == 0 {
        // Outputs of any number, from anywhere.
        let pass = random.below(plan.terms[0].len());
        plan.terms[0][pass].output = 1 + random.below(40);
        plan.terms[0][pass].start = random.below(40) as isize - 20;
        plan = SeparablePlan::of_terms(plan.terms, Combine::Sum, dtype, out, &shape).unwrap();
    } else if random.below(2) == 0 {
        // Several terms over ascending axes.
        let mut how = Separable::new().out_dtype(out);
        for term in 0..2 + random.below(2) {
            let mut one = Separable::new();
            for axis in 0..rank {
                if random.below(3) > 0 {
                    let weights = weights(random, 9);
                    one = one.pass(Factor::convolve(axis as isize, weights).boundary(BOUNDARIES[random.below(6)]));
                }
            }
            how = if term == 0 { one.out_dtype(out) } else { how.plus(one.scaled(0.5)) };
        }
        plan = SeparablePlan::new(&if random.below(2) == 0 { how } else { how.magnitude() }, dtype, &shape).unwrap();
    }
    plan
}

/// The values of a vector.
fn values(vec: &HostVec) -> Vec<f64> {
    match vec {
        HostVec::U8(v) => v.iter().map(|&x| x.into()).collect(),
        HostVec::I8(v) => v.iter().map(|&x| x.into()).collect(),
        HostVec::U16(v) => v.iter().map(|&x| x.into()).collect(),
        HostVec::I16(v) => v.iter().map(|&x| x.into()).collect(),
        HostVec::I32(v) => v.iter().map(|&x| x.into()).collect(),
        HostVec::F32(v) => v.iter().map(|&x| x.into()).collect(),
        HostVec::F64(v) => v.clone(),
        _ => panic!("not tested"),
    }
}

fn draw(random: &mut Random, dtype: Dtype, n: usize) -> HostVec {
    let mut unit = |_| random.unit();
    match dtype {
        Dtype::U8 => HostVec::U8((0..n).map(|i| ((unit(i) + 1.0) * 127.6) as u8).collect()),
        Dtype::I8 => HostVec::I8((0..n).map(|i| (unit(i) * 128.0) as i8).collect()),
        Dtype::U16 => HostVec::U16((0..n).map(|i| ((unit(i) + 1.0) * 32_767.6) as u16).collect()),
        Dtype::I16 => HostVec::I16((0..n).map(|i| (unit(i) * 32_768.0) as i16).collect()),
        Dtype::I32 => HostVec::I32((0..n).map(|i| (unit(i) * 1e9) as i32).collect()),
        Dtype::F32 => HostVec::F32((0..n).map(|i| unit(i) as f32).collect()),
        _ => HostVec::F64((0..n).map(unit).collect()),
    }
}

#[test]
fn every_level_is_within_the_bound() {
    let mut random = Random(1);
    let dtypes = [Dtype::U8, Dtype::I8, Dtype::U16, Dtype::I16, Dtype::I32, Dtype::F32, Dtype::F64];
    for round in 0..700 {
        let dtype = dtypes[round % 7];
        let out = if random.below(2) == 0 { dtype } else { dtypes[random.below(7)] };
        let plan = random_plan(&mut random, dtype, out);
        let data = draw(&mut random, dtype, plan.input.iter().product());
        let (exact, scale) = expected(&plan, &values(&data));
        let epsilon = if plan.is_double() { f64::EPSILON } else { f64::from(f32::EPSILON) } / 2.0;
        let mut first: Option<HostVec> = None;
        for simd in Simd::available() {
            let done = run(&plan, data.view(&plan.input), Target::Device(None), simd, &Control::new()).unwrap();
            let Some(Storage::Host(vec)) = done else { panic!() };
            let got = values(&vec);
            assert_eq!(got.len(), exact.len());
            for (i, (&x, &y)) in got.iter().zip(&exact).enumerate() {
                let mut error = (plan.roundings() + 4) as f64 * epsilon * 1.001 * scale[i] + 1e-300;
                let mut y = y;
                match out.integer_range() {
                    Some((lo, hi)) => (y, error) = (y.clamp(lo as f64, hi as f64), error + 0.5),
                    None if out == Dtype::F32 => error += y.abs() * f64::from(f32::EPSILON),
                    None => error += scale[i] * 1e-15,
                }
                assert!((x - y).abs() <= error, "{simd:?} {plan:?} at {i}: {x} for {y} ± {error}");
            }
            // One set of bits on every way to memory,
            for leave in [Leave::Past, Leave::Through] {
                let go = || run(&plan, data.view(&plan.input), Target::Device(None), simd, &Control::new()).unwrap();
                let Some(Storage::Host(other)) = asked(leave, go) else { panic!() };
                assert_eq!(*vec, *other, "{leave:?} {simd:?} {plan:?}");
            }
            // and at every level.
            assert_eq!(&*vec, first.get_or_insert_with(|| (*vec).clone()), "{simd:?} {plan:?}");
        }
    }
}

#[test]
fn integers_with_integer_weights_are_exact() {
    let mut random = Random(2);
    for (dtype, out) in [(Dtype::U8, Dtype::I32), (Dtype::I16, Dtype::I32), (Dtype::I32, Dtype::F64), (Dtype::U16, Dtype::F32)] {
        for _ in 0..20 {
            let mut plan = random_plan(&mut random, dtype, out);
            for pass in plan.terms.iter_mut().flatten() {
                pass.weights.iter_mut().for_each(|w| *w = (*w * 3.0).round());
                pass.boundary = if pass.boundary.fill() != 0.0 { Boundary::Constant(7.0) } else { pass.boundary };
            }
            let data = draw(&mut random, dtype, plan.input.iter().product());
            plan.combine = Combine::Sum;
            let (exact, scale) = expected(&plan, &values(&data));
            let done = run(&plan, data.view(&plan.input), Target::Device(None), Simd::current(), &Control::new()).unwrap();
            let Some(Storage::Host(vec)) = done else { panic!() };
            for ((x, y), scale) in values(&vec).iter().zip(exact).zip(scale) {
                let y = if out == Dtype::F32 { f64::from(y as f32) } else { y.clamp(i32::MIN.into(), f64::MAX) };
                if scale < 2e9 {
                    assert_eq!(*x, y, "{plan:?}");
                }
            }
        }
    }
}

#[test]
fn strided_sources_and_targets_give_the_same() {
    let mut random = Random(3);
    for round in 0..60 {
        let dtype = [Dtype::U8, Dtype::F32, Dtype::F64, Dtype::I16][round % 4];
        let plan = random_plan(&mut random, dtype, dtype);
        let n: usize = plan.input.iter().product();
        let data = draw(&mut random, dtype, n);
        let plain = run(&plan, data.view(&plan.input), Target::Device(None), Simd::current(), &Control::new()).unwrap();
        let Some(Storage::Host(plain)) = plain else { panic!() };
        // Every axis twice as long, backwards: from the last element of every other one.
        let spread = |shape: &[usize]| -> (Vec<usize>, Vec<isize>, isize) {
            let double: Vec<usize> = shape.iter().map(|n| 2 * n).collect();
            let strides: Vec<isize> = contiguous_strides(&double).iter().map(|s| -2 * s).collect();
            let start = strides.iter().zip(shape).map(|(s, &n)| -s * (n as isize - 1)).sum();
            (double, strides, start)
        };
        let (double, strides, start) = spread(&plan.input);
        let mut memory = HostVec::zeros(dtype, double.iter().product()).unwrap();
        let size = dtype.size() as isize;
        // SAFETY: the elements of a vector, each once.
        let mut window = unsafe {
            let first = memory.view_mut(&double).as_mut_ptr().offset(start * size);
            ViewMut::from_raw_parts(dtype, first, &plan.input, &strides)
        };
        window.copy_from_bytes(data.view(&plan.input).as_bytes().unwrap());
        // SAFETY: as above, and nobody writes any more.
        let source = unsafe { View::from_raw_parts(dtype, window.as_ptr(), &plan.input, &strides) };
        let (double, strides, start) = spread(&plan.shape);
        let mut target = HostVec::zeros(dtype, double.iter().product()).unwrap();
        // SAFETY: the elements of a vector, each once.
        let mut out = unsafe {
            let first = target.view_mut(&double).as_mut_ptr().offset(start * size);
            ViewMut::from_raw_parts(dtype, first, &plan.shape, &strides)
        };
        run(&plan, source, Target::Host(out.reborrow()), Simd::current(), &Control::new()).unwrap();
        // SAFETY: as above, and nobody writes any more.
        let out = unsafe { View::from_raw_parts(dtype, out.as_ptr(), &plan.shape, &strides) };
        let mut bytes = vec![0; plan.outputs() * dtype.size()];
        out.copy_to_bytes(&mut bytes);
        assert_eq!(bytes, plain.view(&plan.shape).as_bytes().unwrap(), "{plan:?}");
    }
}

#[test]
fn large_results_are_the_rounded_ones_to_their_edges() {
    // Bytes on their way past the caches are collected first; rows begin anywhere in a cache line.
    let shape = [2903, 2901];
    let data = draw(&mut Random(4), Dtype::U8, shape[0] * shape[1]);
    let result = |out| {
        let (down, along) = (Factor::correlate(0, [0.3, 0.5, 0.3]), Factor::correlate(1, [0.1, 0.2, 0.5, 0.2, 0.1]));
        let how = Separable::new().pass(down.boundary(Boundary::Reflect)).pass(along).out_dtype(out);
        let plan = SeparablePlan::new(&how, Dtype::U8, &shape).unwrap();
        [Leave::Past, Leave::Through].map(|leave| {
            let go = || run(&plan, data.view(&shape), Target::Device(None), Simd::current(), &Control::new()).unwrap();
            let Some(Storage::Host(vec)) = asked(leave, go) else { panic!() };
            (*vec).clone()
        })
    };
    for (bytes, floats) in result(Dtype::U8).into_iter().zip(result(Dtype::F32)) {
        let (HostVec::U8(bytes), HostVec::F32(floats)) = (bytes, floats) else { panic!() };
        for (i, (&byte, float)) in bytes.iter().zip(floats).enumerate() {
            assert_eq!(byte, float.round_ties_even() as u8, "{i}");
        }
    }
}

#[test]
fn rows_that_go_past_the_caches_are_whole() {
    let mut random = Random(5);
    for (round, (taps, inner)) in [(3, 1), (5, 3), (9, 4), (11, 1), (17, 3)].into_iter().enumerate() {
        let dtype = [Dtype::F32, Dtype::F64][round % 2];
        // Rows of several segments, that begin and end anywhere in a cache line.
        let shape = [(9 << 20) / dtype.size() / 4211, 4211 / inner, inner];
        let data = draw(&mut random, dtype, shape.iter().product());
        let mut weights: Vec<f64> = (0..taps).map(|_| random.unit()).collect();
        (0..taps / 2).for_each(|i| weights[taps - 1 - i] = weights[i]);
        let along = Factor::correlate(1, weights).boundary(Boundary::Mirror);
        let how = Separable::new().pass(Factor::correlate(0, [0.5, 1.0, -0.5])).pass(along);
        let plan = SeparablePlan::new(&how, dtype, &shape).unwrap();
        assert!(plan.outputs() * dtype.size() > super::super::STREAM_BYTES);
        let ways = [Leave::Past, Leave::Through];
        for (simd, leave) in Simd::available().into_iter().rev().take(2).flat_map(|simd| ways.map(|leave| (simd, leave))) {
            let go = || run(&plan, data.view(&shape), Target::Device(None), simd, &Control::new()).unwrap();
            let Some(Storage::Host(whole)) = asked(leave, go) else { panic!() };
            // The same rows, too few to go past the caches.
            for rows in [0..40, shape[0] - 40..shape[0]] {
                let part = [rows.len(), shape[1], inner];
                let (from, to) = (rows.start.saturating_sub(1), shape[0].min(rows.end + 1));
                let row = shape[1] * inner * dtype.size();
                let source = &data.view(&shape).as_bytes().unwrap()[from * row..to * row];
                let mut held = HostVec::zeros(dtype, source.len() / dtype.size()).unwrap();
                held.view_mut(&[source.len() / dtype.size()]).copy_from_bytes(source);
                let input = [to - from, shape[1], inner];
                let little = SeparablePlan::new(&how, dtype, &input).unwrap();
                let done = run(&little, held.view(&input), Target::Device(None), simd, &Control::new()).unwrap();
                let Some(Storage::Host(done)) = done else { panic!() };
                let skipped = (rows.start - from) * row;
                let expected = &done.view(&input).as_bytes().unwrap()[skipped..][..part.iter().product::<usize>() * dtype.size()];
                assert!(
                    &whole.view(&shape).as_bytes().unwrap()[rows.start * row..rows.end * row] == expected,
                    "{simd:?} {plan:?}"
                );
            }
        }
    }
}

#[test]
fn both_passes_at_once_have_the_bits_of_one_after_the_other() {
    // Rows that all begin alike in their cache lines, and rows that do not; channels beside each other.
    let widths = [(3, 4208), (5, 4211), (7, 1600), (9, 4208), (9, 1601), (11, 4208), (17, 4211), (41, 1601)];
    let gray = widths.map(|(taps, width)| (taps, width, 1));
    let colours = [(9, 1603, 1), (3, 1403, 3), (5, 1400, 3), (7, 701, 3), (9, 1403, 3), (3, 1050, 4), (5, 533, 4), (9, 1049, 4)];
    let long = [(17, 1403, 3), (25, 352, 3), (41, 1050, 1), (33, 700, 3), (9, 301, 2), (4, 2099, 1), (8, 700, 3)];
    let both: Vec<_> = gray.into_iter().chain(long).collect();
    both_passes::<f32>(7.0, &both);
    both_passes::<f64>(7.0, &both);
    let both: Vec<_> = colours.into_iter().chain(long).collect();
    both_passes::<u8>(7, &both);
    both_passes::<u16>(7, &both);
}

/// Images of one type: the number of weights, columns and channels of each.
fn both_passes<T: Element>(beside: T, images: &[(usize, usize, usize)]) {
    let mut random = Random(6);
    for (round, &(taps, width, inner)) in images.iter().enumerate() {
        let shape = [(1 << 18) / (width * inner), width, inner];
        let data = draw(&mut random, T::DTYPE, shape.iter().product());
        // The same from both ends, of opposite signs, or any; as many down as along, or not.
        let mut weights = |kind: usize, taps: usize| {
            let mut weights: Vec<f64> = (0..taps).map(|_| random.unit()).collect();
            for i in 0..if kind == 2 { 0 } else { taps / 2 } {
                weights[taps - 1 - i] = if kind == 0 { weights[i] } else { -weights[i] };
            }
            if kind == 1 && taps % 2 == 1 {
                weights[taps / 2] = 0.0;
            }
            let sum: f64 = weights.iter().map(|w| w.abs()).sum();
            weights.iter().map(|w| w / sum).collect::<Vec<f64>>()
        };
        let kinds: &[_] = if round % 3 == 2 { &[(0, 0, 0), (0, 1, 0), (1, 0, 2), (2, 2, 0)] } else { &[(0, 0, 0)] };
        for &(kind_down, kind_along, fewer) in kinds {
            let (down, along) = (weights(kind_down, taps.max(fewer + 1) - fewer), weights(kind_along, taps));
            let origin = if taps > 3 { [0, 1, -1][round % 3] } else { 0 };
            let down = Factor::correlate(0, down).boundary(BOUNDARIES[round % 6]).origin(-origin);
            let along = Factor::correlate(1, along).boundary(BOUNDARIES[(round + 2) % 6]).origin(origin);
            let plan = SeparablePlan::new(&Separable::new().pass(down).pass(along), T::DTYPE, &shape).unwrap();
            let result = |simd, leave, skipped: usize| {
                let n = plan.outputs();
                let mut values = vec![beside; n + 40];
                let out = ndarray::ArrayViewMut::from_shape(shape, &mut values[skipped..skipped + n]).unwrap();
                let target = Target::Host(ViewMut::from_ndarray(out));
                asked(leave, || run(&plan, data.view(&shape), target, simd, &Control::new()).unwrap());
                assert!(
                    values[..skipped].iter().chain(&values[skipped + n..]).all(|&x| x == beside),
                    "written beside the result"
                );
                values.drain(..skipped);
                values.truncate(n);
                values
            };
            let expected = result(Simd::Portable, Leave::Stored, 0);
            for simd in Simd::available() {
                for (leave, skipped) in [(Leave::Past, 0), (Leave::Past, 3), (Leave::Through, 16), (Leave::Stored, 5)] {
                    let got = result(simd, leave, skipped);
                    let same = |(a, b): (&T, &T)| bytemuck::bytes_of(a) == bytemuck::bytes_of(b);
                    let first = got.iter().zip(&expected).position(|pair| !same(pair));
                    assert_eq!(
                        first, None,
                        "{simd:?} {leave:?} {taps} {width} {inner} {skipped} {kind_down} {kind_along} {fewer}"
                    );
                }
            }
        }
    }
}

/// Memory with a page before it and one behind it that nobody may touch.
#[cfg(target_os = "linux")]
struct Guarded {
    start: *mut u8,
    bytes: usize,
}

#[cfg(target_os = "linux")]
const PAGE: usize = 4096;

#[cfg(target_os = "linux")]
impl Guarded {
    fn new(bytes: usize) -> Self {
        assert!(bytes.is_multiple_of(PAGE), "whole pages");
        // SAFETY: a new mapping, whose first and last page are taken away.
        let start = unsafe {
            let (prot, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
            let start = libc::mmap(std::ptr::null_mut(), bytes + 2 * PAGE, prot, flags, -1, 0).cast::<u8>();
            assert!(start.cast() != libc::MAP_FAILED, "no memory");
            assert!(libc::mprotect(start.cast(), PAGE, libc::PROT_NONE) == 0);
            assert!(libc::mprotect(start.add(PAGE + bytes).cast(), PAGE, libc::PROT_NONE) == 0);
            start.add(PAGE)
        };
        Self { start, bytes }
    }
}

#[cfg(target_os = "linux")]
impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: the mapping is this one's own.
        unsafe { libc::munmap(self.start.sub(PAGE).cast(), self.bytes + 2 * PAGE) };
    }
}

#[test]
#[cfg(target_os = "linux")]
fn nothing_beside_the_image_is_read() {
    fn check<T: Element>(taps: usize, shape: [usize; 3]) {
        let n = shape.iter().product::<usize>();
        let memory = Guarded::new(n * size_of::<T>());
        let data = draw(&mut Random(9), T::DTYPE, n);
        let data = data.view(&[n]);
        // SAFETY: the memory is that large, aligned, and lives as long as the view.
        let view = unsafe {
            std::ptr::copy_nonoverlapping(data.as_bytes().unwrap().as_ptr(), memory.start, memory.bytes);
            ndarray::ArrayView::from_shape_ptr(shape, memory.start.cast_const().cast::<T>())
        };
        let weights = vec![1.0 / taps as f64; taps];
        let how = [0, 1].into_iter().fold(Separable::new(), |how, axis| how.pass(Factor::correlate(axis, weights.clone())));
        let plan = SeparablePlan::new(&how, T::DTYPE, &shape).unwrap();
        let ways = [Leave::Past, Leave::Through, Leave::Stored];
        let mut results = Simd::available().into_iter().flat_map(|simd| ways.map(|leave| (simd, leave))).map(|(simd, leave)| {
            let go = || run(&plan, View::from_ndarray(view), Target::Device(None), simd, &Control::new()).unwrap();
            let Some(Storage::Host(vec)) = asked(leave, go) else { panic!() };
            (simd, leave, vec)
        });
        let (_, _, expected) = results.next().unwrap();
        for (simd, leave, vec) in results {
            assert!(vec.view(&[n]).as_bytes() == expected.view(&[n]).as_bytes(), "{simd:?} {leave:?} {taps} {shape:?}");
        }
    }
    // Rows that begin alike in their cache lines, and rows that do not.
    for taps in [9, 33] {
        check::<f32>(taps, [64, 1024, 1]);
        check::<f32>(taps, [1024, 1033, 1]);
        check::<f32>(taps, [1024, 211, 3]);
        check::<f64>(taps, [512, 1033, 1]);
    }
    for taps in [5, 17, 41] {
        check::<u8>(taps, [4096, 333, 1]);
        check::<u8>(taps, [64, 1024, 3]);
        check::<u16>(taps, [2048, 331, 1]);
    }
}

#[test]
fn passes_are_paired() {
    let pairs = |shape: &[usize], axes: &[isize], boundary| {
        let how = axes
            .iter()
            .fold(Separable::new(), |how, &axis| how.pass(Factor::correlate(axis, [1.0, 2.0, 1.0]).boundary(boundary)));
        let plan = SeparablePlan::new(&how, Dtype::F32, shape).unwrap();
        let pairs = super::pairs(&plan, &plan.terms[0]);
        pairs.into_iter().map(|pair| (pair.down, pair.along)).collect::<Vec<_>>()
    };
    let reflect = Boundary::Reflect;
    assert_eq!(pairs(&[30, 40, 3], &[0, 1], reflect), [(Some(0), Some(1))]);
    assert_eq!(pairs(&[30, 40, 3], &[1, 0], reflect), [(Some(1), Some(0))]);
    assert_eq!(pairs(&[30, 40, 3], &[1, 0], Boundary::Constant(1.0)), [(None, Some(0)), (Some(1), None)]);
    assert_eq!(pairs(&[20, 30, 100], &[0, 1, 2], reflect), [(Some(0), None), (Some(1), Some(2))]);
    assert_eq!(pairs(&[100], &[0], reflect), [(None, Some(0))]);
    assert_eq!(pairs(&[30, 100], &[0], reflect), [(Some(0), None)]);
}
