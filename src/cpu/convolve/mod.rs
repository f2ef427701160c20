//! Convolution on the CPU.
