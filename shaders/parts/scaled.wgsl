// From fixed point to floats in integers: the twin of src/random/fixed.rs. Needs part words64.

// The bits, less the sign, of `magnitude · 2^exponent` in a format of so many significant bits, whose least number is
// `2^least` and whose numbers lie below `2^end`: the nearest (ties to even), or with `down` the largest that is not above.
fn scaled_round(magnitude: vec2<u32>, exponent: i32, negative: bool, down: bool, digits: i32, least: i32, end: i32) -> vec2<u32> {
    if (magnitude.x == 0u && magnitude.y == 0u) {
        return vec2<u32>(0u);
    }
    let top = 63 - i32(leading_zeros64(magnitude)) + exponent;
    let last = max(top - digits + 1, least);
    var kept = vec2<u32>(0u);
    var binade = last - least;
    if (top >= end) {
        binade = end - digits + 2 - least;
    } else if (last <= exponent) {
        kept = shift_left64(magnitude, u32(exponent - last));
    } else {
        let dropped = u32(last - exponent);
        var rest = vec2<u32>(0u);
        if (dropped < 64u) {
            kept = shift_right64(magnitude, dropped);
            rest = shift_left64(magnitude, 64u - dropped);
        } else if (dropped == 64u) {
            rest = magnitude;
        }
        var up = false;
        if (down) {
            up = negative && (rest.x != 0u || rest.y != 0u || dropped > 64u);
        } else {
            let odd = (kept.x & 1u) == 1u;
            up = rest.y > 0x80000000u || (rest.y == 0x80000000u && (rest.x != 0u || odd));
        }
        kept = add64(kept, vec2<u32>(u32(up), 0u));
    }
    let field = u32(binade);
    return add64(kept, select(vec2<u32>(field << 23u, 0u), vec2<u32>(0u, field << 20u), digits == 53));
}

fn scaled_f32(magnitude: vec2<u32>, exponent: i32, negative: bool, down: bool) -> u32 {
    let bits = scaled_round(magnitude, exponent, negative, down, 24, -149, 128).x;
    return bits | (u32(negative && bits != 0u) << 31u);
}

fn scaled_f64(magnitude: vec2<u32>, exponent: i32, negative: bool, down: bool) -> vec2<u32> {
    let bits = scaled_round(magnitude, exponent, negative, down, 53, -1074, 1024);
    return vec2<u32>(bits.x, bits.y | (u32(negative && (bits.x != 0u || bits.y != 0u)) << 31u));
}
