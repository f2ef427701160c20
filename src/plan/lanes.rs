//! Arrays as lanes: what scans, order statistics and the like walk along.

use std::ops::Range;

use crate::{Dtype, Error, Result};

/// An array as lanes: the elements along some axes, in C order, one lane for each position along the other axes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lanes {
    /// Dtype of the array.
    pub dtype: Dtype,
    /// Shape of the array.
    pub input: Vec<usize>,
    /// The axes that tell the lanes apart, ascending.
    pub kept: Vec<usize>,
    /// The axes that the lanes run along, ascending.
    pub walked: Vec<usize>,
}

impl Lanes {
    /// Lanes along `axes` (a negative axis counts from the last), along all of them for `None`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an axis out of range or named twice, [`Error::Dtype`] for complex dtypes.
    pub fn new(operation: &str, dtype: Dtype, input: &[usize], axes: Option<&[isize]>) -> Result<Self> {
        if dtype.is_complex() {
            return Err(Error::Dtype { what: operation.into(), got: dtype, expected: "a real dtype".into() });
        }
        let rank = input.len();
        let mut walked = Vec::new();
        match axes {
            None => walked.extend(0..rank),
            Some(axes) => {
                for &axis in axes {
                    let index = if axis < 0 { axis + rank as isize } else { axis };
                    if !(0..rank as isize).contains(&index) {
                        return Err(Error::invalid("axis", axis, format!("an axis of an array of rank {rank}")));
                    }
                    if walked.contains(&(index as usize)) {
                        return Err(Error::invalid("axes", format!("{axes:?}"), "every axis once"));
                    }
                    walked.push(index as usize);
                }
                walked.sort_unstable();
            }
        }
        let kept = (0..rank).filter(|axis| !walked.contains(axis)).collect();
        Ok(Self { dtype, input: input.to_vec(), kept, walked })
    }

    /// The number of lanes.
    pub fn count(&self) -> usize {
        self.kept.iter().map(|&axis| self.input[axis]).product()
    }

    /// Elements of a lane.
    pub fn len(&self) -> usize {
        self.walked.iter().map(|&axis| self.input[axis]).product()
    }

    /// Whether lanes have no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Elements of the array.
    pub fn work(&self) -> u64 {
        self.input.iter().map(|&n| n as u64).product()
    }

    /// The shape of one value per lane; with `keepdims` the walked axes stay, with length 1.
    pub(crate) fn shape(&self, keepdims: bool) -> Vec<usize> {
        if keepdims {
            return (0..self.input.len()).map(|axis| if self.walked.contains(&axis) { 1 } else { self.input[axis] }).collect();
        }
        self.kept.iter().map(|&axis| self.input[axis]).collect()
    }

    /// Where a kept axis is among those of [`shape`](Self::shape).
    pub(crate) fn place(&self, axis: usize, keepdims: bool) -> usize {
        if keepdims { axis } else { self.kept.iter().filter(|&&kept| kept < axis).count() }
    }

    /// The lanes in `range` along a kept axis.
    pub(crate) fn narrow(&self, axis: usize, range: &Range<usize>) -> Self {
        let mut part = self.clone();
        part.input[axis] = range.len();
        part
    }

    /// Fails for a lane of nothing, where there are lanes.
    pub(crate) fn expect_elements(&self, operation: &str) -> Result<()> {
        if self.is_empty() && self.count() > 0 {
            let expected = "at least one element per result";
            return Err(Error::invalid(format!("{operation} of shape"), format!("{:?}", self.input), expected));
        }
        Ok(())
    }
}
