//! Which fold makes which partials, of all elements or of some.

use super::drive::{Fold, Sink, drive};
use super::pair::drive_pairs;
use super::selected::{Masked, Neutral, WithoutNan};
use super::{Run, extreme, integers, moments, product, sum};
use crate::dtype::with_dtype;
use crate::exact::accumulator::Accumulator;
use crate::exact::fast::Float;
use crate::plan::{NormOrder, Partials, ReduceOp};
use crate::{Dtype, ExactSum, Real, Result};

/// Partials, and how many elements are behind each, if that is asked for.
struct Into<'o, O> {
    out: &'o mut [O],
    counts: Option<&'o mut [u64]>,
}

impl Run<'_> {
    /// Computes the partials.
    pub(super) fn partials(&self) -> Result<Partials> {
        let mut partials = self.plan.empty_partials();
        match &mut partials {
            Partials::Counted(partials, counts) => self.fill(partials, Some(counts))?,
            partials => self.fill(partials, None)?,
        }
        Ok(partials)
    }

    fn fill(&self, partials: &mut Partials, counts: Option<&mut [u64]>) -> Result<()> {
        let (dtype, simd, op) = (self.plan.dtype, self.simd, self.plan.op);
        match partials {
            Partials::Float(out) => {
                let into = Into { out, counts };
                let done = |sum: Accumulator| sum.to_sum();
                match op {
                    ReduceOp::Norm(NormOrder::Power(p)) => with_number!(
                        dtype,
                        float F => self.floats::<F, _, _>(&moments::MappedSum(moments::Power(p.get()), simd), done, into),
                        integer I => self.selected::<I, _, _>(&integers::IntegerPowers(p.get()), done, into)
                    ),
                    ReduceOp::Norm(_) => with_number!(
                        dtype,
                        float F => self.floats::<F, _, _>(&moments::MappedSum(moments::Magnitude, simd), done, into),
                        integer I => self.unexpected::<I>()
                    ),
                    _ => with_number!(
                        dtype,
                        float F => self.floats::<F, _, ExactSum>(&sum::FloatSum(simd), done, into),
                        integer I => self.unexpected::<I>()
                    ),
                }
            }
            Partials::Fast(out) => with_number!(
                dtype,
                float F => self.floats::<F, _, f64>(&sum::FastSum(simd), |sum| sum, Into { out, counts }),
                integer I => self.unexpected::<I>()
            ),
            Partials::Integer(out) => with_number!(
                dtype,
                float F => self.unexpected::<F>(),
                integer I => match op {
                    ReduceOp::Norm(_) => self.selected::<I, _, i128>(&integers::IntegerMagnitudes, |sum| sum, Into { out, counts }),
                    _ => self.selected::<I, _, i128>(&sum::IntegerSum(simd), |sum| sum, Into { out, counts }),
                }
            ),
            Partials::IntegerProduct(out) => with_number!(
                dtype,
                float F => self.unexpected::<F>(),
                integer I => self.selected::<I, _, _>(&product::Integers, |product| product, Into { out, counts })
            ),
            Partials::FloatProduct(out) => with_number!(
                dtype,
                float F => self.floats::<F, _, _>(&product::Floats, |lanes| lanes.product(), Into { out, counts }),
                integer I => self.unexpected::<I>()
            ),
            Partials::Extreme(out) => with_dtype!(dtype, T => match op {
                ReduceOp::Norm(NormOrder::Max) => {
                    let skip = self.plan.skip_nan;
                    let finish = |found: Option<(u64, u64)>| found.map(|found| extreme::largest_magnitude::<T>(found, skip));
                    self.selected::<T, _, _>(&self.range(), finish, Into { out, counts })
                }
                ReduceOp::Norm(_) => {
                    let fold = extreme::SmallestMagnitude { skip: self.plan.skip_nan };
                    self.selected::<T, _, _>(&fold, |key| key, Into { out, counts })
                }
                _ => self.selected::<T, _, _>(&self.extreme(), |key| key, Into { out, counts }),
            }),
            Partials::Range(out) => {
                with_dtype!(dtype, T => self.selected::<T, _, _>(&self.range(), |found| found, Into { out, counts }))
            }
            Partials::Arg(out) => with_dtype!(dtype, T => self.fold::<T, _, _>(&self.arg(), Ok, out)),
            Partials::Count(out) => match dtype {
                Dtype::F32 => self.floats::<f32, _, _>(&sum::Count(simd), |count| count, Into { out, counts }),
                Dtype::F64 => self.floats::<f64, _, _>(&sum::Count(simd), |count| count, Into { out, counts }),
                _ => {
                    with_dtype!(dtype, T => self.selected::<T, _, _>(&sum::Count(simd), |count| count, Into { out, counts }))
                }
            },
            Partials::Moments(out) => {
                let mut counted = None;
                let counts = counts.map(|counts| &mut **counted.insert(counts));
                let whole = self.plan.reduce_len() as u64;
                with_number!(
                    dtype,
                    float F => {
                        let finish = |sums| moments::float_moments(&sums, whole);
                        self.floats::<F, _, _>(&moments::FloatMoments(simd), finish, Into { out, counts })
                    },
                    integer I => {
                        let finish = |sums| integers::integer_moments(&sums, whole);
                        self.selected::<I, _, _>(&integers::IntegerMoments(simd), finish, Into { out, counts })
                    }
                )?;
                if let Some(counts) = counted {
                    for (moments, &count) in out.iter_mut().zip(&*counts) {
                        *moments = std::mem::take(moments).with_count(count);
                    }
                }
                Ok(())
            }
            Partials::Dot(out) if op == ReduceOp::Dot => with_number!(
                dtype,
                float F => self.fold_pairs::<F, F, _, _>(&moments::FloatDot(simd), |sum| Ok(sum.to_dot()), out),
                integer I => self.fold_pairs::<I, I, _, _>(&integers::IntegerDot(simd), |sum| Ok(sum.to_dot()), out)
            ),
            Partials::Dot(out) => with_number!(
                dtype,
                float F => self.floats::<F, _, _>(&moments::SquareSum(simd), |sum| sum.to_dot(), Into { out, counts }),
                integer I => self.selected::<I, _, _>(&integers::IntegerSquares(simd), |sum| sum.to_dot(), Into { out, counts })
            ),
            Partials::Counted(..) => self.unexpected::<bool>(),
        }
    }

    /// Folds floats: all, those that a mask selects, or those that are no NaN.
    fn floats<T: Float, F: Fold<T> + Neutral<T>, O: Send>(
        &self,
        fold: &F,
        finish: impl Fn(F::Partial) -> O + Sync,
        into: Into<'_, O>,
    ) -> Result<()> {
        match into {
            Into { out, counts: Some(counts) } if !self.plan.masked => {
                assert_eq!((out.len(), counts.len()), (self.plan.out_len(), self.plan.out_len()));
                let (out, counts) = (Sink::new(out), Sink::new(counts));
                drive(&WithoutNan(fold), self.plan, &self.input, self.control, &|place, (partial, count)| {
                    // SAFETY: both are borrowed throughout, and `drive` emits each place once.
                    unsafe { (out.write(place, finish(partial)), counts.write(place, count)) };
                    Ok(())
                })
            }
            into => self.selected(fold, finish, into),
        }
    }

    /// Folds elements: all, or those that a mask selects.
    fn selected<T: Real, F: Fold<T>, O: Send>(
        &self,
        fold: &F,
        finish: impl Fn(F::Partial) -> O + Sync,
        Into { out, counts }: Into<'_, O>,
    ) -> Result<()> {
        let Some(counts) = counts else { return self.fold::<T, F, O>(fold, |partial| Ok(finish(partial)), out) };
        let Some(mask) = &self.second else { return self.unexpected::<T>() };
        assert_eq!((out.len(), counts.len()), (self.plan.out_len(), self.plan.out_len()));
        let (out, counts) = (Sink::new(out), Sink::new(counts));
        let fold = Masked(fold, self.plan.skip_nan);
        drive_pairs(&fold, self.plan, (&self.input, mask), self.control, &|place, (partial, count)| {
            // SAFETY: both are borrowed throughout, and `drive_pairs` emits each place once.
            unsafe { (out.write(place, finish(partial)), counts.write(place, count)) };
            Ok(())
        })
    }
}
