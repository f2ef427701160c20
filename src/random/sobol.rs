//! Sobol's low-discrepancy sequence, addressed by index, and its randomisations: digital shifts and nested scrambling.
//!
//! Sources: Sobol, "On the distribution of points in a cube and the approximate evaluation of integrals", 1967; direction
//! numbers of Joe and Kuo, "Constructing Sobol sequences with better two-dimensional projections", SIAM J. Sci. Comput. 30,
//! 2008 (`joe_kuo.txt`, under the licence beside it); Owen, "Randomly permuted (t,m,s)-nets and (t,s)-sequences", 1995;
//! scrambling by a hash: Laine, Karras, "Stratified sampling for stochastic transparency", EGSR 2011; Burley, "Practical
//! hash-based Owen scrambling", JCGT 9(4), 2020, with the constants of Vegdahl, "Building a better LK hash", 2021.

use super::Stream;
use crate::fork::Raced;
use crate::{Error, Result};

/// The first points of Sobol's sequence in up to 1024 dimensions: 2^32 points, each coordinate 32 bits after the point.
///
/// The points have the order and the bits of `scipy.stats.qmc.Sobol(d, scramble=False, bits=32)`. Any point is a function of its
/// index, so that any device may compute any part. Every aligned run of `2^k` points has each value of a coordinate's `k` leading
/// bits once; randomised by [`shift`](Self::shift) or [`scramble`](Self::scramble) each point by itself is uniform.
///
/// ```
/// use unisono::random::Sobol;
/// let sobol = Sobol::new(2)?;
/// let points: Vec<_> = (0..4).map(|i| [0, 1].map(|axis| f64::from(sobol.point(i, axis)) / 2f64.powi(32))).collect();
/// assert_eq!(points, [[0.0, 0.0], [0.5, 0.5], [0.75, 0.25], [0.25, 0.75]]);
/// assert_eq!(Sobol::new(0).unwrap_err().to_string(), "dimensions of a Sobol sequence: got 0, expected 1 to 1024");
/// # Ok::<(), unisono::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sobol {
    directions: &'static [[u32; 32]],
}

/// The number of the first stream that keys come from.
const KEYS: u64 = 2 << 32;

impl Sobol {
    /// The most dimensions.
    pub const MAX_DIMENSIONS: usize = 1024;

    /// The sequence in so many dimensions.
    ///
    /// # Errors
    /// [`Error::Invalid`] for no dimension and for more than [`MAX_DIMENSIONS`](Self::MAX_DIMENSIONS).
    pub fn new(dimensions: usize) -> Result<Self> {
        static ALL: Raced<Vec<[u32; 32]>> = Raced::new();
        match ALL.get(directions).get(..dimensions) {
            Some(directions) if dimensions > 0 => Ok(Self { directions }),
            _ => Err(Error::invalid("dimensions of a Sobol sequence", dimensions, "1 to 1024")),
        }
    }

    /// The number of dimensions.
    pub fn dimensions(&self) -> usize {
        self.directions.len()
    }

    /// The 32 direction numbers of one dimension, that of the index's lowest bit first; none beyond the last dimension.
    pub fn directions(&self, dimension: usize) -> &'static [u32] {
        self.directions.get(dimension).map_or(&[], |directions| &directions[..])
    }

    /// One coordinate of a point, in units of 2^-32: the exclusive or of the direction numbers that the Gray code of the index
    /// selects. 0 beyond the last dimension.
    pub fn point(&self, index: u32, dimension: usize) -> u32 {
        let gray = index ^ index >> 1;
        let chosen = |(bit, direction): (usize, &u32)| direction & (gray >> bit & 1).wrapping_neg();
        self.directions(dimension).iter().enumerate().map(chosen).fold(0, |x, direction| x ^ direction)
    }

    /// The random key of one dimension of one randomisation (replicate) under a seed, for [`shift`](Self::shift) or
    /// [`scramble`](Self::scramble): word `dimension mod 4` of block `replicate` of stream `2^33 + dimension div 4`.
    pub const fn key(seed: u64, replicate: u64, dimension: u32) -> u32 {
        let stream = Stream::new(seed).with_stream(KEYS + (dimension / 4) as u64);
        stream.block(replicate)[(dimension % 4) as usize]
    }

    /// A coordinate moved by a random digital shift: its exclusive or with the key.
    pub const fn shift(coordinate: u32, key: u32) -> u32 {
        coordinate ^ key
    }

    /// A coordinate under nested uniform scrambling (Owen's): every bit is flipped or not as a hash of the key and of all bits
    /// above it says. Integrals of smooth functions converge faster with it than with a shift.
    ///
    /// ```
    /// use unisono::random::Sobol;
    /// let scrambled = |x| Sobol::scramble(x, 7);
    /// assert_eq!(scrambled(0x1234_5678) >> 12, scrambled(0x1234_5fff) >> 12); // what is equal above stays equal
    /// ```
    pub const fn scramble(coordinate: u32, key: u32) -> u32 {
        Self::scramble_reversed(coordinate.reverse_bits(), key).reverse_bits()
    }

    /// [`scramble`](Self::scramble) of a coordinate whose bits are reversed, which it gives reversed too: "as the bits above say"
    /// is then how products and sums carry.
    #[inline(always)]
    pub(crate) const fn scramble_reversed(reversed: u32, key: u32) -> u32 {
        let mut x = reversed;
        x ^= x.wrapping_mul(0x3d20_adea);
        x = x.wrapping_add(key);
        x = x.wrapping_mul(key >> 16 | 1);
        x ^= x.wrapping_mul(0x0552_6c56);
        x ^= x.wrapping_mul(0x53a2_2864);
        x
    }
}

/// The direction numbers of all dimensions.
fn directions() -> Vec<[u32; 32]> {
    // The first dimension is van der Corput's sequence; every other has a line.
    let first = std::array::from_fn(|bit| 1 << (31 - bit));
    let others = include_str!("joe_kuo.txt").lines().skip(1).map(|line| {
        let numbers: Vec<u32> = line.split(' ').filter_map(|number| number.parse().ok()).collect();
        let [_, degree, inner, initial @ ..] = &numbers[..] else { return [0; 32] };
        let degree = *degree as usize;
        let mut v = [0u32; 32];
        for k in 0..32 {
            v[k] = match initial.get(k) {
                Some(m) => m << (31 - k),
                // The recurrence of the primitive polynomial.
                None => (1..degree).fold(v[k - degree] ^ (v[k - degree] >> degree), |next, j| {
                    next ^ (v[k - j] * ((inner >> (degree - 1 - j)) & 1))
                }),
            };
        }
        v
    });
    std::iter::once(first).chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points of `scipy.stats.qmc.Sobol(1024, scramble=False, bits=32)`, SciPy 1.16, in some dimensions.
    #[test]
    fn points_are_scipys() {
        const DIMENSIONS: [usize; 11] = [0, 1, 2, 3, 7, 20, 63, 64, 255, 1000, 1023];
        const POINTS: [(u32, [u32; 11]); 4] = [
            (
                3,
                [
                    0x40000000, 0xc0000000, 0xc0000000, 0xc0000000, 0x40000000, 0xc0000000, 0x40000000, 0x40000000, 0x40000000,
                    0xc0000000, 0x40000000,
                ],
            ),
            (
                100,
                [
                    0x6a000000, 0x42000000, 0xc6000000, 0xba000000, 0x7a000000, 0xc2000000, 0xa6000000, 0x32000000, 0x92000000,
                    0x92000000, 0xf2000000,
                ],
            ),
            (
                65_537,
                [
                    0x80018000, 0xffff8000, 0xf8d58000, 0x638a8000, 0x206d8000, 0x58808000, 0xbf088000, 0x9dd78000, 0x6a118000,
                    0x98dd8000, 0xc77b8000,
                ],
            ),
            (
                1_234_567,
                [
                    0x23bdd800, 0xa66b3800, 0x31693800, 0xdd257800, 0xb6095800, 0xfcb51800, 0x6034c800, 0x525c5800, 0x8ffdb800,
                    0xaaeff800, 0x95b84800,
                ],
            ),
        ];
        let sobol = Sobol::new(Sobol::MAX_DIMENSIONS).unwrap();
        for (index, point) in POINTS {
            assert_eq!(DIMENSIONS.map(|dimension| sobol.point(index, dimension)), point, "{index}");
        }
        // FNV-1a over the words of the first 1024 points in all dimensions.
        let words = (0..1024).flat_map(|index| (0..1024).map(move |dimension| u64::from(sobol.point(index, dimension))));
        let hash = words.fold(0xcbf2_9ce4_8422_2325, |hash: u64, word| (hash ^ word).wrapping_mul(0x0100_0000_01b3));
        assert_eq!(hash, 0xcdc3_f7ea_3262_2325);
        assert_eq!((sobol.point(1, 1024), sobol.directions(1024).len(), sobol.directions(1023).len()), (0, 0, 32));
        assert!(Sobol::new(1025).is_err());
    }

    /// Runs of 2^k points hit every interval of a coordinate once, wherever they start, shifted and scrambled too.
    #[test]
    fn aligned_runs_are_stratified() {
        let sobol = Sobol::new(64).unwrap();
        for (bits, first) in [(3, 8u32), (8, 0), (8, 0xffff_ff00), (11, 5 << 11)] {
            for dimension in [0, 1, 2, 33, 63] {
                let key = Sobol::key(7, bits, dimension as u32);
                for randomise in [|x, _| x, Sobol::shift, Sobol::scramble] {
                    let mut seen = vec![false; 1 << bits];
                    for offset in 0..1 << bits {
                        seen[(randomise(sobol.point(first + offset, dimension), key) >> (32 - bits)) as usize] = true;
                    }
                    assert!(seen.iter().all(|&seen| seen), "{bits} bits from {first} in dimension {dimension}");
                }
            }
        }
    }

    /// Scrambling keeps how many leading bits two numbers share, and the bit after them is flipped half of the time.
    #[test]
    fn scrambling_is_nested_and_uniform() {
        let words = |at: u64| Stream::new(3).block(at);
        for bit in 0..32 {
            let (mut ones, mut flips) = (0, 0);
            for at in 0..1000 {
                let [x, key, other, _] = words(at);
                let (one, two) = (Sobol::scramble(x, key), Sobol::scramble(x ^ 1 << bit, key));
                assert_eq!((one ^ two).leading_zeros(), 31 - bit, "{x:x} {key:x}");
                ones += one >> bit & 1;
                // The bits below do not move together.
                flips += u32::from(bit > 0 && (one ^ two) >> (bit - bit.min(1)) & 1 == 1);
                assert_ne!(Sobol::scramble(other, key), Sobol::scramble(other ^ 1, key));
            }
            // Five standard deviations of a binomial with p = 1/2.
            assert!(ones.abs_diff(500) < 80 && (bit == 0 || flips.abs_diff(500) < 80), "bit {bit}: {ones} {flips}");
        }
    }

    #[test]
    fn keys_are_words_of_their_streams() {
        let stream = Stream::new(9).with_stream((2 << 32) + 1);
        assert_eq!(Sobol::key(9, 1 << 40, 6), stream.block(1 << 40)[2]);
    }
}
