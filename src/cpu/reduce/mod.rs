//! Reduction on the CPU.
