//! From text to nodes: tokens, and precedence climbing with Python's levels. Small enough that a parser library would be
//! longer than what it replaces, and its messages would not name the place in the user's words.

use super::{Binary, Composed, Expression, Graph, Node, Unary, excerpt};
use crate::{Error, Result};

/// Nodes and nested parentheses at most: a bound on memory, shader size and the stack.
const MOST_NODES: usize = 4096;
const DEEPEST: usize = 128;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Token<'t> {
    Number(&'t str),
    Name(&'t str),
    Symbol(&'static str),
    End,
}

/// Longest first.
const SYMBOLS: [&str; 16] = ["**", "<=", ">=", "==", "!=", "+", "-", "*", "/", "%", "<", ">", "(", ")", ",", "="];

struct Parser<'t> {
    text: &'t str,
    /// Where the token in hand starts, and where the next one is looked for.
    at: usize,
    next: usize,
    token: Token<'t>,
    depth: usize,
    graph: Graph,
}

pub(super) fn parse(text: &str) -> Result<Expression> {
    let mut parser = Parser { text, at: 0, next: 0, token: Token::End, depth: 0, graph: Graph::default() };
    parser.advance()?;
    let root = parser.disjunction()?;
    if parser.token != Token::End {
        return Err(parser.unexpected("an operator or the end"));
    }
    // What the last token made, too.
    parser.check_size()?;
    let Graph { nodes, names, .. } = parser.graph;
    Ok(Expression { text: text.into(), names, nodes, root })
}

impl<'t> Parser<'t> {
    /// The column of a place in the text, from 1, in characters.
    fn column(&self, at: usize) -> usize {
        self.text[..at].chars().count() + 1
    }

    fn error(&self, at: usize, got: impl std::fmt::Display, expected: impl Into<String>) -> Error {
        let place = format!("{got} (column {})", self.column(at));
        Error::invalid(format!("expression {:?}", excerpt(self.text, at)), place, expected)
    }

    fn unexpected(&self, expected: impl Into<String>) -> Error {
        let got = match self.token {
            Token::End => "the end of the text".into(),
            Token::Number(text) | Token::Name(text) => format!("`{text}`"),
            Token::Symbol(text) => format!("`{text}`"),
        };
        self.error(self.at, got, expected)
    }

    fn check_size(&self) -> Result<()> {
        let fits = self.graph.nodes.len() <= MOST_NODES;
        if fits { Ok(()) } else { Err(self.error(self.at, "more terms", format!("at most {MOST_NODES}"))) }
    }

    fn advance(&mut self) -> Result<()> {
        let rest = self.text[self.next..].trim_start();
        self.at = self.text.len() - rest.len();
        self.check_size()?;
        let length = |belongs: &dyn Fn(char) -> bool| rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        let (token, len) = match rest.chars().next() {
            None => (Token::End, 0),
            Some(c) if c.is_ascii_digit() || c == '.' => {
                let len = number_len(rest);
                let after = rest[len..].chars().next();
                if rest[..len].parse::<f64>().is_err() || after.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '.') {
                    let len = length(&|c| c.is_alphanumeric() || c == '_' || c == '.');
                    return Err(self.error(self.at, format!("`{}`", &rest[..len]), "a number such as 2, 0.5 or 1e-3"));
                }
                (Token::Number(&rest[..len]), len)
            }
            Some(c) if c.is_alphabetic() || c == '_' => {
                let len = length(&|c| c.is_alphanumeric() || c == '_');
                (Token::Name(&rest[..len]), len)
            }
            Some(c) => match SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol)) {
                Some(symbol) => (Token::Symbol(symbol), symbol.len()),
                None => {
                    let expected = match c {
                        '^' => "`**` for powers",
                        '&' => "`and`",
                        '|' => "`or`",
                        '~' | '!' => "`not`",
                        _ => "numbers, names, operators and parentheses",
                    };
                    return Err(self.error(self.at, format!("`{c}`"), expected));
                }
            },
        };
        (self.token, self.next) = (token, self.at + len);
        Ok(())
    }

    /// Takes the symbol or keyword if it is next.
    fn takes(&mut self, word: &str) -> Result<bool> {
        let found = matches!(self.token, Token::Symbol(text) | Token::Name(text) if text == word);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn expect(&mut self, symbol: &str, expected: &str) -> Result<()> {
        if self.takes(symbol)? { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    /// Runs a level of the grammar that can contain itself.
    fn nested(&mut self, level: impl FnOnce(&mut Self) -> Result<usize>) -> Result<usize> {
        if self.depth == DEEPEST {
            return Err(self.error(self.at, "one more level of nesting", format!("at most {DEEPEST}")));
        }
        self.depth += 1;
        let node = level(self);
        self.depth -= 1;
        node
    }

    fn disjunction(&mut self) -> Result<usize> {
        self.nested(|p| {
            let mut left = p.conjunction()?;
            while p.takes("or")? {
                let right = p.conjunction()?;
                left = p.graph.binary(Binary::Or, left, right);
            }
            Ok(left)
        })
    }

    fn conjunction(&mut self) -> Result<usize> {
        let mut left = self.negation()?;
        while self.takes("and")? {
            let right = self.negation()?;
            left = self.graph.binary(Binary::And, left, right);
        }
        Ok(left)
    }

    fn negation(&mut self) -> Result<usize> {
        if self.takes("not")? {
            let operand = self.nested(Self::negation)?;
            return Ok(self.graph.unary(Unary::Not, operand));
        }
        self.comparison()
    }

    /// `a < b < c` is `a < b and b < c`.
    fn comparison(&mut self) -> Result<usize> {
        let mut left = self.sum()?;
        let mut all = None;
        loop {
            let (op, swap) = match self.token {
                Token::Symbol("<") => (Binary::Less, false),
                Token::Symbol("<=") => (Binary::LessEqual, false),
                Token::Symbol(">") => (Binary::Less, true),
                Token::Symbol(">=") => (Binary::LessEqual, true),
                Token::Symbol("==") => (Binary::Equal, false),
                Token::Symbol("!=") => (Binary::NotEqual, false),
                Token::Symbol("=") => return Err(self.unexpected("`==` to compare")),
                _ => return Ok(all.unwrap_or(left)),
            };
            self.advance()?;
            let right = self.sum()?;
            let (a, b) = if swap { (right, left) } else { (left, right) };
            let one = self.graph.binary(op, a, b);
            all = Some(all.map_or(one, |all| self.graph.binary(Binary::And, all, one)));
            left = right;
        }
    }

    fn sum(&mut self) -> Result<usize> {
        let mut left = self.product()?;
        loop {
            let op = match self.token {
                Token::Symbol("+") => Binary::Add,
                Token::Symbol("-") => Binary::Sub,
                _ => return Ok(left),
            };
            self.advance()?;
            let right = self.product()?;
            left = self.graph.binary(op, left, right);
        }
    }

    fn product(&mut self) -> Result<usize> {
        let mut left = self.factor()?;
        loop {
            let op = match self.token {
                Token::Symbol("*") => Binary::Mul,
                Token::Symbol("/") => Binary::Div,
                Token::Symbol("%") => Binary::Mod,
                _ => return Ok(left),
            };
            self.advance()?;
            let right = self.factor()?;
            left = self.graph.binary(op, left, right);
        }
    }

    /// Signs bind looser than `**` on their right: `-x**2` is `-(x**2)`, and `2**-x` works.
    fn factor(&mut self) -> Result<usize> {
        if self.takes("-")? {
            let operand = self.nested(Self::factor)?;
            return Ok(self.graph.unary(Unary::Neg, operand));
        }
        if self.takes("+")? {
            return self.nested(Self::factor);
        }
        let base = self.atom()?;
        if self.takes("**")? {
            let exponent = self.nested(Self::factor)?;
            return Ok(self.graph.power(base, exponent));
        }
        Ok(base)
    }

    fn atom(&mut self) -> Result<usize> {
        match self.token {
            Token::Number(text) => {
                // Each precision reads the literal itself: no double rounding.
                let (single, double) = (text.parse().unwrap_or(f32::NAN), text.parse().unwrap_or(f64::NAN));
                self.advance()?;
                Ok(self.graph.number(single, double))
            }
            Token::Symbol("(") => {
                self.advance()?;
                let inner = self.disjunction()?;
                self.expect(")", "`)` or an operator")?;
                Ok(inner)
            }
            Token::Name(name) if !["and", "or", "not"].contains(&name) => {
                let at = self.at;
                self.advance()?;
                if self.takes("(")? { self.call(name, at) } else { Ok(self.graph.name(name)) }
            }
            _ => Err(self.unexpected("a number, a name or `(`")),
        }
    }

    fn call(&mut self, name: &str, at: usize) -> Result<usize> {
        let mut arguments = vec![];
        if !self.takes(")")? {
            loop {
                arguments.push(self.disjunction()?);
                if self.takes(")")? {
                    break;
                }
                self.expect(",", "`,`, `)` or an operator")?;
            }
        }
        let Some(&(_, function)) = FUNCTIONS.iter().find(|(known, _)| *known == name) else {
            let known: Vec<_> = FUNCTIONS.iter().map(|&(name, _)| name).collect();
            let lower = name.to_lowercase();
            let near = known.iter().copied().min_by_key(|known| distance(&lower, known));
            let near = near.filter(|known| distance(&lower, known) <= 1 + name.len() / 4);
            let expected = match near {
                Some(near) => format!("`{near}`, or another of {}", known.join(", ")),
                None => format!("one of {}", known.join(", ")),
            };
            return Err(self.error(at, format!("the function `{name}`"), expected));
        };
        let graph = &mut self.graph;
        match (function, &arguments[..]) {
            (Function::Unary(op), &[a]) => Ok(graph.unary(op, a)),
            (Function::Tan, &[a]) => {
                let (sin, cos) = (graph.unary(Unary::Sin, a), graph.unary(Unary::Cos, a));
                Ok(graph.binary(Binary::Div, sin, cos))
            }
            (Function::Binary(op), &[a, b]) => Ok(graph.binary(op, a, b)),
            (Function::Sign, &[a]) => Ok(graph.sign(a)),
            (Function::Clip, &[a, low, high]) => {
                let above = graph.binary(Binary::Max, a, low);
                Ok(graph.binary(Binary::Min, above, high))
            }
            (Function::Power, &[a, b]) => Ok(graph.power(a, b)),
            (Function::Hypot, &[a, b]) => Ok(graph.hypot(a, b)),
            (Function::Extreme(op), &[first, ref rest @ ..]) if !rest.is_empty() => {
                Ok(rest.iter().fold(first, |a, &b| graph.binary(op, a, b)))
            }
            (Function::Where, &[c, a, b]) => Ok(graph.node(Node::Where(c, a, b))),
            (function, given) => {
                let wanted = match function {
                    Function::Unary(_) | Function::Tan | Function::Sign => "1 argument",
                    Function::Binary(_) | Function::Power | Function::Hypot => "2 arguments",
                    Function::Clip => "3 arguments: clip(x, low, high)",
                    Function::Extreme(_) => "2 arguments or more",
                    Function::Where => "3 arguments: where(condition, then, otherwise)",
                };
                Err(self.error(at, format!("{} arguments of `{name}`", given.len()), wanted))
            }
        }
    }
}

/// Bytes of the number that a text starts with: digits, a point, digits, an exponent.
fn number_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |from: usize| from + bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut len = digits(0);
    if bytes.get(len) == Some(&b'.') {
        len = digits(len + 1);
    }
    if matches!(bytes.get(len), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(len + 1), Some(b'+' | b'-')));
        let end = digits(len + 1 + sign);
        if end > len + 1 + sign {
            len = end;
        }
    }
    len
}

/// How many characters must be put in, taken out or changed to make one name of another (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let best = (row[j] + 1).min(row[j + 1] + 1).min(corner + usize::from(x != y));
            corner = row[j + 1];
            row[j + 1] = best;
        }
    }
    row[b.len()]
}

#[derive(Clone, Copy)]
enum Function {
    Unary(Unary),
    Binary(Binary),
    Extreme(Binary),
    Power,
    Hypot,
    Tan,
    Sign,
    Clip,
    Where,
}

const fn composed(function: Composed) -> Function {
    Function::Unary(Unary::Composed(function))
}

/// In alphabetical order.
const FUNCTIONS: [(&str, Function); 50] = [
    ("abs", Function::Unary(Unary::Abs)),
    ("acos", composed(Composed::Acos)),
    ("acosh", composed(Composed::Acosh)),
    ("arccos", composed(Composed::Acos)),
    ("arccosh", composed(Composed::Acosh)),
    ("arcsin", composed(Composed::Asin)),
    ("arcsinh", composed(Composed::Asinh)),
    ("arctan", composed(Composed::Atan)),
    ("arctan2", Function::Binary(Binary::Composed(Composed::Atan2))),
    ("arctanh", composed(Composed::Atanh)),
    ("asin", composed(Composed::Asin)),
    ("asinh", composed(Composed::Asinh)),
    ("atan", composed(Composed::Atan)),
    ("atan2", Function::Binary(Binary::Composed(Composed::Atan2))),
    ("atanh", composed(Composed::Atanh)),
    ("cbrt", composed(Composed::Cbrt)),
    ("ceil", Function::Unary(Unary::Ceil)),
    ("clip", Function::Clip),
    ("cos", Function::Unary(Unary::Cos)),
    ("cosh", composed(Composed::Cosh)),
    ("erf", composed(Composed::Erf)),
    ("erfc", composed(Composed::Erfc)),
    ("exp", Function::Unary(Unary::Exp)),
    ("exp2", Function::Unary(Unary::Exp2)),
    ("expm1", composed(Composed::Expm1)),
    ("fabs", Function::Unary(Unary::Abs)),
    ("floor", Function::Unary(Unary::Floor)),
    ("hypot", Function::Hypot),
    ("log", Function::Unary(Unary::Log)),
    ("log10", Function::Unary(Unary::Log10)),
    ("log1p", composed(Composed::Log1p)),
    ("log2", Function::Unary(Unary::Log2)),
    ("max", Function::Extreme(Binary::Max)),
    ("maximum", Function::Extreme(Binary::Max)),
    ("min", Function::Extreme(Binary::Min)),
    ("minimum", Function::Extreme(Binary::Min)),
    ("mod", Function::Binary(Binary::Mod)),
    ("pow", Function::Power),
    ("power", Function::Power),
    ("remainder", Function::Binary(Binary::Mod)),
    ("rint", Function::Unary(Unary::Round)),
    ("round", Function::Unary(Unary::Round)),
    ("sign", Function::Sign),
    ("sin", Function::Unary(Unary::Sin)),
    ("sinh", composed(Composed::Sinh)),
    ("sqrt", Function::Unary(Unary::Sqrt)),
    ("tan", Function::Tan),
    ("tanh", composed(Composed::Tanh)),
    ("trunc", Function::Unary(Unary::Trunc)),
    ("where", Function::Where),
];
