// put(i, v): result i, of one byte or two, into words that were 0. Other invocations put theirs into the same word.
alias Out = atomic<u32>;

fn put(i: u32, v: vec2<u32>) {
    if (OUT_SIZE == 2u) {
        atomicOr(&out[i >> 1u], (v.x & 65535u) << ((i & 1u) << 4u));
    } else {
        atomicOr(&out[i >> 2u], (v.x & 255u) << ((i & 3u) << 3u));
    }
}
