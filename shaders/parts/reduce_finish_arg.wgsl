fn result(i: u32) -> vec2<u32> {
    return ~vec2<u32>(state[i + 2u * params.n], state[i + 3u * params.n]);
}
