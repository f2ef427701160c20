// The next digit of every job: that of the element of the job's rank. A job is the key so far, the index so far, and the rank
// among the elements that begin so. The counts are 0 again.
@group(0) @binding(0) var<storage, read_write> jobs: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> counts: array<u32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) w: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    let job = params.first + ((w.z * grid.y + w.y) * grid.x + w.x) * WG + t;
    if (job < params.end) {
        var state = jobs[job];
        var before = 0u;
        var digit = 0u;
        var rank = state.w;
        for (var d = 0u; d < 256u; d += 1u) {
            let count = counts[256u * job + d];
            counts[256u * job + d] = 0u;
            if (before <= state.w && state.w - before < count) {
                digit = d;
                rank = state.w - before;
            }
            before += count;
        }
        state.w = rank;
        let place = digit << (params.shift & 31u);
        if (params.by_index != 0u) {
            state.z |= place;
        } else if (params.shift >= 32u) {
            state.y |= place;
        } else {
            state.x |= place;
        }
        jobs[job] = state;
    }
}
