// The element of a state. Needs reduce_unkey.
fn result(i: u32) -> vec2<u32> {
    return unkey(vec2<u32>(state[i], state[i + params.n]));
}
