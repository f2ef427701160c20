// Order keys of BITS bits, (low, high), for selection: the k-th of an order is the k-th smallest key. NaN is above all
// numbers. TOP: -0 equals +0, as ties go by the index. DOWN: from the largest to the smallest.
fn select_key(e: vec2<u32>) -> vec2<u32> {
    var k = e;
    if (SIZE == 8u) {
        if (FLOAT) {
            let magnitude = e.y & 0x7fffffffu;
            if (TOP && (magnitude | e.x) == 0u) {
                k.y = 0u;
            }
            k = select(vec2<u32>(k.x, k.y | 0x80000000u), ~k, vec2<bool>((k.y >> 31u) == 1u));
            if ((magnitude > 0x7ff00000u) | ((magnitude == 0x7ff00000u) & (e.x != 0u))) {
                k = vec2<u32>(0xffffffffu, 0xffffffffu);
            }
        } else if (SIGNED) {
            k.y ^= 0x80000000u;
        }
        return select(k, ~k, DOWN);
    }
    if (FLOAT) {
        let magnitude = e.x & 0x7fffffffu;
        if (TOP && magnitude == 0u) {
            k.x = 0u;
        }
        k.x = select(k.x | 0x80000000u, ~k.x, (k.x >> 31u) == 1u);
        if (magnitude > 0x7f800000u) {
            k.x = 0xffffffffu;
        }
    } else if (SIGNED) {
        k.x ^= SIGN_BIT;
    }
    k.x = select(k.x, ~k.x, DOWN);
    return vec2<u32>(k.x & KEY_MASK, 0u);
}

// Shifted right by n, below 64.
fn key_above(k: vec2<u32>, n: u32) -> vec2<u32> {
    let m = n & 31u;
    let low = (k.x >> m) | ((k.y << 1u) << (31u - m));
    return select(vec2<u32>(low, k.y >> m), vec2<u32>(k.y >> m, 0u), n >= 32u);
}

fn key_before(a: vec2<u32>, b: vec2<u32>) -> bool {
    return (a.y < b.y) | ((a.y == b.y) & (a.x < b.x));
}
