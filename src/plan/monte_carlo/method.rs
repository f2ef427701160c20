//! The problem: how points come from random words, and which of them lie in the circle.

use std::fmt;
use std::str::FromStr;

use crate::random::{Sobol, Stream};
use crate::{Error, Result};

/// The replicates of [`PiMethod::Sobol`]: independent randomisations, whose spread is the error.
pub(crate) const REPLICATES: u64 = 32;
/// The strata of [`PiMethod::Stratified`] along each side.
const STRATA_PER_SIDE: u64 = 256;

/// How the points of an estimate of π are placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum PiMethod {
    /// A sample is a random point.
    #[default]
    Plain,
    /// A sample is a random point of the quadrant `[0, 1]²` and the point opposite, `(1 − x, 1 − y)`: at most one of them is
    /// outside, so that their errors partly cancel (2.75 times fewer samples for the same error).
    Antithetic,
    /// A sample is a random point of the quadrant and its reflections, `{x, 1 − x} × {y, 1 − y}`: four points (5.75 times fewer
    /// samples).
    Reflected,
    /// A sample is two random points in one of 256 × 256 cells of the quadrant, the cells in turn: only those on the circle
    /// contribute to the error (338 times fewer samples). Samples come in whole passes of 65,536.
    Stratified,
    /// A sample is a point of one of 32 Sobol sequences, each moved by a random digital shift; they take turns. The error falls
    /// about as `samples^-3/4`, and is known from the spread of the 32 estimates. Best with a power of two of samples.
    Sobol,
}

impl PiMethod {
    /// Every method.
    pub const ALL: [Self; 5] = [Self::Plain, Self::Antithetic, Self::Reflected, Self::Stratified, Self::Sobol];

    /// Its name: `plain`, `antithetic`, `reflected`, `stratified`, `sobol`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Antithetic => "antithetic",
            Self::Reflected => "reflected",
            Self::Stratified => "stratified",
            Self::Sobol => "sobol",
        }
    }

    /// The points of a sample.
    pub const fn points(self) -> u64 {
        match self {
            Self::Plain | Self::Sobol => 1,
            Self::Antithetic | Self::Stratified => 2,
            Self::Reflected => 4,
        }
    }

    /// Ranges of samples start and end at multiples of this: a pass over the strata, a sample of every replicate.
    pub const fn pass(self) -> u64 {
        match self {
            Self::Plain | Self::Antithetic | Self::Reflected => 1,
            Self::Stratified => STRATA_PER_SIDE * STRATA_PER_SIDE,
            Self::Sobol => REPLICATES,
        }
    }
}

impl fmt::Display for PiMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for PiMethod {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|method| method.name() == text);
        known.ok_or_else(|| Error::invalid("method", format!("{text:?}"), "plain, antithetic, reflected, stratified or sobol"))
    }
}

/// A Monte Carlo problem: an estimate of π, by a method, from coordinates of so many bits, under a seed.
///
/// ```
/// use unisono::{Backend, MonteCarlo, PiMethod};
/// # fn main() -> unisono::Result<()> {
/// let how = MonteCarlo::pi().method(PiMethod::Sobol).seed(42);
/// let pi = Backend::auto().monte_carlo(&how, 0..1 << 20)?;
/// assert!((pi.estimate - std::f64::consts::PI).abs() < 5.0 * pi.standard_error);
/// assert!(pi.standard_error < 3e-4 && pi.equivalent_samples() > 3e7); // plain samples: 1.6e-3
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct MonteCarlo {
    /// The method.
    pub method: PiMethod,
    /// The seed.
    pub seed: u64,
    /// None: as the method has it.
    bits: Option<u32>,
}

impl MonteCarlo {
    /// π from plain samples of seed 0: those of [`Backend::pi`](crate::Backend::pi).
    pub const fn pi() -> Self {
        Self { method: PiMethod::Plain, bits: None, seed: 0 }
    }

    /// Places the points so.
    pub const fn method(self, method: PiMethod) -> Self {
        Self { method, ..self }
    }

    /// The bits of a coordinate, 16 or 32. By default 16, of [`PiMethod::Sobol`] 32. Points are the middles of a grid of that
    /// many bits, which has a known [`bias`](Self::bias); 16 bits are about twice as fast.
    pub const fn bits(self, bits: u32) -> Self {
        Self { bits: Some(bits), ..self }
    }

    /// Another seed.
    pub const fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The bits of a coordinate.
    pub const fn coordinate_bits(&self) -> u32 {
        match (self.bits, self.method) {
            (Some(bits), _) => bits,
            (None, PiMethod::Sobol) => 32,
            (None, _) => 16,
        }
    }

    /// The problem with nothing left to default.
    pub(crate) fn resolved(&self) -> Result<Self> {
        let bits = self.coordinate_bits();
        if bits != 16 && bits != 32 {
            return Err(Error::invalid("bits of a coordinate", bits, "16 or 32"));
        }
        Ok(Self { bits: Some(bits), ..*self })
    }

    /// Whether points have the bits of the whole square `[−1, 1]²` and not of its quadrant: the fastest test.
    pub(crate) const fn is_square(&self) -> bool {
        matches!(self.method, PiMethod::Plain) && self.coordinate_bits() == 16
    }

    /// The share of the grid's points that lie in the circle, exact but for the rounding to binary64: lattice points counted.
    pub fn share(&self) -> f64 {
        self.inside() as f64 / 2f64.powi(64)
    }

    /// The share in units of 2^-64, exactly.
    const fn inside(&self) -> u64 {
        match (self.is_square(), self.coordinate_bits()) {
            (true, _) => 3_373_259_248 << 32,
            (false, 16) => 3_373_259_477 << 32,
            _ => LATTICE_32,
        }
    }

    /// What the grid adds to the estimate in the mean, however many samples there are: −1.66·10^-7 for plain samples of 16 bits,
    /// 4.7·10^-8 for other methods with 16 bits, 9.2·10^-15 with 32.
    pub fn bias(&self) -> f64 {
        // Four shares and π agree in up to 48 bits: the difference is taken before anything is rounded.
        let difference = (u128::from(self.inside()) << 64).wrapping_sub(PI) as i128;
        difference as f64 / 2f64.powi(126)
    }

    /// How many of the points of a sample lie outside the circle: the definition, sample by sample (`docs/numerics.md`).
    ///
    /// ```
    /// use unisono::{Backend, MonteCarlo, PiMethod};
    /// let how = MonteCarlo::pi().method(PiMethod::Reflected).bits(32).seed(5);
    /// let misses: u64 = (0..1000).map(|sample| u64::from(how.misses(sample))).sum();
    /// assert_eq!(Backend::cpu().monte_carlo(&how, 0..1000)?.hits, 4 * 1000 - misses);
    /// # Ok::<(), unisono::Error>(())
    /// ```
    pub fn misses(&self, sample: u64) -> u32 {
        let wide = self.coordinate_bits() == 32;
        let stream = Stream::new(self.seed);
        let word = |at: u64| stream.block(at / 4)[(at % 4) as usize];
        let outside = |x: u32, y: u32| u32::from(!is_inside(wide, x, y));
        // The words of one point: x and y.
        let [x, y] = match (self.method, wide) {
            (PiMethod::Stratified, _) => return self.stratified_misses(sample),
            (PiMethod::Sobol, _) => self.sobol_point(sample),
            (_, false) => [word(sample) & 0xffff, word(sample) >> 16],
            (_, true) => {
                let block = stream.block(sample / 2);
                let at = 2 * (sample % 2) as usize;
                [block[at], block[at + 1]]
            }
        };
        let flip = |x: u32| if wide { !x } else { x ^ 0xffff };
        match self.method {
            PiMethod::Plain if !wide => u32::from(!crate::Philox4x32::is_hit(word(sample))),
            PiMethod::Antithetic => outside(x, y) + outside(flip(x), flip(y)),
            PiMethod::Reflected => outside(x, y) + outside(flip(x), y) + outside(x, flip(y)) + outside(flip(x), flip(y)),
            _ => outside(x, y),
        }
    }

    fn stratified_misses(&self, sample: u64) -> u32 {
        let cell = |high: u64, bits: u32, low: u32| (high as u32 % STRATA_PER_SIDE as u32) << bits | low;
        let (column, row) = (sample, sample / STRATA_PER_SIDE);
        let stream = Stream::new(self.seed);
        let points = if self.coordinate_bits() == 32 {
            let [a, b, c, d] = stream.block(sample).map(|word| word >> 8);
            [(a, b), (c, d)].map(|(x, y)| (cell(column, 24, x), cell(row, 24, y)))
        } else {
            let [a, b, c, d] = stream.block(sample / 4)[(sample % 4) as usize].to_le_bytes().map(u32::from);
            [(a, b), (c, d)].map(|(x, y)| (cell(column, 8, x), cell(row, 8, y)))
        };
        points.into_iter().map(|(x, y)| u32::from(!is_inside(self.coordinate_bits() == 32, x, y))).sum()
    }

    fn sobol_point(&self, sample: u64) -> [u32; 2] {
        let (replicate, index) = (sample % REPLICATES, sample / REPLICATES);
        let keys = self.sobol_keys(replicate, index >> 32);
        let of = |axis: usize| {
            let point = Sobol::new(2).map_or(0, |sobol| sobol.point(index as u32, axis));
            Sobol::shift(point, keys[axis]) >> (32 - self.coordinate_bits())
        };
        [of(0), of(1)]
    }

    /// The shifts of a replicate's coordinates. After 2^32 points, all that the sequence has, it begins anew with others.
    pub(crate) const fn sobol_keys(&self, replicate: u64, turn: u64) -> [u32; 2] {
        let at = replicate + REPLICATES * turn;
        [Sobol::key(self.seed, at, 0), Sobol::key(self.seed, at, 1)]
    }
}

impl fmt::Display for MonteCarlo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "π, {}, {} bits, seed {}", self.method, self.coordinate_bits(), self.seed)
    }
}

/// The points of the grid of 32-bit coordinates over the quadrant that lie in the circle.
const LATTICE_32: u64 = 14_488_038_916_154_288_230;

/// π in units of 2^-126, rounded down.
const PI: u128 = 0xc90f_daa2_2168_c234_c4c6_628b_80dc_1cd1;

/// Whether the middle of a cell of the grid over the quadrant lies in the circle: `x(x + 1) + y(y + 1) < 2^(2 · bits)`.
#[inline(always)]
pub(crate) const fn is_inside(wide: bool, x: u32, y: u32) -> bool {
    if wide {
        let (x, y) = (x as u64, y as u64);
        (x * (x + 1)).checked_add(y * (y + 1)).is_some()
    } else {
        (x * (x + 1)).checked_add(y * (y + 1)).is_some()
    }
}

#[cfg(test)]
mod tests {
    use num_bigint::BigInt;
    use num_rational::BigRational;

    use super::*;

    /// π within 10^-50, by Machin's formula.
    fn pi() -> BigRational {
        let arctan = |n: i32| -> BigRational {
            let term = |k: u32| BigRational::new((-1i32).pow(k).into(), BigInt::from(n).pow(2 * k + 1) * (2 * k + 1));
            (0..40).map(term).sum()
        };
        (arctan(5) * BigInt::from(4) - arctan(239)) * BigInt::from(4)
    }

    #[test]
    fn the_bias_of_every_grid_is_rounded_once() {
        let pi = pi();
        for how in PiMethod::ALL.map(|method| [16, 32].map(|bits| MonteCarlo::pi().method(method).bits(bits))).concat() {
            let exact = BigRational::new(how.inside().into(), BigInt::from(1u64 << 62)) - &pi;
            let off = |bias: f64| {
                let off = BigRational::from_float(bias).unwrap() - &exact;
                off.clone().max(-off)
            };
            let bias = how.bias();
            assert!(off(bias) <= off(bias.next_up()).min(off(bias.next_down())), "{how}: {bias:e}");
        }
    }
}
