//! Histograms: counts, or exact sums of weights, between edges; mergeable and serialisable.

use crate::array::{collect, room};
use crate::plan::{GroupOp, GroupPlan, Grouped, Groups, Partials};
use crate::{Error, ExactSum, Result};

/// The version of the byte form.
const VERSION: u8 = 1;

/// Between which edges elements are counted.
#[derive(Debug, Clone, PartialEq)]
pub struct Bins {
    pub(crate) edges: Option<Vec<f64>>,
    pub(crate) count: usize,
    pub(crate) range: Option<(f64, f64)>,
}

impl Bins {
    /// So many bins of equal width from the smallest to the largest element.
    pub fn uniform(count: usize) -> Self {
        Self { edges: None, count, range: None }
    }

    /// Equal widths from `low` to `high`.
    pub fn range(self, low: f64, high: f64) -> Self {
        Self { range: Some((low, high)), ..self }
    }

    /// Bins between neighbours of these numbers, which do not descend.
    pub fn edges(edges: &[f64]) -> Self {
        Self { edges: Some(edges.to_vec()), count: edges.len().saturating_sub(1), range: None }
    }

    /// The edges; `extremes` gives the smallest and the largest element, or `None` if there are none. As NumPy computes them:
    /// `linspace` in binary64.
    pub(crate) fn resolve(&self, extremes: impl FnOnce() -> Result<Option<(f64, f64)>>) -> Result<Vec<f64>> {
        if let Some(edges) = &self.edges {
            return collect(edges.iter().copied());
        }
        if self.count == 0 {
            return Err(Error::invalid("bins", 0, "at least 1"));
        }
        if self.count >= u32::MAX as usize {
            return Err(Error::invalid("bins", self.count, "fewer than 2^32"));
        }
        let (mut low, mut high) = match self.range {
            Some(range) => range,
            None => extremes()?.unwrap_or((0.0, 1.0)),
        };
        if !(low.is_finite() && high.is_finite() && low <= high) {
            return Err(Error::invalid("range of a histogram", format!("{low} to {high}"), "finite numbers that do not descend"));
        }
        if low == high {
            (low, high) = (low - 0.5, high + 0.5);
        }
        let step = (high - low) / self.count as f64;
        let mut edges = room(self.count + 1)?;
        edges.extend((0..self.count).map(|i| i as f64 * step + low));
        edges.push(high);
        Ok(edges)
    }
}

/// A histogram: edges, and between them counts, or exact sums of weights. Histograms with the same edges merge exactly, in any
/// order, and travel as bytes: those of all parts of the data give the bits of one histogram of everything.
///
/// ```
/// # fn main() -> unisono::Result<()> {
/// use unisono::{Backend, Bins, Histogram};
/// let (backend, bins) = (Backend::cpu(), Bins::uniform(4).range(0.0, 1.0));
/// let mut all = backend.histogram(&[0.1, 0.3, 0.6], &bins)?;
/// all.merge(&backend.histogram(&[0.25, 1.0], &bins)?)?;
/// assert_eq!(all.counts(), [1, 2, 1, 1]);
/// assert_eq!(Histogram::from_bytes(&all.to_bytes())?, all);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    edges: Vec<f64>,
    counts: Vec<u64>,
    weights: Weights,
}

#[derive(Debug, Clone, PartialEq)]
enum Weights {
    None,
    Integer(Vec<i128>),
    Float(Vec<ExactSum>),
}

impl Histogram {
    /// From the partials of a plan.
    pub(crate) fn new(edges: Vec<f64>, grouped: Grouped) -> Self {
        let weights = match grouped.partials {
            Some(Partials::Integer(sums)) => Weights::Integer(sums),
            Some(Partials::Float(sums)) => Weights::Float(sums),
            _ => Weights::None,
        };
        Self { edges, counts: grouped.counts, weights }
    }

    /// The edges: one more than there are bins.
    pub fn edges(&self) -> &[f64] {
        &self.edges
    }

    /// How many elements lie in each bin, whatever their weights.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Whether there are weights.
    pub fn is_weighted(&self) -> bool {
        !matches!(self.weights, Weights::None)
    }

    /// The sums of the weights of each bin, each rounded once; without weights the counts.
    pub fn values(&self) -> Vec<f64> {
        match &self.weights {
            Weights::None => self.counts.iter().map(|&count| count as f64).collect(),
            Weights::Integer(sums) => sums.iter().map(|&sum| sum as f64).collect(),
            Weights::Float(sums) => sums.iter().map(ExactSum::to_f64).collect(),
        }
    }

    /// [`values`](Self::values) rounded once to binary32.
    pub fn values_f32(&self) -> Vec<f32> {
        match &self.weights {
            Weights::None => self.counts.iter().map(|&count| count as f32).collect(),
            Weights::Integer(sums) => sums.iter().map(|&sum| sum as f32).collect(),
            Weights::Float(sums) => sums.iter().map(ExactSum::to_f32).collect(),
        }
    }

    /// The exact sums of integer weights; `None` for other weights.
    pub fn integers(&self) -> Option<&[i128]> {
        match &self.weights {
            Weights::Integer(sums) => Some(sums),
            _ => None,
        }
    }

    /// The density: values over the widths of the bins and over the sum of all values, so that the integral is 1; NumPy's
    /// arithmetic.
    pub fn density(&self) -> Vec<f64> {
        let values = self.values();
        let total = match &self.weights {
            Weights::Float(sums) => {
                let mut total = ExactSum::new();
                sums.iter().for_each(|sum| total.merge(sum));
                total.to_f64()
            }
            Weights::Integer(sums) => sums.iter().sum::<i128>() as f64,
            Weights::None => self.counts.iter().sum::<u64>() as f64,
        };
        values.iter().zip(self.edges.windows(2)).map(|(value, pair)| value / (pair[1] - pair[0]) / total).collect()
    }

    /// Adds another histogram with the same edges and kind of weights.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it has not.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if self.edges != other.edges {
            return Err(Error::invalid("histogram to merge", "other edges", "the same edges"));
        }
        match (&mut self.weights, &other.weights) {
            (Weights::None, Weights::None) => {}
            (Weights::Integer(sums), Weights::Integer(more)) => sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more),
            (Weights::Float(sums), Weights::Float(more)) => sums.iter_mut().zip(more).for_each(|(sum, more)| sum.merge(more)),
            _ => return Err(Error::invalid("histogram to merge", "another kind of weights", "the same kind")),
        }
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
        Ok(())
    }

    /// The byte form: a version byte, the kind of weights, six zeros, the number of bins, edges, counts, weights; all numbers
    /// with their least significant byte first.
    pub fn to_bytes(&self) -> Vec<u8> {
        let kind = match self.weights {
            Weights::None => 0,
            Weights::Integer(_) => 1,
            Weights::Float(_) => 2,
        };
        let mut bytes = vec![VERSION, kind, 0, 0, 0, 0, 0, 0];
        bytes.extend((self.counts.len() as u64).to_le_bytes());
        self.edges.iter().for_each(|edge| bytes.extend(edge.to_le_bytes()));
        self.counts.iter().for_each(|count| bytes.extend(count.to_le_bytes()));
        match &self.weights {
            Weights::None => {}
            Weights::Integer(sums) => sums.iter().for_each(|sum| bytes.extend(sum.to_le_bytes())),
            Weights::Float(sums) => sums.iter().for_each(|sum| bytes.extend(sum.to_bytes())),
        }
        bytes
    }

    /// Reads [`to_bytes`](Self::to_bytes)'s form.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for another version or length, or bytes that no histogram has.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let corrupt = |reason: String| Error::Corrupt { what: "histogram".into(), reason };
        let (head, body) = bytes.split_at_checked(16).ok_or_else(|| corrupt(format!("{} bytes", bytes.len())))?;
        if head[0] != VERSION {
            return Err(corrupt(format!("version {}, expected {VERSION}", head[0])));
        }
        let word = |bytes: &[u8]| bytes.iter().rev().fold(0u64, |word, &byte| word << 8 | u64::from(byte));
        let bins = usize::try_from(word(&head[8..])).unwrap_or(usize::MAX);
        let sum = ExactSum::new().to_bytes().len();
        let weight = match head[1] {
            0 => 0,
            1 => 16,
            2 => sum,
            other => return Err(corrupt(format!("unknown kind of weights {other}"))),
        };
        let expected = bins.checked_mul(16 + weight).and_then(|bytes| bytes.checked_add(8));
        if expected != Some(body.len()) || bins == 0 || head[2..8] != [0; 6] {
            return Err(corrupt(format!("{} bytes for {bins} bins", bytes.len())));
        }
        let (edges, rest) = body.split_at(8 * (bins + 1));
        let (counts, weights) = rest.split_at(8 * bins);
        let edges: Vec<f64> = edges.chunks_exact(8).map(|bytes| f64::from_bits(word(bytes))).collect();
        if edges.windows(2).any(|pair| pair[0].partial_cmp(&pair[1]).is_none_or(std::cmp::Ordering::is_gt)) {
            return Err(corrupt("edges that descend".into()));
        }
        let integer = |bytes: &[u8]| (u128::from(word(&bytes[8..])) << 64 | u128::from(word(&bytes[..8]))) as i128;
        let weights = match head[1] {
            0 => Weights::None,
            1 => Weights::Integer(weights.chunks_exact(16).map(integer).collect()),
            _ => Weights::Float(weights.chunks_exact(sum).map(ExactSum::from_bytes).collect::<Result<_>>()?),
        };
        Ok(Self { edges, counts: counts.chunks_exact(8).map(word).collect(), weights })
    }

    /// The plan that fills a histogram with these edges.
    pub(crate) fn plan(
        edges: &[f64],
        array: (crate::Dtype, &[usize]),
        weights: Option<(crate::Dtype, &[usize])>,
    ) -> Result<GroupPlan> {
        let op = if weights.is_some() { GroupOp::Sum } else { GroupOp::Count };
        GroupPlan::new(op, Groups::between(edges, array.0)?, array, weights)
    }
}
