//! Monte Carlo π on the CPU: Philox blocks in SIMD lanes, a dot product for the circle, counts in registers.
//!
//! A vector holds one counter block per 64-bit lane, because Philox multiplies 32 by 32 bits to 64. Within a run of
//! blocks whose counters share their high word most of the first two rounds is the same for all blocks, and the one
//! product left of the first round grows by a constant from block to block: 17 of 20 products remain.

#[cfg(target_arch = "x86_64")]
mod x86;

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use super::simd::Simd;
use super::tasks;
use crate::philox::{MULTIPLIERS, ROUNDS};
use crate::plan::MonteCarloPlan;
use crate::{Control, Philox4x32, Result};

/// Counts the hits among the plan's samples on the threads of the current rayon pool.
pub(super) fn count_hits(plan: &MonteCarloPlan, simd: Simd, control: &Control) -> Result<u64> {
    let philox = Philox4x32::new(plan.seed);
    let Range { start, end } = plan.samples;
    let chunk = chunk_len(plan.len(), simd);
    if plan.is_empty() {
        return Ok(0);
    }
    // Chunks end at multiples of their length, so that only the first and the last have edges.
    let (first, last) = (start / chunk, (end - 1) / chunk);
    let hits = AtomicU64::new(0);
    let count = |task: usize| {
        control.check()?;
        let index = first + task as u64;
        let samples = start.max(index * chunk)..end.min((index * chunk).saturating_add(chunk));
        let len = samples.end - samples.start;
        hits.fetch_add(count_range(&philox, samples, simd), Ordering::Relaxed);
        control.advance(len);
        Ok(())
    };
    tasks::for_each((last - first + 1) as usize, 1, &count)?;
    Ok(hits.into_inner())
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

/// The hits among samples that one thread counts in one go (fewer than 2^31).
fn count_range(philox: &Philox4x32, samples: Range<u64>, simd: Simd) -> u64 {
    let Range { start, end } = samples;
    let by_sample = |samples: Range<u64>| samples.filter(|&sample| philox.sample_is_hit(sample)).count() as u64;
    // Whole blocks between two edges of single samples.
    let (first, last) = (start.div_ceil(4), end / 4);
    if first >= last {
        return by_sample(start..end);
    }
    let mut hits = by_sample(start..4 * first) + by_sample(4 * last..end);
    // Runs of blocks whose counters share their high word.
    let mut block = first;
    while block < last {
        let next = block.checked_next_multiple_of(1 << 32).filter(|&next| next > block).unwrap_or(block.saturating_add(1 << 32));
        let stop = last.min(next);
        let vectors = (stop - block) / GROUP * GROUP;
        hits += count_groups(philox, block, vectors / GROUP, simd);
        hits += by_sample(4 * (block + vectors)..4 * stop);
        block = stop;
    }
    hits
}

/// Blocks per group: what every level handles in one step of its loop, or in several.
const GROUP: u64 = 64;

/// The hits among `groups` groups of blocks from `first` on, which share their high word.
fn count_groups(philox: &Philox4x32, first: u64, groups: u64, simd: Simd) -> u64 {
    match simd {
        #[cfg(target_arch = "x86_64")]
        Simd::Avx512 if is_x86_feature_detected!("avx512vnni") => {
            // SAFETY: the level stands for AVX-512 F, BW, DQ and VL; VNNI was just detected.
            unsafe { x86::count_avx512_vnni(philox, first, groups) }
        }
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level stands for AVX-512 F, BW, DQ and VL.
        Simd::Avx512 => unsafe { x86::count_avx512(philox, first, groups) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level stands for AVX2.
        Simd::Avx2 => unsafe { x86::count_avx2(philox, first, groups) },
        _ => count_portable(philox, first, groups),
    }
}

/// The hits among `groups` groups of blocks from `first` on, which share their high word, in portable Rust: each round
/// is a loop over the blocks of a group that compilers turn into vector code.
fn count_portable(philox: &Philox4x32, first: u64, groups: u64) -> u64 {
    let keys = philox.round_keys();
    let [m0, m1] = MULTIPLIERS.map(u64::from);
    let low = |x: u64| x & 0xffff_ffff;
    let mut hits = 0;
    for group in 0..groups {
        let block = low(first) + group * GROUP;
        let mut words = [[0u64; GROUP as usize]; 4];
        let [a, b, c, d] = &mut words;
        for i in 0..GROUP as usize {
            (a[i], b[i]) = (block + i as u64, first >> 32);
        }
        for [k0, k1] in keys {
            for i in 0..GROUP as usize {
                let (p0, p1) = (low(a[i]) * m0, low(c[i]) * m1);
                (a[i], b[i]) = ((p1 >> 32) ^ low(b[i]) ^ k0 as u64, p1);
                (c[i], d[i]) = ((p0 >> 32) ^ low(d[i]) ^ k1 as u64, p0);
            }
        }
        let mut missed = [0u32; 4];
        for (words, missed) in words.iter().zip(&mut missed) {
            for &word in words {
                let (x, y) = (word as i16 as i32, (word as i32) >> 16);
                *missed += ((1 << 30) - 1 - x * (x + 1) - y * (y + 1)) as u32 >> 31;
            }
        }
        hits += 4 * GROUP - missed.iter().sum::<u32>() as u64;
    }
    hits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_definition(seed: u64, samples: Range<u64>) -> u64 {
        let philox = Philox4x32::new(seed);
        let hit = |s: u64| {
            let word = philox.block(s / 4)[(s % 4) as usize];
            let (x, y) = ((word & 0xffff) as u16 as i16 as i64, (word >> 16) as u16 as i16 as i64);
            x * (x + 1) + y * (y + 1) < 1 << 30
        };
        samples.filter(|&s| hit(s)).count() as u64
    }

    fn counted(seed: u64, samples: Range<u64>, simd: Simd) -> u64 {
        count_hits(&MonteCarloPlan { seed, samples }, simd, &Control::new()).unwrap()
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
            (1 << 32) - 5..(1 << 32) + 9_000,
            far..far + 12_345,
            (1 << 62) - 1..(1 << 62) + 4_099,
            u64::MAX - 1_003..u64::MAX,
            u64::MAX..u64::MAX,
            // The low word of the block counter wraps here.
            (1 << 34) - 1_001..(1 << 34) + 1_002,
            (7 << 34) - 515..(7 << 34) + 3,
        ];
        for seed in [0, 42, 0xdead_beef_0bad_cafe] {
            for range in ranges.clone() {
                let expected = by_definition(seed, range.clone());
                for simd in Simd::available() {
                    assert_eq!(counted(seed, range.clone(), simd), expected, "{simd:?} {range:?} seed {seed}");
                }
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn avx512_counts_the_same_without_vnni() {
        if Simd::available().contains(&Simd::Avx512) {
            let philox = Philox4x32::new(9);
            // SAFETY: the level was found on this CPU.
            let hits = unsafe { x86::count_avx512(&philox, 77, 10) };
            assert_eq!(hits, by_definition(9, 4 * 77..4 * (77 + 10 * GROUP)));
        }
    }

    #[test]
    fn splits_and_threads_do_not_matter() {
        let whole = 1_000_003..9_765_432u64;
        let expected = counted(5, whole.clone(), Simd::Portable);
        for threads in [1, 2, 7] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            for simd in Simd::available() {
                assert_eq!(pool.install(|| counted(5, whole.clone(), simd)), expected);
                let plan = MonteCarloPlan { seed: 5, samples: whole.clone() };
                let parts = plan.split(&[1.0, 0.3, 2.0], 77);
                assert_eq!(parts.iter().map(|part| counted(5, part.samples.clone(), simd)).sum::<u64>(), expected);
            }
        }
    }

    #[test]
    fn progress_is_told_and_cancelling_stops() {
        let control = Control::new();
        let plan = MonteCarloPlan { seed: 1, samples: 3..1_000_000 };
        count_hits(&plan, Simd::current(), &control).unwrap();
        assert_eq!(control.progress().done, plan.len());
        control.cancel();
        assert!(matches!(count_hits(&plan, Simd::current(), &control), Err(crate::Error::Cancelled { .. })));
    }
}
