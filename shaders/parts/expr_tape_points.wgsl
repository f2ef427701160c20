// The word of a coordinate of a point of Sobol's. Needs sobol; the keys lie behind the direction numbers.
fn word_of(sample: vec2<u32>, axis: u32) -> u32 {
    let key = directions[8u * params.tape.w + axis / 4u][axis % 4u];
    return sobol_scramble(sobol_point(sample.x, axis), key);
}
