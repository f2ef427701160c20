// The words of a counter by Philox4x32-10. Needs part philox and the rounds' keys, two in each of `params.keys`.
fn philox_rounds(counter: vec4<u32>) -> vec4<u32> {
    var c = counter;
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
