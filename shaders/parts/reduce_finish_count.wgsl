// COUNT: 0 any, 1 all, 2 how many.
fn result(i: u32) -> vec2<u32> {
    let c = vec2<u32>(state[i], state[i + params.n]);
    if (COUNT == 0u) { return vec2<u32>(select(0u, 1u, (c.x | c.y) != 0u), 0u); }
    if (COUNT == 1u) { return vec2<u32>(select(0u, 1u, c.x == params.count_lo && c.y == params.count_hi), 0u); }
    return c;
}
