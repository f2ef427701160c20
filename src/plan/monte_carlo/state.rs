//! What a Monte Carlo run has done so far: which samples of which problem, and their exact sums.

use std::ops::Range;

use super::{MonteCarlo, Pi, PiMethod, Tally};
use crate::plan::Ranges;
use crate::plan::checksum::checksum;
use crate::{Error, Result};

/// The head of the byte form, and its version.
const MAGIC: [u8; 4] = *b"UnMC";
const VERSION: u8 = 2;

/// The samples that a Monte Carlo run has drawn, and what they sum to: a value that is extended, merged, saved and resumed.
///
/// The samples are addressed by index and the sums are integers, so that a run may be stopped and go on, on another device or
/// machine, and several may share the work: the merged state is that of one run over the same samples, to the bit.
///
/// ```
/// use unisono::{Backend, MonteCarloState};
/// # fn main() -> unisono::Result<()> {
/// let backend = Backend::cpu();
/// let (mut here, mut there) = (MonteCarloState::pi(42), MonteCarloState::pi(42));
/// backend.extend(&mut here, 0..600_000)?;
/// backend.extend(&mut there, 600_000..1_000_000)?;
/// here.merge(&MonteCarloState::from_bytes(&there.to_bytes())?)?;
/// assert_eq!(here.estimate(), backend.pi(1_000_000, 42)?);
/// assert!(here.merge(&there).is_err()); // no sample counts twice
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonteCarloState {
    how: MonteCarlo,
    ranges: Ranges,
    tally: Tally,
}

impl MonteCarloState {
    /// No sample yet of the estimate of π under `seed`: the samples of [`Backend::pi`](crate::Backend::pi).
    pub fn pi(seed: u64) -> Self {
        Self::empty(MonteCarlo::pi().seed(seed).bits(16))
    }

    /// No sample yet of a problem.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a number of bits that no coordinates have.
    pub fn new(how: &MonteCarlo) -> Result<Self> {
        Ok(Self::empty(how.resolved()?))
    }

    fn empty(how: MonteCarlo) -> Self {
        Self { how, ranges: Ranges::default(), tally: Tally::default() }
    }

    /// The problem.
    pub fn problem(&self) -> &MonteCarlo {
        &self.how
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.how.seed
    }

    /// The indices of the samples drawn: disjoint ranges in ascending order.
    pub fn ranges(&self) -> &[Range<u64>] {
        self.ranges.all()
    }

    /// How many samples were drawn.
    pub fn samples(&self) -> u64 {
        self.tally.samples
    }

    /// What the samples say.
    pub fn estimate(&self) -> Pi {
        Pi::from_tally(&self.how, &self.tally)
    }

    /// The samples of `range` that were not drawn yet: disjoint ranges in ascending order.
    pub fn missing(&self, range: Range<u64>) -> Vec<Range<u64>> {
        self.ranges.missing(range)
    }

    /// Where the samples from 0 on end that were all drawn.
    pub(crate) fn prefix(&self) -> u64 {
        self.ranges.prefix()
    }

    /// Adds the samples of another state of the same problem.
    ///
    /// # Errors
    /// [`Error::Invalid`], and this state stays as it is, if the other is of another problem or seed, or has a sample that this
    /// one has.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if self.how != other.how {
            let (got, expected) = (other.how.to_string(), format!("the problem of this state: {}", self.how));
            return Err(Error::invalid("Monte Carlo state to merge", got, expected));
        }
        if let Some(twice) = self.ranges.overlap(&other.ranges) {
            let got = format!("samples {} to below {}, which this state has already", twice.start, twice.end);
            return Err(Error::invalid("Monte Carlo state to merge", got, "samples that this state has not"));
        }
        self.ranges.add(&other.ranges);
        self.tally.merge(&other.tally);
        Ok(())
    }

    /// Takes another state of the same problem in: the larger one if it has all samples of the smaller, whose hits they are
    /// then as well, both together if they have none in common.
    ///
    /// # Errors
    /// As [`merge`](Self::merge).
    pub(crate) fn join(&mut self, other: &Self) -> Result<()> {
        match self.how == other.how {
            true if self.ranges.covers(&other.ranges) => Ok(()),
            true if other.ranges.covers(&self.ranges) => {
                self.clone_from(other);
                Ok(())
            }
            _ => self.merge(other),
        }
    }

    /// Adds the tally of the samples of a range that was [missing](Self::missing).
    pub(crate) fn add(&mut self, range: Range<u64>, tally: &Tally) -> Result<()> {
        self.merge(&Self { how: self.how, ranges: range.into(), tally: *tally })
    }

    /// The byte form: `UnMC`, a version byte, a byte each for the method (the number of its place in [`PiMethod::ALL`]) and the
    /// bits of a coordinate, a zero, then in 64 bits each, least significant byte first, the seed, the counts of
    /// [`Tally`] (3, or of Sobol's method 32), the number of ranges, the ends of every range, and a checksum (FNV-1a) of all before it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let method = self.how.method;
        let mut bytes = [&MAGIC[..], &[VERSION, method as u8, self.how.coordinate_bits() as u8, 0]].concat();
        let counts = self.tally.counts[..Tally::used(method)].iter().copied();
        let words =
            std::iter::once(self.how.seed).chain(counts).chain([self.ranges.all().len() as u64]).chain(self.ranges.ends());
        words.for_each(|word| bytes.extend(word.to_le_bytes()));
        bytes.extend(checksum(&bytes).to_le_bytes());
        bytes
    }

    /// Reads [`to_bytes`](Self::to_bytes)'s form.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for other bytes, another version or problem, a checksum that does not fit, or values that no state has.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let corrupt = |reason: String| Error::Corrupt { what: "Monte Carlo state".into(), reason };
        let (head, rest) = bytes.split_at_checked(8).ok_or_else(|| corrupt(format!("{} bytes, expected more", bytes.len())))?;
        if head[..4] != MAGIC {
            return Err(corrupt("the bytes are of something else".into()));
        }
        if head[4] != VERSION {
            return Err(corrupt(format!("version {}, expected {VERSION}", head[4])));
        }
        let (method, bits) = (PiMethod::ALL.get(usize::from(head[5])), u32::from(head[6]));
        let (Some(&method), 16 | 32, 0) = (method, bits, head[7]) else {
            return Err(corrupt(format!("unknown problem {:?}", &head[5..])));
        };
        let (words, left) = rest.as_chunks::<8>();
        let words: Vec<u64> = words.iter().map(|&word| u64::from_le_bytes(word)).collect();
        let used = Tally::used(method);
        let (Some((head, [ends @ .., sum])), true) = (words.split_at_checked(used + 2), left.is_empty()) else {
            return Err(corrupt(format!("{} bytes, expected another number", bytes.len())));
        };
        let (seed, count) = (head[0], head[used + 1]);
        if ends.len() as u64 != count.saturating_mul(2) {
            return Err(corrupt(format!("{} bytes do not fit {count} ranges", bytes.len())));
        }
        if *sum != checksum(&bytes[..bytes.len() - 8]) {
            return Err(corrupt("the checksum does not fit: the bytes were damaged or cut short".into()));
        }
        let ranges = Ranges::from_ends("Monte Carlo state", ends)?;
        let mut tally = Tally { samples: ranges.count(), ..Tally::default() };
        tally.counts[..used].copy_from_slice(&head[1..=used]);
        if !tally.is_possible(method) {
            return Err(corrupt("counts that these samples cannot have".into()));
        }
        Ok(Self { how: MonteCarlo::pi().method(method).bits(bits).seed(seed), ranges, tally })
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init)]
mod tests {
    use super::*;

    fn state(seed: u64, parts: &[(Range<u64>, u64)]) -> MonteCarloState {
        let mut state = MonteCarloState::pi(seed);
        for (range, hits) in parts {
            let samples = range.end - range.start;
            state.add(range.clone(), &Tally::of_misses(samples, [samples - hits, 0])).unwrap();
        }
        state
    }

    /// Samples of another method.
    fn other(method: PiMethod, range: Range<u64>, counts: &[u64]) -> MonteCarloState {
        let mut state = MonteCarloState::new(&MonteCarlo::pi().method(method).seed(1)).unwrap();
        let mut tally = Tally { samples: range.end - range.start, ..Tally::default() };
        tally.counts[..counts.len()].copy_from_slice(counts);
        state.add(range, &tally).unwrap();
        state
    }

    #[test]
    fn ranges_grow_together_in_any_order() {
        let whole = state(1, &[(0..30, 20)]);
        assert_eq!(state(1, &[(20..30, 7), (0..10, 5), (10..20, 8)]), whole);
        let mut left = state(1, &[(0..5, 3), (10..20, 8)]);
        left.merge(&state(1, &[(20..30, 7), (5..10, 2)])).unwrap();
        assert_eq!(left, whole);
        assert_eq!(state(1, &[(3..3, 0)]), MonteCarloState::pi(1));
        let end = state(1, &[(u64::MAX - 5..u64::MAX, 5)]);
        assert_eq!((end.samples(), end.missing(0..u64::MAX)), (5, vec![0..u64::MAX - 5]));
    }

    #[test]
    fn what_is_missing_is_what_was_not_drawn() {
        let state = state(1, &[(5..10, 1), (20..30, 2)]);
        assert_eq!(state.missing(0..40), [0..5, 10..20, 30..40]);
        assert_eq!(state.missing(7..25), [10..20]);
        assert_eq!(state.missing(10..20), [10..20]);
        assert_eq!(state.missing(6..9), []);
        assert_eq!(state.missing(9..9), []);
    }

    #[test]
    fn a_sample_never_counts_twice_and_problems_never_mix() {
        let mut a = state(1, &[(0..10, 4), (20..30, 5)]);
        let before = a.clone();
        for (other, word) in [
            (state(1, &[(9..12, 1)]), "samples 9 to below 10"),
            (state(1, &[(15..40, 1)]), "samples 20 to below 30"),
            (a.clone(), "samples 0 to below 10"),
            (state(2, &[(10..20, 1)]), "seed 2"),
            (other(PiMethod::Antithetic, 10..20, &[10]), "antithetic"),
            (MonteCarloState::new(&MonteCarlo::pi().bits(32).seed(1)).unwrap(), "32 bits"),
        ] {
            let error = a.merge(&other).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
            assert_eq!(a, before);
        }
    }

    #[test]
    fn a_state_joins_what_it_has_already() {
        let (small, large) = (state(1, &[(0..10, 4)]), state(1, &[(0..20, 9), (30..40, 5)]));
        let other = state(1, &[(20..30, 5)]);
        for (mut a, b, expected) in [
            (small.clone(), &large, &large),
            (large.clone(), &small, &large),
            (large.clone(), &large, &large),
            (MonteCarloState::pi(1), &small, &small),
            (large.clone(), &other, &state(1, &[(0..40, 19)])),
        ] {
            a.join(b).unwrap();
            assert_eq!(&a, expected);
        }
        assert!(small.clone().join(&state(1, &[(5..15, 5)])).is_err());
        assert!(small.clone().join(&MonteCarloState::pi(2)).is_err());
    }

    #[test]
    fn bytes_come_back_and_damage_is_seen() {
        for state in [
            MonteCarloState::pi(u64::MAX),
            state(7, &[(0..10, 4), (20..30, 5), (1 << 60..u64::MAX, 1 << 63)]),
            other(PiMethod::Reflected, 3..10, &[2, 1, 4]),
            other(PiMethod::Sobol, 64..128, &[2; 32]),
        ] {
            let bytes = state.to_bytes();
            assert_eq!(MonteCarloState::from_bytes(&bytes), Ok(state));
            for len in 0..bytes.len() {
                assert!(matches!(MonteCarloState::from_bytes(&bytes[..len]), Err(Error::Corrupt { .. })));
            }
            for bit in 0..8 * bytes.len() {
                let mut bytes = bytes.clone();
                bytes[bit / 8] ^= 1 << (bit % 8);
                assert!(matches!(MonteCarloState::from_bytes(&bytes), Err(Error::Corrupt { .. })), "bit {bit}");
            }
        }
        // A checksum that fits does not excuse nonsense.
        let mut bytes = state(1, &[(4..5, 1)]).to_bytes();
        let (body, sum) = bytes.split_last_chunk_mut::<8>().unwrap();
        let start = body.len() - 16;
        body[start] = 5;
        *sum = checksum(body).to_le_bytes();
        let error = MonteCarloState::from_bytes(&bytes).unwrap_err().to_string();
        assert!(error.contains("out of order"), "{error}");
        for (state, count) in [(state(1, &[(0..10, 1)]), 11), (other(PiMethod::Sobol, 0..32, &[1]), 2)] {
            let mut wrong = state;
            wrong.tally.counts[1] = count;
            assert!(MonteCarloState::from_bytes(&wrong.to_bytes()).is_err());
        }
    }
}
