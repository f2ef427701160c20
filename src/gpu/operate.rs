//! Operations on the GPU: each to its own file.

use std::sync::Arc;

use super::context::Context;
use super::{log_sum_exp, quantile, scan, topk};
use crate::array::Storage;
use crate::engine::{Input, Target};
use crate::plan::Operation;
use crate::{Control, Error, Result};

/// Runs an operation.
pub(super) fn run(
    context: &Arc<Context>,
    operation: &Operation,
    inputs: &[Input<'_>],
    targets: Vec<Target<'_>>,
    control: &Control,
) -> Result<Vec<Option<Storage>>> {
    control.check()?;
    let counts = (operation.operands().len(), operation.results().len());
    if (inputs.len(), targets.len()) != counts {
        let got = format!("{} and {}", inputs.len(), targets.len());
        return Err(Error::invalid("operands and targets", got, format!("{} and {}", counts.0, counts.1)));
    }
    match operation {
        Operation::Scan(plan) => {
            targets.into_iter().map(|target| scan::run(context, plan, &inputs[0], target, control)).collect()
        }
        Operation::Quantile(plan) => {
            targets.into_iter().map(|target| quantile::run(context, plan, inputs, target, control)).collect()
        }
        Operation::TopK(plan) => topk::run(context, plan, &inputs[0], targets, control),
        Operation::LogSumExp(plan) => log_sum_exp::run(context, plan, inputs, targets, control),
    }
}
