// The words of samples. Needs philox and the uniform of expressions.
// Part philox, with `group` in the third word of the counter and 1 in the fourth.
fn words(block: vec2<u32>, group: u32) -> vec4<u32> {
    var c = vec4<u32>(block.x, block.y, group, 1u);
    c = philox_round(c, params.keys[0].xy);
    c = philox_round(c, params.keys[0].zw);
    c = philox_round(c, params.keys[1].xy);
    c = philox_round(c, params.keys[1].zw);
    c = philox_round(c, params.keys[2].xy);
    c = philox_round(c, params.keys[2].zw);
    c = philox_round(c, params.keys[3].xy);
    c = philox_round(c, params.keys[3].zw);
    c = philox_round(c, params.keys[4].xy);
    c = philox_round(c, params.keys[4].zw);
    return c;
}
