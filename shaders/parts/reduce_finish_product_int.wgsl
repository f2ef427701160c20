fn result(i: u32) -> vec2<u32> {
    let flags = state[i + 4u * params.n];
    if ((flags & 4u) != 0u) {
        return vec2<u32>(0u, 0u);
    }
    let less = vec2<u32>(state[i], state[i + params.n]); // magnitude - 1
    let negative = (flags & 1u) == 1u;
    var over = (flags & 2u) != 0u || (state[i + 2u * params.n] | state[i + 3u * params.n]) != 0u;
    if (SIGNED) {
        // -2^63 fits: then `less` is 2^63 - 1; 2^63 does not.
        over = over || (less.y >> 31u) == 1u || (!negative && less.y == 0x7fffffffu && less.x == 0xffffffffu);
    } else {
        over = over || (less.x & less.y) == 0xffffffffu;
    }
    if (over) {
        atomicOr(&failed[0], 1u);
    }
    if (negative) {
        return ~less; // -(less + 1)
    }
    return vec2<u32>(less.x + 1u, less.y + select(0u, 1u, less.x == 0xffffffffu));
}
