//! Quantiles on the GPU: the elements that they lie between are selected there, what lies between is the plan's arithmetic.

mod weighed;

use std::collections::HashMap;
use std::sync::Arc;

use super::context::Context;
use super::lanes::{self, Source};
use super::reduce;
use super::select::{Order, Selection};
use crate::array::{HostVec, Storage};
use crate::dtype::with_dtype;
use crate::engine::{Input, Target};
use crate::plan::{Beside, Between, Found, Lanes, QuantilePlan};
use crate::view::ViewMut;
use crate::{Control, Dtype, Error, Result};

/// Runs a plan.
pub(super) fn run(
    context: &Arc<Context>,
    plan: &QuantilePlan,
    inputs: &[Input<'_>],
    target: Target<'_>,
    control: &Control,
) -> Result<Option<Storage>> {
    control.check()?;
    let count: usize = plan.shape.iter().product();
    let mut result = HostVec::zeros(plan.out_dtype, count)?;
    if let (Some(input), true) = (inputs.first(), count > 0) {
        let counts = Counts::of(context, plan, inputs, &control.quiet())?;
        let mut scratch = [None, None];
        let [scratch, other] = &mut scratch;
        let source = Source::new(context, &plan.lanes, input, scratch)?;
        let second = match (plan.beside, inputs.get(1)) {
            (Some(beside), Some(second)) => {
                let lanes = Lanes { dtype: beside.dtype(), ..plan.lanes.clone() };
                Some(Source::new(context, &lanes, second, other)?)
            }
            _ => None,
        };
        let order = Order { dtype: plan.lanes.dtype, top: false, down: false, beside: plan.beside };
        let selection = Selection::new(context, &source, second.as_ref(), order, control)?;
        let mut view = result.view_mut(&[count]);
        with_dtype!(plan.lanes.dtype, T => {
            let mut out = Out::<T>::new(plan, &mut view)?;
            match weighed::dtype(plan.beside) {
                Some(weights) => weighed::run(&selection, plan, weights, &mut out)?,
                None => of::<T>(&selection, plan, &counts, &mut out)?,
            }
        });
    }
    control.advance(plan.lanes.work());
    lanes::hand_over(context, result, &plan.shape, target, control)
}

/// How many numbers lanes have, and how many elements.
struct Counts {
    numbers: Option<Vec<u64>>,
    all: Option<Vec<u64>>,
    len: usize,
}

impl Counts {
    fn of(context: &Arc<Context>, plan: &QuantilePlan, inputs: &[Input<'_>], control: &Control) -> Result<Self> {
        let (lanes, len) = (&plan.lanes, plan.lanes.len());
        let (numbers, all) = match (plan.beside, inputs) {
            (Some(Beside::Mask), [input, mask]) => {
                let all = reduce::count_taken(context, lanes, mask, control)?;
                let numbers = match lanes.dtype.is_float() {
                    true => reduce::count_numbers(context, lanes, input, Some(mask), control)?,
                    false => all.clone(),
                };
                (Some(numbers), Some(all))
            }
            (None, [input]) if lanes.dtype.is_float() => {
                (Some(reduce::count_numbers(context, lanes, input, None, control)?), None)
            }
            _ => (None, None),
        };
        Ok(Self { numbers, all, len })
    }

    fn numbers(&self, lane: usize) -> usize {
        self.numbers.as_ref().map_or(self.len, |counts| counts[lane] as usize)
    }

    fn has_nan(&self, lane: usize) -> bool {
        self.numbers(lane) < self.all.as_ref().map_or(self.len, |counts| counts[lane] as usize)
    }
}

/// Where results lie: an axis for the quantiles, then the lanes.
struct Table {
    lanes: usize,
}

impl Table {
    fn at(&self, quantile: usize, lane: usize) -> usize {
        quantile * self.lanes + lane
    }
}

/// Where results go.
enum Out<'a, T> {
    Elements(&'a mut [T]),
    Single(&'a mut [f32]),
    Double(&'a mut [f64]),
}

impl<'a, T: Between> Out<'a, T> {
    fn new(plan: &QuantilePlan, out: &'a mut ViewMut<'_>) -> Result<Self> {
        let wrong = || Error::Dtype { what: "output".into(), got: T::DTYPE, expected: plan.out_dtype.to_string() };
        Ok(match plan.out_dtype {
            _ if plan.is_discrete() => Out::Elements(out.as_slice().ok_or_else(wrong)?),
            Dtype::F32 => Out::Single(out.as_slice().ok_or_else(wrong)?),
            _ => Out::Double(out.as_slice().ok_or_else(wrong)?),
        })
    }

    fn write(&mut self, at: usize, found: Found<T>) {
        match (self, found) {
            (Out::Elements(out), Found::Element(x)) => out[at] = x,
            (Out::Single(out), found) => out[at] = found.number() as f32,
            (Out::Double(out), found) => out[at] = found.number(),
            (Out::Elements(_), Found::Number(_)) => {}
        }
    }
}

fn of<T: Between>(selection: &Selection<'_>, plan: &QuantilePlan, counts: &Counts, out: &mut Out<'_, T>) -> Result<()> {
    let (grid, lanes) = (selection.grid(), plan.lanes.count());
    let table = Table { lanes };
    // The ranks of lanes of so many numbers.
    let mut wanted: HashMap<usize, Vec<usize>> = HashMap::new();
    for lane in 0..lanes {
        let n = counts.numbers(lane);
        plan.expect_some::<T>(n)?;
        wanted.entry(n).or_insert_with(|| plan.wanted(n));
    }
    let ranks = wanted.values().map(Vec::len).max().unwrap_or(0).max(1);
    for part in selection.parts() {
        let Some(piece) = part.first() else { continue };
        let rank = |lane: usize, i: usize| wanted[&counts.numbers(piece.lane(grid, lane))].get(i).copied().unwrap_or(0);
        let keys = selection.keys(&part, ranks, &rank)?;
        for (lane, keys) in keys.chunks_exact(ranks).enumerate() {
            let lane = piece.lane(grid, lane);
            let (n, nan) = (counts.numbers(lane), counts.has_nan(lane) && !plan.ignore_nan);
            for i in 0..plan.points.len() {
                out.write(table.at(i, lane), plan.between::<T>(i, n, nan, &wanted[&n], keys));
            }
        }
    }
    Ok(())
}
