// The product of two elements of two words.
fn acc_push(e: vec4<u32>, r: u32) {
    push_product(e.xy, e.zw);
}
