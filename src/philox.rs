//! Philox4x32-10, the counter-based random number generator behind the Monte Carlo operations.
//!
//! Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. A block of four words is
//! a pure function of a counter and a key, so any part of the sequence can be computed anywhere, in any order.

/// The multipliers of the round function.
pub(crate) const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
/// What is added to the key after each round (the golden ratio and √3 − 1, in 32 bits).
pub(crate) const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
/// The number of rounds.
pub(crate) const ROUNDS: usize = 10;

/// The sequence of one seed: Philox4x32-10 with key `(seed low, seed high)` and counter `(block low, block high, 0, 0)`.
///
/// ```
/// let words = unisono::Philox4x32::new(0).block(0);
/// assert_eq!(words, [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Philox4x32 {
    key: [u32; 2],
}

impl Philox4x32 {
    /// The sequence of `seed`.
    pub const fn new(seed: u64) -> Self {
        Self { key: [seed as u32, (seed >> 32) as u32] }
    }

    /// Block `index`: words `4 * index ..` of the sequence.
    pub const fn block(&self, index: u64) -> [u32; 4] {
        Self::philox4x32_10([index as u32, (index >> 32) as u32, 0, 0], self.key)
    }

    /// The words of any counter under any key.
    pub const fn philox4x32_10(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
        let ([mut a, mut b, mut c, mut d], [mut k0, mut k1]) = (counter, key);
        let mut round = 0;
        while round < ROUNDS {
            let p0 = a as u64 * MULTIPLIERS[0] as u64;
            let p1 = c as u64 * MULTIPLIERS[1] as u64;
            [a, b, c, d] = [(p1 >> 32) as u32 ^ b ^ k0, p1 as u32, (p0 >> 32) as u32 ^ d ^ k1, p0 as u32];
            (k0, k1) = (k0.wrapping_add(WEYL[0]), k1.wrapping_add(WEYL[1]));
            round += 1;
        }
        [a, b, c, d]
    }

    /// The keys of the ten rounds.
    pub(crate) const fn round_keys(&self) -> [[u32; 2]; ROUNDS] {
        let mut keys = [self.key; ROUNDS];
        let mut round = 1;
        while round < ROUNDS {
            let [k0, k1] = keys[round - 1];
            keys[round] = [k0.wrapping_add(WEYL[0]), k1.wrapping_add(WEYL[1])];
            round += 1;
        }
        keys
    }

    /// Whether a word, read as a point of the square, lies in the circle: with its halves as signed 16-bit integers `x`
    /// (low) and `y` (high), `x(x+1) + y(y+1) < 2^30`. That is the midpoint rule on the grid of `2^16 × 2^16` cells:
    /// exactly 843,314,812 of `2^30` words are hits, so the estimate of π is biased by −1.66e-7.
    pub const fn is_hit(word: u32) -> bool {
        let (x, y) = (word as u16 as i16 as i64, (word >> 16) as u16 as i16 as i64);
        x * (x + 1) + y * (y + 1) < 1 << 30
    }

    /// Whether sample `index` of this sequence, which is word `index mod 4` of block `index div 4`, is a hit.
    pub const fn sample_is_hit(&self, index: u64) -> bool {
        Self::is_hit(self.block(index / 4)[(index % 4) as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every line of Random123's known answers for this generator.
    #[test]
    fn known_answers() {
        let mut seen = 0;
        for line in include_str!("../tests/data/philox_kat.txt").lines().filter(|line| line.starts_with("philox4x32 10 ")) {
            let words: Vec<u32> = line.split_whitespace().skip(2).map(|word| u32::from_str_radix(word, 16).unwrap()).collect();
            let [a, b, c, d, k0, k1, expected @ ..] = &words[..] else { panic!("{line}") };
            assert_eq!(Philox4x32::philox4x32_10([*a, *b, *c, *d], [*k0, *k1]), expected);
            seen += 1;
        }
        assert_eq!(seen, 3);
    }

    #[test]
    fn a_seed_and_an_index_fill_key_and_counter_low_word_first() {
        let (seed, block) = (0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210);
        let expected = Philox4x32::philox4x32_10([0x7654_3210, 0xfedc_ba98, 0, 0], [0x89ab_cdef, 0x0123_4567]);
        assert_eq!(Philox4x32::new(seed).block(block), expected);
        let keys = Philox4x32::new(seed).round_keys();
        assert_eq!(keys[0], [0x89ab_cdef, 0x0123_4567]);
        assert_eq!(keys[9][0], 0x89ab_cdef_u32.wrapping_add(WEYL[0].wrapping_mul(9)));
    }

    /// The hits among all 2^32 words, counted row by row with an integer square root: the known lattice count.
    #[test]
    fn the_share_of_hits_is_the_lattice_count() {
        let mut count = 0u64;
        for x in i16::MIN..=i16::MAX {
            let x = x as i64;
            let room = (1i64 << 30) - 1 - x * (x + 1);
            if room < 0 {
                continue;
            }
            // The largest y with y(y+1) <= room; -1-y gives the same value as y.
            let y = (((4 * room + 1).isqrt() - 1) / 2).min(32767);
            count += 2 * (y as u64 + 1);
            for edge in [y, y + 1, -1 - y, -2 - y] {
                if let Ok(half) = i16::try_from(edge) {
                    let word = x as i16 as u16 as u32 | (half as u16 as u32) << 16;
                    assert_eq!(Philox4x32::is_hit(word), edge == y || edge == -1 - y, "{x} {edge}");
                }
            }
        }
        assert_eq!(count, 4 * 843_314_812);
    }
}
