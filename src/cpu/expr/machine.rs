//! The interpreter: a program with registers, and the loops of its instructions.

use std::ops::{Deref, DerefMut};

use super::LANES;
use super::fuse::{Code, Fused};
use crate::cpu::simd::{Kernel, Simd};
use crate::exact::fast::Float;
use crate::expr::lower::Program;
use crate::expr::scalar::{Lane, binary, unary};
use crate::expr::{Binary, Unary};
use crate::plan::Function;

/// What starts at a cache line, so that no vector of it lies across two.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Aligned<A>(A);

impl<T: Copy, const N: usize> Aligned<[T; N]> {
    pub(super) fn new(value: T) -> Box<Self> {
        Box::new(Self([value; N]))
    }
}

impl<A> Deref for Aligned<A> {
    type Target = A;

    #[inline(always)]
    fn deref(&self) -> &A {
        &self.0
    }
}

impl<A> DerefMut for Aligned<A> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut A {
        &mut self.0
    }
}

/// A register.
pub(super) type Block<T> = Box<Aligned<[T; LANES]>>;

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

impl Element for f64 {
    fn function(op: Unary, a: &[f64; LANES], out: &mut [f64; LANES], simd: Simd) -> bool {
        super::double::unary(op, a, out, simd)
    }

    fn power(a: &[f64; LANES], b: &[f64; LANES], out: &mut [f64; LANES], simd: Simd) -> bool {
        super::double::power(a, b, out, simd)
    }
}

/// A program at work: inputs in the first registers, uniforms in the next.
pub(super) struct Machine<T> {
    pub(super) registers: Vec<Block<T>>,
    code: Vec<(Code<usize>, usize)>,
    result: usize,
    spare: Block<T>,
    simd: Simd,
    /// What is called in the place of the program, with the inputs.
    pub(super) function: Option<Function>,
    inputs: usize,
}

impl<T: Element> Machine<T> {
    pub(super) fn new(program: &Program, uniforms: &[T], simd: Simd) -> Self {
        let Fused { code, result, registers } = Fused::new(program, uniforms.len());
        let mut registers: Vec<Block<T>> = (0..registers).map(|_| Aligned::new(T::default())).collect();
        for (uniform, &value) in uniforms.iter().enumerate() {
            registers[program.inputs + uniform].fill(value);
        }
        let spare = Aligned::new(T::default());
        Self { registers, code, result, spare, simd, function: None, inputs: program.inputs }
    }

    /// Runs the program; the results from lane `first` on go to `out`. Inputs are what is in their registers or, if there is
    /// something `direct` for them, that.
    pub(super) fn run(&mut self, direct: &[Option<&[T; LANES]>], first: usize, out: &mut [T]) {
        let Self { registers, code, result, spare, simd, function, inputs } = self;
        if let Some(function) = function {
            return call(function, &registers[..*inputs], first, out);
        }
        for (at, &(instruction, to)) in code.iter().enumerate() {
            let of = |register: usize| -> &[T; LANES] {
                direct.get(register).copied().flatten().unwrap_or_else(|| &registers[register])
            };
            let operation = instruction.map(of);
            if at + 1 == code.len()
                && first == 0
                && let Ok(out) = <&mut [T; LANES]>::try_from(&mut *out)
            {
                return compute(operation, out, *simd);
            }
            // The result is written beside the registers, then put in its place.
            compute(operation, spare, *simd);
            std::mem::swap(&mut registers[to], spare);
        }
        let result = direct.get(*result).copied().flatten().unwrap_or_else(|| &registers[*result]);
        out.copy_from_slice(&result[first..][..out.len()]);
    }
}

/// Calls a function with the inputs, from lane `first` on.
fn call<T: Element>(function: &Function, inputs: &[Block<T>], first: usize, out: &mut [T]) {
    let mut point = vec![0.0; inputs.len()];
    for (lane, out) in (first..).zip(out) {
        point.iter_mut().zip(inputs).for_each(|(x, input)| *x = input[lane].widen());
        *out = T::nearest(function(&point)).canonical();
    }
}

/// Does one instruction.
fn compute<T: Element>(operation: Operation<'_, T>, out: &mut [T; LANES], simd: Simd) {
    let done = match operation {
        Code::Unary(op, a) => T::function(op, a, out, simd),
        Code::Binary(Binary::Pow, a, b) => T::power(a, b, out, simd),
        _ => false,
    };
    if !done && !simd.run(Arithmetic { operation, out }) {
        one_by_one(operation, out);
    }
}

/// An instruction and its operands.
type Operation<'a, T> = Code<&'a [T; LANES]>;

#[inline(always)]
fn each<T: Lane>(out: &mut [T; LANES], a: &[T; LANES], f: impl Fn(T) -> T) {
    for (out, &a) in out.iter_mut().zip(a) {
        *out = f(a);
    }
}

#[inline(always)]
fn triples<T: Lane>(out: &mut [T; LANES], [a, b, c]: [&[T; LANES]; 3], f: impl Fn(T, T, T) -> T) {
    for (((out, &a), &b), &c) in out.iter_mut().zip(a).zip(b).zip(c) {
        *out = f(a, b, c);
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
        Code::Unary(op, a) => match op {
            Unary::Exp => each(out, a, T::exp),
            Unary::Exp2 => each(out, a, T::exp2),
            Unary::Log => each(out, a, T::log),
            Unary::Log2 => each(out, a, T::log2),
            Unary::Log10 => each(out, a, T::log10),
            Unary::Sin => each(out, a, T::sin),
            Unary::Cos => each(out, a, T::cos),
            other => each(out, a, |a| unary(other, a)),
        },
        Code::Binary(op, a, b) => match op {
            Binary::Pow => pairs(out, a, b, T::pow),
            other => pairs(out, a, b, |a, b| binary(other, a, b)),
        },
        Code::Where(..) | Code::MulAdd(..) | Code::SquaredDifference(..) => {}
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
            Code::Unary(op, a) => match op {
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
            Code::Binary(op, a, b) => match op {
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
            Code::Where(c, a, b) => triples(out, [c, a, b], |c, a, b| if c.is_true() { a } else { b }),
            Code::MulAdd(a, b, c) => triples(out, [a, b, c], |a, b, c| a.mul(b).add(c)),
            Code::SquaredDifference(a, b) => pairs(out, a, b, |a, b| a.sub(b).mul(a.sub(b))),
        }
        true
    }
}

/// Makes every NaN the canonical one: devices differ in the bits of NaN.
pub(super) fn canonical<T: Lane>(values: &mut [T], simd: Simd) {
    simd.run(Canonical(values));
}

struct Canonical<'a, T>(&'a mut [T]);

impl<T: Lane> Kernel for Canonical<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        for value in self.0 {
            *value = value.canonical();
        }
    }
}
