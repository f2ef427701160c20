//! From partials to results: the one rounding of an exact value.

use super::{NormOrder, Ordered, Partials, ReduceOp, ReducePlan, Scalar};
use crate::array::HostVec;
use crate::dtype::{private::Host, with_dtype};
use crate::exact::round::{BINARY32, BINARY64, Format, fixed, quotient};
use crate::exact::{ExactDot, Moments};
use crate::expr::binary64;
use crate::plan::Overflow;
use crate::{Dtype, Error, Result};

impl ReducePlan {
    /// The results of the partials: the one rounding of an exact value.
    ///
    /// # Errors
    /// [`Error::Overflow`] if an integer result does not fit, [`Error::Invalid`] for `argmin` or `argmax` of NaN alone
    /// where NaN is passed over.
    pub fn finish(&self, partials: &Partials) -> Result<HostVec> {
        let (partials, counts) = match partials {
            Partials::Counted(partials, counts) => (&**partials, Some(&counts[..])),
            plain => (plain, None),
        };
        let mut with_initial = None;
        let partials = match self.initial {
            Some(initial) => with_initial.insert(self.start_from(initial, partials)),
            None => partials,
        };
        let whole = self.reduce_len() as u64;
        let count = |i: usize| counts.map_or(whole, |counts| counts[i]);
        let mean = self.op == ReduceOp::Mean;
        let format = self.format();
        Ok(match partials {
            Partials::Float(sums) => self.floats(sums.len(), |i| match self.op {
                ReduceOp::Norm(NormOrder::Power(p)) => power_mean(sums[i].to_f64(), p.get()),
                // Where everything was left out, the neutral −0 may be all that was added.
                _ if count(i) == 0 && self.initial.is_none() => {
                    if mean {
                        f64::NAN
                    } else {
                        0.0
                    }
                }
                _ => sums[i].read(format, mean.then(|| count(i))),
            }),
            Partials::Integer(sums) if mean => self.floats(sums.len(), |i| quotient(format, sums[i], 0, count(i))),
            Partials::Integer(sums) if self.out_dtype.is_float() => self.floats(sums.len(), |i| fixed(format, sums[i], 0)),
            Partials::Integer(sums) => self.integers(sums.len(), |i| sums[i])?,
            Partials::IntegerProduct(products) => self.integers(products.len(), |i| products[i].or_beyond(self.overflow))?,
            Partials::FloatProduct(products) => self.floats(products.len(), |i| products[i].to_f64()),
            Partials::Extreme(keys) => match self.op {
                ReduceOp::Norm(_) => self.floats(keys.len(), |i| self.magnitude(keys[i])),
                _ => with_dtype!(self.dtype, T => T::into_host(keys.iter().map(|key| T::from_key(key.unwrap_or(0))).collect())),
            },
            Partials::Arg(found) => {
                let lost = |&key: &u64| self.skip_nan && key == if self.op.is_smaller() { u64::MAX } else { 0 };
                if found.iter().flatten().any(|(key, _)| lost(key)) {
                    return Err(Error::invalid(self.op.name(), "NaN alone", "another element to choose"));
                }
                HostVec::U64(found.iter().map(|found| found.map_or(0, |(_, index)| index)).collect())
            }
            Partials::Range(ranges) => self.ranges(ranges)?,
            Partials::Count(counts) => match self.op {
                ReduceOp::Any => HostVec::Bool(counts.iter().map(|&c| c > 0).collect()),
                ReduceOp::All => HostVec::Bool(counts.iter().enumerate().map(|(i, &c)| c == count(i)).collect()),
                ReduceOp::Norm(_) => self.floats(counts.len(), |i| fixed(format, i128::from(counts[i]), 0)),
                _ => HostVec::U64(counts.clone()),
            },
            Partials::Moments(moments) => self.floats(moments.len(), |i| self.deviation(&moments[i])),
            Partials::Dot(dots) if self.out_dtype.is_float() => self.floats(dots.len(), |i| self.product(&dots[i])),
            Partials::Dot(dots) => self.integers(dots.len(), |i| dots[i].integer_or_beyond(self.overflow))?,
            Partials::Fast(sums) => self.floats(sums.len(), |i| if mean { sums[i] / count(i) as f64 } else { sums[i] + 0.0 }),
            Partials::Counted(..) => {
                return Err(Error::invalid("partials", "counts of counts", "partials made by this plan"));
            }
        })
    }

    /// The format that float results are rounded to.
    pub(crate) fn format(&self) -> Format {
        if self.out_dtype == Dtype::F32 { BINARY32 } else { BINARY64 }
    }

    /// The variance or its root.
    pub(crate) fn deviation(&self, moments: &Moments) -> f64 {
        moments.deviation(self.format(), self.ddof, self.op == ReduceOp::Std)
    }

    /// The dot product or the root of the sum of squares.
    pub(crate) fn product(&self, dot: &ExactDot) -> f64 {
        if self.op == ReduceOp::Dot { dot.read(self.format()) } else { dot.root(self.format()) }
    }

    /// The magnitude of this key, of a norm; 0 for none.
    pub(crate) fn magnitude(&self, key: Option<u64>) -> f64 {
        match (key, self.dtype) {
            (None, _) => 0.0,
            (Some(key), Dtype::F32) => f64::from(f32::from_key(key)),
            (Some(key), Dtype::F64) => fixed_f64(f64::from_key(key), self.format()),
            (Some(key), _) => fixed(self.format(), i128::from(key), 0),
        }
    }

    /// The difference of the largest and the smallest element.
    fn ranges(&self, ranges: &[Option<(u64, u64)>]) -> Result<HostVec> {
        let keys = |i: usize| ranges[i].unwrap_or((0, 0));
        match self.dtype {
            Dtype::F32 => {
                let spread = |i| f32::from_key(keys(i).1) - f32::from_key(keys(i).0);
                Ok(HostVec::F32((0..ranges.len()).map(spread).map(|x| if x.is_nan() { f32::NAN } else { x }).collect()))
            }
            Dtype::F64 => {
                let spread = |i| f64::from_key(keys(i).1) - f64::from_key(keys(i).0);
                Ok(HostVec::F64((0..ranges.len()).map(spread).map(|x| if x.is_nan() { f64::NAN } else { x }).collect()))
            }
            // The order keys of integers lie as far apart as they do.
            _ => self.integers(ranges.len(), |i| i128::from(keys(i).1) - i128::from(keys(i).0)),
        }
    }

    /// Float results, rounded to the format of the plan or to be.
    fn floats(&self, n: usize, value: impl Fn(usize) -> f64) -> HostVec {
        match self.out_dtype {
            Dtype::F32 => HostVec::F32((0..n).map(|i| value(i) as f32).collect()),
            _ => HostVec::F64((0..n).map(value).collect()),
        }
    }

    /// Integer results, narrowed as the policy says.
    fn integers(&self, n: usize, value: impl Fn(usize) -> i128) -> Result<HostVec> {
        macro_rules! narrow {
            ($variant:ident $T:ty) => {
                HostVec::$variant(
                    (0..n)
                        .map(|i| {
                            let value = value(i);
                            <$T>::try_from(value).or_else(|_| match self.overflow {
                                Overflow::Error => Err(Error::Overflow { op: self.op.name(), out_dtype: self.out_dtype }),
                                Overflow::Wrap => Ok(value as $T),
                                Overflow::Saturate => Ok(if value < 0 { <$T>::MIN } else { <$T>::MAX }),
                            })
                        })
                        .collect::<Result<_>>()?,
                )
            };
        }
        Ok(match self.out_dtype {
            Dtype::U8 => narrow!(U8 u8),
            Dtype::I8 => narrow!(I8 i8),
            Dtype::U16 => narrow!(U16 u16),
            Dtype::I16 => narrow!(I16 i16),
            Dtype::U32 => narrow!(U32 u32),
            Dtype::I32 => narrow!(I32 i32),
            Dtype::U64 => narrow!(U64 u64),
            _ => narrow!(I64 i64),
        })
    }

    /// The partials with one more element in front.
    fn start_from(&self, initial: Scalar, partials: &Partials) -> Partials {
        let mut partials = partials.clone();
        let float = match initial {
            Scalar::Integer(value) => fixed(BINARY64, value, 0),
            Scalar::Float(value) => value,
        };
        match &mut partials {
            Partials::Float(sums) => sums.iter_mut().for_each(|sum| match initial {
                Scalar::Integer(value) => sum.add_scaled(value, 0),
                Scalar::Float(value) => sum.push(value),
            }),
            Partials::Fast(sums) => sums.iter_mut().for_each(|sum| *sum += float),
            Partials::FloatProduct(products) => products.iter_mut().for_each(|product| product.push(float)),
            Partials::Integer(sums) => {
                if let Scalar::Integer(value) = initial {
                    sums.iter_mut().for_each(|sum| *sum = sum.saturating_add(value));
                }
            }
            Partials::IntegerProduct(products) => {
                if let Scalar::Integer(value) = initial {
                    products.iter_mut().for_each(|product| product.push(value));
                }
            }
            Partials::Extreme(keys) => {
                let smaller = self.op.is_smaller();
                let start = match (initial, self.dtype) {
                    (Scalar::Integer(value), dtype) if dtype.is_signed_integer() => (value as i64).key(),
                    (Scalar::Integer(value), dtype) if !dtype.is_float() => value as u64,
                    (_, Dtype::F32) => (float as f32).extreme_key(smaller),
                    _ => float.extreme_key(smaller),
                };
                keys.iter_mut().for_each(|key| {
                    // Where NaN is passed over, its mark is worse than any number.
                    *key = Some(key.map_or(start, |key| if smaller { key.min(start) } else { key.max(start) }));
                });
            }
            _ => {}
        }
        partials
    }
}

/// `(Σ|x|^p)^(1/p)`.
fn power_mean(sum: f64, p: f64) -> f64 {
    binary64::pow(sum, 1.0 / p)
}

/// A binary64 number rounded to a format.
fn fixed_f64(value: f64, format: Format) -> f64 {
    if format == BINARY32 { f64::from(value as f32) } else { value }
}
