//! A stream's words one after the other, for Rust's ecosystem.

use std::convert::Infallible;

use rand_core::{SeedableRng, TryRng};

use super::{BitGenerator, Stream};

/// A [`Stream`] read word by word: implements `rand_core`'s `Rng` and `SeedableRng`, so that `rand` and `rand_distr` can use it.
///
/// Jumps to any word in O(1). A `u64` is two words, the low one first; bytes are words, least significant byte first. After
/// 2^66 words the stream begins anew. Not for cryptography.
///
/// ```
/// use rand_core::Rng as _;
/// use unisono::random::{Rng, Stream};
///
/// let mut rng = Rng::new(Stream::new(42));
/// let first = rng.next_u32();
/// rng.set_position(1_000_000_000_000);
/// assert_eq!(rng.next_u32(), Stream::new(42).block(250_000_000_000)[0]);
/// rng.set_position(0);
/// assert_eq!(rng.next_u32(), first);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rng {
    stream: Stream,
    /// The next block.
    next: u64,
    /// The block being read, and how many of its words are used up.
    block: [u32; 4],
    used: usize,
}

impl Rng {
    /// The stream from its first word on.
    pub fn new(stream: Stream) -> Self {
        Self { stream, next: 0, block: [0; 4], used: 4 }
    }

    /// The stream that is read.
    pub fn stream(&self) -> Stream {
        self.stream
    }

    /// The index of the next word, modulo 2^66.
    pub fn position(&self) -> u128 {
        (4 * u128::from(self.next) + (1 << 66) - (4 - self.used as u128)) % (1 << 66)
    }

    /// Jumps to a word, modulo 2^66, in O(1).
    pub fn set_position(&mut self, word: u128) {
        (self.next, self.used) = ((word / 4) as u64, 4);
        let used = (word % 4) as usize;
        if used > 0 {
            self.refill();
            self.used = used;
        }
    }

    fn refill(&mut self) {
        self.block = self.stream.block(self.next);
        (self.next, self.used) = (self.next.wrapping_add(1), 0);
    }

    fn word(&mut self) -> u32 {
        if self.used == 4 {
            self.refill();
        }
        self.used += 1;
        self.block[self.used - 1]
    }
}

impl TryRng for Rng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.word())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let low = self.word();
        Ok(u64::from(low) | u64::from(self.word()) << 32)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(4) {
            let word = self.word().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        Ok(())
    }
}

impl SeedableRng for Rng {
    /// Seed and stream number, 64 bits each, least significant byte first.
    type Seed = [u8; 16];

    fn from_seed(seed: [u8; 16]) -> Self {
        let both = u128::from_le_bytes(seed);
        Self::new(Stream { generator: BitGenerator::default(), seed: both as u64, stream: (both >> 64) as u64 })
    }

    fn seed_from_u64(seed: u64) -> Self {
        Self::new(Stream::new(seed))
    }
}

#[cfg(test)]
mod tests {
    use rand_core::Rng as _;

    use super::*;

    #[test]
    fn words_come_in_order_from_any_position() {
        for generator in BitGenerator::ALL {
            let stream = Stream::new(3).generator(generator).with_stream(5);
            let word = |index: u128| stream.block((index / 4) as u64)[(index % 4) as usize];
            for start in [0, 1, 2, 3, 4, 1 << 33, (1 << 66) - 2] {
                let mut rng = Rng::new(stream);
                rng.set_position(start);
                for index in start..start + 9 {
                    assert_eq!(rng.position(), index % (1 << 66));
                    assert_eq!(rng.next_u32(), word(index % (1 << 66)), "{generator} {index}");
                }
            }
        }
    }

    #[test]
    fn wider_values_are_made_of_words_low_first() {
        let mut rng = Rng::seed_from_u64(9);
        let [a, b, c, d] = Stream::new(9).block(0);
        assert_eq!(rng.next_u64(), u64::from(a) | u64::from(b) << 32);
        let mut bytes = [0; 7];
        rng.fill_bytes(&mut bytes);
        assert_eq!((&bytes[..4], &bytes[4..]), (&c.to_le_bytes()[..], &d.to_le_bytes()[..3]));
        let mut seed = [0; 16];
        (seed[0], seed[8]) = (9, 1);
        assert_eq!(Rng::from_seed(seed), Rng::new(Stream::new(9).with_stream(1)));
    }
}
