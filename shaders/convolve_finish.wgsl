// From the sums of a convolution to the dtype of its result, in integer arithmetic only: exact integers are rounded once
// to floats (nearest even) or checked against the range of a narrower integer; floats are rounded to integers (nearest
// even, saturating, NaN gives 0). One invocation writes one word, or one element of 64 bits, of the result.
//
// RAW is what the sums are, OUT the number of the result's dtype, POLICY what becomes of integers that it does not hold: 0
// the flag is set, 1 they wrap, 2 they saturate. FLOAT is whether the sums are floats, BIAS the bias of their exponents.
const RAW_I32: u32 = 0u;
const RAW_I64: u32 = 1u;
const RAW_WIDE: u32 = 2u;
const RAW_F32: u32 = 3u;
const RAW_F64: u32 = 4u;

// An integer: sign and magnitude, 160 bits.
struct Integer {
    negative: bool,
    low: vec4<u32>,
    top: u32,
}

fn integer(i: u32) -> Integer {
    var low: vec4<u32>;
    var top: u32;
    if (RAW == RAW_WIDE) {
        let j = 5u * i;
        low = vec4<u32>(raw[j], raw[j + 1u], raw[j + 2u], raw[j + 3u]);
        top = raw[j + 4u];
    } else if (RAW == RAW_I64) {
        let sign = bitcast<u32>(bitcast<i32>(raw[2u * i + 1u]) >> 31u);
        low = vec4<u32>(raw[2u * i], raw[2u * i + 1u], sign, sign);
        top = sign;
    } else {
        let sign = bitcast<u32>(bitcast<i32>(raw[i]) >> 31u);
        low = vec4<u32>(raw[i], sign, sign, sign);
        top = sign;
    }
    let negative = (top >> 31u) == 1u;
    if (negative) {
        low = ~low;
        top = ~top;
        low.x += 1u;
        if (low.x == 0u) {
            low.y += 1u;
            if (low.y == 0u) {
                low.z += 1u;
                if (low.z == 0u) {
                    low.w += 1u;
                    if (low.w == 0u) {
                        top += 1u;
                    }
                }
            }
        }
    }
    return Integer(negative, low, top);
}

// m / 2^n of a 64-bit m (low, high), rounded to nearest, ties to even.
fn shift_round(m: vec2<u32>, n: u32) -> vec2<u32> {
    if (n == 0u) {
        return m;
    }
    if (n > 64u) {
        return vec2<u32>();
    }
    // The bits below the last one kept: `half` is the first of them, `sticky` whether any other is set.
    let last = n - 1u;
    var half: u32;
    var sticky: bool;
    if (last >= 32u) {
        half = (m.y >> (last - 32u)) & 1u;
        sticky = m.x != 0u || (m.y & ((1u << (last - 32u)) - 1u)) != 0u;
    } else {
        half = (m.x >> last) & 1u;
        sticky = (m.x & ((1u << last) - 1u)) != 0u;
    }
    var q: vec2<u32>;
    if (n == 64u) {
        q = vec2<u32>();
    } else if (n >= 32u) {
        q = vec2<u32>(m.y >> (n - 32u), 0u);
    } else {
        q = vec2<u32>((m.x >> n) | (m.y << (32u - n)), m.y >> n);
    }
    if (half == 1u && (sticky || (q.x & 1u) == 1u)) {
        q.x += 1u;
        if (q.x == 0u) {
            q.y += 1u;
        }
    }
    return q;
}

// A float sum: its sign, biased exponent and 64-bit significand; the value is significand * 2^(exponent - BIAS).
struct Float {
    negative: bool,
    exponent: u32,
    significand: vec2<u32>,
    special: bool,
    nan: bool,
}

fn float(i: u32) -> Float {
    if (RAW == RAW_F32) {
        let bits = raw[i];
        let e = (bits >> 23u) & 0xffu;
        let m = bits & 0x7fffffu;
        return Float((bits >> 31u) == 1u, max(e, 1u), vec2<u32>(select(m, m | 0x800000u, e > 0u), 0u), e == 0xffu, e == 0xffu && m != 0u);
    }
    let lo = raw[2u * i];
    let hi = raw[2u * i + 1u];
    let e = (hi >> 20u) & 0x7ffu;
    let m = hi & 0xfffffu;
    return Float((hi >> 31u) == 1u, max(e, 1u), vec2<u32>(lo, select(m, m | 0x100000u, e > 0u)), e == 0x7ffu, e == 0x7ffu && (m != 0u || lo != 0u));
}

// The nearest integer; what does not fit 64 bits is given as 2^64.
fn rounded(f: Float) -> Integer {
    if (f.nan) {
        return Integer(false, vec4<u32>(), 0u);
    }
    if (f.exponent < BIAS) {
        return Integer(f.negative, vec4<u32>(shift_round(f.significand, BIAS - f.exponent), 0u, 0u), 0u);
    }
    let n = f.exponent - BIAS;
    if (f.special || n > select(11u, 40u, RAW == RAW_F32)) {
        return Integer(f.negative, vec4<u32>(0u, 0u, 1u, 0u), 0u);
    }
    let m = f.significand;
    var q = m;
    if (n >= 32u) {
        q = vec2<u32>(0u, m.x << (n - 32u));
    } else if (n > 0u) {
        q = vec2<u32>(m.x << n, (m.y << n) | (m.x >> (32u - n)));
    }
    return Integer(f.negative, vec4<u32>(q, 0u, 0u), 0u);
}

fn value(i: u32) -> Integer {
    if (FLOAT) {
        return rounded(float(i));
    }
    return integer(i);
}

fn is_zero(v: Integer) -> bool {
    return all(v.low == vec4<u32>()) && v.top == 0u;
}

// An element of up to 32 bits, right-aligned.
fn narrow(i: u32) -> u32 {
    if (OUT == F32) {
        if (FLOAT) {
            return float_to_f32(float(i));
        }
        return integer_to_f32(integer(i));
    }
    if (OUT == BOOL) {
        if (FLOAT) {
            let f = float(i);
            return u32(f.special || any(f.significand != vec2<u32>()));
        }
        return u32(!is_zero(integer(i)));
    }
    let v = value(i);
    let bits = 32u / per_word();
    let mask = 0xffffffffu >> (32u - bits);
    if (!FLOAT && POLICY == 1u) {
        return select(v.low.x, 0u - v.low.x, v.negative) & mask;
    }
    let limit = narrow_limit(bits, v.negative);
    var magnitude = v.low.x;
    if (v.low.x > limit || any(v.low.yzw != vec3<u32>()) || v.top != 0u) {
        magnitude = limit;
        if (!FLOAT && POLICY == 0u) {
            atomicOr(&overflow, 1u);
        }
    }
    return select(magnitude, 0u - magnitude, v.negative) & mask;
}

// An element of 64 bits: low, high.
fn wide(i: u32) -> vec2<u32> {
    if (OUT == F64) {
        if (FLOAT) {
            return vec2<u32>(raw[2u * i], raw[2u * i + 1u]);
        }
        return integer_to_f64(integer(i));
    }
    let v = value(i);
    let limit = wide_limit(v.negative);
    var m = v.low.xy;
    let wraps = !FLOAT && POLICY == 1u;
    if (!wraps && (m.y > limit.y || (m.y == limit.y && m.x > limit.x) || any(v.low.zw != vec2<u32>()) || v.top != 0u)) {
        m = limit;
        if (!FLOAT && POLICY == 0u) {
            atomicOr(&overflow, 1u);
        }
    }
    return select(m, negated(m), v.negative);
}

// The magnitude shifted up until its top bit is bit 159, and its length in bits.
struct Normal {
    low: vec4<u32>,
    top: u32,
    length: u32,
}

fn normalise(v: Integer) -> Normal {
    var n = Normal(v.low, v.top, 160u);
    for (var i = 0u; i < 4u && n.top == 0u; i++) {
        n.top = n.low.w;
        n.low = vec4<u32>(0u, n.low.xyz);
        n.length -= 32u;
    }
    let shift = countLeadingZeros(n.top);
    if (shift > 0u && shift < 32u) {
        let back = 32u - shift;
        n.top = (n.top << shift) | (n.low.w >> back);
        n.low = (n.low << vec4<u32>(shift)) | (vec4<u32>(0u, n.low.xyz) >> vec4<u32>(back));
    }
    n.length -= shift;
    return n;
}

fn integer_to_f32(v: Integer) -> u32 {
    if (is_zero(v)) {
        return 0u;
    }
    let n = normalise(v);
    let sign = select(0u, 0x80000000u, v.negative);
    if (n.length > 128u) {
        return sign | 0x7f800000u;
    }
    let half = (n.top >> 7u) & 1u;
    let sticky = (n.top & 0x7fu) != 0u || any(n.low != vec4<u32>());
    // The leading bit of the significand adds one to the exponent, and so does a carry out of it.
    var bits = ((n.length + 125u) << 23u) + (n.top >> 8u);
    if (half == 1u && (sticky || (bits & 1u) == 1u)) {
        bits += 1u;
    }
    return sign | bits;
}

fn integer_to_f64(v: Integer) -> vec2<u32> {
    if (is_zero(v)) {
        return vec2<u32>();
    }
    let n = normalise(v);
    let half = (n.low.w >> 10u) & 1u;
    let sticky = (n.low.w & 0x3ffu) != 0u || any(n.low.xyz != vec3<u32>());
    var bits = vec2<u32>((n.top << 21u) | (n.low.w >> 11u), ((n.length + 1021u) << 20u) + (n.top >> 11u));
    if (half == 1u && (sticky || (bits.x & 1u) == 1u)) {
        bits.x += 1u;
        bits.y += u32(bits.x == 0u);
    }
    return vec2<u32>(bits.x, bits.y | select(0u, 0x80000000u, v.negative));
}

// A binary64 rounded to binary32.
fn float_to_f32(f: Float) -> u32 {
    let sign = select(0u, 0x80000000u, f.negative);
    if (f.nan) {
        return 0x7fc00000u;
    }
    if (f.exponent > 1150u) {
        return sign | 0x7f800000u;
    }
    // Subnormal results keep fewer bits.
    let below = u32(max(897 - i32(f.exponent), 0));
    let exponent = f.exponent + below - 897u;
    return sign | ((exponent << 23u) + shift_round(f.significand, 29u + below).x);
}
