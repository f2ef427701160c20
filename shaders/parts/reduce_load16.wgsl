// Elements of two bytes: two per word, extended to 32 bits.
const PER: u32 = 8u;

fn extend16(half: u32) -> u32 {
    if (SIGNED) {
        return u32(i32(half << 16u) >> 16u);
    }
    return half & 65535u;
}

fn element(i: u32) -> vec2<u32> {
    return vec2<u32>(extend16(word(i >> 1u) >> ((i & 1u) << 4u)), 0u);
}

fn push_vec(q: vec4<u32>, r: u32) {
    for (var k = 0u; k < 4u; k++) {
        let v = q[k];
        let i = r + (k << 1u);
        acc_push(vec2<u32>(extend16(v), 0u), i);
        acc_push(vec2<u32>(extend16(v >> 16u), 0u), i + 1u);
    }
}
