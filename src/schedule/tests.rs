//! Splitting and choosing over devices whose speed, and whose failures, are given.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::auto::AutoEngine;
use super::calibrate::{Member, Source};
use super::cost::{Kind, Rates};
use super::engine::SplitEngine;
use crate::array::{DynArray, HostVec, Storage};
use crate::engine::{Counters, DeviceInfo, Engine, Input, Target, Work, sealed};
use crate::plan::*;
use crate::view::View;
use crate::{Control, DeviceClass, Dtype, Error, Result, select};

/// The CPU in disguise: another name, and misbehaviour on demand.
#[derive(Debug)]
struct Fake {
    inner: Arc<dyn Engine>,
    id: &'static str,
    class: DeviceClass,
    f64: bool,
    mood: Mood,
    runs: AtomicU64,
}

#[derive(Debug)]
enum Mood {
    Fine,
    Fails(Error),
    Panics,
    /// Works until it is told to stop.
    Endless,
}

impl Fake {
    fn new(id: &'static str, class: DeviceClass, mood: Mood) -> Arc<Self> {
        let inner = select::cpu_threads(1).unwrap();
        Arc::new(Self { inner, id, class, f64: true, mood, runs: AtomicU64::new(0) })
    }

    fn run<T>(&self, control: &Control, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        match &self.mood {
            Mood::Fine => work(),
            Mood::Fails(error) => Err(error.clone()),
            Mood::Panics => panic!("out of cheese"),
            Mood::Endless => {
                let begun = Instant::now();
                while begun.elapsed() < Duration::from_secs(20) {
                    control.check()?;
                    std::thread::sleep(Duration::from_millis(1));
                }
                panic!("nobody stopped the work");
            }
        }
    }
}

impl sealed::Sealed for Fake {}
impl Engine for Fake {
    fn info(&self) -> DeviceInfo {
        DeviceInfo { id: self.id.into(), class: self.class, f64: self.f64, ..self.inner.info() }
    }
    fn counters(&self) -> Counters {
        self.inner.counters()
    }
    fn convolve(
        &self,
        plan: &ConvolvePlan,
        image: &Input<'_>,
        kernel: &Input<'_>,
        target: Target<'_>,
        control: &Control,
    ) -> Result<Option<Storage>> {
        self.run(control, || self.inner.convolve(plan, image, kernel, target, control))
    }
    fn separable(
        &self,
        plan: &SeparablePlan,
        input: &Input<'_>,
        target: Target<'_>,
        control: &Control,
    ) -> Result<Option<Storage>> {
        self.run(control, || self.inner.separable(plan, input, target, control))
    }
    fn reduce(&self, plan: &ReducePlan, inputs: &[Input<'_>], target: Target<'_>, control: &Control) -> Result<Option<Storage>> {
        self.run(control, || self.inner.reduce(plan, inputs, target, control))
    }
    fn reduce_partials(&self, plan: &ReducePlan, inputs: &[Input<'_>], control: &Control) -> Result<Partials> {
        self.run(control, || self.inner.reduce_partials(plan, inputs, control))
    }
    fn operate(
        &self,
        operation: &Operation,
        inputs: &[Input<'_>],
        targets: Vec<Target<'_>>,
        control: &Control,
    ) -> Result<Vec<Option<Storage>>> {
        self.run(control, || self.inner.operate(operation, inputs, targets, control))
    }
    fn group(&self, plan: &GroupPlan, keys: &Input<'_>, values: Option<&Input<'_>>, control: &Control) -> Result<Grouped> {
        self.run(control, || self.inner.group(plan, keys, values, control))
    }
    fn map(&self, plan: &MapPlan, inputs: &[Input<'_>], target: Target<'_>, control: &Control) -> Result<Option<Storage>> {
        self.run(control, || self.inner.map(plan, inputs, target, control))
    }
    fn map_partials(&self, plan: &MapPlan, op: ReduceOp, inputs: &[Input<'_>], control: &Control) -> Result<Partials> {
        self.run(control, || self.inner.map_partials(plan, op, inputs, control))
    }
    fn integrate(&self, plan: &IntegratePlan, control: &Control) -> Result<IntegralSums> {
        self.run(control, || self.inner.integrate(plan, control))
    }
    fn count_hits(&self, plan: &MonteCarloPlan, control: &Control) -> Result<Tally> {
        self.run(control, || self.inner.count_hits(plan, control))
    }
    fn random(&self, plan: &RandomPlan, target: Target<'_>, control: &Control) -> Result<Option<Storage>> {
        self.run(control, || self.inner.random(plan, target, control))
    }
    fn upload(&self, view: &View<'_>) -> Result<Storage> {
        self.inner.upload(view)
    }
}

const RATES: Rates = Rates { launch: 1e-4, work: 1e9, up: 1e10, down: 1e10 };

fn member(engine: Arc<Fake>, work: f64) -> Member {
    Member { engine, source: Source::Fixed(Rates { work, ..RATES }, vec![]) }
}

/// An engine whose members work at these rates, and the members.
fn split(rates: &[f64]) -> (SplitEngine, Vec<Arc<Fake>>) {
    let fakes: Vec<_> = rates.iter().map(|_| Fake::new("fake", DeviceClass::DiscreteGpu, Mood::Fine)).collect();
    (SplitEngine::new(fakes.iter().cloned().zip(rates).map(|(fake, &rate)| member(fake, rate)).collect()), fakes)
}

/// Numbers of every sign and size, the same for each call.
fn data(dtype: Dtype, len: usize) -> HostVec {
    let noise = |i: usize| (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
    match dtype {
        Dtype::F64 => {
            HostVec::F64((0..len).map(|i| (noise(i) as f64 - 8e12) * 10f64.powi((noise(i) % 40) as i32 - 20)).collect())
        }
        Dtype::F32 => HostVec::F32((0..len).map(|i| (noise(i) as f32 - 8e12) * 1.5f32.powi((noise(i) % 40) as i32)).collect()),
        Dtype::I32 => HostVec::I32((0..len).map(|i| noise(i) as i32 % 1000).collect()),
        Dtype::U8 => HostVec::U8((0..len).map(|i| noise(i) as u8).collect()),
        other => panic!("{other}"),
    }
}

fn array(dtype: Dtype, shape: &[usize], storage: Option<Storage>) -> DynArray {
    DynArray { dtype, shape: shape.to_vec(), storage: storage.expect("a result for Target::Device") }
}

#[test]
fn a_split_reduction_has_the_bits_of_one_device() {
    let one = select::cpu();
    let control = Control::new();
    let shapes: [&[usize]; 9] = [&[0], &[1], &[7], &[10_007], &[3, 5], &[100, 3, 7], &[2, 1, 501], &[1, 40, 2], &[3, 0, 2]];
    for rates in [&[1.0, 1.0][..], &[1.0, 3.0], &[0.0, 1.0], &[2.0, 1e-9, 1.0, 5.0, 1.0]] {
        let (engine, fakes) = split(rates);
        for shape in shapes {
            for dtype in [Dtype::F64, Dtype::F32, Dtype::I32, Dtype::U8] {
                let host = data(dtype, shape.iter().product());
                for op in ReduceOp::ALL.into_iter().filter(|&op| op != ReduceOp::Product) {
                    for axes in [None, Some(vec![0isize]), Some(vec![-1]), Some(vec![])] {
                        for keepdims in if dtype == Dtype::F64 { vec![false, true] } else { vec![false] } {
                            let mut how = Reduce::of(op);
                            how.axes = axes.clone();
                            how.keepdims = keepdims;
                            let Ok(plan) = ReducePlan::new(&how, dtype, shape) else { continue };
                            // Every other element of every row backwards: no stride is the usual one.
                            for view in [host.view(shape), host.view(shape).flipped(shape.len() - 1)] {
                                let input = [Input::Host(view)];
                                let run = |engine: &dyn Engine| {
                                    let result = engine.reduce(&plan, &input, Target::Device(None), &control);
                                    result.and_then(|storage| array(plan.out_dtype, &plan.shape, storage).into_host())
                                };
                                let (expected, found) = (run(&*one), run(&engine));
                                let message = format!("{op} {dtype} {shape:?} {axes:?} {keepdims} {rates:?}");
                                // NaN differs from itself, but its text does not.
                                assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{message}");
                                let Ok(expected) = expected else { continue };
                                let mut out = data(plan.out_dtype.into_data(), expected.len());
                                if out.dtype() == plan.out_dtype {
                                    let target = Target::Host(out.view_mut(&plan.shape));
                                    assert!(engine.reduce(&plan, &input, target, &control).unwrap().is_none());
                                    assert_eq!(format!("{out:?}"), format!("{expected:?}"), "{message}");
                                }
                                let partials = engine.reduce_partials(&plan, &input, &control).unwrap();
                                let finished = plan.finish(&partials).unwrap();
                                assert_eq!(format!("{finished:?}"), format!("{expected:?}"), "{message} partials");
                            }
                        }
                    }
                }
            }
        }
        for (fake, rate) in fakes.iter().zip(rates) {
            assert_eq!(fake.runs.load(Ordering::Relaxed) > 0, *rate > 1e-6, "a member of rate {rate}");
        }
    }
}

trait IntoData {
    fn into_data(self) -> Dtype;
}
impl IntoData for Dtype {
    /// This dtype if there is data of it, else another.
    fn into_data(self) -> Dtype {
        if matches!(self, Dtype::F64 | Dtype::F32 | Dtype::I32) { self } else { Dtype::U8 }
    }
}

#[test]
fn a_split_convolution_has_the_bits_of_one_device() {
    let one = select::cpu();
    let control = Control::new();
    let cases: [(&[usize], &[usize]); 5] =
        [(&[40, 33], &[3, 3]), (&[9, 20, 5], &[3, 3]), (&[20, 21], &[7, 3, 2]), (&[2, 1, 9], &[2, 3, 3]), (&[1, 1], &[1, 1])];
    for rates in [&[1.0, 1.0][..], &[1.0, 3.0], &[0.0, 1.0], &[2.0, 1e-9, 1.0, 5.0, 1.0]] {
        let (engine, _) = split(rates);
        for (image_shape, kernel_shape) in cases {
            for dtype in [Dtype::F32, Dtype::I32] {
                for how in [Convolve::d2(), Convolve::d2().same().boundary(Boundary::Wrap)] {
                    let (image, kernel) = (data(dtype, image_shape.iter().product()), data(dtype, kernel_shape.iter().product()));
                    let plan = ConvolvePlan::new(&how, Direction::Convolve, (dtype, image_shape), (dtype, kernel_shape)).unwrap();
                    let (image, kernel) = (Input::Host(image.view(image_shape)), Input::Host(kernel.view(kernel_shape)));
                    let run = |engine: &dyn Engine, reuse| {
                        let storage = engine.convolve(&plan, &image, &kernel, Target::Device(reuse), &control).unwrap();
                        array(plan.out_dtype, &plan.shape, storage)
                    };
                    let expected = run(&*one, None).into_host().unwrap();
                    let found = run(&engine, None);
                    assert_eq!(
                        found.clone().into_host().unwrap(),
                        expected,
                        "{image_shape:?} {kernel_shape:?} {dtype} {rates:?}"
                    );
                    let address = found.operand().input().host(&mut None).unwrap().as_ptr();
                    let again = run(&engine, Some(found.storage));
                    assert_eq!(again.operand().input().host(&mut None).unwrap().as_ptr(), address, "memory is reused");
                }
            }
        }
    }
}

#[test]
fn hits_are_split_in_the_measured_proportion() {
    let (engine, fakes) = split(&[1e9, 3e9, 0.0]);
    let plan = MonteCarloPlan { how: MonteCarlo::pi().seed(7), samples: 5..40_000_003 };
    let control = Control::new();
    control.expect(plan.len());
    let hits = engine.count_hits(&plan, &control).unwrap();
    assert_eq!(hits, select::cpu().count_hits(&plan, &Control::new()).unwrap());
    assert_eq!(control.progress().fraction(), 1.0);
    let work: Vec<u64> = fakes.iter().map(|fake| fake.counters().work).collect();
    assert_eq!(work.iter().sum::<u64>(), plan.len());
    assert!(work[0].abs_diff(10_000_000) <= 4096 && work[2] == 0, "{work:?}");
    assert_eq!(engine.counters().work, plan.len());
    let said = engine.explain(Work::CountHits(&plan));
    assert_eq!(
        said,
        "fake+fake+fake: split by measured speed: fake 25.0 % (1.00e9 samples/s), fake 75.0 % (3.00e9 samples/s), \
         fake 0.0 % (0.00e0 samples/s)"
    );
}

#[test]
fn kernels_rows_and_elements_are_split_in_the_measured_proportion() {
    let control = Control::new();
    let (image, kernel) = (data(Dtype::F32, 10_000), data(Dtype::F32, 900));
    for (bank, expected) in [(&[100, 3, 3][..], 0.25), (&[3, 3], 0.25)] {
        let (engine, fakes) = split(&[1.0, 3.0]);
        let plan = ConvolvePlan::new(&Convolve::d2().same(), Direction::Convolve, (Dtype::F32, &[100, 100]), (Dtype::F32, bank));
        let plan = plan.unwrap();
        let part = kernel.view(&[900]).narrow(0, 0..bank.iter().product());
        let kernel = View::from_slice(part.as_slice::<f32>().unwrap());
        // SAFETY: the same elements with another shape.
        let kernel = unsafe { View::from_raw_parts(Dtype::F32, kernel.as_ptr(), bank, &crate::view::contiguous_strides(bank)) };
        let (image, kernel) = (Input::Host(image.view(&[100, 100])), Input::Host(kernel));
        engine.convolve(&plan, &image, &kernel, Target::Device(None), &control).unwrap();
        let share = fakes[0].counters().work as f64 / plan.work() as f64;
        assert!((share - expected).abs() < 0.01, "{bank:?}: {share}");
    }
    for axes in [None, Some(vec![0isize]), Some(vec![1])] {
        let (engine, fakes) = split(&[1.0, 3.0]);
        let plan = ReducePlan::new(&Reduce { axes, ..Reduce::of(ReduceOp::Sum) }, Dtype::F32, &[100, 100]).unwrap();
        engine.reduce(&plan, &[Input::Host(image.view(&[100, 100]))], Target::Device(None), &control).unwrap();
        let share = fakes[0].counters().work as f64 / plan.work() as f64;
        assert!((share - 0.25).abs() < 0.01, "{plan:?}: {share}");
    }
}

fn moody(moods: Vec<Mood>) -> SplitEngine {
    SplitEngine::new(moods.into_iter().map(|mood| member(Fake::new("fake", DeviceClass::Cpu, mood), 1.0)).collect())
}

#[test]
fn the_failure_of_a_member_stops_the_others_and_is_told() {
    let lost = || Error::DeviceLost { device: "gpu:1".into(), reason: "unplugged".into() };
    let plan = MonteCarloPlan { how: MonteCarlo::pi().seed(0), samples: 0..1_000_000 };
    for moods in [
        vec![Mood::Endless, Mood::Fails(lost()), Mood::Endless],
        vec![Mood::Fails(lost()), Mood::Endless],
        vec![Mood::Endless, Mood::Fails(lost())],
    ] {
        let control = Control::new();
        assert_eq!(moody(moods).count_hits(&plan, &control).unwrap_err(), lost());
        assert!(!control.is_cancelled(), "the caller's line is not the members'");
    }
    let error = moody(vec![Mood::Endless, Mood::Panics]).count_hits(&plan, &Control::new()).unwrap_err();
    assert_eq!(error, Error::Panicked("out of cheese".into()));
}

#[test]
fn cancelling_stops_all_members() {
    let control = Control::new();
    let remote = control.clone();
    let canceller = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(30));
        remote.cancel();
    });
    let plan = MonteCarloPlan { how: MonteCarlo::pi().seed(0), samples: 0..1_000_000 };
    let error = moody(vec![Mood::Endless, Mood::Endless]).count_hits(&plan, &control).unwrap_err();
    assert!(matches!(error, Error::Cancelled { .. }), "{error}");
    canceller.join().unwrap();
}

fn auto(gpus: &[(Arc<Fake>, f64)]) -> (AutoEngine, Arc<Fake>) {
    let cpu = Fake::new("cpu", DeviceClass::Cpu, Mood::Fine);
    let free = Rates { launch: 0.0, work: 1e9, up: f64::INFINITY, down: f64::INFINITY };
    let cpu_member =
        Member { engine: cpu.clone(), source: Source::Fixed(free, vec![(Kind::Reduce(ReduceOp::Sum, Dtype::U8), 1e10)]) };
    (AutoEngine::new(cpu_member, gpus.iter().map(|(gpu, rate)| member(gpu.clone(), *rate)).collect()), cpu)
}

#[test]
fn auto_goes_where_the_work_is_predicted_to_be_done_first() {
    let gpu = || Fake::new("gpu:0", DeviceClass::DiscreteGpu, Mood::Fine);
    let runs = |fake: &Fake| fake.runs.load(Ordering::Relaxed);
    let control = Control::new();
    let samples = |n| MonteCarloPlan { how: MonteCarlo::pi().seed(1), samples: 0..n };

    let (fast, slow) = (gpu(), gpu());
    let (engine, cpu) = auto(&[(fast.clone(), 1e12)]);
    assert_eq!((engine.info().id.as_str(), engine.members().len()), ("auto", 2));
    engine.count_hits(&samples(1000), &control).unwrap();
    assert_eq!((runs(&cpu), runs(&fast)), (1, 0), "small work stays on the CPU");
    engine.count_hits(&samples(1_000_000), &control).unwrap();
    assert_eq!((runs(&cpu), runs(&fast)), (1, 1), "1 ms on the CPU, 0.1 ms on the GPU");
    assert_eq!(
        engine.explain(Work::CountHits(&samples(1_000_000))),
        "gpu:0: 101.0µs predicted (launch 100.0µs, moving data 1.0ns, computing 1.0µs); \
         cpu: 1.0ms predicted (launch 0.0ns, moving data 0.0ns, computing 1.0ms)"
    );
    assert_eq!(engine.explain(Work::CountHits(&samples(5))), "cpu: 5 samples are too little work to move");

    let (engine, cpu) = auto(&[(slow.clone(), 1e8)]);
    engine.count_hits(&samples(1_000_000), &control).unwrap();
    assert_eq!((runs(&cpu), runs(&slow)), (1, 0));

    // A sum of bytes on the host: the CPU reads them faster than they move; an array on the device stays there.
    let (engine, _) = auto(&[(gpu(), 1e12)]);
    let plan = ReducePlan::new(&Reduce::of(ReduceOp::Sum), Dtype::U8, &[100_000_000]).unwrap();
    assert!(engine.explain(Work::Reduce(&plan, 100_000_000)).starts_with("cpu: 10.0ms"));
    assert!(engine.explain(Work::Reduce(&plan, 0)).starts_with("gpu:0: 200.0µs"));
    let small = ReducePlan::new(&Reduce::of(ReduceOp::Sum), Dtype::U8, &[10]).unwrap();
    assert!(engine.explain(Work::Reduce(&small, 10)).starts_with("cpu: 10 elements"));
    assert!(engine.explain(Work::Reduce(&small, 0)).starts_with("gpu:0: 10 elements"));
}

#[test]
fn auto_splits_over_several_gpus_when_that_pays() {
    let gpus =
        [Fake::new("gpu:0", DeviceClass::DiscreteGpu, Mood::Fine), Fake::new("gpu:1", DeviceClass::DiscreteGpu, Mood::Fine)];
    let (engine, cpu) = auto(&[(gpus[0].clone(), 2e10), (gpus[1].clone(), 6e10)]);
    let plan = MonteCarloPlan { how: MonteCarlo::pi().seed(3), samples: 0..64_000_000 };
    let said = engine.explain(Work::CountHits(&plan));
    assert!(said.starts_with("gpu:0+gpu:1: 900.0µs predicted"), "{said}");
    engine.count_hits(&plan, &Control::new()).unwrap();
    assert_eq!(gpus[0].counters().work, 16_001_024 / 4096 * 4096);
    assert_eq!(gpus[0].counters().work + gpus[1].counters().work, plan.len());
    assert_eq!(cpu.counters().work, 0);
}

#[test]
fn auto_passes_on_what_a_device_has_no_feature_for() {
    let lacks = Error::Unsupported { device: "gpu:0".into(), operation: "hits".into(), feature: "luck".into() };
    let gpu = Fake::new("gpu:0", DeviceClass::DiscreteGpu, Mood::Fails(lacks));
    let (engine, cpu) = auto(&[(gpu.clone(), 1e12)]);
    let plan = MonteCarloPlan { how: MonteCarlo::pi().seed(3), samples: 0..1_000_000 };
    assert_eq!(engine.count_hits(&plan, &Control::new()).unwrap(), cpu.inner.count_hits(&plan, &Control::new()).unwrap());
    assert_eq!((gpu.runs.load(Ordering::Relaxed), cpu.runs.load(Ordering::Relaxed)), (1, 1));
    let lost = Error::DeviceLost { device: "gpu:0".into(), reason: "unplugged".into() };
    let (engine, _) = auto(&[(Fake::new("gpu:0", DeviceClass::DiscreteGpu, Mood::Fails(lost.clone())), 1e12)]);
    assert_eq!(engine.count_hits(&plan, &Control::new()).unwrap_err(), lost, "other failures are told");
}

#[cfg(feature = "gpu")]
#[test]
fn auto_measures_the_cpu_and_a_gpu_of_this_machine() {
    let Ok(gpu) = select::gpu(0) else {
        assert!(std::env::var_os("UNISONO_REQUIRE_GPU").is_none(), "no GPU, but UNISONO_REQUIRE_GPU is set");
        eprintln!("\n*** NO GPU ADAPTER FOUND: this test is SKIPPED ***\n");
        return;
    };
    let engine = AutoEngine::new(Member::measured(select::cpu()), vec![Member::measured(gpu)]);
    let control = Control::new();
    let plan = MonteCarloPlan { how: MonteCarlo::pi().seed(4), samples: 3..3_000_000 };
    let said = engine.explain(Work::CountHits(&plan));
    assert!(said.contains("gpu:0: ") && said.contains("cpu: ") && said.matches("predicted (launch").count() == 2, "{said}");
    assert_eq!(engine.count_hits(&plan, &control).unwrap(), select::cpu().count_hits(&plan, &control).unwrap());
    let host = data(Dtype::F64, 700_001);
    let plan = ReducePlan::new(&Reduce::of(ReduceOp::Sum), Dtype::F64, &[700_001]).unwrap();
    let input = [Input::Host(host.view(&[700_001]))];
    let run = |engine: &dyn Engine| {
        let storage = engine.reduce(&plan, &input, Target::Device(None), &control).unwrap();
        array(Dtype::F64, &[], storage).into_host().unwrap()
    };
    assert_eq!(run(&engine), run(&*select::cpu()));
    let said = engine.explain(Work::Reduce(&plan, 5_600_008));
    assert!(said.contains("moving data") && said.contains("gpu:0"), "{said}");
}
