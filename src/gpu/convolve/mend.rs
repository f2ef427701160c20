//! Algorithms other than the direct convolution: the sums of a chunk by one of them, and directly where its images hold
//! what the algorithm cannot take.

use std::ops::Range;
use std::sync::Arc;

use bytemuck::{Pod, Zeroable};

use super::choice::Choice;
use super::chunk::Chunk;
use super::scan::Cell;
use super::{Work, axes};
use crate::Result;
use crate::gpu::dispatch::{Bind, Dispatch, fold};
use crate::gpu::memory::Block;
use crate::gpu::pipeline::{Shader, Slot};
use crate::gpu::shaders::{Variant, layout};

const PLACE: &str = include_str!("../../../shaders/convolve_place.wgsl");
/// Invocations of a workgroup of `convolve_place.wgsl`.
const PLACE_GROUP: u64 = 128;

/// The uniforms of `convolve_place.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, Pod, Zeroable)]
struct PlaceParams {
    box_x: u32,
    box_y: u32,
    box_z: u32,
    first: u32,
    end: u32,
    out_x: u32,
    out_y: u32,
    out_z: u32,
    at_x: u32,
    at_y: u32,
    at_z: u32,
    base: u32,
}

impl Work<'_> {
    /// Makes the sums of a chunk in `raw` by the algorithm of the plan; false if that is for the direct convolution to do.
    pub(super) fn indirect(&mut self, chunk: &Chunk, raw: &Block) -> Result<bool> {
        let choice = self.choice.clone();
        if matches!(*choice, Choice::Direct) {
            return Ok(false);
        }
        let axes = axes(self.plan, chunk, self.whole);
        if !choice.fits(self.plan, self.sums, chunk, &axes, self.scratch.min(self.context.max_block())) {
            return Ok(false);
        }
        let images = self.images(chunk, &axes)?;
        let scan = self.scan(chunk, &axes, &images)?;
        let [_, height, width] = chunk.region.each_ref().map(Range::len);
        let size = choice.cells();
        let mut beyond = scan.beyond(self, chunk, &axes, &choice);
        if let Choice::Fft { tiles, .. } = &*choice {
            // What spoils one tile of a unit spoils the other.
            let pairs = self.pairs(chunk, tiles);
            beyond.extend(beyond.clone().into_iter().filter_map(|tile| pairs.partner(tile)));
            beyond.sort_unstable();
            beyond.dedup();
        }
        let cells = merged(beyond, size, [height, width]);
        let left: u64 = cells.iter().map(|cell| (cell.rows.len() * cell.columns.len()) as u64).sum();
        if 2 * left > (chunk.images.len() * height * width) as u64 {
            return Ok(false);
        }
        match &*choice {
            Choice::Direct => return Ok(false),
            Choice::Separable { terms, .. } => self.passes(chunk, &axes, images, terms, raw)?,
            Choice::FastFir { fir, .. } => self.fast_fir(chunk, &axes, &images, *fir, raw)?,
            Choice::Fft { tiles, .. } => self.transform(chunk, &axes, &images, tiles, raw)?,
        }
        let taps = self.plan.kernel.iter().product::<usize>() as u64;
        let depth = chunk.region[0].len() as u64;
        self.control.advance((chunk.outputs() - left * depth * chunk.kernels.len() as u64).saturating_mul(taps));
        for cell in &cells {
            self.mend(chunk, cell, raw)?;
        }
        Ok(true)
    }

    /// Computes a cell of a chunk directly.
    fn mend(&mut self, chunk: &Chunk, cell: &Cell, raw: &Block) -> Result<()> {
        let context = self.context;
        let offset =
            |axis: usize, range: &Range<usize>| chunk.region[axis].start + range.start..chunk.region[axis].start + range.end;
        let image = chunk.images.start + cell.image;
        let part = Chunk {
            images: image..image + 1,
            kernels: chunk.kernels.clone(),
            region: [chunk.region[0].clone(), offset(1, &cell.rows), offset(2, &cell.columns)],
        };
        let words = self.sums.words() as usize;
        let count = part.outputs() * words as u64;
        let sums = context.block(4 * count)?;
        // The sums alone, whatever becomes of them afterwards.
        let (choice, direct) =
            (std::mem::replace(&mut self.choice, Arc::new(Choice::Direct)), std::mem::replace(&mut self.direct, true));
        let computed = self.compute(&part, &sums, &sums);
        (self.choice, self.direct) = (choice, direct);
        computed?;
        let pipeline = context.pipeline(&Shader {
            label: "convolve_place",
            source: &|| PLACE.into(),
            variant: "",
            constants: &[],
            workgroup: [PLACE_GROUP as u32, 1, 1],
            workgroup_bytes: 0,
            slots: &[Slot::Read, Slot::ReadWrite, Slot::Uniform],
        })?;
        let [depth, height, width] = chunk.region.each_ref().map(Range::len);
        let params = PlaceParams {
            box_x: (cell.columns.len() * words) as u32,
            box_y: cell.rows.len() as u32,
            box_z: depth as u32,
            out_x: (width * words) as u32,
            out_y: height as u32,
            out_z: depth as u32,
            at_x: (cell.columns.start * words) as u32,
            at_y: cell.rows.start as u32,
            at_z: 0,
            base: (cell.image * chunk.kernels.len() * depth * height * width * words) as u32,
            ..PlaceParams::default()
        };
        context.sliced("convolve_place", count.div_ceil(PLACE_GROUP), 1, 0, self.control, &mut |groups| {
            let end = count.min(groups.end * PLACE_GROUP) as u32;
            let params = PlaceParams { first: (groups.start * PLACE_GROUP) as u32, end, ..params };
            let binds = [Bind::Block(&sums), Bind::Block(raw), Bind::Uniform(bytemuck::bytes_of(&params))];
            let grid = fold(groups.end - groups.start, &context.limits);
            context.submit(&[Dispatch { pipeline: &pipeline, binds: &binds, groups: grid }])
        })
    }
}

/// Cells of a grid, neighbours along a row together.
fn merged(cells: Vec<[usize; 3]>, size: [usize; 2], lengths: [usize; 2]) -> Vec<Cell> {
    let along = |axis: usize, i: usize| i * size[axis]..lengths[axis].min((i + 1) * size[axis]);
    let mut merged: Vec<Cell> = vec![];
    for [image, y, x] in cells {
        let (rows, columns) = (along(0, y), along(1, x));
        match merged.last_mut() {
            Some(last) if last.image == image && last.rows == rows && last.columns.end == columns.start => {
                last.columns.end = columns.end;
            }
            _ => merged.push(Cell { image, rows, columns }),
        }
    }
    merged
}

/// The shader, for its tests.
pub(super) fn variants() -> Vec<Variant> {
    let layouts = vec![layout!(PlaceParams { box_x, box_y, box_z, first, end, out_x, out_y, out_z, at_x, at_y, at_z, base })];
    vec![Variant { label: "convolve_place", source: PLACE.into(), layouts }]
}
