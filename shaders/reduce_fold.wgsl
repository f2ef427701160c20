// Merges slots 1.. of each result's state into slot 0: one workgroup per result.
@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) w: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    let g = group_number(w, grid);
    acc_begin(t);
    if (g < p.group_end) {
        var pushed = 0u;
        for (var s = 1u + t; s < p.splits; s += WG) {
            acc_fold(s * WORDS * p.n + g);
            pushed += 1u;
            if (pushed >= RUN) {
                acc_settle();
                pushed = 0u;
            }
        }
    }
    acc_settle();
    acc_group(t);
    if (g < p.group_end && t == 0u) {
        acc_flush(g);
    }
}
