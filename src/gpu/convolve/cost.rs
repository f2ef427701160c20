//! How long each algorithm would take on a device: a model of the work, and what the device was found to do per second.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::fast_fir::Fir;
use super::tiles::{Lines, Tiles};
use crate::array::HostVec;
use crate::engine::{Input, Target};
use crate::fork::PerProcess;
use crate::gpu::context::{Context, lock};
use crate::gpu::memory::GpuBuffer;
use crate::plan::candidates::Candidate;
use crate::plan::{Accumulator, Algorithm, Convolve, ConvolvePlan, Direction};
use crate::{Control, Dtype, Error, Result};

/// Convolutions of less work than this are direct, and nothing is measured for them: on hardware, and on the CPU.
const LEAST_WORK: [f64; 2] = [2e9, 2e8];
/// Kernels of fewer taps are direct: memory is what counts.
const LEAST_TAPS: usize = 16;
/// What an output costs beside its taps, in taps, at most.
const MOST_BESIDE: f64 = 128.0;

/// The sample that is measured: images of this side, kernels of that and, to tell what does not grow with them, of that.
const SIDE: usize = 256;
const TAPS: usize = 16;
const FEW_TAPS: usize = 6;
/// Images of the largest sample, and seconds that are long enough.
const MOST_IMAGES: usize = 256;
const ENOUGH: f64 = 2e-3;

/// What a device does per second, in one floating-point type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rates {
    /// Multiply-adds of the direct convolution.
    pub(super) multiply_adds: f64,
    /// Taps of passes, as [`passes`] counts them, and what an output of a term costs beside them, in taps.
    pub(super) passes: [f64; 2],
    /// Multiply-adds of fast FIR filters, as [`Fir`] counts them, and what a plane costs beside them.
    pub(super) fir: [f64; 2],
    /// Operations of Fourier transforms, as [`Tiles`] counts them.
    pub(super) operations: f64,
    /// Bytes read and written.
    pub(super) bytes: f64,
}

impl Rates {
    /// Those of a device, measured once per process. They are rounded to powers of the square root of two, so that most
    /// processes choose alike.
    pub(super) fn of(context: &Arc<Context>, double: bool) -> Result<Self> {
        static RATES: PerProcess<Mutex<HashMap<(String, bool), Rates>>> = PerProcess::new();
        let rates = RATES.get(Mutex::default);
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

/// The line through two measurements of work and seconds, the larger one last: work per second, and what is done beside it, in
/// the same unit.
fn line([(little, short), (much, long)]: [(f64, f64); 2]) -> [f64; 2] {
    let slope = ((long - short) / (much - little)).max(long / (much + MOST_BESIDE));
    let beside = rounded((long / slope - much).clamp(1.0, MOST_BESIDE));
    [rounded((much + beside) / long), beside]
}

fn measure(context: &Arc<Context>, double: bool) -> Result<Rates> {
    let (dtype, size) = if double { (Dtype::F64, 8) } else { (Dtype::F32, 4) };
    // Seconds per output of a kernel of so many taps along each axis, and the plan of the sample.
    let time = |algorithm: Algorithm, taps: usize| -> Result<(f64, ConvolvePlan)> {
        let weights = [taps, taps];
        let kernel = match double {
            true => HostVec::F64(vec![1.0 / 256.0; taps * taps]),
            false => HostVec::F32(vec![1.0 / 256.0; taps * taps]),
        };
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
                return Ok((seconds.max(1e-9) / outputs(&plan), plan));
            }
            images = more;
        }
    };
    // Work per output, and how often what is beside it is done.
    let two = |algorithm: Algorithm, amount: &dyn Fn(&ConvolvePlan) -> (f64, f64)| -> Result<[f64; 2]> {
        let point = |(seconds, plan): (f64, ConvolvePlan)| {
            let (work, often) = amount(&plan);
            (work / often, seconds / often)
        };
        Ok(line([point(time(algorithm, FEW_TAPS)?), point(time(algorithm, TAPS)?)]))
    };
    let multiply_adds = rounded((TAPS * TAPS) as f64 / time(Algorithm::Direct, TAPS)?.0);
    let passes = two(Algorithm::Separable, &|plan| ((plan.kernel[1] + plan.kernel[2]) as f64, 1.0))?;
    let fir = two(Algorithm::FastFir, &|plan| {
        let cost = |beside: f64| Fir::choose(plan).map_or(1.0, |fir| fir.cost(plan, beside));
        (cost(0.0), (cost(1.0) - cost(0.0)).max(1.0))
    })?;
    let (seconds, plan) = time(Algorithm::Fft, TAPS)?;
    let lines = Lines::new(&context.limits, size);
    let cost = Tiles::choose(&plan, &lines, size, context.max_block()).map_or(1.0, |tiles| tiles.cost);
    let operations = rounded(cost / (seconds * outputs(&plan)));

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

/// Taps of the passes of a plan whose kernels are of so many terms, and what is done beside them.
fn passes(plan: &ConvolvePlan, terms: usize, beside: f64) -> f64 {
    let [_, height, width] = plan.kernel;
    outputs(plan) * terms as f64 * ((height + width) as f64 + beside)
}

/// The candidates for a whole plan of float operands, the direct convolution first; `terms` if its kernels are sums of so
/// many products, `tiles` if it can be transformed.
pub(super) fn candidates(plan: &ConvolvePlan, terms: Option<usize>, tiles: Option<&Tiles>, rates: &Rates) -> Vec<Candidate> {
    let image = plan.image.iter().map(|&n| n as f64).product::<f64>() * plan.image_count() as f64;
    let bytes = image * plan.image_dtype.size() as f64 + outputs(plan) * plan.out_dtype.size() as f64;
    let mut list = vec![Candidate { algorithm: Algorithm::Direct, seconds: work(plan) / rates.multiply_adds }];
    if let Some(terms) = terms {
        let [rate, beside] = rates.passes;
        list.push(Candidate { algorithm: Algorithm::Separable, seconds: passes(plan, terms, beside) / rate });
    }
    if let Some(fir) = Fir::choose(plan) {
        let [rate, beside] = rates.fir;
        list.push(Candidate { algorithm: Algorithm::FastFir, seconds: outputs(plan) * fir.cost(plan, beside) / rate });
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

    const RATES: Rates = Rates { multiply_adds: 8e12, passes: [2e12, 16.0], fir: [8e12, 24.0], operations: 4e12, bytes: 5e11 };

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

    #[test]
    fn two_measurements_tell_what_does_not_grow() {
        let seconds = |work: f64| (work + 16.0) / 1024.0;
        assert_eq!(line([(12.0, seconds(12.0)), (32.0, seconds(32.0))]), [1024.0, 16.0]);
        // Noise: as fast with more, or as slow as if nothing were beside.
        assert_eq!(line([(12.0, 1.0), (32.0, 1.0)]), [rounded(160.0), 128.0]);
        assert_eq!(line([(12.0, 0.1), (32.0, 1.0)]), [rounded(33.0), 1.0]);
    }
}
