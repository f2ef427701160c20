//! The library's errors as Python's, with the library's text.

use pyo3::PyErr;
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyTypeError, PyValueError};
use unisono::Error;

/// `ValueError` for a request that cannot be met, `TypeError` for a dtype, `OSError` (of the class of the system's error) for a file, `RuntimeError` for the failures of devices.
pub(crate) fn raise(error: Error) -> PyErr {
    let text = error.to_string();
    match error {
        Error::Invalid { .. } | Error::NoDevice { .. } | Error::Overflow { .. } | Error::Corrupt { .. } => {
            PyValueError::new_err(text)
        }
        // Python makes the class of the system's error of its number: FileNotFoundError, PermissionError.
        Error::File { path, reason, code: Some(code) } => {
            let reason = reason.trim_end_matches(&format!(" (os error {code})")).to_string();
            PyOSError::new_err((code, reason, path, code))
        }
        Error::File { .. } => PyOSError::new_err(text),
        Error::Dtype { .. } => PyTypeError::new_err(text),
        _ => PyRuntimeError::new_err(text),
    }
}

/// A `ValueError` in the library's form.
pub(crate) fn invalid(what: &str, got: impl std::fmt::Display, expected: &str) -> PyErr {
    PyValueError::new_err(format!("{what}: got {got}, expected {expected}"))
}
