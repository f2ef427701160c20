//! Range analysis: how large the operands are, and so the results can become.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::dots::{self, Values};
use super::{layout, number, pack};
use crate::cpu::simd::Simd;
use crate::cpu::tasks;
use crate::plan::{Accumulator, ConvolvePlan};
use crate::view::View;
use crate::{Control, Result};

/// Multiply-adds per pixel from which it pays to read the image for the sake of a faster arithmetic.
const WORTH_READING: usize = 32;

/// Bounds on integer operands.
pub(super) struct Ranges {
    /// An upper bound of the magnitude of every result: the largest magnitude of the image times the largest sum of a
    /// kernel's magnitudes.
    pub reach: u128,
    /// The image's values, boundary included.
    pub image: Values,
    /// The kernels' values.
    pub weights: Values,
}

/// The ranges of the part's operands. The image is read only if its dtype alone would ask for dearer arithmetic.
pub(super) fn analyse(plan: &ConvolvePlan, image: &View<'_>, kernel: &View<'_>, simd: Simd, control: &Control) -> Result<Ranges> {
    let layout = layout::kernels(plan, kernel);
    let rows = layout.channels.len() * plan.kernel[0] * plan.kernel[1];
    let row = layout::rows_of(&layout, plan.kernel);
    let mut weights = Values { magnitude: 0, negative: false };
    let mut weight = 0u128;
    for k in 0..layout.images.len() {
        let mut sum = 0u128;
        for j in 0..rows {
            let (start, stride, n) = row(k * rows + j);
            // SAFETY: a row of a kernel of the view.
            unsafe {
                sum = sum.saturating_add(pack::sum_of_magnitudes(plan.kernel_dtype, start, stride, n));
                weights = weights.and(pack::values(simd, plan.kernel_dtype, start, stride, n));
            }
        }
        weight = weight.max(sum);
    }

    let fill = plan.boundary.iter().map(|b| b.fill() as i128).fold(Values { magnitude: 0, negative: false }, |values, fill| {
        values.and(Values { magnitude: fill.unsigned_abs(), negative: fill < 0 })
    });
    let bound = number::bound(plan.image_dtype).unwrap_or(0);
    let negative = plan.image_dtype.integer_range().is_some_and(|(low, _)| low < 0);
    let ranges = |image: Values| Ranges { reach: weight.saturating_mul(image.magnitude), image, weights };
    let known = ranges(Values { magnitude: bound, negative });
    let cheap = plan.accumulator(known.reach) == Accumulator::F32 && plan.always_fits(known.reach);
    let taps = plan.kernel.iter().product::<usize>() * plan.kernels.len();
    let faster = plan.is_plain() && taps >= WORTH_READING && bound > 255 && dots::possible(simd, weights);
    if cheap && !faster {
        return Ok(known);
    }
    let layout = layout::images(plan, image);
    let row = layout::rows_of(&layout, plan.image);
    let count = layout.planes().len() * plan.image[0] * plan.image[1];
    let together = ((1 << 16) / plan.image[2]).max(1);
    let (magnitude, negative) = (AtomicU64::new(0), AtomicBool::new(false));
    tasks::for_each(count, together, &|i| {
        if i.is_multiple_of(together) {
            control.check()?;
        }
        let (start, stride, n) = row(i);
        // SAFETY: a row of an image of the view.
        let values = unsafe { pack::values(simd, plan.image_dtype, start, stride, n) };
        // No magnitude of an element is larger than 2^64 - 1.
        magnitude.fetch_max(values.magnitude.try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
        negative.fetch_or(values.negative, Ordering::Relaxed);
        Ok(())
    })?;
    Ok(ranges(fill.and(Values { magnitude: magnitude.into_inner().into(), negative: negative.into_inner() })))
}
