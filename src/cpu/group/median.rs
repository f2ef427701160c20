//! Medians by group: the values of every group are brought together in memory, then selected from.

use std::ops::Range;

use super::{CHUNK, Work};
use crate::Result;
use crate::array::{filled, room, zeros};
use crate::cpu::lanes::{Lanes, Shared};
use crate::cpu::tasks::for_each;
use crate::plan::{Between, Grouped, Partials};

impl Work<'_> {
    /// The order keys of the two middle values of every group.
    pub(super) fn medians<T: Between>(&self, values: &Lanes<'_, T>) -> Result<Grouped> {
        let n = self.plan.groups.len();
        let parts = self.parts(n);
        let part = |index: usize| index * self.len / parts..(index + 1) * self.len / parts;
        let mut groups: Vec<u32> = zeros(self.len)?;
        let mut places: Vec<Vec<usize>> = (0..parts).map(|_| filled(0, n)).collect::<Result<_>>()?;
        {
            let (groups, places) = (Shared::new(&mut groups), Shared::new(&mut places));
            for_each(parts, 1, &|index| {
                // SAFETY: each part has its own elements and its own counts.
                let (groups, counts) = unsafe { (groups.slice(part(index)), &mut places.slice(index..index + 1)[0]) };
                let mut found = Vec::with_capacity(CHUNK);
                for range in chunks(part(index)) {
                    self.control.check()?;
                    self.finder.find(range.clone(), &mut found);
                    groups[range.start - part(index).start..][..found.len()].copy_from_slice(&found);
                    found.iter().for_each(|&group| {
                        if let Some(count) = counts.get_mut(group as usize) {
                            *count += 1;
                        }
                    });
                }
                Ok(())
            })?;
        }
        // Where the values of each group end, and where each part's values of it begin.
        let (mut ends, mut counts, mut at) = (room(n)?, room(n)?, 0);
        for group in 0..n {
            let first = at;
            for places in &mut places {
                (places[group], at) = (at, at + places[group]);
            }
            ends.push(at);
            counts.push((at - first) as u64);
        }
        let mut together: Vec<T> = zeros(at)?;
        {
            let (together, places) = (Shared::new(&mut together), Shared::new(&mut places));
            for_each(parts, 1, &|index| {
                // SAFETY: each part has its own places.
                let places = unsafe { &mut places.slice(index..index + 1)[0] };
                let mut buffer = Vec::new();
                for range in chunks(part(index)) {
                    self.control.check()?;
                    let values = values.chunk(0, range.clone(), &mut buffer);
                    for (&group, &value) in groups[range.clone()].iter().zip(values) {
                        if let Some(place) = places.get_mut(group as usize) {
                            // SAFETY: every part has as many places of a group as it has values.
                            unsafe { together.write(*place, value) };
                            *place += 1;
                        }
                    }
                    self.control.advance(range.len() as u64);
                }
                Ok(())
            })?;
        }
        let mut middles = filled(None, n)?;
        {
            let (together, middles) = (Shared::new(&mut together), Shared::new(&mut middles));
            for_each(n, 1, &|group| {
                self.control.check()?;
                let start = ends[group] - counts[group] as usize;
                // SAFETY: each group has its own values and its own result.
                unsafe { middles.write(group, middle(together.slice(start..ends[group]))) };
                Ok(())
            })?;
        }
        Ok(Grouped { counts, partials: Some(Partials::Range(middles)) })
    }
}

fn chunks(range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    range.clone().step_by(CHUNK).map(move |start| start..range.end.min(start + CHUNK))
}

/// The order keys of the middle two, or of the middle one twice; those of NaN if there is one.
fn middle<T: Between>(values: &mut [T]) -> Option<(u64, u64)> {
    if values.is_empty() {
        return None;
    }
    if values.iter().any(|value| value.is_nan()) {
        return Some((u64::MAX, u64::MAX));
    }
    let n = values.len();
    let (below, &mut high, _) = values.select_nth_unstable_by_key(n / 2, |value| value.key());
    let low = if n % 2 == 1 { high } else { below.iter().copied().max_by_key(|value| value.key()).unwrap_or(high) };
    Some((low.key(), high.key()))
}
