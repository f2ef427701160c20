// The generator Philox4x32 with ROUNDS rounds. Needs part philox and the constant ROUNDS.

// The words of a counter under the key's first two words.
fn generate(counter: vec4<u32>, key: vec4<u32>) -> vec4<u32> {
    var c = counter;
    var k = key.xy;
    for (var round = 0u; round < ROUNDS; round += 1u) {
        c = philox_round(c, k);
        k += vec2<u32>(0x9E3779B9u, 0xBB67AE85u);
    }
    return c;
}
