//! Convolution with channels, strides, dilations or complex numbers.
//!
//! A task is a band of output rows (or a segment of them) of one image, for one group of channels and all its kernels or a
//! share of them. It packs what the band reads so that the outputs of a row always read side by side: a slab for every
//! channel and tap of depth; the rows of a slab as they lie, or those of each tap row apart where that is less; a row as one
//! phase for every remainder that a tap's place leaves modulo the stride, or one for every tap. Then a table says where each
//! tap reads, and `spread.rs` does the rest. Complex numbers are pairs of real ones ([`Parts`]).
//!
//! Taps are added in the order channel, depth, row, column, one fused multiply-add each.

use std::ops::Range;

use super::exact::Exact;
use super::layout::Layout;
use super::pack::{CastRow, Castable, Line, pack_steps};
use super::spread::{Blocks, KERNELS, Shape, Spread, Spreadable};
use super::store::{self, FinishRow, Finishable, Rows};
use super::tile::with_scratch;
use crate::cpu::simd::Simd;
use crate::cpu::tasks;
use crate::plan::ConvolvePlan;
use crate::{Control, Error, Result};

/// Bytes of packed image that a task aims at.
const BAND_BYTES: usize = 384 << 10;
/// Multiply-adds after which progress is reported.
const REPORT: u64 = 1 << 24;
/// Nanoseconds below which work is not shared among threads, and those that a task should take.
const SERIAL_NANOS: f64 = 50e3;
const TASK_NANOS: f64 = 150e3;

/// Kernels that share a block.
pub(super) struct Bundle {
    /// The first, counted from the part's first real kernel.
    pub first: usize,
    pub count: usize,
    /// Where their weights start.
    pub weights: usize,
}

/// The bundles of one group of channels.
struct Section {
    /// The group.
    group: usize,
    bundles: Range<usize>,
}

/// A convolution with everything decided.
pub(super) struct General<'a, C: 'static> {
    plan: &'a ConvolvePlan,
    pub control: &'a Control,
    pub simd: Simd,
    image: Layout,
    cast: CastRow<C>,
    /// The values outside, and what they are in imaginary parts.
    pub fill: [C; 3],
    pub fill_imaginary: [C; 3],
    output: Layout,
    finish: FinishRow<C>,
    pub bundles: Vec<Bundle>,
    sections: Vec<Section>,
    pub weights: Vec<C>,
    /// Where the outputs' reading is packed along height and width.
    rows: Packing,
    columns: Packing,
    /// How to compute a packed tile where results are rounded once, instead of by the blocks alone.
    pub exact: Option<(&'a Exact, Exactly<C>)>,
}

/// Computes a packed tile.
///
/// # Safety
/// The band must be packed, and `results` have room for six rows and for those of any bundle.
pub(super) type Exactly<C> = unsafe fn(&General<'_, C>, &Exact, &Tile, &Band<'_, C>, results: *mut C) -> Result<()>;

// SAFETY: the image is only read, and every task writes outputs of its own.
unsafe impl<C: Sync> Sync for General<'_, C> {}

/// One axis as it is packed.
#[derive(Debug, Clone, Copy)]
struct Packing {
    taps: usize,
    stride: usize,
    dilation: usize,
}

impl Packing {
    /// The phases (places of taps modulo the stride) that are packed for `outputs` outputs, or `None` if every tap has a
    /// line of its own because that is less. A phase's line has [`line`](Self::line) elements.
    fn phases(self, outputs: usize) -> Option<Vec<usize>> {
        let mut phases: Vec<usize> = (0..self.taps.min(self.stride)).map(|tap| tap * self.dilation % self.stride).collect();
        phases.sort_unstable();
        phases.dedup();
        (phases.len() * self.line(outputs) <= self.taps * outputs).then_some(phases)
    }

    /// Elements of a phase's line.
    fn line(self, outputs: usize) -> usize {
        outputs + (self.taps - 1) * self.dilation / self.stride
    }
}

/// A line that is packed: position `from + i · stride` of the extended axis at `i`, for `n` of them.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Piece {
    from: usize,
    n: usize,
    /// Where it is packed, in lines or elements.
    at: usize,
}

/// How an axis is packed for some outputs: the pieces, where each tap's first output reads, and the length of all.
fn pieces(axis: Packing, outputs: usize) -> (Vec<Piece>, Vec<usize>, usize) {
    let Packing { taps, stride, dilation } = axis;
    match axis.phases(outputs) {
        None => {
            let piece = |tap: usize| Piece { from: tap * dilation, n: outputs, at: tap * outputs };
            let pieces: Vec<Piece> = (0..taps).map(piece).collect();
            let places = pieces.iter().map(|piece| piece.at).collect();
            (pieces, places, taps * outputs)
        }
        Some(phases) => {
            let line = axis.line(outputs);
            let pieces = phases.iter().enumerate().map(|(i, &from)| Piece { from, n: line, at: i * line }).collect();
            let place = |tap: usize| {
                let phase = phases.binary_search(&(tap * dilation % stride)).unwrap_or(0);
                phase * line + tap * dilation / stride
            };
            (pieces, (0..taps).map(place).collect(), phases.len() * line)
        }
    }
}

/// How the part is cut.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Tiling {
    band: usize,
    segment: usize,
    /// Bands, segments, shares of a section's bundles.
    counts: [usize; 3],
    together: usize,
    parallel: bool,
}

/// One tile: see [`Tiling`].
pub(super) struct Tile {
    image: usize,
    section: usize,
    depth: usize,
    pub rows: Range<usize>,
    pub columns: Range<usize>,
    pub bundles: Range<usize>,
}

impl<'a, C: Spreadable + Castable + Finishable> General<'a, C> {
    pub(super) fn new(
        plan: &'a ConvolvePlan,
        image: Layout,
        kernel: &Layout,
        output: Layout,
        finish: FinishRow<C>,
        simd: Simd,
        control: &'a Control,
    ) -> Result<Self> {
        let parts = plan.kernel_parts();
        let kernels = plan.kernels.start * parts..plan.kernels.end * parts;
        let taps = plan.sum_channels() * plan.kernel.iter().product::<usize>();
        let (mut bundles, mut sections) = (vec![], vec![]);
        let mut at = kernels.start;
        while at < kernels.end {
            let group = at / plan.group_kernels();
            let end = kernels.end.min((group + 1) * plan.group_kernels());
            let (n, first) = (end - at, bundles.len());
            let count = n.div_ceil(KERNELS);
            for i in 0..count {
                let (from, to) = (at + i * n / count - kernels.start, at + (i + 1) * n / count - kernels.start);
                bundles.push(Bundle { first: from, count: to - from, weights: from * taps });
            }
            sections.push(Section { group, bundles: first..bundles.len() });
            at = end;
        }
        let packing = |axis: usize| Packing { taps: plan.kernel[axis], stride: plan.stride[axis], dilation: plan.dilation[axis] };
        let weights = weights(plan, kernel, &bundles, simd)?;
        Ok(Self {
            plan,
            control,
            simd,
            image,
            cast: CastRow::new(simd, plan.image_dtype.real()),
            fill: plan.boundary.map(|b| C::from_fill(b.fill())),
            fill_imaginary: plan.boundary.map(|b| C::from_fill(b.fill_imaginary())),
            output,
            finish,
            bundles,
            sections,
            weights,
            rows: packing(1),
            columns: packing(2),
            exact: None,
        })
    }

    /// Runs all tasks on the current thread pool.
    pub(super) fn run(&self) -> Result<()> {
        let blocks = C::spread(self.simd);
        let tiling = self.tiling(blocks, tasks::threads());
        let tasks = self.items() * tiling.counts.iter().product::<usize>();
        let together = if tiling.parallel { tiling.together } else { tasks };
        tasks::for_each(tasks, together, &|task| self.task(blocks, &tiling, task))
    }

    /// Planes of output for all kernels of a group.
    fn items(&self) -> usize {
        self.image.images.len() * self.sections.len() * self.plan.part_output()[0]
    }

    /// Slabs of a tile: its channels and taps of depth.
    fn slabs(&self) -> usize {
        self.plan.sum_channels() * self.plan.kernel[0]
    }

    fn tiling(&self, blocks: &Blocks<C>, threads: usize) -> Tiling {
        let [_, height, width] = self.plan.part_output();
        let size = size_of::<C>();
        let shape = blocks.shape(self.bundles.first().map_or(1, |bundle| bundle.count));
        // A coarse model of one thread: multiply-adds of a vector unit, bytes of memory.
        let rate = (blocks.lanes * 4) as f64;
        let nanos = self.plan.work() as f64 / rate + (self.plan.outputs() * self.plan.out_dtype.size()) as f64 / 8.0;
        let parallel = threads > 1 && nanos > SERIAL_NANOS;
        let wanted = if parallel { ((nanos / TASK_NANOS) as usize).clamp(threads, 16 * threads) } else { 1 };

        let items = self.items();
        let lines = |rows: usize| pieces(self.rows, rows).2;
        let bytes = |rows: usize, columns: usize| {
            let row = pieces(self.columns, columns).2;
            row.saturating_mul(lines(rows)).saturating_mul(self.slabs() * size)
        };
        // Segments narrow enough for a few rows, then as many rows as fit.
        let tall = shape.rows.min(height);
        let mut segment = width.min((8 << 10) / size).next_multiple_of(blocks.lanes);
        while segment > 2 * shape.wide && bytes(tall, segment) > BAND_BYTES {
            segment = (segment / 2).next_multiple_of(blocks.lanes);
        }
        let segments = width.div_ceil(segment);
        let mut band = height;
        while band > tall && bytes(band, segment) > BAND_BYTES {
            band = (band / 2).max(tall);
        }
        let bands = height.div_ceil(band).max(wanted.div_ceil(items * segments)).min(height.div_ceil(tall));
        let band = height.div_ceil(bands).next_multiple_of(tall);
        let bands = height.div_ceil(band);

        let tasks = items * segments * bands;
        let most = self.sections.iter().map(|section| section.bundles.len()).max().unwrap_or(1);
        let shares = if 2 * tasks > wanted { 1 } else { wanted.div_ceil(tasks).min(most) };
        Tiling { band, segment, counts: [bands, segments, shares], together: (tasks * shares).div_ceil(wanted), parallel }
    }

    fn tile(&self, tiling: &Tiling, task: usize) -> Tile {
        let [depth, height, width] = self.plan.part_output();
        let [bands, segments, shares] = tiling.counts;
        let (task, share) = (task / shares, task % shares);
        let (task, x) = (task / segments, task % segments * tiling.segment);
        let (task, y) = (task / bands, task % bands * tiling.band);
        let (task, depth) = (task / depth, task % depth);
        let (image, section) = (task / self.sections.len(), task % self.sections.len());
        let all = &self.sections[section].bundles;
        let bundle = |share: usize| all.start + share * all.len() / shares;
        Tile {
            image,
            section,
            depth,
            rows: y..(y + tiling.band).min(height),
            columns: x..(x + tiling.segment).min(width),
            bundles: bundle(share)..bundle(share + 1),
        }
    }

    fn task(&self, blocks: &Blocks<C>, tiling: &Tiling, task: usize) -> Result<()> {
        self.control.check()?;
        let tile = self.tile(tiling, task);
        if tile.bundles.is_empty() {
            return Ok(());
        }
        let columns = tile.columns.len().next_multiple_of(blocks.lanes);
        let (rows, row_places, lines) = pieces(self.rows, tile.rows.len());
        let (cells, cell_places, row) = pieces(self.columns, columns);
        let slab = lines * row;
        let mut places = Vec::with_capacity(self.slabs() * row_places.len() * cell_places.len());
        for at in 0..self.slabs() {
            for y in &row_places {
                places.extend(cell_places.iter().map(|x| at * slab + y * row + x));
            }
        }
        let tall = tile.bundles.clone().map(|i| self.bundles[i].count * blocks.shape(self.bundles[i].count).rows).max();
        let results = tall.unwrap_or(1) * columns;
        let elements = slab.checked_mul(self.slabs()).and_then(|n| n.checked_add(results));
        let bytes = elements.and_then(|n| n.checked_mul(size_of::<C>())).unwrap_or(usize::MAX);
        with_scratch(bytes, |scratch| {
            let results_at = scratch.cast::<C>();
            // SAFETY: scratch holds the rows of results of any bundle, then the slabs, and is this thread's own.
            let done = unsafe {
                let band = Band { start: results_at.add(results), row, slab, slabs: self.slabs(), places: &places };
                self.pack(&tile, &band, &rows, &cells);
                match self.exact {
                    Some((exact, run)) => run(self, exact, &tile, &band, results_at),
                    None => self.convolve(blocks, &tile, &band, results_at),
                }
            };
            if self.finish.streams() {
                store::fence();
            }
            done
        })
    }

    /// Packs what the tile reads.
    ///
    /// # Safety
    /// The band must have room for it.
    unsafe fn pack(&self, tile: &Tile, band: &Band<'_, C>, rows: &[Piece], cells: &[Piece]) {
        let plan = self.plan;
        let axis = plan.row_axis();
        let first = [tile.depth, tile.rows.start, tile.columns.start];
        // Where tap 0 of the tile's first output reads.
        let from: [isize; 3] = std::array::from_fn(|at| {
            let output = first[at] + if axis == at { plan.rows.start } else { 0 };
            (output * plan.stride[at]) as isize + plan.start[at]
        });
        let line = |at: usize| Line { boundary: plan.boundary[at], length: plan.image[at] };
        let [stride_z, stride_y, stride_x] = self.image.strides;
        let channel_parts = plan.channel_parts();
        let all = plan.sum_channels();
        for c in 0..all {
            let imaginary = (channel_parts == 2 && c % 2 == 1) || (plan.image_parts() == 2 && tile.image % 2 == 1);
            let fill = if imaginary { self.fill_imaginary } else { self.fill };
            let channel = self.image.channels[self.sections[tile.section].group * all + c];
            for dz in 0..plan.kernel[0] {
                let z = line(0).source(from[0] + (dz * plan.dilation[0]) as isize);
                let slab = (c * plan.kernel[0] + dz) * band.slab;
                for piece in rows {
                    for i in 0..piece.n {
                        let y = line(1).source(from[1] + (piece.from + i * self.rows.stride) as isize);
                        // SAFETY: lines of `row` elements, of which every piece writes its own.
                        let target = unsafe { band.start.add(slab + (piece.at + i) * band.row) };
                        let constant = match (z, y) {
                            (Some(z), Some(y)) => {
                                let offset =
                                    self.image.images[tile.image] + channel + z as isize * stride_z + y as isize * stride_y;
                                let source = (self.image.at(offset).cast_const(), stride_x);
                                for cell in cells {
                                    let first = from[2] + cell.from as isize;
                                    // SAFETY: the row lies inside the image; the target has room for the piece.
                                    unsafe {
                                        let target = (target.add(cell.at), cell.n);
                                        pack_steps(&self.cast, source, line(2), (first, self.columns.stride), fill[2], target);
                                    }
                                }
                                continue;
                            }
                            (None, _) => fill[0],
                            (_, None) => fill[1],
                        };
                        // SAFETY: the target has room for a line.
                        unsafe { std::slice::from_raw_parts_mut(target, band.row) }.fill(constant);
                    }
                }
            }
        }
    }

    /// Runs the blocks of a packed tile.
    ///
    /// # Safety
    /// The band must be packed, and `results` have room for the rows of any bundle.
    unsafe fn convolve(&self, blocks: &Blocks<C>, tile: &Tile, band: &Band<'_, C>, results: *mut C) -> Result<()> {
        let (rows, columns) = (tile.rows.len(), tile.columns.len());
        let out_row = columns.next_multiple_of(blocks.lanes);
        let mut work = 0;
        for bundle in &self.bundles[tile.bundles.clone()] {
            let shape: &Shape<C> = blocks.shape(bundle.count);
            let mut y = 0;
            while y < rows {
                self.control.check()?;
                let height = shape.rows.min(rows);
                // The last rows may start again on rows that are done: a tall block costs less than flat ones.
                let at = y.min(rows - height);
                // SAFETY: the rows are the tile's.
                unsafe {
                    self.block_rows(blocks, bundle, band, at..at + height, columns, results);
                    self.store(tile, bundle, at, height, results, out_row)?;
                }
                work += ((at + height - y) * columns * band.places.len() * bundle.count) as u64;
                y = at + height;
                if work >= REPORT {
                    self.control.advance(std::mem::take(&mut work));
                }
            }
        }
        self.control.advance(work);
        Ok(())
    }

    /// Runs the blocks of a bundle over some rows, at most as many as its shape has.
    ///
    /// # Safety
    /// The band must be packed for the rows, and `results` have room for them.
    pub(super) unsafe fn block_rows(
        &self,
        blocks: &Blocks<C>,
        bundle: &Bundle,
        band: &Band<'_, C>,
        rows: Range<usize>,
        columns: usize,
        results: *mut C,
    ) {
        let (shape, height, out_row) = (blocks.shape(bundle.count), rows.len(), columns.next_multiple_of(blocks.lanes));
        // From the line that a row of outputs reads to the next: phases and taps of their own both have them side by side.
        let spread = |r: usize, x: usize| Spread {
            // SAFETY: row at + r of the tile, column x: the band is packed for them.
            image: unsafe { band.start.add((rows.start + r) * band.row + x) },
            row: band.row,
            places: band.places,
            // SAFETY: the bundle's weights.
            weights: unsafe { self.weights.as_ptr().add(bundle.weights) },
            // SAFETY: the results have room for `height` rows of every kernel.
            out: unsafe { results.add(r * out_row + x) },
            out_row,
            out_kernel: height * out_row,
        };
        let whole = columns / shape.wide * shape.wide;
        // SAFETY: the band is packed for whole vectors in all rows; the instruction set is the blocks' own.
        unsafe {
            for r in 0..height {
                for x in (0..whole).step_by(shape.wide) {
                    (shape.blocks[0])(&spread(r, x));
                }
            }
            for x in (whole..columns).step_by(blocks.lanes) {
                if height == shape.rows {
                    (shape.blocks[1])(&spread(0, x));
                } else {
                    (0..height).for_each(|r| (shape.blocks[2])(&spread(r, x)));
                }
            }
        }
    }

    /// Stores `height` rows of results for each kernel of `bundle`, from row `at` of the tile on.
    ///
    /// # Safety
    /// The rows must be in `results`.
    pub(super) unsafe fn store(
        &self,
        tile: &Tile,
        bundle: &Bundle,
        at: usize,
        height: usize,
        results: *mut C,
        out_row: usize,
    ) -> Result<()> {
        let rows = Rows {
            image: tile.image,
            kernels: bundle.first..bundle.first + bundle.count,
            first: [tile.depth, tile.rows.start + at, tile.columns.start],
            height,
            columns: tile.columns.len(),
        };
        // SAFETY: the rows of results are filled, and the outputs are this tile's own.
        unsafe { self.finish.rows(self.plan, &self.output, &rows, results, out_row) }
    }
}

/// The packed slabs of a tile.
pub(super) struct Band<'a, C> {
    pub start: *mut C,
    /// Elements from one line to the next, and from one slab to the next.
    pub row: usize,
    pub slab: usize,
    pub slabs: usize,
    /// Where each tap of the first output reads.
    pub places: &'a [usize],
}

/// The weights of the part's real kernels in the type computed in, bundle by bundle, tap by tap, kernel by kernel.
fn weights<C: Castable>(plan: &ConvolvePlan, kernel: &Layout, bundles: &[Bundle], simd: Simd) -> Result<Vec<C>> {
    let [kd, kh, kw] = plan.kernel;
    let channels = plan.sum_channels();
    let (taps, cast) = (channels * kd * kh * kw, CastRow::<C>::new(simd, plan.kernel_dtype.real()));
    let all = bundles.iter().map(|bundle| bundle.count).sum::<usize>() * taps;
    let mut weights = Vec::new();
    let failed = |_| Error::OutOfMemory { device: "the host".into(), bytes: all.saturating_mul(size_of::<C>()) as u64 };
    weights.try_reserve_exact(all).map_err(failed)?;
    weights.resize(all, C::ZERO);
    let mut line = vec![C::ZERO; kw];
    for bundle in bundles {
        for k in 0..bundle.count {
            let of_bundle = &mut weights[bundle.weights..][..taps * bundle.count];
            for (row, target) in of_bundle.chunks_exact_mut(kw * bundle.count).enumerate() {
                let (channel, mut place) = (row / (kd * kh), [row / kh % kd, row % kh, 0]);
                let mut stride = kernel.strides[2];
                if plan.reversed {
                    place = [kd - 1 - place[0], kh - 1 - place[1], kw - 1];
                    stride = -stride;
                }
                let (part, negated) = plan.weight_part(bundle.first + k, channel);
                let offset: isize = place.iter().zip(kernel.strides).map(|(&i, s)| i as isize * s).sum();
                let offset = offset
                    + kernel.images[(bundle.first + k) / plan.kernel_parts()]
                    + kernel.channels[channel / plan.channel_parts()]
                    + part as isize;
                // SAFETY: a row of a kernel of the view, forwards or backwards.
                unsafe { cast.row(kernel.at(offset).cast_const(), stride, line.as_mut_ptr(), kw) };
                for (x, &w) in line.iter().enumerate() {
                    target[x * bundle.count + k] = if negated { w.negated() } else { w };
                }
            }
        }
    }
    Ok(weights)
}
