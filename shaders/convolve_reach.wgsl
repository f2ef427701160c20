// The largest magnitude of an array of 32-bit or, if WIDE, 64-bit integers, as range analysis needs it: of the latter the
// largest upper half of all and the largest lower half of those whose upper half is 0.
@group(0) @binding(0) var<storage, read> data: array<u32>;
@group(0) @binding(1) var<storage, read_write> largest: array<atomic<u32>, 2>;
@group(0) @binding(2) var<uniform> p: ReachParams;

struct ReachParams {
    // The first element to read, and the number of elements of the array.
    first: u32,
    count: u32,
    unused_a: u32,
    unused_b: u32,
}

// Elements per invocation.
const EACH: u32 = 32u;
const GROUP: u32 = 128u;

var<workgroup> found: array<atomic<u32>, 2>;

// The magnitude: low, high.
fn magnitude(i: u32) -> vec2<u32> {
    if (WIDE) {
        let v = vec2<u32>(data[2u * i], data[2u * i + 1u]);
        if (SIGNED && (v.y >> 31u) == 1u) {
            return vec2<u32>(0u - v.x, ~v.y + u32(v.x == 0u));
        }
        return v;
    }
    let v = data[i];
    return vec2<u32>(select(v, 0u - v, SIGNED && (v >> 31u) == 1u), 0u);
}

@compute @workgroup_size(128)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) li: u32,
) {
    if (li < 2u) {
        atomicStore(&found[li], 0u);
    }
    workgroupBarrier();
    let start = p.first + ((group.z * grid.y + group.y) * grid.x + group.x) * GROUP * EACH + li;
    var most = vec2<u32>();
    for (var j = 0u; j < EACH; j++) {
        let i = start + j * GROUP;
        if (i < p.count) {
            let m = magnitude(i);
            most.y = max(most.y, m.y);
            most.x = max(most.x, select(0u, m.x, m.y == 0u));
        }
    }
    atomicMax(&found[0], most.x);
    atomicMax(&found[1], most.y);
    workgroupBarrier();
    if (li < 2u) {
        atomicMax(&largest[li], atomicLoad(&found[li]));
    }
}
