// Sobol's sequence and its scrambling. Needs `directions: array<vec4<u32>>`, the direction numbers: eight vectors a dimension.

// One coordinate of a point, in units of 2^-32. Without a loop: shaders have few iterations to spend.
fn sobol_point(index: u32, dimension: u32) -> u32 {
    let gray = vec4<u32>(index ^ (index >> 1u)) >> vec4<u32>(0u, 1u, 2u, 3u);
    let at = 8u * dimension;
    let one = vec4<u32>(1u);
    var x = directions[at] * (gray & one);
    x ^= directions[at + 1u] * ((gray >> vec4<u32>(4u)) & one);
    x ^= directions[at + 2u] * ((gray >> vec4<u32>(8u)) & one);
    x ^= directions[at + 3u] * ((gray >> vec4<u32>(12u)) & one);
    x ^= directions[at + 4u] * ((gray >> vec4<u32>(16u)) & one);
    x ^= directions[at + 5u] * ((gray >> vec4<u32>(20u)) & one);
    x ^= directions[at + 6u] * ((gray >> vec4<u32>(24u)) & one);
    x ^= directions[at + 7u] * ((gray >> vec4<u32>(28u)) & one);
    return (x.x ^ x.y) ^ (x.z ^ x.w);
}

// A coordinate under nested uniform scrambling with a key.
fn sobol_scramble(coordinate: u32, key: u32) -> u32 {
    var x = reverseBits(coordinate);
    x ^= x * 0x3d20adeau;
    x += key;
    x *= (key >> 16u) | 1u;
    x ^= x * 0x05526c56u;
    x ^= x * 0x53a22864u;
    return reverseBits(x);
}
