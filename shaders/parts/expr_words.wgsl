// Coordinates from the words of samples. Needs expr_arithmetic and the uniform of expressions.
// The middle of one of 2^23 cells: an odd number below 2^24 times 2^-24, exact.
fn fraction(word: u32) -> u32 {
    let odd = ((word >> 9u) << 1u) | 1u;
    let zeros = countLeadingZeros(odd);
    return pack(0u, 7 - i32(zeros), odd << zeros);
}

fn coordinate(word: u32, scale: u32) -> u32 {
    return e_add(value(scale), e_mul(value(scale + 1u), fraction(word)));
}
