// From exact sums to the dtype of the result, rounded once to nearest, ties to even, in integer arithmetic only. One
// invocation writes one word, or one element of 64 bits, of the result. A sum has WORDS words, bit 0 of weight
// 2^exponent, and a word of flags. OUT is the number of the result's dtype.
var<private> magnitude: array<u32, WORDS>;

// Reads the magnitude of sum `i`: whether it is negative.
fn load(i: u32) -> bool {
    let j = (WORDS + 1u) * i;
    let negative = (raw[j + WORDS - 1u] >> 31u) == 1u;
    var carry = u32(negative);
    for (var k = 0u; k < WORDS; k++) {
        let v = (raw[j + k] ^ (0u - u32(negative))) + carry;
        carry = u32(carry == 1u && v == 0u);
        magnitude[k] = v;
    }
    return negative;
}

// Bits of the magnitude, up to its highest set bit.
fn length() -> i32 {
    var n = 0u;
    for (var k = 0u; k < WORDS; k++) {
        if (magnitude[k] != 0u) {
            n = 32u * (k + 1u) - countLeadingZeros(magnitude[k]);
        }
    }
    return i32(n);
}

fn word(k: i32) -> u32 {
    if (k < 0 || k >= i32(WORDS)) {
        return 0u;
    }
    return magnitude[k];
}

// 32 bits of the magnitude from bit `at` on, which may lie outside.
fn bits(at: i32) -> u32 {
    let k = at >> 5u;
    let shift = u32(at & 31);
    return (word(k) >> shift) | ((word(k + 1) << 1u) << (31u - shift));
}

// Whether a bit below bit `at` is set.
fn any_below(at: i32) -> bool {
    var found = 0u;
    for (var k = 0; k < i32(WORDS); k++) {
        let whole = 32 * (k + 1) <= at;
        let part = 32 * k < at;
        let mask = select(select(0u, (1u << u32(at & 31)) - 1u, part), 0xffffffffu, whole);
        found |= magnitude[k] & mask;
    }
    return found != 0u;
}

// The magnitude over 2^drop, rounded; the result must have at most 64 bits.
fn rounded(drop: i32) -> vec2<u32> {
    var m = vec2<u32>(bits(drop), bits(drop + 32));
    let half = drop > 0 && (bits(drop - 1) & 1u) == 1u;
    if (half && ((m.x & 1u) == 1u || any_below(drop - 1))) {
        m.x += 1u;
        m.y += u32(m.x == 0u);
    }
    return m;
}

// An integer: magnitude with its sign, 2^64 - 1 or more saturated.
struct Integer {
    negative: bool,
    huge: bool,
    magnitude: vec2<u32>,
}

fn integer(i: u32) -> Integer {
    let flags = raw[(WORDS + 1u) * i + WORDS];
    if (flags >= 3u) {
        return Integer(false, false, vec2<u32>());
    }
    if (flags != 0u) {
        return Integer(flags == 2u, true, vec2<u32>());
    }
    let negative = load(i);
    let exponent = p.exponent;
    let n = length();
    if (n > 0 && n + exponent > 64) {
        return Integer(negative, true, vec2<u32>());
    }
    let m = rounded(-exponent);
    // All ones may have been rounded up to 2^64.
    let over = n + exponent == 64 && m.x == 0u && m.y == 0u;
    return Integer(negative, over, m);
}

// The bits of a float of `digits` bits whose least subnormal is 2^least.
fn float(i: u32, digits: i32, least: i32) -> vec2<u32> {
    let double = digits == 53;
    let flags = raw[(WORDS + 1u) * i + WORDS];
    if (flags != 0u) {
        let sign = select(0u, 0x80000000u, flags == 2u);
        let bits = select(select(0x7f800000u, 0x7ff00000u, double), select(0x7fc00000u, 0x7ff80000u, double), flags >= 3u);
        return select(vec2<u32>(sign | bits, 0u), vec2<u32>(0u, sign | bits), double);
    }
    let sign = select(0u, 0x80000000u, load(i));
    let exponent = p.exponent;
    let n = length();
    if (n == 0) {
        return vec2<u32>();
    }
    // The weight of the last bit kept.
    let last = max(exponent + n - digits, least);
    let m = rounded(last - exponent);
    // The leading bit of a normal significand adds one to the exponent's field, and so does a carry out of it.
    let field = u32(last - least);
    if (double) {
        let high = m.y + (field << 20u);
        if (field > 2045u || high >= 0x7ff00000u) {
            return vec2<u32>(0u, sign | 0x7ff00000u);
        }
        return vec2<u32>(m.x, sign | high);
    }
    let all = m.x + (field << 23u);
    return vec2<u32>(sign | select(all, 0x7f800000u, field > 253u || all >= 0x7f800000u), 0u);
}

// An element of up to 32 bits, right-aligned.
fn narrow(i: u32) -> u32 {
    if (OUT == F32) {
        return float(i, 24, -149).x;
    }
    if (OUT == BOOL) {
        let negative = load(i);
        return u32(raw[(WORDS + 1u) * i + WORDS] != 0u || length() != 0);
    }
    let v = integer(i);
    let size = 32u / per_word();
    let limit = narrow_limit(size, v.negative);
    let m = select(v.magnitude.x, limit, v.huge || v.magnitude.y != 0u || v.magnitude.x > limit);
    return select(m, 0u - m, v.negative) & (0xffffffffu >> (32u - size));
}

// An element of 64 bits: low, high.
fn wide(i: u32) -> vec2<u32> {
    if (OUT == F64) {
        return float(i, 53, -1074);
    }
    let v = integer(i);
    let limit = wide_limit(v.negative);
    var m = v.magnitude;
    if (v.huge || m.y > limit.y || (m.y == limit.y && m.x > limit.x)) {
        m = limit;
    }
    return select(m, negated(m), v.negative);
}
