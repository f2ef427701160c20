//! Exact results output by output, straight from the operands: for 64-bit integers beside floats.

use super::super::layout::{self, Layout};
use crate::cpu::tasks;
use crate::exact::dot::{ExactDot, Factor};
use crate::plan::ConvolvePlan;
use crate::view::View;
use crate::{Control, Dtype, Result};

/// Runs an exact plan of any dtypes.
pub(super) fn run(plan: &ConvolvePlan, image: &View<'_>, kernel: &View<'_>, output: &Layout, control: &Control) -> Result<()> {
    let weights = weights(plan, kernel);
    let images = layout::images(plan, image);
    let slow = Slow { plan, images: &images, output, weights: &weights };
    let [depth, height, _] = plan.part_output();
    let rows = output.images.len() * output.kernels.len() * depth * height;
    tasks::for_each(rows, 1, &|row| {
        control.check()?;
        // SAFETY: a row of outputs of its own.
        unsafe { slow.row(row) };
        control.advance(plan.work() / rows as u64);
        Ok(())
    })
}

/// The part's weights, real kernel by real kernel, in the order of the taps.
fn weights(plan: &ConvolvePlan, kernel: &View<'_>) -> Vec<Factor> {
    let layout = layout::kernels(plan, kernel);
    let mut weights = Vec::new();
    for k in 0..layout.images.len() * plan.kernel_parts() {
        for c in 0..plan.sum_channels() {
            let (part, negated) = plan.weight_part(k, c);
            let first = layout.images[k / plan.kernel_parts()] + layout.channels[c / plan.channel_parts()] + part as isize;
            for place in places(plan.kernel) {
                let last = |axis: usize, i: usize| if plan.reversed { plan.kernel[axis] - 1 - i } else { i };
                let offset: isize = (0..3).map(|axis| last(axis, place[axis]) as isize * layout.strides[axis]).sum();
                // SAFETY: a tap of a kernel of the view.
                let weight = unsafe { read(plan.kernel_dtype, layout.at(first + offset)) };
                weights.push(if negated { -weight } else { weight });
            }
        }
    }
    weights
}

fn places([depth, height, width]: [usize; 3]) -> impl Iterator<Item = [usize; 3]> {
    (0..depth).flat_map(move |z| (0..height).flat_map(move |y| (0..width).map(move |x| [z, y, x])))
}

struct Slow<'a> {
    plan: &'a ConvolvePlan,
    images: &'a Layout,
    output: &'a Layout,
    weights: &'a [Factor],
}

// SAFETY: the image is only read, and every row of outputs is written once.
unsafe impl Sync for Slow<'_> {}

impl Slow<'_> {
    /// Row `row` of the part's real outputs.
    ///
    /// # Safety
    /// Nobody else may write the row.
    unsafe fn row(&self, row: usize) {
        let Self { plan, images, output, weights } = *self;
        let [depth, height, width] = plan.part_output();
        let (plane, y) = (row / height, row % height);
        let (item, z) = (plane / depth, plane % depth);
        let (image, kernel) = (item / output.kernels.len(), item % output.kernels.len());
        let taps = plan.sum_channels() * plan.kernel.iter().product::<usize>();
        let share = plan.group_kernels().max(1);
        let channels = (plan.kernels.start * plan.kernel_parts() + kernel) / share * plan.sum_channels();
        let weights = &weights[kernel * taps..][..taps];
        let mut first = [z, y, 0].map(|i| i as isize);
        first[plan.row_axis()] += plan.rows.start as isize;
        for x in 0..width {
            let mut sum = ExactDot::new();
            let taps = (0..plan.sum_channels()).flat_map(|c| places(plan.kernel).map(move |place| (c, place)));
            for ((c, place), &weight) in taps.zip(weights) {
                let mut offset = images.images[image] + images.channels[channels + c];
                let imaginary = (plan.channel_parts() == 2 && c % 2 == 1) || (plan.image_parts() == 2 && image % 2 == 1);
                // Where an element is outside along several axes, the first decides.
                let mut outside = None;
                for axis in 0..3 {
                    let at = first[axis] + if axis == 2 { x as isize } else { 0 };
                    let tap = place[axis] * plan.dilation[axis];
                    let at = at * plan.stride[axis] as isize + tap as isize + plan.start[axis];
                    match plan.boundary[axis].source(at, plan.image[axis]) {
                        Some(i) => offset += i as isize * images.strides[axis],
                        None => {
                            let boundary = plan.boundary[axis];
                            outside = outside.or(Some(if imaginary { boundary.fill_imaginary() } else { boundary.fill() }));
                        }
                    }
                }
                let element = match outside {
                    Some(fill) if plan.image_dtype.real() == Dtype::F32 => f64::from(fill as f32).into(),
                    Some(fill) => fill.into(),
                    // SAFETY: an element of the image.
                    None => unsafe { read(plan.image_dtype, images.at(offset)) },
                };
                sum.add(element, weight);
            }
            let at = output.images[image]
                + output.kernels[kernel]
                + z as isize * output.strides[0]
                + y as isize * output.strides[1]
                + x as isize * output.strides[2];
            // SAFETY: an output of this row.
            unsafe { write(plan.out_dtype, output.at(at), &sum) };
        }
    }
}

/// # Safety
/// An element of `dtype` must be readable there.
unsafe fn read(dtype: Dtype, at: *const u8) -> Factor {
    // SAFETY: the caller's promise.
    unsafe {
        match dtype {
            Dtype::Bool | Dtype::U8 => i128::from(at.read()).into(),
            Dtype::I8 => i128::from(at.cast::<i8>().read()).into(),
            Dtype::U16 => i128::from(at.cast::<u16>().read()).into(),
            Dtype::I16 => i128::from(at.cast::<i16>().read()).into(),
            Dtype::U32 => i128::from(at.cast::<u32>().read()).into(),
            Dtype::I32 => i128::from(at.cast::<i32>().read()).into(),
            Dtype::U64 => i128::from(at.cast::<u64>().read()).into(),
            Dtype::I64 => i128::from(at.cast::<i64>().read()).into(),
            Dtype::F32 | Dtype::C64 => f64::from(at.cast::<f32>().read()).into(),
            Dtype::F64 | Dtype::C128 => at.cast::<f64>().read().into(),
        }
    }
}

/// # Safety
/// An element of `dtype` must be writable there.
unsafe fn write(dtype: Dtype, at: *mut u8, sum: &ExactDot) {
    macro_rules! integer {
        ($type:ty) => {
            at.cast::<$type>().write(sum.to_integer().clamp(<$type>::MIN.into(), <$type>::MAX.into()) as $type)
        };
    }
    // SAFETY: the caller's promise.
    unsafe {
        match dtype {
            Dtype::Bool => at.cast::<bool>().write(sum.is_nonzero()),
            Dtype::U8 => integer!(u8),
            Dtype::I8 => integer!(i8),
            Dtype::U16 => integer!(u16),
            Dtype::I16 => integer!(i16),
            Dtype::U32 => integer!(u32),
            Dtype::I32 => integer!(i32),
            Dtype::U64 => integer!(u64),
            Dtype::I64 => integer!(i64),
            Dtype::F32 | Dtype::C64 => at.cast::<f32>().write(sum.to_f32()),
            Dtype::F64 | Dtype::C128 => at.cast::<f64>().write(sum.to_f64()),
        }
    }
}
