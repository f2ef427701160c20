//! Overlap-save Fourier transforms of tiles on the device: work that does not grow with the kernel.
//!
//! Two real tiles are one complex one, a unit. A slice of units is transformed row by row as it is read, with boundary and
//! dtype resolved; then column by column, where each kernel's product and the first half of the inverse follow from
//! registers; then rows again, where the two real tiles part. The image's transforms serve all kernels of a batch, a
//! kernel's transform is made once. Kernels longer than a line are cut into slabs whose products are summed before the
//! inverse, and so are depths. Lines are transformed in workgroup memory, by Stockham's order of stages of radix 4.
//!
//! **Numerics.** Within `8·ε·log₂N·‖k‖₂‖x‖₂` over the inputs of the two tiles (`docs/numerics.md` has the derivation). Twiddle
//! factors come from the host, in binary64 rounded once. Kernels are scaled to a sum of magnitudes of at most 1 by powers of
//! two, and the results back, so that no intermediate overflows below [`limit`]. The bits depend on how the device is asked to
//! cut the work.

mod shader;
mod twiddles;

use std::ops::Range;
use std::sync::Arc;

use super::Work;
use super::chunk::{Axis, Chunk};
use super::shader::Sums;
use super::tiles::{Lines, Pairs, Tiles, most_bytes};
use crate::gpu::dispatch::{Bind, Dispatch, fold};
use crate::gpu::memory::{Block, Gathered};
use crate::gpu::pipeline::Pipeline;
use crate::{Dtype, Result};
pub(super) use shader::variants;
use shader::{FftParams, Length, shape};
use twiddles::turned;

/// Kernels that a workgroup multiplies one transform with.
const EACH: usize = 8;
/// The least power of two that kernels are scaled by: results are scaled back by a normal number.
const LEAST_EXPONENT: f64 = -90.0;

/// The magnitude that inputs must be below for tiles of so many elements, where numbers go up to `largest`.
pub(super) fn limit(largest: f64, tiles: &Tiles) -> f64 {
    largest / (16.0 * (tiles.len() * tiles.slab_count()) as f64)
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
}
