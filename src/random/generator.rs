//! The counter-based generators.
//!
//! Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011; the known answers are those of
//! their library Random123.

use std::fmt;
use std::str::FromStr;

use crate::philox::{MULTIPLIERS, WEYL};
use crate::{Error, Result};

/// What the words of Threefry's key are xored to give the fifth (Skein's constant, in 32 bits).
pub(crate) const PARITY: u32 = 0x1BD1_1BDA;
/// Threefry4x32's rotations, of the two pairs, in eight rounds.
pub(crate) const ROTATIONS: [[u32; 2]; 8] = [[10, 26], [11, 21], [13, 27], [23, 5], [6, 20], [17, 11], [25, 10], [18, 20]];

/// A counter-based generator of blocks of four 32-bit words. All of them pass BigCrush (Salmon et al., SC 2011).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum BitGenerator {
    /// Philox4x32 with ten rounds: the default here and, on GPUs, of PyTorch and TensorFlow.
    #[default]
    Philox4x32_10,
    /// Philox4x32 with seven rounds, the fewest that pass BigCrush.
    Philox4x32_7,
    /// Threefry4x32 with twenty rounds: additions and rotations, without a multiplication.
    Threefry4x32_20,
}

impl BitGenerator {
    /// Every generator.
    pub const ALL: [Self; 3] = [Self::Philox4x32_10, Self::Philox4x32_7, Self::Threefry4x32_20];

    /// Its name: `philox4x32-10`, `philox4x32-7`, `threefry4x32-20`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Philox4x32_10 => "philox4x32-10",
            Self::Philox4x32_7 => "philox4x32-7",
            Self::Threefry4x32_20 => "threefry4x32-20",
        }
    }

    /// The number of rounds.
    pub const fn rounds(self) -> usize {
        match self {
            Self::Philox4x32_10 => 10,
            Self::Philox4x32_7 => 7,
            Self::Threefry4x32_20 => 20,
        }
    }

    /// The words of a counter under a key, of which Philox uses the first two words.
    ///
    /// ```
    /// use unisono::random::BitGenerator;
    /// let words = BitGenerator::Threefry4x32_20.block([0; 4], [0; 4]);
    /// assert_eq!(words, [0x9c6ca96a, 0xe17eae66, 0xfc10ecd4, 0x5256a7d8]);
    /// ```
    pub const fn block(self, counter: [u32; 4], key: [u32; 4]) -> [u32; 4] {
        match self {
            Self::Philox4x32_10 | Self::Philox4x32_7 => philox(counter, [key[0], key[1]], self.rounds()),
            Self::Threefry4x32_20 => threefry(counter, key, self.rounds()),
        }
    }
}

const fn philox(counter: [u32; 4], key: [u32; 2], rounds: usize) -> [u32; 4] {
    let ([mut a, mut b, mut c, mut d], [mut k0, mut k1]) = (counter, key);
    let mut round = 0;
    while round < rounds {
        let p0 = a as u64 * MULTIPLIERS[0] as u64;
        let p1 = c as u64 * MULTIPLIERS[1] as u64;
        [a, b, c, d] = [(p1 >> 32) as u32 ^ b ^ k0, p1 as u32, (p0 >> 32) as u32 ^ d ^ k1, p0 as u32];
        (k0, k1) = (k0.wrapping_add(WEYL[0]), k1.wrapping_add(WEYL[1]));
        round += 1;
    }
    [a, b, c, d]
}

const fn threefry(counter: [u32; 4], key: [u32; 4], rounds: usize) -> [u32; 4] {
    let keys = [key[0], key[1], key[2], key[3], PARITY ^ key[0] ^ key[1] ^ key[2] ^ key[3]];
    let mut x = counter;
    let mut round = 0;
    while round <= rounds {
        if round % 4 == 0 {
            // Four of the five words of the key, from another one on each time, and the number of the time.
            let mut word = 0;
            while word < 4 {
                x[word] = x[word].wrapping_add(keys[(round / 4 + word) % 5]);
                word += 1;
            }
            x[3] = x[3].wrapping_add(round as u32 / 4);
        }
        if round < rounds {
            let [first, second] = ROTATIONS[round % 8];
            let (a, b) = if round % 2 == 0 { (1, 3) } else { (3, 1) };
            x[0] = x[0].wrapping_add(x[a]);
            x[a] = x[a].rotate_left(first) ^ x[0];
            x[2] = x[2].wrapping_add(x[b]);
            x[b] = x[b].rotate_left(second) ^ x[2];
        }
        round += 1;
    }
    x
}

impl fmt::Display for BitGenerator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for BitGenerator {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|generator| generator.name() == text);
        known
            .or((text == "philox").then_some(Self::Philox4x32_10))
            .or((text == "threefry").then_some(Self::Threefry4x32_20))
            .ok_or_else(|| Error::invalid("bit generator", format!("{text:?}"), "philox4x32-10, philox4x32-7 or threefry4x32-20"))
    }
}

/// The words of one generator, seed and stream: 2^64 blocks of four, any of them at once.
///
/// Seed and stream number are 64 bits each and never shortened. Block `b` is the generator's answer to counter
/// `(b low, b high, stream low, stream high)` under key `(seed low, seed high, 0, 0)`: the samples of
/// [`Backend::pi`](crate::Backend::pi) are the words of stream 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Stream {
    /// The generator.
    pub generator: BitGenerator,
    /// The seed.
    pub seed: u64,
    /// The number of the stream. Streams of one seed have no block in common.
    pub stream: u64,
}

impl Stream {
    /// Stream 0 of a seed, by the default generator.
    pub const fn new(seed: u64) -> Self {
        Self { generator: BitGenerator::Philox4x32_10, seed, stream: 0 }
    }

    /// The same stream of another generator.
    pub const fn generator(self, generator: BitGenerator) -> Self {
        Self { generator, ..self }
    }

    /// Another stream of the same seed.
    pub const fn with_stream(self, stream: u64) -> Self {
        Self { stream, ..self }
    }

    /// Block `index`: words `4 · index ..`.
    ///
    /// ```
    /// use unisono::random::Stream;
    /// assert_eq!(Stream::new(0).block(0), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
    /// ```
    pub const fn block(&self, index: u64) -> [u32; 4] {
        let counter = [index as u32, (index >> 32) as u32, self.stream as u32, (self.stream >> 32) as u32];
        self.generator.block(counter, self.key())
    }

    /// The key that the seed makes.
    pub(crate) const fn key(&self) -> [u32; 4] {
        [self.seed as u32, (self.seed >> 32) as u32, 0, 0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every line of Random123's known answers for these generators.
    #[test]
    fn known_answers() {
        let mut seen = 0;
        for line in include_str!("../../tests/data/philox_kat.txt").lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let name = format!("{}-{}", words[0], words[1]);
            let Ok(generator) = name.parse::<BitGenerator>() else { continue };
            let words: Vec<u32> = words[2..].iter().map(|word| u32::from_str_radix(word, 16).unwrap()).collect();
            let (given, answer) = words.split_at(words.len() - 4);
            let mut key = [0; 4];
            key[..given.len() - 4].copy_from_slice(&given[4..]);
            assert_eq!(generator.block(given[..4].try_into().unwrap(), key), answer, "{line}");
            seen += 1;
        }
        assert_eq!(seen, 9);
    }

    #[test]
    fn seed_and_stream_fill_key_and_counter_low_word_first() {
        let stream = Stream::new(0x0123_4567_89ab_cdef).with_stream(0x1111_2222_3333_4444);
        for generator in BitGenerator::ALL {
            let counter = [0x7654_3210, 0xfedc_ba98, 0x3333_4444, 0x1111_2222];
            let expected = generator.block(counter, [0x89ab_cdef, 0x0123_4567, 0, 0]);
            assert_eq!(stream.generator(generator).block(0xfedc_ba98_7654_3210), expected);
        }
        assert_eq!(Stream::new(7).block(9), crate::Philox4x32::new(7).block(9));
    }

    #[test]
    fn names_are_read_back() {
        for generator in BitGenerator::ALL {
            assert_eq!(generator.to_string().parse(), Ok(generator));
        }
        let error = "mersenne".parse::<BitGenerator>().unwrap_err().to_string();
        assert!(error.contains("mersenne") && error.contains("threefry4x32-20"), "{error}");
    }
}
