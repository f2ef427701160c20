@group(0) @binding(0) var<storage, read_write> state: array<u32>;
