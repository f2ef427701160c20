//! Output files that are complete or not there: written under a temporary name, then renamed.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::failure::{Failure, Result};
use crate::npy::reason;

/// A file being written. Dropped before [`finish`](Self::finish), it leaves nothing behind.
pub struct Sink {
    file: File,
    /// The file that a link stands for, or what was asked for.
    target: PathBuf,
    /// The name until then; none where the target is written straight.
    temporary: Option<PathBuf>,
}

impl Sink {
    /// Opens a temporary file beside `target`, or a device, pipe or whatever else is no regular file itself.
    pub fn create(target: &Path) -> Result<Self> {
        let failed = |error: std::io::Error| Failure::file(target, reason(&error));
        let found = resolved(target);
        if fs::metadata(&found).is_ok_and(|meta| !meta.is_file()) || is_descriptor(&found) {
            let file = File::create(&found).map_err(failed)?;
            return Ok(Self { file, target: found, temporary: None });
        }
        if found.file_name().is_none() {
            return Err(Failure::file(target, "is no name of a file"));
        }
        // Short whatever the target's name, and never that of a run that was killed.
        static COUNT: AtomicU64 = AtomicU64::new(0);
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let temporary = found.with_file_name(format!(".unisono.{}.{count}.part", std::process::id()));
            match File::create_new(&temporary) {
                Ok(file) => return Ok(Self { file, target: found, temporary: Some(temporary) }),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// Where to write.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Gives the file its name.
    pub fn finish(mut self) -> Result<()> {
        if let Some(temporary) = &self.temporary {
            fs::rename(temporary, &self.target).map_err(|error| Failure::file(&self.target, reason(&error)))?;
            self.temporary = None;
        }
        Ok(())
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            let _ = fs::remove_file(temporary);
        }
    }
}

/// Refuses a result that would replace one of the files it is made from.
pub fn refuse_inputs<'a>(output: Option<&Path>, inputs: impl IntoIterator<Item = &'a PathBuf>) -> Result<()> {
    let real = |path: &Path| path.canonicalize().ok().filter(|path| path.is_file());
    let Some((output, file)) = output.and_then(|output| Some((output, real(output)?))) else { return Ok(()) };
    match inputs.into_iter().any(|input| real(input).as_ref() == Some(&file)) {
        true => Err(Failure::usage(format!("--output: got {}, an input; expected another file", output.display()))),
        false => Ok(()),
    }
}

/// The file that a name stands for: links followed, to one that is not there yet too.
fn resolved(target: &Path) -> PathBuf {
    let mut path = target.to_path_buf();
    // As many as Linux follows.
    for _ in 0..40 {
        match fs::read_link(&path) {
            Ok(next) if !is_descriptor(&path) => path = path.parent().unwrap_or(Path::new("")).join(next),
            _ => break,
        }
    }
    path
}

/// Whether a name stands for an open file, as /dev/stdout does in the end: what is open is written, not replaced.
fn is_descriptor(path: &Path) -> bool {
    path.starts_with("/proc") || path.starts_with("/dev/fd")
}
