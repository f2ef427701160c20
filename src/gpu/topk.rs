//! The largest or smallest elements on the GPU.
//!
//! The k-th element of a long lane is selected by its key, then by its index; those that do not come after it are gathered,
//! and sorted on the host. In a short lane an invocation counts what comes before its element.

use std::sync::Arc;

use super::context::Context;
use super::dispatch::Bind;
use super::lanes::{self, Piece, Source};
use super::select::{Order, SHORT, Selection, Stage};
use crate::array::{HostVec, Storage};
use crate::dtype::with_dtype;
use crate::engine::{Input, Target};
use crate::plan::TopKPlan;
use crate::{Control, Dtype, Real, Result};

/// Bytes of gathered elements that are kept at once.
const ROOM: usize = 256 << 20;

/// Runs `plan`: elements, then indices.
pub(super) fn run(
    context: &Arc<Context>,
    plan: &TopKPlan,
    input: &Input<'_>,
    targets: Vec<Target<'_>>,
    control: &Control,
) -> Result<Vec<Option<Storage>>> {
    let len = plan.shape.iter().product();
    let (mut values, mut indices) = (HostVec::zeros(plan.lanes.dtype, len)?, vec![0u64; len]);
    if len > 0 {
        let mut scratch = None;
        let source = Source::new(context, &plan.lanes, input, &mut scratch)?;
        let order = Order { dtype: plan.lanes.dtype, top: true, down: !plan.smallest, beside: None };
        let selection = Selection::new(context, &source, None, order, control)?;
        let mut values = values.view_mut(&[len]);
        with_dtype!(plan.lanes.dtype, T => {
            if let Some(values) = values.as_slice::<T>() {
                of::<T>(plan, &selection, values, &mut indices)?;
            }
        });
    }
    control.advance(plan.lanes.work());
    let put = |(result, target)| lanes::hand_over(context, result, &plan.shape, target, control);
    [values, HostVec::U64(indices)].into_iter().zip(targets).map(put).collect()
}

fn of<T: Real>(plan: &TopKPlan, selection: &Selection<'_>, values: &mut [T], indices: &mut [u64]) -> Result<()> {
    let (context, k, grid) = (selection.context, plan.k, selection.grid());
    let mut write = |piece: &Piece, lane: usize, kept: &[u32], sorted: bool| {
        let mut best: Vec<(T, u32)> =
            kept.chunks_exact(3).map(|words| (element::<T>(u64::from(words[1]) | u64::from(words[2]) << 32), words[0])).collect();
        if !sorted {
            let key = |value: T| if plan.smallest { value.arg_key(false) } else { !value.arg_key(false) };
            best.sort_unstable_by_key(|&(value, index)| (key(value), index));
        }
        let lane = piece.lane(grid, lane);
        let first = lane / grid.inner * grid.inner * k + lane % grid.inner;
        for (i, (value, index)) in best.into_iter().enumerate() {
            values[first + i * grid.inner] = value;
            indices[first + i * grid.inner] = u64::from(index);
        }
    };
    context.check_fixed(12 * k as u64, &format!("{k} elements of a lane"))?;
    let room = ROOM.min(context.share(4) as usize);
    for part in selection.parts() {
        let Some(piece) = part.first() else { continue };
        if grid.len <= SHORT && part.len() == 1 {
            let here = selection.place(piece)?;
            let all = piece.lanes();
            let together = (room / (12 * k)).clamp(1, all);
            for start in (0..all).step_by(together) {
                let n = together.min(all - start);
                let bytes = 12 * (n * k) as u64;
                let kept = context.block(bytes)?;
                let mut params = selection.params(piece, &here, 1);
                (params.job, params.k) = (start as u32, k as u32);
                let binds = [Bind::Block(&here.values.block), Bind::Block(&kept)];
                selection.dispatch(Stage::Best, params, (n * grid.len) as u64, false, &binds)?;
                let words = words(&context.read_small(&kept, bytes)?);
                words.chunks_exact(3 * k).enumerate().for_each(|(lane, kept)| write(piece, start + lane, kept, true));
            }
            continue;
        }
        selection.long(&part, 1, &|_, _| k - 1, &mut |found, walk| {
            let together = (room / (12 * k)).clamp(1, found.jobs.len());
            for start in (0..found.jobs.len()).step_by(together) {
                let n = together.min(found.jobs.len() - start);
                let bytes = 12 * (n * k) as u64;
                let (kept, cursors) = (context.block(bytes)?, context.block(4 * n as u64)?);
                context.clear(&cursors, 4 * n as u64)?;
                // The states of these lanes alone.
                let states = context.block(16 * n as u64)?;
                context.copy(&found.states, 16 * start as u64..16 * (start + n) as u64, &states, 0)?;
                walk(&mut |piece, here| {
                    let mut params = selection.params(piece, here, 1);
                    let splits = selection.splits(piece.at.len(), n);
                    (params.job, params.k, params.splits) = ((found.jobs.start + start) as u32, k as u32, splits as u32);
                    let binds =
                        [Bind::Block(&here.values.block), Bind::Block(&states), Bind::Block(&cursors), Bind::Block(&kept)];
                    selection.dispatch(Stage::Gather, params, (n * splits) as u64, true, &binds)
                })?;
                let words = words(&context.read_small(&kept, bytes)?);
                let first = found.jobs.start + start;
                words.chunks_exact(3 * k).enumerate().for_each(|(lane, kept)| write(piece, first + lane, kept, false));
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks::<4>().0.iter().map(|&word| u32::from_le_bytes(word)).collect()
}

/// The element of these bits; NaN is the usual one.
fn element<T: Real>(bits: u64) -> T {
    match T::DTYPE {
        Dtype::F32 => {
            let x = f32::from_bits(bits as u32);
            T::from_key(if x.is_nan() { u64::MAX } else { crate::plan::Ordered::key(x) })
        }
        Dtype::F64 => {
            let x = f64::from_bits(bits);
            T::from_key(if x.is_nan() { u64::MAX } else { crate::plan::Ordered::key(x) })
        }
        // Narrow integers come extended to 32 bits.
        dtype if dtype.is_signed_integer() => {
            let value = if dtype.size() == 8 { bits as i64 } else { i64::from(bits as u32 as i32) };
            T::from_key(crate::plan::Ordered::key(value))
        }
        _ => T::from_key(bits),
    }
}
