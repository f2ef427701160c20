//! Quotients and square roots of large integers, rounded once.

use super::round::Format;

/// `n · 2^exponent / divisor` rounded, for the non-negative integer `n` in `limbs`.
pub(super) fn quotient(format: Format, limbs: &[u64], exponent: i32, divisor: u128) -> f64 {
    let Some(found) = divide(limbs, exponent, divisor, false) else { return 0.0 };
    format.round(false, found.quotient, found.more, found.exponent)
}

/// The square root of `n · 2^exponent / divisor`, rounded.
pub(super) fn root(format: Format, limbs: &[u64], exponent: i32, divisor: u128) -> f64 {
    let Some(found) = divide(limbs, exponent, divisor, true) else { return 0.0 };
    // The root of the quotient's integer part has the integer part of the root: 62 bits of it, and the rest is known to be
    // zero or not.
    let root = found.quotient.isqrt();
    let more = found.more || root * root != found.quotient;
    format.round(false, root, more, found.exponent / 2)
}

/// A quotient: `(quotient + rest) · 2^exponent`, `more` if the rest is not zero. At least 124 bits.
struct Divided {
    quotient: u128,
    more: bool,
    exponent: i32,
}

/// Divides; with an even exponent where that is asked for. `None` for 0.
fn divide(limbs: &[u64], exponent: i32, divisor: u128, even: bool) -> Option<Divided> {
    let top = limbs.iter().rposition(|&limb| limb != 0)?;
    let limb = |below: usize| top.checked_sub(below).map_or(0, |i| limbs[i]);
    // The top 254 bits, or 253 to make the exponent even.
    let zeros = limbs[top].leading_zeros();
    let spread = divisor.leading_zeros();
    let divisor = divisor << spread;
    let exponent = exponent + 64 * (top as i32 - 3) - zeros as i32 + 2 + spread as i32;
    let odd = even && exponent.rem_euclid(2) == 1;
    let join = |high: u64, low: u64| u128::from(high) << 64 | u128::from(low);
    let (mut high, mut low, mut last) = (join(limb(0), limb(1)), join(limb(2), limb(3)), limb(4));
    if zeros > 0 {
        high = high << zeros | low >> (128 - zeros);
        low = low << zeros | u128::from(last >> (64 - zeros));
        last <<= zeros;
    }
    let down = 2 + u32::from(odd);
    let lost = low & ((1 << down) - 1);
    low = low >> down | high << (128 - down);
    high >>= down;
    let (quotient, rest) = divide_wide(high, low, divisor);
    let below = limbs[..(top + 1).saturating_sub(5)].iter().any(|&limb| limb != 0);
    let more = rest != 0 || lost != 0 || last != 0 || below;
    Some(Divided { quotient, more, exponent: exponent + i32::from(odd) })
}

/// The quotient and the rest of 256 bits over a divisor whose top bit is set and that exceeds the upper half (Knuth's
/// algorithm D with two digits of 64 bits).
fn divide_wide(high: u128, low: u128, divisor: u128) -> (u128, u128) {
    let (upper, lower) = (divisor >> 64, divisor & u128::from(u64::MAX));
    let digit = |rest: u128, next: u128| {
        let (mut digit, mut left) = (rest / upper, rest % upper);
        while digit >> 64 != 0 || digit * lower > (left << 64 | next) {
            digit -= 1;
            left += upper;
            if left >> 64 != 0 {
                break;
            }
        }
        let rest = (rest << 64 | next).wrapping_sub(digit.wrapping_mul(divisor));
        (digit, rest)
    };
    let (first, rest) = digit(high, low >> 64);
    let (second, rest) = digit(rest, low & u128::from(u64::MAX));
    (first << 64 | second, rest)
}

#[cfg(test)]
mod tests {
    use super::super::round::{BINARY32, BINARY64};
    use super::super::tests::bits;
    use super::*;
    use num_bigint::BigUint;

    fn big(limbs: &[u64]) -> BigUint {
        limbs.iter().rev().fold(BigUint::ZERO, |n, &limb| (n << 64) + limb)
    }

    #[test]
    fn wide_quotients_are_those_of_big_integers() {
        let mut state = 1;
        for round in 0..2000 {
            let mut next = || if round % 3 == 0 { bits(&mut state) | u64::MAX << 20 } else { bits(&mut state) };
            let divisor = u128::from(next() | 1 << 63) << 64 | u128::from(next());
            let high = (u128::from(next()) << 64 | u128::from(next())) % divisor;
            let low = u128::from(next()) << 64 | u128::from(next());
            let (quotient, rest) = divide_wide(high, low, divisor);
            let whole = (BigUint::from(high) << 128) + low;
            assert_eq!((BigUint::from(quotient), BigUint::from(rest)), (&whole / divisor, &whole % divisor));
        }
    }

    /// A rounded root is right if the number lies between the squares of the midpoints on either side.
    #[test]
    fn roots_are_correctly_rounded() {
        let mut state = 2;
        for round in 0..4000 {
            let len = 1 + round % 9;
            let mut limbs: Vec<u64> = (0..len).map(|_| bits(&mut state)).collect();
            let top = bits(&mut state) % 64;
            limbs[len - 1] >>= top;
            let divisor = (u128::from(bits(&mut state)) << 64 | u128::from(bits(&mut state))) >> (bits(&mut state) % 128);
            let divisor = divisor.max(1);
            let exponent = (bits(&mut state) % 900) as i32 - 450;
            if round % 5 == 0 {
                // An exact square, or one off it.
                let r = bits(&mut state) >> (11 + round as u32 % 3);
                let square = u128::from(r) * u128::from(r) + (round as u128 / 5) % 2;
                limbs = vec![square as u64, (square >> 64) as u64];
            }
            let divisor = if round % 5 == 0 { 1 } else { divisor };
            if limbs.iter().all(|&limb| limb == 0) {
                continue;
            }
            let got = root(BINARY64, &limbs, exponent, divisor);
            let bits = got.to_bits();
            let (m, e) = (bits & ((1 << 52) - 1) | 1 << 52, (bits >> 52) as i32 - 1075);
            // 4 n 2^exponent / divisor against (2m ± 1)^2 4^e.
            let left = (big(&limbs) << 2) << (exponent + 2000) as u64;
            let side = |m: BigUint| (&m * &m * divisor) << (2 * e + 2000) as u64;
            let (below, above) = (side(BigUint::from(2 * m - 1)), side(BigUint::from(2 * m + 1)));
            let even = m % 2 == 0;
            assert!(if even { below <= left && left <= above } else { below < left && left < above }, "{round} {got}");
        }
        assert_eq!(root(BINARY32, &[2], 0, 1), f64::from(2f32.sqrt()));
        assert_eq!(root(BINARY64, &[0, 0], 5, 3), 0.0);
        assert_eq!(quotient(BINARY64, &[1], 0, 3), 1.0 / 3.0);
        assert_eq!(quotient(BINARY64, &[0, 1, 0], -64, u128::MAX), 2f64.powi(-128));
        assert_eq!(quotient(BINARY64, &[1], 5000, 3), f64::INFINITY);
    }
}
