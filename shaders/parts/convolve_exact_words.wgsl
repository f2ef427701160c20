// Images as convolve_exact.wgsl wants them: taken apart; or, if FULL, as convolve_exact_full.wgsl wants them: as binary64
// numbers. 64-bit integers stay as they are for either. IMAGE is the dtype's number, as below. If images are taken apart
// their base is in `weights`, behind the values outside: the exponent of a float's lowest bit less that of the least
// subnormal, 0 for integers.
@group(0) @binding(0) var<storage, read> image: array<u32>;

const BOOL: u32 = 0u;
const U8: u32 = 1u;
const I8: u32 = 2u;
const U16: u32 = 3u;
const I16: u32 = 4u;
const U32: u32 = 5u;
const U64: u32 = 7u;
const I64: u32 = 8u;
const F32: u32 = 9u;
const F64: u32 = 10u;

// An integer element modulo 2^32; for dtypes of up to 16 bits its value.
fn integer(i: u32) -> i32 {
    if (IMAGE == BOOL || IMAGE == U8) {
        return i32((image[i >> 2u] >> (8u * (i & 3u))) & 0xffu);
    }
    if (IMAGE == I8) {
        return bitcast<i32>(image[i >> 2u] << (24u - 8u * (i & 3u))) >> 24u;
    }
    if (IMAGE == U16) {
        return i32((image[i >> 1u] >> (16u * (i & 1u))) & 0xffffu);
    }
    if (IMAGE == I16) {
        return bitcast<i32>(image[i >> 1u] << (16u - 16u * (i & 1u))) >> 16u;
    }
    return bitcast<i32>(image[i]);
}

fn place_of(field: u32, nonzero: bool) -> u32 {
    // The least subnormal's binade has the field 0 or 1.
    return select(0u, (max(field, 1u) - 1u - weights[p.fill_at + 3u].x) << PLACE, nonzero);
}

// ±significand * 2^exponent as a binary64 number.
fn binary64(sign: u32, significand: u32, exponent: i32) -> vec2<u32> {
    if (significand == 0u) {
        return vec2<u32>(0u, sign);
    }
    let zeros = countLeadingZeros(significand);
    let fraction = (significand << zeros) << 1u;
    let field = u32(exponent + 1054) - zeros;
    return vec2<u32>(fraction << 20u, sign | (field << 20u) | (fraction >> 12u));
}

fn full_element(i: u32) -> vec2<u32> {
    if (IMAGE == F64) {
        return vec2<u32>(image[2u * i], image[2u * i + 1u]);
    }
    if (IMAGE == F32) {
        let bits = image[i];
        let field = (bits >> 23u) & 0xffu;
        let fraction = bits & 0x7fffffu;
        let sign = bits & 0x80000000u;
        if (field == 0xffu) {
            return vec2<u32>(fraction, sign | 0x7ff00000u);
        }
        return binary64(sign, fraction | select(0u, 0x800000u, field != 0u), i32(max(field, 1u)) - 150);
    }
    let v = integer(i);
    if (IMAGE != U32 && v < 0) {
        return binary64(0x80000000u, bitcast<u32>(-v), 0);
    }
    return binary64(0u, bitcast<u32>(v), 0);
}

// X_LONG, W_LONG: what elements and weights are: 0 what the dtype says, 1 unsigned integers of 64 bits, 2 signed ones.
fn is_negative(v: vec2<u32>, long: u32) -> u32 {
    return select(v.y >> 31u, 0u, long == 1u);
}

// The magnitude of an integer of 64 bits.
fn magnitude(v: vec2<u32>, long: u32) -> vec2<u32> {
    if (is_negative(v, long) == 1u) {
        return vec2<u32>(0u - v.x, ~v.y + u32(v.x == 0u));
    }
    return v;
}

fn element(i: u32) -> vec2<u32> {
    if (IMAGE == U64 || IMAGE == I64) {
        return vec2<u32>(image[2u * i], image[2u * i + 1u]);
    }
    if (FULL) {
        return full_element(i);
    }
    if (IMAGE == F32) {
        let bits = image[i];
        let field = (bits >> 23u) & 0xffu;
        let fraction = bits & 0x7fffffu;
        let sign = bits & 0x80000000u;
        if (field == 0xffu) {
            return vec2<u32>(u32(fraction != 0u), sign | SPECIAL);
        }
        let significand = fraction | select(0u, 0x800000u, field != 0u);
        return vec2<u32>(significand, sign | place_of(field, significand != 0u));
    }
    if (IMAGE == F64) {
        let lo = image[2u * i];
        let hi = image[2u * i + 1u];
        let field = (hi >> 20u) & 0x7ffu;
        let fraction = hi & 0xfffffu;
        let sign = hi & 0x80000000u;
        if (field == 0x7ffu) {
            return vec2<u32>(u32((fraction | lo) != 0u), sign | SPECIAL);
        }
        let significand = fraction | select(0u, 0x100000u, field != 0u);
        return vec2<u32>(lo, significand | sign | place_of(field, (significand | lo) != 0u));
    }
    let v = integer(i);
    if (IMAGE != U32 && v < 0) {
        return vec2<u32>(bitcast<u32>(-v), 0x80000000u);
    }
    return vec2<u32>(bitcast<u32>(v), 0u);
}

fn low(i: u32) -> i32 {
    return bitcast<i32>(element(i).x);
}

fn high(i: u32) -> u32 {
    return element(i).y;
}
