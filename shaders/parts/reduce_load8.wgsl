// Elements of one byte: four per word. An element is (low, high) words; narrow ones are extended to 32 bits in .x.
const PER: u32 = 16u;

fn extend8(byte: u32) -> u32 {
    if (SIGNED) {
        return u32(i32(byte << 24u) >> 24u);
    }
    return byte & 255u;
}

fn element(i: u32) -> vec2<u32> {
    return vec2<u32>(extend8(word(i >> 2u) >> ((i & 3u) << 3u)), 0u);
}

fn push_vec(q: vec4<u32>, r: u32) {
    for (var k = 0u; k < 4u; k++) {
        let v = q[k];
        let i = r + (k << 2u);
        acc_push(vec2<u32>(extend8(v), 0u), i);
        acc_push(vec2<u32>(extend8(v >> 8u), 0u), i + 1u);
        acc_push(vec2<u32>(extend8(v >> 16u), 0u), i + 2u);
        acc_push(vec2<u32>(extend8(v >> 24u), 0u), i + 3u);
    }
}
