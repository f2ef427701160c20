//! Histograms, counts of integers and reductions by label.

use std::cmp::Ordering;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use unisono::{AsOperand, Bins, Dtype, GroupOp, HostVec, Operand};

use crate::arguments;
use crate::array::{Source, Takes, into_numpy};
use crate::carried::carried;
use crate::device_array::Placed;
use crate::error::{invalid, raise};
use crate::{device, run};

/// Counts, or exact sums of weights, between edges, that are filled in pieces and carried between processes.
///
/// However the data are cut, ordered, merged or carried between processes, the counts and sums have the bits of one
/// :func:`unisono.histogram`. Picklable, and serialisable with a documented byte form.
///
/// Parameters
/// ----------
/// edges : array_like of float
///     The edges of the bins, which do not descend. Bins are half open, the last one is closed.
///
/// Examples
/// --------
/// >>> histogram = unisono.Histogram([0, 1, 2])
/// >>> for chunk in ([0.5, 1.5], [1.0, 2.0, 7.0]):
/// ...     histogram.add(chunk)
/// >>> histogram.counts
/// array([1, 3])
#[pyclass(module = "unisono", eq)]
#[derive(Clone, PartialEq)]
pub(crate) struct Histogram {
    edges: Vec<f64>,
    /// `None` also of counts that are all 0: a value is its bytes, and those do not tell them apart.
    filled: Option<unisono::Histogram>,
}

/// What is added up, in words.
fn weights_of(histogram: &unisono::Histogram) -> &'static str {
    match histogram.is_weighted() {
        false => "none",
        true if histogram.integers().is_some() => "integers",
        true => "floats",
    }
}

/// The histogram, if there is anything in it or what will be are weights.
fn filled(histogram: unisono::Histogram) -> Option<unisono::Histogram> {
    (histogram.is_weighted() || histogram.counts().iter().any(|&count| count > 0)).then_some(histogram)
}

impl Histogram {
    /// What was added, or nothing.
    fn read(&self) -> PyResult<unisono::Histogram> {
        match &self.filled {
            Some(histogram) => Ok(histogram.clone()),
            None => {
                let nothing: [f64; 0] = [];
                let operand = nothing.as_operand();
                unisono::Backend::cpu().histogram_dyn(&operand, None, &Bins::edges(&self.edges)).map_err(raise)
            }
        }
    }

    fn take(&mut self, more: unisono::Histogram) -> PyResult<()> {
        match &mut self.filled {
            Some(histogram) => histogram.merge(&more).map_err(raise),
            None => {
                self.filled = filled(more);
                Ok(())
            }
        }
    }
}

#[pymethods]
impl Histogram {
    /// Bins without anything in them.
    #[new]
    fn new(edges: Vec<f64>) -> PyResult<Self> {
        let descends = |pair: &[f64]| pair[0].partial_cmp(&pair[1]).is_none_or(Ordering::is_gt);
        if let Some(i) = edges.windows(2).position(descends) {
            let got = format!("{} after {}", edges[i + 1], edges[i]);
            return Err(invalid(&format!("edges[{}]", i + 1), got, "numbers that do not descend"));
        }
        // -0 is written as 0, which it equals.
        let empty = Self { edges: edges.iter().map(|edge| edge + 0.0).collect(), filled: None };
        empty.read().map(|_| empty)
    }

    /// Adds all elements of an array, on ``device``; with ``weights``, adds them instead of counting.
    #[pyo3(signature = (a, weights = None, device = None))]
    fn add(
        slf: &Bound<'_, Self>,
        a: &Bound<'_, PyAny>,
        weights: Option<&Bound<'_, PyAny>>,
        device: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let py = slf.py();
        let source = Source::new("array", a, Takes::Real)?;
        let weights = weights.map(|weights| Source::new("weights", weights, Takes::Real)).transpose()?;
        let auto = intern!(py, "auto").as_any();
        let backend = device::backend(device.unwrap_or(auto))?;
        let (operand, second) = (source.operand(), weights.as_ref().map(Source::operand));
        let bins = Bins::edges(&slf.borrow().edges);
        let more = run::run(py, &backend, source.len(), |on| on.histogram_dyn(&operand, second.as_ref(), &bins))?;
        let mut this = slf.borrow_mut();
        match this.filled.as_ref().map(weights_of).filter(|before| *before != weights_of(&more)) {
            Some(before) => Err(invalid("weights", weights_of(&more), &format!("{before}, as were added before"))),
            None => this.take(more),
        }
    }

    /// Adds another histogram with the same edges.
    fn merge(slf: &Bound<'_, Self>, other: &Bound<'_, Self>) -> PyResult<()> {
        let other = other.borrow().clone();
        if other.edges != slf.borrow().edges {
            return Err(invalid("histogram to merge", "other edges", "the same edges"));
        }
        match other.filled {
            Some(more) => slf.borrow_mut().take(more),
            None => Ok(()),
        }
    }

    /// The edges: one more than there are bins.
    #[getter]
    fn edges<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        into_numpy(py, &[self.edges.len()], HostVec::F64(self.edges.clone()))
    }

    /// How many elements lie in each bin.
    #[getter]
    fn counts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let counts = self.read()?.counts().to_vec();
        into_numpy(py, &[counts.len()], HostVec::U64(counts))?.call_method1(intern!(py, "view"), ("int64",))
    }

    /// The sums of the weights, each rounded once to float64; without weights the counts.
    #[getter]
    fn values<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let values = self.read()?.values();
        into_numpy(py, &[values.len()], HostVec::F64(values))
    }

    /// The values over the widths of the bins and their sum.
    #[getter]
    fn density<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let density = self.read()?.density();
        into_numpy(py, &[density.len()], HostVec::F64(density))
    }

    /// The byte form: equal histograms have equal bytes.
    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.read()?.to_bytes()))
    }

    /// The histogram with this byte form.
    #[staticmethod]
    fn from_bytes(data: &[u8]) -> PyResult<Self> {
        let histogram = unisono::Histogram::from_bytes(data).map_err(raise)?;
        Ok(Self { edges: histogram.edges().to_vec(), filled: filled(histogram) })
    }

    fn __repr__(&self) -> String {
        format!("<unisono.Histogram of {} bins>", self.edges.len() - 1)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>,))> {
        let bytes = slf.borrow().to_bytes(slf.py())?;
        Ok((slf.get_type().getattr(intern!(slf.py(), "from_bytes"))?, (bytes,)))
    }
}

/// Counts per bin, or sums of weights in the weights' dtype (64 bits of integers), or the density.
#[pyfunction]
pub(crate) fn histogram<'py>(
    py: Python<'py>,
    array: &Bound<'py, PyAny>,
    edges: Vec<f64>,
    weights: Option<&Bound<'py, PyAny>>,
    density: bool,
    device: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let source = Source::new("array", array, Takes::Real)?;
    let weights = weights.map(|weights| Source::new("weights", weights, Takes::Real)).transpose()?;
    let backend = device::backend(device)?;
    let (operand, second) = (source.operand(), weights.as_ref().map(Source::operand));
    let bins = Bins::edges(&edges);
    let found = run::run(py, &backend, source.len(), |on| on.histogram_dyn(&operand, second.as_ref(), &bins))?;
    let n = [found.counts().len()];
    match second.as_ref().map(Operand::dtype) {
        _ if density => into_numpy(py, &n, HostVec::F64(found.density())),
        None => into_numpy(py, &n, HostVec::U64(found.counts().to_vec()))?.call_method1(intern!(py, "view"), ("int64",)),
        Some(Dtype::F32) => into_numpy(py, &n, HostVec::F32(found.values_f32())),
        Some(Dtype::F64) => into_numpy(py, &n, HostVec::F64(found.values())),
        Some(dtype) => {
            let sums = found.integers().unwrap_or_default();
            let out_dtype = if dtype.is_signed_integer() { Dtype::I64 } else { Dtype::U64 };
            let overflow = |_| raise(unisono::Error::Overflow { op: "histogram", out_dtype });
            let vec = if out_dtype == Dtype::I64 {
                HostVec::I64(sums.iter().map(|&sum| i64::try_from(sum).map_err(overflow)).collect::<PyResult<_>>()?)
            } else {
                HostVec::U64(sums.iter().map(|&sum| u64::try_from(sum).map_err(overflow)).collect::<PyResult<_>>()?)
            };
            into_numpy(py, &n, vec)
        }
    }
}

/// How often each integer occurs, or the sums of its weights.
#[pyfunction]
pub(crate) fn bincount<'py>(
    py: Python<'py>,
    array: &Bound<'py, PyAny>,
    weights: Option<&Bound<'py, PyAny>>,
    #[pyo3(from_py_with = arguments::minlength)] minlength: usize,
    device: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let source = Source::new("array", array, Takes::Integers)?;
    let weights = weights.map(|weights| Source::new("weights", weights, Takes::Real)).transpose()?;
    let backend = device::backend(device)?;
    let (operand, second) = (source.operand(), weights.as_ref().map(Source::operand));
    let counted = second.is_none();
    let placed = run::run(py, &backend, source.len(), |on| {
        let result = on.bincount(&operand, second.as_ref(), minlength)?;
        Placed::host(result)
    })?;
    let result = placed.into_python(py)?;
    if counted { result.call_method1(intern!(py, "view"), ("int64",)) } else { Ok(result) }
}

/// A reduction of the elements of each label.
#[pyfunction]
pub(crate) fn by_label<'py>(
    py: Python<'py>,
    op: &str,
    values: &Bound<'py, PyAny>,
    labels: &Bound<'py, PyAny>,
    #[pyo3(from_py_with = arguments::index)] index: Option<Vec<i64>>,
    #[pyo3(from_py_with = arguments::ddof)] ddof: u64,
    device: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let op = op.parse::<GroupOp>().map_err(raise)?.ddof(ddof);
    let (source, keys) = (Source::new("values", values, Takes::Real)?, Source::new("labels", labels, Takes::Integers)?);
    let backend = device::backend(device)?;
    let (operand, second) = (source.operand(), keys.operand());
    let placed = run::run(py, &backend, source.len(), |on| {
        let result = on.reduce_by_label(&operand, &second, op, index.as_deref())?;
        Placed::host(result)
    })?;
    of_labels(py, op, placed)
}

/// The results of a reduction by label: counts and indices as int64, one result as a NumPy scalar.
fn of_labels<'py>(py: Python<'py>, op: GroupOp, placed: Placed) -> PyResult<Bound<'py, PyAny>> {
    let scalar = matches!(&placed, Placed::Host(shape, _) if shape.is_empty());
    let result = placed.into_python(py)?;
    let counts = matches!(op, GroupOp::Count | GroupOp::ArgMin | GroupOp::ArgMax);
    let result = if counts { result.call_method1(intern!(py, "view"), ("int64",))? } else { result };
    if scalar { result.get_item(PyTuple::empty(py)) } else { Ok(result) }
}

/// Counts between edges of the values of each label.
#[pyfunction]
pub(crate) fn histogram_by_label<'py>(
    py: Python<'py>,
    values: &Bound<'py, PyAny>,
    labels: &Bound<'py, PyAny>,
    edges: Vec<f64>,
    #[pyo3(from_py_with = arguments::index)] index: Option<Vec<i64>>,
    device: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let (source, keys) = (Source::new("values", values, Takes::Real)?, Source::new("labels", labels, Takes::Integers)?);
    let backend = device::backend(device)?;
    let (operand, second, bins) = (source.operand(), keys.operand(), Bins::edges(&edges));
    let placed = run::run(py, &backend, source.len(), |on| {
        Placed::host(on.histogram_by_label(&operand, &second, &bins, index.as_deref())?)
    })?;
    placed.into_python(py)?.call_method1(intern!(py, "view"), ("int64",))
}

/// What a reduction by label has found so far: exact sums, moments, extremes and counts, one per label.
///
/// Those of parts of the data merge to the bits of one call over everything, in any order but for indices, which count on.
/// Picklable, and serialisable with a documented byte form.
///
/// Parameters
/// ----------
/// values, labels : array_like
///     The first part: as for :func:`unisono.sum_by_label`.
/// op : str
///     ``"sum"``, ``"mean"``, ``"var"``, ``"std"``, ``"min"``, ``"max"``, ``"argmin"``, ``"argmax"`` or ``"count"``.
/// index : sequence of int, optional
///     The labels of which a result is wanted; all labels above 0 together if not given. Results have one axis, or none.
/// device : str or Backend, optional
///     Where to compute.
/// ddof : int
///     What ``"var"`` and ``"std"`` take off the count.
///
/// Examples
/// --------
/// >>> week = unisono.LabelPartials([1.0, 5.0], [1, 2], "mean", [1, 2])
/// >>> week.merge(unisono.LabelPartials([3.0, 6.0], [1, 2], "mean", [1, 2]))
/// >>> week.result()
/// array([2. , 5.5])
#[pyclass(module = "unisono", eq)]
#[derive(Clone, PartialEq)]
pub(crate) struct LabelPartials(unisono::LabelPartials);

#[pymethods]
impl LabelPartials {
    /// Those of the first part.
    #[new]
    #[pyo3(signature = (values, labels, op, index = None, device = None, *, ddof = 0))]
    fn new(
        py: Python<'_>,
        values: &Bound<'_, PyAny>,
        labels: &Bound<'_, PyAny>,
        op: &str,
        #[pyo3(from_py_with = arguments::index)] index: Option<Vec<i64>>,
        device: Option<&Bound<'_, PyAny>>,
        #[pyo3(from_py_with = arguments::ddof)] ddof: u64,
    ) -> PyResult<Self> {
        let op = op.parse::<GroupOp>().map_err(raise)?.ddof(ddof);
        let device = device.unwrap_or(intern!(py, "auto").as_any());
        let broadcast = py.import(intern!(py, "unisono._group"))?.getattr(intern!(py, "_together"))?;
        let (values, labels): (Bound<'_, PyAny>, Bound<'_, PyAny>) = broadcast.call1((values, labels, device))?.extract()?;
        let (source, keys) = (Source::new("values", &values, Takes::Real)?, Source::new("labels", &labels, Takes::Integers)?);
        let backend = device::backend(device)?;
        let (operand, second) = (source.operand(), keys.operand());
        run::run(py, &backend, source.len(), |on| on.label_partials(&operand, &second, op, index.as_deref())).map(Self)
    }

    /// Appends those of another part: the same operation, labels and dtype. Its indices count on.
    fn merge(slf: &Bound<'_, Self>, later: &Bound<'_, Self>) -> PyResult<()> {
        let later = later.borrow().0.clone();
        slf.borrow_mut().0.merge(&later).map_err(raise)
    }

    /// How many elements there were, of any label.
    #[getter]
    fn elements(&self) -> u64 {
        self.0.elements()
    }

    /// How many elements each label has.
    #[getter]
    fn counts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let counts = self.0.counts().to_vec();
        into_numpy(py, &[counts.len()], HostVec::U64(counts))?.call_method1(intern!(py, "view"), ("int64",))
    }

    /// The results, as the function of the operation gives them for all elements at once.
    fn result<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let placed = self.0.finish().and_then(Placed::host).map_err(raise)?;
        of_labels(py, self.0.op(), placed)
    }

    fn __repr__(&self) -> String {
        format!(
            "<unisono.LabelPartials op={} labels={} elements={}>",
            self.0.op().name(),
            self.0.counts().len(),
            self.0.elements()
        )
    }
}

carried!(LabelPartials);
