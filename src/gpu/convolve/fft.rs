//! Overlap-save Fourier transforms of tiles on the device: work that does not grow with the kernel.
//!
//! Two real tiles are one complex one, a unit. A slice of units is transformed row by row as it is read, with boundary and
//! dtype resolved; then column by column, where each kernel's product and the first half of the inverse follow from
//! registers; then rows again, where the two real tiles part. The image's transforms serve all kernels of a batch, a
//! kernel's transform is made once. Kernels longer than a line are cut into slabs whose products are summed before the
//! inverse, and so are depths. Lines are transformed in workgroup memory, by Stockham's order of stages of radix 4.
//!
//! **Numerics.** Within `3·ε·log₂N·‖k‖₂‖x‖₂` over the inputs of the two tiles. Twiddle factors come from the host, in
//! binary64 rounded once. Kernels are scaled to a sum of magnitudes of at most 1 by powers of two, and the results back, so
//! that no intermediate overflows below [`limit`]. The bits depend on how the device is asked to cut the work.

use std::ops::Range;
use std::sync::Arc;

use bytemuck::{Pod, Zeroable};

use super::Work;
use super::chunk::{Axis, Chunk};
use super::shader::Sums;
use super::tiles::{Lines, Tiles, most_bytes, room};
use crate::gpu::dispatch::{Bind, Dispatch, fold};
use crate::gpu::memory::{Block, Gathered};
use crate::gpu::pipeline::{Pipeline, Shader, Slot};
use crate::gpu::shaders::{Layout, Variant, join, layout};
use crate::{Dtype, Result};

const CORE: &str = include_str!("../../../shaders/parts/convolve_fft.wgsl");
const BOUNDARY: &str = include_str!("../../../shaders/parts/boundary.wgsl");
const WORDS: &str = include_str!("../../../shaders/parts/convolve_words.wgsl");
const ROWS: &str = include_str!("../../../shaders/convolve_fft_rows.wgsl");
const COLUMNS: &str = include_str!("../../../shaders/convolve_fft_columns.wgsl");
const INVERSE: &str = include_str!("../../../shaders/convolve_fft_inverse.wgsl");

/// Kernels that a workgroup multiplies one transform with.
const EACH: usize = 8;
/// The least power of two that kernels are scaled by: results are scaled back by a normal number.
const LEAST_EXPONENT: f64 = -90.0;

/// The uniforms of all shaders of Fourier transforms; documented in `parts/convolve_fft.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, Pod, Zeroable)]
struct FftParams {
    unit_first: u32,
    units: u32,
    depth: u32,
    tiles_y: u32,
    tiles_x: u32,
    images: u32,
    real_y: u32,
    real_x: u32,
    pair_image: u32,
    pair_y: u32,
    pair_x: u32,
    log_y: u32,
    log_x: u32,
    step_y: u32,
    step_x: u32,
    slabs_z: u32,
    slabs_y: u32,
    slabs_x: u32,
    part_y: u32,
    part_x: u32,
    reach_y: u32,
    reach_x: u32,
    end_y: u32,
    end_x: u32,
    image_x: u32,
    image_y: u32,
    image_z: u32,
    image_first: u32,
    start_x: i32,
    start_y: i32,
    start_z: i32,
    boundary_x: u32,
    boundary_y: u32,
    boundary_z: u32,
    out_x: u32,
    out_y: u32,
    out_z: u32,
    all_kernels: u32,
    kernel_first: u32,
    kernels: u32,
    each: u32,
    table_at: u32,
    groups: u32,
    round: u32,
}

/// The magnitude that inputs must be below for tiles of so many elements, where numbers go up to `largest`.
pub(super) fn limit(largest: f64, tiles: &Tiles) -> f64 {
    largest / (16.0 * (tiles.len() * tiles.slab_count()) as f64)
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

/// The shaders for lines of one length.
struct Length {
    length: usize,
    lines: Lines,
}

impl Length {
    fn lines(&self) -> usize {
        self.lines.elements / self.length
    }

    fn constants(&self) -> [(&'static str, f64); 5] {
        [
            ("LENGTH", self.length as f64),
            ("ODD", f64::from(self.length.ilog2() % 2)),
            ("LINES", self.lines() as f64),
            ("INVOCATIONS", f64::from(self.lines.invocations)),
            ("ROOM", room(self.lines.elements) as f64),
        ]
    }
}

/// What one pass over a batch is bound to.
struct Batch<'a> {
    image: (&'a Block, u64),
    spectra: &'a Block,
    tables: [&'a Block; 2],
    transforms: [&'a Block; 2],
    sums: &'a Block,
    result: &'a Block,
}

/// The compiled shaders of a tile size.
struct Passes {
    rows: Arc<Pipeline>,
    columns: [Option<Arc<Pipeline>>; 2],
    inverse: Arc<Pipeline>,
}

/// One dispatch: its shader, what it is bound to, its uniforms.
type Step<'a> = (&'a Pipeline, Vec<Bind<'a>>, FftParams);

impl Work<'_> {
    /// Makes the sums of a chunk by Fourier transforms of tiles.
    pub(super) fn transform(&self, chunk: &Chunk, axes: &[Axis; 3], images: &Gathered, tiles: &Tiles, raw: &Block) -> Result<()> {
        let (context, plan) = (self.context, self.plan);
        let double = self.sums == Sums::F64;
        let bytes = if double { 8 } else { 4 };
        let lines = Lines::new(&context.limits, bytes);
        let [ty, tx] = tiles.size.map(|length| Length { length, lines });
        let slabs = tiles.slab_count();
        let pairs = self.pairs(chunk, tiles);
        let units = pairs.units();
        let [out_z, out_y, out_x] = chunk.region.each_ref().map(Range::len);
        let total = units.iter().product::<usize>() * out_z;

        // Kernels of a batch, so that their transforms and the sums of a unit fit a block; units of a slice.
        let transform = tiles.len() * 2 * bytes;
        let most = most_bytes(self.scratch.min(context.max_block())) as usize;
        let sum = tiles.step[0] * tx.length * 2 * bytes;
        let batch = (most / (transform * slabs).max(sum)).clamp(1, chunk.kernels.len());
        let slice = (most / (transform * slabs).max(sum * batch)).clamp(1, total);

        let aligned = images.offset - images.offset % u64::from(context.limits.offset_alignment);
        let base = FftParams {
            depth: out_z as u32,
            tiles_y: units[1] as u32,
            tiles_x: units[2] as u32,
            images: chunk.images.len() as u32,
            real_y: pairs.tiles[1] as u32,
            real_x: pairs.tiles[2] as u32,
            pair_image: if pairs.axis == 0 { pairs.apart as u32 } else { 0 },
            pair_y: if pairs.axis == 1 { pairs.apart as u32 } else { 0 },
            pair_x: if pairs.axis == 2 { pairs.apart as u32 } else { 0 },
            step_y: tiles.step[0] as u32,
            step_x: tiles.step[1] as u32,
            reach_y: (tiles.step[0] + tiles.part[0] - 1) as u32,
            reach_x: (tiles.step[1] + tiles.part[1] - 1) as u32,
            end_y: (out_y + plan.kernel[1] - 1) as u32,
            end_x: (out_x + plan.kernel[2] - 1) as u32,
            image_x: axes[2].length as u32,
            image_y: axes[1].length as u32,
            image_z: axes[0].length as u32,
            image_first: ((images.offset - aligned) / plan.image_dtype.size() as u64) as u32,
            start_x: axes[2].start,
            start_y: axes[1].start,
            start_z: axes[0].start,
            boundary_x: axes[2].boundary,
            boundary_y: axes[1].boundary,
            boundary_z: axes[0].boundary,
            out_x: out_x as u32,
            out_y: out_y as u32,
            out_z: out_z as u32,
            all_kernels: chunk.kernels.len() as u32,
            round: u32::from(plan.is_integer()),
            ..shape(tiles)
        };
        let fused = slabs == 1;
        let passes = Passes {
            rows: self.fft_rows(plan.image_dtype, &tx)?,
            columns: match fused {
                true => [None, Some(self.fft_columns(1, &ty)?)],
                false => [Some(self.fft_columns(0, &ty)?), Some(self.fft_columns(2, &ty)?)],
            },
            inverse: self.fft_inverse(&tx)?,
        };
        let there = context.block((slice * slabs * transform) as u64)?;
        let turned = if fused { there.clone() } else { context.block((slice * slabs * transform) as u64)? };
        let sums = context.block((slice * batch * sum) as u64)?;
        let columns_table = self.fft_table(ty.length, &[])?;
        for first in (0..chunk.kernels.len()).step_by(batch) {
            let kernels = first..chunk.kernels.len().min(first + batch);
            let (spectra, scales) = self.spectra(chunk, kernels.clone(), tiles, [&ty, &tx])?;
            let fills = [2, 1, 0].map(|axis| plan.boundary[axis].fill());
            let rows_table = self.fft_table(tx.length, &[&fills[..], &scales].concat())?;
            let bound = Batch {
                image: (&images.block, aligned),
                spectra: &spectra,
                tables: [&columns_table, &rows_table],
                transforms: [&there, &turned],
                sums: &sums,
                result: raw,
            };
            let base = FftParams {
                kernel_first: first as u32,
                kernels: kernels.len() as u32,
                each: EACH.min(kernels.len()) as u32,
                ..base
            };
            let key = format!("convolve_fft {double} {} {} {slabs}", tiles.len(), kernels.len());
            context.sliced(&key, total as u64, 1, 0, self.control, &mut |range| {
                let mut steps = vec![];
                for first in (range.start as usize..range.end as usize).step_by(slice) {
                    let count = slice.min(range.end as usize - first);
                    let params = FftParams { unit_first: first as u32, units: count as u32, ..base };
                    self.steps(&passes, &bound, params, tiles, [&ty, &tx], &mut steps);
                }
                self.submit_steps(&steps)
            })?;
        }
        Ok(())
    }

    /// The dispatches for the units of `params`.
    fn steps<'b>(
        &self,
        passes: &'b Passes,
        bound: &Batch<'b>,
        params: FftParams,
        tiles: &Tiles,
        [ty, tx]: [&Length; 2],
        steps: &mut Vec<Step<'b>>,
    ) {
        let (units, slabs, kernels) = (params.units as usize, tiles.slab_count(), params.kernels as usize);
        let groups = |lines: usize, length: &Length| lines.div_ceil(length.lines()) as u32;
        let (image, aligned) = bound.image;
        let [columns_table, rows_table] = bound.tables;
        let [there, turned] = bound.transforms;
        let fills = tx.length as u32;
        let rows = FftParams { table_at: fills, groups: groups(units * slabs * ty.length, tx), ..params };
        let part = Bind::Part(image, aligned..image.size());
        steps.push((&passes.rows, vec![part, Bind::Block(rows_table), Bind::Block(there)], rows));
        let table = || Bind::Block(columns_table);
        if let Some(pipeline) = &passes.columns[0] {
            let all = units * slabs;
            let params = FftParams { units: all as u32, groups: groups(all * tx.length, ty), ..params };
            let binds = vec![Bind::Block(there), Bind::Block(bound.spectra), table(), Bind::Block(turned)];
            steps.push((pipeline, binds, params));
        }
        if let Some(pipeline) = &passes.columns[1] {
            let strips = groups(units * tx.length, ty);
            let params = FftParams { groups: strips * kernels.div_ceil(params.each as usize) as u32, ..params };
            let binds = vec![Bind::Block(turned), Bind::Block(bound.spectra), table(), Bind::Block(bound.sums)];
            steps.push((pipeline, binds, params));
        }
        let inverse = FftParams { table_at: fills + 3, groups: groups(kernels * units * tiles.step[0], tx), ..params };
        let binds = vec![Bind::Block(bound.sums), Bind::Block(rows_table), Bind::Block(bound.result)];
        steps.push((&passes.inverse, binds, inverse));
    }

    fn submit_steps(&self, steps: &[Step<'_>]) -> Result<crate::gpu::dispatch::Submission> {
        let uniforms: Vec<Bind<'_>> = steps.iter().map(|(_, _, params)| Bind::Uniform(bytemuck::bytes_of(params))).collect();
        let binds: Vec<Vec<Bind<'_>>> = (steps.iter().zip(uniforms))
            .map(|((_, binds, _), uniform)| binds.iter().cloned().chain([uniform]).collect())
            .collect();
        let dispatches: Vec<Dispatch<'_>> = (steps.iter().zip(&binds))
            .map(|((pipeline, _, params), binds)| Dispatch {
                pipeline,
                binds,
                groups: fold(u64::from(params.groups), &self.context.limits),
            })
            .collect();
        self.context.submit(&dispatches)
    }

    /// How a chunk's tiles are paired.
    pub(super) fn pairs(&self, chunk: &Chunk, tiles: &Tiles) -> Pairs {
        let along = |axis: usize| chunk.region[axis + 1].len().div_ceil(tiles.step[axis]);
        Pairs::new([chunk.images.len(), along(0), along(1)])
    }

    /// The transforms of kernels (counted from the chunk's first), and what results are scaled by.
    fn spectra(&self, chunk: &Chunk, kernels: Range<usize>, tiles: &Tiles, [ty, tx]: [&Length; 2]) -> Result<(Block, Vec<f64>)> {
        let (context, plan) = (self.context, self.plan);
        let double = self.sums == Sums::F64;
        let [kd, kh, kw] = plan.kernel;
        let taps = kd * kh * kw;
        let first = chunk.kernels.start - plan.kernels.start + kernels.start;
        let mut values = self.weights.values()[first * taps..(first + kernels.len()) * taps].to_vec();
        let mut scales = vec![];
        for kernel in values.chunks_mut(taps) {
            let sum: f64 = kernel.iter().map(|w| w.abs()).sum();
            let scale = if sum > 0.0 { sum.log2().ceil().max(LEAST_EXPONENT).exp2() } else { 1.0 };
            kernel.iter_mut().for_each(|w| *w /= scale);
            scales.push(scale / tiles.len() as f64);
        }
        let weights = self.upload_numbers(&values)?;
        let slabs = tiles.slab_count();
        let units = kernels.len();
        let bytes = (units * slabs * tiles.len() * if double { 16 } else { 8 }) as u64;
        let (there, spectra) = (context.block(bytes)?, context.block(bytes)?);
        let tables = [self.fft_table(ty.length, &[])?, self.fft_table(tx.length, &[0.0; 3])?];
        let number = if double { Dtype::F64 } else { Dtype::F32 };
        let (rows, columns) = (self.fft_rows(number, tx)?, self.fft_columns(0, ty)?);
        let groups = |lines: usize, length: &Length| lines.div_ceil(length.lines()) as u32;
        let params = FftParams {
            units: units as u32,
            depth: 1,
            tiles_y: 1,
            tiles_x: 1,
            images: units as u32,
            real_y: 1,
            real_x: 1,
            reach_y: tiles.part[0] as u32,
            reach_x: tiles.part[1] as u32,
            end_y: kh as u32,
            end_x: kw as u32,
            image_x: kw as u32,
            image_y: kh as u32,
            image_z: kd as u32,
            table_at: tx.length as u32,
            groups: groups(units * slabs * ty.length, tx),
            ..shape(tiles)
        };
        let all = units * slabs;
        let turn = FftParams { units: all as u32, groups: groups(all * tx.length, ty), ..params };
        let row_binds = vec![Bind::Block(&weights), Bind::Block(&tables[1]), Bind::Block(&there)];
        let turn_binds = vec![Bind::Block(&there), Bind::Block(&tables[0]), Bind::Block(&tables[0]), Bind::Block(&spectra)];
        self.submit_steps(&[(&rows, row_binds, params), (&columns, turn_binds, turn)])?;
        Ok((spectra, scales))
    }

    /// The twiddle factors of lines of this length, and numbers behind them.
    fn fft_table(&self, length: usize, behind: &[f64]) -> Result<Block> {
        let mut values: Vec<f64> = (0..length).flat_map(|i| turned(i, length)).collect();
        values.extend(behind.iter().flat_map(|&v| [v, 0.0]));
        self.upload_numbers(&values)
    }

    /// Numbers in the type of the sums, on the device.
    fn upload_numbers(&self, values: &[f64]) -> Result<Block> {
        let bytes: Vec<u8> = match self.sums {
            Sums::F64 => bytemuck::cast_slice(values).to_vec(),
            _ => values.iter().flat_map(|&v| (v as f32).to_ne_bytes()).collect(),
        };
        let block = self.context.block(bytes.len() as u64)?;
        self.context.upload(&block, bytes.len() as u64, self.control, &mut |range, out| {
            out.copy_from_slice(&bytes[range.start as usize..range.end as usize]);
        })?;
        Ok(block)
    }

    fn fft_pipeline(
        &self,
        label: &'static str,
        variant: &str,
        source: &dyn Fn() -> String,
        length: &Length,
        slots: &[Slot],
    ) -> Result<Arc<Pipeline>> {
        let double = self.sums == Sums::F64;
        self.context.pipeline(&Shader {
            label,
            source,
            variant: &format!("{double} {variant}"),
            constants: &length.constants(),
            workgroup: [length.lines.invocations, 1, 1],
            workgroup_bytes: (room(length.lines.elements) * if double { 16 } else { 8 }) as u32,
            slots,
        })
    }

    fn fft_rows(&self, image: Dtype, length: &Length) -> Result<Arc<Pipeline>> {
        let slots = [Slot::Read, Slot::Read, Slot::ReadWrite, Slot::Uniform];
        let double = self.sums == Sums::F64;
        self.fft_pipeline("convolve_fft_rows", image.name(), &|| rows_source(double, image), length, &slots)
    }

    fn fft_columns(&self, stage: u32, length: &Length) -> Result<Arc<Pipeline>> {
        let slots = [Slot::Read, Slot::Read, Slot::Read, Slot::ReadWrite, Slot::Uniform];
        let double = self.sums == Sums::F64;
        self.fft_pipeline("convolve_fft_columns", &stage.to_string(), &|| columns_source(double, stage), length, &slots)
    }

    fn fft_inverse(&self, length: &Length) -> Result<Arc<Pipeline>> {
        let slots = [Slot::Read, Slot::Read, Slot::ReadWrite, Slot::Uniform];
        let double = self.sums == Sums::F64;
        self.fft_pipeline("convolve_fft_inverse", "", &|| inverse_source(double), length, &slots)
    }
}

/// What the uniforms say of the tiles.
fn shape(tiles: &Tiles) -> FftParams {
    FftParams {
        log_y: tiles.size[0].ilog2(),
        log_x: tiles.size[1].ilog2(),
        slabs_z: tiles.slabs[0] as u32,
        slabs_y: tiles.slabs[1] as u32,
        slabs_x: tiles.slabs[2] as u32,
        part_y: tiles.part[0] as u32,
        part_x: tiles.part[1] as u32,
        ..FftParams::default()
    }
}

/// `exp(−2πi·j/n)`, from an angle of at most a quarter of a right one, so that each part is as exact as can be.
fn turned(j: usize, n: usize) -> [f64; 2] {
    // Eighths of a turn, and what is left of the way to the next or from the last.
    let (eighth, rest) = (8 * j / n, 8 * j % n);
    let near = if eighth.is_multiple_of(2) { rest } else { n - rest };
    let (sin, cos) = (std::f64::consts::FRAC_PI_4 * near as f64 / n as f64).sin_cos();
    let (cos, sin) = match eighth {
        0 => (cos, sin),
        1 => (sin, cos),
        2 => (-sin, cos),
        3 => (-cos, sin),
        4 => (-cos, -sin),
        5 => (-sin, -cos),
        6 => (sin, -cos),
        _ => (cos, -sin),
    };
    [cos, -sin]
}

fn header(double: bool) -> String {
    let number = if double { "f64" } else { "f32" };
    format!("alias T = {number};\nalias Z = vec2<{number}>;\nalias V = vec4<{number}>;\n")
}

fn rows_source(double: bool, image: Dtype) -> String {
    let header = format!("{}const IMAGE: u32 = {}u;\n", header(double), image as u8);
    let parts = match (double, image) {
        (false, _) => [WORDS, include_str!("../../../shaders/parts/convolve_f32_load.wgsl")],
        (true, Dtype::F64) => ["", include_str!("../../../shaders/parts/convolve_f64_doubles.wgsl")],
        (true, _) => [WORDS, include_str!("../../../shaders/parts/convolve_f64_words.wgsl")],
    };
    join(&[&header, BOUNDARY, parts[0], parts[1], CORE, ROWS])
}

fn columns_source(double: bool, stage: u32) -> String {
    join(&[&format!("{}const STAGE: u32 = {stage}u;\n", header(double)), CORE, COLUMNS])
}

fn inverse_source(double: bool) -> String {
    join(&[&header(double), CORE, INVERSE])
}

/// Every shader of Fourier transforms.
pub(super) fn variants() -> Vec<Variant> {
    let layout = || -> Layout {
        layout!(FftParams {
            unit_first,
            units,
            depth,
            tiles_y,
            tiles_x,
            images,
            real_y,
            real_x,
            pair_image,
            pair_y,
            pair_x,
            log_y,
            log_x,
            step_y,
            step_x,
            slabs_z,
            slabs_y,
            slabs_x,
            part_y,
            part_x,
            reach_y,
            reach_x,
            end_y,
            end_x,
            image_x,
            image_y,
            image_z,
            image_first,
            start_x,
            start_y,
            start_z,
            boundary_x,
            boundary_y,
            boundary_z,
            out_x,
            out_y,
            out_z,
            all_kernels,
            kernel_first,
            kernels,
            each,
            table_at,
            groups,
            round
        })
    };
    let variant = |label: &'static str, source: String| Variant { label, source, layouts: vec![layout()] };
    let mut variants = vec![];
    for double in [false, true] {
        for image in Dtype::ALL.into_iter().filter(|&image| double || image != Dtype::F64) {
            variants.push(variant("convolve_fft_rows", rows_source(double, image)));
        }
        variants.extend((0..3).map(|stage| variant("convolve_fft_columns", columns_source(double, stage))));
        variants.push(variant("convolve_fft_inverse", inverse_source(double)));
    }
    variants
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twiddle_factors_are_exact_where_they_can_be() {
        for n in [1, 2, 4, 8, 64, 1024] {
            for j in 0..n {
                let [re, im] = turned(j, n);
                let angle = std::f64::consts::TAU * j as f64 / n as f64;
                assert!((re - angle.cos()).abs() < 1e-15 && (im + angle.sin()).abs() < 1e-15, "{j}/{n}");
                if 4 * j % n == 0 {
                    assert!(re.fract() == 0.0 && im.fract() == 0.0, "{j}/{n}");
                }
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
