//! Where float images hold values that an algorithm cannot take: infinities, NaN, and what an intermediate could overflow
//! with. Blocks of the images are scanned on the device, in integers, since a compiler may assume that floats are finite.

use std::ops::Range;

use bytemuck::{Pod, Zeroable};

use super::Work;
use super::choice::Choice;
use super::chunk::{Axis, Chunk, Source, hull};
use crate::gpu::dispatch::{Bind, Dispatch, fold};
use crate::gpu::memory::Gathered;
use crate::gpu::pipeline::{Shader, Slot};
use crate::gpu::shaders::{Variant, join, layout};
use crate::plan::Boundary;
use crate::{Dtype, Result};

const SCAN: &str = include_str!("../../../shaders/convolve_scan.wgsl");
/// Elements of a block, and its rows where the image has as many.
const BLOCK: usize = 2048;
const BLOCK_ROWS: usize = 32;

/// The uniforms of `convolve_scan.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, Pod, Zeroable)]
struct ScanParams {
    first: u32,
    length: u32,
    rows: u32,
    blocks_x: u32,
    blocks_y: u32,
    block_x: u32,
    log_x: u32,
    block_y: u32,
    group_first: u32,
    group_end: u32,
    unused_a: u32,
    unused_b: u32,
}

/// The largest magnitudes in the blocks of a chunk's images.
#[derive(Debug)]
pub(super) struct Scan {
    /// By image, depth, row and column of blocks; empty for integer images.
    largest: Vec<u32>,
    depth: usize,
    blocks: [usize; 2],
    block: [usize; 2],
}

/// A magnitude as the scan has it: what it finds of at least so much is at least this.
pub(super) fn word(dtype: Dtype, magnitude: f64) -> u32 {
    match dtype {
        Dtype::F64 => (magnitude.abs().to_bits() >> 32) as u32,
        _ => (magnitude.abs() as f32).to_bits(),
    }
}

/// Outputs of one image, in the chunk, that are to be computed directly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) image: usize,
    pub(super) rows: Range<usize>,
    pub(super) columns: Range<usize>,
}

impl Work<'_> {
    /// Scans the images of a chunk.
    pub(super) fn scan(&self, chunk: &Chunk, axes: &[Axis; 3], images: &Gathered) -> Result<Scan> {
        let (context, dtype) = (self.context, self.plan.image_dtype);
        let [depth, rows, length] = axes.each_ref().map(|axis| axis.length);
        let block_y = rows.next_power_of_two().min(BLOCK_ROWS);
        let block_x = BLOCK / block_y;
        let blocks = [rows.div_ceil(block_y), length.div_ceil(block_x)];
        let mut scan = Scan { largest: vec![], depth, blocks, block: [block_y, block_x] };
        if !dtype.is_float() {
            return Ok(scan);
        }
        let pipeline = context.pipeline(&Shader {
            label: "convolve_scan",
            source: &|| source(dtype),
            variant: dtype.name(),
            constants: &[],
            workgroup: [128, 1, 1],
            workgroup_bytes: 4,
            slots: &[Slot::Read, Slot::ReadWrite, Slot::Uniform],
        })?;
        let from = images.offset - images.offset % u64::from(context.limits.offset_alignment);
        let total = (chunk.images.len() * depth * blocks[0] * blocks[1]) as u64;
        let largest = context.block(4 * total)?;
        context.sliced("convolve_scan", total, 1, 0, self.control, &mut |groups| {
            let params = ScanParams {
                first: ((images.offset - from) / dtype.size() as u64) as u32,
                length: length as u32,
                rows: rows as u32,
                blocks_x: blocks[1] as u32,
                blocks_y: blocks[0] as u32,
                block_x: block_x as u32,
                log_x: block_x.ilog2(),
                block_y: block_y as u32,
                group_first: groups.start as u32,
                group_end: groups.end as u32,
                ..ScanParams::default()
            };
            let image = Bind::Part(&images.block, from..images.block.size());
            let binds = [image, Bind::Block(&largest), Bind::Uniform(bytemuck::bytes_of(&params))];
            let grid = fold(groups.end - groups.start, &context.limits);
            context.submit(&[Dispatch { pipeline: &pipeline, binds: &binds, groups: grid }])
        })?;
        scan.largest = bytemuck::pod_collect_to_vec(&context.read_small(&largest, 4 * total)?);
        Ok(scan)
    }
}

impl Scan {
    /// The cells of a grid over a chunk's outputs that read a magnitude beyond what the algorithm takes: indices along
    /// images, rows and columns.
    pub(super) fn beyond(&self, work: &Work<'_>, chunk: &Chunk, axes: &[Axis; 3], choice: &Choice) -> Vec<[usize; 3]> {
        let (size, limit, taps) = (choice.cells(), choice.limit(), choice.reach(work.plan.kernel));
        let plan = work.plan;
        let dtype = plan.image_dtype;
        let bound = if dtype.is_float() { word(dtype, limit) } else { u32::MAX };
        // The constant outside takes part where it is read.
        let fills = [0, 1, 2].map(|axis| match axes[axis].source {
            Source::Range(_) => {
                let fill = plan.boundary[axis].fill().abs();
                fill.is_nan() || fill >= limit
            }
            Source::List(_) => false,
        });
        if self.largest.iter().all(|&largest| largest < bound) && fills == [false; 3] {
            return vec![];
        }
        // What each cell along an axis reads: indices of blocks, and whether the constant outside.
        let along = |axis: usize| -> Vec<(Range<usize>, bool)> {
            let (n, size, block) = (chunk.region[axis].len(), size[axis - 1], self.block[axis - 1]);
            let reads = |first: usize| {
                let (range, outside) = reads(&axes[axis], first..n.min(first + size), taps[axis]);
                (range.start / block..range.end.div_ceil(block), outside)
            };
            (0..n).step_by(size).map(reads).collect()
        };
        let (rows, columns) = (along(1), along(2));
        let (_, outside) = reads(&axes[0], 0..chunk.region[0].len(), taps[0]);
        let mut cells = vec![];
        for image in 0..chunk.images.len() {
            for (y, (block_rows, outside_y)) in rows.iter().enumerate() {
                for (x, (block_columns, outside_x)) in columns.iter().enumerate() {
                    let constant = (outside && fills[0]) || (*outside_y && fills[1]) || (*outside_x && fills[2]);
                    let exceeds = |z: usize| {
                        block_rows.clone().any(|row| {
                            let at = ((image * self.depth + z) * self.blocks[0] + row) * self.blocks[1];
                            self.largest
                                .get(at + block_columns.start..at + block_columns.end)
                                .is_some_and(|blocks| blocks.iter().any(|&m| m >= bound))
                        })
                    };
                    if constant || (0..self.depth).any(exceeds) {
                        cells.push([image, y, x]);
                    }
                }
            }
        }
        cells
    }
}

/// The indices of an axis that the outputs read with so many taps, and whether they read a constant outside.
fn reads(axis: &Axis, outputs: Range<usize>, taps: usize) -> (Range<usize>, bool) {
    let first = outputs.start as isize + axis.start as isize;
    let last = first + (outputs.len() + taps) as isize - 2;
    let outside = axis.boundary == 0 && (first < 0 || last >= axis.length as isize);
    (hull(axis.continued(Boundary::ZERO), first, last, axis.length), outside)
}

fn source(dtype: Dtype) -> String {
    join(&[&format!("const WIDE: bool = {};\n", dtype == Dtype::F64), SCAN])
}

/// The shader, for its tests.
pub(super) fn variants() -> Vec<Variant> {
    let layouts = || {
        vec![layout!(ScanParams {
            first,
            length,
            rows,
            blocks_x,
            blocks_y,
            block_x,
            log_x,
            block_y,
            group_first,
            group_end,
            unused_a,
            unused_b
        })]
    };
    [Dtype::F32, Dtype::F64].map(|dtype| Variant { label: "convolve_scan", source: source(dtype), layouts: layouts() }).into()
}
