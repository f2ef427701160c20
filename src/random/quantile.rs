//! Quantiles in integers: how a uniform integer becomes a normal or exponential number with the same bits everywhere.
//!
//! Inversion by piecewise polynomials (as in Cheung, Lee, Luk, Villasenor, "Hardware generation of arbitrary random number
//! distributions from uniform distributions via the inversion method", IEEE Trans. VLSI 15, 2007): an octave of the probability
//! by its leading zeros, a segment of it by three more bits, Horner's rule in fixed point. Only unsigned integers are multiplied
//! and added, so that no driver or compiler has a choice. `scripts/quantile_tables.py` makes the tables and says their format.

use crate::fork::Raced;

/// The bits after the point of a quantile.
pub(crate) const POINT: u32 = 58;
/// Segments per octave.
const SEGMENTS: usize = 8;
/// `2^120 ln 2`.
const LN_2: u128 = 0xb1_7217_f7d1_cf79_abc9_e3b3_9803_f2f7;

/// A distribution whose quantiles are tabulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantile {
    /// The upper half of the standard normal: `-Φ⁻¹(p / 2)`.
    Normal,
    /// The standard exponential: `-ln p`.
    Exponential,
}

/// The rows of one distribution: for 32-bit and for 64-bit probabilities.
#[derive(Debug)]
pub(crate) struct Table {
    /// Eight rows per octave: the constant term (low word first) and six coefficients.
    pub(crate) narrow: Vec<[u32; 8]>,
    /// Eight rows per octave: the constant term and eleven coefficients.
    pub(crate) wide: Vec<[u64; 12]>,
}

impl Quantile {
    /// The rows.
    pub(crate) fn table(self) -> &'static Table {
        static TABLES: Raced<[Table; 2]> = Raced::new();
        &TABLES.get(tables)[self as usize]
    }
}

impl Table {
    /// The quantile of the probability `v / 2^32`, `v` odd.
    #[inline(always)]
    pub(crate) fn of_u32(&self, v: u32) -> u64 {
        let octave = v.leading_zeros();
        let m = v << octave;
        let s = u64::from(!(m << 4));
        let [low, high, c @ ..] = &self.narrow[SEGMENTS * octave as usize + (m >> 28 & 7) as usize];
        let mut sum = u64::from(c[5]);
        for &c in c[..5].iter().rev() {
            sum = u64::from(c) + ((sum * s) >> 32);
        }
        (u64::from(*low) | u64::from(*high) << 32) + ((sum * s) >> 8)
    }

    /// The quantile of the probability `v / 2^64`, `v` odd.
    #[inline(always)]
    pub(crate) fn of_u64(&self, v: u64) -> u64 {
        let octave = v.leading_zeros();
        let m = v << octave;
        let s = !(m << 4);
        let c = &self.wide[SEGMENTS * octave as usize + (m >> 60 & 7) as usize];
        let mut sum = c[11];
        for &c in c[1..11].iter().rev() {
            sum = c + mul_high(sum, s);
        }
        c[0] + (mul_high(sum, s) >> 8)
    }
}

/// The upper half of a product.
#[inline(always)]
pub(crate) fn mul_high(a: u64, b: u64) -> u64 {
    ((u128::from(a) * u128::from(b)) >> 64) as u64
}

fn tables() -> [Table; 2] {
    let (words, _) = include_bytes!("quantiles.bin").as_chunks::<4>();
    let mut words = words.iter().map(|&bytes| u32::from_le_bytes(bytes));
    let mut word = || words.next().unwrap_or_default();
    let mut read = |octaves: [usize; 2]| Table {
        narrow: (0..octaves[0] * SEGMENTS).map(|_| std::array::from_fn(|_| word())).collect(),
        wide: (0..octaves[1] * SEGMENTS).map(|_| std::array::from_fn(|_| u64::from(word()) | u64::from(word()) << 32)).collect(),
    };
    let normal = read([32, 64]);
    let base = read([1, 1]);
    // An octave further down, -ln p is ln 2 more.
    let more = |octave: u32| ((u128::from(octave) * LN_2) >> (120 - POINT)) as u64;
    let narrow = |octave| {
        base.narrow.iter().map(move |row| {
            let constant = (u64::from(row[0]) | u64::from(row[1]) << 32) + more(octave);
            let mut row = *row;
            (row[0], row[1]) = (constant as u32, (constant >> 32) as u32);
            row
        })
    };
    let wide = |octave| {
        base.wide.iter().map(move |row| {
            let mut row = *row;
            row[0] += more(octave);
            row
        })
    };
    let exponential = Table { narrow: (0..32).flat_map(narrow).collect(), wide: (0..64).flat_map(wide).collect() };
    [normal, exponential]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(fixed: u64) -> f64 {
        fixed as f64 / (1u64 << POINT) as f64
    }

    /// `-ln(v / 2^bits)` without cancellation near 1.
    fn exponential(v: u64, bits: i32) -> f64 {
        let gap = if bits == 32 { (1u64 << 32) - v } else { v.wrapping_neg() };
        let (p, gap) = (v as f64 * 2f64.powi(-bits), gap as f64 * 2f64.powi(-bits));
        if gap < 0.5 { -(-gap).ln_1p() } else { -p.ln() }
    }

    /// The probability above a normal quantile, both sides: by the series near 0, by the continued fraction far out.
    fn tails(z: f64) -> f64 {
        if z < 2.5 {
            let (mut term, mut sum) = (z, z);
            for n in 1..80 {
                term *= z * z / f64::from(2 * n + 1);
                sum += term;
            }
            return 1.0 - 2.0 * sum * (-z * z / 2.0).exp() / std::f64::consts::TAU.sqrt();
        }
        let fraction = (1..200).rev().fold(z, |tail, n| z + f64::from(n) / tail);
        2.0 * (-z * z / 2.0).exp() / std::f64::consts::TAU.sqrt() / fraction
    }

    /// Probabilities all over the octaves, and at both ends of their segments.
    fn probabilities(bits: u32) -> Vec<u64> {
        let mut state = 1u64;
        let mut found = vec![];
        for octave in 0..bits {
            for segment in 8..16u64 {
                let low = if octave + 4 <= bits { segment << (bits - 4 - octave) } else { segment >> (octave + 4 - bits) };
                let width = 1u64.checked_shl((bits - 4).saturating_sub(octave)).unwrap_or(1);
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                found.extend([low | 1, low.wrapping_add(width - 1) | 1, low.wrapping_add((state >> 8) % width) | 1]);
            }
        }
        found
    }

    #[test]
    fn exponential_quantiles_are_within_their_bound() {
        let table = Quantile::Exponential.table();
        for v in probabilities(32) {
            let exact = exponential(v, 32);
            assert!((value(table.of_u32(v as u32)) - exact).abs() < 2f64.powi(-31) + exact * 1e-15, "{v:#x}");
        }
        for v in probabilities(64) {
            let exact = exponential(v, 64);
            assert!((value(table.of_u64(v)) - exact).abs() < 2f64.powi(-56) + exact * 1e-15, "{v:#x}");
        }
    }

    #[test]
    fn normal_quantiles_are_within_their_bound() {
        let table = Quantile::Normal.table();
        for (bits, bound) in [(32, 2f64.powi(-31)), (64, 2f64.powi(-56))] {
            for v in probabilities(bits) {
                let z = value(if bits == 32 { table.of_u32(v as u32) } else { table.of_u64(v) });
                let (p, found) = (v as f64 * 2f64.powi(-(bits as i32)), tails(z));
                // The error of z is that of the probability over the density on both sides.
                let density = 2.0 * (-z * z / 2.0).exp() / std::f64::consts::TAU.sqrt();
                let noise = 2f64.powi(-51) * p / density
                    + 2f64.powi(-52) * (z + 1.0)
                    + if z < 2.5 { 2f64.powi(-52) / density } else { 0.0 };
                assert!(((found - p) / density).abs() < bound + 8.0 * noise, "{bits} {v:#x} {z} {found} {p}");
            }
        }
    }

    /// Neighbouring probabilities never change places: within segments and where one ends.
    #[test]
    fn quantiles_fall_as_the_probability_grows() {
        for quantile in [Quantile::Normal, Quantile::Exponential] {
            let table = quantile.table();
            let mut narrow = probabilities(32);
            narrow.sort_unstable();
            assert!(narrow.windows(2).all(|v| table.of_u32(v[0] as u32) >= table.of_u32(v[1] as u32)), "{quantile:?}");
            let mut wide = probabilities(64);
            wide.sort_unstable();
            // Within the rounding of the last operations.
            assert!(wide.windows(2).all(|v| table.of_u64(v[0]) + 16 >= table.of_u64(v[1])), "{quantile:?}");
        }
    }
}
