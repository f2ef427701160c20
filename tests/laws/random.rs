//! Arrays of random numbers have the same bits on every device, in any cut, and the distribution that they are said to have.

use unisono::random::{BitGenerator, Random, Stream};
use unisono::{Backend, Dtype, Element, HostVec};

use crate::devices;

fn bits<T: Element + bytemuck::NoUninit>(backend: &Backend, how: &Random, shape: &[usize]) -> Vec<u8> {
    bytemuck::cast_slice(&backend.random::<T>(how, shape).unwrap().into_vec().unwrap()).to_vec()
}

#[test]
fn every_device_draws_the_same_bits() {
    let cpu = Backend::cpu_threads(1).unwrap();
    let mut generators = BitGenerator::ALL.into_iter().cycle();
    let mut stream = |seed| Stream::new(seed).generator(generators.next().unwrap()).with_stream(seed ^ 0xffff_ffff_0000);
    let floats = [
        Random::uniform(0.0, 1.0).stream(stream(1)),
        Random::uniform(-1e-44, 3e-44).stream(stream(2)).start(77),
        Random::normal(0.0, 1.0).stream(stream(u64::MAX)).start((1 << 32) - 100),
        Random::normal(-3e38, 1e38).stream(stream(4)),
        Random::exponential(2.5).stream(stream(5)).start(u64::MAX - 1_000_000),
    ];
    let integers = Random::integers(-100, 27).stream(stream(6)).start(9);
    let wide = Random::integers(-(1 << 62), 1 << 40).stream(stream(7));
    let whole = Random::integers(0, 1 << 64).stream(stream(8)).start(3);
    let flags = Random::integers(0, 2).stream(stream(9));
    type Draw = fn(&Backend, &Random, &[usize]) -> Vec<u8>;
    let mut cases: Vec<(Draw, Random)> =
        vec![(bits::<i8>, integers), (bits::<i16>, integers), (bits::<i64>, wide), (bits::<u64>, whole), (bits::<bool>, flags)];
    cases.extend(floats.iter().flat_map(|&how| [(bits::<f32> as Draw, how), (bits::<f64>, how)]));
    for backend in devices::all() {
        // Devices made of devices share the shaders' work; one case of each size says that they cut rightly.
        let some = if backend.members().is_empty() { 1 } else { 6 };
        for (draw, how) in cases.iter().step_by(some) {
            for len in [0usize, 1, 5, 1003, 20_001] {
                assert!(draw(backend, how, &[len]) == draw(&cpu, how, &[len]), "{backend:?} {how:?} {len}");
            }
        }
    }
}

#[test]
fn a_stream_goes_on_where_it_was_left_and_into_any_memory() {
    for backend in devices::all().iter().filter(|backend| backend.members().is_empty()) {
        let how = Random::normal(1.0, 2.0).stream(Stream::new(3));
        let whole = backend.random::<f32>(&how, &[30, 8]).unwrap().into_vec().unwrap();
        // Sixteen floats are four blocks.
        let rest = backend.random::<f32>(&how.start(4), &[28, 8]).unwrap().into_vec().unwrap();
        assert_eq!(whole[16..], rest[..224]);
        let mut strided = ndarray::Array2::<f32>::zeros((8, 30)).reversed_axes();
        backend.random_into(&how, &mut strided).unwrap();
        assert_eq!(strided.iter().copied().collect::<Vec<_>>(), whole);
        let mut resident = backend.random::<f32>(&how.start(9), &[30, 8]).unwrap();
        backend.random_into(&how, &mut resident).unwrap();
        assert_eq!(resident.into_vec().unwrap(), whole);
        assert!(backend.random::<u8>(&how, &[2]).is_err());
        assert_eq!(backend.random_dyn(&how, Dtype::F64, &[]).unwrap().shape(), &[0usize; 0]);
    }
}

/// Counts in cells of known probability, and the moments, over seeds: one failure in 10^5 for a true generator.
#[test]
fn numbers_follow_their_distributions() {
    let n = 200_000;
    let cpu = Backend::cpu();
    for generator in BitGenerator::ALL {
        let draw = |how: Random, dtype| match cpu.random_dyn(&how, dtype, &[n]).unwrap().into_host().unwrap() {
            HostVec::F32(x) => x.into_iter().map(f64::from).collect(),
            HostVec::F64(x) => x,
            HostVec::U16(x) => x.into_iter().map(f64::from).collect::<Vec<f64>>(),
            other => panic!("{other:?}"),
        };
        for (seed, dtype) in [(1, Dtype::F32), (2, Dtype::F64)] {
            let stream = Stream::new(seed).generator(generator);
            let (uniform, normal) = (Random::uniform(0.0, 1.0).stream(stream), Random::normal(0.0, 1.0).stream(stream));
            let exponential = Random::exponential(1.0).stream(stream);
            // Each number's probability below it, which is uniform.
            type Distribution = fn(f64) -> f64;
            let below: [(Vec<f64>, Distribution); 3] = [
                (draw(uniform, dtype), |x| x),
                (draw(normal, dtype), normal_below),
                (draw(exponential, dtype), |x| -(-x).exp_m1()),
            ];
            for (x, below) in below {
                chi_square(x.into_iter().map(below), 64, n);
            }
        }
        let dice = draw(Random::integers(3, 3 + 1000).stream(Stream::new(5).generator(generator)), Dtype::U16);
        chi_square(dice.into_iter().map(|i| (i - 3.0 + 0.5) / 1000.0), 50, n);
    }
}

/// The normal distribution function, by its series.
fn normal_below(x: f64) -> f64 {
    if x.abs() > 6.0 {
        return if x > 0.0 { 1.0 - 1e-9 } else { 1e-9 };
    }
    let (mut term, mut sum) = (x, x);
    for n in 1..120 {
        term *= x * x / f64::from(2 * n + 1);
        sum += term;
    }
    0.5 + sum * (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt()
}

fn chi_square(probabilities: impl Iterator<Item = f64>, cells: usize, n: usize) {
    let mut counts = vec![0f64; cells];
    for p in probabilities {
        counts[((p * cells as f64) as usize).min(cells - 1)] += 1.0;
    }
    let expected = n as f64 / cells as f64;
    let square: f64 = counts.iter().map(|count| (count - expected).powi(2) / expected).sum();
    // Wilson and Hilferty: the cube root of chi-square over its degrees of freedom is nearly normal.
    let freedom = (cells - 1) as f64;
    let z = ((square / freedom).cbrt() - (1.0 - 2.0 / (9.0 * freedom))) / (2.0 / (9.0 * freedom)).sqrt();
    assert!(z.abs() < 4.5, "{z}: {counts:?}");
}
