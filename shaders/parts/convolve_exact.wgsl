// Exact sums of products of floats in WORDS words of 32 bits, two's complement, and a word of flags. Elements and weights
// come taken apart, so that only integers are added: a significand, and the position of its lowest bit above the base, which
// is the position of the lowest bit of any. The bits of the sums count from the sum of both bases on.
//
//   x: the significand, or its low word if it is DOUBLE
//   y: bit 31 the sign, bit 30 set for infinities (significand 0) and NaN (1), then the position, and in the low 21 bits the
//      upper part of a DOUBLE significand
// 64-bit integers (X_LONG, W_LONG) come as they are, DOUBLE, their base 0.
struct Sum {
    words: array<u32, WORDS>,
    // 1: +infinity, 2: -infinity, 4: NaN.
    flags: u32,
}

const SPECIAL: u32 = 0x40000000u;
const PLACE: u32 = select(0u, 21u, DOUBLE);

fn zero() -> Sum {
    return Sum();
}

fn position(v: vec2<u32>, long: u32) -> u32 {
    return select((v.y & 0x3fffffffu) >> PLACE, 0u, long != 0u);
}

fn is_special(v: vec2<u32>, long: u32) -> bool {
    return long == 0u && (v.y & SPECIAL) != 0u;
}

// The significand of a number that is finite.
fn significand(v: vec2<u32>, long: u32) -> vec2<u32> {
    if (long == 0u) {
        return vec2<u32>(v.x, select(0u, v.y & 0x1fffffu, DOUBLE));
    }
    return magnitude(v, long);
}

// The flag of a product with a factor that is not finite.
fn special(x: vec2<u32>, w: vec2<u32>) -> u32 {
    let x_special = is_special(x, X_LONG);
    let w_special = is_special(w, W_LONG);
    let nan = (x_special && x.x != 0u)
        || (w_special && w.x != 0u)
        || (!x_special && all(significand(x, X_LONG) == vec2<u32>()))
        || (!w_special && all(significand(w, W_LONG) == vec2<u32>()));
    return select(1u << (is_negative(x, X_LONG) ^ is_negative(w, W_LONG)), 4u, nan);
}

// a + b + carry, and the carry out.
fn add(a: u32, b: u32, carry: u32) -> vec2<u32> {
    let s = a + b;
    let t = s + carry;
    return vec2<u32>(t, u32(s < a) + u32(t < s));
}

fn madd(before: Sum, x: vec2<u32>, w: vec2<u32>) -> Sum {
    var s = before;
    if (is_special(x, X_LONG) || is_special(w, W_LONG)) {
        s.flags |= special(x, w);
        return s;
    }
    // The product of the significands: p0 .. p3.
    let a = significand(x, X_LONG);
    let b = significand(w, W_LONG);
    let ll = multiply(a.x, b.x);
    var p = vec4<u32>(ll, 0u, 0u);
    if (DOUBLE) {
        let lh = multiply(a.x, b.y);
        let hl = multiply(a.y, b.x);
        let hh = multiply(a.y, b.y);
        let m0 = add(lh.x, hl.x, 0u);
        let m1 = add(lh.y, hl.y, m0.y);
        let a1 = add(ll.y, m0.x, 0u);
        let a2 = add(hh.x, m1.x, a1.y);
        p = vec4<u32>(ll.x, a1.x, a2.x, hh.y + a2.y + m1.y);
    }
    let at = position(x, X_LONG) + position(w, W_LONG);
    let first = at >> 5u;
    let up = at & 31u;
    // Shifted by `up` bits; shifts by 32 in two steps.
    let low = p << vec4<u32>(up);
    let over = (p >> vec4<u32>(31u - up)) >> vec4<u32>(1u);
    let q0 = low.x;
    let q1 = low.y | over.x;
    let q2 = low.z | over.y;
    let q3 = low.w | over.z;
    let q4 = over.w;
    // A negative product is added as the complement of all words, and one.
    let negative = is_negative(x, X_LONG) ^ is_negative(w, W_LONG);
    let mask = 0u - negative;
    var carry = negative;
    for (var i = 0u; i < WORDS; i++) {
        let j = i - first;
        var q = select(0u, q0, j == 0u);
        q = select(q, q1, j == 1u);
        q = select(q, q2, j == 2u);
        if (DOUBLE) {
            q = select(q, q3, j == 3u);
            q = select(q, q4, j == 4u);
        }
        let r = add(s.words[i], q ^ mask, carry);
        s.words[i] = r.x;
        carry = r.y;
    }
    return s;
}

fn recall(i: u32) -> Sum {
    let j = (WORDS + 1u) * i;
    var s = Sum();
    for (var k = 0u; k < WORDS; k++) {
        s.words[k] = result[j + k];
    }
    s.flags = result[j + WORDS];
    return s;
}

fn keep(i: u32, s: Sum) {
    let j = (WORDS + 1u) * i;
    for (var k = 0u; k < WORDS; k++) {
        result[j + k] = s.words[k];
    }
    result[j + WORDS] = s.flags;
}
