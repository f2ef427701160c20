//! What the machine can do at most, for the ratios that benches print.

use std::hint::black_box;

/// Fused multiply-adds per second on registers, all threads together: of f64 if `double`, else of f32.
pub fn multiply_adds(threads: usize, double: bool) -> f64 {
    const ROUNDS: usize = 1_000_000;
    let lanes = std::sync::atomic::AtomicUsize::new(0);
    let time = seconds(|| {
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| lanes.store(chains(ROUNDS, double), std::sync::atomic::Ordering::Relaxed));
            }
        });
    });
    (ROUNDS * CHAINS * lanes.into_inner() * threads) as f64 / time
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

/// Bytes read and written per second by copying 16 MiB per thread.
pub fn copied(threads: usize) -> f64 {
    const LEN: usize = 4 << 20;
    let mut pairs: Vec<_> = (0..threads).map(|_| (vec![1f32; LEN], vec![2f32; LEN])).collect();
    let time = seconds(|| {
        std::thread::scope(|scope| {
            for (from, to) in &mut pairs {
                scope.spawn(|| black_box(&mut to[..]).copy_from_slice(black_box(&from[..])));
            }
        });
    });
    (threads * LEN * 2 * size_of::<f32>()) as f64 / time
}

fn seconds(run: impl FnOnce()) -> f64 {
    let start = std::time::Instant::now();
    run();
    start.elapsed().as_secs_f64()
}
