//! Which algorithm a plan is done with on a device: asked for, or predicted to be fastest. A function of the whole plan, so
//! that its parts are done with the same.

use super::pack::Weights;
use super::shader::Sums;
use crate::plan::low_rank::{self, Terms};
use crate::plan::{Accuracy, Algorithm, ConvolvePlan};
use crate::view::View;
use crate::{Error, Result};

/// An algorithm with what it needs to know.
#[derive(Debug)]
pub(super) enum Choice {
    Direct,
    /// Every kernel of the whole bank as terms.
    Separable {
        terms: Vec<Terms>,
        limit: f64,
    },
}

impl Choice {
    /// The magnitude that every input must be below.
    pub(super) fn limit(&self) -> f64 {
        match self {
            Self::Direct => f64::INFINITY,
            Self::Separable { limit, .. } => *limit,
        }
    }
}

/// The algorithm of the whole that `plan` is a part of; `weights` are those of the part.
pub(super) fn choose(plan: &ConvolvePlan, sums: Sums, kernel: &View<'_>, weights: &Weights) -> Result<Choice> {
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
    if matches!(plan.algorithm, Algorithm::Auto | Algorithm::Direct) {
        return Ok(Choice::Direct);
    }
    let bank = Bank::new(plan, sums, kernel, weights);
    match plan.algorithm {
        Algorithm::Separable => match bank.terms() {
            Some(terms) => Ok(bank.limit(8.0).map_or(Choice::Direct, |limit| Choice::Separable { terms, limit })),
            None => cannot("float operands and 2-D kernels of low rank for separable"),
        },
        other => cannot(&format!("one that GPUs have: not {other}")),
    }
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

    /// The largest float of the arithmetic over `growth` times the largest sum of a kernel's magnitudes; `None` if such sums
    /// are no numbers, or too large themselves.
    fn limit(&self, growth: f64) -> Option<f64> {
        let weight = self
            .kernels()
            .map(|kernel| kernel.iter().map(|w| w.abs()).sum::<f64>())
            .fold(0.0, |m: f64, w| if w > m || w.is_nan() { w } else { m });
        let largest = if self.sums == Sums::F64 { f64::MAX } else { f64::from(f32::MAX) };
        (weight <= largest / 8.0).then(|| largest / (growth * weight.max(1.0)))
    }
}
