//! Which algorithm a plan is done with on a device: asked for, or predicted to be fastest. A function of the whole plan, so
//! that its parts are done with the same.

use std::ops::Range;
use std::sync::Arc;

use super::chunk::{Axis, Chunk};
use super::cost::{self, Rates};
use super::fast_fir::Fir;
use super::fft;
use super::pack::Weights;
use super::shader::Sums;
use super::tiles::{self, Lines, Tiles};
use crate::gpu::context::Context;
use crate::plan::candidates::{self, LOW_RANK, PLAIN, TAPS};
use crate::plan::integer_rank;
use crate::plan::low_rank::{self, Terms};
use crate::plan::{Accumulator, Accuracy, Algorithm, ConvolvePlan};
use crate::view::View;
use crate::{Error, Result};

/// Rows and columns of cells where an algorithm has none of its own.
const CELL: usize = 64;

/// What algorithms that were asked for are expected with, here alone.
const PRODUCTS: &str = "kernels that are products of integers, with sums below 2^24, for separable";
const ROWS: &str = "kernels of fewer depths or rows for fft";

/// An algorithm with what it needs to know.
#[derive(Debug)]
pub(super) enum Choice {
    Direct,
    /// Every kernel of the whole bank as terms.
    Separable {
        terms: Vec<Terms>,
        limit: f64,
    },
    FastFir {
        fir: Fir,
        limit: f64,
    },
    Fft {
        tiles: Tiles,
        limit: f64,
    },
}

impl Choice {
    /// Rows and columns of the cells that are computed directly where they read what the algorithm cannot take.
    pub(super) fn cells(&self) -> [usize; 2] {
        if let Self::Fft { tiles, .. } = self { tiles.step } else { [CELL; 2] }
    }

    /// Bytes of the largest block of its own that the algorithm cannot do without.
    pub(super) fn least_scratch(&self, sums: Sums) -> u64 {
        let Self::Fft { tiles, .. } = self else { return 0 };
        (tiles.len() * tiles.slab_count() * 2 * sums.weight_bytes()) as u64
    }

    /// Outputs of one image with one kernel, at most, whose intermediate values a block of so many bytes holds.
    pub(super) fn region(&self, block: u64, sums: Sums) -> u64 {
        let numbers = block / sums.weight_bytes() as u64;
        match self {
            Self::Direct | Self::Fft { .. } => u64::MAX,
            Self::Separable { .. } => (numbers / 2).max(1),
            Self::FastFir { .. } => (numbers / 4).max(1),
        }
    }

    /// Numbers of the largest intermediate block for a chunk.
    fn numbers(&self, plan: &ConvolvePlan, chunk: &Chunk, axes: &[Axis; 3]) -> usize {
        let [depth, height, width] = chunk.region.each_ref().map(Range::len);
        let taps = self.reach(plan.kernel);
        match self {
            Self::Direct | Self::Fft { .. } => 0,
            Self::Separable { .. } => {
                let rows = axes[1].length.max(height) * (axes[2].length.max(width) + taps[2]);
                chunk.images.len() * depth * rows
            }
            // An image at a time; three planes for two elements along each axis.
            Self::FastFir { .. } => 9 * (depth + taps[0]) * ((height + taps[1]) / 2 + 1) * ((width + taps[2]) / 2 + 1),
        }
    }

    /// Whether a device with blocks of so many bytes has room for a chunk's intermediate values.
    pub(super) fn fits(&self, plan: &ConvolvePlan, sums: Sums, chunk: &Chunk, axes: &[Axis; 3], block: u64) -> bool {
        (self.numbers(plan, chunk, axes) as u64).saturating_mul(sums.weight_bytes() as u64) <= block
    }

    /// Taps that the outputs of a cell read along each axis.
    pub(super) fn reach(&self, kernel: [usize; 3]) -> [usize; 3] {
        if let Self::FastFir { fir, .. } = self { fir.reach(kernel) } else { kernel }
    }

    /// The magnitude that every input must be below.
    pub(super) fn limit(&self) -> f64 {
        match self {
            Self::Direct => f64::INFINITY,
            Self::Separable { limit, .. } | Self::FastFir { limit, .. } | Self::Fft { limit, .. } => *limit,
        }
    }
}

/// The algorithm of the whole that `plan` is a part of, and the sums that it takes instead of `sums`. `weights` are those
/// of the part; integers reach so far and, where that is so, fit the result's dtype.
pub(super) fn choose(
    context: &Arc<Context>,
    plan: &ConvolvePlan,
    sums: Sums,
    kernel: &View<'_>,
    weights: &Weights,
    (reach, fits): (u128, bool),
) -> Result<(Choice, Sums)> {
    let refused = |expected: &str| Err(Error::invalid("algorithm", plan.algorithm, expected));
    if plan.accuracy != Accuracy::Default && !plan.is_integer() {
        // The plan has refused the others.
        return Ok((Choice::Direct, sums));
    }
    if let Some(expected) = lacking(context, plan) {
        return refused(expected);
    }
    if !plan.is_plain() {
        return Ok((Choice::Direct, sums));
    }
    let auto = plan.algorithm == Algorithm::Auto;
    if plan.algorithm == Algorithm::Direct || (auto && !cost::matters(plan, context.caps.software)) {
        return Ok((Choice::Direct, sums));
    }
    if auto && plan.is_integer() {
        return choose_for_integers(context, plan, sums, &Bank::new(plan, sums, kernel, weights), (reach, fits));
    }
    let bank = Bank::new(plan, sums, kernel, weights);
    let mut terms = None;
    let taken = if auto {
        terms = bank.terms();
        let rates = Rates::of(context, sums == Sums::F64)?;
        let count = terms.as_ref().map(|terms| terms[0].len());
        candidates::best(&cost::candidates(plan, count, tiles(context, plan).as_ref(), &rates))
    } else {
        plan.algorithm
    };
    match taken {
        Algorithm::Direct => Ok((Choice::Direct, sums)),
        Algorithm::Separable if plan.is_integer() => match bank.integer_passes(sums, fits) {
            Some(choice) => Ok((choice, Sums::F32)),
            None => refused(PRODUCTS),
        },
        Algorithm::Separable => match terms.or_else(|| bank.terms()) {
            Some(terms) => Ok((bank.limit(8.0).map_or(Choice::Direct, |limit| Choice::Separable { terms, limit }), sums)),
            None => refused(LOW_RANK),
        },
        Algorithm::Fft => {
            let Some(tiles) = tiles(context, plan) else { return refused(ROWS) };
            if plan.is_integer() && !(context.caps.f64 && fits && tiles::is_exact(reach, &tiles)) {
                return refused(&format!("one that is exact on {} for integers of up to {reach} (direct)", context.id));
            }
            let sums = if plan.is_integer() { Sums::F64 } else { sums };
            let limit = fft::limit(largest(sums), &tiles);
            Ok((bank.limit(8.0).map_or(Choice::Direct, |_| Choice::Fft { tiles, limit }), sums))
        }
        _ => {
            let Some(fir) = Fir::choose(plan) else { return refused(TAPS) };
            let sums = match sums {
                Sums::F32Integer if reach.saturating_mul(fir.growth()) >= 1 << 24 => Sums::I32,
                Sums::Limbs2 | Sums::Limbs5 => {
                    return refused(&format!("one that {} has for such integers (direct)", context.id));
                }
                sums => sums,
            };
            let limit = bank.limit(8.0 * fir.growth() as f64);
            Ok((limit.map_or(Choice::Direct, |limit| Choice::FastFir { fir, limit }), sums))
        }
    }
}

/// What a plan is expected to be for the algorithm that it asks for, whatever the values, and is not.
fn lacking(context: &Context, plan: &ConvolvePlan) -> Option<&'static str> {
    let [depth, height, width] = plan.kernel;
    match plan.algorithm {
        Algorithm::Auto | Algorithm::Direct => None,
        _ if !plan.is_plain() => Some(PLAIN),
        Algorithm::Separable if plan.is_integer() => (depth > 1 || plan.image_dtype.size() > 2).then_some(PRODUCTS),
        Algorithm::Separable => (depth > 1 || low_rank::most_terms(height, width) == 0).then_some(LOW_RANK),
        Algorithm::FastFir => Fir::choose(plan).is_none().then_some(TAPS),
        Algorithm::Fft => tiles(context, plan).is_none().then_some(ROWS),
    }
}

/// The choice for integers whose sums binary32 holds: it computes them as fast as floats, and exactly as long as every
/// intermediate value stays below 2^24. How fast another arithmetic is no device was asked.
fn choose_for_integers(
    context: &Arc<Context>,
    plan: &ConvolvePlan,
    sums: Sums,
    bank: &Bank<'_>,
    (reach, fits): (u128, bool),
) -> Result<(Choice, Sums)> {
    if sums != Sums::F32Integer {
        return Ok((Choice::Direct, sums));
    }
    let passes = bank.integer_passes(sums, fits);
    let fir = Fir::choose(plan).filter(|fir| reach.saturating_mul(fir.growth()) < 1 << 24);
    let mut list = cost::candidates(plan, passes.as_ref().map(|_| 1), None, &Rates::of(context, false)?);
    list.retain(|candidate| candidate.algorithm != Algorithm::FastFir || fir.is_some());
    Ok(match (candidates::best(&list), passes, fir) {
        (Algorithm::Separable, Some(choice), _) => (choice, Sums::F32),
        (Algorithm::FastFir, _, Some(fir)) => (Choice::FastFir { fir, limit: f64::INFINITY }, sums),
        _ => (Choice::Direct, sums),
    })
}

/// The predicted times of all algorithms, in words.
pub(super) fn explain(context: &Arc<Context>, plan: &ConvolvePlan) -> Result<String> {
    let double = !plan.is_integer() && cost::is_double(plan);
    if double && !context.caps.f64 && !plan.is_exact_float() {
        return Ok("no algorithm: the device has no 64-bit floats".into());
    }
    if let Some(expected) = lacking(context, plan) {
        return Err(Error::invalid("algorithm", plan.algorithm, expected));
    }
    if plan.algorithm != Algorithm::Auto {
        let condition = match plan.algorithm {
            Algorithm::Fft if plan.is_integer() && !context.caps.f64 => {
                let expected = format!("one that is exact on {} for integers (direct)", context.id);
                return Err(Error::invalid("algorithm", plan.algorithm, expected));
            }
            Algorithm::Separable if plan.is_integer() => {
                ", if every kernel is a product of integers and the sums are below 2^24, else refused"
            }
            Algorithm::Separable => ", if every kernel is of low rank, else refused",
            Algorithm::Fft if plan.is_integer() => ", if the sums are small enough to be exact, else refused",
            Algorithm::FastFir if plan.is_integer() => ", if the sums are small enough for it, else refused",
            _ => "",
        };
        return Ok(format!("algorithm {}, as asked for{condition}", plan.algorithm));
    }
    if !plan.is_plain() || (!plan.is_integer() && plan.accuracy != Accuracy::Default) {
        return Ok("algorithm direct, the only one that is chosen for this plan".into());
    }
    if !cost::matters(plan, context.caps.software) {
        return Ok("algorithm direct: too little work for another".into());
    }
    let [depth, height, width] = plan.kernel;
    let low = (depth == 1 && low_rank::most_terms(height, width) > 0).then_some(1);
    if plan.is_integer() {
        let low = low.filter(|_| plan.image_dtype.size() <= 2);
        let words = candidates::in_words(&cost::candidates(plan, low, None, &Rates::of(context, false)?), "the device");
        return Ok(format!("{words}, for sums of integers far below 2^24; else direct"));
    }
    let list = cost::candidates(plan, low, tiles(context, plan).as_ref(), &Rates::of(context, double)?);
    Ok(candidates::in_words(&list, "the device"))
}

/// The tiles for Fourier transforms of the whole of a plan, if there are any.
fn tiles(context: &Context, plan: &ConvolvePlan) -> Option<Tiles> {
    let bytes = if plan.is_integer() || plan.accumulator(0) == Accumulator::F64 { 8 } else { 4 };
    Tiles::choose(plan, &Lines::new(&context.limits, bytes), bytes, context.max_block())
}

/// The largest float of the arithmetic.
fn largest(sums: Sums) -> f64 {
    if sums == Sums::F64 { f64::MAX } else { f64::from(f32::MAX) }
}

/// The kernels of the whole plan.
struct Bank<'a> {
    plan: &'a ConvolvePlan,
    sums: Sums,
    kernels: Vec<f64>,
}

impl<'a> Bank<'a> {
    fn new(plan: &'a ConvolvePlan, sums: Sums, kernel: &View<'_>, weights: &Weights) -> Self {
        let kernels = if plan.kernels.len() == plan.kernel_count() {
            weights.values()
        } else {
            Weights::read(&plan.part(0..0, 0..plan.kernel_count(), 0..0), kernel).values()
        };
        Self { plan, sums, kernels }
    }

    fn kernels(&self) -> impl Iterator<Item = &[f64]> {
        self.kernels.chunks(self.plan.kernel.iter().product())
    }

    /// The kernels as few products, if every one is.
    fn terms(&self) -> Option<Vec<Terms>> {
        let [depth, height, width] = self.plan.kernel;
        if self.plan.is_integer() || depth != 1 {
            return None;
        }
        low_rank::bank(self.kernels().map(<[f64]>::to_vec), [height, width], self.sums != Sums::F64)
    }

    /// Passes for kernels that are products of integers, if every one is: exact in binary32 if the sums are.
    fn integer_passes(&self, sums: Sums, fits: bool) -> Option<Choice> {
        let [depth, _, width] = self.plan.kernel;
        // Passes read elements of up to 16 bits as they are, and give floats: nothing checks whether they fit.
        if sums != Sums::F32Integer || !fits || depth != 1 || self.plan.image_dtype.size() > 2 {
            return None;
        }
        integer_rank::bank(self.kernels(), width).map(|terms| Choice::Separable { terms, limit: f64::INFINITY })
    }

    /// The largest float of the arithmetic over `growth` times the largest sum of a kernel's magnitudes; `None` if such sums
    /// are no numbers, or too large themselves.
    fn limit(&self, growth: f64) -> Option<f64> {
        let weight = self
            .kernels()
            .map(|kernel| kernel.iter().map(|w| w.abs()).sum::<f64>())
            .fold(0.0, |m: f64, w| if w > m || w.is_nan() { w } else { m });
        let largest = largest(self.sums);
        (weight <= largest / 8.0).then(|| largest / (growth * weight.max(1.0)))
    }
}
