// The range of the exponents of an array of binary32 or, if WIDE, binary64 numbers: the largest exponent field of the finite
// nonzero elements, and the largest of 4096 less that field. Subnormals count as field 1.
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
            var field: u32;
            var top: u32;
            var nonzero: bool;
            if (WIDE) {
                let high = data[2u * i + 1u] & 0x7fffffffu;
                field = high >> 20u;
                top = 0x7ffu;
                nonzero = (high | data[2u * i]) != 0u;
            } else {
                let bits = data[i] & 0x7fffffffu;
                field = bits >> 23u;
                top = 0xffu;
                nonzero = bits != 0u;
            }
            if (nonzero && field != top) {
                field = max(field, 1u);
                most = max(most, vec2<u32>(field, 4096u - field));
            }
        }
    }
    atomicMax(&found[0], most.x);
    atomicMax(&found[1], most.y);
    workgroupBarrier();
    if (li < 2u) {
        atomicMax(&largest[li], atomicLoad(&found[li]));
    }
}
