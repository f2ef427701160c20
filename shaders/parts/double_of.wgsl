// The number of an element: (low, high) words, narrow ones extended to 32 bits. Needs double_arithmetic, FLOAT, WIDE, SIGNED.
fn double_of(e: vec2<u32>) -> vec2<u32> {
    var number = e;
    if (FLOAT && !WIDE) {
        number = double_of_f32(e.x);
    }
    if (!FLOAT) {
        let wide = select(vec2<u32>(e.x, select(0u, 0u - (e.x >> 31u), SIGNED)), e, WIDE);
        number = double_of_integer(wide, SIGNED && wide.y >= D_SIGN);
    }
    return number;
}
