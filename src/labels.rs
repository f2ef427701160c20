//! The handle's reductions by group: histograms, counts of integers, reductions by label.

mod partials;

pub use partials::LabelPartials;

use crate::array::{AsOperand, DynArray, Operand, Storage, collect, room};
use crate::backend::wrap;
use crate::dtype::with_dtype;
use crate::engine::Work;
use crate::histogram::{Bins, Histogram};
use crate::plan::{GroupOp, GroupPlan, Grouped, Groups, Number, Partials, Reduce, ReduceOp};
use crate::{Backend, Dtype, Error, Real, Result};
use std::sync::Arc;

impl Backend {
    /// Reduces by groups, with dtypes erased, to mergeable results.
    ///
    /// # Errors
    /// The failures of the device.
    pub fn group_dyn(&self, plan: &GroupPlan, keys: &Operand<'_>, values: Option<&Operand<'_>>) -> Result<Grouped> {
        self.control().expect(plan.work());
        let values = values.map(Operand::input);
        self.engine().group(plan, &keys.input(), values.as_ref(), self.control())
    }

    /// Where a reduction by groups of operands in host memory would run, and why.
    pub fn explain_group(&self, plan: &GroupPlan) -> String {
        let size = plan.keys.size() + plan.values.map_or(0, Dtype::size);
        self.engine().explain(Work::Group(plan, plan.work() * size as u64))
    }

    /// How many elements lie between the edges of bins: `numpy.histogram`. Bins are half open, the last one is closed;
    /// elements outside of all, and NaN, are passed over. The counts are the same on every device.
    ///
    /// # Errors
    /// [`Error::Invalid`] for no bins, edges that descend, and a range that is not finite; the failures of the device.
    ///
    /// ```
    /// # fn main() -> unisono::Result<()> {
    /// use unisono::{Backend, Bins};
    /// let histogram = Backend::cpu().histogram(&[1, 2, 2, 5], &Bins::uniform(4))?;
    /// assert_eq!((histogram.counts(), histogram.edges()), (&[1, 2, 0, 1][..], &[1.0, 2.0, 3.0, 4.0, 5.0][..]));
    /// # Ok(())
    /// # }
    /// ```
    pub fn histogram<A: AsOperand<Elem: Real> + ?Sized>(&self, array: &A, bins: &Bins) -> Result<Histogram> {
        self.histogram_dyn(&array.as_operand(), None, bins)
    }

    /// [`histogram`](Self::histogram) of weights: their sums instead of counts, exact, rounded once when read.
    ///
    /// # Errors
    /// As [`histogram`](Self::histogram), and [`Error::Invalid`] if the shapes differ.
    pub fn histogram_weighted<A, W>(&self, array: &A, weights: &W, bins: &Bins) -> Result<Histogram>
    where
        A: AsOperand<Elem: Real> + ?Sized,
        W: AsOperand<Elem: Real> + ?Sized,
    {
        self.histogram_dyn(&array.as_operand(), Some(&weights.as_operand()), bins)
    }

    /// [`histogram`](Self::histogram) with dtypes erased, and weights if there are any.
    ///
    /// # Errors
    /// As [`histogram_weighted`](Self::histogram_weighted).
    pub fn histogram_dyn(&self, array: &Operand<'_>, weights: Option<&Operand<'_>>, bins: &Bins) -> Result<Histogram> {
        let edges = self.edges(array, bins)?;
        let shapes = (array.dtype(), array.shape());
        let plan = Histogram::plan(&edges, shapes, weights.map(|weights| (weights.dtype(), weights.shape())))?;
        Ok(Histogram::new(edges, self.group_dyn(&plan, array, weights)?))
    }

    /// The edges of bins for these elements.
    fn edges(&self, array: &Operand<'_>, bins: &Bins) -> Result<Vec<f64>> {
        bins.resolve(|| {
            if array.shape().contains(&0) {
                return Ok(None);
            }
            Ok(Some((self.extreme(array, ReduceOp::Min)?, self.extreme(array, ReduceOp::Max)?)))
        })
    }

    /// The smallest or largest element, rounded to binary64.
    fn extreme(&self, array: &Operand<'_>, op: ReduceOp) -> Result<f64> {
        let result = self.reduce_dyn(array, &Reduce::of(op))?;
        with_dtype!(array.dtype(), T => Ok(Number::number(result.typed::<T>()?.item()?)))
    }

    /// How often each integer from 0 to the largest one occurs, up to `minlength − 1` at least: `numpy.bincount`. `weights` give
    /// exact sums of them, rounded once to float64.
    ///
    /// # Errors
    /// [`Error::Dtype`] for other dtypes than integers and [`Error::Invalid`] for negative elements and for weights of another
    /// shape; the failures of the device.
    ///
    /// ```
    /// # fn main() -> unisono::Result<()> {
    /// use unisono::{AsOperand, Backend};
    /// let counts = Backend::cpu().bincount(&[0, 2, 2, 5].as_operand(), None, 0)?;
    /// assert_eq!(counts.typed::<u64>()?.into_vec()?, [1, 0, 2, 0, 0, 1]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn bincount(&self, array: &Operand<'_>, weights: Option<&Operand<'_>>, minlength: usize) -> Result<DynArray> {
        let dtype = array.dtype();
        if dtype.integer_range().is_none() {
            return Err(Error::Dtype { what: "bincount".into(), got: dtype, expected: "integers".into() });
        }
        let mut length = minlength;
        if !array.shape().contains(&0) {
            if dtype.is_signed_integer() && self.extreme(array, ReduceOp::Min)? < 0.0 {
                return Err(Error::invalid("bincount", "negative elements", "elements of at least 0"));
            }
            let largest = self.extreme(array, ReduceOp::Max)?;
            if largest >= f64::from(u32::MAX - 1) {
                return Err(Error::invalid("largest element of bincount", largest, "less than 2^32 - 2"));
            }
            length = length.max(largest as usize + 1);
        }
        let first = if dtype.is_signed_integer() { 1 << 63 } else { 0 };
        let groups = Groups::Consecutive { first, count: length };
        let op = if weights.is_some() { GroupOp::Sum } else { GroupOp::Count };
        let second = weights.map(|weights| (weights.dtype(), weights.shape()));
        let plan = GroupPlan::new(op, groups, (dtype, array.shape()), second)?;
        let grouped = self.group_dyn(&plan, array, weights)?;
        let vec = match &grouped.partials {
            Some(Partials::Integer(sums)) => crate::HostVec::F64(collect(sums.iter().map(|&sum| sum as f64))?),
            None => crate::HostVec::U64(grouped.counts),
            _ => plan.finish(&grouped)?,
        };
        wrap(vec.dtype(), vec![length], Some(Storage::Host(Arc::new(vec))))
    }

    /// A reduction of the elements of each label in `index`: `scipy.ndimage.sum_labels`, `mean`, `minimum` and their like. The
    /// result has an element per label in `index`; without an index, one for all labels above 0 together.
    ///
    /// **Numerics.** Sums, means, variances and deviations are exact, rounded once to float64 (sums of integers: 64 bits); the
    /// same on every device.
    ///
    /// **Cost.** One pass over the data; a state per group and task, of up to some kilobytes for variances. Medians bring the
    /// values together in memory on a CPU, and are found by selection, in time proportional to their number.
    ///
    /// # Errors
    /// [`Error::Dtype`] for labels that are no integers, [`Error::Invalid`] if the shapes differ, [`Error::Overflow`] if the sum
    /// of integers does not fit; the failures of the device.
    ///
    /// ```
    /// # fn main() -> unisono::Result<()> {
    /// use unisono::{AsOperand, Backend, GroupOp};
    /// let (values, labels) = ([1.0, 2.0, 4.0, 8.0], [1u8, 3, 1, 0]);
    /// let sums = Backend::cpu().reduce_by_label(&values.as_operand(), &labels.as_operand(), GroupOp::Sum, Some(&[1, 2, 3]))?;
    /// assert_eq!(sums.typed::<f64>()?.into_vec()?, [5.0, 0.0, 2.0]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn reduce_by_label(
        &self,
        values: &Operand<'_>,
        labels: &Operand<'_>,
        op: GroupOp,
        index: Option<&[i64]>,
    ) -> Result<DynArray> {
        let (groups, places) = label_groups(labels.dtype(), index)?;
        let plan = GroupPlan::new(op, groups, (labels.dtype(), labels.shape()), Some((values.dtype(), values.shape())))?;
        let found = self.group_dyn(&plan, labels, Some(values))?;
        let whole = plan.finish(&found)?;
        let shape = if index.is_some() { vec![places.len()] } else { vec![] };
        let missing = op.is_nan_of_nothing();
        let vec = with_dtype!(whole.dtype(), T => {
            let all = <T as crate::dtype::private::Host>::from_host(whole).unwrap_or_default();
            let none = if missing { <T as crate::plan::Ordered>::from_key(u64::MAX) } else { <T as crate::dtype::private::Host>::ZERO };
            let pick = |place: Option<usize>| place.and_then(|place| all.get(place).copied()).unwrap_or(none);
            <T as crate::dtype::private::Host>::into_host(collect(places.into_iter().map(pick))?)
        });
        wrap(vec.dtype(), shape, Some(Storage::Host(Arc::new(vec))))
    }

    /// A histogram of the values of each label in `index`: `scipy.ndimage.histogram`. The result has a row per label in `index`
    /// and a column per bin; without an index, one row for all labels above 0 together. The counts are the same on every device.
    ///
    /// # Errors
    /// As [`reduce_by_label`](Self::reduce_by_label) and [`histogram`](Self::histogram).
    ///
    /// ```
    /// # fn main() -> unisono::Result<()> {
    /// use unisono::{AsOperand, Backend, Bins};
    /// let (values, labels) = ([0.5, 1.5, 1.7, 0.2], [1u8, 1, 2, 1]);
    /// let bins = Bins::uniform(2).range(0.0, 2.0);
    /// let counts = Backend::cpu().histogram_by_label(&values.as_operand(), &labels.as_operand(), &bins, Some(&[1, 2, 3]))?;
    /// assert_eq!(counts.shape(), [3, 2]);
    /// assert_eq!(counts.typed::<u64>()?.into_vec()?, [2, 1, 0, 1, 0, 0]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn histogram_by_label(
        &self,
        values: &Operand<'_>,
        labels: &Operand<'_>,
        bins: &Bins,
        index: Option<&[i64]>,
    ) -> Result<DynArray> {
        let (groups, places) = label_groups(labels.dtype(), index)?;
        let cells = Groups::between(&self.edges(values, bins)?, values.dtype())?;
        let (n, shapes) = (cells.len(), [(labels.dtype(), labels.shape()), (values.dtype(), values.shape())]);
        let plan = GroupPlan::histograms(groups, cells, shapes[0], shapes[1])?;
        let counts = self.group_dyn(&plan, labels, Some(values))?.counts;
        let shape = if index.is_some() { vec![places.len(), n] } else { vec![n] };
        let mut rows = room(places.len().saturating_mul(n))?;
        for place in places {
            match place {
                Some(place) => rows.extend_from_slice(&counts[place * n..(place + 1) * n]),
                None => rows.resize(rows.len() + n, 0),
            }
        }
        let vec = crate::HostVec::U64(rows);
        wrap(vec.dtype(), shape, Some(Storage::Host(Arc::new(vec))))
    }
}

/// The groups that labels of this dtype make, and for each label asked for the group that it is, if the dtype has it.
fn label_groups(dtype: Dtype, index: Option<&[i64]>) -> Result<(Groups, Vec<Option<usize>>)> {
    let Some(index) = index else {
        // Everything above 0.
        let Some((_, most)) = dtype.integer_range() else {
            return Err(Error::Dtype { what: "labels".into(), got: dtype, expected: "integers".into() });
        };
        let shift = if dtype.is_signed_integer() { 1i128 << 63 } else { 0 };
        let (lower, last) = (vec![(1 + shift) as u64], (most + shift) as u64);
        return Ok((Groups::Between { lower, last, count: 1, even: None }, vec![Some(0)]));
    };
    Groups::of_labels(index, dtype)
}
