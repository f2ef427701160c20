// Arithmetic of binary32 on its bits, in integers: rounded once to nearest, ties to even, subnormals included. What no
// driver can fuse, reassociate or flush. Needs `mul_wide`. 64-bit integers are (low, high).
const INF = 0x7F800000u;
const NAN = 0x7FC00000u;
const ONE = 0x3F800000u;
const SIGN = 0x80000000u;
const MAGNITUDE = 0x7FFFFFFFu;

fn wide_add(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let low = a.x + b.x;
    return vec2<u32>(low, a.y + b.y + u32(low < a.x));
}

fn wide_neg(a: vec2<u32>) -> vec2<u32> {
    return wide_add(~a, vec2<u32>(1u, 0u));
}

// Shifts by less than 64.
fn wide_shl(a: vec2<u32>, n: u32) -> vec2<u32> {
    let s = n & 31u;
    let low = a.x << s;
    let high = (a.y << s) | ((a.x >> 1u) >> (31u - s));
    return select(vec2<u32>(low, high), vec2<u32>(0u, low), n >= 32u);
}

fn wide_shr(a: vec2<u32>, n: u32) -> vec2<u32> {
    let s = n & 31u;
    let low = (a.x >> s) | ((a.y << 1u) << (31u - s));
    let high = a.y >> s;
    return select(vec2<u32>(low, high), vec2<u32>(high, 0u), n >= 32u);
}

// At most 63.
fn wide_zeros(a: vec2<u32>) -> u32 {
    return select(countLeadingZeros(a.y), 32u + countLeadingZeros(a.x | 1u), a.y == 0u);
}

fn smul_wide(a: i32, b: i32) -> vec2<u32> {
    let p = mul_wide(bitcast<u32>(a), bitcast<u32>(b));
    return vec2<u32>(p.x, p.y - select(0u, bitcast<u32>(b), a < 0) - select(0u, bitcast<u32>(a), b < 0));
}

struct Significand {
    // 24 bits, or 0.
    m: u32,
    // The number is m 2^s.
    s: i32,
}

fn significand(magnitude: u32) -> Significand {
    let field = i32(magnitude >> 23u);
    let fraction = magnitude & 0x7FFFFFu;
    let zeros = countLeadingZeros(fraction | 1u) - 8u;
    if (field == 0) {
        return Significand(fraction << zeros, -149 - i32(zeros));
    }
    return Significand(fraction | 0x800000u, field - 150);
}

// m 2^(exponent - 31) rounded; the top bit of m is set, its lowest one stands for all below it.
fn pack(sign: u32, exponent: i32, m: u32) -> u32 {
    let biased = exponent + 127;
    if (biased >= 255) {
        return sign | INF;
    }
    let shift = u32(8 + clamp(1 - biased, 0, 25));
    if (shift > 32u) {
        return sign;
    }
    let whole = (m >> 1u) >> (shift - 1u);
    let rest = m << (32u - shift);
    let up = u32(rest > SIGN || (rest == SIGN && (whole & 1u) == 1u));
    // The leading bit of a normal number, and a carry, run into the exponent.
    return sign | (((u32(max(biased, 1)) - 1u) << 23u) + whole + up);
}

fn is_nan(a: u32) -> bool {
    return (a & MAGNITUDE) > INF;
}

fn is_true(a: u32) -> bool {
    return (a & MAGNITUDE) != 0u;
}

fn truth(a: bool) -> u32 {
    return select(0u, ONE, a);
}

fn canonical(a: u32) -> u32 {
    return select(a, NAN, is_nan(a));
}

fn e_neg(a: u32) -> u32 {
    return a ^ SIGN;
}

fn e_abs(a: u32) -> u32 {
    return a & MAGNITUDE;
}

fn e_not(a: u32) -> u32 {
    return truth(!is_true(a));
}

fn e_add(a: u32, b: u32) -> u32 {
    let swap = (b & MAGNITUDE) > (a & MAGNITUDE);
    let x = select(a, b, swap);
    let y = select(b, a, swap);
    let ax = x & MAGNITUDE;
    let ay = y & MAGNITUDE;
    let differ = ((x ^ y) & SIGN) != 0u;
    if (ax >= INF) {
        return select(x, NAN, ax > INF || (ay == INF && differ));
    }
    if (ax == 0u) {
        return x & y;
    }
    // Subnormal numbers have the exponent of the smallest normal ones, without the leading bit. Three bits more decide
    // the rounding.
    let ex = max(ax >> 23u, 1u);
    let ey = max(ay >> 23u, 1u);
    let mx = (select(0u, 0x800000u, ax >= 0x800000u) | (ax & 0x7FFFFFu)) << 3u;
    let my = (select(0u, 0x800000u, ay >= 0x800000u) | (ay & 0x7FFFFFu)) << 3u;
    let d = min(ex - ey, 31u);
    let aligned = (my >> d) | u32((my & ((1u << d) - 1u)) != 0u);
    let m = select(mx + aligned, mx - aligned, differ);
    if (m == 0u) {
        return 0u;
    }
    let zeros = countLeadingZeros(m);
    return pack(x & SIGN, i32(ex) - 122 - i32(zeros), m << zeros);
}

fn e_sub(a: u32, b: u32) -> u32 {
    return e_add(a, b ^ SIGN);
}

fn e_mul(a: u32, b: u32) -> u32 {
    let sign = (a ^ b) & SIGN;
    let am = a & MAGNITUDE;
    let bm = b & MAGNITUDE;
    let most = max(am, bm);
    let least = min(am, bm);
    if (most >= INF) {
        return select(sign | INF, NAN, most > INF || least == 0u);
    }
    if (least == 0u) {
        return sign;
    }
    let x = significand(am);
    let y = significand(bm);
    let p = mul_wide(x.m << 8u, y.m << 8u);
    let zeros = countLeadingZeros(p.y);
    let m = wide_shl(p, zeros);
    return pack(sign, x.s + y.s + 47 - i32(zeros), m.y | u32(m.x != 0u));
}

// Order: -0 as 0. Not for NaN.
fn key(a: u32) -> u32 {
    return select(select(a | SIGN, ~a, a >= SIGN), SIGN, (a & MAGNITUDE) == 0u);
}

fn e_less(a: u32, b: u32) -> u32 {
    return truth(!is_nan(a) && !is_nan(b) && key(a) < key(b));
}

fn e_less_equal(a: u32, b: u32) -> u32 {
    return truth(!is_nan(a) && !is_nan(b) && key(a) <= key(b));
}

fn e_equal(a: u32, b: u32) -> u32 {
    return truth(!is_nan(a) && !is_nan(b) && key(a) == key(b));
}

fn e_not_equal(a: u32, b: u32) -> u32 {
    return truth(is_nan(a) || is_nan(b) || key(a) != key(b));
}

fn e_and(a: u32, b: u32) -> u32 {
    return truth(is_true(a) && is_true(b));
}

fn e_or(a: u32, b: u32) -> u32 {
    return truth(is_true(a) || is_true(b));
}

fn e_where(c: u32, a: u32, b: u32) -> u32 {
    return select(b, a, is_true(c));
}

// -0 before +0.
fn e_min(a: u32, b: u32) -> u32 {
    let ordered = select(select(a | b, b, key(b) < key(a)), a, key(a) < key(b));
    return select(ordered, NAN, is_nan(a) || is_nan(b));
}

fn e_max(a: u32, b: u32) -> u32 {
    let ordered = select(select(a & b, b, key(b) > key(a)), a, key(a) > key(b));
    return select(ordered, NAN, is_nan(a) || is_nan(b));
}

fn e_trunc(a: u32) -> u32 {
    let field = (a >> 23u) & 255u;
    if (field >= 150u) {
        return a;
    }
    if (field < 127u) {
        return a & SIGN;
    }
    return a & ~((1u << (150u - field)) - 1u);
}

fn e_floor(a: u32) -> u32 {
    let whole = e_trunc(a);
    if (whole != a && a >= SIGN) {
        return e_add(whole, ONE | SIGN);
    }
    return whole;
}

fn e_ceil(a: u32) -> u32 {
    let whole = e_trunc(a);
    if (whole != a && a < SIGN) {
        return e_add(whole, ONE);
    }
    return whole;
}

fn e_round(a: u32) -> u32 {
    let field = (a >> 23u) & 255u;
    if (field >= 150u) {
        return a;
    }
    if (field < 127u) {
        return (a & SIGN) | select(0u, ONE, (a & MAGNITUDE) > 0x3F000000u);
    }
    let shift = 150u - field;
    let odd = (a >> shift) & 1u;
    return (a + ((1u << (shift - 1u)) - 1u) + odd) & ~((1u << shift) - 1u);
}
