// The group of an element, found by its order key (low, high), as on the host: thresholds that ascend, keys in a row, or a
// sorted list. Needs `elements`, `thresholds` and the uniform.
fn extend(bits: u32, width: u32) -> u32 {
    if (KEY_SIGNED) {
        return u32(i32(bits << (32u - width)) >> (32u - width));
    }
    return (bits << (32u - width)) >> (32u - width);
}

// The order key, the same 64 bits as on the host.
fn order_key(i: u32) -> vec2<u32> {
    if (KEY_SIZE == 8u) {
        var k = vec2<u32>(elements[2u * i], elements[2u * i + 1u]);
        if (KEY_FLOAT) {
            return select(vec2<u32>(k.x, k.y | 0x80000000u), ~k, vec2<bool>((k.y >> 31u) == 1u));
        }
        if (KEY_SIGNED) {
            k.y ^= 0x80000000u;
        }
        return k;
    }
    var low = elements[i / KEY_PER];
    if (KEY_SIZE == 1u) {
        low = extend(low >> ((i & 3u) << 3u), 8u);
    }
    if (KEY_SIZE == 2u) {
        low = extend(low >> ((i & 1u) << 4u), 16u);
    }
    if (KEY_FLOAT) {
        return vec2<u32>(select(low | 0x80000000u, ~low, (low >> 31u) == 1u), 0u);
    }
    if (KEY_SIGNED) {
        return vec2<u32>(low, u32(i32(low) >> 31u) ^ 0x80000000u);
    }
    return vec2<u32>(low, 0u);
}

fn exceeds(a: vec2<u32>, b: vec2<u32>) -> bool {
    return (a.y > b.y) | ((a.y == b.y) & (a.x > b.x));
}

// How many of `count` thresholds, from `first` on, do not exceed the key.
fn thresholds_below(k: vec2<u32>, first: u32, count: u32) -> u32 {
    var below = 0u;
    var beyond = count;
    while (below < beyond) {
        let middle = below + (beyond - below) / 2u;
        if (exceeds(thresholds[first + middle], k)) {
            beyond = middle;
        } else {
            below = middle + 1u;
        }
    }
    return below;
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
    let below = thresholds_below(k, 0u, params.thresholds);
    let found = below - 1u;
    if (MODE == 2u) {
        let same = all(thresholds[min(found, params.thresholds - 1u)] == k);
        return select(0xffffffffu, found, same & (below != 0u));
    }
    return select(found, 0xffffffffu, exceeds(k, vec2<u32>(params.last_lo, params.last_hi)));
}
