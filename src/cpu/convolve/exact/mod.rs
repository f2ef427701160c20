//! Float convolution rounded once: [`Accuracy::Exact`](crate::Accuracy::Exact).
//!
//! Every output is the exact `Σ k·x`, rounded to nearest even. How it is found affects only the time it takes. Per tile and
//! group of kernels:
//!
//! 1. Let `S`, a power of two, be at least `max|x| · Σ|k|`, and let all products be multiples of a power of two `g`. If
//!    `S <= 2^53 g`, no operation in binary64 rounds, and the direct kernel's sums are the exact values.
//! 2. Results of binary32: the direct kernel's binary64 sums lie within `(n + 4) · 2^-53 · S` of the exact ones. Where both
//!    ends of that interval round to the same binary32 number, that is the result.
//! 3. Else [`pair`] gives sums of two binary64 numbers, which are exact if `n S <= 2^103 g`, and within
//!    `(n + 2)^2 · 2^-103 · S` in any case. Again both ends must round to the same result.
//! 4. Where many of those are ambiguous (exact zeros and ties are, if the pairs are not exact), [`triple`] gives sums of three
//!    numbers, exact if `n^2 S <= 2^152 g`.
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

use std::ops::Range;

use super::general::{Band, Bundle, General, Tile};
use super::layout::{self, Layout};
use super::spread::{Blocks, Spread, Spreadable};
use super::store::FinishRow;
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
    let dtypes = [plan.image_dtype, plan.kernel_dtype, plan.out_dtype];
    if dtypes.into_iter().any(|dtype| matches!(dtype, Dtype::I64 | Dtype::U64)) {
        return slow::run(plan, image, kernel, &output, control);
    }
    let finish = FinishRow::new(simd, plan.out_dtype.real(), super::finish(plan, &output, 0));
    let (image, kernel) = (layout::images(plan, image), layout::kernels(plan, kernel));
    let mut general = General::<f64>::new(plan, image, &kernel, output, finish, simd, control)?;
    if plan.image_dtype.real() == Dtype::F32 {
        // The constant outside is a number of the image's dtype.
        let rounded = |fills: [f64; 3]| fills.map(|fill| f64::from(fill as f32));
        (general.fill, general.fill_imaginary) = (rounded(general.fill), rounded(general.fill_imaginary));
    }
    let taps = plan.sum_channels() * plan.kernel.iter().product::<usize>();
    let weight = |bundle: &Bundle| Weight::new(&general.weights[bundle.weights..][..taps * bundle.count], bundle.count);
    let exact = Exact { weights: general.bundles.iter().map(weight).collect(), rounding: Rounding::new(plan.out_dtype.real()) };
    general.exact = Some((&exact, tile_exactly));
    general.run()
}

/// Computes a packed tile.
///
/// # Safety
/// The band must be packed, and `results` have room for six rows and for those of any bundle.
unsafe fn tile_exactly(
    general: &General<'_, f64>,
    exact: &Exact,
    tile: &Tile,
    band: &Band<'_, f64>,
    results: *mut f64,
) -> Result<()> {
    // SAFETY: the packed slabs.
    let scan = unsafe { Scan::new(general.simd, std::slice::from_raw_parts(band.start, band.slabs * band.slab)) };
    let blocks = f64::spread(general.simd);
    let columns = tile.columns.len();
    let out_row = columns.next_multiple_of(blocks.lanes);
    let work = Work { general, exact, tile, band, scan, blocks, columns, results, out_row };
    for index in tile.bundles.clone() {
        // SAFETY: the caller's promise.
        unsafe { work.bundle(index)? };
    }
    Ok(())
}

/// A tile in work.
struct Work<'a> {
    general: &'a General<'a, f64>,
    exact: &'a Exact,
    tile: &'a Tile,
    band: &'a Band<'a, f64>,
    scan: Scan<'a>,
    blocks: &'a Blocks<f64>,
    columns: usize,
    results: *mut f64,
    out_row: usize,
}

impl Work<'_> {
    fn taps(&self) -> usize {
        self.band.places.len()
    }

    /// How to find the outputs of a bundle.
    fn way(&self, weight: &Weight) -> Way {
        let sum = self.scan.largest * weight.sum;
        if self.scan.largest == 0.0 || weight.sum == 0.0 {
            return Way::Sum(0.0);
        }
        if !(power(LEAST)..power(MOST)).contains(&sum) {
            return Way::Slow;
        }
        // One more for the rounding of the product.
        let s = binade(sum) + 1;
        if self.scan.multiples(s - 53 - weight.unit) {
            return Way::Sum(0.0);
        }
        if self.exact.rounding == Rounding::Binary32 {
            return Way::Sum((self.taps() as f64 + 4.0) * power(s - 53));
        }
        self.pair(weight, s)
    }

    /// The pair's way for sums below `2^s`.
    fn pair(&self, weight: &Weight, s: i32) -> Way {
        let (anchor, n) = (s + 2, self.taps() as f64);
        let exact = self.scan.multiples(anchor - 106 + binade(n) - weight.unit);
        Way::Pair(anchor, if exact { 0.0 } else { (n + 2.0) * (n + 2.0) * power(anchor - 105) })
    }

    /// The triple's way for sums below `2^s`.
    fn triple(&self, weight: &Weight, s: i32) -> Way {
        let (upper, more) = (s + 2, binade(self.taps() as f64));
        // What the upper number leaves, and the products' lower parts: n times 2^(upper - 53) + 2^(s - 54) at most.
        let middle = upper - 53 + more + 2;
        let exact = self.scan.multiples(middle - 105 + more - weight.unit);
        Way::Triple([upper, middle], if exact { 0.0 } else { power(middle - 103 + 2 * more) })
    }

    /// # Safety
    /// As for [`tile_exactly`].
    unsafe fn bundle(&self, index: usize) -> Result<()> {
        let Self { general, tile, .. } = *self;
        let (bundle, weight) = (&general.bundles[index], &self.exact.weights[index]);
        let mut way = self.way(weight);
        let rows = tile.rows.len();
        let mut y = 0;
        while y < rows {
            general.control.check()?;
            let height = if let Way::Sum(_) = way { self.blocks.shape(bundle.count).rows.min(rows) } else { 1 };
            // The last rows may start again on rows that are done, as in the direct convolution.
            let at = y.min(rows - height);
            // SAFETY: rows of this tile.
            unsafe {
                match way {
                    Way::Sum(bound) => {
                        if !self.sums(bundle, weight, at..at + height, bound)? {
                            // Too many are ambiguous: from here on as pairs.
                            way = self.pair(weight, binade(self.scan.largest * weight.sum) + 1);
                            continue;
                        }
                    }
                    Way::Pair(anchor, bound) => {
                        if !self.pairs(bundle, weight, y, anchor, bound)? {
                            way = self.triple(weight, anchor - 2);
                            continue;
                        }
                    }
                    Way::Triple(anchors, bound) => self.triples(bundle, y, anchors, bound)?,
                    Way::Slow => self.ones(bundle, y)?,
                }
            }
            general.control.advance(((at + height - y) * self.columns * self.taps() * bundle.count) as u64);
            y = at + height;
        }
        Ok(())
    }

    /// A row of results.
    ///
    /// # Safety
    /// The row must be filled, and not be borrowed twice.
    unsafe fn row<'r>(&self, row: usize) -> &'r mut [f64] {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.results.add(row * self.out_row), self.columns) }
    }

    /// What a block of some kernels of a bundle, from `first` on, reads at row `y`, column `x`; its results go to the first
    /// rows.
    ///
    /// # Safety
    /// The row must be the tile's.
    unsafe fn spread(&self, bundle: &Bundle, first: usize, y: usize, x: usize) -> Spread<'_, f64> {
        let Self { general, band, results, out_row, .. } = *self;
        // SAFETY: the caller's promise.
        unsafe {
            Spread {
                image: band.start.add(y * band.row + x),
                row: band.row,
                places: band.places,
                weights: general.weights.as_ptr().add(bundle.weights + first),
                out: results.add(x),
                out_row,
                out_kernel: out_row,
            }
        }
    }

    /// The starts of blocks along a row, and whether each is wide.
    fn steps(&self, wide: usize, narrow: usize) -> impl Iterator<Item = (usize, bool)> + use<> {
        let (columns, whole) = (self.columns, self.columns / wide * wide);
        (0..whole).step_by(wide).map(|x| (x, true)).chain((whole..columns).step_by(narrow).map(|x| (x, false)))
    }

    /// Some rows by the direct kernel. False, with nothing stored, if many results are ambiguous.
    ///
    /// # Safety
    /// As for [`tile_exactly`]; the rows must be the tile's.
    unsafe fn sums(&self, bundle: &Bundle, weight: &Weight, rows: Range<usize>, bound: f64) -> Result<bool> {
        let Self { general, tile, band, results, out_row, columns, .. } = *self;
        // SAFETY: the caller's promise.
        unsafe { general.block_rows(self.blocks, bundle, band, rows.clone(), columns, results) };
        if bound > 0.0 || self.scan.special || weight.special {
            let most = columns * rows.len() * bundle.count / 8;
            let mut ambiguous = vec![];
            for k in 0..bundle.count {
                for r in 0..rows.len() {
                    // SAFETY: the blocks have filled these rows.
                    let row = unsafe { self.row(k * rows.len() + r) };
                    let from = ambiguous.len();
                    settle_sum(general.simd, row, bound, &mut ambiguous);
                    if ambiguous.len() > most && !self.scan.special && !weight.special {
                        return Ok(false);
                    }
                    for &x in &ambiguous[from..] {
                        // SAFETY: an output of this tile.
                        row[x] = unsafe { self.one(bundle, k, rows.start + r, x) };
                    }
                }
            }
        }
        // SAFETY: the rows are filled.
        unsafe { general.store(tile, bundle, rows.start, rows.len(), results, out_row)? };
        Ok(true)
    }

    /// One row as pairs. False, with only some of it stored, if many results are ambiguous.
    ///
    /// # Safety
    /// As for [`tile_exactly`]; the row must be the tile's.
    unsafe fn pairs(&self, bundle: &Bundle, weight: &Weight, y: usize, anchor: i32, bound: f64) -> Result<bool> {
        use pair::KERNELS;
        let Self { general, tile, results, out_row, columns, .. } = *self;
        let blocks = pair_blocks(general.simd);
        for first in (0..bundle.count).step_by(KERNELS) {
            let count = KERNELS.min(bundle.count - first);
            for (x, wide) in self.steps(blocks.wide, blocks.narrow) {
                // SAFETY: the first KERNELS rows of results hold the upper halves, the next the lower ones; the band holds
                // whole vectors of columns; the instruction set is the general's.
                unsafe {
                    blocks.shapes[count - 1][usize::from(!wide)](&PairTaps {
                        spread: self.spread(bundle, first, y, x),
                        stride: bundle.count,
                        low: results.add(KERNELS * out_row + x),
                        anchor: 1.5 * power(anchor),
                    });
                }
            }
            for k in 0..count {
                let mut ambiguous = vec![];
                // SAFETY: the blocks have filled these rows.
                let (high, low) = unsafe { (self.row(k), self.row(KERNELS + k)) };
                settle_pair(general.simd, self.exact.rounding, high, low, bound, &mut ambiguous);
                if ambiguous.len() > columns / 16 && !self.scan.special && !weight.special {
                    return Ok(false);
                }
                for &x in &ambiguous {
                    // SAFETY: an output of this tile.
                    high[x] = unsafe { self.one(bundle, first + k, y, x) };
                }
            }
            let part = Bundle { first: bundle.first + first, count, weights: 0 };
            // SAFETY: the rows are filled.
            unsafe { general.store(tile, &part, y, 1, results, out_row)? };
        }
        Ok(true)
    }

    /// One row as triples.
    ///
    /// # Safety
    /// As for [`tile_exactly`]; the row must be the tile's.
    unsafe fn triples(&self, bundle: &Bundle, y: usize, anchors: [i32; 2], bound: f64) -> Result<()> {
        use triple::KERNELS;
        let Self { general, tile, results, out_row, .. } = *self;
        let blocks = triple_blocks(general.simd);
        for first in (0..bundle.count).step_by(KERNELS) {
            let count = KERNELS.min(bundle.count - first);
            for (x, wide) in self.steps(blocks.wide, blocks.narrow) {
                // SAFETY: KERNELS rows of results for each of the three numbers; the rest as for pairs.
                unsafe {
                    blocks.shapes[count - 1][usize::from(!wide)](&TripleTaps {
                        spread: self.spread(bundle, first, y, x),
                        stride: bundle.count,
                        rest: [1, 2].map(|i| results.add(i * KERNELS * out_row + x)),
                        anchors: anchors.map(|binade| 1.5 * power(binade)),
                    });
                }
            }
            for k in 0..count {
                let mut ambiguous = vec![];
                // SAFETY: the blocks have filled these rows.
                let [high, middle, low] = unsafe { [0, 1, 2].map(|i| self.row(i * KERNELS + k)) };
                join(general.simd, high, middle, low);
                settle_pair(general.simd, self.exact.rounding, high, middle, bound, &mut ambiguous);
                for &x in &ambiguous {
                    // SAFETY: an output of this tile.
                    high[x] = unsafe { self.one(bundle, first + k, y, x) };
                }
            }
            let part = Bundle { first: bundle.first + first, count, weights: 0 };
            // SAFETY: the rows are filled.
            unsafe { general.store(tile, &part, y, 1, results, out_row)? };
        }
        Ok(())
    }

    /// One row, output by output.
    ///
    /// # Safety
    /// As for [`tile_exactly`]; the row must be the tile's.
    unsafe fn ones(&self, bundle: &Bundle, y: usize) -> Result<()> {
        let Self { general, tile, results, out_row, .. } = *self;
        for k in 0..bundle.count {
            for x in 0..self.columns {
                // SAFETY: outputs of this tile, rows of the results.
                unsafe { results.add(k * out_row + x).write(self.one(bundle, k, y, x)) };
            }
        }
        // SAFETY: the rows are filled.
        unsafe { general.store(tile, bundle, y, 1, results, out_row) }
    }

    /// One output, as a binary64 number that the output's dtype holds.
    ///
    /// # Safety
    /// The band must be packed; the output must be the tile's.
    #[cold]
    unsafe fn one(&self, bundle: &Bundle, k: usize, y: usize, x: usize) -> f64 {
        let Self { general, band, .. } = *self;
        let weights = general.weights[bundle.weights + k..].iter().step_by(bundle.count);
        let mut sum = ExactDot::new();
        for (&place, &w) in band.places.iter().zip(weights) {
            // SAFETY: the output's taps lie in the band.
            let element = unsafe { *band.start.add(place + y * band.row + x) };
            if !(element == 0.0 && w.is_finite()) {
                sum.add(element.into(), w.into());
            }
        }
        self.exact.rounding.read(&sum)
    }
}
