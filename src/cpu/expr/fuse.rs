//! Instructions from the steps of a program: steps that one instruction does together, and the registers.

use crate::expr::lower::{Program, Slot, Step};
use crate::expr::{Binary, Unary};

/// An instruction: an operation and what it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code<R> {
    Unary(Unary, R),
    Binary(Binary, R, R),
    Where(R, R, R),
    /// `a * b + c`, rounded twice.
    MulAdd(R, R, R),
    /// `(a - b) * (a - b)`.
    SquaredDifference(R, R),
}

impl<R: Copy> Code<R> {
    fn operands(&self) -> impl Iterator<Item = R> {
        let all = match *self {
            Self::Unary(_, a) => [Some(a), None, None],
            Self::Binary(_, a, b) | Self::SquaredDifference(a, b) => [Some(a), Some(b), None],
            Self::Where(a, b, c) | Self::MulAdd(a, b, c) => [Some(a), Some(b), Some(c)],
        };
        all.into_iter().flatten()
    }

    pub(super) fn map<S>(self, f: impl Fn(R) -> S) -> Code<S> {
        match self {
            Self::Unary(op, a) => Code::Unary(op, f(a)),
            Self::Binary(op, a, b) => Code::Binary(op, f(a), f(b)),
            Self::Where(a, b, c) => Code::Where(f(a), f(b), f(c)),
            Self::MulAdd(a, b, c) => Code::MulAdd(f(a), f(b), f(c)),
            Self::SquaredDifference(a, b) => Code::SquaredDifference(f(a), f(b)),
        }
    }
}

/// Instructions on registers: inputs are in the first ones, uniforms in the next.
pub(super) struct Fused {
    /// What is done, and the register it is written to, which is none that it reads. The last one gives the result, if there is one.
    pub(super) code: Vec<(Code<usize>, usize)>,
    pub(super) result: usize,
    pub(super) registers: usize,
}

impl Fused {
    pub(super) fn new(program: &Program, uniforms: usize) -> Self {
        let steps = join(program);
        // The step after which a step's result is not read any more.
        let mut last = vec![0; steps.len()];
        for (at, code) in steps.iter().enumerate() {
            for operand in code.iter().flat_map(Code::operands) {
                if let Slot::Step(step) = operand {
                    last[step] = at;
                }
            }
        }
        if let Slot::Step(step) = program.result {
            last[step] = usize::MAX;
        }
        let (mut places, mut free, mut used) = (vec![0; steps.len()], vec![], program.inputs + uniforms);
        let place = |slot: Slot, places: &[usize]| match slot {
            Slot::Input(input) => input,
            Slot::Uniform(uniform) => program.inputs + uniform,
            Slot::Step(step) => places[step],
        };
        let mut all = vec![];
        for (at, code) in steps.into_iter().enumerate() {
            let Some(code) = code else { continue };
            places[at] = free.pop().unwrap_or_else(|| {
                used += 1;
                used - 1
            });
            all.push((code.map(|slot| place(slot, &places)), places[at]));
            let mut ended: Vec<usize> = vec![];
            for operand in code.operands() {
                if let Slot::Step(step) = operand
                    && last[step] == at
                    && !ended.contains(&places[step])
                {
                    ended.push(places[step]);
                }
            }
            free.append(&mut ended);
        }
        Self { code: all, result: place(program.result, &places), registers: used }
    }
}

/// The steps as instructions; `None` for those that a later one does.
fn join(program: &Program) -> Vec<Option<Code<Slot>>> {
    let mut uses = vec![0; program.steps.len()];
    for operand in program.steps.iter().flat_map(Step::operands) {
        if let Slot::Step(step) = operand {
            uses[step] += 1;
        }
    }
    let mut all: Vec<Option<Code<Slot>>> = Vec::with_capacity(program.steps.len());
    for step in &program.steps {
        // A step that is read so many times, all of them by this one.
        let only = |slot: Slot, times: usize| match slot {
            Slot::Step(step) if uses[step] == times => all[step].map(|code| (step, code)),
            _ => None,
        };
        let (done, code) = match *step {
            Step::Unary(op, a) => (None, Code::Unary(op, a)),
            Step::Where(c, a, b) => (None, Code::Where(c, a, b)),
            Step::Binary(Binary::Mul, a, b) if a == b => match only(a, 2) {
                Some((step, Code::Binary(Binary::Sub, a, b))) => (Some(step), Code::SquaredDifference(a, b)),
                _ => (None, Code::Binary(Binary::Mul, a, b)),
            },
            Step::Binary(Binary::Add, a, b) => match (only(b, 1), only(a, 1)) {
                (Some((step, Code::Binary(Binary::Mul, x, y))), _) => (Some(step), Code::MulAdd(x, y, a)),
                (_, Some((step, Code::Binary(Binary::Mul, x, y)))) => (Some(step), Code::MulAdd(x, y, b)),
                _ => (None, Code::Binary(Binary::Add, a, b)),
            },
            Step::Binary(op, a, b) => (None, Code::Binary(op, a, b)),
        };
        if let Some(step) = done {
            all[step] = None;
        }
        all.push(Some(code));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Expression;
    use crate::expr::lower::Binding;

    fn fused(text: &str) -> Fused {
        let expression = Expression::new(text).unwrap();
        let inputs = expression.names().len();
        let bindings: Vec<_> = (0..inputs).map(Binding::Input).collect();
        Fused::new(&Program::new(&expression, &bindings, inputs), 0)
    }

    #[test]
    fn sums_of_products_and_squares_of_differences_are_one_instruction() {
        let Fused { code, result, registers } = fused("x*x + y*y + z*z");
        assert_eq!(code.len(), 3);
        assert!(matches!(code[1], (Code::MulAdd(1, 1, _), _)) && matches!(code[2], (Code::MulAdd(2, 2, _), to) if to == result));
        assert_eq!(registers, 5);
        let Fused { code, .. } = fused("(x - y)*(x - y)");
        assert_eq!(code, [(Code::SquaredDifference(0, 1), 2)]);
    }

    #[test]
    fn what_is_read_twice_stays() {
        assert_eq!(fused("(x*y + x)/(x*y)").code.len(), 3);
        assert_eq!(fused("(x - y)*(x - y) - (x - y)").code.len(), 3);
        assert_eq!(fused("(x - y)*(y - x)").code.len(), 3);
        // The square of a sum of products.
        assert_eq!(fused("(x*y + x)*(x*y + x)").code.len(), 2);
        // Each of two products could be added to the other.
        assert_eq!(fused("x*y + y*y").code.len(), 2);
        assert_eq!(fused("x*y + x*y").code.len(), 2);
    }

    /// An instruction never writes what it reads, and reads nothing that was overwritten.
    #[test]
    fn registers_are_not_overwritten_before_their_last_use() {
        for text in
            ["x*y + (x + y)*(x - y) + x/y", "where(x*y + x > y, x*x + y*y, (x - y)*(x - y)) + x", "(x*y + x)*(x*x + y) + x*y"]
        {
            let fused = fused(text);
            let mut holds = vec![None; fused.registers];
            for (at, (code, to)) in fused.code.iter().enumerate() {
                assert!(code.operands().all(|operand| operand != *to), "{text}");
                let reads_results = code.operands().filter(|&operand| operand > 1).all(|operand| holds[operand].is_some());
                assert!(reads_results, "{text}");
                holds[*to] = Some(at);
            }
            assert_eq!(fused.code.last().map(|&(_, to)| to), Some(fused.result), "{text}");
        }
    }
}
