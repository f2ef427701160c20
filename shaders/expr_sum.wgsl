// The exact sum of an expression over elements, or of an integrand over samples and of its squares: `evaluate_at(index)` is
// generated, from expr_ parts joined in front. No value is written to memory.
@compute @workgroup_size(SIZE)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    sums_begin(t);
    var at = group.x * SIZE + t;
    loop {
        for (var pushed = 0u; pushed < RUN && at < params.count; pushed += 1u) {
            sums_push(evaluate_at(at), t);
            at += groups.x * SIZE;
        }
        sums_settle(t);
        if (at >= params.count) {
            break;
        }
    }
    sums_end(t, group.x);
}
