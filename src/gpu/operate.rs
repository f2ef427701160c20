//! Operations on the GPU: each to its own file.

use std::sync::Arc;

use super::context::Context;
use crate::array::Storage;
use crate::engine::{Input, Target};
use crate::plan::Operation;
use crate::{Control, Error, Result};

/// Runs an operation.
pub(super) fn run(
    context: &Arc<Context>,
    operation: &Operation,
    _inputs: &[Input<'_>],
    _targets: Vec<Target<'_>>,
    control: &Control,
) -> Result<Vec<Option<Storage>>> {
    control.check()?;
    Err(Error::Unsupported {
        device: context.id.clone(),
        operation: format!("{} of {}", operation.name(), operation.lanes().dtype),
        feature: "shader for it".into(),
    })
}
