// The product of two elements of one word.
fn acc_push(e: vec2<u32>, r: u32) {
    push_product(vec2<u32>(e.x, 0u), vec2<u32>(e.y, 0u));
}
