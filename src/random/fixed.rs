//! From fixed point to floats, in integers: what the shaders do, word for word.

/// `± magnitude · 2^exponent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scaled {
    pub(crate) negative: bool,
    pub(crate) magnitude: u64,
    pub(crate) exponent: i32,
}

impl Scaled {
    /// The nearest binary32 (ties to even), or with `down` the largest that is not above.
    pub(crate) fn to_f32(self, down: bool) -> f32 {
        let bits = self.round(24, -149, 128, down);
        f32::from_bits(bits as u32 | u32::from(self.negative && bits != 0) << 31)
    }

    /// The nearest binary64 (ties to even), or with `down` the largest that is not above.
    pub(crate) fn to_f64(self, down: bool) -> f64 {
        let bits = self.round(53, -1074, 1024, down);
        f64::from_bits(bits | u64::from(self.negative && bits != 0) << 63)
    }

    /// The magnitude's bits in a format of so many significant bits, whose least number is `2^least` and whose numbers
    /// lie below `2^end`.
    fn round(self, digits: i32, least: i32, end: i32, down: bool) -> u64 {
        let Self { negative, magnitude, exponent } = self;
        if magnitude == 0 {
            return 0;
        }
        let top = 63 - magnitude.leading_zeros() as i32 + exponent;
        // What the last kept bit stands for.
        let last = (top - digits + 1).max(least);
        let binade = (last - least) as u64;
        if top >= end {
            return ((end - digits + 1 - least) as u64 + 1) << (digits - 1);
        }
        let dropped = last - exponent;
        let kept = if dropped <= 0 {
            magnitude << -dropped
        } else {
            let kept = magnitude.checked_shr(dropped as u32).unwrap_or(0);
            let rest = if dropped < 64 { magnitude << (64 - dropped) } else { u64::from(dropped == 64) * magnitude };
            let half = 1 << 63;
            let more = dropped > 64;
            let up = match down {
                true => negative && (rest != 0 || more),
                false => rest > half || (rest == half && kept & 1 == 1),
            };
            kept + u64::from(up)
        };
        // The leading bit of a normal number adds one to the exponent's field; a carry goes there too.
        (binade << (digits - 1)) + kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_as_conversions_do() {
        let mut state = 7u64;
        for i in 0..20_000 {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let magnitude = state >> (i % 64);
            for exponent in [-60, 0, 40] {
                for negative in [false, true] {
                    let scaled = Scaled { negative, magnitude, exponent };
                    let sign = if negative { -1.0 } else { 1.0 };
                    assert_eq!(scaled.to_f32(false), magnitude as f32 * sign as f32 * 2f32.powi(exponent));
                    assert_eq!(scaled.to_f64(false), magnitude as f64 * sign * 2f64.powi(exponent));
                }
            }
        }
    }

    #[test]
    fn rounding_down_is_the_largest_not_above() {
        for magnitude in [1, 3, (1 << 24) - 1, (1 << 25) + 1, (1 << 25) + 3, u64::MAX, u64::MAX - (1 << 40), 1 << 63] {
            let exact = i128::from(magnitude);
            let up = Scaled { negative: false, magnitude, exponent: 0 };
            let down = Scaled { negative: true, ..up };
            for (value, exact) in [(up.to_f32(true), exact), (down.to_f32(true), -exact)] {
                assert!(value as i128 <= exact && value.next_up().ceil() as i128 > exact, "{value} {exact}");
            }
            for (value, exact) in [(up.to_f64(true), exact), (down.to_f64(true), -exact)] {
                assert!(value as i128 <= exact && value.next_up().ceil() as i128 > exact, "{value} {exact}");
            }
        }
    }

    #[test]
    fn small_and_large_numbers() {
        let one = |magnitude, exponent| Scaled { negative: false, magnitude, exponent };
        assert_eq!(one(1, -149).to_f32(false), f32::from_bits(1));
        assert_eq!(one(1, -150).to_f32(false), 0.0);
        assert_eq!(one(3, -150).to_f32(false), f32::from_bits(2));
        assert_eq!(one(u64::MAX, -149 - 64).to_f32(false), f32::from_bits(1));
        assert_eq!(one(1 << 63, -149 - 64).to_f32(false), 0.0);
        assert_eq!(one((1 << 24) - 1, -150).to_f32(false), f32::from_bits(1 << 23));
        assert_eq!(one(u64::MAX, 64).to_f32(false), f32::INFINITY);
        assert_eq!(one(1, 128).to_f32(false), f32::INFINITY);
        assert_eq!(one((1 << 24) - 1, 104).to_f32(false), f32::MAX);
        assert_eq!(one(1, -2000).to_f64(false), 0.0);
        assert_eq!(one(1, 1024).to_f64(true), f64::INFINITY);
        assert_eq!(Scaled { negative: true, magnitude: 1, exponent: -400 }.to_f32(true), -f32::from_bits(1));
        assert_eq!(one(5, -1076).to_f64(false), f64::from_bits(1));
    }
}
