//! Cutting a convolution into chunks that fit the device's buffers, and what each reads of its images.

use std::ops::Range;

use crate::plan::{Boundary, ConvolvePlan};

/// Outputs that are computed together: boxes of the same place in every output of a range of images and kernels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chunk {
    /// Images of the plan.
    pub(super) images: Range<usize>,
    /// Kernels of the plan.
    pub(super) kernels: Range<usize>,
    /// Along each axis, the outputs.
    pub(super) region: [Range<usize>; 3],
}

impl Chunk {
    /// The number of outputs.
    pub(super) fn outputs(&self) -> u64 {
        (self.images.len() * self.kernels.len()) as u64 * volume(&self.region)
    }
}

/// What one chunk may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caps {
    /// Outputs.
    pub(super) outputs: u64,
    /// Outputs of one image with one kernel.
    pub(super) region: u64,
    /// Elements of images.
    pub(super) image: u64,
    /// Kernels.
    pub(super) kernels: usize,
}

/// What of an image lies in the device's block, along one axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Axis {
    pub(super) source: Source,
    /// Elements in the block.
    pub(super) length: usize,
    /// Where, in the block, tap 0 of the region's output 0 reads.
    pub(super) start: i32,
    /// The boundary's number in the shader.
    pub(super) boundary: u32,
}

/// Indices of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// These; the shader resolves what lies beyond.
    Range(Range<usize>),
    /// These one after the other: the boundary is resolved already.
    List(Vec<usize>),
}

impl Axis {
    /// What `outputs` along `axis` read. `whole`: take the axis whole if that is possible.
    pub(super) fn new(plan: &ConvolvePlan, axis: usize, outputs: &Range<usize>, whole: bool) -> Self {
        let (n, boundary) = (plan.image[axis], plan.boundary[axis]);
        let number = match boundary {
            Boundary::Constant(_) | Boundary::ConstantComplex(..) => 0,
            Boundary::Reflect => 1,
            Boundary::Nearest => 2,
            Boundary::Mirror => 3,
            Boundary::Wrap => 4,
        };
        // Positions of the extended line that are read.
        let stride = plan.stride[axis];
        let first = (outputs.start * stride) as isize + plan.start[axis];
        let last = first + ((outputs.len() - 1) * stride + (plan.kernel[axis] - 1) * plan.dilation[axis]) as isize;
        let hull = if whole { 0..n } else { hull(boundary, first, last, n) };
        let inside = first >= 0 && last < n as isize;
        // A part of the line continues as the line does, but around its own ends.
        let continues = inside || hull == (0..n) || boundary != Boundary::Wrap;
        let extended = (last - first + 1) as usize;
        if continues && (whole || hull.len() <= extended) {
            let start = (first - hull.start as isize) as i32;
            return Self { length: hull.len(), source: Source::Range(hull), start, boundary: number };
        }
        let list: Vec<usize> = (first..=last).map(|i| boundary.source(i, n).unwrap_or(0)).collect();
        Self { length: list.len(), source: Source::List(list), start: 0, boundary: 0 }
    }

    /// How the block continues beyond its ends, in an image with this boundary.
    pub(super) fn continued(&self, boundary: Boundary) -> Boundary {
        match (&self.source, self.boundary) {
            (Source::List(_), _) => Boundary::ZERO,
            (_, 0) => boundary,
            (_, 1) => Boundary::Reflect,
            (_, 2) => Boundary::Nearest,
            (_, 3) => Boundary::Mirror,
            _ => Boundary::Wrap,
        }
    }

    /// The index of the image at `i` of the block.
    pub(super) fn at(&self, i: usize) -> usize {
        match &self.source {
            Source::Range(range) => range.start + i,
            Source::List(list) => list[i],
        }
    }
}

/// The smallest range of indices with all that the positions `first..=last` of the extended line read.
pub(super) fn hull(boundary: Boundary, first: isize, last: isize, n: usize) -> Range<usize> {
    let len = n as isize;
    let (mut lo, mut hi) = (first.max(0), last.min(len - 1));
    if first < 0 || last >= len {
        // How far the positions lie outside, before and behind.
        let (before, behind) = ((-first).max(0), (last - len + 1).max(0));
        match boundary {
            Boundary::Constant(_) | Boundary::ConstantComplex(..) => {}
            Boundary::Nearest => {
                (lo, hi) = (first.clamp(0, len - 1), last.clamp(0, len - 1));
            }
            Boundary::Wrap => (lo, hi) = (0, len - 1),
            Boundary::Reflect | Boundary::Mirror => {
                if before > 0 {
                    (lo, hi) = (0, hi.max(before));
                }
                if behind > 0 {
                    (lo, hi) = (lo.min(len - 1 - behind), len - 1);
                }
                if lo < 0 || hi >= len {
                    (lo, hi) = (0, len - 1);
                }
            }
        }
    }
    // Nothing but the constant is read: one element keeps the block from being empty.
    let lo = lo.clamp(0, len - 1);
    lo as usize..hi.clamp(lo, len - 1) as usize + 1
}

/// The elements of the batch that lie in the axes' ranges, if they lie in one piece.
pub(super) fn contiguous(plan: &ConvolvePlan, images: &Range<usize>, axes: &[Axis; 3]) -> Option<Range<usize>> {
    let planes = plan.groups * plan.channels;
    let mut range = images.start * planes..images.end * planes;
    for (axis, &n) in axes.iter().zip(&plan.image) {
        let Source::Range(part) = &axis.source else { return None };
        if part.len() == n {
            range = range.start * n..range.end * n;
        } else if range.len() == 1 {
            range = range.start * n + part.start..range.start * n + part.end;
        } else {
            return None;
        }
    }
    Some(range)
}

fn volume(region: &[Range<usize>; 3]) -> u64 {
    region.iter().map(|range| range.len() as u64).product()
}

/// Elements of one image, all its channels, that a region reads, at most.
fn image_volume(plan: &ConvolvePlan, region: &[Range<usize>; 3], whole: bool) -> u64 {
    let plane: u64 = (0..3).map(|axis| Axis::span(plan, axis, region[axis].len(), whole)).product();
    plane * (plan.groups * plan.channels) as u64
}

/// Elements of one image that one output reads, at most.
pub(super) fn least_image(plan: &ConvolvePlan) -> u64 {
    image_volume(plan, &[0..1, 0..1, 0..1], false)
}

impl Axis {
    /// An upper bound of the length of the axis for `outputs` outputs.
    fn span(plan: &ConvolvePlan, axis: usize, outputs: usize, whole: bool) -> u64 {
        let n = plan.image[axis];
        let read = outputs.saturating_sub(1) * plan.stride[axis] + (plan.kernel[axis] - 1) * plan.dilation[axis] + 1;
        (if whole { n } else { n.min(read) }) as u64
    }
}

/// Cuts the part into chunks. In `order`, their results lie one after the other as those of the part do (C order); else the
/// kernels come last, so that an image is moved once.
pub(super) fn chunks(plan: &ConvolvePlan, caps: Caps, whole: bool, order: bool) -> Vec<Chunk> {
    let mut region = plan.output.map(|n| 0..n);
    region[plan.row_axis()] = plan.rows.clone();
    let (images, kernels) = (plan.images.clone(), plan.kernels.clone());
    let each = |range: &Range<usize>, step: usize| -> Vec<Range<usize>> {
        let (range, step) = (range.clone(), step.max(1));
        range.clone().step_by(step).map(|at| at..range.end.min(at + step)).collect()
    };
    let (outputs, image) = (volume(&region), image_volume(plan, &region, whole));
    let mut chunks = vec![];
    if outputs <= caps.outputs.min(caps.region) && image <= caps.image {
        let step = kernels.len().min(caps.kernels).min((caps.outputs / outputs) as usize).max(1);
        let together = if step < kernels.len() {
            1
        } else {
            (caps.outputs / (outputs * kernels.len() as u64)).min(caps.image / image.max(1)) as usize
        };
        for images in each(&images, together) {
            for kernels in each(&kernels, step) {
                chunks.push(Chunk { images: images.clone(), kernels, region: region.clone() });
            }
        }
        return chunks;
    }
    let mut regions = vec![];
    cut(plan, caps, whole, region, &mut regions);
    for images in each(&images, 1) {
        if order {
            for kernels in each(&kernels, 1) {
                let one = |region: &[Range<usize>; 3]| Chunk {
                    images: images.clone(),
                    kernels: kernels.clone(),
                    region: region.clone(),
                };
                chunks.extend(regions.iter().map(one));
            }
        } else {
            for region in &regions {
                let step = caps.kernels.min((caps.outputs / volume(region).max(1)) as usize);
                for kernels in each(&kernels, step) {
                    chunks.push(Chunk { images: images.clone(), kernels, region: region.clone() });
                }
            }
        }
    }
    chunks
}

/// Cuts a region along its first axis that can be cut, until every piece fits.
fn cut(plan: &ConvolvePlan, caps: Caps, whole: bool, region: [Range<usize>; 3], out: &mut Vec<[Range<usize>; 3]>) {
    let most = caps.outputs.min(caps.region);
    let fits = |region: &[Range<usize>; 3]| volume(region) <= most && image_volume(plan, region, whole) <= caps.image;
    let axis = region.iter().position(|range| range.len() > 1);
    let (false, Some(axis)) = (fits(&region), axis) else { return out.push(region) };
    let piece = |start: usize, length: usize| {
        let mut piece = region.clone();
        piece[axis] = start..region[axis].end.min(start + length);
        piece
    };
    // The most outputs along the axis that fit; 1 if none do, to be cut along the next.
    let (mut most, mut too_many) = (1, region[axis].len());
    while too_many - most > 1 {
        let middle = most + (too_many - most) / 2;
        if fits(&piece(region[axis].start, middle)) { most = middle } else { too_many = middle }
    }
    for start in region[axis].clone().step_by(most) {
        let piece = piece(start, most);
        if piece[axis].len() == region[axis].len() { out.push(piece) } else { cut(plan, caps, whole, piece, out) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dtype;
    use crate::plan::{Convolve, Direction};

    fn plan(how: Convolve, image: &[usize], kernel: &[usize]) -> ConvolvePlan {
        ConvolvePlan::new(&how, Direction::Correlate, (Dtype::F32, image), (Dtype::F32, kernel)).unwrap()
    }

    /// The boundary as the shader resolves it.
    fn resolve(boundary: u32, i: isize, n: usize) -> Option<usize> {
        let boundary =
            [Boundary::ZERO, Boundary::Reflect, Boundary::Nearest, Boundary::Mirror, Boundary::Wrap][boundary as usize];
        boundary.source(i, n)
    }

    #[test]
    fn a_block_reads_as_the_extended_image_does() {
        for boundary in [Boundary::ZERO, Boundary::Reflect, Boundary::Nearest, Boundary::Mirror, Boundary::Wrap] {
            for (n, k) in [(1, 1), (1, 9), (2, 5), (7, 3), (5, 12), (40, 9), (40, 90)] {
                for how in [Convolve::d1().boundary(boundary), Convolve::d1().same().boundary(boundary)] {
                    let plan = plan(how, &[n], &[k]);
                    let outputs = plan.output[2];
                    for (from, to) in [(0, outputs), (0, 1), (outputs - 1, outputs), (outputs / 3, outputs / 2 + 1)] {
                        for whole in [false, true] {
                            let axis = Axis::new(&plan, 2, &(from..to), whole);
                            for i in 0..(to - from) + k - 1 {
                                let expected = boundary.source((from + i) as isize + plan.start[2], n);
                                let found = resolve(axis.boundary, i as isize + axis.start as isize, axis.length);
                                let found = found.map(|i| axis.at(i));
                                assert_eq!(found, expected, "{boundary:?} {n} {k} {from}..{to} {i} {axis:?}");
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn chunks_cover_every_output_once_and_fit() {
        let whole = plan(Convolve::d3(), &[3, 4, 9, 11], &[5, 2, 3, 4]);
        let part = whole.part(1..3, 1..4, 1..4);
        for plan in [whole, part] {
            for outputs in [1, 7, 14, 100, 400, 3000, 1_000_000] {
                for image in [24, 100, 300, 1000, 100_000] {
                    for order in [false, true] {
                        let caps = Caps { outputs, region: outputs, image, kernels: 2 };
                        let chunks = chunks(&plan, caps, false, order);
                        let mut places = vec![];
                        for chunk in &chunks {
                            assert!(chunk.outputs() <= outputs, "{chunk:?}");
                            assert!(image_volume(&plan, &chunk.region, false) * chunk.images.len() as u64 <= image, "{chunk:?}");
                            for n in chunk.images.clone() {
                                for k in chunk.kernels.clone() {
                                    for z in chunk.region[0].clone() {
                                        for y in chunk.region[1].clone() {
                                            places.extend(chunk.region[2].clone().map(|x| [n, k, z, y, x]));
                                        }
                                    }
                                }
                            }
                        }
                        let given = places.clone();
                        places.sort_unstable();
                        assert!(!order || given == places);
                        places.dedup();
                        assert_eq!(places.len(), plan.outputs());
                        assert_eq!(given.len(), plan.outputs());
                    }
                }
            }
        }
    }
}
