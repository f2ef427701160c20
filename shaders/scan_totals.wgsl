// The total of every block of every lane but the last: state b + 1 of a lane is of block b. State 0 is of what comes before.
@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> state: array<u32>;
@group(0) @binding(2) var<uniform> params: Params;

fn word(i: u32) -> u32 {
    return x[i];
}

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) w: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    let job = job_number(w, grid, t);
    walk_begin(t);
    if (job < params.end) {
        // Neighbouring invocations have neighbouring lanes.
        let block = job / params.lanes;
        let lane = job - block * params.lanes;
        let first = block * BLOCK;
        let end = min(first + BLOCK, params.len);
        var at = lane_start(lane) + first * params.step;
        for (var i = first; i < end; i += 1u) {
            walk_push(element(at));
            at += params.step;
        }
        walk_save(params.level + (block + 1u) * params.lanes + lane, params.states);
    }
}
