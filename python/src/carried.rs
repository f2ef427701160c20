//! Byte forms, pickling and files: the same for every value that is carried between processes.

/// Gives a class around a value of the library's of the same name `to_bytes`, `from_bytes` and pickling; with `files`, `save` and
/// `load` as well.
macro_rules! carried {
    ($class:ident) => {
        #[pyo3::pymethods]
        impl $class {
            /// The byte form: equal values have equal bytes.
            fn to_bytes<'py>(&self, py: pyo3::Python<'py>) -> pyo3::Bound<'py, pyo3::types::PyBytes> {
                pyo3::types::PyBytes::new(py, &self.0.to_bytes())
            }

            /// The value with this byte form.
            #[staticmethod]
            fn from_bytes(data: &[u8]) -> pyo3::PyResult<Self> {
                unisono::$class::from_bytes(data).map(Self).map_err($crate::error::raise)
            }

            fn __reduce__<'py>(slf: &pyo3::Bound<'py, Self>) -> pyo3::PyResult<$crate::carried::Reduced<'py>> {
                use pyo3::prelude::*;
                let bytes = slf.borrow().to_bytes(slf.py());
                Ok((slf.get_type().getattr(pyo3::intern!(slf.py(), "from_bytes"))?, (bytes,)))
            }
        }
    };
    ($class:ident, files) => {
        $crate::carried::carried!($class);

        #[pyo3::pymethods]
        impl $class {
            /// Writes the byte form to a file, replacing it in one step.
            fn save(&self, file: std::path::PathBuf) -> pyo3::PyResult<()> {
                self.0.save(&file).map_err($crate::error::raise)
            }

            /// Reads a file that :meth:`save` wrote.
            #[staticmethod]
            fn load(file: std::path::PathBuf) -> pyo3::PyResult<Self> {
                unisono::$class::load(&file).map(Self).map_err($crate::error::raise)
            }
        }
    };
}

pub(crate) use carried;

/// What makes a value again, and the bytes to make it from.
pub(crate) type Reduced<'py> = (pyo3::Bound<'py, pyo3::PyAny>, (pyo3::Bound<'py, pyo3::types::PyBytes>,));
