// Exact product of the nonzero factors: magnitude minus one in 128 bits (all-zero words are the product of nothing);
// flags 1 negative, 2 the magnitude left 128 bits and is known modulo 2^128 only, 4 a factor was zero.
const WORDS: u32 = 5u;
struct State { w: vec4<u32>, flags: u32 }

fn identity() -> State { return State(vec4<u32>(0u, 0u, 0u, 0u), 0u); }
fn begin() {}
fn settle() {}

fn increment(a: vec4<u32>) -> vec4<u32> {
    var r = a + vec4<u32>(1u, 0u, 0u, 0u);
    if (r.x == 0u) {
        r.y += 1u;
        if (r.y == 0u) {
            r.z += 1u;
            if (r.z == 0u) {
                r.w += 1u;
            }
        }
    }
    return r;
}

fn decrement(a: vec4<u32>) -> vec4<u32> {
    var r = a;
    r.x -= 1u;
    if (a.x == 0u) {
        r.y -= 1u;
        if (a.y == 0u) {
            r.z -= 1u;
            if (a.z == 0u) {
                r.w -= 1u;
            }
        }
    }
    return r;
}

// Products of magnitudes a * b modulo 2^128; .flags is 2 if the product needs 129 bits or more.
fn multiply128(a: vec4<u32>, b: vec4<u32>) -> State {
    var r: array<u32, 8>;
    for (var i = 0u; i < 8u; i++) {
        r[i] = 0u;
    }
    for (var i = 0u; i < 4u; i++) {
        var carry = 0u;
        for (var j = 0u; j < 4u; j++) {
            let m = mul_wide(a[i], b[j]);
            let s = r[i + j] + m.x;
            let s2 = s + carry;
            carry = m.y + select(0u, 1u, s < m.x) + select(0u, 1u, s2 < s);
            r[i + j] = s2;
        }
        r[i + 4u] = carry;
    }
    let over = (r[4] | r[5] | r[6] | r[7]) != 0u;
    return State(vec4<u32>(r[0], r[1], r[2], r[3]), select(0u, 2u, over));
}

fn merge(a: State, b: State) -> State {
    let flags = ((a.flags ^ b.flags) & 1u) | ((a.flags | b.flags) & 6u);
    if (all(a.w == vec4<u32>(0u, 0u, 0u, 0u))) { return State(b.w, flags); }
    if (all(b.w == vec4<u32>(0u, 0u, 0u, 0u))) { return State(a.w, flags); }
    let product = multiply128(increment(a.w), increment(b.w));
    return State(decrement(product.w), flags | product.flags);
}

fn read_state(at: u32) -> State {
    return State(vec4<u32>(state[at], state[at + params.n], state[at + 2u * params.n], state[at + 3u * params.n]), state[at + 4u * params.n]);
}
fn write_state(at: u32, s: State) {
    state[at] = s.w.x;
    state[at + params.n] = s.w.y;
    state[at + 2u * params.n] = s.w.z;
    state[at + 3u * params.n] = s.w.w;
    state[at + 4u * params.n] = s.flags;
}
