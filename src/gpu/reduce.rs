//! Reductions on the GPU.

use std::sync::Arc;

use super::context::Context;
use crate::array::Storage;
use crate::engine::{Input, Target};
use crate::plan::{Partials, ReducePlan};
use crate::{Control, Error, Result};

/// Runs a plan to its final values.
pub(super) fn run(
    context: &Arc<Context>,
    plan: &ReducePlan,
    input: &Input<'_>,
    _target: Target<'_>,
    control: &Control,
) -> Result<Option<Storage>> {
    partials(context, plan, input, control).map(|_| None)
}

/// Runs a plan to partials.
pub(super) fn partials(context: &Arc<Context>, _plan: &ReducePlan, _input: &Input<'_>, _control: &Control) -> Result<Partials> {
    Err(Error::Unsupported { device: context.id.clone(), operation: "reduce".into(), feature: "shader".into() })
}
