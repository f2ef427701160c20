// Elements of two words, low word first.
const PER: u32 = 2u;

fn element(i: u32) -> vec2<u32> {
    return vec2<u32>(word(2u * i), word(2u * i + 1u));
}

fn push_vec(q: vec4<u32>, r: u32) {
    acc_push(q.xy, r);
    acc_push(q.zw, r + 1u);
}
