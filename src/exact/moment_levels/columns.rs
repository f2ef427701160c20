//! Columns side by side in the lanes, each level of which goes to memory and back once for some rows.

use super::{LANES, SQUARE_LEVELS, SUM_LEVELS, bound, can};
use crate::cpu::simd::{Kernel, Simd, prefetch};
use crate::exact::fast::{Float, constant, exponents, one, rest_of, step, take};
use crate::exact::lanes::*;

/// Levels of numbers and of squares.
const LEVELS: usize = SUM_LEVELS + SQUARE_LEVELS;
/// Rows that go through the lanes at a time.
const TOGETHER: usize = 4;
/// Rows of one call at most: so many a lane.
const HEIGHT: usize = 256;

/// The levels of four columns, in lanes.
type Group = [[f64; LANES]; LEVELS];

/// Adds at most [`HEIGHT`] rows of binary64 numbers, below `2^(top + 1)`, and their squares, below `2^(reach + 1)`, to the columns'
/// sums on each level's grid, those of one level after the other, if they are exact. The answer is whether they are.
pub(crate) fn add_columns<T: Float>(
    rows: &[&[T]],
    (top, reach): (i32, i32),
    (numbers, squares): (&mut [i64], &mut [i64]),
    lanes: &mut Vec<f64>,
    simd: Simd,
) -> bool {
    let rows: Vec<&[f64]> = rows.iter().filter_map(|row| T::wide(row)).collect();
    if !can(simd) || top < super::LEAST_TOP || rows.is_empty() || rows.len() > HEIGHT {
        return false;
    }
    let width = rows[0].len();
    let groups = width.div_ceil(LANES);
    let (first, second) = (exponents::<SUM_LEVELS>(top), exponents::<SQUARE_LEVELS>(reach));
    let start: [f64; LEVELS] = std::array::from_fn(|level| constant(*first.iter().chain(&second).nth(level).unwrap_or(&0)));
    lanes.clear();
    (0..groups).for_each(|_| lanes.extend(start.iter().flat_map(|&x| [x; LANES])));
    let levels: &mut [Group] = bytemuck::cast_slice_mut(lanes);
    let Some(largest) = simd.run(Columns { rows: &rows, levels }) else { return false };
    if !(largest < bound(top) && largest * largest < bound(reach)) {
        return false;
    }
    let strayed = |group: &Group| {
        group.iter().zip(start).any(|(lanes, x)| lanes.iter().any(|lane| (lane.to_bits() ^ x.to_bits()) >> 52 != 0))
    };
    if levels.iter().any(strayed) {
        return false;
    }
    for (level, (moved, x)) in
        numbers.chunks_exact_mut(width).take(SUM_LEVELS).chain(squares.chunks_exact_mut(width)).zip(start).enumerate()
    {
        for (moved, group) in moved.chunks_mut(LANES).zip(levels.iter()) {
            for (moved, lane) in moved.iter_mut().zip(group[level]) {
                *moved = moved.wrapping_add(lane.to_bits().wrapping_sub(x.to_bits()) as i64);
            }
        }
    }
    true
}

/// The extraction. The answer is the largest magnitude (NaN aside), if nothing was left.
struct Columns<'a> {
    rows: &'a [&'a [f64]],
    levels: &'a mut [Group],
}

impl Kernel for Columns<'_> {
    type Output = Option<f64>;

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> Option<f64> {
        // SAFETY: vectors of `BYTES` bytes are present.
        if BYTES == 32 { unsafe { self.vectors::<Doubles4>() } } else { None }
    }
}

impl Columns<'_> {
    /// # Safety
    /// The instruction set of `V`, of four lanes, must be present.
    #[inline(always)]
    unsafe fn vectors<V: Doubles>(mut self) -> Option<f64> {
        // SAFETY: the caller's promise.
        unsafe {
            let (mut largest, mut left) = (V::splat(0.0), V::splat(0.0));
            let rows = self.rows;
            for (first, some) in (0..).step_by(TOGETHER).zip(rows.chunks(TOGETHER)) {
                let ahead = std::array::from_fn(|k| rows[(first + TOGETHER + k).min(rows.len() - 1)].as_ptr());
                match <[&[f64]; TOGETHER]>::try_from(some) {
                    Ok(some) => self.some::<V, TOGETHER>(some, Some(ahead), &mut largest, &mut left),
                    Err(_) => {
                        for row in some {
                            self.some::<V, 1>([row], None, &mut largest, &mut left);
                        }
                    }
                }
            }
            let mut lanes = [0.0; LANES];
            left.store(lanes.as_mut_ptr());
            let all = lanes.iter().fold(0, |all, lane| all | lane.to_bits() << 1);
            largest.store(lanes.as_mut_ptr());
            (all == 0).then(|| lanes.into_iter().fold(0.0, |most, x| if x > most { x } else { most }))
        }
    }

    /// `R` rows.
    ///
    /// # Safety
    /// As [`vectors`](Self::vectors).
    #[inline(always)]
    unsafe fn some<V: Doubles, const R: usize>(
        &mut self,
        rows: [&[f64]; R],
        ahead: Option<[*const f64; TOGETHER]>,
        largest: &mut V,
        left: &mut V,
    ) {
        let whole = rows[0].len() / LANES;
        // SAFETY: the caller's promise; groups below `whole` lie in the rows, and the last one is copied.
        unsafe {
            let one = one::<V>();
            for (group, levels) in self.levels.iter_mut().enumerate() {
                let at = group * LANES;
                // Once per line.
                if let (Some(ahead), true) = (ahead, group % 2 == 0) {
                    for row in ahead {
                        prefetch(row.wrapping_add(at));
                    }
                }
                // One by one: a closure might stay a call, with all vectors in memory.
                let mut sums = [[V::load(levels[0].as_ptr())], [V::load(levels[1].as_ptr())]];
                let (mut first, mut second) = (V::load(levels[2].as_ptr()), V::load(levels[3].as_ptr()));
                let (mut third, mut fourth) = (V::load(levels[4].as_ptr()), V::load(levels[5].as_ptr()));
                for row in rows {
                    let x = if group < whole {
                        V::load(row.as_ptr().add(at))
                    } else {
                        let mut last = [0.0; LANES];
                        last[..row.len() - at].copy_from_slice(&row[at..]);
                        V::load(last.as_ptr())
                    };
                    *largest = x.magnitude_or(*largest);
                    let square = x.mul(x);
                    let lack = x.fused_sub(x, square);
                    step(&mut sums, 0, x, left, one);
                    // In turns, so that neither waits for the other.
                    let square = take(&mut first, square, one);
                    let lack = take(&mut second, lack, one);
                    let square = take(&mut second, square, one);
                    let lack = take(&mut third, lack, one);
                    rest_of(&mut third, square, left);
                    rest_of(&mut fourth, lack, left);
                }
                sums[0][0].store(levels[0].as_mut_ptr());
                sums[1][0].store(levels[1].as_mut_ptr());
                first.store(levels[2].as_mut_ptr());
                second.store(levels[3].as_mut_ptr());
                third.store(levels[4].as_mut_ptr());
                fourth.store(levels[5].as_mut_ptr());
            }
        }
    }
}
