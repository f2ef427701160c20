// The exact sum of an expression over elements, or of an integrand over samples and of its squares: `evaluate_at(index)` is
// generated, from expr_ parts joined in front. No value is written to memory.
@compute @workgroup_size(SIZE)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    sums_begin(t);
    var pushed = 0u;
    for (var at = group.x * SIZE + t; at < params.count; at += groups.x * SIZE) {
        sums_push(evaluate_at(at), t);
        pushed += 1u;
        if (pushed == RUN) {
            sums_settle(t);
            pushed = 0u;
        }
    }
    sums_settle(t);
    sums_end(t, group.x);
}
