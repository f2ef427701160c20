//! The cost model: what a piece of work is, what a device does per second, and how long the one takes on the other.
//!
//! `seconds = launch + bytes up / B_up + work / rate + bytes down / B_down`. A rate belongs to a device and a [`Kind`] of
//! work; what is in host memory already costs a CPU nothing to reach.

use std::time::Duration;

use crate::Dtype;
use crate::engine::Work;
use crate::plan::{
    ConvolvePlan, GroupOp, GroupPlan, IntegratePlan, MapPlan, MonteCarloPlan, Operation, OperationKind, PiMethod, RandomPlan,
    ReduceOp, ReducePlan, SeparablePlan,
};

/// Work that one device does at one rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Multiply-adds of a convolution with this result dtype and this size of kernel.
    Convolve(Dtype, Taps),
    /// The same of floats of this dtype, rounded once ([`Accuracy::Exact`](crate::Accuracy::Exact)).
    ConvolveExactly(Dtype, Taps),
    /// Multiply-adds of a separable filter in binary32 or binary64, by the weights of its longest pass.
    Separable(Dtype, Taps),
    /// Elements read by a reduction.
    Reduce(ReduceOp, Dtype),
    /// Elements read by an operation.
    Operate(OperationKind, Dtype),
    /// Elements read by a reduction by groups, of values of this dtype, if any.
    Group(GroupOp, Option<Dtype>),
    /// Operations of an expression on elements of arrays.
    Map(Dtype),
    /// Operations of an integrand on samples.
    Integrate(Dtype),
    /// Samples of this method and these bits drawn.
    CountHits(PiMethod, u32),
    /// Random numbers of this dtype.
    Random(Dtype),
    /// Bytes moved to and from the device.
    Transfer,
}

/// Kernel sizes that differ in their rate: memory, arithmetic or a fast algorithm is what counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Taps {
    /// Up to 25 taps.
    Few,
    /// Up to 256 taps.
    Medium,
    /// More.
    Many,
}

impl Taps {
    /// The class of a kernel with so many taps.
    pub(crate) fn of(taps: usize) -> Self {
        match taps {
            0..=25 => Self::Few,
            26..=256 => Self::Medium,
            _ => Self::Many,
        }
    }

    /// The side of the square kernel that stands for the class.
    pub(crate) fn side(self) -> usize {
        match self {
            Self::Few => 3,
            Self::Medium => 10,
            Self::Many => 31,
        }
    }
}

impl Kind {
    /// Whether so much work could take a device longer than about a quarter of a millisecond, so that the choice of the
    /// device matters at all. The rates are those of a slow core.
    pub(crate) fn matters(self, work: u64) -> bool {
        work >= match self {
            Self::Convolve(..) | Self::Separable(..) => 2_000_000,
            Self::ConvolveExactly(..) => 500_000,
            Self::Reduce(..) | Self::Map(_) | Self::Integrate(_) => 500_000,
            Self::Operate(..) | Self::Group(..) => 100_000,
            Self::CountHits(..) => 500_000,
            Self::Random(_) => 50_000,
            Self::Transfer => 1 << 20,
        }
    }

    /// What the unit of work is called.
    pub(crate) fn unit(self) -> &'static str {
        match self {
            Self::Convolve(..) | Self::ConvolveExactly(..) | Self::Separable(..) => "multiply-adds",
            Self::Reduce(..) | Self::Operate(..) | Self::Group(..) => "elements",
            Self::Map(_) | Self::Integrate(_) => "operations",
            Self::CountHits(..) => "samples",
            Self::Random(_) => "numbers",
            Self::Transfer => "bytes",
        }
    }
}

/// What a device does: measured by a probe, or given by a test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rates {
    /// Seconds before the first unit of work is done.
    pub(crate) launch: f64,
    /// Units of work per second.
    pub(crate) work: f64,
    /// Bytes per second to the device; infinite where the host's memory is the device's.
    pub(crate) up: f64,
    /// Bytes per second back.
    pub(crate) down: f64,
}

impl Rates {
    /// The rates of several devices that share work in proportion to their rates.
    pub(crate) fn together(all: &[Self]) -> Self {
        let least = |f: fn(&Self) -> f64| all.iter().map(f).fold(f64::INFINITY, f64::min);
        Self {
            launch: all.iter().map(|rates| rates.launch).fold(0.0, f64::max),
            work: all.iter().map(|rates| rates.work).sum(),
            up: least(|rates| rates.up),
            down: least(|rates| rates.down),
        }
    }
}

/// A piece of work in the numbers that its cost depends on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Load {
    /// What kind of work it is.
    pub(crate) kind: Kind,
    /// How much of it.
    pub(crate) work: u64,
    /// Bytes of operands in host memory.
    pub(crate) host_bytes: u64,
    /// Bytes of operands in the memory of a GPU.
    pub(crate) device_bytes: u64,
    /// Bytes of the result.
    pub(crate) result_bytes: u64,
    /// Whether the result is wanted in host memory: so it is if the caller gave memory for it, and if the operands came
    /// from there.
    pub(crate) to_host: bool,
}

fn bytes(dtype: Dtype, shape: impl IntoIterator<Item = usize>) -> u64 {
    shape.into_iter().fold(dtype.size() as u64, |bytes, n| bytes.saturating_mul(n as u64))
}

impl Load {
    /// The load of a convolution with `host_bytes` of its operands in host memory.
    pub(crate) fn convolve(plan: &ConvolvePlan, host_bytes: u64, to_host: bool) -> Self {
        let taps = Taps::of(plan.channels * plan.kernel.iter().product::<usize>());
        let kind = if plan.is_exact_float() {
            let wide = [plan.image_dtype, plan.kernel_dtype].into_iter().any(|dtype| dtype.real() == Dtype::F64);
            Kind::ConvolveExactly(if wide { Dtype::F64 } else { Dtype::F32 }, taps)
        } else {
            Kind::Convolve(plan.out_dtype.real(), taps)
        };
        let images = bytes(plan.image_dtype, plan.image_shape());
        let kernels = bytes(plan.kernel_dtype, plan.kernel_shape());
        let device_bytes = images.saturating_add(kernels).saturating_sub(host_bytes);
        Self {
            kind,
            work: plan.work(),
            host_bytes,
            device_bytes,
            result_bytes: (plan.outputs() as u64).saturating_mul(plan.out_dtype.size() as u64),
            to_host: to_host || device_bytes == 0,
        }
    }

    /// The load of a separable filter with `host_bytes` of its operand in host memory.
    pub(crate) fn separable(plan: &SeparablePlan, host_bytes: u64, to_host: bool) -> Self {
        let device_bytes = bytes(plan.in_dtype, plan.input.iter().copied()).saturating_sub(host_bytes);
        let dtype = if plan.is_double() { Dtype::F64 } else { Dtype::F32 };
        let longest = plan.terms.iter().flatten().map(|pass| pass.weights.len()).max().unwrap_or(1);
        Self {
            kind: Kind::Separable(dtype, Taps::of(longest)),
            work: plan.work(),
            host_bytes,
            device_bytes,
            result_bytes: bytes(plan.out_dtype, plan.shape.iter().copied()),
            to_host: to_host || device_bytes == 0,
        }
    }

    /// The load of a reduction with `host_bytes` of its operand in host memory.
    pub(crate) fn reduce(plan: &ReducePlan, host_bytes: u64, to_host: bool) -> Self {
        let mask = if plan.masked { bytes(Dtype::Bool, plan.input.iter().copied()) } else { 0 };
        let operands = if plan.op == ReduceOp::Dot { 2 } else { 1 };
        let all = bytes(plan.dtype, plan.input.iter().copied().chain([operands])).saturating_add(mask);
        let device_bytes = all.saturating_sub(host_bytes);
        Self {
            kind: Kind::Reduce(plan.op, plan.dtype),
            work: plan.work(),
            host_bytes,
            device_bytes,
            result_bytes: bytes(plan.out_dtype, plan.shape.iter().copied()),
            to_host: to_host || device_bytes == 0,
        }
    }

    /// The load of an operation with `host_bytes` of its operands in host memory.
    pub(crate) fn operate(operation: &Operation, host_bytes: u64, to_host: bool) -> Self {
        let lanes = operation.lanes();
        let operands = operation.operands().into_iter().map(|(dtype, shape)| bytes(dtype, shape.iter().copied()));
        let device_bytes = operands.fold(0u64, u64::saturating_add).saturating_sub(host_bytes);
        let results = operation.results().into_iter().map(|(dtype, shape)| bytes(dtype, shape.iter().copied()));
        Self {
            kind: Kind::Operate(operation.kind(), lanes.dtype),
            work: operation.work(),
            host_bytes,
            device_bytes,
            result_bytes: results.fold(0, u64::saturating_add),
            to_host: to_host || device_bytes == 0,
        }
    }

    /// The load of an expression with `host_bytes` of its operands in host memory; of its reduction, if there is one.
    pub(crate) fn map(plan: &MapPlan, host_bytes: u64, to_host: bool, reduced: bool) -> Self {
        let all = plan.operand_bytes();
        let device_bytes = all.saturating_sub(host_bytes);
        Self {
            kind: Kind::Map(plan.dtype),
            work: plan.work(),
            host_bytes,
            device_bytes,
            result_bytes: if reduced { 8 } else { bytes(plan.dtype, [plan.outputs()]) },
            to_host: to_host || device_bytes == 0,
        }
    }

    /// The load of a reduction by groups with `host_bytes` of its operands in host memory.
    pub(crate) fn group(plan: &GroupPlan, host_bytes: u64) -> Self {
        let operands = std::iter::once(plan.keys).chain(plan.values).map(|dtype| bytes(dtype, plan.shape.iter().copied()));
        let device_bytes = operands.fold(0u64, u64::saturating_add).saturating_sub(host_bytes);
        Self {
            kind: Kind::Group(plan.op.ddof(0), plan.values),
            work: plan.work(),
            host_bytes,
            device_bytes,
            result_bytes: 8 * plan.groups.len() as u64,
            to_host: true,
        }
    }

    /// The load of sampling an integrand.
    pub(crate) fn integrate(plan: &IntegratePlan) -> Self {
        Self::sampling(Kind::Integrate(plan.dtype), plan.work())
    }

    /// The load of counting the hits among samples.
    pub(crate) fn samples(plan: &MonteCarloPlan) -> Self {
        Self::sampling(Kind::CountHits(plan.how.method, plan.how.coordinate_bits()), plan.len())
    }

    fn sampling(kind: Kind, work: u64) -> Self {
        Self { kind, work, host_bytes: 0, device_bytes: 0, result_bytes: 8, to_host: true }
    }

    /// The load of drawing random numbers; they stay where they are drawn unless memory was given for them.
    pub(crate) fn random(plan: &RandomPlan, to_host: bool) -> Self {
        let result_bytes = plan.len().saturating_mul(plan.dtype.size() as u64);
        Self { kind: Kind::Random(plan.dtype), work: plan.len(), host_bytes: 0, device_bytes: 0, result_bytes, to_host }
    }

    /// The load of a piece of work.
    pub(crate) fn of(work: Work<'_>) -> Self {
        match work {
            Work::Convolve(plan, host_bytes) => Self::convolve(plan, host_bytes, false),
            Work::Separable(plan, host_bytes) => Self::separable(plan, host_bytes, false),
            Work::Reduce(plan, host_bytes) => Self::reduce(plan, host_bytes, false),
            Work::Operate(operation, host_bytes) => Self::operate(operation, host_bytes, false),
            Work::Group(plan, host_bytes) => Self::group(plan, host_bytes),
            Work::Map(plan, host_bytes) => Self::map(plan, host_bytes, false, false),
            Work::Integrate(plan) => Self::integrate(plan),
            Work::CountHits(plan) => Self::samples(plan),
            Work::Random(plan) => Self::random(plan, false),
        }
    }

    /// The predicted cost on a device of these rates. `away` is what the operands on a GPU cost to bring over, in bytes
    /// per second, if this is not the device that holds them.
    pub(crate) fn cost(&self, rates: &Rates, away: Option<f64>) -> Cost {
        let fetched = away.map_or(0.0, |down| self.device_bytes as f64 / down);
        let back = if self.to_host { self.result_bytes as f64 / rates.down } else { 0.0 };
        Cost {
            launch: rates.launch,
            moving: self.host_bytes as f64 / rates.up + fetched + back,
            computing: self.work as f64 / rates.work,
        }
    }
}

/// A predicted time, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cost {
    pub(crate) launch: f64,
    pub(crate) moving: f64,
    pub(crate) computing: f64,
}

impl Cost {
    /// The whole of it.
    pub(crate) fn total(&self) -> f64 {
        self.launch + self.moving + self.computing
    }
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [total, launch, moving, computing] = [self.total(), self.launch, self.moving, self.computing].map(text);
        write!(f, "{total} predicted (launch {launch}, moving data {moving}, computing {computing})")
    }
}

/// A time in three digits or so.
fn text(seconds: f64) -> String {
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) => format!("{time:.1?}"),
        Err(_) => "for ever".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Convolve, Direction, Reduce};

    #[test]
    fn a_load_counts_what_lies_where() {
        let how = Convolve::d2();
        let plan = ConvolvePlan::new(&how, Direction::Convolve, (Dtype::F32, &[100, 100]), (Dtype::F32, &[5, 10, 10])).unwrap();
        let load = Load::convolve(&plan, 42_000, false);
        assert_eq!((load.kind, load.work), (Kind::Convolve(Dtype::F32, Taps::Medium), 109 * 109 * 5 * 100));
        assert_eq!((load.device_bytes, load.result_bytes, load.to_host), (0, 109 * 109 * 5 * 4, true));
        let load = Load::convolve(&plan, 2_000, false);
        assert_eq!((load.device_bytes, load.to_host), (40_000, false));
        let plan = ReducePlan::new(&Reduce::sum().axes(&[0]), Dtype::U8, &[10, 7]).unwrap();
        let load = Load::reduce(&plan, 70, false);
        assert_eq!((load.work, load.device_bytes, load.result_bytes), (70, 0, 56));
    }

    #[test]
    fn a_cost_adds_up_and_says_so() {
        let rates = Rates { launch: 1e-4, work: 1e9, up: 1e9, down: 2e9 };
        let load = Load {
            host_bytes: 1_000_000,
            result_bytes: 2_000_000,
            ..Load::sampling(Kind::CountHits(PiMethod::Plain, 16), 5_000_000)
        };
        let cost = load.cost(&rates, None);
        assert_eq!((cost.launch, cost.moving, cost.computing), (1e-4, 2e-3, 5e-3));
        assert_eq!(cost.to_string(), "7.1ms predicted (launch 100.0µs, moving data 2.0ms, computing 5.0ms)");
        let resident = Load { host_bytes: 0, device_bytes: 8_000_000, to_host: false, ..load };
        assert_eq!(resident.cost(&rates, Some(4e9)).moving, 2e-3);
        assert_eq!(resident.cost(&rates, None).moving, 0.0);
    }

    #[test]
    fn devices_together_add_their_work_and_wait_for_the_slowest_link() {
        let a = Rates { launch: 1e-4, work: 1e9, up: 1e9, down: 3e9 };
        let b = Rates { launch: 2e-4, work: 2e9, up: 4e9, down: 2e9 };
        assert_eq!(Rates::together(&[a, b]), Rates { launch: 2e-4, work: 3e9, up: 1e9, down: 2e9 });
    }
}
