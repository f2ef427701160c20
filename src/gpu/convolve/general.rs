//! The layout of `convolve_general.wgsl`: tiles for any stride and dilation.
//!
//! An element of the tile is a vector over four outputs, so its length along x counts columns of a quarter of the workgroup's
//! outputs. Of the positions between, only multiples of the stride's and the dilation's greatest common divisor are read; a
//! block of one tap along an axis reads multiples of the stride, so that any stride fits.

use super::shader::{Form, Sums};
use super::tuning::{INVOCATIONS, ITERATIONS, LOAD, MEMORY, Tuning, WEIGHTS, WIDTHS};
use crate::gpu::context::Limits;
use crate::plan::ConvolvePlan;

/// What the layout depends on beside the device; all along x and y.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) bank: bool,
    /// Groups of four kernels of an invocation.
    pub(super) sets: u32,
    pub(super) taps: [u32; 2],
    pub(super) stride: [u32; 2],
    pub(super) dilation: [u32; 2],
    pub(super) out: [usize; 2],
}

impl Shape {
    /// For `kernels` real kernels from real kernel `first` of a plan on, and outputs of `out` elements (x, y).
    pub(super) fn new(plan: &ConvolvePlan, bank: bool, first: usize, kernels: usize, out: [usize; 2]) -> Self {
        let xy = |n: [usize; 3]| [n[2], n[1]].map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        // Eight kernels of an invocation read the same channels, and few of them are not there.
        let groups = kernels.div_ceil(4);
        let eights =
            plan.groups == 1 || (first.is_multiple_of(8) && (plan.group_kernels() * plan.kernel_parts()).is_multiple_of(8));
        let sets = if bank && eights && (groups.is_multiple_of(2) || groups > 4) { 2 } else { 1 };
        Self { bank, sets, taps: xy(plan.kernel), stride: xy(plan.stride), dilation: xy(plan.dilation), out }
    }
}

/// Taps of a block along an axis, and the tile that they read.
#[derive(Debug, Clone, Copy)]
struct Block {
    taps: u32,
    /// Positions from one tile element to the next.
    unit: u32,
    /// Tile elements.
    length: u32,
}

impl Block {
    /// The best block of at most `most` of the axis's taps for `outputs` outputs, in a tile of `room` elements: the one that
    /// loads least per tap.
    fn along(shape: &Shape, axis: usize, outputs: u32, most: u32, room: u32) -> Option<Self> {
        let (stride, dilation, taps) = (shape.stride[axis], shape.dilation[axis], shape.taps[axis].min(most));
        let single = Self { taps: 1, unit: stride, length: outputs };
        if outputs > room || taps == 0 {
            return None;
        }
        let unit = gcd(stride, dilation);
        let base = u64::from(outputs - 1) * u64::from(stride / unit) + 1;
        let next = u64::from(dilation / unit);
        let Some(spare) = u64::from(room).checked_sub(base) else { return Some(single) };
        let taps = u64::from(taps).min(spare / next + 1);
        let length = base + (taps - 1) * next;
        // A tile of all positions between must not hold more than one for each tap would.
        let several = taps > 1 && length < taps * u64::from(outputs);
        Some(if several { Self { taps: taps as u32, unit, length: length as u32 } } else { single })
    }
}

impl Tuning {
    /// The layout of `convolve_general.wgsl`, or `None` if the device has too little workgroup memory for any.
    pub(super) fn general(limits: &Limits, sums: Sums, shape: &Shape) -> Option<Self> {
        let most = INVOCATIONS.min(limits.invocations).checked_ilog2()?;
        (0..=most).rev().find_map(|log2| {
            let invocations = 1 << log2;
            let widths = WIDTHS.map(|width| [width.min(invocations), invocations / width.min(invocations)]);
            let fits = |size: &[u32; 2]| size[0] <= limits.workgroup[0] && size[1] <= limits.workgroup[1];
            let layouts = widths.into_iter().filter(fits).filter_map(|size| Self::general_with(limits, sums, shape, size));
            let costs = layouts.map(|tuning| (tuning.general_cost(shape), tuning));
            costs.reduce(|best, other| if other.0 < best.0 { other } else { best }).map(|(_, tuning)| tuning)
        })
    }

    fn general_with(limits: &Limits, sums: Sums, shape: &Shape, [wx, wy]: [u32; 2]) -> Option<Self> {
        let element = 4 * sums.weight_bytes() as u32;
        let bytes = MEMORY.min(limits.workgroup_memory);
        let taps = (WEIGHTS.min(bytes / 4) / element).min(ITERATIONS as u32 / 2);
        let tile = (bytes - taps * element) / element;
        let rows = if shape.bank { wy } else { 4 * wy };
        // Vectors of weights of so many taps of a row: those of a single kernel start within a vector.
        let vectors = |taps: u32| if shape.bank { shape.sets * taps } else { taps.div_ceil(4) + 1 };
        let most = if shape.bank { taps / shape.sets } else { 4 * (taps - 1) };
        let x = Block::along(shape, 0, wx, most, tile / rows)?;
        let whole = x.taps == shape.taps[0];
        let most = if whole { taps / vectors(x.taps) } else { 1 };
        let y = Block::along(shape, 1, rows, most.max(1), tile / x.length)?;
        let blocks = [shape.taps[0].div_ceil(x.taps), shape.taps[1].div_ceil(y.taps)];
        let iterations = u64::from(y.length.div_ceil(wy)) * (1 + u64::from(x.length.div_ceil(wx)))
            + u64::from((y.taps * vectors(x.taps)).div_ceil(wx * wy))
            + u64::from(y.taps) * (1 + u64::from(x.taps))
            + 1;
        Some(Self {
            workgroup: [wx, wy],
            step: [0, 0],
            strip: 0,
            outputs: [4 * wx, rows],
            tile_x: wx,
            tile,
            taps,
            pitch: x.length,
            block: [x.taps, y.taps],
            blocks,
            unit: [x.unit, y.unit],
            rows: y.length,
            sets: shape.sets,
            blocks_per_dispatch: (ITERATIONS / iterations).clamp(1, u64::from(u32::MAX)) as u32,
            bytes: (tile + taps) * element,
        })
    }

    /// Time in arbitrary units.
    fn general_cost(&self, shape: &Shape) -> f64 {
        let tiles: f64 = (0..2).map(|a| shape.out[a].div_ceil(self.outputs[a] as usize) as f64).product();
        let taps: f64 = shape.taps.map(f64::from).iter().product();
        let blocks = self.blocks.map(f64::from).iter().product::<f64>();
        let made = f64::from(self.outputs[0]) * f64::from(self.outputs[1]);
        let kernels = if shape.bank { 4.0 * f64::from(shape.sets) } else { 1.0 };
        let loaded = 4.0 * f64::from(self.pitch) * f64::from(self.rows);
        tiles * (made * taps * kernels + LOAD * (loaded * blocks + made * kernels))
    }

    /// The layout of `convolve_simple.wgsl`: one sum per invocation, and no workgroup memory.
    pub(super) fn simple(limits: &Limits, sums: Sums, kernel: [usize; 3], out: [usize; 2]) -> Self {
        let invocations = 1 << INVOCATIONS.min(limits.invocations).max(1).ilog2();
        let wide = if out[1] == 1 { invocations } else { 16.min(invocations) };
        let wx = wide.min(limits.workgroup[0].max(1));
        let wy = (invocations / wx).min(limits.workgroup[1].max(1));
        let [_, ky, kx] = kernel.map(|k| u32::try_from(k).unwrap_or(u32::MAX));
        Self {
            workgroup: [wx, wy],
            step: [0, 0],
            strip: 0,
            outputs: [wx, wy],
            tile_x: 0,
            tile: 0,
            taps: 0,
            pitch: 0,
            block: [1, 1],
            blocks: [kx, ky],
            unit: [1, 1],
            rows: 0,
            sets: 1,
            blocks_per_dispatch: (ITERATIONS / sums.iterations()) as u32,
            bytes: 0,
        }
    }

    /// The layout of a shader of this form for real kernels `first..first + count` of a plan.
    pub(super) fn of_form(
        limits: &Limits,
        (plan, form, sums): (&ConvolvePlan, Form, Sums),
        bank: bool,
        (first, count): (usize, usize),
        out: [usize; 2],
    ) -> Option<Self> {
        match form {
            Form::Simple => Some(Self::simple(limits, sums, plan.kernel, out)),
            Form::General => Self::general(limits, sums, &Shape::new(plan, bank, first, count, out)),
            Form::Tiled => Self::new(limits, sums, bank, plan.kernel, out),
        }
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    let (mut a, mut b) = (a, b);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

#[cfg(test)]
mod tests {
    use super::super::tuning::devices;
    use super::*;

    #[test]
    fn every_layout_fits_the_device_and_covers_the_taps() {
        let some = [1, 2, 3, 4, 7, 8, 100, 4099, u32::MAX];
        for limits in devices() {
            for (sums, sets) in [(Sums::F32, 2), (Sums::I32, 1), (Sums::F64, 2)] {
                for bank in [false, true] {
                    for kx in [1, 2, 3, 5, 10, 64, 4099] {
                        for ky in [1, 3, 10, 200] {
                            for (i, &stride) in some.iter().enumerate() {
                                for (j, &dilation) in some.iter().enumerate() {
                                    let shape = Shape {
                                        bank,
                                        sets: if bank { sets } else { 1 },
                                        taps: [kx, ky],
                                        stride: [stride, some[j]],
                                        dilation: [dilation, some[i]],
                                        out: [(40 * kx / ky) as usize + 1, 9],
                                    };
                                    check(&limits, sums, &shape);
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    fn check(limits: &Limits, sums: Sums, shape: &Shape) {
        let what = format!("{sums:?} {shape:?}");
        let t = Tuning::general(limits, sums, shape).expect(&what);
        assert!(t.bytes <= limits.workgroup_memory && t.workgroup[0] * t.workgroup[1] <= limits.invocations, "{what}");
        assert!(t.block[0] == shape.taps[0] || t.block[1] == 1, "{what}: taps out of order");
        let vectors = if shape.bank { t.block[0] * shape.sets } else { (t.block[0] + 6) / 4 };
        assert!(vectors * t.block[1] <= t.taps && t.rows * t.pitch <= t.tile, "{what}");
        for (axis, outputs) in [(0, t.workgroup[0]), (1, t.outputs[1])] {
            assert!(t.block[axis] * t.blocks[axis] >= shape.taps[axis], "{what}");
            let (unit, taps) = (u64::from(t.unit[axis]), u64::from(t.block[axis]));
            let (stride, dilation) = (u64::from(shape.stride[axis]), u64::from(shape.dilation[axis]));
            assert!(stride.is_multiple_of(unit) && (taps == 1 || dilation.is_multiple_of(unit)), "{what}");
            // The last position that is read, in units of the tile.
            let last = u64::from(outputs - 1) * (stride / unit) + (taps - 1) * (dilation / unit);
            assert!(last < u64::from([t.pitch, t.rows][axis]), "{what}");
        }
    }
}
