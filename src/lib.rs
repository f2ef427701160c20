//! unisono: batched convolution, exact reductions and Monte Carlo on every CPU and GPU. One call, any device, one answer.
//!
//! ```
//! use ndarray::{Ix2, array};
//! use unisono::{Backend, Boundary, Convolve};
//!
//! # fn main() -> unisono::Result<()> {
//! let backend = Backend::auto(); // never fails: the CPU is always there
//! let image = array![[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]];
//! let sobel = array![[1.0f32, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]];
//! let edges = backend.convolve(&image, &sobel, &Convolve::d2().same().boundary(Boundary::Reflect))?;
//! let total = backend.sum(&edges)?; // exact; stays on the device until asked
//! let pi = backend.pi(1_000_000, 42)?;
//! println!("{} {} {:?}", total.item()?, pi.estimate, edges.into_ndarray::<Ix2>()?);
//! # Ok(())
//! # }
//! ```

mod array;
mod backend;
mod checkpoint;
mod chunks;
mod complex;
mod control;
mod cpu;
mod dtype;
mod engine;
mod error;
mod exact;
mod expr;
pub mod filters;
mod fork;
#[cfg(feature = "gpu")]
mod gpu;
mod histogram;
mod job;
mod labels;
mod nan;
mod philox;
mod plan;
pub mod random;
mod schedule;
mod select;
mod view;

pub use array::{Array, AsOperand, AsOutput, DynArray, HostVec, Operand, Output, Storage};
pub use backend::{Backend, Float};
pub use checkpoint::Goal;
pub use chunks::Chunked;
pub use control::{Control, Progress};
pub use dtype::{Dtype, Element, Promote, Real};
pub use engine::{Counters, DeviceClass, DeviceInfo, Engine, Input, Target, Work};
pub use error::{Error, Result};
pub use exact::{ExactDot, ExactSum, MinMax, Moments};
pub use expr::Expression;
#[cfg(feature = "gpu")]
pub use gpu::GpuBuffer;
pub use histogram::{Bins, Histogram};
pub use job::Job;
pub use labels::LabelPartials;
pub use philox::Philox4x32;
pub use plan::{
    Accumulator, Accuracy, Algorithm, Beside, Boundary, Centre, Combine, Convolve, ConvolvePlan, Direction, Exponent, Factor,
    First, FloatProduct, GroupOp, GroupPlan, Grouped, Groups, IntegerProduct, Integral, IntegralMethod, IntegralState,
    IntegralSums, Integrate, IntegratePlan, Lanes, LogSumExp, LogSumExpPlan, Map, MapPlan, Mode, MonteCarlo, MonteCarloPlan,
    MonteCarloState, NormOrder, Operation, OperationKind, Overflow, Partials, Pass, Pi, PiMethod, Quantile, QuantileMethod,
    QuantilePlan, Reduce, ReduceOp, ReducePlan, Reduction, Scalar, Scan, ScanOp, ScanPlan, Separable, SeparablePart,
    SeparablePlan, SumMode, Tally, TopK, TopKPlan, op,
};
pub use select::{Device, devices};
pub use view::{View, ViewMut};
