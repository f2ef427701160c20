//! Coordinates from Sobol's points: within an aligned run they are the first points under one exclusive or, then scrambled.

use super::LANES;
use super::samples::Sample;
use crate::cpu::simd::{Kernel, Simd};
use crate::fork::Raced;
use crate::plan::{IntegratePlan, Sampling};
use crate::random::Sobol;

type Run = [u32; LANES];

/// One coordinate of the first points, their bits reversed.
fn first(sobol: Sobol, dimension: usize) -> &'static Run {
    static ALL: [Raced<Run>; Sobol::MAX_DIMENSIONS] = [const { Raced::new() }; Sobol::MAX_DIMENSIONS];
    ALL[dimension].get(|| std::array::from_fn(|index| sobol.point(index as u32, dimension).reverse_bits()))
}

/// The points of a plan.
pub(super) struct Points {
    sobol: Sobol,
    /// Of each coordinate, its first points and its key.
    axes: Vec<(&'static Run, u32)>,
}

impl Points {
    /// Those of the plan; `None` for other methods.
    pub(super) fn new(plan: &IntegratePlan) -> Option<Self> {
        let Sampling::Sobol(replicate) = &plan.sampling else { return None };
        let sobol = Sobol::new(replicate.keys.len()).ok()?;
        let axes = replicate.keys.iter().enumerate().map(|(dimension, &key)| (first(sobol, dimension), key)).collect();
        Some(Self { sobol, axes })
    }

    /// One coordinate of the points from `start`, a multiple of [`LANES`], on.
    pub(super) fn coordinates<T: Sample>(&self, start: u64, dimension: usize, scale: [T; 2], out: &mut [T; LANES], simd: Simd) {
        let (first, key) = self.axes[dimension];
        let base = self.sobol.point(start as u32, dimension).reverse_bits();
        simd.run(Coordinates { first, base, key, scale, out });
    }
}

struct Coordinates<'a, T> {
    first: &'a Run,
    base: u32,
    key: u32,
    scale: [T; 2],
    out: &'a mut [T; LANES],
}

impl<T: Sample> Kernel for Coordinates<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        let Self { first, base, key, scale: [from, width], out } = self;
        for (out, &point) in out.iter_mut().zip(first) {
            let word = Sobol::scramble_reversed(point ^ base, key).reverse_bits();
            *out = from.add(width.mul(T::fraction(word)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every level gives the definition's coordinates, from any run.
    #[test]
    fn runs_are_the_points() {
        let bounds = [("x", 0.0, 1.0), ("y", -1.0, 2.0), ("z", 0.5, 0.75)];
        let how = crate::Integrate::new("x", &bounds).unwrap().seed(5).method(crate::IntegralMethod::Sobol);
        let plan = &IntegratePlan::new(&how, 0..64).unwrap().replicates()[3];
        let (points, sobol) = (Points::new(plan).unwrap(), Sobol::new(3).unwrap());
        for start in [0, 512, 1 << 20, (1 << 32) - 512] {
            for (dimension, (_, from, to)) in bounds.into_iter().enumerate() {
                let key = Sobol::key(5 ^ u64::from_be_bytes(*b"integral"), 3, dimension as u32);
                let word = |i: u64| Sobol::scramble(sobol.point((start + i) as u32, dimension), key);
                let fraction = |word: u32| f64::from(2 * (word >> 9) + 1) / 16_777_216.0;
                let scale = [from as f32, (to - from) as f32];
                let expected: Vec<f32> = (0..512).map(|i| scale[0] + scale[1] * fraction(word(i)) as f32).collect();
                for simd in Simd::available() {
                    let mut got = [0.0; LANES];
                    points.coordinates(start, dimension, scale, &mut got, simd);
                    assert_eq!(got[..], expected, "{simd:?} {start} {dimension}");
                }
            }
        }
    }
}
