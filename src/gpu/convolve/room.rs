//! How much of everything a plan may have on the device at a time: what buffers and bindings hold, and what the caller allows.

use super::chunk::{self, Caps};
use super::pack::Weights;
use super::shader::Sums;
use super::{MOST_ELEMENTS, PIECE};
use crate::gpu::context::Context;
use crate::plan::ConvolvePlan;
use crate::{Error, Result};

/// Bytes of flags, tables and the like, and what small buffers are rounded up by.
const SUNDRIES: u64 = 4 << 10;
/// Blocks that Fourier transforms and passes of terms hold at once, each of a part of the scratch.
const SCRATCH_BLOCKS: u64 = 8;

/// What is asked of a plan's room.
#[derive(Debug, Clone, Copy)]
pub(super) struct Demand<'a> {
    pub(super) context: &'a Context,
    pub(super) plan: &'a ConvolvePlan,
    pub(super) sums: Sums,
    /// Whether the sums are the result as they are.
    pub(super) direct: bool,
    /// Whether four kernels are packed together.
    pub(super) bank: bool,
    pub(super) to_host: bool,
    /// Whether sums are made by an algorithm with blocks of its own.
    pub(super) indirect: bool,
    /// Bytes of each of these blocks at least.
    pub(super) least_scratch: u64,
    /// Bytes of a block.
    pub(super) most: u64,
}

/// What a plan may have on the device.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) caps: Caps,
    /// Chunks on their way at a time.
    pub(super) places: usize,
    /// Bytes of each block of an algorithm's own.
    pub(super) scratch: u64,
}

impl Demand<'_> {
    /// The room of a plan whose memory nobody limits.
    pub(super) fn unlimited(&self) -> Room {
        let Self { plan, sums, most, .. } = *self;
        let (out_parts, image_parts) = (plan.out_dtype.parts() as u64, plan.image_dtype.parts() as u64);
        let element = (4 * sums.words() * out_parts).max(plan.out_dtype.size() as u64);
        let caps = Caps {
            outputs: (if self.to_host { most.min(PIECE) } else { most } / element).clamp(1, MOST_ELEMENTS / out_parts),
            region: u64::MAX,
            image: (most.saturating_sub(64) / plan.image_dtype.size() as u64).clamp(1, MOST_ELEMENTS / image_parts),
            // Fast FIR filters have up to 2.25 times the weights, and vectors of them.
            kernels: (most / 8 / Weights::packed_bytes(plan, sums).max(1)).max(1) as usize,
        };
        Room { caps, places: 2, scratch: most }
    }

    /// Bytes of a result that stays on the device.
    fn kept(&self) -> u64 {
        let bytes = (self.plan.outputs() * self.plan.out_dtype.size()) as u64;
        if self.to_host { 0 } else { bytes + bytes / 8 + SUNDRIES }
    }

    /// Whether a result that stays on the device would leave too little of a limit for the work.
    pub(super) fn is_too_large_to_keep(&self, limit: u64) -> bool {
        self.kept() > limit / 2
    }

    /// The room within a limit.
    pub(super) fn within(&self, limit: u64) -> Result<Room> {
        let Self { context, plan, .. } = *self;
        self.fitting(limit).ok_or_else(|| match context.least_limit(limit, |limit| self.fitting(limit).is_some()) {
            Some(enough) => context.needs(limit, enough, &format!("one output of this {}", plan.name())),
            None => {
                let expected = format!("one whose blocks fit {}: at most {} bytes", context.id, self.most);
                Error::invalid("algorithm", plan.algorithm, expected)
            }
        })
    }

    fn fitting(&self, limit: u64) -> Option<Room> {
        let Self { context, plan, sums, .. } = *self;
        let unlimited = self.unlimited();
        let fixed = context.staging_bytes(limit) + self.kept() + SUNDRIES;
        // Buffers are rounded up by an eighth at most.
        let mut rest = limit.checked_sub(fixed)? / 9 * 8;
        let mut scratch = unlimited.scratch;
        if self.indirect {
            scratch = (rest / 4 * 3 / SCRATCH_BLOCKS).min(scratch);
            rest /= 4;
        }
        let (size, out_size) = (plan.image_dtype.size() as u64, plan.out_dtype.size() as u64);
        let image = chunk::least_image(plan) * size;
        let packed = Weights::packed_bytes(plan, sums);
        let kernels = packed * if self.bank { 4 } else { 1 } + 128;
        let sum = if self.direct { 0 } else { 4 * sums.words() * plan.out_dtype.parts() as u64 };
        let outputs = |places: u64| sum + if self.to_host { places * out_size } else { 0 };
        let least = |places: u64| places * image + kernels + outputs(places);
        let places = if 2 * least(2) <= rest { 2 } else { 1 };
        let spare = rest.checked_sub(least(places))?;
        let mut caps = Caps {
            image: (image + spare / 4 / places) / size,
            kernels: ((kernels + spare / 4 - 128) / packed.max(1)) as usize,
            outputs: 1 + (spare / 2).checked_div(outputs(places)).unwrap_or(u64::MAX - 1),
            region: u64::MAX,
        };
        if self.bank {
            caps.kernels -= caps.kernels % 4;
        }
        if self.indirect {
            // Sums of whole boxes, between passes.
            let number = 8;
            caps.image = caps.image.min(scratch / number);
            caps.outputs = caps.outputs.min(scratch / number);
        }
        let caps = Caps {
            image: caps.image.min(unlimited.caps.image),
            kernels: caps.kernels.min(unlimited.caps.kernels).max(1),
            outputs: caps.outputs.min(unlimited.caps.outputs),
            region: u64::MAX,
        };
        let fits = caps.image * size >= image && caps.outputs >= 1 && scratch >= self.least_scratch;
        fits.then_some(Room { caps, places: places as usize, scratch })
    }
}
