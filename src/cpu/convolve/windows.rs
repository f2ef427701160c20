//! The way of single small kernels: bands of rows, whose inner part [`window`](super::window) makes of the image as it lies; the edges,
//! where the boundary comes in, are tiles like others.

use std::ops::Range;

use super::block::Blocked;
use super::pack::{Castable, Line};
use super::store::{self, Finishable};
use super::tile::{Job, Tile};
use super::window::{BEHIND, ROWS, UNIT, Window, WindowFn};
use crate::Result;
use crate::cpu::tasks;

/// Nanoseconds that a task should take.
const TASK_NANOS: usize = 150_000;
/// Columns of a task: rows that are read again for the next rows of results are in the second-level cache by then.
const COLUMNS: usize = 8192;

impl<C: Blocked + Castable + Finishable> Job<'_, C> {
    /// Whether image and results lie so that windows can be made of them where they are, and are so large that memory takes the time.
    pub(super) fn takes_windows(&self) -> bool {
        let plan = self.plan;
        let single = plan.kernels.len() == 1 && self.feed.taps == 1 && plan.row_axis() == 1;
        let flat = plan.image[0] == 1 && plan.start[0] == 0;
        let plain = C::is(plan.image_dtype) && self.finish.is_plain();
        let places = [&self.image, &self.output];
        let aligned = places.iter().all(|place| place.strides[2] == 1 && place.start.cast::<C>().is_aligned());
        single && flat && plain && aligned && self.output.strides[1] >= 0
    }

    /// Runs all tasks on the current thread pool.
    pub(super) fn windows(&self, window: WindowFn<C>) -> Result<()> {
        let [_, height, width] = self.plan.part_output();
        let segments = width.div_ceil(COLUMNS);
        let segment = width.div_ceil(segments);
        // At the rate of memory, 8 bytes per result.
        let band = (TASK_NANOS / segment).max(32).min(height.div_ceil(tasks::threads())).next_multiple_of(ROWS);
        let bands = height.div_ceil(band);
        tasks::for_each(self.plan.images.len() * bands * segments, 1, &|task| {
            let (image, part) = (task / (bands * segments), task % (bands * segments));
            let (y, x) = (part % bands * band, part / bands * segment);
            let tile = Tile { image, depth: 0, rows: y..height.min(y + band), columns: x..width.min(x + segment), groups: 0..1 };
            self.windows_of(window, tile)
        })
    }

    fn windows_of(&self, window: WindowFn<C>, tile: Tile) -> Result<()> {
        let plan = self.plan;
        let inside = |at: usize, part: usize, behind: usize, results: &Range<usize>| {
            let start = plan.start[at] + part as isize;
            let first = (-start).clamp(results.start as isize, results.end as isize);
            let last = (plan.image[at] - behind.min(plan.image[at])) as isize - start;
            first as usize..last.clamp(first, results.end as isize) as usize
        };
        let mut columns = inside(2, 0, BEHIND, &tile.columns);
        columns.end -= columns.len() % UNIT;
        // Rows outside are others inside, unless they are of one value.
        let line = Line { boundary: plan.boundary[1], length: plan.image[1] };
        let rows = if line.source(-1).is_some() {
            tile.rows.clone()
        } else {
            inside(1, plan.rows.start, plan.kernel[1] - 1, &tile.rows)
        };
        if columns.len() < 4 * UNIT || rows.len() < ROWS {
            return self.run_tile(self.feed.blocks, &tile);
        }
        let edge = |rows: Range<usize>, columns: Range<usize>| {
            if rows.is_empty() || columns.is_empty() {
                return Ok(());
            }
            self.run_tile(self.feed.blocks, &Tile { rows, columns, groups: tile.groups.clone(), ..tile })
        };
        edge(tile.rows.start..rows.start, tile.columns.clone())?;
        edge(rows.end..tile.rows.end, tile.columns.clone())?;
        edge(rows.clone(), tile.columns.start..columns.start)?;
        edge(rows.clone(), columns.end..tile.columns.end)?;
        let [_, kh, kw] = plan.kernel;
        let ([_, row, _], image) = (self.image.strides, self.image.images[tile.image]);
        let column = columns.start as isize + plan.start[2];
        let mut pointers = Vec::with_capacity(2 * ROWS + kh - 1);
        let mut y = rows.start;
        while y < rows.end {
            self.control.check()?;
            // Rows that are done are done again if that saves single ones.
            let at = y.min(rows.end - ROWS);
            let first = (plan.rows.start + at) as isize + plan.start[1];
            pointers.clear();
            pointers.extend((first..first + (2 * ROWS + kh - 1) as isize).map(|i| {
                let y = line.source(i).unwrap_or(plan.image[1] - 1) as isize;
                self.image.at(image + y * row + column).cast::<C>().cast_const()
            }));
            let place = self.output.images[tile.image] + self.output.kernels[0] + at as isize * self.output.strides[1];
            // SAFETY: the columns that the weights meet are inside, and so are the rows, but for those that are only asked for; the
            // outputs are this tile's own.
            unsafe {
                window(&Window {
                    rows: &pointers,
                    weights: self.weights.as_ptr(),
                    out: self.output.at(place + columns.start as isize).cast(),
                    out_row: self.output.strides[1] as usize,
                    n: columns.len(),
                });
            }
            self.control.advance(((at + ROWS - y) * columns.len() * kh * kw) as u64);
            y = at + ROWS;
        }
        if self.finish.streams() {
            store::fence();
        }
        Ok(())
    }
}
