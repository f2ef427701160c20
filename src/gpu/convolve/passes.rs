//! Kernels of low rank: every one as a separable filter of a few terms, columns first.

use std::ops::Range;

use super::Work;
use super::chunk::{Axis, Chunk};
use super::shader::Sums;
use crate::gpu::memory::{Block, Gathered};
use crate::gpu::separable;
use crate::plan::low_rank::Terms;
use crate::plan::{Boundary, Combine, Pass, SeparablePlan};
use crate::{Dtype, Result};

impl Work<'_> {
    /// Makes the sums of a chunk by the passes of `terms`, those of the whole bank.
    pub(super) fn passes(&self, chunk: &Chunk, axes: &[Axis; 3], images: Gathered, terms: &[Terms], raw: &Block) -> Result<()> {
        let (context, plan) = (self.context, self.plan);
        let double = self.sums == Sums::F64;
        let number = if double { Dtype::F64 } else { Dtype::F32 };
        let quiet = self.control.quiet();
        let [depth, height, width] = chunk.region.each_ref().map(Range::len);
        let pass = |axis: usize, weights: &[f64], output: usize| Pass {
            axis: axis + 1,
            weights: weights.to_vec(),
            start: axes[axis].start as isize,
            output,
            boundary: axes[axis].continued(plan.boundary[axis]),
        };
        let mut input = vec![chunk.images.len(), axes[0].length, axes[1].length, axes[2].length];
        let mut source = (images, plan.image_dtype);
        // Sums down a constant other than zero differ from row to row: it is put beside the image first.
        let beside = axes[2].continued(plan.boundary[2]).fill() != 0.0;
        let mut first = vec![pass(0, &[1.0], depth)];
        if beside {
            first.push(pass(2, &[1.0], width + plan.kernel[2] - 1));
        }
        if !first.iter().all(|pass| pass.is_identity(input[pass.axis])) {
            let prepared = plan_of(vec![first], source.1, number, input);
            let block = context.block((prepared.outputs() * number.size()) as u64)?;
            separable::sums(context, &prepared, source.0, &block, &quiet)?;
            input = prepared.shape;
            source = (Gathered { block, offset: 0 }, number);
        }
        let along = |weights: &[f64]| match beside {
            true => Pass { axis: 3, weights: weights.to_vec(), start: 0, output: width, boundary: Boundary::ZERO },
            false => pass(2, weights, width),
        };

        let words = number.size() as u64;
        let image = (depth * height * width) as u64 * words;
        let alone = chunk.kernels.len() == 1;
        let result = if alone { raw.clone() } else { context.block(chunk.images.len() as u64 * image)? };
        for (at, kernel) in chunk.kernels.clone().enumerate() {
            let passes = |(column, row): &(Vec<f64>, Vec<f64>)| vec![pass(1, column, height), along(row)];
            // Banks are padded with terms of zeros.
            let count = terms[kernel].iter().filter(|(column, _)| column.iter().any(|&w| w != 0.0)).count().max(1);
            let filter = plan_of(terms[kernel][..count].iter().map(passes).collect(), source.1, number, input.clone());
            separable::sums(context, &filter, source.0.clone(), &result, &quiet)?;
            for n in (0..chunk.images.len() as u64).filter(|_| !alone) {
                let to = (n * chunk.kernels.len() as u64 + at as u64) * image;
                context.copy(&result, n * image..(n + 1) * image, raw, to)?;
            }
        }
        Ok(())
    }
}

/// A filter of an array of four axes.
fn plan_of(terms: Vec<Vec<Pass>>, in_dtype: Dtype, out_dtype: Dtype, input: Vec<usize>) -> SeparablePlan {
    let mut shape = input.clone();
    for pass in terms.iter().flatten() {
        shape[pass.axis] = pass.output;
    }
    SeparablePlan { in_dtype, out_dtype, input, shape, terms, combine: Combine::Sum }
}
