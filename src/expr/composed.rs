//! Functions made of others. In float32 they are the terms below: rounded operations and the functions of
//! [`binary32`](super::binary32), which have the same bits on every device, and so have these. In float64 they are those of
//! the crate `libm`.
//!
//! The polynomials are near-minimax, their coefficients rounded to binary32 one after the other (the rest fitted anew each time);
//! reductions of the argument are the usual ones (W. J. Cody, W. Waite, "Software Manual for the Elementary Functions", 1980;
//! for `log1p` the correction of Goldberg, 1991, theorem 4). `tests.rs` measures their errors.

use super::term::{Term, rebuilt};
use super::{Binary, Expression, Node, Unary};

/// A function of one argument, or of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Composed {
    Acos,
    Acosh,
    Asin,
    Asinh,
    Atan,
    Atan2,
    Atanh,
    Cbrt,
    Cosh,
    Erf,
    Erfc,
    Expm1,
    Log1p,
    Sinh,
    Tanh,
}

impl Composed {
    /// In binary64; of one argument without regard to the second.
    pub(crate) fn double(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Acos => libm::acos(a),
            // Elsewhere it is no NaN in libm.
            Self::Acosh if a < 1.0 => f64::NAN,
            Self::Acosh => libm::acosh(a),
            Self::Asin => libm::asin(a),
            Self::Asinh => libm::asinh(a),
            Self::Atan => libm::atan(a),
            Self::Atan2 => libm::atan2(a, b),
            Self::Atanh => libm::atanh(a),
            Self::Cbrt => libm::cbrt(a),
            Self::Cosh => libm::cosh(a),
            Self::Erf => libm::erf(a),
            Self::Erfc => libm::erfc(a),
            Self::Expm1 => libm::expm1(a),
            Self::Log1p => libm::log1p(a),
            Self::Sinh => libm::sinh(a),
            Self::Tanh => libm::tanh(a),
        }
    }

    fn terms<'g>(self, x: Term<'g>, y: Term<'g>) -> Term<'g> {
        match self {
            Self::Acos => acos(x),
            Self::Acosh => acosh(x),
            Self::Asin => asin(x),
            Self::Asinh => asinh(x),
            Self::Atan => atan(x),
            Self::Atan2 => atan2(x, y),
            Self::Atanh => atanh(x),
            Self::Cbrt => cbrt(x),
            Self::Cosh => cosh(x),
            Self::Erf => erf(x),
            Self::Erfc => erfc(x),
            Self::Expm1 => expm1(x),
            Self::Log1p => log1p(x),
            Self::Sinh => sinh(x),
            Self::Tanh => tanh(x),
        }
    }
}

impl Expression {
    /// The expression for float32: functions that are made of others are written out.
    pub(crate) fn written_out(&self) -> Self {
        rebuilt(self, |node, term| match node {
            Node::Unary(Unary::Composed(function), a) => Some(function.terms(term(a), term(a))),
            Node::Binary(Binary::Composed(function), a, b) => Some(function.terms(term(a), term(b))),
            _ => None,
        })
    }
}

/// π and π/2, and what rounding took from them.
const PI: [f32; 2] = [std::f32::consts::PI, -8.742_278e-8];
const HALF_PI: [f32; 2] = [std::f32::consts::FRAC_PI_2, -4.371_139e-8];
const LN_2: f64 = std::f32::consts::LN_2 as f64;

/// (atan(√z) / √z − 1) / z on [0, 1].
const ATAN: [f32; 9] = [
    -0.333_333_08,
    0.199_987_49,
    -0.142_658_89,
    0.109_586_4,
    -0.084_168_75,
    0.058_106_814,
    -0.031_256_318,
    0.010_923_488,
    -0.001_788_998,
];
/// (asin(√z) / √z − 1) / z on [0, 1/4].
const ASIN: [f32; 5] = [0.166_667_46, 0.074_953_38, 0.045_483_36, 0.024_052_147, 0.042_462_39];
/// (sinh(√z) / √z − 1) / z on [0, 3.2].
const SINH: [f32; 6] = [0.166_666_67, 0.008_333_314, 0.000_198_437_61, 2.741_258_4e-6, 2.891_362_9e-8, -2.230_652_9e-10];
/// (tanh(√z) / √z − 1) / z on [0, 0.36].
const TANH: [f32; 6] = [-0.333_333_3, 0.133_332_31, -0.053_950_34, 0.021_722_265, -0.008_235_463, 0.002_200_489_4];
/// (e^x − 1 − x − x²/2) / x³ on [−0.66, 0.66].
const EXPM1: [f32; 6] = [0.166_666_72, 0.041_666_675, 0.008_332_682, 0.001_388_801_8, 0.000_200_848_44, 2.507_591_9e-5];
/// erf(√z) / √z − 1 on [0, 1].
const ERF: [f32; 8] = [
    0.128_379_17,
    -0.376_126_35,
    0.112_837_434,
    -0.026_863_556,
    0.005_216_444_4,
    -0.000_842_414_4,
    0.000_108_679_465,
    -8.611_109_5e-6,
];
/// e^(a²) erfc(a) / t with t = 1 / (1 + a/2), on [0.16, 0.8].
const ERFCX: [f32; 10] = [
    0.282_087_77,
    0.282_288_9,
    0.244_545_85,
    0.191_291_44,
    0.024_279_296,
    0.140_045_14,
    -0.255_559_27,
    0.049_500_27,
    0.073_072_1,
    -0.031_578_64,
];

/// `a + a z P(z)` with `z = a²`.
fn odd<'g>(a: Term<'g>, coefficients: &[f32]) -> Term<'g> {
    let z = a * a;
    a + a * (z * z.polynomial(coefficients))
}

/// A constant in two parts, less a term.
fn less_from<'g>([high, low]: [f32; 2], term: Term<'g>) -> Term<'g> {
    f64::from(high) - (term - f64::from(low))
}

fn atan<'g>(x: Term<'g>) -> Term<'g> {
    let a = x.of(Unary::Abs);
    let far = a.above(1.0);
    let near = odd(far.choose(1.0 / a, a), &ATAN);
    far.choose(less_from(HALF_PI, near), near).signed_as(x)
}

/// The angle of the point `(x, y)`.
fn atan2<'g>(y: Term<'g>, x: Term<'g>) -> Term<'g> {
    let (ax, ay) = (x.of(Unary::Abs), y.of(Unary::Abs));
    let (large, small) = (ax.with(Binary::Max, ay), ax.with(Binary::Min, ay));
    let ratio = small.is(f64::INFINITY).choose(x.number(1.0), small / large);
    let near = odd(large.is(0.0).choose(x.number(0.0), ratio), &ATAN);
    let angle = ax.with(Binary::Less, ay).choose(less_from(HALF_PI, near), near);
    let angle = x.is_negative().choose(less_from(PI, angle), angle);
    y.is_negative().choose(-angle, angle)
}

/// Whether the magnitude is above 1/2, and the arcsine of it or else of `√((1 − a) / 2)`.
fn arcsine<'g>(x: Term<'g>) -> (Term<'g>, Term<'g>) {
    let a = x.of(Unary::Abs);
    let large = a.above(0.5);
    let root = ((1.0 - a) * 0.5).of(Unary::Sqrt);
    (large, odd(large.choose(root, a), &ASIN))
}

fn asin<'g>(x: Term<'g>) -> Term<'g> {
    let (large, part) = arcsine(x);
    large.choose(less_from(HALF_PI, part + part), part).signed_as(x)
}

fn acos<'g>(x: Term<'g>) -> Term<'g> {
    let (large, part) = arcsine(x);
    let twice = part + part;
    large.choose(x.less(0.0).choose(less_from(PI, twice), twice), less_from(HALF_PI, part.signed_as(x)))
}

/// e^a / 2, which overflows no earlier than sinh and cosh.
fn half_exp<'g>(a: Term<'g>) -> Term<'g> {
    let root = (a * 0.5).of(Unary::Exp);
    (root * 0.5) * root
}

fn sinh<'g>(x: Term<'g>) -> Term<'g> {
    let a = x.of(Unary::Abs);
    let half = half_exp(a);
    a.less(1.75).choose(odd(a, &SINH), half - 0.25 / half).signed_as(x)
}

fn cosh<'g>(x: Term<'g>) -> Term<'g> {
    let half = half_exp(x.of(Unary::Abs));
    half + 0.25 / half
}

fn tanh<'g>(x: Term<'g>) -> Term<'g> {
    let a = x.of(Unary::Abs);
    let far = 1.0 - 2.0 / ((a + a).of(Unary::Exp) + 1.0);
    a.less(0.6).choose(odd(a, &TANH), far).signed_as(x)
}

fn expm1<'g>(x: Term<'g>) -> Term<'g> {
    let near = x + (x * x) * (x * x.polynomial(&EXPM1) + 0.5);
    let near = x.is(0.0).choose(x, near);
    x.of(Unary::Abs).less(0.65).choose(near, x.of(Unary::Exp) - 1.0)
}

fn log1p<'g>(x: Term<'g>) -> Term<'g> {
    let one_more = x + 1.0;
    // What the sum lost.
    let lost = x - (one_more - 1.0);
    let log = one_more.of(Unary::Log) + lost / one_more;
    let log = one_more.is(0.0).or(one_more.is(f64::INFINITY)).choose(one_more.of(Unary::Log), log);
    one_more.is(1.0).choose(x, log)
}

fn asinh<'g>(x: Term<'g>) -> Term<'g> {
    let a = x.of(Unary::Abs);
    let z = a * a;
    let near = log1p(a + z / ((z + 1.0).of(Unary::Sqrt) + 1.0));
    a.above(4096.0).choose(a.of(Unary::Log) + LN_2, near).signed_as(x)
}

fn acosh<'g>(x: Term<'g>) -> Term<'g> {
    let t = x - 1.0;
    let near = log1p(t + (t * (t + 2.0)).of(Unary::Sqrt));
    let log = x.above(4096.0).choose(x.of(Unary::Log) + LN_2, near);
    x.less(1.0).choose(x.number(f64::NAN), log)
}

fn atanh<'g>(x: Term<'g>) -> Term<'g> {
    let a = x.of(Unary::Abs);
    (log1p((a + a) / (1.0 - a)) * 0.5).signed_as(x)
}

/// A power, and a step of Newton's method for what the exponent's rounding did.
fn cbrt<'g>(x: Term<'g>) -> Term<'g> {
    let a = x.of(Unary::Abs);
    let third = x.number(1.0 / 3.0);
    let root = a.with(Binary::Pow, third);
    let root = root - (root - a / (root * root)) * third;
    a.is(f64::INFINITY).choose(a, root).signed_as(x)
}

/// erf(a) where `a` is at most 1.
fn erf_near<'g>(a: Term<'g>) -> Term<'g> {
    a + a * (a * a).polynomial(&ERF)
}

/// erfc(a) where `a` is 1/2 or more.
fn erfc_far<'g>(a: Term<'g>) -> Term<'g> {
    // Beyond, the result is 0.
    let a = a.with(Binary::Min, a.number(10.4));
    // Half of the digits, whose square is exact; the rest of the square is small (Veltkamp, Dekker).
    let scaled = a * 4097.0;
    let half = scaled - (scaled - a);
    let rest = -((a - half) * (a + half));
    let t = 1.0 / (a * 0.5 + 1.0);
    let main = (-(half * half)).of(Unary::Exp) * (t * t.polynomial(&ERFCX));
    main + main * (rest * rest.polynomial(&[1.0, 0.5, 1.0 / 6.0, 1.0 / 24.0]))
}

fn erf<'g>(x: Term<'g>) -> Term<'g> {
    let a = x.of(Unary::Abs);
    a.less(1.0).choose(erf_near(a), 1.0 - erfc_far(a)).signed_as(x)
}

fn erfc<'g>(x: Term<'g>) -> Term<'g> {
    let a = x.of(Unary::Abs);
    let far = erfc_far(a);
    a.less(0.8125).choose(1.0 - erf_near(x), x.less(0.0).choose(2.0 - far, far))
}
