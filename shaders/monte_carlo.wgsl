// Counts the hits among the samples of a range of blocks: four samples per block, one per word. A word's halves, as signed
// 16-bit integers, are x and y; it is a hit when x(x+1) + y(y+1) < 2^30.
// Parts: mul_wide_u64 or mul_wide_u32, then philox.
override SIZE: u32 = 256u;

struct Params {
    // The keys of rounds 2i and 2i + 1.
    keys: array<vec4<u32>, 5>,
    // The first block, low word first.
    start: vec2<u32>,
    // Blocks, below 2^32 less the number of invocations.
    blocks: u32,
    // Blocks per invocation, below 32768.
    steps: u32,
}

// The hits so far, low word first.
@group(0) @binding(0) var<storage, read_write> hits: array<atomic<u32>, 2>;
@group(0) @binding(1) var<uniform> params: Params;

var<workgroup> group_hits: atomic<u32>;

fn is_hit(word: u32) -> u32 {
    let x = bitcast<i32>(word << 16u) >> 16u;
    let y = bitcast<i32>(word) >> 16u;
    // At most 2^31 - 2^16: no overflow.
    return u32(x * (x + 1) + y * (y + 1) < 0x40000000);
}

@compute @workgroup_size(SIZE)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    if (local == 0u) {
        atomicStore(&group_hits, 0u);
    }
    workgroupBarrier();
    let width = groups.x * groups.y * groups.z * SIZE;
    var at = ((group.z * groups.y + group.y) * groups.x + group.x) * SIZE + local;
    var count = 0u;
    for (var step = 0u; step < params.steps; step += 1u) {
        if (at < params.blocks) {
            let low = params.start.x + at;
            let high = params.start.y + u32(low < at);
            var c = vec4<u32>(low, high, 0u, 0u);
            c = philox_round(c, params.keys[0].xy);
            c = philox_round(c, params.keys[0].zw);
            c = philox_round(c, params.keys[1].xy);
            c = philox_round(c, params.keys[1].zw);
            c = philox_round(c, params.keys[2].xy);
            c = philox_round(c, params.keys[2].zw);
            c = philox_round(c, params.keys[3].xy);
            c = philox_round(c, params.keys[3].zw);
            c = philox_round(c, params.keys[4].xy);
            c = philox_round(c, params.keys[4].zw);
            count += is_hit(c.x) + is_hit(c.y) + is_hit(c.z) + is_hit(c.w);
        }
        at += width;
    }
    // At most 4 * 32767 * 1024 per workgroup: no overflow.
    atomicAdd(&group_hits, count);
    workgroupBarrier();
    if (local == 0u) {
        let sum = atomicLoad(&group_hits);
        let before = atomicAdd(&hits[0], sum);
        if (before + sum < before) {
            atomicAdd(&hits[1], 1u);
        }
    }
}
