//! Which algorithm a plan is done with: asked for, or predicted to be fastest. A function of the whole plan, so that its
//! parts are done with the same.

use super::fast_fir::Nest;
use super::fft::Tiles;
use super::layout::{self, rows_of};
use super::pack::CastRow;
use crate::cpu::simd::Simd;
use crate::plan::{Accumulator, Accuracy, Algorithm, ConvolvePlan};
use crate::view::View;
use crate::{Error, Result};

/// An algorithm with what it needs to know.
pub(super) enum Choice {
    Direct,
    FastFir(Nest),
    Fft(Tiles),
}

/// The algorithm of the whole that `plan` is a part of.
pub(super) fn choose(plan: &ConvolvePlan) -> Result<Choice> {
    let cannot = |why: &str| Err(Error::invalid("algorithm", plan.algorithm, why));
    if plan.accuracy != Accuracy::Default && !plan.is_integer() {
        // The plan has refused the others.
        return Ok(Choice::Direct);
    }
    if !plan.is_plain() {
        return match plan.algorithm {
            Algorithm::Auto | Algorithm::Direct => Ok(Choice::Direct),
            _ => cannot("auto or direct with channels, stride, dilation or complex numbers"),
        };
    }
    match plan.algorithm {
        Algorithm::Auto | Algorithm::Direct => Ok(Choice::Direct),
        Algorithm::FastFir => match Nest::choose(plan.kernel) {
            Some(nest) => Ok(Choice::FastFir(nest)),
            None => cannot("kernels of at least 4 taps along one of the last two axes for fast-fir"),
        },
        Algorithm::Fft => Ok(Choice::Fft(Tiles::choose(plan, number_bytes(plan)))),
        _ => cannot("auto, direct or fast-fir"),
    }
}

/// The largest sum of a kernel's magnitudes over the whole bank, roughly; NaN if there is a NaN.
pub(super) fn weight(plan: &ConvolvePlan, kernel: &View<'_>, simd: Simd) -> f64 {
    let whole = plan.part(plan.images.clone(), 0..plan.kernel_count(), plan.rows.clone());
    let layout = layout::kernels(&whole, kernel);
    let cast = CastRow::<f64>::new(simd, plan.kernel_dtype);
    let [kd, kh, kw] = plan.kernel;
    let row = rows_of(&layout, plan.kernel);
    let mut line = vec![0.0; kw];
    let mut largest = 0.0f64;
    for k in 0..layout.images.len() {
        let mut sum = 0.0;
        for j in 0..kd * kh {
            let (start, stride, n) = row(k * kd * kh + j);
            // SAFETY: a row of a kernel of the view; the line holds it.
            unsafe { cast.row(start, stride, line.as_mut_ptr(), n) };
            sum += line.iter().map(|w| w.abs()).sum::<f64>();
        }
        // A NaN stays.
        largest = if sum > largest || sum.is_nan() { sum } else { largest };
        if sum.is_nan() {
            break;
        }
    }
    largest
}

/// Bytes of the numbers that a plan's Fourier transforms are computed in.
fn number_bytes(plan: &ConvolvePlan) -> usize {
    if plan.is_integer() || plan.accumulator(0) == Accumulator::F64 { 8 } else { 4 }
}
