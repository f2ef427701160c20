//! Timing, checksums and random data for the comparison.

use std::time::{Duration, Instant};

/// Times of repeated calls.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// The first call, which also warms everything up.
    pub first: Duration,
    /// The median of the calls after it; the first, if that took so long that there was no other.
    pub median: Duration,
    /// Calls behind the median.
    pub runs: usize,
}

/// How long to measure.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Calls after the first, at most.
    pub runs: usize,
    /// Time after which no further call is begun.
    pub time: Duration,
}

/// Calls `work` once, then a few times more.
pub fn time<E>(budget: Budget, mut work: impl FnMut() -> Result<(), E>) -> Result<Timing, E> {
    let start = Instant::now();
    work()?;
    let first = start.elapsed();
    let mut times = Vec::with_capacity(budget.runs);
    // One call after the first at the least, unless that would be a long wait.
    let again = |done: usize| start.elapsed() < if done == 0 { 8 * budget.time } else { budget.time };
    while times.len() < budget.runs && again(times.len()) {
        let call = Instant::now();
        work()?;
        times.push(call.elapsed());
    }
    times.sort();
    let median = times.get(times.len() / 2).copied().unwrap_or(first);
    Ok(Timing { first, median, runs: times.len().max(1) })
}

/// A fingerprint of bytes, not a proof: FNV-1a over 64-bit words with a rotation, the last word filled up with zeros.
/// The bytes come in parts, of which all but the last are of whole words.
pub fn checksum(parts: impl IntoIterator<Item = Vec<u8>>) -> u64 {
    let step = |hash: u64, word: [u8; 8]| (hash ^ u64::from_le_bytes(word)).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
    let (mut hash, mut len) = (0xcbf2_9ce4_8422_2325, 0);
    for part in parts {
        len += part.len() as u64;
        let (words, rest) = part.as_chunks::<8>();
        hash = words.iter().fold(hash, |hash, &word| step(hash, word));
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            hash = step(hash, last);
        }
    }
    step(hash, len.to_le_bytes())
}

/// SplitMix64 (Steele, Lea and Flood, 2014): the same data on every machine.
pub struct Random(pub u64);

impl Random {
    /// The next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A whole number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// A number in `[0, 1)` with 24 random bits.
    pub fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1 << 24) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_changed_bit_changes_the_checksum() {
        let bytes: Vec<u8> = (0..=255).collect();
        let checksum = |bytes: &[u8]| super::checksum([bytes.to_vec()]);
        let plain = checksum(&bytes[..253]);
        assert_eq!(super::checksum(bytes[..253].chunks(64).map(<[u8]>::to_vec)), plain);
        for i in 0..253 * 8 {
            let mut other = bytes[..253].to_vec();
            other[i / 8] ^= 1 << (i % 8);
            assert_ne!(checksum(&other), plain);
        }
        assert_ne!(checksum(&[0; 8]), checksum(&[0; 9]));
        assert_ne!(checksum(&[]), checksum(&[0]));
    }

    #[test]
    fn the_random_numbers_are_splitmix() {
        let mut random = Random(1234567);
        assert_eq!([random.bits(), random.bits()], [6457827717110365317, 3203168211198807973]);
    }

    #[test]
    fn the_median_leaves_the_first_call_out() {
        let mut calls = 0;
        let timing = time(Budget { runs: 3, time: Duration::from_secs(5) }, || {
            calls += 1;
            std::thread::sleep(Duration::from_millis(if calls == 1 { 60 } else { 2 }));
            Ok::<(), ()>(())
        });
        let timing = timing.unwrap();
        assert_eq!((calls, timing.runs), (4, 3));
        assert!(timing.first >= Duration::from_millis(60) && timing.median >= Duration::from_millis(2));
    }
}
