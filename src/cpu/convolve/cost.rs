//! How long each algorithm would take: a model of the work, and what a core of this machine does per second.

use std::hint::black_box;
use std::time::Instant;

use rustfft::FftPlanner;
use rustfft::num_complex::Complex;

use super::block::{Blocked, Taps};
use super::fft::Tiles;
use super::nesting::Nest;
use crate::cpu::simd::Simd;
use crate::fork::Raced;
use crate::plan::candidates::Candidate;
use crate::plan::{Accumulator, Algorithm, ConvolvePlan};

/// Whole convolutions of less work than this are direct, and nothing is measured for them.
const LEAST_WORK: f64 = 4e6;
/// Kernels of fewer taps are direct: memory is what counts.
const LEAST_TAPS: usize = 16;
/// What a tap of a pass costs beside one of the direct convolution.
const PASS: f64 = 2.0;
/// What passes cost beside their taps, in multiply-adds per output of the image and of the result.
const MOVED_TAPS: f64 = 60.0;

/// What one core does per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rates {
    /// Multiply-adds of the direct convolution in binary32.
    pub multiply_adds: f64,
    /// Floating-point operations of Fourier transforms in binary32, `5 N log₂ N` for `N` elements.
    pub operations: f64,
    /// Bytes read and written.
    pub bytes: f64,
}

impl Rates {
    /// This machine's, measured once per process in a few milliseconds. They are rounded to powers of the square root of
    /// two, so that one run chooses as the other.
    pub(super) fn machine(simd: Simd) -> Self {
        static RATES: Raced<Rates> = Raced::new();
        *RATES.get(|| {
            let Self { multiply_adds, operations, bytes } = measure(simd);
            Self { multiply_adds: rounded(multiply_adds), operations: rounded(operations), bytes: rounded(bytes) }
        })
    }
}

fn rounded(rate: f64) -> f64 {
    2f64.powf((2.0 * rate.max(1.0).log2()).round() / 2.0)
}

/// The rate of `work`, which does so much each time: the best of some tries.
fn rate(amount: f64, tries: usize, mut work: impl FnMut()) -> f64 {
    let seconds = (0..tries).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    });
    amount / seconds.fold(f64::INFINITY, f64::min).max(1e-9)
}

fn measure(simd: Simd) -> Rates {
    const SIDE: usize = 5;
    const ROUNDS: usize = 400;
    let blocks = f32::blocks(simd);
    let block = blocks.shape(6).flat[0];
    let row = blocks.wide + 64;
    let (image, weights) = (vec![0.5f32; row * SIDE], vec![0.25f32; 6 * SIDE * SIDE]);
    let mut out = vec![0f32; 6 * blocks.wide];
    let (image, weights, out) = (image.as_ptr(), weights.as_ptr(), out.as_mut_ptr());
    let (out_row, out_kernel) = (blocks.wide, blocks.wide);
    let taps = Taps { image, row, slab: 0, weights, kernel: [1, SIDE, SIDE], step: 1, out, out_row, out_kernel };
    let multiply_adds = rate((ROUNDS * 6 * SIDE * SIDE * blocks.wide) as f64, 8, || {
        for _ in 0..ROUNDS {
            // SAFETY: the buffers have room for one block, and `simd` is a level of this machine.
            unsafe { block(black_box(&taps)) };
        }
    });

    const LENGTH: usize = 256;
    const LINES: usize = 64;
    let fft = FftPlanner::<f32>::new().plan_fft_forward(LENGTH);
    let mut tile = vec![Complex::new(0.0f32, 0.0); LENGTH * LINES];
    let mut free = vec![Complex::new(0.0f32, 0.0); fft.get_inplace_scratch_len()];
    let operations = rate(5.0 * (LENGTH * LINES) as f64 * (LENGTH as f64).log2(), 8, || {
        fft.process_with_scratch(black_box(&mut tile), &mut free);
    });

    let (from, mut to) = (vec![1u8; 4 << 20], vec![0u8; 4 << 20]);
    let bytes = rate(2.0 * from.len() as f64, 4, || black_box(&mut to[..]).copy_from_slice(black_box(&from)));
    Rates { multiply_adds, operations, bytes }
}

/// Whether anything but the direct convolution comes into question.
pub(super) fn matters(plan: &ConvolvePlan) -> bool {
    plan.kernel.iter().product::<usize>() >= LEAST_TAPS && work(plan) >= LEAST_WORK
}

/// Outputs of the whole plan.
fn outputs(plan: &ConvolvePlan) -> f64 {
    plan.shape.iter().map(|&n| n as f64).product()
}

/// Multiply-adds of the whole plan.
fn work(plan: &ConvolvePlan) -> f64 {
    outputs(plan) * (plan.channels * plan.kernel.iter().product::<usize>()) as f64
}

/// The candidates for a whole plan that is computed in `accumulator`, with times on one core, the direct convolution first; `terms` if its kernels
/// are sums of so many products.
pub(super) fn candidates(plan: &ConvolvePlan, accumulator: Accumulator, terms: Option<usize>, rates: &Rates) -> Vec<Candidate> {
    // Elements of a type against those of binary32: what a multiply-add costs.
    let dear = match accumulator {
        Accumulator::F32 => 1.0,
        Accumulator::F64 | Accumulator::I32 => 2.0,
        Accumulator::I64 => 4.0,
        Accumulator::Wide => 64.0,
    };
    let bytes = |dtype: crate::Dtype, n: f64| dtype.size() as f64 * n;
    let image = plan.image.iter().map(|&n| n as f64).product::<f64>() * plan.image_count() as f64;
    let memory = (bytes(plan.image_dtype, image) + bytes(plan.out_dtype, outputs(plan))) / rates.bytes;
    let [_, kh, kw] = plan.kernel;
    let mut list = vec![Candidate { algorithm: Algorithm::Direct, seconds: work(plan) * dear / rates.multiply_adds }];
    if let Some(terms) = terms {
        let halo = (48 + kh) as f64 / 48.0;
        let taps = PASS * (terms * (kh + kw)) as f64 + MOVED_TAPS * halo;
        list.push(Candidate { algorithm: Algorithm::Separable, seconds: outputs(plan) * taps * dear / rates.multiply_adds });
    }
    if let Some(nest) = Nest::choose(plan)
        && accumulator != Accumulator::Wide
    {
        let taps = nest.cost(plan.kernel, plan.kernel_count());
        list.push(Candidate { algorithm: Algorithm::FastFir, seconds: outputs(plan) * taps * dear / rates.multiply_adds });
    }
    let (size, slow) = if plan.is_integer() || accumulator == Accumulator::F64 { (8, 2.0) } else { (4, 1.0) };
    list.push(Candidate { algorithm: Algorithm::Fft, seconds: Tiles::choose(plan, size).cost * slow / rates.operations });
    list.iter_mut().for_each(|candidate| candidate.seconds = candidate.seconds.max(memory));
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::candidates::best;
    use crate::{Convolve, Direction, Dtype};

    const RATES: Rates = Rates { multiply_adds: 1.2e11, operations: 9e10, bytes: 1.2e10 };

    fn chosen(image: &[usize], kernel: &[usize], terms: Option<usize>) -> Algorithm {
        let how = Convolve::d2().same();
        let plan = ConvolvePlan::new(&how, Direction::Convolve, (Dtype::F32, image), (Dtype::F32, kernel)).unwrap();
        if matters(&plan) { best(&candidates(&plan, Accumulator::F32, terms, &RATES)) } else { Algorithm::Direct }
    }

    #[test]
    fn each_algorithm_has_its_place() {
        assert_eq!(chosen(&[1000, 1000], &[3, 3], None), Algorithm::Direct);
        assert_eq!(chosen(&[30, 30], &[9, 9], None), Algorithm::Direct);
        assert_eq!(chosen(&[1000, 1000], &[100, 10, 10], None), Algorithm::FastFir);
        assert_eq!(chosen(&[2048, 2048], &[31, 31], None), Algorithm::Fft);
        assert_eq!(chosen(&[2048, 2048], &[101, 101], None), Algorithm::Fft);
        assert_eq!(chosen(&[2048, 2048], &[15, 15], Some(1)), Algorithm::Separable);
    }

    #[test]
    fn a_slow_transform_is_not_taken() {
        let slow = Rates { operations: 1e8, ..RATES };
        let how = Convolve::d2().same();
        let sizes = ((Dtype::F32, &[2048usize, 2048][..]), (Dtype::F32, &[31usize, 31][..]));
        let plan = ConvolvePlan::new(&how, Direction::Convolve, sizes.0, sizes.1).unwrap();
        assert_eq!(best(&candidates(&plan, Accumulator::F32, None, &slow)), Algorithm::FastFir);
        let part = plan.part(0..1, 0..1, 3..9);
        assert_eq!(candidates(&part, Accumulator::F32, None, &RATES), candidates(&plan, Accumulator::F32, None, &RATES));
    }

    #[test]
    fn the_machine_is_measured_once_and_roughly() {
        let rates = Rates::machine(Simd::current());
        assert_eq!(rates, Rates::machine(Simd::current()));
        assert!(rates.multiply_adds > 1e7 && rates.operations > 1e7 && rates.bytes > 1e7, "{rates:?}");
        assert_eq!((rounded(1024.0), rounded(1100.0), rounded(1400.0)), (1024.0, 1024.0, 2f64.powf(10.5)));
    }
}
