//! Numbers among the arguments: what no integer of the machine holds is a `ValueError` that names the argument, and what is no
//! integer a `TypeError` that does.

use std::time::Duration;

use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyFloat;

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

fn integer<'py, T: FromPyObjectOwned<'py>>(what: &str, value: &Bound<'py, PyAny>, expected: &str) -> PyResult<T> {
    held(what, value, value, expected).map_err(|error| named(error, what, value, "an integer"))
}

/// A `TypeError` of `value` that names the argument; any other error as it is.
fn named(error: PyErr, what: &str, value: &Bound<'_, PyAny>, expected: &str) -> PyErr {
    match value.repr() {
        Ok(got) if error.is_instance_of::<PyTypeError>(value.py()) => {
            PyTypeError::new_err(format!("{what}: got {got}, expected {expected}"))
        }
        _ => error,
    }
}

fn natural<'py, T: FromPyObjectOwned<'py>>(what: &str, value: &Bound<'py, PyAny>) -> PyResult<T> {
    integer(what, value, "0 to 2^64 - 1")
}

/// Samples, of which a float will do where it is whole, as 1e9.
fn whole<'py, T: FromPyObjectOwned<'py>>(what: &str, value: &Bound<'py, PyAny>) -> PyResult<T> {
    match value.cast::<PyFloat>() {
        Ok(float) if float.value().fract() == 0.0 => natural(what, &float.call_method0(intern!(value.py(), "__int__"))?),
        Ok(float) => Err(invalid(what, float, "a whole number, 0 to 2^64 - 1")),
        Err(_) => natural(what, value),
    }
}

/// A reader for each argument of one of these names.
macro_rules! readers {
    ($($read:ident: $($what:ident -> $T:ty)*;)*) => {$($(
        pub(crate) fn $what(value: &Bound<'_, PyAny>) -> PyResult<$T> {
            $read(stringify!($what), value)
        }
    )*)*};
}

readers! {
    natural: count -> u64 ddof -> u64 k -> usize minlength -> usize seed -> u64;
    whole: samples -> u64 start -> u64 end -> u64 round -> Option<u64>;
}

/// [`end`], which may be left out.
pub(crate) fn end_if_any(value: &Bound<'_, PyAny>) -> PyResult<Option<u64>> {
    whole("end", value)
}

/// The bits of a coordinate.
pub(crate) fn bits(value: &Bound<'_, PyAny>) -> PyResult<Option<u32>> {
    integer("bits", value, "16 or 32")
}

/// The labels of which a result is wanted.
pub(crate) fn index(value: &Bound<'_, PyAny>) -> PyResult<Option<Vec<i64>>> {
    held("index", value, "a label that int64 does not hold", "labels from -2^63 to 2^63 - 1")
        .map_err(|error| named(error, "index", value, "a sequence of integers"))
}

/// A time; longer ones than there can be are infinite.
pub(crate) fn seconds(what: &str, seconds: f64) -> PyResult<Duration> {
    if seconds.is_nan() || seconds < 0.0 {
        return Err(invalid(what, seconds, "seconds, at least 0"));
    }
    Ok(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}
