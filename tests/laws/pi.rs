//! The hits of Monte Carlo π are those of the frozen definition, on every device, for any range and any split.

use unisono::{Error, Philox4x32, Pi};

use crate::devices;

/// The definition, word by word.
fn hits(samples: std::ops::Range<u64>, seed: u64) -> u64 {
    let generator = Philox4x32::new(seed);
    samples
        .filter(|s| {
            let word = generator.block(s / 4)[(s % 4) as usize];
            let (x, y) = (i64::from(word as u16 as i16), i64::from((word >> 16) as u16 as i16));
            x * (x + 1) + y * (y + 1) < 1 << 30
        })
        .count() as u64
}

#[test]
fn known_answers_of_the_generator() {
    let text = include_str!("../data/philox_kat.txt");
    let mut known = 0;
    for line in text.lines().filter(|line| line.starts_with("philox4x32 10 ")) {
        let words: Vec<u32> = line.split_whitespace().skip(2).map(|w| u32::from_str_radix(w, 16).unwrap()).collect();
        let counter: [u32; 4] = words[..4].try_into().unwrap();
        assert_eq!(Philox4x32::philox4x32_10(counter, [words[4], words[5]]), words[6..10]);
        known += 1;
    }
    assert_eq!(known, 3);
}

#[test]
fn every_device_counts_the_same_hits() {
    for (start, len, seed) in [
        (0, 1, 0),
        (0, 7, 1),
        (3, 1000, 42),
        (0, 100_003, 0xdead_beef_0123_4567),
        ((1 << 32) - 5, 20_011, 42),
        (4 * (1 << 32) - 50, 10_001, 42),
        (1_000_000_000_003, 9_999, u64::MAX),
        (u64::MAX - 4_001, 4_001, 7),
        (5, 0, 7),
    ] {
        let expected = hits(start..start + len, seed);
        for backend in devices::all() {
            let pi = backend.pi_range(start..start + len, seed).unwrap();
            assert_eq!((pi.hits, pi.samples), (expected, len), "{backend:?} {start}+{len}");
        }
    }
}

#[test]
fn ranges_merge_to_one_run() {
    let n = 3_000_001;
    let whole = unisono::Backend::cpu().pi(n, 42).unwrap();
    for backend in devices::all() {
        assert_eq!(backend.pi(n, 42).unwrap(), whole, "{backend:?}");
        let merged = [0..1_000_002, 1_000_002..1_000_003, 1_000_003..n]
            .map(|range| backend.pi_range(range, 42).unwrap())
            .into_iter()
            .reduce(Pi::merge);
        assert_eq!(merged, Some(whole), "{backend:?}");
    }
}

#[test]
fn the_hits_follow_their_known_distribution() {
    // p = 843314812 / 2^30 exactly (the lattice count of the predicate): a z-test over independent seeds.
    let (n, p) = (20_000u64, 843_314_812.0 / f64::from(1u32 << 30));
    let deviation = (n as f64 * p * (1.0 - p)).sqrt();
    let z: Vec<f64> =
        (0..400).map(|seed| (unisono::Backend::cpu().pi(n, seed).unwrap().hits as f64 - n as f64 * p) / deviation).collect();
    let (mean, square) = (z.iter().sum::<f64>() / 400.0, z.iter().map(|z| z * z).sum::<f64>() / 400.0);
    // Mean within 4.5 and variance within 4.5 standard errors of (0, 1): one failure in 10^5 for a true generator.
    assert!(mean.abs() < 4.5 / 20.0, "{mean}");
    assert!((square - 1.0).abs() < 4.5 * (2.0f64 / 400.0).sqrt(), "{square}");
}

#[test]
fn the_estimate_and_its_error_are_what_they_say() {
    let pi = Pi::from_counts(785, 1000);
    assert_eq!(pi.estimate, 4.0 * 0.785);
    assert!((pi.standard_error - 4.0 * (0.785f64 * 0.215 / 1000.0).sqrt()).abs() < 1e-15);
    for backend in devices::all() {
        assert!(matches!(backend.pi(0, 1), Err(Error::Invalid { .. })), "{backend:?}");
        #[allow(clippy::reversed_empty_ranges)]
        let backwards = backend.pi_range(5..3, 1).unwrap_err().to_string();
        assert!(backwards.contains("5..3"), "{backwards}");
    }
}
