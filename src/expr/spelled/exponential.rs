//! The exponential function, what is made of it, and the error function.

use super::super::msun::{EXP as P, LN2_HI, LN2_LO, PER_LN2};
use super::{Term, high};

/// `y 2^k`, rounded once, of `y` near 1 and `k` in −1100..=1024.
pub(super) fn scaled<'g>(y: Term<'g>, k: Term<'g>) -> Term<'g> {
    let (least, most) = (k.less(-1022.0), k.above(1023.0));
    let first = least.choose(y.number(2f64.powi(-969)), most.pick(2f64.powi(1023), 1.0));
    let taken = least.choose(y.number(-969.0), most.pick(1023.0, 0.0));
    (y * first) * (k - taken).power_of_two()
}

/// Multiples of ln 2 next to `x`, as far as it is above half of it.
fn multiples<'g>(x: Term<'g>, a: Term<'g>) -> Term<'g> {
    let far = (x * PER_LN2 + x.number(0.5).copysign(x)).trunc();
    let some = a.at_least(high(0x3ff0_a2b2)).choose(far, x.number(1.0).copysign(x));
    a.at_least(high(0x3fd6_2e43)).choose(some, x.number(0.0))
}

pub(super) fn exp(x: Term<'_>) -> Term<'_> {
    let a = x.abs();
    let k = multiples(x, a);
    let (hi, lo) = (x - k * LN2_HI, k * LN2_LO);
    let r = hi - lo;
    let z = r * r;
    let c = r - z * z.polynomial(&P);
    let y = scaled(((r * c) / (2.0 - c) - lo + hi) + 1.0, k);
    let y = a.at_least(high(0x3e30_0001)).choose(y, x + 1.0);
    let y = x.above(709.782712893383973096).choose(x.number(f64::INFINITY), y);
    x.less(-745.13321910194110842).choose(x.number(0.0), y)
}

pub(super) fn expm1(x: Term<'_>) -> Term<'_> {
    const Q: [f64; 6] = [
        1.0,
        f64::from_bits(0xbfa1_1111_1111_10f4),
        f64::from_bits(0x3f5a_01a0_19fe_5585),
        f64::from_bits(0xbf14_ce19_9eaa_dbb7),
        f64::from_bits(0x3ed0_cfca_86e6_5239),
        f64::from_bits(0xbe8a_fdb7_6e09_c32d),
    ];
    let a = x.abs();
    let k = multiples(x, a);
    let (hi, lo) = (x - k * LN2_HI, k * LN2_LO);
    let r = hi - lo;
    let c = (hi - r) - lo;
    let half = 0.5 * r;
    let square = r * half;
    let r1 = square.polynomial(&Q);
    let t = 3.0 - r1 * half;
    let e = square * ((r1 - t) / (6.0 - r * t));
    let near = r - (r * e - square);
    let e = (r * (e - c) - c) - square;
    let below = 0.5 * (r - e) - 0.5;
    let above = r.less(-0.25).choose(-2.0 * (e - (r + 0.5)), 1.0 + 2.0 * (r - e));
    let power = k.power_of_two();
    let most = k.is(1024.0);
    // Of many multiples the function is the exponential one less 1.
    let whole = (r - e) + 1.0;
    let whole = most.choose((whole * 2.0) * 2f64.powi(1023), whole * power) - 1.0;
    let inverse = (-k).power_of_two();
    let part = k.less(20.0).choose((r - e) + (1.0 - inverse), (r - (e + inverse)) + 1.0) * power;
    let y = k.less(0.0).or(k.above(56.0)).choose(whole, part);
    let y = k.is(1.0).choose(above, k.is(-1.0).choose(below, k.is(0.0).choose(near, y)));
    let y = a.less(high(0x3c90_0000)).choose(x, y);
    let far = x.less(0.0).choose(x.number(-1.0), x.above(709.782712893383973096).choose(x.number(f64::INFINITY), y));
    x.or_if_number(a.at_least(high(0x4043_687a)).choose(far, y))
}

/// Half of the exponential of a magnitude above 709, which may overflow where that does not.
fn half_of_large(a: Term<'_>) -> Term<'_> {
    let scale = 2f64.powi(1021);
    exp(a - f64::from_bits(0x4096_2066_151a_dd8b)) * scale * scale
}

/// From there on the exponential overflows: ln(2^1024).
const LARGE: f64 = high(0x4086_2e42);

pub(super) fn sinh(x: Term<'_>) -> Term<'_> {
    let a = x.abs();
    let half = x.number(0.5).copysign(x);
    let t = expm1(a);
    let near = half * (2.0 * t - (t * t) / (t + 1.0));
    let far = half * (t + t / (t + 1.0));
    let y = a.less(1.0).choose(near, a.less(LARGE).choose(far, (2.0 * half) * half_of_large(a)));
    a.less(high(0x3ff0_0000 - (26 << 20))).choose(x, y)
}

pub(super) fn cosh(x: Term<'_>) -> Term<'_> {
    let a = x.abs();
    let t = expm1(a);
    let near = 1.0 + (t * t) / (2.0 * (1.0 + t));
    let e = exp(a);
    let far = 0.5 * (e + 1.0 / e);
    let y = a.less(high(0x3fe6_2e42)).choose(near, a.less(LARGE).choose(far, half_of_large(a)));
    a.less(high(0x3ff0_0000 - (26 << 20))).choose(x.number(1.0), y)
}

pub(super) fn tanh(x: Term<'_>) -> Term<'_> {
    let a = x.abs();
    let middle = a.at_least(high(0x3fd0_58af));
    let t = expm1(middle.choose(2.0 * a, -2.0 * a));
    let over = t + 2.0;
    let ratio = a.at_least(high(0x3fe1_93eb)).choose(x.number(2.0), middle.choose(t, -t)) / over;
    let y = a.at_least(high(0x3fe1_93eb)).choose(1.0 - ratio, ratio);
    let y = a.less(f64::MIN_POSITIVE).choose(a, y);
    x.or_if_number(a.at_least(high(0x4034_0001)).choose(x.number(1.0), y)).copysign(x)
}

const EFX8: f64 = f64::from_bits(0x3ff0_6eba_8214_db69);
const ERX: f64 = f64::from_bits(0x3feb_0ac1_6000_0000);
/// Numerators and denominators of four ranges, with zeros behind.
#[rustfmt::skip]
const ERF: [[[f64; 9]; 2]; 4] = [
    [[1.28379167095512558561e-01, -3.25042107247001499370e-01, -2.84817495755985104766e-02, -5.77027029648944159157e-03,
      -2.37630166566501626084e-05, 0.0, 0.0, 0.0, 0.0],
     [1.0, 3.97917223959155352819e-01, 6.50222499887672944485e-02, 5.08130628187576562776e-03, 1.32494738004321644526e-04,
      -3.96022827877536812320e-06, 0.0, 0.0, 0.0]],
    [[-2.36211856075265944077e-03, 4.14856118683748331666e-01, -3.72207876035701323847e-01, 3.18346619901161753674e-01,
      -1.10894694282396677476e-01, 3.54783043256182359371e-02, -2.16637559486879084300e-03, 0.0, 0.0],
     [1.0, 1.06420880400844228286e-01, 5.40397917702171048937e-01, 7.18286544141962662868e-02, 1.26171219808761642112e-01,
      1.36370839120290507362e-02, 1.19844998467991074170e-02, 0.0, 0.0]],
    [[-9.86494403484714822705e-03, -6.93858572707181764372e-01, -1.05586262253232909814e+01, -6.23753324503260060396e+01,
      -1.62396669462573470355e+02, -1.84605092906711035994e+02, -8.12874355063065934246e+01, -9.81432934416914548592e+00, 0.0],
     [1.0, 1.96512716674392571292e+01, 1.37657754143519042600e+02, 4.34565877475229228821e+02, 6.45387271733267880336e+02,
      4.29008140027567833386e+02, 1.08635005541779435134e+02, 6.57024977031928170135e+00, -6.04244152148580987438e-02]],
    [[-9.86494292470009928597e-03, -7.99283237680523006574e-01, -1.77579549177547519889e+01, -1.60636384855821916062e+02,
      -6.37566443368389627722e+02, -1.02509513161107724954e+03, -4.83519191608651397019e+02, 0.0, 0.0],
     [1.0, 3.03380607434824582924e+01, 3.25792512996573918826e+02, 1.53672958608443695994e+03, 3.19985821950859553908e+03,
      2.55305040643316442583e+03, 4.74528541206955367215e+02, -2.24409524465858183362e+01, 0.0]],
];

/// `erf(x) = x + x y` with this `y` up to 0.84375, and above it `erfc` of the magnitude.
fn error_parts(x: Term<'_>) -> (Term<'_>, Term<'_>) {
    let a = x.abs();
    let ranges = [a.less(high(0x3feb_0000)), a.less(high(0x3ff4_0000)), a.less(high(0x4006_db6d))];
    let square = a * a;
    let s = ranges[0].choose(square, ranges[1].choose(a - 1.0, 1.0 / square));
    let polynomial = |side: usize| {
        let coefficient = |k: usize| {
            let all: [f64; 4] = std::array::from_fn(|range| ERF[range][side][k]);
            let [first, second, third, last] = all.map(|c| x.number(c));
            ranges[0].choose(first, ranges[1].choose(second, ranges[2].choose(third, last)))
        };
        (0..8 + side)
            .rev()
            .fold(None, |sum: Option<Term<'_>>, k| Some(sum.map_or_else(|| coefficient(k), |sum| coefficient(k) + s * sum)))
    };
    let (Some(p), Some(q)) = (polynomial(0), polynomial(1)) else { return (x, x) };
    let ratio = p / q;
    let z = a.upper();
    let tail = (exp((-z) * z - 0.5625) * exp((z - a) * (z + a) + ratio)) / a;
    (ratio, ranges[1].choose((1.0 - ERX) - ratio, tail))
}

pub(super) fn erf(x: Term<'_>) -> Term<'_> {
    let a = x.abs();
    let (y, complement) = error_parts(x);
    let least = 0.125 * (8.0 * x + EFX8 * x);
    let near = a.less(high(0x3e30_0000)).choose(least, x + x * y);
    let far = a.less(6.0).choose(1.0 - complement, x.number(1.0)).copysign(x);
    x.or_if_number(a.less(high(0x3feb_0000)).choose(near, far))
}

pub(super) fn erfc(x: Term<'_>) -> Term<'_> {
    let a = x.abs();
    let (y, complement) = error_parts(x);
    let product = x * y;
    let near = x.less(0.25).choose(1.0 - (x + product), 0.5 - ((x - 0.5) + product));
    let near = a.less(high(0x3c70_0000)).choose(1.0 - x, near);
    let far = a.less(28.0).choose(complement, x.number(0.0));
    let far = x.less(0.0).choose(2.0 - far, far);
    x.or_if_number(a.less(high(0x3feb_0000)).choose(near, far))
}
