//! Monte Carlo π on the CPU: Philox blocks in SIMD lanes, points tested in integers, counts in registers.
//!
//! A vector holds one counter block per 64-bit lane, because Philox multiplies 32 by 32 bits to 64. Within a run of
//! blocks whose counters share their high word most of the first two rounds is the same for all blocks, and the one
//! product left of the first round grows by a constant from block to block: 17 of 20 products remain.

mod count;
mod portable;
mod sobol;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::ops::Range;
use std::sync::Mutex;

use super::simd::Simd;
use super::tasks;
use crate::plan::{MonteCarloPlan, PiMethod, REPLICATES, Tally};
use crate::{Control, Philox4x32, Result};

/// Counts the plan's samples on the current threads.
pub(super) fn count_hits(plan: &MonteCarloPlan, simd: Simd, control: &Control) -> Result<Tally> {
    let Range { start, end } = plan.samples;
    let chunk = chunk_len(plan.len(), simd);
    if plan.is_empty() {
        return Ok(Tally::default());
    }
    // Chunks end at multiples of their length, so that only the first and the last have edges.
    let (first, last) = (start / chunk, (end - 1) / chunk);
    let tally = Mutex::new(Tally::default());
    let count = |task: usize| {
        control.check()?;
        let index = first + task as u64;
        let samples = start.max(index * chunk)..end.min((index * chunk).saturating_add(chunk));
        let len = samples.end - samples.start;
        let part = count_range(plan, samples, simd);
        tally.lock().unwrap_or_else(std::sync::PoisonError::into_inner).merge(&part);
        control.advance(len);
        Ok(())
    };
    tasks::for_each((last - first + 1) as usize, 1, &count)?;
    Ok(tally.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// Samples per chunk, a power of two: some milliseconds of work, less if there is little work for many threads.
fn chunk_len(len: u64, simd: Simd) -> u64 {
    let most = match simd {
        #[cfg(target_arch = "x86_64")]
        Simd::Avx512 => 1 << 23,
        _ => 1 << 22,
    };
    (len / (4 * tasks::threads() as u64)).next_power_of_two().clamp(1 << 18, most)
}

/// The tally of samples that one thread counts in one go (fewer than 2^31).
fn count_range(plan: &MonteCarloPlan, samples: Range<u64>, simd: Simd) -> Tally {
    let Range { start, end } = samples;
    // Whole blocks, or whole turns of the replicates, between two edges of single samples.
    let sobol = plan.how.method == PiMethod::Sobol;
    let per_block = if sobol { REPLICATES } else { samples_per_block(plan) };
    let (first, last) = (start.div_ceil(per_block), end / per_block);
    if first >= last {
        return plan.by_definition(start..end);
    }
    let mut tally = plan.by_definition(start..per_block * first);
    tally.merge(&plan.by_definition(per_block * last..end));
    if sobol {
        let mut hits = Tally { samples: per_block * (last - first), ..Tally::default() };
        sobol::count(&plan.how, first..last, &mut hits.counts, simd);
        tally.merge(&hits);
        return tally;
    }
    let philox = Philox4x32::new(plan.how.seed);
    // Runs of blocks whose counters share their high word.
    let mut block = first;
    while block < last {
        let next = block.checked_next_multiple_of(1 << 32).filter(|&next| next > block).unwrap_or(block.saturating_add(1 << 32));
        let stop = last.min(next);
        let grouped = (stop - block) / GROUP * GROUP;
        let misses = count_groups(plan, &philox, block, grouped / GROUP, simd);
        tally.merge(&Tally::of_misses(per_block * grouped, misses));
        tally.merge(&plan.by_definition(per_block * (block + grouped)..per_block * stop));
        block = stop;
    }
    tally
}

/// The samples that a block of four words makes.
fn samples_per_block(plan: &MonteCarloPlan) -> u64 {
    match (plan.how.coordinate_bits(), plan.how.method) {
        (16, _) => 4,
        (_, PiMethod::Stratified) => 1,
        _ => 2,
    }
}

/// Blocks per group: what every level handles in one step of its loop, or in several.
const GROUP: u64 = 64;

/// How many samples of `groups` groups of blocks from `first` on, which share their high word, miss once and twice.
fn count_groups(plan: &MonteCarloPlan, philox: &Philox4x32, first: u64, groups: u64, simd: Simd) -> [u64; 2] {
    let how = &plan.how;
    match simd {
        #[cfg(target_arch = "x86_64")]
        Simd::Avx512 if is_x86_feature_detected!("avx512vnni") => {
            // SAFETY: the level stands for AVX-512 F, BW, DQ and VL; VNNI was just detected.
            unsafe { x86::count_avx512_vnni(how, philox, first, groups, x86::few()) }
        }
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level stands for AVX-512 F, BW, DQ and VL.
        Simd::Avx512 => unsafe { x86::count_avx512(how, philox, first, groups) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level stands for AVX2.
        Simd::Avx2 => unsafe { x86::count_avx2(how, philox, first, groups) },
        _ => count::by_method::<portable::Portable, 1, 1>(how, philox, first, groups),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::MonteCarlo;

    /// Independently of the plan's own definition: plain samples of 16 bits, as first defined.
    fn plain(seed: u64, samples: Range<u64>) -> Tally {
        let philox = Philox4x32::new(seed);
        let hit = |s: u64| {
            let word = philox.block(s / 4)[(s % 4) as usize];
            let (x, y) = ((word & 0xffff) as u16 as i16 as i64, (word >> 16) as u16 as i16 as i64);
            x * (x + 1) + y * (y + 1) < 1 << 30
        };
        let len = samples.end - samples.start;
        Tally::of_misses(len, [len - samples.filter(|&s| hit(s)).count() as u64, 0])
    }

    fn counted(how: &MonteCarlo, samples: Range<u64>, simd: Simd) -> Tally {
        // Parts of plans may start and end inside a pass.
        count_hits(&MonteCarloPlan { how: *how, samples }, simd, &Control::new()).unwrap()
    }

    fn problems(seed: u64) -> impl Iterator<Item = MonteCarlo> {
        PiMethod::ALL
            .into_iter()
            .flat_map(move |method| [16, 32].map(|bits| MonteCarlo::pi().method(method).bits(bits).seed(seed)))
    }

    #[test]
    fn every_level_counts_what_the_definition_says() {
        let far = 10u64.pow(12) + 3;
        let ranges = [
            0..0,
            0..1,
            3..4,
            1..7,
            5..131,
            0..10_007,
            (1 << 32) - 5..(1 << 32) + 3_000,
            far..far + 5_345,
            (1 << 62) - 1..(1 << 62) + 1_099,
            u64::MAX - 1_003..u64::MAX,
            u64::MAX..u64::MAX,
            // The low word of the block counter wraps here, with 1, 2 and 4 samples a block.
            (1 << 33) - 501..(1 << 33) + 302,
            (1 << 34) - 1_001..(1 << 34) + 1_002,
            (7 << 34) - 515..(7 << 34) + 3,
            // Sobol's points are used up here.
            (3 << 37) - 9_001..(3 << 37) + 9_000,
        ];
        for range in ranges {
            for how in problems(0xdead_beef_0bad_cafe) {
                let expected = MonteCarloPlan { how, samples: 0..0 }.by_definition(range.clone());
                if how.is_square() {
                    assert_eq!(expected, plain(how.seed, range.clone()));
                }
                for simd in Simd::available() {
                    assert_eq!(counted(&how, range.clone(), simd), expected, "{simd:?} {range:?} {how}");
                }
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn avx512_counts_the_same_without_vnni_and_with_few_vectors() {
        if Simd::available().contains(&Simd::Avx512) {
            let (how, philox) = (MonteCarlo::pi().seed(9), Philox4x32::new(9));
            let expected = plain(9, 4 * 77..4 * (77 + 10 * GROUP));
            // SAFETY: the level was found on this CPU.
            let misses = unsafe { x86::count_avx512(&how, &philox, 77, 10) };
            assert_eq!(Tally::of_misses(40 * GROUP, misses), expected);
            for few in [true, false].into_iter().filter(|_| is_x86_feature_detected!("avx512vnni")) {
                // SAFETY: VNNI was just found.
                let misses = unsafe { x86::count_avx512_vnni(&how, &philox, 77, 10, few) };
                assert_eq!(Tally::of_misses(40 * GROUP, misses), expected, "{few}");
            }
        }
    }

    #[test]
    fn splits_and_threads_do_not_matter() {
        let whole = 1_000_003..1_765_432u64;
        for how in problems(5) {
            let expected = counted(&how, whole.clone(), Simd::current());
            for threads in [1, 2, 7] {
                let crew = tasks::Crew::new(threads).unwrap();
                let plan = MonteCarloPlan { how, samples: whole.clone() };
                let mut all = Tally::default();
                for part in plan.split(&[1.0, 0.3, 2.0], 77) {
                    all.merge(&crew.install(|| counted(&how, part.samples, Simd::current())));
                }
                assert_eq!(all, expected, "{how}");
            }
        }
    }

    #[test]
    fn progress_is_told_and_cancelling_stops() {
        let control = Control::new();
        let plan = MonteCarloPlan { how: MonteCarlo::pi(), samples: 3..1_000_000 };
        count_hits(&plan, Simd::current(), &control).unwrap();
        assert_eq!(control.progress().done, plan.len());
        control.cancel();
        assert!(matches!(count_hits(&plan, Simd::current(), &control), Err(crate::Error::Cancelled { .. })));
    }
}
