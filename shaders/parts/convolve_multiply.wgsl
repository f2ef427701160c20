// The 64-bit product of two words: low, high.
fn multiply(a: u32, b: u32) -> vec2<u32> {
    let al = a & 0xffffu;
    let ah = a >> 16u;
    let bl = b & 0xffffu;
    let bh = b >> 16u;
    let t = al * bl;
    let u = ah * bl + (t >> 16u);
    let v = al * bh + (u & 0xffffu);
    return vec2<u32>(a * b, ah * bh + (u >> 16u) + (v >> 16u));
}
