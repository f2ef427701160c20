//! The sizes of the tiles that a convolution is transformed in, and what that costs.

use crate::gpu::context::Limits;
use crate::plan::ConvolvePlan;

/// Invocations of a workgroup that transforms lines; each holds eight elements.
const INVOCATIONS: u32 = 256;
const HELD: usize = 8;
/// Bytes of a block of transforms, if it may be as large.
const BLOCK: u64 = 128 << 20;
/// Operations that moving a byte is worth.
const BYTE: f64 = 3.0;
/// Slabs that a workgroup sums over in one dispatch, at most.
const MOST_SLABS: usize = 4096;

/// Lines in workgroup memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lines {
    /// Invocations of a workgroup.
    pub(super) invocations: u32,
    /// Elements of all its lines: the longest line.
    pub(super) elements: usize,
}

impl Lines {
    /// What a device has room for, for elements of two numbers of `bytes` bytes.
    pub(super) fn new(limits: &Limits, bytes: usize) -> Self {
        let most = INVOCATIONS.min(limits.invocations).min(limits.workgroup[0]).max(1);
        let fits = |&invocations: &u32| room(invocations as usize * HELD) * 2 * bytes <= limits.workgroup_memory as usize;
        let invocations = (0..=most.ilog2()).rev().map(|log| 1 << log).find(fits).unwrap_or(1);
        Self { invocations, elements: invocations as usize * HELD }
    }
}

/// Numbers of a line's real parts in workgroup memory: with one left free after every 32.
pub(super) fn room(elements: usize) -> usize {
    elements + elements / 32
}

/// The sizes of a plan's tiles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tiles {
    /// Elements that are transformed, along `y` and `x`: powers of two.
    pub(super) size: [usize; 2],
    /// Outputs of a tile.
    pub(super) step: [usize; 2],
    /// Taps of a slab, along `y` and `x`.
    pub(super) part: [usize; 2],
    /// Slabs of a kernel.
    pub(super) slabs: [usize; 3],
    /// Floating-point operations of the whole plan, and bytes moved counted as such.
    pub(super) cost: f64,
}

impl Tiles {
    /// The cheapest tiles for a plan in numbers of `bytes` bytes, if any fit a device with blocks of at most `block` bytes.
    pub(super) fn choose(plan: &ConvolvePlan, lines: &Lines, bytes: usize, block: u64) -> Option<Self> {
        let sizes = |axis: usize| -> Vec<usize> {
            let (n, k) = (plan.output[axis], plan.kernel[axis]);
            if axis == 1 && k == 1 {
                return vec![1];
            }
            let enough = (n + k - 1).next_power_of_two().max(8);
            let all = (3..=lines.elements.max(8).ilog2()).map(|log| 1 << log);
            all.filter(|&size| size <= enough).collect()
        };
        let (ys, xs) = (sizes(1), sizes(2));
        let candidates = ys.iter().flat_map(|&y| xs.iter().map(move |&x| [y, x]));
        let tiles = candidates.filter_map(|size| Self::new(plan, size, bytes));
        let fits = |tiles: &Self| (tiles.slab_count() * tiles.len() * 2 * bytes) as u64 <= most_bytes(block);
        tiles.filter(fits).min_by(|a, b| a.cost.total_cmp(&b.cost))
    }

    fn new(plan: &ConvolvePlan, size: [usize; 2], bytes: usize) -> Option<Self> {
        let [kd, kh, kw] = plan.kernel;
        let (mut step, mut part, mut slabs) = ([1; 2], [1; 2], [kd, 1, 1]);
        for axis in 0..2 {
            let (k, n) = ([kh, kw][axis], size[axis]);
            // Whole kernels, or parts of about half a tile.
            slabs[axis + 1] = if n >= k + k.div_ceil(8) - 1 { 1 } else { k.div_ceil((n / 2).max(1)) };
            part[axis] = k.div_ceil(slabs[axis + 1]);
            step[axis] = (n + 1 - part[axis]).min(plan.output[axis + 1]);
        }
        let tiles = plan.output[1].div_ceil(step[0]) * plan.output[2].div_ceil(step[1]) * plan.image_count();
        let units = (tiles.div_ceil(2) * plan.output[0]) as f64;
        let (n, count) = ((size[0] * size[1]) as f64, slabs.iter().product::<usize>());
        if count > MOST_SLABS {
            return None;
        }
        let (kernels, slab_count) = (plan.kernel_count() as f64, count as f64);
        let transform = 5.0 * n * n.log2().max(1.0);
        let rows = step[0] as f64 / size[0] as f64;
        let moved = 2.0 * bytes as f64 * BYTE;
        let there = slab_count * (transform + moved * n * 3.0);
        let back = transform * (0.5 + 0.5 * rows)
            + 8.0 * n * slab_count
            + moved * (n * (slab_count + 2.0 * rows) + (step[0] * step[1]) as f64);
        let cost = units * (there + kernels * back) + kernels * slab_count * transform;
        Some(Self { size, step, part, slabs, cost })
    }

    /// Elements of a tile.
    pub(super) fn len(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// Transforms of a unit.
    pub(super) fn slab_count(&self) -> usize {
        self.slabs.iter().product()
    }
}

/// How a chunk's tiles are paired to units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pairs {
    /// Tiles of the images, along `y` and along `x`.
    pub(super) tiles: [usize; 3],
    /// The axis that pairs lie along, and how far apart; 0: there is one tile.
    pub(super) axis: usize,
    pub(super) apart: usize,
}

impl Pairs {
    pub(super) fn new(tiles: [usize; 3]) -> Self {
        // Even numbers leave no tile alone; else the longest axis wastes least.
        let [images, y, x] = tiles;
        let even = [2, 1, 0].into_iter().find(|&axis| tiles[axis].is_multiple_of(2));
        let longest = if x >= y && x >= images {
            2
        } else if y >= images {
            1
        } else {
            0
        };
        let axis = even.unwrap_or(longest);
        let apart = if tiles[axis] > 1 { tiles[axis].div_ceil(2) } else { 0 };
        Self { tiles, axis, apart }
    }

    /// Units along images, `y` and `x`.
    pub(super) fn units(&self) -> [usize; 3] {
        let mut units = self.tiles;
        units[self.axis] = units[self.axis].div_ceil(2);
        units
    }

    /// The other tile of a tile's unit, if there is one.
    pub(super) fn partner(&self, tile: [usize; 3]) -> Option<[usize; 3]> {
        let mut other = tile;
        other[self.axis] =
            if tile[self.axis] < self.apart { tile[self.axis] + self.apart } else { tile[self.axis].wrapping_sub(self.apart) };
        (self.apart > 0 && other[self.axis] < self.tiles[self.axis]).then_some(other)
    }
}

/// Bytes of a block of transforms on a device with blocks of at most `block` bytes.
pub(super) fn most_bytes(block: u64) -> u64 {
    block.min(BLOCK)
}

/// Whether rounding a binary64 result gives the exact integer for results of this reach.
pub(super) fn is_exact(reach: u128, tiles: &Tiles) -> bool {
    // The error is at most 8·2^-53·log₂N·‖k‖₂‖x‖₂ with ‖x‖₂ <= √(2N)·max|x| for each slab (docs/numerics.md).
    let n = tiles.len() as f64;
    reach as f64 * tiles.slab_count() as f64 * (2.0 * n).sqrt() * n.log2().max(1.0) * 8.0 * (f64::EPSILON / 2.0) < 0.25
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Convolve, Direction, Dtype};

    #[test]
    fn tiles_cover_outputs_and_taps_and_fit_the_device() {
        let lines = Lines { invocations: 128, elements: 1024 };
        let shapes: [(&[usize], &[usize]); 7] = [
            (&[100, 100], &[5, 5]),
            (&[1000, 1000], &[31, 31]),
            (&[1, 100_000], &[1, 4097]),
            (&[3, 40], &[1, 9]),
            (&[2000, 7], &[1500, 1]),
            (&[9, 9], &[100, 100]),
            (&[1, 1], &[1, 1]),
        ];
        for (image, kernel) in shapes {
            let plan =
                ConvolvePlan::new(&Convolve::d2(), Direction::Convolve, (Dtype::F32, image), (Dtype::F32, kernel)).unwrap();
            let tiles = Tiles::choose(&plan, &lines, 4, 1 << 27).unwrap();
            for axis in 0..2 {
                let (k, n) = (plan.kernel[axis + 1], tiles.size[axis]);
                assert!(n.is_power_of_two() && n <= 1024, "{tiles:?}");
                assert!(tiles.part[axis] * tiles.slabs[axis + 1] >= k && tiles.step[axis] > 0, "{tiles:?}");
                assert!(tiles.step[axis] + tiles.part[axis] <= n + 1, "{tiles:?}");
            }
        }
    }

    #[test]
    fn every_tile_is_in_one_unit() {
        for tiles in [[1, 1, 1], [1, 1, 5], [2, 3, 3], [1, 4, 3], [5, 1, 1], [3, 3, 3]] {
            let pairs = Pairs::new(tiles);
            let [images, ys, xs] = pairs.units();
            let mut seen = vec![];
            for unit in 0..images * ys * xs {
                let tile = [unit / (ys * xs), unit / xs % ys, unit % xs];
                seen.push(tile);
                if let Some(other) = pairs.partner(tile) {
                    assert_eq!(pairs.partner(other), Some(tile));
                    seen.push(other);
                }
            }
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen.len(), tiles.iter().product::<usize>(), "{tiles:?}");
        }
    }
}
