//! The work that every device is given, and how its answers are judged.

use ndarray::{Array2, Array3, ArrayD, Axis};
use unisono::{Array, AsOperand, Backend, Convolve, Dtype, Element, Promote};

use super::measure::{Random, checksum};
use crate::failure::{Failure, Result};
use crate::kernels::gaussian;

/// What is promised of the answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    /// The same bits on every device.
    Identical,
    /// Within a bound of the exact value.
    Bounded,
}

/// What one device answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Of the bytes of the answer.
    pub checksum: u64,
    /// In words, where it is one number.
    pub text: Option<String>,
    /// The largest error over its bound, among the outputs that were computed again in binary64 or in integers.
    pub error: f64,
}

/// Work to be done again and again.
pub type Again<'a> = Box<dyn FnMut() -> unisono::Result<()> + 'a>;

/// A piece of work that can be done again and again on any device.
pub trait Workload {
    /// A short name.
    fn key(&self) -> &'static str;
    /// What it is.
    fn title(&self) -> String;
    /// What a unit of its throughput is: `MAC/s`.
    fn unit(&self) -> &'static str;
    /// Units of work in one call.
    fn units(&self) -> f64;
    /// What is promised.
    fn promise(&self) -> Promise;
    /// From host memory to host memory.
    fn run(&mut self, backend: &Backend) -> unisono::Result<()>;
    /// The answer of the last run.
    fn answer(&self) -> Answer;
    /// The same work on data that is put on the device beforehand; `None` where that makes no difference.
    fn resident<'a>(&'a self, backend: &'a Backend) -> unisono::Result<Option<Again<'a>>> {
        let _ = backend;
        Ok(None)
    }
}

/// A bank of kernels over an image.
pub struct Bank<A, K, O> {
    key: &'static str,
    title: String,
    promise: Promise,
    image: Array2<A>,
    kernels: Array3<K>,
    how: Convolve,
    out: Array3<O>,
}

/// An element whose value binary64 holds.
pub trait Exact: Element {
    /// The value.
    fn exact(self) -> f64;
    /// The bytes of a slice.
    fn bytes(slice: &[Self]) -> Vec<u8>;
}
macro_rules! exact {
    ($($T:ty)*) => {$(impl Exact for $T {
        fn exact(self) -> f64 { self.into() }
        fn bytes(slice: &[Self]) -> Vec<u8> { slice.iter().flat_map(|x| x.to_le_bytes()).collect() }
    })*};
}
exact!(u8 i32 f32);

/// Outputs that are computed again.
const SAMPLES: usize = 4000;

impl<A: Exact + Promote<K, Output = O>, K: Exact, O: Exact> Bank<A, K, O> {
    /// The exact value at an output and, for floats, the widest bound on its error of the algorithms that a device may choose
    /// for such banks (that of the fast FIR filters), given the largest magnitude in the image.
    fn reference(&self, kernel: usize, y: usize, x: usize, largest: f64) -> (f64, f64) {
        let weights = self.kernels.index_axis(Axis(0), kernel);
        let (height, width) = weights.dim();
        let full = self.out.dim().1 != self.image.dim().0;
        // Full mode: output o reads x[o - t]; same mode: its centre is the tap in the middle.
        let shift = |n: usize| if full { 0 } else { (n - 1) / 2 };
        let (mut sum, mut magnitude) = (0.0, 0.0);
        for ((i, j), &weight) in weights.indexed_iter() {
            magnitude += weight.exact().abs();
            let (Some(row), Some(column)) = ((y + shift(height)).checked_sub(i), (x + shift(width)).checked_sub(j)) else {
                continue;
            };
            if let Some(&pixel) = self.image.get((row, column)) {
                sum += weight.exact() * pixel.exact();
            }
        }
        let unit = if O::DTYPE == Dtype::F32 { 2f64.powi(-24) } else { 0.0 };
        (sum, 16.0 * (weights.len() as f64 / 4.0 + 8.0) * unit * magnitude * largest)
    }
}

impl<A: Exact + Promote<K, Output = O>, K: Exact, O: Exact> Workload for Bank<A, K, O> {
    fn key(&self) -> &'static str {
        self.key
    }
    fn title(&self) -> String {
        self.title.clone()
    }
    fn unit(&self) -> &'static str {
        "MAC/s"
    }
    fn units(&self) -> f64 {
        let (_, height, width) = self.kernels.dim();
        self.out.len() as f64 * (height * width) as f64
    }
    fn promise(&self) -> Promise {
        self.promise
    }
    fn run(&mut self, backend: &Backend) -> unisono::Result<()> {
        backend.convolve_into(&self.image, &self.kernels, &self.how, &mut self.out)
    }
    fn answer(&self) -> Answer {
        let (count, height, width) = self.out.dim();
        let mut random = Random(0x5eed);
        let mut worst = 0.0f64;
        let largest = self.image.iter().fold(0.0, |largest: f64, pixel| largest.max(pixel.exact().abs()));
        for sample in 0..SAMPLES {
            // A quarter of them in the corner that the boundary reaches.
            let (h, w) = if sample % 4 == 0 { (height.min(12), width.min(12)) } else { (height, width) };
            let (kernel, y, x) = (random.below(count), random.below(h), random.below(w));
            let (exact, bound) = self.reference(kernel, y, x, largest);
            let error = (self.out[[kernel, y, x]].exact() - exact).abs();
            let ratio = if error == 0.0 { 0.0 } else { error / bound };
            worst = if ratio.is_nan() { f64::INFINITY } else { worst.max(ratio) };
        }
        let parts = self.out.as_slice().unwrap_or(&[]).chunks(1 << 16).map(O::bytes);
        Answer { checksum: checksum(parts), text: None, error: worst }
    }
    fn resident<'a>(&'a self, backend: &'a Backend) -> unisono::Result<Option<Again<'a>>> {
        let image = backend.upload_dyn(&self.image.as_operand())?.typed::<A>()?;
        let kernels = backend.upload_dyn(&self.kernels.as_operand())?.typed::<K>()?;
        let mut out: Option<Array<O>> = None;
        Ok(Some(Box::new(move || {
            match &mut out {
                Some(out) => backend.convolve_into(&image, &kernels, &self.how, out)?,
                None => out = Some(backend.convolve(&image, &kernels, &self.how)?),
            }
            Ok(())
        })))
    }
}

/// The sum of 0, 1, 2, …
pub struct Sum {
    values: Vec<f64>,
    answer: f64,
}

impl Workload for Sum {
    fn key(&self) -> &'static str {
        "sum"
    }
    fn title(&self) -> String {
        format!("Exact sum of {} Mi float64 0, 1, 2, …", self.values.len() >> 20)
    }
    fn unit(&self) -> &'static str {
        "B/s"
    }
    fn units(&self) -> f64 {
        8.0 * self.values.len() as f64
    }
    fn promise(&self) -> Promise {
        Promise::Identical
    }
    fn run(&mut self, backend: &Backend) -> unisono::Result<()> {
        self.answer = backend.sum(&self.values)?.item()?;
        Ok(())
    }
    fn answer(&self) -> Answer {
        // n(n - 1)/2, rounded once by the conversion.
        let n = self.values.len() as u128;
        let right = (n * (n - 1) / 2) as f64 == self.answer;
        let error = if right { 0.0 } else { f64::INFINITY };
        Answer { checksum: checksum([self.answer.to_le_bytes().to_vec()]), text: Some(format!("{}", self.answer)), error }
    }
    fn resident<'a>(&'a self, backend: &'a Backend) -> unisono::Result<Option<Again<'a>>> {
        let values = backend.upload(&self.values)?;
        Ok(Some(Box::new(move || backend.sum(&values)?.item().map(drop))))
    }
}

/// π from so many samples.
pub struct Pi {
    samples: u64,
    hits: u64,
}

impl Pi {
    /// With so many samples.
    pub fn new(samples: u64) -> Self {
        Self { samples, hits: 0 }
    }
}

impl Workload for Pi {
    fn key(&self) -> &'static str {
        "pi"
    }
    fn title(&self) -> String {
        format!("π from {} samples, seed 42", crate::output::grouped(self.samples))
    }
    fn unit(&self) -> &'static str {
        "samples/s"
    }
    fn units(&self) -> f64 {
        self.samples as f64
    }
    fn promise(&self) -> Promise {
        Promise::Identical
    }
    fn run(&mut self, backend: &Backend) -> unisono::Result<()> {
        self.hits = backend.pi(self.samples, 42)?.hits;
        Ok(())
    }
    fn answer(&self) -> Answer {
        let pi = unisono::Pi::from_counts(self.hits, self.samples);
        // Six standard errors: what chance does not do.
        let error = (pi.estimate - std::f64::consts::PI).abs() / (6.0 * pi.standard_error);
        let error = if error <= 1.0 { 0.0 } else { f64::INFINITY };
        Answer {
            checksum: checksum([self.hits.to_le_bytes().to_vec()]),
            text: Some(format!("{} hits", crate::output::grouped(self.hits))),
            error,
        }
    }
}

/// The sizes of a comparison.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    image: usize,
    kernels: usize,
    elements: usize,
    samples: u64,
    gaussians: usize,
}

impl Sizes {
    /// The classic ones.
    pub const FULL: Self = Self { image: 1000, kernels: 100, elements: 128 << 20, samples: 1_000_000_000, gaussians: 24 };
    /// Small ones.
    pub const QUICK: Self = Self { image: 250, kernels: 20, elements: 4 << 20, samples: 20_000_000, gaussians: 4 };
}

/// The number of the workloads.
pub const COUNT: usize = 5;

/// Workload `index`, with its data.
pub fn build(index: usize, sizes: Sizes) -> Result<Box<dyn Workload>> {
    let (n, k) = (sizes.image, sizes.kernels);
    let mut random = Random(42);
    let full = Convolve::d2().full();
    Ok(match index {
        0 => Box::new(Bank::<i32, i32, i32> {
            key: "bank-integers",
            title: format!("{k} kernels 10×10 over {n}×{n}, full, integers 0..99"),
            promise: Promise::Identical,
            image: Array2::from_shape_simple_fn((n, n), || random.below(100) as i32),
            kernels: Array3::from_shape_simple_fn((k, 10, 10), || random.below(100) as i32),
            how: full,
            out: Array3::zeros((k, n + 9, n + 9)),
        }),
        1 => Box::new(Bank::<f32, f32, f32> {
            key: "bank-float32",
            title: format!("{k} kernels 10×10 over {n}×{n}, full, float32 in [0, 1)"),
            promise: Promise::Bounded,
            image: Array2::from_shape_simple_fn((n, n), || random.unit()),
            kernels: Array3::from_shape_simple_fn((k, 10, 10), || random.unit()),
            how: full,
            out: Array3::zeros((k, n + 9, n + 9)),
        }),
        2 => Box::new(photograph(sizes.gaussians)?),
        3 => Box::new(Sum { values: (0..sizes.elements).map(|i| i as f64).collect(), answer: 0.0 }),
        _ => Box::new(Pi::new(sizes.samples)),
    })
}

/// Gaussians of growing width over the photograph, all in 25×25 taps.
fn photograph(count: usize) -> Result<Bank<u8, f32, f32>> {
    const SIDE: usize = 25;
    let bytes = include_bytes!("../../assets/camera.png");
    let photo = image::load_from_memory(bytes).map_err(|error| Failure::work(format!("the photograph: {error}")))?.into_luma8();
    let (width, height) = (photo.width() as usize, photo.height() as usize);
    let image = Array2::from_shape_vec((height, width), photo.into_raw()).map_err(Failure::work)?;
    let mut kernels = Array3::zeros((count, SIDE, SIDE));
    for (i, mut kernel) in kernels.axis_iter_mut(Axis(0)).enumerate() {
        let sigma = 0.4 + 2.6 * i as f64 / count as f64;
        let narrow = gaussian(sigma);
        let side = narrow.len().isqrt();
        let edge = (SIDE - side) / 2;
        let narrow = ArrayD::from_shape_vec(vec![side, side], narrow).map_err(Failure::work)?;
        kernel.slice_mut(ndarray::s![edge..edge + side, edge..edge + side]).assign(&narrow.mapv(|x| x as f32));
    }
    Ok(Bank {
        key: "photograph",
        title: format!("{count} Gaussians {SIDE}×{SIDE} over a photograph {width}×{height}, same, uint8 to float32"),
        promise: Promise::Bounded,
        out: Array3::zeros((count, height, width)),
        how: Convolve::d2().same(),
        image,
        kernels,
    })
}
