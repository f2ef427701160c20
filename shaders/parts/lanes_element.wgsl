// element(i): (low, high), narrow integers extended to 32 bits. Needs word(i).
fn lane_extend(bits: u32, width: u32) -> u32 {
    if (SIGNED) {
        return u32(i32(bits << (32u - width)) >> (32u - width));
    }
    return (bits << (32u - width)) >> (32u - width);
}

fn element(i: u32) -> vec2<u32> {
    if (SIZE == 8u) {
        return vec2<u32>(word(2u * i), word(2u * i + 1u));
    }
    if (SIZE == 4u) {
        return vec2<u32>(word(i), 0u);
    }
    if (SIZE == 2u) {
        return vec2<u32>(lane_extend(word(i >> 1u) >> ((i & 1u) << 4u), 16u), 0u);
    }
    return vec2<u32>(lane_extend(word(i >> 2u) >> ((i & 3u) << 3u), 8u), 0u);
}
