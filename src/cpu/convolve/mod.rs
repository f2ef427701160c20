//! Convolution on the CPU.

use super::simd::Simd;
use crate::array::Storage;
use crate::engine::Target;
use crate::plan::ConvolvePlan;
use crate::view::View;
use crate::{Control, Error, Result};

/// Runs `plan` on the current thread pool.
pub(super) fn run(
    _plan: &ConvolvePlan,
    _image: View<'_>,
    _kernel: View<'_>,
    _target: Target<'_>,
    _simd: Simd,
    _control: &Control,
) -> Result<Option<Storage>> {
    Err(Error::Unsupported { device: "cpu".into(), operation: "convolve".into(), feature: "convolution".into() })
}
