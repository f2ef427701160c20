//! `convolve` and `correlate`.

use num_complex::Complex64;
use numpy::PyArrayDescr;
use pyo3::prelude::*;
use unisono::{Boundary, Convolve, Direction, Mode};

use crate::array::{Sink, Source, Takes};
use crate::device_array::Placed;
use crate::error::{invalid, raise};
use crate::{device, run};

/// Centre, origin, stride, dilation, groups, overflow: one number for all axes or one per axis.
pub(crate) type Options = (String, Vec<isize>, Vec<isize>, Vec<isize>, Option<isize>, String);

/// Numbers that must not be negative.
fn sizes(what: &str, values: &[isize]) -> PyResult<Vec<usize>> {
    values.iter().map(|&n| usize::try_from(n).map_err(|_| invalid(what, n, "at least 1"))).collect()
}

/// Convolves, or with `correlate` correlates, `images` with `kernels`. One boundary for all axes or one per axis.
#[pyfunction]
#[expect(clippy::too_many_arguments)]
pub(crate) fn convolve<'py>(
    py: Python<'py>,
    correlate: bool,
    images: &Bound<'py, PyAny>,
    kernels: &Bound<'py, PyAny>,
    mode: &str,
    boundary: Vec<String>,
    fill_value: Complex64,
    ndim: usize,
    algorithm: &str,
    accuracy: &str,
    options: Options,
    device: &Bound<'py, PyAny>,
    out: Option<&Bound<'py, PyAny>>,
    out_dtype: Option<&Bound<'py, PyArrayDescr>>,
) -> PyResult<Bound<'py, PyAny>> {
    let direction = if correlate { Direction::Correlate } else { Direction::Convolve };
    let mut how = describe(mode, &boundary, fill_value, ndim, (algorithm, accuracy), options)?;

    let images = Source::new("images", images, Takes::Complex)?;
    let kernels = Source::new("kernels", kernels, Takes::Complex)?;
    let units = images.len().saturating_mul(kernels.len());
    let backend = device::backend(device)?;
    let dtype = out_dtype.map(|descr| Takes::Complex.dtype("out_dtype", descr)).transpose()?;
    if let Some(dtype) = dtype {
        how = how.out_dtype(dtype);
    }
    let out = out.map(|out| Sink::new(out, &[&images, &kernels])).transpose()?;
    let (a, b) = (images.operand(), kernels.operand());
    if let Some(mut out) = out {
        if let Some(dtype) = dtype.filter(|dtype| *dtype != out.dtype()) {
            let expected = format!("the dtype of out, {}", out.dtype());
            return Err(invalid("out_dtype", dtype, &expected));
        }
        let target = out.output();
        let done = run::run(py, &backend, units, |on| on.convolve_dyn_into(direction, &a, &b, &how, target));
        return out.finish(done);
    }
    let stay = images.is_array() || kernels.is_array();
    let result = run::run(py, &backend, units, |on| {
        let result = if correlate { on.correlate_dyn(&a, &b, &how)? } else { on.convolve_dyn(&a, &b, &how)? };
        if stay { Ok(Placed::Stays(result)) } else { Placed::host(result) }
    })?;
    result.into_python(py)
}

/// How to convolve, in the library's terms.
pub(crate) fn describe(
    mode: &str,
    boundary: &[String],
    fill_value: Complex64,
    ndim: usize,
    (algorithm, accuracy): (&str, &str),
    options: Options,
) -> PyResult<Convolve> {
    let read = boundary.iter().map(|text| parse_boundary(text, fill_value)).collect::<PyResult<Vec<_>>>()?;
    let (boundaries, filled): (Vec<_>, Vec<_>) = read.into_iter().unzip();
    if fill_value != Complex64::ZERO && !filled.contains(&true) {
        let got = if fill_value.im == 0.0 { fill_value.re.to_string() } else { fill_value.to_string() };
        return Err(invalid("fill_value", got, &format!("0 where the boundary is {}", boundary.join(", "))));
    }
    let mut how = Convolve::rank(ndim).mode(mode.parse::<Mode>().map_err(raise)?);
    how = how.algorithm(algorithm.parse().map_err(raise)?).accuracy(accuracy.parse().map_err(raise)?);
    let (centre, origin, stride, dilation, groups, overflow) = options;
    how = how.centre(centre.parse().map_err(raise)?).origin(&origin).overflow(overflow.parse().map_err(raise)?);
    how = how.stride(&sizes("stride", &stride)?).dilation(&sizes("dilation", &dilation)?);
    if let Some(groups) = groups {
        how = how.groups(sizes("groups", &[groups])?[0]);
    }
    Ok(if let [one] = boundaries[..] { how.boundary(one) } else { how.boundaries(&boundaries) })
}

/// A boundary's name, and whether it is a constant without a value of its own, which gets `fill_value`.
fn parse_boundary(text: &str, fill_value: Complex64) -> PyResult<(Boundary, bool)> {
    let boundary = text.parse().map_err(raise)?;
    let filled = boundary == Boundary::ZERO && !text.contains(':');
    let boundary = match fill_value {
        _ if !filled => boundary,
        Complex64 { re, im: 0.0 } => Boundary::Constant(re),
        Complex64 { re, im } => Boundary::ConstantComplex(re, im),
    };
    Ok((boundary, filled))
}
