// Elements of one word.
const PER: u32 = 4u;

fn element(i: u32) -> vec2<u32> {
    return vec2<u32>(word(i), 0u);
}

fn push_vec(q: vec4<u32>, r: u32) {
    acc_push(vec2<u32>(q.x, 0u), r);
    acc_push(vec2<u32>(q.y, 0u), r + 1u);
    acc_push(vec2<u32>(q.z, 0u), r + 2u);
    acc_push(vec2<u32>(q.w, 0u), r + 3u);
}
