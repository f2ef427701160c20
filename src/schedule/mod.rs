//! Choice and splitting among several engines.
//!
//! [`SplitEngine`] spreads one piece of work over its members in proportion to their measured speed; [`AutoEngine`]
//! predicts which device finishes a piece of work first and runs it there. Both take their numbers from one model
//! ([`cost`]) fed by one kind of measurement ([`calibrate`]).

mod auto;
mod calibrate;
mod cost;
mod engine;
mod parts;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::engine::{Counters, DeviceClass, DeviceInfo, Engine};

use auto::AutoEngine;
use calibrate::Member;
use engine::SplitEngine;

/// One engine that shares its work among `members`.
pub(crate) fn join(members: Vec<Arc<dyn Engine>>) -> Arc<dyn Engine> {
    Arc::new(SplitEngine::new(members.into_iter().map(Member::measured).collect()))
}

/// The engine that chooses between the CPU and all of `gpus` by measurement; without any the CPU itself.
pub(crate) fn choose(cpu: Arc<dyn Engine>, gpus: Vec<Arc<dyn Engine>>) -> Arc<dyn Engine> {
    if gpus.is_empty() {
        return cpu;
    }
    Arc::new(AutoEngine::new(Member::measured(cpu), gpus.into_iter().map(Member::measured).collect()))
}

/// What several devices do together.
fn counters<'a>(engines: impl IntoIterator<Item = &'a Arc<dyn Engine>>) -> Counters {
    engines.into_iter().map(|engine| engine.counters()).fold(Counters::default(), |a, b| Counters {
        operations: a.operations + b.operations,
        work: a.work + b.work,
        dispatches: a.dispatches + b.dispatches,
        uploaded: a.uploaded + b.uploaded,
        downloaded: a.downloaded + b.downloaded,
        peak: a.peak + b.peak,
    })
}

/// What is known about several devices that go by one text.
fn info<'a>(id: Option<&str>, engines: impl IntoIterator<Item = &'a Arc<dyn Engine>>) -> DeviceInfo {
    let infos: Vec<DeviceInfo> = engines.into_iter().map(|engine| engine.info()).collect();
    let joined = |of: fn(&DeviceInfo) -> &str, by: &str| infos.iter().map(of).collect::<Vec<_>>().join(by);
    // Of limits, 0 means none.
    let least = |of: fn(&DeviceInfo) -> u64| infos.iter().map(of).filter(|&limit| limit > 0).min().unwrap_or(0);
    DeviceInfo {
        id: id.map_or_else(|| joined(|info| &info.id, "+"), Into::into),
        name: joined(|info| &info.name, " + "),
        class: DeviceClass::Several,
        backend: joined(|info| &info.backend, " + "),
        driver: joined(|info| &info.driver, " + "),
        pci: None,
        threads: infos.iter().map(|info| info.threads).sum(),
        max_buffer: least(|info| info.max_buffer),
        max_binding: least(|info| info.max_binding),
        workgroup_memory: least(|info| info.workgroup_memory as u64) as u32,
        workgroup_invocations: least(|info| info.workgroup_invocations as u64) as u32,
        // Work that a member cannot do goes to the others.
        f64: infos.iter().any(|info| info.f64),
        int64: infos.iter().all(|info| info.int64),
        warnings: infos.iter().flat_map(|info| info.warnings.iter().map(|text| format!("{}: {text}", info.id))).collect(),
    }
}
