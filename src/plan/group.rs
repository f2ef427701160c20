//! Reductions group by group: which group an element belongs to is told by a second array, its key.
//!
//! Histograms, counts of integers and reductions by label are all of this kind. Groups are told by order keys, unsigned
//! integers that grow with the value, so that every device decides alike.

mod groups;
mod op;

pub use groups::Groups;
pub(crate) use groups::Number;
pub use op::GroupOp;

use super::Between;
use crate::array::{HostVec, collect, filled, room, zeros};
use crate::dtype::{private::Host, with_dtype};
use crate::exact::Moments;
use crate::plan::{Ordered, Partials};
use crate::{Dtype, Error, ExactSum, Result};

/// A reduction group by group, ready for an engine.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupPlan {
    /// The operation.
    pub op: GroupOp,
    /// Shape of the keys and of the values.
    pub shape: Vec<usize>,
    /// Dtype of the keys.
    pub keys: Dtype,
    /// Dtype of the values; `None` where keys are counted only.
    pub values: Option<Dtype>,
    /// The groups.
    pub groups: Groups,
    /// Between which bounds the values of each group are counted, if they are: as many counts for every group.
    pub cells: Option<Groups>,
}

impl GroupPlan {
    /// Checks keys and values against each other.
    ///
    /// # Errors
    /// [`Error::Invalid`] for values of another shape and for values that are missing, [`Error::Dtype`] for complex dtypes.
    pub fn new(op: GroupOp, groups: Groups, keys: (Dtype, &[usize]), values: Option<(Dtype, &[usize])>) -> Result<Self> {
        for (what, dtype) in [Some(("keys", keys.0)), values.map(|values| ("values", values.0))].into_iter().flatten() {
            if dtype.is_complex() {
                return Err(Error::Dtype { what: what.into(), got: dtype, expected: "a real dtype".into() });
            }
        }
        if let Some((_, shape)) = values
            && shape != keys.1
        {
            return Err(Error::invalid(
                "shape of the values",
                format!("{shape:?}"),
                format!("{:?}, that of their groups", keys.1),
            ));
        }
        if values.is_none() && op != GroupOp::Count {
            return Err(Error::invalid(format!("values for {}", op.name()), "none", "an array"));
        }
        if groups.len() >= u32::MAX as usize {
            return Err(Error::invalid("groups", groups.len(), "fewer than 2^32"));
        }
        let values = values.map(|values| values.0).filter(|_| op != GroupOp::Count);
        Ok(Self { op, shape: keys.1.to_vec(), keys: keys.0, values, groups, cells: None })
    }

    /// Counts the values of each group between bounds: a histogram for every group.
    ///
    /// # Errors
    /// As [`new`](Self::new), and [`Error::Invalid`] for 2^32 counts and more.
    pub fn histograms(groups: Groups, cells: Groups, keys: (Dtype, &[usize]), values: (Dtype, &[usize])) -> Result<Self> {
        let plan = Self::new(GroupOp::Count, groups, keys, Some(values))?;
        let counts = plan.groups.len().checked_mul(cells.len()).filter(|&n| n < u32::MAX as usize);
        if counts.is_none() {
            let got = format!("{} groups of {} bins", plan.groups.len(), cells.len());
            return Err(Error::invalid("histograms", got, "fewer than 2^32 counts"));
        }
        Ok(Self { values: Some(values.0), cells: Some(cells), ..plan })
    }

    /// The number of results: one per group, or one per bin of each.
    pub fn results(&self) -> usize {
        self.groups.len() * self.cells.as_ref().map_or(1, Groups::len)
    }

    /// Elements read: the unit of progress and of cost.
    pub fn work(&self) -> u64 {
        self.shape.iter().map(|&n| n as u64).product()
    }

    /// Dtype of the result.
    pub fn out_dtype(&self) -> Dtype {
        self.op.out_dtype(self.values.unwrap_or(self.keys))
    }

    /// The same reduction of the part of keys and values in `range` along the first axis.
    pub(crate) fn narrow(&self, range: &std::ops::Range<usize>) -> Self {
        let mut part = self.clone();
        part.shape[0] = range.len();
        part
    }

    /// The partials of nothing.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn empty(&self) -> Result<Grouped> {
        let n = self.results();
        let floats = self.values.is_some_and(Dtype::is_float);
        let partials = match self.op {
            GroupOp::Count => None,
            GroupOp::Sum | GroupOp::Mean if floats => Some(Partials::Float(filled(ExactSum::new(), n)?)),
            GroupOp::Sum | GroupOp::Mean => Some(Partials::Integer(filled(0, n)?)),
            GroupOp::Var { .. } | GroupOp::Std { .. } => Some(Partials::Moments(filled(Moments::new(), n)?)),
            GroupOp::Median => Some(Partials::Range(filled(None, n)?)),
            GroupOp::Min | GroupOp::Max => Some(Partials::Extreme(filled(None, n)?)),
            GroupOp::ArgMin | GroupOp::ArgMax => Some(Partials::Arg(filled(None, n)?)),
        };
        Ok(Grouped { counts: zeros(n)?, partials })
    }

    /// The results: the one rounding of exact values.
    ///
    /// # Errors
    /// [`Error::Overflow`] if the sum of integers does not fit, [`Error::OutOfMemory`].
    pub fn finish(&self, grouped: &Grouped) -> Result<HostVec> {
        fn whole<T: TryFrom<i128>>(sums: &[i128], overflow: impl Fn() -> Error) -> Result<Vec<T>> {
            let mut all = room(sums.len())?;
            for &sum in sums {
                all.push(T::try_from(sum).map_err(|_| overflow())?);
            }
            Ok(all)
        }
        let overflow = || Error::Overflow { op: self.op.name(), out_dtype: self.out_dtype() };
        let mean = self.op == GroupOp::Mean;
        let counts = &grouped.counts;
        Ok(match &grouped.partials {
            Some(Partials::Float(sums)) if mean => {
                HostVec::F64(collect(sums.iter().zip(counts).map(|(sum, &count)| sum.mean_f64(count)))?)
            }
            Some(Partials::Float(sums)) => HostVec::F64(collect(sums.iter().map(ExactSum::to_f64))?),
            Some(Partials::Integer(sums)) if mean => {
                HostVec::F64(collect(sums.iter().zip(counts).map(|(&sum, &count)| crate::exact::ratio_f64(sum, count)))?)
            }
            Some(Partials::Integer(sums)) if self.out_dtype() == Dtype::U64 => HostVec::U64(whole(sums, overflow)?),
            Some(Partials::Integer(sums)) => HostVec::I64(whole(sums, overflow)?),
            Some(Partials::Moments(moments)) => HostVec::F64(collect(moments.iter().map(|moments| self.deviation(moments)))?),
            Some(Partials::Range(middles)) => with_dtype!(self.values.unwrap_or(self.keys), T => {
                HostVec::F64(collect(middles.iter().map(|keys| keys.map_or(f64::NAN, middle::<T>)))?)
            }),
            Some(Partials::Extreme(keys)) => with_dtype!(self.out_dtype(), T => {
                T::into_host(collect(keys.iter().map(|key| key.map_or(T::ZERO, T::from_key)))?)
            }),
            Some(Partials::Arg(found)) => HostVec::U64(collect(found.iter().map(|found| found.map_or(0, |found| found.1)))?),
            _ => HostVec::U64(collect(counts.iter().copied())?),
        })
    }

    /// The variance or its root.
    fn deviation(&self, moments: &Moments) -> f64 {
        match self.op {
            GroupOp::Std { ddof } => moments.std(ddof),
            GroupOp::Var { ddof } => moments.variance(ddof),
            _ => f64::NAN,
        }
    }
}

/// The mean of the elements with these keys, rounded once to binary64.
fn middle<T: Between>((low, high): (u64, u64)) -> f64 {
    let (low, high) = (T::from_key(low), T::from_key(high));
    // Sums of binary32 numbers halve exactly in binary64.
    if T::DTYPE == Dtype::F32 { low.number().mean(high.number()) } else { low.mean(high) }
}

/// Mergeable results of a reduction by groups: how many elements each has, and what is computed of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Grouped {
    /// Elements per group.
    pub counts: Vec<u64>,
    /// Per group; `None` where elements are counted only.
    pub partials: Option<Partials>,
}

impl Grouped {
    /// The groups at these places, those of `empty` where there is none.
    pub(crate) fn picked(&self, places: &[Option<usize>], empty: &Self) -> Result<Self> {
        fn pick<T: Clone>(from: &[T], places: &[Option<usize>], empty: &[T]) -> Result<Vec<T>> {
            let at = |(place, empty): (&Option<usize>, &T)| place.and_then(|place| from.get(place)).unwrap_or(empty).clone();
            collect(places.iter().zip(empty).map(at))
        }
        let partials = match self.partials.as_ref().zip(empty.partials.as_ref()) {
            Some((Partials::Float(a), Partials::Float(b))) => Some(Partials::Float(pick(a, places, b)?)),
            Some((Partials::Integer(a), Partials::Integer(b))) => Some(Partials::Integer(pick(a, places, b)?)),
            Some((Partials::Moments(a), Partials::Moments(b))) => Some(Partials::Moments(pick(a, places, b)?)),
            Some((Partials::Range(a), Partials::Range(b))) => Some(Partials::Range(pick(a, places, b)?)),
            Some((Partials::Extreme(a), Partials::Extreme(b))) => Some(Partials::Extreme(pick(a, places, b)?)),
            Some((Partials::Arg(a), Partials::Arg(b))) => Some(Partials::Arg(pick(a, places, b)?)),
            _ => None,
        };
        Ok(Self { counts: pick(&self.counts, places, &empty.counts)?, partials })
    }

    /// Adds those of another part of the same arrays, whose first element has this index.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the two are not of the same reduction, and for medians.
    pub fn merge(&mut self, other: &Self, op: GroupOp, index_offset: u64) -> Result<()> {
        match (&mut self.partials, &other.partials) {
            _ if !op.is_mergeable() => {
                return Err(Error::invalid("groups to merge", op.name(), "an operation whose parts give the whole"));
            }
            (Some(partials), Some(more)) => partials.merge(more, op.reduction(), index_offset)?,
            (None, None) if self.counts.len() == other.counts.len() => {}
            _ => return Err(Error::invalid("groups", "two of different kind or length", "groups of one reduction")),
        }
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
        Ok(())
    }
}
