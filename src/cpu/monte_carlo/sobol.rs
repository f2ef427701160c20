//! Sobol's points on the CPU: within an aligned run of points both coordinates are the same run of 256 under another exclusive or.

use std::ops::Range;

use crate::cpu::simd::{Kernel, Simd};
use crate::fork::Raced;
use crate::plan::{MonteCarlo, REPLICATES, is_inside};
use crate::random::Sobol;

/// Points of a run.
const RUN: usize = 256;

/// The coordinates of the first points.
static FIRST: Raced<[[u32; RUN]; 2]> = Raced::new();

fn point(index: u32, axis: usize) -> u32 {
    Sobol::new(2).map_or(0, |sobol| sobol.point(index, axis))
}

/// Adds the hits of every replicate's points of these indices to `hits`.
pub(super) fn count(how: &MonteCarlo, indices: Range<u64>, hits: &mut [u64; REPLICATES as usize], simd: Simd) {
    let Range { mut start, end } = indices;
    let mut keys: (u64, [[u32; 2]; REPLICATES as usize]) = (u64::MAX, [[0; 2]; REPLICATES as usize]);
    while start < end {
        let run = start / RUN as u64 * RUN as u64;
        let stop = end.min(run.saturating_add(RUN as u64));
        if keys.0 != run >> 32 {
            keys = (run >> 32, std::array::from_fn(|replicate| how.sobol_keys(replicate as u64, run >> 32)));
        }
        let base = [0, 1].map(|axis| point(run as u32, axis));
        let places = (start - run) as usize..(stop - run) as usize;
        let first = FIRST.get(|| [0, 1].map(|axis| std::array::from_fn(|i| point(i as u32, axis))));
        let of = |axis: usize| &first[axis][places.clone()];
        let run = Points { x: of(0), y: of(1), base, keys: &keys.1, hits };
        match how.coordinate_bits() {
            16 => simd.run(Narrow(run)),
            _ => simd.run(Wide(run)),
        }
        start = stop;
    }
}

struct Points<'a> {
    x: &'a [u32],
    y: &'a [u32],
    base: [u32; 2],
    keys: &'a [[u32; 2]; REPLICATES as usize],
    hits: &'a mut [u64; REPLICATES as usize],
}

struct Narrow<'a>(Points<'a>);
struct Wide<'a>(Points<'a>);

impl Kernel for Narrow<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        let Points { x, y, base, keys, hits } = self.0;
        for (key, hits) in keys.iter().zip(hits) {
            let (kx, ky) = (key[0] ^ base[0], key[1] ^ base[1]);
            let inside = x.iter().zip(y).map(|(x, y)| u32::from(is_inside(false, (x ^ kx) >> 16, (y ^ ky) >> 16)));
            *hits += u64::from(inside.sum::<u32>());
        }
    }
}

impl Kernel for Wide<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        let Points { x, y, base, keys, hits } = self.0;
        for (key, hits) in keys.iter().zip(hits) {
            let (kx, ky) = (key[0] ^ base[0], key[1] ^ base[1]);
            *hits += x.iter().zip(y).map(|(x, y)| u64::from(is_inside(true, x ^ kx, y ^ ky))).sum::<u64>();
        }
    }
}
