//! Importance sampling: coordinates in the cells of a grid, weights, and squares counted in the cells.

use std::ops::Range;

use super::LANES;
use super::samples::Sample;
use crate::cpu::simd::{Kernel, Simd};
use crate::exact::fast::Float;
use crate::plan::{BIN_BITS, BINS, Cell, IntegratePlan, Sampling, counted};

/// The cells of every axis, and where the samples of a block lie among them.
pub(super) struct Cells<T> {
    axes: Vec<Axis<T>>,
    /// Squares are counted in units of one over the product.
    per: [f64; 2],
    weights: Box<[T; LANES]>,
    /// Of each axis, the cells that the samples of the block lie in.
    bins: Vec<[u8; LANES]>,
    counts: Vec<[u64; BINS]>,
    simd: Simd,
}

/// The cells of one axis, each property in an array of its own for vectors to look up.
struct Axis<T> {
    starts: [T; BINS],
    widths: [T; BINS],
    weights: [T; BINS],
}

impl<T: Sample> Axis<T> {
    fn new(cells: &[Cell<T>]) -> Self {
        let all = |of: fn(&Cell<T>) -> T| std::array::from_fn(|bin| of(&cells[bin]));
        Self { starts: all(|cell| cell.start), widths: all(|cell| cell.width), weights: all(|cell| cell.weight) }
    }
}

impl<T: Sample> Cells<T> {
    /// Those of the plan; `None` where places are all alike.
    pub(super) fn new(plan: &IntegratePlan, simd: Simd) -> Option<Self> {
        let Sampling::Grid(grid) = &plan.sampling else { return None };
        let axes: Vec<_> = grid.cells(&plan.bounds).iter().map(|cells| Axis::new(cells)).collect();
        Some(Self {
            per: grid.per_unit(),
            weights: Box::new([T::default(); LANES]),
            bins: vec![[0; LANES]; axes.len()],
            counts: vec![[0; BINS]; axes.len()],
            axes,
            simd,
        })
    }

    /// The coordinates on one axis of a block's samples, from their words. Axes come in their order.
    pub(super) fn place(&mut self, axis: usize, words: &[u32; LANES], out: &mut [T; LANES]) {
        if axis == 0 {
            self.weights.fill(<T as Float>::of(1.0));
        }
        let (axis, bins) = (&self.axes[axis], &mut self.bins[axis]);
        self.simd.run(Place { axis, words, bins, weights: &mut self.weights, out });
    }

    /// Multiplies the integrand's values at the samples `lanes` of a block by their weights, and counts their squares.
    pub(super) fn weigh(&mut self, lanes: Range<usize>, values: &mut [T]) {
        let Self { per, weights, bins, counts, simd, .. } = self;
        simd.run(Weigh { per: *per, weights: &weights[lanes.clone()], bins, lanes, counts, values });
    }

    /// What was counted, axis by axis.
    pub(super) fn counts(&self) -> &[u64] {
        self.counts.as_flattened()
    }
}

struct Place<'a, T> {
    axis: &'a Axis<T>,
    words: &'a [u32; LANES],
    bins: &'a mut [u8; LANES],
    weights: &'a mut [T; LANES],
    out: &'a mut [T; LANES],
}

impl<T: Sample> Kernel for Place<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        let Self { axis, words, bins, weights, out } = self;
        for (((&word, in_bin), weight), out) in words.iter().zip(bins).zip(weights).zip(out) {
            let bin = (word >> (32 - BIN_BITS)) as usize;
            *in_bin = bin as u8;
            *out = axis.starts[bin].add(axis.widths[bin].mul(T::fraction(word << BIN_BITS)));
            *weight = weight.mul(axis.weights[bin]);
        }
    }
}

struct Weigh<'a, T> {
    per: [f64; 2],
    weights: &'a [T],
    bins: &'a [[u8; LANES]],
    lanes: Range<usize>,
    counts: &'a mut [[u64; BINS]],
    values: &'a mut [T],
}

impl<T: Sample> Kernel for Weigh<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        let Self { per, weights, bins, lanes, counts, values } = self;
        let mut squares = [0; LANES];
        for ((value, &weight), square) in values.iter_mut().zip(weights).zip(&mut squares) {
            *value = value.mul(weight).canonical();
            *square = counted(value.widen(), per);
        }
        for (bins, counts) in bins.iter().zip(counts) {
            for (&bin, &square) in bins[lanes.clone()].iter().zip(&squares) {
                // The remainder changes nothing but tells that there is such a cell.
                counts[usize::from(bin) % BINS] += square;
            }
        }
    }
}
