// How many elements of a lane have each next digit, among those that begin as the job's key does so far. A workgroup counts
// in its own memory a part of the lane, and adds that to the job's counts.
@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read> jobs: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> counts: array<atomic<u32>>;
@group(0) @binding(4) var<uniform> params: Params;

var<workgroup> mine: array<atomic<u32>, 256>;

fn word(i: u32) -> u32 {
    return x[i];
}

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) w: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    let group = group_number(w, grid);
    for (var d = t; d < 256u; d += WG) {
        atomicStore(&mine[d], 0u);
    }
    workgroupBarrier();
    let job = group / params.splits;
    let alive = group < params.end;
    if (alive) {
        let split = group - job * params.splits;
        let state = jobs[job];
        let lane = (params.job + job) / params.ranks;
        let origin = lane_start(lane);
        let beside = beside_lane_start(lane);
        let above = params.shift + 8u;
        for (var i = split * WG + t; i < params.len; i += params.splits * WG) {
            let k = select_key(element(origin + i * params.step));
            if (params.by_index != 0u) {
                let index = params.base + i;
                let same = above >= 32u || (index >> (above & 31u)) == (state.z >> (above & 31u));
                if (all(k == state.xy) && same) {
                    atomicAdd(&mine[(index >> params.shift) & 255u], 1u);
                }
            } else if ((above >= BITS || all(key_above(k, above) == key_above(state.xy, above))) && is_taken(beside, i)) {
                atomicAdd(&mine[key_above(k, params.shift).x & 255u], 1u);
            }
        }
    }
    workgroupBarrier();
    if (alive) {
        for (var d = t; d < 256u; d += WG) {
            let count = atomicLoad(&mine[d]);
            if (count != 0u) {
                atomicAdd(&counts[256u * job + d], count);
            }
        }
    }
}
