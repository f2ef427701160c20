//! Count, sum and sum of squares, from which mean, variance and deviation follow.

use super::bytes::Reader;
use super::dot::{ExactDot, LEAST, LIMBS};
use super::fast::Float;
use super::products::Products;
use super::round::{BINARY32, BINARY64, Format};
use super::{BYTES as SUM_BYTES, ExactSum, big};
use crate::cpu::simd::Simd;
use crate::{Error, Result};

/// The version of the byte form.
const VERSION: u8 = 1;
/// Bytes of the byte form: version, seven zeros, count, sum, squares.
const BYTES: usize = 16 + SUM_BYTES + 8 + 8 * LIMBS;

/// The number of elements, their exact sum and the exact sum of their squares: mergeable in any order and grouping with the
/// same bits as result. Mean, variance and standard deviation are read from it, each the exact value rounded once.
///
/// ```
/// use unisono::Moments;
/// let mut left = Moments::new();
/// left.extend_f64(&[1e9, 1e9 + 1.0]);
/// let mut right = Moments::new();
/// right.extend_f64(&[1e9 + 2.0]);
/// left.merge(&right);
/// assert_eq!((left.count(), left.mean(), left.variance(0)), (3, 1e9 + 1.0, 2.0 / 3.0));
/// assert_eq!(Moments::from_bytes(&left.to_bytes())?, left);
/// # Ok::<(), unisono::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Moments {
    count: u64,
    sum: ExactSum,
    squares: ExactDot,
}

impl Moments {
    /// Those of nothing.
    pub const fn new() -> Self {
        Self { count: 0, sum: ExactSum::new(), squares: ExactDot::new() }
    }

    /// From their parts.
    pub(crate) fn from_parts(count: u64, sum: ExactSum, squares: ExactDot) -> Self {
        Self { count, sum, squares }
    }

    /// Adds one number.
    pub fn push(&mut self, value: f64) {
        self.count += 1;
        self.sum.push(value);
        self.squares.push(value, value);
    }

    /// Adds all numbers of a slice.
    pub fn extend_f64(&mut self, values: &[f64]) {
        self.extend_slice(values);
    }

    /// Adds all numbers of a slice.
    pub fn extend_f32(&mut self, values: &[f32]) {
        self.extend_slice(values);
    }

    fn extend_slice<T: Float>(&mut self, values: &[T]) {
        let (mut sum, mut products) = (super::accumulator::Accumulator::new(), Products::new());
        products.extend_moments(&mut sum, values, Simd::current());
        products.close_moments(&mut sum);
        self.count += values.len() as u64;
        self.sum.merge(&sum.to_sum());
        products.add_to(&mut self.squares);
    }

    /// Adds those of other elements.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum.merge(&other.sum);
        self.squares.merge(&other.squares);
    }

    /// The number of elements.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The same sums of another number of elements.
    pub(crate) fn with_count(mut self, count: u64) -> Self {
        self.count = count;
        self
    }

    /// The sum of the elements.
    pub fn sum(&self) -> &ExactSum {
        &self.sum
    }

    /// The sum of their squares.
    pub fn squares(&self) -> &ExactDot {
        &self.squares
    }

    /// The mean, rounded once to binary64; NaN of nothing.
    pub fn mean(&self) -> f64 {
        self.sum.mean_f64(self.count)
    }

    /// The variance `Σ(x − mean)² / (count − ddof)`, rounded once to binary64. Of nothing, or with an infinity or NaN among
    /// the elements, NaN. Where `ddof` leaves nothing to divide by: NaN if all elements are equal, infinite otherwise.
    pub fn variance(&self, ddof: u64) -> f64 {
        self.deviation(BINARY64, ddof, false)
    }

    /// The square root of the exact [`variance`](Self::variance), rounded once to binary64.
    pub fn std(&self, ddof: u64) -> f64 {
        self.deviation(BINARY64, ddof, true)
    }

    /// [`variance`](Self::variance), rounded once to binary32.
    pub fn variance_f32(&self, ddof: u64) -> f32 {
        self.deviation(BINARY32, ddof, false) as f32
    }

    /// [`std`](Self::std), rounded once to binary32.
    pub fn std_f32(&self, ddof: u64) -> f32 {
        self.deviation(BINARY32, ddof, true) as f32
    }

    /// The variance or its root, rounded to a format.
    pub(crate) fn deviation(&self, format: Format, ddof: u64, root: bool) -> f64 {
        if self.count == 0 || self.sum.special != 0 || self.squares.special != 0 {
            return f64::NAN;
        }
        let numerator = self.numerator();
        let left = self.count.saturating_sub(ddof);
        if left == 0 {
            return if numerator.iter().all(|&limb| limb == 0) { f64::NAN } else { f64::INFINITY };
        }
        let divisor = u128::from(self.count) * u128::from(left);
        let read = if root { big::root } else { big::quotient };
        read(format, &numerator, LEAST, divisor)
    }

    /// `count · Σx² − (Σx)²`, over 2^-2148: not negative.
    fn numerator(&self) -> [u64; LIMBS + 2] {
        let mut result = [0u64; LIMBS + 2];
        let mut carry = 0u128;
        for (limb, &square) in result.iter_mut().zip(&self.squares.limbs) {
            carry += u128::from(square) * u128::from(self.count);
            *limb = carry as u64;
            carry >>= 64;
        }
        result[LIMBS] = carry as u64;
        let mut sum = self.sum.limbs;
        if sum[sum.len() - 1] >> 63 == 1 {
            let mut carry = true;
            for limb in &mut sum {
                (*limb, carry) = (!*limb).overflowing_add(u64::from(carry));
            }
        }
        let Some(last) = sum.iter().rposition(|&limb| limb != 0) else { return result };
        let first = sum.iter().position(|&limb| limb != 0).unwrap_or(0);
        let mut borrow = false;
        for (limb, square) in result[2 * first..].iter_mut().zip(square(&sum[first..=last])) {
            let (difference, under) = limb.overflowing_sub(square);
            let (difference, under_again) = difference.overflowing_sub(u64::from(borrow));
            (*limb, borrow) = (difference, under | under_again);
        }
        result
    }

    /// The byte form: a version byte, seven zeros, the count, and the byte forms of the sums.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend(self.count.to_le_bytes());
        bytes.extend(self.sum.to_bytes());
        bytes.extend(self.squares.to_bytes());
        bytes
    }

    /// Reads [`to_bytes`](Self::to_bytes)'s form.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for another version or length, or bytes that no moments have.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let read = Reader::new("moments", bytes, VERSION, BYTES)?;
        if bytes[1..8] != [0; 7] {
            return Err(read.corrupt(format!("unknown flags {:?}", &bytes[1..8])));
        }
        let within = |error: Error| match error {
            Error::Corrupt { what, reason } => read.corrupt(format!("{what}: {reason}")),
            other => other,
        };
        let (sum, squares) = bytes[16..].split_at(SUM_BYTES);
        let moments = Self {
            count: read.word(8),
            sum: ExactSum::from_bytes(sum).map_err(within)?,
            squares: ExactDot::from_bytes(squares).map_err(within)?,
        };
        let finite = moments.sum.special == 0 && moments.squares.special == 0;
        let negative = moments.squares.limbs[LIMBS - 1] >> 63 == 1;
        // The square of a sum is at most the count times the sum of the squares (Cauchy, Schwarz).
        if finite && (negative || moments.numerator()[LIMBS + 1] >> 63 == 1) {
            return Err(read.corrupt("sums that no elements have"));
        }
        Ok(moments)
    }
}

/// The square of a number of limbs, at most half as many.
fn square(limbs: &[u64]) -> [u64; LIMBS + 2] {
    let mut square = [0u64; LIMBS + 2];
    // Products of different limbs, which count twice; then those of limbs with themselves.
    for (i, &limb) in limbs.iter().enumerate() {
        let mut carry = 0u64;
        for (place, &other) in square[2 * i + 1..].iter_mut().zip(&limbs[i + 1..]) {
            let sum = u128::from(limb) * u128::from(other) + u128::from(*place) + u128::from(carry);
            (*place, carry) = (sum as u64, (sum >> 64) as u64);
        }
        square[i + limbs.len()] = carry;
    }
    let (mut carry, mut above) = (0u128, 0);
    for (places, &limb) in square.chunks_exact_mut(2).zip(limbs.iter().chain(std::iter::repeat(&0))) {
        let own = u128::from(limb) * u128::from(limb);
        for (place, own) in places.iter_mut().zip([own as u64, (own >> 64) as u64]) {
            let twice = *place << 1 | above;
            above = *place >> 63;
            carry += u128::from(twice) + u128::from(own);
            (*place, carry) = (carry as u64, carry >> 64);
        }
    }
    square
}

#[cfg(test)]
mod tests {
    use super::super::tests::bits;
    use super::*;
    use num_bigint::{BigInt, BigUint, Sign};

    fn number(limbs: &[u64]) -> BigUint {
        BigUint::from_slice(&limbs.iter().flat_map(|&limb| [limb as u32, (limb >> 32) as u32]).collect::<Vec<_>>())
    }

    #[test]
    fn squares_and_numerators_are_those_of_big_integers() {
        let mut state = 3;
        for round in 0..300 {
            let mut limb = |_| match round % 3 {
                0 => bits(&mut state),
                1 => [0, u64::MAX][bits(&mut state) as usize % 2],
                _ => u64::MAX,
            };
            let limbs: Vec<u64> = (0..round % 35).map(&mut limb).collect();
            let of_limbs = number(&limbs);
            assert_eq!(number(&square(&limbs)), &of_limbs * &of_limbs, "{limbs:x?}");
            // All exponents, or near each other.
            let field = |word: u64| if round % 2 == 0 { word & !(1 << 62) } else { word & !(0x7ff << 52) | 1023 << 52 };
            let values: Vec<f64> = (0..round + 1).map(|_| f64::from_bits(field(bits(&mut state)))).collect();
            let mut moments = Moments::new();
            moments.extend_f64(&values);
            let (mut sum, mut squares) = (BigInt::ZERO, BigInt::ZERO);
            for x in values {
                let up = ((x.to_bits() >> 52) & 0x7ff).max(1) - 1;
                let significand = (x.to_bits() & ((1 << 52) - 1)) | u64::from(x.to_bits() << 1 >> 53 != 0) << 52;
                let x = BigInt::from(if x < 0.0 { -(significand as i64) } else { significand as i64 }) << up;
                squares += &x * &x;
                sum += x;
            }
            let numerator = BigInt::from_biguint(Sign::Plus, number(&moments.numerator()));
            assert_eq!(numerator, BigInt::from(round + 1) * squares - &sum * &sum, "{round}");
        }
    }
}
