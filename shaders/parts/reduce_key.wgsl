// Order keys (low, high): the larger wins, so that all-zero words are the identity of every reduction. For the smallest
// element the bits are inverted; NaN is all ones either way, and zero where it is passed
// over. Of magnitudes where those are wanted.
fn key(e: vec2<u32>) -> vec2<u32> {
    var k = e;
    if (WIDE) {
        if (FLOAT) {
            let magnitude = e.y & 0x7fffffffu;
            if ((magnitude > 0x7ff00000u) | ((magnitude == 0x7ff00000u) & (e.x != 0u))) {
                return select(vec2<u32>(0xffffffffu, 0xffffffffu), vec2<u32>(0u, 0u), SKIP);
            }
            if (ABS) {
                k.y = magnitude;
            }
            if (ARG && (magnitude | e.x) == 0u) {
                k.y = 0u;
            }
            k = select(vec2<u32>(k.x, k.y | 0x80000000u), ~k, vec2<bool>((k.y >> 31u) == 1u));
        } else if (SIGNED && ABS) {
            if ((k.y >> 31u) == 1u) {
                k = vec2<u32>(0u - k.x, ~k.y + select(0u, 1u, k.x == 0u));
            }
        } else if (SIGNED) {
            k.y ^= 0x80000000u;
        }
        if (SMALLER) {
            k = ~k;
        }
    } else {
        if (FLOAT) {
            let magnitude = e.x & 0x7fffffffu;
            if (magnitude > 0x7f800000u) {
                return vec2<u32>(select(0xffffffffu, 0u, SKIP), 0u);
            }
            if (ABS) {
                k.x = magnitude;
            }
            if (ARG && magnitude == 0u) {
                k.x = 0u;
            }
            k.x = select(k.x | 0x80000000u, ~k.x, (k.x >> 31u) == 1u);
        } else if (SIGNED && ABS) {
            k.x = select(k.x, 0u - k.x, (k.x >> 31u) == 1u);
        } else if (SIGNED) {
            k.x ^= 0x80000000u;
        }
        if (SMALLER) {
            k.x = ~k.x;
        }
        k.y = 0u;
    }
    return k;
}

// Bitwise, not short-circuit, operators: no branches.
fn above(a: vec2<u32>, b: vec2<u32>) -> bool {
    if (WIDE) {
        return (a.y > b.y) | ((a.y == b.y) & (a.x > b.x));
    }
    return a.x > b.x;
}

fn later(a: vec2<u32>, b: vec2<u32>) -> bool {
    return (a.y > b.y) | ((a.y == b.y) & (a.x > b.x));
}
