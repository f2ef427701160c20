// Sums of a tile as integers of BITS bits, rounded to nearest, ties to even, and saturated; NaN is 0. A row is whole words.
const PER: u32 = 32u / BITS;

fn rounded(v: f32) -> u32 {
    if ((bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u) {
        return 0u;
    }
    return bitcast<u32>(i32(round(clamp(v, LEAST, MOST)))) & ((1u << BITS) - 1u);
}

fn store(i: u32, e: u32) {
    var word = 0u;
    for (var j = 0u; j < PER; j++) {
        word |= rounded(tile[at(e + j)]) << (j * BITS);
    }
    result[i / PER] = word;
}
