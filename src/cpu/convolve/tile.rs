//! Tiles: how a convolution is cut into tasks for threads, and how one task runs through the caches.
//!
//! A task is a band of output rows (or a segment of them) of one image, for all kernels or a share of them. It packs the
//! image rows that the band reads, halo included, into scratch that stays in the second-level cache, and then takes one
//! group of kernels after the other over the band. Blocks write rows of results into scratch in the first-level cache,
//! from where they are converted to the output's dtype and stored, once.

use std::cell::RefCell;
use std::ops::Range;

use super::block::{Blocked, Blocks, KERNELS, Shape, Taps};
use super::dots::Feed;
use super::layout::Layout;
use super::pack::{CastRow, Castable, Line, pack_row};
use super::store::{self, FinishRow, Finishable, Leave, Rows};
use crate::cpu::simd::Simd;
use crate::cpu::tasks;
use crate::plan::ConvolvePlan;
use crate::{Control, Error, Result};

/// Bytes of packed image that a task aims at: they share the second-level cache with the results of a row.
const BAND_BYTES: usize = 384 << 10;
/// Bytes of one row of results in scratch.
const ROW_BYTES: usize = 8 << 10;
/// Multiply-adds after which progress is reported.
const REPORT: u64 = 1 << 24;
/// Nanoseconds below which work is not shared among threads, and those that a task should take.
const SERIAL_NANOS: f64 = 50e3;
const TASK_NANOS: f64 = 150e3;
/// Scratch of this size is kept from one task to the next.
const KEPT_BYTES: usize = 16 << 20;

/// Kernels that share a block.
pub(super) struct Group {
    /// The first, counted from the part's first.
    pub first: usize,
    /// How many: 1 to [`KERNELS`].
    pub count: usize,
    /// Where their weights start.
    pub weights: usize,
}

/// The part's kernels in groups of up to [`KERNELS`], as even as they come.
pub(super) fn groups(kernels: usize, taps: usize) -> Vec<Group> {
    let count = kernels.div_ceil(KERNELS);
    let cuts = (0..=count).map(|i| i * kernels / count.max(1)).collect::<Vec<_>>();
    cuts.windows(2).map(|w| Group { first: w[0], count: w[1] - w[0], weights: w[0] * taps }).collect()
}

/// A convolution with everything decided.
pub(super) struct Job<'a, C: 'static> {
    pub plan: &'a ConvolvePlan,
    pub control: &'a Control,
    pub simd: Simd,
    pub image: Layout,
    pub cast: CastRow<C>,
    pub fill: [C; 3],
    pub groups: Vec<Group>,
    pub weights: Vec<C>,
    pub output: Layout,
    pub finish: FinishRow<C>,
    /// How taps meet weights.
    pub feed: Feed<C>,
}

// SAFETY: the image is only read, and every task writes outputs of its own.
unsafe impl<C: Sync> Sync for Job<'_, C> {}

/// How the part is cut: lengths of a tile, and how many there are along each axis.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Tiling {
    /// Output rows of a band.
    band: usize,
    /// Output columns of a segment.
    segment: usize,
    /// Bands, segments, shares of the kernel groups.
    counts: [usize; 3],
    /// Tasks that are run one after the other by the same thread at least.
    together: usize,
    /// Whether threads share the work.
    parallel: bool,
}

/// One tile of the part.
pub(super) struct Tile {
    /// The image, counted from the part's first.
    pub image: usize,
    /// The output's depth, counted from the part's first.
    pub depth: usize,
    /// Output rows, likewise.
    pub rows: Range<usize>,
    /// Output columns, likewise.
    pub columns: Range<usize>,
    /// The groups of kernels.
    pub groups: Range<usize>,
}

/// Scratch, aligned to cache lines.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct CacheLine(#[allow(dead_code)] [u8; 64]);

thread_local! {
    static SCRATCH: RefCell<Vec<CacheLine>> = const { RefCell::new(Vec::new()) };
}

/// Lends `bytes` of memory, aligned to 64 bytes and filled with zeros or older numbers, to `work`.
///
/// # Errors
/// [`Error::OutOfMemory`], and the errors of `work`.
pub(super) fn with_scratch<T>(bytes: usize, work: impl FnOnce(*mut u8) -> Result<T>) -> Result<T> {
    let mut scratch = SCRATCH.take();
    let lines = bytes.div_ceil(64);
    if scratch.len() < lines {
        let failed = |_| Error::OutOfMemory { device: "the host".into(), bytes: bytes as u64 };
        scratch.try_reserve_exact(lines - scratch.len()).map_err(failed)?;
        scratch.resize(lines, CacheLine([0; 64]));
    }
    let done = work(scratch.as_mut_ptr().cast());
    if scratch.len() * 64 <= KEPT_BYTES {
        SCRATCH.set(scratch);
    }
    done
}

/// Bytes from one row to the next for rows of at least `elements`: whole cache lines, and no whole page, because rows a
/// page apart would compete for the same few places of the first-level cache.
pub(super) fn pitch<C>(elements: usize) -> usize {
    let line = 64 / size_of::<C>().min(64);
    let row = elements.next_multiple_of(line);
    if (row * size_of::<C>()).is_multiple_of(4096) { row + line } else { row }
}

impl<C: Blocked + Castable + Finishable> Job<'_, C> {
    /// Runs all tasks on the current thread pool.
    pub(super) fn run(&self) -> Result<()> {
        if let Some(window) = C::window(self.simd, self.plan.kernel, self.finish.leave()).filter(|_| self.takes_windows()) {
            return self.windows(window);
        }
        let tiling = self.tiling(tasks::threads());
        let tasks = self.plan.images.len() * self.plan.part_output()[0] * tiling.counts.iter().product::<usize>();
        let blocks = self.feed.blocks;
        let together = if tiling.parallel { tiling.together } else { tasks };
        tasks::for_each(tasks, together, &|task| self.task(blocks, &tiling, task))
    }

    fn tiling(&self, threads: usize) -> Tiling {
        let blocks = self.feed.blocks;
        let [depth, height, width] = self.plan.part_output();
        let [kd, kh, kw] = self.plan.kernel;
        let size = size_of::<C>();
        let tall = blocks.shape(self.groups.first().map_or(1, |g| g.count)).rows;
        // A coarse model of one thread: multiply-adds of a vector unit, bytes of memory.
        let rate = (blocks.narrow * self.feed.taps * 4) as f64;
        let nanos = self.plan.work() as f64 / rate + (self.plan.outputs() * self.plan.out_dtype.size()) as f64 / 8.0;
        let parallel = threads > 1 && nanos > SERIAL_NANOS;
        let wanted = if parallel { ((nanos / TASK_NANOS) as usize).clamp(threads, 16 * threads) } else { 1 };

        let items = self.plan.images.len() * depth;
        let for_cache = width.div_ceil(ROW_BYTES / size);
        let for_threads = wanted.div_ceil(items * height).min(width.div_ceil(2 * blocks.wide));
        let mut segments = for_cache.max(for_threads);
        let segment = width.div_ceil(segments).next_multiple_of(blocks.wide);
        segments = width.div_ceil(segment);

        let row = (segment + kw - 1) * size * kd;
        let fits = (BAND_BYTES / row).saturating_sub(kh - 1).max(kh).max(tall);
        let bands = height.div_ceil(fits).max(wanted.div_ceil(items * segments)).min(height.div_ceil(tall));
        let band = height.div_ceil(bands).next_multiple_of(tall);
        let bands = height.div_ceil(band);

        let tasks = items * segments * bands;
        let shares = if 2 * tasks > wanted { 1 } else { wanted.div_ceil(tasks).min(self.groups.len()) };
        Tiling { band, segment, counts: [bands, segments, shares], together: (tasks * shares).div_ceil(wanted), parallel }
    }

    fn tile(&self, tiling: &Tiling, task: usize) -> Tile {
        let [depth, height, width] = self.plan.part_output();
        let [bands, segments, shares] = tiling.counts;
        let (task, share) = (task / shares, task % shares);
        let (task, x) = (task / segments, task % segments * tiling.segment);
        let (task, y) = (task / bands, task % bands * tiling.band);
        let groups = self.groups.len();
        Tile {
            image: task / depth,
            depth: task % depth,
            rows: y..(y + tiling.band).min(height),
            columns: x..(x + tiling.segment).min(width),
            groups: share * groups / shares..(share + 1) * groups / shares,
        }
    }

    fn task(&self, blocks: &Blocks<C>, tiling: &Tiling, task: usize) -> Result<()> {
        self.run_tile(blocks, &self.tile(tiling, task))
    }

    /// Computes the outputs of one tile.
    pub(super) fn run_tile(&self, blocks: &Blocks<C>, tile: &Tile) -> Result<()> {
        self.control.check()?;
        let [kd, kh, kw] = self.plan.kernel;
        let out_row = tile.columns.len().next_multiple_of(blocks.wide);
        let row = pitch::<C>(out_row + kw - 1);
        let slab = (tile.rows.len() + kh - 1).checked_mul(row);
        let elements = slab.and_then(|slab| slab.checked_mul(kd)?.checked_add(KERNELS * out_row));
        let bytes = elements.and_then(|n| n.checked_mul(size_of::<C>())).unwrap_or(usize::MAX);
        with_scratch(bytes, |scratch| {
            let results = scratch.cast::<C>();
            // SAFETY: scratch holds KERNELS rows of results, then the band, and is this thread's own.
            let done = unsafe {
                let band = Band { start: results.add(KERNELS * out_row), row, slab: slab.unwrap_or(0) };
                self.pack(tile, &band);
                self.convolve(blocks, tile, &band, results, out_row)
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
    unsafe fn pack(&self, tile: &Tile, band: &Band<C>) {
        let plan = self.plan;
        let axis = plan.row_axis();
        let part = |at: usize| if axis == at { plan.rows.start as isize } else { 0 };
        let [from_z, from_y, from_x] = [
            part(0) + tile.depth as isize + plan.start[0],
            part(1) + tile.rows.start as isize + plan.start[1],
            part(2) + tile.columns.start as isize + plan.start[2],
        ];
        let n = tile.columns.len() + plan.kernel[2] - 1;
        for dz in 0..plan.kernel[0] {
            for j in 0..tile.rows.len() + plan.kernel[1] - 1 {
                // SAFETY: rows of `row` elements, of which n are written, for every j and dz of the band; the feed was chosen for
                // instructions that are present.
                unsafe {
                    let target = band.start.add(dz * band.slab + j * band.row);
                    self.row(tile.image, [from_z + dz as isize, from_y + j as isize, from_x], target, n);
                    if let Some(combine) = self.feed.combine {
                        combine(target, n);
                    }
                }
            }
        }
    }

    /// Packs `n` elements of an image, extended by the boundary, from `(z, y, x)` on along its last axis.
    ///
    /// # Safety
    /// The target must have room for `n`.
    pub(super) unsafe fn row(&self, image: usize, [z, y, x]: [isize; 3], target: *mut C, n: usize) {
        let plan = self.plan;
        let line = |at: usize| Line { boundary: plan.boundary[at], length: plan.image[at] };
        let constant = match (line(0).source(z), line(1).source(y)) {
            (Some(z), Some(y)) => {
                let [stride_z, stride_y, stride_x] = self.image.strides;
                let offset = self.image.images[image] + z as isize * stride_z + y as isize * stride_y;
                let source = (self.image.at(offset).cast_const(), stride_x);
                // SAFETY: the row lies inside the image; the target has room for n.
                return unsafe { pack_row(&self.cast, source, line(2), x, self.fill[2], (target, n)) };
            }
            (None, _) => self.fill[0],
            (_, None) => self.fill[1],
        };
        // SAFETY: the target has room for n.
        unsafe { std::slice::from_raw_parts_mut(target, n) }.fill(constant);
    }

    /// Runs the blocks of a packed tile.
    ///
    /// # Safety
    /// The band must be packed, and `results` have room for [`KERNELS`] rows.
    unsafe fn convolve(&self, blocks: &Blocks<C>, tile: &Tile, band: &Band<C>, results: *mut C, out_row: usize) -> Result<()> {
        let (rows, columns) = (tile.rows.len(), tile.columns.len());
        let taps: usize = self.plan.kernel.iter().product();
        let mut work = 0;
        for group in &self.groups[tile.groups.clone()] {
            let shape = blocks.shape(group.count);
            let mut y = 0;
            while y < rows {
                self.control.check()?;
                let (at, height) = step(shape, y, rows);
                let lines = Lines { tile, group, first: at, height };
                // SAFETY: the band holds these rows; the blocks fill height rows of results for each kernel of the group, but for
                // what they have left where it belongs.
                unsafe {
                    let done = self.blocks(blocks, &lines, band, results, out_row);
                    self.store(&lines, done, results, out_row)?;
                }
                work += ((at + height - y) * columns * taps * group.count) as u64;
                y = at + height;
                if work >= REPORT {
                    self.control.advance(std::mem::take(&mut work));
                }
            }
        }
        self.control.advance(work);
        Ok(())
    }

    /// Runs the blocks of a group over one row, or as many as its tall blocks take. The first columns, whose number is the answer,
    /// are left where they belong, all others in `results`.
    ///
    /// # Safety
    /// The band must hold what the rows read, `results` have room for [`KERNELS`] rows, and the outputs be writable and unshared.
    unsafe fn blocks(&self, blocks: &Blocks<C>, lines: &Lines<'_>, band: &Band<C>, results: *mut C, out_row: usize) -> usize {
        let (group, columns) = (lines.group, lines.tile.columns.len());
        let shape = blocks.shape(group.count);
        let [kd, kh, kw] = self.plan.kernel;
        let pair = if lines.height > 1 { &shape.tall } else { &shape.flat };
        let (place, apart) = (self.place(lines), [out_row, lines.height * out_row]);
        let (mut x, mut done) = (0, 0);
        while x < columns {
            let wide = columns - x > blocks.wide / 2;
            let n = if wide { blocks.wide } else { blocks.narrow };
            let (mut out, mut apart) = (results.wrapping_add(x), apart);
            match place {
                Some((start, strides)) if x + n <= columns => {
                    self.fetch(lines, x + n, n);
                    (out, apart) = (start.wrapping_add(x), strides);
                    done = x + n;
                }
                _ => self.fetch(lines, x, n.min(columns - x)),
            }
            // SAFETY: the band holds the rows' image rows, whole blocks of columns wide; the instruction set is the one that
            // the blocks were chosen for.
            unsafe {
                pair[!wide as usize](&Taps {
                    image: band.start.add(lines.first * band.row + x),
                    row: band.row,
                    slab: band.slab,
                    weights: self.weights.as_ptr().add(group.weights),
                    kernel: [kd, kh, kw.div_ceil(self.feed.taps)],
                    step: self.feed.taps,
                    out,
                    out_row: apart[0],
                    out_kernel: apart[1],
                });
            }
            x += n;
        }
        done
    }

    /// The offset of the first output of row `r` of a kernel.
    fn offset(&self, lines: &Lines<'_>, kernel: usize, r: usize) -> isize {
        let [stride_z, stride_y, stride_x] = self.output.strides;
        let Tile { image, depth, rows, columns, .. } = lines.tile;
        let place = [*depth, rows.start + lines.first + r, columns.start].map(|i| i as isize);
        let place = place[0] * stride_z + place[1] * stride_y + place[2] * stride_x;
        self.output.images[*image] + self.output.kernels[lines.group.first + kernel] + place
    }

    /// Where the results belong, with the elements from row to row and from kernel to kernel, if blocks can leave them there.
    fn place(&self, lines: &Lines<'_>) -> Option<(*mut C, [usize; 2])> {
        if self.finish.leave() != Leave::Through || !self.finish.is_plain() {
            return None;
        }
        let kernels = &self.output.kernels[lines.group.first..][..lines.group.count];
        let kernel = kernels.get(1).map_or(0, |second| second - kernels[0]);
        let even = kernels.windows(2).all(|pair| pair[1] - pair[0] == kernel);
        let strides = [usize::try_from(self.output.strides[1]).ok()?, usize::try_from(kernel).ok()?];
        even.then(|| (self.output.at(self.offset(lines, 0, 0)).cast(), strides))
    }

    /// Asks for the lines of `n` columns from `x` on, if that is the way.
    fn fetch(&self, lines: &Lines<'_>, x: usize, n: usize) {
        if self.finish.leave() == Leave::Through {
            for k in 0..lines.group.count {
                for r in 0..lines.height {
                    self.finish.fetch(self.output.at(self.offset(lines, k, r) + x as isize), n);
                }
            }
        }
    }

    /// Stores the rows of results, from column `done` on.
    ///
    /// # Safety
    /// The rows must be in `results`.
    unsafe fn store(&self, lines: &Lines<'_>, done: usize, results: *mut C, out_row: usize) -> Result<()> {
        let &Lines { tile, group, first, height } = lines;
        let rows = Rows {
            image: tile.image,
            kernels: group.first..group.first + group.count,
            first: [tile.depth, tile.rows.start + first, tile.columns.start + done],
            height,
            columns: tile.columns.len() - done,
        };
        // SAFETY: the rows of results are filled, and the outputs are this tile's own.
        unsafe { self.finish.rows(self.plan, &self.output, &rows, results.wrapping_add(done), out_row) }
    }
}

/// Rows of a tile that are made together: `height` from row `first` of the tile on, for the kernels of a group.
struct Lines<'a> {
    tile: &'a Tile,
    group: &'a Group,
    first: usize,
    height: usize,
}

/// The next rows to compute, from row `y` on: where they start and how many they are. A tall block may start again on rows
/// that are done if that saves several flat ones.
pub(super) fn step<C>(shape: &Shape<C>, y: usize, rows: usize) -> (usize, usize) {
    let left = rows - y;
    if left >= shape.rows {
        (y, shape.rows)
    } else if 2 * left >= shape.rows && rows >= shape.rows {
        (rows - shape.rows, shape.rows)
    } else {
        (y, 1)
    }
}

/// The packed image rows of a tile.
pub(super) struct Band<C> {
    pub start: *mut C,
    pub row: usize,
    pub slab: usize,
}
