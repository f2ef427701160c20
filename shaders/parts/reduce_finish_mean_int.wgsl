const BELOW: i32 = 1074;

fn result(i: u32) -> vec2<u32> {
    var w = vec4<u32>(state[i], state[i + params.n], state[i + 2u * params.n], state[i + 3u * params.n]);
    let negative = SIGNED && (w.w >> 31u) == 1u;
    if (negative) {
        w = ~w;
        w.x += 1u;
        if (w.x == 0u) {
            w.y += 1u;
            if (w.y == 0u) {
                w.z += 1u;
                if (w.z == 0u) {
                    w.w += 1u;
                }
            }
        }
    }
    if ((w.x | w.y | w.z | w.w) == 0u) {
        return vec2<u32>(0u, 0u);
    }
    magnitude[0] = w.x & 0x7fffffu;
    magnitude[1] = ((w.x >> 23u) | (w.y << 9u)) & 0x7fffffu;
    magnitude[2] = ((w.y >> 14u) | (w.z << 18u)) & 0x7fffffu;
    magnitude[3] = (w.z >> 5u) & 0x7fffffu;
    magnitude[4] = ((w.z >> 28u) | (w.w << 4u)) & 0x7fffffu;
    magnitude[5] = w.w >> 19u;
    return round_ratio(vec2<u32>(params.count_lo, params.count_hi), select(0u, 0x80000000u, negative));
}
