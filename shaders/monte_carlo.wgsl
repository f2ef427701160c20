// Counts the points inside the circle, and the samples that have no other, among those of a range of blocks of Philox4x32-10.
// Parts: mul_wide_u64 or mul_wide_u32, philox, philox_rounds, then pi_square, or pi_inside and pi_quadrant.
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

// The counts so far, low words first.
@group(0) @binding(0) var<storage, read_write> counts: array<atomic<u32>, 4>;
@group(0) @binding(1) var<uniform> params: Params;

var<workgroup> group_counts: array<atomic<u32>, 2>;

@compute @workgroup_size(SIZE)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    if (local < 2u) {
        atomicStore(&group_counts[local], 0u);
    }
    workgroupBarrier();
    let width = groups.x * groups.y * groups.z * SIZE;
    var at = ((group.z * groups.y + group.y) * groups.x + group.x) * SIZE + local;
    var count = vec2<u32>(0u);
    for (var step = 0u; step < params.steps; step += 1u) {
        if (at < params.blocks) {
            let low = params.start.x + at;
            let high = params.start.y + u32(low < at);
            count += count_block(philox_rounds(vec4<u32>(low, high, 0u, 0u)), low);
        }
        at += width;
    }
    // At most 16 * 32767 * 1024 per workgroup: no overflow.
    atomicAdd(&group_counts[0], count.x);
    atomicAdd(&group_counts[1], count.y);
    workgroupBarrier();
    if (local < 2u) {
        let sum = atomicLoad(&group_counts[local]);
        let before = atomicAdd(&counts[2u * local], sum);
        if (before + sum < before) {
            atomicAdd(&counts[2u * local + 1u], 1u);
        }
    }
}
