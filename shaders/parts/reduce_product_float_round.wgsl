// mantissa * 2^exponent, rounded to nearest even.
fn rounded_product(low: u32, high_bits: u32, exponent_low: u32, exponent_high_bits: u32, flags: u32) -> vec2<u32> {
    let sign = (flags & 1u) << 31u;
    if ((flags & 8u) != 0u || (flags & 6u) == 6u) {
        if (OUT_SIZE == 4u) { return vec2<u32>(0x7fc00000u, 0u); }
        return vec2<u32>(0u, 0x7ff80000u);
    }
    var exponent = i32(exponent_low);
    let exponent_high = i32(exponent_high_bits);
    // Beyond 32 bits it is beyond every format.
    if (exponent_high != (exponent >> 31u)) {
        exponent = select(-1000000, 1000000, exponent_high >= 0);
    }
    exponent = clamp(exponent, -100000, 100000);
    let infinite = (flags & 4u) != 0u;
    let zero = (flags & 2u) != 0u;
    // The 53-bit mantissa, shifted right by `drop` bits so that its last bit is a bit of the result.
    let high = high_bits | 0x100000u;
    var bits = 53;
    var least = -1022;
    var most = 1023;
    if (OUT_SIZE == 4u) {
        bits = 24;
        least = -126;
        most = 127;
    }
    if (infinite || (!zero && exponent > most)) {
        if (OUT_SIZE == 4u) { return vec2<u32>(sign | 0x7f800000u, 0u); }
        return vec2<u32>(0u, sign | 0x7ff00000u);
    }
    let drop = u32(clamp(53 - bits + max(least - exponent, 0), 0, 55));
    if (zero || drop >= 55u) {
        if (OUT_SIZE == 4u) { return vec2<u32>(sign, 0u); }
        return vec2<u32>(0u, sign);
    }
    var kept = vec2<u32>(low, high);
    var half = 0u;
    var below = 0u;
    if (drop >= 33u) {
        kept = vec2<u32>((high >> 1u) >> (drop - 33u), 0u);
        half = (high >> (drop - 33u)) & 1u;
        below = low | (high & ((1u << (drop - 33u)) - 1u));
    } else if (drop == 32u) {
        kept = vec2<u32>(high, 0u);
        half = low >> 31u;
        below = low & 0x7fffffffu;
    } else if (drop > 0u) {
        kept = vec2<u32>((low >> drop) | (high << (32u - drop)), high >> drop);
        half = (low >> (drop - 1u)) & 1u;
        below = low & ((1u << (drop - 1u)) - 1u);
    }
    if (half == 1u && (below != 0u || (kept.x & 1u) == 1u)) {
        kept.x += 1u;
        if (kept.x == 0u) {
            kept.y += 1u;
        }
    }
    // The leading bit of a normal mantissa adds one to the exponent field; so does a carry.
    let field = u32(max(exponent - least, 0));
    if (OUT_SIZE == 4u) {
        return vec2<u32>(sign | (kept.x + (field << 23u)), 0u);
    }
    return vec2<u32>(kept.x, sign | (kept.y + (field << 20u)));
}
