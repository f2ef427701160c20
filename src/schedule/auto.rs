//! The engine behind `auto`: each piece of work goes where it is predicted to be done first.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::calibrate::Member;
use super::cost::{Cost, Load, Rates};
use super::engine::SplitEngine;
use crate::array::Storage;
use crate::engine::{Counters, DeviceInfo, Engine, Input, Target, Work, sealed};
use crate::plan::{
    ConvolvePlan, GroupPlan, Grouped, IntegralSums, IntegratePlan, MapPlan, MonteCarloPlan, Operation, Partials, RandomPlan,
    ReduceOp, ReducePlan, SeparablePlan, Tally,
};
use crate::view::View;
use crate::{Control, Error, Result, select};

/// A choice among the CPU, each GPU, and all GPUs together.
#[derive(Debug)]
pub(crate) struct AutoEngine {
    /// The CPU first, then the GPUs, then all GPUs together if there are several.
    candidates: Vec<Candidate>,
    engines: Vec<Arc<dyn Engine>>,
}

/// A device that work can go to, or several that share it.
#[derive(Debug)]
struct Candidate {
    engine: Arc<dyn Engine>,
    members: Vec<Member>,
}

/// Arrays from this size on are uploaded to a GPU; smaller ones are cheaper to use on the CPU.
const WORTH_UPLOADING: usize = 1 << 20;

impl Candidate {
    fn rates(&self, load: &Load) -> Result<Rates> {
        let rates: Result<Vec<Rates>> = self.members.iter().map(|member| member.rates(load.kind)).collect();
        Ok(Rates::together(&rates?))
    }
}

/// Where a piece of work could go, the best first, with the predicted cost if it is worth predicting.
struct Ranking<'a> {
    order: Vec<(&'a Candidate, Option<Cost>)>,
    /// Who was left out, and why.
    refused: Vec<(&'a Candidate, Error)>,
}

impl AutoEngine {
    /// The choice between `cpu` and `gpus`.
    pub(crate) fn new(cpu: Member, gpus: Vec<Member>) -> Self {
        let engines = std::iter::once(&cpu).chain(&gpus).map(|member| member.engine.clone()).collect();
        let single = |member: Member| Candidate { engine: member.engine.clone(), members: vec![member] };
        let together =
            (gpus.len() > 1).then(|| Candidate { engine: Arc::new(SplitEngine::new(gpus.clone())), members: gpus.clone() });
        let candidates = std::iter::once(cpu).chain(gpus).map(single).chain(together).collect();
        Self { candidates, engines }
    }

    /// Ranks the candidates for `load`; `inputs` says which of them hold its operands, if it is known.
    fn rank(&self, load: &Load, inputs: Option<&[&Input<'_>]>) -> Ranking<'_> {
        let (cpu, gpus) = (&self.candidates[0], &self.candidates[1..]);
        let holds = |candidate: &Candidate| match inputs {
            Some(inputs) => inputs.iter().filter(|input| input.is_resident()).all(|input| candidate.engine.holds(input)),
            None => !std::ptr::eq(candidate, cpu) && candidate.members.len() == 1,
        };
        if !load.kind.matters(load.work) {
            // Too little to measure: it is done where the data is.
            let mut order: Vec<_> = self.candidates.iter().map(|candidate| (candidate, None)).collect();
            let resident = load.device_bytes > load.host_bytes;
            if resident && let Some(owner) = (1..order.len()).find(|&index| holds(&self.candidates[index])) {
                order.swap(0, owner);
            }
            return Ranking { order, refused: vec![] };
        }
        // What lies on a GPU comes back over the slowest link that is known.
        let away = if load.device_bytes == 0 {
            f64::INFINITY
        } else {
            gpus.iter().filter_map(|gpu| gpu.rates(load).ok()).map(|rates| rates.down).fold(f64::INFINITY, f64::min)
        };
        let mut ranking = Ranking { order: vec![], refused: vec![] };
        for candidate in &self.candidates {
            match candidate.rates(load) {
                Ok(rates) => {
                    let fetched = (!holds(candidate)).then_some(away);
                    ranking.order.push((candidate, Some(load.cost(&rates, fetched))));
                }
                Err(error) => ranking.refused.push((candidate, error)),
            }
        }
        let total = |cost: &Option<Cost>| cost.map_or(0.0, |cost| cost.total());
        ranking.order.sort_by(|(_, a), (_, b)| total(a).total_cmp(&total(b)));
        for (candidate, error) in &ranking.refused {
            if !matches!(error, Error::Unsupported { .. }) {
                static SAID: AtomicBool = AtomicBool::new(false);
                let id = candidate.engine.info().id;
                select::tell_once(&SAID, format_args!("warning: {id} is left out, because it failed when measured: {error}"));
            }
        }
        ranking
    }

    /// Runs the work on the best device; if that lacks a feature, on the next.
    fn run<T>(&self, load: &Load, inputs: &[&Input<'_>], mut work: impl FnMut(&dyn Engine) -> Result<T>) -> Result<T> {
        let ranking = self.rank(load, Some(inputs));
        let mut lacking = None;
        for (candidate, _) in &ranking.order {
            match work(&*candidate.engine) {
                Err(error @ Error::Unsupported { .. }) => lacking = Some(error),
                result => return result,
            }
        }
        match lacking.or_else(|| ranking.refused.into_iter().next().map(|(_, error)| error)) {
            Some(error) => Err(error),
            None => work(&*self.candidates[0].engine),
        }
    }
}

/// The load of operands of which a second one may be smaller than the plan says: it is broadcast.
fn placed(load: Load, inputs: &[&Input<'_>]) -> Load {
    let device_bytes = inputs.iter().filter(|input| input.is_resident()).map(|input| bytes_of(input)).sum();
    Load { device_bytes, to_host: load.to_host || device_bytes == 0, ..load }
}

/// Bytes of the inputs in host memory.
fn host_bytes(inputs: &[&Input<'_>]) -> u64 {
    inputs.iter().filter(|input| !input.is_resident()).map(|input| bytes_of(input)).sum()
}

fn bytes_of(input: &Input<'_>) -> u64 {
    (input.shape().iter().product::<usize>() * input.dtype().size()) as u64
}

/// Where a result goes, for more than one attempt.
struct Attempts<'a>(Target<'a>);

impl Attempts<'_> {
    fn next(&mut self) -> Target<'_> {
        match &mut self.0 {
            Target::Host(view) => Target::Host(view.reborrow()),
            Target::Device(reuse) => Target::Device(reuse.take()),
        }
    }

    fn to_host(&self) -> bool {
        matches!(self.0, Target::Host(_))
    }
}

impl sealed::Sealed for AutoEngine {}

impl Engine for AutoEngine {
    fn info(&self) -> DeviceInfo {
        super::info(Some("auto"), &self.engines)
    }

    fn counters(&self) -> Counters {
        super::counters(&self.engines)
    }

    fn convolve(
        &self,
        plan: &ConvolvePlan,
        image: &Input<'_>,
        kernel: &Input<'_>,
        target: Target<'_>,
        control: &Control,
    ) -> Result<Option<Storage>> {
        let mut target = Attempts(target);
        let load = Load::convolve(plan, host_bytes(&[image, kernel]), target.to_host());
        self.run(&load, &[image, kernel], |engine| engine.convolve(plan, image, kernel, target.next(), control))
    }

    fn separable(
        &self,
        plan: &SeparablePlan,
        input: &Input<'_>,
        target: Target<'_>,
        control: &Control,
    ) -> Result<Option<Storage>> {
        let mut target = Attempts(target);
        let load = Load::separable(plan, host_bytes(&[input]), target.to_host());
        self.run(&load, &[input], |engine| engine.separable(plan, input, target.next(), control))
    }

    fn reduce(&self, plan: &ReducePlan, inputs: &[Input<'_>], target: Target<'_>, control: &Control) -> Result<Option<Storage>> {
        let mut target = Attempts(target);
        let all: Vec<&Input<'_>> = inputs.iter().collect();
        let load = placed(Load::reduce(plan, host_bytes(&all), target.to_host()), &all);
        self.run(&load, &all, |engine| engine.reduce(plan, inputs, target.next(), control))
    }

    fn reduce_partials(&self, plan: &ReducePlan, inputs: &[Input<'_>], control: &Control) -> Result<Partials> {
        let all: Vec<&Input<'_>> = inputs.iter().collect();
        let load = placed(Load::reduce(plan, host_bytes(&all), true), &all);
        self.run(&load, &all, |engine| engine.reduce_partials(plan, inputs, control))
    }

    fn operate(
        &self,
        operation: &Operation,
        inputs: &[Input<'_>],
        targets: Vec<Target<'_>>,
        control: &Control,
    ) -> Result<Vec<Option<Storage>>> {
        let mut targets: Vec<Attempts<'_>> = targets.into_iter().map(Attempts).collect();
        let all: Vec<&Input<'_>> = inputs.iter().collect();
        let load = placed(Load::operate(operation, host_bytes(&all), targets.iter().any(Attempts::to_host)), &all);
        self.run(&load, &all, |engine| {
            engine.operate(operation, inputs, targets.iter_mut().map(Attempts::next).collect(), control)
        })
    }

    fn group(&self, plan: &GroupPlan, keys: &Input<'_>, values: Option<&Input<'_>>, control: &Control) -> Result<Grouped> {
        let all: Vec<&Input<'_>> = std::iter::once(keys).chain(values).collect();
        let load = Load::group(plan, host_bytes(&all));
        self.run(&load, &all, |engine| engine.group(plan, keys, values, control))
    }

    fn map(&self, plan: &MapPlan, inputs: &[Input<'_>], target: Target<'_>, control: &Control) -> Result<Option<Storage>> {
        let mut target = Attempts(target);
        let all: Vec<_> = inputs.iter().collect();
        let load = Load::map(plan, host_bytes(&all), target.to_host(), false);
        self.run(&load, &all, |engine| engine.map(plan, inputs, target.next(), control))
    }

    fn map_partials(&self, plan: &MapPlan, op: ReduceOp, inputs: &[Input<'_>], control: &Control) -> Result<Partials> {
        let all: Vec<_> = inputs.iter().collect();
        let load = Load::map(plan, host_bytes(&all), true, true);
        self.run(&load, &all, |engine| engine.map_partials(plan, op, inputs, control))
    }

    fn integrate(&self, plan: &IntegratePlan, control: &Control) -> Result<IntegralSums> {
        self.run(&Load::integrate(plan), &[], |engine| engine.integrate(plan, control))
    }

    fn count_hits(&self, plan: &MonteCarloPlan, control: &Control) -> Result<Tally> {
        self.run(&Load::samples(plan), &[], |engine| engine.count_hits(plan, control))
    }

    fn random(&self, plan: &RandomPlan, target: Target<'_>, control: &Control) -> Result<Option<Storage>> {
        let mut target = Attempts(target);
        let load = Load::random(plan, target.to_host());
        self.run(&load, &[], |engine| engine.random(plan, target.next(), control))
    }

    fn upload(&self, view: &View<'_>) -> Result<Storage> {
        let large = view.len() * view.dtype().size() >= WORTH_UPLOADING;
        self.candidates[usize::from(large && self.candidates.len() > 1)].engine.upload(view)
    }

    fn holds(&self, input: &Input<'_>) -> bool {
        self.engines.iter().any(|engine| engine.holds(input))
    }

    fn members(&self) -> &[Arc<dyn Engine>] {
        &self.engines
    }

    fn explain(&self, work: Work<'_>) -> String {
        let load = Load::of(work);
        let ranking = self.rank(&load, None);
        let id = |candidate: &Candidate| candidate.engine.info().id;
        let mut said: Vec<String> = match ranking.order.first() {
            Some((best, None)) => {
                vec![format!("{}: {} {} are too little work to move", id(best), load.work, load.kind.unit())]
            }
            _ => ranking.order.iter().filter_map(|(c, cost)| cost.map(|cost| format!("{}: {cost}", id(c)))).collect(),
        };
        if let (Work::Convolve(plan, _), Some((best, _))) = (work, ranking.order.first()) {
            said.extend(best.engine.algorithm(plan).map(|text| format!("on {}: {text}", id(best))));
        }
        said.extend(ranking.refused.iter().map(|(candidate, error)| format!("{}: not possible: {error}", id(candidate))));
        said.join("; ")
    }
}
