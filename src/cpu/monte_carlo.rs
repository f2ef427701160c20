//! Hits on the CPU.
