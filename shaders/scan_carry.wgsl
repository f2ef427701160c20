// Scans of states, BLOCK of a lane at a time. UP: the total of each such group to the level above. Else: each state becomes
// the total up to and with it, beginning with what the level above says of the groups before.
@group(0) @binding(0) var<storage, read_write> state: array<u32>;
@group(0) @binding(1) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) w: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    let job = job_number(w, grid, t);
    walk_begin(t);
    if (job < params.end) {
        let group = job / params.lanes;
        let lane = job - group * params.lanes;
        let first = group * BLOCK;
        let end = min(first + BLOCK, params.len);
        if (!UP && group > 0u && params.upper_states > 0u) {
            walk_merge(params.upper + (group - 1u) * params.lanes + lane, params.upper_states);
        }
        for (var i = first; i < end; i += 1u) {
            let at = params.level + i * params.lanes + lane;
            walk_merge(at, params.states);
            if (!UP) {
                walk_save(at, params.states);
            }
        }
        if (UP) {
            walk_save(params.upper + group * params.lanes + lane, params.upper_states);
        }
    }
}
