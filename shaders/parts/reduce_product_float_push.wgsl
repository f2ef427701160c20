fn push(e: vec2<u32>, r: u32) {
    var s = State(0u, 0u, 0u, 0u, 0u);
    var exponent = 0;
    if (WIDE) {
        let field = (e.y >> 20u) & 2047u;
        s = State(e.x, e.y & 0xfffffu, 0u, 0u, e.y >> 31u);
        exponent = i32(field) - 1023;
        if (SKIP && field == 2047u && (s.low | s.high) != 0u) {
            return;
        }
        if (field == 2047u) {
            s.flags |= select(8u, 4u, (s.low | s.high) == 0u);
        } else if (field == 0u) {
            if ((s.low | s.high) == 0u) {
                s.flags |= 2u;
            } else {
                // Subnormal: move the leading bit up to bit 52.
                let zeros = select(countLeadingZeros(s.high), 32u + countLeadingZeros(s.low), s.high == 0u);
                let up = zeros - 11u;
                exponent = -1022 - i32(up);
                if (up >= 32u) {
                    s.high = s.low << (up - 32u);
                    s.low = 0u;
                } else {
                    s.high = (s.high << up) | ((s.low >> 1u) >> (31u - up));
                    s.low <<= up;
                }
                s.high &= TOP - 1u;
            }
        }
    } else {
        let field = (e.x >> 23u) & 255u;
        var fraction = e.x & 0x7fffffu;
        s.flags = e.x >> 31u;
        exponent = i32(field) - 127;
        if (SKIP && field == 255u && fraction != 0u) {
            return;
        }
        if (field == 255u) {
            s.flags |= select(8u, 4u, fraction == 0u);
        } else if (field == 0u) {
            if (fraction == 0u) {
                s.flags |= 2u;
            } else {
                let up = countLeadingZeros(fraction) - 8u;
                exponent = -126 - i32(up);
                fraction = (fraction << up) & 0x7fffffu;
            }
        }
        // 23 bits of fraction become 52.
        s.high = fraction >> 3u;
        s.low = fraction << 29u;
    }
    s.exponent_low = u32(exponent);
    s.exponent_high = u32(exponent >> 31u);
    mine = merge(mine, s);
}
