//! Sets of sample indices: disjoint ranges in ascending order.

use std::ops::Range;

use crate::{Error, Result};

/// Indices as disjoint ranges, not adjacent, in ascending order, none empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Ranges(Vec<Range<u64>>);

impl Ranges {
    /// The ranges.
    pub(crate) fn all(&self) -> &[Range<u64>] {
        &self.0
    }

    /// How many indices there are.
    pub(crate) fn count(&self) -> u64 {
        self.0.iter().map(|range| range.end - range.start).sum()
    }

    /// Where the indices from 0 on end that are all there.
    pub(crate) fn prefix(&self) -> u64 {
        self.0.first().filter(|first| first.start == 0).map_or(0, |first| first.end)
    }

    /// What is not there of a range.
    pub(crate) fn missing(&self, range: Range<u64>) -> Vec<Range<u64>> {
        let mut missing = vec![];
        let mut at = range.start;
        for done in self.0.iter().filter(|done| done.end > range.start && done.start < range.end) {
            if done.start > at {
                missing.push(at..done.start);
            }
            at = done.end;
        }
        if at < range.end {
            missing.push(at..range.end);
        }
        missing
    }

    /// Whether all of `other` is there.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|range| self.missing(range.clone()).is_empty())
    }

    /// What both have in common, or the first range of it.
    pub(crate) fn overlap(&self, other: &Self) -> Option<Range<u64>> {
        other.0.iter().find_map(|range| {
            let common = |done: &Range<u64>| done.start.max(range.start)..done.end.min(range.end);
            self.0.iter().map(common).find(|common| !common.is_empty())
        })
    }

    /// The indices from `start` on.
    pub(crate) fn starting_at(&self, start: u64) -> Self {
        Self(self.0.iter().map(|range| range.start.max(start)..range.end).filter(|range| !range.is_empty()).collect())
    }

    /// Adds ranges that have no index in common with these.
    pub(crate) fn add(&mut self, other: &Self) {
        let mut all = [&self.0[..], &other.0[..]].concat();
        all.sort_unstable_by_key(|range| range.start);
        self.0.clear();
        for range in all {
            match self.0.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => self.0.push(range),
            }
        }
    }

    /// The ranges whose ends are given in order.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if they are not in order.
    pub(crate) fn from_ends(what: &str, ends: &[u64]) -> Result<Self> {
        if !ends.len().is_multiple_of(2) || !ends.windows(2).all(|pair| pair[0] < pair[1]) {
            return Err(Error::Corrupt { what: what.into(), reason: "ranges out of order".into() });
        }
        Ok(Self(ends.as_chunks::<2>().0.iter().map(|&[start, end]| start..end).collect()))
    }

    /// The ends of every range, in order.
    pub(crate) fn ends(&self) -> impl Iterator<Item = u64> {
        self.0.iter().flat_map(|range| [range.start, range.end])
    }
}

impl From<Range<u64>> for Ranges {
    fn from(range: Range<u64>) -> Self {
        Self(if range.is_empty() { vec![] } else { vec![range] })
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init)]
mod tests {
    use super::*;

    fn of(ranges: &[Range<u64>]) -> Ranges {
        let mut all = Ranges::default();
        ranges.iter().for_each(|range| all.add(&range.clone().into()));
        all
    }

    #[test]
    fn ranges_grow_together_in_any_order() {
        assert_eq!(of(&[20..30, 0..10, 10..20]), of(&[0..30]));
        assert_eq!(of(&[3..3]), Ranges::default());
        let end = of(&[u64::MAX - 5..u64::MAX]);
        assert_eq!((end.count(), end.prefix(), end.missing(0..u64::MAX)), (5, 0, vec![0..u64::MAX - 5]));
        assert_eq!(of(&[0..4, 6..7]).prefix(), 4);
    }

    #[test]
    fn what_is_missing_is_what_is_not_there() {
        let some = of(&[5..10, 20..30]);
        assert_eq!(some.missing(0..40), [0..5, 10..20, 30..40]);
        assert_eq!(some.missing(7..25), [10..20]);
        assert_eq!(some.missing(6..9), []);
        assert!(some.covers(&of(&[6..8, 20..30])) && !some.covers(&of(&[6..11])));
        assert_eq!((some.overlap(&of(&[10..20])), some.overlap(&of(&[0..1, 15..22]))), (None, Some(20..22)));
    }

    #[test]
    fn ends_come_back_and_disorder_is_refused() {
        let some = of(&[5..10, 20..30]);
        assert_eq!(Ranges::from_ends("x", &some.ends().collect::<Vec<_>>()), Ok(some));
        for wrong in [&[1u64][..], &[5, 5], &[5, 3], &[0, 4, 4, 6]] {
            assert!(Ranges::from_ends("x", wrong).is_err());
        }
    }
}
