// The word of a coordinate of a sample of Philox's. Needs expr_block and words64.
fn word_of(sample: vec2<u32>, axis: u32) -> u32 {
    let shift = params.tape.z;
    let block = shift_right64(sample, shift);
    let lead = (sample.x & ((1u << shift) - 1u)) * params.tape.w;
    return words(block, axis / 4u)[lead + axis % 4u];
}
