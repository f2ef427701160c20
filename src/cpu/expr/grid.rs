//! Importance sampling: coordinates in the cells of a grid, weights, and squares counted in the cells.

use std::ops::Range;

use super::LANES;
use crate::exact::fast::Float;
use crate::expr::scalar::Lane;
use crate::plan::{BIN_BITS, BINS, Cell, IntegratePlan, Sampling, counted};

/// The cells of every axis, and where the samples of a block lie among them.
pub(super) struct Cells<T> {
    axes: Vec<Vec<Cell<T>>>,
    /// One over the unit in which squares are counted.
    per: f64,
    weights: Box<[T; LANES]>,
    bins: Vec<[u8; LANES]>,
    counts: Vec<u64>,
}

impl<T: Lane + Float> Cells<T> {
    /// Those of the plan; `None` where places are all alike.
    pub(super) fn new(plan: &IntegratePlan) -> Option<Self> {
        let Sampling::Grid(grid) = &plan.sampling else { return None };
        Some(Self {
            axes: grid.cells(&plan.bounds),
            per: 2f64.powi(-grid.scale()),
            weights: Box::new([T::default(); LANES]),
            bins: vec![[0; LANES]; plan.bounds.len()],
            counts: vec![0; plan.bounds.len() * BINS],
        })
    }

    /// The coordinates on one axis of every `step`-th sample of a block from `first` on. Axes come in their order, and
    /// `fraction` is where in a cell a word lies.
    pub(super) fn place(
        &mut self,
        axis: usize,
        (first, step): (usize, usize),
        words: &[u32; LANES],
        fraction: impl Fn(u32) -> T,
        out: &mut [T; LANES],
    ) {
        let (cells, bins) = (&self.axes[axis], &mut self.bins[axis]);
        for (lane, &word) in (first..LANES).step_by(step).zip(words) {
            let bin = (word >> (32 - BIN_BITS)) as usize;
            let cell = cells[bin];
            bins[lane] = bin as u8;
            out[lane] = cell.start.add(cell.width.mul(fraction(word << BIN_BITS)));
            self.weights[lane] = if axis == 0 { cell.weight } else { self.weights[lane].mul(cell.weight) };
        }
    }

    /// Multiplies the integrand's values at the samples `lanes` of a block by their weights, and counts their squares.
    pub(super) fn weigh(&mut self, lanes: Range<usize>, values: &mut [T]) {
        for (value, &weight) in values.iter_mut().zip(&self.weights[lanes.clone()]) {
            *value = value.mul(weight).canonical();
        }
        for (bins, counts) in self.bins.iter().zip(self.counts.chunks_mut(BINS)) {
            for (value, &bin) in values.iter().zip(&bins[lanes.clone()]) {
                counts[usize::from(bin)] += counted(value.widen(), self.per);
            }
        }
    }

    /// What was counted.
    pub(super) fn counts(&self) -> &[u64] {
        &self.counts
    }
}
