// The smallest and the largest result of an expression, each with the index of the first, and how many are not 0:
// `evaluate_at(index)` is generated, from expr_ parts joined in front. No value is written to memory.
//
// Order keys as in reduce_key: the larger wins, all ones for NaN, 0 for none. ARG counts -0 as 0. A workgroup has a slot of its own in
// `results`: key and index of the smallest, of the largest, and the count.
var<workgroup> least: array<vec2<u32>, SIZE>;
var<workgroup> most: array<vec2<u32>, SIZE>;
var<workgroup> nonzero: array<u32, SIZE>;

fn keys(bits: u32) -> vec2<u32> {
    let magnitude = bits & MAGNITUDE;
    if (magnitude > INF) {
        return vec2<u32>(0xFFFFFFFFu, 0xFFFFFFFFu);
    }
    let b = select(bits, 0u, ARG && magnitude == 0u);
    let key = select(b | 0x80000000u, ~b, (b >> 31u) == 1u);
    return vec2<u32>(~key, key);
}

// The larger key; of equals, the first.
fn better(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    return select(a, b, (b.x > a.x) | ((b.x == a.x) & (b.y < a.y)));
}

@compute @workgroup_size(SIZE)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    var low = vec2<u32>(0u, 0u);
    var high = vec2<u32>(0u, 0u);
    var count = 0u;
    for (var at = group.x * SIZE + t; at < params.count; at += groups.x * SIZE) {
        let bits = evaluate_at(at);
        let k = keys(bits);
        low = better(low, vec2<u32>(k.x, params.place + at));
        high = better(high, vec2<u32>(k.y, params.place + at));
        count += u32((bits & MAGNITUDE) != 0u);
    }
    least[t] = low;
    most[t] = high;
    nonzero[t] = count;
    workgroupBarrier();
    if (t == 0u) {
        let slot = group.x * 5u;
        low = vec2<u32>(results[slot], results[slot + 1u]);
        high = vec2<u32>(results[slot + 2u], results[slot + 3u]);
        count = results[slot + 4u];
        for (var i = 0u; i < SIZE; i += 1u) {
            low = better(low, least[i]);
            high = better(high, most[i]);
            count += nonzero[i];
        }
        results[slot] = low.x;
        results[slot + 1u] = low.y;
        results[slot + 2u] = high.x;
        results[slot + 3u] = high.y;
        results[slot + 4u] = count;
    }
}
