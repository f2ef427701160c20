fn push(e: vec2<u32>, r: u32) {
    if (WIDE) {
        let s = sign_of(e.y);
        mine.w = add128(mine.w, vec4<u32>(e, s, s));
    } else {
        let low = partial.x + e.x;
        partial.y += sign_of(e.x) + select(0u, 1u, low < e.x);
        partial.x = low;
    }
}
