//! Reductions group by group on the CPU.
//!
//! For some elements at a time the groups are found first, as integers, then the values are added. Where groups have many
//! elements the values of a group are brought together (a counting sort in cache), so that exact sums see long runs.

mod even;
mod median;
mod moments;

use std::ops::Range;

use super::lanes::{Lanes, Shared};
use super::scan::Whole;
use super::simd::Simd;
use super::tasks::{for_each, threads};
use crate::array::{collect, filled, zeros};
use crate::exact::accumulator::Accumulator;
use crate::exact::fast::Float;
use crate::exact::prefix::Prefix;
use crate::plan::{self, GroupOp, GroupPlan, Grouped, Groups, Number, Ordered, Partials, first_extreme};
use crate::view::View;
use crate::{Control, Dtype, Error, Real, Result};

/// Elements taken at a time.
const CHUNK: usize = 1 << 14;
/// Elements per group in a chunk from which on they are brought together.
const MANY: usize = 24;
/// Bytes that the states of all tasks together may have, where there is more than one.
const MEMORY: usize = 256 << 20;

/// Runs `plan` on the current threads.
pub(super) fn run(
    plan: &GroupPlan,
    keys: &View<'_>,
    values: Option<&View<'_>>,
    simd: Simd,
    control: &Control,
) -> Result<Grouped> {
    let groups = crate::dtype::with_dtype!(plan.keys, T => finder::<T>(plan, &plan.groups, keys, simd)?);
    let smaller = matches!(plan.op, GroupOp::Min | GroupOp::ArgMin);
    let work = Work { plan, finder: &*groups, control, len: plan.work() as usize };
    let (Some(dtype), Some(view)) = (plan.values, values) else {
        if plan.values.is_some() {
            return Err(Error::invalid(format!("values for {}", plan.op.name()), "none", "an array"));
        }
        return work.counts();
    };
    let n = plan.groups.len();
    let lanes = plan::Lanes::new(plan.op.name(), dtype, &plan.shape, None)?;
    macro_rules! sums {
        ($floats:ident $integers:ident: $($float:ident $F:ty),*; $($variant:ident $T:ty),*) => {
            match dtype {
                $(Dtype::$float => work.$floats::<$F>(&Lanes::new(&lanes, view)?, simd),)*
                $(Dtype::$variant => work.$integers::<$T>(&Lanes::new(&lanes, view)?),)*
                _ => Err(Error::Dtype { what: "values".into(), got: dtype, expected: "a real dtype".into() }),
            }
        };
    }
    match plan.op {
        GroupOp::Count => match &plan.cells {
            Some(cells) => {
                let bins = crate::dtype::with_dtype!(dtype, T => finder::<T>(plan, cells, view, simd)?);
                let finder = &Joint { groups: &*groups, bins: &*bins, count: cells.len() as u32 };
                Work { finder, ..work }.counts()
            }
            None => Err(Error::invalid("values to count", "an array", "bounds between which they are counted")),
        },
        GroupOp::Sum | GroupOp::Mean => sums!(float_sums integer_sums:
            F32 f32, F64 f64; Bool bool, U8 u8, I8 i8, U16 u16, I16 i16, U32 u32, I32 i32, U64 u64, I64 i64),
        GroupOp::Var { .. } | GroupOp::Std { .. } => sums!(float_moments integer_moments:
            F32 f32, F64 f64; Bool bool, U8 u8, I8 i8, U16 u16, I16 i16, U32 u32, I32 i32, U64 u64, I64 i64),
        GroupOp::Median => crate::dtype::with_dtype!(dtype, T => work.medians(&Lanes::<T>::new(&lanes, view)?)),
        GroupOp::Min | GroupOp::Max => crate::dtype::with_dtype!(dtype, T => {
            // A key for no element: `min` has none above, `max` none below, and which it is the counts tell.
            let nothing = if smaller { u64::MAX } else { 0 };
            let push = |keys: &mut Vec<u64>, chunk: &Chunk<'_, T>, _: &mut Scratch<T>| {
                for (&group, value) in chunk.groups.iter().zip(chunk.values) {
                    if let Some(best) = keys.get_mut(group as usize) {
                        let key = value.extreme_key(smaller);
                        *best = if smaller { key.min(*best) } else { key.max(*best) };
                    }
                }
                Ok(())
            };
            let merge = |keys: &mut Vec<u64>, more: Vec<u64>| {
                keys.iter_mut().zip(more).for_each(|(best, key)| *best = if smaller { key.min(*best) } else { key.max(*best) });
            };
            let lanes = Lanes::<T>::new(&lanes, view)?;
            let (counts, keys) = work.all(Some(&lanes), || filled(nothing, n), push, merge)?;
            let keys = collect(keys.into_iter().zip(&counts).map(|(key, &count)| (count > 0).then_some(key)))?;
            Ok(Grouped { counts, partials: Some(Partials::Extreme(keys)) })
        }),
        GroupOp::ArgMin | GroupOp::ArgMax => crate::dtype::with_dtype!(dtype, T => {
            type Found = Vec<Option<(u64, u64)>>;
            let better = |best: &mut Option<(u64, u64)>, new: (u64, u64)| {
                *best = Some(best.map_or(new, |best| first_extreme(best, new, smaller)));
            };
            let push = |found: &mut Found, chunk: &Chunk<'_, T>, _: &mut Scratch<T>| {
                for (i, (&group, value)) in chunk.groups.iter().zip(chunk.values).enumerate() {
                    if let Some(best) = found.get_mut(group as usize) {
                        better(best, (value.arg_key(smaller), (chunk.first + i) as u64));
                    }
                }
                Ok(())
            };
            let merge = |found: &mut Found, more: Found| {
                found.iter_mut().zip(more).for_each(|(best, new)| new.into_iter().for_each(|new| better(best, new)));
            };
            let lanes = Lanes::<T>::new(&lanes, view)?;
            let (counts, found) = work.all(Some(&lanes), || filled(None, n), push, merge)?;
            Ok(Grouped { counts, partials: Some(Partials::Arg(found)) })
        }),
    }
}

/// Finds the groups of elements: [`NONE`] or more where there is none.
trait Finder: Sync {
    fn find(&self, range: Range<usize>, groups: &mut Vec<u32>);
}

/// Groups of groups: bins of each.
struct Joint<'a> {
    groups: &'a dyn Finder,
    bins: &'a dyn Finder,
    count: u32,
}

impl Finder for Joint<'_> {
    fn find(&self, range: Range<usize>, groups: &mut Vec<u32>) {
        let mut bins = Vec::with_capacity(range.len());
        self.groups.find(range.clone(), groups);
        self.bins.find(range, &mut bins);
        for (group, bin) in groups.iter_mut().zip(bins) {
            *group = if *group == NONE || bin == NONE { NONE } else { *group * self.count + bin };
        }
    }
}

/// No group.
const NONE: u32 = u32::MAX;

struct Of<'a, T, F> {
    lanes: Lanes<'a, T>,
    group: F,
}

impl<T: Real, F: Fn(T) -> u32 + Sync> Finder for Of<'_, T, F> {
    fn find(&self, range: Range<usize>, groups: &mut Vec<u32>) {
        let mut buffer = Vec::new();
        groups.clear();
        groups.extend(self.lanes.chunk(0, range, &mut buffer).iter().map(|&value| (self.group)(value)));
    }
}

fn finder<'a, T: Real + Number>(
    plan: &GroupPlan,
    groups: &'a Groups,
    keys: &View<'a>,
    simd: Simd,
) -> Result<Box<dyn Finder + 'a>> {
    let lanes = Lanes::<T>::new(&plan::Lanes::new("keys", T::DTYPE, &plan.shape, None)?, keys)?;
    let small = T::DTYPE.size() <= 2 && plan.work() > 1 << 17;
    if small {
        // Every key there is, once.
        let base = if T::DTYPE.is_signed_integer() { (1u64 << 63) - (1 << (8 * T::DTYPE.size() - 1)) } else { 0 };
        let table: Vec<u32> = (0..1u64 << (8 * T::DTYPE.size())).map(|low| group_of(groups, base + low)).collect();
        return Ok(Box::new(Of { lanes, group: move |value: T| table[(value.key() - base) as usize] }));
    }
    Ok(match groups {
        &Groups::Consecutive { first, count } => {
            let group = move |value: T| {
                let group = value.key().wrapping_sub(first);
                if group < count as u64 { group as u32 } else { NONE }
            };
            Box::new(Of { lanes, group })
        }
        Groups::Between { lower, last, even: Some(even), .. } if (1..1 << 30).contains(&lower.len()) => {
            Box::new(even::Even::new(lanes, *even, lower, *last, simd)?)
        }
        groups => Box::new(Of { lanes, group: move |value: T| group_of(groups, value.key()) }),
    })
}

/// The group of an order key.
fn group_of(groups: &Groups, key: u64) -> u32 {
    match groups {
        Groups::Consecutive { first, count } => {
            let group = key.wrapping_sub(*first);
            if group < *count as u64 { group as u32 } else { NONE }
        }
        Groups::Listed(keys) => keys.binary_search(&key).map_or(NONE, |group| group as u32),
        Groups::Between { lower, last, .. } if key <= *last => {
            (lower.partition_point(|&least| least <= key) as u32).wrapping_sub(1)
        }
        Groups::Between { .. } => NONE,
    }
}

/// Some elements: their groups, their values, and the index of the first.
struct Chunk<'a, T> {
    groups: &'a [u32],
    values: &'a [T],
    first: usize,
}

/// Memory of a task.
struct Scratch<T> {
    ends: Vec<u32>,
    sorted: Vec<T>,
}

struct Work<'a> {
    plan: &'a GroupPlan,
    finder: &'a dyn Finder,
    control: &'a Control,
    len: usize,
}

impl Work<'_> {
    /// How many tasks, with a state for each group, are worth their memory.
    fn parts(&self, groups: usize) -> usize {
        let affordable = (MEMORY / (128 * groups.max(1))).max(1);
        threads().min(self.len.div_ceil(CHUNK)).min(affordable).max(1)
    }

    /// Counts the elements of every group, and pushes them into states that merge.
    fn all<T: Real, S: Send>(
        &self,
        values: Option<&Lanes<'_, T>>,
        start: impl Fn() -> Result<S> + Sync,
        push: impl Fn(&mut S, &Chunk<'_, T>, &mut Scratch<T>) -> Result<()> + Sync,
        merge: impl Fn(&mut S, S),
    ) -> Result<(Vec<u64>, S)> {
        let groups = self.plan.results();
        let parts = self.parts(groups);
        let mut states: Vec<Option<(Vec<u64>, S)>> = (0..parts).map(|_| None).collect();
        let shared = Shared::new(&mut states);
        for_each(parts, 1, &|part| {
            let (mut counts, mut state) = (Counts::new(groups)?, start()?);
            let mut scratch = Scratch::new();
            let (mut found, mut buffer) = (Vec::with_capacity(CHUNK), Vec::new());
            let (mut at, end) = (part * self.len / parts, (part + 1) * self.len / parts);
            while at < end {
                self.control.check()?;
                let range = at..end.min(at + CHUNK);
                self.finder.find(range.clone(), &mut found);
                counts.add(&found);
                if let Some(values) = values {
                    let values = values.chunk(0, range.clone(), &mut buffer);
                    push(&mut state, &Chunk { groups: &found, values, first: at }, &mut scratch)?;
                }
                self.control.advance(range.len() as u64);
                at = range.end;
            }
            // SAFETY: each task has its own.
            unsafe { shared.write(part, Some((counts.finish(groups)?, state))) };
            Ok(())
        })?;
        let mut states = states.into_iter().flatten();
        let (mut counts, mut state) = states.next().map_or_else(|| Ok((zeros(groups)?, start()?)), Ok::<_, Error>)?;
        for (more, later) in states {
            counts.iter_mut().zip(more).for_each(|(count, more)| *count += more);
            merge(&mut state, later);
        }
        Ok((counts, state))
    }

    /// Counts alone.
    fn counts(&self) -> Result<Grouped> {
        let counts = self.all::<bool, ()>(None, || Ok(()), |_, _, _| Ok(()), |_, _| {})?.0;
        Ok(Grouped { counts, partials: None })
    }

    fn float_sums<T: Float>(&self, values: &Lanes<'_, T>, simd: Simd) -> Result<Grouped> {
        let n = self.plan.groups.len();
        let push = |sums: &mut FloatSums, chunk: &Chunk<'_, T>, scratch: &mut Scratch<T>| {
            if n * MANY > chunk.groups.len() {
                if sums.singles.is_empty() {
                    sums.singles = filled(Accumulator::new().prefix(), n)?;
                }
                for (&group, value) in chunk.groups.iter().zip(chunk.values) {
                    if let Some(sum) = sums.singles.get_mut(group as usize) {
                        sum.push(value.widen());
                    }
                }
            } else {
                scratch.sort(chunk, n);
                scratch.runs(|group, values| sums.runs[group].extend(values, simd));
            }
            Ok(())
        };
        let start = || Ok(FloatSums { runs: filled(Accumulator::new(), n)?, singles: vec![] });
        let (counts, sums) = self.all(Some(values), start, push, FloatSums::merge)?;
        Ok(Grouped { counts, partials: Some(Partials::Float(collect(sums.together().iter().map(Accumulator::to_sum))?)) })
    }

    fn integer_sums<T: Whole>(&self, values: &Lanes<'_, T>) -> Result<Grouped> {
        let push = |sums: &mut Vec<i128>, chunk: &Chunk<'_, T>, _: &mut Scratch<T>| {
            for (&group, value) in chunk.groups.iter().zip(chunk.values) {
                if let Some(sum) = sums.get_mut(group as usize) {
                    *sum += value.whole();
                }
            }
            Ok(())
        };
        let merge = |sums: &mut Vec<i128>, more: Vec<i128>| sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        let (counts, sums) = self.all(Some(values), || filled(0, self.plan.groups.len()), push, merge)?;
        Ok(Grouped { counts, partials: Some(Partials::Integer(sums)) })
    }
}

/// The sums of groups of floats: of runs of a group's elements, and of elements that came one by one, if some did.
struct FloatSums {
    runs: Vec<Accumulator>,
    singles: Vec<Prefix>,
}

impl FloatSums {
    fn together(mut self) -> Vec<Accumulator> {
        self.runs.iter_mut().zip(&self.singles).for_each(|(sum, single)| sum.merge_prefix(single));
        self.runs
    }

    fn merge(&mut self, more: Self) {
        self.runs.iter_mut().zip(more.together()).for_each(|(sum, more)| sum.merge(&more));
    }
}

impl<T: Real> Scratch<T> {
    fn new() -> Self {
        Self { ends: vec![], sorted: vec![] }
    }

    /// Brings the values of each group together: those of group `i` end at `ends[i]`.
    fn sort(&mut self, chunk: &Chunk<'_, T>, groups: usize) {
        self.ends.clear();
        // The last place is for elements of no group.
        self.ends.resize(groups + 1, 0);
        let place = |group: u32| (group as usize).min(groups);
        for &group in chunk.groups {
            self.ends[place(group)] += 1;
        }
        let mut end = 0;
        for place in &mut self.ends {
            (*place, end) = (end, end + *place);
        }
        self.sorted.resize(chunk.values.len(), T::ZERO);
        for (&group, &value) in chunk.groups.iter().zip(chunk.values) {
            let at = &mut self.ends[place(group)];
            self.sorted[*at as usize] = value;
            *at += 1;
        }
        self.ends.pop();
    }

    /// Calls `each` with every group and its values.
    fn runs(&self, mut each: impl FnMut(usize, &[T])) {
        let mut start = 0;
        for (group, &end) in self.ends.iter().enumerate() {
            each(group, &self.sorted[start..end as usize]);
            start = end as usize;
        }
    }
}

/// Counts per group. Where there are few groups, neighbours are counted apart: an element need not wait for the one before.
struct Counts {
    tables: Vec<u64>,
    stride: usize,
}

impl Counts {
    fn new(groups: usize) -> Result<Self> {
        let stride = groups + 1;
        Ok(Self { tables: zeros(if groups <= 1 << 10 { 4 * stride } else { stride })?, stride })
    }

    fn add(&mut self, found: &[u32]) {
        let last = self.stride - 1;
        let place = |group: u32| (group as usize).min(last);
        if self.tables.len() == self.stride {
            found.iter().for_each(|&group| self.tables[place(group)] += 1);
            return;
        }
        let (fours, rest) = found.as_chunks::<4>();
        for four in fours {
            for (table, &group) in four.iter().enumerate() {
                self.tables[table * self.stride + place(group)] += 1;
            }
        }
        rest.iter().for_each(|&group| self.tables[place(group)] += 1);
    }

    fn finish(mut self, groups: usize) -> Result<Vec<u64>> {
        if self.tables.len() == self.stride {
            self.tables.truncate(groups);
            return Ok(self.tables);
        }
        let tables: Vec<&[u64]> = self.tables.chunks_exact(self.stride).collect();
        collect((0..groups).map(|group| tables.iter().map(|table| table[group]).sum()))
    }
}
