//! Hits on the CPU.

use rayon::prelude::*;

use super::simd::Simd;
use crate::plan::MonteCarloPlan;
use crate::{Control, Philox4x32, Result};

/// Samples between two looks at the control.
const CHUNK: u64 = 1 << 20;

/// Counts the hits among the plan's samples on the current thread pool.
pub(super) fn count_hits(plan: &MonteCarloPlan, _simd: Simd, control: &Control) -> Result<u64> {
    let philox = Philox4x32::new(plan.seed);
    let chunks = (0..plan.len().div_ceil(CHUNK)).into_par_iter();
    let counts = chunks.map(|chunk| {
        control.check()?;
        let start = plan.samples.start + chunk * CHUNK;
        let end = start.saturating_add(CHUNK).min(plan.samples.end);
        let hit = |&sample: &u64| {
            let word = philox.block(sample / 4)[(sample % 4) as usize];
            let (x, y) = (i64::from(word as u16 as i16), i64::from((word >> 16) as i16));
            x * (x + 1) + y * (y + 1) < 1 << 30
        };
        let count = (start..end).filter(hit).count() as u64;
        control.advance(end - start);
        Ok(count)
    });
    counts.try_reduce(|| 0, |a, b| Ok(a + b))
}
