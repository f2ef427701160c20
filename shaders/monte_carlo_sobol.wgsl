// Counts the hits of every replicate among a range of Sobol's points, each replicate under its own digital shifts.
// Parts: mul_wide_u64 or mul_wide_u32, then pi_inside.

// Invocations: a multiple of the 32 replicates.
override SIZE: u32 = 256u;

struct Params {
    // The shifts of x and y of replicates 2i and 2i + 1.
    shifts: array<vec4<u32>, 16>,
    // The first point.
    start: u32,
    // Points, at most 2^31.
    points: u32,
    // Points per invocation, below 32768.
    steps: u32,
    pad: u32,
}

// The hits of every replicate so far, low words first.
@group(0) @binding(0) var<storage, read_write> counts: array<atomic<u32>, 64>;
@group(0) @binding(1) var<uniform> params: Params;

var<workgroup> group_counts: array<atomic<u32>, 32>;

// The second coordinate of the point of a Gray code: its direction numbers are the rows of Pascal's triangle modulo 2, in which
// an entry is odd where the bits of the column are among those of the row.
fn second_axis(gray: u32) -> u32 {
    var z = gray;
    z ^= (z >> 1u) & 0x55555555u;
    z ^= (z >> 2u) & 0x33333333u;
    z ^= (z >> 4u) & 0x0F0F0F0Fu;
    z ^= (z >> 8u) & 0x00FF00FFu;
    z ^= z >> 16u;
    return reverseBits(z);
}

@compute @workgroup_size(SIZE)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let replicate = local & 31u;
    if (local < 32u) {
        atomicStore(&group_counts[local], 0u);
    }
    workgroupBarrier();
    let pair = params.shifts[replicate >> 1u];
    let shift = select(pair.xy, pair.zw, (replicate & 1u) == 1u);
    let rows = SIZE / 32u;
    let width = groups.x * groups.y * groups.z * rows;
    var at = ((group.z * groups.y + group.y) * groups.x + group.x) * rows + (local >> 5u);
    var count = 0u;
    for (var step = 0u; step < params.steps; step += 1u) {
        if (at < params.points) {
            let index = params.start + at;
            let gray = index ^ (index >> 1u);
            let x = reverseBits(gray) ^ shift.x;
            let y = second_axis(gray) ^ shift.y;
            count += inside(x >> (32u - BITS), y >> (32u - BITS));
        }
        at += width;
    }
    atomicAdd(&group_counts[replicate], count);
    workgroupBarrier();
    if (local < 32u) {
        let sum = atomicLoad(&group_counts[local]);
        let before = atomicAdd(&counts[2u * local], sum);
        if (before + sum < before) {
            atomicAdd(&counts[2u * local + 1u], 1u);
        }
    }
}
