// The smallest or largest element, as its key.
const WORDS: u32 = 2u;
struct State { key: vec2<u32> }

fn identity() -> State { return State(vec2<u32>(0u, 0u)); }
fn begin() {}
fn settle() {}

fn merge(a: State, b: State) -> State {
    return State(select(a.key, b.key, above(b.key, a.key)));
}

fn read_state(at: u32) -> State { return State(vec2<u32>(state[at], state[at + params.n])); }
fn write_state(at: u32, s: State) {
    state[at] = s.key.x;
    state[at + params.n] = s.key.y;
}
