// Running extremes, as order keys. Needs reduce_key and reduce_unkey.
const WORDS: u32 = 2u;

var<private> best: vec2<u32>;

fn walk_begin(t: u32) {
    best = vec2<u32>(0u);
}

fn walk_take(k: vec2<u32>) {
    best = select(best, k, above(k, best));
}

fn walk_push(e: vec2<u32>) {
    walk_take(key(e));
}

fn walk_result() -> vec2<u32> {
    return unkey(best);
}

fn walk_failed() -> bool {
    return false;
}

fn walk_save(at: u32, n: u32) {
    state[at] = best.x;
    state[at + n] = best.y;
}

fn walk_merge(at: u32, n: u32) {
    walk_take(vec2<u32>(state[at], state[at + n]));
}
