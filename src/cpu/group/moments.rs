//! Moments by group: exact sums of the values, and of their squares, each as the rounded square and what it lacks.

use super::{Chunk, MANY, Scratch, Work};
use crate::Result;
use crate::array::{collect, filled};
use crate::cpu::lanes::Lanes;
use crate::cpu::scan::Whole;
use crate::cpu::simd::Simd;
use crate::exact::accumulator::Accumulator;
use crate::exact::fast::Float;
use crate::exact::products::Wide;
use crate::exact::{ExactDot, ExactSum, Moments};
use crate::plan::{Grouped, Partials};

/// The sums of a group of floats.
#[derive(Clone)]
struct Sums {
    values: Accumulator,
    /// The squares, rounded, and what they lack.
    upper: Accumulator,
    lower: Accumulator,
    /// The squares of chunks in which some are out of range.
    rest: Option<Box<ExactDot>>,
}

impl Sums {
    fn new() -> Self {
        let zero = Accumulator::new;
        Self { values: zero(), upper: zero(), lower: zero(), rest: None }
    }

    fn merge(&mut self, other: &Self) {
        self.values.merge(&other.values);
        self.upper.merge(&other.upper);
        self.lower.merge(&other.lower);
        if let Some(more) = &other.rest {
            self.rest.get_or_insert_default().merge(more);
        }
    }

    fn moments(&self, count: u64) -> Moments {
        let mut squares = self.rest.as_deref().cloned().unwrap_or_default();
        self.upper.add_to(&mut squares, 0);
        self.lower.add_to(&mut squares, 0);
        Moments::from_parts(count, self.values.to_sum(), squares)
    }
}

/// The groups of a task, and its memory for squares.
struct Groups {
    sums: Vec<Sums>,
    upper: Vec<f64>,
    lower: Vec<f64>,
    sorted: Scratch<f64>,
}

impl Work<'_> {
    /// Counts, sums and sums of squares of floats.
    pub(super) fn float_moments<T: Float>(&self, values: &Lanes<'_, T>, simd: Simd) -> Result<Grouped> {
        let n = self.plan.groups.len();
        let start = || Ok(Groups { sums: filled(Sums::new(), n)?, upper: vec![], lower: vec![], sorted: Scratch::new() });
        let push = |all: &mut Groups, chunk: &Chunk<'_, T>, scratch: &mut Scratch<T>| {
            let Groups { sums, upper, lower, sorted } = all;
            add(sums, chunk.groups, chunk.values, scratch, simd, |sums| &mut sums.values);
            if T::NARROW {
                upper.clear();
                upper.extend(chunk.values.iter().map(|x| x.widen() * x.widen()));
                add(sums, chunk.groups, upper, sorted, simd, |sums| &mut sums.upper);
                return Ok(());
            }
            let len = chunk.values.len();
            upper.resize(len, 0.0);
            lower.resize(len, 0.0);
            if simd.run(Wide { a: chunk.values, b: chunk.values, upper, lower }) {
                add(sums, chunk.groups, upper, sorted, simd, |sums| &mut sums.upper);
                add(sums, chunk.groups, lower, sorted, simd, |sums| &mut sums.lower);
                return Ok(());
            }
            for (&group, value) in chunk.groups.iter().zip(chunk.values) {
                if let Some(sums) = sums.get_mut(group as usize) {
                    sums.rest.get_or_insert_default().push(value.widen(), value.widen());
                }
            }
            Ok(())
        };
        let merge = |all: &mut Groups, more: Groups| {
            all.sums.iter_mut().zip(&more.sums).for_each(|(sums, more)| sums.merge(more));
        };
        let (counts, all) = self.all(Some(values), start, push, merge)?;
        let moments = collect(all.sums.iter().zip(&counts).map(|(sums, &count)| sums.moments(count)))?;
        Ok(Grouped { counts, partials: Some(Partials::Moments(moments)) })
    }

    /// Counts, sums and sums of squares of integers.
    pub(super) fn integer_moments<T: Whole>(&self, values: &Lanes<'_, T>) -> Result<Grouped> {
        /// The sum; the lower words of the squares, the upper ones.
        type Sums = (i128, i128, i128);
        let push = |sums: &mut Vec<Sums>, chunk: &Chunk<'_, T>, _: &mut Scratch<T>| {
            for (&group, value) in chunk.groups.iter().zip(chunk.values) {
                if let Some((sum, low, high)) = sums.get_mut(group as usize) {
                    let value = value.whole();
                    let square = value.unsigned_abs() * value.unsigned_abs();
                    *sum += value;
                    *low += i128::from(square as u64);
                    *high += (square >> 64) as i128;
                }
            }
            Ok(())
        };
        let merge = |sums: &mut Vec<Sums>, more: Vec<Sums>| {
            for (sum, more) in sums.iter_mut().zip(more) {
                *sum = (sum.0 + more.0, sum.1 + more.1, sum.2 + more.2);
            }
        };
        let (counts, sums) = self.all(Some(values), || filled((0, 0, 0), self.plan.groups.len()), push, merge)?;
        let moments = |((sum, low, high), &count): (Sums, &u64)| {
            let (mut exact, mut squares) = (ExactSum::new(), ExactDot::new());
            exact.add_scaled(sum, 0);
            squares.add_scaled(low, 0);
            squares.add_scaled(high, 64);
            Moments::from_parts(count, exact, squares)
        };
        let moments = collect(sums.into_iter().zip(&counts).map(moments))?;
        Ok(Grouped { counts, partials: Some(Partials::Moments(moments)) })
    }
}

/// Adds values to one of the sums of their groups.
fn add<T: Float>(
    sums: &mut [Sums],
    groups: &[u32],
    values: &[T],
    scratch: &mut Scratch<T>,
    simd: Simd,
    sum: impl Fn(&mut Sums) -> &mut Accumulator,
) {
    let n = sums.len();
    if n * MANY > values.len() {
        for (&group, value) in groups.iter().zip(values) {
            if let Some(sums) = sums.get_mut(group as usize) {
                sum(sums).push(value.widen());
            }
        }
    } else {
        scratch.sort(&Chunk { groups, values, first: 0 }, n);
        scratch.runs(|group, values| sum(&mut sums[group]).extend(values, simd));
    }
}
