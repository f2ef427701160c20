// The element of a key (see reduce_key.wgsl); all ones is NaN for floats.
fn unkey(stored: vec2<u32>) -> vec2<u32> {
    var k = stored;
    if (WIDE) {
        if (FLOAT && all(k == vec2<u32>(0xffffffffu, 0xffffffffu))) {
            return vec2<u32>(0u, 0x7ff80000u);
        }
        if (SMALLER) { k = ~k; }
        if (FLOAT) {
            return select(~k, vec2<u32>(k.x, k.y & 0x7fffffffu), vec2<bool>((k.y >> 31u) == 1u));
        }
        if (SIGNED) { k.y ^= 0x80000000u; }
        return k;
    }
    if (FLOAT && k.x == 0xffffffffu) {
        return vec2<u32>(0x7fc00000u, 0u);
    }
    if (SMALLER) { k.x = ~k.x; }
    if (FLOAT) {
        return vec2<u32>(select(~k.x, k.x & 0x7fffffffu, (k.x >> 31u) == 1u), 0u);
    }
    if (SIGNED) { k.x ^= 0x80000000u; }
    if (OUT_SIZE == 1u) { k.x &= 255u; }
    if (OUT_SIZE == 2u) { k.x &= 65535u; }
    return k;
}
