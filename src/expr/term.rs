//! Building graphs of nodes as one writes formulas.

#![cfg_attr(not(feature = "gpu"), allow(dead_code, reason = "GPUs need more of it"))]

use std::cell::RefCell;
use std::ops::{Add, Div, Mul, Neg, Sub};

use super::{Binary, Expression, Graph, Node, Unary};

/// An expression with other terms for some nodes: `replace` is given a node, whose operands [`Term`]s are found by the function
/// beside it, and answers what it becomes, if not itself.
pub(super) fn rebuilt(
    expression: &Expression,
    replace: impl for<'g> Fn(Node, &dyn Fn(usize) -> Term<'g>) -> Option<Term<'g>>,
) -> Expression {
    let graph = RefCell::new(Graph { names: expression.names.clone(), ..Graph::default() });
    let mut new = Vec::with_capacity(expression.nodes.len());
    for &node in &expression.nodes {
        let replaced = replace(node, &|old: usize| Term { graph: &graph, node: new[old] });
        new.push(match (replaced, node) {
            (Some(term), _) => term.node,
            (None, Node::Unary(op, a)) => graph.borrow_mut().unary(op, new[a]),
            (None, Node::Binary(op, a, b)) => graph.borrow_mut().binary(op, new[a], new[b]),
            (None, Node::Where(c, a, b)) => graph.borrow_mut().node(Node::Where(new[c], new[a], new[b])),
            (None, leaf @ (Node::Number(..) | Node::Name(_))) => graph.borrow_mut().node(leaf),
        });
    }
    let nodes = graph.into_inner().nodes;
    Expression { text: expression.text.clone(), names: expression.names.clone(), nodes, root: new[expression.root] }
}

/// A node of a graph in the making. Numbers beside it are rounded to binary32 where that is computed in.
#[derive(Clone, Copy)]
pub(super) struct Term<'g> {
    graph: &'g RefCell<Graph>,
    node: usize,
}

impl Term<'_> {
    fn made(self, node: usize) -> Self {
        Self { node, ..self }
    }

    pub(super) fn number(self, value: f64) -> Self {
        self.made(self.graph.borrow_mut().number(value as f32, value))
    }

    pub(super) fn of(self, op: Unary) -> Self {
        self.made(self.graph.borrow_mut().unary(op, self.node))
    }

    pub(super) fn with(self, op: Binary, other: Self) -> Self {
        self.made(self.graph.borrow_mut().binary(op, self.node, other.node))
    }

    pub(super) fn abs(self) -> Self {
        self.of(Unary::Abs)
    }

    pub(super) fn sqrt(self) -> Self {
        self.of(Unary::Sqrt)
    }

    pub(super) fn less(self, other: f64) -> Self {
        self.with(Binary::Less, self.number(other))
    }

    pub(super) fn above(self, other: f64) -> Self {
        self.number(other).with(Binary::Less, self)
    }

    pub(super) fn at_least(self, other: f64) -> Self {
        self.number(other).with(Binary::LessEqual, self)
    }

    pub(super) fn is(self, other: f64) -> Self {
        self.with(Binary::Equal, self.number(other))
    }

    pub(super) fn or(self, other: Self) -> Self {
        self.with(Binary::Or, other)
    }

    pub(super) fn and(self, other: Self) -> Self {
        self.with(Binary::And, other)
    }

    /// `yes` where this holds, `no` elsewhere.
    pub(super) fn choose(self, yes: Self, no: Self) -> Self {
        self.made(self.graph.borrow_mut().node(Node::Where(self.node, yes.node, no.node)))
    }

    /// [`choose`](Self::choose) of numbers.
    pub(super) fn pick(self, yes: f64, no: f64) -> Self {
        self.choose(self.number(yes), self.number(no))
    }

    /// Whether it is negative, −0 included.
    pub(super) fn is_negative(self) -> Self {
        self.less(0.0).or(self.is(0.0).and((1.0 / self).less(0.0)))
    }

    /// A magnitude with the sign of another term, or that term if it is 0.
    pub(super) fn signed_as(self, other: Self) -> Self {
        other.less(0.0).choose(-self, other.is(0.0).choose(other, self))
    }

    /// `c₀ + x (c₁ + x (c₂ + …))`.
    pub(super) fn polynomial<C: Copy + Into<f64>>(self, coefficients: &[C]) -> Self {
        let mut terms = coefficients.iter().rev().map(|&c| c.into());
        let last = terms.next().unwrap_or(0.0);
        terms.fold(self.number(last), |sum, c| sum * self + c)
    }
}

macro_rules! operators {
    ($($trait:ident $method:ident)*) => {$(
        impl<'g> $trait for Term<'g> {
            type Output = Self;
            fn $method(self, other: Self) -> Self {
                self.with(Binary::$trait, other)
            }
        }
        impl<'g> $trait<f64> for Term<'g> {
            type Output = Self;
            fn $method(self, other: f64) -> Self {
                self.with(Binary::$trait, self.number(other))
            }
        }
        impl<'g> $trait<Term<'g>> for f64 {
            type Output = Term<'g>;
            fn $method(self, other: Term<'g>) -> Term<'g> {
                other.number(self).with(Binary::$trait, other)
            }
        }
    )*};
}
operators! { Add add Sub sub Mul mul Div div }

impl Neg for Term<'_> {
    type Output = Self;
    fn neg(self) -> Self {
        self.of(Unary::Neg)
    }
}
