// Exact sum of integers: 128 bits, two's complement.
const WORDS: u32 = 4u;
struct State { w: vec4<u32> }
var<private> partial: vec2<u32>;

fn identity() -> State { return State(vec4<u32>(0u, 0u, 0u, 0u)); }
fn begin() { partial = vec2<u32>(0u, 0u); }

fn add128(a: vec4<u32>, b: vec4<u32>) -> vec4<u32> {
    let x = a.x + b.x;
    let cx = select(0u, 1u, x < a.x);
    let y0 = a.y + b.y;
    let y = y0 + cx;
    let cy = select(0u, 1u, y0 < a.y) + select(0u, 1u, y < y0);
    let z0 = a.z + b.z;
    let z = z0 + cy;
    let cz = select(0u, 1u, z0 < a.z) + select(0u, 1u, z < z0);
    return vec4<u32>(x, y, z, a.w + b.w + cz);
}

fn sign_of(high: u32) -> u32 {
    if (SIGNED && !ABS) { return 0u - (high >> 31u); }
    return 0u;
}

fn merge(a: State, b: State) -> State { return State(add128(a.w, b.w)); }

fn settle() {
    if (!WIDE) {
        let s = sign_of(partial.y);
        mine.w = add128(mine.w, vec4<u32>(partial, s, s));
        partial = vec2<u32>(0u, 0u);
    }
}

fn read_state(at: u32) -> State {
    return State(vec4<u32>(state[at], state[at + params.n], state[at + 2u * params.n], state[at + 3u * params.n]));
}
fn write_state(at: u32, s: State) {
    state[at] = s.w.x;
    state[at + params.n] = s.w.y;
    state[at + 2u * params.n] = s.w.z;
    state[at + 3u * params.n] = s.w.w;
}
