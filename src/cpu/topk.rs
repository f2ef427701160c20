//! The largest or smallest elements on the CPU.
//!
//! A candidate is a key above its index, inverted, in 128 bits: all differ, and the larger is the better. Elements that
//! beat the worst of the k best so far are kept; whenever they are too many, a selection throws the worse ones away. Long
//! lanes are cut, and the best of all parts are the best.

use std::cmp::Reverse;
use std::ops::Range;

use super::lanes::{Lanes, Shared};
use super::tasks::{for_each, threads};
use crate::Real;
use crate::array::{HostVec, Storage};
use crate::engine::Target;
use crate::plan::TopKPlan;
use crate::view::View;
use crate::{Control, Dtype, Result};

/// Elements that a task reads between two looks at its control, and lanes of fewer that it takes at once.
const CHUNK: usize = 1 << 15;
/// Elements of a part of a lane at least.
const PART: usize = 1 << 18;

/// Runs `plan` on the current threads: elements, then indices.
pub(super) fn run(plan: &TopKPlan, input: View<'_>, targets: Vec<Target<'_>>, control: &Control) -> Result<Vec<Option<Storage>>> {
    let len = plan.shape.iter().product();
    let (mut values, mut indices) = (HostVec::zeros(plan.lanes.dtype, len)?, HostVec::zeros(Dtype::U64, len)?);
    {
        let (mut values, mut indices) = (values.view_mut(&[len]), indices.view_mut(&[len]));
        crate::dtype::with_dtype!(plan.lanes.dtype, T => {
            if let (Some(values), Some(indices)) = (values.as_slice::<T>(), indices.as_slice::<u64>()) {
                of::<T>(plan, &input, values, indices, control)?;
            }
        });
    }
    let put = |(result, target)| super::hand_over(result, &plan.shape, target);
    [values, indices].into_iter().zip(targets).map(put).collect()
}

/// The order of an element as an unsigned integer: NaN is the largest, −0 equals +0.
#[inline(always)]
fn key<T: Real>(value: T, smallest: bool) -> u64 {
    let key = value.arg_key(false);
    if smallest { !key } else { key }
}

/// The best so far.
struct Best {
    k: usize,
    /// Kept until the next selection.
    list: Vec<u128>,
    room: usize,
    /// What a candidate must exceed.
    bar: u128,
    full: bool,
}

impl Best {
    fn new(k: usize) -> Self {
        let room = (2 * k).max(k + 256);
        Self { k, list: Vec::new(), room, bar: 0, full: false }
    }

    #[inline(always)]
    fn push(&mut self, candidate: u128) {
        if candidate > self.bar || !self.full {
            self.list.push(candidate);
            if self.list.len() >= self.room {
                self.shrink();
            }
        }
    }

    /// Throws away all but the k best.
    fn shrink(&mut self) {
        if self.list.len() > self.k {
            let (_, &mut bar, _) = self.list.select_nth_unstable_by_key(self.k - 1, |&candidate| Reverse(candidate));
            self.list.truncate(self.k);
            (self.bar, self.full) = (bar, true);
        }
    }

    fn take<T: Real>(&mut self, values: &[T], first: usize, smallest: bool) {
        for (i, &value) in values.iter().enumerate() {
            self.push(u128::from(key(value, smallest)) << 64 | u128::from(!((first + i) as u64)));
        }
    }
}

fn of<T: Real>(plan: &TopKPlan, input: &View<'_>, values: &mut [T], indices: &mut [u64], control: &Control) -> Result<()> {
    if plan.k == 0 || values.is_empty() {
        return Ok(());
    }
    let lanes = Lanes::<T>::new(&plan.lanes, input)?;
    let (count, len, k) = (plan.lanes.count(), plan.lanes.len(), plan.k);
    let inner: usize =
        plan.lanes.kept.iter().filter(|&&axis| axis > plan.lanes.walked[0]).map(|&axis| plan.lanes.input[axis]).product();
    let (values, indices) = (Shared::new(values), Shared::new(indices));
    // The elements are read again from where they were found: a key does not tell NaN from NaN or −0 from +0.
    let finish = |lane: usize, mut best: Best| {
        best.shrink();
        best.list.sort_unstable_by_key(|&candidate| Reverse(candidate));
        let mut buffer = Vec::new();
        for (i, candidate) in best.list.into_iter().enumerate() {
            let index = !(candidate as u64);
            let at = lane / inner * inner * k + i * inner + lane % inner;
            let value = lanes.chunk(lane, index as usize..index as usize + 1, &mut buffer)[0];
            // SAFETY: each lane's results are written once.
            unsafe {
                values.write(at, if value.is_nan() { T::from_key(u64::MAX) } else { value });
                indices.write(at, index);
            }
        }
    };
    let parts = if threads() == 1 || count >= 2 * threads() { 1 } else { (len / PART.max(4 * k)).clamp(1, 4 * threads()) };
    if parts == 1 {
        let share = (CHUNK / len.max(1)).min(count.div_ceil(4 * threads())).max(1);
        return for_each(count.div_ceil(share), 1, &|task| {
            let kept = task * share..count.min((task + 1) * share);
            let mut block = vec![T::ZERO; if share > 1 { kept.len() * len } else { 0 }];
            if share > 1 {
                control.check()?;
                lanes.block(kept.clone(), len, &mut block);
            }
            for lane in kept.clone() {
                let mut best = Best::new(k);
                if share > 1 {
                    best.take(&block[(lane - kept.start) * len..][..len], 0, plan.smallest);
                } else {
                    read(&lanes, lane, 0..len, plan.smallest, &mut best, control)?;
                }
                finish(lane, best);
            }
            control.advance((kept.len() * len) as u64);
            Ok(())
        });
    }
    for lane in 0..count {
        let mut found: Vec<Option<Best>> = (0..parts).map(|_| None).collect();
        let shared = Shared::new(&mut found);
        for_each(parts, 1, &|part| {
            let mut best = Best::new(k);
            read(&lanes, lane, part * len / parts..(part + 1) * len / parts, plan.smallest, &mut best, control)?;
            best.shrink();
            // SAFETY: each task has its own.
            unsafe { shared.write(part, Some(best)) };
            Ok(())
        })?;
        let mut best = Best::new(k);
        found.into_iter().flatten().flat_map(|part| part.list).for_each(|candidate| best.push(candidate));
        finish(lane, best);
        control.advance(len as u64);
    }
    Ok(())
}

/// Offers the elements of a part of a lane.
fn read<T: Real>(
    lanes: &Lanes<'_, T>,
    lane: usize,
    range: Range<usize>,
    smallest: bool,
    best: &mut Best,
    control: &Control,
) -> Result<()> {
    let (mut at, mut buffer) = (range.start, Vec::new());
    while at < range.end {
        control.check()?;
        let chunk = at..range.end.min(at + CHUNK);
        best.take(lanes.chunk(lane, chunk.clone(), &mut buffer), at, smallest);
        at = chunk.end;
    }
    Ok(())
}
