//! Sine and cosine.

use super::super::msun::{COSINE as C, HALF_PI, SINE as S, TO_INT, TWO_PER_PI};
use super::bits::{Bits, LARGE, turns};
use super::{Term, Unary, high};

/// The sine: that of the crate `libm` up to `2^20 π/2`, from there on of an angle reduced in integers.
pub(crate) fn sin(x: f64) -> f64 {
    if x.abs() < LARGE || !x.is_finite() { libm::sin(x) } else { of_large(x, 0) }
}

/// As [`sin`].
pub(crate) fn cos(x: f64) -> f64 {
    if x.abs() < LARGE || !x.is_finite() { libm::cos(x) } else { of_large(x, 1) }
}

fn of_large(x: f64, cosine: i32) -> f64 {
    let (quarters, angle, rest) = turns(x);
    let (quarters, a, b) = if x < 0.0 { (-(quarters as i32), -angle, -rest) } else { (quarters as i32, angle, rest) };
    let (z, v) = (a * a, a * a * a);
    let w = z * z;
    let turn = quarters + cosine;
    let y = if turn & 1 == 0 {
        let r = S[1] + z * (S[2] + z * S[3]) + z * w * (S[4] + z * S[5]);
        a - ((z * (0.5 * b - v * r) - b) - v * S[0])
    } else {
        let r = z * (C[0] + z * (C[1] + z * C[2])) + w * w * (C[3] + z * (C[4] + z * C[5]));
        let half = 0.5 * z;
        let lead = 1.0 - half;
        lead + (((1.0 - lead) - half) + (z * r - a * b))
    };
    if turn & 2 == 0 { y } else { -y }
}

pub(super) fn circular(x: Term<'_>, cosine: bool) -> Term<'_> {
    let a = x.abs();
    let zero = x.number(0.0);
    // Up to 9π/4 the multiple of π/2 is known by the range, and one part of it is enough but next to it.
    let by_range =
        a.less(high(0x400f_6a7b)).choose(a.less(high(0x4002_d97d)).pick(1.0, 2.0), a.less(high(0x4015_fdbd)).pick(3.0, 4.0));
    let by_range = by_range.copysign(x);
    let rounded = (x * TWO_PER_PI + TO_INT) - TO_INT;
    let small = a.less(high(0x401c_463c));
    let n = small.choose(by_range, rounded);
    let word = a.upper();
    let next_to = [0x3ff9_21fb, 0x4009_21fb, 0x4012_d97c, 0x4019_21fb].map(|at| word.is(high(at)));
    let next_to = next_to[0].or(next_to[1]).or(next_to[2].or(next_to[3]));
    let exact = small.not().or(next_to);
    let exponent = x.exponent();
    let (mut r, mut w) = (x - n * HALF_PI[0][0], n * HALF_PI[0][1]);
    let mut angle = r - w;
    let mut more = exact;
    for (&[part, rest], lost) in HALF_PI[1..].iter().zip([16.0, 49.0]) {
        more = more.and((exponent - angle.exponent()).above(lost));
        let next = r - n * part;
        let next_w = n * rest - ((r - next) - n * part);
        (w, r) = (more.choose(next_w, w), more.choose(next, r));
        angle = more.choose(next - next_w, angle);
    }
    let rest = (r - angle) - w;
    let large = a.at_least(LARGE);
    let of_large = |bits| {
        let part = x.of(Unary::Bits(bits));
        x.less(0.0).choose(-part, part)
    };
    let n = large.choose(of_large(Bits::Quarters), n);
    let angle = large.choose(of_large(Bits::Angle), angle);
    let rest = large.choose(of_large(Bits::AngleRest), rest);
    let near = a.less(high(0x3fe9_21fc));
    let (n, angle, rest) = (near.choose(zero, n), near.choose(x, angle), near.choose(zero, rest));
    let z = angle * angle;
    let w = z * z;
    let v = z * angle;
    let r = (S[1] + z * (S[2] + z * S[3])) + (z * w) * (S[4] + z * S[5]);
    let sine = angle - ((z * (0.5 * rest - v * r) - rest) - v * S[0]);
    let sine = near.choose(angle + v * (S[0] + z * r), sine);
    let sine = a.less(high(0x3e50_0000)).choose(x, sine);
    let r = z * (C[0] + z * (C[1] + z * C[2])) + (w * w) * (C[3] + z * (C[4] + z * C[5]));
    let half = 0.5 * z;
    let lead = 1.0 - half;
    let cosine_of = lead + (((1.0 - lead) - half) + (z * r - angle * rest));
    let turn = if cosine { n + 1.0 } else { n };
    let quarter = turn - 4.0 * (turn * 0.25).floor();
    let y = quarter.is(1.0).or(quarter.is(3.0)).choose(cosine_of, sine);
    let y = quarter.at_least(2.0).choose(-y, y);
    a.is(f64::INFINITY).choose(x.number(f64::NAN), y)
}
