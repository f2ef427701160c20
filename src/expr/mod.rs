//! Expressions of the user: text, checked once, run over arrays and samples on any device.
//!
//! [`Expression`] is the text as a graph of nodes in which equal terms are one node. [`lower`] binds its names and folds
//! what is the same for all elements, so that parameters change without anything being compiled anew; what is left is a
//! [`Program`](lower::Program), which the CPU interprets block by block and the GPU compiles. The functions of binary32 are
//! ours and made of integers ([`binary32`]); those of binary64 can be [`spelled`] out in operations that round once, which the GPU
//! interprets: so every device computes the same bits.

pub(crate) mod binary32;
pub(crate) mod binary64;
mod composed;
pub(crate) mod lower;
pub(crate) mod msun;
mod parse;
mod quick;
pub(crate) mod scalar;
mod spelled;
mod term;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::HashMap;

use crate::Result;
pub(crate) use composed::Composed;
pub(crate) use spelled::{Bits, cos, pow, sin};

/// The text for a message: of a long one, what lies around a place in it.
pub(crate) fn excerpt(text: &str, at: usize) -> std::borrow::Cow<'_, str> {
    const AROUND: usize = 60;
    if text.len() <= 3 * AROUND {
        return text.into();
    }
    let from = text[..at].char_indices().rev().nth(AROUND - 1).map_or(0, |(i, _)| i);
    let to = text[at..].char_indices().nth(AROUND).map_or(text.len(), |(i, _)| at + i);
    let [before, behind] = [from > 0, to < text.len()].map(|cut| if cut { "…" } else { "" });
    format!("{before}{}{behind}", &text[from..to]).into()
}

/// A function of one argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Unary {
    Neg,
    Abs,
    Not,
    Floor,
    Ceil,
    Trunc,
    Round,
    Sqrt,
    Exp,
    Exp2,
    Log,
    Log2,
    Log10,
    Sin,
    Cos,
    Composed(Composed),
    Bits(Bits),
}

/// A function of two arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Min,
    Max,
    Less,
    LessEqual,
    Equal,
    NotEqual,
    And,
    Or,
    /// The exact remainder, with the sign of the dividend.
    Rem,
    CopySign,
    Composed(Composed),
}

/// A term. Operands are indices of earlier nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    /// A literal, rounded to binary32 and to binary64 (their bits).
    Number(u32, u64),
    /// A name, by index.
    Name(usize),
    Unary(Unary, usize),
    Binary(Binary, usize, usize),
    /// The second operand where the first is not 0, the third elsewhere.
    Where(usize, usize, usize),
}

/// A checked expression: `"exp(-(x*x + y*y))"`, `"x*x + y*y <= 1"`, `"where(a > b, a - b, 0)"`.
///
/// **Syntax** and precedence are Python's: numbers, names, `+ - * / % **`, comparisons (which chain, as in `0 < x < 1`),
/// `and`, `or`, `not`, parentheses, and the functions `abs acos acosh asin asinh atan atan2 atanh cbrt ceil clip cos cosh erf
/// erfc exp exp2 expm1 floor hypot log log10 log1p log2 max min mod pow round sign sin sinh sqrt tan tanh trunc where`, with
/// NumPy's names (`arctan2`, `maximum` …) too. `pi`, `e`, `inf` and `nan` are numbers unless they are bound to something
/// else. A comparison is 1 or 0; what is not 0 is true. `%` has the sign of the divisor, as in Python.
///
/// **Numerics.** One dtype throughout, float32 or float64. `+ - * / sqrt` round once to nearest, subnormals included, and
/// nothing is fused or reassociated; `min` and `max` give NaN if an operand is NaN. `exp exp2 log log2 log10 sin cos **` of
/// float32 are within 0.52 ulp, the other functions within 3 (`erfc` 6); of float64 they are those of the crate `libm`. All
/// have the same bits on every device.
/// `docs/numerics.md` has the table.
///
/// ```
/// let area = unisono::Expression::new("x*x + y*y <= 1")?;
/// assert_eq!(area.names(), ["x", "y"]);
/// let error = unisono::Expression::new("x*(y").unwrap_err();
/// assert!(error.to_string().contains("end of the text (column 5)"));
/// # Ok::<(), unisono::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    text: String,
    names: Vec<String>,
    nodes: Vec<Node>,
    root: usize,
}

impl Expression {
    /// Checks a text.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) with the place in the text and what was expected there.
    pub fn new(text: &str) -> Result<Self> {
        parse::parse(text)
    }

    /// An expression without names, worth 0, that stands for something else.
    pub(crate) fn placeholder(text: String) -> Self {
        Self { text, names: vec![], nodes: vec![Node::Number(0, 0)], root: 0 }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names in it, in the order in which they appear.
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

impl std::str::FromStr for Expression {
    type Err = crate::Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::new(text)
    }
}

impl std::fmt::Display for Expression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// The nodes of an expression in the making: equal terms become one.
#[derive(Debug, Default)]
struct Graph {
    nodes: Vec<Node>,
    known: HashMap<Node, usize>,
    names: Vec<String>,
}

impl Graph {
    fn node(&mut self, node: Node) -> usize {
        *self.known.entry(node).or_insert_with(|| {
            self.nodes.push(node);
            self.nodes.len() - 1
        })
    }

    fn number(&mut self, single: f32, double: f64) -> usize {
        self.node(Node::Number(single.to_bits(), double.to_bits()))
    }

    fn name(&mut self, name: &str) -> usize {
        let index = self.names.iter().position(|known| known == name).unwrap_or_else(|| {
            self.names.push(name.into());
            self.names.len() - 1
        });
        self.node(Node::Name(index))
    }

    fn unary(&mut self, op: Unary, a: usize) -> usize {
        self.node(Node::Unary(op, a))
    }

    /// Commutative operations take their operands in one order, so that `a*b` and `b*a` are one node.
    fn binary(&mut self, op: Binary, a: usize, b: usize) -> usize {
        use Binary::{Add, And, Equal, Max, Min, Mul, NotEqual, Or};
        let swap = matches!(op, Add | Mul | Min | Max | Equal | NotEqual | And | Or) && b < a;
        let (a, b) = if swap { (b, a) } else { (a, b) };
        self.node(Node::Binary(op, a, b))
    }

    /// `base ** exponent`; the powers that one rounded operation gives are that operation.
    fn power(&mut self, base: usize, exponent: usize) -> usize {
        match self.nodes[exponent] {
            Node::Number(_, bits) if f64::from_bits(bits) == 2.0 => self.binary(Binary::Mul, base, base),
            Node::Number(_, bits) if f64::from_bits(bits) == 1.0 => base,
            Node::Unary(Unary::Neg, one) if matches!(self.nodes[one], Node::Number(_, bits) if f64::from_bits(bits) == 1.0) => {
                self.binary(Binary::Div, one, base)
            }
            _ => self.binary(Binary::Pow, base, exponent),
        }
    }

    /// 1, −1, +0 of zeros of either sign, or NaN.
    fn sign(&mut self, a: usize) -> usize {
        let (zero, one) = (self.number(0.0, 0.0), self.number(1.0, 1.0));
        let (below, above) = (self.binary(Binary::Less, a, zero), self.binary(Binary::Less, zero, a));
        let minus_one = self.unary(Unary::Neg, one);
        let magnitude = self.unary(Unary::Abs, a);
        let rest = self.node(Node::Where(below, minus_one, magnitude));
        self.node(Node::Where(above, one, rest))
    }

    /// `hypot(a, b)`: the larger magnitude times `sqrt(1 + ratio²)`, which neither overflows nor underflows on the way.
    fn hypot(&mut self, a: usize, b: usize) -> usize {
        let (zero, one, infinity) = (self.number(0.0, 0.0), self.number(1.0, 1.0), self.number(f32::INFINITY, f64::INFINITY));
        let (a, b) = (self.unary(Unary::Abs, a), self.unary(Unary::Abs, b));
        let (large, small) = (self.binary(Binary::Max, a, b), self.binary(Binary::Min, a, b));
        let ratio = self.binary(Binary::Div, small, large);
        let square = self.binary(Binary::Mul, ratio, ratio);
        let sum = self.binary(Binary::Add, one, square);
        let root = self.unary(Unary::Sqrt, sum);
        let length = self.binary(Binary::Mul, large, root);
        // Infinite beside NaN too, as in IEEE 754; 0 where both are.
        let (a_infinite, b_infinite) = (self.binary(Binary::Equal, a, infinity), self.binary(Binary::Equal, b, infinity));
        let infinite = self.binary(Binary::Or, a_infinite, b_infinite);
        let none = self.binary(Binary::Equal, large, zero);
        let finite = self.node(Node::Where(none, zero, length));
        self.node(Node::Where(infinite, infinity, finite))
    }
}
