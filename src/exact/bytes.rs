//! The byte forms of partials: what they have in common.

use crate::{Error, Result};

/// Bytes of the right length and version.
pub(super) struct Reader<'a> {
    what: &'static str,
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Checks the version byte in front and the length.
    pub(super) fn new(what: &'static str, bytes: &'a [u8], version: u8, len: usize) -> Result<Self> {
        let read = Self { what, bytes };
        match bytes.first() {
            Some(&found) if found == version => {}
            Some(found) => return Err(read.corrupt(format!("version {found}, expected {version}"))),
            None => return Err(read.corrupt("no bytes")),
        }
        if bytes.len() != len {
            return Err(read.corrupt(format!("{} bytes, expected {len}", bytes.len())));
        }
        Ok(read)
    }

    /// Fills `words` from the bytes from `at` on.
    pub(super) fn words(&self, at: usize, words: &mut [u64]) {
        let (from, _) = self.bytes[at..].as_chunks::<8>();
        words.iter_mut().zip(from).for_each(|(word, bytes)| *word = u64::from_le_bytes(*bytes));
    }

    /// One word.
    pub(super) fn word(&self, at: usize) -> u64 {
        let mut word = [0];
        self.words(at, &mut word);
        word[0]
    }

    /// The error for such bytes.
    pub(super) fn corrupt(&self, reason: impl Into<String>) -> Error {
        Error::Corrupt { what: self.what.into(), reason: reason.into() }
    }
}
