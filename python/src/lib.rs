//! The native half of the Python package `unisono`: NumPy arrays in and out, the GIL released around all work.
//!
//! The Python half (`python/unisono`) holds signatures, defaults and documentation; this half checks arrays, opens
//! devices and runs. Devices are named by their text in every call, so that nothing native has to survive a fork.

mod arguments;
mod array;
mod carried;
mod convolve;
mod device;
mod device_array;
mod error;
mod exact_sum;
mod exclusive;
mod explain;
mod expression;
mod group;
mod integral;
mod monte_carlo;
mod operate;
mod partials;
mod pi;
mod random;
mod reduce;
mod run;
mod separable;

use pyo3::prelude::*;

/// The native half of the package `unisono`.
#[pymodule]
mod _unisono {
    #[pymodule_export]
    use super::convolve::convolve;
    #[pymodule_export]
    use super::device::{counters, devices, info, open};
    #[pymodule_export]
    use super::device_array::{Array, upload};
    #[pymodule_export]
    use super::exact_sum::ExactSum;
    #[pymodule_export]
    use super::explain::explain_convolve;
    #[pymodule_export]
    use super::expression::{map, map_reduce};
    #[pymodule_export]
    use super::group::{Histogram, LabelPartials, bincount, by_label, histogram, histogram_by_label};
    #[pymodule_export]
    use super::integral::{Integral, IntegralState, Wgsl, integrate};
    #[pymodule_export]
    use super::monte_carlo::MonteCarloState;
    #[pymodule_export]
    use super::operate::{logsumexp, quantile, scan, topk};
    #[pymodule_export]
    use super::partials::{Chunked, ExactDot, MinMax, Moments};
    #[pymodule_export]
    use super::pi::{pi, pi_interval, pi_merge};
    #[pymodule_export]
    use super::random::random;
    #[pymodule_export]
    use super::reduce::reduce;
    #[pymodule_export]
    use super::separable::{convolve_without_nan, separable};
    use super::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        super::array::prepare(module.py())?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
