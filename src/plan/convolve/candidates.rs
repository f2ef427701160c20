//! Algorithms with their predicted times: which to take, and how to say why.

use std::time::Duration;

use super::Algorithm;

/// The direct convolution is kept unless another algorithm takes at most this share of its time.
const GAIN: f64 = 0.9;

/// What algorithms that were asked for are expected with.
pub(crate) const PLAIN: &str = "auto or direct with channels, stride, dilation or a constant outside of complex numbers";
pub(crate) const LOW_RANK: &str = "float operands and 2-D kernels of low rank for separable";
pub(crate) const TAPS: &str = "kernels of at least 4 taps along one of the last two axes for fast-fir";

/// The predicted time of one algorithm for a whole plan, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Candidate {
    pub algorithm: Algorithm,
    pub seconds: f64,
}

/// The candidate to take; the direct convolution comes first.
pub(crate) fn best(candidates: &[Candidate]) -> Algorithm {
    let Some((direct, others)) = candidates.split_first() else { return Algorithm::Direct };
    let better = others.iter().filter(|other| other.seconds <= GAIN * direct.seconds);
    better.min_by(|a, b| a.seconds.total_cmp(&b.seconds)).map_or(Algorithm::Direct, |best| best.algorithm)
}

/// The choice in words, for kernels whose rank is not known: passes count as for rank 1 and are not chosen. `on` says where
/// the times were predicted.
pub(crate) fn in_words(candidates: &[Candidate], on: &str) -> String {
    let text = |candidate: &Candidate| {
        let seconds = Duration::try_from_secs_f64(candidate.seconds).unwrap_or_default();
        let condition = if candidate.algorithm == Algorithm::Separable { " if every kernel is of rank 1" } else { "" };
        format!("{} {seconds:.1?}{condition}", candidate.algorithm)
    };
    let times: Vec<String> = candidates.iter().map(text).collect();
    let known: Vec<_> = candidates.iter().filter(|candidate| candidate.algorithm != Algorithm::Separable).copied().collect();
    format!("algorithm {} of {} predicted on {on}", best(&known), times.join(", "))
}
