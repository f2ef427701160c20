// The element itself.
fn acc_push(e: vec2<u32>, r: u32) {
    push_double(e);
}
