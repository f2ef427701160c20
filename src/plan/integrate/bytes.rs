//! The byte form of a state: words and texts one after the other, least significant byte first, and a checksum.

use crate::plan::checksum::checksum;
use crate::{Error, Result};

const WHAT: &str = "state of an integral";

pub(super) fn corrupt(reason: impl Into<String>) -> Error {
    Error::Corrupt { what: WHAT.into(), reason: reason.into() }
}

#[derive(Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn word(&mut self, word: u64) {
        self.raw(&word.to_le_bytes());
    }

    pub(super) fn number(&mut self, number: f64) {
        self.word(number.to_bits());
    }

    pub(super) fn text(&mut self, text: &str) {
        self.word(text.len() as u64);
        self.raw(text.as_bytes());
    }

    /// The bytes, with their checksum behind.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.word(checksum(&self.0));
        self.0
    }
}

pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Checks the checksum.
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self> {
        let cut = || corrupt(format!("{} bytes, expected more", bytes.len()));
        let (body, sum) = bytes.split_at_checked(bytes.len().saturating_sub(8)).ok_or_else(cut)?;
        let sum = Self(sum).word().map_err(|_| cut())?;
        if sum != checksum(body) {
            return Err(corrupt("the checksum does not fit: the bytes were damaged or cut short"));
        }
        Ok(Self(body))
    }

    pub(super) fn raw(&mut self, len: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or_else(|| corrupt("the bytes end too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.raw(N).map(|bytes| std::array::from_fn(|i| bytes[i]))
    }

    pub(super) fn word(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn number(&mut self) -> Result<f64> {
        self.word().map(f64::from_bits)
    }

    /// A count of things that take so many bytes each, at least.
    pub(super) fn count(&mut self, bytes: usize) -> Result<usize> {
        let count = self.word()?;
        usize::try_from(count)
            .ok()
            .filter(|count| count.saturating_mul(bytes) <= self.0.len())
            .ok_or_else(|| corrupt(format!("a count of {count} that the bytes have no room for")))
    }

    pub(super) fn text(&mut self) -> Result<&'a str> {
        let len = self.count(1)?;
        std::str::from_utf8(self.raw(len)?).map_err(|_| corrupt("a text that is not UTF-8"))
    }

    pub(super) fn end(&self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(corrupt(format!("{} bytes too many", self.0.len()))) }
    }
}
