//! Reductions by label of data that come in parts: mergeable and serialisable.

use std::sync::Arc;

use super::{label_groups, wrap};
use crate::array::{DynArray, Operand, Storage, collect};
use crate::plan::{GroupOp, GroupPlan, Grouped, Groups, Partials};
use crate::{Backend, Dtype, Error, Result};

/// The version of the byte form.
const VERSION: u8 = 1;
/// Bytes in front of the labels.
const HEAD: usize = 32;

/// What a reduction by label has found so far: exact sums, moments, extremes and counts, one per label. Those of parts of the
/// data merge exactly, and travel as bytes: all parts give the bits of one [`reduce_by_label`](Backend::reduce_by_label) of
/// everything. Made by [`Backend::label_partials`].
///
/// ```
/// # fn main() -> unisono::Result<()> {
/// use unisono::{AsOperand, Backend, GroupOp, LabelPartials};
/// let (backend, index) = (Backend::cpu(), [1, 2]);
/// let var = GroupOp::Var { ddof: 0 };
/// let part = |values: &[f64], labels: &[u8]| {
///     backend.label_partials(&values.as_operand(), &labels.as_operand(), var, Some(&index))
/// };
/// let mut all = part(&[1.0, 5.0], &[1, 2])?;
/// all.merge(&LabelPartials::from_bytes(&part(&[3.0, 7.0], &[1, 2])?.to_bytes())?)?;
/// assert_eq!(all.finish()?.typed::<f64>()?.into_vec()?, [1.0, 1.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LabelPartials {
    op: GroupOp,
    /// Dtype of the values.
    dtype: Dtype,
    /// The labels asked for; `None` for everything above 0 together.
    index: Option<Vec<i64>>,
    /// Elements so far, of any label.
    elements: u64,
    /// One group per label asked for.
    grouped: Grouped,
}

impl Backend {
    /// [`reduce_by_label`](Self::reduce_by_label), as partials that merge with those of other parts of the data.
    ///
    /// # Errors
    /// As [`reduce_by_label`](Self::reduce_by_label), and [`Error::Invalid`] for medians, which do not follow from parts.
    pub fn label_partials(
        &self,
        values: &Operand<'_>,
        labels: &Operand<'_>,
        op: GroupOp,
        index: Option<&[i64]>,
    ) -> Result<LabelPartials> {
        let (groups, places) = label_groups(labels.dtype(), index)?;
        let plan = GroupPlan::new(op, groups, (labels.dtype(), labels.shape()), Some((values.dtype(), values.shape())))?;
        let index = index.map(|index| collect(index.iter().copied())).transpose()?;
        let mut all = LabelPartials::empty(op, values.dtype(), index)?;
        let found = self.group_dyn(&plan, labels, Some(values))?;
        all.elements = plan.work();
        all.grouped = found.picked(&places, &all.grouped)?;
        Ok(all)
    }
}

impl LabelPartials {
    /// Those of nothing: the same labels, and values of this dtype.
    ///
    /// # Errors
    /// [`Error::Invalid`] for medians, [`Error::Dtype`] for complex dtypes, [`Error::OutOfMemory`].
    pub fn empty(op: GroupOp, dtype: Dtype, index: Option<Vec<i64>>) -> Result<Self> {
        if !op.is_mergeable() {
            return Err(Error::invalid("partials by label", op.name(), "an operation whose parts give the whole"));
        }
        let mut empty = Self { op, dtype, index, elements: 0, grouped: Grouped { counts: vec![], partials: None } };
        empty.grouped = empty.plan()?.empty()?;
        Ok(empty)
    }

    /// The plan that finishes them.
    fn plan(&self) -> Result<GroupPlan> {
        let count = self.index.as_ref().map_or(1, Vec::len);
        GroupPlan::new(self.op, Groups::Consecutive { first: 0, count }, (Dtype::I64, &[0]), Some((self.dtype, &[0])))
    }

    /// The operation.
    pub fn op(&self) -> GroupOp {
        self.op
    }

    /// Dtype of the values.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The labels asked for; `None` for everything above 0 together.
    pub fn index(&self) -> Option<&[i64]> {
        self.index.as_deref()
    }

    /// How many elements there were, of any label: what the indices of parts that follow count from.
    pub fn elements(&self) -> u64 {
        self.elements
    }

    /// How many elements each label has.
    pub fn counts(&self) -> &[u64] {
        &self.grouped.counts
    }

    /// Appends the elements of another part: indices of extremes count on, everything else has no order.
    ///
    /// # Errors
    /// [`Error::Invalid`] for another operation or other labels, [`Error::Dtype`] for values of another dtype.
    pub fn merge(&mut self, later: &Self) -> Result<()> {
        if self.op != later.op {
            return Err(Error::invalid("partials by label to merge", format!("{:?}", later.op), format!("{:?}", self.op)));
        }
        if self.index != later.index {
            return Err(Error::invalid("partials by label to merge", "other labels", "the same labels in the same order"));
        }
        if self.dtype != later.dtype {
            let expected = self.dtype.to_string();
            return Err(Error::Dtype { what: "partials by label to merge".into(), got: later.dtype, expected });
        }
        self.grouped.merge(&later.grouped, self.op, self.elements)?;
        self.elements += later.elements;
        Ok(())
    }

    /// The results: what [`reduce_by_label`](Backend::reduce_by_label) gives for all elements.
    ///
    /// # Errors
    /// [`Error::Overflow`] if the sum of integers does not fit.
    pub fn finish(&self) -> Result<DynArray> {
        let vec = self.plan()?.finish(&self.grouped)?;
        let shape = self.index.as_ref().map_or_else(Vec::new, |index| vec![index.len()]);
        wrap(vec.dtype(), shape, Some(Storage::Host(Arc::new(vec))))
    }

    /// The byte form: a version byte, the operation, the dtype, whether there are labels, four zeros; `ddof`, the number of
    /// elements, of labels, the labels, how many elements each has, and [`Partials::to_bytes`]. All numbers with their least
    /// significant byte first.
    pub fn to_bytes(&self) -> Vec<u8> {
        let op = GroupOp::ALL.iter().position(|&op| op == self.op.ddof(0)).unwrap_or_default() as u8;
        let ddof = match self.op {
            GroupOp::Var { ddof } | GroupOp::Std { ddof } => ddof,
            _ => 0,
        };
        let mut bytes = vec![VERSION, op, self.dtype as u8, u8::from(self.index.is_some()), 0, 0, 0, 0];
        let index = self.index.as_deref().unwrap_or(&[]);
        [ddof, self.elements, index.len() as u64].iter().for_each(|word| bytes.extend(word.to_le_bytes()));
        index.iter().for_each(|label| bytes.extend(label.to_le_bytes()));
        self.grouped.counts.iter().for_each(|count| bytes.extend(count.to_le_bytes()));
        bytes.extend(self.grouped.partials.iter().flat_map(Partials::to_bytes));
        bytes
    }

    /// Reads [`to_bytes`](Self::to_bytes)'s form.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for another version or length, or bytes that no partials by label have.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let corrupt = |reason: String| Error::Corrupt { what: "partials by label".into(), reason };
        let short = || corrupt(format!("{} bytes", bytes.len()));
        let (head, rest) = bytes.split_at_checked(HEAD).ok_or_else(short)?;
        if head[0] != VERSION {
            return Err(corrupt(format!("version {}, expected {VERSION}", head[0])));
        }
        let words = |bytes: &[u8]| bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).collect::<Vec<_>>();
        let numbers = words(&head[8..]);
        let (ddof, elements, labels) = (numbers[0], numbers[1], usize::try_from(numbers[2]).unwrap_or(usize::MAX));
        let (Some(op), Some(&dtype)) = (GroupOp::ALL.get(usize::from(head[1])), Dtype::ALL.get(usize::from(head[2]))) else {
            return Err(corrupt(format!("unknown operation {} of dtype {}", head[1], head[2])));
        };
        if head[3] > 1 || head[4..8] != [0; 4] || (head[3] == 0 && labels > 0) || (op.ddof(ddof) == *op && ddof > 0) {
            return Err(corrupt(format!("unknown flags {:?}", &head[3..8])));
        }
        let split = |bytes: &'_ [u8], n: usize| n.checked_mul(8).filter(|&n| n <= bytes.len());
        let at = split(rest, labels).ok_or_else(short)?;
        let (index, rest) = rest.split_at(at);
        let groups = if head[3] == 1 { labels } else { 1 };
        let at = split(rest, groups).ok_or_else(short)?;
        let (counts, rest) = rest.split_at(at);
        let index = (head[3] == 1).then(|| words(index).into_iter().map(|label| label as i64).collect());
        let mut all = Self::empty(op.ddof(ddof), dtype, index).map_err(|error| match error {
            Error::OutOfMemory { .. } => error,
            other => corrupt(other.to_string()),
        })?;
        let partials = if rest.is_empty() { None } else { Some(Partials::from_bytes(rest)?) };
        let found = Grouped { counts: words(counts), partials };
        if found.counts.iter().any(|&count| count > elements) {
            return Err(corrupt("a label with more elements than there are".into()));
        }
        all.grouped.merge(&found, all.op, 0).map_err(|error| corrupt(error.to_string()))?;
        Ok(Self { elements, ..all })
    }
}
