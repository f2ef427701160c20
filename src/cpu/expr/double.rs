//! Functions of binary64 on blocks: the operations of the crate `libm` (after FreeBSD's msun), one for one, for arguments that
//! take its common way, so that the compiler finds vectors; the others go through the crate. The same bits, whichever way.

mod power;

pub(super) use power::power;

use super::LANES;
use crate::cpu::simd::{Kernel, Simd};
use crate::expr::msun::{
    COSINE as C, EXP, HALF_PI, LN2_HI, LN2_LO, LOG as L, LOG2_E, LOG10_2, LOG10_E, PER_LN2, SINE as S, TO_INT, TWO_PER_PI,
    exponent, upper,
};
use crate::expr::{self, Unary};

type Block = [f64; LANES];

/// A function of all elements of a block. The answer is whether there is one here for it.
pub(super) fn unary(op: Unary, a: &Block, out: &mut Block, simd: Simd) -> bool {
    match op {
        Unary::Exp => simd.run(Exp(a, out)),
        Unary::Log => simd.run(Log(a, out)),
        Unary::Log2 => simd.run(LogTo::<2>(a, out)),
        Unary::Log10 => simd.run(LogTo::<10>(a, out)),
        Unary::Sin => simd.run(Circular::<false>(a, out)),
        Unary::Cos => simd.run(Circular::<true>(a, out)),
        _ => false,
    }
}

/// Applies `common` everywhere, and `all` where that says that it does not know the answer. Without vectors to round in, nothing.
#[inline(always)]
fn each<const BYTES: usize>(a: &Block, out: &mut Block, common: impl Fn(f64) -> (f64, bool), all: fn(f64) -> f64) -> bool {
    pairs::<BYTES>(a, a, out, |a, _| common(a), |a, _| all(a))
}

/// [`each`] of two operands.
#[inline(always)]
fn pairs<const BYTES: usize>(
    a: &Block,
    b: &Block,
    out: &mut Block,
    common: impl Fn(f64, f64) -> (f64, bool),
    all: impl Fn(f64, f64) -> f64,
) -> bool {
    if BYTES <= 16 && cfg!(not(target_arch = "aarch64")) {
        return false;
    }
    let (mut rare, mut any) = ([0u64; LANES], 0);
    for (((&a, &b), out), rare) in a.iter().zip(b).zip(out.iter_mut()).zip(&mut rare) {
        let (y, known) = common(a, b);
        (*out, *rare) = (y, u64::from(!known));
        any |= *rare;
    }
    if any != 0 {
        for (((&a, &b), out), _) in a.iter().zip(b).zip(out).zip(&rare).filter(|&(_, &rare)| rare != 0) {
            *out = all(a, b);
        }
    }
    true
}

/// The upper half of a magnitude's bits.
#[inline(always)]
fn high(x: f64) -> u64 {
    x.to_bits() << 1 >> 33
}

struct Exp<'a>(&'a Block, &'a mut Block);

impl Kernel for Exp<'_> {
    type Output = bool;

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> bool {
        let common = |x: f64| {
            let hx = high(x);
            let far = (PER_LN2 * x + 0.5f64.copysign(x)).trunc();
            let k = if hx >= 0x3ff0_a2b2 { far } else { 1f64.copysign(x) };
            let k = if hx > 0x3fd6_2e42 { k } else { 0.0 };
            let (hi, lo) = (x - k * LN2_HI, k * LN2_LO);
            let r = hi - lo;
            let rr = r * r;
            let c = r - rr * (EXP[0] + rr * (EXP[1] + rr * (EXP[2] + rr * (EXP[3] + rr * EXP[4]))));
            let y = 1.0 + (r * c / (2.0 - c) - lo + hi);
            let power = f64::from_bits((k + TO_INT).to_bits().wrapping_add(1023) << 52);
            // Below 2^-28.
            let y = if hx > 0x3e30_0000 { y * power } else { 1.0 + x };
            // From 708 on results may be subnormal.
            (y, hx < 0x4086_2000)
        };
        each::<BYTES>(self.0, self.1, common, libm::exp)
    }
}

/// Whether these are the bits of a positive normal number.
#[inline(always)]
fn is_positive_normal(bits: u64) -> bool {
    bits.wrapping_sub(1 << 52) < (0x7fe << 52)
}

/// What the logarithms have in common: an exponent `k`, `f` of `x = 2^k (1 + f)` between √½ and √2, half its square, and
/// `s (f²/2 + r)`, which is `log(1 + f) − f + f²/2`.
#[inline(always)]
fn log_parts(bits: u64) -> [f64; 4] {
    /// √½, to 20 bits behind the point, in the upper half.
    const ROOT: u64 = 0x3fe6_a09e << 32;
    let moved = bits.wrapping_add((0x3ff0_0000 << 32) - ROOT);
    let f = f64::from_bits((moved & ((1 << 52) - 1)).wrapping_add(ROOT)) - 1.0;
    let half = 0.5 * f * f;
    let s = f / (2.0 + f);
    let z = s * s;
    let w = z * z;
    let t1 = w * (L[1] + w * (L[3] + w * L[5]));
    let t2 = z * (L[0] + w * (L[2] + w * (L[4] + w * L[6])));
    [exponent(moved >> 52), f, half, s * (half + (t2 + t1))]
}

struct Log<'a>(&'a Block, &'a mut Block);

impl Kernel for Log<'_> {
    type Output = bool;

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> bool {
        let common = |x: f64| {
            let [k, f, half, rest] = log_parts(x.to_bits());
            (rest + k * LN2_LO - half + f + k * LN2_HI, is_positive_normal(x.to_bits()))
        };
        each::<BYTES>(self.0, self.1, common, libm::log)
    }
}

/// The logarithm to base 2 or 10.
struct LogTo<'a, const BASE: u32>(&'a Block, &'a mut Block);

impl<const BASE: u32> Kernel for LogTo<'_, BASE> {
    type Output = bool;

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> bool {
        let [per_high, per_low] = if BASE == 10 { LOG10_E } else { LOG2_E };
        let common = |x: f64| {
            let [k, f, half, rest] = log_parts(x.to_bits());
            let high = upper(f - half);
            let low = f - high - half + rest;
            let value = high * per_high;
            let (y, less) = if BASE == 10 {
                (k * LOG10_2[0], k * LOG10_2[1] + (low + high) * per_low + low * per_high)
            } else {
                (k, (low + high) * per_low + low * per_high)
            };
            let w = y + value;
            (less + ((y - w) + value) + w, is_positive_normal(x.to_bits()))
        };
        each::<BYTES>(self.0, self.1, common, if BASE == 10 { libm::log10 } else { libm::log2 })
    }
}

struct Circular<'a, const COSINE: bool>(&'a Block, &'a mut Block);

impl<const COSINE: bool> Kernel for Circular<'_, COSINE> {
    type Output = bool;

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> bool {
        let common = |x: f64| {
            let hx = high(x);
            // Up to π/4 nothing is reduced.
            let near = hx <= 0x3fe9_21fb;
            let turned = x * TWO_PER_PI + TO_INT;
            let quarter = if near { 0 } else { turned.to_bits() };
            let quarters = if near { 0.0 } else { turned - TO_INT };
            let (r, w) = (x - quarters * HALF_PI[0][0], quarters * HALF_PI[0][1]);
            let y0 = r - w;
            let y1 = (r - y0) - w;
            let (z, v) = (y0 * y0, y0 * y0 * y0);
            let w = z * z;
            let r = S[1] + z * (S[2] + z * S[3]) + z * w * (S[4] + z * S[5]);
            let sine = y0 - ((z * (0.5 * y1 - v * r) - y1) - v * S[0]);
            let sine = if near { y0 + v * (S[0] + z * r) } else { sine };
            let r = z * (C[0] + z * (C[1] + z * C[2])) + w * w * (C[3] + z * (C[4] + z * C[5]));
            let half = 0.5 * z;
            let lead = 1.0 - half;
            let cosine = lead + (((1.0 - lead) - half) + (z * r - y0 * y1));
            let turn = quarter.wrapping_add(u64::from(COSINE));
            let y = if turn & 1 == 0 { sine } else { cosine };
            let y = f64::from_bits(y.to_bits() ^ (turn & 2) << 62);
            // Elsewhere more bits of π matter, or the crate may take another multiple of π/2, or the function is 1 or x.
            let reduced = (hx < 0x4139_21fb) & (high(y0) < 0x3fe9_1000) & ((hx >> 20) <= (high(y0) >> 20) + 16);
            (y, (near & (hx >= 0x3e50_0000)) | (!near & reduced))
        };
        each::<BYTES>(self.0, self.1, common, if COSINE { expr::cos } else { expr::sin })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Philox4x32;

    type Function = (Unary, fn(f64) -> f64);

    /// Compares with the crate, at every level.
    fn check(a: &Block) {
        let functions: [Function; 6] = [
            (Unary::Exp, libm::exp),
            (Unary::Log, libm::log),
            (Unary::Log2, libm::log2),
            (Unary::Log10, libm::log10),
            (Unary::Sin, expr::sin),
            (Unary::Cos, expr::cos),
        ];
        for (op, function) in functions {
            for simd in Simd::available() {
                let mut out = [0.0; LANES];
                if !unary(op, a, &mut out, simd) {
                    assert!(cfg!(target_arch = "x86_64") && simd == Simd::Portable);
                    continue;
                }
                for (&x, y) in a.iter().zip(out) {
                    let expected = function(x);
                    let same = y.to_bits() == expected.to_bits() || y.is_nan() && expected.is_nan();
                    assert!(same, "{simd:?} {op:?}({x:e}): {y:e}, not {expected:e}");
                }
            }
        }
    }

    #[test]
    fn functions_have_the_bits_of_the_crate() {
        let philox = Philox4x32::new(5);
        for round in 0..48u64 {
            check(&std::array::from_fn(|i| {
                let [a, b, c, _] = philox.block(round * LANES as u64 + i as u64);
                let bits = u64::from(a) << 32 | u64::from(b);
                let unit = bits as f64 / 2f64.powi(63) - 1.0;
                match round % 8 {
                    0 => f64::from_bits(bits),
                    1 => unit * 750.0,
                    2 => unit,
                    3 => unit * 1e6,
                    // Next to multiples of π/4, where quadrants begin and end.
                    4 => f64::from_bits(
                        (f64::from(c >> 12) * std::f64::consts::FRAC_PI_4)
                            .to_bits()
                            .wrapping_add(u64::from(a % 64))
                            .wrapping_sub(32),
                    ),
                    5 => f64::from_bits((f64::from(c >> 27) * std::f64::consts::FRAC_PI_4).to_bits() ^ u64::from(a) << (b % 20)),
                    // Next to multiples of ln 2 over 2, where other powers begin.
                    6 => f64::from_bits(
                        (f64::from(c >> 22) * 0.5 * std::f64::consts::LN_2)
                            .to_bits()
                            .wrapping_add(u64::from(a % 64))
                            .wrapping_sub(32),
                    ),
                    _ => 1.0 + unit * 2f64.powi(-((c % 60) as i32)),
                }
            }));
        }
    }

    #[test]
    fn special_numbers() {
        let mut all =
            vec![0.0, 1.0, 0.5, 2.0, f64::MIN_POSITIVE, 5e-324, f64::MAX, f64::INFINITY, f64::NAN, 708.0, 709.79, 745.2];
        for high in [
            0x3fd6_2e42u64,
            0x3ff0_a2b2,
            0x3e30_0000,
            0x3fe9_21fb,
            0x3e50_0000,
            0x4139_21fb,
            0x4002_d97c,
            0x400f_6a7a,
            0x3fe6_a09e,
            0x3ff6_a09e,
        ] {
            all.extend((0..6).map(|i| f64::from_bits((high << 32) + (i << 31) - (1 << 32))));
        }
        all.extend(all.clone().iter().map(|x| -x));
        let mut a = [0.25; LANES];
        a[..all.len()].copy_from_slice(&all);
        check(&a);
    }
}
