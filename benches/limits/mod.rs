//! What the machine can do at most, for the ratios that benches print.

use std::hint::black_box;

/// Fused multiply-adds per second on registers, all threads together: of f64 if `double`, else of f32.
pub fn multiply_adds(threads: usize, double: bool) -> f64 {
    const ROUNDS: usize = 1_000_000;
    let once = |()| (ROUNDS * CHAINS * chains(ROUNDS, double)) as f64;
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

/// Chains of multiply-adds that do not wait for each other.
const CHAINS: usize = 16;

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
    const LEN: usize = 16 << 20;
    let mut pairs: Vec<_> = (0..threads).map(|_| (vec![1f32; LEN], vec![2f32; LEN])).collect();
    let bytes = (LEN * 2 * size_of::<f32>()) as f64;
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
