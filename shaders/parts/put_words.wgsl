// put(i, v): result i, of one word or two. Needs OUT_SIZE; the binding `out` is an array of Out.
alias Out = u32;

fn put(i: u32, v: vec2<u32>) {
    if (OUT_SIZE == 8u) {
        out[2u * i] = v.x;
        out[2u * i + 1u] = v.y;
    } else {
        out[i] = v.x;
    }
}
