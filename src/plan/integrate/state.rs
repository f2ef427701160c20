//! What the integration of a function has done so far: which samples of which problem, and their exact sums.

use std::ops::Range;
use std::sync::Arc;

use super::bytes::{Reader, Writer, corrupt};
use super::grid::{BINS, Grid};
use super::sobol::turn_end;
use super::sums::Rounds;
use super::{Integral, IntegralMethod, IntegralSums, Integrate, IntegratePlan, Sampling};
use crate::plan::{REPLICATES, Ranges};
use crate::{Dtype, Error, ExactSum, Result, exact};

/// The head of the byte form, and its version.
const MAGIC: [u8; 4] = *b"UnIn";
const VERSION: u8 = 1;
/// The byte that stands for Philox4x32-10.
const PHILOX: u8 = 0;
/// Samples whose squares give the unit of a round's counts.
const SCOUTS: u64 = 1 << 12;

/// The samples that an integral has drawn, and what they sum to: a value that is extended, merged, saved and resumed.
///
/// The samples are addressed by index and their sums are exact, so that a run may be stopped and go on, on another device or
/// machine, and several may share the work: the merged state is that of one run over the same samples, to the bit. It holds the
/// whole problem: expression, bounds, parameters, dtype, seed and method.
///
/// ```
/// use unisono::{Backend, IntegralState, Integrate};
/// # fn main() -> unisono::Result<()> {
/// let backend = Backend::cpu();
/// let how = Integrate::new("exp(-x*x)", &[("x", 0.0, 1.0)])?.seed(42).samples(100_000);
/// let (mut here, mut there) = (IntegralState::new(&how)?, IntegralState::new(&how)?);
/// backend.extend_integral(&mut here, 0..60_000)?;
/// backend.extend_integral(&mut there, 60_000..100_000)?;
/// here.merge(&IntegralState::from_bytes(&there.to_bytes())?)?;
/// assert_eq!(here.integral(), backend.integrate(&how)?);
/// assert!(here.merge(&there).is_err()); // no sample counts twice
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct IntegralState {
    how: Integrate,
    plan: IntegratePlan,
    ranges: Ranges,
    /// One; of importance sampling one for each round, the last one in the making; of Sobol's points one for each replicate.
    parts: Vec<IntegralSums>,
    /// Of importance sampling, what the parts but the last say.
    over: Rounds,
}

impl PartialEq for IntegralState {
    fn eq(&self, other: &Self) -> bool {
        self.how.difference(&other.how).is_none()
            && (&self.plan.sampling, &self.ranges, &self.parts) == (&other.plan.sampling, &other.ranges, &other.parts)
    }
}

impl IntegralState {
    /// No sample yet of an integral. Numbers of samples and target errors do not belong to the problem.
    ///
    /// # Errors
    /// As [`IntegratePlan::new`].
    pub fn new(how: &Integrate) -> Result<Self> {
        let plan = IntegratePlan::new(how, 0..0)?;
        let parts = vec![plan.no_sums(); if how.method == IntegralMethod::Sobol { REPLICATES as usize } else { 1 }];
        Ok(Self { how: how.clone(), plan, ranges: Ranges::default(), parts, over: Rounds::default() })
    }

    /// The problem.
    pub fn problem(&self) -> &Integrate {
        &self.how
    }

    /// The indices of the samples drawn: disjoint ranges in ascending order.
    pub fn ranges(&self) -> &[Range<u64>] {
        self.ranges.all()
    }

    /// How many samples were drawn.
    pub fn samples(&self) -> u64 {
        self.ranges.count()
    }

    /// The samples of `range` that were not drawn yet: disjoint ranges in ascending order.
    pub fn missing(&self, range: Range<u64>) -> Vec<Range<u64>> {
        self.ranges.missing(range)
    }

    /// What the samples say; of importance sampling, those of whole rounds.
    pub fn integral(&self) -> Integral {
        let volume = self.plan.volume();
        match self.how.method {
            IntegralMethod::Plain => Integral::new(self.parts[0].clone(), volume),
            IntegralMethod::Vegas => self.over.integral(volume),
            IntegralMethod::Sobol => Integral::of_replicates(&self.parts, volume),
        }
    }

    /// Adds the samples of another state of the same problem. States of importance sampling must be in the same round, whose
    /// samples they may have shared.
    ///
    /// # Errors
    /// [`Error::Invalid`], and this state stays as it is, if the other is of another problem or round, or has a sample that
    /// this one has.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        const WHAT: &str = "state of an integral to merge";
        self.check_problem(WHAT, &other.how)?;
        let mut shared = 0;
        if let Some(round) = self.round() {
            let (own, others) = (self.parts.len(), other.parts.len());
            if own != others {
                let got = format!("round {others}");
                return Err(Error::invalid(WHAT, got, format!("round {own}, that of this state")));
            }
            shared = round.start;
        }
        // Rounds that are over are the same in both.
        let new = other.ranges.starting_at(shared);
        if let Some(twice) = self.ranges.overlap(&new) {
            let got = format!("samples {} to below {}, which this state has already", twice.start, twice.end);
            return Err(Error::invalid(WHAT, got, "samples that this state has not"));
        }
        self.take_scale(&other.plan.sampling);
        self.ranges.add(&new);
        let open = self.open();
        self.parts[open.clone()].iter_mut().zip(&other.parts[open]).for_each(|(own, more)| own.merge(more));
        self.end_round();
        Ok(())
    }

    /// Takes another state of the same problem in: the larger one if it has all samples of the smaller, whose sums they are
    /// then as well, both together if they have none in common.
    ///
    /// # Errors
    /// As [`merge`](Self::merge).
    pub(crate) fn join(&mut self, other: &Self) -> Result<()> {
        if self.how.difference(&other.how).is_some() {
            return self.merge(other);
        }
        if self.ranges.covers(&other.ranges) {
            return Ok(());
        }
        if other.ranges.covers(&self.ranges) {
            let plan = IntegratePlan { native: self.plan.native.clone(), ..other.plan.clone() };
            *self = Self { how: self.how.clone(), plan, ..other.clone() };
            return Ok(());
        }
        self.merge(other)
    }

    /// Fails unless the problem is that of this state.
    pub(crate) fn check_problem(&self, what: &str, how: &Integrate) -> Result<()> {
        match self.how.difference(how) {
            None => Ok(()),
            Some((setting, got, own)) => {
                Err(Error::invalid(what, format!("{setting} {got}"), format!("{own}, that of this state")))
            }
        }
    }

    /// The parts that samples can still be added to.
    fn open(&self) -> Range<usize> {
        let first = if self.how.method == IntegralMethod::Sobol { 0 } else { self.parts.len() - 1 };
        first..self.parts.len()
    }

    /// Takes the function of the same problem, which a state that was read from bytes lacks.
    pub(crate) fn adopt(&mut self, how: &Integrate) {
        self.how.native.clone_from(&how.native);
        self.plan.native.clone_from(&how.native);
    }

    /// The samples of the round in the making.
    fn round(&self) -> Option<Range<u64>> {
        let (round, len) = (self.parts.len() as u64 - 1, self.how.round_len());
        let range = || round.saturating_mul(len)..(round + 1).saturating_mul(len);
        (self.how.method == IntegralMethod::Vegas).then(range)
    }

    /// Where a run that draws samples from 0 on has come to.
    pub(crate) fn prefix(&self) -> u64 {
        self.ranges.prefix()
    }

    /// What of some missing samples can be drawn next, up to `most` of them.
    ///
    /// # Errors
    /// [`Error::Invalid`] for samples of a round whose grid is not known yet.
    pub(crate) fn next(&self, missing: &Range<u64>, most: u64) -> Result<IntegratePlan> {
        let mut end = missing.end.min(missing.start.saturating_add(most));
        if let Some(round) = self.round() {
            if !round.contains(&missing.start) {
                let expected = format!("samples below {}: the next round's grid comes of those", round.end);
                return Err(Error::invalid("samples", format!("{missing:?}"), expected));
            }
            end = end.min(round.end);
        }
        if self.how.method == IntegralMethod::Sobol {
            end = end.min(turn_end(missing.start));
        }
        Ok(IntegratePlan { samples: missing.start..end, ..self.plan.clone() })
    }

    /// The samples by whose squares the unit of the counts is to be set; `None` if it is known or there is none.
    pub(crate) fn scouts(&self, all: bool) -> Option<IntegratePlan> {
        match (&self.plan.sampling, self.round()) {
            (Sampling::Grid(grid), Some(round)) if grid.scale.is_none() => {
                let end = if all { round.end } else { round.end.min(round.start.saturating_add(SCOUTS)) };
                Some(IntegratePlan { samples: round.start..end, ..self.plan.clone() })
            }
            _ => None,
        }
    }

    /// Sets the unit of the counts if there is anything to go by. Nothing in a whole round is something too.
    pub(crate) fn set_scale(&mut self, sums: &IntegralSums) {
        let Sampling::Grid(grid) = &self.plan.sampling else { return };
        let mut grid = Grid::clone(grid);
        if grid.set_scale(sums) || sums.count == self.how.round_len() {
            self.plan.sampling = Sampling::Grid(Arc::new(grid));
        }
    }

    /// The unit that another state in the same round has found.
    fn take_scale(&mut self, other: &Sampling) {
        if let (Sampling::Grid(own), Sampling::Grid(theirs)) = (&self.plan.sampling, other)
            && own.scale.is_none()
        {
            self.plan.sampling = Sampling::Grid(theirs.clone());
        }
    }

    /// Adds the sums over the samples of a [plan](Self::next), of each of its [replicates](IntegratePlan::replicates).
    pub(crate) fn add(&mut self, plan: &IntegratePlan, sums: &[IntegralSums]) {
        self.ranges.add(&plan.samples.clone().into());
        let open = self.open();
        self.parts[open].iter_mut().zip(sums).for_each(|(own, more)| own.merge(more));
        self.end_round();
    }

    /// Makes the next grid once a round is complete.
    fn end_round(&mut self) {
        let (Some(round), Some(last)) = (self.round(), self.parts.last_mut()) else { return };
        if let Sampling::Grid(grid) = &self.plan.sampling
            && last.count == round.end - round.start
        {
            let counts = std::mem::take(&mut last.counts);
            self.over.push(last);
            self.plan.sampling = Sampling::Grid(Arc::new(grid.refined(&counts)));
            self.parts.push(self.plan.no_sums());
        }
    }

    /// The byte form: `UnIn`, a version byte, bytes for generator, method and dtype; then, in 64 bits each, least significant
    /// byte first, seed, samples of a round (0: the default), the expression, bounds and parameters, the ends of the ranges,
    /// counts and [sums](ExactSum::to_bytes), of importance sampling the grid, and a checksum (FNV-1a). Texts and lists have
    /// their length in front.
    pub fn to_bytes(&self) -> Vec<u8> {
        let how = &self.how;
        let mut out = Writer::default();
        out.raw(&MAGIC);
        out.raw(&[VERSION, PHILOX, how.method as u8, u8::from(how.dtype == Dtype::F64)]);
        out.word(how.seed);
        out.word(if how.method == IntegralMethod::Vegas { how.round_len() } else { 0 });
        out.text(how.expression.text());
        out.word(how.bounds.len() as u64);
        for (name, from, to) in &how.bounds {
            out.text(name);
            out.number(*from);
            out.number(*to);
        }
        out.word(how.params.len() as u64);
        for (name, value) in &how.params {
            out.text(name);
            out.number(*value);
        }
        out.word(self.ranges.all().len() as u64);
        self.ranges.ends().for_each(|end| out.word(end));
        out.word(self.parts.len() as u64);
        for part in &self.parts {
            out.word(part.count);
            out.raw(&part.sum.to_bytes());
            out.raw(&part.squares.to_bytes());
        }
        if let Sampling::Grid(grid) = &self.plan.sampling {
            out.word(u64::from(grid.scale.is_some()));
            out.word(i64::from(grid.scale.unwrap_or(0)) as u64);
            grid.edges.iter().flatten().for_each(|&edge| out.number(edge));
            self.parts.last().iter().flat_map(|part| &part.counts).for_each(|&count| out.word(count));
        }
        out.finish()
    }

    /// Reads [`to_bytes`](Self::to_bytes)'s form. The problem has no target error and the default number of samples.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for other bytes, another version, a checksum that does not fit, or values that no state has.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        if bytes.first_chunk() != Some(&MAGIC) {
            return Err(corrupt("the bytes are of something else"));
        }
        let mut from = Reader::new(bytes)?;
        let [_, _, _, _, version, generator, method, double] = from.array()?;
        if version != VERSION {
            return Err(corrupt(format!("version {version}, expected {VERSION}")));
        }
        let method = IntegralMethod::ALL.into_iter().find(|&known| known as u8 == method);
        let (PHILOX, Some(method), 0 | 1) = (generator, method, double) else {
            return Err(corrupt("an unknown generator, method or dtype"));
        };
        let (seed, round) = (from.word()?, from.word()?);
        let text = from.text()?.to_owned();
        let mut bounds = vec![];
        for _ in 0..from.count(24)? {
            bounds.push((from.text()?.to_owned(), from.number()?, from.number()?));
        }
        let named: Vec<_> = bounds.iter().map(|(name, from, to)| (name.as_str(), *from, *to)).collect();
        let unusable = |error: Error| corrupt(error.to_string());
        let dtype = if double == 1 { Dtype::F64 } else { Dtype::F32 };
        let mut how = Integrate::of_text(&text, &named).map_err(unusable)?.seed(seed).method(method).dtype(dtype);
        if method == IntegralMethod::Vegas {
            how = how.round(round);
        }
        for _ in 0..from.count(16)? {
            how = how.param(from.text()?, from.number()?);
        }
        let mut state = Self::new(&how).map_err(unusable)?;
        let mut ends = vec![];
        for _ in 0..from.count(16)? {
            ends.extend([from.word()?, from.word()?]);
        }
        state.ranges = Ranges::from_ends("state of an integral", &ends)?;
        state.parts = vec![];
        for _ in 0..from.count(8 + 2 * exact::BYTES)? {
            let count = from.word()?;
            let mut sum = || ExactSum::from_bytes(from.raw(exact::BYTES)?);
            state.parts.push(IntegralSums { count, sum: sum()?, squares: sum()?, counts: vec![] });
        }
        if method == IntegralMethod::Vegas {
            state.read_grid(&mut from)?;
        }
        from.end()?;
        let counted = state.parts.iter().try_fold(0u64, |all, part| all.checked_add(part.count));
        let whole = match method {
            IntegralMethod::Plain => state.parts.len() == 1,
            IntegralMethod::Vegas => true,
            IntegralMethod::Sobol => state.parts.len() == REPLICATES as usize,
        };
        if counted != Some(state.ranges.count()) || !whole {
            return Err(corrupt("sums that do not fit the ranges"));
        }
        Ok(state)
    }

    fn read_grid(&mut self, from: &mut Reader<'_>) -> Result<()> {
        let dimensions = self.how.bounds.len();
        let (known, scale) = (from.word()?, from.word()? as i64);
        let scale = i32::try_from(scale).ok().filter(|scale| (-1100..1024).contains(scale));
        let scale = scale.ok_or_else(|| corrupt("a scale out of range"))?;
        let mut edges = vec![vec![0.0; BINS + 1]; dimensions];
        for edge in edges.iter_mut().flatten() {
            *edge = from.number()?;
        }
        let ordered = |edges: &Vec<f64>| edges[0] == 0.0 && edges[BINS] == 1.0 && edges.is_sorted();
        let mut counts = vec![0; dimensions * BINS];
        for count in &mut counts {
            *count = from.word()?;
        }
        let (len, rounds) = (self.how.round_len(), self.parts.len());
        let Some((last, over)) = self.parts.split_last_mut() else { return Err(corrupt("no round")) };
        let whole = over.iter().all(|part| part.count == len) && last.count < len;
        let prefix = self.ranges.covers(&Ranges::from(0..(rounds as u64 - 1).saturating_mul(len)));
        if !whole || !prefix || known > 1 || !edges.iter().all(ordered) {
            return Err(corrupt("a grid or rounds that no state has"));
        }
        last.counts = counts;
        self.over = Rounds::of(over);
        self.plan.sampling = Sampling::Grid(Arc::new(Grid { edges, scale: (known == 1).then_some(scale) }));
        Ok(())
    }
}
