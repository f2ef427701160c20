fn push(x: vec2<u32>, r: u32) {
    var e = x;
    if (SIGNED && ABS) {
        if (WIDE && (x.y >> 31u) == 1u) {
            e = vec2<u32>(0u - x.x, ~x.y + select(0u, 1u, x.x == 0u));
        }
        if (!WIDE && (x.x >> 31u) == 1u) {
            e.x = 0u - x.x;
        }
    }
    if (WIDE) {
        let s = sign_of(e.y);
        mine.w = add128(mine.w, vec4<u32>(e, s, s));
    } else {
        let low = partial.x + e.x;
        partial.y += sign_of(e.x) + select(0u, 1u, low < e.x);
        partial.x = low;
    }
}
