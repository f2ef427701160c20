// Merges slots 1.. of each result's state into slot 0: one workgroup per result.
@group(0) @binding(0) var<storage, read_write> state: array<u32>;
@group(0) @binding(1) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) w: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    let g = group_number(w, grid);
    acc_begin(t);
    if (g < params.group_end) {
        var pushed = 0u;
        for (var s = 1u + t; s < params.splits; s += WG) {
            acc_fold(s * WORDS * params.n + g);
            pushed += 1u;
            if (pushed >= RUN) {
                acc_settle();
                pushed = 0u;
            }
        }
    }
    acc_settle();
    acc_group(t);
    if (g < params.group_end && t == 0u) {
        acc_flush(g);
    }
}
