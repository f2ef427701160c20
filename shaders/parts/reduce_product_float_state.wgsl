// Where a state lies.
fn read_state(at: u32) -> State {
    return State(state[at], state[at + params.n], state[at + 2u * params.n], state[at + 3u * params.n], state[at + 4u * params.n]);
}
fn write_state(at: u32, s: State) {
    state[at] = s.low;
    state[at + params.n] = s.high;
    state[at + 2u * params.n] = s.exponent_low;
    state[at + 3u * params.n] = s.exponent_high;
    state[at + 4u * params.n] = s.flags;
}
