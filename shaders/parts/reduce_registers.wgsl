// Elements go to the `push` of a part before.
fn acc_push(e: vec2<u32>, r: u32) {
    push(e, r);
}
