//! Where the elements come from: pieces of device memory that one dispatch can take.

use std::ops::Range;
use std::sync::Arc;

use super::geometry::{Layout, Region, regions};
use crate::array::HostVec;
use crate::engine::Input;
use crate::gpu::arrange::Walk;
use crate::gpu::context::Context;
use crate::gpu::memory::{Block, GpuBuffer};
use crate::plan::ReducePlan;
use crate::view::View;
use crate::{Control, Result};

/// The operand.
pub(super) enum Source<'a> {
    /// In host memory: every piece is uploaded.
    Host(View<'a>),
    /// On this device.
    Resident(&'a GpuBuffer),
    /// On this device, with steps along the plan's axes: 0 where its elements repeat.
    Spread(GpuBuffer, Vec<u64>),
}

/// A part of the operand and the results that it contributes to.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    /// Where it is.
    pub(super) region: Region,
    /// Its axes.
    pub(super) layout: Layout,
    /// Of device memory, the segment's block and the first element in it.
    pub(super) place: Option<(Block, u64)>,
    /// The first of its results to compute, and how many.
    pub(super) results: Range<u64>,
    /// Where they lie among the results of the tile.
    pub(super) at: u64,
    /// The index of its first element in each result's reduction.
    pub(super) base: u64,
}

impl Piece {
    /// The number of elements to read.
    pub(super) fn len(&self) -> u64 {
        (self.results.end - self.results.start) * self.layout.len()
    }
}

impl<'a> Source<'a> {
    /// The source of an operand that is broadcast to the plan's input; one on another device comes over through `scratch`.
    pub(super) fn of(
        input: &'a Input<'_>,
        context: &Arc<Context>,
        plan: &ReducePlan,
        scratch: &'a mut Option<HostVec>,
    ) -> Result<Self> {
        let whole = input.shape() == plan.input;
        let spread = |buffer: GpuBuffer| {
            let (shape, mut step) = (input.shape(), 1);
            let mut steps = vec![0; plan.input.len()];
            for (to, &n) in steps.iter_mut().rev().zip(shape.iter().rev()) {
                *to = if n == 1 { 0 } else { step };
                step *= n as u64;
            }
            Self::Spread(buffer, steps)
        };
        Ok(match input {
            Input::Gpu { buffer, .. } if buffer.belongs_to(context) && whole => Self::Resident(buffer),
            Input::Gpu { buffer, .. } if buffer.belongs_to(context) => spread((*buffer).clone()),
            _ => {
                let view = input.host(scratch)?;
                let small = (view.len() * view.dtype().size()) as u64 <= context.share(8);
                match view.broadcast(&plan.input) {
                    Some(all) if whole || !small => Self::Host(all),
                    _ => spread(context.upload_view(&view, &Control::new())?),
                }
            }
        })
    }

    /// Whether it lies in host memory.
    pub(super) fn is_host(&self) -> bool {
        matches!(self, Self::Host(_))
    }

    /// The pieces that the results in `tile` depend on, of at most `most` elements each (one more where that is too few),
    /// such that `fits` holds for their layouts.
    pub(super) fn pieces(&self, plan: &ReducePlan, tile: Range<u64>, most: u64, fits: &dyn Fn(&Layout) -> bool) -> Vec<Piece> {
        let accept = |part: &Region| {
            let layout = Layout::of(plan, &part.lens);
            part.len() <= most && layout.fits() && fits(&layout)
        };
        let reduced = |axis: usize| plan.reduced.contains(&axis);
        let mut parts = Vec::new();
        let mut found = Vec::new();
        let mut add = |part: &Region, place: Option<(Block, u64)>| {
            let layout = Layout::of(plan, &part.lens);
            let first = part.start(&plan.input, |axis| !reduced(axis));
            let (from, to) = (tile.start.max(first), tile.end.min(first + layout.results()));
            if from < to {
                let base = part.start(&plan.input, reduced);
                let region = part.clone();
                found.push(Piece { region, layout, place, results: from - first..to - first, at: from - tile.start, base });
            }
        };
        match self {
            Self::Host(_) | Self::Spread(..) => {
                // The tile's part of the operand, cut into uploads: its own elements only.
                let kept: Vec<usize> = plan.kept.iter().map(|&axis| plan.input[axis]).collect();
                for tile in regions(&kept, tile.clone()) {
                    let mut region = Region::whole(&plan.input);
                    for (i, &axis) in plan.kept.iter().enumerate() {
                        (region.at[axis], region.lens[axis]) = (tile.at[i], tile.lens[i]);
                    }
                    region.cut(most, &accept, &mut parts);
                }
                parts.iter().for_each(|part| add(part, None));
            }
            Self::Resident(buffer) => {
                let (size, mut start) = (plan.dtype.size() as u64, 0);
                for segment in buffer.segments() {
                    let end = start + segment.bytes / size;
                    for region in regions(&plan.input, start..end) {
                        region.cut(most, &accept, &mut parts);
                    }
                    for part in parts.drain(..) {
                        let offset = part.start(&plan.input, |_| true) - start;
                        add(&part, Some((segment.block.clone(), offset)));
                    }
                    start = end;
                }
            }
        }
        found
    }
}

/// A walk over the elements of `region` of an array with these steps along its axes.
pub(super) fn walk(steps: &[u64], region: &Region) -> Option<Walk> {
    let first = region.at.iter().zip(steps).map(|(&at, step)| at as u64 * step).sum();
    Walk::new(region.lens.iter().zip(steps).map(|(&n, &step)| (n as u64, step)), first)
}

/// The elements of a host array in `region`.
pub(super) fn window<'v>(view: &View<'v>, region: &Region) -> View<'v> {
    (0..region.at.len()).fold(view.clone(), |view, axis| view.narrow(axis, region.at[axis]..region.at[axis] + region.lens[axis]))
}
