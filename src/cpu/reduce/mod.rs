//! Reduction on the CPU.
//!
//! `layout` puts the axes into the order in which memory is best read, `drive` cuts the work into tasks, and the folds
//! (`sum`, `product`, `extreme`) say what becomes of a row of elements and of columns of them. Results do not depend on the
//! number of threads or the SIMD level: partials are exact, or grouped by index alone.

mod drive;
mod extreme;
mod layout;
mod product;
mod sum;

use super::simd::Simd;
use crate::array::{HostVec, Storage};
use crate::dtype::private::Host;
use crate::engine::Target;
use crate::exact::fast::{Accumulator, Float};
use crate::plan::{Partials, ReduceOp, ReducePlan};
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

/// A reduction at work.
struct Run<'a> {
    plan: &'a ReducePlan,
    input: View<'a>,
    simd: Simd,
    control: &'a Control,
}

/// Runs `plan` to its final values on the current thread pool.
pub(super) fn run(
    plan: &ReducePlan,
    input: View<'_>,
    target: Target<'_>,
    simd: Simd,
    control: &Control,
) -> Result<Option<Storage>> {
    let run = Run { plan, input, simd, control };
    super::deliver(plan.out_dtype, &plan.shape, target, |mut out| {
        out.expect(plan.out_dtype, &plan.shape)?;
        if out.is_contiguous() {
            return run.values(out);
        }
        let mut vec = HostVec::zeros(plan.out_dtype, plan.out_len())?;
        run.values(vec.view_mut(&plan.shape))?;
        out.copy_from_bytes(vec.view(&plan.shape).as_bytes().unwrap_or(&[]));
        Ok(())
    })
}

/// Runs `plan` to mergeable partials on the current thread pool.
pub(super) fn partials(plan: &ReducePlan, input: View<'_>, simd: Simd, control: &Control) -> Result<Partials> {
    let run = Run { plan, input, simd, control };
    let mut partials = plan.empty_partials();
    let (dtype, smaller) = (plan.dtype, run.smaller());
    match &mut partials {
        Partials::Float(out) => {
            with_number!(dtype, float F => run.float_sum::<F, _>(|sum| Ok(sum.to_sum()), out), integer I => run.unexpected::<I>())?
        }
        Partials::Integer(out) => {
            with_number!(dtype, float F => run.unexpected::<F>(), integer I => run.integer_sum::<I, _>(Ok, out))?
        }
        Partials::IntegerProduct(out) => {
            with_number!(dtype, float F => run.unexpected::<F>(), integer I => run.fold::<I, _, _>(&product::Integers, Ok, out))?
        }
        Partials::FloatProduct(out) => with_number!(
            dtype,
            float F => run.fold::<F, _, _>(&product::Floats, |lanes| Ok(lanes.product()), out),
            integer I => run.unexpected::<I>()
        )?,
        Partials::Extreme(out) => {
            crate::dtype::with_dtype!(dtype, T => run.fold::<T, _, _>(&extreme::Extreme { smaller, simd }, Ok, out))?
        }
        Partials::Arg(out) => {
            crate::dtype::with_dtype!(dtype, T => run.fold::<T, _, _>(&extreme::Arg { smaller, simd }, Ok, out))?
        }
        Partials::Count(out) => crate::dtype::with_dtype!(dtype, T => run.fold::<T, _, _>(&sum::Count(simd), Ok, out))?,
    }
    Ok(partials)
}

impl Run<'_> {
    fn smaller(&self) -> bool {
        matches!(self.plan.op, ReduceOp::Min | ReduceOp::ArgMin)
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

    /// Computes the final values into contiguous memory.
    fn values(&self, mut out: ViewMut<'_>) -> Result<()> {
        let (op, dtype, simd, smaller) = (self.plan.op, self.plan.dtype, self.simd, self.smaller());
        let out = &mut out;
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
                self.fold::<T, _, T>(&extreme::Extreme { smaller, simd }, finish, self.slice(out)?)
            }),
            ReduceOp::ArgMin | ReduceOp::ArgMax => crate::dtype::with_dtype!(dtype, T => {
                let finish = |found: Option<(u64, u64)>| Ok(found.map_or(0, |(_, index)| index));
                self.fold::<T, _, u64>(&extreme::Arg { smaller, simd }, finish, self.slice(out)?)
            }),
            ReduceOp::Any | ReduceOp::All => {
                let wanted = if op == ReduceOp::All { self.plan.reduce_len() as u64 } else { 1 };
                let finish = |count| Ok(count >= wanted);
                crate::dtype::with_dtype!(dtype, T => self.fold::<T, _, bool>(&sum::Count(simd), finish, self.slice(out)?))
            }
            ReduceOp::CountNonzero => {
                crate::dtype::with_dtype!(dtype, T => self.fold::<T, _, u64>(&sum::Count(simd), Ok, self.slice(out)?))
            }
        }
    }

    fn overflow(&self) -> Error {
        Error::Overflow { op: self.plan.op.name(), out_dtype: self.plan.out_dtype }
    }
}

#[cfg(test)]
mod tests;
