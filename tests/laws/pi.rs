//! The hits of Monte Carlo π are those of the frozen definition, on every device, for any range and any split.

use unisono::{Error, MonteCarlo, Philox4x32, Pi, PiMethod};

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
            .try_fold(Pi::from_counts(0, 0), Pi::merge);
        assert_eq!(merged, Ok(whole), "{backend:?}");
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

/// Every method and both widths from the definition: here again, in plain arithmetic on the words.
mod by_definition {
    use unisono::random::{Sobol, Stream};
    use unisono::{MonteCarlo, PiMethod};

    /// The points of a sample, in units of half a cell, and the side in those units.
    pub fn points(method: PiMethod, bits: u32, seed: u64, sample: u64) -> (Vec<(u128, u128)>, u128) {
        let stream = Stream::new(seed);
        let side = 1u128 << bits;
        let word = |at: u64| u128::from(stream.block(at / 4)[(at % 4) as usize]);
        let pair = |at: u64| match bits {
            16 => (word(at) % side, word(at) / side),
            _ => (word(2 * at), word(2 * at + 1)),
        };
        let flip = |x: u128| side - 1 - x;
        let cells = match method {
            PiMethod::Plain => vec![pair(sample)],
            PiMethod::Antithetic => {
                let (x, y) = pair(sample);
                vec![(x, y), (flip(x), flip(y))]
            }
            PiMethod::Reflected => {
                let (x, y) = pair(sample);
                vec![(x, y), (flip(x), y), (x, flip(y)), (flip(x), flip(y))]
            }
            PiMethod::Stratified => {
                let cell = side / 256;
                let (column, row) = (u128::from(sample % 256) * cell, u128::from(sample / 256 % 256) * cell);
                let within: Vec<u128> = match bits {
                    16 => (0..4).map(|byte| word(sample) >> (8 * byte) & 255).collect(),
                    _ => (0..4).map(|at| word(4 * sample + at) >> 8).collect(),
                };
                within.chunks(2).map(|at| (column + at[0], row + at[1])).collect()
            }
            PiMethod::Sobol => {
                let (replicate, index) = (sample % 32, sample / 32);
                let sobol = Sobol::new(2).unwrap();
                let at = |axis: u32| {
                    let key = Sobol::key(seed, replicate + 32 * (index >> 32), axis);
                    u128::from((sobol.point(index as u32, axis as usize) ^ key) >> (32 - bits))
                };
                vec![(at(0), at(1))]
            }
        };
        (cells.into_iter().map(|(x, y)| (2 * x + 1, 2 * y + 1)).collect(), 2 * side)
    }

    pub fn hits(how: &MonteCarlo, samples: std::ops::Range<u64>) -> u64 {
        let (method, bits) = (how.method, how.coordinate_bits());
        let of = |sample| {
            let (points, side) = points(method, bits, how.seed, sample);
            points.iter().filter(|&&(x, y)| x * x + y * y < side * side).count() as u64
        };
        samples.map(of).sum()
    }
}

fn problems(seed: u64) -> impl Iterator<Item = MonteCarlo> {
    PiMethod::ALL
        .into_iter()
        .flat_map(move |method| [16, 32].map(|bits| MonteCarlo::pi().method(method).bits(bits).seed(seed)))
        // Plain samples of 16 bits have their own grid.
        .filter(|how| (how.method, how.coordinate_bits()) != (PiMethod::Plain, 16))
}

#[test]
fn every_method_counts_the_same_hits_on_every_device() {
    for how in problems(42) {
        let pass = how.method.pass();
        for start in [0, 3 * (1 << 37) - 65_536, 1 << 50] {
            let range = start..start + 2 * pass.max(5_003).next_multiple_of(pass);
            let expected = by_definition::hits(&how, range.clone());
            for backend in devices::all() {
                let whole = backend.monte_carlo(&how, range.clone()).unwrap();
                assert_eq!((whole.hits, whole.samples), (expected, range.end - range.start), "{backend:?} {how} {start}");
                let cut = (start + (range.end - start) / 3).next_multiple_of(pass);
                let [left, right] = [start..cut, cut..range.end].map(|part| backend.monte_carlo(&how, part).unwrap());
                assert_eq!(left.merge(right), Ok(whole), "{backend:?} {how}");
            }
        }
    }
}

/// Hits have known laws: independent samples a known mean and, from the exact counts, a known variance; the others are unbiased.
#[test]
fn every_methods_errors_follow_their_law() {
    const SEEDS: u64 = 300;
    for how in problems(0) {
        let samples = how.method.pass().max(8_192);
        let mean = 4.0 * how.share();
        let runs: Vec<Pi> =
            (0..SEEDS).map(|seed| unisono::Backend::cpu().monte_carlo(&how.seed(seed), 0..samples).unwrap()).collect();
        let z: Vec<f64> = runs.iter().map(|pi| (pi.estimate - mean) / pi.standard_error).collect();
        let n = SEEDS as f64;
        let (first, second) = (z.iter().sum::<f64>() / n, z.iter().map(|z| z * z).sum::<f64>() / n);
        // A standard error known from few replicates makes the spread of z Student's: 31 degrees of freedom.
        let (spread, fourth) = if how.method == PiMethod::Sobol { (31.0 / 29.0, 3.3) } else { (1.0, 3.0) };
        assert!(first.abs() < 4.5 * (spread / n).sqrt(), "{how}: {first}");
        assert!((second - spread).abs() < 4.5 * ((fourth - 1.0) / n).sqrt(), "{how}: {second}");
        let covered = runs.iter().filter(|pi| {
            let [low, high] = pi.confidence_interval(0.9).unwrap();
            low < mean && mean < high
        });
        assert!(covered.count().abs_diff(270) < 24, "{how}");
    }
}

/// What the methods gain over plain samples is what the area says.
#[test]
fn methods_gain_what_they_say() {
    let gain = |method, samples| {
        let pi = unisono::Backend::cpu().monte_carlo(&MonteCarlo::pi().method(method).seed(3), 0..samples).unwrap();
        pi.equivalent_samples() / samples as f64
    };
    assert_eq!(gain(PiMethod::Plain, 1 << 20), 1.0);
    assert!((gain(PiMethod::Antithetic, 1 << 20) / 2.75 - 1.0).abs() < 0.01);
    assert!((gain(PiMethod::Reflected, 1 << 20) / 5.754 - 1.0).abs() < 0.01);
    assert!((gain(PiMethod::Stratified, 1 << 20) / 338.2 - 1.0).abs() < 0.1, "{}", gain(PiMethod::Stratified, 1 << 20));
    // Rising with the samples, and known to a quarter only, from 32 replicates.
    let [few, many] = [1 << 16, 1 << 24].map(|samples| gain(PiMethod::Sobol, samples));
    assert!(few > 15.0 && many > 2.0 * few, "{few} {many}");
}
