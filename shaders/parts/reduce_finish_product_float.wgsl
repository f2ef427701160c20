// The product of a state. Needs reduce_product_float_round.
fn result(i: u32) -> vec2<u32> {
    let n = params.n;
    return rounded_product(state[i], state[i + n], state[i + 2u * n], state[i + 3u * n], state[i + 4u * n]);
}
