//! The k largest or smallest elements.

use std::ops::Range;

use super::Lanes;
use crate::{Dtype, Error, Result};

/// How many of the largest (or smallest) elements, along which axis. Plain data, built by chaining.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopK {
    pub(crate) k: usize,
    pub(crate) axis: isize,
    pub(crate) smallest: bool,
}

impl TopK {
    /// The `k` largest along the last axis, the largest first.
    pub fn largest(k: usize) -> Self {
        Self { k, axis: -1, smallest: false }
    }

    /// The `k` smallest along the last axis, the smallest first.
    pub fn smallest(k: usize) -> Self {
        Self { k, axis: -1, smallest: true }
    }

    /// Along this axis; a negative one counts from the last.
    pub fn axis(self, axis: isize) -> Self {
        Self { axis, ..self }
    }
}

/// The k largest or smallest elements, ready for an engine. Two results: the elements and their indices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopKPlan {
    /// The input.
    pub lanes: Lanes,
    /// How many.
    pub k: usize,
    /// Whether the smallest.
    pub smallest: bool,
    /// Shape of both results: that of the input with `k` along the axis.
    pub shape: Vec<usize>,
}

impl TopKPlan {
    /// Checks `how` against an array of this dtype and shape.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an axis out of range and for more elements than there are along it, [`Error::Dtype`] for
    /// complex dtypes.
    pub fn new(how: &TopK, dtype: Dtype, input: &[usize]) -> Result<Self> {
        let lanes = Lanes::new("topk", dtype, input, Some(&[how.axis]))?;
        if how.k > lanes.len() {
            return Err(Error::invalid("k", how.k, format!("at most {}, the length of axis {}", lanes.len(), how.axis)));
        }
        let mut shape = input.to_vec();
        shape[lanes.walked[0]] = how.k;
        Ok(Self { lanes, k: how.k, smallest: how.smallest, shape })
    }

    /// The part of the plan in `range` along a kept axis, and that axis in the results.
    pub(super) fn narrow(&self, axis: usize, range: &Range<usize>) -> (Self, usize) {
        let mut part = Self { lanes: self.lanes.narrow(axis, range), ..self.clone() };
        part.shape[axis] = range.len();
        (part, axis)
    }
}
