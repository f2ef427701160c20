// 64-bit integers as (low, high) on every device. Needs mul_wide: part mul_wide_u64 or mul_wide_u32.

fn add64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let low = a.x + b.x;
    return vec2<u32>(low, a.y + b.y + u32(low < a.x));
}

fn negate64(a: vec2<u32>) -> vec2<u32> {
    return add64(~a, vec2<u32>(1u, 0u));
}

// The upper half of a product.
fn mul_high64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let low = mul_wide(a.x, b.x);
    let ab = mul_wide(a.x, b.y);
    let ba = mul_wide(a.y, b.x);
    let middle = low.y + ab.x;
    let carry = u32(middle < ab.x) + u32(middle + ba.x < ba.x);
    let high = add64(mul_wide(a.y, b.y), vec2<u32>(ab.y, 0u));
    return add64(add64(high, vec2<u32>(ba.y, 0u)), vec2<u32>(carry, 0u));
}

// `n` below 64.
fn shift_left64(a: vec2<u32>, n: u32) -> vec2<u32> {
    let m = n & 31u;
    let high = (a.y << m) | ((a.x >> 1u) >> (31u - m));
    return select(vec2<u32>(a.x << m, high), vec2<u32>(0u, a.x << m), n >= 32u);
}

// `n` below 64.
fn shift_right64(a: vec2<u32>, n: u32) -> vec2<u32> {
    let m = n & 31u;
    let low = (a.x >> m) | ((a.y << 1u) << (31u - m));
    return select(vec2<u32>(low, a.y >> m), vec2<u32>(a.y >> m, 0u), n >= 32u);
}

fn leading_zeros64(a: vec2<u32>) -> u32 {
    return select(countLeadingZeros(a.y), 32u + countLeadingZeros(a.x), a.y == 0u);
}
