// The next digit of both middle keys of every group, see group_median. The counts are 0 again.
@group(0) @binding(0) var<storage, read_write> states: array<u32>;
@group(0) @binding(1) var<storage, read_write> counts: array<u32>;
@group(0) @binding(2) var<uniform> params: Params;

// The digit of the value of a rank among counted ones, and its rank among those of the digit.
fn chosen(at: u32, wanted: u32) -> vec2<u32> {
    var before = 0u;
    var found = vec2<u32>(0u);
    for (var d = 0u; d < DIGITS; d += 1u) {
        let count = counts[at + d];
        if (before <= wanted && wanted - before < count) {
            found = vec2<u32>(d, wanted - before);
        }
        before += count;
    }
    return found;
}

fn append(at: u32, digit: u32) {
    states[at + u32(params.shift >= 32u)] |= digit << (params.shift & 31u);
}

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) w: vec3<u32>,
    @builtin(num_workgroups) n: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    let group = params.start + ((w.z * n.y + w.y) * n.x + w.x) * WG + t;
    if (group < params.end) {
        let at = 8u * group;
        let first = 2u * group * DIGITS;
        let one = states[at + 3u] != 0u;
        let low = chosen(first, states[at + 2u]);
        let high = chosen(select(first + DIGITS, first, one), states[at + 6u]);
        append(at, low.x);
        append(at + 4u, high.x);
        states[at + 2u] = low.y;
        states[at + 6u] = high.y;
        if (low.x != high.x) {
            states[at + 3u] = 0u;
        }
        for (var d = 0u; d < 2u * DIGITS; d += 1u) {
            counts[first + d] = 0u;
        }
    }
}
