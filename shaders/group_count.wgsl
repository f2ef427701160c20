// Counts of elements by group. An element's group is found by its order key (low, high), as on the host: thresholds that
// ascend, keys in a row, or a sorted list. Invocations count in workgroup memory where the groups fit it, and add that to
// the counts at the end; else in the counts themselves.
struct Params {
    start: u32,
    end: u32,
    groups: u32,
    thresholds: u32,
    last_lo: u32,
    last_hi: u32,
    pad0: u32,
    pad1: u32,
}

@group(0) @binding(0) var<storage, read> elements: array<u32>;
@group(0) @binding(1) var<storage, read> thresholds: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read_write> counts: array<atomic<u32>>;
@group(0) @binding(3) var<uniform> params: Params;

var<workgroup> mine: array<atomic<u32>, LOCAL>;

fn extend(bits: u32, width: u32) -> u32 {
    if (SIGNED) {
        return u32(i32(bits << (32u - width)) >> (32u - width));
    }
    return (bits << (32u - width)) >> (32u - width);
}

// The order key, the same 64 bits as on the host.
fn key(i: u32) -> vec2<u32> {
    if (SIZE == 8u) {
        var k = vec2<u32>(elements[2u * i], elements[2u * i + 1u]);
        if (FLOAT) {
            return select(vec2<u32>(k.x, k.y | 0x80000000u), ~k, vec2<bool>((k.y >> 31u) == 1u));
        }
        if (SIGNED) {
            k.y ^= 0x80000000u;
        }
        return k;
    }
    var low = elements[i / PER];
    if (SIZE == 1u) {
        low = extend(low >> ((i & 3u) << 3u), 8u);
    }
    if (SIZE == 2u) {
        low = extend(low >> ((i & 1u) << 4u), 16u);
    }
    if (FLOAT) {
        return vec2<u32>(select(low | 0x80000000u, ~low, (low >> 31u) == 1u), 0u);
    }
    if (SIGNED) {
        return vec2<u32>(low, u32(i32(low) >> 31u) ^ 0x80000000u);
    }
    return vec2<u32>(low, 0u);
}

fn above(a: vec2<u32>, b: vec2<u32>) -> bool {
    return (a.y > b.y) | ((a.y == b.y) & (a.x > b.x));
}

// The group of a key; `params.groups` or more for none.
fn group_of(k: vec2<u32>) -> u32 {
    if (MODE == 1u) {
        // In a row from the only threshold on.
        let first = thresholds[0];
        let low = k.x - first.x;
        let high = k.y - first.y - u32(k.x < first.x);
        return select(low, 0xffffffffu, high != 0u);
    }
    // How many thresholds do not exceed the key.
    var below = 0u;
    var beyond = params.thresholds;
    while (below < beyond) {
        let middle = below + (beyond - below) / 2u;
        if (above(thresholds[middle], k)) {
            beyond = middle;
        } else {
            below = middle + 1u;
        }
    }
    let found = below - 1u;
    if (MODE == 2u) {
        let same = all(thresholds[min(found, params.thresholds - 1u)] == k);
        return select(0xffffffffu, found, same & (below != 0u));
    }
    return select(found, 0xffffffffu, above(k, vec2<u32>(params.last_lo, params.last_hi)));
}

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
                let found = group_of(key(i));
                if (found < params.groups) {
                    if (PRIVATE) {
                        atomicAdd(&mine[found], 1u);
                    } else {
                        atomicAdd(&counts[found], 1u);
                    }
                }
            }
        }
    }
    if (PRIVATE) {
        workgroupBarrier();
        for (var i = local; i < params.groups; i += WG) {
            let count = atomicLoad(&mine[i]);
            if (count != 0u) {
                atomicAdd(&counts[i], count);
            }
        }
    }
}
