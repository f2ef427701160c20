//! The interpreter: a program with registers, and the loops of its instructions.

use super::LANES;
use crate::cpu::simd::{Kernel, Simd};
use crate::exact::fast::Float;
use crate::expr::lower::{Program, Slot, Step};
use crate::expr::scalar::{Lane, binary, unary};
use crate::expr::{Binary, Unary};

/// A register.
pub(super) type Block<T> = Box<[T; LANES]>;

/// A dtype that blocks are computed in.
pub(super) trait Element: Lane + Float {
    /// A function of all elements, if this level has vectors for it: the bits of one element at a time.
    fn function(_: Unary, _: &[Self; LANES], _: &mut [Self; LANES], _: Simd) -> bool {
        false
    }

    /// A power of all elements, likewise.
    fn power(_: &[Self; LANES], _: &[Self; LANES], _: &mut [Self; LANES], _: Simd) -> bool {
        false
    }
}

impl Element for f32 {
    #[cfg(target_arch = "x86_64")]
    fn function(op: Unary, a: &[f32; LANES], out: &mut [f32; LANES], simd: Simd) -> bool {
        super::functions::unary(op, a, out, simd)
    }

    #[cfg(target_arch = "x86_64")]
    fn power(a: &[f32; LANES], b: &[f32; LANES], out: &mut [f32; LANES], simd: Simd) -> bool {
        super::functions::power(a, b, out, simd)
    }
}

impl Element for f64 {}

/// An instruction: an operation, the registers it reads, and the one it writes, which is none of them.
#[derive(Debug, Clone, Copy)]
enum Code {
    Unary(Unary, usize),
    Binary(Binary, usize, usize),
    Where(usize, usize, usize),
}

/// A program at work: inputs in the first registers, uniforms in the next.
pub(super) struct Machine<T> {
    pub(super) registers: Vec<Block<T>>,
    code: Vec<(Code, usize)>,
    result: usize,
    spare: Block<T>,
    simd: Simd,
}

impl<T: Element> Machine<T> {
    pub(super) fn new(program: &Program, uniforms: &[T], simd: Simd) -> Self {
        let fixed = program.inputs + uniforms.len();
        // The step after which a step's result is not read any more.
        let mut last = vec![0; program.steps.len()];
        for (at, step) in program.steps.iter().enumerate() {
            for operand in step.operands() {
                if let Slot::Step(step) = operand {
                    last[step] = at;
                }
            }
        }
        if let Slot::Step(step) = program.result {
            last[step] = usize::MAX;
        }
        let (mut places, mut free, mut used) = (vec![0; program.steps.len()], vec![], fixed);
        let mut code = vec![];
        let place = |slot: Slot, places: &[usize]| match slot {
            Slot::Input(input) => input,
            Slot::Uniform(uniform) => program.inputs + uniform,
            Slot::Step(step) => places[step],
        };
        for (at, step) in program.steps.iter().enumerate() {
            places[at] = free.pop().unwrap_or_else(|| {
                used += 1;
                used - 1
            });
            let of = |slot| place(slot, &places);
            let instruction = match *step {
                Step::Unary(op, a) => Code::Unary(op, of(a)),
                Step::Binary(op, a, b) => Code::Binary(op, of(a), of(b)),
                Step::Where(c, a, b) => Code::Where(of(c), of(a), of(b)),
            };
            code.push((instruction, places[at]));
            let mut ended: Vec<usize> = vec![];
            for operand in step.operands() {
                if let Slot::Step(step) = operand
                    && last[step] == at
                    && !ended.contains(&places[step])
                {
                    ended.push(places[step]);
                }
            }
            free.append(&mut ended);
        }
        let mut registers: Vec<Block<T>> = (0..used).map(|_| Box::new([T::default(); LANES])).collect();
        for (uniform, &value) in uniforms.iter().enumerate() {
            registers[program.inputs + uniform].fill(value);
        }
        let result = place(program.result, &places);
        Self { registers, code, result, spare: Box::new([T::default(); LANES]), simd }
    }

    /// Runs the program; the results from lane `first` on, with canonical NaN, go to `out`. Inputs are what is in their
    /// registers or, if there is something `direct` for them, that.
    pub(super) fn run(&mut self, direct: &[Option<&[T; LANES]>], first: usize, out: &mut [T]) {
        let Self { registers, code, result, spare, simd } = self;
        for &(code, to) in code.iter() {
            let of = |register: usize| -> &[T; LANES] {
                direct.get(register).copied().flatten().unwrap_or_else(|| &*registers[register])
            };
            // The result is written beside the registers, then put in its place.
            let done = match code {
                Code::Unary(op, a) => T::function(op, of(a), spare, *simd),
                Code::Binary(Binary::Pow, a, b) => T::power(of(a), of(b), spare, *simd),
                _ => false,
            };
            if !done {
                let operation = match code {
                    Code::Unary(op, a) => Operation::Unary(op, of(a)),
                    Code::Binary(op, a, b) => Operation::Binary(op, of(a), of(b)),
                    Code::Where(c, a, b) => Operation::Where(of(c), of(a), of(b)),
                };
                if !simd.run(Arithmetic { operation, out: spare }) {
                    one_by_one(operation, spare);
                }
            }
            std::mem::swap(&mut registers[to], spare);
        }
        let result = direct.get(*result).copied().flatten().unwrap_or_else(|| &*registers[*result]);
        simd.run(Canonical { from: &result[first..][..out.len()], out });
    }
}

/// An instruction and its operands.
#[derive(Clone, Copy)]
enum Operation<'a, T> {
    Unary(Unary, &'a [T; LANES]),
    Binary(Binary, &'a [T; LANES], &'a [T; LANES]),
    Where(&'a [T; LANES], &'a [T; LANES], &'a [T; LANES]),
}

#[inline(always)]
fn each<T: Lane>(out: &mut [T; LANES], a: &[T; LANES], f: impl Fn(T) -> T) {
    for (out, &a) in out.iter_mut().zip(a) {
        *out = f(a);
    }
}

#[inline(always)]
fn pairs<T: Lane>(out: &mut [T; LANES], a: &[T; LANES], b: &[T; LANES], f: impl Fn(T, T) -> T) {
    for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
        *out = f(a, b);
    }
}

/// The functions, where there are no vectors for them.
fn one_by_one<T: Lane>(operation: Operation<'_, T>, out: &mut [T; LANES]) {
    match operation {
        Operation::Unary(op, a) => match op {
            Unary::Exp => each(out, a, T::exp),
            Unary::Exp2 => each(out, a, T::exp2),
            Unary::Log => each(out, a, T::log),
            Unary::Log2 => each(out, a, T::log2),
            Unary::Log10 => each(out, a, T::log10),
            Unary::Sin => each(out, a, T::sin),
            Unary::Cos => each(out, a, T::cos),
            other => each(out, a, |a| unary(other, a)),
        },
        Operation::Binary(op, a, b) => match op {
            Binary::Pow => pairs(out, a, b, T::pow),
            other => pairs(out, a, b, |a, b| binary(other, a, b)),
        },
        Operation::Where(..) => {}
    }
}

/// Operations that are a few instructions each. The answer is whether this is one of them.
struct Arithmetic<'a, T> {
    operation: Operation<'a, T>,
    out: &'a mut [T; LANES],
}

impl<T: Lane> Kernel for Arithmetic<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> bool {
        let Self { operation, out } = self;
        match operation {
            Operation::Unary(op, a) => match op {
                Unary::Neg => each(out, a, T::neg),
                Unary::Abs => each(out, a, T::abs),
                Unary::Not => each(out, a, |a| T::truth(!a.is_true())),
                Unary::Floor => each(out, a, T::floor),
                Unary::Ceil => each(out, a, T::ceil),
                Unary::Trunc => each(out, a, T::trunc),
                Unary::Round => each(out, a, T::round),
                Unary::Sqrt => each(out, a, T::sqrt),
                _ => return false,
            },
            Operation::Binary(op, a, b) => match op {
                Binary::Add => pairs(out, a, b, T::add),
                Binary::Sub => pairs(out, a, b, T::sub),
                Binary::Mul => pairs(out, a, b, T::mul),
                Binary::Div => pairs(out, a, b, T::div),
                Binary::Min => pairs(out, a, b, T::min),
                Binary::Max => pairs(out, a, b, T::max),
                Binary::Less => pairs(out, a, b, |a, b| T::truth(a < b)),
                Binary::LessEqual => pairs(out, a, b, |a, b| T::truth(a <= b)),
                Binary::Equal => pairs(out, a, b, |a, b| T::truth(a == b)),
                Binary::NotEqual => pairs(out, a, b, |a, b| T::truth(a != b)),
                Binary::And => pairs(out, a, b, |a, b| T::truth(a.is_true() & b.is_true())),
                Binary::Or => pairs(out, a, b, |a, b| T::truth(a.is_true() | b.is_true())),
                _ => return false,
            },
            Operation::Where(c, a, b) => {
                for (((out, &c), &a), &b) in out.iter_mut().zip(c).zip(a).zip(b) {
                    *out = if c.is_true() { a } else { b };
                }
            }
        }
        true
    }
}

/// The result, with canonical NaN.
struct Canonical<'a, T> {
    from: &'a [T],
    out: &'a mut [T],
}

impl<T: Lane> Kernel for Canonical<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        for (out, &value) in self.out.iter_mut().zip(self.from) {
            *out = value.canonical();
        }
    }
}
