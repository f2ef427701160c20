//! Quantiles on the GPU: the elements that they lie between are selected there, what lies between is the plan's arithmetic.

use std::collections::HashMap;
use std::sync::Arc;

use super::context::Context;
use super::lanes::{self, Source};
use super::reduce;
use super::select::{Order, Selection};
use crate::array::{HostVec, Storage};
use crate::dtype::with_dtype;
use crate::engine::{Input, Target};
use crate::plan::{Between, Found, QuantilePlan};
use crate::view::ViewMut;
use crate::{Control, Dtype, Error, Result};

/// Runs a plan.
pub(super) fn run(
    context: &Arc<Context>,
    plan: &QuantilePlan,
    input: &Input<'_>,
    target: Target<'_>,
    control: &Control,
) -> Result<Option<Storage>> {
    control.check()?;
    if plan.beside.is_some() {
        return Err(Error::Unsupported {
            device: context.id.clone(),
            operation: "quantiles with weights or a mask".into(),
            feature: "shader for them".into(),
        });
    }
    let count: usize = plan.shape.iter().product();
    let mut result = HostVec::zeros(plan.out_dtype, count)?;
    if count > 0 {
        let valid = match plan.lanes.dtype.is_float() {
            true => Some(reduce::count_numbers(context, &plan.lanes, input, &control.quiet())?),
            false => None,
        };
        let mut scratch = None;
        let source = Source::new(context, &plan.lanes, input, &mut scratch)?;
        let order = Order { dtype: plan.lanes.dtype, top: false, down: false };
        let selection = Selection::new(context, &source, order, control)?;
        let out = result.view_mut(&[count]);
        with_dtype!(plan.lanes.dtype, T => of::<T>(&selection, plan, valid.as_deref(), out)?);
    }
    control.advance(plan.lanes.work());
    lanes::hand_over(context, result, &plan.shape, target, control)
}

/// Where results go.
enum Out<'a, T> {
    Elements(&'a mut [T]),
    Single(&'a mut [f32]),
    Double(&'a mut [f64]),
}

fn of<T: Between>(selection: &Selection<'_>, plan: &QuantilePlan, valid: Option<&[u64]>, mut out: ViewMut<'_>) -> Result<()> {
    let (grid, len, lanes) = (selection.grid(), plan.lanes.len(), plan.lanes.count());
    let wrong = || Error::Dtype { what: "output".into(), got: T::DTYPE, expected: plan.out_dtype.to_string() };
    let mut out = match plan.out_dtype {
        _ if plan.method.is_some_and(|method| method.is_discrete()) => Out::Elements(out.as_slice().ok_or_else(wrong)?),
        Dtype::F32 => Out::Single(out.as_slice().ok_or_else(wrong)?),
        _ => Out::Double(out.as_slice().ok_or_else(wrong)?),
    };
    let count = |lane: usize| valid.map_or(len, |valid| valid[lane] as usize);
    // The ranks of lanes of so many numbers.
    let mut wanted: HashMap<usize, Vec<usize>> = HashMap::new();
    for lane in 0..lanes {
        let n = count(lane);
        wanted.entry(n).or_insert_with(|| plan.wanted(n));
    }
    let ranks = wanted.values().map(Vec::len).max().unwrap_or(0).max(1);
    for part in selection.parts() {
        let Some(piece) = part.first() else { continue };
        let rank = |lane: usize, i: usize| wanted[&count(piece.lane(grid, lane))].get(i).copied().unwrap_or(0);
        let keys = selection.keys(&part, ranks, &rank)?;
        for (lane, keys) in keys.chunks_exact(ranks).enumerate() {
            let lane = piece.lane(grid, lane);
            let n = count(lane);
            for i in 0..plan.points.len() {
                let at = i * lanes + lane;
                match (&mut out, plan.between::<T>(i, n, n < len && !plan.ignore_nan, &wanted[&n], keys)) {
                    (Out::Elements(out), Found::Element(x)) => out[at] = x,
                    (Out::Single(out), found) => out[at] = found.number() as f32,
                    (Out::Double(out), found) => out[at] = found.number(),
                    (Out::Elements(_), Found::Number(_)) => {}
                }
            }
        }
    }
    Ok(())
}
