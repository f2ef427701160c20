//! How a convolution is laid out on a device: workgroups, tiles, blocks of taps. All of it derives from the device's limits
//! and the plan's lengths.

use super::shader::{Form, Sums};
use crate::gpu::context::Limits;

/// Invocations of a workgroup.
pub(super) const INVOCATIONS: u32 = 128;
/// Widths of a workgroup to choose from, the first of equally good ones: few, for each makes a shader to compile.
pub(super) const WIDTHS: [u32; 3] = [16, 8, 128];
/// Workgroup memory to use, if there is as much: two to four workgroups share a GPU core's memory.
pub(super) const MEMORY: u32 = 24 << 10;
/// The part of it for weights.
pub(super) const WEIGHTS: u32 = 4 << 10;
/// Loop iterations of one invocation of one dispatch. Some drivers stop silently at 65,535.
pub(super) const ITERATIONS: u64 = 20_000;
/// Taps along x of the kernels that are run in strips, at most.
const STRIP: u32 = 8;
/// What an element of the tile costs to load, in multiply-adds.
pub(super) const LOAD: f64 = 6.0;

/// The layout of a shader that makes sums. Tile lengths are in vectors of 4 elements along x for `convolve.wgsl`, in
/// elements for `convolve_wide.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tuning {
    /// Workgroup size.
    pub(super) workgroup: [u32; 2],
    /// From one of an invocation's four vectors of outputs to the next (single kernels).
    pub(super) step: [u32; 2],
    /// Taps along x of kernels whose invocations make four rows of outputs, one below the other; or 0.
    pub(super) strip: u32,
    /// Outputs of a workgroup.
    pub(super) outputs: [u32; 2],
    /// Outputs of a workgroup along x, in tile elements.
    pub(super) tile_x: u32,
    /// Elements of the tile and of the weights' block.
    pub(super) tile: u32,
    pub(super) taps: u32,
    /// Tile elements per tile row.
    pub(super) pitch: u32,
    /// Taps of a block and blocks of the kernel, along x and y.
    pub(super) block: [u32; 2],
    pub(super) blocks: [u32; 2],
    /// Positions of the image from one tile element to the next, along x and y, rows of the tile, and groups of four kernels
    /// of an invocation (strides and dilations).
    pub(super) unit: [u32; 2],
    pub(super) rows: u32,
    pub(super) sets: u32,
    /// Blocks of taps in one dispatch.
    pub(super) blocks_per_dispatch: u32,
    /// Bytes of workgroup memory.
    pub(super) bytes: u32,
}

impl Tuning {
    /// The layout for kernels of `kernel` taps and outputs of `out` elements (x, y), or `None` if the device has too little
    /// workgroup memory for any.
    pub(super) fn new(limits: &Limits, sums: Sums, bank: bool, kernel: [usize; 3], out: [usize; 2]) -> Option<Self> {
        let most = INVOCATIONS.min(limits.invocations).checked_ilog2()?;
        // With little memory for wide types fewer invocations have to do.
        (0..=most).rev().find_map(|log2| Self::of_size(limits, sums, bank, kernel, out, 1 << log2))
    }

    fn of_size(limits: &Limits, sums: Sums, bank: bool, kernel: [usize; 3], out: [usize; 2], invocations: u32) -> Option<Self> {
        let mut best: Option<(f64, Self)> = None;
        for wx in WIDTHS.map(|width| width.min(invocations)) {
            for across in [false, true] {
                if across && (bank || !sums.is_tiled()) {
                    continue;
                }
                let wy = invocations / wx;
                if wx > limits.workgroup[0] || wy > limits.workgroup[1] {
                    continue;
                }
                let Some(tuning) = Self::with(limits, sums, bank, kernel, [wx, wy], across) else { continue };
                let cost = tuning.cost(kernel, out);
                if best.as_ref().is_none_or(|(least, _)| cost < *least) {
                    best = Some((cost, tuning));
                }
            }
        }
        best.map(|(_, tuning)| tuning)
    }

    fn with(limits: &Limits, sums: Sums, bank: bool, kernel: [usize; 3], workgroup: [u32; 2], across: bool) -> Option<Self> {
        let [wx, wy] = workgroup;
        let tiled = sums.is_tiled();
        let vector = if tiled { 4 } else { 1 };
        let element = vector * sums.weight_bytes() as u32;
        let bytes = MEMORY.min(limits.workgroup_memory);
        let most = ITERATIONS / (2 * sums.iterations());
        let taps = (WEIGHTS.min(bytes / 4) / element).min(u32::try_from(most).unwrap_or(u32::MAX));
        let tile = (bytes - taps * element) / element;
        let step = match (tiled && !bank, across) {
            (false, _) => [0, 0],
            (true, true) => [wx, 0],
            (true, false) => [0, wy],
        };
        let (tile_x, tile_y) = (wx + 3 * step[0], wy + 3 * step[1]);
        // Results are stored through the tile.
        if tile_x.checked_mul(tile_y)? > tile || wx * wy > tile {
            return None;
        }
        // The widest tile row that leaves room for the others, and the most taps that it serves.
        let [_, ky, kx] = kernel.map(|k| u32::try_from(k).unwrap_or(u32::MAX));
        let widest = tile / tile_y;
        let room = if tiled { 4 * (widest - tile_x) + 1 } else { widest - tile_x + 1 };
        let room = room.min(if tiled && !bank { 4 * taps } else { taps });
        let rows_of = |x: u32| if tiled && !bank { x.div_ceil(4) } else { x };
        let (block_x, pitch, block_y);
        if kx <= room {
            (block_x, pitch) = (kx, tile_x + halo(tiled, kx));
            block_y = ky.min(tile / pitch - tile_y + 1).min(taps / rows_of(kx));
        } else {
            // Taps in row-major order: a piece of one row at a time, of whole vectors.
            block_x = room - room % vector;
            if block_x < vector {
                return None;
            }
            (pitch, block_y) = (tile_x + halo(tiled, block_x), 1);
        }
        let blocks = [kx.div_ceil(block_x), ky.div_ceil(block_y)];
        // Rows of outputs one below the other share what they read, and their weights stay in registers.
        let strips = tiled && !bank && !across && blocks[0] == 1 && ky > 1 && kx <= STRIP;
        let strip = if strips { kx } else { 0 };
        let rows = u64::from(tile_y + block_y - 1);
        let iterations = rows.div_ceil(u64::from(wy)) * (1 + u64::from(pitch.div_ceil(wx)))
            + u64::from((block_y * rows_of(block_x)).div_ceil(wx * wy))
            + u64::from(block_y) * (2 + u64::from(block_x / vector) * sums.iterations())
            + 2 * sums.words()
            + 1;
        Some(Self {
            workgroup,
            step: if strip > 0 { [0, 1] } else { step },
            strip,
            outputs: [vector * tile_x, tile_y],
            tile_x,
            tile,
            taps,
            pitch,
            block: [block_x, block_y],
            blocks,
            unit: [1, 1],
            rows: tile_y + block_y - 1,
            sets: 1,
            blocks_per_dispatch: (ITERATIONS / iterations).clamp(1, u64::from(u32::MAX)) as u32,
            bytes: (tile + taps) * element,
        })
    }

    /// Time in arbitrary units.
    fn cost(&self, kernel: [usize; 3], out: [usize; 2]) -> f64 {
        let tiles: f64 = (0..2).map(|a| out[a].div_ceil(self.outputs[a] as usize) as f64).product();
        let taps: f64 = kernel.iter().map(|&k| k as f64).product();
        let blocks = self.blocks.map(f64::from).iter().product::<f64>() * kernel[0] as f64;
        let made = f64::from(self.outputs[0]) * f64::from(self.outputs[1]);
        let vector = f64::from(self.outputs[0] / self.tile_x);
        let loaded = f64::from(self.pitch) * vector * f64::from(self.outputs[1] + self.block[1] - 1);
        tiles * (made * taps + LOAD * (loaded * blocks + made))
    }

    /// Blocks of taps in all.
    pub(super) fn all_blocks(&self, slabs: usize) -> u64 {
        self.blocks.map(u64::from).iter().product::<u64>() * slabs as u64
    }

    /// The values of the shader's `override` constants.
    pub(super) fn constants(&self, form: Form, tiled: bool) -> Vec<(&'static str, f64)> {
        let mut constants = vec![("WX", self.workgroup[0]), ("WY", self.workgroup[1])];
        if form != Form::Simple {
            constants.extend([("TILE", self.tile), ("TAPS", self.taps)]);
        }
        match form {
            Form::Tiled if tiled => {
                let [step_x, step_y] = self.step;
                constants.extend([("STEP_X", step_x), ("STEP_Y", step_y), ("STRIP", self.strip)]);
                constants.extend([("TILE_X", self.tile_x), ("TILE_Y", self.outputs[1])]);
            }
            Form::General => constants.push(("SETS", self.sets)),
            _ => {}
        }
        constants.into_iter().map(|(name, value)| (name, f64::from(value))).collect()
    }
}

/// Tile elements that `taps` taps along x need beyond the outputs' own.
fn halo(tiled: bool, taps: u32) -> u32 {
    if tiled { (taps + 2) / 4 } else { taps - 1 }
}

/// The least that every WebGPU device has, and a large device.
#[cfg(test)]
pub(super) fn devices() -> [Limits; 2] {
    let of = |workgroup_memory, invocations| Limits {
        max_buffer: 1 << 30,
        max_binding: 1 << 27,
        offset_alignment: 256,
        uniform_alignment: 256,
        workgroup_memory,
        invocations,
        workgroup: [invocations, invocations, 64],
        groups_per_dim: 65535,
        storage_buffers: 8,
    };
    [of(16 << 10, 256), of(48 << 10, 1024)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layout_fits_the_device_and_covers_the_taps() {
        let lengths = [1, 2, 3, 4, 5, 10, 64, 200, 4099];
        for limits in devices() {
            for sums in [Sums::F32, Sums::I32, Sums::F64, Sums::Limbs2] {
                for bank in [false, true] {
                    for kx in lengths {
                        for ky in lengths {
                            for out in [[1, 1], [1009, 1009], [100_000, 1], [1, 4099], [28, 28]] {
                                let what = format!("{sums:?} bank {bank} {ky}x{kx} {out:?}");
                                let t = Tuning::new(&limits, sums, bank, [3, ky, kx], out).expect(&what);
                                assert!(t.bytes <= limits.workgroup_memory, "{what}");
                                assert!(t.workgroup[0] * t.workgroup[1] <= limits.invocations, "{what}");
                                assert!(t.block[0] as usize == kx || t.block[1] == 1, "{what}: taps out of order");
                                assert!(t.block[0] * t.blocks[0] >= kx as u32 && t.block[1] * t.blocks[1] >= ky as u32, "{what}");
                                assert!((t.outputs[1] + t.block[1] - 1) * t.pitch <= t.tile, "{what}");
                                let weights = if sums.is_tiled() && !bank { t.block[0].div_ceil(4) } else { t.block[0] };
                                assert!(weights * t.block[1] <= t.taps, "{what}");
                                assert!(t.blocks[0] == 1 || t.block[0].is_multiple_of(4) || !sums.is_tiled(), "{what}");
                            }
                        }
                    }
                }
            }
        }
    }
}
