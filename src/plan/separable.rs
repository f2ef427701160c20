//! Separable filters: one-dimensional correlations along chosen axes, one after the other.

mod options;

use std::ops::Range;

pub use options::{Combine, Factor, Separable};

use super::Boundary;
use crate::{Dtype, Error, Result};

/// One pass: `y[o] = Σ_t weights[t] · x̃[o + t + start]` along `axis`, with `x̃` the array extended by the boundary.
#[derive(Debug, Clone, PartialEq)]
pub struct Pass {
    /// The axis.
    pub axis: usize,
    /// The weights, in the order of the elements that they meet.
    pub weights: Vec<f64>,
    /// Where the first weight of output 0 reads.
    pub start: isize,
    /// Outputs along the axis.
    pub output: usize,
    /// What lies outside.
    pub boundary: Boundary,
}

impl Pass {
    /// The pass that changes nothing.
    pub(crate) fn identity(axis: usize, length: usize) -> Self {
        Self { axis, weights: vec![1.0], start: 0, output: length, boundary: Boundary::ZERO }
    }

    /// Whether it changes nothing of an axis of this length.
    pub(crate) fn is_identity(&self, length: usize) -> bool {
        self.weights == [1.0] && self.start == 0 && self.output == length
    }
}

/// A separable filter, ready for an engine: the sum (or magnitude) of terms, each made of passes that filter the result of
/// the one before. Nothing is rounded in between but by the arithmetic itself.
#[derive(Debug, Clone, PartialEq)]
pub struct SeparablePlan {
    /// Dtype of the array.
    pub in_dtype: Dtype,
    /// Dtype of the result.
    pub out_dtype: Dtype,
    /// The shape of the array.
    pub input: Vec<usize>,
    /// The shape of the result.
    pub shape: Vec<usize>,
    /// The terms, at least one; each is some passes, at least one. Several terms filter the same axes in the same order,
    /// each axis once.
    pub terms: Vec<Vec<Pass>>,
    /// What becomes of them.
    pub combine: Combine,
}

/// A piece of a plan: a plan of its own for a range of the array that gives a range of the result.
#[derive(Debug, Clone, PartialEq)]
pub struct SeparablePart {
    /// The plan of the piece.
    pub plan: SeparablePlan,
    /// The axis that the whole was cut along.
    pub axis: usize,
    /// What it reads along that axis.
    pub input: Range<usize>,
    /// What it writes along that axis.
    pub output: Range<usize>,
}

/// A piece of a plan that reads these elements along an axis, in this order.
#[cfg(feature = "gpu")]
#[derive(Debug, Clone)]
pub(crate) struct Half {
    pub plan: SeparablePlan,
    pub axis: usize,
    pub input: Vec<usize>,
    pub output: Range<usize>,
}

impl SeparablePlan {
    /// Checks `how` against an array of this dtype and shape.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the array has no axes, an axis does not exist, weights are missing, or an origin lies outside
    /// the weights.
    pub fn new(how: &Separable, dtype: Dtype, shape: &[usize]) -> Result<Self> {
        if shape.is_empty() {
            return Err(Error::invalid("array to filter", "no axes", "at least one"));
        }
        let resolve = |term: &Vec<Factor>| term.iter().map(|factor| factor.resolve(shape)).collect::<Result<Vec<_>>>();
        let mut terms = how.terms.iter().map(resolve).collect::<Result<Vec<_>>>()?;
        if terms.is_empty() {
            terms.push(vec![]);
        }
        let mut axes: Vec<usize> = terms.iter().flatten().map(|pass| pass.axis).collect();
        axes.sort_unstable();
        axes.dedup();
        if axes.is_empty() {
            axes.push(0);
        }
        if terms.len() > 1 || terms[0].is_empty() {
            for term in &mut terms {
                if term.windows(2).any(|pair| pair[0].axis >= pair[1].axis) {
                    return Err(Error::invalid(
                        "passes of a filter of several terms",
                        "axes that do not ascend",
                        "ascending axes",
                    ));
                }
                for (at, &axis) in axes.iter().enumerate() {
                    if term.get(at).is_none_or(|pass| pass.axis != axis) {
                        term.insert(at, Pass::identity(axis, shape[axis]));
                    }
                }
            }
        }
        Self::of_terms(terms, how.combine, dtype, how.out_dtype.unwrap_or(dtype), shape)
    }

    /// The plan of these terms, whose passes have any length and start.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is no term or pass, an axis does not exist, weights are missing, there is nothing to read
    /// for an output, or several terms do not filter the same axes in the same order, each once, to the same lengths;
    /// [`Error::Dtype`] for complex dtypes.
    pub fn of_terms(terms: Vec<Vec<Pass>>, combine: Combine, in_dtype: Dtype, out_dtype: Dtype, input: &[usize]) -> Result<Self> {
        for (what, dtype) in [("array", in_dtype), ("result", out_dtype)] {
            if dtype.is_complex() {
                let expected = "a real dtype: filter the real and the imaginary part".into();
                return Err(Error::Dtype { what: what.into(), got: dtype, expected });
            }
        }
        let axes = |term: &[Pass]| term.iter().map(|pass| (pass.axis, pass.output)).collect::<Vec<_>>();
        let mut shape = input.to_vec();
        for term in &terms {
            shape = input.to_vec();
            for pass in term {
                let Some(length) = shape.get_mut(pass.axis) else {
                    return Err(Error::invalid("axis", pass.axis, format!("below {}", input.len())));
                };
                if let Boundary::ConstantComplex(..) = pass.boundary {
                    return Err(Error::invalid("boundary value", pass.boundary, "a real number"));
                }
                if pass.weights.is_empty() || (*length == 0 && pass.output > 0) {
                    let got = format!("{} weights over {length} elements", pass.weights.len());
                    return Err(Error::invalid("pass", got, "some of both"));
                }
                *length = pass.output;
            }
            let once = |pass: &Pass| term.iter().filter(|other| other.axis == pass.axis).count() == 1;
            if term.is_empty() || (terms.len() > 1 && (axes(term) != axes(&terms[0]) || !term.iter().all(once))) {
                let expected = "passes over the same axes in the same order, each axis once";
                return Err(Error::invalid("terms", format!("{:?} beside {:?}", axes(term), axes(&terms[0])), expected));
            }
        }
        if terms.is_empty() {
            return Err(Error::invalid("terms", "none", "at least one"));
        }
        Ok(Self { in_dtype, out_dtype, input: input.to_vec(), shape, terms, combine })
    }

    /// The number of outputs.
    pub fn outputs(&self) -> usize {
        self.shape.iter().product()
    }

    /// Multiply-adds of all passes: the unit of progress and of cost.
    pub fn work(&self) -> u64 {
        let mut total = 0u64;
        for term in &self.terms {
            let mut shape = self.input.clone();
            for pass in term {
                shape[pass.axis] = pass.output;
                total =
                    total.saturating_add(shape.iter().fold(pass.weights.len() as u64, |work, &n| work.saturating_mul(n as u64)));
            }
        }
        total
    }

    /// All passes of all terms.
    fn passes(&self) -> impl Iterator<Item = &Pass> {
        self.terms.iter().flatten()
    }

    /// Whether the array and all weights are integers, so that results below 2^53 in magnitude are exact.
    pub fn is_integer(&self) -> bool {
        let whole = |pass: &Pass| pass.weights.iter().all(|w| w.fract() == 0.0) && pass.boundary.fill().fract() == 0.0;
        !self.in_dtype.is_float() && self.combine == Combine::Sum && self.passes().all(whole)
    }

    /// Whether it is computed in binary64: of float64, of integers of 32 bits and more, for float64, and where integer
    /// results would not be exact in binary32. Binary32 otherwise.
    pub fn is_double(&self) -> bool {
        let wide = |dtype: Dtype| dtype == Dtype::F64 || (dtype.size() >= 4 && !dtype.is_float());
        if wide(self.in_dtype) || self.out_dtype == Dtype::F64 {
            return true;
        }
        let Some((lo, hi)) = self.in_dtype.integer_range().filter(|_| self.is_integer()) else { return false };
        let fill = self.passes().map(|pass| pass.boundary.fill().abs()).fold(0.0, f64::max);
        let sum = |pass: &Pass| pass.weights.iter().map(|w| w.abs()).sum::<f64>().max(1.0);
        let reach = self.terms.iter().map(|term| term.iter().map(sum).product::<f64>()).sum::<f64>()
            * fill.max(lo.unsigned_abs().max(hi.unsigned_abs()) as f64);
        reach >= (1 << 24) as f64
    }

    /// Whether the passes may change places: nothing but zero, or the array itself, lies outside.
    pub fn commutes(&self) -> bool {
        self.passes().all(|pass| pass.boundary.fill() == 0.0)
    }

    /// The roundings in units of `ε · Σ|w||x|` that bound the error of a float result to first order: one per
    /// multiply-add and one for the rounded weight of every pass, and one per term; doubled where the device does not fuse.
    pub fn roundings(&self) -> usize {
        let of = |term: &Vec<Pass>| term.iter().map(|pass| pass.weights.len() + 1).sum::<usize>();
        self.terms.iter().map(of).max().unwrap_or(0) + self.terms.len() - 1
    }

    /// A range of the elements along `axis`, filtered by one pass of each term, that reads as the whole does: what is needed,
    /// or else all.
    fn read(&self, axis: usize) -> Range<usize> {
        let n = self.input[axis];
        let whole = 0..n;
        let reads = || {
            self.passes().filter(move |pass| pass.axis == axis).flat_map(|pass| {
                let end = pass.start + (pass.output + pass.weights.len()) as isize - 1;
                (pass.start..end).map(move |i| (i, pass.boundary))
            })
        };
        let sources = reads().filter_map(|(i, boundary)| boundary.source(i, n));
        let (low, high) = sources.fold((n, 0), |(low, high), i| (low.min(i), high.max(i + 1)));
        let range = if low < high { low..high } else { return whole };
        let same = |(i, boundary): (isize, Boundary)| {
            boundary.source(i - low as isize, range.len()).map(|j| j + low) == boundary.source(i, n)
        };
        if reads().all(same) { range } else { whole }
    }

    /// The axis to cut along: the longest that no pass filters, or else that of the first pass if no other filters it.
    fn cut_axis(&self, parts: usize) -> Option<usize> {
        let filtered = |axis: usize| self.terms[0].iter().filter(|pass| pass.axis == axis).count();
        let free = (0..self.shape.len()).filter(|&axis| filtered(axis) == 0).max_by_key(|&axis| self.shape[axis]);
        if let Some(axis) = free.filter(|&axis| self.shape[axis] >= 4 * parts) {
            return Some(axis);
        }
        let first = self.terms[0].first().map(|pass| pass.axis).filter(|&axis| filtered(axis) == 1 && self.shape[axis] > 1);
        first.or(free.filter(|&axis| self.shape[axis] > 1))
    }

    /// Cuts the plan into one part per weight, in proportion to the weights; some may be empty (`None`). `None` if there
    /// is no axis to cut along.
    pub fn split(&self, weights: &[f64]) -> Option<Vec<Option<SeparablePart>>> {
        let axis = self.cut_axis(weights.len())?;
        Some(super::cut(&(0..self.shape[axis]), weights).into_iter().map(|output| self.along(axis, output)).collect())
    }

    /// Two nearly equal halves, along the axis that repeats the least work; `None` if there is nothing to cut.
    #[cfg(feature = "gpu")]
    pub(crate) fn halves(&self) -> Option<[Half; 2]> {
        let passes = |axis: usize| self.terms[0].iter().filter(move |pass| pass.axis == axis);
        let weights =
            |axis: usize| self.passes().filter(|pass| pass.axis == axis).map(|pass| pass.weights.len()).max().unwrap_or(1);
        let axis = (0..self.shape.len())
            .filter(|&axis| self.shape[axis] > 1 && passes(axis).count() <= 1)
            .max_by_key(|&axis| (self.shape[axis] / weights(axis), std::cmp::Reverse(axis)))?;
        let middle = self.shape[axis] / 2;
        Some([self.half(axis, 0..middle)?, self.half(axis, middle..self.shape[axis])?])
    }

    /// As [`along`](Self::along), but an edge whose sources lie apart (at both ends of what wraps) gets them side by side.
    #[cfg(feature = "gpu")]
    fn half(&self, axis: usize, output: Range<usize>) -> Option<Half> {
        let SeparablePart { mut plan, input, output, .. } = self.along(axis, output)?;
        let reads = |pass: &Pass| {
            let first = pass.start + input.start as isize;
            first..first + (pass.output + pass.weights.len()) as isize - 1
        };
        let ranges: Vec<_> = plan.passes().filter(|pass| pass.axis == axis).map(|pass| (reads(pass), pass.boundary)).collect();
        let (low, high) =
            ranges.iter().fold((isize::MAX, isize::MIN), |(low, high), (range, _)| (low.min(range.start), high.max(range.end)));
        let one = ranges.windows(2).all(|pair| pair[0].1 == pair[1].1);
        if one && low < high && ((high - low) as usize) < input.len() {
            let boundary = ranges[0].1;
            let list: Option<Vec<usize>> = (low..high).map(|i| boundary.source(i, self.input[axis])).collect();
            if let Some(list) = list {
                for pass in plan.terms.iter_mut().flatten().filter(|pass| pass.axis == axis) {
                    pass.start += input.start as isize - low;
                }
                plan.input[axis] = list.len();
                return Some(Half { plan, axis, input: list, output });
            }
        }
        Some(Half { plan, axis, input: input.collect(), output })
    }

    /// The part that makes a range of the outputs along an axis that each term filters once at most.
    fn along(&self, axis: usize, output: Range<usize>) -> Option<SeparablePart> {
        if output.is_empty() {
            return None;
        }
        let mut plan = self.clone();
        plan.shape[axis] = output.len();
        let mut filtered = false;
        for pass in plan.terms.iter_mut().flatten().filter(|pass| pass.axis == axis) {
            filtered = true;
            pass.start += output.start as isize;
            pass.output = output.len();
        }
        let input = if filtered { plan.read(axis) } else { output.clone() };
        for pass in plan.terms.iter_mut().flatten().filter(|pass| pass.axis == axis) {
            pass.start -= input.start as isize;
        }
        plan.input[axis] = input.len();
        Some(SeparablePart { plan, axis, input, output })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_follow_scipy() {
        let pass = |factor: Factor| factor.resolve(&[7, 9]).map(|pass| (pass.axis, pass.start, pass.weights));
        assert_eq!(pass(Factor::correlate(-1, [1.0, 2.0, 3.0])), Ok((1, -1, vec![1.0, 2.0, 3.0])));
        assert_eq!(pass(Factor::correlate(0, [1.0, 2.0]).origin(-1)), Ok((0, 0, vec![1.0, 2.0])));
        // scipy.ndimage.convolve1d: the weights reversed, the origin negated, one less if they are even in number.
        assert_eq!(pass(Factor::convolve(0, [1.0, 2.0])), Ok((0, 0, vec![2.0, 1.0])));
        assert_eq!(pass(Factor::convolve(0, [1.0, 2.0, 3.0]).origin(1)), Ok((0, 0, vec![3.0, 2.0, 1.0])));
        let text = |factor: Factor| pass(factor).unwrap_err().to_string();
        assert_eq!(text(Factor::correlate(0, [1.0, 2.0]).origin(1)), "origin: got 1, expected -1 to 0 for 2 weights");
        assert_eq!(text(Factor::convolve(0, [1.0, 2.0]).origin(1)), "origin: got 1, expected -1 to 0 for 2 weights");
        assert_eq!(text(Factor::correlate(2, [1.0])), "axis: got 2, expected -2 to 1 for 2 axes");
        assert_eq!(text(Factor::correlate(0, [])), "weights: got none, expected at least one");
    }

    #[test]
    fn the_arithmetic_is_the_cheapest_that_will_do() {
        let plan = |dtype, out: Option<Dtype>, weights: &[f64]| {
            let how = Separable { out_dtype: out, ..Separable::convolve(&[weights, weights], Boundary::Reflect) };
            SeparablePlan::new(&how, dtype, &[9, 9]).unwrap().is_double()
        };
        assert!(!plan(Dtype::U8, None, &[0.25, 0.5, 0.25]) && !plan(Dtype::F32, None, &[0.3]) && !plan(Dtype::U16, None, &[0.3]));
        assert!(!plan(Dtype::U8, Some(Dtype::I32), &[128.0, 128.0]) && plan(Dtype::U8, None, &[128.0, 129.0]));
        assert!(
            plan(Dtype::F64, Some(Dtype::F32), &[1.0])
                && plan(Dtype::U8, Some(Dtype::F64), &[1.0])
                && plan(Dtype::I32, None, &[1.0])
        );
    }

    #[test]
    fn a_split_covers_every_output_once() {
        let how = Separable::convolve(&[&[1.0; 5], &[1.0; 3]], Boundary::Wrap);
        for shape in [&[40, 9, 7][..], &[9, 7], &[1, 7], &[3, 9, 7]] {
            let whole = SeparablePlan::new(&how, Dtype::F32, shape).unwrap();
            for weights in [&[1.0][..], &[1.0, 3.0], &[0.0, 1.0, 1e-9], &[2.0, 1.0, 1.0, 5.0]] {
                let Some(parts) = whole.split(weights) else { continue };
                let parts: Vec<_> = parts.into_iter().flatten().collect();
                assert_eq!(parts.iter().map(|part| part.plan.outputs()).sum::<usize>(), whole.outputs());
                assert!(parts.windows(2).all(|pair| pair[0].output.end == pair[1].output.start));
                assert!(parts.iter().all(|part| part.plan.input[part.axis] == part.input.len()));
            }
        }
    }
}
