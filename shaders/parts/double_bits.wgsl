// What functions of binary64 do to the bits of a number: `src/expr/spelled/bits.rs`, step by step. Needs double_order.
const TWO_PER_PI = array<u32, 39>(
    0x00000000u, 0x00000000u, 0xA2F9836Eu, 0x4E441529u, 0xFC2757D1u, 0xF534DDC0u, 0xDB629599u, 0x3C439041u,
    0xFE5163ABu, 0xDEBBC561u, 0xB7246E3Au, 0x424DD2E0u, 0x06492EEAu, 0x09D1921Cu, 0xFE1DEB1Cu, 0xB129A73Eu,
    0xE88235F5u, 0x2EBB4484u, 0xE99C7026u, 0xB45F7E41u, 0x3991D639u, 0x835339F4u, 0x9C845F8Bu, 0xBDF9283Bu,
    0x1FF897FFu, 0xDE05980Fu, 0xEF2F118Bu, 0x5A0A6D1Fu, 0x6D367ECFu, 0x27CB09B7u, 0x4F463F66u, 0x9E5FEA2Du,
    0x7527BAC7u, 0xEBE5F17Bu, 0x3D0739F7u, 0x8A5292EAu, 0x6BFB5FB1u, 0x1F8D5D08u, 0x56033046u,
);

fn double_of_signed(a: i32) -> vec2<u32> {
    return double_of_integer(vec2<u32>(bitcast<u32>(a), bitcast<u32>(a >> 31u)), a < 0);
}

fn d_exponent(a: vec2<u32>) -> vec2<u32> {
    return double_of_signed(d_significand(d_magnitude(a)).s + 52);
}

fn d_fraction(a: vec2<u32>) -> vec2<u32> {
    let m = d_significand(d_magnitude(a)).m;
    return select(vec2<u32>(m.x, m.y + (1022u << 20u)), m, is_zero64(m));
}

fn d_power_of_two(a: vec2<u32>) -> vec2<u32> {
    let whole = d_whole(d_magnitude(a));
    let near = i32(select(whole.x, 2000u, whole.y != 0u || whole.x > 2000u));
    return vec2<u32>(0u, u32(clamp(select(near, -near, a.y >= D_SIGN), -1022, 1023) + 1023) << 20u);
}

// Word i of 2/pi from bit `start` on.
fn two_per_pi(start: u32, i: u32) -> u32 {
    let at = start / 32u + i;
    let s = start & 31u;
    return (TWO_PER_PI[at] << s) | ((TWO_PER_PI[at + 1u] >> 1u) >> (31u - s));
}

// What a large magnitude has: 0 the nearest quarter of a turn, 1 the angle from there, 2 what rounding took from that.
fn d_turns(a: vec2<u32>, part: u32) -> vec2<u32> {
    var result = vec2<u32>(0u, 0u);
    let magnitude = d_magnitude(a);
    if (magnitude.y >= 0x413921FBu && magnitude.y < D_TOP) {
        let x = d_significand(magnitude);
        let start = u32(62 + x.s);
        let low = mul_whole64(x.m, vec2<u32>(two_per_pi(start, 5u), two_per_pi(start, 4u)));
        let upper = mul_whole64(x.m, vec2<u32>(two_per_pi(start, 3u), two_per_pi(start, 2u)));
        let middle = add64(upper.xy, low.zw);
        let carried = add64(upper.zw, vec2<u32>(u32(is_less64(middle, upper.xy)), 0u));
        let top = add64(mul_whole64(x.m, vec2<u32>(two_per_pi(start, 1u), two_per_pi(start, 0u))).xy, carried);
        let quarters = (top.y + 0x20000000u) >> 30u;
        let turned = vec2<u32>(top.x, top.y - (quarters << 30u));
        let below = turned.y >= D_SIGN;
        // The fraction of a quarter: three numbers of 64 bits, negated if it is below.
        let low_zero = is_zero64(low.xy);
        let middle_zero = low_zero && is_zero64(middle);
        let l = select(low.xy, negate64(low.xy), below);
        let m = select(middle, add64(~middle, vec2<u32>(u32(low_zero), 0u)), below);
        let h = select(turned, add64(~turned, vec2<u32>(u32(middle_zero), 0u)), below);
        let empty = is_zero64(h);
        let whole = select(h, m, empty);
        let more = select(m, l, empty);
        let zeros = leading_zeros64(vec2<u32>(whole.x | 1u, whole.y));
        let lead = shift_left64(whole, zeros) | shift_right64(shift_right64(more, 1u), 63u - zeros);
        let product = mul_whole64(lead, vec2<u32>(0x2168C234u, 0xC90FDAA2u));
        let shift = u32(product.w < D_SIGN);
        let p = shift_left64(product.zw, shift) | vec2<u32>(select(0u, product.y >> 31u, shift == 1u), 0u);
        let exponent = -50 - i32(select(0u, 64u, empty) + zeros + shift);
        let sign = select(0u, D_SIGN, below);
        // 53 bits, and the 64 behind them.
        let head = vec2<u32>(p.x & 0xFFFFF800u, p.y);
        let under = shift_left64(product.xy, shift);
        let rest = shift_left64(vec2<u32>(p.x & 0x7FFu, 0u), 53u) | shift_right64(under, 11u);
        let rest_zeros = leading_zeros64(vec2<u32>(rest.x | 1u, rest.y));
        let rest_packed = d_pack(sign, exponent - 1 - i32(rest_zeros), shift_left64(rest, rest_zeros));
        let angle = d_pack(sign, exponent + 52, head);
        let tail = select(rest_packed, vec2<u32>(0u, sign), is_zero64(rest));
        result = select(select(tail, angle, part == 1u), double_of_signed(i32(quarters)), part == 0u);
    }
    return result;
}
