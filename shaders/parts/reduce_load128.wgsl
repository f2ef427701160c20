// Elements of four words: two of two words each, that belong together.
const PER: u32 = 1u;

fn element(i: u32) -> vec4<u32> {
    return vec4<u32>(word(4u * i), word(4u * i + 1u), word(4u * i + 2u), word(4u * i + 3u));
}

fn push_vec(q: vec4<u32>, r: u32) {
    acc_push(q, r);
}
