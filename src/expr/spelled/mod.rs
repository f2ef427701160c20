//! The functions of float64 spelled out in rounded operations, for devices that have no others: step by step those of the crate
//! `libm` (after FreeBSD's msun; `cbrt` after CORE-MATH), but for what [`pow`] and [`sin`] mend, branches as choices, so that every
//! device computes the bits of the CPU.

#![cfg_attr(not(feature = "gpu"), allow(dead_code, reason = "GPUs need it"))]
#![allow(clippy::excessive_precision, clippy::unreadable_literal, reason = "numbers as their source has them")]

mod bits;
mod circular;
mod exponential;
mod inverse;
mod logarithm;
mod power;
#[cfg(test)]
mod tests;

pub(crate) use bits::Bits;
pub(crate) use circular::{cos, sin};
pub(crate) use power::pow;

use super::term::{Term, rebuilt};
use super::{Binary, Composed, Expression, Node, Unary};

impl Expression {
    /// The expression for float64 on CPUs: powers of two are powers.
    pub(crate) fn with_powers(&self) -> Self {
        rebuilt(self, |node, term| match node {
            Node::Unary(Unary::Exp2, a) => Some(term(a).number(2.0).with(Binary::Pow, term(a))),
            _ => None,
        })
    }

    /// The expression with nothing but operations that round once, choices and [`Bits`], in float64.
    pub(crate) fn spelled_out(&self) -> Self {
        rebuilt(self, |node, term| match node {
            Node::Unary(Unary::Composed(function), a) => Some(composed(function, term(a), term(a))),
            Node::Binary(Binary::Composed(function), a, b) => Some(composed(function, term(a), term(b))),
            Node::Binary(Binary::Pow, a, b) => Some(power::power(term(a), term(b))),
            Node::Binary(Binary::Mod, a, b) => {
                let (b, rest) = (term(b), term(a).with(Binary::Rem, term(b)));
                let differ = rest.less(0.0).with(Binary::NotEqual, b.less(0.0));
                Some(rest.is(0.0).choose(rest.number(0.0).copysign(b), differ.choose(rest + b, rest)))
            }
            Node::Unary(op, a) => match op {
                Unary::Floor => Some(term(a).floor()),
                Unary::Ceil => {
                    let whole = term(a).trunc();
                    Some(whole.with(Binary::Less, term(a)).choose(whole + 1.0, whole))
                }
                Unary::Exp => Some(exponential::exp(term(a))),
                Unary::Exp2 => Some(power::power(term(a).number(2.0), term(a))),
                Unary::Log => Some(logarithm::log(term(a))),
                Unary::Log2 => Some(logarithm::log2(term(a))),
                Unary::Log10 => Some(logarithm::log10(term(a))),
                Unary::Sin => Some(circular::circular(term(a), false)),
                Unary::Cos => Some(circular::circular(term(a), true)),
                _ => None,
            },
            _ => None,
        })
    }
}

fn composed<'g>(function: Composed, x: Term<'g>, y: Term<'g>) -> Term<'g> {
    match function {
        Composed::Acos => inverse::acos(x),
        Composed::Acosh => logarithm::acosh(x),
        Composed::Asin => inverse::asin(x),
        Composed::Asinh => logarithm::asinh(x),
        Composed::Atan => inverse::atan(x),
        Composed::Atan2 => inverse::atan2(x, y),
        Composed::Atanh => logarithm::atanh(x),
        Composed::Cbrt => power::cbrt(x),
        Composed::Cosh => exponential::cosh(x),
        Composed::Erf => exponential::erf(x),
        Composed::Erfc => exponential::erfc(x),
        Composed::Expm1 => exponential::expm1(x),
        Composed::Log1p => logarithm::log1p(x),
        Composed::Sinh => exponential::sinh(x),
        Composed::Tanh => exponential::tanh(x),
    }
}

const LN2: f64 = std::f64::consts::LN_2;

/// The number whose upper word is this, and whose lower one is 0.
const fn high(word: u32) -> f64 {
    f64::from_bits((word as u64) << 32)
}

impl Term<'_> {
    /// Without the lower word.
    fn upper(self) -> Self {
        self.of(Unary::Bits(Bits::Upper))
    }

    /// The exponent of 2 in a finite number that is not 0.
    fn exponent(self) -> Self {
        self.of(Unary::Bits(Bits::Exponent))
    }

    /// The magnitude over that power of two: in 1..2.
    fn significand(self) -> Self {
        self.of(Unary::Bits(Bits::Significand))
    }

    /// 2 to the power of this integer, of a normal number.
    fn power_of_two(self) -> Self {
        self.of(Unary::Bits(Bits::PowerOfTwo))
    }

    fn copysign(self, sign: Self) -> Self {
        self.with(Binary::CopySign, sign)
    }

    fn trunc(self) -> Self {
        self.of(Unary::Trunc)
    }

    fn floor(self) -> Self {
        let whole = self.trunc();
        self.with(Binary::Less, whole).choose(whole - 1.0, whole)
    }

    fn not(self) -> Self {
        self.of(Unary::Not)
    }

    /// Itself if it is NaN, elsewhere the other.
    fn or_if_number(self, other: Self) -> Self {
        self.with(Binary::Equal, self).choose(other, self)
    }
}
