//! The grid of importance sampling: cells of equal probability that are small where the integrand is large.
//!
//! Source: Lepage, "A new algorithm for adaptive multidimensional integration", J. Comput. Phys. 27, 1978, with the damping and
//! smoothing of his "Adaptive multidimensional integration: VEGAS enhanced", J. Comput. Phys. 439, 2021. Devices only count, in
//! integers; the grid is made from the counts here, in binary64 with functions that are the same code everywhere.

use super::IntegralSums;
use crate::expr::scalar::Lane;

/// Cells of an axis: the top bits of a coordinate's word choose one.
pub(crate) const BINS: usize = 1 << BIN_BITS;
pub(crate) const BIN_BITS: u32 = 7;
/// How fast the grid follows what it has seen.
const DAMPING: f64 = 0.75;
/// The mean of the squares in units of what is counted, as a power of two, and the most that one sample adds. Rounds have
/// [`MOST_SAMPLES`] at most, so that 64 bits hold the sum.
const MEAN_BITS: i32 = 16;
const MOST_ADDED: u64 = 1 << 39;
pub(crate) const MOST_SAMPLES: u64 = 1 << 24;
/// The scale under which nothing is counted.
pub(crate) const UNCOUNTED: i32 = 1 << 12;

/// The edges of every axis' cells, from 0 to 1, and the unit of what is counted in them, if it is known already.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Grid {
    /// `BINS + 1` for each axis.
    pub(super) edges: Vec<Vec<f64>>,
    /// Squares are counted in units of 2 to this power.
    pub(super) scale: Option<i32>,
}

/// What a device needs of one cell: where it starts, how wide it is, and how much less likely points are there than if all
/// were alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cell<T> {
    pub(crate) start: T,
    pub(crate) width: T,
    pub(crate) weight: T,
}

impl Grid {
    /// Equal cells.
    pub(super) fn new(dimensions: usize) -> Self {
        let edges = (0..=BINS).map(|i| i as f64 / BINS as f64).collect();
        Self { edges: vec![edges; dimensions], scale: None }
    }

    /// The unit of the counts, as a power of two.
    pub(crate) fn scale(&self) -> i32 {
        self.scale.unwrap_or(UNCOUNTED)
    }

    /// Two factors whose product is one over that unit: of the squares of tiny numbers no one factor would be finite.
    pub(crate) fn per_unit(&self) -> [f64; 2] {
        let half = self.scale() / 2;
        [half, self.scale() - half].map(|scale| 2f64.powi(-scale))
    }

    /// The cells of the axes with these bounds. A cell starts where the one before ends, both rounded, and weighs what its rounded
    /// ends say; but its share before rounding where there are so few numbers between the bounds that equal cells would be empty.
    pub(crate) fn cells<T: Lane + crate::exact::fast::Float>(&self, bounds: &[[f64; 2]]) -> Vec<Vec<Cell<T>>> {
        let axis = |(edges, &[from, to]): (&Vec<f64>, &[f64; 2])| {
            let at = |edge: f64| T::nearest(if edge == 1.0 { to } else { from + (to - from) * edge });
            let width = |from: f64, to: f64| at(to).widen() - at(from).widen();
            let (whole, each) = (width(0.0, 1.0), 1.0 / BINS as f64);
            let coarse = (0..BINS).any(|i| width(i as f64 * each, (i + 1) as f64 * each) == 0.0);
            let cell = |pair: &[f64]| {
                let width = width(pair[0], pair[1]);
                let share = if coarse { pair[1] - pair[0] } else { width / whole };
                Cell { start: at(pair[0]), width: T::nearest(width), weight: T::nearest(BINS as f64 * share) }
            };
            edges.windows(2).map(cell).collect()
        };
        self.edges.iter().zip(bounds).map(axis).collect()
    }

    /// Sets the unit of the counts by the values of some samples: their mean square is `2^16` units or nearly twice that. Says
    /// whether there was anything to go by.
    pub(super) fn set_scale(&mut self, sums: &IntegralSums) -> bool {
        let mean = sums.squares.mean_f64(sums.count);
        let known = mean > 0.0 && mean.is_finite();
        self.scale = Some(if known { libm::ilogb(mean) - MEAN_BITS } else { 0 });
        known
    }

    /// The grid whose cells share what was counted, damped and smoothed, alike.
    pub(super) fn refined(&self, counts: &[u64]) -> Self {
        let axis = |(edges, counts): (&Vec<f64>, &[u64])| refine(edges, counts);
        Self { edges: self.edges.iter().zip(counts.chunks(BINS)).map(axis).collect(), scale: None }
    }
}

/// What one sample adds to the counts of its cells: its square in [units](Grid::per_unit). NaN adds nothing.
#[inline(always)]
pub(crate) fn counted(value: f64, [a, b]: [f64; 2]) -> u64 {
    // Of NaN and 0, `max` takes 0. What is left fits a signed integer, which vectors convert to.
    ((value * a) * (value * b)).max(0.0).min(MOST_ADDED as f64) as i64 as u64
}

fn refine(edges: &[f64], counts: &[u64]) -> Vec<f64> {
    let at = |i: usize| counts[i] as f64;
    let last = BINS - 1;
    let smooth = |i: usize| match i {
        0 => (7.0 * at(0) + at(1)) / 8.0,
        i if i == last => (at(last - 1) + 7.0 * at(last)) / 8.0,
        i => (at(i - 1) + 6.0 * at(i) + at(i + 1)) / 8.0,
    };
    let smoothed: Vec<f64> = (0..BINS).map(smooth).collect();
    let total: f64 = smoothed.iter().sum();
    if total == 0.0 {
        return edges.to_vec();
    }
    let damped = |&share: &f64| match share / total {
        0.0 => 0.0,
        1.0 => 1.0,
        d => libm::pow((1.0 - d) / -libm::log(d), DAMPING),
    };
    let shares: Vec<f64> = smoothed.iter().map(damped).collect();
    let each = shares.iter().sum::<f64>() / BINS as f64;
    let (mut new, mut gathered, mut cell) = (vec![0.0], 0.0, 0);
    for edge in 1..BINS {
        let wanted = edge as f64 * each;
        while gathered + shares[cell] < wanted && cell < last {
            gathered += shares[cell];
            cell += 1;
        }
        let way = ((wanted - gathered) / shares[cell]).clamp(0.0, 1.0);
        new.push((edges[cell] + (edges[cell + 1] - edges[cell]) * way).max(new[edge - 1]));
    }
    new.push(1.0);
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_counts_keep_the_grid_and_a_peak_draws_it_in() {
        let grid = Grid::new(2);
        let mut counts = vec![1000; 2 * BINS];
        let same = grid.refined(&counts);
        let near = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
        assert!(near(&same.edges[0], &grid.edges[0]) && near(&same.edges[1], &grid.edges[1]));
        // All of it in one cell of the second axis.
        counts[BINS..].fill(0);
        counts[BINS + 40] = u64::MAX / 2;
        let mut grid = grid.refined(&counts);
        for _ in 0..3 {
            let edges = &grid.edges[1];
            let mut counts = vec![1000; 2 * BINS];
            // As samples would: by how much of the peak a cell has.
            for i in 0..BINS {
                let inside = (edges[i + 1].min(41.0 / 128.0) - edges[i].max(40.0 / 128.0)).max(0.0);
                counts[BINS + i] = (inside * inside.max(1e-9) * 1e12) as u64;
            }
            grid = grid.refined(&counts);
        }
        let inside = grid.edges[1].iter().filter(|&&edge| (40.0 / 128.0..=41.0 / 128.0).contains(&edge)).count();
        assert!(inside > 100, "{inside}");
        assert!(grid.edges.iter().all(|edges| edges.len() == BINS + 1 && edges.windows(2).all(|pair| pair[0] <= pair[1])));
        assert_eq!(grid.refined(&vec![0; 2 * BINS]).edges, grid.edges);
    }

    #[test]
    fn cells_lie_end_to_end_and_their_weights_make_one() {
        let mut grid = Grid::new(1);
        let mut counts = vec![0; BINS];
        (0..BINS).for_each(|i| counts[i] = 1 << (i / 2));
        grid = grid.refined(&counts);
        let bounds = [[-3.0, 7.5]];
        let cells = &grid.cells::<f32>(&bounds)[0];
        assert_eq!((cells[0].start, cells[BINS - 1].start + cells[BINS - 1].width), (-3.0, 7.5));
        let mean: f64 = cells.iter().map(|cell| f64::from(cell.weight)).sum::<f64>() / BINS as f64;
        assert!((mean - 1.0).abs() < 1e-7, "{mean}");
        for pair in cells.windows(2) {
            assert!((pair[0].start + pair[0].width - pair[1].start).abs() <= 1e-6);
        }
    }

    #[test]
    fn squares_are_counted_in_whole_units() {
        let mut grid = Grid::new(1);
        let mut sums = IntegralSums { count: 4, ..IntegralSums::default() };
        assert!(!grid.set_scale(&sums));
        sums.squares.push(12.0);
        assert!(grid.set_scale(&sums));
        // The mean square is 3.
        assert_eq!(grid.scale(), 1 - 16);
        let per = grid.per_unit();
        assert_eq!((counted(1.5, per), counted(-0.01, per)), (9 << 13, 3));
        assert_eq!((counted(f64::NAN, per), counted(f64::INFINITY, per), counted(1e30, per)), (0, MOST_ADDED, MOST_ADDED));
        assert_eq!([1e30, f64::INFINITY, -1.0].map(|value| counted(value, Grid::new(1).per_unit())), [0; 3]);
        // Mean squares of 3 · 2^-1070: a subnormal number.
        let tiny = 2f64.powi(-535);
        let mut sums = IntegralSums { count: 4, ..IntegralSums::default() };
        sums.squares.push(12.0 * tiny * tiny);
        assert!(grid.set_scale(&sums));
        let per = grid.per_unit();
        assert_eq!((grid.scale(), counted(1.5 * tiny, per), counted(-0.01 * tiny, per)), (1 - 16 - 1070, 9 << 13, 3));
    }

    #[test]
    fn rounded_bounds_weigh_one_together() {
        let mut counts = vec![1000; BINS];
        counts[..8].fill(1 << 30);
        let grid = Grid::new(1);
        // What rounding moves; fewer numbers of binary32 than cells; one; none.
        for bounds in [[2020.3, 2021.7], [1e6, 1e6 + 0.1], [1e8, 1e8 + 1.0], [3.0, 3.0], [-0.1, -0.7], [0.0, 1e-43]] {
            for grid in [&grid, &grid.refined(&counts)] {
                let cells = &grid.cells::<f32>(&[bounds])[0];
                let mean = cells.iter().map(|cell| f64::from(cell.weight)).sum::<f64>() / BINS as f64;
                assert!((mean - 1.0).abs() < 1e-6, "{bounds:?}: {mean}");
                assert!(grid.scale.is_none() && cells.iter().all(|cell| cell.start.is_finite() && cell.weight >= 0.0));
            }
            // Hardly any cell weighs nothing before there is anything to adapt to.
            let least = grid.cells::<f32>(&[bounds])[0].iter().map(|cell| cell.weight).fold(f32::INFINITY, f32::min);
            assert!(least > 0.4, "{bounds:?}: {least}");
        }
    }
}
