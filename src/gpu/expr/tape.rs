//! Programs of float64 as tapes: steps that one shader interprets, `shaders/expr_tape.wgsl`. Compiling a shader for each expression
//! would take longer by far than its steps do, whose every operation is some hundred instructions of integers.

use crate::expr::lower::{Program, Slot, Step};
use crate::expr::{Binary, Bits, Unary};

/// Values that a tape keeps at a time.
pub(super) const REGISTERS: usize = 48;

macro_rules! operations {
    ($($op:ident $name:literal)*) => {
        /// What a step does.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Op { $($op),* }

        /// The numbers of the operations, for shaders.
        pub(super) fn constants() -> String {
            let mut text = format!("const REGISTERS = {REGISTERS}u;\n");
            $(text += &format!("const {} = {}u;\n", $name, Op::$op as u32);)*
            for (name, _) in LONG {
                text += &format!("override {name}: bool = true;\n");
            }
            text
        }
    };
}
operations! {
    Add "ADD" Sub "SUB" Mul "MUL" Div "DIV" Sqrt "SQRT" Rem "REM" Neg "NEG" Abs "ABS" Not "NOT" Min "MIN" Max "MAX" Less "LESS"
    LessEqual "LESS_EQUAL" Equal "EQUAL" NotEqual "NOT_EQUAL" And "AND" Or "OR" Where "WHERE" Trunc "TRUNC" Round "ROUND"
    CopySign "COPY_SIGN" Upper "UPPER" Exponent "EXPONENT" Significand "SIGNIFICAND" PowerOfTwo "POWER_OF_TWO" Quarters "QUARTERS"
    Angle "ANGLE" AngleRest "ANGLE_REST" Result "RESULT" Element "ELEMENT" Fraction "FRACTION" Cell "CELL"
    FractionInCell "FRACTION_IN_CELL" CellStart "CELL_START" CellWidth "CELL_WIDTH" CellWeight "CELL_WEIGHT" Count "COUNT" Flag "FLAG"
}

/// Operations whose code is long: a shader has them only for tapes with such steps.
const LONG: [(&str, &[Op]); 5] = [
    ("DIVIDES", &[Op::Div]),
    ("ROOTS", &[Op::Sqrt]),
    ("REMAINDERS", &[Op::Rem]),
    ("TURNS", &[Op::Quarters, Op::Angle, Op::AngleRest]),
    ("GRID", &[Op::Cell]),
];

/// A tape with registers for its values.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) steps: u32,
    /// Steps, then numbers.
    pub(super) words: Vec<u32>,
    /// The shader's constants: which of the long operations there are.
    pub(super) long: [(&'static str, f64); LONG.len()],
}

/// An operand: the value of an earlier step, or a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Operand {
    Value(usize),
    Number(f64),
    /// What the operation takes by itself, below 2^16.
    Raw(u32),
}

/// A tape in the making: steps whose values have no registers yet.
#[derive(Debug, Default)]
pub(super) struct Tape {
    steps: Vec<(Op, [Operand; 3])>,
}

impl Tape {
    /// Adds a step, and answers its value.
    pub(super) fn step(&mut self, op: Op, operands: &[Operand]) -> Operand {
        let none = Operand::Raw(0);
        self.steps.push((op, std::array::from_fn(|i| operands.get(i).copied().unwrap_or(none))));
        Operand::Value(self.steps.len() - 1)
    }

    /// Adds a program of terms that are spelled out. `input` adds what gives an input's value, where it is first needed.
    pub(super) fn program(
        &mut self,
        program: &Program,
        uniforms: &[f64],
        mut input: impl FnMut(&mut Self, usize) -> Operand,
    ) -> Operand {
        let mut inputs = vec![None; program.inputs];
        let mut values: Vec<Operand> = Vec::with_capacity(program.steps.len());
        let mut operand = |tape: &mut Self, values: &[Operand], slot: Slot| match slot {
            Slot::Uniform(uniform) => Operand::Number(uniforms[uniform]),
            Slot::Step(step) => values[step],
            Slot::Input(at) => *inputs[at].get_or_insert_with(|| input(tape, at)),
        };
        for step in &program.steps {
            let operands: Vec<Operand> = step.operands().map(|slot| operand(self, &values, slot)).collect();
            let value = self.step(operation(step), &operands);
            values.push(value);
        }
        operand(self, &values, program.result)
    }

    /// The whole tape. `None` if more values are needed at a time than there are registers.
    pub(super) fn finish(&self) -> Option<Finished> {
        let mut last = vec![0; self.steps.len()];
        for (at, (_, operands)) in self.steps.iter().enumerate() {
            last[at] = at;
            for operand in operands {
                if let Operand::Value(value) = *operand {
                    last[value] = at;
                }
            }
        }
        let mut free: Vec<usize> = (0..REGISTERS).rev().collect();
        let mut registers = vec![0; self.steps.len()];
        let (mut words, mut numbers) = (vec![], Vec::<u64>::new());
        let mut ending: Vec<Vec<usize>> = vec![vec![]; self.steps.len()];
        for (value, &at) in last.iter().enumerate() {
            ending[at].push(value);
        }
        for (at, (op, operands)) in self.steps.iter().enumerate() {
            let raw = operands.iter().find_map(|operand| if let Operand::Raw(raw) = operand { Some(*raw) } else { None });
            let places = operands.map(|operand| match operand {
                Operand::Value(value) => registers[value] as u32,
                Operand::Raw(_) => 0,
                Operand::Number(number) => {
                    let bits = number.to_bits();
                    let place = numbers.iter().position(|&known| known == bits).unwrap_or_else(|| {
                        numbers.push(bits);
                        numbers.len() - 1
                    });
                    (REGISTERS + place) as u32
                }
            });
            // What is used for the last time gives its register to the step's own value.
            free.extend(ending[at].iter().filter(|&&value| value < at).map(|&value| registers[value]));
            registers[at] = free.pop()?;
            if last[at] == at {
                free.push(registers[at]);
            }
            words.push(*op as u32 | (registers[at] as u32) << 8 | raw.unwrap_or(0) << 16);
            words.extend(places);
        }
        words.extend(numbers.iter().flat_map(|&bits| [bits as u32, (bits >> 32) as u32]));
        words.resize(words.len().next_multiple_of(4), 0);
        let long = LONG.map(|(name, ops)| (name, f64::from(self.steps.iter().any(|(op, _)| ops.contains(op)))));
        Some(Finished { steps: self.steps.len() as u32, words, long })
    }
}

fn operation(step: &Step) -> Op {
    match step {
        Step::Where(..) => Op::Where,
        Step::Unary(op, _) => match op {
            Unary::Neg => Op::Neg,
            Unary::Abs => Op::Abs,
            Unary::Not => Op::Not,
            Unary::Trunc => Op::Trunc,
            Unary::Round => Op::Round,
            Unary::Sqrt => Op::Sqrt,
            Unary::Bits(Bits::Upper) => Op::Upper,
            Unary::Bits(Bits::Exponent) => Op::Exponent,
            Unary::Bits(Bits::Significand) => Op::Significand,
            Unary::Bits(Bits::PowerOfTwo) => Op::PowerOfTwo,
            Unary::Bits(Bits::Quarters) => Op::Quarters,
            Unary::Bits(Bits::Angle) => Op::Angle,
            Unary::Bits(Bits::AngleRest) => Op::AngleRest,
            // Spelled out.
            _ => Op::Result,
        },
        Step::Binary(op, ..) => match op {
            Binary::Add => Op::Add,
            Binary::Sub => Op::Sub,
            Binary::Mul => Op::Mul,
            Binary::Div => Op::Div,
            Binary::Rem => Op::Rem,
            Binary::Min => Op::Min,
            Binary::Max => Op::Max,
            Binary::Less => Op::Less,
            Binary::LessEqual => Op::LessEqual,
            Binary::Equal => Op::Equal,
            Binary::NotEqual => Op::NotEqual,
            Binary::And => Op::And,
            Binary::Or => Op::Or,
            Binary::CopySign => Op::CopySign,
            Binary::Mod | Binary::Pow | Binary::Composed(_) => Op::Result,
        },
    }
}
