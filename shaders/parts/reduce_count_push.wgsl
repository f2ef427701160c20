fn push(e: vec2<u32>, r: u32) {
    var magnitude = e;
    if (FLOAT && WIDE) { magnitude.y &= 0x7fffffffu; }
    if (FLOAT && !WIDE) { magnitude.x &= 0x7fffffffu; }
    mine.low += select(0u, 1u, (magnitude.x | magnitude.y) != 0u);
}
