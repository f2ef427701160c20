// Ranks of short lanes: an invocation finds one, bit by bit of the key.
@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read> ranks: array<u32>;
@group(0) @binding(3) var<storage, read_write> found: array<vec2<u32>>;
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
    let job = params.first + ((w.z * grid.y + w.y) * grid.x + w.x) * WG + t;
    if (job < params.end) {
        let lane = (params.job + job) / params.ranks;
        let origin = lane_start(lane);
        let beside = beside_lane_start(lane);
        var rank = ranks[job];
        var prefix = vec2<u32>(0u);
        for (var done = 0u; done < BITS; done += 1u) {
            let shift = BITS - 1u - done;
            // How many of the keys that begin with the prefix go on with 0.
            let wanted = key_above(prefix, shift);
            var zeros = 0u;
            for (var i = 0u; i < params.len; i += 1u) {
                let same = all(key_above(select_key(element(origin + i * params.step)), shift) == wanted);
                zeros += u32(same && is_taken(beside, i));
            }
            if (rank >= zeros) {
                rank -= zeros;
                prefix |= select(vec2<u32>(1u << (shift & 31u), 0u), vec2<u32>(0u, 1u << (shift & 31u)), shift >= 32u);
            }
        }
        found[job] = prefix;
    }
}
