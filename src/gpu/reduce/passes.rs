//! Reductions made from others: moments from sums and sums of squares, ranges from extremes, counts from masks. Each pass
//! reads the elements once; the partials meet on the host, where they are exact.

use std::sync::Arc;

use super::launch::Runner;
use super::pieces::Source;
use super::{States, tiles};
use crate::array::HostVec;
use crate::engine::Input;
use crate::exact::Moments;
use crate::gpu::context::Context;
use crate::gpu::memory::GpuBuffer;
use crate::plan::{Lanes, NormOrder, Ordered, Partials, Reduce, ReduceOp, ReducePlan};
use crate::view::View;
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
    /// The partials of `op` for elements of `dtype` that lie in `input` (zipped, if its dtype is another).
    fn run(&self, op: ReduceOp, dtype: Dtype, skip: bool, valid: bool, input: &Input<'_>) -> Result<Partials> {
        let as_found = ReducePlan { op, dtype: input.dtype(), skip_nan: skip, masked: false, ..self.plan.clone() };
        let mut partials = ReducePlan { dtype, skip_nan: false, ..as_found.clone() }.empty_partials();
        let mut scratch = None;
        let source = Source::of(input, self.context, &mut scratch)?;
        let mut runner = Runner::of(self.context, &as_found, dtype, valid, self.control)?;
        for tile in tiles(0..self.plan.out_len() as u64, runner.tile()) {
            let state = runner.reduce(&source, tile.clone())?;
            let n = (tile.end - tile.start) as usize;
            let bytes = self.context.read_small(&state, n as u64 * runner.slot_bytes())?;
            let (words, _) = bytes.as_chunks::<4>();
            let words: Vec<u32> = words.iter().map(|&word| u32::from_le_bytes(word)).collect();
            States { variant: runner.variant(), words: &words, n }.decode(&mut partials, tile.start as usize);
        }
        Ok(partials)
    }

    /// The partials of the plan for `input`, with NaN passed over as the plan says.
    fn of(&self, input: &Input<'_>) -> Result<Partials> {
        let (op, dtype, skip) = (self.plan.op, self.plan.dtype, self.plan.skip_nan);
        let run = |op| self.run(op, dtype, skip, false, input);
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

/// How many elements of each lane are no NaN.
pub(in crate::gpu) fn count_numbers(
    context: &Arc<Context>,
    lanes: &Lanes,
    input: &Input<'_>,
    control: &Control,
) -> Result<Vec<u64>> {
    let axes: Vec<isize> = lanes.walked.iter().map(|&axis| axis as isize).collect();
    let plan = ReducePlan::new(&Reduce::of(ReduceOp::CountNonzero).axes(&axes), lanes.dtype, &lanes.input)?;
    let pass = Pass { context, plan: &plan, control };
    match pass.run(ReduceOp::CountNonzero, lanes.dtype, false, true, input)? {
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
    let found = match inputs {
        [x, y] if plan.op == ReduceOp::Dot => {
            let (mut first, mut second) = (None, None);
            let zipped = zip(&x.host(&mut first)?, &y.host(&mut second)?)?;
            pass.run(ReduceOp::Dot, plan.dtype, false, false, &Input::Host(zipped.view(&plan.input)))?
        }
        [x, mask] => {
            let (mut first, mut second) = (None, None);
            let (chosen, mask) = select(plan, &x.host(&mut first)?, &mask.host(&mut second)?)?;
            let counted = Input::Host(mask.view(&plan.input));
            let Partials::Count(counts) = pass.run(ReduceOp::CountNonzero, Dtype::Bool, false, false, &counted)? else {
                return Err(mixed());
            };
            let mut partials = pass.of(&Input::Host(chosen.view(&plan.input)))?;
            with_counts(&mut partials, &counts);
            Partials::Counted(Box::new(partials), counts)
        }
        [x] => {
            let passes = plan.is_counted() || matches!(plan.op, ReduceOp::Var | ReduceOp::Std | ReduceOp::Ptp);
            let here;
            let x = match x {
                Input::Host(view) if passes && view.len() * plan.dtype.size() <= ONCE => {
                    here = context.upload_view(view, control)?;
                    &resident(&here, plan)
                }
                other => other,
            };
            let mut partials = pass.of(x)?;
            if !plan.is_counted() {
                return fast(plan, partials);
            }
            let Partials::Count(counts) = pass.run(ReduceOp::CountNonzero, plan.dtype, false, true, x)? else {
                return Err(mixed());
            };
            with_counts(&mut partials, &counts);
            Partials::Counted(Box::new(partials), counts)
        }
        _ => return Err(mixed()),
    };
    fast(plan, found)
}

/// Exact sums in the place of plain ones, where those were allowed.
fn fast(plan: &ReducePlan, partials: Partials) -> Result<Partials> {
    Ok(match partials {
        Partials::Float(sums) if plan.is_fast() => Partials::Fast(sums.iter().map(crate::ExactSum::to_f64).collect()),
        Partials::Counted(partials, counts) => Partials::Counted(Box::new(fast(plan, *partials)?), counts),
        other => other,
    })
}

fn resident<'a>(buffer: &'a GpuBuffer, plan: &'a ReducePlan) -> Input<'a> {
    Input::Gpu { buffer, dtype: plan.dtype, shape: &plan.input }
}

/// Tells moments how many elements they are of.
fn with_counts(partials: &mut Partials, counts: &[u64]) {
    if let Partials::Moments(all) = partials {
        for (moments, &count) in all.iter_mut().zip(counts) {
            *moments = std::mem::take(moments).with_count(count);
        }
    }
}

/// The elements of two arrays side by side, each in a word or two.
fn zip(x: &View<'_>, y: &View<'_>) -> Result<HostVec> {
    let size = x.dtype().size();
    let word = size.max(4);
    let bytes = |view: &View<'_>| {
        let mut bytes = vec![0; view.len() * size];
        view.copy_to_bytes(&mut bytes);
        bytes
    };
    let (a, b) = (bytes(x), bytes(y));
    let mut zipped = HostVec::zeros(if word == 4 { Dtype::U64 } else { Dtype::C128 }, x.len())?;
    let mut out = zipped.view_mut(&[x.len()]);
    let Some(out) = out.as_bytes() else { return Err(mixed()) };
    for ((pair, a), b) in out.chunks_exact_mut(2 * word).zip(a.chunks_exact(size)).zip(b.chunks_exact(size)) {
        for (place, element) in pair.chunks_exact_mut(word).zip([a, b]) {
            place[..size].copy_from_slice(element);
            // Narrow signed integers keep their sign.
            let negative = x.dtype().is_signed_integer() && element[size - 1] >> 7 == 1;
            place[size..].fill(if negative { 0xff } else { 0 });
        }
    }
    Ok(zipped)
}

/// The elements with something neutral for those that the mask leaves out, and the mask, from which NaN is out too if it is
/// passed over.
fn select(plan: &ReducePlan, x: &View<'_>, mask: &View<'_>) -> Result<(HostVec, HostVec)> {
    let wrong = || Error::invalid("inputs of a reduction", "other dtypes", format!("{} and bool", plan.dtype));
    let mut kept = HostVec::zeros(Dtype::Bool, mask.len())?;
    let mask: Vec<bool> = mask.typed::<bool>().ok_or_else(wrong)?.iter().copied().collect();
    let mut chosen = HostVec::zeros(plan.dtype, x.len())?;
    let HostVec::Bool(kept_bits) = &mut kept else { return Err(wrong()) };
    macro_rules! each {
        ($vec:ident, $T:ty) => {{
            let neutral = neutral::<$T>(plan);
            let elements = x.typed::<$T>().ok_or_else(wrong)?;
            for (((out, kept), &x), &keep) in $vec.iter_mut().zip(kept_bits).zip(elements.iter()).zip(&mask) {
                let keep = keep && !(plan.skip_nan && x.is_nan());
                (*kept, *out) = (keep, if keep { x } else { neutral });
            }
        }};
    }
    match &mut chosen {
        HostVec::Bool(vec) => each!(vec, bool),
        HostVec::U8(vec) => each!(vec, u8),
        HostVec::I8(vec) => each!(vec, i8),
        HostVec::U16(vec) => each!(vec, u16),
        HostVec::I16(vec) => each!(vec, i16),
        HostVec::U32(vec) => each!(vec, u32),
        HostVec::I32(vec) => each!(vec, i32),
        HostVec::U64(vec) => each!(vec, u64),
        HostVec::I64(vec) => each!(vec, i64),
        HostVec::F32(vec) => each!(vec, f32),
        HostVec::F64(vec) => each!(vec, f64),
        HostVec::C64(_) | HostVec::C128(_) => return Err(wrong()),
    }
    Ok((chosen, kept))
}

/// The element that changes nothing. Extremes are masked together with an initial value only, which is no worse.
fn neutral<T: crate::Real>(plan: &ReducePlan) -> T {
    let float = |value: f64| if plan.dtype == Dtype::F32 { (value as f32).key() } else { value.key() };
    let one = if plan.dtype.is_signed_integer() { 1i64.key() } else { 1 };
    let zero = if plan.dtype.is_signed_integer() { 0i64.key() } else { 0 };
    match (plan.op, plan.dtype.is_float(), plan.dtype.integer_range()) {
        (ReduceOp::Product, true, _) => T::from_key(float(1.0)),
        (ReduceOp::Product, false, _) => T::from_key(one),
        (ReduceOp::Min, true, _) => T::from_key(float(f64::INFINITY)),
        (ReduceOp::Max, true, _) => T::from_key(float(f64::NEG_INFINITY)),
        (ReduceOp::Min, _, Some((_, most))) => T::from_key(integer_key(plan.dtype, most)),
        (ReduceOp::Max, _, Some((least, _))) => T::from_key(integer_key(plan.dtype, least)),
        (ReduceOp::Norm(NormOrder::Power(p)), true, _) if p.get() < 0.0 => T::from_key(float(f64::INFINITY)),
        (_, true, _) => T::from_key(float(-0.0)),
        _ => T::from_key(zero),
    }
}

fn integer_key(dtype: Dtype, value: i128) -> u64 {
    if dtype.is_signed_integer() { (value as i64).key() } else { value as u64 }
}
