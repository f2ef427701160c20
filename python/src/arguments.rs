//! Numbers among the arguments: what no integer of the machine holds is a `ValueError` that names the argument.

use std::time::Duration;

use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;

use crate::error::invalid;

/// What `value` holds, if a `T` can: `got` and `expected` tell of numbers that it cannot.
pub(crate) fn held<'py, T: FromPyObjectOwned<'py>>(
    what: &str,
    value: &Bound<'py, PyAny>,
    got: impl std::fmt::Display,
    expected: &str,
) -> PyResult<T> {
    value.extract::<T>().map_err(Into::into).map_err(|error: PyErr| {
        if error.is_instance_of::<PyOverflowError>(value.py()) { invalid(what, got, expected) } else { error }
    })
}

fn natural<'py, T: FromPyObjectOwned<'py>>(what: &str, value: &Bound<'py, PyAny>) -> PyResult<T> {
    held(what, value, value, "0 to 2^64 - 1")
}

pub(crate) fn ddof(value: &Bound<'_, PyAny>) -> PyResult<u64> {
    natural("ddof", value)
}

pub(crate) fn count(value: &Bound<'_, PyAny>) -> PyResult<u64> {
    natural("count", value)
}

pub(crate) fn minlength(value: &Bound<'_, PyAny>) -> PyResult<usize> {
    natural("minlength", value)
}

pub(crate) fn k(value: &Bound<'_, PyAny>) -> PyResult<usize> {
    natural("k", value)
}

/// The labels of which a result is wanted.
pub(crate) fn index(value: &Bound<'_, PyAny>) -> PyResult<Option<Vec<i64>>> {
    held("index", value, "a label that int64 does not hold", "labels from -2^63 to 2^63 - 1")
}

/// A time; longer ones than there can be are infinite.
pub(crate) fn seconds(what: &str, seconds: f64) -> PyResult<Duration> {
    if seconds.is_nan() || seconds < 0.0 {
        return Err(invalid(what, seconds, "seconds, at least 0"));
    }
    Ok(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}
