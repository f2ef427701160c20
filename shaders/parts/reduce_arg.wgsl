// The first smallest or largest element: its key, and its 64-bit index inverted, so that the smaller index wins as the
// larger word and all-zero words are the identity.
const WORDS: u32 = 4u;
struct State { key: vec2<u32>, index: vec2<u32> }

fn identity() -> State { return State(vec2<u32>(0u, 0u), vec2<u32>(0u, 0u)); }
fn begin() {}
fn settle() {}

fn merge(a: State, b: State) -> State {
    let better = above(b.key, a.key) | (all(a.key == b.key) & later(b.index, a.index));
    return State(select(a.key, b.key, better), select(a.index, b.index, better));
}

fn read_state(at: u32) -> State {
    return State(vec2<u32>(state[at], state[at + params.n]), vec2<u32>(state[at + 2u * params.n], state[at + 3u * params.n]));
}
fn write_state(at: u32, s: State) {
    state[at] = s.key.x;
    state[at + params.n] = s.key.y;
    state[at + 2u * params.n] = s.index.x;
    state[at + 3u * params.n] = s.index.y;
}
