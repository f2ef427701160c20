//! Binding names, and taking out of the expression what is the same for all elements.

use super::scalar::{self, Lane};
use super::{Binary, Expression, Node, Unary};

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Binding {
    /// An element of an array, or a coordinate.
    Input(usize),
    /// A number, the same for all elements.
    Value(f64),
}

/// Where an operand of a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Slot {
    Input(usize),
    Uniform(usize),
    /// The result of an earlier step.
    Step(usize),
}

/// One operation on all elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    Unary(Unary, Slot),
    Binary(Binary, Slot, Slot),
    Where(Slot, Slot, Slot),
}

impl Step {
    /// The operands.
    pub(crate) fn operands(&self) -> impl Iterator<Item = Slot> {
        let all = match *self {
            Self::Unary(_, a) => [Some(a), None, None],
            Self::Binary(_, a, b) => [Some(a), Some(b), None],
            Self::Where(a, b, c) => [Some(a), Some(b), Some(c)],
        };
        all.into_iter().flatten()
    }
}

/// What is left to do for each element. Depends on which names are inputs, not on the values of the others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Program {
    pub(crate) steps: Vec<Step>,
    pub(crate) result: Slot,
    /// Inputs, used or not.
    pub(crate) inputs: usize,
    /// The nodes whose values the steps find in [`Slot::Uniform`].
    uniforms: Vec<usize>,
}

impl Program {
    /// The program of an expression whose names are bound in this order, to `inputs` inputs or values.
    pub(crate) fn new(expression: &Expression, bindings: &[Binding], inputs: usize) -> Self {
        let nodes = &expression.nodes;
        let mut varies = vec![false; nodes.len()];
        let mut needed = vec![false; nodes.len()];
        for (i, node) in nodes.iter().enumerate() {
            varies[i] = match *node {
                Node::Number(..) => false,
                Node::Name(name) => matches!(bindings[name], Binding::Input(_)),
                Node::Unary(_, a) => varies[a],
                Node::Binary(_, a, b) => varies[a] || varies[b],
                Node::Where(c, a, b) => varies[c] || varies[a] || varies[b],
            };
        }
        needed[expression.root] = true;
        for (i, node) in nodes.iter().enumerate().rev() {
            if needed[i] && varies[i] {
                let operands = match *node {
                    Node::Number(..) | Node::Name(_) => vec![],
                    Node::Unary(_, a) => vec![a],
                    Node::Binary(_, a, b) => vec![a, b],
                    Node::Where(c, a, b) => vec![c, a, b],
                };
                operands.into_iter().for_each(|operand| needed[operand] = true);
            }
        }
        let (mut steps, mut uniforms, mut slots) = (vec![], vec![], vec![Slot::Uniform(0); nodes.len()]);
        for (i, node) in nodes.iter().enumerate().filter(|&(i, _)| needed[i]) {
            slots[i] = match *node {
                _ if !varies[i] => {
                    uniforms.push(i);
                    Slot::Uniform(uniforms.len() - 1)
                }
                Node::Name(name) => match bindings[name] {
                    Binding::Input(input) => Slot::Input(input),
                    Binding::Value(_) => Slot::Uniform(0),
                },
                node => {
                    steps.push(match node {
                        Node::Unary(op, a) => Step::Unary(op, slots[a]),
                        Node::Binary(op, a, b) => Step::Binary(op, slots[a], slots[b]),
                        Node::Where(c, a, b) => Step::Where(slots[c], slots[a], slots[b]),
                        Node::Number(..) | Node::Name(_) => continue,
                    });
                    Slot::Step(steps.len() - 1)
                }
            };
        }
        Self { steps, result: slots[expression.root], inputs, uniforms }
    }

    /// The values of the uniforms, by the same functions as for elements.
    pub(crate) fn uniforms<T: Lane>(&self, expression: &Expression, bindings: &[Binding]) -> Vec<T> {
        let mut values: Vec<T> = Vec::with_capacity(expression.nodes.len());
        for node in &expression.nodes {
            values.push(match *node {
                Node::Number(single, double) => T::literal(f32::from_bits(single), f64::from_bits(double)),
                Node::Name(name) => match bindings[name] {
                    Binding::Value(value) => T::nearest(value),
                    Binding::Input(_) => T::default(),
                },
                Node::Unary(op, a) => scalar::unary(op, values[a]),
                Node::Binary(op, a, b) => scalar::binary(op, values[a], values[b]),
                Node::Where(c, a, b) => {
                    if values[c].is_true() {
                        values[a]
                    } else {
                        values[b]
                    }
                }
            });
        }
        self.uniforms.iter().map(|&node| values[node].canonical()).collect()
    }

    /// All that a shader's text depends on: steps, result, and the numbers of inputs and uniforms.
    #[cfg(feature = "gpu")]
    pub(crate) fn shape(&self) -> (&[Step], Slot, usize, usize) {
        (&self.steps, self.result, self.inputs, self.uniforms.len())
    }
}

impl Program {
    /// Operations per element, a function counted as some of them.
    pub(crate) fn cost(&self) -> u64 {
        let steps = self.steps.iter().map(|step| match step {
            Step::Unary(Unary::Exp | Unary::Exp2 | Unary::Log | Unary::Log2 | Unary::Log10 | Unary::Sin | Unary::Cos, _) => 16,
            Step::Binary(Binary::Pow | Binary::Mod, ..)
            | Step::Unary(Unary::Composed(_), _)
            | Step::Binary(Binary::Composed(_), ..) => 32,
            Step::Unary(Unary::Sqrt, _) | Step::Binary(Binary::Div, ..) => 4,
            _ => 1,
        });
        steps.sum::<u64>().max(1)
    }
}
