//! Separable filters on the CPU: passes in pairs, fused tile by tile, over sources read where they lie.
//!
//! **Numerics.** Sums are binary32 or binary64 ([`SeparablePlan::is_double`]), one fused multiply-add per weight, or per pair
//! of weights where those are symmetric; nothing is rounded to the result's dtype before the end. The bits depend neither on
//! threads, tiles and parts nor on the instruction set.

mod along;
mod block;
#[cfg(target_arch = "x86_64")]
mod buffered;
mod down;
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "other vectors have no shifts that pay"))]
pub(super) mod few;
mod lanes;
mod stage;
mod sweep;
#[cfg(test)]
mod tests;
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "other vectors have no shifts that pay"))]
mod woven;

use self::along::Lined;
use self::down::Filtered;
use self::few::Few;
use self::lanes::Float;
use self::stage::{Line, Stage, Term};
use self::sweep::Weights;
use self::woven::{Wanted, Weave};
use super::pack::{CastRow, Castable};
use super::store::{Finish, FinishRow, Finishable, Leave};
use crate::array::{HostVec, Storage};
use crate::cpu::simd::Simd;
use crate::cpu::tasks;
use crate::dtype::Element;
use crate::engine::Target;
use crate::plan::{Boundary, Combine, Pass, SeparablePlan};
use crate::view::{View, ViewMut};
use crate::{Control, Dtype, Error, Result};

/// Elements behind an axis from which on it is filtered down instead of along.
const DOWN_FROM: usize = 64;

/// Runs `plan` on the current thread pool.
///
/// # Errors
/// [`Error::Cancelled`], [`Error::OutOfMemory`], and [`Error::Invalid`] or [`Error::Dtype`] if the array or the target is not
/// the plan's.
pub(in crate::cpu) fn run(
    plan: &SeparablePlan,
    input: View<'_>,
    target: Target<'_>,
    simd: Simd,
    control: &Control,
) -> Result<Option<Storage>> {
    if input.dtype() != plan.in_dtype {
        return Err(Error::Dtype { what: "array".into(), got: input.dtype(), expected: plan.in_dtype.to_string() });
    }
    if input.shape() != plan.input {
        return Err(Error::invalid("array shape", format!("{:?}", input.shape()), format!("{:?}", plan.input)));
    }
    if let Target::Host(out) = &target {
        out.expect(plan.out_dtype, &plan.shape)?;
    }
    crate::cpu::deliver(plan.out_dtype, &plan.shape, target, |out| {
        let run = Run { simd, control };
        match () {
            () if plan.outputs() == 0 => Ok(()),
            () if plan.is_double() => run.terms::<f64>(plan, input, out),
            () => run.terms::<f32>(plan, input, out),
        }
    })
}

/// Passes that are run together: down one axis, then along a later one. Positions in a term.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Pair {
    down: Option<usize>,
    along: Option<usize>,
}

/// Puts the passes in an order and in pairs.
fn pairs(plan: &SeparablePlan, passes: &[Pass]) -> Vec<Pair> {
    let mut order: Vec<usize> = (0..passes.len()).collect();
    if plan.commutes() {
        // Stable: passes over one axis keep their order.
        order.sort_by_key(|&i| passes[i].axis);
    }
    // What changes nothing is left out, unless nothing else is there.
    let idle = |&i: &usize| passes.len() > 1 && passes[i].is_identity(plan.input[passes[i].axis]);
    let needed: Vec<usize> = order.iter().copied().filter(|i| !idle(i)).collect();
    order = if needed.is_empty() { vec![order[0]] } else { needed };
    let mut shape = plan.input.clone();
    let mut pairs = vec![];
    let mut at = 0;
    while at < order.len() {
        let axis = |at: usize| passes[order[at]].axis;
        let inner = |axis: usize| shape[axis + 1..].iter().product::<usize>();
        let short = |at: usize| inner(axis(at)) < DOWN_FROM;
        let fuses = |at: usize| at + 1 < order.len() && axis(at) < axis(at + 1) && short(at + 1);
        let pair = if fuses(at) && !(short(at) && fuses(at + 1)) {
            Pair { down: Some(order[at]), along: Some(order[at + 1]) }
        } else if short(at) {
            Pair { down: None, along: Some(order[at]) }
        } else {
            Pair { down: Some(order[at]), along: None }
        };
        for pass in [pair.down, pair.along].into_iter().flatten() {
            shape[passes[pass].axis] = passes[pass].output;
            at += 1;
        }
        pairs.push(pair);
    }
    pairs
}

/// All terms as one stage, if they fit: two passes each, over axes that go together, with one start and boundary each.
fn together(plan: &SeparablePlan) -> Option<Shapes<'_>> {
    let mut terms = vec![];
    for term in &plan.terms {
        let [down, along] = &term[..] else { return None };
        let behind: usize = plan.input[along.axis + 1..].iter().product();
        if down.axis >= along.axis || behind >= DOWN_FROM {
            return None;
        }
        terms.push((Some(down), Some(along)));
    }
    // One value lies outside for all that look there.
    let fill =
        |(down, _): &(Option<&Pass>, _)| down.filter(|pass| !pass.is_identity(pass.output)).map(|pass| pass.boundary.fill());
    let mut fills = terms.iter().filter_map(fill);
    let first = fills.next();
    if fills.any(|fill| Some(fill) != first) {
        return None;
    }
    Some(Shapes { terms, combine: plan.combine })
}

/// How everything is run.
#[derive(Clone, Copy)]
struct Run<'a> {
    simd: Simd,
    control: &'a Control,
}

/// A type to compute in.
trait Computed: Float + Castable + Finishable + Element + std::ops::Neg<Output = Self> + Filtered<Self> + Lined + Few {
    /// Calls the stage with the type that the source has.
    fn dispatch(run: Run<'_>, stage: &Shapes<'_>, source: &View<'_>, out: ViewMut<'_>) -> Result<()>;

    /// Whether elements of this dtype are read where they lie.
    fn reads(dtype: Dtype) -> bool;
}

impl Computed for f32 {
    fn dispatch(run: Run<'_>, stage: &Shapes<'_>, source: &View<'_>, out: ViewMut<'_>) -> Result<()> {
        match source.dtype() {
            Dtype::U8 => run.stage::<u8, f32>(stage, source, out, |fill| fill as u8),
            Dtype::U16 => run.stage::<u16, f32>(stage, source, out, |fill| fill as u16),
            _ => run.stage::<f32, f32>(stage, source, out, |fill| fill as f32),
        }
    }

    fn reads(dtype: Dtype) -> bool {
        matches!(dtype, Dtype::U8 | Dtype::U16 | Dtype::F32)
    }
}

impl Computed for f64 {
    fn dispatch(run: Run<'_>, stage: &Shapes<'_>, source: &View<'_>, out: ViewMut<'_>) -> Result<()> {
        run.stage::<f64, f64>(stage, source, out, |fill| fill)
    }

    fn reads(dtype: Dtype) -> bool {
        dtype == Dtype::F64
    }
}

/// A stage in terms of the array's axes. Several terms have both passes.
struct Shapes<'a> {
    terms: Vec<(Option<&'a Pass>, Option<&'a Pass>)>,
    combine: Combine,
}

impl Shapes<'_> {
    /// The axis that rows lie behind or start with.
    fn row_axis(&self) -> usize {
        match self.terms[0] {
            (_, Some(along)) => along.axis,
            (Some(down), None) => down.axis + 1,
            (None, None) => 0,
        }
    }

    /// The value outside along the axis down.
    fn fill(&self) -> f64 {
        let fills = self.terms.iter().map(|term| term.0.map_or(0.0, |pass| pass.boundary.fill()));
        fills.fold(0.0, |found, fill| if found == 0.0 { fill } else { found })
    }
}

/// The stride of the axes from `first` on as one axis, if they are one.
fn joined(shape: &[usize], strides: &[isize], first: usize) -> Option<isize> {
    let mut stride = None;
    let mut length = 1;
    for axis in (first..shape.len()).rev().filter(|&axis| shape[axis] != 1) {
        let whole = *stride.get_or_insert(strides[axis]);
        if strides[axis] != whole * length as isize {
            return None;
        }
        length *= shape[axis];
    }
    Some(stride.unwrap_or(1))
}

/// The offsets of all items of `axes`.
fn items(shape: &[usize], strides: &[isize], axes: &[usize]) -> Vec<isize> {
    let mut offsets = vec![0];
    for &axis in axes {
        offsets = offsets.iter().flat_map(|&offset| (0..shape[axis] as isize).map(move |i| offset + i * strides[axis])).collect();
    }
    offsets
}

impl Run<'_> {
    fn terms<C: Computed>(self, plan: &SeparablePlan, input: View<'_>, out: ViewMut<'_>) -> Result<()> {
        if let [passes] = &plan.terms[..]
            && plan.combine == Combine::Sum
        {
            return self.passes::<C>(plan, passes, input, out);
        }
        if let Some(stage) = together(plan) {
            return self.last::<C>(&stage, &input, out);
        }
        // Term by term, in memory.
        let (mut total, mut term) = (HostVec::zeros(C::DTYPE, plan.outputs())?, HostVec::zeros(C::DTYPE, plan.outputs())?);
        for (index, passes) in plan.terms.iter().enumerate() {
            self.passes::<C>(plan, passes, input.clone(), term.view_mut(&plan.shape))?;
            let (mut total, term) = (total.view_mut(&[plan.outputs()]), term.view(&[plan.outputs()]));
            if let (Some(total), Some(term)) = (total.as_slice::<C>(), term.as_slice::<C>()) {
                stage::accumulate(plan.combine, total, term, index + 1 == plan.terms.len())?;
            }
        }
        // The way out is a filter that changes nothing.
        let identity = Pass::identity(0, plan.shape[0]);
        self.passes::<C>(plan, &[identity], total.view(&plan.shape), out)
    }

    fn passes<C: Computed>(self, plan: &SeparablePlan, passes: &[Pass], input: View<'_>, out: ViewMut<'_>) -> Result<()> {
        let pairs = pairs(plan, passes);
        let (last, before) = match pairs.split_last() {
            Some((last, before)) => (*last, before),
            None => return Ok(()),
        };
        let stage = |pair: Pair| Shapes {
            terms: vec![(pair.down.map(|i| &passes[i]), pair.along.map(|i| &passes[i]))],
            combine: Combine::Sum,
        };
        let mut shape = input.shape().to_vec();
        let mut held: Option<HostVec> = None;
        for &pair in before {
            let stage = stage(pair);
            let mut after = shape.clone();
            for pass in [stage.terms[0].0, stage.terms[0].1].into_iter().flatten() {
                after[pass.axis] = pass.output;
            }
            let source = held.as_ref().map_or_else(|| input.clone(), |vec| vec.view(&shape));
            let converted = self.readable::<C>(&stage, &source)?;
            let source = converted.as_ref().map_or(source, |vec| vec.view(&shape));
            let mut vec = HostVec::zeros(C::DTYPE, after.iter().product())?;
            C::dispatch(self, &stage, &source, vec.view_mut(&after))?;
            (held, shape) = (Some(vec), after);
        }
        let source = held.as_ref().map_or_else(|| input.clone(), |vec| vec.view(&shape));
        self.last::<C>(&stage(last), &source, out)
    }

    /// A stage whose results go where they are wanted.
    fn last<C: Computed>(self, stage: &Shapes<'_>, source: &View<'_>, mut out: ViewMut<'_>) -> Result<()> {
        let converted = self.readable::<C>(stage, source)?;
        let source = converted.as_ref().map_or_else(|| source.clone(), |vec| vec.view(source.shape()));
        let shape = out.shape().to_vec();
        if joined(&shape, out.strides(), stage.row_axis()).is_some() {
            return C::dispatch(self, stage, &source, out);
        }
        let mut vec = HostVec::zeros(out.dtype(), out.len())?;
        C::dispatch(self, stage, &source, vec.view_mut(&shape))?;
        out.copy_from_bytes(vec.view(&shape).as_bytes().unwrap_or(&[]));
        Ok(())
    }

    /// The source in the type computed in, if it cannot be read where it lies.
    fn readable<C: Computed>(self, stage: &Shapes<'_>, source: &View<'_>) -> Result<Option<HostVec>> {
        let fill = stage.fill();
        let exact = match source.dtype() {
            Dtype::U8 => fill == f64::from(fill as u8),
            Dtype::U16 => fill == f64::from(fill as u16),
            _ => true,
        };
        if C::reads(source.dtype()) && exact && joined(source.shape(), source.strides(), stage.row_axis()) == Some(1) {
            return Ok(None);
        }
        let mut vec = HostVec::zeros(C::DTYPE, source.len())?;
        let view = source.collapsed().pad_rank(1);
        let (n, stride) = (view.shape()[view.rank() - 1], view.strides()[view.rank() - 1]);
        let lead: Vec<usize> = (0..view.rank() - 1).collect();
        let offsets = items(view.shape(), view.strides(), &lead);
        let (start, cast) = (view.as_ptr() as usize, CastRow::<C>::new(self.simd, view.dtype()));
        let target = vec.view_mut(&[source.len()]).as_mut_ptr() as usize;
        // Long rows in pieces, for the threads.
        const PIECE: usize = 1 << 16;
        let pieces = n.div_ceil(PIECE);
        let convert = |task: usize| -> Result<()> {
            let (row, from) = (task / pieces, task % pieces * PIECE);
            let len = PIECE.min(n - from);
            let offset = (offsets[row] + from as isize * stride) * view.dtype().size() as isize;
            // SAFETY: elements from.. of a row of the view; the target's element row * n + from is this task's own.
            unsafe {
                let target = (target as *mut C).add(row * n + from);
                cast.row((start as *const u8).wrapping_offset(offset), stride, target, len);
            }
            Ok(())
        };
        let together = (PIECE / n.clamp(1, PIECE)).max(1);
        tasks::for_each(offsets.len() * pieces, together, &|task| {
            if task % together == 0 {
                self.control.check()?;
            }
            convert(task)
        })?;
        Ok(Some(vec))
    }

    fn stage<S: Filtered<C> + Weave<C> + Copy + Sync + 'static, C: Computed>(
        self,
        stage: &Shapes<'_>,
        source: &View<'_>,
        mut out: ViewMut<'_>,
        fill: fn(f64) -> S,
    ) -> Result<()> {
        let (shape, after) = (source.shape().to_vec(), out.shape().to_vec());
        let first = stage.row_axis();
        // The axis down: the pass's, or the last one in front of the rows.
        let (down, along) = stage.terms[0];
        let down_axis = down.map_or(first.checked_sub(1), |pass| Some(pass.axis));
        let behind: usize = shape[(first + 1).min(shape.len())..].iter().product();
        let identity = |n: usize| Line { input: n, output: n };
        let line = |pass: &Pass| Line { input: shape[pass.axis], output: pass.output };
        let lead: Vec<usize> = (0..first).filter(|&axis| Some(axis) != down_axis).collect();
        let stride_of = |strides: &[isize]| down_axis.map_or(0, |axis| strides[axis]);
        let (source_items, target_items) = (items(&shape, source.strides(), &lead), items(&after, out.strides(), &lead));
        let bytes = out.len() * out.dtype().size();
        let stride = joined(&after, out.strides(), first).unwrap_or(1);
        let leave = if stride == 1 { Leave::of(bytes) } else { Leave::Stored };
        let few = |pass: &Pass| C::few(self.simd, &Weights::new(&pass.weights), behind);
        let term = |&(down, along): &(Option<&Pass>, Option<&Pass>)| Term {
            down: Weights::new(down.map_or(&[1.0], |pass| &pass.weights)),
            start_down: down.map_or(0, |pass| pass.start),
            boundary_down: down.map_or(Boundary::ZERO, |pass| pass.boundary),
            along: along.map(|pass| Weights::new(&pass.weights)),
            few: along.and_then(few),
            start_along: along.map_or(0, |pass| pass.start),
            boundary_along: along.map_or(Boundary::ZERO, |pass| pass.boundary),
        };
        let (inner, along) = match along {
            Some(pass) => (behind, line(pass)),
            None => (1, identity(shape[first..].iter().product())),
        };
        let terms: Vec<Term<C>> = stage.terms.iter().map(term).collect();
        let target = out.as_mut_ptr();
        let (single, forwards) = (matches!(&terms[..], [Term { few: Some(_), .. }]), stride_of(out.strides()) >= 0);
        let aligned = (target as usize).is_multiple_of(out.dtype().size());
        let whole = stage.combine == Combine::Sum && stride == 1 && forwards && aligned;
        let apart = whole && leave != Leave::Stored;
        let woven = |leave| match &terms[..] {
            [Term { down, along: Some(along), .. }] if whole => {
                let wanted = Wanted { down, along, step: behind, out: out.dtype(), leave };
                Some((S::woven(self.simd, &wanted)?, leave))
            }
            _ => None,
        };
        // With AVX2 both passes at once are so much faster that narrow results had better take the only way that there is for them. With
        // AVX-512 that is not measured.
        let other = || if self.simd.is_avx2() { woven(Leave::Through) } else { None };
        let (woven, leave) = woven(leave).or_else(other).map_or((None, leave), |(woven, leave)| (Some(woven), leave));
        let finish = Finish { integer: false, check: false, saturate: false, leave };
        Stage::<S, C> {
            terms,
            direct: single && apart && out.dtype() == C::DTYPE,
            woven,
            combine: stage.combine,
            down: down.map_or_else(|| identity(down_axis.map_or(1, |axis| shape[axis])), line),
            along,
            inner,
            fill: fill(stage.fill()),
            source: source.as_ptr().cast(),
            source_items,
            source_row: stride_of(source.strides()),
            target,
            target_items,
            target_row: stride_of(out.strides()),
            size: out.dtype().size(),
            stride,
            finish: FinishRow::new(self.simd, out.dtype(), finish),
            simd: self.simd,
            control: self.control,
        }
        .run()
    }
}
