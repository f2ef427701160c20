//! The one error type.

use crate::Dtype;

/// What every fallible operation of unisono returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation was refused or failed. Each message names what was given and what was expected.
///
/// No type of a dependency appears here: a wgpu failure is told as one of the device variants.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument (shape, axis, mode, name …) cannot be used.
    #[error("{what}: got {got}, expected {expected}")]
    Invalid {
        /// The argument, in the words of the caller.
        what: String,
        /// What was given.
        got: String,
        /// What would have been accepted.
        expected: String,
    },
    /// A dtype that the operation does not take.
    #[error("{what}: got dtype {got}, expected {expected}")]
    Dtype {
        /// The argument or operation.
        what: String,
        /// The dtype given.
        got: Dtype,
        /// What would have been accepted.
        expected: String,
    },
    /// An exact integer result does not fit the result's dtype.
    #[error("{op}: the exact result does not fit {out_dtype}; choose a wider dtype, or wrap or saturate, where {op} can")]
    Overflow {
        /// The operation.
        op: &'static str,
        /// The dtype that is too narrow.
        out_dtype: Dtype,
    },
    /// The device asked for does not exist or cannot be opened.
    #[error("device {device:?} cannot be used: {reason}")]
    NoDevice {
        /// The text or index that named it.
        device: String,
        /// Why not, and what there is instead.
        reason: String,
    },
    /// The device lacks a feature that the operation needs.
    #[error("{device} cannot run {operation}: it has no {feature}; use another device (cpu has everything)")]
    Unsupported {
        /// The device.
        device: String,
        /// The operation.
        operation: String,
        /// The missing feature.
        feature: String,
    },
    /// The device or the host ran out of memory.
    #[error("{device} is out of memory: {bytes} bytes were asked for")]
    OutOfMemory {
        /// The device.
        device: String,
        /// The request that failed.
        bytes: u64,
    },
    /// The device was lost (driver reset, watchdog, unplugged).
    #[error("{device} was lost: {reason}")]
    DeviceLost {
        /// The device.
        device: String,
        /// What the driver said.
        reason: String,
    },
    /// The driver or the shader compiler refused the work.
    #[error("{device} failed in {stage}: {message}")]
    Device {
        /// The device.
        device: String,
        /// What was being done.
        stage: String,
        /// What the driver said.
        message: String,
    },
    /// The work was cancelled.
    #[error("cancelled after {done} of {total} units of work")]
    Cancelled {
        /// Units done when the cancellation was noticed.
        done: u64,
        /// Units in all, 0 if not known yet.
        total: u64,
    },
    /// Bytes or a state that cannot be read back.
    #[error("{what}: {reason}")]
    Corrupt {
        /// What was being read.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file that cannot be read or written.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
        /// The number of the system's error, if it is one of the system.
        code: Option<i32>,
    },
    /// A job panicked. This is a bug in the job's closure or in unisono.
    #[error("the job panicked: {0}")]
    Panicked(String),
}

impl Error {
    pub(crate) fn invalid(what: impl Into<String>, got: impl std::fmt::Display, expected: impl Into<String>) -> Self {
        Self::Invalid { what: what.into(), got: got.to_string(), expected: expected.into() }
    }

    /// Whether another device could still do the work: true for the failures of a device, false for those of the request.
    pub fn is_device_failure(&self) -> bool {
        matches!(self, Self::Unsupported { .. } | Self::OutOfMemory { .. } | Self::DeviceLost { .. } | Self::Device { .. })
    }
}
