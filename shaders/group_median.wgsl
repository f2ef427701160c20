// How many values of each group have each next digit, among those that begin as the key of a middle one does so far. A group's
// state is two such keys, low and high, each behind it the rank among those that begin so; word 3 tells that the two still
// are one key, and are counted once, word 7 becomes nonzero where a value is NaN. Invocations count in workgroup memory where
// the counts of all groups fit it.
@group(0) @binding(0) var<storage, read> elements: array<u32>;
@group(0) @binding(1) var<storage, read> thresholds: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read> values: array<u32>;
@group(0) @binding(3) var<storage, read_write> states: array<atomic<u32>>;
@group(0) @binding(4) var<storage, read_write> counts: array<atomic<u32>>;
@group(0) @binding(5) var<uniform> params: Params;

fn word(i: u32) -> u32 {
    return values[i];
}

fn count(at: u32) {
    if (PRIVATE) {
        atomicAdd(&mine[at], 1u);
    } else {
        atomicAdd(&counts[at], 1u);
    }
}

fn push(group: u32, k: vec2<u32>) {
    let at = 8u * group;
    if (FLOAT && all(k == vec2<u32>(0xffffffffu, select(0u, 0xffffffffu, WIDE)))) {
        atomicStore(&states[at + 7u], 1u);
        return;
    }
    let above = params.shift + DIGIT;
    let digit = key_above(k, params.shift).x & (DIGITS - 1u);
    let begins = key_above(k, min(above, 63u));
    let low = vec2<u32>(atomicLoad(&states[at]), atomicLoad(&states[at + 1u]));
    if (above >= BITS || all(begins == key_above(low, above))) {
        count(2u * group * DIGITS + digit);
    }
    if (atomicLoad(&states[at + 3u]) == 0u) {
        let high = vec2<u32>(atomicLoad(&states[at + 4u]), atomicLoad(&states[at + 5u]));
        if (all(begins == key_above(high, above))) {
            count((2u * group + 1u) * DIGITS + digit);
        }
    }
}

fn visit(i: u32) {
    let found = group_of(order_key(params.keys_first + i));
    if (found < params.groups && found - params.group_first < params.group_count) {
        push(found - params.group_first, select_key(element(params.values_first + i)));
    }
}

fn hand_over(local: u32) {
    for (var i = local; i < 2u * DIGITS * params.group_count; i += WG) {
        let count = atomicLoad(&mine[i]);
        if (count != 0u) {
            atomicAdd(&counts[i], count);
        }
    }
}
