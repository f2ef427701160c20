//! Choice and splitting among several engines.

use std::sync::Arc;

use crate::engine::Engine;
use crate::{Error, Result};

/// One engine that shares its work among `members`.
pub(crate) fn join(members: Vec<Arc<dyn Engine>>) -> Result<Arc<dyn Engine>> {
    let id = members.iter().map(|member| member.info().id).collect::<Vec<_>>().join("+");
    Err(Error::NoDevice { device: id, reason: "devices cannot be joined yet".into() })
}

/// The engine that chooses among the CPU and hardware GPUs by measurement.
pub(crate) fn choose(cpu: Arc<dyn Engine>, gpus: Vec<Arc<dyn Engine>>) -> Arc<dyn Engine> {
    gpus.into_iter().next().unwrap_or(cpu)
}
