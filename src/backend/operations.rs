//! The handle's operations from arrays to arrays: scans, order statistics, logarithms of sums of exponentials.

use super::{Backend, deliver, wrap};
use crate::array::{Array, AsOperand, DynArray, Operand, Output};
use crate::engine::{Target, Work};
use crate::plan::{Beside, LogSumExp, LogSumExpPlan, Operation, Quantile, QuantilePlan, Scan, ScanPlan, TopK, TopKPlan};
use crate::{Dtype, Error, Real, Result};

impl Backend {
    /// Runs an operation on its operands to results where they were computed.
    pub(crate) fn operate(&self, operation: &Operation, operands: &[&Operand<'_>]) -> Result<Vec<DynArray>> {
        self.control().expect(operation.work());
        let inputs: Vec<_> = operands.iter().map(|operand| operand.input()).collect();
        let results = operation.results();
        let targets = results.iter().map(|_| Target::Device(None)).collect();
        let storages = self.engine().operate(operation, &inputs, targets, self.control())?;
        results.iter().zip(storages).map(|((dtype, shape), storage)| wrap(*dtype, shape.to_vec(), storage)).collect()
    }

    /// Runs an operation of one result.
    fn operate_one(&self, operation: &Operation, operands: &[&Operand<'_>]) -> Result<DynArray> {
        match self.operate(operation, operands)?.pop() {
            Some(result) => Ok(result),
            None => wrap(operation.lanes().dtype, vec![0], None),
        }
    }

    /// Runs an operation of one result into `out`.
    fn operate_into(&self, operation: &Operation, operands: &[&Operand<'_>], out: Output<'_>) -> Result<()> {
        let results = operation.results();
        let Some(&(dtype, shape)) = results.first() else { return Ok(()) };
        self.control().expect(operation.work());
        let inputs: Vec<_> = operands.iter().map(|operand| operand.input()).collect();
        deliver(dtype, shape, out, |target| {
            Ok(self.engine().operate(operation, &inputs, vec![target], self.control())?.pop().flatten())
        })
    }

    /// Where an operation on operands in host memory would run, and why.
    pub fn explain_operation(&self, operation: &Operation) -> String {
        let bytes = |&(dtype, shape): &(Dtype, &[usize])| shape.iter().fold(dtype.size() as u64, |b, &n| b * n as u64);
        self.engine().explain(Work::Operate(operation, operation.operands().iter().map(bytes).sum()))
    }

    /// Running sums, products or extremes along an axis or of all elements, with dtypes erased: the general form of
    /// [`cumsum`](Self::cumsum) and its like, with `exclusive`, `include_initial`, `reverse` and `wrapping`.
    ///
    /// **Numerics.** Each running sum of floats is the exact sum so far, rounded once: the same bits on every device. Running
    /// products of floats are within `n · 2^-53` relative and depend on the lengths and the kind of device alone. Integers are
    /// exact. Linear time; one read of the input on a CPU, two on a GPU.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) for an axis out of range, [`Error::Overflow`](crate::Error::Overflow) if an
    /// integer result does not fit (unless it is to wrap), and the failures of the device.
    ///
    /// ```
    /// # fn main() -> unisono::Result<()> {
    /// use unisono::{AsOperand, Backend, Scan};
    /// let lengths = [3u32, 1, 4];
    /// let starts = Backend::cpu().scan_dyn(&lengths.as_operand(), &Scan::sum().include_initial())?;
    /// assert_eq!(starts.typed::<u64>()?.into_vec()?, [0, 3, 4, 8]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn scan_dyn(&self, array: &Operand<'_>, how: &Scan) -> Result<DynArray> {
        let operation = Operation::Scan(ScanPlan::new(how, array.dtype(), array.shape())?);
        self.operate_one(&operation, &[array])
    }

    /// [`scan_dyn`](Self::scan_dyn) into `out`.
    ///
    /// # Errors
    /// As [`scan_dyn`](Self::scan_dyn), and if `out` has another shape or dtype than the result.
    pub fn scan_dyn_into(&self, array: &Operand<'_>, how: &Scan, out: Output<'_>) -> Result<()> {
        let operation = Operation::Scan(ScanPlan::new(how, array.dtype(), array.shape())?);
        self.operate_into(&operation, &[array], out)
    }

    /// Running sums along an axis, or of all elements in C order for `None`; `numpy.cumsum`. Those of floats are exact, each
    /// rounded once; see [`scan_dyn`](Self::scan_dyn) for numerics, errors and more.
    ///
    /// # Errors
    /// As [`scan_dyn`](Self::scan_dyn).
    ///
    /// ```
    /// # fn main() -> unisono::Result<()> {
    /// let sums = unisono::Backend::cpu().cumsum(&[1e100, 1.0, -1e100], None)?;
    /// assert_eq!(sums.into_vec()?, [1e100, 1e100, 1.0]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn cumsum<A: AsOperand<Elem: Real> + ?Sized>(
        &self,
        array: &A,
        axis: Option<isize>,
    ) -> Result<Array<<A::Elem as Real>::Sum>> {
        self.scan_dyn(&array.as_operand(), &along(Scan::sum(), axis))?.typed()
    }

    /// Running products, as [`cumsum`](Self::cumsum); `numpy.cumprod`.
    ///
    /// # Errors
    /// As [`scan_dyn`](Self::scan_dyn).
    pub fn cumprod<A: AsOperand<Elem: Real> + ?Sized>(
        &self,
        array: &A,
        axis: Option<isize>,
    ) -> Result<Array<<A::Elem as Real>::Sum>> {
        self.scan_dyn(&array.as_operand(), &along(Scan::product(), axis))?.typed()
    }

    /// Running minima, as [`cumsum`](Self::cumsum); NaN from the first NaN on, −0 before +0.
    ///
    /// # Errors
    /// As [`scan_dyn`](Self::scan_dyn).
    pub fn cummin<A: AsOperand<Elem: Real> + ?Sized>(&self, array: &A, axis: Option<isize>) -> Result<Array<A::Elem>> {
        self.scan_dyn(&array.as_operand(), &along(Scan::min(), axis))?.typed()
    }

    /// Running maxima, as [`cumsum`](Self::cumsum); NaN from the first NaN on, +0 after −0.
    ///
    /// # Errors
    /// As [`scan_dyn`](Self::scan_dyn).
    pub fn cummax<A: AsOperand<Elem: Real> + ?Sized>(&self, array: &A, axis: Option<isize>) -> Result<Array<A::Elem>> {
        self.scan_dyn(&array.as_operand(), &along(Scan::max(), axis))?.typed()
    }
}

/// Order statistics.
impl Backend {
    /// Quantiles of all elements or along some axes, with dtypes erased: `numpy.quantile`, `median` and their like.
    ///
    /// **Numerics.** The elements that a quantile lies between are exact; what lies between them is NumPy's interpolation in
    /// binary64, rounded once to float32 where that is the result's dtype; the median of an even number is their mean, rounded
    /// once. The same bits on every device. float64 of integers; the array's own dtype for methods that return elements. NaN
    /// where there is a NaN, unless it is passed over. Linear time on average.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) for axes out of range, quantiles outside `0..=1` and quantiles of nothing,
    /// and the failures of the device.
    ///
    /// ```
    /// # fn main() -> unisono::Result<()> {
    /// use unisono::{AsOperand, Backend, Quantile};
    /// let x = [7.0, 1.0, 4.0, 3.0, 9.0];
    /// let quartiles = Backend::cpu().quantile_dyn(&x.as_operand(), &Quantile::of(&[0.25, 0.5, 0.75]))?;
    /// assert_eq!(quartiles.typed::<f64>()?.into_vec()?, [3.0, 4.0, 7.0]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn quantile_dyn(&self, array: &Operand<'_>, how: &Quantile) -> Result<DynArray> {
        let operation = Operation::Quantile(QuantilePlan::new(how, array.dtype(), array.shape())?);
        self.operate_one(&operation, &[array])
    }

    /// [`quantile_dyn`](Self::quantile_dyn) of the elements that a mask (of bool, broadcast to the array) is true for.
    ///
    /// # Errors
    /// As [`quantile_dyn`](Self::quantile_dyn), [`Error::Invalid`](crate::Error::Invalid) for a mask whose shape does not
    /// broadcast, or that leaves no integer to choose; [`Error::Dtype`](crate::Error::Dtype) for one of another dtype.
    ///
    /// ```
    /// # fn main() -> unisono::Result<()> {
    /// use unisono::{AsOperand, Backend, Quantile};
    /// let (values, mask) = ([3.0, 1e9, 1.0, 2.0], [true, false, true, true]);
    /// let median = Backend::cpu().quantile_where(&values.as_operand(), &mask.as_operand(), &Quantile::median())?;
    /// assert_eq!(median.typed::<f64>()?.item()?, 2.0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn quantile_where(&self, array: &Operand<'_>, mask: &Operand<'_>, how: &Quantile) -> Result<DynArray> {
        self.operate_one(&masked(array, mask, how)?, &[array, mask])
    }

    /// [`quantile_where`](Self::quantile_where) into `out`.
    ///
    /// # Errors
    /// As [`quantile_where`](Self::quantile_where), and if `out` has another shape or dtype than the result.
    pub fn quantile_where_into(&self, array: &Operand<'_>, mask: &Operand<'_>, how: &Quantile, out: Output<'_>) -> Result<()> {
        self.operate_into(&masked(array, mask, how)?, &[array, mask], out)
    }

    /// Quantiles of weighted elements, by [`QuantileMethod::InvertedCdf`](crate::QuantileMethod::InvertedCdf): the first
    /// element, in order, up to which the weights make up the share `q` of all of them. `numpy.quantile` with `weights`.
    ///
    /// **Numerics.** The share of an element is NumPy's quotient of sums in binary64, but of exact sums, each rounded once: no
    /// order of the weights counts. Weights of 64-bit integers are rounded to binary64. **Cost.** A sort of every lane on a CPU; on a GPU one pass
    /// over lane and weights for every 4 bits of an element, for each quantile.
    ///
    /// # Errors
    /// As [`quantile_dyn`](Self::quantile_dyn), [`Error::Invalid`](crate::Error::Invalid) for another method, weights whose shape
    /// does not broadcast to the array's, that are negative or not finite, for a lane whose weights are all 0, and for weights whose sum overflows.
    ///
    /// ```
    /// # fn main() -> unisono::Result<()> {
    /// use unisono::{AsOperand, Backend, Quantile, QuantileMethod};
    /// let how = Quantile::one(0.5).method(QuantileMethod::InvertedCdf);
    /// let (values, weights) = ([1.0, 2.0, 3.0], [1.0, 1.0, 8.0]);
    /// let found = Backend::cpu().quantile_weighted(&values.as_operand(), &weights.as_operand(), &how)?;
    /// assert_eq!(found.typed::<f64>()?.item()?, 3.0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn quantile_weighted(&self, array: &Operand<'_>, weights: &Operand<'_>, how: &Quantile) -> Result<DynArray> {
        self.operate_one(&weighted(array, weights, how)?, &[array, weights])
    }

    /// [`quantile_weighted`](Self::quantile_weighted) into `out`.
    ///
    /// # Errors
    /// As [`quantile_weighted`](Self::quantile_weighted), and if `out` has another shape or dtype than the result.
    pub fn quantile_weighted_into(
        &self,
        array: &Operand<'_>,
        weights: &Operand<'_>,
        how: &Quantile,
        out: Output<'_>,
    ) -> Result<()> {
        self.operate_into(&weighted(array, weights, how)?, &[array, weights], out)
    }

    /// [`quantile_dyn`](Self::quantile_dyn) into `out`.
    ///
    /// # Errors
    /// As [`quantile_dyn`](Self::quantile_dyn), and if `out` has another shape or dtype than the result.
    pub fn quantile_dyn_into(&self, array: &Operand<'_>, how: &Quantile, out: Output<'_>) -> Result<()> {
        let operation = Operation::Quantile(QuantilePlan::new(how, array.dtype(), array.shape())?);
        self.operate_into(&operation, &[array], out)
    }

    /// The median of all elements: the middle one, or the mean of the middle two, rounded once; NaN if there is one. See
    /// [`quantile_dyn`](Self::quantile_dyn) for axes, other quantiles, numerics and errors.
    ///
    /// # Errors
    /// As [`quantile_dyn`](Self::quantile_dyn).
    ///
    /// ```
    /// # fn main() -> unisono::Result<()> {
    /// assert_eq!(unisono::Backend::cpu().median(&[3i64, 1, 2, 10])?.item()?, 2.5);
    /// # Ok(())
    /// # }
    /// ```
    pub fn median<A: AsOperand<Elem: Real> + ?Sized>(&self, array: &A) -> Result<Array<<A::Elem as Real>::Mean>> {
        self.quantile_dyn(&array.as_operand(), &Quantile::median())?.typed()
    }

    /// The `k` largest or smallest elements along an axis, the best first, and their indices: `torch.topk`. Of equal elements
    /// the first come first; −0 equals +0, and NaN is the largest. Linear time; the same bits on every device.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) for an axis out of range and for more elements than there are, and the
    /// failures of the device.
    ///
    /// ```
    /// # fn main() -> unisono::Result<()> {
    /// use unisono::{Backend, TopK};
    /// let (values, indices) = Backend::cpu().topk(&[3, 9, 1, 9], &TopK::largest(3))?;
    /// assert_eq!((values.into_vec()?, indices.into_vec()?), (vec![9, 9, 3], vec![1, 3, 0]));
    /// # Ok(())
    /// # }
    /// ```
    pub fn topk<A: AsOperand<Elem: Real> + ?Sized>(&self, array: &A, how: &TopK) -> Result<(Array<A::Elem>, Array<u64>)> {
        let (values, indices) = self.topk_dyn(&array.as_operand(), how)?;
        Ok((values.typed()?, indices.typed()?))
    }

    /// [`topk`](Self::topk) with the dtype erased.
    ///
    /// # Errors
    /// As [`topk`](Self::topk).
    pub fn topk_dyn(&self, array: &Operand<'_>, how: &TopK) -> Result<(DynArray, DynArray)> {
        let operation = Operation::TopK(TopKPlan::new(how, array.dtype(), array.shape())?);
        pair(self.operate(&operation, &[array])?)
    }
}

/// Sums of exponentials.
impl Backend {
    /// `log Σ exp(x)` over all elements or along some axes, without overflow, with dtypes erased: `scipy.special.logsumexp`.
    /// `factors`, broadcast with the array, gives `log Σ b · exp(x)`; with [`LogSumExp::signed`] the sign of the sum is a second result.
    ///
    /// **Numerics.** The terms `exp(x − max)` are rounded to binary64 and summed exactly, by exponentials and logarithms made of
    /// integers: the same bits on every device. Without factors the result is within `(4 + ln n) · 2^-53` of the exact value,
    /// and `2^-52` relative (float32: rounded to it). Two reads of the input.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) for axes out of range and factors that do not broadcast, and the failures of
    /// the device.
    ///
    /// ```
    /// # fn main() -> unisono::Result<()> {
    /// use unisono::{AsOperand, Backend, LogSumExp};
    /// let (y, _) = Backend::cpu().logsumexp_dyn(&[1000.0, 1000.0].as_operand(), None, &LogSumExp::new())?;
    /// assert_eq!(y.typed::<f64>()?.item()?, 1000.0 + 2f64.ln());
    /// # Ok(())
    /// # }
    /// ```
    pub fn logsumexp_dyn(
        &self,
        array: &Operand<'_>,
        factors: Option<&Operand<'_>>,
        how: &LogSumExp,
    ) -> Result<(DynArray, Option<DynArray>)> {
        let second = factors.map(|factors| (factors.dtype(), factors.shape()));
        let operation = Operation::LogSumExp(LogSumExpPlan::new(how, array.dtype(), array.shape(), second)?);
        let operands: Vec<_> = std::iter::once(array).chain(factors).collect();
        let mut results = self.operate(&operation, &operands)?.into_iter();
        match results.next() {
            Some(logarithm) => Ok((logarithm, results.next())),
            None => Ok((wrap(array.dtype(), vec![0], None)?, None)),
        }
    }

    /// `log Σ exp(x)` over all elements; see [`logsumexp_dyn`](Self::logsumexp_dyn).
    ///
    /// # Errors
    /// As [`logsumexp_dyn`](Self::logsumexp_dyn).
    pub fn logsumexp<A: AsOperand<Elem: Real> + ?Sized>(&self, array: &A) -> Result<Array<<A::Elem as Real>::Mean>> {
        self.logsumexp_dyn(&array.as_operand(), None, &LogSumExp::new())?.0.typed()
    }
}

/// The two results of an operation.
fn pair(results: Vec<DynArray>) -> Result<(DynArray, DynArray)> {
    let mut results = results.into_iter();
    match (results.next(), results.next()) {
        (Some(first), Some(second)) => Ok((first, second)),
        _ => Err(Error::invalid("results", "fewer than two", "two")),
    }
}

fn along(scan: Scan, axis: Option<isize>) -> Scan {
    match axis {
        Some(axis) => scan.axis(axis),
        None => scan,
    }
}

/// Quantiles of what a mask tells.
fn masked(array: &Operand<'_>, mask: &Operand<'_>, how: &Quantile) -> Result<Operation> {
    if mask.dtype() != Dtype::Bool {
        return Err(Error::Dtype { what: "mask".into(), got: mask.dtype(), expected: "bool".into() });
    }
    QuantilePlan::beside(how, array.dtype(), array.shape(), Beside::Mask, mask.shape()).map(Operation::Quantile)
}

/// Weighted quantiles.
fn weighted(array: &Operand<'_>, weights: &Operand<'_>, how: &Quantile) -> Result<Operation> {
    let beside = Beside::Weights(weights.dtype());
    QuantilePlan::beside(how, array.dtype(), array.shape(), beside, weights.shape()).map(Operation::Quantile)
}
