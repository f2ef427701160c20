//! Masks and labels that go with files: one array for all of them, or a folder of files of the same names.

use std::ops::Range;
use std::path::{Path, PathBuf};

use ndarray::{Axis, Slice};
use unisono::{Operand, View};

use crate::erased::with_dtype;
use crate::failure::{Failure, Result};
use crate::npy::Npy;

/// What goes with some files.
pub enum Beside {
    /// An array of the shape of all of them end to end, or one row for all of theirs.
    Whole(Npy),
    /// An array for each file.
    Each(Vec<PathBuf>),
}

impl Beside {
    /// What lies at `path` for these files.
    pub fn open(path: &Path, files: &[PathBuf]) -> Result<Self> {
        if !path.is_dir() {
            return Npy::open(path).map(Self::Whole);
        }
        let named = |file: &PathBuf| {
            let found = path.join(file.file_name().unwrap_or_default());
            match found.is_file() {
                true => Ok(found),
                false => Err(Failure::file(&found, format!("is not there; expected one for {}", file.display()))),
            }
        };
        files.iter().map(named).collect::<Result<_>>().map(Self::Each)
    }

    /// The array that goes with file `index`, in the folder.
    pub fn of(&self, index: usize) -> Result<Option<Npy>> {
        match self {
            Self::Whole(_) => Ok(None),
            Self::Each(paths) => Npy::open(&paths[index]).map(Some),
        }
    }

    /// What goes with rows `rows` of a file, which are `all` among those of all files, of which there are `total`: from
    /// `here`, the array of the file, or from that of all.
    pub fn rows<'a>(
        &'a self,
        here: Option<&'a Npy>,
        shape: &[usize],
        rows: Range<usize>,
        all: Range<usize>,
        total: usize,
    ) -> Result<Operand<'a>> {
        match (self, here) {
            (_, Some(here)) => {
                if here.shape() != shape {
                    let text = format!("is {:?}; expected {shape:?}, as the file that it goes with", here.shape());
                    return Err(Failure::file(here.path(), text));
                }
                part(here, rows)
            }
            (Self::Whole(whole), _) if is_one_row(whole, shape, total) => whole.operand(),
            (Self::Whole(whole), _) => {
                if whole.shape().first() != Some(&total) || whole.shape().get(1..) != shape.get(1..) {
                    let expected: Vec<usize> = std::iter::once(total).chain(shape.iter().skip(1).copied()).collect();
                    let text = format!("is {:?}; expected {expected:?}, as all files together", whole.shape());
                    return Err(Failure::file(whole.path(), text));
                }
                part(whole, all)
            }
            (Self::Each(_), None) => Err(Failure::work("a file without what goes with it")),
        }
    }
}

/// Whether an array has one row for all of those of files with this shape. Where there is one in all, it may be that row.
fn is_one_row(whole: &Npy, shape: &[usize], total: usize) -> bool {
    let is_that_row = total == 1 && whole.shape().get(1..) == shape.get(1..);
    whole.shape().len() < shape.len() || (whole.shape().first() == Some(&1) && !is_that_row)
}

/// Some rows of a file.
pub fn part(npy: &Npy, rows: Range<usize>) -> Result<Operand<'_>> {
    with_dtype!(npy.dtype(), T => {
        let mut view = npy.typed::<T>()?;
        view.slice_axis_inplace(Axis(0), Slice::from(rows));
        Ok(Operand::from(View::from_ndarray(view)))
    })
}
