fn push(e: vec2<u32>, r: u32) {
    var m = e;
    var flags = 0u;
    if (SIGNED && !WIDE && (e.x >> 31u) == 1u) {
        m.x = 0u - e.x;
        flags = 1u;
    }
    if (SIGNED && WIDE && (e.y >> 31u) == 1u) {
        m = vec2<u32>(0u - e.x, ~e.y + select(0u, 1u, e.x == 0u));
        flags = 1u;
    }
    if ((m.x | m.y) == 0u) {
        mine.flags |= 4u;
        return;
    }
    mine = merge(mine, State(vec4<u32>(m.x - 1u, m.y - select(0u, 1u, m.x == 0u), 0u, 0u), flags));
}
