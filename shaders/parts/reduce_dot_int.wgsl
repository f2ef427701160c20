// Exact sum of products of integers: 192 bits, two's complement.
const WORDS: u32 = 6u;
struct State { low: vec4<u32>, high: vec2<u32> }

fn identity() -> State { return State(vec4<u32>(0u, 0u, 0u, 0u), vec2<u32>(0u, 0u)); }
fn begin() {}
fn settle() {}

fn merge(a: State, b: State) -> State {
    let x = a.low.x + b.low.x;
    let cx = select(0u, 1u, x < a.low.x);
    let y0 = a.low.y + b.low.y;
    let y = y0 + cx;
    let cy = select(0u, 1u, y0 < a.low.y) + select(0u, 1u, y < y0);
    let z0 = a.low.z + b.low.z;
    let z = z0 + cy;
    let cz = select(0u, 1u, z0 < a.low.z) + select(0u, 1u, z < z0);
    let w0 = a.low.w + b.low.w;
    let w = w0 + cz;
    let cw = select(0u, 1u, w0 < a.low.w) + select(0u, 1u, w < w0);
    let u0 = a.high.x + b.high.x;
    let u = u0 + cw;
    let cu = select(0u, 1u, u0 < a.high.x) + select(0u, 1u, u < u0);
    return State(vec4<u32>(x, y, z, w), vec2<u32>(u, a.high.y + b.high.y + cu));
}

fn read_state(at: u32) -> State {
    return State(
        vec4<u32>(state[at], state[at + params.n], state[at + 2u * params.n], state[at + 3u * params.n]),
        vec2<u32>(state[at + 4u * params.n], state[at + 5u * params.n]),
    );
}
fn write_state(at: u32, s: State) {
    state[at] = s.low.x;
    state[at + params.n] = s.low.y;
    state[at + 2u * params.n] = s.low.z;
    state[at + 3u * params.n] = s.low.w;
    state[at + 4u * params.n] = s.high.x;
    state[at + 5u * params.n] = s.high.y;
}

// The magnitude, and whether it is that of a negative number.
fn magnitude_of(e: vec2<u32>) -> vec3<u32> {
    if (SIGNED && !WIDE && (e.x >> 31u) == 1u) {
        return vec3<u32>(0u - e.x, 0u, 1u);
    }
    if (SIGNED && WIDE && (e.y >> 31u) == 1u) {
        return vec3<u32>(0u - e.x, ~e.y + select(0u, 1u, e.x == 0u), 1u);
    }
    return vec3<u32>(e, 0u);
}

fn push_product(ea: vec2<u32>, eb: vec2<u32>) {
    let a = magnitude_of(ea);
    let b = magnitude_of(eb);
    let p0 = mul_wide(a.x, b.x);
    let p1 = mul_wide(a.x, b.y);
    let p2 = mul_wide(a.y, b.x);
    let p3 = mul_wide(a.y, b.y);
    let s1 = p0.y + p1.x;
    let w1 = s1 + p2.x;
    let c1 = select(0u, 1u, s1 < p0.y) + select(0u, 1u, w1 < s1);
    let s3 = p1.y + p2.y;
    let s4 = s3 + c1;
    let w2 = p3.x + s4;
    let c2 = select(0u, 1u, s3 < p1.y) + select(0u, 1u, s4 < s3) + select(0u, 1u, w2 < s4);
    var product = State(vec4<u32>(p0.x, w1, w2, p3.y + c2), vec2<u32>(0u, 0u));
    if (a.z != b.z) {
        // The two's complement.
        product = State(~product.low, ~product.high);
        product = merge(product, State(vec4<u32>(1u, 0u, 0u, 0u), vec2<u32>(0u, 0u)));
    }
    mine = merge(mine, product);
}
