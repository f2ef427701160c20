//! Little memory: many chunks with halos, streamed, give what a whole gives, within the limit.

use super::*;
use crate::plan::{Accuracy, Algorithm};

/// What the part gives within a limit, and the most bytes held for it.
fn within(context: &Arc<Context>, plan: &ConvolvePlan, operands: [&HostVec; 2], manner: Manner) -> (Result<HostVec>, u64) {
    context.trim();
    context.tally.forget_peak();
    // What the test itself uploads and reads has small staging buffers too.
    let _ceiling = manner.bounds.memory.map(|bytes| context.limited(bytes));
    let before = context.tally.held();
    let found = run_part(context, plan, operands[0], operands[1], manner);
    (found, context.tally.read().peak - before)
}

fn draw(random: &mut Random, dtype: Dtype, n: usize) -> HostVec {
    let value = |random: &mut Random| (random.below(2001) as f64 - 1000.0) / 1024.0;
    match dtype.is_float() {
        true => with_dtype!(dtype, T => vec_of((0..n).map(|_| <T as Cast>::of_float(value(random))))),
        false => integers(dtype, &(0..n).map(|_| random.integer(dtype, 99)).collect::<Vec<_>>()),
    }
}

const BOUNDARIES: [Boundary; 5] =
    [Boundary::Constant(3.0), Boundary::Reflect, Boundary::Nearest, Boundary::Mirror, Boundary::Wrap];

#[test]
fn every_mode_and_boundary_is_streamed_within_the_limit() {
    for engine in engines() {
        let context = engine.context().unwrap();
        let mut random = Random(501);
        let mut submitted = vec![];
        for (round, boundary) in BOUNDARIES.into_iter().enumerate() {
            for (mode, small) in [(Mode::Full, u64::MAX), (Mode::Same, 0), (Mode::Valid, u64::MAX)] {
                let dtypes = [
                    (Dtype::F32, Dtype::F32, Dtype::F32),
                    (Dtype::U8, Dtype::I8, Dtype::I32),
                    (Dtype::I16, Dtype::I32, Dtype::I64),
                ];
                let (image, kernel, out) = if small == 0 { dtypes[0] } else { random.pick(&dtypes) };
                let shapes_of =
                    [(&[2, 80, 67][..], &[5, 6, 4][..]), (&[1, 19, 23, 30], &[2, 3, 4, 2]), (&[2, 14_000], &[3, 101])];
                let (x, k) = shapes_of[if small == 0 { 0 } else { round % 3 }];
                let rank = k.len() - 1;
                let boundaries: Vec<Boundary> = (0..rank).map(|axis| BOUNDARIES[(round + axis) % 5]).collect();
                let how = Convolve::rank(rank).mode(mode).boundaries(if round % 2 == 0 { &boundaries } else { &[] });
                let how = if round % 2 == 0 { how } else { how.boundary(boundary) };
                let plan = ConvolvePlan::new(&how.out_dtype(out), Direction::Convolve, (image, x), (kernel, k)).unwrap();
                let [n, m] = shapes(&plan).map(|shape| shape.iter().product::<usize>());
                let operands = [&draw(&mut random, image, n), &draw(&mut random, kernel, m)];
                let plain = Manner { bounds: Bounds { small, ..Manner::PLAIN.bounds }, ..Manner::PLAIN };
                let (whole, unlimited) = within(&context, &plan, operands, plain);
                let whole = whole.unwrap();
                for (limit, resident) in [(45_000, false), (100_000, true)] {
                    let bounds = Bounds { memory: Some(limit), ..plain.bounds };
                    let manner = Manner { bounds, resident, to_device: resident && round % 2 == 0, ..plain };
                    let before = context.tally.read().dispatches;
                    let (found, peak) = within(&context, &plan, operands, manner);
                    let what = format!("{} {manner:?} {plan:?}", context.id);
                    assert!(found.as_ref() == Ok(&whole), "{what}");
                    let most = limit + if resident { (n * image.size() * 9 / 8 + 256) as u64 } else { 0 };
                    assert!(peak <= most && peak < unlimited, "{what}: {peak} bytes of {limit}, {unlimited} without a limit");
                    submitted.push(context.tally.read().dispatches - before);
                }
            }
        }
        assert!(submitted.iter().all(|&count| count >= 2) && submitted.iter().any(|&count| count > 20), "{submitted:?}");
    }
}

#[test]
fn every_algorithm_and_accuracy_keeps_to_the_limit() {
    for engine in engines() {
        let context = engine.context().unwrap();
        let mut random = Random(502);
        let base = Convolve::d2().same().boundary(Boundary::Mirror);
        let limit = 600_000;
        let forced =
            [Algorithm::Fft, Algorithm::FastFir, Algorithm::Separable].map(|algorithm| base.clone().algorithm(algorithm));
        for how in forced.into_iter().chain([base.accuracy(Accuracy::Exact)]) {
            let plan =
                ConvolvePlan::new(&how, Direction::Convolve, (Dtype::F32, &[2, 230, 240]), (Dtype::F32, &[3, 9, 9])).unwrap();
            let column: Vec<f32> = (0..27).map(|_| random.below(64) as f32 / 64.0).collect();
            let kernel = HostVec::F32((0..243).map(|i| column[i / 9] * (1.0 + (i % 9) as f32)).collect());
            let mut image = draw(&mut random, Dtype::F32, 2 * 230 * 240);
            if let HostVec::F32(values) = &mut image {
                values[31_000] = f32::INFINITY;
            }
            let plain = Manner { bounds: Bounds { small: u64::MAX, ..Manner::PLAIN.bounds }, ..Manner::PLAIN };
            let manner = Manner { bounds: Bounds { memory: Some(limit), ..plain.bounds }, ..plain };
            let (whole, _) = within(&context, &plan, [&image, &kernel], plain);
            let (found, peak) = within(&context, &plan, [&image, &kernel], manner);
            let what = format!("{} {} {}", context.id, plan.algorithm, plan.accuracy);
            let (found, whole) = (floats(&found.expect(&what)), floats(&whole.unwrap()));
            let close = |(a, b): (&f64, &f64)| a.to_bits() == b.to_bits() || (a - b).abs() <= 1e-3;
            assert!(found.iter().zip(&whole).all(close), "{what}");
            assert!(peak <= limit, "{what}: {peak}");
        }
    }
}

#[test]
fn a_limit_that_holds_no_output_is_refused_with_one_that_does() {
    for engine in engines() {
        let context = engine.context().unwrap();
        let plan =
            ConvolvePlan::new(&Convolve::d2(), Direction::Convolve, (Dtype::F32, &[90, 80]), (Dtype::F32, &[30, 40])).unwrap();
        let mut random = Random(503);
        let (image, kernel) = (draw(&mut random, Dtype::F32, 7200), draw(&mut random, Dtype::F32, 1200));
        let plain = Manner { bounds: Bounds { small: u64::MAX, ..Manner::PLAIN.bounds }, ..Manner::PLAIN };
        let limited = |memory| Manner { bounds: Bounds { memory: Some(memory), ..plain.bounds }, ..plain };
        let error = run_part(&context, &plan, &image, &kernel, limited(1000)).unwrap_err();
        let Error::Invalid { what, got, expected } = &error else { panic!("{error}") };
        assert_eq!((&what[..], &got[..]), ("memory limit", "1000 bytes"));
        let enough: u64 = expected.split(' ').find_map(|word| word.parse().ok()).unwrap();
        assert!((10_000..100_000).contains(&enough), "{error}");
        let (found, peak) = within(&context, &plan, [&image, &kernel], limited(enough));
        assert_eq!(found, run_part(&context, &plan, &image, &kernel, plain), "{}", context.id);
        assert!(peak <= enough, "{}: {peak} of {enough}", context.id);
    }
}

#[test]
fn streamed_work_ends_when_it_is_cancelled() {
    for engine in engines() {
        let context = engine.context().unwrap();
        let how = Convolve::d2().same();
        let plan = ConvolvePlan::new(&how, Direction::Convolve, (Dtype::F32, &[700, 900]), (Dtype::F32, &[31, 31])).unwrap();
        let (image, kernel) = (HostVec::F32(vec![1.0; 630_000]), HostVec::F32(vec![0.5; 961]));
        let control = Control::new();
        let mut out = HostVec::zeros(Dtype::F32, plan.outputs()).unwrap();
        let bounds = Bounds { memory: Some(200_000), ..Manner::PLAIN.bounds };
        let result = std::thread::scope(|scope| {
            scope.spawn(|| {
                while control.progress().done == 0 {
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
                control.cancel();
            });
            let inputs = [Input::Host(image.view(&[700, 900])), Input::Host(kernel.view(&[31, 31]))];
            let target = Target::Host(out.view_mut(&plan.shape));
            run_limited(&context, &plan, &inputs[0], &inputs[1], target, &control, bounds)
        });
        assert!(matches!(result, Err(Error::Cancelled { done, .. }) if done < plan.work()), "{}", context.id);
    }
}
