// Points of the quadrant, coordinates of BITS bits (16 or 32). Needs `mul_wide` and the constant BITS.
const MASK: u32 = select(0xFFFFu, 0xFFFFFFFFu, BITS == 32u);

// x(x+1) as (low, high): its 64 bits.
fn square_wide(x: u32) -> vec2<u32> {
    let s = mul_wide(x, x);
    let low = s.x + x;
    return vec2<u32>(low, s.y + u32(low < x));
}

// 1 if x(x+1) + y(y+1) < 2^(2 BITS), else 0: if the sum does not carry.
fn inside(x: u32, y: u32) -> u32 {
    if (BITS == 16u) {
        return u32(y * (y + 1u) <= ~(x * (x + 1u)));
    }
    let room = ~square_wide(x);
    let b = square_wide(y);
    return u32(b.y < room.y || (b.y == room.y && b.x <= room.x));
}
