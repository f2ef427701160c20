// Reduction over any axes. A lane takes every `lanes`-th element of a result, so that neighbouring lanes read
// neighbouring memory. TOGETHER: all invocations of a workgroup work on one result (the innermost axis is reduced); else
// each invocation has a result of its own (the innermost axis is kept, or the reduction is short).
// push_at(i, r) reads the operands, of which a part before has the bindings.
@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) w: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    let g = group_number(w, grid);
    var job = g;
    var lanes = params.splits;
    if (TOGETHER) {
        lanes = params.splits * WG;
    } else {
        job = g * WG + t;
    }
    let split = job / params.results;
    let result = job - split * params.results;
    let alive = g < params.group_end && split < params.splits;
    acc_begin(t);
    if (alive) {
        let origin = params.start + locate(params.first + result, params.kept_len, params.kept_step);
        var r = split;
        if (TOGETHER) {
            r = split * WG + t;
        }
        let row = params.reduced_len.x;
        var pushed = 0u;
        while (r < params.len) {
            // Along the innermost reduced axis the address advances by a constant.
            var at = origin + locate(r, params.reduced_len, params.reduced_step);
            let stop = min(params.len, (r / row + 1u) * row);
            while (r < stop) {
                push_at(at, r);
                at += lanes * params.reduced_step.x;
                r += lanes;
                pushed += 1u;
                if (pushed >= RUN) {
                    acc_settle();
                    pushed = 0u;
                }
            }
        }
    }
    acc_settle();
    if (TOGETHER) {
        acc_group(t);
    }
    if (alive && (!TOGETHER || t == 0u)) {
        acc_flush(split * WORDS * params.n + params.at + result);
    }
}
