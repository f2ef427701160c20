//! NumPy's .npy files: mapped for reading, streamed for writing.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use ndarray::{ArrayViewD, IxDyn};
use ndarray_npy::npy::header::Header;
use ndarray_npy::{ViewElement, ViewNpyError, ViewNpyExt, WriteNpyExt};
use unisono::{Dtype, Element, HostVec, Operand, View};

use crate::erased::{with_dtype, with_vec};
use crate::failure::{Failure, Result};

/// A mapped .npy file.
pub struct Npy {
    map: Mmap,
    path: PathBuf,
    dtype: Dtype,
    shape: Vec<usize>,
}

impl Npy {
    /// Maps the file and reads its header.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|error| Failure::file(path, reason(&error)))?;
        if file.metadata().is_ok_and(|meta| meta.is_dir()) {
            return Err(Failure::file(path, "is a folder; expected a .npy file"));
        }
        // SAFETY: the map is only read. As with every mapped file, another program that shrinks the file meanwhile ends
        // this one with SIGBUS; one that writes to it changes the numbers read.
        let map = unsafe { Mmap::map(&file) }.map_err(|error| Failure::file(path, reason(&error)))?;
        let header = Header::from_reader(&mut &map[..])
            .map_err(|error| Failure::file(path, format!("not a .npy file that can be read: {error}")))?;
        let descr = header.type_descriptor.to_string();
        let dtype = dtype(descr.trim_matches(['\'', '"'])).map_err(|text| Failure::file(path, text))?;
        // What ndarray takes for granted: lengths beside a 0 are bounded too.
        let bytes = header.shape.iter().filter(|&&n| n > 0).try_fold(dtype.size(), |bytes, &n| bytes.checked_mul(n));
        if bytes.is_none_or(|bytes| isize::try_from(bytes).is_err()) {
            let text = format!("got shape {:?} of {dtype}; expected lengths that fit the memory of a computer", header.shape);
            return Err(Failure::file(path, text));
        }
        let npy = Self { map, path: path.to_path_buf(), dtype, shape: header.shape };
        with_dtype!(dtype, T => npy.typed::<T>().map(drop))?;
        Ok(npy)
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The element type.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The length of every axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The elements, strided if the file is in Fortran order.
    pub fn typed<T: ViewElement>(&self) -> Result<ArrayViewD<'_, T>> {
        ArrayViewD::<T>::view_npy(&self.map).map_err(|error| {
            let text = match error {
                ViewNpyError::MissingBytes(n) => format!("the file ends {n} bytes too early"),
                ViewNpyError::ExtraBytes(n) => format!("the file has {n} bytes more than its header says"),
                other => other.to_string(),
            };
            Failure::file(&self.path, text)
        })
    }

    /// The elements as an operand.
    pub fn operand(&self) -> Result<Operand<'_>> {
        with_dtype!(self.dtype, T => self.typed::<T>().map(|view| View::from_ndarray(view).into()))
    }
}

/// The dtype that a type descriptor of the format names.
fn dtype(descr: &str) -> Result<Dtype, String> {
    let (order, kind) = descr.split_at_checked(1).unwrap_or(("", ""));
    let dtype = match kind {
        "b1" => Dtype::Bool,
        "u1" => Dtype::U8,
        "i1" => Dtype::I8,
        "u2" => Dtype::U16,
        "i2" => Dtype::I16,
        "u4" => Dtype::U32,
        "i4" => Dtype::I32,
        "u8" => Dtype::U64,
        "i8" => Dtype::I64,
        "f4" => Dtype::F32,
        "f8" => Dtype::F64,
        _ => return Err(format!("dtype {descr:?} is not supported; expected one of bool, uint8 … int64, float32, float64")),
    };
    let foreign = if cfg!(target_endian = "little") { ">" } else { "<" };
    if order == foreign && dtype.size() > 1 {
        let word = if foreign == ">" { "big-endian" } else { "little-endian" };
        return Err(format!(
            "the data is {word} ({descr}); save it in this machine's order: x.astype(x.dtype.newbyteorder('='))"
        ));
    }
    Ok(dtype)
}

/// Writes the elements, in C order.
pub fn write(out: impl Write, values: &HostVec, shape: &[usize]) -> Result<(), String> {
    let mut out = BufWriter::new(out);
    with_vec!(values, vec => {
        let view = ArrayViewD::from_shape(IxDyn(shape), vec).map_err(|error| error.to_string())?;
        view.write_npy(&mut out).map_err(|error| error.to_string())?;
    });
    out.flush().map_err(|error| reason(&error))
}

/// What an I/O error says, without the number of the operating system.
pub fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_string()
}

/// A one-dimensional or larger copy of a typed view, in C order.
pub fn to_vec<T: Element>(view: &ArrayViewD<'_, T>) -> Vec<T> {
    view.iter().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_told_apart() {
        assert_eq!(dtype("<f8"), Ok(Dtype::F64));
        assert_eq!(dtype("|u1"), Ok(Dtype::U8));
        assert_eq!(dtype("=i2"), Ok(Dtype::I16));
        assert!(dtype(">i4").is_err_and(|text| text.contains("big-endian")));
        for text in ["<c16", "<f2", "|S3", "", "é"] {
            assert!(dtype(text).is_err_and(|error| error.contains("not supported")), "{text}");
        }
    }
}
