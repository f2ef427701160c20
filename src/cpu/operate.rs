//! Operations on the CPU: each to its own file.

use super::simd::Simd;
use super::{log_sum_exp, quantile, scan, topk};
use crate::array::Storage;
use crate::engine::Target;
use crate::plan::Operation;
use crate::view::View;
use crate::{Control, Error, Result};

/// Runs an operation on the current threads.
pub(super) fn run(
    operation: &Operation,
    inputs: Vec<View<'_>>,
    targets: Vec<Target<'_>>,
    simd: Simd,
    control: &Control,
) -> Result<Vec<Option<Storage>>> {
    control.check()?;
    let counts = (operation.operands().len(), operation.results().len());
    if (inputs.len(), targets.len()) != counts {
        let got = format!("{} and {}", inputs.len(), targets.len());
        return Err(Error::invalid("operands and targets", got, format!("{} and {}", counts.0, counts.1)));
    }
    let Some(input) = inputs.first().cloned() else { return Ok(vec![]) };
    let one =
        |run: &dyn Fn(Target<'_>) -> Result<Option<Storage>>, targets: Vec<Target<'_>>| targets.into_iter().map(run).collect();
    match operation {
        Operation::Scan(plan) => one(&|target| scan::run(plan, input.clone(), target, simd, control), targets),
        Operation::Quantile(plan) => one(&|target| quantile::run(plan, &inputs, target, control), targets),
        Operation::TopK(plan) => topk::run(plan, input, targets, control),
        Operation::LogSumExp(plan) => log_sum_exp::run(plan, &inputs, targets, simd, control),
    }
}
