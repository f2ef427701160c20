//! How long each algorithm would take on a device: a model of the work, and what the device was found to do per second.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use super::fast_fir::Fir;
use super::tiles::{Lines, Tiles};
use crate::array::HostVec;
use crate::engine::{Input, Target};
use crate::gpu::context::{Context, lock};
use crate::gpu::memory::GpuBuffer;
use crate::plan::candidates::Candidate;
use crate::plan::{Accumulator, Algorithm, Convolve, ConvolvePlan, Direction};
use crate::{Control, Dtype, Error, Result};

/// Convolutions of less work than this are direct, and nothing is measured for them: on hardware, and on the CPU.
const LEAST_WORK: [f64; 2] = [2e9, 2e8];
/// Kernels of fewer taps are direct: memory is what counts.
const LEAST_TAPS: usize = 16;
/// What the passes of low-rank kernels cost beside their taps, in taps per output and term.
const PASS_TAPS: f64 = 16.0;

/// The sample that is measured: images of this side, a kernel of that.
const SIDE: usize = 256;
const TAPS: usize = 16;
/// Images of the largest sample, and seconds that are long enough.
const MOST_IMAGES: usize = 256;
const ENOUGH: f64 = 2e-3;

/// What a device does per second, in one floating-point type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rates {
    /// Multiply-adds of the direct convolution.
    pub(super) multiply_adds: f64,
    /// Taps of passes, as [`passes`] counts them.
    pub(super) passes: f64,
    /// Multiply-adds of fast FIR filters, as [`Fir`] counts them.
    pub(super) fir: f64,
    /// Operations of Fourier transforms, as [`Tiles`] counts them.
    pub(super) operations: f64,
    /// Bytes read and written.
    pub(super) bytes: f64,
}

impl Rates {
    /// Those of a device, measured once per process. They are rounded to powers of the square root of two, so that most
    /// processes choose alike.
    pub(super) fn of(context: &Arc<Context>, double: bool) -> Result<Self> {
        static RATES: OnceLock<Mutex<HashMap<(String, bool), Rates>>> = OnceLock::new();
        let rates = RATES.get_or_init(Mutex::default);
        let key = (context.id.clone(), double);
        if let Some(known) = lock(rates).get(&key) {
            return Ok(*known);
        }
        let measured = measure(context, double)?;
        // If two threads measured, the first one's are kept: one process chooses one way.
        Ok(*lock(rates).entry(key).or_insert(measured))
    }
}

fn rounded(rate: f64) -> f64 {
    2f64.powf((2.0 * rate.max(1.0).log2()).round() / 2.0)
}

fn measure(context: &Arc<Context>, double: bool) -> Result<Rates> {
    let (dtype, size) = if double { (Dtype::F64, 8) } else { (Dtype::F32, 4) };
    let weights = [TAPS, TAPS];
    let kernel = match double {
        true => HostVec::F64(vec![1.0 / 256.0; TAPS * TAPS]),
        false => HostVec::F32(vec![1.0 / 256.0; TAPS * TAPS]),
    };
    let rate = |algorithm: Algorithm, amount: &dyn Fn(&ConvolvePlan) -> f64| -> Result<f64> {
        let mut images = 1;
        loop {
            let shape = [images, SIDE, SIDE];
            let how = Convolve::d2().same().algorithm(algorithm);
            let plan = ConvolvePlan::new(&how, Direction::Correlate, (dtype, &shape), (dtype, &weights))?;
            let bytes = (images * SIDE * SIDE * size) as u64;
            let block = context.block(bytes)?;
            context.clear(&block, bytes)?;
            let buffer = GpuBuffer::new(context.clone(), vec![(block, bytes)]);
            let image = Input::Gpu { buffer: &buffer, dtype, shape: &shape };
            let run = || {
                let start = Instant::now();
                let kernel = Input::Host(kernel.view(&weights));
                super::run(context, &plan, &image, &kernel, Target::Device(None), &Control::new())?;
                Ok::<f64, Error>(start.elapsed().as_secs_f64())
            };
            // The first run compiles.
            run()?;
            let seconds = run()?.min(run()?);
            let more = images * 8;
            if seconds > ENOUGH || more > MOST_IMAGES || 2 * bytes * 8 > context.max_block() {
                return Ok(rounded(amount(&plan) / seconds.max(1e-9)));
            }
            images = more;
        }
    };
    let multiply_adds = rate(Algorithm::Direct, &work)?;
    let passes = rate(Algorithm::Separable, &|plan| passes(plan, 1))?;
    let fir = rate(Algorithm::FastFir, &|plan| Fir::choose(plan).map_or(1.0, |fir| outputs(plan) * fir.cost(plan)))?;
    let lines = Lines::new(&context.limits, size);
    let cost = |plan: &ConvolvePlan| Tiles::choose(plan, &lines, size, context.max_block()).map_or(1.0, |tiles| tiles.cost);
    let operations = rate(Algorithm::Fft, &cost)?;

    let bytes = (16u64 << 20).min(context.max_block());
    let (from, to) = (context.block(bytes)?, context.block(bytes)?);
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        let start = Instant::now();
        context.copy(&from, 0..bytes, &to, 0)?;
        context.read_small(&to, 4)?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    Ok(Rates { multiply_adds, passes, fir, operations, bytes: rounded(2.0 * bytes as f64 / best) })
}

/// Whether anything but the direct convolution comes into question.
pub(super) fn matters(plan: &ConvolvePlan, software: bool) -> bool {
    plan.kernel.iter().product::<usize>() >= LEAST_TAPS && work(plan) >= LEAST_WORK[usize::from(software)]
}

/// Outputs of the whole plan.
fn outputs(plan: &ConvolvePlan) -> f64 {
    plan.shape.iter().map(|&n| n as f64).product()
}

/// Multiply-adds of the whole plan.
fn work(plan: &ConvolvePlan) -> f64 {
    outputs(plan) * plan.kernel.iter().product::<usize>() as f64
}

/// Taps of the passes of a plan whose kernels are of so many terms.
fn passes(plan: &ConvolvePlan, terms: usize) -> f64 {
    let [_, height, width] = plan.kernel;
    outputs(plan) * terms as f64 * ((height + width) as f64 + PASS_TAPS)
}

/// The candidates for a whole plan of float operands, the direct convolution first; `terms` if its kernels are sums of so
/// many products, `tiles` if it can be transformed.
pub(super) fn candidates(plan: &ConvolvePlan, terms: Option<usize>, tiles: Option<&Tiles>, rates: &Rates) -> Vec<Candidate> {
    let image = plan.image.iter().map(|&n| n as f64).product::<f64>() * plan.image_count() as f64;
    let bytes = image * plan.image_dtype.size() as f64 + outputs(plan) * plan.out_dtype.size() as f64;
    let mut list = vec![Candidate { algorithm: Algorithm::Direct, seconds: work(plan) / rates.multiply_adds }];
    if let Some(terms) = terms {
        list.push(Candidate { algorithm: Algorithm::Separable, seconds: passes(plan, terms) / rates.passes });
    }
    if let Some(fir) = Fir::choose(plan) {
        list.push(Candidate { algorithm: Algorithm::FastFir, seconds: outputs(plan) * fir.cost(plan) / rates.fir });
    }
    if let Some(tiles) = tiles {
        list.push(Candidate { algorithm: Algorithm::Fft, seconds: tiles.cost / rates.operations });
    }
    list.iter_mut().for_each(|candidate| candidate.seconds = candidate.seconds.max(bytes / rates.bytes));
    list
}

/// Whether a plan of floats is computed in binary64.
pub(super) fn is_double(plan: &ConvolvePlan) -> bool {
    plan.accumulator(0) == Accumulator::F64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::candidates::best;

    const RATES: Rates = Rates { multiply_adds: 8e12, passes: 2e12, fir: 8e12, operations: 4e12, bytes: 5e11 };

    fn chosen(image: &[usize], kernel: &[usize], terms: Option<usize>) -> Algorithm {
        let (image, kernel) = ((Dtype::F32, image), (Dtype::F32, kernel));
        let plan = ConvolvePlan::new(&Convolve::d2().same(), Direction::Convolve, image, kernel).unwrap();
        let tiles = Tiles::choose(&plan, &Lines { invocations: 256, elements: 2048 }, 4, 1 << 27);
        if matters(&plan, false) { best(&candidates(&plan, terms, tiles.as_ref(), &RATES)) } else { Algorithm::Direct }
    }

    #[test]
    fn each_algorithm_has_its_place() {
        assert_eq!(chosen(&[1000, 1000], &[3, 3], None), Algorithm::Direct);
        assert_eq!(chosen(&[2048, 2048], &[9, 9], None), Algorithm::Direct);
        assert_eq!(chosen(&[1000, 1000], &[100, 10, 10], None), Algorithm::FastFir);
        assert_eq!(chosen(&[64, 2048, 2048], &[31, 31], None), Algorithm::Fft);
        assert_eq!(chosen(&[2048, 2048], &[101, 101], None), Algorithm::Fft);
        assert_eq!(chosen(&[4, 2048, 2048], &[25, 25], Some(1)), Algorithm::Separable);
    }
}
