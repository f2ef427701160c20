// Arithmetic of binary64 on its bits, (low, high), in integers: rounded once to nearest, ties to even, subnormals included.
// Needs words64.
const D_NAN = vec2<u32>(0u, 0x7FF80000u);
const D_ONE = vec2<u32>(0u, 0x3FF00000u);
const D_TOP = 0x7FF00000u;
const D_SIGN = 0x80000000u;

fn is_zero64(a: vec2<u32>) -> bool {
    return (a.x | a.y) == 0u;
}

fn is_less64(a: vec2<u32>, b: vec2<u32>) -> bool {
    return a.y < b.y || (a.y == b.y && a.x < b.x);
}

fn d_magnitude(a: vec2<u32>) -> vec2<u32> {
    return vec2<u32>(a.x, a.y & 0x7FFFFFFFu);
}

// Of a magnitude.
fn d_is_nan(a: vec2<u32>) -> bool {
    return a.y > D_TOP || (a.y == D_TOP && a.x != 0u);
}

// m 2^(exponent - 63) rounded; the top bit of m is set, its lowest one stands for all below it.
fn d_pack(sign: u32, exponent: i32, m: vec2<u32>) -> vec2<u32> {
    let biased = exponent + 1023;
    let n = u32(11 + clamp(1 - biased, 0, 53));
    let whole = shift_right64(shift_right64(m, n - 1u), 1u);
    let rest = shift_left64(m, 64u - n);
    let up = u32(rest.y > D_SIGN || (rest.y == D_SIGN && (rest.x != 0u || (whole.x & 1u) == 1u)));
    // The leading bit of a normal number, and a carry, run into the exponent.
    let bits = add64(whole, vec2<u32>(up, (u32(max(biased, 1)) - 1u) << 20u));
    let finite = select(bits, vec2<u32>(0u, 0u), biased < -52);
    return select(vec2<u32>(finite.x, finite.y | sign), vec2<u32>(0u, sign | D_TOP), biased >= 2047);
}

struct Significand64 {
    // 53 bits, or 0.
    m: vec2<u32>,
    // The number is m 2^s.
    s: i32,
}

fn d_significand(magnitude: vec2<u32>) -> Significand64 {
    let field = i32(magnitude.y >> 20u);
    let fraction = vec2<u32>(magnitude.x, magnitude.y & 0xFFFFFu);
    let zeros = leading_zeros64(vec2<u32>(fraction.x | 1u, fraction.y)) - 11u;
    let m = select(vec2<u32>(fraction.x, fraction.y | 0x100000u), shift_left64(fraction, zeros & 63u), field == 0);
    return Significand64(m, select(field - 1075, -1074 - i32(zeros), field == 0));
}

// The whole product, low word first.
fn mul_whole64(a: vec2<u32>, b: vec2<u32>) -> vec4<u32> {
    let low = mul_wide(a.x, b.x);
    let ab = mul_wide(a.x, b.y);
    let ba = mul_wide(a.y, b.x);
    let middle = low.y + ab.x;
    let second = middle + ba.x;
    let carry = u32(middle < ab.x) + u32(second < ba.x);
    let high = add64(add64(add64(mul_wide(a.y, b.y), vec2<u32>(ab.y, 0u)), vec2<u32>(ba.y, 0u)), vec2<u32>(carry, 0u));
    return vec4<u32>(low.x, second, high.x, high.y);
}

fn d_add(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let swap = is_less64(d_magnitude(a), d_magnitude(b));
    let x = select(a, b, swap);
    let y = select(b, a, swap);
    let ax = d_magnitude(x);
    let ay = d_magnitude(y);
    let differ = ((x.y ^ y.y) & D_SIGN) != 0u;
    // Subnormal numbers have the exponent of the smallest normal ones, without the leading bit. Three bits more decide
    // the rounding.
    let ex = max(ax.y >> 20u, 1u);
    let ey = max(ay.y >> 20u, 1u);
    let mx = shift_left64(vec2<u32>(ax.x, (ax.y & 0xFFFFFu) | (min(ax.y >> 20u, 1u) << 20u)), 3u);
    let my = shift_left64(vec2<u32>(ay.x, (ay.y & 0xFFFFFu) | (min(ay.y >> 20u, 1u) << 20u)), 3u);
    let d = min(ex - ey, 63u);
    var aligned = shift_right64(my, d);
    let back = shift_left64(aligned, d);
    aligned.x |= u32(back.x != my.x || back.y != my.y);
    let m = add64(mx, select(aligned, negate64(aligned), differ));
    let zeros = leading_zeros64(vec2<u32>(m.x | 1u, m.y));
    let sum = d_pack(x.y & D_SIGN, i32(ex) - 1015 - i32(zeros), shift_left64(m, zeros));
    let finite = select(select(sum, vec2<u32>(0u, 0u), is_zero64(m)), x & y, is_zero64(ax));
    let infinite = select(x, D_NAN, d_is_nan(ax) || (ay.y == D_TOP && differ));
    return select(finite, infinite, ax.y >= D_TOP);
}

fn d_mul(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let sign = (a.y ^ b.y) & D_SIGN;
    let am = d_magnitude(a);
    let bm = d_magnitude(b);
    let zero = is_zero64(am) || is_zero64(bm);
    let nan = d_is_nan(am) || d_is_nan(bm) || zero;
    let x = d_significand(am);
    let y = d_significand(bm);
    let p = mul_whole64(shift_left64(x.m, 11u), shift_left64(y.m, 11u));
    let zeros = countLeadingZeros(p.w);
    let m = shift_left64(p.zw, zeros) | vec2<u32>(select(0u, p.y >> 31u, zeros == 1u) | u32((p.x | (p.y << zeros)) != 0u), 0u);
    let product = d_pack(sign, x.s + y.s + 105 - i32(zeros), m);
    let finite = select(product, vec2<u32>(0u, sign), zero);
    return select(finite, select(vec2<u32>(0u, sign | D_TOP), D_NAN, nan), am.y >= D_TOP || bm.y >= D_TOP);
}

// The number of binary32 bits.
fn double_of_f32(a: u32) -> vec2<u32> {
    let sign = a & D_SIGN;
    let field = (a >> 23u) & 255u;
    let fraction = a & 0x7FFFFFu;
    let normal = vec2<u32>(fraction << 29u, sign | ((field + 896u) << 20u) | (fraction >> 3u));
    let infinite = select(vec2<u32>(0u, sign | D_TOP), D_NAN, fraction != 0u);
    let zeros = countLeadingZeros(fraction | 1u);
    let small = d_pack(sign, -118 - i32(zeros), vec2<u32>(0u, fraction << zeros));
    let least = select(small, vec2<u32>(0u, sign), fraction == 0u);
    return select(select(normal, infinite, field == 255u), least, field == 0u);
}

// The number of a 64-bit integer.
fn double_of_integer(a: vec2<u32>, negative: bool) -> vec2<u32> {
    let m = select(a, negate64(a), negative);
    let zeros = leading_zeros64(vec2<u32>(m.x | 1u, m.y));
    let packed = d_pack(select(0u, D_SIGN, negative), 63 - i32(zeros), shift_left64(m, zeros));
    return select(packed, vec2<u32>(0u, 0u), is_zero64(m));
}
