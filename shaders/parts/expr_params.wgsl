// The uniform of expressions.
struct Params {
    // Philox: the keys of rounds 2i and 2i + 1.
    keys: array<vec4<u32>, 5>,
    // The result's axes, the last one fastest, for arrays that are broadcast.
    shape: vec4<u32>,
    // Each array's strides, modulo 2^32.
    strides: array<vec4<u32>, 8>,
    // The first result or sample, low word first.
    first: vec2<u32>,
    // Results or samples, below 2^31.
    count: u32,
    // Where the first of them goes in the output.
    place: u32,
    // Where each array's part starts in its binding.
    offsets: array<vec4<u32>, 2>,
    // Of a tape: its steps, a bit for each array whose elements follow each other as results do, and how a sample takes
    // words: a shift of its index that gives the block, and the words of a sample.
    tape: vec4<u32>,
    // Numbers that are the same for all elements; of integrals, then the start and the width of each coordinate.
    values: array<vec4<u32>, 64>,
}

fn value(i: u32) -> u32 {
    return params.values[i / 4u][i % 4u];
}
