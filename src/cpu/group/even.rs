//! Bins of equal width: guessed by vectors, then checked.

use std::ops::Range;

use super::{Finder, NONE};
use crate::array::room;
use crate::cpu::lanes::Lanes;
use crate::cpu::simd::{Kernel, Simd};
use crate::plan::{Number, Ordered};
use crate::{Real, Result};

/// Guesses that are made at a time.
const BLOCK: usize = 512;

/// Bins of equal width, or nearly.
pub(super) struct Even<'a, T: Real> {
    lanes: Lanes<'a, T>,
    simd: Simd,
    /// The first edge, and bins per unit.
    first: f64,
    scale: f64,
    /// The least key of each bin, and the largest of the last.
    lower: &'a [u64],
    last: u64,
    /// The same as numbers, and one above the last.
    bounds: Vec<f64>,
}

impl<'a, T: Real + Number> Even<'a, T> {
    /// `lower` must not be empty, and have fewer than 2^30 keys.
    pub(super) fn new(lanes: Lanes<'a, T>, (first, scale): (f64, f64), lower: &'a [u64], last: u64, simd: Simd) -> Result<Self> {
        let number = |key: u64| <T as Ordered>::from_key(key).number();
        let mut bounds = room(lower.len() + 1)?;
        bounds.extend(lower.iter().map(|&key| number(key)));
        bounds.push(number(last).next_up());
        Ok(Self { lanes, simd, first, scale, lower, last, bounds })
    }

    /// The bin of an element, from a guess that is hardly ever wrong by much.
    #[cold]
    fn walk(&self, value: T, guess: u32) -> u32 {
        let (key, mut bin) = (value.key(), guess as usize);
        // Written so that NaN, whatever its key, has none.
        let number = value.number();
        if number.is_nan() || key < self.lower[0] || key > self.last {
            return NONE;
        }
        while key < self.lower[bin] {
            bin -= 1;
        }
        while bin + 1 < self.lower.len() && key >= self.lower[bin + 1] {
            bin += 1;
        }
        bin as u32
    }
}

impl<T: Real + Number> Finder for Even<'_, T> {
    fn find(&self, range: Range<usize>, groups: &mut Vec<u32>) {
        let mut buffer = Vec::new();
        let values = self.lanes.chunk(0, range, &mut buffer);
        groups.clear();
        groups.resize(values.len(), 0);
        for (values, groups) in values.chunks(BLOCK).zip(groups.chunks_mut(BLOCK)) {
            let most = self.lower.len() - 1;
            self.simd.run(Guess { values, groups, first: self.first, scale: self.scale, most: most as f64 });
            for (group, &value) in groups.iter_mut().zip(values) {
                // Numbers order as keys do, −0 with +0: see `Groups::between`.
                let (x, bin) = (value.number(), *group as usize);
                if !(x >= self.bounds[bin] && x < self.bounds[bin + 1]) {
                    *group = self.walk(value, *group);
                }
            }
        }
    }
}

/// Guesses the bins of some elements by their distance from the first edge: from 0 to `most`, which must be below 2^30.
struct Guess<'a, T> {
    values: &'a [T],
    groups: &'a mut [u32],
    first: f64,
    scale: f64,
    most: f64,
}

impl<T: Real + Number> Kernel for Guess<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        for (group, value) in self.groups.iter_mut().zip(self.values) {
            let x = (value.number() - self.first) * self.scale;
            // NaN to 0.
            let x = if x > 0.0 { x } else { 0.0 };
            let x = if x < self.most { x } else { self.most };
            // SAFETY: from 0 to below 2^30.
            *group = unsafe { x.to_int_unchecked::<i32>() } as u32;
        }
    }
}
