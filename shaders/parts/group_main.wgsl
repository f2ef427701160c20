// Counts of groups, medians and reductions by group begin here: every element is given to visit, which another part has. Where the
// groups fit workgroup memory (PRIVATE), visit changes mine, which is 0 before and which hand_over adds to the whole afterwards.
var<workgroup> mine: array<atomic<u32>, LOCAL>;

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) w: vec3<u32>,
    @builtin(num_workgroups) n: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let group = (w.z * n.y + w.y) * n.x + w.x;
    if (PRIVATE) {
        for (var i = local; i < LOCAL; i += WG) {
            atomicStore(&mine[i], 0u);
        }
        workgroupBarrier();
    }
    // Neighbouring invocations read neighbouring elements.
    let first = params.start + group * WG * ITEMS;
    if (first >= params.start) {
        for (var step = 0u; step < ITEMS; step += 1u) {
            let i = first + step * WG + local;
            if (i < params.end) {
                visit(i);
            }
        }
    }
    if (PRIVATE) {
        workgroupBarrier();
        hand_over(local);
    }
}
