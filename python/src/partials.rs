//! Partials that merge exactly: moments, extremes, dot products; and reductions of chunks.

use pyo3::intern;
use pyo3::prelude::*;
use unisono::{Dtype, Error, HostVec, Operand, ReduceOp};

use crate::arguments::ddof;
use crate::array::{Source, Takes};
use crate::carried::carried;
use crate::device_array::Placed;
use crate::error::{invalid, raise};
use crate::exact_sum::{scalar, single};
use crate::reduce::{Options, how, into_python};
use crate::{device, run};

/// Count, exact sum and exact sum of squares of numbers that come in pieces.
///
/// However the numbers are cut, ordered, merged or carried between processes, mean, variance and standard deviation have the
/// bits of one :func:`unisono.mean`, :func:`unisono.var`, :func:`unisono.std`.
///
/// Examples
/// --------
/// >>> week = unisono.Moments()
/// >>> for day in ([1e9, 1e9 + 1], [1e9 + 2]):
/// ...     week.add(day)
/// >>> week.count, week.var(ddof=1)
/// (3, np.float64(1.0))
#[pyclass(module = "unisono", eq)]
#[derive(Clone, PartialEq)]
pub(crate) struct Moments(unisono::Moments);

#[pymethods]
impl Moments {
    /// Those of nothing.
    #[new]
    fn new() -> Self {
        Self(unisono::Moments::new())
    }

    /// Adds all elements of an array, on ``device``.
    #[pyo3(signature = (a, device = None))]
    fn add(slf: &Bound<'_, Self>, a: &Bound<'_, PyAny>, device: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let py = slf.py();
        let source = Source::new("array", a, Takes::Real)?;
        let auto = intern!(py, "auto").as_any();
        let backend = device::backend(device.unwrap_or(auto))?;
        let operand = source.operand();
        let found = run::run(py, &backend, source.len(), |on| on.moments_dyn(&operand))?;
        slf.borrow_mut().0.merge(&found);
        Ok(())
    }

    /// Adds those of other numbers.
    fn merge(slf: &Bound<'_, Self>, other: &Bound<'_, Self>) {
        let other = other.borrow().0.clone();
        slf.borrow_mut().0.merge(&other);
    }

    /// How many numbers they are of.
    #[getter]
    fn count(&self) -> u64 {
        self.0.count()
    }

    /// The sum, rounded once to float64 or to the float dtype given.
    #[pyo3(signature = (dtype = None))]
    fn sum<'py>(&self, py: Python<'py>, dtype: Option<&Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyAny>> {
        let sum = self.0.sum();
        scalar(py, if single(py, dtype)? { HostVec::F32(vec![sum.to_f32()]) } else { HostVec::F64(vec![sum.to_f64()]) })
    }

    /// The mean, rounded once to float64 or to the float dtype given.
    #[pyo3(signature = (dtype = None))]
    fn mean<'py>(&self, py: Python<'py>, dtype: Option<&Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyAny>> {
        let (sum, n) = (self.0.sum(), self.0.count());
        scalar(py, if single(py, dtype)? { HostVec::F32(vec![sum.mean_f32(n)]) } else { HostVec::F64(vec![sum.mean_f64(n)]) })
    }

    /// The variance, rounded once to float64 or to the float dtype given.
    #[pyo3(signature = (ddof = 0, dtype = None))]
    fn var<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = ddof)] ddof: u64,
        dtype: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let one = &self.0;
        let single = single(py, dtype)?;
        scalar(py, if single { HostVec::F32(vec![one.variance_f32(ddof)]) } else { HostVec::F64(vec![one.variance(ddof)]) })
    }

    /// The standard deviation, rounded once to float64 or to the float dtype given.
    #[pyo3(signature = (ddof = 0, dtype = None))]
    fn std<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = ddof)] ddof: u64,
        dtype: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let one = &self.0;
        scalar(py, if single(py, dtype)? { HostVec::F32(vec![one.std_f32(ddof)]) } else { HostVec::F64(vec![one.std(ddof)]) })
    }

    fn __repr__(&self) -> String {
        format!("<unisono.Moments count={} mean={:?} std={:?}>", self.0.count(), self.0.mean(), self.0.std(0))
    }
}

carried!(Moments);

/// The exact sum of products of pairs that come in pieces.
///
/// Examples
/// --------
/// >>> total = unisono.ExactDot()
/// >>> total.add([1e200, 1.0], [1e200, 3.0])
/// >>> total.add([1e200], [-1e200])
/// >>> total.value()
/// np.float64(3.0)
#[pyclass(module = "unisono", eq)]
#[derive(Clone, PartialEq)]
pub(crate) struct ExactDot(unisono::ExactDot);

#[pymethods]
impl ExactDot {
    /// The sum of nothing.
    #[new]
    fn new() -> Self {
        Self(unisono::ExactDot::new())
    }

    /// Adds the products of the elements of two arrays of one dtype and shape, on ``device``.
    #[pyo3(signature = (x1, x2, device = None))]
    fn add(
        slf: &Bound<'_, Self>,
        x1: &Bound<'_, PyAny>,
        x2: &Bound<'_, PyAny>,
        device: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let py = slf.py();
        let (x, y) = (Source::new("first array", x1, Takes::Real)?, Source::new("second array", x2, Takes::Real)?);
        let auto = intern!(py, "auto").as_any();
        let backend = device::backend(device.unwrap_or(auto))?;
        let (a, b) = (x.operand(), y.operand());
        if a.shape() != b.shape() {
            let expected = format!("shape {:?}, that of the first", a.shape());
            return Err(invalid("second array", format!("shape {:?}", b.shape()), &expected));
        }
        let found = run::run(py, &backend, x.len(), |on| on.exact_dot_dyn(&a, &b))?;
        slf.borrow_mut().0.merge(&found);
        Ok(())
    }

    /// Adds another sum.
    fn merge(slf: &Bound<'_, Self>, other: &Bound<'_, Self>) {
        let other = other.borrow().0.clone();
        slf.borrow_mut().0.merge(&other);
    }

    /// The sum, rounded once to float64 or to the float dtype given.
    #[pyo3(signature = (dtype = None))]
    fn value<'py>(&self, py: Python<'py>, dtype: Option<&Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyAny>> {
        scalar(py, if single(py, dtype)? { HostVec::F32(vec![self.0.to_f32()]) } else { HostVec::F64(vec![self.0.to_f64()]) })
    }

    fn __float__(&self) -> f64 {
        self.0.to_f64()
    }

    fn __repr__(&self) -> String {
        format!("<unisono.ExactDot {:?}>", self.0.to_f64())
    }
}

carried!(ExactDot);

/// The smallest and the largest of numbers that come in pieces, and where the first of each is.
///
/// Examples
/// --------
/// >>> found = unisono.MinMax([3.0, -1.0])
/// >>> found.merge(unisono.MinMax([9.0, -1.0]))
/// >>> found.min, found.argmin, found.max, found.argmax
/// (np.float64(-1.0), 1, np.float64(9.0), 2)
#[pyclass(module = "unisono", eq)]
#[derive(Clone, PartialEq)]
pub(crate) struct MinMax(unisono::MinMax);

#[pymethods]
impl MinMax {
    /// Those of the elements of an array, on ``device``.
    #[new]
    #[pyo3(signature = (a, device = None))]
    fn new(py: Python<'_>, a: &Bound<'_, PyAny>, device: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let source = Source::new("array", a, Takes::Real)?;
        let auto = intern!(py, "auto").as_any();
        let backend = device::backend(device.unwrap_or(auto))?;
        let operand = source.operand();
        run::run(py, &backend, source.len(), |on| on.min_max_dyn(&operand)).map(Self)
    }

    /// Appends those of the elements that follow; their indices count on.
    fn merge(slf: &Bound<'_, Self>, later: &Bound<'_, Self>) -> PyResult<()> {
        let later = later.borrow().0;
        slf.borrow_mut().0.merge(&later).map_err(raise)
    }

    /// How many numbers they are of.
    #[getter]
    fn count(&self) -> u64 {
        self.0.count()
    }

    /// The smallest, as :func:`unisono.min` gives it; None of nothing.
    #[getter]
    fn min<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        element(py, &self.0, true)
    }

    /// The largest, as :func:`unisono.max` gives it; None of nothing.
    #[getter]
    fn max<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        element(py, &self.0, false)
    }

    /// The index of the first smallest; None of nothing.
    #[getter]
    fn argmin(&self) -> Option<u64> {
        self.0.argmin()
    }

    /// The index of the first largest; None of nothing.
    #[getter]
    fn argmax(&self) -> Option<u64> {
        self.0.argmax()
    }

    fn __repr__(&self) -> String {
        let place = |at: Option<u64>| at.map_or_else(|| "None".into(), |at| at.to_string());
        let (least, most) = (place(self.0.argmin()), place(self.0.argmax()));
        format!("<unisono.MinMax dtype={} count={} argmin={least} argmax={most}>", self.0.dtype(), self.0.count())
    }
}

carried!(MinMax);

/// The smallest or largest as a NumPy scalar.
fn element<'py>(py: Python<'py>, found: &unisono::MinMax, smaller: bool) -> PyResult<Option<Bound<'py, PyAny>>> {
    macro_rules! each {
        ($($variant:ident $host:ident $T:ty;)*) => {
            match found.dtype() {
                $(Dtype::$variant => if smaller { found.min::<$T>() } else { found.max::<$T>() }.map(|x| HostVec::$host(vec![x])),)*
                _ => None,
            }
        };
    }
    let one = each! {
        Bool Bool bool; U8 U8 u8; I8 I8 i8; U16 U16 u16; I16 I16 i16; U32 U32 u32; I32 I32 i32; U64 U64 u64; I64 I64 i64;
        F32 F32 f32; F64 F64 f64;
    };
    one.map(|one| scalar(py, one)).transpose()
}

/// A reduction of chunks that lie end to end along the first axis: see :func:`unisono.reduce_chunks`.
#[pyclass(module = "unisono")]
pub(crate) struct Chunked {
    inner: Option<unisono::Chunked>,
    backend: device::Opened,
    how: unisono::Reduce<ReduceOp>,
    op: String,
    /// Dtype and shape of the first chunk: the library does not look at those of chunks without elements.
    first: Option<(Dtype, Vec<usize>)>,
    /// Elements of the chunks so far.
    seen: u64,
}

#[pymethods]
impl Chunked {
    #[new]
    fn new(
        py: Python<'_>,
        op: &str,
        axes: Option<Vec<isize>>,
        keepdims: bool,
        options: Options<'_>,
        device: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let how = how(py, op, axes, keepdims, &options)?;
        let backend = device::backend(device)?;
        Ok(Self { inner: None, backend, how, op: op.into(), first: None, seen: 0 })
    }

    /// Reduces the next chunk, or the elements of it that a mask selects.
    #[pyo3(signature = (a, mask = None))]
    fn push(slf: &Bound<'_, Self>, a: &Bound<'_, PyAny>, mask: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let py = slf.py();
        let source = Source::new("chunk", a, Takes::Real)?;
        let mask = mask.map(|mask| Source::new("where", mask, Takes::Real)).transpose()?;
        let (operand, mask) = (source.operand(), mask.as_ref().map(Source::operand));
        let (backend, how, inner) = {
            let mut this = slf.try_borrow_mut()?;
            this.expect(&operand)?;
            (this.backend.continued(this.seen), this.how.clone(), this.inner.take())
        };
        let mut inner = inner.unwrap_or_else(|| backend.chunked(&how));
        let (done, inner) = {
            let done = run::run(py, &backend, source.len(), |on| {
                let mut on = std::mem::replace(&mut inner, on.chunked(&how)).on(on);
                let done = match &mask {
                    Some(mask) => on.push_where(&operand, mask),
                    None => on.push(&operand),
                };
                inner = on;
                Ok(done)
            })?;
            (done, inner)
        };
        let mut this = slf.try_borrow_mut()?;
        this.inner = Some(inner);
        done.map_err(raise)?;
        this.seen = this.seen.saturating_add(source.len());
        this.first.get_or_insert((operand.dtype(), operand.shape().to_vec()));
        Ok(())
    }

    /// The result.
    fn finish<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let inner = self.inner.take().unwrap_or_else(|| self.backend.chunked(&self.how));
        let result = inner.finish().and_then(Placed::host).map_err(|error| match error {
            Error::Invalid { what, .. } if what == "chunks" && self.first.is_some() => {
                invalid("chunks", "no elements", "at least one element to reduce")
            }
            error => raise(error),
        })?;
        into_python(py, &self.op, result)
    }
}

impl Chunked {
    /// Fails for a chunk that differs from the first in more than its length.
    fn expect(&self, chunk: &Operand<'_>) -> PyResult<()> {
        let Some((dtype, shape)) = &self.first else { return Ok(()) };
        if chunk.dtype() != *dtype {
            return Err(raise(Error::Dtype { what: "chunk".into(), got: chunk.dtype(), expected: dtype.to_string() }));
        }
        let [rest, expected] = [chunk.shape(), shape].map(|shape| shape.get(1..).unwrap_or_default());
        if rest == expected {
            Ok(())
        } else {
            Err(invalid("shape of a chunk", format!("{:?}", chunk.shape()), &format!("[.., {expected:?}]")))
        }
    }
}
