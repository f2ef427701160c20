// Running products of floats. Needs reduce_product_float, its push and its round.
var<private> mine: State;

fn walk_begin(t: u32) {
    mine = identity();
}

fn walk_push(e: vec2<u32>) {
    push(e, 0u);
}

fn walk_result() -> vec2<u32> {
    return rounded_product(mine.low, mine.high, mine.exponent_low, mine.exponent_high, mine.flags);
}

fn walk_failed() -> bool {
    return false;
}

fn walk_save(at: u32, n: u32) {
    state[at] = mine.low;
    state[at + n] = mine.high;
    state[at + 2u * n] = mine.exponent_low;
    state[at + 3u * n] = mine.exponent_high;
    state[at + 4u * n] = mine.flags;
}

fn walk_merge(at: u32, n: u32) {
    mine = merge(mine, State(state[at], state[at + n], state[at + 2u * n], state[at + 3u * n], state[at + 4u * n]));
}
