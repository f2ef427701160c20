//! Objects that a call changes without the GIL: another call at the same time would be lost.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;

use crate::error::invalid;

/// Process and address of the objects at work. What a fork copies is nobody's work in the child.
static WORKING: Mutex<BTreeSet<(u32, usize)>> = Mutex::new(BTreeSet::new());

fn working<T>(with: impl FnOnce(&mut BTreeSet<(u32, usize)>) -> T) -> T {
    with(&mut WORKING.lock().unwrap_or_else(PoisonError::into_inner))
}

/// An object that one call alone may change, until this is dropped.
pub(crate) struct Exclusive((u32, usize));

impl Exclusive {
    /// Fails if another call is changing the object.
    pub(crate) fn new<T>(object: &Bound<'_, T>) -> PyResult<Self> {
        let key = (std::process::id(), object.as_ptr().addr());
        if working(|objects| objects.insert(key)) {
            return Ok(Self(key));
        }
        Err(invalid("state", "one that another thread's call is still changing", "one call at a time"))
    }
}

impl Drop for Exclusive {
    fn drop(&mut self) {
        working(|objects| objects.remove(&self.0));
    }
}
