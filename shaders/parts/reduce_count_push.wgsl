fn push(e: vec2<u32>, r: u32) {
    var magnitude = e;
    if (FLOAT && WIDE) { magnitude.y &= 0x7fffffffu; }
    if (FLOAT && !WIDE) { magnitude.x &= 0x7fffffffu; }
    if (FLOAT && (SKIP || VALID)) {
        let high = select(magnitude.x, magnitude.y, WIDE);
        let infinity = select(0x7f800000u, 0x7ff00000u, WIDE);
        let nan = high > infinity || (WIDE && high == infinity && magnitude.x != 0u);
        if (nan) {
            return;
        }
        if (VALID) {
            magnitude.x = 1u;
        }
    }
    mine.low += select(0u, 1u, (magnitude.x | magnitude.y) != 0u);
}
