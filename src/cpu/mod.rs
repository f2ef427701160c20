//! The CPU engine.
mod convolve;
mod monte_carlo;
mod reduce;

use crate::array::Storage;
use crate::engine::*;
use crate::plan::*;
use crate::view::View;
use crate::{Control, Result};

/// The CPU engine.
#[derive(Debug)]
pub(crate) struct CpuEngine {}
impl CpuEngine {
    /// An engine of so many threads; `None` for all.
    pub(crate) fn new(_threads: Option<usize>) -> Self {
        Self {}
    }
}
impl sealed::Sealed for CpuEngine {}
impl Engine for CpuEngine {
    fn info(&self) -> DeviceInfo {
        todo!()
    }
    fn counters(&self) -> Counters {
        todo!()
    }
    fn convolve(&self, _: &ConvolvePlan, _: &Input<'_>, _: &Input<'_>, _: Target<'_>, _: &Control) -> Result<Option<Storage>> {
        todo!()
    }
    fn reduce(&self, _: &ReducePlan, _: &Input<'_>, _: Target<'_>, _: &Control) -> Result<Option<Storage>> {
        todo!()
    }
    fn reduce_partials(&self, _: &ReducePlan, _: &Input<'_>, _: &Control) -> Result<Partials> {
        todo!()
    }
    fn count_hits(&self, _: &MonteCarloPlan, _: &Control) -> Result<u64> {
        todo!()
    }
    fn upload(&self, _: &View<'_>) -> Result<Storage> {
        todo!()
    }
}
