// A product of floats into the digits: 106 bits at the sum of the exponents, in six digits.
fn push_product(a: vec2<u32>, b: vec2<u32>) {
    let sign = 0u - ((a.y ^ b.y) >> 31u);
    let ea = (a.y >> 20u) & 2047u;
    let eb = (b.y >> 20u) & 2047u;
    let nan = (ea == 2047u && (a.x | (a.y & 0xfffffu)) != 0u) || (eb == 2047u && (b.x | (b.y & 0xfffffu)) != 0u);
    if (SKIP && nan) {
        return;
    }
    other = 1u;
    if (ea == 2047u || eb == 2047u) {
        // Infinity times zero is NaN.
        let zero = (a.x | (a.y << 1u)) == 0u || (b.x | (b.y << 1u)) == 0u;
        flags |= select(select(1u, 2u, sign != 0u), 4u, nan || zero);
        return;
    }
    let ah = (a.y & 0xfffffu) | (min(ea, 1u) << 20u);
    let bh = (b.y & 0xfffffu) | (min(eb, 1u) << 20u);
    let p0 = mul_wide(a.x, b.x);
    let p1 = mul_wide(a.x, bh);
    let p2 = mul_wide(ah, b.x);
    let p3 = mul_wide(ah, bh);
    let s1 = p0.y + p1.x;
    let w1 = s1 + p2.x;
    let c1 = select(0u, 1u, s1 < p0.y) + select(0u, 1u, w1 < s1);
    let s3 = p1.y + p2.y + c1; // below 2^23: no carry
    let w2 = p3.x + s3;
    let w3 = p3.y + select(0u, 1u, w2 < s3);
    let position = max(ea, 1u) + max(eb, 1u) - 2u;
    let d = (position * 2850u) >> 16u; // position / 23, up to 4,600
    let s = position - d * 23u;
    let at = d * WG + lane;
    let k = 23u - s;
    let n0 = (p0.x >> k) | (w1 << (32u - k));
    let n1 = (w1 >> k) | (w2 << (32u - k));
    let n2 = (w2 >> k) | (w3 << (32u - k));
    let n3 = w3 >> k;
    digits[at] += i32((((p0.x << s) & MASK) ^ sign) - sign);
    digits[at + WG] += i32(((n0 & MASK) ^ sign) - sign);
    digits[at + 2u * WG] += i32(((((n0 >> 23u) | (n1 << 9u)) & MASK) ^ sign) - sign);
    digits[at + 3u * WG] += i32(((((n1 >> 14u) | (n2 << 18u)) & MASK) ^ sign) - sign);
    digits[at + 4u * WG] += i32(((((n2 >> 5u) | (n3 << 27u)) & MASK) ^ sign) - sign);
    digits[at + 5u * WG] += i32((((n2 >> 28u) | (n3 << 4u)) ^ sign) - sign);
}
