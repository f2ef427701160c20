//! Quantiles on the CPU: order statistics by selection on order keys, never a full sort.
//!
//! Short lanes are copied and selected from. A long lane is counted by the leading digit of the keys; the elements of the few
//! digits that hold a wanted rank, usually less than one in a hundred, are then copied and selected from. Where one digit
//! holds too many, they are counted by their next one.

mod beside;

use std::ops::Range;

use super::lanes::{Lanes, Shared};
use super::tasks::{for_each, threads};
use crate::array::{HostVec, Storage};
use crate::engine::Target;
use crate::plan::{Between, Found, QuantilePlan, compact_key as key};
use crate::view::{View, ViewMut};
use crate::{Control, Dtype, Error, Result};

/// Elements of a lane up to which it is copied as a whole.
const SHORT: usize = 1 << 17;
/// Elements of several lanes copied at once.
const BLOCK: usize = 1 << 15;
/// Elements that a task reads between two looks at its control.
const CHUNK: usize = 1 << 16;
/// Bits of a digit.
const DIGIT: u32 = 16;

/// Runs `plan` on the current threads.
pub(super) fn run(plan: &QuantilePlan, inputs: &[View<'_>], target: Target<'_>, control: &Control) -> Result<Option<Storage>> {
    super::deliver(plan.out_dtype, &plan.shape, target, |mut out| {
        out.expect(plan.out_dtype, &plan.shape)?;
        let work = |out: ViewMut<'_>| crate::dtype::with_dtype!(plan.lanes.dtype, T => of::<T>(plan, inputs, out, control));
        if out.is_contiguous() {
            return work(out);
        }
        let mut vec = HostVec::zeros(plan.out_dtype, plan.shape.iter().product())?;
        work(vec.view_mut(&plan.shape))?;
        out.copy_from_bytes(vec.view(&plan.shape).as_bytes().unwrap_or(&[]));
        Ok(())
    })
}

/// Where results go.
enum Out<'a, T> {
    Elements(Shared<'a, T>),
    Single(Shared<'a, f32>),
    Double(Shared<'a, f64>),
}

struct Run<'a, T> {
    plan: &'a QuantilePlan,
    lanes: Lanes<'a, T>,
    count: usize,
    len: usize,
    out: Out<'a, T>,
    control: &'a Control,
}

fn of<T: Between>(plan: &QuantilePlan, inputs: &[View<'_>], mut out: ViewMut<'_>, control: &Control) -> Result<()> {
    let lanes = Lanes::<T>::new(&plan.lanes, &inputs[0])?;
    let (count, len) = (plan.lanes.count(), plan.lanes.len());
    let discrete = plan.method.is_some_and(|method| method.is_discrete());
    let wrong = || Error::Dtype { what: "output".into(), got: T::DTYPE, expected: plan.out_dtype.to_string() };
    if count == 0 || plan.points.is_empty() {
        return Ok(());
    }
    let out = match plan.out_dtype {
        _ if discrete => Out::Elements(Shared::new(out.as_slice().ok_or_else(wrong)?)),
        Dtype::F32 => Out::Single(Shared::new(out.as_slice().ok_or_else(wrong)?)),
        _ => Out::Double(Shared::new(out.as_slice().ok_or_else(wrong)?)),
    };
    let run = Run { plan, lanes, count, len, out, control };
    if let Some(second) = plan.beside {
        return run.beside(second, &inputs[1]);
    }
    if len > SHORT {
        return (0..count).try_for_each(|lane| run.long(lane));
    }
    let share = (BLOCK / len).min(count.div_ceil(4 * threads())).max(1);
    for_each(count.div_ceil(share), 1, &|task| run.short(task * share..count.min((task + 1) * share)))
}

impl<T: Between> Run<'_, T> {
    /// Writes the results of a lane from its sorted ranks.
    fn finish(&self, lane: usize, n: usize, nan: bool, wanted: &[usize], found: &[u64]) {
        for i in 0..self.plan.points.len() {
            self.write(lane, i, self.plan.between::<T>(i, n, nan, wanted, found));
        }
    }

    /// Writes quantile `i` of a lane.
    fn write(&self, lane: usize, i: usize, found: Found<T>) {
        let at = i * self.count + lane;
        // SAFETY: each lane's results are written once.
        unsafe {
            match (&self.out, found) {
                (Out::Elements(out), Found::Element(x)) => out.write(at, x),
                (Out::Single(out), found) => out.write(at, found.number() as f32),
                (Out::Double(out), found) => out.write(at, found.number()),
                (Out::Elements(_), Found::Number(_)) => {}
            }
        }
    }

    /// Lanes that are copied.
    fn short(&self, lanes: Range<usize>) -> Result<()> {
        self.control.check()?;
        let mut block = vec![T::ZERO; lanes.len() * self.len];
        self.lanes.block(lanes.clone(), self.len, &mut block);
        let (mut keys, mut wanted, mut of) = (Vec::with_capacity(self.len), vec![], usize::MAX);
        let mut found = vec![];
        for (lane, values) in lanes.clone().zip(block.chunks_exact(self.len)) {
            keys.clear();
            keys.extend(values.iter().filter(|value| !value.is_nan()).map(|&value| key(value)));
            let (n, nan) = (keys.len(), keys.len() < self.len && !self.plan.ignore_nan);
            if n != of {
                (of, wanted) = (n, self.plan.wanted(n));
                found.resize(wanted.len(), 0);
            }
            if !nan {
                select(&mut keys, 0, &wanted, &mut found);
            }
            self.finish(lane, n, nan, &wanted, &found);
        }
        self.control.advance((lanes.len() * self.len) as u64);
        Ok(())
    }

    /// A lane that is counted.
    fn long(&self, lane: usize) -> Result<()> {
        let bits = 8 * T::DTYPE.size() as u32;
        let first = Digits { lane, prefix: 0, known: 0, width: DIGIT.min(bits), bits };
        let (counts, nans) = self.count(first)?;
        let n = self.len - nans as usize;
        let nan = nans > 0 && !self.plan.ignore_nan;
        let wanted = self.plan.wanted(n);
        let mut found = vec![0; wanted.len()];
        if !nan {
            self.narrow(first, &counts, &wanted, &mut found)?;
        }
        self.finish(lane, n, nan, &wanted, &found);
        self.control.advance(self.len as u64);
        Ok(())
    }

    /// Runs `each` on all elements of a lane, in as many parts as there are threads.
    fn parts<S: Send>(&self, lane: usize, start: impl Fn() -> S + Sync, each: impl Fn(&mut S, &[T]) + Sync) -> Result<Vec<S>> {
        let parts = threads().min(self.len.div_ceil(CHUNK));
        let mut states: Vec<Option<S>> = (0..parts).map(|_| None).collect();
        let shared = Shared::new(&mut states);
        let part = self.len.div_ceil(parts);
        for_each(parts, 1, &|index| {
            let (mut state, mut buffer) = (start(), Vec::new());
            let mut at = index * part;
            let end = self.len.min(at + part);
            while at < end {
                self.control.check()?;
                let range = at..end.min(at + CHUNK);
                each(&mut state, self.lanes.chunk(lane, range.clone(), &mut buffer));
                at = range.end;
            }
            // SAFETY: each task has its own.
            unsafe { shared.write(index, Some(state)) };
            Ok(())
        })?;
        Ok(states.into_iter().flatten().collect())
    }

    /// How many keys that begin with the prefix have each next digit, and how many elements are NaN.
    fn count(&self, digits: Digits) -> Result<(Vec<u64>, u64)> {
        let start = || (vec![0u32; 1 << digits.width], 0u64);
        let states = self.parts(digits.lane, start, |(counts, nans), values| {
            let mask = (1usize << digits.width) - 1;
            let shift = digits.bits - digits.known - digits.width;
            let counts = &mut counts[..=mask];
            for &value in values {
                if value.is_nan() {
                    *nans += 1;
                } else if digits.holds(key(value)) {
                    counts[(key(value) >> shift) as usize & mask] += 1;
                }
            }
        })?;
        let mut total = vec![0u64; 1 << digits.width];
        let mut nans = 0;
        for (counts, more) in states {
            total.iter_mut().zip(counts).for_each(|(total, count)| *total += u64::from(count));
            nans += more;
        }
        Ok((total, nans))
    }

    /// Finds the keys of the ranks `wanted` among those that begin with the prefix.
    fn narrow(&self, digits: Digits, counts: &[u64], wanted: &[usize], found: &mut [u64]) -> Result<()> {
        // Digits that hold wanted ranks: the digit, the rank of its first key, which ranks.
        let mut holding: Vec<(usize, usize, Range<usize>)> = vec![];
        let (mut before, mut next) = (0usize, 0);
        for (digit, &count) in counts.iter().enumerate() {
            let after = before + count as usize;
            let first = next;
            while next < wanted.len() && wanted[next] < after {
                next += 1;
            }
            if next > first {
                holding.push((digit, before, first..next));
            }
            before = after;
        }
        let known = digits.known + digits.width;
        let prefix = |digit: usize| digits.prefix << digits.width | digit as u64;
        if known == digits.bits {
            for (digit, _, ranks) in holding {
                found[ranks].fill(prefix(digit));
            }
            return Ok(());
        }
        let many = (self.len / 16).max(SHORT) as u64;
        let (large, small): (Vec<_>, Vec<_>) = holding.into_iter().partition(|(digit, ..)| counts[*digit] > many);
        for (digit, before, ranks) in large {
            let width = DIGIT.min(digits.bits - known);
            let next = Digits { prefix: prefix(digit), known, width, ..digits };
            let wanted: Vec<usize> = wanted[ranks.clone()].iter().map(|rank| rank - before).collect();
            self.narrow(next, &self.count(next)?.0, &wanted, &mut found[ranks])?;
        }
        // Together no more than is worth the memory.
        let mut rest = &small[..];
        while !rest.is_empty() {
            let mut sum = 0;
            let together = rest.iter().take_while(|(digit, ..)| {
                sum += counts[*digit];
                sum <= 2 * many
            });
            let (now, later) = rest.split_at(together.count().clamp(1, usize::from(u16::MAX) - 1));
            rest = later;
            self.collect(digits, now, wanted, found)?;
        }
        Ok(())
    }

    /// Copies the keys of some digits and selects from them.
    fn collect(
        &self,
        digits: Digits,
        holding: &[(usize, usize, Range<usize>)],
        wanted: &[usize],
        found: &mut [u64],
    ) -> Result<()> {
        let mut slots = vec![u16::MAX; 1 << digits.width];
        for (slot, (digit, ..)) in holding.iter().enumerate() {
            slots[*digit] = slot as u16;
        }
        let start = || vec![Vec::<u64>::new(); holding.len()];
        let parts = self.parts(digits.lane, start, |lists, values| {
            let mask = (1usize << digits.width) - 1;
            let shift = digits.bits - digits.known - digits.width;
            let slots = &slots[..=mask];
            for &value in values {
                let key = key(value);
                let slot = slots[(key >> shift) as usize & mask];
                if slot != u16::MAX && digits.holds(key) && !value.is_nan() {
                    lists[usize::from(slot)].push(key);
                }
            }
        })?;
        let mut parts = parts.into_iter();
        let mut lists = parts.next().unwrap_or_default();
        for part in parts {
            lists.iter_mut().zip(part).for_each(|(list, more)| list.extend(more));
        }
        for (mut keys, (_, before, ranks)) in lists.into_iter().zip(holding) {
            select(&mut keys, *before, &wanted[ranks.clone()], &mut found[ranks.clone()]);
        }
        Ok(())
    }
}

/// The keys of a lane that begin with a prefix, and the digit that comes next.
#[derive(Clone, Copy)]
struct Digits {
    lane: usize,
    prefix: u64,
    /// Bits of the prefix, of the next digit, of a key.
    known: u32,
    width: u32,
    bits: u32,
}

impl Digits {
    #[inline(always)]
    fn holds(&self, key: u64) -> bool {
        self.known == 0 || key >> (self.bits - self.known) == self.prefix
    }
}

/// The keys of the ranks `wanted`, ascending, the smallest key having rank `first`.
fn select(keys: &mut [u64], first: usize, wanted: &[usize], found: &mut [u64]) {
    let middle = wanted.len() / 2;
    let Some(&rank) = wanted.get(middle) else { return };
    let at = rank - first;
    let (below, &mut key, above) = keys.select_nth_unstable(at);
    found[middle] = key;
    select(below, first, &wanted[..middle], &mut found[..middle]);
    select(above, rank + 1, &wanted[middle + 1..], &mut found[middle + 1..]);
}
