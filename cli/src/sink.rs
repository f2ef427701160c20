//! Output files that are complete or not there: written under a temporary name, then renamed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};
use crate::npy::reason;

/// A file being written. Dropped before [`finish`](Self::finish), it leaves nothing behind.
pub struct Sink {
    file: File,
    temporary: PathBuf,
    target: PathBuf,
    done: bool,
}

impl Sink {
    /// Opens a temporary file beside `target`.
    pub fn create(target: &Path) -> Result<Self> {
        let name = target.file_name().ok_or_else(|| Failure::file(target, "is no name of a file"))?;
        let temporary = target.with_file_name(format!(".{}.{}.part", name.to_string_lossy(), std::process::id()));
        let file = File::create(&temporary).map_err(|error| Failure::file(target, reason(&error)))?;
        Ok(Self { file, temporary, target: target.to_path_buf(), done: false })
    }

    /// Where to write.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Gives the file its name.
    pub fn finish(mut self) -> Result<()> {
        fs::rename(&self.temporary, &self.target).map_err(|error| Failure::file(&self.target, reason(&error)))?;
        self.done = true;
        Ok(())
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if !self.done {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}
