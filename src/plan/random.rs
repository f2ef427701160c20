//! Arrays of random numbers: which distribution, which words of which stream, in integers.

use std::ops::Range;

#[cfg(feature = "gpu")]
use crate::random::Quantile;
use crate::random::{POINT, Stream};
use crate::{Dtype, Error, Result};

/// A distribution, as the caller gives it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distribution {
    /// Real numbers `low <= x < high`, all equally likely: float32 or float64.
    Uniform {
        /// The lower end.
        low: f64,
        /// The upper end.
        high: f64,
    },
    /// The normal distribution: float32 or float64.
    Normal {
        /// Its mean.
        mean: f64,
        /// Its standard deviation.
        deviation: f64,
    },
    /// The exponential distribution: float32 or float64.
    Exponential {
        /// Its mean, the inverse of the rate.
        scale: f64,
    },
    /// Integers `low <= i < high`, all equally likely: any integer dtype, and bool.
    Integers {
        /// The least.
        low: i128,
        /// The one after the largest.
        high: i128,
    },
}

/// Random numbers to be drawn: a distribution, a [`Stream`], and where in it to begin.
///
/// ```
/// use unisono::{Backend, random::{BitGenerator, Random, Stream}};
/// # fn main() -> unisono::Result<()> {
/// let dice = Random::integers(1, 7).stream(Stream::new(42).generator(BitGenerator::Threefry4x32_20));
/// let rolls = Backend::cpu().random::<u8>(&dice, &[1000])?.into_vec()?;
/// assert!(rolls.iter().all(|roll| (1..7).contains(roll)));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Random {
    distribution: Distribution,
    stream: Stream,
    start: u64,
}

impl Random {
    /// Numbers of a distribution, from the beginning of stream 0 of seed 0.
    pub fn new(distribution: Distribution) -> Self {
        Self { distribution, stream: Stream::default(), start: 0 }
    }

    /// Real numbers `low <= x < high`: the exact uniform number, rounded down.
    pub fn uniform(low: f64, high: f64) -> Self {
        Self::new(Distribution::Uniform { low, high })
    }

    /// Normal numbers, by inversion.
    pub fn normal(mean: f64, deviation: f64) -> Self {
        Self::new(Distribution::Normal { mean, deviation })
    }

    /// Exponential numbers of this mean, by inversion.
    pub fn exponential(scale: f64) -> Self {
        Self::new(Distribution::Exponential { scale })
    }

    /// Integers `low <= i < high`.
    pub fn integers(low: i128, high: i128) -> Self {
        Self::new(Distribution::Integers { low, high })
    }

    /// The stream to draw from.
    pub fn stream(self, stream: Stream) -> Self {
        Self { stream, ..self }
    }

    /// The block of the stream to begin with.
    pub fn start(self, block: u64) -> Self {
        Self { start: block, ..self }
    }
}

/// An array of random numbers, validated: what each element is, in integers.
///
/// Element `i` takes its `words` words of the stream from word `i · words` after block `start` on: one for float32, two for
/// float64 and for integers from up to 2^32 values, four for integers from more.
#[derive(Debug, Clone, PartialEq)]
pub struct RandomPlan {
    /// The element type.
    pub dtype: Dtype,
    /// The shape of the whole array.
    pub shape: Vec<usize>,
    /// The elements of this part, in C order.
    pub elements: Range<u64>,
    /// The stream.
    pub stream: Stream,
    /// The block that the whole array begins with.
    pub start: u64,
    /// How words become elements.
    pub draw: Draw,
}

/// How the words of an element become its value. `u` is the element's 64-bit word (its only word, then 32 zeros, for float32),
/// `×` keeps the upper 64 bits of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Draw {
    /// `(low + span × u) · 2^exponent`, rounded down.
    Uniform {
        /// The lower end.
        low: i64,
        /// The upper end less the lower.
        span: u64,
        /// What one stands for.
        exponent: i32,
    },
    /// `(mean ± scale × z) · 2^exponent`, rounded to nearest, `z` the quantile of the word less its first bit, the sign.
    Normal {
        /// The mean.
        mean: i64,
        /// The standard deviation.
        scale: u64,
        /// What one stands for.
        exponent: i32,
    },
    /// `(scale × z) · 2^exponent`, rounded to nearest, `z` the quantile of the word.
    Exponential {
        /// The mean.
        scale: u64,
        /// What one stands for.
        exponent: i32,
    },
    /// `low + range × u`, with four words `u` of 128 bits.
    Integers {
        /// The least, in two's complement.
        low: u64,
        /// How many; 0 for 2^64.
        range: u64,
    },
}

impl Draw {
    /// The table that it looks up, if it does.
    #[cfg(feature = "gpu")]
    pub(crate) fn quantile(self) -> Option<Quantile> {
        match self {
            Self::Normal { .. } => Some(Quantile::Normal),
            Self::Exponential { .. } => Some(Quantile::Exponential),
            Self::Uniform { .. } | Self::Integers { .. } => None,
        }
    }
}

impl RandomPlan {
    /// Plans an array.
    ///
    /// # Errors
    /// [`Error::Dtype`] if the distribution has no numbers of that dtype; [`Error::Invalid`] for parameters that are not finite,
    /// negative scales, empty ranges, integers that the dtype does not hold, and arrays beyond the end of the stream.
    pub fn new(how: &Random, dtype: Dtype, shape: &[usize]) -> Result<Self> {
        let len = shape.iter().try_fold(1u64, |len, &n| len.checked_mul(n as u64)).filter(|&len| len < 1 << 60);
        let len = len.ok_or_else(|| Error::invalid("shape", format!("{shape:?}"), "fewer than 2^60 elements"))?;
        let plan = Self {
            dtype,
            shape: shape.to_vec(),
            elements: 0..len,
            stream: how.stream,
            start: how.start,
            draw: draw(how.distribution, dtype)?,
        };
        if how.start.checked_add(plan.blocks()).is_none() {
            return Err(Error::invalid(
                "start",
                how.start,
                format!("at most 2^64 - {}, so that the stream suffices", plan.blocks()),
            ));
        }
        Ok(plan)
    }

    /// Words per element: 1, 2 or 4.
    pub fn words(&self) -> u64 {
        match self.draw {
            Draw::Integers { range, .. } if range == 0 || range > 1 << 32 => 4,
            _ if self.dtype == Dtype::F32 => 1,
            _ => 2,
        }
    }

    /// Blocks of the stream that the whole array uses up.
    pub fn blocks(&self) -> u64 {
        let len: usize = self.shape.iter().product();
        (len as u64 * self.words()).div_ceil(4)
    }

    /// The number of elements of this part.
    pub fn len(&self) -> u64 {
        self.elements.end - self.elements.start
    }

    /// Whether this part has no element.
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// The block that this part begins with; parts begin with a whole block.
    pub(crate) fn first_block(&self) -> u64 {
        self.start + self.elements.start * self.words() / 4
    }

    /// Cuts the array into one part per weight, in proportion to the weights, at multiples of `grain` elements (a multiple of 4).
    pub fn split(&self, weights: &[f64], grain: u64) -> Vec<Self> {
        let grain = grain.next_multiple_of(4).max(4);
        let Range { start, end } = self.elements;
        let cuts = super::cut(&(0..self.len().div_ceil(grain) as usize), weights);
        let at = |g: usize| (start + g as u64 * grain).min(end);
        cuts.into_iter().map(|cut| Self { elements: at(cut.start)..at(cut.end), ..self.clone() }).collect()
    }
}

fn draw(distribution: Distribution, dtype: Dtype) -> Result<Draw> {
    if let Distribution::Integers { low, high } = distribution {
        let (least, most) = match dtype {
            Dtype::Bool => (0, 1),
            _ => dtype.integer_range().ok_or_else(|| Error::Dtype {
                what: "random integers".into(),
                got: dtype,
                expected: "bool or an integer dtype".into(),
            })?,
        };
        let given = || format!("{low} to below {high}");
        if low >= high {
            return Err(Error::invalid("random integers", given(), "a low below high"));
        }
        if low < least || high - 1 > most {
            return Err(Error::invalid("random integers", given(), format!("integers of {dtype}, {least} to {most}")));
        }
        return Ok(Draw::Integers { low: low as u64, range: (high - low) as u64 });
    }
    if !matches!(dtype, Dtype::F32 | Dtype::F64) {
        return Err(Error::Dtype { what: "random numbers".into(), got: dtype, expected: "float32 or float64".into() });
    }
    let finite = |what: &str, x: f64| match x.is_finite() {
        true => Ok(x),
        false => Err(Error::invalid(what, x, "a finite number")),
    };
    let scale = |what: &str, x: f64| match finite(what, x)? >= 0.0 {
        true => Ok(x),
        false => Err(Error::invalid(what, x, "a number that is not negative")),
    };
    match distribution {
        Distribution::Uniform { low, high } => {
            // The ends as numbers of the dtype, so that rounding down stays between them.
            let own = |x: f64| if dtype == Dtype::F32 { f64::from(x as f32) } else { x };
            let (low, high) = (finite("low", own(low))?, finite("high", own(high))?);
            if low >= high {
                return Err(Error::invalid("uniform numbers", format!("low {low}, high {high}"), "a low below high"));
            }
            let exponent = binade(low).max(binade(high)) - 62;
            let (low, high) = (fixed(low, exponent, Toward::Up), fixed(high, exponent, Toward::Down));
            Ok(Draw::Uniform { low: low as i64, span: (high - low) as u64, exponent })
        }
        Distribution::Normal { mean, deviation } => {
            let (mean, deviation) = (finite("mean", mean)?, scale("deviation", deviation)?);
            let exponent = (binade(deviation) - POINT as i32).max(binade(mean) - 62);
            let fraction = exponent + POINT as i32 - 64;
            let (mean, scale) = (fixed(mean, exponent, Toward::Nearest), fixed(deviation, fraction, Toward::Nearest));
            Ok(Draw::Normal { mean: mean as i64, scale: scale as u64, exponent })
        }
        Distribution::Exponential { scale: mean } => {
            let mean = scale("scale", mean)?;
            let exponent = binade(mean) - POINT as i32;
            Ok(Draw::Exponential { scale: fixed(mean, exponent + POINT as i32 - 64, Toward::Nearest) as u64, exponent })
        }
        Distribution::Integers { .. } => Err(Error::invalid("random integers", dtype, "an integer dtype")),
    }
}

/// The least `e` with `|x| < 2^e`; of 0, that of the least number.
fn binade(x: f64) -> i32 {
    let (significand, exponent) = parts(x);
    64 - (significand.max(1)).leading_zeros() as i32 + exponent
}

/// The significand and the exponent of its last bit: `|x| = significand · 2^exponent`.
fn parts(x: f64) -> (u64, i32) {
    let (field, fraction) = ((x.to_bits() >> 52 & 0x7ff) as i32, x.to_bits() & ((1 << 52) - 1));
    if field == 0 { (fraction, -1074) } else { (fraction | 1 << 52, field - 1075) }
}

enum Toward {
    Nearest,
    Up,
    Down,
}

/// `x / 2^exponent` as an integer, which must be below 2^65 in magnitude.
fn fixed(x: f64, exponent: i32, toward: Toward) -> i128 {
    let (significand, last) = parts(x);
    let value = if x < 0.0 { -i128::from(significand) } else { i128::from(significand) };
    let shift = last - exponent;
    if shift >= 0 {
        return value << shift.min(64);
    }
    let down = (-shift).min(126) as u32;
    match toward {
        Toward::Down => value >> down,
        Toward::Up => -(-value >> down),
        Toward::Nearest => (value + (1 << (down - 1))) >> down,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(how: Random, dtype: Dtype, shape: &[usize]) -> Result<RandomPlan> {
        RandomPlan::new(&how, dtype, shape)
    }

    #[test]
    fn parameters_become_integers() {
        let unit = plan(Random::uniform(0.0, 1.0), Dtype::F32, &[3]).unwrap();
        assert_eq!((unit.draw, unit.words(), unit.blocks()), (Draw::Uniform { low: 0, span: 1 << 61, exponent: -61 }, 1, 1));
        let both = plan(Random::uniform(-1.5, 1.0), Dtype::F64, &[3]).unwrap();
        assert_eq!((both.draw, both.words()), (Draw::Uniform { low: -3 << 60, span: 5 << 60, exponent: -61 }, 2));
        let normal = plan(Random::normal(0.0, 1.0), Dtype::F64, &[2, 5]).unwrap();
        assert_eq!(normal.draw, Draw::Normal { mean: 0, scale: 1 << 63, exponent: -57 });
        assert_eq!((normal.len(), normal.blocks()), (10, 5));
        let far = plan(Random::normal(-4.0, 1.0), Dtype::F32, &[1]).unwrap();
        assert_eq!(far.draw, Draw::Normal { mean: -(1 << 59), scale: 1 << 63, exponent: -57 });
        let further = plan(Random::normal(1024.0, 1.0), Dtype::F32, &[1]).unwrap();
        assert_eq!(further.draw, Draw::Normal { mean: 1 << 61, scale: 1 << 57, exponent: -51 });
        let exponential = plan(Random::exponential(3.0), Dtype::F64, &[1]).unwrap();
        assert_eq!(exponential.draw, Draw::Exponential { scale: 3 << 62, exponent: -56 });
        let integers = plan(Random::integers(-3, 4), Dtype::I8, &[7]).unwrap();
        assert_eq!((integers.draw, integers.words(), integers.blocks()), (Draw::Integers { low: -3i64 as u64, range: 7 }, 2, 4));
        let all = plan(Random::integers(i64::MIN.into(), 1 << 63), Dtype::I64, &[1]).unwrap();
        assert_eq!((all.draw, all.words()), (Draw::Integers { low: 1 << 63, range: 0 }, 4));
        let least = plan(Random::normal(0.0, 0.0), Dtype::F64, &[1]).unwrap();
        assert!(matches!(least.draw, Draw::Normal { mean: 0, scale: 0, .. }));
    }

    #[test]
    fn the_ends_stay_inside_however_unlike_they_are() {
        for (low, high) in [(1e-30, 1.0), (-1.0, 1e-30), (1.0, 1.0f64.next_up()), (-f64::MAX, f64::MAX), (0.0, 5e-324)] {
            let Draw::Uniform { low: l, span, exponent } = plan(Random::uniform(low, high), Dtype::F64, &[]).unwrap().draw else {
                panic!()
            };
            let at =
                |x: i128| crate::random::Scaled { negative: x < 0, magnitude: x.unsigned_abs() as u64, exponent }.to_f64(true);
            assert!(at(l.into()) >= low && at(i128::from(l) + i128::from(span) - 1) < high, "{low} {high}");
        }
    }

    #[test]
    fn what_cannot_be_drawn_is_an_error() {
        for (how, dtype, word) in [
            (Random::uniform(1.0, 1.0), Dtype::F32, "low 1"),
            (Random::uniform(1.0, 1.0 + 1e-9), Dtype::F32, "low 1"),
            (Random::uniform(0.0, f64::INFINITY), Dtype::F64, "inf"),
            (Random::uniform(0.0, 1e39), Dtype::F32, "inf"),
            (Random::normal(0.0, -1.0), Dtype::F64, "-1"),
            (Random::normal(f64::NAN, 1.0), Dtype::F64, "NaN"),
            (Random::exponential(-0.5), Dtype::F32, "-0.5"),
            (Random::normal(0.0, 1.0), Dtype::I32, "float32"),
            (Random::integers(0, 1), Dtype::F32, "integer"),
            (Random::integers(0, 257), Dtype::U8, "uint8"),
            (Random::integers(-1, 1), Dtype::U64, "0 to"),
            (Random::integers(5, 5), Dtype::U8, "5 to"),
            (Random::integers(0, 3), Dtype::Bool, "bool"),
        ] {
            let error = plan(how, dtype, &[2]).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
        assert!(plan(Random::uniform(0.0, 1.0).start(u64::MAX), Dtype::F32, &[4]).is_err());
        assert!(plan(Random::uniform(0.0, 1.0).start(u64::MAX - 1), Dtype::F32, &[4]).is_ok());
        assert!(plan(Random::uniform(0.0, 1.0), Dtype::F32, &[1 << 40, 1 << 40]).is_err());
    }

    #[test]
    fn a_split_covers_the_array_in_whole_blocks() {
        for words in [Dtype::F32, Dtype::F64] {
            let whole = plan(Random::uniform(0.0, 1.0).start(5), words, &[1003]).unwrap();
            let parts = whole.split(&[1.0, 0.0, 2.0], 6);
            assert_eq!(parts.iter().map(RandomPlan::len).sum::<u64>(), 1003);
            assert!(parts.iter().all(|part| part.is_empty() || part.elements.start.is_multiple_of(4)));
            assert_eq!(parts[2].first_block(), 5 + parts[2].elements.start * whole.words() / 4);
        }
    }
}
