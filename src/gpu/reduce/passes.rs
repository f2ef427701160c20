//! Reductions made from others: moments from sums and sums of squares, ranges from extremes, counts from masks. Each pass
//! reads the elements once; the partials meet on the host, where they are exact.

use std::sync::Arc;

use super::launch::Runner;
use super::pieces::Source;
use super::{States, tiles};
use crate::engine::Input;
use crate::exact::Moments;
use crate::gpu::context::Context;
use crate::gpu::memory::GpuBuffer;
use crate::plan::{Lanes, NormOrder, Partials, Reduce, ReduceOp, ReducePlan};
use crate::{Control, Dtype, Error, Result};

/// Elements of this many bytes are uploaded once for several passes; more are uploaded for each.
const ONCE: usize = 256 << 20;

/// What one pass computes.
struct Pass<'a> {
    context: &'a Arc<Context>,
    /// The plan: of it, axes and shape.
    plan: &'a ReducePlan,
    control: &'a Control,
}

impl Pass<'_> {
    /// The partials of `op` over elements of `dtype`, or how many are no NaN; of those that a mask selects, if there is one.
    fn run(&self, op: ReduceOp, dtype: Dtype, skip: bool, valid: bool, inputs: &[&Input<'_>]) -> Result<Partials> {
        let masked = inputs.len() > 1 && op != ReduceOp::Dot;
        let plan = ReducePlan { op, dtype, skip_nan: skip, masked, ..self.plan.clone() };
        let mut partials = ReducePlan { skip_nan: false, masked: false, ..plan.clone() }.empty_partials();
        let mut scratch = [None, None];
        let sources = inputs.iter().zip(&mut scratch).map(|(input, scratch)| Source::of(input, self.context, &plan, scratch));
        let sources: Vec<Source<'_>> = sources.collect::<Result<_>>()?;
        let mut runner = Runner::of(self.context, &plan, valid, self.control)?;
        for tile in tiles(0..self.plan.out_len() as u64, runner.tile()) {
            let state = runner.reduce(&sources, tile.clone())?;
            let n = (tile.end - tile.start) as usize;
            let bytes = self.context.read_small(&state, n as u64 * runner.slot_bytes())?;
            let (words, _) = bytes.as_chunks::<4>();
            let words: Vec<u32> = words.iter().map(|&word| u32::from_le_bytes(word)).collect();
            States { variant: runner.variant(), words: &words, n }.decode(&mut partials, tile.start as usize);
        }
        Ok(partials)
    }

    /// The partials of the plan for its inputs, with NaN passed over as the plan says.
    fn of(&self, inputs: &[&Input<'_>]) -> Result<Partials> {
        let (op, dtype) = (self.plan.op, self.plan.dtype);
        let skip = self.plan.skip_nan && op != ReduceOp::Dot;
        let run = |op| self.run(op, dtype, skip, false, inputs);
        match op {
            ReduceOp::Var | ReduceOp::Std => {
                let (sums, squares) = (run(ReduceOp::Sum)?, run(ReduceOp::Norm(NormOrder::Two))?);
                let count = self.plan.reduce_len() as u64;
                let Partials::Dot(squares) = squares else { return Err(mixed()) };
                let moments = |(sum, squares)| Moments::from_parts(count, sum, squares);
                Ok(Partials::Moments(match sums {
                    Partials::Float(sums) => sums.into_iter().zip(squares).map(moments).collect(),
                    Partials::Integer(sums) => {
                        let exact = |sum: i128| {
                            let mut exact = crate::ExactSum::new();
                            exact.add_scaled(sum, 0);
                            exact
                        };
                        sums.into_iter().map(exact).zip(squares).map(moments).collect()
                    }
                    _ => return Err(mixed()),
                }))
            }
            ReduceOp::Ptp => match (run(ReduceOp::Min)?, run(ReduceOp::Max)?) {
                (Partials::Extreme(least), Partials::Extreme(most)) => {
                    Ok(Partials::Range(least.into_iter().zip(most).map(|(least, most)| least.zip(most)).collect()))
                }
                _ => Err(mixed()),
            },
            ReduceOp::Norm(NormOrder::Zero) => run(ReduceOp::CountNonzero),
            other => run(other),
        }
    }
}

/// How many elements of each lane are no NaN, of those that a mask tells if there is one.
pub(in crate::gpu) fn count_numbers(
    context: &Arc<Context>,
    lanes: &Lanes,
    input: &Input<'_>,
    mask: Option<&Input<'_>>,
    control: &Control,
) -> Result<Vec<u64>> {
    let inputs: Vec<&Input<'_>> = std::iter::once(input).chain(mask).collect();
    count(context, lanes, lanes.dtype, true, &inputs, control)
}

/// How many elements of each lane a mask tells.
pub(in crate::gpu) fn count_taken(
    context: &Arc<Context>,
    lanes: &Lanes,
    mask: &Input<'_>,
    control: &Control,
) -> Result<Vec<u64>> {
    count(context, lanes, Dtype::Bool, false, &[mask], control)
}

fn count(
    context: &Arc<Context>,
    lanes: &Lanes,
    dtype: Dtype,
    valid: bool,
    inputs: &[&Input<'_>],
    control: &Control,
) -> Result<Vec<u64>> {
    let axes: Vec<isize> = lanes.walked.iter().map(|&axis| axis as isize).collect();
    let plan = ReducePlan::new(&Reduce::of(ReduceOp::CountNonzero).axes(&axes), dtype, &lanes.input)?;
    let pass = Pass { context, plan: &plan, control };
    match pass.run(ReduceOp::CountNonzero, dtype, false, valid, inputs)? {
        Partials::Count(counts) => Ok(counts),
        _ => Err(mixed()),
    }
}

fn mixed() -> Error {
    Error::invalid("partials", "those of another operation", "sums or extremes")
}

/// The partials of any plan.
pub(super) fn partials(context: &Arc<Context>, plan: &ReducePlan, inputs: &[Input<'_>], control: &Control) -> Result<Partials> {
    if inputs.len() != plan.inputs() {
        return Err(Error::invalid("inputs of a reduction", inputs.len(), plan.inputs().to_string()));
    }
    if plan.work() == 0 {
        return Ok(plan.empty_partials());
    }
    // What is not reproducible may as well be exact.
    let exact = ReducePlan { mode: crate::SumMode::Exact, ..plan.clone() };
    let pass = Pass { context, plan: &exact, control };
    let passes = plan.is_counted() || matches!(plan.op, ReduceOp::Var | ReduceOp::Std | ReduceOp::Ptp);
    let once = ONCE.min(context.share(8) as usize);
    let here: Vec<Option<GpuBuffer>> = inputs
        .iter()
        .map(|input| match input {
            Input::Host(view) if passes && view.len() * view.dtype().size() <= once => {
                context.upload_view(view, control).map(Some)
            }
            _ => Ok(None),
        })
        .collect::<Result<_>>()?;
    let resident: Vec<Option<Input<'_>>> = here
        .iter()
        .zip(inputs)
        .map(|(buffer, input)| buffer.as_ref().map(|buffer| Input::Gpu { buffer, dtype: input.dtype(), shape: input.shape() }))
        .collect();
    let inputs: Vec<&Input<'_>> = resident.iter().zip(inputs).map(|(here, input)| here.as_ref().unwrap_or(input)).collect();
    let mut partials = pass.of(&inputs)?;
    if plan.is_counted() && plan.op != ReduceOp::Dot {
        let counts = match &inputs[..] {
            // NaN counts.
            [_, mask] if !plan.skip_nan => pass.run(ReduceOp::CountNonzero, Dtype::Bool, false, false, &[mask])?,
            all => pass.run(ReduceOp::CountNonzero, plan.dtype, false, true, all)?,
        };
        let Partials::Count(counts) = counts else { return Err(mixed()) };
        with_counts(&mut partials, &counts);
        partials = Partials::Counted(Box::new(partials), counts);
    }
    fast(plan, partials)
}

/// Exact sums in the place of plain ones, where those were allowed.
fn fast(plan: &ReducePlan, partials: Partials) -> Result<Partials> {
    Ok(match partials {
        Partials::Float(sums) if plan.is_fast() => Partials::Fast(sums.iter().map(crate::ExactSum::to_f64).collect()),
        Partials::Counted(partials, counts) => Partials::Counted(Box::new(fast(plan, *partials)?), counts),
        other => other,
    })
}

/// Tells moments how many elements they are of, and extremes whether there were any.
fn with_counts(partials: &mut Partials, counts: &[u64]) {
    match partials {
        Partials::Moments(all) => {
            for (moments, &count) in all.iter_mut().zip(counts) {
                *moments = std::mem::take(moments).with_count(count);
            }
        }
        Partials::Extreme(all) => {
            all.iter_mut().zip(counts).filter(|(_, count)| **count == 0).for_each(|(key, _)| *key = None);
        }
        _ => {}
    }
}
