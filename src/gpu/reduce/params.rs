//! The uniform of the reduction shaders.

use super::geometry::{AXES, Layout};
use crate::gpu::shaders;

/// See `shaders/parts/reduce_params.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct Params {
    pub(super) kept_len: [u32; AXES],
    pub(super) kept_step: [u32; AXES],
    pub(super) reduced_len: [u32; AXES],
    pub(super) reduced_step: [u32; AXES],
    pub(super) start: u32,
    pub(super) len: u32,
    pub(super) first: u32,
    pub(super) results: u32,
    pub(super) at: u32,
    pub(super) n: u32,
    pub(super) splits: u32,
    pub(super) group_first: u32,
    pub(super) group_end: u32,
    pub(super) base_lo: u32,
    pub(super) base_hi: u32,
    pub(super) count_lo: u32,
    pub(super) count_hi: u32,
    pub(super) out_first: u32,
    pub(super) power_low: u32,
    pub(super) power_high: u32,
    pub(super) second: u32,
    pub(super) pad0: u32,
    pub(super) pad1: u32,
    pub(super) pad2: u32,
}

impl Params {
    /// Those of a dispatch over states, of `n` results, behind each of which are `count` elements.
    pub(super) fn new(n: u64, count: u64) -> Self {
        let mut params = <Self as bytemuck::Zeroable>::zeroed();
        (params.kept_len, params.reduced_len) = ([1; AXES], [1; AXES]);
        (params.n, params.results) = (n as u32, n as u32);
        (params.count_lo, params.count_hi) = (count as u32, (count >> 32) as u32);
        params
    }

    /// Sets the axes.
    pub(super) fn axes(&mut self, layout: &Layout) {
        fn set(from: &[(u64, u64)], len: &mut [u32; AXES], step: &mut [u32; AXES]) {
            for ((len, step), axis) in len.iter_mut().zip(step).zip(from) {
                (*len, *step) = (axis.0 as u32, axis.1 as u32);
            }
        }
        set(&layout.kept, &mut self.kept_len, &mut self.kept_step);
        set(&layout.reduced, &mut self.reduced_len, &mut self.reduced_step);
        self.len = layout.len() as u32;
    }

    /// How Rust lays it out.
    pub(super) fn layout() -> shaders::Layout {
        shaders::layout!(Params {
            kept_len,
            kept_step,
            reduced_len,
            reduced_step,
            start,
            len,
            first,
            results,
            at,
            n,
            splits,
            group_first,
            group_end,
            base_lo,
            base_hi,
            count_lo,
            count_hi,
            out_first,
            power_low,
            power_high,
            second,
            pad0,
            pad1,
            pad2,
        })
    }
}
