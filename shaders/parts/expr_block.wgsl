// The words of samples. Needs part philox_rounds.

// Of block `block` of a group of axes: the third word of the counter; the fourth is 1.
fn words(block: vec2<u32>, group: u32) -> vec4<u32> {
    return philox_rounds(vec4<u32>(block.x, block.y, group, 1u));
}
