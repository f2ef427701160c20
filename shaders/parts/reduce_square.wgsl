// The product of an element with itself.
fn acc_push(e: vec2<u32>, r: u32) {
    push_product(e, e);
}
