//! Logarithms, and the inverses of the hyperbolic functions.

use super::super::msun::{LN2_HI, LN2_LO, LOG as L, LOG2_E, LOG10_2, LOG10_E};
use super::{LN2, Term, high};

/// `x = 2^k (1 + f)` between √½ and √2: `k` and `f`.
fn parts(x: Term<'_>) -> [Term<'_>; 2] {
    let (m, k) = (x.significand(), x.exponent());
    let upper = m.at_least(high(0x3ff6_a09e));
    [upper.choose(k + 1.0, k), upper.choose(m * 0.5, m) - 1.0]
}

/// Half the square of `f`, and `s (f²/2 + r)`, which is `log(1 + f) − f + f²/2`.
fn series(f: Term<'_>) -> [Term<'_>; 2] {
    let half = (0.5 * f) * f;
    let s = f / (2.0 + f);
    let z = s * s;
    let w = z * z;
    let t1 = w * w.polynomial(&[L[1], L[3], L[5]]);
    let t2 = z * w.polynomial(&[L[0], L[2], L[4], L[6]]);
    [half, s * (half + (t2 + t1))]
}

/// The value for positive numbers; what else there is.
fn of_positive<'g>(x: Term<'g>, y: Term<'g>) -> Term<'g> {
    let y = x.is(f64::INFINITY).choose(x, y);
    let y = x.is(0.0).choose(x.number(f64::NEG_INFINITY), y);
    x.or_if_number(x.less(0.0).choose(x.number(f64::NAN), y))
}

pub(super) fn log(x: Term<'_>) -> Term<'_> {
    let [k, f] = parts(x);
    let [half, rest] = series(f);
    of_positive(x, rest + k * LN2_LO - half + f + k * LN2_HI)
}

/// `f − f²/2` less what its lower word has, and the rest of the logarithm of `1 + f`.
fn split(f: Term<'_>) -> [Term<'_>; 2] {
    let [half, rest] = series(f);
    let high = (f - half).upper();
    [high, f - high - half + rest]
}

pub(super) fn log2(x: Term<'_>) -> Term<'_> {
    let [k, f] = parts(x);
    let [high, low] = split(f);
    let value = high * LOG2_E[0];
    let less = (low + high) * LOG2_E[1] + low * LOG2_E[0];
    let w = k + value;
    of_positive(x, less + ((k - w) + value) + w)
}

pub(super) fn log10(x: Term<'_>) -> Term<'_> {
    let [k, f] = parts(x);
    let [high, low] = split(f);
    let value = high * LOG10_E[0];
    let y = k * LOG10_2[0];
    let less = k * LOG10_2[1] + (low + high) * LOG10_E[1] + low * LOG10_E[0];
    let w = y + value;
    of_positive(x, less + ((y - w) + value) + w)
}

pub(super) fn log1p(x: Term<'_>) -> Term<'_> {
    let near = x.less(high(0x3fda_827a)).and(x.above(-high(0x3fd2_bec5)));
    let u = x + 1.0;
    let [k, f] = parts(u);
    // What the sum lost.
    let lost = k.at_least(2.0).choose(1.0 - (u - x), x - (u - 1.0)) / u;
    let lost = k.less(54.0).choose(lost, x.number(0.0));
    let zero = x.number(0.0);
    let (k, f, lost) = (near.choose(zero, k), near.choose(x, f), near.choose(zero, lost));
    let [half, rest] = series(f);
    let y = rest + (k * LN2_LO + lost) - half + f + k * LN2_HI;
    let y = x.abs().less(high(0x3ca0_0000)).choose(x, y);
    let y = x.is(f64::INFINITY).choose(x, y);
    let y = x.is(-1.0).choose(x.number(f64::NEG_INFINITY), y);
    x.or_if_number(x.less(-1.0).choose(x.number(f64::NAN), y))
}

pub(super) fn acosh(x: Term<'_>) -> Term<'_> {
    let t = x - 1.0;
    let near = log1p(t + (t * t + 2.0 * t).sqrt());
    let middle = x.less(high(0x4190_0000));
    let argument = middle.choose(2.0 * x - 1.0 / (x + (x * x - 1.0).sqrt()), x);
    let log = log(argument);
    let y = x.less(2.0).choose(near, middle.choose(log, log + LN2));
    x.less(1.0).choose(x.number(f64::NAN), y)
}

pub(super) fn asinh(x: Term<'_>) -> Term<'_> {
    let a = x.abs();
    let square = a * a;
    let root = (square + 1.0).sqrt();
    let near = log1p(a + square / (root + 1.0));
    let middle = a.less(high(0x4190_0000));
    let log = log(middle.choose(2.0 * a + 1.0 / (root + a), a));
    let y = a.less(2.0).choose(near, middle.choose(log, log + LN2));
    a.less(high(0x3e50_0000)).choose(a, y).copysign(x)
}

pub(super) fn atanh(x: Term<'_>) -> Term<'_> {
    let a = x.abs();
    let twice = 2.0 * a;
    let near = twice + (twice * a) / (1.0 - a);
    let y = 0.5 * log1p(a.less(0.5).choose(near, 2.0 * (a / (1.0 - a))));
    a.less(high(0x3df0_0000)).choose(a, y).copysign(x)
}
