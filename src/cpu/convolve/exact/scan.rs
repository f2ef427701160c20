//! Range analysis of a packed tile.

use crate::cpu::simd::{Kernel, Simd};

/// 2 to a power within binary64's normal range.
pub(super) fn power(exponent: i32) -> f64 {
    f64::from_bits(((exponent.clamp(-1022, 1023) + 1023) as u64) << 52)
}

/// The least power of two above a positive normal number: its exponent.
pub(super) fn binade(x: f64) -> i32 {
    (x.to_bits() >> 52) as i32 - 1022
}

/// Elements looked at together.
const LANES: usize = 16;

/// What is known of the elements that a tile reads.
pub(super) struct Scan<'a> {
    /// The largest magnitude of a finite element.
    pub largest: f64,
    /// Whether an element is infinite or NaN.
    pub special: bool,
    simd: Simd,
    elements: &'a [f64],
}

impl<'a> Scan<'a> {
    pub(super) fn new(simd: Simd, elements: &'a [f64]) -> Self {
        let (largest, special) = simd.run(Largest(elements));
        Self { largest, special, simd, elements }
    }

    /// Whether every finite element is a multiple of `2^exponent`.
    pub(super) fn multiples(&self, exponent: i32) -> bool {
        // In pieces, so that a witness ends the search.
        let all = |row| self.simd.run(Multiples { row, unit: power(exponent) });
        (-1000..=1000).contains(&exponent) && self.elements.chunks(4096).all(all)
    }
}

/// The largest finite magnitude, and whether there are others.
struct Largest<'a>(&'a [f64]);

impl Kernel for Largest<'_> {
    type Output = (f64, bool);

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> (f64, bool) {
        let (mut largest, mut special) = ([0.0f64; LANES], [0u64; LANES]);
        let (chunks, rest) = self.0.as_chunks::<LANES>();
        for chunk in chunks {
            largest_of(chunk, &mut largest, &mut special);
        }
        largest_of(rest, &mut largest, &mut special);
        (largest.into_iter().fold(0.0, f64::max), special.into_iter().fold(0, |a, b| a | b) != 0)
    }
}

#[inline(always)]
fn largest_of(chunk: &[f64], largest: &mut [f64; LANES], special: &mut [u64; LANES]) {
    for ((&x, largest), special) in chunk.iter().zip(largest).zip(special) {
        let x = x.abs();
        let finite = x < f64::INFINITY;
        let kept = if finite { x } else { 0.0 };
        *largest = if kept > *largest { kept } else { *largest };
        *special |= u64::from(!finite);
    }
}

/// Whether all finite elements are multiples of a power of two.
struct Multiples<'a> {
    row: &'a [f64],
    unit: f64,
}

impl Kernel for Multiples<'_> {
    type Output = bool;

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> bool {
        // Below LIMIT, adding and subtracting `magic` rounds to a multiple of the unit; from there on all are multiples.
        let (limit, magic) = (self.unit * power(52), self.unit * power(52));
        let mut other = [0u64; LANES];
        let (chunks, rest) = self.row.as_chunks::<LANES>();
        for chunk in chunks {
            others_of(chunk, limit, magic, &mut other);
        }
        others_of(rest, limit, magic, &mut other);
        other.into_iter().fold(0, |a, b| a | b) == 0
    }
}

#[inline(always)]
fn others_of(chunk: &[f64], limit: f64, magic: f64, other: &mut [u64; LANES]) {
    for (&x, other) in chunk.iter().zip(other) {
        let x = x.abs();
        let rounded = (x + magic) - magic;
        *other |= u64::from((rounded != x) & (x < limit));
    }
}
