//! Logarithms of sums of exponentials on the CPU.
//!
//! With `m` the largest exponent, `log Σ b exp(x) = m + log Σ b exp(x − m)`. The terms are computed in binary64 and summed
//! exactly, so that neither order nor threads count. Exponentials and logarithms are those of `expr/binary64.rs`: the same bits
//! on every device.

use std::ops::Range;

use super::lanes::{Lanes, Shared};
use super::simd::{Kernel, Simd};
use super::tasks::{for_each, threads};
use crate::array::Storage;
use crate::engine::Target;
use crate::exact::accumulator::Accumulator;
use crate::expr::binary64;
use crate::plan::LogSumExpPlan;
use crate::view::View;
use crate::{Control, Dtype, Real, Result};

/// Elements that are taken at a time.
const CHUNK: usize = 1 << 12;
/// Elements of a part of a lane.
const PART: usize = 1 << 16;

/// Runs `plan` on the current threads: logarithms, then signs.
pub(super) fn run(
    plan: &LogSumExpPlan,
    inputs: &[View<'_>],
    targets: Vec<Target<'_>>,
    simd: Simd,
    control: &Control,
) -> Result<Vec<Option<Storage>>> {
    let count = plan.lanes.count();
    let mut results = vec![(0.0, 0.0); count];
    let exponents = numbers(plan.lanes.dtype, &plan.lanes, &inputs[0])?;
    let factors = match (plan.factors, inputs.get(1)) {
        (Some(dtype), Some(view)) => Some(numbers(dtype, &crate::plan::Lanes { dtype, ..plan.lanes.clone() }, view)?),
        _ => None,
    };
    let work = Work { plan, exponents: &*exponents, factors: factors.as_deref(), len: plan.lanes.len(), simd, control };
    let out = Shared::new(&mut results);
    let share = (PART / work.len.max(1)).min(count.div_ceil(4 * threads())).max(1);
    if work.len <= 2 * PART || count >= 2 * threads() {
        for_each(count.div_ceil(share), 1, &|task| {
            for lane in task * share..count.min((task + 1) * share) {
                let largest = work.largest(lane, 0..work.len)?;
                let mut sum = Accumulator::new();
                work.add(lane, 0..work.len, LogSumExpPlan::anchor(largest), &mut sum)?;
                // SAFETY: each lane is written once.
                unsafe { out.write(lane, plan.finish(largest, sum.to_sum().to_f64())) };
            }
            Ok(())
        })?;
    } else {
        for lane in 0..count {
            // SAFETY: as above.
            unsafe { out.write(lane, work.in_parts(lane)?) };
        }
    }
    control.advance(plan.lanes.work());
    plan.results(&results).into_iter().zip(targets).map(|(vec, target)| super::hand_over(vec, &plan.shape, target)).collect()
}

/// Lanes of any dtype, read as binary64.
trait Numbers: Sync {
    fn read(&self, lane: usize, range: Range<usize>, out: &mut Vec<f64>);
}

struct Of<'a, T>(Lanes<'a, T>);

macro_rules! numbers {
    ($($variant:ident $T:ty, $number:expr;)*) => {
        $(impl Numbers for Of<'_, $T> {
            fn read(&self, lane: usize, range: Range<usize>, out: &mut Vec<f64>) {
                let mut buffer = Vec::new();
                out.clear();
                out.extend(self.0.chunk(lane, range, &mut buffer).iter().map($number));
            }
        })*

        fn numbers<'a>(dtype: Dtype, lanes: &crate::plan::Lanes, view: &View<'a>) -> Result<Box<dyn Numbers + 'a>> {
            fn of<'a, T: Real>(lanes: &crate::plan::Lanes, view: &View<'a>) -> Result<Of<'a, T>> {
                Lanes::new(lanes, view).map(Of)
            }
            Ok(match dtype {
                $(Dtype::$variant => Box::new(of::<$T>(lanes, view)?),)*
                // Plans have no complex dtypes.
                Dtype::C64 => Box::new(of::<f32>(lanes, view)?),
                Dtype::C128 => Box::new(of::<f64>(lanes, view)?),
            })
        }
    };
}
numbers! {
    Bool bool, |&x| f64::from(u8::from(x)); U8 u8, |&x| f64::from(x); I8 i8, |&x| f64::from(x); U16 u16, |&x| f64::from(x);
    I16 i16, |&x| f64::from(x); U32 u32, |&x| f64::from(x); I32 i32, |&x| f64::from(x); U64 u64, |&x| x as f64;
    I64 i64, |&x| x as f64; F32 f32, |&x| f64::from(x); F64 f64, |&x| x;
}

/// The largest of some numbers, and whether one is NaN.
struct Largest<'a>(&'a [f64]);

impl Kernel for Largest<'_> {
    type Output = (f64, bool);

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> (f64, bool) {
        let (mut largest, mut nan) = ([f64::NEG_INFINITY; 32], [0u64; 32]);
        for values in self.0.chunks(32) {
            for ((largest, nan), &x) in largest.iter_mut().zip(&mut nan).zip(values) {
                *largest = if x > *largest { x } else { *largest };
                *nan |= u64::from(x.is_nan());
            }
        }
        (largest.into_iter().fold(f64::NEG_INFINITY, f64::max), nan.contains(&1))
    }
}

/// What is called with exponents and factors.
type Each<'e> = dyn FnMut(&mut [f64], Option<&[f64]>) + 'e;

struct Work<'a> {
    plan: &'a LogSumExpPlan,
    exponents: &'a dyn Numbers,
    factors: Option<&'a dyn Numbers>,
    len: usize,
    simd: Simd,
    control: &'a Control,
}

impl Work<'_> {
    /// Calls `each` with exponents and factors, some at a time.
    fn walk(&self, lane: usize, range: Range<usize>, each: &mut Each<'_>) -> Result<()> {
        let (mut exponents, mut factors) = (Vec::with_capacity(CHUNK), Vec::new());
        let mut at = range.start;
        while at < range.end {
            self.control.check()?;
            let chunk = at..range.end.min(at + CHUNK);
            self.exponents.read(lane, chunk.clone(), &mut exponents);
            if let Some(numbers) = self.factors {
                numbers.read(lane, chunk.clone(), &mut factors);
            }
            each(&mut exponents, self.factors.map(|_| &factors[..]));
            at = chunk.end;
        }
        Ok(())
    }

    /// The largest exponent whose factor is not 0; NaN if there is one.
    fn largest(&self, lane: usize, range: Range<usize>) -> Result<f64> {
        let (mut largest, mut nan) = (f64::NEG_INFINITY, false);
        self.walk(lane, range, &mut |exponents, factors| match factors {
            None => {
                let (most, any) = self.simd.run(Largest(exponents));
                largest = f64::max(largest, most);
                nan |= any;
            }
            Some(factors) => {
                for (&x, &factor) in exponents.iter().zip(factors) {
                    largest = if x > largest && factor != 0.0 { x } else { largest };
                    nan |= x.is_nan() && factor != 0.0;
                }
            }
        })?;
        Ok(if nan { f64::NAN } else { largest })
    }

    /// Adds the terms of a part of a lane.
    fn add(&self, lane: usize, range: Range<usize>, anchor: f64, sum: &mut Accumulator) -> Result<()> {
        self.walk(lane, range, &mut |exponents, factors| {
            binary64::exponentials(exponents, anchor, self.simd);
            if let Some(factors) = factors {
                for (x, &factor) in exponents.iter_mut().zip(factors) {
                    *x = if factor == 0.0 { 0.0 } else { *x * factor };
                }
            }
            sum.extend(exponents, self.simd);
        })
    }

    /// A long lane, on all threads.
    fn in_parts(&self, lane: usize) -> Result<(f64, f64)> {
        let parts = self.len.div_ceil(PART);
        let range = |part: usize| part * PART..self.len.min((part + 1) * PART);
        let mut extremes = vec![0.0; parts];
        let shared = Shared::new(&mut extremes);
        for_each(parts, 1, &|part| {
            // SAFETY: each task has its own.
            unsafe { shared.write(part, self.largest(lane, range(part))?) };
            Ok(())
        })?;
        let largest = extremes.iter().fold(f64::NEG_INFINITY, |a, &b| if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) });
        let mut sums = vec![None; parts];
        let shared = Shared::new(&mut sums);
        for_each(parts, 1, &|part| {
            let mut sum = Accumulator::new();
            self.add(lane, range(part), LogSumExpPlan::anchor(largest), &mut sum)?;
            // SAFETY: each task has its own.
            unsafe { shared.write(part, Some(sum)) };
            Ok(())
        })?;
        let mut total = Accumulator::new();
        sums.iter().flatten().for_each(|sum| total.merge(sum));
        Ok(self.plan.finish(largest, total.to_sum().to_f64()))
    }
}
