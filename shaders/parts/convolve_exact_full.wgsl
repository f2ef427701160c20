// Exact sums of products of floats in WORDS words of 32 bits, enough for all products of binary64 numbers: bit 0 is that of
// the product of the two least subnormals. Elements and weights are binary64 numbers: low word, high word; or 64-bit integers
// (X_LONG, W_LONG). An invocation has one sum, in private memory.
var<private> words: array<u32, WORDS>;

// 1: +infinity, 2: -infinity, 4: NaN.
alias Sum = u32;

const SPECIAL: u32 = 0u;
const PLACE: u32 = 0u;

fn zero() -> Sum {
    for (var k = 0u; k < WORDS; k++) {
        words[k] = 0u;
    }
    return 0u;
}

// The exponent's field of a number, that of 2^52 for an integer: then both have their lowest bit at the same place.
fn field(v: vec2<u32>, long: u32) -> u32 {
    return select((v.y >> 20u) & 0x7ffu, 1075u, long != 0u);
}

fn significand(v: vec2<u32>, long: u32) -> vec2<u32> {
    if (long == 0u) {
        return vec2<u32>(v.x, (v.y & 0xfffffu) | select(0u, 0x100000u, field(v, 0u) != 0u));
    }
    return magnitude(v, long);
}

fn is_zero(v: vec2<u32>, long: u32) -> bool {
    return v.x == 0u && (v.y & select(0x7fffffffu, 0xffffffffu, long != 0u)) == 0u;
}

fn is_nan(v: vec2<u32>, long: u32) -> bool {
    return field(v, long) == 0x7ffu && (v.x | (v.y & 0xfffffu)) != 0u;
}

// a + b + carry, and the carry out.
fn add(a: u32, b: u32, carry: u32) -> vec2<u32> {
    let s = a + b;
    let t = s + carry;
    return vec2<u32>(t, u32(s < a) + u32(t < s));
}

fn madd(s: Sum, x: vec2<u32>, w: vec2<u32>) -> Sum {
    let x_field = field(x, X_LONG);
    let w_field = field(w, W_LONG);
    let negative = is_negative(x, X_LONG) ^ is_negative(w, W_LONG);
    let x_zero = is_zero(x, X_LONG);
    let w_zero = is_zero(w, W_LONG);
    if (x_field == 0x7ffu || w_field == 0x7ffu) {
        return s | select(1u << negative, 4u, is_nan(x, X_LONG) || is_nan(w, W_LONG) || x_zero || w_zero);
    }
    if (x_zero || w_zero) {
        return s;
    }
    // The product of the significands: p0 .. p3.
    let a = significand(x, X_LONG);
    let b = significand(w, W_LONG);
    let ll = multiply(a.x, b.x);
    let lh = multiply(a.x, b.y);
    let hl = multiply(a.y, b.x);
    let hh = multiply(a.y, b.y);
    let m0 = add(lh.x, hl.x, 0u);
    let m1 = add(lh.y, hl.y, m0.y);
    let a1 = add(ll.y, m0.x, 0u);
    let a2 = add(hh.x, m1.x, a1.y);
    let p = vec4<u32>(ll.x, a1.x, a2.x, hh.y + a2.y + m1.y);

    let at = max(x_field, 1u) + max(w_field, 1u) - 2u;
    let first = at >> 5u;
    let up = at & 31u;
    let low = p << vec4<u32>(up);
    let over = (p >> vec4<u32>(31u - up)) >> vec4<u32>(1u);
    let mask = 0u - negative;
    let r0 = add(words[first], low.x ^ mask, negative);
    let r1 = add(words[first + 1u], (low.y | over.x) ^ mask, r0.y);
    let r2 = add(words[first + 2u], (low.z | over.y) ^ mask, r1.y);
    let r3 = add(words[first + 3u], (low.w | over.z) ^ mask, r2.y);
    let r4 = add(words[first + 4u], over.w ^ mask, r3.y);
    words[first] = r0.x;
    words[first + 1u] = r1.x;
    words[first + 2u] = r2.x;
    words[first + 3u] = r3.x;
    words[first + 4u] = r4.x;
    // Above, all words of a negative product are ones: with a carry they change nothing.
    var carry = r4.y;
    for (var k = first + 5u; k < WORDS && carry != negative; k++) {
        let r = add(words[k], mask, carry);
        words[k] = r.x;
        carry = r.y;
    }
    return s;
}

fn recall(i: u32) -> Sum {
    let j = (WORDS + 1u) * i;
    for (var k = 0u; k < WORDS; k++) {
        words[k] = result[j + k];
    }
    return result[j + WORDS];
}

fn keep(i: u32, s: Sum) {
    let j = (WORDS + 1u) * i;
    for (var k = 0u; k < WORDS; k++) {
        result[j + k] = words[k];
    }
    result[j + WORDS] = s;
}
