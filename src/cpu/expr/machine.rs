//! The interpreter: a program with registers, and the loops of its instructions.

use super::LANES;
use crate::cpu::simd::{Kernel, Simd};
use crate::expr::lower::{Program, Slot, Step};
use crate::expr::scalar::Lane;
use crate::expr::{Binary, Unary};

/// A register.
pub(super) type Block<T> = Box<[T; LANES]>;

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

impl<T: Lane> Machine<T> {
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

    /// Runs the program on what is in the inputs' registers; the results, with canonical NaN.
    pub(super) fn run(&mut self) -> &[T; LANES] {
        self.simd.run(Execute(self));
        &self.spare
    }
}

struct Execute<'a, T>(&'a mut Machine<T>);

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

impl<T: Lane> Kernel for Execute<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        let Machine { registers, code, result, spare, .. } = self.0;
        for &(instruction, to) in code.iter() {
            // The result is written beside the registers, then put in its place.
            let out = &mut **spare;
            match instruction {
                Code::Unary(op, a) => {
                    let a = &*registers[a];
                    match op {
                        Unary::Neg => each(out, a, T::neg),
                        Unary::Abs => each(out, a, T::abs),
                        Unary::Not => each(out, a, |a| T::truth(!a.is_true())),
                        Unary::Floor => each(out, a, T::floor),
                        Unary::Ceil => each(out, a, T::ceil),
                        Unary::Trunc => each(out, a, T::trunc),
                        Unary::Round => each(out, a, T::round),
                        Unary::Sqrt => each(out, a, T::sqrt),
                        Unary::Exp => each(out, a, T::exp),
                        Unary::Exp2 => each(out, a, T::exp2),
                        Unary::Log => each(out, a, T::log),
                        Unary::Log2 => each(out, a, T::log2),
                        Unary::Log10 => each(out, a, T::log10),
                        Unary::Sin => each(out, a, T::sin),
                        Unary::Cos => each(out, a, T::cos),
                    }
                }
                Code::Binary(op, a, b) => {
                    let (a, b) = (&*registers[a], &*registers[b]);
                    match op {
                        Binary::Add => pairs(out, a, b, T::add),
                        Binary::Sub => pairs(out, a, b, T::sub),
                        Binary::Mul => pairs(out, a, b, T::mul),
                        Binary::Div => pairs(out, a, b, T::div),
                        Binary::Pow => pairs(out, a, b, T::pow),
                        Binary::Min => pairs(out, a, b, T::min),
                        Binary::Max => pairs(out, a, b, T::max),
                        Binary::Less => pairs(out, a, b, |a, b| T::truth(a < b)),
                        Binary::LessEqual => pairs(out, a, b, |a, b| T::truth(a <= b)),
                        Binary::Equal => pairs(out, a, b, |a, b| T::truth(a == b)),
                        Binary::NotEqual => pairs(out, a, b, |a, b| T::truth(a != b)),
                        Binary::And => pairs(out, a, b, |a, b| T::truth(a.is_true() & b.is_true())),
                        Binary::Or => pairs(out, a, b, |a, b| T::truth(a.is_true() | b.is_true())),
                    }
                }
                Code::Where(c, a, b) => {
                    let (c, a, b) = (&*registers[c], &*registers[a], &*registers[b]);
                    for (((out, &c), &a), &b) in out.iter_mut().zip(c).zip(a).zip(b) {
                        *out = if c.is_true() { a } else { b };
                    }
                }
            }
            std::mem::swap(&mut registers[to], spare);
        }
        each(spare, &registers[*result], T::canonical);
    }
}
