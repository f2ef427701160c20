//! Where operands and results lie: host memory by the offsets of real numbers. A complex array counts twice as many.

use std::ops::Range;

use crate::array::HostVec;
use crate::plan::{ConvolvePlan, Parts};
use crate::view::{View, ViewMut, contiguous_strides};

/// Host memory by offsets in elements: those of every item along the leading axes, and the strides of the spatial ones.
pub(super) struct Layout {
    /// The first element.
    pub start: *mut u8,
    /// Bytes per (real) element.
    pub size: usize,
    /// Offsets of the real images of the part; of a layout of kernels, those of the kernels.
    pub images: Vec<isize>,
    /// Offsets of the real kernels of the part (outputs only).
    pub kernels: Vec<isize>,
    /// Offsets of the real channels (images) or of the channels (kernels); empty for outputs.
    pub channels: Vec<isize>,
    /// Strides along depth, height, width.
    pub strides: [isize; 3],
}

impl Layout {
    /// The element at an offset.
    pub(super) fn at(&self, offset: isize) -> *mut u8 {
        self.start.wrapping_offset(offset * self.size as isize)
    }

    /// The offsets of every channel of every image.
    pub(super) fn planes(&self) -> Vec<isize> {
        self.images.iter().flat_map(|image| self.channels.iter().map(move |channel| image + channel)).collect()
    }
}

/// The offsets of some items along leading axes.
fn offsets(items: Range<usize>, lengths: &[usize], strides: &[isize]) -> Vec<isize> {
    let offset = |mut index: usize| {
        let mut offset = 0;
        for (&n, &stride) in lengths.iter().zip(strides).rev() {
            offset += (index % n) as isize * stride;
            index /= n;
        }
        offset
    };
    items.map(offset).collect()
}

/// The strides of the last axes, padded to three, in real numbers.
fn spatial(strides: &[isize], rank: usize, parts: usize) -> [isize; 3] {
    let mut padded = [0; 3];
    padded[3 - rank..].copy_from_slice(&strides[strides.len() - rank..]);
    padded.map(|stride| stride * parts as isize)
}

/// Offsets of elements of `parts` real numbers as offsets of real numbers: of the first part, or of `each` part.
fn real(offsets: Vec<isize>, parts: usize, each: bool) -> Vec<isize> {
    let places = 0..if each { parts as isize } else { 1 };
    offsets.into_iter().flat_map(|offset| places.clone().map(move |place| offset * parts as isize + place)).collect()
}

/// The part's place in a window on the whole result.
pub(super) fn whole(plan: &ConvolvePlan, mut out: ViewMut<'_>) -> Layout {
    let (images, kernels) = (plan.image_lead.len(), plan.kernel_lead.len());
    let strides = out.strides().to_vec();
    let images_at = offsets(plan.images.clone(), &plan.image_lead, &strides[..images]);
    let kernels_at = offsets(plan.kernels.clone(), &plan.kernel_lead, &strides[images..images + kernels]);
    let layout = output(plan, out.as_mut_ptr(), images_at, kernels_at, &strides, plan.rank);
    let start = layout.at(plan.rows.start as isize * layout.strides[plan.row_axis()]);
    Layout { start, ..layout }
}

/// The part alone, C-contiguous.
pub(super) fn packed(plan: &ConvolvePlan, vec: &mut HostVec) -> Layout {
    let out = plan.part_output();
    let (images, kernels) = (plan.images.len(), plan.kernels.len());
    let shape = [images, kernels, out[0], out[1], out[2]];
    let strides = contiguous_strides(&shape);
    let images_at = offsets(0..images, &[images], &strides[..1]);
    let kernels_at = offsets(0..kernels, &[kernels], &strides[1..2]);
    output(plan, vec.view_mut(&[shape.iter().product()]).as_mut_ptr(), images_at, kernels_at, &strides, 3)
}

fn output(
    plan: &ConvolvePlan,
    start: *mut u8,
    images: Vec<isize>,
    kernels: Vec<isize>,
    strides: &[isize],
    rank: usize,
) -> Layout {
    let parts = plan.out_dtype.parts();
    Layout {
        start,
        size: plan.out_dtype.real().size(),
        images: real(images, parts, plan.parts() == Parts::Images),
        kernels: real(kernels, parts, plan.parts() == Parts::Kernels),
        channels: vec![],
        strides: spatial(strides, rank, parts),
    }
}

/// Offsets of the channels behind `lead` leading axes.
fn channels(plan: &ConvolvePlan, view: &View<'_>, lead: usize, count: usize) -> Vec<isize> {
    if plan.has_channels { offsets(0..count, &[count], &view.strides()[lead..=lead]) } else { vec![0] }
}

/// The part's kernels as a layout of their own.
pub(super) fn kernels(plan: &ConvolvePlan, kernel: &View<'_>) -> Layout {
    let (parts, lead) = (plan.kernel_dtype.parts(), plan.kernel_lead.len());
    Layout {
        start: kernel.as_ptr().cast_mut(),
        size: plan.kernel_dtype.real().size(),
        images: real(offsets(plan.kernels.clone(), &plan.kernel_lead, &kernel.strides()[..lead]), parts, false),
        kernels: vec![],
        channels: real(channels(plan, kernel, lead, plan.channels), parts, false),
        strides: spatial(kernel.strides(), plan.rank, parts),
    }
}

/// The part's images.
pub(super) fn images(plan: &ConvolvePlan, image: &View<'_>) -> Layout {
    let (parts, lead) = (plan.image_dtype.parts(), plan.image_lead.len());
    let images = offsets(plan.images.clone(), &plan.image_lead, &image.strides()[..lead]);
    Layout {
        start: image.as_ptr().cast_mut(),
        size: plan.image_dtype.real().size(),
        images: real(images, parts, plan.parts() == Parts::Images),
        kernels: vec![],
        channels: real(channels(plan, image, lead, plan.groups * plan.channels), parts, plan.channel_parts() == 2),
        strides: spatial(image.strides(), plan.rank, parts),
    }
}

/// The rows of every channel of the items of a layout: where each starts, its stride and its length.
pub(super) fn rows_of(layout: &Layout, lengths: [usize; 3]) -> impl Fn(usize) -> (*const u8, isize, usize) + Sync + use<> {
    let strides = layout.strides;
    let (items, per_item) = (layout.planes(), lengths[0] * lengths[1]);
    let (start, size) = (layout.start as usize, layout.size);
    move |row: usize| {
        let (z, y) = (row % per_item / lengths[1], row % lengths[1]);
        let offset = items[row / per_item] + z as isize * strides[0] + y as isize * strides[1];
        ((start as *const u8).wrapping_offset(offset * size as isize), strides[2], lengths[2])
    }
}
