const BELOW: i32 = 0;

fn result(i: u32) -> vec2<u32> {
    let flags = state[i + DIGITS * params.n];
    if ((flags & 7u) != 0u) {
        // NaN, or one of the infinities, or both: NaN again.
        let infinity = select(0u, 0x80000000u, (flags & 7u) == 2u);
        let nan = (flags & 7u) >= 3u;
        if (OUT_SIZE == 4u) { return vec2<u32>(select(infinity | 0x7f800000u, 0x7fc00000u, nan), 0u); }
        return vec2<u32>(0u, select(infinity | 0x7ff00000u, 0x7ff80000u, nan));
    }
    let negative = (state[i + (DIGITS - 1u) * params.n] >> 31u) == 1u;
    var any = 0u;
    var carry = select(0u, 1u, negative);
    for (var d = 0u; d < DIGITS; d++) {
        var v = state[i + d * params.n];
        if (negative) {
            if (d < DIGITS - 1u) {
                v = (v ^ 0x7fffffu) + carry;
                carry = v >> 23u;
                v &= 0x7fffffu;
            } else {
                v = ~v + carry;
            }
        }
        magnitude[d] = v;
        any |= v;
    }
    if (any == 0u) {
        // Zero is negative only if everything was -0.
        let sign = select(0x80000000u, 0u, (flags & 8u) != 0u);
        if (OUT_SIZE == 4u) { return vec2<u32>(sign, 0u); }
        return vec2<u32>(0u, sign);
    }
    var count = vec2<u32>(1u, 0u);
    if (MEAN) {
        count = vec2<u32>(params.count_lo, params.count_hi);
    }
    return round_ratio(count, select(0u, 0x80000000u, negative));
}
