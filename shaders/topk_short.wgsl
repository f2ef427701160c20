// The k best elements of short lanes, in order: an invocation has an element, and counts those that come before it.
@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> kept: array<u32>;
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
    let job = params.first + ((w.z * grid.y + w.y) * grid.x + w.x) * WG + t;
    if (job < params.end) {
        let lane = job / params.len;
        let index = job - lane * params.len;
        let origin = lane_start(params.job + lane);
        let e = element(origin + index * params.step);
        let k = select_key(e);
        var before = 0u;
        for (var i = 0u; i < params.len; i += 1u) {
            let other = select_key(element(origin + i * params.step));
            before += u32(key_before(other, k) || (all(other == k) && i < index));
        }
        if (before < params.k) {
            let at = 3u * (lane * params.k + before);
            kept[at] = index;
            kept[at + 1u] = e.x;
            kept[at + 2u] = e.y;
        }
    }
}
