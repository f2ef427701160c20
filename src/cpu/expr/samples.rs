//! Samples of a box: coordinates from the words of Philox, a block of samples at a time.

use std::ops::Range;

use super::LANES;
use super::grid::Cells;
use super::machine::{Aligned, Element, Machine};
use super::sobol::Points;
use crate::cpu::simd::{Kernel, Simd};
use crate::exact::fast::Float;
use crate::philox::{MULTIPLIERS, ROUNDS};
use crate::plan::{IntegratePlan, words_per_sample};

/// The words of as many blocks, word by word.
pub(in crate::cpu) type Words = [[u32; LANES]; 4];

/// A plan's samples, as they are drawn.
pub(super) struct Samples<T> {
    keys: [[u32; 2]; ROUNDS],
    /// Of each coordinate, where it starts and its width.
    scales: Vec<[T; 2]>,
    /// Words of a sample.
    words: usize,
    blocks: Box<Aligned<Words>>,
    /// Sobol's points, in the place of random words.
    points: Option<Points>,
    simd: Simd,
}

impl<T: Sample> Samples<T> {
    pub(super) fn new(plan: &IntegratePlan, simd: Simd) -> Self {
        Self {
            keys: plan.philox().round_keys(),
            scales: plan.bounds.iter().map(|&[from, to]| [T::nearest(from), T::nearest(to - from)]).collect(),
            words: words_per_sample(plan.bounds.len()),
            blocks: Aligned::new([0; LANES]),
            points: Points::new(plan),
            simd,
        }
    }

    /// The integrand's values at some samples, in order; on a grid times their weights, and counted in their cells.
    pub(super) fn evaluate(
        &mut self,
        machine: &mut Machine<T>,
        samples: Range<u64>,
        values: &mut [T],
        mut cells: Option<&mut Cells<T>>,
    ) {
        // Samples in a Philox block, or else blocks to a sample; of Sobol's points, a run.
        let together = if self.points.is_some() { LANES } else { 4 / self.words.min(4) };
        let (mut at, mut rest) = (samples.start, values);
        while !rest.is_empty() {
            let first = at / together as u64;
            let skip = (at - first * together as u64) as usize;
            self.draw(first, together, machine, cells.as_deref_mut());
            let (part, after) = rest.split_at_mut(rest.len().min(LANES - skip));
            machine.run(&[], skip, part);
            if let Some(cells) = &mut cells {
                cells.weigh(skip..skip + part.len(), part);
            }
            at = at.wrapping_add(part.len() as u64);
            rest = after;
        }
    }

    /// Fills the inputs' registers with the coordinates of the samples of blocks `first ..`.
    fn draw(&mut self, first: u64, together: usize, machine: &mut Machine<T>, mut cells: Option<&mut Cells<T>>) {
        if let Some(points) = &self.points {
            for (dimension, (&scale, out)) in self.scales.iter().zip(&mut machine.registers).enumerate() {
                points.coordinates(first * LANES as u64, dimension, scale, out, self.simd);
            }
            return;
        }
        for group in 0..self.scales.len().div_ceil(4) {
            words(&self.keys, first, [group as u32, 1], LANES / together, &mut self.blocks, self.simd);
            for (dimension, &scale) in self.scales.iter().enumerate().skip(4 * group).take(4) {
                let out = &mut machine.registers[dimension];
                let (blocks, word) = (&**self.blocks, dimension % 4);
                let Some(cells) = &mut cells else {
                    place(blocks, word, together, scale, out, self.simd);
                    continue;
                };
                let mut words = [0; LANES];
                scatter(blocks, word, together, &mut words, |word| word);
                cells.place(dimension, &words, out);
            }
        }
    }
}

/// The words of Philox4x32-10 blocks `first ..` with `upper` in the third and fourth word of the counter; of `count` of them, a
/// multiple of 128.
pub(in crate::cpu) fn words(keys: &[[u32; 2]; ROUNDS], first: u64, upper: [u32; 2], count: usize, out: &mut Words, simd: Simd) {
    #[cfg(target_arch = "x86_64")]
    if let Some(level) = super::functions::Level::of(simd) {
        return super::philox::words(keys, first, upper, count, out, level);
    }
    simd.run(Blocks { keys, first, upper, count, out });
}

/// [`words`], as far as the compiler finds vectors.
struct Blocks<'a> {
    keys: &'a [[u32; 2]; ROUNDS],
    first: u64,
    upper: [u32; 2],
    count: usize,
    out: &'a mut Words,
}

impl Kernel for Blocks<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        const STEP: usize = 64;
        let [m0, m1] = MULTIPLIERS.map(u64::from);
        let (low, upper) = (|x: u64| x & 0xffff_ffff, self.upper.map(u64::from));
        for start in (0..self.count).step_by(STEP) {
            // One word per 64-bit lane, because the products have 64 bits.
            let mut words = [[0u64; STEP]; 4];
            let [a, b, c, d] = &mut words;
            for i in 0..STEP {
                let counter = self.first.wrapping_add((start + i) as u64);
                (a[i], b[i], c[i], d[i]) = (low(counter), counter >> 32, upper[0], upper[1]);
            }
            for [k0, k1] in self.keys {
                let (k0, k1) = (u64::from(*k0), u64::from(*k1));
                for i in 0..STEP {
                    let (p0, p1) = (a[i] * m0, c[i] * m1);
                    (a[i], b[i], c[i], d[i]) = ((p1 >> 32) ^ b[i] ^ k0, low(p1), (p0 >> 32) ^ d[i] ^ k1, low(p0));
                }
            }
            for (out, words) in self.out.iter_mut().zip(&words) {
                for (out, &word) in out[start..start + STEP].iter_mut().zip(words) {
                    *out = word as u32;
                }
            }
        }
    }
}

/// One coordinate of all samples, from its words: `together` samples share a block.
struct Coordinates<'a, T> {
    blocks: &'a Words,
    word: usize,
    together: usize,
    from: T,
    width: T,
    /// See [`Sample::step`].
    step: T,
    exact: bool,
    out: &'a mut [T; LANES],
}

impl<T: Sample> Kernel for Coordinates<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        let Self { blocks, word, together, from, width, step, exact, out } = self;
        // An exact product and its sum are rounded once, fused or not.
        let fused = exact && (cfg!(target_arch = "aarch64") || BYTES > 16);
        if let Some(from) = T::from_less_one(from, width).filter(|_| fused) {
            scatter(blocks, word, together, out, |word| T::above_one(word).mul_add(width, from));
        } else if fused {
            scatter(blocks, word, together, out, |word| T::numerator(word).mul_add(step, from));
        } else {
            scatter(blocks, word, together, out, |word| from.add(T::numerator(word).mul(step)));
        }
    }
}

/// Draws one coordinate of all samples: from `scale[0]` on, `scale[1]` wide.
fn place<T: Sample>(blocks: &Words, word: usize, together: usize, scale: [T; 2], out: &mut [T; LANES], simd: Simd) {
    let [from, width] = scale;
    match T::step(width) {
        Some((step, exact)) => simd.run(Coordinates { blocks, word, together, from, width, step, exact, out }),
        None => scatter(blocks, word, together, out, |word| from.add(width.mul(T::fraction(word)))),
    }
}

/// Every sample's coordinate, or whatever it is, from its word.
#[inline(always)]
fn scatter<T>(blocks: &Words, word: usize, together: usize, out: &mut [T; LANES], coordinate: impl Fn(u32) -> T) {
    match together {
        1 => {
            for (out, &a) in out.iter_mut().zip(&blocks[word]) {
                *out = coordinate(a);
            }
        }
        2 => {
            let (pairs, _) = out.as_chunks_mut::<2>();
            for ((out, &a), &b) in pairs.iter_mut().zip(&blocks[word]).zip(&blocks[word + 2]) {
                *out = [coordinate(a), coordinate(b)];
            }
        }
        _ => {
            let (fours, _) = out.as_chunks_mut::<4>();
            let [a, b, c, d] = blocks;
            for ((((out, &a), &b), &c), &d) in fours.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                *out = [coordinate(a), coordinate(b), coordinate(c), coordinate(d)];
            }
        }
    }
}

/// A dtype that samples are drawn in.
pub(super) trait Sample: Element {
    /// The middle of the cell that a word names, in units of 1 / [`CELLS`](Self::CELLS): 2^23 cells in binary32, 2^32 in
    /// binary64.
    fn numerator(word: u32) -> Self;
    /// One over the unit of numerators.
    const CELLS: Self;
    /// That place in (0, 1).
    #[inline(always)]
    fn fraction(word: u32) -> Self {
        Self::numerator(word).mul(<Self as Float>::of(1.0 / Self::CELLS.widen()))
    }
    /// An axis's width in a cell's unit, and whether all its products are exact. `None` if they might be subnormal: then the
    /// fraction comes first.
    #[inline(always)]
    fn step(width: Self) -> Option<(Self, bool)> {
        let step = width.widen() / Self::CELLS.widen();
        let power_of_two = step.to_bits() << 12 == 0;
        (step.abs() >= Self::LEAST).then_some((<Self as Float>::of(step), power_of_two))
    }
    /// The fraction less half a cell, plus 1: bits of the word behind the exponent of 1.
    #[inline(always)]
    fn above_one(word: u32) -> Self {
        Self::fraction(word)
    }
    /// Where an axis that starts at `from` would have to start for [`above_one`](Self::above_one), if that is a number.
    fn from_less_one(_from: Self, _width: Self) -> Option<Self> {
        None
    }
    /// Twice the smallest normal number.
    const LEAST: f64;
    /// `self · a + b`, rounded once.
    fn mul_add(self, a: Self, b: Self) -> Self;
}

impl Sample for f32 {
    const CELLS: f32 = 16_777_216.0;
    const LEAST: f64 = 2.0 * f32::MIN_POSITIVE as f64;

    #[inline(always)]
    fn numerator(word: u32) -> Self {
        ((word >> 8) | 1) as i32 as f32
    }

    #[inline(always)]
    fn above_one(word: u32) -> Self {
        f32::from_bits((word >> 9) | 1f32.to_bits())
    }

    #[inline(always)]
    fn from_less_one(from: f32, width: f32) -> Option<f32> {
        let (from, width) = (f64::from(from), f64::from(width));
        let less = width - width / f64::from(Self::CELLS);
        // The difference, and what its rounding took away (Knuth).
        let moved = from - less;
        let taken = moved - from;
        let rest = (from - (moved - taken)) - (less + taken);
        Some(moved as f32).filter(|&start| f64::from(start) == moved && rest == 0.0)
    }

    #[inline(always)]
    fn mul_add(self, a: f32, b: f32) -> f32 {
        f32::mul_add(self, a, b)
    }
}

impl Sample for f64 {
    const CELLS: f64 = 4_294_967_296.0;
    const LEAST: f64 = 2.0 * f64::MIN_POSITIVE;

    #[inline(always)]
    fn numerator(word: u32) -> Self {
        f64::from(word) + 0.5
    }

    #[inline(always)]
    fn mul_add(self, a: f64, b: f64) -> f64 {
        f64::mul_add(self, a, b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Philox4x32, Result};

    #[test]
    fn words_are_philoxs() {
        let philox = Philox4x32::new(0x0123_4567_89ab_cdef);
        let key = [0x89ab_cdef, 0x0123_4567];
        for simd in Simd::available() {
            for (first, group) in [(0, 0), (5, 1), ((1 << 32) - 100, 0), (u64::MAX - 3, 7)] {
                for count in [LANES, LANES / 4] {
                    let mut out = Box::new([[0; LANES]; 4]);
                    words(&philox.round_keys(), first, [group, !group], count, &mut out, simd);
                    for i in 0..count {
                        let counter = first.wrapping_add(i as u64);
                        let expected = Philox4x32::philox4x32_10([counter as u32, (counter >> 32) as u32, group, !group], key);
                        assert_eq!(out.map(|words| words[i]), expected, "{simd:?} {first} {group} {i}");
                    }
                }
            }
        }
    }

    /// Every level gives the values of the definition, coordinate by coordinate.
    #[test]
    fn coordinates_are_those_of_their_definition() -> Result<()> {
        for dimensions in 1..=6 {
            let names: Vec<String> = (0..dimensions).map(|d| format!("x{d}")).collect();
            let bounds: Vec<_> = names.iter().enumerate().map(|(d, name)| (name.as_str(), -0.3 * d as f64, 2.5)).collect();
            for (dimension, name) in names.iter().enumerate() {
                let how = crate::Integrate::new(name, &bounds)?.seed(9);
                // Names that the expression lacks are coordinates all the same.
                for samples in [0..1, 3..1700, (1 << 34) - 7..(1 << 34) + 700] {
                    let plan = IntegratePlan::new(&how, samples.clone())?;
                    let expected: Vec<f32> = samples.map(|sample| by_definition(&plan, sample, dimension)).collect();
                    for simd in Simd::available() {
                        let mut machine = Machine::<f32>::new(&plan.program, &[], simd);
                        let mut values = vec![0.0; expected.len()];
                        Samples::new(&plan, simd).evaluate(&mut machine, plan.samples.clone(), &mut values, None);
                        assert_eq!(values, expected, "{simd:?} {dimension} of {dimensions}");
                    }
                }
            }
        }
        Ok(())
    }

    /// `docs/numerics.md`, word for word.
    fn by_definition(plan: &IntegratePlan, sample: u64, dimension: usize) -> f32 {
        let n = words_per_sample(plan.bounds.len());
        let seed = plan.seed ^ u64::from_be_bytes(*b"integral");
        let key = [seed as u32, (seed >> 32) as u32];
        let (block, group, word) = if n <= 4 {
            let k = 4 / n as u64;
            (sample / k, 0, (sample % k) as usize * n + dimension)
        } else {
            (sample, dimension / 4, dimension % 4)
        };
        let word = Philox4x32::philox4x32_10([block as u32, (block >> 32) as u32, group as u32, 1], key)[word];
        let [from, to] = plan.bounds[dimension];
        let u = (2.0 * f64::from(word / 512) + 1.0) / 16_777_216.0;
        from as f32 + (to - from) as f32 * u as f32
    }
}
