//! Which algorithm a plan is done with: asked for, or predicted to be fastest. A function of the whole plan, so that its
//! parts are done with the same.

use super::cost::{self, Rates};
use super::fft::{self, Tiles};
use super::layout::{self, rows_of};
use super::nesting::Nest;
use super::pack::CastRow;
use crate::cpu::simd::Simd;
use crate::plan::candidates::{self, Candidate, LOW_RANK, PLAIN, TAPS};
use crate::plan::low_rank::{self, Terms};
use crate::plan::{Accumulator, Accuracy, Algorithm, ConvolvePlan};
use crate::view::View;
use crate::{Error, Result};
/// An algorithm with what it needs to know.
pub(super) enum Choice {
    Direct,
    /// Every kernel as terms, all of them the same number.
    Separable(Vec<Terms>),
    FastFir(Nest),
    Fft(Tiles),
}

/// The algorithm of the whole that `plan` is a part of, for operands whose sums reach so far.
pub(super) fn choose(plan: &ConvolvePlan, kernel: &View<'_>, reach: u128, simd: Simd) -> Result<Choice> {
    let refused = |expected: &str| Err(Error::invalid("algorithm", plan.algorithm, expected));
    let asked = plan.algorithm;
    if plan.accuracy != Accuracy::Default && !plan.is_integer() {
        // The plan has refused the others.
        return Ok(Choice::Direct);
    }
    if let Some(expected) = lacking(plan) {
        return refused(expected);
    }
    if !plan.is_plain() {
        return Ok(Choice::Direct);
    }
    let accumulator = plan.accumulator(reach);
    let mut terms = None;
    let taken = match asked {
        Algorithm::Auto if !cost::matters(plan) => Algorithm::Direct,
        Algorithm::Auto => {
            terms = separated(plan, kernel, simd);
            let count = terms.as_ref().map(|terms| terms[0].len());
            candidates::best(&candidates(plan, accumulator, count, reach, simd))
        }
        asked => asked,
    };
    match taken {
        Algorithm::Separable => match terms.or_else(|| separated(plan, kernel, simd)) {
            Some(terms) => Ok(Choice::Separable(terms)),
            None => refused(LOW_RANK),
        },
        Algorithm::FastFir => match Nest::choose(plan) {
            Some(nest) => Ok(Choice::FastFir(nest)),
            None => refused(TAPS),
        },
        Algorithm::Fft => Ok(Choice::Fft(Tiles::choose(plan, number_bytes(plan)))),
        _ => Ok(Choice::Direct),
    }
}

/// What a plan is expected to be for the algorithm that it asks for, whatever the values, and is not.
fn lacking(plan: &ConvolvePlan) -> Option<&'static str> {
    match plan.algorithm {
        Algorithm::Auto | Algorithm::Direct => None,
        _ if !plan.is_plain() => Some(PLAIN),
        Algorithm::Separable if !may_be_separable(plan) => Some(LOW_RANK),
        Algorithm::FastFir if Nest::choose(plan).is_none() => Some(TAPS),
        _ => None,
    }
}

/// Whether kernels of the right rank would be taken as passes.
fn may_be_separable(plan: &ConvolvePlan) -> bool {
    let [depth, height, width] = plan.kernel;
    !plan.is_integer() && depth == 1 && low_rank::most_terms(height, width) > 0
}

/// The candidates for operands whose sums reach so far, without those that would not be exact.
fn candidates(plan: &ConvolvePlan, accumulator: Accumulator, terms: Option<usize>, reach: u128, simd: Simd) -> Vec<Candidate> {
    let mut list = cost::candidates(plan, accumulator, terms, &Rates::machine(simd));
    if plan.is_integer() && !fft::is_exact(reach, &Tiles::choose(plan, number_bytes(plan))) {
        list.retain(|candidate| candidate.algorithm != Algorithm::Fft);
    }
    list
}

/// Whether another algorithm is predicted to be faster than dot products, which are up to four times as fast as the direct
/// convolution in floats.
pub(super) fn outdoes_dots(plan: &ConvolvePlan, reach: u128, simd: Simd) -> bool {
    if plan.algorithm != Algorithm::Auto || !cost::matters(plan) {
        return false;
    }
    let list = candidates(plan, plan.accumulator(reach), None, reach, simd);
    let (direct, others) = (list[0].seconds, &list[1..]);
    others.iter().any(|other| other.seconds < direct / 5.0)
}

/// The predicted times of all algorithms, in words.
pub(super) fn explain(plan: &ConvolvePlan, simd: Simd, threads: usize) -> String {
    if let Some(expected) = lacking(plan) {
        return format!("no algorithm: {}", Error::invalid("algorithm", plan.algorithm, expected));
    }
    if plan.algorithm != Algorithm::Auto {
        let condition = match plan.algorithm {
            Algorithm::Separable => ", if every kernel is of low rank, else refused",
            Algorithm::Fft if plan.is_integer() => ", if the sums are small enough to be exact, else refused",
            _ => "",
        };
        return format!("algorithm {}, as asked for{condition}", plan.algorithm);
    }
    if !plan.is_plain() || (plan.accuracy != Accuracy::Default && !plan.is_integer()) {
        return "algorithm direct, the only one for this plan".into();
    }
    if !cost::matters(plan) {
        return "algorithm direct: too little work for another".into();
    }
    let low = may_be_separable(plan).then_some(1);
    // Of integers the arithmetic depends on the values; the cheapest is taken here.
    let mut list = cost::candidates(plan, plan.accumulator(0), low, &Rates::machine(simd));
    list.iter_mut().for_each(|candidate| candidate.seconds /= threads.max(1) as f64);
    let dots = if plan.is_integer() && super::dots::present(simd) {
        "; direct through dot products, up to four times as fast, where the values fit 8 or 16 bits"
    } else {
        ""
    };
    format!("{}{dots}", candidates::in_words(&list, &format!("{threads} threads")))
}

/// Every kernel of the whole bank as few products, if every one is; the same number of terms for all.
fn separated(plan: &ConvolvePlan, kernel: &View<'_>, simd: Simd) -> Option<Vec<Terms>> {
    let [depth, height, width] = plan.kernel;
    if plan.is_integer() || depth != 1 {
        return None;
    }
    let kernels = (0..plan.kernel_count()).map(|k| {
        let mut list = Vec::with_capacity(height * width);
        values(plan, kernel, simd, k, |line| list.extend_from_slice(line));
        if plan.reversed {
            list.reverse();
        }
        list
    });
    low_rank::bank(kernels, [height, width], plan.accumulator(0) == Accumulator::F32)
}

/// Hands over the rows of one kernel of the whole bank.
fn values(plan: &ConvolvePlan, kernel: &View<'_>, simd: Simd, k: usize, mut row: impl FnMut(&[f64])) {
    let one = plan.part(plan.images.clone(), k..k + 1, plan.rows.clone());
    let layout = layout::kernels(&one, kernel);
    let cast = CastRow::<f64>::new(simd, plan.kernel_dtype);
    let [kd, kh, kw] = plan.kernel;
    let place = rows_of(&layout, plan.kernel);
    let mut line = vec![0.0; kw];
    for j in 0..kd * kh {
        let (start, stride, n) = place(j);
        // SAFETY: a row of a kernel of the view; the line holds it.
        unsafe { cast.row(start, stride, line.as_mut_ptr(), n) };
        row(&line);
    }
}

/// The largest sum of a kernel's magnitudes over the whole bank, roughly; NaN if there is a NaN.
pub(super) fn weight(plan: &ConvolvePlan, kernel: &View<'_>, simd: Simd) -> f64 {
    let mut largest = 0.0f64;
    for k in 0..plan.kernel_count() {
        let mut sum = 0.0;
        values(plan, kernel, simd, k, |line| sum += line.iter().map(|w| w.abs()).sum::<f64>());
        if sum.is_nan() {
            return sum;
        }
        largest = largest.max(sum);
    }
    largest
}

/// Bytes of the numbers that a plan's Fourier transforms are computed in.
fn number_bytes(plan: &ConvolvePlan) -> usize {
    if plan.is_integer() || plan.accumulator(0) == Accumulator::F64 { 8 } else { 4 }
}
