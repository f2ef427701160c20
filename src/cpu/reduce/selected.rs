//! Reductions of some of the elements: those that a mask selects, or that are no NaN.

use super::drive::Fold;
use super::pair::FoldPairs;
use crate::Real;

/// What the elements left out may be replaced by.
pub(super) trait Neutral<T> {
    /// An element that changes no result (but for the number of elements).
    fn neutral(&self) -> T;
}

/// A fold of what a mask selects, and how much that is. The elements are moved together, so the fold must not care for their
/// indices.
pub(super) struct Masked<'f, F>(pub(super) &'f F, pub(super) bool);

impl<T: Real, F: Fold<T>> FoldPairs<T, bool> for Masked<'_, F> {
    type Partial = (F::Partial, u64);

    fn start(&self, last: Option<&Self::Partial>) -> Self::Partial {
        (self.0.start(last.map(|last| &last.0)), 0)
    }

    fn row(&self, (partial, count): &mut Self::Partial, values: &[T], mask: &[bool], index: u64) {
        let mut chosen = [T::ZERO; 1024];
        for (values, mask) in values.chunks(chosen.len()).zip(mask.chunks(chosen.len())) {
            let mut n = 0;
            for (&value, &keep) in values.iter().zip(mask) {
                chosen[n] = value;
                n += usize::from(keep && !(self.1 && value.is_nan()));
            }
            if n > 0 {
                self.0.row(partial, &chosen[..n], index);
                *count += n as u64;
            }
        }
    }

    fn merge(&self, (partial, count): &mut Self::Partial, (later, more): Self::Partial) {
        self.0.merge(partial, later);
        *count += more;
    }
}

/// A fold of what is no NaN, and how much that is.
pub(super) struct WithoutNan<'f, F>(pub(super) &'f F);

/// Elements of a block that is copied with NaN replaced.
const BLOCK: usize = 2048;

/// The elements with `neutral` for NaN; the answer is how many are no NaN.
fn replace<T: Real>(values: &[T], neutral: T, out: &mut [T]) -> u64 {
    let mut count = 0u32;
    for (out, &value) in out.iter_mut().zip(values) {
        let nan = value.is_nan();
        *out = if nan { neutral } else { value };
        count += u32::from(!nan);
    }
    u64::from(count)
}

impl<T: Real, F: Fold<T> + Neutral<T>> Fold<T> for WithoutNan<'_, F> {
    type Partial = (F::Partial, u64);
    type Columns = (F::Columns, Vec<u64>);
    const EXACT: bool = F::EXACT;
    const FREE: bool = F::FREE;
    const WIDTH: usize = 512;

    fn start(&self, last: Option<&Self::Partial>) -> Self::Partial {
        (self.0.start(last.map(|last| &last.0)), 0)
    }

    fn row(&self, (partial, count): &mut Self::Partial, values: &[T], index: u64) {
        let mut copy = [T::ZERO; BLOCK];
        for (block, at) in values.chunks(BLOCK).zip((index..).step_by(BLOCK)) {
            let copy = &mut copy[..block.len()];
            *count += replace(block, self.0.neutral(), copy);
            self.0.row(partial, copy, at);
        }
    }

    fn merge(&self, (partial, count): &mut Self::Partial, (later, more): Self::Partial) {
        self.0.merge(partial, later);
        *count += more;
    }

    fn start_columns(&self, width: usize) -> Self::Columns {
        (self.0.start_columns(width), vec![0; width])
    }

    fn rows(&self, (columns, counts): &mut Self::Columns, rows: &[&[T]], index: u64) {
        let width = counts.len();
        let mut copy = vec![T::ZERO; rows.len() * width];
        for (row, copy) in rows.iter().zip(copy.chunks_exact_mut(width.max(1))) {
            replace(row, self.0.neutral(), copy);
            counts.iter_mut().zip(*row).for_each(|(count, value)| *count += u64::from(!value.is_nan()));
        }
        let rows: Vec<&[T]> = copy.chunks_exact(width.max(1)).collect();
        self.0.rows(columns, &rows, index);
    }

    fn end_columns(&self, (columns, counts): Self::Columns) -> Vec<Self::Partial> {
        self.0.end_columns(columns).into_iter().zip(counts).collect()
    }
}
