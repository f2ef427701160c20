// The words of samples, and coordinates from them. Needs philox, expr_arithmetic and the uniform of expressions.
// Part philox, with `group` in the third word of the counter and 1 in the fourth.
fn words(block: vec2<u32>, group: u32) -> vec4<u32> {
    var c = vec4<u32>(block.x, block.y, group, 1u);
    c = philox_round(c, params.keys[0].xy);
    c = philox_round(c, params.keys[0].zw);
    c = philox_round(c, params.keys[1].xy);
    c = philox_round(c, params.keys[1].zw);
    c = philox_round(c, params.keys[2].xy);
    c = philox_round(c, params.keys[2].zw);
    c = philox_round(c, params.keys[3].xy);
    c = philox_round(c, params.keys[3].zw);
    c = philox_round(c, params.keys[4].xy);
    c = philox_round(c, params.keys[4].zw);
    return c;
}

// The middle of one of 2^23 cells: an odd number below 2^24 times 2^-24, exact.
fn fraction(word: u32) -> u32 {
    let odd = ((word >> 9u) << 1u) | 1u;
    let zeros = countLeadingZeros(odd);
    return pack(0u, 7 - i32(zeros), odd << zeros);
}

fn coordinate(word: u32, scale: u32) -> u32 {
    return e_add(value(scale), e_mul(value(scale + 1u), fraction(word)));
}
