//! Convolution is its definition: integers exactly, floats within the derived bound, over ranks, modes, boundaries, banks,
//! awkward sizes and strides.

use ndarray::{Array, ArrayD, Axis, IxDyn, Slice};
use unisono::{Backend, Boundary, Convolve, Direction};

use crate::devices::{self, Random};
use crate::oracle;

const MODES: [&str; 3] = ["full", "same", "valid"];
const RULES: [&str; 5] = ["constant", "reflect", "nearest", "mirror", "wrap"];

/// A random plan: shapes small enough for the oracle, sizes around the awkward ones.
struct Case {
    image: Vec<usize>,
    kernel: Vec<usize>,
    rank: usize,
    mode: &'static str,
    rules: Vec<&'static str>,
    fill: i32,
    direction: Direction,
}

fn case(random: &mut Random) -> Case {
    let rank = 1 + random.below(3);
    let (longest, widest) = ([70, 19, 6][rank - 1], [40, 7, 4][rank - 1]);
    let mode = MODES[random.below(3)];
    let mut image: Vec<usize> = (0..rank).map(|_| 1 + random.below(longest)).collect();
    let mut kernel: Vec<usize> = (0..rank).map(|_| 1 + random.below(widest)).collect();
    if mode == "valid" {
        for axis in 0..rank {
            image[axis] = image[axis].max(kernel[axis]);
        }
        if random.below(5) == 0 {
            std::mem::swap(&mut image, &mut kernel);
        }
    }
    for shape in [&mut image, &mut kernel] {
        for _ in 0..random.below(3) {
            shape.insert(0, 1 + random.below(3));
        }
    }
    let rules = (0..rank).map(|_| RULES[random.below(5)]).collect();
    let direction = if random.below(2) == 0 { Direction::Convolve } else { Direction::Correlate };
    Case { image, kernel, rank, mode, rules, fill: random.below(9) as i32 - 4, direction }
}

impl Case {
    fn how(&self) -> Convolve {
        let boundaries: Vec<Boundary> = (self.rules.iter())
            .map(|&rule| if rule == "constant" { Boundary::Constant(f64::from(self.fill)) } else { rule.parse().unwrap() })
            .collect();
        Convolve::rank(self.rank).mode(self.mode.parse().unwrap()).boundaries(&boundaries)
    }

    /// The expected result for every image with every kernel, by the oracle.
    fn expected<T: Clone, A: Clone + std::ops::AddAssign>(
        &self,
        image: &ArrayD<T>,
        kernel: &ArrayD<T>,
        fill: &T,
        zero: A,
        product: impl Fn(&T, &T) -> A + Copy,
    ) -> Vec<A> {
        let (lead_i, lead_k) = (image.ndim() - self.rank, kernel.ndim() - self.rank);
        // In valid mode the smaller operand stays inside the larger: nothing outside is read, whichever is the image.
        let rules: &[&str] = if self.mode == "valid" { &["constant"; 3][..self.rank] } else { &self.rules };
        let mut values = vec![];
        for i in items(image, lead_i) {
            for k in items(kernel, lead_k) {
                let full = oracle::full(&i, &k, rules, fill, self.direction == Direction::Convolve, zero.clone(), product);
                values.extend(oracle::crop(&full, self.mode, i.shape(), k.shape()));
            }
        }
        values
    }

    fn run<T>(&self, backend: &Backend, image: &ArrayD<T>, kernel: &ArrayD<T>) -> unisono::Result<unisono::Array<T>>
    where
        T: unisono::Element + unisono::Promote<T, Output = T>,
    {
        match self.direction {
            Direction::Convolve => backend.convolve(image, kernel, &self.how()),
            Direction::Correlate => backend.correlate(image, kernel, &self.how()),
        }
    }

    /// The value of a constant boundary.
    fn outside(&self) -> i32 {
        if self.mode == "valid" { 0 } else { self.fill }
    }

    fn name(&self, backend: &Backend) -> String {
        let Self { image, kernel, mode, rules, direction, fill, .. } = self;
        format!("{backend:?}: {direction:?} {image:?} * {kernel:?} {mode} {rules:?} fill {fill}")
    }
}

/// The items of the leading axes.
fn items<T: Clone>(array: &ArrayD<T>, lead: usize) -> Vec<ArrayD<T>> {
    let shape = array.shape()[lead..].to_vec();
    let size = shape.iter().product::<usize>();
    let flat: Vec<T> = array.iter().cloned().collect();
    flat.chunks(size).map(|chunk| ArrayD::from_shape_vec(IxDyn(&shape), chunk.to_vec()).unwrap()).collect()
}

/// The same values in memory of another stride: every axis reversed and spread out by two.
fn scattered<T: Clone + Default>(array: &ArrayD<T>) -> ArrayD<T> {
    let shape: Vec<usize> = array.shape().iter().map(|n| 2 * n).collect();
    let mut spread = ArrayD::from_elem(IxDyn(&shape), T::default());
    let mut window = spread.view_mut();
    for axis in 0..array.ndim() {
        window.slice_axis_inplace(Axis(axis), Slice::new(0, None, -2));
    }
    window.assign(array);
    for axis in 0..array.ndim() {
        spread.slice_axis_inplace(Axis(axis), Slice::new(0, None, -2));
    }
    spread
}

#[test]
fn integers_are_exact() {
    let mut random = Random(1);
    for round in 0..60 {
        let case = case(&mut random);
        let small = 1i64 << [3, 7, 14, 29][round % 4];
        let mut draw = |shape: &[usize]| Array::from_shape_fn(IxDyn(shape), |_| random.bits() as i64 % small);
        let (image, kernel) = (draw(&case.image), draw(&case.kernel));
        let expected = case.expected(&image, &kernel, &i64::from(case.outside()), 0i64, |x, y| x * y);
        for backend in devices::all() {
            let result = case.run(backend, &scattered(&image), &scattered(&kernel));
            assert_eq!(result.and_then(|r| r.into_vec()).as_deref(), Ok(&expected[..]), "{}", case.name(backend));
        }
    }
}

#[test]
fn floats_stay_within_the_derived_bound() {
    let mut random = Random(2);
    for _ in 0..40 {
        let case = case(&mut random);
        let mut draw = |shape: &[usize]| Array::from_shape_fn(IxDyn(shape), |_| random.unit() as f32);
        let (image, kernel) = (draw(&case.image), draw(&case.kernel));
        let fill = case.outside() as f32;
        let exact = case.expected(&image, &kernel, &fill, 0.0, |x, y| f64::from(*x) * f64::from(*y));
        let scale = case.expected(&image, &kernel, &fill, 0.0, |x, y| (f64::from(*x) * f64::from(*y)).abs());
        let taps: usize = case.kernel[case.kernel.len() - case.rank..].iter().product();
        // Every product and every addition rounds once, by at most half an ulp: 2 · taps roundings of 2^-24.
        let bound = 2.0 * taps as f64 * f64::from(f32::EPSILON) / 2.0;
        for backend in devices::all() {
            let values = case.run(backend, &scattered(&image), &kernel).unwrap().into_vec().unwrap();
            assert_eq!(values.len(), exact.len());
            for (i, value) in values.iter().enumerate() {
                let error = (f64::from(*value) - exact[i]).abs();
                assert!(error <= bound * scale[i] + 1e-37, "{}: at {i} {value} for {}", case.name(backend), exact[i]);
            }
        }
    }
}

#[test]
fn doubles_stay_within_the_derived_bound() {
    let mut random = Random(3);
    for _ in 0..15 {
        let case = case(&mut random);
        let mut draw = |shape: &[usize]| Array::from_shape_fn(IxDyn(shape), |_| random.unit());
        let (image, kernel) = (draw(&case.image), draw(&case.kernel));
        let fill = f64::from(case.outside());
        let zero = oracle::whole(0);
        let exact = case.expected(&image, &kernel, &fill, zero, |x, y| oracle::exact(*x) * oracle::exact(*y));
        let scale = case.expected(&image, &kernel, &fill, 0.0, |x, y| (x * y).abs());
        let taps: usize = case.kernel[case.kernel.len() - case.rank..].iter().product();
        for backend in devices::all() {
            let result = case.run(backend, &image, &kernel);
            if !devices::has_f64(backend) && backend.info().class != unisono::DeviceClass::Several {
                let text = result.unwrap_err().to_string();
                assert!(text.contains("64-bit float"), "{text}");
                continue;
            }
            let Ok(values) = result.and_then(|r| r.into_vec()) else { panic!("{}", case.name(backend)) };
            for (i, value) in values.iter().enumerate() {
                let error = oracle::to_f64(&(oracle::exact(*value) - &exact[i])).abs();
                assert!(error <= 1.1 * taps as f64 * f64::EPSILON * scale[i] + 1e-300, "{}: at {i}", case.name(backend));
            }
        }
    }
}

#[test]
fn large_kernels_and_awkward_widths_are_exact() {
    let mut random = Random(4);
    for (image, kernel) in [
        ([1, 1], [1, 1]),
        ([1, 257], [1, 255]),
        ([127, 1], [64, 1]),
        ([63, 65], [33, 31]),
        ([5, 6], [40, 41]),
        ([131, 129], [3, 3]),
    ] {
        for rule in ["constant", "wrap", "mirror"] {
            let rules = vec![rule; 2];
            let case = Case {
                image: image.to_vec(),
                kernel: kernel.to_vec(),
                rank: 2,
                mode: "same",
                rules,
                fill: 0,
                direction: Direction::Convolve,
            };
            let mut draw = |shape: &[usize]| Array::from_shape_fn(IxDyn(shape), |_| (random.bits() % 201) as i32 - 100);
            let (image, kernel) = (draw(&image), draw(&kernel));
            let expected = case.expected(&image, &kernel, &0, 0, |x, y| x * y);
            for backend in devices::all() {
                let result = case.run(backend, &image, &kernel).and_then(|r| r.into_vec());
                assert_eq!(result.as_deref(), Ok(&expected[..]), "{}", case.name(backend));
            }
        }
    }
}
