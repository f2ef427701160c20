fn acc_push(e: vec2<u32>, r: u32) {
    let bits = e.x;
    let sign = select(0u - (bits >> 31u), 0u, ABS);
    let exponent = (bits >> 23u) & 255u;
    if (SKIP && exponent == 255u && (bits & MASK) != 0u) {
        return;
    }
    other |= select(bits ^ 0x80000000u, 1u, ABS);
    if (exponent == 255u) {
        flags |= select(4u, select(1u, 2u, sign != 0u), (bits & MASK) == 0u);
        return;
    }
    let m = (bits & MASK) | (min(exponent, 1u) << 23u);
    let position = max(exponent, 1u) - 1u;
    let d = (position * 2850u) >> 16u; // position / 23
    let s = position - d * 23u;
    let a = d * WG + lane;
    digits[a] += i32((((m << s) & MASK) ^ sign) - sign);
    digits[a + WG] += i32(((m >> (23u - s)) ^ sign) - sign);
}
