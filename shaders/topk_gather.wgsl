// The elements that do not come after the k-th one of their lane: their indices and bits, in any order. Job j is of lane j.
@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read> jobs: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> cursors: array<atomic<u32>>;
@group(0) @binding(3) var<storage, read_write> kept: array<u32>;
@group(0) @binding(4) var<uniform> params: Params;

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
    let job = group / params.splits;
    if (group < params.end) {
        let split = group - job * params.splits;
        let last = jobs[job];
        let origin = lane_start(params.job + job);
        for (var i = split * WG + t; i < params.len; i += params.splits * WG) {
            let e = element(origin + i * params.step);
            let k = select_key(e);
            let index = params.base + i;
            if (key_before(k, last.xy) || (all(k == last.xy) && index <= last.z)) {
                let slot = atomicAdd(&cursors[job], 1u);
                if (slot < params.k) {
                    let at = 3u * (job * params.k + slot);
                    kept[at] = index;
                    kept[at + 1u] = e.x;
                    kept[at + 2u] = e.y;
                }
            }
        }
    }
}
