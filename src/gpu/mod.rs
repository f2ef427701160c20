//! The GPU engine.
use std::sync::Arc;

use crate::Result;
use crate::engine::*;
use crate::view::ViewMut;

/// Memory of a GPU.
#[derive(Debug, Clone)]
pub struct GpuBuffer {}
impl GpuBuffer {
    /// Copies the elements to the host.
    pub(crate) fn download(&self, _out: ViewMut<'_>) -> Result<()> {
        todo!()
    }
}
/// Every adapter once, hardware first.
pub(crate) fn list() -> Vec<DeviceInfo> {
    vec![]
}
/// Opens adapter `index` of `list()`; a new logical device each time.
pub(crate) fn open(_index: usize) -> Result<Arc<dyn Engine>> {
    todo!()
}
