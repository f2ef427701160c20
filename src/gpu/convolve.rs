//! Convolution on the GPU.

use std::sync::Arc;

use super::context::Context;
use crate::array::Storage;
use crate::engine::{Input, Target};
use crate::plan::ConvolvePlan;
use crate::{Control, Error, Result};

/// Runs a plan.
pub(super) fn run(
    context: &Arc<Context>,
    _plan: &ConvolvePlan,
    _image: &Input<'_>,
    _kernel: &Input<'_>,
    _target: Target<'_>,
    _control: &Control,
) -> Result<Option<Storage>> {
    Err(Error::Unsupported { device: context.id.clone(), operation: "convolve".into(), feature: "shader".into() })
}
