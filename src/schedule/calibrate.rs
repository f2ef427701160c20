//! Measuring what a device does: one short probe per device and kind of work, at first need, kept for the process.
//!
//! A probe runs the operation itself through the [`Engine`] trait, on operands that lie on the device already, first
//! small and then larger until a run takes a few milliseconds. The first run is not counted: it compiles the shaders.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::cost::{Kind, Rates};
use crate::array::{DynArray, HostVec, Storage};
use crate::engine::{Engine, Target};
use crate::fork::PerProcess;
use crate::plan::{
    Accuracy, Boundary, Convolve, ConvolvePlan, Direction, GroupPlan, Groups, Integrate, IntegratePlan, Map, MapPlan, MonteCarlo,
    MonteCarloPlan, Random, RandomPlan, Reduce, ReducePlan, Separable, SeparablePlan,
};
use crate::{Control, DeviceClass, Dtype, Result};

/// Where the rates of a device come from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// Probes.
    Measured,
    /// Given: the work rates of each kind, and else these.
    #[cfg_attr(not(test), allow(dead_code))]
    Fixed(Rates, Vec<(Kind, f64)>),
}

/// An engine and its rates.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) source: Source,
}

/// Rates by device text and kind: two logical devices on one adapter are equally fast.
type Cache = Mutex<HashMap<(String, Kind), Result<Rates>>>;
static CACHE: PerProcess<Cache> = PerProcess::new();

impl Member {
    /// An engine whose rates are measured.
    pub(crate) fn measured(engine: Arc<dyn Engine>) -> Self {
        Self { engine, source: Source::Measured }
    }

    /// The rates for work of this kind, measured now if they are not known yet.
    pub(crate) fn rates(&self, kind: Kind) -> Result<Rates> {
        if let Some(known) = self.known(kind) {
            return known;
        }
        let measured = probe(&*self.engine, kind).and_then(|rates| {
            let is_cpu = self.engine.info().class == DeviceClass::Cpu;
            if is_cpu || kind == Kind::Transfer {
                return Ok(rates);
            }
            let link = self.rates(Kind::Transfer)?;
            Ok(Rates { up: link.up, down: link.down, ..rates })
        });
        // No lock is held while probing: a member's operation may come here itself.
        // Failures other than a missing feature may pass, and are not kept.
        if !matches!(&measured, Err(error) if !matches!(error, crate::Error::Unsupported { .. })) {
            let mut cache = CACHE.get(Default::default).lock().unwrap_or_else(PoisonError::into_inner);
            cache.insert((self.engine.info().id, kind), measured.clone());
        }
        measured
    }

    /// The rates, if they are known without a measurement.
    pub(crate) fn known(&self, kind: Kind) -> Option<Result<Rates>> {
        match &self.source {
            Source::Fixed(rates, by_kind) => {
                let work = by_kind.iter().find_map(|&(k, work)| (k == kind).then_some(work)).unwrap_or(rates.work);
                Some(Ok(Rates { work, ..*rates }))
            }
            Source::Measured => {
                let cache = CACHE.get(Default::default).lock().unwrap_or_else(PoisonError::into_inner);
                cache.get(&(self.engine.info().id, kind)).cloned()
            }
        }
    }
}

/// A run this long says enough.
const ENOUGH: f64 = 3e-3;
/// What a probe may take in all after its first run.
const BUDGET: Duration = Duration::from_millis(25);
/// Bytes of the largest operand or result of a probe.
const MOST_BYTES: usize = 16 << 20;

/// One size of a probe: its work, and how to run it.
type Trial<'a> = (u64, Box<dyn FnMut() -> Result<()> + 'a>);

/// Measures `engine` at work of this kind.
fn probe(engine: &dyn Engine, kind: Kind) -> Result<Rates> {
    let control = Control::new();
    let control = &control;
    match kind {
        Kind::Convolve(dtype, taps) | Kind::ConvolveExactly(dtype, taps) => {
            let exactly = if matches!(kind, Kind::Convolve(..)) { Accuracy::Default } else { Accuracy::Exact };
            let side = taps.side();
            let image = resident(engine, operand(dtype, 256 * 256, usize::MAX)?, &[256, 256])?;
            fit(|size| {
                let bank = [1 << (2 * size), side, side];
                let plan = ConvolvePlan::new(
                    &Convolve::d2().same().accuracy(exactly),
                    Direction::Convolve,
                    (dtype, &[256, 256]),
                    (dtype, &bank),
                )?;
                if size > 0 && plan.outputs() * dtype.size() > MOST_BYTES {
                    return Ok(None);
                }
                // Few enough ones that no result leaves eight bits.
                let kernels = resident(engine, operand(dtype, bank.iter().product(), 64)?, &bank)?;
                let (work, image) = (plan.work(), &image);
                let run = move || {
                    let (image, kernels) = (image.operand(), kernels.operand());
                    engine.convolve(&plan, &image.input(), &kernels.input(), Target::Device(None), control).map(drop)
                };
                Ok(Some((work, Box::new(run))))
            })
        }
        Kind::Separable(dtype, taps) => fit(|size| {
            let side = 256 << size;
            if side * side * dtype.size() > MOST_BYTES {
                return Ok(None);
            }
            let weights = vec![0.01; taps.side()];
            let how = Separable::correlate(&[&weights, &weights], Boundary::Reflect);
            let plan = SeparablePlan::new(&how, dtype, &[side, side])?;
            let array = resident(engine, operand(dtype, side * side, usize::MAX)?, &[side, side])?;
            let work = plan.work();
            let run = move || engine.separable(&plan, &array.operand().input(), Target::Device(None), control).map(drop);
            Ok(Some((work, Box::new(run))))
        }),
        Kind::Reduce(op, dtype) => fit(|size| {
            let elements = 1 << (14 + 3 * size);
            if elements * dtype.size() > MOST_BYTES {
                return Ok(None);
            }
            let plan = ReducePlan::new(&Reduce::of(op), dtype, &[elements])?;
            let array = resident(engine, operand(dtype, elements, usize::MAX)?, &[elements])?;
            let run = move || {
                let array = array.operand();
                let inputs = vec![array.input(); plan.inputs()];
                engine.reduce(&plan, &inputs, Target::Device(None), control).map(drop)
            };
            Ok(Some((elements as u64, Box::new(run))))
        }),
        Kind::Operate(kind, dtype) => fit(|size| {
            let elements = 1 << (14 + 3 * size);
            if elements * dtype.size() > MOST_BYTES {
                return Ok(None);
            }
            let operation = kind.sample(dtype, elements)?;
            let operands = operation.operands().into_iter().map(|(dtype, shape)| {
                let host = operand(dtype, shape.iter().product(), usize::MAX)?;
                resident(engine, host, shape)
            });
            let operands = operands.collect::<Result<Vec<_>>>()?;
            let run = move || {
                let operands: Vec<_> = operands.iter().map(DynArray::operand).collect();
                let inputs: Vec<_> = operands.iter().map(|operand| operand.input()).collect();
                let targets = operation.results().iter().map(|_| Target::Device(None)).collect();
                engine.operate(&operation, &inputs, targets, control).map(drop)
            };
            Ok(Some((elements as u64, Box::new(run))))
        }),
        Kind::Group(op, values) => fit(|size| {
            let elements = 1 << (14 + 3 * size);
            if elements * (4 + values.map_or(0, Dtype::size)) > MOST_BYTES {
                return Ok(None);
            }
            let shape = [elements];
            let groups = Groups::Consecutive { first: 0, count: 2 };
            let plan = GroupPlan::new(op, groups, (Dtype::U32, &shape), values.map(|dtype| (dtype, &shape[..])))?;
            let keys = resident(engine, operand(Dtype::U32, elements, usize::MAX)?, &shape)?;
            let make = |dtype| operand(dtype, elements, usize::MAX).and_then(|host| resident(engine, host, &shape));
            let values = values.map(make).transpose()?;
            let run = move || {
                let (keys, values) = (keys.operand(), values.as_ref().map(DynArray::operand));
                let values = values.as_ref().map(|values| values.input());
                engine.group(&plan, &keys.input(), values.as_ref(), control).map(drop)
            };
            Ok(Some((elements as u64, Box::new(run))))
        }),
        // Cheap and dear operations in equal parts of the time.
        Kind::Map(dtype) => fit(|size| {
            let elements = 1 << (12 + 3 * size);
            if elements * dtype.size() > MOST_BYTES {
                return Ok(None);
            }
            let how = Map::new("exp(x*x) - x*(x + 1)/(x - 2) + x*x*x")?;
            let plan = MapPlan::new(&how, &[("x", dtype, &[elements])])?;
            let array = resident(engine, operand(dtype, elements, usize::MAX)?, &[elements])?;
            let work = plan.work();
            let run = move || engine.map(&plan, &[array.operand().input()], Target::Device(None), control).map(drop);
            Ok(Some((work, Box::new(run))))
        }),
        Kind::Integrate(dtype) => fit(|size| {
            let how = Integrate::new("exp(-x*x) * (y + x)", &[("x", 0.0, 1.0), ("y", 0.0, 1.0)])?.dtype(dtype);
            let plan = IntegratePlan::new(&how, 0..1 << (12 + 3 * size))?;
            let (work, few) = (plan.work(), plan.len() <= 1 << 30);
            let run = move || engine.integrate(&plan, control).map(drop);
            Ok(few.then_some((work, Box::new(run))))
        }),
        Kind::CountHits(method, bits) => fit(|size| {
            let samples = 1u64 << (17 + 2 * size);
            let plan = MonteCarloPlan::new(&MonteCarlo::pi().method(method).bits(bits), 0..samples)?;
            let run = move || engine.count_hits(&plan, control).map(drop);
            Ok((samples <= 1 << 33).then_some((samples, Box::new(run))))
        }),
        Kind::Random(dtype) => fit(|size| {
            let elements = 1 << (14 + 3 * size);
            if elements * dtype.size() > MOST_BYTES {
                return Ok(None);
            }
            let how = if dtype.is_float() { Random::normal(0.0, 1.0) } else { Random::integers(0, 2) };
            let plan = RandomPlan::new(&how, dtype, &[elements])?;
            let run = move || engine.random(&plan, Target::Device(None), control).map(drop);
            Ok(Some((elements as u64, Box::new(run))))
        }),
        Kind::Transfer => {
            let there = fit(|size| {
                let bytes = 1 << (14 + 3 * size);
                let host = operand(Dtype::U8, bytes, usize::MAX)?;
                let run = move || engine.upload(&host.view(&[bytes])).map(drop);
                Ok((bytes <= MOST_BYTES / 2).then_some((bytes as u64, Box::new(run))))
            })?;
            let back = fit(|size| {
                let bytes = 1 << (14 + 3 * size);
                if bytes > MOST_BYTES / 2 {
                    return Ok(None);
                }
                let array = resident(engine, operand(Dtype::U8, bytes, usize::MAX)?, &[bytes])?;
                let mut memory = HostVec::zeros(Dtype::U8, bytes)?;
                let run = move || array.read_into(memory.view_mut(&[bytes]));
                Ok(Some((bytes as u64, Box::new(run))))
            })?;
            Ok(Rates { launch: there.launch, work: there.work, up: there.work, down: back.work })
        }
    }
}

/// Runs ever larger trials, until there is none or one takes long enough, and fits launch time and rate to their times.
fn fit<'a>(mut trial: impl FnMut(u32) -> Result<Option<Trial<'a>>>) -> Result<Rates> {
    let mut begun = Instant::now();
    let mut times: Vec<(f64, f64)> = vec![];
    for size in 0.. {
        let Some((work, mut run)) = trial(size)? else { break };
        if size == 0 {
            run()?;
            begun = Instant::now();
        }
        let mut best = f64::INFINITY;
        for _ in 0..3 {
            let start = Instant::now();
            run()?;
            best = best.min(start.elapsed().as_secs_f64());
            if best >= ENOUGH || begun.elapsed() >= BUDGET {
                break;
            }
        }
        times.push((work as f64, best.max(1e-9)));
        if best >= ENOUGH || begun.elapsed() >= BUDGET {
            break;
        }
    }
    Ok(line(&times))
}

/// The launch time and the rate of a device that took these times, shortest first, for these amounts of work.
fn line(times: &[(f64, f64)]) -> Rates {
    let free = f64::INFINITY;
    match times {
        [] => Rates { launch: 0.0, work: free, up: free, down: free },
        &[(work, time)] => Rates { launch: 0.0, work: work / time, up: free, down: free },
        &[(w1, t1), .., (w2, t2)] if t2 > 1.25 * t1 => {
            let work = (w2 - w1) / (t2 - t1);
            Rates { launch: (t1 - w1 / work).max(0.0), work, up: free, down: free }
        }
        // Launching is all that was seen: the rate is at least this.
        &[(_, t1), .., (w2, t2)] => Rates { launch: t1, work: w2 / t2, up: free, down: free },
    }
}

/// An array in the memory of `engine`.
fn resident(engine: &dyn Engine, host: HostVec, shape: &[usize]) -> Result<DynArray> {
    let dtype = host.dtype();
    let storage = match engine.info().class {
        DeviceClass::Cpu => Storage::Host(Arc::new(host)),
        _ => engine.upload(&host.view(shape))?,
    };
    Ok(DynArray { dtype, shape: shape.to_vec(), storage })
}

/// Probe data: floats of mixed size, integers 0 and 1 (so that nothing overflows), of which at most `ones` are 1.
fn operand(dtype: Dtype, len: usize, ones: usize) -> Result<HostVec> {
    let mut vec = HostVec::zeros(dtype, len)?;
    let noise = |i: usize| (i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    match &mut vec {
        HostVec::F32(vec) => vec.iter_mut().enumerate().for_each(|(i, x)| *x = noise(i) as f32 - 8e6),
        HostVec::F64(vec) => vec.iter_mut().enumerate().for_each(|(i, x)| *x = (noise(i) as f64 - 8e6) * 1.000_000_1),
        _ => {
            let size = dtype.size();
            if let Some(bytes) = vec.view_mut(&[len]).as_bytes() {
                let low = if cfg!(target_endian = "little") { 0 } else { size - 1 };
                let lows = bytes.iter_mut().skip(low).step_by(size).enumerate();
                lows.take(ones.min(len)).for_each(|(i, byte)| *byte = (noise(i) & 1) as u8);
            }
        }
    }
    Ok(vec)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::ReduceOp;

    #[test]
    fn a_line_through_times_gives_launch_and_rate() {
        let rates = line(&[(1e3, 1.1e-4), (1e4, 2e-4), (1e6, 1.01e-2)]);
        assert!((rates.launch - 1e-4).abs() < 1e-12 && (rates.work - 1e8).abs() < 1.0, "{rates:?}");
        let flat = line(&[(1e3, 1e-4), (1e6, 1.1e-4)]);
        assert_eq!((flat.launch, flat.work), (1e-4, 1e6 / 1.1e-4));
        assert_eq!(line(&[(8.0, 2.0)]).work, 4.0);
    }

    #[test]
    fn integer_operands_are_zeros_and_ones() {
        for dtype in Dtype::ALL.into_iter().filter(|dtype| !dtype.is_float()) {
            let vec = operand(dtype, 1000, 64).unwrap();
            let bytes = vec.view(&[1000]).as_bytes().unwrap().to_vec();
            let ones = bytes.iter().filter(|&&byte| byte == 1).count();
            assert!(bytes.iter().all(|&byte| byte < 2) && (16..=64).contains(&ones), "{dtype} {ones}");
        }
    }

    #[test]
    fn every_kind_is_measured_on_the_cpu_and_kept() {
        let member = Member::measured(crate::select::cpu_threads(1).unwrap());
        for kind in [
            Kind::CountHits(crate::PiMethod::Plain, 16),
            Kind::Reduce(ReduceOp::Sum, Dtype::F64),
            Kind::Reduce(ReduceOp::Product, Dtype::I8),
        ] {
            assert!(member.known(kind).is_none());
            let rates = member.rates(kind).unwrap();
            assert!(rates.work > 1e6 && rates.work.is_finite() && rates.up == f64::INFINITY, "{kind:?} {rates:?}");
            assert_eq!(member.known(kind), Some(Ok(rates)));
        }
    }
}
