fn result(i: u32) -> vec2<u32> {
    let low = vec2<u32>(state[i], state[i + params.n]);
    let high = state[i + 2u * params.n];
    let top = state[i + 3u * params.n];
    let expected = select(0u, 0u - (low.y >> 31u), SIGNED);
    if (high != expected || top != expected) {
        atomicOr(&failed[0], 1u);
    }
    return low;
}
