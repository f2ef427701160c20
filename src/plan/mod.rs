//! What to compute, validated, as plain data. No device, no thread, no I/O: every shape error is born here.

mod between;
mod checksum;
mod convolve;
mod group;
mod integrate;
mod lanes;
mod log_sum_exp;
mod map;
mod monte_carlo;
mod operation;
mod quantile;
mod random;
mod ranges;
mod reduce;
mod scan;
mod separable;
mod topk;

#[cfg(feature = "gpu")]
pub(crate) use between::element_of_key;
pub(crate) use between::{Between, Found, compact_key};
#[cfg(feature = "gpu")]
pub(crate) use convolve::integer_rank;
pub use convolve::{Accumulator, Accuracy, Algorithm, Boundary, Centre, Convolve, ConvolvePlan, Direction, Mode, Overflow};
pub(crate) use convolve::{Parts, candidates, low_rank};
pub(crate) use group::Number;
pub use group::{GroupOp, GroupPlan, Grouped, Groups};
pub(crate) use integrate::{BIN_BITS, BINS, Cell, Function, Native, Sampling, counted, words_per_sample};
#[cfg(feature = "gpu")]
pub(crate) use integrate::{Grid, Replicate};
pub use integrate::{Integral, IntegralMethod, IntegralState, IntegralSums, Integrate, IntegratePlan};
pub use lanes::Lanes;
pub use log_sum_exp::{LogSumExp, LogSumExpPlan};
pub(crate) use map::Walk;
pub use map::{Map, MapPlan};
pub use monte_carlo::{MonteCarlo, MonteCarloPlan, MonteCarloState, Pi, PiMethod, Tally};
pub(crate) use monte_carlo::{REPLICATES, is_inside, students};
pub use operation::{Operation, OperationKind};
pub use quantile::{Beside, Quantile, QuantileMethod, QuantilePlan};
pub use random::{Distribution, Draw, Random, RandomPlan};
pub(crate) use ranges::Ranges;
pub use reduce::{
    Exponent, FloatProduct, IntegerProduct, NormOrder, Partials, Reduce, ReduceOp, ReducePlan, Reduction, Scalar, SumMode, op,
};
pub(crate) use reduce::{Ordered, first_extreme, range};
pub use scan::{First, Scan, ScanOp, ScanPlan};
#[cfg(feature = "gpu")]
pub(crate) use separable::Half;
pub use separable::{Combine, Factor, Pass, Separable, SeparablePart, SeparablePlan};
pub use topk::{TopK, TopKPlan};

use std::ops::Range;

/// Whether an array of this shape broadcasts to another one.
pub(crate) fn broadcasts(shape: &[usize], to: &[usize]) -> bool {
    shape.len() <= to.len() && shape.iter().rev().zip(to.iter().rev()).all(|(&n, &wanted)| n == wanted || n == 1)
}

/// The shape that arrays of these shapes broadcast to, if there is one.
pub(crate) fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let mut shape = vec![1; a.len().max(b.len())];
    for given in [a, b] {
        for (whole, &n) in shape.iter_mut().rev().zip(given.iter().rev()) {
            if *whole != 1 && n != 1 && *whole != n {
                return None;
            }
            *whole = if *whole == 1 { n } else { *whole };
        }
    }
    Some(shape)
}

/// Cuts `range` into one piece per weight, in proportion to the weights. The pieces lie end to end; some may be empty.
pub(crate) fn cut(range: &Range<usize>, weights: &[f64]) -> Vec<Range<usize>> {
    let total: f64 = weights.iter().map(|w| w.max(0.0)).sum();
    let (mut done, mut sum, mut pieces) = (range.start, 0.0, Vec::with_capacity(weights.len()));
    for (i, weight) in weights.iter().enumerate() {
        sum += weight.max(0.0);
        let share = if total > 0.0 { sum / total } else { (i + 1) as f64 / weights.len() as f64 };
        let last = i + 1 == weights.len();
        let end = if last { range.end } else { range.start + (range.len() as f64 * share).round() as usize };
        let end = end.clamp(done, range.end);
        pieces.push(done..end);
        done = end;
    }
    pieces
}
