//! Complex convolution as real convolution: a complex array is a real one with a last axis of two parts, real and imaginary.
//!
//! Conjugation included (`correlate` conjugates the kernel, as `scipy.signal.correlate` does), with `w` the kernel that is
//! multiplied: `re = Σ w_re·x_re − w_im·x_im`, `im = Σ w_im·x_re + w_re·x_im`. So two complex operands are twice as many
//! channels and two real kernels for each; with one of them real, its other half is left out instead of multiplied by zero.

use super::{ConvolvePlan, Direction};

/// What the two parts of a complex result come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Parts {
    /// The result is real.
    One,
    /// A real kernel: part `p` of image `n` is image `2n + p`.
    Images,
    /// A complex kernel: part `p` of kernel `k` is kernel `2k + p`.
    Kernels,
}

impl ConvolvePlan {
    /// What the parts of the result come from.
    pub(crate) fn parts(&self) -> Parts {
        match (self.kernel_dtype.is_complex(), self.image_dtype.is_complex()) {
            (true, _) => Parts::Kernels,
            (false, true) => Parts::Images,
            (false, false) => Parts::One,
        }
    }

    /// Real images for each image.
    pub(crate) fn image_parts(&self) -> usize {
        if self.parts() == Parts::Images { 2 } else { 1 }
    }

    /// Real kernels for each kernel.
    pub(crate) fn kernel_parts(&self) -> usize {
        self.kernel_dtype.parts()
    }

    /// Real channels for each channel: 2 where both operands are complex.
    pub(crate) fn channel_parts(&self) -> usize {
        if self.kernel_dtype.is_complex() { self.image_dtype.parts() } else { 1 }
    }

    /// Real channels that one real output sums over.
    pub(crate) fn sum_channels(&self) -> usize {
        self.channels * self.channel_parts()
    }

    /// Real kernels of a group of channels.
    pub(crate) fn group_kernels(&self) -> usize {
        self.kernel_count() / self.groups * self.kernel_parts()
    }

    /// Which part of a kernel is the weight of real channel `channel` in real kernel `kernel`, and whether it is negated.
    pub(crate) fn weight_part(&self, kernel: usize, channel: usize) -> (usize, bool) {
        if !self.kernel_dtype.is_complex() {
            return (0, false);
        }
        let (p, q) = (kernel % 2, channel % self.channel_parts());
        let part = p ^ q;
        (part, part == 1 && ((q == 1) != (self.direction == Direction::Correlate)))
    }
}
