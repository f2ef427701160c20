//! Overlap-save Fourier transforms of tiles: work that does not grow with the kernel.
//!
//! The output is cut into tiles on a fixed grid. Two tiles make one complex tile, one its real and the other its imaginary
//! part; because the kernels are real, the parts stay apart through transform, product and inverse. A tile's transform is
//! shared by all kernels of a bank, each kernel's is computed once. Rows are transformed in place, columns a few at a time
//! in the first-level cache, where product and inverse of a single kernel follow at once. Along the depth the products are
//! summed before the inverse. The transforms of lines are rustfft's.
//!
//! **Numerics.** Within `c·ε·log₂N·‖k‖₂‖x‖₂` over the inputs of the two tiles, `N` elements each: small results beside large
//! inputs lose relative accuracy. The bits depend on the plan and the processor (rustfft has code for its vector
//! instructions), not on threads or parts. Integers go through binary64 and are rounded; only if the bound proves that
//! exact. Pairs of tiles with an infinity or a NaN among their inputs, or values that could overflow, are computed directly.

use std::ops::Range;
use std::sync::Arc;

use rustfft::num_complex::Complex;
use rustfft::{Fft, FftNum, FftPlanner};

use super::block::Blocked;
use super::nest::Nested;
use super::pack::Castable;
use super::store::{self, Finishable};
use super::tile::{self, Job, Tile};
use crate::cpu::simd::Kernel;
use crate::cpu::tasks;
use crate::plan::ConvolvePlan;
use crate::{Error, Result};

/// Bytes of columns that are transformed at once.
const LINE: usize = 64;
/// Outputs along the depth that share the transforms of their slabs.
const DEPTHS: usize = 8;
/// Tasks per thread to aim at.
const TASKS: usize = 8;
/// Bytes of a complex tile beyond which its passes are bound by memory.
const TILE_BYTES: usize = 600 << 10;
/// What an operation costs beside one of a transform of lines in the first-level cache.
const DEARNESS: f64 = 1.65;

/// The sizes of a plan's tiles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tiles {
    /// Elements that are transformed, along `y` and `x`.
    size: [usize; 2],
    /// Outputs of a tile along `y` and `x`.
    step: [usize; 2],
    /// Floating-point operations of the whole plan, weighted by their dearness.
    pub(super) cost: f64,
}

impl Tiles {
    /// The cheapest tiles for a plan in numbers of `bytes` bytes.
    pub(super) fn choose(plan: &ConvolvePlan, bytes: usize) -> Self {
        let sizes = |axis: usize| {
            let (n, k) = (plan.output[axis], plan.kernel[axis]);
            let lone = plan.output[1] == 1 && plan.kernel[1] == 1;
            if n + k == 2 {
                return vec![1];
            }
            let (least, most) = (k + k.div_ceil(8), if lone { 1 << 20 } else { (8 * k).max(512) });
            let all = || (3..40).flat_map(|e| [1usize << e, 3 << (e - 1), 9 << (e - 2)]);
            let enough = all().filter(|&size| size >= n + k - 1).min().unwrap_or(1 << 40);
            let mut list: Vec<usize> = all().filter(|&size| size >= least && size <= most && size < enough).collect();
            list.push(enough.max(8));
            list
        };
        let (ys, xs) = (sizes(1), sizes(2));
        let candidates = ys.iter().flat_map(|&y| xs.iter().map(move |&x| Self::new(plan, [y, x], bytes)));
        let best = candidates.min_by(|a, b| a.cost.total_cmp(&b.cost));
        best.unwrap_or_else(|| Self::new(plan, [plan.output[1] + plan.kernel[1] - 1, plan.output[2] + plan.kernel[2] - 1], bytes))
    }

    fn new(plan: &ConvolvePlan, size: [usize; 2], bytes: usize) -> Self {
        let step = [0, 1].map(|axis| (size[axis] + 1 - plan.kernel[axis + 1]).min(plan.output[axis + 1]));
        let tiles = plan.output[1].div_ceil(step[0]) * plan.output[2].div_ceil(step[1]);
        let (n, depth, kd) = (size[0] * size[1], plan.output[0] as f64, plan.kernel[0] as f64);
        let transform = 5.0 * n as f64 * (n as f64).log2().max(1.0);
        let chunks = (depth / DEPTHS as f64).ceil();
        let slabs = depth + chunks * (kd - 1.0);
        let kernels = plan.kernel_count() as f64;
        // Products of a bank read every kernel's transform from memory; packing and unpacking count as well.
        let product = (if kernels > 1.0 { 80.0 } else { 12.0 }) * n as f64 * kd;
        let pairs = (tiles as f64 / 2.0).ceil() * plan.image_count() as f64;
        let moved = 40.0 * n as f64;
        let held = n * 2 * bytes * if kernels > 1.0 || kd > 1.0 { 2 } else { 1 };
        let far = DEARNESS * (1.0 + 0.35 * (held as f64 / TILE_BYTES as f64).log2().clamp(0.0, 2.0));
        let each = slabs * (transform + moved) + kernels * depth * (transform + product + moved);
        Self { size, step, cost: far * (pairs * each + kernels * kd * transform) }
    }

    /// Elements of a tile.
    pub(super) fn len(&self) -> usize {
        self.size[0] * self.size[1]
    }
}

/// Whether rounding a binary64 result gives the exact integer for results of this reach.
pub(super) fn is_exact(reach: u128, tiles: &Tiles) -> bool {
    // The error is at most c·2^-53·log₂N·‖k‖₂‖x‖₂ with ‖x‖₂ <= √(2N)·max|x|; c = 8 is generous.
    let n = tiles.len() as f64;
    reach as f64 * (2.0 * n).sqrt() * n.log2().max(1.0) * 8.0 * (f64::EPSILON / 2.0) < 0.25
}

/// A type that is transformed: `f32` and `f64`.
pub(super) trait Transformed: Nested + FftNum {
    /// The nearest integer, ties to even; zero is +0, as the sum of integers is.
    fn rounded(self) -> Self;
}

impl Transformed for f32 {
    #[inline(always)]
    fn rounded(self) -> Self {
        self.round_ties_even() + 0.0
    }
}

impl Transformed for f64 {
    #[inline(always)]
    fn rounded(self) -> Self {
        self.round_ties_even() + 0.0
    }
}

/// A convolution by Fourier transforms with everything decided.
pub(super) struct Overlap<'a, C: FftNum> {
    direct: Job<'a, C>,
    tiles: Tiles,
    /// Forward and backward, of rows and of columns.
    rows: [Arc<dyn Fft<C>>; 2],
    columns: [Arc<dyn Fft<C>>; 2],
    /// The kernels' conjugate transforms over the tile's size: kernel by kernel, depth by depth, column by column.
    spectra: Vec<Complex<C>>,
    /// As for the fast FIR convolution.
    limit: Option<u64>,
}

// SAFETY: as for `Job`: the image is only read, and every task writes outputs of its own.
unsafe impl<C: FftNum> Sync for Overlap<'_, C> {}

/// Memory that several tasks write to, each to its own part.
struct Shared<T>(*mut T);
// SAFETY: see the uses.
unsafe impl<T> Sync for Shared<T> {}

/// The scratch of a task.
struct Scratch<'s, C> {
    /// One complex tile, row by row.
    tile: &'s mut [Complex<C>],
    /// Some columns, one after the other.
    strip: &'s mut [Complex<C>],
    /// What rustfft asks for.
    free: &'s mut [Complex<C>],
    /// The transforms of the slabs, column by column; empty for a single kernel without depth.
    slabs: &'s mut [Complex<C>],
    /// Two rows of the image or the output.
    lines: [&'s mut [C]; 2],
}

impl<'a, C: Blocked + Castable + Finishable + Transformed> Overlap<'a, C> {
    /// The convolution of `direct`. `weight` is the largest sum of a kernel's magnitudes over the whole bank.
    pub(super) fn new(direct: Job<'a, C>, tiles: Tiles, weight: f64) -> Result<Self> {
        let mut planner = FftPlanner::<C>::new();
        let [ty, tx] = tiles.size;
        let rows = [planner.plan_fft_forward(tx), planner.plan_fft_inverse(tx)];
        let columns = [planner.plan_fft_forward(ty), planner.plan_fft_inverse(ty)];
        let limit = C::largest() / (8.0 * tiles.len() as f64 * weight.max(1.0));
        let limit = (weight <= C::largest() / (8.0 * tiles.len() as f64)).then(|| C::from_fill(limit).order());
        let mut overlap = Self { direct, tiles, rows, columns, spectra: Vec::new(), limit };
        if limit.is_some() {
            overlap.spectra = overlap.transform_kernels()?;
        }
        Ok(overlap)
    }

    /// Columns that are transformed at once.
    fn strip(&self) -> usize {
        (LINE / size_of::<Complex<C>>()).min(self.tiles.size[1])
    }

    /// Lends the scratch of a task with room for the transforms of so many slabs.
    fn with_scratch<T>(&self, slabs: usize, work: impl FnOnce(Scratch<'_, C>) -> Result<T>) -> Result<T> {
        let [ty, tx] = self.tiles.size;
        let free = self.rows.iter().chain(&self.columns).map(|fft| fft.get_inplace_scratch_len()).max().unwrap_or(0);
        let line = tx.next_multiple_of(64 / size_of::<C>());
        let lengths = [ty * tx, self.strip() * ty, free, slabs * ty * tx, line].map(|n| n.next_multiple_of(8));
        let bytes = lengths.iter().fold(0usize, |sum, n| sum.saturating_add(n.saturating_mul(size_of::<Complex<C>>())));
        tile::with_scratch(bytes, |scratch| {
            let mut at = scratch.cast::<Complex<C>>();
            // SAFETY: the lengths sum to the scratch, which is this thread's own, holds numbers, and is aligned.
            unsafe {
                let mut next = |n: usize| {
                    let slice = std::slice::from_raw_parts_mut(at, n);
                    at = at.add(n);
                    slice
                };
                let [tile, strip, free, slabs, lines] =
                    [next(lengths[0]), next(lengths[1]), next(lengths[2]), next(lengths[3]), next(lengths[4])];
                let lines = std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast::<C>(), 2 * line);
                let (a, b) = lines.split_at_mut(line);
                let (tile, strip) = (&mut tile[..ty * tx], &mut strip[..self.strip() * ty]);
                work(Scratch { tile, strip, free, slabs, lines: [a, b] })
            }
        })
    }

    /// Transforms columns `x..x + count` of a tile into the strip.
    fn forward(&self, tile: &[Complex<C>], x: usize, count: usize, strip: &mut [Complex<C>], free: &mut [Complex<C>]) {
        let [ty, tx] = self.tiles.size;
        for (y, row) in tile.chunks_exact(tx).enumerate() {
            for (column, value) in row[x..x + count].iter().enumerate() {
                strip[column * ty + y] = *value;
            }
        }
        self.columns[0].process_with_scratch(&mut strip[..count * ty], free);
    }

    /// Transforms columns of the strip back, and puts the first rows of them into the tile.
    fn backward(&self, tile: &mut [Complex<C>], x: usize, count: usize, strip: &mut [Complex<C>], free: &mut [Complex<C>]) {
        let [ty, tx] = self.tiles.size;
        self.columns[1].process_with_scratch(&mut strip[..count * ty], free);
        for (y, row) in tile.chunks_exact_mut(tx).enumerate().take(self.tiles.step[0]) {
            for (column, value) in row[x..x + count].iter_mut().enumerate() {
                *value = strip[column * ty + y];
            }
        }
    }

    fn transform_kernels(&self) -> Result<Vec<Complex<C>>> {
        let direct = &self.direct;
        let [kd, kh, kw] = direct.plan.kernel;
        let ([ty, tx], n) = (self.tiles.size, self.tiles.len());
        let kernels = direct.plan.kernels.len();
        let len = kernels.saturating_mul(kd).saturating_mul(n);
        let zero = Complex::new(C::ZERO, C::ZERO);
        let mut spectra = Vec::new();
        let bytes = len.saturating_mul(size_of::<Complex<C>>()) as u64;
        spectra.try_reserve_exact(len).map_err(|_| Error::OutOfMemory { device: "the host".into(), bytes })?;
        spectra.resize(len, zero);
        let scale = C::from_fill(1.0 / n as f64);
        let group_of: Vec<usize> = direct.groups.iter().enumerate().flat_map(|(g, group)| vec![g; group.count]).collect();
        let shared = Shared(spectra.as_mut_ptr());
        let task = |task: usize| {
            let shared = &shared;
            let (k, dz) = (task / kd, task % kd);
            let group = &direct.groups[group_of[k]];
            // SAFETY: task by task another transform, all of them within the vector.
            let target = unsafe { std::slice::from_raw_parts_mut(shared.0.add(task * n), n) };
            self.with_scratch(0, |scratch| {
                scratch.tile.fill(zero);
                for y in 0..kh {
                    for x in 0..kw {
                        let tap = (dz * kh + y) * kw + x;
                        let w = direct.weights[group.weights + tap * group.count + k - group.first];
                        scratch.tile[y * tx + x] = Complex::new(w * scale, C::ZERO);
                    }
                }
                self.rows[0].process_with_scratch(&mut scratch.tile[..kh * tx], scratch.free);
                for x in (0..tx).step_by(self.strip()) {
                    let count = self.strip().min(tx - x);
                    self.forward(scratch.tile, x, count, scratch.strip, scratch.free);
                    for (target, value) in target[x * ty..].iter_mut().zip(&scratch.strip[..count * ty]) {
                        *target = Complex::new(value.re, C::ZERO.minus(value.im));
                    }
                }
                Ok(())
            })
        };
        tasks::for_each(kernels * kd, 1, &task)?;
        Ok(spectra)
    }

    /// Runs all tasks on the current threads.
    pub(super) fn run(&self) -> Result<()> {
        let plan = self.direct.plan;
        if self.limit.is_none() {
            return self.direct.run();
        }
        let mut ranges = plan.output.map(|n| 0..n);
        ranges[plan.row_axis()] = plan.rows.clone();
        let across = plan.output[2].div_ceil(self.tiles.step[1]);
        let tiles = plan.output[1].div_ceil(self.tiles.step[0]) * across;
        let touched = |tile: usize| self.place(tile, &ranges).iter().all(|range| !range.is_empty());
        let pairs: Vec<usize> = (0..tiles.div_ceil(2)).filter(|pair| touched(2 * pair) || touched(2 * pair + 1)).collect();
        let depths = if plan.kernel[0] > 1 { DEPTHS } else { 1 };
        let chunks = ranges[0].start / depths..ranges[0].end.div_ceil(depths);
        let kernels = plan.kernels.len();
        let items = plan.images.len() * chunks.len() * pairs.len();
        let shares = (tasks::threads() * TASKS).div_ceil(items.max(1)).min(kernels);
        let shares = if tasks::threads() == 1 { 1 } else { shares };
        let task = |task: usize| {
            let (item, share) = (task / shares, task % shares);
            let (rest, pair) = (item / pairs.len(), pairs[item % pairs.len()]);
            let (image, chunk) = (rest / chunks.len(), chunks.start + rest % chunks.len());
            let depth = chunk * depths..((chunk + 1) * depths).min(plan.output[0]);
            self.task(image, depth, pair, share * kernels / shares..(share + 1) * kernels / shares, &ranges)
        };
        tasks::for_each(items * shares, 1, &task)
    }

    /// The outputs of a tile that belong to the part: rows, columns. Empty beyond the last tile.
    fn place(&self, tile: usize, ranges: &[Range<usize>; 3]) -> [Range<usize>; 2] {
        let across = self.direct.plan.output[2].div_ceil(self.tiles.step[1]);
        let along = |index: usize, axis: usize| {
            let (start, range) = (index * self.tiles.step[axis], &ranges[axis + 1]);
            let first = start.clamp(range.start, range.end);
            first..(start + self.tiles.step[axis]).clamp(first, range.end.max(first))
        };
        [along(tile / across, 0), along(tile % across, 1)]
    }

    fn task(
        &self,
        image: usize,
        depth: Range<usize>,
        pair: usize,
        kernels: Range<usize>,
        ranges: &[Range<usize>; 3],
    ) -> Result<()> {
        let direct = &self.direct;
        direct.control.check()?;
        let kd = direct.plan.kernel[0];
        let alone = kd == 1 && kernels.len() == 1;
        let inside = depth.start.max(ranges[0].start)..depth.end.min(ranges[0].end);
        let done = self.with_scratch(if alone { 0 } else { depth.len() + kd - 1 }, |mut scratch| {
            let n = self.tiles.len();
            let [ty, tx] = self.tiles.size;
            let mut largest = 0;
            for slab in 0..depth.len() + kd - 1 {
                largest = largest.max(self.pack(image, (depth.start + slab) as isize, pair, &mut scratch));
                if self.limit.is_none_or(|limit| largest > limit) {
                    return Ok(false);
                }
                self.rows[0].process_with_scratch(scratch.tile, scratch.free);
                for x in (0..tx).step_by(self.strip()) {
                    let count = self.strip().min(tx - x);
                    let Scratch { tile, strip, free, slabs, .. } = &mut scratch;
                    self.forward(tile, x, count, strip, free);
                    if alone {
                        let spectrum = &self.spectra[kernels.start * n + x * ty..][..count * ty];
                        direct.simd.run(Multiply { spectrum, target: &mut strip[..count * ty] });
                        self.backward(tile, x, count, strip, free);
                    } else {
                        slabs[slab * n + x * ty..][..count * ty].copy_from_slice(&strip[..count * ty]);
                    }
                }
            }
            for k in kernels.clone() {
                for z in inside.clone() {
                    direct.control.check()?;
                    let Scratch { tile, strip, free, slabs, .. } = &mut scratch;
                    for x in (0..tx).step_by(self.strip()).filter(|_| !alone) {
                        let count = self.strip().min(tx - x);
                        for dz in 0..kd {
                            let slab = &slabs[(z - depth.start + dz) * n + x * ty..][..count * ty];
                            let spectrum = &self.spectra[(k * kd + dz) * n + x * ty..][..count * ty];
                            let target = &mut strip[..count * ty];
                            direct.simd.run(Product { first: dz == 0, slab, spectrum, target });
                        }
                        self.backward(tile, x, count, strip, free);
                    }
                    let rows = self.tiles.step[0];
                    self.rows[1].process_with_scratch(&mut tile[..rows * tx], free);
                    self.store(image, z, pair, k, &mut scratch, ranges)?;
                }
            }
            Ok(true)
        })?;
        if !done {
            for (tile, z) in [2 * pair, 2 * pair + 1].into_iter().flat_map(|tile| inside.clone().map(move |z| (tile, z))) {
                let [rows, columns] = self.place(tile, ranges);
                if rows.is_empty() || columns.is_empty() {
                    continue;
                }
                // Groups that the share's kernels touch, each by the share that has its first kernel.
                let owned = |g: &usize| kernels.contains(&direct.groups[*g].first);
                let groups: Vec<usize> = (0..direct.groups.len()).filter(owned).collect();
                let (Some(&first), Some(&last)) = (groups.first(), groups.last()) else { continue };
                let rows = rows.start - ranges[1].start..rows.end - ranges[1].start;
                let columns = columns.start - ranges[2].start..columns.end - ranges[2].start;
                let tile = Tile { image, depth: z - ranges[0].start, rows, columns, groups: first..last + 1 };
                direct.run_tile(C::blocks(direct.simd), &tile)?;
            }
        }
        if direct.finish.streams() {
            store::fence();
        }
        Ok(())
    }

    /// Packs a slab of both tiles, one as real, the other as imaginary part; their largest magnitude.
    fn pack(&self, image: usize, z: isize, pair: usize, scratch: &mut Scratch<'_, C>) -> u64 {
        let plan = self.direct.plan;
        let [ty, tx] = self.tiles.size;
        let across = plan.output[2].div_ceil(self.tiles.step[1]);
        let tiles = plan.output[1].div_ceil(self.tiles.step[0]) * across;
        let passes = C::passes(self.direct.simd);
        let mut largest = 0;
        for y in 0..ty {
            for (line, tile) in scratch.lines.iter_mut().zip([2 * pair, 2 * pair + 1]) {
                let start = [tile / across * self.tiles.step[0], tile % across * self.tiles.step[1]];
                // What no output of the tile reads is zero.
                let rows = self.tiles.step[0].min(plan.output[1].saturating_sub(start[0])) + plan.kernel[1] - 1;
                let n = self.tiles.step[1].min(plan.output[2] - start[1]) + plan.kernel[2] - 1;
                if tile >= tiles || y >= rows {
                    line[..tx].fill(C::ZERO);
                    continue;
                }
                let [from_y, from_x] = [0, 1].map(|axis| start[axis] as isize + plan.start[axis + 1]);
                let place = [z + plan.start[0], from_y + y as isize, from_x];
                // SAFETY: a line has room for `tx >= n` elements, which are there when they are read.
                unsafe {
                    self.direct.row(image, place, line.as_mut_ptr(), n);
                    largest = largest.max((passes.largest)(line.as_ptr(), n));
                }
                line[n..tx].fill(C::ZERO);
            }
            let [a, b] = &scratch.lines;
            let target = &mut scratch.tile[y * tx..(y + 1) * tx];
            self.direct.simd.run(Join { a: &a[..tx], b: &b[..tx], target });
        }
        largest
    }

    /// Stores the outputs of both tiles that belong to the part.
    fn store(
        &self,
        image: usize,
        z: usize,
        pair: usize,
        kernel: usize,
        scratch: &mut Scratch<'_, C>,
        ranges: &[Range<usize>; 3],
    ) -> Result<()> {
        let direct = &self.direct;
        let (plan, tx) = (direct.plan, self.tiles.size[1]);
        let [stride_z, stride_y, stride_x] = direct.output.strides;
        let across = plan.output[2].div_ceil(self.tiles.step[1]);
        let places = [2 * pair, 2 * pair + 1].map(|tile| self.place(tile, ranges));
        let steps = self.tiles.step;
        let taps: usize = plan.kernel.iter().product();
        for y in 0..steps[0] {
            let wanted = [0, 1].map(|part| {
                let at = (2 * pair + part) / across * steps[0] + y;
                places[part][0].contains(&at) && !places[part][1].is_empty()
            });
            if wanted == [false; 2] {
                continue;
            }
            let [a, b] = &mut scratch.lines;
            let source = &scratch.tile[y * tx..y * tx + steps[1]];
            let round = direct.finish.is_integer();
            direct.simd.run(Part { source, a: &mut a[..steps[1]], b: &mut b[..steps[1]], round });
            for part in (0..2).filter(|&part| wanted[part]) {
                let (tile, columns) = (2 * pair + part, &places[part][1]);
                let row = tile / across * steps[0] + y;
                let offset = direct.output.images[image]
                    + direct.output.kernels[kernel]
                    + (z - ranges[0].start) as isize * stride_z
                    + (row - ranges[1].start) as isize * stride_y
                    + (columns.start - ranges[2].start) as isize * stride_x;
                let line = &scratch.lines[part][columns.start - tile % across * steps[1]..];
                // SAFETY: the line holds the columns, and the outputs are this task's own.
                if !unsafe { direct.finish.row(line.as_ptr(), columns.len(), direct.output.at(offset), stride_x) } {
                    return Err(Error::Overflow { op: plan.name(), out_dtype: plan.out_dtype });
                }
                direct.control.advance((columns.len() * taps) as u64);
            }
        }
        Ok(())
    }
}

/// `target[i] *= spectrum[i]`.
struct Multiply<'a, C> {
    spectrum: &'a [Complex<C>],
    target: &'a mut [Complex<C>],
}

impl<C: FftNum> Kernel for Multiply<'_, C> {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        for (x, w) in self.target.iter_mut().zip(self.spectrum) {
            *x = Complex::new(x.re * w.re - x.im * w.im, x.re * w.im + x.im * w.re);
        }
    }
}

/// `target[i] = slab[i] · spectrum[i]`, or that added to it.
struct Product<'a, C> {
    first: bool,
    slab: &'a [Complex<C>],
    spectrum: &'a [Complex<C>],
    target: &'a mut [Complex<C>],
}

impl<C: FftNum> Kernel for Product<'_, C> {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        let both = self.slab.iter().zip(self.spectrum);
        if self.first {
            for (target, (x, w)) in self.target.iter_mut().zip(both) {
                *target = Complex::new(x.re * w.re - x.im * w.im, x.re * w.im + x.im * w.re);
            }
        } else {
            for (target, (x, w)) in self.target.iter_mut().zip(both) {
                target.re = target.re + (x.re * w.re - x.im * w.im);
                target.im = target.im + (x.re * w.im + x.im * w.re);
            }
        }
    }
}

/// Two rows as the parts of one.
struct Join<'a, C> {
    a: &'a [C],
    b: &'a [C],
    target: &'a mut [Complex<C>],
}

impl<C: Copy> Kernel for Join<'_, C> {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        for (target, (a, b)) in self.target.iter_mut().zip(self.a.iter().zip(self.b)) {
            *target = Complex::new(*a, *b);
        }
    }
}

/// The parts of a row, rounded to integers where they are.
struct Part<'a, C> {
    source: &'a [Complex<C>],
    a: &'a mut [C],
    b: &'a mut [C],
    round: bool,
}

impl<C: Transformed> Kernel for Part<'_, C> {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        let rows = self.a.iter_mut().zip(self.b.iter_mut());
        if self.round {
            for ((a, b), value) in rows.zip(self.source) {
                (*a, *b) = (value.re.rounded(), value.im.rounded());
            }
        } else {
            for ((a, b), value) in rows.zip(self.source) {
                (*a, *b) = (value.re, value.im);
            }
        }
    }
}
