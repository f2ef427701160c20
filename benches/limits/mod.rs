//! What the machine can do at most, for the ratios that benches print.

#![allow(dead_code, reason = "each bench uses some of the limits")]

use std::hint::black_box;
use std::time::{Duration, Instant};

/// Whether the benches are only tried (`-- --test`): everything once, on little data.
pub fn tried() -> bool {
    std::env::args().any(|arg| arg == "--test")
}

/// Of how many runs to take the best.
pub fn runs(most: usize) -> usize {
    if tried() { 1 } else { most }
}

/// A length; a small one where benches are only tried.
pub fn length(whole: usize) -> usize {
    if tried() { whole.div_ceil(16) } else { whole }
}

/// Runs a function that is always inlined, compiled for the widest vectors that there are.
macro_rules! widest {
    ($run:expr, $($arg:ident: $type:ty),* => $out:ty) => {{
        #[cfg(target_arch = "x86_64")]
        {
            #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl")]
            fn avx512($($arg: $type),*) -> $out {
                $run($($arg),*)
            }
            #[target_feature(enable = "avx2")]
            fn avx2($($arg: $type),*) -> $out {
                $run($($arg),*)
            }
            let wide = is_x86_feature_detected!("avx512dq") && is_x86_feature_detected!("avx512bw");
            if wide && is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") {
                // SAFETY: the features were found.
                return unsafe { avx512($($arg),*) };
            }
            if is_x86_feature_detected!("avx2") {
                // SAFETY: the feature was found.
                return unsafe { avx2($($arg),*) };
            }
        }
        $run($($arg),*)
    }};
}

/// Fused multiply-adds per second on registers, all threads together: of f64 if `double`, else of f32.
pub fn multiply_adds(threads: usize, double: bool) -> f64 {
    let rounds = length(1_000_000);
    let once = |()| (rounds * CHAINS * chains(rounds, double)) as f64;
    // The first time for the processors to take up speed.
    (0..2).map(|_| rate(vec![(); threads], once)).fold(0.0, f64::max)
}

/// What threads do per second together: each does its work once, all from one moment on, and says how much it was. Starting
/// threads does not count, and they wait for each other awake, so that none comes late.
fn rate<T: Send>(each: Vec<T>, work: impl Fn(T) -> f64 + Sync) -> f64 {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let missing = AtomicUsize::new(each.len());
    let one = |own: T| {
        missing.fetch_sub(1, Ordering::Relaxed);
        while missing.load(Ordering::Relaxed) > 0 {
            std::thread::yield_now();
        }
        let start = std::time::Instant::now();
        let amount = work(own);
        (amount, start, std::time::Instant::now())
    };
    let one = &one;
    let done: Vec<_> = std::thread::scope(|scope| {
        let running: Vec<_> = each.into_iter().map(|own| scope.spawn(move || one(own))).collect();
        running.into_iter().map(|thread| thread.join().expect("a rate")).collect()
    });
    let first = done.iter().map(|&(_, start, _)| start).min().expect("a thread");
    let last = done.iter().map(|&(_, _, end)| end).max().expect("a thread");
    done.iter().map(|&(amount, ..)| amount).sum::<f64>() / (last - first).as_secs_f64()
}

/// Chains of multiply-adds that do not wait for each other, in as many registers as AVX2 has beside two factors.
const CHAINS: usize = 12;

/// Runs the chains; returns the elements per vector.
fn chains(rounds: usize, double: bool) -> usize {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::*;
        macro_rules! chains {
            ($features:literal, $set:ident, $fma:ident, $lanes:literal) => {{
                #[target_feature(enable = $features)]
                fn run(rounds: usize) {
                    let (x, w) = (black_box($set(0.5)), black_box($set(0.25)));
                    let mut acc = [$set(1.0); CHAINS];
                    for _ in 0..rounds {
                        for acc in &mut acc {
                            *acc = $fma(x, w, *acc);
                        }
                        // Keeps the compiler from seeing through the rounds.
                        std::hint::black_box(());
                    }
                    black_box(acc);
                }
                // SAFETY: called below only where the features were found.
                unsafe { run(rounds) };
                return $lanes;
            }};
        }
        if is_x86_feature_detected!("avx512f") {
            if double {
                chains!("avx512f", _mm512_set1_pd, _mm512_fmadd_pd, 8)
            }
            chains!("avx512f", _mm512_set1_ps, _mm512_fmadd_ps, 16)
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            if double {
                chains!("avx2,fma", _mm256_set1_pd, _mm256_fmadd_pd, 4)
            }
            chains!("avx2,fma", _mm256_set1_ps, _mm256_fmadd_ps, 8)
        }
    }
    let mut acc = [[black_box(1f32); 4]; CHAINS];
    for _ in 0..rounds {
        for x in acc.as_flattened_mut() {
            *x = x.mul_add(0.5, 0.25);
        }
    }
    black_box(acc);
    let _ = double;
    4
}

/// Bytes read and written per second by copying 64 MiB per thread, which no cache holds: the best of the system's copying and of stores past the
/// caches.
pub fn copied(threads: usize) -> f64 {
    let len = length(16 << 20);
    let mut pairs: Vec<_> = (0..threads).map(|_| (vec![1f32; len], vec![2f32; len])).collect();
    let bytes = (len * 2 * size_of::<f32>()) as f64;
    let by = |copy: fn(&[f32], &mut [f32])| {
        move |(from, to): &mut (Vec<f32>, Vec<f32>)| {
            copy(black_box(from), black_box(to));
            bytes
        }
    };
    let system = rate(pairs.iter_mut().collect(), by(|from, to| to.copy_from_slice(from)));
    let streamed = rate(pairs.iter_mut().collect(), by(stream));
    system.max(streamed)
}

/// Copies with stores that do not read the lines they write, where there are such.
fn stream(from: &[f32], to: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") {
        use std::arch::x86_64::*;
        #[target_feature(enable = "avx512f")]
        fn run(from: &[f32], to: &mut [f32]) {
            let head = to.as_ptr().align_offset(64).min(to.len());
            to[..head].copy_from_slice(&from[..head]);
            for (to, from) in to[head..].chunks_exact_mut(16).zip(from[head..].chunks_exact(16)) {
                // SAFETY: both chunks have 16 elements, and the target is aligned to 64 bytes.
                unsafe { _mm512_stream_ps(to.as_mut_ptr(), _mm512_loadu_ps(from.as_ptr())) };
            }
            let done = head + (to.len() - head) / 16 * 16;
            to[done..].copy_from_slice(&from[done..]);
            _mm_sfence();
        }
        // SAFETY: the feature was found.
        return unsafe { run(from, to) };
    }
    to.copy_from_slice(from);
}

/// How far ahead of the words at work a reader asks for memory, in bytes: which is best depends on the machine.
const AHEAD: [usize; 3] = [0, 1024, 4096];
/// Words of a piece, where threads take turns.
const PIECE: usize = 1 << 17;

/// Bytes per second of reading `words` once, all threads together: the best of several ways, each with vectors as wide as there
/// are. Threads read a part each, or piece by piece in turns; memory is asked for ahead, or not.
pub fn read(words: &[u64], threads: usize) -> f64 {
    let bytes = |words: &[u64]| size_of_val(words) as f64;
    let mut best = 0f64;
    for ahead in AHEAD {
        let parts: Vec<&[u64]> = words.chunks(words.len().div_ceil(threads).max(1)).collect();
        let part = |part: &[u64]| {
            black_box(union(part, ahead));
            bytes(part)
        };
        best = best.max(rate(parts, part));
        let turns = |thread: usize| {
            let pieces = words.chunks(PIECE).skip(thread).step_by(threads);
            pieces.map(part).sum()
        };
        best = best.max(rate((0..threads).collect(), turns));
    }
    best
}

/// The union of the bits of all words.
fn union(words: &[u64], ahead: usize) -> u64 {
    #[inline(always)]
    fn run(words: &[u64], ahead: usize) -> u64 {
        let mut lanes = [0u64; 64];
        let (blocks, rest) = words.as_chunks::<64>();
        for block in blocks {
            #[cfg(target_arch = "x86_64")]
            if ahead > 0 {
                use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
                for line in (0..512).step_by(64) {
                    // SAFETY: a prefetch reads nothing and cannot fail.
                    unsafe { _mm_prefetch::<_MM_HINT_T0>(block.as_ptr().wrapping_byte_add(ahead + line).cast()) };
                }
            }
            for i in 0..64 {
                lanes[i] |= block[i];
            }
        }
        let _ = ahead;
        lanes.iter().chain(rest).fold(0, |all, word| all | word)
    }
    widest!(run, words: &[u64], ahead: usize => u64)
}

/// The plain sum of binary64 numbers in cache, in lanes of vectors as wide as there are.
pub fn plain_f64(values: &[f64]) -> f64 {
    widest!(plain::<f64, 64>, values: &[f64] => f64)
}

/// The plain sum of binary32 numbers.
pub fn plain_f32(values: &[f32]) -> f32 {
    widest!(plain::<f32, 128>, values: &[f32] => f32)
}

#[inline(always)]
fn plain<T: Copy + Default + std::ops::AddAssign, const N: usize>(values: &[T]) -> T {
    let mut lanes = [T::default(); N];
    let (blocks, rest) = values.as_chunks::<N>();
    for block in blocks {
        for i in 0..N {
            lanes[i] += block[i];
        }
    }
    let mut sum = T::default();
    lanes.iter().chain(rest).for_each(|&x| sum += x);
    sum
}

/// The shortest of several runs.
pub fn shortest(runs: usize, mut work: impl FnMut()) -> Duration {
    let time = |_| {
        let start = Instant::now();
        work();
        start.elapsed()
    };
    (0..runs).map(time).min().unwrap_or_default()
}

/// Times work on so many bytes beside reading `words`, in turns: what the memory gives may change from one second to the next.
/// Prints the best time, what that is in bytes per second, and the median over the turns of the share of the rate of reading. The
/// answer is the time.
pub fn beside_reading(name: &str, bytes: usize, words: &[u64], threads: usize, mut work: impl FnMut()) -> Duration {
    work();
    let (mut time, mut limit, mut shares) = (Duration::MAX, 0f64, vec![]);
    for _ in 0..runs(7) {
        let reading = read(words, threads);
        let once = shortest(runs(3), &mut work);
        shares.push(bytes as f64 / once.as_secs_f64() / reading);
        (time, limit) = (time.min(once), limit.max(reading));
    }
    shares.sort_by(f64::total_cmp);
    let rate = bytes as f64 / time.as_secs_f64() / 1e9;
    println!(
        "ratio: {name}: {time:.2?}, {rate:.1} GB/s, {:.2} of reading (at most {:.1} GB/s)",
        shares[shares.len() / 2],
        limit / 1e9
    );
    time
}

/// Whether a benchmark's line of this name is wanted: `-- TEXT` chooses those whose names have the text.
pub fn wanted(name: &str) -> bool {
    std::env::args().skip(1).filter(|text| !text.starts_with('-')).all(|text| name.contains(&text))
}
