//! Reduction on the CPU.
//!
//! `layout` puts the axes into the order in which memory is best read, `drive` cuts the work into tasks (`pair` for two inputs),
//! and the folds (`sum`, `product`, `extreme`, `moments`) say what becomes of a row of elements and of columns of them (exact sums of
//! columns: `columns`); `selected` makes folds of some of the elements. Results do not depend on the number of threads or the SIMD level: partials
//! are exact, or grouped by index alone.

mod columns;
mod drive;
mod extreme;
mod integers;
mod layout;
mod moments;
mod pair;
mod product;
mod selected;
mod sum;

use super::simd::Simd;
use crate::array::{HostVec, Storage};
use crate::dtype::private::Host;
use crate::engine::Target;
use crate::exact::Moments;
use crate::exact::accumulator::Accumulator;
use crate::exact::fast::Float;
use crate::exact::products::Products;
use crate::plan::{NormOrder, Partials, ReduceOp, ReducePlan};
use crate::view::{View, ViewMut};
use crate::{Control, Dtype, Error, Real, Result};
use drive::{Sink, drive};

/// Runs `$body` with `$T` bound to the float, or else to the integer type of a dtype.
macro_rules! with_number {
    ($dtype:expr, float $F:ident => $float:expr, integer $I:ident => $integer:expr) => {
        with_number!(@ $dtype, $F $float, $I $integer; Bool bool, U8 u8, I8 i8, U16 u16, I16 i16, U32 u32, I32 i32, U64 u64, I64 i64)
    };
    (@ $dtype:expr, $F:ident $float:expr, $I:ident $integer:expr; $($variant:ident $type:ty),*) => {
        match $dtype {
            Dtype::F32 | Dtype::C64 => { type $F = f32; $float }
            Dtype::F64 | Dtype::C128 => { type $F = f64; $float }
            $(Dtype::$variant => { type $I = $type; $integer })*
        }
    };
}

// After the macro, which they use.
mod partials;
mod short;

/// A reduction at work.
struct Run<'a> {
    plan: &'a ReducePlan,
    input: View<'a>,
    /// The other operand, or the mask.
    second: Option<View<'a>>,
    simd: Simd,
    control: &'a Control,
}

impl<'a> Run<'a> {
    fn new(plan: &'a ReducePlan, inputs: &[View<'a>], simd: Simd, control: &'a Control) -> Result<Self> {
        if inputs.len() != plan.inputs() {
            return Err(Error::invalid("inputs of a reduction", inputs.len(), plan.inputs().to_string()));
        }
        Ok(Self { plan, input: inputs[0].clone(), second: inputs.get(1).cloned(), simd, control })
    }
}

/// Runs `plan` to its final values on the current threads.
pub(super) fn run(
    plan: &ReducePlan,
    inputs: &[View<'_>],
    target: Target<'_>,
    simd: Simd,
    control: &Control,
) -> Result<Option<Storage>> {
    let run = Run::new(plan, inputs, simd, control)?;
    super::deliver(plan.out_dtype, &plan.shape, target, |mut out| {
        out.expect(plan.out_dtype, &plan.shape)?;
        if !plan.is_plain() && !short::fits(plan) {
            let values = plan.finish(&run.partials()?)?;
            out.copy_from_bytes(values.view(&plan.shape).as_bytes().unwrap_or(&[]));
            return Ok(());
        }
        if out.is_contiguous() {
            return run.values(out);
        }
        let mut vec = HostVec::zeros(plan.out_dtype, plan.out_len())?;
        run.values(vec.view_mut(&plan.shape))?;
        out.copy_from_bytes(vec.view(&plan.shape).as_bytes().unwrap_or(&[]));
        Ok(())
    })
}

/// Runs `plan` to mergeable partials on the current threads.
pub(super) fn partials(plan: &ReducePlan, inputs: &[View<'_>], simd: Simd, control: &Control) -> Result<Partials> {
    Run::new(plan, inputs, simd, control)?.partials()
}

impl Run<'_> {
    fn smaller(&self) -> bool {
        self.plan.op.is_smaller()
    }

    fn extreme(&self) -> extreme::Extreme {
        extreme::Extreme { smaller: self.smaller(), simd: self.simd, skip: self.plan.skip_nan }
    }

    fn arg(&self) -> extreme::Arg {
        extreme::Arg { smaller: self.smaller(), simd: self.simd, skip: self.plan.skip_nan }
    }

    fn range(&self) -> extreme::Range {
        extreme::Range { simd: self.simd, skip: self.plan.skip_nan }
    }

    fn fold<T: Real, F: drive::Fold<T>, O: Send>(
        &self,
        fold: &F,
        finish: impl Fn(F::Partial) -> Result<O> + Sync,
        out: &mut [O],
    ) -> Result<()> {
        assert_eq!(out.len(), self.plan.out_len());
        let sink = Sink::new(out);
        drive(fold, self.plan, &self.input, self.control, &|place, partial| {
            // SAFETY: `out` is borrowed throughout, and `drive` emits each place once.
            unsafe { sink.write(place, finish(partial)?) };
            Ok(())
        })
    }

    /// The same of two inputs.
    fn fold_pairs<T: Real, U: Real, F: pair::FoldPairs<T, U>, O: Send>(
        &self,
        fold: &F,
        finish: impl Fn(F::Partial) -> Result<O> + Sync,
        out: &mut [O],
    ) -> Result<()> {
        assert_eq!(out.len(), self.plan.out_len());
        let Some(second) = &self.second else { return self.unexpected::<U>() };
        let sink = Sink::new(out);
        pair::drive_pairs(fold, self.plan, (&self.input, second), self.control, &|place, partial| {
            // SAFETY: `out` is borrowed throughout, and `drive_pairs` emits each place once.
            unsafe { sink.write(place, finish(partial)?) };
            Ok(())
        })
    }

    fn float_sum<T: Float, O: Send>(&self, finish: impl Fn(Accumulator) -> Result<O> + Sync, out: &mut [O]) -> Result<()> {
        self.fold::<T, _, _>(&sum::FloatSum(self.simd), finish, out)
    }

    fn integer_sum<T: sum::Integer, O: Send>(&self, finish: impl Fn(i128) -> Result<O> + Sync, out: &mut [O]) -> Result<()> {
        self.fold::<T, _, _>(&sum::IntegerSum(self.simd), finish, out)
    }

    /// A plan whose parts do not belong together.
    fn unexpected<T: Real>(&self) -> Result<()> {
        let got = format!("{} of {} to {}", self.plan.op, T::DTYPE, self.plan.out_dtype);
        Err(Error::invalid("reduction plan", got, "a plan made by ReducePlan::new"))
    }

    /// The contiguous result as a slice.
    fn slice<'o, O: Real>(&self, out: &'o mut ViewMut<'_>) -> Result<&'o mut [O]> {
        let dtype = out.dtype();
        out.as_slice::<O>().ok_or_else(|| Error::Dtype { what: "output".into(), got: dtype, expected: O::DTYPE.to_string() })
    }

    /// Computes the final values of a plain plan into contiguous memory.
    fn values(&self, mut out: ViewMut<'_>) -> Result<()> {
        let (op, dtype, simd) = (self.plan.op, self.plan.dtype, self.simd);
        let out = &mut out;
        if short::fits(self.plan) {
            return self.short(out);
        }
        match op {
            ReduceOp::Sum | ReduceOp::Mean => {
                let count = (op == ReduceOp::Mean).then_some(self.plan.reduce_len() as u64);
                with_number!(
                    dtype,
                    float F => self.float_sum::<F, F>(|sum| Ok(F::read(&sum, count)), self.slice(out)?),
                    integer I => match count {
                        Some(count) => {
                            self.integer_sum::<I, f64>(|sum| Ok(crate::exact::ratio_f64(sum, count)), self.slice(out)?)
                        }
                        None => {
                            let finish = |sum| <<I as Real>::Sum as TryFrom<i128>>::try_from(sum).map_err(|_| self.overflow());
                            self.integer_sum::<I, <I as Real>::Sum>(finish, self.slice(out)?)
                        }
                    }
                )
            }
            ReduceOp::Product => with_number!(
                dtype,
                float F => {
                    let finish = |lanes: product::Lanes| Ok(lanes.product().to_f64() as F);
                    self.fold::<F, _, F>(&product::Floats, finish, self.slice(out)?)
                },
                integer I => {
                    let fit = |value| <<I as Real>::Sum as TryFrom<i128>>::try_from(value).ok();
                    let finish = |product: crate::plan::IntegerProduct| product.value().and_then(fit).ok_or_else(|| self.overflow());
                    self.fold::<I, _, <I as Real>::Sum>(&product::Integers, finish, self.slice(out)?)
                }
            ),
            ReduceOp::Min | ReduceOp::Max => crate::dtype::with_dtype!(dtype, T => {
                let finish = |key: Option<u64>| Ok(key.map_or(T::ZERO, <T as crate::plan::Ordered>::from_key));
                self.fold::<T, _, T>(&self.extreme(), finish, self.slice(out)?)
            }),
            ReduceOp::ArgMin | ReduceOp::ArgMax => crate::dtype::with_dtype!(dtype, T => {
                let finish = |found: Option<(u64, u64)>| Ok(found.map_or(0, |(_, index)| index));
                self.fold::<T, _, u64>(&self.arg(), finish, self.slice(out)?)
            }),
            ReduceOp::Any | ReduceOp::All => {
                let wanted = if op == ReduceOp::All { self.plan.reduce_len() as u64 } else { 1 };
                let finish = |count| Ok(count >= wanted);
                crate::dtype::with_dtype!(dtype, T => self.fold::<T, _, bool>(&sum::Count(simd), finish, self.slice(out)?))
            }
            ReduceOp::CountNonzero => {
                crate::dtype::with_dtype!(dtype, T => self.fold::<T, _, u64>(&sum::Count(simd), Ok, self.slice(out)?))
            }
            // Many results, each read from some hundred bytes: not kept.
            ReduceOp::Var | ReduceOp::Std | ReduceOp::Dot | ReduceOp::Norm(NormOrder::Two)
                if self.plan.out_dtype == Dtype::F32 =>
            {
                self.products::<f32>(self.slice(out)?)
            }
            ReduceOp::Var | ReduceOp::Std | ReduceOp::Dot | ReduceOp::Norm(NormOrder::Two)
                if self.plan.out_dtype == Dtype::F64 =>
            {
                self.products::<f64>(self.slice(out)?)
            }
            ReduceOp::Ptp | ReduceOp::Norm(_) | ReduceOp::Var | ReduceOp::Std | ReduceOp::Dot => {
                let values = self.plan.finish(&self.partials()?)?;
                out.copy_from_bytes(values.view(&self.plan.shape).as_bytes().unwrap_or(&[]));
                Ok(())
            }
        }
    }

    /// Results that are read from sums of products.
    fn products<O: Float>(&self, out: &mut [O]) -> Result<()> {
        let (plan, simd, count) = (self.plan, self.simd, self.plan.reduce_len() as u64);
        let of = |moments: &Moments| Ok(O::of(plan.deviation(moments)));
        let dot = |sum: Products| Ok(O::of(plan.product(&sum.to_dot())));
        match plan.op {
            ReduceOp::Dot => with_number!(
                plan.dtype,
                float F => self.fold_pairs::<F, F, _, O>(&moments::FloatDot(simd), dot, out),
                integer I => self.unexpected::<I>()
            ),
            ReduceOp::Norm(_) => with_number!(
                plan.dtype,
                float F => self.fold::<F, _, O>(&moments::SquareSum(simd), dot, out),
                integer I => {
                    let finish = |sum: integers::Integers| Ok(O::of(plan.product(&sum.to_dot())));
                    self.fold::<I, _, O>(&integers::IntegerSquares(simd), finish, out)
                }
            ),
            _ => with_number!(
                plan.dtype,
                float F => {
                    let finish = |sums| of(&moments::float_moments(&sums, count));
                    self.fold::<F, _, O>(&moments::FloatMoments(simd), finish, out)
                },
                integer I => {
                    let finish = |sums| of(&integers::integer_moments(&sums, count));
                    self.fold::<I, _, O>(&integers::IntegerMoments(simd), finish, out)
                }
            ),
        }
    }

    fn overflow(&self) -> Error {
        Error::Overflow { op: self.plan.op.name(), out_dtype: self.plan.out_dtype }
    }
}

#[cfg(test)]
mod tests;
