//! Float convolution rounded once: [`Accuracy::Exact`](crate::Accuracy::Exact).
//!
//! Every output is the exact `Σ k·x`, rounded to nearest even. How it is found affects only the time it takes. Per tile and
//! group of kernels:
//!
//! 1. Let `S >= max|x| · Σ|k|` and let all products be multiples of a power of two `g`. If `S <= 2^53 g`, no operation in
//!    binary64 rounds, and the direct kernel's sums are the exact values.
//! 2. Results of binary32: the direct kernel's binary64 sums lie within `(n + 4) · 2^-53 · S` of the exact ones. Where both
//!    ends of that interval round to the same binary32 number, that is the result.
//! 3. Else [`pair`] gives sums of two binary64 numbers, which are exact if `n S <= 2^103 g`, and within
//!    `(n + 2)^2 · 2^-103 · S` in any case. Again both ends must round to the same result.
//! 4. Where many of those are ambiguous (exact zeros and ties are, if the pairs are not exact), [`triple`] gives sums of three
//!    numbers, exact if `n^2 S <= 2^154 g`.
//! 5. What remains (and infinities, NaN, ranges near the ends of binary64) is summed tap by tap in a fixed-point number.
//!
//! The interval's rounding test is Ziv's (*Fast evaluation of elementary mathematical functions with correctly rounded last
//! bit*, ACM TOMS 17, 1991).

mod pair;
mod scan;
mod settle;
mod slow;
#[cfg(test)]
mod tests;
mod triple;

use super::block::{Blocks, Taps};
use super::dots::Feed;
use super::layout::{self, Layout};
use super::pack::CastRow;
use super::store::{Finish, FinishRow};
use super::tile::{self, Band, Group, Job, Tile};
use super::weights;
use crate::cpu::simd::Simd;
use crate::exact::dot::{ExactDot, Factor};
use crate::plan::ConvolvePlan;
use crate::view::View;
use crate::{Control, Dtype, Result};
use pair::{PairTaps, pair_blocks};
use scan::{Scan, binade, power};
use settle::{Rounding, join, settle_pair, settle_sum};
use triple::{TripleTaps, triple_blocks};

/// Sums of magnitudes beyond these binades go the slow way: nothing underflows or overflows between them.
const LEAST: i32 = -850;
const MOST: i32 = 1000;

/// What is known of a group's weights.
#[derive(Debug, Clone, Copy)]
struct Weight {
    /// The largest `Σ|w|` of a kernel, infinities and NaN aside, rounded up.
    sum: f64,
    /// Every weight is a multiple of 2 to this power.
    unit: i32,
    /// Whether a weight is infinite or NaN.
    special: bool,
}

impl Weight {
    fn new(weights: &[f64], count: usize) -> Self {
        let (mut sum, mut unit, mut special) = (0.0f64, i32::MAX, false);
        for k in 0..count {
            let mut magnitudes = 0.0;
            for w in weights.iter().skip(k).step_by(count) {
                match Factor::from(*w) {
                    Factor::Special(_) => special = true,
                    Factor::Finite(_, 0, _) => {}
                    Factor::Finite(_, magnitude, exponent) => {
                        unit = unit.min(exponent + magnitude.trailing_zeros() as i32);
                        magnitudes += w.abs();
                    }
                }
            }
            sum = sum.max(magnitudes * (1.0 + weights.len() as f64 * f64::EPSILON));
        }
        Self { sum, unit: if unit == i32::MAX { 0 } else { unit }, special }
    }
}

/// How the outputs of a tile and a group of kernels are found.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    /// By the direct kernel, within so much of the exact value.
    Sum(f64),
    /// As pairs, with this binade of the anchor, within so much.
    Pair(i32, f64),
    /// As triples, with these binades of the anchors, within so much.
    Triple([i32; 2], f64),
    /// One by one.
    Slow,
}

/// What exact results need beside a job.
pub(super) struct Exact {
    weights: Vec<Weight>,
    rounding: Rounding,
}

/// Runs an exact plan of floats.
pub(super) fn run(
    plan: &ConvolvePlan,
    image: &View<'_>,
    kernel: &View<'_>,
    output: Layout,
    simd: Simd,
    control: &Control,
) -> Result<()> {
    let long = |dtype| matches!(dtype, Dtype::I64 | Dtype::U64);
    if [plan.image_dtype, plan.kernel_dtype, plan.out_dtype].into_iter().any(long) {
        return slow::run(plan, image, kernel, &output, control);
    }
    let taps = plan.kernel.iter().product();
    let groups = tile::groups(plan.kernels.len(), taps);
    let all = weights::<f64>(plan, kernel, &groups, &Feed::single(simd), simd)?;
    let weights_of = |group: &Group| Weight::new(&all[group.weights..][..taps * group.count], group.count);
    let exact = Exact { weights: groups.iter().map(weights_of).collect(), rounding: Rounding::new(plan.out_dtype) };
    let bytes = plan.outputs() * plan.out_dtype.size();
    let stream = output.strides[2] == 1 && bytes > super::STREAM_BYTES;
    let finish = Finish { integer: false, check: false, saturate: false, stream };
    // The constant outside is a number of the image's dtype.
    let fill = |fill: f64| if plan.image_dtype == Dtype::F32 { f64::from(fill as f32) } else { fill };
    let job = Job::<f64> {
        plan,
        control,
        simd,
        image: layout::images(plan, image),
        cast: CastRow::new(simd, plan.image_dtype),
        fill: plan.boundary.map(|b| fill(b.fill())),
        groups,
        weights: all,
        finish: FinishRow::new(simd, plan.out_dtype, finish),
        output,
        feed: Feed::single(simd),
        exact: Some((&exact, tile_exactly)),
    };
    job.run()
}

/// Computes a packed tile.
///
/// # Safety
/// The band must be packed, and `results` have room for [`tile`]'s rows.
unsafe fn tile_exactly(
    job: &Job<'_, f64>,
    exact: &Exact,
    tile: &Tile,
    band: &Band<f64>,
    results: *mut f64,
    out_row: usize,
) -> Result<()> {
    // SAFETY: the caller's promise.
    let work = unsafe { Work::new(job, exact, tile, band, results, out_row) };
    for index in tile.groups.clone() {
        // SAFETY: the caller's promise.
        unsafe { work.group(index)? };
    }
    Ok(())
}

/// A tile in work.
struct Work<'a> {
    job: &'a Job<'a, f64>,
    exact: &'a Exact,
    tile: &'a Tile,
    band: &'a Band<f64>,
    scan: Scan,
    taps: usize,
    results: *mut f64,
    out_row: usize,
}

impl<'a> Work<'a> {
    /// # Safety
    /// As for [`tile_exactly`].
    unsafe fn new(
        job: &'a Job<'a, f64>,
        exact: &'a Exact,
        tile: &'a Tile,
        band: &'a Band<f64>,
        results: *mut f64,
        out_row: usize,
    ) -> Self {
        let [kd, kh, kw] = job.plan.kernel;
        let rows = (0..kd).flat_map(|z| (0..tile.rows.len() + kh - 1).map(move |y| z * band.slab + y * band.row));
        // SAFETY: the packed rows of the band.
        let scan = unsafe { Scan::new(job.simd, band.start, rows.collect(), tile.columns.len() + kw - 1) };
        Self { job, exact, tile, band, scan, taps: kd * kh * kw, results, out_row }
    }

    /// How to find the outputs of a group.
    ///
    /// # Safety
    /// The band must be packed.
    unsafe fn way(&self, weight: &Weight) -> Way {
        let sum = self.scan.largest * weight.sum;
        if self.scan.largest == 0.0 || weight.sum == 0.0 {
            return Way::Sum(0.0);
        }
        if !(power(LEAST)..power(MOST)).contains(&sum) {
            return Way::Slow;
        }
        // One more for the rounding of the product.
        let s = binade(sum) + 1;
        let n = self.taps as f64;
        // SAFETY: the caller's promise.
        if unsafe { self.scan.multiples(s - 53 - weight.unit) } {
            return Way::Sum(0.0);
        }
        if self.exact.rounding == Rounding::Binary32 {
            return Way::Sum((n + 4.0) * power(s - 53));
        }
        // SAFETY: the caller's promise.
        unsafe { self.pair(weight, s) }
    }

    /// The pair's way for sums below `2^s`.
    ///
    /// # Safety
    /// The band must be packed.
    unsafe fn pair(&self, weight: &Weight, s: i32) -> Way {
        let (anchor, n) = (s + 2, self.taps as f64);
        // SAFETY: the caller's promise.
        let exact = unsafe { self.scan.multiples(anchor - 106 + binade(n) - weight.unit) };
        Way::Pair(anchor, if exact { 0.0 } else { (n + 2.0) * (n + 2.0) * power(anchor - 105) })
    }

    /// The triple's way for sums below `2^s`.
    ///
    /// # Safety
    /// The band must be packed.
    unsafe fn triple(&self, weight: &Weight, s: i32) -> Way {
        let (upper, more) = (s + 2, binade(self.taps as f64));
        // What the upper number leaves, and the products' lower parts: n times 2^(upper - 53) + 2^(s - 54) at most.
        let middle = upper - 53 + more + 2;
        // SAFETY: the caller's promise.
        let exact = unsafe { self.scan.multiples(middle - 105 + more - weight.unit) };
        Way::Triple([upper, middle], if exact { 0.0 } else { power(middle - 103 + 2 * more) })
    }

    /// # Safety
    /// As for [`tile_exactly`].
    unsafe fn group(&self, index: usize) -> Result<()> {
        let Self { job, tile, .. } = *self;
        let (group, weight) = (&job.groups[index], &self.exact.weights[index]);
        // SAFETY: the band is packed.
        let mut way = unsafe { self.way(weight) };
        let blocks = <f64 as super::block::Blocked>::blocks(job.simd);
        let shape = blocks.shape(group.count);
        let rows = tile.rows.len();
        let mut y = 0;
        while y < rows {
            job.control.check()?;
            let (at, mut height) = match way {
                Way::Sum(_) => tile::step(shape, y, rows),
                _ => (y, 1),
            };
            // SAFETY: rows of this tile.
            unsafe {
                match way {
                    Way::Sum(bound) => {
                        if !self.sums(blocks, group, weight, at, height, bound)? {
                            // Too many are ambiguous: from here on as pairs.
                            way = self.pair(weight, binade(self.scan.largest * weight.sum) + 1);
                            continue;
                        }
                    }
                    Way::Pair(anchor, bound) => {
                        if !self.pairs(group, weight, at, anchor, bound)? {
                            way = self.triple(weight, anchor - 2);
                            continue;
                        }
                        height = 1;
                    }
                    Way::Triple(anchors, bound) => {
                        self.triples(group, at, anchors, bound)?;
                        height = 1;
                    }
                    Way::Slow => {
                        self.ones(group, at)?;
                        height = 1;
                    }
                }
            }
            let work = ((at + height - y) * tile.columns.len() * self.taps * group.count) as u64;
            job.control.advance(work);
            y = at + height;
        }
        Ok(())
    }

    /// Some rows by the direct kernel. False, with nothing stored, if many results are ambiguous.
    ///
    /// # Safety
    /// As for [`tile_exactly`]; the rows must be the tile's.
    unsafe fn sums(
        &self,
        blocks: &Blocks<f64>,
        group: &Group,
        weight: &Weight,
        at: usize,
        height: usize,
        bound: f64,
    ) -> Result<bool> {
        let Self { job, tile, band, results, out_row, .. } = *self;
        let columns = tile.columns.len();
        // SAFETY: the caller's promise.
        unsafe { job.blocks(blocks, group, band, at..at + height, columns, results, out_row) };
        if bound > 0.0 || self.scan.special || weight.special {
            let most = columns * height * group.count / 8;
            let mut ambiguous = vec![];
            for k in 0..group.count {
                for r in 0..height {
                    // SAFETY: the blocks have filled these rows.
                    let row = unsafe { std::slice::from_raw_parts_mut(results.add((k * height + r) * out_row), columns) };
                    let from = ambiguous.len();
                    settle_sum(job.simd, row, bound, &mut ambiguous);
                    if ambiguous.len() > most && !self.scan.special && !weight.special {
                        return Ok(false);
                    }
                    for &x in &ambiguous[from..] {
                        // SAFETY: an output of this tile.
                        row[x] = unsafe { self.one(group, k, at + r, x) };
                    }
                }
            }
        }
        // SAFETY: the rows are filled.
        unsafe { job.store(tile, group, at, height, results, out_row)? };
        Ok(true)
    }

    /// One row as pairs. False, with only some of it stored, if many results are ambiguous.
    ///
    /// # Safety
    /// As for [`tile_exactly`]; the row must be the tile's.
    unsafe fn pairs(&self, group: &Group, weight: &Weight, y: usize, anchor: i32, bound: f64) -> Result<bool> {
        use pair::KERNELS;
        let Self { job, tile, band, results, out_row, .. } = *self;
        let columns = tile.columns.len();
        let blocks = pair_blocks(job.simd);
        for first in (0..group.count).step_by(KERNELS) {
            let count = KERNELS.min(group.count - first);
            // SAFETY: the first KERNELS rows of results hold the upper halves, the others the lower ones.
            let low = unsafe { results.add(KERNELS * out_row) };
            let mut x = 0;
            while x < columns {
                let wide = columns - x > blocks.wide / 2;
                // SAFETY: the band holds whole blocks of columns; the instruction set is the job's.
                unsafe {
                    blocks.shapes[count - 1][usize::from(!wide)](&PairTaps {
                        taps: Taps {
                            image: band.start.add(y * band.row + x),
                            row: band.row,
                            slab: band.slab,
                            weights: job.weights.as_ptr().add(group.weights + first),
                            kernel: job.plan.kernel,
                            step: 1,
                            out: results.add(x),
                            out_row,
                        },
                        stride: group.count,
                        low: low.add(x),
                        anchor: 1.5 * power(anchor),
                    });
                }
                x += if wide { blocks.wide } else { blocks.narrow };
            }
            for k in 0..count {
                let mut ambiguous = vec![];
                // SAFETY: the blocks have filled these rows.
                let (high, low) = unsafe {
                    let low = std::slice::from_raw_parts(low.add(k * out_row), columns);
                    (std::slice::from_raw_parts_mut(results.add(k * out_row), columns), low)
                };
                settle_pair(job.simd, self.exact.rounding, high, low, bound, &mut ambiguous);
                if ambiguous.len() > columns / 16 && !self.scan.special && !weight.special {
                    return Ok(false);
                }
                for &x in &ambiguous {
                    // SAFETY: an output of this tile.
                    high[x] = unsafe { self.one(group, first + k, y, x) };
                }
            }
            let part = Group { first: group.first + first, count, weights: 0 };
            // SAFETY: the rows are filled.
            unsafe { job.store(tile, &part, y, 1, results, out_row)? };
        }
        Ok(true)
    }

    /// One row as triples.
    ///
    /// # Safety
    /// As for [`tile_exactly`]; the row must be the tile's.
    unsafe fn triples(&self, group: &Group, y: usize, anchors: [i32; 2], bound: f64) -> Result<()> {
        use triple::KERNELS;
        let Self { job, tile, band, results, out_row, .. } = *self;
        let columns = tile.columns.len();
        let blocks = triple_blocks(job.simd);
        for first in (0..group.count).step_by(KERNELS) {
            let count = KERNELS.min(group.count - first);
            // SAFETY: KERNELS rows of results for each of the three numbers.
            let rest = unsafe { [1, 2].map(|i| results.add(i * KERNELS * out_row)) };
            let mut x = 0;
            while x < columns {
                let wide = columns - x > blocks.wide / 2;
                // SAFETY: the band holds whole blocks of columns; the instruction set is the job's.
                unsafe {
                    blocks.shapes[count - 1][usize::from(!wide)](&TripleTaps {
                        taps: Taps {
                            image: band.start.add(y * band.row + x),
                            row: band.row,
                            slab: band.slab,
                            weights: job.weights.as_ptr().add(group.weights + first),
                            kernel: job.plan.kernel,
                            out: results.add(x),
                            out_row,
                        },
                        stride: group.count,
                        rest: rest.map(|rest| rest.add(x)),
                        anchors: anchors.map(|binade| 1.5 * power(binade)),
                    });
                }
                x += if wide { blocks.wide } else { blocks.narrow };
            }
            for k in 0..count {
                let mut ambiguous = vec![];
                // SAFETY: the blocks have filled these rows.
                let [high, middle, low] = unsafe {
                    [results, rest[0], rest[1]].map(|row| std::slice::from_raw_parts_mut(row.add(k * out_row), columns))
                };
                join(job.simd, high, middle, low);
                settle_pair(job.simd, self.exact.rounding, high, middle, bound, &mut ambiguous);
                for &x in &ambiguous {
                    // SAFETY: an output of this tile.
                    high[x] = unsafe { self.one(group, first + k, y, x) };
                }
            }
            let part = Group { first: group.first + first, count, weights: 0 };
            // SAFETY: the rows are filled.
            unsafe { job.store(tile, &part, y, 1, results, out_row)? };
        }
        Ok(())
    }

    /// One row, output by output.
    ///
    /// # Safety
    /// As for [`tile_exactly`]; the row must be the tile's.
    unsafe fn ones(&self, group: &Group, y: usize) -> Result<()> {
        let Self { job, tile, results, out_row, .. } = *self;
        for k in 0..group.count {
            for x in 0..tile.columns.len() {
                // SAFETY: outputs of this tile, rows of the results.
                unsafe { results.add(k * out_row + x).write(self.one(group, k, y, x)) };
            }
        }
        // SAFETY: the rows are filled.
        unsafe { job.store(tile, group, y, 1, results, out_row) }
    }

    /// One output, as a binary64 number that the output's dtype holds.
    ///
    /// # Safety
    /// The band must be packed; the output must be the tile's.
    #[cold]
    unsafe fn one(&self, group: &Group, k: usize, y: usize, x: usize) -> f64 {
        let Self { job, band, .. } = *self;
        let [kd, kh, kw] = job.plan.kernel;
        let mut weight = group.weights + k;
        let mut sum = ExactDot::new();
        for z in 0..kd {
            for j in 0..kh {
                for i in 0..kw {
                    // SAFETY: the output's taps lie in the band.
                    let element = unsafe { *band.start.add(z * band.slab + (y + j) * band.row + x + i) };
                    let w = job.weights[weight];
                    if !(element == 0.0 && w.is_finite()) {
                        sum.add(element.into(), w.into());
                    }
                    weight += group.count;
                }
            }
        }
        self.exact.rounding.read(&sum)
    }
}
