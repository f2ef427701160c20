//! What samples add up to, in integers.

use super::PiMethod;
use super::method::REPLICATES;

/// The counts of a range of samples: exactly mergeable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// The samples counted.
    pub samples: u64,
    /// Of [`PiMethod::Sobol`], the hits of every replicate; of the others, how many samples had no, one and two misses
    /// (no sample has more).
    pub counts: [u64; REPLICATES as usize],
}

impl Tally {
    /// The samples of which so many miss at least once and at least twice.
    pub(crate) fn of_misses(samples: u64, [once, twice]: [u64; 2]) -> Self {
        let mut counts = [0; REPLICATES as usize];
        (counts[0], counts[1], counts[2]) = (samples - once, once - twice, twice);
        Self { samples, counts }
    }

    /// Adds the counts of other samples.
    pub fn merge(&mut self, other: &Self) {
        self.samples += other.samples;
        self.counts.iter_mut().zip(other.counts).for_each(|(count, more)| *count += more);
    }

    /// How many of the counts a method uses.
    pub(crate) const fn used(method: PiMethod) -> usize {
        match method {
            PiMethod::Sobol => REPLICATES as usize,
            _ => 3,
        }
    }

    /// The points inside the circle.
    pub(crate) fn hits(&self, method: PiMethod) -> u64 {
        match method {
            PiMethod::Sobol => self.counts.iter().sum(),
            _ => {
                let misses = self.counts[1] + 2 * self.counts[2];
                let points = u128::from(self.samples) * u128::from(method.points());
                u64::try_from(points.saturating_sub(misses.into())).unwrap_or(u64::MAX)
            }
        }
    }

    /// Whether some samples of the method can have these counts.
    pub(crate) fn is_possible(&self, method: PiMethod) -> bool {
        let used = Self::used(method);
        let rest = self.counts[used..].iter().all(|&count| count == 0);
        rest && match method {
            PiMethod::Sobol => {
                self.samples.is_multiple_of(REPLICATES) && self.counts.iter().all(|&hits| hits <= self.samples / REPLICATES)
            }
            _ => {
                let counted: u128 = self.counts[..used].iter().map(|&count| u128::from(count)).sum();
                counted == self.samples.into() && (method.points() > 1 || self.counts[2] == 0)
            }
        }
    }
}
