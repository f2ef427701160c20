// Plain samples with coordinates of 16 bits: a word's halves, as signed integers, are x and y; it is inside the circle when
// x(x+1) + y(y+1) < 2^30.

fn is_hit(word: u32) -> u32 {
    let x = bitcast<i32>(word << 16u) >> 16u;
    let y = bitcast<i32>(word) >> 16u;
    // At most 2^31 - 2^16: no overflow.
    return u32(x * (x + 1) + y * (y + 1) < 0x40000000);
}

// The points inside, twice: every sample has one.
fn count_block(c: vec4<u32>, low: u32) -> vec2<u32> {
    return vec2<u32>(is_hit(c.x) + is_hit(c.y) + is_hit(c.z) + is_hit(c.w));
}
