//! Smallest and largest elements at once, and magnitudes.

use super::keys::{Scan, key, widen};
use crate::cpu::reduce::drive::{Fold, rows_by_row};
use crate::cpu::simd::{Kernel, Simd, blocks_ahead};
use crate::plan::range;

/// The smallest and the largest key of a block.
struct Bounds<'a, T, const SKIP: bool>(&'a [T]);

impl<T: Scan, const SKIP: bool> Kernel for Bounds<'_, T, SKIP> {
    type Output = (T::Key, T::Key);

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> (T::Key, T::Key) {
        let (mut least, mut most) = (T::BOUNDS.1, T::BOUNDS.0);
        for block in blocks_ahead(self.0) {
            let (mut low, mut high) = (T::BOUNDS.1, T::BOUNDS.0);
            for &value in block {
                (low, high) = widen::<T, SKIP>(low, high, value.scan());
            }
            (least, most) = (least.min(low), most.max(high));
        }
        (least, most)
    }
}

/// The smallest and largest key of a block, NaN passed over if `skip`.
fn bounds<T: Scan>(values: &[T], simd: Simd, skip: bool) -> (T::Key, T::Key) {
    if skip && T::DTYPE.is_float() { simd.run(Bounds::<T, true>(values)) } else { simd.run(Bounds::<T, false>(values)) }
}

/// The smallest and largest keys of columns.
struct BoundsOfColumns<'a, T: Scan, const SKIP: bool> {
    rows: &'a [&'a [T]],
    least: &'a mut [T::Key],
    most: &'a mut [T::Key],
}

impl<T: Scan, const SKIP: bool> Kernel for BoundsOfColumns<'_, T, SKIP> {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        let width = self.least.len();
        let (least, most) = (&mut self.least[..width], &mut self.most[..width]);
        for row in self.rows {
            let row = &row[..width];
            for i in 0..width {
                (least[i], most[i]) = widen::<T, SKIP>(least[i], most[i], row[i].scan());
            }
        }
    }
}

/// `min` and `max` at once.
pub(in crate::cpu::reduce) struct Range {
    pub(in crate::cpu::reduce) simd: Simd,
    /// Whether NaN is passed over.
    pub(in crate::cpu::reduce) skip: bool,
}

/// The order keys of the bounds.
fn keys<T: Scan>(bounds: (T::Key, T::Key)) -> (u64, u64) {
    (key::<T>(bounds, true), key::<T>(bounds, false))
}

impl<T: Scan> Fold<T> for Range {
    type Partial = Option<(u64, u64)>;
    type Columns = (Vec<T::Key>, Vec<T::Key>);

    fn start(&self, _: Option<&Self::Partial>) -> Self::Partial {
        None
    }

    fn row(&self, found: &mut Self::Partial, values: &[T], _: u64) {
        if !values.is_empty() {
            *found = range(*found, Some(keys::<T>(bounds(values, self.simd, self.skip))));
        }
    }

    fn merge(&self, found: &mut Self::Partial, later: Self::Partial) {
        *found = range(*found, later);
    }

    fn start_columns(&self, width: usize) -> Self::Columns {
        (vec![T::BOUNDS.1; width], vec![T::BOUNDS.0; width])
    }

    fn rows(&self, (least, most): &mut Self::Columns, rows: &[&[T]], _: u64) {
        if self.skip && T::DTYPE.is_float() {
            self.simd.run(BoundsOfColumns::<T, true> { rows, least, most });
        } else {
            self.simd.run(BoundsOfColumns::<T, false> { rows, least, most });
        }
    }

    fn end_columns(&self, (least, most): Self::Columns) -> Vec<Self::Partial> {
        least.into_iter().zip(most).map(|bounds| Some(keys::<T>(bounds))).collect()
    }
}

/// The key of the largest magnitude between two bounds; that of NaN passed over is worse than any.
pub(in crate::cpu::reduce) fn largest_magnitude<T: Scan>((least, most): (u64, u64), skip: bool) -> u64 {
    let (least, most) = (T::from_key(least), T::from_key(most));
    if skip && least.is_nan() { 0 } else { least.magnitude(false).max(most.magnitude(false)) }
}

/// The smallest magnitude.
pub(in crate::cpu::reduce) struct SmallestMagnitude {
    /// Whether NaN is passed over.
    pub(in crate::cpu::reduce) skip: bool,
}

impl<T: Scan> Fold<T> for SmallestMagnitude {
    type Partial = Option<u64>;
    type Columns = Vec<Option<u64>>;

    fn start(&self, _: Option<&Option<u64>>) -> Option<u64> {
        None
    }

    fn row(&self, best: &mut Option<u64>, values: &[T], _: u64) {
        for value in values {
            let key = if self.skip && value.is_nan() { u64::MAX } else { value.magnitude(true) };
            *best = Some(best.map_or(key, |best| best.min(key)));
        }
    }

    fn merge(&self, best: &mut Option<u64>, later: Option<u64>) {
        *best = match (*best, later) {
            (Some(x), Some(y)) => Some(x.min(y)),
            (x, y) => x.or(y),
        };
    }

    fn start_columns(&self, width: usize) -> Vec<Option<u64>> {
        vec![None; width]
    }

    fn rows(&self, columns: &mut Vec<Option<u64>>, rows: &[&[T]], index: u64) {
        rows_by_row(self, columns, rows, index);
    }

    fn end_columns(&self, columns: Vec<Option<u64>>) -> Vec<Option<u64>> {
        columns
    }
}
