// A product of floats into the digits: 48 bits at the sum of the exponents, in four digits.
fn push_product(a: vec2<u32>, b: vec2<u32>) {
    let sign = 0u - ((a.x ^ b.x) >> 31u);
    let ea = (a.x >> 23u) & 255u;
    let eb = (b.x >> 23u) & 255u;
    let nan = (ea == 255u && (a.x & MASK) != 0u) || (eb == 255u && (b.x & MASK) != 0u);
    if (SKIP && nan) {
        return;
    }
    other = 1u;
    if (ea == 255u || eb == 255u) {
        // Infinity times zero is NaN.
        let zero = (a.x << 1u) == 0u || (b.x << 1u) == 0u;
        flags |= select(select(1u, 2u, sign != 0u), 4u, nan || zero);
        return;
    }
    let p = mul_wide((a.x & MASK) | (min(ea, 1u) << 23u), (b.x & MASK) | (min(eb, 1u) << 23u));
    let position = max(ea, 1u) + max(eb, 1u) - 2u;
    let d = (position * 2850u) >> 16u; // position / 23
    let s = position - d * 23u;
    let at = d * WG + lane;
    let k = 23u - s;
    let n_low = (p.x >> k) | (p.y << (32u - k));
    let n_high = p.y >> k;
    let top = (n_low >> 23u) | (n_high << 9u);
    digits[at] += i32((((p.x << s) & MASK) ^ sign) - sign);
    digits[at + WG] += i32(((n_low & MASK) ^ sign) - sign);
    digits[at + 2u * WG] += i32(((top & MASK) ^ sign) - sign);
    digits[at + 3u * WG] += i32(((top >> 23u) ^ sign) - sign);
}
