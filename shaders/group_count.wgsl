// Counts of elements by group, or by group and bin. The part before gives count_of, which count element i belongs to. Invocations
// count in workgroup memory where the groups fit it, and add that to the counts at the end; else in the counts themselves.
@group(0) @binding(0) var<storage, read> elements: array<u32>;
@group(0) @binding(1) var<storage, read> thresholds: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read_write> counts: array<atomic<u32>>;
@group(0) @binding(4) var<uniform> params: Params;

fn visit(i: u32) {
    let found = count_of(i);
    if (found < params.groups * max(params.cells, 1u)) {
        if (PRIVATE) {
            atomicAdd(&mine[found], 1u);
        } else {
            atomicAdd(&counts[found], 1u);
        }
    }
}

fn hand_over(local: u32) {
    for (var i = local; i < params.groups * max(params.cells, 1u); i += WG) {
        let count = atomicLoad(&mine[i]);
        if (count != 0u) {
            atomicAdd(&counts[i], count);
        }
    }
}
