// The number of nonzero elements: 64 bits. NaN counts, both zeros do not.
const WORDS: u32 = 2u;
struct State { low: u32, high: u32 }

fn identity() -> State { return State(0u, 0u); }
fn begin() {}
fn settle() {}

fn merge(a: State, b: State) -> State {
    let low = a.low + b.low;
    return State(low, a.high + b.high + select(0u, 1u, low < a.low));
}

fn read_state(at: u32) -> State { return State(state[at], state[at + params.n]); }
fn write_state(at: u32, s: State) {
    state[at] = s.low;
    state[at + params.n] = s.high;
}
