//! How much of a device's memory an operation may take: under a limit its blocks are shares of it, and results that would
//! take too much of it lie in host memory. Convolutions and filters plan their own room.

use std::sync::Arc;

use super::context::Context;
use crate::array::{HostVec, Storage};
use crate::engine::Target;
use crate::{Control, Dtype, Error, Result};

/// The least limit that operations other than convolutions keep to.
const LEAST: u64 = 64 << 10;
/// The least block that is worth a dispatch.
const LEAST_BLOCK: u64 = 4 << 10;
/// The largest limit that is worth naming.
const MOST: u64 = 1 << 60;
/// Blocks begin and end at multiples of it.
const QUANTUM: u64 = 256;

impl Context {
    /// Bytes of a block, where `parts` of them live at the same time: of the limit in force, beside the staging buffers, or as
    /// much as a block may have.
    pub(super) fn share(&self, parts: u64) -> u64 {
        let Some(limit) = self.ceiling() else { return self.max_block() };
        // Buffers are rounded up by an eighth at most.
        let all = limit.saturating_sub(self.staging_bytes(limit)) / 9 * 8;
        let share = (all / parts.max(1)).max(LEAST_BLOCK);
        (share - share % QUANTUM).min(self.max_block())
    }

    /// Whether a result of so many bytes is too large to lie on the device as a whole.
    pub(super) fn is_too_large(&self, bytes: u64) -> bool {
        self.ceiling().is_some() && bytes > self.share(8)
    }

    /// Fails where what an operation cannot do without takes more than half of the limit in force.
    pub(super) fn check_fixed(&self, bytes: u64, what: &str) -> Result<()> {
        match self.ceiling() {
            Some(limit) if 2 * bytes > limit / 9 * 8 => Err(self.needs(limit, 2 * bytes + bytes / 2, what)),
            _ => Ok(()),
        }
    }

    /// The least limit above `limit` that fits, as every one above it does; `None` if there is none. `fits` must hold for more
    /// left beside the staging buffers where it holds for less.
    pub(super) fn least_limit(&self, limit: u64, fits: impl Fn(u64) -> bool) -> Option<u64> {
        // Staging buffers double at powers of two: what fits below one may not fit there, but then everywhere beyond.
        let fits = |limit: u64| fits(limit) && fits(limit.next_power_of_two());
        let (mut low, mut high) = (limit, limit.max(1));
        if high > MOST {
            return None;
        }
        while !fits(high) {
            (low, high) = (high, high.checked_mul(2).filter(|&high| high <= MOST)?);
        }
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            (low, high) = if fits(middle) { (low, middle) } else { (middle, high) };
        }
        Some(high)
    }

    /// The error of a limit that is too little.
    pub(super) fn needs(&self, limit: u64, bytes: u64, what: &str) -> Error {
        Error::invalid("memory limit", format!("{limit} bytes"), format!("at least {bytes} bytes for {what} on {}", self.id))
    }
}

/// Runs work under the limit of `control`, if there is one.
pub(super) fn within<T>(context: &Arc<Context>, control: &Control, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let Some(limit) = control.memory_limit() else { return work() };
    if limit < LEAST {
        return Err(context.needs(limit, LEAST, "this"));
    }
    let _ceiling = context.limited(limit);
    work()
}

/// Runs work to its results: those that would take more than a quarter of the limit of `control` lie in host memory.
pub(super) fn deliver<'t>(
    control: &Control,
    results: &[(Dtype, &[usize])],
    targets: Vec<Target<'t>>,
    work: impl FnOnce(Vec<Target<'_>>) -> Result<Vec<Option<Storage>>>,
) -> Result<Vec<Option<Storage>>> {
    let bytes = |(dtype, shape): &(Dtype, &[usize])| shape.iter().product::<usize>() as u64 * dtype.size() as u64;
    let large = control.memory_limit().is_some_and(|limit| results.iter().map(bytes).sum::<u64>() > limit / 4);
    if !large {
        return work(targets);
    }
    let host = targets.iter().zip(results).map(|(target, (dtype, shape))| match target {
        Target::Device(_) => HostVec::zeros(*dtype, shape.iter().product()).map(Some),
        Target::Host(_) => Ok(None),
    });
    let mut host = host.collect::<Result<Vec<_>>>()?;
    let mut given: Vec<Target<'_>> = vec![];
    for ((target, host), (_, shape)) in targets.into_iter().zip(&mut host).zip(results) {
        given.push(match host {
            Some(vec) => Target::Host(vec.view_mut(shape)),
            None => target,
        });
    }
    let found = work(given)?;
    Ok(found.into_iter().zip(host).map(|(found, vec)| vec.map(|vec| Storage::Host(Arc::new(vec))).or(found)).collect())
}

/// [`deliver`] of one result.
pub(super) fn deliver_one(
    control: &Control,
    result: (Dtype, &[usize]),
    target: Target<'_>,
    work: impl FnOnce(Target<'_>) -> Result<Option<Storage>>,
) -> Result<Option<Storage>> {
    let one = |mut targets: Vec<Target<'_>>| Ok(vec![targets.pop().map_or(Ok(None), work)?]);
    Ok(deliver(control, &[result], vec![target], one)?.pop().flatten())
}
