//! The laws: what must hold on every device, one file per law. See `docs/testing.md`.

mod algorithms;
mod boundaries;
mod channels;
mod checkpoints;
mod convolve;
mod devices;
mod dtypes;
mod errors;
mod exact_convolve;
mod expressions;
mod integral_states;
mod integrals;
mod jobs;
mod memory;
mod moments;
mod oracle;
mod order;
mod output;
mod pi;
mod properties;
mod random;
mod reduce;
mod resident;
mod scan;
mod separable;
mod sums;
