//! Finding, naming and opening devices.
use crate::Result;
use crate::engine::*;
use std::sync::Arc;

/// A device, and whether `auto` would take it.
#[derive(Debug, Clone, PartialEq)]
pub struct Device {
    /// What is known about it.
    pub info: DeviceInfo,
    /// Whether `auto` would take it.
    pub auto: bool,
    /// Why, or why not.
    pub reason: String,
}
/// Every device.
pub fn devices() -> Vec<Device> {
    todo!()
}
pub(crate) fn auto() -> Arc<dyn Engine> {
    todo!()
}
pub(crate) fn from_env() -> Result<Arc<dyn Engine>> {
    todo!()
}
pub(crate) fn open(_text: &str) -> Result<Arc<dyn Engine>> {
    todo!()
}
pub(crate) fn cpu() -> Arc<dyn Engine> {
    todo!()
}
pub(crate) fn cpu_threads(_n: usize) -> Result<Arc<dyn Engine>> {
    todo!()
}
pub(crate) fn gpu(_index: usize) -> Result<Arc<dyn Engine>> {
    todo!()
}
