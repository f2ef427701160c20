//! Channels, strides, dilations, origins and complex numbers are their definition on every device: integers exactly, floats
//! within the derived bound. And what a result's dtype does not hold wraps or saturates where that is asked for.

use ndarray::{ArrayD, Dimension, IxDyn};
use num_complex::Complex;
use unisono::{Algorithm, AsOperand, Backend, Boundary, Centre, Convolve, Direction, Dtype, HostVec, Overflow};

use crate::devices::{self, Random};
use crate::oracle;

/// One convolution with all its options, as the definition needs them: everything per axis.
#[derive(Debug)]
struct Case {
    lead: Vec<usize>,
    groups: usize,
    channels: usize,
    kernels: usize,
    image: Vec<usize>,
    kernel: Vec<usize>,
    mode: &'static str,
    rule: &'static str,
    centre: Centre,
    origin: Vec<isize>,
    stride: Vec<usize>,
    dilation: Vec<usize>,
    direction: Direction,
}

fn case(random: &mut Random) -> Case {
    let rank = 1 + random.below(3);
    let (longest, widest) = ([60, 17, 6][rank - 1], [9, 5, 3][rank - 1]);
    let mode = ["full", "same", "valid"][random.below(3)];
    let kernel: Vec<usize> = (0..rank).map(|_| 1 + random.below(widest)).collect();
    let mut some = |most: usize, often: usize| (0..rank).map(|_| if often > 0 { 1 + random.below(most) } else { 1 }).collect();
    let (dilation, stride): (Vec<usize>, Vec<usize>) = (some(3, 1), some(3, 1));
    let spread: Vec<usize> = kernel.iter().zip(&dilation).map(|(k, d)| (k - 1) * d + 1).collect();
    let mut image: Vec<usize> = (0..rank).map(|_| 1 + random.below(longest)).collect();
    if mode == "valid" {
        image.iter_mut().zip(&spread).for_each(|(n, k)| *n = (*n).max(*k));
    }
    let origin = spread.iter().map(|&k| if mode == "same" { random.below(k) as isize - (k / 2) as isize } else { 0 }).collect();
    let groups = 1 + random.below(3);
    Case {
        lead: (0..random.below(3)).map(|_| 1 + random.below(2)).collect(),
        groups,
        channels: 1 + random.below(3),
        kernels: groups * (1 + random.below(5)),
        image,
        kernel,
        mode,
        rule: ["constant", "reflect", "nearest", "mirror", "wrap"][random.below(5)],
        centre: [Centre::Signal, Centre::Signal2d, Centre::Ndimage][random.below(3)],
        origin,
        stride,
        dilation,
        direction: [Direction::Convolve, Direction::Correlate][random.below(2)],
    }
}

impl Case {
    fn how(&self) -> Convolve {
        Convolve::rank(self.image.len())
            .mode(self.mode.parse().unwrap())
            .boundary(self.rule.parse().unwrap())
            .centre(self.centre)
            .origin(&self.origin)
            .stride(&self.stride)
            .dilation(&self.dilation)
            .groups(self.groups)
    }

    /// With `fill` outside, where the boundary is a constant.
    fn how_filled(&self, fill: Complex<f32>) -> Convolve {
        let (re, im) = (f64::from(fill.re), f64::from(fill.im));
        match self.rule {
            "constant" if im == 0.0 => self.how().boundary(Boundary::Constant(re)),
            "constant" => self.how().boundary(Boundary::ConstantComplex(re, im)),
            _ => self.how(),
        }
    }

    fn image_shape(&self) -> Vec<usize> {
        [&self.lead[..], &[self.groups * self.channels], &self.image].concat()
    }

    fn kernel_shape(&self) -> Vec<usize> {
        [&[self.kernels, self.channels], &self.kernel[..]].concat()
    }

    /// Along one axis: outputs, and the position that tap `t` of output `o` reads, as an index of the extended image.
    fn axis(&self, axis: usize) -> (usize, impl Fn(usize, usize) -> isize) {
        let (n, d, s) = (self.image[axis] as isize, self.dilation[axis] as isize, self.stride[axis] as isize);
        let last = (self.kernel[axis] as isize - 1) * d;
        let k = last + 1;
        let convolve = self.direction == Direction::Convolve;
        // Which element of the spread kernel lies on the first output's own pixel.
        let upper = matches!((self.centre, self.direction), (Centre::Signal, Direction::Correlate) | (Centre::Ndimage, _));
        let centre = if upper { k / 2 } else { (k - 1) / 2 } + self.origin[axis];
        let (length, first) = match self.mode {
            "full" => (n + last, if convolve { 0 } else { -last }),
            "same" => (n, if convolve { centre } else { -centre }),
            _ => (n - last, if convolve { last } else { 0 }),
        };
        let place = move |o: usize, t: usize| first + o as isize * s + if convolve { -(t as isize * d) } else { t as isize * d };
        (((length - 1) / s + 1) as usize, place)
    }

    /// Every result by the definition.
    fn expected<T: Clone, A: Clone + std::ops::AddAssign>(
        &self,
        image: &ArrayD<T>,
        kernel: &ArrayD<T>,
        fill: &T,
        zero: A,
        product: impl Fn(&T, &T) -> A,
    ) -> Vec<A> {
        let axes: Vec<_> = (0..self.image.len()).map(|axis| self.axis(axis)).collect();
        let shape: Vec<usize> = axes.iter().map(|axis| axis.0).collect();
        let count: usize = self.lead.iter().product();
        let images = image.to_shape(IxDyn(&[&[count], &self.image_shape()[self.lead.len()..]].concat())).unwrap().to_owned();
        let mut results = vec![];
        for n in 0..count {
            for k in 0..self.kernels {
                let first = k / (self.kernels / self.groups) * self.channels;
                for o in ndarray::indices(IxDyn(&shape)) {
                    let mut total = zero.clone();
                    for t in ndarray::indices(IxDyn(&self.kernel_shape()[1..])) {
                        let mut at = Some(vec![n, first + t[0]]);
                        for (axis, (_, place)) in axes.iter().enumerate() {
                            let i = oracle::outside(self.rule, place(o[axis], t[axis + 1]), self.image[axis] as isize);
                            at = at.zip(i).map(|(at, i)| [at, vec![i]].concat());
                        }
                        let weight = &kernel[IxDyn(&[&[k], t.slice()].concat())];
                        total += product(at.map_or(fill, |at| &images[IxDyn(&at)]), weight);
                    }
                    results.push(total);
                }
            }
        }
        results
    }
}

fn draw<T>(shape: &[usize], mut one: impl FnMut() -> T) -> ArrayD<T> {
    ArrayD::from_shape_fn(IxDyn(shape), |_| one())
}

#[test]
fn integers_are_exact() {
    let mut random = Random(31);
    for round in 0..40 {
        let case = case(&mut random);
        let small = 1i64 << [3, 9, 20, 29][round % 4];
        let image = draw(&case.image_shape(), || random.bits() as i64 % small);
        let kernel = draw(&case.kernel_shape(), || random.bits() as i64 % small);
        let expected = case.expected(&image, &kernel, &0, 0i64, |x, y| x * y);
        for backend in devices::all() {
            let result = match case.direction {
                Direction::Convolve => backend.convolve(&image, &kernel, &case.how()),
                Direction::Correlate => backend.correlate(&image, &kernel, &case.how()),
            };
            assert_eq!(result.and_then(|r| r.into_vec()).as_deref(), Ok(&expected[..]), "{backend:?} {case:?}");
        }
    }
}

#[test]
fn floats_stay_within_the_derived_bound() {
    let mut random = Random(32);
    for _ in 0..25 {
        let case = case(&mut random);
        let image = draw(&case.image_shape(), || random.unit() as f32);
        let kernel = draw(&case.kernel_shape(), || random.unit() as f32);
        let exact = case.expected(&image, &kernel, &0.0, 0.0, |x, y| f64::from(*x) * f64::from(*y));
        let scale = case.expected(&image, &kernel, &0.0, 0.0, |x, y| (f64::from(*x) * f64::from(*y)).abs());
        // Every product and every addition rounds once, by at most half an ulp.
        let taps = case.channels * case.kernel.iter().product::<usize>();
        let bound = 2.0 * taps as f64 * f64::from(f32::EPSILON) / 2.0;
        for backend in devices::all() {
            let result = match case.direction {
                Direction::Convolve => backend.convolve(&image, &kernel, &case.how()),
                Direction::Correlate => backend.correlate(&image, &kernel, &case.how()),
            };
            let values = result.unwrap().into_vec().unwrap();
            assert_eq!(values.len(), exact.len());
            for (i, value) in values.iter().enumerate() {
                let error = (f64::from(*value) - exact[i]).abs();
                assert!(error <= bound * scale[i] + 1e-37, "{backend:?} {case:?}: at {i} {value} for {}", exact[i]);
            }
        }
    }
}

#[test]
fn complex_numbers_stay_within_the_derived_bound_of_their_parts() {
    let mut random = Random(33);
    for round in 0..25 {
        let case = case(&mut random);
        let mut number = |real: bool| {
            let (re, im) = (random.unit() as f32, random.unit() as f32);
            Complex::new(re, if real { 0.0 } else { im })
        };
        let image = draw(&case.image_shape(), || number(round % 3 == 1));
        let kernel = draw(&case.kernel_shape(), || number(round % 3 == 2));
        let wide = |z: &Complex<f32>| Complex::new(f64::from(z.re), f64::from(z.im));
        let conjugate = case.direction == Direction::Correlate;
        let times = |x: &Complex<f32>, w: &Complex<f32>| wide(x) * if conjugate { wide(w).conj() } else { wide(w) };
        let zero = Complex::new(0.0, 0.0);
        let fill = Complex::new(0.5, if round % 3 == 1 { 0.0 } else { -1.25 });
        let exact = case.expected(&image, &kernel, &fill, zero, times);
        let size = |z: &Complex<f32>| f64::from(z.re.abs()) + f64::from(z.im.abs());
        let scale = case.expected(&image, &kernel, &fill, 0.0, |x, w| size(x) * size(w));
        let how = case.how_filled(fill);
        let taps = 2 * case.channels * case.kernel.iter().product::<usize>();
        let bound = 2.0 * taps as f64 * f64::from(f32::EPSILON) / 2.0;
        // The operand that is real as a real array.
        let (real_image, real_kernel) = (image.mapv(|z| z.re), kernel.mapv(|z| z.re));
        let (x, w) = match round % 3 {
            1 => (real_image.as_operand(), kernel.as_operand()),
            2 => (image.as_operand(), real_kernel.as_operand()),
            _ => (image.as_operand(), kernel.as_operand()),
        };
        for backend in devices::all() {
            let result = match case.direction {
                Direction::Convolve => backend.convolve_dyn(&x, &w, &how),
                Direction::Correlate => backend.correlate_dyn(&x, &w, &how),
            };
            let Ok(HostVec::C64(values)) = result.and_then(|r| r.into_host()) else { panic!("{backend:?} {case:?}") };
            assert_eq!(values.len(), exact.len());
            for (i, value) in values.iter().enumerate() {
                let error = wide(value) - exact[i];
                let most = error.re.abs().max(error.im.abs());
                assert!(most <= bound * scale[i] + 1e-37, "{backend:?} {case:?}: at {i} {value} for {}", exact[i]);
            }
        }
    }
}

#[test]
fn exact_results_have_the_same_bits_everywhere() {
    let mut random = Random(34);
    for round in 0..12 {
        let case = case(&mut random);
        let fill = Complex::new(-0.1, if round % 4 < 2 { 0.0 } else { 3e-4 });
        let how = case.how_filled(fill).accuracy(unisono::Accuracy::Exact);
        let mut number = || {
            let scale = 2f32.powi(random.below(40) as i32 - 20);
            Complex::new(random.unit() as f32 * scale, random.unit() as f32)
        };
        let (image, kernel) = (draw(&case.image_shape(), &mut number), draw(&case.kernel_shape(), &mut number));
        let (real_image, real_kernel) = (image.mapv(|z| z.re), kernel.mapv(|z| z.re));
        let (x, w) = match round % 4 {
            0 => (real_image.as_operand(), real_kernel.as_operand()),
            1 => (real_image.as_operand(), kernel.as_operand()),
            2 => (image.as_operand(), real_kernel.as_operand()),
            _ => (image.as_operand(), kernel.as_operand()),
        };
        let run = |backend: &unisono::Backend| match case.direction {
            Direction::Convolve => backend.convolve_dyn(&x, &w, &how).and_then(|r| r.into_host()),
            Direction::Correlate => backend.correlate_dyn(&x, &w, &how).and_then(|r| r.into_host()),
        };
        let bits = |vec: HostVec| match vec {
            HostVec::F32(values) => values.into_iter().map(f32::to_bits).collect::<Vec<_>>(),
            HostVec::C64(values) => values.into_iter().flat_map(|z| [z.re.to_bits(), z.im.to_bits()]).collect(),
            other => panic!("{:?}", other.dtype()),
        };
        let expected = bits(run(&unisono::Backend::cpu()).unwrap());
        for backend in devices::all() {
            assert_eq!(run(backend).map(bits).as_ref(), Ok(&expected), "{backend:?} {case:?}");
        }
    }
}

#[test]
fn complex_results_have_the_promoted_type() {
    let (z, x) = ([Complex::new(1.0f32, 2.0), Complex::new(0.0, -1.0)], [3i16, 1]);
    for backend in devices::all() {
        let y = backend.convolve(&z, &x, &Convolve::d1()).unwrap().into_vec().unwrap();
        assert_eq!(y, [Complex::new(3.0, 6.0), Complex::new(1.0, -1.0), Complex::new(0.0, -1.0)], "{backend:?}");
        // numpy.correlate([3, 1], [1 + 2j, -1j], "valid") conjugates the second.
        let y = backend.correlate(&x, &z, &Convolve::d1().valid()).unwrap().into_vec().unwrap();
        assert_eq!(y, [Complex::new(3.0, -5.0)], "{backend:?}");
        let text = backend.convolve_dyn(&z.as_operand(), &x.as_operand(), &Convolve::d1().out_dtype(Dtype::F32)).unwrap_err();
        assert_eq!(text.to_string(), "out_dtype: got float32 for complex64 and int16, expected complex64 or complex128");
        let text = backend.reduce_dyn(&z.as_operand(), &unisono::Reduce::of(unisono::ReduceOp::Sum)).unwrap_err();
        assert_eq!(text.to_string(), "sum: got dtype complex64, expected a real dtype");
    }
}

#[test]
fn what_does_not_fit_wraps_or_saturates_when_asked() {
    let (image, kernel) = ([200u8, 100, 3], [2u8, 1]);
    for backend in devices::all() {
        let on = |overflow, out| {
            let how = Convolve::d1().overflow(overflow).out_dtype(out);
            backend.convolve_dyn(&image.as_operand(), &kernel.as_operand(), &how).and_then(|r| r.into_host())
        };
        // 400, 400, 106, 3
        assert_eq!(on(Overflow::Wrap, Dtype::U8), Ok(HostVec::U8(vec![144, 144, 106, 3])), "{backend:?}");
        assert_eq!(on(Overflow::Saturate, Dtype::U8), Ok(HostVec::U8(vec![255, 255, 106, 3])), "{backend:?}");
        assert_eq!(on(Overflow::Wrap, Dtype::I8), Ok(HostVec::I8(vec![-112, -112, 106, 3])), "{backend:?}");
        assert_eq!(on(Overflow::Saturate, Dtype::I8), Ok(HostVec::I8(vec![127, 127, 106, 3])), "{backend:?}");
        assert!(on(Overflow::Error, Dtype::U8).is_err(), "{backend:?}");
        let big = [i64::MAX, i64::MIN];
        let how = Convolve::d1().overflow(Overflow::Saturate);
        let y = backend.convolve(&big, &[2i64, 0], &how).unwrap().into_vec().unwrap();
        assert_eq!(y, [i64::MAX, i64::MIN, 0], "{backend:?}");
        let y = backend.convolve(&big, &[2i64, 1], &how.overflow(Overflow::Wrap)).unwrap().into_vec().unwrap();
        assert_eq!(y, [-2, i64::MAX, i64::MIN], "{backend:?}");
    }
}

/// Large kernels: the real convolutions of the parts by every algorithm.
#[test]
fn complex_numbers_take_every_algorithm_by_their_parts() {
    let mut random = Random(77);
    let mut draw = |shape: &[usize], real: bool| {
        let mut part = || random.unit() as f32 - 0.5;
        ArrayD::from_shape_fn(IxDyn(shape), |_| Complex::new(part(), if real { 0.0 } else { part() }))
    };
    for (image, kernel) in [(&[2, 700][..], &[3, 90][..]), (&[2, 60, 50], &[9, 8]), (&[70, 40], &[2, 2, 12, 11])] {
        let flat = image.len() == 2 && kernel.len() == 2 && image[0] == 2;
        for (real_image, real_kernel) in [(false, false), (false, true), (true, false)] {
            let (x, w) = (draw(image, real_image), draw(kernel, real_kernel));
            let (re_x, re_w) = (x.mapv(|z| z.re), w.mapv(|z| z.re));
            let sources = [
                if real_image { re_x.as_operand() } else { x.as_operand() },
                if real_kernel { re_w.as_operand() } else { w.as_operand() },
            ];
            let bound = 1e-5 * w.iter().map(|z| z.norm()).sum::<f32>();
            for backend in devices::all() {
                for correlate in [false, true] {
                    let run = |algorithm: Algorithm, boundary: Boundary| {
                        let how = if flat { Convolve::d1() } else { Convolve::d2() };
                        let how = how.same().boundary(boundary).algorithm(algorithm);
                        let run = if correlate { Backend::correlate_dyn } else { Backend::convolve_dyn };
                        run(backend, &sources[0], &sources[1], &how)
                            .map(|y| y.typed::<Complex<f32>>().unwrap().into_vec().unwrap())
                    };
                    let expected = run(Algorithm::Direct, Boundary::Mirror).unwrap();
                    for algorithm in [Algorithm::Auto, Algorithm::Fft, Algorithm::FastFir] {
                        let found = run(algorithm, Boundary::Mirror).unwrap();
                        let off = found.iter().zip(&expected).map(|(a, b)| (a - b).norm()).fold(0.0, f32::max);
                        assert!(found.len() == expected.len() && off <= bound, "{backend:?} {algorithm} {image:?}: {off}");
                    }
                    let refused = run(Algorithm::Fft, Boundary::Constant(1.0)).unwrap_err().to_string();
                    assert!(refused.contains("a constant outside of complex numbers"), "{refused}");
                }
            }
        }
    }
}
