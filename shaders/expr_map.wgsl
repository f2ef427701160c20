// An expression at every element: `evaluate_at(index)` is generated, from expr_ parts joined in front.
override SIZE: u32 = 64u;

@compute @workgroup_size(SIZE)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let at = ((group.z * groups.y + group.y) * groups.x + group.x) * SIZE + local;
    if (at < params.count) {
        results[params.place + at] = canonical(evaluate_at(at));
    }
}
