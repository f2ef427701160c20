//! Reductions group by group: which group an element belongs to is told by a second array, its key.
//!
//! Histograms, counts of integers and reductions by label are all of this kind. Groups are told by order keys, unsigned
//! integers that grow with the value, so that every device decides alike.

use crate::array::HostVec;
use crate::dtype::{private::Host, with_dtype};
use crate::plan::{Ordered, Partials, ReduceOp};
use crate::{Dtype, Error, ExactSum, Result};

/// What is computed of each group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GroupOp {
    /// The number of elements.
    Count,
    /// The sum; of floats exact, rounded once to float64.
    Sum,
    /// The mean, rounded once to float64; NaN for nothing.
    Mean,
    /// The smallest element; NaN if there is one, 0 for nothing.
    Min,
    /// The largest element; NaN if there is one, 0 for nothing.
    Max,
    /// The index of the first smallest element, in C order; 0 for nothing.
    ArgMin,
    /// The index of the first largest element, in C order; 0 for nothing.
    ArgMax,
}

impl GroupOp {
    /// Every operation.
    pub const ALL: [Self; 7] = [Self::Count, Self::Sum, Self::Mean, Self::Min, Self::Max, Self::ArgMin, Self::ArgMax];

    /// The usual name: `count`, `sum` …
    pub const fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Mean => "mean",
            Self::Min => "min",
            Self::Max => "max",
            Self::ArgMin => "argmin",
            Self::ArgMax => "argmax",
        }
    }

    /// The dtype of the result for values of `dtype`: float64 for sums and means of floats, as SciPy's.
    pub const fn out_dtype(self, dtype: Dtype) -> Dtype {
        match self {
            Self::Count | Self::ArgMin | Self::ArgMax => Dtype::U64,
            Self::Sum if dtype.is_float() => Dtype::F64,
            Self::Sum => ReduceOp::Sum.out_dtype(dtype),
            Self::Mean => Dtype::F64,
            Self::Min | Self::Max => dtype,
        }
    }

    /// The reduction that merges its partials.
    pub(crate) const fn reduction(self) -> ReduceOp {
        match self {
            Self::Count => ReduceOp::CountNonzero,
            Self::Sum => ReduceOp::Sum,
            Self::Mean => ReduceOp::Mean,
            Self::Min => ReduceOp::Min,
            Self::Max => ReduceOp::Max,
            Self::ArgMin => ReduceOp::ArgMin,
            Self::ArgMax => ReduceOp::ArgMax,
        }
    }
}

impl std::str::FromStr for GroupOp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|op| op.name() == text);
        found.ok_or_else(|| Error::invalid("operation by group", format!("{text:?}"), Self::ALL.map(Self::name).join(", ")))
    }
}

/// Which keys make which group.
#[derive(Debug, Clone, PartialEq)]
pub enum Groups {
    /// Group `i` has the order key `first + i`.
    Consecutive {
        /// The key of the first group.
        first: u64,
        /// How many.
        count: usize,
    },
    /// Group `i` has the `i`-th of these order keys, which ascend.
    Listed(Vec<u64>),
    /// Group `i` has the order keys from `lower[i]` to below `lower[i + 1]`, the last one to `last`, including it. Groups
    /// beyond are empty.
    Between {
        /// The least key of each group, not descending.
        lower: Vec<u64>,
        /// The largest key of the last group.
        last: u64,
        /// How many groups there are, the empty ones at the end included.
        count: usize,
        /// The first edge and the groups per unit, if they are equally wide: a hint.
        even: Option<(f64, f64)>,
    },
}

impl Groups {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::Consecutive { count, .. } | Self::Between { count, .. } => *count,
            Self::Listed(keys) => keys.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The groups between edges that do not descend: half open, `edges[i] <= x < edges[i + 1]`, the last one closed. `x` is
    /// rounded to binary64 where it has more bits, as NumPy's comparison does.
    pub(crate) fn between(edges: &[f64], dtype: Dtype) -> Result<Self> {
        let wrong =
            edges.len() < 2 || edges.windows(2).any(|pair| pair[0].partial_cmp(&pair[1]).is_none_or(std::cmp::Ordering::is_gt));
        if wrong {
            let got = format!("{} edges", edges.len());
            return Err(Error::invalid("edges of bins", got, "at least two numbers that do not descend"));
        }
        let count = edges.len() - 1;
        let (first, end) = (edges[0], edges[count]);
        with_dtype!(dtype, T => {
            let lower: Vec<u64> = edges[..count].iter().map_while(|&edge| least::<T>(|x| x >= edge)).collect();
            let last = match least::<T>(|x| x > end) {
                None => Some(bounds::<T>().1),
                // Nothing may be at or below the last edge.
                Some(above) if above == bounds::<T>().0 => None,
                Some(above) => Some(above - 1),
            };
            let scale = count as f64 / (end - first);
            let even = scale.is_finite() && edges.iter().enumerate().all(|(i, edge)| ((edge - first) * scale - i as f64).abs() < 0.5);
            let (lower, last) = last.map_or((vec![], 0), |last| (lower, last));
            Ok(Self::Between { lower, last, count, even: even.then_some((first, scale)) })
        })
    }

    /// The groups of these integers, ascending and different, as labels of this dtype, and for each label the group that it
    /// is, if the dtype has it.
    pub(crate) fn of_labels(labels: &[i64], dtype: Dtype) -> Result<(Self, Vec<Option<usize>>)> {
        let Some((least, most)) = dtype.integer_range() else {
            return Err(Error::Dtype { what: "labels".into(), got: dtype, expected: "integers".into() });
        };
        let key = |label: i64| {
            let fits = (least..=most).contains(&i128::from(label));
            fits.then_some(if dtype.is_signed_integer() { (label as u64) ^ (1 << 63) } else { label as u64 })
        };
        let mut keys: Vec<u64> = labels.iter().filter_map(|&label| key(label)).collect();
        keys.sort_unstable();
        keys.dedup();
        let places = labels.iter().map(|&label| key(label).and_then(|key| keys.binary_search(&key).ok())).collect();
        let groups = match (keys.first(), keys.last()) {
            (Some(&first), Some(&last)) if last - first == keys.len() as u64 - 1 => {
                Self::Consecutive { first, count: keys.len() }
            }
            _ => Self::Listed(keys),
        };
        Ok((groups, places))
    }
}

/// A number of any dtype, rounded to binary64.
pub(crate) trait Number: Ordered {
    fn number(self) -> f64;
}

macro_rules! numbers {
    ($($T:ty)*) => {$(impl Number for $T {
        #[inline(always)]
        fn number(self) -> f64 { self as f64 }
    })*};
}
numbers!(u8 i8 u16 i16 u32 i32 u64 i64 f32 f64);

impl Number for bool {
    #[inline(always)]
    fn number(self) -> f64 {
        f64::from(u8::from(self))
    }
}

/// The least and the largest order key of a dtype's numbers.
fn bounds<T: crate::Element>() -> (u64, u64) {
    match T::DTYPE {
        Dtype::F32 => (f32::NEG_INFINITY.key(), f32::INFINITY.key()),
        Dtype::F64 => (f64::NEG_INFINITY.key(), f64::INFINITY.key()),
        dtype => {
            let (least, most) = dtype.integer_range().unwrap_or((0, 0));
            let shift = if dtype.is_signed_integer() { 1i128 << 63 } else { 0 };
            ((least + shift) as u64, (most + shift) as u64)
        }
    }
}

/// The least order key whose number satisfies `wanted`, which holds from some number on.
fn least<T: Number + crate::Element>(wanted: impl Fn(f64) -> bool) -> Option<u64> {
    let (mut low, high) = bounds::<T>();
    if !wanted(T::from_key(high).number()) {
        return None;
    }
    let mut found = high;
    while low < found {
        let middle = low + (found - low) / 2;
        if wanted(T::from_key(middle).number()) {
            found = middle;
        } else {
            low = middle + 1;
        }
    }
    Some(found)
}

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
        Ok(Self { op, shape: keys.1.to_vec(), keys: keys.0, values, groups })
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
    pub fn empty(&self) -> Grouped {
        let n = self.groups.len();
        let floats = self.values.is_some_and(Dtype::is_float);
        let partials = match self.op {
            GroupOp::Count => None,
            GroupOp::Sum | GroupOp::Mean if floats => Some(Partials::Float(vec![ExactSum::new(); n])),
            GroupOp::Sum | GroupOp::Mean => Some(Partials::Integer(vec![0; n])),
            GroupOp::Min | GroupOp::Max => Some(Partials::Extreme(vec![None; n])),
            GroupOp::ArgMin | GroupOp::ArgMax => Some(Partials::Arg(vec![None; n])),
        };
        Grouped { counts: vec![0; n], partials }
    }

    /// The results: the one rounding of exact values.
    ///
    /// # Errors
    /// [`Error::Overflow`] if the sum of integers does not fit.
    pub fn finish(&self, grouped: &Grouped) -> Result<HostVec> {
        let overflow = |_| Error::Overflow { op: self.op.name(), out_dtype: self.out_dtype() };
        let mean = self.op == GroupOp::Mean;
        let counts = &grouped.counts;
        Ok(match &grouped.partials {
            Some(Partials::Float(sums)) if mean => {
                HostVec::F64(sums.iter().zip(counts).map(|(sum, &count)| sum.mean_f64(count)).collect())
            }
            Some(Partials::Float(sums)) => HostVec::F64(sums.iter().map(ExactSum::to_f64).collect()),
            Some(Partials::Integer(sums)) if mean => {
                HostVec::F64(sums.iter().zip(counts).map(|(&sum, &count)| crate::exact::ratio_f64(sum, count)).collect())
            }
            Some(Partials::Integer(sums)) if self.out_dtype() == Dtype::U64 => {
                HostVec::U64(sums.iter().map(|&sum| u64::try_from(sum).map_err(overflow)).collect::<Result<_>>()?)
            }
            Some(Partials::Integer(sums)) => {
                HostVec::I64(sums.iter().map(|&sum| i64::try_from(sum).map_err(overflow)).collect::<Result<_>>()?)
            }
            Some(Partials::Extreme(keys)) => with_dtype!(self.out_dtype(), T => {
                T::into_host(keys.iter().map(|key| key.map_or(T::ZERO, T::from_key)).collect())
            }),
            Some(Partials::Arg(found)) => HostVec::U64(found.iter().map(|found| found.map_or(0, |found| found.1)).collect()),
            _ => HostVec::U64(counts.clone()),
        })
    }
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
    /// Adds those of another part of the same arrays, whose first element has this index.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the two are not of the same reduction.
    pub fn merge(&mut self, other: &Self, op: GroupOp, index_offset: u64) -> Result<()> {
        match (&mut self.partials, &other.partials) {
            (Some(partials), Some(more)) => partials.merge(more, op.reduction(), index_offset)?,
            (None, None) if self.counts.len() == other.counts.len() => {}
            _ => return Err(Error::invalid("groups", "two of different kind or length", "groups of one reduction")),
        }
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
        Ok(())
    }
}
