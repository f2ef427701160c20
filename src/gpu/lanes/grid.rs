//! Arrays as lanes side by side, and parts of them.

use std::ops::Range;

use crate::plan::Lanes;

/// An array as `outer · len · inner` elements in C order: the lanes run along the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gpu) struct Grid {
    pub(in crate::gpu) outer: usize,
    pub(in crate::gpu) len: usize,
    pub(in crate::gpu) inner: usize,
}

/// A part of a grid: some lanes, or a stretch of some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gpu) struct Piece {
    pub(in crate::gpu) outer: Range<usize>,
    pub(in crate::gpu) at: Range<usize>,
    pub(in crate::gpu) columns: Range<usize>,
}

impl Piece {
    /// The number of elements.
    pub(in crate::gpu) fn len(&self) -> usize {
        self.outer.len() * self.at.len() * self.columns.len()
    }

    /// The number of lanes.
    pub(in crate::gpu) fn lanes(&self) -> usize {
        self.outer.len() * self.columns.len()
    }

    /// The number, in the grid, of lane `lane` of the piece.
    pub(in crate::gpu) fn lane(&self, grid: Grid, lane: usize) -> usize {
        let width = self.columns.len();
        (self.outer.start + lane / width) * grid.inner + self.columns.start + lane % width
    }

    /// Where the elements of the piece lie, row by row, in an array of so many elements per lane: ranges in C order.
    pub(in crate::gpu) fn rows(&self, len: usize, inner: usize) -> impl Iterator<Item = Range<usize>> {
        let Self { outer, at, columns } = self.clone();
        // As long as the rows touch they are one.
        let (outer, at, columns) = match (columns.len() == inner, at.len() == len) {
            (true, true) => (0..1, 0..1, outer.start * len * inner..outer.end * len * inner),
            (true, false) => (outer, 0..1, at.start * inner..at.end * inner),
            _ => (outer, at, columns),
        };
        outer.flat_map(move |o| {
            let columns = columns.clone();
            at.clone().map(move |i| {
                let start = o * len * inner + i * inner;
                start + columns.start..start + columns.end
            })
        })
    }
}

impl Grid {
    /// The grid of lanes, and the order of axes that makes one of an array whose walked axes do not lie together.
    pub(in crate::gpu) fn of(lanes: &Lanes) -> (Self, Option<Vec<usize>>) {
        let product = |axes: &mut dyn Iterator<Item = usize>| axes.map(|axis| lanes.input[axis]).product();
        // A single axis stays where it is whatever its length: a scan may give it one result more.
        let single = lanes.walked.len() == 1;
        let long: Vec<usize> = lanes.walked.iter().copied().filter(|&axis| single || lanes.input[axis] != 1).collect();
        let (Some(&first), Some(&last)) = (long.first(), long.last()) else {
            return (Self { outer: lanes.count(), len: lanes.len(), inner: 1 }, None);
        };
        let together = (first..=last).all(|axis| lanes.walked.contains(&axis) || lanes.input[axis] == 1);
        if together {
            let (outer, inner) = (product(&mut (0..first)), product(&mut (last + 1..lanes.input.len())));
            return (Self { outer, len: lanes.len(), inner }, None);
        }
        let order = lanes.kept.iter().chain(&lanes.walked).copied().collect();
        (Self { outer: lanes.count(), len: lanes.len(), inner: 1 }, Some(order))
    }

    /// The number of lanes.
    pub(in crate::gpu) fn lanes(&self) -> usize {
        self.outer * self.inner
    }

    /// Parts of at most `most` elements: whole lanes where some fit, else stretches of a few lanes, one after the other.
    pub(in crate::gpu) fn pieces(&self, most: usize) -> Vec<Piece> {
        let Self { outer, len, inner } = *self;
        let most = most.max(64);
        let cut = |n: usize, step: usize| (0..n.div_ceil(step.max(1))).map(move |i| i * step..n.min((i + 1) * step));
        if len.saturating_mul(inner) <= most {
            // A multiple of 4 where it can be: narrow elements share words.
            let step = most / (len * inner).max(1);
            let step = if step >= 4 { step / 4 * 4 } else { step };
            return cut(outer, step).map(|outer| Piece { outer, at: 0..len, columns: 0..inner }).collect();
        }
        let columns = inner.min((most / len.max(1)).max(16));
        let rows = (most / columns / 4 * 4).max(4);
        let mut pieces = vec![];
        for o in 0..outer {
            for columns in cut(inner, columns) {
                let stretches = cut(len, if columns.len() * len <= most { len } else { rows });
                pieces.extend(stretches.map(|at| Piece { outer: o..o + 1, at, columns: columns.clone() }));
            }
        }
        pieces
    }

    /// Parts of at most `most` elements as [`pieces`](Self::pieces), of as broad rows as 256 of them allow.
    pub(super) fn broad_pieces(&self, most: usize) -> Vec<Piece> {
        let Self { outer, len, inner } = *self;
        let columns = inner.min(most / 256 / 4 * 4).max(4);
        let rows = (most / columns).max(1);
        if len.saturating_mul(inner) <= most {
            return self.pieces(most);
        }
        let cut = |n: usize, step: usize| (0..n.div_ceil(step)).map(move |i| i * step..n.min((i + 1) * step));
        (0..outer)
            .flat_map(|o| cut(inner, columns).map(move |columns| (o, columns)))
            .flat_map(|(o, columns)| cut(len, rows).map(move |at| Piece { outer: o..o + 1, at, columns: columns.clone() }))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dtype;

    #[test]
    fn pieces_cover_a_grid_once_and_in_order_along_each_lane() {
        for (outer, len, inner) in [(1, 1000, 1), (7, 10, 1), (3, 5, 4), (2, 300, 40), (1, 3, 700), (5, 100, 3), (2, 1, 1)] {
            let grid = Grid { outer, len, inner };
            for most in [64, 100, 513, 1025, 4099, 1 << 20] {
                let mut next = vec![0; grid.lanes()];
                let mut elements = vec![0; outer * len * inner];
                for piece in if most % 2 == 1 { grid.broad_pieces(most) } else { grid.pieces(most) } {
                    for lane in 0..piece.lanes() {
                        let lane = piece.lane(grid, lane);
                        assert_eq!(next[lane], piece.at.start, "{grid:?} {most} {piece:?}");
                        next[lane] = piece.at.end;
                    }
                    let rows: Vec<_> = piece.rows(len, inner).collect();
                    assert_eq!(rows.iter().map(Range::len).sum::<usize>(), piece.len());
                    rows.into_iter().flatten().for_each(|i| elements[i] += 1);
                }
                assert!(next.iter().all(|&end| end == len) && elements.iter().all(|&n| n == 1), "{grid:?} {most}");
            }
        }
    }

    #[test]
    fn lanes_that_lie_apart_are_put_in_order() {
        let lanes = |axes: &[isize]| Lanes::new("test", Dtype::F32, &[2, 3, 1, 4], Some(axes)).unwrap();
        assert_eq!(Grid::of(&lanes(&[1, 2])), (Grid { outer: 2, len: 3, inner: 4 }, None));
        assert_eq!(Grid::of(&lanes(&[1, 3])), (Grid { outer: 2, len: 12, inner: 1 }, None));
        assert_eq!(Grid::of(&lanes(&[2])), (Grid { outer: 6, len: 1, inner: 4 }, None));
        assert_eq!(Grid::of(&lanes(&[0, 3])), (Grid { outer: 3, len: 8, inner: 1 }, Some(vec![1, 2, 0, 3])));
    }
}
