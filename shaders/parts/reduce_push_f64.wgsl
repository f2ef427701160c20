// A number of binary64.
fn push_double(e: vec2<u32>) {
    let sign = select(0u - (e.y >> 31u), 0u, ABS);
    let exponent = (e.y >> 20u) & 2047u;
    if (SKIP && exponent == 2047u && (e.x | (e.y & 0xfffffu)) != 0u) {
        return;
    }
    other |= select(e.x | (e.y ^ 0x80000000u), 1u, ABS);
    if (exponent == 2047u) {
        flags |= select(4u, select(1u, 2u, sign != 0u), (e.x | (e.y & 0xfffffu)) == 0u);
        return;
    }
    let high = (e.y & 0xfffffu) | (min(exponent, 1u) << 20u);
    let position = max(exponent, 1u) - 1u;
    let d = (position * 2850u) >> 16u; // position / 23
    let s = position - d * 23u;
    let a = d * WG + lane;
    // The mantissa above digit 0, shifted right by 23 - s (1..=23), then by 23 more.
    let k = 23u - s;
    let n_low = (e.x >> k) | (high << (32u - k));
    let n_high = high >> k;
    let top = (n_low >> 23u) | (n_high << 9u);
    digits[a] += i32((((e.x << s) & MASK) ^ sign) - sign);
    digits[a + WG] += i32(((n_low & MASK) ^ sign) - sign);
    digits[a + 2u * WG] += i32(((top & MASK) ^ sign) - sign);
    digits[a + 3u * WG] += i32(((top >> 23u) ^ sign) - sign);
}
