// The results of every block of every lane: each goes on from the state before it. failed[0] becomes nonzero if a result does
// not fit. The part before gives Out, the type of a word of the results: narrow results share one.
@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> state: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<Out>;
@group(0) @binding(3) var<storage, read_write> failed: array<atomic<u32>>;
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
    let job = job_number(w, grid, t);
    walk_begin(t);
    if (job < params.end) {
        let block = job / params.lanes;
        let lane = job - block * params.lanes;
        let first = block * BLOCK;
        let end = min(first + BLOCK, params.len);
        if (params.states > 0u) {
            walk_merge(params.level + block * params.lanes + lane, params.states);
        }
        var at = lane_start(lane) + first * params.step;
        var to = lane_result(lane) + first * params.out_step;
        if (params.lead > 0u) {
            if (block == 0u) {
                put(to, vec2<u32>(IDENTITY_LOW, IDENTITY_HIGH));
            }
            to += params.out_step;
        }
        for (var i = first; i < end; i += 1u) {
            walk_push(element(at));
            put(to, walk_result());
            at += params.step;
            to += params.out_step;
        }
        if (walk_failed()) {
            atomicStore(&failed[0], 1u);
        }
    }
}
