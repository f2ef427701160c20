// Running sums of integers in three words, which hold those of 2^31 elements of 64 bits, each rounded once to a float.
const WORDS: u32 = 3u;

var<private> total: vec3<u32>;

fn walk_begin(t: u32) {
    total = vec3<u32>(0u);
}

fn walk_add(b: vec3<u32>) {
    let x = total.x + b.x;
    let y = total.y + b.y;
    let z = y + u32(x < b.x);
    total = vec3<u32>(x, z, total.z + b.z + u32(y < b.y) + u32(z < y));
}

fn walk_push(e: vec2<u32>) {
    let high = select(e.y, u32(i32(e.x) >> 31u), SIGNED && SIZE != 8u);
    walk_add(vec3<u32>(e.x, high, select(0u, u32(i32(high) >> 31u), SIGNED)));
}

// To nearest, ties to even.
fn walk_result() -> vec2<u32> {
    let sign = total.z & 0x80000000u;
    var v = total;
    if (sign != 0u) {
        v = ~total;
        v.x += 1u;
        v.y += u32(v.x == 0u);
        v.z += u32((v.x | v.y) == 0u);
    }
    if (all(v == vec3<u32>(0u))) {
        return vec2<u32>(0u);
    }
    // The leading bit at the top.
    var exponent = 95u;
    for (var i = 0u; i < 2u; i += 1u) {
        if (v.z == 0u) {
            v = vec3<u32>(0u, v.x, v.y);
            exponent -= 32u;
        }
    }
    let n = countLeadingZeros(v.z);
    exponent -= n;
    let a = (v.z << n) | ((v.y >> 1u) >> (31u - n));
    let b = (v.y << n) | ((v.x >> 1u) >> (31u - n));
    let c = v.x << n;
    // The leading bit adds one to the exponent field; so does a carry.
    if (OUT_SIZE == 4u) {
        let m = a >> 8u;
        let up = ((a >> 7u) & 1u) == 1u && (((a & 0x7fu) | b | c) != 0u || (m & 1u) == 1u);
        return vec2<u32>(sign | (((exponent + 126u) << 23u) + m + u32(up)), 0u);
    }
    let m = (a << 21u) | (b >> 11u);
    let up = ((b >> 10u) & 1u) == 1u && (((b & 0x3ffu) | c) != 0u || (m & 1u) == 1u);
    let low = m + u32(up);
    return vec2<u32>(low, sign | (((exponent + 1022u) << 20u) + (a >> 11u) + u32(low < m)));
}

fn walk_failed() -> bool {
    return false;
}

fn walk_save(at: u32, n: u32) {
    state[at] = total.x;
    state[at + n] = total.y;
    state[at + 2u * n] = total.z;
}

fn walk_merge(at: u32, n: u32) {
    walk_add(vec3<u32>(state[at], state[at + n], state[at + 2u * n]));
}
